//! What the plugin calls.

use crate::{
    address::Address,
    bindings::{Error, Guest, Metadata, fermyon::spin::variables},
    post::post,
};

const PATH: &str = "/tick";

/// The component.
pub struct Cron;

impl Guest for Cron {
    /// The plugin logs the error and calls again when its time comes; there is nothing to retry here.
    fn handle_cron_event(_: Metadata) -> Result<(), Error> {
        tick().map_err(Error::Other)
    }
}

fn tick() -> Result<(), String> {
    let key = setting("operator_key")?;
    let url = setting("backplane_url")?;
    let address = Address::parse(&url);
    let address = address.ok_or("backplane_url is not like https://backplane.example.com")?;
    let status = post(&address, PATH, &format!("Bearer {key}"))?;
    if (200..300).contains(&status) {
        return Ok(());
    }
    Err(format!("POST {PATH} was answered with {status}"))
}

fn setting(name: &str) -> Result<String, String> {
    variables::get(name).map_err(|err| format!("reading the variable {name}: {err:?}"))
}
