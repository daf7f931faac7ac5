//! `[[account]]` and `[limits.…]`: the bot identities.
//!
//! Which keys an account has depends on its platform: each has a module here with its list of keys, its
//! settings, and the reading of them.

mod facebook;
mod telegram;
mod zalo_bot;
mod zalo_oa;

use std::path::Path;

use toml::Spanned;
use url::Url;

pub use facebook::FacebookConfig;
pub use telegram::TelegramConfig;
pub use zalo_bot::ZaloBotConfig;
pub use zalo_oa::FirstTokensConfig;
pub use zalo_oa::ZaloOaConfig;

use super::ConfigError;
use super::Secrets;
use super::file::Document;
use super::file::NativeId;
use super::file::RawAccount;
use super::file::RawConfig;
use super::file::RawLimits;
use super::file::RawSecret;
use crate::domain::account::Platform;
use crate::domain::ids::AccountName;
use crate::domain::quota::Quota;
use crate::domain::secret::Secret;

/// How an account gets its news, where the platform leaves the choice.
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
    /// How much it may send.
    pub limits: Limits,
    /// Where it lives, and what that platform wants to know.
    pub door: Door,
}

/// What an account needs, by its platform.
#[derive(Debug, Clone)]
pub enum Door {
    /// `platform = "telegram"`
    Telegram(TelegramConfig),
    /// `platform = "zalo_bot"`
    ZaloBot(ZaloBotConfig),
    /// `platform = "zalo_oa"`
    ZaloOa(Box<ZaloOaConfig>),
    /// `platform = "facebook"`
    Facebook(Box<FacebookConfig>),
}

impl AccountConfig {
    /// Where it lives.
    #[must_use]
    pub fn platform(&self) -> Platform {
        match self.door {
            Door::Telegram(_) => Platform::Telegram,
            Door::ZaloBot(_) => Platform::ZaloBot,
            Door::ZaloOa(_) => Platform::ZaloOa,
            Door::Facebook(_) => Platform::Facebook,
        }
    }

    /// The base of the platform's API.
    #[must_use]
    pub fn api_url(&self) -> &Url {
        match &self.door {
            Door::Telegram(door) => &door.api_url,
            Door::ZaloBot(door) => &door.api_url,
            Door::ZaloOa(door) => &door.api_url,
            Door::Facebook(door) => &door.api_url,
        }
    }

    /// A month's messages, where the platform counts them.
    #[must_use]
    pub fn quota(&self) -> Option<Quota> {
        match &self.door {
            Door::Telegram(_) | Door::ZaloOa(_) | Door::Facebook(_) => None,
            Door::ZaloBot(door) => door.quota,
        }
    }

    /// Whether the platform calls us.
    #[must_use]
    pub fn takes_webhooks(&self) -> bool {
        match &self.door {
            Door::Telegram(door) => matches!(door.receive, Receive::Webhook(_)),
            Door::ZaloBot(door) => matches!(door.receive, Receive::Webhook(_)),
            Door::ZaloOa(_) | Door::Facebook(_) => true,
        }
    }

    /// Whether we tell the platform where to call us; the webhooks of an OA and of a Page are set by hand in
    /// the consoles of Zalo and Meta.
    #[must_use]
    pub fn tells_its_webhook(&self) -> bool {
        self.takes_webhooks() && !matches!(self.door, Door::ZaloOa(_) | Door::Facebook(_))
    }
}

/// The platforms that can be named, and the keys of `[[account]]` on each.
const PLATFORMS: &[(Platform, &[&str])] = &[
    (Platform::Telegram, telegram::KEYS),
    (Platform::ZaloBot, zalo_bot::KEYS),
    (Platform::ZaloOa, zalo_oa::KEYS),
    (Platform::Facebook, facebook::KEYS),
];

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
    let wanted = raw.platform.get_ref().as_str();
    let known = PLATFORMS
        .iter()
        .find(|(platform, _)| platform.as_str() == wanted);
    let Some(&(platform, keys)) = known else {
        let names: Vec<String> = PLATFORMS
            .iter()
            .map(|(platform, _)| format!("{:?}", platform.as_str()))
            .collect();
        return Err(file.error(
            Some(raw.platform.span().start),
            format!(
                "`account.platform` is {wanted:?}, but should be {}",
                names.join(" or ")
            ),
        ));
    };
    if let Some((key, at)) = raw
        .written()
        .into_iter()
        .find(|(key, _)| !keys.contains(key))
    {
        let expected: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        return Err(file.error(
            Some(at),
            format!(
                "`account.{key}` does not belong to platform {wanted:?}, expected one of {}",
                expected.join(", ")
            ),
        ));
    }
    let table = Table {
        file,
        raw,
        name: &name,
        vault,
    };
    let door = match platform {
        Platform::Telegram => Door::Telegram(telegram::read(&table)?),
        Platform::ZaloBot => Door::ZaloBot(zalo_bot::read(&table)?),
        Platform::ZaloOa => Door::ZaloOa(Box::new(zalo_oa::read(&table)?)),
        Platform::Facebook => Door::Facebook(Box::new(facebook::read(&table)?)),
    };
    let default = config.limits.get(platform.as_str());
    let bound = |key: &str, pick: fn(&RawLimits) -> &Option<Spanned<i64>>| {
        let own = raw
            .limits
            .as_ref()
            .map(|limits| pick(limits.get_ref()))
            .filter(|number| number.is_some());
        let number = own.or(default.map(pick)).unwrap_or(&None);
        file.number(key, number, 1..=100_000)
    };
    let limits = Limits {
        per_second: bound("account.limits.per_second", |limits| &limits.per_second)? as u32,
        room_per_minute: bound("account.limits.room_per_minute", |limits| {
            &limits.room_per_minute
        })? as u32,
    };
    Ok(AccountConfig { name, limits, door })
}

