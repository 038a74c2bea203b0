//! A policy: how much of what, for whom.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Page, WORD, is_word},
    expression::Expression,
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    limit::{Algorithm, Limit, PERIOD_MS_MAX, UNITS_MAX, Unfit},
    log,
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{key, pattern, store};

/// Shows the policies to the edge.
pub const SHOW: &str = "gate.policies";
/// The document in which the edge finds them.
pub const DOCUMENT: &str = "policies";
/// How many policies a tenant has.
pub const POLICIES_MAX: usize = 100;
/// How large one is, in bytes of JSON.
pub const POLICY_BYTES_MAX: usize = 16 * 1024;
/// How many overrides, costs by route, or entries of a list a policy has.
pub const ENTRIES_MAX: usize = 100;
/// By how many plans a policy has other limits.
pub const PLANS_MAX: usize = 20;
/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 64;
/// What a condition can look at.
pub const VARIABLES: [&str; 13] = [
    "api_key",
    "app",
    "asn",
    "attributes",
    "cost",
    "customer",
    "headers",
    "ip",
    "method",
    "plan",
    "route",
    "scopes",
    "user",
];

/// A policy of limits.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name, by which answers and headers call it.
    #[serde(default)]
    pub name: String,
    /// For which app it counts.
    #[serde(default = "default_app")]
    pub app: String,
    /// How it counts.
    pub algorithm: Algorithm,
    /// Units in a period, or at the same time.
    pub limit: i64,
    /// The period, 1 to 31,622,400 s. With `concurrency`: after how long a lease ends by itself.
    pub period_seconds: i64,
    /// The units at once of `gcra`; as many as the limit when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<i64>,
    /// What is counted separately: text with `{api_key}`, `{user}`, `{customer}`, `{member}`,
    /// `{app}`, `{ip}`, `{asn}`, `{route}`, `{method}`, `{header:name}` or `{attribute:name}` in it. Of IPv6 the /64 network counts. A request
    /// that lacks one of them is not limited by this policy.
    pub key: String,
    /// An expression that must hold for the policy to count, as `asn in [64500, 64501]`. What a
    /// request lacks is an empty text, and 0 as its `asn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Units that a request costs; 1 when left out. What the request itself says comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<i64>,
    /// What requests of some routes cost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<RouteCost>,
    /// Whether each unit is counted where all are, or by each instance for a moment alone.
    #[serde(default)]
    pub mode: Mode,
    /// Whether it only says what it would do.
    #[serde(default)]
    pub shadow: bool,
    /// What happens when it cannot be decided.
    #[serde(default)]
    pub on_error: OnError,
    /// Other limits for some keys: an exact one wins over a pattern with `*`, and the longer
    /// pattern over the shorter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<LimitOverride>,
    /// Other limits for customers by their plans of `/v1/usage/plans`: up to 20. An override of the
    /// key wins over that of a plan; of a plan that is not here the policy's own limit holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plans: BTreeMap<String, PlanLimit>,
    /// Keys that are never limited, or patterns of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Keys that are always refused, or patterns of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ban: Vec<String>,
    /// What a refusal says.
    #[serde(default)]
    pub problem: Refusal,
    /// Counts its changes; its ETag.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub version: i64,
}

/// What requests of a route cost.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteCost {
    /// A route, or a pattern with `*`, as `POST /v1/search*`.
    pub route: String,
    /// Units.
    pub cost: i64,
}

/// Another limit for some keys.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitOverride {
    /// A key as the template makes it, or a pattern with `*`.
    pub key: String,
    /// Units in a period.
    pub limit: i64,
    /// The period; that of the policy when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_seconds: Option<i64>,
    /// The units at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<i64>,
}

/// Another limit for customers of a plan.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanLimit {
    /// Units in a period.
    pub limit: i64,
    /// The period; that of the policy when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_seconds: Option<i64>,
    /// The units at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<i64>,
}

/// Where units are counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All in one place: never one too many.
    #[default]
    Exact,
    /// By each instance for up to a second or a tenth of the limit alone.
    Eventual,
}

