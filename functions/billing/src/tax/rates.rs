//! The standard rates of the member states, as data with a date. Nothing is looked up.

use super::Rate;

/// The day for which the table holds. It was put together from public lists of that time, not
/// from the Commission's own. Rates change by law a few times a year: an operator who knows a newer
/// one passes it as `Supply::At`, by a tax class.
pub const RATES_AS_OF: &str = "2026-01-01";

/// Country (ISO 3166-1 alpha-2) and hundredths of a percent, in the order of the code.
const STANDARD: [(&str, u32); 27] = [
    ("AT", 2_000),
    ("BE", 2_100),
    ("BG", 2_000),
    ("CY", 1_900),
    ("CZ", 2_100),
    ("DE", 1_900),
    ("DK", 2_500),
    ("EE", 2_400),
    ("ES", 2_100),
    ("FI", 2_550),
    ("FR", 2_000),
    ("GR", 2_400),
    ("HR", 2_500),
    ("HU", 2_700),
    ("IE", 2_300),
    ("IT", 2_200),
    ("LT", 2_100),
    ("LU", 1_700),
    ("LV", 2_100),
    ("MT", 1_800),
    ("NL", 2_100),
    ("PL", 2_300),
    ("PT", 2_300),
    ("RO", 2_100),
    ("SE", 2_500),
    ("SI", 2_200),
    ("SK", 2_300),
];

/// The standard rate of a member state on [`RATES_AS_OF`]. `None` outside of the Union.
pub fn standard_rate(country: &str) -> Option<Rate> {
    STANDARD.iter().find(|(it, _)| *it == country).and_then(|(_, rate)| Rate::new(*rate))
}

/// Whether the country (ISO 3166-1 alpha-2) is a member state of the Union.
pub fn is_member(country: &str) -> bool {
    STANDARD.iter().any(|(it, _)| *it == country)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_standard_rate_obeys_the_directive() {
        // Article 97: the standard rate is not lower than 15 %.
        for (country, rate) in STANDARD {
            assert!((1_500..=2_700).contains(&rate), "{country}");
        }
        assert!(STANDARD.is_sorted());
    }

    #[test]
    fn others_are_outside() {
        for country in ["GB", "CH", "NO", "US", "EL", "XI", "de", ""] {
            assert_eq!(standard_rate(country), None);
            assert!(!is_member(country));
        }
    }
}
