//! A tenant's own Ed25519 keys (RFC 8032): what they sign, anybody can check by the public half in
//! the tenant's key directory, which the webhooks function serves.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::json;

use crate::{
    domain::{Commit, Id, NewJob, Timestamp},
    ports::{PortError, Row, Tenant, Value},
};

/// The kind of address under which a tenant's public keys are found: its name is the tenant's id.
pub const ADDRESS: &str = "signing";
/// Shows that address in the directory.
pub const SHOW: &str = "webhooks.keys";
/// How many keys sign at a time.
pub const KEYS_MAX: usize = 3;
/// How many are listed, also of those that do not sign any more.
pub const LISTED_MAX: u32 = 100;
/// What the text of a public key starts with.
pub const PUBLIC_PREFIX: &str = "whpk_";

const LIST: &str = "
    select id, sealed, public, created_at_ms, until_ms from webhook_signing_keys
    where tenant = ?1 and (until_ms is null or until_ms > ?2) order by id desc limit ?3";
const INSERT: &str = "
    insert into webhook_signing_keys (tenant, id, sealed, public, created_at_ms)
    values (?1, ?2, ?3, ?4, ?5)";
const END: &str = "
    update webhook_signing_keys set until_ms = ?2 where tenant = ?1 and until_ms is null";

/// A key, with its seed sealed.
#[derive(Clone, Debug)]
pub struct Key {
    /// `wsk_…`
    pub id: Id,
    /// The sealed seed.
    pub sealed: String,
    /// The public half: `whpk_…`
    pub public: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops signing; never when absent.
    pub until: Option<Timestamp>,
}

/// What signs: the seed of a key.
#[derive(Clone)]
pub struct Seed {
    /// The key's id.
    pub id: Id,
    /// The seed.
    pub bytes: [u8; 32],
}

impl Seed {
    /// The signature of a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        SigningKey::from_bytes(&self.bytes).sign(message).to_bytes()
    }

    /// The public half, as it stands in the directory: `whpk_` and base64.
    pub fn public(&self) -> String {
        let key = SigningKey::from_bytes(&self.bytes).verifying_key();
        format!("{PUBLIC_PREFIX}{}", BASE64.encode(key.as_bytes()))
    }

    /// A detached signature of `payload`: a compact JWS without its middle (RFC 7515, appendix F;
    /// RFC 8037). Whoever checks it puts the base64url of the payload there.
    pub fn detached_jws(&self, payload: &[u8]) -> String {
        let header = json!({"alg": "EdDSA", "kid": self.id}).to_string();
        let header = BASE64URL_NOPAD.encode(header.as_bytes());
        let message = format!("{header}.{}", BASE64URL_NOPAD.encode(payload));
        format!("{header}..{}", BASE64URL_NOPAD.encode(&self.sign(message.as_bytes())))
    }
}

impl Key {
    /// A new one, and the commit that keeps it and shows where it is found.
    ///
    /// # Errors
    /// When there is no chance to make one from.
    pub async fn make(at: &impl Tenant) -> Result<(Self, Seed, Commit), PortError> {
        let mut bytes = [0; 32];
        at.random(&mut bytes)?;
        let seed = Seed { id: at.new_id("wsk")?, bytes };
        let it = Self {
            id: seed.id.clone(),
            sealed: at.seal(&bytes).await?,
            public: seed.public(),
            created_at: at.now(),
            until: None,
        };
        let params: [Value; 4] =
            [(&it.id).into(), (&it.sealed).into(), (&it.public).into(), it.created_at.into()];
        let tenant = &at.principal().tenant;
        let show = NewJob::new(SHOW, format!("{SHOW}:{tenant}"), json!({"id": tenant}));
        Ok((it, seed, Commit::new().write_one(INSERT, params).job(show.eager())))
    }

    async fn open(&self, at: &impl Tenant) -> Result<Seed, PortError> {
        let bytes = at.unseal(&self.sealed).await?.try_into();
        let bytes = bytes.map_err(|_| PortError::new("keys", "a seed is 32 bytes"))?;
        Ok(Seed { id: self.id.clone(), bytes })
    }
}

/// The keys that sign at this moment, the newest first; with `since`, also those that did then.
///
/// # Errors
/// When they cannot be read.
pub async fn list(at: &impl Tenant, since: Timestamp) -> Result<Vec<Key>, PortError> {
    let rows = at.query(LIST, [since.into(), LISTED_MAX.into()]).await?;
    rows.into_iter().map(read).collect()
}

fn read(row: Row) -> Result<Key, PortError> {
    let [id, sealed, public, created_at, until] = row.columns()?;
    Ok(Key {
        id: Id::trusted(id.text()?),
        sealed: sealed.text()?,
        public: public.text()?,
        created_at: created_at.timestamp()?,
        until: until.optional_timestamp()?,
    })
}

/// The seeds of the keys that sign at this moment, the newest first.
///
/// # Errors
/// When they cannot be read or opened.
pub async fn seeds(at: &impl Tenant) -> Result<Vec<Seed>, PortError> {
    let mut seeds = Vec::new();
    for key in list(at, at.now()).await?.into_iter().take(KEYS_MAX) {
        seeds.push(key.open(at).await?);
    }
    Ok(seeds)
}

/// The seed that signs from now on, and what makes it if there is none yet.
///
/// # Errors
/// When it cannot be read, opened or made.
pub async fn newest(at: &impl Tenant) -> Result<(Seed, Commit), PortError> {
    match list(at, at.now()).await?.first() {
        Some(key) => Ok((key.open(at).await?, Commit::new())),
        None => Key::make(at).await.map(|(_, seed, made)| (seed, made)),
    }
}

/// What makes the tenant's first key, unless it has one.
///
/// # Errors
/// When the keys cannot be read, or there is no chance to make one from.
pub async fn first(at: &impl Tenant) -> Result<Commit, PortError> {
    match list(at, at.now()).await?.is_empty() {
        true => Key::make(at).await.map(|it| it.2),
        false => Ok(Commit::new()),
    }
}

/// Gives all keys an end that have none.
pub fn end(until: Timestamp) -> Commit {
    Commit::new().write(END, [until.into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.4: the key and the payload; its header has no key id, so that only the
    /// signature of the same input is the same.
    #[test]
    fn a_signature_is_that_of_the_rfc() {
        let d = BASE64URL_NOPAD.decode(b"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let seed = Seed { id: Id::trusted("wsk_1".to_owned()), bytes: d.try_into().unwrap() };
        let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";

        let signature = BASE64URL_NOPAD.encode(&seed.sign(input.as_bytes()));

        assert_eq!(
            signature,
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
        let x = BASE64.decode(seed.public().strip_prefix(PUBLIC_PREFIX).unwrap().as_bytes());
        assert_eq!(
            BASE64URL_NOPAD.encode(&x.unwrap()),
            "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        );
        assert!(seed.detached_jws(b"x").contains(".."));
    }
}
