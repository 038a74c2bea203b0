//! What the API document says of views, macros, teams and bulk changes.

use shared::openapi::{Operation, operation};

use super::{
    bulk::{TicketBulk, TicketBulkAnswer},
    macros::Macro,
    team::Team,
    view::{View, ViewText},
};
use crate::{schema::BY, ticket::Ticket};

/// The operations of the desk.
pub fn operations() -> Vec<Operation> {
    vec![
        operation("listTicketTeams", "List teams.").gives_page::<Team>(),
        operation("getTicketTeam", "Read a team.").gives::<Team>(200),
        operation("putTicketTeam", "Put a team, or replace it.")
            .takes::<Team>()
            .conditional()
            .gives::<Team>(200),
        operation("deleteTicketTeam", "Delete a team.").conditional().gives_nothing(),
        operation("listTicketMacros", "List macros.").gives_page::<Macro>(),
        operation("getTicketMacro", "Read a macro.").gives::<Macro>(200),
        operation("putTicketMacro", "Put a macro, or replace it.")
            .takes::<Macro>()
            .conditional()
            .gives::<Macro>(200),
        operation("deleteTicketMacro", "Delete a macro.").conditional().gives_nothing(),
        operation("applyTicketMacro", "Do to a ticket what a macro says.")
            .query("by", BY)
            .conditional()
            .gives::<Ticket>(200),
        operation("listTicketViews", "List views, with how many tickets are in each.")
            .gives_page::<View>(),
        operation("getTicketView", "Read a view.").gives::<View>(200),
        operation(
            "putTicketView",
            "Put a view, or replace it: it is built by looking at all tickets.",
        )
        .takes::<ViewText>()
        .conditional()
        .gives::<View>(200),
        operation("deleteTicketView", "Delete a view.").conditional().gives_nothing(),
        operation("listTicketsInView", "List the tickets of a view, in its order.")
            .gives_page::<Ticket>(),
        operation("changeTickets", "Change up to 100 tickets: each succeeds, or says why not.")
            .query("by", BY)
            .takes::<TicketBulk>()
            .gives::<TicketBulkAnswer>(200),
    ]
}
