//! Plans: what there is of each meter, for whoever has the plan.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Draft, Id, Page, Timestamp},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

pub use shared::domain::{WORD, is_word};

use super::{counted, look, store, window::QuotaWindow};

/// How many plans a tenant has at most.
pub const PLANS_MAX: usize = 50;
/// How many quotas a plan has at most.
pub const QUOTAS_MAX: usize = 20;
/// How many thresholds a quota has at most, and how high they are, in percent.
const THRESHOLDS_MAX: usize = 10;
const THRESHOLD_MAX: u32 = 1000;
/// The most that a limit, a price or a cap is. Products of two of them are taken in 128 bits.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000_000;
/// The longest grace.
const GRACE_SECONDS_MAX: u64 = 90 * 24 * 60 * 60;
const GRACE_PERCENT_MAX: u32 = 1000;

/// A plan.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UsagePlan {
    /// As `pro`.
    pub name: String,
    /// What there is of each meter.
    pub quotas: Vec<Quota>,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
}

/// What a plan is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsagePlanText {
    /// Up to 20, no two of the same meter with the same window.
    pub quotas: Vec<Quota>,
}

/// How much of a meter there is in each window.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// The meter that counts.
    pub meter: String,
    /// How much of it there is in a window, for the subject and all its members together.
    pub limit: i64,
    /// The window.
    pub window: QuotaWindow,
    /// Whether more is refused. Otherwise it is only told.
    #[serde(default)]
    pub hard: bool,
    /// How much more is let through for a while, when the limit is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<Grace>,
    /// What of the rest goes into the next window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<Rollover>,
    /// How much of it each member of the subject has at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_limit: Option<i64>,
    /// At which percentages somebody is told: 50, 80 and 100 when left out.
    #[serde(default = "thresholds")]
    pub thresholds: BTreeSet<u32>,
    /// What each unit beyond the limit costs, in minor units of the currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_per_unit: Option<i64>,
    /// How much may be spent on it in a window, in minor units; more is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_cap: Option<i64>,
    /// The currency of the price (ISO 4217).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// How much more is let through when the limit is used up: until either is over.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Grace {
    /// In percent of what there is: 1 to 1000.
    pub percent: u32,
    /// For how long from when it was first seen: up to 90 days.
    pub seconds: u64,
}

/// What of the rest of a window goes into the next one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollover {
    /// The most that is carried over, whatever was carried over before.
    pub at_most: i64,
}

fn thresholds() -> BTreeSet<u32> {
    BTreeSet::from([50, 80, 100])
}

impl Quota {
    /// What tells it from the other quotas of a plan, and is the same in another plan.
    pub fn key(&self) -> String {
        format!("{}/{}", self.meter, self.window)
    }

    fn checked(&self, path: &str) -> Result<(), Problem> {
        let at = |name: &str| format!("{path}.{name}");
        if !is_word(&self.meter) {
            return Err(Problem::unfitting(&at("meter"), WORD));
        }
        self.window.checked(&at("window"))?;
        let amounts = [
            ("limit", Some(self.limit)),
            ("rollover.at_most", self.rollover.map(|it| it.at_most)),
            ("member_limit", self.member_limit),
            ("price_per_unit", self.price_per_unit),
            ("spend_cap", self.spend_cap),
        ];
        for (name, amount) in amounts {
            if amount.is_some_and(|it| !(0..=AMOUNT_MAX).contains(&it)) {
                return Err(Problem::unfitting(&at(name), format!("0 to {AMOUNT_MAX}")));
            }
        }
        if self.grace.is_some_and(|it| !it.is_bounded()) {
            return Err(Problem::unfitting(&at("grace"), "1 to 1000 percent, 1 s to 90 days"));
        }
        let bounded = self.thresholds.iter().all(|it| (1..=THRESHOLD_MAX).contains(it));
        if !bounded || self.thresholds.len() > THRESHOLDS_MAX {
            return Err(Problem::unfitting(&at("thresholds"), "up to 10, each 1 to 1000 percent"));
        }
        self.checked_price(&at)
    }

