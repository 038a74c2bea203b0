//! What a mail says, of its parts: the text, the HTML, and which parts they are.

use super::{
    charset, flowed, html,
    kind::Kind,
    part::{Part, Parts},
};

/// The longest text that is read, in bytes. The rest is in the original.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// How much of one part is decoded for it, in bytes.
const PART_BYTES_MAX: usize = 1024 * 1024;

/// What a mail says.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// In letters; of HTML where there is nothing else.
    pub text: String,
    /// As its sender formatted it, as far as that may be shown.
    pub html: Option<String>,
    /// Whether there was HTML that is not shown.
    pub html_left_out: bool,
    /// Whether the text goes on in the original.
    pub is_cut: bool,
    /// Which parts it is made of.
    pub of: Vec<usize>,
    /// Which of those were broken: what could not be read is to be kept.
    pub broken: Vec<usize>,
}

/// Parts of which one is shown, or one part.
#[derive(Default)]
struct Block {
    choice: Option<usize>,
    plain: Vec<usize>,
    html: Vec<usize>,
}

/// Reads what a mail says.
pub fn read(raw: &[u8], parts: &Parts) -> Body {
    let mut body = Body::default();
    let mut blocks: Vec<Block> = Vec::new();
    for (number, part) in parts.all.iter().enumerate() {
        if !is_body(part, blocks.is_empty()) {
            continue;
        }
        let joins = |it: &&mut Block| part.choice.is_some() && it.choice == part.choice;
        if blocks.last_mut().filter(joins).is_none() {
            blocks.push(Block { choice: part.choice, ..Block::default() });
        }
        let Some(block) = blocks.last_mut() else { continue };
        match part.kind.word.as_str() {
            "text/html" => block.html.push(number),
            _ => block.plain.push(number),
        }
        body.of.push(number);
    }
    let mut texts = Vec::new();
    let mut formatted = Vec::new();
    for block in blocks {
        let plain = decode_all(raw, parts, &block.plain, &mut body);
        let pages = decode_all(raw, parts, &block.html, &mut body);
        let text = plain.join("\n\n");
        texts.push(if text.trim().is_empty() && !pages.is_empty() {
            let room = TEXT_BYTES_MAX;
            pages.iter().map(|it| html::text(it, room)).collect::<Vec<_>>().join("\n\n")
        } else {
            text.clone()
        });
        if !pages.is_empty() {
            formatted.extend(pages.into_iter().map(Ok));
        } else if !text.trim().is_empty() {
            formatted.push(Err(text));
        }
    }
    body.text = tidy(&texts.join("\n\n"));
    if body.text.len() > TEXT_BYTES_MAX {
        let end = body.text.char_indices().map(|it| it.0).take_while(|it| *it <= TEXT_BYTES_MAX);
        body.text.truncate(end.last().unwrap_or(0));
        body.is_cut = true;
    }
    if formatted.iter().any(Result::is_ok) {
        let pages = formatted.iter().map(|it| match it {
            Ok(page) => html::clean(page),
            Err(text) => Some(html::of_text(text)),
        });
        body.html = pages.collect::<Option<Vec<_>>>().map(|it| it.join("\n<hr>\n"));
        body.html = body.html.take().filter(|it| it.len() <= 2 * html::HTML_BYTES_MAX);
        body.html_left_out = body.html.is_none();
    }
    body
}

/// Whether a part is what the mail says, rather than a file that came with it.
fn is_body(part: &Part, is_first: bool) -> bool {
    let is_text = matches!(&*part.kind.word, "text/plain" | "text/html" | "text" | "text/enriched");
    let has_name = part.disposition.parameter("filename").or(part.kind.parameter("name")).is_some();
    is_text
        && !part.is_too_deep
        && part.disposition.word != "attachment"
        && (!has_name || is_first && part.disposition.parameter("filename").is_none())
}

fn decode_all(raw: &[u8], parts: &Parts, numbers: &[usize], body: &mut Body) -> Vec<String> {
    let mut texts = Vec::new();
    for number in numbers {
        let Some(part) = parts.all.get(*number) else { continue };
        let whole = raw.get(part.body.clone()).unwrap_or_default();
        let bytes = whole.get(..whole.len().min(PART_BYTES_MAX)).unwrap_or_default();
        body.is_cut |= bytes.len() < whole.len();
        let (decoded, is_good) = part.encoding.decode_text(bytes);
        // What was cut in the middle is not broken.
        if !is_good && bytes.len() == whole.len() {
            body.broken.push(*number);
        }
        texts.push(text(&decoded, &part.kind));
    }
    texts
}

fn text(bytes: &[u8], kind: &Kind) -> String {
    let label = kind.parameter("charset").map(ToOwned::to_owned);
    let label = label.or_else(|| (kind.word == "text/html").then(|| html::charset(bytes))?);
    let text = charset::text(bytes, label.as_deref());
    let is = |name: &str, value: &str| {
        kind.parameter(name).is_some_and(|it| it.eq_ignore_ascii_case(value))
    };
    if kind.word == "text/plain" && is("format", "flowed") {
        flowed::unfold(&text, is("delsp", "yes"))
    } else {
        text
    }
}

/// Line breaks of one kind, no controls, and no more than two empty lines in a row.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.replace("\r\n", "\n").replace(['\r', '\u{85}', '\u{2028}'], "\n").split('\n') {
        let line: String = line
            .chars()
            .map(|it| if matches!(it, '\u{a0}' | '\u{c}' | '\u{b}') { ' ' } else { it })
            .filter(|it| *it == '\t' || !it.is_control() && *it != '\u{feff}')
            .collect();
        // The space of `-- ` says that a signature follows.
        let line = if line == "-- " { line.as_str() } else { line.trim_end() };
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty <= 2 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.trim_matches('\n').to_owned()
}
