//! Mail as it comes in: RFC 5322 and MIME, read into what a ticket needs. Pure.
//!
//! `part` finds the parts, `field` and `kind` what they say of themselves, `body` what the mail says
//! and `quote` what of that is new. `automatic`, `bounce` and `verdict` say by whom and why it was
//! sent, `token` and `thread` to which ticket it belongs. `provider` reads what others hand on.
//!
//! No mail makes any of it panic, recurse deeper than a constant, or look at the same byte more often
//! than a constant. What is beyond a limit stays in the original, which is kept beside.

mod address;
mod automatic;
mod body;
mod bounce;
mod charset;
mod encoding;
mod field;
mod flowed;
mod html;
mod ids;
mod kind;
mod name;
mod part;
pub mod provider;
mod quote;
mod subject;
pub mod thread;
pub mod token;
mod verdict;
mod words;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod fuzz;

use std::{borrow::Cow, ops::Range};

use mail_parser::{HeaderValue, parsers::MessageStream};
use serde::{Deserialize, Serialize};
use shared::domain::Timestamp;
use utoipa::ToSchema;

pub use self::{
    address::{Person, RECIPIENTS_MAX, email, line},
    automatic::Automatic,
    bounce::{Bounce, Fate},
    encoding::Encoding,
    name::safe as safe_name,
    quote::Split,
    subject::base as base_subject,
    verdict::{Found, Verdict},
};
use self::{
    field::Fields,
    part::{Part, Parts},
};

/// The largest mail, in bytes: what Cloudflare hands over at most. Larger ones are refused.
pub const MAIL_BYTES_MAX: usize = 25 * 1024 * 1024;
/// The longest subject that is kept, in characters.
pub const SUBJECT_CHARS_MAX: usize = 250;
/// How many attached files are kept. What follows is in the original alone.
pub const ATTACHMENTS_MAX: usize = 50;
/// How many addresses are kept to which it was delivered.
const DELIVERED_MAX: usize = 20;
/// The longest media type and Content-ID, in bytes.
const WORD_BYTES_MAX: usize = 200;

/// What the server that took a mail knows of it beside the mail.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    /// The sender of the envelope; empty is nobody (`MAIL FROM:<>`), `None` unknown.
    pub from: Option<String>,
    /// To whom it was delivered.
    pub to: Vec<String>,
}

/// Some people, and how many there were.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = MailRecipients)]
pub struct Recipients {
    /// The first [`RECIPIENTS_MAX`].
    pub people: Vec<Person>,
    /// How many there were.
    pub count: usize,
}

/// A mail that came in.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    /// Its Message-ID, without brackets.
    pub message_id: Option<String>,
    /// The Message-IDs of what it answers.
    pub in_reply_to: Vec<String>,
    /// Those of the conversation before it, the first one first.
    pub references: Vec<String>,
    /// Who wrote it, as far as it says.
    pub from: Option<Person>,
    /// Where answers are to go instead.
    pub reply_to: Option<Person>,
    /// To whom it was written, and who has copies.
    pub to: Recipients,
    /// To which addresses it was delivered.
    pub delivered_to: Vec<String>,
    /// What it is about, in a line; may be empty.
    pub subject: String,
    /// When it was written, as far as it says.
    pub sent_at: Option<Timestamp>,
    /// What it says, with what it quotes.
    pub text: String,
    /// What of that is new, and what is quoted.
    pub split: Split,
    /// What it says as its sender formatted it, made harmless.
    pub html: Option<String>,
    /// Files that came with it.
    pub attachments: Vec<Attachment>,
    /// Why it is thought to be written by a program.
    pub automatic: Option<Automatic>,
    /// Whether its sender wants no answer by a program.
    pub suppresses: bool,
    /// What it reports of a mail of ours.
    pub bounce: Option<Bounce>,
    /// Whether it is from whom it says.
    pub verdict: Verdict,
    /// What is in the original alone.
    pub left_out: Vec<LeftOut>,
}

/// What is in the original alone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MailLeftOut)]
pub enum LeftOut {
    /// Parts beyond the most that are read.
    Parts,
    /// Files beyond the most that are kept.
    Attachments,
    /// The rest of the text.
    Text,
    /// HTML that is too large or too tangled to be shown.
    Html,
    /// Recipients beyond the most that are kept.
    Recipients,
}

