//! Deliveries: a bill goes to somebody by mail, and what became of that is kept beside it.
//!
//! Billing sends no mail. It draws the document, leaves it as a blob, and says in the log what is to
//! be delivered, to whom. A rule of notifications makes a mail of that, and what they tell of it is
//! followed. What was asked for is never lost: it is queued, requested, or how it ended.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::domain::Timestamp;
use utoipa::ToSchema;

/// How often one bill is delivered at most.
pub const DELIVERIES_MAX: u32 = 100;
/// How much of a reason is kept, in characters.
const WHY_CHARS_MAX: usize = 500;

/// A bill on its way to somebody.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = InvoiceDelivery)]
pub struct Delivery {
    /// `bdl_…`: the subject of its entries in the log.
    pub id: String,
    /// The invoice or credit note.
    pub invoice: String,
    /// To whom.
    pub to: Addressee,
    /// How far it is.
    pub state: DeliveryState,
    /// Why it is not there, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The SHA-256 of the PDF, in hex, once that is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When the mail was handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// When it came to where it is.
    pub changed_at: Timestamp,
}

/// Whom a bill is delivered to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = InvoiceAddressee)]
pub struct Addressee {
    /// The address.
    pub email: String,
    /// The name.
    pub name: String,
    /// The language.
    pub locale: String,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InvoiceDeliveryState)]
pub enum DeliveryState {
    /// The document is not drawn yet.
    Queued,
    /// The log says that it is to be delivered. It stays so while no rule makes a mail of that.
    Requested,
    /// Notifications did not send it: the address is suppressed, or the mail not wanted.
    Withheld,
    /// It could not be drawn, written or handed over.
    Failed,
    /// A provider has it, or the mailbox.
    Sent,
    /// It came back: there is no such mailbox.
    Bounced,
    /// Its reader called it spam.
    Complained,
}

impl DeliveryState {
    /// The word that is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Requested => "requested",
            Self::Withheld => "withheld",
            Self::Failed => "failed",
            Self::Sent => "sent",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }

    /// What an entry of notifications says of a mail.
    fn told(action: &str) -> Option<Self> {
        Some(match action {
            "notice.sent" => Self::Sent,
            "notice.failed" | "notice.refused" => Self::Failed,
            "notice.withheld" | "notice.cancelled" => Self::Withheld,
            "notice.bounced" => Self::Bounced,
            "notice.complained" => Self::Complained,
            _ => return None,
        })
    }
}

impl Delivery {
    /// The same, there.
    pub fn becomes(&mut self, state: DeliveryState, why: Option<&str>, at: Timestamp) {
        self.state = state;
        self.why = why.map(|it| it.chars().take(WHY_CHARS_MAX).collect());
        self.changed_at = at;
        if state == DeliveryState::Sent {
            self.sent_at = Some(at);
        }
    }

    /// Hears what notifications tell of a notice of it, and says whether that changes anything.
    /// What counts is the mail to its own address, and how far that came: nothing goes back, but
    /// that another notice of it may get through.
    pub fn hears(&mut self, action: &str, data: &Value, at: Timestamp) -> bool {
        let Some(state) = DeliveryState::told(action) else { return false };
        let text = |name: &str| data.get(name).and_then(Value::as_str);
        // What is told of a notice as a whole names neither.
        let is_mail = text("channel").is_none_or(|it| it == "email");
        let mine = |it: &str| it.eq_ignore_ascii_case(&self.to.email);
        if !is_mail || !text("recipient").is_none_or(mine) || state <= self.state {
            return false;
        }
        let called_off = (action == "notice.cancelled").then_some("the notice was called off");
        self.becomes(state, text("why").or(called_off), at);
        true
    }
}
