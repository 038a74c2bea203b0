//! The pump of an endpoint: one job that works off all that waits for it.
//!
//! There is one for each endpoint, so an endpoint that hangs holds up only what is its own; and
//! one answer for many deliveries, so that a long backlog costs no more for each of them.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Retry, Timestamp},
    ports::{Admission, CommitError, PortError, Rate, Tenant},
};

use super::{
    attempt::Outcome,
    batch,
    courier::{Courier, Due, Tried, alike, not_sent},
    delivery::DeliveryState,
    endpoint::{self, Endpoint, EndpointState},
    health::{News, Standing},
    notice,
    settings::Order,
    store,
};

/// Works off what waits for an endpoint.
pub const PUMP: &str = "webhooks.pump";
/// How many deliveries of an endpoint are sent at the same time.
const CONCURRENT: u32 = 8;
/// After how long the pump lets others have their turn.
const TURN: Duration = Duration::from_secs(10);

/// The job that works off what waits for this endpoint.
pub fn job(endpoint: &Id) -> NewJob {
    NewJob::new(PUMP, format!("{PUMP}:{endpoint}"), json!({"id": endpoint})).sooner()
}

/// Works off what is due, and comes again when more is.
pub async fn pump(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let end = at.real_now() + TURN;
    loop {
        let Some(endpoint) = store::find_endpoint(at, &id).await? else { return Ok(Commit::new()) };
        if endpoint.state != EndpointState::Active || endpoint.settings.url.is_none() {
            return Ok(Commit::new()); // Who makes it active again queues the pump.
        }
        if endpoint.handshake.as_ref().is_some_and(|it| !it.is_granted()) {
            return Ok(Commit::new()); // The handshake queues the pump.
        }
        if let Some(wait) = endpoint.health.wait(at.time()) {
            return Err(Failure::postponed(wait, Commit::new()));
        }
        let due = match take(at, &endpoint).await? {
            Taken::Some(due) => due,
            Taken::Later(wait) => return Err(Failure::postponed(wait, Commit::new())),
            Taken::None => return Ok(Commit::new()),
        };
        work(at, &endpoint, due).await?;
        if at.real_now() > end {
            return Err(Failure::postponed(Duration::ZERO, Commit::new()));
        }
    }
}

/// What there is to do.
enum Taken {
    /// These.
    Some(Vec<Due>),
    /// Something, after this long.
    Later(Duration),
    /// Nothing.
    None,
}

/// The deliveries to try now.
async fn take(at: &impl Tenant, endpoint: &Endpoint) -> Result<Taken, PortError> {
    let (id, now) = (&endpoint.id, at.time());
    let one_only = endpoint.health.is_probing();
    let mut due = match endpoint.settings.order {
        Order::Fifo => first(at, endpoint).await?,
        Order::Parallel => store::due(at, id, if one_only { 1 } else { CONCURRENT }).await?,
    };
    let Some(first) = due.first() else { return Ok(Taken::None) };
    if first.at > now {
        return Ok(Taken::Later(first.at.since(now)));
    }
    due.retain(|it| it.at <= now);
    let Some(rate) = rate(endpoint) else { return Ok(Taken::Some(due)) };
    if endpoint.settings.batch.is_some() {
        // It is one request.
        return Ok(match at.admit(&format!("endpoint:{id}"), rate).await? {
            Admission::Admitted => Taken::Some(due),
            Admission::Refused(wait) => Taken::Later(wait),
        });
    }
    let (mut admitted, mut wait) = (Vec::new(), Duration::ZERO);
    for it in due {
        match at.admit(&format!("endpoint:{id}"), rate).await? {
            Admission::Admitted => admitted.push(it),
            Admission::Refused(it) => {
                wait = it;
                break;
            }
        }
    }
    if admitted.is_empty() { Ok(Taken::Later(wait)) } else { Ok(Taken::Some(admitted)) }
}

/// The first that waits, with those that go together with it.
async fn first(at: &impl Tenant, endpoint: &Endpoint) -> Result<Vec<Due>, PortError> {
    let most = endpoint.settings.batch.map_or(1, |it| it.most);
    let mut due = store::first_waiting(at, &endpoint.id, most).await?;
    batch::together(&mut due);
    Ok(due)
}

/// The most that may be sent: by the endpoint's settings, or less by its handshake.
fn rate(endpoint: &Endpoint) -> Option<Rate> {
    let ours = endpoint.settings.rate_per_second;
    let allowed = endpoint.handshake.as_ref().and_then(|it| it.rate(ours));
    allowed.or(ours.map(|limit| Rate { limit, period: Duration::from_secs(1) }))
}

