//! Macros: what an agent does to a ticket in one step, by name.
//!
//! It changes the ticket and says something in it by the same rules as an agent does by hand, in
//! one commit. Its texts are filled in by Jinja (`minijinja`), with nothing of the world around:
//! what is not there is a mistake that is told before anything is written.

use minijinja::{
    Environment, ErrorKind, UndefinedBehavior,
    value::{Serde, Value},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::Commit,
    http::{Response, StatusCode},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::tool::{self, Tool, title};
use crate::{
    store,
    ticket::{
        TEXT_BYTES_MAX, Ticket, by,
        change::{TicketChange, addresses, answer, applied, filled, line, tagged},
        find, member,
        message::Kind,
        reply::{NewTicketMessage, written},
        write,
    },
};

/// How much a text may do: about one for each step, and for each few bytes that it writes.
const FUEL: u64 = 50_000;
/// How deep a text may nest.
const DEPTH_MAX: usize = 50;

/// What an agent does to a ticket in one step.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TicketMacro)]
pub struct Macro {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// As it is shown, up to 120 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What is different then. Who asks stays.
    #[serde(default)]
    pub change: TicketChange,
    /// What is answered, in plain text, with `{{ ticket.number }}`, `{{ ticket.requester.name }}`,
    /// `{{ agent.name }}` and whatever else a ticket has: up to 65,536 bytes. What is not there is a
    /// mistake: ask with `is defined` before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// What is noted, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
}

impl Tool for Macro {
    const KIND: &'static str = "macro";
    const TOLD: [&'static str; 2] = ["ticket_macro.put", "ticket_macro.deleted"];
    const MAX: u32 = 500;
    const MANY: &'static str = "macros";

    fn label(&self) -> (&str, i64) {
        (&self.name, self.version)
    }

    fn labelled(self, name: String, version: i64) -> Self {
        Self { name, version, ..self }
    }

    async fn checked(self, at: &impl Tenant) -> Result<Self, Problem> {
        title("title", &self.title)?;
        let changes = json!(self.change).as_object().is_some_and(|it| !it.is_empty());
        if !changes && self.reply.is_none() && self.note.is_none() {
            let why = "say what is different, or what is answered or noted: it does something";
            return Err(Problem::unfitting("change", why));
        }
        for (path, text) in [("reply", &self.reply), ("note", &self.note)] {
            if let Some(text) = text {
                readable(path, text)?;
            }
        }
        fits(at, &self.change).await?;
        Ok(self)
    }
}

/// That a change can be one of some ticket.
async fn fits(at: &impl Tenant, it: &TicketChange) -> Result<(), Problem> {
    if it.requester.is_some() {
        return Err(Problem::unfitting("change.requester", "left out: who asks stays"));
    }
    if let Some(subject) = &it.subject {
        line("change.subject", subject)?;
    }
    if let Some(Some(id)) = &it.assignee {
        member(at, "change.assignee", id).await?;
    }
    let settings = store::find_settings(at).await?;
    tagged(Vec::new(), it.tags.clone(), &it.add_tags, &[])?;
    filled(serde_json::Map::new(), it.fields.clone(), &settings)?;
    addresses("change.copies", it.copies.as_deref().unwrap_or_default())?;
    Ok(())
}

fn environment<'a>() -> Environment<'a> {
    let mut it = Environment::new();
    it.set_undefined_behavior(UndefinedBehavior::Strict);
    it.set_fuel(Some(FUEL));
    it.set_recursion_limit(DEPTH_MAX);
    it
}

/// That a text is in the language.
fn readable(path: &str, text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(Problem::unfitting(path, format!("1 to {TEXT_BYTES_MAX} bytes of text")));
    }
    let environment = environment();
    let parsed = environment.template_from_str(text).map(drop);
    parsed.map_err(|err| Problem::unfitting(path, mistake(text, &err)))
}

/// What is wrong with a text, and in which line.
fn mistake(text: &str, err: &minijinja::Error) -> String {
    // The words of the library name a variable on some targets only.
    let named = err.range().and_then(|it| text.get(it)).unwrap_or("something");
    let what = match err.kind() {
        ErrorKind::UndefinedError => format!("{} is not known", named.trim_matches(['.', ' '])),
        kind => err.detail().map_or_else(|| kind.to_string(), str::to_owned),
    };
    err.line().map_or_else(|| what.clone(), |line| format!("line {line}: {what}"))
}

/// The text with what is known of the ticket, and of who acts.
fn filled_in(path: &str, text: &str, ticket: &Ticket, agent: &str) -> Result<String, Problem> {
    let known = json!({"ticket": ticket, "agent": {"name": agent}});
    let filled = environment().render_str(text, Value::from(Serde(&known)));
    filled.map_err(|err| Problem::unfitting(path, mistake(text, &err)))
}

/// Does what a macro says, and answers with the ticket.
pub async fn apply(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let by = by(at, call).await?;
    let before = find(at, call).await?;
    if call.if_match()?.is_some_and(|it| it != before.version) {
        return Err(Problem::changed_meanwhile());
    }
    let it: Macro = tool::named(at, call.param_at(1)).await?;
    let (after, commit) = applying(at, it, &before, by.as_deref()).await?;
    at.answer(commit, answer(StatusCode::OK, &after), Problem::changed_meanwhile).await
}

/// The ticket after the macro, and what that writes. Where an answer leads is part of the answer.
async fn applying(
    at: &impl Tenant,
    it: Macro,
    before: &Ticket,
    by: Option<&str>,
) -> Result<(Ticket, Commit), Problem> {
    let settings = store::find_settings(at).await?;
    let mut change = it.change;
    let state = match it.reply {
        Some(_) => change.state.take(),
        None => None,
    };
    let changed = applied(at, &settings, before, change).await?;
    let why = format!("macro {}", it.name);
    let (mut ticket, mut commit) = match changed == *before {
        true => (changed, Commit::new()),
        false => write::changed(at, &settings, before, changed, by, Some(&why)).await?,
    };
    let agent = match by {
        Some(id) => store::find_member(at, id).await?.map(|it| it.name).unwrap_or_default(),
        None => String::new(),
    };
    for (path, kind, text) in [("note", Kind::Note, it.note), ("reply", Kind::Reply, it.reply)] {
        let Some(text) = text else { continue };
        let text = filled_in(path, &text, &ticket, &agent)?;
        let state = state.filter(|_| kind == Kind::Reply);
        let (mentions, files) = (Vec::new(), Vec::new());
        let new = NewTicketMessage { kind, text, mentions, files, state };
        let said = written(at, &ticket, new, by).await?;
        (ticket, commit) = (said.ticket, commit.and(said.commit));
    }
    Ok((ticket, commit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_filled_in_and_what_is_not_there_is_told() {
        let ticket = crate::desk::rows::tests::ticket(7);

        let it = filled_in("reply", "#{{ ticket.number }} by {{ agent.name }}", &ticket, "Eve");
        assert_eq!(it.unwrap(), "#7 by Eve");
        let why = filled_in("reply", "a\n{{ ticket.nothing }}", &ticket, "").unwrap_err();
        assert!(why.words().contains("line 2"), "{}", why.words());
        let endless =
            "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}";
        assert!(filled_in("reply", endless, &ticket, "").is_err());
    }

    #[test]
    fn a_mistake_is_told_when_it_is_put() {
        assert!(readable("reply", "{{ ticket.number }}").is_ok());
        for bad in ["{{ ticket.", "{% if %}", "", " \n", &"a".repeat(TEXT_BYTES_MAX + 1)] {
            assert!(readable("reply", bad).is_err(), "{bad:.20}");
        }
    }
}
