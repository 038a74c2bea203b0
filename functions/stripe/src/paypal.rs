//! PayPal, as a payment provider: orders that are paid by what a customer has left in its vault.
//! Source: developer.paypal.com/api/rest.

pub mod client;
mod error;
pub mod event;
mod list;
pub mod money;
mod read;
#[cfg(test)]
mod tests;
mod token;
pub mod verify;

use std::cell::RefCell;

use serde_json::{Value, json};
use shared::{http::HeaderMap, ports::Tenant};

use crate::{
    account::{Account, Secrets},
    mirror::Object,
    provider::{CallError, Charge, Hint, List, Listed, PaymentProvider, Refund, Setup, Unbelieved},
};

use error::Failure;
use event::{is_plain, link, path, up};
use list::named;
use read::{captured, ours, text};

pub use read::read;

/// Most characters of what stands on the customer's receipt.
const DESCRIPTION_CHARS_MAX: usize = 127;
/// Ways to pay that are kept in PayPal's vault, and can be charged while nobody is there.
const SOURCES: [&str; 4] = ["paypal", "card", "venmo", "apple_pay"];

/// PayPal for one account.
pub struct PayPal {
    /// Our id of the account.
    account: String,
    base: String,
    client_id: String,
    secret: String,
    /// Which webhooks are believed. None, before PayPal has told the id of ours.
    trust: Option<verify::Trust>,
    token: RefCell<Option<String>>,
}

impl PayPal {
    /// PayPal with the settings of `account` and its secrets.
    pub fn new(account: &Account, secrets: Secrets) -> Self {
        let home = if account.livemode { client::LIVE } else { client::SANDBOX };
        let trust = |webhook_id: &String| verify::Trust {
            webhook_id: webhook_id.clone(),
            roots: account.roots.clone(),
            tolerance_seconds: account.tolerance_seconds,
        };
        Self {
            account: account.id.clone(),
            base: account.base_url.clone().unwrap_or_else(|| home.to_owned()),
            client_id: account.client_id.clone().unwrap_or_default(),
            secret: secrets.api_key,
            trust: account.webhook_id.as_ref().map(trust),
            token: RefCell::default(),
        }
    }

    /// How a charge is paid: by the method in PayPal's vault; without one by whoever approves it
    /// on PayPal's page, whose method is then kept for the next time.
    async fn source(&self, at: &impl Tenant, it: &Charge) -> Result<Value, CallError> {
        let Some(method) = &it.method else {
            let customer = match &it.reference {
                Some(id) => json!({"id": id}),
                None => json!({"merchant_customer_id": it.customer}),
            };
            let vault = json!({"store_in_vault": "ON_SUCCESS", "usage_type": "MERCHANT"});
            return Ok(json!({"paypal": {
                "attributes": {"vault": vault, "customer": customer},
                "experience_context": {
                    "user_action": "PAY_NOW", "shipping_preference": "NO_SHIPPING",
                },
            }}));
        };
        let gone = |why: &str| CallError::Declined {
            code: "METHOD_GONE".to_owned(),
            detail: why.to_owned(),
            object: None,
        };
        let path = path("method", method).ok_or_else(|| gone("this is no method of PayPal's"))?;
        let found = match self.get(at, &path).await {
            Err(err) if err.is_missing() => {
                return Err(gone("the customer has taken the method away"));
            }
            other => other?,
        };
        let kinds = found.get("payment_source").and_then(Value::as_object);
        let kind = kinds.and_then(|it| SOURCES.into_iter().find(|kind| it.contains_key(*kind)));
        let kind = kind.ok_or_else(|| gone("the method is none that can be charged later"))?;
        let mut credential = json!({"payment_initiator": "MERCHANT", "usage": "SUBSEQUENT"});
        if let Some(fields) = credential.as_object_mut().filter(|_| kind == "card") {
            fields.insert("payment_type".to_owned(), json!("UNSCHEDULED"));
        }
        Ok(json!({kind: {"vault_id": method, "stored_credential": credential}}))
    }

