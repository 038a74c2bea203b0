//! What the API document says of these routes.

use shared::{
    domain::Entry,
    openapi::{Operation, operation},
};

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    vec![
        operation("listLog", "List the log, oldest first.")
            .gives_page::<Entry>()
            .query("after", "Only entries after this sequence.")
            .query("subject", "Only entries of this subject."),
        operation("followLog", "Follow the log as server-sent events, from Last-Event-ID.")
            .gives_other("text/event-stream")
            .query("after", "Start after this sequence; from now on when left out."),
    ]
}
