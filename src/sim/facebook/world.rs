//! The make-believe world: people, a wall with comments, chats, templates, and what is due to be told.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::Options;
use crate::sim::scene::{Button, Scene, Watcher, What};
use crate::sim::weather::{Bad, Trouble, Weather};

/// A webhook that failed is called again so soon, then later and later.
const FIRST_RETRY_MS: u64 = 1_000;

/// After so long of failing nothing is told any more.
const GIVE_UP_MS: u64 = 3_600_000;

/// How long a comment may be answered in private.
const PRIVATE_REPLY_MS: u64 = 7 * 86_400_000;

/// How long a person may be written to after their last word.
const WINDOW_MS: u64 = 86_400_000;

/// Somebody with a Facebook account, under the id by which the Page knows them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Person {
    /// The page-scoped id.
    pub id: Arc<str>,
}

/// Where the Page said something.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A post on its wall.
    Wall,
    /// A comment under a post or another comment.
    Under(String),
    /// A message to somebody, by their id.
    Chat(Arc<str>),
}

/// A picture that the Page has given to Facebook.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its id.
    pub id: String,
    /// The file; empty where it was named by its address.
    pub content: Bytes,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}, {} bytes)", self.id, self.content.len())
    }
}

/// Something that the Page said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Where.
    pub place: Place,
    /// Its id.
    pub id: String,
    /// The words, as they stand now.
    pub text: String,
    /// The post under which it is, for comments.
    pub post: Option<String>,
    /// The comment or post whose author was answered alone.
    pub aside_of: Option<String>,
    /// Labels and payloads of quick replies.
    pub buttons: Vec<(String, String)>,
    /// The utility template by which it was sent.
    pub template: Option<String>,
    /// The picture that is shown with it, as it stands now.
    pub picture: Option<Picture>,
    /// What comes back in its echo.
    pub metadata: Option<String>,
    /// It was changed since.
    pub edited: bool,
    /// It was taken away.
    pub deleted: bool,
    /// When the request was here.
    pub at: Instant,
}

impl Sent {
    /// The payload of the button with this label.
    #[must_use]
    pub fn button(&self, label: &str) -> Option<&str> {
        let mut all = self.buttons.iter();
        let found = all.find(|(title, _)| title.contains(label))?;
        Some(&found.1)
    }
}

/// What sources contradict each other about, or leave open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switches {
    /// The people who write on the wall are withheld.
    pub nameless: bool,
    /// Ids stand as numbers in webhooks where they fit.
    pub numbers: bool,
    /// Times of the wall in milliseconds, those of messages in seconds.
    pub units_swapped: bool,
    /// Slashes are escaped in webhooks.
    pub slashes: bool,
    /// Every webhook comes twice.
    pub repeats: bool,
    /// The Page's own words are told.
    pub echoes: bool,
    /// They are told so much later, in milliseconds of the town's clock.
    pub echo_late_ms: u64,
    /// The newest change is told first.
    pub backwards: bool,
    /// The most changes in one call.
    pub batch: usize,
    /// Calls without a proof are refused.
    pub needs_proof: bool,
    /// Percent of the hour's calls used, as the headers tell: wall and Messenger.
    pub usage: (u64, u64),
    /// Updates answer `"true"` in quotes.
    pub quoted_success: bool,
    /// A post whose words are changed keeps the picture that it had.
    pub keeps_pictures: bool,
    /// Messages a second.
    pub per_second: usize,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            nameless: false,
            numbers: false,
            units_swapped: false,
            slashes: false,
            repeats: false,
            echoes: true,
            echo_late_ms: 0,
            backwards: false,
            batch: 1_000,
            needs_proof: true,
            usage: (1, 1),
            quoted_success: false,
            keeps_pictures: false,
            per_second: 300,
        }
    }
}

/// One thing that goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This code and subcode; nothing is done.
    Error(i64, i64),
    /// The same although the call was carried out.
    ErrorAfter(i64, i64),
    /// A page in HTML with this status; nothing is done.
    Html(u16),
    /// The same although the call was carried out.
    HtmlAfter(u16),
    /// The connection ends before anything is done.
    CloseBefore,
    /// The call is carried out, then the connection ends without an answer.
    CloseAfter,
    /// Status 200 with these bytes; nothing is done.
    Body(Vec<u8>),
}

