//! For how long events and messages are kept: by the tenant's setting, or by the event itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    domain::Draft,
    http::{Response, StatusCode, etag, header, json as json_response, with_header},
    ports::Tenant,
    problem::Problem,
    route::Call,
};
use utoipa::ToSchema;

use super::store;

/// For how many days things are kept when nobody says.
pub const DAYS_DEFAULT: u32 = 30;
/// For how many days they are kept at most.
pub const DAYS_MAX: u32 = 90;
/// The shortest time that one event is kept, in seconds.
pub const SECONDS_MIN: u32 = 60;
/// The longest time that one event is kept, in seconds: 90 days.
pub const SECONDS_MAX: u32 = DAYS_MAX * DAY_SECONDS;

const DAY_SECONDS: u32 = 24 * 60 * 60;

/// How webhooks are kept.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// For how many days events, with their deliveries and attempts, and messages are kept: 1 to
    /// 90, 30 by default. It counts for what arrives after the change.
    pub retention_days: u32,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self { retention_days: DAYS_DEFAULT }
    }
}

impl WebhookSettings {
    /// For how long what arrives now is kept.
    pub fn kept(self) -> Duration {
        Duration::from_secs(u64::from(self.retention_days) * u64::from(DAY_SECONDS))
    }

    fn check(self) -> Result<Self, Problem> {
        match (1..=DAYS_MAX).contains(&self.retention_days) {
            true => Ok(self),
            false => Err(Problem::unfitting("retention_days", format!("1 to {DAYS_MAX}"))),
        }
    }
}

/// For how long one event asks to be kept, if it does. It stands above the setting.
///
/// # Errors
/// 422 when that is too short or too long.
pub fn asked(seconds: Option<u32>) -> Result<Option<Duration>, Problem> {
    if seconds.is_some_and(|it| !(SECONDS_MIN..=SECONDS_MAX).contains(&it)) {
        let why = format!("{SECONDS_MIN} to {SECONDS_MAX}");
        return Err(Problem::unfitting("retention_seconds", why));
    }
    Ok(seconds.map(|it| Duration::from_secs(it.into())))
}

fn shown(settings: WebhookSettings, version: i64) -> Response {
    with_header(json_response(StatusCode::OK, &settings), header::ETAG, &etag(version))
}

/// Reads the settings.
pub async fn get(at: &impl Tenant) -> Result<Response, Problem> {
    let (settings, version) = store::settings(at).await?;
    Ok(shown(settings, version))
}

/// Changes the settings.
pub async fn put(at: &impl Tenant, call: &Call) -> Result<Response, Problem> {
    let after = call.json::<WebhookSettings>()?.check()?;
    let (before, version) = store::settings(at).await?;
    if call.if_match()?.is_some_and(|it| it != version) {
        return Err(Problem::changed_meanwhile());
    }
    let data = json!({"retention_days": after.retention_days, "before": before.retention_days});
    let (action, subject) = ("webhooks.settings", "webhooks".to_owned());
    let entry = Draft { action, subject, data };
    let commit = store::put_settings(after, version).entry(entry);
    at.answer(commit, shown(after, version + 1), Problem::changed_meanwhile).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_day_to_ninety() {
        for (days, fits) in [(0, false), (1, true), (90, true), (91, false)] {
            assert_eq!(WebhookSettings { retention_days: days }.check().is_ok(), fits, "{days}");
        }
        assert_eq!(WebhookSettings::default().kept(), Duration::from_secs(2_592_000));
    }

    #[test]
    fn an_event_asks_for_a_minute_to_ninety_days() {
        for (seconds, fits) in [(59, false), (60, true), (7_776_000, true), (7_776_001, false)] {
            assert_eq!(asked(Some(seconds)).is_ok(), fits, "{seconds}");
        }
        assert_eq!(asked(None).unwrap(), None);
    }
}
