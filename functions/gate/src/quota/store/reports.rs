//! Reports and their schedules in SQL.

use serde_json::json;
use shared::{
    domain::{Commit, Id, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use crate::quota::{
    file::Line,
    report::{Closing, ReportState, UsageReport},
    schedule::ReportSchedule,
};

const INSERT: &str = "
    insert into gate_reports
      (tenant, id, asked, state, lines, lines_done, differing, created_at_ms)
    values (?1, ?2, ?3, 'waiting', ?4, 0, 0, ?5)";
const FIND: &str = "
    select id, asked, state, lines, lines_done, differing, sha256, bytes, created_at_ms,
      ended_at_ms
    from gate_reports where tenant = ?1 and id = ?2";
const LIST: &str = "
    select id, asked, state, lines, lines_done, differing, sha256, bytes, created_at_ms,
      ended_at_ms
    from gate_reports where tenant = ?1 and id < ?2 order by id desc limit ?3";
const COUNT: &str = "
    update gate_reports set lines_done = ?3, differing = ?4
    where tenant = ?1 and id = ?2 and state = 'waiting' and lines_done = ?5";
const END: &str = "
    update gate_reports set state = ?3, sha256 = ?4, bytes = ?5, ended_at_ms = ?6
    where tenant = ?1 and id = ?2 and state = 'waiting'";
const DELETE: &str = "delete from gate_reports where tenant = ?1 and id = ?2";
const PUT_LINE: &str = "
    insert into gate_report_lines (tenant, report, number, line) values (?1, ?2, ?3, ?4)
    on conflict (tenant, report, number) do update set line = excluded.line";
const LINES: &str = "
    select line from gate_report_lines where tenant = ?1 and report = ?2 and number < ?3
    order by number";
// What a report closes with has the number after its last line.
const CLOSING: &str = "
    select line from gate_report_lines where tenant = ?1 and report = ?2 and number = ?3";
const DELETE_LINES: &str = "delete from gate_report_lines where tenant = ?1 and report = ?2";

const FIND_SCHEDULE: &str = "
    select name, settings, from_ms, next_at_ms, version from gate_report_schedules
    where tenant = ?1 and name = ?2";
const LIST_SCHEDULES: &str = "
    select name, settings, from_ms, next_at_ms, version from gate_report_schedules
    where tenant = ?1 and name > ?2 order by name limit ?3";
const INSERT_SCHEDULE: &str = "
    insert into gate_report_schedules (tenant, name, settings, from_ms, next_at_ms, version)
    values (?1, ?2, ?3, ?4, ?5, ?6) on conflict (tenant, name) do nothing";
const UPDATE_SCHEDULE: &str = "
    update gate_report_schedules set settings = ?3, from_ms = ?4, next_at_ms = ?5, version = ?6
    where tenant = ?1 and name = ?2 and version = ?7";
// Guarded by where it was: each time makes one report.
const MOVE_SCHEDULE: &str = "
    update gate_report_schedules set from_ms = ?3, next_at_ms = ?4
    where tenant = ?1 and name = ?2 and next_at_ms = ?5 and version = ?6";
const DELETE_SCHEDULE: &str = "
    delete from gate_report_schedules where tenant = ?1 and name = ?2 and version = ?3";

pub fn insert_report(it: &UsageReport) -> Commit {
    let params: [Value; 4] =
        [(&it.id).into(), (&json!(it.about)).into(), it.lines.into(), it.created_at.into()];
    Commit::new().write_one(INSERT, params)
}

pub async fn find_report(at: &impl Tenant, id: &Id) -> Result<Option<UsageReport>, PortError> {
    at.query(FIND, [id.into()]).await?.into_iter().next().map(read).transpose()
}

/// The newest first, before this id.
pub async fn list_reports(
    at: &impl Tenant,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<UsageReport>, PortError> {
    // No id of a report is after this.
    let before = before.unwrap_or("rep_~");
    at.query(LIST, [before.into(), limit.into()]).await?.into_iter().map(read).collect()
}

/// So many lines are counted, if so many were `before`.
pub fn count_report(it: &UsageReport, before: i64) -> Commit {
    let params: [Value; 4] =
        [(&it.id).into(), it.lines_done.into(), it.differing.into(), before.into()];
    Commit::new().write_one(COUNT, params)
}

pub fn end_report(it: &UsageReport) -> Commit {
    let params: [Value; 5] = [
        (&it.id).into(),
        word(it.state).into(),
        it.sha256.as_deref().into(),
        it.bytes.into(),
        it.ended_at.into(),
    ];
    Commit::new().write_one(END, params).write(DELETE_LINES, [(&it.id).into()])
}

pub fn delete_report(id: &Id) -> Commit {
    Commit::new().write(DELETE, [id.into()]).write(DELETE_LINES, [id.into()])
}

pub fn put_line(report: &Id, number: i64, line: &Line) -> Commit {
    Commit::new().write(PUT_LINE, [report.into(), number.into(), (&json!(line)).into()])
}

/// The lines that are counted.
pub async fn lines(at: &impl Tenant, it: &UsageReport) -> Result<Vec<Line>, PortError> {
    let rows = at.query(LINES, [(&it.id).into(), it.lines.into()]).await?;
    rows.into_iter().map(|row| row.columns().and_then(|[it]| it.json())).collect()
}

pub fn put_closing(it: &UsageReport, closing: &Closing) -> Commit {
    Commit::new().write(PUT_LINE, [(&it.id).into(), it.lines.into(), (&json!(closing)).into()])
}

/// What it closes with, once that is found.
pub async fn closing(at: &impl Tenant, it: &UsageReport) -> Result<Option<Closing>, PortError> {
    let rows = at.query(CLOSING, [(&it.id).into(), it.lines.into()]).await?;
    rows.into_iter().next().map(|row| row.columns().and_then(|[it]| it.json())).transpose()
}

pub async fn find_schedule(
    at: &impl Tenant,
    name: &str,
) -> Result<Option<ReportSchedule>, PortError> {
    at.query(FIND_SCHEDULE, [name.into()]).await?.into_iter().next().map(read_schedule).transpose()
}

pub async fn list_schedules(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<ReportSchedule>, PortError> {
    let rows = at.query(LIST_SCHEDULES, [after.into(), limit.into()]).await?;
    rows.into_iter().map(read_schedule).collect()
}

/// Writes the schedule, unless the one before is no longer the version that was `read`.
pub fn put_schedule(it: &ReportSchedule, read: Option<i64>) -> Commit {
    let mut params: Vec<Value> = vec![
        (&it.name).into(),
        (&json!(it.settings)).into(),
        it.from.into(),
        it.next_at.into(),
        it.version.into(),
    ];
    match read {
        None => Commit::new().write_one(INSERT_SCHEDULE, params),
        Some(read) => {
            params.push(read.into());
            Commit::new().write_one(UPDATE_SCHEDULE, params)
        }
    }
}

/// Goes on to the next time, from the one that was due.
pub fn move_schedule(it: &ReportSchedule, was_due: Timestamp) -> Commit {
    let params: [Value; 5] =
        [(&it.name).into(), it.from.into(), it.next_at.into(), was_due.into(), it.version.into()];
    Commit::new().write_one(MOVE_SCHEDULE, params)
}

pub fn delete_schedule(it: &ReportSchedule) -> Commit {
    Commit::new().write_one(DELETE_SCHEDULE, [(&it.name).into(), it.version.into()])
}

fn word(it: ReportState) -> &'static str {
    match it {
        ReportState::Waiting => "waiting",
        ReportState::Done => "done",
        ReportState::Failed => "failed",
    }
}

fn read(row: Row) -> Result<UsageReport, PortError> {
    let [id, asked, state, lines, done, differing, sha256, bytes, created_at, ended_at] =
        row.columns()?;
    Ok(UsageReport {
        id: Id::trusted(id.text()?),
        about: asked.json()?,
        state: match state.text()?.as_str() {
            "done" => ReportState::Done,
            "failed" => ReportState::Failed,
            _ => ReportState::Waiting,
        },
        lines: lines.integer()?,
        lines_done: done.integer()?,
        differing: differing.integer()?,
        sha256: sha256.optional_text()?,
        bytes: match bytes {
            Value::Null => None,
            it => Some(it.integer()?),
        },
        created_at: created_at.timestamp()?,
        ended_at: ended_at.optional_timestamp()?,
    })
}

fn read_schedule(row: Row) -> Result<ReportSchedule, PortError> {
    let [name, settings, from, next_at, version] = row.columns()?;
    Ok(ReportSchedule {
        name: name.text()?,
        settings: settings.json()?,
        from: from.timestamp()?,
        next_at: next_at.timestamp()?,
        version: version.integer()?,
    })
}
