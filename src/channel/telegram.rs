//! The Telegram Bot API.
//!
//! Updates are read from raw JSON by our own polling loop ([`Poll`]) or from a webhook; posts leave
//! through the shared HTTP client. Of teloxide only the request payloads are used: its dispatcher
//! confirms updates before they are on disk, its types lose texts they do not fully understand, and its
//! throttle freezes every room for one.
//!
//! ```text
//! getUpdates ─▶ raw updates ─▶ parse (wire, or loose) ─▶ Inbound
//! Post ─▶ post::message ─▶ api::call ─▶ post::outcome ─▶ SendOutcome
//! ```
//!
//! Nothing here sleeps between tries, keeps a queue, or knows what a message means.

mod api;
pub mod export;
mod loose;
pub mod parse;
mod poll;
mod post;
mod wire;

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use subtle::ConstantTimeEq as _;
use teloxide_core::payloads::GetChatMemberCount;
use teloxide_core::payloads::SetWebhook;
use teloxide_core::payloads::SetWebhookSetters as _;
use teloxide_core::types::AllowedUpdate;
use url::Url;

pub use self::parse::Me;
pub use self::poll::Poll;
use super::Address;
use super::Capabilities;
use super::Channel;
use super::HookError;
use super::Pictures;
use super::Pin;
use super::PollError;
use super::Profile;
use super::call::Answered;
use super::call::Api;
use super::call::Silence;
use super::json::Object;
use super::once::Given;
use super::repair;
use crate::domain::account::Account;
use crate::domain::account::Platform;
use crate::domain::delivery::Picture;
use crate::domain::delivery::Post;
use crate::domain::delivery::SendOutcome;
use crate::domain::ids::AccountName;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::message::Inbound;
use crate::domain::secret::Secret;

/// How long a call other than the long poll may take.
const CALL: Duration = Duration::from_secs(20);

/// How long a call may take that carries a file.
const UPLOAD: Duration = Duration::from_secs(60);

/// The header in which Telegram repeats the secret given to setWebhook.
const SECRET_HEADER: &str = "X-Telegram-Bot-Api-Secret-Token";

/// What a Telegram account needs to work.
#[derive(Debug)]
pub struct Settings {
    /// Our own name for it.
    pub account: AccountName,
    /// The base of the Bot API: Telegram's, a local server's or a simulator's.
    pub api_url: Url,
    /// The bot's token.
    pub token: Secret,
    /// The secret of webhook calls; without it no webhook is taken.
    pub webhook_secret: Option<Secret>,
    /// Where Telegram shall send updates; with the secret it is set by [`Channel::prepare`].
    pub hook_url: Option<Url>,
    /// The one shared HTTP client.
    pub http: reqwest::Client,
}

/// One Telegram bot.
#[derive(Debug, Clone)]
pub struct Telegram(Arc<Shared>);

/// What the channel and its source have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    account: Account,
    api: Api,
    webhook_secret: Option<Secret>,
    hook_url: Option<Url>,
    /// Read for every batch, written when the platform tells who we are.
    me: RwLock<Arc<Me>>,
    /// Pictures that Telegram has.
    given: Given,
}

