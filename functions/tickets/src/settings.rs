//! Settings: how tickets are handled.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Draft, Id, WORD, is_word},
    expression::Expression,
    http::{Response, StatusCode, etag, header, json as json_response, with_header},
    outbound,
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    priority::{Matrix, Priority},
    store,
    ticket::{TAGS_MAX, Ticket, change::tagged, member},
};

/// How many rules there are.
const RULES_MAX: usize = 50;
/// How many plans and customers are named.
const NAMED_MAX: usize = 200;
/// How many fields are described, and how many choices one has.
const FIELDS_MAX: usize = 50;
const CHOICES_MAX: usize = 100;
/// The longest text in a field, in characters.
const FIELD_CHARS_MAX: usize = 2_000;
/// After how many days an answer to what is resolved opens another ticket, when nobody says.
const REOPEN_DAYS: u32 = 14;
const REOPEN_DAYS_MAX: u32 = 365;
/// What an address of our own is.
const BASE: &str = "an https address without path, query or password, as https://api.example.com";
/// The name of the ticket in a rule.
pub const TICKET: &str = "ticket";

/// How tickets are handled.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = TicketSettings)]
pub struct Settings {
    /// The priority of each impact (low, medium, high) by each urgency (low, medium, high).
    pub matrix: Matrix,
    /// The least priority of tickets of customers with a plan, by its name: up to 200.
    pub plans: BTreeMap<String, Priority>,
    /// Customers who are looked at before others: up to 200.
    pub vips: Vec<String>,
    /// The least priority of theirs.
    pub vip_priority: Priority,
    /// The least priority of what is part of an incident.
    pub incident_priority: Priority,
    /// What else decides, in this order: up to 50.
    pub rules: Vec<Rule>,
    /// What is kept of a ticket, by name: up to 50. A name that is not here is kept as it comes.
    pub fields: BTreeMap<String, Field>,
    /// For how many days an answer opens again what was resolved: 0 to 365.
    pub reopen_days: u32,
    /// Whether the requester is told which agent answers.
    pub show_agents: bool,
    /// Whether the requester is asked how it was, when a ticket is resolved.
    pub asks_rating: bool,
    /// Where this service is reached by whoever reads a mail, as `https://api.example.com`: links to
    /// rate begin with it. Who asks for ratings has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Counts the changes; the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// What becomes of tickets of which something holds.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TicketRule)]
pub struct Rule {
    /// What it is called: it is told why a ticket is as it is.
    pub name: String,
    /// A condition in CEL on `ticket`. A ticket of which it makes no sense does not fit.
    pub when: String,
    /// The priority that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// The priority that it has at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Priority>,
    /// The team that it is for, if it is for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The member that handles it, if nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Tags that it has as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add_tags: Vec<String>,
}

/// What a field holds.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TicketField)]
pub struct Field {
    /// What kind of thing.
    #[serde(rename = "type")]
    pub kind: FieldKind,
    /// Of a choice: which there are, up to 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// What kind of thing a field holds.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketFieldKind)]
pub enum FieldKind {
    /// Text, up to 2,000 characters.
    Text,
    /// A number.
    Number,
    /// Yes or no.
    Bool,
    /// One of its choices.
    Choice,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            matrix: Matrix::default(),
            plans: BTreeMap::new(),
            vips: Vec::new(),
            vip_priority: Priority::High,
            incident_priority: Priority::High,
            rules: Vec::new(),
            fields: BTreeMap::new(),
            reopen_days: REOPEN_DAYS,
            show_agents: true,
            asks_rating: false,
            base: None,
            version: 0,
        }
    }
}

impl Rule {
    /// Whether the ticket is one of these.
    pub fn holds(&self, ticket: &Ticket) -> bool {
        let parsed = Expression::parse(&self.when).ok();
        parsed.is_some_and(|it| it.holds(&[(TICKET, &json!(ticket))]).unwrap_or(false))
    }
}

/// That a condition is one on `ticket`.
///
/// # Errors
/// 422 with this path and where it goes wrong.
pub fn condition(path: &str, text: &str) -> Result<(), Problem> {
    let parsed = Expression::parse(text).map_err(|it| Problem::unfitting(path, it))?;
    match parsed.variables().find(|it| *it != TICKET) {
        Some(other) => {
            Err(Problem::unfitting(path, format!("{other} is not known: there is ticket")))
        }
        None => Ok(()),
    }
}

impl Settings {
    /// For how long an answer opens again what was resolved.
    pub fn reopens(&self) -> Duration {
        Duration::from_secs(u64::from(self.reopen_days) * 24 * 60 * 60)
    }

