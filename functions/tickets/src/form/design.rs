//! Forms as a tenant designs them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Failure, Id, Job, NewJob, WORD, is_word},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{ADDRESS, words::Language};
use crate::{
    desk::tool::{self, Tool, title},
    settings::FieldKind,
    store,
    ticket::change::tagged,
};

/// Shows a form's address in the directory, or hides it.
pub const SHOW: &str = "tickets.form.show";
/// How many fields a form has beside its own.
const FIELDS_MAX: usize = 20;
/// How many choices one has, and the longest of them, in characters.
const CHOICES_MAX: usize = 100;
const CHOICE_CHARS_MAX: usize = 200;
/// The longest text of a page, in characters.
const INTRO_CHARS_MAX: usize = 2_000;
/// How many a form takes in a minute, of all and of one client, when nobody says …
const PER_MINUTE: u32 = 60;
const PER_CLIENT: u32 = 5;
/// … and at most.
const PER_MINUTE_MAX: u32 = 100_000;

/// A form by which anybody asks for help.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TicketForm)]
pub struct Form {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// `frm_…`, by which nobody guesses it. It is given when the form is first put, and stays.
    #[serde(default)]
    pub id: String,
    /// Where its page is: put the host in front.
    #[serde(default)]
    pub path: String,
    /// What the page is called, up to 120 characters.
    pub title: String,
    /// What is said above the fields, in plain text: up to 2,000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub intro: String,
    /// What is said when it was sent, likewise, beside the ticket's number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub thanks: String,
    /// In which language its own words are: `en`, `de`, `fr` or `es`.
    #[serde(default)]
    pub locale: Language,
    /// What is asked beside name, address, subject and message: up to 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FormField>,
    /// The team that its tickets are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The tags that they have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The mailbox from which they are answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<String>,
    /// How many it takes in a minute: 1 to 100,000, 60 when left out.
    #[serde(default = "per_minute")]
    pub per_minute: u32,
    /// How many of them from one client: 1 to 100,000, 5 when left out.
    #[serde(default = "per_client")]
    pub per_client: u32,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
}

/// Something that a form asks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TicketFormField)]
pub struct FormField {
    /// The field of the ticket that keeps it.
    pub name: String,
    /// What is asked, up to 120 characters.
    pub label: String,
    /// What helps to answer, likewise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// What kind of thing is answered.
    #[serde(rename = "type")]
    pub kind: FieldKind,
    /// Of a choice: which there are, 1 to 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Whether it has to be answered; of yes or no, whether it has to be yes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

fn per_minute() -> u32 {
    PER_MINUTE
}

fn per_client() -> u32 {
    PER_CLIENT
}

impl Tool for Form {
    const KIND: &'static str = "form";
    const TOLD: [&'static str; 2] = ["ticket_form.put", "ticket_form.deleted"];
    const MAX: u32 = 50;
    const MANY: &'static str = "forms";

    fn label(&self) -> (&str, i64) {
        (&self.name, self.version)
    }

    fn labelled(self, name: String, version: i64) -> Self {
        Self { name, version, ..self }
    }

    async fn checked(self, _: &impl Tenant) -> Result<Self, Problem> {
        if self.title.trim().is_empty() {
            return Err(Problem::unfitting("title", "the page is called something"));
        }
        title("title", &self.title)?;
        for (path, text) in [("intro", &self.intro), ("thanks", &self.thanks)] {
            if text.chars().count() > INTRO_CHARS_MAX {
                let why = format!("at most {INTRO_CHARS_MAX} characters");
                return Err(Problem::unfitting(path, why));
            }
        }
        for (path, count) in [("per_minute", self.per_minute), ("per_client", self.per_client)] {
            if !(1..=PER_MINUTE_MAX).contains(&count) {
                return Err(Problem::unfitting(path, format!("1 to {PER_MINUTE_MAX}")));
            }
        }
        if self.team.as_deref().is_some_and(|it| !is_word(it)) {
            return Err(Problem::unfitting("team", WORD));
        }
        if self.mailbox.as_deref().is_some_and(|it| Id::parse("tmb", it).is_none()) {
            return Err(Problem::unfitting("mailbox", "the id of a mailbox, tmb_…"));
        }
        let tags = tagged(Vec::new(), Some(self.tags.clone()), &[], &[])?;
        Self { tags, ..self }.fields_checked()
    }
}

impl Form {
    fn fields_checked(self) -> Result<Self, Problem> {
        if self.fields.len() > FIELDS_MAX {
            return Err(Problem::unfitting("fields", format!("at most {FIELDS_MAX}")));
        }
        let mut names = BTreeSet::new();
        for (number, field) in self.fields.iter().enumerate() {
            let path = |it: &str| format!("fields[{number}].{it}");
            if !is_word(&field.name) || !names.insert(&field.name) {
                return Err(Problem::unfitting(&path("name"), format!("each once; {WORD}")));
            }
            if field.label.trim().is_empty() {
                return Err(Problem::unfitting(&path("label"), "something is asked"));
            }
            title(&path("label"), &field.label)?;
            title(&path("hint"), &field.hint)?;
            let is_choice = field.kind == FieldKind::Choice;
            if (1..=CHOICES_MAX).contains(&field.choices.len()) != is_choice {
                let why = format!("a choice, and nothing else, has 1 to {CHOICES_MAX} choices");
                return Err(Problem::unfitting(&path("choices"), why));
            }
            let fits = |it: &String| {
                (1..=CHOICE_CHARS_MAX).contains(&it.trim().chars().count())
                    && !it.chars().any(char::is_control)
            };
            if !field.choices.iter().all(fits) {
                let why = format!("each a line of 1 to {CHOICE_CHARS_MAX} characters");
                return Err(Problem::unfitting(&path("choices"), why));
            }
        }
        Ok(self)
    }

    /// The same under the address that it has, or a new one.
    fn addressed(self, at: &impl Tenant, before: Option<Self>) -> Result<Self, Problem> {
        let id = match before {
            Some(it) => it.id,
            None => at.new_id("frm")?.to_string(),
        };
        Ok(Self { path: format!("/v1/form/{id}"), id, ..self })
    }
}

/// Puts one, or replaces it.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let before = store::find_tool::<Form>(at, call.param()).await?;
    let with_address = |it: Form| it.addressed(at, before);
    let (it, commit) = tool::putting(at, call, with_address).await?;
    let response = with_header(json_response(StatusCode::OK, &it), header::ETAG, &etag(it.version));
    at.answer(commit.job(showing(&it)), response, Problem::changed_meanwhile).await
}

/// Deletes one: its page is gone.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (it, commit) = tool::deleting::<Form>(at, call).await?;
    let response = empty(StatusCode::NO_CONTENT);
    at.answer(commit.job(showing(&it)), response, Problem::changed_meanwhile).await
}

/// Eager, so that the page is there when the answer is.
fn showing(it: &Form) -> NewJob {
    let id = format!("{SHOW}:{}:{}", it.id, it.version);
    NewJob::new(SHOW, id, json!({"id": it.id})).eager()
}

/// Writes its address as it is now.
///
/// # Errors
/// When the directory fails.
pub async fn show(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let directory = at.projection();
    if store::find_form_at(at, id.as_str()).await?.is_none() {
        directory.release_address(ADDRESS, id.as_str()).await?;
    } else if !directory.claim_address(ADDRESS, id.as_str()).await? {
        return Err(Failure::dead("another tenant has a form with this id"));
    }
    Ok(Commit::new())
}
