//! Composition root: the only file that names every part.
//!
//! [`App::start`] opens the store, proves the accounts, and starts one task for each thing that goes on:
//! a source that polls, an outbox worker for each account, the intake, the web. [`App::stop`] ends them in
//! the order in which nothing is lost: first no news is taken, then what was taken is recorded, then what
//! was claimed is settled, then the store is closed.

mod counting;
mod errands;
mod photos;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use chrono::NaiveDate;
use chrono::TimeDelta;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::error;
use tracing::info;
use tracing::warn;
use url::Url;

use crate::channel::Channel;
use crate::channel::Notebook;
use crate::channel::PollError;
use crate::channel::Profile;
use crate::channel::Source;
use crate::channel::echoes::Echoes;
use crate::channel::facebook::Facebook;
use crate::channel::facebook::Pages;
use crate::channel::facebook::Settings as FacebookSettings;
use crate::channel::telegram::Settings as TelegramSettings;
use crate::channel::telegram::Telegram;
use crate::channel::zalo_bot::Settings as ZaloBotSettings;
use crate::channel::zalo_bot::ZaloBot;
use crate::channel::zalo_oa::Counts as OaCounts;
use crate::channel::zalo_oa::FirstTokens;
use crate::channel::zalo_oa::Settings as ZaloOaSettings;
use crate::channel::zalo_oa::ZaloOa;
use crate::config::AccountConfig;
use crate::config::Config;
use crate::config::Door;
use crate::config::FacebookConfig;
use crate::config::FirstTokensConfig;
use crate::config::Receive;
use crate::config::StoreConfig;
use crate::config::StoreKind;
use crate::config::TelegramConfig;
use crate::config::UnknownPolicy;
use crate::config::ZaloBotConfig;
use crate::config::ZaloOaConfig;
use crate::desk::Carrier;
use crate::desk::Carriers;
use crate::desk::Desk;
use crate::desk::Kept;
use crate::desk::RoomRules;
use crate::desk::StaffDirectory;
use crate::desk::SystemRandom;
use crate::desk::Templates;
use crate::desk::Wording;
use crate::domain::area::AreaId;
use crate::domain::clock::Clock;
use crate::domain::clock::Time;
use crate::domain::hand;
use crate::domain::hand::HandGroups;
use crate::domain::ids::AccountName;
use crate::domain::ids::MessageId;
use crate::domain::ids::MessageKey;
use crate::domain::ids::RoomId;
use crate::domain::message::Message;
use crate::domain::message::Press;
use crate::domain::person::Identity;
use crate::domain::person::Role;
use crate::domain::quota::Month;
use crate::domain::reading::Command;
use crate::domain::room::Room;
use crate::domain::room::RoomKind;
use crate::domain::room::RoomState;
use crate::domain::secret::Secret;
use crate::intake::Commands;
use crate::intake::Intake;
use crate::intake::Nameless;
use crate::intake::Names;
use crate::intake::Rules;
use crate::outbox;
use crate::outbox::Ledger;
use crate::outbox::Worker;
use crate::outbox::quota::OVER;
use crate::say;
use crate::store::Act;
use crate::store::Done;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Write;
use crate::store::memory::MemoryStore;
use crate::store::sled::SledStore;
use crate::text::lexicon::Lexicon;
use crate::web;
use crate::web::metrics::Metrics;

/// The file in the store's directory with the token of the running program's administrator.
pub const ADMIN_TOKEN_FILE: &str = "admin.token";

/// The longest wait between two tries to reach a platform.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often it is looked at the latest which digests are due: a clock may have been set, and an
/// appointment may have been made for the next minute.
const DIGEST_LOOK: Duration = Duration::from_secs(30);

/// How often it is looked whether the store's own backup is due.
const BACKUP_LOOK: Duration = Duration::from_secs(600);

/// A journal of this many bytes makes a backup due at once.
const BACKUP_JOURNAL: u64 = 256 << 20;

/// How often it is looked whether an account needs somebody.
const NEEDS_LOOK: Duration = Duration::from_secs(5);

/// Left of a refresh token's life, in days, when the operator is told.
const TOKENS_END: u64 = 45;

/// How long a Page's own posts are waited for after a call without an answer.
const PAGE_EVIDENCE: Duration = Duration::from_secs(60);

/// People whose names may wait to be asked for.
const UNNAMED: usize = 1024;

/// Cases whose photos may wait to be copied; the hourly look finds others.
const PICTURED: usize = 1024;

/// Everything that is claimed or on the way must be settled within this time of a stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Of that time, sources and web callers get this much: somebody who never finishes a request must not
/// take it from the sends that are under way.
const STOP_TAKING: Duration = Duration::from_secs(2);

/// And the sends this much; the rest is for the disk.
const STOP_SENDING: Duration = Duration::from_secs(6);

/// A running program.
#[derive(Debug)]
pub struct App {
    store: Arc<dyn Store>,
    address: SocketAddr,
    failures: mpsc::Receiver<anyhow::Error>,
    stop_sources: watch::Sender<bool>,
    stop_sending: watch::Sender<bool>,
    stop_web: watch::Sender<bool>,
    sources: Vec<JoinHandle<()>>,
    door: Intake,
    intake: JoinHandle<()>,
    sending: Vec<JoinHandle<()>>,
    web: JoinHandle<()>,
    admin_file: Option<PathBuf>,
}

/// The one HTTP client: kept-alive connections, no retries, no sleeping inside a call.
///
/// # Errors
/// When the TLS library cannot start.
pub fn http_client() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        // Above the longest poll; single calls set shorter limits of their own.
        .timeout(Duration::from_secs(75))
        .pool_idle_timeout(Duration::from_secs(90))
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("keng/", env!("CARGO_PKG_VERSION")))
        .build()
        .context("building the HTTP client")
}

/// How the config wants the store kept.
#[must_use]
pub fn store_options(config: &Config) -> crate::store::sled::Options {
    let StoreConfig {
        cache_bytes,
        min_free_bytes,
        keep_journal,
        ..
    } = config.store;
    crate::store::sled::Options {
        cache_bytes,
        min_free_bytes,
        keep_journal,
        ..Default::default()
    }
}

/// Opens the store that the config names.
///
/// # Errors
/// When another program has it open, the disk is full, or it is damaged beyond repair by itself.
pub async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let StoreKind::Sled(path) = config.store.kind.clone() else {
        return Ok(Arc::new(MemoryStore::new()));
    };
    let options = store_options(config);
    let shown = path.display().to_string();
    let store = tokio::task::spawn_blocking(move || SledStore::open(&path, options))
        .await
        .context("the thread that opens the store")?
        .with_context(|| format!("opening the store in {shown}"))?;
    Ok(Arc::new(store))
}

/// The desk, as the intake asks it.
#[derive(Debug)]
struct DeskCommands(Arc<Desk>);

