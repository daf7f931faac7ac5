//! Platforms that do what a script says, and remember all that they were told.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use keng::channel::Address;
use keng::channel::Capabilities;
use keng::channel::Channel;
use keng::channel::HookError;
use keng::channel::Pictures;
use keng::channel::PollError;
use keng::channel::Profile;
use keng::domain::account::Account;
use keng::domain::clock::Clock;
use keng::domain::clock::Time;
use keng::domain::clock::from_unix_ms;
use keng::domain::delivery::Post;
use keng::domain::delivery::SendOutcome;
use keng::domain::ids::MessageId;
use keng::domain::ids::RoomId;
use keng::domain::message::Inbound;
use tokio::time::Instant;

/// What a platform does with the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It takes so many milliseconds.
    Late(u64),
    /// It posts it, and no answer comes, only after so many seconds an end of the connection.
    PostedUnanswered(u64),
    /// It does not post it, and no answer comes.
    LostUnanswered(u64),
    /// It refuses the text.
    Refuse,
    /// The bot is not in the room any more.
    RoomGone,
    /// Only after so many seconds again into this room.
    SlowRoom(u64),
    /// Only after so many seconds again at all.
    SlowAccount(u64),
    /// It is away.
    NotNow,
    /// It says no without a reason.
    Deny,
    /// It does not know the account for so many seconds.
    AccountRefused(u64),
}

/// How one message ended at the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It stands in the room, and we were told so.
    Accepted,
    /// It stands in the room, and we were not told.
    Unanswered,
    /// It does not stand there, and we were not told.
    Lost,
    /// It does not stand there, and we were told: for good.
    Refused,
    /// It does not stand there, and we were told: for now.
    Later,
}

/// A message that reached a platform.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    pub(crate) room: RoomId,
    pub(crate) text: String,
    pub(crate) end: End,
}

/// One account's platform.
#[derive(Debug)]
pub(crate) struct Platform {
    account: Account,
    world: Mutex<World>,
}

#[derive(Debug, Default)]
struct World {
    script: VecDeque<Fault>,
    heard: Vec<Heard>,
    /// Rooms into which nothing may be posted, and the account's own such rest.
    room_rests: HashMap<RoomId, Rest>,
    account_rests: Option<Rest>,
    refused_until: Option<Instant>,
    gone: Vec<RoomId>,
    /// What was done that the platform had asked not to do.
    trespasses: Vec<String>,
}

/// Nothing may come between the two moments; what left together with the message that was answered so is
/// no fault of anybody.
#[derive(Debug, Clone, Copy)]
struct Rest {
    since: Instant,
    until: Instant,
}

impl Rest {
    fn early(&self, now: Instant) -> Option<Duration> {
        (self.since < now && now < self.until).then(|| self.until - now)
    }
}

impl Platform {
    pub(crate) fn new(account: Account) -> Arc<Self> {
        Arc::new(Self {
            account,
            world: Mutex::default(),
        })
    }

    pub(crate) fn next(&self, fault: Fault) {
        self.world.lock().unwrap().script.push_back(fault);
    }

    /// From now on everything is taken.
    pub(crate) fn heals(&self) {
        let mut world = self.world.lock().unwrap();
        world.script.clear();
        world.refused_until = None;
    }

    /// A new process knows nothing of rests; asking too early, it is told of them again.
    pub(crate) fn meets_a_newcomer(&self) {
        let mut world = self.world.lock().unwrap();
        world.room_rests.clear();
        world.account_rests = None;
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.world.lock().unwrap().heard.clone()
    }

    pub(crate) fn trespasses(&self) -> Vec<String> {
        self.world.lock().unwrap().trespasses.clone()
    }

