//! Message-IDs, RFC 5322, section 3.6.4. They are compared as they are, without their brackets.

/// The longest that is kept, in bytes: what is longer is none.
pub const ID_BYTES_MAX: usize = 500;
/// How many of a field are kept: the first, which began it, and the last.
pub const IDS_MAX: usize = 50;

/// All in a field. Programs write several in `In-Reply-To`, and commas or texts between them.
pub fn all(field: &str) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut rest = field;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((inside, behind)) = after.split_once('>') else { break };
        // `<a <b@c>`: what was not closed is no id.
        let inside = inside.rsplit('<').next().unwrap_or(inside);
        ids.extend(fit(inside));
        rest = behind;
    }
    if ids.is_empty() {
        // Some leave the brackets out.
        ids.extend(field.split([' ', ',', '<', '>']).filter(|it| it.contains('@')).filter_map(fit));
    }
    let mut seen = std::collections::BTreeSet::new();
    ids.retain(|it| seen.insert(it.clone()));
    if ids.len() > IDS_MAX {
        ids.drain(1..=ids.len() - IDS_MAX);
    }
    ids
}

/// The first in a field.
pub fn first(field: &str) -> Option<String> {
    all(field).into_iter().next()
}

fn fit(id: &str) -> Option<String> {
    // A long one may have been folded.
    let id: String = id.chars().filter(|it| !it.is_whitespace()).collect();
    let is_fit = !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control);
    is_fit.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_however_they_are_written() {
        for (field, ids) in [
            ("<a@b>", &["a@b"][..]),
            ("<a@b> <c@d>", &["a@b", "c@d"]),
            ("<a@b><c@d>,\t<a@b>", &["a@b", "c@d"]),
            ("Your message of Monday <a@b>", &["a@b"]),
            ("a@b", &["a@b"]),
            ("<a\t@b>", &["a@b"]),
            ("<a <b@c>", &["b@c"]),
            ("<>", &[]),
            ("<unclosed@x", &["unclosed@x"]),
            ("", &[]),
        ] {
            assert_eq!(all(field), ids, "{field}");
        }
    }

    #[test]
    fn of_a_long_list_the_first_and_the_last_are_kept() {
        let field: String = (0..1_000).map(|it| format!("<{it}@x> ")).collect();

        let ids = all(&field);

        assert_eq!(ids.len(), IDS_MAX);
        assert_eq!((ids[0].as_str(), ids[1].as_str(), ids[49].as_str()), ("0@x", "951@x", "999@x"));
        assert_eq!(all(&format!("<{}@x>", "a".repeat(600))), Vec::<String>::new());
    }
}
