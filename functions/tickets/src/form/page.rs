//! The pages. This is the only file that knows their templates.
//!
//! They have no scripts and load nothing. What is wrong is said above all fields with a link to
//! each, and again at the field (WCAG 2.2, 3.3.1); a field's words and what is wrong with it are
//! tied to it.

use askama::Template;
use data_encoding::BASE64;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use shared::{
    domain::Address,
    http::{Response, StatusCode, header, respond, with_header},
    problem::Problem,
};

use super::{
    design::{Form, FormField},
    post::Post,
    words::Words,
};
use crate::{
    settings::{FieldKind, Settings},
    ticket::{NAME_CHARS_MAX, SUBJECT_CHARS_MAX},
};

const STYLE: &str = include_str!("../../templates/page.css");
const HTML: &str = "text/html; charset=utf-8";
/// The longest message, in characters: at four bytes each it is a text of a ticket.
pub const TEXT_CHARS_MAX: usize = 16_000;
/// The longest answer to what else is asked, in characters.
const ANSWER_CHARS_MAX: usize = 2_000;
/// The field that nobody sees, and that machines fill in.
pub const TRAP: &str = "website";
/// The field that says when the page was shown.
pub const PAGE: &str = "page";

/// A field as a page shows it.
pub struct Shown<'a> {
    /// By which it is posted, and found in the page.
    pub id: String,
    label: &'a str,
    hint: &'a str,
    kind: Kind,
    choices: &'a [String],
    required: bool,
    max: usize,
    /// What was typed.
    pub value: String,
    /// What is wrong with it.
    pub wrong: Option<String>,
}

/// What a field looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Line,
    Name,
    Email,
    Number,
    Text,
    Choice,
    Check,
}

impl Shown<'_> {
    /// What its words are tied to.
    fn described_by(&self) -> Option<String> {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.id));
        let wrong = self.wrong.is_some().then(|| format!("{}-wrong", self.id));
        let all: Vec<_> = hint.into_iter().chain(wrong).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }
}

/// What somebody asks, read from a post.
pub struct Asked {
    /// Who writes.
    pub name: String,
    /// Where they are answered, in lower case.
    pub email: String,
    /// What it is about.
    pub subject: String,
    /// The matter itself.
    pub text: String,
    /// What else was asked.
    pub fields: Map<String, Value>,
}

/// The fields with what was typed and what is wrong with it, and what is asked if nothing is.
pub fn read<'a>(
    form: &'a Form,
    settings: &Settings,
    post: &Post,
) -> (Vec<Shown<'a>>, Option<Asked>) {
    let words = form.locale.words();
    let mut shown = blank(form);
    let mut fields = Map::new();
    for it in &mut shown {
        post.text(&it.id).clone_into(&mut it.value);
        it.wrong = wrong(it, words);
    }
    for (it, field) in shown.iter_mut().skip(OWN).zip(&form.fields) {
        let Some(value) = valued(field, &it.value).filter(|_| it.wrong.is_none()) else { continue };
        match settings.field(&field.name, &value) {
            Ok(()) => drop(fields.insert(field.name.clone(), value)),
            Err(_) => it.wrong = Some(words.problems.unfit.to_owned()),
        }
    }
    let is_right = shown.iter().all(|it| it.wrong.is_none());
    let value = |number: usize| shown.get(number).map(|it| it.value.clone()).unwrap_or_default();
    let email = Address::parse(&value(1)).ok().filter(|_| is_right);
    let asked = email.map(|email| Asked {
        name: value(0),
        email: email.key(),
        subject: value(2),
        text: value(3),
        fields,
    });
    (shown, asked)
}

/// How many fields each form has of its own.
const OWN: usize = 4;

/// The fields with nothing in them.
pub fn blank(form: &Form) -> Vec<Shown<'_>> {
    let words = form.locale.words();
    let own = [
        ("name", words.name, Kind::Name, false, NAME_CHARS_MAX),
        ("email", words.email, Kind::Email, true, 254),
        ("subject", words.subject, Kind::Line, true, SUBJECT_CHARS_MAX),
        ("text", words.message, Kind::Text, true, TEXT_CHARS_MAX),
    ];
    let own = own.into_iter().map(|(id, label, kind, required, max)| Shown {
        id: id.to_owned(),
        label,
        hint: "",
        kind,
        choices: &[],
        required,
        max,
        value: String::new(),
        wrong: None,
    });
    let asked = form.fields.iter().map(|it| Shown {
        id: format!("f_{}", it.name),
        label: &it.label,
        hint: &it.hint,
        kind: match it.kind {
            FieldKind::Text => Kind::Line,
            FieldKind::Number => Kind::Number,
            FieldKind::Choice => Kind::Choice,
            FieldKind::Bool => Kind::Check,
        },
        choices: &it.choices,
        required: it.required,
        max: ANSWER_CHARS_MAX,
        value: String::new(),
        wrong: None,
    });
    own.chain(asked).collect()
}

