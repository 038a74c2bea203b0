//! What was heard of customers, in SQL.

use shared::{
    domain::{Commit, Timestamp},
    ports::{PortError, Tenant, Value},
};

use crate::context::{FACTS_MAX, Fact};

const INSERT: &str = "
    insert into ticket_facts (tenant, customer, kind, sequence, at_ms, fact)
    values (?1, ?2, ?3, ?4, ?5, ?6) on conflict do nothing";
// All but the latest.
const PRUNE: &str = "
    delete from ticket_facts where tenant = ?1 and customer = ?2 and kind = ?3 and sequence <= (
      select sequence from ticket_facts where tenant = ?1 and customer = ?2 and kind = ?3
      order by sequence desc limit 1 offset ?4)";
const LIST: &str = "
    select kind, sequence, at_ms, fact from ticket_facts where tenant = ?1 and customer = ?2
    order by kind, sequence desc";

/// Writes down what was heard of a customer, and forgets what is older than the latest of its kind.
pub fn insert_fact(customer: &str, it: &Fact) -> Commit {
    let params: [Value; 5] = [
        customer.into(),
        it.kind.as_str().into(),
        it.sequence.into(),
        it.at.into(),
        (&it.fact).into(),
    ];
    let prune: [Value; 3] = [customer.into(), it.kind.as_str().into(), FACTS_MAX.into()];
    Commit::new().write(INSERT, params).write(PRUNE, prune)
}

/// What was heard of a customer, the latest of each kind first.
pub async fn list_facts(at: &impl Tenant, customer: &str) -> Result<Vec<Fact>, PortError> {
    let rows = at.query(LIST, [customer.into()]).await?;
    let read = |[kind, sequence, at, fact]: [Value; 4]| {
        let (kind, at): (String, Timestamp) = (kind.text()?, at.timestamp()?);
        Ok(Fact { kind, sequence: sequence.integer()?, at, fact: fact.json()? })
    };
    rows.into_iter().map(|row| row.columns().and_then(read)).collect()
}
