//! The text of HTML. What an answer quotes has a `>` before each line, as in a mail of text, so
//! that one place alone has to know of quotes.

use mail_parser::decoders::html::add_html_token;

use super::scan::{Scan, Token, attribute, is_one_of};

/// Elements that are on lines of their own.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figure",
    "footer",
    "form",
    "header",
    "hr",
    "main",
    "nav",
    "section",
    "table",
    "tr",
];
/// Elements with an empty line before and after them.
const PARAGRAPHS: &[&str] = &["p", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "pre"];
/// Elements that some program puts what it quotes into, by their class or id.
const QUOTES: &[&str] = &[
    "gmail_quote",
    "gmail_extra",
    "yahoo_quoted",
    "yahooquoted",
    "protonmail_quote",
    "zmail_extra",
    "tutanota_quote",
    "moz-cite-prefix",
    "wordsection1_quote",
    "front-blockquote",
];
/// Elements that some program puts before what it quotes, to the end of the mail.
const QUOTED_FROM_HERE: &[&str] = &[
    "divrplyfwdmsg",
    "x_divrplyfwdmsg",
    "mail-editor-reference-message-container",
    "ms-outlook-mobile-reference-message",
];
/// How deep quotes are told apart.
const QUOTES_MAX: usize = 8;
/// Within how many bytes a mail that is handed on begins.
const FORWARD_BYTES_MAX: usize = 1024;
/// The longest entity.
const ENTITY_BYTES_MAX: usize = 32;

/// The text that HTML says, up to about `bytes_max` bytes.
pub fn text(html: &str, bytes_max: usize) -> String {
    let mut page = Page::default();
    let mut scan = Scan::new(html);
    while let Some(token) = scan.next() {
        if page.out.len() > bytes_max {
            break;
        }
        match token {
            Token::Text(text) => page.text(text),
            Token::Open { name, attributes } => page.open(name, attributes, scan.rest()),
            Token::Close { name } => page.close(name),
        }
    }
    page.out.truncate(page.out.trim_end().len());
    page.out
}

#[derive(Default)]
struct Page {
    out: String,
    /// The quotes that are open: the name of the element, and how many of that name are in it.
    quotes: Vec<(String, usize)>,
    /// Whether all that comes is quoted.
    is_all_quoted: bool,
    preformatted: usize,
    /// Line breaks that are due before the next letter.
    breaks: usize,
    /// Whether a space is due before the next letter.
    space: bool,
    has_line: bool,
}

impl Page {
    fn open(&mut self, name: &str, attributes: &str, rest: &str) {
        if name.eq_ignore_ascii_case("br") {
            // Not the one that a block ends with anyway.
            self.force_break();
        } else if is_one_of(name, PARAGRAPHS) {
            self.break_to(2);
        } else if is_one_of(name, BLOCKS) {
            self.break_to(1);
        } else if name.eq_ignore_ascii_case("li") {
            self.break_to(1);
            self.letters("- ");
        } else if is_one_of(name, &["td", "th"]) {
            self.space = true;
        } else if name.eq_ignore_ascii_case("img")
            && let Some(it) = attribute(attributes, "alt").filter(|it| !it.trim().is_empty())
        {
            self.text(&format!("[{}]", it.trim()));
        }
        self.preformatted += usize::from(name.eq_ignore_ascii_case("pre"));
        if let Some((_, depth)) =
            self.quotes.last_mut().filter(|it| it.0.eq_ignore_ascii_case(name))
        {
            *depth += 1;
        }
        let marks = [attribute(attributes, "class"), attribute(attributes, "id")];
        let is_marked = |names: &[&str]| {
            marks.iter().flatten().any(|it| it.split_whitespace().any(|it| is_one_of(it, names)))
        };
        if is_marked(QUOTED_FROM_HERE) {
            self.is_all_quoted = true;
        } else if (name.eq_ignore_ascii_case("blockquote") || is_marked(QUOTES))
            && self.quotes.len() < QUOTES_MAX
            && !is_forward(rest)
        {
            self.break_to(1);
            self.flush();
            self.quotes.push((name.to_ascii_lowercase(), 1));
        }
    }

