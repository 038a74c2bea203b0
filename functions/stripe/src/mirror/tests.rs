//! Any order, any duplication, any loss, any crash: the same state, and each fact once.

use proptest::{prelude::*, sample::Index};

use super::*;

/// What the objects of a subscription's life go through at the provider, each for itself: trial,
/// payment, upgrade, refusal, recovery, refunds, dispute, cancellation.
fn lives() -> BTreeMap<&'static str, Vec<Object>> {
    [("pi", payments()), ("du", disputes()), ("sub", subscriptions()), ("cus", customers())].into()
}

fn payments() -> Vec<Object> {
    let base = Payment {
        payment: Some("pay_1".to_owned()),
        amount: 1000,
        currency: "EUR".to_owned(),
        ..Payment::default()
    };
    let refused = |at: &str| Some((at.to_owned(), format!("refused by {at}")));
    let confirm = Some("https://bank.example/1".to_owned());
    let first = Payment { refused: refused("ch_1"), ..base.clone() };
    let asked = Payment { needs_action: true, action: confirm, ..base.clone() };
    let second = Payment { refused: refused("ch_2"), ..base.clone() };
    let paid = Payment { succeeded: true, ..base };
    let with_fee = Payment { fee: Some(30), ..paid.clone() };
    let mut part = with_fee.clone();
    part.refunds.insert("re_1".to_owned(), (300, Some("rfd_1".to_owned())));
    let mut all = part.clone();
    all.refunds.insert("re_2".to_owned(), (700, None));
    [first, asked, second, paid, with_fee, part, all].map(Object::Payment).into()
}

fn disputes() -> Vec<Object> {
    use DisputeState::{Asked, Lost, Opened};
    let of = |state| Dispute {
        payment: Some("pay_1".to_owned()),
        amount: 1000,
        currency: "EUR".to_owned(),
        state,
    };
    [Asked, Opened, Lost].map(of).map(Object::Dispute).into()
}

fn subscriptions() -> Vec<Object> {
    let states = ["incomplete", "trialing", "active", "active", "past_due", "active", "cancelled"];
    let one = |(month, status): (usize, &str)| {
        let month = i64::try_from(month).unwrap();
        Object::Subscription(Subscription {
            customer: Some("acme".to_owned()),
            status: status.to_owned(),
            currency: "EUR".to_owned(),
            period_from: Some(month),
            ..Subscription::default()
        })
    };
    states.into_iter().enumerate().map(one).collect()
}

fn customers() -> Vec<Object> {
    let one = |method: Option<&str>| {
        Object::Customer(Customer {
            customer: Some("acme".to_owned()),
            method: method.map(str::to_owned),
            ..Customer::default()
        })
    };
    [Some("pm_1"), Some("pm_2"), None].map(one).into()
}

/// One thing that happens, there or here.
#[derive(Clone, Debug)]
enum Step {
    /// An object goes on at the provider, which emits an event.
    Happens(Index),
    /// An event comes: any of those that were emitted ever, so also twice, late, or never.
    Comes(Index),
    /// A worker takes a job: it reads the mirror, and then fetches the object.
    Begins(Index),
    /// A worker commits, or dies before.
    Ends(Index, bool),
    /// A charge is repeated: the provider repeats the first answer, however old it is.
    Repeats(bool),
}

/// An object on its way from the provider to the mirror.
struct Fetched {
    id: &'static str,
    known: Option<Object>,
    version: i64,
    object: Object,
    told_until: usize,
}

#[derive(Default)]
struct World {
    /// How far each object is at the provider.
    reached: BTreeMap<&'static str, usize>,
    events: Vec<&'static str>,
    /// What is to be fetched, and after how many hints.
    jobs: BTreeMap<&'static str, usize>,
    running: Vec<Fetched>,
    mirror: BTreeMap<&'static str, (Object, i64)>,
    facts: Vec<Fact>,
}

fn pick<T: Copy>(all: &[T], index: Index) -> Option<T> {
    (!all.is_empty()).then(|| all[index.index(all.len())])
}

