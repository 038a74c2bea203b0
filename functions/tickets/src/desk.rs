//! What agents handle many tickets with: views, macros, teams, and changes of many at once.

pub mod bulk;
pub mod macros;
pub mod rows;
pub mod schema;
pub mod team;
pub mod tool;
pub mod view;

pub use rows::{due_changing, touched};

use shared::{
    domain::{Commit, Failure, Job},
    http::Response,
    ports::Tenant,
    problem::Problem,
    route::{Call, Route},
};

use self::{macros::Macro, team::Team};
use crate::{MANAGE, READ, WRITE, ticket::BODY_BYTES_MAX};

/// What may be asked.
pub const ROUTES: &[Route] = &[
    Route::new("GET", "/v1/tickets/teams", "listTicketTeams", READ),
    Route::new("GET", "/v1/tickets/teams/{name}", "getTicketTeam", READ),
    Route::new("PUT", "/v1/tickets/teams/{name}", "putTicketTeam", MANAGE),
    Route::new("DELETE", "/v1/tickets/teams/{name}", "deleteTicketTeam", MANAGE),
    Route::new("GET", "/v1/tickets/macros", "listTicketMacros", READ),
    Route::new("GET", "/v1/tickets/macros/{name}", "getTicketMacro", READ),
    Route::new("PUT", "/v1/tickets/macros/{name}", "putTicketMacro", MANAGE).body(BODY_BYTES_MAX),
    Route::new("DELETE", "/v1/tickets/macros/{name}", "deleteTicketMacro", MANAGE),
    Route::new("POST", "/v1/tickets/{id}/macros/{name}", "applyTicketMacro", WRITE),
    Route::new("GET", "/v1/tickets/views", "listTicketViews", READ),
    Route::new("GET", "/v1/tickets/views/{name}", "getTicketView", READ),
    Route::new("PUT", "/v1/tickets/views/{name}", "putTicketView", MANAGE),
    Route::new("DELETE", "/v1/tickets/views/{name}", "deleteTicketView", MANAGE),
    Route::new("GET", "/v1/tickets/views/{name}/tickets", "listTicketsInView", READ),
    Route::new("POST", "/v1/tickets/bulk", "changeTickets", WRITE),
];

/// Answers a call on one of these routes.
pub async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    match call.operation() {
        "listTicketTeams" => tool::list::<Team>(at, call).await,
        "getTicketTeam" => tool::get::<Team>(at, call).await,
        "putTicketTeam" => tool::put::<Team>(at, call).await,
        "deleteTicketTeam" => tool::delete::<Team>(at, call).await,
        "listTicketMacros" => tool::list::<Macro>(at, call).await,
        "getTicketMacro" => tool::get::<Macro>(at, call).await,
        "putTicketMacro" => tool::put::<Macro>(at, call).await,
        "deleteTicketMacro" => tool::delete::<Macro>(at, call).await,
        "applyTicketMacro" => macros::apply(at, call).await,
        "listTicketViews" => view::list(at).await,
        "getTicketView" => view::get(at, call).await,
        "putTicketView" => view::put(at, call).await,
        "deleteTicketView" => view::delete(at, call).await,
        "listTicketsInView" => view::tickets(at, call).await,
        "changeTickets" => bulk::change(at, call).await,
        _ => Err(Problem::not_found()),
    }
}

/// Works a job of these.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    match job.kind.as_str() {
        rows::BUILD => rows::build(at, job).await,
        rows::SWEEP => rows::sweep(at, job).await,
        other => Err(Failure::dead(format!("nobody works {other}"))),
    }
}
