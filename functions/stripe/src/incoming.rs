//! Webhooks come in: believed, taken once, stored as they are, and turned into hints.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Id, Page, Timestamp, sha256_hex},
    http::{Response, StatusCode, json as json_response},
    ports::{Admission, CommitError, Rate, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    account::{self, Account, Provider},
    provider::{self, CallError, Hint, PaymentProvider, Unbelieved},
    refetch, store,
};

/// The largest event, in bytes.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// How many refusals of an account are counted: the rest is answered, and no more.
const COUNTED: Rate = Rate { limit: 60, period: Duration::from_secs(60) };

/// An event, as it is kept.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PaymentEvent)]
pub struct StoredEvent {
    /// The provider's id of it.
    pub id: String,
    /// `pev_…`: in the order in which they came.
    pub sequence: String,
    /// The account.
    pub account: String,
    /// As `invoice.paid`.
    pub kind: String,
    /// The object that it is a hint of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// What became of it.
    pub state: EventState,
    /// When the provider made it.
    pub created_at: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
    /// The version of the API that it was written in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The connected account that it is of. Without effect, unless it is the one acted for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<String>,
    /// What it said, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentEventState)]
pub enum EventState {
    /// It was taken.
    Stored,
    /// It is signed, but no event: somebody should look at it.
    Quarantined,
    /// It is of the other mode, live or test, and has no effect.
    OtherMode,
}

impl EventState {
    /// The word that is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Quarantined => "quarantined",
            Self::OtherMode => "other_mode",
        }
    }
}

/// What the provider hears.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentEventTaken)]
pub struct Taken {
    /// The event.
    pub id: String,
    /// Whether it came before.
    pub duplicate: bool,
}

/// Takes one event, at the address of this provider.
pub async fn receive(at: &impl Tenant, call: &Call, of: Provider) -> Result<Response, Problem> {
    let account = account::find(at, call).await?;
    if account.provider != of {
        return Err(Problem::not_found());
    }
    let provider = provider::of(at, &account).await?;
    let body = call.request.body();
    match provider.believe(at, call.request.headers(), body).await {
        Ok(()) => keep(at, &account, &provider, body).await,
        Err(Unbelieved::Refused { word, why }) => Err(refused(at, &account, word, &why).await),
        Err(Unbelieved::Unknown(err)) => Err(unknown(&err)),
    }
}

/// The provider sends it again.
fn unknown(err: &CallError) -> Problem {
    let kind = "/problems/payments/unchecked";
    let title = "Whether the provider sent this cannot be found out now";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, kind, title)
        .detail(format!("send it again: {err}"))
}

/// Counts a refusal. The first of an hour is told in the log; nothing of its body is kept.
async fn refused(at: &impl Tenant, account: &Account, word: &'static str, why: &str) -> Problem {
    let kind = "/problems/payments/bad-signature";
    let title = "The event is not signed by the account's provider";
    let problem = Problem::new(StatusCode::BAD_REQUEST, kind, title).detail(why);
    let admission = at.admit(&format!("refusals:{}", account.id), COUNTED).await;
    if !matches!(admission, Ok(Admission::Admitted)) {
        return problem;
    }
    let hour = Timestamp(at.now().0 - at.now().0.rem_euclid(3_600_000));
    let commit = store::count_refusal(&account.id, word, hour);
    let first = Draft::new("payment_account.refused", &Id::trusted(account.id.clone()))
        .with(json!({"reason": word, "hour": hour}));
    // The row is there already for all but the first: then it is only counted.
    let outcome = match at.commit(store::first_refusal(&account.id, word, hour).entry(first)).await
    {
        Err(CommitError::Conflict) => at.commit(commit).await,
        other => other,
    };
    match outcome {
        Ok(()) => problem,
        Err(err) => problem.caused_by(err),
    }
}

async fn keep(
    at: &impl Tenant,
    account: &Account,
    provider: &impl PaymentProvider,
    body: &[u8],
) -> Result<Response, Problem> {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let read = parsed.as_ref().and_then(|it| provider.hint(it));
    let event = event(at, account, read.as_ref(), body)?;
    let (id, kind) = (event.id.clone(), event.kind.clone());
    let commit = match read.filter(|_| event.state == EventState::Stored) {
        Some(it) => effect(at, account, &it),
        None => Commit::new(),
    };
    let entry = Draft::new("payment_event.received", &Id::trusted(event.sequence.clone()))
        .with(json!({"account": account.id, "event": id, "type": kind, "state": event.state}));
    let commit = store::insert_event(&event).entry(entry).and(commit);
    let taken = |duplicate| {
        let taken = Taken { id: id.clone(), duplicate };
        json_response(StatusCode::OK, &taken)
    };
    match at.commit(commit).await {
        Ok(()) => Ok(taken(false)),
        Err(CommitError::Conflict) => Ok(taken(true)),
        Err(CommitError::Port(err)) => Err(err.into()),
    }
}

/// What an event sets off: its object is fetched. Not so when it is of a connected account other
/// than the one that is acted for: whoever has that one writes what he likes on his payments, also
/// that they are ours.
pub fn effect(at: &impl Tenant, account: &Account, it: &Hint) -> Commit {
    let is_ours = it.connect.is_none() || it.connect == account.connect;
    match it.object.as_ref().filter(|_| is_ours) {
        Some((kind, object)) => {
            Commit::new().job(refetch::job(&account.id, kind, object, at.now()))
        }
        None => Commit::new(),
    }
}

/// The event as it is kept. What is signed and cannot be read is quarantined under its hash.
pub fn event(
    at: &impl Tenant,
    account: &Account,
    read: Option<&Hint>,
    body: &[u8],
) -> Result<StoredEvent, Problem> {
    let sequence = at.new_id("pev")?.to_string();
    let text = String::from_utf8_lossy(body).into_owned();
    let unread = || Hint {
        id: format!("sha256:{}", sha256_hex(body)),
        kind: "unreadable".to_owned(),
        created: at.now().seconds(),
        ..Hint::default()
    };
    let state = match read {
        None => EventState::Quarantined,
        Some(it) if it.livemode.is_some_and(|it| it != account.livemode) => EventState::OtherMode,
        Some(_) => EventState::Stored,
    };
    let it = read.cloned().unwrap_or_else(unread);
    Ok(StoredEvent {
        id: it.id,
        sequence,
        account: account.id.clone(),
        kind: it.kind,
        object: it.object.map(|it| it.1),
        state,
        created_at: Timestamp(it.created.saturating_mul(1000)),
        received_at: at.now(),
        api_version: it.api_version,
        connect: it.connect,
        body: Some(text),
    })
}

/// Lists an account's events in the order in which they came.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let account = account::find(at, call).await?;
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let state = call.query("state");
    let found = store::list_events(at, &account.id, state.as_deref(), after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.sequence.clone())))
}

/// Reads one, with its body.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let account = account::find(at, call).await?;
    let found = store::find_event(at, &account.id, call.param_at(1)).await?;
    Ok(json_response(StatusCode::OK, &found.ok_or_else(Problem::not_found)?))
}
