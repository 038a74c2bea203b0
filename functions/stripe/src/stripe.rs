//! Stripe, as a payment provider: REST with form-encoded bodies.
//! Source: docs.stripe.com/api.

mod amount;
mod client;
pub mod event;
mod movement;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::{http::HeaderMap, ports::Tenant};

use crate::{
    account::{Account, Secrets},
    mirror::Object,
    movement::Movement,
    provider::{CallError, Charge, Hint, List, Listed, PaymentProvider, Refund, Setup, Unbelieved},
    signature,
};

pub use client::HOME;
pub use read::read;

/// The version of the API that calls are made with, unless the account pins another one.
pub const VERSION: &str = "2025-03-31.basil";
/// How many objects are asked for at once.
const PAGE: &str = "100";

/// Stripe for one account.
pub struct Stripe {
    base: String,
    secrets: Secrets,
    tolerance_seconds: u32,
    version: String,
    connect: Option<String>,
    account: String,
}

impl Stripe {
    /// Stripe with the settings of `account` and its secrets.
    pub fn new(account: &Account, secrets: Secrets) -> Self {
        Self {
            base: account.base_url.clone().unwrap_or_else(|| HOME.to_owned()),
            secrets,
            tolerance_seconds: account.tolerance_seconds,
            version: account.api_version.clone().unwrap_or_else(|| VERSION.to_owned()),
            connect: account.connect.clone(),
            account: account.id.clone(),
        }
    }

    async fn payment(&self, at: &impl Tenant, id: &str) -> Result<Value, CallError> {
        let expand = [
            ("expand[]", "latest_charge.balance_transaction"),
            ("expand[]", "latest_charge.refunds"),
        ];
        self.get(at, &format!("/v1/payment_intents/{id}"), &expand).await
    }

    async fn customer(&self, at: &impl Tenant, id: &str) -> Result<Value, CallError> {
        let expand = [("expand[]", "invoice_settings.default_payment_method")];
        self.get(at, &format!("/v1/customers/{id}"), &expand).await
    }

    /// The customer of a page. Its method is told there as soon as it is.
    async fn set_up_now(&self, at: &impl Tenant, id: &str) -> Result<Value, CallError> {
        let session = self.get(at, &format!("/v1/checkout/sessions/{id}"), &[]).await?;
        let customer = session.get("customer").and_then(event::id_of);
        let customer = customer.filter(|it| event::is_plain(it));
        match customer {
            Some(it) => self.customer(at, &it).await,
            None => Err(CallError::Refused("a page of nobody".to_owned())),
        }
    }
}

