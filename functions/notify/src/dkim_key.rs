//! The keys by which sending domains sign mail that we send ourselves (DKIM).
//!
//! A new key signs nothing until its owner says that its record is in the DNS. It then takes the
//! place of the one before it, whose record has to stay until no mail signed by it is on its way: it
//! is listed until it is deleted.

use data_encoding::BASE64;
use ed25519_dalek::SigningKey;
use rsa::{
    RsaPrivateKey,
    pkcs8::{DecodePrivateKey, EncodePublicKey},
    traits::PublicKeyParts,
};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Address, Draft, Id, Page, Timestamp},
    http::{Response, StatusCode, empty, etag, header, json as json_response, with_header},
    ports::{PortError, Tenant},
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    dkim::{PrivateKey, Signer},
    store,
};

/// The prefix of their ids.
pub const PREFIX: &str = "dkm";
/// How many keys a tenant has at most.
pub const KEYS_MAX: u32 = 40;
/// Fewest and most bits of a key of RSA: what RFC 8301 asks for, and what verifiers are sure to take.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// The longest key that is read, in bytes of PEM: one of 4096 bits has some 3,300.
const PEM_BYTES_MAX: usize = 8 * 1024;
/// The longest selector: one label of a name (RFC 1035, 2.3.4).
const SELECTOR_BYTES_MAX: usize = 63;
/// How much of a key's id is in its selector when none is asked for.
const SELECTOR_CHARS: usize = 10;

/// A key by which a domain signs.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct DkimKey {
    /// `dkm_…`
    #[schema(value_type = String)]
    pub id: String,
    /// The domain of the senders whose mail it signs.
    pub domain: String,
    /// Under which name its record is.
    pub selector: String,
    /// How it signs.
    pub algorithm: Algorithm,
    /// Whether it signs. Of a domain and an algorithm one does.
    pub active: bool,
    /// What has to be in the DNS.
    pub record: DnsRecord,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts its changes; its ETag.
    #[serde(skip)]
    pub version: i64,
    /// The private half, sealed.
    #[serde(skip)]
    pub sealed: String,
}

/// How a key signs. With one of each, a mail has two signatures.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DkimAlgorithm)]
pub enum Algorithm {
    /// `ed25519-sha256` (RFC 8463). It is made here. Not everybody reads it yet.
    Ed25519,
    /// `rsa-sha256` (RFC 6376). It is given.
    Rsa,
}

/// A record of the DNS.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct DnsRecord {
    /// Its whole name.
    #[schema(example = "s1._domainkey.example.com")]
    pub name: String,
    /// `TXT`
    #[serde(rename = "type")]
    pub kind: String,
    /// What it says. Where a text may have 255 bytes, as in a zone's file, it is several of them.
    #[schema(example = "v=DKIM1; k=ed25519; p=…")]
    pub value: String,
}

/// What a key is made from.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDkimKey {
    /// The domain of the senders whose mail it signs.
    #[schema(example = "example.com")]
    pub domain: String,
    /// How it signs.
    pub algorithm: Algorithm,
    /// One of its own when left out.
    #[serde(default)]
    pub selector: Option<String>,
    /// The key of RSA, as PKCS #8 in PEM, 2048 to 4096 bits. It is shown never again.
    #[serde(default)]
    pub private_key: Option<String>,
}

/// What of a key is changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DkimKeyChange {
    /// Whether it signs: its record is in the DNS. The one that did so before no longer does.
    pub active: bool,
}

impl Algorithm {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
        }
    }

    fn read(self, bytes: &[u8]) -> Option<PrivateKey> {
        match self {
            Self::Ed25519 => {
                let key = SigningKey::from_bytes(bytes.try_into().ok()?);
                Some(PrivateKey::Ed25519(Box::new(key)))
            }
            Self::Rsa => {
                let key = RsaPrivateKey::from_pkcs8_der(bytes).ok()?;
                Some(PrivateKey::Rsa(Box::new(key)))
            }
        }
    }
}

impl DkimKey {
    /// What signs with it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn signer(&self, at: &impl Tenant) -> Result<Signer, PortError> {
        let bytes = at.unseal(&self.sealed).await?;
        let broken = || PortError::new("notify", "a key of DKIM is none");
        let key = self.algorithm.read(&bytes).ok_or_else(broken)?;
        Ok(Signer { domain: self.domain.clone(), selector: self.selector.clone(), key })
    }
}

/// Those that sign for a sender, in a fixed order.
///
/// # Errors
/// When they cannot be read or opened.
pub async fn signers(at: &impl Tenant, from: &Address) -> Result<Vec<Signer>, PortError> {
    let mut all = vec![];
    for key in store::list_dkim_keys(at).await? {
        if key.active && key.domain == from.domain() {
            all.push(key.signer(at).await?);
        }
    }
    Ok(all)
}

/// A private key as it is sealed, and the public half as a record has it.
struct Made {
    private: Vec<u8>,
    public: Vec<u8>,
}