    /// Captures an order that is approved; each try is the same call.
    async fn capture(&self, at: &impl Tenant, order: &str) -> Result<Value, Failure> {
        let path = format!("/v2/checkout/orders/{order}/capture");
        let made = self.post(at, &path, &json!({}), Some(order)).await;
        match made {
            Err(err) if err.is("ORDER_ALREADY_CAPTURED") => self.order(at, order).await,
            other => other.map(|it| named(it, "order", "id")),
        }
    }

    async fn order(&self, at: &impl Tenant, id: &str) -> Result<Value, Failure> {
        let found = self.get(at, &format!("/v2/checkout/orders/{id}")).await?;
        Ok(named(found, "order", "id"))
    }

    /// An order as it is. PayPal captures nothing by itself: so an order of ours that its customer
    /// has approved is captured by who looks at it.
    async fn order_now(&self, at: &impl Tenant, id: &str) -> Result<Value, Failure> {
        let mut it = self.order(at, id).await?;
        let unit = it.pointer("/purchase_units/0");
        let is_ours = unit.is_some_and(|it| ours(it, "pay_").is_some());
        if text(&it, "/status") != Some("APPROVED") || !is_ours {
            return Ok(it);
        }
        match self.capture(at, id).await {
            Err(err) => {
                let code = err.decline().map(str::to_owned).ok_or(err)?;
                if let Some(fields) = it.as_object_mut() {
                    fields.insert("refused".to_owned(), json!(code));
                }
                Ok(it)
            }
            done => done,
        }
    }

    async fn charged_now(&self, at: &impl Tenant, it: &Charge) -> Result<Value, CallError> {
        let value = money::written(it.amount, &it.currency);
        let value = value.map_err(|err| CallError::Refused(err.to_string()))?;
        let description: String = it.description.chars().take(DESCRIPTION_CHARS_MAX).collect();
        let mut unit = json!({
            "custom_id": it.payment,
            // PayPal takes an invoice's id once, long after it has forgotten the key of the call.
            "invoice_id": it.payment,
            "amount": {"currency_code": it.currency, "value": value},
        });
        if let Some(fields) = unit.as_object_mut().filter(|_| !description.is_empty()) {
            fields.insert("description".to_owned(), json!(description));
        }
        let source = self.source(at, it).await?;
        let order = json!({
            "intent": "CAPTURE", "purchase_units": [unit], "payment_source": source,
        });
        let made = self.post(at, "/v2/checkout/orders", &order, Some(&it.payment)).await;
        let made = match made {
            Err(err) if err.is("DUPLICATE_INVOICE_ID") => return self.earlier(at, it).await,
            other => named(other?, "order", "id"),
        };
        // With a method it is captured at once, or is to be captured; without, it waits.
        let id = text(&made, "/id").filter(|it| is_plain(it)).map(str::to_owned);
        let waits = matches!(text(&made, "/status"), Some("APPROVED" | "CREATED"));
        match id.filter(|_| it.method.is_some() && waits && captured(&made).is_none()) {
            None => Ok(made),
            Some(id) => match self.capture(at, &id).await {
                Err(err) if err.is("DUPLICATE_INVOICE_ID") => self.earlier(at, it).await,
                // The order says where the customer confirms it.
                Err(err) if err.is("PAYER_ACTION_REQUIRED") => Ok(self.order(at, &id).await?),
                other => Ok(other?),
            },
        }
    }

    /// What an earlier try has left, of which PayPal says that it is there.
    async fn earlier(&self, at: &impl Tenant, it: &Charge) -> Result<Value, CallError> {
        let found = self.found(at, &it.payment).await?;
        // Listed later, or told by a webhook before.
        found.ok_or_else(|| Failure::later("PayPal has this payment, and lists it later").into())
    }

    /// The capture that a refund is of, with the refund in it.
    async fn refunded_capture(&self, at: &impl Tenant, refund: &str) -> Result<Value, Failure> {
        let refund = self.get(at, &format!("/v2/payments/refunds/{refund}")).await?;
        let capture = up(&refund).filter(|it| is_plain(it));
        let capture = capture.ok_or_else(|| Failure::later("a refund of no payment"))?;
        self.with_refunds(at, capture, vec![refund.clone()]).await
    }

