//! The check of the dependencies' licenses and sources, and the tool that it needs.

use std::{path::Path, process::Command};

use crate::command;

const VERSION: &str = "0.20.2";
/// Where the tool is installed, so that nothing else on the machine changes.
const TOOLS: &str = "target/tools";

/// The tool: the one on the path, or our own, which takes minutes to build once.
pub fn tool() -> anyhow::Result<String> {
    if command::is_installed("cargo-deny") {
        return Ok("cargo-deny".into());
    }
    let own = format!("{TOOLS}/bin/cargo-deny");
    if !Path::new(&own).is_file() {
        // Not optimised: it runs for a moment.
        let line =
            format!("cargo install cargo-deny --version {VERSION} --locked --debug --root {TOOLS}");
        command::run(&mut command::words(&line))?;
    }
    Ok(own)
}

/// The check. Advisories are left out: their database is in no package registry.
pub fn check(tool: &str) -> Command {
    let mut command = command::program(tool);
    command.args(["--log-level", "error", "check", "bans", "licenses", "sources"]);
    command
}
