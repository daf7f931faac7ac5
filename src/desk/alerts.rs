//! An officer's words for every group: drafted, shown, confirmed, sent; and checked by anyone.
//!
//! ```text
//! draft ─▶ live ─▶ expired
//!   └────▶ dropped
//! ```
//! A draft is confirmed by its author only, while it is fresh. Approval by a second officer will stand
//! between the two, corrections and withdrawal after; they change the same row by its revision.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::Asked;
use super::Desk;
use super::Doing;
use super::limit::Turn;
use super::words;
use super::words::YesNo;
use crate::domain::alert::Alert;
use crate::domain::alert::AlertState;
use crate::domain::alert::Step;
use crate::domain::alert::Versions;
use crate::domain::area::AreaBook;
use crate::domain::area::AreaId;
use crate::domain::delivery::Body;
use crate::domain::delivery::Button;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Post;
use crate::domain::ids::CheckCode;
use crate::domain::ids::DeliveryId;
use crate::domain::incident::MAX_TEXT;
use crate::domain::person::Staff;
use crate::domain::room::Room;
use crate::domain::room::RoomKind;
use crate::domain::room::RoomState;
use crate::say;
use crate::store::Act;
use crate::store::Expect;
use crate::store::StoreError;
use crate::store::Write;

/// How often a code that is already in use is drawn again before something must be wrong.
const DRAWS: usize = 8;

/// An expired alert whose last report was never given is ended all the same after this.
const REPORT_GRACE: TimeDelta = TimeDelta::days(1);

/// Which draft a plain answer means when several wait in one chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The one shown last: the answer follows it.
    Newest,
    /// The answer quotes one of our messages, and we do not know which: it must be the only one.
    OneOfMany,
}

/// Reads what our own buttons say: `a:ok:7F3A9K`, `a:no:7F3A9K`.
pub(super) fn button(data: &str) -> Option<(YesNo, CheckCode)> {
    let (answer, code) = data.strip_prefix("a:")?.split_once(':')?;
    let answer = match answer {
        "ok" => YesNo::Yes,
        "no" => YesNo::No,
        _ => return None,
    };
    Some((answer, CheckCode::parse(code)?))
}

/// The rooms of an alert, and those that will not hear it.
#[derive(Debug, Default)]
struct Reach {
    hears: Vec<Room>,
    unbound: Vec<String>,
    removed: Vec<String>,
}

impl Reach {
    fn of(rooms: Vec<Room>, area: &AreaId) -> Self {
        let mut reach = Self::default();
        for room in rooms {
            if room.kind == RoomKind::Private {
                continue;
            }
            if room.hears(area) {
                reach.hears.push(room);
            } else if room.state == RoomState::Active && room.area.is_none() {
                reach.unbound.push(room.title);
            } else if room.state == RoomState::Removed
                && room.area.as_ref().is_some_and(|own| area.contains(own))
            {
                reach.removed.push(room.title);
            }
        }
        reach
    }

    /// The rooms' names by village, in the order in which they are shown.
    fn by_place(&self, areas: &AreaBook) -> Vec<(String, Vec<String>)> {
        let mut places: BTreeMap<&AreaId, Vec<String>> = BTreeMap::new();
        for room in &self.hears {
            if let Some(area) = &room.area {
                places.entry(area).or_default().push(room.title.clone());
            }
        }
        places
            .into_iter()
            .map(|(area, mut names)| {
                names.sort();
                (areas.title(area), names)
            })
            .collect()
    }
}

