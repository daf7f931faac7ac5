//! `[[account]]` and `[limits.…]`: the bot identities.

use std::path::Path;

use toml::Spanned;
use url::Url;

use super::ConfigError;
use super::Secrets;
use super::file::Document;
use super::file::RawAccount;
use super::file::RawConfig;
use super::file::RawLimits;
use super::file::RawSecret;
use crate::domain::account::Platform;
use crate::domain::ids::AccountName;
use crate::domain::secret::Secret;

/// How an account gets its news.
#[derive(Debug, Clone)]
pub enum Receive {
    /// We ask.
    Poll,
    /// The platform calls us, and proves itself with this secret.
    Webhook(Secret),
}

/// How much an account may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Messages a second, for the whole account.
    pub per_second: u32,
    /// Messages a minute, for each group.
    pub room_per_minute: u32,
}

/// One bot identity.
#[derive(Debug, Clone)]
pub struct AccountConfig {
    /// Our own name for it.
    pub name: AccountName,
    /// Where it lives.
    pub platform: Platform,
    /// The base of the platform's API.
    pub api_url: Url,
    /// The bot's token.
    pub token: Secret,
    /// Poll or webhook.
    pub receive: Receive,
    /// How much it may send.
    pub limits: Limits,
}

/// Where secrets are fetched.
pub(super) struct Vault<'a> {
    /// Files are named relative to this directory.
    pub(super) base: &'a Path,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    pub(super) secrets: Secrets,
}

pub(super) fn accounts(
    file: &Document<'_>,
    raw: &RawConfig,
    vault: &Vault<'_>,
) -> Result<Vec<AccountConfig>, ConfigError> {
    let mut accounts: Vec<AccountConfig> = Vec::new();
    for account in &raw.account {
        let read = one(file, account, raw, vault)?;
        if accounts.iter().any(|other| other.name == read.name) {
            return Err(file.error(
                Some(account.name.span().start),
                format!("two accounts are called `{}`", read.name),
            ));
        }
        accounts.push(read);
    }
    Ok(accounts)
}

fn one(
    file: &Document<'_>,
    raw: &RawAccount,
    config: &RawConfig,
    vault: &Vault<'_>,
) -> Result<AccountConfig, ConfigError> {
    let at = raw.name.span().start;
    let name = AccountName::parse(raw.name.get_ref())
        .map_err(|error| file.error(Some(at), format!("`account.name`: {error}")))?;
    let platform = match raw.platform.get_ref().as_str() {
        "telegram" => Platform::Telegram,
        other => {
            return Err(file.error(
                Some(raw.platform.span().start),
                format!("`account.platform` is {other:?}, but should be \"telegram\""),
            ));
        }
    };
    let api_url = Url::parse(raw.api_url.get_ref())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| {
            file.error(
                Some(raw.api_url.span().start),
                format!("`account.api_url` is {:?}, but should be a URL such as https://api.telegram.org", raw.api_url.get_ref()),
            )
        })?;
    let token = secret(file, "account.token", &raw.token, vault)?;
    let receive = match raw
        .receive
        .as_ref()
        .map(|word| (word.get_ref().as_str(), word.span().start))
    {
        None | Some(("poll", _)) => Receive::Poll,
        Some(("webhook", _)) => {
            let Some(raw_secret) = &raw.webhook_secret else {
                return Err(file.error(
                    Some(at.saturating_sub(1).min(first_line_of(file, at))),
                    format!(
                        "account `{name}` has receive = \"webhook\", which needs `webhook_secret`"
                    ),
                ));
            };
            Receive::Webhook(secret(file, "account.webhook_secret", raw_secret, vault)?)
        }
        Some((other, at)) => {
            return Err(file.error(
                Some(at),
                format!("`account.receive` is {other:?}, but should be \"poll\" or \"webhook\""),
            ));
        }
    };
    let default = config.limits.get(platform.as_str());
    let bound = |key: &str, pick: fn(&RawLimits) -> &Option<Spanned<i64>>| {
        let own = raw
            .limits
            .as_ref()
            .map(pick)
            .filter(|number| number.is_some());
        let number = own.or(default.map(pick)).unwrap_or(&None);
        file.number(key, number, 1..=100_000)
    };
    Ok(AccountConfig {
        limits: Limits {
            per_second: bound("account.limits.per_second", |limits| &limits.per_second)? as u32,
            room_per_minute: bound("account.limits.room_per_minute", |limits| {
                &limits.room_per_minute
            })? as u32,
        },
        name,
        platform,
        api_url,
        token,
        receive,
    })
}

/// The start of the table that holds the byte at `at`: where an error about a missing key points.
fn first_line_of(file: &Document<'_>, at: usize) -> usize {
    file.text
        .get(..at)
        .and_then(|before| before.rfind("[[account]]"))
        .unwrap_or(at)
}

fn secret(
    file: &Document<'_>,
    key: &str,
    raw: &Spanned<RawSecret>,
    vault: &Vault<'_>,
) -> Result<Secret, ConfigError> {
    let fail = |message: String| file.error(Some(raw.span().start), message);
    if vault.secrets == Secrets::NotNeeded && !matches!(raw.get_ref(), RawSecret::Inline(_)) {
        return Ok(Secret::new(""));
    }
    let value = match raw.get_ref() {
        RawSecret::Env { env: name } => (vault.env)(name).ok_or_else(|| {
            fail(format!(
                "`{key}`: the environment variable {name} is not set"
            ))
        })?,
        RawSecret::File { file: path } => std::fs::read_to_string(vault.base.join(path))
            .map_err(|error| fail(format!("`{key}`: the file {path} cannot be read: {error}")))?,
        RawSecret::Inline(_) => {
            return Err(fail(format!(
                "`{key}` must be {{ env = \"NAME\" }} or {{ file = \"PATH\" }}: a secret never stands in the config itself"
            )));
        }
    };
    let value = value.trim();
    if value.is_empty() {
        return Err(fail(format!("`{key}` is empty")));
    }
    Ok(Secret::new(value))
}
