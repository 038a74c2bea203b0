//! Addresses of e-mail.

pub use shared::domain::Address;
