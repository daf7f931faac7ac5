//! Alerts for everybody: the list as an Atom feed, and each version as CAP, as its card, as the words for the
//! loudspeakers. Only what rooms have been sent; a draft is nowhere here, nor that there is one.
//!
//! | address | form |
//! | --- | --- |
//! | `/api/alerts` | Atom feed of what is in force, and of what ended lately |
//! | `/api/alerts/7F3A9K-1.xml` | CAP 1.2 |
//! | `/api/alerts/7F3A9K-1.png` | the card |
//! | `/api/alerts/7F3A9K-1.jpg` | the photo that its author attached |
//! | `/api/alerts/7F3A9K-1.audio` | the recording that its author attached |
//! | `/api/alerts/7F3A9K-1.txt` | the words for the loudspeakers |
//! | `/api/alerts/7F3A9K.xml` … | the latest version |

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::cap;
use super::cap::Published;
use super::cap::Source;
use crate::domain::alert::Alert;
use crate::domain::area::AreaBook;
use crate::domain::clock::Time;
use crate::draw;
use crate::outbox::Cards;
use crate::say;
use crate::store::Cursor;
use crate::store::Store;
use crate::store::StoreError;

/// Versions stay in the feed so long after their end, so that who reads it once a day misses none.
const STAYS: TimeDelta = TimeDelta::hours(72);

/// A feed that was made is given again for this long: nobody can make us read the store all day.
const FRESH: Duration = Duration::from_secs(5);

/// Alerts read at a time.
const PAGE: usize = 200;

/// The name of a deployment that has no public address.
const NAMELESS: &str = "keng";

/// Makes the forms.
#[derive(Debug)]
pub struct Forms {
    store: Arc<dyn Store>,
    areas: Arc<AreaBook>,
    sender: String,
    base: Option<String>,
    cards: Arc<Cards>,
    feed: Mutex<Option<(Instant, Arc<Vec<u8>>)>>,
}

/// A form of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Its MIME type.
    pub kind: &'static str,
    /// It.
    pub bytes: Vec<u8>,
}

/// A form could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// The alert cannot be read.
    #[error("reading an alert")]
    Store(#[from] StoreError),
    /// The card cannot be drawn.
    #[error("drawing the card of an alert")]
    Card(#[from] draw::DrawError),
    /// The XML cannot be written.
    #[error("writing an alert as XML")]
    Xml(#[from] std::io::Error),
}

/// The address of the forms, ending in `/`, below the address at which the outside reaches us.
#[must_use]
pub fn base(public_url: &Url) -> String {
    format!("{}/api/alerts/", public_url.as_str().trim_end_matches('/'))
}

impl Forms {
    /// `public_url` is how the outside reaches this program; without it forms hold no addresses.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, areas: Arc<AreaBook>, public_url: Option<&Url>) -> Self {
        let host = public_url.and_then(Url::host_str);
        Self {
            store,
            areas,
            sender: host.unwrap_or(NAMELESS).to_owned(),
            base: public_url.map(base),
            cards: Arc::default(),
            feed: Mutex::default(),
        }
    }

    /// The same, with the files that officers attach.
    #[must_use]
    pub fn with_cards(self, cards: Arc<Cards>) -> Self {
        Self { cards, ..self }
    }

    /// The address of the forms, ending in `/`, where the outside reaches them.
    #[must_use]
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    fn source(&self) -> Source<'_> {
        Source {
            sender: &self.sender,
            base: self.base.as_deref(),
            areas: &self.areas,
        }
    }

    /// The feed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn feed(&self, now: Time) -> Result<Arc<Vec<u8>>, FormError> {
        // Held while it is made: who asks meanwhile gets the same.
        let mut kept = self.feed.lock().await;
        if let Some((made, feed)) = kept.as_ref()
            && made.elapsed() < FRESH
        {
            return Ok(Arc::clone(feed));
        }
        let mut recent: Vec<Alert> = Vec::new();
        let mut from = Some(Cursor::default());
        while let Some(cursor) = from {
            let (alerts, next) = self.store.scan_alerts(&cursor, PAGE).await?;
            let lately = |one: Published<'_>| now - one.expires() < STAYS;
            recent.extend(
                alerts
                    .into_iter()
                    .filter(|alert| cap::published(alert).any(lately)),
            );
            from = next;
        }
        let versions: Vec<Published<'_>> = recent.iter().flat_map(cap::published).collect();
        let feed = Arc::new(cap::feed(&versions, &self.source(), now)?);
        *kept = Some((Instant::now(), Arc::clone(&feed)));
        Ok(feed)
    }

    /// The form of this name, such as `7F3A9K-1.xml`. `None`: there is no such version, or nobody has been
    /// sent it yet.
    ///
    /// # Errors
    /// When the store cannot be read, or the form cannot be made.
    pub async fn form(&self, name: &str) -> Result<Option<Form>, FormError> {
        let Some((name, ending)) = name.rsplit_once('.') else {
            return Ok(None);
        };
        let Some((code, number)) = cap::parse_name(name) else {
            return Ok(None);
        };
        let Some(alert) = self.store.alert_by_code(&code).await? else {
            return Ok(None);
        };
        let version = match number {
            Some(number) => cap::published(&alert).find(|one| one.version.number == number),
            None => cap::published(&alert).last(),
        };
        let Some(one) = version else {
            return Ok(None);
        };
        let title = self.areas.title(&alert.area);
        Ok(Some(match ending {
            "xml" => Form {
                kind: "application/cap+xml; charset=utf-8",
                bytes: one.cap(&self.source())?,
            },
            "txt" => {
                let spoken = say::loudspeaker::spoken(&alert, one.version, &title);
                Form {
                    kind: "text/plain; charset=utf-8",
                    bytes: say::loudspeaker::sheet(&spoken).into_bytes(),
                }
            }
            "png" => {
                let card = say::card::card(&alert, one.version, &title);
                // It takes a core a while.
                let drawn = tokio::task::spawn_blocking(move || draw::card::png(&card)).await;
                Form {
                    kind: "image/png",
                    bytes: drawn.map_err(std::io::Error::other)??,
                }
            }
            "jpg" => match self.cards.photo(&alert, one.version).await {
                Some(photo) => Form {
                    kind: photo.kind.mime(),
                    bytes: photo.bytes,
                },
                None => return Ok(None),
            },
            "audio" => match self.cards.recording(&alert, one.version).await {
                Some(recording) => Form {
                    kind: recording.mime,
                    bytes: recording.bytes,
                },
                None => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }
}
