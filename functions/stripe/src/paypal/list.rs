//! What PayPal lists: events, transactions, disputes, subscriptions.
//!
//! Some of its lists leave out what matters: of those each object is fetched, so that the pages are
//! small.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::{domain::Timestamp, ports::Tenant};

use super::{
    PayPal,
    error::Failure,
    event::{is_plain, link},
    read::{ours, text},
};
use crate::provider::{CallError, List, Listed, PaymentProvider};

/// How many events or transactions are asked for at once.
const PAGE: u32 = 100;
/// How many are, of what is then fetched one by one.
const PAGE_FETCHED: u32 = 10;
/// How far back PayPal's list of transactions reaches in one question.
const WINDOW_SECONDS: i64 = 31 * 86_400;
/// How many such questions are asked: for as long as a payment can be refunded, 180 days.
const WINDOWS: u32 = 6;
/// How many for subscriptions: a year and a month, for those that are paid once a year.
const WINDOWS_SUBSCRIBED: u32 = 13;
/// Most characters of where a page begins.
const CURSOR_CHARS_MAX: usize = 1_000;
/// How far back an earlier try of a charge can be: they go on for three days.
const TRIES_SECONDS: i64 = 4 * 86_400;
/// How many pages of transactions are looked through for it, and how many are on one.
const SEARCHED_MAX: u32 = 20;
const PAGE_SEARCHED: u32 = 500;

impl PayPal {
    pub(super) async fn listed(
        &self,
        at: &impl Tenant,
        what: List,
        since: Option<i64>,
        after: Option<&str>,
    ) -> Result<Listed, CallError> {
        match what {
            List::Events => self.events(at, since, after).await,
            List::Payments => self.payments(at, after).await,
            List::Disputes => self.disputes(at, after).await,
            List::Subscriptions => self.subscriptions(at, after).await,
            // PayPal has no list of them: they are told by events only.
            List::Customers => Ok(Listed::default()),
            // Its accounts have no statements.
            List::Movements => Ok(Listed::default()),
        }
    }

    async fn events(
        &self,
        at: &impl Tenant,
        since: Option<i64>,
        after: Option<&str>,
    ) -> Result<Listed, CallError> {
        let now = at.real_now();
        let from = Timestamp(since.map_or(now.0, |it| it.saturating_mul(1000)));
        let first = format!("page_size={PAGE}&start_time={from}&end_time={now}");
        let page =
            self.get(at, &paged("/v1/notifications/webhooks-events", after, &first)?).await?;
        Ok(Listed { items: items(&page, "/events"), next: next(&page) })
    }

    /// Transactions, newest first: each capture as one, each refund with its capture.
    async fn payments(&self, at: &impl Tenant, after: Option<&str>) -> Result<Listed, CallError> {
        let place = Place::read(after)?;
        let page = self.transactions_page(at, &place, PAGE).await?;
        let mut items = Vec::new();
        for it in rows(&page) {
            match text(it, "/transaction_event_code").unwrap_or_default() {
                // Payments: T00.., refunds of them: T1107 and its like.
                code if code.starts_with("T00") => items.extend(capture(it)),
                code if code.starts_with("T11") => items.extend(self.refund_of(at, it).await?),
                _ => {}
            }
        }
        Ok(Listed { items, next: place.next(&page, WINDOWS) })
    }

    /// PayPal has no list of subscriptions: they are those that were paid for in the last year. One
    /// that was never paid for is told by its events only.
    async fn subscriptions(
        &self,
        at: &impl Tenant,
        after: Option<&str>,
    ) -> Result<Listed, CallError> {
        let place = Place::read(after)?;
        let page = self.transactions_page(at, &place, PAGE_FETCHED).await?;
        let is_paid = |it: &&Value| text(it, "/paypal_reference_id_type") == Some("SUB");
        let paid = rows(&page).filter(is_paid).filter_map(|it| text(it, "/paypal_reference_id"));
        // One that was paid for twice is fetched once.
        let ids: BTreeSet<&str> = paid.filter(|it| is_plain(it)).collect();
        let mut items = Vec::new();
        for id in ids {
            items.push(self.fetch(at, "subscription", id).await?);
        }
        Ok(Listed { items, next: place.next(&page, WINDOWS_SUBSCRIBED) })
    }

    async fn disputes(&self, at: &impl Tenant, after: Option<&str>) -> Result<Listed, CallError> {
        let first = format!("page_size={PAGE_FETCHED}");
        let page = self.get(at, &paged("/v1/customer/disputes", after, &first)?).await?;
        let mut all = Vec::new();
        for it in items(&page, "/items") {
            if let Some(id) = text(&it, "/dispute_id") {
                all.push(self.fetch(at, "dispute", id).await?);
            }
        }
        Ok(Listed { items: all, next: next(&page) })
    }

    async fn transactions_page(
        &self,
        at: &impl Tenant,
        place: &Place,
        size: u32,
    ) -> Result<Value, Failure> {
        let to = at.real_now().seconds() - WINDOW_SECONDS * i64::from(place.window);
        self.transactions_between(at, to - WINDOW_SECONDS, to, place.page, size).await
    }

    async fn transactions_between(
        &self,
        at: &impl Tenant,
        from: i64,
        to: i64,
        number: u32,
        size: u32,
    ) -> Result<Value, Failure> {
        let (from, to) = (Timestamp(from * 1000), Timestamp(to * 1000));
        let query = format!("start_date={from}&end_date={to}&page_size={size}&page={number}");
        let path = format!("/v1/reporting/transactions?fields=transaction_info&{query}");
        self.get(at, &path).await
    }

