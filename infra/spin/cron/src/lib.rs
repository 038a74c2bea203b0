//! The tick for Spin's plugin `trigger-cron`: whenever the plugin calls, a POST to `/tick`.
//!
//! The manifest is `infra/spin/cron.toml`. Older plugins have WASI 0.2 and no 0.3, so this shares
//! nothing with the functions. Off WASI only the reading of the address is there, for its tests.

pub mod address;
#[cfg(target_os = "wasi")]
mod bindings;
#[cfg(target_os = "wasi")]
mod component;
#[cfg(target_os = "wasi")]
mod post;
