//! Money: currencies, and parts of amounts. An amount is an `i64` of minor units.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The largest amount that anything costs, in minor units.
pub const AMOUNT_MAX: i64 = 999_999_999_999;
/// How many parts an amount is split into at most.
pub const PARTS_MAX: usize = 10_000;

/// Codes that ISO 4217 lists and nobody is billed in: metals, funds, tests, units of account.
const NO_MONEY: [&str; 22] = [
    "BOV", "CHE", "CHW", "COU", "CUC", "MXV", "SLL", "USN", "USS", "XAG", "XAU", "XBA", "XBB",
    "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX",
];

/// A currency of ISO 4217 in which somebody can be billed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Currency([u8; 3]);

/// Why a calculation with money has no result.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// The code is none.
    #[error("a currency is a code of ISO 4217 in capitals, as EUR or JPY")]
    UnknownCurrency,
    /// A sum or product is beyond what is kept.
    #[error("the amount is too large")]
    TooLarge,
    /// A part that is larger than the whole, or a whole of nothing.
    #[error("a part is from 0 to the whole, and the whole is above 0")]
    BadPart,
}

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// Reads a code of the list.
    ///
    /// # Errors
    /// When the list has none of this code.
    pub fn parse(code: &str) -> Result<Self, Error> {
        let known = iso_currency::Currency::from_code(code).ok_or(Error::UnknownCurrency)?;
        let bytes = code.as_bytes().try_into().map_err(|_| Error::UnknownCurrency)?;
        match NO_MONEY.contains(&code) || known.exponent().is_none() {
            true => Err(Error::UnknownCurrency),
            false => Ok(Self(bytes)),
        }
    }

    /// The code.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many digits the minor unit has: 2 for the euro, 0 for the yen.
    pub fn digits(&self) -> u32 {
        let known = iso_currency::Currency::from_code(self.code());
        known.and_then(iso_currency::Currency::exponent).map_or(2, u32::from)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl utoipa::PartialSchema for Currency {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A currency of ISO 4217, as EUR."))
            .into()
    }
}

impl utoipa::ToSchema for Currency {}

/// `amount` × `part` / `whole`, rounded half away from zero.
///
/// # Errors
/// When the part is not between 0 and the whole.
pub fn share(amount: i64, part: i64, whole: i64) -> Result<i64, Error> {
    if whole <= 0 || !(0..=whole).contains(&part) {
        return Err(Error::BadPart);
    }
    i64::try_from(divided(i128::from(amount) * i128::from(part), i128::from(whole)))
        .map_err(|_| Error::TooLarge)
}

/// `value` / `by`, rounded half away from zero. `by` is above 0.
pub(crate) fn divided(value: i128, by: i128) -> i128 {
    let half = by / 2;
    match value < 0 {
        true => -((-value + half) / by),
        false => (value + half) / by,
    }
}

/// Splits `amount` by weights of zero or more. The parts add up to the amount: what is left by
/// rounding down goes to the largest remainders, the first of equals first.
///
/// # Errors
/// When all weights are zero, one is below it, or there are too many.
pub fn split(amount: i64, weights: &[i64]) -> Result<Vec<i64>, Error> {
    let whole: i128 = weights.iter().map(|it| i128::from(*it)).sum();
    if whole <= 0 || weights.iter().any(|it| *it < 0) || weights.len() > PARTS_MAX {
        return Err(Error::BadPart);
    }
    let size = i128::from(amount).abs();
    let exact: Vec<(i128, i128)> = weights
        .iter()
        .map(|it| (size * i128::from(*it) / whole, size * i128::from(*it) % whole))
        .collect();
    let mut left = size - exact.iter().map(|it| it.0).sum::<i128>();
    let mut order: Vec<usize> = (0..exact.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(exact.get(*at).map_or(0, |it| it.1)));
    let mut parts: Vec<i128> = exact.iter().map(|it| it.0).collect();
    for at in order {
        if left == 0 {
            break;
        }
        if let Some(part) = parts.get_mut(at) {
            *part += 1;
            left -= 1;
        }
    }
    let signed = |it: i128| i64::try_from(if amount < 0 { -it } else { it });
    parts.into_iter().map(|it| signed(it).map_err(|_| Error::TooLarge)).collect()
}

