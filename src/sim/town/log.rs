//! What everybody in the town can see: every room as it stands, and one stream of everything that happens.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::clock::Clock;
use super::commune::{Platform, Role};
use crate::sim::scene::{Button, Scene, What};

/// Messages of one room that are remembered.
const MESSAGES: usize = 5_000;

/// The same where there are many rooms.
const MESSAGES_OF_MANY: usize = 50;

/// From so many rooms on there are many.
const MANY: usize = 2_000;

/// Events that somebody who was away for a while can still be told.
const EVENTS: usize = 20_000;

/// A text that many hold at once, such as an alert in a thousand rooms, or the id of a room.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shared(Arc<str>);

impl Deref for Shared {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Shared {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> std::convert::From<T> for Shared {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// What a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A group.
    Group,
    /// A Page's wall.
    Page,
    /// Somebody's chat with the bot.
    Private,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Room {
    /// `r1`, `r2`… for groups and the Page; for a private chat, the id of the person.
    pub id: Shared,
    /// Where.
    pub platform: Platform,
    /// The bot identity that is in it.
    pub account: Shared,
    /// The platform's own id. It changes when a group moves.
    pub native: String,
    /// What it is called; for a private chat, the person's name.
    pub title: String,
    /// The slug of its village.
    pub village: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// People of this town in it.
    pub members: usize,
}

/// Somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// `p1`, `p2`…; also the id of their private chat.
    pub id: Shared,
    /// Full name.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// Where they have their account.
    pub platform: Platform,
    /// The bot identity that they can reach.
    pub account: Shared,
    /// The platform's own id of them.
    pub native: String,
    /// For heads, the slug of the village.
    pub village: Option<String>,
    /// The groups they are in.
    pub rooms: Vec<Shared>,
}

/// Who wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum From {
    /// The bot.
    Bot,
    /// Somebody.
    Person {
        /// Their id; absent for people who are not of the town.
        id: Option<Shared>,
        /// Their name.
        name: String,
    },
}

/// A message as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The platform's own id.
    pub message_id: String,
    /// Who wrote it.
    pub from: From,
    /// The words.
    pub text: Shared,
    /// What can be pressed.
    pub buttons: Vec<Button>,
    /// The message it answers.
    pub reply_to: Option<String>,
    /// A picture came with it.
    pub picture: bool,
    /// It was changed since.
    pub edited: bool,
    /// It is gone.
    pub removed: bool,
    /// It is pinned.
    pub pinned: bool,
    /// When it was written, Unix milliseconds of the town's clock.
    pub at: u64,
}

impl Message {
    /// The bot wrote it.
    #[must_use]
    pub fn is_bots(&self) -> bool {
        self.from == From::Bot
    }

    /// The button whose label contains these words.
    #[must_use]
    pub fn button(&self, label: &str) -> Option<&Button> {
        let mut all = self.buttons.iter();
        all.find(|button| button.label.contains(label) || button.data == label)
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// Unix milliseconds of the town's clock.
    pub at: u64,
    /// What happened.
    pub what: What,
    /// Where.
    pub platform: Platform,
    /// The room's id.
    pub room: Shared,
    /// The message as it now stands.
    #[serde(flatten)]
    pub message: Message,
}

/// How much was said, by platform.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Messages of people.
    pub people: u64,
    /// Messages of the bot.
    pub bot: u64,
}

#[derive(Debug)]
pub(super) struct Chat {
    pub(super) room: Room,
    pub(super) messages: VecDeque<Message>,
    /// How often the bot wrote, also what is no longer remembered.
    pub(super) bot_wrote: u64,
}

/// Everything that is remembered.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) clock: Clock,
    pub(super) chats: Vec<Chat>,
    pub(super) people: Vec<Person>,
    /// Indices of rooms and people by their ids.
    room_ids: HashMap<Shared, usize>,
    person_ids: HashMap<Shared, usize>,
    /// The same by account and the platform's id.
    room_natives: HashMap<(usize, String), usize>,
    person_natives: HashMap<(usize, String), usize>,
    pub(super) events: VecDeque<Arc<Event>>,
    seq: u64,
    pub(super) counts: HashMap<Platform, Counts>,
    /// The bot's last words: the same alert in a thousand rooms is one text in memory.
    last_words: Shared,
}

impl Log {
    pub(super) fn new() -> Self {
        Self {
            clock: Clock::new(),
            chats: Vec::new(),
            people: Vec::new(),
            room_ids: HashMap::new(),
            person_ids: HashMap::new(),
            room_natives: HashMap::new(),
            person_natives: HashMap::new(),
            events: VecDeque::new(),
            seq: 0,
            counts: HashMap::new(),
            last_words: Shared::default(),
        }
    }

