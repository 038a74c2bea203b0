//! The chores of the repository: build, start, test.

mod assets;
mod bench;
mod build;
mod command;
mod demo;
mod runtime;
mod secrets;
mod sizes;
mod test;
mod up;

use std::process::ExitCode;

use crate::command::Misuse;

const HELP: &str = "\
Usage: cargo xtask <command>

  build spin        the components of spin.toml and infra/spin/cron.toml
  build workers     the module for Cloudflare Workers, in build/workers
  build assets      the static files, in build/assets
  up [options]      builds, starts, makes a demo tenant, and prints how to call it
      --runtime spin|workers|local   (default spin where its CLI is installed, otherwise local)
      --port N                       (default 3000)
      --fresh                        forgets what an earlier run kept
  bench baseline    the receiver against a no-op, on the local host and on workerd
  bench webhooks    that and the sender; a number after it is the largest backlog, 10000 otherwise
  bench gate        the gate's decisions against a no-op; a number after it is the most keys
  bench billing     a rating run, and Stripe's events against a no-op; a number after it is the most
                    subscriptions, 100000 otherwise
  bench notify      notices to 10,000, and how soon a live client has one, against a no-op
  bench tickets     mails and forms a second against a no-op, and lists as tickets grow
  test [--quick]    all checks and tests, as continuous integration runs them
";

fn main() -> ExitCode {
    match dispatch() {
        Ok(code) => code,
        Err(err) => {
            eprintln!("{err:#}");
            ExitCode::from(if err.is::<Misuse>() { 2 } else { 1 })
        }
    }
}

fn dispatch() -> anyhow::Result<ExitCode> {
    std::env::set_current_dir(command::root())?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["build", "spin"] => build::spin()?,
        ["build", "workers"] => build::workers()?,
        ["build", "assets"] => assets::build()?,
        ["up", options @ ..] => up::run(&up::Options::parse(options)?)?,
        ["bench", words @ ..] if !words.is_empty() => bench::run(words)?,
        ["test"] => return test::run(test::Extent::Full),
        ["test", "--quick"] => return test::run(test::Extent::Quick),
        [] | ["help" | "--help" | "-h"] => print!("{HELP}"),
        other => {
            return Err(Misuse(format!("no such command: {}\n\n{HELP}", other.join(" "))).into());
        }
    }
    Ok(ExitCode::SUCCESS)
}
