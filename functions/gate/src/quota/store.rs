//! Quotas in SQL.

mod marks;
mod plans;
mod reports;
mod shown;
mod subjects;

pub use marks::*;
pub use plans::*;
pub use reports::*;
pub use shown::*;
pub use subjects::*;
