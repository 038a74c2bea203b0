//! E-mail as it goes out: MIME, always with a part in plain text. Pure.
//!
//! Time, the id and the boundary are given, so the same mail is the same bytes, whenever it is
//! tried again.

#[cfg(test)]
mod tests;

use mail_builder::{
    MessageBuilder,
    headers::{address::Address as HeaderAddress, content_type::ContentType, raw::Raw},
    mime::{BodyPart, MimePart},
};
use serde::{Deserialize, Serialize};
use shared::domain::{Address, Id, Timestamp};
use url::Url;

use crate::{
    files::File,
    inline::{self, Placed},
    template::Rendered,
    thread::Thread,
};

/// By which header a mail says that no machine is to answer it (RFC 3834).
const AUTO_SUBMITTED: &str = "Auto-Submitted";
/// What it says then.
const AUTOMATIC: &str = "auto-generated";

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
    /// How it stands among others.
    pub thread: Option<&'a Thread>,
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
        let given = self.thread.and_then(|it| it.message_id.clone());
        given.unwrap_or_else(|| format!("{}@{}", self.id, self.from.address.domain()))
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
        let mut headers = vec![("Message-ID", format!("<{}>", self.message_id()))];
        if self.is_automatic() {
            headers.push((AUTO_SUBMITTED, AUTOMATIC.to_owned()));
        }
        headers.extend(self.thread.map(Thread::headers).unwrap_or_default());
        headers.extend(self.unsubscribe_headers());
        headers
    }

    /// RFC 3834, 5: what a program writes says so, and what a person writes does not.
    fn is_automatic(&self) -> bool {
        !self.thread.is_some_and(|it| it.person)
    }

    /// The mail by RFC 5322 and RFC 2045: `multipart/alternative`, plain text first; the page in
    /// `multipart/related` with the files among its words (RFC 2387); with other files all of that
    /// in `multipart/mixed`, before them.
    pub fn to_mime(&self) -> Vec<u8> {
        let Placed { page, ids } = self.placed();
        let page = MimePart::new("text/html", BodyPart::Text(page.as_str().into()));
        let (mut inline, mut attached) = (Vec::new(), Vec::new());
        for (file, id) in self.files.iter().zip(ids) {
            match id {
                Some(id) => inline.push(shown_file(file).cid(id)),
                None => attached.push(part(file).attachment(file.name.as_str())),
            }
        }
        // The id has 80 bits of chance that whoever wrote the words did not know. None of the
        // boundaries begins with another.
        let page = match inline.is_empty() {
            true => page,
            false => {
                inline.insert(0, page);
                let kind = ContentType::new("multipart/related").attribute("type", "text/html");
                multipart(kind, format!("=+{}", self.id), inline)
            }
        };
        let text = MimePart::new("text/plain", BodyPart::Text(self.words.text.as_str().into()));
        let kind = ContentType::new("multipart/alternative");
        let words = multipart(kind, format!("=_{}", self.id), vec![text, page]);
        let body = match attached.is_empty() {
            true => words,
            false => {
                attached.insert(0, words);
                let kind = ContentType::new("multipart/mixed");
                multipart(kind, format!("=-{}", self.id), attached)
            }
        };
        let mut out = Vec::new();
        self.head().body(body).serialize(&mut out);
        out
    }

    fn head(&self) -> MessageBuilder<'_> {
        let mut head = MessageBuilder::new()
            .from(shown(self.from))
            .to(shown(self.to))
            .subject(self.words.subject.as_str())
            .date(self.at.seconds())
            .message_id(self.message_id());
        if self.is_automatic() {
            head = head.header(AUTO_SUBMITTED, Raw::new(AUTOMATIC));
        }
        if let Some(it) = self.reply_to {
            head = head.reply_to(it.as_str());
        }
        if let Some(it) = self.thread.filter(|it| !it.in_reply_to.is_empty()) {
            head = head.in_reply_to(it.in_reply_to.as_slice());
        }
        if let Some(it) = self.thread.filter(|it| !it.references.is_empty()) {
            head = head.references(it.references.as_slice());
        }
        let headers = self.unsubscribe_headers().into_iter();
        headers.fold(head, |it, (name, value)| it.header(name, Raw::new(value)))
    }

    /// Its words as a page, with the files that are among them. `dir="auto"`: a text that begins
    /// from the right is shown from there.
    pub fn placed(&self) -> Placed {
        let body = &self.words.html;
        // A tag has letters, digits and hyphens.
        let language = self.words.language.as_ref().map(|it| format!(" lang=\"{it}\""));
        let language = language.unwrap_or_default();
        let page = format!(
            "<!doctype html>\n<html{language}>\n<body dir=\"auto\">\n{body}</body>\n</html>\n"
        );
        inline::placed(&page, self.files, self.id)
    }
}

impl Mailbox {
    /// The name without controls; one without anything that shows is none.
    pub fn plain_name(&self) -> Option<String> {
        let plain = |it: &String| it.chars().filter(|it| !it.is_control()).collect::<String>();
        self.name.as_ref().map(plain).filter(|it| !it.trim().is_empty())
    }
}

fn multipart<'a>(
    kind: ContentType<'a>,
    boundary: String,
    parts: Vec<MimePart<'a>>,
) -> MimePart<'a> {
    MimePart::new(kind.attribute("boundary", boundary), BodyPart::Multipart(parts))
}

fn part(it: &File) -> MimePart<'_> {
    MimePart::new(it.kind.as_str(), BodyPart::Binary(it.bytes.as_slice().into()))
}

/// A file that is shown where the words refer to it (RFC 2183, 2.1).
fn shown_file(it: &File) -> MimePart<'_> {
    let shown = ContentType::new("inline").attribute("filename", it.name.as_str());
    part(it).header("Content-Disposition", shown)
}

/// As a header has it.
fn shown(it: &Mailbox) -> HeaderAddress<'static> {
    HeaderAddress::new_address(it.plain_name(), it.address.to_string())
}
