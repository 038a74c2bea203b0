//! Who asks: what is known of a request's key and customer before any policy counts.

use serde_json::{Value, json};
use shared::{
    directory::customer_key::{self, Refusal},
    domain::{Principal, Timestamp},
    expression::Expression,
    ports::{Edge, PortError},
    problem::Problem,
};

use super::{
    asked::Asked,
    policy::{OnError, Policy},
};
use crate::quota::shown::{self, UsedUp};

/// A request, and what is known of who makes it.
#[derive(Debug, Default)]
pub struct Caller {
    /// What was asked, with what the key says filled in. The secret is gone.
    pub asked: Asked,
    /// The scopes of the key; none where none was verified.
    pub scopes: Vec<String>,
    /// The plan of the customer.
    pub plan: Option<String>,
    /// Which of the customer's quotas are used up, of those that the request is of.
    pub used_up: Vec<UsedUp>,
}

impl Caller {
    /// Finds out who asks.
    ///
    /// # Errors
    /// When the directory cannot be read. A key that does not hold is no error.
    pub async fn find(
        edge: &impl Edge,
        principal: &Principal,
        asked: &Asked,
        now: Timestamp,
    ) -> Result<Result<Self, Refusal>, PortError> {
        let mut caller = Self { asked: asked.clone(), ..Self::default() };
        if let Some(secret) = caller.asked.secret.take() {
            let app = Some(asked.app.as_str());
            match customer_key::verify(edge, principal, &secret, app, &asked.scopes).await? {
                Ok(key) => {
                    let asked = &mut caller.asked;
                    asked.member = key.member.or(asked.member.take());
                    asked.user = asked.user.take().or_else(|| asked.member.clone());
                    (asked.api_key, asked.customer) = (Some(key.id), Some(key.customer));
                    caller.scopes = key.scopes.0;
                }
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        let asked = &mut caller.asked;
        asked.subject = asked.subject.take().or_else(|| asked.customer.clone());
        if let Some(customer) = &asked.customer {
            let shown = shown::load(edge, principal, customer).await?;
            caller.plan = shown.plan.clone();
            let is_of = |it: &&UsedUp| match &asked.meters {
                Some(meters) => meters.contains(&it.meter),
                None => true,
            };
            // The part of another member leaves this one its own.
            let is_own = |it: &&UsedUp| it.member.is_none() || it.member == asked.member;
            let used_up = shown.used_up.iter().filter(|it| now < it.until);
            let used_up = used_up.filter(is_of).filter(is_own);
            caller.used_up = used_up.cloned().collect();
        }
        Ok(Ok(caller))
    }

    /// Whether the condition of a policy holds for this request.
    ///
    /// # Errors
    /// 422 when it cannot be told, and the policy refuses then.
    pub fn holds(&self, when: &Expression, policy: &Policy, cost: i64) -> Result<bool, Problem> {
        // What is not there is an empty text: a condition can compare it like any other.
        let text = |it: &Option<String>| Value::from(it.as_deref().unwrap_or(""));
        let asked = &self.asked;
        let values = [
            ("api_key", text(&asked.api_key)),
            ("app", json!(asked.app)),
            // No network has the number 0 (RFC 7607), and a number can be compared with another.
            ("asn", json!(asked.asn.unwrap_or(0))),
            ("attributes", json!(asked.attributes)),
            ("cost", json!(cost)),
            ("customer", text(&asked.customer)),
            ("headers", json!(asked.headers)),
            ("ip", text(&asked.ip)),
            ("method", text(&asked.method)),
            ("plan", text(&self.plan)),
            ("route", text(&asked.route)),
            ("scopes", json!(self.scopes)),
            ("user", text(&asked.user)),
        ];
        let bindings = values.each_ref().map(|(name, value)| (*name, value));
        match when.holds(&bindings) {
            Ok(it) => Ok(it),
            Err(_) if policy.on_error == OnError::Admit => Ok(false),
            Err(why) => {
                let why = format!("the condition of {}: {why}", policy.name);
                Err(Problem::unfitting("attributes", why))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::policy::VARIABLES;

    fn policy() -> Policy {
        serde_json::from_value(json!({
            "algorithm": "gcra", "limit": 1, "period_seconds": 1, "key": "all",
        }))
        .unwrap()
    }

    #[test]
    fn a_condition_knows_the_customer_its_plan_and_the_keys_scopes() {
        let asked = Asked { customer: Some("acme".to_owned()), ..Asked::default() };
        let scopes = vec!["a".to_owned(), "b".to_owned()];
        let caller = Caller { asked, scopes, plan: Some("pro".to_owned()), ..Caller::default() };
        let holds = |text| caller.holds(&Expression::parse(text).unwrap(), &policy(), 1).unwrap();

        assert!(holds("customer == 'acme' && plan == 'pro' && 'b' in scopes"));
        assert!(!holds("plan == 'free'") && !holds("'c' in scopes"));
    }

    #[test]
    fn a_condition_knows_the_network() {
        let of = |asn| Caller { asked: Asked { asn, ..Asked::default() }, ..Caller::default() };
        let holds = |caller: &Caller, text| {
            caller.holds(&Expression::parse(text).unwrap(), &policy(), 1).unwrap()
        };

        assert!(holds(&of(Some(64_500)), "asn in [64500, 64501] && asn > 64495"));
        assert!(holds(&of(None), "asn == 0 && !(asn in [64500])"));
    }

    #[test]
    fn each_variable_that_a_condition_may_name_is_there() {
        for name in VARIABLES {
            let when = Expression::parse(&format!("{name} == {name}")).unwrap();
            assert!(Caller::default().holds(&when, &policy(), 1).unwrap(), "{name}");
        }
    }
}
