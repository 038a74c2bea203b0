//! Policies: what is promised of which tickets, and who hears of it when. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use shared::{
    domain::{Id, WORD, is_word},
    expression::Expression,
    problem::Problem,
};
use utoipa::ToSchema;

use crate::{priority::Priority, state::State};

/// The calendar that everybody has: all time is worked.
pub const ALWAYS: &str = "always";
/// The most minutes of a target: a year and a day.
pub const MINUTES_MAX: u32 = 366 * 24 * 60;
/// How many steps a ladder has at most.
pub const STEPS_MAX: usize = 20;
/// How many are told at a step.
pub const TO_MAX: usize = 20;
/// The highest step, in percent of the target.
pub const PERCENT_MAX: u16 = 1_000;
/// At what a promise is broken, in percent of the target.
pub const BREACH_PERCENT: u16 = 100;
/// Who is told at what, where a policy does not say.
const PERCENTS_DEFAULT: [u16; 3] = [50, 80, BREACH_PERCENT];
/// What a policy without a rank has.
const RANK_DEFAULT: u16 = 100;
/// The variable of conditions.
pub const TICKET: &str = "ticket";

/// What is promised.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SlaTarget)]
pub enum Target {
    /// That somebody answers at all.
    FirstResponse,
    /// That somebody answers what the requester writes later.
    NextResponse,
    /// That the requester hears something every so often.
    Update,
    /// That it is resolved.
    Resolution,
}

/// A policy, as it is put and read.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SlaPolicyText)]
pub struct PolicyText {
    /// Which is asked first: the lowest, and of two the one whose name comes first. 100 when left
    /// out.
    #[serde(default = "rank_default")]
    pub rank: u16,
    /// Of which tickets it is, in CEL over `ticket`, as `ticket.plan == "gold"`; of all when left
    /// out. What fails, as for a field that a ticket has not, does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub when: Option<Expression>,
    /// By which calendar time is counted, by its name; all time when left out.
    #[serde(default = "always")]
    pub calendar: String,
    /// In which states nothing is counted: `pending` when left out.
    #[serde(default = "pauses_default")]
    pub pauses: BTreeSet<State>,
    /// What is promised. Without any it holds tickets to nothing.
    pub targets: BTreeMap<Target, TargetText>,
    /// Who is told at what, in rising order, up to 20 steps. When left out, the assignee and the team
    /// at 50, 80 and 100 percent.
    #[serde(default = "ladder_default")]
    pub ladder: Vec<Step>,
}

/// One thing that is promised.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SlaTargetText)]
pub struct TargetText {
    /// Within how many minutes of working time, by priority, up to 527,040. Of a priority that is
    /// left out it is not promised.
    pub minutes: BTreeMap<Priority, u32>,
    /// By another calendar than the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// In other states than the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pauses: Option<BTreeSet<State>>,
}

/// A step of the ladder.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SlaStep)]
pub struct Step {
    /// At how much of the target, from 1 to 1,000 percent. At 100 the promise is broken.
    pub percent: u16,
    /// Who is told: `assignee`, `team`, or a member, `mem_…`; up to 20.
    #[schema(value_type = Vec<String>)]
    pub to: Vec<To>,
}

/// Whom a step tells.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum To {
    /// Who handles the ticket then.
    Assignee,
    /// All of the team that it is for then.
    Team,
    /// This member.
    Member(String),
}

fn rank_default() -> u16 {
    RANK_DEFAULT
}

fn always() -> String {
    ALWAYS.to_owned()
}

fn pauses_default() -> BTreeSet<State> {
    [State::Pending].into()
}

fn ladder_default() -> Vec<Step> {
    let step = |percent| Step { percent, to: vec![To::Assignee, To::Team] };
    PERCENTS_DEFAULT.into_iter().map(step).collect()
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::FirstResponse, Self::NextResponse, Self::Update, Self::Resolution];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::FirstResponse => "first_response",
            Self::NextResponse => "next_response",
            Self::Update => "update",
            Self::Resolution => "resolution",
        }
    }

    /// The target that is written like this.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }
}

impl TryFrom<String> for To {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "assignee" => Ok(Self::Assignee),
            "team" => Ok(Self::Team),
            _ if Id::parse("mem", &text).is_some() => Ok(Self::Member(text)),
            _ => Err("expected assignee, team, or a member, mem_…"),
        }
    }
}

impl From<To> for String {
    fn from(it: To) -> Self {
        match it {
            To::Assignee => "assignee".to_owned(),
            To::Team => "team".to_owned(),
            To::Member(it) => it,
        }
    }
}

