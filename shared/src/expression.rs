//! Customers' expressions, in CEL, the Common Expression Language: filters, transforms and
//! conditions are all written in it, and read the same everywhere.
//!
//! ```text
//! event.data.amount > 100 && "vip" in event.channels
//! has(event.data.email) && event.data.email.endsWith("@example.com")
//! event.lines.exists(it, it.sku.startsWith("tea-") && it.count >= 2)
//! {"id": event.id, "total": event.data.amount, "skus": event.lines.map(it, it.sku)}
//! event.type == "refund" ? "refunds" : event.data.amount > 1000 ? "large" : "other"
//! timestamp(event.time).getHours() < 8 || event.note.matches("(?i)urgent")
//! double(event.data.amount) * 1.19
//! ```
//!
//! It is the standard's language over JSON: null, bools, ints, uints, doubles, strings, lists, maps,
//! and timestamps and durations, which become strings again in an answer. A number in JSON is an int
//! if it is written as one, else a double. Numbers of all kinds compare with each other; arithmetic
//! takes two of one kind, and fails when the result does not fit. A field that is missing is a
//! failure; `has(event.data.amount)` asks first. Beside the operators and the macros `has`, `all`,
//! `exists`, `exists_one`, `filter` and `map` there are the functions of `functions.rs`. There are
//! no bytes, no types as values, no protobuf messages, and no optionals.
//!
//! **Why this is our own.** Who writes an expression is a stranger, and on Workers a panic or an
//! overflow of the stack ends every request of the isolate. The crate `cel` 0.15 has no fuel and
//! clones what it walks over. Its parser overflowed 512 KiB of stack on brackets that fit into 4,096
//! characters, and takes milliseconds for a line; its second parser is hidden from its
//! documentation, and overflowed on `a ? b : a ? b : …`. So the crate is what the tests compare
//! with, and here the depth is bounded by how the parser is made, and fuel by how the evaluator is.
//!
//! Read the modules in this order.

mod token;
mod tree;

mod parser;

mod value;

mod evaluator;
mod functions;
mod moments;
mod operators;
mod texts;

mod fuel;
mod patterns;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::expression::{evaluator::Evaluator, tree::Node};

/// The longest expression, in characters.
pub const EXPRESSION_CHARS_MAX: usize = 4_096;
/// How deep an expression is nested, in brackets of any kind.
pub const NESTING_MAX: usize = 24;
/// What one evaluation may do, in units: a node, an element, or 16 bytes of text.
pub const FUEL_MAX: usize = 200_000;
/// How deep the data is nested that is compared or answered. As deep as `serde_json` reads.
pub const DATA_NESTING_MAX: usize = 128;
/// The longest pattern of `matches`, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1_024;
/// The largest program that a pattern is compiled to, in bytes.
pub const PATTERN_PROGRAM_BYTES_MAX: usize = 16 * 1024;

/// A parsed expression. Whoever holds one need not check it.
#[derive(Clone)]
pub struct Expression {
    text: String,
    tree: Arc<Node>,
    variables: Arc<BTreeSet<String>>,
}

/// Why a text is no expression, and where.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, in words for who wrote it.
    pub reason: String,
}

/// Why an expression has no answer. Its words are for who wrote the expression.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Trouble {
    /// It would take too long or too much memory with this data.
    #[error("the expression does too much with this data")]
    OutOfFuel,
    /// It should say yes or no, and said something else.
    #[error("the answer is {0}, and should be true or false")]
    NotBool(&'static str),
    /// It does not fit the data.
    #[error("{0}")]
    Failed(String),
}

impl Expression {
    /// Reads an expression of at most `EXPRESSION_CHARS_MAX` characters.
    ///
    /// # Errors
    /// Where it goes wrong, and why.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        if let Some((at, _)) = text.char_indices().nth(EXPRESSION_CHARS_MAX) {
            let reason = format!("an expression has at most {EXPRESSION_CHARS_MAX} characters");
            return Err(Mistake::at(text, at, reason));
        }
        let (tree, variables) = parser::parse(text)?;
        Ok(Self { text: text.to_owned(), tree: tree.into(), variables: variables.into() })
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The variables that it needs, so that a misspelt one is found before there is data.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// The answer for these variables, each with its name.
    ///
    /// # Errors
    /// It does not fit the data, or does too much.
    pub fn evaluate(&self, bindings: &[(&str, &Value)]) -> Result<Value, Trouble> {
        Evaluator::new(bindings).answer(&self.tree)
    }

    /// Whether it holds for these variables.
    ///
    /// # Errors
    /// As `evaluate`; and the answer is neither true nor false.
    pub fn holds(&self, bindings: &[(&str, &Value)]) -> Result<bool, Trouble> {
        Evaluator::new(bindings).holds(&self.tree)
    }
}

impl Mistake {
    /// A mistake at this byte of the text.
    fn at(text: &str, at: usize, reason: impl Into<String>) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or(before);
        Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            reason: reason.into(),
        }
    }
}

fn failed(reason: impl Into<String>) -> Trouble {
    Trouble::Failed(reason.into())
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl utoipa::PartialSchema for Expression {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(EXPRESSION_CHARS_MAX))
            .description(Some("An expression in CEL."))
            .into()
    }
}

impl utoipa::ToSchema for Expression {}