impl Desk {
    /// `/canhbao TEXT`: a draft, and its preview.
    pub(super) async fn draft(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        rest: &str,
    ) -> Result<Act, StoreError> {
        let wanted = match self.wanted(rest) {
            Ok(wanted) => wanted,
            Err(answer) => return Ok(self.reply(asked, answer)),
        };
        let (level, text) = (wanted.level, wanted.text.as_str());
        if words::says_nothing(text) {
            return Ok(self.reply(asked, say::desk::alert_without_words()));
        }
        let length = text.chars().count();
        if length > MAX_TEXT {
            return Ok(self.reply(asked, say::desk::alert_too_long(length, MAX_TEXT)));
        }
        let reach = Reach::of(self.store.rooms().await?, &officer.area);
        let area_title = self.areas.title(&officer.area);
        if reach.hears.is_empty() {
            let text = say::desk::no_rooms(&area_title, &reach.unbound);
            return Ok(self.reply(asked, text));
        }
        let private = if asked.is_private() {
            Some(asked.room.clone())
        } else {
            self.private_room(&asked.person).await?
        };

        let mut doing = self.begin();
        let mut alert = Alert::draft(
            self.store.alert_id(),
            self.fresh_code().await?,
            level,
            officer.area.clone(),
            Versions::first(text, &officer.name, doing.now),
            private.clone().unwrap_or_else(|| asked.room.clone()),
            doing.now + self.settings.alert_lasts,
        );
        alert.desk_thread = private.is_none().then(|| asked.thread.clone()).flatten();
        let count = reach.hears.len();
        let buttons = vec![vec![
            Button {
                label: say::desk::button_send(count),
                data: format!("a:ok:{}", alert.code),
            },
            Button {
                label: say::desk::button_drop(),
                data: format!("a:no:{}", alert.code),
            },
        ]];
        let shown = say::alert::room_text(&alert, &area_title);
        let preview = Post {
            text: say::desk::preview(&say::desk::Preview {
                code: &alert.code,
                shown: &shown,
                places: &reach.by_place(&self.areas),
                unbound: &reach.unbound,
                removed: &reach.removed,
                minutes: self.settings.draft_lasts.num_minutes(),
                notes: &self.notes(&wanted, &reach.hears, &shown),
            }),
            buttons,
            ..Post::default()
        };
        match private {
            Some(room) if room == asked.room => doing.answer_with(asked, preview),
            Some(room) => {
                doing.tell(room, preview);
                doing.answer(asked, say::desk::previewed_in_private());
            }
            // The words are not repeated in front of everybody before they are confirmed.
            None => doing.answer_with(
                asked,
                Post {
                    text: say::desk::preview_in_group(&alert.code, count),
                    buttons: preview.buttons,
                    ..Post::default()
                },
            ),
        }
        doing.act.expects.push(Expect::Alert(alert.id, 0));
        doing.audit(&officer.name, "alert.draft", alert.id, level.as_str());
        doing.act.writes.push(Write::Alert(Box::new(alert)));
        Ok(doing.act)
    }

    /// `/duyet CODE`; without a code it is a plain yes.
    pub(super) async fn approve(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        rest: &str,
    ) -> Result<Act, StoreError> {
        if words::says_nothing(rest) {
            let act = self
                .answered(officer, asked, YesNo::Yes, Which::OneOfMany)
                .await?;
            return Ok(act.unwrap_or_else(|| self.reply(asked, say::desk::approve_which())));
        }
        match words::check_code(rest) {
            Some(code) => self.confirm(officer, asked, &code).await,
            None => Ok(self.reply(asked, say::desk::no_such_draft())),
        }
    }

    /// A plain yes or no to a draft that waits in this chat. `None`: none does.
    pub(super) async fn answered(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        answer: YesNo,
        which: Which,
    ) -> Result<Option<Act>, StoreError> {
        let now = self.clock.now();
        let lasts = match which {
            Which::Newest => self.settings.ok_lasts,
            Which::OneOfMany => self.settings.draft_lasts,
        };
        // In a group without a private chat the draft's desk is the group; both places count as here.
        let mine: Vec<Alert> = self
            .store
            .open_alerts()
            .await?
            .into_iter()
            .filter(|alert| alert.author() == officer.name && alert.desk == asked.room)
            .collect();
        let mut drafts: Vec<&Alert> = mine
            .iter()
            .filter(|alert| alert.state == AlertState::Draft && now - alert.drafted_at < lasts)
            .collect();
        drafts.sort_by_key(|alert| (alert.drafted_at, alert.id));
        let chosen = match (drafts.as_slice(), which) {
            ([], _) => {
                // Said twice, or pressed and said: tell that it is done rather than nothing.
                let just_sent = mine
                    .iter()
                    .filter(|alert| alert.published_at.is_some_and(|at| now - at < lasts))
                    .max_by_key(|alert| alert.published_at);
                return Ok(
                    just_sent.map(|alert| self.reply(asked, say::desk::already_sent(alert, now)))
                );
            }
            ([only], _) => only,
            ([.., newest], Which::Newest) => newest,
            (several, Which::OneOfMany) => {
                let list: Vec<String> = several
                    .iter()
                    .map(|alert| say::alert::in_a_list(&alert.code, alert.words()))
                    .collect();
                return Ok(Some(self.reply(asked, say::desk::which_draft(&list))));
            }
        };
        let act = match answer {
            YesNo::Yes => self.confirm(officer, asked, &chosen.code).await?,
            YesNo::No => self.drop_draft(officer, asked, &chosen.code).await?,
        };
        Ok(Some(act))
    }