impl PolicyText {
    /// The same, if it can be kept.
    ///
    /// # Errors
    /// 422 with what is wrong in it.
    pub fn checked(self) -> Result<Self, Problem> {
        if let Some(other) = self.when.iter().flat_map(|it| it.variables()).find(|it| *it != TICKET)
        {
            return Err(Problem::unfitting(
                "when",
                format!("{other} is not known: there is ticket"),
            ));
        }
        let own = self.targets.values().filter_map(|it| it.pauses.as_ref());
        if own.chain([&self.pauses]).flatten().any(|it| !may_pause(*it)) {
            return Err(Problem::unfitting("pauses", "pending and on_hold can pause"));
        }
        if let Some(it) = self.calendars().into_iter().find(|it| !is_word(it)) {
            return Err(Problem::unfitting("calendar", format!("{it}: a name is {WORD}")));
        }
        for (target, text) in &self.targets {
            if !text.minutes.values().all(|it| (1..=MINUTES_MAX).contains(it)) {
                let path = format!("targets.{}.minutes", target.word());
                return Err(Problem::unfitting(&path, format!("1 to {MINUTES_MAX}")));
            }
        }
        check_ladder(&self.ladder).map_err(|why| Problem::unfitting("ladder", why))?;
        Ok(self)
    }

    /// The calendars that it names.
    pub fn calendars(&self) -> BTreeSet<&str> {
        let own = self.targets.values().filter_map(|it| it.calendar.as_deref());
        own.chain([self.calendar.as_str()]).collect()
    }
}

/// Whether a policy may count nothing in this state. Where nobody waits, nothing is counted anyway.
fn may_pause(state: State) -> bool {
    matches!(state, State::Pending | State::OnHold)
}

fn check_ladder(ladder: &[Step]) -> Result<(), String> {
    if ladder.len() > STEPS_MAX {
        return Err(format!("there are at most {STEPS_MAX} steps"));
    }
    if ladder.iter().any(|it| !(1..=PERCENT_MAX).contains(&it.percent)) {
        return Err(format!("a step is at 1 to {PERCENT_MAX} percent"));
    }
    if ladder.iter().any(|it| it.to.len() > TO_MAX) {
        return Err(format!("a step tells at most {TO_MAX}"));
    }
    let mut pairs = ladder.iter().zip(ladder.iter().skip(1));
    match pairs.find(|(one, next)| next.percent <= one.percent) {
        Some((one, next)) => {
            Err(format!("{} comes after {}: let steps rise", next.percent, one.percent))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parsed(mut text: Value) -> Option<PolicyText> {
        if text.get("targets").is_none() {
            text["targets"] = json!({});
        }
        serde_json::from_value::<PolicyText>(text).ok().and_then(|it| it.checked().ok())
    }

    #[test]
    fn what_is_left_out_is_the_usual() {
        let it = parsed(json!({"targets": {}})).unwrap();

        assert_eq!((it.rank, it.calendar.as_str()), (100, ALWAYS));
        assert_eq!(it.pauses, BTreeSet::from([State::Pending]));
        let percents: Vec<_> = it.ladder.iter().map(|it| it.percent).collect();
        assert_eq!(percents, [50, 80, 100]);
        assert!(it.targets.is_empty());
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let minutes = |it: u32| json!({"targets": {"update": {"minutes": {"low": it}}}});
        for bad in [
            json!({"when": "customer.plan == 1"}),
            json!({"when": "ticket."}),
            json!({"pauses": ["open"]}),
            json!({"pauses": ["resolved"]}),
            json!({"targets": {"update": {"minutes": {"low": 1}, "pauses": ["closed"]}}}),
            json!({"targets": {"update": {"minutes": {"some": 1}}}}),
            json!({"targets": {"answer": {"minutes": {"low": 1}}}}),
            minutes(0),
            minutes(MINUTES_MAX + 1),
            json!({"calendar": "not a word"}),
            json!({"ladder": [{"percent": 80, "to": []}, {"percent": 80, "to": []}]}),
            json!({"ladder": [{"percent": 0, "to": []}]}),
            json!({"ladder": [{"percent": 1001, "to": []}]}),
            json!({"ladder": [{"percent": 50, "to": ["everybody"]}]}),
            json!({"ladder": [{"percent": 50, "to": vec!["team"; TO_MAX + 1]}]}),
            json!({"other": 1}),
        ] {
            assert!(parsed(bad.clone()).is_none(), "{bad}");
        }
        assert!(parsed(minutes(MINUTES_MAX)).is_some());
        assert!(parsed(json!({"when": "ticket.plan == 'gold'", "pauses": []})).is_some());
    }
}
