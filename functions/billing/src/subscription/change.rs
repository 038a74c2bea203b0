//! A subscription changes: another plan, other seats. What is previewed is what is charged.

use serde::Deserialize;
use serde_json::json;
use shared::{
    domain::Commit,
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    CARRIED_MAX, Subscription, answer,
    effect::applied,
    ours,
    planned::{Planned, plan, signed},
    renew,
};
use crate::{
    bill::{BillKind, close, credit::wrong_state, pay},
    customer::Collection,
    proration::Timing,
    store,
};

/// What is to be changed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionChange {
    /// Another plan, in its latest version; the one that it has when left out.
    #[serde(default)]
    pub plan: Option<String>,
    /// How many seats; as many as there are when left out, as far as the plan has them.
    #[serde(default)]
    pub seats: Option<u32>,
    /// When it is charged; by the entity's rules when left out. Not for customers.
    #[serde(default)]
    pub timing: Option<Timing>,
    /// What the preview came to, in minor units with tax: refused if it is not that any more.
    #[serde(default)]
    pub expected_gross: Option<i64>,
}

/// Says what a change would come to.
pub async fn preview(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let it = ours(at, call).await?;
    let parties = close::Parties::of(at, &it.customer).await?;
    let planned = plan(at, &it, &parties, &call.json()?).await?;
    Ok(json_response(StatusCode::OK, &planned.shown(&it)))
}

/// Changes it: at once, with the payment, with the next invoice, or with the next period.
pub async fn change(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let asked: SubscriptionChange = call.json()?;
    let before = ours(at, call).await?;
    if before.awaiting_payment.is_some() {
        return Err(wrong_state("a change waits for its payment: read it again in a minute"));
    }
    let parties = close::Parties::of(at, &before.customer).await?;
    let planned = plan(at, &before, &parties, &asked).await?;
    let gross = planned.bill.as_ref().map_or(0, |it| signed(it).1);
    if asked.expected_gross.is_some_and(|it| it != gross) {
        return Err(wrong_state("it comes to something else by now: preview it again"));
    }
    let mut after = before.clone();
    let commit = carried_out(at, &parties, &before, &mut after, planned).await?;
    at.answer(commit, answer(StatusCode::OK, &after), Problem::changed_meanwhile).await
}

async fn carried_out(
    at: &impl Tenant,
    parties: &close::Parties,
    before: &Subscription,
    after: &mut Subscription,
    planned: Planned,
) -> Result<Commit, Problem> {
    match planned.preview.timing {
        Timing::AtRenewal => {
            after.pending = Some(planned.pending.clone());
            write(at, before, after, "subscription.change_planned").await
        }
        Timing::None | Timing::NextInvoice => {
            after.carried.extend(planned.lines.clone());
            if after.carried.len() > CARRIED_MAX {
                return Err(wrong_state("too much waits for the next invoice already"));
            }
            applied(at, before, after, &planned.effect(at.now())).await
        }
        Timing::Now | Timing::Reset => charged(at, parties, before, after, planned).await,
    }
}

/// Gives one seat back, by the entity's rules for fewer seats: as far as the plan lets, and nobody
/// sits on it. Of a change that is planned it is taken there.
///
/// # Errors
/// When it cannot be charged, or something cannot be read.
pub(super) async fn one_seat_less(
    at: &impl Tenant,
    before: &Subscription,
) -> Result<Commit, Problem> {
    let taken = u32::try_from(store::count_seats(at, &before.id).await?).unwrap_or(u32::MAX);
    let (name, version) = match &before.pending {
        Some(it) => (&it.plan, it.plan_version),
        None => (&before.plan, before.plan_version),
    };
    let Some(rule) = renew::plan(at, name, version).await?.seats else {
        return Ok(Commit::new());
    };
    let least = rule.min.max(taken);
    let mut after = before.clone();
    if let Some(pending) = &mut after.pending {
        if pending.seats <= least {
            return Ok(Commit::new());
        }
        pending.seats -= 1;
        return write(at, before, &mut after, "subscription.change_planned").await;
    }
    if before.seats <= least {
        return Ok(Commit::new());
    }
    let seats = Some(before.seats - 1);
    let asked = SubscriptionChange { plan: None, seats, timing: None, expected_gross: None };
    let parties = close::Parties::of(at, &before.customer).await?;
    let planned = plan(at, before, &parties, &asked).await?;
    carried_out(at, &parties, before, &mut after, planned).await
}

/// Forgets a change that is planned for the next period.
pub async fn forget(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let before = ours(at, call).await?;
    if before.pending.is_none() {
        return Err(wrong_state("no change is planned"));
    }
    let mut after = Subscription { pending: None, ..before.clone() };
    let commit = write(at, &before, &mut after, "subscription.change_forgotten").await?;
    at.answer(commit, answer(StatusCode::OK, &after), Problem::changed_meanwhile).await
}

pub(super) async fn write(
    at: &impl Tenant,
    before: &Subscription,
    after: &mut Subscription,
    action: &'static str,
) -> Result<Commit, Problem> {
    let data = json!({
        "customer": after.customer, "plan": after.plan, "seats": after.seats,
        "pending": after.pending,
    });
    Ok(super::write(at, Some(before), after, action, data).await?)
}

/// Charges for the change. It takes effect at once where nothing has to be paid first; otherwise
/// with the payment, so that a payment that fails leaves everything as it was.
async fn charged(
    at: &impl Tenant,
    parties: &close::Parties,
    before: &Subscription,
    after: &mut Subscription,
    planned: Planned,
) -> Result<Commit, Problem> {
    let effect = planned.effect(at.now());
    let Some(mut bill) = planned.bill.clone() else {
        return applied(at, before, after, &effect).await;
    };
    let prepaid = close::prepay(at, &mut bill).await?;
    let waits = bill.left_of_due() > 0
        && bill.kind == BillKind::Invoice
        && bill.collection == Collection::ChargeAutomatically;
    if waits {
        let Some((account, method)) = parties.payer() else {
            let why = "the customer has no account at a provider to pay with";
            return Err(Problem::unfitting("customer", why));
        };
        let asked = pay::request(at, &bill, account, method, bill.left_of_due())?;
        after.awaiting_payment = Some(bill.id.clone());
        let written = write(at, before, after, "subscription.change_asked").await?;
        return Ok(prepaid.and(store::insert_bill(&bill)).and(asked).and(written));
    }
    bill.applies = None;
    let numbered = close::number(at, parties, &mut bill).await?;
    let collected = pay::collect(at, parties, &bill)?;
    let applied = applied(at, before, after, &effect).await?;
    Ok(prepaid.and(numbered).and(collected).and(store::insert_bill(&bill)).and(applied))
}
