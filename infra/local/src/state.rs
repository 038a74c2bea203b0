//! What one instance of a component holds, and what it may touch.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::{
    bindings::{key_value, redis, sqlite, variables},
    key_value::KeyValue,
    outbound::Outbound,
};

/// What the manifest lets a component touch; the same for all its instances.
pub struct Access {
    /// Its variables, expanded.
    pub variables: BTreeMap<String, String>,
    /// The files of its databases, by name.
    pub databases: BTreeMap<String, PathBuf>,
    /// The names of its key-value stores.
    pub stores: Vec<String>,
    /// Where the stores are kept.
    pub key_value: KeyValue,
}

/// One instance.
pub struct State {
    /// The resources that it holds.
    pub table: ResourceTable,
    /// What it may touch.
    pub access: Arc<Access>,
    /// What it may reach.
    pub outbound: Outbound,
    /// How many connections to Redis it has open.
    pub redis_connections: usize,
    wasi: WasiCtx,
    http: WasiHttpCtx,
}

/// Leads the bindings to the state.
pub struct Has;

impl HasData for Has {
    type Data<'a> = &'a mut State;
}

impl State {
    /// A fresh instance.
    pub fn new(wasi: WasiCtx, outbound: Outbound, access: Arc<Access>) -> Self {
        let (table, http) = (ResourceTable::new(), WasiHttpCtx::new());
        Self { table, access, outbound, redis_connections: 0, wasi, http }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outbound }
    }
}

/// Gives the linker all that this host implements. `missing.rs` lists the same.
pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)?;
    key_value::add_to_linker::<_, Has>(linker, |state| state)?;
    redis::add_to_linker::<_, Has>(linker, |state| state)?;
    sqlite::add_to_linker::<_, Has>(linker, |state| state)?;
    variables::add_to_linker::<_, Has>(linker, |state| state)
}
