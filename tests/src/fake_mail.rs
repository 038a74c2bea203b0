//! Providers of mail as far as the tests go, on loopback: Resend, Postmark, SendGrid and SES, told
//! apart by their paths. They check what they are sent, and can fail.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
};

use data_encoding::BASE64;
use mail_parser::{MessageParser, MessagePart, MimeHeaders as _};
use notify::mail_api::sigv4;
use serde_json::{Value, json};
use shared::domain::Timestamp;

use crate::sink::{Delivered, read};

/// The key that each of them believes.
pub const KEY: &str = "key_test_12345678";
/// The id of SES's access key.
pub const KEY_ID: &str = "AKIDEXAMPLE";
/// The address that no provider takes mail for.
pub const UNWANTED: &str = "unwanted@example.com";

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It has no effect, and this status.
    Status(u16),
    /// It has its effect, and its answer is lost.
    Lost,
}

/// A mail that a provider took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// Which provider.
    pub by: String,
    /// The delivery, as the tag says.
    pub delivery: String,
    /// Who sends it.
    pub from: String,
    /// Who reads it.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its plain text.
    pub text: String,
    /// Its page.
    pub html: String,
    /// Its own headers.
    pub headers: BTreeMap<String, String>,
    /// What it carries: name, type and bytes.
    pub files: Vec<(String, String, Vec<u8>)>,
}

/// The server. Its threads end with the process.
#[derive(Clone)]
pub struct FakeMail {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    taken: Vec<Taken>,
    calls: Vec<String>,
    faults: BTreeMap<String, VecDeque<Fault>>,
    /// Resend's: the body and the answer of each key.
    keys: BTreeMap<String, (Vec<u8>, Value)>,
}

impl FakeMail {
    /// Starts it on a port of its own.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::<Mutex<State>>::default();
        let fake = Self { url: format!("http://{address}"), state: Arc::clone(&state) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        fake
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds this")
    }

    /// What goes wrong with the next calls of a provider.
    pub fn fail(&self, provider: &str, faults: &[Fault]) {
        self.state().faults.entry(provider.to_owned()).or_default().extend(faults);
    }

    /// The mails so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.state().taken.clone()
    }

    /// How often a provider was called.
    pub fn calls(&self, provider: &str) -> usize {
        self.state().calls.iter().filter(|it| *it == provider).count()
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let Ok(mut state) = state.lock() else { return };
        let Some((status, head, body)) = state.respond(&request) else { return };
        drop(state);
        let body = body.to_string();
        let head = format!("HTTP/1.1 {status} X\r\n{head}content-length: {}\r\n\r\n", body.len());
        if (&mut &*stream).write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

type Answer = (u16, String, Value);

fn refused(status: u16, body: Value) -> Answer {
    (status, String::new(), body)
}

impl State {
    /// The answer; nothing when it is lost.
    fn respond(&mut self, request: &Delivered) -> Option<Answer> {
        let by = match request.path.as_str() {
            "/emails" => "resend",
            "/email" => "postmark",
            "/v3/mail/send" => "sendgrid",
            "/v2/email/outbound-emails" => "ses",
            _ => return Some(refused(404, json!({"message": "unknown path"}))),
        };
        self.calls.push(by.to_owned());
        let fault = self.faults.get_mut(by).and_then(VecDeque::pop_front);
        if let Some(Fault::Status(status)) = fault {
            return Some(refused(status, json!({"message": "on purpose"})));
        }
        let answer = self.answer(by, request);
        fault.is_none().then_some(answer)
    }

    fn answer(&mut self, by: &str, request: &Delivered) -> Answer {
        if !is_signed(by, request) {
            return refused(401, json!({"message": "no valid key", "Message": "no valid key"}));
        }
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return refused(400, json!({"message": "no JSON"}));
        };
        let key = request.header("idempotency-key").unwrap_or_default().to_owned();
        if let Some((known, answer)) = self.keys.get(&key).filter(|_| by == "resend") {
            return match *known == request.body {
                true => (200, String::new(), answer.clone()),
                false => refused(409, json!({"name": "invalid_idempotent_request"})),
            };
        }
        let taken = match by {
            "resend" => resend(&body),
            "postmark" => postmark(&body),
            "sendgrid" => sendgrid(&body),
            _ => ses(&body),
        };
        if taken.to.contains(UNWANTED) {
            let why = "the recipient is unwanted";
            let errors = json!([{"message": why}]);
            return refused(422, json!({"message": why, "Message": why, "errors": errors}));
        }
        self.taken.push(taken);
        let id = format!("{by}-{}", self.taken.len());
        let (status, head, answer) = match by {
            "resend" => (200, String::new(), json!({"id": id})),
            "postmark" => (200, String::new(), json!({"ErrorCode": 0, "MessageID": id})),
            "sendgrid" => (202, format!("x-message-id: {id}\r\n"), Value::Null),
            _ => (200, String::new(), json!({"MessageId": id})),
        };
        if by == "resend" {
            self.keys.insert(key, (request.body.clone(), answer.clone()));
        }
        (status, head, answer)
    }
}

