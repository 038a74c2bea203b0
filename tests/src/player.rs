//! Plays a story: a conversation in `fixtures/<function>/<story>.http`, the same on every host.
//!
//! ```text
//! # What this is about.
//! > POST /v1/webhooks/sources
//! > as: operator
//! > {"name":"orders","recipe":"stripe"}
//! < 201 application/json
//! < {"id":"{{src_1}}", …}
//! ```
//!
//! Lines of a request: the method and path, then headers, then the body. Some headers are
//! directions to the player: `as` (`operator`, `operator for the tenant` or `nobody`; the key of
//! the story's sandbox otherwise), `sign: <recipe> <secret> <id> <seconds since 1970>` (of Ed25519
//! the private key; where an address is signed, with ` <base>` of it at the end), `wait:
//! <JSON pointer>=<JSON>` (asks again until it, and each of the others, is so), `fill: <n>` (a body
//! of n bytes) and `SINK` in place of a method and path (shows what was delivered). Each story has
//! a sandbox of its own, whose clock stands at 2030-01-01T00:00:00Z.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request};
use serde_json::{Value, json};
use webhooks::{
    recipe::Recipe,
    signature::{self, Incoming},
};

use crate::{
    client::Answer,
    host::{Host, Sandbox},
    local::root,
    masks::Masks,
    sink::{Delivered, Sink},
};

/// How long `wait` asks again.
const WAIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
/// The headers of an answer that are part of the story.
pub const SHOWN: [&str; 14] = [
    "allow",
    "content-disposition",
    "etag",
    "idempotency-replayed",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "webhook-allowed-origin",
    "webhook-allowed-rate",
    "www-authenticate",
    "x-content-type-options",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

/// The headers of a delivery that are part of the story, besides ours and signatures.
const SHOWN_SENT: [&str; 4] = ["authorization", "content-digest", "signature-input", "x-own"];
/// Those of ours that differ from run to run, or from runtime to runtime.
const HIDDEN_SENT: [&str; 2] = ["webhook-timestamp", "webhook-request-origin"];

/// The stories, in the order of their paths.
///
/// # Panics
/// When the folder of the fixtures cannot be read.
pub fn stories() -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(root().join("fixtures"))
        .expect("the fixtures can be read")
        .map(|it| it.expect("the fixtures can be read").path())
        .filter(|it| it.is_dir())
        .flat_map(|it| {
            fs::read_dir(it)
                .expect("the fixtures can be read")
                .map(|it| it.expect("the fixtures can be read").path())
                // Beside stories there are figures and files that other tests read.
                .filter(|it| it.extension().is_some_and(|it| it == "http"))
        })
        .collect();
    // One story alone, while it is being written, or those of a folder.
    let only = std::env::var("STORY").unwrap_or_default();
    found.retain(|it| it.to_string_lossy().contains(&only));
    found.sort();
    found
}

/// A story on its host.
struct Player<'a> {
    host: &'a Host,
    sandbox: Sandbox,
    sink: Sink,
    masks: Masks,
}

/// Plays a story and gives it back with the answers that came.
pub fn play(host: &Host, story: &str) -> String {
    let sandbox = host.sandbox();
    let to = json!({"to": "2030-01-01T00:00:00Z"});
    let moved = host.ask("POST", "/v1/test-clock/advance", &sandbox.key, &to);
    assert_eq!(moved.status, 200, "the clock is set: {moved:?}");
    let sink = Sink::start();
    let mut masks = Masks::default();
    masks.name("tenant", &sandbox.tenant);
    masks.name("own_key_id", &sandbox.key_id);
    masks.name("own_key", &sandbox.key);
    masks.name("sink", sink.url());
    // A host name that no other story has.
    masks.name("host", &format!("{}.example.com", sandbox.tenant.replace('_', "-")));
    Player { host, sandbox, sink, masks }.play(story)
}

