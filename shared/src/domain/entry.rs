//! An entry of a tenant's log.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Actor, Id, Timestamp, canonical, leaf_hash};

/// What a commit wants written down: the noun's part of an entry.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What happened, as `source.created`.
    pub action: &'static str,
    /// What it happened to: the id of one thing.
    pub subject: String,
    /// What else there is to know, in the shape that the action's documentation gives. No secret.
    pub data: Value,
}

/// One line of the log, as it is kept and as it is read.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Entry {
    /// Its place in the tenant's log: 1, 2, 3 … without a gap.
    pub sequence: i64,
    /// When it was committed, by the tenant's clock.
    pub at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// What happened, as `source.created`.
    pub action: String,
    /// What it happened to.
    pub subject: String,
    /// What else there is to know. Its shape depends on the action.
    #[schema(value_type = Object)]
    pub data: Value,
    /// The Merkle leaf hash (RFC 9162) of the canonical form (RFC 8785) of this entry without its
    /// sequence and this hash: the sequence is the leaf's place in the tree.
    pub leaf: String,
}

/// An entry that is ready to be written: its canonical text and the hash over it.
pub struct Leaf {
    /// The canonical form, of which `leaf` is the hash.
    pub text: String,
    /// The leaf hash, in hex.
    pub leaf: String,
}

impl Draft {
    /// An entry without further data.
    pub fn new(action: &'static str, subject: &Id) -> Self {
        Self { action, subject: subject.to_string(), data: json!({}) }
    }

    /// The same with data.
    pub fn with(self, data: Value) -> Self {
        Self { data, ..self }
    }

    /// The canonical text and leaf hash of this entry, done by `actor` at `at`.
    ///
    /// # Errors
    /// When the data cannot be written as JSON.
    pub fn leaf(&self, actor: &Actor, at: Timestamp) -> Result<Leaf, serde_json::Error> {
        let text = canonical(&json!({
            "action": self.action,
            "actor": actor.to_string(),
            "at": at,
            "data": self.data,
            "subject": self.subject,
        }))?;
        let leaf = leaf_hash(&text);
        Ok(Leaf { text, leaf })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leaf_is_over_the_canonical_text() {
        let id = Id::new("src", Timestamp(0), &[0; 10]);
        let draft = Draft::new("source.created", &id).with(json!({"b": 1, "a": 2}));

        let leaf = draft.leaf(&Actor::Operator, Timestamp(0)).unwrap();

        assert_eq!(
            leaf.text,
            format!(
                r#"{{"action":"source.created","actor":"operator","at":"1970-01-01T00:00:00.000Z","data":{{"a":2,"b":1}},"subject":"{id}"}}"#
            )
        );
        assert_eq!(leaf.leaf, leaf_hash(&leaf.text));
    }
}
