//! Notices about endpoints, over another channel: events for the tenant's own endpoints.

use serde_json::{Value, json};
use shared::{
    domain::Commit,
    ports::{PortError, Tenant},
};

use super::{
    endpoint::Endpoint,
    event::{self, Event},
    trace::Trace,
};

/// What the types of notices start with. A notice about a notice is never sent.
const PREFIX: &str = "backplane.endpoint.";

/// Tells that an endpoint was disabled, and why.
///
/// # Errors
/// When the endpoints cannot be read.
pub async fn disabled(at: &impl Tenant, about: &Endpoint, why: &str) -> Result<Commit, PortError> {
    let data = json!({
        "endpoint": about.id, "customer": about.customer, "url": about.settings.url, "reason": why,
    });
    tell(at, about, "disabled", data).await
}

/// Tells how much of the time that it may fail is used up.
///
/// # Errors
/// When the endpoints cannot be read.
pub async fn warned(at: &impl Tenant, about: &Endpoint, percent: u8) -> Result<Commit, PortError> {
    let data = json!({
        "endpoint": about.id, "customer": about.customer, "url": about.settings.url,
        "percent": percent,
    });
    tell(at, about, "warned", data).await
}

async fn tell(
    at: &impl Tenant,
    about: &Endpoint,
    what: &str,
    data: Value,
) -> Result<Commit, PortError> {
    if about.settings.types.iter().any(|it| it.starts_with(PREFIX)) {
        // It is the channel for notices itself; the log has it.
        return Ok(Commit::new());
    }
    let event = Event {
        id: at.new_id("evt")?,
        kind: format!("{PREFIX}{what}"),
        customer: None,
        channels: Vec::new(),
        version: None,
        data,
        timestamp: at.time(),
        trace: Trace::new(at)?,
    };
    event::announced(at, &event, about).await
}
