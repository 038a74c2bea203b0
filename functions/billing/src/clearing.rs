//! Clearing: what a provider has, beside what the ledger was told, and what that differs by.
//!
//! What a provider says of a payment is booked at once, from `receivable` to `cash`: that is what
//! we were told. What its statement says is booked as well, from `suspense` to `clearing` of that
//! account: that is what was found. What is in both is set against each other; what is left in
//! `cash` or `suspense` is a difference, and has a claim here that says whose it is.

pub mod booking;
pub mod compare;
pub mod report;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::domain::Timestamp;
use utoipa::ToSchema;

/// How long what was found waits to be told, and what was told to be found: events come late, and
/// what never came is looked for each hour.
pub const GRACE: Duration = Duration::from_secs(2 * 3_600);

/// What is found and told of one thing. Amounts that leave are below zero.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Claim {
    /// The account at the provider.
    pub account: String,
    /// Our payment; what the provider calls one that we do not know; or a currency.
    pub key: String,
    /// What of it.
    pub kind: Kind,
    /// The currency of all amounts.
    pub currency: String,
    /// What the provider has.
    pub found: i64,
    /// What the ledger was told.
    pub told: i64,
    /// How much of that is set against each other.
    pub cleared: i64,
    /// What was told as the provider's fee.
    pub fee_told: i64,
    /// How much of that is set against the fee of the statement.
    pub fee_cleared: i64,
    /// How many movements were found.
    pub movements: i64,
    /// When the last of all this came.
    pub since: Timestamp,
    /// What is wrong, as it was told last, and by how much.
    pub drift: Option<(Drift, i64)>,
}

/// What a claim is of.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LedgerClaimKind)]
pub enum Kind {
    /// What a customer paid.
    #[default]
    Charge,
    /// What went back to it.
    Refund,
    /// What its bank took.
    Dispute,
    /// All of a payment that is none of ours.
    Unknown,
    /// All that the account has.
    Balance,
}

/// How a claim differs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LedgerDriftKind)]
pub enum Drift {
    /// The provider has a payment that is none of ours.
    Unknown,
    /// The provider has it, and the ledger was never told.
    MissingHere,
    /// The ledger was told, and the provider has not got it.
    MissingThere,
    /// Both have it, with other amounts.
    Amount,
    /// The provider's balance is not what the ledger says.
    Balance,
}

impl Claim {
    /// How it differs, however young it is.
    pub fn differs(&self) -> Option<Drift> {
        match (self.kind, self.found, self.told) {
            (_, found, told) if found == told => None,
            (Kind::Balance, ..) => Some(Drift::Balance),
            (Kind::Unknown, ..) => Some(Drift::Unknown),
            (_, _, 0) => Some(Drift::MissingHere),
            (_, 0, _) => Some(Drift::MissingThere),
            _ => Some(Drift::Amount),
        }
    }

    /// What is wrong with it by a statement of `stated_at`, and by how much. What is young keeps
    /// what was said of it.
    pub fn judged(&self, stated_at: Timestamp) -> Option<(Drift, i64)> {
        let differs = self.differs()?;
        let waits = self.kind != Kind::Balance && self.since + GRACE > stated_at;
        match waits {
            true => self.drift,
            false => Some((differs, self.found.saturating_sub(self.told))),
        }
    }

    /// How much is to be set against each other beyond what is: amount and fee. As long as the
    /// provider has anything of it, all that was told is.
    pub fn to_clear(&self) -> (i64, i64) {
        let (told, fee) = match (self.kind, self.found) {
            (Kind::Balance | Kind::Unknown, _) | (_, 0) => (0, 0),
            _ => (self.told, self.fee_told),
        };
        (told.saturating_sub(self.cleared), fee.saturating_sub(self.fee_cleared))
    }

    /// What is left in the ledger's `suspense` by it: found, and not told.
    pub fn difference(&self) -> i64 {
        self.found.saturating_sub(self.told)
    }
}

impl Kind {
    /// The word that is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
            Self::Unknown => "unknown",
            Self::Balance => "balance",
        }
    }

    /// Reads a word that was kept.
    pub fn of(word: &str) -> Self {
        let all = [Self::Refund, Self::Dispute, Self::Unknown, Self::Balance];
        all.into_iter().find(|it| it.word() == word).unwrap_or(Self::Charge)
    }
}