#[async_trait]
impl Commands for DeskCommands {
    async fn act(&self, message: &Message, command: &Command) -> Result<Option<Act>, StoreError> {
        self.0.act(message, command).await
    }

    async fn pressed(&self, press: &Press) -> Result<Option<Act>, StoreError> {
        self.0.pressed(press).await
    }

    async fn role(&self, message: &Message) -> Result<Option<Role>, StoreError> {
        self.0.role(message).await
    }

    async fn said_privately(&self, message: &Message) -> Result<Option<Act>, StoreError> {
        self.0.said_privately(message).await
    }

    async fn let_in(&self, room: &Room, missed: bool) -> Result<Act, StoreError> {
        if missed {
            return self.0.rooms_bound(std::slice::from_ref(room)).await;
        }
        self.0.room_met(room);
        Ok(Act::default())
    }
}

/// One account as the root holds it while wiring.
struct Wired {
    channel: Arc<dyn Channel>,
    source: Option<Box<dyn Source>>,
    /// For its own counters.
    official: Option<ZaloOa>,
}

/// What an account is wired to.
struct Wiring<'a> {
    config: &'a Config,
    http: &'a reqwest::Client,
    store: &'a Arc<dyn Store>,
    clock: &'a Arc<dyn Clock>,
    pages: Arc<Pages>,
}

/// An account's notebook, in the store.
#[derive(Debug)]
struct StoredNotes {
    store: Arc<dyn Store>,
    account: AccountName,
}

#[async_trait]
impl Notebook for StoredNotes {
    async fn read(&self, page: &str) -> Result<Option<String>, String> {
        let note = self.store.note(&self.account, page).await;
        note.map(|note| note.map(|words| words.expose().to_owned()))
            .map_err(|error| error.to_string())
    }

    async fn write(&self, page: &str, words: &str) -> Result<(), String> {
        let act = Act {
            expects: Vec::new(),
            writes: vec![Write::Note(
                self.account.clone(),
                page.to_owned(),
                Secret::new(words),
            )],
        };
        let written = self.store.commit(vec![act]).await;
        written.map(drop).map_err(|error| error.to_string())
    }
}

/// The channel of an Official Account, over a store that nobody else serves.
#[must_use]
pub fn official_account(
    account: &AccountName,
    door: &ZaloOaConfig,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    http: &reqwest::Client,
) -> ZaloOa {
    ZaloOa::new(ZaloOaSettings {
        account: account.clone(),
        api_url: door.api_url.clone(),
        oauth_url: door.oauth_url.clone(),
        app_id: door.app_id.clone(),
        oa_id: door.oa_id.clone(),
        app_secret: door.app_secret.clone(),
        webhook_secret: door.webhook_secret.clone(),
        first_tokens: match &door.first_tokens {
            FirstTokensConfig::File(path) => FirstTokens::File(path.clone()),
            FirstTokensConfig::Told(pair) => FirstTokens::Told(pair.clone()),
        },
        catch_up: door.catch_up,
        notebook: Arc::new(StoredNotes {
            store: Arc::clone(store),
            account: account.clone(),
        }),
        clock: Arc::clone(clock),
        http: http.clone(),
    })
}

impl Wiring<'_> {
    /// Makes an account's channel and, where it asks for its news, its source. A new platform is one arm.
    fn account(&self, account: &AccountConfig) -> anyhow::Result<Wired> {
        match &account.door {
            Door::Telegram(door) => self.telegram(account, door),
            Door::ZaloBot(door) => self.zalo_bot(account, door),
            Door::ZaloOa(door) => Ok(self.zalo_oa(account, door)),
            Door::Facebook(door) => Ok(self.facebook(account, door)),
        }
    }

    /// Its webhook is set in Zalo's console; the source reads what no webhook brought.
    fn zalo_oa(&self, account: &AccountConfig, door: &ZaloOaConfig) -> Wired {
        let oa = official_account(&account.name, door, self.store, self.clock, self.http);
        Wired {
            source: Some(Box::new(oa.source())),
            channel: Arc::new(oa.clone()),
            official: Some(oa),
        }
    }

    /// Its webhook is set in Meta's dashboard.
    fn facebook(&self, account: &AccountConfig, door: &FacebookConfig) -> Wired {
        let page = Facebook::new(FacebookSettings {
            account: account.name.clone(),
            api_url: door.api_url.clone(),
            page_id: door.page_id.clone(),
            token: door.token.clone(),
            app_secret: door.app_secret.clone(),
            verify_token: door.verify_token.clone(),
            utility_template: door.utility_template.clone(),
            pages: Arc::clone(&self.pages),
            http: self.http.clone(),
        });
        Wired {
            source: None,
            channel: Arc::new(page),
            official: None,
        }
    }

    fn telegram(&self, account: &AccountConfig, door: &TelegramConfig) -> anyhow::Result<Wired> {
        let (webhook_secret, hook_url) = self.hook(account, &door.receive)?;
        let polls = hook_url.is_none();
        let telegram = Telegram::new(TelegramSettings {
            account: account.name.clone(),
            api_url: door.api_url.clone(),
            token: door.token.clone(),
            webhook_secret,
            hook_url,
            http: self.http.clone(),
        });
        Ok(Wired {
            source: polls.then(|| Box::new(telegram.source()) as Box<dyn Source>),
            channel: Arc::new(telegram),
            official: None,
        })
    }

    fn zalo_bot(&self, account: &AccountConfig, door: &ZaloBotConfig) -> anyhow::Result<Wired> {
        let (webhook_secret, hook_url) = self.hook(account, &door.receive)?;
        let polls = hook_url.is_none();
        let bot = ZaloBot::new(ZaloBotSettings {
            account: account.name.clone(),
            api_url: door.api_url.clone(),
            token: door.token.clone(),
            webhook_secret,
            hook_url,
            poll_spacing: door.poll_spacing,
            names: self.config.bot_names.clone(),
            http: self.http.clone(),
        });
        Ok(Wired {
            source: polls.then(|| Box::new(bot.source()) as Box<dyn Source>),
            channel: Arc::new(bot),
            official: None,
        })
    }

    /// The secret and the address that an account's platform is told, if it shall call us.
    fn hook(
        &self,
        account: &AccountConfig,
        receive: &Receive,
    ) -> anyhow::Result<(Option<Secret>, Option<Url>)> {
        let Receive::Webhook(secret) = receive else {
            return Ok((None, None));
        };
        let base = self.config.web.public_url.as_ref();
        let base = base.context("`web.public_url` is needed for webhooks")?;
        let url = format!(
            "{}/hooks/{}",
            base.as_str().trim_end_matches('/'),
            account.name
        );
        let url = url.parse().context("the address of the webhook")?;
        Ok((Some(secret.clone()), Some(url)))
    }
}

