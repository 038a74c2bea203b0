//! Who caused a notice.

use serde::{Deserialize, Serialize};
use shared::problem::Problem;
use utoipa::ToSchema;

use super::is_link;

/// The longest name of who caused a notice, in characters.
const NAME_CHARS_MAX: usize = 120;

/// Who caused a notice, as its readers are shown them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeActor {
    /// Up to 120 characters.
    pub name: String,
    /// A picture of them, by https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

impl NoticeActor {
    /// Whether it can be shown.
    ///
    /// # Errors
    /// The 422 of what does not fit.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if !(1..=NAME_CHARS_MAX).contains(&self.name.trim().chars().count()) {
            let why = format!("1 to {NAME_CHARS_MAX} characters");
            return Err(Problem::unfitting("actor.name", why));
        }
        let fits = |it: &String| it.starts_with("https://") && is_link(it);
        match self.image.as_ref().is_none_or(fits) {
            true => Ok(()),
            false => Err(Problem::unfitting("actor.image", "an address of https")),
        }
    }
}
