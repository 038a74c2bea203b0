//! Context: what an agent should know of who asks before they answer.
//!
//! Functions do not know each other: what others tell in the log is followed, and the last of it is
//! kept by customer. So a ticket is looked at beside what its customer has, what failed of theirs,
//! and where they reached their limits.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Entry, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    store,
    ticket::{Filter, Ticket, find, read::END},
};

/// How many of a kind are kept of a customer.
pub const FACTS_MAX: u32 = 10;
/// How large one is, as JSON, in bytes; of what is larger only the action is kept.
const FACT_BYTES_MAX: usize = 4 * 1024;
/// How many earlier tickets are shown.
const TICKETS_MAX: u32 = 10;

/// What is followed.
pub const FOLLOWS: &[&str] = &[
    "entitlement.changed",
    "subscription.",
    "payment.failed",
    "invoice.overdue",
    "delivery.failed",
    "quota.",
    "spend.",
    "member.",
];

/// What was heard of a customer.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = TicketFact)]
pub struct Fact {
    /// What kind of thing: `plan`, `billing`, `webhook`, `limit` or `member`.
    pub kind: String,
    /// The entry of the log that told it.
    pub sequence: i64,
    /// When.
    pub at: Timestamp,
    /// The entry's `action`, `subject` and `data`.
    #[schema(value_type = Object)]
    pub fact: Value,
}

/// What there is to know of who asks.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct TicketContext {
    /// The plan that the customer has now.
    pub plan: Option<String>,
    /// What it has, as billing granted it last.
    #[schema(value_type = Option<Object>)]
    pub entitlement: Option<Value>,
    /// What happened to its subscriptions and payments, the latest first.
    pub billing: Vec<Fact>,
    /// Webhooks that did not reach it, the latest first.
    pub webhooks: Vec<Fact>,
    /// Where it reached its limits, the latest first: those of the member that asks before others.
    pub limits: Vec<Fact>,
    /// What happened to the member that asks, the latest first.
    pub member: Vec<Fact>,
    /// Its tickets, the latest change first.
    pub tickets: Vec<Ticket>,
}

/// What knows of who asks.
pub trait Context {
    /// What there is to know of who asks in a ticket.
    async fn of(&self, ticket: &Ticket) -> Result<TicketContext, PortError>;
}

/// What the tenant's log has told.
pub struct Heard<'a, T>(pub &'a T);

impl<T: Tenant> Context for Heard<'_, T> {
    async fn of(&self, ticket: &Ticket) -> Result<TicketContext, PortError> {
        let requester = &ticket.requester;
        let (filter, facts) = match &requester.customer {
            Some(it) => {
                let facts = store::list_facts(self.0, it).await?;
                (Filter::Customer(it.clone()), facts)
            }
            None => (Filter::Requester(requester.key().to_owned()), Vec::new()),
        };
        let mut tickets = store::list_tickets(self.0, &filter, END, TICKETS_MAX + 1).await?;
        tickets.retain(|it| it.id != ticket.id);
        let of = |kind: &str| facts.iter().filter(|it| it.kind == kind).cloned().collect();
        let mut limits: Vec<Fact> = of("limit");
        // A stable sort: the latest of each half stays first.
        limits.sort_by_key(|it| !is_of(it, requester.member.as_deref()));
        let member = match &requester.member {
            Some(it) => store::list_facts(self.0, it).await?,
            None => Vec::new(),
        };
        let entitlement = facts.iter().find(|it| it.kind == "plan");
        let entitlement = entitlement.and_then(|it| it.fact.get("data").cloned());
        Ok(TicketContext {
            plan: entitlement.as_ref().and_then(named_plan),
            entitlement,
            billing: of("billing"),
            webhooks: of("webhook"),
            limits,
            member,
            tickets,
        })
    }
}

fn is_of(fact: &Fact, member: Option<&str>) -> bool {
    let named = fact.fact.pointer("/data/member").and_then(Value::as_str);
    member.is_some() && named == member
}

fn named_plan(entitlement: &Value) -> Option<String> {
    entitlement.get("plan").and_then(Value::as_str).map(str::to_owned)
}

/// The plan that a customer has now.
///
/// # Errors
/// When the database fails.
pub async fn plan(at: &impl Tenant, customer: Option<&str>) -> Result<Option<String>, PortError> {
    let Some(customer) = customer else { return Ok(None) };
    let facts = store::list_facts(at, customer).await?;
    let plan = facts.iter().find(|it| it.kind == "plan");
    Ok(plan.and_then(|it| named_plan(it.fact.get("data")?)))
}

/// Shows what there is to know of who asks in a ticket.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let ticket = find(at, call).await?;
    Ok(json_response(StatusCode::OK, &Heard(at).of(&ticket).await?))
}

/// What entries tell of customers.
pub fn follow(entries: &[Entry]) -> Commit {
    entries.iter().fold(Commit::new(), |commit, entry| match told(entry) {
        Some((customer, fact)) => commit.and(store::insert_fact(&customer, &fact)),
        None => commit,
    })
}

/// What an entry tells, and of which customer.
fn told(entry: &Entry) -> Option<(String, Fact)> {
    let of_data = || entry.data.get("customer").and_then(Value::as_str).map(str::to_owned);
    let first = entry.action.split('.').next().unwrap_or_default();
    let (kind, customer) = match first {
        "entitlement" => ("plan", Some(entry.subject.clone())),
        "member" => ("member", Some(entry.subject.clone())),
        "quota" | "spend" => ("limit", of_data().or(Some(entry.subject.clone()))),
        "delivery" => ("webhook", of_data()),
        "subscription" | "payment" | "invoice" => ("billing", of_data()),
        _ => ("", None),
    };
    let whole = json!({"action": entry.action, "subject": entry.subject,
        "data": entry.data});
    let short = json!({"action": entry.action, "subject": entry.subject});
    let fact = if whole.to_string().len() <= FACT_BYTES_MAX { whole } else { short };
    let (sequence, at, kind) = (entry.sequence, entry.at, kind.to_owned());
    Some((customer?, Fact { kind, sequence, at, fact }))
}
