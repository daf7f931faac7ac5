//! The config file, validated section by section into domain types.
//!
//! `config/keng.toml` is both the manual and the defaults: it is compiled in, and the user's file is
//! laid over it. Everything is checked here, once; nothing else sees the raw text. Errors name the
//! file, the line and the key.
//!
//! ```
//! let error = keng::config::parse("[web]\nlisen = \"127.0.0.1:80\"\n", "ward.toml", &|_| None).unwrap_err();
//! assert!(error.to_string().starts_with("ward.toml, line 2: unknown key `lisen`"), "{error}");
//! ```

mod account;
mod file;
mod people;

use std::collections::HashMap;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use url::Url;

pub use account::AccountConfig;
pub use account::Door;
pub use account::FacebookConfig;
pub use account::FirstTokensConfig;
pub use account::Limits;
pub use account::Receive;
pub use account::TelegramConfig;
pub use account::ZaloBotConfig;
pub use account::ZaloOaConfig;

use crate::domain::alert::Level;
use crate::domain::area::AreaBook;
use crate::domain::area::AreaId;
use crate::domain::hand::HandGroups;
use crate::domain::ids::RoomId;
use crate::domain::person::Staff;
use crate::domain::reading::Category;
use crate::domain::room::Quiet;
use file::Document;
use file::RawConfig;

/// The manual and the defaults.
pub const DEFAULTS: &str = include_str!("../config/keng.toml");
/// The official communes, as in force since 1 July 2025 (National Statistics Office).
const COMMUNES: &str = include_str!("../config/communes.csv");

/// What a key says that names the level from which on something is done.
const FROM_LEVEL: &str = "\"urgent\", \"warning\", \"info\" or \"never\"";

fn from_level(text: &str) -> Option<Option<Level>> {
    match text {
        "info" => Some(Some(Level::Info)),
        "warning" => Some(Some(Level::Warning)),
        "urgent" => Some(Some(Level::Urgent)),
        "never" => Some(None),
        _ => None,
    }
}

/// The config is not usable; the message says where and what to do.
#[derive(Debug, Error)]
#[error("{place}: {message}")]
pub struct ConfigError {
    /// File and, where it is known, line.
    pub place: String,
    /// What is wrong, naming the key, and what to do.
    pub message: String,
}

/// Which engine keeps the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreKind {
    /// sled behind a journal, in this directory.
    Sled(PathBuf),
    /// Nothing survives the process.
    Memory,
}

/// `[store]`
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Engine and place.
    pub kind: StoreKind,
    /// Memory for the cache, in bytes.
    pub cache_bytes: u64,
    /// Free space that must be there at start, in bytes.
    pub min_free_bytes: u64,
    /// The journal is kept back to the last backup of the store's own.
    pub keep_journal: bool,
    /// Photos that a platform shows only for a time are copied.
    pub photos: bool,
    /// How often the store makes a backup of its own; `None`: never.
    pub backup_every: Option<Duration>,
}

/// `[web]`
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How the outside reaches it.
    pub public_url: Option<Url>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Text or JSON.
    pub format: LogFormat,
    /// A level or a filter.
    pub level: String,
}

/// `[intake]`
#[derive(Debug, Clone)]
pub struct IntakeConfig {
    /// How long an answer counts.
    pub question: Duration,
    /// Within what time reports are one incident.
    pub join: Duration,
    /// Where a private report without a known village belongs.
    pub default_area: Option<AreaId>,
    /// Kinds that are never echoed in a group.
    pub private_kinds: Vec<Category>,
}

/// What to do with an alert that went unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownPolicy {
    /// Send once more, at most once for each room.
    Resend,
    /// Leave it to the officer.
    Hold,
}

/// `[outbox]`
#[derive(Debug, Clone)]
pub struct OutboxConfig {
    /// What to do without an answer.
    pub unknown: UnknownPolicy,
    /// Sends of one account on the way at once.
    pub in_flight: usize,
}