    /// Sends a draft: the alert and one delivery per room, in one act.
    pub(super) async fn confirm(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        code: &CheckCode,
    ) -> Result<Act, StoreError> {
        let mut alert = match self.own_draft(officer, asked, code).await? {
            Ok(alert) => alert,
            Err(answer) => return Ok(answer),
        };
        let reach = Reach::of(self.store.rooms().await?, &alert.area);
        if reach.hears.is_empty() {
            let title = self.areas.title(&alert.area);
            let text = match asked.press {
                Some(_) => say::desk::no_rooms_short(),
                None => say::desk::no_rooms(&title, &reach.unbound),
            };
            return Ok(self.reply(asked, text));
        }

        let mut doing = self.begin();
        doing
            .act
            .expects
            .push(Expect::Alert(alert.id, alert.revision));
        let count = reach.hears.len();
        let rows = u64::try_from(count).unwrap_or(u64::MAX);
        let mut ids = self
            .store
            .delivery_ids(rows.saturating_add(1))
            .map(DeliveryId);
        for room in reach.hears {
            let Some(id) = ids.next() else { break };
            let body = Body::Alert {
                alert: alert.id,
                version: alert.version(),
                follows: None,
            };
            doing.send_as(id, room.id, None, Lane::Urgent, body);
        }
        alert.progress = ids.next().map(|id| {
            let body = Body::Progress {
                alert: alert.id,
                edits: None,
            };
            doing.send_as(
                id,
                alert.desk.clone(),
                alert.desk_thread.clone(),
                Lane::Reply,
                body,
            )
        });
        if alert.step(Step::Publish).is_err() {
            return Ok(self.reply(asked, say::desk::already_sent(&alert, doing.now)));
        }
        alert.published_at = Some(doing.now);
        alert.versions.latest_mut().at = doing.now;
        alert.expires_at = doing.now + self.settings.alert_lasts;
        if asked.press.is_some() || asked.room != alert.desk {
            doing.answer(asked, say::desk::sending(&alert.code, count));
        }
        let title = self.areas.title(&alert.area);
        doing.without_buttons(asked, || {
            say::desk::confirmed(&say::alert::room_text(&alert, &title), count)
        });
        doing.audit(
            &officer.name,
            "alert.publish",
            alert.id,
            format!(
                "{} version {} to {count} rooms",
                alert.level.as_str(),
                alert.version()
            ),
        );
        doing.act.writes.push(Write::Alert(Box::new(alert)));
        Ok(doing.act)
    }

    /// Throws a draft away.
    pub(super) async fn drop_draft(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        code: &CheckCode,
    ) -> Result<Act, StoreError> {
        let mut alert = match self.own_draft(officer, asked, code).await? {
            Ok(alert) => alert,
            Err(answer) => return Ok(answer),
        };
        let mut doing = self.begin();
        doing
            .act
            .expects
            .push(Expect::Alert(alert.id, alert.revision));
        if alert.step(Step::Drop).is_err() {
            return Ok(self.reply(asked, say::desk::already_sent(&alert, doing.now)));
        }
        doing.answer(asked, say::desk::dropped(&alert.code));
        doing.without_buttons(asked, || say::desk::dropped(&alert.code));
        doing.audit(&officer.name, "alert.drop", alert.id, "");
        doing.act.writes.push(Write::Alert(Box::new(alert)));
        Ok(doing.act)
    }

