//! Notifications: who hears of what, by which channel, when, and in which words.
//!
//! The decisions are here and pure; nothing of them is served yet.

pub mod address;
pub mod channel;
pub mod delay;
pub mod digest;
pub mod mail;
pub mod preference;
pub mod push;
pub mod quiet;
pub mod template;
pub mod throttle;
#[cfg(test)]
mod transitions;
