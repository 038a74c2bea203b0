//! The limiter in SQL, for runtimes that keep it in a database or an object with one.

use crate::{
    domain::Timestamp,
    ports::{Admission, PortError, Rate, Sql, Statement},
};

// One statement decides, so that those who ask at once are decided one after the other.
const ADMIT: &str = "
    insert into limits (key, tat_ms) values (?1, ?2 + ?3)
    on conflict (key) do update set tat_ms = max(tat_ms, ?2) + ?3 where tat_ms - ?2 <= ?4
    returning tat_ms";
const ARRIVAL: &str = "select tat_ms from limits where key = ?1";
const PRUNE: &str = "delete from limits where tat_ms < ?1";

/// The table, where no migration makes it.
pub const CREATE: &str = "
    create table if not exists limits (
      key text not null primary key,
      tat_ms integer not null
    ) strict";

/// Asks for one more under `key`.
///
/// # Errors
/// When the database fails; nothing is counted then.
pub async fn admit(
    sql: &impl Sql,
    key: &str,
    rate: Rate,
    now: Timestamp,
) -> Result<Admission, PortError> {
    let (interval, tolerance) = (rate.interval_ms(), rate.tolerance_ms());
    let params = [key.into(), now.into(), interval.into(), tolerance.into()];
    if !sql.query(Statement::new(ADMIT, params)).await?.is_empty() {
        return Ok(Admission::Admitted);
    }
    let rows = sql.query(Statement::new(ARRIVAL, [key.into()])).await?;
    let arrival = rows.into_iter().next().map(|row| row.columns().and_then(|[it]| it.integer()));
    let wait = rate.decide(arrival.transpose()?.unwrap_or(0), now).err().unwrap_or_default();
    Ok(Admission::Refused(wait))
}

/// Forgets the keys that nobody asked for in a while.
///
/// # Errors
/// When the database fails.
pub async fn prune(sql: &impl Sql, now: Timestamp) -> Result<(), PortError> {
    sql.query(Statement::new(PRUNE, [now.into()])).await.map(drop).map_err(PortError::from)
}
