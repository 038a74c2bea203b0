//! Chains of the tests' own authority, and what is wrong with others.

use super::*;

const NOW_SECONDS: i64 = 1_893_456_000;
const NAMES: [&str; 2] =
    ["messageverificationcerts.paypal.com", "messageverificationcerts.sandbox.paypal.com"];

fn pem(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/paypal/certificates");
    std::fs::read_to_string(format!("{folder}/{name}.pem")).unwrap()
}

fn trusted(chain: &str) -> Result<Vec<u8>, Distrust> {
    trusted_key(chain.as_bytes(), &NAMES, Some(&pem("root")), NOW_SECONDS)
}

#[test]
fn a_chain_is_followed_to_an_added_root() {
    let key = trusted(&pem("good")).unwrap();

    // SEQUENCE { SEQUENCE { rsaEncryption …
    assert_eq!(key[..2], [0x30, 0x82]);
    let chain = pem("good");
    let root = pem("root");
    let at = |seconds| trusted_key(chain.as_bytes(), &NAMES, Some(&root), seconds);
    assert_eq!(at(1_700_000_000), Err(Distrust::Expired), "it is not valid yet");
    assert_eq!(at(4_900_000_000), Err(Distrust::Expired));
    assert_eq!(at(-1), Err(Distrust::Expired));
}

#[test]
fn a_chain_that_leads_nowhere_is_not_trusted() {
    assert_eq!(trusted(&pem("unknown")), Err(Distrust::UnknownRoot));
    assert_eq!(trusted(&pem("short")), Err(Distrust::UnknownRoot), "what is between is missing");
    let chain = pem("good");
    let usual = trusted_key(chain.as_bytes(), &NAMES, None, NOW_SECONDS);
    assert_eq!(usual, Err(Distrust::UnknownRoot), "no browser knows our root");
}

#[test]
fn a_certificate_is_for_its_name_and_its_time() {
    assert_eq!(trusted(&pem("other")), Err(Distrust::WrongName));
    assert_eq!(trusted(&pem("expired")), Err(Distrust::Expired));
    let chain = pem("good");
    let root = pem("root");
    let named = |names: &[&str]| trusted_key(chain.as_bytes(), names, Some(&root), NOW_SECONDS);
    assert_eq!(named(&[]), Err(Distrust::WrongName));
    assert_eq!(named(&["sandbox.paypal.com"]), Err(Distrust::WrongName));
}

#[test]
fn a_certificate_that_was_changed_is_broken() {
    let chain = pem("good");
    let mut refused = 0;
    // A character of the base64 of the leaf, one after the other.
    for at in (100..900).step_by(20) {
        let mut bytes = chain.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        refused += u32::from(trusted(&String::from_utf8(bytes).unwrap()).is_err());
    }
    assert_eq!(refused, 40);
}

#[test]
fn what_is_no_chain_is_unreadable() {
    for text in ["", "x", "-----BEGIN CERTIFICATE-----", &pem("good").repeat(5)] {
        assert_eq!(trusted(text), Err(Distrust::Unreadable), "{text:.40}");
    }
    let good = pem("good");
    let rootless = trusted_key(good.as_bytes(), &NAMES, Some("no root"), NOW_SECONDS);
    assert_eq!(rootless, Err(Distrust::BadRoots));
    assert!(are_roots(&pem("root")) && !are_roots("") && !are_roots(&pem("root").repeat(9)));
}

#[test]
fn a_root_is_no_leaf() {
    // Who has a root's key can sign what he likes; but a root is nobody's name.
    assert_eq!(trusted(&pem("root")), Err(Distrust::Broken));
}

#[test]
fn what_amazon_publishes_is_followed_to_a_root_without_what_is_between() {
    let amazon = include_bytes!("../../../fixtures/sns/certificates/amazon.pem");
    let november_2026 = 1_793_491_200;
    let trusted = |name: &str, at| trusted_key(amazon, &[name], None, at).map(drop);

    assert_eq!(trusted("sns-signing.af-south-1.amazonaws.com", november_2026), Ok(()));
    assert_eq!(trusted("sns.af-south-1.amazonaws.com", november_2026), Ok(()));

    assert_eq!(trusted("sns.amazonaws.com", november_2026), Err(Distrust::WrongName));
    assert_eq!(trusted("sns.af-south-1.amazonaws.com", NOW_SECONDS), Err(Distrust::Expired));
    assert_eq!(certificates(BETWEEN).map(|it| it.len()), Some(4));
}
