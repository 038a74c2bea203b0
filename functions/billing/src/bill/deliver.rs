//! Delivering: a bill that is finalised, or is asked for again, is drawn and requested; what is
//! told of it is followed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Entry, Failure, Id, Job, NewJob, sha256_hex},
    http::{Response, StatusCode, json as json_response},
    ports::{Admission, Blobs, HANDED_ON, PortError, Rate, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    Bill, BillKind,
    close::Parties,
    credit::wrong_state,
    delivery::{Addressee, DELIVERIES_MAX, Delivery, DeliveryState},
    file,
    handle::find,
};
use crate::{catalogue::is_mail, customer::Customer, store};

/// Draws a bill and requests its delivery.
pub const DELIVER: &str = "billing.deliver";
/// What is followed: what becomes of notices.
pub const FOLLOWS: &str = "notice.";
/// How often one bill is sent again.
const AGAIN: Rate = Rate { limit: 5, period: Duration::from_secs(60 * 60) };
/// How often one customer has its bills sent, by itself.
const BY_ITSELF: Rate = Rate { limit: 20, period: Duration::from_secs(24 * 60 * 60) };
/// How much of a digest tells documents of a bill apart, in characters.
const DIGEST_CHARS: usize = 16;

/// To whom a bill is sent again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = NewInvoiceDelivery)]
pub struct NewDelivery {
    /// The address; the customer's when left out.
    pub email: Option<String>,
    /// The name, up to 200 characters; the customer's when left out.
    pub name: Option<String>,
    /// The language of the mail, as `de`; the customer's when left out.
    pub locale: Option<String>,
}

/// The deliveries of a bill.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InvoiceDeliveries)]
pub struct Deliveries {
    /// Oldest first.
    pub items: Vec<Delivery>,
}

/// What delivers a bill that was just finalised, if it is to be: by the customer's word, or by that
/// of who sells.
///
/// # Errors
/// When there is no id to be had.
pub fn finalised(at: &impl Tenant, parties: &Parties, bill: &Bill) -> Result<Commit, Problem> {
    let wanted = parties.customer.mails_bills.unwrap_or(parties.entity.mails_bills);
    match wanted && !parties.customer.email.is_empty() {
        true => Ok(queued(&made(at, bill, addressee(&parties.customer))?)),
        false => Ok(Commit::new()),
    }
}

fn addressee(it: &Customer) -> Addressee {
    let (email, name) = (it.email.clone(), it.party.name.clone());
    Addressee { email, name, locale: it.locale.clone() }
}

fn made(at: &impl Tenant, bill: &Bill, to: Addressee) -> Result<Delivery, PortError> {
    let now = at.now();
    Ok(Delivery {
        id: at.new_id("bdl")?.to_string(),
        invoice: bill.id.clone(),
        to,
        state: DeliveryState::Queued,
        why: None,
        sha256: None,
        asked_at: now,
        sent_at: None,
        changed_at: now,
    })
}

fn queued(it: &Delivery) -> Commit {
    let job = NewJob::new(DELIVER, format!("{DELIVER}:{}", it.id), json!({"id": it.id}));
    store::insert_delivery(it).job(job)
}

/// Sends it to the customer again, or to another address.
pub async fn send(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let new = match call.request.body().is_empty() {
        true => NewDelivery::default(),
        false => call.json()?,
    };
    let bill = find(at, call).await?;
    if bill.number.is_none() {
        return Err(wrong_state("a draft is not sent: finalise it first"));
    }
    let customer = store::find_customer(at, &bill.customer).await?;
    let to = chosen(customer.as_ref().map(addressee), new)?;
    let before = store::list_deliveries(at, &bill.id, DELIVERIES_MAX).await?;
    if before.len() >= DELIVERIES_MAX as usize {
        let instead = "give the document to its reader by another way";
        return Err(Problem::full_list(DELIVERIES_MAX, "deliveries of an invoice", instead));
    }
    admitted(at, &format!("billing:send:{}", bill.id), AGAIN).await?;
    if let Some(customer) = &at.principal().customer {
        admitted(at, &format!("billing:sends:{customer}"), BY_ITSELF).await?;
    }
    let it = made(at, &bill, to)?;
    let entry = Draft::new("invoice.send_asked", &Id::trusted(bill.id.clone()))
        .with(json!({"delivery": it.id, "customer": bill.customer, "to": it.to.email}));
    let response = json_response(StatusCode::ACCEPTED, &it);
    at.answer(queued(&it).entry(entry), response, Problem::changed_meanwhile).await
}

