//! What Redis has counted, on its way into the queue of its function.
//!
//! A part of it is put aside under an id, left in the queue as items whose ids begin with that one,
//! and then removed. Whoever dies in between leaves it put aside, and it comes again under the same
//! ids: a function takes each of them in once.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::json;

use super::{Redis, Reply, Script, WAITING};
use crate::{
    domain::{Id, Timestamp},
    ingest,
    ports::{Item, PortError, Sql},
};

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take.lua")));
static DROP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("drop.lua")));
static FORGET: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("forget.lua")));

/// How many labels are put aside together.
const LABELS_MAX: usize = 100;
/// How often that is done in a row: what is left waits for the next time.
const TAKES_MAX: u32 = 100;
/// Of how many it is said at once that counts of theirs wait.
const WAITING_MAX: usize = 1_000;

/// Whose counts: of a tenant, for a function.
pub(super) fn whose(tenant: &str, function: &str) -> String {
    format!("{tenant}:{function}")
}

/// The tenants and functions whose counts have waited since `until` or before.
///
/// # Errors
/// When Redis fails.
pub async fn waiting(
    redis: &impl Redis,
    until: Timestamp,
) -> Result<Vec<(String, String)>, PortError> {
    let line = format!("{WAITING} -inf {} LIMIT 0 {WAITING_MAX}", until.0);
    let args = line.split(' ').map(str::to_owned).collect();
    let pair = |reply: Reply| {
        let whose = reply.text()?;
        let pair = whose.split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned()));
        pair.ok_or_else(|| PortError::new("redis", format!("counts of nobody: {whose}")))
    };
    redis.call("ZRANGEBYSCORE", args).await?.into_iter().map(pair).collect()
}

/// Leaves what was counted for a function of a tenant in its queue.
///
/// # Errors
/// When Redis or the database fails: what was left is left, and nothing is lost.
pub async fn bring(
    redis: &impl Redis,
    sql: &impl Sql,
    (tenant, function): (&str, &str),
    now: Timestamp,
    mut new_id: impl FnMut() -> Result<Id, PortError>,
) -> Result<(), PortError> {
    let whose = whose(tenant, function);
    let taken = format!("{{backplane}}:taken:{whose}");
    for _ in 0..TAKES_MAX {
        let keys = [taken.clone(), format!("{{backplane}}:labels:{whose}"), WAITING.to_owned()];
        let args =
            [whose.clone(), new_id()?.to_string(), LABELS_MAX.to_string(), now.0.to_string()];
        let mut replies = TAKE.run(redis, keys.into(), args.into()).await?.into_iter();
        let Some(id) = replies.next() else { return Ok(()) };
        let id = id.text()?;
        sql.batch(ingest::leave(tenant, function, &items(&id, replies)?)).await?;
        DROP.run(redis, vec![taken.clone()], vec![id]).await?;
    }
    Ok(())
}

/// What was put aside, as items: in the order in which it lies there, so that each has the same id
/// each time.
fn items(id: &str, mut replies: impl Iterator<Item = Reply>) -> Result<Vec<Item>, PortError> {
    let short = || PortError::new("redis", format!("{id} is cut short"));
    let mut items = Vec::new();
    while let Some(label) = replies.next() {
        let label = label.text()?;
        let mut next = || replies.next().ok_or_else(short)?.text();
        let number = |text: String| text.parse::<i64>().map_err(|_| short());
        let mut counts = BTreeMap::new();
        for _ in 0..number(next()?)? {
            counts.insert(next()?, number(next()?)?);
        }
        let body = json!({"label": label, "counts": counts});
        items.push(Item { id: format!("{id}:{}", items.len() + 1), body });
    }
    Ok(items)
}

/// Forgets what was counted for a tenant.
///
/// # Errors
/// When Redis fails.
pub async fn forget(redis: &impl Redis, tenant: &str) -> Result<(), PortError> {
    FORGET.run(redis, vec![WAITING.to_owned()], vec![whose(tenant, "")]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(line: &str) -> impl Iterator<Item = Reply> {
        line.split(' ').map(|it| Reply::Text(it.to_owned()))
    }

    #[test]
    fn what_was_put_aside_is_an_item_for_each_label() {
        let items = items("tly_1", replies("a 2 passed 3 passed_units -7 b 0")).unwrap();

        let body = json!({"label": "a", "counts": {"passed": 3, "passed_units": -7}});
        assert_eq!(items[0], Item { id: "tly_1:1".into(), body });
        assert_eq!(
            items[1],
            Item { id: "tly_1:2".into(), body: json!({"label": "b", "counts": {}}) }
        );
    }

    #[test]
    fn what_is_cut_short_is_not_taken() {
        for line in ["a", "a 1", "a 1 passed", "a x passed 1"] {
            assert!(items("tly_1", replies(line)).is_err(), "{line}");
        }
    }
}
