//! A Facebook Page: its wall, and the Messenger chats of people with it.
//!
//! ```text
//! webhook ─▶ sign (raw bytes) ─▶ parse ─▶ Inbound
//! Post ─▶ post::request ─▶ api (proof, usage) ─▶ post::outcome ─▶ SendOutcome
//! ```
//!
//! The wall is one room under the Page's own id: an alert is a post on it, a report is a comment or a
//! visitor's post, a receipt is a comment under that. A person's chat is a private room under the id by
//! which the Page knows them, open for 24 hours after their last word. Facebook groups and group chats of
//! Messenger let no program in; nothing here pretends to.
//!
//! Meta shows us what the Page wrote: that is evidence for the outbox, and tells which comments are ours.
//! Several Pages may share an app and with it one address for webhooks: each hears its own ([`Pages`]).

mod api;
mod parse;
mod post;
mod sign;

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::Method;
use subtle::ConstantTimeEq as _;
use url::Url;

use super::Address;
use super::Capabilities;
use super::Channel;
use super::HookError;
use super::Pictures;
use super::PollError;
use super::Profile;
use super::call::Answered;
use super::fields::Object;
use super::media;
use super::once::Given;
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
use post::Meaning;
use post::Place;

/// What the Page's app is told of. A field that the token may not have fails the whole call.
const FIELDS: &str = "feed,mention,messages,message_edits,message_echoes,message_reactions,messaging_postbacks,messaging_referrals,messaging_policy_enforcement";

/// Of our own words so many ids are remembered, to know answers to them.
const OURS: usize = 20_000;

/// Of Pages that are not ours so many are named.
const STRANGERS: usize = 20;

/// How long a rest of an account's messages is told to the outbox at the longest.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What a Page needs to work.
#[derive(Debug)]
pub struct Settings {
    /// Our own name for it.
    pub account: AccountName,
    /// The base of the Graph API, with its version.
    pub api_url: Url,
    /// The Page's id.
    pub page_id: String,
    /// The Page's token.
    pub token: Secret,
    /// The app's secret: for signatures of webhooks, and for the proof of calls.
    pub app_secret: Secret,
    /// What the webhook is asked for when it is set up.
    pub verify_token: Secret,
    /// An approved utility template with one gap, for answers that come after the 24 hours.
    pub utility_template: Option<String>,
    /// All Pages of this process, this one soon among them.
    pub pages: Arc<Pages>,
    /// The one shared HTTP client.
    pub http: reqwest::Client,
}

/// The Pages of one process. An app may serve several and has one address for webhooks: what it tells there
/// of a Page is that Page's, whichever account the address is of.
#[derive(Debug, Default)]
pub struct Pages(Mutex<Vec<Arc<Page>>>);

impl Pages {
    fn add(&self, page: &Arc<Page>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Arc::clone(page));
    }

    /// Those of one app. What is signed by another app's secret says nothing about them.
    fn of_app(&self, secret: &Secret) -> Vec<Arc<Page>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_app = all
            .iter()
            .filter(|page| page.app_secret.expose() == secret.expose());
        of_app.cloned().collect()
    }
}

/// A Page, as far as it is heard of.
#[derive(Debug)]
struct Page {
    account: AccountName,
    id: String,
    app_secret: Secret,
    ours: Mutex<Ours>,
    /// Why a person must look, while one must.
    alarm: Mutex<Option<String>>,
}

impl Page {
    fn is_ours(&self, id: &str) -> bool {
        let ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        ours.known.contains(parse::last_part(id))
    }

    fn note_our(&self, id: &MessageId) {
        let id = parse::last_part(id.as_str()).to_owned();
        let mut ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        if ours.known.insert(id.clone()) {
            ours.order.push_back(id);
        }
        if ours.order.len() > OURS
            && let Some(oldest) = ours.order.pop_front()
        {
            ours.known.remove(&oldest);
        }
    }

    fn set_alarm(&self, why: Option<&str>) {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        *alarm = why.map(str::to_owned);
    }
}

/// One Page.
#[derive(Debug)]
pub struct Facebook {
    account: Account,
    api: api::Api,
    page: Arc<Page>,
    pages: Arc<Pages>,
    verify_token: Secret,
    utility_template: Option<String>,
    /// Pictures that Messenger has.
    given: Given,
    /// Pages of the app that no account here has.
    strangers: Mutex<BTreeSet<String>>,
}