    fn checked_price(&self, at: &impl Fn(&str) -> String) -> Result<(), Problem> {
        let is_code = |it: &String| it.len() == 3 && it.bytes().all(|it| it.is_ascii_uppercase());
        match (&self.currency, self.price_per_unit, self.spend_cap) {
            (Some(it), _, _) if !is_code(it) => {
                Err(Problem::unfitting(&at("currency"), "three capital letters, as EUR"))
            }
            (Some(_), Some(_), _) | (None, None, None) => Ok(()),
            (None, Some(_), _) => Err(Problem::unfitting(&at("currency"), "a price has one")),
            (_, None, _) => {
                Err(Problem::unfitting(&at("price_per_unit"), "a cap or a currency needs a price"))
            }
        }
    }
}

impl Grace {
    fn is_bounded(self) -> bool {
        (1..=GRACE_PERCENT_MAX).contains(&self.percent)
            && (1..=GRACE_SECONDS_MAX).contains(&self.seconds)
    }
}

/// Lists the plans, by name.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let plans = store::list_plans(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(plans, limit, |it| it.name.clone())))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = store::find_plan(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    Ok(answer(&found))
}

fn answer(plan: &UsagePlan) -> Response {
    let response = json_response(StatusCode::OK, plan);
    with_header(response, header::ETAG, &etag(plan.version))
}

/// Puts one, or replaces it: for whoever has it the new limits hold from now on, and what was
/// used counts.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (name, text): (_, UsagePlanText) = (call.param().to_owned(), call.json()?);
    if !is_word(&name) {
        return Err(Problem::unfitting("name", WORD));
    }
    let quotas = checked(text.quotas)?;
    counted::check_meters(at, quotas.iter().map(|it| &it.meter)).await?;
    let before = store::find_plan(at, &name).await?.map(|it| it.version);
    if call.if_match()?.is_some_and(|it| Some(it) != before) {
        return Err(Problem::changed_meanwhile());
    }
    if before.is_none() && store::all_plans(at).await?.len() >= PLANS_MAX {
        let kind = "/problems/usage/too-many-plans";
        return Err(Problem::new(StatusCode::CONFLICT, kind, "There are too many plans")
            .detail(format!("at most {PLANS_MAX}: delete one that nobody has")));
    }
    let version = before.map_or(1, |it| it + 1);
    let plan = UsagePlan { name, quotas, updated_at: at.now(), version };
    let entry = Draft::new("plan.put", &Id::trusted(plan.name.clone()))
        .with(json!({"quotas": plan.quotas, "version": version}));
    let commit = store::put_plan(&plan, before).entry(entry).job(look::spread_job(&plan));
    at.answer(commit, answer(&plan), Problem::changed_meanwhile).await
}

fn checked(quotas: Vec<Quota>) -> Result<Vec<Quota>, Problem> {
    if !(1..=QUOTAS_MAX).contains(&quotas.len()) {
        return Err(Problem::unfitting("quotas", format!("1 to {QUOTAS_MAX}")));
    }
    let mut keys = BTreeSet::new();
    for (number, quota) in quotas.iter().enumerate() {
        let path = format!("quotas[{number}]");
        quota.checked(&path)?;
        if !keys.insert(quota.key()) {
            return Err(Problem::unfitting(&path, "the meter has another quota of this window"));
        }
    }
    Ok(quotas)
}

/// Deletes one that nobody has.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let plan = store::find_plan(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    if call.if_match()?.is_some_and(|it| it != plan.version) {
        return Err(Problem::changed_meanwhile());
    }
    let entry = Draft::new("plan.deleted", &Id::trusted(plan.name.clone()));
    let commit = store::delete_plan(&plan).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), in_use).await
}

fn in_use() -> Problem {
    Problem::new(StatusCode::CONFLICT, "/problems/usage/plan-in-use", "The plan is in use")
        .detail("give another plan to whoever has it, or read it again if it was changed")
}
