//! Payment providers: their webhooks come in, and calls to them go out.
//!
//! What billing asks for is followed in the log, and what comes of it is told there: neither knows
//! the other. An event of a provider's is a hint; the truth is fetched, and the mirror's change is
//! what is told.

pub mod account;
pub mod collect;
pub mod incoming;
pub mod mirror;
pub mod movement;
pub mod paypal;
pub mod provider;
pub mod reconcile;
pub mod refetch;
pub mod replay;
pub mod schema;
pub mod setup;
pub mod signature;
pub mod statement;
mod store;
pub mod stripe;

use account::Provider;
use shared::{
    domain::{Commit, Entry, Failure, Job},
    function::Function,
    http::Response,
    ports::{PortError, Tenant},
    problem::Problem,
    route::{Access, Call, Route},
};

shared::serve!(Payments);

/// The capability.
pub struct Payments;

const READ: Access = Access::Scope("payments:read");
const WRITE: Access = Access::Scope("payments:write");

const ROUTES: &[Route] = &[
    Route::new("POST", "/v1/payments/accounts", "createPaymentAccount", WRITE),
    Route::new("GET", "/v1/payments/accounts", "listPaymentAccounts", READ),
    Route::new("GET", "/v1/payments/accounts/{id}", "getPaymentAccount", READ),
    Route::new("PATCH", "/v1/payments/accounts/{id}", "changePaymentAccount", WRITE),
    Route::new("DELETE", "/v1/payments/accounts/{id}", "deletePaymentAccount", WRITE),
    Route::new("POST", "/v1/payments/accounts/{id}/setups", "createPaymentSetup", WRITE),
    Route::new(
        "POST",
        "/v1/payments/accounts/{id}/setups/{setup}/complete",
        "completePaymentSetup",
        WRITE,
    ),
    Route::new("GET", "/v1/payments/accounts/{id}/balance", "getPaymentBalance", READ),
    Route::new("GET", "/v1/payments/accounts/{id}/events", "listPaymentEvents", READ),
    Route::new("GET", "/v1/payments/accounts/{id}/events/{event}", "getPaymentEvent", READ),
    Route::new("POST", "/v1/payments/accounts/{id}/replay", "replayPaymentEvents", WRITE),
    Route::new("POST", "/v1/payments/accounts/{id}/reconcile", "reconcilePayments", WRITE),
    Route::new("GET", "/v1/payments/accounts/{id}/reconcile", "getReconciliation", READ),
    Route::new("GET", "/v1/payments/accounts/{id}/drift", "listPaymentDrift", READ),
    Route::new("POST", "/v1/payments/accounts/{id}/statement", "statePayments", WRITE),
    Route::new("GET", "/v1/payments/accounts/{id}/statement", "getPaymentStatement", READ),
    Route::new(
        "POST",
        "/webhooks/stripe/{id}",
        "receiveStripeEvent",
        Access::Address(account::ADDRESS),
    )
    .body(incoming::EVENT_BYTES_MAX),
    Route::new(
        "POST",
        "/webhooks/paypal/{id}",
        "receivePayPalEvent",
        Access::Address(account::ADDRESS),
    )
    .body(incoming::EVENT_BYTES_MAX),
];

impl Function for Payments {
    const NAME: &'static str = "stripe";

    fn routes() -> impl Iterator<Item = &'static Route> {
        ROUTES.iter()
    }

    async fn handle(tenant: &impl Tenant, call: &Call) -> Result<Response, Problem> {
        match call.operation() {
            "createPaymentAccount" => account::create(tenant, call.json()?).await,
            "listPaymentAccounts" => account::list(tenant, call).await,
            "getPaymentAccount" => account::get(tenant, call).await,
            "changePaymentAccount" => account::change(tenant, call).await,
            "deletePaymentAccount" => account::delete(tenant, call).await,
            "createPaymentSetup" => setup::begin(tenant, call).await,
            "completePaymentSetup" => setup::complete(tenant, call).await,
            "getPaymentBalance" => collect::balance(tenant, call).await,
            "listPaymentEvents" => incoming::list(tenant, call).await,
            "getPaymentEvent" => incoming::get(tenant, call).await,
            "replayPaymentEvents" => replay::start(tenant, call).await,
            "reconcilePayments" => reconcile::start(tenant, call).await,
            "getReconciliation" => reconcile::get(tenant, call).await,
            "listPaymentDrift" => reconcile::drift(tenant, call).await,
            "statePayments" => statement::start(tenant, call).await,
            "getPaymentStatement" => statement::get(tenant, call).await,
            "receiveStripeEvent" => incoming::receive(tenant, call, Provider::Stripe).await,
            "receivePayPalEvent" => incoming::receive(tenant, call, Provider::PayPal).await,
            _ => Err(Problem::not_found()),
        }
    }

    async fn work(tenant: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
        match job.kind.as_str() {
            account::SHOW => account::show(tenant, job).await,
            refetch::REFETCH => refetch::work(tenant, job).await,
            collect::CHARGE => collect::charge(tenant, job).await,
            collect::REFUND => collect::refund(tenant, job).await,
            reconcile::LOOK => reconcile::work(tenant, job).await,
            reconcile::HOURLY => reconcile::tick(tenant, job).await,
            statement::READ => statement::work(tenant, job).await,
            replay::REPLAY => replay::work(tenant, job).await,
            other => Err(Failure::dead(format!("payments work no {other}"))),
        }
    }

    async fn give_up(at: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
        collect::give_up(at, job).await
    }

    fn follows(_: &str) -> &'static [&'static str] {
        collect::FOLLOWS
    }

    async fn follow(_: &str, at: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
        collect::follow(at, entries).await
    }
}
