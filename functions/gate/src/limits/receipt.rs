//! A receipt: what a check has taken, so that it can be settled when it is known what it was.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use shared::{
    directory,
    domain::{Principal, Timestamp},
    http::{Response, StatusCode, empty},
    limit::{Act, Algorithm, Limit, UNITS_MAX},
    ports::{Edge, Question, Tally},
    problem::Problem,
    route::Call,
    seal::Keys,
};
use utoipa::ToSchema;

use crate::usage::latency;

use super::{
    asked::{self, Asked},
    check::Checked,
};

const PURPOSE: &str = "limit receipt";
/// The longest answer that is counted, in milliseconds: a day.
const LATENCY_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// What was taken. Whoever has the token cannot change it.
#[derive(Debug, Deserialize, Serialize)]
pub struct Receipt {
    tenant: String,
    group: String,
    label: String,
    lease: Option<String>,
    at_ms: i64,
    taken: Vec<(String, Limit)>,
    /// How many units of each of them …
    #[serde(default)]
    units: Vec<i64>,
    /// … and how many were counted; 0 when it was not counted at all.
    #[serde(default)]
    counted: i64,
}

/// What became of a request that was let in.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// The receipt of the check.
    pub receipt: String,
    /// Units that it cost beside what was taken; less than 0 gives back.
    #[serde(default)]
    pub cost: i64,
    /// The status of the answer.
    #[serde(default)]
    pub status: Option<u16>,
    /// How long the answer took, in milliseconds.
    #[serde(default)]
    pub latency_ms: Option<u64>,
}

impl Receipt {
    /// The receipt of a check.
    pub fn new(
        principal: &Principal,
        asked: &Asked,
        group: &str,
        checked: &Checked,
        now: Timestamp,
    ) -> Self {
        Self {
            tenant: principal.tenant.clone(),
            group: group.to_owned(),
            label: asked::label(asked, now),
            lease: checked.lease.clone(),
            at_ms: now.0,
            taken: vec![],
            units: vec![],
            counted: 0,
        }
    }

    /// With what was taken, and how many units were counted.
    pub fn of<'a>(self, taken: impl Iterator<Item = &'a Question>, counted: i64) -> Self {
        let unit = |it: &Question| match it.act {
            Act::Take(units) | Act::Lease(units, ..) => units,
            _ => 0,
        };
        let all = taken.map(|it| ((it.key.clone(), it.limit), unit(it)));
        let (taken, units) = all.unzip();
        Self { taken, units, counted, ..self }
    }

    /// What settles it: of each key this cost, or the end of its lease.
    fn questions(&self, costs: impl Iterator<Item = i64>) -> Vec<Question> {
        let question = |((key, limit), cost): (&(String, Limit), i64)| {
            let act = match (limit.algorithm(), &self.lease) {
                (Algorithm::Concurrency, Some(lease)) => Act::Release(lease.clone()),
                _ => Act::Settle(cost, Timestamp(self.at_ms)),
            };
            Question { key: key.clone(), limit: *limit, act }
        };
        self.taken.iter().zip(costs).map(question).collect()
    }

    fn tally(&self, admitted: Vec<(String, i64)>) -> Tally {
        let (tenant, label) = (self.tenant.clone(), self.label.clone());
        Tally { tenant, function: "gate".to_owned(), label, admitted, refused: vec![] }
    }

    /// The token that stands for it.
    ///
    /// # Errors
    /// When the deployment has no sealing key.
    pub async fn token(&self, edge: &impl Edge) -> Result<String, Problem> {
        let text = serde_json::to_vec(self).map_err(|it| Problem::internal().caused_by(it))?;
        let text = BASE64URL_NOPAD.encode(&text);
        let signature = Keys::load(edge).await?.sign(PURPOSE, &text);
        Ok(format!("{text}.{}", BASE64URL_NOPAD.encode(&signature)))
    }

    async fn read(edge: &impl Edge, principal: &Principal, token: &str) -> Result<Self, Problem> {
        let keys = Keys::load(edge).await?;
        let read = || {
            let (text, signature) = token.split_once('.')?;
            let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
            if !keys.verify(PURPOSE, text, &signature) {
                return None;
            }
            serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()
        };
        let receipt = read().filter(|it: &Self| it.tenant == principal.tenant);
        receipt.ok_or_else(|| Problem::unfitting("receipt", "not one that a check has given"))
    }
}

/// Settles a check: adds or gives back units, ends its leases, and counts how it went.
pub async fn settle(
    edge: &impl Edge,
    principal: &Principal,
    call: &Call,
) -> Result<Response, Problem> {
    let settlement: Settlement = call.json()?;
    if !(-UNITS_MAX..=UNITS_MAX).contains(&settlement.cost) {
        return Err(Problem::unfitting("cost", format!("{} to {UNITS_MAX}", -UNITS_MAX)));
    }
    if settlement.latency_ms.is_some_and(|it| it > LATENCY_MS_MAX) {
        return Err(Problem::unfitting("latency_ms", format!("at most {LATENCY_MS_MAX}")));
    }
    apply(edge, principal, &settlement).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Settles a check by these words.
///
/// # Errors
/// 422 when the receipt is none; 503 when the limiter cannot be asked.
pub async fn apply(
    edge: &impl Edge,
    principal: &Principal,
    settlement: &Settlement,
) -> Result<(), Problem> {
    let receipt = Receipt::read(edge, principal, &settlement.receipt).await?;
    let now = directory::now(edge, principal).await?;
    let questions = receipt.questions(std::iter::repeat(settlement.cost));
    let tally = receipt.tally(counts(settlement));
    edge.decide(&receipt.group, &questions, &[tally], now).await?;
    Ok(())
}

/// Takes a check back: gives back all that it has taken, ends its leases, and counts its status
/// but neither the request nor its units.
///
/// # Errors
/// As of [`apply`].
pub async fn give_back(
    edge: &impl Edge,
    principal: &Principal,
    settlement: &Settlement,
) -> Result<(), Problem> {
    let receipt = Receipt::read(edge, principal, &settlement.receipt).await?;
    let now = directory::now(edge, principal).await?;
    let questions = receipt.questions(receipt.units.iter().map(|it| -it));
    let mut counts = counts(settlement);
    if receipt.counted != 0 {
        counts.push(("passed".to_owned(), -1));
        counts.push(("passed_units".to_owned(), -receipt.counted));
    }
    edge.decide(&receipt.group, &questions, &[receipt.tally(counts)], now).await?;
    Ok(())
}

fn counts(it: &Settlement) -> Vec<(String, i64)> {
    let units = (it.cost != 0).then(|| ("passed_units".to_owned(), it.cost));
    let status = it.status.map(|it| (format!("status:{}xx", it / 100), 1));
    let latency = it.latency_ms.map(|it| (format!("latency:{}", latency::bucket(it)), 1));
    [units, status, latency].into_iter().flatten().collect()
}
