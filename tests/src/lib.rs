//! The kits of the tests: the runtimes, a client, a receiver of deliveries, and the player of
//! stories.

pub mod bench_billing;
pub mod bench_gate;
pub mod bench_notify;
pub mod bench_tickets;
pub mod bench_webhooks;
pub mod client;
pub mod crash;
pub mod desk;
pub mod fake_mail;
pub mod fake_paypal;
pub mod fake_push;
pub mod fake_smtp;
pub mod fake_stripe;
pub mod feed;
pub mod host;
pub mod inbox;
pub mod isolation;
pub mod local;
pub mod masks;
pub mod mortal;
pub mod origin;
pub mod player;
pub mod redis;
pub mod shop;
pub mod signatures;
pub mod sink;
pub mod spellings;
pub mod wire;
pub mod workerd;
pub mod wrk;
