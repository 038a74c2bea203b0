//! What the API document says of forms and ratings.

use shared::openapi::{Operation, operation};

use super::design::Form;

/// The operations of forms and ratings.
pub fn operations() -> Vec<Operation> {
    vec![
        operation("listTicketForms", "List forms.").gives_page::<Form>(),
        operation("getTicketForm", "Read a form.").gives::<Form>(200),
        operation("putTicketForm", "Put a form, or replace it: its page is at its path.")
            .takes::<Form>()
            .conditional()
            .gives::<Form>(200),
        operation("deleteTicketForm", "Delete a form: its page is gone.")
            .conditional()
            .gives_nothing(),
        operation("showTicketForm", "Show the page of a form.").gives_other("text/html"),
        operation("sendTicketForm", "Send a form: a page says the number of the ticket.")
            .gives_other("text/html"),
        operation("askTicketRating", "Ask the requester how it was, by a link.")
            .gives_other("text/html"),
        operation("rateTicket", "Say how it was, 1 to 5, with a comment.").gives_other("text/html"),
    ]
}
