//! What the edge is shown of a customer, in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant},
};

use crate::quota::shown::UsedUp;

const FIND: &str = "
    select version, used_up from gate_shown where tenant = ?1 and subject = ?2";
const COUNT_ON: &str = "
    insert into gate_shown (tenant, subject, version) values (?1, ?2, 1)
    on conflict (tenant, subject) do update set version = gate_shown.version + 1";
const PUT: &str = "
    insert into gate_shown (tenant, subject, version, used_up) values (?1, ?2, 1, ?3)
    on conflict (tenant, subject) do update set version = gate_shown.version + 1,
      used_up = excluded.used_up";

/// How often what is shown of a customer has changed, and which quotas are used up.
pub async fn shown(at: &impl Tenant, subject: &str) -> Result<(i64, Vec<UsedUp>), PortError> {
    let read = |row: Row| {
        let [version, used_up] = row.columns()?;
        Ok((version.integer()?, used_up.json()?))
    };
    let rows = at.query(FIND, [subject.into()]).await?;
    rows.into_iter().next().map_or(Ok((0, vec![])), read)
}

/// Something else of the customer than its quotas has changed.
pub fn count_shown_on(subject: &str) -> Commit {
    Commit::new().write(COUNT_ON, [subject.into()])
}

/// These quotas of the customer are used up.
pub fn put_shown(subject: &str, used_up: &[UsedUp]) -> Commit {
    Commit::new().write(PUT, [subject.into(), (&json!(used_up)).into()])
}
