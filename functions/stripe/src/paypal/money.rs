//! Amounts as PayPal writes them: decimals in text, with as many digits as it takes.
//! Source: developer.paypal.com/api/rest/reference/currency-codes.

/// Digits after the point: what we count in, by ISO 4217, and what PayPal takes. The two differ
/// for forints and Taiwan dollars, of which PayPal takes no fractions.
const CURRENCIES: [(&str, usize, usize); 24] = [
    ("AUD", 2, 2),
    ("BRL", 2, 2),
    ("CAD", 2, 2),
    ("CHF", 2, 2),
    ("CNY", 2, 2),
    ("CZK", 2, 2),
    ("DKK", 2, 2),
    ("EUR", 2, 2),
    ("GBP", 2, 2),
    ("HKD", 2, 2),
    ("HUF", 2, 0),
    ("ILS", 2, 2),
    ("JPY", 0, 0),
    ("MXN", 2, 2),
    ("MYR", 2, 2),
    ("NOK", 2, 2),
    ("NZD", 2, 2),
    ("PHP", 2, 2),
    ("PLN", 2, 2),
    ("SEK", 2, 2),
    ("SGD", 2, 2),
    ("THB", 2, 2),
    ("TWD", 2, 0),
    ("USD", 2, 2),
];

/// Most characters of an amount that is read.
const CHARS_MAX: usize = 32;

/// Why an amount cannot be written for PayPal, or read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// A currency that PayPal does not take.
    #[error("PayPal takes no {0}: charge in another currency")]
    Currency(String),
    /// A fraction of what PayPal takes whole.
    #[error(
        "PayPal takes {currency} without decimals: {amount} minor units are no whole {currency}"
    )]
    Fraction {
        /// ISO 4217.
        currency: String,
        /// Minor units.
        amount: i64,
    },
    /// Text that is no amount of this currency.
    #[error("{0:?} is no amount of this currency")]
    Text(String),
}

fn digits(currency: &str) -> Result<(usize, usize), Unfit> {
    let found = CURRENCIES.iter().find(|it| it.0 == currency);
    found.map(|it| (it.1, it.2)).ok_or_else(|| Unfit::Currency(currency.to_owned()))
}

/// An amount in minor units of ISO 4217 as PayPal takes it: `12.30` for 1230 EUR, `1000` for
/// 100000 HUF.
///
/// # Errors
/// When PayPal does not take the currency, or not this fraction of it.
pub fn written(amount: i64, currency: &str) -> Result<String, Unfit> {
    let (ours, theirs) = digits(currency)?;
    let sign = if amount < 0 { "-" } else { "" };
    let text = format!("{:0>width$}", amount.unsigned_abs(), width = ours + 1);
    let (whole, fraction) = text.split_at(text.len().saturating_sub(ours));
    let (kept, lost) = fraction.split_at(fraction.len().min(theirs));
    if lost.bytes().any(|it| it != b'0') {
        return Err(Unfit::Fraction { currency: currency.to_owned(), amount });
    }
    Ok(match kept.is_empty() {
        true => format!("{sign}{whole}"),
        false => format!("{sign}{whole}.{kept}"),
    })
}

/// The minor units of ISO 4217 in an amount that PayPal wrote: 1230 for `12.3` EUR, 100000 for
/// `1000` or `1000.00` HUF.
///
/// # Errors
/// When it is no decimal, or finer than the currency is.
pub fn read(text: &str, currency: &str) -> Result<i64, Unfit> {
    let (ours, _) = digits(currency)?;
    minor(text, ours).ok_or_else(|| Unfit::Text(text.chars().take(CHARS_MAX).collect()))
}

fn minor(text: &str, digits: usize) -> Option<i64> {
    if text.len() > CHARS_MAX {
        return None;
    }
    let (sign, plain) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let decimal = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    if whole.is_empty() || !decimal(whole) || !decimal(fraction) || plain.ends_with('.') {
        return None;
    }
    let (kept, lost) = fraction.split_at(fraction.len().min(digits));
    if lost.bytes().any(|it| it != b'0') {
        return None;
    }
    format!("{sign}{whole}{kept:0<digits$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_amount_is_written_as_paypal_takes_it() {
        let all = [
            (1230, "EUR", "12.30"),
            (5, "USD", "0.05"),
            (0, "USD", "0.00"),
            (-250, "GBP", "-2.50"),
            (1000, "JPY", "1000"),
            (100_000, "HUF", "1000"),
            (-300, "TWD", "-3"),
            (i64::MIN, "JPY", "-9223372036854775808"),
        ];
        for (amount, currency, text) in all {
            assert_eq!(written(amount, currency).as_deref(), Ok(text));
            assert_eq!(read(text, currency), Ok(amount));
        }
    }

    #[test]
    fn a_fraction_that_paypal_does_not_take_is_refused() {
        let refused = written(100_050, "HUF").unwrap_err();
        assert!(refused.to_string().contains("without decimals"), "{refused}");
        assert!(written(199, "TWD").is_err());
        assert_eq!(written(1, "KRW"), Err(Unfit::Currency("KRW".to_owned())));
        assert_eq!(written(1, "eur"), Err(Unfit::Currency("eur".to_owned())));
    }

    #[test]
    fn what_paypal_writes_is_read_to_the_digit() {
        assert_eq!(read("12.3", "EUR"), Ok(1230));
        assert_eq!(read("12", "EUR"), Ok(1200));
        assert_eq!(read("12.300", "EUR"), Ok(1230));
        assert_eq!(read("1000.00", "HUF"), Ok(100_000));
        assert_eq!(read("1000.00", "JPY"), Ok(1000));
        for bad in ["", "-", ".", "1.", ".5", "1e3", "+1", "1,0", "--1", "12.345", " 1", "1.2.3"] {
            assert!(read(bad, "EUR").is_err(), "{bad:?}");
        }
        assert!(read("1000.5", "JPY").is_err());
        assert!(read(&"9".repeat(25), "EUR").is_err());
        assert!(read(&"9".repeat(33), "EUR").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(amount: i64, at in 0..CURRENCIES.len()) {
            let currency = CURRENCIES[at].0;
            match written(amount, currency) {
                Ok(text) => prop_assert_eq!(read(&text, currency), Ok(amount)),
                Err(_) => prop_assert!(matches!(currency, "HUF" | "TWD") && amount % 100 != 0),
            }
        }

        #[test]
        fn no_text_makes_us_panic(text in "\\PC{0,40}", at in 0..CURRENCIES.len()) {
            let _ = read(&text, CURRENCIES[at].0);
        }
    }
}
