//! The secrets of a source: given by the provider or made here, sealed, and read again.

use data_encoding::{BASE32_DNSSEC, BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};
use shared::{domain::Timestamp, ports::Tenant, problem::Problem};

use super::Source;
use crate::recipe::{Algorithm, Error, Recipe, SecretEncoding};

/// A signing secret, and until when it counts.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Secret {
    /// The secret as the provider writes it.
    pub text: String,
    /// When it stops counting; never when absent.
    pub until: Option<Timestamp>,
}

impl Secret {
    /// A new one.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), until: None }
    }

    /// Whether it counts at this moment.
    pub fn counts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|it| now < it)
    }
}

/// A secret of the shape that the recipe has.
fn made(at: &impl Tenant, recipe: &Recipe) -> Result<String, Problem> {
    let mut random = [0; 24];
    at.random(&mut random)?;
    let text = match recipe.secret.encoding {
        SecretEncoding::Utf8 => BASE32_DNSSEC.encode(&random),
        SecretEncoding::Base64 => BASE64.encode(&random),
        SecretEncoding::Hex => HEXLOWER.encode(&random),
    };
    let prefix = match recipe.signature.algorithm {
        Algorithm::Basic => "backplane:",
        _ => recipe.secret.prefix.as_deref().unwrap_or(""),
    };
    Ok(format!("{prefix}{text}"))
}

/// The secret to use, and whether we made it: the one given, when it fits the recipe, or a new
/// one. None for a recipe that verifies nothing.
pub(super) fn chosen(
    at: &impl Tenant,
    recipe: &Recipe,
    given: Option<String>,
) -> Result<Option<(String, bool)>, Problem> {
    let unfit = |err| Problem::unfitting("secret", err);
    match given {
        None if recipe.signature.algorithm == Algorithm::None => Ok(None),
        None if recipe.takes_any_secret() => Ok(Some((made(at, recipe)?, true))),
        None => Err(unfit(Error::SecretNeeded)),
        Some(text) => {
            recipe.check_secret(&text).map_err(unfit)?;
            Ok(Some((text, false)))
        }
    }
}

/// What is shown once: a secret that we made.
pub(super) fn shown_once(chosen: Option<(String, bool)>) -> Option<String> {
    chosen.and_then(|(text, is_ours)| is_ours.then_some(text))
}

/// All of them, sealed.
pub(super) async fn seal(at: &impl Tenant, secrets: &[Secret]) -> Result<String, Problem> {
    let text = serde_json::to_vec(secrets).map_err(|it| Problem::internal().caused_by(it))?;
    Ok(at.seal(&text).await?)
}

/// The secrets of a source, the newest first.
pub async fn secrets(at: &impl Tenant, source: &Source) -> Result<Vec<Secret>, Problem> {
    let text = at.unseal(&source.sealed).await?;
    serde_json::from_slice(&text).map_err(|it| Problem::internal().caused_by(it))
}
