//! Who is there, what was said, and what of it the platform hands over.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value, json};

use super::{Call, Options};
use crate::sim::scene::{Scene, Watcher, What};
use crate::sim::telegram::Dice;
use crate::sim::weather::{Bad, Trouble, Weather};

/// Somebody with a Zalo account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    /// The id under which this bot knows them.
    pub id: Arc<str>,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chat {
    /// The chat id; for a private chat, the person's.
    pub id: Arc<str>,
}

/// A message of the bot.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// Where.
    pub chat: Chat,
    /// Its id.
    pub message_id: String,
    /// The text or caption.
    pub text: String,
    /// When its request arrived.
    pub at: Instant,
}

/// How an idle poll ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// HTTP status 408.
    Status,
    /// Status 200; the body says 408.
    Body,
}

/// The form of a webhook call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// `{event_name, message}`.
    Flat,
    /// `{ok, result: {event_name, message}}`.
    Wrapped,
}

/// The field of a photo's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Photo {
    /// `photo_url`.
    PhotoUrl,
    /// `photo`.
    Photo,
}

/// What becomes of an update once it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is told this many times more.
    Again(u32),
    /// It is told once, however long it had to wait.
    Once,
    /// It is told once, and only if somebody asks when it happens, or asked this long ago.
    WhileAsked(Duration),
}

/// What follows at once when a webhook is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// An event `webhook.test` without sender and chat.
    Event,
    /// A call without a body.
    Empty,
    /// Nothing.
    None,
}

/// A month's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many.
    pub monthly: u64,
    /// What people write counts too.
    pub both_ways: bool,
}

/// What sources contradict each other about, or what a plan decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Switches {
    /// How an idle poll ends.
    pub idle: Idle,
    /// The form of a webhook call.
    pub hook: Hook,
    /// The field of a photo's address.
    pub photo: Photo,
    /// What becomes of told updates.
    pub delivery: Delivery,
    /// Answers that went well carry `error_code: 0`.
    pub zero: bool,
    /// A picked name stays in the text.
    pub mention_kept: bool,
    /// What follows when a webhook is set.
    pub probe: Probe,
    /// The month's limit; none.
    pub quota: Option<Quota>,
    /// An event that withholds a message has none at all.
    pub withheld_bare: bool,
    /// A poll is answered with a list.
    pub lists: bool,
    /// Ids are whole numbers that no float holds, from now on.
    pub numbers: bool,
    /// Dates are seconds.
    pub seconds: bool,
    /// `getMe` tells the display name.
    pub tells_name: bool,
    /// The bot may be in groups.
    pub can_join_groups: bool,
    /// In how many.
    pub most_groups: usize,
    /// An unknown method is answered 400 instead of 404.
    pub unknown_is_400: bool,
    /// A webhook must be `https://` at a public address, as on the real platform; then it is never
    /// called, since this town does not leave the machine.
    pub strict_hooks: bool,
    /// How often a webhook call that was not answered 2xx is made again.
    pub hook_retries: u32,
    /// Each webhook call is made this many times more, although it was answered.
    pub hook_repeats: u32,
    /// `setWebhook` tells how its probe went.
    pub verifies: bool,
    /// That probe fails.
    pub unreachable: bool,
    /// The longest a poll is held, whatever it asks for.
    pub longest_hold: Duration,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            idle: Idle::Status,
            hook: Hook::Flat,
            photo: Photo::PhotoUrl,
            delivery: Delivery::Once,
            zero: false,
            mention_kept: true,
            probe: Probe::Event,
            quota: None,
            withheld_bare: false,
            lists: false,
            numbers: false,
            seconds: false,
            tells_name: true,
            can_join_groups: true,
            most_groups: 3,
            unknown_is_400: false,
            strict_hooks: false,
            hook_retries: 2,
            hook_repeats: 0,
            verifies: false,
            unreachable: false,
            longest_hold: Duration::from_secs(30),
        }
    }
}