/// Takes `amount` of parts in proportion: below zero of those that are. It is 0 up to what they come
/// to, and what is taken adds up to it: what is left by rounding down goes to the largest remainders,
/// the first of equals first. So never more is taken of a part than there is of it.
///
/// # Errors
/// When it is more than there is, or there are too many parts.
pub fn take(amount: i64, parts: &[i64]) -> Result<Vec<i64>, Error> {
    let whole: i128 = parts.iter().map(|it| i128::from(*it)).sum();
    let size = i128::from(amount);
    if !(0..=whole).contains(&size) || parts.len() > PARTS_MAX {
        return Err(Error::BadPart);
    }
    if whole == 0 {
        return Ok(vec![0; parts.len()]);
    }
    let product = |it: &i64| size * i128::from(*it);
    let mut taken: Vec<i128> = parts.iter().map(|it| product(it).div_euclid(whole)).collect();
    let mut order: Vec<(i128, usize)> =
        parts.iter().map(|it| product(it).rem_euclid(whole)).zip(0..).collect();
    order.sort_by_key(|(rest, _)| std::cmp::Reverse(*rest));
    let mut left = size - taken.iter().sum::<i128>();
    for (_, at) in order {
        if let Some(it) = taken.get_mut(at).filter(|_| left > 0) {
            *it += 1;
            left -= 1;
        }
    }
    taken.into_iter().map(|it| i64::try_from(it).map_err(|_| Error::TooLarge)).collect()
}

/// The amount as people of this language write it: `1.234,50 €` for `de`, `€1,234.50` for `en`.
/// Languages are told by their first two letters; one that is not known is written as `en`.
pub fn format(amount: i64, currency: Currency, locale: &str) -> String {
    let (group, point, symbol_first) = match locale.get(..2).unwrap_or("en") {
        "de" | "es" | "it" | "pt" => (".", ",", false),
        "nl" => (".", ",", true),
        "fr" | "pl" => ("\u{202f}", ",", false),
        _ => (",", ".", true),
    };
    let digits = usize::try_from(currency.digits()).unwrap_or(2);
    let text = format!("{:0>width$}", amount.unsigned_abs(), width = digits + 1);
    let (whole, part) = text.split_at(text.len() - digits);
    let number = match digits {
        0 => grouped(whole, group),
        _ => format!("{}{point}{part}", grouped(whole, group)),
    };
    let known = iso_currency::Currency::from_code(currency.code());
    let symbol = known.map_or(currency.code().to_owned(), |it| it.symbol().to_string());
    let sign = if amount < 0 { "-" } else { "" };
    let spaced =
        symbol.chars().last().is_some_and(char::is_alphanumeric) || locale.starts_with("nl");
    match (symbol_first, spaced) {
        (true, false) => format!("{sign}{symbol}{number}"),
        (true, true) => format!("{sign}{symbol}\u{a0}{number}"),
        (false, _) => format!("{sign}{number}\u{a0}{symbol}"),
    }
}

