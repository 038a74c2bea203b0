//! What the API document says of these routes.

use shared::openapi::{Operation, operation};

use crate::usage::{
    event::CloudEvent,
    latency::LatencyReport,
    meter::{Meter, MeterText},
    query::{Recount, Usage},
    receive::{UsageResult, UsageResults, UsageVoid},
    settings::UsageSettings,
};

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    let mut all = limits();
    all.extend(usage());
    all
}

fn limits() -> Vec<Operation> {
    vec![]
}

fn usage() -> Vec<Operation> {
    let mut all = vec![
        operation("postUsage", "Count an event, or a batch of up to 100 (CloudEvents 1.0).")
            .takes::<CloudEvent>()
            .gives::<UsageResults>(200),
        operation("voidUsage", "Take an event back, for a reason.")
            .takes::<UsageVoid>()
            .gives::<UsageResult>(200),
        operation("getUsage", "What was used, as JSON or, by Accept: text/csv, as CSV.")
            .query("meter", "The meter; gate.requests by default.")
            .query("from", "From this moment on; a day before `to` by default.")
            .query("to", "Up to this moment; the end of this quarter of an hour by default.")
            .query("subject", "Only of this customer of yours.")
            .query(
                "group_by",
                "subject, member, key, route, status, hour, day, month or weekday_hour.",
            )
            .query("top", "How many groups, the largest first: 1 to 200, 50 by default.")
            .query("zone", "Of whose hours and days, as Europe/Berlin; UTC by default.")
            .gives::<Usage>(200),
        operation("recountUsage", "The counters beside a recount of the raw events.")
            .query("meter", "The meter; gate.requests by default.")
            .query("from", "From this quarter of an hour on.")
            .query("to", "Up to this quarter of an hour; at most 35 days.")
            .gives::<Recount>(200),
        operation("getLatency", "How long requests took, to within 2 %, and their statuses.")
            .query("from", "From this quarter of an hour on.")
            .query("to", "Up to this quarter of an hour.")
            .query("key", "Only by this key.")
            .query("route", "Only on this route.")
            .gives::<LatencyReport>(200),
    ];
    all.extend(meters());
    all
}

fn meters() -> Vec<Operation> {
    vec![
        operation("listMeters", "List the meters, by name.").gives_page::<Meter>(),
        operation("getMeter", "Read a meter.").gives::<Meter>(200),
        operation("putMeter", "Make a meter, or change what is said of it.")
            .takes::<MeterText>()
            .gives::<Meter>(200)
            .conditional(),
        operation("deleteMeter", "Let a meter take no more events; what it counted stays.")
            .gives_nothing()
            .conditional(),
        operation("getUsageSettings", "Read how usage is taken in.").gives::<UsageSettings>(200),
        operation("putUsageSettings", "Change how usage is taken in.")
            .takes::<UsageSettings>()
            .gives::<UsageSettings>(200)
            .conditional(),
    ]
}