impl Fault {
    pub(super) fn is_after(&self) -> bool {
        matches!(
            self,
            Self::ErrorAfter(..) | Self::HtmlAfter(_) | Self::CloseAfter
        )
    }
}

/// Which calls meet a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The end of a path such as `/feed`; `*` for all.
    pub path: String,
    /// After this many it is gone; `None` keeps it.
    pub times: Option<u64>,
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
    /// Changes and messages that wait to be told, or are being told.
    pub pending: usize,
    /// Calls of the webhook that were answered well in time.
    pub taken: u64,
    /// Calls that were not.
    pub failed: u64,
    /// Webhooks that were given up.
    pub lost: u64,
    /// Calls of the Graph API.
    pub calls: u64,
    /// Messages, posts and comments of the Page.
    pub posted: u64,
}

/// One thing to be told.
#[derive(Debug, Clone)]
pub(super) struct News {
    /// A change of the wall; else a message.
    pub(super) is_change: bool,
    pub(super) value: Value,
    pub(super) due_ms: u64,
}

/// A call of the webhook, ready or failed before.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) body: Vec<u8>,
    pub(super) signature: String,
    pub(super) due_ms: u64,
    pub(super) tries: u32,
    pub(super) first_ms: u64,
    pub(super) count: usize,
}

#[derive(Debug, Clone)]
struct Somebody {
    name: String,
    /// When they last did something in the chat that counts as a word.
    wrote_ms: Option<u64>,
}

/// A post or a comment.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) author: Option<Arc<str>>,
    /// The post itself, or the post under which the comment is.
    pub(super) post: String,
    /// The comment or post that it answers.
    pub(super) parent: Option<String>,
    pub(super) text: String,
    pub(super) created_ms: u64,
    pub(super) deleted: bool,
    pub(super) hidden: bool,
    pub(super) answered_aside: bool,
    pub(super) picture: Option<Picture>,
}

/// A utility template.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) language: String,
    pub(super) body: String,
}

impl Template {
    /// How many gaps the body has.
    pub(super) fn gaps(&self) -> usize {
        (1..)
            .take_while(|n| self.body.contains(&format!("{{{{{n}}}}}")))
            .count()
    }
}

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) options: Options,
    pub(super) switches: Switches,
    pub(super) ahead: Duration,
    started: Instant,
    started_ms: u64,
    dice: u64,
    people: BTreeMap<Arc<str>, Somebody>,
    pub(super) nodes: HashMap<String, Node>,
    /// Posts, oldest first.
    pub(super) posts: Vec<String>,
    pub(super) sent: Vec<Sent>,
    /// Photos that are not published, and attachments for messages, by id.
    pub(super) photos: HashMap<String, Picture>,
    pub(super) attachments: HashMap<String, Picture>,
    pub(super) templates: Vec<Template>,
    pub(super) subscribed: HashSet<String>,
    pub(super) calls: Vec<super::Call>,
    pub(super) news: VecDeque<News>,
    pub(super) retries: VecDeque<Call>,
    pub(super) webhook: Option<String>,
    pub(super) verified: bool,
    pub(super) rules: Vec<Rule>,
    pub(super) watcher: Watcher,
    pub(super) weather: Weather,
    pub(super) stats: Stats,
    sends: VecDeque<Instant>,
}

