//! The engine: pooled instances, compiled code kept on disk, and turns for all.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use wasmtime::{
    Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
};

/// Instances at one time, of all components; each takes sixteen requests at once.
const INSTANCES_MAX: u32 = 64;

/// A component has a few modules: its own, and those that adapt it.
const MODULES_PER_INSTANCE: u32 = 4;

const MEMORY_BYTES_MAX: usize = 256 << 20;

/// How long a component may compute before others have their turn. As in Spin.
const EPOCH: Duration = Duration::from_millis(10);

/// An engine that keeps compiled code beside the build, else in the state folder.
pub fn new(state_dir: &Path) -> anyhow::Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(INSTANCES_MAX)
        .total_core_instances(INSTANCES_MAX * MODULES_PER_INSTANCE)
        .total_tables(INSTANCES_MAX * MODULES_PER_INSTANCE)
        .total_memories(INSTANCES_MAX)
        .max_memory_size(MEMORY_BYTES_MAX);
    let mut cache = CacheConfig::new();
    cache.with_directory(cache_folder(state_dir)?);
    let mut config = Config::new();
    config
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .cache(Some(Cache::new(cache)?));
    let engine = Engine::new(&config)?;
    advance_epochs(&engine);
    Ok(engine)
}

/// Tests have a state folder each, and should not compile each time.
fn cache_folder(state_dir: &Path) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.ancestors().find(|folder| folder.ends_with("target"));
    let folder = match target {
        Some(target) => target.join("backplane-local-cache"),
        None => state_dir.join("cache"),
    };
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("making the folder {}", folder.display()))?;
    Ok(folder.canonicalize()?)
}

fn advance_epochs(engine: &Engine) {
    let engine = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(EPOCH);
        }
    });
}