    /// What becomes of a message that arrives now: how it ends, what we are told, and when.
    fn meets(&self, room: &RoomId, text: &str) -> (SendOutcome, Duration) {
        let now = Instant::now();
        let mut world = self.world.lock().unwrap();
        if let Some(early) = world.account_rests.and_then(|rest| rest.early(now)) {
            world
                .trespasses
                .push(format!("the account spoke {early:?} too early"));
        }
        if let Some(early) = world.room_rests.get(room).and_then(|rest| rest.early(now)) {
            world
                .trespasses
                .push(format!("{room} was spoken to {early:?} too early"));
        }
        let away = |why: &str| SendOutcome::Unknown(why.to_owned());
        let (end, outcome, after) = if world.refused_until.is_some_and(|until| now < until) {
            let refused = SendOutcome::AccountRefused("Unauthorized".to_owned());
            (End::Later, refused, 0)
        } else if world.gone.contains(room) {
            (End::Refused, gone(), 0)
        } else {
            match world.script.pop_front() {
                None => (End::Accepted, SendOutcome::Accepted(None), 0),
                Some(Fault::Late(ms)) => (End::Accepted, SendOutcome::Accepted(None), ms),
                Some(Fault::PostedUnanswered(seconds)) => {
                    (End::Unanswered, away("timed out"), seconds * 1000)
                }
                Some(Fault::LostUnanswered(seconds)) => {
                    (End::Lost, away("connection reset"), seconds * 1000)
                }
                Some(Fault::Refuse) => {
                    let refused = SendOutcome::Refused {
                        why: "the text is not allowed".to_owned(),
                        room_gone: false,
                    };
                    (End::Refused, refused, 0)
                }
                Some(Fault::RoomGone) => {
                    world.gone.push(room.clone());
                    (End::Refused, gone(), 0)
                }
                Some(Fault::SlowRoom(seconds)) => {
                    let wait = Duration::from_secs(seconds);
                    let rest = Rest {
                        since: now,
                        until: now + wait,
                    };
                    world.room_rests.insert(room.clone(), rest);
                    let slow = SendOutcome::SlowDown {
                        wait,
                        whole_account: false,
                    };
                    (End::Later, slow, 0)
                }
                Some(Fault::SlowAccount(seconds)) => {
                    let wait = Duration::from_secs(seconds);
                    world.account_rests = Some(Rest {
                        since: now,
                        until: now + wait,
                    });
                    let slow = SendOutcome::SlowDown {
                        wait,
                        whole_account: true,
                    };
                    (End::Later, slow, 0)
                }
                Some(Fault::NotNow) => {
                    let refused = SendOutcome::NotNow("connection refused".to_owned());
                    (End::Later, refused, 0)
                }
                Some(Fault::Deny) => (End::Later, SendOutcome::Denied("403".to_owned()), 0),
                Some(Fault::AccountRefused(seconds)) => {
                    world.refused_until = Some(now + Duration::from_secs(seconds));
                    let refused = SendOutcome::AccountRefused("Unauthorized".to_owned());
                    (End::Later, refused, 0)
                }
            }
        };
        world.heard.push(Heard {
            at: now,
            room: room.clone(),
            text: text.to_owned(),
            end,
        });
        (outcome, Duration::from_millis(after))
    }
}

fn gone() -> SendOutcome {
    SendOutcome::Refused {
        why: "bot was kicked".to_owned(),
        room_gone: true,
    }
}

#[async_trait]
impl Channel for Platform {
    fn account(&self) -> &Account {
        &self.account
    }

    fn capabilities(&self, _room: &RoomId) -> Capabilities {
        Capabilities {
            can_edit: true,
            can_delete: true,
            can_pin: false,
            buttons: false,
            echoes: false,
            max_text: 4096,
            pictures: Pictures::Never,
            closes: false,
            is_wall: false,
        }
    }

    async fn profile(&self) -> Result<Profile, PollError> {
        Ok(Profile::default())
    }

    async fn post(&self, to: &Address, post: &Post) -> SendOutcome {
        let (outcome, after) = self.meets(&to.room, &post.text);
        tokio::time::sleep(after).await;
        outcome
    }

    async fn delete(&self, _room: &RoomId, _message: &MessageId) -> SendOutcome {
        SendOutcome::Accepted(None)
    }

    async fn answer_press(&self, _press: &str, _text: &str) -> SendOutcome {
        SendOutcome::Accepted(None)
    }

    fn parse_hook(
        &self,
        _headers: &[(String, Vec<u8>)],
        _body: &Bytes,
    ) -> Result<Vec<Inbound>, HookError> {
        Err(HookError::NotExpected)
    }
}

/// A clock on the wall that runs with the runtime's simulated one.
#[derive(Debug)]
pub(crate) struct Wall {
    start: Instant,
}

impl Wall {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Clock for Wall {
    fn now(&self) -> Time {
        let passed = i64::try_from(self.start.elapsed().as_millis()).unwrap();
        from_unix_ms(1_795_507_500_000 + passed)
    }
}
