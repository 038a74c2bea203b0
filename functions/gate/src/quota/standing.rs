//! How a subject stands: what it has used of each quota, what is left, and where it is heading.
//! Pure.

use std::time::Duration;

use serde::Serialize;
use shared::domain::Timestamp;
use utoipa::ToSchema;

use super::{
    plan::{Grace, Quota},
    terms::Terms,
    window::WindowSpan,
};

/// There is a forecast when this much of the window is over, in percent: a tenth.
pub const FORECAST_AFTER_PERCENT: i64 = 10;

/// How a subject stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SubjectStanding {
    /// Who.
    pub subject: String,
    /// Which of its members, when only that one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The plan that it has.
    pub plan: String,
    /// When this was so.
    pub at: Timestamp,
    /// Each quota of the plan.
    pub quotas: Vec<QuotaStanding>,
}

/// How a subject stands in one quota.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct QuotaStanding {
    /// What tells it from the other quotas, as `calls/month`.
    pub quota: String,
    /// The meter that counts.
    pub meter: String,
    /// The window that runs; from the last reset in it.
    pub window: WindowSpan,
    /// How much there is, by the plan.
    pub limit: i64,
    /// What came from the window before, on top.
    pub rollover: i64,
    /// How much is used.
    pub used: i64,
    /// How much is left of both.
    pub remaining: i64,
    /// How much of both is used, in percent, rounded down.
    pub percent: i64,
    /// What that means.
    pub state: QuotaState,
    /// Whether more than there is, is refused.
    pub hard: bool,
    /// Until when more is let through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_until: Option<Timestamp>,
    /// Where it is heading; absent in the first tenth of the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<QuotaForecast>,
    /// What is spent, if the quota has a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spend: Option<QuotaSpend>,
    /// What the one member has used, who is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberStanding>,
}

/// What one member has used of a quota.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MemberStanding {
    /// How much there is for each member; as much as for all when the plan does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// How much is used.
    pub used: i64,
    /// How much is left, for this member.
    pub remaining: i64,
}

/// What a standing means.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuotaState {
    /// No threshold is reached.
    Ok,
    /// A threshold is reached, and no more is used than there is.
    Warned,
    /// More is used than there is, within the grace.
    Grace,
    /// More is used than there is.
    Exceeded,
}

/// Where a quota is heading, if the rest of the window is as it was so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct QuotaForecast {
    /// How much will be used at the end of the window.
    pub used: i64,
    /// In percent of what there is.
    pub percent: i64,
}

/// What was spent on a quota: its price for each unit beyond what there is.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct QuotaSpend {
    /// In minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// How much may be spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<i64>,
    /// Whether that is reached.
    pub capped: bool,
}

/// What a standing is worked out from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The quota.
    pub quota: &'a Quota,
    /// What it comes to in this window.
    pub terms: Terms,
    /// What came from the window before.
    pub carried: i64,
    /// How much is used.
    pub used: i64,
    /// When it was first seen that more is used than there is.
    pub exceeded_at: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

impl Facts<'_> {
    /// How much there is in all.
    fn allowance(&self) -> i64 {
        self.terms.limit.saturating_add(self.carried)
    }

    /// How it stands.
    pub fn standing(&self) -> QuotaStanding {
        let (allowance, used) = (self.allowance(), self.used);
        QuotaStanding {
            quota: self.quota.key(),
            meter: self.quota.meter.clone(),
            window: self.terms.span,
            limit: self.terms.limit,
            rollover: self.carried,
            used,
            remaining: allowance.saturating_sub(used).max(0),
            percent: percent(used, allowance),
            state: self.state(),
            hard: self.quota.hard,
            grace_until: self.grace_until(),
            forecast: self.forecast(),
            spend: self.spend(used),
            member: None,
        }
    }

    fn state(&self) -> QuotaState {
        let percent = percent(self.used, self.allowance());
        if self.used > self.allowance() {
            return if self.has_grace(self.used) {
                QuotaState::Grace
            } else {
                QuotaState::Exceeded
            };
        }
        match self.quota.thresholds.first() {
            Some(it) if self.used > 0 && percent >= i64::from(*it) => QuotaState::Warned,
            _ => QuotaState::Ok,
        }
    }

    /// When the grace is over, if it runs.
    fn grace_until(&self) -> Option<Timestamp> {
        let grace = self.quota.grace?;
        Some(self.exceeded_at? + Duration::from_secs(grace.seconds))
    }

    /// Whether so much is used within the grace.
    fn has_grace(&self, used: i64) -> bool {
        let Some(Grace { percent, .. }) = self.quota.grace else { return false };
        let most = i128::from(self.allowance()) * (100 + i128::from(percent)) / 100;
        i128::from(used) <= most && self.grace_until().is_none_or(|it| self.now < it)
    }

    /// Linear, over the window so far.
    fn forecast(&self) -> Option<QuotaForecast> {
        if self.now < self.forecast_from() {
            return None;
        }
        let span = self.terms.span;
        let elapsed = WindowSpan { to: self.now.min(span.to), ..span }.millis().max(1);
        let used = i128::from(self.used) * i128::from(span.millis()) / i128::from(elapsed);
        let used = i64::try_from(used).unwrap_or(i64::MAX);
        Some(QuotaForecast { used, percent: percent(used, self.allowance()) })
    }

    /// From when there is a forecast.
    pub fn forecast_from(&self) -> Timestamp {
        let span = self.terms.span;
        Timestamp(span.from.0 + (span.millis() * FORECAST_AFTER_PERCENT).div_euclid(100).max(1))
    }

    fn spend(&self, used: i64) -> Option<QuotaSpend> {
        let price = self.quota.price_per_unit?;
        let beyond = i128::from(used.saturating_sub(self.allowance()).max(0));
        let amount = i64::try_from(beyond * i128::from(price)).unwrap_or(i64::MAX);
        let cap = self.quota.spend_cap;
        let currency = self.quota.currency.clone().unwrap_or_default();
        Some(QuotaSpend { amount, currency, cap, capped: cap.is_some_and(|it| amount >= it) })
    }

    /// Whether so much more may be used: what is hard is refused beyond the grace, and what would
    /// cost more than the cap is.
    pub fn allows(&self, cost: i64) -> bool {
        let after = self.used.saturating_add(cost);
        let fits = !self.quota.hard || after <= self.allowance() || self.has_grace(after);
        let paid = self.spend(after).is_none_or(|it| it.cap.is_none_or(|cap| it.amount <= cap));
        fits && paid
    }

    /// Whether nothing more may be used.
    pub fn is_used_up(&self) -> bool {
        !self.allows(1)
    }

    /// What a member has used. What a member may use is never more than is left for all.
    pub fn member(&self, used: i64) -> MemberStanding {
        let limit = self.terms.member_limit;
        let left = self.allowance().saturating_sub(self.used).max(0);
        let own = limit.map_or(left, |it| it.saturating_sub(used).max(0));
        MemberStanding { limit, used, remaining: left.min(own) }
    }

    /// Whether a member who has used this much may use so much more, as far as its own part goes.
    pub fn allows_member(&self, used: i64, cost: i64) -> bool {
        let fits = self.terms.member_limit.is_none_or(|it| used.saturating_add(cost) <= it);
        !self.quota.hard || fits
    }
}

/// The part in percent, rounded down; of nothing, anything is all of it.
pub fn percent(used: i64, of: i64) -> i64 {
    if used <= 0 {
        return 0;
    }
    let of = i128::from(of.max(0));
    let percent = if of == 0 { 100 } else { i128::from(used) * 100 / of };
    i64::try_from(percent).unwrap_or(i64::MAX)
}
