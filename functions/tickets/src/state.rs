//! States: where a ticket is between being opened and being closed. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a ticket is.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketState)]
pub enum State {
    /// We are to do something.
    Open,
    /// The requester is to answer.
    Pending,
    /// Somebody else is to do something.
    OnHold,
    /// We think that it is done. An answer of the requester opens it again.
    Resolved,
    /// It is over. An answer of the requester opens another ticket that follows it.
    Closed,
    /// Nobody's question.
    Spam,
    /// What it said is in another ticket.
    Merged,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Pending,
        Self::OnHold,
        Self::Resolved,
        Self::Closed,
        Self::Spam,
        Self::Merged,
    ];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Pending => "pending",
            Self::OnHold => "on_hold",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
            Self::Spam => "spam",
            Self::Merged => "merged",
        }
    }

    /// The state that is written like this.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }

    /// Whether somebody still waits for something.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Open | Self::Pending | Self::OnHold)
    }

    /// Whether an agent may move a ticket from here to there. Merging and what undoes it have ways
    /// of their own.
    pub fn leads_to(self, next: Self) -> bool {
        match (self, next) {
            (Self::Merged, _) | (_, Self::Merged) => false,
            (Self::Spam, it) => it == Self::Open,
            (Self::Closed, it) => it == Self::Open,
            (Self::Resolved, Self::Spam) => false,
            (_, Self::Closed) => self == Self::Resolved,
            _ => true,
        }
    }
}
