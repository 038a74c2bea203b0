//! Wallets: prepaid credit of a customer, which pays invoices before anything else does.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    books,
    credit::{self, Basis, GRANTS_MAX, Grant, Part},
    ledger::Event,
    money::{AMOUNT_MAX, Currency},
    store,
};

/// Lets what was not consumed in time expire.
pub const EXPIRE: &str = "billing.expire";

/// A grant, as it is kept and shown.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = CreditGrant)]
pub struct GrantRow {
    /// `grt_…`
    #[serde(default)]
    pub id: String,
    /// The currency.
    #[serde(default)]
    pub currency: String,
    /// Whether it was paid for.
    pub basis: Basis,
    /// The lowest is consumed first.
    pub priority: u8,
    /// How much was granted, in minor units.
    pub amount: i64,
    /// How much of it was consumed.
    pub consumed: i64,
    /// How much of it expired.
    pub expired: i64,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// When the rest expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Counts its changes.
    #[serde(skip)]
    pub version: i64,
}

/// What a grant is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCreditGrant)]
pub struct NewGrant {
    /// How much, in minor units: 1 to 999999999999.
    pub amount: i64,
    /// The currency.
    pub currency: Currency,
    /// Whether it was paid for.
    pub basis: Basis,
    /// The lowest is consumed first; 100 when left out.
    #[serde(default)]
    pub priority: Option<u8>,
    /// When the rest expires.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Why, up to 200 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// The wallet of a customer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreditWallet)]
pub struct ShownWallet {
    /// What can be consumed now, by currency, in minor units.
    pub available: std::collections::BTreeMap<String, i64>,
    /// All grants, oldest first.
    pub items: Vec<GrantRow>,
}

/// What a consumption changed.
pub struct Consumed {
    /// From which grants how much.
    pub parts: Vec<Part>,
    /// The commit that writes it.
    pub commit: Commit,
}

impl Consumed {
    /// How much, in minor units.
    pub fn amount(&self) -> i64 {
        self.parts.iter().map(|it| it.amount).sum()
    }

    /// What is posted for it.
    pub fn event(&self) -> Event {
        let of = |basis| self.parts.iter().filter(|it| it.basis == basis).map(|it| it.amount).sum();
        Event::GrantConsumed { paid: of(Basis::Paid), promotional: of(Basis::Promotional) }
    }
}

/// Consumes up to `amount` of the customer's credit.
///
/// # Errors
/// When it cannot be read.
pub async fn consume(
    at: &impl Tenant,
    customer: &str,
    currency: Currency,
    amount: i64,
) -> Result<Consumed, Problem> {
    let (rows, wallet) = read(at, customer, currency).await?;
    if amount <= 0 || wallet.available(at.now()) == 0 {
        return Ok(Consumed { parts: Vec::new(), commit: Commit::new() });
    }
    let (after, parts) = wallet.consume_up_to(amount, at.now()).map_err(broken)?;
    Ok(Consumed { commit: write(customer, &rows, &after), parts })
}

/// Gives back what was consumed.
///
/// # Errors
/// When it cannot be read.
pub async fn release(
    at: &impl Tenant,
    customer: &str,
    currency: Currency,
    parts: &[Part],
) -> Result<Commit, Problem> {
    if parts.is_empty() {
        return Ok(Commit::new());
    }
    let (rows, wallet) = read(at, customer, currency).await?;
    let after = wallet.release(parts).map_err(broken)?;
    Ok(write(customer, &rows, &after))
}

/// The commit that keeps `amount` for the customer, which it is owed.
///
/// # Errors
/// When there is no id to be had.
pub fn keep(
    at: &impl Tenant,
    customer: &str,
    currency: Currency,
    amount: i64,
    note: String,
) -> Result<Commit, Problem> {
    grown(at, customer, (currency, amount), Event::Credited(amount), note)
}

/// The commit that keeps `amount` of money that came for nothing in particular.
///
/// # Errors
/// When there is no id to be had.
pub fn buy(
    at: &impl Tenant,
    customer: &str,
    currency: Currency,
    amount: i64,
    note: String,
) -> Result<Commit, Problem> {
    grown(at, customer, (currency, amount), Event::GrantBought(amount), note)
}

fn grown(
    at: &impl Tenant,
    customer: &str,
    (currency, amount): (Currency, i64),
    event: Event,
    note: String,
) -> Result<Commit, Problem> {
    let row = GrantRow {
        id: at.new_id("grt")?.to_string(),
        currency: currency.code().to_owned(),
        basis: Basis::Paid,
        priority: 0,
        amount,
        consumed: 0,
        expired: 0,
        granted_at: at.now(),
        expires_at: None,
        note: Some(note),
        version: 1,
    };
    let posted = books::post(at, event, currency, &row.id)?;
    Ok(posted.and(store::insert_grant(customer, &row)))
}

async fn read(
    at: &impl Tenant,
    customer: &str,
    currency: Currency,
) -> Result<(Vec<GrantRow>, credit::Wallet), Problem> {
    let mut rows = store::grants(at, customer).await?;
    rows.retain(|it| it.currency == currency.code());
    let grants = rows.iter().map(GrantRow::grant).collect::<Result<Vec<_>, _>>().map_err(broken)?;
    let wallet = credit::Wallet::of(grants).map_err(broken)?;
    Ok((rows, wallet))
}

fn write(customer: &str, before: &[GrantRow], after: &credit::Wallet) -> Commit {
    let changed = before.iter().filter_map(|row| {
        let grant = after.grants().iter().find(|it| it.id == row.id)?;
        let (consumed, expired) = (grant.consumed(), grant.expired());
        ((consumed, expired) != (row.consumed, row.expired)).then(|| GrantRow {
            consumed,
            expired,
            version: row.version + 1,
            ..row.clone()
        })
    });
    changed.fold(Commit::new(), |commit, row| commit.and(store::update_grant(customer, &row)))
}

fn broken(err: credit::Error) -> Problem {
    Problem::internal().caused_by(err.to_string())
}

impl GrantRow {
    /// The grant that the calculator knows.
    ///
    /// # Errors
    /// When its amounts are none.
    pub fn grant(&self) -> Result<Grant, credit::Error> {
        let (id, granted_at) = (self.id.clone(), self.granted_at);
        Grant::new(id, self.basis, self.priority, self.amount, granted_at, self.expires_at)?
            .used(self.consumed, self.expired)
    }
}

/// Shows what a customer has.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let customer = crate::customer_of(at, call).await?;
    let items = store::grants(at, &customer.id).await?;
    let mut available = std::collections::BTreeMap::new();
    for row in &items {
        let grant = row.grant().map_err(broken)?;
        let left = if grant.is_live(at.now()) { grant.remaining() } else { 0 };
        *available.entry(row.currency.clone()).or_insert(0) += left;
    }
    Ok(json_response(StatusCode::OK, &ShownWallet { available, items }))
}

