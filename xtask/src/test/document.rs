//! The API document, read by somebody else: a validator of OpenAPI from PyPI.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};

use crate::command;

/// The reader, and where it is installed.
const READER: &str = "openapi-spec-validator==0.9.0";
const FOLDER: &str = "target/tools/python";
const DOCUMENT: &str = "fixtures/openapi.json";
/// A copy that no reader may accept.
const BROKEN: &str = "target/openapi-broken.json";

/// Lets the reader read the document, and a broken one, which it must refuse.
pub fn check() -> anyhow::Result<()> {
    if !Path::new(FOLDER).join("openapi_spec_validator").is_dir() {
        let line = format!("python3 -m pip install --quiet --target {FOLDER} {READER}");
        command::run(&mut command::words(&line))?;
    }
    ensure!(reads(DOCUMENT)?, "{DOCUMENT} is not OpenAPI 3.1");
    let text = fs::read_to_string(DOCUMENT).with_context(|| format!("reading {DOCUMENT}"))?;
    fs::write(
        BROKEN,
        text.replacen("\"responses\"", "\"answers\"", 1).replacen("\"in\"", "\"at\"", 1),
    )?;
    ensure!(!reads(BROKEN)?, "the reader accepts a document without what it must have");
    Ok(())
}

fn reads(file: &str) -> anyhow::Result<bool> {
    let mut reader = command::words("python3 -m openapi_spec_validator");
    let reader = reader.arg(file).env("PYTHONPATH", FOLDER);
    Ok(reader.status().context("starting python3")?.success())
}