/// `[alert]`
#[derive(Debug, Clone)]
pub struct AlertConfig {
    /// How long an alert is in force.
    pub expires: Duration,
    /// How long a draft can be confirmed.
    pub draft: Duration,
    /// Urgent alerts need a second officer.
    pub second_officer: bool,
    /// How long a second officer may take.
    pub approval: Duration,
    /// After how long they are reminded.
    pub reminder: Duration,
    /// When rooms are left alone by information.
    pub quiet: Option<Quiet>,
    /// A directory with the ward's own templates.
    pub templates: Option<PathBuf>,
    /// From which level on an alert goes with its card.
    pub card: Option<Level>,
    /// From which level on an alert is pinned where it can be.
    pub pin: Option<Level>,
}

/// What `[[room]]` says of a room besides its area.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoomConfig {
    /// Its own quiet hours (inside: none at all), where it has any.
    pub quiet: Option<Option<Quiet>>,
    /// It takes part in exercises.
    pub drills: bool,
}

/// `[digest]`
#[derive(Debug, Clone)]
pub struct DigestConfig {
    /// How late a digest may come that was due while the program was not running.
    pub late: Duration,
}

/// The whole config.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the records are.
    pub store: StoreConfig,
    /// Where HTTP is served.
    pub web: WebConfig,
    /// How to log.
    pub log: LogConfig,
    /// Names of the bot in texts.
    pub bot_names: Vec<String>,
    /// A directory with lexicon files of the ward.
    pub lexicon: Option<PathBuf>,
    /// Rules for residents' messages.
    pub intake: IntakeConfig,
    /// Rules for sending.
    pub outbox: OutboxConfig,
    /// Rules for alerts.
    pub alert: AlertConfig,
    /// Rules for digests that come by themselves.
    pub digest: DigestConfig,
    /// Names of communes and villages.
    pub areas: AreaBook,
    /// The bot identities.
    pub accounts: Vec<AccountConfig>,
    /// Officers, heads and administrators.
    pub staff: Vec<Staff>,
    /// Rooms that are bound from the start.
    pub bindings: HashMap<RoomId, AreaId>,
    /// Groups in which a person posts by hand.
    pub hand_groups: HandGroups,
    /// What else is said of these rooms.
    pub rooms: HashMap<RoomId, RoomConfig>,
}

impl Config {
    /// What places around here are called: the named villages, their other names, and the communes of
    /// every province in which this deployment has an area.
    pub fn place_names(&self) -> impl Iterator<Item = &str> {
        let used = (self.staff.iter().map(|person| &person.area))
            .chain(self.bindings.values())
            .chain(self.areas.spoken().map(|(id, _)| id));
        let communes = people::around(used);
        (self.areas.spoken().map(|(_, name)| name)).chain(communes)
    }
}

/// Reads and checks a config file. Secrets are fetched from the environment or their files.
///
/// # Errors
/// When the file cannot be read, is not TOML, holds an unknown key or a value that cannot be.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    load_with(path, Secrets::Needed)
}

fn load_with(path: &Path, secrets: Secrets) -> Result<Config, ConfigError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
        place: name.clone(),
        message: format!("cannot be read: {error}. Give its path with --config"),
    })?;
    let base = path.parent().unwrap_or(Path::new(""));
    parse_in(&text, &name, base, &|key| std::env::var(key).ok(), secrets)
}

/// As [`load`], for commands that talk to no platform: a secret that is not at hand is no mistake.
///
/// # Errors
/// As [`load`], but for missing secrets.
pub fn load_without_secrets(path: &Path) -> Result<Config, ConfigError> {
    load_with(path, Secrets::NotNeeded)
}

/// Whether the secrets of accounts must be at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Needed,
    NotNeeded,
}

/// Checks a config given as text; `env` stands for the environment.
///
/// # Errors
/// As [`load`].
pub fn parse(
    text: &str,
    name: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    parse_in(text, name, Path::new(""), env, Secrets::Needed)
}

