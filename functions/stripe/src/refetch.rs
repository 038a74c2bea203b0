//! Refetching: an object that may have changed is fetched, mirrored, and its change told.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Failure, Job, NewJob, Retry, Timestamp},
    ports::{PortError, Tenant},
};

use crate::{
    account::{Account, Mode},
    mirror::{self, Fact, Object},
    provider::{self, CallError, PaymentProvider},
    store,
    stripe::event::path,
};

/// Fetches an object.
pub const REFETCH: &str = "stripe.refetch";

/// The job that fetches an object: once, however many hints of it there are.
pub fn job(account: &str, kind: &str, object: &str, now: Timestamp) -> NewJob {
    let body = json!({"account": account, "kind": kind, "object": object});
    // Hints that come while it is worked must not be lost: they make it due again.
    NewJob::new(REFETCH, format!("{REFETCH}:{account}:{object}"), body).at(now).sooner()
}

/// Works it.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let word = |name: &str| job.body.get(name).and_then(Value::as_str).unwrap_or_default();
    let (kind, id) = (word("kind"), word("object"));
    let Some(account) = store::find_account(at, word("account")).await? else {
        return Ok(Commit::new());
    };
    if path(kind, id).is_none() {
        return Err(Failure::dead(format!("nobody fetches a {kind}")));
    }
    let provider = provider::of(at, &account).await?;
    let fetched = provider.fetch(at, kind, id).await.map_err(failure)?;
    take(at, &account, &provider, &fetched).await
}

/// The failure of a job whose call had no result.
pub fn failure(err: CallError) -> Failure {
    match &err {
        CallError::Later { after: Some(seconds), .. } => {
            let wait = Duration::from_secs(*seconds);
            Failure { retry: Retry::After(wait), ..Failure::again(&err) }
        }
        CallError::Later { .. } => Failure::again(&err),
        CallError::Declined { .. } | CallError::Refused(_) => Failure::dead(&err),
    }
}

/// What is written for an object that was fetched: its mirror, if nobody wrote it meanwhile, and
/// the facts that it is news of.
///
/// # Errors
/// When the mirror cannot be read.
pub async fn take(
    at: &impl Tenant,
    account: &Account,
    provider: &impl PaymentProvider,
    fetched: &Value,
) -> Result<Commit, Failure> {
    let Some((id, mut object)) = provider.read(fetched) else { return Ok(Commit::new()) };
    let mut commit = Commit::new();
    if let Object::Dispute(it) = &mut object
        && it.payment.is_none()
    {
        let (payment, more) = disputed(at, account, provider, fetched).await?;
        it.payment = payment;
        commit = more;
    }
    Ok(commit.and(change(at, account, &id, object).await?))
}

/// Our id of the payment that a dispute is of: the mirror knows it, or the provider does.
async fn disputed(
    at: &impl Tenant,
    account: &Account,
    provider: &impl PaymentProvider,
    dispute: &Value,
) -> Result<(Option<String>, Commit), Failure> {
    let Some(id) = dispute.get("payment_intent").and_then(Value::as_str) else {
        return Ok((None, Commit::new()));
    };
    let known = match store::find_object(at, &account.id, id).await? {
        Some((Object::Payment(it), _)) => it.payment,
        _ => None,
    };
    if known.is_some() {
        return Ok((known, Commit::new()));
    }
    let fetched = provider.fetch(at, "payment_intent", id).await.map_err(failure)?;
    let Some((id, object)) = provider.read(&fetched) else { return Ok((None, Commit::new())) };
    let payment = match &object {
        Object::Payment(it) => it.payment.clone(),
        _ => None,
    };
    Ok((payment, change(at, account, &id, object).await?))
}

/// What is written for an object that is known now.
///
/// # Errors
/// When the mirror cannot be read.
pub async fn change(
    at: &impl Tenant,
    account: &Account,
    id: &str,
    object: Object,
) -> Result<Commit, PortError> {
    let known = store::find_object(at, &account.id, id).await?;
    let (before, version) = match known {
        Some((object, version)) => (Some(object), version),
        None => (None, 0),
    };
    let after = mirror::merged(before.clone(), object);
    if before.as_ref() == Some(&after) {
        return Ok(Commit::new());
    }
    let facts = mirror::facts(id, before.as_ref(), &after);
    let mut commit = store::put_object(&account.id, id, &after, version + 1, at.now());
    if let Object::Customer(it) = &after
        && let Some(customer) = &it.customer
    {
        commit = commit.and(store::put_customer(&account.id, customer, id));
    }
    let told = facts.into_iter().filter(|it| is_told(account, it));
    Ok(told.fold(commit, |commit, it| commit.entry(entry(account, it))))
}

/// Subscriptions of the provider's are told only where they are mirrored.
fn is_told(account: &Account, it: &Fact) -> bool {
    it.action != "subscription.mirrored" || account.mode == Mode::Mirror
}

/// The entry that tells a fact.
pub fn entry(account: &Account, it: Fact) -> Draft {
    let mut data = it.data;
    if let Some(data) = data.as_object_mut() {
        data.insert("account".to_owned(), json!(account.id));
        data.insert("provider".to_owned(), json!(account.provider));
    }
    Draft { action: it.action, subject: it.subject, data }
}
