//! Views: lists of tickets that are kept, each by a condition and in an order.
//!
//! Which tickets are in one is written whenever a ticket is, so a page of a view costs what it
//! shows, however many tickets there are.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Id, Page, WORD, is_word},
    expression::Expression,
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{rows, tool::title};
use crate::{
    settings::{TICKET, condition},
    store,
    ticket::Ticket,
};

/// How many views a tenant has. Each is asked of every ticket that changes.
pub const VIEWS_MAX: u32 = 50;
/// The longest condition, in bytes.
const WHEN_BYTES_MAX: usize = 2_000;
/// Apart from each other are the priorities in an order, in milliseconds: until the year 2109.
const PRIORITIES_APART: i64 = 1 << 42;
/// Before which place none is: a view begins there.
const START: (i64, &str) = (i64::MIN, "");

/// Which tickets a view has, and in which order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TicketViewText)]
pub struct ViewText {
    /// As it is shown, up to 120 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// A condition in CEL on `ticket`, as `ticket.state == 'open' && 'export' in ticket.tags`. A
    /// ticket of which it makes no sense is not in the view.
    pub when: String,
    /// In which order.
    #[serde(default)]
    pub order: Order,
    /// Whether that is turned around.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reverse: bool,
}

/// In which order tickets are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketOrder)]
pub enum Order {
    /// What changed last is first.
    #[default]
    Updated,
    /// What was opened last is first.
    Created,
    /// What is most urgent is first, and of these what was opened first.
    Priority,
    /// What is due first is first: the soonest of what was promised of it and is not done. What is
    /// not due at all is last.
    Due,
}

/// A list of tickets that is kept.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TicketView)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Which tickets it has.
    #[serde(flatten)]
    pub text: ViewText,
    /// How many tickets are in it.
    pub count: i64,
    /// How far it is, as long as not all tickets were looked at for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub building: Option<Building>,
    /// The number that its rows are under.
    #[serde(skip)]
    pub build: i64,
    /// The ticket up to which all were looked at; `None` when it is built.
    #[serde(skip)]
    pub after: Option<String>,
    /// How many were looked at.
    #[serde(skip)]
    pub looked: i64,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
}

/// How far a view is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = TicketViewBuilding)]
pub struct Building {
    /// How many tickets were looked at.
    pub looked_at: i64,
    /// About how many there are.
    pub of: i64,
}

impl Order {
    /// Where the ticket is: what is less comes first. When it is due stands beside the ticket, so
    /// that place is found where it is written.
    fn place(self, it: &Ticket) -> i64 {
        match self {
            Self::Updated => -it.updated_at.0,
            Self::Created => -it.created_at.0,
            Self::Priority => it.created_at.0 - (it.priority as i64) * PRIORITIES_APART,
            Self::Due => 0,
        }
    }
}

impl ViewText {
    fn checked(self) -> Result<Self, Problem> {
        title("title", &self.title)?;
        if self.when.len() > WHEN_BYTES_MAX {
            return Err(Problem::unfitting("when", format!("at most {WHEN_BYTES_MAX} bytes")));
        }
        condition("when", &self.when)?;
        Ok(self)
    }

    /// Whether the same tickets are in it, in the same order.
    fn has_the_rows_of(&self, other: &Self) -> bool {
        (&self.when, self.order, self.reverse) == (&other.when, other.order, other.reverse)
    }

    /// Of an order by when tickets are due: 1, or -1 when it is turned around.
    pub fn due(&self) -> Option<i64> {
        let is_due = self.order == Order::Due;
        is_due.then_some(if self.reverse { -1 } else { 1 })
    }

    /// What says where a ticket is in it. A condition that is none any more has no tickets.
    pub fn lens(&self) -> Lens {
        let when = Expression::parse(&self.when).ok();
        Lens { when, order: self.order, reverse: self.reverse }
    }
}

/// What a view sees of tickets.
pub struct Lens {
    when: Option<Expression>,
    order: Order,
    reverse: bool,
}

impl Lens {
    /// Where in the view the ticket is, which is `seen` as JSON; `None` when it is not in it.
    pub fn place(&self, ticket: &Ticket, seen: &Value) -> Option<i64> {
        let is_in = self.when.as_ref()?.holds(&[(TICKET, seen)]).unwrap_or(false);
        let place = self.order.place(ticket);
        is_in.then_some(if self.reverse { -place } else { place })
    }
}

