//! Promises, told as stories of a ticket: opened on Monday, 7 January 2030, at nine in Berlin, where
//! people work from nine to five.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use shared::domain::Timestamp;

use super::{
    alert::Alert,
    calendar::Calendar,
    history::{Happening, Told, What},
    policy::{PolicyText, Target, To},
    report::{Report, TargetReport, TargetState},
    terms::Promises,
    versions::{Version, Versions},
    walk::Walk,
};

/// This day and time of January 2030 in Berlin, which is an hour ahead.
fn jan(day: u32, time: &str) -> Timestamp {
    Timestamp::parse(&format!("2030-01-{day:02}T{time}:00+01:00")).unwrap()
}

fn office() -> Calendar {
    let day = json!([{"from": "09:00", "to": "17:00"}]);
    let hours = json!({"mon": day, "tue": day, "wed": day, "thu": day, "fri": day});
    let text = json!({"zone": "Europe/Berlin", "hours": hours});
    Calendar::new(serde_json::from_value(text).unwrap()).unwrap()
}

/// Hours for each target, the same for all priorities but urgent, which has a quarter.
fn hours(first: u32, next: u32, update: u32, resolution: u32) -> Value {
    let of = |hours: u32| {
        let (all, urgent) = (hours * 60, hours * 15);
        json!({"minutes": {"low": all, "normal": all, "high": all, "urgent": urgent}})
    };
    json!({"calendar": "office", "targets": {"first_response": of(first),
        "next_response": of(next), "update": of(update), "resolution": of(resolution)}})
}

struct Story {
    policies: BTreeMap<String, Vec<Version<PolicyText>>>,
    history: Vec<Happening>,
}

impl Story {
    /// A ticket that is opened on Monday at nine, held to a policy since New Year.
    fn new(policy: Value) -> Self {
        let story = Self { policies: BTreeMap::new(), history: Vec::new() };
        let story = story.put("usual", jan(1, "00:00"), policy);
        let fields = json!({"state": "open", "priority": "normal"});
        story.then(jan(7, "09:00"), What::Opened(fields.as_object().cloned().unwrap()))
    }

    fn put(mut self, name: &str, applies_from: Timestamp, policy: Value) -> Self {
        let policy: PolicyText = serde_json::from_value(policy).unwrap();
        let all = self.policies.entry(name.to_owned()).or_default();
        let number = all.len() as i64 + 1;
        all.push(Version { number, applies_from, what: Some(policy.checked().unwrap()) });
        self
    }

    fn then(mut self, at: Timestamp, what: What) -> Self {
        self.history.push(Happening { at, what });
        self
    }

    fn changed(self, at: Timestamp, name: &str, value: &str) -> Self {
        let fields = Map::from_iter([(name.to_owned(), value.into())]);
        self.then(at, What::Changed(fields))
    }

    fn replied(self, at: Timestamp) -> Self {
        self.then(at, What::Replied)
    }

    fn received(self, at: Timestamp) -> Self {
        self.then(at, What::Received)
    }

    fn promises(&self) -> Promises {
        let of = |(name, all): (&String, &Vec<_>)| (name.clone(), Versions::new(all.clone()));
        let office = Version { number: 1, applies_from: jan(1, "00:00"), what: Some(office()) };
        let calendars = BTreeMap::from([("office".to_owned(), Versions::new(vec![office]))]);
        Promises::new(self.policies.iter().map(of).collect(), calendars)
    }

    fn report(&self, target: Target, now: Timestamp) -> TargetReport {
        Report::of(&self.promises(), &self.history, now).target(target).unwrap().clone()
    }

    fn alerts(&self, now: Timestamp) -> Vec<Alert> {
        Walk::through(&self.promises(), &self.history, now).alerts()
    }

    /// Looks at each moment of the next alert, and remembers what goes out, up to a moment.
    fn told(mut self, until: Timestamp) -> (Self, Vec<(String, Target, u16)>) {
        let mut all = Vec::new();
        let mut now = self.history.last().unwrap().at;
        loop {
            let alerts = self.alerts(now);
            for it in alerts.iter().filter(|it| it.at <= now) {
                all.push((it.at.to_string()[8..16].to_owned(), it.of.target, it.of.percent));
                self.history.push(Happening { at: now, what: What::Told(it.of) });
            }
            match self.alerts(now).first() {
                Some(it) if it.at <= until => now = it.at,
                _ => return (self, all),
            }
        }
    }
}

