//! Usage in SQL.

mod counters;
mod events;
mod fared;
mod rest;

pub use counters::*;
pub use events::*;
pub use fared::*;
pub use rest::*;

use shared::ports::{PortError, Value};

/// The integer in a text: sums are read as texts, as Workers reads integers as floats.
fn wide(value: Value) -> Result<i128, PortError> {
    value.text()?.parse().map_err(|err| PortError::new("sql", err))
}
