//! Deliveries: one notice to one recipient by one channel.
//!
//! Whether it is still wanted, and whether now, is decided when it is due and not before: by the
//! workflow, the preferences and the quiet hours of that moment. What comes of it is one commit
//! with the end of its job, so nothing in the tenant is delivered twice.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Failure, Id, Job, NewJob, Timestamp},
    ports::{PortError, Tenant},
};
use utoipa::ToSchema;

use crate::{
    batch::{self, Joined},
    channel::Channel,
    eligible::{self, Decision},
    inbox, letter, mailbox,
    notice::Notice,
    outbox,
    posting::{self, HookLetter},
    preference::Because,
    pushing,
    recipient::{self, Contact, Recipient},
    store,
    template::Rendered,
    texting::{self, SmsLetter},
    workflow::Workflow,
};

/// Brings it to its recipient.
pub const SEND: &str = "notify.send";

/// A notice on its way to one recipient by one channel.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = NoticeDelivery)]
pub struct Delivery {
    /// `dlv_…`
    pub id: Id,
    /// The notice.
    #[serde(skip)]
    pub notice: Id,
    /// Its type.
    #[serde(skip)]
    pub kind: String,
    /// A member's id, an address in lower case, or a number.
    pub recipient: String,
    /// What is kept of a contact.
    #[serde(skip)]
    pub contact: Option<Contact>,
    /// By which channel.
    pub channel: Channel,
    /// How far it is.
    pub state: State,
    /// What the preferences said when it was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<Because>,
    /// Why it was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it is sent, or looked at again.
    pub send_at: Timestamp,
    /// When it was sent, or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
    /// The provider that took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// What the provider calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Whether it is sent only if nobody has read the notice by then.
    #[serde(rename = "unless_read", skip_serializing_if = "std::ops::Not::not")]
    pub fallback: bool,
    /// The digest that it is in.
    #[serde(rename = "digest", skip_serializing_if = "Option::is_none")]
    pub batch: Option<Id>,
    /// The delivery that carries that digest, when it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Id>,
    /// What the provider told of it later: that it bounced, or was called spam.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard: Option<String>,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NoticeDeliveryState)]
pub enum State {
    /// It is not due yet, or waits for the end of quiet hours, or for a provider.
    Waiting,
    /// It is there.
    Sent,
    /// It is not wanted, or too much.
    Withheld,
    /// It could not be made.
    Failed,
    /// It was called off.
    Cancelled,
}

impl State {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Withheld => "withheld",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads [`State::word`].
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Waiting, Self::Sent, Self::Withheld, Self::Failed, Self::Cancelled];
        all.into_iter().find(|it| it.word() == text)
    }
}

impl Delivery {
    /// A delivery that is due when the workflow says.
    pub fn new(
        id: Id,
        notice: &Notice,
        workflow: &Workflow,
        recipient: &Recipient,
        channel: Channel,
    ) -> Self {
        let now = notice.created_at;
        let delay = workflow.text.delay.filter(|_| !workflow.text.critical);
        Self {
            id,
            notice: notice.id.clone(),
            kind: notice.kind.clone(),
            recipient: recipient.key.clone(),
            contact: recipient.contact.clone(),
            channel,
            state: State::Waiting,
            because: None,
            why: None,
            send_at: delay.map_or(now, |it| it.until(now, recipient.zone)),
            done_at: None,
            provider: None,
            reference: None,
            fallback: false,
            batch: None,
            within: None,
            heard: None,
        }
    }

    /// The same as a step of a chain.
    pub fn falling_back(self, after: Duration) -> Self {
        Self { fallback: true, send_at: self.send_at + after, ..self }
    }

    /// The same at its good end.
    pub fn is_sent(self, now: Timestamp) -> Self {
        Self { state: State::Sent, done_at: Some(now), ..self }
    }