    async fn with_refunds(
        &self,
        at: &impl Tenant,
        capture: &str,
        refunds: Vec<Value>,
    ) -> Result<Value, Failure> {
        let found = self.get(at, &format!("/v2/payments/captures/{capture}")).await?;
        let mut it = named(found, "capture", "id");
        if let Some(fields) = it.as_object_mut() {
            fields.insert("refunds".to_owned(), refunds.into());
        }
        Ok(it)
    }

    /// A sale with the refund of it, as version 1 of the API has them.
    async fn refunded_sale(&self, at: &impl Tenant, id: &str) -> Result<Value, Failure> {
        let refund = self.get(at, &format!("/v1/payments/refund/{id}")).await?;
        let sale = text(&refund, "/sale_id").filter(|it| is_plain(it));
        let sale = sale.ok_or_else(|| Failure::later("a refund of no sale"))?;
        let found = self.get(at, &format!("/v1/payments/sale/{sale}")).await?;
        let mut it = named(found, "sale", "id");
        if let Some(fields) = it.as_object_mut() {
            fields.insert("refunds".to_owned(), json!([refund]));
        }
        Ok(it)
    }

    /// A dispute, and our id of the payment that it is of: PayPal names its transaction.
    async fn dispute(&self, at: &impl Tenant, id: &str) -> Result<Value, Failure> {
        let found = self.get(at, &format!("/v1/customer/disputes/{id}")).await?;
        let mut it = named(found, "dispute", "dispute_id");
        let transaction = text(&it, "/disputed_transactions/0/seller_transaction_id");
        let Some(transaction) = transaction.filter(|it| is_plain(it)) else { return Ok(it) };
        let payment = match self.get(at, &format!("/v2/payments/captures/{transaction}")).await {
            // It is of a subscription's sale, or of what is no payment of ours.
            Err(err) if err.is_missing() => None,
            other => ours(&other?, "pay_").map(str::to_owned),
        };
        if let Some(fields) = it.as_object_mut() {
            fields.insert("payment".to_owned(), json!(payment));
        }
        Ok(it)
    }

    /// A customer with its methods. PayPal has nothing else of a customer.
    async fn customer(&self, at: &impl Tenant, id: &str) -> Result<Value, Failure> {
        let path = format!("/v3/vault/payment-tokens?customer_id={id}");
        let found = match self.get(at, &path).await {
            Err(err) if err.is_missing() => Value::Null,
            other => other?,
        };
        let (methods, whose) = (found.get("payment_tokens"), found.get("customer"));
        Ok(json!({"object": "customer", "id": id, "customer": whose, "payment_tokens": methods}))
    }

    /// What a customer has agreed to on PayPal's page becomes a method, once.
    async fn set_up_now(&self, at: &impl Tenant, id: &str) -> Result<Value, Failure> {
        let found = match self.get(at, &format!("/v3/vault/setup-tokens/{id}")).await {
            // It was never agreed to, or became a method long ago.
            Err(err) if err.is_missing() => return Ok(Value::Null),
            other => other?,
        };
        let customer = text(&found, "/customer/id").filter(|it| is_plain(it));
        let customer = customer.ok_or_else(|| Failure::later("a setup of nobody"))?;
        if text(&found, "/status") == Some("APPROVED") {
            let body = json!({"payment_source": {"token": {"id": id, "type": "SETUP_TOKEN"}}});
            self.post(at, "/v3/vault/payment-tokens", &body, Some(id)).await?;
        }
        self.customer(at, customer).await
    }
}

