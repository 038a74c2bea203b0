//! An app: an origin, and how its requests are let through to it.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    directory,
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Page, Principal, Timestamp, WORD, is_word},
    http::{
        HeaderName, HeaderValue, Response, StatusCode, empty, etag, header, json as json_response,
        with_header,
    },
    log,
    ports::{Edge, PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{header::is_ours, identify::Identify, store, target};
use crate::limits::policy::check_name;

/// The kind of an app's address in the directory, and the prefix of its id.
pub const ADDRESS: &str = "gte";
/// Shows the apps to the edge.
pub const SHOW: &str = "gate.apps";
/// The document in which the edge finds them.
const DOCUMENT: &str = "apps";
/// For how long an instance knows an app …
const KNOWN_FOR: Duration = Duration::from_secs(1);
/// … and how many of them.
const KNOWN_MAX: usize = 1_000;
/// How many apps a tenant has.
pub const APPS_MAX: usize = 50;
/// How long an origin may take until the head of its answer is there, in seconds.
const TIMEOUT_SECONDS: std::ops::RangeInclusive<u32> = 1..=300;
const TIMEOUT_SECONDS_DEFAULT: u32 = 30;
/// How large the body of a request may be at most, in bytes: 1 GiB.
const BODY_BYTES_CEILING: u64 = 1024 * 1024 * 1024;
/// How large it may be when the app does not say: 100 MiB.
const BODY_BYTES_DEFAULT: u64 = 100 * 1024 * 1024;
/// How many routes, or headers of one kind, an app has.
const ENTRIES_MAX: usize = 32;
thread_local! {
    static KNOWN: RefCell<BTreeMap<String, (Timestamp, Rc<App>)>> = RefCell::default();
}

/// The longest route, or value of a header, in characters.
const ENTRY_CHARS_MAX: usize = 256;

/// An app behind the gate.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GateApp)]
pub struct App {
    /// Its name, by which policies and usage call it.
    #[serde(default)]
    pub name: String,
    /// The path at which it is asked, `/gate/gte_…`: made once, and never another's.
    #[serde(default)]
    pub path: String,
    /// Where requests are handed on to, `https://api.example.com`: an address of the web without a
    /// path.
    pub origin: String,
    /// What every path begins with at the origin, `/v2`; nothing when left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path_prefix: String,
    /// How long the origin may say nothing until its answer begins: 1 to 300 s, 30 when left out.
    /// While a body is sent to it, it is not silent.
    #[serde(default = "timeout_seconds")]
    pub forward_timeout_seconds: u32,
    /// The largest body of a request, up to 1 GiB; 100 MiB when left out.
    #[serde(default = "body_bytes_max")]
    pub body_bytes_max: u64,
    /// Who asks.
    #[serde(default)]
    pub identify: Identify,
    /// Headers that the origin gets beside those of the request. They are shown to whoever reads
    /// the app.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub add_headers: BTreeMap<String, String>,
    /// Headers of the request that the origin does not get.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove_headers: Vec<String>,
    /// By which names requests are counted: patterns of paths with `*`, as `/v1/orders/*`. The
    /// best that fits is the request's route for policies and usage, and `other` where none does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<String>,
    /// Headers that policies look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_headers: Vec<String>,
    /// Of which meters its requests are: of no other a hard quota that is used up refuses them. Of
    /// all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meters: Option<Vec<String>>,
    /// Whether answers have the X-RateLimit headers as well.
    #[serde(default)]
    pub legacy_headers: bool,
    /// Counts its changes; its ETag.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub version: i64,
}

fn timeout_seconds() -> u32 {
    TIMEOUT_SECONDS_DEFAULT
}

fn body_bytes_max() -> u64 {
    BODY_BYTES_DEFAULT
}

impl App {
    /// Its id, which is its address.
    pub fn id(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or("")
    }

    fn check(&mut self) -> Result<(), Problem> {
        check_name("name", &self.name)?;
        self.origin = target::origin(&self.origin)?;
        target::check_prefix(&self.path_prefix)?;
        if !TIMEOUT_SECONDS.contains(&self.forward_timeout_seconds) {
            let (from, to) = TIMEOUT_SECONDS.into_inner();
            return Err(Problem::unfitting("forward_timeout_seconds", format!("{from} to {to}")));
        }
        if self.body_bytes_max > BODY_BYTES_CEILING {
            return Err(Problem::unfitting("body_bytes_max", format!("0 to {BODY_BYTES_CEILING}")));
        }
        self.identify.check()?;
        for (field, names) in [
            ("add_headers", self.add_headers.keys().collect::<Vec<_>>()),
            ("remove_headers", self.remove_headers.iter().collect()),
            ("policy_headers", self.policy_headers.iter().collect()),
        ] {
            few(field, names.len())?;
            names.into_iter().try_for_each(|it| check_header(field, it))?;
        }
        for value in self.add_headers.values() {
            if value.len() > ENTRY_CHARS_MAX || HeaderValue::from_str(value).is_err() {
                let why = format!("at most {ENTRY_CHARS_MAX} characters that a header can have");
                return Err(Problem::unfitting("add_headers", why));
            }
        }
        let meters = self.meters.as_deref().unwrap_or_default();
        few("meters", meters.len())?;
        if !meters.iter().all(|it| is_word(it)) {
            return Err(Problem::unfitting("meters", WORD));
        }
        few("routes", self.routes.len())?;
        if self.routes.iter().any(|it| !it.starts_with(['/', '*']) || it.len() > ENTRY_CHARS_MAX) {
            let why = format!("a path or pattern of up to {ENTRY_CHARS_MAX} characters");
            return Err(Problem::unfitting("routes", why));
        }
        Ok(())
    }
}

fn few(field: &str, count: usize) -> Result<(), Problem> {
    if count <= ENTRIES_MAX {
        return Ok(());
    }
    Err(Problem::unfitting(field, format!("at most {ENTRIES_MAX}")))
}

/// Whether a name is one of a header that an app may speak of: not of the connection's own.
pub fn check_header(field: &str, name: &str) -> Result<(), Problem> {
    match HeaderName::try_from(name) {
        Ok(it) if !is_ours(&it) && it != header::HOST && it != header::CONTENT_LENGTH => Ok(()),
        _ => Err(Problem::unfitting(field, format!("{name:?} is no header that an app can name"))),
    }
}

/// Lists the apps, by name.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.name.clone())))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = store::find(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    let response = json_response(StatusCode::OK, &found);
    Ok(with_header(response, header::ETAG, &etag(found.version)))
}

