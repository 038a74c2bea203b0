//! Tickets in SQL.

mod facts;
mod links;
mod members;
mod messages;
mod presence;
mod settings;
mod tickets;

pub use facts::*;
pub use links::*;
pub use members::*;
pub use messages::*;
pub use presence::*;
pub use settings::*;
pub use tickets::*;
