//! Any order, any duplication, any loss, any crash, over PayPal's own shapes: the same state, and
//! each fact once. What the mirror promises of its objects is tested beside it; here is whether
//! PayPal's, of which one payment is several, are read so that it holds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

use crate::{
    mirror::{Fact, Object, Payment, news},
    paypal::{event::hint, read},
};

/// What happens at PayPal: an object is as it says now, and an event may tell it.
struct Moment {
    kind: &'static str,
    id: &'static str,
    now: Value,
    event: Option<&'static str>,
}

fn moment(event: Option<&'static str>, kind: &'static str, id: &'static str, now: Value) -> Moment {
    Moment { kind, id, now, event }
}

fn euros(value: &str) -> Value {
    json!({"currency_code": "EUR", "value": value})
}

fn order(status: &str) -> Value {
    let page = json!([{"rel": "payer-action", "href": "https://www.paypal.com/checkoutnow"}]);
    let unit = json!({"custom_id": "pay_1", "amount": euros("11.90")});
    json!({"id": "ORDER", "status": status, "purchase_units": [unit], "links": page})
}

fn capture(id: &str, status: &str) -> Value {
    json!({"id": id, "status": status, "custom_id": "pay_1", "amount": euros("11.90"),
        "seller_receivable_breakdown": {"paypal_fee": euros("0.69")}})
}

fn refund(id: &str, value: &str, status: &str) -> Value {
    let up = json!([{"rel": "up", "href": "https://api.paypal.com/v2/payments/captures/PAID"}]);
    json!({"id": id, "status": status, "amount": euros(value), "links": up,
        "custom_id": if id == "REFUND1" { json!("rfd_1") } else { json!(null) }})
}

fn dispute(status: &str, outcome: &str) -> Value {
    json!({"id": "PP-D-1", "dispute_id": "PP-D-1", "status": status, "payment": "pay_1",
        "dispute_amount": euros("11.90"), "dispute_life_cycle_stage": "CHARGEBACK",
        "dispute_outcome": {"outcome_code": outcome}})
}

fn subscription(status: &str, paid: &str) -> Value {
    json!({"id": "I-1", "status": status, "plan_id": "P-1", "custom_id": "acme", "quantity": "1",
        "billing_info": {"last_payment": {"amount": euros("10.00"), "time": paid}}})
}

fn customer(methods: &[&str]) -> Value {
    let method = |id: &&str| {
        json!({"id": id, "customer": {"id": "CUSTOMER", "merchant_customer_id": "acme"},
            "payment_source": {"paypal": {}}})
    };
    let methods: Vec<_> = methods.iter().map(method).collect();
    json!({"id": "CUSTOMER", "customer": {"id": "CUSTOMER"}, "payment_tokens": methods})
}

/// A payment that is declined once, paid, refunded in two parts and disputed, while a subscription
/// and a customer live their lives.
fn life() -> Vec<Moment> {
    let (paid, poor) = ("PAID", "POOR");
    vec![
        moment(None, "order", "ORDER", order("PAYER_ACTION_REQUIRED")),
        moment(None, "subscription", "I-1", subscription("APPROVAL_PENDING", "")),
        moment(Some("VAULT.PAYMENT-TOKEN.CREATED"), "customer", "CUSTOMER", customer(&["m1"])),
        moment(Some("CHECKOUT.ORDER.APPROVED"), "order", "ORDER", order("APPROVED")),
        moment(Some("PAYMENT.CAPTURE.DECLINED"), "capture", poor, capture(poor, "DECLINED")),
        moment(
            Some("BILLING.SUBSCRIPTION.ACTIVATED"),
            "subscription",
            "I-1",
            subscription("ACTIVE", "2030-01-01T00:00:00Z"),
        ),
        moment(Some("PAYMENT.CAPTURE.PENDING"), "capture", paid, capture(paid, "PENDING")),
        moment(Some("PAYMENT.CAPTURE.COMPLETED"), "capture", paid, capture(paid, "COMPLETED")),
        moment(Some("CHECKOUT.ORDER.COMPLETED"), "order", "ORDER", order("COMPLETED")),
        moment(
            Some("VAULT.PAYMENT-TOKEN.CREATED"),
            "customer",
            "CUSTOMER",
            customer(&["m2", "m1"]),
        ),
        moment(None, "capture", paid, capture(paid, "PARTIALLY_REFUNDED")),
        moment(
            Some("PAYMENT.CAPTURE.REFUNDED"),
            "refund",
            "REFUND1",
            refund("REFUND1", "3.00", "COMPLETED"),
        ),
        moment(Some("CUSTOMER.DISPUTE.CREATED"), "dispute", "PP-D-1", dispute("OPEN", "")),
        moment(
            Some("BILLING.SUBSCRIPTION.SUSPENDED"),
            "subscription",
            "I-1",
            subscription("SUSPENDED", "2030-02-01T00:00:00Z"),
        ),
        moment(
            Some("PAYMENT.REFUND.PENDING"),
            "refund",
            "REFUND2",
            refund("REFUND2", "8.90", "PENDING"),
        ),
        moment(None, "capture", paid, capture(paid, "REFUNDED")),
        moment(
            Some("PAYMENT.CAPTURE.REFUNDED"),
            "refund",
            "REFUND2",
            refund("REFUND2", "8.90", "COMPLETED"),
        ),
        moment(
            Some("CUSTOMER.DISPUTE.RESOLVED"),
            "dispute",
            "PP-D-1",
            dispute("RESOLVED", "RESOLVED_BUYER_FAVOUR"),
        ),
        moment(Some("VAULT.PAYMENT-TOKEN.DELETED"), "customer", "CUSTOMER", customer(&["m1"])),
        moment(
            Some("BILLING.SUBSCRIPTION.CANCELLED"),
            "subscription",
            "I-1",
            subscription("CANCELLED", "2030-02-01T00:00:00Z"),
        ),
    ]
}

