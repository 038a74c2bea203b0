//! Patterns of keys and routes: text in which `*` stands for anything.

/// Whether a text is what a pattern says. `*` stands for any text, also for none.
pub fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        // The part before was not the last: it may stand anywhere, and the first place is best.
        if let Some(middle) = last.replace(part) {
            match rest.split_once(middle) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
    }
    match last {
        None => rest.is_empty(),
        Some(end) => rest.ends_with(end),
    }
}

/// What belongs to the pattern that fits best: the text itself, or else the longest.
pub fn best<'a, T>(text: &str, all: impl Iterator<Item = (&'a str, T)>) -> Option<T> {
    let fitting = all.filter(|(pattern, _)| fits(pattern, text));
    fitting.max_by_key(|(pattern, _)| (!pattern.contains('*'), pattern.len())).map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "abc"),
            ("a*", "a"),
            ("a*c", "abc"),
            ("a*c", "ac"),
            ("*b*", "abc"),
            ("a*b*c", "axbyc"),
            ("a*b*b", "abb"),
            ("a**b", "ab"),
            ("abc", "abc"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("", "a"), ("a", "ab"), ("a*", "ba"), ("a*b", "abc"), ("a*b*b", "ab"), ("ab*b", "ab")]
        {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn the_exact_wins_over_the_longest_over_the_shorter() {
        let all = [("*", 1), ("user:*", 2), ("user:42", 3), ("user:4*", 4)];

        let found = |text| best(text, all.into_iter());

        assert_eq!(found("user:42"), Some(3));
        assert_eq!(found("user:43"), Some(4));
        assert_eq!(found("user:7"), Some(2));
        assert_eq!(found("ip:7"), Some(1));
        assert_eq!(best("x", [("y", 1)].into_iter()), None);
    }
}
