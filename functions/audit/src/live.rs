//! The log as it is written: from any sequence, without a gap.

use shared::{
    domain::Entry,
    http::Response,
    live::{self, Feed, Sent},
    log,
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};

use crate::{bad_sequence, sequence};

/// The log of a tenant.
struct Log;

/// Streams the log: after `Last-Event-ID`, else after `after`, else from now on.
pub async fn follow(tenant: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let last = call.request.headers().get("last-event-id");
    let after = match last {
        Some(it) => {
            let it = it.to_str().ok().and_then(|it| it.trim().parse().ok());
            Some(it.ok_or_else(|| bad_sequence("Last-Event-ID"))?)
        }
        None => sequence(call, "after")?,
    };
    let place: i64 = match after {
        Some(it) => it,
        None => log::head(tenant).await?,
    };
    live::stream(tenant, Log, place.to_string()).await
}

impl Feed for Log {
    async fn after(&self, tenant: &impl Tenant, place: &str) -> Result<Vec<Sent>, PortError> {
        let entries = log::read(tenant, place.parse().unwrap_or(0), live::BATCH, None).await?;
        Ok(entries.iter().map(sent).collect())
    }
}

fn sent(it: &Entry) -> Sent {
    Sent {
        id: it.sequence.to_string(),
        event: it.action.clone(),
        data: serde_json::to_string(it).unwrap_or_default(),
    }
}
