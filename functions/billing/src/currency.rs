//! The currency of a document or a ledger entry, and how many digits its minor unit has.

use std::fmt;

/// Currencies (ISO 4217) whose minor unit is not a hundredth, with their digits.
const ODD: [(&str, u32); 22] = [
    ("BHD", 3),
    ("BIF", 0),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
];

/// Three capital letters of ISO 4217.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// Reads a code. `None` when it is not three capital letters; whether ISO lists it is not
    /// asked, for the list changes more often than this.
    pub fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 3] = code.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }

    /// The code.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many digits the minor unit has: 2 for the euro, 0 for the yen.
    pub fn digits(&self) -> u32 {
        ODD.iter().find(|(it, _)| *it == self.code()).map_or(2, |(_, digits)| *digits)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_three_capital_letters() {
        assert_eq!(Currency::parse("EUR"), Some(Currency::EUR));
        for bad in ["eur", "EURO", "E1R", "", "ÄU"] {
            assert_eq!(Currency::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn minor_units_have_the_digits_of_iso_4217() {
        let digits = ["EUR", "JPY", "KWD"].map(|it| Currency::parse(it).map(|it| it.digits()));

        assert_eq!(digits, [Some(2), Some(0), Some(3)]);
        assert!(ODD.is_sorted());
    }
}
