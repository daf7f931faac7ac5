//! The pictures of alerts: the photo that an officer attached, else the card of what is loud enough. Each is
//! fetched or drawn once for a version, whatever the number of accounts and rooms.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tracing::warn;

use crate::domain::alert::Alert;
use crate::domain::alert::Level;
use crate::domain::alert::Photo;
use crate::domain::alert::Version;
use crate::domain::delivery::Picture;
use crate::domain::delivery::PictureKind;
use crate::domain::ids::AlertId;
use crate::draw;
use crate::say;

/// More pictures are not kept in memory; a card has about a tenth of a megabyte, a photo rarely more than
/// half of one.
const MOST: usize = 16;

/// Where photos come from.
#[async_trait]
pub trait Photos: Send + Sync + fmt::Debug {
    /// The photo as a file; none when it cannot be had in time. What is known of why is in the log.
    async fn fetch(&self, photo: &Photo) -> Option<Vec<u8>>;
}

/// By alert and version; none where it could not be made.
type Drawn = HashMap<(AlertId, u32), Option<Arc<Picture>>>;

/// The pictures of all accounts.
#[derive(Debug, Default)]
pub struct Cards {
    from: Option<Level>,
    base: Option<String>,
    photos: Option<Arc<dyn Photos>>,
    drawn: Mutex<Drawn>,
}

impl Cards {
    /// Cards for alerts of this level and above; none: for no alert. `base` is the address, ending in `/`,
    /// under which the web serves pictures to platforms that fetch them.
    #[must_use]
    pub fn new(from: Option<Level>, base: Option<String>) -> Self {
        Self {
            from,
            base,
            photos: None,
            drawn: Mutex::default(),
        }
    }

    /// The same, with the photos that officers attach.
    #[must_use]
    pub fn with_photos(self, photos: Arc<dyn Photos>) -> Self {
        Self {
            photos: Some(photos),
            ..self
        }
    }

    /// The picture of an alert's latest version, where it shall have one. What cannot be fetched or drawn
    /// holds no alert up: a card goes in place of a photo, and the words go alone without a card.
    pub(super) async fn of(&self, alert: &Alert, area_title: &str) -> Option<Arc<Picture>> {
        // What shows a photo shows something else when it is corrected or over: the photo would stay.
        let shows = alert.versions.iter().any(|version| version.photo.is_some());
        if !shows && self.from.is_none_or(|from| alert.level < from) {
            return None;
        }
        let key = (alert.id, alert.version());
        // Held while it is made: who comes meanwhile gets the same.
        let mut drawn = self.drawn.lock().await;
        if let Some(card) = drawn.get(&key) {
            return card.clone();
        }
        let latest = alert.versions.latest();
        let picture = match self.photo(alert, latest).await {
            Some(photo) => Some(photo),
            None => self.card(alert, latest, area_title).await,
        };
        let picture = picture.map(Arc::new);
        if drawn.len() >= MOST {
            drawn.clear();
        }
        drawn.insert(key, picture.clone());
        picture
    }

    /// The photo of a version, if its author attached one.
    pub async fn photo(&self, alert: &Alert, version: &Version) -> Option<Picture> {
        let (photos, photo) = (self.photos.as_ref()?, version.photo.as_ref()?);
        let bytes = photos.fetch(photo).await?;
        let Some(kind) = PictureKind::of(&bytes) else {
            warn!(alert = %alert.id, "the photo of an alert is no JPEG and no PNG; its card goes instead");
            return None;
        };
        let name = format!("{}-{}", alert.code, version.number);
        Some(Picture {
            address: self.base.as_ref().map(|base| format!("{base}{name}.jpg")),
            name: format!("{name}-photo"),
            bytes,
            kind,
        })
    }

    async fn card(&self, alert: &Alert, version: &Version, area_title: &str) -> Option<Picture> {
        let card = say::card::card(alert, version, area_title);
        let made = tokio::task::spawn_blocking(move || draw::card::png(&card)).await;
        let made = made
            .map_err(|panicked| panicked.to_string())
            .and_then(|drawn| drawn.map_err(|error| error.to_string()));
        if let Err(error) = &made {
            warn!(alert = %alert.id, error, "an alert goes without its card");
        }
        let name = format!("{}-{}", alert.code, version.number);
        Some(Picture {
            bytes: made.ok()?,
            kind: PictureKind::Png,
            address: self.base.as_ref().map(|base| format!("{base}{name}.png")),
            name,
        })
    }
}