impl Switches {
    /// Turns one by its name, for the control API: the words of the variants in small letters
    /// (`"idle": "body"`, `"delivery": "again"`), numbers, truth values, `quota` as `{monthly, both_ways}`.
    pub(super) fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let word = value.as_str().unwrap_or("");
        let unknown = || Err(format!("`{name}` cannot be {value}"));
        let flag = value.as_bool();
        let number = value.as_u64();
        let small = number.and_then(|number| u32::try_from(number).ok());
        match (name, word, flag, small) {
            ("idle", "status", ..) => self.idle = Idle::Status,
            ("idle", "body", ..) => self.idle = Idle::Body,
            ("hook", "flat", ..) => self.hook = Hook::Flat,
            ("hook", "wrapped", ..) => self.hook = Hook::Wrapped,
            ("photo", "photo_url", ..) => self.photo = Photo::PhotoUrl,
            ("photo", "photo", ..) => self.photo = Photo::Photo,
            ("delivery", "again", ..) => self.delivery = Delivery::Again(2),
            ("delivery", "once", ..) => self.delivery = Delivery::Once,
            ("delivery", "while_asked", ..) => {
                self.delivery = Delivery::WhileAsked(Duration::ZERO);
            }
            ("probe", "event", ..) => self.probe = Probe::Event,
            ("probe", "empty", ..) => self.probe = Probe::Empty,
            ("probe", "none", ..) => self.probe = Probe::None,
            ("quota", ..) => {
                self.quota = value["monthly"].as_u64().map(|monthly| Quota {
                    monthly,
                    both_ways: value["both_ways"].as_bool().unwrap_or(false),
                });
            }
            ("zero", _, Some(flag), _) => self.zero = flag,
            ("mention_kept", _, Some(flag), _) => self.mention_kept = flag,
            ("withheld_bare", _, Some(flag), _) => self.withheld_bare = flag,
            ("lists", _, Some(flag), _) => self.lists = flag,
            ("numbers", _, Some(flag), _) => self.numbers = flag,
            ("seconds", _, Some(flag), _) => self.seconds = flag,
            ("tells_name", _, Some(flag), _) => self.tells_name = flag,
            ("can_join_groups", _, Some(flag), _) => self.can_join_groups = flag,
            ("unknown_is_400", _, Some(flag), _) => self.unknown_is_400 = flag,
            ("strict_hooks", _, Some(flag), _) => self.strict_hooks = flag,
            ("verifies", _, Some(flag), _) => self.verifies = flag,
            ("unreachable", _, Some(flag), _) => self.unreachable = flag,
            ("most_groups", _, _, Some(most)) => self.most_groups = most as usize,
            ("hook_retries", _, _, Some(count)) => self.hook_retries = count,
            ("hook_repeats", _, _, Some(count)) => self.hook_repeats = count,
            ("longest_hold_ms", _, _, Some(ms)) => {
                self.longest_hold = Duration::from_millis(ms.into());
            }
            _ => return unknown(),
        }
        Ok(())
    }
}

/// One thing that can go wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This error in the platform's own form; nothing is done.
    Refuse(u16, String),
    /// A proxy's page with this status; nothing is done.
    Html(u16),
    /// A proxy's page with this status although the call was carried out.
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
    /// The call takes effect although it seems to fail.
    #[must_use]
    pub fn is_carried_out(&self) -> bool {
        matches!(
            self,
            Self::HtmlAfter(_) | Self::CloseAfter | Self::HangAfter
        )
    }
}

/// Which calls meet a fault, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// A method name; `send*` for everything that posts, `*` for all.
    pub method: String,
    /// After this many the rule is gone; `None` keeps it.
    pub times: Option<u64>,
    /// What they meet.
    pub fault: Fault,
}

impl Rule {
    /// The next call of `method` meets `fault`, once.
    #[must_use]
    pub fn once(method: &str, fault: Fault) -> Self {
        Self::times(method, 1, fault)
    }

    /// The next `times` calls of `method` meet `fault`.
    #[must_use]
    pub fn times(method: &str, times: u64, fault: Fault) -> Self {
        Self {
            method: method.to_owned(),
            times: Some(times),
            fault,
        }
    }

    fn is_for(&self, method: &str) -> bool {
        match self.method.strip_suffix('*') {
            Some(start) => method.starts_with(start),
            None => self.method == method,
        }
    }
}

/// Where things stand, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Updates that wait, or were told and not asked past yet.
    pub pending: usize,
    /// Updates told, repeats included.
    pub given: u64,
    /// Updates that nobody was told, since nobody asked.
    pub lost: u64,
    /// Requests of any kind.
    pub calls: u64,
    /// Polls that came.
    pub polls: u64,
    /// Messages of this month, as the platform counts them.
    pub used: u64,
    /// Sends refused because the month was used up.
    pub over: u64,
}

/// One message, to be shown to whoever watches.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    id: &'a str,
    text: &'a str,
    reply_to: Option<&'a str>,
    picture: bool,
}

#[derive(Debug)]
struct Group {
    title: String,
    has_bot: bool,
}

