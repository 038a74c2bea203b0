//! Offers: when a quota runs low, what the plan that has more of it comes to now.
//!
//! The gate tells in the log that a quota is reached, and which plan of quotas has more of it. This
//! follows, and tells what the customer's subscription would cost with the plan that grants that
//! one: the sum that a preview comes to, and that a change with it as `expected_gross` charges.
//!
//! No secret stands in the log, so there is no token in an offer, but what makes one.

use std::time::Duration;

use chrono::NaiveTime;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{Commit, Draft, Entry, Failure, Id, Job, NewJob, Timestamp},
    ports::Tenant,
    problem::Problem,
};

use super::{
    SUBSCRIPTIONS_MAX, State, Subscription,
    change::SubscriptionChange,
    planned::{self, By, ChangePreview, Wanted, signed},
    renew,
};
use crate::{
    bill::{Bill, BillKind, close, deliver},
    customer::Collection,
    document,
    period::{Anchor, Precision, Zone},
    plan::{PLANS_MAX, Plan},
    portal,
    proration::{self, Change},
    store,
};

/// Makes an offer.
pub const OFFER: &str = "billing.offer";
/// What is answered by one. Each is told once for a window and a threshold, and so is the offer.
pub const ALERTS: [&str; 4] =
    ["quota.reached", "quota.forecast", "quota.exceeded", "quota.grace_ended"];
/// How many plans are compared that grant the same.
const PLANS_COMPARED_MAX: usize = 10;
/// How far ahead it is looked for how long a sum holds, where it falls by the second.
const HOLDS_SECONDS_MAX: u32 = 15 * 60;

/// What the gate told.
#[derive(Debug, Deserialize)]
struct Alert {
    sequence: i64,
    action: String,
    customer: String,
    data: Told,
}

#[derive(Debug, Deserialize)]
struct Told {
    /// The plan of quotas that there is.
    plan: String,
    quota: String,
    meter: String,
    window: Value,
    #[serde(default)]
    threshold: Option<u32>,
    upgrade: Upgrade,
}

/// The next plan of quotas up.
#[derive(Debug, Deserialize, Serialize)]
struct Upgrade {
    plan: String,
    limit: i64,
    more: i64,
}

/// How a sum moves while nobody takes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Moves {
    /// With the time that is left of the period, by the second.
    EachSecond,
    /// By the day.
    EachDay,
    /// With the next period only: nothing is charged now.
    WithThePeriod,
}

/// The jobs that alerts are, where there is a plan that has more.
pub fn follow(entries: &[Entry]) -> Commit {
    let alerts = entries.iter().filter(|it| ALERTS.contains(&it.action.as_str()));
    let alerts = alerts.filter(|it| it.data.get("upgrade").is_some());
    alerts.fold(Commit::new(), |commit, it| {
        let body = json!({
            "sequence": it.sequence, "action": it.action, "customer": it.subject, "data": it.data,
        });
        commit.job(NewJob::new(OFFER, format!("{OFFER}:{:012}", it.sequence), body))
    })
}

/// Works the job. There is no offer to whoever cannot take it.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let alert: Alert = serde_json::from_value(job.body.clone()).map_err(Failure::dead)?;
    offered(at, &alert).await.map_err(crate::failed)
}

async fn offered(at: &impl Tenant, alert: &Alert) -> Result<Commit, Problem> {
    let all = store::list_subscriptions_of(at, &alert.customer, "", SUBSCRIPTIONS_MAX).await?;
    // The oldest that grants something says which plan of quotas there is.
    let Some(it) = all.iter().find(|it| it.granting).filter(|it| can_change(it, alert)) else {
        return Ok(Commit::new());
    };
    let parties = close::Parties::of(at, &it.customer).await?;
    let old = renew::plan(at, &it.plan, it.plan_version).await?;
    let mut offers = Vec::new();
    for name in candidates(at, it, &old, alert).await? {
        match Offer::of(at, it, &parties, name).await {
            Ok(offer) => offers.push(offer),
            // To this one it cannot be changed, or not by the customer; perhaps to another.
            Err(problem) if problem.status().is_client_error() => {}
            Err(problem) => return Err(problem),
        }
    }
    let best =
        offers.iter().min_by_key(|it| (it.wanted.plan.interval != old.interval, it.shown.gross));
    Ok(match best {
        Some(best) => Commit::new().entry(best.entry(alert, it, &parties)),
        None => Commit::new(),
    })
}

