//! What a part says that it is: `Content-Type` and `Content-Disposition`, with the parameters of
//! RFC 2231, which may be in pieces and in another charset.
//!
//! The library reads these as well, but each piece by itself: a letter that two pieces share is
//! lost, and so is the charset of all pieces but the first.

use std::collections::BTreeMap;

use super::{charset, words};

/// How many parameters are read.
const PARAMETERS_MAX: usize = 64;
/// How much of a field is read, in bytes.
const KIND_BYTES_MAX: usize = 8 * 1024;
/// How many pieces a parameter has at most.
const PIECES_MAX: u32 = 99;

/// A word and its parameters.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Kind {
    /// The word in lower case: `text/plain`, `attachment`. Empty when there is none.
    pub word: String,
    parameters: BTreeMap<String, String>,
}

/// The pieces of a parameter.
#[derive(Default)]
struct Pieces {
    plain: Option<String>,
    /// By their numbers: whether it is percent-encoded, and what it says.
    numbered: BTreeMap<u32, (bool, String)>,
}

impl Kind {
    /// Reads a field. Never fails: what makes no sense is not there.
    pub fn parse(field: &str) -> Self {
        let end = field.char_indices().map(|it| it.0).find(|it| *it >= KIND_BYTES_MAX);
        let field = field.get(..end.unwrap_or(field.len())).unwrap_or_default();
        let mut items = split(field).into_iter();
        let word = items.next().unwrap_or_default();
        let word: String = word.chars().filter(|it| !it.is_whitespace()).collect();
        let mut pieces: BTreeMap<String, Pieces> = BTreeMap::new();
        for item in items.take(PARAMETERS_MAX) {
            let Some((name, value)) = item.split_once('=') else { continue };
            let name = name.trim().to_ascii_lowercase();
            let value = unquoted(value.trim());
            let mut marks = name.split('*');
            let base = marks.next().unwrap_or_default().to_owned();
            let of = pieces.entry(base).or_default();
            match (marks.next(), marks.next()) {
                (None, _) => of.plain = of.plain.take().or(Some(value)),
                (Some(""), _) => drop(of.numbered.insert(0, (true, value))),
                (Some(number), last) => {
                    if let Some(it) = number.parse().ok().filter(|it| *it <= PIECES_MAX) {
                        of.numbered.insert(it, (last.is_some(), value));
                    }
                }
            }
        }
        let parameters = pieces.into_iter().filter_map(|(name, it)| Some((name, it.join()?)));
        Self { word: word.to_ascii_lowercase(), parameters: parameters.collect() }
    }

    /// A parameter, by its name in lower case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// Whether it is a `multipart/…`.
    pub fn is_multipart(&self) -> bool {
        self.word.starts_with("multipart/")
    }
}

impl Pieces {
    fn join(self) -> Option<String> {
        if self.numbered.is_empty() {
            return self.plain.map(|it| words::decode(&it));
        }
        let mut bytes = Vec::new();
        let mut label = None;
        // The pieces count up from 0; what follows a gap belongs to nothing.
        for (expected, (number, (is_encoded, value))) in (0..).zip(self.numbered) {
            if number != expected {
                break;
            }
            let mut value = value.as_str();
            if number == 0
                && is_encoded
                && let Some((named, rest)) = value.split_once('\'')
                && let Some((_, text)) = rest.split_once('\'')
            {
                label = Some(named.to_owned());
                value = text;
            }
            match is_encoded {
                true => bytes.extend(percent_encoding(value.as_bytes())),
                false => bytes.extend_from_slice(value.as_bytes()),
            }
        }
        Some(charset::text(&bytes, label.as_deref()))
    }
}

fn percent_encoding(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digit = |it: &u8| char::from(*it).to_digit(16);
        if let (b'%', [high, low, more @ ..]) = (first, after)
            && let (Some(high), Some(low)) = (digit(high), digit(low))
        {
            out.push(u8::try_from(high * 16 + low).unwrap_or_default());
            rest = more;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// The items of a field between its semicolons, those in quotes left alone, comments left out.
fn split(field: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let (mut is_quoted, mut is_escaped, mut comments) = (false, false, 0_u32);
    for letter in field.chars() {
        let Some(item) = items.last_mut() else { break };
        match letter {
            _ if is_escaped => {
                is_escaped = false;
                item.push(letter);
            }
            '\\' if is_quoted => {
                is_escaped = true;
                item.push(letter);
            }
            '"' if comments == 0 => {
                is_quoted = !is_quoted;
                item.push(letter);
            }
            // A name of a file may have them and be in no quotes.
            '(' if !is_quoted && !item.contains('=') => comments += 1,
            ')' if !is_quoted && comments > 0 => comments -= 1,
            _ if comments > 0 => {}
            ';' if !is_quoted => items.push(String::new()),
            _ => item.push(letter),
        }
        if items.len() > PARAMETERS_MAX {
            break;
        }
    }
    items
}

/// What is in quotes. Only a quote and a backslash are escaped: there are programs that write
/// `"C:\docs\a.pdf"`.
fn unquoted(value: &str) -> String {
    let Some(inside) = value.strip_prefix('"') else { return value.to_owned() };
    let inside = inside.strip_suffix('"').unwrap_or(inside);
    inside.replace("\\\"", "\"").replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_read() {
        let kind = Kind::parse("Text/Plain (a comment); charset=\"utf-8\"; Format=flowed;; x");

        assert_eq!(kind.word, "text/plain");
        assert_eq!(kind.parameter("charset"), Some("utf-8"));
        assert_eq!(kind.parameter("format"), Some("flowed"));
        assert_eq!(kind.parameter("x"), None);
    }

    #[test]
    fn names_of_files_are_read_however_they_are_written() {
        for (field, name) in [
            ("attachment; filename=my file (1).pdf", "my file (1).pdf"),
            (r#"attachment; filename="a;b\"c.txt""#, "a;b\"c.txt"),
            (r#"attachment; filename="C:\docs\a.pdf""#, r"C:\docs\a.pdf"),
            ("attachment; filename*=utf-8'de'%C3%A4.txt; filename=x.txt", "ä.txt"),
            (
                "attachment; filename*0*=iso-8859-1''%E4; filename*1*=%F6; filename*2=\".txt\"",
                "äö.txt",
            ),
            ("attachment; filename*0*=utf-8''%C3; filename*1*=%A4.txt", "ä.txt"),
            ("attachment; filename*1=b; filename*0=a; filename*3=d", "ab"),
            ("attachment; filename=\"=?utf-8?q?=C3=A4.txt?=\"", "ä.txt"),
            ("attachment; filename*=%zz%4", "%zz%4"),
        ] {
            assert_eq!(Kind::parse(field).parameter("filename"), Some(name), "{field}");
        }
    }

    proptest! {
        #[test]
        fn no_field_panics(field in "(filename|\\*|0|1|=|'|%|\"|\\\\|;|\\(|\\)|[a-zé ]){0,60}") {
            Kind::parse(&field);
        }
    }
}
