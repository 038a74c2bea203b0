//! The database that a tenant lives in.

use super::{PortError, Row, Sql, SqlError, Statement};
use crate::domain::Timestamp;

/// When which function has something to do in this tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wake {
    /// The function's name, or [`Wake::FOLLOWERS`].
    pub function: String,
    /// When, by the real clock.
    pub at: Timestamp,
}

impl Wake {
    /// In place of a name: every function that follows the log.
    pub const FOLLOWERS: &str = "*";
}

/// One tenant's database, at the current schema.
///
/// On Workers it is the object's own; on Spin all tenants share one, and only the tenant's id in
/// each statement keeps them apart: use [`super::Tenant`], which binds it.
pub trait Store: Sql + Clone + 'static {
    /// As [`Sql::batch`], and the tenant's functions will be woken at these times, at least once
    /// each, if and only if the batch is committed.
    async fn commit(
        &self,
        statements: Vec<Statement>,
        wakes: Vec<Wake>,
    ) -> Result<Vec<Vec<Row>>, SqlError>;

    /// Lets those who wait in [`Store::logged`] know that there are new entries in the log.
    fn tell(&self) {}

    /// Ends when there are new entries in the log. Only where all commits of a tenant are made in
    /// one place is that heard of: nobody waits for this alone.
    async fn logged(&self) {
        std::future::pending().await
    }

    /// Asks to be woken without writing anything else.
    async fn wake(&self, wakes: Vec<Wake>) -> Result<(), PortError>;
}
