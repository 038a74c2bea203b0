//! Counters: what events add up to, by quarters of an hour. The one place that quotas, alerts,
//! reports and invoices ask.

use shared::{
    domain::Timestamp,
    http::StatusCode,
    ports::{PortError, Tenant},
    problem::Problem,
};

use super::{
    amount::Amount,
    meter::{self, Aggregation, Meter},
    period::{Cut, Piece},
    store,
};

/// What is asked of the counters.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The meter, by which it is known how its events add up.
    pub meter: &'a Meter,
    /// Only of this customer of the tenant.
    pub subject: Option<&'a str>,
    /// Only of this member of the customer.
    pub member: Option<&'a str>,
    /// By what it is told apart: `subject`, `member`, `key`, `route`, or anything else for the
    /// labels of the pieces.
    pub group: &'a str,
    /// How many groups at most, the largest first.
    pub top: u32,
}

/// What the events of a group add up to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// The sum, the largest value or the number of different ones, as the meter has it.
    pub amount: Amount,
    /// How many events.
    pub count: i64,
}

/// Exactly what `meter` comes to from `from` up to `to` (not included), in millionths, by the
/// meter's aggregation: a `count` of three events is 3,000,000.
///
/// Any millisecond will do for either end: whole quarters of an hour come from the counters, and
/// what is left at the ends from the raw events, in one statement, so that the two belong
/// together. A maximum and a number of different values are exact as well: each counter keeps its
/// largest value, and which values there were. An event that is late, corrected or taken back
/// changes the answer in the commit in which it is accepted, and nothing else does.
///
/// `subject` is the tenant's customer, all of them when left out, and `member` one of the
/// customer's. A deleted meter still answers. The sum is an `i128` because the sum of many
/// millionths may be larger than an `i64`.
///
/// # Errors
/// When the database fails, when there is no such meter, and when the answer would not be exact
/// because what it needs was pruned: counters after 400 days, and raw events, which an end within
/// a quarter of an hour needs, after the days for which events may be late and 35 more. It is
/// never a guess.
pub async fn total(
    at: &impl Tenant,
    meter: &str,
    subject: Option<&str>,
    member: Option<&str>,
    from: Timestamp,
    to: Timestamp,
) -> Result<i128, PortError> {
    let meter = find(at, meter).await?.ok_or_else(|| PortError::new("usage", "no such meter"))?;
    let question = Question { meter: &meter, subject, member, group: "", top: 1 };
    let tally = one(at, question, from, to).await?;
    // Afterwards, so that what is pruned meanwhile is noticed.
    let known = store::state(at).await?.knows(from, to);
    known.map_err(|why| PortError::new("usage", why))?;
    Ok(tally.amount.0)
}

/// The same from the raw events alone, without any counter: what [`total`] is held against.
///
/// # Errors
/// When the database fails, when there is no such meter, and when raw events of that time were
/// pruned.
pub async fn recount(
    at: &impl Tenant,
    meter: &str,
    subject: Option<&str>,
    from: Timestamp,
    to: Timestamp,
) -> Result<i128, PortError> {
    let meter = find(at, meter).await?.ok_or_else(|| PortError::new("usage", "no such meter"))?;
    let tally = store::recount(at, &meter, subject, from, to).await?;
    if from < store::state(at).await?.events_from {
        return Err(PortError::new("usage", "the raw events are gone"));
    }
    Ok(tally.amount.0)
}

/// Whether the raw events from this moment on are kept still.
///
/// # Errors
/// When it cannot be read.
pub async fn has_events_from(at: &impl Tenant, from: Timestamp) -> Result<bool, PortError> {
    Ok(from >= store::state(at).await?.events_from)
}

/// A meter, built in or not, deleted or not.
///
/// # Errors
/// When it cannot be read.
pub async fn find(at: &impl Tenant, name: &str) -> Result<Option<Meter>, PortError> {
    match meter::built_in().into_iter().find(|it| it.name == name) {
        Some(it) => Ok(Some(it)),
        None => Ok(store::meters(at, &[name]).await?.pop()),
    }
}

/// The same for a request.
///
/// # Errors
/// 422 when there is none.
pub async fn wanted(at: &impl Tenant, name: &str) -> Result<Meter, Problem> {
    find(at, name).await?.ok_or_else(|| {
        let kind = "/problems/usage/unknown-meter";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, kind, "There is no such meter")
            .detail("GET /v1/usage/meters lists those there are")
    })
}

/// What all events of a stretch of time come to.
///
/// # Errors
/// When the database fails.
pub async fn one(
    at: &impl Tenant,
    question: Question<'_>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Tally, PortError> {
    let question = Question { group: "", top: 1, ..question };
    Ok(groups(at, question, from, to).await?.pop().map(|it| it.1).unwrap_or_default())
}

/// What the events of a stretch of time come to, by group, the largest first.
///
/// # Errors
/// When the database fails.
pub async fn groups(
    at: &impl Tenant,
    question: Question<'_>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(String, Tally)>, PortError> {
    if from >= to {
        return Ok(Vec::new());
    }
    tallies(at, question, &[Piece { label: String::new(), from, to }]).await
}

/// What the events of some stretches of time come to, by group, the largest first.
///
/// # Errors
/// When the database fails.
pub async fn tallies(
    at: &impl Tenant,
    question: Question<'_>,
    pieces: &[Piece],
) -> Result<Vec<(String, Tally)>, PortError> {
    let cut = Cut::of(pieces);
    match question.meter.aggregation {
        Aggregation::Unique => store::unique_tallies(at, question, &cut).await,
        _ => store::tallies(at, question, &cut).await,
    }
}
