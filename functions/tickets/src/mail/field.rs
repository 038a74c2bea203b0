//! The fields of a mail's header: RFC 5322, section 2.2, as far as they can be told apart.
//!
//! The library that reads what is in them is given one at a time, cut to a length: a header of many
//! megabytes costs as much as reading past it.

use super::charset;

/// How many fields of a header are read that are of one of the names below.
pub const FIELDS_MAX: usize = 500;
/// How much of one is read, in bytes.
pub const FIELD_BYTES_MAX: usize = 32 * 1024;
/// How much of one that lists recipients is read, in bytes.
pub const LIST_BYTES_MAX: usize = 1024 * 1024;
/// How much is kept of a header in all, in bytes.
pub const HEADER_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The longest name of a field, in bytes.
const NAME_BYTES_MAX: usize = 80;

/// The fields that are read; others are not kept.
const NAMES: &[&str] = &[
    "action",
    "auto-submitted",
    "authentication-results",
    "cc",
    "content-disposition",
    "content-id",
    "content-transfer-encoding",
    "content-type",
    "date",
    "delivered-to",
    "diagnostic-code",
    "envelope-to",
    "feedback-type",
    "final-recipient",
    "from",
    "in-reply-to",
    "list-id",
    "list-unsubscribe",
    "message-id",
    "original-message-id",
    "original-recipient",
    "precedence",
    "references",
    "reply-to",
    "return-path",
    "sender",
    "status",
    "subject",
    "to",
    "x-auto-response-suppress",
    "x-autoreply",
    "x-autorespond",
    "x-failed-recipients",
    "x-forwarded-to",
    "x-loop",
    "x-original-to",
];

/// The fields of a header, in their order.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    all: Vec<(String, String)>,
}

impl Fields {
    /// The first field of this name, unfolded: its encoded words are still encoded.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }

    /// All fields of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all.iter().filter(move |it| it.0 == name).map(|it| it.1.as_str())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// The header of `raw`, and where its body begins.
///
/// A line that is no field is passed over, but for one: where no empty line ends the header, the
/// body begins with the first line that is none.
pub fn read(raw: &[u8]) -> (Fields, usize) {
    let mut reader = Reader::default();
    let mut at = 0;
    let mut stray = None;
    while at < raw.len() {
        let end = line_end(raw, at);
        let line = trim_end(raw.get(at..end).unwrap_or_default());
        if line.is_empty() {
            reader.close();
            return (Fields { all: reader.fields }, end);
        }
        let is_fold = matches!(line.first(), Some(b' ' | b'\t'));
        match name(line) {
            _ if is_fold && reader.is_in_field => reader.go_on(line),
            Some((name, value)) if !is_fold => reader.begin(name, value),
            _ => {
                reader.close();
                let is_mbox = at == 0 && line.starts_with(b"From ");
                if stray.is_none() && !is_mbox {
                    stray = Some(at);
                }
                if reader.seen == 0 && !is_mbox {
                    break;
                }
            }
        }
        at = end;
    }
    reader.close();
    (Fields { all: reader.fields }, stray.unwrap_or(at))
}

/// Where the line that begins at `at` ends, its line break included.
pub fn line_end(raw: &[u8], at: usize) -> usize {
    let rest = raw.get(at..).unwrap_or_default();
    rest.iter().position(|it| *it == b'\n').map_or(raw.len(), |it| at + it + 1)
}

/// A line without its line break.
pub fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The name and the value that a line begins a field with.
fn name(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().take(NAME_BYTES_MAX + 8).position(|it| *it == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let name = name.trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_name.then_some((name, value.get(1..).unwrap_or_default()))
}

#[derive(Default)]
struct Reader {
    fields: Vec<(String, String)>,
    /// How many fields there were, also of those that are not kept.
    seen: usize,
    is_in_field: bool,
    kept: usize,
    open: Option<(&'static str, Vec<u8>)>,
}

impl Reader {
    fn begin(&mut self, name: &[u8], value: &[u8]) {
        self.close();
        self.seen += 1;
        self.is_in_field = true;
        let known = NAMES.iter().find(|it| it.as_bytes().eq_ignore_ascii_case(name));
        if let Some(known) = known
            && self.fields.len() < FIELDS_MAX
            && self.kept < HEADER_BYTES_MAX
        {
            self.open = Some((known, Vec::new()));
            self.go_on(value);
        }
    }

    fn go_on(&mut self, line: &[u8]) {
        let Some((name, value)) = &mut self.open else { return };
        let max = if matches!(*name, "to" | "cc") { LIST_BYTES_MAX } else { FIELD_BYTES_MAX };
        let room = max.saturating_sub(value.len());
        value.extend_from_slice(line.get(..room.min(line.len())).unwrap_or_default());
    }

    fn close(&mut self) {
        self.is_in_field = false;
        if let Some((name, value)) = self.open.take() {
            self.kept += value.len();
            let text = charset::text(&value, None);
            // Zeros and other controls mean nothing in a header; a tab is a space.
            let text: String = text
                .chars()
                .map(|it| if it == '\t' { ' ' } else { it })
                .filter(|it| !it.is_control())
                .collect();
            self.fields.push((name.to_owned(), text.trim().to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(raw: &[u8], name: &str) -> Option<String> {
        read(raw).0.first(name).map(ToOwned::to_owned)
    }

    #[test]
    fn a_field_is_unfolded_and_its_name_is_in_any_case() {
        let raw = b"SUBJECT : one\r\n two\r\n\tthree\r\nTo: a@b.c\r\n\r\nbody";

        assert_eq!(first(raw, "subject").unwrap(), "one two three");
        let (_, body) = read(raw);
        assert_eq!(&raw[body..], b"body");
    }

    #[test]
    fn what_is_no_field_is_passed_over() {
        let raw = b"From x@y Mon Jan 1\nSubject: a\nthis is nothing\nTo: a@b.c\n\nbody";

        assert_eq!(first(raw, "to").unwrap(), "a@b.c");
        assert_eq!(&raw[read(raw).1..], b"body");
    }

    #[test]
    fn without_an_empty_line_the_body_begins_where_the_fields_end() {
        let raw = b"Subject: a\nhello there\nand more";
        assert_eq!(&raw[read(raw).1..], b"hello there\nand more");

        let raw = b"hello there\n\nand more";
        assert_eq!(&raw[read(raw).1..], raw);

        let raw = b"Subject: a";
        assert_eq!(&raw[read(raw).1..], b"");
    }

    #[test]
    fn a_field_without_charset_is_read_by_what_is_in_it() {
        assert_eq!(first(b"Subject: na\xc3\xafve\n\n", "subject").unwrap(), "naïve");
        assert_eq!(first(b"Subject: na\xefve\n\n", "subject").unwrap(), "naïve");
        assert_eq!(first(b"Subject: \x1b$B%O%m!<\x1b(B!\n\n", "subject").unwrap(), "ハロー!");
        assert_eq!(first(b"Subject: a\0b\x07c\n\n", "subject").unwrap(), "abc");
    }

    #[test]
    fn a_field_is_cut_and_what_follows_is_read() {
        let raw = format!(
            "Subject: {}\nX-Junk: {}\nFrom: a@b.c\n\n",
            "s".repeat(100_000),
            "j".repeat(1_000_000)
        );

        assert_eq!(first(raw.as_bytes(), "subject").unwrap().len(), FIELD_BYTES_MAX - 1);
        assert_eq!(first(raw.as_bytes(), "from").unwrap(), "a@b.c");
    }
}
