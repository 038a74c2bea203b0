//! Wallets: the order of consumption, and sums that never leak.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

const DAY: i64 = 86_400_000;
const EXAMPLES: &str = include_str!("../../../../fixtures/billing/credits.json");

#[derive(Deserialize)]
struct Example {
    source: String,
    grants: Vec<GivenGrant>,
    now: Timestamp,
    consume: i64,
    expected: Vec<(String, i64)>,
}

#[derive(Deserialize)]
struct GivenGrant {
    id: String,
    basis: String,
    priority: u8,
    amount: i64,
    granted_at: Timestamp,
    expires_at: Option<Timestamp>,
}

#[test]
fn examples_are_consumed_as_told() {
    let examples: Vec<Example> = serde_json::from_str(EXAMPLES).unwrap();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let all = wallet(example.grants.iter().map(|it| {
            let basis = if it.basis == "paid" { Basis::Paid } else { Basis::Promotional };
            let (from, until) = (it.granted_at, it.expires_at);
            Grant::new(&it.id, basis, it.priority, it.amount, from, until).unwrap()
        }));

        let (_, parts) = all.consume(example.consume, example.now).unwrap();

        let taken: Vec<_> = parts.into_iter().map(|it| (it.grant, it.amount)).collect();
        assert_eq!(taken, example.expected, "{}", example.source);
    }
}

fn grant(id: &str, priority: u8, amount: i64, from: i64, until: Option<i64>) -> Grant {
    let until = until.map(|it| Timestamp(it * DAY));
    Grant::new(id, Basis::Paid, priority, amount, Timestamp(from * DAY), until).unwrap()
}

fn wallet(grants: impl IntoIterator<Item = Grant>) -> Wallet {
    grants.into_iter().fold(Wallet::default(), |all, it| all.with(it).unwrap())
}

#[test]
fn priority_goes_first_then_the_soonest_expiry_then_the_oldest() {
    let all = wallet([
        grant("never", 1, 10, 0, None),
        grant("late", 1, 10, 0, Some(90)),
        grant("soon-young", 1, 10, 1, Some(30)),
        grant("soon-old", 1, 10, 0, Some(30)),
        grant("first", 0, 10, 2, None),
    ]);

    let (_, parts) = all.consume(45, Timestamp(3 * DAY)).unwrap();

    let order: Vec<_> = parts.iter().map(|it| (it.grant.as_str(), it.amount)).collect();
    let expected =
        [("first", 10), ("soon-old", 10), ("soon-young", 10), ("late", 10), ("never", 5)];
    assert_eq!(order, expected);
}

#[test]
fn what_is_not_there_is_not_consumed() {
    let all = wallet([grant("a", 0, 10, 0, Some(5)), grant("later", 0, 10, 9, None)]);

    let now = Timestamp(4 * DAY);

    assert_eq!(all.consume(11, now), Err(Error::TooLittle { available: 10, asked: 11 }));
    assert_eq!(all.consume(0, now), Err(Error::NotPositive));
    let (left, parts) = all.consume_up_to(11, now).unwrap();
    assert_eq!(parts.iter().map(|it| it.amount).sum::<i64>(), 10);
    assert_eq!(left.available(now), 0);
}

#[test]
fn what_is_released_late_expires() {
    let all = wallet([grant("a", 0, 10, 0, Some(5))]);
    let (used, parts) = all.consume(4, Timestamp(DAY)).unwrap();
    let (run_out, lost) = used.expire(Timestamp(5 * DAY));

    let released = run_out.release(&parts).unwrap();
    let (end, late) = released.expire(Timestamp(6 * DAY));

    assert_eq!(lost[0].amount, 6);
    assert_eq!(released.available(Timestamp(6 * DAY)), 0);
    assert_eq!(late[0].amount, 4);
    assert_eq!(end.grants()[0].expired(), 10);
}

#[test]
fn more_than_was_consumed_is_not_released() {
    let all = wallet([grant("a", 0, 10, 0, None)]);
    let (used, parts) = all.consume(4, Timestamp(DAY)).unwrap();

    let twice: Vec<_> = parts.iter().chain(&parts).cloned().collect();

    assert_eq!(used.release(&twice), Err(Error::NotConsumed("a".into())));
    let stranger = Part { grant: "b".into(), basis: Basis::Paid, amount: 1 };
    assert_eq!(used.release(&[stranger]), Err(Error::Unknown("b".into())));
}

#[test]
fn a_grant_is_made_of_something_and_once() {
    let twice = grant("a", 0, 10, 0, None);

    let zero = Grant::new("z", Basis::Paid, 0, 0, Timestamp(0), None);
    let past = Grant::new("z", Basis::Paid, 0, 1, Timestamp(5), Some(Timestamp(5)));

    assert_eq!(zero, Err(Error::NotPositive));
    assert_eq!(past, Err(Error::BornExpired));
    assert_eq!(wallet([twice.clone()]).with(twice), Err(Error::Known("a".into())));
    let huge = wallet([grant("h", 0, i64::MAX, 0, None)]);
    assert_eq!(huge.with(grant("b", 0, 1, 0, None)), Err(Error::Full));
}

#[derive(Clone, Debug)]
enum Act {
    Grant { priority: u8, amount: i64, days: Option<i64> },
    Consume(i64),
    UpTo(i64),
    Release,
    Expire,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0u8..3, 1i64..1000, prop::option::of(1i64..20))
            .prop_map(|(priority, amount, days)| Act::Grant { priority, amount, days }),
        (1i64..1500).prop_map(Act::Consume),
        (1i64..1500).prop_map(Act::UpTo),
        Just(Act::Release),
        Just(Act::Expire),
    ]
}

proptest! {
    #[test]
    fn the_parts_are_always_the_whole(acts in prop::collection::vec(act(), 1..60)) {
        let (mut all, mut granted, mut out, mut lost) = (Wallet::default(), 0, Vec::new(), 0);
        for (day, act) in acts.into_iter().enumerate() {
            let now = Timestamp(day as i64 * DAY);
            let before = all.available(now);
            match act {
                Act::Grant { priority, amount, days } => {
                    let until = days.map(|it| day as i64 + it);
                    all = all.with(grant(&day.to_string(), priority, amount, day as i64, until)).unwrap();
                    granted += amount;
                }
                Act::Consume(amount) => match all.consume(amount, now) {
                    Ok((next, parts)) => {
                        prop_assert_eq!(parts.iter().map(|it| it.amount).sum::<i64>(), amount);
                        prop_assert_eq!(next.available(now), before - amount);
                        all = next;
                        out.extend(parts);
                    }
                    Err(_) => prop_assert!(amount > before),
                },
                Act::UpTo(amount) => {
                    let (next, parts) = all.consume_up_to(amount, now).unwrap();
                    prop_assert_eq!(parts.iter().map(|it| it.amount).sum::<i64>(), amount.min(before));
                    all = next;
                    out.extend(parts);
                }
                Act::Release => if let Some(part) = out.pop() {
                    all = all.release(&[part]).unwrap();
                },
                Act::Expire => {
                    let (next, parts) = all.expire(now);
                    prop_assert_eq!(next.available(now), before);
                    lost += parts.iter().map(|it| it.amount).sum::<i64>();
                    all = next;
                }
            }
            let consumed: i64 = out.iter().map(|it| it.amount).sum();
            let left: i64 = all.grants().iter().map(Grant::remaining).sum();
            prop_assert!(all.grants().iter().all(|it| it.remaining() >= 0));
            prop_assert_eq!(all.granted(), granted);
            prop_assert_eq!(left + consumed + lost, granted);
        }
    }
}
