//! Billing: what is sold, to whom, what it comes to, and that it is paid.
//!
//! The engine is here, and knows no payment provider: what is to be collected is an entry of the
//! log, `payment.requested`, and what came of it is another. The calculators are pure.

pub mod bill;
pub mod billed;
pub mod books;
pub mod catalogue;
pub mod clearing;
pub mod coupon;
pub mod credit;
pub mod customer;
pub mod document;
pub mod dunning;
pub mod einvoice;
pub mod entitlement;
pub mod entity;
#[cfg(test)]
mod examples;
pub mod invoice;
pub mod late;
pub mod ledger;
pub mod metered;
pub mod money;
pub mod number;
pub mod payment;
pub mod period;
pub mod plan;
pub mod portal;
pub mod price;
pub mod progressive;
pub mod proration;
pub mod reading;
pub mod schema;
mod store;
pub mod subscription;
pub mod tax;
pub mod threshold;
pub mod wallet;

use shared::{
    domain::{Commit, Entry, Failure, Job},
    function::Function,
    http::Response,
    ports::{PortError, Tenant},
    problem::Problem,
    route::{Call, Route},
};

use customer::Customer;

shared::serve!(Billing);

/// The capability.
pub struct Billing;

impl Function for Billing {
    const NAME: &'static str = "billing";

    fn routes() -> impl Iterator<Item = &'static Route> {
        catalogue::ROUTES.iter().chain(billed::ROUTES)
    }

    async fn handle(tenant: &impl Tenant, call: &Call) -> Result<Response, Problem> {
        if catalogue::ROUTES.iter().any(|it| it.operation == call.operation()) {
            catalogue::handle(tenant, call).await
        } else {
            billed::handle(tenant, call).await
        }
    }

    async fn work(tenant: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
        if job.kind == catalogue::VIES {
            catalogue::work(tenant, job).await
        } else {
            billed::work(tenant, job).await
        }
    }

    async fn give_up(at: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
        match job.kind.as_str() {
            bill::deliver::DELIVER => bill::deliver::give_up(at, job).await,
            _ => Ok(Commit::new()),
        }
    }

    fn follows(_: &str) -> &'static [&'static str] {
        billed::FOLLOWS
    }

    async fn follow(_: &str, at: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
        billed::follow(at, entries).await
    }
}

/// The customer that the path names, or the 404 that everybody gets, also for another one's link.
async fn customer_of(at: &impl Tenant, call: &Call) -> Result<Customer, Problem> {
    let acting = &at.principal().customer;
    if acting.as_ref().is_some_and(|it| it != call.param()) {
        return Err(Problem::not_found());
    }
    store::find_customer(at, call.param()).await?.ok_or_else(Problem::not_found)
}

/// The failure of a job that ended in a problem: what the client would have to change is no
/// matter of another try.
fn failed(problem: Problem) -> Failure {
    match problem.status().is_client_error() {
        true => Failure::dead(problem.words()),
        false => Failure::again(problem.words()),
    }
}