/// Ids of our own words, the oldest forgotten first.
#[derive(Debug, Default)]
struct Ours {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl Facebook {
    /// Sets up a Page; nothing is sent yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let app_secret = settings.app_secret;
        let page = Arc::new(Page {
            account: settings.account.clone(),
            id: settings.page_id,
            app_secret: app_secret.clone(),
            ours: Mutex::default(),
            alarm: Mutex::default(),
        });
        settings.pages.add(&page);
        Self {
            account: Account {
                name: settings.account,
                platform: Platform::Facebook,
            },
            api: api::Api::new(settings.http, settings.api_url, settings.token, app_secret),
            page,
            pages: settings.pages,
            verify_token: settings.verify_token,
            utility_template: settings.utility_template,
            given: Given::default(),
            strangers: Mutex::default(),
        }
    }

    fn set_alarm(&self, why: Option<&str>) {
        self.page.set_alarm(why);
    }

    /// What the app tells of a Page that no account here has: only a person can say whose it is.
    fn note_strangers(&self, pages: Vec<String>) {
        let mut strangers = self
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for page in pages {
            if strangers.len() < STRANGERS && strangers.insert(page.clone()) {
                tracing::error!(account = %self.account.name, page, "the app tells of a Page that no account here has");
            }
        }
    }

    /// Makes a call of the outbox, and draws from its answer what holds for the calls after it.
    async fn act(
        &self,
        budget: api::Budget,
        method: Method,
        path: &str,
        content: api::Content<'_>,
    ) -> Result<Answered, SendOutcome> {
        if let Some(wait) = self.api.rest(budget) {
            return Err(SendOutcome::SlowDown {
                wait: wait.min(LONGEST_WAIT),
                whole_account: false,
            });
        }
        let answered = self.api.call(method, path, &[], content).await;
        let answered = answered.map_err(post::unanswered)?;
        match post::outcome(&answered, None) {
            Meaning::Done(_) => self.set_alarm(None),
            other => {
                if let Some(why) = other.alarm() {
                    tracing::error!(account = %self.account.name, why, "a person must look at the Page");
                    self.set_alarm(Some(why));
                }
                if let Some(wait) = other.rest() {
                    self.api.rest_for(budget, wait);
                }
            }
        }
        Ok(answered)
    }

    async fn send(&self, budget: api::Budget, request: &post::Request) -> SendOutcome {
        let content = api::Content::Json(&request.body);
        let answered = self.act(budget, Method::POST, &request.path, content).await;
        let outcome = match answered {
            Ok(answered) => post::outcome(&answered, request.edits.as_ref()).into_outcome(),
            Err(outcome) => outcome,
        };
        match outcome {
            SendOutcome::Accepted(Some(id)) => {
                self.page.note_our(&id);
                SendOutcome::Accepted(Some(id))
            }
            // To be told the same words again is no harm to a post, and no news of it comes back to us.
            SendOutcome::Unknown(why) if request.edits.is_some() => SendOutcome::NotNow(why),
            other => other,
        }
    }

    /// Gives Meta a picture; what Meta calls it. Nobody sees it yet.
    async fn upload(&self, place: Place<'_>, picture: &Picture) -> Result<String, SendOutcome> {
        let upload = post::Upload::to(place, &self.page.id);
        let content = api::Content::File(upload.form(picture)?);
        let budget = place.budget();
        let answered = self.act(budget, Method::POST, &upload.path, content).await;
        match answered {
            Ok(answered) => upload.name(&answered),
            Err(SendOutcome::Unknown(why)) => Err(SendOutcome::NotNow(why)),
            Err(outcome) => Err(outcome),
        }
    }

    /// The same for a chat, where one upload serves every message.
    async fn attachment(&self, place: Place<'_>, picture: &Picture) -> Result<String, SendOutcome> {
        let slot = self.given.slot(&picture.name);
        let mut known = slot.lock().await;
        if let Some(id) = known.as_ref() {
            return Ok(id.clone());
        }
        let id = self.upload(place, picture).await?;
        *known = Some(id.clone());
        Ok(id)
    }

