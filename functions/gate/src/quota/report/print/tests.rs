//! The kept files are read by others: see `fixtures/gate/reports/check_reports.py`.

use std::{env, fs, path::PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use shared::domain::{Id, Timestamp};

use super::*;
use crate::quota::report::{FILE_BYTES_MAX, LINES_MAX, ReportState};

const EUROPE: &str = "Łódź & Ελλάδα ΑΕ <Đuro>, Țară ẞ, България № 5 – „Œuvre“ ğışņċ";

fn report(about: Value) -> UsageReport {
    let about = serde_json::from_value(about).unwrap();
    let lines = UsageReport {
        id: Id::trusted("rep_06bhp3m8wg0g3vx9e4z7k2jq5c".to_owned()),
        about,
        state: ReportState::Waiting,
        lines: 0,
        lines_done: 0,
        differing: 0,
        sha256: None,
        bytes: None,
        created_at: Timestamp::parse("2026-04-01T00:00:01Z").unwrap(),
        ended_at: None,
    };
    let count = lines.about.spans().len() * lines.about.meters.len();
    UsageReport { lines: i64::try_from(count).unwrap(), ..lines }
}

/// Lines with what `used` makes of their numbers: total and recount.
fn lines(
    report: &UsageReport,
    used: impl Fn(usize) -> (i128, Option<i128>),
) -> (UsageReport, Vec<Line>) {
    let about = &report.about;
    let (spans, mut all, mut differing) = (about.spans(), Vec::new(), 0);
    for meter in &about.meters {
        for span in &spans {
            let (total, recount) = used(all.len());
            differing += i64::from(recount.is_some_and(|it| it != total));
            all.push(Line {
                meter: meter.clone(),
                subject: about.subject.clone(),
                from: span.from,
                to: span.to,
                total: Amount(total).to_string(),
                recount: recount.map(|it| Amount(it).to_string()),
            });
        }
    }
    (UsageReport { differing, ..report.clone() }, all)
}

fn total(meter: &str, aggregation: Aggregation, unit: &str, total: &str, recount: &str) -> Total {
    Total {
        meter: meter.to_owned(),
        aggregation,
        unit: unit.to_owned(),
        total: total.to_owned(),
        recount: Some(recount.to_owned()).filter(|it| !it.is_empty()),
    }
}

fn closing(tenant: &str, totals: Vec<Total>) -> Closing {
    let tenant_id = "ten_06bhp3m8wg0g3vx9e4z7k2jq5c".to_owned();
    Closing { tenant: tenant.to_owned(), tenant_id, totals }
}

type Case = (UsageReport, Vec<Line>, Closing);

/// Two meters by day, over the day on which the clock is changed. Two lines differ, and of the first
/// no events are kept.
fn daily() -> Case {
    let report = report(json!({
        "meters": ["tokens", "visitors"], "subject": "acme", "from": "2026-02-28T23:00:00Z",
        "to": "2026-03-31T22:00:00Z", "by": "day", "zone": "Europe/Berlin", "format": "pdf",
        "schedule": "monthly",
    }));
    let (report, lines) = lines(&report, |number| {
        let day = i128::try_from(number).unwrap() % 31;
        let used = (day * day * 1_234 + 17) * 1_000_000 + if number == 4 { 250_000 } else { 0 };
        match number {
            0 => (used, None),
            9 | 40 => (used, Some(used - 1_000_000)),
            _ => (used, Some(used)),
        }
    });
    let visitors = total("visitors", Aggregation::Unique, "visitor", "1048576", "1048576");
    let tokens = total("tokens", Aggregation::Sum, "token", "11667997.25", "");
    (report, lines, closing(EUROPE, vec![tokens, visitors]))
}

/// One line for each of five meters of one unit, of all customers.
fn meters() -> Case {
    let names = ["gate.blocked", "gate.requests", "refunds", "api/v1:export", "idle"];
    let report = report(json!({
        "meters": names, "from": "2026-01-01T00:00:00.250Z", "to": "2026-01-01T00:00:01Z",
        "zone": "Asia/Kathmandu", "format": "pdf",
    }));
    let used = [12, 98_765, -40, 1_000_000, 0];
    let (report, lines) = lines(&report, |number| {
        let micros = used[number] * 1_000_000;
        (micros, Some(micros))
    });
    let of = |it: &Line| {
        total(&it.meter, Aggregation::Count, "request", &it.total, it.recount.as_ref().unwrap())
    };
    let totals = lines.iter().map(of).collect();
    (report, lines, closing("Tea", totals))
}

/// The longest there may be: it is too large to be kept.
fn many() -> Case {
    let report = report(json!({
        "meters": ["calls", "peak"], "from": "2025-11-19T00:00:00Z", "to": "2025-12-30T16:00:00Z",
        "by": "hour", "zone": "UTC", "format": "pdf",
    }));
    assert_eq!(usize::try_from(report.lines), Ok(LINES_MAX));
    let used = |number: usize| {
        let micros = i128::try_from(number * number % 997).unwrap() * 1_234_567;
        (micros, Some(micros))
    };
    let (report, lines) = lines(&report, used);
    let all =
        |from: usize| lines[from..from + 1000].iter().filter_map(|it| Amount::parse(&it.total));
    let sum = Amount(all(0).map(|it| it.0).sum()).to_string();
    let peak = all(1000).max().unwrap().to_string();
    let calls = total("calls", Aggregation::Sum, "", &sum, &sum);
    let peak = total("peak", Aggregation::Max, "connection", &peak, &peak);
    (report, lines, closing("Tea", vec![calls, peak]))
}

/// Everything as long and as odd as it can be.
fn hostile() -> Case {
    let word = "x/-:._9Z".repeat(16);
    let meter = "W".repeat(64);
    let report = report(json!({
        "meters": [meter], "subject": word, "from": "1900-01-01T00:00:00Z",
        "to": "1900-01-03T00:00:00Z", "by": "day", "zone": "America/Sao_Paulo", "format": "pdf",
        "schedule": word,
    }));
    let (report, lines) = lines(&report, |number| match number {
        0 => (i128::MAX, Some(i128::MIN + 1)),
        _ => (-1, Some(0)),
    });
    let name = "שלום \u{202e}مرحبا\u{202c}\u{0}\u{7}\r\n\u{feff}\u{fffe}漢字 \u{301}\t<&>\"'%s]]>";
    let most = Amount(i128::MAX).to_string();
    let largest = total(&meter, Aggregation::Max, &"\u{202e}ü".repeat(16), &most, "0");
    (report, lines, closing(&name.repeat(100), vec![largest]))
}

fn printed((report, lines, closing): &Case) -> Vec<u8> {
    pdf(report, lines, closing).unwrap()
}

#[test]
fn reports_are_written_as_the_kept_ones() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/gate/reports");
    let keep = |name: &str, written: &[u8]| {
        if env::var_os("UPDATE").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(name), written).unwrap();
        }
        assert!(written == fs::read(folder.join(name)).unwrap(), "{name} is not the kept one");
    };
    for (name, case) in [("daily", daily()), ("meters", meters()), ("hostile", hostile())] {
        keep(&format!("{name}.pdf"), &printed(&case));
        keep(&format!("{name}.csv"), file::csv(&case.1).as_bytes());
    }
}