/// Writes one: makes it, or replaces it under the address that it has.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let mut app: App = call.json()?;
    call.param().clone_into(&mut app.name);
    app.check()?;
    let before = store::find(at, &app.name).await?;
    if call.if_match()?.is_some_and(|it| Some(it) != before.as_ref().map(|it| it.version)) {
        return Err(Problem::changed_meanwhile());
    }
    app.version = before.as_ref().map_or(1, |it| it.version + 1);
    app.path = match &before {
        Some(it) => it.path.clone(),
        None => format!("/gate/{}", at.new_id(ADDRESS)?),
    };
    let before = before.map(|it| it.version);
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let entry = Draft::new("app.put", &Id::trusted(app.name.clone()))
        .with(serde_json::to_value(&app).unwrap_or_default());
    let commit = store::put(&app, before).entry(entry).job(shown(at, None)?);
    let response = json_response(status, &app);
    let response = with_header(response, header::ETAG, &etag(app.version));
    let full = || match before {
        Some(_) => Problem::changed_meanwhile(),
        None => Problem::new(
            StatusCode::CONFLICT,
            "/problems/gate/too-many-apps",
            "There is no room for another app",
        )
        .detail(format!("a tenant has at most {APPS_MAX}; or it was made meanwhile")),
    };
    at.answer(commit, response, full).await
}

/// Removes one: its address leads nowhere any more.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = store::find(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    if call.if_match()?.is_some_and(|it| it != found.version) {
        return Err(Problem::changed_meanwhile());
    }
    let entry = Draft::new("app.deleted", &Id::trusted(found.name.clone()));
    let job = shown(at, Some(found.id()))?;
    let commit = store::delete(&found).entry(entry).job(job);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}

fn shown(at: &impl Tenant, gone: Option<&str>) -> Result<NewJob, Problem> {
    let id = format!("{SHOW}:{}", at.new_id("job")?);
    Ok(NewJob::new(SHOW, id, json!({"gone": gone})).eager())
}

