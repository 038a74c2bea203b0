//! Tickets in SQL.

mod attachments;
mod facts;
mod forms;
mod links;
mod mailboxes;
mod mails;
mod members;
mod messages;
mod presence;
mod settings;
mod slas;
mod tickets;
mod tools;
mod views;

pub use attachments::*;
pub use facts::*;
pub use forms::*;
pub use links::*;
pub use mailboxes::*;
pub use mails::*;
pub use members::*;
pub use messages::*;
pub use presence::*;
pub use settings::*;
pub use slas::*;
pub use tickets::*;
pub use tools::*;
pub use views::*;
