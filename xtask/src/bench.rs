//! Benchmarks: builds what is measured, and hands over to the bench of the tests' kits.

use crate::{assets, build, command};

/// Runs the benchmark that these words name.
pub fn run(words: &[&str]) -> anyhow::Result<()> {
    let words = match words {
        ["billing", most @ ..] => {
            rating(most)?;
            &["billing"]
        }
        other => other,
    };
    // The load generator, and what keeps limits beside SQL.
    command::need("wrk")?;
    if words.first() == Some(&"gate")
        && let Err(err) = command::need("redis-server")
    {
        println!("without Redis: {err:#}");
    }
    assets::build()?;
    build::spin()?;
    build::workers()?;
    build::measured_local()?;
    command::run(&mut command::words("cargo build --workspace --bin bench"))?;
    let mut bench = command::words("target/debug/bench");
    command::run(bench.args(words).env("BACKPLANE_LOCAL", build::MEASURED_LOCAL))
}

/// The rating run needs no runtime: only the crate is built, as optimised as what is measured.
fn rating(most: &[&str]) -> anyhow::Result<()> {
    let mut bench =
        command::words("cargo bench --profile measured --package billing --bench rating");
    command::run(bench.arg("--").args(most))
}
