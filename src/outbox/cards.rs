//! Which alerts go with a card, and the cards that are drawn already: one for a version, whatever the number
//! of accounts and rooms.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use tracing::warn;

use crate::domain::alert::Alert;
use crate::domain::alert::Level;
use crate::domain::delivery::Picture;
use crate::domain::ids::AlertId;
use crate::draw;
use crate::say;

/// More cards are not kept in memory; each has about a tenth of a megabyte.
const MOST: usize = 16;

/// By alert and version; none where it could not be drawn.
type Drawn = HashMap<(AlertId, u32), Option<Arc<Picture>>>;

/// The cards of all accounts.
#[derive(Debug, Default)]
pub struct Cards {
    from: Option<Level>,
    base: Option<String>,
    drawn: Mutex<Drawn>,
}

impl Cards {
    /// Cards for alerts of this level and above; none: for no alert. `base` is the address, ending in `/`,
    /// under which the web serves them to platforms that fetch pictures.
    #[must_use]
    pub fn new(from: Option<Level>, base: Option<String>) -> Self {
        Self {
            from,
            base,
            drawn: Mutex::default(),
        }
    }

    /// The card of an alert's latest version, where it shall have one. A card that cannot be drawn holds no
    /// alert up: the words go alone.
    pub(super) async fn of(&self, alert: &Alert, area_title: &str) -> Option<Arc<Picture>> {
        self.from.filter(|from| alert.level >= *from)?;
        let key = (alert.id, alert.version());
        // Held while it is drawn: who comes meanwhile gets the same.
        let mut drawn = self.drawn.lock().await;
        if let Some(card) = drawn.get(&key) {
            return card.clone();
        }
        let card = say::card::card(alert, alert.versions.latest(), area_title);
        let made = tokio::task::spawn_blocking(move || draw::card::png(&card)).await;
        let made = made
            .map_err(|panicked| panicked.to_string())
            .and_then(|drawn| drawn.map_err(|error| error.to_string()));
        if let Err(error) = &made {
            warn!(alert = %alert.id, error, "an alert goes without its card");
        }
        let name = format!("{}-{}", alert.code, alert.version());
        let picture = made.ok().map(|bytes| {
            Arc::new(Picture {
                address: self.base.as_ref().map(|base| format!("{base}{name}.png")),
                name,
                bytes,
            })
        });
        if drawn.len() >= MOST {
            drawn.clear();
        }
        drawn.insert(key, picture.clone());
        picture
    }
}
