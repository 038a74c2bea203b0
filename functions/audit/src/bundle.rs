//! Bundles: a part of a log that carries its proofs, so that whoever has it and the log's key needs
//! nobody else to check it. Pure.
//!
//! A bundle is lines of JSON (RFC 8259, one value a line). The first says which entries it has and
//! what proves them; each of the others is an entry, as its sequence and its canonical text
//! (RFC 8785).
//!
//! What is checked is *integrity*: that these are the entries of the checkpoint, each as it was
//! written, none left out between the first and the last. Whether the log has everything that
//! happened is another question: a bundle that begins late or ends early says so.

#[cfg(test)]
mod tests;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    note::{Checkpoint, NoteError, NoteKey},
    tree::{self, Edge, Hash},
};

/// The longest line, in bytes.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The first line of a bundle.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Which log it is of.
    pub log: String,
    /// The first entry is the one after this.
    pub after: u64,
    /// The last entry.
    pub to: u64,
    /// The hashes of the whole subtrees of the entries before the first, in hex.
    pub edge: Vec<String>,
    /// What proves that the checkpoint's tree goes on from the last entry, in hex.
    pub consistency: Vec<String>,
    /// The checkpoint, as a signed note.
    pub checkpoint: String,
}

/// A line after the first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The entry's sequence.
    pub sequence: u64,
    /// Its canonical text.
    pub entry: String,
}

/// What a bundle is found to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified {
    /// Which log it is of.
    pub log: String,
    /// The first entry is the one after this.
    pub after: u64,
    /// The last entry.
    pub to: u64,
    /// What the whole log was said to be.
    pub checkpoint: Checkpoint,
}

/// Why a bundle is not taken, in words for whoever checks it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// A line is none.
    #[error("line {0} is no line of a bundle: {1}")]
    Malformed(u64, String),
    /// The checkpoint is not by the key.
    #[error("the checkpoint: {0}")]
    Note(#[from] NoteError),
    /// The checkpoint is of another log.
    #[error("the checkpoint is of the log {0}")]
    OtherLog(String),
    /// Entries do not follow each other.
    #[error("after entry {0} comes {1}: something was left out, added or put elsewhere")]
    Gap(u64, u64),
    /// An entry's text is not canonical, so it was written by somebody else.
    #[error("entry {0} is not as the log writes entries")]
    NotCanonical(u64),
    /// It ends before its last entry.
    #[error("it ends with entry {0}, and says that it goes to {1}: the rest was cut off")]
    Cut(u64, u64),
    /// The entries are not those of the checkpoint.
    #[error("the entries are not those of the checkpoint: at least one was changed")]
    Changed,
    /// An earlier checkpoint is of entries that this log does not have.
    #[error("the log of {0} entries that was signed before is not the beginning of this one")]
    Forked(u64),
    /// An earlier checkpoint cannot be compared with this part of the log.
    #[error("a checkpoint of {0} entries cannot be compared with the entries after {1}")]
    Incomparable(u64, u64),
}

/// Checks a bundle line by line, in little memory.
pub struct Check {
    head: Head,
    checkpoint: Checkpoint,
    consistency: Vec<Hash>,
    edge: Edge,
    /// Checkpoints from before, by size, the smallest last.
    earlier: Vec<Checkpoint>,
}

/// The leaf hash of a canonical text (RFC 9162, section 2.1.1).
pub fn leaf(text: &str) -> Hash {
    Sha256::new().chain_update([0]).chain_update(text).finalize().into()
}

fn hashes(all: &[String]) -> Result<Vec<Hash>, Refused> {
    let one = |it: &String| {
        let bytes = HEXLOWER.decode(it.as_bytes()).ok();
        let hash = bytes.and_then(|it| it.try_into().ok());
        hash.ok_or_else(|| Refused::Malformed(1, format!("{it} is no hash")))
    };
    all.iter().map(one).collect()
}

impl Check {
    /// Begins with the first line. `earlier` are checkpoints that whoever checks has kept: the log
    /// must go on from each of them.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn begin(line: &str, key: &NoteKey, earlier: &[Checkpoint]) -> Result<Self, Refused> {
        let head: Result<Head, _> = serde_json::from_str(line);
        let head = head.map_err(|err| Refused::Malformed(1, err.to_string()))?;
        let checkpoint = Checkpoint::read(&head.checkpoint, key)?;
        let mut earlier = earlier.to_vec();
        earlier.sort_by_key(|it| std::cmp::Reverse(it.size));
        let origins = earlier.iter().map(|it| &it.origin).chain([&checkpoint.origin]);
        if let Some(other) = origins.into_iter().find(|it| **it != head.log) {
            return Err(Refused::OtherLog(other.clone()));
        }
        if let Some(it) = earlier.iter().find(|it| it.size > checkpoint.size) {
            return Err(Refused::Forked(it.size));
        }
        if let Some(it) = earlier.iter().find(|it| it.size <= head.after || it.size > head.to) {
            // Of these entries nothing is here; but the same checkpoint once more is no other.
            if *it != checkpoint {
                return Err(Refused::Incomparable(it.size, head.after));
            }
        }
        let edge = Edge::of(head.after, hashes(&head.edge)?);
        let why = || Refused::Malformed(1, "edge is not of as many entries as after".to_owned());
        let (edge, consistency) = (edge.ok_or_else(why)?, hashes(&head.consistency)?);
        if head.to < head.after || head.to > checkpoint.size {
            return Err(Refused::Malformed(1, "to is between after and the checkpoint".to_owned()));
        }
        Ok(Self { head, checkpoint, consistency, edge, earlier })
    }

    /// Goes on with the next line.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn line(&mut self, line: &str) -> Result<(), Refused> {
        let number = self.edge.size() - self.head.after + 2;
        let bad = |err: &dyn std::fmt::Display| Refused::Malformed(number, err.to_string());
        let line: Line = serde_json::from_str(line).map_err(|err| bad(&err))?;
        if line.sequence != self.edge.size() + 1 || line.sequence > self.head.to {
            return Err(Refused::Gap(self.edge.size(), line.sequence));
        }
        let value: Value = serde_json::from_str(&line.entry).map_err(|err| bad(&err))?;
        let canonical = shared::domain::canonical(&value).map_err(|err| bad(&err))?;
        if canonical != line.entry {
            return Err(Refused::NotCanonical(line.sequence));
        }
        self.edge.push(leaf(&line.entry));
        self.compare()
    }

    /// Compares what there is so far with what was signed of as much.
    fn compare(&mut self) -> Result<(), Refused> {
        while let Some(it) = self.earlier.last().filter(|it| it.size == self.edge.size()) {
            if it.root != self.edge.root() {
                return Err(Refused::Forked(it.size));
            }
            self.earlier.pop();
        }
        Ok(())
    }

    /// Ends.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn end(self) -> Result<Verified, Refused> {
        let (size, head) = (self.edge.size(), self.head);
        if size != head.to {
            return Err(Refused::Cut(size, head.to));
        }
        let (root, whole) = (self.edge.root(), &self.checkpoint);
        // Nothing goes on from anything: the root of no entries is known to all.
        let holds = match size {
            0 => whole.size > 0 || whole.root == tree::empty(),
            _ => tree::goes_on(size, &root, whole.size, &whole.root, &self.consistency),
        };
        match holds {
            true => Ok(Verified {
                log: head.log,
                after: head.after,
                to: head.to,
                checkpoint: self.checkpoint,
            }),
            false => Err(Refused::Changed),
        }
    }
}
