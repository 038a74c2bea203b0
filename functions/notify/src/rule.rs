//! Rules: entries of the log that become notices.
//!
//! What happens elsewhere is followed. An entry that fits a rule becomes a job, in the commit that
//! moves on in the log, so each becomes its notice once. What notifications write themselves is not
//! followed, nor what becomes of jobs: no rule can go round in a circle.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared::{
    domain::{Address, Commit, Draft, Entry, Failure, Id, Job, NewJob, Page, WORD, is_word},
    expression::Expression,
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    files,
    notice::{self, NewNotice, Of},
    recipient::{Contact, NewRecipient},
    store, thread,
};

/// Makes the notice of an entry.
pub const FIRE: &str = "notify.rule";
/// How many rules a tenant has at most.
pub const RULES_MAX: u32 = 100;
/// How many recipients a rule names, and how many places of an entry.
const TO_MAX: usize = 20;
/// How many a place of an entry names.
const LIST_MAX: usize = 50;
/// The name of the entry in a condition, and in a template's data.
const ENTRY: &str = "entry";

/// What is followed: what happens in other functions.
pub const FOLLOWS: &[&str] = &[
    "webhook.",
    "event.published",
    "source.",
    "endpoint.",
    "delivery.failed",
    "member.",
    "key.",
    "invoice.",
    "credit_note.",
    "payment.",
    "payment_method.",
    "payment_account.",
    "refund.",
    "subscription.",
    "entitlement.",
    "quota.",
    "spend.",
    "upgrade.",
    "report.",
    "ledger.",
    "ticket.",
];

/// Which entries become a notice, and of whom.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoticeRuleText)]
pub struct RuleText {
    /// The action, as `payment.failed`, or all that begin alike, as `payment.*`.
    pub action: String,
    /// A condition in CEL on `entry`, which has `action`, `subject`, `actor`, `at` and `data`. An
    /// entry of which it makes no sense does not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The type of the notice. Its template is given `entry`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who is to hear of it: up to 20 members, contacts and topics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<NewRecipient>,
    /// Where the entry names who is to hear of it, by a member's id, an address, or an object with
    /// `email`, `name`, `locale` and `zone`, or by a list of up to 50 of these: up to 20 JSON
    /// pointers, as `/data/member`. What is not there is nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to_found: Vec<String>,
    /// Where the entry names what a mail carries: a JSON pointer, as `/data/files`, to an object
    /// with `blob`, `name` and `type`, or to a list of up to 10. Other channels have the words
    /// alone. What is not there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_found: Option<String>,
    /// Where the entry says how a mail stands among others: a JSON pointer, as `/data/mail`, to an
    /// object with `message_id`, `in_reply_to`, `references`, `reply_to`, `from`, `from_name`,
    /// `subject` and `person`, each of which may be left out. Who sends and who is answered is an
    /// address, or an object with `email` and `name`. Such a mail waits for no digest. What is not
    /// there is a mail by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail_found: Option<String>,
    /// Whether it is sent in quiet hours as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub urgent: bool,
}

/// A rule.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = NoticeRule)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it says.
    #[serde(flatten)]
    pub text: RuleText,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
}