    /// Calls it off, unless it is over.
    pub fn cancel(&mut self, now: Timestamp) {
        if self.state == State::Waiting {
            (self.state, self.done_at) = (State::Cancelled, Some(now));
        }
    }
}

/// The deliveries of a notice to a recipient: by each channel, and by each step of the fallback.
///
/// # Errors
/// When the runtime has no randomness.
pub fn all(
    at: &impl Tenant,
    notice: &Notice,
    workflow: &Workflow,
    recipient: &Recipient,
) -> Result<Vec<Delivery>, PortError> {
    let first = workflow.text.channels.iter().map(|it| (*it, None));
    let then = workflow.text.fallback.iter().map(|it| (it.channel, Some(it.after_seconds)));
    let made = |(channel, after): (Channel, Option<u64>)| {
        let it = Delivery::new(at.new_id("dlv")?, notice, workflow, recipient, channel);
        Ok(match after {
            Some(it_waits) => it.falling_back(Duration::from_secs(it_waits)),
            None => it,
        })
    };
    // To a hook is posted, and to nobody else.
    let leads = |it: &(Channel, Option<u64>)| recipient.is_hook == (it.0 == Channel::Hook);
    first.chain(then).filter(leads).map(made).collect()
}

/// The delivery with its job.
pub fn queued(it: &Delivery) -> Commit {
    store::insert_delivery(it).job(job(it))
}

/// The same, unless the notice has one to its recipient by its channel already.
pub fn offered(it: &Delivery) -> Commit {
    store::offer_delivery(it).job(job(it))
}

fn job(it: &Delivery) -> NewJob {
    NewJob::new(SEND, format!("{SEND}:{}", it.id), json!({"id": it.id})).at(it.send_at)
}

/// Sends what is due, if it is wanted.
///
/// # Errors
/// No failure when it waits for the end of quiet hours; else the database's.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let found = store::find_delivery(at, &job.subject()?).await?;
    let Some(delivery) = found.filter(|it| it.state == State::Waiting) else {
        return Ok(Commit::new());
    };
    let Some(notice) = store::find_notice(at, &delivery.notice).await? else {
        return Ok(Commit::new());
    };
    let Some(workflow) = store::find_workflow(at, &delivery.kind).await? else {
        return Ok(ended(at, delivery, State::Withheld, "its type has no workflow any more"));
    };
    let who = recipient::of(at, &delivery.recipient, delivery.contact.clone()).await?;
    let Some(recipient) = who else {
        return Ok(ended(at, delivery, State::Withheld, "the member is gone"));
    };
    let decided = eligible::decide(at, &delivery, &notice, &workflow, &recipient, at.now());
    let (because, decision) = decided.await?;
    let delivery = Delivery { because: Some(because), ..delivery };
    match decision {
        Decision::Withhold(why) => return Ok(ended(at, delivery, State::Withheld, &why)),
        Decision::Wait(until) => return Err(later(at, delivery, until)),
        Decision::Send => {}
    }
    // What is urgent waits for no others, and neither does what is a mail of its own.
    let is_own = !notice.files.is_empty() || notice.mail.is_some();
    let is_own = is_own && delivery.channel == Channel::Email;
    let beside = match notice.urgent || workflow.text.critical || is_own {
        true => Commit::new(),
        false => match batch::join(at, &delivery, &workflow, &recipient).await? {
            Joined::In(waiting) => return Ok(waiting),
            Joined::Alone(beside) => beside,
        },
    };
    match workflow.render(recipient.locale.as_deref(), &notice.data_for(&recipient)) {
        Ok(words) => {
            let it = sent(at, delivery, &notice, &workflow, &recipient, words).await?;
            Ok(beside.and(it).and(store::same_notice(&notice)))
        }
        Err(why) => Ok(ended(at, delivery, State::Failed, &why.to_string())),
    }
}

