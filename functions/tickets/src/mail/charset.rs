//! Bytes to text: by the charset that a mail names, unless what is there says otherwise.

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;

/// What is read where nothing better is known: the browsers' Latin-1.
const FALLBACK: &str = "windows-1252";

/// Names that mail uses, and what the library calls them.
const ALIASES: &[(&str, &str)] = &[
    ("cp50220", "iso-2022-jp"),
    ("cp50221", "iso-2022-jp"),
    ("iso-2022-jp-1", "iso-2022-jp"),
    ("iso-2022-jp-2", "iso-2022-jp"),
    ("iso-2022-jp-3", "iso-2022-jp"),
    ("iso-2022-jp-ms", "iso-2022-jp"),
    ("cp932", "shift_jis"),
    ("windows-31j", "shift_jis"),
    ("x-sjis", "shift_jis"),
    ("ms932", "shift_jis"),
    ("eucjp", "euc-jp"),
    ("cp949", "euc-kr"),
    ("ks_c_5601-1987", "euc-kr"),
    ("windows-949", "euc-kr"),
    ("gb2312", "gb18030"),
    ("gb_2312-80", "gb18030"),
    ("gbk", "gb18030"),
    ("x-gbk", "gb18030"),
    ("cp936", "gb18030"),
    ("windows-936", "gb18030"),
    ("cp950", "big5"),
    ("tis-620", "iso-8859-11"),
    ("latin9", "iso-8859-15"),
    ("latin-1", "iso-8859-1"),
    ("ansi", "windows-1252"),
    ("x-windows-1250", "windows-1250"),
    ("x-cp1251", "windows-1251"),
    ("koi8r", "koi8-r"),
];

/// Labels that many programs write whatever they send.
const CARELESS: &[&str] =
    &["us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252", "cp1252", "iso-8859-15"];

/// The text of `bytes`, whose charset is said to be `label`. It never fails: what fits no charset
/// becomes U+FFFD.
///
/// Without a label, under one that nobody knows, and under one that is wrong as far as can be told,
/// it is UTF-8 if it is valid as that, ISO-2022-JP if it has its escapes, and else windows-1252.
pub fn text(bytes: &[u8], label: Option<&str>) -> String {
    let label = label.map(|it| it.trim_matches(['"', '\'', ' ']).to_ascii_lowercase());
    let label = label.as_deref().filter(|it| !it.is_empty());
    let label = label.map(|it| ALIASES.iter().find(|(from, _)| *from == it).map_or(it, |it| it.1));
    match label {
        None | Some("utf-8" | "utf8" | "unknown-8bit" | "8bit" | "default" | "x-unknown") => {
            guess(bytes)
        }
        Some(it) if CARELESS.contains(&it) && (is_utf_8(bytes) || is_iso_2022_jp(bytes)) => {
            guess(bytes)
        }
        Some("utf-7" | "unicode-1-1-utf-7") => {
            decode(&closed(bytes), "utf-7").unwrap_or_else(|| guess(bytes))
        }
        Some(it) => decode(bytes, it).unwrap_or_else(|| guess(bytes)),
    }
}

/// UTF-7 with a `-` after each run of Base64: the library takes whatever ends a run for one, and
/// any letter may (RFC 2152).
fn closed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut is_open = false;
    for it in bytes {
        let goes_on = it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/');
        if is_open && !goes_on {
            is_open = false;
            if *it != b'-' {
                out.push(b'-');
            }
        } else if *it == b'+' {
            is_open = true;
        }
        out.push(*it);
    }
    out
}

/// Whether it is UTF-8 with at least one letter beyond ASCII. What is another charset is that by
/// chance only: each letter would have to be followed by the right one.
fn is_utf_8(bytes: &[u8]) -> bool {
    !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok()
}

fn is_iso_2022_jp(bytes: &[u8]) -> bool {
    bytes.is_ascii() && bytes.windows(3).any(|it| matches!(it, b"\x1b$B" | b"\x1b$@"))
}

fn guess(bytes: &[u8]) -> String {
    if is_iso_2022_jp(bytes)
        && let Some(it) = decode(bytes, "iso-2022-jp")
    {
        return it;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(it) => it.to_owned(),
        // Some letters of UTF-8 and a broken one are UTF-8 that was cut; none at all are not.
        Cow::Owned(it) if it.chars().any(|it| !it.is_ascii() && it != '\u{fffd}') => it,
        Cow::Owned(it) => decode(bytes, FALLBACK).unwrap_or(it),
    }
}

fn decode(bytes: &[u8], label: &str) -> Option<String> {
    // The library's names have an underscore where others have a dash, and it reads 45 letters.
    if label.len() > 45 || label.is_empty() {
        return None;
    }
    charset_decoder(label.as_bytes()).map(|it| it(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_believed() {
        assert_eq!(text(b"\xcf\xf0\xe8", Some("windows-1251")), "При");
        assert_eq!(text(b"\x1b$B%O%m!<\x1b(B", Some("ISO-2022-JP")), "ハロー");
        assert_eq!(text(b"\x83n\x83\x8d", Some("CP932")), "ハロ");
        assert_eq!(text(b"\xc4\xe3\xba\xc3", Some("\"GB2312\"")), "你好");
        assert_eq!(text(b"\xbe\xc8", Some("ks_c_5601-1987")), "안");
        assert_eq!(text(b"+ZYeB9A-", Some("utf-7")), "文致");
    }

    #[test]
    fn a_label_that_is_wrong_is_not() {
        assert_eq!(text("naïve".as_bytes(), Some("us-ascii")), "naïve");
        assert_eq!(text("naïve".as_bytes(), Some("ISO-8859-1")), "naïve");
        assert_eq!(text(b"na\xefve", Some("utf-8")), "naïve");
        assert_eq!(text(b"na\xefve", Some("x-klingon")), "naïve");
        assert_eq!(text(b"\x93quoted\x94 \x80", Some("iso-8859-1")), "“quoted” €");
    }

    #[test]
    fn text_that_was_cut_is_read_as_far_as_it_goes() {
        assert_eq!(text(b"na\xc3\xafve \xc3", None), "naïve \u{fffd}");
        assert_eq!(text(b"\xef\xbb\xbfa", Some("utf-8")), "a");
    }
}
