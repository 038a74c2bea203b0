//! To which ticket a mail belongs.
//!
//! What leads to one, the surest first: the signed token in the address that it was sent to, the
//! same in the Message-ID of what it answers, the same in the text that it quotes, the Message-ID of
//! a mail that we know in `In-Reply-To`, and one in `References` if the subject is the same
//! (RFC 8621, section 3).
//!
//! Whoever is no part of a conversation does not join it, whatever they show: a mail that was
//! handed on has the token in it as well. What they write becomes a ticket of its own that follows
//! the other, with the reason, so that an agent sees both and may merge them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Incoming,
    bounce::Fate,
    subject,
    token::{self, Secret},
};

/// How many tokens and Message-IDs of a mail are looked up.
pub const CLUES_MAX: usize = 60;

/// What leads to a ticket, the surest first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MailClue)]
pub enum Clue {
    /// The token in the address that it was sent to.
    Address,
    /// The token in a Message-ID that it names.
    MessageId,
    /// The token in the text.
    Text,
    /// It answers a mail of the ticket.
    InReplyTo,
    /// It names a mail of the ticket, and has its subject.
    References,
}

impl Clue {
    /// Whether it is signed by us.
    pub fn is_signed(self) -> bool {
        matches!(self, Self::Address | Self::MessageId | Self::Text)
    }
}

/// Where a clue leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Lead {
    /// To the ticket with this number.
    Number(i64),
    /// To the ticket that has the mail with this Message-ID.
    Message(String),
}

/// What in a mail may lead to a ticket of the mailbox, the surest first. Only what is ours is a
/// token.
pub fn clues(incoming: &Incoming, mailbox: &str, secret: &Secret) -> Vec<(Clue, Lead)> {
    let number = |token: &str| secret.read(mailbox, token).map(Lead::Number);
    let named = || incoming.in_reply_to.iter().chain(incoming.references.iter().rev());
    let reported = incoming.bounce.iter().filter_map(|it| it.of.as_ref());
    let addresses =
        incoming.delivered_to.iter().chain(incoming.to.people.iter().map(|it| &it.email));
    let mut clues: Vec<(Clue, Lead)> =
        addresses.filter_map(|it| Some((Clue::Address, number(token::in_address(it)?)?))).collect();
    clues.extend(
        reported
            .clone()
            .chain(named())
            .filter_map(|it| Some((Clue::MessageId, number(token::in_message_id(it)?)?))),
    );
    clues.extend(token::in_text(&incoming.text).filter_map(|it| Some((Clue::Text, number(it)?))));
    clues.extend(
        reported
            .chain(&incoming.in_reply_to)
            .map(|it| (Clue::InReplyTo, Lead::Message(it.clone()))),
    );
    // The last is what it answers.
    let references = incoming.references.iter().rev();
    clues.extend(references.map(|it| (Clue::References, Lead::Message(it.clone()))));
    let mut kept: Vec<(Clue, Lead)> = Vec::new();
    for it in clues {
        if kept.len() < CLUES_MAX && !kept.iter().any(|other| other.1 == it.1) {
            kept.push(it);
        }
    }
    kept
}

/// What a mailbox does with an answer under another subject.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnNewSubject {
    /// It stays in its conversation.
    #[default]
    Keep,
    /// It becomes a ticket of its own that follows.
    Split,
}

/// A ticket that a clue led to.
#[derive(Clone, Debug)]
pub struct Candidate<T> {
    /// The ticket.
    pub ticket: T,
    /// By what.
    pub clue: Clue,
    /// What it is about.
    pub subject: String,
    /// Whether nothing more is written to it.
    pub is_closed: bool,
    /// Whether the sender is one of the conversation: who asked, who has copies, who wrote in it
    /// before, an agent.
    pub is_known: bool,
}

/// Why a mail that leads to a ticket did not join it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MailApart)]
pub enum Apart {
    /// Its sender is no part of the conversation.
    Stranger,
    /// The domain of its sender says that it is forged, and nothing of ours says otherwise.
    Forged,
    /// It has another subject.
    NewSubject,
    /// The ticket is closed.
    Closed,
}

/// Why a mail is kept and nothing else is done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MailIgnored)]
pub enum Ignored {
    /// We sent it.
    Ours,
    /// A program answers something that is none of our tickets, or none that it may answer in.
    AutomaticAnswer,
    /// It reports that something arrived, or was read.
    Receipt,
    /// It reports on a mail that is none of ours.
    BounceOfNothing,
    /// Its sender has sent too many.
    TooMany,
}

/// What becomes of a mail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision<T> {
    /// It joins the ticket, by this clue.
    Join(T, Clue),
    /// It opens a ticket, which may follow another.
    Open(Option<(T, Apart)>),
    /// It says that a mail of this ticket did not arrive.
    Bounced(T),
    /// It is kept, and that is all.
    Ignore(Ignored),
}

/// Decides what becomes of a mail. `candidates` are what its clues led to, in their order;
/// `is_ours` says that it was sent from the mailbox itself.
pub fn decide<T: Clone>(
    incoming: &Incoming,
    candidates: &[Candidate<T>],
    on_new_subject: OnNewSubject,
    is_ours: bool,
) -> Decision<T> {
    let base = subject::base(&incoming.subject);
    let has_subject = |it: &Candidate<T>| !base.is_empty() && subject::base(&it.subject) == base;
    let found = candidates.iter().find(|it| it.clue != Clue::References || has_subject(it));
    if let Some(bounce) = &incoming.bounce {
        return match (bounce.fate, found) {
            (Fate::Delivered, _) => Decision::Ignore(Ignored::Receipt),
            (_, Some(it)) => Decision::Bounced(it.ticket.clone()),
            (_, None) => Decision::Ignore(Ignored::BounceOfNothing),
        };
    }
    if is_ours {
        return Decision::Ignore(Ignored::Ours);
    }
    if incoming.automatic == Some(super::Automatic::Receipt) {
        return Decision::Ignore(Ignored::Receipt);
    }
    let is_answer = incoming.automatic.is_some_and(super::Automatic::is_answer);
    let Some(found) = found else {
        return match is_answer {
            true => Decision::Ignore(Ignored::AutomaticAnswer),
            false => Decision::Open(None),
        };
    };
    // What a program puts before a subject is in no list.
    let is_new_subject = !base.is_empty() && !is_answer && !has_subject(found);
    let apart = if !found.is_known {
        Some(Apart::Stranger)
    } else if incoming.verdict.is_forged() && !found.clue.is_signed() {
        Some(Apart::Forged)
    } else if found.is_closed {
        Some(Apart::Closed)
    } else if is_new_subject && on_new_subject == OnNewSubject::Split {
        Some(Apart::NewSubject)
    } else {
        None
    };
    match apart {
        None => Decision::Join(found.ticket.clone(), found.clue),
        // A program's answer is nothing to open a ticket for.
        Some(_) if is_answer => Decision::Ignore(Ignored::AutomaticAnswer),
        Some(it) => Decision::Open(Some((found.ticket.clone(), it))),
    }
}

#[cfg(test)]
mod tests;
