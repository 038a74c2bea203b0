//! Channels: the ways by which a notice reaches somebody.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A way by which a notice reaches somebody.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NoticeChannel)]
pub enum Channel {
    /// The list of notices in the product.
    InApp,
    /// E-mail.
    Email,
    /// The browser's own notices, by Web Push (RFC 8030).
    Push,
    /// A short message to a telephone.
    Sms,
    /// A post for many to read: to Slack, to Teams, or to a webhook.
    Hook,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::InApp, Self::Email, Self::Push, Self::Sms, Self::Hook];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::InApp => "in_app",
            Self::Email => "email",
            Self::Push => "push",
            Self::Sms => "sms",
            Self::Hook => "hook",
        }
    }

    /// Reads [`Channel::word`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == text)
    }
}