async fn find(at: &impl Tenant, call: &Call) -> Result<View, Problem> {
    let found = store::find_view(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    match call.if_match()?.is_some_and(|it| it != found.version) {
        true => Err(Problem::changed_meanwhile()),
        false => Ok(found),
    }
}

/// The same with how far it is.
async fn shown(at: &impl Tenant, it: View) -> Result<View, Problem> {
    let building = match it.after {
        Some(_) => {
            let of = store::last_number(at).await?.max(it.looked);
            Some(Building { looked_at: it.looked, of })
        }
        None => None,
    };
    Ok(View { building, ..it })
}

fn answer(it: &View) -> Response {
    with_header(json_response(StatusCode::OK, it), header::ETAG, &etag(it.version))
}

/// Lists all of them, by name, with how many tickets each has.
pub async fn list(at: &impl Tenant) -> Result<Response, Problem> {
    let mut items = Vec::new();
    for it in store::list_views(at).await? {
        items.push(shown(at, it).await?);
    }
    Ok(json_response(StatusCode::OK, &Page { items, next: None }))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = find(at, call).await?;
    Ok(answer(&shown(at, found).await?))
}

/// Puts one, or replaces it. When it has other tickets than before, or another order, all tickets
/// are looked at for it by a job.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let name = call.param().to_owned();
    if !is_word(&name) {
        return Err(Problem::unfitting("name", WORD));
    }
    let text = call.json::<ViewText>()?.checked()?;
    let before = store::find_view(at, &name).await?;
    let version = before.as_ref().map(|it| it.version);
    if call.if_match()?.is_some_and(|it| Some(it) != version) {
        return Err(Problem::changed_meanwhile());
    }
    let full = || Problem::full_list(VIEWS_MAX, "views", "delete one that is not used");
    if before.is_none() && store::list_views(at).await?.len() >= VIEWS_MAX as usize {
        return Err(full());
    }
    let (it, commit) = match before {
        Some(before) if before.text.has_the_rows_of(&text) => {
            let it = View { text, version: before.version + 1, ..before };
            let commit = store::keep_view(&it);
            (it, commit)
        }
        before => built_anew(at, name, text, before).await?,
    };
    let commit = commit.entry(told(&it, "ticket_view.put"));
    let response = answer(&shown(at, it).await?);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// The view as one that all tickets have to be looked at for, in the place of another.
///
/// # Errors
/// When the database fails.
pub async fn built_anew(
    at: &impl Tenant,
    name: String,
    text: ViewText,
    before: Option<View>,
) -> Result<(View, Commit), Problem> {
    let build = store::view_changes(at).await? + 1;
    let version = before.as_ref().map_or(0, |it| it.version) + 1;
    let after = Some(String::new());
    let it = View { name, text, count: 0, building: None, build, after, looked: 0, version };
    let commit = store::change_views(build).and(store::build_view(&it)).job(rows::building(build));
    let commit = match before {
        Some(before) => commit.job(rows::sweeping(before.build)),
        None => commit,
    };
    Ok((it, commit))
}

fn told(it: &View, what: &'static str) -> Draft {
    Draft::new(what, &Id::trusted(it.name.clone())).with(json!({"version": it.version}))
}

/// Deletes one. Its tickets stay as they are.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let it = find(at, call).await?;
    let changes = store::view_changes(at).await? + 1;
    let commit = store::change_views(changes)
        .and(store::delete_view(&it))
        .job(rows::sweeping(it.build))
        .entry(told(&it, "ticket_view.deleted"));
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}

/// Lists the tickets of a view, in its order.
pub async fn tickets(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let view = find(at, call).await?;
    let place = cursor.as_ref().map(|it| place(it.key()).ok_or_else(bad_cursor)).transpose()?;
    let after = place.as_ref().map_or(START, |(sort, id)| (*sort, id.as_str()));
    let found = store::list_placed(at, view.build, after, limit + 1).await?;
    let page = Page::of(found, limit, |(sort, it)| format!("{sort} {}", it.id));
    let items: Vec<_> = page.items.into_iter().map(|it| it.1).collect();
    Ok(json_response(StatusCode::OK, &Page { items, next: page.next }))
}

/// A place in a view, as its cursor has it.
fn place(key: &str) -> Option<(i64, String)> {
    let (sort, id) = key.split_once(' ')?;
    Some((sort.parse().ok()?, id.to_owned()))
}

fn bad_cursor() -> Problem {
    Problem::invalid().detail("cursor is what the page before gave as next")
}