/// Whether its customer can change it now, and it grants what the alert is of.
fn can_change(it: &Subscription, alert: &Alert) -> bool {
    matches!(it.state, State::Active | State::Trialing)
        && it.mirrored.is_none()
        && it.awaiting_payment.is_none()
        && it.cancellation.is_none()
        && it.grants.usage_plan == alert.data.plan
}

/// The plans in its currency that grant what the alert names, those of the same interval first. One
/// that it will have with the next period is none: it is asked for already.
async fn candidates(
    at: &impl Tenant,
    it: &Subscription,
    old: &Plan,
    alert: &Alert,
) -> Result<Vec<String>, Problem> {
    let all = store::list_plans(at, "", PLANS_MAX).await?;
    let is_asked_for = |name: &str| it.pending.as_ref().is_some_and(|it| it.plan == name);
    let fits = |plan: &Plan| {
        plan.grants().usage_plan == alert.data.upgrade.plan
            && plan.currency == it.currency
            && plan.name != it.plan
            && !is_asked_for(&plan.name)
    };
    let mut fitting: Vec<_> =
        all.into_iter().filter(|(plan, retired)| !retired && fits(plan)).map(|it| it.0).collect();
    fitting.sort_by_key(|it| it.interval != old.interval);
    Ok(fitting.into_iter().map(|it| it.name).take(PLANS_COMPARED_MAX).collect())
}

/// What one of these plans comes to.
struct Offer {
    wanted: Wanted,
    bill: Option<Bill>,
    shown: ChangePreview,
}

impl Offer {
    async fn of(
        at: &impl Tenant,
        it: &Subscription,
        parties: &close::Parties,
        plan: String,
    ) -> Result<Self, Problem> {
        let asked = SubscriptionChange { plan: Some(plan), ..SubscriptionChange::default() };
        let wanted = planned::wanted(at, it, parties, &asked, By::Customer).await?;
        let planned = planned::planned(at, it, parties, wanted.clone())?;
        Ok(Self { wanted, shown: planned.shown(it), bill: planned.bill })
    }

    fn entry(&self, alert: &Alert, it: &Subscription, parties: &close::Parties) -> Draft {
        let (plan, shown) = (&self.wanted.plan, &self.shown);
        let (holds_until, moves) = self.holds(parties);
        let change = json!({"plan": plan.name, "expected_gross": shown.gross});
        let data = json!({
            "customer": it.customer,
            "subscription": it.id,
            "plan": plan.name,
            "title": plan.title,
            "seats": Some(self.wanted.seats).filter(|it| *it > 0),
            "in_place_of": it.plan,
            "replaces": it.pending.as_ref().map(|it| &it.plan),
            "trial_end": it.trial_end.filter(|_| it.state == State::Trialing),
            "direction": shown.change.direction,
            "timing": shown.change.timing,
            "effective_at": shown.change.effective_at,
            "total": shown.change.total,
            "tax": shown.tax,
            "gross": shown.gross,
            "currency": shown.currency,
            "price": document::amount(&parties.customer.locale, shown.gross, shown.currency),
            "priced_at": self.wanted.change.at,
            "holds_until": holds_until,
            "moves": moves,
            "to": Some(deliver::addressee(&parties.customer)).filter(|it| !it.email.is_empty()),
            "needs_payment_method": self.is_charged() && parties.method().is_none(),
            "alert": alert.action,
            "alert_sequence": alert.sequence,
            "quota": alert.data.quota,
            "meter": alert.data.meter,
            "window": alert.data.window,
            "threshold": alert.data.threshold,
            "quota_plan": alert.data.upgrade,
            "link": {
                "make": portal::MAKE,
                "with": {"customer": it.customer, "subscription": it.id},
                "opens": format!("{}/change", portal::path(&it.id)),
                "send": change,
            },
        });
        let data = match data {
            Value::Object(all) => all.into_iter().filter(|(_, it)| !it.is_null()).collect(),
            other => other,
        };
        Draft::new("upgrade.offered", &Id::trusted(it.customer.clone())).with(data)
    }

