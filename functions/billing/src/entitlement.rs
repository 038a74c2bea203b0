//! Entitlements: what a customer may do because of what it pays. Whoever enforces it follows
//! `entitlement.changed`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Id, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    period::Zone,
    store,
    subscription::{SUBSCRIPTIONS_MAX, Subscription},
};

/// What a customer has, by all of its subscriptions together.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Entitlement {
    /// Whose it is.
    pub customer: String,
    /// The plan of quotas: of the oldest subscription that grants one.
    pub plan: Option<String>,
    /// From when its windows count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Timestamp>,
    /// In which zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub zone: Option<Zone>,
    /// How many seats there are.
    pub seats: u32,
    /// Features by name: true wins over false, the largest number wins, and of texts the oldest.
    pub features: BTreeMap<String, Value>,
}

/// What these subscriptions of `customer` grant, oldest first.
pub fn granted(customer: &str, all: &[Subscription]) -> Entitlement {
    let none = Entitlement {
        customer: customer.to_owned(),
        plan: None,
        anchor: None,
        zone: None,
        seats: 0,
        features: BTreeMap::new(),
    };
    all.iter().filter(|it| it.granting).fold(none, |mut sum, it| {
        if sum.plan.is_none() {
            sum.plan = Some(it.grants.usage_plan.clone());
            (sum.anchor, sum.zone) = (Some(it.anchor), Some(it.zone));
        }
        sum.seats = sum.seats.saturating_add(it.seats);
        for (name, value) in &it.grants.features {
            let best = sum.features.get(name).map_or_else(|| value.clone(), |it| better(it, value));
            sum.features.insert(name.clone(), best);
        }
        sum
    })
}

fn better(one: &Value, other: &Value) -> Value {
    let wins = match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => *other && !*one,
        (Value::Number(one), Value::Number(other)) => other.as_f64() > one.as_f64(),
        _ => false,
    };
    if wins { other.clone() } else { one.clone() }
}

/// Notes on `after` what it grants now, and the entry that tells it, if the customer has something
/// else than before.
///
/// # Errors
/// When its other subscriptions cannot be read.
pub async fn tell(at: &impl Tenant, after: &mut Subscription) -> Result<Commit, PortError> {
    after.granting = after.has_benefits(at.now());
    let mut all = store::list_subscriptions_of(at, &after.customer, "", SUBSCRIPTIONS_MAX).await?;
    let was = granted(&after.customer, &all);
    match all.iter_mut().find(|it| it.id == after.id) {
        Some(it) => *it = after.clone(),
        None => all.push(after.clone()),
    }
    let is = granted(&after.customer, &all);
    if was == is {
        return Ok(Commit::new());
    }
    let subject = Id::trusted(after.customer.clone());
    Ok(Commit::new().entry(Draft::new("entitlement.changed", &subject).with(json!(is))))
}

/// Reads what a customer has.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let customer = crate::customer_of(at, call).await?;
    let all = store::list_subscriptions_of(at, &customer.id, "", SUBSCRIPTIONS_MAX).await?;
    Ok(json_response(StatusCode::OK, &granted(&customer.id, &all)))
}
