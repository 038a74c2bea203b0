//! When an API key was last used, to the hour: often enough to find keys that nobody needs, rare
//! enough to cost a read for each request and a write for each hour. A customer's key is looked up
//! where its tenant is not open: its use is known when it is counted.

use std::time::Duration;

use crate::{
    domain::{Actor, Commit, Timestamp},
    ports::{CommitError, PortError, Tenant},
};

/// How exact it is.
const EXACT_TO: Duration = Duration::from_secs(60 * 60);

const IS_STALE: &str = "
    select id from keys
    where tenant = ?1 and id = ?2 and (last_used_at_ms is null or last_used_at_ms <= ?3)";
const TOUCH: &str = "update keys set last_used_at_ms = ?3 where tenant = ?1 and id = ?2";

const COUNTED: &str = "
    update keys set last_used_at_ms = ?3
    where tenant = ?1 and id = ?2 and customer is not null
      and (last_used_at_ms is null or last_used_at_ms <= ?4)";

/// Writes down that a customer's key was used at this moment, which may be told late.
pub fn counted(id: &str, used_at: Timestamp) -> Commit {
    let params = [id.into(), used_at.into(), (used_at - EXACT_TO).into()];
    Commit::new().write(COUNTED, params)
}

/// Remembers that the key of this request was used.
pub async fn remember(tenant: &impl Tenant) {
    let Actor::Key(id) = &tenant.principal().actor else { return };
    if let Err(err) = touch(tenant, id.as_str()).await {
        // The request has its answer all the same, and the next one tries again.
        tenant.note(&format!("last use of {id}: {err}"));
    }
}

async fn touch(tenant: &impl Tenant, id: &str) -> Result<(), PortError> {
    let now = tenant.now();
    let stale = tenant.query(IS_STALE, [id.into(), (now - EXACT_TO).into()]).await?;
    if stale.is_empty() {
        return Ok(());
    }
    match tenant.commit(Commit::new().write(TOUCH, [id.into(), now.into()])).await {
        Ok(()) | Err(CommitError::Conflict) => Ok(()),
        Err(CommitError::Port(err)) => Err(err),
    }
}
