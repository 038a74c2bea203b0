//! What is billed: subscriptions, invoices, payments, credit and the books.

use shared::{
    domain::{Commit, Entry, Failure, Job},
    http::Response,
    ports::{PortError, Tenant},
    problem::Problem,
    route::{Access, Call, Route},
};

use crate::{
    bill::{close, credit, deliver, draft, file, handle, pay},
    books,
    clearing::{booking, compare, report},
    entitlement, late, metered, payment, portal, progressive,
    subscription::{self, cancel, change, create, mirror, offer, renew, seat},
    wallet,
};

const READ: Access = Access::Scope("billing:read");
const WRITE: Access = Access::Scope("billing:write");
/// A customer may see what is its own.
const OWN: Access = Access::Customer("billing:read");
/// A customer may change what the seller's rules allow.
const MANAGE: Access = Access::Customer("billing:manage");

/// What may be asked of it.
pub const ROUTES: &[Route] = &[
    Route::new("POST", "/v1/billing/subscriptions", "createSubscription", WRITE),
    Route::new("GET", "/v1/billing/subscriptions", "listSubscriptions", OWN),
    Route::new("GET", "/v1/billing/subscriptions/{id}", "getSubscription", OWN),
    Route::new("POST", "/v1/billing/subscriptions/{id}/preview", "previewChange", OWN),
    Route::new("POST", "/v1/billing/subscriptions/{id}/change", "changeSubscription", MANAGE),
    Route::new("DELETE", "/v1/billing/subscriptions/{id}/change", "forgetChange", MANAGE),
    Route::new("POST", "/v1/billing/subscriptions/{id}/cancel", "cancelSubscription", MANAGE),
    Route::new("DELETE", "/v1/billing/subscriptions/{id}/cancel", "keepSubscription", MANAGE),
    Route::new("POST", "/v1/billing/subscriptions/{id}/pause", "pauseSubscription", WRITE),
    Route::new("POST", "/v1/billing/subscriptions/{id}/resume", "resumeSubscription", WRITE),
    Route::new("GET", "/v1/billing/subscriptions/{id}/seats", "listSeats", OWN),
    Route::new("POST", "/v1/billing/subscriptions/{id}/seats", "assignSeat", MANAGE),
    Route::new("POST", "/v1/billing/subscriptions/{id}/seats/{member}/claim", "claimSeat", MANAGE),
    Route::new("DELETE", "/v1/billing/subscriptions/{id}/seats/{member}", "revokeSeat", MANAGE),
    Route::new("POST", "/v1/billing/invoices", "createInvoice", WRITE).body(256 * 1024),
    Route::new("GET", "/v1/billing/invoices", "listInvoices", OWN),
    Route::new("GET", "/v1/billing/invoices/{id}", "getInvoice", OWN),
    Route::new("GET", "/v1/billing/invoices/{id}/file", "getInvoiceFile", OWN),
    Route::new("GET", "/v1/billing/invoices/{id}/payments", "listInvoicePayments", OWN),
    Route::new("POST", "/v1/billing/invoices/{id}/payments", "recordPayment", WRITE),
    Route::new("POST", "/v1/billing/invoices/{id}/finalise", "finaliseInvoice", WRITE),
    Route::new("POST", "/v1/billing/invoices/{id}/collect", "collectInvoice", MANAGE),
    Route::new("POST", "/v1/billing/invoices/{id}/send", "sendInvoice", MANAGE),
    Route::new("GET", "/v1/billing/invoices/{id}/deliveries", "listInvoiceDeliveries", OWN),
    Route::new("POST", "/v1/billing/invoices/{id}/credit", "creditInvoice", WRITE),
    Route::new("DELETE", "/v1/billing/invoices/{id}", "dropInvoice", WRITE),
    Route::new("GET", "/v1/billing/customers/{id}/credits", "getCredits", OWN),
    Route::new("POST", "/v1/billing/customers/{id}/credits", "grantCredit", WRITE),
    Route::new("GET", "/v1/billing/customers/{id}/entitlements", "getEntitlements", OWN),
    Route::new("GET", "/v1/billing/ledger", "listPostings", READ),
    Route::new("GET", "/v1/billing/ledger/balances", "getBalances", READ),
    Route::new("GET", "/v1/billing/ledger/drift", "getLedgerDrift", READ),
    Route::new("GET", "/v1/billing/ledger/movements", "listLedgerMovements", READ),
    Route::new("POST", "/v1/billing/links", "createBillingLink", WRITE),
];

