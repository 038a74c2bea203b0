//! VAT in the Union on services that are supplied electronically: which rate, where, and why.
//!
//! Source: Directive 2006/112/EC. Categories are the codes of UNCL5305 that EN 16931-1 admits,
//! reasons those of the VATEX list. Goods, the special territories of Article 6 (the Canaries,
//! Åland, …) and sellers outside of the Union are not covered.

mod class;
mod rates;
mod treatment;
pub mod vat_id;

pub use class::{CLASSES_MAX, PLACES_MAX, REASON_CHARS_MAX, Rule, TaxClass};
pub use rates::{RATES_AS_OF, is_member, standard_rate};
pub use treatment::{Buyer, Error, Outside, SMALL_ENTERPRISE, Seller, Supply, Treatment, treat};
pub use vat_id::VatId;

/// A rate of VAT in hundredths of a percent: 1 900 is 19 %.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Rate(u32);

/// The highest rate: 100 %.
const RATE_MAX: u32 = 10_000;

/// Why nothing, or something, is charged: the codes of UNCL5305 in EN 16931-1 (BT-118, BT-151).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Category {
    /// S: taxed at a rate above 0, standard or reduced, of whichever country (so OSS too).
    Standard,
    /// Z: taxed at the rate 0.
    Zero,
    /// E: exempt within the Union.
    Exempt,
    /// AE: the buyer owes the tax.
    ReverseCharge,
    /// G: free because it leaves the Union.
    Export,
    /// O: not subject to the Union's VAT.
    OutOfScope,
}

/// Where an amount of tax is rounded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Rounding {
    /// Once for each category and rate, on the sum of its amounts. EN 16931 (BR-CO-17) asks for it.
    #[default]
    PerTotal,
    /// On each amount, and the results are added. Some cash registers and marketplaces do.
    PerLine,
}

impl Rate {
    /// No tax.
    pub const ZERO: Self = Self(0);

    /// A rate from hundredths of a percent, 0 to 10 000.
    pub fn new(hundredths: u32) -> Option<Self> {
        (hundredths <= RATE_MAX).then_some(Self(hundredths))
    }

    /// Hundredths of a percent.
    pub fn hundredths(self) -> u32 {
        self.0
    }

    /// The tax on `base` minor units, rounded half away from zero: a credit note is the exact
    /// mirror of its invoice.
    pub fn of(self, base: i64) -> i64 {
        let product = i128::from(base) * i128::from(self.0);
        let half = i128::from(RATE_MAX / 2) * product.signum();
        // A rate is 100 % at most, so the tax is no larger than its base.
        i64::try_from((product + half) / i128::from(RATE_MAX)).unwrap_or(base)
    }

    /// The tax on all `bases`, in minor units. `None` when their sum does not fit 63 bits.
    pub fn of_all(self, bases: &[i64], rounding: Rounding) -> Option<i64> {
        let sum = |amounts: &mut dyn Iterator<Item = i64>| {
            // In 128 bits, so that the order does not decide whether the sum fits.
            i64::try_from(amounts.map(i128::from).sum::<i128>()).ok()
        };
        match rounding {
            Rounding::PerTotal => sum(&mut bases.iter().copied()).map(|base| self.of(base)),
            Rounding::PerLine => sum(&mut bases.iter().map(|it| self.of(*it))),
        }
    }
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Standard,
        Self::Zero,
        Self::Exempt,
        Self::ReverseCharge,
        Self::Export,
        Self::OutOfScope,
    ];

    /// The code of UNCL5305.
    pub fn code(self) -> &'static str {
        match self {
            Self::Standard => "S",
            Self::Zero => "Z",
            Self::Exempt => "E",
            Self::ReverseCharge => "AE",
            Self::Export => "G",
            Self::OutOfScope => "O",
        }
    }

    /// Reads a code of UNCL5305. `None` for those that EN 16931 lacks, and for goods (K, L, M, B).
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }

    /// Whether `rate` may stand beside it: S above 0 (BR-S-05), all others 0 (BR-Z-05, BR-E-05,
    /// BR-AE-05, BR-G-05, BR-O-05).
    pub fn admits(self, rate: Rate) -> bool {
        (self == Self::Standard) == (rate > Rate::ZERO)
    }

    /// The VATEX code of the reason (BT-121), where one code fits all cases of the category.
    pub fn reason_code(self) -> Option<&'static str> {
        match self {
            Self::ReverseCharge => Some("VATEX-EU-AE"),
            Self::Export => Some("VATEX-EU-G"),
            Self::OutOfScope => Some("VATEX-EU-O"),
            Self::Standard | Self::Zero | Self::Exempt => None,
        }
    }

    /// What the law wants to read on the invoice (BT-120), where tax is not charged. For Zero and
    /// Standard nothing may be said (BR-Z-10, BR-S-10).
    pub fn legal_text(self) -> Option<&'static str> {
        match self {
            Self::Standard | Self::Zero => None,
            Self::Exempt => Some("Exempt from VAT (Article 226(11) of Directive 2006/112/EC)"),
            Self::ReverseCharge => {
                Some("Reverse charge (Articles 44, 196 and 226(11a) of Directive 2006/112/EC)")
            }
            Self::Export => {
                Some("VAT not charged: supplied outside the Union (Directive 2006/112/EC)")
            }
            Self::OutOfScope => Some(
                "Not subject to VAT: place of supply outside the Union (Articles 44 and 58 of Directive 2006/112/EC)",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn where_it_is_rounded_matters() {
        let rate = Rate::new(1_900).unwrap();
        let bases = [3, 3, 3];

        // 0.57 rounds to 1 three times, 1.71 rounds to 2 once.
        assert_eq!(rate.of_all(&bases, Rounding::PerLine), Some(3));
        assert_eq!(rate.of_all(&bases, Rounding::PerTotal), Some(2));
        assert_eq!(rate.of_all(&[i64::MAX, 1], Rounding::PerTotal), None);
    }

    #[test]
    fn halves_go_away_from_zero() {
        let rate = Rate::new(2_500).unwrap();

        assert_eq!([rate.of(2), rate.of(-2), rate.of(1), rate.of(-1)], [1, -1, 0, 0]);
        assert_eq!(Rate::new(10_000).map(|it| it.of(i64::MIN)), Some(i64::MIN));
        assert_eq!(Rate::new(10_001), None);
    }

    #[test]
    fn only_standard_has_a_rate() {
        let rate = Rate::new(700).unwrap();
        for it in Category::ALL {
            assert_eq!(it.admits(rate), it == Category::Standard);
            assert_eq!(it.admits(Rate::ZERO), it != Category::Standard);
            assert_eq!(Category::parse(it.code()), Some(it));
        }
        assert_eq!(Category::parse("K"), None);
    }

    proptest! {
        #[test]
        fn tax_mirrors_and_stays_within_half_a_unit(
            base in -1_000_000_000_000i64..1_000_000_000_000, rate in 0u32..=10_000,
        ) {
            let tax = Rate::new(rate).unwrap().of(base);
            let exact = i128::from(base) * i128::from(rate);

            prop_assert_eq!(Rate::new(rate).unwrap().of(-base), -tax);
            prop_assert!((i128::from(tax) * 10_000 - exact).abs() <= 5_000);
        }
    }
}
