//! Promises: policies and calendars as they are put, by name and in versions.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Id, Page, Timestamp, WORD, is_word},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    calendar::{Calendar, CalendarText},
    look,
    policy::{ALWAYS, PolicyText},
    versions::{Version, Versions},
};
use crate::store::{self, Named};

/// How many policies there are at most, and how many calendars.
pub const NAMES_MAX: u32 = 50;
/// How many versions one has.
pub const VERSIONS_MAX: u32 = 100;
/// The largest of them, as it is put, in bytes.
pub const BODY_BYTES_MAX: usize = 128 * 1024;
/// How large all versions of all of them are, in bytes: whoever looks at a ticket reads them.
pub const BYTES_MAX: i64 = 2 * 1024 * 1024;

/// What is put by name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// When people work.
    Calendar,
    /// What is promised.
    Policy,
}

/// When people work, by name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WorkingCalendar {
    /// Its name.
    pub name: String,
    /// Counts its puts; its ETag.
    pub version: i64,
    /// From when it is as it is here. Before its first version it was as in that one.
    pub applies_from: Timestamp,
    /// What was put last.
    #[serde(flatten)]
    pub text: CalendarText,
}

/// What is promised of which tickets, by name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SlaPolicy {
    /// Its name: what a ticket's `sla` says that is held to it whatever its condition says.
    pub name: String,
    /// Counts its puts; its ETag.
    pub version: i64,
    /// From when it applies as it is here.
    pub applies_from: Timestamp,
    /// What was put last.
    #[serde(flatten)]
    pub text: PolicyText,
}

/// Something as it was put once.
#[derive(Clone, Debug, Serialize)]
pub struct PromiseVersion<T> {
    /// 1, 2, 3 …
    pub version: i64,
    /// From when it applies: until another does.
    pub applies_from: Timestamp,
    /// What was put; nothing where it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<T>,
}

/// A kind of promise, as its routes need it.
pub trait Promise: Clone + Serialize + DeserializeOwned {
    /// Which.
    const KIND: Kind;
    /// What the log says when it is put, when it ends, and when it is forgotten.
    const TOLD: [&'static str; 3];

    /// The same, if it can be kept.
    ///
    /// # Errors
    /// 422 with what does not fit.
    async fn checked(self, at: &impl Tenant) -> Result<Self, Problem>;

    /// That nothing needs it any more: from now on, or at any time.
    ///
    /// # Errors
    /// 409 with what does.
    async fn unused(at: &impl Tenant, name: &str, ever: bool) -> Result<(), Problem>;

    /// One as it is read.
    fn shown(name: String, version: Version<Self>) -> Option<Value>;
}

impl Kind {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Calendar => "calendar",
            Self::Policy => "policy",
        }
    }

    /// What several are called.
    fn many(self) -> &'static str {
        match self {
            Self::Calendar => "calendars",
            Self::Policy => "policies",
        }
    }
}

