//! What happens to money, and what is posted for it.

use super::{
    Account::{self, *},
    Entry, Error, Posting,
};
use crate::money::Currency;

/// What an invoice or a credit note is made of, in minor units. What is owed by it is zero or more: a
/// document that comes to less is told as one of the other kind. Where it has several rates of tax,
/// what is earned or the tax can be below zero all the same, as where a plan at 19 % takes the place
/// of a dearer one at 7 %.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sale {
    /// Net of what is supplied already.
    pub earned: i64,
    /// Net of what is supplied later.
    pub deferred: i64,
    /// Tax on both.
    pub tax: i64,
}

/// Accounts and amounts, all of them debits or all of them credits.
type Side = Vec<(Account, i64)>;

/// One event. All amounts are minor units, zero or more; net and tax of what is owed together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// An invoice got its number: the customer owes.
    Finalised(Sale),
    /// Money came for an invoice.
    Paid(i64),
    /// Deferred revenue was supplied.
    Recognised(i64),
    /// A credit note: `deferred` was not supplied yet and simply stops, `earned` is a refund of
    /// revenue. The customer is owed, or owes less.
    CreditNote(Sale),
    /// Money went back to the customer, after a credit note.
    Refunded(i64),
    /// An invoice was given up: `net` is lost, `tax` is corrected (Article 90 of Directive
    /// 2006/112/EC) where the tax office allows it, else 0.
    WrittenOff {
        /// Lost.
        net: i64,
        /// Not owed to the tax office any more.
        tax: i64,
    },
    /// What was given up is paid after all: [`Event::WrittenOff`], undone.
    Recovered {
        /// Not lost.
        net: i64,
        /// Owed to the tax office again.
        tax: i64,
    },
    /// Credits were paid for. Those that are given away post nothing until they are consumed.
    GrantBought(i64),
    /// What a customer is owed by a credit note is kept as paid credit.
    Credited(i64),
    /// Credits paid for an invoice, by what they had cost.
    GrantConsumed {
        /// From paid grants.
        paid: i64,
        /// From promotional grants.
        promotional: i64,
    },
    /// Paid credits expired: breakage.
    GrantExpired(i64),
    /// A provider kept a fee.
    Fee(i64),
    /// A customer disputes a payment: the provider takes it back for now.
    DisputeOpened(i64),
    /// The dispute was lost: the money is gone.
    DisputeLost(i64),
    /// The dispute was won: the money comes back.
    DisputeWon(i64),
}

impl Event {
    /// The posting of the event. Errors for amounts below zero, for nothing at all, and for sums
    /// beyond 63 bits.
    pub fn post(self, currency: Currency) -> Result<Posting, Error> {
        let (debits, credits) = self.sides();
        if self.is_nothing() || !self.is_told() {
            return Err(Error::BadAmount);
        }
        if sum(&debits).is_none() || sum(&credits).is_none() {
            return Err(Error::TooLarge);
        }
        let entry = |account: Account, amount: i64| Entry { account, currency, amount };
        let debits = debits.iter().map(|(account, it)| entry(*account, *it));
        let credits = credits.iter().map(|(account, it)| entry(*account, -*it));
        Posting::new(debits.chain(credits))
    }

    /// Whether its amounts are zero or more, or what they come to where they are parts of it.
    fn is_told(self) -> bool {
        match self {
            Self::Finalised(it) | Self::CreditNote(it) => it.deferred >= 0 && it.gross() >= 0,
            Self::WrittenOff { net, tax } | Self::Recovered { net, tax } => {
                net.saturating_add(tax) >= 0
            }
            _ => {
                let (debits, credits) = self.sides();
                debits.iter().chain(&credits).all(|(_, it)| *it >= 0)
            }
        }
    }

    /// Whether no money is moved.
    pub fn is_nothing(self) -> bool {
        let (debits, credits) = self.sides();
        debits.iter().chain(&credits).all(|(_, it)| *it == 0)
    }

    /// The word that the books keep.
    pub fn word(self) -> &'static str {
        match self {
            Self::Finalised(_) => "invoice.finalised",
            Self::Paid(_) => "payment.received",
            Self::Recognised(_) => "revenue.earned",
            Self::CreditNote(_) => "credit_note.issued",
            Self::Refunded(_) => "payment.refunded",
            Self::WrittenOff { .. } => "invoice.written_off",
            Self::Recovered { .. } => "invoice.recovered",
            Self::GrantBought(_) => "credit.bought",
            Self::Credited(_) => "credit.kept",
            Self::GrantConsumed { .. } => "credit.consumed",
            Self::GrantExpired(_) => "credit.expired",
            Self::Fee(_) => "payment.fee",
            Self::DisputeOpened(_) => "dispute.opened",
            Self::DisputeLost(_) => "dispute.lost",
            Self::DisputeWon(_) => "dispute.won",
        }
    }

    /// Debits and credits. A sum that would not fit is held to 63 bits here, and refused by the caller.
    fn sides(self) -> (Side, Side) {
        match self {
            Self::Finalised(it) => (
                vec![(Receivable, it.gross())],
                vec![(Revenue, it.earned), (DeferredRevenue, it.deferred), (TaxPayable, it.tax)],
            ),
            Self::CreditNote(it) => (
                vec![(Refunds, it.earned), (DeferredRevenue, it.deferred), (TaxPayable, it.tax)],
                vec![(Receivable, it.gross())],
            ),
            Self::WrittenOff { net, tax } => (
                vec![(BadDebt, net), (TaxPayable, tax)],
                vec![(Receivable, net.saturating_add(tax))],
            ),
            Self::Recovered { net, tax } => (
                vec![(Receivable, net.saturating_add(tax))],
                vec![(BadDebt, net), (TaxPayable, tax)],
            ),
            Self::GrantConsumed { paid, promotional } => (
                vec![(CreditsLiability, paid), (Promotions, promotional)],
                vec![(Receivable, paid.saturating_add(promotional))],
            ),
            Self::Paid(it) => (vec![(Cash, it)], vec![(Receivable, it)]),
            Self::Recognised(it) => (vec![(DeferredRevenue, it)], vec![(Revenue, it)]),
            Self::Refunded(it) => (vec![(Receivable, it)], vec![(Cash, it)]),
            Self::GrantBought(it) => (vec![(Cash, it)], vec![(CreditsLiability, it)]),
            Self::Credited(it) => (vec![(Receivable, it)], vec![(CreditsLiability, it)]),
            Self::GrantExpired(it) => (vec![(CreditsLiability, it)], vec![(Breakage, it)]),
            Self::Fee(it) => (vec![(Fees, it)], vec![(Cash, it)]),
            Self::DisputeOpened(it) => (vec![(Disputed, it)], vec![(Cash, it)]),
            Self::DisputeLost(it) => (vec![(BadDebt, it)], vec![(Disputed, it)]),
            Self::DisputeWon(it) => (vec![(Cash, it)], vec![(Disputed, it)]),
        }
    }
}

impl Sale {
    fn gross(&self) -> i64 {
        self.earned.saturating_add(self.deferred).saturating_add(self.tax)
    }
}

fn sum(side: &[(Account, i64)]) -> Option<i64> {
    side.iter().try_fold(0i64, |sum, (_, it)| sum.checked_add(*it))
}
