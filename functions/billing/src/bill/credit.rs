//! Credit notes: what was invoiced is taken back, as a whole, by line or by amount. An invoice that
//! has a number is never changed.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    Bill, BillKind, BillState, Preceding, close, draft, line::NAME_CHARS_MAX, taken::Taken,
};
use crate::{
    books,
    ledger::{Event, Sale},
    money,
    payment::{self, PaymentState},
    store, wallet,
};

/// What is taken back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = NewCreditNote)]
pub struct NewNote {
    /// How much, in minor units with tax; all that is left when left out.
    pub amount: Option<i64>,
    /// Why: it stands on the credit note.
    pub reason: Option<String>,
    /// What becomes of what was paid already.
    pub paid: GiveBack,
}

/// What becomes of what was paid already.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CreditNoteRefund)]
pub enum GiveBack {
    /// It is kept as credit, and pays the next invoices.
    #[default]
    Credit,
    /// It is paid back by the way it came.
    Refund,
    /// It was paid back by another way.
    Elsewhere,
}

/// Issues a credit note for an invoice.
pub async fn create(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let new: NewNote = call.json()?;
    let mut bill = super::handle::find(at, call).await?;
    let reason = new.reason.unwrap_or_else(|| "Credit".to_owned());
    if reason.chars().count() > NAME_CHARS_MAX {
        return Err(Problem::unfitting("reason", "up to 200 characters"));
    }
    let most = bill.totals.gross - bill.credited;
    let amount = new.amount.unwrap_or(most);
    if bill.kind != BillKind::Invoice || bill.number.is_none() {
        return Err(wrong_state("only an invoice that has a number is credited"));
    }
    if !(1..=most).contains(&amount) {
        return Err(Problem::unfitting("amount", format!("1 to {most}: what is not credited yet")));
    }
    bill.version += 1;
    let taken = Taken::of(&bill, amount).map_err(draft::too_large)?;
    let (note, given) = give_back(at, &mut bill, &taken, new.paid, &reason).await?;
    let commit = given.and(store::update_bill(&bill));
    let response = json_response(StatusCode::CREATED, &note);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

/// Takes a part of an invoice back, and gives back what of it was paid. The invoice's row is not
/// written.
///
/// # Errors
/// When it cannot be numbered, or not be refunded.
pub async fn give_back(
    at: &impl Tenant,
    bill: &mut Bill,
    taken: &Taken,
    how: GiveBack,
    reason: &str,
) -> Result<(Bill, Commit), Problem> {
    let owed = bill.left_of_due();
    let amount = taken.amount();
    let (note, noted) = note(at, bill, taken, reason).await?;
    bill.count(taken);
    let was_paid = amount - owed.min(amount);
    let back = match (was_paid > 0, how) {
        (false, _) => Commit::new(),
        (true, GiveBack::Credit) => {
            let why = format!("credit note {}", note.number.clone().unwrap_or_default());
            wallet::keep(at, &bill.customer, bill.currency, was_paid, why)?
        }
        (true, GiveBack::Refund) => refund(at, bill, was_paid, reason).await?,
        (true, GiveBack::Elsewhere) => {
            bill.refunded += was_paid;
            books::post(at, Event::Refunded(was_paid), bill.currency, &bill.id)?
        }
    };
    let after = settle(at, bill).await?;
    // What is taken back as a whole is not charged by what comes late.
    let forgiven = match bill.credited == bill.totals.gross {
        true => crate::late::forgive(at, bill).await?,
        false => Commit::new(),
    };
    Ok((note, noted.and(back).and(after).and(forgiven)))
}

pub(crate) fn wrong_state(why: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, "/problems/billing/wrong-state", "It is not in that state")
        .detail(why)
}

/// Where an invoice stands once something of it was credited.
async fn settle(at: &impl Tenant, bill: &mut Bill) -> Result<Commit, Problem> {
    if bill.credited == bill.totals.gross && bill.paid == 0 {
        bill.state = BillState::Void;
        return super::pay::settled(at, bill).await;
    }
    if bill.state == BillState::Open && bill.left_of_due() == 0 {
        bill.state = BillState::Paid;
        bill.paid_at = Some(at.now());
        return super::pay::settled(at, bill).await;
    }
    Ok(Commit::new())
}

