//! Coupons over HTTP.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Draft, Id, Page, Timestamp, WORD, is_word},
    http::{Response, StatusCode, empty, json as json_response},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::{check_text, check_version, shown};
use crate::{
    coupon::{Coupon, Off},
    plan::Plan,
    store,
};

/// A coupon of the catalogue.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = Coupon)]
pub struct CatalogueCoupon {
    /// What people type in.
    pub code: String,
    /// What it is called on invoices.
    pub title: String,
    /// What it takes off.
    pub coupon: Coupon,
    /// How often it can be redeemed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_redemptions: Option<u32>,
    /// Until when it can be redeemed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whether nobody can redeem it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
    /// How often it was redeemed.
    #[serde(default)]
    pub redeemed: i64,
    /// Counts its changes; its ETag.
    #[serde(default, skip)]
    pub version: i64,
}

/// What a coupon is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CouponText {
    /// Up to 120 characters.
    pub title: String,
    /// What it takes off. It stays as it is once the coupon was redeemed.
    pub coupon: Coupon,
    /// As often as anybody wants when left out.
    #[serde(default)]
    pub max_redemptions: Option<u32>,
    /// For ever when left out.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

impl CatalogueCoupon {
    /// Whether it is applied once more after so many periods.
    pub fn lasts(&self, periods: u32) -> bool {
        self.coupon.lasts(periods)
    }

    /// Whether it can be redeemed for this plan now.
    ///
    /// # Errors
    /// Why not.
    pub fn fits(&self, plan: &Plan, now: Timestamp) -> Result<(), &'static str> {
        let is_over = self.expires_at.is_some_and(|it| it <= now);
        let is_used_up = self.max_redemptions.is_some_and(|it| self.redeemed >= i64::from(it));
        if self.retired || is_over || is_used_up {
            return Err("it cannot be redeemed any more");
        }
        match &self.coupon.off {
            _ if !self.coupon.is_for(&plan.name) => Err("it is for other plans"),
            Off::Amount { currency, .. } if *currency != plan.currency => {
                Err("it is of another currency than the plan")
            }
            _ => Ok(()),
        }
    }
}

/// Lists them by code.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let after = cursor.as_ref().map_or("", |it| it.key());
    let found = store::list_coupons(at, after, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(found, limit, |it| it.code.clone())))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = store::find_coupon(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    Ok(shown(&found, found.version))
}

/// Puts one, or changes it.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (code, text): (_, CouponText) = (call.param().to_owned(), call.json()?);
    if !is_word(&code) {
        return Err(Problem::unfitting("code", WORD));
    }
    check_text("title", Some(&text.title), 120)?;
    let before = store::find_coupon(at, &code).await?;
    check_version(call, before.as_ref().map(|it| it.version))?;
    let coupon = text.coupon.checked().map_err(|err| Problem::unfitting("coupon", err))?;
    if before.as_ref().is_some_and(|it| it.redeemed > 0 && it.coupon != coupon) {
        let why = "it was redeemed: what it takes off stays; make another one";
        return Err(Problem::unfitting("coupon", why));
    }
    let it = CatalogueCoupon {
        code,
        title: text.title,
        coupon,
        max_redemptions: text.max_redemptions,
        expires_at: text.expires_at,
        retired: false,
        redeemed: before.as_ref().map_or(0, |it| it.redeemed),
        version: before.map_or(1, |it| it.version + 1),
    };
    let entry = Draft::new("coupon.put", &Id::trusted(it.code.clone()))
        .with(json!({"title": it.title, "coupon": it.coupon}));
    let commit = store::put_coupon(&it).entry(entry);
    at.answer(commit, shown(&it, it.version), Problem::changed_meanwhile).await
}

/// Retires one: who has redeemed it keeps it.
pub async fn retire(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let found = store::find_coupon(at, call.param()).await?.ok_or_else(Problem::not_found)?;
    check_version(call, Some(found.version))?;
    let it = CatalogueCoupon { retired: true, version: found.version + 1, ..found };
    let entry = Draft::new("coupon.retired", &Id::trusted(it.code.clone()));
    let commit = store::put_coupon(&it).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}
