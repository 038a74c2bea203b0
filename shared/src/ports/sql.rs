//! SQLite, as all runtimes have it.

use super::PortError;
use crate::domain::{Id, Timestamp};

/// A SQLite database.
///
/// Statements are `&'static str`, so none can be pieced together from input. They name their
/// columns and number their parameters: `?1`, `?2`. A number that is bound outside of a column
/// of a strict table may be a real on Workers: write `cast(?2 as integer)` there.
pub trait Sql {
    /// Runs one statement and returns the rows it yields.
    async fn query(&self, statement: Statement) -> Result<Vec<Row>, SqlError>;

    /// Runs the statements in order, all of them or none, and returns the rows of each.
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError>;
}

/// One statement with its parameters.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The text, one statement.
    pub text: &'static str,
    /// What `?1` and on stand for; at most 100 (the limit of D1).
    pub params: Vec<Value>,
}

/// Why a statement failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SqlError {
    /// A guard of the batch did not hold, or the same was written before. Nothing was changed.
    #[error("conflict")]
    Conflict,
    /// The database could not do it.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// One row, its values in the order in which the statement names them.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Vec<Value>);

/// What both runtimes can carry there and back.
///
/// Integers are exact up to 2^53: Workers passes them as JavaScript numbers. A whole number in a
/// `real` column may come back as an integer.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the five storage classes of SQLite")]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl Statement {
    /// A statement with its parameters.
    pub fn new(text: &'static str, params: impl Into<Vec<Value>>) -> Self {
        Self { text, params: params.into() }
    }
}

impl SqlError {
    /// What SQLite said, on any runtime, as one of ours.
    pub fn from_sqlite(reason: impl std::fmt::Display) -> Self {
        let reason = reason.to_string();
        // The guard's constraint, and the key by which a retry finds that it came second.
        let conflicts = ["guard_holds", "UNIQUE constraint failed: idempotency"];
        if conflicts.iter().any(|it| reason.contains(it)) {
            Self::Conflict
        } else {
            Self::Port(PortError::new("sql", reason))
        }
    }
}

impl From<SqlError> for PortError {
    fn from(err: SqlError) -> Self {
        match err {
            SqlError::Port(err) => err,
            SqlError::Conflict => Self::new("sql", "a guard did not hold where none was expected"),
        }
    }
}

impl Row {
    /// The values of a row that has exactly `N` of them.
    ///
    /// # Errors
    /// When the row has another number of columns.
    pub fn columns<const N: usize>(self) -> Result<[Value; N], PortError> {
        <[Value; N]>::try_from(self.0).map_err(|it| {
            PortError::new("sql", format!("{} columns where {N} were expected", it.len()))
        })
    }
}

impl Value {
    /// The text in it.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn text(self) -> Result<String, PortError> {
        match self {
            Self::Text(it) => Ok(it),
            other => Err(unexpected("text", &other)),
        }
    }

    /// The text in it, or `None` for null.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn optional_text(self) -> Result<Option<String>, PortError> {
        match self {
            Self::Null => Ok(None),
            other => other.text().map(Some),
        }
    }

    /// The integer in it.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn integer(self) -> Result<i64, PortError> {
        match self {
            Self::Integer(it) => Ok(it),
            other => Err(unexpected("integer", &other)),
        }
    }

    /// The moment in it, kept as milliseconds.
    ///
    /// # Errors
    /// When it is no integer.
    pub fn timestamp(self) -> Result<Timestamp, PortError> {
        self.integer().map(Timestamp)
    }

    /// The moment in it, or `None` for null.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn optional_timestamp(self) -> Result<Option<Timestamp>, PortError> {
        match self {
            Self::Null => Ok(None),
            other => other.timestamp().map(Some),
        }
    }

    /// The bytes in it.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn blob(self) -> Result<Vec<u8>, PortError> {
        match self {
            Self::Blob(it) => Ok(it),
            other => Err(unexpected("blob", &other)),
        }
    }

    /// The JSON in its text.
    ///
    /// # Errors
    /// When it is no text, or not what `T` reads.
    pub fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, PortError> {
        serde_json::from_str(&self.text()?).map_err(|err| PortError::new("sql", err))
    }
}

fn unexpected(expected: &str, found: &Value) -> PortError {
    let found = match found {
        Value::Null => "null",
        Value::Integer(_) => "integer",
        Value::Real(_) => "real",
        Value::Text(_) => "text",
        Value::Blob(_) => "blob",
    };
    PortError::new("sql", format!("{expected} expected, {found} found"))
}

impl From<&str> for Value {
    fn from(it: &str) -> Self {
        Self::Text(it.to_owned())
    }
}

impl From<String> for Value {
    fn from(it: String) -> Self {
        Self::Text(it)
    }
}

impl From<&String> for Value {
    fn from(it: &String) -> Self {
        Self::Text(it.clone())
    }
}

impl From<&Id> for Value {
    fn from(it: &Id) -> Self {
        Self::Text(it.to_string())
    }
}

impl From<i64> for Value {
    fn from(it: i64) -> Self {
        Self::Integer(it)
    }
}

impl From<u32> for Value {
    fn from(it: u32) -> Self {
        Self::Integer(it.into())
    }
}

impl From<bool> for Value {
    fn from(it: bool) -> Self {
        Self::Integer(it.into())
    }
}

impl From<Timestamp> for Value {
    fn from(it: Timestamp) -> Self {
        Self::Integer(it.0)
    }
}

impl From<&[u8]> for Value {
    fn from(it: &[u8]) -> Self {
        Self::Blob(it.to_vec())
    }
}

impl From<&serde_json::Value> for Value {
    fn from(it: &serde_json::Value) -> Self {
        Self::Text(it.to_string())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(it: Option<T>) -> Self {
        it.map_or(Self::Null, Into::into)
    }
}
