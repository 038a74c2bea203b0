//! What the API document says of these routes.

use shared::openapi::{Operation, operation};

use crate::limits::{
    asked::{Asked, Checks},
    check::{Checked, CheckedAll},
    policy::Policy,
    receipt::Settlement,
};

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    let mut all = limits();
    all.extend(usage());
    all
}

fn limits() -> Vec<Operation> {
    vec![
        operation("checkLimits", "Ask whether a request may go on; 429 when it may not.")
            .takes::<Asked>()
            .gives::<Checked>(200),
        operation("checkLimitsOfMany", "Ask for up to 100 requests, each for itself.")
            .takes::<Checks>()
            .gives::<CheckedAll>(200),
        operation("settleLimits", "Add or give back units after the answer, and end leases.")
            .takes::<Settlement>()
            .gives_nothing(),
        operation("listPolicies", "List the policies of limits, by name.").gives_page::<Policy>(),
        operation("getPolicy", "Read a policy.").gives::<Policy>(200),
        operation("putPolicy", "Write a policy: make it, or replace it.")
            .takes::<Policy>()
            .conditional()
            .gives::<Policy>(200),
        operation("deletePolicy", "Remove a policy: it limits nothing any more.").gives_nothing(),
    ]
}

fn usage() -> Vec<Operation> {
    vec![]
}
