//! Bills: invoices and credit notes as they are kept. `invoice` adds them up.
//!
//! A draft may change and has no number. What has a number never changes but for what was paid and
//! credited; it is taken back by a credit note.

pub mod close;
pub mod credit;
pub mod deliver;
pub mod delivery;
pub mod draft;
pub mod file;
pub mod handle;
pub mod line;
pub mod pay;
pub mod taken;
pub mod taxed;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use shared::domain::Timestamp;
use utoipa::ToSchema;

use self::{
    line::BillLine,
    taxed::{BillTax, TaxSum},
};
use crate::{
    coupon::Applied,
    credit::Part,
    customer::Collection,
    entity::Party,
    invoice::{self, Document, Kind},
    money::Currency,
    period::Period,
    subscription::Pending,
};

/// An invoice or a credit note.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = Invoice)]
pub struct Bill {
    /// `inv_…`
    pub id: String,
    /// Invoice or credit note.
    pub kind: BillKind,
    /// Who owes, or is owed.
    pub customer: String,
    /// Who sells.
    pub entity: String,
    /// The subscription that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Its number, gapless in the entity, the kind and the year. A draft has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Where it stands.
    pub state: BillState,
    /// The currency of all its amounts.
    pub currency: Currency,
    /// What is charged.
    pub lines: Vec<BillLine>,
    /// How its lines are taxed that say nothing else. A draft does not say yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<BillTax>,
    /// What each tax comes to, where there are several, or one was taken back in part and is not its
    /// base by its rate. Otherwise `tax` and `totals` say all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taxes: Vec<TaxSum>,
    /// What it comes to. Of a draft it is what the lines come to, without tax.
    pub totals: BillTotals,
    /// From which grants of credit it was paid, before anything else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wallet: Vec<Part>,
    /// The coupons that are on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<Applied>,
    /// What was paid, in minor units.
    pub paid: i64,
    /// What credit notes have taken back, in minor units with tax.
    pub credited: i64,
    /// What was paid back, in minor units.
    pub refunded: i64,
    /// How money comes.
    pub collection: Collection,
    /// Who sold, as it was when the document was finalised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<Party>,
    /// Who bought, as it was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Party>,
    /// What else stands on it, as it was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<References>,
    /// The language of the document.
    pub locale: String,
    /// The period that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// The threshold of usage that was reached, in minor units without tax, where that is why it was
    /// made before its period ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<i64>,
    /// The first invoice that billed usage of the same period before it ended: of that only the
    /// difference is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
    /// What of it is charged in advance, without tax: it is earned when the period ends.
    #[serde(default)]
    pub deferred: i64,
    /// What is still asked of the meters. The draft waits for the answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaiting: Vec<Question>,
    /// Until when it stays a draft, so that late usage can come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_until: Option<Timestamp>,
    /// Why it could not be finalised, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// The change of a subscription that takes effect when this is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applies: Option<Pending>,
    /// The invoice that a credit note is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preceding: Option<Preceding>,
    /// Why, for the reader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it got its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalised_at: Option<Timestamp>,
    /// Until when it is to be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When nothing was due any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// How payments failed so far, for dunning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedAttempt>,
    /// Counts its changes; its ETag.
    #[serde(default)]
    pub version: i64,
}

/// What a document does to what is owed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InvoiceKind)]
pub enum BillKind {
    /// The customer owes.
    Invoice,
    /// The customer is owed.
    CreditNote,
}

/// Where a document stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InvoiceState)]
pub enum BillState {
    /// It has no number yet.
    Draft,
    /// It is to be paid.
    Open,
    /// Nothing is due.
    Paid,
    /// A credit note has taken it back as a whole, or the draft was dropped.
    Void,
    /// It was given up.
    Uncollectible,
}

/// What a document comes to, in minor units.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = InvoiceTotals)]
pub struct BillTotals {
    /// Without tax.
    pub net: i64,
    /// The tax.
    pub tax: i64,
    /// With tax.
    pub gross: i64,
    /// What was taken from prepaid credit.
    pub prepaid: i64,
    /// What is left to pay at first: gross less prepaid.
    pub due: i64,
}

/// What is asked of a meter: see `usage.asked` in the log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = UsageQuestion)]
pub struct Question {
    /// `usk_…`
    pub id: String,
    /// The plan and version whose price it is for.
    pub plan: String,
    /// The plan's version.
    pub plan_version: i64,
    /// The price.
    pub price: String,
    /// The meter.
    pub meter: String,
    /// The dimension by which it is told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<String>,
    /// The stretch of time.
    pub period: Period,
    /// The invoice that charged it first, where it is asked again for what came late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What stands on a document beside its parties and lines.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = InvoiceReferences)]
pub struct References {
    /// Where to transfer money to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iban: Option<String>,
    /// What the seller says below the total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What the buyer wants to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer_reference: Option<String>,
    /// The number of the buyer's order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Where electronic invoices go: scheme and address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<(String, String)>,
}

/// The invoice that a credit note is of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = PrecedingInvoice)]
pub struct Preceding {
    /// `inv_…`
    pub id: String,
    /// Its number.
    pub number: String,
    /// When it got that.
    pub at: Timestamp,
}

/// A payment that was refused.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = FailedPayment)]
pub struct FailedAttempt {
    /// When.
    pub at: Timestamp,
    /// Who said so: `stripe` or `paypal`.
    pub provider: String,
    /// The provider's word for it.
    pub code: String,
}

impl BillKind {
    /// The word that is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::CreditNote => "credit_note",
        }
    }
}

impl BillState {
    /// The word that is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Void => "void",
            Self::Uncollectible => "uncollectible",
        }
    }
}

impl Bill {
    /// What is left to pay, in minor units.
    pub fn left(&self) -> i64 {
        match (self.kind, self.state) {
            (BillKind::Invoice, BillState::Open | BillState::Uncollectible) => self.left_of_due(),
            _ => 0,
        }
    }

    /// What of the amount that was due at first is not paid and not credited, also of a draft.
    pub fn left_of_due(&self) -> i64 {
        (self.totals.due - self.paid - self.credited).max(0)
    }

    /// Whether meters are still asked for its own period, or once more for what that invoice charged.
    pub fn waits_for(&self, after: Option<&str>) -> bool {
        self.awaiting.iter().any(|it| it.after.as_deref() == after)
    }

    /// The document that `invoice` adds up, taxed as it says.
    ///
    /// # Errors
    /// When its tax is not one that there is.
    pub fn document(&self) -> Result<Document, invoice::Error> {
        let lines = self.lines.iter().zip(1..);
        Ok(Document {
            kind: match self.kind {
                BillKind::Invoice => Kind::Invoice,
                BillKind::CreditNote => Kind::CreditNote,
            },
            currency: self.currency,
            lines: lines
                .map(|(it, number)| Ok(it.line(number, self.tax_of(it).vat()?)))
                .collect::<Result<_, _>>()?,
            adjustments: Vec::new(),
            prepaid: self.totals.prepaid,
            round: 0,
            taxes: self.told_taxes()?,
        })
    }

    /// What the lines come to without tax.
    ///
    /// # Errors
    /// When that is too large.
    pub fn net(&self) -> Result<i64, invoice::Error> {
        self.lines
            .iter()
            .try_fold(0i64, |sum, it| sum.checked_add(it.amount))
            .ok_or(invoice::Error::TooLarge)
    }
}
