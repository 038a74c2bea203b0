//! Digests by their rules, and patterns where wall clocks jump.

use chrono::Timelike;
use proptest::prelude::*;

use super::*;
use crate::transitions::{JUMPS, moment, zone};

const START: Timestamp = Timestamp(1_900_000_000_000);

fn at(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

/// When each of these, which come so many seconds after the start, goes out.
fn sent(digest: &Digest, arrivals: &[u64]) -> Vec<u64> {
    let (mut open, mut last): (Option<(Batch, usize)>, _) = (None, None);
    let mut sent = vec![None; arrivals.len()];
    for (index, arrival) in arrivals.iter().enumerate() {
        let now = at(*arrival);
        let batch = open.as_ref().map(|(it, _)| it).filter(|it| now < it.closes_at);
        let is_new = batch.is_none();
        match digest.arrive(batch, last, now, Zone::default()).unwrap() {
            Arrival::Alone => sent[index] = Some(now),
            Arrival::In(batch) => {
                let first = if is_new { index } else { open.unwrap().1 };
                sent[first..=index].fill(Some(batch.closes_at));
                open = Some((batch, first));
            }
        }
        last = Some(now);
    }
    sent.into_iter().map(|it| it.unwrap().since(START).as_secs()).collect()
}

#[test]
fn a_fixed_digest_closes_so_long_after_its_first() {
    let digest = Digest::Fixed { seconds: 60 };

    assert_eq!(sent(&digest, &[0, 10, 59, 60, 130]), [60, 60, 60, 120, 190]);
}

#[test]
fn a_sliding_digest_waits_for_silence_up_to_its_maximum() {
    let digest = Digest::Sliding { seconds: 30, max_seconds: 70 };

    assert_eq!(sent(&digest, &[0, 20]), [50, 50]);
    assert_eq!(sent(&digest, &[0, 20, 40, 60, 69, 70]), [70, 70, 70, 70, 70, 100]);
}

#[test]
fn a_look_back_holds_only_what_repeats() {
    let digest = Digest::LookBack { seconds: 60 };

    assert_eq!(sent(&digest, &[0, 10, 30, 100, 160]), [0, 70, 70, 100, 160]);
    assert_eq!(sent(&digest, &[0, 60, 120]), [0, 60, 120]);
}

#[test]
fn an_open_batch_keeps_what_it_was_opened_under() {
    let opened = Digest::Fixed { seconds: 60 };
    let Arrival::In(batch) = opened.arrive(None, None, at(0), Zone::default()).unwrap() else {
        panic!("a fixed digest opens a batch");
    };

    let changed = Digest::Sliding { seconds: 3600, max_seconds: 7200 };
    let joined = changed.arrive(Some(&batch), Some(at(0)), at(30), Zone::default()).unwrap();

    assert_eq!(joined, Arrival::In(batch));
}

#[test]
fn a_daily_pattern_comes_once_a_day_across_every_jump() {
    for hour in ["0 0", "30 0", "15 2", "30 2", "0 3", "0 9"] {
        let digest = Digest::Cron { pattern: format!("{hour} * * *") }.checked().unwrap();
        for (zone, jump) in JUMPS.iter() {
            comes_once_a_day(&digest, *zone, jump.at, &format!("{hour} {zone:?} {jump:?}"));
        }
    }
}

/// From three days before the jump to three after it there is one digest on each date of the wall
/// clock, and at the time that it says unless the clock skips that.
fn comes_once_a_day(digest: &Digest, zone: Zone, jump: Timestamp, what: &str) {
    let mut now = Timestamp(jump.0 - 3 * 86_400_000);
    let mut date = None;
    while now.0 < jump.0 + 3 * 86_400_000 {
        let Arrival::In(batch) = digest.arrive(None, None, now, zone).unwrap() else {
            panic!("a pattern opens a batch");
        };
        assert!(batch.closes_at > now, "{what}: {} is not after {now}", batch.closes_at);
        let local = zone.local(batch.closes_at).date();
        if let Some(before) = date {
            // The day that Apia left out is on no date.
            let skipped = local.pred_opt().unwrap();
            let is_skipped =
                zone.local(zone.first_at(skipped.and_hms_opt(0, 0, 0).unwrap())).date() != skipped;
            let follows = skipped == before || is_skipped && skipped.pred_opt() == Some(before);
            assert!(follows, "{what}: {local} follows {before}");
        }
        date = Some(local);
        now = batch.closes_at;
    }
}

#[test]
fn a_pattern_goes_by_the_recipients_clock() {
    let digest = Digest::Cron { pattern: "0 9 * * MON-FRI".to_owned() };
    let friday = moment("2030-03-29T12:00:00Z");
    let closes = |name| match digest.arrive(None, None, friday, zone(name)).unwrap() {
        Arrival::In(batch) => batch.closes_at,
        Arrival::Alone => panic!("a pattern opens a batch"),
    };

    // Summer time begins in Berlin on the Sunday between.
    assert_eq!(closes("Europe/Berlin"), moment("2030-04-01T07:00:00Z"));
    assert_eq!(closes("America/New_York"), moment("2030-03-29T13:00:00Z"));
    assert_eq!(zone("Asia/Kolkata").local(closes("Asia/Kolkata")).hour(), 9);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let most = WAIT_SECONDS_MAX;
    let cron = |pattern: &str| Digest::Cron { pattern: pattern.to_owned() }.checked();

    assert_eq!(Digest::Fixed { seconds: 0 }.checked(), Err(Error::Wait("seconds", most)));
    assert_eq!(Digest::Fixed { seconds: most + 1 }.checked(), Err(Error::Wait("seconds", most)));
    let sliding = Digest::Sliding { seconds: 61, max_seconds: 60 };
    assert_eq!(sliding.checked(), Err(Error::Wait("seconds", 60)));
    assert!(cron("0 9 * * *").is_ok());
    assert!(cron("*/30 * * * *").unwrap_err().to_string().contains("once an hour"));
    assert!(cron("nonsense").is_err());
    assert!(cron("0 0 30 2 *").is_err());
}

proptest! {
    #[test]
    fn nothing_waits_longer_than_the_digest_says(
        gaps in prop::collection::vec(0u64..200, 1..40),
        seconds in 1u64..100,
        more in 0u64..100,
    ) {
        let arrivals: Vec<_> = gaps.iter().scan(0, |sum, it| { *sum += it; Some(*sum) }).collect();
        let max_seconds = seconds + more;
        for (digest, most) in [
            (Digest::Fixed { seconds }, seconds),
            (Digest::Sliding { seconds, max_seconds }, max_seconds),
            (Digest::LookBack { seconds }, seconds),
        ] {
            for (arrival, out) in arrivals.iter().zip(sent(&digest, &arrivals)) {
                prop_assert!((*arrival..=arrival + most).contains(&out), "{digest:?}");
            }
        }
    }

    #[test]
    fn a_digest_has_one_name_whatever_the_order(mut ids in prop::collection::vec("[a-z]{1,8}", 1..20)) {
        let one = name("key", &ids.iter().cloned().collect());
        ids.reverse();
        let reversed = name("key", &ids.iter().cloned().collect());

        prop_assert_eq!(&reversed, &one);
        prop_assert_ne!(name("other", &ids.into_iter().collect()), one);
    }
}
