//! The parts of a mail, RFC 2046: where each begins and ends.
//!
//! The library finds them as well, but it looks for the end of each to the end of the mail, and
//! keeps messages in messages as deep as they come: a mail of a megabyte that was made for it takes
//! minutes, or the stack. Here what is nested is counted, and each level is passed over once.

use std::ops::Range;

use super::{
    encoding::Encoding,
    field::{self, Fields, line_end, trim_end},
    kind::Kind,
};

/// How deep parts are nested that are read. What is deeper stays one part.
pub const DEPTH_MAX: usize = 10;
/// How many parts are read. What follows is in the original alone.
pub const PARTS_MAX: usize = 200;
/// The longest boundary, in bytes: RFC 2046 allows 70.
const BOUNDARY_BYTES_MAX: usize = 250;

/// A part that is no multipart.
#[derive(Clone, Debug)]
pub struct Part {
    /// What its header says.
    pub fields: Fields,
    /// What it is.
    pub kind: Kind,
    /// How it is to be shown.
    pub disposition: Kind,
    /// How it is written.
    pub encoding: Encoding,
    /// Where what is in it is written.
    pub body: Range<usize>,
    /// Of which choice it is one: the number of the outermost `multipart/alternative`.
    pub choice: Option<usize>,
    /// Whether it is a multipart that is too deep to be read.
    pub is_too_deep: bool,
}

/// All parts of a mail, in their order.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// The header of the whole.
    pub fields: Fields,
    /// What the whole is.
    pub kind: Kind,
    /// The parts.
    pub all: Vec<Part>,
    /// How many more there are, as far as they were counted.
    pub left_out: usize,
}

/// Finds the parts of a mail.
pub fn read(raw: &[u8]) -> Parts {
    let mut walk = Walk { raw, parts: Parts::default(), choices: 0 };
    let (fields, body) = field::read(raw);
    walk.parts.kind = kind(&fields, "text/plain");
    walk.parts.fields = fields.clone();
    walk.visit(fields, body..raw.len(), &Place::default());
    walk.parts
}

fn kind(fields: &Fields, otherwise: &str) -> Kind {
    let kind = fields.first("content-type").map(Kind::parse).unwrap_or_default();
    // RFC 2045, section 5.2: what cannot be read is as if it were not there.
    if kind.word.contains('/') || kind.word == "text" { kind } else { Kind::parse(otherwise) }
}

/// Where in the tree a part is.
#[derive(Clone, Debug, Default)]
struct Place {
    depth: usize,
    choice: Option<usize>,
    is_digest: bool,
}

struct Walk<'a> {
    raw: &'a [u8],
    parts: Parts,
    choices: usize,
}

impl Walk<'_> {
    fn visit(&mut self, fields: Fields, body: Range<usize>, place: &Place) {
        let kind = kind(&fields, if place.is_digest { "message/rfc822" } else { "text/plain" });
        let boundary = kind
            .parameter("boundary")
            .map(str::trim_end)
            .filter(|it| kind.is_multipart() && !it.is_empty() && it.len() <= BOUNDARY_BYTES_MAX);
        let Some(boundary) = boundary else {
            // A multipart without a boundary has no parts: what is there is read as a text.
            let kind = if kind.is_multipart() { Kind::parse("text/plain") } else { kind };
            return self.leaf(fields, kind, body, place, false);
        };
        if place.depth >= DEPTH_MAX {
            return self.leaf(fields, kind, body, place, true);
        }
        let room = PARTS_MAX.saturating_sub(self.parts.all.len());
        let found = split(self.raw, body.clone(), boundary.as_bytes(), room);
        self.parts.left_out += found.left_out;
        if found.parts.is_empty() && found.left_out == 0 {
            // Nobody wrote that boundary: what is there is read as a text.
            return self.leaf(fields, Kind::parse("text/plain"), body, place, false);
        }
        let is_choice = kind.word == "multipart/alternative";
        if is_choice {
            self.choices += 1;
        }
        let within = Place {
            depth: place.depth + 1,
            choice: place.choice.or(is_choice.then_some(self.choices)),
            is_digest: kind.word == "multipart/digest",
        };
        for range in found.parts {
            let (fields, start) = field::read(self.raw.get(range.clone()).unwrap_or_default());
            self.visit(fields, range.start + start..range.end, &within);
        }
    }

    fn leaf(
        &mut self,
        fields: Fields,
        kind: Kind,
        body: Range<usize>,
        place: &Place,
        is_too_deep: bool,
    ) {
        if self.parts.all.len() >= PARTS_MAX {
            self.parts.left_out += 1;
            return;
        }
        let encoding = fields.first("content-transfer-encoding").map(Encoding::parse);
        let disposition = fields.first("content-disposition").map(Kind::parse);
        self.parts.all.push(Part {
            disposition: disposition.unwrap_or_default(),
            encoding: encoding.unwrap_or_default(),
            fields,
            kind,
            body,
            choice: place.choice,
            is_too_deep,
        });
    }
}

