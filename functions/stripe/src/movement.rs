//! Movements: what moved at the provider for an account, one by one and in sums. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::domain::Timestamp;
use utoipa::ToSchema;

/// How many sums a statement has: of each day, currency and kind. The rest is in none.
pub const SUMS_MAX: usize = 500;

/// What moved the money.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MovementKind)]
pub enum Kind {
    /// Customers paid, or what they had paid fell through.
    Charges,
    /// It went back to customers.
    Refunds,
    /// A bank took it, or gave it back.
    Disputes,
    /// The provider kept it.
    Fees,
    /// It went to the bank, or came from there.
    Payouts,
    /// Anything else.
    Other,
}

/// One movement. Amounts are minor units of ISO 4217; what leaves is below zero.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Movement {
    /// The provider's id of it.
    pub id: String,
    /// What it is to us.
    pub kind: Kind,
    /// The provider's word for that.
    pub category: String,
    /// The currency that the account is settled in.
    pub currency: String,
    /// Before the fee: the net and the fee together.
    pub amount: i64,
    /// What the provider kept of it.
    pub fee: i64,
    /// What the balance changed by.
    pub net: i64,
    /// When, in seconds since 1970, by the provider's clock.
    pub created: i64,
    /// From when on it can be paid out, in seconds since 1970.
    pub available_on: Option<i64>,
    /// The provider's id of what moved it: a charge, a refund, a dispute, a payout.
    pub source: Option<String>,
    /// The provider's id of the payment.
    pub reference: Option<String>,
    /// Our id of the payment, if it is one of ours.
    pub payment: Option<String>,
    /// The currency that the customer paid in.
    pub paid_currency: String,
    /// The amount in that.
    pub paid: i64,
}

/// What the movements of a day, a currency and a kind come to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = MovementSum)]
pub struct Sum {
    /// The day in UTC by the provider's clock, as `2030-01-31`.
    pub day: String,
    /// ISO 4217.
    pub currency: String,
    /// What moved it.
    pub kind: Kind,
    /// How many there are.
    pub count: u64,
    /// Before fees, in minor units.
    pub amount: i64,
    /// Fees.
    pub fee: i64,
    /// What the balance changed by.
    pub net: i64,
}

/// Adds a movement to the sums.
pub fn add(sums: &mut Vec<Sum>, it: &Movement) {
    let day = Timestamp(it.created.saturating_mul(1000)).to_string();
    let day = day.get(..10).unwrap_or_default();
    let same =
        |sum: &&mut Sum| sum.day == day && sum.currency == it.currency && sum.kind == it.kind;
    if let Some(sum) = sums.iter_mut().find(same) {
        sum.count += 1;
        sum.amount = sum.amount.saturating_add(it.amount);
        sum.fee = sum.fee.saturating_add(it.fee);
        sum.net = sum.net.saturating_add(it.net);
    } else if sums.len() < SUMS_MAX {
        sums.push(Sum {
            day: day.to_owned(),
            currency: it.currency.clone(),
            kind: it.kind,
            count: 1,
            amount: it.amount,
            fee: it.fee,
            net: it.net,
        });
    }
}

/// What the account had before these movements.
pub fn before<'a>(
    mut had: BTreeMap<String, i64>,
    movements: impl IntoIterator<Item = &'a Movement>,
) -> BTreeMap<String, i64> {
    for it in movements {
        let sum = had.entry(it.currency.clone()).or_default();
        *sum = sum.saturating_sub(it.net);
    }
    had
}

#[cfg(test)]
mod tests {
    use super::*;

    fn movement(kind: Kind, created: i64, amount: i64, fee: i64) -> Movement {
        Movement {
            id: format!("txn_{created}"),
            kind,
            category: "charge".to_owned(),
            currency: "EUR".to_owned(),
            amount,
            fee,
            net: amount - fee,
            created,
            available_on: None,
            source: None,
            reference: None,
            payment: None,
            paid_currency: "EUR".to_owned(),
            paid: amount,
        }
    }

    #[test]
    fn movements_add_up_by_day_and_kind() {
        let mut sums = Vec::new();
        let midnight = 86_400;

        for it in [
            movement(Kind::Charges, midnight - 1, 100, 3),
            movement(Kind::Charges, midnight, 200, 5),
            movement(Kind::Charges, midnight + 1, 300, 7),
            movement(Kind::Payouts, midnight + 2, -400, 0),
        ] {
            add(&mut sums, &it);
        }

        let told: Vec<_> = sums.iter().map(|it| (it.day.as_str(), it.count, it.net)).collect();
        assert_eq!(told, [("1970-01-01", 1, 97), ("1970-01-02", 2, 488), ("1970-01-02", 1, -400)]);
    }

    #[test]
    fn sums_have_a_number() {
        let mut sums = Vec::new();
        let days = i64::try_from(SUMS_MAX).unwrap() + 10;

        for day in 0..days {
            add(&mut sums, &movement(Kind::Charges, day * 86_400, 1, 0));
        }

        assert_eq!(sums.len(), SUMS_MAX);
    }

    #[test]
    fn what_came_later_is_taken_off_a_balance() {
        let had = BTreeMap::from([("EUR".to_owned(), 500)]);

        let before = before(had, &[movement(Kind::Charges, 1, 100, 3)]);

        assert_eq!(before["EUR"], 403);
    }
}
