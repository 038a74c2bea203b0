//! `spin:sqlite`: each open is a connection of its own.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{
    Connection, ffi,
    hooks::{AuthAction, AuthContext, Authorization},
    types::{Value, ValueRef},
};
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use crate::{
    bindings::sqlite as spin,
    state::{Has, State},
};

/// SQLite's own: who meets a lock fails at once. A component sets `pragma busy_timeout`.
const BUSY_TIMEOUT: Duration = Duration::ZERO;

/// A connection that a component has opened. When the last handle goes, SQLite closes it and rolls
/// an open transaction back.
#[derive(Clone)]
pub struct Database(Arc<Mutex<Connection>>);

/// An answer of the host: trapped, refused by the interface, or fine.
type Answer<T> = wasmtime::Result<Result<T, spin::Error>>;

impl Database {
    /// Opens the file, and makes it if need be. The journal mode is left as it is.
    pub fn open(file: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(file)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.authorizer(Some(authorize));
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Runs one statement to its end.
    fn query(
        &self,
        statement: &str,
        parameters: Vec<spin::Value>,
    ) -> rusqlite::Result<spin::QueryResult> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(statement)?;
        let columns: Vec<_> = statement.column_names().into_iter().map(str::to_owned).collect();
        let parameters = rusqlite::params_from_iter(parameters.into_iter().map(to_sqlite));
        let mut found = statement.query(parameters)?;
        let mut rows = vec![];
        while let Some(row) = found.next()? {
            let values = (0..columns.len()).map(|column| row.get_ref(column).map(from_sqlite));
            rows.push(spin::RowResult { values: values.collect::<Result<_, _>>()? });
        }
        Ok(spin::QueryResult { columns, rows })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the work where it may block.
    async fn run<R: Send + 'static>(
        self,
        work: impl FnOnce(&Self) -> R + Send + 'static,
    ) -> wasmtime::Result<R> {
        Ok(tokio::task::spawn_blocking(move || work(&self)).await?)
    }
}