/// The delivery at the end of the quiet hours, when all is asked anew.
fn later(at: &impl Tenant, delivery: Delivery, send_at: Timestamp) -> Failure {
    let wait = send_at.since(at.now());
    let delivery = Delivery { send_at, ..delivery };
    Failure::postponed(wait, store::update_delivery(&delivery))
}

/// What its channel makes of the words, in one commit with the end of the delivery; or with its
/// letter, which a provider is to take.
///
/// # Errors
/// When the database fails.
pub async fn sent(
    at: &impl Tenant,
    delivery: Delivery,
    notice: &Notice,
    workflow: &Workflow,
    recipient: &Recipient,
    words: Rendered,
) -> Result<Commit, Failure> {
    let written = match delivery.channel {
        Channel::InApp => inbox::written(at, &delivery, notice, workflow, words)?,
        Channel::Email => {
            let made = letter::written(at, &delivery, notice, workflow, recipient, words).await?;
            let (letter, files) = match made {
                Ok(it) => it,
                Err(why) => return Ok(ended(at, delivery, State::Failed, &why)),
            };
            if !store::list_providers(at).await?.is_empty() {
                let handed = outbox::queued(&delivery.id, &letter);
                return Ok(store::update_delivery(&delivery).and(handed));
            }
            let Some(caught) = mailbox::caught(&delivery.id, &letter, &files) else {
                let most = mailbox::MAIL_BYTES_MAX;
                let why = format!("it has more than the {most} bytes that the mailbox keeps");
                return Ok(ended(at, delivery, State::Failed, &why));
            };
            caught
        }
        Channel::Sms => {
            let Some(phone) = recipient.phone.clone() else {
                return Ok(ended(at, delivery, State::Withheld, eligible::NO_PHONE));
            };
            let handed = texting::queued(&delivery.id, &SmsLetter::new(phone, notice, &words));
            return Ok(store::update_delivery(&delivery).and(handed));
        }
        Channel::Hook => {
            let letter = HookLetter::new(notice, words, at.now());
            let handed = posting::queued(&delivery.id, &letter);
            return Ok(store::update_delivery(&delivery).and(handed));
        }
        Channel::Push => {
            let how = workflow.text.push.clone().unwrap_or_default();
            let urgent = notice.urgent || workflow.text.critical;
            let made = pushing::written(at, &delivery, notice, &how, urgent, words).await?;
            let Some(letter) = made else {
                return Ok(ended(at, delivery, State::Withheld, "the recipient has no browser"));
            };
            return Ok(
                store::update_delivery(&delivery).and(pushing::queued(&delivery.id, &letter))
            );
        }
    };
    Ok(written.and(over(&delivery.is_sent(at.now()))))
}

/// Writes down that a delivery is given up whose worker died with it each time.
///
/// # Errors
/// When the database fails.
pub async fn give_up(at: &impl Tenant, job: &Job) -> Result<Commit, PortError> {
    let Ok(id) = job.subject() else { return Ok(Commit::new()) };
    let found = store::find_delivery(at, &id).await?;
    let over = found.filter(|it| it.state == State::Waiting);
    let over = over.map(|it| ended(at, it, State::Failed, "no try came to an end"));
    Ok(over.unwrap_or_default().and(store::delete_outgoing(&id)))
}

/// The delivery at its bad end, and why.
pub fn ended(at: &impl Tenant, delivery: Delivery, state: State, why: &str) -> Commit {
    let (why, done_at) = (Some(why.to_owned()), Some(at.now()));
    over(&Delivery { state, why, done_at, ..delivery })
}

/// The end of a delivery, and the entry that says which.
pub fn over(it: &Delivery) -> Commit {
    let action = match it.state {
        State::Sent => "notice.sent",
        State::Failed => "notice.failed",
        _ => "notice.withheld",
    };
    let entry = Draft::new(action, &it.notice).with(json!({
        "delivery": it.id, "recipient": it.recipient, "channel": it.channel, "why": it.why,
    }));
    store::update_delivery(it).entry(entry)
}