/// Who is meant: the customer, but for what was said.
fn chosen(customer: Option<Addressee>, new: NewDelivery) -> Result<Addressee, Problem> {
    let none = || Addressee { email: String::new(), name: String::new(), locale: "en".to_owned() };
    let customer = customer.unwrap_or_else(none);
    let it = Addressee {
        email: new.email.unwrap_or(customer.email),
        name: new.name.unwrap_or(customer.name),
        locale: new.locale.unwrap_or(customer.locale),
    };
    if !is_mail(&it.email) {
        return Err(Problem::unfitting("email", "an e-mail address, as billing@example.com"));
    }
    if it.name.chars().count() > 200 {
        return Err(Problem::unfitting("name", "up to 200 characters"));
    }
    if !crate::catalogue::is_locale(&it.locale) {
        return Err(Problem::unfitting("locale", "a tag of BCP 47, as de or pt-BR"));
    }
    Ok(it)
}

async fn admitted(at: &impl Tenant, key: &str, rate: Rate) -> Result<(), Problem> {
    match at.admit(key, rate).await? {
        Admission::Admitted => Ok(()),
        Admission::Refused(wait) => Err(Problem::too_many(wait)),
    }
}

/// Lists what became of each.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let bill = find(at, call).await?;
    let items = store::list_deliveries(at, &bill.id, DELIVERIES_MAX).await?;
    Ok(json_response(StatusCode::OK, &Deliveries { items }))
}

/// Draws the document, leaves it as a blob, and requests the delivery.
///
/// # Errors
/// The failure, when another try may mend it.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(it) = queued_one(at, &id).await? else { return Ok(Commit::new()) };
    let Some(bill) = store::find_bill(at, &it.invoice).await? else { return Ok(Commit::new()) };
    match requested(at, it.clone(), &bill).await {
        Ok(commit) => Ok(commit),
        Err(why) if why.status().is_client_error() || job.is_last() => {
            Ok(failed(at, it, &bill, &why.words()))
        }
        Err(why) => Err(crate::failed(why)),
    }
}

/// Writes down that a bill is not delivered whose drawer died with it each time.
///
/// # Errors
/// When the database fails.
pub async fn give_up(at: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
    let Ok(id) = job.subject() else { return Ok(Commit::new()) };
    let Some(it) = queued_one(at, &id).await? else { return Ok(Commit::new()) };
    let Some(bill) = store::find_bill(at, &it.invoice).await? else { return Ok(Commit::new()) };
    Ok(failed(at, it, &bill, "no try to draw it came to an end"))
}

async fn queued_one(at: &impl Tenant, id: &Id) -> Result<Option<Delivery>, PortError> {
    let found = store::find_deliveries(at, &[id.as_str()]).await?.into_iter().next();
    Ok(found.filter(|it| it.state == DeliveryState::Queued))
}

