//! Rules in SQL.

use serde_json::json;
use shared::{
    domain::Commit,
    ports::{PortError, Row, Tenant, Value},
};

use crate::rule::{RULES_MAX, Rule};

const FIND: &str = "
    select name, rule, version from notify_rules where tenant = ?1 and name = ?2";
const LIST: &str = "
    select name, rule, version from notify_rules
    where tenant = ?1 and name > ?2 order by name limit ?3";
const INSERT: &str = "
    insert into notify_rules (tenant, name, rule, version)
    select ?1, ?2, ?3, ?4
    where (select count(*) from notify_rules where tenant = ?1) < ?5
    on conflict (tenant, name) do nothing";
const UPDATE: &str = "
    update notify_rules set rule = ?3, version = ?4
    where tenant = ?1 and name = ?2 and version = ?4 - 1";
const DELETE: &str = "delete from notify_rules where tenant = ?1 and name = ?2 and version = ?3";

pub async fn find_rule(at: &impl Tenant, name: &str) -> Result<Option<Rule>, PortError> {
    at.query(FIND, [name.into()]).await?.into_iter().next().map(read).transpose()
}

/// The rules after the one with this name.
pub async fn list_rules(at: &impl Tenant, after: &str, limit: u32) -> Result<Vec<Rule>, PortError> {
    at.query(LIST, [after.into(), limit.into()]).await?.into_iter().map(read).collect()
}

/// Writes it, unless it is no longer the version before this, or there are too many.
pub fn put_rule(it: &Rule) -> Commit {
    let mut params: Vec<Value> =
        vec![it.name.as_str().into(), (&json!(it.text)).into(), it.version.into()];
    if it.version > 1 {
        return Commit::new().write_one(UPDATE, params);
    }
    params.push(RULES_MAX.into());
    Commit::new().write_one(INSERT, params)
}

pub fn delete_rule(it: &Rule) -> Commit {
    Commit::new().write_one(DELETE, [Value::from(it.name.as_str()), it.version.into()])
}

fn read(row: Row) -> Result<Rule, PortError> {
    let [name, rule, version] = row.columns()?;
    Ok(Rule { name: name.text()?, text: rule.json()?, version: version.integer()? })
}
