//! Booking: what a provider's statement tells is booked, each movement once.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use shared::{
    domain::{Commit, Failure, Job, Timestamp},
    ports::{PortError, Tenant},
};
use utoipa::ToSchema;

use super::{Claim, Kind};
use crate::{
    books,
    ledger::{self, Moved, Other},
    money::Currency,
    payment::{Payment, PaymentState},
    store,
};

/// Books what an entry tells.
pub const BOOK: &str = "billing.moved";
/// How many movements an entry tells at most.
pub const MOVED_MAX: usize = 25;

/// What moved at a provider, as its side told it. Amounts are minor units; what leaves is below
/// zero.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = LedgerMovement)]
pub struct Movement {
    /// The provider's id of it. Its postings are about this.
    pub id: String,
    /// What moved it.
    pub kind: MovementKind,
    /// The provider's word for that.
    pub category: String,
    /// The currency that the account is settled in.
    pub currency: String,
    /// What the provider kept of it.
    pub fee: i64,
    /// What the balance changed by.
    pub net: i64,
    /// When, in seconds since 1970, by the provider's clock.
    pub created: i64,
    /// From when on it can be paid out, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_on: Option<i64>,
    /// The provider's id of what moved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The provider's id of the payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Our id of the payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// The currency that was paid in.
    pub paid_currency: String,
    /// The amount in that, before the fee.
    pub paid: i64,
}

/// A movement that is booked.
#[derive(Serialize, ToSchema)]
#[schema(as = BookedMovement)]
pub struct Booked {
    /// The account at the provider.
    pub account: String,
    /// What moved.
    #[serde(flatten)]
    pub movement: Movement,
}

/// What moved the money.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LedgerMovementKind)]
pub enum MovementKind {
    /// Customers paid.
    Charges,
    /// It went back to customers.
    Refunds,
    /// A bank took it, or gave it back.
    Disputes,
    /// The provider kept it.
    Fees,
    /// It went to the bank, or came from there.
    Payouts,
    /// Anything else: it is not compared, and stands in `suspense`.
    Other,
}

impl MovementKind {
    /// The word that is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::Charges => "charges",
            Self::Refunds => "refunds",
            Self::Disputes => "disputes",
            Self::Fees => "fees",
            Self::Payouts => "payouts",
            Self::Other => "other",
        }
    }
}

/// What an entry tells.
#[derive(Deserialize)]
struct Told {
    account: String,
    statement: i64,
    part: i64,
    started_at: Timestamp,
    to: i64,
    movements: Vec<Movement>,
}

impl Told {
    /// When a movement was, by the tenant's clock: as long before the statement as by the provider's.
    fn when(&self, it: &Movement) -> Timestamp {
        let age = u64::try_from(self.to.saturating_sub(it.created)).unwrap_or(0);
        self.started_at - Duration::from_secs(age)
    }
}

/// Works an entry.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let told: Told = serde_json::from_value(job.body.clone()).map_err(Failure::dead)?;
    if told.movements.len() > MOVED_MAX {
        return Err(Failure::dead(format!("an entry tells up to {MOVED_MAX} movements")));
    }
    let ids: Vec<_> = told.movements.iter().map(|it| it.id.as_str()).collect();
    let known = store::known_movements(at, &told.account, &ids).await?;
    let mut commit = store::put_part(&told.account, told.statement, told.part);
    let mut added = BTreeSet::new();
    for it in told.movements.iter().filter(|it| !known.contains(&it.id)) {
        let claim = claim_of(at, &told, it, &mut added).await?;
        let key = claim.as_ref().map_or("", |it| it.key.as_str());
        commit = commit
            .and(store::insert_movement(&told.account, key, it, told.when(it)))
            .and(posted(at, &told.account, it)?);
        if let Some(claim) = &claim {
            commit = commit.and(store::add_to_claim(claim));
        }
    }
    Ok(commit)
}

/// The posting of a movement; none when nothing moved.
fn posted(at: &impl Tenant, account: &str, it: &Movement) -> Result<Commit, Failure> {
    let currency = |code: &str| Currency::parse(code).map_err(Failure::dead);
    let moved = Moved {
        other: match it.kind {
            MovementKind::Payouts => Other::Bank,
            MovementKind::Fees => Other::Fee,
            _ => Other::Told,
        },
        net: it.net,
        fee: it.fee,
        currency: currency(&it.currency)?,
        paid: (it.paid, currency(&it.paid_currency)?),
    };
    match moved.post() {
        Ok(posting) => Ok(books::write(at, &posting, "movement.found", &it.id, account)?),
        Err(ledger::Error::BadEntryCount) => Ok(Commit::new()),
        Err(err) => Err(Failure::dead(err)),
    }
}

/// What a movement adds to the claim that it is compared by; none of fees, payouts and the rest.
async fn claim_of(
    at: &impl Tenant,
    told: &Told,
    it: &Movement,
    added: &mut BTreeSet<String>,
) -> Result<Option<Claim>, PortError> {
    let kind = match it.kind {
        MovementKind::Charges => Kind::Charge,
        MovementKind::Refunds => Kind::Refund,
        MovementKind::Disputes => Kind::Dispute,
        MovementKind::Fees | MovementKind::Payouts | MovementKind::Other => return Ok(None),
    };
    let mut claim = Claim {
        account: told.account.clone(),
        kind,
        currency: it.paid_currency.clone(),
        found: it.paid,
        movements: 1,
        since: told.when(it),
        ..Claim::default()
    };
    // The payment is read first: what was told of it is in the commit that ended it.
    let payment = match &it.payment {
        Some(id) => store::find_payment(at, id).await?,
        None => None,
    };
    let ours = payment.filter(|it| it.account.as_deref() == Some(told.account.as_str()));
    let Some(payment) = ours else {
        claim.kind = Kind::Unknown;
        claim.key = it.reference.as_ref().or(it.source.as_ref()).unwrap_or(&it.id).clone();
        return Ok(Some(claim));
    };
    claim.key = payment.id.clone();
    let is_first = added.insert(format!("{} {} {}", claim.key, kind.word(), claim.currency));
    if is_first && !store::has_claim(at, &claim).await? {
        (claim.told, claim.fee_told) = told_before(&payment, &claim);
    }
    Ok(Some(claim))
}

/// What was told of a payment that ended before claims were kept: of a refund and a dispute, as much
/// as was found.
fn told_before(payment: &Payment, claim: &Claim) -> (i64, i64) {
    if payment.state != PaymentState::Succeeded || payment.currency.code() != claim.currency {
        return (0, 0);
    }
    let left = claim.found.saturating_neg();
    match claim.kind {
        Kind::Charge => (payment.amount, payment.fee.unwrap_or(0)),
        Kind::Refund if payment.refunded >= left => (claim.found, 0),
        Kind::Dispute if payment.disputed >= left => (claim.found, 0),
        _ => (0, 0),
    }
}

/// What is written beside the postings of what a provider told of a payment: `amount` leaves below
/// zero. Nothing for one that came by another way.
pub fn told(at: &impl Tenant, payment: &Payment, kind: Kind, amount: i64, fee: i64) -> Commit {
    match &payment.account {
        None => Commit::new(),
        Some(_) if amount == 0 => Commit::new(),
        Some(account) => store::add_to_claim(&Claim {
            account: account.clone(),
            key: payment.id.clone(),
            kind,
            currency: payment.currency.code().to_owned(),
            told: amount,
            fee_told: fee,
            since: at.now(),
            ..Claim::default()
        }),
    }
}
