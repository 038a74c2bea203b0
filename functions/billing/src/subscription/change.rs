//! A subscription changes: another plan, other seats. What is previewed is what is charged.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    CARRIED_MAX, Pending, State, Subscription, answer, create,
    effect::{Effect, applied},
    ours, renew,
};
use crate::{
    bill::{Bill, BillKind, close, credit::wrong_state, draft, line::BillLine, pay},
    customer::Collection,
    period::{Anchor, Period},
    plan::Plan,
    proration::{self, Change, Item, Preview, Side, Timing},
    store,
};

/// What is to be changed.
#[derive(Debug, Deserialize, ToSchema)]
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

/// What a change comes to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangePreview {
    /// What is charged and given back, without tax.
    #[serde(flatten)]
    pub change: Preview,
    /// The currency.
    pub currency: crate::money::Currency,
    /// The tax on it.
    pub tax: i64,
    /// What is charged at once, with tax; below zero it is kept as credit.
    pub gross: i64,
}

/// A change, thought through.
struct Planned {
    plan: Plan,
    pending: Pending,
    /// What has been paid for a whole period once it has taken effect.
    paid: i64,
    preview: Preview,
    lines: Vec<BillLine>,
    bill: Option<Bill>,
}

impl Planned {
    fn effect(&self, from: Timestamp) -> Effect<'_> {
        Effect { change: &self.pending, plan: &self.plan, paid: self.paid, from }
    }
}

/// Says what a change would come to.
pub async fn preview(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let it = ours(at, call).await?;
    let parties = close::Parties::of(at, &it.customer).await?;
    let planned = plan(at, &it, &parties, &call.json()?).await?;
    Ok(json_response(StatusCode::OK, &shown(&it, planned)))
}

fn shown(it: &Subscription, planned: Planned) -> ChangePreview {
    let (tax, gross) = planned.bill.as_ref().map_or((0, 0), signed);
    ChangePreview { change: planned.preview, currency: it.currency, tax, gross }
}

/// Tax and gross, below zero when they are given back.
fn signed(bill: &Bill) -> (i64, i64) {
    match bill.kind {
        BillKind::Invoice => (bill.totals.tax, bill.totals.gross),
        BillKind::CreditNote => (-bill.totals.tax, -bill.totals.gross),
    }
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

async fn plan(
    at: &impl Tenant,
    it: &Subscription,
    parties: &close::Parties,
    asked: &SubscriptionChange,
) -> Result<Planned, Problem> {
    if matches!(it.state, State::Cancelled | State::Incomplete | State::Paused) {
        return Err(wrong_state("only a subscription that runs is changed"));
    }
    let old = renew::plan(at, &it.plan, it.plan_version).await?;
    let plan = match &asked.plan {
        Some(name) => store::find_plan(at, name).await?,
        None => Some(old.clone()),
    };
    let plan = plan.ok_or_else(|| Problem::unfitting("plan", "there is no such plan to have"))?;
    let kept = (plan.seats.is_some() && it.seats > 0).then_some(it.seats);
    let seats = create::seats(&plan, asked.seats.or(kept))?;
    check(at, it, parties, asked, &plan, seats).await?;
    let change = Change {
        old: side(at, it, &old, it.seats).await?,
        new: side(at, it, &plan, seats).await?,
        period: it.period,
        at: at.now(),
        anchor: Anchor { at: at.now(), zone: it.zone },
        precision: parties.entity.precision,
        rules: parties.entity.proration,
        timing: asked.timing,
        on_trial: it.state == State::Trialing,
        paid: it.charged,
    };
    let preview = proration::preview(&change).map_err(|err| Problem::unfitting("plan", err))?;
    let pending = Pending {
        plan: plan.name.clone(),
        plan_version: plan.version,
        seats,
        resets: preview.timing == Timing::Reset,
        asked_at: at.now(),
    };
    let lines: Vec<_> = preview.lines.iter().map(line).collect();
    let paid = change.paid_after(preview.timing).map_err(draft::too_large)?;
    let mut planned = Planned { plan, pending, paid, preview, lines, bill: None };
    if matches!(planned.preview.timing, Timing::Now | Timing::Reset) && !planned.lines.is_empty() {
        planned.bill = Some(bill(at, it, parties, &planned)?);
    }
    Ok(planned)
}

fn line(it: &proration::PreviewLine) -> BillLine {
    let period = Period { from: it.from, to: it.to };
    let detail = (it.part != it.whole).then(|| format!("{} of {}", it.part, it.whole));
    BillLine { detail, ..BillLine::one(it.name.clone(), it.amount, Some(period)) }
}

async fn check(
    at: &impl Tenant,
    it: &Subscription,
    parties: &close::Parties,
    asked: &SubscriptionChange,
    plan: &Plan,
    seats: u32,
) -> Result<(), Problem> {
    if plan.currency != it.currency {
        let why = format!("it is in {}, and the subscription in {}", plan.currency, it.currency);
        return Err(Problem::unfitting("plan", why));
    }
    let taken = store::count_seats(at, &it.id).await?;
    if i64::from(seats) < taken {
        let why = format!("{taken} are taken: free some first");
        return Err(Problem::unfitting("seats", why));
    }
    if at.principal().customer.is_none() {
        return Ok(());
    }
    let rules = &parties.entity.portal;
    if asked.timing.is_some() {
        return Err(Problem::unfitting("timing", "the seller's rules say when it is charged"));
    }
    let allowed = rules.changes.get(&it.plan).is_none_or(|all| all.contains(&plan.name));
    if plan.name != it.plan && !allowed {
        return Err(Problem::unfitting("plan", "ask the seller for a change to this plan"));
    }
    if seats != it.seats && plan.name == it.plan && !rules.seats {
        return Err(Problem::unfitting("seats", "ask the seller for other seats"));
    }
    Ok(())
}

/// What a plan costs in a whole period, coupons taken off.
pub(super) async fn side(
    at: &impl Tenant,
    it: &Subscription,
    plan: &Plan,
    seats: u32,
) -> Result<Side, Problem> {
    let lines = draft::advance(plan, seats, &once(plan), it.period).map_err(draft::too_large)?;
    let mut coupons = draft::coupons(at, it).await?;
    let lines = draft::discount(lines, &mut coupons, &plan.name)?;
    let items = lines.into_iter().map(|it| Item { name: it.name, amount: it.amount }).collect();
    Ok(Side {
        items,
        plan: plan.name.clone(),
        seats,
        interval: plan.interval,
        currency: plan.currency,
    })
}

fn once(plan: &Plan) -> Vec<String> {
    plan.prices.iter().map(|it| it.name.clone()).collect()
}

fn bill(
    at: &impl Tenant,
    it: &Subscription,
    parties: &close::Parties,
    planned: &Planned,
) -> Result<Bill, Problem> {
    let mut bill = draft::begin(at, &parties.customer, it.currency)?;
    let to = planned.preview.new_period.map_or(it.period.to, |it| it.to);
    bill.subscription = Some(it.id.clone());
    bill.period = Some(Period { from: at.now(), to });
    bill.lines = planned.lines.clone();
    bill.applies = Some(planned.pending.clone());
    close::price(parties, &mut bill)?;
    bill.deferred = bill.totals.net.max(0);
    Ok(bill)
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
