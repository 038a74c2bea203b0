//! Stories of invoices that were not paid.

use proptest::prelude::*;

use super::*;

fn at(days: u16) -> Timestamp {
    day(Timestamp(1_000_000), days)
}

fn refused(attempts: &[(u16, Decline)]) -> History {
    let attempts =
        attempts.iter().map(|(days, decline)| Attempt { at: at(*days), decline: *decline });
    History { attempts: attempts.collect(), ..History::default() }
}

#[test]
fn soft_refusals_are_retried_on_the_days_of_the_schedule() {
    let policy = Policy::default();
    let mut history = refused(&[(0, Decline::Soft)]);

    for due in [2, 7, 14, 21] {
        assert_eq!(policy.next(&history, at(due - 1)), Step::RetryAt(at(due)));
        assert_eq!(policy.next(&history, at(due)), Step::RetryNow);
        history.attempts.push(Attempt { at: at(due), decline: Decline::Soft });
    }

    assert_eq!(policy.next(&history, at(21)), Step::Finish(Final::Cancel));
}

#[test]
fn a_sleeper_tries_once_for_all_the_days_that_it_slept() {
    let policy = Policy::default();
    let mut history = refused(&[(0, Decline::Soft)]);

    assert_eq!(policy.next(&history, at(10)), Step::RetryNow);
    history.attempts.push(Attempt { at: at(10), decline: Decline::Soft });

    assert_eq!(policy.next(&history, at(10)), Step::RetryAt(at(14)));
}

#[test]
fn a_hard_refusal_waits_for_another_method_and_then_tries_at_once() {
    let policy = Policy::default();
    let mut history = refused(&[(0, Decline::Soft), (2, Decline::Hard)]);
    assert_eq!(policy.next(&history, at(7)), Step::AwaitMethod(at(21)));

    history.method_changed_at = Some(at(8));

    assert_eq!(policy.next(&history, at(8)), Step::RetryNow);
    history.attempts.push(Attempt { at: at(8), decline: Decline::Soft });
    assert_eq!(policy.next(&history, at(9)), Step::RetryAt(at(14)));
}

#[test]
fn waiting_for_the_customer_ends_with_the_schedule() {
    let policy = Policy::new(vec![3, 5], 0, Final::Pause).unwrap();
    let history = refused(&[(0, Decline::NeedsCustomer)]);

    assert_eq!(policy.next(&history, at(4)), Step::AwaitCustomer(at(5)));
    assert_eq!(policy.next(&history, at(5)), Step::Finish(Final::Pause));
    assert!(!policy.has_benefits(&history, at(0)));
}

#[test]
fn benefits_last_for_the_grace() {
    let policy = Policy::default();
    let history = refused(&[(0, Decline::Soft)]);

    assert!(policy.has_benefits(&history, at(6)));
    assert!(!policy.has_benefits(&history, at(7)));
    assert!(policy.has_benefits(&History::default(), at(7)));
    assert_eq!(policy.next(&History::default(), at(7)), Step::Nothing);
}

#[test]
fn a_schedule_rises_and_ends() {
    for bad in [vec![], vec![0], vec![2, 2], vec![7, 2], vec![91], (1..12).collect()] {
        assert_eq!(Policy::new(bad, 7, Final::Unpaid), Err(Error::BadDays));
    }
    assert_eq!(Policy::new(vec![1], 91, Final::Unpaid), Err(Error::BadGrace));
}

