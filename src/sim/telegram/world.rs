//! The make-believe Telegram itself: who exists, which chats there are, what
//! was written in them, and which of it the bot is told.
//!
//! Pure state behind one lock; no network. Every change that a bot would hear
//! of becomes an update here.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use super::entity;
use super::fault::Faults;
use super::meter::Meter;
use super::post::{
    Author, Kind, Post, Surroundings, entities_json, members, write_number, write_post, write_text,
};
use super::queue::Queue;
use super::{Call, Keep, Options};
use crate::sim::scene::{self, Scene, Watcher, What};
use crate::sim::weather::{Trouble, Weather};

/// A seeded source of numbers (splitmix64): the same seed, the same town.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Starts with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = end.max(1) as u64;
        usize::try_from(self.roll() % end).unwrap_or(0)
    }

    /// True `percent` times in a hundred.
    pub fn percent(&mut self, percent: f64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let unit = (self.roll() >> 11) as f64 / (1_u64 << 53) as f64;
        unit * 100.0 < percent
    }
}

/// Telegram's clock: real time, or a day that starts when it was told to.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    base: i64,
    since: Instant,
    speed: f64,
}

impl Clock {
    pub(super) fn new(start: Option<i64>, speed: f64) -> Self {
        let base = start.unwrap_or_else(|| {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place where the town reads the wall clock"
            )]
            let now = SystemTime::now();
            now.duration_since(UNIX_EPOCH).map_or(0, |since| {
                i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
            })
        });
        Self {
            base,
            since: Instant::now(),
            speed,
        }
    }

    /// Unix seconds.
    pub(super) fn now(&self) -> i64 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "seconds since the start are few"
        )]
        let passed = (self.since.elapsed().as_secs_f64() * self.speed) as i64;
        self.base + passed
    }

    pub(super) fn set(&mut self, date: i64) {
        self.base = date;
        self.since = Instant::now();
    }

    pub(super) fn set_speed(&mut self, speed: f64) {
        self.set(self.now());
        self.speed = speed;
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.base += i64::try_from(by.as_secs()).unwrap_or(0);
    }
}

#[derive(Debug)]
pub(super) struct Human {
    pub(super) name: String,
    pub(super) username: Option<String>,
    json: String,
    /// The chat of a private conversation as JSON.
    private_json: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Private,
    Group,
    Supergroup,
}

/// How the bot stands in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Never was there.
    Stranger,
    Member,
    Administrator,
    /// Went away by itself.
    Left,
    /// Removed; in a private chat, blocked.
    Kicked,
}

impl Standing {
    fn name(self) -> &'static str {
        match self {
            Self::Stranger | Self::Left => "left",
            Self::Member => "member",
            Self::Administrator => "administrator",
            Self::Kicked => "kicked",
        }
    }

    pub(super) fn is_in(self) -> bool {
        matches!(self, Self::Member | Self::Administrator)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) closed: bool,
}

/// One chat.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) id: i64,
    pub(super) sort: Sort,
    pub(super) title: String,
    pub(super) forum: bool,
    pub(super) json: String,
    pub(super) bot: Standing,
    /// Privacy mode as it was when the bot joined: changing it needs the bot
    /// to be added again.
    private_ears: bool,
    bot_wrote: bool,
    /// People who never write; everybody else of the town is in every group, too.
    pub(super) silent: u64,
    pub(super) migrated_to: Option<i64>,
    /// By rising id.
    pub(super) posts: Vec<Post>,
    pub(super) last_id: i64,
    /// Messages up to this id exist although they are not kept.
    pub(super) assumed: i64,
    pub(super) topics: BTreeMap<i64, Topic>,
    /// Not kept message by message: how many the bot sent.
    pub(super) sent: u64,
}

impl Room {
    pub(super) fn is_group(&self) -> bool {
        self.sort != Sort::Private
    }

    pub(super) fn post(&self, id: i64) -> Option<&Post> {
        let index = self.posts.binary_search_by_key(&id, |post| post.id).ok()?;
        self.posts.get(index)
    }