impl Player<'_> {
    fn play(&mut self, story: &str) -> String {
        let mut out = String::new();
        let mut lines = story.lines().filter(|it| !it.starts_with('<')).peekable();
        while let Some(line) = lines.next() {
            out.push_str(line);
            out.push('\n');
            let Some(head) = line.strip_prefix("> ") else { continue };
            let mut rest = Vec::new();
            while let Some(line) = lines.next_if(|it| it.starts_with("> ")) {
                out.push_str(line);
                out.push('\n');
                rest.push(&line[2..]);
            }
            out.push_str(&self.exchange(head, &rest));
        }
        out
    }

    fn exchange(&mut self, head: &str, rest: &[&str]) -> String {
        if head == "SINK" {
            return self.show_delivered();
        }
        let is_header = |it: &&&str| {
            let name = it.split_once(": ").map_or("", |(name, _)| name);
            let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
            !name.is_empty() && name.bytes().all(plain)
        };
        let headers: Vec<_> = rest.iter().take_while(is_header).collect();
        let body = rest.iter().skip(headers.len()).copied().collect::<Vec<_>>().join("\n");
        let waits: Vec<_> = headers.iter().filter_map(|it| it.strip_prefix("wait: ")).collect();
        let end = Instant::now() + WAIT;
        loop {
            let answer = self.host.call(self.request(head, &headers, &body));
            let done = waits.iter().all(|it| self.holds(&answer, it));
            if done || Instant::now() > end {
                return self.show(&answer);
            }
            std::thread::sleep(PAUSE);
            if let Host::Memory(memory) = &self.host {
                memory.advance(PAUSE); // Its clock stands still otherwise.
            }
        }
    }

    fn request(&self, head: &str, headers: &[&&str], body: &str) -> Request<Bytes> {
        let (method, path) = head.split_once(' ').expect("a request names a method and a path");
        let body = self.masks.reveal(body);
        let mut request = Request::builder()
            .method(method)
            .uri(self.masks.reveal(path))
            .header("user-agent", "story");
        let (mut body, mut actor, mut kind) = (body.into_bytes(), "tenant", "application/json");
        let mut sign = None;
        for header in headers {
            let (name, value) = header.split_once(": ").expect("a header has a value");
            let value = self.masks.reveal(value);
            match name {
                "as" => actor = header.split_once(": ").map_or("", |(_, it)| it),
                "wait" => {}
                "fill" => body = vec![b'x'; value.parse().expect("fill names a number")],
                "content-type" => kind = header.split_once(": ").map_or("", |(_, it)| it),
                "sign" => sign = Some(value),
                _ => request = request.header(name, value),
            }
        }
        if !body.is_empty() {
            request = request.header("content-type", kind);
        }
        for (name, value) in self.credentials(actor) {
            request = request.header(name, value);
        }
        let mut request = request.body(body.into()).expect("a story's request can be sent");
        if let Some(direction) = sign {
            let signed = signed(&direction, &request);
            request.headers_mut().extend(signed);
        }
        request
    }

    fn credentials(&self, actor: &str) -> Vec<(&'static str, String)> {
        let operator = format!("Bearer {}", self.host.operator_key());
        match actor {
            "nobody" => vec![],
            "operator" => vec![("authorization", operator)],
            "operator for the tenant" => {
                vec![("authorization", operator), ("backplane-tenant", self.sandbox.tenant.clone())]
            }
            "tenant" => vec![("authorization", format!("Bearer {}", self.sandbox.key))],
            key => vec![("authorization", format!("Bearer {}", self.masks.reveal(key)))],
        }
    }

    fn holds(&self, answer: &Answer, claim: &str) -> bool {
        let (pointer, value) = claim.split_once('=').expect("wait is pointer=value");
        let expected: Value = serde_json::from_str(value).expect("wait's value is JSON");
        answer.json().pointer(pointer) == Some(&expected)
    }

    fn show(&mut self, answer: &Answer) -> String {
        let kind = header(&answer.headers, "content-type").unwrap_or_default();
        let mut out = format!("< {} {kind}", answer.status.as_u16()).trim_end().to_owned() + "\n";
        for name in SHOWN {
            if let Some(value) = header(&answer.headers, name) {
                out.push_str(&format!("< {name}: {value}\n"));
            }
        }
        if !answer.body.is_empty() {
            let body = self.masks.cover(&String::from_utf8_lossy(&answer.body));
            body.lines().for_each(|line| out.push_str(&format!("< {line}\n")));
        }
        out
    }

    fn show_delivered(&mut self) -> String {
        let mut out = String::new();
        let mut delivered = self.sink.delivered();
        // What goes out at the same time arrives in any order.
        let number = |it: &Delivered, name| it.header(name).and_then(|it| it.parse::<u64>().ok());
        delivered.sort_by_key(|it| (number(it, "webhook-sequence"), number(it, "webhook-attempt")));
        for it in delivered {
            out.push_str(&format!("< {} {}\n", it.method, it.path));
            // Headers are in no order that anybody keeps.
            let mut headers = it.headers.clone();
            headers.sort();
            for (name, value) in &headers {
                let shown = name.starts_with("backplane-") || name.starts_with("webhook-");
                let shown = shown && !HIDDEN_SENT.contains(&name.as_str());
                if shown || name.ends_with("signature") || SHOWN_SENT.contains(&name.as_str()) {
                    let line = format!("< {name}: {value}\n");
                    out.push_str(&self.masks.cover(&line));
                }
            }
            let body = self.masks.cover(&String::from_utf8_lossy(&it.body));
            out.push_str(&format!("< {body}\n"));
        }
        out
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned())
}

/// The headers with which a provider would sign this request.
fn signed(direction: &str, request: &Request<Bytes>) -> HeaderMap {
    let words: Vec<_> = direction.split(' ').collect();
    let [recipe, secret, id, at, ref base @ ..] = words[..] else {
        panic!("sign: recipe secret id seconds")
    };
    let recipe = Recipe::named(recipe).unwrap_or_else(|| panic!("no recipe is called {recipe}"));
    let at = at.parse().expect("sign names seconds");
    let public_url = base.first().map(|it| (*it).to_owned());
    let recipe = Recipe { public_url, ..recipe };
    let signed = signature::sign_request(&recipe, secret, id, at, &Incoming::of(&recipe, request));
    let pair = |(name, value): (String, String)| {
        let name: HeaderName = name.parse().expect("a recipe names headers");
        (name, value.parse().expect("a signature fits a header"))
    };
    signed.expect("the secret fits the recipe").into_iter().map(pair).collect()
}
