//! A push service on loopback, and the browsers that it serves: they read what was sent by RFC 8291
//! and check who sent it by RFC 8292.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
};

use aes_gcm::{
    Aes128Gcm, KeyInit,
    aead::{Aead, Nonce},
};
use data_encoding::BASE64URL_NOPAD;
use hkdf::Hkdf;
use p256::{
    PublicKey, SecretKey,
    ecdh::diffie_hellman,
    ecdsa::{Signature, VerifyingKey, signature::Verifier},
    elliptic_curve::sec1::ToSec1Point,
};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::sink::{Delivered, read};

/// The salt, the size of the record and the length of the key that come before the key.
const KEY_AT: usize = 21;
/// A public key of P-256.
const POINT_BYTES: usize = 65;

/// An answer that is given in place of 201, and what it says of when to come again.
#[derive(Clone, Copy, Debug)]
pub struct Answer(pub u16, pub Option<u32>);

/// The service. Its threads end with the process.
#[derive(Clone)]
pub struct FakePush {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    came: Vec<Delivered>,
    answers: BTreeMap<String, VecDeque<Answer>>,
}

/// A browser that is subscribed.
pub struct Browser {
    key: SecretKey,
    auth: [u8; 16],
    path: String,
    service: FakePush,
}

/// A message as a browser reads it.
#[derive(Debug)]
pub struct Read {
    /// What it says.
    pub json: Value,
    /// How it was sent.
    pub request: Delivered,
    /// The key that signed it.
    pub signed_by: String,
}

impl FakePush {
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds this")
    }

    /// A browser with this name; of the same name it is the same.
    ///
    /// # Panics
    /// Never: any such bytes are a key.
    pub fn browser(&self, name: u8) -> Browser {
        let key = SecretKey::from_slice(&[name + 1; 32]).expect("these bytes are a key");
        let service = self.clone();
        Browser { key, auth: [name; 16], path: format!("/p/{name}"), service }
    }

    /// What is answered to the next messages for a browser.
    pub fn answer(&self, browser: &Browser, answers: &[Answer]) {
        self.state().answers.entry(browser.path.clone()).or_default().extend(answers);
    }
}

impl Browser {
    /// What it gives when it is subscribed.
    pub fn subscription(&self) -> Value {
        let point = self.key.public_key().to_sec1_point(false);
        json!({
            "endpoint": format!("{}{}", self.service.url, self.path),
            "expirationTime": null,
            "keys": {
                "p256dh": BASE64URL_NOPAD.encode(point.as_bytes()),
                "auth": BASE64URL_NOPAD.encode(&self.auth),
            },
        })
    }

    /// The messages so far, also those that the service did not take.
    ///
    /// # Panics
    /// When one cannot be read, or nobody signed it.
    pub fn read(&self) -> Vec<Read> {
        let state = self.service.state();
        let own = state.came.iter().filter(|it| it.path == self.path).cloned();
        own.map(|request| Read {
            json: serde_json::from_slice(&self.decrypt(&request.body)).expect("it is JSON"),
            signed_by: self.signer(&request),
            request,
        })
        .collect()
    }

    /// By RFC 8291, 3.4 and RFC 8188, 2.
    fn decrypt(&self, message: &[u8]) -> Vec<u8> {
        let (head, sealed) = message.split_at(KEY_AT + POINT_BYTES);
        let (salt, point) = (&head[..16], &head[KEY_AT..]);
        let sender = PublicKey::from_sec1_bytes(point).expect("the key in the head is one");
        let shared = diffie_hellman(self.key.to_nonzero_scalar(), sender.as_affine());
        let own = self.key.public_key().to_sec1_point(false);
        let info = [b"WebPush: info\0", own.as_bytes(), point].concat();
        let secret: [u8; 32] = derive(&self.auth, shared.raw_secret_bytes(), &info);
        let key: [u8; 16] = derive(salt, &secret, b"Content-Encoding: aes128gcm\0");
        let nonce: [u8; 12] = derive(salt, &secret, b"Content-Encoding: nonce\0");
        let nonce = Nonce::<Aes128Gcm>::from(nonce);
        let cipher = Aes128Gcm::new(&key.into());
        let mut text = cipher.decrypt(&nonce, sealed).expect("only this browser reads it");
        assert_eq!(text.pop(), Some(2), "it is the last record");
        text
    }

    /// The key that signed the token, which is for this service and says whom to ask.
    fn signer(&self, request: &Delivered) -> String {
        let field = request.header("authorization").expect("there is a token");
        let (token, key) = field
            .strip_prefix("vapid t=")
            .and_then(|it| it.split_once(", k="))
            .expect("RFC 8292, 3");
        let (input, signature) = token.rsplit_once('.').expect("a token has three parts");
        let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).expect("it is base64url");
        let public = VerifyingKey::from_sec1_bytes(&decode(key)).expect("the key is one");
        let signature = Signature::from_slice(&decode(signature)).expect("the signature is one");
        public.verify(input.as_bytes(), &signature).expect("the signature is right");
        let claims = decode(input.split('.').nth(1).unwrap_or_default());
        let claims: Value = serde_json::from_slice(&claims).expect("the claims are JSON");
        assert_eq!(claims["aud"], json!(self.service.url), "it is for this service");
        assert!(claims["sub"].as_str().is_some_and(|it| it.starts_with("mailto:")), "{claims}");
        key.to_owned()
    }
}

fn derive<const N: usize>(salt: &[u8], secret: &[u8], info: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    Hkdf::<Sha256>::new(Some(salt), secret).expand(info, &mut out).expect("N is short");
    out
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let Ok(mut state) = state.lock() else { return };
        let answer = state.answers.get_mut(&request.path).and_then(VecDeque::pop_front);
        let Answer(status, wait) = answer.unwrap_or(Answer(201, None));
        let wait = wait.map(|it| format!("retry-after: {it}\r\n")).unwrap_or_default();
        state.came.push(request);
        drop(state);
        let head = format!("HTTP/1.1 {status} X\r\n{wait}content-length: 0\r\n\r\n");
        if (&mut &*stream).write_all(head.as_bytes()).is_err() {
            return;
        }
    }
}