/// Asks the platform who we are until it answers. A platform that is away must not stop the others.
async fn introduce(
    channel: &Arc<dyn Channel>,
    stop: &mut watch::Receiver<bool>,
) -> Option<Profile> {
    let account = channel.account().name.clone();
    let mut pause = Duration::from_secs(1);
    loop {
        let asked = async {
            channel.prepare().await?;
            channel.profile().await
        };
        let answer = tokio::select! {
            answer = asked => answer,
            _ = stop.changed() => return None,
        };
        match answer {
            Ok(profile) => {
                for warning in &profile.warnings {
                    warn!(%account, "{warning}");
                }
                return Some(profile);
            }
            Err(error) => {
                warn!(%account, %error, wait_ms = pause.as_millis() as u64, "the platform did not introduce us")
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => return None,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Polls, hands over, and polls again only when all of it is durable.
async fn receive(
    account: AccountName,
    mut source: Box<dyn Source>,
    intake: Intake,
    mut stop: watch::Receiver<bool>,
    failed: mpsc::Sender<anyhow::Error>,
) {
    let mut pause = Duration::from_millis(250);
    loop {
        let news = tokio::select! {
            news = source.next() => news,
            _ = stop.changed() => break,
        };
        let wait = match news {
            Ok(inbound) => {
                pause = Duration::from_millis(250);
                if let Err(error) = intake.submit(inbound).await {
                    let _ = failed
                        .send(anyhow::Error::new(error).context("recording news"))
                        .await;
                    return;
                }
                continue;
            }
            Err(PollError::NotNow { why, wait }) => {
                let wait = wait.unwrap_or(pause);
                warn!(%account, why, wait_ms = wait.as_millis() as u64, "no news from the platform");
                wait
            }
            Err(PollError::NeedsPerson(why)) => {
                error!(%account, why, "this account receives nothing until somebody acts");
                LONGEST_PAUSE
            }
        };
        pause = (pause * 2).min(LONGEST_PAUSE);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.changed() => break,
        }
    }
    // What was handed over is durable: say so, or the platform tells it all again at the next start.
    if let Err(error) = tokio::time::timeout(Duration::from_secs(2), source.confirm())
        .await
        .unwrap_or(Ok(()))
    {
        info!(%account, %error, "the last news could not be confirmed; they will be told again and known");
    }
}

/// The ward's rules for what residents write.
#[must_use]
pub fn rules(config: &Config) -> Rules {
    let minutes = |time: Duration| TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX);
    Rules {
        question: minutes(config.intake.question),
        join: minutes(config.intake.join),
        default_area: config.intake.default_area.clone().unwrap_or_else(nowhere),
        private_kinds: config.intake.private_kinds.clone(),
        bindings: config.bindings.clone(),
        areas: Arc::new(config.areas.clone()),
    }
}

/// The area of records that belong nowhere: no officer is named, so no commune is known.
fn nowhere() -> AreaId {
    AreaId::parse("00000").expect("five digits are an area")
}

/// The reader's words: the ward's own files over the built-in ones, and the names of
/// its villages and of the communes around.
///
/// # Errors
/// When a lexicon file is wrong; the message names file and line.
pub fn lexicon(config: &Config) -> anyhow::Result<Lexicon> {
    let mut lexicon = match &config.lexicon {
        Some(directory) => Lexicon::load(directory)?,
        None => Lexicon::builtin()?,
    };
    lexicon.set_places(config.place_names());
    Ok(lexicon)
}

/// What the config says of accounts and rooms.
fn room_rules(config: &Config) -> RoomRules {
    let rooms = config.rooms.iter();
    RoomRules {
        accounts: config
            .accounts
            .iter()
            .map(|account| (account.name.clone(), account.platform()))
            .collect(),
        quiet: config.alert.quiet,
        quiet_rooms: rooms
            .clone()
            .filter_map(|(id, room)| Some((id.clone(), room.quiet?)))
            .collect(),
        drills: rooms
            .filter(|(_, room)| room.drills)
            .map(|(id, _)| id.clone())
            .collect(),
    }
}

/// The desk of this config.
///
/// # Errors
/// When two people of the staff have one name or one account.
pub fn desk(
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    wording: Wording,
) -> anyhow::Result<Desk> {
    let lasting = |time: Duration| TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX);
    Ok(Desk::new(
        store,
        clock,
        Arc::new(config.areas.clone()),
        Arc::new(StaffDirectory::new(config.staff.clone())?),
        crate::desk::Settings {
            alert_lasts: lasting(config.alert.expires),
            draft_lasts: lasting(config.alert.draft),
            second_officer: config.alert.second_officer,
            approval_lasts: lasting(config.alert.approval),
            approval_reminder: lasting(config.alert.reminder),
            pin: config.alert.pin,
            digest_late: lasting(config.digest.late),
            ..Default::default()
        },
        Arc::new(SystemRandom),
        wording,
    )
    .with_rooms(room_rules(config))
    .with_hands(config.hand_groups.clone())
    .with_forms(config.web.public_url.as_ref().map(web::alerts::base)))
}

/// The accounts of this program, as the desk measures words by them.
#[derive(Debug, Default)]
pub struct Ours(HashMap<AccountName, Arc<dyn Channel>>);

impl Carriers for Ours {
    fn carrier(&self, room: &RoomId) -> Option<Carrier> {
        let channel = self.0.get(&room.account)?;
        let can = channel.capabilities(room);
        Some(Carrier {
            platform: channel.account().platform,
            max_text: can.max_text,
            can_pin: can.can_pin,
            is_wall: can.is_wall,
        })
    }
}

/// The alerts that are written already: the ward's own files over the built-in ones.
///
/// # Errors
/// When a file is wrong; the message names file and line.
pub fn templates(config: &Config) -> anyhow::Result<Templates> {
    Ok(match &config.alert.templates {
        Some(directory) => Templates::load(directory)?,
        None => Templates::builtin()?,
    })
}

/// Binds the rooms that the config names and nobody has bound yet; a command in the room is newer than
/// the file, so it stands.
async fn bind_rooms(store: &dyn Store, rules: &Rules, now: Time) -> Result<Vec<Room>, StoreError> {
    let mut bound_now = Vec::new();
    let mut writes = Vec::new();
    for (id, area) in &rules.bindings {
        let mut room = store.room(id).await?;
        // A group that became a supergroup is bound under the id it has now.
        for _ in 0..4 {
            let Some(RoomState::Moved(to)) = room.as_ref().map(|room| &room.state) else {
                break;
            };
            room = store.room(to).await?;
        }
        // Nobody has spoken there since we know the account: an alert goes there all the same, and if the
        // bot is not in, its author learns that.
        let room = room.unwrap_or_else(|| Room {
            id: id.clone(),
            kind: RoomKind::Group,
            title: String::new(),
            area: None,
            state: RoomState::Active,
            sees_all: None,
            joined_at: now,
            choices: None,
        });
        match &room.area {
            None => {
                let room = Room {
                    area: Some(area.clone()),
                    ..room
                };
                bound_now.push(room.clone());
                writes.push(Write::Room(Box::new(room)));
            }
            Some(bound) if bound != area => {
                warn!(room = %id, %bound, config = %area, "the room was bound by command to another area than in the config");
            }
            Some(_) => {}
        }
    }
    if !writes.is_empty() {
        let act = Act {
            expects: Vec::new(),
            writes,
        };
        store.commit(vec![act]).await?;
    }
    Ok(bound_now)
}

/// Keeps the groups in which people post by hand among the rooms, as the config names them now: they hear
/// every alert of their area, each through its administrator.
async fn keep_hand_groups(
    store: &dyn Store,
    groups: &HandGroups,
    now: Time,
) -> Result<(), StoreError> {
    let mut writes = Vec::new();
    for room in store.rooms().await? {
        let is_by_hand = room.id.native.starts_with(hand::PREFIX);
        if is_by_hand && groups.of(&room.id).is_none() && room.state == RoomState::Active {
            writes.push(Write::Room(Box::new(Room {
                state: RoomState::Removed,
                ..room
            })));
        }
    }
    for group in &groups.0 {
        let known = store.room(&group.id).await?;
        let room = Room {
            id: group.id.clone(),
            kind: RoomKind::Group,
            title: say::hand::title(&group.name),
            area: Some(group.area.clone()),
            state: RoomState::Active,
            sees_all: None,
            joined_at: known.as_ref().map_or(now, |room| room.joined_at),
            choices: known.as_ref().and_then(|room| room.choices),
        };
        if known.as_ref() != Some(&room) {
            writes.push(Write::Room(Box::new(room)));
        }
    }
    if !writes.is_empty() {
        let act = Act {
            expects: Vec::new(),
            writes,
        };
        store.commit(vec![act]).await?;
    }
    Ok(())
}

/// Writes the token by which this machine's command line reaches the running program.
fn write_admin_token(directory: &Path) -> anyhow::Result<(Secret, PathBuf)> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("asking the machine for random bytes: {error}"))?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = directory.join(ADMIN_TOKEN_FILE);
    // A fresh file each time, so that a wrong mode of an old one does not live on.
    let _ = std::fs::remove_file(&path);
    let mut file = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("creating {}", path.display()))?;
    std::io::Write::write_all(&mut file, token.as_bytes())
        .with_context(|| format!("writing {}", path.display()))?;
    Ok((Secret::new(&token), path))
}