use Target::{FirstResponse, NextResponse, Resolution, Update};

#[test]
fn time_is_working_time_and_not_that_of_the_wall() {
    let story = Story::new(hours(12, 4, 24, 40));

    let it = story.report(FirstResponse, jan(8, "10:00"));

    assert_eq!(it.state, TargetState::Running);
    assert_eq!((it.counted_ms, it.percent), (9 * 3_600_000, Some(75)));
    assert_eq!(it.due_at, Some(jan(8, "13:00")));
    assert_eq!(story.report(Resolution, jan(8, "10:00")).due_at, Some(jan(11, "17:00")));
}

#[test]
fn an_answer_at_the_last_moment_is_in_time_and_a_later_one_is_not() {
    let answered =
        |at| Story::new(hours(8, 4, 24, 40)).replied(at).report(FirstResponse, jan(9, "09:00"));

    let met = answered(jan(7, "17:00"));
    assert_eq!((met.state, met.met_at), (TargetState::Met, Some(jan(7, "17:00"))));
    // Nothing was counted since five, but five is what was promised.
    let late = answered(jan(7, "18:00"));
    assert_eq!((late.state, late.breached_at), (TargetState::Breached, Some(jan(7, "17:00"))));
    assert_eq!(late.met_at, Some(jan(7, "18:00")));
}

#[test]
fn the_next_response_is_due_from_the_first_of_several_in_a_row() {
    let story = Story::new(hours(8, 4, 24, 40)).received(jan(7, "10:00"));
    assert_eq!(story.report(NextResponse, jan(7, "11:00")).state, TargetState::None);

    let story = story.replied(jan(7, "11:00")).received(jan(7, "12:00")).received(jan(7, "14:00"));
    let it = story.report(NextResponse, jan(7, "15:00"));
    assert_eq!(
        (it.round, it.started_at, it.due_at),
        (1, Some(jan(7, "12:00")), Some(jan(7, "16:00")))
    );

    let story = story.replied(jan(7, "15:30"));
    assert_eq!(story.report(NextResponse, jan(7, "16:30")).state, TargetState::Met);
    let again = story.received(jan(7, "16:00")).report(NextResponse, jan(8, "09:00"));
    assert_eq!((again.round, again.due_at), (2, Some(jan(8, "12:00"))));
}

#[test]
fn an_update_is_due_after_each_answer() {
    let story = Story::new(hours(8, 4, 4, 40));
    assert_eq!(story.report(Update, jan(7, "12:00")).state, TargetState::None);

    let story = story.replied(jan(7, "10:00")).replied(jan(7, "16:00"));
    let it = story.report(Update, jan(7, "16:30"));
    assert_eq!((it.round, it.breached_before, it.due_at), (2, 1, Some(jan(8, "12:00"))));
}

#[test]
fn pending_stands_still_and_open_again_goes_on() {
    let story = Story::new(hours(8, 4, 24, 8)).changed(jan(7, "11:00"), "state", "pending");
    let it = story.report(Resolution, jan(8, "12:00"));
    assert_eq!((it.state, it.counted_ms, it.due_at), (TargetState::Paused, 2 * 3_600_000, None));

    let story = story.changed(jan(8, "13:00"), "state", "open");
    let it = story.report(Resolution, jan(8, "14:00"));
    assert_eq!((it.state, it.due_at), (TargetState::Running, Some(jan(9, "11:00"))));
    let why: Vec<_> = it.because.iter().map(|it| it.why.as_str()).collect();
    let by = "480 minutes by version 1 of usual, calendar office";
    assert_eq!(
        why,
        [
            "round 1 begins",
            &format!("counted: {by}"),
            &format!("stands still while pending: {by}"),
            &format!("counted: {by}"),
        ]
    );
}

