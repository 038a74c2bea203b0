//! The ingest queue: what comes in faster than a tenant can commit it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PortError;

/// How many bytes the body of one item may have as JSON.
pub const ITEM_BYTES_MAX: usize = 64 * 1024;
/// How many items a function is given at once, at most.
pub const ITEMS_MAX: usize = 100;

/// What a function wants to take in later, many at once.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Item {
    /// Of the function's own making: it tells by it whether it has seen this item.
    pub id: String,
    /// What the function needs. No secret.
    pub body: Value,
}

/// Takes items without opening their tenant.
pub trait Queue {
    /// Leaves `items` for `function` of `tenant`, to be taken in at least once each, in batches
    /// and in any order.
    ///
    /// # Errors
    /// When an item is larger than [`ITEM_BYTES_MAX`], and nothing is left then; or when the
    /// queue cannot be reached, and some of them may have been.
    async fn enqueue(
        &self,
        tenant: &str,
        function: &str,
        items: Vec<Item>,
    ) -> Result<(), PortError>;
}

/// That no item is too large.
///
/// # Errors
/// Names the one that is.
pub fn check_items(items: &[Item]) -> Result<(), PortError> {
    match items.iter().find(|it| it.body.to_string().len() > ITEM_BYTES_MAX) {
        Some(it) => Err(PortError::new("queue", format!("{} is too large", it.id))),
        None => Ok(()),
    }
}
