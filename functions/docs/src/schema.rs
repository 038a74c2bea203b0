//! What the API document says of these routes.

use shared::openapi::{Operation, operation};

use crate::Health;

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    vec![
        operation("getHealth", "Say that the service is up.").gives::<Health>(200),
        operation("getApiDocument", "Read this document.").gives_other("application/json"),
        operation("getReference", "Look at the API in a browser.").gives_other("text/html"),
        operation("getReferenceFile", "A part of the reference page.").gives_other("*/*"),
    ]
}
