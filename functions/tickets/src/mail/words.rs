//! Encoded words, RFC 2047: text beyond ASCII in a field.
//!
//! The library decodes each word by itself; there are mails in which a letter is half in one word
//! and half in the next, so their bytes are put together first.

use super::{charset, encoding};

/// The longest encoded word that is read as one, in bytes. RFC 2047 allows 75; some write a whole
/// subject as one.
const WORD_BYTES_MAX: usize = 2 * 1024;

/// A piece of a field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece<'a> {
    /// As it stands there.
    Plain(&'a str),
    /// What an encoded word, or several in a row, say.
    Word(String),
}

/// What a field says.
pub fn decode(field: &str) -> String {
    let pieces = pieces(field);
    pieces.iter().map(|it| if let Piece::Word(it) = it { it } else { plain(it) }).collect()
}

fn plain<'a>(piece: &'a Piece<'_>) -> &'a str {
    if let Piece::Plain(it) = piece { it } else { "" }
}

/// The pieces of a field. White space between two encoded words is none (RFC 2047, section 6.2).
pub fn pieces(field: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut run = Run::default();
    let mut rest = field;
    // Where plain text began that is not in `pieces` yet.
    let mut plain = field;
    while let Some(at) = rest.find("=?") {
        let (_, from) = rest.split_at(at);
        let Some((word, after)) = parse(from) else {
            rest = from.get(2..).unwrap_or_default();
            continue;
        };
        let between = plain.get(..plain.len() - from.len()).unwrap_or_default();
        if !between.trim().is_empty() || run.is_empty() {
            run.flush(&mut pieces);
            if !between.is_empty() {
                pieces.push(Piece::Plain(between));
            }
        }
        run.push(&mut pieces, word);
        (rest, plain) = (after, after);
    }
    run.flush(&mut pieces);
    if !plain.is_empty() {
        pieces.push(Piece::Plain(plain));
    }
    pieces
}

/// Words in a row of one charset.
#[derive(Default)]
struct Run<'a> {
    charset: &'a str,
    bytes: Vec<u8>,
    is_open: bool,
}

impl<'a> Run<'a> {
    fn is_empty(&self) -> bool {
        !self.is_open
    }

    fn push(&mut self, pieces: &mut Vec<Piece<'_>>, word: Word<'a>) {
        // Each word of ISO-2022-JP ends in ASCII; put together they are the same text.
        if !self.charset.eq_ignore_ascii_case(word.charset) {
            self.flush(pieces);
        }
        self.charset = word.charset;
        self.bytes.extend_from_slice(&word.bytes);
        self.is_open = true;
    }

    fn flush(&mut self, pieces: &mut Vec<Piece<'_>>) {
        if std::mem::take(&mut self.is_open) {
            let bytes = std::mem::take(&mut self.bytes);
            let text = charset::text(&bytes, Some(self.charset));
            let text = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
            pieces.push(Piece::Word(text));
        }
    }
}

struct Word<'a> {
    charset: &'a str,
    bytes: Vec<u8>,
}

/// The encoded word that `text` begins with, and what follows it.
fn parse(text: &str) -> Option<(Word<'_>, &str)> {
    let rest = text.strip_prefix("=?")?;
    let window = rest.as_bytes().get(..WORD_BYTES_MAX.min(rest.len()))?;
    let charset_end = window.iter().take(64).position(|it| *it == b'?')?;
    let charset = rest.get(..charset_end)?;
    if charset.is_empty() || !charset.bytes().all(|it| it.is_ascii_graphic()) {
        return None;
    }
    let kind = *window.get(charset_end + 1)?;
    if window.get(charset_end + 2) != Some(&b'?') {
        return None;
    }
    let from = charset_end + 3;
    let end = window.get(from..)?.windows(2).position(|it| it == b"?=")? + from;
    let (inside, after) = (rest.get(from..end)?, rest.get(end + 2..)?);
    let bytes = match kind {
        b'b' | b'B' => encoding::base64_leniently(inside.as_bytes()),
        b'q' | b'Q' => encoding::quoted(&inside.replace('_', " ").into_bytes()),
        _ => return None,
    };
    // RFC 2231, section 5: a language may follow the charset.
    let charset = charset.split('*').next().unwrap_or(charset);
    Some((Word { charset, bytes }, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_decoded() {
        for (field, says) in [
            ("plain", "plain"),
            ("=?utf-8?q?Caf=C3=A9_noir?=", "Café noir"),
            ("Re: =?ISO-8859-1?Q?=E9t=E9?= done", "Re: été done"),
            ("=?UTF-8?B?w6k=?= =?utf-8?b?w6g=?=", "éè"),
            ("=?iso-2022-jp?B?GyRCJU8lbSE8GyhC?=", "ハロー"),
            ("=?utf-8*en?q?a?= b", "a b"),
            ("=?utf-8?x?a?= =?utf-8?q?b", "=?utf-8?x?a?= =?utf-8?q?b"),
            ("=?utf-8?q??=", ""),
            ("a =?utf-8?q?b?=c", "a bc"),
        ] {
            assert_eq!(decode(field), says, "{field}");
        }
    }

    #[test]
    fn a_letter_that_is_cut_in_two_is_one() {
        assert_eq!(decode("=?utf-8?B?w6nD?= =?utf-8?B?qA==?="), "éè");
        assert_eq!(decode("=?utf-8?Q?=E3=83?=\r\n =?UTF-8?Q?=8F?="), "ハ");
    }

    #[test]
    fn line_breaks_in_a_word_are_spaces() {
        assert_eq!(decode("=?utf-8?q?a=0D=0ABcc:_b?="), "a  Bcc: b");
    }

    #[test]
    fn many_beginnings_without_an_end_take_no_time() {
        let field = "=?utf-8?q?a ".repeat(100_000);
        assert_eq!(decode(&field), field);
    }

    proptest! {
        #[test]
        fn no_field_panics(field in "(=\\?|\\?=|utf-8|\\?q\\?|\\?b\\?|[a-z =é?]){0,40}") {
            decode(&field);
        }
    }
}
