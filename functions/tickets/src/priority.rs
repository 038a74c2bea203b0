//! Priorities: how soon a ticket is to be looked at, from its impact and its urgency. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many are hit, or how soon it hurts.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketLevel)]
pub enum Level {
    /// One person, or some day.
    Low,
    /// Some people, or soon.
    #[default]
    Medium,
    /// Everybody, or now.
    High,
}

/// How soon a ticket is to be looked at.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketPriority)]
pub enum Priority {
    /// When there is time.
    Low,
    /// In its turn.
    #[default]
    Normal,
    /// Before others.
    High,
    /// At once.
    Urgent,
}

impl Priority {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Urgent];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}
