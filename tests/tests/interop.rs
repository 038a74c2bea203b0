//! What others sign, our recipes believe; and nothing of it with one bit changed.
//!
//! `tests/interop/sign.mjs` signs, with the providers' own packages and with node's crypto. It
//! runs when `BACKPLANE_RUNTIMES` is set and the packages of `package.json` are there.

use std::{cell::Cell, collections::BTreeSet, process::Command, rc::Rc};

use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use serde_json::{Value, json};
use shared::{
    memory::Memory,
    ports::{FetchError, HttpResponse},
};
use tests::{host::Host, local::root};
use url::Url;
use webhooks::{
    recipe::{Algorithm, Part, Recipe},
    signature::{self, Incoming, Refusal, Verified},
};

/// A request that somebody else signed.
#[derive(Clone, Debug)]
struct Line {
    recipe: String,
    by: String,
    secret: String,
    at: i64,
    method: String,
    base: String,
    path: String,
    signed: Vec<(String, Vec<u8>)>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// Of the body, when only a part of it is signed.
    part: Option<String>,
    certificate: Option<String>,
    roots: Option<String>,
}

impl Line {
    fn parse(line: &str) -> Self {
        let line: Value = serde_json::from_str(line).expect("the script prints JSON");
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        let some = |name: &str| text(name).unwrap_or_else(|| panic!("{name} is missing"));
        let pairs = |name: &str| {
            let pairs = line[name].as_object().expect("headers are an object");
            let pair = |(name, value): (&String, &Value)| {
                (name.clone(), value.as_str().expect("headers are text").as_bytes().to_vec())
            };
            pairs.iter().map(pair).collect()
        };
        Self {
            recipe: some("recipe"),
            by: some("by"),
            secret: some("secret"),
            at: line["at"].as_i64().expect("a line says when it was signed"),
            method: some("method"),
            base: some("base"),
            path: some("path"),
            signed: pairs("signed"),
            headers: pairs("headers"),
            body: BASE64.decode(some("body").as_bytes()).expect("bodies are base64"),
            part: text("part"),
            certificate: text("certificate"),
            roots: text("roots"),
        }
    }

    fn recipe(&self) -> Recipe {
        let mut recipe = Recipe::named(&self.recipe).expect("the script names our recipes");
        if let Some(url) = &mut recipe.signature.key_url {
            url.roots.clone_from(&self.roots);
        }
        recipe
    }

    fn headers(&self) -> Option<HeaderMap> {
        let pairs = self.signed.iter().chain(&self.headers);
        let pair = |(name, value): &(String, Vec<u8>)| {
            let name = HeaderName::try_from(name.as_str()).ok()?;
            Some((name, HeaderValue::from_bytes(value).ok()?))
        };
        pairs.map(pair).collect()
    }

    /// What our recipe says of it. The certificate is at the address that `of` names.
    fn verify(&self, of: &Self) -> Result<Verified, Refusal> {
        let (recipe, secrets) = (self.recipe(), std::slice::from_ref(&self.secret));
        // What is no header never reaches us.
        let headers = self.headers().ok_or(Refusal::BadSignature)?;
        let incoming = self.incoming(&headers);
        let certificate = match (signature::key_url(&recipe, secrets, &incoming)?, &of.certificate)
        {
            (Some(url), Some(it)) if of.key_url() == url => Some(it.as_bytes()),
            _ => None,
        };
        let incoming = Incoming { certificate, ..incoming };
        signature::verify(&recipe, secrets, &incoming, self.at)
    }

    fn incoming<'a>(&'a self, headers: &'a HeaderMap) -> Incoming<'a> {
        Incoming {
            method: &self.method,
            base: Some(self.base.clone()),
            path_and_query: &self.path,
            headers,
            body: &self.body,
            certificate: None,
        }
    }

    /// Where its certificate is.
    fn key_url(&self) -> Url {
        let headers = self.headers().expect("what was signed is a header");
        let secrets = std::slice::from_ref(&self.secret);
        let url = signature::key_url(&self.recipe(), secrets, &self.incoming(&headers));
        url.ok().flatten().expect("what was signed names a certificate")
    }

    /// Which bytes of the body are signed.
    fn signed_body(&self) -> std::ops::Range<usize> {
        match self.part.as_deref() {
            None => 0..self.body.len(),
            Some("none") => 0..0,
            Some(part) => {
                let body = std::str::from_utf8(&self.body).expect("a body with parts is text");
                let start = body.find(part).expect("the part is in the body");
                start..start + part.len()
            }
        }
    }