/// Answers a call on one of [`ROUTES`].
///
/// # Errors
/// The problem to answer with.
pub async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    match call.operation() {
        "createSubscription" => create::create(at, call).await,
        "listSubscriptions" => subscription::list(at, call).await,
        "getSubscription" => subscription::get(at, call).await,
        "previewChange" => change::preview(at, call).await,
        "changeSubscription" => change::change(at, call).await,
        "forgetChange" => change::forget(at, call).await,
        "cancelSubscription" => cancel::cancel(at, call).await,
        "keepSubscription" => cancel::keep(at, call).await,
        "pauseSubscription" => cancel::pause(at, call).await,
        "resumeSubscription" => cancel::resume(at, call).await,
        "listSeats" => seat::list(at, call).await,
        "assignSeat" => seat::assign(at, call).await,
        "claimSeat" => seat::claim(at, call).await,
        "revokeSeat" => seat::revoke(at, call).await,
        "createInvoice" => handle::create(at, call).await,
        "listInvoices" => handle::list(at, call).await,
        "getInvoice" => handle::get(at, call).await,
        "getInvoiceFile" => file::get(at, call).await,
        "listInvoicePayments" => handle::payments(at, call).await,
        "recordPayment" => handle::record(at, call).await,
        "finaliseInvoice" => handle::finalise(at, call).await,
        "collectInvoice" => handle::collect(at, call).await,
        "sendInvoice" => deliver::send(at, call).await,
        "listInvoiceDeliveries" => deliver::list(at, call).await,
        "creditInvoice" => credit::create(at, call).await,
        "dropInvoice" => handle::drop(at, call).await,
        "getCredits" => wallet::get(at, call).await,
        "grantCredit" => wallet::grant(at, call).await,
        "getEntitlements" => entitlement::get(at, call).await,
        "listPostings" => books::list(at, call).await,
        "getBalances" => books::balances(at).await,
        "getLedgerDrift" => report::get(at, call).await,
        "listLedgerMovements" => report::movements(at, call).await,
        "createBillingLink" => portal::create(at, call.json()?).await,
        _ => Err(Problem::not_found()),
    }
}

/// Works a job.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    match job.kind.as_str() {
        renew::RENEW => renew::work(at, job).await,
        renew::EXPIRE => renew::expire(at, job).await,
        renew::GRACE => renew::grace(at, job).await,
        draft::CLOSE => close::work(at, job).await,
        pay::OVERDUE => pay::overdue(at, job).await,
        payment::fact::FACT => payment::fact::work(at, job).await,
        payment::dun::DUN => payment::dun::dun(at, job).await,
        metered::TOLD => metered::work(at, job).await,
        late::LOOK => late::work(at, job).await,
        progressive::PROGRESS => progressive::work(at, job).await,
        progressive::HURRY => progressive::hurry(at, job).await,
        seat::LEFT => seat::freed(at, job).await,
        seat::FEWER => seat::fewer(at, job).await,
        mirror::MIRROR => mirror::work(at, job).await,
        offer::OFFER => offer::work(at, job).await,
        deliver::DELIVER => deliver::work(at, job).await,
        booking::BOOK => booking::work(at, job).await,
        compare::STATED => compare::stated(at, job).await,
        compare::COMPARE => compare::work(at, job).await,
        wallet::EXPIRE => wallet::expire(at, job).await,
        other => Err(Failure::dead(format!("billing works no {other}"))),
    }
}

/// Which entries are followed.
pub const FOLLOWS: &[&str] = &[
    "payment.",
    "payment_method.",
    compare::FOLLOWS[0],
    compare::FOLLOWS[1],
    "usage.told",
    "subscription.mirrored",
    "quota.reached",
    "quota.forecast",
    "quota.exceeded",
    "quota.grace_ended",
    "member.deleted",
    deliver::FOLLOWS,
];

/// The jobs that entries are, and what they tell of deliveries.
///
/// # Errors
/// When the database fails.
pub async fn follow(at: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
    let told = |it: &&Entry| it.action == "usage.told";
    let told: Vec<_> = entries.iter().filter(told).cloned().collect();
    let is_fact =
        |it: &&Entry| it.action.starts_with("payment.") || it.action.starts_with("payment_method.");
    let facts = entries.iter().filter(is_fact);
    let facts: Vec<_> = facts.cloned().collect();
    let mirrored = entries.iter().filter(|it| it.action == "subscription.mirrored");
    let mirrored: Vec<_> = mirrored.cloned().collect();
    let left = entries.iter().filter(|it| it.action == "member.deleted");
    let left: Vec<_> = left.cloned().collect();
    let jobs = payment::fact::facts(&facts)
        .and(metered::told(&told))
        .and(mirror::follow(&mirrored))
        .and(seat::left(&left))
        .and(offer::follow(entries))
        .and(progressive::follow(entries))
        .and(compare::follow(entries));
    Ok(jobs.and(deliver::follow(at, entries).await?))
}
