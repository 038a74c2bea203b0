//! Transfer encodings, RFC 2045, section 6. Broken ones are read as far as they can be.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;

/// How a part is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Encoding {
    /// As it is.
    #[default]
    Identity,
    /// Sixty-four letters.
    Base64,
    /// ASCII, with the rest in hexadecimal.
    QuotedPrintable,
    /// By something that nobody knows.
    Unknown,
}

impl Encoding {
    /// What `Content-Transfer-Encoding` says.
    pub fn parse(field: &str) -> Self {
        let word = field.split([';', ' ', '(']).next().unwrap_or("").trim();
        match word.to_ascii_lowercase().as_str() {
            "" | "7bit" | "8bit" | "binary" | "7-bit" | "8-bit" => Self::Identity,
            "base64" => Self::Base64,
            "quoted-printable" => Self::QuotedPrintable,
            _ => Self::Unknown,
        }
    }

    /// What is written, and whether it was written as it should be. What is broken is given as it
    /// stands there.
    pub fn decode(self, raw: &[u8]) -> (Cow<'_, [u8]>, bool) {
        match self {
            Self::Identity => (Cow::Borrowed(raw), true),
            Self::Unknown => (Cow::Borrowed(raw), false),
            Self::QuotedPrintable => (Cow::Owned(quoted(raw)), true),
            Self::Base64 => match base64(raw) {
                Some(it) => (Cow::Owned(it), true),
                None => (Cow::Borrowed(raw), false),
            },
        }
    }

    /// As [`Encoding::decode`], for a text: of what is broken as much as can be read.
    pub fn decode_text(self, raw: &[u8]) -> (Cow<'_, [u8]>, bool) {
        match self {
            Self::Base64 => match base64(raw) {
                Some(it) => (Cow::Owned(it), true),
                None => (Cow::Owned(base64_leniently(raw)), false),
            },
            _ => self.decode(raw),
        }
    }
}

/// Base64 that is nothing else. What follows its end, as a line of a list's software, is no part.
fn base64(raw: &[u8]) -> Option<Vec<u8>> {
    let is_known = |it: &u8| {
        it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/' | b'=') || it.is_ascii_whitespace()
    };
    if !raw.iter().all(is_known) {
        return None;
    }
    let letters = raw.iter().filter(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/'));
    // One letter more than whole bytes need was cut off in the middle of one.
    if letters.count() % 4 == 1 {
        return None;
    }
    base64_decode(raw)
}

/// Base64 whose strange letters mean nothing, as RFC 2045 says: never fails.
pub fn base64_leniently(raw: &[u8]) -> Vec<u8> {
    let mut letters: Vec<u8> = raw
        .iter()
        .copied()
        .filter(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/'))
        .collect();
    letters.truncate(letters.len() - usize::from(letters.len() % 4 == 1));
    base64_decode(&letters).unwrap_or_default()
}

/// Quoted-printable. What is none is left as it stands there, as RFC 2045, section 6.7, advises.
pub fn quoted(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((first, after)) = rest.split_first() {
        if *first != b'=' {
            out.push(*first);
            rest = after;
            continue;
        }
        let soft = soft_break(after);
        match (soft, after) {
            (Some(it), _) => rest = it,
            (None, [high, low, more @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let digit = |it: u8| hex(it).unwrap_or_default();
                out.push(digit(*high) * 16 + digit(*low));
                rest = more;
            }
            _ => {
                out.push(b'=');
                rest = after;
            }
        }
    }
    out
}

/// What follows when a line goes on: `=`, white space and the end of the line.
fn soft_break(after: &[u8]) -> Option<&[u8]> {
    let blanks = after.iter().take(80).take_while(|it| matches!(it, b' ' | b'\t' | b'\r')).count();
    let rest = after.get(blanks..)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"\n") }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_printable_is_read_as_far_as_it_is_that() {
        for (raw, says) in [
            (&b"caf=C3=A9"[..], "café"),
            (b"a=\r\nb", "ab"),
            (b"a=  \nb", "ab"),
            (b"100% = sure =zz =", "100% = sure =zz "),
            (b"=c3=a9", "é"),
            (b"=C", "=C"),
        ] {
            assert_eq!(String::from_utf8_lossy(&quoted(raw)), says);
        }
    }

    #[test]
    fn broken_base64_is_told_apart() {
        assert_eq!(Encoding::Base64.decode(b"aGk=\r\n"), (Cow::Borrowed(&b"hi"[..]), true));
        assert_eq!(Encoding::Base64.decode(b"aGk"), (Cow::Borrowed(&b"hi"[..]), true));
        assert_eq!(Encoding::Base64.decode(b"aG!k="), (Cow::Borrowed(&b"aG!k="[..]), false));
        assert_eq!(Encoding::Base64.decode_text(b"aG!k="), (Cow::Borrowed(&b"hi"[..]), false));
        assert!(!Encoding::Base64.decode(b"aGkaa").1);
        assert!(Encoding::Base64.decode(b"").1);
    }
}