#[test]
fn what_is_resolved_is_done_and_opened_again_goes_on() {
    let story = Story::new(hours(8, 4, 24, 8)).changed(jan(7, "11:00"), "state", "resolved");
    assert_eq!(story.report(Resolution, jan(9, "09:00")).state, TargetState::Met);
    assert_eq!(story.report(FirstResponse, jan(9, "09:00")).state, TargetState::Cancelled);

    let story = story.changed(jan(9, "09:00"), "state", "open");
    let it = story.report(Resolution, jan(9, "10:00"));
    assert_eq!((it.state, it.due_at), (TargetState::Running, Some(jan(9, "15:00"))));
    assert_eq!(story.report(FirstResponse, jan(9, "10:00")).due_at, Some(jan(9, "15:00")));
}

#[test]
fn another_priority_is_another_mark_on_the_same_clock() {
    let story = Story::new(hours(8, 4, 24, 8)).changed(jan(7, "10:00"), "priority", "urgent");
    assert_eq!(story.report(FirstResponse, jan(7, "10:30")).due_at, Some(jan(7, "11:00")));

    // What is too late at once is so in working time.
    let night = Story::new(hours(8, 4, 24, 8)).changed(jan(7, "20:00"), "priority", "urgent");
    let it = night.report(FirstResponse, jan(7, "21:00"));
    assert_eq!((it.state, it.due_at), (TargetState::Breached, Some(jan(7, "17:00"))));
    let night = Story::new(hours(16, 4, 24, 8)).changed(jan(7, "20:00"), "priority", "urgent");
    let it = night.report(FirstResponse, jan(7, "21:00"));
    assert_eq!((it.state, it.due_at), (TargetState::Running, Some(jan(8, "09:00"))));
}

#[test]
fn another_version_counts_from_when_it_applies() {
    let story = Story::new(hours(8, 4, 24, 8)).put("usual", jan(7, "12:00"), hours(4, 4, 24, 16));

    let before = story.report(Resolution, jan(7, "11:00"));
    assert_eq!(before.by.unwrap().version, 1);
    // What is planned is known ahead.
    assert_eq!(before.due_at, Some(jan(8, "17:00")));
    let after = story.report(Resolution, jan(7, "13:00"));
    assert_eq!((after.by.unwrap().version, after.due_at), (2, Some(jan(8, "17:00"))));
    assert_eq!(story.report(FirstResponse, jan(7, "12:30")).due_at, Some(jan(7, "13:00")));
}

#[test]
fn what_was_broken_stays_so_and_what_was_never_promised_is_nothing() {
    let story =
        Story::new(hours(1, 4, 24, 8)).put("usual", jan(7, "12:00"), json!({"targets": {}}));
    let it = story.report(FirstResponse, jan(7, "13:00"));
    assert_eq!((it.state, it.breached_at), (TargetState::Breached, Some(jan(7, "10:00"))));
    assert_eq!(story.report(Resolution, jan(7, "13:00")).state, TargetState::None);

    let none = Story::new(json!({"when": "ticket.plan == 'gold'", "targets": {}}))
        .replied(jan(7, "10:00"));
    assert!(none.alerts(jan(7, "11:00")).is_empty());
    assert_eq!(none.report(FirstResponse, jan(7, "11:00")).state, TargetState::None);
}

#[test]
fn a_policy_is_chosen_by_hand_by_condition_and_by_rank() {
    let mut gold = hours(1, 4, 24, 8);
    gold["when"] = json!("ticket.plan == 'gold'");
    gold["rank"] = json!(10);
    let mut vip = hours(2, 4, 24, 8);
    vip["when"] = json!("false");
    let story = Story::new(hours(8, 4, 24, 8));
    let story = story.put("gold", jan(1, "00:00"), gold).put("vip", jan(1, "00:00"), vip);
    let by = |it: &Story| it.report(FirstResponse, jan(7, "09:30")).by.unwrap().policy;

    assert_eq!(by(&story), "usual");
    let story = story.changed(jan(7, "09:10"), "plan", "gold");
    assert_eq!(by(&story), "gold");
    let story = story.changed(jan(7, "09:20"), "sla", "vip");
    assert_eq!(by(&story), "vip");
    assert_eq!(by(&story.changed(jan(7, "09:25"), "sla", "unknown")), "gold");
}

