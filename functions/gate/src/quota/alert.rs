//! What somebody should hear of a quota, once in a window. Pure.
//!
//! A mark is what was told of a window. It decides that it is told once; it is taken back when a
//! correction undoes what it says by a margin, and then it can be told again.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use shared::domain::{Draft, Id, Timestamp};

use super::{
    plan::{Quota, UsagePlan},
    standing::{QuotaStanding, QuotaState},
};

/// How far something must be undone before it can be told again, in percent of what there is.
pub const MARGIN_PERCENT: i64 = 5;

/// What can be told of a window.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Mark {
    /// This much is used, in percent.
    Reached(u32),
    /// If it goes on so, more will be used than there is.
    Forecast,
    /// More is used than there is.
    Exceeded,
    /// What was let through beyond that is over.
    GraceEnded,
    /// No more may be spent.
    Capped,
}

/// What was told of a window, and when.
pub type Marks = BTreeMap<Mark, Timestamp>;

/// What becomes of a mark.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// It is told.
    Tell(Mark),
    /// It was undone.
    TakeBack(Mark),
}

/// The next plan up.
#[derive(Debug, Serialize)]
pub struct Upgrade {
    /// Its name.
    pub plan: String,
    /// How much it has.
    pub limit: i64,
    /// How much more that is.
    pub more: i64,
}

impl Mark {
    /// The word under which it is kept.
    pub fn word(self) -> String {
        match self {
            Self::Reached(percent) => format!("reached:{percent}"),
            Self::Forecast => "forecast".to_owned(),
            Self::Exceeded => "exceeded".to_owned(),
            Self::GraceEnded => "grace_ended".to_owned(),
            Self::Capped => "capped".to_owned(),
        }
    }

    /// Reads what [`Mark::word`] wrote.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "forecast" => Some(Self::Forecast),
            "exceeded" => Some(Self::Exceeded),
            "grace_ended" => Some(Self::GraceEnded),
            "capped" => Some(Self::Capped),
            other => other.strip_prefix("reached:")?.parse().ok().map(Self::Reached),
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Reached(_) => "quota.reached",
            Self::Forecast => "quota.forecast",
            Self::Exceeded => "quota.exceeded",
            Self::GraceEnded => "quota.grace_ended",
            Self::Capped => "spend.capped",
        }
    }
}

/// What there is to tell and to take back, of a quota that stands so.
pub fn news(quota: &Quota, standing: &QuotaStanding, marks: &Marks) -> Vec<Change> {
    let reached = quota.thresholds.iter().map(|it| Mark::Reached(*it));
    let others = [Mark::Forecast, Mark::Exceeded, Mark::GraceEnded, Mark::Capped];
    let all = reached.chain(others);
    all.filter_map(|mark| match marks.contains_key(&mark) {
        false => holds(mark, standing).then_some(Change::Tell(mark)),
        true => is_undone(mark, standing).then_some(Change::TakeBack(mark)),
    })
    .collect()
}

fn holds(mark: Mark, it: &QuotaStanding) -> bool {
    match mark {
        Mark::Reached(threshold) => it.used > 0 && it.percent >= i64::from(threshold),
        Mark::Forecast => {
            it.used <= it.limit.saturating_add(it.rollover)
                && it.forecast.is_some_and(|it| it.percent > 100)
        }
        Mark::Exceeded => matches!(it.state, QuotaState::Grace | QuotaState::Exceeded),
        // Only where there was a grace that can end; without one it is said with `exceeded`.
        Mark::GraceEnded => it.state == QuotaState::Exceeded && it.grace_until.is_some(),
        Mark::Capped => it.spend.as_ref().is_some_and(|it| it.capped),
    }
}

fn is_undone(mark: Mark, it: &QuotaStanding) -> bool {
    let there_is = i128::from(it.limit) + i128::from(it.rollover);
    let below = |percent: i64| {
        let most = there_is * i128::from(percent - MARGIN_PERCENT);
        it.used <= 0 || i128::from(it.used) * 100 <= most
    };
    match mark {
        Mark::Reached(threshold) => below(i64::from(threshold)),
        // It goes up and down by itself.
        Mark::Forecast => false,
        Mark::Exceeded | Mark::GraceEnded => below(100),
        Mark::Capped => it.spend.as_ref().is_none_or(|it| {
            let most = it.cap.map(|cap| i128::from(cap) * i128::from(100 - MARGIN_PERCENT));
            !it.capped && most.is_none_or(|most| i128::from(it.amount) * 100 <= most)
        }),
    }
}