impl Promise for CalendarText {
    const KIND: Kind = Kind::Calendar;
    const TOLD: [&'static str; 3] =
        ["ticket_calendar.put", "ticket_calendar.deleted", "ticket_calendar.forgotten"];

    async fn checked(self, _: &impl Tenant) -> Result<Self, Problem> {
        Calendar::new(self).map(|it| it.text().clone())
    }

    async fn unused(at: &impl Tenant, name: &str, ever: bool) -> Result<(), Problem> {
        let now = at.now();
        let policies: Vec<Named<PolicyText>> = store::list_promises(at, Kind::Policy).await?;
        for (policy, all) in grouped(policies) {
            let all = Versions::new(all);
            let names = |it: &Version<PolicyText>| {
                it.what.as_ref().is_some_and(|it| it.calendars().contains(name))
            };
            if all.from(now, ever).any(names) {
                let why = if ever {
                    format!("a version of {policy} names it: forget {policy} first")
                } else {
                    format!("{policy} names it: put {policy} with another calendar first")
                };
                let kind = "/problems/tickets/calendar-used";
                return Err(Problem::new(
                    StatusCode::CONFLICT,
                    kind,
                    "A policy names the calendar",
                )
                .detail(why));
            }
        }
        Ok(())
    }

    fn shown(name: String, it: Version<Self>) -> Option<Value> {
        let (version, applies_from) = (it.number, it.applies_from);
        Some(json!(WorkingCalendar { name, version, applies_from, text: it.what? }))
    }
}

impl Promise for PolicyText {
    const KIND: Kind = Kind::Policy;
    const TOLD: [&'static str; 3] =
        ["ticket_sla.put", "ticket_sla.deleted", "ticket_sla.forgotten"];

    async fn checked(self, at: &impl Tenant) -> Result<Self, Problem> {
        let it = self.checked()?;
        let known: Vec<Named<CalendarText>> = store::list_promises(at, Kind::Calendar).await?;
        let known = grouped(known);
        let is_known = |name: &str| {
            let of = known.iter().find(|it| it.0 == name).and_then(|it| it.1.last());
            name == ALWAYS || of.is_some_and(|it| it.what.is_some())
        };
        let unknown = it.calendars().into_iter().find(|it| !is_known(it));
        let why = unknown.map(|name| format!("no calendar is called {name}"));
        why.map_or(Ok(it), |why| Err(Problem::unfitting("calendar", why)))
    }

    async fn unused(_: &impl Tenant, _: &str, _: bool) -> Result<(), Problem> {
        Ok(())
    }

    fn shown(name: String, it: Version<Self>) -> Option<Value> {
        let (version, applies_from) = (it.number, it.applies_from);
        Some(json!(SlaPolicy { name, version, applies_from, text: it.what? }))
    }
}

/// Each name with its versions, in the order of the puts.
fn grouped<T>(all: Vec<Named<T>>) -> Vec<(String, Vec<Version<T>>)> {
    let mut groups: Vec<(String, Vec<Version<T>>)> = Vec::new();
    for (name, version) in all {
        match groups.last_mut().filter(|it| it.0 == name) {
            Some((_, versions)) => versions.push(version),
            None => groups.push((name, vec![version])),
        }
    }
    groups
}

/// Lists what was put last under each name that has not ended, by name.
pub async fn list<T: Promise>(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key()).to_owned();
    let all = grouped(store::list_promises::<T>(at, T::KIND).await?).into_iter();
    let shown = all.filter(|(name, _)| *name > after);
    let shown = shown.filter_map(|(name, mut all)| T::shown(name, all.pop()?));
    let found = shown.take(limit as usize + 1).collect();
    let key = |it: &Value| it["name"].as_str().unwrap_or_default().to_owned();
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, key)))
}

/// The last version of one. `None` when there is none, or it has ended.
async fn last<T: Promise>(at: &impl Tenant, name: &str) -> Result<Option<Version<T>>, Problem> {
    let last = store::find_promise::<T>(at, T::KIND, name).await?.pop();
    Ok(last.filter(|it| it.what.is_some()))
}

fn answer<T: Promise>(name: &str, it: Version<T>) -> Result<Response, Problem> {
    let version = it.number;
    let body = T::shown(name.to_owned(), it).ok_or_else(Problem::not_found)?;
    Ok(with_header(json_response(StatusCode::OK, &body), header::ETAG, &etag(version)))
}

