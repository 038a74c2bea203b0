//! Letters: what a delivery by mail says, as it is kept until somebody has it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::{
    domain::{Failure, Id, Scopes, Timestamp},
    door::Link,
    ports::Tenant,
};
use url::Url;

use crate::{
    address::Address,
    delivery::Delivery,
    mail::{Mail, Mailbox},
    recipient::Recipient,
    store,
    template::Rendered,
    unsubscribe,
    workflow::Workflow,
};

/// For how long the link in a mail works, by the real clock.
const LINK_LIFE: Duration = Duration::from_secs(90 * 86_400);

/// A mail as it is kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Letter {
    /// Whose it is.
    pub from: Mailbox,
    /// Who reads it.
    pub to: Mailbox,
    /// Where answers go, if not there.
    pub reply_to: Option<Address>,
    /// When it was made.
    pub at: Timestamp,
    /// Its words.
    pub words: Rendered,
    /// Where one click ends it.
    pub unsubscribe: Option<Url>,
}

impl Letter {
    /// The mail that it is.
    pub fn mail<'a>(&'a self, id: &'a Id) -> Mail<'a> {
        Mail {
            id,
            from: &self.from,
            to: &self.to,
            reply_to: self.reply_to.as_ref(),
            at: self.at,
            words: &self.words,
            unsubscribe: self.unsubscribe.as_ref(),
        }
    }
}

/// The delivery as a letter. `None` when there is nobody to send it, or no address to send it to.
///
/// # Errors
/// When the database fails, or the deployment has no sealing key.
pub async fn written(
    at: &impl Tenant,
    delivery: &Delivery,
    workflow: &Workflow,
    recipient: &Recipient,
    words: Rendered,
) -> Result<Option<Letter>, Failure> {
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
    Ok(Some(Letter {
        from: Mailbox { name: settings.name, address: from },
        to: to.clone(),
        reply_to: settings.reply_to,
        at: at.now(),
        words,
        unsubscribe,
    }))
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
