//! The one way to write a JSON value, and the hashes over it.

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// What starts a leaf, so that a leaf can never pass for an inner node (RFC 9162, section 2.1.1).
const LEAF: [u8; 1] = [0];

/// The canonical form of `value` by RFC 8785.
///
/// # Errors
/// When `value` holds a number that JSON cannot carry, such as NaN.
pub fn canonical(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json_canonicalizer::to_string(value)
}

/// The Merkle leaf hash of `text` by RFC 9162: SHA-256 of a zero byte and the text, in hex.
pub fn leaf_hash(text: &str) -> String {
    HEXLOWER.encode(&Sha256::new().chain_update(LEAF).chain_update(text).finalize())
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn keys_are_sorted_by_utf16_and_numbers_are_shortest() {
        // The sample of RFC 8785, section 3.2.2, without its escapes.
        let value: Value = serde_json::from_str(
            r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"literals":[null,true,false]}"#,
        )
        .unwrap();

        assert_eq!(
            canonical(&value).unwrap(),
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}"#
        );
        let keys = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5});
        let written = canonical(&keys).unwrap();
        let order: Vec<_> = ["\\r", "1", "\u{20ac}", "\u{1f600}", "\u{fb33}"]
            .iter()
            .map(|it| written.find(it).unwrap())
            .collect();
        assert!(order.is_sorted(), "{written}");
    }

    #[test]
    fn the_empty_leaf_hashes_as_the_rfc_says() {
        // The hash of one zero byte: the leaf of an empty entry (RFC 9162, section 2.1).
        assert_eq!(
            leaf_hash(""),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
    }
}
