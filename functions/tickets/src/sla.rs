//! What was promised, and how far it is kept: a pure function of what happened to a ticket.
//!
//! `calendar` says when people work, `policy` what is promised of which tickets, both in `versions`
//! that apply from a moment. `history` reads what happened to a ticket from its log, `walk` goes
//! through it with a `clock` for each target, held to the `terms` of each moment; a `report` is how
//! that stands, and `alert` who is to hear of it.
//!
//! **A ticket is judged at each moment by what is in force at that moment**: by the policy that is
//! of it then, in the version that applies then, by its priority then, with its time counted by the
//! calendar as it is then. Nothing is frozen when a ticket is opened. A clock keeps what it has
//! counted, and what was broken stays broken, so the same log with the same versions gives the same
//! answer at any later time. A version that is put for a moment in the past changes what is known of
//! that past; that is what it is for.

pub mod alert;
pub mod calendar;
pub mod clock;
pub mod history;
pub mod holiday;
pub mod hours;
pub mod policy;
pub mod reason;
pub mod report;
#[cfg(test)]
mod simulator;
pub mod terms;
#[cfg(test)]
mod tests;
pub mod versions;
pub mod walk;

use shared::{
    domain::{Commit, Failure, Job},
    http::Response,
    ports::Tenant,
    problem::Problem,
    route::{Call, Route},
};

/// What may be asked.
pub const ROUTES: &[Route] = &[];

/// Answers a call on one of these routes.
pub async fn handle(_: &impl Tenant, _: &Call) -> Result<Response, Problem> {
    Err(Problem::not_found())
}

/// Works a job of these.
pub async fn work(_: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    Err(Failure::dead(format!("nobody works {}", job.kind)))
}
