//! The test vector of RFC 8463, and what a mail of ours is signed with.

use super::*;

const MAIL: &str = "From: Joe SixPack <joe@football.example.com>\r
To: Suzie Q <suzie@shopping.example.net>\r
Subject: Is dinner ready?\r
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r
Message-ID: <20030712040037.46341.5F8J@football.example.com>\r
\r
Hi.\r
\r
We lost the game.  Are you hungry yet?\r
\r
Joe.\r
";

struct NoChance;

impl Chance for NoChance {
    fn fill(&self, _: &mut [u8]) -> Result<(), PortError> {
        Err(PortError::new("test", "Ed25519 needs none"))
    }
}

fn brisbane() -> PrivateKey {
    let seed = BASE64.decode(b"nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap();
    let key = ed25519_dalek::SigningKey::from_bytes(&seed.try_into().unwrap());
    let public = BASE64.encode(key.verifying_key().as_bytes());
    assert_eq!(public, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    PrivateKey::Ed25519(Box::new(key))
}

/// RFC 8463, appendix A.
#[test]
fn the_test_vector_of_the_standard() {
    let own = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r
 subject : date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=";
    let names = ["from", "to", "subject", "date", "message-id", "from", "subject", "date"];
    let (head, text) = MAIL.split_once("\r\n\r\n").unwrap();
    let head = format!("{head}\r\n");

    let body_hash = BASE64.encode(&Sha256::digest(body(text.as_bytes())));
    let hash = head_hash(&fields(head.as_bytes()), &names, own);
    let signature = brisbane().sign(&hash, &NoChance).unwrap();

    assert_eq!(body_hash, "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
    assert_eq!(
        BASE64.encode(&signature),
        "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
    );
}

#[test]
fn the_same_mail_is_signed_alike_and_names_what_it_signs() {
    let signer = || Signer {
        domain: "football.example.com".to_owned(),
        selector: "brisbane".to_owned(),
        key: brisbane(),
    };
    let at = Timestamp::parse("2018-06-10T13:38:29Z").unwrap();

    let out = signed(MAIL.as_bytes(), &[signer(), signer()], at, &NoChance).unwrap();

    assert_eq!(out, signed(MAIL.as_bytes(), &[signer(), signer()], at, &NoChance).unwrap());
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with(MAIL));
    let unfolded = text.replace("\r\n ", "").replace(' ', "");
    assert_eq!(unfolded.matches("DKIM-Signature:").count(), 2);
    assert!(
        unfolded.contains("h=From:From:To:To:Subject:Subject:Date:Date:Message-ID;"),
        "{unfolded}"
    );
    assert!(unfolded.contains("s=brisbane;t=1528637909;"), "{unfolded}");
    assert!(text.lines().all(|it| it.len() <= 80), "{text}");
}

/// Not chance at all, which the result does not tell.
struct Counted(std::cell::Cell<u8>);

impl Chance for Counted {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), PortError> {
        for byte in bytes {
            self.0.set(self.0.get().wrapping_mul(5).wrapping_add(17));
            *byte = self.0.get();
        }
        Ok(())
    }
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/notify/dkim");

fn rsa() -> (PrivateKey, String) {
    use ::rsa::pkcs8::{DecodePrivateKey, EncodePublicKey};
    use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};

    let pem = PrivatePkcs8KeyDer::from_pem_file(format!("{FOLDER}/rsa.key")).unwrap();
    let key = RsaPrivateKey::from_pkcs8_der(pem.secret_pkcs8_der()).unwrap();
    let public = key.to_public_key().to_public_key_der().unwrap();
    (PrivateKey::Rsa(Box::new(key)), BASE64.encode(public.as_bytes()))
}

/// The mails that `check_dkim.py` has read by another library. `UPDATE=1` writes them anew.
#[test]
fn mails_are_signed_as_those_that_others_have_read() {
    let Ok(seed) = <[u8; 32]>::try_from(&[7; 32][..]) else { unreachable!() };
    let ed25519 = ed25519_dalek::SigningKey::from_bytes(&seed);
    let public = BASE64.encode(ed25519.verifying_key().as_bytes());
    let (rsa, rsa_public) = rsa();
    let signer = |selector: &str, key| Signer {
        domain: "example.com".to_owned(),
        selector: selector.to_owned(),
        key,
    };
    let signers = [signer("e1", PrivateKey::Ed25519(Box::new(ed25519))), signer("r1", rsa)];
    let records = serde_json::json!({
        "e1._domainkey.example.com": format!("v=DKIM1; k=ed25519; p={public}"),
        "r1._domainkey.example.com": format!("v=DKIM1; k=rsa; p={rsa_public}"),
    });
    holds("records.json", format!("{records:#}\n").as_bytes());
    for (name, mail) in [("words.eml", mail(false)), ("files.eml", mail(true))] {
        let lines = crate::smtp::content::lines(&mail);
        let at = Timestamp::parse("2024-01-31T12:00:00Z").unwrap();
        let signed = signed(&lines, &signers, at, &Counted(1.into())).unwrap();
        let again = super::signed(&lines, &signers, at, &Counted(99.into())).unwrap();
        assert_eq!(signed, again, "each try is the same mail");
        holds(name, &signed);
    }
}

fn holds(name: &str, bytes: &[u8]) {
    let path = format!("{FOLDER}/{name}");
    #[expect(clippy::disallowed_methods, reason = "a test has an environment")]
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&path, bytes).unwrap();
    }
    assert!(std::fs::read(&path).unwrap() == bytes, "{path} is another: UPDATE=1");
}

fn mail(with_file: bool) -> Vec<u8> {
    use shared::domain::{Address, Id};

    use crate::{files::File, mail::Mail, mail::Mailbox, template::Rendered};

    let mailbox = |name: &str, address: &str| Mailbox {
        name: Some(name.to_owned()),
        address: Address::parse(address).unwrap(),
    };
    let words = Rendered {
        language: Some("de".into()),
        subject: "Ihre Rechnung für März: eine Zeile, die so lang ist, dass sie gefaltet wird"
            .into(),
        text: "Guten Tag  Ada,\n\n.hier ist the invoice.\t\n\n\n".into(),
        html: "<p>Guten Tag  Ada, hier ist the invoice. </p>\n".into(),
    };
    let file = File {
        name: "Rechnung März.csv".to_owned(),
        kind: "text/csv".to_owned(),
        bytes: b"invoice;1\n\n\n".to_vec(),
    };
    let files = if with_file { vec![file] } else { vec![] };
    Mail {
        id: &Id::trusted("dlv_1".to_owned()),
        from: &mailbox("Müller & Söhne, Inc.", "news@example.com"),
        to: &mailbox("Ada", "ada@example.org"),
        reply_to: Some(&Address::parse("help@example.com").unwrap()),
        at: Timestamp::parse("2024-01-31T12:00:00Z").unwrap(),
        words: &words,
        unsubscribe: Some(&"https://example.com/unsubscribe?token=a_b".parse().unwrap()),
        thread: None,
        files: &files,
    }
    .to_mime()
}
