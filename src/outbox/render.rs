//! What a row says, at the moment at which it leaves.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::cards::Cards;
use super::split::split;
use crate::channel::Channel;
use crate::channel::Pictures;
use crate::channel::Pin;
use crate::domain::alert::Alert;
use crate::domain::alert::AlertState;
use crate::domain::alert::Tally;
use crate::domain::alert::VersionKind;
use crate::domain::area::AreaBook;
use crate::domain::clock::Time;
use crate::domain::delivery::Body;
use crate::domain::delivery::Button;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Follows;
use crate::domain::delivery::Picture;
use crate::domain::delivery::Pinned;
use crate::domain::delivery::Post;
use crate::domain::hand;
use crate::domain::hand::HandGroup;
use crate::domain::hand::HandGroups;
use crate::domain::ids::AccountName;
use crate::domain::ids::AlertId;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::say;
use crate::say::progress::Reached;
use crate::store::REPLACED;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::hands;
use crate::store::hands::ByHand;

/// How long an alert that was read is believed; a withdrawal stops the sending within this time.
const FRESH: Duration = Duration::from_secs(1);

/// People must have time to hear that an alert is over, also where the network was away.
const END_LASTS: TimeDelta = TimeDelta::days(1);

/// More alerts are not kept in memory.
const MOST: usize = 16;

/// What is to be done for a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rendered {
    /// Post these, in order.
    Posts(VecDeque<Post>),
    /// Put a message on top of its room, or take it down.
    Pin {
        /// Which.
        message: MessageId,
        /// What is done.
        pin: Pin,
    },
    /// Answer a press.
    Press {
        /// Which.
        press: String,
        /// With what.
        text: String,
    },
    /// Not yet: something that it rests on is still on its way.
    Later,
    /// Nothing: it is of no use any more, for this reason.
    Useless(String),
}

/// What a room has seen of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    /// This message, which tells this version.
    Message(MessageId, u32),
    /// It may stand there, and we do not know where.
    Somehow,
    /// Nothing.
    Never,
}

/// An alert, ready for the rooms.
#[derive(Debug)]
struct Sheet {
    version: u32,
    kind: VersionKind,
    state: AlertState,
    /// Until when the words are worth sending.
    until: Time,
    text: String,
    /// Its card, where it has one.
    card: Option<Arc<Picture>>,
    /// The texts of the versions before.
    earlier: Vec<(u32, String)>,
}

/// Whether a text needs no splitting.
fn fits(text: &str, most: usize) -> bool {
    text.encode_utf16().count() <= most
}

impl Sheet {
    fn earlier(&self, version: u32) -> Option<&str> {
        self.earlier
            .iter()
            .find(|(number, _)| *number == version)
            .map(|(_, text)| text.as_str())
    }
}

/// Finds the words.
#[derive(Debug)]
pub(super) struct Words {
    store: Arc<dyn Store>,
    areas: Arc<AreaBook>,
    channel: Arc<dyn Channel>,
    cards: Arc<Cards>,
    hands: Arc<HandGroups>,
    alerts: Mutex<HashMap<AlertId, (Arc<Sheet>, Instant)>>,
}

impl Words {
    pub(super) fn new(
        store: Arc<dyn Store>,
        areas: Arc<AreaBook>,
        channel: Arc<dyn Channel>,
        cards: Arc<Cards>,
        hands: Arc<HandGroups>,
    ) -> Self {
        Self {
            store,
            areas,
            channel,
            cards,
            hands,
            alerts: Mutex::default(),
        }
    }

    /// The words of rows that leave together, and until when the alert they carry is in force.
    pub(super) async fn render(
        &self,
        rows: &[Delivery],
        room: &RoomId,
        now: Time,
    ) -> Result<(Rendered, Option<Time>), StoreError> {
        let rendered = match rows {
            [] => Rendered::Useless("there is nothing to say".to_owned()),
            [row] => match &row.body {
                Body::Text(post) => Rendered::Posts(self.posts(room, post.clone())),
                Body::Receipt { reply_to, text, .. } => Rendered::Posts(self.posts(
                    room,
                    Post {
                        text: text.clone(),
                        reply_to: reply_to.clone(),
                        ..Post::default()
                    },
                )),
                Body::Alert {
                    alert,
                    version,
                    follows,
                } => {
                    return self.alert(*alert, *version, *follows, room, now).await;
                }
                Body::Progress { alert, edits } => self.progress(*alert, *edits, room).await?,
                Body::Pin { alert, of, pinned } => {
                    self.pin(*alert, *of, *pinned, room, now).await?
                }
                Body::PressAnswer { press, text } => Rendered::Press {
                    press: press.clone(),
                    text: text.clone(),
                },
            },
            several => {
                let cases: Vec<_> = several
                    .iter()
                    .filter_map(|row| match &row.body {
                        Body::Receipt { incident, asks, .. } => Some((*incident, *asks)),
                        _ => None,
                    })
                    .collect();
                Rendered::Posts(self.posts(
                    room,
                    Post {
                        text: say::receipt::folded(&cases),
                        ..Post::default()
                    },
                ))
            }
        };
        Ok((rendered, None))
    }