    /// Posts or changes something on the wall that shows a picture.
    ///
    /// A picture has words of its own, and those of an earlier version may be wrong. Where Meta changes the
    /// words of a post and leaves its picture as it was, the post is taken away and comes anew.
    async fn show(&self, to: &Address, post: &Post, picture: &Picture) -> SendOutcome {
        let id = match self.upload(Place::Wall, picture).await {
            Ok(id) => id,
            Err(outcome) => return outcome,
        };
        let budget = Place::Wall.budget();
        let outcome = match post::request(to, post, Some(&id), &self.page.id) {
            Ok(request) => self.send(budget, &request).await,
            Err(outcome) => outcome,
        };
        let (Some(edited), SendOutcome::Accepted(_)) = (&post.edits, &outcome) else {
            return outcome;
        };
        let shown = format!("{edited}/attachments");
        let shown = self.ask(&shown, &[("fields", "target")]).await;
        if !shown.is_ok_and(|answer| post::shows_another(&answer, &id)) {
            return outcome;
        }
        match self.delete(&to.room, edited).await {
            SendOutcome::Accepted(_) => {}
            SendOutcome::Refused { why, .. } => {
                tracing::warn!(account = %self.account.name, why, "a post keeps a picture that is out of date");
            }
            other => return other,
        }
        let anew = Post {
            edits: None,
            ..post.clone()
        };
        match post::request(to, &anew, Some(&id), &self.page.id) {
            Ok(request) => self.send(budget, &request).await,
            Err(outcome) => outcome,
        }
    }

    async fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Result<String, PollError> {
        self.told(Method::GET, path, fields).await
    }

    async fn told(
        &self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<String, PollError> {
        let not_now = |why| PollError::NotNow { why, wait: None };
        let nothing = api::Content::Nothing;
        let answered = self.api.call(method, path, fields, nothing).await;
        let answered = answered.map_err(|silence| not_now(silence.into_why()))?;
        match post::outcome(&answered, None) {
            Meaning::Done(_) => Ok(String::from_utf8_lossy(&answered.body).into_owned()),
            Meaning::NeedsPerson(why) | Meaning::Blocked(why) | Meaning::Barred(why) => {
                self.set_alarm(Some(&why));
                Err(PollError::NeedsPerson(why))
            }
            Meaning::Refused(why) | Meaning::Gone(why) => Err(PollError::NeedsPerson(why)),
            other => Err(not_now(format!("the platform did not answer: {other:?}"))),
        }
    }
}

#[async_trait]
impl Channel for Facebook {
    fn account(&self) -> &Account {
        &self.account
    }

    fn capabilities(&self, room: &RoomId) -> Capabilities {
        let place = Place::of(&room.native, &self.page.id);
        let on_the_wall = place == Place::Wall;
        Capabilities {
            can_edit: on_the_wall,
            can_delete: on_the_wall,
            can_pin: false,
            buttons: !on_the_wall,
            echoes: true,
            max_text: if on_the_wall {
                post::MAX_POST
            } else {
                post::MAX_MESSAGE
            },
            pictures: match place {
                Place::Wall => Pictures::Sent {
                    max_text: post::MAX_POST,
                },
                Place::Person(_) => Pictures::Apart,
                // There is one answer only.
                Place::Comment(_) | Place::VisitorPost(_) => Pictures::Never,
            },
            closes: matches!(place, Place::Person(_)),
            is_wall: on_the_wall,
        }
    }

    async fn prepare(&self) -> Result<(), PollError> {
        let path = format!("{}/subscribed_apps", self.page.id);
        let fields = [("subscribed_fields", FIELDS)];
        self.told(Method::POST, &path, &fields).await.map(drop)
    }

    async fn profile(&self) -> Result<Profile, PollError> {
        let answer = self.ask("me", &[("fields", "id,name")]).await?;
        let answer = Object::read(&answer).unwrap_or_default();
        let id = answer.id("id").unwrap_or_default();
        let mut warnings = Vec::new();
        if id != self.page.id {
            warnings.push(format!(
                "the token is that of the Page {id}, but `page_id` is {}: nothing will be heard",
                self.page.id
            ));
        }
        self.set_alarm(None);
        Ok(Profile {
            id,
            names: answer.text("name").into_iter().collect(),
            warnings,
        })
    }

    async fn post(&self, to: &Address, post: &Post) -> SendOutcome {
        let place = Place::of(&to.room.native, &self.page.id);
        let picture = match (&post.picture, place) {
            (Some(picture), Place::Wall) => return self.show(to, post, picture).await,
            (Some(picture), _) => match self.attachment(place, picture).await {
                Ok(id) => Some(id),
                Err(outcome) => return outcome,
            },
            (None, _) => None,
        };
        match post::request(to, post, picture.as_deref(), &self.page.id) {
            Ok(request) => self.send(place.budget(), &request).await,
            Err(outcome) => outcome,
        }
    }

