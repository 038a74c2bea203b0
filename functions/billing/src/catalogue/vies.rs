//! VIES: whether a VAT id is registered, as the European Commission's service says.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Job, NewJob},
    http::{HeaderMap, Method},
    ports::{HttpRequest, Tenant},
};

use crate::{customer::Customer, store, tax::VatId};

/// Asks VIES about a customer's VAT id.
pub const VIES: &str = "billing.vies";

/// Where VIES answers, unless the setting `vies_url` names another place.
const HOME: &str = "https://ec.europa.eu/taxation_customs/vies/rest-api/ms";
/// VIES asks the member state, which can take a while.
const TIMEOUT: Duration = Duration::from_secs(15);
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// What VIES says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    is_valid: bool,
    #[serde(default)]
    user_error: String,
}

/// The job that asks.
pub fn job(it: &Customer) -> NewJob {
    NewJob::new(VIES, format!("{VIES}:{}:{}", it.id, it.version), json!({"id": it.id}))
}

/// Works it. A member state that cannot be reached is asked again by the schedule; until then the
/// customer is taxed as a consumer.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let Some(before) = store::find_customer(at, id.as_str()).await? else {
        return Ok(Commit::new());
    };
    let text = before.party.vat_id.clone().filter(|_| before.vat_id_checked_at.is_none());
    let Some(vat_id) = text.and_then(|it| VatId::parse(&it).ok()) else {
        return Ok(Commit::new());
    };
    let said = ask(at, &vat_id).await?;
    match said.user_error.as_str() {
        _ if said.is_valid => {
            let version = before.version + 1;
            let after = Customer { vat_id_checked_at: Some(at.now()), version, ..before };
            let entry = Draft::new("billing_customer.vat_id_checked", &id);
            let entry = entry.with(json!({"vat_id": vat_id.as_str()}));
            Ok(store::put_customer(&after).entry(entry))
        }
        "INVALID" | "VALID" | "INVALID_INPUT" => {
            let entry = Draft::new("billing_customer.vat_id_refused", &id);
            Ok(Commit::new().entry(entry.with(json!({"vat_id": vat_id.as_str()}))))
        }
        other => Err(Failure::again(format!("VIES says {other}"))),
    }
}

async fn ask(at: &impl Tenant, vat_id: &VatId) -> Result<Answer, Failure> {
    let home = at.setting("vies_url").await?.unwrap_or_else(|| HOME.to_owned());
    let (prefix, number) = vat_id.as_str().split_at(2);
    let url = format!("{home}/{prefix}/vat/{number}");
    let request = HttpRequest {
        method: Method::GET,
        url: url.parse().map_err(|_| Failure::dead("`vies_url` is no address"))?,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout: TIMEOUT,
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    let answer = at.fetch(request).await.map_err(Failure::again)?;
    if !answer.status.is_success() {
        return Err(Failure::again(format!("VIES answers {}", answer.status)));
    }
    serde_json::from_slice(&answer.body).map_err(|err| Failure::again(format!("VIES: {err}")))
}
