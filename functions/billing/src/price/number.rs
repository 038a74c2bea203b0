//! Quantities and unit amounts: decimals that are exact.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Error;

const QUANTITY_PLACES: u32 = 6;
const QUANTITY_MAX: i64 = 999_999_999_999;
const UNIT_PLACES: u32 = 10;
const UNIT_MAX: i64 = 99_999_999;

/// How many, in millionths of a unit. On the wire a decimal as text.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Quantity(i64);

/// What one costs, in ten-billionths of a minor unit. On the wire a decimal as text, in minor
/// units: `0.0125` is an eightieth of a cent.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct UnitAmount(i64);

impl Quantity {
    /// None.
    pub const ZERO: Self = Self(0);
    /// How many millionths there are in one.
    pub const ONE: i64 = 1_000_000;

    /// So many whole units; none below zero.
    pub fn of(units: i64) -> Self {
        Self(units.clamp(0, QUANTITY_MAX) * Self::ONE)
    }

    /// Reads a decimal.
    ///
    /// # Errors
    /// When it is none, or out of range.
    pub fn parse(text: &str) -> Result<Self, Error> {
        decimal(text, QUANTITY_PLACES, QUANTITY_MAX).map(Self).ok_or(Error::BadQuantity)
    }

    /// In millionths.
    pub fn millionths(self) -> i64 {
        self.0
    }

    /// From millionths, none below zero.
    pub fn from_millionths(it: i64) -> Self {
        Self(it.max(0))
    }

    /// How many whole units it is, if there is no part of one.
    pub fn whole(self) -> Option<i64> {
        (self.0 % Self::ONE == 0).then_some(self.0 / Self::ONE)
    }

    /// What is left when so many are taken away; nothing at least.
    pub fn less(self, other: Self) -> Self {
        Self((self.0 - other.0).max(0))
    }
}

impl UnitAmount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// How many ten-billionths there are in one minor unit.
    pub const ONE: i64 = 10_000_000_000;

    /// Reads a decimal.
    ///
    /// # Errors
    /// When it is none, or out of range.
    pub fn parse(text: &str) -> Result<Self, Error> {
        decimal(text, UNIT_PLACES, UNIT_MAX).map(Self).ok_or(Error::BadUnitAmount)
    }

    /// Whole minor units.
    pub fn of(minor: i64) -> Option<Self> {
        (0..=UNIT_MAX).contains(&minor).then(|| Self(minor * Self::ONE))
    }

    /// What so many cost, in units of 10^-16 of a minor unit.
    pub(super) fn by(self, quantity: Quantity) -> i128 {
        i128::from(self.0) * i128::from(quantity.0)
    }
}

/// What [`UnitAmount::by`] counts in one minor unit.
pub(super) const EXACT_ONE: i128 = 10_000_000_000_000_000;

/// Digits, and up to `places` after a point; up to `most` before it.
fn decimal(text: &str, places: u32, most: i64) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    let has_point = text.contains('.');
    let count = u32::try_from(part.len()).ok()?;
    if whole.is_empty() || whole.len() > 15 || !digits(whole) || !digits(part) || count > places {
        return None;
    }
    if has_point && part.is_empty() {
        return None;
    }
    let whole: i64 = whole.parse().ok().filter(|it| *it <= most)?;
    let one = 10i64.pow(places);
    let part: i64 = if part.is_empty() { 0 } else { part.parse().ok()? };
    Some(whole * one + part * 10i64.pow(places - count))
}

fn write(f: &mut fmt::Formatter<'_>, value: i64, places: u32) -> fmt::Result {
    let one = 10i64.pow(places);
    let (whole, part) = (value / one, value % one);
    if part == 0 {
        return write!(f, "{whole}");
    }
    let width = usize::try_from(places).unwrap_or(0);
    let text = format!("{part:0width$}");
    write!(f, "{whole}.{}", text.trim_end_matches('0'))
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0, QUANTITY_PLACES)
    }
}

impl fmt::Display for UnitAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0, UNIT_PLACES)
    }
}

macro_rules! on_the_wire {
    ($name:ident, $words:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                use utoipa::openapi::schema::{ObjectBuilder, Type};
                ObjectBuilder::new().schema_type(Type::String).description(Some($words)).into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

on_the_wire!(Quantity, "A decimal of up to 6 places, as 12.5.");
on_the_wire!(UnitAmount, "Minor units as a decimal of up to 10 places, as 0.0125.");
