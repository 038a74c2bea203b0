//! The outbox: mail that is decided, until a provider has it.
//!
//! Each try is the same mail, to the byte, under the same key, which is the delivery's id. Providers
//! are asked in their order; whoever refuses is followed by the next. Who does not answer may have
//! the mail, and is asked once more before anybody else: a provider that knows the key sends it
//! once, and of the others a reader gets it twice at worst.

use std::time::Duration;

use serde_json::json;
use shared::{
    domain::{Commit, Failure, Id, Job, NewJob, Retry},
    http::Method,
    ports::{Admission, HttpRequest, PortError, Tenant},
};
use url::{Position, Url};

use crate::{
    delivery::{self, Delivery, State},
    files::{self, File},
    letter::Letter,
    mail::Mail,
    mail_api::{self, Sent},
    provider::{Kind, Provider, Secrets},
    smtp, store,
};

/// Hands a mail to a provider.
pub const SEND: &str = "notify.mail";
/// How long a provider has for its answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long mail that is held back by all providers' rates waits at least.
const HELD_MIN: Duration = Duration::from_secs(1);
/// How long it waits at most beyond what the rate asks for.
const SPREAD_MAX: Duration = Duration::from_secs(60 * 60);
/// How many mails that wait are counted.
pub const COUNTED_MAX: u32 = 20_000;

/// A mail on its way, and who was asked last and did not answer.
pub struct Outgoing<L> {
    /// What it says, and to whom.
    pub letter: L,
    /// The provider's id.
    pub asked: Option<String>,
}

/// The letter with its job.
pub fn queued(id: &Id, letter: &Letter) -> Commit {
    let job = NewJob::new(SEND, format!("{SEND}:{id}"), json!({"id": id}));
    store::insert_outgoing(id, letter).job(job)
}

/// How a round of all providers went, as long as none has taken the mail.
#[derive(Default)]
struct Round {
    /// What each said.
    said: Vec<String>,
    /// Whether one of them may take it later.
    later: bool,
    /// The longest that one asked to wait.
    wait: Option<Duration>,
    /// The shortest wait for a rate of ours, and how far apart that rate has mails.
    held: Option<(Duration, Duration)>,
}

/// Hands it over.
///
/// # Errors
/// The failure, and whether to try again.
pub async fn work(at: &impl Tenant, job: &Job) -> Result<Commit, Failure> {
    let id = job.subject()?;
    let delivery = store::find_delivery(at, &id).await?;
    let outgoing = store::find_outgoing::<Letter>(at, &id).await?;
    let (Some(delivery), Some(outgoing)) =
        (delivery.filter(|it| it.state == State::Waiting), outgoing)
    else {
        return Ok(store::delete_outgoing(&id));
    };
    // What became known of the address since it was decided counts.
    let address = outgoing.letter.to.address.key();
    if let Some(it) = store::find_suppression(at, &address).await? {
        return Ok(ended(at, delivery, State::Withheld, &it.why()));
    }
    let files: Vec<File> = match files::read(at, &outgoing.letter.files).await {
        Ok(all) => all.into_iter().map(|it| it.1).collect(),
        Err(files::Error::Unfit(why)) => return Ok(ended(at, delivery, State::Failed, &why)),
        Err(files::Error::Port(err)) => return Err(err.into()),
    };
    let mail = outgoing.letter.mail(&id, &files);
    let providers = in_order(at, outgoing.asked.as_deref()).await?;
    let mut round = Round::default();
    for provider in &providers {
        let again = outgoing.asked.as_deref() == Some(provider.id.as_str());
        if let Admission::Refused(wait) = admitted(at, provider).await? {
            let apart = provider.rate().period / provider.rate().limit.max(1);
            round.held = Some(round.held.map_or((wait, apart), |it| it.min((wait, apart))));
            // Who may have it is not passed over.
            if again {
                break;
            }
            continue;
        }
        match sent(at, &mail, provider).await {
            Sent::Taken(reference) => return Ok(taken(at, delivery, provider, reference)),
            Sent::NoAnswer(why) if !again && !job.is_last() => {
                return Err(Failure::again(why).writing(store::asked(&id, &provider.id)));
            }
            Sent::NoAnswer(why) => round.may_mend(why, None),
            Sent::Later(why, wait) => round.may_mend(why, wait),
            Sent::Refused(why) => round.said.push(why),
        }
    }
    round.ended(at, delivery, job).await
}

