//! The platforms: they parse and post, and decide nothing.
//!
//! A channel never stores. What it may be asked for beyond plain posts is told by its
//! [`Capabilities`]; nothing above `app` knows which platform it speaks to.

mod call;
pub mod echoes;
pub mod facebook;
mod fields;
pub mod groups;
mod json;
mod media;
mod once;
mod repair;
pub mod telegram;
pub mod zalo_bot;
pub mod zalo_oa;

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;
use url::Url;

use crate::domain::account::Account;
use crate::domain::delivery::Picture;
use crate::domain::delivery::Post;
use crate::domain::delivery::SendOutcome;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::message::Inbound;

/// What a platform can do in a room: a Page's wall can be edited, the chats of the same Page cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Our own messages can be changed.
    pub can_edit: bool,
    /// Our own messages can be taken away.
    pub can_delete: bool,
    /// A message can be kept on top of a room.
    pub can_pin: bool,
    /// Messages can carry buttons.
    pub buttons: bool,
    /// Our own posts come back to us, so that an unanswered send can be settled by evidence.
    pub echoes: bool,
    /// The longest text of one message, in UTF-16 units. Longer ones are split by the caller.
    pub max_text: usize,
    /// How a picture goes with words.
    pub pictures: Pictures,
    /// It takes words only for a time after its person's last one ([`Inbound::Opened`]).
    pub closes: bool,
    /// What is posted stands before everybody for days, and nobody is told when it changes.
    pub is_wall: bool,
}

/// How a picture goes with words. The longest words beside one are in UTF-16 units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pictures {
    /// Not at all.
    Never,
    /// It is a message of its own.
    Apart,
    /// It is sent with them.
    Sent {
        /// The longest words.
        max_text: usize,
    },
    /// The platform fetches it from an address of ours.
    Fetched {
        /// The longest words.
        max_text: usize,
    },
}

impl Pictures {
    /// The longest words that can stand beside this picture; none when it cannot be shown with words.
    #[must_use]
    pub fn beside(self, picture: &Picture) -> Option<usize> {
        match self {
            Self::Sent { max_text } => Some(max_text),
            Self::Fetched { max_text } => picture.address.is_some().then_some(max_text),
            Self::Never | Self::Apart => None,
        }
    }
}

/// What is done with a message on top of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// It is put there.
    Set,
    /// It is taken down.
    Unset,
}

/// Where to post, and on whose behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The room.
    pub room: RoomId,
    /// The topic inside it; on a Page, the post under which it is said.
    pub thread: Option<String>,
    /// The row of the outbox, for platforms that give such a mark back with our own posts.
    pub row: Option<DeliveryId>,
}

/// A webhook call that we do not take.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum HookError {
    /// It is not from the platform.
    #[error("the signature or secret is missing or wrong")]
    Forged,
    /// It is from the platform, and we cannot read it.
    #[error("the body cannot be read: {0}")]
    Unreadable(String),
    /// This account takes no webhooks.
    #[error("this account does not receive by webhook")]
    NotExpected,
}

/// A poll that brought nothing.
#[derive(Debug, Error)]
pub enum PollError {
    /// It will pass: wait and ask again.
    #[error("{why}")]
    NotNow {
        /// What happened.
        why: String,
        /// How long the platform asks us to wait.
        wait: Option<std::time::Duration>,
    },
    /// A person must act: a revoked token, a second program on the same token, a webhook in the way.
    #[error("{0}")]
    NeedsPerson(String),
}

/// What a platform tells about the bot itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// The bot's native id.
    pub id: String,
    /// Names by which it is called in text: handle without `@`, display name.
    pub names: Vec<String>,
    /// Things its operator should know, in English (privacy mode is on …).
    pub warnings: Vec<String>,
}

