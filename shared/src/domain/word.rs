//! Words: what a tenant calls its customers, their members, its plans and meters.

/// The longest word, in characters.
const WORD_CHARS_MAX: usize = 128;

/// What a word is.
pub const WORD: &str = "1 to 128 of A-Z a-z 0-9 . _ - : /";

/// Whether it can be the name of a customer, a member, a plan or a meter.
pub fn is_word(text: &str) -> bool {
    let plain = text.bytes().all(|it| it.is_ascii_alphanumeric() || b"._-:/".contains(&it));
    (1..=WORD_CHARS_MAX).contains(&text.len()) && plain
}
