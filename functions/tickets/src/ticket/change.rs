//! Changing a ticket: what an agent sets, one thing or several at once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    domain::{Address, WORD, is_word},
    http::{Response, StatusCode, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    COPIES_MAX, FIELDS_BYTES_MAX, FIELDS_MAX, Requester, SUBJECT_CHARS_MAX, TAG_CHARS_MAX,
    TAGS_MAX, Ticket, by, find, member, write,
};
use crate::{
    priority::{Level, Priority},
    settings::Settings,
    state::State,
    store,
};

/// What is to be different. What is left out stays; what is `null` is taken away.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TicketChange {
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// What it is about, in a line: 1 to 250 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The member that handles it.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub assignee: Option<Option<String>>,
    /// The team that it is for.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub team: Option<Option<String>>,
    /// How many are hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impact: Option<Level>,
    /// How soon it hurts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urgency: Option<Level>,
    /// How soon it is to be looked at, whatever rules say; `null` leaves it to them again.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Priority>)]
    pub priority: Option<Option<Priority>>,
    /// All its tags: up to 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Tags that it is to have as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add_tags: Vec<String>,
    /// Tags that it is to have no longer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove_tags: Vec<String>,
    /// Fields by their names; one that is `null` is taken away.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
    /// Who else reads the answers: up to 50 addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copies: Option<Vec<String>>,
    /// The incident that it is part of, by your word for that: how soon it is to be looked at is
    /// decided anew.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub incident: Option<Option<String>>,
    /// The promise that it is held to; `null` leaves that to the conditions of the promises.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sla: Option<Option<String>>,
    /// Who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<Requester>,
}

/// Tells `null` from nothing.
fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// The ticket as it is answered, with its ETag.
pub fn answer(status: StatusCode, it: &Ticket) -> Response {
    with_header(json_response(status, it), header::ETAG, &etag(it.version))
}

/// Changes one.
pub async fn patch(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (change, by) = (call.json::<TicketChange>()?, by(at, call).await?);
    let before = find(at, call).await?;
    if call.if_match()?.is_some_and(|it| it != before.version) {
        return Err(Problem::changed_meanwhile());
    }
    let settings = store::find_settings(at).await?;
    let after = applied(at, &settings, &before, change).await?;
    if after == before {
        return Ok(answer(StatusCode::OK, &before));
    }
    let (after, commit) =
        write::changed(at, &settings, &before, after, by.as_deref(), None).await?;
    at.answer(commit, answer(StatusCode::OK, &after), Problem::changed_meanwhile).await
}

/// The ticket after the change.
///
/// # Errors
/// 422 with the field that does not fit, 409 when the state does not lead there.
pub async fn applied(
    at: &impl Tenant,
    settings: &Settings,
    before: &Ticket,
    change: TicketChange,
) -> Result<Ticket, Problem> {
    if before.state == State::Merged {
        return Err(merged(before));
    }
    let mut it = before.clone();
    if let Some(state) = change.state {
        it.state = moved(before, state)?;
    }
    if let Some(subject) = change.subject {
        it.subject = line("subject", &subject)?;
    }
    if let Some(assignee) = change.assignee {
        if let Some(id) = &assignee {
            member(at, "assignee", id).await?;
        }
        it.assignee = assignee;
    }
    if let Some(team) = change.team {
        it.team = word("team", team)?;
    }
    it.impact = change.impact.unwrap_or(it.impact);
    it.urgency = change.urgency.unwrap_or(it.urgency);
    match change.priority {
        Some(Some(priority)) => (it.priority, it.pinned) = (priority, true),
        Some(None) => it.pinned = false,
        None => {}
    }
    it.tags = tagged(it.tags, change.tags, &change.add_tags, &change.remove_tags)?;
    it.fields = filled(it.fields, change.fields, settings)?;
    if let Some(copies) = change.copies {
        it.copies = addresses("copies", &copies)?;
    }
    if let Some(incident) = change.incident {
        it.incident = word("incident", incident)?;
    }
    if let Some(sla) = change.sla {
        it.sla = word("sla", sla)?;
    }
    if let Some(requester) = change.requester {
        it.requester = super::open::requester(at, requester).await?;
    }
    Ok(it)
}

/// 409: what was merged is handled where it went.
pub fn merged(it: &Ticket) -> Problem {
    let into = it.merged_into.as_ref().map(ToString::to_string).unwrap_or_default();
    let kind = "/problems/tickets/merged";
    Problem::new(StatusCode::CONFLICT, kind, "The ticket was merged into another")
        .detail(format!("go on in {into}, or undo the merge"))
}

