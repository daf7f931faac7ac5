//! What a row says, at the moment at which it leaves.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use super::cards::Cards;
use super::split::split;
use crate::channel::Channel;
use crate::domain::alert::AlertState;
use crate::domain::area::AreaBook;
use crate::domain::clock::Time;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::Picture;
use crate::domain::delivery::Post;
use crate::domain::ids::AlertId;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::RoomId;
use crate::say;
use crate::store::Store;
use crate::store::StoreError;

/// How long an alert that was read is believed; a withdrawal stops the sending within this time.
const FRESH: Duration = Duration::from_secs(1);

/// More alerts are not kept in memory.
const MOST: usize = 16;

/// What is to be done for a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rendered {
    /// Post these, in order.
    Posts(VecDeque<Post>),
    /// Answer a press.
    Press {
        /// Which.
        press: String,
        /// With what.
        text: String,
    },
    /// Nothing: it is of no use any more, for this reason.
    Useless(String),
}

/// An alert, ready for the rooms.
#[derive(Debug)]
struct Sheet {
    version: u32,
    state: AlertState,
    expires_at: Time,
    text: String,
    /// Its card, where it has one.
    card: Option<Arc<Picture>>,
}

/// Whether a text needs no splitting.
fn fits(text: &str, most: usize) -> bool {
    text.encode_utf16().count() <= most
}

/// Finds the words.
#[derive(Debug)]
pub(super) struct Words {
    store: Arc<dyn Store>,
    areas: Arc<AreaBook>,
    channel: Arc<dyn Channel>,
    cards: Arc<Cards>,
    alerts: Mutex<HashMap<AlertId, (Arc<Sheet>, Instant)>>,
}

impl Words {
    pub(super) fn new(
        store: Arc<dyn Store>,
        areas: Arc<AreaBook>,
        channel: Arc<dyn Channel>,
        cards: Arc<Cards>,
    ) -> Self {
        Self {
            store,
            areas,
            channel,
            cards,
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
                Body::Text(post) => self.posts(room, post.clone()),
                Body::Receipt { reply_to, text, .. } => self.posts(
                    room,
                    Post {
                        text: text.clone(),
                        reply_to: reply_to.clone(),
                        ..Post::default()
                    },
                ),
                Body::Alert { alert, version, .. } => {
                    return self.alert(*alert, *version, room, now).await;
                }
                Body::Progress { alert, edits } => self.progress(*alert, *edits, room).await?,
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
                self.posts(
                    room,
                    Post {
                        text: say::receipt::folded(&cases),
                        ..Post::default()
                    },
                )
            }
        };
        Ok((rendered, None))
    }

    /// As many posts as the platform needs: only the first answers or edits, only the last has buttons.
    fn posts(&self, room: &RoomId, mut post: Post) -> Rendered {
        let can = self.channel.capabilities(room);
        let mut picture = post.picture.take();
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
        Rendered::Posts(posts)
    }

    async fn alert(
        &self,
        id: AlertId,
        version: u32,
        room: &RoomId,
        now: Time,
    ) -> Result<(Rendered, Option<Time>), StoreError> {
        let Some(sheet) = self.sheet(id).await? else {
            return Ok((Rendered::Useless("the alert is gone".to_owned()), None));
        };
        let useless = match sheet.state {
            AlertState::Draft | AlertState::Pending | AlertState::Dropped => {
                Some("the alert was never published")
            }
            AlertState::Expired => Some("the alert has expired"),
            AlertState::Live if now >= sheet.expires_at => Some("the alert has expired"),
            // The end of an alert is told as a version of it.
            AlertState::Live | AlertState::AllClear | AlertState::Withdrawn => {
                (version != sheet.version).then_some("a newer version of the alert replaced it")
            }
        };
        let rendered = match useless {
            Some(why) => Rendered::Useless(why.to_owned()),
            None => self.posts(
                room,
                Post {
                    text: sheet.text.clone(),
                    picture: sheet.card.clone(),
                    ..Post::default()
                },
            ),
        };
        Ok((rendered, Some(sheet.expires_at)))
    }

    async fn sheet(&self, id: AlertId) -> Result<Option<Arc<Sheet>>, StoreError> {
        let now = Instant::now();
        let known = self
            .alerts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .filter(|(_, read)| now < *read + FRESH)
            .map(|(sheet, _)| Arc::clone(sheet));
        if known.is_some() {
            return Ok(known);
        }
        let Some(alert) = self.store.alert(id).await? else {
            return Ok(None);
        };
        let title = self.areas.title(&alert.area);
        let text = say::alert::room_text(&alert, &title);
        let card = self.cards.of(&alert, &title).await;
        let sheet = Arc::new(Sheet {
            version: alert.version(),
            state: alert.state,
            expires_at: alert.expires_at,
            text,
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
        let tally = self.store.tally(id, alert.version()).await?;
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
        Ok(self.posts(
            room,
            Post {
                text: say::progress::report(&alert, &tally, &failures),
                edits: earlier,
                ..Post::default()
            },
        ))
    }
}
