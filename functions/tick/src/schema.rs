//! What the API document says of these routes.

use shared::openapi::{Operation, operation};

use crate::{Ticked, jobs::JobView};

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    vec![
        operation("tick", "Wake the tenants whose time has come.").gives::<Ticked>(200),
        operation("listJobs", "List jobs that wait or failed for good.")
            .gives_page::<JobView>()
            .query("state", "waiting or dead; both when left out."),
        operation("retryJob", "Let a dead job have its tries again.").gives::<JobView>(202),
    ]
}
