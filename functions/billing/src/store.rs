//! Billing in SQL. Most of a noun is the JSON in `body`.

mod bills;
mod books;
mod catalogue;
mod clearing;
mod deliveries;
mod looks;
mod readings;
mod subscriptions;

use shared::ports::{PortError, Row};

pub use bills::*;
pub use books::*;
pub use catalogue::*;
pub use clearing::*;
pub use deliveries::*;
pub use looks::*;
pub use readings::*;
pub use subscriptions::*;

/// The number in the only column of the only row.
fn number(rows: Vec<Row>) -> Result<i64, PortError> {
    let none = || PortError::new("sql", "no row where one was expected");
    let [number] = rows.into_iter().next().ok_or_else(none)?.columns()?;
    number.integer()
}
