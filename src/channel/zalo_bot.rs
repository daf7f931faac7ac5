//! The Zalo Bot Platform.
//!
//! ```text
//! getUpdates, one object a call ─▶ Poll ─┐
//! webhook, flat or wrapped ──────────────┴▶ parse ─▶ Inbound
//! Post ─▶ post::message ─▶ sendMessage ─▶ post::outcome ─▶ SendOutcome
//! ```
//!
//! The platform is poor, and what it lacks shapes everything here: no edit, no deletion, no buttons, no
//! echo, no joining or leaving, no quotation. In a group it hands over only messages that mention the bot
//! or answer it, and does not say which of the two; whether the mention stays in the text is written
//! nowhere, so it is taken off where it stands. What sources contradict each other about (the status of
//! an idle poll, the wrapping of a webhook, names of fields, units of dates) is accepted in every variant.
//!
//! Media come as addresses on Zalo's own hosts (`*.zdn.vn`, `*.zadn.vn`) that anybody can open and that
//! soon stop working; [`Channel::photo_address`] says of which a copy may be made.

mod parse;
mod poll;
mod post;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use subtle::ConstantTimeEq as _;
use url::Url;

pub use self::poll::Poll;
use super::Address;
use super::Capabilities;
use super::Channel;
use super::HookError;
use super::Pictures;
use super::PollError;
use super::Profile;
use super::call::Answered;
use super::call::Api;
use super::json::Object;
use super::media;
use super::repair;
use crate::domain::account::Account;
use crate::domain::account::Platform;
use crate::domain::delivery::Post;
use crate::domain::delivery::SendOutcome;
use crate::domain::ids::AccountName;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::message::Inbound;
use crate::domain::secret::Secret;

/// How long a call other than the long poll may take.
const CALL: Duration = Duration::from_secs(20);

/// The header in which Zalo repeats the secret given to setWebhook.
const SECRET_HEADER: &str = "X-Bot-Api-Secret-Token";

/// Most text in one message. The unit is written nowhere; UTF-16 units are the stricter of the two that
/// other programs count.
const MAX_TEXT: usize = 2_000;

/// How long to wait when the platform says that the month's messages are used up.
const USED_UP: Duration = Duration::from_secs(3_600);

/// The same, for polls.
const USED_UP_POLL: Duration = Duration::from_secs(60);

/// What a Zalo Bot account needs to work.
#[derive(Debug)]
pub struct Settings {
    /// Our own name for it.
    pub account: AccountName,
    /// The base of the API: Zalo's or a simulator's.
    pub api_url: Url,
    /// The bot's token.
    pub token: Secret,
    /// The secret of webhook calls; without it no webhook is taken.
    pub webhook_secret: Option<Secret>,
    /// Where Zalo shall send updates; with the secret it is set by [`Channel::prepare`].
    pub hook_url: Option<Url>,
    /// At least this long between the starts of two polls.
    pub poll_spacing: Duration,
    /// How the bot is called, besides what the platform tells.
    pub names: Vec<String>,
    /// The one shared HTTP client.
    pub http: reqwest::Client,
}

/// One Zalo Bot.
#[derive(Debug, Clone)]
pub struct ZaloBot(Arc<Shared>);

/// What the channel and its source have in common.
#[derive(Debug)]
struct Shared {
    account: Account,
    api: Api,
    webhook_secret: Option<Secret>,
    hook_url: Option<Url>,
    poll_spacing: Duration,
    /// Names from the config.
    names: Vec<String>,
    /// What the platform said of the webhook that was set, if it could not reach it.
    unreached: Mutex<Option<String>>,
    /// These and what the platform tells; read for every message, written once it tells.
    called: RwLock<Arc<[String]>>,
}

impl ZaloBot {
    /// Sets up an account; nothing is sent yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Shared {
            account: Account {
                name: settings.account,
                platform: Platform::ZaloBot,
            },
            api: Api::new(settings.http, settings.api_url, settings.token),
            webhook_secret: settings.webhook_secret,
            hook_url: settings.hook_url,
            poll_spacing: settings.poll_spacing,
            unreached: Mutex::default(),
            called: RwLock::new(settings.names.clone().into()),
            names: settings.names,
        }))
    }

    /// The news of this account by polling. There must be one only: two take each other's news away.
    /// [`Channel::profile`] should be asked first, so that the bot's name is known.
    #[must_use]
    pub fn source(&self) -> Poll {
        Poll::new(Arc::clone(&self.0))
    }
}