    fn close(&mut self, name: &str) {
        if is_one_of(name, PARAGRAPHS) {
            self.break_to(2);
        } else if is_one_of(name, BLOCKS) || name.eq_ignore_ascii_case("li") {
            self.break_to(1);
        }
        if name.eq_ignore_ascii_case("pre") {
            self.preformatted = self.preformatted.saturating_sub(1);
        }
        if let Some((_, depth)) =
            self.quotes.last_mut().filter(|it| it.0.eq_ignore_ascii_case(name))
        {
            *depth -= 1;
            if *depth == 0 {
                self.flush();
                self.quotes.pop();
            }
        }
    }

    fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let length = letter.len_utf8();
            if letter == '&'
                && let Some(end) = rest.bytes().take(ENTITY_BYTES_MAX).position(|it| it == b';')
                && let Some(entity) = rest.get(..=end)
            {
                let mut decoded = String::new();
                add_html_token(&mut decoded, entity.as_bytes(), false);
                let decoded: String = decoded
                    .chars()
                    .filter(|it| !it.is_control() || it.is_whitespace())
                    .map(|it| if it == '\u{a0}' { ' ' } else { it })
                    .collect();
                match decoded.trim() {
                    "" => self.space |= !decoded.is_empty(),
                    _ => self.letters(&decoded),
                }
                rest = rest.get(end + 1..).unwrap_or("");
                continue;
            }
            if self.preformatted > 0 && letter == '\n' {
                self.force_break();
            } else if self.preformatted > 0 && matches!(letter, ' ' | '\t') {
                self.letters(" ");
            } else if letter.is_whitespace() {
                self.space = true;
            } else {
                self.letters(rest.get(..length).unwrap_or(""));
            }
            rest = rest.get(length..).unwrap_or("");
        }
    }

    fn letters(&mut self, letters: &str) {
        self.flush();
        if !self.has_line {
            let depth = self.quotes.len() + usize::from(self.is_all_quoted);
            self.out.extend(std::iter::repeat_n("> ", depth));
        } else if self.space && !self.out.ends_with(' ') {
            self.out.push(' ');
        }
        (self.space, self.has_line) = (false, true);
        self.out.push_str(letters);
    }

    /// One line break, and one more for each that is asked for.
    fn force_break(&mut self) {
        self.breaks = if self.has_line { self.breaks + 1 } else { (self.breaks + 1).min(3) };
        self.space = false;
    }

    /// At least so many line breaks.
    fn break_to(&mut self, breaks: usize) {
        // At the start of a line there is one already.
        self.breaks = self.breaks.max(breaks - usize::from(!self.has_line));
        self.space = false;
    }

    /// Writes the line breaks that are due.
    fn flush(&mut self) {
        let breaks = std::mem::take(&mut self.breaks).min(3);
        if self.out.is_empty() || breaks == 0 {
            return;
        }
        let end = self.out.trim_end_matches(' ').len();
        self.out.truncate(end);
        let depth = self.quotes.len() + usize::from(self.is_all_quoted);
        for number in 0..breaks {
            self.out.push('\n');
            if number + 1 < breaks && depth > 0 {
                self.out.extend(std::iter::repeat_n(">", depth));
            }
        }
        self.has_line = false;
    }
}

/// Whether what is quoted is a mail that is handed on: such a mail says nothing else. Programs draw
/// a line before it in every language.
fn is_forward(rest: &str) -> bool {
    // Not to its end: there may be a quote that is empty on each line of it.
    let end = rest.char_indices().map(|it| it.0).find(|it| *it >= FORWARD_BYTES_MAX);
    let mut scan = Scan::new(rest.get(..end.unwrap_or(rest.len())).unwrap_or(""));
    let first = scan.find_map(|it| match it {
        Token::Text(text) if !text.trim().is_empty() => Some(text.trim_start()),
        _ => None,
    });
    first.is_some_and(|it| it.starts_with("------") || it.starts_with("Begin forwarded"))
}