/// Refuses to attach any other file, as Spin does. SQLite itself attaches the unnamed file while
/// it vacuums; a name that is not a literal reaches us as `Unknown`.
fn authorize(asked: AuthContext<'_>) -> Authorization {
    match asked.action {
        AuthAction::Attach { filename: "" } => Authorization::Allow,
        AuthAction::Attach { .. } => Authorization::Deny,
        AuthAction::Unknown { code: ffi::SQLITE_ATTACH, .. } => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

fn to_sqlite(value: spin::Value) -> Value {
    match value {
        spin::Value::Null => Value::Null,
        spin::Value::Integer(integer) => Value::Integer(integer),
        spin::Value::Real(real) => Value::Real(real),
        spin::Value::Text(text) => Value::Text(text),
        spin::Value::Blob(blob) => Value::Blob(blob),
    }
}

fn from_sqlite(value: ValueRef<'_>) -> spin::Value {
    match value {
        ValueRef::Null => spin::Value::Null,
        ValueRef::Integer(integer) => spin::Value::Integer(integer),
        ValueRef::Real(real) => spin::Value::Real(real),
        ValueRef::Text(text) => spin::Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(blob) => spin::Value::Blob(blob.to_vec()),
    }
}

fn io(err: rusqlite::Error) -> spin::Error {
    spin::Error::Io(err.to_string())
}

impl State {
    fn open(&mut self, name: &str) -> Answer<Resource<Database>> {
        let Some(file) = self.access.databases.get(name) else {
            return Ok(Err(spin::Error::AccessDenied));
        };
        match Database::open(file) {
            Ok(database) => Ok(Ok(self.table.push(database)?)),
            Err(err) => Ok(Err(io(err))),
        }
    }

    fn database(&self, opened: &Resource<Database>) -> wasmtime::Result<Database> {
        Ok(self.table.get(opened)?.clone())
    }
}

fn database<T: Send>(
    access: &Accessor<T, Has>,
    opened: &Resource<Database>,
) -> wasmtime::Result<Database> {
    access.with(|mut access| access.get().database(opened))
}

impl spin::Host for State {}

impl spin::HostConnection for State {
    async fn open(&mut self, name: String) -> Answer<Resource<Database>> {
        State::open(self, &name)
    }

    async fn execute(
        &mut self,
        opened: Resource<Database>,
        statement: String,
        parameters: Vec<spin::Value>,
    ) -> Answer<spin::QueryResult> {
        let query = move |database: &Database| database.query(&statement, parameters);
        Ok(self.database(&opened)?.run(query).await?.map_err(io))
    }

    async fn last_insert_rowid(&mut self, opened: Resource<Database>) -> wasmtime::Result<i64> {
        Ok(self.database(&opened)?.lock().last_insert_rowid())
    }

    async fn changes(&mut self, opened: Resource<Database>) -> wasmtime::Result<u64> {
        Ok(self.database(&opened)?.lock().changes())
    }

    async fn drop(&mut self, opened: Resource<Database>) -> wasmtime::Result<()> {
        let database = self.table.delete(opened)?;
        // Closing may write the log of WAL back to the file.
        Ok(tokio::task::spawn_blocking(move || drop(database)).await?)
    }
}

impl<T: Send> spin::HostConnectionWithStore<T> for Has {
    async fn open_async(access: &Accessor<T, Self>, name: String) -> Answer<Resource<Database>> {
        access.with(|mut access| access.get().open(&name))
    }

    /// As in Spin, the call itself succeeds: what is wrong with a statement is in the future.
    async fn execute_async(
        access: &Accessor<T, Self>,
        opened: Resource<Database>,
        statement: String,
        parameters: Vec<spin::Value>,
    ) -> Answer<(Vec<String>, StreamReader<spin::RowResult>, FutureReader<Result<(), spin::Error>>)>
    {
        let query = move |database: &Database| database.query(&statement, parameters);
        let (found, result) = match database(access, &opened)?.run(query).await? {
            Ok(found) => (found, Ok(())),
            Err(err) => (spin::QueryResult { columns: vec![], rows: vec![] }, Err(io(err))),
        };
        access.with(|mut access| {
            let rows = StreamReader::new(&mut access, found.rows)?;
            let result =
                FutureReader::new(&mut access, async move { wasmtime::error::Ok(result) })?;
            Ok(Ok((found.columns, rows, result)))
        })
    }

    async fn last_insert_rowid_async(
        access: &Accessor<T, Self>,
        opened: Resource<Database>,
    ) -> wasmtime::Result<i64> {
        database(access, &opened)?.run(|database| database.lock().last_insert_rowid()).await
    }

    async fn changes_async(
        access: &Accessor<T, Self>,
        opened: Resource<Database>,
    ) -> wasmtime::Result<u64> {
        database(access, &opened)?.run(|database| database.lock().changes()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(database: &Database, statement: &str) -> Result<Vec<spin::RowResult>, String> {
        let found = database.query(statement, vec![spin::Value::Text("other.db".into())]);
        let found = found.or_else(|_| database.query(statement, vec![]));
        found.map(|found| found.rows).map_err(|err| err.to_string())
    }

    #[test]
    fn no_other_file_is_attached() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("one.db")).unwrap();
        let other = folder.path().join("other.db");

        for statement in [
            &format!("attach '{}' as other", other.display()),
            "attach ?1 as other",
            "attach 'other' || '.db' as other",
            &format!("vacuum into '{}'", other.display()),
        ] {
            assert!(run(&database, statement).is_err(), "{statement}");
        }
        assert!(!other.exists());
        assert!(run(&database, "vacuum").is_ok());
    }

    #[test]
    fn a_transaction_ends_with_its_connection() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("one.db");
        let abandoned = Database::open(&file).unwrap();
        run(&abandoned, "create table tea (kind text)").unwrap();
        run(&abandoned, "begin immediate").unwrap();
        run(&abandoned, "insert into tea values ('green')").unwrap();

        drop(abandoned);

        let database = Database::open(&file).unwrap();
        assert_eq!(run(&database, "select * from tea").unwrap().len(), 0);
        run(&database, "begin immediate").unwrap();
    }

    #[test]
    fn a_lock_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("one.db");
        let (first, second) = (Database::open(&file).unwrap(), Database::open(&file).unwrap());

        run(&first, "begin immediate").unwrap();

        assert!(run(&second, "begin immediate").unwrap_err().contains("locked"));
    }
}