impl RuleText {
    fn checked(self) -> Result<Self, Problem> {
        let action = self.action.strip_suffix(".*").unwrap_or(&self.action);
        let known = |it: &&str| {
            let word = it.trim_end_matches('.');
            action == word || action.starts_with(&format!("{word}."))
        };
        if !is_word(action) || !FOLLOWS.iter().any(known) {
            let all: Vec<_> = FOLLOWS.iter().map(|it| it.trim_end_matches('.')).collect();
            let why = format!("one that is or begins with one of: {}", all.join(", "));
            return Err(Problem::unfitting("action", why));
        }
        if let Some(when) = &self.when {
            let parsed = Expression::parse(when);
            let parsed = parsed.map_err(|it| Problem::unfitting("when", it))?;
            if let Some(other) = parsed.variables().find(|it| *it != ENTRY) {
                let why = format!("{other} is not known: there is entry");
                return Err(Problem::unfitting("when", why));
            }
        }
        if !is_word(&self.kind) {
            return Err(Problem::unfitting("type", WORD));
        }
        if self.to.len() > TO_MAX || self.to_found.len() > TO_MAX {
            return Err(Problem::unfitting("to", format!("at most {TO_MAX}, and of to_found")));
        }
        if self.to.is_empty() && self.to_found.is_empty() {
            return Err(Problem::unfitting("to", "name somebody here, or a place in to_found"));
        }
        if let Some(it) = self.to_found.iter().find(|it| !it.starts_with('/')) {
            let why = format!("{it} is no JSON pointer: write it as /data/member");
            return Err(Problem::unfitting("to_found", why));
        }
        let places = [
            ("files_found", &self.files_found, "/data/files"),
            ("mail_found", &self.mail_found, "/data/mail"),
        ];
        for (field, place, example) in places {
            if let Some(it) = place.as_ref().filter(|it| !it.starts_with('/')) {
                let why = format!("{it} is no JSON pointer: write it as {example}");
                return Err(Problem::unfitting(field, why));
            }
        }
        Ok(self)
    }

    /// Whether the entry is one of these.
    fn fits(&self, action: &str, entry: &Value) -> bool {
        let named = match self.action.strip_suffix('*') {
            Some(start) => action.starts_with(start),
            None => action == self.action,
        };
        let holds = |it: &str| {
            let parsed = Expression::parse(it).ok();
            parsed.is_some_and(|it| it.holds(&[(ENTRY, entry)]).unwrap_or(false))
        };
        named && self.when.as_deref().is_none_or(holds)
    }

    /// The notice that the entry becomes. `None` when it is for nobody.
    ///
    /// # Errors
    /// Why whom or what the entry names is none.
    fn notice(self, entry: Value) -> Result<Option<NewNotice>, String> {
        let mut to = self.to;
        for pointer in &self.to_found {
            let found = entry.pointer(pointer).map(all_named).transpose();
            to.extend(found.map_err(|why| format!("{pointer}: {why}"))?.unwrap_or_default());
        }
        if to.is_empty() {
            return Ok(None);
        }
        let found = |it: &Option<String>| {
            let found = it.as_ref().and_then(|it| entry.pointer(it));
            found.filter(|it| !it.is_null())
        };
        let files = found(&self.files_found).map_or_else(|| Ok(Vec::new()), files::named)?;
        let mail = found(&self.mail_found).map(thread::named).transpose()?;
        let of = of(&entry);
        let data = Map::from_iter([(ENTRY.to_owned(), entry)]);
        let (about, url, key) = (None, None, None);
        let (kind, urgent) = (self.kind, self.urgent);
        let (actor, expires_at) = (None, None);
        Ok(Some(NewNotice {
            kind,
            to,
            data,
            about,
            url,
            key,
            actor,
            expires_at,
            urgent,
            files,
            mail,
            of,
        }))
    }
}

/// Who is named there: one, or each of a list.
///
/// # Errors
/// When there are too many, or one is somebody whom no mail reaches.
fn all_named(found: &Value) -> Result<Vec<NewRecipient>, String> {
    let all = found.as_array().map_or(std::slice::from_ref(found), Vec::as_slice);
    if all.len() > LIST_MAX {
        return Err(format!("a list of at most {LIST_MAX}"));
    }
    all.iter().filter_map(|it| named(it).transpose()).collect()
}

/// Who is known by this. A text that names nobody is nobody.
///
/// # Errors
/// When it is somebody whom no mail reaches.
fn named(it: &Value) -> Result<Option<NewRecipient>, String> {
    if it.is_object() {
        let it = serde_json::from_value(it.clone());
        return it.map(|it| Some(NewRecipient::Contact(it))).map_err(|err| err.to_string());
    }
    let Some(text) = it.as_str() else { return Ok(None) };
    if Id::parse("mem", text).is_some() {
        return Ok(Some(NewRecipient::Member(text.to_owned())));
    }
    let email = Address::parse(text).ok();
    Ok(email.map(|email| NewRecipient::Contact(Contact::at(email))))
}

