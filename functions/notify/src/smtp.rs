//! Mail by SMTP: handed over to a server of the tenant's choice (message submission, RFC 6409).
//!
//! What is said is decided in `talk`, which is pure. Here it is carried to the server and back:
//! one connection for each mail, encrypted from the start (RFC 8314) or by STARTTLS (RFC 3207),
//! and always before a password goes over it. A mail is the server's when it says so after the
//! final dot; if that word is lost, it may have it.

pub mod content;
pub mod relay;
pub mod reply;
pub mod talk;

use std::time::Duration;

use shared::{
    domain::Timestamp,
    ports::{ConnectError, Connection, Destination, PortError, Tenant},
};

use crate::{
    dkim::{self, Chance},
    dkim_key,
    mail::Mail,
    mail_api::Sent,
    provider::{Provider, Secrets},
    smtp::{
        relay::{PLAIN_HOSTS, Relay, Security},
        reply::{Replies, Reply},
        talk::{Next, Talk, Wish},
    },
};

/// How long a server has for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long all of it may take. A job is leased for a minute, and another one would send the mail
/// again; so a server does not get the ten minutes of RFC 5321, 4.5.3.2.
const TIME_MAX: Duration = Duration::from_secs(40);
/// What is said at the end. Whether it is heard is of no interest.
const QUIT: &[u8] = b"QUIT\r\n";
/// What ends a mail.
const DOT: &[u8] = b".\r\n";

/// Hands the mail over to the provider's server.
pub async fn send(
    at: &impl Tenant,
    mail: &Mail<'_>,
    provider: &Provider,
    secrets: &Secrets,
) -> Sent {
    let Some(relay) = &provider.smtp else {
        return Sent::Refused("smtp: it has no server".to_owned());
    };
    let plain = at.setting(PLAIN_HOSTS).await.ok().flatten().unwrap_or_default();
    if !relay.is_safe(&plain) {
        let why = "smtp: the operator no longer allows it without TLS";
        return Sent::Later(why.to_owned(), None);
    }
    let content = match signed(at, mail).await {
        Ok(content) => content,
        // Unsigned it could do its domain harm. A key that is gone is replaced.
        Err(_) => {
            let why = "smtp: a key of DKIM cannot be opened: make another";
            return Sent::Later(why.to_owned(), None);
        }
    };
    let wish = Wish {
        // By whose name the mail is sent: it is one that leads somewhere (RFC 5321, 4.1.4).
        name: mail.from.address.domain(),
        security: relay.security(),
        login: relay.user.as_deref().map(|user| (user, secrets.key.as_str())),
        from: mail.from.address.as_str(),
        to: mail.to.address.as_str(),
        bytes: content.len(),
        // Ours is in ASCII, as MIME encodes it, and so is its head: there is no need of SMTPUTF8.
        is_ascii: content.is_ascii(),
    };
    let until = at.real_now() + TIME_MAX;
    match (Session { at, until }).hold(relay, Talk::new(wish), &content).await {
        Ok(sent) => sent,
        // Nothing of it is the server's before the final dot.
        Err(why) => Sent::Later(format!("smtp: {why}"), None),
    }
}

/// The mail with the signatures of its sender's domain, which are the same at each try.
async fn signed(at: &impl Tenant, mail: &Mail<'_>) -> Result<Vec<u8>, PortError> {
    let lines = content::lines(&mail.to_mime());
    let signers = dkim_key::signers(at, &mail.from.address).await?;
    dkim::signed(&lines, &signers, mail.at, &Runtime(at))
}

struct Runtime<'a, T>(&'a T);

impl<T: Tenant> Chance for Runtime<'_, T> {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), PortError> {
        self.0.random(bytes)
    }
}

/// A conversation, and when it has to be over.
struct Session<'a, T> {
    at: &'a T,
    until: Timestamp,
}

impl<T: Tenant> Session<'_, T> {
    async fn hold(
        &self,
        relay: &Relay,
        mut talk: Talk<'_>,
        content: &[u8],
    ) -> Result<Sent, ConnectError> {
        let to = Destination {
            host: relay.host.clone(),
            port: relay.port,
            tls: relay.security() == Security::Tls,
            timeout: ANSWER_TIMEOUT,
        };
        let mut line = self.at.connect(&to).await?;
        let mut replies = Replies::default();
        loop {
            let reply = self.hear(&mut line, &mut replies).await?;
            let mut next = talk.heard(&reply);
            if let Next::Upgrade = next {
                // What came in the clear and is unread could be anybody's (CVE-2011-0411).
                if !replies.is_empty() {
                    return Err(ConnectError::Distrusted("it spoke before TLS began".into()));
                }
                line.start_tls(self.left(ANSWER_TIMEOUT)?).await?;
                next = talk.upgraded();
            }
            match next {
                Next::Say(words) => {
                    line.write(words.as_bytes(), self.left(ANSWER_TIMEOUT)?).await?;
                }
                Next::Content => {
                    let dotted = content::dotted(content);
                    line.write(&dotted, self.left(TIME_MAX)?).await?;
                    let sent = self.ended(&mut line, &mut replies, &mut talk).await;
                    let _ = line.write(QUIT, ANSWER_TIMEOUT).await;
                    return Ok(sent);
                }
                Next::Over(sent) => {
                    let _ = line.write(QUIT, ANSWER_TIMEOUT).await;
                    return Ok(sent);
                }
                Next::Upgrade => return Err(ConnectError::Broken("it upgrades twice".into())),
            }
        }
    }

    /// The final dot, and what is said to it. From here on the server may have the mail.
    async fn ended(
        &self,
        line: &mut impl Connection,
        replies: &mut Replies,
        talk: &mut Talk<'_>,
    ) -> Sent {
        let outcome = async {
            line.write(DOT, self.left(TIME_MAX)?).await?;
            self.hear_within(line, replies, TIME_MAX).await
        };
        match outcome.await {
            Ok(reply) => match talk.heard(&reply) {
                Next::Over(sent) => sent,
                _ => Sent::NoAnswer(format!("smtp: no word on the mail but {reply}")),
            },
            Err(why) => Sent::NoAnswer(format!("smtp: after the mail: {why}")),
        }
    }

    async fn hear(
        &self,
        line: &mut impl Connection,
        replies: &mut Replies,
    ) -> Result<Reply, ConnectError> {
        self.hear_within(line, replies, ANSWER_TIMEOUT).await
    }

    async fn hear_within(
        &self,
        line: &mut impl Connection,
        replies: &mut Replies,
        timeout: Duration,
    ) -> Result<Reply, ConnectError> {
        let until = self.until.min(self.at.real_now() + timeout);
        loop {
            let reply = replies.take().map_err(|it| ConnectError::Broken(it.to_string()));
            if let Some(reply) = reply? {
                return Ok(reply);
            }
            let left = left(self.at.real_now(), until).ok_or(ConnectError::Timeout(timeout))?;
            let bytes = line.read(left).await?;
            if bytes.is_empty() {
                return Err(ConnectError::Broken("the server hung up".into()));
            }
            replies.feed(&bytes);
        }
    }

    /// How long something may take that may take this long.
    fn left(&self, timeout: Duration) -> Result<Duration, ConnectError> {
        let left = left(self.at.real_now(), self.until).ok_or(ConnectError::Timeout(TIME_MAX))?;
        Ok(left.min(timeout))
    }
}

fn left(now: Timestamp, until: Timestamp) -> Option<Duration> {
    let left = u64::try_from(until.0.saturating_sub(now.0)).ok().filter(|it| *it > 0)?;
    Some(Duration::from_millis(left))
}
