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
pub mod look;
pub mod policy;
pub mod promise;
pub mod reason;
pub mod report;
pub mod schema;
#[cfg(test)]
mod simulator;
pub mod standing;
pub mod terms;
#[cfg(test)]
mod tests;
pub mod versions;
pub mod walk;

pub use look::touched;

use shared::{
    domain::{Commit, Failure, Job},
    http::Response,
    ports::Tenant,
    problem::Problem,
    route::{Call, Route},
};

use self::{calendar::CalendarText, policy::PolicyText, promise::BODY_BYTES_MAX};
use crate::{MANAGE, READ, WRITE};

/// What may be asked.
pub const ROUTES: &[Route] = &[
    Route::new("GET", "/v1/tickets/calendars", "listWorkingCalendars", READ),
    Route::new("GET", "/v1/tickets/calendars/{name}", "getWorkingCalendar", READ),
    Route::new("PUT", "/v1/tickets/calendars/{name}", "putWorkingCalendar", MANAGE)
        .body(BODY_BYTES_MAX),
    Route::new("DELETE", "/v1/tickets/calendars/{name}", "deleteWorkingCalendar", MANAGE),
    Route::new("GET", "/v1/tickets/calendars/{name}/versions", "listWorkingCalendarVersions", READ),
    Route::new("GET", "/v1/tickets/slas", "listSlaPolicies", READ),
    Route::new("GET", "/v1/tickets/slas/{name}", "getSlaPolicy", READ),
    Route::new("PUT", "/v1/tickets/slas/{name}", "putSlaPolicy", MANAGE).body(BODY_BYTES_MAX),
    Route::new("DELETE", "/v1/tickets/slas/{name}", "deleteSlaPolicy", MANAGE),
    Route::new("GET", "/v1/tickets/slas/{name}/versions", "listSlaPolicyVersions", READ),
    Route::new("GET", "/v1/tickets/due", "listDueTickets", READ),
    Route::new("GET", "/v1/tickets/{id}/sla", "getTicketSla", READ),
    Route::new("POST", "/v1/tickets/{id}/sla/acknowledge", "acknowledgeTicketSla", WRITE),
];

/// Answers a call on one of these routes.
pub async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    match call.operation() {
        "listWorkingCalendars" => promise::list::<CalendarText>(at, call).await,
        "getWorkingCalendar" => promise::get::<CalendarText>(at, call).await,
        "putWorkingCalendar" => promise::put::<CalendarText>(at, call).await,
        "deleteWorkingCalendar" => promise::delete::<CalendarText>(at, call).await,
        "listWorkingCalendarVersions" => promise::versions::<CalendarText>(at, call).await,
        "listSlaPolicies" => promise::list::<PolicyText>(at, call).await,
        "getSlaPolicy" => promise::get::<PolicyText>(at, call).await,
        "putSlaPolicy" => promise::put::<PolicyText>(at, call).await,
        "deleteSlaPolicy" => promise::delete::<PolicyText>(at, call).await,
        "listSlaPolicyVersions" => promise::versions::<PolicyText>(at, call).await,
        "listDueTickets" => standing::due(at, call).await,
        "getTicketSla" => standing::get(at, call).await,
        "acknowledgeTicketSla" => standing::acknowledge(at, call).await,
        _ => Err(Problem::not_found()),
    }
}

/// Works a job of these.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    match job.kind.as_str() {
        look::LOOK => look::look(at, job).await,
        look::SWEEP => look::sweep(at, job).await,
        other => Err(Failure::dead(format!("nobody works {other}"))),
    }
}
