//! Providers as they are asked for: what a new one is made from, and what of one is changed.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{Kind, ProviderRate};
use crate::smtp::relay::Relay;

/// What a new provider is made from.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewNoticeProvider)]
pub struct NewProvider {
    /// Up to 120 characters.
    pub name: String,
    /// Whose API it is.
    pub kind: Kind,
    /// The key of the API: Postmark's server token, SES's secret access key, the password for a
    /// server of SMTP. Left out for one without a user. It is shown never again.
    #[serde(default)]
    pub key: Option<String>,
    /// SES's: the id of the access key, as `AKIA…`.
    #[serde(default)]
    pub key_id: Option<String>,
    /// SES's: the region; `us-east-1` when left out.
    #[serde(default)]
    pub region: Option<String>,
    /// Postmark's message stream, or SES's configuration set.
    #[serde(default)]
    pub stream: Option<String>,
    /// 0 to 100, and 10 when left out.
    #[serde(default)]
    pub priority: Option<u32>,
    /// 2 a second for Resend, 10 for the others when left out.
    #[serde(default)]
    pub rate: Option<ProviderRate>,
    /// `src_…`: the source of webhooks at which its events come in.
    #[serde(default)]
    pub source: Option<String>,
    /// Where it answers, if not at its own address: for tests.
    #[serde(default)]
    pub base_url: Option<String>,
    /// The server of `smtp`, and of nobody else.
    #[serde(default)]
    pub smtp: Option<Relay>,
}

/// What of a provider is changed; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoticeProviderChange)]
pub struct ProviderChange {
    /// Up to 120 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// A new key of the API.
    #[serde(default)]
    pub key: Option<String>,
    /// 0 to 100.
    #[serde(default)]
    pub priority: Option<u32>,
    /// How many it is given.
    #[serde(default)]
    pub rate: Option<ProviderRate>,
    /// Whether it is given any.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// `src_…`: the source of webhooks at which its events come in.
    #[serde(default)]
    pub source: Option<String>,
    /// The server of `smtp`, all of it, and with it the key.
    #[serde(default)]
    pub smtp: Option<Relay>,
}
