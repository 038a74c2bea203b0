//! Application variables, and what a component sees of them (`spin:variables`).

use std::collections::BTreeMap;

use anyhow::bail;
use wasmtime::component::Accessor;

use crate::{
    bindings::variables as spin,
    manifest::{Component, Manifest},
    state::{Has, State},
    template::expand,
};

/// The application's variables that have a value.
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Takes each value from the command line, else the environment, else the manifest.
    pub fn resolve(
        manifest: &Manifest,
        command_line: &[(String, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        let mut values = BTreeMap::new();
        let mut missing = vec![];
        for (name, declared) in &manifest.variables {
            let given = command_line.iter().rev().find(|(given, _)| given == name);
            let value = given
                .map(|(_, value)| value.clone())
                .or_else(|| environment(&format!("SPIN_VARIABLE_{}", name.to_uppercase())))
                .or_else(|| declared.default.clone());
            match value {
                Some(value) => {
                    values.insert(name.clone(), value);
                }
                None => missing.push(name.as_str()),
            }
        }
        if !missing.is_empty() {
            let names = missing.join(", ");
            bail!("these variables have no value: {names}; pass --variable NAME=VALUE");
        }
        Ok(Self(values))
    }

    /// The value of an application variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The variables that this component declares, expanded.
    pub fn of(&self, component: &Component) -> anyhow::Result<BTreeMap<String, String>> {
        let expanded = component.variables.iter();
        expanded.map(|(name, template)| Ok((name.clone(), self.expand(template)?))).collect()
    }

    /// Puts application variables in the place of their names.
    pub fn expand(&self, template: &str) -> anyhow::Result<String> {
        expand(template, |name| match self.get(name) {
            Some(value) => Ok(value.to_owned()),
            None => bail!("the application has no variable {name}"),
        })
    }
}

impl spin::Host for State {}

impl<T: Send> spin::HostWithStore<T> for Has {
    async fn get(
        store: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, spin::Error>> {
        let value = store.with(|mut access| access.get().access.variables.get(&name).cloned());
        Ok(value.ok_or_else(|| spin::Error::Undefined(format!("no variable named {name}"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
        spin_manifest_version = 2
        [variables]
        colour = { default = "red" }
        key = { required = true, secret = true }
        [component.one]
        source = "one.wasm"
        variables = { both = "{{ colour }}-{{ key }}" }
    "#;

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_default() {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        let given = [("key".to_owned(), "a".to_owned()), ("key".to_owned(), "b".to_owned())];
        let environment = |name: &str| (name == "SPIN_VARIABLE_COLOUR").then(|| "blue".to_owned());

        let variables = Variables::resolve(&manifest, &given, environment).unwrap();

        let component = manifest.components.get("one").unwrap();
        assert_eq!(variables.of(component).unwrap()["both"], "blue-b");
    }

    #[test]
    fn a_variable_without_a_value_is_named() {
        let manifest = Manifest::parse(MANIFEST).unwrap();

        let refused = Variables::resolve(&manifest, &[], |_| None).err().unwrap();

        assert!(refused.to_string().contains("no value: key;"));
    }
}
