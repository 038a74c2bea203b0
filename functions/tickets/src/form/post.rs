//! What a browser posts: its fields by their names, and whether it wrote UTF-8. Pure.
//!
//! Nothing that was typed is thrown away because some of it is wrong: the page shows it again.

use percent_encoding::percent_decode;

/// How many fields are read.
const FIELDS_MAX: usize = 100;
/// By which field a browser says in which encoding it wrote (HTML, section 4.10.22.5).
pub const ENCODING: &str = "_charset_";

/// A form as it was posted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Post {
    fields: Vec<(String, String)>,
    /// Whether all of it is UTF-8, and says nothing else.
    pub is_utf8: bool,
}

impl Post {
    /// Reads `application/x-www-form-urlencoded`. `said` is the encoding that the type of the body
    /// names, if it does.
    pub fn parse(body: &[u8], said: Option<&str>) -> Self {
        let mut is_utf8 = said.is_none_or(is_utf8_name);
        let mut fields = Vec::new();
        for pair in body.split(|it| *it == b'&').filter(|it| !it.is_empty()).take(FIELDS_MAX) {
            let at = pair.iter().position(|it| *it == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(at);
            let value = value.strip_prefix(b"=").unwrap_or(value);
            let (name, value) = (decoded(name), decoded(value));
            is_utf8 = is_utf8 && name.1 && value.1;
            fields.push((name.0, value.0));
        }
        let it = Self { fields, is_utf8 };
        let is_utf8 =
            it.is_utf8 && (it.text(ENCODING).is_empty() || is_utf8_name(it.text(ENCODING)));
        Self { is_utf8, ..it }
    }

    /// What is in a field, without what surrounds it; nothing when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.fields.iter().find(|it| it.0 == name).map_or("", |it| it.1.trim())
    }
}

fn is_utf8_name(text: &str) -> bool {
    let text = text.trim().trim_matches('"');
    ["utf-8", "utf8"].iter().any(|it| text.eq_ignore_ascii_case(it))
}

/// The text, and whether it is UTF-8. Lines end with `\n`, and what no reader shows is left out.
fn decoded(bytes: &[u8]) -> (String, bool) {
    let spaced: Vec<u8> = bytes.iter().map(|it| if *it == b'+' { b' ' } else { *it }).collect();
    let bytes: Vec<u8> = percent_decode(&spaced).collect();
    let is_utf8 = std::str::from_utf8(&bytes).is_ok();
    let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").replace('\r', "\n");
    let plain = text.chars().filter(|it| !it.is_control() || matches!(it, '\n' | '\t'));
    (plain.collect(), is_utf8)
}

/// The parameter `charset` of the type of a body.
pub fn charset(kind: &str) -> Option<&str> {
    kind.split(';').skip(1).find_map(|it| {
        let (name, value) = it.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(value.trim())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_read_as_a_browser_writes_them() {
        let it = Post::parse(b"a=1+2&b=%C3%84%0D%0Aline&c&=x&a=second&d=%00%07t", None);

        assert!(it.is_utf8);
        assert_eq!((it.text("a"), it.text("b"), it.text("c")), ("1 2", "Ä\nline", ""));
        assert_eq!((it.text("d"), it.text("nothing")), ("t", ""));
    }

    #[test]
    fn another_encoding_is_told_however_it_shows() {
        assert!(!Post::parse(b"a=%E4", None).is_utf8, "Latin-1 is no UTF-8");
        assert_eq!(Post::parse(b"a=x%E4y", None).text("a"), "x\u{fffd}y", "the rest is there");
        assert!(!Post::parse(b"a=x&_charset_=windows-1252", None).is_utf8);
        assert!(!Post::parse(b"a=x", charset("application/x; charset=ISO-8859-1")).is_utf8);
        for kind in ["application/x", "application/x; charset=\"UTF-8\"", "application/x;a=b"] {
            assert!(Post::parse(b"a=x&_charset_=UTF-8", charset(kind)).is_utf8, "{kind}");
        }
    }

    #[test]
    fn no_more_fields_are_read_than_any_form_has() {
        let body = "a=1&".repeat(FIELDS_MAX) + "b=1";
        assert_eq!(Post::parse(body.as_bytes(), None).text("b"), "");
    }

    proptest! {
        #[test]
        fn whatever_is_posted_is_read(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let it = Post::parse(&body, None);

            prop_assert!(it.fields.iter().all(|it| !it.1.contains('\0')));
        }

        #[test]
        fn what_a_browser_writes_reads_back(name in "[a-z]{1,8}", text in "\\PC{0,40}") {
            let body: String = text.bytes().map(|it| format!("%{it:02X}")).collect();

            let it = Post::parse(format!("{name}={body}").as_bytes(), Some("utf-8"));

            prop_assert!(it.is_utf8);
            prop_assert_eq!(it.text(&name), text.trim());
        }
    }
}
