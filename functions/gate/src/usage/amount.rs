//! An exact amount: millionths of a unit. Nothing here is ever a float.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::value::RawValue;

/// How many millionths a unit has.
pub const MICROS: i64 = 1_000_000;
/// How many places a decimal may have.
const PLACES_MAX: usize = 6;
/// The largest value of one event, in units. Its millionths are exact in JavaScript as well.
pub const VALUE_MAX: i64 = 9_000_000_000;

/// A sum of values, in millionths. On the wire a decimal in a text.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Amount(pub i128);

/// The value of one event, in millionths: 0 to [`VALUE_MAX`] units. Read from a number of JSON as
/// it is written, or from the same in a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decimal(pub i64);

impl Amount {
    /// So many whole units.
    pub fn units(units: i64) -> Self {
        Self(i128::from(units) * i128::from(MICROS))
    }

    /// Reads what was written.
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |it| (-1, it));
        let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
        let is_plain = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
        if whole.is_empty() || !is_plain(whole) || !is_plain(places) || places.len() > PLACES_MAX {
            return None;
        }
        let micros: i128 = format!("{whole}{places:0<PLACES_MAX$}").parse().ok()?;
        Some(Self(sign * micros))
    }

    /// From sums of its two parts.
    pub fn parts(whole: i128, micros: i128) -> Self {
        Self(whole * i128::from(MICROS) + micros)
    }
}

impl Decimal {
    /// Reads digits with up to six places after a point. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        if !digits(whole) || !digits(places) || places.len() > PLACES_MAX || whole.len() > 10 {
            return None;
        }
        let micros: i64 = format!("{places:0<PLACES_MAX$}").parse().ok()?;
        let value = whole.parse::<i64>().ok()? * MICROS + micros;
        (value <= VALUE_MAX * MICROS).then_some(Self(value))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = u128::from(MICROS.unsigned_abs());
        let (whole, rest) = (self.0.unsigned_abs() / micros, self.0.unsigned_abs() % micros);
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{whole}")?;
        let places = format!("{rest:0PLACES_MAX$}");
        match places.trim_end_matches('0') {
            "" => Ok(()),
            places => write!(f, ".{places}"),
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let inner = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        Self::parse(inner.unwrap_or(text)).ok_or_else(|| {
            let places = format!("up to {PLACES_MAX} places and no exponent");
            D::Error::custom(format!("expected a decimal from 0 to {VALUE_MAX} with {places}"))
        })
    }
}

/// On the wire both are decimals.
macro_rules! decimal_schema {
    ($($name:ty: $kind:ident),*) => {$(
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                use utoipa::openapi::schema::{ObjectBuilder, Type};
                ObjectBuilder::new().schema_type(Type::$kind).into()
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

decimal_schema!(Amount: String, Decimal: Number);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_decimal_is_read_as_it_is_written() {
        let read = |it: &str| serde_json::from_str::<Decimal>(it).ok().map(|it| it.0);

        assert_eq!(read("3"), Some(3_000_000));
        // One that a float cannot hold.
        assert_eq!(read("8999999999.999999"), Some(8_999_999_999_999_999));
        assert_eq!(read("\"0.000001\""), Some(1));
        for bad in ["-1", "1e3", "0.0000001", "9000000000.000001", "\"\"", "null", "1.", "\"+1\""] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(micros in 0..=VALUE_MAX * MICROS) {
            let text = Amount(micros.into()).to_string();
            prop_assert_eq!(Decimal::parse(&text), Some(Decimal(micros)));
        }

        #[test]
        fn an_amount_reads_back(micros in -i128::MAX..i128::MAX) {
            prop_assert_eq!(Amount::parse(&Amount(micros).to_string()), Some(Amount(micros)));
        }

        #[test]
        fn no_text_makes_parsing_panic(text in ".{0,40}") {
            let _ = (Decimal::parse(&text), Amount::parse(&text));
        }

        #[test]
        fn no_amount_makes_printing_panic(micros: i128) {
            let _ = Amount(micros).to_string();
        }
    }
}
