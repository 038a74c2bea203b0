//! Numbers, amounts and dates as a language writes them.

use chrono::{Datelike as _, NaiveDate};

use super::words::{Counted, Words};
use crate::{
    invoice::{PRICE_UNITS, QUANTITY_UNITS},
    money::Currency,
    tax::Rate,
};

/// Digits behind the point of a quantity (thousandths).
const QUANTITY_DIGITS: u32 = QUANTITY_UNITS.ilog10();
/// Digits of a price behind those of its currency (ten-thousandths of a minor unit).
const PRICE_DIGITS: u32 = PRICE_UNITS.ilog10();
/// Digits behind the point of a rate (hundredths of a percent).
const RATE_DIGITS: u32 = 2;
const NO_BREAK: char = '\u{a0}';

impl Words {
    /// Minor units, with the currency.
    pub fn amount(&self, minor: i64, currency: Currency) -> String {
        self.with_currency(self.decimal(minor, currency.digits(), currency.digits()), currency)
    }

    /// The price of one unit, with as many digits as it has, and those of its currency at least.
    pub fn price(&self, price: i64, currency: Currency) -> String {
        let digits = currency.digits();
        self.with_currency(self.decimal(price, digits + PRICE_DIGITS, digits), currency)
    }

    /// Thousandths of a unit, and the unit where it has a word.
    pub fn quantity(&self, quantity: i64, unit: &str) -> String {
        let number = self.decimal(quantity, QUANTITY_DIGITS, 0);
        let counted = |(one, more): Counted| if number == "1" { one } else { more };
        // UN/ECE Recommendation 20. C62 is "one", which is told by the number.
        let unit = match unit {
            "C62" => return number,
            "HUR" => counted(self.hour),
            "DAY" => counted(self.day),
            "MON" => counted(self.month),
            "ANN" => counted(self.year),
            other => other,
        };
        format!("{number}{NO_BREAK}{unit}")
    }

    /// A rate of tax.
    pub fn rate(&self, rate: Rate) -> String {
        let number = self.decimal(i64::from(rate.hundredths()), RATE_DIGITS, 0);
        format!("{number}{}", self.percent)
    }

    /// A day.
    pub fn day(&self, date: NaiveDate) -> String {
        let pattern = if date.day() == 1 { self.first } else { self.date };
        let month = self.months.get(date.month0() as usize).copied().unwrap_or_default();
        let (day, year) = (date.day().to_string(), date.year().to_string());
        fill(pattern, &[("{d}", &day), ("{m}", month), ("{y}", &year)])
    }

    /// The first and the last day of a period.
    pub fn days(&self, (from, to): (NaiveDate, NaiveDate)) -> String {
        format!("{} – {}", self.day(from), self.day(to))
    }

    /// `value` with its last `digits` behind the point; zeros at its end are left out, but
    /// `at_least` digits stay.
    fn decimal(&self, value: i64, digits: u32, at_least: u32) -> String {
        let one = 10u64.saturating_pow(digits);
        let (whole, part) = (value.unsigned_abs() / one, value.unsigned_abs() % one);
        let mut parts = if digits == 0 {
            String::new()
        } else {
            format!("{part:0width$}", width = digits as usize)
        };
        while parts.len() > at_least as usize && parts.ends_with('0') {
            parts.pop();
        }
        let sign = if value < 0 { "-" } else { "" };
        let whole = self.grouped(&whole.to_string());
        let point = if parts.is_empty() { String::new() } else { self.point.to_string() };
        format!("{sign}{whole}{point}{parts}")
    }

