//! Double entry: every event of money is a posting whose entries add up to zero in each currency.
//!
//! A debit is above zero, a credit below. Amounts are minor units of the entry's currency.

mod events;
mod statement;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use events::{Event, Sale};
pub use statement::{Moved, Other, matched, opened};

use crate::money::Currency;

/// The most entries of one posting.
pub const ENTRIES_MAX: usize = 64;

/// Where value is, or whose it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Account {
    /// Asset: owed by customers.
    Receivable,
    /// Asset: what we were told came, and is on no statement of the provider yet; or came by
    /// another way.
    Cash,
    /// Asset: at the payment provider by its statements; one for each account there.
    Clearing,
    /// Asset: paid out by the provider.
    Bank,
    /// Liability: found at the provider, and not told yet.
    Suspense,
    /// Asset: changed by the provider from one currency into another.
    Exchange,
    /// Asset: taken by the provider while a dispute is open.
    Disputed,
    /// Equity: what was at the provider before its first statement.
    Opening,
    /// Liability: invoiced, and not yet supplied.
    DeferredRevenue,
    /// Liability: collected for tax offices.
    TaxPayable,
    /// Liability: paid credits that customers have not consumed.
    CreditsLiability,
    /// Income: supplied.
    Revenue,
    /// Income: paid credits that expired.
    Breakage,
    /// Against income: taken back by credit notes.
    Refunds,
    /// Against income: promotional credits that were consumed.
    Promotions,
    /// Expense: what providers keep.
    Fees,
    /// Expense: written off, or lost in a dispute.
    BadDebt,
}

/// One line of a posting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Where.
    pub account: Account,
    /// In which currency.
    pub currency: Currency,
    /// Minor units: above zero a debit, below a credit. Never zero.
    pub amount: i64,
}

/// Entries that add up to zero in each currency. There is no other way to make one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Posting(Vec<Entry>);

/// Why entries are no posting.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// Debits and credits differ.
    #[error("the entries in {currency} add up to {sum} instead of 0")]
    Unbalanced {
        /// The currency.
        currency: Currency,
        /// Debits less credits, held to 63 bits.
        sum: i64,
    },
    /// Nothing, or more than [`ENTRIES_MAX`].
    #[error("a posting has 2 to 64 entries that are not zero")]
    BadEntryCount,
    /// An event with an amount below zero, or with nothing at all.
    #[error("the amounts of an event are zero or more, and not all zero")]
    BadAmount,
    /// A sum that does not fit 63 bits.
    #[error("the amounts are too large")]
    TooLarge,
}

/// What each account holds in each currency: debits less credits.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Balances(BTreeMap<(Account, Currency), i64>);

impl Posting {
    /// Takes entries if they add up to zero in each currency; those of zero are left out.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Result<Self, Error> {
        let entries = entries.into_iter().filter(|it| it.amount != 0);
        let entries: Vec<_> = entries.take(ENTRIES_MAX + 1).collect();
        if !(2..=ENTRIES_MAX).contains(&entries.len()) {
            return Err(Error::BadEntryCount);
        }
        let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
        for it in &entries {
            *sums.entry(it.currency).or_default() += i128::from(it.amount);
        }
        match sums.into_iter().find(|(_, sum)| *sum != 0) {
            Some((currency, sum)) => {
                let end = if sum > 0 { i64::MAX } else { i64::MIN };
                Err(Error::Unbalanced { currency, sum: i64::try_from(sum).unwrap_or(end) })
            }
            None => Ok(Self(entries)),
        }
    }

    /// Its entries, none of them zero.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// The posting that undoes it. Errors only when an amount has no opposite in 63 bits.
    pub fn reversed(&self) -> Result<Self, Error> {
        let turn = |it: &Entry| {
            let amount = it.amount.checked_neg().ok_or(Error::TooLarge)?;
            Ok(Entry { amount, ..*it })
        };
        Ok(Self(self.0.iter().map(turn).collect::<Result<_, _>>()?))
    }
}

impl Balances {
    /// Adds a posting, as a whole or not at all.
    pub fn add(&mut self, posting: &Posting) -> Result<(), Error> {
        let mut next = self.0.clone();
        for it in posting.entries() {
            let slot = next.entry((it.account, it.currency)).or_default();
            *slot = slot.checked_add(it.amount).ok_or(Error::TooLarge)?;
        }
        self.0 = next;
        Ok(())
    }

    /// The balances after all of `postings`.
    pub fn of<'a>(postings: impl IntoIterator<Item = &'a Posting>) -> Result<Self, Error> {
        let mut all = Self::default();
        for it in postings {
            all.add(it)?;
        }
        Ok(all)
    }

    /// Debits less credits of an account, in minor units.
    pub fn get(&self, account: Account, currency: Currency) -> i64 {
        self.0.get(&(account, currency)).copied().unwrap_or(0)
    }

    /// All accounts together in one currency: zero, always.
    pub fn sum(&self, currency: Currency) -> i128 {
        let of = self.0.iter().filter(|((_, it), _)| *it == currency);
        of.map(|(_, amount)| i128::from(*amount)).sum()
    }
}
