//! Collecting: what billing asks for is charged or paid back at the provider, once.

use serde_json::{Value, json};
use shared::{
    domain::{Commit, Entry, Failure, Job, NewJob},
    http::{Response, StatusCode, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};

use crate::{
    account::{self, Account},
    mirror::Fact,
    provider::{self, CallError, Charge, PaymentProvider, Refund},
    refetch, store,
};

/// Charges.
pub const CHARGE: &str = "stripe.charge";
/// Pays back.
pub const REFUND: &str = "stripe.refund";
/// Where a job has the provider's id of the customer.
const REFERENCE: &str = "provider_customer";
/// What is followed.
pub const FOLLOWS: &[&str] = &["payment.requested", "refund.requested"];

/// The jobs that entries are. Their ids are the payments' own: a payment is charged once.
///
/// Who the customer is at the provider is settled here, so that each try of a job is the same call:
/// a provider refuses another one under the same key, which is no word on the payment.
///
/// # Errors
/// When the customer cannot be read.
pub async fn follow(at: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
    let mut commit = Commit::new();
    for it in entries {
        let kind = if it.action == "refund.requested" { REFUND } else { CHARGE };
        let mut body = it.data.clone();
        if let Some(body) = body.as_object_mut() {
            let word = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
            let known = store::find_customer(at, word("account"), word("customer")).await?;
            body.insert(REFERENCE.to_owned(), json!(known));
        }
        commit = commit.job(NewJob::new(kind, format!("{kind}:{}", it.subject), body));
    }
    Ok(commit)
}

fn word(job: &Job, name: &str) -> String {
    job.body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

async fn account_of(at: &impl Tenant, job: &Job) -> Result<Option<Account>, Failure> {
    Ok(store::find_account(at, &word(job, "account")).await?)
}

/// Works a charge. A crash after the call and before the commit repeats the call with the same
/// key, which has its effect once.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn charge(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let Some(account) = account_of(at, job).await? else {
        return Ok(Commit::new().entry(lost(job)));
    };
    let charge = charge_of(job);
    let provider = provider::of(at, &account).await?;
    match once(at, &provider, &charge, job).await {
        Ok(object) => refetch::take(at, &account, &provider, &object).await,
        // The object tells the refusal itself, unless its webhook was faster.
        Err(CallError::Declined { object: Some(it), .. }) => {
            refetch::take(at, &account, &provider, &it).await
        }
        Err(CallError::Declined { code, detail, object: None }) => {
            Ok(Commit::new().entry(refused(&account, &charge, &code, &detail)))
        }
        Err(CallError::Refused(why)) => {
            Ok(Commit::new().entry(refused(&account, &charge, "refused", &why)))
        }
        Err(err @ CallError::Later { .. }) if job.is_last() => {
            let entry = refused(&account, &charge, "unreachable", &err.to_string());
            Ok(Commit::new().entry(entry))
        }
        Err(err) => Err(refetch::failure(err)),
    }
}

fn charge_of(job: &Job) -> Charge {
    let optional = |name: &str| job.body.get(name).and_then(Value::as_str).map(str::to_owned);
    Charge {
        payment: word(job, "payment"),
        amount: job.body.get("amount").and_then(Value::as_i64).unwrap_or(0),
        currency: word(job, "currency"),
        reference: optional(REFERENCE),
        customer: word(job, "customer"),
        method: optional("method"),
        description: word(job, "description"),
    }
}

/// Charges, unless a try before this one has: then it is how that payment stands.
async fn once(
    at: &impl Tenant,
    provider: &impl PaymentProvider,
    charge: &Charge,
    job: &Job,
) -> Result<Value, CallError> {
    if job.attempts > 1 {
        match provider.charged(at, &charge.payment).await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            // Whoever may not look cannot know, and what is not known is no refusal.
            Err(CallError::Refused(why)) => return Err(CallError::Later { why, after: None }),
            Err(err) => return Err(err),
        }
    }
    provider.charge(at, charge).await
}

