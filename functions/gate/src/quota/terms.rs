//! What a quota comes to in one window, with the changes of plan in it. Pure.

use shared::domain::Timestamp;

use super::{
    plan::Quota,
    subject::{OnChange, SubjectChange},
    window::WindowSpan,
};

/// From when a quota counts, and how much there is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Terms {
    /// The window; from the last reset in it.
    pub span: WindowSpan,
    /// How much there is for the subject.
    pub limit: i64,
    /// How much there is for each member.
    pub member_limit: Option<i64>,
    /// Whether it was reset in the window: nothing is carried over into it then.
    pub is_reset: bool,
}

impl Terms {
    /// Of this quota, which is the one at the end of the window, after these changes, in their
    /// order.
    pub fn of(quota: &Quota, window: WindowSpan, changes: &[SubjectChange]) -> Self {
        let real = || {
            let inside = |it: &&SubjectChange| window.from < it.at && it.at < window.to;
            changes.iter().filter(|it| it.before.is_some()).filter(inside)
        };
        let reset = real().rfind(|it| it.on_change == OnChange::Reset).map(|it| it.at);
        let span = WindowSpan { from: reset.unwrap_or(window.from), ..window };
        let changes: Vec<_> = real().filter(|it| it.at > span.from).collect();
        let weighed = |of: &dyn Fn(&Quota) -> i64| weighed(quota, span, &changes, of);
        Self {
            span,
            limit: weighed(&|it| it.limit),
            member_limit: quota
                .member_limit
                .map(|_| weighed(&|it| it.member_limit.unwrap_or(it.limit))),
            is_reset: reset.is_some(),
        }
    }
}

/// The quota with this key that held just before a moment, where it is not the one of now.
pub fn held<'a>(
    now: &'a Quota,
    until: Timestamp,
    changes: &'a [SubjectChange],
) -> Option<&'a Quota> {
    let key = now.key();
    match changes.iter().find(|it| it.at >= until && it.before.is_some()) {
        None => Some(now),
        Some(change) => change.before.iter().flatten().find(|it| it.key() == key),
    }
}

/// The amount by the time that each quota held, rounded down. One that was not there has none.
fn weighed(
    quota: &Quota,
    span: WindowSpan,
    changes: &[&SubjectChange],
    of: &dyn Fn(&Quota) -> i64,
) -> i64 {
    let key = quota.key();
    let (mut sum, mut from) = (0i128, span.from);
    for change in changes {
        match change.on_change {
            OnChange::Prorate => {
                let before = change.before.iter().flatten().find(|it| it.key() == key);
                let part = WindowSpan { from, to: change.at };
                sum += i128::from(before.map_or(0, of)) * i128::from(part.millis());
                from = change.at;
            }
            // The limit after it holds for all of the window.
            OnChange::Keep | OnChange::Reset => (sum, from) = (0, span.from),
        }
    }
    let rest = WindowSpan { from, to: span.to };
    sum += i128::from(of(quota)) * i128::from(rest.millis());
    i64::try_from(sum / i128::from(span.millis().max(1))).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn quota(limit: i64) -> Quota {
        serde_json::from_value(
            json!({"meter": "calls", "limit": limit, "window": {"every": "month"}}),
        )
        .unwrap()
    }

    fn change(at: i64, on_change: OnChange, before: i64) -> SubjectChange {
        let before = Some(vec![quota(before)]);
        SubjectChange { at: Timestamp(at), plan: String::new(), on_change, before, version: 1 }
    }

    const WINDOW: WindowSpan = WindowSpan { from: Timestamp(1_000), to: Timestamp(2_000) };

    fn limit(changes: &[SubjectChange]) -> i64 {
        Terms::of(&quota(300), WINDOW, changes).limit
    }

    #[test]
    fn a_change_in_the_window_follows_its_word() {
        assert_eq!(limit(&[]), 300);
        assert_eq!(limit(&[change(1_500, OnChange::Keep, 100)]), 300);
        assert_eq!(limit(&[change(1_500, OnChange::Prorate, 100)]), 200);
        assert_eq!(limit(&[change(1_250, OnChange::Prorate, 100)]), 250);
        let reset = Terms::of(&quota(300), WINDOW, &[change(1_500, OnChange::Reset, 100)]);
        assert_eq!((reset.span.from, reset.limit, reset.is_reset), (Timestamp(1_500), 300, true));
    }

    #[test]
    fn changes_outside_of_the_window_and_the_first_plan_change_nothing() {
        let first = SubjectChange { before: None, ..change(1_500, OnChange::Prorate, 0) };
        assert_eq!(limit(&[first]), 300);
        assert_eq!(limit(&[change(1_000, OnChange::Prorate, 100)]), 300);
        assert_eq!(limit(&[change(2_000, OnChange::Prorate, 100)]), 300);
    }

    #[test]
    fn several_changes_follow_each_other() {
        let twice = [change(1_250, OnChange::Prorate, 100), change(1_500, OnChange::Prorate, 200)];
        assert_eq!(limit(&twice), (100 * 250 + 200 * 250 + 300 * 500) / 1000);
        let kept = [change(1_250, OnChange::Prorate, 100), change(1_500, OnChange::Keep, 200)];
        assert_eq!(limit(&kept), 300);
        let reset = [change(1_200, OnChange::Reset, 100), change(1_600, OnChange::Prorate, 100)];
        assert_eq!(limit(&reset), 200);
    }

    #[test]
    fn what_held_before_a_change_is_known() {
        let changes = [change(1_200, OnChange::Keep, 100), change(1_600, OnChange::Keep, 200)];
        let at = |at| held(&quota(300), Timestamp(at), &changes).map(|it| it.limit);
        assert_eq!(
            [at(1_000), at(1_200), at(1_201), at(1_601)].map(Option::unwrap),
            [100, 100, 200, 300]
        );
    }

    proptest! {
        #[test]
        fn a_prorated_limit_is_between_the_limits(
            limits in proptest::collection::vec((1_001i64..2_000, 0i64..1 << 49), 0..6), last in 0i64..1 << 49,
        ) {
            let mut limits = limits;
            limits.sort_unstable();
            let changes: Vec<_> =
                limits.iter().map(|(at, it)| change(*at, OnChange::Prorate, *it)).collect();
            let limit = Terms::of(&quota(last), WINDOW, &changes).limit;

            let all = || limits.iter().map(|(_, it)| *it).chain([last]);
            prop_assert!(all().min().unwrap() <= limit && limit <= all().max().unwrap());
        }
    }
}
