//! Setting up how a customer pays: on a page of the provider's, whose outcome is fetched.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, NewJob, Timestamp},
    http::{Response, StatusCode, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    account::{self, Account},
    collect,
    provider::{self, PaymentProvider},
    refetch, store,
};

/// The kind of what is fetched.
const SETUP: &str = "setup";
/// When it is looked whether the customer has told it by now. Stripe sends an event of it; PayPal
/// waits to be asked, for customers that did not come back to the page of the tenant's.
const LOOKS: [Duration; 4] = [
    Duration::from_secs(2 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(3_600),
    Duration::from_secs(24 * 3_600),
];

/// Whose page is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPaymentSetup)]
pub struct NewSetup {
    /// The tenant's own name for the customer.
    pub customer: String,
    /// Where the customer comes back to.
    pub return_url: String,
}

/// A page on which a customer tells how it pays.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentSetup)]
pub struct MadeSetup {
    /// The provider's id of it, by which it is completed.
    pub id: String,
    /// The page, at the provider.
    pub url: String,
}

/// Makes a page on which a customer tells how it pays. What it tells comes by an event, or when
/// the setup is completed, or by a look after a while.
pub async fn begin(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let new: NewSetup = call.json()?;
    let account = account::find(at, call).await?;
    if !shared::domain::is_word(&new.customer) {
        return Err(Problem::unfitting("customer", shared::domain::WORD));
    }
    let is_web = new.return_url.starts_with("https://") || new.return_url.starts_with("http://");
    if !is_web || new.return_url.len() > 2_048 {
        return Err(Problem::unfitting("return_url", "an address of the web"));
    }
    let known = store::find_customer(at, &account.id, &new.customer).await?;
    let provider = provider::of(at, &account).await?;
    let made = provider.set_up(at, &new.customer, known.as_deref(), &new.return_url).await;
    let made = made.map_err(collect::problem)?;
    let commit = store::put_customer(&account.id, &new.customer, &made.reference);
    let commit =
        LOOKS.iter().fold(commit, |it, wait| it.job(look(&account, &made.id, at.now() + *wait)));
    let made = MadeSetup { id: made.id, url: made.url };
    let response = json_response(StatusCode::CREATED, &made);
    at.answer(commit, response, Problem::changed_meanwhile).await
}

fn look(account: &Account, setup: &str, due: Timestamp) -> NewJob {
    let body = json!({"account": account.id, "kind": SETUP, "object": setup});
    let id = format!("{}:{}:{SETUP}:{setup}:{}", refetch::REFETCH, account.id, due.0);
    NewJob::new(refetch::REFETCH, id, body).at(due)
}

/// The customer has come back: what it told is fetched at once.
pub async fn complete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let account = account::find(at, call).await?;
    let setup = call.param_at(1);
    let provider = provider::of(at, &account).await?;
    if !provider.can_fetch(SETUP, setup) {
        return Err(Problem::not_found());
    }
    let job = refetch::job(&account.id, SETUP, setup, at.now()).eager();
    let response = json_response(StatusCode::ACCEPTED, &json!({"id": setup}));
    at.answer(Commit::new().job(job), response, Problem::changed_meanwhile).await
}
