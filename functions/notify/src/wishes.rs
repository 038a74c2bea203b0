//! What somebody wants to hear of, and when: preferences as they are kept, read and put.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::{Commit, Draft, Id, WORD, is_word},
    http::{Response, StatusCode, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use crate::{
    preference::{MUTED_MAX, Muted, Preferences},
    quiet::QuietHours,
    store,
};

/// The key of what the tenant presumes of everybody.
pub const TENANT: &str = "";

/// What somebody wants to hear of, and when.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = NoticePreferences)]
pub struct Wishes {
    /// What is wanted.
    pub preferences: Preferences,
    /// Which resources are not, each until when; `null` is for good. Of a recipient only.
    #[serde(skip_serializing_if = "Muted::is_empty")]
    #[schema(value_type = std::collections::BTreeMap<String, Option<String>>)]
    pub muted: Muted,
    /// When mail waits. A recipient who has none has those of the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    /// Counts the changes; the ETag.
    #[serde(skip)]
    pub version: i64,
}

impl Wishes {
    fn checked(self, key: &str) -> Result<Self, Problem> {
        let unfit = |path, why: String| Problem::unfitting(path, why);
        if key == TENANT && !self.muted.is_empty() {
            return Err(unfit("muted", "a resource is muted by a recipient".to_owned()));
        }
        if self.muted.len() > MUTED_MAX || !self.muted.keys().all(|it| is_word(it)) {
            return Err(unfit("muted", format!("up to {MUTED_MAX}, each {WORD}")));
        }
        let preferences = self.preferences.checked();
        let preferences = preferences.map_err(|it| unfit("preferences", it.to_string()))?;
        let quiet_hours = self.quiet_hours.map(QuietHours::checked).transpose();
        let quiet_hours = quiet_hours.map_err(|it| unfit("quiet_hours", it.to_string()))?;
        Ok(Self { preferences, quiet_hours, ..self })
    }
}

/// Reads somebody's; who never said anything has none.
pub async fn get(at: &impl Tenant, key: &str) -> Result<Response, Problem> {
    Ok(answer(&store::find_wishes(at, key).await?))
}

fn answer(it: &Wishes) -> Response {
    with_header(json_response(StatusCode::OK, it), header::ETAG, &etag(it.version))
}

/// Puts somebody's.
pub async fn put(at: &impl Tenant, call: &Call, key: &str) -> Result<Response, Problem> {
    let wishes = call.json::<Wishes>()?.checked(key)?;
    let before = store::find_wishes(at, key).await?;
    if call.if_match()?.is_some_and(|it| it != before.version) {
        return Err(Problem::changed_meanwhile());
    }
    let wishes = Wishes { version: before.version + 1, ..wishes };
    let commit = changed(key, &before, &wishes, "api");
    at.answer(commit, answer(&wishes), Problem::changed_meanwhile).await
}

/// The change, and the entry that proves each consent that it gives or takes.
pub fn changed(key: &str, before: &Wishes, after: &Wishes, by: &str) -> Commit {
    let subject = Id::trusted(if key == TENANT { "tenant".to_owned() } else { key.to_owned() });
    let changes = before.preferences.changes(&after.preferences);
    let entry = Draft::new("preferences.changed", &subject)
        .with(json!({"by": by, "changes": changes, "version": after.version}));
    store::put_wishes(key, after).entry(entry)
}
