//! Tickets in SQL.

mod facts;
mod forms;
mod links;
mod members;
mod messages;
mod presence;
mod settings;
mod slas;
mod tickets;
mod tools;
mod views;

pub use facts::*;
pub use forms::*;
pub use links::*;
pub use members::*;
pub use messages::*;
pub use presence::*;
pub use settings::*;
pub use slas::*;
pub use tickets::*;
pub use tools::*;
pub use views::*;
