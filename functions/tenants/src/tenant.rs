//! A tenant's life: created, suspended, restored, deleted with a grace period, erased.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    directory::TenantRecord,
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Page, Timestamp},
    http::{Response, StatusCode, etag, header, json as json_response, with_header},
    ports,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::store;

/// Shows a tenant in the directory as it is now.
pub const SHOW: &str = "tenants.show";
/// Erases a tenant whose grace period is over.
pub const ERASE: &str = "tenants.erase";
/// Removes what is left of a tenant that is erased.
pub const WIPE: &str = "tenants.wipe";

/// How long a deleted tenant can still be restored.
pub const GRACE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 120;

/// One customer organisation of the product.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tenant {
    /// `ten_…`
    pub id: Id,
    /// What people call it.
    pub name: String,
    /// Whether it may be used.
    pub state: State,
    /// Whether it is for trying things out, and may move its own clock.
    pub sandbox: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it will be erased, if it is not restored before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erase_at: Option<Timestamp>,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
}

/// Whether a tenant may be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It may.
    Active,
    /// The operator has said no for now.
    Suspended,
    /// It is deleted, and can be restored until it is erased.
    Deleting,
    /// It is erased; only the operator's log remembers it.
    Deleted,
}

/// What a new tenant is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// What people call it: 1 to 120 characters.
    pub name: String,
    /// Whether it is for trying things out. It cannot be changed later.
    #[serde(default)]
    pub sandbox: bool,
}

/// What can be changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantChange {
    /// What people call it: 1 to 120 characters.
    pub name: String,
}

/// Who a request comes from.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhoAmI {
    /// The tenant that it touches.
    pub tenant: String,
    /// Who acts.
    pub actor: String,
    /// What they may do.
    pub scopes: Vec<String>,
    /// Whether the tenant is a sandbox.
    pub sandbox: bool,
    /// The time by the tenant's clock.
    pub now: Timestamp,
}

impl State {
    /// The word for it in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }

    /// Reads [`State::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Deleting, Self::Deleted]
            .into_iter()
            .find(|it| it.as_str() == text)
    }
}

/// A name, without space around it.
fn name(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    let fits = !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX;
    if fits && !name.chars().any(char::is_control) {
        Ok(name.to_owned())
    } else {
        let why = format!("a name is 1 to {NAME_CHARS_MAX} characters without control characters");
        Err(Problem::unfitting("name", why))
    }
}

/// Creates a tenant.
pub async fn create(at: &impl ports::Tenant, new: NewTenant) -> Result<Response, Problem> {
    let tenant = Tenant {
        id: at.new_id("ten")?,
        name: name(&new.name)?,
        state: State::Active,
        sandbox: new.sandbox,
        created_at: at.now(),
        erase_at: None,
        version: 1,
    };
    let entry = Draft::new("tenant.created", &tenant.id)
        .with(json!({"name": tenant.name, "sandbox": tenant.sandbox}));
    let commit = Commit::new().and(store::insert_tenant(&tenant)).entry(entry).job(shown(&tenant));
    at.answer(commit, answer(StatusCode::CREATED, &tenant), Problem::changed_meanwhile).await
}

/// The job that shows this version of the tenant.
fn shown(tenant: &Tenant) -> NewJob {
    let id = format!("{SHOW}:{}:{}", tenant.id, tenant.version);
    NewJob::new(SHOW, id, json!({"id": tenant.id})).eager()
}

fn answer(status: StatusCode, tenant: &Tenant) -> Response {
    with_header(json_response(status, tenant), header::ETAG, &etag(tenant.version))
}

/// Lists the tenants, oldest first.
pub async fn list(at: &impl ports::Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let tenants = store::list_tenants(at, after, limit + 1).await?;
    let page = Page::of(tenants, limit, |it| it.id.to_string());
    Ok(json_response(StatusCode::OK, &page))
}

/// Reads one.
pub async fn get(at: &impl ports::Tenant, id: &Id) -> Result<Response, Problem> {
    find(at, id).await.map(|it| answer(StatusCode::OK, &it))
}

async fn find(at: &impl ports::Tenant, id: &Id) -> Result<Tenant, Problem> {
    store::find_tenant(at, id).await?.ok_or_else(Problem::not_found)
}

/// Renames one.
pub async fn update(at: &impl ports::Tenant, call: &Call) -> Result<Response, Problem> {
    let change: TenantChange = call.json()?;
    let tenant = find(at, &call.id("ten")?).await?;
    if call.if_match()?.is_some_and(|it| it != tenant.version) {
        return Err(Problem::changed_meanwhile());
    }
    let renamed = Tenant { name: name(&change.name)?, ..tenant };
    let data = json!({"name": renamed.name});
    save(at, renamed, "tenant.updated", data, None).await
}

