//! Notifications in SQL.

mod batches;
mod browsers;
mod deliveries;
mod dkim_keys;
mod hooks;
mod inbox;
mod mails;
mod members;
mod notices;
mod outbox;
mod providers;
mod rules;
mod settings;
mod sms;
mod suppressions;
mod topics;
mod wishes;
mod workflows;

pub use batches::*;
pub use browsers::*;
pub use deliveries::*;
pub use dkim_keys::*;
pub use hooks::*;
pub use inbox::*;
pub use mails::*;
pub use members::*;
pub use notices::*;
pub use outbox::*;
pub use providers::*;
pub use rules::*;
pub use settings::*;
pub use sms::*;
pub use suppressions::*;
pub use topics::*;
pub use wishes::*;
pub use workflows::*;