impl Shared {
    fn called(&self) -> Arc<[String]> {
        Arc::clone(&self.called.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a body brings, update by update.
    fn read(&self, body: &[u8]) -> Option<Vec<Inbound>> {
        let called = self.called();
        let whole = |text: &str| parse::updates(text, &self.account.name, &called);
        // Half a surrogate pair spoils the field that holds it, which is mostly the text.
        let has_pairs = memchr::memmem::find(&body.to_ascii_lowercase(), b"\\ud").is_some();
        let text = std::str::from_utf8(body).ok().filter(|_| !has_pairs);
        text.and_then(whole)
            .or_else(|| whole(&repair::mended(body)))
    }

    /// What an answer to a question says, if it is not the answer.
    fn refusal(&self, answered: &Answered) -> Option<PollError> {
        let told = post::Told::of(answered);
        if told.ok {
            return None;
        }
        let why = self.api.redact(&told.words());
        Some(match told.code {
            401 => PollError::NeedsPerson(format!("the token is not accepted ({why})")),
            404 if !told.is_enveloped => PollError::NeedsPerson(format!(
                "at `api_url` nobody speaks the Zalo Bot API ({why})"
            )),
            429 => PollError::NotNow {
                why: format!("the month's messages are used up ({why})"),
                // Whoever does not ask may lose what is written meanwhile: not often, but not seldom.
                wait: Some(told.wait.unwrap_or(USED_UP_POLL)),
            },
            _ => PollError::NotNow {
                why,
                wait: told.wait,
            },
        })
    }

    async fn ask(&self, method: &str, body: Vec<u8>) -> Result<Answered, PollError> {
        let answered = self.api.call(method, body, CALL).await;
        let answered = answered.map_err(|silence| not_now(silence.into_why()))?;
        self.refusal(&answered).map_or(Ok(answered), Err)
    }
}

fn not_now(why: impl Into<String>) -> PollError {
    PollError::NotNow {
        why: why.into(),
        wait: None,
    }
}

#[async_trait]
impl Channel for ZaloBot {
    fn account(&self) -> &Account {
        &self.0.account
    }

    fn capabilities(&self, _room: &RoomId) -> Capabilities {
        Capabilities {
            can_edit: false,
            can_delete: false,
            can_pin: false,
            buttons: false,
            echoes: false,
            max_text: MAX_TEXT,
            pictures: Pictures::Fetched { max_text: MAX_TEXT },
            closes: false,
            is_wall: false,
        }
    }

    async fn prepare(&self) -> Result<(), PollError> {
        let (Some(url), Some(secret)) = (&self.0.hook_url, &self.0.webhook_secret) else {
            return Ok(());
        };
        let body = json!({"url": url.as_str(), "secret_token": secret.expose()});
        let body = body.to_string().into_bytes();
        let answered = self.0.ask("setWebhook", body).await?;
        // Told by some versions of the platform only. The address is kept even if the trial failed.
        let body = String::from_utf8_lossy(&answered.body);
        let trial = Object::read(&body)
            .and_then(|answer| answer.object("result"))
            .and_then(|result| result.object("verification"))
            .filter(|trial| trial.flag("ok") == Some(false));
        let unreached = trial.map(|trial| {
            let word = |key| {
                trial
                    .text(key)
                    .map_or(String::new(), |word| word.as_str().to_owned())
            };
            format!("{} {}", word("outcome"), word("hint"))
                .trim()
                .to_owned()
        });
        *self
            .0
            .unreached
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = unreached.map(|why| self.0.api.redact(&why));
        Ok(())
    }

    async fn profile(&self) -> Result<Profile, PollError> {
        let answered = self.0.ask("getMe", b"{}".to_vec()).await?;
        let body = String::from_utf8_lossy(&answered.body);
        let user = Object::read(&body)
            .and_then(|answer| answer.object("result"))
            .ok_or_else(|| not_now("the answer to getMe is not readable"))?;
        let text = |key| {
            let text = user.text(key)?.as_str().trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let shown = text("display_name");
        let mut names: Vec<String> = shown.clone().into_iter().collect();
        names.extend(text("account_name"));
        let mut warnings = Vec::new();
        if user.flag("can_join_groups") == Some(false) {
            warnings.push(
                "this bot may not be added to groups (getMe: can_join_groups is false): only private \
                 chats reach it, and no alert reaches a group; see \"Mời Bot vào nhóm\" in Zalo Bot Creator"
                    .to_owned(),
            );
        }
        if shown.is_none() && self.0.names.is_empty() {
            warnings.push(
                "the platform does not tell the bot's display name: write it into `bot.names`, or \
                 commands behind a mention are not understood"
                    .to_owned(),
            );
        }
        let unreached = self
            .0
            .unreached
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = unreached.as_ref() {
            warnings.push(format!(
                "the platform could not reach the webhook ({why}): is `web.public_url` right, and does the \
                 web server in front pass /hooks/ on?"
            ));
        }
        drop(unreached);
        let profile = Profile {
            id: text("id").unwrap_or_default(),
            names: names.clone(),
            warnings,
        };
        for name in &self.0.names {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let mut called = self
            .0
            .called
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *called = names.into();
        Ok(profile)
    }

    async fn post(&self, to: &Address, post: &Post) -> SendOutcome {
        let (method, body) = match post::message(to, post) {
            Ok(asked) => asked,
            Err(outcome) => return outcome,
        };
        match self.0.api.call(method, body, CALL).await {
            Ok(answered) => post::outcome(&answered, |words| self.0.api.redact(words)),
            Err(silence) => post::unanswered(silence),
        }
    }

    async fn delete(&self, _room: &RoomId, _message: &MessageId) -> SendOutcome {
        post::cannot("take a message back")
    }

    async fn answer_press(&self, _press: &str, _text: &str) -> SendOutcome {
        post::cannot("show buttons")
    }

    fn photo_address(&self, reference: &str) -> Option<Url> {
        media::address(reference, media::ZALO, self.0.api.base())
    }

    fn parse_hook(
        &self,
        headers: &[(String, Vec<u8>)],
        body: &Bytes,
    ) -> Result<Vec<Inbound>, HookError> {
        let secret = self.0.webhook_secret.as_ref();
        let secret = secret.ok_or(HookError::NotExpected)?;
        // Seen when a webhook is set: a call with nothing in it, which wants no more than to be answered.
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Vec::new());
        }
        let given = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(SECRET_HEADER))
            .map(|(_, value)| value.as_slice())
            .ok_or(HookError::Forged)?;
        if !bool::from(secret.expose().as_bytes().ct_eq(given)) {
            return Err(HookError::Forged);
        }
        self.0
            .read(body)
            .ok_or_else(|| HookError::Unreadable("it is no JSON object".to_owned()))
    }
}

#[cfg(test)]
mod tests;
