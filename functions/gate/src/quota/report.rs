//! Reports: what was used in a stretch of time, by the counters and, beside it, by the raw events.
//!
//! `make` makes one, step by step; `closing` and `print` are of those on paper.

mod closing;
pub mod make;
mod print;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id, NewJob, Page, Timestamp},
    http::{Response, StatusCode, header, json as json_response, respond, with_header},
    ports::{Blobs, PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    counted::{self, COUNTED},
    file,
    plan::{WORD, is_word},
    store,
    window::{Calendar, QuotaWindow, WindowAlignment, WindowSpan, WindowUnit, Zone},
};
pub use closing::{Closing, Total};

use make::{FORGET, MAKE};

/// How long reports are kept.
pub const KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// How many meters a report has at most.
pub const METERS_MAX: usize = 20;
/// How many lines a report has at most.
pub const LINES_MAX: usize = 2_000;
/// The longest time that a report is about, which is as long as there are counters.
const SPAN_MS_MAX: i64 = 400 * 24 * 60 * 60 * 1000;
/// The largest file, in bytes. No line has more than some 1,000 in it, with its tags.
const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A report.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UsageReport {
    /// `rep_…`
    pub id: Id,
    /// What it is about.
    #[serde(flatten)]
    pub about: ReportAbout,
    /// How far it is.
    pub state: ReportState,
    /// How many lines it has.
    pub lines: i64,
    /// How many of them are counted.
    pub lines_done: i64,
    /// In how many of them counters and raw events differ.
    pub differing: i64,
    /// SHA-256 of its file, in hex; the log has it, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How large its file is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<i64>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was done. It is kept for 400 days from when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// How far a report is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportState {
    /// It is being made.
    Waiting,
    /// There is a file.
    Done,
    /// It could not be made.
    Failed,
}

/// What a report is about.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct ReportAbout {
    /// The meters.
    pub meters: Vec<String>,
    /// Of whom; of all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The first moment that is in it.
    pub from: Timestamp,
    /// The first moment that is not.
    pub to: Timestamp,
    /// Of what each line is; one line for each meter when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<WindowUnit>,
    /// Where days begin.
    #[schema(value_type = String)]
    pub zone: Zone,
    /// What the file is.
    pub format: ReportFormat,
    /// The schedule that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
}

/// What a report's file is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportFormat {
    /// Comma-separated values (RFC 4180), safe to open in a spreadsheet.
    #[default]
    Csv,
    /// JSON.
    Json,
    /// PDF (PDF/A-3a) for people, with the CSV in it for machines.
    Pdf,
}

/// What to report: from one moment to another, or the last whole window.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReport {
    /// The meters: 1 to 20.
    pub meters: Vec<String>,
    /// Of whom; of all when left out.
    #[serde(default)]
    pub subject: Option<String>,
    /// The first moment that is in it.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// The first moment that is not.
    #[serde(default)]
    pub to: Option<Timestamp>,
    /// The last of these that is over, in place of `from` and `to`.
    #[serde(default)]
    pub window: Option<QuotaWindow>,
    /// From when windows by the anchor count; 1970 when left out.
    #[serde(default)]
    pub anchor: Option<Timestamp>,
    /// Of what each line is: hour, day, week, month, quarter or year.
    #[serde(default)]
    pub by: Option<WindowUnit>,
    /// An IANA time zone; UTC when left out.
    #[serde(default)]
    #[schema(value_type = String)]
    pub zone: Zone,
    /// csv when left out.
    #[serde(default)]
    pub format: ReportFormat,
}

impl NewReport {
    fn about(self, now: Timestamp) -> Result<ReportAbout, Problem> {
        let calendar = Calendar { zone: self.zone, anchor: self.anchor.unwrap_or_default() };
        let span = match (self.from, self.to, self.window) {
            (Some(from), Some(to), None) => WindowSpan { from, to },
            (None, None, Some(window)) => {
                let runs = calendar.window_at(window.checked("window")?, now);
                calendar.window_at(window, Timestamp(runs.from.0 - 1))
            }
            _ => return Err(Problem::unfitting("from", "name from and to, or a window")),
        };
        let WindowSpan { from, to } = span;
        if from < now - COUNTED {
            return Err(Problem::unfitting("from", "there are counters of the last 400 days"));
        }
        let Self { meters, subject, by, zone, format, .. } = self;
        ReportAbout { meters, subject, from, to, by, zone, format, schedule: None }.checked()
    }
}

