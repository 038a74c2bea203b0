//! Mail arrives: whoever posts it is known, it is kept as it is, and a job reads it.

use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::stream;
use http::Method;
use serde_json::json;
use shared::{
    certificates,
    domain::{Draft, NewJob, sha256_hex},
    http::{HeaderMap, Response, StatusCode, header, json as json_response},
    mail_event::{self, MailEvent},
    ports::{Blobs, CommitError, HttpRequest, Tenant},
    problem::Problem,
    route::Call,
};
use url::Url;

use super::{
    READ,
    mail::{Mail, MailState, blob},
    mailbox::{self, Mailbox, Secrets},
};
use crate::{
    mail::{
        self, Envelope, Refused,
        provider::{self, Handed, sns},
    },
    store,
};

/// How long SNS has to answer a confirmation.
const CONFIRM_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
/// The largest mail that is read before whoever posted it has an answer, in bytes.
const EAGER_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How much of its answer is read.
const CONFIRM_BYTES_MAX: usize = 64 * 1024;

/// Receives a mail.
pub async fn receive(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let address = call.param().to_lowercase();
    let mailbox = store::find_mailbox_at(at, &address).await?.ok_or_else(Problem::not_found)?;
    let secrets = mailbox::secrets(at, &mailbox).await?;
    let (by, handed) = match call.operation() {
        "receiveSesMail" => match of_sns(at, &mailbox, call).await? {
            Some(it) => ("ses", it),
            None => return Ok(json_response(StatusCode::OK, &json!({"status": "confirmed"}))),
        },
        other => of_others(at, &secrets, other, call).await?,
    };
    mail::check(&handed.raw).map_err(refused)?;
    keep(at, &mailbox, by, handed).await
}

fn refused(why: Refused) -> Problem {
    match why {
        Refused::TooLarge => Problem::too_large(mail::MAIL_BYTES_MAX).detail(why),
        Refused::Empty => Problem::unfitting("", why),
    }
}

fn unfit(why: provider::Refused) -> Problem {
    match why {
        provider::Refused::Unsigned(it) => Problem::unauthorized(it),
        provider::Refused::Unfit(it) => Problem::unfitting("", it),
    }
}

async fn of_others(
    at: &impl Tenant,
    secrets: &Secrets,
    operation: &str,
    call: &Call,
) -> Result<(&'static str, Handed), Problem> {
    let (headers, body) = (call.request.headers(), call.request.body());
    let event = MailEvent::open(at, text_of(headers, mail_event::HEADER), body).await;
    let kind = text_of(headers, header::CONTENT_TYPE.as_str());
    // Mailgun signs, where the mailbox has its key.
    let key = secrets.mailgun_key.as_deref();
    let signs = operation == "receiveMailgunMail" && key.is_some();
    if event.is_none() && !signs {
        check_sender(secrets, call)?;
    }
    match operation {
        "receivePostmarkMail" => Ok(("postmark", provider::postmark(body).map_err(unfit)?)),
        "receiveMailgunMail" => {
            let now_seconds = at.real_now().seconds();
            Ok(("mailgun", provider::mailgun(kind, body, key, now_seconds).map_err(unfit)?))
        }
        "receiveSendgridMail" => Ok(("sendgrid", provider::sendgrid(kind, body).map_err(unfit)?)),
        _ => Ok(("raw", raw(call, event))),
    }
}

/// The mail as it is; whoever posts it may say of its envelope what their server knows.
fn raw(call: &Call, event: Option<MailEvent>) -> Handed {
    let query = |name: &str| call.query(name).map(|it| it.into_owned());
    let envelope = match event {
        Some(it) => Envelope { from: Some(it.from), to: vec![it.to] },
        None => Envelope { from: query("from"), to: query("to").into_iter().collect() },
    };
    Handed { raw: call.request.body().clone(), envelope, ..Handed::default() }
}

/// Whether whoever posts shows the mailbox's token.
fn check_sender(secrets: &Secrets, call: &Call) -> Result<(), Problem> {
    let shown = text_of(call.request.headers(), header::AUTHORIZATION.as_str());
    let (scheme, rest) = shown.split_once(' ').unwrap_or(("", ""));
    let token = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => rest.trim().to_owned(),
        "basic" => {
            let decoded = BASE64.decode(rest.trim().as_bytes()).unwrap_or_default();
            let text = String::from_utf8(decoded).unwrap_or_default();
            text.split_once(':').map(|it| it.1.to_owned()).unwrap_or_default()
        }
        _ => String::new(),
    };
    match secrets.is_token(&token) {
        true => Ok(()),
        false => Err(Problem::unauthorized(
            "show the mailbox's token, as Authorization: Bearer or as the password of Basic",
        )),
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or("")
}

