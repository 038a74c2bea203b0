//! The test clock of a sandbox: it stands still, and moves when told to.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    directory,
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports,
    problem::Problem,
};
use utoipa::ToSchema;

use crate::store;

/// Shows the clock to the edge.
pub const SHOW: &str = "tenants.clock";

/// How far a clock moves in one go, in milliseconds: ten years.
const ADVANCE_MS_MAX: i64 = 10 * 366 * 24 * 60 * 60 * 1000;

/// A sandbox's clock.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestClock {
    /// What it shows.
    pub now: Timestamp,
    /// Where it is going.
    pub target: Timestamp,
    /// Whether it is there.
    pub status: Status,
}

/// Whether a clock is where it was told to go.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It has never been moved, and shows the real time.
    Real,
    /// It is on its way, doing at each moment what was due then. Ask again.
    Advancing,
    /// It is there, and all that was due on the way is done.
    Ready,
}

/// Where to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Advance {
    /// The moment to stop at: not before what the clock shows, at most ten years later.
    pub to: Timestamp,
}

/// Where a clock stands and where it is going, when it has been moved.
pub struct Hands {
    /// What it shows.
    pub now: Timestamp,
    /// Where it is going.
    pub target: Timestamp,
}

impl TestClock {
    fn of(hands: Option<Hands>, real: Timestamp) -> Self {
        match hands {
            None => Self { now: real, target: real, status: Status::Real },
            Some(Hands { now, target }) => {
                let status = if now < target { Status::Advancing } else { Status::Ready };
                Self { now, target, status }
            }
        }
    }
}

/// Reads the clock.
pub async fn get(at: &impl ports::Tenant) -> Result<Response, Problem> {
    let mut clock = TestClock::of(store::find_clock(at).await?, at.now());
    let due = store::next_due(at).await?.is_some_and(|due| due <= at.now());
    if due && matches!(clock.status, Status::Ready) {
        clock.status = Status::Advancing;
    }
    Ok(json_response(StatusCode::OK, &clock))
}

/// Sends the clock on its way.
pub async fn advance(at: &impl ports::Tenant, advance: Advance) -> Result<Response, Problem> {
    if !at.principal().sandbox {
        let kind = "/problems/test-clock/no-sandbox";
        return Err(Problem::new(StatusCode::CONFLICT, kind, "Only a sandbox has a test clock")
            .detail("create a tenant with sandbox: true"));
    }
    let now = at.now();
    if advance.to < now {
        return Err(Problem::unfitting("to", format!("the clock shows {now} and only goes on")));
    }
    if advance.to.0 - now.0 > ADVANCE_MS_MAX {
        return Err(Problem::unfitting("to", "at most ten years at once"));
    }
    // With nothing due on the way it is there at once.
    let idle = store::next_due(at).await?.is_none_or(|due| due > advance.to);
    let shows = if idle { advance.to } else { now };
    let hands = Hands { now: shows, target: advance.to };
    let clock = TestClock::of(Some(hands), now);
    let entry = Draft::new("test-clock.advanced", &Id::trusted(at.principal().tenant.clone()))
        .with(json!({"to": advance.to}));
    // The drain is what moves it.
    let show = NewJob::new(SHOW, format!("{SHOW}:{}", at.new_id("job")?), json!({}));
    let commit = store::put_clock(now, shows, advance.to).entry(entry).wake("tenants");
    let commit = commit.job(show.eager());
    at.answer(commit, json_response(StatusCode::OK, &clock), busy).await
}

/// Shows the edge what the clock is about to show.
pub async fn show(at: &impl ports::Tenant, _: &Job) -> Result<Commit, Failure> {
    if let Some(Hands { target, .. }) = store::find_clock(at).await? {
        let body = json!({"now_ms": target.0});
        at.projection().show_document(directory::CLOCK, target.0, &body).await?;
    }
    Ok(Commit::new())
}

fn busy() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "/problems/test-clock/moved",
        "The clock has moved meanwhile",
    )
    .detail("read it, and try again")
}