    /// As many posts as the platform needs: only the first answers or edits, only the last has buttons.
    fn posts(&self, room: &RoomId, mut post: Post) -> VecDeque<Post> {
        let can = self.channel.capabilities(room);
        let mut picture = post.picture.take();
        let apart = picture.take_if(|_| can.pictures == Pictures::Apart);
        let beside = picture
            .as_ref()
            .and_then(|picture| can.pictures.beside(picture));
        // Beside a picture there is less room. Words that do not fit go without it, in one message where
        // one will do; unless they replace a message, which may have one and would keep it.
        let most = match beside {
            Some(most) if fits(&post.text, most) => most,
            Some(most) if post.edits.is_some() && can.can_edit => most,
            _ => {
                picture = None;
                can.max_text
            }
        };
        let mut parts = split(&post.text, most);
        let buttons = std::mem::take(&mut post.buttons);
        let mut posts: VecDeque<Post> = parts
            .drain(..)
            .map(|text| Post {
                text,
                ..Post::default()
            })
            .collect();
        if let Some(first) = posts.front_mut() {
            first.reply_to = post.reply_to;
            first.edits = post.edits.filter(|_| can.can_edit);
            first.picture = picture;
        }
        if let Some(last) = posts.back_mut()
            && can.buttons
        {
            last.buttons = buttons;
        }
        // Before the words: their buttons are gone when something else follows them.
        if let Some(picture) = apart {
            posts.push_front(Post {
                picture: Some(picture),
                is_extra: true,
                ..Post::default()
            });
        }
        posts
    }

    async fn alert(
        &self,
        id: AlertId,
        version: u32,
        follows: Option<Follows>,
        room: &RoomId,
        now: Time,
    ) -> Result<(Rendered, Option<Time>), StoreError> {
        let Some(sheet) = self.sheet(id, version).await? else {
            return Ok((Rendered::Useless("the alert is gone".to_owned()), None));
        };
        let until = sheet.until;
        let useless = match sheet.state {
            AlertState::Draft | AlertState::Pending | AlertState::Dropped => {
                Some("the alert was never published")
            }
            AlertState::Expired => Some("the alert has expired"),
            AlertState::Live if now >= until => Some("the alert has expired"),
            // The end of an alert is told as a version of it.
            AlertState::Live | AlertState::AllClear | AlertState::Withdrawn => {
                (version != sheet.version).then_some(REPLACED)
            }
        };
        if let Some(why) = useless {
            return Ok((Rendered::Useless(why.to_owned()), Some(until)));
        }
        let seen = self.seen(id, follows).await?;
        let ends = matches!(sheet.state, AlertState::AllClear | AlertState::Withdrawn);
        if ends && seen == Seen::Never {
            let why = "the room never saw the alert";
            return Ok((Rendered::Useless(why.to_owned()), Some(until)));
        }
        if let Some(group) = self.hands.of(room) {
            let posts = self.by_hand(group, id, &sheet);
            return Ok((Rendered::Posts(posts), Some(until)));
        }
        let mut post = Post {
            text: sheet.text.clone(),
            picture: sheet.card.clone(),
            ..Post::default()
        };
        let mut below = None;
        if let Seen::Message(message, earlier) = seen {
            let can = self.channel.capabilities(room);
            let fits = |text: &str| split(text, can.max_text).len() == 1;
            // Of a long text only the first part could be changed, and the rest would go on saying it.
            let changes =
                can.can_edit && fits(&sheet.text) && sheet.earlier(earlier).is_some_and(fits);
            if changes {
                // Nobody is told that a post on a wall has changed: those who spoke below it are told
                // below it.
                below = can.is_wall.then(|| Post {
                    text: say::alert::changed_above(sheet.kind),
                    reply_to: Some(message.clone()),
                    is_extra: true,
                    ..Post::default()
                });
                post.edits = Some(message);
            } else {
                post.reply_to = Some(message);
            }
        }
        let mut posts = self.posts(room, post);
        posts.extend(below);
        Ok((Rendered::Posts(posts), Some(until)))
    }

