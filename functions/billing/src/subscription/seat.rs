//! Seats: who sits on what was bought. The buyer pays for seats; members take them.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Draft, Id, Page, Timestamp, WORD, is_word},
    http::{Response, StatusCode, empty, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{State, Subscription, find};
use crate::{bill::credit::wrong_state, store};

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

async fn known(at: &impl Tenant, call: &Call) -> Result<(Subscription, Seat), Problem> {
    let it = find(at, call).await?;
    let seat = store::find_seat(at, &it.id, call.param_at(1)).await?;
    Ok((it, seat.ok_or_else(Problem::not_found)?))
}