/// Those that are given mail; who may have this one is the first.
async fn in_order(at: &impl Tenant, asked: Option<&str>) -> Result<Vec<Provider>, PortError> {
    let mut all = store::list_providers(at).await?;
    all.retain(|it| it.enabled);
    all.sort_by_key(|it| Some(it.id.as_str()) != asked);
    Ok(all)
}

async fn admitted(at: &impl Tenant, provider: &Provider) -> Result<Admission, PortError> {
    at.admit(&format!("notify:{}", provider.id), provider.rate()).await
}

/// Asks one provider.
async fn sent(at: &impl Tenant, mail: &Mail<'_>, provider: &Provider) -> Sent {
    let kind = provider.kind.word();
    // What was sealed under a key that is gone is given anew, and meanwhile others take the mail.
    let Ok(secrets) = provider.secrets(at).await else {
        return Sent::Later(format!("{kind}: its key cannot be opened: set it again"), None);
    };
    if provider.kind == Kind::Smtp {
        return smtp::send(at, mail, provider, &secrets).await;
    }
    let Some(request) = request(at, mail, provider, &secrets) else {
        return Sent::Refused(format!("{kind}: its address is none"));
    };
    let read = |answer: &_| mail_api::understood(provider.kind, answer);
    mail_api::outcome(kind, at.fetch(request).await, read)
}

fn request(
    at: &impl Tenant,
    mail: &Mail<'_>,
    provider: &Provider,
    secrets: &Secrets,
) -> Option<HttpRequest> {
    let home: Url = provider.home().parse().ok()?;
    let host = &home[Position::BeforeHost..Position::AfterPort];
    // A signature is good by the provider's clock, which is real.
    let post = mail_api::post(mail, provider, secrets, host, at.real_now())?;
    Some(HttpRequest {
        method: Method::POST,
        url: home.join(post.path).ok()?,
        headers: post.headers,
        body: post.body.into(),
        timeout: TIMEOUT,
        answer_bytes_max: ANSWER_BYTES_MAX,
    })
}

fn taken(
    at: &impl Tenant,
    delivery: Delivery,
    provider: &Provider,
    reference: Option<String>,
) -> Commit {
    let id = delivery.id.clone();
    let delivery =
        Delivery { provider: Some(provider.id.clone()), reference, ..delivery.is_sent(at.now()) };
    delivery::over(&delivery).and(store::delete_outgoing(&id))
}

impl Round {
    fn may_mend(&mut self, why: String, wait: Option<Duration>) {
        self.said.push(why);
        self.later = true;
        self.wait = self.wait.max(wait);
    }

    /// Nobody took it: later, or never.
    async fn ended(
        self,
        at: &impl Tenant,
        delivery: Delivery,
        job: &Job,
    ) -> Result<Commit, Failure> {
        if let Some((wait, apart)) = self.held {
            let wait = wait.max(HELD_MIN) + spread(at, apart).await?;
            return Err(Failure::postponed(wait, Commit::new()));
        }
        let why = match self.said.is_empty() {
            true => "no provider of mail is enabled".to_owned(),
            false => self.said.join("; "),
        };
        let mends = self.later || self.said.is_empty();
        if !mends || job.is_last() {
            return Ok(ended(at, delivery, State::Failed, &why));
        }
        let retry = self.wait.map_or(Retry::Schedule, Retry::After);
        Err(Failure { retry, ..Failure::again(why) })
    }
}

/// Some of the time that all mails which wait take at this rate: were all of them to come back at
/// once, most would wait again.
async fn spread(at: &impl Tenant, apart: Duration) -> Result<Duration, PortError> {
    let all = apart.saturating_mul(store::count_outgoing(at).await?).min(SPREAD_MAX);
    let mut chance = [0; 2];
    at.random(&mut chance)?;
    Ok(all * u32::from(u16::from_le_bytes(chance)) / u32::from(u16::MAX))
}

fn ended(at: &impl Tenant, delivery: Delivery, state: State, why: &str) -> Commit {
    let id = delivery.id.clone();
    delivery::ended(at, delivery, state, why).and(store::delete_outgoing(&id))
}
