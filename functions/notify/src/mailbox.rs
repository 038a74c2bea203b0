//! The mailbox: mail that was caught and not sent, as whoever develops wants to see it.

use std::time::Duration;

use serde::Serialize;
use shared::{
    domain::{Commit, Failure, Id, Page, Scopes, Timestamp},
    door::Link,
    http::{Response, StatusCode, header, json as json_response, respond, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use url::Url;
use utoipa::ToSchema;

use crate::{
    delivery::Delivery,
    mail::{Mail, Mailbox},
    recipient::Recipient,
    store,
    template::Rendered,
    unsubscribe,
    workflow::Workflow,
};

/// How many mails are kept; the oldest go first.
pub const MAILS_MAX: u32 = 1000;
/// For how long the link in a mail works, by the real clock.
const LINK_LIFE: Duration = Duration::from_secs(90 * 86_400);

/// A mail that was caught.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CaughtMail {
    /// `dlv_…`: the delivery that made it.
    pub id: Id,
    /// To whom.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// When.
    pub at: Timestamp,
}

/// The delivery as a mail. `None` when there is nobody to send it, or no address to send it to.
///
/// # Errors
/// When the database fails, or the deployment has no sealing key.
pub async fn written(
    at: &impl Tenant,
    delivery: &Delivery,
    workflow: &Workflow,
    recipient: &Recipient,
    words: &Rendered,
) -> Result<Option<Commit>, Failure> {
    let settings = store::find_settings(at).await?;
    let (Some(from), Some(base), Some(to)) = (settings.from, settings.base, &recipient.mailbox)
    else {
        return Ok(None);
    };
    // What is critical comes whatever anybody says, so it does not offer to end it.
    let unsubscribe = match workflow.text.critical {
        true => None,
        false => Some(link(at, delivery, &base).await?),
    };
    let from = Mailbox { name: settings.name, address: from };
    let mail = Mail {
        id: &delivery.id,
        from: &from,
        to,
        reply_to: settings.reply_to.as_ref(),
        at: at.now(),
        words,
        unsubscribe: unsubscribe.as_ref(),
    };
    let caught = CaughtMail {
        id: delivery.id.clone(),
        to: to.address.to_string(),
        subject: words.subject.clone(),
        at: at.now(),
    };
    Ok(Some(store::insert_mail(&caught, &mail.to_mime())))
}

/// Where one click ends the type by mail, for this recipient.
async fn link(at: &impl Tenant, delivery: &Delivery, base: &Url) -> Result<Url, Failure> {
    let path = format!("{}/{}", unsubscribe::PATH, delivery.id);
    let link = Link {
        tenant: at.principal().tenant.clone(),
        by: at.principal().actor.to_string(),
        path: path.clone(),
        scopes: Scopes([unsubscribe::SCOPE.to_owned()].into_iter().collect()),
        expires_at: at.real_now() + LINK_LIFE,
        customer: None,
    };
    let token = at.sign_link(&link).await.map_err(|it| Failure::again(it.words()))?;
    let url = base.join(&format!("{path}?link={token}"));
    url.map_err(|_| Failure::dead("the settings' base makes no link"))
}

/// Lists the mails, the latest first.
pub async fn list(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let (limit, cursor) = call.page()?;
    let before = cursor.as_ref().map(|it| it.key());
    let mails = store::list_mails(at, before, limit + 1).await?;
    Ok(json_response(StatusCode::OK, &Page::of(mails, limit, |it| it.id.to_string())))
}

/// Reads one, as it would have gone out.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let mime = store::find_mail(at, &call.id("dlv")?).await?.ok_or_else(Problem::not_found)?;
    let response = respond(StatusCode::OK, "message/rfc822", mime);
    // What a template made is never run under our own name.
    Ok(with_header(response, header::CONTENT_DISPOSITION, "attachment; filename=\"mail.eml\""))
}
