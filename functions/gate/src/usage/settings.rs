//! For how long an event may be late, and what is still known of the past.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Draft, Timestamp},
    http::{Response, StatusCode, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{period, store};

/// For how many days an event may be late when nobody says.
pub const LATE_DAYS_DEFAULT: u32 = 35;
/// For how many days it may be late at most.
pub const LATE_DAYS_MAX: u32 = 400;
/// For how many days more raw events are kept.
pub const KEPT_DAYS: u32 = 35;
/// For how many days counters are kept, or as long as raw events if that is longer.
pub const COUNTERS_DAYS: u32 = 400;
/// How far ahead of ours a sender's clock may be.
pub const AHEAD_MAX: Duration = Duration::from_secs(5 * 60);

/// Where a tenant's usage stands.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// For how many days an event may be late.
    pub late_days: u32,
    /// Counts the changes of the settings.
    pub version: i64,
    /// Raw events of before this moment are gone.
    pub events_from: Timestamp,
    /// Counters of before this moment are gone.
    pub counters_from: Timestamp,
}

/// How usage is taken in.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageSettings {
    /// For how many days an event may be late: up to 400, 35 by default. Raw events are kept for
    /// 35 days more.
    pub late_days: u32,
}

/// When an event may have been.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Not before this moment.
    pub oldest: Timestamp,
    /// The time now.
    pub now: Timestamp,
}

fn days(count: u32) -> Duration {
    Duration::from_secs(24 * 60 * 60) * count
}

impl Default for State {
    fn default() -> Self {
        let (events_from, counters_from) = (Timestamp(0), Timestamp(0));
        Self { late_days: LATE_DAYS_DEFAULT, version: 0, events_from, counters_from }
    }
}

impl State {
    /// When an event may have been that is sent now.
    pub fn window(&self, now: Timestamp) -> Window {
        // What is older than the raw events has no key left by which it could be told apart.
        Window { oldest: (now - days(self.late_days)).max(self.events_from), now }
    }

    /// Before which moment raw events go.
    pub fn events_until(&self, now: Timestamp) -> Timestamp {
        period::floor(now - days(self.late_days + KEPT_DAYS)).max(self.events_from)
    }

    /// Before which moment counters go.
    pub fn counters_until(&self, now: Timestamp) -> Timestamp {
        let kept = COUNTERS_DAYS.max(self.late_days + KEPT_DAYS);
        period::floor(now - days(kept)).max(self.counters_from)
    }

    /// Whether everything between these moments can still be told exactly.
    ///
    /// # Errors
    /// What to ask for instead.
    pub fn knows(&self, from: Timestamp, to: Timestamp) -> Result<(), String> {
        if from < self.counters_from {
            return Err(format!("counters go back to {}: ask from there on", self.counters_from));
        }
        let cut = |it: Timestamp| period::floor(it) != it && it < self.events_from;
        if cut(from) || cut(to) {
            let since = self.events_from;
            return Err(format!("before {since} only whole quarters of an hour are known"));
        }
        Ok(())
    }
}

impl Window {
    /// Whether an event of this moment may come now.
    ///
    /// # Errors
    /// 422, too late or too early.
    pub fn check(&self, time: Timestamp) -> Result<(), Problem> {
        let refused = |kind, title| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title);
        if time < self.oldest {
            let why = format!("events of before {} are not taken any more", self.oldest);
            return Err(refused("/problems/usage/late", "The event is too late").detail(why));
        }
        if time > self.now + AHEAD_MAX {
            let why = format!("it is {}: set the sender's clock", self.now);
            let title = "The event is in the future";
            return Err(refused("/problems/usage/in-the-future", title).detail(why));
        }
        Ok(())
    }
}

fn shown(state: &State) -> Response {
    let body = UsageSettings { late_days: state.late_days };
    let response = json_response(StatusCode::OK, &body);
    with_header(response, header::ETAG, &etag(state.version))
}

/// Reads the settings.
pub async fn get(at: &impl Tenant) -> Result<Response, Problem> {
    Ok(shown(&store::state(at).await?))
}

/// Changes the settings.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let UsageSettings { late_days } = call.json()?;
    if !(1..=LATE_DAYS_MAX).contains(&late_days) {
        return Err(Problem::unfitting("late_days", format!("1 to {LATE_DAYS_MAX}")));
    }
    let before = store::state(at).await?;
    if call.if_match()?.is_some_and(|it| it != before.version) {
        return Err(Problem::changed_meanwhile());
    }
    let after = State { late_days, version: before.version + 1, ..before };
    let said = json!({"late_days": late_days, "before": before.late_days});
    let entry = Draft { action: "usage.settings", subject: "usage".to_owned(), data: said };
    let commit = store::put_state(&after, before.version).entry(entry);
    at.answer(commit, shown(&after), Problem::changed_meanwhile).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_893_456_000_000);

    #[test]
    fn an_event_may_be_late_for_its_days_and_ahead_for_minutes() {
        let window = State::default().window(NOW);

        assert!(window.check(NOW - days(35)).is_ok());
        assert!(window.check(NOW - days(35) - Duration::from_millis(1)).is_err());
        assert!(window.check(NOW + AHEAD_MAX).is_ok());
        assert!(window.check(NOW + AHEAD_MAX + Duration::from_millis(1)).is_err());
    }

    #[test]
    fn what_was_pruned_stays_too_late_whatever_the_setting() {
        let state = State { events_from: NOW - days(70), late_days: 400, ..State::default() };

        assert!(state.window(NOW).check(NOW - days(70)).is_ok());
        assert!(state.window(NOW).check(NOW - days(71)).is_err());
        assert_eq!(state.events_until(NOW), NOW - days(70), "and it never comes back");
    }

    #[test]
    fn of_what_is_pruned_whole_quarters_are_known() {
        let state = State { events_from: NOW, counters_from: NOW - days(9), ..State::default() };
        let (quarter, second) = (period::QUARTER, Duration::from_secs(1));

        assert!(state.knows(NOW - quarter, NOW).is_ok());
        assert!(state.knows(NOW - second, NOW).is_err());
        assert!(state.knows(NOW, NOW + second).is_ok());
        assert!(state.knows(NOW - days(10), NOW).is_err());
    }

    #[test]
    fn counters_outlive_the_events_that_could_change_them() {
        let state = State { late_days: 400, ..State::default() };

        assert!(state.counters_until(NOW) <= state.events_until(NOW));
    }
}
