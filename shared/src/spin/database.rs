//! The database of Spin: SQLite in a file, or libSQL by the runtime's configuration.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use spin_sdk::sqlite::{self, Connection};

use crate::{
    migrations,
    ports::{PortError, Row, Sql, SqlError, Statement, Value},
};

/// How many idle connections an instance keeps: as many as the requests that it answers at once.
const IDLE_MAX: usize = 16;

/// How long SQLite waits for another's transaction, in ever longer naps: who waits long would be
/// overtaken by who comes new …
const BUSY: &str = "pragma busy_timeout = 3";
/// … so it begins anew with short ones, for some ten seconds.
const WAITS_MAX: u32 = 4_000;
/// An answer of 2xx says that it is on the disk, also when the power goes.
const FULL: &str = "pragma synchronous = full";
/// Enough to survive everything but that: the log of the database is not synced by each commit.
const NORMAL: &str = "pragma synchronous = normal";
/// Kept by the file: readers and one writer do not wait for each other.
const WAL: &str = "pragma journal_mode = wal";

thread_local! {
    static IDLE: RefCell<Vec<Connection>> = const { RefCell::new(Vec::new()) };
    static QUICK: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };
    static IS_UP: Cell<bool> = const { Cell::new(false) };
}

/// The one database.
#[derive(Clone, Copy)]
pub(super) enum Database {
    /// What is written is on the disk.
    Safe,
    /// As [`Database::Safe`], and what is read, which is little, is read by the connection that all
    /// share: each that is opened reads the whole schema.
    Directory,
    /// What is written outlives us, but not a power failure: for limits and what is counted. All
    /// requests of an instance use one connection, so that they wait for each other and not for
    /// SQLite's naps.
    Quick,
}

/// Whether this instance has found the database at the current schema.
pub(super) fn is_up() -> bool {
    IS_UP.get()
}

/// Brings the database to the current schema, once for each instance.
pub(super) async fn bring_up() -> Result<(), PortError> {
    if IS_UP.get() {
        return Ok(());
    }
    let parts = [
        ("directory", migrations::DIRECTORY),
        ("tenant", migrations::TENANT),
        ("spin", migrations::SPIN),
    ];
    if !migrations::are_taken(&Database::Quick, &parts).await {
        Database::Safe.query(Statement::new(WAL, [])).await?;
        for (part, steps) in parts {
            migrations::bring_up(&Database::Safe, part, steps).await?;
        }
    }
    IS_UP.set(true);
    Ok(())
}

/// A connection that nobody else uses. One that is dropped in the middle of a transaction takes the
/// transaction with it.
async fn connect() -> Result<Connection, SqlError> {
    match IDLE.with_borrow_mut(Vec::pop) {
        Some(idle) => Ok(idle),
        None => open(FULL).await,
    }
}

fn give_back(connection: Connection) {
    IDLE.with_borrow_mut(|idle| {
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
    });
}

/// The connection that everybody here uses, for single statements.
async fn quick() -> Result<Rc<Connection>, SqlError> {
    if let Some(it) = QUICK.with_borrow(Option::clone) {
        return Ok(it);
    }
    let opened = Rc::new(open(NORMAL).await?);
    // Of several that open one at the same time, the last stays.
    QUICK.set(Some(Rc::clone(&opened)));
    Ok(opened)
}

async fn open(synchronous: &'static str) -> Result<Connection, SqlError> {
    let connection = Connection::open_default().await.map_err(failed)?;
    run(&connection, Statement::new(BUSY, [])).await?;
    run(&connection, Statement::new(synchronous, [])).await?;
    Ok(connection)
}

impl Sql for Database {
    async fn query(&self, statement: Statement) -> Result<Vec<Row>, SqlError> {
        let is_read = statement.text.trim_start().starts_with("select");
        if matches!(self, Self::Quick) || matches!(self, Self::Directory) && is_read {
            return patiently(&*quick().await?, statement).await;
        }
        let connection = connect().await?;
        let rows = patiently(&connection, statement).await?;
        give_back(connection);
        Ok(rows)
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, SqlError> {
        let connection = connect().await?;
        patiently(&connection, Statement::new("begin immediate", [])).await?;
        let mut rows = Vec::with_capacity(statements.len());
        for statement in statements {
            // On an error the connection is dropped here, and with it the transaction.
            rows.push(run(&connection, statement).await?);
        }
        run(&connection, Statement::new("commit", [])).await?;
        give_back(connection);
        Ok(rows)
    }
}

/// Runs a statement that may have to wait for another's lock: until then it has done nothing.
async fn patiently(connection: &Connection, statement: Statement) -> Result<Vec<Row>, SqlError> {
    for _ in 0..WAITS_MAX {
        match run(connection, statement.clone()).await {
            Err(err) if err.to_string().contains("database is locked") => {}
            other => return other,
        }
    }
    run(connection, statement).await
}

/// Reads the rows to the end: Spin keeps the connection locked until then, and only then tells
/// of an error.
async fn run(
    connection: &Connection,
    Statement { text, params }: Statement,
) -> Result<Vec<Row>, SqlError> {
    let params: Vec<_> = params.into_iter().map(to_spin).collect();
    let result = connection.execute(text, params).await.map_err(failed)?;
    let rows = result.collect().await.map_err(failed)?;
    Ok(rows.into_iter().map(|row| Row(row.values.into_iter().map(from_spin).collect())).collect())
}

fn to_spin(value: Value) -> sqlite::Value {
    match value {
        Value::Null => sqlite::Value::Null,
        Value::Integer(it) => sqlite::Value::Integer(it),
        Value::Real(it) => sqlite::Value::Real(it),
        Value::Text(it) => sqlite::Value::Text(it),
        Value::Blob(it) => sqlite::Value::Blob(it),
    }
}

fn from_spin(value: sqlite::Value) -> Value {
    match value {
        sqlite::Value::Null => Value::Null,
        sqlite::Value::Integer(it) => Value::Integer(it),
        sqlite::Value::Real(it) => Value::Real(it),
        sqlite::Value::Text(it) => Value::Text(it),
        sqlite::Value::Blob(it) => Value::Blob(it),
    }
}

fn failed(err: sqlite::Error) -> SqlError {
    SqlError::from_sqlite(err)
}
