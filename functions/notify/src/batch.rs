//! Batches: the digests that are open. A delivery that is due joins its batch instead of being sent;
//! when the batch closes, all in it is one notice, which goes the way of any other.
//!
//! There is one batch open for each recipient, type and channel. The row is changed under its
//! version, so of two deliveries that come at once the second joins what the first has opened.

use std::time::Duration;

use serde_json::{Map, Value, json};
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Timestamp},
    ports::{PortError, Tenant},
};

use crate::{
    delivery::{self, Delivery, State},
    digest::{self, Arrival, Batch},
    eligible::{self, Decision},
    notice::Notice,
    preference::is_muted,
    recipient::{self, Recipient},
    store,
    workflow::Workflow,
};

/// Sends a digest.
pub const CLOSE: &str = "notify.digest";
/// How many of the notices of a digest a template is given: the latest.
pub const NOTICES_MAX: u32 = 100;
/// The name in a template's data of what came together.
pub const DIGEST: &str = "digest";

/// What is open, or was, for a recipient, a type and a channel.
#[derive(Clone, Debug)]
pub struct Row {
    /// `dig_…`
    pub id: Id,
    /// What was opened last; `None` when all went out alone so far.
    pub batch: Option<Batch>,
    /// When the latest notice came.
    pub last_at: Timestamp,
    /// Counts its changes; 0 before the first.
    pub version: i64,
}

/// What comes of a delivery that could be sent now.
pub enum Joined {
    /// It is sent by itself, and this is written with it.
    Alone(Commit),
    /// It waits in a batch.
    In(Commit),
}

/// The data of a template with what came together: `digest.count`, and `digest.notices`, the data
/// of the latest of them, the first one first.
pub fn data(mut data: Value, notices: &[&Map<String, Value>], count: i64) -> Value {
    if let Some(all) = data.as_object_mut() {
        all.insert(DIGEST.to_owned(), json!({"count": count, "notices": notices}));
    }
    data
}

/// What a delivery joins, at this moment. `None` when its type has no digest.
///
/// # Errors
/// When the database fails, or the pattern of the digest has no next time.
pub async fn arrival(
    at: &impl Tenant,
    delivery: &Delivery,
    workflow: &Workflow,
    recipient: &Recipient,
    now: Timestamp,
) -> Result<Option<(Option<Row>, Arrival)>, PortError> {
    let Some(digest) = &workflow.text.digest else { return Ok(None) };
    let row = store::find_batch(at, delivery).await?;
    let open = row.as_ref().and_then(|it| it.batch.as_ref());
    let last = row.as_ref().map(|it| it.last_at);
    let arrived = digest.arrive(open, last, now, recipient.zone);
    let arrived = arrived.map_err(|it| PortError::new("notify", it))?;
    Ok(Some((row, arrived)))
}

/// Joins it.
///
/// # Errors
/// As of [`arrival`].
pub async fn join(
    at: &impl Tenant,
    delivery: &Delivery,
    workflow: &Workflow,
    recipient: &Recipient,
) -> Result<Joined, PortError> {
    let found = arrival(at, delivery, workflow, recipient, at.now()).await?;
    let Some((row, arrived)) = found else { return Ok(Joined::Alone(Commit::new())) };
    let version = row.as_ref().map_or(0, |it| it.version) + 1;
    let last_at = at.now();
    let batch = match arrived {
        Arrival::Alone => {
            let id = at.new_id("dig")?;
            let row = Row { id, batch: None, last_at, version };
            return Ok(Joined::Alone(store::put_batch(delivery, &row)));
        }
        Arrival::In(it) => it,
    };
    let open = row.filter(|it| it.batch.as_ref().is_some_and(|it| at.now() < it.closes_at));
    let id = match open {
        Some(it) => it.id,
        None => at.new_id("dig")?,
    };
    let job = job(&id, delivery).at(batch.closes_at);
    let waiting =
        Delivery { send_at: batch.closes_at, batch: Some(id.clone()), ..delivery.clone() };
    let row = Row { id, batch: Some(batch), last_at, version };
    let commit = store::put_batch(delivery, &row).and(store::update_delivery(&waiting));
    Ok(Joined::In(commit.job(job)))
}

fn job(id: &Id, of: &Delivery) -> NewJob {
    let body = json!({
        "id": id, "recipient": of.recipient, "kind": of.kind, "channel": of.channel,
    });
    NewJob::new(CLOSE, format!("{CLOSE}:{id}"), body)
}