fn moment(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn smart_days_are_worked_on_and_at_the_hour_of_the_last_payment() {
    let policy = Policy::new(vec![2, 3, 7], 7, Final::Cancel).unwrap();
    let policy = policy.smart("Europe/Berlin".parse().unwrap());
    // It failed at night from Wednesday to Thursday; the customer paid in summer at nine.
    let first = Attempt { at: moment("2030-10-24T02:10:00+02:00"), decline: Decline::Soft };
    let mut history = History {
        attempts: vec![first],
        paid_at: Some(moment("2030-07-01T09:05:00+02:00")),
        ..History::default()
    };

    // Saturday and Sunday are one try, on Monday by the clock of winter.
    let monday = moment("2030-10-28T09:05:00+01:00");
    assert_eq!(policy.next(&history, first.at), Step::RetryAt(monday));
    assert_eq!(policy.next(&history, monday), Step::RetryNow);
    history.attempts.push(Attempt { at: monday, ..first });
    let thursday = moment("2030-10-31T09:05:00+01:00");
    assert_eq!(policy.next(&history, monday), Step::RetryAt(thursday));
    history.attempts.push(Attempt { at: thursday, decline: Decline::Soft });

    assert_eq!(policy.next(&history, thursday), Step::Finish(Final::Cancel));
}

#[test]
fn who_never_paid_is_asked_at_the_time_of_the_failure() {
    let policy = Policy::new(vec![1], 7, Final::Cancel).unwrap().smart(Zone::default());
    let first = Attempt { at: moment("2030-10-22T15:00:00Z"), decline: Decline::Hard };
    let mut history = History { attempts: vec![first], ..History::default() };

    let without = policy.next(&history, first.at);
    history.paid_at = Some(moment("2030-10-22T19:00:00Z"));
    let since = policy.next(&history, first.at);

    assert_eq!(without, Step::AwaitMethod(moment("2030-10-23T15:00:00Z")));
    assert_eq!(since, without);
}

fn decline() -> impl Strategy<Value = Decline> {
    prop_oneof![Just(Decline::Soft), Just(Decline::Hard), Just(Decline::NeedsCustomer)]
}

proptest! {
    #[test]
    fn it_always_ends_and_never_retries_a_hard_refusal(
        declines in prop::collection::vec(decline(), 40),
        changes in prop::collection::vec(any::<bool>(), 40),
    ) {
        let policy = Policy::default();
        let mut history = refused(&[(0, declines[0])]);
        let mut finished = false;
        for (today, (decline, change)) in (0u16..).zip(declines.into_iter().zip(changes)) {
            if change {
                history.method_changed_at = Some(at(today) + Duration::from_secs(1));
            }
            let now = at(today) + Duration::from_secs(2);
            let latest = *history.attempts.last().unwrap();
            match policy.next(&history, now) {
                Step::RetryNow => {
                    let changed = history.method_changed_at.is_some_and(|it| it > latest.at);
                    prop_assert!(changed || latest.decline == Decline::Soft);
                    history.attempts.push(Attempt { at: now, decline });
                }
                Step::RetryAt(due) | Step::AwaitMethod(due) | Step::AwaitCustomer(due) => {
                    prop_assert!(due > now);
                }
                Step::Finish(_) => finished = true,
                Step::Nothing => prop_assert!(false, "something was refused"),
            }
            prop_assert!(history.attempts.len() <= ATTEMPTS_MAX);
        }
        prop_assert!(finished);
    }

    #[test]
    fn smart_days_are_working_days_soon_after_the_plain_ones(
        first in 1_900_000_000_000i64..2_000_000_000_000,
        paid in prop::option::of(1_800_000_000_000i64..1_900_000_000_000),
        days in prop::collection::btree_set(1u16..=DAYS_MAX, 1..RETRIES_MAX), zone in 0usize..3,
    ) {
        let zone: Zone =
            ["Europe/Berlin", "Pacific/Apia", "America/New_York"][zone].parse().unwrap();
        let days: Vec<_> = days.into_iter().collect();
        let policy = Policy::new(days.clone(), 7, Final::Cancel).unwrap().smart(zone);
        let history = History { paid_at: paid.map(Timestamp), ..History::default() };
        let first = Timestamp(first);
        let time = zone.local(history.paid_at.unwrap_or(first)).time();

        let dues: Vec<_> = days.iter().map(|it| policy.due(&history, first, *it)).collect();

        prop_assert!(dues.is_sorted() && dues[0] > first);
        for (due, days) in dues.into_iter().zip(days) {
            let local = zone.local(due);
            let late = local.date() - zone.local(first).date();
            prop_assert!(!matches!(local.weekday(), Weekday::Sat | Weekday::Sun));
            prop_assert!((0..=2).contains(&(late.num_days() - i64::from(days))));
            // The clock skips an hour in spring, and the try is made when it goes on.
            prop_assert!(local.time() == time || zone.local(Timestamp(due.0 - 1)).time() < time);
        }
    }
}