impl App {
    /// Starts everything that the config names.
    ///
    /// # Errors
    /// When the store cannot be opened, the address is taken, or the lexicon is wrong.
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let lexicon = Arc::new(lexicon(&config)?);
        let areas = Arc::new(config.areas.clone());
        let http = http_client()?;
        let store = open_store(&config).await?;
        let rules = rules(&config);
        let bound = bind_rooms(store.as_ref(), &rules, clock.now())
            .await
            .context("binding the rooms of the config")?;
        keep_hand_groups(store.as_ref(), &config.hand_groups, clock.now())
            .await
            .context("keeping the groups of the config in which people post by hand")?;
        let (admin, admin_file) = match &config.store.kind {
            StoreKind::Sled(directory) => {
                write_admin_token(directory).map(|(token, path)| (token, Some(path)))?
            }
            StoreKind::Memory => (Secret::new("no store on disk, no token"), None),
        };
        let listener = tokio::net::TcpListener::bind(config.web.listen)
            .await
            .with_context(|| format!("listening on `web.listen` = {}", config.web.listen))?;
        let address = listener.local_addr()?;

        let (failed, failures) = mpsc::channel(8);
        let (stop_sources, sources_stop) = watch::channel(false);
        let (stop_sending, sending_stop) = watch::channel(false);
        let (stop_web, mut web_stop) = watch::channel(false);
        let mut metrics = Metrics::default();

        let wiring = Wiring {
            config: &config,
            http: &http,
            store: &store,
            clock: &clock,
            pages: Arc::default(),
        };
        let wired = config
            .accounts
            .iter()
            .map(|account| wiring.account(account))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let month = Arc::new(Notify::new());
        let ledgers: Vec<Option<Arc<Ledger>>> = config
            .accounts
            .iter()
            .map(|account| {
                let (store, clock) = (Arc::clone(&store), Arc::clone(&clock));
                let bell = Arc::clone(&month);
                let open = |quota| Ledger::new(account.name.clone(), quota, store, clock, bell);
                account.quota().map(open).map(Arc::new)
            })
            .collect();
        let bells: Vec<Arc<Notify>> = wired.iter().map(|_| Arc::new(Notify::new())).collect();
        let news = Arc::new(Notify::new());
        let errand = Arc::new(Notify::new());

        let makes_groups = wired
            .iter()
            .filter(|wired| wired.channel.groups().is_some())
            .map(|wired| wired.channel.account().name.clone())
            .collect();
        let channels: HashMap<AccountName, Arc<dyn Channel>> = wired
            .iter()
            .map(|wired| {
                (
                    wired.channel.account().name.clone(),
                    Arc::clone(&wired.channel),
                )
            })
            .collect();
        let wording = Wording {
            templates: Arc::new(templates(&config)?),
            lexicon: Arc::clone(&lexicon),
            carriers: Arc::new(Ours(channels.clone())),
        };
        let desk_acts = desk(&config, Arc::clone(&store), Arc::clone(&clock), wording)?;
        let desk_acts = Arc::new(desk_acts.with_group_accounts(makes_groups));
        // Who comes late hears what is in force.
        let in_force = desk_acts.rooms_bound(&bound).await?;
        store
            .commit(vec![in_force])
            .await
            .context("queueing alerts for rooms that are new")?;
        let desk = Arc::new(DeskCommands(Arc::clone(&desk_acts)));
        let names = Arc::new(Names::new(config.bot_names.clone()));
        let intake_metrics = Arc::new(crate::intake::Metrics::default());
        count_intake(&mut metrics, &intake_metrics);
        let echoes = Arc::new(Echoes::default());
        let (nameless, unnamed) = mpsc::channel(UNNAMED);
        let (photographed, cases) = mpsc::channel(PICTURED);
        let (intake, intake_task) = Intake::start(crate::intake::Deps {
            store: Arc::clone(&store),
            lexicon,
            clock: Arc::clone(&clock),
            rules,
            commands: Arc::clone(&desk) as Arc<dyn Commands>,
            names: Arc::clone(&names),
            wake: bells
                .iter()
                .chain([&news, &month, &errand])
                .cloned()
                .collect(),
            metrics: intake_metrics,
            echoes: Arc::clone(&echoes),
            nameless,
            photographed,
            counted: ledgers
                .iter()
                .flatten()
                .map(|ledger| ledger.account().clone())
                .collect(),
        });

