//! Letters: what a delivery by mail says, as it is kept until somebody has it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::{
    domain::{Address, Failure, Id, Scopes, Timestamp},
    door::Link,
    ports::Tenant,
};
use url::Url;

use crate::{
    delivery::Delivery,
    files::{self, File, NamedFile},
    mail::{Mail, Mailbox},
    notice::Notice,
    recipient::Recipient,
    store,
    template::Rendered,
    thread::Thread,
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
    /// What it carries, by the hashes of what was found when it was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<NamedFile>,
    /// How it stands among others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Thread>,
}

impl Letter {
    /// The same as one of a thread, from whom and to whom that says.
    fn within(mut self, thread: Thread) -> Self {
        if let Some(from) = &thread.from {
            self.from.address = from.clone();
        }
        self.from.name = thread.from_name.clone().or(self.from.name);
        self.reply_to = thread.reply_to.clone().or(self.reply_to);
        if let Some(subject) = &thread.subject {
            self.words.subject.clone_from(subject);
        }
        Self { thread: Some(thread), ..self }
    }

    /// The mail that it is, with what its files hold.
    pub fn mail<'a>(&'a self, id: &'a Id, files: &'a [File]) -> Mail<'a> {
        Mail {
            id,
            from: &self.from,
            to: &self.to,
            reply_to: self.reply_to.as_ref(),
            at: self.at,
            words: &self.words,
            unsubscribe: self.unsubscribe.as_ref(),
            thread: self.thread.as_ref(),
            files,
        }
    }
}

/// A letter, and what the files hold that it carries; or why there is none.
pub type Written = Result<(Letter, Vec<File>), String>;

/// The delivery as a letter. There is none when there is nobody to send it, no address to send it
/// to, or a file is not to be had.
///
/// # Errors
/// When the database fails, or the deployment has no sealing key.
pub async fn written(
    at: &impl Tenant,
    delivery: &Delivery,
    notice: &Notice,
    workflow: &Workflow,
    recipient: &Recipient,
    words: Rendered,
) -> Result<Written, Failure> {
    let settings = store::find_settings(at).await?;
    let (Some(from), Some(base), Some(to)) = (settings.from, settings.base, &recipient.mailbox)
    else {
        return Ok(Err("there is no sender, or the member's address is none".to_owned()));
    };
    let (named, files) = match files::read(at, &notice.files).await {
        Ok(all) => all.into_iter().unzip(),
        Err(files::Error::Unfit(why)) => return Ok(Err(why)),
        Err(files::Error::Port(err)) => return Err(err.into()),
    };
    // What is critical comes whatever anybody says, so it does not offer to end it.
    let unsubscribe = match workflow.text.critical {
        true => None,
        false => Some(link(at, delivery, &base).await?),
    };
    let letter = Letter {
        from: Mailbox { name: settings.name, address: from },
        to: to.clone(),
        reply_to: settings.reply_to,
        at: at.now(),
        words,
        unsubscribe,
        files: named,
        thread: None,
    };
    let letter = match notice.mail.clone() {
        Some(it) => letter.within(it),
        None => letter,
    };
    Ok(Ok((letter, files)))
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
