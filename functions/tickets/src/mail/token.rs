//! Reply tokens: what an answer carries so that it is known where it belongs, whatever a program
//! did to its header. It is `t<number>.<mac>`, and stands in the address that answers go to
//! (`support+t12.…@example.com`, RFC 5233), in the Message-ID, and in a line of the text.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How long a secret of a mailbox is, in bytes.
pub const SECRET_BYTES: usize = 32;
/// How much of a MAC is written: 80 bits, sixteen letters. Who guesses has to send a mail each time.
const MAC_BYTES: usize = 10;
/// The letters of a MAC.
const MAC_LETTERS: usize = 16;
/// The longest local part of an address, RFC 5321, section 4.5.3.1.1.
const LOCAL_BYTES_MAX: usize = 64;
/// What is signed beside the number, so that nothing else that is signed is a token.
const PURPOSE: &[u8] = b"backplane ticket reply 1\0";
/// How many tokens are looked for in a text.
const TOKENS_MAX: usize = 20;

/// The secret by which a mailbox signs.
#[derive(Clone)]
pub struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// The secret of these bytes, which are to be random.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The token of the ticket with this number in the mailbox with this id.
    pub fn token(&self, mailbox: &str, number: i64) -> String {
        format!("t{number}.{}", lower(&BASE32_NOPAD.encode(&self.mac(mailbox, number))))
    }

    /// The number of the ticket whose token this is, or `None` when we did not make it.
    pub fn read(&self, mailbox: &str, token: &str) -> Option<i64> {
        let (number, mac) = token.strip_prefix(['t', 'T'])?.split_once('.')?;
        if number.is_empty() || number.len() > 15 || mac.len() != MAC_LETTERS {
            return None;
        }
        let is_number = number.bytes().all(|it| it.is_ascii_digit()) && !number.starts_with('0');
        let number = is_number.then(|| number.parse::<i64>().ok())??;
        let mac = BASE32_NOPAD.decode(mac.to_ascii_uppercase().as_bytes()).ok()?;
        bool::from(mac.ct_eq(&self.mac(mailbox, number))).then_some(number)
    }

    fn mac(&self, mailbox: &str, number: i64) -> [u8; MAC_BYTES] {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; MAC_BYTES] };
        for part in [PURPOSE, mailbox.as_bytes(), b"\0", number.to_string().as_bytes()] {
            mac.update(part);
        }
        let mut out = [0; MAC_BYTES];
        for (to, from) in out.iter_mut().zip(mac.finalize().into_bytes()) {
            *to = from;
        }
        out
    }
}

fn lower(text: &str) -> String {
    text.to_ascii_lowercase()
}

/// The address that an answer goes to. `None` when the local part would be longer than mail allows:
/// then the Message-ID alone has the token.
pub fn address(mailbox: &str, token: &str) -> Option<String> {
    let (local, domain) = mailbox.rsplit_once('@')?;
    let local = format!("{local}+{token}");
    (local.len() <= LOCAL_BYTES_MAX).then(|| format!("{local}@{domain}"))
}

/// The address without its extension: what a mailbox is found by.
pub fn without_extension(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let base = local.split_once('+').map_or(local, |it| it.0);
    if base.is_empty() { address.to_owned() } else { format!("{base}@{domain}") }
}

/// The token in an address, if it is one.
pub fn in_address(address: &str) -> Option<&str> {
    let (local, _) = address.rsplit_once('@')?;
    local.split_once('+').map(|it| it.1).filter(|it| is_token(it))
}

/// The Message-ID of a mail of ours: the token, and what tells it apart from others of the ticket.
pub fn message_id(token: &str, message: &str, domain: &str) -> String {
    format!("{token}.{message}@{domain}")
}

/// The token in a Message-ID, if it has one.
pub fn in_message_id(id: &str) -> Option<&str> {
    let (number, rest) = id.split_once('.')?;
    let mac = rest.split(['.', '@']).next()?;
    let token = id.get(..number.len() + 1 + mac.len())?;
    is_token(token).then_some(token)
}

/// The line above which an answer is written, in the first mail of ours that somebody quotes.
pub fn marker(token: &str) -> String {
    format!("~~ Answer above this line [{token}] ~~")
}

/// Whether a line is such a marker, in whatever language its words are.
pub fn is_marker(line: &str) -> bool {
    let line = line.trim_matches(|it: char| it.is_whitespace() || it == '>' || it == '*');
    let inside = line.strip_prefix("~~ ").and_then(|it| it.strip_suffix(" ~~"));
    inside.is_some_and(|it| in_text(it).next().is_some())
}

/// The tokens in a text: `[t12.…]`.
pub fn in_text(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.split('[').skip(1).filter_map(|it| it.split_once(']').map(|it| it.0));
    inside.filter(|it| is_token(it)).take(TOKENS_MAX)
}

/// Whether it looks like a token.
fn is_token(text: &str) -> bool {
    text.strip_prefix(['t', 'T']).and_then(|it| it.split_once('.')).is_some_and(|(number, mac)| {
        !number.is_empty()
            && number.bytes().all(|it| it.is_ascii_digit())
            && mac.len() == MAC_LETTERS
            && mac.bytes().all(|it| it.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret() -> Secret {
        Secret::new(&[7; SECRET_BYTES]).unwrap()
    }

    #[test]
    fn a_token_leads_back_from_wherever_it_stands() {
        let token = secret().token("tmb_1", 12);
        assert_eq!(token.len(), 20);

        let address = address("support@example.com", &token).unwrap();
        assert_eq!(in_address(&address), Some(&*token));
        assert_eq!(without_extension(&address), "support@example.com");
        let id = message_id(&token, "tmg_2", "example.com");
        assert_eq!(in_message_id(&id), Some(&*token));
        let line = format!("> {}", marker(&token));
        assert!(is_marker(&line));
        assert_eq!(in_text(&line).collect::<Vec<_>>(), [&*token]);
        assert_eq!(secret().read("tmb_1", &token), Some(12));
    }

    #[test]
    fn servers_may_write_it_in_capitals() {
        let token = secret().token("tmb_1", 9_007_199_254_740);

        assert_eq!(secret().read("tmb_1", &token.to_uppercase()), Some(9_007_199_254_740));
    }

    #[test]
    fn no_other_token_is_believed() {
        let token = secret().token("tmb_1", 12);
        let other = Secret::new(&[8; SECRET_BYTES]).unwrap();

        assert_eq!(other.read("tmb_1", &token), None);
        assert_eq!(secret().read("tmb_2", &token), None);
        for wrong in [
            token.replace("t12", "t13"),
            token.replace("t12", "t012"),
            String::new(),
            format!("{token}a"),
            token.replace('.', ""),
            "t.".to_owned(),
            "t-1.aaaaaaaaaaaaaaaa".to_owned(),
        ] {
            assert_eq!(secret().read("tmb_1", &wrong), None, "{wrong}");
        }
        for at in 4..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(secret().read("tmb_1", &changed), None, "{changed}");
        }
    }

    #[test]
    fn a_local_part_has_its_limit() {
        let token = secret().token("tmb_1", 1_000_000);
        let local = "a".repeat(64 - 1 - token.len());

        assert_eq!(address(&format!("{local}@x"), &token).unwrap().len(), 66);
        assert_eq!(address(&format!("a{local}@x"), &token), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[\\[\\]t0-9a-z.+@~ é]{0,60}") {
            in_address(&text);
            in_message_id(&text);
            is_marker(&text);
            prop_assert_eq!(secret().read("m", &text), None);
        }
    }
}
