//! Rules: entries of the log that become notices.
//!
//! What happens elsewhere is followed. An entry that fits a rule becomes a job, in the commit that
//! moves on in the log, so each becomes its notice once. What notifications write themselves is not
//! followed, nor what becomes of jobs: no rule can go round in a circle.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared::{
    domain::{Commit, Draft, Entry, Failure, Id, Job, NewJob, Page, WORD, is_word},
    expression::Expression,
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    address::Address,
    files,
    notice::{self, NewNotice, Of},
    recipient::{Contact, NewRecipient},
    store,
};

/// Makes the notice of an entry.
pub const FIRE: &str = "notify.rule";
/// How many rules a tenant has at most.
pub const RULES_MAX: u32 = 100;
/// How many recipients a rule names, and how many places of an entry.
const TO_MAX: usize = 20;
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
    /// `email`, `name`, `locale` and `zone`: up to 20 JSON pointers, as `/data/member`. What is not
    /// there is nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to_found: Vec<String>,
    /// Where the entry names what a mail carries: a JSON pointer, as `/data/files`, to an object
    /// with `blob`, `name` and `type`, or to a list of up to 10. Other channels have the words
    /// alone. What is not there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_found: Option<String>,
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
        if let Some(it) = self.files_found.as_ref().filter(|it| !it.starts_with('/')) {
            let why = format!("{it} is no JSON pointer: write it as /data/files");
            return Err(Problem::unfitting("files_found", why));
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
            let found = entry.pointer(pointer).map(named).transpose();
            to.extend(found.map_err(|why| format!("{pointer}: {why}"))?.flatten());
        }
        if to.is_empty() {
            return Ok(None);
        }
        let files = self.files_found.as_ref().and_then(|it| entry.pointer(it));
        let files =
            files.filter(|it| !it.is_null()).map_or_else(|| Ok(Vec::new()), files::named)?;
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
            of,
        }))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(data: Value) -> Result<Option<NewNotice>, String> {
        let text = json!({"action": "invoice.*", "type": "bill", "to_found": ["/data/to"],
            "files_found": "/data/files"});
        let rule: RuleText = serde_json::from_value(text).unwrap();
        rule.notice(json!({"action": "invoice.x", "subject": "bdl_1", "data": data}))
    }

    #[test]
    fn an_object_is_a_contact_with_its_name_and_language() {
        let to = json!({"email": "Ada@Example.com", "name": "Ada", "locale": "de"});
        let files = json!([{"blob": "files/a", "name": "a.pdf", "type": "application/pdf"}]);

        let it = notice(json!({"to": to, "files": files})).unwrap().unwrap();

        let NewRecipient::Contact(contact) = &it.to[0] else { panic!("{:?}", it.to) };
        assert_eq!(contact.email.as_ref().unwrap().as_str(), "Ada@example.com");
        assert_eq!((contact.name.as_str(), contact.locale.as_deref()), ("Ada", Some("de")));
        assert_eq!(it.files.len(), 1);
        let of = it.of.unwrap();
        assert_eq!((of.action.as_str(), of.subject.as_str()), ("invoice.x", "bdl_1"));
    }

    #[test]
    fn whom_no_mail_reaches_is_told_and_nobody_is_nobody() {
        let why = notice(json!({"to": {"email": "no address"}})).unwrap_err();
        assert!(why.contains("/data/to") && why.contains("somebody@example.com"), "{why}");
        assert!(notice(json!({"to": "no address"})).unwrap().is_none());
        assert!(notice(json!({})).unwrap().is_none());
    }

    #[test]
    fn files_that_are_none_are_told() {
        let bad = json!([{"blob": "secret", "name": "a.pdf", "type": "application/pdf"}]);

        assert!(notice(json!({"to": "ada@example.com", "files": bad})).is_err());
        let it = notice(json!({"to": "ada@example.com", "files": null})).unwrap().unwrap();
        assert!(it.files.is_empty());
    }
}
