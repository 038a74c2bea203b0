//! Tax classes: what the law of each place of supply says of some of the things that are sold, as
//! books or education. What is of no class has the standard rate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RATE_MAX, Rate, Supply, is_member};

/// How many classes a legal entity has at most.
pub const CLASSES_MAX: usize = 20;
/// How many places a class names at most: the member states.
pub const PLACES_MAX: usize = 27;
/// The longest reason for an exemption, in characters. It is printed.
pub const REASON_CHARS_MAX: usize = 200;

/// What the law says of what is of this class, by the place of supply.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TaxClass {
    /// By member state, ISO 3166-1 alpha-2, as `DE`; Greece is `GR`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub places: BTreeMap<String, Rule>,
    /// In all others: the standard rate when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Rule>,
}

/// What the law of one place says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = TaxRule)]
pub enum Rule {
    /// The standard rate, from the table.
    Standard,
    /// Another rate above zero.
    Reduced {
        /// In hundredths of a percent: 700 is 7 %. 1 to 10000.
        rate_hundredths: u32,
    },
    /// The rate zero.
    Zero,
    /// Exempt.
    Exempt {
        /// Why, up to 200 characters: it is printed, as `Article 132(1)(i): education`.
        reason: String,
    },
}

/// Why a class makes no sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// Too many.
    #[error("up to {PLACES_MAX} places")]
    TooManyPlaces,
    /// No member state.
    #[error("a place is a member state of the Union in two capital letters, as DE; Greece is GR")]
    BadPlace,
    /// Nothing, or more than all.
    #[error("a rate is 1 to 10000 hundredths of a percent; nothing is the kind zero")]
    BadRate,
    /// None, or too long a one.
    #[error("an exemption has a reason of 1 to {REASON_CHARS_MAX} characters")]
    BadReason,
}

impl TaxClass {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), Error> {
        if self.places.len() > PLACES_MAX {
            return Err(Error::TooManyPlaces);
        }
        if !self.places.keys().all(|it| is_member(it)) {
            return Err(Error::BadPlace);
        }
        self.places.values().chain(&self.elsewhere).try_for_each(Rule::check)
    }

    /// What the law of a place says of it.
    pub fn supply(&self, place: &str) -> Supply {
        match self.places.get(place).or(self.elsewhere.as_ref()) {
            None | Some(Rule::Standard) => Supply::Standard,
            // It is above zero and within the bounds: `check`.
            Some(Rule::Reduced { rate_hundredths }) => {
                Supply::At(Rate::new(*rate_hundredths).unwrap_or_default())
            }
            Some(Rule::Zero) => Supply::Zero,
            Some(Rule::Exempt { reason }) => Supply::Exempt(reason.clone()),
        }
    }
}

impl Rule {
    fn check(&self) -> Result<(), Error> {
        match self {
            Self::Reduced { rate_hundredths } if !(1..=RATE_MAX).contains(rate_hundredths) => {
                Err(Error::BadRate)
            }
            Self::Exempt { reason } if !is_told(reason) => Err(Error::BadReason),
            _ => Ok(()),
        }
    }
}

fn is_told(reason: &str) -> bool {
    !reason.trim().is_empty() && reason.chars().count() <= REASON_CHARS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(places: &[(&str, Rule)], elsewhere: Option<Rule>) -> TaxClass {
        let places = places.iter().map(|(place, rule)| ((*place).to_owned(), rule.clone()));
        TaxClass { places: places.collect(), elsewhere }
    }

    fn reduced(rate_hundredths: u32) -> Rule {
        Rule::Reduced { rate_hundredths }
    }

    #[test]
    fn each_place_has_its_law_and_all_others_the_standard_rate() {
        let books = class(&[("DE", reduced(700)), ("IE", Rule::Zero)], None);
        let school = Rule::Exempt { reason: "Article 132(1)(i)".to_owned() };
        let school = class(&[("FR", Rule::Standard)], Some(school));

        let seven = Supply::At(Rate::new(700).unwrap());
        let exempt = Supply::Exempt("Article 132(1)(i)".to_owned());
        assert_eq!(
            ["DE", "IE", "FR"].map(|it| books.supply(it)),
            [seven, Supply::Zero, Supply::Standard]
        );
        assert_eq!(["FR", "DE"].map(|it| school.supply(it)), [Supply::Standard, exempt]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let reason = |length: usize| Rule::Exempt { reason: "x".repeat(length) };
        let of = |place: &str, rule: Rule| class(&[(place, rule)], None).check().err();

        for place in ["de", "US", "EL", "", "DEU"] {
            assert_eq!(of(place, Rule::Zero), Some(Error::BadPlace), "{place}");
        }
        assert_eq!([0, 10_001].map(|it| of("DE", reduced(it))), [Some(Error::BadRate); 2]);
        assert_eq!([1, 10_000].map(|it| of("DE", reduced(it))), [None; 2]);
        assert_eq!([0, 201].map(|it| of("DE", reason(it))), [Some(Error::BadReason); 2]);
        assert_eq!([1, 200].map(|it| of("DE", reason(it))), [None; 2]);
        let blank = class(&[], Some(Rule::Exempt { reason: " ".to_owned() }));
        assert_eq!(blank.check(), Err(Error::BadReason));
    }
}