/// It is left where the readers find it.
#[test]
fn the_longest_report_is_written_and_fits() {
    let case = many();

    let bytes = printed(&case);

    assert!(bytes.len() <= FILE_BYTES_MAX, "{} bytes", bytes.len());
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/reports");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("many.csv"), file::csv(&case.1)).unwrap();
    fs::write(folder.join("many.pdf"), bytes).unwrap();
}

#[test]
fn the_sums_on_paper_are_those_of_its_lines() {
    let (_, lines, closing) = daily();
    let tokens = lines.iter().filter(|it| it.meter == "tokens");

    let sum = tokens.filter_map(|it| Amount::parse(&it.total)).map(|it| it.0).sum();

    assert_eq!(Amount(sum).to_string(), closing.totals[0].total);
}

#[test]
fn a_number_is_in_groups_if_it_is_long() {
    for (plain, grouped) in [
        ("0", "0"),
        ("-1234.5", "-1234.5"),
        ("12345", "12\u{202f}345"),
        ("-1234567.000001", "-1\u{202f}234\u{202f}567.000001"),
    ] {
        assert_eq!(number(plain), grouped);
    }
}

#[test]
fn a_moment_is_told_with_its_zone() {
    let zone = "Europe/Berlin".parse().unwrap();
    let moment = |text| Timestamp::parse(text).unwrap();
    let (day, next) = (moment("2026-03-28T23:00:00Z"), moment("2026-03-29T22:00:00Z"));

    assert_eq!(
        words::moment(zone, moment("2026-01-01T00:00:01.5Z")),
        "2026-01-01 01:00:01.500 +01:00"
    );
    assert_eq!(words::span(zone, day, next), "2026-03-29 00:00 +01:00 – 2026-03-30 00:00 +02:00");
    let before = moment("2026-03-27T23:00:00Z");
    assert_eq!(words::span(zone, before, day), "2026-03-28 00:00 – 2026-03-29 00:00 +01:00");
}

#[test]
fn what_all_lines_are_is_told() {
    let of = |differing| words::compared(&UsageReport { differing, ..daily().0 });

    assert!(of(0).ends_with("No line differs."));
    assert!(of(1).ends_with("1 of 62 lines differs."));
    assert!(of(2).ends_with("2 of 62 lines differ."));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_text_and_no_number_breaks_a_report(
        name in any::<String>(), unit in any::<String>(), totals in proptest::collection::vec(any::<i128>(), 62),
    ) {
        let (report, _, mut closing) = daily();
        closing.tenant = name.clone();
        closing.tenant_id = name;
        closing.totals[0].unit = unit;
        // A sum of so many of the largest is none.
        let (report, lines) = lines(&report, |it| (totals[it] / 62, Some(totals[it] / 62)));

        let bytes = pdf(&report, &lines, &closing).unwrap();
        prop_assert!(bytes.ends_with(b"%%EOF"));
        prop_assert_eq!(bytes, pdf(&report, &lines, &closing).unwrap());
    }
}