/// Reads what was put last.
pub async fn get<T: Promise>(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = last::<T>(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    answer(call.param(), found)
}

/// Lists all versions of one, in the order of the puts.
pub async fn versions<T: Promise>(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or(0, |it| it.key().parse::<i64>().unwrap_or(0));
    let all = store::find_promise::<T>(at, T::KIND, call.param()).await?;
    if all.is_empty() {
        return Err(Problem::not_found());
    }
    let shown = all.into_iter().filter(|it| it.number > after).take(limit as usize + 1);
    let shown = shown.map(|it| PromiseVersion {
        version: it.number,
        applies_from: it.applies_from,
        text: it.what,
    });
    let key = |it: &PromiseVersion<T>| it.version.to_string();
    Ok(json_response(StatusCode::OK, &Page::of(shown.collect(), limit, key)))
}

/// From when it is to apply, by the call's query; from now on when it does not say.
fn applies_from(at: &impl Tenant, call: &Call) -> Result<Timestamp, Problem> {
    let Some(text) = call.query("applies_from") else { return Ok(at.now()) };
    let parsed = Timestamp::parse(&text).filter(|it| it.0 >= 0);
    parsed.ok_or_else(|| {
        Problem::unfitting("applies_from", "an RFC 3339 time, as 2030-01-31T12:00:00Z")
    })
}

/// Puts a version.
pub async fn put<T: Promise>(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let name = call.param().to_owned();
    if !is_word(&name) || (T::KIND == Kind::Calendar && name == ALWAYS) {
        let why = format!("{WORD}; {ALWAYS} is the calendar that everybody has");
        return Err(Problem::unfitting("name", why));
    }
    let applies_from = applies_from(at, call)?;
    // What is compared is read first: a change between the two makes the commit a conflict.
    let changes = store::promise_changes(at).await?;
    let text = call.json::<T>()?.checked(at).await?;
    let before = store::find_promise::<T>(at, T::KIND, &name).await?;
    let known = before.last().filter(|it| it.what.is_some()).map(|it| it.number);
    if call.if_match()?.is_some_and(|it| Some(it) != known) {
        return Err(Problem::changed_meanwhile());
    }
    let written = json!(text).to_string();
    fits::<T>(at, known.is_none(), before.len(), &written).await?;
    let number = before.last().map_or(1, |it| it.number + 1);
    let data = json!({"version": number, "applies_from": applies_from, "text": text});
    let commit = store::put_promise(T::KIND, &name, number, applies_from, Some(written));
    let commit = commit.and(changed(changes, reaches_back(&before, applies_from, at.now())));
    let commit = commit.entry(Draft::new(T::TOLD[0], &Id::trusted(name.clone())).with(data));
    let response = answer(&name, Version { number, applies_from, what: Some(text) })?;
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// That there is room for another version.
async fn fits<T: Promise>(
    at: &impl Tenant,
    is_new: bool,
    versions: usize,
    text: &str,
) -> Result<(), Problem> {
    let most = |it: u32| usize::try_from(it).unwrap_or(usize::MAX);
    let forget = "delete one with forget=true: it is as if it had never been";
    if versions >= most(VERSIONS_MAX) {
        return Err(Problem::full_list(VERSIONS_MAX, "versions", "put it by another name"));
    }
    if is_new {
        let all = grouped(store::list_promises::<T>(at, T::KIND).await?);
        let live =
            |it: &&(String, Vec<Version<T>>)| it.1.last().is_some_and(|it| it.what.is_some());
        if all.iter().filter(live).count() >= most(NAMES_MAX) {
            let instead = "delete one that is not used";
            return Err(Problem::full_list(NAMES_MAX, T::KIND.many(), instead));
        }
    }
    let bytes = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if store::promise_bytes(at).await?.saturating_add(bytes) > BYTES_MAX {
        let most = u32::try_from(BYTES_MAX).unwrap_or(u32::MAX);
        return Err(Problem::full_list(most, "bytes of versions", forget));
    }
    Ok(())
}

/// What every change of promises comes with: all tickets that it can matter to are looked at.
fn changed(changes: i64, reaches_back: bool) -> Commit {
    store::change_promises(changes).job(look::sweeping(changes + 1, reaches_back, ""))
}

/// Whether a version changes what is past: by its moment, or because what was before the first
/// version of a calendar was as in that one.
fn reaches_back<T: Promise>(
    before: &[Version<T>],
    applies_from: Timestamp,
    now: Timestamp,
) -> bool {
    let is_planned = !before.is_empty() && before.iter().all(|it| it.applies_from > now);
    applies_from < now || (T::KIND == Kind::Calendar && is_planned)
}

/// Ends one from now on, with what was planned of it; or forgets it, as if it had never been.
pub async fn delete<T: Promise>(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let name = call.param();
    let forget = match call.query("forget").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::unfitting("forget", "true or false")),
    };
    let changes = store::promise_changes(at).await?;
    let before = store::find_promise::<T>(at, T::KIND, name).await?;
    let last = before.last().filter(|it| forget || it.what.is_some());
    let last = last.ok_or_else(Problem::not_found)?;
    if call.if_match()?.is_some_and(|it| it != last.number) {
        return Err(Problem::changed_meanwhile());
    }
    T::unused(at, name, forget).await?;
    let (number, now) = (last.number + 1, at.now());
    let id = Id::trusted(name.to_owned());
    let commit = if forget {
        let commit = store::forget_promise(T::KIND, name).and(changed(changes, true));
        commit.entry(Draft::new(T::TOLD[2], &id))
    } else {
        let data = json!({"version": number, "applies_from": now});
        let commit = store::unplan_promise(T::KIND, name, now);
        let commit = commit.and(store::put_promise(T::KIND, name, number, now, None));
        commit
            .and(changed(changes, reaches_back(&before, now, now)))
            .entry(Draft::new(T::TOLD[1], &id).with(data))
    };
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}

/// [`PromiseVersion`] of a calendar, as the API document has it.
#[derive(ToSchema)]
pub struct WorkingCalendarVersion {
    /// 1, 2, 3 …
    pub version: i64,
    /// From when it applies: until another does.
    pub applies_from: Timestamp,
    /// What was put; nothing where it ends.
    pub text: Option<CalendarText>,
}

/// [`PromiseVersion`] of a policy, as the API document has it.
#[derive(ToSchema)]
pub struct SlaPolicyVersion {
    /// 1, 2, 3 …
    pub version: i64,
    /// From when it applies: until another does.
    pub applies_from: Timestamp,
    /// What was put; nothing where it ends.
    pub text: Option<PolicyText>,
}