/// What happens to a request that cannot be decided.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// It is refused, to be tried again.
    #[default]
    Refuse,
    /// It is let through, and counted as such.
    Admit,
}

/// Which of the registered problem types a refusal has.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The client has used its quota up.
    #[default]
    QuotaExceeded,
    /// The service can do less than usual.
    TemporaryReducedCapacity,
    /// The client behaves as no client should.
    AbnormalUsageDetected,
}

fn default_app() -> String {
    "default".to_owned()
}

impl Policy {
    /// The limit of a key that the template has made, for a customer of this plan.
    ///
    /// # Errors
    /// Which number does not fit; only before it was checked.
    pub fn limit_of(&self, key: &str, plan: Option<&str>) -> Result<Limit, Unfit> {
        let found = pattern::best(key, self.overrides.iter().map(|it| (it.key.as_str(), it)));
        let by_plan = plan.and_then(|it| self.plans.get(it));
        let (limit, seconds, burst) = match (found, by_plan) {
            (Some(it), _) => (it.limit, it.period_seconds, it.burst),
            (None, Some(it)) => (it.limit, it.period_seconds, it.burst),
            (None, None) => (self.limit, None, self.burst),
        };
        let seconds = seconds.unwrap_or(self.period_seconds);
        let period_ms = seconds.checked_mul(1000).unwrap_or(0);
        Limit::new(self.algorithm, limit, period_ms, burst)
    }

    /// What a request of this route costs, when it does not say so itself.
    pub fn cost_of(&self, route: &str) -> i64 {
        let found = pattern::best(route, self.costs.iter().map(|it| (it.route.as_str(), it.cost)));
        found.or(self.cost).unwrap_or(1)
    }

    fn check(&self) -> Result<(), Problem> {
        check_name("name", &self.name)?;
        check_name("app", &self.app)?;
        limited("", self.period_seconds, self.limit_of("", None).err())?;
        if self.serialized().len() > POLICY_BYTES_MAX {
            return Err(Problem::unfitting("", format!("at most {POLICY_BYTES_MAX} bytes")));
        }
        for (name, entries) in [
            ("overrides", self.overrides.len()),
            ("costs", self.costs.len()),
            ("allow", self.allow.len()),
            ("ban", self.ban.len()),
        ] {
            if entries > ENTRIES_MAX {
                return Err(Problem::unfitting(name, format!("at most {ENTRIES_MAX}")));
            }
        }
        for (number, it) in self.overrides.iter().enumerate() {
            let path = format!("overrides.{number}.");
            limited(&path, it.period_seconds.unwrap_or(1), self.limit_of(&it.key, None).err())?;
        }
        if self.plans.len() > PLANS_MAX {
            return Err(Problem::unfitting("plans", format!("at most {PLANS_MAX}")));
        }
        for (name, it) in &self.plans {
            if !is_word(name) {
                return Err(Problem::unfitting("plans", format!("a name is {WORD}")));
            }
            // As of a policy without overrides: one that fits every key hides no mistake.
            let unfit = Self { overrides: vec![], ..self.clone() }.limit_of("", Some(name)).err();
            limited(&format!("plans.{name}."), it.period_seconds.unwrap_or(1), unfit)?;
        }
        let costs = self.costs.iter().map(|it| it.cost).chain(self.cost);
        if costs.into_iter().any(|it| !(0..=UNITS_MAX).contains(&it)) {
            return Err(Problem::unfitting("cost", format!("0 to {UNITS_MAX}")));
        }
        if self.mode == Mode::Eventual && self.algorithm == Algorithm::Concurrency {
            return Err(Problem::unfitting("mode", "leases are exact"));
        }
        key::check(&self.key)?;
        self.when.as_deref().map_or(Ok(()), condition)
    }