/// Suspends one: its keys stop working until it is restored.
pub async fn suspend(at: &impl ports::Tenant, id: &Id) -> Result<Response, Problem> {
    let tenant = find(at, id).await?;
    match tenant.state {
        State::Suspended => Ok(answer(StatusCode::OK, &tenant)),
        State::Active => {
            let suspended = Tenant { state: State::Suspended, ..tenant };
            save(at, suspended, "tenant.suspended", json!({}), None).await
        }
        State::Deleting | State::Deleted => Err(deleted()),
    }
}

/// Restores one that is suspended, or deleted and not yet erased.
pub async fn restore(at: &impl ports::Tenant, id: &Id) -> Result<Response, Problem> {
    let tenant = find(at, id).await?;
    match tenant.state {
        State::Active => Ok(answer(StatusCode::OK, &tenant)),
        State::Suspended | State::Deleting => {
            let restored = Tenant { state: State::Active, erase_at: None, ..tenant };
            save(at, restored, "tenant.restored", json!({}), None).await
        }
        State::Deleted => Err(deleted()),
    }
}

/// Deletes one: its keys stop working now, its data is erased when the grace period is over.
pub async fn delete(at: &impl ports::Tenant, id: &Id) -> Result<Response, Problem> {
    let tenant = find(at, id).await?;
    match tenant.state {
        State::Deleting | State::Deleted => Ok(answer(StatusCode::OK, &tenant)),
        State::Active | State::Suspended => {
            let erase_at = at.now() + GRACE;
            let deleting = Tenant { state: State::Deleting, erase_at: Some(erase_at), ..tenant };
            let job = NewJob::new(
                ERASE,
                format!("{ERASE}:{}:{}", deleting.id, deleting.version + 1),
                json!({"id": deleting.id}),
            );
            let data = json!({"erase_at": erase_at});
            save(at, deleting, "tenant.deleted", data, Some(job.at(erase_at))).await
        }
    }
}

async fn save(
    at: &impl ports::Tenant,
    tenant: Tenant,
    action: &'static str,
    data: serde_json::Value,
    job: Option<NewJob>,
) -> Result<Response, Problem> {
    let read = tenant.version;
    let tenant = Tenant { version: read + 1, ..tenant };
    let mut commit = store::update_tenant(&tenant, read)
        .entry(Draft::new(action, &tenant.id).with(data))
        .job(shown(&tenant));
    if let Some(job) = job {
        commit = commit.job(job);
    }
    at.answer(commit, answer(StatusCode::OK, &tenant), Problem::changed_meanwhile).await
}

fn deleted() -> Problem {
    Problem::new(StatusCode::CONFLICT, "/problems/tenants/deleted", "The tenant is deleted")
        .detail("restore it within its grace period, or create another")
}

/// Shows the tenant in the directory as it is now.
pub async fn show(at: &impl ports::Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(tenant) = store::find_tenant(at, &id).await? else { return Ok(Commit::new()) };
    if tenant.state != State::Deleted {
        let state = tenant.state.as_str().to_owned();
        let record = TenantRecord { name: tenant.name, state, sandbox: tenant.sandbox };
        at.projection().show_tenant(id.as_str(), &record, tenant.version).await?;
    }
    Ok(Commit::new())
}

/// Erases the tenant, if its grace period is over and nobody restored it.
pub async fn erase(at: &impl ports::Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(tenant) = store::find_tenant(at, &id).await? else { return Ok(Commit::new()) };
    let due = tenant.erase_at.is_some_and(|it| it <= at.now());
    if tenant.state != State::Deleting || !due {
        return Ok(Commit::new());
    }
    // First it is beyond restoring, and only then is anything removed.
    let erased = Tenant { state: State::Deleted, version: tenant.version + 1, ..tenant.clone() };
    Ok(store::update_tenant(&erased, tenant.version)
        .entry(Draft::new("tenant.erased", &id))
        .job(NewJob::new(WIPE, format!("{WIPE}:{id}"), json!({"id": id}))))
}

/// Removes what is left of a tenant that is erased.
pub async fn wipe(at: &impl ports::Tenant, job: &Job) -> Result<Commit, Failure> {
    at.projection().erase_tenant(job.subject()?.as_str()).await?;
    Ok(Commit::new())
}

/// Says who a request comes from.
pub fn whoami(at: &impl ports::Tenant) -> WhoAmI {
    let principal = at.principal();
    WhoAmI {
        tenant: principal.tenant.clone(),
        actor: principal.actor.to_string(),
        scopes: principal.scopes.0.clone(),
        sandbox: principal.sandbox,
        now: at.now(),
    }
}
