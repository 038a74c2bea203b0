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

use crate::{address::Address, template::Rendered};

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

    /// The mail by RFC 5322 and RFC 2045: `multipart/alternative`, plain text first.
    pub fn to_mime(&self) -> Vec<u8> {
        let (html, text) = (self.page(), self.words.text.as_str());
        let parts = vec![
            MimePart::new("text/plain", BodyPart::Text(text.into())),
            MimePart::new("text/html", BodyPart::Text(html.as_str().into())),
        ];
        // The id has 80 bits of chance that whoever wrote the words did not know.
        let boundary = format!("=_{}", self.id);
        let kind = ContentType::new("multipart/alternative").attribute("boundary", boundary);
        let message = MessageBuilder::new()
            .from(shown(self.from))
            .to(shown(self.to))
            .subject(self.words.subject.as_str())
            .date(self.at.seconds())
            .message_id(self.message_id())
            // RFC 3834: no machine is to answer it.
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .body(MimePart::new(kind, BodyPart::Multipart(parts)));
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
        format!("<!doctype html>\n<html>\n<body dir=\"auto\">\n{body}</body>\n</html>\n")
    }
}

impl Mailbox {
    /// The name without controls; one without anything that shows is none.
    pub fn plain_name(&self) -> Option<String> {
        let plain = |it: &String| it.chars().filter(|it| !it.is_control()).collect::<String>();
        self.name.as_ref().map(plain).filter(|it| !it.trim().is_empty())
    }
}

/// As a header has it.
fn shown(it: &Mailbox) -> HeaderAddress<'static> {
    HeaderAddress::new_address(it.plain_name(), it.address.to_string())
}

#[cfg(test)]
mod tests {
    use mail_parser::{HeaderValue, MessageParser};
    use proptest::prelude::*;

    use super::*;

    fn mailbox(name: &str, address: &str) -> Mailbox {
        Mailbox { name: Some(name.to_owned()), address: Address::parse(address).unwrap() }
    }

    fn mime(subject: &str, text: &str, html: &str, name: &str) -> Vec<u8> {
        let url = "https://example.com/unsubscribe?token=a_b".parse().unwrap();
        let words = Rendered { subject: subject.into(), text: text.into(), html: html.into() };
        let mail = Mail {
            id: &Id::trusted("dlv_1".to_owned()),
            from: &mailbox(name, "news@example.com"),
            to: &mailbox("Ada", "ada@example.org"),
            reply_to: Some(&Address::parse("help@example.com").unwrap()),
            at: Timestamp::parse("2030-01-31T12:00:00Z").unwrap(),
            words: &words,
            unsubscribe: Some(&url),
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

    proptest! {
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