#[derive(Debug)]
pub(super) struct Waiting {
    update: Value,
    told: u32,
}

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    /// Where we serve; photos lie there, too.
    pub(super) url: String,
    pub(super) switches: Switches,
    pub(super) rules: Vec<Rule>,
    pub(super) sent: Vec<Sent>,
    pub(super) calls: Vec<Call>,
    pub(super) watcher: Watcher,
    pub(super) weather: Weather,
    /// How far the town's clock is ahead.
    pub(super) ahead: Duration,
    /// A webhook takes the updates.
    pub(super) hooked: bool,
    /// A poll waits.
    pub(super) asking: usize,
    pub(super) last_asked: Option<Instant>,
    display_name: String,
    people: BTreeMap<Arc<str>, String>,
    groups: BTreeMap<Arc<str>, Group>,
    queue: VecDeque<Waiting>,
    /// Told by the last poll, and not asked past.
    in_hand: usize,
    dice: Dice,
    given: u64,
    lost: u64,
    pub(super) polls: u64,
    /// Messages by month: out, in.
    used: BTreeMap<String, (u64, u64)>,
    over: u64,
}

impl World {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            url: String::new(),
            switches: options.switches.clone(),
            rules: Vec::new(),
            sent: Vec::new(),
            calls: Vec::new(),
            watcher: Watcher::default(),
            weather: Weather::new(options.seed),
            ahead: Duration::ZERO,
            hooked: false,
            asking: 0,
            last_asked: None,
            display_name: options.display_name.clone(),
            people: BTreeMap::new(),
            groups: BTreeMap::new(),
            queue: VecDeque::new(),
            in_hand: 0,
            dice: Dice::new(options.seed),
            given: 0,
            lost: 0,
            polls: 0,
            used: BTreeMap::new(),
            over: 0,
        }
    }

    /// The town's time, in milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where this town reads the wall clock"
        )]
        let now = SystemTime::now();
        let now = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            + self.ahead;
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }

    fn date(&self) -> u64 {
        if self.switches.seconds {
            self.now_ms() / 1_000
        } else {
            self.now_ms()
        }
    }

    /// The month in Viet Nam, as people write it.
    fn month(&self) -> String {
        let ms = i64::try_from(self.now_ms()).unwrap_or(i64::MAX) + 7 * 3_600_000;
        chrono::DateTime::from_timestamp_millis(ms)
            .map(|time| time.format("%Y-%m").to_string())
            .unwrap_or_default()
    }

    /// An id as the platform writes them: 20 hex digits, or a number that no float holds.
    fn id(&mut self) -> Arc<str> {
        if self.switches.numbers {
            let number = (1_u64 << 53) + 1 + 2 * (self.dice.roll() >> 12);
            return number.to_string().into();
        }
        let (high, low) = (self.dice.roll(), self.dice.roll());
        format!("{:04x}{low:016x}", high & 0xffff).into()
    }

    /// An id in JSON: digits alone are a number while ids are numbers.
    fn id_json(&self, id: &str) -> Value {
        match id.parse::<u64>() {
            Ok(number) if self.switches.numbers => number.into(),
            _ => id.into(),
        }
    }

    pub(super) fn add_person(&mut self, name: &str) -> Person {
        let id = self.id();
        self.people.insert(Arc::clone(&id), name.to_owned());
        Person { id }
    }

    pub(super) fn add_group(&mut self, title: &str) -> Chat {
        let id = self.id();
        let group = Group {
            title: title.to_owned(),
            has_bot: false,
        };
        self.groups.insert(Arc::clone(&id), group);
        Chat { id }
    }

    pub(super) fn join(&mut self, chat: &Chat) -> bool {
        let inside = self.groups.values().filter(|group| group.has_bot).count();
        if !self.switches.can_join_groups || inside >= self.switches.most_groups {
            return false;
        }
        match self.groups.get_mut(&chat.id) {
            Some(group) => {
                group.has_bot = true;
                true
            }
            None => false,
        }
    }

    pub(super) fn kick(&mut self, chat: &Chat) {
        if let Some(group) = self.groups.get_mut(&chat.id) {
            group.has_bot = false;
        }
    }

    /// Whether the bot can post there.
    pub(super) fn reaches(&self, chat: &str) -> bool {
        match self.groups.get(chat) {
            Some(group) => group.has_bot,
            None => self.people.contains_key(chat),
        }
    }

    pub(super) fn is_group(&self, chat: &str) -> bool {
        self.groups.contains_key(chat)
    }

    /// What people call a group.
    pub(super) fn title(&self, chat: &str) -> Option<&str> {
        self.groups.get(chat).map(|group| group.title.as_str())
    }

    fn show(&self, chat: &str, who: Option<&Person>, line: Line<'_>) {
        self.watcher.show(|| Scene {
            chat: chat.to_owned(),
            person: who.map(|who| who.id.to_string()),
            who: who.map(|who| self.people.get(&who.id).cloned().unwrap_or_default()),
            message: line.id.to_owned(),
            reply_to: line.reply_to.map(str::to_owned),
            text: line.text.to_owned(),
            buttons: Vec::new(),
            picture: line.picture,
            what: What::Wrote,
        });
    }

    /// What every message has.
    fn envelope(&mut self, person: &Person, chat: &Chat) -> (String, Map<String, Value>) {
        let id = self.id().to_string();
        let name = self.people.get(&person.id).cloned().unwrap_or_default();
        let kind = if self.is_group(&chat.id) {
            "GROUP"
        } else {
            "PRIVATE"
        };
        let mut message = Map::new();
        let from = json!({"id": self.id_json(&person.id), "display_name": name, "is_bot": false});
        message.insert("from".into(), from);
        message.insert(
            "chat".into(),
            json!({"id": self.id_json(&chat.id), "chat_type": kind}),
        );
        message.insert("message_id".into(), self.id_json(&id));
        message.insert("date".into(), self.date().into());
        (id, message)
    }

    /// Hands a message over, if the platform does.
    fn tell(&mut self, chat: &Chat, event: &str, message: Map<String, Value>, to_bot: bool) {
        let seen = match self.groups.get(&chat.id) {
            Some(group) => group.has_bot && to_bot,
            None => true,
        };
        if seen {
            self.used.entry(self.month()).or_default().1 += 1;
            self.give(json!({"event_name": event, "message": message}));
        }
    }

    pub(super) fn give(&mut self, update: Value) {
        if let Delivery::WhileAsked(grace) = self.switches.delivery {
            let asked = self.asking > 0
                || self.hooked
                || self.last_asked.is_some_and(|at| at.elapsed() <= grace);
            if !asked {
                self.lost += 1;
                return;
            }
        }
        for _ in 0..self.weather.times() {
            let waiting = Waiting {
                update: update.clone(),
                told: 0,
            };
            let end = self.queue.len();
            let at = if self.weather.is(Trouble::Reordered) {
                self.dice.below(end + 1)
            } else {
                end
            };
            self.queue.insert(at, waiting);
        }
    }

    /// The text with the bot's name picked in it.
    fn picked(&self, text: &str) -> String {
        let placed = if text.contains("{bot}") {
            text.to_owned()
        } else {
            format!("{{bot}} {text}")
        };
        let name = if self.switches.mention_kept {
            format!("@{}", self.display_name)
        } else {
            String::new()
        };
        placed.replace("{bot}", &name).trim().to_owned()
    }

    pub(super) fn write(
        &mut self,
        person: &Person,
        chat: &Chat,
        text: &str,
        mention: bool,
    ) -> String {
        let text = if mention {
            self.picked(text)
        } else {
            text.to_owned()
        };
        self.text(person, chat, &text, None, mention)
    }

    pub(super) fn reply(&mut self, person: &Person, chat: &Chat, to: &str, text: &str) -> String {
        let to_bot = self
            .sent
            .iter()
            .any(|sent| sent.chat == *chat && sent.message_id == to);
        self.text(person, chat, text, Some(to), to_bot)
    }

    fn text(
        &mut self,
        person: &Person,
        chat: &Chat,
        text: &str,
        reply_to: Option<&str>,
        to_bot: bool,
    ) -> String {
        let (id, mut message) = self.envelope(person, chat);
        message.insert("text".into(), text.into());
        message.insert("message_type".into(), "CHAT_MESSAGE".into());
        let line = Line {
            id: &id,
            text,
            reply_to,
            picture: false,
        };
        self.show(&chat.id, Some(person), line);
        self.tell(chat, "message.text.received", message, to_bot);
        id
    }

    pub(super) fn photo(
        &mut self,
        person: &Person,
        chat: &Chat,
        caption: &str,
        mention: bool,
    ) -> String {
        let (id, mut message) = self.envelope(person, chat);
        let field = match self.switches.photo {
            Photo::PhotoUrl => "photo_url",
            Photo::Photo => "photo",
        };
        message.insert(
            field.into(),
            format!("{}/photo-9.zdn.vn/{id}.jpg", self.url).into(),
        );
        let caption = if mention {
            self.picked(caption)
        } else {
            caption.to_owned()
        };
        let line = Line {
            id: &id,
            text: &caption,
            reply_to: None,
            picture: true,
        };
        self.show(&chat.id, Some(person), line);
        if !caption.is_empty() {
            message.insert("caption".into(), caption.into());
        }
        message.insert("message_type".into(), "CHAT_PHOTO".into());
        self.tell(chat, "message.image.received", message, mention);
        id
    }

    pub(super) fn voice(&mut self, person: &Person, chat: &Chat) -> String {
        let (id, mut message) = self.envelope(person, chat);
        message.insert(
            "voice_url".into(),
            format!("https://voice-9.zadn.vn/{id}.aac").into(),
        );
        message.insert("message_type".into(), "CHAT_VOICE".into());
        self.tell(chat, "message.voice.received", message, true);
        id
    }

    pub(super) fn sticker(&mut self, person: &Person, chat: &Chat) -> String {
        let (id, mut message) = self.envelope(person, chat);
        message.insert("sticker".into(), "91c2f0aa".into());
        message.insert("url".into(), "https://stickers.zaloapp.com/91c2f0aa".into());
        self.tell(chat, "message.sticker.received", message, true);
        id
    }

    pub(super) fn withheld(&mut self, person: &Person, chat: &Chat) -> String {
        let (id, message) = self.envelope(person, chat);
        if self.switches.withheld_bare {
            self.used.entry(self.month()).or_default().1 += 1;
            self.give(json!({"event_name": "message.unsupported.received"}));
        } else {
            self.tell(chat, "message.unsupported.received", message, true);
        }
        id
    }

    /// What a poll is answered with; what the poll before it brought is asked past.
    pub(super) fn asked_past(&mut self) {
        self.in_hand = 0;
    }

    /// The next update, if one waits.
    pub(super) fn take(&mut self) -> Option<Value> {
        let mut waiting = self.queue.pop_front()?;
        self.given += 1;
        self.in_hand = 1;
        let update = waiting.update.clone();
        waiting.told += 1;
        if let Delivery::Again(times) = self.switches.delivery
            && waiting.told <= times
        {
            self.queue.push_back(waiting);
        }
        Some(update)
    }

    /// A call meets its fault.
    pub(super) fn meet(&mut self, method: &str) -> Option<Fault> {
        if let Some(bad) = self.weather.meet(method.starts_with("send")) {
            return Some(match bad {
                Bad::TooMany => Fault::Refuse(429, "Too Many Requests".to_owned()),
                Bad::LostAnswer => Fault::CloseAfter,
                Bad::Token => Fault::Refuse(401, "Unauthorized".to_owned()),
                Bad::Outage => Fault::CloseBefore,
            });
        }
        let at = self.rules.iter().position(|rule| rule.is_for(method))?;
        let rule = self.rules.get_mut(at)?;
        let fault = rule.fault.clone();
        if let Some(times) = &mut rule.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.rules.remove(at);
            }
        }
        Some(fault)
    }

    fn used_now(&self) -> u64 {
        let (out, inward) = self.used.get(&self.month()).copied().unwrap_or_default();
        match self.switches.quota {
            Some(Quota {
                both_ways: false, ..
            }) => out,
            _ => out + inward,
        }
    }

    /// Counts a message of the bot; false: the month is used up.
    pub(super) fn spend(&mut self) -> bool {
        let used = self.used_now();
        if self
            .switches
            .quota
            .is_some_and(|quota| used >= quota.monthly)
        {
            self.over += 1;
            return false;
        }
        self.used.entry(self.month()).or_default().0 += 1;
        true
    }

    /// The bot says something.
    pub(super) fn post(&mut self, chat: &str, text: &str, at: Instant) -> Value {
        let id = self.id();
        let chat_id: Arc<str> = chat.into();
        let caption = text.strip_prefix("[ảnh] ");
        let line = Line {
            id: &id,
            text: caption.unwrap_or(text),
            reply_to: None,
            picture: caption.is_some(),
        };
        self.show(chat, None, line);
        self.sent.push(Sent {
            chat: Chat { id: chat_id },
            message_id: id.to_string(),
            text: text.to_owned(),
            at,
        });
        json!({"message_id": self.id_json(&id), "date": self.date()})
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            pending: self.queue.len() + self.in_hand,
            given: self.given,
            lost: self.lost,
            calls: self.calls.len() as u64,
            polls: self.polls,
            used: self.used_now(),
            over: self.over,
        }
    }
}