        let forms = web::alerts::Forms::new(
            Arc::clone(&store),
            Arc::clone(&areas),
            config.web.public_url.as_ref(),
        );
        let cards = outbox::Cards::new(config.alert.card, forms.base().map(str::to_owned));
        let cards = Arc::new(cards.with_enclosures(Arc::new(photos::OfOfficers {
            http: http.clone(),
            channels: channels.clone(),
        })));
        let forms = forms.with_cards(Arc::clone(&cards));
        let hands = Arc::new(config.hand_groups.clone());
        let mut sending = Vec::new();
        let mut desks = HashMap::new();
        let mut worker_metrics = Vec::new();
        let wirings = config.accounts.iter().zip(&wired).zip(&bells).zip(&ledgers);
        for (((account, wired), bell), ledger) in wirings {
            let counters = Arc::new(outbox::Metrics::default());
            worker_metrics.push((account.name.clone(), Arc::clone(&counters)));
            desks.insert(
                account.name.clone(),
                outbox::report::Desk {
                    channel: Arc::clone(&wired.channel),
                    wake: Arc::clone(bell),
                },
            );
            let rates = outbox::Rates {
                per_second: account.limits.per_second,
                room_per_minute: account.limits.room_per_minute,
            };
            let mut settings = outbox::Settings::new(rates, Arc::clone(&areas));
            settings.hands = Arc::clone(&hands);
            settings.in_flight = config.outbox.in_flight;
            settings.cards = Arc::clone(&cards);
            settings.drain = STOP_SENDING;
            settings.policy.unknown = match config.outbox.unknown {
                UnknownPolicy::Resend => outbox::OnUnknown::Resend,
                UnknownPolicy::Hold => outbox::OnUnknown::Hold,
            };
            if matches!(account.door, Door::Facebook(_)) {
                // What the Page wrote comes back, sometimes late: that is waited for, and nothing is
                // said twice to a whole town on a guess.
                settings.policy.unknown = outbox::OnUnknown::Hold;
                settings.evidence = PAGE_EVIDENCE;
            }
            let worker = Worker {
                store: Arc::clone(&store),
                channel: Arc::clone(&wired.channel),
                settings,
                clock: Arc::clone(&clock),
                wake: Arc::clone(bell),
                news: Arc::clone(&news),
                metrics: counters,
                echoes: Arc::clone(&echoes),
                ledger: ledger.clone(),
            };
            let (stop, failed) = (sending_stop.clone(), failed.clone());
            sending.push(tokio::spawn(async move {
                if let Err(error) = worker.run(stop).await {
                    let _ = failed
                        .send(anyhow::Error::new(error).context("sending"))
                        .await;
                }
            }));
        }
        count_outbox(&mut metrics, worker_metrics);
        count_official(
            &mut metrics,
            wired.iter().filter_map(|wired| wired.official.clone()),
        );
        count_months(&mut metrics, &ledgers);
        sending.push(tokio::spawn(watch_months(
            ledgers.into_iter().flatten().collect(),
            Arc::clone(&desk),
            Arc::clone(&store),
            month,
            bells.clone(),
            sending_stop.clone(),
            failed.clone(),
        )));
        let officials: Vec<ZaloOa> = wired
            .iter()
            .filter_map(|wired| wired.official.clone())
            .collect();
        let (every_channel, time) = (channels.clone(), Arc::clone(&clock));
        let needs = move || {
            let today = time.now().date_naive();
            needs_of_tokens(&officials, today)
                .chain(needs_of_alarms(every_channel.values(), today))
                .chain(needs_of_strangers(every_channel.values()))
                .collect()
        };
        sending.push(tokio::spawn(watch_accounts(
            needs,
            Arc::clone(&desk),
            Arc::clone(&store),
            bells.clone(),
            sending_stop.clone(),
            failed.clone(),
        )));
        let errands = errands::Errands {
            desk: Arc::clone(&desk_acts),
            store: Arc::clone(&store),
            channels: channels.clone(),
            bell: errand,
            wake: bells.clone(),
        };
        if let (StoreKind::Sled(directory), true) = (&config.store.kind, config.store.photos) {
            let photos = photos::Photos {
                store: Arc::clone(&store),
                clock: Arc::clone(&clock),
                http: http.clone(),
                channels: channels.clone(),
                directory: directory.join(photos::DIRECTORY),
                cases,
                counts: Arc::default(),
            };
            count_photos(&mut metrics, &photos.counts);
            let (stop, failures_of_photos) = (sending_stop.clone(), failed.clone());
            sending.push(tokio::spawn(async move {
                if let Err(error) = photos.run(stop).await {
                    let _ = failures_of_photos
                        .send(anyhow::Error::new(error).context("copying photos"))
                        .await;
                }
            }));
        }
        let (stop, failures_of_errands) = (sending_stop.clone(), failed.clone());
        sending.push(tokio::spawn(async move {
            if let Err(error) = errands.run(stop).await {
                let _ = failures_of_errands
                    .send(anyhow::Error::new(error).context("doing errands"))
                    .await;
            }
        }));
        let digests = Digests {
            desk: Arc::clone(&desk_acts),
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            wake: bells.clone(),
            counts: Arc::default(),
        };
        count_digests(&mut metrics, &digests.counts);
        let (stop, failures_of_digests) = (sending_stop.clone(), failed.clone());
        sending.push(tokio::spawn(async move {
            if let Err(error) = digests.run(stop).await {
                let _ = failures_of_digests
                    .send(anyhow::Error::new(error).context("sending digests by the hour"))
                    .await;
            }
        }));
        let reporter = outbox::Reporter {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            desks,
            news,
        };
        let (stop, failures_of_reports) = (sending_stop.clone(), failed.clone());
        sending.push(tokio::spawn(async move {
            if let Err(error) = reporter.run(stop).await {
                let _ = failures_of_reports
                    .send(anyhow::Error::new(error).context("reporting"))
                    .await;
            }
        }));
        if let (StoreKind::Sled(directory), Some(every)) =
            (&config.store.kind, config.store.backup_every)
        {
            let (store, directory) = (Arc::clone(&store), directory.clone());
            sending.push(tokio::spawn(own_backups(
                store,
                directory,
                every,
                sending_stop.clone(),
            )));
        }
        sending.push(tokio::spawn(tidy(
            Arc::clone(&desk),
            Arc::clone(&store),
            Arc::clone(&clock),
            bells,
            sending_stop,
            failed.clone(),
        )));

