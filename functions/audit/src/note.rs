//! Checkpoints as signed notes: what the tree of a log was at a size, said by whoever keeps it, in
//! the formats of C2SP (`signed-note` and `tlog-checkpoint`). Pure.
//!
//! ```text
//! backplane.example/ten_…
//! 4711
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — backplane.example/ten_… Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//! ```

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::tree::Hash;

/// Ed25519 in the id of a key (C2SP signed-note, "Signature types").
const ED25519: u8 = 1;
/// What begins the line of a signature: an em dash and a blank.
const DASH: &str = "\u{2014} ";
/// The largest note that is read.
const NOTE_BYTES_MAX: usize = 64 * 1024;
/// How many signatures of one are looked at.
const SIGNATURES_MAX: usize = 100;

/// What a tree was at a size.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// Which log it is of.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why a note is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoteError {
    /// It is not in the format.
    #[error("it is no signed checkpoint")]
    Malformed,
    /// Nobody signed it by the key that is asked for.
    #[error("it is not signed by this key")]
    Unsigned,
    /// Somebody signed something else by it.
    #[error("its signature is of something else")]
    Forged,
    /// The text is no key.
    #[error("write a key as name+hash+key, as the log gives it")]
    NoKey,
}

/// A key by which notes are checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NoteKey {
    name: String,
    key: VerifyingKey,
}

impl NoteKey {
    /// The key with this name. A name has neither blanks nor plus signs.
    pub fn new(name: &str, key: VerifyingKey) -> Option<Self> {
        let fits = !name.is_empty() && !name.contains(|it: char| it.is_whitespace() || it == '+');
        fits.then(|| Self { name: name.to_owned(), key })
    }

    /// What tells keys of one name apart: the start of a hash over name and key.
    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes());
        let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
        [a, b, c, d]
    }

    /// The key as text: `name+hash+key`.
    pub fn text(&self) -> String {
        let key = [&[ED25519][..], self.key.as_bytes()].concat();
        let id = data_encoding::HEXLOWER.encode(&self.id());
        format!("{}+{id}+{}", self.name, BASE64.encode(&key))
    }

    /// Reads what [`NoteKey::text`] wrote.
    ///
    /// # Errors
    /// When it is no key, or its hash is that of another.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::NoKey);
        };
        let bytes = BASE64.decode(key.as_bytes()).map_err(|_| NoteError::NoKey)?;
        let key = match bytes.split_first() {
            Some((&ED25519, key)) => VerifyingKey::try_from(key).map_err(|_| NoteError::NoKey)?,
            _ => return Err(NoteError::NoKey),
        };
        let it = Self::new(name, key).ok_or(NoteError::NoKey)?;
        let same = data_encoding::HEXLOWER.encode(&it.id()) == id;
        if same { Ok(it) } else { Err(NoteError::NoKey) }
    }
}

