//! One page of a list, and where the next one starts.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use utoipa::ToSchema;

/// How many items a page has when nobody says.
pub const LIMIT_DEFAULT: u32 = 50;
/// How many items a page has at most.
pub const LIMIT_MAX: u32 = 200;

/// The longest cursor that is read, in characters.
const CURSOR_CHARS_MAX: usize = 200;

/// A place in a list: opaque outside, the last key before it inside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cursor(String);

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Cursor {
    /// The place after the item with this key.
    pub fn after(key: impl ToString) -> Self {
        Self(key.to_string())
    }

    /// Reads what [`Cursor::encode`] wrote. `None` for anything else.
    pub fn decode(text: &str) -> Option<Self> {
        if text.len() > CURSOR_CHARS_MAX {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        String::from_utf8(bytes).ok().map(Self)
    }

    /// The cursor as clients hold it.
    pub fn encode(&self) -> String {
        BASE64URL_NOPAD.encode(self.0.as_bytes())
    }

    /// The key of the last item before the place.
    pub fn key(&self) -> &str {
        &self.0
    }
}

impl<T> Page<T> {
    /// A page of at most `limit` of `items`, of which one more was asked for than is shown.
    pub fn of(mut items: Vec<T>, limit: u32, key: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|it| Cursor::after(key(it)).encode());
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_page_that_was_cut_has_a_next() {
        let page = Page::of(vec![1, 2, 3], 2, ToString::to_string);

        assert_eq!(page.items, [1, 2]);
        assert_eq!(Cursor::decode(&page.next.unwrap()).unwrap().key(), "2");
        assert!(Page::of(vec![1, 2], 2, ToString::to_string).next.is_none());
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back(key in ".{0,40}") {
            let cursor = Cursor::after(&key);
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }

        #[test]
        fn no_text_makes_decoding_panic(text in ".{0,300}") {
            let _ = Cursor::decode(&text);
        }
    }
}
