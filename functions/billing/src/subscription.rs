//! Subscriptions: a customer has a plan, period after period, until it ends.
//!
//! The subscription says what is so; `cycle` decides what comes next, and is pure.

pub mod cancel;
pub mod change;
pub mod create;
pub mod cycle;
pub mod effect;
pub mod mirror;
pub mod offer;
pub mod planned;
pub mod renew;
pub mod seat;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    domain::{Commit, Draft, Id, Page, Timestamp},
    http::{Response, StatusCode, etag, header, json as json_response, with_header},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    bill::{credit::wrong_state, line::BillLine},
    money::Currency,
    period::{Anchor, Period, Zone},
    progressive, store,
    threshold::Progress,
};

/// How many subscriptions a customer has at most that have not ended.
pub const SUBSCRIPTIONS_MAX: u32 = 100;
/// How many coupons a subscription has at most.
pub const COUPONS_MAX: usize = 5;
/// How many lines wait at most for the next invoice.
pub const CARRIED_MAX: usize = 100;

/// A subscription.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Subscription {
    /// `sub_…`
    pub id: String,
    /// Whose it is.
    pub customer: String,
    /// Who sells.
    pub entity: String,
    /// The plan.
    pub plan: String,
    /// The plan's version.
    pub plan_version: i64,
    /// What the plan grants, as it was when it was taken.
    pub grants: Grants,
    /// Whether that works, as it was told last.
    pub granting: bool,
    /// How many seats; 0 where the plan has none.
    pub seats: u32,
    /// Where it stands.
    pub state: State,
    /// The currency of the plan.
    pub currency: Currency,
    /// When its first period begins.
    pub anchor: Timestamp,
    /// In which zone periods begin.
    #[schema(value_type = String)]
    pub zone: Zone,
    /// The number of the period that runs, from 0; -1 during the trial.
    pub period_number: i64,
    /// The period that runs; the trial at first, if there is one.
    pub period: Period,
    /// When the trial ends, or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_end: Option<Timestamp>,
    /// What is taken off.
    pub coupons: Vec<Redeemed>,
    /// What changes with the next period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// The invoice of a change that takes effect when it is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaiting_payment: Option<String>,
    /// When and why it ends, or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<Cancellation>,
    /// What waits for the next invoice: parts of periods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<BillLine>,
    /// Which prices that are charged once have been.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charged_once: Vec<String>,
    /// From when usage is not invoiced yet.
    pub metered_from: Timestamp,
    /// What was charged in advance for the period that runs, without tax and after discounts.
    pub charged: i64,
    /// How far it is with the thresholds of its plan, where that has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// When what was bought stops working while it is not paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_until: Option<Timestamp>,
    /// When it paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The subscription at a provider that this is the mirror of. It is changed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirrored: Option<mirror::Mirrored>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts its changes; its ETag.
    #[serde(default)]
    pub version: i64,
}

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SubscriptionState)]
pub enum State {
    /// Nothing is charged yet.
    Trialing,
    /// The first payment is not there yet: it grants nothing, and ends after a day.
    Incomplete,
    /// It runs, and what is due is paid or not due yet.
    Active,
    /// A payment failed, and is tried again.
    PastDue,
    /// The last try failed; it goes on without benefits.
    Unpaid,
    /// It rests: nothing is charged, nothing is granted.
    Paused,
    /// It is over.
    Cancelled,
}

/// What a plan grants.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = PlanGrants)]
pub struct Grants {
    /// The plan of quotas that the gate gives.
    pub usage_plan: String,
    /// Features, by name.
    pub features: BTreeMap<String, Value>,
}

/// A coupon that was redeemed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Redeemed {
    /// The coupon.
    pub code: String,
    /// On how many periods it was applied.
    pub periods: u32,
}

/// A change that takes effect with the next period, or when it is paid. A later one replaces it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = PendingChange)]
pub struct Pending {
    /// The plan of then.
    pub plan: String,
    /// Its version.
    pub plan_version: i64,
    /// The seats of then.
    pub seats: u32,
    /// Whether the period begins anew with the change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resets: bool,
    /// When it was asked for.
    pub asked_at: Timestamp,
}

/// When and why a subscription ends.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Cancellation {
    /// When it ends.
    pub at: Timestamp,
    /// Why, in a word, as `too_expensive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, in the customer's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether it ends because it was not paid, and nobody wanted that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub involuntary: bool,
    /// When it was asked for.
    pub asked_at: Timestamp,
}

