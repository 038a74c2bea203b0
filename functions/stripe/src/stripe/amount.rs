//! Amounts as Stripe counts them. It counts in the minor units of ISO 4217, as we do, but for three
//! currencies. Source: docs.stripe.com/currencies, "Special cases" and "Zero-decimal currencies".

use crate::provider::CallError;

/// What Stripe counts a hundred of where ISO 4217 has one: krónur and shillings without cents.
const FINER: [&str; 2] = ["ISK", "UGX"];
/// What Stripe counts one of where ISO 4217 has a hundred: ariary are never split.
const COARSER: [&str; 1] = ["MGA"];

/// An amount of ours, in minor units of ISO 4217, as Stripe counts it. `currency` is in capitals.
///
/// # Errors
/// When Stripe cannot collect this amount.
pub(super) fn to_stripe(amount: i64, currency: &str) -> Result<i64, CallError> {
    let no_amount = |why: &str| CallError::Refused(format!("{amount} of {currency}: {why}"));
    if FINER.contains(&currency) {
        return amount.checked_mul(100).ok_or_else(|| no_amount("too much"));
    }
    match COARSER.contains(&currency) {
        true if amount % 100 != 0 => {
            Err(no_amount("whole units only, so write a price in hundreds"))
        }
        true => Ok(amount / 100),
        false => Ok(amount),
    }
}

/// An amount of Stripe's in minor units of ISO 4217. `currency` is in capitals.
pub(super) fn from_stripe(amount: i64, currency: &str) -> i64 {
    match currency {
        it if FINER.contains(&it) => amount / 100,
        it if COARSER.contains(&it) => amount.saturating_mul(100),
        _ => amount,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_are_counted_alike() {
        for currency in ["EUR", "JPY", "KWD", "HUF"] {
            assert_eq!(to_stripe(1230, currency), Ok(1230));
            assert_eq!(from_stripe(1230, currency), 1230);
        }
    }

    #[test]
    fn five_kronur_are_five_hundred_and_back() {
        for currency in FINER {
            assert_eq!(to_stripe(5, currency), Ok(500));
            assert_eq!(from_stripe(500, currency), 5);
        }
        assert!(to_stripe(i64::MAX, "ISK").is_err());
    }

    #[test]
    fn ariary_are_whole() {
        assert_eq!(to_stripe(500, "MGA"), Ok(5));
        assert_eq!(from_stripe(5, "MGA"), 500);
        assert!(matches!(to_stripe(550, "MGA"), Err(CallError::Refused(_))));
    }
}
