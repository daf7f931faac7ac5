//! An alert that is out gets other words, is ended, or is taken back: one command, at once, in exactly
//! the rooms that saw it. There is no preview and no second officer here: while a false alert stands,
//! every minute counts. Colleagues hear of it in the same moment.

use std::collections::BTreeMap;
use std::collections::HashMap;

use chrono::TimeDelta;

use super::Asked;
use super::Desk;
use super::Doing;
use super::approval::answers_for;
use super::reach::known_rooms;
use super::words;
use crate::domain::alert::Alert;
use crate::domain::alert::AlertState;
use crate::domain::alert::Version;
use crate::domain::alert::VersionKind;
use crate::domain::delivery::Body;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Follows;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Post;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RoomId;
use crate::domain::incident::MAX_TEXT;
use crate::domain::person::Staff;
use crate::domain::room::Room;
use crate::say;
use crate::store::Act;
use crate::store::Expect;
use crate::store::StoreError;
use crate::store::Write;

/// A change that was written so soon after a colleague's cannot have known of it: what was changed must
/// first arrive and be read.
const BLIND: TimeDelta = TimeDelta::seconds(15);

impl Desk {
    /// `/dinhchinh CODE WORDS`, `/hetcanhbao CODE`, `/thuhoi CODE`.
    pub(super) async fn change(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        rest: &str,
        kind: VersionKind,
    ) -> Result<Act, StoreError> {
        let now = self.clock.now();
        let read = words::code_and_words(rest);
        let read = read.or_else(|| words::check_code(rest).map(|code| (code, "")));
        let Some((code, text)) = read else {
            return self.which_alert(officer, asked, kind).await;
        };
        // Outside the officer's area an alert is as good as none.
        let found = self
            .store
            .alert_by_code(&code)
            .await?
            .filter(|alert| answers_for(officer, alert));
        let Some(mut alert) = found else {
            return Ok(self.reply(asked, say::change::no_such_alert()));
        };
        if let Some(answer) = self.no_change(officer, asked, &alert, kind, text) {
            return Ok(self.reply(asked, answer));
        }
        if !alert.state.is_published() {
            // Taken back before anybody heard it.
            return self.throw_away(officer, asked, alert).await;
        }
        let revision = alert.revision;
        if !alert.is_in_force(now) || alert.step(kind.step()).is_err() {
            return Ok(self.reply(asked, say::change::is_over(&alert, now)));
        }
        let colleagues = self.concerned(officer, &alert).await?;
        let rows = self.store.alert_rows(alert.id).await?;
        let rooms = self.store.rooms().await?;
        let known = known_rooms(&rows, &rooms);
        let by_id: HashMap<&RoomId, &Room> = rooms.iter().map(|room| (&room.id, room)).collect();

        let mut doing = self.begin();
        doing.act.expects.push(Expect::Alert(alert.id, revision));
        alert.versions.push(Version {
            number: 0,
            kind,
            words: text.to_owned(),
            author: officer.name.clone(),
            approver: None,
            at: now,
            photo: asked
                .photo
                .clone()
                .filter(|_| kind == VersionKind::Correction),
            recording: asked
                .recording
                .clone()
                .filter(|_| kind == VersionKind::Correction),
        });
        let version = alert.version();
        let lane = match kind {
            // While something false stands there, every minute counts, however quietly it was said.
            VersionKind::Withdrawal => Lane::Urgent,
            VersionKind::First | VersionKind::Correction | VersionKind::AllClear => {
                alert.level.lane()
            }
        };
        let mut count = 0;
        for (room, known) in known {
            // Who never saw the alert need not hear that it is over; who waits for it hears the new words.
            let hears = known.seen || (!kind.ends() && (known.waits || known.replaced));
            if !hears {
                continue;
            }
            let due = match by_id.get(&room) {
                Some(room) if !known.seen => self.room_rules.due(room, alert.level, now),
                _ => now,
            };
            let body = Body::Alert {
                alert: alert.id,
                version,
                follows: Some(known.row),
            };
            let row = doing.send_at(due, room.clone(), lane, body);
            if !kind.ends() {
                let of = Follows { version, row };
                if known.seen {
                    doing.unpin(&alert, &room, known.row, Some(of));
                }
                doing.pin(&alert, &room, of, due);
            }
            count += 1;
        }
        if kind.ends() {
            doing.unpin_all(&alert, &rows, &rooms);
        }
        // Whoever changes it hears how it goes.
        let private = if asked.is_private() {
            Some(asked.room.clone())
        } else {
            self.private_room(&asked.person).await?
        };
        alert.desk_thread = private.is_none().then(|| asked.thread.clone()).flatten();
        alert.desk = private.unwrap_or_else(|| asked.room.clone());
        alert.reported = false;
        let progress = Body::Progress {
            alert: alert.id,
            edits: None,
        };
        alert.progress = Some(doing.send(
            alert.desk.clone(),
            alert.desk_thread.clone(),
            Lane::Reply,
            progress,
        ));
        if asked.room != alert.desk {
            doing.answer(asked, say::change::doing(&alert, count));
        }
        for room in colleagues {
            if room != alert.desk {
                let text = say::change::by_colleague(&alert, &officer.name);
                doing.tell_now(room, text);
            }
        }
        let act = match kind {
            VersionKind::First | VersionKind::Correction => "alert.correct",
            VersionKind::AllClear => "alert.all_clear",
            VersionKind::Withdrawal => "alert.withdraw",
        };
        doing.audit(
            &officer.name,
            act,
            alert.id,
            format!("version {version} to {count} rooms"),
        );
        doing.act.writes.push(Write::Alert(Box::new(alert)));
        Ok(doing.act)
    }

