//! `platform = "zalo_oa"`

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::Table;
use crate::config::ConfigError;
use crate::config::file::RawSecret;
use crate::domain::secret::Secret;

/// The keys of such an account.
pub(super) const KEYS: &[&str] = &[
    "name",
    "platform",
    "api_url",
    "oauth_url",
    "app_id",
    "oa_id",
    "app_secret",
    "webhook_secret",
    "first_tokens",
    "catch_up_minutes",
    "limits",
];

/// Between two readings of the groups' history.
const CATCH_UP_MINUTES: u64 = 15;

/// A Zalo Official Account.
#[derive(Debug, Clone)]
pub struct ZaloOaConfig {
    /// The base of the OA's API.
    pub api_url: Url,
    /// The base of the token endpoint.
    pub oauth_url: Url,
    /// The app that the OA has let in.
    pub app_id: String,
    /// The OA's own id.
    pub oa_id: String,
    /// The app's secret.
    pub app_secret: Secret,
    /// The OA's secret key, with which webhooks are signed.
    pub webhook_secret: Secret,
    /// Where the first pair of tokens is.
    pub first_tokens: FirstTokensConfig,
    /// Between two readings of the groups' history.
    pub catch_up: Duration,
}

/// Where the first pair of tokens is: JSON with `access_token` and `refresh_token`.
#[derive(Debug, Clone)]
pub enum FirstTokensConfig {
    /// In a file; it need not be there once newer pairs are in the store.
    File(PathBuf),
    /// In the environment.
    Told(Secret),
}

pub(super) fn read(table: &Table<'_>) -> Result<ZaloOaConfig, ConfigError> {
    let raw = table.raw;
    let minutes = table.number(
        "catch_up_minutes",
        &raw.catch_up_minutes,
        1..=1440,
        CATCH_UP_MINUTES,
    )?;
    let first = table.needed("first_tokens", &raw.first_tokens)?;
    let first_tokens = match first.get_ref() {
        RawSecret::File { file } => FirstTokensConfig::File(table.vault.base.join(file)),
        RawSecret::Env { .. } | RawSecret::Inline(_) => {
            FirstTokensConfig::Told(table.secret("first_tokens", &raw.first_tokens)?)
        }
    };
    Ok(ZaloOaConfig {
        api_url: table.url("api_url", &raw.api_url, "https://openapi.zalo.me")?,
        oauth_url: table.url("oauth_url", &raw.oauth_url, "https://oauth.zaloapp.com")?,
        app_id: table.number_id("app_id", &raw.app_id)?,
        oa_id: table.number_id("oa_id", &raw.oa_id)?,
        app_secret: table.secret("app_secret", &raw.app_secret)?,
        webhook_secret: table.secret("webhook_secret", &raw.webhook_secret)?,
        first_tokens,
        catch_up: Duration::from_secs(60 * minutes),
    })
}
