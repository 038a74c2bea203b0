//! Stories of invoices that were not paid.

use proptest::prelude::*;

use super::*;

fn at(days: u16) -> Timestamp {
    day(Timestamp(1_000_000), days)
}

fn refused(attempts: &[(u16, Decline)]) -> History {
    let attempts =
        attempts.iter().map(|(days, decline)| Attempt { at: at(*days), decline: *decline });
    History { attempts: attempts.collect(), method_changed_at: None }
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
}