/// A file that came with a mail.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Attachment {
    /// A name that is safe to write.
    pub name: String,
    /// Its media type, as its sender says.
    pub media_type: String,
    /// By what HTML names it (`cid:`), without brackets.
    pub content_id: Option<String>,
    /// Whether it is shown within the text.
    pub inline: bool,
    /// Whether it could not be decoded: then its bytes are as they were sent.
    pub broken: bool,
    /// How many bytes it has.
    pub size: usize,
    at: Range<usize>,
    encoding: Encoding,
}

impl Attachment {
    /// Its bytes, from the mail that it was read from.
    pub fn bytes<'a>(&self, raw: &'a [u8]) -> Cow<'a, [u8]> {
        self.encoding.decode(raw.get(self.at.clone()).unwrap_or_default()).0
    }
}

/// Why a mail is not read at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It is too large.
    #[error("a mail has at most 25 MiB, its attachments encoded; send what is larger as a link")]
    TooLarge,
    /// There is nothing.
    #[error("send a mail as RFC 5322 has it: a header, an empty line and a body")]
    Empty,
}

/// Whether a mail is one that we read.
///
/// # Errors
/// When it is empty or too large.
pub fn check(raw: &[u8]) -> Result<(), Refused> {
    match raw {
        it if it.trim_ascii().is_empty() => Err(Refused::Empty),
        it if it.len() > MAIL_BYTES_MAX => Err(Refused::TooLarge),
        _ => Ok(()),
    }
}

/// Reads a mail. `trusted` are the authserv-ids (RFC 8601) whose results are believed.
///
/// # Errors
/// When it is empty or too large. Whatever else is wrong with it, it is read as far as it goes.
pub fn read(raw: &[u8], envelope: &Envelope, trusted: &[String]) -> Result<Incoming, Refused> {
    check(raw)?;
    let parts = part::read(raw);
    let body = body::read(raw, &parts);
    let fields = &parts.fields;
    let text = |name: &str| fields.first(name).map(words::decode);
    let subject = address::line(&text("subject").unwrap_or_default(), SUBJECT_CHARS_MAX);
    let return_path = envelope.from.as_deref().or_else(|| fields.first("return-path"));
    let from = sender(fields, return_path);
    let by = from.as_ref().map(|it| it.email.as_str());
    let automatic = automatic::reason(fields, &parts.kind, &subject, by, return_path);
    let bounce = bounce::read(raw, &parts, by, &subject, automatic, &body.text);
    let to = recipients(fields);
    let (attachments, attachments_left_out) = attachments(raw, &parts, &body);
    let left_out = [
        (parts.left_out > 0, LeftOut::Parts),
        (attachments_left_out, LeftOut::Attachments),
        (body.is_cut, LeftOut::Text),
        (body.html_left_out, LeftOut::Html),
        (to.count > to.people.len() && to.people.len() >= RECIPIENTS_MAX, LeftOut::Recipients),
    ];
    Ok(Incoming {
        message_id: fields.first("message-id").and_then(ids::first),
        in_reply_to: fields.first("in-reply-to").map(ids::all).unwrap_or_default(),
        references: fields.first("references").map(ids::all).unwrap_or_default(),
        reply_to: fields.first("reply-to").and_then(address::first),
        from,
        to,
        delivered_to: delivered_to(fields, envelope),
        sent_at: fields.first("date").and_then(date),
        split: quote::split(&body.text, subject::is_forward(&subject)),
        subject,
        text: body.text,
        html: body.html,
        attachments,
        automatic,
        suppresses: automatic::suppresses(fields),
        bounce,
        verdict: Verdict::read(fields.all("authentication-results"), trusted),
        left_out: left_out.into_iter().filter(|it| it.0).map(|it| it.1).collect(),
    })
}

/// The Message-ID of a mail, without reading the rest of it.
pub fn message_id(raw: &[u8]) -> Option<String> {
    field::read(raw).0.first("message-id").and_then(ids::first)
}

fn sender(fields: &Fields, return_path: Option<&str>) -> Option<Person> {
    let named = ["from", "sender"].into_iter().filter_map(|it| fields.first(it));
    named
        .filter_map(address::first)
        .next()
        .or_else(|| Some(Person { email: email(return_path?)?, name: String::new() }))
}

fn recipients(fields: &Fields) -> Recipients {
    let mut all = Recipients::default();
    for field in fields.all("to").chain(fields.all("cc")).take(RECIPIENTS_MAX) {
        let (people, count) = address::list(field, RECIPIENTS_MAX);
        all.count += count;
        for it in people {
            let is_new = !all.people.iter().any(|other| other.email == it.email);
            if is_new && all.people.len() < RECIPIENTS_MAX {
                all.people.push(it);
            }
        }
    }
    all
}

