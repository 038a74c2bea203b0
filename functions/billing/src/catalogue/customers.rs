//! Customers over HTTP.

use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Id, Page, WORD, is_word},
    http::{Response, StatusCode, empty, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};

use super::{check_text, check_version, entities::check_party, shown, vies};
use crate::{
    bill::credit::wrong_state,
    customer::{Customer, CustomerText, Method},
    entity::{self, NET_DAYS_MAX},
    payment, store,
};

/// How many invoices that are owed are tried again when a method changes.
const RETRIED_MAX: u32 = 50;

/// Lists them by id.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_customers(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.id.clone())))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = crate::customer_of(at, call).await?;
    Ok(shown(&found, found.version))
}

/// Puts one, or changes it: from the next invoice on. A new VAT id is asked of VIES.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (id, text): (_, CustomerText) = (call.param().to_owned(), call.json()?);
    if !is_word(&id) {
        return Err(Problem::unfitting("id", WORD));
    }
    let before = store::find_customer(at, &id).await?;
    check_version(call, before.as_ref().map(|it| it.version))?;
    let it = made(at, id, text, before.as_ref()).await?;
    let entry = Draft::new("billing_customer.put", &Id::trusted(it.id.clone()))
        .with(json!({"entity": it.entity, "country": it.party.country}));
    let mut commit = store::put_customer(&it).entry(entry);
    if it.party.vat_id.is_some() && it.vat_id_checked_at.is_none() {
        commit = commit.job(vies::job(&it));
    }
    if it.method != before.as_ref().and_then(|old| old.method.clone()) {
        commit = commit.and(retried(at, &it.id).await?);
    }
    at.answer(commit, shown(&it, it.version), Problem::changed_meanwhile).await
}

async fn made(
    at: &impl Tenant,
    id: String,
    text: CustomerText,
    before: Option<&Customer>,
) -> Result<Customer, Problem> {
    check_party(&text.party)?;
    if !is_mail(&text.email) {
        return Err(Problem::unfitting("email", "an e-mail address, as billing@example.com"));
    }
    if text.net_days.is_some_and(|it| it > NET_DAYS_MAX) {
        return Err(Problem::unfitting("net_days", format!("up to {NET_DAYS_MAX}")));
    }
    check_text("buyer_reference", text.buyer_reference.as_ref(), 100)?;
    check_text("order", text.order.as_ref(), 100)?;
    let locale = text.locale.unwrap_or_else(|| "en".to_owned());
    if !is_locale(&locale) {
        return Err(Problem::unfitting("locale", "a tag of BCP 47, as de or pt-BR"));
    }
    let name = text.entity.unwrap_or_else(|| entity::DEFAULT.to_owned());
    let sells = store::find_entity(at, &name).await?;
    let sells = sells.ok_or_else(|| Problem::unfitting("entity", "put the entity first"))?;
    let kept = before.filter(|it| it.party.vat_id == text.party.vat_id);
    let checked = text.vat_id_checked_at.or(kept.and_then(|it| it.vat_id_checked_at));
    if text.party.vat_id.is_none() && text.vat_id_checked_at.is_some() {
        return Err(Problem::unfitting("vat_id_checked_at", "there is no VAT id to check"));
    }
    Ok(Customer {
        id,
        vat_id_checked_at: checked.filter(|_| text.party.vat_id.is_some()),
        party: text.party,
        email: text.email,
        locale,
        zone: text.zone.unwrap_or(sells.zone),
        entity: name,
        collection: text.collection,
        net_days: text.net_days,
        account: text.account,
        method: text.method.or_else(|| before.and_then(|it| it.method.clone())),
        buyer_reference: text.buyer_reference,
        order: text.order,
        endpoint: text.endpoint,
        mails_bills: text.mails_bills,
        version: before.map_or(1, |it| it.version + 1),
        updated_at: at.now(),
    })
}

/// Whether it could be a tag of BCP 47.
pub fn is_locale(text: &str) -> bool {
    (2..=35).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
}

/// Whether mail could be sent to it: one `@` with something on both sides and a dot after it.
pub fn is_mail(text: &str) -> bool {
    let plain = text.len() <= 254 && !text.chars().any(|it| it.is_whitespace() || it.is_control());
    let parts = text.rsplit_once('@');
    plain && parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

/// Deletes one that was never billed.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = store::find_customer(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    check_version(call, Some(found.version))?;
    let entry = Draft::new("billing_customer.deleted", &Id::trusted(found.id.clone()));
    let commit = store::delete_customer(&found).entry(entry);
    let why = || wrong_state("it was billed, or was changed meanwhile: invoices are kept");
    at.answer(commit, empty(StatusCode::NO_CONTENT), why).await
}

/// What is written when the provider says that a customer's method is another one.
///
/// # Errors
/// When something cannot be read.
pub async fn method_changed(at: &impl Tenant, data: &Value) -> Result<Commit, Problem> {
    let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
    let id = text("customer").unwrap_or_default();
    let Some(before) = store::find_customer(at, &id).await? else { return Ok(Commit::new()) };
    let method = text("method").map(|reference| Method {
        reference,
        kind: text("kind").unwrap_or_else(|| "card".to_owned()),
        last4: text("last4"),
        expires: text("expires"),
    });
    if method == before.method {
        return Ok(Commit::new());
    }
    let version = before.version + 1;
    let after = Customer { method, version, updated_at: at.now(), ..before };
    let entry = Draft::new("billing_customer.method_changed", &Id::trusted(after.id.clone()));
    let retried = match after.method {
        Some(_) => retried(at, &after.id).await?,
        None => Commit::new(),
    };
    Ok(store::put_customer(&after).entry(entry).and(retried))
}

/// The jobs that try what is owed again, now that there is another method.
async fn retried(at: &impl Tenant, customer: &str) -> Result<Commit, Problem> {
    let owed = store::list_owed(at, customer, RETRIED_MAX).await?;
    let failed = owed.iter().filter(|it| !it.failures.is_empty());
    let job = |commit: Commit, it| commit.job(payment::dun::retry_job(it, at.now()));
    Ok(failed.fold(Commit::new(), job))
}
