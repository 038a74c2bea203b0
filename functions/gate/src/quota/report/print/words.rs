//! The words of a report as PDF.

use chrono::Timelike as _;
use paper::sheet::Fact;
use shared::domain::{Timestamp, Zone};

use super::{
    super::{Closing, Total, UsageReport},
    FILE_NAME,
};
use crate::{quota::window::WindowUnit, usage::meter::Aggregation};

/// How much of a tenant's name is said.
const NAME_CHARS_MAX: usize = 200;
/// In which language they are.
pub const LANG: &str = "en";
pub const TITLE: &str = "Usage report";
pub const TOTALS: &str = "Totals";
pub const METER: &str = "Meter";
pub const STRETCH: &str = "From – to";
pub const TOTAL: &str = "Total";
pub const RECOUNT: &str = "Recount";
pub const EQUAL: &str = "Equal";
pub const YES: &str = "yes";
pub const NO: &str = "no";
/// What stands where the raw events are gone.
pub const NOT_KEPT: &str = "–";
pub const CHECK: &str = "How to check this report";
pub const ATTACHED: &str = "The lines of the report";
/// What is said when there are letters that the font lacks.
pub const MISSING: &str =
    "\u{fffd} stands for letters that the font of this file lacks. Ids tell what is meant.";

/// What the tenant is called, on one line: what is longer is cut.
pub fn tenant(closing: &Closing) -> String {
    let words: Vec<_> = closing.tenant.split([' ', '\t', '\r', '\n']).collect();
    let name = words.join(" ");
    match name.char_indices().nth(NAME_CHARS_MAX) {
        None => name,
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
    }
}

/// What the report is about.
pub fn facts(report: &UsageReport, closing: &Closing) -> Vec<Fact> {
    let about = &report.about;
    let customer = about.subject.clone().unwrap_or_else(|| "all of them together".to_owned());
    let lines = about.by.map(|it| format!("one for each {}, of each meter", unit(it)));
    let facts = [
        ("Tenant", Some(closing.tenant_id.clone())),
        ("Customer", Some(customer)),
        ("Period", Some(span(about.zone, about.from, about.to))),
        ("Time zone", Some(about.zone.0.name().to_owned())),
        ("Lines", lines),
        ("Asked for", Some(moment(about.zone, report.created_at))),
        ("By the schedule", about.schedule.clone()),
        ("Report", Some(report.id.to_string())),
    ];
    facts.into_iter().filter_map(|(name, it)| Some((name, it?))).collect()
}

fn unit(it: WindowUnit) -> &'static str {
    match it {
        WindowUnit::Hour => "hour",
        WindowUnit::Day => "day",
        WindowUnit::Week => "week",
        WindowUnit::Month => "month",
        WindowUnit::Quarter => "quarter",
        WindowUnit::Year => "year",
    }
}

/// What the clock of the zone shows, and how far it is ahead.
pub fn moment(zone: Zone, at: Timestamp) -> String {
    format!("{} {}", clock(zone, at), offset(zone, at))
}

/// The same of both ends; how far the clock is ahead is said once if it is once so.
pub fn span(zone: Zone, from: Timestamp, to: Timestamp) -> String {
    let (ahead, ahead_then) = (offset(zone, from), offset(zone, to));
    match ahead == ahead_then {
        true => format!("{} – {} {ahead}", clock(zone, from), clock(zone, to)),
        false => format!("{} {ahead} – {} {ahead_then}", clock(zone, from), clock(zone, to)),
    }
}

fn clock(zone: Zone, at: Timestamp) -> String {
    let local = zone.local(at);
    let pattern = match (local.second(), local.nanosecond()) {
        (0, 0) => "%Y-%m-%d %H:%M",
        (_, 0) => "%Y-%m-%d %H:%M:%S",
        _ => "%Y-%m-%d %H:%M:%S%.3f",
    };
    local.format(pattern).to_string()
}

fn offset(zone: Zone, at: Timestamp) -> String {
    let seconds = zone.offset_ms(at) / 1000;
    let (sign, ahead) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
    let (hours, minutes, rest) = (ahead / 3600, ahead / 60 % 60, ahead % 60);
    match rest {
        0 => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{rest:02}"),
    }
}

/// What has to be known of a total: its unit, and how it comes from several lines.
pub fn detail(it: &Total, is_one: bool) -> Option<String> {
    let how = match it.aggregation {
        Aggregation::Sum => "",
        Aggregation::Count => "number of events",
        Aggregation::Max => "the largest value",
        Aggregation::Unique if is_one => "how many different values",
        Aggregation::Unique => {
            "how many different values in all of the time: one in several lines is one"
        }
    };
    let parts = [it.unit.as_str(), how].into_iter().filter(|it| !it.is_empty());
    let parts: Vec<_> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What the last row of a meter's lines is called.
pub fn all(total: &Total) -> &'static str {
    match total.aggregation {
        Aggregation::Sum | Aggregation::Count => "Total",
        Aggregation::Max => "The largest",
        Aggregation::Unique => "Different ones in all of the time",
    }
}

/// How counters and raw events compare.
pub fn compared(report: &UsageReport) -> String {
    let what = "Totals are those of the counters; the recount adds the raw events up anew, as long \
                as they are kept.";
    match report.differing {
        0 => format!("{what} No line differs."),
        1 => format!("{what} 1 of {} lines differs.", report.lines),
        many => format!("{what} {many} of {} lines differ.", report.lines),
    }
}

/// How much the highest bar is.
pub fn highest(total: &Total, amount: &str) -> String {
    format!("{amount} {}", total.unit).trim().to_owned()
}

/// What stands above bars.
pub fn scale(highest: &str, together: usize, aggregation: Aggregation) -> String {
    match (together, aggregation) {
        (1, _) => highest.to_owned(),
        (_, Aggregation::Sum | Aggregation::Count) => {
            format!("{highest}; a bar is {together} lines together")
        }
        _ => format!("{highest}; a bar is the largest of {together} lines"),
    }
}

/// What bars say to whoever does not see them.
pub fn picture(total: &Total, highest: &str, when: &str, together: usize) -> String {
    let of = match together {
        1 => "a bar for each line of the table below".to_owned(),
        _ => format!("a bar for each {together} lines of the table below"),
    };
    format!("Use of {} over time, {of}. The highest is {highest}, from {when} on.", total.meter)
}

/// The same of bars of several meters.
pub fn compared_meters(unit: &str) -> String {
    format!("The totals of the meters beside each other, in {unit}; the table above has them.")
}

/// How to see that nothing was changed.
pub fn proofs(report: &UsageReport, closing: &Closing, csv_sha256: &str) -> Vec<Fact> {
    let path = format!("/v1/usage/reports/{}", report.id);
    let signature = format!(
        "GET {path}/signature is a detached JWS (RFC 7515, appendix F) by the tenant's Ed25519 \
         key. Put this file as base64url without padding between its two dots, and verify that."
    );
    let keys = format!(
        "GET /.well-known/webhook-keys/{} has the public one, by the kid of the JWS.",
        closing.tenant_id
    );
    let hash = format!(
        "GET {path} tells the SHA-256 of this file, and so does report.made in the log of the \
         tenant, which only grows."
    );
    vec![
        ("Signature", signature),
        ("Keys", keys),
        ("This file", hash),
        (FILE_NAME, format!("The same lines for machines, in this file. SHA-256: {csv_sha256}")),
    ]
}

/// The number of a page.
pub fn page(number: usize, of: usize) -> String {
    format!("Page {number} of {of}")
}
