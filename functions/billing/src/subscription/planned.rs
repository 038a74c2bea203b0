//! What a change comes to, before it is made: what is asked for, if it may be, and the bill of it.

use serde::Serialize;
use shared::{domain::Timestamp, ports::Tenant, problem::Problem};
use utoipa::ToSchema;

use super::{
    Pending, State, Subscription, change::SubscriptionChange, create, effect::Effect, renew,
};
use crate::{
    bill::{Bill, BillKind, close, credit::wrong_state, draft, line::BillLine, taxed},
    period::{Anchor, Period},
    plan::Plan,
    proration::{self, Change, Item, Preview, Side, Timing},
    store,
};

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

/// Who wants a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum By {
    /// Who sells may do all that can be done.
    Seller,
    /// A customer, what the seller's rules allow.
    Customer,
}

/// What is to be changed into what, before it is known what that comes to.
#[derive(Clone)]
pub(super) struct Wanted {
    /// The plan that there is then.
    pub(super) plan: Plan,
    /// How many seats there are then.
    pub(super) seats: u32,
    /// The change at this moment.
    pub(super) change: Change,
}

/// A change, thought through.
pub(super) struct Planned {
    plan: Plan,
    /// What is written of it while it waits.
    pub(super) pending: Pending,
    /// What has been paid for a whole period once it has taken effect.
    paid: i64,
    /// What is charged and given back.
    pub(super) preview: Preview,
    /// The same as lines of a bill.
    pub(super) lines: Vec<BillLine>,
    /// The bill of what is charged at once.
    pub(super) bill: Option<Bill>,
}

impl By {
    fn of(at: &impl Tenant) -> Self {
        if at.principal().customer.is_some() { Self::Customer } else { Self::Seller }
    }
}

impl Planned {
    /// What follows when it is so.
    pub(super) fn effect(&self, from: Timestamp) -> Effect<'_> {
        Effect { change: &self.pending, plan: &self.plan, paid: self.paid, from }
    }

    /// What is told of it before it is done.
    pub(super) fn shown(&self, it: &Subscription) -> ChangePreview {
        let (tax, gross) = self.bill.as_ref().map_or((0, 0), signed);
        ChangePreview { change: self.preview.clone(), currency: it.currency, tax, gross }
    }
}

/// What is asked for, and what it comes to.
///
/// # Errors
/// Why it may not be, or cannot be worked out.
pub(super) async fn plan(
    at: &impl Tenant,
    it: &Subscription,
    parties: &close::Parties,
    asked: &SubscriptionChange,
) -> Result<Planned, Problem> {
    planned(at, it, parties, wanted(at, it, parties, asked, By::of(at)).await?)
}

/// What is asked for, if it may be.
///
/// # Errors
/// Why it may not.
pub(super) async fn wanted(
    at: &impl Tenant,
    it: &Subscription,
    parties: &close::Parties,
    asked: &SubscriptionChange,
    by: By,
) -> Result<Wanted, Problem> {
    if matches!(it.state, State::Cancelled | State::Incomplete | State::Paused) {
        return Err(wrong_state("only a subscription that runs is changed"));
    }
    let old = renew::plan(at, &it.plan, it.plan_version).await?;
    let plan = match &asked.plan {
        Some(name) => store::find_plan(at, name).await?,
        None => Some(old.clone()),
    };
    let plan = plan.ok_or_else(|| Problem::unfitting("plan", "there is no such plan to have"))?;
    if plan.name != it.plan || plan.version != it.plan_version {
        taxed::check(&parties.entity, &plan)?;
    }
    let kept = (plan.seats.is_some() && it.seats > 0).then_some(it.seats);
    let seats = create::seats(&plan, asked.seats.or(kept))?;
    check(at, it, parties, asked, (&plan, seats), by).await?;
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
    Ok(Wanted { plan, seats, change })
}

/// What it comes to.
///
/// # Errors
/// Why that cannot be worked out.
pub(super) fn planned(
    at: &impl Tenant,
    it: &Subscription,
    parties: &close::Parties,
    Wanted { plan, seats, change }: Wanted,
) -> Result<Planned, Problem> {
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

pub(super) fn line(it: &proration::PreviewLine) -> BillLine {
    let period = Period { from: it.from, to: it.to };
    let detail = (it.part != it.whole).then(|| format!("{} of {}", it.part, it.whole));
    let line = BillLine::one(it.name.clone(), it.amount, Some(period));
    BillLine { detail, ..line.of_class(it.tax_class.clone()) }
}

async fn check(
    at: &impl Tenant,
    it: &Subscription,
    parties: &close::Parties,
    asked: &SubscriptionChange,
    (plan, seats): (&Plan, u32),
    by: By,
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
    if by == By::Seller {
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
    let item = |it: BillLine| Item { name: it.name, amount: it.amount, tax_class: it.tax_class };
    Ok(Side {
        items: lines.into_iter().map(item).collect(),
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

/// Tax and gross, below zero when they are given back.
pub(super) fn signed(bill: &Bill) -> (i64, i64) {
    match bill.kind {
        BillKind::Invoice => (bill.totals.tax, bill.totals.gross),
        BillKind::CreditNote => (-bill.totals.tax, -bill.totals.gross),
    }
}
