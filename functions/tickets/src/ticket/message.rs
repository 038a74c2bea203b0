//! Messages: what was said in a ticket.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::domain::Timestamp;
use utoipa::ToSchema;

/// Who said it, and who reads it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketMessageKind)]
pub enum Kind {
    /// Somebody outside said it.
    Received,
    /// An agent answered, for the requester to read.
    Reply,
    /// An agent noted it, for agents to read.
    Note,
}

/// Somebody who said something.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TicketPerson)]
pub struct Person {
    /// Their address, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What they are called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The member that they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

/// What came or goes with a message.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = TicketFile)]
pub struct File {
    /// `tat_…`
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Its media type, as it was said.
    #[serde(rename = "type")]
    pub kind: String,
    /// How large it is.
    pub bytes: u64,
    /// What the words of a mail know it by (RFC 2392).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_id: Option<String>,
}

/// That a mail did not arrive (RFC 3464).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = TicketBounce)]
pub struct Bounce {
    /// Whom it did not reach.
    pub to: String,
    /// Whether no later try will.
    pub permanent: bool,
    /// What was told.
    pub why: String,
    /// When that was heard.
    pub at: Timestamp,
}

/// What was said in a ticket.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = TicketMessage)]
pub struct Message {
    /// `tmg_…`
    pub id: String,
    /// Who said it, and who reads it.
    pub kind: Kind,
    /// Who said it.
    pub from: Person,
    /// What was said, in plain text, without what it quotes.
    pub text: String,
    /// The same as HTML that carries nothing active, if it came so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// What it quotes of messages before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<String>,
    /// The `Message-ID` of the mail that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Whether there is more of it than is shown: the original has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// Whether there is a mail that it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// What came or goes with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// The members that are named in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    /// What was found out of who sent the mail (RFC 8601), and why it was taken for a machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub mail: Option<Value>,
    /// Whom it did not reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bounces: Vec<Bounce>,
    /// Whether it was taken back: then it says nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
    /// The ticket that it was said in first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came_from: Option<String>,
    /// When it was said.
    pub at: Timestamp,
}

impl Message {
    /// The start of it, for whoever is only told that it is there.
    pub fn excerpt(&self) -> String {
        self.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
    }
}
