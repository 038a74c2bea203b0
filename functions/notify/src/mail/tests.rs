//! What a mail is when somebody else reads it.

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
    mime_of(subject, text, html, name, files, None)
}

fn mime_of(
    subject: &str,
    text: &str,
    html: &str,
    name: &str,
    files: &[File],
    thread: Option<&Thread>,
) -> Vec<u8> {
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
        thread,
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

#[test]
fn a_mail_of_a_thread_says_what_it_answers() {
    let ids: Vec<_> = (0..20).map(|it| format!("{it}.{}@example.com", "a".repeat(230))).collect();
    let thread = Thread {
        message_id: Some("tmg_1@example.com".to_owned()),
        in_reply_to: vec!["odd".to_owned(), "b@c".to_owned()],
        references: ids.clone(),
        person: true,
        ..Thread::default()
    };

    let bytes = mime_of("S", "T", "<p>T</p>", "N", &[], Some(&thread));

    let mail = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(mail.message_id(), Some("tmg_1@example.com"));
    assert_eq!(mail.in_reply_to().as_text_list().unwrap(), ["odd", "b@c"]);
    assert_eq!(mail.references().as_text_list().unwrap(), ids);
    assert!(mail.header("Auto-Submitted").is_none(), "a person wrote it");
    let longest = bytes.split(|it| *it == b'\n').map(<[u8]>::len).max().unwrap();
    assert!(longest <= 998 + 1, "RFC 5322, 2.1.1: {longest}");
    let alone = mime_of("S", "T", "<p>T</p>", "N", &[], Some(&Thread::default()));
    assert_eq!(alone, mime("S", "T", "<p>T</p>", "N"), "nothing of a thread changes nothing");
    assert!(String::from_utf8(alone).unwrap().contains("Auto-Submitted: auto-generated"));
}

#[test]
fn a_file_that_the_words_show_is_among_them() {
    let logo = File { kind: "image/png".to_owned(), ..file("Logo Ä.png", "", &[0, 255, 10]) };
    let files = [file("a.pdf", "application/pdf", b"a"), logo];
    let html = "<p><img src=\"cid:Logo%20%C3%84.png\"></p>";

    let bytes = mime_with("S", "Text", html, "N", &files);

    let mail = MessageParser::default().parse(&bytes).unwrap();
    let shape = |it: &mail_parser::MessagePart<'_>| {
        let kind = it.content_type().unwrap();
        format!("{}/{}", kind.ctype(), kind.subtype().unwrap())
    };
    let shapes: Vec<_> = mail.parts.iter().map(shape).collect();
    assert_eq!(
        shapes,
        [
            "multipart/mixed",
            "multipart/alternative",
            "text/plain",
            "multipart/related",
            "text/html",
            "image/png",
            "application/pdf"
        ]
    );
    let image = &mail.parts[5];
    assert_eq!(image.content_id(), Some("1.dlv_1@inline.invalid"));
    assert!(image.content_disposition().unwrap().is_inline());
    assert_eq!(image.attachment_name(), Some("Logo Ä.png"));
    assert_eq!(image.contents(), files[1].bytes);
    assert!(mail.body_html(0).unwrap().contains("src=\"cid:1.dlv_1@inline.invalid\""));
    assert!(mail.parts[6].content_disposition().unwrap().is_attachment());
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