/// What a notice of the entry, as [`seen`], says that it is of.
fn of(entry: &Value) -> Option<Of> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Of { action: text("action")?, subject: text("subject")? })
}

/// What a rule sees of an entry.
fn seen(it: &Entry) -> Value {
    json!({"action": it.action, "subject": it.subject, "actor": it.actor, "at": it.at,
        "data": it.data})
}

/// The jobs that entries are, by the rules of this moment.
///
/// # Errors
/// When the rules cannot be read.
pub async fn follow(at: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
    let rules = store::list_rules(at, "", RULES_MAX).await?;
    let mut commit = Commit::new();
    for entry in entries.iter().filter(|_| !rules.is_empty()) {
        let seen = seen(entry);
        for rule in rules.iter().filter(|it| it.text.fits(&entry.action, &seen)) {
            let id = format!("{FIRE}:{}:{}", rule.name, entry.sequence);
            commit = commit.job(NewJob::new(FIRE, id, json!({"id": rule.name, "entry": seen})));
        }
    }
    Ok(commit)
}

/// Makes the notice, by the rule as it is now.
///
/// # Errors
/// A dead letter when the notice cannot be, with what its sender would hear.
pub async fn fire(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let name = job.subject()?;
    let Some(rule) = store::find_rule(at, name.as_str()).await? else { return Ok(Commit::new()) };
    let entry = job.body.get(ENTRY).cloned().unwrap_or_default();
    let of = of(&entry);
    let refused = |why: String| {
        let data = json!({"of": of, "why": why});
        Commit::new().entry(Draft::new("notice.refused", &name).with(data))
    };
    let dead = |why: String| Failure::dead(format!("rule {name}: {why}")).writing(refused(why));
    let new = match rule.text.notice(entry) {
        Ok(Some(it)) => it,
        Ok(None) => return Ok(Commit::new()),
        Err(why) => return Err(dead(why)),
    };
    match notice::composed(at, new).await {
        Ok(it) => Ok(it.commit),
        Err(why) if !why.status().is_server_error() => Err(dead(why.words())),
        Err(why) if job.is_last() => Err(Failure::again(why.words()).writing(refused(why.words()))),
        Err(why) => Err(Failure::again(why.words())),
    }
}

/// Lists them, by name.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_rules(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.name.clone())))
}

async fn find(at: &impl Tenant, call: &Call) -> Result<Rule, Problem> {
    store::find_rule(at, call.param()).await?.ok_or_else(Problem::not_found)
}

fn answer(it: &Rule) -> Response {
    with_header(json_response(StatusCode::OK, it), header::ETAG, &etag(it.version))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(answer(&find(at, call).await?))
}

/// Puts one, or replaces it. Entries from before are not looked at.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let name = call.param().to_owned();
    if !is_word(&name) {
        return Err(Problem::unfitting("name", WORD));
    }
    let text = call.json::<RuleText>()?.checked()?;
    let before = store::find_rule(at, &name).await?.map(|it| it.version);
    if call.if_match()?.is_some_and(|it| Some(it) != before) {
        return Err(Problem::changed_meanwhile());
    }
    let full = store::list_rules(at, "", RULES_MAX).await?.len() >= RULES_MAX as usize;
    if before.is_none() && full {
        return Err(Problem::full_list(RULES_MAX, "rules", "delete one that is not used"));
    }
    let version = before.map_or(1, |it| it + 1);
    let rule = Rule { name, text, version };
    let entry = Draft::new("notification_rule.put", &Id::trusted(rule.name.clone()))
        .with(json!({"version": version}));
    let commit = store::put_rule(&rule).entry(entry);
    at.answer(commit, answer(&rule), Problem::changed_meanwhile).await
}

/// Deletes one: what is on its way by it goes nowhere.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = find(at, call).await?;
    if call.if_match()?.is_some_and(|it| it != found.version) {
        return Err(Problem::changed_meanwhile());
    }
    let entry = Draft::new("notification_rule.deleted", &Id::trusted(found.name.clone()));
    let commit = store::delete_rule(&found).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}
