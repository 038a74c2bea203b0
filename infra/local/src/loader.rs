//! Makes the components of a manifest ready.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail, ensure};
use wasmtime::{Engine, component};

use crate::{
    activity::Activity,
    allowed_hosts::AllowedHosts,
    blocked_networks::BlockedNetworks,
    component::{Blueprint, Component},
    components::Components,
    engine,
    key_value::KeyValue,
    logs::{Log, say},
    manifest::{self, Manifest},
    options::Options,
    outbound::Outbound,
    runtime_config::RuntimeConfig,
    state::Access,
    variables::Variables,
};

/// The name that needs no runtime configuration.
const DEFAULT: &str = "default";

/// What loading a component needs.
pub struct Loader<'a> {
    options: &'a Options,
    engine: Engine,
    manifest: &'a Manifest,
    variables: &'a Variables,
    config: &'a RuntimeConfig,
    blocked: Arc<BlockedNetworks>,
    key_value: KeyValue,
    components: Components,
    activity: &'a Activity,
    logs: PathBuf,
}

impl<'a> Loader<'a> {
    /// Makes the folders and what all components share.
    pub fn new(
        options: &'a Options,
        manifest: &'a Manifest,
        variables: &'a Variables,
        config: &'a RuntimeConfig,
        activity: &'a Activity,
    ) -> anyhow::Result<Self> {
        let logs = options.state_dir.join("logs");
        std::fs::create_dir_all(&logs).with_context(|| format!("making {}", logs.display()))?;
        let key_value = KeyValue::open(&options.state_dir.join("sqlite_key_value.db"));
        Ok(Self {
            options,
            engine: engine::new(&options.state_dir)?,
            manifest,
            variables,
            config,
            blocked: Arc::new(config.blocked.clone()),
            key_value: key_value.context("opening the key-value stores")?,
            components: Components::default(),
            activity,
            logs,
        })
    }

    /// Loads every component that a trigger names.
    pub fn load_all(&self) -> anyhow::Result<Components> {
        let named: BTreeSet<_> = self.manifest.http.iter().map(|http| &http.component).collect();
        let mut loaded = BTreeMap::new();
        for name in named {
            let manifest =
                self.manifest.components.get(name).context("the manifest was checked")?;
            let component = self.load(name, manifest);
            let component = component.with_context(|| format!("loading the component {name}"))?;
            loaded.insert(name.clone(), component);
        }
        self.components.set(loaded);
        Ok(self.components.clone())
    }

    fn load(&self, name: &str, manifest: &manifest::Component) -> anyhow::Result<Component> {
        let file = self.beside_manifest(&manifest.source);
        ensure!(file.exists(), "{} is not there; build it first", file.display());
        let compiled = component::Component::from_file(&self.engine, &file)?;
        let blueprint = self.blueprint(name, manifest)?;
        let (component, missing) = Component::new(&self.engine, &compiled, blueprint)?;
        for interface in missing {
            say(format!("{name} imports {interface}, which is not here: calls fail"));
        }
        Ok(component)
    }

    fn blueprint(&self, name: &str, manifest: &manifest::Component) -> anyhow::Result<Blueprint> {
        let hosts = manifest.allowed_outbound_hosts.iter();
        let hosts = hosts.map(|host| self.variables.expand(host)).collect::<Result<Vec<_>, _>>()?;
        let log = |stream: &str| Log::open(&self.logs, name, stream, self.options.quiet);
        let mut files = vec![];
        for manifest::Files { source, destination } in &manifest.files {
            let source = self.beside_manifest(source);
            ensure!(source.is_dir(), "files: {} is not a folder", source.display());
            files.push((source, destination.clone()));
        }
        Ok(Blueprint {
            name: name.to_owned(),
            files,
            environment: manifest.environment.clone().into_iter().collect(),
            access: Arc::new(self.access(manifest)?),
            outbound: Outbound {
                allowed: Arc::new(AllowedHosts::parse(&hosts)?),
                blocked: self.blocked.clone(),
                components: self.components.clone(),
            },
            stdout: Arc::new(log("stdout")?),
            stderr: Arc::new(log("stderr")?),
            activity: self.activity.clone(),
        })
    }

    fn access(&self, manifest: &manifest::Component) -> anyhow::Result<Access> {
        let mut databases = BTreeMap::new();
        for name in &manifest.sqlite_databases {
            databases.insert(name.clone(), self.database(name)?);
        }
        for name in &manifest.key_value_stores {
            if name != DEFAULT && !self.config.stores.contains(name) {
                bail!("the key-value store {name} is not in the runtime configuration");
            }
        }
        Ok(Access {
            variables: self.variables.of(manifest)?,
            databases,
            stores: manifest.key_value_stores.clone(),
            key_value: self.key_value.clone(),
        })
    }

    /// Spin refuses to start with a database that nobody has defined, and so do we.
    fn database(&self, name: &str) -> anyhow::Result<PathBuf> {
        match self.config.databases.get(name) {
            Some(Some(file)) => Ok(file.clone()),
            Some(None) => Ok(self.options.state_dir.join(format!("sqlite_{name}.db"))),
            None if name == DEFAULT => Ok(self.options.state_dir.join("sqlite_db.db")),
            None => bail!("the database {name} is not in the runtime configuration"),
        }
    }

    fn beside_manifest(&self, path: &str) -> PathBuf {
        self.options.from.parent().unwrap_or(Path::new("")).join(path)
    }
}