    fn grouped(&self, digits: &str) -> String {
        if digits.len() < self.group_from {
            return digits.to_owned();
        }
        let mut grouped = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(self.group);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// The euro and the pound have a sign that is nobody else's; all others are told by their code.
    fn with_currency(&self, number: String, currency: Currency) -> String {
        let (name, is_sign) = match currency.code() {
            "EUR" => ("€", true),
            "GBP" => ("£", true),
            code => (code, false),
        };
        match (self.currency_first, number.strip_prefix('-')) {
            (false, _) => format!("{number}{NO_BREAK}{name}"),
            (true, Some(number)) if is_sign && self.currency_close => format!("-{name}{number}"),
            (true, None) if is_sign && self.currency_close => format!("{name}{number}"),
            (true, _) => format!("{name}{NO_BREAK}{number}"),
        }
    }
}

/// Replaces each name in the pattern by its value.
pub fn fill(pattern: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some((before, name, value)) = next(rest, values) {
        text.push_str(before);
        text.push_str(value);
        rest = rest.get(before.len() + name.len()..).unwrap_or_default();
    }
    text + rest
}

/// The first of the names in `text`: what is before it, its name, its value.
fn next<'a>(text: &'a str, values: &[(&'a str, &'a str)]) -> Option<(&'a str, &'a str, &'a str)> {
    let found = values.iter().filter_map(|(name, value)| {
        text.split_once(name).map(|(before, _)| (before, *name, *value))
    });
    found.min_by_key(|(before, ..)| before.len())
}

#[cfg(test)]
mod tests {
    use super::{super::words, *};

    fn all(write: impl Fn(&Words) -> String) -> Vec<String> {
        words::ALL.iter().map(write).collect()
    }

    #[test]
    fn amounts_are_written_as_each_language_does() {
        let yen = Currency::parse("JPY").unwrap();

        assert_eq!(
            all(|it| it.amount(123_456, Currency::EUR)),
            [
                "€1,234.56",
                "1.234,56\u{a0}€",
                "1\u{202f}234,56\u{a0}€",
                "1234,56\u{a0}€",
                "1.234,56\u{a0}€",
                "€\u{a0}1.234,56"
            ]
        );
        assert_eq!(words::of("en").amount(-5, Currency::EUR), "-€0.05");
        assert_eq!(words::of("en").amount(-1_234_567, yen), "JPY\u{a0}-1,234,567");
        assert_eq!(words::of("es").amount(1_234_567, Currency::EUR), "12.345,67\u{a0}€");
        assert_eq!(words::of("de").amount(i64::MIN, yen), "-9.223.372.036.854.775.808\u{a0}JPY");
    }

    #[test]
    fn a_price_keeps_its_digits_and_those_of_its_currency() {
        let de = words::of("de-AT");

        assert_eq!(de.price(19_990_000, Currency::EUR), "19,99\u{a0}€");
        assert_eq!(de.price(12_500, Currency::EUR), "0,0125\u{a0}€");
        assert_eq!(de.price(5_000_000, Currency::EUR), "5,00\u{a0}€");
    }

    #[test]
    fn quantities_have_their_unit_in_words() {
        let quantities = ["C62", "HUR", "MON", "KGM"].map(|it| words::of("fr").quantity(1_500, it));
        assert_eq!(quantities, ["1,5", "1,5\u{a0}heures", "1,5\u{a0}mois", "1,5\u{a0}KGM"]);
        assert_eq!(words::of("en").quantity(1_000, "HUR"), "1\u{a0}hour");
    }

    #[test]
    fn days_and_rates_are_written_as_each_language_does() {
        let first = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        let expected = [
            "1 March 2026",
            "1. März 2026",
            "1er mars 2026",
            "1 de marzo de 2026",
            "1º marzo 2026",
            "1 maart 2026",
        ];
        assert_eq!(all(|it| it.day(first)), expected);
        assert_eq!(words::of("es").rate(Rate::new(1_050).unwrap()), "10,5\u{a0}%");
    }

    #[test]
    fn what_is_filled_in_is_not_filled_in_again() {
        assert_eq!(fill("{a} and {b}", &[("{a}", "{b}"), ("{b}", "{a}")]), "{b} and {a}");
    }
}
