//! Terms: what a ticket is held to at a moment, by the policies and calendars of that moment. Pure.

use std::collections::{BTreeMap, BTreeSet};

use shared::domain::Timestamp;

use super::{
    calendar::Calendar,
    history::View,
    policy::{ALWAYS, BREACH_PERCENT, PolicyText, Step, TICKET, Target},
    versions::{Version, Versions},
};
use crate::state::State;

/// All policies and calendars of a tenant, with their versions.
#[derive(Clone, Debug, Default)]
pub struct Promises {
    policies: BTreeMap<String, Versions<PolicyText>>,
    calendars: BTreeMap<String, Versions<Calendar>>,
    always: Calendar,
    /// When anything of it changes, each once and in order.
    moments: Vec<Timestamp>,
}

/// What a ticket is held to in one thing.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a> {
    /// By which policy.
    pub policy: &'a str,
    /// By which version of it.
    pub version: i64,
    /// Within how many minutes of working time.
    pub minutes: u32,
    /// By which calendar.
    pub calendar_name: &'a str,
    /// That calendar, as it is then.
    pub calendar: &'a Calendar,
    /// In which states nothing is counted.
    pub pauses: &'a BTreeSet<State>,
    /// Who is told at what.
    pub ladder: &'a [Step],
}

impl Term<'_> {
    /// This much of it, in milliseconds. Exact: a percent of a minute is 600 of them.
    pub fn share(&self, percent: u16) -> i64 {
        i64::from(self.minutes) * 600 * i64::from(percent)
    }

    /// At what something is to be told, in percent and in rising order.
    pub fn percents(&self) -> BTreeSet<u16> {
        self.ladder.iter().map(|it| it.percent).chain([BREACH_PERCENT]).collect()
    }
}

impl Promises {
    /// These, each with its name.
    pub fn new(
        policies: BTreeMap<String, Versions<PolicyText>>,
        calendars: BTreeMap<String, Versions<Calendar>>,
    ) -> Self {
        let moments: BTreeSet<_> = policies.values().flat_map(Versions::moments).collect();
        let moments: BTreeSet<_> =
            calendars.values().flat_map(Versions::moments).chain(moments).collect();
        let moments = moments.into_iter().collect();
        Self { policies, calendars, always: Calendar::always(), moments }
    }

    /// When something of it changes next, after this moment.
    pub fn changes_after(&self, moment: Timestamp) -> Option<Timestamp> {
        self.moments.get(self.moments.partition_point(|it| *it <= moment)).copied()
    }

    /// What a policy promises a ticket in one thing.
    fn term<'a>(&'a self, found: Found<'a>, view: &View, target: Target) -> Option<Term<'a>> {
        let text = found.version.what.as_ref()?;
        let own = text.targets.get(&target)?;
        let calendar_name = own.calendar.as_ref().unwrap_or(&text.calendar);
        Some(Term {
            policy: found.name,
            version: found.version.number,
            minutes: *own.minutes.get(&view.priority)?,
            calendar_name,
            calendar: self.calendar(calendar_name, found.at)?,
            pauses: own.pauses.as_ref().unwrap_or(&text.pauses),
            ladder: &text.ladder,
        })
    }

    /// The calendar as it is at this moment; what was before its first version was as that one.
    fn calendar(&self, name: &str, moment: Timestamp) -> Option<&Calendar> {
        if name == ALWAYS {
            return Some(&self.always);
        }
        self.calendars.get(name)?.at_or_first(moment)?.what.as_ref()
    }
}

/// The policy that a ticket is held to at a moment.
#[derive(Clone, Copy)]
struct Found<'a> {
    name: &'a str,
    version: &'a Version<PolicyText>,
    at: Timestamp,
}

/// Decides by which policy a ticket is held, and asks no condition twice of the same ticket.
pub struct Judge<'a> {
    promises: &'a Promises,
    holds: BTreeMap<(&'a str, i64), bool>,
}

impl<'a> Judge<'a> {
    /// One for these promises.
    pub fn new(promises: &'a Promises) -> Self {
        Self { promises, holds: BTreeMap::new() }
    }

    /// The ticket is another now.
    pub fn forget(&mut self) {
        self.holds.clear();
    }

    /// What the ticket is held to at this moment, in the order of [`Target::ALL`].
    pub fn terms(&mut self, view: &View, at: Timestamp) -> [Option<Term<'a>>; 4] {
        let found = self.find(view, at);
        Target::ALL.map(|target| self.promises.term(found?, view, target))
    }

    /// The policy that was chosen for the ticket, else the first by rank and name whose condition
    /// holds.
    fn find(&mut self, view: &View, at: Timestamp) -> Option<Found<'a>> {
        let promises = self.promises;
        let in_force = promises.policies.iter().filter_map(|(name, versions)| {
            let version = versions.at(at)?;
            let text = version.what.as_ref()?;
            Some((text.rank, Found { name, version, at }))
        });
        let mut all: Vec<_> = in_force.collect();
        if let Some((_, it)) = all.iter().find(|(_, it)| Some(it.name) == view.chosen()) {
            return Some(*it);
        }
        all.sort_by_key(|(rank, it)| (*rank, it.name));
        all.into_iter().map(|(_, it)| it).find(|it| self.is_of(it, view))
    }

    fn is_of(&mut self, it: &Found<'a>, view: &View) -> bool {
        let Some(when) = it.version.what.as_ref().and_then(|it| it.when.as_ref()) else {
            return true;
        };
        let holds = || when.holds(&[(TICKET, &view.fields)]).unwrap_or(false);
        *self.holds.entry((it.name, it.version.number)).or_insert_with(holds)
    }
}
