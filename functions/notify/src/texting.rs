//! Texting: a delivery on its way to a telephone.
//!
//! Twilio knows no idempotency keys. So who does not answer is asked again by the schedule, and a
//! reader gets the message twice at worst.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Failure, Id, Job, NewJob, Phone, Retry},
    ports::{PortError, Tenant},
};

use crate::{
    delivery::{self, Delivery, State},
    mail_api::{self, Sent},
    notice::Notice,
    sms::{self, TEXT_CHARS_MAX},
    store,
    template::Rendered,
};

/// Hands a short message to the provider.
pub const SEND: &str = "notify.sms";

/// A message as it is kept: each try is the same.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SmsLetter {
    to: Phone,
    text: String,
}

impl SmsLetter {
    /// The words for a telephone: the subject, what follows it, and where it leads, as far as there
    /// is room.
    pub fn new(to: Phone, notice: &Notice, words: &Rendered) -> Self {
        let url = notice.url.as_ref().map(|it| format!("\n{it}")).unwrap_or_default();
        let room = TEXT_CHARS_MAX.saturating_sub(url.chars().count());
        let text = format!("{}\n{}", words.subject, words.text.trim());
        let text = match text.chars().count() > room {
            true => {
                let kept: String = text.chars().take(room.saturating_sub(1)).collect();
                format!("{kept}…")
            }
            false => text,
        };
        Self { to, text: format!("{text}{url}") }
    }
}

/// The message with its job.
pub fn queued(id: &Id, letter: &SmsLetter) -> Commit {
    let job = NewJob::new(SEND, format!("{SEND}:{id}"), json!({"id": id}));
    store::insert_outgoing(id, letter).job(job)
}

/// Hands it over.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let delivery = store::find_delivery(at, &id).await?;
    let outgoing = store::find_outgoing::<SmsLetter>(at, &id).await?;
    let (Some(delivery), Some(outgoing)) =
        (delivery.filter(|it| it.state == State::Waiting), outgoing)
    else {
        return Ok(store::delete_outgoing(&id));
    };
    let over = |it: Commit| Ok(it.and(store::delete_outgoing(&id)));
    match sent(at, &outgoing.letter).await? {
        Sent::Taken(reference) => {
            let delivery = Delivery { reference, ..delivery.is_sent(at.now()) };
            over(delivery::over(&delivery))
        }
        Sent::Refused(why) => over(delivery::ended(at, delivery, State::Failed, &why)),
        Sent::Later(why, _) | Sent::NoAnswer(why) if job.is_last() => {
            over(delivery::ended(at, delivery, State::Failed, &why))
        }
        Sent::Later(why, wait) => {
            let retry = wait.map_or(Retry::Schedule, Retry::After);
            Err(Failure { retry, ..Failure::again(why) })
        }
        Sent::NoAnswer(why) => Err(Failure::again(why)),
    }
}

async fn sent(at: &impl Tenant, letter: &SmsLetter) -> Result<Sent, PortError> {
    let Some(account) = store::find_sms(at).await? else {
        return Ok(Sent::Refused("no provider carries short messages: put one".to_owned()));
    };
    // What was sealed under a key that is gone is given anew.
    let Ok(token) = sms::token(at, &account).await else {
        return Ok(Sent::Later("its token cannot be opened: put it again".to_owned(), None));
    };
    let Some(request) = sms::request(&account, &token, &letter.to, &letter.text) else {
        return Ok(Sent::Refused("twilio: its address is none".to_owned()));
    };
    Ok(mail_api::outcome("twilio", at.fetch(request).await, sms::understood))
}
