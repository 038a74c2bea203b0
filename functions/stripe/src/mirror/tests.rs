//! Any order, any duplication, any crash: the same state, and each fact once.

use proptest::{prelude::*, sample};

use super::*;

/// How the payment of an invoice goes at the provider, step by step, and a dispute of it.
fn life() -> Vec<(&'static str, Object)> {
    let base = Payment {
        payment: Some("pay_1".to_owned()),
        amount: 1000,
        currency: "EUR".to_owned(),
        ..Payment::default()
    };
    let refused = |at: &str| Some((at.to_owned(), "insufficient_funds".to_owned()));
    let first = Payment { refused: refused("ch_1"), ..base.clone() };
    let second = Payment { refused: refused("ch_2"), needs_action: true, ..base };
    let paid = Payment { succeeded: true, fee: Some(30), needs_action: false, ..second.clone() };
    let mut part = paid.clone();
    part.refunds.insert("re_1".to_owned(), (300, Some("rfd_1".to_owned())));
    let mut all = part.clone();
    all.refunds.insert("re_2".to_owned(), (700, None));
    let dispute = |state| {
        let payment = Some("pay_1".to_owned());
        Object::Dispute(Dispute { payment, amount: 1000, currency: "EUR".to_owned(), state })
    };
    vec![
        ("pi", Object::Payment(first)),
        ("pi", Object::Payment(second)),
        ("pi", Object::Payment(paid)),
        ("du", dispute(DisputeState::Asked)),
        ("du", dispute(DisputeState::Opened)),
        ("pi", Object::Payment(part)),
        ("du", dispute(DisputeState::Lost)),
        ("pi", Object::Payment(all)),
    ]
}

/// What a follower has seen: the mirror, and the facts that were written.
#[derive(Default)]
struct Seen {
    mirror: BTreeMap<&'static str, Object>,
    facts: Vec<(String, String)>,
}

impl Seen {
    /// A refetch gave `object`. With `crash` it ends before its commit, and nothing is written.
    fn fetch(&mut self, id: &'static str, object: Object, crash: bool) {
        let known = self.mirror.get(id).cloned();
        let after = merged(known.clone(), object);
        let facts = facts(id, known.as_ref(), &after);
        if crash {
            return;
        }
        self.mirror.insert(id, after);
        self.facts.extend(facts.into_iter().map(|it| (it.action.to_owned(), key(&it))));
    }
}

/// What tells one fact from another.
fn key(it: &Fact) -> String {
    let text = |name: &str| it.data.get(name).map(ToString::to_string).unwrap_or_default();
    format!("{}{}{}", text("provider_refund"), text("state"), text("code"))
}

/// The last facts that money depends on, sorted: a refusal that nobody saw before the payment
/// succeeded need not be told.
fn money(seen: &Seen) -> Vec<(String, String)> {
    let mut all: Vec<_> = seen.facts.clone();
    all.retain(|it| it.0 != "payment.failed" && it.0 != "payment.action_required");
    all.sort();
    all
}

fn in_order() -> Seen {
    let mut seen = Seen::default();
    life().into_iter().for_each(|(id, object)| seen.fetch(id, object, false));
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Events are hints: whichever comes, what is fetched is the state of that moment. Time goes
    /// on at the provider in `now`; answers may be late, and then they are older than others.
    #[test]
    fn every_order_and_every_crash_ends_the_same(
        hints in prop::collection::vec((0usize..8, any::<bool>()), 0..24),
        late in prop::collection::vec(any::<sample::Index>(), 0..6),
    ) {
        let life = life();
        let mut seen = Seen::default();
        for (step, crash) in hints {
            let (id, object) = life[step].clone();
            seen.fetch(id, object, crash);
        }
        // The last hints come in the end, as the reconciliation sees to, and then older ones.
        for step in [6, 7] {
            let (id, object) = life[step].clone();
            seen.fetch(id, object, false);
        }
        for step in late {
            let (id, object) = life[step.index(8)].clone();
            seen.fetch(id, object, false);
        }

        let expected = in_order();
        prop_assert_eq!(money(&seen), money(&expected));
        let paid = |it: &Seen| match &it.mirror["pi"] {
            Object::Payment(it) => (it.succeeded, it.refunds.clone()),
            _ => unreachable!(),
        };
        prop_assert_eq!(paid(&seen), paid(&expected));
        prop_assert_eq!(&seen.mirror["du"], &expected.mirror["du"]);
    }
}

#[test]
fn each_fact_is_told_once_and_in_its_order() {
    let seen = in_order();

    let actions: Vec<_> = seen.facts.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(
        actions,
        [
            "payment.failed",
            "payment.failed",
            "payment.action_required",
            "payment.succeeded",
            "payment.disputed",
            "payment.refunded",
            "payment.disputed",
            "payment.refunded",
        ]
    );
}

#[test]
fn what_began_at_the_provider_is_no_fact_of_ours() {
    let theirs = Object::Payment(Payment { succeeded: true, ..Payment::default() });

    assert_eq!(facts("pi", None, &theirs), []);
}
