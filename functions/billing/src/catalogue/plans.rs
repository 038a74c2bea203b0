//! Plans over HTTP.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    domain::{Draft, Id, Page, WORD, is_word},
    http::{Response, StatusCode, empty, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{check_text, check_version, shown};
use crate::{
    plan::{
        Basis, FEATURES_MAX, PLANS_MAX, PRICES_MAX, Plan, PlanText, Price, SEATS_MAX,
        TRIAL_DAYS_MAX,
    },
    store,
    threshold::Thresholds,
};

/// A plan, and whether it can be had.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListedPlan)]
pub struct Listed {
    /// The plan, in its latest version.
    #[serde(flatten)]
    pub plan: Plan,
    /// Whether nobody can subscribe to it any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
}

/// Lists them by name, retired ones as well.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_plans(at, after, limit + 1).await?;
    let listed = found.into_iter().map(|(plan, retired)| Listed { plan, retired }).collect();
    Ok(json_response(StatusCode::OK, &Page::of(listed, limit, |it| it.plan.name.clone())))
}

/// Reads the latest version of one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = store::find_any_plan(at, call.param()).await?;
    let (plan, retired) = found.ok_or_else(Problem::not_found)?;
    let version = plan.version;
    Ok(shown(&Listed { plan, retired }, version))
}

/// Reads a version of one.
pub async fn get_version(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let version = call.param_at(1).parse().map_err(|_| Problem::not_found())?;
    let found = store::find_plan_version(at, call.param(), version).await?;
    let plan = found.ok_or_else(Problem::not_found)?;
    Ok(shown(&plan, version))
}

/// Puts one, or a new version of it. Who has subscribed keeps the version of then.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (name, text): (_, PlanText) = (call.param().to_owned(), call.json()?);
    if !is_word(&name) {
        return Err(Problem::unfitting("name", WORD));
    }
    let before = store::find_any_plan(at, &name).await?;
    check_version(call, before.as_ref().map(|it| it.0.version))?;
    let plan = made(at, name, text, before.as_ref().map_or(0, |it| it.0.version))?;
    if let Some((old, false)) = &before
        && same(old, &plan)
    {
        return Ok(shown(old, old.version));
    }
    if before.is_none() && store::count_plans(at).await? >= i64::from(PLANS_MAX) {
        return Err(Problem::full_list(PLANS_MAX, "plans", "retire one"));
    }
    let entry = Draft::new("billing_plan.put", &Id::trusted(plan.name.clone()))
        .with(json!({"version": plan.version, "title": plan.title}));
    let commit = store::insert_plan(&plan).entry(entry);
    let response = shown(&plan, plan.version);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

fn same(one: &Plan, other: &Plan) -> bool {
    let plain = Plan { version: one.version, created_at: one.created_at, ..other.clone() };
    *one == plain
}

/// Retires one: nobody can subscribe to it any more.
pub async fn retire(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = store::find_plan(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    check_version(call, Some(found.version))?;
    let entry = Draft::new("billing_plan.retired", &Id::trusted(found.name.clone()));
    let commit = store::retire_plan(&found).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}

fn made(at: &impl Tenant, name: String, text: PlanText, last: i64) -> Result<Plan, Problem> {
    check_text("title", Some(&text.title), 120)?;
    if text.trial_days > TRIAL_DAYS_MAX {
        return Err(Problem::unfitting("trial_days", format!("up to {TRIAL_DAYS_MAX}")));
    }
    if let Some(rule) = &text.seats
        && !(1 <= rule.min && rule.min <= rule.max && rule.max <= SEATS_MAX)
    {
        return Err(Problem::unfitting("seats", format!("1 to {SEATS_MAX}, min up to max")));
    }
    if text.usage_plan.as_ref().is_some_and(|it| !is_word(it)) {
        return Err(Problem::unfitting("usage_plan", WORD));
    }
    if text.mirrors.len() > 50 || !text.mirrors.iter().all(|it| is_word(it)) {
        return Err(Problem::unfitting("mirrors", format!("up to 50, each {WORD}")));
    }
    check_features(&text)?;
    let prices = prices(&text)?;
    let thresholds = thresholds(&text)?;
    Ok(Plan {
        name,
        title: text.title,
        currency: text.currency,
        interval: text.interval,
        prices,
        thresholds,
        trial_days: text.trial_days,
        seats: text.seats,
        features: text.features,
        usage_plan: text.usage_plan,
        mirrors: text.mirrors,
        version: last + 1,
        created_at: at.now(),
    })
}

fn check_features(text: &PlanText) -> Result<(), Problem> {
    if text.features.len() > FEATURES_MAX {
        return Err(Problem::unfitting("features", format!("up to {FEATURES_MAX}")));
    }
    for (name, value) in &text.features {
        let path = format!("features.{name}");
        let fits = match value {
            Value::Bool(_) | Value::Number(_) => true,
            Value::String(it) => it.chars().count() <= 200,
            _ => false,
        };
        if !is_word(name) || !fits {
            let why = "a word, and true, false, a number or a text of up to 200 characters";
            return Err(Problem::unfitting(&path, why));
        }
    }
    Ok(())
}

fn thresholds(text: &PlanText) -> Result<Option<Thresholds>, Problem> {
    let Some(it) = text.thresholds.clone() else { return Ok(None) };
    if !text.prices.iter().any(|it| matches!(it.basis, Basis::Metered { .. })) {
        return Err(Problem::unfitting("thresholds", "name a price of a meter, or leave it out"));
    }
    let checked = it.checked().map_err(|err| Problem::unfitting("thresholds", err))?;
    Ok(Some(checked))
}

fn prices(text: &PlanText) -> Result<Vec<Price>, Problem> {
    if !(1..=PRICES_MAX).contains(&text.prices.len()) {
        return Err(Problem::unfitting("prices", format!("1 to {PRICES_MAX}")));
    }
    let (mut names, mut meters) = (BTreeSet::new(), BTreeSet::new());
    let mut prices = Vec::new();
    for (number, it) in text.prices.iter().enumerate() {
        let path = |field: &str| format!("prices[{number}].{field}");
        if !is_word(&it.name) || !names.insert(&it.name) {
            return Err(Problem::unfitting(&path("name"), format!("{WORD}, and only once")));
        }
        check_text(&path("title"), it.title.as_ref(), 120)?;
        match &it.basis {
            Basis::Metered { meter, group_by } => {
                let words = is_word(meter) && group_by.as_ref().is_none_or(|it| is_word(it));
                if !words || !meters.insert((meter, group_by)) {
                    let why = format!("{WORD}, and each meter and dimension once");
                    return Err(Problem::unfitting(&path("basis"), why));
                }
            }
            Basis::PerSeat if text.seats.is_none() => {
                return Err(Problem::unfitting(&path("basis"), "say how many seats there are"));
            }
            _ => {}
        }
        if it.tax_class.as_ref().is_some_and(|it| !is_word(it)) {
            return Err(Problem::unfitting(&path("tax_class"), WORD));
        }
        let model = it.model.clone().checked();
        let limits = it.limits.checked();
        prices.push(Price {
            model: model.map_err(|err| Problem::unfitting(&path("model"), err))?,
            limits: limits.map_err(|err| Problem::unfitting(&path("limits"), err))?,
            ..it.clone()
        });
    }
    Ok(prices)
}