    /// Whether a provider charges it.
    fn is_charged(&self) -> bool {
        self.bill.as_ref().is_some_and(|it| {
            it.kind == BillKind::Invoice && it.collection == Collection::ChargeAutomatically
        })
    }

    /// Until when it comes to the same at least, if nobody changes the plan, and how it moves then.
    fn holds(&self, parties: &close::Parties) -> (Timestamp, Moves) {
        let Wanted { change, .. } = &self.wanted;
        let Some(bill) = &self.bill else { return (change.period.to, Moves::WithThePeriod) };
        let (until, moves) = match change.precision {
            Precision::Day => (next_day(change.at, change.anchor.zone), Moves::EachDay),
            Precision::Second => {
                let same =
                    |it: &Timestamp| gross_at(parties, bill, change, *it) == Some(self.shown.gross);
                let seconds = (1..=HOLDS_SECONDS_MAX).map(|it| Duration::from_secs(it.into()));
                let later = seconds.map(|it| change.at + it).take_while(same);
                (later.last().unwrap_or(change.at), Moves::EachSecond)
            }
        };
        (until.min(change.period.to), moves)
    }
}

/// The beginning of the next day, by which the days that are left are counted.
fn next_day(at: Timestamp, zone: Zone) -> Timestamp {
    let today = zone.local(at).date();
    zone.first_at(today.succ_opt().unwrap_or(today).and_time(NaiveTime::MIN))
}

/// What the change comes to when it is made at another moment.
fn gross_at(parties: &close::Parties, bill: &Bill, change: &Change, at: Timestamp) -> Option<i64> {
    let change = Change { at, anchor: Anchor { at, ..change.anchor }, ..change.clone() };
    let lines = proration::preview(&change).ok()?.lines;
    let lines = lines.iter().map(planned::line).collect();
    let mut bill = Bill { kind: BillKind::Invoice, lines, ..bill.clone() };
    close::price(parties, &mut bill).ok()?;
    Some(signed(&bill).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billed::FOLLOWS;

    fn entry(sequence: i64, action: &str, data: Value) -> Entry {
        let (action, subject) = (action.to_owned(), "acme".to_owned());
        let (at, actor, leaf) = (Timestamp(0), "system".to_owned(), String::new());
        Entry { sequence, at, actor, action, subject, data, leaf }
    }

    #[test]
    fn each_alert_that_names_a_plan_is_one_job() {
        let upgrade = json!({"upgrade": {"plan": "pro", "limit": 1_000, "more": 900}});
        let mut entries: Vec<_> =
            (1..).zip(ALERTS).map(|(at, it)| entry(at, it, upgrade.clone())).collect();
        entries.push(entry(5, "quota.reached", json!({})));
        entries.push(entry(6, "quota.member_reached", upgrade.clone()));

        let jobs: Vec<_> = follow(&entries).jobs.into_iter().map(|it| it.id).collect();

        let expected: Vec<_> = (1..=4).map(|it| format!("billing.offer:{it:012}")).collect();
        assert_eq!(jobs, expected);
        assert!(ALERTS.iter().all(|it| FOLLOWS.contains(it)));
    }

    #[test]
    fn the_days_that_are_left_are_counted_from_midnight() {
        let next = |at: &str, zone: &str| {
            let (at, zone) = (Timestamp::parse(at).unwrap(), zone.parse().unwrap());
            next_day(at, zone).to_string()
        };

        // The night in which the clock is changed has 23 hours.
        assert_eq!(next("2030-03-30T23:00:00Z", "Europe/Berlin"), "2030-03-31T22:00:00.000Z");
        assert_eq!(next("2030-03-31T21:59:59.999Z", "Europe/Berlin"), "2030-03-31T22:00:00.000Z");
        assert_eq!(next("2030-12-31T23:59:59Z", "UTC"), "2031-01-01T00:00:00.000Z");
    }
}
