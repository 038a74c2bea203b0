//! What a provider's statement says, as postings. Amounts that leave are below zero.

use super::{
    Account::{self, *},
    Entry, Error, Posting,
};
use crate::money::Currency;

/// What moved at a provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moved {
    /// Where it came from or went to, but for the provider and its fee.
    pub other: Other,
    /// What the balance changed by.
    pub net: i64,
    /// What the provider kept of it.
    pub fee: i64,
    /// The currency of both.
    pub currency: Currency,
    /// What was paid, in the currency that it was paid in.
    pub paid: (i64, Currency),
}

/// The other side of a movement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Other {
    /// A customer, or somebody unknown: it waits for what we were told.
    Told,
    /// The bank.
    Bank,
    /// The provider, which kept all of it.
    Fee,
}

impl Moved {
    /// The posting of a movement.
    ///
    /// # Errors
    /// When nothing moved, or sums are beyond 63 bits.
    pub fn post(self) -> Result<Posting, Error> {
        let less = |a: i64, b: i64| a.checked_sub(b).ok_or(Error::TooLarge);
        let amount = self.net.checked_add(self.fee).ok_or(Error::TooLarge)?;
        let mut entries = vec![(Clearing, self.net, self.currency)];
        if self.other == Other::Fee {
            entries.push((Fees, less(0, self.net)?, self.currency));
            return posting(&entries);
        }
        entries.push((Fees, self.fee, self.currency));
        let (paid, currency) = self.paid;
        match self.other {
            Other::Told if currency == self.currency => {
                entries.push((Suspense, less(0, amount)?, currency));
            }
            Other::Told => entries.extend([
                (Exchange, less(0, amount)?, self.currency),
                (Exchange, paid, currency),
                (Suspense, less(0, paid)?, currency),
            ]),
            Other::Bank | Other::Fee => entries.push((Bank, less(0, amount)?, self.currency)),
        }
        posting(&entries)
    }
}

/// The posting that sets what was found at the provider against what we were told: `amount` of it,
/// of which `fee` was told as a fee, which the statement has booked as well.
///
/// # Errors
/// When both are nothing, or sums are beyond 63 bits.
pub fn matched(amount: i64, fee: i64, currency: Currency) -> Result<Posting, Error> {
    let cash = fee.checked_sub(amount).ok_or(Error::TooLarge)?;
    let back = fee.checked_neg().ok_or(Error::TooLarge)?;
    posting(&[(Suspense, amount, currency), (Cash, cash, currency), (Fees, back, currency)])
}

/// The posting of what was at a provider before its first statement.
///
/// # Errors
/// When that was nothing.
pub fn opened(amount: i64, currency: Currency) -> Result<Posting, Error> {
    let other = amount.checked_neg().ok_or(Error::TooLarge)?;
    posting(&[(Clearing, amount, currency), (Opening, other, currency)])
}

fn posting(entries: &[(Account, i64, Currency)]) -> Result<Posting, Error> {
    let entry =
        |it: &(Account, i64, Currency)| Entry { account: it.0, amount: it.1, currency: it.2 };
    Posting::new(entries.iter().map(entry))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{Balances, Event},
        *,
    };

    const EUR: Currency = Currency::EUR;

    fn moved(other: Other, net: i64, fee: i64) -> Moved {
        Moved { other, net, fee, currency: EUR, paid: (net + fee, EUR) }
    }

    fn books(postings: &[Posting]) -> Balances {
        Balances::of(postings).unwrap()
    }

    #[test]
    fn what_was_told_and_found_is_at_the_provider_until_it_is_paid_out() {
        let all = books(&[
            Event::Paid(1_190).post(EUR).unwrap(),
            Event::Fee(47).post(EUR).unwrap(),
            moved(Other::Told, 1_143, 47).post().unwrap(),
            matched(1_190, 47, EUR).unwrap(),
            moved(Other::Bank, -1_000, 0).post().unwrap(),
            moved(Other::Fee, -43, 0).post().unwrap(),
        ]);

        assert_eq!((all.get(Clearing, EUR), all.get(Bank, EUR)), (100, 1_000));
        assert_eq!((all.get(Cash, EUR), all.get(Suspense, EUR)), (0, 0));
        assert_eq!(all.get(Fees, EUR), 47 + 43);
    }

    #[test]
    fn a_fee_that_nobody_told_is_told_by_the_statement() {
        let all = books(&[
            Event::Paid(1_190).post(EUR).unwrap(),
            moved(Other::Told, 1_143, 47).post().unwrap(),
            matched(1_190, 0, EUR).unwrap(),
        ]);

        assert_eq!((all.get(Cash, EUR), all.get(Fees, EUR)), (0, 47));
        assert_eq!(all.get(Clearing, EUR), 1_143);
    }

    #[test]
    fn a_dispute_that_is_won_leaves_its_fee() {
        let all = books(&[
            Event::DisputeOpened(50).post(EUR).unwrap(),
            moved(Other::Told, -65, 15).post().unwrap(),
            matched(-50, 0, EUR).unwrap(),
            Event::DisputeWon(50).post(EUR).unwrap(),
            moved(Other::Told, 50, 0).post().unwrap(),
            matched(50, 0, EUR).unwrap(),
        ]);

        assert_eq!((all.get(Cash, EUR), all.get(Suspense, EUR)), (0, 0));
        assert_eq!((all.get(Clearing, EUR), all.get(Fees, EUR)), (-15, 15));
    }

    #[test]
    fn what_is_settled_in_another_currency_is_exchanged() {
        let usd = Currency::parse("USD").unwrap();
        let found = Moved { paid: (1_000, usd), ..moved(Other::Told, 890, 30) };

        let all = books(&[
            Event::Paid(1_000).post(usd).unwrap(),
            found.post().unwrap(),
            matched(1_000, 0, usd).unwrap(),
        ]);

        assert_eq!((all.get(Cash, usd), all.get(Suspense, usd)), (0, 0));
        assert_eq!((all.get(Exchange, usd), all.get(Exchange, EUR)), (1_000, -920));
        assert_eq!((all.sum(EUR), all.sum(usd)), (0, 0));
    }

    proptest! {
        #[test]
        fn no_movement_unbalances_the_books(net: i64, fee: i64, paid: i64, of in 0..3usize) {
            let other = [Other::Told, Other::Bank, Other::Fee][of];
            let usd = Currency::parse("USD").unwrap();
            for paid in [(paid, usd), (paid, EUR)] {
                if let Ok(it) = (Moved { other, net, fee, currency: EUR, paid }).post() {
                    let mut sums = std::collections::BTreeMap::new();
                    for it in it.entries() {
                        *sums.entry(it.currency).or_insert(0i128) += i128::from(it.amount);
                    }
                    prop_assert!(sums.values().all(|it| *it == 0));
                }
            }
        }
    }
}
