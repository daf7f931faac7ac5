//! A Zalo Official Account with its GMF groups.
//!
//! ```text
//! webhook ─▶ sign (raw bytes) ─▶ parse ─▶ Inbound
//! group/conversation ─▶ past ─▶ parse ─▶ Inbound          what was written while nobody listened
//! Post ─▶ post::message ─▶ api (tokens) ─▶ post::outcome ─▶ SendOutcome
//! ```
//!
//! The OA sees everything that is said in its groups. What is not for the bot leaves this module only
//! towards the door of the intake, which drops it; nothing here writes a word of anybody down. Zalo
//! shows our own posts to us: they are evidence for the outbox, and tell which messages are answers to
//! ours.
//!
//! Nothing here keeps a queue or knows what a message means. What must outlive the process (the tokens,
//! up to when all is taken in) goes through the [`Notebook`].

mod api;
mod manage;
mod names;
mod parse;
mod past;
mod post;
mod sign;
mod tokens;

use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

pub use self::past::Past;
pub use self::tokens::FirstTokens;
pub use self::tokens::challenge_of;
pub use self::tokens::first_pair;
pub use self::tokens::new_verifier;
use super::Address;
use super::Capabilities;
use super::Channel;
use super::HookError;
use super::Notebook;
use super::Pictures;
use super::PollError;
use super::Profile;
use super::fields::Object;
use super::groups::GroupError;
use super::groups::Groups;
use super::media;
use super::once::Given;
use crate::domain::account::Account;
use crate::domain::account::Platform;
use crate::domain::clock::Clock;
use crate::domain::delivery::Picture;
use crate::domain::delivery::Post;
use crate::domain::delivery::SendOutcome;
use crate::domain::ids::AccountName;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::message::Inbound;
use crate::domain::secret::Secret;

/// Of our own messages so many ids are remembered, to know answers to them where Zalo tells only the id.
const OURS: usize = 20_000;

/// What an Official Account needs to work.
#[derive(Debug)]
pub struct Settings {
    /// Our own name for it.
    pub account: AccountName,
    /// The base of the OA's API.
    pub api_url: Url,
    /// The base of the token endpoint.
    pub oauth_url: Url,
    /// The app that the OA has let in.
    pub app_id: String,
    /// The OA's own id.
    pub oa_id: String,
    /// The app's secret, for tokens.
    pub app_secret: Secret,
    /// The OA's secret key, for the signatures of webhooks.
    pub webhook_secret: Secret,
    /// Where the first pair of tokens is.
    pub first_tokens: FirstTokens,
    /// Between two readings of the groups' history.
    pub catch_up: Duration,
    /// What must outlive the process.
    pub notebook: Arc<dyn Notebook>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The one shared HTTP client.
    pub http: reqwest::Client,
}

/// One Official Account.
#[derive(Debug, Clone)]
pub struct ZaloOa {
    shared: Arc<Shared>,
    catch_up: Duration,
}

/// What the channel and its source have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    account: Account,
    api: api::Api,
    signer: sign::Signer,
    notebook: Arc<dyn Notebook>,
    clock: Arc<dyn Clock>,
    names: names::Names,
    ours: Mutex<Ours>,
    /// Webhooks by the form of their signature.
    app_first: AtomicU64,
    oa_first: AtomicU64,
    forged: AtomicU64,
    /// Readings of the history that were completed.
    passes: AtomicU64,
    /// Pictures that Zalo has. It keeps them for seven days, and alerts are sent within hours.
    given: Given,
}

/// Ids of our own messages, the oldest forgotten first.
#[derive(Debug, Default)]
struct Ours {
    known: HashSet<String>,
    order: VecDeque<String>,
}

/// What is counted, by the names under which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Webhooks signed as documented, the app's id first.
    pub app_first: u64,
    /// Webhooks signed with the OA's id first.
    pub oa_first: u64,
    /// Webhooks that were not Zalo's.
    pub forged: u64,
    /// Completed readings of the groups' history.
    pub passes: u64,
    /// Days until the refresh token ends if it cannot be used; 0 without one.
    pub days_left: u64,
    /// 1 while an operator must act for the tokens.
    pub needs_person: u64,
}

