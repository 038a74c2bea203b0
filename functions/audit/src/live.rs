//! The log as it is written: from any sequence, without a gap.

use shared::{
    domain::Entry,
    http::Response,
    live::{self, Feed, News, Sent},
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
    live::stream(tenant, call, Log, begin(tenant, call).await?).await
}

/// What was written after `place`.
pub async fn news(
    tenant: &impl Tenant,
    call: &Call,
    place: Option<&str>,
) -> Result<Option<News>, Problem> {
    let place = match place {
        Some(it) => it.to_owned(),
        None => begin(tenant, call).await?,
    };
    live::news(tenant, Log, place).await
}

async fn begin(tenant: &impl Tenant, call: &Call) -> Result<String, Problem> {
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
    Ok(place.to_string())
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