    /// What stands on walls tells that its time has passed; elsewhere nobody reads that far back.
    pub(super) async fn mark_as_over(
        &self,
        doing: &mut Doing<'_>,
        alert: &Alert,
    ) -> Result<(), StoreError> {
        let is_wall = |room: &RoomId| {
            let carrier = self.wording.carriers.carrier(room);
            carrier.is_some_and(|carrier| carrier.is_wall)
        };
        let rooms = self.store.rooms().await?;
        if !rooms.iter().any(|room| is_wall(&room.id)) {
            return Ok(());
        }
        // By room, the message that tells the latest version there.
        let mut posts: BTreeMap<RoomId, ((u32, DeliveryId), MessageId)> = BTreeMap::new();
        for row in self.store.alert_rows(alert.id).await? {
            if let (
                Body::Alert { version, .. },
                DeliveryState::Sent {
                    message: Some(message),
                    ..
                },
            ) = (row.body, row.state)
                && is_wall(&row.room)
            {
                let post = ((version, row.id), message);
                let latest = posts.entry(row.room).or_insert_with(|| post.clone());
                if latest.0 < post.0 {
                    *latest = post;
                }
            }
        }
        let text = say::alert::expired_text(alert, &self.areas.title(&alert.area));
        for (room, (_, message)) in posts {
            let post = Post {
                text: text.clone(),
                edits: Some(message),
                ..Post::default()
            };
            doing.send(room, None, Lane::Bulk, Body::Text(post));
        }
        Ok(())
    }

    /// Why nothing is changed, if nothing is.
    fn no_change(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        alert: &Alert,
        kind: VersionKind,
        text: &str,
    ) -> Option<String> {
        let now = self.clock.now();
        match alert.state {
            AlertState::Dropped => return Some(say::desk::was_dropped(&alert.code)),
            AlertState::AllClear | AlertState::Withdrawn | AlertState::Expired => {
                return Some(say::change::is_over(alert, now));
            }
            // A colleague's draft is nobody else's business.
            AlertState::Draft if alert.author() != officer.name => {
                return Some(say::change::no_such_alert());
            }
            AlertState::Draft | AlertState::Pending if kind != VersionKind::Withdrawal => {
                return Some(say::change::not_sent_yet(&alert.code));
            }
            AlertState::Draft | AlertState::Pending | AlertState::Live => {}
        }
        let length = text.chars().count();
        if length > MAX_TEXT {
            return Some(say::desk::alert_too_long(length, MAX_TEXT));
        }
        if kind != VersionKind::Correction {
            return None;
        }
        if words::says_nothing(text) {
            return Some(say::change::without_words(&alert.code));
        }
        if words::has_no_words(text) {
            return Some(say::desk::only_signs());
        }
        if text.trim() == alert.words().trim() {
            return Some(say::change::same_words(&alert.code));
        }
        let latest = alert.versions.latest();
        let blind = latest.kind == VersionKind::Correction
            && latest.author != officer.name
            && (asked.sent_at - latest.at).abs() <= BLIND;
        blind.then(|| say::change::corrected_meanwhile(alert, &latest.author))
    }

    /// A change without a code: the alerts that it may mean.
    async fn which_alert(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        kind: VersionKind,
    ) -> Result<Act, StoreError> {
        let now = self.clock.now();
        let list: Vec<String> = self
            .store
            .open_alerts()
            .await?
            .iter()
            .filter(|alert| alert.is_in_force(now) && answers_for(officer, alert))
            .map(|alert| say::alert::in_a_list(&alert.code, alert.words()))
            .collect();
        // The words of an alert have been in the rooms: they may stand in any chat of the officer.
        Ok(self.reply(asked, say::change::which(kind, &list)))
    }

    /// Private chats of the other people behind an alert: its author, who approved, who changed it.
    async fn concerned(&self, officer: &Staff, alert: &Alert) -> Result<Vec<RoomId>, StoreError> {
        let staff = self.staff().await?;
        let mut rooms = Vec::new();
        for person in staff.people() {
            let had_part = alert.versions.iter().any(|version| {
                version.author == person.name || version.approver.as_ref() == Some(&person.name)
            });
            if had_part && person.name != officer.name && person.role.is_officer() {
                rooms.extend(self.private_room_of(person).await?);
            }
        }
        Ok(rooms)
    }
}
