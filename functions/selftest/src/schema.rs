//! What the API document says of these routes.

use shared::openapi::{Operation, operation};

use crate::contract::{Contract, Counts, Started};

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    vec![
        operation("checkContract", "Check what this runtime promises.").gives::<Contract>(200),
        operation("startJobs", "Start jobs that succeed and fail.").gives::<Started>(202),
        operation("panic", "Break the instance, where the deployment allows that."),
        operation("checkJobs", "Read what the jobs and followers did.").gives::<Counts>(200),
    ]
}