fn made(at: &impl Tenant, new: &NewDkimKey) -> Result<Made, Problem> {
    match (new.algorithm, &new.private_key) {
        (Algorithm::Ed25519, None) => {
            let mut seed = [0; 32];
            at.random(&mut seed)?;
            let public = SigningKey::from_bytes(&seed).verifying_key().as_bytes().to_vec();
            Ok(Made { private: seed.to_vec(), public })
        }
        (Algorithm::Ed25519, Some(_)) => {
            Err(Problem::unfitting("private_key", "left out: the key is made here"))
        }
        (Algorithm::Rsa, Some(pem)) if pem.len() <= PEM_BYTES_MAX => given(pem).ok_or_else(no_key),
        (Algorithm::Rsa, _) => Err(no_key()),
    }
}

fn no_key() -> Problem {
    let why = "a key of RSA as PKCS #8 in PEM, 2048 to 4096 bits: openssl genpkey -algorithm RSA \
               -pkeyopt rsa_keygen_bits:2048";
    Problem::unfitting("private_key", why)
}

/// A key of RSA that was given, if it is one, and a good one.
fn given(pem: &str) -> Option<Made> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    let private = der.secret_pkcs8_der().to_vec();
    let key = RsaPrivateKey::from_pkcs8_der(&private).ok()?;
    key.validate().ok()?;
    let bits = key.size() * 8;
    let public = key.to_public_key().to_public_key_der().ok()?.as_bytes().to_vec();
    RSA_BITS.contains(&bits).then_some(Made { private, public })
}

fn is_selector(text: &str) -> bool {
    let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    (1..=SELECTOR_BYTES_MAX).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Makes one, which does not sign yet.
pub async fn create(at: &impl Tenant, new: NewDkimKey) -> Result<Response, Problem> {
    let address = Address::parse(&format!("x@{}", new.domain));
    let address = address.map_err(|_| Problem::unfitting("domain", "such as example.com"))?;
    let id = at.new_id(PREFIX)?.to_string();
    // The end of an id is chance.
    let tail = id.get(id.len().saturating_sub(SELECTOR_CHARS)..).unwrap_or(&id);
    let made = made(at, &new)?;
    let selector = new.selector.clone().unwrap_or_else(|| tail.to_ascii_lowercase());
    if !is_selector(&selector) {
        let why = format!("1 to {SELECTOR_BYTES_MAX} of a-z 0-9 -, with no - at its ends");
        return Err(Problem::unfitting("selector", why));
    }
    let (domain, word) = (address.domain().to_owned(), new.algorithm.word());
    let record = DnsRecord {
        name: format!("{selector}._domainkey.{domain}"),
        kind: "TXT".to_owned(),
        value: format!("v=DKIM1; k={word}; p={}", BASE64.encode(&made.public)),
    };
    let it = DkimKey {
        id,
        domain,
        selector,
        algorithm: new.algorithm,
        active: false,
        record,
        created_at: at.now(),
        version: 1,
        sealed: at.seal(&made.private).await?,
    };
    let all = store::list_dkim_keys(at).await?;
    if all.len() >= KEYS_MAX as usize {
        return Err(full());
    }
    if all.iter().any(|other| (&other.domain, &other.selector) == (&it.domain, &it.selector)) {
        let why = "another key of the domain has it: choose another";
        return Err(Problem::unfitting("selector", why));
    }
    let entry = Draft::new("dkim_key.created", &Id::trusted(it.id.clone()))
        .with(json!({"domain": it.domain, "selector": it.selector, "algorithm": it.algorithm}));
    let commit = store::insert_dkim_key(&it).entry(entry);
    at.answer(commit, answer(StatusCode::CREATED, &it), full).await
}

fn full() -> Problem {
    Problem::full_list(KEYS_MAX, "keys", "delete one that is not used")
}

/// Lists all of them, by domain, the latest first.
pub async fn list(at: &impl Tenant) -> Result<Response, Problem> {
    let items = store::list_dkim_keys(at).await?;
    Ok(json_response(StatusCode::OK, &Page { items, next: None }))
}

async fn find(at: &impl Tenant, call: &Call) -> Result<DkimKey, Problem> {
    let id = call.id(PREFIX)?;
    let found = store::find_dkim_key(at, id.as_str()).await?.ok_or_else(Problem::not_found)?;
    match call.if_match()?.is_some_and(|it| it != found.version) {
        true => Err(Problem::changed_meanwhile()),
        false => Ok(found),
    }
}

fn answer(status: StatusCode, it: &DkimKey) -> Response {
    with_header(json_response(status, it), header::ETAG, &etag(it.version))
}

/// Reads one.
pub async fn get(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, &find(at, call).await?))
}

/// Has one sign, or no longer.
pub async fn change(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let DkimKeyChange { active } = call.json()?;
    let before = find(at, call).await?;
    let it = DkimKey { active, version: before.version + 1, ..before };
    let entry = Draft::new("dkim_key.changed", &Id::trusted(it.id.clone()))
        .with(json!({"domain": it.domain, "selector": it.selector, "active": active}));
    let commit = store::update_dkim_key(&it).entry(entry);
    at.answer(commit, answer(StatusCode::OK, &it), Problem::changed_meanwhile).await
}

/// Deletes one. Its record may go when no mail signed by it is on its way.
pub async fn delete(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let it = find(at, call).await?;
    let entry = Draft::new("dkim_key.deleted", &Id::trusted(it.id.clone()))
        .with(json!({"domain": it.domain, "selector": it.selector}));
    let commit = store::delete_dkim_key(&it).entry(entry);
    at.answer(commit, empty(StatusCode::NO_CONTENT), Problem::changed_meanwhile).await
}
