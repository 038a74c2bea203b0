//! What providers say of payments: it comes by the log, and may come late, twice or in another
//! order. Each fact is a job of its own; a payment goes from asked to its end once.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Entry, Failure, Id, Job, NewJob, Retry},
    ports::Tenant,
    problem::Problem,
};

use super::{Dispute, Payment, PaymentState, dun};
use crate::{
    bill::{Bill, BillState, FailedAttempt, close, credit, pay},
    books,
    clearing::{Kind, booking},
    ledger::Event,
    store, subscription,
};

/// Works what a provider said of a payment.
pub const FACT: &str = "billing.payment";

/// The jobs that entries of the log are to us.
pub fn facts(entries: &[Entry]) -> Commit {
    let ours = ["payment.requested", "payment.recorded"];
    entries.iter().filter(|it| !ours.contains(&it.action.as_str())).fold(
        Commit::new(),
        |commit, it| {
            let body = json!({"action": it.action, "data": it.data});
            commit.job(NewJob::new(FACT, format!("{FACT}:{:012}", it.sequence), body))
        },
    )
}

/// Works a fact.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let word = |name: &str| job.body.get(name).cloned().unwrap_or_default();
    let (action, data) = (word("action"), word("data"));
    let action = action.as_str().unwrap_or_default();
    if action == "payment_method.changed" {
        return crate::catalogue::method_changed(at, &data).await.map_err(crate::failed);
    }
    let id = data.get("payment").and_then(Value::as_str).unwrap_or_default();
    let Some(payment) = store::find_payment(at, id).await? else {
        // It began at the provider, or is another function's.
        return Ok(Commit::new());
    };
    let Some(bill) = store::find_bill(at, &payment.invoice).await? else {
        return Ok(Commit::new());
    };
    // A refund or a dispute that is worked before its payment waits for that.
    let waits = matches!(action, "payment.refunded" | "payment.disputed");
    if waits && payment.state != PaymentState::Succeeded {
        let retry = Retry::After(Duration::from_secs(2));
        return Err(Failure { retry, ..Failure::again("its payment is not there yet") });
    }
    let done = match action {
        "payment.succeeded" => succeeded(at, payment, bill, &data).await,
        "payment.failed" => failed(at, payment, bill, &data).await,
        "payment.action_required" => Ok(action_required(payment, &data)),
        "payment.refunded" => refunded(at, payment, bill, &data).await,
        "payment.disputed" => disputed(at, payment, bill, &data).await,
        _ => Ok(Commit::new()),
    };
    done.map_err(crate::failed)
}

