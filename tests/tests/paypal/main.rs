//! Our client beside a fake PayPal on loopback.

mod charges;
mod desk;
mod served;
mod webhooks;