/// What a boundary splits a body into.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Split {
    /// Where each part is, with its header.
    pub parts: Vec<Range<usize>>,
    /// How many there are beyond the most that were asked for.
    pub left_out: usize,
}

/// Splits `body` of `raw` at the lines that are this boundary.
pub fn split(raw: &[u8], body: Range<usize>, boundary: &[u8], parts_max: usize) -> Split {
    let mut split = Split::default();
    let mut begin = None;
    let mut at = body.start;
    let end = body.end.min(raw.len());
    let close = |split: &mut Split, begin: Option<usize>, at: usize| {
        let Some(from) = begin else { return };
        if split.parts.len() < parts_max {
            // The line break before a boundary belongs to it.
            let part = raw.get(from..at.max(from)).unwrap_or_default();
            split.parts.push(from..from + trim_end(part).len());
        } else {
            split.left_out += 1;
        }
    };
    while at < end {
        let next = line_end(raw, at).min(end);
        let line = raw.get(at..next).unwrap_or_default();
        if let Some(is_last) = is_boundary(line, boundary) {
            close(&mut split, begin.take(), at);
            if is_last {
                return split;
            }
            begin = Some(next);
        }
        at = next;
    }
    if let Some(from) = begin {
        if split.parts.len() < parts_max {
            split.parts.push(from..end);
        } else {
            split.left_out += 1;
        }
    }
    split
}

/// Whether a line is this boundary, and if so, whether it is the last one.
fn is_boundary(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let (rest, is_last) = rest.strip_prefix(b"--").map_or((rest, false), |it| (it, true));
    rest.trim_ascii().is_empty().then_some(is_last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(raw: &str) -> Vec<(String, String)> {
        let parts = read(raw.as_bytes());
        let of = |it: Part| (it.kind.word, raw[it.body].to_owned());
        parts.all.into_iter().map(of).collect()
    }

    #[test]
    fn parts_are_found_with_what_is_in_them() {
        let raw = "Content-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n--a\r\n\r\none\r\n\
            --a\r\nContent-Type: multipart/alternative; boundary=\"a b\"\r\n\r\n--a b  \r\n\r\ntwo\r\n\
            --a b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--a b--\r\nepilogue\r\n--a--\r\nend";

        let found = words(raw);

        let expected = [("text/plain", "one"), ("text/plain", "two"), ("text/html", "<p>")];
        assert_eq!(found, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        let parts = read(raw.as_bytes());
        let choices: Vec<_> = parts.all.iter().map(|it| it.choice).collect();
        assert_eq!(choices, [None, Some(1), Some(1)]);
    }

    #[test]
    fn an_outer_boundary_ends_what_is_within() {
        let raw = "Content-Type: multipart/mixed; boundary=a\n\n--a\n\
            Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--a\n\ntwo\n";

        let texts: Vec<_> = words(raw).into_iter().map(|it| it.1).collect();

        assert_eq!(texts, ["one", "two\n"]);
    }

    #[test]
    fn what_has_no_boundary_is_a_text() {
        for raw in [
            "Content-Type: multipart/mixed\n\nhello",
            "Content-Type: multipart/mixed; boundary=x\n\nhello",
            "Content-Type: nonsense\n\nhello",
        ] {
            let text = read(raw.as_bytes()).all.pop().unwrap();
            assert_eq!(&raw[text.body], "hello");
        }
    }

    #[test]
    fn there_are_so_many_parts_and_no_more() {
        let part = "--a\n\nx\n";
        let raw = format!("Content-Type: multipart/mixed; boundary=a\n\n{}", part.repeat(10_000));

        let parts = read(raw.as_bytes());

        assert_eq!((parts.all.len(), parts.left_out), (PARTS_MAX, 10_000 - PARTS_MAX));
    }

    #[test]
    fn nesting_ends_somewhere() {
        let mut raw = String::new();
        for depth in 0..5_000 {
            raw += &format!("Content-Type: multipart/mixed; boundary=b{depth}\n\n--b{depth}\n");
        }

        let parts = read(raw.as_bytes());

        assert_eq!(parts.all.len(), 1);
        assert!(parts.all[0].is_too_deep);
    }
}
