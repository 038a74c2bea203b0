//! HTML of a mail: what is shown of it, and the text that it says.

mod scan;
mod text;

use std::collections::HashSet;

use ammonia::{Builder, UrlRelative};

use self::scan::{Scan, Token, is_one_of};
pub use self::text::text;

/// The largest HTML that is shown, in bytes. Of a larger one there is the text.
pub const HTML_BYTES_MAX: usize = 512 * 1024;
/// How deep elements are nested at most in what is shown.
const DEPTH_MAX: usize = 250;
/// How many elements a browser would make of it at most. See [`is_heavy`].
const ELEMENTS_MAX: usize = 200_000;

/// Elements that never have anything in them.
const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];
/// Elements that the next of their kind closes.
const CLOSED_BY_NEXT: &[&str] =
    &["p", "li", "dt", "dd", "td", "th", "tr", "thead", "tbody", "tfoot", "option", "colgroup"];
/// Elements that a parser opens again in each paragraph, until they are closed.
const REOPENED: &[&str] = &[
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];

/// What may be shown of it: no scripts, no forms, no styles, no images but those that came with the
/// mail, so that nobody hears that it was read. `None` when it is too large, or made to be slow.
pub fn clean(html: &str) -> Option<String> {
    if html.len() > HTML_BYTES_MAX || is_heavy(html) {
        return None;
    }
    let mut builder = Builder::default();
    builder
        .url_schemes(HashSet::from(["cid", "http", "https", "mailto", "tel"]))
        .url_relative(UrlRelative::Deny)
        .add_clean_content_tags([
            "title", "template", "noscript", "textarea", "select", "iframe", "object", "xmp",
            "noembed", "noframes",
        ])
        .link_rel(Some("nofollow noopener noreferrer"))
        .attribute_filter(|element, attribute, value| {
            let is_image = element == "img" && attribute == "src";
            let came_along = value.get(..4).is_some_and(|it| it.eq_ignore_ascii_case("cid:"));
            (!is_image || came_along).then(|| value.into())
        });
    let clean = builder.clean(html).to_string();
    Some(clean).filter(|it| it.len() <= 2 * HTML_BYTES_MAX)
}

/// Whether a parser would work on it for long: it looks through all open elements at each tag, and
/// opens those that only change letters again in each paragraph, so that a few kilobytes can become
/// millions of elements.
fn is_heavy(html: &str) -> bool {
    let (mut depth, mut deepest, mut tags) = (0_usize, 0, 0_usize);
    let (mut reopened, mut most) = (0_usize, 0);
    for token in Scan::new(html) {
        match token {
            Token::Open { name, .. } if !is_one_of(name, VOID) => {
                tags += 1;
                depth += usize::from(!is_one_of(name, CLOSED_BY_NEXT));
                reopened += usize::from(is_one_of(name, REOPENED));
            }
            Token::Open { .. } => tags += 1,
            Token::Close { name } => {
                tags += 1;
                depth = depth.saturating_sub(usize::from(!is_one_of(name, CLOSED_BY_NEXT)));
                reopened = reopened.saturating_sub(usize::from(is_one_of(name, REOPENED)));
            }
            Token::Text(_) => {}
        }
        (deepest, most) = (deepest.max(depth), most.max(reopened));
    }
    deepest > DEPTH_MAX || tags.saturating_mul(most + 1) > ELEMENTS_MAX
}

/// The charset that an HTML document says to be in.
pub fn charset(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..bytes.len().min(1024))?;
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let (_, after) = head.split_once("charset=")?;
    let after = after.trim_start_matches(['"', '\'', ' ']);
    let end = after.find(|it: char| !it.is_ascii_alphanumeric() && !"-_:.".contains(it))?;
    after.get(..end).filter(|it| !it.is_empty()).map(ToOwned::to_owned)
}

/// A text as HTML.
pub fn of_text(text: &str) -> String {
    let escaped = ammonia::clean_text(text);
    // `clean_text` escapes spaces and line breaks as well, as it is made for attributes.
    let escaped = escaped.replace("&#32;", " ").replace("&#10;", "<br>");
    format!("<p>{escaped}</p>")
}

#[cfg(test)]
mod tests;
