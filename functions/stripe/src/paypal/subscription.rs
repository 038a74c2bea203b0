//! Subscriptions that PayPal keeps, and the plans and products that they are to.
//! Source: developer.paypal.com/docs/api/subscriptions/v1.

use serde_json::{Value, json};
use shared::{domain::Timestamp, ports::Tenant};

use super::{
    PayPal,
    error::Failure,
    event::{is_plain, link},
    money,
    plan_change::{Change, Plan, Step, Tenures, steps},
};
use crate::provider::CallError;

/// How often a plan is paid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// Days.
    Day,
    /// Weeks.
    Week,
    /// Months.
    Month,
    /// Years.
    Year,
}

/// A plan to make.
#[derive(Clone, Debug)]
pub struct NewPlan {
    /// Our name for it: the same one makes the same plan.
    pub key: String,
    /// PayPal's id of the product.
    pub product: String,
    /// Up to 127 characters.
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    /// What the first periods come to, and each after them.
    pub tenures: Tenures,
    /// How long a period is.
    pub unit: Unit,
    /// In units; 1 to 365 days, 52 weeks, 12 months, or a year.
    pub count: u32,
}

/// A subscription to make.
#[derive(Clone, Debug)]
pub struct NewSubscription {
    /// Our name for it: the same one makes the same subscription.
    pub key: String,
    /// PayPal's id of the plan.
    pub plan: String,
    /// How many.
    pub quantity: u32,
    /// The tenant's own name for the customer.
    pub customer: String,
    /// When the first period begins; now when left out.
    pub starts_at: Option<Timestamp>,
}

/// A subscription whose plan is changed.
#[derive(Clone, Debug)]
pub struct Subject {
    /// PayPal's id of it.
    pub subscription: String,
    /// PayPal's id of the product that its plans are of.
    pub product: String,
    /// What a plan that is made for the change is called.
    pub name: String,
    /// How long a period of the new plan is.
    pub unit: Unit,
    /// In units.
    pub count: u32,
    /// The tenant's own name for the customer.
    pub customer: String,
}

/// A subscription that was asked for or changed: where the customer agrees, if it has to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Agreed {
    /// PayPal's id of it.
    pub subscription: String,
    /// The page on which the customer agrees.
    pub url: Option<String>,
}

impl Unit {
    fn word(self) -> &'static str {
        match self {
            Self::Day => "DAY",
            Self::Week => "WEEK",
            Self::Month => "MONTH",
            Self::Year => "YEAR",
        }
    }
}

fn fits(id: &str) -> Result<&str, CallError> {
    match is_plain(id) {
        true => Ok(id),
        false => Err(CallError::Refused("an id has letters, digits, - and _ only".to_owned())),
    }
}

fn id_of(made: &Value) -> Result<String, CallError> {
    let id = made.get("id").and_then(Value::as_str).map(str::to_owned);
    id.ok_or_else(|| Failure::later("PayPal answered without an id").into())
}

