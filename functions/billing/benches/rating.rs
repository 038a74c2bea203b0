//! A rating run: many subscriptions one after the other, each with usage by graduated tiers, seats
//! and coupons, priced by the pure functions that bills are made of.
//!
//! It prints what one costs as there are more of them, and the peak of memory: nothing is
//! collected, so neither grows. `cargo xtask bench billing` runs it, a number after it is the most
//! subscriptions. It stands here, not with the other benchmarks, because it needs no runtime: only
//! this crate is built for it.
#![expect(clippy::disallowed_macros, reason = "a native program with a terminal")]

use std::{collections::BTreeMap, error::Error, fs};

use billing::{
    bill::{draft, line::BillLine},
    coupon::{Applied, Coupon, Duration, Off},
    money::Currency,
    period::{Anchor, Interval, Period, Unit, Zone},
    plan::{Basis, Plan, Price},
    price::{Limits, Model, Quantity},
};
use shared::domain::Timestamp;

const FEWEST: u32 = 1_000;
const MOST: u32 = 100_000;
/// How many subscriptions are rated at each size, in as many runs as that takes: the kernel counts
/// time in steps of some milliseconds.
const RATED: u32 = 500_000;
/// 2030-01-01T00:00:00Z.
const BEGIN_MS: i64 = 1_893_456_000_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // cargo says `--bench` beside ours.
    let most = std::env::args().skip(1).find(|it| it != "--bench");
    let most = most.map_or(Ok(MOST), |it| it.parse())?;
    let plan = plan()?;
    // The first one reads the tables of the zone.
    run(&plan, FEWEST)?;
    println!(
        "| subscriptions | ms in all | ms each | ratio to the fewest | peak memory, kB | ratio |"
    );
    println!("|---|---|---|---|---|---|");
    let (mut fewest, mut count) = (None, FEWEST);
    while count <= most {
        let (ms, peak, net) = measured(&plan, count)?;
        let each = ms / f64::from(count);
        let (first_each, first_peak) = *fewest.get_or_insert((each, peak));
        println!(
            "| {count} | {ms:.1} | {each:.5} | {:.2} | {peak} | {:.2} |",
            each / first_each,
            f64::from(peak) / f64::from(first_peak),
        );
        // What was worked out is used, so that nothing of it is left out.
        eprintln!("{count} subscriptions come to {net} minor units");
        count *= 10;
    }
    Ok(())
}

/// The processor's time for a run in milliseconds, the most memory in kilobytes that it held, and
/// what the subscriptions came to.
fn measured(plan: &Plan, count: u32) -> Outcome<(f64, u32, i64)> {
    forget_peak()?;
    let runs = (RATED / count).max(1);
    let (start, mut net) = (processor_ms()?, 0);
    for _ in 0..runs {
        net = run(plan, count)?;
    }
    Ok(((processor_ms()? - start) / f64::from(runs), peak_kilobytes()?, net))
}

/// Rates so many subscriptions, one at a time, and gives the sum of what they came to.
fn run(plan: &Plan, count: u32) -> Outcome<i64> {
    (0..count).try_fold(0, |sum, number| Ok(sum + rated(plan, number)?))
}

/// What a month of one subscription comes to: the plan and its seats in advance, its usage in
/// arrears, its coupons taken off.
fn rated(plan: &Plan, number: u32) -> Outcome<i64> {
    let period = month(plan, number)?;
    let mut lines = draft::advance(plan, number % 50 + 1, &[], period)?;
    // A number of calls in every tier, always the same for the same subscription.
    let calls = i64::from(number.wrapping_mul(2_654_435_761) % 500_000);
    for price in &plan.prices {
        if let Basis::Metered { .. } = price.basis {
            lines.push(draft::priced(plan, price, Quantity::of(calls))?.during(period));
        }
    }
    let mut coupons = coupons();
    let lines = draft::discount(lines, &mut coupons, &plan.name).map_err(|it| it.words())?;
    let off: i64 = coupons.iter().map(|it| it.used).sum();
    let net: i64 = lines.iter().map(|it: &BillLine| it.amount).sum();
    let gross: i64 = lines.iter().map(|it| it.amount + it.discount).sum();
    match gross - off == net {
        true => Ok(net),
        false => Err(format!("{gross} less {off} is not {net}").into()),
    }
}

/// The month that a subscription is in; they began on different days.
fn month(plan: &Plan, number: u32) -> Outcome<Period> {
    let day = i64::from(number % 365);
    let at = Timestamp(BEGIN_MS + day * 86_400_000);
    let zone: Zone = "Europe/Berlin".parse()?;
    let period = plan.interval.period(&Anchor { at, zone }, i64::from(number % 12));
    period.ok_or_else(|| "the month is too far away".into())
}

fn coupons() -> [Applied; 2] {
    let coupon = |off| Coupon { off, duration: Duration::Forever, plans: Vec::new() };
    let amount = Off::Amount { amount: 250, currency: Currency::EUR };
    [
        Applied::new("TENTH".to_owned(), coupon(Off::Percent { hundredths: 1_000 })),
        Applied::new("FEW".to_owned(), coupon(amount)),
    ]
}

fn plan() -> Outcome<Plan> {
    let tiers = r#"{"model": "graduated", "tiers": [
        {"up_to": 10000, "unit_amount": "0.5"}, {"up_to": 100000, "unit_amount": "0.25"},
        {"unit_amount": "0.0125", "flat_amount": 500}
    ]}"#;
    let seats = r#"{"model": "volume", "tiers": [
        {"up_to": 10, "unit_amount": "900"}, {"unit_amount": "700"}
    ]}"#;
    let calls = Basis::Metered { meter: "api.calls".to_owned(), group_by: None };
    Ok(Plan {
        name: "pro".to_owned(),
        title: "Pro".to_owned(),
        currency: Currency::EUR,
        interval: Interval::new(Unit::Month, 1)?,
        prices: vec![
            price("base", Basis::Recurring, r#"{"model": "flat", "amount": 1900}"#)?,
            price("seat", Basis::PerSeat, seats)?,
            price("calls", calls, tiers)?,
        ],
        thresholds: None,
        trial_days: 0,
        seats: None,
        features: BTreeMap::new(),
        usage_plan: None,
        mirrors: Vec::new(),
        version: 1,
        created_at: Timestamp(BEGIN_MS),
    })
}

fn price(name: &str, basis: Basis, model: &str) -> Outcome<Price> {
    let model: Model = serde_json::from_str(model)?;
    let (name, model) = (name.to_owned(), model.checked()?);
    Ok(Price { name, title: None, basis, model, limits: Limits::default(), tax_class: None })
}

/// For how long we have had a processor (proc(5), `schedstat`): what others do meanwhile on a busy
/// machine is not counted.
fn processor_ms() -> Outcome<f64> {
    let text = fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: f64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e6)
}

/// Has Linux count the peak anew (proc(5), `clear_refs`).
fn forget_peak() -> Outcome<()> {
    Ok(fs::write("/proc/self/clear_refs", "5")?)
}

/// The most memory since then that was in use at once.
fn peak_kilobytes() -> Outcome<u32> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let words = line.ok_or("the kernel tells no peak")?.trim().trim_end_matches(" kB");
    Ok(words.trim().parse()?)
}