    pub(super) fn post_mut(&mut self, id: i64) -> Option<&mut Post> {
        let index = self.posts.binary_search_by_key(&id, |post| post.id).ok()?;
        self.posts.get_mut(index)
    }

    /// The message can be answered.
    pub(super) fn has(&self, id: i64) -> bool {
        match self.post(id) {
            Some(post) => !post.deleted,
            None => (1..=self.assumed).contains(&id),
        }
    }
}

/// A button was pressed; the bot has not answered yet.
#[derive(Debug, Clone)]
pub(super) struct Pressed {
    pub(super) at: Instant,
    pub(super) answer: Option<Value>,
}

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) bot_id: i64,
    pub(super) bot_username: String,
    pub(super) bot_json: String,
    pub(super) privacy_mode: bool,
    pub(super) keep: Keep,
    pub(super) clock: Clock,
    pub(super) dice: Dice,
    pub(super) people: HashMap<i64, Human>,
    pub(super) rooms: HashMap<i64, Room>,
    /// Private chats and basic groups draw from one sequence, as they do in a
    /// real account; every supergroup has its own.
    shared_id: i64,
    pub(super) queue: Queue,
    /// `None` is the default set.
    pub(super) allowed: Option<Vec<String>>,
    pub(super) pressed: HashMap<String, Pressed>,
    pub(super) meter: Meter,
    pub(super) faults: Faults,
    pub(super) calls: Vec<Call>,
    pub(super) calls_seen: u64,
    /// What the bot sent, in order: chat and message.
    pub(super) sent_order: Vec<(i64, i64)>,
    pub(super) sent_total: u64,
    pub(super) commands: Vec<Value>,
    pub(super) watcher: Watcher,
    pub(super) weather: Weather,
}

/// Not delivered unless asked for by name.
const EXCLUDED_BY_DEFAULT: [&str; 3] =
    ["chat_member", "message_reaction", "message_reaction_count"];

/// The account that stands for administrators who write as the group.
const ANONYMOUS: &str =
    r#"{"id":1087968824,"is_bot":true,"first_name":"Group","username":"GroupAnonymousBot"}"#;

impl World {
    pub(super) fn new(options: &Options) -> Self {
        let bot_id = options
            .token
            .split(':')
            .next()
            .and_then(|id| id.parse().ok())
            .unwrap_or(1);
        let mut dice = Dice::new(options.seed);
        let bot = json!({
            "id": bot_id, "is_bot": true,
            "first_name": options.bot_name, "username": options.bot_username,
        });
        let first = 100_000_000 + i64::try_from(dice.below(800_000_000)).unwrap_or(0);
        Self {
            bot_id,
            bot_username: options.bot_username.clone(),
            bot_json: bot.to_string(),
            privacy_mode: options.privacy_mode,
            keep: options.keep,
            clock: Clock::new(options.start_date, options.speed),
            faults: Faults::new(dice.roll()),
            dice,
            people: HashMap::new(),
            rooms: HashMap::new(),
            shared_id: 0,
            queue: Queue::new(options.first_update_id.unwrap_or(first)),
            allowed: None,
            pressed: HashMap::new(),
            meter: Meter::new(options.limits),
            calls: Vec::new(),
            calls_seen: 0,
            sent_order: Vec::new(),
            sent_total: 0,
            commands: Vec::new(),
            watcher: Watcher::default(),
            weather: Weather::new(options.seed),
        }
    }

    // People and chats ------------------------------------------------------