impl Drift {
    /// The word that is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::MissingHere => "missing_here",
            Self::MissingThere => "missing_there",
            Self::Amount => "amount",
            Self::Balance => "balance",
        }
    }

    /// Reads a word that was kept.
    pub fn of(word: &str) -> Option<Self> {
        let all =
            [Self::Unknown, Self::MissingHere, Self::MissingThere, Self::Amount, Self::Balance];
        all.into_iter().find(|it| it.word() == word)
    }

    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Unknown => {
                "the provider has a payment that was not asked for here: find out who made it, and \
                 refund it there or leave it; it stands in suspense"
            }
            Self::MissingHere => {
                "the provider has it and the ledger was never told: reconcile the payment account, \
                 and look at its events and at dead jobs"
            }
            Self::MissingThere => {
                "the ledger was told and the provider has not got it: look the payment up there by \
                 its reference; if it is not there, credit the invoice and collect it again"
            }
            Self::Amount => {
                "the amounts differ: compare the payment at the provider with its invoice, and \
                 refund or credit what is too much"
            }
            Self::Balance => {
                "the provider's balance is not the ledger's: make a statement again; if it stays, \
                 compare the sums of each day with the provider's report of its balance"
            }
        }
    }
}

#[cfg(test)]
mod judging {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn claim(kind: Kind, found: i64, told: i64) -> Claim {
        Claim { kind, found, told, ..Claim::default() }
    }

    #[test]
    fn what_is_alike_differs_by_nothing() {
        assert_eq!(claim(Kind::Charge, 1_190, 1_190).differs(), None);
        assert_eq!(claim(Kind::Unknown, 0, 0).differs(), None);
    }

    #[test]
    fn each_difference_has_its_word() {
        let of = |kind, found, told| claim(kind, found, told).differs().unwrap();

        assert_eq!(of(Kind::Unknown, 500, 0), Drift::Unknown);
        assert_eq!(of(Kind::Charge, 500, 0), Drift::MissingHere);
        assert_eq!(of(Kind::Refund, 0, -500), Drift::MissingThere);
        assert_eq!(of(Kind::Dispute, -400, -500), Drift::Amount);
        assert_eq!(of(Kind::Balance, 0, 1), Drift::Balance);
        for it in [Drift::Unknown, Drift::MissingHere, Drift::MissingThere, Drift::Amount] {
            assert_eq!(Drift::of(it.word()), Some(it));
        }
    }

    #[test]
    fn what_is_young_waits() {
        let young = Claim { since: Timestamp(HOUR), ..claim(Kind::Charge, 0, 100) };

        assert_eq!(young.judged(Timestamp(3 * HOUR - 1)), None);
        assert_eq!(young.judged(Timestamp(3 * HOUR)), Some((Drift::MissingThere, -100)));
        let balance = Claim { kind: Kind::Balance, ..young };
        assert!(balance.judged(Timestamp(HOUR)).is_some(), "a balance is told as it was then");
    }

    #[test]
    fn what_changes_while_it_differs_keeps_its_word_until_it_is_old() {
        let told = Some((Drift::MissingThere, -100));
        let it = Claim { since: Timestamp(HOUR), drift: told, ..claim(Kind::Charge, 90, 100) };

        assert_eq!(it.judged(Timestamp(2 * HOUR)), told);
        assert_eq!(it.judged(Timestamp(3 * HOUR)), Some((Drift::Amount, -10)));
        assert_eq!(Claim { found: 100, ..it }.judged(Timestamp(2 * HOUR)), None, "settled at once");
    }

    #[test]
    fn what_was_told_is_cleared_once_it_is_found_and_not_before() {
        let it = Claim { fee_told: 3, ..claim(Kind::Charge, 0, 100) };
        assert_eq!(it.to_clear(), (0, 0));

        let found = Claim { found: 100, ..it };
        assert_eq!(found.to_clear(), (100, 3));
        let cleared = Claim { cleared: 100, fee_cleared: 3, ..found };
        assert_eq!(cleared.to_clear(), (0, 0));
        assert_eq!(Claim { found: 0, ..cleared }.to_clear(), (-100, -3), "it fell through");
        assert_eq!(claim(Kind::Unknown, 100, 0).to_clear(), (0, 0));
    }
}