    /// What is pinned is what the room was really told; and only while it holds.
    async fn pin(
        &self,
        alert: AlertId,
        of: Follows,
        pinned: Pinned,
        room: &RoomId,
        now: Time,
    ) -> Result<Rendered, StoreError> {
        let useless = |why: &str| Ok(Rendered::Useless(why.to_owned()));
        let later = match pinned {
            Pinned::Kept => None,
            Pinned::NoLonger { unless } => unless,
        };
        // A row is answered before its end is on record.
        for row in [Some(of), later].into_iter().flatten() {
            if self.store.followed(alert, row).await?.is_none() {
                return Ok(Rendered::Later);
            }
        }
        let message = match self.seen(alert, Some(of)).await? {
            // What is taken down may be what an earlier row told, when this one failed.
            Seen::Message(message, version) if version == of.version || pinned != Pinned::Kept => {
                message
            }
            Seen::Message(..) | Seen::Somehow | Seen::Never => {
                return useless("there is no message to pin");
            }
        };
        if self.hands.of(room).is_some() || !self.channel.capabilities(room).can_pin {
            return useless("nothing can be pinned there");
        }
        let pin = match pinned {
            Pinned::Kept => {
                let sheet = self.sheet(alert, of.version).await?;
                let holds = sheet.is_some_and(|sheet| {
                    sheet.state == AlertState::Live
                        && now < sheet.until
                        && sheet.version == of.version
                });
                if !holds {
                    return useless("the alert does not hold any more");
                }
                Pin::Set
            }
            Pinned::NoLonger { .. } => {
                if let Seen::Message(later, _) = self.seen(alert, later).await?
                    && later == message
                {
                    return useless("the message tells the new version now");
                }
                Pin::Unset
            }
        };
        Ok(Rendered::Pin { message, pin })
    }

    /// What somebody is asked to post, in a message of its own so that it can be copied whole; the picture
    /// goes with the request. A new version is a new message: a change in the old one would not be noticed.
    fn by_hand(&self, group: &HandGroup, alert: AlertId, sheet: &Sheet) -> VecDeque<Post> {
        let please = Post {
            text: say::hand::please(&group.name),
            picture: sheet.card.clone(),
            ..Post::default()
        };
        let words = Post {
            text: sheet.text.clone(),
            buttons: vec![vec![Button {
                label: say::hand::button(),
                data: format!(
                    "h:{alert}:{}:{}",
                    sheet.version,
                    group.id.native.trim_start_matches(hand::PREFIX)
                ),
            }]],
            ..Post::default()
        };
        let mut posts = self.posts(&group.admin, please);
        posts.extend(self.posts(&group.admin, words));
        posts
    }

    /// How many groups have an alert by hand: posted, and handed over in all.
    async fn hands(&self, alert: AlertId, version: u32) -> Result<(usize, usize), StoreError> {
        let (mut posted, mut all) = (0, 0);
        for group in &self.hands.0 {
            if let Some(hand) = hands::of(self.store.as_ref(), group, alert, version).await? {
                all += 1;
                posted += usize::from(hand == ByHand::Posted);
            }
        }
        Ok((posted, all))
    }

    /// What a room has seen of the alert before, along the rows that follow each other.
    async fn seen(&self, id: AlertId, mut follows: Option<Follows>) -> Result<Seen, StoreError> {
        while let Some(earlier) = follows {
            let Some(row) = self.store.followed(id, earlier).await? else {
                // It is still under way, so it may be there.
                return Ok(Seen::Somehow);
            };
            match row.state {
                DeliveryState::Sent {
                    message: Some(message),
                    ..
                } => return Ok(Seen::Message(message, earlier.version)),
                DeliveryState::Failed { .. } => {
                    follows = match row.body {
                        Body::Alert { follows, .. } => follows,
                        _ => None,
                    };
                }
                DeliveryState::Sent { message: None, .. }
                | DeliveryState::Unknown { .. }
                | DeliveryState::Waiting { .. }
                | DeliveryState::Sending { .. } => return Ok(Seen::Somehow),
            }
        }
        Ok(Seen::Never)
    }