    /// This line with one bit changed, once for each byte that must not change.
    fn spoiled(&self) -> Vec<(String, Self)> {
        let mut all = Vec::new();
        for (number, (name, value)) in self.signed.iter().enumerate() {
            for byte in 0..value.len() {
                let mut it = self.clone();
                it.signed[number].1[byte] ^= 1;
                all.push((format!("byte {byte} of {name}"), it));
            }
        }
        for byte in self.signed_body() {
            let mut it = self.clone();
            it.body[byte] ^= 1;
            all.push((format!("byte {byte} of the body"), it));
        }
        let signature = self.recipe().signature;
        if signature.signs(&Part::Url) {
            let fields: [fn(&mut Self) -> &mut String; 2] = [|it| &mut it.base, |it| &mut it.path];
            for field in fields {
                for byte in 0..field(&mut self.clone()).len() {
                    let mut it = self.clone();
                    *field(&mut it) = flipped(field(&mut it), byte);
                    all.push((format!("byte {byte} of the address"), it));
                }
            }
        }
        if signature.signs(&Part::Method) {
            for byte in 0..self.method.len() {
                let method = flipped(&self.method, byte);
                all.push((format!("byte {byte} of the method"), Self { method, ..self.clone() }));
            }
        }
        all
    }
}

fn flipped(text: &str, byte: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[byte] ^= 1;
    String::from_utf8(bytes).expect("ASCII stays ASCII")
}

/// What the script printed; nothing when it cannot run here.
fn lines() -> Vec<Line> {
    if Host::asked_for().is_empty() {
        println!("skipped: BACKPLANE_RUNTIMES names no runtime");
        return Vec::new();
    }
    if !root().join("node_modules/standardwebhooks").exists() {
        println!("skipped: npm ci has not been run");
        return Vec::new();
    }
    let script = Command::new("node").arg("tests/interop/sign.mjs").current_dir(root()).output();
    let script = script.expect("node can be run");
    assert!(script.status.success(), "{}", String::from_utf8_lossy(&script.stderr));
    String::from_utf8_lossy(&script.stdout).lines().map(Line::parse).collect()
}

#[test]
fn what_others_sign_is_believed_and_nothing_that_was_changed() {
    let lines = lines();
    for line in &lines {
        let verified = line.verify(line);
        assert!(verified.is_ok(), "{} by {}: {verified:?}", line.recipe, line.by);

        let spoiled = line.spoiled();
        for (what, it) in &spoiled {
            let answer = it.verify(line);
            assert!(answer.is_err(), "{} by {}: {what}: {answer:?}", line.recipe, line.by);
        }
        let other = Line { secret: other_secret(line), ..line.clone() };
        let answer = other.verify(line);
        assert!(answer.is_err(), "{} by {}: another secret: {answer:?}", line.recipe, line.by);
        println!("{}: by {}, {} changes refused", line.recipe, line.by, spoiled.len());
    }
    if !lines.is_empty() {
        let covered: BTreeSet<_> = lines.iter().map(|it| it.recipe.as_str()).collect();
        let all: BTreeSet<_> = Recipe::names().filter(|it| *it != "none").collect();
        assert_eq!(covered, all, "every recipe that verifies anything");
    }
}

fn other_secret(line: &Line) -> String {
    match line.recipe().signature.algorithm {
        // The public keys of RFC 8032's first test and of nobody.
        Algorithm::Ed25519 if line.recipe == "standard-webhooks-v1a" => {
            "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".to_owned()
        }
        Algorithm::Ed25519 => {
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".to_owned()
        }
        Algorithm::Basic => "user:another-password".to_owned(),
        _ => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
    }
}

/// A sandbox at the time of a line, with a source of its recipe.
fn source(host: &Host, line: &Line) -> (String, String) {
    let sandbox = host.sandbox();
    let now = shared::domain::Timestamp(line.at * 1000).to_string();
    let moved = host.ask("POST", "/v1/test-clock/advance", &sandbox.key, &json!({"to": now}));
    assert_eq!(moved.status, 200, "{moved:?}");
    let recipe = match line.roots {
        Some(_) => json!(line.recipe()),
        None => json!(line.recipe),
    };
    let new = json!({"name": line.by, "recipe": recipe, "secret": line.secret});
    let made = host.ask("POST", "/v1/webhooks/sources", &sandbox.key, &new);
    assert_eq!(made.status, 201, "{made:?}");
    (made.text("/path"), sandbox.key)
}

fn post(host: &Host, path: &str, line: &Line) -> (StatusCode, Value) {
    let mut request = Request::post(path);
    *request.headers_mut().expect("it was just begun") = line.headers().expect("they are headers");
    let answer = host.call(request.body(line.body.clone().into()).expect("it can be sent"));
    (answer.status, answer.json())
}