impl Telegram {
    /// Sets up an account; nothing is sent yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let api = Api::new(settings.http, settings.api_url, settings.token);
        let me = Me {
            id: api.id_in_token(),
            ..Me::default()
        };
        Self(Arc::new(Shared {
            account: Account {
                name: settings.account,
                platform: Platform::Telegram,
            },
            api,
            webhook_secret: settings.webhook_secret,
            hook_url: settings.hook_url,
            me: RwLock::new(Arc::new(me)),
            given: Given::default(),
        }))
    }

    /// The news of this account by polling. There must be one only: Telegram cuts off the other.
    /// [`Channel::profile`] should be asked first, so that mentions of the bot's handle are known.
    #[must_use]
    pub fn source(&self) -> Poll {
        Poll::new(Arc::clone(&self.0))
    }

    async fn send(&self, request: Result<post::Request, SendOutcome>) -> SendOutcome {
        let request = match request {
            Ok(request) => request,
            Err(outcome) => return outcome,
        };
        let answered = self.0.api.call(&request.method, request.body, CALL).await;
        self.outcome(answered.as_ref(), &request.about)
    }

    fn outcome(&self, answered: Result<&Answered, &Silence>, about: &post::About) -> SendOutcome {
        match answered {
            Ok(answered) => match post::outcome(answered, about) {
                // A proxy may repeat the path in its page, and the token is in the path.
                SendOutcome::Refused { why, room_gone } => SendOutcome::Refused {
                    why: self.0.api.redact(&why),
                    room_gone,
                },
                SendOutcome::AccountRefused(why) => {
                    SendOutcome::AccountRefused(self.0.api.redact(&why))
                }
                SendOutcome::Unknown(why) => SendOutcome::Unknown(self.0.api.redact(&why)),
                other => other,
            },
            Err(silence) => post::unanswered(silence.clone()),
        }
    }

    /// Posts with a picture: by the name under which Telegram has it, else with the file itself.
    async fn show(&self, to: &Address, post: &Post, picture: &Picture) -> SendOutcome {
        let slot = self.0.given.slot(&picture.name);
        let mut known = slot.lock().await;
        if let Some(id) = known.clone() {
            drop(known);
            return self.send(post::photo(to, post, &id)).await;
        }
        let request = match post::photo(to, post, post::ATTACHED) {
            Ok(request) => request,
            Err(outcome) => return outcome,
        };
        let form = match request.with_file(picture) {
            Ok(form) => form,
            Err(outcome) => return outcome,
        };
        let answered = self
            .0
            .api
            .call_with_files(&request.method, form, UPLOAD)
            .await;
        if let Ok(answered) = &answered {
            *known = post::photo_id(answered);
        }
        self.outcome(answered.as_ref(), &request.about)
    }
}

