//! The secrets of a development machine, made once.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use anyhow::{Context as _, anyhow};
use data_encoding::{BASE64, HEXLOWER};

const FOLDER: &str = ".backplane";
const FILE: &str = ".backplane/secrets.toml";

/// What the operator keeps to themself.
pub struct Secrets {
    /// The operator's own key.
    pub operator_key: String,
    /// `id:base64 of 32 bytes`, comma-separated.
    pub sealing_keys: String,
}

impl Secrets {
    /// The secrets of this machine. They are made when there are none.
    pub fn load_or_make() -> anyhow::Result<Self> {
        if !Path::new(FILE).exists() {
            make()?;
        }
        let text = fs::read_to_string(FILE).with_context(|| format!("reading {FILE}"))?;
        let table: toml::Table = text.parse().with_context(|| format!("reading {FILE}"))?;
        let field = |name: &str| {
            let value = table.get(name).and_then(toml::Value::as_str);
            value.map(str::to_owned).with_context(|| format!("{FILE} has no {name}"))
        };
        Ok(Self { operator_key: field("operator_key")?, sealing_keys: field("sealing_keys")? })
    }
}

fn make() -> anyhow::Result<()> {
    fs::create_dir_all(FOLDER).with_context(|| format!("making {FOLDER}"))?;
    let text = format!(
        "# Made by `cargo xtask up` for this machine alone. Whoever has these has everything.\n\
         operator_key = \"bpo_{}\"\nsealing_keys = \"k1:{}\"\n",
        HEXLOWER.encode(&random()?),
        BASE64.encode(&random()?),
    );
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(FILE)
        .with_context(|| format!("making {FILE}"))?;
    file.write_all(text.as_bytes()).with_context(|| format!("writing {FILE}"))
}

fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|err| anyhow!("no randomness from the system: {err}"))?;
    Ok(bytes)
}