    pub(super) fn add_person(
        &mut self,
        name: &str,
        id: Option<i64>,
        username: Option<&str>,
    ) -> i64 {
        let id = id.unwrap_or_else(|| {
            loop {
                let id = 5_000_000_000 + i64::try_from(self.dice.below(2_900_000_000)).unwrap_or(0);
                if !self.people.contains_key(&id) {
                    break id;
                }
            }
        });
        // Vietnamese order: the family name comes first, the given name last.
        let (last, first) = name
            .rsplit_once(' ')
            .map_or((None, name), |(family, given)| (Some(family), given));
        let mut user = Map::new();
        user.insert("id".into(), id.into());
        user.insert("is_bot".into(), false.into());
        user.insert("first_name".into(), first.into());
        if let Some(last) = last {
            user.insert("last_name".into(), last.into());
        }
        if let Some(username) = username {
            user.insert("username".into(), username.into());
        }
        let mut private = user.clone();
        private.remove("is_bot");
        private.insert("type".into(), "private".into());
        user.insert("language_code".into(), "vi".into());
        self.people.insert(
            id,
            Human {
                name: name.to_owned(),
                username: username.map(str::to_owned),
                json: Value::Object(user).to_string(),
                private_json: Value::Object(private).to_string(),
            },
        );
        id
    }

    pub(super) fn add_room(
        &mut self,
        title: &str,
        sort: Sort,
        forum: bool,
        id: Option<i64>,
    ) -> i64 {
        let id = id.unwrap_or_else(|| {
            loop {
                let bare = i64::try_from(self.dice.below(890_000_000)).unwrap_or(0);
                // Supergroups above −1997852516352, where teloxide-core panics.
                let id = match sort {
                    Sort::Supergroup => -1_001_000_000_000 - bare,
                    _ => -4_000_000_000 - bare,
                };
                if !self.rooms.contains_key(&id) {
                    break id;
                }
            }
        });
        let json = match sort {
            Sort::Private => String::new(),
            Sort::Group => json!({
                "id": id, "title": title, "type": "group",
            })
            .to_string(),
            Sort::Supergroup if forum => {
                json!({"id": id, "title": title, "is_forum": true, "type": "supergroup"})
                    .to_string()
            }
            Sort::Supergroup => json!({"id": id, "title": title, "type": "supergroup"}).to_string(),
        };
        self.insert_room(id, sort, title, forum, json);
        id
    }

    fn insert_room(&mut self, id: i64, sort: Sort, title: &str, forum: bool, json: String) {
        let room = Room {
            id,
            sort,
            title: title.to_owned(),
            forum,
            json,
            bot: Standing::Stranger,
            private_ears: self.privacy_mode,
            bot_wrote: false,
            silent: 0,
            migrated_to: None,
            posts: Vec::new(),
            last_id: 0,
            assumed: 0,
            topics: BTreeMap::new(),
            sent: 0,
        };
        self.rooms.insert(id, room);
    }

    /// The private chat with a person, opened if need be.
    pub(super) fn private_room(&mut self, person: i64) -> Option<&mut Room> {
        if !self.rooms.contains_key(&person) {
            let human = self.people.get(&person)?;
            let (title, json) = (human.name.clone(), human.private_json.clone());
            self.insert_room(person, Sort::Private, &title, false, json);
        }
        self.rooms.get_mut(&person)
    }

    pub(super) fn next_message_id(&mut self, chat: i64) -> i64 {
        let Some(room) = self.rooms.get_mut(&chat) else {
            return 0;
        };
        if room.sort == Sort::Supergroup {
            room.last_id += 1;
        } else {
            self.shared_id += 1;
            room.last_id = self.shared_id;
        }
        room.last_id
    }

    // Updates ---------------------------------------------------------------

    /// The update kind is wanted by the bot.
    pub(super) fn wants(&self, kind: &str) -> bool {
        match &self.allowed {
            Some(kinds) => kinds.iter().any(|one| one == kind),
            None => !EXCLUDED_BY_DEFAULT.contains(&kind),
        }
    }

    /// Puts an update in line; `write` writes its content.
    fn update(&mut self, kind: &'static str, chat: i64, write: impl FnOnce(&Self, &mut Vec<u8>)) {
        if !self.wants(kind) {
            return;
        }
        let mut body = Vec::with_capacity(512);
        body.extend_from_slice(b"{\"update_id\":");
        body.extend_from_slice(self.queue.next_id().to_string().as_bytes());
        body.extend_from_slice(b",\"");
        body.extend_from_slice(kind.as_bytes());
        body.extend_from_slice(b"\":");
        write(self, &mut body);
        body.push(b'}');
        self.queue.push(webhook_key(kind, chat), Bytes::from(body));
        if self.weather.is(Trouble::ToldTwice) {
            self.queue.repeat(1);
        }
        if self.weather.is(Trouble::Reordered) {
            let Self { queue, dice, .. } = self;
            queue.shuffle(|end| dice.below(end));
        }
    }

