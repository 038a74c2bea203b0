//! The signatures of Standard Webhooks 1.0: `v1` with the endpoint's secret, `v1a` with the
//! tenant's key. Pure.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use shared::signing::Seed;

use super::endpoint::SECRET_PREFIX;

/// The text of the `webhook-signature` header: one signature for each secret and each key, the
/// newest first, separated by spaces.
///
/// `secrets` are `whsec_` and base64; one that is not signs nothing. `keys` are the
/// tenant's.
pub fn sign(
    secrets: &[String],
    keys: &[Seed],
    id: &str,
    timestamp_seconds: i64,
    body: &[u8],
) -> String {
    let start = format!("{id}.{timestamp_seconds}.");
    let message = [start.as_bytes(), body].concat();
    let secrets = secrets.iter().filter_map(|it| {
        Some(format!("v1,{}", BASE64.encode(&hmac(&secret_bytes(it)?, &message))))
    });
    let keys = keys.iter().map(|it| {
        let signature = it.sign(&message);
        format!("v1a,{}", BASE64.encode(&signature))
    });
    secrets.chain(keys).collect::<Vec<_>>().join(" ")
}

/// What a secret's text stands for, if it is one.
pub fn secret_bytes(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.strip_prefix(SECRET_PREFIX)?.as_bytes()).ok()
}

/// HMAC-SHA256 (RFC 2104).
pub fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use shared::domain::Id;

    use super::*;

    #[test]
    fn the_sample_of_the_specification_is_signed_as_there() {
        // The test vector that the specification and its reference libraries share.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        let body = br#"{"test": 2432232314}"#;

        let signed = sign(&[secret], &[], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);

        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn both_kinds_stand_side_by_side_and_a_bad_secret_signs_nothing() {
        let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), "nonsense".to_owned()];
        let key = Seed { id: Id::trusted("wsk_1".to_owned()), bytes: [7; 32] };

        let signed = sign(&secrets, &[key], "evt_1", 0, b"{}");

        let kinds: Vec<_> = signed.split(' ').filter_map(|it| it.split(',').next()).collect();
        assert_eq!(kinds, ["v1", "v1a"]);
    }
}
