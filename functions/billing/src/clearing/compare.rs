//! Comparing: when all of a statement is booked, what was found is held against what was told.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Entry, Failure, Job, NewJob, Timestamp},
    ports::{PortError, Tenant},
};

use super::{Claim, Kind, booking};
use crate::{books, ledger, money::Currency, store};

/// Takes the end of a statement.
pub const STATED: &str = "billing.stated";
/// Compares the next claims.
pub const COMPARE: &str = "billing.compare";
/// What is followed.
pub const FOLLOWS: [&str; 2] = ["payment_account.moved", "payment_account.stated"];

/// How many claims are compared in one commit.
const CLAIMS_MAX: u32 = 25;
/// How long the end of a statement waits for its parts before it looks again, and in all.
const WAIT: Duration = Duration::from_secs(2);
const WAIT_MAX: Duration = Duration::from_secs(3_600);

/// The end of a statement, as the provider's side tells it.
#[derive(Deserialize)]
struct Stated {
    account: String,
    statement: i64,
    started_at: Timestamp,
    parts: i64,
    balances: Option<BTreeMap<String, i64>>,
}

/// Where a comparison is.
#[derive(Deserialize)]
struct Place {
    account: String,
    statement: i64,
    started_at: Timestamp,
    after: [String; 3],
}

/// The jobs that entries are to us.
pub fn follow(entries: &[Entry]) -> Commit {
    entries.iter().fold(Commit::new(), |commit, it| {
        let kind = match it.action.as_str() {
            "payment_account.moved" => booking::BOOK,
            "payment_account.stated" => STATED,
            _ => return commit,
        };
        commit.job(NewJob::new(kind, format!("{kind}:{:012}", it.sequence), it.data.clone()))
    })
}

/// Works the end of a statement: once all parts of it are booked, balances are held against each
/// other, and then the claims.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn stated(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let it: Stated = serde_json::from_value(job.body.clone()).map_err(Failure::dead)?;
    let last = store::statements(at, &it.account, 1).await?.into_iter().next();
    let number = last.as_ref().and_then(|it| it.get("statement")).and_then(Value::as_i64);
    if number.is_some_and(|number| number >= it.statement) {
        return Ok(Commit::new());
    }
    let (booked, later) = store::parts(at, &it.account, it.statement).await?;
    if booked < it.parts {
        let why = format!("{booked} of {} parts are booked", it.parts);
        return Err(match at.now() < it.started_at + WAIT_MAX {
            true => Failure::postponed(WAIT, Commit::new()),
            false => Failure::again(why),
        });
    }
    let was_opened = last.as_ref().and_then(|it| it.get("opened")).is_some_and(|it| it == true);
    // What belongs to a later statement is in the books already: that one holds them against it.
    let has = it.balances.as_ref().filter(|_| later == 0);
    let mut commit = Commit::new();
    if let Some(has) = has {
        commit = balances(at, &it, has, was_opened).await?;
    }
    let mut body = job.body.clone();
    if let Some(body) = body.as_object_mut() {
        body.insert("opened".to_owned(), json!(was_opened || has.is_some()));
    }
    let place = Place {
        account: it.account.clone(),
        statement: it.statement,
        started_at: it.started_at,
        after: Default::default(),
    };
    Ok(commit
        .and(store::put_statement(&it.account, it.statement, &body))
        .and(store::drop_parts(&it.account, it.statement))
        .job(place.job()))
}

/// Holds what the account has against the ledger's clearing account. What it had before its first
/// statement opens the books.
async fn balances(
    at: &impl Tenant,
    it: &Stated,
    has: &BTreeMap<String, i64>,
    was_opened: bool,
) -> Result<Commit, Failure> {
    let books = clearing(at, &it.account).await?;
    let currencies: BTreeSet<_> = has.keys().chain(books.keys()).collect();
    let mut commit = Commit::new();
    for code in currencies {
        let of = |all: &BTreeMap<String, i64>| all.get(code).copied().unwrap_or(0);
        let (found, mut told) = (of(has), of(&books));
        let opens = !was_opened && found != told;
        if opens && let Ok(currency) = Currency::parse(code) {
            let posting = ledger::opened(found.saturating_sub(told), currency);
            let posting = posting.map_err(Failure::dead)?;
            let account = it.account.as_str();
            commit = commit.and(books::write(at, &posting, "clearing.opened", account, account)?);
            told = found;
        }
        commit = commit.and(store::set_balance(&it.account, code, found, told, it.started_at));
    }
    Ok(commit)
}

