//! The demo tenant: made once for each runtime, so that there is something to call.

use std::{fs, path::Path};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// A tenant to try things with.
pub struct Demo {
    /// Its id.
    pub tenant: String,
    /// A key that may do everything in it.
    pub key: String,
}

impl Demo {
    /// The demo tenant that `file` remembers. It is made when the service does not know it.
    pub fn load_or_make(file: &Path, address: &str, operator_key: &str) -> anyhow::Result<Self> {
        if let Some(known) = Self::load(file)
            && get(&format!("{address}/v1/log"), &known.key)? == 200
        {
            return Ok(known);
        }
        let made = Self::make(address, operator_key)?;
        let text = format!("tenant = \"{}\"\nkey = \"{}\"\n", made.tenant, made.key);
        fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
        Ok(made)
    }

    fn load(file: &Path) -> Option<Self> {
        let table: toml::Table = fs::read_to_string(file).ok()?.parse().ok()?;
        let field = |name: &str| table.get(name)?.as_str().map(str::to_owned);
        Some(Self { tenant: field("tenant")?, key: field("key")? })
    }

    fn make(address: &str, operator_key: &str) -> anyhow::Result<Self> {
        let tenant = json!({ "name": "Demo", "sandbox": true });
        let made = post(&format!("{address}/v1/tenants"), operator_key, None, &tenant)?;
        let tenant = text(&made, "id")?;
        let key = json!({ "name": "demo", "scopes": ["*"] });
        let made = post(&format!("{address}/v1/keys"), operator_key, Some(&tenant), &key)?;
        Ok(Self { tenant, key: text(&made, "secret")? })
    }
}

/// The status of an answer; an error when there is none.
pub fn get(url: &str, key: &str) -> anyhow::Result<u16> {
    let mut request = agent().get(url);
    if !key.is_empty() {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    Ok(request.call()?.status().as_u16())
}

/// Posts JSON, and gives the answer back if it is a good one.
pub fn post(url: &str, key: &str, tenant: Option<&str>, body: &Value) -> anyhow::Result<Value> {
    let mut request = agent()
        .post(url)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json");
    if let Some(tenant) = tenant {
        request = request.header("backplane-tenant", tenant);
    }
    let mut answer = request.send(body.to_string())?;
    let status = answer.status();
    let said = answer.body_mut().read_to_string()?;
    if !status.is_success() {
        bail!("POST {url}: {status} {said}");
    }
    serde_json::from_str(&said).with_context(|| format!("POST {url}: {said}"))
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(std::time::Duration::from_secs(30)))
        .build()
        .into()
}

fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    let found = value.get(name).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("an answer without {name}: {value}"))
}
