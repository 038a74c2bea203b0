//! Short messages go out by a provider: once where it answers, later where it is busy, and not at
//! all where it says no.
//!
//! `BACKPLANE_RUNTIMES=local,workerd cargo test -p tests --test texted`

use std::{
    io::{BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use data_encoding::BASE64;
use serde_json::{Value, json};
use tests::{
    desk::Desk,
    host::Host,
    sink::{Delivered, read},
};

const ADA: &str = "+4930123456";
/// Whose owner wants no messages: Twilio says 21610.
const STOPPED: &str = "+4930999999";
const TOKEN: &str = "twilio_token_1";
const SMS: &str = "/v1/notifications/sms";

/// The fields of a message.
type Fields = Vec<(String, String)>;

/// Twilio as far as the tests go: what it has taken, and how it answers next.
#[derive(Clone, Default)]
struct FakeTwilio {
    taken: Arc<Mutex<Vec<Fields>>>,
    faults: Arc<Mutex<Vec<u16>>>,
}

impl FakeTwilio {
    /// Starts it; gives where it listens.
    fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fake = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let fake = fake.clone();
                std::thread::spawn(move || fake.serve(&stream));
            }
        });
        url
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(request) = read(&mut reader) {
            let (status, body) = self.answer(&request);
            let head = format!("HTTP/1.1 {status} It\r\ncontent-type: application/json\r\n");
            let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            if (&mut &*stream).write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Delivered) -> (u16, String) {
        let no = |status, code, message| {
            (status, json!({"code": code, "message": message, "status": status}).to_string())
        };
        let shown = BASE64.encode(format!("{}:{TOKEN}", account()).as_bytes());
        if request.header("authorization") != Some(&format!("Basic {shown}")) {
            return no(401, 20003, "Authenticate");
        }
        if request.path != format!("/2010-04-01/Accounts/{}/Messages.json", account()) {
            return no(404, 20404, "The requested resource was not found");
        }
        let fields: Vec<_> = form_urlencoded::parse(&request.body).into_owned().collect();
        if fields.contains(&("To".to_owned(), STOPPED.to_owned())) {
            return no(400, 21610, "Attempt to send to unsubscribed recipient");
        }
        if let Some(status) = self.faults.lock().unwrap().pop() {
            return no(status, 20429, "Too many requests");
        }
        let mut taken = self.taken.lock().unwrap();
        taken.push(fields);
        (201, json!({"sid": format!("SM{}", taken.len()), "status": "queued"}).to_string())
    }

    fn field(&self, at: usize, name: &str) -> String {
        let taken = self.taken.lock().unwrap();
        taken[at].iter().find(|it| it.0 == name).unwrap().1.clone()
    }
}

fn account() -> String {
    format!("AC{}", "0123456789abcdef".repeat(2))
}

/// A tenant that sends short messages, and who carries them.
fn open(host: &Host) -> (Desk<'_>, FakeTwilio) {
    let (desk, fake) = (Desk::open(host, &["sms"]), FakeTwilio::default());
    let sms = json!({"kind": "twilio", "account": account(), "token": TOKEN, "from": "Tea Shop",
        "base_url": fake.start()});
    desk.send("PUT", SMS, sms);
    (desk, fake)
}

fn hello(desk: &Desk, to: Value) -> String {
    let notice = json!({"type": "hello", "to": [to], "url": "https://example.com/1"});
    let made = desk.send("POST", "/v1/notifications", notice);
    format!("/v1/notifications/{}", made["id"].as_str().unwrap())
}

fn contact(phone: &str) -> Value {
    json!({"contact": {"phone": phone, "name": "Ada"}})
}

fn it_is_sent_once_in_plain_words(host: &Host) {
    let (desk, fake) = open(host);

    let sent = desk.until_state(&hello(&desk, contact("+49 30 123-456")), "sent");

    assert_eq!((&sent["recipient"], &sent["reference"]), (&json!(ADA), &json!("SM1")));
    assert_eq!(fake.field(0, "To"), ADA);
    assert_eq!(fake.field(0, "From"), "Tea Shop");
    assert_eq!(fake.field(0, "Body"), "Hello Ada\nHello you.\nhttps://example.com/1");
    let shown = desk.get(SMS);
    let shown = &shown["provider"];
    assert_eq!((&shown["from"], shown.get("token")), (&json!("Tea Shop"), None));
}

fn a_member_is_reached_by_its_number(host: &Host) {
    let (desk, fake) = open(host);
    let member = json!({"email": "ann@example.com", "phone": ADA});
    let member = desk.send("POST", "/v1/members", member)["id"].clone();
    let path = format!("/v1/members/{}", member.as_str().unwrap());

    desk.until_state(&hello(&desk, json!({"member": member})), "sent");
    assert_eq!(fake.field(0, "To"), ADA);
    let without = desk.send("PATCH", &path, json!({"phone": ""}));
    assert_eq!(without.get("phone"), None);
    let withheld = desk.until_state(&hello(&desk, json!({"member": member})), "withheld");

    assert_eq!(withheld["why"], "the recipient has no number of a telephone");
}

fn what_is_busy_is_asked_again_and_what_is_refused_is_not(host: &Host) {
    let (desk, fake) = open(host);
    fake.faults.lock().unwrap().push(429);

    desk.until_state(&hello(&desk, contact(ADA)), "sent");
    let failed = desk.until_state(&hello(&desk, contact(STOPPED)), "failed");

    assert_eq!(fake.taken.lock().unwrap().len(), 1, "a message that went is not sent again");
    let why = "twilio: 400 21610: Attempt to send to unsubscribed recipient";
    assert_eq!(failed["why"], why);
}

fn what_cannot_be_is_refused(host: &Host) {
    let (desk, _) = open(host);
    let refused = |method: &str, path: &str, body: Value| {
        let answer = desk.ask(method, path, body);
        assert_eq!(answer.status, 422, "{}", answer.json());
        answer.json()["path"].clone()
    };
    let sms = |name: &str, value: &str| {
        let mut it = json!({"kind": "twilio", "account": account(), "token": TOKEN, "from": ADA});
        it[name] = json!(value);
        it
    };

    assert_eq!(refused("PUT", SMS, sms("account", "AC1")), "account");
    assert_eq!(refused("PUT", SMS, sms("from", "not a sender")), "from");
    assert_eq!(refused("PUT", SMS, sms("token", "short")), "token");
    assert_eq!(refused("PUT", SMS, sms("base_url", "https://a.example/path")), "base_url");
    let notice = |to: Value| json!({"type": "hello", "to": [to]});
    refused("POST", "/v1/notifications", notice(contact("030 123456")));
    refused("POST", "/v1/notifications", notice(json!({"contact": {"name": "Ada"}})));
    desk.send("DELETE", SMS, Value::Null);
    let failed = desk.until_state(&hello(&desk, contact(ADA)), "failed");
    assert_eq!(failed["why"], "no provider carries short messages: put one");
}

#[test]
fn short_messages_are_sent_by_twilio() {
    Host::everywhere("texted", &[], |host| {
        it_is_sent_once_in_plain_words(host);
        a_member_is_reached_by_its_number(host);
        what_is_busy_is_asked_again_and_what_is_refused_is_not(host);
        what_cannot_be_is_refused(host);
    });
}