    /// The draft with this code if this officer may decide on it now; else the answer why not.
    async fn own_draft(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        code: &CheckCode,
    ) -> Result<Result<Alert, Act>, StoreError> {
        let now = self.clock.now();
        // Outside the officer's area an alert is as good as none.
        let found = self
            .store
            .alert_by_code(code)
            .await?
            .filter(|alert| officer.area.contains(&alert.area));
        let Some(alert) = found else {
            return Ok(Err(self.reply(asked, say::desk::no_such_draft())));
        };
        let answer = match alert.state {
            AlertState::Draft if alert.author() != officer.name => {
                say::desk::only_the_author(alert.author())
            }
            AlertState::Draft if now - alert.drafted_at >= self.settings.draft_lasts => {
                say::desk::draft_too_old(self.settings.draft_lasts.num_minutes())
            }
            AlertState::Draft => return Ok(Ok(alert)),
            AlertState::Pending => say::desk::awaits_approval(&alert.code),
            AlertState::Dropped => say::desk::was_dropped(&alert.code),
            AlertState::Live
            | AlertState::AllClear
            | AlertState::Withdrawn
            | AlertState::Expired => say::desk::already_sent(&alert, now),
        };
        Ok(Err(self.reply(asked, answer)))
    }

    /// `/kiemtra CODE`, from anyone.
    pub(super) async fn check(&self, asked: &Asked<'_>, rest: &str) -> Result<Act, StoreError> {
        let now = self.clock.now();
        match self.questions.turn(&asked.person, now) {
            Turn::Fine => {}
            Turn::FirstTooMany => return Ok(self.reply(asked, say::alert::asked_too_often())),
            Turn::TooMany => return Ok(Act::default()),
        }
        if words::says_nothing(rest) {
            return Ok(self.reply(asked, say::alert::which_code()));
        }
        let found = match words::check_code(rest) {
            Some(code) => self.store.alert_by_code(&code).await?,
            None => None,
        };
        let text = found.map_or_else(say::alert::unknown_code, |alert| {
            say::alert::checked(&alert, &self.areas.title(&alert.area), now)
        });
        Ok(self.reply(asked, text))
    }

    pub(super) async fn tidy_alerts(&self) -> Result<Option<Act>, StoreError> {
        let mut doing = self.begin();
        for mut alert in self.store.open_alerts().await? {
            let (step, act) = match alert.state {
                AlertState::Draft if doing.now - alert.drafted_at >= self.settings.draft_lasts => {
                    (Step::Drop, "alert.lapse")
                }
                AlertState::Live
                    if doing.now >= alert.expires_at
                        && (alert.reported || doing.now - alert.expires_at >= REPORT_GRACE) =>
                {
                    (Step::Expire, "alert.expire")
                }
                _ => continue,
            };
            let revision = alert.revision;
            if alert.step(step).is_err() {
                continue;
            }
            doing.act.expects.push(Expect::Alert(alert.id, revision));
            doing.audit("keng", act, alert.id, "");
            doing.act.writes.push(Write::Alert(Box::new(alert)));
        }
        Ok((!doing.act.writes.is_empty()).then_some(doing.act))
    }

    /// A code that no alert carries.
    async fn fresh_code(&self) -> Result<CheckCode, StoreError> {
        let engine = |source: std::io::Error| StoreError::Engine {
            doing: "drawing a check code".to_owned(),
            source: Box::new(source),
        };
        for _ in 0..DRAWS {
            let code = CheckCode::from_random(self.random.bytes().map_err(engine)?);
            if self.store.alert_by_code(&code).await?.is_none() {
                return Ok(code);
            }
        }
        Err(engine(std::io::Error::other(
            "every code drawn is already in use",
        )))
    }
}

impl Doing<'_> {
    /// Takes the buttons from the message whose button was pressed, so that it cannot be pressed again.
    fn without_buttons(&mut self, asked: &Asked<'_>, text: impl FnOnce() -> String) {
        let message = asked.press.and_then(|press| press.message.clone());
        // In a group the preview does not hold the words, and its edit must not bring them either.
        if let Some(message) = message
            && asked.is_private()
        {
            self.answer_with(
                asked,
                Post {
                    text: text(),
                    edits: Some(message),
                    ..Post::default()
                },
            );
        }
    }
}
