//! Tenants: who they are, their keys and members, the names that lead to them, their clocks.
//!
//! The operator is a tenant as well: its log holds the life of all the others.

mod address;
mod clock;
mod key;
mod link;
mod member;
pub mod schema;
mod store;
mod tenant;

use shared::{
    domain::{Commit, Failure, Job, Principal},
    function::Function,
    http::{Response, StatusCode, json},
    ports::{self, Edge},
    problem::Problem,
    route::{Access, Call, Route},
};

shared::serve!(Tenants);

/// The capability.
pub struct Tenants;

const fn operator(method: &'static str, path: &'static str, operation: &'static str) -> Route {
    Route::new(method, path, operation, Access::OperatorTenant)
}

const fn scoped(
    method: &'static str,
    path: &'static str,
    operation: &'static str,
    scope: &'static str,
) -> Route {
    Route::new(method, path, operation, Access::Scope(scope))
}

const ROUTES: &[Route] = &[
    operator("POST", "/v1/tenants", "createTenant"),
    operator("GET", "/v1/tenants", "listTenants"),
    operator("GET", "/v1/tenants/{id}", "getTenant"),
    operator("PATCH", "/v1/tenants/{id}", "updateTenant"),
    operator("DELETE", "/v1/tenants/{id}", "deleteTenant"),
    operator("POST", "/v1/tenants/{id}/suspend", "suspendTenant"),
    operator("POST", "/v1/tenants/{id}/restore", "restoreTenant"),
    Route::new("GET", "/v1/whoami", "whoAmI", Access::Whoever),
    scoped("POST", "/v1/keys", "createKey", "keys:write"),
    scoped("POST", "/v1/keys/verify", "verifyKey", "limits:check").at_edge(),
    scoped("GET", "/v1/keys", "listKeys", "keys:read"),
    scoped("GET", "/v1/keys/{id}", "getKey", "keys:read"),
    scoped("DELETE", "/v1/keys/{id}", "revokeKey", "keys:write"),
    scoped("POST", "/v1/keys/{id}/rotate", "rotateKey", "keys:write"),
    scoped("POST", "/v1/links", "createLink", "links:write"),
    scoped("POST", "/v1/members", "createMember", "members:write"),
    scoped("GET", "/v1/members", "listMembers", "members:read"),
    scoped("GET", "/v1/members/{id}", "getMember", "members:read"),
    scoped("PATCH", "/v1/members/{id}", "updateMember", "members:write"),
    scoped("DELETE", "/v1/members/{id}", "deleteMember", "members:write"),
    scoped("POST", "/v1/hosts", "addHost", "hosts:write"),
    scoped("GET", "/v1/hosts", "listHosts", "hosts:read"),
    scoped("DELETE", "/v1/hosts/{name}", "removeHost", "hosts:write"),
    scoped("POST", "/v1/accounts", "addAccount", "accounts:write"),
    scoped("GET", "/v1/accounts", "listAccounts", "accounts:read"),
    scoped("DELETE", "/v1/accounts/{name}", "removeAccount", "accounts:write"),
    scoped("GET", "/v1/test-clock", "getTestClock", "test-clock:read"),
    scoped("POST", "/v1/test-clock/advance", "advanceTestClock", "test-clock:write"),
];

impl Function for Tenants {
    const NAME: &'static str = "tenants";

    fn routes() -> impl Iterator<Item = &'static Route> {
        ROUTES.iter()
    }

    async fn handle(tenant: &impl ports::Tenant, call: &Call) -> Result<Response, Problem> {
        match call.operation() {
            "createTenant" => tenant::create(tenant, call.json()?).await,
            "listTenants" => tenant::list(tenant, call).await,
            "getTenant" => tenant::get(tenant, &call.id("ten")?).await,
            "updateTenant" => tenant::update(tenant, call).await,
            "deleteTenant" => tenant::delete(tenant, &call.id("ten")?).await,
            "suspendTenant" => tenant::suspend(tenant, &call.id("ten")?).await,
            "restoreTenant" => tenant::restore(tenant, &call.id("ten")?).await,
            "whoAmI" => Ok(json(StatusCode::OK, &tenant::whoami(tenant))),
            "createKey" => key::create(tenant, call.json()?).await,
            "listKeys" => key::list(tenant, call).await,
            "getKey" => key::get(tenant, &call.id("key")?).await,
            "revokeKey" => key::revoke(tenant, &call.id("key")?).await,
            "rotateKey" => key::rotate(tenant, &call.id("key")?, call.json()?).await,
            "createLink" => link::create(tenant, call.json()?).await,
            "createMember" => member::create(tenant, call.json()?).await,
            "listMembers" => member::list(tenant, call).await,
            "getMember" => member::get(tenant, &call.id("mem")?).await,
            "updateMember" => member::update(tenant, call).await,
            "deleteMember" => member::delete(tenant, &call.id("mem")?).await,
            "addHost" => address::add_host(tenant, call.json()?).await,
            "listHosts" => address::list(tenant, call, address::HOST).await,
            "removeHost" => address::remove(tenant, address::HOST, call.param()).await,
            "addAccount" => address::add_account(tenant, call.json()?).await,
            "listAccounts" => address::list(tenant, call, address::ACCOUNT).await,
            "removeAccount" => address::remove(tenant, address::ACCOUNT, call.param()).await,
            "getTestClock" => clock::get(tenant).await,
            "advanceTestClock" => clock::advance(tenant, call.json()?).await,
            _ => Err(Problem::not_found()),
        }
    }

    async fn at_edge(
        edge: &impl Edge,
        principal: &Principal,
        call: &Call,
    ) -> Result<Response, Problem> {
        match call.operation() {
            "verifyKey" => key::customer::verify(edge, principal, call.json()?).await,
            _ => Err(Problem::not_found()),
        }
    }

    async fn work(tenant: &impl ports::Tenant, job: &Job) -> Result<Commit, Failure> {
        match job.kind.as_str() {
            tenant::SHOW => tenant::show(tenant, job).await,
            tenant::ERASE => tenant::erase(tenant, job).await,
            tenant::WIPE => tenant::wipe(tenant, job).await,
            key::SHOW => key::show(tenant, job).await,
            clock::SHOW => clock::show(tenant, job).await,
            address::SHOW => address::show(tenant, job).await,
            other => Err(Failure::dead(format!("tenants works no {other}"))),
        }
    }
}
