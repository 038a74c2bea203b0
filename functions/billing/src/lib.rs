//! The billing engine: pure calculators in integers, that know no payment provider, no clock and
//! no chance.

pub mod credit;
pub mod currency;
pub mod document;
pub mod dunning;
pub mod einvoice;
pub mod invoice;
pub mod ledger;
pub mod number;
pub mod tax;