fn delivered_to(fields: &Fields, envelope: &Envelope) -> Vec<String> {
    let noted = ["delivered-to", "x-original-to", "envelope-to", "x-forwarded-to"];
    let noted = noted.into_iter().flat_map(|it| fields.all(it));
    let mut all: Vec<String> = Vec::new();
    for it in envelope.to.iter().map(String::as_str).chain(noted).filter_map(email) {
        if all.len() < DELIVERED_MAX && !all.contains(&it) {
            all.push(it);
        }
    }
    all
}

fn date(field: &str) -> Option<Timestamp> {
    let text = format!("{field}\n");
    let HeaderValue::DateTime(it) = MessageStream::new(text.as_bytes()).parse_date() else {
        return None;
    };
    let is_fit = it.is_valid() && (1971..=9000).contains(&it.year);
    is_fit.then(|| Timestamp(it.to_timestamp().saturating_mul(1000)))
}

/// The files of a mail, and whether there are more than are kept.
fn attachments(raw: &[u8], parts: &Parts, body: &body::Body) -> (Vec<Attachment>, bool) {
    let mut all: Vec<Attachment> = Vec::new();
    let files = parts.all.iter().enumerate().filter(|(number, part)| {
        let is_said = body.of.contains(number) && !body.broken.contains(number);
        let is_empty = raw.get(part.body.clone()).is_none_or(|it| it.trim_ascii().is_empty());
        // The same text once more, for programs that show pages of it.
        let is_amp = part.kind.word == "text/x-amp-html";
        let is_nothing = is_empty && part.disposition.word.is_empty();
        !(is_said || is_amp || is_nothing)
    });
    let mut left_out = false;
    for (number, part) in files {
        if all.len() >= ATTACHMENTS_MAX {
            left_out = true;
            break;
        }
        let mut file = attachment(raw, part, number + 1);
        let plain = file.name.clone();
        let mut copies = 1;
        while all.iter().any(|it| it.name.eq_ignore_ascii_case(&file.name)) {
            copies += 1;
            file.name = name::numbered(&plain, copies);
        }
        all.push(file);
    }
    (all, left_out)
}

fn attachment(raw: &[u8], part: &Part, number: usize) -> Attachment {
    let (decoded, is_good) = part.encoding.decode(raw.get(part.body.clone()).unwrap_or_default());
    let media_type = match part.is_too_deep {
        true => "application/octet-stream",
        false => part.kind.word.as_str(),
    };
    let given = part.disposition.parameter("filename").or_else(|| part.kind.parameter("name"));
    let enclosed = given.is_none() && media_type == "message/rfc822";
    let title = enclosed.then(|| {
        let (fields, _) = field::read(decoded.trim_ascii_start());
        let subject = fields.first("subject").map(words::decode).unwrap_or_default();
        // A subject is no path: what looks like one in it is not taken apart.
        let subject = name::safe(&subject.replace(['/', '\\'], "-"));
        Some(subject).filter(|it| !it.is_empty()).map(|it| format!("{it}.eml"))
    });
    let title = title.flatten();
    let content_id = part.fields.first("content-id").and_then(ids::first);
    Attachment {
        name: name::safe_or(given.or(title.as_deref()), number, media_type),
        media_type: media_type_of(media_type),
        inline: content_id.is_some() && part.disposition.word != "attachment",
        content_id: content_id.filter(|it| it.len() <= WORD_BYTES_MAX),
        broken: !is_good || part.is_too_deep,
        size: decoded.len(),
        at: part.body.clone(),
        encoding: part.encoding,
    }
}

/// A media type that may stand in a header of ours.
fn media_type_of(word: &str) -> String {
    let is_fit = word.len() <= WORD_BYTES_MAX
        && word.split('/').count() == 2
        && word.split('/').all(|it| {
            !it.is_empty()
                && it.bytes().all(|it| it.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&it))
        });
    if is_fit { word.to_owned() } else { "application/octet-stream".to_owned() }
}

/// The mails of the corpus, for tests of what takes them in.
#[cfg(test)]
pub fn corpus_of_tests() -> Vec<Vec<u8>> {
    corpus::all().into_iter().map(|it| it.raw).collect()
}

#[cfg(test)]
mod tests;
