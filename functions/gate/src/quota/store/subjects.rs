//! Subjects in SQL.

use std::collections::BTreeSet;

use serde_json::json;
use shared::{
    domain::{Commit, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

use crate::quota::{
    subject::{CHANGES_MAX, OnChange, SubjectChange, UsageSubject},
    window::Zone,
};

const FIND: &str = "
    select name, plan, anchor_ms, zone, on_change, entitled, version
    from gate_subjects
    where tenant = ?1 and name = ?2";
const LIST: &str = "
    select name, plan, anchor_ms, zone, on_change, entitled, version
    from gate_subjects
    where tenant = ?1 and name > ?2 order by name limit ?3";
// Only with a plan that there is.
const INSERT: &str = "
    insert into gate_subjects (tenant, name, plan, anchor_ms, zone, on_change, entitled, version)
    select ?1, ?2, p.name, ?4, ?5, ?6, ?7, ?8 from gate_plans p where p.tenant = ?1 and p.name = ?3
    on conflict (tenant, name) do nothing";
const UPDATE: &str = "
    update gate_subjects set plan = ?3, anchor_ms = ?4, zone = ?5, on_change = ?6, entitled = ?7,
      version = ?8
    where tenant = ?1 and name = ?2 and version = ?9 and exists (
      select 1 from gate_plans p where p.tenant = ?1 and p.name = ?3)";
const OF_PLAN: &str = "
    select name from gate_subjects
    where tenant = ?1 and plan = ?2 and name > ?3 order by name limit ?4";
const WITH_PLAN: &str = "
    select name from gate_subjects
    where tenant = ?1 and name in (select value from json_each(?2)) order by name";
const DELETE: &str = "
    delete from gate_subjects where tenant = ?1 and name = ?2 and version = ?3";
const DELETE_CHANGES: &str = "
    delete from gate_subject_changes where tenant = ?1 and subject = ?2";
const DELETE_MARKS: &str = "delete from gate_quota_marks where tenant = ?1 and subject = ?2";
const DELETE_WINDOWS: &str = "delete from gate_quota_windows where tenant = ?1 and subject = ?2";
const CHANGES: &str = "
    select version, at_ms, plan, on_change, before from gate_subject_changes
    where tenant = ?1 and subject = ?2 order by version desc limit ?3";
const INSERT_CHANGE: &str = "
    insert into gate_subject_changes
      (tenant, subject, version, at_ms, plan, on_change, before)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const PRUNE_CHANGES: &str = "
    delete from gate_subject_changes where tenant = ?1 and subject = ?2 and version <= (
      select version from gate_subject_changes where tenant = ?1 and subject = ?2
      order by version desc limit 1 offset ?3)";

/// The subject with its history.
pub async fn find_subject(at: &impl Tenant, name: &str) -> Result<Option<UsageSubject>, PortError> {
    let Some(row) = at.query(FIND, [name.into()]).await?.into_iter().next() else {
        return Ok(None);
    };
    let rows = at.query(CHANGES, [name.into(), CHANGES_MAX.into()]).await?;
    let mut history: Vec<_> = rows.into_iter().map(read_change).collect::<Result<_, _>>()?;
    history.reverse();
    Ok(Some(UsageSubject { history, ..read(row)? }))
}

/// Who has this plan, by name.
pub async fn subjects_of(
    at: &impl Tenant,
    plan: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<String>, PortError> {
    let rows = at.query(OF_PLAN, [plan.into(), after.into(), limit.into()]).await?;
    rows.into_iter().map(|row| row.columns().and_then(|[it]| it.text())).collect()
}

/// Which of these have a plan.
pub async fn with_plan(
    at: &impl Tenant,
    subjects: &BTreeSet<&str>,
) -> Result<Vec<String>, PortError> {
    let rows = at.query(WITH_PLAN, [(&json!(subjects)).into()]).await?;
    rows.into_iter().map(|row| row.columns().and_then(|[it]| it.text())).collect()
}

/// Subjects without their histories.
pub async fn list_subjects(
    at: &impl Tenant,
    after: &str,
    limit: u32,
) -> Result<Vec<UsageSubject>, PortError> {
    at.query(LIST, [after.into(), limit.into()]).await?.into_iter().map(read).collect()
}

/// Writes the subject, unless the one before is no longer the version that was `read`.
pub fn put_subject(it: &UsageSubject, read: Option<i64>) -> Commit {
    let mut params: Vec<Value> = vec![
        (&it.subject).into(),
        (&it.plan).into(),
        it.anchor.into(),
        it.zone.0.name().into(),
        word(it.on_change).into(),
        i64::from(it.entitled).into(),
        it.version.into(),
    ];
    match read {
        None => Commit::new().write_one(INSERT, params),
        Some(read) => {
            params.push(read.into());
            Commit::new().write_one(UPDATE, params)
        }
    }
}

/// Keeps a change, and the last of those before.
pub fn insert_change(subject: &str, it: &SubjectChange) -> Commit {
    let before = it.before.as_ref().map(|it| json!(it).to_string());
    let params: [Value; 6] = [
        subject.into(),
        it.version.into(),
        it.at.into(),
        (&it.plan).into(),
        word(it.on_change).into(),
        before.into(),
    ];
    Commit::new()
        .write(INSERT_CHANGE, params)
        .write(PRUNE_CHANGES, [subject.into(), CHANGES_MAX.into()])
}

/// Removes the subject with all that is known of it but its usage.
pub fn delete_subject(it: &UsageSubject) -> Commit {
    let name = || [Value::from(&it.subject)];
    Commit::new()
        .write_one(DELETE, [(&it.subject).into(), it.version.into()])
        .write(DELETE_CHANGES, name())
        .write(DELETE_MARKS, name())
        .write(DELETE_WINDOWS, name())
}

fn word(it: OnChange) -> &'static str {
    match it {
        OnChange::Reset => "reset",
        OnChange::Keep => "keep",
        OnChange::Prorate => "prorate",
    }
}

fn on_change(text: &str) -> OnChange {
    match text {
        "reset" => OnChange::Reset,
        "prorate" => OnChange::Prorate,
        _ => OnChange::Keep,
    }
}

fn read(row: Row) -> Result<UsageSubject, PortError> {
    let [name, plan, anchor, zone, change, entitled, version] = row.columns()?;
    Ok(UsageSubject {
        subject: name.text()?,
        plan: plan.text()?,
        anchor: anchor.timestamp()?,
        zone: zone.text()?.parse::<Zone>().map_err(|why| PortError::new("sql", why))?,
        on_change: on_change(&change.text()?),
        history: Vec::new(),
        entitled: entitled.integer()? != 0,
        version: version.integer()?,
    })
}

fn read_change(row: Row) -> Result<SubjectChange, PortError> {
    let [version, at, plan, change, before] = row.columns()?;
    Ok(SubjectChange {
        at: Timestamp(at.integer()?),
        plan: plan.text()?,
        on_change: on_change(&change.text()?),
        before: match before {
            Value::Null => None,
            it => Some(it.json()?),
        },
        version: version.integer()?,
    })
}
