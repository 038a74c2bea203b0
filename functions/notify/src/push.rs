//! Browser push: one message to one browser, by RFC 8030. Pure.
//!
//! `encrypt` makes what only that browser reads, `vapid` says who sends it. Here are the request
//! that carries both, and what the answer means.

pub mod encrypt;
pub mod vapid;

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{domain::Timestamp, outbound};
use url::Url;
use utoipa::ToSchema;

use crate::notice::amend::Amendment;

use self::{
    encrypt::{AUTH_BYTES, Ephemeral, PLAINTEXT_BYTES_MAX, Receiver},
    vapid::{Contact, Signer},
};

/// The longest that a push service is asked to keep a message, in seconds: 28 days, which is the
/// most that the services of today keep.
pub const TTL_SECONDS_MAX: u32 = 28 * 86_400;
/// The longest topic (RFC 8030, 5.4), in characters.
const TOPIC_CHARS_MAX: usize = 32;
/// The longest endpoint, in bytes.
const ENDPOINT_BYTES_MAX: usize = 2048;

/// What a browser gives when it is subscribed: `PushSubscription.toJSON()`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = PushSubscriptionInput)]
pub struct Input {
    /// Where its push service takes messages.
    pub endpoint: String,
    /// Its keys.
    pub keys: InputKeys,
}

/// The keys of a subscription, in base64url without padding.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = PushSubscriptionKeys)]
pub struct InputKeys {
    /// Its public key: an uncompressed point of P-256.
    pub p256dh: String,
    /// Its secret of 16 bytes.
    pub auth: String,
}

/// A browser that takes messages.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Where its push service takes them.
    pub endpoint: Url,
    /// Who reads them.
    pub receiver: Receiver,
}

/// Why a subscription is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// The endpoint is no address of a push service.
    #[error("endpoint: an https address on the internet, as the browser gave it")]
    Endpoint,
    /// The public key is no point of the curve.
    #[error("keys.p256dh: 65 bytes in base64url, a point of P-256, as the browser gave it")]
    Key,
    /// The secret has another length.
    #[error("keys.auth: {AUTH_BYTES} bytes in base64url, as the browser gave it")]
    Auth,
}

/// How much of the battery it is worth (RFC 8030, 5.3).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = PushUrgency)]
pub enum Urgency {
    /// On power and wireless only.
    VeryLow,
    /// On either.
    Low,
    /// On neither.
    #[default]
    Normal,
    /// With a low battery too.
    High,
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// The title of the notice.
    pub title: &'a str,
    /// Its words.
    pub text: &'a str,
    /// Where a click leads.
    pub url: Option<&'a Url>,
    /// A picture beside it.
    pub icon: Option<&'a str>,
    /// What it replaces: a later one with the same topic takes its place, with the push service
    /// while it waits and on the screen when it has come.
    pub topic: Option<&'a str>,
    /// For how long the push service keeps it, in seconds.
    pub ttl_seconds: u32,
    /// How much of the battery it is worth.
    pub urgency: Urgency,
    /// What became of what was sent before with the same topic.
    pub amends: Option<Amendment>,
}

/// A request to a push service.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where to post it.
    pub url: Url,
    /// What to post it with.
    pub headers: Vec<(&'static str, String)>,
    /// What only the browser reads.
    pub body: Vec<u8>,
}

/// What an answer of a push service means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is on its way.
    Accepted,
    /// The subscription is over, and is to be forgotten (404, 410).
    Gone,
    /// The service takes less than RFC 8030 asks for (413).
    TooLarge,
    /// Not now: again by the schedule, and not before this, if it says when (429, 5xx).
    Later(Option<Duration>),
    /// It believes neither the signature nor the request: no other try helps.
    Refused,
}

impl Subscription {
    /// Reads what a browser gave. `hosts` are those that its push service may have, as
    /// [`outbound::allows`] takes them: by a `*` nobody gets into somebody's own network.
    ///
    /// # Errors
    /// What of it cannot be so.
    pub fn parse(input: &Input, hosts: &str) -> Result<Self, Error> {
        let endpoint = Url::parse(&input.endpoint).map_err(|_| Error::Endpoint)?;
        let fits = input.endpoint.len() <= ENDPOINT_BYTES_MAX;
        if !fits || !outbound::allows(hosts, &endpoint) {
            return Err(Error::Endpoint);
        }
        let receiver = Receiver::parse(&input.keys.p256dh, &input.keys.auth)?;
        Ok(Self { endpoint, receiver })
    }