fn moved(before: &Ticket, state: State) -> Result<State, Problem> {
    if before.state == state || before.state.leads_to(state) {
        return Ok(state);
    }
    let (from, to) = (before.state.word(), state.word());
    let all = State::ALL.into_iter().filter(|it| before.state.leads_to(*it)).map(State::word);
    let all: Vec<_> = all.collect();
    let kind = "/problems/tickets/state";
    Err(Problem::new(StatusCode::CONFLICT, kind, "The ticket cannot go there")
        .detail(format!("from {from} it goes to {}, and not to {to}", all.join(", "))))
}

/// A line that somebody reads: no controls, something in it, and no longer than that.
///
/// # Errors
/// 422 otherwise.
pub fn line(path: &str, text: &str) -> Result<String, Problem> {
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let fits = (1..=SUBJECT_CHARS_MAX).contains(&text.chars().count());
    match fits && !text.chars().any(char::is_control) {
        true => Ok(text),
        false => {
            Err(Problem::unfitting(path, format!("a line of 1 to {SUBJECT_CHARS_MAX} characters")))
        }
    }
}

fn word(path: &str, it: Option<String>) -> Result<Option<String>, Problem> {
    match it.as_deref().is_none_or(is_word) {
        true => Ok(it),
        false => Err(Problem::unfitting(path, WORD)),
    }
}

/// Addresses in lower case, each once, in their order.
///
/// # Errors
/// 422 when there are too many, or one cannot be one.
pub fn addresses(path: &str, all: &[String]) -> Result<Vec<String>, Problem> {
    if all.len() > COPIES_MAX {
        return Err(Problem::unfitting(path, format!("at most {COPIES_MAX}")));
    }
    let mut found: Vec<String> = Vec::new();
    for (number, it) in all.iter().enumerate() {
        let it = Address::parse(it.trim());
        let it = it.map_err(|err| Problem::unfitting(&format!("{path}[{number}]"), err))?.key();
        if !found.contains(&it) {
            found.push(it);
        }
    }
    Ok(found)
}

/// The tags after a change, in the order of the alphabet.
///
/// # Errors
/// 422 when there are too many, or one cannot be one.
pub fn tagged(
    before: Vec<String>,
    all: Option<Vec<String>>,
    add: &[String],
    remove: &[String],
) -> Result<Vec<String>, Problem> {
    let mut tags: BTreeSet<_> = before.into_iter().collect();
    let lists = [("tags", all.as_deref().unwrap_or_default()), ("add_tags", add)];
    for (path, list) in lists {
        for (number, it) in list.iter().enumerate() {
            let fits = !it.trim().is_empty()
                && it.chars().count() <= TAG_CHARS_MAX
                && !it.chars().any(char::is_control);
            if !fits {
                let why = format!("a word or several, up to {TAG_CHARS_MAX} characters");
                return Err(Problem::unfitting(&format!("{path}[{number}]"), why));
            }
        }
    }
    if let Some(all) = all {
        tags = all.into_iter().map(|it| it.trim().to_lowercase()).collect();
    }
    tags.extend(add.iter().map(|it| it.trim().to_lowercase()));
    tags.retain(|it| !remove.iter().any(|other| other.trim().to_lowercase() == *it));
    match tags.len() <= TAGS_MAX {
        true => Ok(tags.into_iter().collect()),
        false => Err(Problem::unfitting("tags", format!("at most {TAGS_MAX}"))),
    }
}

/// The fields after a change.
///
/// # Errors
/// 422 when one is not what the settings say of it, or there is too much.
pub fn filled(
    mut fields: Map<String, Value>,
    change: Map<String, Value>,
    settings: &Settings,
) -> Result<Map<String, Value>, Problem> {
    for (name, value) in change {
        let path = format!("fields.{name}");
        if !is_word(&name) {
            return Err(Problem::unfitting("fields", format!("names are {WORD}")));
        }
        settings.field(&name, &value).map_err(|why| Problem::unfitting(&path, why))?;
        match value {
            Value::Null => drop(fields.remove(&name)),
            it => drop(fields.insert(name, it)),
        }
    }
    let bytes = Value::Object(fields.clone()).to_string().len();
    match fields.len() <= FIELDS_MAX && bytes <= FIELDS_BYTES_MAX {
        true => Ok(fields),
        false => {
            let why = format!("at most {FIELDS_MAX}, and {FIELDS_BYTES_MAX} bytes of all");
            Err(Problem::unfitting("fields", why))
        }
    }
}