    async fn post_late(&self, to: &Address, post: &Post) -> Option<SendOutcome> {
        let name = self.utility_template.as_deref()?;
        let request = post::by_template(to, post, &self.page.id, name)?;
        Some(self.send(api::Budget::Messenger, &request).await)
    }

    async fn delete(&self, room: &RoomId, message: &MessageId) -> SendOutcome {
        let place = Place::of(&room.native, &self.page.id);
        if place != Place::Wall || !post::is_id(message.as_str()) {
            return SendOutcome::Refused {
                why: "messages in Messenger cannot be taken back".to_owned(),
                room_gone: false,
            };
        }
        let nothing = api::Content::Nothing;
        let answered = self
            .act(place.budget(), Method::DELETE, message.as_str(), nothing)
            .await;
        match answered {
            Ok(answered) => post::outcome(&answered, Some(message)).into_outcome(),
            Err(outcome) => outcome,
        }
    }

    async fn answer_press(&self, press: &str, text: &str) -> SendOutcome {
        // There is nothing to show on a button: the answer is a message in its chat.
        let person = press.split('/').next().unwrap_or_default();
        let to = Address {
            room: RoomId::new(self.account.name.clone(), person),
            thread: None,
            row: None,
        };
        let post = Post {
            text: text.to_owned(),
            ..Post::default()
        };
        self.post(&to, &post).await
    }

    fn greet_hook(&self, query: &[(String, String)]) -> Result<String, HookError> {
        let field = |name: &str| {
            let found = query.iter().find(|(key, _)| key == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let given = field("hub.verify_token").as_bytes();
        let is_right = bool::from(given.ct_eq(self.verify_token.expose().as_bytes()));
        let challenge = field("hub.challenge");
        let is_plain = challenge.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if field("hub.mode") == "subscribe" && is_right && is_plain && !challenge.is_empty() {
            Ok(challenge.to_owned())
        } else {
            Err(HookError::Forged)
        }
    }

    fn parse_hook(
        &self,
        headers: &[(String, Vec<u8>)],
        body: &Bytes,
    ) -> Result<Vec<Inbound>, HookError> {
        let header = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(sign::HEADER));
        let secret = &self.page.app_secret;
        if !header.is_some_and(|(_, value)| sign::is_signed(secret, value, body)) {
            return Err(HookError::Forged);
        }
        let pages = self.pages.of_app(secret);
        let ours = |account: &AccountName, id: &str| {
            let mut pages = pages.iter();
            pages.any(|page| page.account == *account && page.is_ours(id))
        };
        let reader = |id: Option<&str>| {
            let page = match id {
                Some(id) => pages.iter().find(|page| page.id == id)?,
                None => &self.page,
            };
            Some(parse::Reader {
                account: &page.account,
                page: &page.id,
                ours: &ours,
            })
        };
        let told = parse::call(&String::from_utf8_lossy(body), reader)
            .ok_or_else(|| HookError::Unreadable("it is no JSON with entries".to_owned()))?;
        for page in &pages {
            for inbound in &told.inbound {
                if let Inbound::Echo { room, message, .. } = inbound
                    && room.account == page.account
                {
                    page.note_our(message);
                }
            }
            let measures = told.measures.iter();
            for (_, measure) in measures.filter(|(account, _)| *account == page.account) {
                page.set_alarm(Some(&format!("Meta has taken a measure: {measure}")));
            }
        }
        self.note_strangers(told.strangers);
        Ok(told.inbound)
    }

    async fn name_of(&self, _room: &RoomId, person: &str) -> Option<String> {
        if !post::is_id(person) {
            return None;
        }
        let fields = [("fields", "first_name,last_name,name")];
        let answer = self.ask(person, &fields).await.ok()?;
        let answer = Object::read(&answer)?;
        answer.text("name").or_else(|| {
            let parts = ["last_name", "first_name"].map(|key| answer.text(key));
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        })
    }

    fn photo_address(&self, reference: &str) -> Option<Url> {
        media::address(reference, media::META, self.api.base())
    }

    fn alarm(&self) -> Option<String> {
        let alarm = self
            .page
            .alarm
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        alarm.clone()
    }

    fn strangers(&self) -> Vec<String> {
        let strangers = self.strangers.lock();
        let strangers = strangers.unwrap_or_else(PoisonError::into_inner);
        strangers.iter().cloned().collect()
    }
}
