//! Threads: how a mail stands among those that were written before it. Pure.
//!
//! A rule finds it in an entry, as the ticket of somebody who asked by mail has it. What is found is
//! checked before any of it becomes a header: nothing in it ends a line.

#[cfg(test)]
mod mailed;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use shared::domain::Address;

use crate::template::SUBJECT_CHARS_MAX;

/// How many mails one names that it answers, and how many that came before it.
pub const NAMED_MAX: usize = 20;
/// The longest identifier of a mail, in bytes, without its angle brackets: a line of a head has no
/// more than 998 (RFC 5322, 2.1.1), and providers take less.
pub const ID_BYTES_MAX: usize = 250;
/// The longest name of who sends, in characters.
const NAME_CHARS_MAX: usize = 120;
/// The longest subject that is taken, and then cut, in characters.
const SUBJECT_TAKEN_MAX: usize = 1_000;

/// How a mail stands among others, and who writes it. What is left out is as with any other mail.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoticeThread)]
pub struct Thread {
    /// Its `Message-ID`, as `left@right`, with its angle brackets or without: a msg-id by RFC 5322,
    /// 3.6.4, of up to 250 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The mails that it answers: up to 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_reply_to: Vec<String>,
    /// The mails that came before it, the first one first: up to 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// Where answers go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reply_to: Option<Address>,
    /// Whose it is, if not the settings' address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub from: Option<Address>,
    /// What they are called, up to 120 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_name: Option<String>,
    /// Its subject, in the place of the template's: one that changes ends a thread. It is cut after
    /// 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Whether a person wrote it. Then it is not said to be of a machine (RFC 3834, 5).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub person: bool,
}

/// A thread as an entry has it. What is `null` is left out.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Found {
    message_id: Option<String>,
    in_reply_to: Ids,
    references: Ids,
    reply_to: Option<Who>,
    from: Option<Who>,
    from_name: Option<String>,
    subject: Option<String>,
    person: bool,
}

/// Identifiers as an entry has them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "an identifier, or a list of them")]
enum Ids {
    None(()),
    One(String),
    Many(Vec<String>),
}

impl Default for Ids {
    fn default() -> Self {
        Self::None(())
    }
}

impl Ids {
    fn all(self) -> Vec<String> {
        match self {
            Self::None(()) => Vec::new(),
            Self::One(it) => vec![it],
            Self::Many(all) => all,
        }
    }
}

/// Somebody as an entry has them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "an address, or an object with email and name")]
enum Who {
    Address(String),
    Named {
        email: String,
        #[serde(default)]
        name: String,
    },
}

impl Who {
    /// Their address, and what they are called.
    fn read(self, field: &str) -> Result<(Address, Option<String>), String> {
        let (email, name) = match self {
            Self::Address(email) => (email, String::new()),
            Self::Named { email, name } => (email, name),
        };
        let email = Address::parse(&email).map_err(|err| format!("mail.{field}: {err}"))?;
        Ok((email, Some(name).filter(|it| !it.is_empty())))
    }
}

/// The thread that is found there.
///
/// # Errors
/// What is wrong with it, in a line.
pub fn named(found: &Value) -> Result<Thread, String> {
    let it: Found = serde_json::from_value(found.clone()).map_err(|err| format!("mail: {err}"))?;
    let message_id = it.message_id.as_deref().map(|it| {
        let why = format!("mail.message_id: left@right by RFC 5322, up to {ID_BYTES_MAX} bytes");
        let id = bare(it);
        is_message_id(id).then(|| id.to_owned()).ok_or(why)
    });
    let reply_to = it.reply_to.map(|it| it.read("reply_to")).transpose()?.map(|it| it.0);
    let from = it.from.map(|it| it.read("from")).transpose()?;
    let (from, called) = from.map_or((None, None), |(from, called)| (Some(from), called));
    let from_name = it.from_name.or(called);
    let plain = |it: &String| {
        (1..=NAME_CHARS_MAX).contains(&it.trim().chars().count())
            && !it.chars().any(char::is_control)
    };
    if !from_name.as_ref().is_none_or(plain) {
        return Err(format!("mail.from_name: 1 to {NAME_CHARS_MAX} characters, without controls"));
    }
    Ok(Thread {
        message_id: message_id.transpose()?,
        in_reply_to: all("in_reply_to", &it.in_reply_to.all())?,
        references: all("references", &it.references.all())?,
        reply_to,
        from,
        from_name,
        subject: it.subject.as_deref().map(subject).transpose()?,
        person: it.person,
    })
}

/// What others wrote is named as they wrote it, as long as a head can carry it: there are mails
/// whose identifier has no `@`, and their threads are threads all the same.
fn all(name: &str, ids: &[String]) -> Result<Vec<String>, String> {
    if ids.len() > NAMED_MAX {
        return Err(format!("mail.{name}: at most {NAMED_MAX}"));
    }
    let plain = |it: u8| it.is_ascii_graphic() && !b"<>".contains(&it);
    let fits = |it: &str| (1..=ID_BYTES_MAX).contains(&it.len()) && it.bytes().all(plain);
    let one = |it: &String| {
        let id = bare(it);
        let why = || format!("mail.{name}: each as left@right, up to {ID_BYTES_MAX} bytes");
        fits(id).then(|| id.to_owned()).ok_or_else(why)
    };
    ids.iter().map(one).collect()
}

/// The identifier without its angle brackets.
fn bare(text: &str) -> &str {
    text.strip_prefix('<').and_then(|it| it.strip_suffix('>')).unwrap_or(text)
}

/// Whether it is `id-left "@" id-right` of RFC 5322, 3.6.4, in the form of today: a dot-atom on the
/// left, and a dot-atom or a literal without folds on the right.
fn is_message_id(text: &str) -> bool {
    let Some((left, right)) = text.split_once('@') else { return false };
    let is_atom_char = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&it);
    let is_dot_atom =
        |it: &str| it.split('.').all(|it| !it.is_empty() && it.bytes().all(is_atom_char));
    let inner = right.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let is_literal =
        |it: &str| it.bytes().all(|it| it.is_ascii_graphic() && !b"[]\\".contains(&it));
    text.len() <= ID_BYTES_MAX
        && is_dot_atom(left)
        && (is_dot_atom(right) || inner.is_some_and(is_literal))
}

/// The subject in one line, and no longer than any other.
fn subject(text: &str) -> Result<String, String> {
    let is_plain = !text.chars().any(char::is_control);
    if !is_plain || text.trim().is_empty() || text.chars().count() > SUBJECT_TAKEN_MAX {
        return Err(format!("mail.subject: one line of up to {SUBJECT_TAKEN_MAX} characters"));
    }
    Ok(text.trim().chars().take(SUBJECT_CHARS_MAX).collect())
}

impl Thread {
    /// The headers that say what it answers and what came before it, each in one line.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let all = [("In-Reply-To", &self.in_reply_to), ("References", &self.references)];
        let line = |ids: &Vec<String>| {
            let ids: Vec<_> = ids.iter().map(|it| format!("<{it}>")).collect();
            ids.join(" ")
        };
        let some = all.into_iter().filter(|it| !it.1.is_empty());
        some.map(|(name, ids)| (name, line(ids))).collect()
    }
}
