//! Preferences, every case of them: a table of decisions, and all combinations beside it.

use proptest::prelude::*;

use super::*;

const KIND: &str = "comment.created";
const WORKFLOW: &str = "comments-now";
const CATEGORY: &str = "comments";
const ABOUT: &str = "document:42";
const NOW: Timestamp = Timestamp(1_000);
/// What can be said in one place.
const SAID: [Option<bool>; 3] = [None, Some(true), Some(false)];

fn matter(critical: bool, opt_in: bool) -> Matter<'static> {
    let (category, about) = (Some(CATEGORY), Some(ABOUT));
    Matter { kind: KIND, workflow: WORKFLOW, category, about, critical, opt_in }
}

fn muted(it: bool) -> Muted {
    it.then(|| (ABOUT.to_owned(), None)).into_iter().collect()
}

/// A layer from its places, the narrowest first: type by channel, type, workflow by channel,
/// workflow, category by channel, category, channel, everything.
fn layer(said: [Option<bool>; 8]) -> Preferences {
    let [type_email, types, flow_email, flow, category_email, category, email, everything] = said;
    let named = |name: &str, by_email: Option<bool>, all: Option<bool>| {
        let channels: BTreeMap<_, _> =
            by_email.map(|it| (Channel::Email, it)).into_iter().collect();
        let is_said = all.is_some() || !channels.is_empty();
        is_said.then(|| (name.to_owned(), Choice { all, channels })).into_iter().collect()
    };
    Preferences {
        everything,
        channels: email.map(|it| (Channel::Email, it)).into_iter().collect(),
        categories: named(CATEGORY, category_email, category),
        workflows: named(WORKFLOW, flow_email, flow),
        types: named(KIND, type_email, types),
    }
}

fn decide(
    matter: &Matter<'_>,
    tenant: &Preferences,
    member: &Preferences,
    muted: &Muted,
) -> Verdict {
    Wishes { tenant, member, muted }.decide(matter, Channel::Email, NOW)
}

/// The `number`th way to say something, or nothing, in `N` places.
fn nth<const N: usize>(mut number: usize) -> [Option<bool>; N] {
    std::array::from_fn(|_| {
        let said = SAID[number % 3];
        number /= 3;
        said
    })
}

/// The rule said once more, over the places as a row: what is meant, without how it is found.
fn meant(
    (critical, opt_in, is_muted): (bool, bool, bool),
    tenant: &[Option<bool>; 8],
    member: &[Option<bool>; 8],
) -> bool {
    let first = member.iter().position(Option::is_some);
    match (critical, is_muted, opt_in) {
        (true, ..) => true,
        (_, true, _) => false,
        // The first six places name it.
        (.., true) => first.is_some_and(|it| it < 6 && member[it] == Some(true)),
        _ => member.iter().chain(tenant).flatten().next().copied().unwrap_or(true),
    }
}

fn flags() -> impl Iterator<Item = (bool, bool, bool)> {
    (0..8).map(|it| (it & 1 != 0, it & 2 != 0, it & 4 != 0))
}

fn holds(flags: (bool, bool, bool), tenant: [Option<bool>; 8], member: [Option<bool>; 8]) {
    let (critical, opt_in, is_muted) = flags;
    let verdict =
        decide(&matter(critical, opt_in), &layer(tenant), &layer(member), &muted(is_muted));

    let expected = meant(flags, &tenant, &member);
    assert_eq!(verdict.wanted, expected, "{flags:?} {tenant:?} {member:?} {verdict:?}");
}

#[test]
fn each_combination_within_a_layer_is_decided_as_meant() {
    for number in 0..3_usize.pow(8) {
        for flags in flags() {
            holds(flags, [None; 8], nth(number));
            holds(flags, nth(number), [None; 8]);
        }
    }
}

#[test]
fn each_combination_of_both_layers_is_decided_as_meant() {
    // What a channel says within a name is the test above; here are the five kinds of statement.
    let spread = |number| {
        let [types, flow, category, email, everything] = nth::<5>(number);
        [None, types, None, flow, None, category, email, everything]
    };
    for tenant in 0..3_usize.pow(5) {
        for member in 0..3_usize.pow(5) {
            let flags = (false, member % 2 == 0, false);
            holds(flags, spread(tenant), spread(member));
            holds((false, !flags.1, false), spread(tenant), spread(member));
        }
    }
}

