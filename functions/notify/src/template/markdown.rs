//! Markdown that was filled in: its HTML, and its plain text. Pure.
//!
//! What is filled in is disguised: each character of ASCII that is neither a letter nor a digit is
//! written as one of Unicode's private use, which CommonMark takes for a letter. So no value opens
//! a link, a heading or a tag, wherever it stands, and in code it reads as it is. When the text is
//! parsed, the disguise comes off.

use std::fmt::Write as _;

use minijinja::Output;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Where the disguises begin: the character of code `n` is `DISGUISE + n`.
const DISGUISE: u32 = 0xE000;
/// How many there are: all of ASCII.
const DISGUISES: u32 = 0x80;
/// What a link may lead to.
const SCHEMES: [&str; 4] = ["https:", "http:", "mailto:", "tel:"];
/// What an image may be, beside these: a file of the same mail (RFC 2392).
const WITHIN: &str = "cid:";

/// Writes a value, disguised. What came in disguise is left out.
pub fn write_disguised(out: &mut Output<'_>, text: &str) -> std::fmt::Result {
    text.chars().filter(|it| undisguised(*it).is_none()).try_for_each(|it| {
        let harmless = !it.is_ascii() || it.is_ascii_alphanumeric();
        let disguised = char::from_u32(DISGUISE + u32::from(it)).filter(|_| !harmless);
        write!(out, "{}", disguised.unwrap_or(it))
    })
}

/// What is behind a disguise. `None` when it is none.
fn undisguised(it: char) -> Option<char> {
    let code = u32::from(it).checked_sub(DISGUISE).filter(|it| *it < DISGUISES)?;
    char::from_u32(code)
}

fn bare(text: CowStr<'_>) -> CowStr<'_> {
    if text.chars().any(|it| undisguised(it).is_some()) {
        text.chars().map(|it| undisguised(it).unwrap_or(it)).collect::<String>().into()
    } else {
        text
    }
}

/// The text in its parts, without disguises, without tags of HTML, and without links to what is no
/// address.
fn parts(source: &str) -> impl Iterator<Item = Event<'_>> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    Parser::new_ext(source, options).map(|it| match it {
        Event::Text(text) => Event::Text(bare(text)),
        Event::Code(text) => Event::Code(bare(text)),
        // Tags are the author's, but data may be in them: they are shown, not obeyed.
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(bare(text)),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let (dest_url, title) = (address(dest_url), bare(title));
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let (dest_url, title) = (bare(dest_url), bare(title));
            let dest_url = if is(&dest_url, WITHIN) { dest_url } else { address(dest_url) };
            Event::Start(Tag::Image { link_type, dest_url, title, id })
        }
        it => it,
    })
}

/// The address of a link, or `#`, which leads nowhere, when it is not one of [`SCHEMES`].
fn address(text: CowStr<'_>) -> CowStr<'_> {
    let text = bare(text);
    if SCHEMES.iter().any(|it| is(&text, it)) { text } else { "#".into() }
}

fn is(address: &str, scheme: &str) -> bool {
    address.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme))
}

/// As HTML: the inside of a body.
pub fn to_html(source: &str) -> String {
    let mut out = String::new();
    html::push_html(&mut out, parts(source));
    out
}

/// As plain text: blocks with a line between, lists with their marks, links with their addresses.
pub fn to_text(source: &str) -> String {
    let mut writer = Text::default();
    for part in parts(source) {
        writer.take(part);
    }
    let lines: Vec<_> = writer.out.lines().map(str::trim_end).collect();
    lines.join("\n").trim().to_owned()
}

/// Plain text while it is written.
#[derive(Default)]
struct Text {
    out: String,
    /// The lists that it is in: the number of the next item, or none.
    lists: Vec<Option<u64>>,
    /// The links that it is in: where the address leads, and where its words begin.
    links: Vec<(String, usize)>,
}

impl Text {
    fn take(&mut self, part: Event<'_>) {
        match part {
            Event::Text(text) | Event::Code(text) => self.out.push_str(&text),
            Event::SoftBreak | Event::HardBreak => self.out.push('\n'),
            Event::Rule => self.out.push_str("---\n\n"),
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::List(number) => {
                self.line();
                self.lists.push(number);
            }
            Tag::Item => {
                self.line();
                let indent = "  ".repeat(self.lists.len().saturating_sub(1));
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "- ".to_owned(),
                };
                self.out.push_str(&indent);
                self.out.push_str(&mark);
            }
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.links.push((dest_url.into_string(), self.out.len()));
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::Heading(_) if self.lists.is_empty() => {
                self.gap();
            }
            TagEnd::List(_) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.gap();
                }
            }
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::TableRow => self.line(),
            TagEnd::CodeBlock | TagEnd::Table | TagEnd::BlockQuote(_) | TagEnd::TableHead => {
                self.gap();
            }
            TagEnd::TableCell => self.out.push('\t'),
            TagEnd::Link | TagEnd::Image => self.close_link(),
            _ => {}
        }
    }

    /// Says where a link leads, unless its words do or it leads nowhere.
    fn close_link(&mut self) {
        let Some((address, from)) = self.links.pop() else { return };
        let words = self.out.get(from..).unwrap_or("");
        let is_said = words == address || address.strip_prefix("mailto:") == Some(words);
        if !is_said && address != "#" && !is(&address, WITHIN) {
            // A string takes whatever is written to it.
            let _ = write!(self.out, " ({address})");
        }
    }

    /// Leaves one line empty.
    fn gap(&mut self) {
        self.line();
        if !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Begins a line, unless one has just begun.
    fn line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }
}