/// The defaults alone: no account, nobody on duty.
///
/// # Panics
/// Never: a test holds the compiled-in file to be valid.
#[must_use]
pub fn defaults() -> Config {
    parse("", "defaults", &|_| None).expect("the compiled-in defaults are valid")
}

fn parse_in(
    text: &str,
    name: &str,
    base: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    secrets: Secrets,
) -> Result<Config, ConfigError> {
    let own = Document { text, name };
    let raw: RawConfig = own.read()?;
    let manual = Document {
        text: DEFAULTS,
        name: "config/keng.toml (built in)",
    };
    let raw = raw.over(manual.read()?);

    let areas = people::areas(&own, &raw.area)?;
    let accounts = account::accounts(&own, &raw, &account::Vault { base, env, secrets })?;
    let names: HashSet<_> = accounts
        .iter()
        .map(|account| account.name.clone())
        .collect();
    let staff = people::staff(&own, &raw.officer, &areas, &names)?;
    let bindings = people::bindings(&own, &raw.room, &areas, &names)?;
    let hand_groups = people::hand_groups(&own, &raw.hand_group, &areas, &names)?;
    let rooms = people::rooms(&own, &raw.room)?;

    let web = raw.web;
    let listen = own.value(
        "web.listen",
        &web.listen,
        |text| text.parse::<SocketAddr>().ok(),
        "an address and port such as 127.0.0.1:8080",
    )?;
    let public_url = match &web.public_url {
        Some(_) => Some(own.value(
            "web.public_url",
            &web.public_url,
            |text| Url::parse(text).ok(),
            "a URL such as https://keng.example.vn",
        )?),
        None => None,
    };
    if let Some(account) = accounts.iter().find(|account| account.tells_its_webhook())
        && public_url.is_none()
    {
        return Err(own.error(
            None,
            format!(
                "account `{}` takes webhooks, which needs `web.public_url`",
                account.name
            ),
        ));
    }

    let kind = own.value(
        "store.kind",
        &raw.store.kind,
        |text| match text {
            "sled" => raw
                .store
                .path
                .as_ref()
                .map(|path| StoreKind::Sled(base.join(path.get_ref()))),
            "memory" => Some(StoreKind::Memory),
            _ => None,
        },
        "\"sled\" or \"memory\"",
    )?;
    let default_area = match &raw.intake.default_area {
        Some(area) => Some(people::known_area(
            &own,
            "intake.default_area",
            area,
            &areas,
        )?),
        None => staff.first().map(|person| person.area.commune()),
    };
    let mut private_kinds = Vec::new();
    for kind in raw.intake.private_kinds.unwrap_or_default() {
        private_kinds.push(own.value(
            "intake.private_kinds",
            &kind,
            Category::parse,
            "a kind such as \"drugs\"",
        )?);
    }
    Ok(Config {
        store: StoreConfig {
            kind,
            cache_bytes: own.number("store.cache_mib", &raw.store.cache_mib, 1..=65_536)? << 20,
            min_free_bytes: own.number(
                "store.min_free_mib",
                &raw.store.min_free_mib,
                0..=1 << 20,
            )? << 20,
            keep_journal: raw.store.keep_journal.unwrap_or(true),
            photos: raw.store.photos.unwrap_or(true),
            backup_every: Some(own.number(
                "store.backup_hours",
                &raw.store.backup_hours,
                0..=8760,
            )?)
            .filter(|&hours| hours > 0)
            .map(|hours| Duration::from_secs(3600 * hours)),
        },
        web: WebConfig { listen, public_url },
        log: LogConfig {
            format: own.value(
                "log.format",
                &raw.log.format,
                |text| match text {
                    "text" => Some(LogFormat::Text),
                    "json" => Some(LogFormat::Json),
                    _ => None,
                },
                "\"text\" or \"json\"",
            )?,
            level: own.value(
                "log.level",
                &raw.log.level,
                |text| {
                    text.parse::<tracing_subscriber::EnvFilter>()
                        .ok()
                        .map(|_| text.to_owned())
                },
                "a level such as \"info\", or a filter",
            )?,
        },
        bot_names: raw.bot.names.unwrap_or_default(),
        lexicon: raw.lexicon.path.map(|path| base.join(path)),
        intake: IntakeConfig {
            question: Duration::from_secs(
                60 * own.number(
                    "intake.question_minutes",
                    &raw.intake.question_minutes,
                    1..=1440,
                )?,
            ),
            join: Duration::from_secs(
                3600 * own.number("intake.join_hours", &raw.intake.join_hours, 0..=72)?,
            ),
            default_area,
            private_kinds,
        },
        outbox: OutboxConfig {
            unknown: own.value(
                "outbox.unknown",
                &raw.outbox.unknown,
                |text| match text {
                    "resend" => Some(UnknownPolicy::Resend),
                    "hold" => Some(UnknownPolicy::Hold),
                    _ => None,
                },
                "\"resend\" or \"hold\"",
            )?,
            in_flight: own.number("outbox.in_flight", &raw.outbox.in_flight, 1..=1024)? as usize,
        },
        alert: AlertConfig {
            expires: Duration::from_secs(
                3600 * own.number("alert.expires_hours", &raw.alert.expires_hours, 1..=720)?,
            ),
            draft: Duration::from_secs(
                60 * own.number("alert.draft_minutes", &raw.alert.draft_minutes, 1..=1440)?,
            ),
            second_officer: raw.alert.second_officer.unwrap_or(true),
            approval: Duration::from_secs(
                60 * own.number(
                    "alert.approval_minutes",
                    &raw.alert.approval_minutes,
                    1..=1440,
                )?,
            ),
            reminder: Duration::from_secs(
                60 * own.number(
                    "alert.reminder_minutes",
                    &raw.alert.reminder_minutes,
                    1..=1440,
                )?,
            ),
            quiet: people::quiet(&own, "alert.quiet_hours", raw.alert.quiet_hours.as_ref())?
                .flatten(),
            card: own.value("alert.card", &raw.alert.card, from_level, FROM_LEVEL)?,
            pin: own.value("alert.pin", &raw.alert.pin, from_level, FROM_LEVEL)?,
            templates: raw.alert.templates.map(|path| base.join(path)),
        },
        digest: DigestConfig {
            // Less than a day: else one day's digest would push out the next one's.
            late: Duration::from_secs(
                3600 * own.number("digest.late_hours", &raw.digest.late_hours, 1..=23)?,
            ),
        },
        areas,
        accounts,
        staff,
        bindings,
        hand_groups,
        rooms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        parse(text, "ward.toml", &|key| {
            (key == "TOKEN").then(|| "1:secret".to_owned())
        })
        .unwrap_err()
        .to_string()
    }

    #[test]
    fn the_defaults_load_and_the_example_file_needs_only_its_token() {
        let config = defaults();
        assert_eq!(config.accounts.len(), 0);
        let example = include_str!("../config/ward.example.toml");
        let config = parse(example, "ward.example.toml", &|_| {
            Some("1:secret".to_owned())
        })
        .unwrap();
        assert_eq!(config.accounts.len(), 1);
        assert_eq!(config.staff.len(), 1);
        assert!(
            !format!("{config:?}").contains("secret"),
            "a secret is printed"
        );
        let error = parse(example, "ward.example.toml", &|_| None)
            .unwrap_err()
            .to_string();
        insta::assert_snapshot!(error, @"ward.example.toml, line 12: `account.token`: the environment variable KENG_TG_TOKEN is not set");
    }

    #[test]
    fn a_group_by_hand_stays_the_same_under_another_name() {
        let account = "[[account]]\nname = \"tg1\"\nplatform = \"telegram\"\napi_url = \"http://127.0.0.1:1\"\ntoken = { env = \"TOKEN\" }\nreceive = \"poll\"\n";
        let group = |keys: &str| {
            format!("[[hand_group]]\narea = \"06862\"\naccount = \"tg1\"\nadmin = \"5\"\n{keys}\n")
        };
        let read = |keys: &str| {
            let text = format!("{account}{}", group(keys));
            let config = parse(&text, "ward.toml", &|_| Some("1:secret".to_owned())).unwrap();
            config.hand_groups.0[0].clone()
        };
        let before = read("name = \"Hội người Tiên Yên\"");
        let renamed = "name = \"Người Tiên Yên mới\"\nid = \"Hội người Tiên Yên\"";
        let after = read(renamed);
        assert_eq!(after.id, before.id);
        assert_eq!(after.name, "Người Tiên Yên mới");
        assert_ne!(read("name = \"Người Tiên Yên mới\"").id, before.id);
        let both = format!(
            "{account}{}{}",
            group(renamed),
            group("name = \"Hội người Tiên Yên\"")
        );
        insta::assert_snapshot!(refusal(&both), @"ward.toml, line 17: `hand_group.id` is that of the group `Người Tiên Yên mới`");
    }

    #[test]
    fn every_mistake_names_file_line_and_key() {
        let account = "[[account]]\nname = \"tg1\"\nplatform = \"telegram\"\napi_url = \"http://127.0.0.1:1\"\ntoken = { env = \"TOKEN\" }\nreceive = \"poll\"\n";
        insta::assert_snapshot!(refusal("[web]\nlisten = \"nowhere\"\n"), @r#"ward.toml, line 2: `web.listen` is "nowhere", but should be an address and port such as 127.0.0.1:8080"#);
        insta::assert_snapshot!(refusal("[outbox]\nunknown = \"maybe\""), @r#"ward.toml, line 2: `outbox.unknown` is "maybe", but should be "resend" or "hold""#);
        insta::assert_snapshot!(refusal("[outbox]\nin_flight = 0"), @"ward.toml, line 2: `outbox.in_flight` is 0, but should be between 1 and 1024");
        insta::assert_snapshot!(refusal("[stroe]\nkind = \"sled\""), @"ward.toml, line 1: unknown key `stroe`, expected one of `store`, `web`, `log`, `bot`, `lexicon`, `intake`, `outbox`, `alert`, `digest`, `limits`, `area`, `account`, `officer`, `room`, `hand_group`");
        insta::assert_snapshot!(refusal(&account.replace("env = \"TOKEN\"", "env = \"NOPE\"")), @"ward.toml, line 5: `account.token`: the environment variable NOPE is not set");
        insta::assert_snapshot!(refusal(&account.replace("{ env = \"TOKEN\" }", "\"1:secret\"")), @r#"ward.toml, line 5: `account.token` must be { env = "NAME" } or { file = "PATH" }: a secret never stands in the config itself"#);
        insta::assert_snapshot!(refusal(&account.replace("telegram", "telegrm")), @r#"ward.toml, line 3: `account.platform` is "telegrm", but should be "telegram" or "zalo_bot" or "zalo_oa" or "facebook""#);
        insta::assert_snapshot!(refusal(&account.replace("poll", "webhook")), @"ward.toml, line 1: account `tg1` has receive = \"webhook\", which needs `webhook_secret`");
        insta::assert_snapshot!(refusal(&account.replace("receive", "monthly_quota = 3000\nreceive")), @r#"ward.toml, line 6: `account.monthly_quota` does not belong to platform "telegram", expected one of `name`, `platform`, `api_url`, `token`, `receive`, `webhook_secret`, `limits`"#);
        insta::assert_snapshot!(refusal(&account.replace("api_url = \"http://127.0.0.1:1\"\n", "")), @"ward.toml, line 1: account `tg1` needs `api_url`");
        let zalo = account.replace("telegram", "zalo_bot");
        insta::assert_snapshot!(refusal(&format!("{zalo}monthly_quota = -1\n")), @"ward.toml, line 7: `account.monthly_quota` is -1, but should be between 0 and 100000000");
        insta::assert_snapshot!(refusal(&format!("{zalo}monthly_quota = 100\nquota_reserve = 101\n")), @"ward.toml, line 8: `account.quota_reserve` is 101, but should be between 0 and 100");
        insta::assert_snapshot!(refusal(&zalo.replace("poll", "webhook")), @r#"ward.toml, line 1: account `tg1` has receive = "webhook", which needs `webhook_secret`"#);
        let short = zalo.replace(
            "\"poll\"",
            "\"webhook\"\nwebhook_secret = { env = \"SHORT\" }",
        );
        let short = parse(&short, "ward.toml", &|_| Some("1:abc".to_owned()));
        insta::assert_snapshot!(short.unwrap_err(), @"ward.toml, line 1: the `webhook_secret` of account `tg1` has 5 characters, but Zalo takes 8 to 256");
        insta::assert_snapshot!(refusal("[[officer]]\nname = \"Hà\"\nrole = \"officer\"\narea = \"99999\"\naccounts = {}"), @"ward.toml, line 4: `officer.area` is `99999`, which is no commune of the official list");
        insta::assert_snapshot!(refusal("[[room]]\naccount = \"tg9\"\nnative = \"-1\"\narea = \"06862\""), @"ward.toml, line 2: `room.account` is `tg9`, but no [[account]] has that name");
        insta::assert_snapshot!(refusal("[web\n"), @"ward.toml, line 1: unclosed table, expected `]`");
    }

    /// The keys that a table of the config takes, as its refusal of an unknown one lists them.
    fn keys_of(table: &str) -> Vec<String> {
        let text = format!("{table}\nno-such-key = 1\n");
        let refusal = refusal(text.trim_start());
        let (_, listed) = refusal
            .split_once("unknown key `no-such-key`, expected ")
            .unwrap_or_else(|| panic!("{table}: {refusal}"));
        listed
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    }

    /// The keys that the manual tells under each head that reads so, from there to the next one. A list
    /// of tables stands in comments, and may have several.
    fn told(table: &str, lists: bool) -> Vec<Vec<String>> {
        let head = if lists {
            format!("# {table}")
        } else {
            table.to_owned()
        };
        let lines: Vec<&str> = DEFAULTS.lines().collect();
        let heads = (0..lines.len()).filter(|&at| lines[at] == head);
        heads
            .map(|at| {
                lines[at + 1..]
                    .iter()
                    .take_while(|line| !line.trim_start_matches("# ").starts_with('['))
                    .take_while(|line| !(lists && line.is_empty()))
                    .filter_map(|line| line.trim_start_matches("# ").split_once(" = "))
                    .map(|(key, _)| key.to_owned())
                    .filter(|key| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
                    .collect()
            })
            .collect()
    }

    #[test]
    fn the_manual_explains_every_key_and_no_other() {
        for name in keys_of("") {
            let (table, lists) = match name.as_str() {
                "account" => continue,
                "limits" => ("[limits.telegram]".to_owned(), false),
                "area" | "officer" | "room" | "hand_group" => (format!("[[{name}]]"), true),
                _ => (format!("[{name}]"), false),
            };
            assert_eq!(
                told(&table, lists),
                [keys_of(&table)],
                "{table} in config/keng.toml"
            );
        }
        // One table for each platform, in the order in which they are listed.
        let by_platform: Vec<Vec<&str>> = account::keys().map(|(_, keys)| keys.to_vec()).collect();
        assert_eq!(told("[[account]]", true), by_platform);
        for (platform, _) in account::keys() {
            let head = format!("[limits.{platform}]");
            assert_eq!(told(&head, false), [keys_of("[limits.x]")], "{head}");
        }
    }

    #[test]
    fn areas_are_named_from_the_official_list_and_the_file() {
        let config = parse(
            "[[area]]\nid = \"06862/tan-truc-tung\"\nname = \"thôn Tân Trúc Tùng\"\n",
            "w",
            &|_| None,
        )
        .unwrap();
        assert_eq!(
            config.areas.title(&AreaId::parse("06862").unwrap()),
            "Xã Tiên Yên"
        );
        assert_eq!(
            config
                .areas
                .title(&AreaId::parse("06862/tan-truc-tung").unwrap()),
            "thôn Tân Trúc Tùng"
        );
    }
}
