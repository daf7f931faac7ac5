//! The file as it is written: every key optional, unknown ones refused, places remembered.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;

use super::ConfigError;

/// A text and its name, for errors that say where.
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) name: &'a str,
}

impl Document<'_> {
    /// Parses the text.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(self.text).map_err(|error| {
            // serde says "unknown field"; the reader of a config file knows keys.
            let message = error
                .message()
                .lines()
                .next()
                .unwrap_or_default()
                .replace("unknown field", "unknown key");
            let message = if message.contains("did not match any variant of untagged enum") {
                "a value of the wrong kind".to_owned()
            } else {
                message
            };
            self.error(error.span().map(|span| span.start), message)
        })
    }

    /// An error at a byte position of the text.
    pub(super) fn error(&self, at: Option<usize>, message: impl Into<String>) -> ConfigError {
        let place = match at {
            Some(at) => {
                let line = 1 + self
                    .text
                    .bytes()
                    .take(at)
                    .filter(|&byte| byte == b'\n')
                    .count();
                format!("{}, line {line}", self.name)
            }
            None => self.name.to_owned(),
        };
        ConfigError {
            place,
            message: message.into(),
        }
    }

    /// Turns a text into what it means, or says what it should have been.
    pub(super) fn value<T>(
        &self,
        key: &str,
        raw: &Option<Spanned<String>>,
        parse: impl FnOnce(&str) -> Option<T>,
        wanted: &str,
    ) -> Result<T, ConfigError> {
        let Some(raw) = raw else {
            return Err(self.error(None, format!("`{key}` is missing")));
        };
        parse(raw.get_ref()).ok_or_else(|| {
            self.error(
                Some(raw.span().start),
                format!("`{key}` is {:?}, but should be {wanted}", raw.get_ref()),
            )
        })
    }

    /// A number within bounds.
    pub(super) fn number(
        &self,
        key: &str,
        raw: &Option<Spanned<i64>>,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        let Some(raw) = raw else {
            return Err(self.error(None, format!("`{key}` is missing")));
        };
        u64::try_from(*raw.get_ref())
            .ok()
            .filter(|number| bounds.contains(number))
            .ok_or_else(|| {
                self.error(
                    Some(raw.span().start),
                    format!(
                        "`{key}` is {}, but should be between {} and {}",
                        raw.get_ref(),
                        bounds.start(),
                        bounds.end()
                    ),
                )
            })
    }
}

/// `own.or(default)`, field by field.
macro_rules! section {
    ($name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        #[derive(Deserialize, Default)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name { $(pub(super) $field: Option<$type>,)* }

        impl $name {
            fn over(self, default: Self) -> Self {
                Self { $($field: self.$field.or(default.$field),)* }
            }
        }
    };
}

section!(RawStore { kind: Spanned<String>, path: Spanned<String>, cache_mib: Spanned<i64>, min_free_mib: Spanned<i64>, keep_journal: bool, photos: bool, backup_hours: Spanned<i64>, });
section!(RawWeb { listen: Spanned<String>, public_url: Spanned<String>, });
section!(RawLog { format: Spanned<String>, level: Spanned<String>, });
section!(RawBot { names: Vec<String>, });
section!(RawLexicon { path: String });
section!(RawIntake { question_minutes: Spanned<i64>, join_hours: Spanned<i64>, default_area: Spanned<String>, private_kinds: Vec<Option<Spanned<String>>>, });
section!(RawOutbox { unknown: Spanned<String>, in_flight: Spanned<i64>, });
section!(RawAlert { expires_hours: Spanned<i64>, draft_minutes: Spanned<i64>, second_officer: bool, approval_minutes: Spanned<i64>, reminder_minutes: Spanned<i64>, quiet_hours: Spanned<String>, card: Spanned<String>, pin: Spanned<String>, templates: String, });
section!(RawDigest { late_hours: Spanned<i64>, });
section!(RawLimits { per_second: Spanned<i64>, room_per_minute: Spanned<i64>, });

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawArea {
    pub(super) id: Spanned<String>,
    pub(super) name: String,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
}