/// One thing that happens, there or here.
#[derive(Clone, Debug)]
enum Step {
    /// PayPal goes on, and may emit an event.
    Happens,
    /// An event comes: any of those that were emitted ever, so also twice, late, or never.
    Comes(Index),
    /// A worker takes a job: it reads the mirror, and then fetches the object.
    Begins(Index),
    /// A worker commits, or dies before.
    Ends(Index, bool),
}

/// An object on its way from PayPal to the mirror.
struct Fetched {
    job: (String, String),
    hints: usize,
    /// What was known of the object that was asked for, before it was fetched.
    known: (Option<Object>, u32),
    object: Value,
}

#[derive(Default)]
struct World {
    reached: usize,
    there: BTreeMap<(String, String), Value>,
    events: Vec<Value>,
    jobs: BTreeMap<(String, String), usize>,
    running: Vec<Fetched>,
    mirror: BTreeMap<String, (Object, u32)>,
    facts: Vec<Fact>,
}

impl World {
    fn step(&mut self, life: &[Moment], step: &Step) {
        match step {
            Step::Happens => self.happens(life),
            Step::Comes(index) if !self.events.is_empty() => {
                let event = hint(index.get(&self.events)).unwrap();
                *self.jobs.entry(event.object.unwrap()).or_default() += 1;
            }
            Step::Begins(index) if !self.jobs.is_empty() => {
                let jobs: Vec<_> = self.jobs.keys().cloned().collect();
                self.begins(index.get(&jobs).clone());
            }
            Step::Ends(index, crash) if !self.running.is_empty() => {
                let fetched = self.running.swap_remove(index.index(self.running.len()));
                self.ends(fetched, *crash);
            }
            _ => {}
        }
    }

    fn happens(&mut self, life: &[Moment]) {
        let Some(it) = life.get(self.reached) else { return };
        self.reached += 1;
        self.there.insert((it.kind.to_owned(), it.id.to_owned()), it.now.clone());
        if let Some(name) = it.event {
            self.events.push(json!({"id": format!("WH-{}", self.reached), "event_type": name,
                "create_time": "2030-01-01T00:00:00Z", "resource": it.now}));
        }
    }

    /// As `fetch` does: an object with its kind, an order with its captures, a refund in its
    /// capture.
    fn fetched(&self, kind: &str, id: &str) -> Option<Value> {
        let get = |kind: &str, id: &str| self.there.get(&(kind.to_owned(), id.to_owned())).cloned();
        let all = |kind: &str| -> Vec<Value> {
            let found = self.there.iter().filter(|(key, _)| key.0 == kind);
            found.map(|(_, it)| it.clone()).collect()
        };
        let mut it = get(
            if kind == "refund" { "capture" } else { kind },
            match kind {
                "refund" => "PAID",
                _ => id,
            },
        )?;
        match kind {
            "order" if !all("capture").is_empty() => {
                it["purchase_units"][0]["payments"] =
                    json!({"captures": all("capture"), "refunds": all("refund")});
            }
            "refund" => it["refunds"] = json!([get("refund", id)?]),
            _ => {}
        }
        it["object"] = json!(if kind == "refund" { "capture" } else { kind });
        Some(it)
    }

