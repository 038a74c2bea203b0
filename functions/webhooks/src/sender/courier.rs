//! The courier of an endpoint: signs what is due, carries it there, and says what came of it.

use std::time::Duration;

use serde_json::Value;
use shared::{
    domain::{Failure, Id, Job, Timestamp},
    ports::{PortError, Tenant},
    signing::{self, Seed},
};

use super::{
    attempt::{self, Attempt, Letter, Outcome},
    batch::bundle,
    delivery::DeliveryState,
    endpoint::Endpoint,
    event::Event,
    private::Private,
    token,
    trace::{AttemptSpan, Trace, span_id},
};

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
#[derive(Clone)]
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
    /// What follows for the endpoint; `None` where another says it for the same request.
    pub outcome: Option<Outcome>,
}

/// What signs and carries the deliveries of an endpoint.
pub struct Courier<'a> {
    endpoint: &'a Endpoint,
    url: url::Url,
    private: Private,
    secrets: Vec<String>,
    keys: Vec<Seed>,
    token: Option<String>,
}

impl<'a> Courier<'a> {
    /// What signs and carries; or why there is nothing to carry with.
    ///
    /// # Errors
    /// When what is sealed cannot be opened.
    pub async fn of(
        at: &impl Tenant,
        endpoint: &'a Endpoint,
    ) -> Result<Result<Self, String>, Failure> {
        let problem =
            |err: shared::problem::Problem| Failure::again(err.cause().unwrap_or("sealed"));
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
        let keys = signing::seeds(at).await?;
        Ok(Ok(Self { endpoint, url, private, secrets, keys, token }))
    }

    /// Tries one delivery.
    ///
    /// # Errors
    /// When there is no chance for the jitter.
    pub async fn deliver(&self, at: &impl Tenant, due: &Due) -> Result<Tried, PortError> {
        let (event, body) = match self.payload(due) {
            Ok(ready) => ready,
            Err(ended) => return Ok(ended),
        };
        let sequence = due.sequence.to_string();
        let (attempt, outcome) =
            self.send(at, (&event.id, &event.trace), &sequence, due.attempts + 1, &body).await?;
        tried(at, due, attempt, outcome)
    }

    /// Tries as many of these as fit into one request, all of which were as often tried before.
    ///
    /// # Errors
    /// When there is no chance for the jitter.
    pub async fn deliver_together(
        &self,
        at: &impl Tenant,
        all: &[Due],
    ) -> Result<Vec<Tried>, PortError> {
        let (mut ready, mut done) = (Vec::new(), Vec::new());
        for due in all {
            match self.payload(due) {
                Ok((event, body)) => ready.push((due.sequence, &event.id, body)),
                Err(ended) => done.push(ended),
            }
        }
        let bundle = bundle(ready);
        let mut sent = all.iter().filter(|it| bundle.sequences.contains(&it.sequence));
        let Some(first) = sent.next() else { return Ok(done) };
        let number = first.attempts + 1;
        // One request is one span: of the trace of its first event, and the others name it.
        let Some(trace) = first.event.as_ref().map(|it| &it.trace) else { return Ok(done) };
        let numbers = bundle.sequences.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        let (attempt, outcome) =
            self.send(at, (&bundle.id, trace), &numbers, number, &bundle.body).await?;
        let first = tried(at, first, attempt, outcome)?;
        done.extend(alike(first, sent));
        Ok(done)
    }

    /// What is to be sent; or what became of the delivery without it.
    fn payload<'d>(&self, due: &'d Due) -> Result<(&'d Event, Value), Tried> {
        let ended = |state, error: String| Tried {
            sequence: due.sequence,
            state,
            attempt: None,
            due: due.at,
            error: Some(error),
            outcome: None,
        };
        let Some(event) = &due.event else {
            return Err(ended(DeliveryState::Failed, "the event is no longer kept".to_owned()));
        };
        match self.endpoint.settings.body(event) {
            Ok(body) => Ok((event, body)),
            // Held and shown: whoever mends the transform sends it again.
            Err(why) => Err(ended(DeliveryState::Held, why)),
        }
    }

    async fn send(
        &self,
        at: &impl Tenant,
        (id, trace): (&Id, &Trace),
        sequence: &str,
        number: u32,
        body: &Value,
    ) -> Result<(Attempt, Outcome), PortError> {
        let span_id = span_id(at)?;
        let letter = Letter {
            endpoint: &self.endpoint.id,
            id,
            sequence,
            number,
            body,
            secrets: &self.secrets,
            keys: &self.keys,
            signatures: &self.endpoint.settings.signatures,
            trace,
            span: &span_id,
        };
        let (token, url) = (self.token.as_deref(), self.url.clone());
        let request = attempt::request(url, &letter, &self.private, token, at.time());
        let server = self.url.origin().ascii_serialization();
        let span = AttemptSpan { trace_id: trace.id.clone(), span_id, server };
        Ok(attempt::send(at, request, number, span).await)
    }
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

/// What came of the first, for those that were in the same request as well: one request is one
/// attempt at each of them, and says once how the endpoint fares.
pub fn alike<'d>(first: Tried, rest: impl Iterator<Item = &'d Due>) -> Vec<Tried> {
    let mut all: Vec<_> =
        rest.map(|it| Tried { sequence: it.sequence, outcome: None, ..first.clone() }).collect();
    all.push(first);
    all
}

/// An attempt that failed before anything was sent.
///
/// # Errors
/// When there is no chance for the jitter.
pub fn not_sent(at: &impl Tenant, due: &Due, why: &str) -> Result<Tried, PortError> {
    let attempt = Attempt {
        number: due.attempts + 1,
        at: at.time(),
        latency_ms: 0,
        status: None,
        error: Some(why.to_owned()),
        headers: crate::message::Headers::default(),
        body: String::new(),
        body_cut: false,
        trace_id: None,
        span_id: None,
        server: None,
    };
    tried(at, due, attempt, Outcome::Again(None))
}