/// One `[[account]]`, for the module of its platform.
struct Table<'a> {
    file: &'a Document<'a>,
    raw: &'a RawAccount,
    name: &'a AccountName,
    vault: &'a Vault<'a>,
}

impl Table<'_> {
    /// An error about the account as a whole; it points at the head of its table.
    fn error(&self, message: String) -> ConfigError {
        let at = self.raw.name.span().start;
        self.file.error(Some(first_line_of(self.file, at)), message)
    }

    /// A key that the platform cannot do without.
    fn needed<'v, T>(&self, key: &str, value: &'v Option<T>) -> Result<&'v T, ConfigError> {
        let missing = || self.error(format!("account `{}` needs `{key}`", self.name));
        value.as_ref().ok_or_else(missing)
    }

    /// The base of an API.
    fn url(
        &self,
        key: &str,
        value: &Option<Spanned<String>>,
        example: &str,
    ) -> Result<Url, ConfigError> {
        let text = self.needed(key, value)?;
        Url::parse(text.get_ref())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                self.file.error(
                    Some(text.span().start),
                    format!(
                        "`account.{key}` is {:?}, but should be a URL such as {example}",
                        text.get_ref()
                    ),
                )
            })
    }

    /// An id of a platform's that is a number: digits, with or without quotes.
    fn number_id(
        &self,
        key: &str,
        value: &Option<Spanned<NativeId>>,
    ) -> Result<String, ConfigError> {
        let raw = self.needed(key, value)?;
        let id = raw.get_ref().to_string().trim().to_owned();
        if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(id);
        }
        Err(self.file.error(
            Some(raw.span().start),
            format!(
                "`account.{key}` is {id:?}, but should be a number such as \"2553928453557884079\""
            ),
        ))
    }

    /// A secret, fetched from where it is.
    fn secret(&self, key: &str, value: &Option<Spanned<RawSecret>>) -> Result<Secret, ConfigError> {
        let raw = self.needed(key, value)?;
        secret(self.file, &format!("account.{key}"), raw, self.vault)
    }

    /// A number within bounds, or what it is when nobody says.
    fn number(
        &self,
        key: &str,
        value: &Option<Spanned<i64>>,
        bounds: std::ops::RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, ConfigError> {
        match value {
            Some(_) => self.file.number(&format!("account.{key}"), value, bounds),
            None => Ok(default),
        }
    }

    /// Poll or webhook, for platforms that have both.
    fn receive(&self) -> Result<Receive, ConfigError> {
        let Some(word) = &self.raw.receive else {
            return Ok(Receive::Poll);
        };
        match word.get_ref().as_str() {
            "poll" => Ok(Receive::Poll),
            "webhook" if self.raw.webhook_secret.is_none() => Err(self.error(format!(
                "account `{}` has receive = \"webhook\", which needs `webhook_secret`",
                self.name
            ))),
            "webhook" => {
                let secret = self.secret("webhook_secret", &self.raw.webhook_secret)?;
                Ok(Receive::Webhook(secret))
            }
            other => Err(self.file.error(
                Some(word.span().start),
                format!("`account.receive` is {other:?}, but should be \"poll\" or \"webhook\""),
            )),
        }
    }
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

/// The keys that an account of this platform may have; the manual is held against them.
#[cfg(test)]
pub(super) fn keys() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    PLATFORMS
        .iter()
        .map(|(platform, keys)| (platform.as_str(), *keys))
}