    /// Writes the message `id` of `chat`, with what it answers one level deep.
    pub(super) fn write_message(&self, out: &mut Vec<u8>, chat: i64, id: i64) {
        if let Some(room) = self.rooms.get(&chat)
            && let Some(post) = room.post(id)
        {
            self.write_in(out, room, post, true);
        }
    }

    /// Writes a message that may or may not be kept in `room`.
    pub(super) fn write_in(&self, out: &mut Vec<u8>, room: &Room, post: &Post, with_reply: bool) {
        let around = Surroundings {
            chat: &room.json,
            from: match &post.author {
                Author::Bot => &self.bot_json,
                Author::Person(id) => self.people.get(id).map_or("", |human| human.json.as_str()),
                Author::Anonymous(_) => ANONYMOUS,
            },
            is_topic: room.forum,
        };
        write_post(out, post, &around, |out| {
            if !with_reply {
                return;
            }
            match room.post(post.reply_to) {
                // A reply into another topic does not carry the message.
                Some(old) if room.forum && old.thread != post.thread => {
                    out.extend_from_slice(
                        b",\"external_reply\":{\"origin\":{\"type\":\"user\",\"sender_user\":",
                    );
                    out.extend_from_slice(match &old.author {
                        Author::Bot => self.bot_json.as_bytes(),
                        Author::Person(id) => self
                            .people
                            .get(id)
                            .map_or(b"null", |human| human.json.as_bytes()),
                        Author::Anonymous(_) => ANONYMOUS.as_bytes(),
                    });
                    write_number(out, "date", old.date);
                    out.extend_from_slice(b"},\"chat\":");
                    out.extend_from_slice(room.json.as_bytes());
                    write_number(out, "message_id", old.id);
                    out.push(b'}');
                }
                Some(old) => {
                    out.extend_from_slice(b",\"reply_to_message\":");
                    self.write_in(out, room, old, false);
                }
                None => {
                    out.extend_from_slice(b",\"reply_to_message\":{\"message_id\":");
                    out.extend_from_slice(post.reply_to.to_string().as_bytes());
                    out.extend_from_slice(b",\"chat\":");
                    out.extend_from_slice(room.json.as_bytes());
                    write_number(out, "date", post.date);
                    out.push(b'}');
                }
            }
        });
    }

    /// What the bot may hear of a message by a person.
    fn bot_hears(&self, room: &Room, post: &Post) -> bool {
        if !room.bot.is_in() {
            return false;
        }
        if room.sort == Sort::Private || post.kind == Kind::Service {
            return true;
        }
        if room.bot == Standing::Administrator || !room.private_ears {
            return true;
        }
        let to_bot = room
            .post(post.reply_to)
            .is_some_and(|old| old.author == Author::Bot || old.shown);
        if to_bot {
            return true;
        }
        let called = format!("@{}", self.bot_username).to_lowercase();
        let text = post.text.to_lowercase();
        entity::find(&text).iter().any(|one| {
            let units: Vec<u16> = text
                .encode_utf16()
                .skip(one.offset)
                .take(one.length)
                .collect();
            let part = String::from_utf16_lossy(&units);
            match one.kind {
                "mention" => part == called,
                "bot_command" => match part.split_once('@') {
                    Some((_, name)) => called.strip_prefix('@') == Some(name),
                    None => room.bot_wrote,
                },
                _ => false,
            }
        })
    }