        let headcounts = desk_acts.headcounts();
        let mut sources = Vec::new();
        for (account, wired) in config.accounts.iter().zip(wired) {
            let (intake, names, failed) = (intake.clone(), Arc::clone(&names), failed.clone());
            let mut stop = sources_stop.clone();
            let account = account.name.clone();
            let counting = counting::Counting {
                channel: Arc::clone(&wired.channel),
                counts: Arc::clone(&headcounts),
                store: Arc::clone(&store),
                clock: Arc::clone(&clock),
            };
            sources.push(tokio::spawn(async move {
                let Some(profile) = introduce(&wired.channel, &mut stop).await else {
                    return;
                };
                names.learn(&account, &profile.names);
                info!(%account, "the platform knows us");
                let counting = counting.run(stop.clone());
                match wired.source {
                    Some(source) => {
                        tokio::join!(receive(account, source, intake, stop, failed), counting);
                    }
                    None => counting.await,
                }
            }));
        }

        sources.push(tokio::spawn(name_people(
            Arc::clone(&store),
            channels.clone(),
            unnamed,
            sources_stop,
        )));
        let door = intake.clone();
        let routes = web::router(web::Web {
            store: Arc::clone(&store),
            intake,
            channels,
            desk: desk_acts,
            metrics: Arc::new(metrics),
            admin,
            clock: Arc::clone(&clock),
            forms,
        });
        let web = tokio::spawn(async move {
            let stopped = async move {
                let _ = web_stop.wait_for(|stop| *stop).await;
            };
            if let Err(error) = axum::serve(listener, routes)
                .with_graceful_shutdown(stopped)
                .await
            {
                let _ = failed
                    .send(anyhow::Error::new(error).context("serving HTTP"))
                    .await;
            }
        });
        Ok(Self {
            store,
            address,
            failures,
            stop_sources,
            stop_sending,
            stop_web,
            sources,
            door,
            intake: intake_task,
            sending,
            web,
            admin_file,
        })
    }

    /// Where HTTP is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The records.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Waits until something fails that cannot be worked around; then the process must end.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.failures.recv().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Stops in order: no more news, what was taken is recorded, what was claimed is settled, the store is
    /// closed. Takes at most ten seconds.
    ///
    /// # Errors
    /// When the store could not be closed cleanly; nothing is lost, but the next start reads everything.
    pub async fn stop(self) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + STOP_LIMIT;
        let _ = self.stop_sources.send(true);
        let _ = self.stop_web.send(true);
        let taken = tokio::time::Instant::now() + STOP_TAKING;
        end("sources", self.sources, taken).await;
        end("web", vec![self.web], taken).await;
        // Ends when what waits is recorded; a caller that was cut off may still hold the door.
        self.door.close();
        end("intake", vec![self.intake], deadline).await;
        let _ = self.stop_sending.send(true);
        end("outbox", self.sending, deadline).await;
        if let Some(file) = self.admin_file {
            let _ = std::fs::remove_file(file);
        }
        self.store.close().await.context("closing the store")
    }
}

/// Waits for tasks to end; what does not end in time is cut off, and found again at the next start.
async fn end(what: &str, tasks: Vec<JoinHandle<()>>, deadline: tokio::time::Instant) {
    for mut task in tasks {
        if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
            warn!(what, "did not stop in time and was cut off");
            task.abort();
        }
    }
}

/// Asks for names that did not come with messages, one after the other, and puts them into the vault.
async fn name_people(
    store: Arc<dyn Store>,
    channels: HashMap<AccountName, Arc<dyn Channel>>,
    mut unnamed: mpsc::Receiver<Nameless>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let asked = async {
            let who = unnamed.recv().await?;
            let channel = channels.get(&who.room.account);
            let name = match channel {
                Some(channel) => channel.name_of(&who.room, &who.native).await,
                None => None,
            };
            Some((who, name))
        };
        let (who, name) = tokio::select! {
            asked = asked => match asked {
                Some(asked) => asked,
                None => return,
            },
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Some(name) = name else { continue };
        let identity = Identity {
            account: who.room.account,
            native: who.native,
            name,
        };
        let act = Act {
            expects: Vec::new(),
            writes: vec![Write::Identity(who.person, identity)],
        };
        if let Err(error) = store.commit(vec![act]).await {
            // The record itself is safe; whoever serves the store hears of this from others.
            warn!(%error, "a name could not be kept");
        }
    }
}

/// Once a minute, and when somebody moves the clock: drafts that nobody confirmed go, colleagues are
/// reminded of what waits for them, alerts whose time has passed expire.
async fn tidy(
    desk: Arc<DeskCommands>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    bells: Vec<Arc<Notify>>,
    mut stop: watch::Receiver<bool>,
    failed: mpsc::Sender<anyhow::Error>,
) {
    loop {
        // Listen before looking: hands that are moved in between would be missed.
        let moved = clock.moved();
        let tidied = async {
            if let Some(act) = desk.0.tidy().await? {
                store.commit(vec![act]).await?;
                bells.iter().for_each(|bell| bell.notify_one());
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = tidied.await {
            let _ = failed
                .send(anyhow::Error::new(error).context("expiring alerts"))
                .await;
            return;
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = moved => {}
            () = tokio::time::sleep(Duration::from_secs(60)) => {}
        }
    }
}

/// Tells the operator when a month's messages run out, once for each mark.
async fn watch_months(
    ledgers: Vec<Arc<Ledger>>,
    desk: Arc<DeskCommands>,
    store: Arc<dyn Store>,
    month: Arc<Notify>,
    bells: Vec<Arc<Notify>>,
    mut stop: watch::Receiver<bool>,
    failed: mpsc::Sender<anyhow::Error>,
) {
    let mut told: HashMap<AccountName, (Month, u64)> = HashMap::new();
    let mut look = async || {
        for ledger in &ledgers {
            let balance = ledger.balance().await?;
            let Some(mark) = balance.mark else { continue };
            let account = ledger.account();
            if told.insert(account.clone(), (balance.month, mark)) == Some((balance.month, mark)) {
                continue;
            }
            let key = MessageKey {
                room: RoomId::new(account.clone(), ""),
                message: MessageId(format!("month:{}:{mark}", balance.month).into()),
            };
            let (used, quota) = (balance.used, ledger.quota());
            let words = if mark == OVER {
                say::desk::month_over(account.as_str(), balance.month)
            } else {
                say::desk::month_running_out(account.as_str(), used, &quota, balance.month)
            };
            let act = desk.0.warn(key, &words).await?;
            // Told in an earlier life of the program, it is not told again.
            if store.commit(vec![act]).await? == [Done::Written] {
                let monthly = quota.monthly;
                warn!(%account, used, monthly, "{mark} % of the month's messages are used");
                bells.iter().for_each(|bell| bell.notify_one());
            }
        }
        Ok::<_, StoreError>(())
    };
    loop {
        if let Err(error) = look().await {
            let _ = failed
                .send(anyhow::Error::new(error).context("watching the month"))
                .await;
            return;
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = month.notified() => {}
            () = tokio::time::sleep(Duration::from_secs(60)) => {}
        }
    }
}

/// What an account needs somebody for.
struct Need {
    account: AccountName,
    /// The operator is told once for each.
    mark: String,
    /// What they are told.
    words: String,
}

/// Official Accounts whose tokens need their administrator: once a day while they do, and once a week while
/// the refresh token nears its end.
fn needs_of_tokens(accounts: &[ZaloOa], today: NaiveDate) -> impl Iterator<Item = Need> {
    accounts.iter().filter_map(move |official| {
        let (account, counts) = (official.account().name.clone(), official.counts());
        let (mark, words) = if counts.needs_person > 0 {
            let words = say::desk::tokens_spent(account.as_str());
            (format!("tokens:spent:{today}"), words)
        } else if (1..=TOKENS_END).contains(&counts.days_left) {
            let words = say::desk::tokens_ending(account.as_str(), counts.days_left);
            (format!("tokens:ending:{}", counts.days_left / 7), words)
        } else {
            return None;
        };
        Some(Need {
            account,
            mark,
            words,
        })
    })
}

/// Accounts whose channel raises an alarm: once a day for each reason.
fn needs_of_alarms<'a>(
    channels: impl Iterator<Item = &'a Arc<dyn Channel>>,
    today: NaiveDate,
) -> impl Iterator<Item = Need> {
    channels.filter_map(move |channel| {
        let why = channel.alarm()?;
        let account = channel.account().name.clone();
        // The platform's own words follow in brackets; they change from call to call.
        let reason = why.split(" (").next().unwrap_or_default();
        Some(Need {
            mark: format!("alarm:{today}:{reason}"),
            words: say::desk::account_needs_somebody(account.as_str(), reason),
            account,
        })
    })
}

/// Pages whose news comes here and that no account has: once for each.
fn needs_of_strangers<'a>(
    channels: impl Iterator<Item = &'a Arc<dyn Channel>>,
) -> impl Iterator<Item = Need> {
    channels.flat_map(|channel| {
        let account = channel.account().name.clone();
        channel.strangers().into_iter().map(move |page| Need {
            mark: format!("stranger:{page}"),
            words: say::desk::page_without_account(account.as_str(), &page),
            account: account.clone(),
        })
    })
}

