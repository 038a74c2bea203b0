//! What of an answer is new, and what it quotes. Careful: what may be somebody's own words stays,
//! and where nothing else would be left all of it does.

mod words;

use self::words::{FROM, ORIGINALS, OTHERS, SENT_FROM, STARTS, VERBS};
use super::token;

/// Over how many lines the line that says who wrote what is quoted may be broken.
const ATTRIBUTION_LINES_MAX: usize = 4;
/// The longest of it, in bytes.
const ATTRIBUTION_BYTES_MAX: usize = 500;
/// How many lines a header that is quoted has.
const HEADER_LINES_MAX: usize = 7;
/// How many lines a signature has at most: what is longer is none.
const SIGNATURE_LINES_MAX: usize = 20;

/// A text in two.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Split {
    /// What its sender wrote.
    pub own: String,
    /// What was quoted, with the lines that introduce it, and the signature.
    pub quoted: String,
}

/// Splits a text. One that is handed on (`is_forward`) stays whole, as it is what the mail is about.
pub fn split(text: &str, is_forward: bool) -> Split {
    let lines: Vec<&str> = text.lines().collect();
    let whole = || Split { own: text.trim().to_owned(), quoted: String::new() };
    if is_forward || is_handed_on(&lines) {
        return whole();
    }
    let mut own = vec![true; lines.len()];
    mark_tail(&lines, &mut own);
    mark_quotes(&lines, &mut own);
    mark_signature(&lines, &mut own);
    let pick = |mine: bool| -> String {
        let chosen = lines.iter().zip(&own).filter(|it| *it.1 == mine).map(|it| *it.0);
        let text = chosen.collect::<Vec<_>>().join("\n");
        text.trim_matches('\n').trim_end().to_owned()
    };
    let mine = pick(true);
    // Lines of dots or dashes alone are nothing to answer.
    if !mine.chars().any(char::is_alphanumeric) && !has_symbols(&mine) {
        return whole();
    }
    Split { own: mine.trim().to_owned(), quoted: pick(false) }
}

/// Whether somebody answered with a sign alone: 👍.
fn has_symbols(text: &str) -> bool {
    text.chars().any(|it| !it.is_ascii() && !it.is_whitespace() && !"—–…―─".contains(it))
        || text.contains(['?', '!', '+'])
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

fn set(own: &mut [bool], from: usize, to: usize) {
    for it in own.iter_mut().take(to).skip(from) {
        *it = false;
    }
}

/// Whether the first thing that is not the sender's own is a mail that is handed on.
fn is_handed_on(lines: &[&str]) -> bool {
    for (at, line) in lines.iter().enumerate() {
        if words::is_forward_line(line) {
            return true;
        }
        if is_quoted(line) || is_original(line) || attribution(lines, at).is_some() {
            return false;
        }
    }
    false
}

/// Marks what is quoted below, to the end: after a marker of ours, `-----Original Message-----`, a
/// header in the text, or who wrote what without a `>`.
fn mark_tail(lines: &[&str], own: &mut [bool]) {
    for (at, line) in lines.iter().enumerate() {
        let from = if token::is_marker(line) || words::is_others_marker(line) || is_original(line) {
            Some(at)
        } else if is_header(lines, at) {
            Some(before_rule(lines, at))
        } else {
            attribution(lines, at).filter(|it| is_plain_tail(lines, at, *it)).map(|_| at)
        };
        let Some(from) = from else { continue };
        // Who wrote it may stand above the marker.
        let from = (from.saturating_sub(ATTRIBUTION_LINES_MAX + 1)..from)
            .find(|it| attribution(lines, *it).is_some_and(|end| is_blank(lines, end, from)))
            .unwrap_or(from);
        // What is quoted above belongs to the other rule.
        if !is_quoted(line) || token::is_marker(line) {
            set(own, from, lines.len());
            return;
        }
    }
}

fn is_blank(lines: &[&str], from: usize, to: usize) -> bool {
    lines.iter().take(to).skip(from).all(|it| it.trim().is_empty())
}

/// Whether what follows who wrote what has no `>`: the whole rest is the quote, if it is surely one.
fn is_plain_tail(lines: &[&str], at: usize, end: usize) -> bool {
    let next = lines.iter().skip(end).find(|it| !it.trim().is_empty());
    let said: String = lines.iter().take(end).skip(at).copied().collect::<Vec<_>>().join(" ");
    let is_sure = (said.contains('@') || has_time(&said))
        && (STARTS.iter().any(|it| said.trim_start().starts_with(it))
            || said.trim_start().starts_with(|it: char| it.is_ascii_digit())
            || said.contains('@'));
    next.is_some_and(|it| !is_quoted(it)) && is_sure
}

/// Whether a time of day or a year is in there.
fn has_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |it: Option<&u8>| it.is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).any(|at| {
        let time = is_digit(bytes.get(at))
            && matches!(bytes.get(at + 1), Some(b':' | b'.'))
            && is_digit(bytes.get(at + 2));
        let year = (0..4).all(|it| is_digit(bytes.get(at + it)));
        time || year
    })
}