    pub(super) fn add_room(&mut self, account: usize, room: Room) {
        let index = self.chats.len();
        self.room_ids.insert(room.id.clone(), index);
        self.room_natives
            .insert((account, room.native.clone()), index);
        self.chats.push(Chat {
            room,
            messages: VecDeque::new(),
            bot_wrote: 0,
        });
    }

    pub(super) fn add_person(&mut self, account: usize, person: Person) {
        let index = self.people.len();
        self.person_ids.insert(person.id.clone(), index);
        self.person_natives
            .insert((account, person.native.clone()), index);
        self.people.push(person);
    }

    pub(super) fn chat(&self, room: &str) -> Option<&Chat> {
        self.chats.get(*self.room_ids.get(room)?)
    }

    pub(super) fn person(&self, id: &str) -> Option<&Person> {
        self.people.get(*self.person_ids.get(id)?)
    }

    /// The room goes by another native id from now on; the old one still leads to it.
    pub(super) fn moved(&mut self, account: usize, room: &str, native: &str) {
        if let Some(index) = self.room_ids.get(room).copied() {
            self.room_natives
                .insert((account, native.to_owned()), index);
            if let Some(chat) = self.chats.get_mut(index) {
                native.clone_into(&mut chat.room.native);
            }
        }
    }

    /// The private chat of somebody is opened by the first word in it.
    pub(super) fn open_private(&mut self, account: usize, native: &str) -> Option<usize> {
        let key = (account, native.to_owned());
        if let Some(index) = self.room_natives.get(&key) {
            return Some(*index);
        }
        let person = self.people.get(*self.person_natives.get(&key)?)?;
        let room = Room {
            id: person.id.clone(),
            platform: person.platform,
            account: person.account.clone(),
            native: native.to_owned(),
            title: person.name.clone(),
            village: None,
            kind: Kind::Private,
            members: 1,
        };
        self.add_room(account, room);
        Some(self.chats.len() - 1)
    }

    /// Takes down what a simulator shows. What happens in chats that are not of this town is not ours to tell.
    pub(super) fn see(&mut self, account: usize, scene: Scene) {
        let Some(index) = self.open_private(account, &scene.chat) else {
            return;
        };
        let at = self.clock.now_ms();
        let many = self.chats.len() >= MANY;
        let author = match (&scene.person, scene.who) {
            (None, _) => From::Bot,
            (Some(native), name) => {
                let known = self.person_natives.get(&(account, native.clone()));
                let known = known.and_then(|index| self.people.get(*index));
                From::Person {
                    id: known.map(|person| person.id.clone()),
                    name: name.unwrap_or_default(),
                }
            }
        };
        // Joining and promoting have no words.
        let silent = scene.text.is_empty() && !scene.picture;
        if silent && scene.what == What::Wrote {
            return;
        }
        if *self.last_words != *scene.text {
            self.last_words = scene.text.into();
        }
        let text = self.last_words.clone();
        let Some(chat) = self.chats.get_mut(index) else {
            return;
        };
        let old = chat.messages.iter_mut().rev();
        let old = old
            .into_iter()
            .find(|message| message.message_id == scene.message);
        let message = match (old, scene.what) {
            (Some(message), What::Wrote | What::Edited) => {
                message.edited = true;
                message.text = text;
                message.buttons = scene.buttons;
                message.clone()
            }
            (Some(message), What::Removed) => {
                message.removed = true;
                message.clone()
            }
            (Some(message), What::Pinned | What::Unpinned) => {
                message.pinned = scene.what == What::Pinned;
                message.clone()
            }
            (None, What::Wrote) => {
                let message = Message {
                    message_id: scene.message,
                    from: author,
                    text,
                    buttons: scene.buttons,
                    reply_to: scene.reply_to,
                    picture: scene.picture,
                    edited: false,
                    removed: false,
                    pinned: false,
                    at,
                };
                let counts = self.counts.entry(chat.room.platform).or_default();
                if message.is_bots() {
                    chat.bot_wrote += 1;
                    counts.bot += 1;
                } else {
                    counts.people += 1;
                }
                if chat.messages.len() >= if many { MESSAGES_OF_MANY } else { MESSAGES } {
                    chat.messages.pop_front();
                }
                chat.messages.push_back(message.clone());
                message
            }
            // Too old to be remembered.
            (None, _) => return,
        };
        self.seq += 1;
        let event = Event {
            seq: self.seq,
            at,
            what: scene.what,
            platform: chat.room.platform,
            room: chat.room.id.clone(),
            message,
        };
        if self.events.len() >= EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Arc::new(event));
    }

    /// Events after a number, oldest first, at most `most`.
    pub(super) fn after(&self, seq: u64, most: usize) -> Vec<Arc<Event>> {
        let start = self.events.partition_point(|event| event.seq <= seq);
        self.events.range(start..).take(most).cloned().collect()
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }
}
