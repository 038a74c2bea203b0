//! Amazon SNS, all the way: a topic is confirmed by itself, and what SES tells of an address by it
//! is heard.

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, Method, Request, StatusCode};
use rsa::{Pkcs1v15Sign, RsaPrivateKey, pkcs8::DecodePrivateKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::{
    memory::Memory,
    ports::{FetchError, HttpRequest, HttpResponse},
};
use tests::{client::Answer, desk::Desk, host::Host};
use webhooks::recipe::Recipe;

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:ses-feedback";
const CERTIFICATE: &str = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem";
const VISIT: &str =
    "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37";
const ROOT: &str = include_str!("../../fixtures/sns/certificates/root.pem");
const LEAF: &str = include_str!("../../fixtures/sns/certificates/good.pem");
const KEY: &str = include_str!("../../fixtures/sns/certificates/leaf.key");

/// What was asked of Amazon, and what it answers to a visit.
#[derive(Default)]
struct Amazon {
    asked: Vec<String>,
    answers: Vec<u16>,
}

impl Amazon {
    fn answer(&mut self, request: &HttpRequest) -> Result<HttpResponse, FetchError> {
        assert_eq!(request.method, Method::GET);
        assert!(request.headers.is_empty() && request.body.is_empty());
        self.asked.push(request.url.to_string());
        let (status, body) = match request.url.as_str() {
            CERTIFICATE => (200, LEAF),
            VISIT => (self.answers.pop().unwrap_or(200), "<ConfirmSubscriptionResponse/>"),
            other => panic!("nobody asks {other}"),
        };
        let status = StatusCode::from_u16(status).unwrap();
        let body = Bytes::from_static(body.as_bytes());
        Ok(HttpResponse { status, headers: HeaderMap::new(), body, cut: false })
    }
}

/// A source of the topic.
struct Topic<'a> {
    desk: Desk<'a>,
    source: String,
    amazon: Rc<RefCell<Amazon>>,
}

fn host(answers: &[u16]) -> (Host, Rc<RefCell<Amazon>>) {
    let amazon = Rc::new(RefCell::new(Amazon { answers: answers.to_vec(), ..Amazon::default() }));
    let asked = amazon.clone();
    let network = move |request: HttpRequest| asked.borrow_mut().answer(&request);
    (Host::Memory(Box::new(Memory::with_network(network))), amazon)
}

impl<'a> Topic<'a> {
    fn open((host, amazon): &'a (Host, Rc<RefCell<Amazon>>)) -> Self {
        let desk = Desk::open(host, &["email"]);
        let mut recipe = Recipe::named("sns").unwrap();
        recipe.signature.key_url.as_mut().unwrap().roots = Some(ROOT.to_owned());
        let new = json!({"name": "SES", "recipe": recipe, "secret": TOPIC});
        let source = desk.send("POST", "/v1/webhooks/sources", new);
        let source = source["id"].as_str().unwrap().to_owned();
        Self { desk, source, amazon: amazon.clone() }
    }

    /// Posts a message as SNS does; `beside` is added after it was signed.
    fn post(&self, mut message: Value, beside: Value) -> Answer {
        let now = self.desk.get("/v1/whoami")["now"].clone();
        let common = json!({"TopicArn": TOPIC, "Timestamp": now});
        message.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
        let mut fields: Vec<_> = message.as_object().unwrap().iter().collect();
        fields.sort_by_key(|(name, _)| *name);
        let line = |(name, it): (&String, &Value)| format!("{name}\n{}\n", it.as_str().unwrap());
        let text: String = fields.into_iter().map(line).collect();
        message["Signature"] = signature(&text).into();
        message["SignatureVersion"] = "2".into();
        message["SigningCertURL"] = CERTIFICATE.into();
        message.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        let request = Request::post(format!("/in/{}", self.source))
            .header("content-type", "text/plain; charset=UTF-8")
            .header("x-amz-sns-message-type", message["Type"].as_str().unwrap());
        self.desk.host.call(request.body(message.to_string().into()).unwrap())
    }

    fn asks_to_confirm(&self, id: &str) -> Answer {
        let message = json!({"Type": "SubscriptionConfirmation", "MessageId": id,
            "Message": "You have chosen to subscribe", "Token": "2336412f37", "SubscribeURL": VISIT});
        self.post(message, json!({}))
    }

    fn tells(&self, id: &str, event: &Value) -> Answer {
        let message =
            json!({"Type": "Notification", "MessageId": id, "Message": event.to_string()});
        self.post(message, json!({"UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?a=b"}))
    }

    /// Waits for the entry, and gives its data.
    fn entry(&self, action: &str) -> Value {
        let path = format!("/v1/log?subject={}", self.source);
        let find = |it: &Value| {
            let items = it["items"].as_array().unwrap().clone();
            items.into_iter().find(|it| it["action"] == action)
        };
        find(&self.desk.until(&path, |it| find(it).is_some())).unwrap()["data"].clone()
    }

    fn visits(&self) -> usize {
        self.amazon.borrow().asked.iter().filter(|it| *it == VISIT).count()
    }
}

