//! The report of what differs: for people as text, for programs as JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    domain::{Page, Timestamp},
    http::{Response, StatusCode, header, json as json_response, respond},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    Claim, Drift, Kind,
    booking::{Booked, MovementKind},
    compare,
};
use crate::store;

/// How many accounts the report tells of: as many as there can be.
const ACCOUNTS_MAX: u32 = 20;
/// What is between the words of a cursor.
const BETWEEN: char = ' ';

/// What differs, and what each account has.
#[derive(Serialize, ToSchema)]
#[schema(as = LedgerDrift)]
pub struct Report {
    /// The accounts that have a statement.
    accounts: Vec<AccountReport>,
    /// What differs, by account.
    items: Vec<Difference>,
    /// What to send as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What an account had by its last statement.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = LedgerStatement)]
struct AccountReport {
    /// The account at the provider.
    account: String,
    /// Which provider.
    provider: String,
    /// The number of the statement.
    statement: i64,
    /// From when on it tells, in seconds since 1970, by the provider's clock.
    from: i64,
    /// Until when.
    to: i64,
    /// When it was made.
    started_at: Timestamp,
    /// How many movements it has.
    seen: u64,
    /// What the provider had then, and what the ledger has booked by now.
    #[serde(default)]
    balances: Vec<BalancePair>,
    /// What moved, by day, currency and kind: with `account` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sums: Vec<DaySum>,
}

/// Two balances of one currency, in minor units.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = LedgerBalancePair)]
struct BalancePair {
    currency: String,
    /// What the provider had at the end of the statement; nothing when it could not be told.
    provider: Option<i64>,
    /// What the ledger's clearing account comes to.
    ledger: i64,
}

/// What moved on a day, in minor units.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = LedgerDaySum)]
struct DaySum {
    /// In UTC, by the provider's clock.
    day: String,
    currency: String,
    kind: MovementKind,
    count: u64,
    /// Before fees.
    amount: i64,
    fee: i64,
    net: i64,
}

/// One thing that differs. Amounts are minor units; what leaves is below zero.
#[derive(Serialize, ToSchema)]
#[schema(as = LedgerDifference)]
struct Difference {
    /// The account at the provider.
    account: String,
    /// Our payment; what the provider calls one that we do not know; or a currency.
    key: String,
    kind: Kind,
    /// How it differs.
    drift: Drift,
    currency: String,
    /// What the provider has.
    provider: i64,
    /// What the ledger was told.
    ledger: i64,
    /// The first less the second.
    difference: i64,
    /// How many movements at the provider it is about.
    movements: i64,
    /// When the last of them came.
    since: Timestamp,
    /// What to do about it.
    what_to_do: &'static str,
}

/// Reads it: as JSON, or as text with `Accept: text/plain`.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let account = call.query("account").unwrap_or_default();
    let key = cursor.as_ref().map_or("", |it| it.key());
    let mut words = key.splitn(4, BETWEEN);
    let after = [(); 4].map(|()| words.next().unwrap_or_default());
    let found = store::drifted_claims(at, &account, after, limit + 1).await?;
    let page = Page::of(found, limit, |it| {
        let words = [it.account.as_str(), &it.key, it.kind.word(), &it.currency];
        words.join(&BETWEEN.to_string())
    });
    let mut accounts = Vec::new();
    for body in store::statements(at, &account, ACCOUNTS_MAX).await? {
        accounts.extend(account_of(at, body, !account.is_empty()).await?);
    }
    let items = page.items.into_iter().filter_map(difference).collect();
    let report = Report { accounts, items, next: page.next };
    let accept = call.request.headers().get(header::ACCEPT).and_then(|it| it.to_str().ok());
    Ok(match accept.is_some_and(|it| it.contains("text/plain")) {
        true => respond(StatusCode::OK, "text/plain; charset=utf-8", report.text()),
        false => json_response(StatusCode::OK, &report),
    })
}

async fn account_of(
    at: &impl Tenant,
    mut body: Value,
    with_sums: bool,
) -> Result<Option<AccountReport>, PortError> {
    // What the provider had is shown beside what the ledger has.
    let has = body.as_object_mut().and_then(|it| it.remove("balances"));
    let has: Option<BTreeMap<String, i64>> = has.and_then(|it| serde_json::from_value(it).ok());
    let Ok(mut it) = serde_json::from_value::<AccountReport>(body) else { return Ok(None) };
    let books = compare::clearing(at, &it.account).await?;
    let currencies: BTreeSet<&String> =
        has.iter().flatten().map(|it| it.0).chain(books.keys()).collect();
    let pair = |code: &&String| BalancePair {
        currency: (*code).clone(),
        provider: has.as_ref().map(|it| it.get(*code).copied().unwrap_or(0)),
        ledger: books.get(*code).copied().unwrap_or(0),
    };
    it.balances = currencies.iter().map(pair).collect();
    if !with_sums {
        it.sums.clear();
    }
    Ok(Some(it))
}

fn difference(it: Claim) -> Option<Difference> {
    let (drift, _) = it.drift?;
    Some(Difference {
        difference: it.difference(),
        account: it.account,
        key: it.key,
        kind: it.kind,
        drift,
        currency: it.currency,
        provider: it.found,
        ledger: it.told,
        movements: it.movements,
        since: it.since,
        what_to_do: drift.advice(),
    })
}

impl Report {
    fn text(&self) -> String {
        let mut lines = Vec::new();
        for it in &self.accounts {
            let (from, to) = (Timestamp(it.from * 1000), Timestamp(it.to * 1000));
            lines.push(format!(
                "{} ({}), statement {}: {} movements from {from} to {to}",
                it.account, it.provider, it.statement, it.seen
            ));
            for pair in &it.balances {
                let has = pair.provider.map_or("unknown".to_owned(), |it| it.to_string());
                let (currency, ledger) = (&pair.currency, pair.ledger);
                lines.push(format!("  {currency} provider {has}, ledger {ledger}"));
            }
            for sum in &it.sums {
                let kind = sum.kind.word();
                lines.push(format!(
                    "  {} {} {kind}: {} movements, amount {}, fee {}, net {}",
                    sum.day, sum.currency, sum.count, sum.amount, sum.fee, sum.net
                ));
            }
        }
        if self.items.is_empty() {
            lines.push("nothing differs".to_owned());
        }
        for it in &self.items {
            lines.push(format!(
                "{} {} {}: {} {}, provider {}, ledger {}, difference {}, since {}\n  {}",
                it.account,
                it.kind.word(),
                it.key,
                it.drift.word(),
                it.currency,
                it.provider,
                it.ledger,
                it.difference,
                it.since,
                it.what_to_do
            ));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

/// Lists what moved at the provider of each account, or what of it a claim is about.
pub async fn movements(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let account = call.query("account").unwrap_or_default();
    let about = call.query("about");
    if about.is_some() && account.is_empty() {
        return Err(Problem::unfitting(
            "account",
            "given beside about: of which account, as acc_…",
        ));
    }
    let key = cursor.as_ref().map_or("", |it| it.key());
    let (of, id) = key.split_once(BETWEEN).unwrap_or_default();
    let found = store::list_movements(at, &account, about.as_deref(), [of, id], limit + 1).await?;
    let key = |it: &Booked| format!("{}{BETWEEN}{}", it.account, it.movement.id);
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, key)))
}
