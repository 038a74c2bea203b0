//! Plans: what a subscription is to, as data. Each change makes a new version; who has subscribed
//! stays with the version of then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::domain::Timestamp;
use utoipa::ToSchema;

use crate::{
    money::Currency,
    period::{Interval, Unit},
    price::{Limits, Model},
    subscription::Grants,
    threshold::Thresholds,
};

/// How many plans a tenant has at most, deleted ones not counted.
pub const PLANS_MAX: u32 = 200;
/// How many prices a plan has at most.
pub const PRICES_MAX: usize = 20;
/// How many features a plan grants at most.
pub const FEATURES_MAX: usize = 100;
/// The longest trial, in days.
pub const TRIAL_DAYS_MAX: u16 = 730;
/// The most seats that can be had.
pub const SEATS_MAX: u32 = 100_000;

/// A plan, in one of its versions.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = BillingPlan)]
pub struct Plan {
    /// As `pro`.
    pub name: String,
    /// What people call it; it stands on invoices.
    pub title: String,
    /// The currency of its prices.
    pub currency: Currency,
    /// How long a period is.
    pub interval: Interval,
    /// What is charged, in the order of the invoice.
    pub prices: Vec<Price>,
    /// For how many days nothing is charged at first.
    pub trial_days: u16,
    /// When usage is billed before its period ends. Without it that is never so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Thresholds>,
    /// How many seats there are to have. Without it the plan has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<SeatRule>,
    /// What it grants, by name: a flag, a number or a text.
    pub features: BTreeMap<String, Value>,
    /// The plan of quotas that the gate gives to whoever has this one; its own name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_plan: Option<String>,
    /// Products and prices at a provider: whoever has one of them there has this plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
    /// 1, 2, 3 …
    pub version: i64,
    /// When this version was made.
    pub created_at: Timestamp,
}

/// One thing that is charged.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = PlanPrice)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// As `seat`: no other price of the plan has it.
    pub name: String,
    /// What stands on the invoice; the plan's title when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What is counted, and when it is charged.
    pub basis: Basis,
    /// What so many cost.
    pub model: Model,
    /// The least and the most of it in a period.
    #[serde(default)]
    pub limits: Limits,
    /// The tax class, as the entity of the customer defines it; the standard rate when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_class: Option<String>,
}

/// What a price counts, and when it is charged.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = PriceBasis)]
pub enum Basis {
    /// One of it in each period, in advance.
    Recurring,
    /// As many as there are seats, in advance.
    PerSeat,
    /// What the meter counted in the period, in arrears.
    Metered {
        /// The meter, as `api.calls`.
        meter: String,
        /// A dimension of the meter: each value is a line of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group_by: Option<String>,
    },
    /// Once, with the first invoice that charges anything.
    Once,
}

/// How many seats can be had.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeatRule {
    /// The fewest, 1 at least.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// Whether a member that leaves takes its seat along: there is one less then, by the entity's
    /// rules for fewer seats. Otherwise somebody else can have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follows_members: bool,
}

impl Plan {
    /// What it grants.
    pub fn grants(&self) -> Grants {
        let usage_plan = self.usage_plan.clone().unwrap_or_else(|| self.name.clone());
        Grants { usage_plan, features: self.features.clone() }
    }

    /// What a price is called on an invoice.
    pub fn title_of(&self, price: &Price) -> String {
        price.title.clone().unwrap_or_else(|| self.title.clone())
    }
}

/// What a plan is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BillingPlanText)]
pub struct PlanText {
    /// Up to 120 characters.
    pub title: String,
    /// The currency of its prices.
    pub currency: Currency,
    /// A month when left out.
    #[serde(default = "monthly")]
    pub interval: Interval,
    /// 1 to 20, no two of the same name.
    pub prices: Vec<Price>,
    /// 0 when left out; up to 730.
    #[serde(default)]
    pub trial_days: u16,
    /// When usage is billed before its period ends: for a plan with a price of a meter.
    #[serde(default)]
    pub thresholds: Option<Thresholds>,
    /// How many seats there are to have.
    #[serde(default)]
    pub seats: Option<SeatRule>,
    /// Up to 100: a flag, a number, or a text of up to 200 characters.
    #[serde(default)]
    pub features: BTreeMap<String, Value>,
    /// The plan of quotas that the gate gives; its own name when left out.
    #[serde(default)]
    pub usage_plan: Option<String>,
    /// Products and prices at a provider, as `prod_…`, up to 50: whoever has one of them in a
    /// subscription that is mirrored has this plan.
    #[serde(default)]
    pub mirrors: Vec<String>,
}

fn monthly() -> Interval {
    Interval { unit: Unit::Month, count: 1 }
}
