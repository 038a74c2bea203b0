//! Refetching: an object that may have changed is fetched, mirrored, and its change told.

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Failure, Job, NewJob, Retry, Timestamp},
    ports::Tenant,
};

use crate::{
    account::{Account, Mode},
    mirror::{self, Dispute, Fact, Object, Payment},
    provider::{self, CallError, PaymentProvider},
    store,
};

/// Fetches an object.
pub const REFETCH: &str = "stripe.refetch";

/// The job that fetches an object: once, however many hints of it there are.
pub fn job(account: &str, kind: &str, object: &str, now: Timestamp) -> NewJob {
    let body = json!({"account": account, "kind": kind, "object": object});
    // Hints that come while it is worked must not be lost: they make it due again.
    NewJob::new(REFETCH, format!("{REFETCH}:{account}:{kind}:{object}"), body).at(now).sooner()
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
    let provider = provider::of(at, &account).await?;
    if !provider.can_fetch(kind, id) {
        return Err(Failure::dead(format!("nobody fetches a {kind}")));
    }
    // The mirror is read before the provider is asked: so its guard lets no answer through that is
    // older than the one that was written last.
    let known = store::find_object(at, &account.id, id).await?;
    let fetched = provider.fetch(at, kind, id).await.map_err(failure)?;
    let Some((fetched_id, object)) = provider.read(&fetched) else { return Ok(Commit::new()) };
    let known = match fetched_id == id {
        true => known,
        false => store::find_object(at, &account.id, &fetched_id).await?,
    };
    let (object, more) = whole(at, &account, &provider, &fetched, object).await?;
    Ok(more.and(change(&account, &fetched_id, known, object, at.now())))
}

/// The failure of a job whose call had no result.
pub fn failure(err: CallError) -> Failure {
    match &err {
        CallError::Held(wait) => Failure::postponed(*wait, Commit::new()),
        CallError::Later { after: Some(seconds), .. } => {
            let wait = Duration::from_secs(*seconds);
            Failure { retry: Retry::After(wait), ..Failure::again(&err) }
        }
        CallError::Later { .. } => Failure::again(&err),
        CallError::Declined { .. } | CallError::Refused(_) => Failure::dead(&err),
    }
}

/// What is written for an object that came as the answer to a call, or in a list, and is new or a
/// payment: its mirror, if nobody wrote it meanwhile, and the facts that it is news of. A payment's
/// mirror only grows, so that an answer that is repeated, and old, does no harm.
///
/// # Errors
/// When the mirror cannot be read.
pub async fn take(
    at: &impl Tenant,
    account: &Account,
    provider: &impl PaymentProvider,
    fetched: &Value,
) -> Result<Commit, Failure> {
    let Some((id, object)) = provider.read(fetched) else { return Ok(Commit::new()) };
    let known = store::find_object(at, &account.id, &id).await?;
    let (object, more) = whole(at, account, provider, fetched, object).await?;
    Ok(more.and(change(account, &id, known, object, at.now())))
}

/// The object with what it does not say itself: a dispute's payment.
async fn whole(
    at: &impl Tenant,
    account: &Account,
    provider: &impl PaymentProvider,
    fetched: &Value,
    object: Object,
) -> Result<(Object, Commit), Failure> {
    match object {
        Object::Dispute(it) if it.payment.is_none() => {
            let (payment, more) = disputed(at, account, provider, fetched).await?;
            Ok((Object::Dispute(Dispute { payment, ..it }), more))
        }
        other => Ok((other, Commit::new())),
    }
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
    let known = store::find_object(at, &account.id, id).await?;
    if let Some((Object::Payment(Payment { payment: Some(it), .. }), _)) = &known {
        return Ok((Some(it.clone()), Commit::new()));
    }
    let fetched = provider.fetch(at, "payment_intent", id).await.map_err(failure)?;
    let Some((id, object)) = provider.read(&fetched) else { return Ok((None, Commit::new())) };
    let payment = match &object {
        Object::Payment(it) => it.payment.clone(),
        _ => None,
    };
    Ok((payment, change(account, &id, known, object, at.now())))
}

/// What is written for an object that is `known`, with its version, now that it was fetched.
fn change(
    account: &Account,
    id: &str,
    known: Option<(Object, i64)>,
    fetched: Object,
    now: Timestamp,
) -> Commit {
    // Where our engine keeps subscriptions, the provider's are nobody's. They are not mirrored
    // either, so that all of them are news when the account is to mirror them.
    if matches!(fetched, Object::Subscription(_)) && account.mode == Mode::Engine {
        return Commit::new();
    }
    let (before, version) = known.map_or((None, 0), |(it, version)| (Some(it), version));
    let Some((after, facts)) = mirror::news(id, before.as_ref(), fetched) else {
        return Commit::new();
    };
    let mut commit = store::put_object(&account.id, id, &after, version + 1, now);
    if let Object::Customer(it) = &after
        && let Some(customer) = &it.customer
    {
        commit = commit.and(store::put_customer(&account.id, customer, id));
    }
    facts.into_iter().fold(commit, |commit, it| commit.entry(entry(account, it)))
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