#[test]
fn what_others_sign_is_received_and_twice_is_a_duplicate() {
    for line in lines() {
        // A signature of our address is made when the source is there.
        if line.recipe().signature.signs(&Part::Url) {
            continue;
        }
        let certificate = line.certificate.clone();
        let host =
            Host::Memory(Box::new(Memory::with_network(move |_| certificates(&certificate))));
        let (path, _) = source(&host, &line);

        let (first, second) = (post(&host, &path, &line), post(&host, &path, &line));

        assert_eq!((first.0, &first.1["status"]), (StatusCode::OK, &json!("accepted")), "{line:?}");
        assert_eq!((second.0, &second.1["status"]), (StatusCode::OK, &json!("duplicate")));
    }
}

fn certificates(certificate: &Option<String>) -> Result<HttpResponse, FetchError> {
    let text = certificate.clone().ok_or(FetchError::Refused)?;
    let (status, headers) = (StatusCode::OK, HeaderMap::new());
    Ok(HttpResponse { status, headers, body: Bytes::from(text), cut: false })
}

#[test]
fn a_certificate_is_fetched_once_and_from_its_hosts_only() {
    let Some(line) = lines().into_iter().find(|it| it.certificate.is_some()) else { return };
    let usable = |days: i64| {
        let certificate = line.certificate.as_deref().unwrap_or("").as_bytes();
        let at = line.at + days * 24 * 60 * 60;
        signature::is_certificate(&line.recipe(), &line.key_url(), certificate, at)
    };
    assert_eq!([usable(-2), usable(0), usable(2)], [false, true, false], "while it is valid");
    let fetched = Rc::new(Cell::new(0));
    let (counter, certificate) = (fetched.clone(), line.certificate.clone());
    let host = Host::Memory(Box::new(Memory::with_network(move |request| {
        counter.set(counter.get() + 1);
        match request.url.path().ends_with("/CERT-1") {
            true => certificates(&certificate),
            false => Err(FetchError::Unreachable("nobody is there".to_owned())),
        }
    })));
    let (path, key) = source(&host, &line);
    let at = |url: &str| {
        let mut it = line.clone();
        let header = it.signed.iter_mut().find(|(name, _)| name == "paypal-cert-url");
        header.expect("PayPal names its certificate").1 = url.as_bytes().to_vec();
        post(&host, &path, &it).0
    };

    assert_eq!(at("https://evil.example.com/CERT-1"), StatusCode::BAD_REQUEST);
    assert_eq!(fetched.get(), 0, "it is not even asked for");
    let missing = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-2";
    assert_eq!(at(missing), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(fetched.get(), 1);

    assert_eq!(post(&host, &path, &line).0, StatusCode::OK);
    assert_eq!(post(&host, &path, &line).1["status"], json!("duplicate"));
    assert_eq!(fetched.get(), 2, "and kept");

    // The ninth that is not there is one too many in a minute.
    for _ in 0..9 {
        assert_eq!(at(missing), StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(fetched.get(), 10);
    let errors =
        host.ask("GET", &format!("/v1/webhooks/sources/{}/errors", &path[4..]), &key, &Value::Null);
    assert_eq!(errors.json().pointer("/items/0/code"), Some(&json!("key-address")));
}

#[test]
fn every_runtime_knows_the_address_that_was_called() {
    Host::on_each("addresses", |host| {
        let at = host.sandbox();
        let new = json!({"name": "calls", "recipe": "twilio", "secret": "secret-of-ours"});
        let made = host.ask("POST", "/v1/webhooks/sources", &at.key, &new);
        let path = format!("{}?a=b%20c", made.text("/path"));
        let recipe = Recipe::named("twilio").expect("it is built in");
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let mut headers: HeaderMap = [(http::header::CONTENT_TYPE, form)].into_iter().collect();
        let body = b"CallSid=CA1&To=%2B1800";
        let unsigned = Incoming {
            base: host.url().map(|it| it.trim_end_matches('/').to_owned()),
            path_and_query: &path,
            ..Incoming::post(&headers, body)
        };
        let signed = signature::sign_request(&recipe, "secret-of-ours", "", 0, &unsigned);
        for (name, value) in signed.expect("the secret fits") {
            let name: HeaderName = name.parse().expect("a recipe names headers");
            headers.insert(name, value.parse().expect("a signature fits a header"));
        }

        let mut request = Request::post(path.as_str());
        *request.headers_mut().expect("it was just begun") = headers.clone();
        let answer = host.call(request.body(Bytes::from_static(body)).expect("it can be sent"));

        assert_eq!(answer.status, 200, "{answer:?}");
    });
}