impl World {
    fn step(&mut self, lives: &BTreeMap<&'static str, Vec<Object>>, step: Step) {
        let ids: Vec<_> = lives.keys().copied().collect();
        match step {
            Step::Happens(index) => self.happens(lives, ids[index.index(ids.len())]),
            Step::Comes(index) => {
                if let Some(id) = pick(&self.events, index) {
                    *self.jobs.entry(id).or_default() += 1;
                }
            }
            Step::Begins(index) => {
                let jobs: Vec<_> = self.jobs.keys().copied().collect();
                if let Some(id) = pick(&jobs, index) {
                    self.begins(lives, id);
                }
            }
            Step::Ends(index, crash) => {
                if !self.running.is_empty() {
                    let fetched = self.running.swap_remove(index.index(self.running.len()));
                    self.ends(fetched, crash);
                }
            }
            Step::Repeats(crash) => {
                self.known_then("pi", lives["pi"][0].clone(), crash);
            }
        }
    }

    fn happens(&mut self, lives: &BTreeMap<&'static str, Vec<Object>>, id: &'static str) {
        let reached = self.reached.entry(id).or_default();
        if *reached + 1 < lives[id].len() {
            *reached += 1;
            self.events.push(id);
        }
    }

    fn begins(&mut self, lives: &BTreeMap<&'static str, Vec<Object>>, id: &'static str) {
        let known = self.mirror.get(id).cloned();
        let (known, version) = known.map_or((None, 0), |(it, version)| (Some(it), version));
        let object = lives[id][self.reached.get(id).copied().unwrap_or_default()].clone();
        let told_until = self.jobs.get(id).copied().unwrap_or_default();
        self.running.push(Fetched { id, known, version, object, told_until });
    }

    /// The commit: guarded by the version that was read, and all or none.
    fn ends(&mut self, it: Fetched, crash: bool) {
        let version = self.mirror.get(it.id).map_or(0, |it| it.1);
        let is_known = version == it.version;
        let news = news(it.id, it.known.as_ref(), it.object);
        if crash || (news.is_some() && !is_known) {
            return;
        }
        if let Some((after, facts)) = news {
            self.mirror.insert(it.id, (after, version + 1));
            self.facts.extend(facts);
        }
        // Hints that came meanwhile keep the job.
        if self.jobs.get(it.id) == Some(&it.told_until) {
            self.jobs.remove(it.id);
        }
    }

    /// An answer to a call of ours, for which the mirror is read afterwards.
    fn known_then(&mut self, id: &'static str, object: Object, crash: bool) {
        let known = self.mirror.get(id).cloned();
        let (known, version) = known.map_or((None, 0), |(it, version)| (Some(it), version));
        self.ends(Fetched { id, known, version, object, told_until: usize::MAX }, crash);
    }

    /// Everything happens, and a reconciliation finds what never came.
    fn settle(&mut self, lives: &BTreeMap<&'static str, Vec<Object>>) {
        for (id, life) in lives {
            life.iter().for_each(|_| self.happens(lives, id));
        }
        while let Some(late) = self.running.pop() {
            self.ends(late, false);
        }
        for id in lives.keys() {
            self.begins(lives, id);
            if let Some(last) = self.running.pop() {
                self.ends(last, false);
            }
        }
    }

    /// What is known in the end, but for what was told on the way.
    fn state(&self) -> Vec<Object> {
        let plain = |(it, _): &(Object, i64)| match it {
            Object::Payment(it) => Object::Payment(Payment { told: BTreeSet::new(), ..it.clone() }),
            other => other.clone(),
        };
        self.mirror.values().map(plain).collect()
    }

    /// The facts with these actions, as texts, in the order of the log.
    fn told(&self, actions: &[&str]) -> Vec<String> {
        let told = self.facts.iter().filter(|it| actions.contains(&it.action));
        told.map(|it| format!("{} {}", it.action, it.data)).collect()
    }
}

