//! The catalogue: who sells, what there is, what is taken off it, and who buys.

mod coupons;
mod customers;
mod entities;
mod plans;
mod vies;

pub use coupons::{CatalogueCoupon, CouponText};
pub use customers::{is_locale, is_mail, method_changed};
pub use plans::Listed;
pub use vies::VIES;

use shared::{
    domain::{Commit, Failure, Job},
    http::{Response, StatusCode, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::{Access, Call, Route},
};

const READ: Access = Access::Scope("billing:read");
const WRITE: Access = Access::Scope("billing:write");
/// A customer may see what is its own.
const OWN: Access = Access::Customer("billing:read");

/// What may be asked of it.
pub const ROUTES: &[Route] = &[
    Route::new("GET", "/v1/billing/entities", "listBillingEntities", READ),
    Route::new("GET", "/v1/billing/entities/{name}", "getBillingEntity", READ),
    Route::new("PUT", "/v1/billing/entities/{name}", "putBillingEntity", WRITE),
    // Whoever may see its own subscriptions may see what else there is to have.
    Route::new("GET", "/v1/billing/plans", "listPlans", OWN),
    Route::new("GET", "/v1/billing/plans/{name}", "getPlan", OWN),
    Route::new("GET", "/v1/billing/plans/{name}/versions/{version}", "getPlanVersion", OWN),
    Route::new("PUT", "/v1/billing/plans/{name}", "putPlan", WRITE),
    Route::new("DELETE", "/v1/billing/plans/{name}", "retirePlan", WRITE),
    Route::new("GET", "/v1/billing/coupons", "listCoupons", READ),
    Route::new("GET", "/v1/billing/coupons/{code}", "getCoupon", READ),
    Route::new("PUT", "/v1/billing/coupons/{code}", "putCoupon", WRITE),
    Route::new("DELETE", "/v1/billing/coupons/{code}", "retireCoupon", WRITE),
    Route::new("GET", "/v1/billing/customers", "listBillingCustomers", READ),
    Route::new("GET", "/v1/billing/customers/{id}", "getBillingCustomer", OWN),
    Route::new("PUT", "/v1/billing/customers/{id}", "putBillingCustomer", WRITE),
    Route::new("DELETE", "/v1/billing/customers/{id}", "deleteBillingCustomer", WRITE),
];

/// Answers a call on one of [`ROUTES`].
///
/// # Errors
/// The problem to answer with.
pub async fn handle(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    match call.operation() {
        "listBillingEntities" => entities::list(at, call).await,
        "getBillingEntity" => entities::get(at, call).await,
        "putBillingEntity" => entities::put(at, call).await,
        "listPlans" => plans::list(at, call).await,
        "getPlan" => plans::get(at, call).await,
        "getPlanVersion" => plans::get_version(at, call).await,
        "putPlan" => plans::put(at, call).await,
        "retirePlan" => plans::retire(at, call).await,
        "listCoupons" => coupons::list(at, call).await,
        "getCoupon" => coupons::get(at, call).await,
        "putCoupon" => coupons::put(at, call).await,
        "retireCoupon" => coupons::retire(at, call).await,
        "listBillingCustomers" => customers::list(at, call).await,
        "getBillingCustomer" => customers::get(at, call).await,
        "putBillingCustomer" => customers::put(at, call).await,
        "deleteBillingCustomer" => customers::delete(at, call).await,
        _ => Err(Problem::not_found()),
    }
}

/// Works a job.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    vies::work(at, job).await
}

/// The answer that shows `it`, in this version.
fn shown(it: &impl serde::Serialize, version: i64) -> Response {
    with_header(json_response(StatusCode::OK, it), header::ETAG, &etag(version))
}

/// Whether the client's version is the one that is there.
fn check_version(call: &Call, before: Option<i64>) -> Result<(), Problem> {
    match call.if_match()? {
        Some(it) if Some(it) != before => Err(Problem::changed_meanwhile()),
        _ => Ok(()),
    }
}

/// Whether a text of this field is short enough.
fn check_text(path: &str, text: Option<&String>, max: usize) -> Result<(), Problem> {
    match text {
        Some(it) if it.is_empty() || it.chars().count() > max => {
            Err(Problem::unfitting(path, format!("1 to {max} characters")))
        }
        _ => Ok(()),
    }
}
