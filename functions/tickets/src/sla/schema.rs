//! What the API document says of calendars, policies, and how they are kept.

use shared::openapi::{Operation, operation};

use super::{
    calendar::CalendarText,
    policy::PolicyText,
    promise::{SlaPolicy, SlaPolicyVersion, WorkingCalendar, WorkingCalendarVersion},
    report::Report,
    standing::{Due, SlaAcknowledgement},
};
use crate::schema::BY;

const APPLIES_FROM: &str =
    "From when it applies, as `2030-01-31T12:00:00Z`: now when left out. It can be in the past.";
const FORGET: &str =
    "`true` forgets all versions: tickets are judged as if they had never been put.";

/// The operations of promises.
pub fn operations() -> Vec<Operation> {
    vec![
        operation("listWorkingCalendars", "List calendars.").gives_page::<WorkingCalendar>(),
        operation("getWorkingCalendar", "Read a calendar.").gives::<WorkingCalendar>(200),
        operation("putWorkingCalendar", "Put a version of a calendar.")
            .query("applies_from", APPLIES_FROM)
            .takes::<CalendarText>()
            .conditional()
            .gives::<WorkingCalendar>(200),
        operation("deleteWorkingCalendar", "End a calendar, or forget it. No policy may name it.")
            .query("forget", FORGET)
            .conditional()
            .gives_nothing(),
        operation("listWorkingCalendarVersions", "List the versions of a calendar.")
            .gives_page::<WorkingCalendarVersion>(),
        operation("listSlaPolicies", "List policies.").gives_page::<SlaPolicy>(),
        operation("getSlaPolicy", "Read a policy.").gives::<SlaPolicy>(200),
        operation(
            "putSlaPolicy",
            "Put a version of a policy: tickets are judged by it from when it applies.",
        )
        .query("applies_from", APPLIES_FROM)
        .takes::<PolicyText>()
        .conditional()
        .gives::<SlaPolicy>(200),
        operation("deleteSlaPolicy", "End a policy, or forget it.")
            .query("forget", FORGET)
            .conditional()
            .gives_nothing(),
        operation("listSlaPolicyVersions", "List the versions of a policy.")
            .gives_page::<SlaPolicyVersion>(),
        operation("listDueTickets", "List tickets of which something is due, the soonest first.")
            .gives_page::<Due>(),
        operation("getTicketSla", "Tell how what was promised of a ticket stands, from its log.")
            .gives::<Report>(200),
        operation("acknowledgeTicketSla", "Take note of a promise: nobody else is told of it.")
            .query("by", BY)
            .takes::<SlaAcknowledgement>()
            .gives::<Report>(200),
    ]
}
