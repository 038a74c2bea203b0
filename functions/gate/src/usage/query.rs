//! What was used, by whom, where and when: the numbers that quotas and invoices have.

use std::{collections::BTreeMap, time::Duration};

use chrono_tz::Tz;
use serde::Serialize;
use shared::{
    domain::{LIMIT_DEFAULT, LIMIT_MAX, Timestamp},
    http::{Response, StatusCode, header, json as json_response, respond},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    amount::Amount,
    counter::{self, Question, Tally},
    meter::{Aggregation, Meter, REQUESTS},
    period::{self, PIECES_MAX, Piece, Unit},
    store,
};

/// How long a time may be asked for at once.
pub const SPAN_MAX: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// How long a time is asked for when nobody says.
pub const SPAN_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a time may be recounted at once: raw events are many.
pub const RECOUNT_MAX: Duration = Duration::from_secs(35 * 24 * 60 * 60);

/// From when to when.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// From this moment on.
    pub from: Timestamp,
    /// Up to this one.
    pub to: Timestamp,
}

/// What was used.
#[derive(Debug, Serialize, ToSchema)]
pub struct Usage {
    /// The meter.
    pub meter: String,
    /// How its events add up.
    pub aggregation: Aggregation,
    /// What one of it is called.
    pub unit: String,
    /// From this moment on.
    pub from: Timestamp,
    /// Up to this moment.
    pub to: Timestamp,
    /// All of it.
    pub total: Amount,
    /// How many events that were.
    pub count: i64,
    /// By group: the largest first, or in the order of time.
    pub items: Vec<UsageItem>,
}

/// What was used by one of a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageItem {
    /// Which one.
    pub label: String,
    /// How much.
    pub value: Amount,
    /// How many events that were.
    pub count: i64,
}

/// The counters beside the raw events.
#[derive(Debug, Serialize, ToSchema)]
pub struct Recount {
    /// The meter.
    pub meter: String,
    /// From this moment on.
    pub from: Timestamp,
    /// Up to this moment.
    pub to: Timestamp,
    /// What the counters say.
    pub counters: Amount,
    /// What the raw events add up to.
    pub events: Amount,
    /// Whether these are equal, and the numbers of events as well.
    pub equal: bool,
}

/// By what it is told apart.
enum Group {
    /// Not at all.
    None,
    /// By a column of the counters, the largest first.
    Place(String),
    /// By the class of the answers.
    Status,
    /// By time.
    Time(Unit),
}

impl Span {
    /// What `from` and `to` say: the last day, up to the end of this quarter of an hour, when they
    /// say nothing.
    pub fn of(call: &Call, now: Timestamp) -> Result<Self, Problem> {
        let moment = |name: &str| {
            let text = call.query(name);
            let bad = || Problem::invalid().detail(format!("{name} is an RFC 3339 time"));
            text.map(|it| Timestamp::parse(&it).ok_or_else(bad)).transpose()
        };
        let to = moment("to")?.unwrap_or_else(|| period::floor(now) + period::QUARTER);
        let from = moment("from")?.unwrap_or(to - SPAN_DEFAULT);
        if from >= to || to.since(from) > SPAN_MAX || from.0 < 0 {
            return Err(Problem::invalid().detail("from is before to, by 400 days at most"));
        }
        Ok(Self { from, to })
    }
}

impl Group {
    fn of(call: &Call) -> Result<Self, Problem> {
        Ok(match call.query("group_by").as_deref() {
            None => Self::None,
            Some(it @ ("subject" | "member" | "key" | "route")) => Self::Place(it.to_owned()),
            Some("status") => Self::Status,
            Some("hour") => Self::Time(Unit::Hour),
            Some("day") => Self::Time(Unit::Day),
            Some("month") => Self::Time(Unit::Month),
            Some("weekday_hour") => Self::Time(Unit::WeekdayHour),
            Some(_) => {
                let words = "subject, member, key, route, status, hour, day, month or weekday_hour";
                return Err(Problem::invalid().detail(format!("group_by is {words}")));
            }
        })
    }
}

fn top(call: &Call) -> Result<u32, Problem> {
    let Some(text) = call.query("top") else { return Ok(LIMIT_DEFAULT) };
    let number = text.parse().ok().filter(|it| (1..=LIMIT_MAX).contains(it));
    number.ok_or_else(|| Problem::invalid().detail(format!("top is 1 to {LIMIT_MAX}")))
}

fn zone(call: &Call) -> Result<Tz, Problem> {
    let Some(text) = call.query("zone") else { return Ok(Tz::UTC) };
    text.parse().map_err(|_| Problem::invalid().detail("zone is one of the IANA's: Europe/Berlin"))
}

