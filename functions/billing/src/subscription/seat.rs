//! Seats: who sits on what was bought. The buyer pays for seats; members take them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Entry, Failure, Id, Job, NewJob, Page, Timestamp, WORD, is_word},
    http::{Response, StatusCode, empty, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{State, Subscription, change, find, renew};
use crate::{bill::credit::wrong_state, store};

/// Frees the seats of a member that left.
pub const LEFT: &str = "billing.left";
/// Gives a seat back that a member has left.
pub const FEWER: &str = "billing.fewer";
/// How many seats of a member are freed in one go.
pub const LEFT_MAX: u32 = 100;

/// A seat that somebody has.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Seat {
    /// The customer's member.
    pub member: String,
    /// Whether the member has taken it.
    pub state: SeatState,
    /// When it was given.
    pub assigned_at: Timestamp,
    /// When it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<Timestamp>,
}

/// Whether a member has taken its seat.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeatState {
    /// It is kept for the member.
    Pending,
    /// The member has taken it.
    Claimed,
}

/// Who gets a seat.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSeat {
    /// The customer's member.
    pub member: String,
}

/// Lists the seats that are taken, by member.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let it = find(at, call).await?;
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_seats(at, &it.id, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.member.clone())))
}

/// Gives a member a seat. Who has one keeps it.
pub async fn assign(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let new: NewSeat = call.json()?;
    let it = find(at, call).await?;
    if !is_word(&new.member) {
        return Err(Problem::unfitting("member", WORD));
    }
    if it.state == State::Cancelled {
        return Err(wrong_state("the subscription has ended"));
    }
    if let Some(known) = store::find_seat(at, &it.id, &new.member).await? {
        return Ok(json_response(StatusCode::OK, &known));
    }
    let seat = Seat {
        member: new.member,
        state: SeatState::Pending,
        assigned_at: at.now(),
        claimed_at: None,
    };
    let commit = store::assign_seat(&it.id, &seat.member, it.seats, at.now()).entry(entry(
        "seat.assigned",
        &it,
        &seat.member,
    ));
    let response = json_response(StatusCode::CREATED, &seat);
    at.answer(commit, response, || full(&it)).await
}

fn full(it: &Subscription) -> Problem {
    let why = format!("all {} are taken: free one, or change how many there are", it.seats);
    Problem::new(StatusCode::CONFLICT, "/problems/billing/no-seat", "There is no seat left")
        .detail(why)
}

fn entry(action: &'static str, it: &Subscription, member: &str) -> Draft {
    let data = json!({"customer": it.customer, "member": member});
    Draft::new(action, &Id::trusted(it.id.clone())).with(data)
}

/// Notes that a member has taken its seat.
pub async fn claim(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (it, seat) = known(at, call).await?;
    if seat.state == SeatState::Claimed {
        return Ok(json_response(StatusCode::OK, &seat));
    }
    let now = at.now();
    let taken = Seat { state: SeatState::Claimed, claimed_at: Some(now), ..seat };
    let commit = store::claim_seat(&it.id, &taken.member, now).entry(entry(
        "seat.claimed",
        &it,
        &taken.member,
    ));
    let response = json_response(StatusCode::OK, &taken);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// Frees a seat: at once somebody else can have it.
pub async fn revoke(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (it, seat) = known(at, call).await?;
    let commit =
        store::revoke_seat(&it.id, &seat.member).entry(entry("seat.revoked", &it, &seat.member));
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}

/// The jobs that members who left are to us.
pub fn left(entries: &[Entry]) -> Commit {
    entries
        .iter()
        .fold(Commit::new(), |commit, it| commit.job(left_job(&it.subject, it.sequence, 0)))
}

fn left_job(member: &str, sequence: i64, round: i64) -> NewJob {
    let body = json!({"member": member, "sequence": sequence, "round": round});
    NewJob::new(LEFT, format!("{LEFT}:{sequence:012}:{round}"), body)
}

/// Works the job of a member that left: its seats are free. Where the plan says so there is one
/// less of them then.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn freed(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let member = job.body.get("member").and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| job.body.get(name).and_then(Value::as_i64).unwrap_or_default();
    let (sequence, round) = (number("sequence"), number("round"));
    let seats = store::list_seats_of(at, member, LEFT_MAX).await?;
    let mut commit = Commit::new();
    for id in &seats {
        let Some(it) = store::find_subscription(at, id).await? else { continue };
        let data = json!({"customer": it.customer, "member": member, "reason": "member_left"});
        let entry = Draft::new("seat.revoked", &Id::trusted(id.clone())).with(data);
        commit = commit.and(store::revoke_seat(id, member)).entry(entry);
        let plan = renew::plan(at, &it.plan, it.plan_version).await.map_err(crate::failed)?;
        if plan.seats.is_some_and(|it| it.follows_members) {
            let job = format!("{FEWER}:{id}:{sequence:012}");
            commit = commit.job(NewJob::new(FEWER, job, json!({"id": id})));
        }
    }
    let is_full = seats.len() >= LEFT_MAX as usize;
    Ok(if is_full { commit.job(left_job(member, sequence, round + 1)) } else { commit })
}

/// Works the job of a seat that is given back. While a change waits for its payment it waits too.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn fewer(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let found = store::find_subscription(at, id.as_str()).await?;
    let Some(it) = found.filter(|it| it.state.runs() && it.mirrored.is_none()) else {
        return Ok(Commit::new());
    };
    if it.awaiting_payment.is_some() {
        return Err(Failure::again("a change waits for its payment"));
    }
    change::one_seat_less(at, &it).await.map_err(crate::failed)
}

async fn known(at: &impl Tenant, call: &Call) -> Result<(Subscription, Seat), Problem> {
    let it = find(at, call).await?;
    let seat = store::find_seat(at, &it.id, call.param_at(1)).await?;
    Ok((it, seat.ok_or_else(Problem::not_found)?))
}
