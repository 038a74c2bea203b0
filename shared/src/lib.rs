//! What every function shares: the domain, the ports, the words of HTTP, the door, and one
//! adapter per runtime.
//!
//! The compilation target picks the adapter: `wasm32-wasip2` is Spin, `wasm32-unknown-unknown` is
//! Workers, anything else is the in-memory host of the tests. There are no cargo features to
//! combine. Read the modules in this order.

// Floor 0: pure.
pub mod domain;
pub mod expression;
// Floor 1: what the outside world promises.
pub mod contract;
pub mod migrations;
pub mod ports;
// Floor 2: words of the edge.
pub mod door;
pub mod function;
pub mod http;
pub mod openapi;
pub mod problem;
pub mod route;
// The spine, once, over the ports.
pub mod bell;
pub mod blob_rows;
pub mod certificates;
pub mod directory;
pub mod dns;
pub mod drain;
pub mod hosts;
pub mod idempotency;
pub mod ingest;
pub mod last_use;
pub mod limit;
pub mod limits;
pub mod live;
pub mod log;
pub mod mail_event;
pub mod oauth;
pub mod open;
pub mod outbound;
pub mod portal;
pub mod seal;
pub mod serve;
pub mod signing;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
mod tls;
pub mod work;
pub mod x509;
// Beside: one adapter per runtime.
#[cfg(not(target_arch = "wasm32"))]
pub mod memory;
#[cfg(target_os = "wasi")]
pub mod spin;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod worker;
