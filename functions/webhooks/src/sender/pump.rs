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
    attempt::{self, Attempt, Letter, Outcome},
    delivery::DeliveryState,
    endpoint::{self, Endpoint, EndpointState},
    event::Event,
    health::{News, Standing},
    keys, notice,
    settings::{Order, Private},
    store, token,
};

/// Works off what waits for an endpoint.
pub const PUMP: &str = "webhooks.pump";
/// How many deliveries of an endpoint are sent at the same time.
const CONCURRENT: u32 = 8;
/// After how long the pump lets others have their turn.
const TURN: Duration = Duration::from_secs(10);

/// A delivery that is due.
pub struct Due {
    /// Its number.
    pub sequence: i64,
    /// How many attempts there were.
    pub attempts: u32,
    /// When it is due.
    pub at: Timestamp,
    /// What to deliver; `None` when it is no longer kept.
    pub event: Option<Event>,
}

/// What came of a delivery this time.
pub struct Tried {
    /// Its number.
    pub sequence: i64,
    /// What became of it.
    pub state: DeliveryState,
    /// The attempt, if one was made.
    pub attempt: Option<Attempt>,
    /// When to try again, while it waits.
    pub due: Timestamp,
    /// Why it failed or is held.
    pub error: Option<String>,
    /// What follows for the endpoint.
    outcome: Option<Outcome>,
}

/// What signs and carries a delivery.
struct Sender {
    url: url::Url,
    private: Private,
    secrets: Vec<String>,
    keys: Vec<[u8; 32]>,
    token: Option<String>,
}

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
        Order::Fifo => store::first_waiting(at, id).await?,
        Order::Parallel => store::due(at, id, if one_only { 1 } else { CONCURRENT }).await?,
    };
    let Some(first) = due.first() else { return Ok(Taken::None) };
    if first.at > now {
        return Ok(Taken::Later(first.at.since(now)));
    }
    due.retain(|it| it.at <= now);
    let Some(limit) = endpoint.settings.rate_per_second else { return Ok(Taken::Some(due)) };
    let rate = Rate { limit, period: Duration::from_secs(1) };
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

/// Tries these, and commits what came of all of them.
async fn work(at: &impl Tenant, endpoint: &Endpoint, due: Vec<Due>) -> Result<(), Failure> {
    let sender = match sender(at, endpoint).await? {
        Ok(sender) => sender,
        Err(why) => {
            // Without a token nothing can be sent: all of it counts as an attempt that failed.
            let tried =
                due.into_iter().map(|it| not_sent(at, &it, &why)).collect::<Result<_, _>>()?;
            return settle(at, endpoint, tried).await;
        }
    };
    let tried = join_all(due.iter().map(|it| deliver(at, endpoint, &sender, it))).await;
    let tried = tried.into_iter().collect::<Result<Vec<_>, PortError>>()?;
    settle(at, endpoint, tried).await
}

/// What signs and carries; or why there is nothing to carry with.
async fn sender(at: &impl Tenant, endpoint: &Endpoint) -> Result<Result<Sender, String>, Failure> {
    let problem = |err: shared::problem::Problem| Failure::again(err.cause().unwrap_or("sealed"));
    let private = endpoint.private(at).await.map_err(problem)?;
    let secrets = endpoint.secrets(at).await.map_err(problem)?;
    let Some(url) = endpoint.settings.url.as_ref().and_then(|it| it.parse().ok()) else {
        return Ok(Err("the endpoint has no address".to_owned()));
    };
    let token = match token::token(at, &endpoint.id, &private.auth).await? {
        Ok(token) => token,
        Err(why) => return Ok(Err(why)),
    };
    let secrets = secrets.into_iter().map(|it| it.text).collect();
    Ok(Ok(Sender { url, private, secrets, keys: keys::seeds(at).await?, token }))
}

async fn deliver(
    at: &impl Tenant,
    endpoint: &Endpoint,
    sender: &Sender,
    due: &Due,
) -> Result<Tried, PortError> {
    let ended = |state, error: &str| Tried {
        sequence: due.sequence,
        state,
        attempt: None,
        due: due.at,
        error: Some(error.to_owned()),
        outcome: None,
    };
    let Some(event) = &due.event else {
        return Ok(ended(DeliveryState::Failed, "the event is no longer kept"));
    };
    let body = match endpoint.settings.body(event) {
        Ok(body) => body,
        // Held and shown: whoever mends the transform sends it again.
        Err(why) => return Ok(ended(DeliveryState::Held, &why)),
    };
    let number = due.attempts + 1;
    let letter = Letter {
        event: &event.id,
        sequence: due.sequence,
        number,
        body: &body,
        secrets: &sender.secrets,
        keys: &sender.keys,
    };
    let token = sender.token.as_deref();
    let url = sender.url.clone();
    let request = attempt::request(url, &letter, &sender.private, token, at.time());
    let (attempt, outcome) = attempt::send(at, request, number).await;
    tried(at, due, attempt, outcome)
}

fn tried(
    at: &impl Tenant,
    due: &Due,
    attempt: Attempt,
    outcome: Outcome,
) -> Result<Tried, PortError> {
    let mut chance = [0; 1];
    at.random(&mut chance)?;
    let next = Job::backoff_after(attempt.number, chance[0]);
    let (state, wait) = match (&outcome, next) {
        (Outcome::Delivered, _) => (DeliveryState::Delivered, Duration::ZERO),
        (Outcome::Skipped, _) => (DeliveryState::Skipped, Duration::ZERO),
        (Outcome::Gone(_), _) | (Outcome::Again(_), None) => {
            (DeliveryState::Failed, Duration::ZERO)
        }
        (Outcome::Again(asked), Some(wait)) => {
            (DeliveryState::Waiting, wait.max(asked.unwrap_or_default()))
        }
    };
    Ok(Tried {
        sequence: due.sequence,
        state,
        error: attempt.error.clone(),
        due: at.time() + wait,
        attempt: Some(attempt),
        outcome: Some(outcome),
    })
}

fn not_sent(at: &impl Tenant, due: &Due, why: &str) -> Result<Tried, PortError> {
    let attempt = Attempt {
        number: due.attempts + 1,
        at: at.time(),
        latency_ms: 0,
        status: None,
        error: Some(why.to_owned()),
        headers: crate::message::Headers::default(),
        body: String::new(),
        body_cut: false,
    };
    tried(at, due, attempt, Outcome::Again(None))
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
            let data = json!({"event_sequence": it.sequence, "reason": it.error});
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
