//! `platform = "telegram"`

use url::Url;

use super::Receive;
use super::Table;
use crate::config::ConfigError;
use crate::domain::secret::Secret;

/// The keys of such an account.
pub(super) const KEYS: &[&str] = &[
    "name",
    "platform",
    "api_url",
    "token",
    "receive",
    "webhook_secret",
    "limits",
];

/// A Telegram bot.
#[derive(Debug, Clone)]
pub struct TelegramConfig {
    /// The base of the Bot API.
    pub api_url: Url,
    /// The bot's token.
    pub token: Secret,
    /// Poll or webhook.
    pub receive: Receive,
}

pub(super) fn read(table: &Table<'_>) -> Result<TelegramConfig, ConfigError> {
    Ok(TelegramConfig {
        api_url: table.url("api_url", &table.raw.api_url, "https://api.telegram.org")?,
        token: table.secret("token", &table.raw.token)?,
        receive: table.receive()?,
    })
}
