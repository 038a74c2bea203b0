//! Tickets in SQL.

mod attachments;
mod facts;
mod links;
mod mailboxes;
mod mails;
mod members;
mod messages;
mod presence;
mod settings;
mod tickets;
mod tools;
mod views;

pub use attachments::*;
pub use facts::*;
pub use links::*;
pub use mailboxes::*;
pub use mails::*;
pub use members::*;
pub use messages::*;
pub use presence::*;
pub use settings::*;
pub use tickets::*;
pub use tools::*;
pub use views::*;
