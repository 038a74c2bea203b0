//! `spin.toml`, as far as this host reads it.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// The application.
#[derive(Debug, Deserialize)]
pub struct Manifest {
    spin_manifest_version: u32,
    /// Application variables.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    #[serde(default)]
    trigger: BTreeMap<String, toml::Value>,
    /// Components by name.
    #[serde(default, rename = "component")]
    pub components: BTreeMap<String, Component>,
    /// The HTTP triggers, which are read from `trigger`.
    #[serde(skip)]
    pub http: Vec<HttpTrigger>,
}

/// An application variable.
#[derive(Debug, Deserialize)]
pub struct Variable {
    /// Its value when nobody gives one.
    pub default: Option<String>,
}

/// Which requests a component answers.
#[derive(Debug, Deserialize, PartialEq)]
pub struct HttpTrigger {
    /// The paths.
    pub route: RouteOption,
    /// The name of the component.
    pub component: String,
}

/// The route of a trigger.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum RouteOption {
    /// A pattern for paths.
    Public(String),
    /// Other components only.
    Private {
        /// Always true; Spin knows no other value.
        private: bool,
    },
}

/// A component.
#[derive(Clone, Debug, Deserialize)]
pub struct Component {
    /// The file, relative to the manifest.
    pub source: String,
    /// Whom it may send requests to.
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    /// The key-value stores that it may open.
    #[serde(default)]
    pub key_value_stores: Vec<String>,
    /// The databases that it may open.
    #[serde(default)]
    pub sqlite_databases: Vec<String>,
    /// Its variables, as templates.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Folders that it may read.
    #[serde(default)]
    pub files: Vec<Files>,
}

/// A folder of the host, and where the component finds it. Spin's patterns, such as `static/*`, are
/// not understood.
#[derive(Clone, Debug, Deserialize)]
pub struct Files {
    /// Relative to the manifest.
    pub source: String,
    /// Absolute, inside the component.
    pub destination: String,
}

impl Manifest {
    /// Reads the text of a `spin.toml`.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut manifest: Self = toml::from_str(text)?;
        ensure!(manifest.spin_manifest_version == 2, "only manifest version 2 is understood");
        if let Some(http) = manifest.trigger.remove("http") {
            manifest.http = http.try_into().context("in [[trigger.http]]")?;
        }
        for trigger in &manifest.http {
            let HttpTrigger { route, component } = trigger;
            let known = manifest.components.contains_key(component);
            ensure!(known, "a trigger names the component {component}, which is not there");
            let private = RouteOption::Private { private: false };
            ensure!(*route != private, "{component}: a route is a path or {{ private = true }}");
        }
        Ok(manifest)
    }

    /// Triggers of other kinds, which this host does not run.
    pub fn other_triggers(&self) -> impl Iterator<Item = &str> {
        self.trigger.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
        spin_manifest_version = 2

        [application]
        name = "tea"
        version = "0.1.0"

        [variables]
        key = { required = true, secret = true }

        [[trigger.http]]
        route = "/tea/..."
        component = "tea"

        [[trigger.http]]
        route = { private = true }
        component = "kettle"

        [[trigger.cron]]
        cron_expression = "* * * * * *"
        component = "kettle"

        [component.tea]
        source = "tea.wasm"
        allowed_outbound_hosts = ["http://kettle.spin.internal"]
        sqlite_databases = ["default"]
        files = [{ source = "static", destination = "/" }]
        [component.tea.variables]
        key = "{{ key }}"
        [component.tea.build]
        command = "cargo build"

        [component.kettle]
        source = "kettle.wasm"
    "#;

    #[test]
    fn routes_components_and_files_are_read() {
        let manifest = Manifest::parse(MANIFEST).unwrap();

        let routes: Vec<_> = manifest.http.iter().map(|trigger| &trigger.route).collect();
        let private = RouteOption::Private { private: true };
        assert_eq!(routes, [&RouteOption::Public("/tea/...".into()), &private]);
        let tea = &manifest.components["tea"];
        assert_eq!(tea.sqlite_databases, ["default"]);
        assert_eq!(tea.files[0].destination, "/");
        assert_eq!(manifest.other_triggers().collect::<Vec<_>>(), ["cron"]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (from, to) in [
            ("spin_manifest_version = 2", "spin_manifest_version = 1"),
            ("component = \"tea\"", "component = \"coffee\""),
            ("private = true", "private = false"),
            ("{ source = \"static\", destination = \"/\" }", "\"static/*\""),
        ] {
            assert!(Manifest::parse(&MANIFEST.replace(from, to)).is_err(), "{to}");
        }
    }
}