    /// The request that brings it the message. `ephemeral` is new for each.
    ///
    /// # Errors
    /// When the keys do not work, which a subscription that was parsed and a key that was made here
    /// do.
    pub fn request(
        &self,
        message: &Message<'_>,
        signer: &Signer,
        contact: &Contact,
        ephemeral: &Ephemeral,
        now: Timestamp,
    ) -> Result<Request, encrypt::Broken> {
        let body = encrypt::encrypt(&message.payload(), &self.receiver, ephemeral)?;
        let mut headers = vec![
            ("content-type", "application/octet-stream".to_owned()),
            ("content-encoding", "aes128gcm".to_owned()),
            ("authorization", signer.authorization(&self.endpoint, contact, now)),
            ("ttl", message.ttl_seconds.min(TTL_SECONDS_MAX).to_string()),
            ("urgency", message.urgency.word().to_owned()),
        ];
        headers.extend(message.topic.filter(|it| is_topic(it)).map(|it| ("topic", it.to_owned())));
        Ok(Request { url: self.endpoint.clone(), headers, body })
    }
}

impl Message<'_> {
    /// The notice as Declarative Web Push has it (W3C Push API): Safari shows it without a worker,
    /// and a worker elsewhere reads the same JSON. The words are cut to what fits.
    pub fn payload(&self) -> Vec<u8> {
        let of = |text: &str| {
            let mut notification = json!({
                "title": self.title,
                "body": text,
                "navigate": self.url.map_or("/", Url::as_str),
                "tag": self.topic.unwrap_or_default(),
            });
            if let (Some(icon), Some(all)) = (self.icon, notification.as_object_mut()) {
                all.insert("icon".to_owned(), json!(icon));
            }
            if let (Some(how), Some(all)) = (self.amends, notification.as_object_mut()) {
                // A worker closes what is withdrawn; who has none shows the title, without a sound.
                all.insert("silent".to_owned(), json!(true));
                all.insert("data".to_owned(), json!({"change": how}));
            }
            json!({ "web_push": 8030, "notification": notification }).to_string().into_bytes()
        };
        let whole = of(self.text);
        let Some(over) = whole.len().checked_sub(PLAINTEXT_BYTES_MAX).filter(|it| *it > 0) else {
            return whole;
        };
        // Each character that goes takes at least a byte with it; the ellipsis needs three.
        let keep = self.text.len().saturating_sub(over + 3);
        let fitting = self.text.char_indices().take_while(|(at, it)| at + it.len_utf8() <= keep);
        of(&format!("{}…", fitting.map(|(_, it)| it).collect::<String>()))
    }
}

impl Urgency {
    fn word(self) -> &'static str {
        match self {
            Self::VeryLow => "very-low",
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

/// Whether it is a topic: 1 to 32 characters of base64url.
pub fn is_topic(text: &str) -> bool {
    let plain = text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it));
    (1..=TOPIC_CHARS_MAX).contains(&text.len()) && plain
}

