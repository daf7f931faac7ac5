//! The make-believe world: people, groups, tokens, packages, and what is due to be told.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::Options;
use crate::sim::scene::{Scene, Watcher, What};
use crate::sim::weather::{Bad, Weather};

/// Pauses before a webhook that failed is called again.
const LADDER_MS: [u64; 5] = [30_000, 300_000, 900_000, 1_800_000, 3_600_000];

/// How long an access token works.
pub(super) const ACCESS_MS: u64 = 90_000_000;

/// How long a refresh token works.
const REFRESH_MS: u64 = 90 * 86_400_000;

/// Somebody with a Zalo account, under the number by which the OA knows them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Person {
    /// The user id.
    pub id: Arc<str>,
}

/// Where something is said: a group, or a person's chat with the OA.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chat {
    /// The group's id, or the person's.
    pub id: Arc<str>,
}

/// A message of the OA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Where.
    pub chat: Chat,
    /// Its id.
    pub message_id: String,
    /// The words as members see them.
    pub text: String,
    /// Whom it calls: user ids, or the group's for everybody.
    pub called: Vec<String>,
    /// The message it quotes, in private chats.
    pub quotes: Option<String>,
    /// The picture or file that came with it.
    pub attachment: Option<Value>,
    /// When the request was here.
    pub at: Instant,
}

/// Which names lifecycle events go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// `delete_group`, `user_leave_group`.
    #[default]
    Newer,
    /// `disperse_group`, `user_out_group`.
    Older,
}

/// How a quoted message is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quote {
    /// `quote_msg {msg_id, text, sender}` and `quote_msg_id`.
    #[default]
    Both,
    /// `quote_msg` alone.
    Object,
    /// `quote_msg_id` alone.
    Id,
}

/// How an access token that has ended is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expiry {
    /// −216 with "expired" in its words, which the SDK goes by.
    #[default]
    Invalid,
    /// −220.
    Removed,
}

/// What sources contradict each other about, or leave open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switches {
    /// The signature begins with the OA's id instead of the app's.
    pub oa_first: bool,
    /// The signature comes without `mac=`.
    pub bare: bool,
    /// Lifecycle names.
    pub names: Names,
    /// How quoting is told.
    pub quote: Quote,
    /// How the end of an access token is told.
    pub expiry: Expiry,
    /// A refresh ends the access token before it at once.
    pub revokes: bool,
    /// The OA's own posts are told by webhook.
    pub echoes: bool,
    /// Ids and times stand as numbers in webhooks.
    pub numbers: bool,
    /// Every webhook comes twice.
    pub repeats: bool,
    /// Calls that an app may make in a minute.
    pub per_minute: usize,
    /// The most lines that one page of anything holds, whatever is asked for.
    pub page: usize,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            oa_first: false,
            bare: false,
            names: Names::default(),
            quote: Quote::default(),
            expiry: Expiry::default(),
            revokes: false,
            echoes: true,
            numbers: false,
            repeats: false,
            per_minute: 4_000,
            page: 10,
        }
    }
}

/// One thing that goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Status 200 with this error; nothing is done.
    Error(i64, String),
    /// A page in HTML with this status; nothing is done.
    Html(u16),
    /// The same although the call was carried out.
    HtmlAfter(u16),
    /// The connection ends before anything is done.
    CloseBefore,
    /// The call is carried out, then the connection ends without an answer.
    CloseAfter,
    /// The call is carried out, and no answer ever comes.
    HangAfter,
    /// Status 200 with these bytes; nothing is done.
    Body(Vec<u8>),
}

impl Fault {
    fn of(bad: Bad) -> Option<Self> {
        Some(match bad {
            Bad::TooMany => Self::Error(-32, "Your application reached limit call api".to_owned()),
            Bad::LostAnswer => Self::CloseAfter,
            Bad::Outage => Self::CloseBefore,
            // Tokens that have ended are known to the world itself.
            Bad::Token => return None,
        })
    }

    pub(super) fn is_after(&self) -> bool {
        matches!(
            self,
            Self::HtmlAfter(_) | Self::CloseAfter | Self::HangAfter
        )
    }
}

/// Which calls meet a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The end of a path such as `group/message`; `*` for all.
    pub path: String,
    /// After this many it is gone; `None` keeps it.
    pub times: Option<u64>,
    /// So many calls pass before the first.
    pub after: u64,
    /// What they meet.
    pub fault: Fault,
}

