//! Quotas by tier.

pub mod window;