/// What the answer of a push service means.
pub fn outcome(status: StatusCode, retry_after: Option<Duration>) -> Outcome {
    match status {
        it if it.is_success() => Outcome::Accepted,
        StatusCode::NOT_FOUND | StatusCode::GONE => Outcome::Gone,
        StatusCode::PAYLOAD_TOO_LARGE => Outcome::TooLarge,
        StatusCode::TOO_MANY_REQUESTS => Outcome::Later(retry_after),
        it if it.is_server_error() => Outcome::Later(retry_after),
        _ => Outcome::Refused,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    fn parse(endpoint: &str, p256dh: &str, auth: &str) -> Result<Subscription, Error> {
        let keys = InputKeys { p256dh: p256dh.to_owned(), auth: auth.to_owned() };
        Subscription::parse(&Input { endpoint: endpoint.to_owned(), keys }, "https://*:*")
    }

    fn message(text: &str) -> Message<'_> {
        let (urgency, topic) = (Urgency::High, Some("comments"));
        let (ttl_seconds, amends) = (u32::MAX, None);
        Message { title: "Ada", text, url: None, icon: None, topic, ttl_seconds, urgency, amends }
    }

    #[test]
    fn an_endpoint_in_somebodys_own_network_is_refused() {
        assert!(parse("https://push.example.net/p/1", KEY, AUTH).is_ok());
        for bad in [
            "http://push.example.net/p",
            "https://127.0.0.1/p",
            "https://10.1.2.3/p",
            "https://[::1]/p",
            "https://169.254.169.254/p",
            "https://localhost/p",
            "https://0x7f.1/p",
            "push.example.net",
        ] {
            assert_eq!(parse(bad, KEY, AUTH).unwrap_err(), Error::Endpoint, "{bad}");
        }
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        let at = "https://push.example.net/p";
        let off_the_curve = KEY.replace("Aiw4", "Aiw8");

        assert_eq!(parse(at, "AAAA", AUTH).unwrap_err(), Error::Key);
        assert_eq!(parse(at, &off_the_curve, AUTH).unwrap_err(), Error::Key);
        assert_eq!(parse(at, KEY, "AAAA").unwrap_err(), Error::Auth);
    }

    #[test]
    fn a_request_has_the_headers_of_the_rfcs() {
        let subscription = parse("https://push.example.net/p/1", KEY, AUTH).unwrap();
        let signer = Signer::parse(&[7; 32]).unwrap();
        let contact = Contact::parse("mailto:ops@example.com").unwrap();
        let ephemeral = Ephemeral::parse(&[9; 32], [1; 16]).unwrap();
        let now = Timestamp(1_900_000_000_000);

        let request =
            subscription.request(&message("hi"), &signer, &contact, &ephemeral, now).unwrap();

        let header = |name| request.headers.iter().find(|it| it.0 == name).map(|it| it.1.as_str());
        assert_eq!(header("content-encoding"), Some("aes128gcm"));
        assert_eq!(header("ttl"), Some(TTL_SECONDS_MAX.to_string().as_str()));
        assert_eq!(header("urgency"), Some("high"));
        assert_eq!(header("topic"), Some("comments"));
        assert!(header("authorization").unwrap().starts_with("vapid t="));
    }

    #[test]
    fn what_the_service_answers_is_what_is_done() {
        let of = |status| outcome(StatusCode::from_u16(status).unwrap(), None);

        assert_eq!([of(201), of(202)], [Outcome::Accepted; 2]);
        assert_eq!([of(404), of(410)], [Outcome::Gone; 2]);
        assert_eq!(of(413), Outcome::TooLarge);
        assert_eq!([of(500), of(503)], [Outcome::Later(None); 2]);
        assert_eq!([of(400), of(401), of(403)], [Outcome::Refused; 3]);
        let wait = Some(Duration::from_secs(60));
        assert_eq!(outcome(StatusCode::TOO_MANY_REQUESTS, wait), Outcome::Later(wait));
    }

    #[test]
    fn what_amends_is_silent_and_says_how() {
        let message = Message { amends: Some(Amendment::Withdrawn), ..message("") };

        let sent: serde_json::Value = serde_json::from_slice(&message.payload()).unwrap();

        let notification = &sent["notification"];
        assert_eq!(notification["silent"], true);
        assert_eq!(notification["data"]["change"], "withdrawn");
        assert_eq!(notification["tag"], "comments");
    }

    proptest! {
        #[test]
        fn whatever_the_words_it_fits(text in "([ -~]|é|\u{1F600}|\n){0,5000}") {
            let payload = message(&text).payload();

            prop_assert!(payload.len() <= PLAINTEXT_BYTES_MAX);
            let read: serde_json::Value = serde_json::from_slice(&payload).unwrap();
            prop_assert_eq!(&read["web_push"], 8030);
            let body = read["notification"]["body"].as_str().unwrap();
            prop_assert!(body == text || text.starts_with(body.strip_suffix('…').unwrap()));
        }
    }
}