/// Tries these, and commits what came of all of them.
async fn work(at: &impl Tenant, endpoint: &Endpoint, due: Vec<Due>) -> Result<(), Failure> {
    let courier = match Courier::of(at, endpoint).await? {
        Ok(courier) => courier,
        Err(why) => {
            // Without a token nothing can be sent: all of it counts as an attempt that failed.
            let tried = match (endpoint.settings.batch, due.as_slice()) {
                (Some(_), [first, rest @ ..]) => alike(not_sent(at, first, &why)?, rest.iter()),
                (_, all) => {
                    all.iter().map(|it| not_sent(at, it, &why)).collect::<Result<_, _>>()?
                }
            };
            return settle(at, endpoint, tried).await;
        }
    };
    let tried = match endpoint.settings.batch {
        Some(_) => courier.deliver_together(at, &due).await?,
        None => {
            let tried = join_all(due.iter().map(|it| courier.deliver(at, it))).await;
            tried.into_iter().collect::<Result<_, PortError>>()?
        }
    };
    settle(at, endpoint, tried).await
}

/// Commits what came of the deliveries, and what follows for the endpoint.
async fn settle(at: &impl Tenant, endpoint: &Endpoint, tried: Vec<Tried>) -> Result<(), Failure> {
    let mut health = endpoint.health.clone();
    let mut commit = Commit::new();
    let mut gone = None;
    for it in &tried {
        let news = judge(&mut health, at.time(), it);
        for it in news {
            let (told, ends) = announce(at, endpoint, &health, it).await?;
            commit = commit.and(told);
            gone = gone.or(ends);
        }
        if let Some(Outcome::Gone(why)) = it.outcome {
            gone = gone.or(Some(why));
        }
        if it.attempt.as_ref().and_then(|it| it.status) == Some(401) {
            commit = commit.and(store::forget_token(&endpoint.id));
        }
        if it.state == DeliveryState::Failed {
            let data = json!({"event_sequence": it.sequence, "reason": it.error,
                "customer": endpoint.customer});
            commit = commit.entry(Draft::new("delivery.failed", &endpoint.id).with(data));
        }
        commit = commit.and(store::tried(&endpoint.id, it, at.time()));
    }
    if health != endpoint.health {
        commit = commit.and(store::update_health(&endpoint.id, &health));
    }
    if let Some(why) = gone {
        commit = commit.and(endpoint::disabled(endpoint, why));
        commit = commit.and(notice::disabled(at, endpoint, why).await?);
    }
    match at.commit(commit).await {
        Ok(()) => Ok(()),
        Err(CommitError::Port(err)) => Err(err.into()),
        // The endpoint was deleted meanwhile, or its deliveries were sent anew.
        Err(CommitError::Conflict) => {
            Err(Failure { retry: Retry::Postpone(Duration::ZERO), ..Failure::again("conflict") })
        }
    }
}

/// What an attempt says of the endpoint.
fn judge(health: &mut Standing, now: Timestamp, tried: &Tried) -> Vec<News> {
    match (&tried.outcome, &tried.error) {
        (Some(Outcome::Delivered | Outcome::Skipped), _) => {
            health.succeeded(now).into_iter().collect()
        }
        (Some(Outcome::Again(_)), Some(error)) => health.failed(now, error),
        _ => Vec::new(),
    }
}

/// What is written of the news, and why the endpoint is disabled if it is.
async fn announce(
    at: &impl Tenant,
    endpoint: &Endpoint,
    health: &Standing,
    news: News,
) -> Result<(Commit, Option<&'static str>), PortError> {
    let data = json!({
        "customer": endpoint.customer,
        "failing_since": health.failing_since,
        "error": health.last_error,
    });
    let entry = |action| Commit::new().entry(Draft::new(action, &endpoint.id).with(data.clone()));
    Ok(match news {
        News::Failing => (entry("endpoint.failing"), None),
        News::Recovered => (entry("endpoint.recovered"), None),
        News::Exhausted => (Commit::new(), Some("nothing was accepted for five days")),
        News::Warned(percent) => {
            let warned = Draft::new("endpoint.warned", &endpoint.id)
                .with(json!({"customer": endpoint.customer, "percent": percent}));
            let told = notice::warned(at, endpoint, percent).await?;
            (told.entry(warned), None)
        }
    })
}