impl PaymentProvider for Stripe {
    async fn believe(
        &self,
        at: &impl Tenant,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Unbelieved> {
        let secrets = self.secrets.webhook_at(at.now());
        let header = headers.get("stripe-signature").and_then(|it| it.to_str().ok());
        let now = at.real_now().seconds();
        signature::verify(header, body, &secrets, self.tolerance_seconds, now)
            .map_err(|it| Unbelieved::Refused { word: it.word(), why: it.to_string() })
    }

    fn hint(&self, event: &Value) -> Option<Hint> {
        event::hint(event)
    }

    fn can_fetch(&self, kind: &str, id: &str) -> bool {
        event::is_plain(id) && event::path(kind, id).is_some()
    }

    async fn charge(&self, at: &impl Tenant, it: &Charge) -> Result<Value, CallError> {
        let amount = amount::to_stripe(it.amount, &it.currency)?.to_string();
        let currency = it.currency.to_ascii_lowercase();
        let mut form = vec![
            ("amount", amount.as_str()),
            ("currency", currency.as_str()),
            ("confirm", "true"),
            ("off_session", "true"),
            ("description", it.description.as_str()),
            ("metadata[payment]", it.payment.as_str()),
            ("metadata[customer]", it.customer.as_str()),
            ("expand[]", "latest_charge.balance_transaction"),
        ];
        if let Some(reference) = &it.reference {
            form.push(("customer", reference));
        }
        match &it.method {
            Some(method) => form.push(("payment_method", method)),
            None => form.push(("automatic_payment_methods[enabled]", "true")),
        }
        self.post(at, "/v1/payment_intents", &form, &it.payment).await
    }

    async fn charged(&self, at: &impl Tenant, payment: &str) -> Result<Option<Value>, CallError> {
        if !event::is_plain(payment) {
            return Err(CallError::Refused("an id has letters, digits and _ only".to_owned()));
        }
        let query = format!("metadata['payment']:'{payment}'");
        let query = [("query", query.as_str()), ("limit", "1")];
        let found = self.get(at, "/v1/payment_intents/search", &query).await?;
        let first = found.get("data").and_then(Value::as_array).and_then(|it| it.first());
        // The search is behind by up to a minute; what it found is read as it is.
        match first.and_then(|it| it.get("id")).and_then(Value::as_str) {
            Some(id) => self.payment(at, id).await.map(Some),
            None => Ok(None),
        }
    }

    async fn refund(&self, at: &impl Tenant, it: &Refund) -> Result<Value, CallError> {
        let amount = amount::to_stripe(it.amount, &it.currency)?.to_string();
        let form = [
            ("payment_intent", it.reference.as_str()),
            ("amount", amount.as_str()),
            ("metadata[refund]", it.refund.as_str()),
        ];
        self.post(at, "/v1/refunds", &form, &it.refund).await?;
        self.payment(at, &it.reference).await
    }

    async fn refunded(&self, at: &impl Tenant, it: &Refund) -> Result<Option<Value>, CallError> {
        let query = [("payment_intent", it.reference.as_str()), ("limit", PAGE)];
        let found = self.get(at, "/v1/refunds", &query).await?;
        let all = found.get("data").and_then(Value::as_array).into_iter().flatten();
        let id = |it: &Value| read::metadata(it, "refund");
        match all.filter_map(id).any(|id| id == it.refund) {
            true => self.payment(at, &it.reference).await.map(Some),
            false => Ok(None),
        }
    }

    async fn fetch(&self, at: &impl Tenant, kind: &str, id: &str) -> Result<Value, CallError> {
        match kind {
            "payment_intent" => self.payment(at, id).await,
            "customer" => self.customer(at, id).await,
            "setup" => self.set_up_now(at, id).await,
            event::ENTITLEMENTS => {
                let query = [("customer", id), ("limit", PAGE)];
                let found = self.get(at, "/v1/entitlements/active_entitlements", &query).await?;
                // It has no id of its own at the provider.
                let items = found.get("data").cloned().unwrap_or_default();
                Ok(json!({"id": format!("{id}:entitlements"), "object": kind, "items": items}))
            }
            _ => match event::path(kind, id) {
                Some(path) => self.get(at, &path, &[]).await,
                None => Err(CallError::Refused(format!("nobody fetches a {kind}"))),
            },
        }
    }

    async fn list(
        &self,
        at: &impl Tenant,
        what: List,
        since: Option<i64>,
        after: Option<&str>,
    ) -> Result<Listed, CallError> {
        let (path, more): (_, &[(&str, &str)]) = match what {
            List::Events => ("/v1/events", &[]),
            List::Payments => (
                "/v1/payment_intents",
                &[
                    ("expand[]", "data.latest_charge.balance_transaction"),
                    ("expand[]", "data.latest_charge.refunds"),
                ],
            ),
            List::Disputes => ("/v1/disputes", &[]),
            List::Subscriptions => ("/v1/subscriptions", &[("status", "all")]),
            List::Customers => {
                ("/v1/customers", &[("expand[]", "data.invoice_settings.default_payment_method")])
            }
            List::Movements => ("/v1/balance_transactions", &[("expand[]", "data.source")]),
        };
        let since = since.map(|it| it.to_string());
        let mut query = vec![("limit", PAGE)];
        query.extend(more);
        if let Some(since) = &since {
            query.push(("created[gte]", since));
        }
        if let Some(after) = after {
            query.push(("starting_after", after));
        }
        let page = self.get(at, path, &query).await?;
        let items = page.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
        let last = items.last().and_then(|it| it.get("id")).and_then(Value::as_str);
        let has_more = page.get("has_more").and_then(Value::as_bool).unwrap_or(false);
        let next = last.filter(|_| has_more).map(str::to_owned);
        Ok(Listed { items, next })
    }

    async fn set_up(
        &self,
        at: &impl Tenant,
        customer: &str,
        reference: Option<&str>,
        return_url: &str,
    ) -> Result<Setup, CallError> {
        let reference = match reference {
            Some(it) => it.to_owned(),
            None => {
                let form = [("metadata[customer]", customer)];
                let key = format!("customer:{customer}");
                let made = self.post(at, "/v1/customers", &form, &key).await?;
                let id = made.get("id").and_then(Value::as_str).map(str::to_owned);
                id.ok_or_else(|| CallError::Refused("a customer without an id".to_owned()))?
            }
        };
        let form = [
            ("mode", "setup"),
            ("currency", "eur"),
            ("customer", reference.as_str()),
            ("success_url", return_url),
        ];
        let key = format!("setup:{reference}:{}", at.real_now().0);
        let made = self.post(at, "/v1/checkout/sessions", &form, &key).await?;
        let text = |name: &str| made.get(name).and_then(Value::as_str).map(str::to_owned);
        match (text("id"), text("url")) {
            (Some(id), Some(url)) => Ok(Setup { id, reference, url }),
            _ => Err(CallError::Refused("a session without a page".to_owned())),
        }
    }

    async fn balance(&self, at: &impl Tenant) -> Result<Value, CallError> {
        self.get(at, "/v1/balance", &[]).await
    }

    fn movement(&self, item: &Value) -> Option<Movement> {
        movement::movement(item)
    }

    fn holdings(&self, balance: &Value) -> BTreeMap<String, i64> {
        movement::holdings(balance)
    }

    fn read(&self, object: &Value) -> Option<(String, Object)> {
        read(object)
    }
}
