//! Unsubscribing by one click (RFC 8058): a signed link in a mail says no to its type by mail, in
//! the same preferences as everything else.

use askama::Template;
use shared::{
    domain::Commit,
    http::{Response, StatusCode, respond},
    ports::Tenant,
    problem::Problem,
    route::Call,
};

use crate::{delivery::Delivery, store, wishes};

/// What the link in a mail may be used for.
pub const SCOPE: &str = "notifications:unsubscribe";
/// What its path begins with.
pub const PATH: &str = "/v1/notifications/unsubscribe";
const HTML: &str = "text/html; charset=utf-8";

/// What somebody sees who follows the link: `GET` changes nothing, for mail is read by machines
/// that follow links.
#[derive(Template)]
#[template(path = "unsubscribe.html")]
struct Page<'a> {
    kind: &'a str,
    is_done: bool,
}

async fn find(at: &impl Tenant, call: &Call) -> Result<Delivery, Problem> {
    store::find_delivery(at, &call.id("dlv")?).await?.ok_or_else(Problem::not_found)
}

fn page(delivery: &Delivery, is_done: bool) -> Result<Response, Problem> {
    let page = Page { kind: &delivery.kind, is_done };
    let html = page.render().map_err(|err| Problem::internal().caused_by(err))?;
    Ok(respond(StatusCode::OK, HTML, html))
}

/// Asks whether to end it.
pub async fn ask(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    page(&find(at, call).await?, false)
}

/// Ends it. A second click changes nothing.
pub async fn unsubscribe(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let delivery = find(at, call).await?;
    let before = store::find_wishes(at, &delivery.recipient).await?;
    let mut after = before.clone();
    after.preferences = after.preferences.without(&delivery.kind, delivery.channel);
    let commit = if after.preferences == before.preferences {
        Commit::new()
    } else {
        after.version += 1;
        wishes::changed(&delivery.recipient, &before, &after, "one_click")
    };
    at.answer(commit, page(&delivery, true)?, Problem::changed_meanwhile).await
}
