//! Languages: which words a reader has. Tags are those of RFC 5646, found by "lookup" as of
//! RFC 4647, 3.4: what is most particular first, and less and less so. Pure.

use std::collections::BTreeMap;

/// What a tag looks like, said to who wrote none.
pub const TAG: &str = "a language tag as `de` or `pt-BR`";
/// The longest tag, in bytes: RFC 5646, 4.4.1 asks for room for 35.
const TAG_BYTES_MAX: usize = 35;

/// Whether this is written as a tag is: subtags of 1 to 8 letters and digits, the first of letters.
pub fn is_tag(text: &str) -> bool {
    let fits =
        |it: &str| (1..=8).contains(&it.len()) && it.bytes().all(|b| b.is_ascii_alphanumeric());
    let first = text.split('-').next().unwrap_or_default();
    text.len() <= TAG_BYTES_MAX
        && text.split('-').all(fits)
        && first.len() >= 2
        && first.bytes().all(|it| it.is_ascii_alphabetic())
}

/// What there is for a reader who wants this language: that of the tag, or of the tag without its
/// last subtags. Of `zh-Hant-TW` that is `zh-Hant-TW`, `zh-Hant`, or `zh`.
pub fn lookup<'a, T>(all: &'a BTreeMap<String, T>, wanted: &str) -> Option<(&'a str, &'a T)> {
    let mut wanted = wanted;
    loop {
        let found = all.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(wanted));
        if let Some((tag, it)) = found {
            return Some((tag, it));
        }
        wanted = wanted.rsplit_once('-')?.0;
        // What is left of an extension, as the `u` of `de-u-co-phonebk`, says nothing alone.
        while let Some((rest, _)) = wanted.rsplit_once('-').filter(|(_, it)| it.len() == 1) {
            wanted = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, proptest};

    use super::*;

    fn found<'a>(of: &'a BTreeMap<String, ()>, wanted: &str) -> Option<&'a str> {
        lookup(of, wanted).map(|it| it.0)
    }

    #[test]
    fn tags_are_told_from_other_words() {
        for it in ["de", "pt-BR", "zh-Hant-TW", "de-u-co-phonebk", "sl-rozaj-biske-1994"] {
            assert!(is_tag(it), "{it}");
        }
        for it in ["", "d", "de_DE", "de-", "-de", "1a", "deutschland", "de-DE-abcdefghi"] {
            assert!(!is_tag(it), "{it}");
        }
        assert!(!is_tag("de-abcdefgh-abcdefgh-abcdefgh-abcdefgh"));
    }

    #[test]
    fn the_most_particular_is_found_first() {
        let of: BTreeMap<_, _> =
            ["de", "zh", "zh-Hant", "pt-BR"].map(|it| (it.to_owned(), ())).into();

        assert_eq!(found(&of, "de-AT"), Some("de"));
        assert_eq!(found(&of, "DE"), Some("de"));
        assert_eq!(found(&of, "zh-Hant-TW"), Some("zh-Hant"));
        assert_eq!(found(&of, "zh-Hans"), Some("zh"));
        assert_eq!(found(&of, "de-u-co-phonebk"), Some("de"));
        assert_eq!(found(&of, "pt-BR"), Some("pt-BR"));
        // Another's Portuguese is not asked for.
        assert_eq!(found(&of, "pt"), None);
        assert_eq!(found(&of, "fr-CA"), None);
        assert_eq!(found(&of, ""), None);
    }

    proptest! {
        #[test]
        fn whatever_is_wanted_is_looked_for_and_no_more(wanted in ".{0,40}") {
            let of: BTreeMap<_, _> = [("de".to_owned(), ())].into();
            let is_german = wanted.len() >= 2 && wanted.is_char_boundary(2)
                && wanted[..2].eq_ignore_ascii_case("de")
                && (wanted.len() == 2 || wanted[2..].starts_with('-'));
            prop_assert!(lookup(&of, &wanted).is_some() == is_german);
        }
    }
}