    /// The alert as it stands; a row of a newer version than the one in memory shows that it is old.
    async fn sheet(&self, id: AlertId, version: u32) -> Result<Option<Arc<Sheet>>, StoreError> {
        let now = Instant::now();
        let known = self
            .alerts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .filter(|(sheet, read)| now < *read + FRESH && version <= sheet.version)
            .map(|(sheet, _)| Arc::clone(sheet));
        if known.is_some() {
            return Ok(known);
        }
        let Some(alert) = self.store.alert(id).await? else {
            return Ok(None);
        };
        let title = self.areas.title(&alert.area);
        let card = self.cards.of(&alert, &title).await;
        let latest = alert.versions.latest();
        let sheet = Arc::new(Sheet {
            version: latest.number,
            kind: latest.kind,
            state: alert.state,
            until: if latest.kind.ends() {
                latest.at + END_LASTS
            } else {
                alert.expires_at
            },
            text: say::alert::room_text(&alert, &title),
            earlier: alert
                .versions
                .iter()
                .filter(|version| version.number < latest.number)
                .map(|version| {
                    let text = say::alert::version_text(&alert, version, &title);
                    (version.number, text)
                })
                .collect(),
            card,
        });
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        if alerts.len() >= MOST {
            alerts.clear();
        }
        alerts.insert(id, (Arc::clone(&sheet), now));
        Ok(Some(sheet))
    }

    async fn progress(
        &self,
        id: AlertId,
        edits: Option<DeliveryId>,
        room: &RoomId,
    ) -> Result<Rendered, StoreError> {
        let Some(alert) = self.store.alert(id).await? else {
            return Ok(Rendered::Useless("the alert is gone".to_owned()));
        };
        let mut tally = self.store.tally(id, alert.version()).await?;
        // What is only with somebody who will post it has not reached anybody yet: it is counted apart.
        let (posted, by_hand) = self.hands(id, alert.version()).await?;
        let handed = u32::try_from(by_hand).unwrap_or(u32::MAX);
        tally.planned = tally.planned.saturating_sub(handed);
        tally.sent = tally.sent.saturating_sub(handed);
        let failures = self.store.failures(id, alert.version()).await?;
        let earlier = match edits {
            Some(row) => self.store.sent_message(row).await?,
            None => None,
        };
        // Without a message to change, only the last word is worth a new one.
        if edits.is_some() && earlier.is_none() && tally.waiting() > 0 {
            return Ok(Rendered::Useless(
                "there is no message to change".to_owned(),
            ));
        }
        let pace = self.pace(&alert, &tally).await?;
        let mut text = say::progress::report(&alert, &tally, &failures, &pace);
        if by_hand > 0 {
            text.push('\n');
            text.push_str(&say::hand::report(posted, by_hand));
        }
        // Where nothing can be changed, one more word is worth it only when everything is done.
        let can_edit = self.channel.capabilities(room).can_edit;
        if edits.is_some() && !can_edit && alert.reported && posted < by_hand {
            return Ok(Rendered::Useless(
                "the rest is still to be posted by hand".to_owned(),
            ));
        }
        Ok(Rendered::Posts(self.posts(
            room,
            Post {
                text,
                edits: earlier,
                ..Post::default()
            },
        )))
    }

    /// When the rooms of the latest version were reached, account by account; nothing while it is on its
    /// way. Read once for an alert, when all is done.
    async fn pace(&self, alert: &Alert, tally: &Tally) -> Result<Vec<Reached>, StoreError> {
        if tally.waiting() > 0 {
            return Ok(Vec::new());
        }
        let latest = alert.versions.latest();
        let mut reached: BTreeMap<AccountName, Time> = BTreeMap::new();
        for row in self.store.alert_rows(alert.id).await? {
            if let (Body::Alert { version, .. }, DeliveryState::Sent { at, .. }) =
                (row.body, row.state)
                && version == latest.number
            {
                let last = reached.entry(row.room.account).or_insert(at);
                *last = at.max(*last);
            }
        }
        Ok(reached
            .into_iter()
            .map(|(account, last)| Reached {
                account: account.to_string(),
                took: last - latest.at,
                last,
            })
            .collect())
    }
}
