//! Bills over HTTP.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Draft, Id, Page},
    http::{Response, StatusCode, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    Bill, BillKind, BillState, close,
    credit::wrong_state,
    draft,
    line::{BillLine, LINES_MAX, NAME_CHARS_MAX},
    pay,
};
use crate::{
    entity::Entity,
    money::{AMOUNT_MAX, Currency},
    payment::{self, Payment, PaymentState},
    store,
};

/// What an invoice is made from that is for no subscription.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvoice {
    /// Who owes.
    pub customer: String,
    /// The currency.
    pub currency: Currency,
    /// 1 to 500 lines.
    pub lines: Vec<NewLine>,
    /// What the reader should know, up to 2000 characters.
    #[serde(default)]
    pub note: Option<String>,
    /// Whether it is finalised and collected at once; otherwise it stays a draft.
    #[serde(default)]
    pub finalise: bool,
}

/// A line of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewInvoiceLine)]
pub struct NewLine {
    /// What it is, up to 200 characters.
    pub name: String,
    /// How many: 1 when left out.
    #[serde(default)]
    pub quantity: Option<u32>,
    /// What one costs, in minor units without tax.
    pub unit_amount: i64,
    /// The tax class, as the customer's entity defines it; the standard rate when left out.
    #[serde(default)]
    pub tax_class: Option<String>,
}

/// A payment that came by another way.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPayment {
    /// How much, in minor units; all that is left when left out.
    #[serde(default)]
    pub amount: Option<i64>,
    /// What the bank calls it.
    #[serde(default)]
    pub reference: Option<String>,
}

/// The payments of an invoice.
#[derive(Debug, Serialize, ToSchema)]
pub struct Payments {
    /// Oldest first.
    pub items: Vec<Payment>,
}

/// Lists bills, oldest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let acting = at.principal().customer.clone();
    let customer = acting.or_else(|| call.query("customer").map(Into::into));
    let found = match (&customer, call.query("subscription")) {
        (Some(it), _) => store::list_bills_of(at, it, after, limit + 1).await?,
        (None, Some(it)) => store::list_bills_by(at, &it, after, limit + 1).await?,
        (None, None) => store::list_bills(at, after, limit + 1).await?,
    };
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.id.clone())))
}

/// The one that the path names, or the 404 that everybody gets, also for another customer's.
pub async fn find(at: &impl Tenant, call: &Call) -> Result<Bill, Problem> {
    let id = call.id("inv")?;
    let found = store::find_bill(at, id.as_str()).await?.ok_or_else(Problem::not_found)?;
    crate::customer::check(at, call, &found.customer, found.version)?;
    Ok(found)
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &find(at, call).await?))
}

fn answer(status: StatusCode, it: &Bill) -> Response {
    with_header(json_response(status, it), header::ETAG, &etag(it.version))
}

/// Reads its payments.
pub async fn payments(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let bill = find(at, call).await?;
    let items = store::list_payments(at, &bill.id, payment::PAYMENTS_MAX).await?;
    Ok(json_response(StatusCode::OK, &Payments { items }))
}

