//! Plans: what would become of a notice, without sending it.

use serde::Serialize;
use shared::{
    domain::Timestamp,
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
};
use utoipa::ToSchema;

use crate::{
    audience::{self, AT_ONCE_MAX},
    batch,
    channel::Channel,
    delivery::Delivery,
    digest::Arrival,
    eligible::{self, Decision},
    notice::{self, NewNotice, Prepared},
    preference::Because,
    recipient::Recipient,
};

/// How often it is asked of the moment until which a delivery would wait. Quiet hours that end in
/// others are one wait, so more than a few are a mistake of ours.
const WAITS_MAX: usize = 4;

/// What would become of a notice.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticePlan {
    /// To each recipient by each channel.
    pub deliveries: Vec<PlannedDelivery>,
}

/// What would become of a delivery, as far as is known now.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlannedDelivery {
    /// A member's id, or an address in lower case.
    pub recipient: String,
    /// By which channel.
    pub channel: Channel,
    /// Whether it would be sent.
    pub sent: bool,
    /// When it would be sent, or it would be found that it is not.
    pub at: Timestamp,
    /// Whether it is sent only if nobody has read the notice by then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unless_read: bool,
    /// Whether it is sent together with others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub digest: bool,
    /// What the preferences say.
    pub because: Because,
    /// Why it would not be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Says what would become of a notice. It asks what sending it asks, of the moments at which it
/// would; nothing is kept.
pub async fn plan(at: &impl Tenant, new: NewNotice) -> Result<Response, Problem> {
    if audience::is_large(&new.to) {
        let why = format!("a plan is of up to {AT_ONCE_MAX} members and contacts");
        return Err(Problem::unfitting("to", why));
    }
    let workflow = notice::workflow_of(at, &new).await?;
    let it = notice::prepared(at, &workflow, new).await?;
    let mut deliveries = Vec::new();
    for (recipient, delivery) in &it.deliveries {
        deliveries.push(planned(at, &it, recipient, delivery).await?);
    }
    Ok(json_response(StatusCode::OK, &NoticePlan { deliveries }))
}

async fn planned(
    at: &impl Tenant,
    prepared: &Prepared<'_>,
    recipient: &Recipient,
    delivery: &Delivery,
) -> Result<PlannedDelivery, Problem> {
    let Prepared { notice, workflow, .. } = prepared;
    let mut when = delivery.send_at;
    let mut decided = eligible::decide(at, delivery, notice, workflow, recipient, when).await?;
    for _ in 0..WAITS_MAX {
        let Decision::Wait(until) = decided.1 else { break };
        when = until;
        decided = eligible::decide(at, delivery, notice, workflow, recipient, when).await?;
    }
    let (because, decision) = decided;
    let mut digest = false;
    if decision == Decision::Send && !notice.urgent && !workflow.text.critical {
        let arrived = batch::arrival(at, delivery, workflow, recipient, when).await?;
        if let Some((_, Arrival::In(it))) = arrived {
            (when, digest) = (it.closes_at, true);
        }
    }
    let why = match decision {
        Decision::Withhold(why) => Some(why),
        _ => None,
    };
    Ok(PlannedDelivery {
        recipient: delivery.recipient.clone(),
        channel: delivery.channel,
        sent: why.is_none(),
        at: when,
        unless_read: delivery.fallback,
        digest,
        because,
        why,
    })
}