    /// The capture that a refund is of; nothing when it is of something else.
    async fn refund_of(&self, at: &impl Tenant, row: &Value) -> Result<Option<Value>, CallError> {
        let Some(id) = text(row, "/transaction_id").filter(|it| is_plain(it)) else {
            return Ok(None);
        };
        match self.refunded_capture(at, id).await {
            Ok(it) => Ok(Some(it)),
            Err(err) if err.is_missing() => Ok(None),
            Err(err) => Err(err.into()),
        }
    }

    /// The capture that an earlier try of a charge has left, found by our id of the payment.
    /// PayPal lists a payment up to three hours later, and knows the key of a call for six.
    pub(super) async fn found(
        &self,
        at: &impl Tenant,
        payment: &str,
    ) -> Result<Option<Value>, Failure> {
        let now = at.real_now().seconds();
        for number in 1..=SEARCHED_MAX {
            let from = now - TRIES_SECONDS;
            let page = self.transactions_between(at, from, now, number, PAGE_SEARCHED).await?;
            let is_it = |it: &Value| text(it, "/custom_field") == Some(payment);
            if let Some(row) = rows(&page).find(|it| is_it(it)) {
                let id = text(row, "/transaction_id").filter(|it| is_plain(it));
                let id = id.ok_or_else(|| Failure::later("a transaction without an id"))?;
                let path = format!("/v2/payments/captures/{id}");
                return self.get(at, &path).await.map(|it| Some(named(it, "capture", "id")));
            }
            if number >= pages(&page) {
                return Ok(None);
            }
        }
        Err(Failure::later("an earlier try was not found among too many transactions"))
    }
}

/// An object of PayPal's with its kind, and its id under the usual name.
pub(super) fn named(mut it: Value, kind: &str, id: &str) -> Value {
    let id = it.get(id).cloned();
    if let Some(fields) = it.as_object_mut() {
        fields.insert("object".to_owned(), json!(kind));
        fields.extend(id.map(|id| ("id".to_owned(), id)));
    }
    it
}

/// Where in the transactions a page is: in which window of time, counted back from now, and there
/// on which page.
struct Place {
    window: u32,
    page: u32,
}

impl Place {
    fn read(after: Option<&str>) -> Result<Self, CallError> {
        let (window, page) = after.unwrap_or("0:1").split_once(':').unwrap_or_default();
        match (window.parse(), page.parse()) {
            (Ok(window), Ok(page)) if window < WINDOWS_SUBSCRIBED => Ok(Self { window, page }),
            _ => Err(CallError::Refused("this is no page of the list".to_owned())),
        }
    }

    /// The page after this one, in this window or the one before it.
    fn next(&self, page: &Value, windows: u32) -> Option<String> {
        match self.page < pages(page) {
            true => Some(format!("{}:{}", self.window, self.page.saturating_add(1))),
            false => (self.window + 1 < windows).then(|| format!("{}:1", self.window + 1)),
        }
    }
}

/// How many pages a list of transactions has.
fn pages(page: &Value) -> u32 {
    let pages = page.get("total_pages").and_then(Value::as_u64);
    pages.and_then(|it| it.try_into().ok()).unwrap_or(1)
}

fn items(page: &Value, path: &str) -> Vec<Value> {
    page.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn rows(page: &Value) -> impl Iterator<Item = &Value> {
    let all = page.get("transaction_details").and_then(Value::as_array);
    all.into_iter().flatten().filter_map(|it| it.get("transaction_info"))
}

/// The query of the next page, as PayPal links to it.
fn next(page: &Value) -> Option<String> {
    let query = link(page, &["next"])?.split_once('?')?.1;
    (query.len() <= CURSOR_CHARS_MAX).then(|| query.to_owned())
}

/// The address of a page: only its query is ever PayPal's word.
fn paged(path: &str, after: Option<&str>, first: &str) -> Result<String, CallError> {
    let query = after.unwrap_or(first);
    let plain = query.bytes().all(|it| it.is_ascii_graphic() && it != b'#');
    match plain && query.len() <= CURSOR_CHARS_MAX {
        true => Ok(format!("{path}?{query}")),
        false => Err(CallError::Refused("this is no page of the list".to_owned())),
    }
}

/// A row of a payment of ours as the capture that it is.
fn capture(row: &Value) -> Option<Value> {
    let status = match text(row, "/transaction_status")? {
        "S" => "COMPLETED",
        "V" => "REFUNDED",
        "D" => "DECLINED",
        _ => "PENDING",
    };
    let custom = text(row, "/custom_field")?;
    let mut it = json!({
        "object": "capture", "id": text(row, "/transaction_id")?, "status": status,
        "custom_id": custom, "amount": row.get("transaction_amount")?,
    });
    ours(&it, "pay_")?;
    // What PayPal keeps is written as a movement away.
    let fee = text(row, "/fee_amount/value").map(|it| it.trim_start_matches('-'));
    let currency = text(row, "/fee_amount/currency_code");
    if let (Some(value), Some(currency), Some(fields)) = (fee, currency, it.as_object_mut()) {
        let fee = json!({"paypal_fee": {"value": value, "currency_code": currency}});
        fields.insert("seller_receivable_breakdown".to_owned(), fee);
    }
    Some(it)
}