/// Tells the operator what accounts need somebody for.
async fn watch_accounts(
    needs: impl Fn() -> Vec<Need>,
    desk: Arc<DeskCommands>,
    store: Arc<dyn Store>,
    bells: Vec<Arc<Notify>>,
    mut stop: watch::Receiver<bool>,
    failed: mpsc::Sender<anyhow::Error>,
) {
    let look = async || {
        for need in needs() {
            let key = MessageKey {
                room: RoomId::new(need.account, ""),
                message: MessageId(need.mark.into()),
            };
            if store.seen(&key).await?.is_some() {
                continue;
            }
            let act = desk.0.warn(key, &need.words).await?;
            store.commit(vec![act]).await?;
            bells.iter().for_each(|bell| bell.notify_one());
        }
        Ok::<_, StoreError>(())
    };
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(NEEDS_LOOK) => {}
        }
        if let Err(error) = look().await {
            let _ = failed
                .send(anyhow::Error::new(error).context("watching the accounts"))
                .await;
            return;
        }
    }
}

/// How the digests by the hour went.
#[derive(Debug, Default)]
struct DigestCounts {
    sent: AtomicU64,
    late: AtomicU64,
    missed: AtomicU64,
}

/// Queues every digest when its hour has come.
struct Digests {
    desk: Arc<Desk>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// The workers of all accounts.
    wake: Vec<Arc<Notify>>,
    counts: Arc<DigestCounts>,
}

impl Digests {
    async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        loop {
            // Listen before looking: hands that are moved in between would be missed.
            let moved = self.clock.moved();
            let next = self.look().await?;
            let wait = next.map_or(DIGEST_LOOK, |at| {
                let wait = (at - self.clock.now()).to_std().unwrap_or_default();
                wait.min(DIGEST_LOOK)
            });
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                () = moved => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Commits what is due now; says when to look again.
    async fn look(&self) -> Result<Option<Time>, StoreError> {
        let due = self.desk.due().await?;
        if due.acts.is_empty() {
            return Ok(due.next);
        }
        let (acts, kept): (Vec<_>, Vec<_>) = due.acts.into_iter().unzip();
        let done = self.store.commit(acts).await?;
        for (kept, done) in kept.into_iter().zip(done) {
            // Stale: another program kept it, or its reader changed it just now.
            if done == Done::Written {
                self.counts.count(kept);
            }
        }
        self.wake.iter().for_each(|bell| bell.notify_one());
        // What was changed meanwhile may be due, too.
        Ok(Some(self.clock.now()))
    }
}

impl DigestCounts {
    fn count(&self, kept: Kept) {
        let add = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        match kept {
            Kept::InTime => {
                add(&self.sent);
            }
            Kept::Late => {
                add(&self.sent);
                add(&self.late);
                warn!("a digest was queued after its hour: the program was not running");
            }
            Kept::Missed => {
                add(&self.missed);
                warn!("a digest was missed: the program was not running for too long");
            }
            Kept::Ended => {
                info!("an appointment for a digest was ended: its reader or chat is gone")
            }
        }
    }
}

fn count_digests(metrics: &mut Metrics, counts: &Arc<DigestCounts>) {
    let counters: [Counter<DigestCounts>; 3] = [
        ("digests_sent", "Digests that came by themselves", |c| {
            &c.sent
        }),
        (
            "digests_late",
            "Of these, those that came after their hour",
            |c| &c.late,
        ),
        (
            "digests_missed",
            "Digests that were too late to be sent",
            |c| &c.missed,
        ),
    ];
    count(metrics, counts, counters);
}

fn count_photos(metrics: &mut Metrics, counts: &Arc<photos::Counts>) {
    let counters: [Counter<photos::Counts>; 3] = [
        (
            "photos_copied",
            "Residents' photos of which a copy was made",
            |c| &c.copied,
        ),
        ("photos_failed", "Tries to copy a photo that failed", |c| {
            &c.failed
        }),
        (
            "photos_erased",
            "Copies that went with the report that was erased",
            |c| &c.erased,
        ),
    ];
    count(metrics, counts, counters);
}

/// Keeps the store's own backup fresh, so that the journal behind it stays short.
async fn own_backups(
    store: Arc<dyn Store>,
    directory: PathBuf,
    every: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let folder = directory.join("backups");
    let file = folder.join(format!("own.{}", crate::store::backup::SUFFIX));
    let age = |file: &Path| {
        std::fs::metadata(file)
            .ok()?
            .modified()
            .ok()?
            .elapsed()
            .ok()
    };
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(BACKUP_LOOK) => {}
        }
        let due = age(&file).is_none_or(|age| age >= every);
        if !due && size_of(&directory.join("journal")) < BACKUP_JOURNAL {
            continue;
        }
        let written = async {
            std::fs::create_dir_all(&folder).context("making the directory of backups")?;
            Ok::<_, anyhow::Error>(store.backup(&file).await?)
        };
        match written.await {
            Ok(summary) => info!(summary, "the store has made its own backup"),
            Err(error) => error!(
                error = format!("{error:#}"),
                "the store's own backup failed; is the disk full?"
            ),
        }
    }
}