impl State {
    /// The word that is kept and shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trialing => "trialing",
            Self::Incomplete => "incomplete",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether periods follow each other.
    pub fn runs(self) -> bool {
        !matches!(self, Self::Paused | Self::Cancelled | Self::Incomplete)
    }
}

impl Subscription {
    /// One of a customer's that begins with this period, and has no plan yet.
    pub fn begun(
        id: String,
        customer: &str,
        currency: Currency,
        period: Period,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            customer: customer.to_owned(),
            entity: String::new(),
            plan: String::new(),
            plan_version: 0,
            grants: Grants::default(),
            granting: false,
            seats: 0,
            state: State::Active,
            currency,
            anchor: period.from,
            zone: Zone::default(),
            period_number: 0,
            period,
            trial_end: None,
            coupons: Vec::new(),
            pending: None,
            awaiting_payment: None,
            cancellation: None,
            carried: Vec::new(),
            charged_once: Vec::new(),
            metered_from: now,
            charged: 0,
            progress: None,
            grace_until: None,
            paused_at: None,
            ended_at: None,
            mirrored: None,
            created_at: now,
            version: 0,
        }
    }

    /// By what its periods are told.
    pub fn anchor(&self) -> Anchor {
        Anchor { at: self.anchor, zone: self.zone }
    }

    /// When something happens by itself next.
    pub fn due(&self) -> Option<Timestamp> {
        if self.mirrored.is_some() {
            return None;
        }
        let end = self.cancellation.as_ref().map(|it| it.at);
        match self.state {
            State::Cancelled => None,
            State::Paused | State::Incomplete => end,
            _ => Some(end.map_or(self.period.to, |it| it.min(self.period.to))),
        }
    }

    /// Usage is not invoiced yet from then on: what was reached of the plan's thresholds was reached
    /// of the usage before.
    fn meters_from(&mut self, at: Timestamp) {
        self.metered_from = at;
        self.progress = self.progress.take().map(|it| Progress::of(&it.thresholds));
    }

    /// Whether what was bought works at `now`.
    pub fn has_benefits(&self, now: Timestamp) -> bool {
        match self.state {
            State::Trialing | State::Active => true,
            State::PastDue => self.grace_until.is_none_or(|it| now < it),
            State::Incomplete | State::Unpaid | State::Paused | State::Cancelled => false,
        }
    }
}

/// Lists them, oldest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let acting = at.principal().customer.clone();
    let customer = acting.or_else(|| call.query("customer").map(Into::into));
    let found = match &customer {
        Some(it) => store::list_subscriptions_of(at, it, after, limit + 1).await?,
        None => store::list_subscriptions(at, after, limit + 1).await?,
    };
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.id.clone())))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &find(at, call).await?))
}

/// The one that the path names, to be changed: not a mirror.
///
/// # Errors
/// The 404 that everybody gets, and 409 for a mirror.
pub async fn ours(at: &impl Tenant, call: &Call) -> Result<Subscription, Problem> {
    let found = find(at, call).await?;
    match found.mirrored {
        None => Ok(found),
        Some(_) => Err(wrong_state("the provider keeps it: change it there")),
    }
}

/// The one that the path names, or the 404 that everybody gets, also for another customer's.
pub async fn find(at: &impl Tenant, call: &Call) -> Result<Subscription, Problem> {
    let id = call.id("sub")?;
    let found = store::find_subscription(at, id.as_str()).await?.ok_or_else(Problem::not_found)?;
    crate::customer::check(at, call, &found.customer, found.version)?;
    Ok(found)
}

pub(crate) fn answer(status: StatusCode, it: &Subscription) -> Response {
    with_header(json_response(status, it), header::ETAG, &etag(it.version))
}

/// What every change of a subscription writes: the row, an entry, what it grants, and the job of
/// what is next. `action` and `data` are what happened.
///
/// # Errors
/// When the customer's other subscriptions cannot be read.
pub(crate) async fn write(
    at: &impl Tenant,
    before: Option<&Subscription>,
    after: &mut Subscription,
    action: &'static str,
    data: Value,
) -> Result<Commit, PortError> {
    after.version = before.map_or(1, |it| it.version + 1);
    let granted = crate::entitlement::tell(at, after).await?;
    let commit = match before {
        None => store::insert_subscription(after),
        Some(_) => store::update_subscription(after),
    };
    let entry = Draft::new(action, &Id::trusted(after.id.clone())).with(data);
    let next = after.due().map(|due| renew::job(after, due));
    let jobs = next.into_iter().chain(progressive::job(after, at.now()));
    Ok(jobs.fold(commit.entry(entry).and(granted), Commit::job))
}
