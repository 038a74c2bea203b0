//! What the API document says of these routes.

use shared::openapi::{Operation, operation};

use crate::limits::{
    asked::{Asked, Checks},
    check::{Checked, CheckedAll},
    policy::Policy,
    receipt::Settlement,
};
use crate::proxy::app::App;
use crate::quota::{
    Verdict,
    holder::QuotaCheck,
    plan::{UsagePlan, UsagePlanText},
    report::{NewReport, UsageReport},
    schedule::{ReportSchedule, ScheduleSettings},
    standing::SubjectStanding,
    subject::{SubjectPlan, UsageSubject},
};
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
    all.extend(apps());
    all.extend(usage());
    all.extend(quotas());
    all.extend(reports());
    all
}

fn limits() -> Vec<Operation> {
    vec![
        operation("checkLimits", "Ask whether a request may go on; 429 when it may not.")
            .takes::<Asked>()
            .gives::<Checked>(200),
        operation("checkLimitsOfMany", "Ask for up to 100 requests, each for itself.")
            .takes::<Checks>()
            .gives::<CheckedAll>(200),
        operation("settleLimits", "Add or give back units after the answer, and end leases.")
            .takes::<Settlement>()
            .gives_nothing(),
        operation("listPolicies", "List the policies of limits, by name.").gives_page::<Policy>(),
        operation("getPolicy", "Read a policy.").gives::<Policy>(200),
        operation("putPolicy", "Write a policy: make it, or replace it.")
            .takes::<Policy>()
            .conditional()
            .gives::<Policy>(200),
        operation("deletePolicy", "Remove a policy: it limits nothing any more.").gives_nothing(),
    ]
}

fn apps() -> Vec<Operation> {
    vec![
        operation("listApps", "List the apps behind the gate, by name.").gives_page::<App>(),
        operation("getApp", "Read an app.").gives::<App>(200),
        operation("putApp", "Write an app: make it, or replace it under the address that it has.")
            .takes::<App>()
            .conditional()
            .gives::<App>(200),
        operation("deleteApp", "Remove an app: its address leads nowhere any more.")
            .conditional()
            .gives_nothing(),
        operation("forwardRoot", "As below, for the origin's root.").gives_other("*/*"),
        operation("forward", "Hand a request on to the origin of an app, if its policies let it.")
            .gives_other("*/*"),
    ]
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

fn quotas() -> Vec<Operation> {
    vec![
        operation("listUsagePlans", "List the plans, by name.").gives_page::<UsagePlan>(),
        operation("getUsagePlan", "Read a plan.").gives::<UsagePlan>(200),
        operation("putUsagePlan", "Put a plan, or replace it.")
            .takes::<UsagePlanText>()
            .gives::<UsagePlan>(200)
            .conditional(),
        operation("deleteUsagePlan", "Delete a plan that nobody has.")
            .gives_nothing()
            .conditional(),
        operation("listUsageSubjects", "List who has a plan, by name, without histories.")
            .gives_page::<UsageSubject>(),
        operation("getUsageSubject", "Read which plan a subject has, and had.")
            .gives::<UsageSubject>(200),
        operation("putUsageSubject", "Give a subject its plan, or another one.")
            .takes::<SubjectPlan>()
            .gives::<UsageSubject>(200)
            .conditional(),
        operation("deleteUsageSubject", "Take its plan from a subject.")
            .gives_nothing()
            .conditional(),
        operation("getUsageStanding", "Show what a subject has used of its quotas.")
            .query("member", "Also what this member of it has used.")
            .gives::<SubjectStanding>(200),
        operation("checkQuota", "Ask whether a subject may use so much; 429 when it may not.")
            .takes::<QuotaCheck>()
            .gives::<Verdict>(200),
    ]
}

fn reports() -> Vec<Operation> {
    vec![
        operation("createUsageReport", "Make a report of what was used.")
            .takes::<NewReport>()
            .gives::<UsageReport>(202),
        operation("listUsageReports", "List the reports, newest first.")
            .gives_page::<UsageReport>(),
        operation("getUsageReport", "Read a report, or how far it is.").gives::<UsageReport>(200),
        operation("getUsageReportFile", "Download the file of a report: CSV, JSON or PDF.")
            .gives_other("*/*"),
        operation(
            "getUsageReportSignature",
            "The signature of a report's file: a detached JWS by the tenant's key.",
        )
        .gives_other("application/jose"),
        operation("listReportSchedules", "List the schedules of reports, by name.")
            .gives_page::<ReportSchedule>(),
        operation("getReportSchedule", "Read a schedule of reports.").gives::<ReportSchedule>(200),
        operation("putReportSchedule", "Put a schedule of reports, or replace it.")
            .takes::<ScheduleSettings>()
            .gives::<ReportSchedule>(200)
            .conditional(),
        operation("deleteReportSchedule", "Delete a schedule; its reports stay.")
            .gives_nothing()
            .conditional(),
    ]
}
