//! What the API document says of these routes.

use shared::openapi::{Operation, operation};

use crate::quota::{
    plan::{UsagePlan, UsagePlanText},
    report::{NewReport, UsageReport},
    schedule::{ReportSchedule, ScheduleSettings},
    standing::SubjectStanding,
    subject::{SubjectPlan, UsageSubject},
};

/// All operations of this function.
pub fn operations() -> Vec<Operation> {
    let mut all = limits();
    all.extend(usage());
    all.extend(quotas());
    all.extend(reports());
    all
}

fn limits() -> Vec<Operation> {
    vec![]
}

fn usage() -> Vec<Operation> {
    vec![]
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
        operation("getUsageReportFile", "Download the file of a report.").gives_other("text/csv"),
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