/// One account of a platform, as the outbox and the webhooks see it.
#[async_trait]
pub trait Channel: Send + Sync + std::fmt::Debug {
    /// Which account.
    fn account(&self) -> &Account;
    /// What the platform can do in this room.
    fn capabilities(&self, room: &RoomId) -> Capabilities;
    /// Tells the platform what it must know before it can bring news (where the webhook is). At start.
    ///
    /// # Errors
    /// When the platform did not take it.
    async fn prepare(&self) -> Result<(), PollError> {
        Ok(())
    }
    /// Asks the platform who we are; also proves the token.
    async fn profile(&self) -> Result<Profile, PollError>;
    /// Posts once, without waiting, sleeping or trying again. The text fits [`Capabilities::max_text`].
    async fn post(&self, to: &Address, post: &Post) -> SendOutcome;
    /// Posts into a room that is closed, in the one way that the platform allows at any time. `None`: there
    /// is no such way for these words.
    async fn post_late(&self, _to: &Address, _post: &Post) -> Option<SendOutcome> {
        None
    }
    /// Takes one of our own messages away.
    async fn delete(&self, room: &RoomId, message: &MessageId) -> SendOutcome;
    /// Keeps one of our own messages on top of its room, without a sound, or lets go of it. Doing so twice
    /// changes nothing.
    async fn pin(&self, _room: &RoomId, _message: &MessageId, _pin: Pin) -> SendOutcome {
        SendOutcome::Refused {
            why: "nothing can be pinned there".to_owned(),
            room_gone: false,
        }
    }
    /// Answers a pressed button.
    async fn answer_press(&self, press: &str, text: &str) -> SendOutcome;
    /// Answers the question by which a platform makes sure that a webhook is ours.
    ///
    /// # Errors
    /// When it is not the platform that asks, or this platform asks nothing.
    fn greet_hook(&self, _query: &[(String, String)]) -> Result<String, HookError> {
        Err(HookError::NotExpected)
    }
    /// Reads a webhook call: checks that it is the platform's, over the raw bytes, then parses. Pure.
    ///
    /// # Errors
    /// When the call is forged, or its body as a whole cannot be read. A single update that we cannot
    /// read is no error but [`Inbound::NotUnderstood`].
    fn parse_hook(
        &self,
        headers: &[(String, Vec<u8>)],
        body: &Bytes,
    ) -> Result<Vec<Inbound>, HookError>;
    /// The name of a person who wrote in a room, where messages do not carry it.
    async fn name_of(&self, _room: &RoomId, _person: &str) -> Option<String> {
        None
    }
    /// How many people are in a room, without us. `None`: the platform does not tell.
    ///
    /// # Errors
    /// When the platform did not answer, or refuses to tell of this room.
    async fn people_in(&self, _room: &RoomId) -> Result<Option<u64>, PollError> {
        Ok(None)
    }
    /// Why nothing of the account goes until a person acts, while that is so; in English.
    fn alarm(&self) -> Option<String> {
        None
    }
    /// What this account is told of by the platform and is for none of ours: the ids of Pages that share its
    /// app.
    fn strangers(&self) -> Vec<String> {
        Vec::new()
    }
    /// Where a photo that somebody sent can be read, and from where it will be gone one day. `None`: it
    /// lies with the platform for good, or nowhere we may ask.
    fn photo_address(&self, _reference: &str) -> Option<Url> {
        None
    }
    /// Where a file that somebody sent can be read now. It may hold the account's secret: it is fetched at
    /// once, and neither kept nor shown. `None`: the platform does not tell, or it is nowhere we may ask.
    async fn file_now(&self, reference: &str) -> Option<Url> {
        self.photo_address(reference)
    }
    /// Groups that can be made and looked into, where the platform has such.
    fn groups(&self) -> Option<&dyn groups::Groups> {
        None
    }
}

/// Where an account that polls gets its news.
#[async_trait]
pub trait Source: Send {
    /// Waits for news. Asking again confirms what the previous call brought: the caller asks only
    /// when all of it is durable.
    ///
    /// # Errors
    /// When the platform did not answer with news; nothing was confirmed that was not handed out.
    async fn next(&mut self) -> Result<Vec<Inbound>, PollError>;
    /// Confirms what the last call brought without waiting for more; at a clean stop.
    ///
    /// # Errors
    /// When the platform did not answer; it will tell those news again.
    async fn confirm(&mut self) -> Result<(), PollError>;
}

/// Small things that a channel must not forget, such as tokens that work once. The root keeps them in the
/// store: a channel itself never stores.
#[async_trait]
pub trait Notebook: Send + Sync + std::fmt::Debug {
    /// What was last written on a page.
    ///
    /// # Errors
    /// When the store cannot be read; the words are for the log.
    async fn read(&self, page: &str) -> Result<Option<String>, String>;
    /// Replaces a page. It is durable when this returns.
    ///
    /// # Errors
    /// When it could not be made durable; the page then holds what it held, or the new words.
    async fn write(&self, page: &str, words: &str) -> Result<(), String>;
}
