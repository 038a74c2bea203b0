//! The tags and texts of HTML, one after the other, in one pass and without a tree.

/// What stands there next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Token<'a> {
    /// Letters and entities.
    Text(&'a str),
    /// An element begins.
    Open {
        /// What it is called, as it is written.
        name: &'a str,
        /// The rest of the tag.
        attributes: &'a str,
    },
    /// An element ends.
    Close {
        /// What it is called, as it is written.
        name: &'a str,
    },
}

/// Elements whose insides are no HTML, and nothing that is read.
const SKIPPED: &[&str] =
    &["script", "style", "title", "template", "noscript", "textarea", "select", "iframe", "object"];

/// Goes over HTML. What a tag or a comment that never ends holds is nothing, as in browsers.
pub struct Scan<'a> {
    rest: &'a str,
    skipped: Option<&'a str>,
}

impl<'a> Scan<'a> {
    /// From the beginning.
    pub fn new(html: &'a str) -> Self {
        Self { rest: html, skipped: None }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    /// The text before the next tag, or the tag.
    fn step(&mut self) -> Option<Option<Token<'a>>> {
        if self.rest.is_empty() {
            return None;
        }
        let at = tag_start(self.rest);
        if at > 0 {
            let (text, rest) = self.rest.split_at(at);
            self.rest = rest;
            return Some(Some(Token::Text(text)));
        }
        if let Some(inside) = self.rest.strip_prefix("<!--") {
            self.rest = inside.find("-->").and_then(|it| inside.get(it + 3..)).unwrap_or("");
            return Some(None);
        }
        let end = tag_end(self.rest);
        let (tag, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        end?;
        let inside = tag.get(1..tag.len() - 1).unwrap_or("");
        if inside.starts_with(['!', '?']) {
            return Some(None);
        }
        let (is_close, inside) = inside.strip_prefix('/').map_or((false, inside), |it| (true, it));
        let end = inside.find(|it: char| it.is_whitespace() || it == '/').unwrap_or(inside.len());
        let (name, attributes) = inside.split_at(end);
        Some(Some(if is_close { Token::Close { name } } else { Token::Open { name, attributes } }))
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let token = self.step()?;
            match (token, self.skipped) {
                (None, _) => {}
                (Some(Token::Close { name }), Some(within)) => {
                    if name.eq_ignore_ascii_case(within) {
                        self.skipped = None;
                    }
                }
                (Some(_), Some(_)) => {}
                (Some(Token::Open { name, attributes }), None)
                    if is_one_of(name, SKIPPED) && !attributes.ends_with('/') =>
                {
                    self.skipped = Some(name);
                }
                (Some(token), None) => return Some(token),
            }
        }
    }
}

/// Whether a name is one of these, in any case.
pub fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|it| it.eq_ignore_ascii_case(name))
}

/// The value of an attribute of a tag; of one without a value it is empty.
pub fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = attributes;
    loop {
        rest = rest.trim_start_matches(|it: char| it.is_whitespace() || it == '/');
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(|it: char| it.is_whitespace() || it == '=').unwrap_or(rest.len());
        let (found, after) = rest.split_at(end);
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('=').map(str::trim_start) {
            None => ("", after),
            Some(it) if it.starts_with(['"', '\'']) => {
                let (quote, inside) = it.split_at(1);
                inside.split_once(quote).unwrap_or((inside, ""))
            }
            Some(it) => it.split_at(it.find(char::is_whitespace).unwrap_or(it.len())),
        };
        if found.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        // A stray `=` names nothing and would be found for ever.
        rest = if found.is_empty() && value.is_empty() && after.len() >= rest.len() {
            rest.get(1..).unwrap_or("")
        } else {
            after
        };
    }
}

/// Where the next tag begins.
fn tag_start(html: &str) -> usize {
    let mut from = 0;
    while let Some(at) = html.get(from..).and_then(|it| it.find('<')) {
        let after = html.as_bytes().get(from + at + 1).copied().unwrap_or(b' ');
        if after.is_ascii_alphabetic() || matches!(after, b'/' | b'!' | b'?') {
            return from + at;
        }
        from += at + 1;
    }
    html.len()
}

/// Where the tag that `html` begins with ends, a `>` in quotes left alone.
fn tag_end(html: &str) -> Option<usize> {
    let mut quote = None;
    let mut is_value = false;
    for (at, letter) in html.bytes().enumerate() {
        match (quote, letter) {
            (Some(it), _) if it == letter => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') if is_value => quote = Some(letter),
            (None, b'>') => return Some(at + 1),
            (None, _) => {}
        }
        is_value = letter == b'=' || is_value && letter.is_ascii_whitespace();
    }
    None
}
