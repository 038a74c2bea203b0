//! The books: what was posted, what it adds up to, and what is charged but not earned yet.
//!
//! Every posting is written with its effect on the balances, and only if all accounts of its
//! currency add up to zero afterwards.

use serde::{Deserialize, Serialize};
use shared::{
    domain::{Commit, Page, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    ledger::{Account, Event, Posting},
    money::Currency,
    store,
};

/// The word of the clearing accounts; each has that of its account at the provider behind it.
const CLEARING: &str = "clearing";
/// How many deferrals are taken as earned at once.
const EARNED_MAX: u32 = 100;

/// A posting, as it is kept.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = LedgerPosting)]
pub struct PostingRow {
    /// `pst_…`
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// What happened, as `invoice.finalised`.
    pub event: String,
    /// What it is about: an invoice, a grant.
    pub about: String,
    /// Debits are above zero, credits below; they add up to zero.
    pub entries: Vec<EntryRow>,
}

/// One line of a posting.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = LedgerEntry)]
pub struct EntryRow {
    /// The account, as `receivable`; `clearing:acc_…` of an account at a provider.
    pub account: String,
    /// The currency.
    pub currency: String,
    /// Minor units.
    pub amount: i64,
}

/// What an account comes to.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = LedgerBalance)]
pub struct Balance {
    /// The currency.
    pub currency: String,
    /// The account.
    pub account: String,
    /// Minor units: debits less credits.
    pub amount: i64,
}

/// All balances.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LedgerBalances)]
pub struct Balances {
    /// By currency and account.
    pub items: Vec<Balance>,
}

/// What is charged but not earned yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Deferral {
    /// The invoice.
    pub invoice: String,
    /// Its currency.
    pub currency: String,
    /// Minor units without tax.
    pub amount: i64,
    /// When it is earned.
    pub earned_at: Timestamp,
}

/// The commit that posts `event`, which happened to `about`. Nothing when it is about no money.
///
/// # Errors
/// When its amounts do not add up, which is our fault.
pub fn post(
    at: &impl Tenant,
    event: Event,
    currency: Currency,
    about: &str,
) -> Result<Commit, Problem> {
    if event.is_nothing() {
        return Ok(Commit::new());
    }
    let posting =
        event.post(currency).map_err(|err| Problem::internal().caused_by(err.to_string()))?;
    let row = PostingRow {
        id: at.new_id("pst")?.to_string(),
        at: at.now(),
        event: event.word().to_owned(),
        about: about.to_owned(),
        entries: rows(&posting),
    };
    Ok(store::post(&row))
}

/// The word of the clearing account of an account at a provider.
pub fn clearing(account: &str) -> String {
    format!("{CLEARING}:{account}")
}

/// The commit that writes a posting of what a statement of `account` says.
///
/// # Errors
/// When there is no id to be had.
pub fn write(
    at: &impl Tenant,
    posting: &Posting,
    event: &str,
    about: &str,
    account: &str,
) -> Result<Commit, PortError> {
    let mut entries = rows(posting);
    for it in entries.iter_mut().filter(|it| it.account == CLEARING) {
        it.account = clearing(account);
    }
    Ok(store::post(&PostingRow {
        id: at.new_id("pst")?.to_string(),
        at: at.now(),
        event: event.to_owned(),
        about: about.to_owned(),
        entries,
    }))
}

fn rows(posting: &Posting) -> Vec<EntryRow> {
    let row = |it: &crate::ledger::Entry| EntryRow {
        account: it.account.word().to_owned(),
        currency: it.currency.code().to_owned(),
        amount: it.amount,
    };
    posting.entries().iter().map(row).collect()
}

/// The commit that takes what a subscription has earned by `until` into revenue.
///
/// # Errors
/// When it cannot be read.
pub async fn earn(
    at: &impl Tenant,
    subscription: &str,
    until: Timestamp,
) -> Result<Commit, Problem> {
    let due = store::deferred(at, subscription, until, EARNED_MAX).await?;
    due.iter().try_fold(Commit::new(), |commit, it| Ok(commit.and(earned(at, it)?)))
}

/// The commit that takes one deferral into revenue.
///
/// # Errors
/// When its currency is none.
pub fn earned(at: &impl Tenant, it: &Deferral) -> Result<Commit, Problem> {
    let currency = Currency::parse(&it.currency)
        .map_err(|err| Problem::internal().caused_by(err.to_string()))?;
    let posted = post(at, Event::Recognised(it.amount), currency, &it.invoice)?;
    Ok(posted.and(store::earn(&it.invoice)))
}

/// Lists the postings, oldest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let about = call.query("about");
    let found = store::list_postings(at, about.as_deref(), after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.id.clone())))
}

/// Reads what the accounts come to.
pub async fn balances(at: &impl Tenant) -> Result<Response, Problem> {
    let items = store::balances(at).await?;
    Ok(json_response(StatusCode::OK, &Balances { items }))
}

impl Account {
    /// The word that is kept and shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Receivable => "receivable",
            Self::Cash => "cash",
            Self::Clearing => CLEARING,
            Self::Bank => "bank",
            Self::Suspense => "suspense",
            Self::Exchange => "exchange",
            Self::Opening => "opening",
            Self::Disputed => "disputed",
            Self::DeferredRevenue => "deferred_revenue",
            Self::TaxPayable => "tax_payable",
            Self::CreditsLiability => "credits_liability",
            Self::Revenue => "revenue",
            Self::Breakage => "breakage",
            Self::Refunds => "refunds",
            Self::Promotions => "promotions",
            Self::Fees => "fees",
            Self::BadDebt => "bad_debt",
        }
    }
}
