//! An independent reading of the rules.