/// Shows all apps and their addresses to the edge, as of the last entry of the log.
pub async fn show(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    // First how far the log is, then what is there: what is shown is at least as new as its number.
    let version = log::head(at).await?;
    let limit = u32::try_from(APPS_MAX).unwrap_or(u32::MAX);
    let all = store::list(at, "", limit).await?;
    let directory = at.projection();
    directory.show_document(DOCUMENT, version, &json!(all)).await?;
    if let Some(gone) = job.body.get("gone").and_then(|it| it.as_str()) {
        directory.release_address(ADDRESS, gone).await?;
    }
    for it in &all {
        if !directory.claim_address(ADDRESS, it.id()).await? {
            return Err(Failure::dead("another tenant has an app with this id"));
        }
    }
    Ok(Commit::new())
}

/// The app of the principal's tenant that has this id, as the edge knows it: of a sandbox as it is,
/// and otherwise as it was at most a second ago, beside what the directory's cache lags.
///
/// # Errors
/// When the directory cannot be read.
pub async fn find(
    edge: &impl Edge,
    principal: &Principal,
    id: &str,
) -> Result<Option<Rc<App>>, PortError> {
    let (name, now) = (format!("{}:{id}", principal.tenant), edge.now());
    if !principal.sandbox {
        let known = KNOWN.with_borrow(|it| it.get(&name).filter(|it| now < it.0).cloned());
        if let Some((_, app)) = known {
            return Ok(Some(app));
        }
    }
    let Some((_, all)) = directory::document(edge, &principal.tenant, DOCUMENT).await? else {
        return Ok(None);
    };
    let all: Vec<App> = serde_json::from_value(all).map_err(|err| PortError::new("apps", err))?;
    let Some(app) = all.into_iter().find(|it| it.id() == id).map(Rc::new) else {
        return Ok(None);
    };
    KNOWN.with_borrow_mut(|it| {
        if it.len() >= KNOWN_MAX {
            it.clear();
        }
        it.insert(name, (now + KNOWN_FOR, Rc::clone(&app)));
    });
    Ok(Some(app))
}

#[cfg(test)]
mod tests {
    use pollster::block_on;
    use serde_json::Value;
    use shared::{directory::TenantRecord, domain::OPERATOR, memory::Memory, open::Open};

    use super::*;
    use crate::Gate;

    const TENANT: &str = "ten_00000000000000000000000000";

    fn place(sandbox: bool) -> Memory {
        let memory = Memory::default();
        let store = memory.store(OPERATOR);
        let operator = Open::system(&memory, &store, OPERATOR, false);
        let record = TenantRecord { name: "T".into(), state: "active".into(), sandbox };
        let shown = async { operator.await?.projection().show_tenant(TENANT, &record, 1).await };
        block_on(shown).unwrap();
        memory
    }

    fn ask(memory: &Memory, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut request = http::Request::builder().method(method).uri(path);
        if path.starts_with("/v1/") {
            let key = format!("Bearer {}", Memory::OPERATOR_KEY);
            request = request.header("authorization", key).header("backplane-tenant", TENANT);
            request = request.header("content-type", "application/json");
        }
        let response = memory.serve::<Gate>(request.body(body.into()).unwrap());
        let status = response.status().as_u16();
        let text = response.body().as_full().cloned().unwrap_or_default();
        (status, serde_json::from_slice(&text).unwrap_or_default())
    }

    /// The address of an app that was asked once, and is deleted then.
    fn deleted(memory: &Memory) -> String {
        let app = json!({"origin": "https://origin.example"});
        let (status, app) = ask(memory, "PUT", "/v1/limits/apps/shop", &app);
        assert_eq!(status, 201, "{app}");
        let address = format!("{}/x", app["path"].as_str().unwrap());
        // The app is there: it wants a key.
        assert_eq!(ask(memory, "GET", &address, &Value::Null).0, 401);
        assert_eq!(ask(memory, "DELETE", "/v1/limits/apps/shop", &Value::Null).0, 204);
        address
    }

    #[test]
    fn an_app_is_known_for_a_second() {
        let memory = place(false);

        let address = deleted(&memory);

        assert_eq!(ask(&memory, "GET", &address, &Value::Null).0, 401);
        memory.advance(KNOWN_FOR);
        assert_eq!(ask(&memory, "GET", &address, &Value::Null).0, 404);
    }

    #[test]
    fn of_a_sandbox_nothing_is_remembered() {
        let memory = place(true);

        let address = deleted(&memory);

        assert_eq!(ask(&memory, "GET", &address, &Value::Null).0, 404);
    }
}