/// Grants credit.
pub async fn grant(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let new: NewGrant = call.json()?;
    let customer = crate::customer_of(at, call).await?;
    if !(1..=AMOUNT_MAX).contains(&new.amount) {
        return Err(Problem::unfitting("amount", format!("1 to {AMOUNT_MAX} minor units")));
    }
    if new.expires_at.is_some_and(|it| it <= at.now()) {
        return Err(Problem::unfitting("expires_at", "a moment to come"));
    }
    if new.note.as_ref().is_some_and(|it| it.chars().count() > 200) {
        return Err(Problem::unfitting("note", "up to 200 characters"));
    }
    if store::grants(at, &customer.id).await?.len() >= GRANTS_MAX {
        let max = u32::try_from(GRANTS_MAX).unwrap_or(u32::MAX);
        return Err(Problem::full_list(max, "grants", "let some expire"));
    }
    let row = GrantRow {
        id: at.new_id("grt")?.to_string(),
        currency: new.currency.code().to_owned(),
        basis: new.basis,
        priority: new.priority.unwrap_or(100),
        amount: new.amount,
        consumed: 0,
        expired: 0,
        granted_at: at.now(),
        expires_at: new.expires_at,
        note: new.note,
        version: 1,
    };
    let mut commit = store::insert_grant(&customer.id, &row);
    if new.basis == Basis::Paid {
        let bought = Event::GrantBought(row.amount);
        commit = commit.and(books::post(at, bought, new.currency, &row.id)?);
    }
    if let Some(end) = row.expires_at {
        let body = json!({"customer": customer.id, "id": row.id});
        commit = commit.job(NewJob::new(EXPIRE, format!("{EXPIRE}:{}", row.id), body).at(end));
    }
    let entry = Draft::new("credit.granted", &Id::trusted(row.id.clone())).with(json!({
        "customer": customer.id, "amount": row.amount, "currency": row.currency,
        "basis": row.basis, "expires_at": row.expires_at,
    }));
    let response = json_response(StatusCode::CREATED, &row);
    at.answer(commit.entry(entry), response, Problem::changed_meanwhile).await
}

/// Works the job of a grant that is over.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn expire(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let customer = job.body.get("customer").and_then(|it| it.as_str()).unwrap_or_default();
    let id = job.subject()?;
    let rows = store::grants(at, customer).await?;
    let Some(row) = rows.into_iter().find(|it| it.id == id.as_str()) else {
        return Ok(Commit::new());
    };
    let rest = row.amount - row.consumed - row.expired;
    if rest == 0 || row.expires_at.is_none_or(|it| at.now() < it) {
        return Ok(Commit::new());
    }
    let currency = Currency::parse(&row.currency).map_err(Failure::dead)?;
    let expired = GrantRow { expired: row.expired + rest, version: row.version + 1, ..row };
    let mut commit = store::update_grant(customer, &expired);
    if expired.basis == Basis::Paid {
        let event = Event::GrantExpired(rest);
        commit = commit.and(books::post(at, event, currency, id.as_str()).map_err(crate::failed)?);
    }
    let data = json!({"customer": customer, "amount": rest, "currency": expired.currency});
    Ok(commit.entry(Draft::new("credit.expired", &id).with(data)))
}