/// The next plan up that has this quota: the one with the lowest limit above it.
pub fn upgrade(quota: &Quota, plans: &[UsagePlan]) -> Option<Upgrade> {
    let key = quota.key();
    let limits = plans.iter().flat_map(|plan| {
        let fitting = plan.quotas.iter().filter(|it| it.key() == key && it.limit > quota.limit);
        fitting.map(|it| (it.limit, &plan.name))
    });
    let (limit, plan) = limits.min()?;
    Some(Upgrade { plan: plan.clone(), limit, more: limit - quota.limit })
}

/// The entry that tells a mark.
pub fn entry(
    mark: Mark,
    subject: &str,
    plan: &str,
    it: &QuotaStanding,
    upgrade: Option<&Upgrade>,
) -> Draft {
    let mut data = json!({
        "plan": plan,
        "quota": it.quota,
        "meter": it.meter,
        "window": it.window,
        "used": it.used,
        "limit": it.limit,
        "rollover": it.rollover,
        "percent": it.percent,
    });
    let more = match mark {
        Mark::Reached(threshold) => json!({"threshold": threshold, "upgrade": upgrade}),
        Mark::Forecast => json!({"forecast": it.forecast, "upgrade": upgrade}),
        Mark::Exceeded => json!({"grace_until": it.grace_until, "upgrade": upgrade}),
        Mark::GraceEnded => json!({"upgrade": upgrade}),
        Mark::Capped => json!({"spend": it.spend}),
    };
    if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
        data.extend(more.into_iter().filter(|(_, it)| !it.is_null()));
    }
    Draft::new(mark.action(), &Id::trusted(subject.to_owned())).with(data)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::quota::{standing::Facts, terms::Terms, window::WindowSpan};

    fn quota(more: Value) -> Quota {
        let mut all = json!({"meter": "calls", "limit": 100, "window": {"every": "month"}});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    fn standing(quota: &Quota, used: i64, now: i64, exceeded: Option<i64>) -> QuotaStanding {
        let span = WindowSpan { from: Timestamp(0), to: Timestamp(1_000_000) };
        let terms = Terms { span, limit: quota.limit, member_limit: None, is_reset: false };
        let exceeded_at = exceeded.map(Timestamp);
        let now = Timestamp(now);
        Facts { quota, terms, carried: 0, used, exceeded_at, now }.standing()
    }

    /// What is told as the usage goes through these values late in the window.
    fn told(quota: &Quota, usages: &[i64]) -> Vec<Mark> {
        let (mut marks, mut told) = (Marks::new(), Vec::new());
        for used in usages {
            let it = standing(quota, *used, 999_999, None);
            for change in news(quota, &it, &marks) {
                match change {
                    Change::Tell(mark) => {
                        marks.insert(mark, Timestamp(0));
                        told.push(mark);
                    }
                    Change::TakeBack(mark) => drop(marks.remove(&mark)),
                }
            }
        }
        told
    }

    #[test]
    fn each_threshold_is_told_once() {
        use Mark::Reached;
        let quota = quota(json!({}));
        assert_eq!(told(&quota, &[49, 50, 51, 50, 79]), [Reached(50)]);
        assert_eq!(told(&quota, &[100]), [Reached(50), Reached(80), Reached(100)]);
        let all = [Reached(50), Reached(80), Reached(100), Mark::Exceeded];
        assert_eq!(told(&quota, &[200, 201, 300]), all);
    }

    #[test]
    fn jitter_tells_nothing_and_a_correction_does() {
        let quota = quota(json!({}));
        assert_eq!(told(&quota, &[50, 46, 50, 46, 50]), [Mark::Reached(50)]);
        assert_eq!(told(&quota, &[50, 45, 50]), [Mark::Reached(50), Mark::Reached(50)]);
        assert_eq!(told(&quota, &[50, -3, 50]), [Mark::Reached(50), Mark::Reached(50)]);
    }

    #[test]
    fn a_forecast_is_told_before_it_comes_true_and_not_in_the_first_tenth() {
        let quota = quota(json!({}));
        let news = |used, now| news(&quota, &standing(&quota, used, now, None), &Marks::new());
        assert_eq!(news(11, 99_999), []);
        assert_eq!(news(11, 100_000), [Change::Tell(Mark::Forecast)]);
        assert_eq!(news(10, 100_000), []);
        assert!(!news(101, 900_000).contains(&Change::Tell(Mark::Forecast)));
    }

    #[test]
    fn a_grace_ends_by_time_or_by_amount() {
        let quota = quota(json!({"hard": true, "grace": {"percent": 20, "seconds": 60}}));
        let state = |used, now, at| standing(&quota, used, now, at).state;
        assert_eq!(state(101, 10_000, None), QuotaState::Grace);
        assert_eq!(state(101, 69_999, Some(10_000)), QuotaState::Grace);
        assert_eq!(state(101, 70_000, Some(10_000)), QuotaState::Exceeded);
        assert_eq!(state(120, 20_000, Some(10_000)), QuotaState::Grace);
        assert_eq!(state(121, 20_000, Some(10_000)), QuotaState::Exceeded);

        let ended = standing(&quota, 101, 70_000, Some(10_000));
        let marks = quota.thresholds.iter().map(|it| Mark::Reached(*it));
        let marks: Marks = marks.chain([Mark::Exceeded]).map(|it| (it, Timestamp(0))).collect();
        assert_eq!(news(&quota, &ended, &marks), [Change::Tell(Mark::GraceEnded)]);
    }

    #[test]
    fn a_cap_is_told_once_and_again_after_a_correction() {
        let price = json!({"price_per_unit": 2, "currency": "EUR", "spend_cap": 200});
        let told = told(&quota(price), &[199, 200, 196, 200, 195, 200]);
        let capped = told.iter().filter(|it| **it == Mark::Capped).count();
        assert_eq!(capped, 2);
    }

    #[test]
    fn the_next_plan_up_is_the_one_with_the_lowest_limit_above() {
        let plan = |name: &str, limit| UsagePlan {
            name: name.to_owned(),
            quotas: vec![quota(json!({"limit": limit}))],
            updated_at: Timestamp(0),
            version: 1,
        };
        let plans = [plan("free", 10), plan("huge", 10_000), plan("pro", 1_000), plan("own", 100)];
        let up = upgrade(&quota(json!({})), &plans).unwrap();
        assert_eq!((&*up.plan, up.limit, up.more), ("pro", 1_000, 900));
        assert!(upgrade(&quota(json!({"limit": 10_000})), &plans).is_none());
    }

    #[test]
    fn a_mark_reads_back() {
        for mark in
            [Mark::Reached(80), Mark::Forecast, Mark::Exceeded, Mark::GraceEnded, Mark::Capped]
        {
            assert_eq!(Mark::parse(&mark.word()), Some(mark));
        }
    }

    proptest! {
        #[test]
        fn nothing_is_told_twice_while_usage_only_grows(
            steps in proptest::collection::vec(0i64..40, 1..40),
        ) {
            let mut used = 0;
            let usages: Vec<_> = steps.iter().map(|it| { used += it; used }).collect();
            let price = json!({"price_per_unit": 1, "currency": "EUR", "spend_cap": 40});
            let told = told(&quota(price), &usages);
            let once: BTreeSet<_> = told.iter().collect();
            prop_assert_eq!(once.len(), told.len());
        }

        #[test]
        fn no_numbers_make_a_standing_panic(
            limit in 0i64..=1_000_000_000_000_000, used: i64, carried in 0i64..=1_000_000_000_000_000,
            cost: i64, now: i64, at: Option<i64>,
        ) {
            let quota = quota(json!({
                "limit": limit, "price_per_unit": limit, "currency": "EUR", "spend_cap": 1,
                "hard": true, "grace": {"percent": 1000, "seconds": 60},
            }));
            let span = WindowSpan { from: Timestamp(0), to: Timestamp(1_000_000) };
            let terms = Terms { span, limit, member_limit: Some(limit), is_reset: false };
            let (now, exceeded_at) = (Timestamp(now), at.map(Timestamp));
            let facts = Facts { quota: &quota, terms, carried, used, exceeded_at, now };
            let it = facts.standing();
            prop_assert!(it.remaining >= 0 && it.percent >= 0);
            let _ = (facts.allows(cost), facts.member(used), facts.allows_member(used, cost));
        }
    }
}
