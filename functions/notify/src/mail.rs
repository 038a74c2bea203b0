//! E-mail as it goes out: MIME, always with a part in plain text. Pure.
//!
//! Time, the id and the boundary are given, so the same mail is the same bytes, whenever it is
//! tried again.

use mail_builder::{
    MessageBuilder,
    headers::{address::Address as HeaderAddress, content_type::ContentType, raw::Raw},
    mime::{BodyPart, MimePart},
};
use serde::{Deserialize, Serialize};
use shared::domain::{Id, Timestamp};
use url::Url;

use crate::{address::Address, files::File, template::Rendered};

/// An e-mail to one recipient.
#[derive(Clone, Debug)]
pub struct Mail<'a> {
    /// What it is known by: its `Message-ID` is made of it.
    pub id: &'a Id,
    /// Whose it is.
    pub from: &'a Mailbox,
    /// Who reads it.
    pub to: &'a Mailbox,
    /// Where answers go, if not there.
    pub reply_to: Option<&'a Address>,
    /// When it was made.
    pub at: Timestamp,
    /// Its words.
    pub words: &'a Rendered,
    /// Where one click ends it (RFC 8058). `None` for what is sent whatever anybody says.
    pub unsubscribe: Option<&'a Url>,
    /// What it carries.
    pub files: &'a [File],
}

/// Who sends or reads a mail.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mailbox {
    /// As it is shown.
    pub name: Option<String>,
    /// Where it is.
    pub address: Address,
}

impl Mail<'_> {
    /// Its `Message-ID`, without the angle brackets: of the same mail it is the same.
    pub fn message_id(&self) -> String {
        format!("{}@{}", self.id, self.from.address.domain())
    }

    /// The headers that say how to end it: RFC 2369 and RFC 8058.
    pub fn unsubscribe_headers(&self) -> Vec<(&'static str, String)> {
        self.unsubscribe.map_or_else(Vec::new, |url| {
            vec![
                ("List-Unsubscribe", format!("<{url}>")),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()),
            ]
        })
    }

    /// All headers that are ours and no provider's, for the APIs that make the mail themselves.
    pub fn own_headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("Message-ID", format!("<{}>", self.message_id())),
            // RFC 3834: no machine is to answer it.
            ("Auto-Submitted", "auto-generated".to_owned()),
        ];
        headers.extend(self.unsubscribe_headers());
        headers
    }

    /// The mail by RFC 5322 and RFC 2045: `multipart/alternative`, plain text first; with files that
    /// in `multipart/mixed`, before them.
    pub fn to_mime(&self) -> Vec<u8> {
        let (html, text) = (self.page(), self.words.text.as_str());
        let parts = vec![
            MimePart::new("text/plain", BodyPart::Text(text.into())),
            MimePart::new("text/html", BodyPart::Text(html.as_str().into())),
        ];
        // The id has 80 bits of chance that whoever wrote the words did not know. None of the two
        // boundaries begins with the other.
        let words = multipart("multipart/alternative", format!("=_{}", self.id), parts);
        let files = self.files.iter().map(|it| {
            let bytes = BodyPart::Binary(it.bytes.as_slice().into());
            MimePart::new(it.kind.as_str(), bytes).attachment(it.name.as_str())
        });
        let body = match self.files {
            [] => words,
            _ => {
                let parts = std::iter::once(words).chain(files).collect();
                multipart("multipart/mixed", format!("=-{}", self.id), parts)
            }
        };
        let message = MessageBuilder::new()
            .from(shown(self.from))
            .to(shown(self.to))
            .subject(self.words.subject.as_str())
            .date(self.at.seconds())
            .message_id(self.message_id())
            // RFC 3834: no machine is to answer it.
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .body(body);
        let message = match self.reply_to {
            Some(it) => message.reply_to(it.as_str()),
            None => message,
        };
        let headers = self.unsubscribe_headers().into_iter();
        let message = headers.fold(message, |it, (name, value)| it.header(name, Raw::new(value)));
        let mut out = Vec::new();
        message.serialize(&mut out);
        out
    }

    /// Its words as a page. `dir="auto"`: a text that begins from the right is shown from there.
    pub fn page(&self) -> String {
        let body = &self.words.html;
        // A tag has letters, digits and hyphens.
        let language = self.words.language.as_ref().map(|it| format!(" lang=\"{it}\""));
        let language = language.unwrap_or_default();
        format!("<!doctype html>\n<html{language}>\n<body dir=\"auto\">\n{body}</body>\n</html>\n")
    }
}

impl Mailbox {
    /// The name without controls; one without anything that shows is none.
    pub fn plain_name(&self) -> Option<String> {
        let plain = |it: &String| it.chars().filter(|it| !it.is_control()).collect::<String>();
        self.name.as_ref().map(plain).filter(|it| !it.trim().is_empty())
    }
}

fn multipart<'a>(kind: &'a str, boundary: String, parts: Vec<MimePart<'a>>) -> MimePart<'a> {
    let kind = ContentType::new(kind).attribute("boundary", boundary);
    MimePart::new(kind, BodyPart::Multipart(parts))
}

/// As a header has it.
fn shown(it: &Mailbox) -> HeaderAddress<'static> {
    HeaderAddress::new_address(it.plain_name(), it.address.to_string())
}

#[cfg(test)]
mod tests {
    use mail_parser::{HeaderValue, MessageParser, MimeHeaders as _};
    use proptest::prelude::*;

    use super::*;

