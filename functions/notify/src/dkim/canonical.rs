//! How a mail is read before it is hashed: the relaxed canonicalisations of RFC 6376, 3.4. Pure.

/// A field of a head, as it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field<'a> {
    name: &'a [u8],
    value: &'a [u8],
}

impl Field<'_> {
    /// Whether it has this name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The fields of a head, in their order. A line that begins with a blank goes on with the one before
/// it.
pub fn fields(head: &[u8]) -> Vec<Field<'_>> {
    let mut all = vec![];
    let mut rest = head;
    while !rest.is_empty() {
        let end = end_of_field(rest);
        let (field, after) = rest.split_at(end);
        rest = after;
        if let Some(colon) = field.iter().position(|it| *it == b':') {
            let (name, value) = field.split_at(colon);
            let value = value.strip_prefix(b":").unwrap_or_default();
            all.push(Field { name: name.trim_ascii_end(), value });
        }
    }
    all
}

/// Where a field ends: after a line that no line with a blank in front follows.
fn end_of_field(text: &[u8]) -> usize {
    let ends = text.windows(2).enumerate().filter(|(_, it)| *it == b"\r\n").map(|it| it.0 + 2);
    let goes_on = |at: usize| matches!(text.get(at), Some(b' ' | b'\t'));
    ends.into_iter().find(|at| !goes_on(*at)).unwrap_or(text.len())
}

/// A field, with the end of its line: its name in lower case, its value in one line, blanks once.
pub fn field(it: &Field<'_>) -> Vec<u8> {
    let unfolded: Vec<u8> = it.value.iter().copied().filter(|it| !b"\r\n".contains(it)).collect();
    let mut out = it.name.to_ascii_lowercase();
    out.push(b':');
    out.extend(reduced(&unfolded).trim_ascii_start());
    out.extend(b"\r\n");
    out
}

/// A body: blanks once, none at the end of a line, and no empty lines at the end of all.
pub fn body(text: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    let mut empty = 0;
    let lines = text.strip_suffix(b"\r\n").unwrap_or(text);
    for line in split(lines) {
        let line = reduced(line);
        if line.is_empty() {
            empty += 1;
            continue;
        }
        out.extend(b"\r\n".repeat(empty));
        empty = 0;
        out.extend(line);
        out.extend(b"\r\n");
    }
    out
}

fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|it| *it == b'\n').map(|it| it.strip_suffix(b"\r").unwrap_or(it))
}

/// Each run of blanks as one space, and none at the end.
fn reduced(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b' ' | b'\t' if out.last() == Some(&b' ') => {}
            b' ' | b'\t' => out.push(b' '),
            other => out.push(*other),
        }
    }
    if out.last() == Some(&b' ') {
        out.pop();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6376, 3.4.5.
    #[test]
    fn the_example_of_the_standard() {
        let head = b"A: X\r\nB : Y\t\r\n\tZ  \r\n";

        let canonical: Vec<_> = fields(head).iter().flat_map(field).collect();

        assert_eq!(canonical, b"a:X\r\nb:Y Z\r\n");
        assert_eq!(body(b" C \r\nD \t E\r\n\r\n\r\n"), b" C\r\nD E\r\n");
    }

    #[test]
    fn an_empty_body_is_nothing() {
        for empty in [&b""[..], b"\r\n", b"\r\n\r\n", b" \r\n"] {
            assert_eq!(body(empty), b"", "{empty:?}");
        }
        assert_eq!(body(b"a"), b"a\r\n");
        assert_eq!(body(b"a\r\n\r\nb\r\n"), b"a\r\n\r\nb\r\n");
    }
}
