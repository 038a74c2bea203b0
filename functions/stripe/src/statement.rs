//! Statements: what moved at the provider since the last one is read, page by page, and told.
//!
//! Each page is a commit, with entries that tell its movements. The last entry tells the sums and
//! what the account had at the end. Windows touch, and the hour before each is told again: a movement
//! that was late is there then, and who books them knows those that it has.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    account::{self, Account, Mode, Provider},
    mirror::{Object, Payment},
    movement::{self, Movement, Sum},
    provider::{self, AnyProvider, CallError, List, PaymentProvider},
    refetch, store,
};

/// Reads the next page.
pub const READ: &str = "stripe.statement";

/// How old a movement is at least, in seconds: what is younger may not be in the list yet.
const LAG_SECONDS: i64 = 60;
/// How much of the time before a window is looked at again, in seconds.
const OVERLAP_SECONDS: i64 = 3_600;
/// How long a window is at most, in seconds; the rest is the next one's.
const WINDOW_SECONDS: i64 = 31 * 86_400;
/// How far back the first statement of an account goes that was there before statements were.
const FIRST_SECONDS: i64 = 86_400;
/// How many pages a statement has at most.
const PAGES_MAX: u32 = 10_000;
/// How many movements one entry tells.
pub const PART_MAX: usize = 25;
/// How many pages of what came after the window are read beside the balance.
const LATER_PAGES_MAX: usize = 5;
/// How often a balance is asked for that changes meanwhile.
const TRIES_MAX: u32 = 5;
/// How long the next try waits.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// How far a statement is, and what it comes to.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = PaymentStatement)]
pub struct Statement {
    /// 1, 2, 3 … of an account.
    pub number: i64,
    /// From when on movements are in it, in seconds since 1970, by the provider's clock.
    pub from: i64,
    /// Until when: what is of this second is in the next one.
    pub to: i64,
    /// From when on the account has statements.
    pub began: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Whether all pages are read, and only the balance is asked for.
    pub read: bool,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many pages it has seen.
    pub pages: u32,
    /// How many entries told its movements.
    pub parts: u32,
    /// How many movements it has.
    pub seen: u64,
    /// How often the balance was asked for.
    pub tries: u32,
    /// Up to 500 sums, of each day, currency and kind.
    pub sums: Vec<Sum>,
    /// What the account had at the end, by currency in minor units: available and pending. Nothing
    /// when it changed whenever it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balances: Option<BTreeMap<String, i64>>,
    /// Counts its steps.
    #[serde(skip)]
    pub version: i64,
}

/// The row of a new account, whose first statement begins here: what was before opens the books.
pub fn origin(at: &impl Tenant, account: &Account) -> Commit {
    let now = at.real_now().seconds();
    let it = Statement {
        from: now,
        to: now,
        began: now,
        started_at: at.now(),
        ended_at: Some(at.now()),
        version: 1,
        ..Statement::default()
    };
    store::put_statement(&account.id, &it)
}

fn job(account: &str, it: &Statement) -> NewJob {
    NewJob::new(READ, format!("{READ}:{account}:{}", it.version), json!({"id": account}))
}

/// Whether this account has statements: PayPal's list of transactions is hours behind, and says no
/// sum of what is pending.
fn is_stated(it: &Account) -> bool {
    it.provider == Provider::Stripe
}

/// What is written each hour: a statement begins with the first hour of a day (UTC, by the tenant's
/// clock) when the account collects, and one that was given up has all its tries again.
///
/// # Errors
/// When the row cannot be read.
pub async fn hourly(at: &impl Tenant, account: &Account) -> Result<Commit, PortError> {
    if !is_stated(account) || account.mode != Mode::Engine {
        return Ok(Commit::new());
    }
    let before = store::find_statement(at, &account.id).await?;
    let day = |it: Timestamp| it.0.div_euclid(86_400_000);
    match before {
        Some(it) if it.ended_at.is_none() => Ok(Commit::new().job(job(&account.id, &it).sooner())),
        Some(it) if day(it.started_at) == day(at.now()) => Ok(Commit::new()),
        before => Ok(begun(at, account, before).1),
    }
}

fn begun(at: &impl Tenant, account: &Account, before: Option<Statement>) -> (Statement, Commit) {
    let now = at.real_now().seconds();
    let from = before.as_ref().map_or(now - FIRST_SECONDS, |it| it.to);
    let it = Statement {
        number: before.as_ref().map_or(1, |it| it.number + 1),
        from,
        to: (now - LAG_SECONDS).clamp(from, from + WINDOW_SECONDS),
        began: before.as_ref().map_or(from, |it| it.began),
        started_at: at.now(),
        version: before.map_or(1, |it| it.version + 1),
        ..Statement::default()
    };
    let commit = store::put_statement(&account.id, &it).job(job(&account.id, &it));
    (it, commit)
}