    fn mailbox(name: &str, address: &str) -> Mailbox {
        Mailbox { name: Some(name.to_owned()), address: Address::parse(address).unwrap() }
    }

    fn mime(subject: &str, text: &str, html: &str, name: &str) -> Vec<u8> {
        mime_with(subject, text, html, name, &[])
    }

    fn mime_with(subject: &str, text: &str, html: &str, name: &str, files: &[File]) -> Vec<u8> {
        let url = "https://example.com/unsubscribe?token=a_b".parse().unwrap();
        let words = Rendered {
            language: Some("de".into()),
            subject: subject.into(),
            text: text.into(),
            html: html.into(),
        };
        let mail = Mail {
            id: &Id::trusted("dlv_1".to_owned()),
            from: &mailbox(name, "news@example.com"),
            to: &mailbox("Ada", "ada@example.org"),
            reply_to: Some(&Address::parse("help@example.com").unwrap()),
            at: Timestamp::parse("2030-01-31T12:00:00Z").unwrap(),
            words: &words,
            unsubscribe: Some(&url),
            files,
        };
        let bytes = mail.to_mime();
        assert_eq!(bytes, mail.to_mime(), "the same mail is the same bytes");
        bytes
    }

    #[test]
    fn a_mail_reads_back_by_another_library() {
        let bytes = mime("Grüße, Ada", "Hallo\nÄda", "<p>Hallo</p>", "Müller, Inc.");
        let mail = MessageParser::default().parse(&bytes).unwrap();

        assert_eq!(mail.subject(), Some("Grüße, Ada"));
        assert_eq!(mail.body_text(0).unwrap().trim(), "Hallo\r\nÄda");
        assert!(mail.body_html(0).unwrap().contains("<p>Hallo</p>"));
        assert!(mail.body_html(0).unwrap().contains("<html lang=\"de\">"));
        assert_eq!(mail.from().unwrap().first().unwrap().name(), Some("Müller, Inc."));
        assert_eq!(mail.to().unwrap().first().unwrap().address(), Some("ada@example.org"));
        assert_eq!(mail.reply_to().unwrap().first().unwrap().address(), Some("help@example.com"));
        assert_eq!(mail.message_id(), Some("dlv_1@example.com"));
        assert_eq!(mail.date().unwrap().to_rfc3339(), "2030-01-31T12:00:00Z");
        let post = mail.header("List-Unsubscribe-Post").cloned().map(HeaderValue::into_owned);
        assert_eq!(post.unwrap().as_text(), Some("List-Unsubscribe=One-Click"));
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains("<https://example.com/unsubscribe?token=a_b>"), "{text}");
    }

    fn file(name: &str, kind: &str, bytes: &[u8]) -> File {
        File { name: name.to_owned(), kind: kind.to_owned(), bytes: bytes.to_vec() }
    }

    #[test]
    fn files_come_after_the_words_to_the_byte() {
        let all: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        let lines = b"a\r\n--=_dlv_1\n--=-dlv_1--\r\n.\n";
        let files =
            [file("Rechnung Ä 1.pdf", "application/pdf", &all), file("b.csv", "text/csv", lines)];

        let bytes = mime_with("S", "Text", "<p>Html</p>", "N", &files);

        let mail = MessageParser::default().parse(&bytes).unwrap();
        assert_eq!(mail.body_text(0).unwrap().trim(), "Text");
        assert!(mail.body_html(0).unwrap().contains("<p>Html</p>"));
        let found: Vec<_> = mail.attachments().collect();
        assert_eq!(found.len(), 2);
        for (found, file) in found.iter().zip(&files) {
            assert_eq!(found.contents(), file.bytes);
            assert_eq!(found.attachment_name(), Some(file.name.as_str()));
            let kind = found.content_type().unwrap();
            let kind = format!("{}/{}", kind.ctype(), kind.subtype().unwrap());
            assert_eq!(kind, file.kind);
        }
    }

    proptest! {
        #[test]
        fn no_file_ends_its_part(
            name in "[^\\x00-\\x1f\\x7f/\\\\\"]{1,80}",
            bytes in prop::collection::vec(any::<u8>(), 0..3_000),
        ) {
            let files = [file(&name, "application/pdf", &bytes)];

            let bytes = mime_with("S", "T", "<p>T</p>", "N", &files);

            let mail = MessageParser::default().parse(&bytes).unwrap();
            let found: Vec<_> = mail.attachments().collect();
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(found[0].contents(), files[0].bytes.as_slice());
            let longest = bytes.split(|it| *it == b'\n').map(<[u8]>::len).max().unwrap();
            prop_assert!(longest <= 998 + 1, "RFC 5322, 2.1.1: {}", longest);
        }

        #[test]
        fn nothing_in_a_mail_makes_a_header_or_a_part(
            subject in "[ -~é]{1,100}",
            text in "([ -~é]|\n){1,300}",
            name in ".{0,30}",
        ) {
            let bytes = mime(&subject, &text, &text, &name);
            let mail = MessageParser::default().parse(&bytes).unwrap();

            prop_assert_eq!(mail.parts.len(), 3);
            let names: Vec<_> = mail.headers().iter().map(|it| it.name().to_owned()).collect();
            prop_assert_eq!(names.len(), 11, "{:?}", names);
            let longest = bytes.split(|it| *it == b'\n').map(<[u8]>::len).max().unwrap();
            prop_assert!(longest <= 998 + 1, "RFC 5322, 2.1.1: {}", longest);
        }
    }
}
