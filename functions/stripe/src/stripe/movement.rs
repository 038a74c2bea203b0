//! Stripe's balance transactions, and its balance.
//! Source: docs.stripe.com/api/balance_transactions/object, docs.stripe.com/reports/reporting-categories.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{amount::from_stripe, event::id_of, read::metadata};
use crate::movement::{Kind, Movement};

/// What a balance transaction says. Its `source` is expanded.
pub(super) fn movement(it: &Value) -> Option<Movement> {
    let text = |it: &Value, name: &str| it.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| it.get(name).and_then(Value::as_i64);
    let currency = text(it, "currency")?.to_ascii_uppercase();
    let category = text(it, "reporting_category").or(text(it, "type")).unwrap_or_default();
    let net = from_stripe(number("net")?, &currency);
    let fee = from_stripe(number("fee").unwrap_or(0), &currency);
    let amount = net.checked_add(fee)?;
    let source = it.get("source");
    let whole = source.filter(|it| it.is_object());
    let paid_currency = whole.and_then(|it| text(it, "currency"));
    let paid_currency =
        paid_currency.map_or_else(|| currency.clone(), |it| it.to_ascii_uppercase());
    // What is settled in another currency says what was paid; only that can be compared.
    let paid = match whole.and_then(|it| it.get("amount")).and_then(Value::as_i64) {
        Some(it) if paid_currency != currency => {
            from_stripe(it, &paid_currency).checked_abs()?.checked_mul(amount.signum())?
        }
        _ => amount,
    };
    Some(Movement {
        id: text(it, "id")?,
        kind: kind(&category),
        created: number("created")?,
        available_on: number("available_on"),
        reference: whole.and_then(|it| it.get("payment_intent")).and_then(id_of),
        payment: whole.and_then(|it| metadata(it, "payment")).filter(|it| !it.is_empty()),
        source: source.and_then(id_of),
        category,
        currency,
        amount,
        fee,
        net,
        paid_currency,
        paid,
    })
}

fn kind(category: &str) -> Kind {
    match category {
        "charge" | "charge_failure" | "payment" | "payment_failure_refund" => Kind::Charges,
        "refund" | "refund_failure" | "partial_capture_reversal" | "payment_refund" => {
            Kind::Refunds
        }
        "dispute" | "dispute_reversal" => Kind::Disputes,
        "fee" | "network_cost" | "tax" | "stripe_fee" | "tax_fee" => Kind::Fees,
        "payout" | "payout_reversal" | "topup" | "topup_reversal" | "payout_failure" => {
            Kind::Payouts
        }
        _ => Kind::Other,
    }
}

/// What an account has by currency, whether it can be paid out or not yet.
pub(super) fn holdings(balance: &Value) -> BTreeMap<String, i64> {
    let parts = ["available", "pending"];
    let all = parts.iter().filter_map(|it| balance.get(it)?.as_array()).flatten();
    let mut sums = BTreeMap::new();
    for it in all {
        let currency = it.get("currency").and_then(Value::as_str).map(str::to_ascii_uppercase);
        let amount = it.get("amount").and_then(Value::as_i64);
        if let (Some(currency), Some(amount)) = (currency, amount) {
            let sum: &mut i64 = sums.entry(currency.clone()).or_default();
            *sum = sum.saturating_add(from_stripe(amount, &currency));
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_charge_is_read_with_our_payment() {
        let it = json!({"id": "txn_1", "object": "balance_transaction", "type": "charge",
            "reporting_category": "charge", "amount": 1190, "fee": 47, "net": 1143,
            "currency": "eur", "created": 7, "available_on": 9,
            "source": {"id": "ch_1", "object": "charge", "amount": 1190, "currency": "eur",
                "payment_intent": "pi_1", "metadata": {"payment": "pay_1"}}});

        let read = movement(&it).unwrap();

        assert_eq!((read.kind, read.amount, read.fee, read.net), (Kind::Charges, 1190, 47, 1143));
        assert_eq!((read.paid, read.paid_currency.as_str()), (1190, "EUR"));
        assert_eq!(
            (read.payment.as_deref(), read.reference.as_deref()),
            (Some("pay_1"), Some("pi_1"))
        );
    }

    #[test]
    fn what_is_settled_in_another_currency_says_what_was_paid() {
        let it = json!({"id": "txn_1", "type": "refund", "amount": -920, "fee": 0, "net": -920,
            "currency": "eur", "created": 7,
            "source": {"id": "re_1", "amount": 1000, "currency": "usd", "payment_intent": "pi_1"}});

        let read = movement(&it).unwrap();

        assert_eq!((read.amount, read.currency.as_str()), (-920, "EUR"));
        assert_eq!((read.paid, read.paid_currency.as_str()), (-1000, "USD"));
    }

    #[test]
    fn a_payout_and_a_fee_have_no_payment() {
        let of = |category: &str, net: i64| {
            json!({"id": "txn_1", "reporting_category": category, "net": net, "currency": "eur",
                "created": 7, "source": "po_1"})
        };

        let payout = movement(&of("payout", -500)).unwrap();
        let fee = movement(&of("fee", -20)).unwrap();

        assert_eq!((payout.kind, payout.source.as_deref()), (Kind::Payouts, Some("po_1")));
        assert_eq!((fee.kind, fee.payment), (Kind::Fees, None));
        assert_eq!(movement(&of("risk_reserved_funds", -1)).unwrap().kind, Kind::Other);
        assert_eq!(movement(&json!({"id": "txn_1"})), None);
    }

    #[test]
    fn a_balance_is_what_is_available_and_what_is_pending() {
        let balance = json!({
            "available": [{"amount": 100, "currency": "eur"}, {"amount": 500, "currency": "isk"}],
            "pending": [{"amount": -30, "currency": "eur"}],
            "instant_available": [{"amount": 90, "currency": "eur"}],
        });

        let found = holdings(&balance);

        assert_eq!((found["EUR"], found["ISK"]), (70, 5));
    }
}
