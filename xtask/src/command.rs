//! Other programs: how they are started, and what it means when they fail.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

/// The command line is not understood, or cannot be done as asked: exit code 2.
#[derive(Debug)]
pub struct Misuse(pub String);

impl std::error::Error for Misuse {}

impl std::fmt::Display for Misuse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// A command from its words: `words("npm ci --ignore-scripts")`.
pub fn words(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = program(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// A program, in the environment that we were started from.
pub fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    // `cargo run` describes this package to us. Handed on to another cargo, that makes build scripts
    // which look at it (ring's does) run again, and with them the whole of wasmtime.
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        let describes_us = name == "CARGO"
            || name == "OUT_DIR"
            || ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
                .iter()
                .any(|it| name.starts_with(it));
        if describes_us {
            command.env_remove(&key);
        }
    }
    command
}

/// Runs a command to its end, in front of the user.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = line_of(command);
    let status = command.status().with_context(|| format!("starting `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Installs the package of Debian's that is called as its program is, unless that is here.
pub fn need(program: &str) -> anyhow::Result<()> {
    if is_installed(program) {
        return Ok(());
    }
    run(words("apt-get install -y --no-install-recommends").arg(program))
}

/// What a command says on its standard output.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let line = line_of(command);
    let out =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("starting `{line}`"))?;
    if !out.status.success() {
        bail!("`{line}` failed ({})", out.status);
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// A command as one would type it.
pub fn line_of(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

/// Whether a program of this name is on the path.
pub fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