/// Tells that a payment failed whose charge ended with its worker each time.
///
/// # Errors
/// When the account cannot be read.
pub async fn give_up(at: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
    if job.kind != CHARGE {
        return Ok(Commit::new());
    }
    let account = store::find_account(at, &word(job, "account")).await?;
    let (charge, why) = (charge_of(job), "no try came to an end");
    Ok(Commit::new().entry(match account {
        Some(account) => refused(&account, &charge, "unreachable", why),
        None => lost(job),
    }))
}

fn refused(account: &Account, it: &Charge, code: &str, detail: &str) -> shared::domain::Draft {
    let data = json!({
        "payment": it.payment, "reference": Value::Null, "code": code, "detail": detail,
        "amount": it.amount, "currency": it.currency,
    });
    let subject = it.payment.clone();
    refetch::entry(account, Fact { action: "payment.failed", subject, data })
}

/// Of an account that is not there any more, nobody knows whose it was.
fn lost(job: &Job) -> shared::domain::Draft {
    let payment = word(job, "payment");
    let data = json!({
        "payment": payment, "account": word(job, "account"), "reference": Value::Null,
        "code": "refused", "detail": "there is no such account",
    });
    shared::domain::Draft { action: "payment.failed", subject: payment, data }
}

/// Works a refund.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn refund(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let Some(account) = account_of(at, job).await? else {
        return Err(Failure::dead("there is no such account"));
    };
    let refund = Refund {
        refund: word(job, "refund"),
        reference: word(job, "reference"),
        amount: job.body.get("amount").and_then(Value::as_i64).unwrap_or(0),
        currency: word(job, "currency"),
    };
    let provider = provider::of(at, &account).await?;
    let paid = paid_back(at, &provider, &refund, job).await;
    match paid {
        Ok(paid) => refetch::take(at, &account, &provider, &paid).await,
        Err(err) => Err(unrefunded(&account, &refund, job, err)),
    }
}

/// Pays back, unless a try before this one has.
async fn paid_back(
    at: &impl Tenant,
    provider: &impl PaymentProvider,
    refund: &Refund,
    job: &Job,
) -> Result<Value, CallError> {
    if job.attempts > 1
        && let Some(it) = provider.refunded(at, refund).await?
    {
        return Ok(it);
    }
    provider.refund(at, refund).await
}

/// The failure of a refund. The last one is told: somebody has to give the money back another way.
fn unrefunded(account: &Account, it: &Refund, job: &Job, err: CallError) -> Failure {
    let code = match &err {
        CallError::Held(_) => return refetch::failure(err),
        CallError::Later { .. } if !job.is_last() => return refetch::failure(err),
        CallError::Later { .. } => "unreachable",
        CallError::Declined { code, .. } => code,
        CallError::Refused(_) => "refused",
    };
    let data = json!({
        "refund": it.refund, "payment": word(job, "payment"), "reference": it.reference,
        "amount": it.amount, "currency": it.currency, "code": code, "detail": err.to_string(),
    });
    let fact = Fact { action: "refund.failed", subject: it.refund.clone(), data };
    refetch::failure(err).writing(Commit::new().entry(refetch::entry(account, fact)))
}

/// Reads what the account has at the provider, as the provider says it.
pub async fn balance(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let account = account::find(at, call).await?;
    let provider = provider::of(at, &account).await?;
    Ok(json_response(StatusCode::OK, &provider.balance(at).await.map_err(problem)?))
}

/// What a caller hears whose call to the provider had no result.
pub fn problem(err: CallError) -> Problem {
    let kind = "/problems/payments/provider";
    let (status, title) = match &err {
        CallError::Later { .. } => (StatusCode::BAD_GATEWAY, "The provider cannot be reached"),
        _ => (StatusCode::CONFLICT, "The provider does not take the call"),
    };
    Problem::new(status, kind, title).detail(err)
}
