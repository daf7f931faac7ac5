//! `platform = "zalo_bot"`

use std::time::Duration;

use url::Url;

use super::Receive;
use super::Table;
use crate::config::ConfigError;
use crate::domain::quota::Quota;
use crate::domain::secret::Secret;

/// The keys of such an account.
pub(super) const KEYS: &[&str] = &[
    "name",
    "platform",
    "api_url",
    "token",
    "receive",
    "webhook_secret",
    "poll_spacing_ms",
    "monthly_quota",
    "quota_reserve",
    "limits",
];

/// Messages a month on the free plan.
const FREE_PLAN: u64 = 3_000;

/// Polls a second would be wasted on a platform that hands out one message a poll to fifty people.
const SPACING_MS: u64 = 500;

/// What setWebhook takes as a secret.
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 8..=256;

/// A Zalo Bot.
#[derive(Debug, Clone)]
pub struct ZaloBotConfig {
    /// The base of the Zalo Bot API.
    pub api_url: Url,
    /// The bot's token.
    pub token: Secret,
    /// Poll or webhook.
    pub receive: Receive,
    /// At least this long between the starts of two polls.
    pub poll_spacing: Duration,
    /// How many messages a month it has; `None`: as many as it likes.
    pub quota: Option<Quota>,
}

pub(super) fn read(table: &Table<'_>) -> Result<ZaloBotConfig, ConfigError> {
    let raw = table.raw;
    let monthly = table.number(
        "monthly_quota",
        &raw.monthly_quota,
        0..=100_000_000,
        FREE_PLAN,
    )?;
    let reserve = table.number(
        "quota_reserve",
        &raw.quota_reserve,
        0..=monthly,
        monthly / 10,
    )?;
    let spacing = table.number(
        "poll_spacing_ms",
        &raw.poll_spacing_ms,
        0..=60_000,
        SPACING_MS,
    )?;
    let receive = table.receive()?;
    if let Receive::Webhook(secret) = &receive {
        let length = secret.expose().chars().count();
        // Not fetched where nothing is asked of the platform.
        if length > 0 && !SECRET_LENGTH.contains(&length) {
            return Err(table.error(format!(
                "the `webhook_secret` of account `{}` has {length} characters, but Zalo takes {} to {}",
                table.name,
                SECRET_LENGTH.start(),
                SECRET_LENGTH.end()
            )));
        }
    }
    Ok(ZaloBotConfig {
        api_url: table.url("api_url", &raw.api_url, "https://bot-api.zaloplatforms.com")?,
        token: table.secret("token", &raw.token)?,
        receive,
        poll_spacing: Duration::from_millis(spacing),
        quota: (monthly > 0).then_some(Quota { monthly, reserve }),
    })
}
