//! The billing engine: pure calculators in integers, that know no payment provider, no clock and
//! no chance.

pub mod coupon;
pub mod credit;
pub mod document;
pub mod dunning;
pub mod einvoice;
pub mod invoice;
pub mod ledger;
pub mod money;
pub mod number;
pub mod period;
pub mod price;
pub mod proration;
pub mod tax;
