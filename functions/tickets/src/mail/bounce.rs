//! Mail that says that mail did not arrive: delivery reports, RFC 3464, complaints, RFC 5965, and
//! what servers write that know neither.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    address,
    automatic::Automatic,
    charset,
    field::{self, Fields},
    ids,
    part::{Part, Parts},
};

/// How much of a report is read, in bytes.
const REPORT_BYTES_MAX: usize = 64 * 1024;
/// How many of its blocks are read.
const BLOCKS_MAX: usize = 100;
/// The longest explanation, in characters.
pub const WHY_CHARS_MAX: usize = 300;

/// What became of a mail.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MailFate)]
pub enum Fate {
    /// It will never arrive.
    Failed,
    /// It did not arrive yet, or could not at that time.
    Delayed,
    /// Its reader calls it spam.
    Complaint,
    /// It arrived, or was handed on.
    Delivered,
}

/// What a report says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = MailBounce)]
pub struct Bounce {
    /// What became of it.
    pub fate: Fate,
    /// The Message-ID of what is reported, where the report has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// To whom it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The status by RFC 3463: `5.1.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What the server said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What the subject of a report has in it that is no report by its type.
const SUBJECTS: &[&str] = &[
    "undelivered mail returned",
    "undeliverable",
    "undelivered",
    "delivery status notification",
    "delivery failure",
    "delivery failed",
    "mail delivery failed",
    "mail delivery system",
    "failure notice",
    "returned mail",
    "mail system error",
    "message not delivered",
    "could not be delivered",
    "delivery has failed",
    "delivery delayed",
    "warning: could not send",
    "unzustellbar",
    "nicht zugestellt",
    "non remis",
    "échec de la remise",
    "no se puede entregar",
    "mancato recapito",
    "onbestelbaar",
    "não foi possível entregar",
    "niedostarczon",
];

/// What is reported, if this is a report. `raw` is the mail, `text` what it says to people.
pub fn read(
    raw: &[u8],
    parts: &Parts,
    from: Option<&str>,
    subject: &str,
    automatic: Option<Automatic>,
    text: &str,
) -> Option<Bounce> {
    let is_report = parts.kind.word == "multipart/report";
    let report = |word: &str| parts.all.iter().find(|it| it.kind.word == word);
    if let Some(part) =
        report("message/delivery-status").or_else(|| report("message/global-delivery-status"))
    {
        return Some(of_status(raw, parts, part));
    }
    if let Some(part) = report("message/feedback-report") {
        return Some(of_feedback(raw, parts, part));
    }
    let by = from.and_then(|it| it.split('@').next()).unwrap_or("");
    let by_a_server = matches!(by, "mailer-daemon" | "postmaster" | "mail-daemon" | "mailerdaemon");
    let nobody = automatic == Some(Automatic::NoReturnPath);
    let lower = subject.to_lowercase();
    let says_so = SUBJECTS.iter().any(|it| lower.contains(it));
    let failed = parts.fields.first("x-failed-recipients").and_then(address::email);
    let kind = parts.kind.parameter("report-type").unwrap_or("");
    let is_receipt = is_report && kind.eq_ignore_ascii_case("disposition-notification");
    let is_one = failed.is_some() || says_so && (by_a_server || nobody || is_report);
    if !is_one || is_receipt {
        return None;
    }
    let delayed = ["delay", "warning", "temporar"].iter().any(|it| lower.contains(it));
    let status = status_in(text);
    let is_passing = status.as_deref().is_some_and(|it| it.starts_with('4'));
    Some(Bounce {
        fate: if delayed || is_passing { Fate::Delayed } else { Fate::Failed },
        of: original(raw, parts).or_else(|| id_in(text)).or_else(|| answered(&parts.fields)),
        recipient: failed,
        status,
        why: String::new(),
    })
}

fn of_status(raw: &[u8], parts: &Parts, part: &Part) -> Bounce {
    let blocks = blocks(&content(raw, part));
    let find = |name: &str| blocks.iter().find_map(|it| it.first(name).map(ToOwned::to_owned));
    let action = find("action").unwrap_or_default().to_ascii_lowercase();
    let status = find("status")
        .and_then(|it| Some(it.split_whitespace().next()?.to_owned()).filter(|it| is_status(it)));
    let class = status.as_deref().and_then(|it| it.chars().next());
    let fate = match (action.trim(), class) {
        ("delivered" | "relayed" | "expanded", _) => Fate::Delivered,
        ("delayed", _) | ("failed", Some('4')) => Fate::Delayed,
        ("", Some('2')) => Fate::Delivered,
        ("", Some('4')) => Fate::Delayed,
        _ => Fate::Failed,
    };
    let recipient = find("final-recipient").or_else(|| find("original-recipient"));
    // `rfc822; ada@example.com`
    let recipient = recipient.and_then(|it| address::email(it.rsplit(';').next()?));
    let why = find("diagnostic-code").unwrap_or_default();
    let why = why.split_once(';').map_or(why.as_str(), |it| it.1);
    Bounce {
        fate,
        of: original(raw, parts).or_else(|| answered(&parts.fields)),
        recipient,
        status,
        why: address::line(why, WHY_CHARS_MAX),
    }
}

fn of_feedback(raw: &[u8], parts: &Parts, part: &Part) -> Bounce {
    let blocks = blocks(&content(raw, part));
    let find = |name: &str| blocks.iter().find_map(|it| it.first(name).map(ToOwned::to_owned));
    Bounce {
        fate: Fate::Complaint,
        of: original(raw, parts),
        recipient: find("final-recipient").and_then(|it| address::email(it.rsplit(';').next()?)),
        status: None,
        why: address::line(&find("feedback-type").unwrap_or_default(), WHY_CHARS_MAX),
    }
}

fn content(raw: &[u8], part: &Part) -> Vec<u8> {
    let body = raw.get(part.body.clone()).unwrap_or_default();
    let body = body.get(..body.len().min(REPORT_BYTES_MAX)).unwrap_or_default();
    part.encoding.decode_text(body).0.into_owned()
}

/// The blocks of fields that a report is: one of the message, and one of each recipient.
fn blocks(content: &[u8]) -> Vec<Fields> {
    let mut blocks = Vec::new();
    let mut rest = content;
    for _ in 0..BLOCKS_MAX {
        if rest.is_empty() {
            break;
        }
        let (fields, end) = field::read(rest);
        if !fields.is_empty() {
            blocks.push(fields);
        }
        // A line that is no field ends nothing here.
        let next = end.max(field::line_end(rest, 0));
        rest = rest.get(next..).unwrap_or_default();
    }
    blocks
}

/// The Message-ID of the mail that the report encloses, or of its header.
fn original(raw: &[u8], parts: &Parts) -> Option<String> {
    const ENCLOSED: &[&str] =
        &["message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global"];
    let enclosed = parts.all.iter().filter(|it| ENCLOSED.contains(&it.kind.word.as_str()));
    enclosed.into_iter().find_map(|it| {
        let content = content(raw, it);
        // Some begin with an empty line.
        let (fields, _) = field::read(content.trim_ascii_start());
        ids::first(fields.first("message-id")?)
    })
}

/// What the report answers: some servers say so in place of enclosing it.
fn answered(fields: &Fields) -> Option<String> {
    let last = |name: &str| fields.first(name).and_then(|it| ids::all(it).pop());
    let named = fields.first("original-message-id").and_then(ids::first);
    named.or_else(|| last("in-reply-to")).or_else(|| last("references"))
}

/// The Message-ID in a text that has the header of what is reported in it.
fn id_in(text: &str) -> Option<String> {
    let line = text.lines().take(2_000).find_map(|it| {
        let it = it.trim_start_matches(['>', ' ', '|']);
        let (name, value) = it.split_once(':')?;
        name.trim().eq_ignore_ascii_case("message-id").then_some(value)
    })?;
    ids::first(line)
}

/// The first status by RFC 3463 in a text.
fn status_in(text: &str) -> Option<String> {
    let text = charset::text(text.as_bytes().get(..text.len().min(REPORT_BYTES_MAX))?, None);
    let mut words = text.split(|it: char| it.is_whitespace() || "()[]#,;:<>".contains(it));
    words.find(|it| is_status(it)).map(ToOwned::to_owned)
}

/// Whether it is a status: a class, a subject and a detail.
fn is_status(word: &str) -> bool {
    let numbers: Vec<_> = word.split('.').collect();
    let is_number =
        |it: &&str| (1..=3).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_digit());
    numbers.len() == 3
        && numbers.iter().all(is_number)
        && matches!(numbers.first(), Some(&("2" | "4" | "5")))
}
