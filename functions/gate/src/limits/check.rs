//! A check: whether a request may go on, by all policies that count for it.

use serde::Serialize;
use shared::{
    directory::{self, customer_key::Refusal as KeyRefusal},
    domain::{Id, Principal, Timestamp, sha256_hex},
    http::{Response, StatusCode, json as json_response},
    limit::{Act, Algorithm, Limit, Standing},
    ports::{Edge, PortError, Question, Tally},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{
    answer,
    asked::{Asked, CHECKS_MAX, Checks, fit, label},
    caller::Caller,
    key, local, pattern,
    policy::{Mode, OnError, Policy, Refusal},
    receipt::Receipt,
    set::{self, Rule},
};
use crate::quota::shown::UsedUp;

/// How a check came out.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Checked {
    /// Whether the request may go on.
    pub allowed: bool,
    /// How the key of each policy that counts stands now.
    pub policies: Vec<PolicyStanding>,
    /// After how many seconds the request would be allowed; absent when it is, or never will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<i64>,
    /// The lease that it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
    /// What settles it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Whether it was let through because it could not be decided.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failed_open: bool,
    /// Why the key that was shown does not hold. Nothing was asked then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_refused: Option<KeyRefusal>,
    /// The hard quotas of the customer that are used up. Nothing was asked then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub used_up: Vec<UsedUp>,
}

/// The outcomes of several checks, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckedAll {
    /// One for each.
    pub items: Vec<Checked>,
}

/// How a key stands with a policy.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PolicyStanding {
    /// The policy.
    pub policy: String,
    /// Whether the request fits.
    pub allowed: bool,
    /// Whether the policy only says what it would do.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
    /// Whether the key is on the policy's list of those that are always refused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub banned: bool,
    /// Units in a period, or at the same time.
    pub limit: i64,
    /// The period; absent with `concurrency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_seconds: Option<i64>,
    /// Units that are left.
    pub remaining: i64,
    /// Until all of them are there again, in seconds.
    pub reset_seconds: i64,
    /// Until the request would fit, in seconds; absent when it does, or never will.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<i64>,
    /// The key, as a hash.
    pub key: String,
    /// What a refusal says.
    #[serde(skip)]
    pub refusal: Refusal,
}

/// A policy that counts for a request.
struct Asks<'a> {
    policy: &'a Policy,
    question: Question,
    banned: bool,
}

/// Answers one check: 200, or 429 with the problem.
pub async fn check(
    edge: &impl Edge,
    principal: &Principal,
    call: &Call,
) -> Result<Response, Problem> {
    let asked: Asked = call.json()?;
    let checked = decide(edge, principal, &asked).await?;
    Ok(answer::of(&checked, asked.legacy_headers))
}

/// Answers several, each for itself.
pub async fn check_all(
    edge: &impl Edge,
    principal: &Principal,
    call: &Call,
) -> Result<Response, Problem> {
    let Checks { checks } = call.json()?;
    if !(1..=CHECKS_MAX).contains(&checks.len()) {
        return Err(Problem::unfitting("checks", format!("1 to {CHECKS_MAX}")));
    }
    for it in &checks {
        fit(it)?; // All of them, before any of them takes.
    }
    let mut items = Vec::with_capacity(checks.len());
    for it in &checks {
        items.push(decide(edge, principal, it).await?);
    }
    Ok(json_response(StatusCode::OK, &CheckedAll { items }))
}

