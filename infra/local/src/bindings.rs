//! The interfaces in `wit/`, as Rust.

wasmtime::component::bindgen!({
    path: "wit",
    world: "backplane:local/host",
    imports: { default: async | trappable },
    with: {
        "spin:key-value/key-value.store": crate::key_value::Store,
        "spin:redis/redis.connection": crate::redis::Connection,
        "spin:sqlite/sqlite.connection": crate::sqlite::Database,
    },
});

pub use spin::{key_value::key_value, redis::redis, sqlite::sqlite, variables::variables};