/// What the ledger says that the provider has, by currency.
///
/// # Errors
/// When it cannot be read.
pub async fn clearing(at: &impl Tenant, account: &str) -> Result<BTreeMap<String, i64>, PortError> {
    let word = books::clearing(account);
    let all = store::balances(at).await?.into_iter().filter(|it| it.account == word);
    Ok(all.map(|it| (it.currency, it.amount)).collect())
}

impl Place {
    fn job(&self) -> NewJob {
        let id = format!("{COMPARE}:{}:{}:{}", self.account, self.statement, self.after.join(":"));
        let body = json!({
            "account": self.account, "statement": self.statement, "started_at": self.started_at,
            "after": self.after,
        });
        NewJob::new(COMPARE, id, body)
    }
}

/// Works the next claims.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let place: Place = serde_json::from_value(job.body.clone()).map_err(Failure::dead)?;
    let after = place.after.each_ref().map(String::as_str);
    let claims = store::open_claims(at, &place.account, after, CLAIMS_MAX).await?;
    let mut commit = Commit::new();
    for it in &claims {
        commit = commit.and(judged(at, &place, it).await?);
    }
    let full = claims.len() >= usize::try_from(CLAIMS_MAX).unwrap_or(usize::MAX);
    Ok(match claims.last().filter(|_| full) {
        None => commit,
        Some(last) => {
            let after = [last.key.clone(), last.kind.word().to_owned(), last.currency.clone()];
            commit.job(Place { after, ..place }.job())
        }
    })
}

/// What is written for one claim: what is set against each other, and what is wrong or not any more.
async fn judged(at: &impl Tenant, place: &Place, before: &Claim) -> Result<Commit, Failure> {
    let (amount, fee) = before.to_clear();
    let after = Claim {
        cleared: before.cleared.saturating_add(amount),
        fee_cleared: before.fee_cleared.saturating_add(fee),
        drift: before.judged(place.started_at),
        ..before.clone()
    };
    let mut commit = Commit::new();
    if (amount, fee) != (0, 0) {
        let currency = Currency::parse(&before.currency).map_err(Failure::dead)?;
        let posting = ledger::matched(amount, fee, currency).map_err(Failure::dead)?;
        let key = before.key.as_str();
        commit = books::write(at, &posting, "movement.matched", key, &before.account)?;
    } else if after.drift == before.drift && before.differs().is_some() {
        return Ok(commit);
    }
    commit = commit.and(store::judge_claim(before, &after));
    Ok(match (before.drift, after.drift) {
        (before, after) if before == after => commit,
        (_, Some(_)) => commit.entry(told(at, "ledger.drifted", place, &after).await?),
        (_, None) => commit.entry(told(at, "ledger.settled", place, &after).await?),
    })
}

async fn told(
    at: &impl Tenant,
    action: &'static str,
    place: &Place,
    it: &Claim,
) -> Result<Draft, PortError> {
    let payment = match it.kind {
        Kind::Charge | Kind::Refund | Kind::Dispute => store::find_payment(at, &it.key).await?,
        Kind::Unknown | Kind::Balance => None,
    };
    let data = json!({
        "account": it.account, "statement": place.statement, "key": it.key, "kind": it.kind,
        "drift": it.drift.map(|it| it.0), "currency": it.currency, "provider": it.found,
        "ledger": it.told, "difference": it.difference(),
        "what_to_do": it.drift.map(|it| it.0.advice()),
        "payment": payment.as_ref().map(|it| &it.id),
        "invoice": payment.as_ref().map(|it| &it.invoice),
        "reference": payment.as_ref().and_then(|it| it.reference.as_ref()),
    });
    Ok(Draft { action, subject: it.key.clone(), data })
}