impl Checkpoint {
    /// What is signed: three lines.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root))
    }

    /// The note, signed by each of these keys under this name. `None` when none has that name.
    pub fn signed(&self, name: &str, keys: &[SigningKey]) -> Option<String> {
        let text = self.text();
        let mut note = format!("{text}\n");
        for key in keys {
            let id = NoteKey::new(name, key.verifying_key())?.id();
            let signature = key.sign(text.as_bytes()).to_bytes();
            let signature = BASE64.encode(&[&id[..], &signature].concat());
            note.push_str(&format!("{DASH}{name} {signature}\n"));
        }
        Some(note)
    }

    /// Reads a note that this key has signed. Signatures by others are left alone, as are further
    /// lines of the text.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn read(note: &str, key: &NoteKey) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Malformed);
        }
        // The last empty line ends the text: it may have some of its own.
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let text = format!("{text}\n");
        let it = Self::parse(&text).ok_or(NoteError::Malformed)?;
        let mut found = false;
        for line in signatures.lines().take(SIGNATURES_MAX) {
            let line = line.strip_prefix(DASH).and_then(|it| it.rsplit_once(' '));
            let (name, signature) = line.ok_or(NoteError::Malformed)?;
            let bytes = BASE64.decode(signature.as_bytes()).map_err(|_| NoteError::Malformed)?;
            let Some((id, signature)) = bytes.split_first_chunk::<4>() else {
                return Err(NoteError::Malformed);
            };
            if name != key.name || *id != key.id() {
                continue;
            }
            let signature = Signature::from_slice(signature).map_err(|_| NoteError::Forged)?;
            let is_its = key.key.verify_strict(text.as_bytes(), &signature).is_ok();
            found = is_its.then_some(true).ok_or(NoteError::Forged)?;
        }
        if found { Ok(it) } else { Err(NoteError::Unsigned) }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let origin = lines.next().filter(|it| !it.is_empty())?.to_owned();
        let digits = lines.next()?;
        // One way to write a number: no sign, and no zero before it.
        let size: u64 = digits.parse().ok().filter(|it: &u64| it.to_string() == digits)?;
        let root = BASE64.decode(lines.next()?.as_bytes()).ok()?.try_into().ok()?;
        Some(Self { origin, size, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the note of the specification's own library, `golang.org/x/mod/sumdb/note`.
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "example.com/ten_1".to_owned(), size: 4711, root: [9; 32] }
    }

    #[test]
    fn a_key_of_another_library_reads_and_writes_the_same() {
        let key = NoteKey::parse(KEY).unwrap();

        assert_eq!(key.text(), KEY);
        assert_eq!(NoteKey::parse(&KEY.replace("c74f", "c74e")), Err(NoteError::NoKey));
    }

    #[test]
    fn a_note_reads_back_by_its_key_and_by_no_other() {
        let note = checkpoint().signed("example.com/ten_1", &[key()]).unwrap();
        let known = NoteKey::new("example.com/ten_1", key().verifying_key()).unwrap();
        let other = NoteKey::new("example.com/ten_2", key().verifying_key()).unwrap();

        assert_eq!(Checkpoint::read(&note, &known), Ok(checkpoint()));
        assert_eq!(Checkpoint::read(&note, &other), Err(NoteError::Unsigned));
        let parsed = NoteKey::parse(&known.text()).unwrap();
        assert_eq!(Checkpoint::read(&note, &parsed), Ok(checkpoint()));
    }

    #[test]
    fn whatever_is_changed_in_the_text_is_a_forgery() {
        let note = checkpoint().signed("example.com/ten_1", &[key()]).unwrap();
        let known = NoteKey::new("example.com/ten_1", key().verifying_key()).unwrap();

        for (from, to) in [("4711", "4712"), ("ten_1\n47", "ten_2\n47"), ("CQkJ", "CQkK")] {
            let bad = note.replacen(from, to, 1);
            assert_ne!(bad, note);
            assert_eq!(Checkpoint::read(&bad, &known), Err(NoteError::Forged), "{from}");
        }
        for bad in ["", "a\n1\n\n", "a\n01\nCQ==\n\n\u{2014} a b\n", &note.replace('\u{2014}', "-")]
        {
            assert_eq!(Checkpoint::read(bad, &known), Err(NoteError::Malformed), "{bad}");
        }
    }

    #[test]
    fn a_witness_may_sign_as_well() {
        let note = checkpoint().signed("example.com/ten_1", &[key()]).unwrap();
        let witness = SigningKey::from_bytes(&[8; 32]);
        let theirs =
            checkpoint().signed("witness.example", std::slice::from_ref(&witness)).unwrap();
        let both = format!("{note}{}\n", theirs.lines().last().unwrap());

        for (name, key) in [("example.com/ten_1", key()), ("witness.example", witness)] {
            let known = NoteKey::new(name, key.verifying_key()).unwrap();
            assert_eq!(Checkpoint::read(&both, &known), Ok(checkpoint()));
        }
    }
}