fn grouped(whole: &str, by: &str) -> String {
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push_str(by);
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    #[test]
    fn only_money_of_the_list_is_a_currency() {
        assert_eq!(Currency::parse("EUR"), Ok(Currency::EUR));
        for bad in ["eur", "EURO", "E1R", "", "ÄU", "XXX", "XAU", "XTS", "ZZZ", "USN"] {
            assert_eq!(Currency::parse(bad), Err(Error::UnknownCurrency), "{bad}");
        }
        assert!(NO_MONEY.is_sorted());
    }

    #[test]
    fn minor_units_have_the_digits_of_iso_4217() {
        let digits = |it: &str| currency(it).digits();

        let of_all = ["EUR", "JPY", "KWD", "BHD", "KRW", "CLP", "CLF", "UYI", "UYW"].map(digits);

        assert_eq!(of_all, [2, 0, 3, 3, 0, 0, 4, 0, 4]);
    }

    #[test]
    fn an_amount_is_written_as_people_write_it() {
        assert_eq!(format(123_450, currency("EUR"), "de"), "1.234,50\u{a0}€");
        assert_eq!(format(123_450, currency("EUR"), "en-IE"), "€1,234.50");
        assert_eq!(format(-5, currency("USD"), "en"), "-$0.05");
        assert_eq!(format(1_234_567, currency("JPY"), "fr"), "1\u{202f}234\u{202f}567\u{a0}¥");
        assert_eq!(format(1_500, currency("KWD"), "xx"), "د.ك1.500".replace("د.ك", &symbol("KWD")));
    }

    fn symbol(code: &str) -> String {
        let symbol = iso_currency::Currency::from_code(code).unwrap().symbol().to_string();
        let spaced = symbol.chars().last().is_some_and(char::is_alphanumeric);
        if spaced { format!("{symbol}\u{a0}") } else { symbol }
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_whole(
            amount in -AMOUNT_MAX..AMOUNT_MAX,
            weights in prop::collection::vec(0i64..1_000_000, 1..20),
        ) {
            prop_assume!(weights.iter().any(|it| *it > 0));

            let parts = split(amount, &weights).unwrap();

            prop_assert_eq!(parts.iter().sum::<i64>(), amount);
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!(*weight > 0 || *part == 0);
            }
        }

        #[test]
        fn a_part_is_within_one_of_what_is_exact(
            amount in -AMOUNT_MAX..AMOUNT_MAX,
            weights in prop::collection::vec(0i64..1_000_000, 1..20),
        ) {
            let whole: i64 = weights.iter().sum();
            prop_assume!(whole > 0);

            let parts = split(amount, &weights).unwrap();

            for (part, weight) in parts.iter().zip(&weights) {
                let exact = i128::from(amount) * i128::from(*weight);
                let off = i128::from(*part) * i128::from(whole) - exact;
                prop_assert!(off.abs() < i128::from(whole));
            }
        }

        #[test]
        fn what_is_taken_step_by_step_is_all_in_the_end_and_never_more_of_a_part(
            parts in prop::collection::vec(-1_000_000i64..1_000_000, 1..8),
            steps in prop::collection::vec(0u32..=1_000, 0..8),
        ) {
            let mut left = parts.clone();
            let whole = |left: &[i64]| left.iter().sum::<i64>();
            prop_assume!(whole(&left) >= 0);

            for step in steps.into_iter().chain([1_000]) {
                let amount = whole(&left) * i64::from(step) / 1_000;
                let taken = take(amount, &left).unwrap();

                prop_assert_eq!(whole(&taken), amount);
                for (left, taken) in left.iter_mut().zip(taken) {
                    prop_assert!(taken.signum() * left.signum() >= 0 && taken.abs() <= left.abs());
                    *left -= taken;
                }
            }

            // Where all of it comes to nothing, nothing of it was to be taken.
            prop_assert!(left.iter().all(|it| *it == 0) || whole(&parts) == 0);
            prop_assert_eq!(take(whole(&left) + 1, &left), Err(Error::BadPart));
        }

        #[test]
        fn a_larger_part_is_never_less(
            amount in 0..AMOUNT_MAX, whole in 1i64..i64::MAX, one: u32, other: u32,
        ) {
            let part = |it: u32| {
                i64::try_from(i128::from(whole) * i128::from(it) / i128::from(u32::MAX)).unwrap()
            };
            let (less, more) = (part(one.min(other)), part(one.max(other)));

            let shares = [0, less, more, whole].map(|it| share(amount, it, whole).unwrap());

            prop_assert!(shares.is_sorted());
            prop_assert_eq!((shares[0], shares[3]), (0, amount));
        }

        #[test]
        fn no_digit_is_lost_in_writing(amount in -AMOUNT_MAX..AMOUNT_MAX, place in 0usize..6) {
            let written = format(
                amount, currency(["EUR", "JPY", "BHD", "USD", "CLF", "CHF"][place]),
                ["de", "en", "nl", "fr", "xx", "e"][place],
            );

            let digits: String = written.chars().filter(char::is_ascii_digit).collect();

            prop_assert_eq!(digits.parse::<u64>().unwrap(), amount.unsigned_abs());
            prop_assert_eq!(written.contains('-'), amount < 0);
        }

        #[test]
        fn a_share_and_the_rest_are_the_whole(
            amount in 0..AMOUNT_MAX, whole in 1i64..10_000_000_000, seed in 0u32..=1_000_000,
        ) {
            let part = i64::try_from(i128::from(whole) * i128::from(seed) / 1_000_000).unwrap();

            let one = share(amount, part, whole).unwrap();
            let other = share(amount, whole - part, whole).unwrap();

            // Half a unit can be rounded up on both sides.
            prop_assert!((0..=1).contains(&(one + other - amount)));
            prop_assert_eq!(share(-amount, part, whole).unwrap(), -one);
        }
    }
}