    fn known(&self, id: &str) -> (Option<Object>, u32) {
        let known = self.mirror.get(id).cloned();
        known.map_or((None, 0), |(it, version)| (Some(it), version))
    }

    fn begins(&mut self, job: (String, String)) {
        let known = self.known(&job.1);
        if let Some(object) = self.fetched(&job.0, &job.1) {
            let hints = self.jobs.get(&job).copied().unwrap_or_default();
            self.running.push(Fetched { job, hints, known, object });
        }
    }

    /// The commit, guarded by the version that was read. Of an object that turned out to be part of
    /// another one, that one is read only now, however old the answer is.
    fn ends(&mut self, it: Fetched, crash: bool) {
        let Some((id, object)) = read(&it.object) else { return };
        let known = if id == it.job.1 { it.known } else { self.known(&id) };
        let is_known = self.known(&id).1 == known.1;
        let news = news(&id, known.0.as_ref(), object);
        if crash || (news.is_some() && !is_known) {
            return;
        }
        if let Some((after, facts)) = news {
            self.mirror.insert(id, (after, known.1 + 1));
            self.facts.extend(facts);
        }
        // Hints that came meanwhile keep the job.
        if self.jobs.get(&it.job) == Some(&it.hints) {
            self.jobs.remove(&it.job);
        }
    }

    /// Everything happens, and a reconciliation finds what never came.
    fn settle(&mut self, life: &[Moment]) {
        life.iter().for_each(|_| self.happens(life));
        while let Some(late) = self.running.pop() {
            self.ends(late, false);
        }
        let all: Vec<_> = self.there.keys().cloned().collect();
        for job in all {
            self.begins(job);
            if let Some(last) = self.running.pop() {
                self.ends(last, false);
            }
        }
    }

    /// What is known in the end, but for what was told on the way: an order that was never looked
    /// at while it waited is not there.
    fn state(&self) -> BTreeMap<&str, Object> {
        let plain = |it: &Object| match it {
            Object::Payment(it) => Object::Payment(Payment { told: BTreeSet::new(), ..it.clone() }),
            other => other.clone(),
        };
        let lasting = self.mirror.iter().filter(|(id, _)| *id != "ORDER");
        lasting.map(|(id, (it, _))| (id.as_str(), plain(it))).collect()
    }

    fn told(&self, action: &str) -> Vec<String> {
        let told = self.facts.iter().filter(|it| it.action == action);
        let mut told: Vec<_> = told.map(|it| it.data.to_string()).collect();
        told.sort();
        told
    }
}

fn in_order() -> World {
    let (life, mut world) = (life(), World::default());
    for it in &life {
        world.happens(&life);
        world.begins((it.kind.to_owned(), it.id.to_owned()));
        if let Some(fetched) = world.running.pop() {
            world.ends(fetched, false);
        }
    }
    world
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Happens),
        4 => any::<Index>().prop_map(Step::Comes),
        5 => any::<Index>().prop_map(Step::Begins),
        5 => (any::<Index>(), any::<bool>()).prop_map(|(at, crash)| Step::Ends(at, crash)),
    ]
}

/// What must come, whatever was seen of what was before it, and once.
const MONEY: [&str; 4] =
    ["payment.succeeded", "payment.failed", "payment.refunded", "payment.disputed"];

#[test]
fn each_fact_is_told_in_its_turn() {
    let world = in_order();

    let told: Vec<_> = MONEY.iter().map(|it| world.told(it).len()).collect();
    assert_eq!(told, [1, 1, 2, 2]);
    assert_eq!(world.told("payment.action_required").len(), 1);
    assert_eq!(world.told("payment_method.changed").len(), 3);
    assert_eq!(world.told("subscription.mirrored").len(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn every_schedule_ends_the_same(steps in prop::collection::vec(a_step(), 0..90)) {
        let (life, mut world) = (life(), World::default());
        for step in &steps {
            world.step(&life, step);
        }
        world.settle(&life);
        let expected = in_order();

        prop_assert_eq!(world.state(), expected.state());
        for action in MONEY {
            prop_assert_eq!(world.told(action), expected.told(action));
        }
        prop_assert!(world.told("payment.action_required").len() <= 1);
        for action in ["payment_method.changed", "subscription.mirrored"] {
            let all = expected.told(action);
            prop_assert!(world.told(action).iter().all(|it| all.contains(it)));
            let last = |world: &World| {
                world.facts.iter().rev().find(|it| it.action == action).map(|it| it.data.clone())
            };
            prop_assert_eq!(last(&world), last(&expected));
        }
    }
}
