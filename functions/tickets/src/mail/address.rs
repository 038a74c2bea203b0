//! Addresses in fields: who wrote, who reads.

use mail_parser::{Addr, Address, HeaderValue, parsers::MessageStream};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::{self, Piece};

/// The longest address, in bytes: RFC 5321, section 4.5.3.1.3, less its brackets.
pub const ADDRESS_BYTES_MAX: usize = 254;
/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 120;
/// How many recipients are kept.
pub const RECIPIENTS_MAX: usize = 100;

/// Somebody with an address.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = MailPerson)]
pub struct Person {
    /// Their address, in lower case.
    pub email: String,
    /// What they are called, or nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// The address in this text, in lower case, or `None` when it is none.
pub fn email(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches("mailto:").trim_matches(['<', '>']).trim();
    let (local, domain) = text.rsplit_once('@')?;
    let is_plain = |it: char| !it.is_whitespace() && !it.is_control() && !"<>,;()\"\\".contains(it);
    let is_fit = !local.is_empty()
        && domain.len() > 1
        && text.len() <= ADDRESS_BYTES_MAX
        && text.chars().all(is_plain)
        && !domain.starts_with(['.', '-'])
        && domain.chars().all(|it| it.is_alphanumeric() || ".-_[]:".contains(it));
    is_fit.then(|| text.to_lowercase())
}

/// The people that a field lists, at most `max` of them, and how many there are.
pub fn list(field: &str, max: usize) -> (Vec<Person>, usize) {
    let mut text = spelled_out(field);
    text.push('\n');
    let HeaderValue::Address(found) = MessageStream::new(text.as_bytes()).parse_address() else {
        return (Vec::new(), 0);
    };
    let people: Vec<Addr<'_>> = match found {
        Address::List(it) => it,
        Address::Group(groups) => groups.into_iter().flat_map(|it| it.addresses).collect(),
    };
    let fit = people.iter().filter_map(person);
    let mut kept: Vec<Person> = Vec::new();
    let mut count = 0;
    for it in fit {
        count += 1;
        if kept.len() < max && !kept.iter().any(|other| other.email == it.email) {
            kept.push(it);
        }
    }
    (kept, count)
}

/// The first of a field.
pub fn first(field: &str) -> Option<Person> {
    list(field, 1).0.pop()
}

fn person(it: &Addr<'_>) -> Option<Person> {
    // Who writes nothing but a name may have written the address as that.
    let address = it.address.as_deref().or(it.name.as_deref())?;
    let email = email(address)?;
    let name = it.name.as_deref().filter(|name| name.trim() != address).unwrap_or("");
    Some(Person { email, name: line(name, NAME_CHARS_MAX) })
}

/// A line that strangers wrote: white space is one space, what is not to be seen is left out, and it
/// has at most `max` characters.
pub fn line(text: &str, max: usize) -> String {
    let words = text
        .split_whitespace()
        .map(|it| it.chars().filter(|it| !it.is_control() && !is_hidden(*it)).collect::<String>());
    let words: Vec<_> = words.filter(|it| !it.is_empty()).collect();
    let mut line: String = words.join(" ").chars().take(max).collect();
    line.truncate(line.trim_end().len());
    line
}

/// Whether it changes how others are shown, and is not seen itself: directions, joins of nothing.
pub fn is_hidden(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A list with its encoded words spelled out, in quotes where they are in none.
fn spelled_out(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut is_quoted = false;
    for piece in words::pieces(field) {
        match piece {
            Piece::Plain(text) => {
                let mut is_escaped = false;
                for letter in text.chars() {
                    match letter {
                        _ if is_escaped => is_escaped = false,
                        '\\' => is_escaped = true,
                        '"' => is_quoted = !is_quoted,
                        _ => {}
                    }
                }
                out.push_str(text);
            }
            Piece::Word(text) => {
                let text = text.replace(['"', '\\', '\n', '\r'], " ");
                match is_quoted {
                    true => out.push_str(&text),
                    false => out.extend(["\"", &text, "\""]),
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(field: &str) -> Vec<(String, String)> {
        list(field, 100).0.into_iter().map(|it| (it.email, it.name)).collect()
    }

    #[test]
    fn people_are_read() {
        for (field, email, name) in [
            ("ada@example.com", "ada@example.com", ""),
            ("Ada Lovelace <Ada@Example.com>", "ada@example.com", "Ada Lovelace"),
            ("\"Lovelace, Ada\" <ada@example.com>", "ada@example.com", "Lovelace, Ada"),
            ("=?utf-8?q?Ad=C3=A9le?= <ada@example.com>", "ada@example.com", "Adéle"),
            ("\"=?utf-8?q?Ad=C3=A9le=2C_x?=\" <ada@example.com>", "ada@example.com", "Adéle, x"),
            ("=?utf-8?q?A=2C_B=22C?= <ada@example.com>", "ada@example.com", "A, B C"),
            ("ada@example.com (Ada)", "ada@example.com", "Ada"),
            ("<ada@example.com>", "ada@example.com", ""),
        ] {
            assert_eq!(names(field), [(email.to_owned(), name.to_owned())], "{field}");
        }
    }

    #[test]
    fn what_is_no_address_is_nobody() {
        for field in ["", "Ada", "<>", "@", "a@", "@b", "a b@c", "undisclosed-recipients:;", ",,;"]
        {
            assert_eq!(names(field), [], "{field}");
        }
    }

    #[test]
    fn a_list_is_counted_to_its_end_and_kept_to_a_limit() {
        let field: String = (0..10_000).map(|it| format!("p{it}@example.com, ")).collect();

        let (kept, count) = list(&field, RECIPIENTS_MAX);

        assert_eq!((kept.len(), count), (RECIPIENTS_MAX, 10_000));
    }

    #[test]
    fn names_do_not_turn_what_is_beside_them() {
        assert_eq!(line(" a\u{202e}b \t c\u{0}\u{200b} ", 9), "ab c");
    }

    proptest! {
        #[test]
        fn no_list_panics(field in "(=\\?utf-8\\?q\\?|\\?=|[<>@,:;()\"\\\\ a.é]){0,60}") {
            list(&field, 10);
        }
    }
}
