//! Closing: a draft is taxed, paid from prepaid credit, numbered, and written into the books.

use std::time::Duration;

use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, canonical, sha256_hex},
    ports::Tenant,
    problem::Problem,
};

use super::{Bill, BillKind, BillState, References, pay, taxed};
use crate::{
    books,
    customer::{Collection, Customer},
    entity::Entity,
    invoice::{self, Document, Totals},
    ledger::{Event, Sale},
    number::Pattern,
    store, wallet,
};

const DAY: Duration = Duration::from_secs(86_400);

/// Who is on a bill.
pub struct Parties {
    /// Who sells.
    pub entity: Entity,
    /// Who buys.
    pub customer: Customer,
}

impl Parties {
    /// Reads them.
    ///
    /// # Errors
    /// 422 when one is not there.
    pub async fn of(at: &impl Tenant, customer: &str) -> Result<Self, Problem> {
        let customer = store::find_customer(at, customer).await?;
        let customer = customer.ok_or_else(|| Problem::unfitting("customer", "put it first"))?;
        let entity = store::find_entity(at, &customer.entity).await?;
        let why = "put the entity that sells to the customer first";
        let entity = entity.ok_or_else(|| Problem::unfitting("entity", why))?;
        Ok(Self { entity, customer })
    }

    fn net_days(&self) -> u16 {
        self.customer.net_days.unwrap_or(self.entity.net_days)
    }

    /// How the customer pays at the account that collects, if that is known.
    pub fn method(&self) -> Option<String> {
        self.payer()?.1
    }

    /// The account at a provider that collects, and the method there.
    pub fn payer(&self) -> Option<(String, Option<String>)> {
        let account = self.customer.account.clone().or_else(|| self.entity.account.clone())?;
        Some((account, self.customer.method.as_ref().map(|it| it.reference.clone())))
    }
}

/// What stands on a document beside its parties and lines.
pub fn references(parties: &Parties) -> References {
    References {
        iban: parties.entity.iban.clone(),
        note: parties.entity.note.clone(),
        buyer_reference: parties.customer.buyer_reference.clone(),
        order: parties.customer.order.clone(),
        endpoint: parties.customer.endpoint.clone(),
    }
}

/// Taxes the draft and adds it up. What comes to less than nothing becomes a credit note.
///
/// # Errors
/// What must be changed for it to have a tax.
pub fn price(parties: &Parties, bill: &mut Bill) -> Result<(), Problem> {
    bill.taxes.clear();
    taxed::apply(parties, bill)?;
    let mut totals = added_up(bill).map_err(super::draft::too_large)?;
    // With tax: where rates differ, that can be above zero though the rest is below.
    if totals.gross < 0 && bill.kind == BillKind::Invoice {
        bill.kind = BillKind::CreditNote;
        bill.lines = std::mem::take(&mut bill.lines).into_iter().map(|it| it.turned()).collect();
        totals = added_up(bill).map_err(super::draft::too_large)?;
    }
    bill.taxes = taxed::sums(bill, &totals).map_err(super::draft::too_large)?;
    bill.totals.net = totals.net;
    bill.totals.tax = totals.tax;
    bill.totals.gross = totals.gross;
    bill.totals.due = totals.gross - bill.totals.prepaid;
    Ok(())
}

fn added_up(bill: &Bill) -> Result<Totals, invoice::Error> {
    Document { prepaid: 0, ..bill.document()? }.totals()
}

/// Takes from the wallet what it has for this bill. `price` must have come before.
///
/// # Errors
/// When the wallet cannot be read.
pub async fn prepay(at: &impl Tenant, bill: &mut Bill) -> Result<Commit, Problem> {
    if bill.kind == BillKind::CreditNote {
        return Ok(Commit::new());
    }
    let open = bill.totals.gross - bill.totals.prepaid;
    let consumed = wallet::consume(at, &bill.customer, bill.currency, open).await?;
    bill.totals.prepaid += consumed.amount();
    bill.totals.due = bill.totals.gross - bill.totals.prepaid;
    bill.wallet.extend(consumed.parts.iter().cloned());
    Ok(consumed.commit)
}

/// Gives the bill its number and writes it into the books. It must be priced and prepaid.
///
/// # Errors
/// When there is no number left, or nothing to post.
pub async fn number(
    at: &impl Tenant,
    parties: &Parties,
    bill: &mut Bill,
) -> Result<Commit, Problem> {
    let taken = take_number(at, &parties.entity, bill).await?;
    let now = at.now();
    bill.finalised_at = Some(now);
    bill.seller = Some(parties.entity.party.clone());
    bill.buyer = Some(parties.customer.party.clone());
    bill.references = Some(references(parties));
    bill.held = None;
    bill.draft_until = None;
    let days = match bill.collection {
        Collection::SendInvoice => parties.net_days(),
        Collection::ChargeAutomatically => 0,
    };
    bill.due_at = Some(now + DAY * u32::from(days));
    let posted = match bill.kind {
        BillKind::Invoice => sold(at, bill)?,
        BillKind::CreditNote => given_back(at, bill)?,
    };
    let settled = bill.kind == BillKind::CreditNote || bill.left_of_due() == 0;
    bill.state = if settled { BillState::Paid } else { BillState::Open };
    bill.paid_at = settled.then_some(now);
    let delivered = super::deliver::finalised(at, parties, bill)?;
    Ok(taken.and(posted).and(delivered).entry(finalised(bill)?))
}

/// Gives a credit note of an invoice its number. What it posts is its maker's.
///
/// # Errors
/// When there is no number left.
pub async fn number_note(
    at: &impl Tenant,
    parties: &Parties,
    note: &mut Bill,
) -> Result<Commit, Problem> {
    let taken = take_number(at, &parties.entity, note).await?;
    note.finalised_at = Some(at.now());
    note.state = BillState::Paid;
    note.paid_at = Some(at.now());
    Ok(taken)
}

