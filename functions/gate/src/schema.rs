//! What the API document says of these routes.

use shared::openapi::Operation;

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    let mut all = limits();
    all.extend(usage());
    all
}

fn limits() -> Vec<Operation> {
    vec![]
}

fn usage() -> Vec<Operation> {
    vec![]
}
