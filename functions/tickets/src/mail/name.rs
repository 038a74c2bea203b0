//! Names of attached files that are safe to write anywhere.

use super::address::is_hidden;

/// The longest name, in characters.
pub const FILE_NAME_CHARS_MAX: usize = 120;
/// The longest ending that is kept when a name is cut.
const ENDING_CHARS_MAX: usize = 16;

/// Names that are devices where many people open what they are sent, whatever their ending.
const RESERVED: &[&str] = &[
    "con", "prn", "aux", "nul", "com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7",
    "com8", "com9", "lpt0", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
    "conin$", "conout$",
];

/// Endings of media types, for files without a name.
const ENDINGS: &[(&str, &str)] = &[
    ("application/json", "json"),
    ("application/ms-tnef", "dat"),
    ("application/pdf", "pdf"),
    ("application/zip", "zip"),
    ("image/gif", "gif"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/webp", "webp"),
    ("message/rfc822", "eml"),
    ("message/delivery-status", "txt"),
    ("text/calendar", "ics"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/plain", "txt"),
];

/// A name without folders, controls, and what some system would not write or show as it is. Empty
/// when nothing is left.
pub fn safe(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or("");
    let clean: String = last
        .chars()
        .filter(|it| !it.is_control() && !is_hidden(*it))
        .map(|it| if "<>:\"|?*".contains(it) { '_' } else { it })
        .map(|it| if it.is_whitespace() { ' ' } else { it })
        .collect();
    let clean = clean.trim_matches(['.', ' ']);
    let clean = cut(clean);
    let stem = clean.split('.').next().unwrap_or("").trim_end().to_ascii_lowercase();
    if RESERVED.contains(&stem.as_str()) { format!("_{clean}") } else { clean }
}

/// The same, or a name by the number and the media type when nothing is left of it.
pub fn safe_or(name: Option<&str>, number: usize, media_type: &str) -> String {
    let safe = safe(name.unwrap_or(""));
    if !safe.is_empty() {
        return safe;
    }
    let ending = ENDINGS.iter().find(|it| it.0 == media_type).map_or("bin", |it| it.1);
    format!("attachment-{number}.{ending}")
}

/// The name with a number before its ending.
pub fn numbered(name: &str, number: usize) -> String {
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => (stem, format!(" ({number}).{ending}")),
        _ => (name, format!(" ({number})")),
    };
    let room = FILE_NAME_CHARS_MAX.saturating_sub(ending.chars().count());
    let stem: String = stem.chars().take(room).collect();
    format!("{}{ending}", stem.trim_end_matches(['.', ' ']))
}

fn cut(name: &str) -> String {
    if name.chars().count() <= FILE_NAME_CHARS_MAX {
        return name.to_owned();
    }
    let ending = name.rsplit_once('.').map(|it| it.1);
    let ending = ending.filter(|it| it.chars().count() <= ENDING_CHARS_MAX);
    let room = FILE_NAME_CHARS_MAX - ending.map_or(0, |it| it.chars().count() + 1);
    let stem: String = name.chars().take(room).collect();
    let stem = stem.trim_end_matches(['.', ' ']);
    ending.map_or_else(|| stem.to_owned(), |it| format!("{stem}.{it}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_lose_what_is_dangerous() {
        for (name, safe_name) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            (r"C:\Windows\system32\cmd.exe", "cmd.exe"),
            ("/etc/", ""),
            ("..", ""),
            (".htaccess", "htaccess"),
            ("a\r\nContent-Type: b.txt", "aContent-Type_ b.txt"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("nul", "_nul"),
            ("COM1.txt", "_COM1.txt"),
            ("console.txt", "console.txt"),
            ("a<b>|?.txt ", "a_b___.txt"),
            ("résumé 履歴書.docx", "résumé 履歴書.docx"),
            ("x\0.exe", "x.exe"),
        ] {
            assert_eq!(safe(name), safe_name, "{name:?}");
        }
        assert_eq!(safe_or(Some("/"), 2, "image/png"), "attachment-2.png");
        assert_eq!(numbered("a.tar.gz", 2), "a.tar (2).gz");
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let name = safe(&format!("{}.pdf", "é".repeat(500)));

        assert_eq!(name.chars().count(), FILE_NAME_CHARS_MAX);
        assert!(name.ends_with("é.pdf"));
        let second = numbered(&name, 2);
        assert!(second.ends_with("é (2).pdf"));
        assert_eq!(safe(&second), second);
    }

    proptest! {
        #[test]
        fn a_safe_name_stays_as_it_is(name in "\\PC{0,200}") {
            let once = safe(&name);
            prop_assert_eq!(&safe(&once), &once);
            prop_assert!(!once.contains(['/', '\\', '\0', '\n']));
        }
    }
}
