//! What is deployed: the components for Spin, and the module for Workers.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use wasm_bindgen_cli_support::Bindgen;

use crate::{assets, command, sizes};

/// Where the module for Workers is put.
const WORKERS: &str = "build/workers";
/// What Spin is given: the application, and the one that ticks it where the cron plugin is installed.
const MANIFESTS: [&str; 2] = ["spin.toml", "infra/spin/cron.toml"];
/// The stand-in for the Spin CLI as it is measured.
pub const MEASURED_LOCAL: &str = "target/measured/backplane-local";
/// How the stand-in for the Spin CLI is built, and the verifier of logs: with the whole workspace, as the tests are. `--package`
/// would give dependencies fewer features, and wasmtime would be built once for each.
pub const LOCAL: &str = "cargo build --workspace --bin backplane-local --bin backplane-verify";
/// What cargo makes of the module.
const EDGE: &str = "target/wasm32-unknown-unknown/release/edge.wasm";

/// Adds what Rust needs to build for both runtimes, where it is not there.
pub fn add_targets() -> anyhow::Result<()> {
    let targets = "wasm32-wasip2 wasm32-unknown-unknown";
    if command::is_installed("rustup") {
        let installed = command::output(&mut command::words("rustup target list --installed"))?;
        if targets.split(' ').all(|it| installed.lines().any(|line| line == it)) {
            return Ok(());
        }
        return command::run(&mut command::words(&format!("rustup target add {targets}")));
    }
    println!("      rustup is not installed; the targets {targets} must be there");
    Ok(())
}

/// Builds the stand-in for the Spin CLI.
pub fn local() -> anyhow::Result<()> {
    command::run(&mut command::words(LOCAL))
}

/// Builds it optimised, to be measured.
pub fn measured_local() -> anyhow::Result<()> {
    command::run(&mut command::words("cargo build --profile measured --package local"))
}

/// Builds every component of Spin's manifests.
pub fn spin() -> anyhow::Result<()> {
    build_spin()?;
    sizes::print(&components()?)
}

/// Builds the module for Workers.
pub fn workers() -> anyhow::Result<()> {
    build_workers()?;
    sizes::print(&module())
}

/// As [`spin`], without the sizes.
pub fn build_spin() -> anyhow::Result<()> {
    // One build of all, so that what they share is built once.
    let mut cargo = command::words("cargo build --release --target wasm32-wasip2");
    for name in names()? {
        cargo.args(["--package", &name]);
    }
    command::run(&mut cargo)?;
    // `spin.toml` names the folder, so it must be there; only some of it needs npm.
    assets::build()
}

/// As [`workers`], without the sizes.
pub fn build_workers() -> anyhow::Result<()> {
    let line = "cargo build --release --target wasm32-unknown-unknown --package edge";
    // wasm-bindgen then takes its promises from js-sys, as the `worker` crate expects.
    command::run(command::words(line).env("WASM_BINDGEN_USE_JS_SYS", "1"))?;
    let out = Path::new(WORKERS);
    if out.exists() {
        fs::remove_dir_all(out).with_context(|| format!("emptying {WORKERS}"))?;
    }
    Bindgen::new()
        .input_path(EDGE)
        .out_name("glue")
        .typescript(false)
        .omit_default_module_path(true)
        // A seventh of what is uploaded; a panic says its file and line without it.
        .remove_name_section(true)
        // What the shim needs to make a new instance after a panic.
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .web(true)?
        .generate(out)
        .context("making the glue; is wasm-bindgen the same version everywhere?")?;
    fs::copy("infra/workers/shim.js", out.join("index.js")).context("copying the shim")?;
    assets::build()
}

/// The files of the components, as the manifests name them.
pub fn components() -> anyhow::Result<Vec<PathBuf>> {
    let mut files = vec![];
    for path in MANIFESTS {
        let manifest = manifest(path)?;
        let components = manifest.get("component").and_then(toml::Value::as_table);
        let components = components.with_context(|| format!("{path} has no components"))?;
        // A source is named from where its manifest is.
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        let source = |it: &toml::Value| Some(folder.join(it.get("source")?.as_str()?));
        files.extend(components.values().filter_map(source));
    }
    Ok(files)
}

/// The files of the module for Workers.
pub fn module() -> Vec<PathBuf> {
    ["index.js", "glue.js", "glue_bg.wasm"].map(|it| Path::new(WORKERS).join(it)).to_vec()
}

/// The packages of the components. Each is called what its component is.
fn names() -> anyhow::Result<Vec<String>> {
    let stem = |it: PathBuf| it.file_stem().map(|it| it.to_string_lossy().into_owned());
    Ok(components()?.into_iter().filter_map(stem).collect())
}

fn manifest(path: &str) -> anyhow::Result<toml::Table> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    text.parse().with_context(|| format!("reading {path}"))
}
