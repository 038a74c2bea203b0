//! Books that balance, whatever happens.

use proptest::prelude::*;

use super::{Account::*, *};

const EUR: Currency = Currency::EUR;

fn books(events: &[Event]) -> Balances {
    let postings: Vec<_> = events.iter().map(|it| it.post(EUR).unwrap()).collect();
    Balances::of(&postings).unwrap()
}

#[test]
fn a_posting_that_does_not_balance_is_not_made() {
    let usd = Currency::parse("USD").unwrap();
    let debit = Entry { account: Cash, currency: EUR, amount: 100 };
    let short = Entry { account: Receivable, currency: EUR, amount: -99 };
    let foreign = Entry { account: Receivable, currency: usd, amount: -100 };
    let nothing = Entry { amount: 0, ..debit };

    assert_eq!(Posting::new([debit, short]), Err(Error::Unbalanced { currency: EUR, sum: 1 }));
    let mixed = Posting::new([debit, foreign]);
    assert_eq!(mixed, Err(Error::Unbalanced { currency: EUR, sum: 100 }));
    assert_eq!(Posting::new([nothing, nothing]), Err(Error::BadEntryCount));
    let credit = Entry { amount: -100, ..short };
    assert!(Posting::new([debit, credit]).is_ok());
    let many = (0..40).flat_map(|_| [debit, credit]);
    assert_eq!(Posting::new(many), Err(Error::BadEntryCount));
}

#[test]
fn an_invoice_is_owed_paid_and_earned() {
    let sale = Sale { earned: 1_000, deferred: 11_000, tax: 2_280 };

    let all = books(&[Event::Finalised(sale), Event::Paid(14_280), Event::Recognised(11_000)]);

    assert_eq!(all.get(Cash, EUR), 14_280);
    assert_eq!(all.get(Receivable, EUR), 0);
    assert_eq!(all.get(DeferredRevenue, EUR), 0);
    assert_eq!(all.get(Revenue, EUR), -12_000);
    assert_eq!(all.get(TaxPayable, EUR), -2_280);
}

#[test]
fn a_credit_note_with_a_refund_leaves_only_the_trace() {
    let sale = Sale { earned: 1_000, deferred: 0, tax: 190 };
    let gone = [Event::Finalised(sale), Event::Paid(1_190), Event::CreditNote(sale)];

    let all = books(&[gone.as_slice(), &[Event::Refunded(1_190)]].concat());

    assert_eq!(all.get(Cash, EUR), 0);
    assert_eq!(all.get(Receivable, EUR), 0);
    assert_eq!(all.get(TaxPayable, EUR), 0);
    assert_eq!(all.get(Revenue, EUR) + all.get(Refunds, EUR), 0);
}

#[test]
fn credits_are_a_liability_until_they_are_consumed_or_expire() {
    let sale = Sale { earned: 1_000, deferred: 0, tax: 0 };

    let all = books(&[
        Event::GrantBought(1_500),
        Event::Finalised(sale),
        Event::GrantConsumed { paid: 700, promotional: 300 },
        Event::GrantExpired(800),
    ]);

    assert_eq!(all.get(CreditsLiability, EUR), 0);
    assert_eq!(all.get(Receivable, EUR), 0);
    assert_eq!(all.get(Breakage, EUR), -800);
    assert_eq!(all.get(Promotions, EUR), 300);
}

#[test]
fn bad_debts_fees_and_disputes_find_their_accounts() {
    let sale = Sale { earned: 1_000, deferred: 0, tax: 190 };
    let written = books(&[Event::Finalised(sale), Event::WrittenOff { net: 1_000, tax: 190 }]);
    let lost = books(&[Event::DisputeOpened(50), Event::DisputeLost(50), Event::Fee(15)]);
    let won = books(&[Event::DisputeOpened(50), Event::DisputeWon(50)]);

    assert_eq!((written.get(Receivable, EUR), written.get(BadDebt, EUR)), (0, 1_000));
    assert_eq!(written.get(TaxPayable, EUR), 0);
    assert_eq!((lost.get(Cash, EUR), lost.get(BadDebt, EUR), lost.get(Fees, EUR)), (-65, 50, 15));
    assert_eq!((won.get(Cash, EUR), won.get(Disputed, EUR)), (0, 0));
}

#[test]
fn an_event_of_less_than_nothing_is_refused() {
    let huge = Sale { earned: i64::MAX, deferred: 1, tax: 0 };

    assert_eq!(Event::Paid(-1).post(EUR), Err(Error::BadAmount));
    assert_eq!(Event::Paid(0).post(EUR), Err(Error::BadAmount));
    assert_eq!(Event::CreditNote(huge).post(EUR), Err(Error::TooLarge));
    assert_eq!(Event::Finalised(huge).post(EUR), Err(Error::TooLarge));
}

#[test]
fn a_sale_at_several_rates_may_earn_less_than_nothing_but_is_owed() {
    // A plan for 10.00 at 19 % takes the place of one for 10.50 at 7 %.
    let sale = Sale { earned: -50, deferred: 0, tax: 117 };
    let owes = Sale { tax: 49, ..sale };

    let all = books(&[Event::Finalised(sale)]);
    let lost = books(&[Event::Finalised(sale), Event::WrittenOff { net: -50, tax: 117 }]);

    assert_eq!([Receivable, Revenue, TaxPayable].map(|it| all.get(it, EUR)), [67, 50, -117]);
    assert_eq!([Receivable, TaxPayable].map(|it| lost.get(it, EUR)), [0, 0]);
    assert_eq!(Event::Finalised(owes).post(EUR), Err(Error::BadAmount));
    let later = Sale { deferred: -1, earned: 1, tax: 5 };
    assert_eq!(Event::CreditNote(later).post(EUR), Err(Error::BadAmount));
    assert_eq!(Event::Recovered { net: -50, tax: 49 }.post(EUR), Err(Error::BadAmount));
}

fn event() -> impl Strategy<Value = Event> {
    let sale = (0i64..10_000, 0i64..10_000, 1i64..2_000).prop_map(|(earned, deferred, tax)| Sale {
        earned,
        deferred,
        tax,
    });
    let amount = 1i64..100_000;
    (0usize..13, sale, amount.clone(), amount).prop_map(|(kind, sale, a, b)| match kind {
        0 => Event::Finalised(sale),
        1 => Event::Paid(a),
        2 => Event::Recognised(a),
        3 => Event::CreditNote(sale),
        4 => Event::Refunded(a),
        5 => Event::WrittenOff { net: a, tax: b },
        6 => Event::GrantBought(a),
        7 => Event::GrantConsumed { paid: a, promotional: b },
        8 => Event::GrantExpired(a),
        9 => Event::Fee(a),
        10 => Event::DisputeOpened(a),
        11 => Event::DisputeLost(a),
        _ => Event::DisputeWon(a),
    })
}

proptest! {
    #[test]
    fn the_books_balance_after_any_sequence(
        events in prop::collection::vec((event(), any::<bool>()), 1..60),
    ) {
        let usd = Currency::parse("USD").unwrap();
        let mut all = Balances::default();
        for (event, is_euro) in &events {
            all.add(&event.post(if *is_euro { EUR } else { usd }).unwrap()).unwrap();
            prop_assert_eq!((all.sum(EUR), all.sum(usd)), (0, 0));
        }

        for (event, is_euro) in events {
            let posting = event.post(if is_euro { EUR } else { usd }).unwrap();
            all.add(&posting.reversed().unwrap()).unwrap();
        }
        prop_assert!([Cash, Receivable, Revenue, TaxPayable].iter().all(|it| all.get(*it, EUR) == 0));
    }
}
