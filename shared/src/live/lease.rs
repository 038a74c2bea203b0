//! The lease of a live connection: a tenant has so many of them, on all instances together.
//!
//! Nobody says when a client has gone, so a lease is short and taken again while the connection
//! lasts. It goes by the real clock.

use std::time::Duration;

use crate::{
    domain::{Commit, Id, Timestamp},
    ports::{CommitError, Tenant, Value},
    problem::Problem,
};

/// How long the place of a client that has gone is kept.
const KEPT: Duration = Duration::from_secs(30);

const PRUNE: &str = "delete from live_leases where tenant = ?1 and until_ms <= ?2";
// Of two at once that both want the last place, the second changes no row.
const TAKE: &str = "
    insert into live_leases (tenant, id, until_ms)
    select ?1, ?2, ?3 where (select count(*) from live_leases where tenant = ?1) < ?4";
const RENEW: &str = "update live_leases set until_ms = ?3 where tenant = ?1 and id = ?2";
const GIVE_BACK: &str = "delete from live_leases where tenant = ?1 and id = ?2";

/// The right to one connection, until a moment of the real clock.
pub(super) struct Lease {
    id: Id,
    until: Timestamp,
}

impl Lease {
    /// Takes one of so many.
    ///
    /// # Errors
    /// 409 when all are taken.
    pub async fn take(at: &impl Tenant, most: u32) -> Result<Self, Problem> {
        let now = at.real_now();
        let lease = Self { id: at.new_id("live")?, until: now + KEPT };
        let params: [Value; 3] = [(&lease.id).into(), lease.until.into(), most.into()];
        let commit = Commit::new().write(PRUNE, [Value::from(now)]).write_one(TAKE, params);
        match at.commit(commit).await {
            Ok(()) => Ok(lease),
            Err(CommitError::Port(err)) => Err(err.into()),
            Err(CommitError::Conflict) => {
                let instead = format!("close one, and wait up to {} s", KEPT.as_secs());
                Err(Problem::full_list(most, "live connections", &instead))
            }
        }
    }

    /// Takes it for longer, once half of its time is over.
    ///
    /// # Errors
    /// A conflict when it was over, and has gone to somebody else.
    pub async fn renew(&mut self, at: &impl Tenant) -> Result<(), CommitError> {
        let now = at.real_now();
        if self.until.since(now) > KEPT / 2 {
            return Ok(());
        }
        self.until = now + KEPT;
        let params: [Value; 2] = [(&self.id).into(), self.until.into()];
        at.commit(Commit::new().write_one(RENEW, params)).await
    }

    /// Leaves its place to others.
    pub async fn give_back(&self, at: &impl Tenant) {
        if let Err(err) = at.commit(Commit::new().write(GIVE_BACK, [Value::from(&self.id)])).await {
            // It is over in half a minute anyway.
            at.note(&format!("live: {err}"));
        }
    }
}