    /// Puts a person's message into its chat and tells the bot if it may know.
    /// Returns the message's id; 0 if there is no such chat.
    pub(super) fn write(&mut self, chat: i64, author: Author, fill: impl FnOnce(&mut Post)) -> i64 {
        let id = self.next_message_id(chat);
        if id == 0 {
            return 0;
        }
        let mut post = Post::new(id, author, self.clock.now(), Instant::now());
        fill(&mut post);
        if post.entities.is_empty() {
            post.entities = entities_json(&entity::find(&post.text));
        }
        let Some(room) = self.rooms.get(&chat) else {
            return 0;
        };
        post.shown = self.bot_hears(room, &post);
        let shown = post.shown;
        self.play(chat, &post, What::Wrote);
        if self.keep == Keep::Everything {
            if let Some(room) = self.rooms.get_mut(&chat) {
                room.posts.push(post);
            }
            if shown {
                self.update("message", chat, |world, out| {
                    world.write_message(out, chat, id)
                });
            }
        } else {
            if shown {
                self.update("message", chat, |world, out| {
                    if let Some(room) = world.rooms.get(&chat) {
                        world.write_in(out, room, &post, true);
                    }
                });
            }
            if let Some(room) = self.rooms.get_mut(&chat) {
                room.assumed = id;
            }
        }
        id
    }

    /// A service notice, heard by the bot if it is there.
    pub(super) fn notice(&mut self, chat: i64, by: i64, extra: &Map<String, Value>) -> i64 {
        let extra = members(extra);
        let author = if by == self.bot_id {
            Author::Bot
        } else {
            Author::Person(by)
        };
        self.write(chat, author, |post| {
            post.kind = Kind::Service;
            post.extra = extra;
        })
    }

    /// A person changes their own message.
    pub(super) fn rewrite(&mut self, chat: i64, id: i64, text: &str) -> bool {
        let now = self.clock.now();
        let Some(post) = self.rooms.get_mut(&chat).and_then(|room| room.post_mut(id)) else {
            return false;
        };
        if post.deleted {
            return false;
        }
        text.clone_into(&mut post.text);
        post.entities = entities_json(&entity::find(text));
        post.edit_date = now;
        post.edits += 1;
        post.edited_at = Some(Instant::now());
        self.tell_edit(chat, id);
        true
    }

    /// Tells the bot of the present form of a message, if it may know.
    pub(super) fn tell_edit(&mut self, chat: i64, id: i64) {
        let Some(room) = self.rooms.get(&chat) else {
            return;
        };
        let Some(post) = room.post(id).cloned() else {
            return;
        };
        let hears = self.bot_hears(room, &post);
        self.play(chat, &post, What::Edited);
        if hears {
            self.update("edited_message", chat, |world, out| {
                world.write_message(out, chat, id)
            });
        }
    }

    /// Changes how the bot stands in a chat, and tells it.
    pub(super) fn stand(&mut self, chat: i64, by: i64, new: Standing) {
        let date = self.clock.now();
        let privacy = self.privacy_mode;
        let Some(room) = self.rooms.get_mut(&chat) else {
            return;
        };
        let old = room.bot;
        if old == new {
            return;
        }
        room.bot = new;
        if !old.is_in() {
            room.private_ears = privacy;
        }
        let (sort, json) = (room.sort, room.json.clone());
        let bot = self.bot_json.clone();
        let by_json = if by == self.bot_id {
            bot.clone()
        } else {
            self.person_json(by)
        };
        let joined = !old.is_in() && new.is_in();
        // The first Start of a private chat is told by its message alone.
        if sort != Sort::Private || old != Standing::Stranger {
            self.update("my_chat_member", chat, |_, out| {
                out.extend_from_slice(b"{\"chat\":");
                out.extend_from_slice(json.as_bytes());
                out.extend_from_slice(b",\"from\":");
                out.extend_from_slice(by_json.as_bytes());
                write_number(out, "date", date);
                for (name, standing) in [("old", old), ("new", new)] {
                    out.extend_from_slice(format!(",\"{name}_chat_member\":").as_bytes());
                    write_member(out, standing, &bot);
                }
                out.push(b'}');
            });
        }
        if sort == Sort::Private {
            return;
        }
        let mut extra = Map::new();
        let bot_value: Value = serde_json::from_str(&bot).unwrap_or_default();
        if joined {
            extra.insert("new_chat_members".into(), json!([bot_value]));
            self.notice(chat, by, &extra);
        } else if old.is_in() && !new.is_in() {
            extra.insert("left_chat_member".into(), bot_value);
            // The leave notice still reaches the bot.
            if let Some(room) = self.rooms.get_mut(&chat) {
                room.bot = old;
            }
            self.notice(chat, by, &extra);
            if let Some(room) = self.rooms.get_mut(&chat) {
                room.bot = new;
            }
        }
    }

