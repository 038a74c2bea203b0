//! Priorities: how soon a ticket is to be looked at, from its impact and its urgency. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    settings::{Rule, Settings},
    ticket::Ticket,
};

/// How many are hit, or how soon it hurts.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketLevel)]
pub enum Level {
    /// One person, or some day.
    Low,
    /// Some people, or soon.
    #[default]
    Medium,
    /// Everybody, or now.
    High,
}

/// How soon a ticket is to be looked at.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketPriority)]
pub enum Priority {
    /// When there is time.
    Low,
    /// In its turn.
    #[default]
    Normal,
    /// Before others.
    High,
    /// At once.
    Urgent,
}

impl Priority {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Urgent];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

/// The priority of each impact, the least first, by each urgency, the least first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(as = TicketMatrix, value_type = Vec<Vec<Priority>>)]
pub struct Matrix(pub [[Priority; 3]; 3]);

impl Default for Matrix {
    fn default() -> Self {
        use Priority::{High, Low, Normal, Urgent};
        Self([[Low, Low, Normal], [Low, Normal, High], [Normal, High, Urgent]])
    }
}

impl Matrix {
    /// What stands where the two meet.
    pub fn at(&self, impact: Level, urgency: Level) -> Priority {
        let Self([low, medium, high]) = self;
        let [a, b, c] = match impact {
            Level::Low => low,
            Level::Medium => medium,
            Level::High => high,
        };
        *match urgency {
            Level::Low => a,
            Level::Medium => b,
            Level::High => c,
        }
    }
}

/// The ticket with its priority, and with what rules make of it: first the matrix, then what its
/// customer's plan, its customer and its incident raise it to, then the rules in their order. What
/// was set by hand stays. Team, assignee and tags come from rules only where there are none.
pub fn decide(ticket: Ticket, settings: &Settings) -> Ticket {
    let mut it = ticket;
    it.because.clear();
    if it.pinned {
        it.because.push("set by hand".to_owned());
    } else {
        it.priority = settings.matrix.at(it.impact, it.urgency);
        let (impact, urgency) = (word(it.impact), word(it.urgency));
        it.because.push(format!("impact {impact}, urgency {urgency}: {}", it.priority.word()));
        raised(&mut it, settings);
    }
    for rule in &settings.rules {
        if rule.holds(&it) {
            apply(rule, &mut it);
        }
    }
    it
}

fn word(it: Level) -> &'static str {
    match it {
        Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
    }
}

fn raised(it: &mut Ticket, settings: &Settings) {
    let customer = it.requester.customer.as_deref();
    let plan = it.plan.as_deref().and_then(|plan| Some((plan, settings.plans.get(plan)?)));
    let plan = plan.map(|(name, least)| (format!("plan {name}"), *least));
    let vip = customer.filter(|it| settings.vips.iter().any(|vip| vip == it));
    let vip = vip.map(|name| (format!("customer {name}"), settings.vip_priority));
    let incident = it.incident.as_deref();
    let incident = incident.map(|name| (format!("incident {name}"), settings.incident_priority));
    for (why, least) in plan.into_iter().chain(vip).chain(incident) {
        if it.priority < least {
            it.priority = least;
            it.because.push(format!("{why}: at least {}", least.word()));
        }
    }
}

fn apply(rule: &Rule, it: &mut Ticket) {
    let before = it.clone();
    if let Some(priority) = rule.priority.filter(|_| !it.pinned) {
        it.priority = priority;
    }
    if let Some(least) = rule.at_least.filter(|_| !it.pinned) {
        it.priority = it.priority.max(least);
    }
    it.team = it.team.take().or_else(|| rule.team.clone());
    it.assignee = it.assignee.take().or_else(|| rule.assignee.clone());
    let new = rule.add_tags.iter().filter(|tag| !before.tags.contains(tag));
    it.tags.extend(new.cloned());
    it.tags.sort();
    if *it != before {
        it.because.push(format!("rule {}: {}", rule.name, it.priority.word()));
    }
}

#[cfg(test)]
mod tests;