impl Rule {
    /// The next call of `path` meets `fault`, once.
    #[must_use]
    pub fn once(path: &str, fault: Fault) -> Self {
        Self {
            path: path.to_owned(),
            times: Some(1),
            after: 0,
            fault,
        }
    }

    /// All calls of `path` do.
    #[must_use]
    pub fn always(path: &str, fault: Fault) -> Self {
        Self {
            times: None,
            ..Self::once(path, fault)
        }
    }
}

/// Where things stand, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Webhooks that wait for their call, or for a call again.
    pub pending: usize,
    /// Of these, those that are to be called now or are being called.
    pub due: usize,
    /// Webhooks that were taken.
    pub taken: u64,
    /// Calls of webhooks that were not answered well in time.
    pub failed: u64,
    /// Webhooks that were given up.
    pub lost: u64,
    /// Calls of the API.
    pub calls: u64,
    /// The most of them in any sliding minute.
    pub max_in_any_minute: usize,
    /// Calls that were answered −32.
    pub limited: u64,
    /// Refresh tokens that were exchanged.
    pub rotations: u64,
    /// Refresh tokens that came a second time.
    pub reused: u64,
    /// Messages of the OA.
    pub posted: u64,
}

/// One event on its way.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) body: Vec<u8>,
    pub(super) signature: String,
    pub(super) due_ms: u64,
    pub(super) tries: usize,
}

#[derive(Debug, Clone)]
struct Somebody {
    name: String,
    /// When they last had to do with the OA in private.
    wrote_ms: Option<u64>,
    follows: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Enabled,
    Disabled,
    Deleted,
    /// The OA is out of it.
    Left,
}

/// One line of a chat.
#[derive(Debug, Clone)]
pub(super) struct Line {
    id: String,
    from: Option<Arc<str>>,
    ms: u64,
    text: String,
    kind: &'static str,
    url: String,
}

#[derive(Debug, Clone)]
pub(super) struct Room {
    pub(super) name: String,
    pub(super) description: String,
    link: String,
    package: String,
    pub(super) members: Vec<Arc<str>>,
    pub(super) admins: Vec<Arc<str>>,
    pub(super) invited: Vec<Arc<str>>,
    pub(super) standing: Standing,
    pub(super) settings: Map<String, Value>,
    /// Oldest first.
    lines: Vec<Line>,
}

/// A package that holds one group.
#[derive(Debug, Clone)]
pub(super) struct Package {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) origin: &'static str,
    pub(super) used_by: Option<Arc<str>>,
}

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) app_id: String,
    pub(super) oa_id: String,
    pub(super) oa_name: String,
    /// Where we serve; photos lie there, too.
    pub(super) url: String,
    pub(super) app_secret: String,
    pub(super) oa_secret: String,
    pub(super) switches: Switches,
    /// Names of pictures and files that were uploaded.
    pub(super) uploaded: HashSet<String>,
    pub(super) ahead: Duration,
    started: Instant,
    started_ms: u64,
    dice: u64,
    people: BTreeMap<Arc<str>, Somebody>,
    pub(super) groups: BTreeMap<Arc<str>, Room>,
    group_order: Vec<Arc<str>>,
    private: HashMap<Arc<str>, Vec<Line>>,
    pub(super) packages: Vec<Package>,
    /// Access tokens, and when they end.
    access: HashMap<String, u64>,
    newest_access: String,
    /// Refresh tokens, and when they end; a spent one ends at 0.
    refresh: HashMap<String, u64>,
    pub(super) codes: HashMap<String, String>,
    pub(super) sent: Vec<Sent>,
    pub(super) calls: Vec<super::Call>,
    pub(super) events: VecDeque<Event>,
    pub(super) webhook: Option<String>,
    pub(super) rules: Vec<Rule>,
    pub(super) watcher: Watcher,
    pub(super) weather: Weather,
    pub(super) stats: Stats,
    arrivals: VecDeque<Instant>,
}

