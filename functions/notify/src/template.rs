//! Templates: what a tenant writes once, and each recipient reads. Pure.
//!
//! The language is that of Jinja, by `minijinja`: variables, conditions, loops and filters over the
//! notice's data, and nothing of the world around. What is filled in is text, never markup: there
//! is no `safe`. A variable that is not there is a mistake, which is named with its place, and so
//! is a template of which nothing remains.

pub mod markdown;
#[cfg(test)]
mod tests;

use mail_parser::decoders::html::html_to_text;
use minijinja::{
    Environment, ErrorKind, Output, UndefinedBehavior,
    value::{Serde, Value},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest subject, body or text of a template, in bytes.
pub const SOURCE_BYTES_MAX: usize = 64 * 1024;
/// How much a template may do: about one for each step, and for each few bytes that it writes.
const FUEL: u64 = 200_000;
/// The most that a template writes, in bytes.
pub const RENDERED_BYTES_MAX: usize = 256 * 1024;
/// How deep a template may nest.
const DEPTH_MAX: usize = 50;
/// The longest line of a subject, in characters, so that with its name and its encoding it is below
/// the 998 of RFC 5322, 2.1.1.
pub const SUBJECT_CHARS_MAX: usize = 200;

/// The words of a notice, before anybody's data is in them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoticeTemplate)]
pub struct Template {
    /// In one line: the subject of an e-mail, the title of what is in the product.
    pub subject: String,
    /// What follows it.
    #[serde(flatten)]
    pub body: Body,
}

/// What follows the subject: either of the two.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NoticeTemplateBody)]
pub enum Body {
    /// CommonMark. Tags of HTML in it are shown as they are written.
    Markdown(String),
    /// HTML, in which all data is escaped.
    Html(String),
}

/// What one recipient reads. All of it is there, and none of it is empty.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rendered {
    /// The tag of the translation that it is; `None` of the template itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// In one line.
    pub subject: String,
    /// For whoever reads plain text: it is always made.
    pub text: String,
    /// As HTML: the inside of a body.
    pub html: String,
}

/// Why a template does not become a notice, and where in it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{part}, line {line}, column {column}: {why}")]
pub struct Error {
    /// `subject`, `markdown` or `html`.
    pub part: &'static str,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong with a template.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Why {
    /// A variable that the data does not have.
    #[error("{0} is not in the data: send it, or ask with `is defined` before")]
    Unknown(String),
    /// It is not in the language, or asks of a value what that cannot do.
    #[error("{0}")]
    Mistake(String),
    /// It does too much.
    #[error("it does too much: loop over less")]
    TooMuch,
    /// It is too long, as it is written or when it is filled in.
    #[error("at most {0} bytes")]
    TooLong(usize),
    /// Nothing is left of it.
    #[error("nothing is left of it with this data: a notice needs words")]
    Empty,
}