/// Sends what came together, if it is still wanted.
///
/// # Errors
/// No failure while the batch is open or waits for the end of quiet hours; else the database's.
pub async fn close(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    // The first of those that were not called off carries the others.
    let Some(carrier) = store::first_in_batch(at, &id).await? else { return Ok(Commit::new()) };
    let row = store::find_batch(at, &carrier).await?.filter(|it| it.id == id);
    if let Some(closes_at) = row.and_then(|it| it.batch).map(|it| it.closes_at)
        && closes_at > at.now()
    {
        return Err(Failure::postponed(closes_at.since(at.now()), Commit::new()));
    }
    let Some(workflow) = store::find_workflow(at, &carrier.kind).await? else {
        return Ok(withheld(at, carrier, "its type has no workflow any more"));
    };
    let who = recipient::of(at, &carrier.recipient, carrier.contact.clone()).await?;
    let Some(recipient) = who else {
        return Ok(withheld(at, carrier, "the member is gone"));
    };
    if let Some(left_out) = left_out(at, &id, &recipient).await? {
        // Then it is looked at what is left.
        return Err(Failure::postponed(Duration::ZERO, left_out));
    }
    let notices = store::notices_in_batch(at, &id, NOTICES_MAX).await?;
    let Some(latest) = notices.last() else { return Ok(Commit::new()) };
    // Each of them was asked for when it came; the resource is no longer the question, and neither is
    // whether it has expired.
    let common = Notice { about: None, expires_at: None, ..latest.clone() };
    let decided = eligible::decide(at, &carrier, &common, &workflow, &recipient, at.now());
    let (because, decision) = decided.await?;
    let carrier = Delivery { because: Some(because), ..carrier };
    match decision {
        Decision::Withhold(why) => Ok(withheld(at, carrier, &why)),
        Decision::Wait(until) => Err(Failure::postponed(until.since(at.now()), Commit::new())),
        Decision::Send => sent(at, &id, carrier, &notices, &workflow, &recipient).await,
    }
}

/// Withholds what of the batch the recipient has muted meanwhile, or has expired, if there is any.
async fn left_out(
    at: &impl Tenant,
    id: &Id,
    recipient: &Recipient,
) -> Result<Option<Commit>, PortError> {
    let own = store::find_wishes(at, &recipient.key).await?;
    let muted: Vec<_> = own.muted.keys().filter(|it| is_muted(&own.muted, it, at.now())).collect();
    let any = !muted.is_empty() && store::is_in_batch(at, id, &muted).await?;
    let muted = any.then(|| store::withhold_muted(id, &muted, at.now()));
    let expired = store::has_expired_in_batch(at, id).await?;
    let expired = expired.then(|| store::withhold_expired(id, at.now()));
    Ok(match (muted, expired) {
        (Some(muted), Some(expired)) => Some(muted.and(expired)),
        (muted, expired) => muted.or(expired),
    })
}

/// The notices as one.
async fn sent(
    at: &impl Tenant,
    id: &Id,
    carrier: Delivery,
    notices: &[Notice],
    workflow: &Workflow,
    recipient: &Recipient,
) -> Result<Commit, Failure> {
    let Some(latest) = notices.last() else { return Ok(Commit::new()) };
    // It is of use for as long as one of them is.
    let until = notices.iter().map(|it| it.expires_at).collect::<Option<Vec<_>>>();
    let latest =
        &Notice { expires_at: until.and_then(|it| it.into_iter().max()), ..latest.clone() };
    let count = store::count_in_batch(at, id).await?;
    let all: Vec<_> = notices.iter().map(|it| &it.data).collect();
    let data = data(latest.data_for(recipient), &all, count);
    let words = match workflow.render(recipient.locale.as_deref(), &data) {
        Ok(words) => words,
        Err(why) => {
            let others =
                store::end_batch(&carrier, State::Failed, Some(&why.to_string()), at.now());
            return Ok(others.and(delivery::ended(at, carrier, State::Failed, &why.to_string())));
        }
    };
    let names = notices.iter().map(|it| it.id.to_string()).collect();
    let key = format!("{}\n{}\n{}", carrier.recipient, carrier.kind, carrier.channel.word());
    let entry = Draft::new("digest.closed", id)
        .with(json!({"notices": count, "name": digest::name(&key, &names)}));
    let others = store::end_batch(&carrier, State::Sent, None, at.now());
    let carried = delivery::sent(at, carrier, latest, workflow, recipient, words).await?;
    Ok(others.and(carried).entry(entry))
}

fn withheld(at: &impl Tenant, carrier: Delivery, why: &str) -> Commit {
    let others = store::end_batch(&carrier, State::Withheld, Some(why), at.now());
    others.and(delivery::ended(at, carrier, State::Withheld, why))
}