/// Decides whether a request may go on. What is refused has taken nothing.
///
/// # Errors
/// 422 when the check does not fit; 503 when a policy cannot be decided and refuses then.
pub async fn decide(
    edge: &impl Edge,
    principal: &Principal,
    asked: &Asked,
) -> Result<Checked, Problem> {
    fit(asked)?;
    let set = set::load(edge, principal).await?;
    let now = directory::now(edge, principal).await?;
    let caller = match Caller::find(edge, principal, asked, now).await? {
        Ok(it) => it,
        Err(why) => return Ok(Checked { key_refused: Some(why), ..Checked::default() }),
    };
    let asked = &caller.asked;
    let lease = lease(edge, asked, &set)?;
    let asks = asks(&set, principal, &caller, lease.as_deref(), now)?;
    let tally = tally(principal, asked, &asks, now);
    if !caller.used_up.is_empty() {
        return Ok(used_up(edge, principal, &caller, tally, now).await);
    }
    let (shadow, real): (Vec<_>, Vec<_>) = asks.into_iter().partition(|it| it.policy.shadow);
    let group = place(principal, asked, &set, &real);
    let counted = tally.as_ref().map_or(0, units);

    let mut checked = Checked::default();
    match take(edge, &group, &real, tally, now).await {
        Ok(policies) => checked.policies = policies,
        Err(err) if real.iter().all(|it| it.policy.on_error == OnError::Admit) => {
            edge.note(&format!("gate: let through, as it cannot be decided: {err}"));
            checked.failed_open = true;
        }
        Err(err) => return Err(err.into()),
    }
    checked.allowed = checked.policies.iter().all(|it| it.allowed);
    if checked.allowed {
        // The name of what is held, when something is.
        let holds = |it: &Asks| matches!(it.question.act, Act::Lease(..));
        checked.lease = lease.filter(|_| real.iter().any(holds));
        if asked.receipt {
            let receipt = Receipt::new(principal, asked, &group, &checked, now);
            let questions = real.iter().map(|it| &it.question);
            checked.receipt = Some(receipt.of(questions, counted).token(edge).await?);
        }
    } else {
        let refused = checked.policies.iter().filter(|it| !it.allowed);
        let waits = refused.map(|it| it.retry_after_seconds);
        checked.retry_after_seconds = waits.collect::<Option<Vec<_>>>().into_iter().flatten().max();
    }
    for it in &shadow {
        // Each for itself: it may refuse nothing.
        let place = alone(&group, it);
        if let Ok(standing) = take(edge, &place, std::slice::from_ref(it), None, now).await {
            checked.policies.extend(standing);
        }
    }
    Ok(checked)
}

/// Refuses a request of a customer whose quotas are used up: it takes nothing, and is counted.
async fn used_up(
    edge: &impl Edge,
    principal: &Principal,
    caller: &Caller,
    tally: Option<Tally>,
    now: Timestamp,
) -> Checked {
    let tally = tally.map(|it| Tally { admitted: it.refused.clone(), ..it });
    if let Err(err) = take(edge, &group(principal, &caller.asked), &[], tally, now).await {
        edge.note(&format!("gate: refused, and not counted: {err}"));
    }
    // All of those that are used up have to begin anew.
    let until = caller.used_up.iter().map(|it| it.until).max().unwrap_or(now);
    let millis = i64::try_from(until.since(now).as_millis()).unwrap_or(i64::MAX);
    let retry_after_seconds = Some(seconds(millis).max(1));
    Checked { retry_after_seconds, used_up: caller.used_up.clone(), ..Checked::default() }
}

/// Whole seconds, each that is begun.
fn seconds(ms: i64) -> i64 {
    ms.saturating_add(999) / 1000
}

/// Where the limits of a check are decided together. The keys of an app's only policy have nothing
/// to do with each other, so they are in sixteen places, by the last digit of their hash: no more,
/// as a place on Workers is an object, which costs while it is awake.
fn place(principal: &Principal, asked: &Asked, set: &[Rule], real: &[Asks]) -> String {
    let refuses = |it: &&Rule| it.policy.app == asked.app && !it.policy.shadow;
    let group = group(principal, asked);
    match (set.iter().filter(refuses).count(), real) {
        (1, [only]) => alone(&group, only),
        _ => group,
    }
}

fn alone(group: &str, it: &Asks) -> String {
    format!("{group}:{}", it.question.key.chars().last().unwrap_or('0'))
}

/// Where all limits of an app are.
fn group(principal: &Principal, asked: &Asked) -> String {
    format!("{}:{}", principal.tenant, asked.app)
}

fn lease(edge: &impl Edge, asked: &Asked, set: &[Rule]) -> Result<Option<String>, PortError> {
    let leases =
        |it: &Rule| it.policy.algorithm == Algorithm::Concurrency && it.policy.app == asked.app;
    if !set.iter().any(leases) {
        return Ok(None);
    }
    if let Some(it) = &asked.lease {
        return Ok(Some(it.clone()));
    }
    let mut random = [0; 10];
    edge.random(&mut random)?;
    Ok(Some(Id::new("lea", edge.now(), &random).to_string()))
}