/// How values are made harmless.
type Write = fn(&mut Output<'_>, &str) -> std::fmt::Result;

impl Template {
    /// What a recipient reads with this data, an object.
    ///
    /// # Errors
    /// The first mistake.
    pub fn render(&self, data: &serde_json::Value) -> Result<Rendered, Error> {
        let data = Value::from(Serde(data));
        let subject = one_line(&fill("subject", &self.subject, &data, plain)?);
        let (part, text, html) = match &self.body {
            Body::Markdown(source) => {
                let filled = fill("markdown", source, &data, markdown::write_disguised)?;
                ("markdown", markdown::to_text(&filled), markdown::to_html(&filled))
            }
            Body::Html(source) => {
                let html = fill("html", source, &data, escaped)?;
                ("html", html_to_text(&html).trim().to_owned(), html)
            }
        };
        for (part, text) in [("subject", &subject), (part, &text)] {
            if text.trim().is_empty() {
                return Err(Error { part, line: 1, column: 1, why: Why::Empty });
            }
        }
        Ok(Rendered { language: None, subject, text, html })
    }

    /// The same, if all of it is in the language. What it needs of the data shows when it is
    /// rendered.
    ///
    /// # Errors
    /// The first mistake.
    pub fn checked(self) -> Result<Self, Error> {
        let (part, source) = match &self.body {
            Body::Markdown(it) => ("markdown", it),
            Body::Html(it) => ("html", it),
        };
        for (part, source) in [("subject", &self.subject), (part, source)] {
            let environment = environment(plain);
            short(part, source, SOURCE_BYTES_MAX)?;
            environment.template_from_str(source).map_err(|err| located(part, source, &err))?;
        }
        Ok(self)
    }
}

/// The template with its data, each value written by `write`.
fn fill(part: &'static str, source: &str, data: &Value, write: Write) -> Result<String, Error> {
    short(part, source, SOURCE_BYTES_MAX)?;
    let environment = environment(write);
    let filled = environment.render_str(source, data.clone());
    let filled = filled.map_err(|err| located(part, source, &err))?;
    short(part, &filled, RENDERED_BYTES_MAX)?;
    Ok(filled)
}

fn short(part: &'static str, text: &str, max: usize) -> Result<(), Error> {
    if text.len() <= max {
        return Ok(());
    }
    Err(Error { part, line: 1, column: 1, why: Why::TooLong(max) })
}

fn environment<'a>(write: Write) -> Environment<'a> {
    let mut it = Environment::new();
    it.set_undefined_behavior(UndefinedBehavior::Strict);
    it.set_fuel(Some(FUEL));
    it.set_recursion_limit(DEPTH_MAX);
    it.set_debug(true);
    for name in ["safe", "escape", "e"] {
        it.remove_filter(name);
    }
    // Whatever the template says of escaping, and whatever calls itself safe.
    it.set_formatter(move |out, _, value| {
        if value.is_undefined() {
            return Err(ErrorKind::UndefinedError.into());
        }
        let text = if value.is_none() { String::new() } else { value.to_string() };
        write(out, &text).map_err(|_| ErrorKind::WriteFailure.into())
    });
    it
}

fn plain(out: &mut Output<'_>, text: &str) -> std::fmt::Result {
    out.write_str(text)
}

fn escaped(out: &mut Output<'_>, text: &str) -> std::fmt::Result {
    text.chars().try_for_each(|it| match it {
        '&' => out.write_str("&amp;"),
        '<' => out.write_str("&lt;"),
        '>' => out.write_str("&gt;"),
        '"' => out.write_str("&quot;"),
        '\'' => out.write_str("&#39;"),
        it => write!(out, "{it}"),
    })
}

/// The text in one line, and no longer than a subject may be: a line break in the data never
/// becomes a header.
fn one_line(text: &str) -> String {
    let words: Vec<_> = text
        .split(|it: char| it.is_whitespace() || it.is_control())
        .filter(|it| !it.is_empty())
        .collect();
    words.join(" ").chars().take(SUBJECT_CHARS_MAX).collect()
}

/// The mistake, and where in the source it is.
fn located(part: &'static str, source: &str, err: &minijinja::Error) -> Error {
    let range = err.range().filter(|it| source.get(it.clone()).is_some());
    let before = range.as_ref().and_then(|it| source.get(..it.start)).unwrap_or("");
    let (line, column) = match range {
        Some(_) => {
            let last = before.rsplit('\n').next().unwrap_or("");
            (before.matches('\n').count() + 1, last.chars().count() + 1)
        }
        None => (err.line().unwrap_or(1), 1),
    };
    let named = range.and_then(|it| source.get(it)).unwrap_or("a variable");
    let why = match err.kind() {
        ErrorKind::UndefinedError => Why::Unknown(named.trim().to_owned()),
        ErrorKind::OutOfFuel => Why::TooMuch,
        kind => Why::Mistake(err.detail().map_or_else(|| kind.to_string(), str::to_owned)),
    };
    Error { part, line, column, why }
}
