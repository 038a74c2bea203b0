//! Eligibility: whether a delivery is sent at a moment, and why.
//!
//! It is asked when a delivery is due, so that what changed since the notice came counts, and for
//! a plan, which asks the same of a moment to come.

use shared::{
    domain::Timestamp,
    ports::{PortError, Tenant},
};

use crate::{
    channel::Channel,
    delivery::Delivery,
    notice::Notice,
    preference::{Because, Wishes as Said},
    quiet::Outcome,
    recipient::Recipient,
    store,
    wishes::{TENANT, Wishes},
    workflow::Workflow,
};

/// Why no short message is sent.
pub const NO_PHONE: &str = "the recipient has no number of a telephone";

/// Why what came too late is not sent.
pub const EXPIRED: &str = "it has expired";

/// What becomes of a delivery at a moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// It is sent.
    Send,
    /// It waits until then, when all is asked anew.
    Wait(Timestamp),
    /// It is not sent, for this reason.
    Withhold(String),
}

/// What becomes of it at this moment, and what the preferences said.
///
/// # Errors
/// When the database fails.
pub async fn decide(
    at: &impl Tenant,
    delivery: &Delivery,
    notice: &Notice,
    workflow: &Workflow,
    recipient: &Recipient,
    now: Timestamp,
) -> Result<(Because, Decision), PortError> {
    let tenant = store::find_wishes(at, TENANT).await?;
    let own = store::find_wishes(at, &recipient.key).await?;
    let said = Said { tenant: &tenant.preferences, member: &own.preferences, muted: &own.muted };
    let verdict = said.decide(&workflow.matter(notice.about.as_deref()), delivery.channel, now);
    let withheld = |why: &str| Decision::Withhold(why.to_owned());
    if !verdict.wanted {
        return Ok((verdict.because, withheld("it is not wanted")));
    }
    if notice.expires_at.is_some_and(|it| it <= now) {
        return Ok((verdict.because, withheld(EXPIRED)));
    }
    if let Some(why) = unreachable(at, delivery, recipient).await? {
        return Ok((verdict.because, Decision::Withhold(why)));
    }
    let urgent = notice.urgent || workflow.text.critical;
    match opens(delivery, recipient, own, tenant, urgent, now) {
        Outcome::Dropped => return Ok((verdict.because, withheld("it came in quiet hours"))),
        Outcome::At(it) if it > now => return Ok((verdict.because, Decision::Wait(it))),
        Outcome::At(_) => {}
    }
    if !urgent && is_too_much(at, workflow, delivery, now).await? {
        return Ok((verdict.because, withheld("its type is throttled")));
    }
    Ok((verdict.because, Decision::Send))
}

/// Why the channel does not lead to the recipient, or need not.
async fn unreachable(
    at: &impl Tenant,
    delivery: &Delivery,
    recipient: &Recipient,
) -> Result<Option<String>, PortError> {
    if delivery.fallback && store::is_read(at, &delivery.notice, &recipient.key).await? {
        return Ok(Some("it was read".to_owned()));
    }
    match (delivery.channel, &recipient.mailbox) {
        (Channel::Email, Some(it)) => {
            let found = store::find_suppression(at, &it.address.key()).await?;
            Ok(found.map(|it| it.why()))
        }
        (Channel::Push, _) if store::browsers_of(at, &recipient.key).await?.is_empty() => {
            Ok(Some("the recipient has no browser".to_owned()))
        }
        (Channel::Sms, _) if recipient.phone.is_none() => Ok(Some(NO_PHONE.to_owned())),
        _ => Ok(None),
    }
}

/// When the recipient may be disturbed. What is in the product, or in a room, disturbs nobody.
fn opens(
    delivery: &Delivery,
    recipient: &Recipient,
    own: Wishes,
    tenant: Wishes,
    urgent: bool,
    now: Timestamp,
) -> Outcome {
    let hours = own.quiet_hours.or(tenant.quiet_hours);
    match hours.filter(|_| !matches!(delivery.channel, Channel::InApp | Channel::Hook)) {
        Some(it) => it.outcome(now, recipient.zone, urgent),
        None => Outcome::At(now),
    }
}

async fn is_too_much(
    at: &impl Tenant,
    workflow: &Workflow,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<bool, PortError> {
    let Some(throttle) = workflow.text.throttle else { return Ok(false) };
    let sent = store::sent_since(at, delivery, throttle.since(now), throttle.count).await?;
    Ok(!throttle.admits(&sent, now))
}
