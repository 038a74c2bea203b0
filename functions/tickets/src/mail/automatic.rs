//! Whether a person wrote a mail, or a program: RFC 3834, and what programs did before it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{field::Fields, kind::Kind};

/// Why a mail is thought to be written by a program.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MailAutomatic)]
pub enum Automatic {
    /// `Auto-Submitted: auto-replied`, or what programs before RFC 3834 said of themselves.
    Replied,
    /// `Auto-Submitted: auto-generated`, or another word than `no`.
    Generated,
    /// `Precedence: bulk`, `junk` or `list`.
    Precedence,
    /// It came by a mailing list.
    List,
    /// It is sent by nobody: an empty `Return-Path`.
    NoReturnPath,
    /// A receipt that it was read, RFC 8098.
    Receipt,
    /// Its subject says so.
    Subject,
    /// Nobody reads what is sent to its address.
    Sender,
}

impl Automatic {
    /// Whether it answers something by itself: it says nothing that somebody asks.
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Replied | Self::Receipt | Self::Subject)
    }
}

/// What the subject of an answer by a program begins with.
const SUBJECTS: &[&str] = &[
    "auto:",
    "auto reply",
    "auto-reply",
    "autoreply",
    "automatic reply",
    "automatische antwort",
    "automatisk svar",
    "automatiskt svar",
    "automatyczna odpowiedź",
    "abwesenheitsnotiz",
    "abwesend:",
    "out of office",
    "out of the office",
    "out-of-office",
    "réponse automatique",
    "absence du bureau",
    "respuesta automática",
    "risposta automatica",
    "resposta automática",
    "automatisch antwoord",
    "afwezig:",
    "autosvar",
    "fraværsmelding",
    "poissa:",
    "automaattinen vastaus",
    "автоответ",
    "自動返信",
    "不在通知",
    "自动回复",
    "自動回覆",
    "자동 회신",
];

/// Local parts that nobody reads.
const SENDERS: &[&str] = &[
    "mailer-daemon",
    "postmaster",
    "noreply",
    "no-reply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "do_not_reply",
    "bounce",
    "bounces",
    "autoresponder",
    "listserv",
    "majordomo",
];

/// Why a mail is thought to be automatic, the surest reason first, or `None` when a person wrote it
/// as far as can be told. `return_path` is the sender of the envelope; empty is nobody.
pub fn reason(
    fields: &Fields,
    kind: &Kind,
    subject: &str,
    from: Option<&str>,
    return_path: Option<&str>,
) -> Option<Automatic> {
    let submitted = fields.first("auto-submitted").map(word).filter(|it| it != "no");
    let is_report = kind.word == "multipart/report";
    let precedence = fields.first("precedence").map(word).unwrap_or_default();
    let lower = subject.trim().to_lowercase();
    let local = from.and_then(|it| it.split('@').next()).unwrap_or("");
    let local = local.split('+').next().unwrap_or("");
    let has = |name: &str| fields.first(name).is_some_and(|it| !matches!(&*word(it), "" | "no"));
    let reasons = [
        (
            is_report
                && kind
                    .parameter("report-type")
                    .is_some_and(|it| it.eq_ignore_ascii_case("disposition-notification")),
            Automatic::Receipt,
        ),
        (submitted.as_deref().is_some_and(|it| it.starts_with("auto-replied")), Automatic::Replied),
        (has("x-autoreply") || has("x-autorespond"), Automatic::Replied),
        (precedence == "auto_reply", Automatic::Replied),
        (SUBJECTS.iter().any(|it| lower.starts_with(it)), Automatic::Subject),
        (submitted.is_some(), Automatic::Generated),
        (fields.first("list-id").is_some(), Automatic::List),
        (matches!(&*precedence, "bulk" | "junk" | "list"), Automatic::Precedence),
        (
            return_path.is_some_and(|it| it.trim_matches(['<', '>', ' ']).is_empty()),
            Automatic::NoReturnPath,
        ),
        (SENDERS.contains(&local), Automatic::Sender),
    ];
    reasons.into_iter().find(|it| it.0).map(|it| it.1)
}

/// Whether its sender asks not to be answered by a program: `X-Auto-Response-Suppress`, which
/// Exchange writes. That alone does not say that a program wrote it.
pub fn suppresses(fields: &Fields) -> bool {
    fields.all("x-auto-response-suppress").any(|it| {
        it.split([',', ';', ' ']).any(|it| {
            matches!(&*it.to_ascii_lowercase(), "all" | "autoreply" | "oof" | "rn" | "nrn" | "dr")
        })
    })
}

/// The first word of a field, in lower case.
fn word(field: &str) -> String {
    field.trim().split([';', ' ', '(', ',']).next().unwrap_or("").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{super::field, *};

    fn of(header: &str) -> Option<Automatic> {
        let (fields, _) = field::read(format!("{header}\n\n").as_bytes());
        let kind = fields.first("content-type").map(Kind::parse).unwrap_or_default();
        let subject = fields.first("subject").unwrap_or("").to_owned();
        let from = fields.first("from").map(ToOwned::to_owned);
        reason(&fields, &kind, &subject, from.as_deref(), fields.first("return-path"))
    }

    #[test]
    fn programs_are_told_apart_from_people() {
        for (header, reason) in [
            ("Subject: Help", None),
            ("Auto-Submitted: no", None),
            ("Auto-Submitted: auto-replied (vacation)", Some(Automatic::Replied)),
            ("Auto-Submitted: Auto-Generated; owner-email=x", Some(Automatic::Generated)),
            ("X-Autoreply: yes", Some(Automatic::Replied)),
            ("X-Autorespond: no", None),
            ("Precedence: Bulk", Some(Automatic::Precedence)),
            ("Precedence: first-class", None),
            ("Precedence: auto_reply", Some(Automatic::Replied)),
            ("List-Id: <dev.example.com>\nPrecedence: list", Some(Automatic::List)),
            ("Return-Path: <>", Some(Automatic::NoReturnPath)),
            ("Return-Path: <a@b.example>", None),
            ("Subject: Automatische Antwort: Anfrage", Some(Automatic::Subject)),
            ("Subject: Out of office until Monday", Some(Automatic::Subject)),
            ("Subject: Is the auto-reply broken?", None),
            ("From: no-reply+1@example.com", Some(Automatic::Sender)),
            (
                "Content-Type: multipart/report; report-type=disposition-notification",
                Some(Automatic::Receipt),
            ),
        ] {
            assert_eq!(of(header), reason, "{header}");
        }
    }

    #[test]
    fn who_wants_no_answer_by_a_program_says_so() {
        let asks = |it: &str| suppresses(&field::read(it.as_bytes()).0);
        assert!(asks("X-Auto-Response-Suppress: DR, OOF, AutoReply\n\n"));
        assert!(asks("X-Auto-Response-Suppress: All\n\n"));
        assert!(!asks("X-Auto-Response-Suppress: none\n\n"));
    }
}
