//! Tickets: what somebody asks for help with, from where it comes in to where it is resolved, and
//! what was promised of it.
//!
//! The decisions are pure: `state`, `priority`, `mail`, `sla`. What is served carries them out:
//! `inlet` and `form` take tickets in, `ticket` keeps them, `desk` is what agents handle many with.

pub mod desk;
pub mod form;
pub mod inlet;
pub mod mail;
pub mod priority;
pub mod schema;
pub mod sla;
pub mod state;
pub mod ticket;

use shared::{
    domain::{Commit, Failure, Job},
    function::Function,
    http::Response,
    ports::Tenant,
    problem::Problem,
    route::{Access, Call, Route},
};

shared::serve!(Tickets);

/// The capability.
pub struct Tickets;

/// Who reads tickets.
pub const READ: Access = Access::Scope("tickets:read");
/// Who opens and handles them.
pub const WRITE: Access = Access::Scope("tickets:write");
/// Who sets up how they are handled.
pub const MANAGE: Access = Access::Scope("tickets:manage");

impl Function for Tickets {
    const NAME: &'static str = "tickets";

    fn routes() -> impl Iterator<Item = &'static Route> {
        let all = [ticket::ROUTES, desk::ROUTES, inlet::ROUTES, form::ROUTES, sla::ROUTES];
        all.into_iter().flatten()
    }

    async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
        let is_one_of = |all: &[Route]| all.iter().any(|it| it.operation == call.operation());
        if is_one_of(desk::ROUTES) {
            desk::handle(at, call).await
        } else if is_one_of(inlet::ROUTES) {
            inlet::handle(at, call).await
        } else if is_one_of(form::ROUTES) {
            form::handle(at, call).await
        } else if is_one_of(sla::ROUTES) {
            sla::handle(at, call).await
        } else {
            ticket::handle(at, call).await
        }
    }

    async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
        let area = job.kind.strip_prefix("tickets.").and_then(|it| it.split('.').next());
        match area {
            Some("desk") => desk::work(at, job).await,
            Some("inlet") => inlet::work(at, job).await,
            Some("sla") => sla::work(at, job).await,
            _ => Err(Failure::dead(format!("tickets works no {}", job.kind))),
        }
    }
}