fn is_signed(by: &str, request: &Delivered) -> bool {
    let header = |name| request.header(name).unwrap_or_default();
    match by {
        "postmark" => header("x-postmark-server-token") == KEY,
        "ses" => is_signed_by_aws(request),
        _ => header("authorization") == format!("Bearer {KEY}"),
    }
}

/// Whether the signature is the one of this key, over what came.
fn is_signed_by_aws(request: &Delivered) -> bool {
    let header = |name| request.header(name).unwrap_or_default();
    let date = header("x-amz-date");
    let Some((day, time)) = date.trim_end_matches('Z').split_once('T') else { return false };
    let parts = [&day[..4], &day[4..6], &day[6..], &time[..2], &time[2..4], &time[4..]];
    let [year, month, day, hour, minute, second] = parts;
    let now = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    let Some(now) = Timestamp::parse(&now) else { return false };
    let key = sigv4::Key { id: KEY_ID, secret: KEY };
    let scope = sigv4::Scope { region: "eu-central-1", service: "ses" };
    let (host, kind) = (header("host"), header("content-type"));
    let signed = sigv4::post(&key, &scope, host, &request.path, kind, &request.body, now);
    signed.iter().all(|(name, value)| header(name) == value)
}

fn word(it: &Value, path: &str) -> String {
    it.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn pairs(it: &Value) -> BTreeMap<String, String> {
    let all = it.as_object().into_iter().flatten();
    all.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// The files of a list: under which names each has its own name, its type and its bytes.
fn files(it: &Value, [name, kind, bytes]: [&str; 3]) -> Vec<(String, String, Vec<u8>)> {
    let all = it.as_array().into_iter().flatten();
    let bytes = |it: &Value| BASE64.decode(word(it, bytes).as_bytes()).unwrap_or_default();
    all.map(|it| (word(it, name), word(it, kind), bytes(it))).collect()
}

/// The files of a mail.
///
/// # Panics
/// When it is none.
pub fn attached(mime: &[u8]) -> Vec<(String, String, Vec<u8>)> {
    let mail = MessageParser::default().parse(mime).expect("it is a mail");
    let kind = |it: &MessagePart<'_>| {
        let kind = it.content_type();
        kind.map(|it| format!("{}/{}", it.ctype(), it.subtype().unwrap_or_default()))
    };
    let name = |it: &MessagePart<'_>| it.attachment_name().unwrap_or_default().to_owned();
    mail.attachments()
        .map(|it| (name(it), kind(it).unwrap_or_default(), it.contents().to_vec()))
        .collect()
}

fn resend(it: &Value) -> Taken {
    Taken {
        by: "resend".to_owned(),
        delivery: word(it, "/tags/0/value"),
        from: word(it, "/from"),
        to: word(it, "/to/0"),
        subject: word(it, "/subject"),
        text: word(it, "/text"),
        html: word(it, "/html"),
        headers: pairs(&it["headers"]),
        files: files(&it["attachments"], ["/filename", "/content_type", "/content"]),
    }
}

fn postmark(it: &Value) -> Taken {
    let headers = it["Headers"].as_array().into_iter().flatten();
    Taken {
        by: "postmark".to_owned(),
        delivery: word(it, "/Metadata/delivery"),
        from: word(it, "/From"),
        to: word(it, "/To"),
        subject: word(it, "/Subject"),
        text: word(it, "/TextBody"),
        html: word(it, "/HtmlBody"),
        headers: headers.map(|it| (word(it, "/Name"), word(it, "/Value"))).collect(),
        files: files(&it["Attachments"], ["/Name", "/ContentType", "/Content"]),
    }
}

fn sendgrid(it: &Value) -> Taken {
    let person = |path: &str| {
        format!("{} <{}>", word(it, &format!("{path}/name")), word(it, &format!("{path}/email")))
    };
    Taken {
        by: "sendgrid".to_owned(),
        delivery: word(it, "/personalizations/0/custom_args/delivery"),
        from: person("/from"),
        to: person("/personalizations/0/to/0"),
        subject: word(it, "/subject"),
        text: word(it, "/content/0/value"),
        html: word(it, "/content/1/value"),
        headers: pairs(&it["headers"]),
        files: files(&it["attachments"], ["/filename", "/type", "/content"]),
    }
}

fn ses(it: &Value) -> Taken {
    let mime = BASE64.decode(word(it, "/Content/Raw/Data").as_bytes()).unwrap_or_default();
    let files = attached(&mime);
    let mime = String::from_utf8_lossy(&mime).replace("\r\n ", " ").replace("\r\n", "\n");
    let (head, body) = mime.split_once("\n\n").unwrap_or_default();
    let headers: BTreeMap<_, _> = head
        .lines()
        .filter_map(|it| it.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let parts: Vec<_> = body.split("\n\n").map(str::to_owned).collect();
    Taken {
        by: "ses".to_owned(),
        delivery: word(it, "/EmailTags/0/Value"),
        from: header("From"),
        to: word(it, "/Destination/ToAddresses/0"),
        subject: header("Subject"),
        text: parts.get(1).cloned().unwrap_or_default(),
        html: parts.get(2).cloned().unwrap_or_default(),
        headers: headers.clone(),
        files,
    }
}
