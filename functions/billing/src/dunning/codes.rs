//! What a payment provider's decline code means for the next try.
//!
//! Sources: docs.stripe.com/declines/codes (Stripe's `decline_code`), and of PayPal's Orders and
//! Payments API the list of `processor_response.response_code` and the issues of a call that is
//! not taken. `METHOD_GONE` is our word for a method that PayPal's vault has no more.

use super::Decline::{self, Hard, NeedsCustomer, Soft};

/// Whose codes they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Provider {
    /// `decline_code`, or `code` where there is none.
    Stripe,
    /// `processor_response.response_code`, or the issue where there is none.
    PayPal,
}

/// What `code` means. A code that is on no list is soft: issuers add codes, and one more try by
/// the schedule costs less than a customer who is lost.
pub fn classify(provider: Provider, code: &str) -> Decline {
    let table = match provider {
        Provider::Stripe => STRIPE,
        Provider::PayPal => PAYPAL,
    };
    let row = table.iter().find(|(_, codes)| codes.contains(&code));
    row.map_or(Soft, |(decline, _)| *decline)
}

const STRIPE: &[(Decline, &[&str])] = &[
    (
        Hard,
        &[
            "do_not_try_again",
            "fraudulent",
            "invalid_account",
            "lost_card",
            "merchant_blacklist",
            "new_account_information_available",
            "no_action_taken",
            "not_permitted",
            "pickup_card",
            "restricted_card",
            "revocation_of_all_authorizations",
            "revocation_of_authorization",
            "security_violation",
            "service_not_allowed",
            "stolen_card",
            "stop_payment_order",
            "testmode_decline",
            "transaction_not_allowed",
        ],
    ),
    (
        NeedsCustomer,
        &[
            "authentication_not_handled",
            "authentication_required",
            "call_issuer",
            "card_not_supported",
            "currency_not_supported",
            "expired_card",
            "incorrect_address",
            "incorrect_cvc",
            "incorrect_number",
            "incorrect_pin",
            "incorrect_zip",
            "invalid_cvc",
            "invalid_expiry_month",
            "invalid_expiry_year",
            "invalid_number",
            "invalid_pin",
            "mobile_device_authentication_required",
            "offline_pin_required",
            "online_or_offline_pin_required",
            "pin_try_exceeded",
        ],
    ),
    (
        Soft,
        &[
            "approve_with_id",
            "card_velocity_exceeded",
            "do_not_honor",
            "duplicate_transaction",
            "generic_decline",
            "insufficient_funds",
            "invalid_amount",
            "issuer_not_available",
            "processing_error",
            "reenter_transaction",
            "try_again_later",
            "withdrawal_count_limit_exceeded",
        ],
    ),
];

const PAYPAL: &[(Decline, &[&str])] = &[
    (
        Hard,
        &[
            "0580", // unauthorized transaction
            "0800", // bad response, reversal required
            "1330", // invalid account
            "1335", // invalid account, recurring
            "5140", // card closed
            "5150", // pick up card; do not retry
            "5160", // unauthorized user
            "5180", // invalid or restricted card; do not retry
            "5700", // transaction not permitted
            "5910", // issuer not available, not retriable
            "5950", // an updated card has been issued
            "6300", // account not on file
            "9500", // suspected fraud; do not retry
            "9510", // security violation
            "9520", // lost or stolen; do not retry
            "9530", // hold, call the centre
            "9540", // refused card
            "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
            "PAYER_ACCOUNT_RESTRICTED",
            "PAYER_CANNOT_PAY",
        ],
    ),
    (
        NeedsCustomer,
        &[
            "00N7", // CVV2 failure, possible retry with CVV
            "0100", // referral to the issuer
            "1380", // invalid expiration
            "1382", // invalid card verification value
            "5110", // CVV2 failure
            "5130", // invalid PIN
            "5135", // PIN tries exceeded
            "5170", // address does not match
            "5190", // address does not match, soft
            "5400", // expired card
            "5500", // re-enter the PIN
            "5650", // strong authentication required
            "5930", // card not activated
            "7700", // 3-D Secure error
            "7710", // authentication failed
            "7900", // PIN error
            "AGREEMENT_ALREADY_CANCELLED",
            "CARD_CLOSED",
            "CARD_EXPIRED",
            "METHOD_GONE",
            "PAYER_ACTION_REQUIRED",
            "PAYMENT_SOURCE_CANNOT_BE_USED",
            "PPCT", // card type unsupported
            "PPCU", // currency unsupported
            "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING",
            "VAULT_INSTRUCTION_REQUIRED",
        ],
    ),
    (
        Soft,
        &[
            "0500", // do not honour
            "0880", // cryptographic failure
            "0890", // unacceptable PIN
            "1000", // partial authorisation
            "5100", // generic decline
            "5120", // insufficient funds
            "5200", // duplicate transaction
            "5710", // attempts exceed a limit
            "5900", // invalid issue
            "5920", // issuer not available, retriable
            "8000", // processor system error
            "8100", // communication error
            "8110", // communication error, retriable
            "8220", // system unavailable
            "9100", // declined, please retry
            "9600", // unrecognised response code
            "CREDIT_CARD_REFUSED",
            "INSTRUMENT_DECLINED",
            "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED",
            "PAYMENT_DENIED",
            "PAYMENT_SOURCE_DECLINED_BY_PROCESSOR",
            "PPNT", // network error
            "TRANSACTION_REFUSED",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_code_is_on_two_lists() {
        for table in [STRIPE, PAYPAL] {
            let all: Vec<_> = table.iter().flat_map(|(_, codes)| codes.iter()).collect();
            let once: BTreeSet<_> = all.iter().collect();
            assert_eq!(all.len(), once.len());
        }
    }

    #[test]
    fn the_two_providers_agree_on_what_is_alike() {
        for (stripe, paypal, meaning) in [
            ("insufficient_funds", "5120", Soft),
            ("do_not_honor", "0500", Soft),
            ("stolen_card", "9520", Hard),
            ("expired_card", "5400", NeedsCustomer),
            ("expired_card", "CARD_EXPIRED", NeedsCustomer),
            ("authentication_required", "PAYER_ACTION_REQUIRED", NeedsCustomer),
            ("generic_decline", "INSTRUMENT_DECLINED", Soft),
            ("authentication_required", "5650", NeedsCustomer),
            ("a_code_of_tomorrow", "9999", Soft),
        ] {
            assert_eq!(classify(Provider::Stripe, stripe), meaning, "{stripe}");
            assert_eq!(classify(Provider::PayPal, paypal), meaning, "{paypal}");
        }
    }
}