/// Begins one now.
pub async fn start(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let account = account::find(at, call).await?;
    if !is_stated(&account) {
        let kind = "/problems/payments/no-statement";
        return Err(Problem::new(StatusCode::CONFLICT, kind, "The provider gives no statement")
            .detail("what moved is read at Stripe alone: reconcile this account instead"));
    }
    let before = store::find_statement(at, &account.id).await?;
    if before.as_ref().is_some_and(|it| it.ended_at.is_none()) {
        let kind = "/problems/payments/reconciling";
        return Err(Problem::new(StatusCode::CONFLICT, kind, "A statement is on its way")
            .detail("read it, and begin another one when it has ended"));
    }
    let (it, commit) = begun(at, &account, before);
    let response = json_response(StatusCode::ACCEPTED, &it);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// Reads how far the last one is.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let account = account::find(at, call).await?;
    let found = store::find_statement(at, &account.id).await?.filter(|it| it.number > 0);
    Ok(json_response(StatusCode::OK, &found.ok_or_else(Problem::not_found)?))
}

/// Works one page, or asks for the balance after the last one.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, worked: &Job) -> Result<Commit, Failure> {
    let id = worked.subject()?;
    let account = store::find_account(at, id.as_str()).await?;
    let found = store::find_statement(at, id.as_str()).await?;
    let (Some(account), Some(it)) = (account, found) else { return Ok(Commit::new()) };
    if it.ended_at.is_some() || worked.id != job(&account.id, &it).id {
        return Ok(Commit::new());
    }
    let provider = provider::of(at, &account).await?;
    let next = Statement { version: it.version + 1, ..it };
    match next.read {
        false => page(at, &account, &provider, next).await,
        true => balance(at, &account, &provider, next).await,
    }
}

async fn page(
    at: &impl Tenant,
    account: &Account,
    provider: &AnyProvider,
    mut it: Statement,
) -> Result<Commit, Failure> {
    if it.pages >= PAGES_MAX {
        return Err(Failure::dead(format!("a statement has up to {PAGES_MAX} pages")));
    }
    let since = it.began.max(it.from - OVERLAP_SECONDS);
    let found = provider.list(at, List::Movements, Some(since), it.after.as_deref()).await;
    let found = found.map_err(refetch::failure)?;
    let mut movements = Vec::new();
    for item in &found.items {
        let read = provider.movement(item).filter(|read| (since..it.to).contains(&read.created));
        let Some(read) = read else { continue };
        if read.created >= it.from {
            movement::add(&mut it.sums, &read);
            it.seen += 1;
        }
        movements.push(of_whom(at, account, read).await?);
    }
    let mut commit = Commit::new();
    for part in movements.chunks(PART_MAX) {
        it.parts += 1;
        commit = commit.entry(moved(account, &it, part));
    }
    it.pages += 1;
    it.read = found.next.is_none();
    it.after = found.next;
    Ok(commit.and(store::put_statement(&account.id, &it)).job(job(&account.id, &it)))
}

/// The movement with our id of its payment: a refund and a dispute do not say it themselves.
async fn of_whom(
    at: &impl Tenant,
    account: &Account,
    mut it: Movement,
) -> Result<Movement, PortError> {
    if let (None, Some(reference)) = (&it.payment, &it.reference) {
        let known = store::find_object(at, &account.id, reference).await?;
        if let Some((Object::Payment(Payment { payment, .. }), _)) = known {
            it.payment = payment;
        }
    }
    Ok(it)
}

fn moved(account: &Account, it: &Statement, part: &[Movement]) -> Draft {
    let data = json!({
        "account": account.id, "provider": account.provider, "statement": it.number,
        "part": it.parts, "started_at": it.started_at, "to": it.to, "movements": part,
    });
    Draft::new("payment_account.moved", &Id::trusted(account.id.clone())).with(data)
}

/// Asks for the balance, and takes off what came after the window. Both change while they are read:
/// what came after is read before and after the balance, and has to be the same.
async fn balance(
    at: &impl Tenant,
    account: &Account,
    provider: &AnyProvider,
    mut it: Statement,
) -> Result<Commit, Failure> {
    it.tries += 1;
    let before = later(at, provider, it.to).await.map_err(refetch::failure)?;
    let has = provider.balance(at).await.map_err(refetch::failure)?;
    let after = later(at, provider, it.to).await.map_err(refetch::failure)?;
    match after.filter(|after| before.as_ref() == Some(after)) {
        Some(later) => it.balances = Some(movement::before(provider.holdings(&has), &later)),
        None if it.tries < TRIES_MAX => {
            let again = job(&account.id, &it).at(at.now() + TRY_AGAIN);
            return Ok(store::put_statement(&account.id, &it).job(again));
        }
        None => {}
    }
    it.ended_at = Some(at.now());
    let data = json!({
        "account": account.id, "provider": account.provider, "statement": it.number,
        "from": it.from, "to": it.to, "started_at": it.started_at, "parts": it.parts,
        "seen": it.seen, "sums": it.sums, "balances": it.balances,
    });
    let entry = Draft::new("payment_account.stated", &Id::trusted(account.id.clone()));
    Ok(store::put_statement(&account.id, &it).entry(entry.with(data)))
}

/// What moved from `since` on; nothing when that is more than is looked through.
async fn later(
    at: &impl Tenant,
    provider: &AnyProvider,
    since: i64,
) -> Result<Option<Vec<Movement>>, CallError> {
    let (mut all, mut after) = (Vec::new(), None);
    for _ in 0..LATER_PAGES_MAX {
        let page = provider.list(at, List::Movements, Some(since), after.as_deref()).await?;
        all.extend(page.items.iter().filter_map(|it| provider.movement(it)));
        after = page.next;
        if after.is_none() {
            return Ok(Some(all));
        }
    }
    Ok(None)
}