impl PaymentProvider for PayPal {
    async fn believe(
        &self,
        at: &impl Tenant,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Unbelieved> {
        self.believed(at, headers, body).await
    }

    fn hint(&self, event: &Value) -> Option<Hint> {
        event::hint(event)
    }

    fn can_fetch(&self, kind: &str, id: &str) -> bool {
        path(kind, id).is_some()
    }

    async fn charge(&self, at: &impl Tenant, it: &Charge) -> Result<Value, CallError> {
        self.charged_now(at, it).await
    }

    /// Where the app may not look, the key of the call holds for six hours, and after that PayPal's
    /// rule that an invoice's id is paid once.
    async fn charged(&self, at: &impl Tenant, payment: &str) -> Result<Option<Value>, CallError> {
        match self.found(at, payment).await {
            Err(err) if err.is_forbidden() => Ok(None),
            other => Ok(other?),
        }
    }

    async fn refund(&self, at: &impl Tenant, it: &Refund) -> Result<Value, CallError> {
        if !is_plain(&it.reference) {
            return Err(CallError::Refused("an id has letters, digits, - and _ only".to_owned()));
        }
        let value = money::written(it.amount, &it.currency);
        let value = value.map_err(|err| CallError::Refused(err.to_string()))?;
        let body = json!({
            "amount": {"value": value, "currency_code": it.currency}, "custom_id": it.refund,
        });
        let path = format!("/v2/payments/captures/{}/refund", it.reference);
        let made = self.post(at, &path, &body, Some(&it.refund)).await?;
        Ok(self.with_refunds(at, &it.reference, vec![made]).await?)
    }

    /// PayPal knows the key of a refund for 45 days, which is longer than anybody tries: the call
    /// is repeated.
    async fn refunded(&self, _: &impl Tenant, _: &Refund) -> Result<Option<Value>, CallError> {
        Ok(None)
    }

    async fn fetch(&self, at: &impl Tenant, kind: &str, id: &str) -> Result<Value, CallError> {
        let nobody = || CallError::Refused(format!("nobody fetches a {kind}"));
        let path = path(kind, id).ok_or_else(nobody)?;
        Ok(match kind {
            "order" => self.order_now(at, id).await?,
            "refund" => self.refunded_capture(at, id).await?,
            "sale_refund" => self.refunded_sale(at, id).await?,
            "dispute" => self.dispute(at, id).await?,
            "customer" => self.customer(at, id).await?,
            "setup" => self.set_up_now(at, id).await?,
            _ => named(self.get(at, &path).await?, kind, "id"),
        })
    }

    async fn list(
        &self,
        at: &impl Tenant,
        what: List,
        since: Option<i64>,
        after: Option<&str>,
    ) -> Result<Listed, CallError> {
        self.listed(at, what, since, after).await
    }

    /// The setup is fetched when the customer has come back: that makes it a method.
    async fn set_up(
        &self,
        at: &impl Tenant,
        customer: &str,
        reference: Option<&str>,
        return_url: &str,
    ) -> Result<Setup, CallError> {
        let whose = match reference {
            Some(id) => json!({"id": id}),
            None => json!({"merchant_customer_id": customer}),
        };
        let page = json!({"return_url": return_url, "cancel_url": return_url,
            "shipping_preference": "NO_SHIPPING"});
        let source = json!({"usage_type": "MERCHANT", "experience_context": page});
        let body = json!({"customer": whose, "payment_source": {"paypal": source}});
        let key = format!("setup:{customer}:{}", at.real_now().0);
        let made = self.post(at, "/v3/vault/setup-tokens", &body, Some(&key)).await?;
        let url = link(&made, &["approve", "payer-action"]).map(str::to_owned);
        match (text(&made, "/id"), text(&made, "/customer/id"), url) {
            (Some(id), Some(reference), Some(url)) if is_plain(id) => {
                Ok(Setup { id: id.to_owned(), reference: reference.to_owned(), url })
            }
            _ => Err(CallError::Refused("a setup without a customer or a page".to_owned())),
        }
    }

    async fn balance(&self, at: &impl Tenant) -> Result<Value, CallError> {
        let found = self.get(at, "/v1/reporting/balances").await?;
        let all = found.get("balances").and_then(Value::as_array);
        let sum = |name: &str| -> Vec<Value> {
            let one = |it: &Value| {
                let it = it.get(name)?;
                let currency = text(it, "/currency_code")?;
                let amount = money::read(text(it, "/value")?, currency).ok()?;
                Some(json!({"amount": amount, "currency": currency}))
            };
            all.into_iter().flatten().filter_map(one).collect()
        };
        let (available, pending) = (sum("available_balance"), sum("withheld_balance"));
        Ok(json!({"object": "balance", "available": available, "pending": pending}))
    }

    fn read(&self, object: &Value) -> Option<(String, Object)> {
        read(object)
    }
}