/// Bytes in the files of a directory.
fn size_of(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|data| data.len())
        .sum()
}

/// A counter on `/metrics`: its name, its meaning, and where it is kept.
type Counter<C> = (&'static str, &'static str, fn(&C) -> &AtomicU64);

/// Shows what a part of the program counts.
fn count<C: Send + Sync + 'static>(
    metrics: &mut Metrics,
    counts: &Arc<C>,
    counters: impl IntoIterator<Item = Counter<C>>,
) {
    for (name, help, pick) in counters {
        let counts = Arc::clone(counts);
        metrics.counter(name, help, None, move || {
            pick(&counts).load(Ordering::Relaxed)
        });
    }
}

fn count_intake(metrics: &mut Metrics, intake: &Arc<crate::intake::Metrics>) {
    let counters: [Counter<crate::intake::Metrics>; 9] = [
        ("received", "News from all platforms", |m| &m.received),
        (
            "dropped_untagged",
            "Messages that were not for the bot, dropped in memory",
            |m| &m.dropped_untagged,
        ),
        ("recorded", "Messages that opened a case", |m| &m.recorded),
        ("joined", "Messages that told of a known case", |m| {
            &m.joined
        }),
        ("amended", "Messages that added to or changed a case", |m| {
            &m.amended
        }),
        ("withdrawn", "Reports taken back", |m| &m.withdrawn),
        ("commands", "Commands carried out", |m| &m.commands),
        ("repeated", "Messages that a platform told again", |m| {
            &m.repeated
        }),
        (
            "not_understood",
            "Updates that could not be understood",
            |m| &m.not_understood,
        ),
    ];
    count(metrics, intake, counters);
}

fn count_outbox(metrics: &mut Metrics, workers: Vec<(AccountName, Arc<outbox::Metrics>)>) {
    let names: Vec<_> = outbox::Metrics::default()
        .values()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    for (index, name) in names.into_iter().enumerate() {
        for (account, counters) in &workers {
            let counters = Arc::clone(counters);
            let read = move || counters.values().get(index).map_or(0, |(_, value)| *value);
            let gauge = matches!(name, "in_flight" | "account_refused");
            let add = if gauge {
                Metrics::gauge
            } else {
                Metrics::counter
            };
            let full = outbox_series(name);
            add(metrics, full.0, full.1, Some(account.as_str()), read);
        }
    }
}

fn count_official(metrics: &mut Metrics, accounts: impl Iterator<Item = ZaloOa>) {
    type Pick = fn(&OaCounts) -> u64;
    let series: [(bool, &'static str, &'static str, Pick); 6] = [
        (
            false,
            "zalo_oa_signed_app_first",
            "Webhooks of an OA signed as documented",
            |counts| counts.app_first,
        ),
        (
            false,
            "zalo_oa_signed_oa_first",
            "Webhooks of an OA signed with the id of the OA first",
            |counts| counts.oa_first,
        ),
        (
            false,
            "zalo_oa_forged",
            "Webhook calls to an OA account that were not from Zalo",
            |counts| counts.forged,
        ),
        (
            false,
            "zalo_oa_catch_ups",
            "Completed readings of the history of the groups",
            |counts| counts.passes,
        ),
        (
            true,
            "zalo_oa_refresh_days_left",
            "Days until the refresh token of an OA ends if it cannot be used",
            |counts| counts.days_left,
        ),
        (
            true,
            "zalo_oa_needs_person",
            "1 while the tokens of an OA need its administrator: keng zalo auth",
            |counts| counts.needs_person,
        ),
    ];
    let accounts: Vec<ZaloOa> = accounts.collect();
    for (gauge, name, help, pick) in series {
        for account in &accounts {
            let official = account.clone();
            let add = if gauge {
                Metrics::gauge
            } else {
                Metrics::counter
            };
            let read = move || pick(&official.counts());
            add(
                metrics,
                name,
                help,
                Some(account.account().name.as_str()),
                read,
            );
        }
    }
}

fn count_months(metrics: &mut Metrics, ledgers: &[Option<Arc<Ledger>>]) {
    type Pick = fn(&Ledger) -> u64;
    let gauges: [(&'static str, &'static str, Pick); 3] = [
        (
            "month_used",
            "Messages of this month, both ways",
            Ledger::used,
        ),
        ("month_limit", "Messages that a month has", |ledger| {
            ledger.quota().monthly
        }),
        (
            "month_reserve",
            "Messages of these that are kept for alerts",
            |ledger| ledger.quota().reserve,
        ),
    ];
    for (name, help, pick) in gauges {
        for ledger in ledgers.iter().flatten() {
            let (account, ledger) = (ledger.account().clone(), Arc::clone(ledger));
            metrics.gauge(name, help, Some(account.as_str()), move || pick(&ledger));
        }
    }
    for ledger in ledgers.iter().flatten() {
        let (account, ledger) = (ledger.account().clone(), Arc::clone(ledger));
        let help = "Rows that were not sent, to keep the reserve of the month";
        metrics.counter("month_withheld", help, Some(account.as_str()), move || {
            ledger.withheld()
        });
    }
}

/// The name and meaning of an outbox counter on `/metrics`.
fn outbox_series(name: &'static str) -> (&'static str, &'static str) {
    match name {
        "sent" => ("outbox_sent", "Rows that the platform has taken"),
        "unknown" => ("outbox_unknown", "Rows that ended without an answer"),
        "failed" => ("outbox_failed", "Rows that will not arrive"),
        "again" => (
            "outbox_again",
            "Rows that went back to the queue after a try",
        ),
        "resent" => (
            "outbox_resent",
            "Alerts sent once more after an unanswered try",
        ),
        "slowed" => ("outbox_slowed", "Times a platform asked us to slow down"),
        "folded" => (
            "outbox_folded",
            "Receipts that left in one message with others",
        ),
        "messages" => ("outbox_messages", "Messages that left"),
        "in_flight" => ("outbox_in_flight", "Sends under way"),
        "account_refused" => (
            "outbox_account_refused",
            "1 while the platform refuses the account and a person must act",
        ),
        other => (other, other),
    }
}