/// An error of the Graph API.
pub(super) type Failure = (i64, i64, &'static str);

impl World {
    pub(super) fn new(options: &Options) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the town is outside the program")]
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            switches: options.switches.clone(),
            options: options.clone(),
            ahead: Duration::ZERO,
            started: Instant::now(),
            started_ms: u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(0),
            dice: options.seed,
            people: BTreeMap::new(),
            nodes: HashMap::new(),
            posts: Vec::new(),
            sent: Vec::new(),
            photos: HashMap::new(),
            attachments: HashMap::new(),
            templates: Vec::new(),
            subscribed: HashSet::new(),
            calls: Vec::new(),
            news: VecDeque::new(),
            retries: VecDeque::new(),
            webhook: None,
            verified: false,
            rules: Vec::new(),
            watcher: Watcher::default(),
            weather: Weather::new(options.seed),
            stats: Stats::default(),
            sends: VecDeque::new(),
        }
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

    /// Digits above 2^53, so that whoever reads ids as fractions mixes them up.
    pub(super) fn number(&mut self) -> String {
        (1_u64 << 60 | self.roll() >> 4).to_string()
    }

    pub(super) fn mid(&mut self) -> String {
        format!("m_{:016x}{:016x}", self.roll(), self.roll())
    }

    pub(super) fn now_ms(&self) -> u64 {
        let since = self.started.elapsed() + self.ahead;
        self.started_ms + u64::try_from(since.as_millis()).unwrap_or(u64::MAX / 4)
    }

    // Calls -----------------------------------------------------------------

    pub(super) fn meet(&mut self, path: &str) -> Option<Fault> {
        let posts = ["/feed", "/photos", "/comments", "/messages"];
        let posts = posts.iter().any(|end| path.ends_with(end));
        if let Some(bad) = self.weather.meet(posts) {
            return Some(match bad {
                Bad::TooMany => Fault::Error(613, 0),
                Bad::LostAnswer => Fault::CloseAfter,
                Bad::Token => Fault::Error(190, 463),
                Bad::Outage => Fault::CloseBefore,
            });
        }
        let rules = &mut self.rules;
        let index = rules
            .iter()
            .position(|rule| rule.path == "*" || path.ends_with(&rule.path))?;
        let rule = rules.get_mut(index)?;
        let fault = rule.fault.clone();
        if let Some(times) = &mut rule.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                rules.remove(index);
            }
        }
        Some(fault)
    }

    /// Whether one more message may leave in this second.
    pub(super) fn may_send(&mut self, now: Instant) -> bool {
        while self
            .sends
            .front()
            .is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1))
        {
            self.sends.pop_front();
        }
        let fits = self.sends.len() < self.switches.per_second;
        if fits {
            self.sends.push_back(now);
        }
        fits
    }

    // People ----------------------------------------------------------------

    pub(super) fn add_person(&mut self, name: &str) -> Person {
        let id: Arc<str> = self.number().into();
        self.people.insert(
            Arc::clone(&id),
            Somebody {
                name: name.to_owned(),
                wrote_ms: None,
            },
        );
        Person { id }
    }

    pub(super) fn name_of(&self, id: &str) -> Option<&str> {
        self.people.get(id).map(|person| person.name.as_str())
    }

    /// Keeps a picture that nobody sees yet; its id.
    pub(super) fn keep(&mut self, content: Bytes, for_messages: bool) -> String {
        let id = self.number();
        let picture = Picture {
            id: id.clone(),
            content,
        };
        let all = if for_messages {
            &mut self.attachments
        } else {
            &mut self.photos
        };
        all.insert(id.clone(), picture);
        id
    }

    /// Whether somebody can be written to freely now.
    pub(super) fn is_open(&self, id: &str) -> Option<bool> {
        let person = self.people.get(id)?;
        let now = self.now_ms();
        Some(person.wrote_ms.is_some_and(|wrote| now < wrote + WINDOW_MS))
    }

    // The wall --------------------------------------------------------------

    /// The node that an id names, with or without the part before the underscore.
    pub(super) fn node(&self, id: &str) -> Option<(&String, &Node)> {
        let last = id.rsplit('_').next();
        self.nodes.get_key_value(id).or_else(|| {
            let mut all = self.nodes.iter();
            all.find(|(known, _)| known.rsplit('_').next() == last)
        })
    }

    fn add_node(&mut self, author: Option<&Arc<str>>, parent: Option<&str>, text: &str) -> String {
        let number = self.number();
        let (id, post) = match parent.and_then(|parent| self.node(parent)) {
            Some((_, parent)) => {
                let post = parent.post.clone();
                let short = post.rsplit('_').next().unwrap_or(&post).to_owned();
                (format!("{short}_{number}"), post)
            }
            None => {
                let id = format!("{}_{number}", self.options.page_id);
                self.posts.push(id.clone());
                (id.clone(), id)
            }
        };
        let created_ms = self.now_ms();
        self.nodes.insert(
            id.clone(),
            Node {
                author: author.map(Arc::clone),
                post,
                parent: parent.map(str::to_owned),
                text: text.to_owned(),
                created_ms,
                deleted: false,
                hidden: false,
                answered_aside: false,
                picture: None,
            },
        );
        id
    }

    /// Somebody writes under a post or comment, or a post of their own.
    pub(super) fn write(&mut self, person: &Arc<str>, parent: Option<&str>, text: &str) -> String {
        // Answers to answers hang under the first comment.
        let parent = parent.map(|parent| self.top_of(parent));
        let id = self.add_node(Some(person), parent.as_deref(), text);
        self.show_node(&id, What::Wrote);
        self.tell_node(&id, "add");
        id
    }

    fn top_of(&self, parent: &str) -> String {
        match self.node(parent) {
            Some((_, node)) => match &node.parent {
                Some(above) if *above != node.post => above.clone(),
                _ => parent.to_owned(),
            },
            None => parent.to_owned(),
        }
    }

    /// The words of a comment or post are changed by whoever wrote them.
    pub(super) fn rewrite(&mut self, id: &str, text: &str) {
        let is_post = self.posts.iter().any(|post| post == id);
        if let Some(node) = self.nodes.get_mut(id) {
            text.clone_into(&mut node.text);
            self.show_node(id, What::Edited);
            self.tell_node(id, if is_post { "edit" } else { "edited" });
        }
    }

    /// A comment or post is taken away.
    pub(super) fn take_away(&mut self, id: &str) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.deleted = true;
            self.show_node(id, What::Removed);
            self.tell_node(id, "remove");
        }
        let sent = self.sent.iter_mut().find(|sent| sent.id == id);
        if let Some(sent) = sent {
            sent.deleted = true;
        }
    }

    /// The Page posts or comments.
    pub(super) fn post(
        &mut self,
        parent: Option<&str>,
        text: &str,
        picture: Option<Picture>,
        at: Instant,
    ) -> String {
        let above = parent.map(|parent| self.top_of(parent));
        let id = self.add_node(None, above.as_deref(), text);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.picture.clone_from(&picture);
        }
        self.show_node(&id, What::Wrote);
        self.sent.push(Sent {
            place: parent.map_or(Place::Wall, |parent| Place::Under(parent.to_owned())),
            post: self.nodes.get(&id).map(|node| node.post.clone()),
            id: id.clone(),
            text: text.to_owned(),
            aside_of: None,
            buttons: Vec::new(),
            template: None,
            picture,
            metadata: None,
            edited: false,
            deleted: false,
            at,
        });
        self.stats.posted += 1;
        self.tell_node(&id, "add");
        id
    }

    /// The Page changes its own words, and what is shown with them.
    pub(super) fn edit(&mut self, id: &str, text: &str, picture: Option<Picture>) {
        let picture = picture.filter(|_| !self.switches.keeps_pictures);
        if let Some(sent) = self.sent.iter_mut().find(|sent| sent.id == id) {
            text.clone_into(&mut sent.text);
            sent.edited = true;
            if picture.is_some() {
                sent.picture.clone_from(&picture);
            }
        }
        if let Some(node) = self.nodes.get_mut(id).filter(|_| picture.is_some()) {
            node.picture = picture;
        }
        self.rewrite(id, text);
    }

    fn tell_node(&mut self, id: &str, verb: &str) {
        let Some(node) = self.nodes.get(id).cloned() else {
            return;
        };
        let is_own = node.author.is_none();
        if is_own && !self.switches.echoes {
            return;
        }
        let is_comment = node.parent.is_some();
        let seconds = if self.switches.units_swapped {
            node.created_ms
        } else {
            node.created_ms / 1000
        };
        let item = match (is_comment, is_own) {
            (true, _) => "comment",
            (false, true) if node.picture.is_some() => "photo",
            (false, true) => "status",
            (false, false) => "post",
        };
        let mut value =
            json!({"item": item, "verb": verb, "post_id": node.post, "created_time": seconds});
        if is_comment {
            value["comment_id"] = id.into();
            value["parent_id"] = node.parent.clone().unwrap_or_default().into();
        }
        if verb != "remove" {
            value["message"] = node.text.as_str().into();
            if let Some(picture) = &node.picture {
                value["photo_id"] = picture.id.as_str().into();
                value["link"] = format!("https://scontent.fbcdn.net/{}.png", picture.id).into();
            }
        }
        match &node.author {
            None => {
                value["from"] = json!({"id": self.options.page_id, "name": self.options.page_name})
            }
            Some(_) if self.switches.nameless => {}
            Some(person) => {
                value["from"] = json!({"id": &**person, "name": self.name_of(person)});
            }
        }
        let late = if is_own {
            self.switches.echo_late_ms
        } else {
            0
        };
        self.tell(true, value, late);
    }

    // Chats -----------------------------------------------------------------

    fn event(&self, from: &str, to: &str, more: Value) -> Value {
        let now = self.now_ms();
        let at = if self.switches.units_swapped {
            now / 1000
        } else {
            now
        };
        let mut event = json!({"sender": {"id": from}, "recipient": {"id": to}, "timestamp": at});
        if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
            event.extend(more);
        }
        event
    }

    /// Somebody does something in their chat; with `opens` it counts as a word.
    pub(super) fn happens(&mut self, person: &Arc<str>, more: Value, opens: bool) {
        let now = self.now_ms();
        if let Some(somebody) = self.people.get_mut(person).filter(|_| opens) {
            somebody.wrote_ms = Some(now);
        }
        let page = self.options.page_id.clone();
        let event = self.event(person, &page, more);
        self.tell(false, event, 0);
    }

    pub(super) fn say(&mut self, person: &Arc<str>, text: &str, answers: Option<&str>) -> String {
        let mid = self.mid();
        let mut message = json!({"mid": mid, "text": text});
        if let Some(answers) = answers {
            message["reply_to"] = json!({"mid": answers, "is_self_reply": false});
        }
        self.show_message(person, Some(person), &mid, answers, text, &[]);
        self.happens(person, json!({ "message": message }), true);
        mid
    }

    /// The Page writes to somebody.
    pub(super) fn message(&mut self, mut sent: Sent) -> String {
        let Place::Chat(person) = sent.place.clone() else {
            return String::new();
        };
        sent.id = self.mid();
        let mid = sent.id.clone();
        self.show_message(&person, None, &mid, None, &sent.text, &sent.buttons);
        self.stats.posted += 1;
        if self.switches.echoes {
            let mut message = json!({"is_echo": true, "app_id": 1_517_776_481_860_111_u64, "mid": mid, "text": sent.text});
            if sent.picture.is_some() {
                message["attachments"] = json!([{"type": "image", "payload": {"url": "https://scontent.fbcdn.net/a.png"}}]);
            }
            if let Some(metadata) = &sent.metadata {
                message["metadata"] = metadata.as_str().into();
            }
            let event = self.event(
                &self.options.page_id,
                &person,
                json!({ "message": message }),
            );
            self.tell(false, event, self.switches.echo_late_ms);
        }
        self.sent.push(sent);
        mid
    }

    /// Whose chat a private answer to a comment or post reaches, if it is still allowed.
    pub(super) fn answer_aside(&mut self, id: &str) -> Result<Arc<str>, Failure> {
        let now = self.now_ms();
        let found = self.node(id).map(|(id, _)| id.clone());
        let node = found.and_then(|id| self.nodes.get_mut(&id));
        let Some(node) = node.filter(|node| !node.deleted) else {
            return Err((100, 33, "Object does not exist or cannot be loaded"));
        };
        let Some(author) = node.author.clone() else {
            return Err((10_903, 0, "This user cant reply to this activity"));
        };
        if node.answered_aside {
            return Err((10_900, 0, "Activity already replied to"));
        }
        if now >= node.created_ms + PRIVATE_REPLY_MS {
            return Err((10_903, 0, "This user cant reply to this activity"));
        }
        node.answered_aside = true;
        Ok(author)
    }

    fn show_node(&self, id: &str, what: What) {
        let Some(node) = self.nodes.get(id) else {
            return;
        };
        self.watcher.show(|| Scene {
            chat: self.options.page_id.clone(),
            person: node.author.as_deref().map(str::to_owned),
            who: node
                .author
                .as_deref()
                .and_then(|who| self.name_of(who))
                .map(str::to_owned),
            message: id.to_owned(),
            reply_to: node.parent.clone(),
            text: node.text.clone(),
            buttons: Vec::new(),
            picture: false,
            what,
        });
    }

    fn show_message(
        &self,
        chat: &str,
        who: Option<&str>,
        mid: &str,
        answers: Option<&str>,
        text: &str,
        buttons: &[(String, String)],
    ) {
        self.watcher.show(|| Scene {
            chat: chat.to_owned(),
            person: who.map(str::to_owned),
            who: who.and_then(|who| self.name_of(who)).map(str::to_owned),
            message: mid.to_owned(),
            reply_to: answers.map(str::to_owned),
            text: text.to_owned(),
            buttons: buttons
                .iter()
                .map(|(label, data)| Button {
                    label: label.clone(),
                    data: data.clone(),
                })
                .collect(),
            picture: false,
            what: What::Wrote,
        });
    }

    // Webhooks --------------------------------------------------------------

    fn tell(&mut self, is_change: bool, mut value: Value, late_ms: u64) {
        if self.switches.numbers {
            numbers(&mut value);
        }
        let news = News {
            is_change,
            value,
            due_ms: self.now_ms() + late_ms + self.weather.held_back_ms(),
        };
        for _ in 1..self.weather.times() + usize::from(self.switches.repeats) {
            self.news.push_back(news.clone());
        }
        if self.switches.backwards {
            self.news.push_front(news);
        } else {
            self.news.push_back(news);
        }
    }

    /// The next call of the webhook that is due, and when there will be one.
    pub(super) fn next_call(&mut self) -> (Option<Call>, Option<u64>) {
        if self.weather.is(Trouble::Outage) {
            return (None, None);
        }
        let now = self.now_ms();
        let again = self.retries.iter().position(|call| call.due_ms <= now);
        if let Some(call) = again.and_then(|at| self.retries.remove(at)) {
            return (Some(call), None);
        }
        let mut changes = Vec::new();
        let mut messages = Vec::new();
        let mut rest = VecDeque::new();
        for news in std::mem::take(&mut self.news) {
            let is_full = changes.len() + messages.len() >= self.switches.batch;
            if is_full || news.due_ms > now {
                rest.push_back(news);
            } else if news.is_change {
                changes.push(json!({"field": "feed", "value": news.value}));
            } else {
                messages.push(news.value);
            }
        }
        self.news = rest;
        let count = changes.len() + messages.len();
        if count == 0 {
            let news = self.news.iter().map(|news| news.due_ms);
            let retries = self.retries.iter().map(|call| call.due_ms);
            return (None, news.chain(retries).min());
        }
        let page = self.options.page_id.clone();
        let mut entries = Vec::new();
        if !changes.is_empty() {
            entries.push(json!({"id": page, "time": now / 1000, "changes": changes}));
        }
        for message in messages {
            // One message in an entry, always.
            entries.push(json!({"id": page, "time": now, "messaging": [message]}));
        }
        let body = json!({"object": "page", "entry": entries}).to_string();
        let mut call = self.sign(escaped(&body, self.switches.slashes).into_bytes());
        call.count = count;
        (Some(call), None)
    }

    /// A call with these bytes.
    pub(super) fn sign(&self, body: Vec<u8>) -> Call {
        let now = self.now_ms();
        Call {
            signature: signature(&self.options.app_secret, &body),
            body,
            due_ms: now,
            tries: 0,
            first_ms: now,
            count: 1,
        }
    }

    /// A call failed: it comes again, or nothing is told any more.
    pub(super) fn missed(&mut self, mut call: Call) {
        self.stats.failed += 1;
        let now = self.now_ms();
        if now >= call.first_ms + GIVE_UP_MS {
            self.stats.lost += 1;
            self.webhook = None;
            return;
        }
        call.due_ms = now + (FIRST_RETRY_MS << call.tries.min(8));
        call.tries += 1;
        self.retries.push_back(call);
    }
}

/// Everything that is not ASCII as Meta writes it, and slashes where it does.
pub(super) fn escaped(json: &str, slashes: bool) -> String {
    let mut out = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '/' if slashes => out.push_str("\\/"),
            letter if letter.is_ascii() => out.push(letter),
            letter => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}

/// The signature of these bytes, as the header has it.
pub(super) fn signature(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", mac(secret, body))
}

/// HMAC-SHA256 in hex.
pub(super) fn mac(secret: &str, message: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(message);
    let sum = mac.finalize().into_bytes();
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Ids lose their quotes, where they are digits.
fn numbers(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str().and_then(|text| text.parse::<u64>().ok()) {
                    Some(number) if key == "id" => *value = number.into(),
                    _ => numbers(value),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(numbers),
        _ => {}
    }
}