fn signature(text: &str) -> String {
    let inside: String = KEY.lines().filter(|it| !it.starts_with("-----")).collect();
    let key = RsaPrivateKey::from_pkcs8_der(&BASE64.decode(inside.as_bytes()).unwrap()).unwrap();
    let hash = Sha256::digest(text.as_bytes());
    BASE64.encode(&key.sign(Pkcs1v15Sign::new::<Sha256>(), &hash).unwrap())
}

fn bounce(address: &str) -> Value {
    json!({"notificationType": "Bounce", "mail": {"messageId": "1"}, "bounce": {
        "bounceType": "Permanent",
        "bouncedRecipients": [{"emailAddress": address, "diagnosticCode": "smtp; 550 unknown"}]}})
}

#[test]
fn what_ses_tells_by_sns_keeps_mail_from_who_bounces() {
    let host = host(&[]);
    let topic = Topic::open(&host);
    let provider = json!({"name": "SES", "kind": "ses", "key": "0123456789abcdef",
        "key_id": "AKIA0000", "region": "eu-west-1", "source": topic.source});
    topic.desk.send("POST", "/v1/notifications/providers", provider);

    let asked = topic.asks_to_confirm("1");
    assert_eq!((asked.status, &*asked.body), (StatusCode::OK, &b""[..]), "{asked:?}");
    assert_eq!(topic.entry("source.confirmed"), json!({"message": "1"}));
    assert_eq!(topic.visits(), 1);

    let told = topic.tells("2", &bounce("ada@example.com"));
    assert_eq!((told.status, &told.json()["status"]), (StatusCode::OK, &json!("accepted")));
    let path = "/v1/notifications/suppressions/ada@example.com";
    let found = topic.desk.until(path, |it| it["reason"] == "bounced");
    assert_eq!(found["detail"], "smtp; 550 unknown");

    let again = topic.tells("2", &bounce("ada@example.com"));
    assert_eq!(again.json()["status"], "duplicate");
    let messages = topic.desk.get("/v1/webhooks/messages");
    assert_eq!(messages["items"].as_array().unwrap().len(), 1, "a handshake is no message");
    let kind = messages["items"][0]["event_type"].as_str();
    assert_eq!((kind, messages["items"][0]["provider_id"].as_str()), (Some("Bounce"), Some("2")));

    // Beside a message that was signed, anybody can write what they like.
    let text =
        json!({"Type": "Notification", "MessageId": "3", "Message": "Successfully validated"});
    let beside = topic.post(text, bounce("eve@example.com"));
    assert_eq!(beside.status, StatusCode::OK);
    let beside = topic.tells("4", &bounce("joe@example.com"));
    assert_eq!(beside.status, StatusCode::OK);
    topic
        .desk
        .until("/v1/notifications/suppressions/joe@example.com", |it| it["reason"] == "bounced");
    let eve = topic.desk.ask("GET", "/v1/notifications/suppressions/eve@example.com", Value::Null);
    assert_eq!(eve.status, StatusCode::NOT_FOUND);

    let fetched = topic.amazon.borrow().asked.iter().filter(|it| *it == CERTIFICATE).count();
    assert_eq!(fetched, 1, "and kept");
}

#[test]
fn a_subscription_is_confirmed_once_and_tried_again_when_it_may_help() {
    let host = host(&[200, 503]);
    let topic = Topic::open(&host);

    assert_eq!(topic.asks_to_confirm("1").status, StatusCode::OK);
    assert_eq!(topic.asks_to_confirm("1").status, StatusCode::OK);
    topic.entry("source.confirmed");
    assert_eq!(topic.asks_to_confirm("1").status, StatusCode::OK);
    assert_eq!(topic.visits(), 2, "once in vain");

    assert_eq!(topic.asks_to_confirm("2").status, StatusCode::OK, "as the operator asked for");
    let path = format!("/v1/log?subject={}", topic.source);
    let confirmed = |it: &Value| {
        let items = it["items"].as_array().unwrap().iter();
        items.filter(|it| it["action"] == "source.confirmed").count()
    };
    topic.desk.until(&path, |it| confirmed(it) == 2);
    assert_eq!(topic.visits(), 3);
}

#[test]
fn a_subscription_that_cannot_be_confirmed_says_why() {
    let host = host(&[403]);
    let topic = Topic::open(&host);

    assert_eq!(topic.asks_to_confirm("1").status, StatusCode::OK);

    let why = json!({"message": "1", "reason": "sns.eu-west-1.amazonaws.com answered 403"});
    assert_eq!(topic.entry("source.unconfirmed"), why);
    assert_eq!(topic.visits(), 1, "and it is not asked again");
}

#[test]
fn a_subscription_to_another_topic_is_not_confirmed() {
    let host = host(&[]);
    let topic = Topic::open(&host);

    // As a stranger would, who wants us to be told of their topic.
    let other = json!({"TopicArn": "arn:aws:sns:eu-west-1:666666666666:theirs"});
    let message = json!({"Type": "SubscriptionConfirmation", "MessageId": "1", "Message": "x",
        "Token": "1", "SubscribeURL": VISIT});
    let refused = topic.post(message, other);

    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(topic.amazon.borrow().asked.is_empty(), "Amazon is not even asked for its key");
    assert_eq!(topic.entry("source.refusing")["code"], "somebody-elses");
}