/// The mail in a message of SNS; `None` when it asks to confirm a subscription, which is done.
async fn of_sns(
    at: &impl Tenant,
    mailbox: &Mailbox,
    call: &Call,
) -> Result<Option<Handed>, Problem> {
    let Some(topic) = &mailbox.sns_topic else {
        return Err(Problem::unfitting("sns_topic", "say first which topic the mailbox takes"));
    };
    let message = sns::Message::parse(call.request.body()).map_err(unfit)?;
    if message.topic_arn != *topic {
        return Err(Problem::unauthorized("the mailbox takes messages of another topic"));
    }
    let url = message.certificate().map_err(unfit)?;
    // A sandbox may stand still for years; certificates do not.
    let now_seconds = at.real_now().seconds();
    let good = |it: &[u8]| message.is_certificate(it, None, now_seconds);
    let folder = "tickets/certificates";
    let pem = certificates::find(at, url, folder, mailbox.id.as_str(), good).await;
    let pem = pem.map_err(|err| Problem::unavailable().caused_by(err))?;
    message.verify(topic, &pem, None, now_seconds).map_err(unfit)?;
    if message.kind == sns::NOTIFICATION {
        return provider::ses(&message).map(Some).map_err(unfit);
    }
    confirm(at, message.subscribe_url.as_deref().unwrap_or("")).await.map(|()| None)
}

async fn confirm(at: &impl Tenant, url: &str) -> Result<(), Problem> {
    let url = Url::parse(url).ok();
    let url = url.filter(|it| shared::hosts::region(it, sns::HOSTS).is_some());
    let url = url.ok_or_else(|| Problem::unfitting("SubscribeURL", "an address of SNS"))?;
    let request = HttpRequest {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout: CONFIRM_TIMEOUT,
        answer_bytes_max: CONFIRM_BYTES_MAX,
    };
    match at.fetch(request).await {
        Ok(it) if it.status.is_success() => Ok(()),
        // SNS asks again.
        Ok(it) => Err(Problem::unavailable().caused_by(format!("SNS answered {}", it.status))),
        Err(err) => Err(Problem::unavailable().caused_by(err)),
    }
}

async fn keep(
    at: &impl Tenant,
    mailbox: &Mailbox,
    by: &str,
    handed: Handed,
) -> Result<Response, Problem> {
    let known_by = known_by(&handed.raw);
    if let Some(it) = store::find_known_mail(at, &mailbox.id, &known_by).await? {
        return Ok(duplicate(&it));
    }
    let it = Mail {
        id: at.new_id("tml")?,
        mailbox: mailbox.id.clone(),
        state: MailState::Received,
        by: by.to_owned(),
        bytes: handed.raw.len() as u64,
        envelope_from: handed.envelope.from.map(|it| mail::line(&it, 320)),
        envelope_to: handed.envelope.to.iter().filter_map(|it| mail::email(it)).take(20).collect(),
        verdict: handed.verdict,
        from: None,
        subject: String::new(),
        ticket: None,
        message: None,
        clue: None,
        apart: None,
        ignored: None,
        received_at: at.now(),
    };
    // The blob first: a row without it would be a mail that is lost.
    at.blobs().put(&blob(&it.id), stream::iter([Ok(handed.raw)])).await?;
    let entry = Draft::new("mail.received", &it.id)
        .with(json!({"mailbox": it.mailbox, "by": it.by, "bytes": it.bytes}));
    let job = NewJob::new(READ, format!("{READ}:{}", it.id), json!({"id": it.id}));
    // A large one is read when this request is over: on Workers both would be in memory.
    let job = if it.bytes <= EAGER_BYTES_MAX { job.eager() } else { job };
    let commit = store::insert_mail(&it, &known_by).entry(entry).job(job);
    match at.commit(commit).await {
        Ok(()) => {
            Ok(json_response(StatusCode::ACCEPTED, &json!({"id": it.id, "status": "accepted"})))
        }
        Err(CommitError::Conflict) => {
            at.blobs().delete(&blob(&it.id)).await?;
            let first = store::find_known_mail(at, &mailbox.id, &known_by).await?;
            first.map(|it| duplicate(&it)).ok_or_else(Problem::changed_meanwhile)
        }
        Err(CommitError::Port(err)) => Err(err.into()),
    }
}

fn duplicate(it: &Mail) -> Response {
    json_response(StatusCode::OK, &json!({"id": it.id, "status": "duplicate"}))
}

/// By what a mailbox knows a mail: its Message-ID, or all of it.
fn known_by(raw: &[u8]) -> String {
    match mail::message_id(raw) {
        Some(it) => format!("id:{}", sha256_hex(it.as_bytes())),
        None => format!("raw:{}", sha256_hex(raw)),
    }
}
