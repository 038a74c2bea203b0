//! Subjects, without what programs put before them: the base subject of RFC 5256, section 2.1, in
//! more languages than its own.

/// How many prefixes are taken off. More are no subject of anybody.
const PREFIXES_MAX: usize = 50;

/// What programs write before the subject of an answer.
const ANSWERS: &[&str] = &[
    "re",
    "aw",
    "antw",
    "antwort",
    "sv",
    "vs",
    "vá",
    "ref",
    "rép",
    "rif",
    "r",
    "odp",
    "ynt",
    "ats",
    "atb",
    "bls",
    "rsp",
    "res",
    "ynt",
    "απ",
    "σχετ",
    "回复",
    "回覆",
    "答复",
    "答覆",
    "返信",
    "回信",
    "답장",
    "회신",
    "تر",
    "رد",
    "השב",
    "trả lời",
    "balas",
];

/// What they write before one that is handed on.
const FORWARDS: &[&str] = &[
    "fw",
    "fwd",
    "wg",
    "tr",
    "rv",
    "enc",
    "i",
    "doorst",
    "vl",
    "vb",
    "vs",
    "vbs",
    "pd",
    "továbbítás",
    "továbbítva",
    "i̇lt",
    "ilt",
    "πρθ",
    "转发",
    "轉寄",
    "転送",
    "fyi",
    "전달",
    "إعادة توجيه",
    "הועבר",
    "fwd msg",
    "trans",
];

/// The subject that all mails of a conversation have: without prefixes of answers, without what
/// stands in brackets before it, in one spelling.
pub fn base(subject: &str) -> String {
    let mut rest = subject.trim();
    for _ in 0..PREFIXES_MAX {
        let next = without_blob(without_prefix(rest).0).trim();
        let next = next.strip_suffix("(fwd)").unwrap_or(next).trim_end();
        if next == rest || next.is_empty() {
            break;
        }
        rest = next;
    }
    let words: Vec<_> = rest.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// Whether a subject says that a mail is handed on, before it says anything else.
pub fn is_forward(subject: &str) -> bool {
    let mut rest = subject.trim();
    for _ in 0..PREFIXES_MAX {
        let (next, prefix) = without_prefix(rest);
        match prefix {
            None => return false,
            Some(it) if is_in(it, FORWARDS) && !is_in(it, ANSWERS) => return true,
            Some(_) => rest = next.trim(),
        }
    }
    false
}

/// The subject without one prefix, and the prefix: `Re:`, `RE[2]:`, `Aw (3) :`.
fn without_prefix(subject: &str) -> (&str, Option<&str>) {
    let none = (subject, None);
    let Some((head, rest)) = subject.split_once([':', '：']) else { return none };
    // `[list] Re: x` is a blob first.
    let word = head.split(['[', '(', '（']).next().unwrap_or("").trim();
    let counter = head.get(head.find(word).unwrap_or(0) + word.len()..).unwrap_or("").trim();
    let is_counter = counter.chars().all(|it| it.is_ascii_digit() || "[]()（） ".contains(it));
    let word = word.trim_end_matches(|it: char| it.is_ascii_digit() || it == '^');
    match is_counter && (is_in(word, ANSWERS) || is_in(word, FORWARDS)) {
        true => (rest, Some(word)),
        false => none,
    }
}

fn is_in(word: &str, all: &[&str]) -> bool {
    let word = word.to_lowercase();
    all.contains(&word.as_str())
}

/// The subject without a word in brackets at its start, unless there is nothing else.
fn without_blob(subject: &str) -> &str {
    let trimmed = subject.trim_start();
    let Some((blob, rest)) = trimmed.strip_prefix('[').and_then(|it| it.split_once(']')) else {
        return subject;
    };
    let is_blob = !blob.contains('[') && blob.chars().count() <= 60;
    if is_blob && !rest.trim().is_empty() { rest } else { subject }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_have_the_subject_of_what_they_answer() {
        for subject in [
            "Broken printer",
            "Re: Broken printer",
            "RE:Broken  printer",
            "AW: Re: Broken printer",
            "Re[2]: Broken printer",
            "Sv: VS: Broken printer",
            "[EXTERNAL] Re: Broken printer",
            "Re: [Ticket 12] Broken printer",
            "回复：Broken printer",
            "Fwd: Broken printer (fwd)",
            "RE : Broken printer",
            "Re: Re: Re: broken printer ",
            "Antwort: Broken printer",
        ] {
            assert_eq!(base(subject), "broken printer", "{subject}");
        }
    }

    #[test]
    fn what_is_no_prefix_stays() {
        assert_eq!(base("Invoice: 12"), "invoice: 12");
        assert_eq!(base("Re:"), "re:");
        assert_eq!(base("[spam]"), "[spam]");
        assert_eq!(base("Research: mice"), "research: mice");
        assert_eq!(base(""), "");
        assert_eq!(base("Error 500: at checkout"), "error 500: at checkout");
    }

    #[test]
    fn what_is_handed_on_says_so() {
        assert!(is_forward("Fwd: Broken printer"));
        assert!(is_forward("Re: WG: Broken printer"));
        assert!(is_forward("转发: a"));
        assert!(!is_forward("Re: Broken printer"));
        assert!(!is_forward("VS: Broken printer"));
        assert!(!is_forward("Forwarding does not work"));
    }

    proptest! {
        #[test]
        fn a_base_subject_stays_as_it_is(subject in "(Re|Fwd|AW|\\[x\\]|:| |\\(2\\)|a|é|：){0,30}") {
            prop_assert_eq!(base(&base(&subject)), base(&subject));
        }
    }
}