impl World {
    pub(super) fn new(options: &Options) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the town is outside the program")]
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let mut world = Self {
            app_id: options.app_id.clone(),
            oa_id: options.oa_id.clone(),
            oa_name: options.oa_name.clone(),
            url: String::new(),
            app_secret: options.app_secret.clone(),
            uploaded: HashSet::new(),
            oa_secret: options.oa_secret.clone(),
            switches: options.switches.clone(),
            ahead: Duration::ZERO,
            started: Instant::now(),
            started_ms: u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(0),
            dice: options.seed,
            people: BTreeMap::new(),
            groups: BTreeMap::new(),
            group_order: Vec::new(),
            private: HashMap::new(),
            packages: Vec::new(),
            access: HashMap::new(),
            newest_access: String::new(),
            refresh: HashMap::new(),
            codes: HashMap::new(),
            sent: Vec::new(),
            calls: Vec::new(),
            events: VecDeque::new(),
            webhook: None,
            rules: Vec::new(),
            watcher: Watcher::default(),
            weather: Weather::new(options.seed),
            stats: Stats::default(),
            arrivals: VecDeque::new(),
        };
        for number in 0..options.packages {
            let id = world.hex(20);
            world.packages.push(Package {
                id,
                kind: ["gmf100", "gmf50", "gmf1000", "gmf10"][number % 4].to_owned(),
                origin: if number % 2 == 0 {
                    "sub_quota"
                } else {
                    "purchase_quota"
                },
                used_by: None,
            });
        }
        world
    }

    // Dice and time ---------------------------------------------------------

    /// The next random number; SplitMix64, so that one seed tells one story.
    fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn hex(&mut self, digits: usize) -> String {
        let mut text = String::new();
        while text.len() < digits {
            let word = self.roll();
            text.push_str(&format!("{word:016x}"));
        }
        text.truncate(digits);
        text
    }

    fn token(&mut self, name: &str) -> String {
        format!("{name}-{}", self.hex(40))
    }

    pub(super) fn now_ms(&self) -> u64 {
        let since = self.started.elapsed() + self.ahead;
        self.started_ms + u64::try_from(since.as_millis()).unwrap_or(u64::MAX / 4)
    }

    // Tokens ----------------------------------------------------------------

    /// A new pair, as after a consent or a refresh.
    pub(super) fn pair(&mut self) -> (String, String) {
        let now = self.now_ms();
        let (access, refresh) = (self.token("A"), self.token("R"));
        if self.switches.revokes {
            self.access.clear();
        }
        self.access.insert(access.clone(), now + ACCESS_MS);
        self.newest_access.clone_from(&access);
        self.refresh.insert(refresh.clone(), now + REFRESH_MS);
        (access, refresh)
    }

    /// Exchanges a refresh token; each works once.
    pub(super) fn exchange(
        &mut self,
        refresh: &str,
    ) -> Result<(String, String), (i64, &'static str)> {
        let now = self.now_ms();
        match self.refresh.get_mut(refresh) {
            None => Err((-14_014, "Invalid refresh token.")),
            Some(0) => {
                self.stats.reused += 1;
                Err((-14_014, "Invalid refresh token."))
            }
            Some(until) if *until <= now => Err((-14_015, "Refresh token expired.")),
            Some(until) => {
                *until = 0;
                self.stats.rotations += 1;
                Ok(self.pair())
            }
        }
    }

    pub(super) fn admits(&self, access: &str) -> Result<(), (i64, &'static str)> {
        let now = self.now_ms();
        match self.access.get(access) {
            None => Err((-216, "Access token is invalid")),
            Some(until) if *until <= now => Err(match self.switches.expiry {
                Expiry::Invalid => (-216, "Access token has expired"),
                Expiry::Removed => (-220, "access_token is expired or removed"),
            }),
            Some(_) => Ok(()),
        }
    }

    pub(super) fn end_access(&mut self) {
        let ended = self.now_ms();
        self.access
            .values_mut()
            .for_each(|until| *until = (*until).min(ended));
    }

    pub(super) fn spend_refresh(&mut self) {
        self.refresh.clear();
    }

    // The limit -------------------------------------------------------------

    /// Counts a call; the rest of this minute, or nothing when it is one too many.
    pub(super) fn count_call(&mut self, now: Instant) -> Option<usize> {
        while self
            .arrivals
            .front()
            .is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(60))
        {
            self.arrivals.pop_front();
        }
        self.stats.calls += 1;
        if self.arrivals.len() >= self.switches.per_minute {
            self.stats.limited += 1;
            return None;
        }
        self.arrivals.push_back(now);
        self.stats.max_in_any_minute = self.stats.max_in_any_minute.max(self.arrivals.len());
        Some(self.switches.per_minute - self.arrivals.len())
    }

    pub(super) fn meet(&mut self, path: &str) -> Option<Fault> {
        let posts = path.contains("message") && !path.contains("/get");
        let bad = self.weather.meet(posts);
        if let Some(fault) = bad.and_then(Fault::of) {
            return Some(fault);
        }
        let rules = &mut self.rules;
        let index = rules
            .iter()
            .position(|rule| rule.path == "*" || path.ends_with(&rule.path))?;
        let rule = rules.get_mut(index)?;
        if rule.after > 0 {
            rule.after -= 1;
            return None;
        }
        let fault = rule.fault.clone();
        if let Some(times) = &mut rule.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                rules.remove(index);
            }
        }
        Some(fault)
    }

    // People and groups -----------------------------------------------------

    pub(super) fn add_person(&mut self, name: &str) -> Person {
        // Above 2^53, so that whoever reads ids as fractions mixes people up.
        let id: Arc<str> = (1_u64 << 60 | self.roll() >> 4).to_string().into();
        self.people.insert(
            Arc::clone(&id),
            Somebody {
                name: name.to_owned(),
                wrote_ms: None,
                follows: true,
            },
        );
        Person { id }
    }

    pub(super) fn name_of(&self, id: &str) -> Option<&str> {
        self.people.get(id).map(|person| person.name.as_str())
    }

    /// When somebody last wrote to the OA in private.
    pub(super) fn last_words(&self, id: &str) -> Option<u64> {
        self.people.get(id)?.wrote_ms
    }

    pub(super) fn knows(&self, id: &str) -> bool {
        self.people
            .get(id)
            .is_some_and(|person| person.follows || person.wrote_ms.is_some())
    }

    /// A group, made by the OA.
    pub(super) fn add_group(
        &mut self,
        name: &str,
        description: &str,
        package: &str,
        members: &[Arc<str>],
    ) -> Chat {
        let chat = self.settle_group(name, description, package, members);
        self.lifecycle("create_group", &chat.id, json!({"group_name": name}));
        chat
    }

    /// The same, and nobody is told.
    pub(super) fn settle_group(
        &mut self,
        name: &str,
        description: &str,
        package: &str,
        members: &[Arc<str>],
    ) -> Chat {
        let id: Arc<str> = self.hex(20).into();
        let link = format!("https://zalo.me/g/{}", self.hex(9));
        let settings = json!({"lock_send_msg": false, "join_appr": false, "enable_msg_history": true, "enable_link_join": true});
        self.groups.insert(
            Arc::clone(&id),
            Room {
                name: name.to_owned(),
                description: description.to_owned(),
                link,
                package: package.to_owned(),
                members: members.to_vec(),
                admins: members.iter().take(1).cloned().collect(),
                invited: Vec::new(),
                standing: Standing::Enabled,
                settings: settings.as_object().cloned().unwrap_or_default(),
                lines: Vec::new(),
            },
        );
        self.group_order.push(Arc::clone(&id));
        if let Some(package) = self.packages.iter_mut().find(|one| one.id == package) {
            package.used_by = Some(Arc::clone(&id));
        }
        Chat { id }
    }

    pub(super) fn join(&mut self, chat: &str, person: &Arc<str>) {
        let Some(room) = self.groups.get_mut(chat) else {
            return;
        };
        if !room.members.contains(person) {
            room.members.push(Arc::clone(person));
            self.lifecycle("user_join_group", chat, json!({"user_id": &**person}));
        }
    }

    pub(super) fn leave(&mut self, chat: &str, person: &Arc<str>) {
        let Some(room) = self.groups.get_mut(chat) else {
            return;
        };
        room.members.retain(|member| member != person);
        let name = match self.switches.names {
            Names::Newer => "user_leave_group",
            Names::Older => "user_out_group",
        };
        self.lifecycle(name, chat, json!({"user_id": &**person}));
    }

    pub(super) fn stand(&mut self, chat: &str, standing: Standing) {
        let Some(room) = self.groups.get_mut(chat) else {
            return;
        };
        room.standing = standing;
        if standing == Standing::Deleted {
            let name = match self.switches.names {
                Names::Newer => "delete_group",
                Names::Older => "disperse_group",
            };
            self.lifecycle(name, chat, json!({}));
        }
    }

    pub(super) fn rename(&mut self, chat: &str, name: &str) {
        if let Some(room) = self.groups.get_mut(chat) {
            name.clone_into(&mut room.name);
            self.lifecycle("update_group_info", chat, json!({"group_name": name}));
        }
    }

    /// Groups that still exist, in the order in which they were made.
    pub(super) fn living(&self) -> Vec<(Arc<str>, &Room)> {
        let rooms = self
            .group_order
            .iter()
            .filter_map(|id| Some((Arc::clone(id), self.groups.get(id)?)));
        rooms
            .filter(|(_, room)| matches!(room.standing, Standing::Enabled | Standing::Disabled))
            .collect()
    }

    /// Whether a call about this group is let through.
    pub(super) fn entrance(&self, id: &str) -> Result<&Room, (i64, &'static str)> {
        match self.groups.get(id) {
            None => Err((-201, "group_id is invalid")),
            Some(room) => match room.standing {
                Standing::Enabled => Ok(room),
                Standing::Disabled => Err((-237, "The group is disabled")),
                Standing::Deleted => Err((-201, "group_id is invalid")),
                Standing::Left => Err((-403, "OA is not in group")),
            },
        }
    }

    pub(super) fn group_json(&self, id: &str, room: &Room) -> Value {
        json!({
            "name": room.name,
            "avatar": "http://s120.ava.grp.talk.zdn.vn/default",
            "group_id": id,
            "group_link": room.link,
            "group_description": room.description,
            "total_member": room.members.len() + 1,
            "status": if room.standing == Standing::Enabled { "enabled" } else { "disabled" },
        })
    }

    pub(super) fn group_details(&self, id: &str, room: &Room) -> Value {
        let package = self.packages.iter().find(|one| one.id == room.package);
        let kind = package.map_or("gmf100", |package| &package.kind);
        let mut info = self.group_json(id, room);
        info["max_member"] = kind.trim_start_matches("gmf").into();
        json!({
            "group_info": info,
            "asset_info": {
                "asset_type": kind,
                "asset_id": room.package,
                "valid_through": "31/12/2027",
                "auto_renew": "true",
            },
            "group_setting": room.settings,
        })
    }

    // What is said ----------------------------------------------------------

    /// Somebody writes in a group or to the OA.
    pub(super) fn write(
        &mut self,
        person: &Arc<str>,
        chat: &Arc<str>,
        text: &str,
        quotes: Option<&str>,
        picture: bool,
    ) -> String {
        let private = person == chat;
        let (id, now) = (self.hex(20), self.now_ms());
        let url = if picture {
            let (number, name) = (self.roll() >> 8, self.hex(20));
            format!("{}/f56-zpg-r.zdn.vn/{number}/{name}.jpg", self.url)
        } else {
            String::new()
        };
        let line = Line {
            id: id.clone(),
            from: Some(Arc::clone(person)),
            ms: now,
            text: text.to_owned(),
            kind: if picture { "photo" } else { "text" },
            url: url.clone(),
        };
        self.play(
            Some(person),
            Scene {
                chat: chat.to_string(),
                message: id.clone(),
                reply_to: quotes.map(str::to_owned),
                text: text.to_owned(),
                picture,
                ..Self::blank()
            },
        );
        if private {
            if let Some(somebody) = self.people.get_mut(person) {
                somebody.wrote_ms = Some(now);
            }
            self.private.entry(Arc::clone(chat)).or_default().push(line);
        } else if let Some(room) = self.groups.get_mut(chat) {
            if room.standing == Standing::Deleted {
                return id;
            }
            room.lines.push(line);
        }
        let mut message = json!({"text": text, "msg_id": id});
        if picture {
            let thumbnail = url.replace("f56-zpg-r", "t-f56-zpg-r");
            message["attachments"] =
                json!([{"type": "image", "payload": {"thumbnail": thumbnail, "url": url}}]);
        }
        if let Some(quoted) = quotes {
            self.quote(&mut message, chat, quoted);
        }
        let kind = if picture { "image" } else { "text" };
        let name = if private {
            format!("user_send_{kind}")
        } else {
            format!("user_send_group_{kind}")
        };
        let to = if private {
            self.oa_id.as_str().into()
        } else {
            Arc::clone(chat)
        };
        self.tell_message(&name, person, &to, message, private);
        id
    }

    fn quote(&self, message: &mut Value, chat: &str, quoted: &str) {
        let lines = self
            .groups
            .get(chat)
            .map(|room| &room.lines)
            .or_else(|| self.private.get(chat));
        let line = lines.and_then(|lines| lines.iter().find(|line| line.id == quoted));
        if matches!(self.switches.quote, Quote::Both | Quote::Object)
            && let Some(line) = line
        {
            let author = line.from.as_deref().unwrap_or(&self.oa_id);
            message["quote_msg"] =
                json!({"msg_id": quoted, "text": line.text, "sender": {"id": author}});
        }
        if matches!(self.switches.quote, Quote::Both | Quote::Id) {
            message["quote_msg_id"] = quoted.into();
        }
    }

    /// The OA posts; the words are those that members see.
    pub(super) fn post(
        &mut self,
        chat: &Arc<str>,
        text: &str,
        quotes: Option<&str>,
        attachment: Option<Value>,
        at: Instant,
    ) -> String {
        let (id, now) = (self.hex(20), self.now_ms());
        let group = self.groups.contains_key(chat);
        let (shown, called) = if group {
            self.call(chat, text)
        } else {
            (text.to_owned(), Vec::new())
        };
        let line = Line {
            id: id.clone(),
            from: None,
            ms: now,
            text: shown.clone(),
            kind: "text",
            url: String::new(),
        };
        match self.groups.get_mut(chat) {
            Some(room) => room.lines.push(line),
            None => self.private.entry(Arc::clone(chat)).or_default().push(line),
        }
        self.play(
            None,
            Scene {
                chat: chat.to_string(),
                message: id.clone(),
                reply_to: quotes.map(str::to_owned),
                text: shown.clone(),
                picture: attachment.is_some(),
                ..Self::blank()
            },
        );
        self.sent.push(Sent {
            chat: Chat {
                id: Arc::clone(chat),
            },
            message_id: id.clone(),
            text: shown.clone(),
            called,
            quotes: quotes.map(str::to_owned),
            attachment,
            at,
        });
        self.stats.posted += 1;
        if self.switches.echoes {
            let name = if group {
                "oa_send_group_text"
            } else {
                "oa_send_text"
            };
            let oa: Arc<str> = self.oa_id.as_str().into();
            let message = json!({"text": shown, "msg_id": id});
            self.tell_message(name, &oa, chat, message, !group);
        }
        id
    }

    /// `[@id]` becomes a name that rings a telephone, `[@group]` rings all of them.
    fn call(&self, chat: &str, text: &str) -> (String, Vec<String>) {
        let (mut shown, mut called) = (String::new(), Vec::new());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("[@") {
            shown.push_str(before);
            let Some((id, behind)) = after.split_once(']') else {
                shown.push_str("[@");
                rest = after;
                continue;
            };
            let name = if id == chat {
                Some("All")
            } else {
                self.name_of(id)
            };
            match name {
                Some(name) => {
                    shown.push_str(&format!("@{name}"));
                    called.push(id.to_owned());
                }
                None => shown.push_str(&format!("[@{id}]")),
            }
            rest = behind;
        }
        shown.push_str(rest);
        (shown, called)
    }

    fn blank() -> Scene {
        Scene {
            chat: String::new(),
            person: None,
            who: None,
            message: String::new(),
            reply_to: None,
            text: String::new(),
            buttons: Vec::new(),
            picture: false,
            what: What::Wrote,
        }
    }

    fn play(&self, who: Option<&str>, scene: Scene) {
        self.watcher.show(|| Scene {
            person: who.map(str::to_owned),
            who: who.and_then(|who| self.name_of(who)).map(str::to_owned),
            ..scene
        });
    }

    /// One line as the history writes it.
    pub(super) fn line_json(&self, chat: &str, line: &Line) -> Value {
        let from = line.from.as_deref();
        let mut value = json!({
            "src": u8::from(from.is_some()),
            "time": line.ms,
            "type": line.kind,
            "message_id": line.id,
            "from_id": from.unwrap_or(&self.oa_id),
            "from_display_name": from.map_or(self.oa_name.as_str(), |from| self.name_of(from).unwrap_or_default()),
            "from_avatar": "https://s240-ava-talk.zadn.vn/default.jpg",
            "group_id": chat,
        });
        if line.kind == "photo" {
            value["thumb"] = line.url.as_str().into();
            value["url"] = line.url.as_str().into();
            value["description"] = line.text.as_str().into();
        } else {
            value["message"] = line.text.as_str().into();
        }
        value
    }

    /// The history of a group, newest first.
    pub(super) fn history(&self, chat: &str, offset: usize, count: usize) -> Vec<Value> {
        let lines = self.groups.get(chat).map_or(&[][..], |room| &room.lines);
        let newest = lines.iter().rev().skip(offset).take(count);
        newest.map(|line| self.line_json(chat, line)).collect()
    }

    /// The newest lines of all groups, newest first.
    pub(super) fn recent(&self, offset: usize, count: usize) -> Vec<Value> {
        let rooms = self.living();
        let mut all: Vec<(u64, Value)> = rooms
            .iter()
            .flat_map(|(id, room)| {
                room.lines
                    .iter()
                    .map(|line| (line.ms, self.line_json(id, line)))
            })
            .collect();
        all.sort_by_key(|(ms, _)| std::cmp::Reverse(*ms));
        all.into_iter()
            .skip(offset)
            .take(count)
            .map(|(_, line)| line)
            .collect()
    }

    // Events ----------------------------------------------------------------

    fn tell_message(
        &mut self,
        name: &str,
        from: &Arc<str>,
        to: &Arc<str>,
        message: Value,
        private: bool,
    ) {
        let mut event = json!({
            "app_id": self.app_id,
            "sender": {"id": &**from},
            "recipient": {"id": &**to},
            "event_name": name,
            "message": message,
        });
        if private {
            event["user_id_by_app"] = "7000000000000000001".into();
        } else {
            event["oa_id"] = self.oa_id.as_str().into();
        }
        self.tell(event);
    }

    fn lifecycle(&mut self, name: &str, group: &str, more: Value) {
        let mut event = json!({
            "app_id": self.app_id,
            "oa_id": self.oa_id,
            "group_id": group,
            "event_name": name,
        });
        if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
            event.extend(more);
        }
        self.tell(event);
    }

    /// Signs an event and puts it in line.
    fn tell(&mut self, mut event: Value) {
        let now = self.now_ms();
        event["timestamp"] = now.to_string().into();
        if self.switches.numbers {
            numbers(&mut event);
        }
        self.give(event.to_string().into_bytes(), &now.to_string());
    }

    /// Puts these bytes in line, signed with this timestamp.
    pub(super) fn give(&mut self, body: Vec<u8>, timestamp: &str) {
        let first = if self.switches.oa_first {
            &self.oa_id
        } else {
            &self.app_id
        };
        let mac = sign(first, &body, timestamp, &self.oa_secret);
        let signature = if self.switches.bare {
            mac
        } else {
            format!("mac={mac}")
        };
        let event = Event {
            body,
            signature,
            due_ms: self.now_ms() + self.weather.held_back_ms(),
            tries: 0,
        };
        for _ in 1..self.weather.times() {
            self.events.push_back(event.clone());
        }
        if self.switches.repeats {
            self.events.push_back(event.clone());
        }
        self.events.push_back(event);
    }

    /// A call of a webhook failed: it comes again on the next rung, or never.
    pub(super) fn missed(&mut self, mut event: Event) {
        self.stats.failed += 1;
        match LADDER_MS.get(event.tries) {
            Some(pause) => {
                event.due_ms += pause;
                event.tries += 1;
                self.events.push_back(event);
            }
            None => self.stats.lost += 1,
        }
    }
}

/// The signature of a webhook, in hex.
pub(super) fn sign(first: &str, body: &[u8], timestamp: &str, secret: &str) -> String {
    let mut hash = Sha256::new();
    for part in [
        first.as_bytes(),
        body,
        timestamp.as_bytes(),
        secret.as_bytes(),
    ] {
        hash.update(part);
    }
    let sum = hash.finalize();
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Ids and times lose their quotes, where they are digits.
fn numbers(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let id = matches!(
                    key.as_str(),
                    "id" | "oa_id" | "app_id" | "timestamp" | "user_id"
                );
                match value.as_str().and_then(|text| text.parse::<u64>().ok()) {
                    Some(number) if id => *value = number.into(),
                    _ => numbers(value),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(numbers),
        _ => {}
    }
}