    fn serialized(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn limited(path: &str, seconds: i64, unfit: Option<Unfit>) -> Result<(), Problem> {
    let seconds_max = PERIOD_MS_MAX / 1000;
    if !(1..=seconds_max).contains(&seconds) {
        let path = format!("{path}period_seconds");
        return Err(Problem::unfitting(&path, format!("1 to {seconds_max}")));
    }
    let field = match unfit {
        None => return Ok(()),
        Some(Unfit::Burst) => "burst",
        Some(Unfit::Period) => "period_seconds",
        Some(Unfit::Limit | Unfit::Together) => "limit",
    };
    let why = unfit.map(|it| it.to_string()).unwrap_or_default();
    Err(Problem::unfitting(&format!("{path}{field}"), why))
}

/// Whether a text can be a name.
///
/// # Errors
/// 422 when it cannot.
pub fn check_name(field: &str, name: &str) -> Result<(), Problem> {
    let plain = name.bytes().all(|it| it.is_ascii_alphanumeric() || b"._-".contains(&it));
    if plain && (1..=NAME_CHARS_MAX).contains(&name.len()) {
        return Ok(());
    }
    Err(Problem::unfitting(field, format!("1 to {NAME_CHARS_MAX} of A-Z a-z 0-9 . _ -")))
}

fn condition(text: &str) -> Result<(), Problem> {
    let parsed = Expression::parse(text).map_err(|it| Problem::unfitting("when", it))?;
    match parsed.variables().find(|it| !VARIABLES.contains(it)) {
        None => Ok(()),
        Some(it) => {
            let known = VARIABLES.join(", ");
            Err(Problem::unfitting("when", format!("there is no {it}; there are {known}")))
        }
    }
}

/// Lists the policies, by name.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_policies(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.name.clone())))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = store::find_policy(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    let response = json_response(StatusCode::OK, &found);
    Ok(with_header(response, header::ETAG, &etag(found.version)))
}

/// Writes one: makes it, or replaces it.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let mut policy: Policy = call.json()?;
    call.param().clone_into(&mut policy.name);
    policy.check()?;
    let before = store::find_policy(at, &policy.name).await?.map(|it| it.version);
    if call.if_match()?.is_some_and(|it| Some(it) != before) {
        return Err(Problem::changed_meanwhile());
    }
    policy.version = before.map_or(1, |it| it + 1);
    let entry = Draft::new("policy.put", &Id::trusted(policy.name.clone()))
        .with(serde_json::to_value(&policy).unwrap_or_default());
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let commit = store::put_policy(&policy, before).entry(entry).job(shown(at)?);
    let response = json_response(status, &policy);
    let response = with_header(response, header::ETAG, &etag(policy.version));
    let full = || match before {
        Some(_) => Problem::changed_meanwhile(),
        None => Problem::new(
            StatusCode::CONFLICT,
            "/problems/limits/too-many",
            "There is no room for another policy",
        )
        .detail(format!("a tenant has at most {POLICIES_MAX}; or it was made meanwhile")),
    };
    at.answer(commit, response, full).await
}

/// Removes one: it limits nothing any more.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let name = call.param();
    if store::find_policy(at, name).await?.is_none() {
        return Err(Problem::not_found());
    }
    let entry = Draft::new("policy.deleted", &Id::trusted(name.to_owned()));
    let commit = store::delete_policy(name).entry(entry).job(shown(at)?);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::not_found).await
}

fn shown(at: &impl Tenant) -> Result<NewJob, Problem> {
    Ok(NewJob::new(SHOW, format!("{SHOW}:{}", at.new_id("job")?), json!({})).eager())
}

/// Shows all policies to the edge, as of the last entry of the log.
pub async fn show(at: &impl Tenant, _: &Job) -> Result<Commit, Failure> {
    // First how far the log is, then what is there: what is shown is at least as new as its number.
    let version = log::head(at).await?;
    let limit = u32::try_from(POLICIES_MAX).unwrap_or(u32::MAX);
    let all = store::list_policies(at, "", limit).await?;
    at.projection().show_document(DOCUMENT, version, &json!(all)).await?;
    Ok(Commit::new())
}