/// The facts that must come, whatever was seen of what was before them.
const MONEY: [&str; 2] = ["payment.refunded", "payment.disputed"];
/// The facts that a later one makes pointless, so that each comes once or never.
const ON_THE_WAY: [&str; 2] = ["payment.failed", "payment.action_required"];
/// The facts that say how something stands.
const STANDING: [&str; 2] = ["subscription.mirrored", "payment_method.changed"];

fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all
}

fn each_once(all: &[String]) -> bool {
    all.iter().collect::<BTreeSet<_>>().len() == all.len()
}

fn in_order() -> World {
    let (lives, mut world) = (lives(), World::default());
    for (id, life) in &lives {
        for _ in life {
            world.begins(&lives, id);
            let fetched = world.running.pop().unwrap();
            world.ends(fetched, false);
            world.happens(&lives, id);
        }
    }
    world
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<Index>().prop_map(Step::Happens),
        4 => any::<Index>().prop_map(Step::Comes),
        5 => any::<Index>().prop_map(Step::Begins),
        5 => (any::<Index>(), any::<bool>()).prop_map(|(at, crash)| Step::Ends(at, crash)),
        1 => any::<bool>().prop_map(Step::Repeats),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn every_schedule_ends_the_same(steps in prop::collection::vec(a_step(), 0..80)) {
        let (lives, mut world) = (lives(), World::default());
        for step in steps {
            world.step(&lives, step);
        }
        world.settle(&lives);
        let expected = in_order();

        prop_assert_eq!(world.state(), expected.state());
        prop_assert_eq!(sorted(world.told(&MONEY)), sorted(expected.told(&MONEY)));
        prop_assert_eq!(world.told(&["payment.succeeded"]).len(), 1);
        let on_the_way = world.told(&ON_THE_WAY);
        prop_assert!(each_once(&on_the_way), "{:?}", on_the_way);
        let possible = expected.told(&ON_THE_WAY);
        prop_assert!(on_the_way.iter().all(|it| possible.contains(it)));
        for action in STANDING {
            let (told, all) = (world.told(&[action]), expected.told(&[action]));
            // Some may be missed, but none comes twice or after a later one, and the last one holds.
            let places: Vec<_> =
                told.iter().map(|it| all.iter().position(|other| other == it)).collect();
            prop_assert!(places.is_sorted_by(|a, b| a < b), "{:?}", told);
            prop_assert_eq!(told.last(), all.last());
        }
    }
}

#[test]
fn each_fact_is_told_once_and_in_its_order() {
    let world = in_order();

    let of = |subject: &str| -> Vec<_> {
        world.facts.iter().filter(|it| it.subject == subject).map(|it| it.action).collect()
    };
    assert_eq!(
        of("pay_1"),
        [
            "payment.disputed",
            "payment.disputed",
            "payment.failed",
            "payment.action_required",
            "payment.failed",
            "payment.succeeded",
            "payment.refunded",
            "payment.refunded",
        ]
    );
    assert_eq!((of("acme").len(), of("sub").len()), (3, 7));
}

#[test]
fn what_began_at_the_provider_is_no_fact_of_ours() {
    let theirs = Object::Payment(Payment { succeeded: true, ..Payment::default() });

    assert_eq!(facts("pi", None, &theirs), []);
}

#[test]
fn refusals_without_end_are_told_up_to_a_number() {
    let mut known = None;
    let mut told = 0;
    for attempt in 0..TOLD_MAX + 20 {
        let refused = Some((format!("ch_{attempt}"), "declined".to_owned()));
        let payment = Some("pay_1".to_owned());
        let fetched = Object::Payment(Payment { payment, refused, ..Payment::default() });
        if let Some((after, facts)) = news("pi", known.as_ref(), fetched) {
            told += facts.len();
            known = Some(after);
        }
    }

    assert_eq!(told, TOLD_MAX);
}

#[test]
fn a_customer_that_was_deleted_pays_by_nothing() {
    let life = customers();
    let (_, facts) = news("cus", Some(&life[0]), Object::Customer(Customer::default())).unwrap();

    assert_eq!((facts[0].subject.as_str(), &facts[0].data["method"]), ("acme", &Value::Null));
}
