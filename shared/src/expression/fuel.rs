//! What an evaluation may still do. Whatever takes time or memory is paid for before it is done.

use super::{FUEL_MAX, Trouble};

/// How many bytes of text are read or made for one unit.
const BYTES_PER_UNIT: usize = 16;

/// Fuel in units: about what it takes to look at one node, one element, or 16 bytes.
#[derive(Debug)]
pub(super) struct Fuel {
    left: usize,
}

impl Fuel {
    pub(super) fn full() -> Self {
        Self { left: FUEL_MAX }
    }

    /// Pays for one step.
    pub(super) fn step(&mut self) -> Result<(), Trouble> {
        self.units(1)
    }

    /// Pays for reading or making this many bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Result<(), Trouble> {
        self.units(1 + count / BYTES_PER_UNIT)
    }

    /// Pays for reading or making this many elements.
    pub(super) fn units(&mut self, count: usize) -> Result<(), Trouble> {
        // What is left is zero afterwards, so that no error of fuel can be absorbed and run on.
        let left = self.left.checked_sub(count);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Trouble::OutOfFuel)
    }
}
