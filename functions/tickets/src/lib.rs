//! Tickets: what somebody asks for help with, from where it comes in to where it is resolved, and
//! what was promised of it.
//!
//! The decisions are pure: `state`, `priority`, `mail`, `sla`. What is served carries them out:
//! `inlet` and `form` take tickets in, `ticket` keeps them, `desk` is what agents handle many with.

pub mod attachment;
pub mod context;
pub mod desk;
pub mod form;
pub mod inlet;
pub mod mail;
pub mod priority;
pub mod schema;
pub mod settings;
pub mod sla;
pub mod state;
mod store;
pub mod suggest;
pub mod ticket;

use shared::{
    domain::{Commit, Entry, Failure, Job},
    function::Function,
    http::Response,
    live::News,
    ports::{PortError, Tenant},
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
            Some("form") => form::work(at, job).await,
            Some("inlet") => inlet::work(at, job).await,
            Some("sla") => sla::work(at, job).await,
            _ => Err(Failure::dead(format!("tickets works no {}", job.kind))),
        }
    }

    async fn give_up(at: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
        match job.kind.as_str() {
            inlet::READ => inlet::give_up(at, job).await,
            _ => Ok(Commit::new()),
        }
    }

    async fn news(
        at: &impl Tenant,
        call: &Call,
        place: Option<&str>,
    ) -> Result<Option<News>, Problem> {
        match call.operation() {
            "followTicket" => ticket::presence::news(at, call, place).await,
            _ => Ok(None),
        }
    }

    fn follows(_: &str) -> &'static [&'static str] {
        context::FOLLOWS
    }

    async fn follow(_: &str, _: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
        Ok(context::follow(entries))
    }
}
