//! `spin:key-value`, kept in one SQLite file in the form that Spin gives it.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OptionalExtension as _};
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use crate::{
    bindings::key_value as spin,
    state::{Has, State},
};

const CREATE: &str = "
    create table if not exists spin_key_value (
        store text not null,
        key text not null,
        value blob not null,
        primary key (store, key)
    )";

const GET: &str = "select value from spin_key_value where store = ?1 and key = ?2";

const SET: &str = "
    insert into spin_key_value (store, key, value) values (?1, ?2, ?3)
    on conflict (store, key) do update set value = excluded.value";

const DELETE: &str = "delete from spin_key_value where store = ?1 and key = ?2";

const KEYS: &str = "select key from spin_key_value where store = ?1 order by key";

/// All stores of the application.
#[derive(Clone)]
pub struct KeyValue(Arc<Mutex<Connection>>);

/// A store that a component has opened.
#[derive(Clone)]
pub struct Store {
    key_value: KeyValue,
    name: Arc<str>,
}

/// An answer of the host: trapped, refused by the interface, or fine.
type Answer<T> = wasmtime::Result<Result<T, spin::Error>>;

impl KeyValue {
    /// Opens the file, and makes it if need be.
    pub fn open(file: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(file)?;
        // A cache that is read far more often than written; a kill loses nothing.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.execute(CREATE, [])?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    async fn run<R: Send + 'static>(
        self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, spin::Error> {
        let work = move || work(&self.0.lock().unwrap_or_else(PoisonError::into_inner));
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(err)) => Err(spin::Error::Other(err.to_string())),
            Err(err) => Err(spin::Error::Other(err.to_string())),
        }
    }
}

fn store<T: Send>(access: &Accessor<T, Has>, store: &Resource<Store>) -> wasmtime::Result<Store> {
    access.with(|mut access| Ok(access.get().table.get(store)?.clone()))
}

impl spin::Host for State {}

impl spin::HostStore for State {
    async fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl<T: Send> spin::HostStoreWithStore<T> for Has {
    async fn open(access: &Accessor<T, Self>, name: String) -> Answer<Resource<Store>> {
        access.with(|mut access| {
            let state = access.get();
            if !state.access.stores.contains(&name) {
                return Ok(Err(spin::Error::AccessDenied));
            }
            let key_value = state.access.key_value.clone();
            Ok(Ok(state.table.push(Store { key_value, name: name.into() })?))
        })
    }

    async fn get(
        access: &Accessor<T, Self>,
        opened: Resource<Store>,
        key: String,
    ) -> Answer<Option<Vec<u8>>> {
        let Store { key_value, name } = store(access, &opened)?;
        let get = move |sqlite: &Connection| {
            sqlite.prepare_cached(GET)?.query_row((name, key), |row| row.get(0)).optional()
        };
        Ok(key_value.run(get).await)
    }

    async fn set(
        access: &Accessor<T, Self>,
        opened: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> Answer<()> {
        let Store { key_value, name } = store(access, &opened)?;
        let set = move |sqlite: &Connection| {
            sqlite.prepare_cached(SET)?.execute((name, key, value)).map(drop)
        };
        Ok(key_value.run(set).await)
    }

    async fn delete(
        access: &Accessor<T, Self>,
        opened: Resource<Store>,
        key: String,
    ) -> Answer<()> {
        let Store { key_value, name } = store(access, &opened)?;
        let delete = move |sqlite: &Connection| {
            sqlite.prepare_cached(DELETE)?.execute((name, key)).map(drop)
        };
        Ok(key_value.run(delete).await)
    }

    async fn exists(
        access: &Accessor<T, Self>,
        opened: Resource<Store>,
        key: String,
    ) -> Answer<bool> {
        let Store { key_value, name } = store(access, &opened)?;
        let exists = move |sqlite: &Connection| sqlite.prepare_cached(GET)?.exists((name, key));
        Ok(key_value.run(exists).await)
    }

    async fn get_keys(
        access: &Accessor<T, Self>,
        opened: Resource<Store>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), spin::Error>>)> {
        let Store { key_value, name } = store(access, &opened)?;
        let keys = move |sqlite: &Connection| {
            sqlite.prepare_cached(KEYS)?.query_map([name], |row| row.get(0))?.collect()
        };
        let (keys, result): (Vec<String>, _) = match key_value.run(keys).await {
            Ok(keys) => (keys, Ok(())),
            Err(err) => (vec![], Err(err)),
        };
        access.with(|mut access| {
            let keys = StreamReader::new(&mut access, keys)?;
            let result =
                FutureReader::new(&mut access, async move { wasmtime::error::Ok(result) })?;
            Ok((keys, result))
        })
    }
}