#[test]
fn nobody_is_told_at_night() {
    let story = Story::new(hours(12, 4, 24, 40));

    let (story, told) = story.told(jan(31, "00:00"));

    let of = |target| told.iter().filter(move |it| it.1 == target).map(|it| (it.0.as_str(), it.2));
    // In UTC: 15:00, Tuesday 10:36, and 13:00 in Berlin.
    assert_eq!(
        of(FirstResponse).collect::<Vec<_>>(),
        [("07T14:00", 50), ("08T09:36", 80), ("08T12:00", 100)]
    );
    let resolution: Vec<_> = of(Resolution).collect();
    assert_eq!(resolution, [("09T12:00", 50), ("10T16:00", 80), ("11T16:00", 100)]);
    assert!(story.alerts(jan(31, "12:00")).is_empty());
}

#[test]
fn an_alert_that_was_missed_waits_for_the_morning() {
    let story = Story::new(hours(1, 4, 24, 40))
        .then(jan(7, "09:30"), What::Told(Told { target: FirstResponse, round: 1, percent: 50 }));
    let next = |now| story.alerts(now).first().map(|it| (it.of.percent, it.at));

    assert_eq!(next(jan(7, "09:40")), Some((80, jan(7, "09:48"))));
    assert_eq!(next(jan(7, "16:59")), Some((80, jan(7, "16:59"))));
    assert_eq!(next(jan(7, "23:00")), Some((80, jan(8, "09:00"))));
}

#[test]
fn a_merged_ticket_escalates_no_more() {
    let story = Story::new(hours(1, 4, 24, 8)).changed(jan(7, "09:20"), "state", "merged");
    assert!(story.alerts(jan(7, "12:00")).is_empty());
    assert!(story.told(jan(31, "00:00")).1.is_empty());

    for state in ["merged", "spam"] {
        let story = Story::new(hours(1, 4, 24, 8)).changed(jan(7, "12:00"), "state", state);
        assert!(story.alerts(jan(7, "12:00")).is_empty(), "{state}");
        let it = story.report(FirstResponse, jan(8, "12:00"));
        assert_eq!(it.state, TargetState::Cancelled, "{state}");
        assert_eq!(it.counted_ms, 3 * 3_600_000, "{state}");
    }
}

#[test]
fn who_took_note_ends_the_ladder_of_that_round() {
    let mut policy = hours(1, 4, 24, 40);
    policy["ladder"] = json!([
        {"percent": 50, "to": ["assignee"]},
        {"percent": 100, "to": ["team"]},
        {"percent": 200, "to": ["mem_00000000000000000000000000"]},
    ]);
    let told = |story: Story| {
        let all = story.told(jan(7, "12:00")).1.into_iter();
        all.filter(|it| it.1 == FirstResponse).map(|it| it.2).collect::<Vec<_>>()
    };
    assert_eq!(told(Story::new(policy.clone())), [50, 100, 200]);

    let noted = What::Acknowledged { target: FirstResponse, round: 1 };
    let story = Story::new(policy).then(jan(7, "09:10"), noted);
    let breach = story.alerts(jan(7, "10:00")).into_iter().find(Alert::is_breach).unwrap();
    assert_eq!((breach.at, breach.to, breach.step), (jan(7, "10:00"), Vec::<To>::new(), None));
    assert_eq!(told(story), [100]);
}

#[test]
fn what_is_paused_or_done_is_not_warned_of_but_what_was_broken_is_told() {
    let paused = Story::new(hours(8, 4, 24, 8)).changed(jan(7, "14:00"), "state", "pending");
    assert!(paused.alerts(jan(7, "15:00")).is_empty());

    let done = Story::new(hours(1, 4, 24, 40)).replied(jan(7, "11:00"));
    let all = done.alerts(jan(7, "11:00"));
    let now: Vec<_> = all.iter().filter(|it| it.at == jan(7, "11:00")).map(|it| it.of).collect();
    assert_eq!(now, [Told { target: FirstResponse, round: 1, percent: 100 }]);
}

#[test]
fn a_broken_round_that_is_over_is_told_as_well() {
    let story = Story::new(hours(8, 4, 1, 40)).replied(jan(7, "10:00")).replied(jan(7, "12:00"));
    let all = story.alerts(jan(7, "12:00"));

    let now: Vec<_> = all.iter().filter(|it| it.at <= jan(7, "12:00")).map(|it| it.of).collect();
    assert_eq!(now, [Told { target: Update, round: 1, percent: 100 }]);
}