impl PayPal {
    /// Makes a product, of which plans are. Gives PayPal's id of it.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn make_product(
        &self,
        at: &impl Tenant,
        key: &str,
        name: &str,
    ) -> Result<String, CallError> {
        let body = json!({"name": name, "type": "SERVICE"});
        id_of(&self.post(at, "/v1/catalogs/products", &body, Some(key)).await?)
    }

    /// Makes a plan. Gives PayPal's id of it.
    ///
    /// # Errors
    /// Why there is none; [`CallError::Refused`] for an amount that PayPal does not take.
    pub async fn make_plan(&self, at: &impl Tenant, new: &NewPlan) -> Result<String, CallError> {
        let cycles = cycles(new).map_err(|err| CallError::Refused(err.to_string()))?;
        let body = json!({
            "product_id": new.product, "name": new.name, "status": "ACTIVE",
            "billing_cycles": cycles, "quantity_supported": true,
            "payment_preferences": {"auto_bill_outstanding": true, "payment_failure_threshold": 3},
        });
        id_of(&self.post(at, "/v1/billing/plans", &body, Some(&new.key)).await?)
    }

    /// Asks for a subscription. It begins when the customer has agreed.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn subscribe(
        &self,
        at: &impl Tenant,
        new: &NewSubscription,
    ) -> Result<Agreed, CallError> {
        let mut body = json!({
            "plan_id": new.plan, "quantity": new.quantity.to_string(), "custom_id": new.customer,
            "application_context": {
                "shipping_preference": "NO_SHIPPING", "user_action": "SUBSCRIBE_NOW",
            },
        });
        if let (Some(start), Some(body)) = (new.starts_at, body.as_object_mut()) {
            body.insert("start_time".to_owned(), json!(start));
        }
        let made = self.post(at, "/v1/billing/subscriptions", &body, Some(&new.key)).await?;
        Ok(Agreed {
            subscription: id_of(&made)?,
            url: link(&made, &["approve"]).map(str::to_owned),
        })
    }

    /// Moves a subscription to another plan or quantity, from its next period on. The customer may
    /// have to agree, and until then nothing changes.
    ///
    /// # Errors
    /// Why it stays as it is.
    pub async fn revise(
        &self,
        at: &impl Tenant,
        subscription: &str,
        plan: &str,
        quantity: u32,
        key: &str,
    ) -> Result<Agreed, CallError> {
        let body = json!({"plan_id": plan, "quantity": quantity.to_string()});
        let path = format!("/v1/billing/subscriptions/{}/revise", fits(subscription)?);
        let revised = self.post(at, &path, &body, Some(key)).await?;
        let url = link(&revised, &["approve"]).map(str::to_owned);
        Ok(Agreed { subscription: subscription.to_owned(), url })
    }

    /// Changes the plan of a subscription, as [`steps`] has it, once what is charged now is paid:
    /// that is asked for as any payment is. `key` is our id of the change. Where a new subscription
    /// takes the place of the old one, the old one is [cancelled](Self::cancel) when the new one is
    /// active, and not here: the customer has to agree first.
    ///
    /// # Errors
    /// Why the plan stays as it is.
    pub async fn change_plan(
        &self,
        at: &impl Tenant,
        key: &str,
        it: &Subject,
        change: &Change,
    ) -> Result<Agreed, CallError> {
        let steps = steps(change).map_err(|err| CallError::Refused(err.to_string()))?;
        for step in steps {
            match step {
                Step::Charge(_) | Step::CancelOld => {}
                Step::Revise(plan) => {
                    let (plan, quantity) =
                        self.planned(at, key, it, &change.currency, plan).await?;
                    return self.revise(at, &it.subscription, &plan, quantity, key).await;
                }
                Step::Subscribe { plan, starts_at } => {
                    let (plan, quantity) =
                        self.planned(at, key, it, &change.currency, plan).await?;
                    let (key, customer) = (key.to_owned(), it.customer.clone());
                    let starts_at = Some(starts_at);
                    let new = NewSubscription { key, plan, quantity, customer, starts_at };
                    return self.subscribe(at, &new).await;
                }
            }
        }
        Err(CallError::Refused("the change has no step for its plan".to_owned()))
    }

    /// The plan of a step, made if it is this change's own, and how many of it.
    async fn planned(
        &self,
        at: &impl Tenant,
        key: &str,
        it: &Subject,
        currency: &str,
        plan: Plan,
    ) -> Result<(String, u32), CallError> {
        match plan {
            Plan::Usual { plan, quantity } => Ok((plan, quantity)),
            Plan::Made(tenures) => {
                let new = NewPlan {
                    key: key.to_owned(),
                    product: it.product.clone(),
                    name: it.name.clone(),
                    currency: currency.to_owned(),
                    tenures,
                    unit: it.unit,
                    count: it.count,
                };
                Ok((self.make_plan(at, &new).await?, 1))
            }
        }
    }

    /// Ends a subscription at once. One that has ended is left alone.
    ///
    /// # Errors
    /// Why it goes on.
    pub async fn cancel(
        &self,
        at: &impl Tenant,
        subscription: &str,
        reason: &str,
    ) -> Result<(), CallError> {
        self.turn(at, subscription, "cancel", reason, &["CANCELLED", "EXPIRED"]).await
    }

    /// Has a subscription ask for no money until it is activated.
    ///
    /// # Errors
    /// Why it goes on.
    pub async fn suspend(
        &self,
        at: &impl Tenant,
        subscription: &str,
        reason: &str,
    ) -> Result<(), CallError> {
        self.turn(at, subscription, "suspend", reason, &["SUSPENDED"]).await
    }

    /// Has a suspended subscription go on.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn activate(
        &self,
        at: &impl Tenant,
        subscription: &str,
        reason: &str,
    ) -> Result<(), CallError> {
        self.turn(at, subscription, "activate", reason, &["ACTIVE"]).await
    }

    /// Calls for another state. These calls take no key of ours: so a refusal counts as done when
    /// the subscription is there already, by an earlier try whose answer was lost.
    async fn turn(
        &self,
        at: &impl Tenant,
        subscription: &str,
        verb: &str,
        reason: &str,
        done: &[&str],
    ) -> Result<(), CallError> {
        let id = fits(subscription)?;
        let body = json!({"reason": reason});
        let path = format!("/v1/billing/subscriptions/{id}/{verb}");
        let Err(refusal) = self.post(at, &path, &body, None).await else { return Ok(()) };
        if !refusal.is("SUBSCRIPTION_STATUS_INVALID") {
            return Err(refusal.into());
        }
        let found = self.get(at, &format!("/v1/billing/subscriptions/{id}")).await?;
        match found.get("status").and_then(Value::as_str).is_some_and(|it| done.contains(&it)) {
            true => Ok(()),
            false => Err(refusal.into()),
        }
    }

    /// The payments of a subscription between two moments, as PayPal lists them.
    ///
    /// # Errors
    /// Why there is no list.
    pub async fn transactions(
        &self,
        at: &impl Tenant,
        subscription: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Value>, CallError> {
        let id = fits(subscription)?;
        let query = format!("start_time={from}&end_time={to}");
        let path = format!("/v1/billing/subscriptions/{id}/transactions?{query}");
        let found = self.get(at, &path).await?;
        Ok(found.get("transactions").and_then(Value::as_array).cloned().unwrap_or_default())
    }
}

/// The periods of a plan as PayPal has them: trials first, and one that goes on for ever.
fn cycles(new: &NewPlan) -> Result<Vec<Value>, money::Unfit> {
    let frequency = json!({"interval_unit": new.unit.word(), "interval_count": new.count});
    let cycle = |tenure: &str, price: i64, times: u32, sequence: usize| {
        let value = money::written(price, &new.currency)?;
        let price = json!({"fixed_price": {"value": value, "currency_code": new.currency}});
        Ok(json!({
            "frequency": frequency, "tenure_type": tenure, "sequence": sequence,
            "total_cycles": times, "pricing_scheme": price,
        }))
    };
    let trials = new.tenures.trials.iter().zip(1..);
    let trials = trials.map(|(it, sequence)| cycle("TRIAL", it.price, it.periods, sequence));
    // Zero times is for ever.
    let regular = cycle("REGULAR", new.tenures.price, 0, new.tenures.trials.len() + 1);
    trials.chain([regular]).collect()
}