/// Where a secret is. An inline text is read only to refuse it in plain words.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum RawSecret {
    Env { env: String },
    File { file: String },
    Inline(#[expect(dead_code, reason = "read to be refused, never to be used")] toml::Value),
}

/// `[[account]]` with the keys of every platform: which of them belong together is known only when
/// `platform` has been read.
macro_rules! account {
    ($($key:ident: $type:ty),* $(,)?) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct RawAccount {
            pub(super) name: Spanned<String>,
            pub(super) platform: Spanned<String>,
            $(pub(super) $key: Option<Spanned<$type>>,)*
        }

        impl RawAccount {
            /// The keys that were written, with the places of their values, in the order of this list.
            pub(super) fn written(&self) -> Vec<(&'static str, usize)> {
                let places = [
                    ("name", Some(self.name.span().start)),
                    ("platform", Some(self.platform.span().start)),
                    $((stringify!($key), self.$key.as_ref().map(|value| value.span().start)),)*
                ];
                let written = places.into_iter().filter_map(|(key, at)| Some((key, at?)));
                written.collect()
            }
        }
    };
}

account! {
    api_url: String,
    token: RawSecret,
    receive: String,
    webhook_secret: RawSecret,
    limits: RawLimits,
    poll_spacing_ms: i64,
    monthly_quota: i64,
    quota_reserve: i64,
    oauth_url: String,
    app_id: NativeId,
    oa_id: NativeId,
    app_secret: RawSecret,
    first_tokens: RawSecret,
    catch_up_minutes: i64,
    page_id: NativeId,
    verify_token: RawSecret,
    utility_template: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOfficer {
    pub(super) name: String,
    pub(super) role: Spanned<String>,
    pub(super) area: Spanned<String>,
    #[serde(default)]
    pub(super) accounts: BTreeMap<Spanned<String>, NativeId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRoom {
    pub(super) account: Spanned<String>,
    pub(super) native: NativeId,
    pub(super) area: Spanned<String>,
    #[serde(default)]
    pub(super) quiet_hours: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) drills: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHandGroup {
    pub(super) name: Spanned<String>,
    pub(super) id: Option<Spanned<String>>,
    pub(super) area: Spanned<String>,
    pub(super) account: Spanned<String>,
    pub(super) admin: NativeId,
}

/// Platform ids are often written without quotes.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum NativeId {
    Text(String),
    Number(i64),
}

impl std::fmt::Display for NativeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    pub(super) store: RawStore,
    pub(super) web: RawWeb,
    pub(super) log: RawLog,
    pub(super) bot: RawBot,
    pub(super) lexicon: RawLexicon,
    pub(super) intake: RawIntake,
    pub(super) outbox: RawOutbox,
    pub(super) alert: RawAlert,
    pub(super) digest: RawDigest,
    pub(super) limits: BTreeMap<String, RawLimits>,
    pub(super) area: Vec<RawArea>,
    pub(super) account: Vec<RawAccount>,
    pub(super) officer: Vec<RawOfficer>,
    pub(super) room: Vec<RawRoom>,
    pub(super) hand_group: Vec<RawHandGroup>,
}

impl RawConfig {
    /// Lays this file over the defaults.
    pub(super) fn over(self, mut default: Self) -> Self {
        let mut limits = self.limits;
        for (platform, fallback) in std::mem::take(&mut default.limits) {
            let own = limits.remove(&platform).unwrap_or_default();
            limits.insert(platform, own.over(fallback));
        }
        Self {
            store: self.store.over(default.store),
            web: self.web.over(default.web),
            log: self.log.over(default.log),
            bot: self.bot.over(default.bot),
            lexicon: self.lexicon.over(default.lexicon),
            intake: self.intake.over(default.intake),
            outbox: self.outbox.over(default.outbox),
            alert: self.alert.over(default.alert),
            digest: self.digest.over(default.digest),
            limits,
            area: self.area,
            account: self.account,
            officer: self.officer,
            room: self.room,
            hand_group: self.hand_group,
        }
    }
}