impl ReportAbout {
    /// The same, if it makes sense.
    ///
    /// # Errors
    /// 422 that says what does not.
    pub fn checked(self) -> Result<Self, Problem> {
        if !(1..=METERS_MAX).contains(&self.meters.len())
            || !self.meters.iter().all(|it| is_word(it))
        {
            return Err(Problem::unfitting("meters", format!("1 to {METERS_MAX}, each {WORD}")));
        }
        if self.subject.as_ref().is_some_and(|it| !is_word(it)) {
            return Err(Problem::unfitting("subject", WORD));
        }
        if self.from >= self.to || self.to.0.saturating_sub(self.from.0) > SPAN_MS_MAX {
            return Err(Problem::unfitting("to", "after from, at most 400 days"));
        }
        if self.spans().len().saturating_mul(self.meters.len()) > LINES_MAX {
            return Err(Problem::unfitting("by", format!("it comes to over {LINES_MAX} lines")));
        }
        Ok(self)
    }

    /// Of which stretches of time the lines of a meter are; one more than there may be is enough.
    pub fn spans(&self) -> Vec<WindowSpan> {
        let all = WindowSpan { from: self.from, to: self.to };
        let Some(every) = self.by else { return vec![all] };
        let window = QuotaWindow { every, count: 1, aligned: WindowAlignment::Calendar };
        let calendar = Calendar { zone: self.zone, anchor: self.from };
        let (mut spans, mut from) = (Vec::new(), self.from);
        while from < self.to && spans.len() <= LINES_MAX {
            let span = calendar.window_at(window, from);
            spans.push(span.within(all));
            // What is outside of all calendars has no next window.
            from = if span.to > from { span.to } else { self.to };
        }
        spans
    }
}

/// Asks for a report.
pub async fn create(at: &impl Tenant, new: NewReport) -> Result<Response, Problem> {
    let about = new.about(at.now())?;
    counted::check_meters(at, about.meters.iter()).await?;
    let (report, commit) = begin(at, about)?;
    let response = json_response(StatusCode::ACCEPTED, &report);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// A report that is to be made, and the commit that begins it.
///
/// # Errors
/// When the runtime has no randomness.
pub fn begin(at: &impl Tenant, about: ReportAbout) -> Result<(UsageReport, Commit), PortError> {
    let lines = about.spans().len() * about.meters.len();
    let report = UsageReport {
        id: at.new_id("rep")?,
        about,
        state: ReportState::Waiting,
        lines: i64::try_from(lines).unwrap_or(i64::MAX),
        lines_done: 0,
        differing: 0,
        sha256: None,
        bytes: None,
        created_at: at.time(),
        ended_at: None,
    };
    let body = json!({"id": report.id});
    let make = NewJob::new(MAKE, format!("{MAKE}:{}", report.id), body.clone());
    let forget = NewJob::new(FORGET, format!("{FORGET}:{}", report.id), body);
    let commit = store::insert_report(&report)
        .entry(Draft::new("report.created", &report.id).with(json!(report.about)))
        .job(make)
        .job(forget.at(report.created_at + KEPT));
    Ok((report, commit))
}

/// Lists the reports, newest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let before = cursor.as_ref().map(|it| it.key());
    let reports = store::list_reports(at, before, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(reports, limit, |it| it.id.to_string())))
}

/// Reads one, also while it is being made.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(json_response(StatusCode::OK, &find(at, call).await?))
}

async fn find(at: &impl Tenant, call: &Call) -> Result<UsageReport, Problem> {
    store::find_report(at, &call.id("rep")?).await?.ok_or_else(Problem::not_found)
}

/// The one that the path names, if there is a file of it.
///
/// # Errors
/// The 404 that everybody gets, and 409 while it is being made.
pub async fn find_done(at: &impl Tenant, call: &Call) -> Result<UsageReport, Problem> {
    let report = find(at, call).await?;
    if report.state == ReportState::Done {
        return Ok(report);
    }
    let kind = "/problems/usage/report-not-done";
    Err(Problem::new(StatusCode::CONFLICT, kind, "The report is not done")
        .detail(format!("{} of {} lines are counted", report.lines_done, report.lines)))
}

/// The file of one.
pub async fn download(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let report = find_done(at, call).await?;
    let bytes = read_file(at, &report.id).await?.ok_or_else(Problem::not_found)?;
    let (kind, name) = match report.about.format {
        ReportFormat::Csv => ("text/csv; charset=utf-8; header=present", "usage.csv"),
        ReportFormat::Json => ("application/json", "usage.json"),
        ReportFormat::Pdf => ("application/pdf", "usage.pdf"),
    };
    let response = respond(StatusCode::OK, kind, bytes);
    let name = format!("attachment; filename=\"{name}\"");
    let response = with_header(response, header::CONTENT_DISPOSITION, &name);
    Ok(with_header(response, header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
}

async fn read_file(at: &impl Tenant, id: &Id) -> Result<Option<Bytes>, PortError> {
    let blobs = at.blobs();
    let Some(mut blob) = blobs.get(&file::name(id), None).await? else { return Ok(None) };
    let mut bytes = BytesMut::new();
    while let Some(chunk) = blob.chunks.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > FILE_BYTES_MAX {
            return Err(PortError::new("blobs", "a report that is larger than any"));
        }
    }
    Ok(Some(bytes.freeze()))
}
