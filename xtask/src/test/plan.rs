//! Which steps there are.

use std::{fs, process::Command};

use anyhow::Context as _;

use super::{Extent, Step, Work, document, papers};
use crate::{build, command, sizes};

const SPIN: &str = "wasm32-wasip2";
const WORKERS: &str = "wasm32-unknown-unknown";
/// What is tested on every runtime.
const EVERYWHERE: &str = "runtimes live broken interop outbound receivers signed limits proxy \
                          networks customer_keys payments paypal amended texted smtp browser \
                          heard at_work inlet proven";
/// What is tested of components alone.
const COMPONENTS: &str = "worlds cron";
/// What asks for limits.
const OF_LIMITS: &str = "redis runtimes limits proxy networks customer_keys";
/// The test that needs the machine for itself.
const KILLS: &str = "nothing_is_lost_when_the_host_is_killed";

/// The steps, in order: what is quick and fails often comes first.
pub fn steps(extent: Extent) -> anyhow::Result<Vec<Step>> {
    let mut steps = vec![one("format", "native", "cargo fmt --all --check")];
    if extent == Extent::Quick {
        let line = "cargo clippy --workspace --all-targets -- -D warnings";
        steps.push(one("clippy", "native", line));
        steps.push(one("tests", "native", "cargo test --no-fail-fast"));
        return Ok(steps);
    }
    let functions = functions()?;
    steps.extend([
        own("targets", "rustup", build::add_targets),
        // No function has code for one target, so one of them stands for all as a component.
        clippy(SPIN, ["tick", "cron"].into_iter()),
        clippy(WORKERS, functions.iter().map(String::as_str)),
        Step { name: "licenses and sources", place: "native", work: Work::Deny },
        documentation(&functions),
        linted("build, with clippy", "cargo test --workspace --all-targets --no-run"),
        own("redis-server", "Debian", || command::need("redis-server")),
        own("firefox-esr", "Debian", || command::need("firefox-esr")),
        linted("tests", "cargo test --workspace --no-fail-fast"),
        own("API document, read by others", "python", document::check),
        own("documents, read by others", "python", papers::check),
        npm(),
        own("build", SPIN, build::build_spin),
        own("build", WORKERS, build::build_workers),
        own("sizes", "both", sizes::check),
        linted("build of the local host", build::LOCAL),
        runtimes(),
        kills(),
        upload(),
    ]);
    Ok(steps)
}

fn one(name: &'static str, place: &'static str, line: &str) -> Step {
    Step { name, place, work: Work::Commands(vec![command::words(line)]) }
}

/// The same where clippy is the compiler of what is ours: what it checks is built for the tests in
/// the same go, and nothing is read a second time for it.
fn linted(name: &'static str, line: &str) -> Step {
    Step { name, place: "native", work: Work::Commands(vec![by_clippy(command::words(line))]) }
}

/// As `cargo clippy -- -D warnings` sets it up for `cargo check`.
fn by_clippy(mut command: Command) -> Command {
    command.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
    command.env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
    command
}

fn own(name: &'static str, place: &'static str, own: fn() -> anyhow::Result<()>) -> Step {
    Step { name, place, work: Work::Own(own) }
}

/// Clippy as a target sees the code: half of it is there for one target only.
fn clippy<'a>(target: &'static str, packages: impl Iterator<Item = &'a str>) -> Step {
    // The profile that is deployed, so that nothing is built for a third time.
    let mut command =
        command::words("cargo clippy --release --package shared --package paper --target");
    command.arg(target);
    for name in packages {
        command.args(["--package", name]);
    }
    command.args(["--", "-D", "warnings"]);
    Step { name: "clippy", place: target, work: Work::Commands(vec![command]) }
}

fn documentation(functions: &[String]) -> Step {
    // For the target whose dependencies clippy has just read.
    let line = "cargo doc --release --no-deps --package shared --package paper --target";
    let mut command = command::words(line);
    command.arg(WORKERS);
    for name in functions {
        command.args(["--package", name]);
    }
    // It changes nothing but rustdoc's own output, so nothing else is built again.
    command.env("RUSTDOCFLAGS", "-D warnings");
    Step { name: "documentation", place: WORKERS, work: Work::Commands(vec![command]) }
}

fn npm() -> Step {
    one("npm's packages", "node", "npm ci --ignore-scripts --no-audit --no-fund")
}

/// The same tests against every runtime, at the same time: a host mostly waits.
fn runtimes() -> Step {
    let mut local = on("local", &format!("{EVERYWHERE} {COMPONENTS}"));
    local.args(["--skip", KILLS]);
    let workerd = on("workerd", EVERYWHERE);
    let mut redis = on("redis", OF_LIMITS);
    // What differs is where limits are kept: the other stories are played without it.
    redis.env("STORY", "gate");
    let work = Work::Together(vec![local, workerd, redis]);
    Step { name: "tests on the runtimes", place: "local, workerd, with Redis", work }
}

/// What is left after kills.
fn kills() -> Step {
    let mut command = on("local", "runtimes");
    command.arg(KILLS);
    Step { name: "kills", place: "local host", work: Work::Commands(vec![command]) }
}

/// These tests on this runtime.
fn on(runtime: &str, tests: &str) -> Command {
    // Like the other tests, `--workspace`: with one package alone, dependencies lose features that
    // others ask for, and are built a second time.
    let mut command = command::words("cargo test --workspace --no-fail-fast");
    for test in tests.split_whitespace() {
        command.args(["--test", test]);
    }
    command.args(["--", "--nocapture", "--test-threads=1"]);
    command.env("BACKPLANE_RUNTIMES", runtime);
    by_clippy(command)
}

/// What Cloudflare would be sent, without sending it.
fn upload() -> Step {
    let line = "node_modules/.bin/wrangler deploy --dry-run --outdir build/dry-run";
    let mut command: Command = command::words(line);
    command
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_HIDE_BANNER", "true")
        .env("WRANGLER_LOG_PATH", "build/wrangler-logs")
        .env("CI", "1");
    Step { name: "upload, rehearsed", place: "workers", work: Work::Commands(vec![command]) }
}

/// The packages of the functions. Each is called what its folder is.
fn functions() -> anyhow::Result<Vec<String>> {
    let mut names = vec![];
    for entry in fs::read_dir("functions").context("listing functions")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