    pub(super) fn person_json(&self, id: i64) -> String {
        self.people.get(&id).map_or_else(
            || json!({"id": id, "is_bot": false, "first_name": "?"}).to_string(),
            |human| human.json.clone(),
        )
    }

    /// Turns a basic group into a supergroup: the old chat says where it went,
    /// the new one where it came from.
    pub(super) fn migrate(&mut self, chat: i64, by: i64) -> Option<i64> {
        let room = self.rooms.get(&chat)?;
        if room.sort != Sort::Group || room.migrated_to.is_some() {
            return None;
        }
        let (title, standing, ears, wrote, silent) = (
            room.title.clone(),
            room.bot,
            room.private_ears,
            room.bot_wrote,
            room.silent,
        );
        let new = self.add_room(&title, Sort::Supergroup, false, None);
        if let Some(room) = self.rooms.get_mut(&new) {
            room.bot = standing;
            room.private_ears = ears;
            room.bot_wrote = wrote;
            room.silent = silent;
        }
        let mut there = Map::new();
        there.insert("migrate_to_chat_id".into(), new.into());
        self.notice(chat, by, &there);
        let mut here = Map::new();
        here.insert("migrate_from_chat_id".into(), chat.into());
        self.notice(new, by, &here);
        if let Some(room) = self.rooms.get_mut(&chat) {
            room.migrated_to = Some(new);
        }
        Some(new)
    }

    pub(super) fn add_topic(&mut self, chat: i64, by: i64, name: &str) -> i64 {
        let mut extra = Map::new();
        extra.insert(
            "forum_topic_created".into(),
            json!({"name": name, "icon_color": 7_322_096}),
        );
        let id = self.notice(chat, by, &extra);
        if let Some(room) = self.rooms.get_mut(&chat) {
            room.topics.insert(
                id,
                Topic {
                    name: name.to_owned(),
                    closed: false,
                },
            );
            if let Some(post) = room.post_mut(id) {
                post.thread = id;
            }
        }
        id
    }

    /// A person presses a button under a message. False if no such button is
    /// there, unless `forged`.
    pub(super) fn press(
        &mut self,
        person: i64,
        chat: i64,
        id: i64,
        data: &str,
        forged: bool,
    ) -> Option<String> {
        let room = self.rooms.get(&chat)?;
        let offered = match room.post(id) {
            Some(post) => !post.deleted && button_data(&post.markup).iter().any(|one| one == data),
            None => (1..=room.assumed).contains(&id),
        };
        if !offered && !forged {
            return None;
        }
        let query = (self.dice.roll() >> 1).to_string();
        let instance = (chat.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1).to_string();
        let from = self.person_json(person);
        self.pressed.insert(
            query.clone(),
            Pressed {
                at: Instant::now(),
                answer: None,
            },
        );
        let told = query.clone();
        self.update("callback_query", person, |world, out| {
            out.extend_from_slice(b"{\"id\":");
            write_text(out, &told);
            out.extend_from_slice(b",\"from\":");
            out.extend_from_slice(from.as_bytes());
            out.extend_from_slice(b",\"message\":");
            let start = out.len();
            world.write_message(out, chat, id);
            if out.len() == start {
                let chat = world
                    .rooms
                    .get(&chat)
                    .map_or("{}", |room| room.json.as_str());
                out.extend_from_slice(
                    format!("{{\"chat\":{chat},\"message_id\":{id},\"date\":0}}").as_bytes(),
                );
            }
            out.extend_from_slice(b",\"chat_instance\":");
            write_text(out, &instance);
            out.extend_from_slice(b",\"data\":");
            write_text(out, data);
            out.push(b'}');
        });
        Some(query)
    }