/// Answers what was used.
pub async fn query(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let Span { from, to } = Span::of(call, at.now())?;
    let (group, top, zone) = (Group::of(call)?, top(call)?, zone(call)?);
    let (meter, subject) = (call.query("meter"), call.query("subject"));
    let meter = counter::wanted(at, meter.as_deref().unwrap_or(REQUESTS)).await?;
    let question =
        Question { meter: &meter, subject: subject.as_deref(), member: None, group: "", top };
    let Tally { amount, count } = counter::one(at, question, from, to).await?;
    let items = match group {
        Group::None => vec![],
        Group::Place(group) => {
            let all = [Piece { label: String::new(), from, to }];
            let question = Question { group: &group, ..question };
            counter::tallies(at, question, &all).await?.into_iter().map(item).collect()
        }
        Group::Status => by_status(at, &meter, Span { from, to }, question.subject).await?,
        Group::Time(unit) => {
            let pieces = unit.pieces(from, to, zone).ok_or_else(too_fine)?;
            by_time(at, question, &pieces, unit).await?
        }
    };
    // Afterwards, so that what is pruned meanwhile is noticed.
    let known = store::state(at).await?.knows(from, to);
    known.map_err(|why| Problem::unfitting("from", why))?;
    let (aggregation, unit) = (meter.aggregation, meter.unit);
    let usage =
        Usage { meter: meter.name, aggregation, unit, from, to, total: amount, count, items };
    Ok(if wants_csv(call) { csv(&usage) } else { json_response(StatusCode::OK, &usage) })
}

fn item((label, it): (String, Tally)) -> UsageItem {
    UsageItem { label, value: it.amount, count: it.count }
}

fn too_fine() -> Problem {
    let why = format!("that makes more than {PIECES_MAX} stretches of time: ask for less time");
    Problem::unfitting("group_by", why)
}

async fn by_time(
    at: &impl Tenant,
    question: Question<'_>,
    pieces: &[Piece],
    unit: Unit,
) -> Result<Vec<UsageItem>, Problem> {
    let top = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    let found = counter::tallies(at, Question { top, ..question }, pieces).await?;
    let mut found: BTreeMap<_, _> = found.into_iter().collect();
    let mut labels: Vec<_> = pieces.iter().map(|it| it.label.clone()).collect();
    if unit == Unit::WeekdayHour {
        labels.sort_unstable();
    }
    labels.dedup();
    // What saw no use is shown as well: a chart has no holes.
    let items = labels.into_iter().map(|it| {
        let tally = found.remove(&it).unwrap_or_default();
        item((it, tally))
    });
    Ok(items.collect())
}

async fn by_status(
    at: &impl Tenant,
    meter: &Meter,
    span: Span,
    subject: Option<&str>,
) -> Result<Vec<UsageItem>, Problem> {
    if meter.name != REQUESTS {
        return Err(Problem::unfitting("group_by", format!("status is of {REQUESTS} only")));
    }
    if [span.from, span.to].iter().any(|it| period::floor(*it) != *it) {
        let why = "statuses are counted by quarters of an hour";
        return Err(Problem::unfitting("from", why));
    }
    let found = store::statuses(at, (span.from, span.to), subject, None, None).await?;
    let item = |it: super::latency::StatusCount| UsageItem {
        label: it.class,
        value: Amount::units(it.count),
        count: it.count,
    };
    Ok(found.into_iter().map(item).collect())
}

fn wants_csv(call: &Call) -> bool {
    let accept = call.request.headers().get(header::ACCEPT).and_then(|it| it.to_str().ok());
    accept.is_some_and(|it| it.split(',').any(|it| it.trim().starts_with("text/csv")))
}

/// RFC 4180: the items, and the total where there are none.
fn csv(usage: &Usage) -> Response {
    let mut text = "label,value,count\r\n".to_owned();
    let mut line = |label: &str, value: Amount, count: i64| {
        text.push_str(&format!("{},{value},{count}\r\n", field(label)));
    };
    usage.items.iter().for_each(|it| line(&it.label, it.value, it.count));
    if usage.items.is_empty() {
        line("total", usage.total, usage.count);
    }
    respond(StatusCode::OK, "text/csv; charset=utf-8", text)
}

/// A label as a field, which no spreadsheet takes for a formula.
fn field(label: &str) -> String {
    let guard = if label.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    format!("\"{guard}{}\"", label.replace('"', "\"\""))
}

/// Puts the counters beside a recount of the raw events.
pub async fn recount(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let Span { from, to } = Span::of(call, at.now())?;
    let meter = call.query("meter");
    let meter = counter::wanted(at, meter.as_deref().unwrap_or(REQUESTS)).await?;
    if to.since(from) > RECOUNT_MAX {
        return Err(Problem::invalid().detail("from is before to, by 35 days at most"));
    }
    if [from, to].iter().any(|it| period::floor(*it) != *it) {
        return Err(Problem::unfitting("from", "counters begin and end on quarters of an hour"));
    }
    let question = Question { meter: &meter, subject: None, member: None, group: "", top: 1 };
    let counters = counter::one(at, question, from, to).await?;
    let events = store::recount(at, &meter, None, from, to).await?;
    let since = store::state(at).await?.events_from;
    if from < since {
        let why = format!("raw events of before {since} are gone");
        return Err(Problem::unfitting("from", why));
    }
    let recount = Recount {
        meter: meter.name.clone(),
        from,
        to,
        counters: counters.amount,
        events: events.amount,
        equal: counters == events,
    };
    Ok(json_response(StatusCode::OK, &recount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_and_no_formula() {
        assert_eq!(field("a \"b\""), "\"a \"\"b\"\"\"");
        assert_eq!(field("=1+1"), "\"'=1+1\"");
        assert_eq!(field("GET /things"), "\"GET /things\"");
    }
}
