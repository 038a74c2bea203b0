//! Names in the outside world that lead to a tenant: its host names, and its accounts at
//! providers.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Page, Timestamp},
    http::{Response, StatusCode, empty, json as json_response},
    ports,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::store;

/// Claims a name in the directory, or gives it back.
pub const SHOW: &str = "tenants.address";
/// The kind of host names.
pub const HOST: &str = "host";
/// The kind of accounts at providers, as `stripe:acct_1`.
pub const ACCOUNT: &str = "account";

/// How many host names a tenant has, and how many accounts.
pub const ADDRESSES_MAX: u32 = 1_000;
/// The longest host name, in characters (RFC 1035, section 2.3.4).
pub const HOST_CHARS_MAX: usize = 253;
/// The longest account, in characters.
pub const ACCOUNT_CHARS_MAX: usize = 120;

/// A name that leads to the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct Address {
    /// The name.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A host name to add. It works once its DNS leads here.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHost {
    /// As `help.example.com`.
    pub name: String,
}

/// An account at a provider to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// The provider, as `stripe`.
    pub provider: String,
    /// The provider's id of the account, as `acct_1`.
    pub account: String,
}

fn taken() -> Problem {
    let kind = "/problems/addresses/taken";
    Problem::new(StatusCode::CONFLICT, kind, "The name is taken")
        .detail("it leads to this or another tenant already")
}

/// Adds a host name.
pub async fn add_host(at: &impl ports::Tenant, new: NewHost) -> Result<Response, Problem> {
    let name = new.name.trim().trim_end_matches('.').to_ascii_lowercase();
    if !is_host(&name) {
        return Err(Problem::unfitting("name", "write a full host name, as help.example.com"));
    }
    add(at, HOST, name).await
}

/// Adds an account at a provider.
pub async fn add_account(at: &impl ports::Tenant, new: NewAccount) -> Result<Response, Problem> {
    let word = |it: &str| {
        !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-.".contains(&it))
    };
    if !word(&new.provider) {
        return Err(Problem::unfitting("provider", "write the provider's name, as stripe"));
    }
    if !word(&new.account) || new.account.len() + new.provider.len() >= ACCOUNT_CHARS_MAX {
        return Err(Problem::unfitting("account", "write the provider's id, as acct_1"));
    }
    add(at, ACCOUNT, format!("{}:{}", new.provider, new.account)).await
}

async fn add(
    at: &impl ports::Tenant,
    kind: &'static str,
    name: String,
) -> Result<Response, Problem> {
    // The directory decides in the end; this is for a clear answer in the usual case.
    if at.projection().is_taken(kind, &name).await? {
        return Err(taken());
    }
    let address = Address { name, created_at: at.now() };
    let commit = store::insert_address(kind, &address)
        .entry(Draft::new(added(kind), &Id::trusted(address.name.clone())))
        .job(shown(at, kind, &address.name)?);
    let answer = at.answer(commit, json_response(StatusCode::CREATED, &address), taken).await;
    if answer.is_err() && store::count_addresses(at, kind).await? >= ADDRESSES_MAX.into() {
        let what = if kind == HOST { "host names" } else { "accounts" };
        return Err(Problem::full_list(ADDRESSES_MAX, what, "remove one that is not used"));
    }
    answer
}

fn added(kind: &str) -> &'static str {
    if kind == HOST { "host.added" } else { "account.added" }
}

fn removed(kind: &str) -> &'static str {
    if kind == HOST { "host.removed" } else { "account.removed" }
}

fn shown(at: &impl ports::Tenant, kind: &str, name: &str) -> Result<NewJob, Problem> {
    // A name may come and go and come again: each change is work of its own.
    let id = format!("{SHOW}:{}", at.new_id("job")?);
    Ok(NewJob::new(SHOW, id, json!({"kind": kind, "name": name})).eager())
}

/// Lists the names of a kind.
pub async fn list(
    at: &impl ports::Tenant,
    call: &Call,
    kind: &'static str,
) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let addresses = store::list_addresses(at, kind, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(addresses, limit, |it| it.name.clone())))
}

/// Removes one.
pub async fn remove(
    at: &impl ports::Tenant,
    kind: &'static str,
    name: &str,
) -> Result<Response, Problem> {
    let commit = store::delete_address(kind, name)
        .entry(Draft::new(removed(kind), &Id::trusted(name.to_owned())))
        .job(shown(at, kind, name)?);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::not_found).await
}

/// Claims the name in the directory while the tenant has it, and gives it back otherwise.
pub async fn show(at: &impl ports::Tenant, job: &Job) -> Result<Commit, Failure> {
    let text = |it: &str| job.body.get(it).and_then(|it| it.as_str()).unwrap_or("").to_owned();
    let (kind, name) = (text("kind"), text("name"));
    let directory = at.projection();
    if !store::has_address(at, &kind, &name).await? {
        directory.release_address(&kind, &name).await?;
    } else if !directory.claim_address(&kind, &name).await? {
        return Err(Failure::dead("another tenant was faster to claim this name"));
    }
    Ok(Commit::new())
}

fn is_host(name: &str) -> bool {
    let label = |it: &str| {
        let plain = it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
        (1..=63).contains(&it.len()) && plain && !it.starts_with('-') && !it.ends_with('-')
    };
    name.len() <= HOST_CHARS_MAX && name.contains('.') && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::is_host;

    #[test]
    fn a_host_name_has_labels_and_no_port() {
        assert!(is_host("help.example.com") && is_host("xn--bcher-kva.example"));
        for bad in ["", "localhost", ".com", "a..b", "-a.b", "a.b-", "a.b:80", "a_b.c", "a b.c"] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
