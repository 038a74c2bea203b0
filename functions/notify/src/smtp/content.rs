//! The mail as it goes over the line (RFC 5321, 2.3.8 and 4.5.2). Pure.

/// The mail in lines that all end with CR LF, the last one too. No other mail can be made of one
/// by a lonely CR or LF, which servers do not read alike.
pub fn lines(mime: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mime.len() + 2);
    let mut bytes = mime.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' => {
                let _ = bytes.next_if_eq(&b'\n');
                out.extend(b"\r\n");
            }
            b'\n' => out.extend(b"\r\n"),
            other => out.push(other),
        }
    }
    if !out.ends_with(b"\r\n") {
        out.extend(b"\r\n");
    }
    out
}

/// The lines with a dot more where one begins with a dot, so that none of them is the end.
pub fn dotted(lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(lines.len() + 16);
    for line in lines.split_inclusive(|it| *it == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_line_ends_alike() {
        assert_eq!(lines(b"a\nb\rc\r\nd"), b"a\r\nb\r\nc\r\nd\r\n");
        assert_eq!(lines(b"a\r\r\n\nb\r\n"), b"a\r\n\r\n\r\nb\r\n");
        assert_eq!(lines(b""), b"\r\n");
    }

    #[test]
    fn a_dot_that_begins_a_line_is_doubled() {
        assert_eq!(dotted(b".\r\na.b\r\n..c\r\n"), b"..\r\na.b\r\n...c\r\n");
    }

    proptest! {
        #[test]
        fn no_mail_ends_before_its_end(mime in prop::collection::vec(
            prop::sample::select(b"a.\r\n\0".to_vec()), 0..60)) {
            let lines = lines(&mime);
            let mut sent = dotted(&lines);
            sent.extend(b".\r\n");

            // As a server reads it, whatever it takes for the end of a line.
            let text = String::from_utf8(sent).unwrap();
            let mut read = vec![];
            for line in text.split("\r\n") {
                if line == "." {
                    break;
                }
                prop_assert!(!line.contains(['\r', '\n']));
                read.push(line.strip_prefix('.').unwrap_or(line));
            }
            let read = read.join("\r\n") + "\r\n";
            prop_assert_eq!(read.as_bytes(), lines);
        }
    }
}
