//! Taking in what the queue holds: many items in one commit.
//!
//! A batch that fails is not lost: each of its items becomes a job, which is tried again by the
//! schedule, alone, and ends as a dead letter that people can read.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{Commit, Failure, Job, NewJob},
    function::Function,
    open::Open,
    ports::{CommitError, Edge, ITEMS_MAX, Item, PortError, Statement, Store, Tenant},
};

/// The last word of the kind of such a job.
const WHAT: &str = "ingest";

const LEAVE: &str = "
    insert into queue (tenant, function, id, body) values (?1, ?2, ?3, ?4)
    on conflict (tenant, function, id) do nothing";
const WAITING: &str = "
    select id, body from queue where tenant = ?1 and function = ?2 limit ?3";
const TAKEN: &str = "
    delete from queue where tenant = ?1 and function = ?2
      and id in (select value from json_each(?3))";

/// How long what the limiter counts may add up before it is taken in.
pub const FOLD_AFTER: Duration = Duration::from_secs(2);

const COUNTED: &str = "
    select 1 from tallies where tenant = ?1 and function = ?2 limit 1";
const FOLD: &str = "
    insert into queue (tenant, function, id, body)
    select ?1, ?2, ?3 || ':' || row_number() over (order by label),
      json_object('label', label, 'counts', json(json_group_object(field, n)))
    from tallies where tenant = ?1 and function = ?2 group by label";
const FOLDED: &str = "delete from tallies where tenant = ?1 and function = ?2";

/// Items on their way to a function of a tenant.
#[derive(Debug, Deserialize, Serialize)]
pub struct Batch {
    /// Whose.
    pub tenant: String,
    /// For whom.
    pub function: String,
    /// At most [`ITEMS_MAX`].
    pub items: Vec<Item>,
}

/// The statements that leave items as rows, where the runtime has no queue.
pub fn leave(tenant: &str, function: &str, items: &[Item]) -> Vec<Statement> {
    items
        .iter()
        .map(|it| {
            let params = [tenant.into(), function.into(), (&it.id).into(), (&it.body).into()];
            Statement::new(LEAVE, params)
        })
        .collect()
}

/// Takes in items that wait as rows. Says whether there were any.
pub(crate) async fn take_rows<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
    function: &'static str,
) -> Result<bool, PortError> {
    fold(open, function).await?;
    let limit = i64::try_from(ITEMS_MAX).unwrap_or(i64::MAX);
    let rows = open.query(WAITING, [function.into(), limit.into()]).await?;
    let items = rows
        .into_iter()
        .map(|row| {
            let [id, body] = row.columns()?;
            Ok(Item { id: id.text()?, body: body.json()? })
        })
        .collect::<Result<Vec<_>, PortError>>()?;
    if items.is_empty() {
        return Ok(false);
    }
    let ids: serde_json::Value = items.iter().map(|it| it.id.as_str()).collect();
    let taken = Commit::new().write(TAKEN, [function.into(), (&ids).into()]);
    take::<F, _, _>(open, function, &items, taken).await?;
    Ok(true)
}

/// Makes items of what the limiter has counted: all of it or none in one commit, so each count is
/// in one item.
async fn fold<E: Edge, S: Store>(open: &Open<E, S>, function: &str) -> Result<(), PortError> {
    if open.query(COUNTED, [function.into()]).await?.is_empty() {
        return Ok(());
    }
    let id = open.new_id("tly")?;
    let commit = Commit::new()
        .write(FOLD, [function.into(), id.as_str().into()])
        .write(FOLDED, [function.into()]);
    open.commit(commit).await.map_err(|err| PortError::new("tallies", err))
}

/// Lets a function take in these items, and commits that together with `taken`.
///
/// # Errors
/// When the database fails: the items have to come again.
pub async fn take<F: Function, E: Edge, S: Store>(
    open: &Open<E, S>,
    function: &str,
    items: &[Item],
    taken: Commit,
) -> Result<(), PortError> {
    let Some(function) = F::names().into_iter().find(|it| *it == function) else {
        return Err(PortError::new("queue", format!("nobody here is {function}")));
    };
    let why = match F::ingest(function, open, items).await {
        Ok(commit) => match open.commit(commit.and(taken.clone())).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Conflict) => "what it writes is a conflict".to_owned(),
            Err(CommitError::Port(err)) => err.to_string(),
        },
        Err(err) => err.to_string(),
    };
    open.edge().note(&format!("{function} takes in {} items: {why}", items.len()));
    let jobs = items.iter().fold(taken, |commit, it| commit.job(job(function, it)));
    open.commit(jobs).await.map_err(|err| PortError::new("queue", err))
}

/// An item that failed in its batch, as a job.
fn job(function: &'static str, item: &Item) -> NewJob {
    let body = serde_json::json!({"id": item.id, "body": item.body});
    NewJob::new(format!("{function}.{WHAT}"), format!("{function}.{WHAT}:{}", item.id), body)
}

/// Works a job that was made of an item; `None` when it is another job.
pub(crate) async fn work<F: Function>(
    tenant: &impl Tenant,
    job: &Job,
) -> Option<Result<Commit, Failure>> {
    if job.kind.split('.').nth(1) != Some(WHAT) {
        return None;
    }
    let name = F::names().into_iter().find(|it| *it == job.function())?;
    let item = match serde_json::from_value::<Item>(job.body.clone()) {
        Ok(item) => item,
        Err(err) => return Some(Err(Failure::dead(err))),
    };
    Some(F::ingest(name, tenant, &[item]).await.map_err(Failure::from))
}
