//! Signature Version 4 of AWS, for a `POST` without a query. Pure.
//!
//! The crates that do it bring the runtime of AWS's SDK; this is two hashes and five HMACs.

use chrono::DateTime;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use shared::domain::Timestamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Who signs.
pub struct Key<'a> {
    /// As `AKIA…`.
    pub id: &'a str,
    /// The secret access key.
    pub secret: &'a str,
}

/// What the signature is good for.
pub struct Scope<'a> {
    /// As `eu-central-1`.
    pub region: &'a str,
    /// As `ses`.
    pub service: &'a str,
}

/// The headers that sign a `POST` of this body to the path at the host.
pub fn post(
    key: &Key<'_>,
    scope: &Scope<'_>,
    host: &str,
    path: &str,
    content_type: &str,
    body: &[u8],
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let time = stamp(now);
    let mut headers = vec![("host", host), ("x-amz-date", &time)];
    if !content_type.is_empty() {
        headers.insert(0, ("content-type", content_type));
    }
    let authorization = sign("POST", key, scope, path, &headers, body, &time);
    vec![("x-amz-date", time), ("authorization", authorization)]
}

/// The moment as `20150830T123600Z`.
fn stamp(now: Timestamp) -> String {
    let time = DateTime::from_timestamp(now.seconds(), 0).unwrap_or_default();
    time.format("%Y%m%dT%H%M%SZ").to_string()
}

/// The field `Authorization`. `headers` are in the order of their names, which are in lower case.
fn sign(
    method: &str,
    key: &Key<'_>,
    scope: &Scope<'_>,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    time: &str,
) -> String {
    let names: Vec<_> = headers.iter().map(|it| it.0).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{}", hash(body));
    let date = time.get(..8).unwrap_or_default();
    let within = format!("{date}/{}/{}/aws4_request", scope.region, scope.service);
    let text = format!("{ALGORITHM}\n{time}\n{within}\n{}", hash(canonical.as_bytes()));
    let first = format!("AWS4{}", key.secret);
    let steps = [date, scope.region, scope.service, "aws4_request", &text];
    let signature = steps.iter().fold(first.into_bytes(), |it, step| mac(&it, step));
    let signature = HEXLOWER.encode(&signature);
    format!(
        "{ALGORITHM} Credential={}/{within}, SignedHeaders={names}, Signature={signature}",
        key.id
    )
}

fn hash(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key<'_> =
        Key { id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
    const SCOPE: Scope<'_> = Scope { region: "us-east-1", service: "service" };

    fn now() -> Timestamp {
        Timestamp::parse("2015-08-30T12:36:00Z").unwrap()
    }

    fn signature(authorization: &str) -> &str {
        authorization.rsplit_once('=').unwrap().1
    }

    /// AWS's test suite of Signature Version 4: get-vanilla.
    #[test]
    fn the_example_of_a_plain_get() {
        let time = stamp(now());
        let headers = [("host", "example.amazonaws.com"), ("x-amz-date", &*time)];

        let it = sign("GET", &KEY, &SCOPE, "/", &headers, b"", &time);

        assert_eq!(
            it,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }

    /// The same suite: post-vanilla, and post-x-www-form-urlencoded, which has a body and its type.
    #[test]
    fn the_examples_of_posts() {
        let host = "example.amazonaws.com";
        let vanilla = post(&KEY, &SCOPE, host, "/", "", b"", now());
        assert_eq!(
            signature(&vanilla[1].1),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
        let kind = "application/x-www-form-urlencoded";
        let form = post(&KEY, &SCOPE, host, "/", kind, b"Param1=value1", now());
        assert_eq!(
            signature(&form[1].1),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }
}