/// What is wrong with what was typed.
fn wrong(it: &Shown<'_>, words: &Words) -> Option<String> {
    let problems = &words.problems;
    let why = match it.kind {
        _ if it.value.is_empty() => return it.required.then(|| problems.missing.to_owned()),
        _ if it.value.chars().count() > it.max => {
            return Some(problems.long.replace("{}", &it.max.to_string()));
        }
        Kind::Email if Address::parse(&it.value).is_err() => problems.email,
        Kind::Number if number(&it.value).is_none() => problems.number,
        Kind::Choice if !it.choices.contains(&it.value) => problems.choice,
        _ => return None,
    };
    Some(why.to_owned())
}

/// What a field of a ticket keeps of an answer.
fn valued(field: &FormField, text: &str) -> Option<Value> {
    match field.kind {
        FieldKind::Bool => Some((!text.is_empty()).into()),
        _ if text.is_empty() => None,
        FieldKind::Number => number(text).map(Value::Number),
        _ => Some(text.into()),
    }
}

/// A number as people write it, with a comma or a point.
fn number(text: &str) -> Option<serde_json::Number> {
    text.replace(',', ".").parse().ok()
}

#[derive(Template)]
#[template(path = "form.html")]
struct FormPage<'a> {
    form: &'a Form,
    words: &'static Words,
    style: &'static str,
    page: &'a str,
    fields: &'a [Shown<'a>],
    problem: Option<&'a str>,
    is_wrong: bool,
    focused: Option<&'a str>,
}

/// The page with its fields. `page` says when it is shown; `problem` is wrong with all of it.
///
/// # Errors
/// When it cannot be written.
pub fn form(
    status: StatusCode,
    form: &Form,
    page: &str,
    fields: &[Shown<'_>],
    problem: Option<&str>,
) -> Result<Response, Problem> {
    let first_wrong = fields.iter().find(|it| it.wrong.is_some());
    let it = FormPage {
        form,
        words: form.locale.words(),
        style: STYLE,
        page,
        fields,
        problem,
        is_wrong: problem.is_some() || first_wrong.is_some(),
        focused: first_wrong.map(|it| it.id.as_str()),
    };
    written(status, it.render())
}

#[derive(Template)]
#[template(path = "sent.html")]
struct SentPage<'a> {
    form: &'a Form,
    words: &'static Words,
    style: &'static str,
    number: i64,
}

/// The page that says that it was sent.
///
/// # Errors
/// When it cannot be written.
pub fn sent(form: &Form, number: i64) -> Result<Response, Problem> {
    let it = SentPage { form, words: form.locale.words(), style: STYLE, number };
    written(StatusCode::OK, it.render())
}

#[derive(Template)]
#[template(path = "rating.html")]
struct RatingPage<'a> {
    words: &'static Words,
    style: &'static str,
    number: i64,
    subject: &'a str,
    marks: Vec<(u8, &'static str, bool)>,
    comment: &'a str,
    wrong: Option<&'a str>,
    comment_max: usize,
    is_done: bool,
}

/// What the page that asks how it was is made of.
pub struct Rated<'a> {
    /// In which words.
    pub words: &'static Words,
    /// The number of the ticket, …
    pub number: i64,
    /// … and what it is about.
    pub subject: &'a str,
    /// What was chosen.
    pub rating: Option<u8>,
    /// What was typed.
    pub comment: &'a str,
    /// What is wrong.
    pub wrong: Option<&'a str>,
    /// The longest comment, in characters.
    pub comment_max: usize,
    /// Whether it was sent.
    pub is_done: bool,
}

/// The page that asks how it was, or thanks.
///
/// # Errors
/// When it cannot be written.
pub fn rating(status: StatusCode, it: &Rated<'_>) -> Result<Response, Problem> {
    let &Rated { words, number, subject, comment, wrong, comment_max, is_done, .. } = it;
    let marks = (1..).zip(words.rating.marks);
    let marks = marks.map(|(number, mark)| (number, mark, it.rating == Some(number))).collect();
    let style = STYLE;
    let page =
        RatingPage { words, style, number, subject, marks, comment, wrong, comment_max, is_done };
    written(status, page.render())
}

fn written(status: StatusCode, page: Result<String, askama::Error>) -> Result<Response, Problem> {
    let page = page.map_err(|err| Problem::internal().caused_by(err))?;
    let response = respond(status, HTML, page);
    let response = with_header(response, header::CONTENT_SECURITY_POLICY, &policy());
    // An address can be a secret, and what was typed is nobody's but theirs.
    let response = with_header(response, header::REFERRER_POLICY, "no-referrer");
    let response = with_header(response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    Ok(with_header(response, header::CACHE_CONTROL, "no-store"))
}

/// The Content-Security-Policy of the pages: their own style, told by its hash, posts to where they
/// are from, and nothing else.
fn policy() -> String {
    let hash = BASE64.encode(&Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    )
}