/// Issues a note for a refund that began elsewhere, and counts it on the bill. What is paid back as a
/// whole is forgiven as what is taken back here.
///
/// # Errors
/// When it cannot be numbered, or something not be read.
pub async fn note_of(
    at: &impl Tenant,
    bill: &mut Bill,
    amount: i64,
    reason: &str,
) -> Result<Commit, Problem> {
    let taken = Taken::of(bill, amount).map_err(draft::too_large)?;
    let (_, commit) = note(at, bill, &taken, reason).await?;
    let was_whole = bill.credited >= bill.totals.gross;
    bill.count(&taken);
    let forgiven = match !was_whole && bill.credited >= bill.totals.gross {
        true => crate::late::forgive(at, bill).await?,
        false => Commit::new(),
    };
    Ok(commit.and(forgiven))
}

/// A credit note over a part of an invoice, numbered and posted. What was deferred of the invoice
/// stops first; the rest is revenue given back.
async fn note(
    at: &impl Tenant,
    bill: &Bill,
    taken: &Taken,
    reason: &str,
) -> Result<(Bill, Commit), Problem> {
    let parties = close::Parties::of(at, &bill.customer).await?;
    let mut note = Bill {
        id: at.new_id("inv")?.to_string(),
        kind: BillKind::CreditNote,
        number: None,
        state: BillState::Draft,
        wallet: Vec::new(),
        coupons: Vec::new(),
        paid: 0,
        credited: 0,
        refunded: 0,
        deferred: 0,
        awaiting: Vec::new(),
        applies: None,
        failures: Vec::new(),
        preceding: Some(Preceding {
            id: bill.id.clone(),
            number: bill.number.clone().unwrap_or_default(),
            at: bill.finalised_at.unwrap_or(bill.created_at),
        }),
        note: Some(reason.to_owned()),
        created_at: at.now(),
        paid_at: None,
        version: 1,
        ..bill.clone()
    };
    note.takes(bill, taken, reason);
    let net = note.totals.net;
    let deferral = store::deferred_in(at, &bill.id).await?;
    let deferred = deferral.map_or(0, |it| it.amount).min(net.max(0));
    let sale = Sale { earned: net - deferred, deferred, tax: note.totals.tax };
    let posted = books::post(at, Event::CreditNote(sale), bill.currency, &bill.id)?;
    let lowered = match deferred > 0 {
        true => store::lower_deferral(&bill.id, deferred),
        false => Commit::new(),
    };
    let numbered = close::number_note(at, &parties, &mut note).await?;
    let entry = Draft::new("credit_note.issued", &Id::trusted(note.id.clone())).with(json!({
        "number": note.number, "customer": note.customer, "currency": note.currency,
        "gross": note.totals.gross, "preceding": bill.number, "reason": reason,
    }));
    let delivered = super::deliver::finalised(at, &parties, &note)?;
    let numbered = numbered.and(store::insert_bill(&note)).and(delivered);
    let commit = posted.and(lowered).and(numbered).entry(entry);
    Ok((note, commit))
}

/// How much of `amount`, which is with tax, is tax.
pub fn tax_share(bill: &Bill, amount: i64) -> i64 {
    if bill.totals.gross == 0 {
        return 0;
    }
    money::share(bill.totals.tax, amount.min(bill.totals.gross), bill.totals.gross).unwrap_or(0)
}

/// Asks the providers to pay back `amount` of what came for the bill, the last payment first.
async fn refund(
    at: &impl Tenant,
    bill: &Bill,
    amount: i64,
    reason: &str,
) -> Result<Commit, Problem> {
    let payments = store::list_payments(at, &bill.id, payment::PAYMENTS_MAX).await?;
    let paid = payments.iter().rev().filter(|it| it.state == PaymentState::Succeeded);
    let (mut left, mut commit) = (amount, Commit::new());
    for it in paid {
        let part = left.min(it.amount - it.refunded);
        let (Some(account), Some(reference), true) = (&it.account, &it.reference, part > 0) else {
            continue;
        };
        let id = at.new_id("rfd")?;
        left -= part;
        commit = commit.entry(Draft::new("refund.requested", &id).with(json!({
            "refund": id, "payment": it.id, "account": account, "reference": reference,
            "amount": part, "currency": it.currency, "reason": reason,
        })));
    }
    match left {
        0 => Ok(commit),
        _ => Err(Problem::unfitting(
            "paid",
            format!("{left} minor units did not come by a provider: give them back as credit"),
        )),
    }
}