fn text(data: &Value, name: &str) -> Option<String> {
    data.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn amount(data: &Value, name: &str) -> i64 {
    data.get(name).and_then(Value::as_i64).unwrap_or(0)
}

async fn succeeded(
    at: &impl Tenant,
    before: Payment,
    bill: Bill,
    data: &Value,
) -> Result<Commit, Problem> {
    if before.state == PaymentState::Succeeded {
        return Ok(Commit::new());
    }
    let fee = data.get("fee").and_then(Value::as_i64);
    let after = Payment {
        state: PaymentState::Succeeded,
        reference: text(data, "reference"),
        fee,
        code: None,
        ended_at: Some(at.now()),
        ..before.clone()
    };
    let kept = books::post(at, Event::Fee(fee.unwrap_or(0)), bill.currency, &after.id)?;
    let received = receive(at, bill, after.amount, &after.id).await?;
    let told = booking::told(at, &after, Kind::Charge, after.amount, fee.unwrap_or(0));
    Ok(store::update_payment(&before, &after).and(kept).and(received).and(told))
}

/// What is written when `amount` came for a bill. A draft that waited for it gets its number.
///
/// # Errors
/// When something cannot be read.
pub async fn receive(
    at: &impl Tenant,
    mut bill: Bill,
    amount: i64,
    payment: &str,
) -> Result<Commit, Problem> {
    bill.version += 1;
    let mut commit = Commit::new();
    if bill.state == BillState::Draft {
        let parties = close::Parties::of(at, &bill.customer).await?;
        commit = commit.and(close::number(at, &parties, &mut bill).await?);
    }
    if bill.state == BillState::Uncollectible {
        let left = bill.left_of_due();
        let tax = credit::tax_share(&bill, left);
        let back = Event::Recovered { net: left - tax, tax };
        commit = commit.and(books::post(at, back, bill.currency, &bill.id)?);
        bill.state = BillState::Open;
    }
    // More than what is owed is kept as credit.
    let taken = amount.min(bill.left_of_due());
    bill.paid += taken;
    commit = commit.and(books::post(at, Event::Paid(taken), bill.currency, &bill.id)?);
    if amount > taken {
        commit = commit.and(crate::wallet::buy(
            at,
            &bill.customer,
            bill.currency,
            amount - taken,
            format!("paid beyond {}", bill.number.clone().unwrap_or_default()),
        )?);
    }
    if bill.left_of_due() == 0 && bill.state != BillState::Void {
        bill.state = BillState::Paid;
        bill.paid_at = Some(at.now());
        commit = commit.and(pay::settled(at, &bill).await?);
    }
    let entry = Draft::new("invoice.payment_received", &Id::trusted(bill.id.clone())).with(json!({
        "payment": payment, "amount": amount, "left": bill.left_of_due(),
        "number": bill.number, "customer": bill.customer, "currency": bill.currency,
    }));
    Ok(commit.and(store::update_bill(&bill)).entry(entry))
}

fn action_required(before: Payment, data: &Value) -> Commit {
    if !before.state.is_open() {
        return Commit::new();
    }
    let after = Payment {
        state: PaymentState::ActionRequired,
        url: text(data, "url"),
        reference: text(data, "reference"),
        ..before.clone()
    };
    let entry = Draft::new("invoice.action_required", &Id::trusted(before.invoice.clone()))
        .with(json!({"payment": after.id, "customer": after.customer, "url": after.url}));
    store::update_payment(&before, &after).entry(entry)
}

async fn failed(
    at: &impl Tenant,
    before: Payment,
    bill: Bill,
    data: &Value,
) -> Result<Commit, Problem> {
    if !before.state.is_open() {
        return Ok(Commit::new());
    }
    let (code, provider) = (text(data, "code"), text(data, "provider"));
    let after = Payment {
        state: PaymentState::Failed,
        code: code.clone(),
        ended_at: Some(at.now()),
        ..before.clone()
    };
    let attempt = FailedAttempt {
        at: at.now(),
        provider: provider.unwrap_or_default(),
        code: code.unwrap_or_default(),
    };
    let commit = store::update_payment(&before, &after);
    if bill.state == BillState::Draft {
        return Ok(commit.and(subscription::effect::fell_through(at, bill, &attempt).await?));
    }
    let mut bill = bill;
    bill.version += 1;
    bill.failures.push(attempt);
    let step = dun::next_step(at, &bill, None).await?;
    let entry = Draft::new("invoice.payment_failed", &Id::trusted(bill.id.clone())).with(json!({
        "payment": after.id, "customer": bill.customer, "number": bill.number,
        "attempt": bill.failures.len(), "code": after.code, "amount": after.amount,
        "currency": bill.currency, "next": dun::told(&step),
    }));
    let late = pay::past_due(at, &bill).await?;
    Ok(commit
        .and(store::update_bill(&bill))
        .entry(entry)
        .and(late)
        .and(dun::dun_job(at, &bill, &step)))
}

async fn refunded(
    at: &impl Tenant,
    before: Payment,
    mut bill: Bill,
    data: &Value,
) -> Result<Commit, Problem> {
    let back = amount(data, "amount").clamp(0, before.amount - before.refunded);
    if back == 0 {
        return Ok(Commit::new());
    }
    let after = Payment { refunded: before.refunded + back, ..before.clone() };
    bill.version += 1;
    bill.refunded += back;
    // A refund that began at the provider has no credit note yet.
    let uncredited = bill.refunded - bill.credited;
    let noted = match uncredited > 0 {
        true => credit::note_of(at, &mut bill, uncredited, "refund").await?,
        false => Commit::new(),
    };
    let posted = books::post(at, Event::Refunded(back), bill.currency, &bill.id)?;
    let entry = Draft::new("invoice.refunded", &Id::trusted(bill.id.clone())).with(json!({
        "payment": after.id, "amount": back, "currency": bill.currency,
        "customer": bill.customer, "number": bill.number,
    }));
    let paid = store::update_payment(&before, &after).and(store::update_bill(&bill));
    let told = booking::told(at, &after, Kind::Refund, -back, 0);
    Ok(paid.and(noted).and(posted).and(told).entry(entry))
}

async fn disputed(
    at: &impl Tenant,
    before: Payment,
    bill: Bill,
    data: &Value,
) -> Result<Commit, Problem> {
    let much = amount(data, "amount").clamp(0, before.amount);
    let state = match text(data, "state").as_deref() {
        Some("won") => Dispute::Won,
        Some("lost") => Dispute::Lost,
        _ => Dispute::Opened,
    };
    // Of two that are worked in the wrong order the end counts, once.
    let (opened, lost) = (Event::DisputeOpened(much), Event::DisputeLost(much));
    let (events, disputed, action) = match (before.dispute, state) {
        (None, Dispute::Opened) => (vec![opened], much, "invoice.disputed"),
        (None, Dispute::Won) => (vec![], 0, "invoice.dispute_won"),
        (None, Dispute::Lost) => (vec![opened, lost], much, "invoice.dispute_lost"),
        (Some(Dispute::Opened), Dispute::Won) => {
            (vec![Event::DisputeWon(before.disputed)], 0, "invoice.dispute_won")
        }
        (Some(Dispute::Opened), Dispute::Lost) => {
            (vec![Event::DisputeLost(before.disputed)], before.disputed, "invoice.dispute_lost")
        }
        _ => return Ok(Commit::new()),
    };
    let after = Payment { disputed, dispute: Some(state), ..before.clone() };
    let posted = events.into_iter().try_fold(Commit::new(), |commit, it| {
        Ok::<_, Problem>(commit.and(books::post(at, it, bill.currency, &bill.id)?))
    })?;
    let entry = Draft::new(action, &Id::trusted(bill.id.clone())).with(json!({
        "payment": after.id, "amount": much, "currency": bill.currency,
        "customer": bill.customer, "number": bill.number,
    }));
    // Of a dispute that is lost all that was taken stays away.
    let told = booking::told(at, &after, Kind::Dispute, before.disputed - after.disputed, 0);
    Ok(store::update_payment(&before, &after).and(posted).and(told).entry(entry))
}
