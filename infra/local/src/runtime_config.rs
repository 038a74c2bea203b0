//! Spin's runtime configuration, as far as this host reads it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::blocked_networks::BlockedNetworks;

/// What the operator decides, and the application does not know.
#[derive(Debug, Default)]
pub struct RuntimeConfig {
    /// Where no request goes.
    pub blocked: BlockedNetworks,
    /// The files of databases by name, relative ones beside this configuration.
    pub databases: BTreeMap<String, Option<PathBuf>>,
    /// Key-value stores by name. Their path is not read: all of them are kept in one file.
    pub stores: Vec<String>,
}

#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    outbound_networking: OutboundNetworking,
    #[serde(default)]
    sqlite_database: BTreeMap<String, Storage>,
    #[serde(default)]
    key_value_store: BTreeMap<String, Storage>,
}

#[derive(Default, Deserialize)]
struct OutboundNetworking {
    #[serde(default)]
    block_networks: Vec<String>,
}

#[derive(Deserialize)]
struct Storage {
    #[serde(rename = "type")]
    kind: String,
    path: Option<PathBuf>,
}

impl RuntimeConfig {
    /// Reads the file, if there is one.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(file);
        let text = text.with_context(|| format!("reading {}", file.display()))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).with_context(|| format!("in {}", file.display()))
    }

    fn parse(text: &str, folder: &Path) -> anyhow::Result<Self> {
        let text: Text = toml::from_str(text)?;
        let mut databases = BTreeMap::new();
        for (name, database) in text.sqlite_database {
            database.check(&name)?;
            databases.insert(name, database.path.map(|path| folder.join(path)));
        }
        for (name, store) in &text.key_value_store {
            store.check(name)?;
        }
        Ok(Self {
            blocked: BlockedNetworks::parse(&text.outbound_networking.block_networks)?,
            databases,
            stores: text.key_value_store.into_keys().collect(),
        })
    }
}

impl Storage {
    /// Only Spin's embedded storage is here: libSQL, Redis and the like need Spin.
    fn check(&self, name: &str) -> anyhow::Result<()> {
        if self.kind != "spin" {
            bail!("{name} has the type {}; backplane-local knows \"spin\" only", self.kind);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_storage_are_read() {
        let text = r#"
            [outbound_networking]
            block_networks = ["private", "1.1.1.1/32"]
            [sqlite_database.other]
            type = "spin"
            path = "other.db"
            [key_value_store.other]
            type = "spin"
        "#;

        let config = RuntimeConfig::parse(text, Path::new("/etc")).unwrap();

        assert!(config.blocked.contains("1.1.1.1".parse().unwrap()));
        assert!(config.blocked.contains("127.0.0.1".parse().unwrap()));
        assert_eq!(config.databases["other"].as_deref(), Some(Path::new("/etc/other.db")));
        assert_eq!(config.stores, ["other"]);
    }

    #[test]
    fn what_needs_spin_is_refused() {
        let text = "[sqlite_database.default]\ntype = \"libsql\"";

        assert!(RuntimeConfig::parse(text, Path::new("")).is_err());
    }

    #[test]
    fn the_repository_s_own_configurations_are_read() {
        let spin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin");

        let production = RuntimeConfig::load(Some(&spin.join("runtime.toml"))).unwrap();
        let development = RuntimeConfig::load(Some(&spin.join("development.toml"))).unwrap();

        assert!(production.blocked.private);
        assert_eq!(development.blocked, BlockedNetworks::default());
    }
}