    /// What the requester is told of who answers.
    pub fn shown_agent<'a>(&self, name: &'a str) -> Option<&'a str> {
        Some(name).filter(|it| self.show_agents && !it.is_empty())
    }

    /// Whether a field may hold this.
    ///
    /// # Errors
    /// What it holds instead.
    pub fn field(&self, name: &str, value: &Value) -> Result<(), String> {
        let short = |it: &Value| it.as_str().is_none_or(|it| it.chars().count() <= FIELD_CHARS_MAX);
        if value.is_array() || value.is_object() || !short(value) {
            return Err(format!(
                "text up to {FIELD_CHARS_MAX} characters, a number, true or false"
            ));
        }
        let Some(field) = self.fields.get(name).filter(|_| !value.is_null()) else {
            return Ok(());
        };
        let (fits, what) = match field.kind {
            FieldKind::Text => (value.is_string(), "text".to_owned()),
            FieldKind::Number => (value.is_number(), "a number".to_owned()),
            FieldKind::Bool => (value.is_boolean(), "true or false".to_owned()),
            FieldKind::Choice => {
                let chosen = field.choices.iter().any(|it| value.as_str() == Some(it));
                (chosen, format!("one of: {}", field.choices.join(", ")))
            }
        };
        if fits { Ok(()) } else { Err(what) }
    }

    async fn checked(self, at: &impl Tenant) -> Result<Self, Problem> {
        if self.plans.len() > NAMED_MAX || self.vips.len() > NAMED_MAX {
            return Err(Problem::unfitting("plans", format!("at most {NAMED_MAX}, and of vips")));
        }
        if let Some(it) = self.plans.keys().chain(&self.vips).find(|it| !is_word(it)) {
            return Err(Problem::unfitting("plans", format!("{it} is no name: {WORD}")));
        }
        if self.reopen_days > REOPEN_DAYS_MAX {
            return Err(Problem::unfitting("reopen_days", format!("0 to {REOPEN_DAYS_MAX}")));
        }
        if !self
            .base
            .as_deref()
            .is_none_or(|it| it.starts_with("https://") && outbound::is_origin(it))
            || (self.asks_rating && self.base.is_none())
        {
            return Err(Problem::unfitting("base", BASE));
        }
        if self.rules.len() > RULES_MAX {
            return Err(Problem::unfitting("rules", format!("at most {RULES_MAX}")));
        }
        for (number, rule) in self.rules.iter().enumerate() {
            let path = |it: &str| format!("rules[{number}].{it}");
            if !is_word(&rule.name) {
                return Err(Problem::unfitting(&path("name"), WORD));
            }
            condition(&path("when"), &rule.when)?;
            if let Some(id) = &rule.assignee {
                member(at, &path("assignee"), id).await?;
            }
            if rule.team.as_deref().is_some_and(|it| !is_word(it)) {
                return Err(Problem::unfitting(&path("team"), WORD));
            }
            let tags = tagged(Vec::new(), None, &rule.add_tags, &[]);
            if tags.is_err() || rule.add_tags.len() > TAGS_MAX {
                return Err(Problem::unfitting(&path("add_tags"), "tags as a ticket has them"));
            }
        }
        self.fields_checked()
    }

    fn fields_checked(self) -> Result<Self, Problem> {
        if self.fields.len() > FIELDS_MAX {
            return Err(Problem::unfitting("fields", format!("at most {FIELDS_MAX}")));
        }
        for (name, field) in &self.fields {
            let path = format!("fields.{name}");
            if !is_word(name) {
                return Err(Problem::unfitting("fields", format!("names are {WORD}")));
            }
            let chosen = (1..=CHOICES_MAX).contains(&field.choices.len());
            if chosen != (field.kind == FieldKind::Choice) {
                let why = format!("a choice, and nothing else, has 1 to {CHOICES_MAX} choices");
                return Err(Problem::unfitting(&path, why));
            }
        }
        Ok(self)
    }
}

/// Reads them.
pub async fn get(at: &impl Tenant) -> Result<Response, Problem> {
    Ok(answer(&store::find_settings(at).await?))
}

fn answer(it: &Settings) -> Response {
    with_header(json_response(StatusCode::OK, it), header::ETAG, &etag(it.version))
}

/// Puts them. Tickets that are there are decided by them when they change next.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let settings = call.json::<Settings>()?.checked(at).await?;
    let before = store::find_settings(at).await?.version;
    if call.if_match()?.is_some_and(|it| it != before) {
        return Err(Problem::changed_meanwhile());
    }
    let settings = Settings { version: before + 1, ..settings };
    let entry = Draft::new("ticket_settings.put", &Id::trusted("settings".to_owned()))
        .with(json!({"version": settings.version}));
    let commit = store::put_settings(&settings).entry(entry);
    at.answer(commit, answer(&settings), Problem::changed_meanwhile).await
}