async fn take_number(
    at: &impl Tenant,
    entity: &Entity,
    bill: &mut Bill,
) -> Result<Commit, Problem> {
    let text = match bill.kind {
        BillKind::Invoice => &entity.invoice_number,
        BillKind::CreditNote => &entity.credit_note_number,
    };
    let broken = |err: crate::number::Error| Problem::unfitting("entity", err);
    let pattern = Pattern::parse(text).map_err(broken)?;
    let year = crate::period::year(at.now(), entity.zone);
    let last = store::last_number(at, &entity.name, bill.kind, year).await?;
    let last = (last > 0).then(|| last.unsigned_abs());
    let next = pattern.next(last, year).map_err(broken)?;
    bill.number = Some(pattern.write(next));
    let counter = i64::try_from(next.counter).unwrap_or(i64::MAX);
    Ok(store::take_number(&entity.name, bill.kind, year, counter))
}

fn sold(at: &impl Tenant, bill: &Bill) -> Result<Commit, Problem> {
    let deferred = bill.deferred.clamp(0, bill.totals.net.max(0));
    let sale = Sale { earned: bill.totals.net - deferred, deferred, tax: bill.totals.tax };
    let posted = books::post(at, Event::Finalised(sale), bill.currency, &bill.id)?;
    let consumed = wallet::Consumed { parts: bill.wallet.clone(), commit: Commit::new() };
    let paid = books::post(at, consumed.event(), bill.currency, &bill.id)?;
    let later = match (&bill.subscription, bill.period) {
        (Some(subscription), Some(period)) if deferred > 0 => store::defer(
            subscription,
            &books::Deferral {
                invoice: bill.id.clone(),
                currency: bill.currency.code().to_owned(),
                amount: deferred,
                earned_at: period.to,
            },
        ),
        _ => Commit::new(),
    };
    Ok(posted.and(paid).and(later))
}

/// What comes to less than nothing is kept as the customer's credit.
fn given_back(at: &impl Tenant, bill: &Bill) -> Result<Commit, Problem> {
    let sale = Sale { earned: bill.totals.net, deferred: 0, tax: bill.totals.tax };
    let posted = books::post(at, Event::CreditNote(sale), bill.currency, &bill.id)?;
    if bill.totals.gross == 0 {
        return Ok(posted);
    }
    let note = format!("credit note {}", bill.number.clone().unwrap_or_default());
    let kept = wallet::keep(at, &bill.customer, bill.currency, bill.totals.gross, note)?;
    Ok(posted.and(kept))
}

/// The entry carries the hash of the whole document, so that the log proves it.
fn finalised(bill: &Bill) -> Result<Draft, Problem> {
    let text = canonical(&json!(bill)).map_err(|err| Problem::internal().caused_by(err))?;
    let action = match bill.kind {
        BillKind::Invoice => "invoice.finalised",
        BillKind::CreditNote => "credit_note.issued",
    };
    Ok(Draft::new(action, &Id::trusted(bill.id.clone())).with(json!({
        "number": bill.number, "customer": bill.customer, "subscription": bill.subscription,
        "currency": bill.currency, "gross": bill.totals.gross, "due": bill.totals.due,
        "due_at": bill.due_at, "sha256": sha256_hex(text.as_bytes()),
        "preceding": bill.preceding.as_ref().map(|it| &it.number),
    })))
}

/// Prices, prepays, numbers and collects: all that closing a draft is. The row is not written.
///
/// # Errors
/// What must be changed first.
pub async fn close(
    at: &impl Tenant,
    parties: &Parties,
    bill: &mut Bill,
) -> Result<Commit, Problem> {
    price(parties, bill)?;
    let prepaid = prepay(at, bill).await?;
    let numbered = number(at, parties, bill).await?;
    let collected = pay::collect(at, parties, bill)?;
    Ok(prepaid.and(numbered).and(collected))
}

/// Works the job of a draft whose time has come: its meters are asked, or it is closed.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(mut bill) = store::find_bill(at, id.as_str()).await? else {
        return Ok(Commit::new());
    };
    let waits = bill.draft_until.is_some_and(|it| at.now() < it);
    if bill.state != BillState::Draft || waits {
        return Ok(Commit::new());
    }
    bill.version += 1;
    if !bill.awaiting.is_empty() {
        // Its answers close it: `metered`.
        let again = crate::late::ask(at, &mut bill).await?;
        return Ok(again.and(super::draft::ask(&bill)).and(store::update_bill(&bill)));
    }
    let held = bill.clone();
    match finish(at, &mut bill).await {
        Ok(commit) => Ok(commit.and(store::update_bill(&bill))),
        Err(problem) if problem.status().is_client_error() => {
            let why = problem.words();
            let held = Bill { held: Some(why.clone()), draft_until: None, ..held };
            let entry = Draft::new("invoice.held", &id).with(json!({"why": why}));
            Ok(store::update_bill(&held).entry(entry))
        }
        Err(problem) => Err(crate::failed(problem)),
    }
}

/// Closes a draft; one without a single line that charges is dropped instead.
///
/// # Errors
/// What must be changed first.
pub async fn finish(at: &impl Tenant, bill: &mut Bill) -> Result<Commit, Problem> {
    if bill.lines.iter().all(|it| it.amount == 0) {
        bill.state = BillState::Void;
        bill.draft_until = None;
        let entry = Draft::new("invoice.dropped", &Id::trusted(bill.id.clone()));
        return Ok(Commit::new().entry(entry));
    }
    let parties = Parties::of(at, &bill.customer).await?;
    close(at, &parties, bill).await
}