/// Marks lines with a `>` and who wrote them. Where they have answers between them they stay,
/// because without them nobody would know what is answered; the last ones do not.
fn mark_quotes(lines: &[&str], own: &mut [bool]) {
    let mut blocks: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let is_open = own.get(at).copied().unwrap_or(false);
        if is_open && lines.get(at).is_some_and(|it| is_quoted(it)) {
            let mut end = at;
            let mut next = at;
            while let Some(line) = lines.get(next).filter(|_| own.get(next) == Some(&true)) {
                if is_quoted(line) {
                    end = next + 1;
                } else if !line.trim().is_empty() {
                    break;
                }
                next += 1;
            }
            blocks.push((introduced(lines, at), end));
            at = end;
        } else {
            at += 1;
        }
    }
    let has_own = |from: usize, to: usize| {
        let lines = lines.iter().zip(own.iter()).take(to).skip(from);
        lines.into_iter().any(|(line, own)| *own && !line.trim().is_empty())
    };
    let is_between = blocks.windows(2).any(|it| match it {
        [first, second] => has_own(first.1, second.0),
        _ => false,
    });
    let last = blocks.last().copied();
    if is_between {
        if let Some((from, to)) = last.filter(|it| !has_own(it.1, lines.len())) {
            set(own, from, to);
        }
        return;
    }
    for (from, to) in blocks {
        set(own, from, to);
    }
}

/// Where the lines begin that say who wrote what is quoted from `at` on.
fn introduced(lines: &[&str], at: usize) -> usize {
    let first = at.saturating_sub(ATTRIBUTION_LINES_MAX + 2);
    let says = |from: usize| attribution(lines, from).is_some_and(|end| is_blank(lines, end, at));
    (first..at).find(|from| says(*from)).unwrap_or(at)
}

/// Where the line ends that begins here and says who wrote what: `On …, Ada <ada@…> wrote:`.
fn attribution(lines: &[&str], at: usize) -> Option<usize> {
    let first = lines.get(at)?.trim();
    if first.is_empty() || is_quoted(first) {
        return None;
    }
    let mut said = String::new();
    for (number, line) in lines.iter().enumerate().skip(at).take(ATTRIBUTION_LINES_MAX) {
        let line = line.trim();
        if line.is_empty() || is_quoted(line) || said.len() + line.len() > ATTRIBUTION_BYTES_MAX {
            return None;
        }
        said.push_str(line);
        if line.ends_with([':', '：']) {
            return says_who(&said).then_some(number + 1);
        }
        said.push(' ');
    }
    None
}

fn says_who(said: &str) -> bool {
    let lower = said.to_lowercase();
    let has_verb = VERBS.iter().any(|it| lower.contains(it));
    // In Japanese the address is the last word: `2026年1月5日(月) 9:00 名前 <a@example.com>:`
    let ends_in_address =
        lower.trim_end_matches([':', '：', ' ']).ends_with('>') && lower.contains('@');
    let has_date = lower.bytes().any(|it| it.is_ascii_digit());
    has_verb && (has_date || lower.contains('@')) || ends_in_address && has_date
}

/// Whether it is a line as `-----Original Message-----`.
fn is_original(line: &str) -> bool {
    let line = line.trim().trim_start_matches(['>', ' ']);
    let inside = line.trim_matches(['-', '_', '=', ' ', '*']);
    let has_rule = line.starts_with("--") || line.starts_with("__") || line.starts_with("==");
    let inside = inside.to_lowercase().replace('’', "'");
    has_rule && ORIGINALS.iter().any(|it| inside == *it || inside.starts_with(&format!("{it} ")))
}

/// Whether a header that is quoted begins here: who, and at least two of when, to whom and what.
fn is_header(lines: &[&str], at: usize) -> bool {
    let label = |line: &str| {
        let line = line.trim().trim_start_matches(['*', ' ']);
        let (label, _) = line.split_once([':', '：'])?;
        let label = label.trim_end_matches(['*', ' ']).to_lowercase();
        (label.chars().count() <= 20).then_some(label)
    };
    let is_from = |it: &str| label(it).is_some_and(|it| FROM.contains(&it.as_str()));
    if !lines.get(at).is_some_and(|it| is_from(it)) {
        return false;
    }
    let rest = lines.iter().skip(at + 1).take(HEADER_LINES_MAX);
    let others = rest.filter_map(|it| label(it)).filter(|it| OTHERS.contains(&it.as_str()));
    others.count() >= 2
}

/// The rule that Outlook draws above a header, if there is one.
fn before_rule(lines: &[&str], at: usize) -> usize {
    let first = at.saturating_sub(2);
    let is_rule = |it: &str| it.len() >= 5 && it.chars().all(|it| "_-─—*".contains(it));
    (first..at)
        .find(|it| {
            lines.get(*it).is_some_and(|line| is_rule(line.trim())) && is_blank(lines, it + 1, at)
        })
        .unwrap_or(at)
}

/// Marks the signature: after `-- ` (RFC 3676, section 4.3), or what a telephone writes.
fn mark_signature(lines: &[&str], own: &mut [bool]) {
    let mine: Vec<usize> = own.iter().enumerate().filter(|it| *it.1).map(|it| it.0).collect();
    let is_separator = |at: usize| lines.get(at).is_some_and(|it| *it == "-- " || *it == "--");
    let end = mine.iter().rev().take(SIGNATURE_LINES_MAX + 1).find(|it| is_separator(**it));
    let last =
        || mine.iter().rev().find(|it| lines.get(**it).is_some_and(|it| !it.trim().is_empty()));
    let telephone = || {
        last().filter(|it| {
            let line = lines.get(**it).map_or("", |it| it.trim()).to_lowercase();
            line.chars().count() <= 80 && SENT_FROM.iter().any(|it| line.starts_with(it))
        })
    };
    let Some(from) = end.or_else(telephone).copied() else { return };
    for at in mine.into_iter().filter(|it| *it >= from) {
        set(own, at, at + 1);
    }
}

#[cfg(test)]
mod tests;
