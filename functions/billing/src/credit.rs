//! A prepaid wallet: grants are bought or given, consumed in a stated order, and expire.
//!
//! Order of consumption: the lowest `priority` first; among equals the soonest expiry, and what
//! never expires last; among equals the oldest grant; then the id, so that the order is total.
//! All amounts of a wallet are minor units of the wallet's one currency.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use shared::domain::Timestamp;
use utoipa::ToSchema;

/// The most grants that one wallet holds; used-up ones may be left out by whoever keeps them.
pub const GRANTS_MAX: usize = 1_000;

/// What a grant cost its owner: a liability is owed for the paid ones only.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CreditBasis)]
pub enum Basis {
    /// Paid for, at face value.
    Paid,
    /// Given away.
    Promotional,
}

/// An amount that was put into a wallet at once. `amount` = remaining + consumed + expired.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// Unique in the wallet.
    pub id: String,
    /// What it cost.
    pub basis: Basis,
    /// Which grants go first: 0 before 255.
    pub priority: u8,
    /// When it was made.
    pub granted_at: Timestamp,
    /// The first moment at which it can no longer be consumed. `None`: never.
    pub expires_at: Option<Timestamp>,
    amount: i64,
    consumed: i64,
    expired: i64,
}

/// What one grant gave to a consumption, or lost by expiry. Minor units, above 0.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = ConsumedCredit)]
pub struct Part {
    /// The grant.
    pub grant: String,
    /// What it had cost.
    pub basis: Basis,
    /// Minor units.
    pub amount: i64,
}

/// The grants of one owner in one currency.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wallet {
    grants: Vec<Grant>,
}

/// Why a wallet does not do it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// An amount is zero or below.
    #[error("an amount of credit is above zero")]
    NotPositive,
    /// The grant expires before it begins.
    #[error("a grant expires after it was made")]
    BornExpired,
    /// The wallet holds a grant of this id.
    #[error("the wallet already has the grant {0}")]
    Known(String),
    /// The wallet holds no such grant.
    #[error("the wallet has no grant {0}")]
    Unknown(String),
    /// Less is there than was asked for; nothing was consumed.
    #[error("the wallet has {available} left, and {asked} was asked for")]
    TooLittle {
        /// What could be consumed.
        available: i64,
        /// What was asked for.
        asked: i64,
    },
    /// More is released than the grant had given.
    #[error("more is released than the grant {0} had given")]
    NotConsumed(String),
    /// [`GRANTS_MAX`] is reached, or the sum would not fit.
    #[error("a wallet holds 1000 grants and an amount that fits 63 bits at most")]
    Full,
}

impl Grant {
    /// A grant of `amount` minor units that nobody has touched yet.
    pub fn new(
        id: impl Into<String>,
        basis: Basis,
        priority: u8,
        amount: i64,
        granted_at: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Result<Self, Error> {
        if amount <= 0 {
            return Err(Error::NotPositive);
        }
        if expires_at.is_some_and(|it| it <= granted_at) {
            return Err(Error::BornExpired);
        }
        let id = id.into();
        Ok(Self { id, basis, priority, granted_at, expires_at, amount, consumed: 0, expired: 0 })
    }

    /// The same once so much was consumed and expired.
    pub fn used(self, consumed: i64, expired: i64) -> Result<Self, Error> {
        let left = self.amount.checked_sub(consumed).and_then(|it| it.checked_sub(expired));
        if consumed < 0 || expired < 0 || left.is_none_or(|it| it < 0) {
            return Err(Error::NotPositive);
        }
        Ok(Self { consumed, expired, ..self })
    }

    /// What was granted, in minor units.
    pub fn amount(&self) -> i64 {
        self.amount
    }

    /// What was consumed and not released.
    pub fn consumed(&self) -> i64 {
        self.consumed
    }

    /// What expired.
    pub fn expired(&self) -> i64 {
        self.expired
    }

    /// What is neither consumed nor expired. Never below zero.
    pub fn remaining(&self) -> i64 {
        self.amount - self.consumed - self.expired
    }

    /// Whether it can be consumed at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.granted_at <= now && self.expires_at.is_none_or(|it| now < it)
    }

