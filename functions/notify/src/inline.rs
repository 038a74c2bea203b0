//! Images in the words: files that a page refers to by their name, as `cid:logo.png`. Pure.
//!
//! An address of that scheme is the `Content-ID` of a part (RFC 2392), which has the form of an
//! address and is like no other. So each file that is referred to gets one, made of the delivery's
//! id, and the page is written with it.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use shared::domain::Id;

use crate::files::File;

/// How a page names a part of its mail.
const SCHEME: &str = "cid:";

/// A page, and which files are among its words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Placed {
    /// The page, with each reference to a file as that file's `Content-ID`.
    pub page: String,
    /// Of each file its `Content-ID`, without angle brackets; `None` of one that the page does not
    /// refer to.
    pub ids: Vec<Option<String>>,
}

/// Finds the files that the page refers to. What is the name of no file is left as it is.
pub fn placed(page: &str, files: &[File], mail: &Id) -> Placed {
    let mut ids = vec![None; files.len()];
    let mut out = String::with_capacity(page.len());
    let mut rest = page;
    while let Some((before, name, after)) = next(rest) {
        out.push_str(before);
        let wanted = plain(name);
        let number = files.iter().position(|it| it.name == wanted);
        match number.and_then(|it| Some((it, ids.get_mut(it)?))) {
            Some((number, id)) => {
                // Short, for Resend takes up to 127 characters, and never the name of a host.
                let id = id.get_or_insert_with(|| format!("{number}.{mail}@inline.invalid"));
                out.push_str(id);
            }
            None => out.push_str(name),
        }
        rest = after;
    }
    out.push_str(rest);
    Placed { page: out, ids }
}

/// The next reference: what is up to its scheme, its name, and what follows.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let at = find(text.get(from..)?)? + from;
        let (before, rest) = text.split_at_checked(at + SCHEME.len())?;
        // In a value of an attribute or in `url(…)`, and not in the words.
        let end = match before.get(..at)?.chars().next_back() {
            Some(quote @ ('"' | '\'')) => rest.find(quote),
            Some('=' | '(') => rest.find(|it: char| it.is_whitespace() || "\"')>".contains(it)),
            _ => None,
        };
        if let Some((name, after)) = end.and_then(|it| rest.split_at_checked(it)) {
            return Some((before, name, after));
        }
        from = before.len();
    }
}

fn find(text: &str) -> Option<usize> {
    let all = text.as_bytes().windows(SCHEME.len());
    all.enumerate().find(|it| it.1.eq_ignore_ascii_case(SCHEME.as_bytes())).map(|it| it.0)
}

/// The name as its file has it: neither escaped for a page nor for an address.
fn plain(name: &str) -> String {
    let escapes = [
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ];
    let name = escapes.iter().fold(Cow::Borrowed(name), |it, (from, to)| match it.contains(from) {
        true => it.replace(from, to).into(),
        false => it,
    });
    percent_decode_str(&name).decode_utf8_lossy().into_owned()
}
