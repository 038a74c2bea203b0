//! What was told of a window, and what the last look found, in SQL.

use std::collections::BTreeSet;

use shared::{
    domain::{Commit, Timestamp},
    ports::{PortError, Tenant, Value},
};

use crate::quota::{
    alert::{Mark, Marks},
    look::Seen,
    member::MemberMark,
};

const MARKS: &str = "
    select mark, at_ms from gate_quota_marks
    where tenant = ?1 and subject = ?2 and quota = ?3 and from_ms = ?4";
// One that is there makes the whole commit a conflict: somebody else told it.
const TELL: &str = "
    insert into gate_quota_marks (tenant, subject, quota, from_ms, mark, at_ms)
    values (?1, ?2, ?3, ?4, ?5, ?6)
    on conflict (tenant, subject, quota, from_ms, mark) do nothing";
const TAKE_BACK: &str = "
    delete from gate_quota_marks
    where tenant = ?1 and subject = ?2 and quota = ?3 and from_ms = ?4 and mark = ?5";
const PRUNE: &str = "
    delete from gate_quota_marks
    where tenant = ?1 and subject = ?2 and quota = ?3 and from_ms < ?4";
const SEEN: &str = "
    select from_ms, carried, used from gate_quota_windows
    where tenant = ?1 and subject = ?2 and quota = ?3";
const PUT_SEEN: &str = "
    insert into gate_quota_windows (tenant, subject, quota, from_ms, carried, used)
    values (?1, ?2, ?3, ?4, ?5, ?6)
    on conflict (tenant, subject, quota) do update set
      from_ms = excluded.from_ms, carried = excluded.carried, used = excluded.used";

/// What was told of a window.
pub async fn marks(
    at: &impl Tenant,
    subject: &str,
    quota: &str,
    from: Timestamp,
) -> Result<Marks, PortError> {
    let rows = at.query(MARKS, [subject.into(), quota.into(), from.into()]).await?;
    let mut marks = Marks::new();
    for row in rows {
        let [mark, at] = row.columns()?;
        if let Some(mark) = Mark::parse(&mark.text()?) {
            marks.insert(mark, at.timestamp()?);
        }
    }
    Ok(marks)
}

/// What was told of members in a window.
pub async fn member_marks(
    at: &impl Tenant,
    subject: &str,
    quota: &str,
    from: Timestamp,
) -> Result<BTreeSet<MemberMark>, PortError> {
    let rows = at.query(MARKS, [subject.into(), quota.into(), from.into()]).await?;
    let words = rows.into_iter().map(|row| row.columns().and_then(|[mark, _]| mark.text()));
    let marks = words.map(|it| it.map(|it| MemberMark::parse(&it)));
    marks.filter_map(Result::transpose).collect()
}

pub fn tell(subject: &str, quota: &str, from: Timestamp, mark: &str, now: Timestamp) -> Commit {
    let params: [Value; 5] = [subject.into(), quota.into(), from.into(), mark.into(), now.into()];
    Commit::new().write_one(TELL, params)
}

pub fn take_back(subject: &str, quota: &str, from: Timestamp, mark: &str) -> Commit {
    let params: [Value; 4] = [subject.into(), quota.into(), from.into(), mark.into()];
    Commit::new().write(TAKE_BACK, params)
}

/// What the last look found.
pub async fn seen(at: &impl Tenant, subject: &str, quota: &str) -> Result<Option<Seen>, PortError> {
    let rows = at.query(SEEN, [subject.into(), quota.into()]).await?;
    let read = |row: shared::ports::Row| {
        let [from, carried, used] = row.columns()?;
        Ok(Seen { from: from.timestamp()?, carried: carried.integer()?, used: used.integer()? })
    };
    rows.into_iter().next().map(read).transpose()
}

/// Keeps what a look found, and forgets what was told of windows before.
pub fn put_seen(subject: &str, quota: &str, it: &Seen) -> Commit {
    let params: [Value; 5] =
        [subject.into(), quota.into(), it.from.into(), it.carried.into(), it.used.into()];
    Commit::new()
        .write(PUT_SEEN, params)
        .write(PRUNE, [subject.into(), quota.into(), it.from.into()])
}