#[test]
fn the_table_of_decisions() {
    const YES: Option<bool> = Some(true);
    const NO: Option<bool> = Some(false);
    let none = [None; 8];
    let at = |place: usize, said| {
        let mut places = none;
        places[place] = said;
        places
    };
    let member =
        |statement: &str| Because::Stated { layer: Layer::Member, statement: statement.to_owned() };
    let tenant =
        |statement: &str| Because::Stated { layer: Layer::Tenant, statement: statement.to_owned() };
    let (plain, critical, opt_in) =
        (matter(false, false), matter(true, false), matter(false, true));
    // Notice, tenant, member, muted; wanted, because.
    let table = [
        (plain, none, none, false, true, Because::Unsaid),
        (plain, none, none, true, false, Because::Muted),
        (plain, at(7, NO), none, false, false, tenant("everything")),
        (plain, at(0, NO), at(7, YES), false, true, member("everything")),
        (plain, at(0, YES), at(6, NO), false, false, member("channels/email")),
        (plain, none, at(5, NO), false, false, member("categories/comments/all")),
        (plain, at(3, NO), none, false, false, tenant("workflows/comments-now/all")),
        (plain, none, at(0, YES), true, false, Because::Muted),
        (critical, at(7, NO), at(0, NO), true, true, Because::Critical),
        (opt_in, none, none, false, false, Because::NotOptedIn),
        (opt_in, at(0, YES), none, false, false, Because::NotOptedIn),
        (opt_in, none, at(7, YES), false, false, Because::NotOptedIn),
        (opt_in, none, at(6, YES), false, false, Because::NotOptedIn),
        (opt_in, none, at(7, NO), false, false, member("everything")),
        (opt_in, none, at(4, YES), false, true, member("categories/comments/email")),
        (opt_in, none, at(1, YES), false, true, member("types/comment.created/all")),
        (opt_in, none, at(1, YES), true, false, Because::Muted),
    ];
    for (matter, tenant, member, is_muted, wanted, because) in table {
        let verdict = decide(&matter, &layer(tenant), &layer(member), &muted(is_muted));

        assert_eq!(verdict, Verdict { wanted, because });
    }
}

#[test]
fn another_channel_type_and_resource_are_not_concerned() {
    let member = Preferences::default().without(KIND, Channel::Email);
    let (tenant, muted) = (Preferences::default(), muted(true));
    let wishes = Wishes { tenant: &tenant, member: &member, muted: &muted };
    let elsewhere = Matter { about: Some("document:43"), ..matter(false, false) };

    assert!(!wishes.decide(&elsewhere, Channel::Email, NOW).wanted);
    assert!(wishes.decide(&elsewhere, Channel::InApp, NOW).wanted);
    let other = Matter { kind: "comment.deleted", ..elsewhere };
    assert!(wishes.decide(&other, Channel::Email, NOW).wanted);
    assert!(!wishes.decide(&matter(false, false), Channel::InApp, NOW).wanted);
}

#[test]
fn a_mute_ends_on_the_moment() {
    let muted: Muted = [(ABOUT.to_owned(), Some(NOW))].into();

    assert!(is_muted(&muted, ABOUT, Timestamp(NOW.0 - 1)));
    assert!(!is_muted(&muted, ABOUT, NOW));
}

#[test]
fn a_click_on_unsubscribe_is_one_change() {
    let before = layer([None, Some(true), None, None, None, None, Some(true), None]);
    let after = before.clone().without(KIND, Channel::Email);

    let statement = "types/comment.created/email".to_owned();
    assert_eq!(before.changes(&after), [Change { statement, before: None, after: Some(false) }]);
    assert_eq!(after.changes(&after), []);
}

#[test]
fn names_are_words_and_bounded() {
    let named = |names: &[String]| Preferences {
        types: names.iter().map(|it| (it.clone(), Choice::default())).collect(),
        ..Preferences::default()
    };
    let many: Vec<_> = (0..=NAMED_MAX).map(|it| it.to_string()).collect();

    assert_eq!(named(&many).checked(), Err(Error::TooMany("types")));
    assert!(named(&many[1..]).checked().is_ok());
    let bad = "two words".to_owned();
    assert_eq!(named(std::slice::from_ref(&bad)).checked(), Err(Error::Name("types", bad)));
}

proptest! {
    #[test]
    fn changes_lead_from_one_to_the_other(one in 0..6561_usize, other in 0..6561_usize) {
        let (one, other) = (layer(nth(one)), layer(nth(other)));
        let mut said = one.statements();
        for change in one.changes(&other) {
            prop_assert_eq!(said.get(&change.statement).copied(), change.before);
            match change.after {
                Some(it) => said.insert(change.statement, it),
                None => said.remove(&change.statement),
            };
        }
        prop_assert_eq!(said, other.statements());
    }
}