impl ZaloOa {
    /// Sets up an account; nothing is sent yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let tokens = tokens::Tokens::new(tokens::Deps {
            account: settings.account.clone(),
            http: settings.http.clone(),
            oauth_url: settings.oauth_url,
            app_id: settings.app_id.clone(),
            app_secret: settings.app_secret,
            first: settings.first_tokens,
            notebook: Arc::clone(&settings.notebook),
            clock: Arc::clone(&settings.clock),
        });
        let shared = Shared {
            account: Account {
                name: settings.account,
                platform: Platform::ZaloOa,
            },
            api: api::Api::new(settings.http, settings.api_url, Arc::new(tokens)),
            signer: sign::Signer {
                app_id: settings.app_id,
                oa_id: settings.oa_id,
                secret: settings.webhook_secret,
            },
            notebook: settings.notebook,
            clock: settings.clock,
            names: names::Names::default(),
            ours: Mutex::default(),
            app_first: AtomicU64::default(),
            oa_first: AtomicU64::default(),
            forged: AtomicU64::default(),
            passes: AtomicU64::default(),
            given: Given::default(),
        };
        Self {
            shared: Arc::new(shared),
            catch_up: settings.catch_up,
        }
    }

    /// Gives Zalo a picture; its name there.
    async fn upload(&self, picture: &Picture) -> Result<String, SendOutcome> {
        let slot = self.shared.given.slot(&picture.name);
        let mut known = slot.lock().await;
        if let Some(id) = known.as_ref() {
            return Ok(id.clone());
        }
        let ask = api::Ask::File(picture);
        let answered = self.shared.api.call("/v2.0/oa/upload/image", &ask).await;
        let id = match answered {
            Ok(answered) => post::attachment(&answered)?,
            Err(silence) => return Err(post::not_uploaded(silence)),
        };
        *known = Some(id.clone());
        Ok(id)
    }

    /// The history of the OA's groups, beside its webhooks.
    #[must_use]
    pub fn source(&self) -> Past {
        Past::new(Arc::clone(&self.shared), self.catch_up)
    }

    /// What is counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let tokens = &self.shared.api.tokens;
        Counts {
            app_first: read(&self.shared.app_first),
            oa_first: read(&self.shared.oa_first),
            forged: read(&self.shared.forged),
            passes: read(&self.shared.passes),
            days_left: u64::try_from(tokens.days_left().unwrap_or(0)).unwrap_or(0),
            needs_person: u64::from(tokens.alarm().is_some()),
        }
    }
}

impl Shared {
    fn reading<R>(&self, read: impl FnOnce(parse::Reader<'_>) -> R) -> R {
        let name = |person: &str| self.names.of(person).unwrap_or_default();
        let ours = |message: &str| self.is_ours(message);
        read(parse::Reader {
            account: &self.account.name,
            oa_id: &self.signer.oa_id,
            name: &name,
            ours: &ours,
        })
    }

    fn is_ours(&self, message: &str) -> bool {
        let ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        ours.known.contains(message)
    }

    fn note_our(&self, message: &str) {
        let mut ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        if ours.known.insert(message.to_owned()) {
            ours.order.push_back(message.to_owned());
        }
        if ours.order.len() > OURS
            && let Some(oldest) = ours.order.pop_front()
        {
            ours.known.remove(&oldest);
        }
    }

    /// Notes which of these are messages of ours.
    fn note_ours(&self, told: &[Inbound]) {
        for one in told {
            if let Inbound::Echo { message, .. } = one {
                self.note_our(message.as_str());
            }
        }
    }
}

#[async_trait]
impl Channel for ZaloOa {
    fn account(&self) -> &Account {
        &self.shared.account
    }

    fn capabilities(&self, _room: &RoomId) -> Capabilities {
        Capabilities {
            can_edit: false,
            can_delete: false,
            can_pin: false,
            buttons: false,
            echoes: true,
            max_text: post::MAX_TEXT,
            pictures: Pictures::Sent {
                max_text: post::MAX_TEXT,
            },
            closes: false,
            is_wall: false,
        }
    }

