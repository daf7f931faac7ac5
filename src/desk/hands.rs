//! Alerts that a person posts by hand: "đã đăng", by a button or in words.

use super::Asked;
use super::Desk;
use super::words;
use crate::domain::alert::Alert;
use crate::domain::alert::AlertState;
use crate::domain::delivery::Body;
use crate::domain::delivery::Lane;
use crate::domain::hand::HandGroup;
use crate::domain::hand::PREFIX;
use crate::domain::ids::AlertId;
use crate::say;
use crate::store::Act;
use crate::store::StoreError;
use crate::store::hands;
use crate::store::hands::ByHand;

/// Reads what our own button says: `h:12:1:3fa94c…`.
pub(super) fn button(data: &str) -> Option<(AlertId, u32, &str)> {
    let mut parts = data.strip_prefix("h:")?.split(':');
    let alert = AlertId(parts.next()?.parse().ok()?);
    let version = parts.next()?.parse().ok()?;
    let group = parts.next()?;
    parts.next().is_none().then_some((alert, version, group))
}

impl Desk {
    /// The button under the words was pressed.
    pub(super) async fn posted_by_button(
        &self,
        asked: &Asked<'_>,
        (alert, version, group): (AlertId, u32, &str),
    ) -> Result<Act, StoreError> {
        let mut own = self.hands.of_admin(&asked.person);
        let group = own.find(|own| own.id.native.strip_prefix(PREFIX) == Some(group));
        let alert = self.store.alert(alert).await?;
        match (group, alert) {
            (Some(group), Some(alert)) => self.posted(asked, &alert, version, &[group]).await,
            _ => Ok(self.reply(asked, say::notice::button_of_no_use())),
        }
    }

    /// Somebody who was asked to post writes that they did. `None`: they were not asked, or say something
    /// else.
    pub(super) async fn posted_in_words(
        &self,
        asked: &Asked<'_>,
        text: &str,
    ) -> Result<Option<Act>, StoreError> {
        let own: Vec<&HandGroup> = self.hands.of_admin(&asked.person).collect();
        if own.is_empty() || !words::says_posted(text) {
            return Ok(None);
        }
        let mut newest: Option<Alert> = None;
        for alert in self.store.open_alerts().await? {
            if alert.state == AlertState::Live
                && newest
                    .as_ref()
                    .is_none_or(|known| known.published_at < alert.published_at)
            {
                let mut asked_of = Vec::new();
                for group in &own {
                    let hand = hands::of(self.store.as_ref(), group, alert.id, alert.version());
                    asked_of.extend(hand.await?);
                }
                if !asked_of.is_empty() {
                    newest = Some(alert);
                }
            }
        }
        match newest {
            Some(alert) => {
                let version = alert.version();
                self.posted(asked, &alert, version, &own).await.map(Some)
            }
            None => Ok(None),
        }
    }

    /// Notes what is posted, thanks, and renews the officer's report.
    async fn posted(
        &self,
        asked: &Asked<'_>,
        alert: &Alert,
        version: u32,
        groups: &[&HandGroup],
    ) -> Result<Act, StoreError> {
        let mut doing = self.begin();
        let mut is_new = false;
        for group in groups {
            let hand = hands::of(self.store.as_ref(), group, alert.id, version).await?;
            if hand == Some(ByHand::HandedOver) {
                is_new = true;
                let write = hands::is(group, alert.id, version, ByHand::Posted);
                doing.act.writes.push(write);
                doing.audit(
                    &group.admin.to_string(),
                    "alert.posted",
                    alert.id,
                    &*group.name,
                );
            }
        }
        let (mut posted, mut all) = (0, 0);
        for group in self.hands.of_admin(&asked.person) {
            if let Some(hand) = hands::of(self.store.as_ref(), group, alert.id, version).await? {
                all += 1;
                let now = groups.iter().any(|other| other.id == group.id);
                posted += usize::from(now || hand == ByHand::Posted);
            }
        }
        doing.answer(asked, say::hand::thanks(posted, all));
        if is_new && version == alert.version() && alert.reported {
            let body = Body::Progress {
                alert: alert.id,
                edits: alert.progress,
            };
            let (room, thread) = (alert.desk.clone(), alert.desk_thread.clone());
            doing.send(room, thread, Lane::Reply, body);
        }
        Ok(doing.act)
    }
}
