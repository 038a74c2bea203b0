//! VAT identification numbers: their form in each member state. Whether one is registered only
//! VIES knows; that is for somebody with a network.
//!
//! Source: the structures in the VIES FAQ (question 11). Check digits are not computed.

use std::fmt;

/// What stands after the prefix: `9` a digit, `A` a letter, `X` either, `+` a letter, digit, `+`
/// or `*`; all else stands for itself.
const FORMS: [(&str, &[&str]); 27] = [
    ("AT", &["U99999999"]),
    ("BE", &["0999999999", "1999999999"]),
    ("BG", &["999999999", "9999999999"]),
    ("CY", &["99999999A"]),
    ("CZ", &["99999999", "999999999", "9999999999"]),
    ("DE", &["999999999"]),
    ("DK", &["99999999"]),
    ("EE", &["999999999"]),
    ("EL", &["999999999"]),
    ("ES", &["A99999999", "A9999999A", "99999999A"]),
    ("FI", &["99999999"]),
    ("FR", &["XX999999999"]),
    ("HR", &["99999999999"]),
    ("HU", &["99999999"]),
    ("IE", &["9+99999A", "9999999A", "9999999AA"]),
    ("IT", &["99999999999"]),
    ("LT", &["999999999", "999999999999"]),
    ("LU", &["99999999"]),
    ("LV", &["99999999999"]),
    ("MT", &["99999999"]),
    ("NL", &["999999999B99"]),
    ("PL", &["9999999999"]),
    ("PT", &["999999999"]),
    (
        "RO",
        &["99", "999", "9999", "99999", "999999", "9999999", "99999999", "999999999", "9999999999"],
    ),
    ("SE", &["999999999999"]),
    ("SI", &["99999999"]),
    ("SK", &["9999999999"]),
];

/// A VAT identification number that has its country's form, upper case and without blanks.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct VatId(String);

/// Why a text is no VAT identification number.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// The prefix is no member state's.
    #[error("a VAT id begins with a member state's prefix, as DE or EL (for Greece)")]
    UnknownPrefix,
    /// The rest does not look like that country's.
    #[error("a VAT id of {0} does not look like that")]
    BadForm(&'static str),
}

impl VatId {
    /// Reads an id as people write it: blanks, dots and dashes are dropped, letters raised.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let plain: String = text.chars().filter(|it| !" .-".contains(*it)).collect();
        let plain = plain.to_ascii_uppercase();
        let found = FORMS.iter().find_map(|(prefix, forms)| {
            plain.strip_prefix(prefix).map(|rest| (*prefix, *forms, rest.to_owned()))
        });
        let (prefix, forms, rest) = found.ok_or(Error::UnknownPrefix)?;
        if !forms.iter().any(|it| fits(it, &rest)) {
            return Err(Error::BadForm(prefix));
        }
        Ok(Self(plain))
    }

    /// The member state, as ISO 3166-1 has it: Greece is GR, though its prefix is EL.
    pub fn country(&self) -> &str {
        match self.0.get(..2).unwrap_or_default() {
            "EL" => "GR",
            prefix => prefix,
        }
    }

    /// The whole id with its prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn fits(form: &str, rest: &str) -> bool {
    form.chars().count() == rest.chars().count()
        && form.chars().zip(rest.chars()).all(|(slot, it)| match slot {
            '9' => it.is_ascii_digit(),
            'A' => it.is_ascii_uppercase(),
            'X' => it.is_ascii_uppercase() || it.is_ascii_digit(),
            '+' => it.is_ascii_uppercase() || it.is_ascii_digit() || "+*".contains(it),
            _ => slot == it,
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::is_member, *};

    #[test]
    fn each_member_state_has_its_form() {
        assert!(FORMS.iter().all(|(it, _)| is_member(if *it == "EL" { "GR" } else { it })));
        for good in [
            "ATU12345678",
            "BE 0123.456.749",
            "CY12345678X",
            "DE123456789",
            "EL123456789",
            "ESA12345678",
            "ESX1234567L",
            "fr 0K 123456789",
            "IE1234567WA",
            "IE1+23456A",
            "NL123456789B01",
            "RO12",
            "SE123456789001",
        ] {
            assert!(VatId::parse(good).is_ok(), "{good}");
        }
        assert_eq!(VatId::parse("EL123456789").unwrap().country(), "GR");
        assert_eq!(VatId::parse("de 123 456 789").unwrap().as_str(), "DE123456789");
    }

    #[test]
    fn what_does_not_look_like_one_is_refused() {
        for bad in ["GB123456789", "GR123456789", "CHE123456788", "XI123456789", "", "D"] {
            assert_eq!(VatId::parse(bad), Err(Error::UnknownPrefix), "{bad}");
        }
        for (bad, country) in [
            ("DE12345678", "DE"),
            ("ATX12345678", "AT"),
            ("BE2123456789", "BE"),
            ("NL123456789C01", "NL"),
            ("RO1", "RO"),
            ("DE12345678é", "DE"),
        ] {
            assert_eq!(VatId::parse(bad), Err(Error::BadForm(country)), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".{0,30}") {
            if let Ok(id) = VatId::parse(&text) {
                prop_assert_eq!(VatId::parse(id.as_str()), Ok(id.clone()));
            }
        }
    }
}