    fn place(&self) -> (u8, Timestamp, Timestamp, &str) {
        (self.priority, self.expires_at.unwrap_or(Timestamp::NEVER), self.granted_at, &self.id)
    }

    fn part(&self, amount: i64) -> Part {
        Part { grant: self.id.clone(), basis: self.basis, amount }
    }
}

impl Wallet {
    /// A wallet of these grants, no two with the same id.
    pub fn of(grants: impl IntoIterator<Item = Grant>) -> Result<Self, Error> {
        grants.into_iter().try_fold(Self::default(), |wallet, it| wallet.with(it))
    }

    /// The grants, in the order in which they are consumed.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// What can be consumed at `now`, in minor units.
    pub fn available(&self, now: Timestamp) -> i64 {
        self.grants.iter().filter(|it| it.is_live(now)).map(Grant::remaining).sum()
    }

    /// What was ever granted, in minor units: consumed, expired and remaining together.
    pub fn granted(&self) -> i64 {
        self.grants.iter().map(Grant::amount).sum()
    }

    /// The wallet with one more grant.
    pub fn with(&self, grant: Grant) -> Result<Self, Error> {
        if self.grants.iter().any(|it| it.id == grant.id) {
            return Err(Error::Known(grant.id));
        }
        let fits = self.granted().checked_add(grant.amount).is_some();
        if self.grants.len() >= GRANTS_MAX || !fits {
            return Err(Error::Full);
        }
        let mut grants = self.grants.clone();
        let at = grants.partition_point(|it| it.place() < grant.place());
        grants.insert(at, grant);
        Ok(Self { grants })
    }

    /// Consumes exactly `amount`, or nothing. The parts add up to `amount`.
    pub fn consume(&self, amount: i64, now: Timestamp) -> Result<(Self, Vec<Part>), Error> {
        let available = self.available(now);
        if amount > available {
            return Err(Error::TooLittle { available, asked: amount });
        }
        self.consume_up_to(amount, now)
    }

    /// Consumes `amount`, or what there is if that is less. The parts say how much it was.
    pub fn consume_up_to(&self, amount: i64, now: Timestamp) -> Result<(Self, Vec<Part>), Error> {
        if amount <= 0 {
            return Err(Error::NotPositive);
        }
        let (mut wallet, mut parts, mut missing) = (self.clone(), Vec::new(), amount);
        for grant in wallet.grants.iter_mut().filter(|it| it.is_live(now)) {
            let taken = grant.remaining().min(missing);
            if taken > 0 {
                grant.consumed += taken;
                missing -= taken;
                parts.push(grant.part(taken));
            }
        }
        Ok((wallet, parts))
    }

    /// Gives consumed parts back to the grants that they came from, all or none. What goes back
    /// to a grant that has run out meanwhile cannot be consumed again: the next
    /// [`Wallet::expire`] takes it.
    pub fn release(&self, parts: &[Part]) -> Result<Self, Error> {
        let mut wallet = self.clone();
        for part in parts {
            if part.amount <= 0 {
                return Err(Error::NotPositive);
            }
            let grant = wallet.grants.iter_mut().find(|it| it.id == part.grant);
            let grant = grant.ok_or_else(|| Error::Unknown(part.grant.clone()))?;
            if grant.consumed < part.amount {
                return Err(Error::NotConsumed(part.grant.clone()));
            }
            grant.consumed -= part.amount;
        }
        Ok(wallet)
    }

    /// Takes what is left of grants that have run out at `now`. The paid parts are breakage.
    pub fn expire(&self, now: Timestamp) -> (Self, Vec<Part>) {
        let (mut wallet, mut parts) = (self.clone(), Vec::new());
        for grant in &mut wallet.grants {
            let left = grant.remaining();
            if left > 0 && grant.expires_at.is_some_and(|it| it <= now) {
                grant.expired += left;
                parts.push(grant.part(left));
            }
        }
        (wallet, parts)
    }
}
