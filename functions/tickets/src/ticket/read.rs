//! Reading tickets, what was said in them, and what was done to them.

use serde_json::Map;
use shared::{
    domain::{Entry, Id, Page, Timestamp},
    http::{Response, StatusCode, json as json_response},
    log as tenant_log,
    ports::Tenant,
    problem::Problem,
    route::Call,
};

use super::{
    Filter, Ticket,
    change::answer,
    find,
    message::{Kind, Message, Person},
};
use crate::{settings::Settings, state::State, store};

/// After which no place is: the list begins there.
pub const END: (Timestamp, &str) = (Timestamp(i64::MAX >> 12), "~");

/// Lists tickets, the latest change first: all, or of one state, requester, customer, assignee or
/// team.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let filter = filter(at, call)?;
    let place = cursor.as_ref().map(|it| place(it.key()).ok_or_else(bad_cursor)).transpose()?;
    let before = place.as_ref().map_or(END, |(at, id)| (*at, id.as_str()));
    let found = store::list_tickets(at, &filter, before, limit + 1).await?;
    let found = found.into_iter().map(|it| shown(at, it)).collect();
    let key = |it: &Ticket| format!("{} {}", it.updated_at.0, it.id);
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, key)))
}

/// A place in a list, as its cursor has it.
fn place(key: &str) -> Option<(Timestamp, String)> {
    let (at, id) = key.split_once(' ')?;
    Some((Timestamp(at.parse().ok()?), id.to_owned()))
}

fn bad_cursor() -> Problem {
    Problem::invalid().detail("cursor is what the page before gave as next")
}

fn filter(at: &impl Tenant, call: &Call) -> Result<Filter, Problem> {
    let names = ["state", "requester", "customer", "assignee", "team"];
    let named = names.into_iter().filter_map(|it| Some((it, call.query(it)?.into_owned())));
    let named: Vec<_> = named.collect();
    if let Some(own) = &at.principal().customer {
        return match named.is_empty() {
            true => Ok(Filter::Customer(own.clone())),
            false => Err(Problem::invalid().detail("all of yours are listed: filter by nothing")),
        };
    }
    match named.as_slice() {
        [] => Ok(Filter::All),
        [(name, value)] => {
            let value = value.clone();
            Ok(match *name {
                "state" => {
                    let state = State::parse(&value);
                    let all = State::ALL.map(State::word).join(", ");
                    Filter::State(state.ok_or_else(|| Problem::unfitting("state", all))?)
                }
                "requester" => Filter::Requester(value.to_lowercase()),
                "customer" => Filter::Customer(value),
                "assignee" => Filter::Assignee(value),
                _ => Filter::Team(value),
            })
        }
        _ => Err(Problem::invalid().detail("filter by one thing, or make a view for several")),
    }
}

/// Reads one, by its id or its number.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    if let Ok(number) = call.param().parse::<i64>() {
        let found = store::find_numbered(at, number).await?.filter(|it| is_shown(at, it));
        let found = found.ok_or_else(Problem::not_found)?;
        return Ok(answer(StatusCode::OK, &shown(at, found)));
    }
    Ok(answer(StatusCode::OK, &shown(at, find(at, call).await?)))
}

fn is_shown(at: &impl Tenant, it: &Ticket) -> bool {
    let own = &at.principal().customer;
    own.is_none() || it.requester.customer == *own
}

/// The ticket as who reads it may see it: how it is handled is not for customers.
pub fn shown(at: &impl Tenant, it: Ticket) -> Ticket {
    if at.principal().customer.is_none() {
        return it;
    }
    Ticket {
        assignee: None,
        team: None,
        because: Vec::new(),
        pinned: false,
        tags: Vec::new(),
        fields: Map::new(),
        incident: None,
        plan: None,
        sla: None,
        copies: Vec::new(),
        ..it
    }
}

/// The message as a customer may see it: of an agent the name, if that is told at all.
fn told(settings: &Settings, it: Message) -> Message {
    if it.kind == Kind::Received {
        return Message { mail: None, original: None, ..it };
    }
    let name = settings.shown_agent(&it.from.name).unwrap_or_default().to_owned();
    let from = Person { email: None, name, member: None };
    Message { from, bounces: Vec::new(), ..it }
}

/// Lists what was said, the oldest first. A customer is shown nothing that agents noted.
pub async fn messages(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let ticket = find(at, call).await?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_messages(at, &ticket.id, after, limit + 1).await?;
    let mut page = Page::of(found, limit, |it: &Message| it.id.clone());
    if at.principal().customer.is_some() {
        let settings = store::find_settings(at).await?;
        page.items.retain(|it| it.kind != Kind::Note);
        page.items = page.items.into_iter().map(|it| told(&settings, it)).collect();
    }
    Ok(json_response(StatusCode::OK, &page))
}

/// Lists what was done to it, as the log has it.
pub async fn log(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let ticket: Id = find(at, call).await?.id;
    let after = cursor.map(|it| it.key().parse().map_err(|_| bad_cursor())).transpose()?;
    let found = tenant_log::read(at, after.unwrap_or(0), limit + 1, Some(ticket.as_str())).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it: &Entry| it.sequence.to_string())))
}
