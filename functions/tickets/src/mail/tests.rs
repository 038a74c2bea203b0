//! Mails that are larger, deeper and longer than any that somebody writes.

use std::time::{Duration, Instant};

use super::*;

fn read_quickly(raw: &[u8]) -> Incoming {
    #[expect(clippy::disallowed_methods, reason = "what is tested is how long it takes")]
    let start = Instant::now();
    let incoming = read(raw, &Envelope::default(), &[]).unwrap();
    // Hundreds of times what it takes; what is quadratic takes minutes.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    incoming
}

fn plain(raw: &str) -> Incoming {
    read(raw.as_bytes(), &Envelope::default(), &[]).unwrap()
}

#[test]
fn a_mail_that_is_too_large_is_refused() {
    let raw = vec![b'a'; MAIL_BYTES_MAX + 1];

    assert_eq!(read(&raw, &Envelope::default(), &[]).unwrap_err(), Refused::TooLarge);
    assert_eq!(read(b" \r\n", &Envelope::default(), &[]).unwrap_err(), Refused::Empty);
}

#[test]
fn messages_in_messages_do_not_fill_the_stack() {
    let nested = "Content-Type: message/rfc822\n\n".repeat(700_000);

    let incoming = read_quickly(nested.as_bytes());

    assert_eq!(incoming.attachments.len(), 1);
    assert!(incoming.attachments[0].name.ends_with(".eml"));
}

#[test]
fn multiparts_in_multiparts_end_somewhere() {
    let nested: String = (0..300_000)
        .map(|it| format!("Content-Type: multipart/mixed; boundary=b{it}\n\n--b{it}\n"))
        .collect();

    let incoming = read_quickly(nested.as_bytes());

    assert!(incoming.attachments[0].broken);
    let raw = nested.as_bytes();
    assert!(incoming.attachments[0].bytes(raw).starts_with(b"--b10\n"));
}

#[test]
fn boundaries_that_never_come_are_looked_for_once() {
    let part = |it: usize| format!("--a\nContent-Type: multipart/mixed; boundary=x{it}\n\nhello\n");
    let parts: String = (0..200_000).map(part).collect();

    let raw = format!("Content-Type: multipart/mixed; boundary=a\n\n{parts}--a--\n");
    let incoming = read_quickly(raw.as_bytes());

    assert_eq!(incoming.left_out, [LeftOut::Parts]);
}

#[test]
fn a_header_of_megabytes_is_read_past() {
    for junk in [
        "X: ",
        "Subject: ",
        "=?utf-8?q?",
        "To: a@b.c,",
        "References: <a@b>",
        "\n a",
        "\n\t=?",
        "To: (((((",
        "From: \"\\\"",
        "Content-Type: a/b;a=",
        "Content-Type: a/b; a*0*=",
        "Received: from ",
    ] {
        let start = if junk.starts_with('\n') { "" } else { "\n" };
        let junk = junk.repeat(2_000_000 / junk.len());
        let raw = format!("X-A: b{start}{junk}\nFrom: ada@example.com\n\nhello");

        let incoming = read_quickly(raw.as_bytes());

        // One of them says that it is a file.
        let said = incoming.attachments.first().map(|it| it.bytes(raw.as_bytes()).into_owned());
        let said = said.unwrap_or(incoming.text.into_bytes());
        assert_eq!(said, b"hello", "{}", raw.get(..40).unwrap());
    }
}

#[test]
fn ten_thousand_recipients_are_counted() {
    let all: String =
        (0..10_000).map(|it| format!("Person {it} <p{it}@example.com>,\r\n ")).collect();

    let incoming = read_quickly(format!("To: {all}x@example.com\r\n\r\nhello").as_bytes());

    assert_eq!(incoming.to.people.len(), RECIPIENTS_MAX);
    assert_eq!(incoming.to.count, 10_001);
    assert_eq!(incoming.left_out, [LeftOut::Recipients]);
}

#[test]
fn html_that_is_made_to_be_slow_is_read_as_text() {
    for html in [
        "<div>",
        "<b id=x>",
        "<a \"",
        "<p><b>",
        "&",
        "<blockquote></blockquote>",
        "<!--",
        "<table><tr><td>",
        "<script>",
        "< ",
        "<a title='",
        "<svg><math>",
        "<ul><li>",
    ] {
        let page = html.repeat(1_000_000 / html.len());

        read_quickly(format!("Content-Type: text/html\n\nhello{page}").as_bytes());
    }
}

#[test]
fn texts_of_megabytes_are_cut() {
    for line in ["> a\n", "On 5 a wrote:\n", "a", "\n", "From: a\n", "-- \n", "[", "t1."] {
        let raw = format!("Subject: a\n\nhello {}", line.repeat(20_000_000 / line.len()));

        let incoming = read_quickly(raw.as_bytes());

        assert!(incoming.text.len() <= body::TEXT_BYTES_MAX);
    }
}

#[test]
fn twenty_mebibytes_of_a_file_are_decoded() {
    let line = format!("{}\r\n", "QUFB".repeat(19));
    let file = line.repeat(20 * 1024 * 1024 / line.len());
    let raw = format!(
        "Content-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n{file}"
    );

    let incoming = read_quickly(raw.as_bytes());

    let attached = &incoming.attachments[0];
    assert_eq!((attached.name.as_str(), attached.broken), ("a.zip", false));
    assert_eq!(attached.size, 20 * 1024 * 1024 / line.len() * 57);
    assert_eq!(attached.bytes(raw.as_bytes()).len(), attached.size);
}

#[test]
fn many_attachments_have_names_of_their_own() {
    let part = "--a\nContent-Disposition: attachment; filename=a.txt\n\nx\n";
    let raw = format!("Content-Type: multipart/mixed; boundary=a\n\n{}", part.repeat(60));

    let incoming = plain(&raw);

    assert_eq!(incoming.attachments.len(), ATTACHMENTS_MAX);
    assert_eq!(incoming.attachments[1].name, "a (2).txt");
    assert_eq!(incoming.left_out, [LeftOut::Attachments]);
}

#[test]
fn dates_are_read_if_they_are_any() {
    let at = |it: &str| plain(&format!("Date: {it}\n\na")).sent_at;

    assert_eq!(at("Mon, 5 Jan 2026 09:00:00 +0100"), Some(Timestamp(1_767_600_000_000)));
    for none in ["yesterday", "", "Mon, 99 Jan 2026 09:00:00 +0100"] {
        assert_eq!(at(none), None, "{none}");
    }
}