async fn requested(at: &impl Tenant, it: Delivery, bill: &Bill) -> Result<Commit, Problem> {
    let drawn = file::drawn(at, bill).await?;
    let (sha256, size) = (sha256_hex(&drawn.pdf), drawn.pdf.len());
    // The same document has the same name, and no other document ever has it.
    let digest: String = sha256.chars().take(DIGEST_CHARS).collect();
    let blob = format!("{HANDED_ON}billing/{}.{digest}.pdf", bill.id);
    at.blobs().put(&blob, stream::iter([Ok(Bytes::from(drawn.pdf))])).await?;
    let mut after = it.clone();
    after.becomes(DeliveryState::Requested, None, at.now());
    after.sha256 = Some(sha256.clone());
    let data = json!({
        "invoice": bill.id, "number": bill.number, "customer": bill.customer,
        "preceding": bill.preceding.as_ref().map(|it| &it.number),
        "currency": bill.currency, "net": bill.totals.net, "tax": bill.totals.tax,
        "gross": bill.totals.gross, "due": bill.left(), "due_at": bill.due_at,
        "words": drawn.said, "to": it.to,
        "files": [{"blob": blob, "name": file::name(bill, "pdf"), "type": "application/pdf",
            "sha256": sha256, "bytes": size}],
    });
    let entry = Draft::new(
        action(bill, ["invoice.delivery_requested", "credit_note.delivery_requested"]),
        &Id::trusted(it.id),
    )
    .with(data);
    Ok(store::update_delivery(&after, DeliveryState::Queued).entry(entry))
}

fn failed(at: &impl Tenant, it: Delivery, bill: &Bill, why: &str) -> Commit {
    let mut after = it;
    after.becomes(DeliveryState::Failed, Some(why), at.now());
    let action = action(bill, ["invoice.delivery_failed", "credit_note.delivery_failed"]);
    let data = json!({"invoice": bill.id, "customer": bill.customer, "why": after.why});
    let entry = Draft::new(action, &Id::trusted(after.id.clone())).with(data);
    store::update_delivery(&after, DeliveryState::Queued).entry(entry)
}

/// The first word for an invoice, the second for a credit note.
fn action(bill: &Bill, [invoice, credit_note]: [&'static str; 2]) -> &'static str {
    match bill.kind {
        BillKind::Invoice => invoice,
        BillKind::CreditNote => credit_note,
    }
}

/// What entries of notifications change: which notices are of deliveries, and how far those are.
///
/// # Errors
/// When the database fails.
pub async fn follow(at: &impl Tenant, entries: &[Entry]) -> Result<Commit, PortError> {
    let told: Vec<_> = entries.iter().filter(|it| it.action.starts_with(FOLLOWS)).collect();
    let notices: BTreeSet<_> = told.iter().map(|it| it.subject.as_str()).collect();
    if notices.is_empty() {
        return Ok(Commit::new());
    }
    let mut of = store::find_notices(at, &notices).await?;
    let mut commit = Commit::new();
    for entry in told.iter().filter(|it| it.action == "notice.created") {
        if let Some(delivery) = delivery_of(entry) {
            of.insert(entry.subject.clone(), delivery.to_owned());
            commit = commit.and(store::insert_notice(&entry.subject, delivery));
        }
    }
    // What a rule refuses has no notice: it says itself of what it would have been.
    let refused = told.iter().filter(|it| it.action == "notice.refused");
    let ids: BTreeSet<&str> =
        of.values().map(String::as_str).chain(refused.filter_map(|it| delivery_of(it))).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let found = store::find_deliveries(at, &ids).await?;
    let mut found: BTreeMap<_, _> =
        found.into_iter().map(|it| (it.id.clone(), (it, false))).collect();
    for entry in told {
        let id = match entry.action.as_str() {
            "notice.refused" => delivery_of(entry),
            _ => of.get(&entry.subject).map(String::as_str),
        };
        if let Some((it, changed)) = id.and_then(|it| found.get_mut(it)) {
            *changed |= it.hears(&entry.action, &entry.data, entry.at);
        }
    }
    let changed = found.into_values().filter(|it| it.1);
    Ok(changed.fold(commit, |it, (one, _)| it.and(store::put_delivery(&one))))
}

/// The delivery that a notice was made of, or was to be.
fn delivery_of(entry: &Entry) -> Option<&str> {
    let text = |path: &str| entry.data.pointer(path).and_then(Value::as_str);
    let is_ours = text("/of/action")?.ends_with(".delivery_requested");
    text("/of/subject").filter(|it| is_ours && Id::parse("bdl", it).is_some())
}
