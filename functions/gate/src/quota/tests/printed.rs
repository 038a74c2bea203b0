//! Reports on paper, from the counters to the file.

use pollster::block_on;
use serde_json::{Value, json};
use shared::domain::{Id, sha256_hex};

use super::{DAY, Place};
use crate::quota::{
    file::Line,
    report::{Closing, Total},
    store,
};

/// Whether a file has this text in one of the places that are not compressed.
fn says(file: &[u8], text: &str) -> bool {
    file.windows(text.len()).any(|it| it == text.as_bytes())
}

fn file(place: &Place, report: &Value) -> Vec<u8> {
    let path = format!("/v1/usage/reports/{}", report["id"].as_str().unwrap());
    let report = place.get(&path);
    assert_eq!(report["state"], "done", "{report}");
    let (status, file) = place.ask("GET", &format!("{path}/file"), &Value::Null);
    assert_eq!((status, &report["sha256"]), (200, &json!(sha256_hex(&file))));
    assert_eq!(report["bytes"], file.len());
    file
}

/// What the meters of a report come to by these lines, three of each: by the counters, and by the
/// raw events. How many different ones there were in all is no matter of lines.
fn come_to(place: &Place, id: &str) -> Vec<String> {
    let at = place.tenant();
    let report = block_on(store::find_report(&at, &Id::trusted(id.to_owned()))).unwrap().unwrap();
    let line = |meter: &String| Line {
        meter: meter.clone(),
        subject: None,
        from: report.about.from,
        to: report.about.to,
        total: if meter == "calls" { "10" } else { "7" }.to_owned(),
        recount: Some(if meter == "calls" { "1" } else { "7" }.to_owned()),
    };
    let lines: Vec<_> =
        report.about.meters.iter().flat_map(|it| [line(it), line(it), line(it)]).collect();
    let closing = block_on(Closing::of(&at, &report, &lines)).unwrap();
    let text = |it: &Total| format!("{} {}", it.total, it.recount.clone().unwrap());
    closing.totals.iter().map(text).collect()
}

#[test]
fn a_report_on_paper_has_what_each_meter_comes_to() {
    let place = Place::new();
    place.done("PUT", "/v1/usage/meters/peak", json!({"aggregation": "max", "unit": "seat"}));
    let members = json!({"aggregation": "unique", "dimension": "member"});
    place.done("PUT", "/v1/usage/meters/members", members);
    for member in ["ann", "bob", "ann"] {
        place.uses(member, 10);
        let event = |id: &str, meter: &str, value: u32| {
            let id = format!("{id}:{}", place.now());
            json!({"specversion": "1.0", "id": id, "source": "app", "type": meter,
                "subject": "acme", "data": {"value": value, "dimensions": {"member": member}}})
        };
        place.done("POST", "/v1/usage/events", event("1", "peak", 7));
        place.done("POST", "/v1/usage/events", event("2", "members", 1));
        place.pass(DAY);
    }

    let new = json!({
        "meters": ["calls", "peak", "members"], "from": "2026-01-01T00:00:00Z",
        "to": "2026-01-04T00:00:00Z", "by": "day", "format": "pdf",
    });
    let report = place.done("POST", "/v1/usage/reports", new);
    place.pass(60);

    let file = file(&place, &report);
    assert!(file.starts_with(b"%PDF-") && says(&file, "<pdfaid:part>3</pdfaid:part>"));
    // What stands beside a picture is not compressed.
    for text in ["highest is 10, from", "highest is 7 seat, from", "highest is 1, from"] {
        assert!(says(&file, text), "{text}");
    }
    let id = report["id"].as_str().unwrap();
    assert_eq!(come_to(&place, id), ["30 3", "7 7", "2 2"]);
    let (status, signature) =
        place.ask("GET", &format!("/v1/usage/reports/{id}/signature"), &Value::Null);
    assert_eq!(status, 200);
    assert!(String::from_utf8(signature).unwrap().contains(".."));
}

#[test]
fn a_schedule_can_ask_for_paper() {
    let place = Place::new();
    let body = json!({"meters": ["calls"], "window": {"every": "month"}, "format": "pdf"});
    let schedule = place.done("PUT", "/v1/usage/reports/schedules/monthly", body);
    assert_eq!(schedule["format"], "pdf");

    place.until("2026-02-01T01:00:00Z");

    let reports = place.get("/v1/usage/reports");
    let made = &reports["items"][0];
    assert_eq!((&made["schedule"], &made["format"]), (&json!("monthly"), &json!("pdf")));
    let file = file(&place, made);
    // The tenant's name, as the directory has it.
    assert!(says(&file, "Usage report: T</rdf:li>"));
}