impl Shared {
    fn me(&self) -> Arc<Me> {
        Arc::clone(&self.me.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What an answer to a question says, if it is not the answer.
    fn refusal(&self, answered: &Answered) -> Option<PollError> {
        let body = String::from_utf8_lossy(&answered.body);
        let answer = api::envelope(&body).unwrap_or_default();
        let succeeded = (200..300).contains(&answered.status);
        if succeeded && answer.ok != Some(false) {
            return None;
        }
        let code = match (succeeded, answer.error_code) {
            (true, Some(code)) => code,
            _ => i64::from(answered.status),
        };
        let words = answer.description.as_ref().map_or("", |d| d.as_str());
        let why = self
            .api
            .redact(&format!("the server answered {code}: {words}"));
        let why = why.trim_end_matches(": ").to_owned();
        let wait = answer
            .parameters
            .and_then(|p| p.retry_after)
            .or(answered.retry_after)
            .map(|seconds| Duration::from_secs(seconds.clamp(1, 3600)));
        Some(match code {
            401 | 404 => PollError::NeedsPerson(format!("the token is not accepted ({why})")),
            409 if words.to_ascii_lowercase().contains("webhook") => {
                PollError::NeedsPerson(format!("a webhook is set for this bot ({why})"))
            }
            409 => PollError::NeedsPerson(format!(
                "another program asks for this bot's updates ({why})"
            )),
            _ => PollError::NotNow { why, wait },
        })
    }

    async fn ask(&self, method: &str, body: Vec<u8>) -> Result<Answered, PollError> {
        let answered = self.api.call(method, body, CALL).await;
        let answered = answered.map_err(|silence| PollError::NotNow {
            why: silence.into_why(),
            wait: None,
        })?;
        self.refusal(&answered).map_or(Ok(answered), Err)
    }
}

#[async_trait]
impl Channel for Telegram {
    fn account(&self) -> &Account {
        &self.0.account
    }

    fn capabilities(&self, _room: &RoomId) -> Capabilities {
        Capabilities {
            can_edit: true,
            can_delete: true,
            can_pin: true,
            buttons: true,
            echoes: false,
            max_text: 4096,
            pictures: Pictures::Sent {
                max_text: post::MAX_CAPTION,
            },
            closes: false,
            is_wall: false,
        }
    }

    async fn prepare(&self) -> Result<(), PollError> {
        let (Some(url), Some(secret)) = (&self.0.hook_url, &self.0.webhook_secret) else {
            return Ok(());
        };
        let payload = SetWebhook::new(url.clone())
            .secret_token(secret.expose())
            .allowed_updates([
                AllowedUpdate::Message,
                AllowedUpdate::EditedMessage,
                AllowedUpdate::CallbackQuery,
                AllowedUpdate::MyChatMember,
            ]);
        let body = serde_json::to_vec(&payload).map_err(|_| PollError::NotNow {
            why: "the request cannot be written".to_owned(),
            wait: None,
        })?;
        self.0.ask(&post::method::<SetWebhook>(), body).await?;
        Ok(())
    }

    async fn profile(&self) -> Result<Profile, PollError> {
        let answered = self.0.ask("getMe", b"{}".to_vec()).await?;
        let body = String::from_utf8_lossy(&answered.body);
        let unreadable = || PollError::NotNow {
            why: "the answer to getMe is not readable".to_owned(),
            wait: None,
        };
        let answer = api::envelope(&body).ok_or_else(unreadable)?;
        let user = answer
            .result
            .and_then(|result| Object::read(result.get()))
            .ok_or_else(unreadable)?;
        let text = |key| {
            let text = user.text(key)?.as_str().trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let sees_all = user.flag("can_read_all_group_messages");
        let me = Me {
            id: user
                .id("id")
                .and_then(|id| id.number())
                .or_else(|| self.0.api.id_in_token()),
            username: text("username"),
            sees_all: sees_all == Some(true),
        };
        let mut warnings = Vec::new();
        if sees_all == Some(false) {
            warnings.push(
                "privacy mode is on: where the bot is no administrator it sees only commands, \
                 mentions and replies to itself, and no tags"
                    .to_owned(),
            );
        }
        if user.flag("can_join_groups") == Some(false) {
            warnings
                .push("the bot may not be added to groups (BotFather, /setjoingroups)".to_owned());
        }
        let profile = Profile {
            id: me.id.map(|id| id.to_string()).unwrap_or_default(),
            names: me
                .username
                .clone()
                .into_iter()
                .chain(text("first_name"))
                .collect(),
            warnings,
        };
        *self.0.me.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(me);
        Ok(profile)
    }

    async fn post(&self, to: &Address, post: &Post) -> SendOutcome {
        match &post.picture {
            Some(picture) => self.show(to, post, picture).await,
            None => self.send(post::message(to, post)).await,
        }
    }

    async fn delete(&self, room: &RoomId, message: &MessageId) -> SendOutcome {
        self.send(post::deletion(room, message)).await
    }

    async fn people_in(&self, room: &RoomId) -> Result<Option<u64>, PollError> {
        let Ok(chat) = post::recipient(room) else {
            return Ok(None);
        };
        let not_now = |why: &str| PollError::NotNow {
            why: why.to_owned(),
            wait: None,
        };
        let body = serde_json::to_vec(&GetChatMemberCount::new(chat))
            .map_err(|_| not_now("the request cannot be written"))?;
        let method = post::method::<GetChatMemberCount>();
        let answered = self.0.ask(&method, body).await?;
        let body = String::from_utf8_lossy(&answered.body);
        let count: u64 = api::envelope(&body)
            .and_then(|answer| answer.result?.get().parse().ok())
            .ok_or_else(|| not_now("the answer to getChatMemberCount is not readable"))?;
        // The bot is one of them.
        Ok(Some(count.saturating_sub(1)))
    }

    async fn file_now(&self, reference: &str) -> Option<Url> {
        let body = serde_json::json!({"file_id": reference}).to_string();
        let answered = self.0.ask("getFile", body.into_bytes()).await.ok()?;
        let body = String::from_utf8_lossy(&answered.body);
        let file = api::envelope(&body)?.result?;
        let path = Object::read(file.get())?.text("file_path")?;
        self.0.api.file(path.as_str())
    }

    async fn pin(&self, room: &RoomId, message: &MessageId, pin: Pin) -> SendOutcome {
        self.send(post::pin(room, message, pin)).await
    }

    async fn answer_press(&self, press: &str, text: &str) -> SendOutcome {
        self.send(post::press_answer(press, text)).await
    }

    fn parse_hook(
        &self,
        headers: &[(String, Vec<u8>)],
        body: &Bytes,
    ) -> Result<Vec<Inbound>, HookError> {
        let secret = self
            .0
            .webhook_secret
            .as_ref()
            .ok_or(HookError::NotExpected)?;
        let given = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(SECRET_HEADER))
            .map(|(_, value)| value.as_slice())
            .ok_or(HookError::Forged)?;
        if !bool::from(secret.expose().as_bytes().ct_eq(given)) {
            return Err(HookError::Forged);
        }
        let mended;
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            Err(_) => {
                mended = repair::mended(body);
                &mended
            }
        };
        if Object::read(text).is_none() && Object::read(&repair::mended(body)).is_none() {
            return Err(HookError::Unreadable("it is no JSON object".to_owned()));
        }
        Ok(parse::update(text, &self.0.account.name, &self.0.me()).inbound)
    }
}

#[cfg(test)]
mod tests;