/// The policies that count for a request, and what is asked of each.
fn asks<'a>(
    set: &'a [Rule],
    principal: &Principal,
    caller: &Caller,
    lease: Option<&str>,
    now: Timestamp,
) -> Result<Vec<Asks<'a>>, Problem> {
    let (asked, mut all) = (&caller.asked, Vec::new());
    for Rule { policy, when } in set.iter().filter(|it| it.policy.app == asked.app) {
        let route = asked.route.as_deref().unwrap_or("");
        let named = asked.method.as_ref().map(|it| format!("{it} {route}"));
        let cost = asked.cost.unwrap_or_else(|| policy.cost_of(named.as_deref().unwrap_or(route)));
        if let Some(it) = when
            && !caller.holds(it, policy, cost)?
        {
            continue;
        }
        let Some(key) = key::fill(&policy.key, asked) else { continue };
        let banned = policy.ban.iter().any(|it| pattern::fits(it, &key));
        if !banned && policy.allow.iter().any(|it| pattern::fits(it, &key)) {
            continue;
        }
        let limit = policy.limit_of(&key, caller.plan.as_deref());
        let limit = limit.map_err(|err| Problem::internal().caused_by(err))?;
        let act = match (policy.algorithm, lease) {
            (Algorithm::Concurrency, Some(lease)) if cost > 0 => {
                Act::Lease(cost, lease.to_owned(), now + limit.period())
            }
            _ => Act::Take(cost),
        };
        let key = hashed(principal, policy, limit, &key);
        all.push(Asks { policy, question: Question { key, limit, act }, banned });
    }
    Ok(all)
}

/// The key by which the limiter knows it. Another limit is another key: a state is only of use to
/// the limit that made it.
fn hashed(principal: &Principal, policy: &Policy, limit: Limit, key: &str) -> String {
    let limit = serde_json::to_string(&limit).unwrap_or_default();
    let hash = sha256_hex(format!("{}\n{limit}\n{key}", policy.name).as_bytes());
    format!("{}:{}", principal.tenant, hash.get(..32).unwrap_or(&hash))
}

/// What is counted of a request that takes something.
fn tally(principal: &Principal, asked: &Asked, asks: &[Asks], now: Timestamp) -> Option<Tally> {
    let units = asks.iter().filter_map(|it| match it.question.act {
        Act::Take(units) | Act::Lease(units, ..) => Some(units),
        _ => None,
    });
    let units = asked.cost.or(units.max()).unwrap_or(1);
    if units == 0 {
        return None;
    }
    let counts = |what: &str| vec![(what.to_owned(), 1), (format!("{what}_units"), units)];
    Some(Tally {
        tenant: principal.tenant.clone(),
        function: "gate".to_owned(),
        label: label(asked, now),
        admitted: counts("passed"),
        refused: counts("blocked"),
    })
}

/// How many units are counted.
fn units(it: &Tally) -> i64 {
    it.admitted.iter().find(|it| it.0 == "passed_units").map_or(0, |it| it.1)
}

/// Takes what is asked of all of them, or nothing.
async fn take(
    edge: &impl Edge,
    group: &str,
    asks: &[Asks<'_>],
    tally: Option<Tally>,
    now: Timestamp,
) -> Result<Vec<PolicyStanding>, PortError> {
    let banned = asks.iter().any(|it| it.banned);
    // Somebody who is banned takes nothing, and is counted.
    let look = |it: &Asks| match banned {
        true => Question { act: Act::Take(0), ..it.question.clone() },
        false => it.question.clone(),
    };
    let questions: Vec<_> = asks.iter().map(look).collect();
    let tally = tally.map(|it| match banned {
        true => Tally { admitted: it.refused.clone(), ..it },
        false => it,
    });
    let eventual = asks.iter().all(|it| it.policy.mode == Mode::Eventual) && !asks.is_empty();
    let standings = if eventual && !banned {
        local::decide(edge, group, &questions, tally, now).await?
    } else {
        edge.decide(group, &questions, tally.as_slice(), now).await?
    };
    Ok(asks.iter().zip(standings).map(|(it, standing)| stands(it, standing)).collect())
}

fn stands(ask: &Asks, it: Standing) -> PolicyStanding {
    let Asks { policy, question, banned } = ask;
    let concurrency = policy.algorithm == Algorithm::Concurrency;
    let key = question.key.rsplit(':').next().unwrap_or("").to_owned();
    PolicyStanding {
        policy: policy.name.clone(),
        allowed: it.admitted && !banned,
        shadow: policy.shadow,
        banned: *banned,
        limit: question.limit.units(),
        period_seconds: (!concurrency).then(|| seconds(question.limit.period_ms())),
        remaining: if *banned { 0 } else { it.remaining },
        reset_seconds: seconds(it.reset_ms),
        retry_after_seconds: match (it.admitted, *banned) {
            (false, false) => it.retry_ms.map(|it| seconds(it).max(1)),
            _ => None,
        },
        key,
        refusal: if *banned { Refusal::AbnormalUsageDetected } else { policy.problem },
    }
}
