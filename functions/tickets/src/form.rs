//! Pages for people outside: the form by which they ask, and the page by which they rate. They are
//! HTML without scripts, in the language that the form says.

pub mod design;
pub mod page;
pub mod post;
pub mod public;
pub mod rating;
pub mod schema;
#[cfg(test)]
mod tests;
pub mod words;

use shared::{
    domain::{Commit, Failure, Job},
    http::Response,
    ports::Tenant,
    problem::Problem,
    route::{Access, Call, Route},
};

use self::design::Form;
use crate::{MANAGE, READ, desk::tool};

/// The kind of inbound address that a form has in the directory.
pub const ADDRESS: &str = "form";
/// The largest post: all that fields hold, each character as it is escaped.
const POST_BYTES_MAX: usize = 256 * 1024;

/// What may be asked.
pub const ROUTES: &[Route] = &[
    Route::new("GET", "/v1/tickets/forms", "listTicketForms", READ),
    Route::new("GET", "/v1/tickets/forms/{name}", "getTicketForm", READ),
    Route::new("PUT", "/v1/tickets/forms/{name}", "putTicketForm", MANAGE),
    Route::new("DELETE", "/v1/tickets/forms/{name}", "deleteTicketForm", MANAGE),
    Route::new("GET", "/v1/form/{form}", "showTicketForm", Access::Address(ADDRESS)),
    Route::new("POST", "/v1/form/{form}", "sendTicketForm", Access::Address(ADDRESS))
        .body(POST_BYTES_MAX),
    Route::new("GET", "/v1/tickets/{id}/rating", "askTicketRating", rating::ACCESS),
    Route::new("POST", "/v1/tickets/{id}/rating", "rateTicket", rating::ACCESS),
];

/// Answers a call on one of these routes.
pub async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    match call.operation() {
        "listTicketForms" => tool::list::<Form>(at, call).await,
        "getTicketForm" => tool::get::<Form>(at, call).await,
        "putTicketForm" => design::put(at, call).await,
        "deleteTicketForm" => design::delete(at, call).await,
        "showTicketForm" => public::show(at, call).await,
        "sendTicketForm" => public::send(at, call).await,
        "askTicketRating" => rating::ask(at, call).await,
        "rateTicket" => rating::rate(at, call).await,
        _ => Err(Problem::not_found()),
    }
}

/// Works a job of these.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    match job.kind.as_str() {
        design::SHOW => design::show(at, job).await,
        other => Err(Failure::dead(format!("nobody works {other}"))),
    }
}
