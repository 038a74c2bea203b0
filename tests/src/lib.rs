//! Kits.
