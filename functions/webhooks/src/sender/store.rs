//! The sender in SQL.

mod deliveries;
mod endpoints;
mod events;
mod rest;
mod retention;

pub use deliveries::*;
pub use endpoints::*;
pub use events::*;
pub use rest::*;
pub use retention::*;