/// Makes one that is for no subscription.
pub async fn create(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let new: NewInvoice = call.json()?;
    let parties = close::Parties::of(at, &new.customer).await?;
    let mut bill = draft::begin(at, &parties.customer, new.currency)?;
    bill.lines = lines(&new.lines, &parties.entity)?;
    if new.note.as_ref().is_some_and(|it| it.chars().count() > 2_000) {
        return Err(Problem::unfitting("note", "up to 2000 characters"));
    }
    bill.note = new.note;
    let commit = match new.finalise {
        true => {
            let closed = close::close(at, &parties, &mut bill).await?;
            closed.and(store::insert_bill(&bill))
        }
        false => draft::write(at, &parties.entity, bill.clone()),
    };
    bill.totals.net = bill.net().map_err(draft::too_large)?;
    let response = answer(StatusCode::CREATED, &bill);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

fn lines(new: &[NewLine], entity: &Entity) -> Result<Vec<BillLine>, Problem> {
    if !(1..=LINES_MAX).contains(&new.len()) {
        return Err(Problem::unfitting("lines", format!("1 to {LINES_MAX}")));
    }
    let line = |(number, it): (usize, &NewLine)| {
        let at = |field: &str| format!("lines[{number}].{field}");
        if it.name.is_empty() || it.name.chars().count() > NAME_CHARS_MAX {
            return Err(Problem::unfitting(&at("name"), "1 to 200 characters"));
        }
        let quantity = i64::from(it.quantity.unwrap_or(1));
        if quantity < 1 {
            return Err(Problem::unfitting(&at("quantity"), "1 or more"));
        }
        let amount = it.unit_amount.checked_mul(quantity);
        let amount = amount.filter(|_| (0..=AMOUNT_MAX).contains(&it.unit_amount));
        let amount = amount.filter(|it| *it <= AMOUNT_MAX);
        let why = format!("0 to {AMOUNT_MAX} minor units, all of them together as well");
        let amount = amount.ok_or_else(|| Problem::unfitting(&at("unit_amount"), why))?;
        entity
            .class(it.tax_class.as_deref())
            .map_err(|why| Problem::unfitting(&at("tax_class"), why))?;
        let one = BillLine::one(it.name.clone(), amount, None).of_class(it.tax_class.clone());
        Ok(BillLine { quantity, unit_amount: it.unit_amount, ..one })
    };
    new.iter().enumerate().map(line).collect()
}

/// Finalises a draft now. One that waits for its meters asks them now, and is finalised by their
/// answers; with `?without_usage=true` that is left out for good.
pub async fn finalise(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let mut bill = find(at, call).await?;
    if bill.state != BillState::Draft || bill.applies.is_some() {
        return Err(wrong_state("only a draft that waits for no payment is finalised"));
    }
    bill.version += 1;
    bill.held = None;
    let without = call.query("without_usage").as_deref() == Some("true");
    if !bill.awaiting.is_empty() && !without {
        bill.draft_until = Some(at.now());
        let again = crate::late::ask(at, &mut bill).await?;
        let commit = again.and(draft::ask(&bill)).and(store::update_bill(&bill));
        let response = answer(StatusCode::ACCEPTED, &bill);
        return at.answer(commit, response, Problem::changed_meanwhile).await;
    }
    let left_out = crate::late::leave_out(at, &mut bill).await?;
    let commit = close::finish(at, &mut bill).await?;
    let commit = commit.and(left_out).and(store::update_bill(&bill));
    at.answer(commit, answer(StatusCode::OK, &bill), Problem::changed_meanwhile).await
}

/// Drops a draft. What was used is forgiven with it, also what comes late.
pub async fn drop(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let mut bill = find(at, call).await?;
    if bill.state != BillState::Draft || bill.applies.is_some() {
        return Err(wrong_state("what has a number is taken back by a credit note"));
    }
    bill.version += 1;
    bill.state = BillState::Void;
    let entry = Draft::new("invoice.dropped", &Id::trusted(bill.id.clone()));
    let forgiven = crate::late::forgive(at, &bill).await?;
    let commit = store::update_bill(&bill).entry(entry).and(forgiven);
    at.answer(commit, answer(StatusCode::OK, &bill), Problem::changed_meanwhile).await
}

/// Notes a payment that came by another way.
pub async fn record(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let new: NewPayment = call.json()?;
    let bill = owed(at, call).await?;
    let amount = new.amount.unwrap_or_else(|| bill.left_of_due());
    if !(1..=AMOUNT_MAX).contains(&amount) {
        return Err(Problem::unfitting("amount", format!("1 to {AMOUNT_MAX} minor units")));
    }
    if new.reference.as_ref().is_some_and(|it| it.chars().count() > 200) {
        return Err(Problem::unfitting("reference", "up to 200 characters"));
    }
    let payment = Payment {
        state: PaymentState::Succeeded,
        reference: new.reference,
        ended_at: Some(at.now()),
        ..Payment::of(at, &bill, amount)?
    };
    let received = payment::fact::receive(at, bill, amount, &payment.id).await?;
    let entry = Draft::new("payment.recorded", &Id::trusted(payment.id.clone()))
        .with(json!({"invoice": payment.invoice, "amount": amount}));
    let commit = store::insert_payment(&payment).entry(entry).and(received);
    let response = json_response(StatusCode::CREATED, &payment);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

async fn owed(at: &impl Tenant, call: &Call) -> Result<Bill, Problem> {
    let bill = find(at, call).await?;
    if bill.kind != BillKind::Invoice || bill.left() == 0 {
        return Err(wrong_state("nothing is owed"));
    }
    Ok(bill)
}

/// Asks the provider for what is left, now.
pub async fn collect(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let mut bill = owed(at, call).await?;
    let parties = close::Parties::of(at, &bill.customer).await?;
    let Some((account, method)) = parties.payer() else {
        return Err(wrong_state("neither the customer nor its entity has an account to collect"));
    };
    let payments = store::list_payments(at, &bill.id, payment::PAYMENTS_MAX).await?;
    if payments.iter().any(|it| it.state == PaymentState::Requested) {
        return Err(wrong_state("a payment is under way"));
    }
    // The version guards against two that ask at once.
    bill.version += 1;
    let asked = pay::request(at, &bill, account, method, bill.left_of_due())?;
    let commit = asked.and(store::update_bill(&bill));
    at.answer(commit, answer(StatusCode::OK, &bill), Problem::changed_meanwhile).await
}