    async fn profile(&self) -> Result<Profile, PollError> {
        let shared = &self.shared;
        let asked = shared.api.ask("/v2.0/oa/getoa", &api::Ask::Get(&[])).await;
        let answered = asked
            .map_err(GroupError::from)
            .and_then(|answered| api::data(&answered));
        let mut warnings = Vec::new();
        let data = match answered {
            Ok(data) => data,
            Err(GroupError::NotNow(why)) => return Err(PollError::NotNow { why, wait: None }),
            Err(GroupError::NeedsPerson(why)) => return Err(PollError::NeedsPerson(why)),
            // Only this question is refused: its answer is good to have, and nothing waits for it.
            Err(GroupError::Refused(why)) => {
                warnings.push(format!("Zalo does not say who the OA is: {why}"));
                Default::default()
            }
        };
        let oa = Object::read(data.get()).unwrap_or_default();
        let id = oa.id("oa_id").unwrap_or_default();
        if !id.is_empty() && id != shared.signer.oa_id {
            warnings.push(format!(
                "the tokens are those of the OA {id}, but `oa_id` is {}: its events will be passed over",
                shared.signer.oa_id
            ));
        }
        if oa.text("is_verified").as_deref() == Some("false") {
            warnings.push("the OA is not verified: it can have no groups".to_owned());
        }
        warnings.extend(shared.api.tokens.watch().await);
        Ok(Profile {
            id,
            names: oa.text("name").into_iter().collect(),
            warnings,
        })
    }

    async fn post(&self, to: &Address, post: &Post) -> SendOutcome {
        let (path, mut body) = post::message(to, post);
        if let Some(picture) = &post.picture {
            match self.upload(picture).await {
                Ok(id) => post::attach(&mut body, &id),
                // Nothing was posted yet.
                Err(outcome) => return outcome,
            }
        }
        match self.shared.api.call(path, &api::Ask::Post(&body)).await {
            Ok(answered) => {
                let outcome = post::outcome(&answered);
                if let SendOutcome::Accepted(Some(message)) = &outcome {
                    self.shared.note_our(message.as_str());
                }
                outcome
            }
            Err(silence) => post::unanswered(silence),
        }
    }

    async fn delete(&self, _room: &RoomId, _message: &MessageId) -> SendOutcome {
        SendOutcome::Refused {
            why: "an OA cannot take a message back".to_owned(),
            room_gone: false,
        }
    }

    async fn answer_press(&self, _press: &str, _text: &str) -> SendOutcome {
        SendOutcome::Refused {
            why: "there are no buttons on Zalo".to_owned(),
            room_gone: false,
        }
    }

    fn photo_address(&self, reference: &str) -> Option<Url> {
        media::address(reference, media::ZALO, self.shared.api.base())
    }

    fn parse_hook(
        &self,
        headers: &[(String, Vec<u8>)],
        body: &Bytes,
    ) -> Result<Vec<Inbound>, HookError> {
        let shared = &self.shared;
        let header = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(sign::HEADER));
        let form = header.and_then(|(_, value)| shared.signer.check(value, body));
        match form {
            Some(sign::Form::AppFirst) => shared.app_first.fetch_add(1, Ordering::Relaxed),
            Some(sign::Form::OaFirst) => shared.oa_first.fetch_add(1, Ordering::Relaxed),
            None => {
                shared.forged.fetch_add(1, Ordering::Relaxed);
                return Err(HookError::Forged);
            }
        };
        // What is signed over its own timestamp is JSON: the signature was checked with it.
        let told = shared.reading(|reader| reader.event(&String::from_utf8_lossy(body)));
        shared.note_ours(&told);
        Ok(told)
    }

    async fn name_of(&self, room: &RoomId, person: &str) -> Option<String> {
        if let Some(name) = self.shared.names.of(person) {
            return Some(name);
        }
        if *room.native == *person {
            let asked = format!("{{\"user_id\":\"{person}\"}}");
            let ask = [("data", asked.as_str())];
            let ask = api::Ask::Get(&ask);
            let answered = self
                .shared
                .api
                .ask("/v3.0/oa/user/detail", &ask)
                .await
                .ok()?;
            let data = api::data(&answered).ok()?;
            return Object::read(data.get())?.text("display_name");
        }
        self.shared
            .look_for(&room.native, Some(person))
            .await
            .ok()?;
        self.shared.names.of(person)
    }

    async fn people_in(&self, room: &RoomId) -> Result<Option<u64>, PollError> {
        match self.shared.group(&room.native).await {
            // The OA is one of them; a number that is missing reads as none at all.
            Ok(group) => Ok(group.members.checked_sub(1)),
            Err(GroupError::NeedsPerson(why)) => Err(PollError::NeedsPerson(why)),
            Err(GroupError::NotNow(why) | GroupError::Refused(why)) => {
                Err(PollError::NotNow { why, wait: None })
            }
        }
    }

    fn groups(&self) -> Option<&dyn Groups> {
        Some(&*self.shared)
    }
}
