//! The pictures of alerts: the photo that an officer attached, else the card of what is loud enough. Each is
//! fetched or drawn once for a version, whatever the number of accounts and rooms. Beside them, for the web
//! alone, what an officer recorded for the loudspeakers.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tracing::warn;

use crate::domain::alert::Alert;
use crate::domain::alert::Enclosure;
use crate::domain::alert::Level;
use crate::domain::alert::Version;
use crate::domain::delivery::Picture;
use crate::domain::delivery::PictureKind;
use crate::domain::ids::AlertId;
use crate::draw;
use crate::say;

/// More pictures are not kept in memory; a card has about a tenth of a megabyte, a photo rarely more than
/// half of one.
const MOST: usize = 16;

/// Where the files of officers come from.
#[async_trait]
pub trait Enclosures: Send + Sync + fmt::Debug {
    /// The file; none when it cannot be had in time. What is known of why is in the log.
    async fn fetch(&self, enclosure: &Enclosure) -> Option<Vec<u8>>;
}

/// A recording for the loudspeakers.
#[derive(Debug)]
pub struct Recording {
    /// Its MIME type, found by its first bytes.
    pub mime: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// By alert and version; none where it could not be made.
type Drawn = HashMap<(AlertId, u32), Option<Arc<Picture>>>;

/// The pictures of all accounts.
#[derive(Debug, Default)]
pub struct Cards {
    from: Option<Level>,
    base: Option<String>,
    enclosures: Option<Arc<dyn Enclosures>>,
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
            enclosures: None,
            drawn: Mutex::default(),
        }
    }

    /// The same, with the files that officers attach.
    #[must_use]
    pub fn with_enclosures(self, enclosures: Arc<dyn Enclosures>) -> Self {
        Self {
            enclosures: Some(enclosures),
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
        let bytes = self.fetch(version.photo.as_ref()).await?;
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

    /// The recording of a version, if its author attached one.
    pub async fn recording(&self, alert: &Alert, version: &Version) -> Option<Recording> {
        let bytes = self.fetch(version.recording.as_ref()).await?;
        let Some(mime) = mime_of_sound(&bytes) else {
            warn!(alert = %alert.id, "the recording of an alert is of no known kind; it is not served");
            return None;
        };
        Some(Recording { mime, bytes })
    }

    async fn fetch(&self, enclosure: Option<&Enclosure>) -> Option<Vec<u8>> {
        self.enclosures.as_ref()?.fetch(enclosure?).await
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

/// What a recording is, by its first bytes; none: nothing that people record. What is not sound is never
/// served: a page in place of it would stand under our own name.
fn mime_of_sound(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'O', b'g', b'g', b'S', ..] => Some("audio/ogg"),
        [b'f', b'L', b'a', b'C', ..] => Some("audio/flac"),
        [b'#', b'!', b'A', b'M', b'R', ..] => Some("audio/amr"),
        riff if riff.starts_with(b"RIFF") && riff.get(8..12) == Some(b"WAVE") => Some("audio/wav"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("audio/mp4"),
        [0xFF, second, ..] if second & 0xF6 == 0xF0 => Some("audio/aac"),
        [b'I', b'D', b'3', ..] => Some("audio/mpeg"),
        [0xFF, second, ..] if second & 0xE0 == 0xE0 => Some("audio/mpeg"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_known_by_its_first_bytes() {
        for (bytes, mime) in [
            (b"OggS\0\x02".as_slice(), Some("audio/ogg")),
            (b"ID3\x04", Some("audio/mpeg")),
            (b"\xff\xfb\x90\0", Some("audio/mpeg")),
            (b"\xff\xf1\x50\x80", Some("audio/aac")),
            (b"\xff\xf9\x50\x80", Some("audio/aac")),
            (b"\0\0\0\x20ftypM4A ", Some("audio/mp4")),
            (b"RIFF\x24\0\0\0WAVEfmt ", Some("audio/wav")),
            (b"RIFF\x24\0\0\0WEBPVP8 ", None),
            (b"#!AMR\n", Some("audio/amr")),
            (b"fLaC", Some("audio/flac")),
            (b"<html>", None),
            (b"\xff\xd8\xff\xe0", None),
            (b"", None),
        ] {
            assert_eq!(mime_of_sound(bytes), mime, "{bytes:?}");
        }
    }
}
