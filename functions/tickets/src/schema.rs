//! What the API document says of these routes.

use shared::{
    domain::Entry,
    openapi::{Operation, operation},
    portal::{NewPortalLink, PortalLink},
};

use crate::{
    context::TicketContext,
    settings::Settings,
    suggest::{Suggestions, TicketQuestion},
    ticket::{
        Ticket,
        change::TicketChange,
        link::{Link, Links},
        merge::TicketMerge,
        message::Message,
        open::NewTicket,
        presence::{NewPresent, Presence},
        reply::NewTicketMessage,
        split::TicketSplit,
        undo::TicketUndo,
    },
};

/// What the query parameter `by` says.
pub const BY: &str = "The member that acts, `mem_…`: what the log and other agents are told.";

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    let mut all = handling();
    all.extend(arranging());
    all.extend(crate::desk::schema::operations());
    all.extend(crate::form::schema::operations());
    all.extend(crate::sla::schema::operations());
    all.extend(crate::inlet::schema::operations());
    all
}

fn handling() -> Vec<Operation> {
    vec![
        operation("createTicket", "Open a ticket.")
            .query("by", BY)
            .takes::<NewTicket>()
            .gives::<Ticket>(201),
        operation("listTickets", "List tickets, the latest change first; filter by one thing.")
            .query("state", "Only those that are there, as `open`.")
            .query("requester", "Only those of this address, or of this member.")
            .query("customer", "Only those of this customer.")
            .query("assignee", "Only those that this member handles.")
            .query("team", "Only those of this team.")
            .gives_page::<Ticket>(),
        operation("getTicket", "Read a ticket, by its id or its number.").gives::<Ticket>(200),
        operation("changeTicket", "Change a ticket: what is left out stays.")
            .query("by", BY)
            .takes::<TicketChange>()
            .conditional()
            .gives::<Ticket>(200),
        operation("listTicketMessages", "List what was said in a ticket, the oldest first.")
            .gives_page::<Message>(),
        operation("addTicketMessage", "Answer, note something, or say what the requester says.")
            .query("by", BY)
            .takes::<NewTicketMessage>()
            .gives::<Message>(201),
        operation("listTicketLog", "List what was done to a ticket, the oldest first.")
            .gives_page::<Entry>(),
        operation("undoInTicket", "Take back what an agent did.")
            .query("by", BY)
            .takes::<TicketUndo>()
            .gives::<Ticket>(200),
        operation("getTicketContext", "Show what there is to know of who asks.")
            .gives::<TicketContext>(200),
        operation("listTicketPresence", "List who is at a ticket.").gives::<Presence>(200),
        operation("tellTicketPresence", "Say that somebody looks at a ticket, or writes.")
            .takes::<NewPresent>()
            .gives::<Presence>(200),
        operation("followTicket", "Follow a ticket: what is done to it, and who is at it.")
            .query("after", "Start after this place; from now on when left out.")
            .gives_other("text/event-stream"),
    ]
}

fn arranging() -> Vec<Operation> {
    vec![
        operation("mergeTicket", "Merge a ticket into another, which is answered.")
            .query("by", BY)
            .takes::<TicketMerge>()
            .gives::<Ticket>(200),
        operation("splitTicket", "Make a ticket of some messages of another.")
            .query("by", BY)
            .takes::<TicketSplit>()
            .gives::<Ticket>(201),
        operation("listTicketLinks", "List the tickets that one has to do with.")
            .gives::<Links>(200),
        operation("linkTicket", "Say that a ticket has to do with another.")
            .query("by", BY)
            .takes::<Link>()
            .gives::<Link>(201),
        operation("unlinkTicket", "Say that a ticket has nothing to do with another.")
            .query("by", BY)
            .gives_nothing(),
        operation(
            "createTicketPortalLink",
            "Make a link with which one of your customers tends to its tickets.",
        )
        .takes::<NewPortalLink>()
        .gives::<PortalLink>(201),
        operation("getTicketSettings", "Read how tickets are handled.").gives::<Settings>(200),
        operation("putTicketSettings", "Say how tickets are handled.")
            .takes::<Settings>()
            .conditional()
            .gives::<Settings>(200),
        operation("suggestForTicket", "Suggest what may answer a question.")
            .takes::<TicketQuestion>()
            .gives::<Suggestions>(200),
    ]
}
