//! Making a report, some lines at a time, so that no step takes long.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Job, Retry, Timestamp, sha256_hex},
    ports::{Blobs, PortError, Tenant},
};

use super::{Closing, ReportFormat, ReportState, UsageReport, print};
use crate::{
    quota::{
        counted,
        file::{self, Line},
        signature, store,
    },
    usage::amount::Amount,
};

/// Makes a report, some lines at a time.
pub const MAKE: &str = "gate.quota.report";
/// Removes a report that is old.
pub const FORGET: &str = "gate.quota.forget";
/// How many lines are counted at once.
const STEP: usize = 50;

/// Counts the next lines of a report, and writes its file when all are counted.
pub async fn make(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(report) = store::find_report(at, &id).await? else { return Ok(Commit::new()) };
    if report.state != ReportState::Waiting {
        return Ok(Commit::new());
    }
    let step = match report.lines_done < report.lines {
        true => count(at, &report).await,
        false => end(at, &report).await,
    };
    step.map_err(|failure| {
        let is_over = match failure.retry {
            Retry::Never => true,
            Retry::Schedule | Retry::After(_) => job.is_last(),
            Retry::Postpone(_) => false,
        };
        match is_over {
            true => failure.writing(store::end_report(&failed(&report, at.time()))),
            false => failure,
        }
    })
}

fn failed(report: &UsageReport, now: Timestamp) -> UsageReport {
    UsageReport { state: ReportState::Failed, ended_at: Some(now), ..report.clone() }
}

async fn count(at: &impl Tenant, report: &UsageReport) -> Result<Commit, Failure> {
    let (about, spans) = (&report.about, report.about.spans());
    let all = about.meters.iter().flat_map(|meter| spans.iter().map(move |span| (meter, span)));
    let done = usize::try_from(report.lines_done).unwrap_or(usize::MAX);
    let (mut commit, mut number, mut differing) = (Commit::new(), report.lines_done, 0);
    for (meter, span) in all.skip(done).take(STEP) {
        let subject = about.subject.as_deref();
        let total = counted::total(at, meter, subject, None, span.from, span.to).await?;
        let recount = counted::recount(at, meter, subject, span.from, span.to).await?;
        let (meter, subject) = (meter.clone(), about.subject.clone());
        let line = Line {
            meter,
            subject,
            from: span.from,
            to: span.to,
            total: Amount(total).to_string(),
            recount: recount.map(|it| Amount(it).to_string()),
        };
        differing += i64::from(recount.is_some_and(|it| it != total));
        commit = commit.and(store::put_line(&report.id, number, &line));
        number += 1;
    }
    let counted = UsageReport {
        lines_done: number,
        differing: report.differing + differing,
        ..report.clone()
    };
    let commit = commit.and(store::count_report(&counted, report.lines_done));
    Err(Failure::postponed(Duration::ZERO, commit))
}

/// Of a report on paper what it closes with is found and kept first: so whoever writes its file,
/// and however often, it is the same.
async fn end(at: &impl Tenant, report: &UsageReport) -> Result<Commit, Failure> {
    let lines = store::lines(at, report).await?;
    let file = match (report.about.format, store::closing(at, report).await?) {
        (ReportFormat::Csv, _) => file::csv(&lines).into_bytes(),
        (ReportFormat::Json, _) => file::json(report, &lines).into_bytes(),
        (ReportFormat::Pdf, Some(it)) => print::pdf(report, &lines, &it).map_err(Failure::dead)?,
        (ReportFormat::Pdf, None) => {
            let closing = Closing::of(at, report, &lines).await?;
            let kept = store::put_closing(report, &closing);
            return Err(Failure::postponed(Duration::ZERO, kept));
        }
    };
    Ok(finish(at, report, file.into()).await?)
}

async fn finish(at: &impl Tenant, report: &UsageReport, bytes: Bytes) -> Result<Commit, PortError> {
    let sha256 = sha256_hex(&bytes);
    let size = bytes.len();
    let signed = signature::sign(at, &report.id, &bytes).await?;
    at.blobs().put(&file::name(&report.id), stream::iter([Ok(bytes)])).await?;
    let done = UsageReport {
        state: ReportState::Done,
        sha256: Some(sha256.clone()),
        bytes: i64::try_from(size).ok(),
        ended_at: Some(at.time()),
        ..report.clone()
    };
    let data = json!({
        "sha256": sha256, "bytes": size, "lines": report.lines, "differing": report.differing,
    });
    let entry = Draft::new("report.made", &report.id).with(data);
    Ok(store::end_report(&done).and(signed).entry(entry))
}

/// Removes a report and its file.
pub async fn forget(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    at.blobs().delete(&file::name(&id)).await?;
    signature::forget(at, &id).await?;
    Ok(store::delete_report(&id))
}