    // What the bot does -----------------------------------------------------

    /// Puts a message of the bot into its chat; `post` has its id already.
    pub(super) fn keep_sent(&mut self, chat: i64, mut post: Post) {
        post.shown = true;
        self.play(chat, &post, What::Wrote);
        self.sent_total += 1;
        let id = post.id;
        let keep = self.keep;
        let Some(room) = self.rooms.get_mut(&chat) else {
            return;
        };
        room.bot_wrote = true;
        room.sent += 1;
        if keep == Keep::Everything {
            room.posts.push(post);
            self.sent_order.push((chat, id));
        } else {
            room.assumed = id;
        }
    }

    /// Shows a change to whoever watches.
    pub(super) fn play(&self, chat: i64, post: &Post, what: What) {
        self.watcher.show(|| {
            let (person, who) = match &post.author {
                Author::Bot => (None, None),
                Author::Person(id) => (
                    Some(id.to_string()),
                    self.people.get(id).map(|human| human.name.clone()),
                ),
                Author::Anonymous(_) => (
                    Some(chat.to_string()),
                    self.rooms.get(&chat).map(|room| room.title.clone()),
                ),
            };
            Scene {
                chat: chat.to_string(),
                person,
                who,
                message: post.id.to_string(),
                reply_to: (post.reply_to != 0).then(|| post.reply_to.to_string()),
                text: post.text.clone(),
                buttons: buttons(&post.markup)
                    .into_iter()
                    .filter_map(|(label, data)| Some(scene::Button { label, data: data? }))
                    .collect(),
                picture: matches!(post.kind, Kind::Photo | Kind::Document),
                what,
            }
        });
    }
}

/// Texts and `callback_data` of the buttons in an inline keyboard.
fn buttons(markup: &str) -> Vec<(String, Option<String>)> {
    let keyboard: Value = serde_json::from_str(markup).unwrap_or_default();
    let rows = keyboard.get("inline_keyboard").and_then(Value::as_array);
    let text = |button: &Value, key: &str| button.get(key)?.as_str().map(str::to_owned);
    rows.into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .flatten()
        .map(|button| {
            let label = text(button, "text").unwrap_or_default();
            (label, text(button, "callback_data"))
        })
        .collect()
}

/// Updates with one key keep their order for a webhook: messages of one chat,
/// presses of one person, memberships of one chat. Other pairs do not.
pub(super) fn webhook_key(kind: &str, chat: i64) -> i64 {
    let class = match kind {
        "callback_query" => 3,
        "my_chat_member" => 5,
        _ => 0,
    };
    chat.wrapping_add(class << 33)
}

/// The bot as a chat member.
pub(super) fn write_member(out: &mut Vec<u8>, standing: Standing, user: &str) {
    out.extend_from_slice(
        format!("{{\"user\":{user},\"status\":\"{}\"", standing.name()).as_bytes(),
    );
    match standing {
        Standing::Administrator => out.extend_from_slice(
            br#","can_be_edited":false,"can_manage_chat":true,"can_change_info":true,"can_delete_messages":true,"can_invite_users":true,"can_restrict_members":true,"can_pin_messages":true,"can_manage_topics":true,"can_send_welcome_messages":false,"can_promote_members":false,"can_manage_video_chats":false,"can_post_stories":false,"can_edit_stories":false,"can_delete_stories":false,"is_anonymous":false"#,
        ),
        Standing::Kicked => out.extend_from_slice(b",\"until_date\":0"),
        _ => {}
    }
    out.push(b'}');
}

/// The `callback_data` of every button in an inline keyboard.
pub(super) fn button_data(markup: &str) -> Vec<String> {
    let all = buttons(markup).into_iter();
    all.filter_map(|(_, data)| data).collect()
}
