//! What the API document says of these routes.

use shared::openapi::Operation;

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    Vec::new()
}
