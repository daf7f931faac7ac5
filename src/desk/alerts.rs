//! An officer's words for every group: drafted, shown, confirmed, sent; and checked by anyone.
//!
//! A draft is confirmed by its author only, while it is fresh. What is loud or wide then waits for a second
//! officer ([`super::approval`]). What is out is corrected, ended or taken back in [`super::changes`]; which
//! rooms all of it is for, [`super::reach`] knows.

use chrono::TimeDelta;

use super::Asked;
use super::Desk;
use super::Doing;
use super::heading;
use super::heading::Heading;
use super::limit::Turn;
use super::reach::Reach;
use super::words;
use super::words::YesNo;
use crate::domain::alert::Alert;
use crate::domain::alert::AlertState;
use crate::domain::alert::Level;
use crate::domain::alert::Step;
use crate::domain::alert::Target;
use crate::domain::alert::Versions;
use crate::domain::clock::Time;
use crate::domain::delivery::Body;
use crate::domain::delivery::Button;
use crate::domain::delivery::Follows;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Post;
use crate::domain::ids::AlertId;
use crate::domain::ids::CheckCode;
use crate::domain::ids::DeliveryId;
use crate::domain::incident::MAX_TEXT;
use crate::domain::person::Staff;
use crate::domain::room::Room;
use crate::say;
use crate::store::Act;
use crate::store::Expect;
use crate::store::StoreError;
use crate::store::Write;

/// How often a code that is already in use is drawn again before something must be wrong.
const DRAWS: usize = 8;

/// An expired alert whose last report was never given is ended all the same after this.
const REPORT_GRACE: TimeDelta = TimeDelta::days(1);

/// The same words to the same rooms within this time are asked about: it is usually a mistake.
const REPEAT: TimeDelta = TimeDelta::hours(72);

/// No alert is in force longer.
const LONGEST: TimeDelta = TimeDelta::days(30);

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

impl Desk {
    /// `/canhbao TEXT`: a draft, and its preview. As a drill the same, for rooms that opted in.
    pub(super) async fn draft(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        rest: &str,
        drill: bool,
    ) -> Result<Act, StoreError> {
        let now = self.clock.now();
        let rooms = self.store.rooms().await?;
        let staff = self.staff().await?;
        let whole = rest;
        let (mut heading, mut rest) = heading::heading(whole);
        let target = match self.meant(officer, &heading.places, &rooms, &staff) {
            Ok(target) => target,
            Err(not_found) if not_found.is_a_place => {
                return Ok(self.reply(asked, not_found.answer()));
            }
            // "Đến 18h nước lên: …" is a sentence.
            Err(_) => {
                (heading, rest) = (Heading::default(), whole);
                Target::area(officer.area.clone())
            }
        };
        let end = match heading
            .until
            .map(|until| (until, heading::moment(until, now)))
        {
            None => None,
            Some((until, None)) => return Ok(self.reply(asked, say::desk::no_such_end(until))),
            Some((_, Some(end))) if end <= now => {
                return Ok(self.reply(asked, say::desk::end_has_passed(end, now)));
            }
            Some((_, Some(end))) if end > now + LONGEST => {
                return Ok(self.reply(asked, say::desk::end_too_far(LONGEST.num_days())));
            }
            Some((_, Some(end))) => Some(end),
        };
        let wanted = match self.wanted(rest) {
            Ok(wanted) => wanted,
            Err(answer) => return Ok(self.reply(asked, answer)),
        };
        let level = heading.level.unwrap_or(wanted.level);
        let text = wanted.text.as_str();
        if words::says_nothing(text) {
            return Ok(self.reply(asked, say::desk::alert_without_words()));
        }
        if words::has_no_words(text) {
            return Ok(self.reply(asked, say::desk::only_signs()));
        }
        let length = text.chars().count();
        if length > MAX_TEXT {
            return Ok(self.reply(asked, say::desk::alert_too_long(length, MAX_TEXT)));
        }
        let private = if asked.is_private() {
            Some(asked.room.clone())
        } else {
            self.private_room(&asked.person).await?
        };
        let mut alert = Alert::draft(
            self.store.alert_id(),
            self.fresh_code().await?,
            level,
            officer.area.clone(),
            Versions::first(text, &officer.name, now),
            private.clone().unwrap_or_else(|| asked.room.clone()),
            end.unwrap_or(now + self.settings.alert_lasts),
        );
        let first = alert.versions.latest_mut();
        first.photo.clone_from(&asked.photo);
        first.recording.clone_from(&asked.recording);
        alert.target = target;
        alert.drill = drill;
        alert.end_named = end.is_some();
        alert.desk_thread = private.is_none().then(|| asked.thread.clone()).flatten();
        let reach = self.reach(rooms, &alert).await?;
        if reach.hears.is_empty() {
            return Ok(self.reply(asked, self.no_rooms(&alert, &reach)));
        }
        let second = self.needs_second(&officer.area, &alert);
        let approvers = if second {
            self.approvers(&alert, &staff)
        } else {
            Vec::new()
        };
        let quiet = reach
            .hears
            .iter()
            .filter(|room| self.room_rules.due(room, level, now) > now)
            .count();
        let repeats = self.repeats(&alert, &reach.hears).await?;

        let mut doing = self.begin();
        let count = reach.hears.len();
        let again = repeats.is_some();
        let buttons = vec![vec![
            Button {
                label: if again {
                    say::desk::button_send_again(count)
                } else {
                    say::desk::button_send(count)
                },
                data: format!("a:ok:{}", alert.code),
            },
            Button {
                label: say::desk::button_drop(),
                data: format!("a:no:{}", alert.code),
            },
        ]];
        let shown = say::alert::room_text(&alert, &self.areas.title(&alert.area));
        let preview = Post {
            text: say::desk::preview(&say::desk::Preview {
                code: &alert.code,
                shown: &shown,
                places: &reach.by_place(&self.areas),
                people: self.headcounts.of(&reach.hears),
                unbound: &reach.unbound,
                removed: &reach.removed,
                not_chosen: &reach.not_chosen,
                no_drills: &reach.no_drills,
                closed: &reach.closed,
                quiet,
                approvers: second.then(|| {
                    approvers
                        .iter()
                        .map(|person| person.name.as_str())
                        .collect()
                }),
                repeats: repeats.as_ref().map(|earlier| (earlier, now)),
                minutes: self.settings.draft_lasts.num_minutes(),
                notes: &self.notes(&wanted, &reach.hears, &shown, asked),
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

    fn no_rooms(&self, alert: &Alert, reach: &Reach) -> String {
        if !reach.no_drills.is_empty() {
            return say::desk::no_drill_rooms();
        }
        if !reach.not_chosen.is_empty() {
            return say::desk::no_chosen_rooms();
        }
        say::desk::no_rooms(&self.areas.title(&alert.area), &reach.unbound)
    }

    /// An alert with the same words that some of these rooms were sent lately.
    async fn repeats(&self, alert: &Alert, hears: &[Room]) -> Result<Option<Alert>, StoreError> {
        let wanted = words::plain(alert.words());
        let since = self.clock.now() - REPEAT;
        let earlier = self.store.alerts_since(since).await?;
        Ok(earlier.into_iter().find(|earlier| {
            earlier.id != alert.id
                && earlier.state.is_published()
                && earlier.drill == alert.drill
                && words::plain(earlier.words()) == wanted
                && hears.iter().any(|room| earlier.target.is_heard_in(room))
        }))
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
            if let Some(act) = act {
                return Ok(act);
            }
            // The second officer names the alert: approving is never a reflex.
            let waiting: Vec<String> = self
                .waiting_for(officer)
                .await?
                .iter()
                .map(|alert| alert.code.to_string())
                .collect();
            return Ok(self.reply(asked, say::desk::approve_which(&waiting)));
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
            .filter(|alert| {
                // What waits for a colleague can still be stopped by a word.
                let can_answer = alert.state == AlertState::Draft
                    || (alert.state == AlertState::Pending && answer == YesNo::No);
                can_answer && (now - alert.drafted_at).abs() < lasts
            })
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
        if answer == YesNo::Yes {
            let reach = self.reach(self.store.rooms().await?, chosen).await?;
            if let Some(earlier) = self.repeats(chosen, &reach.hears).await? {
                // A quick OK is not enough to say the same thing twice.
                let text = say::desk::really_again(&earlier, &chosen.code, now);
                return Ok(Some(self.reply(asked, text)));
            }
        }
        let act = match answer {
            YesNo::Yes => self.confirm(officer, asked, &chosen.code).await?,
            YesNo::No => self.drop_draft(officer, asked, &chosen.code).await?,
        };
        Ok(Some(act))
    }

    /// The author sends a draft, or a colleague approves what waits.
    pub(super) async fn confirm(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        code: &CheckCode,
    ) -> Result<Act, StoreError> {
        let alert = match self.undecided(officer, asked, code).await? {
            Ok(alert) => alert,
            Err(answer) => return Ok(answer),
        };
        if alert.state == AlertState::Pending {
            return self.decide_pending(officer, asked, alert, true).await;
        }
        let now = self.clock.now();
        if alert.end_named && alert.expires_at <= now {
            return Ok(self.reply(asked, say::desk::end_has_passed(alert.expires_at, now)));
        }
        if !self.needs_second(&officer.area, &alert) {
            return self.publish(officer, asked, alert, now).await;
        }
        let reach = self.reach(self.store.rooms().await?, &alert).await?;
        let shown = say::alert::room_text(&alert, &self.areas.title(&alert.area));
        self.ask_second(asked, alert, &shown, reach.hears.len())
            .await
    }

    /// Sends it: the alert and one delivery per room, in one act.
    pub(super) async fn publish(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        mut alert: Alert,
        now: Time,
    ) -> Result<Act, StoreError> {
        if alert.end_named && alert.expires_at <= now {
            return Ok(self.reply(asked, say::desk::end_has_passed(alert.expires_at, now)));
        }
        // Who may not be written to now may be in a moment; else the report says so.
        let reach = Reach::of(self.store.rooms().await?, &alert, &self.room_rules);
        if reach.hears.is_empty() {
            let text = match asked.press {
                Some(_) => say::desk::no_rooms_short(),
                None => self.no_rooms(&alert, &reach),
            };
            return Ok(self.reply(asked, text));
        }
        let was_pending = alert.state == AlertState::Pending;
        let revision = alert.revision;
        if alert.step(Step::Publish).is_err() {
            return Ok(self.reply(asked, say::desk::already_sent(&alert, now)));
        }

        let mut doing = self.begin();
        doing.act.expects.push(Expect::Alert(alert.id, revision));
        let count = reach.hears.len();
        let rows = u64::try_from(count).unwrap_or(u64::MAX);
        let mut ids = self
            .store
            .delivery_ids(rows.saturating_add(1))
            .map(DeliveryId);
        let mut pins = Vec::new();
        for room in reach.hears {
            let Some(id) = ids.next() else { break };

            let body = Body::Alert {
                alert: alert.id,
                version: alert.version(),
                follows: None,
            };
            let due = self.room_rules.due(&room, alert.level, now);
            if self.pins(&alert, &room.id) {
                pins.push((room.id.clone(), id, due));
            }
            doing.send_as(id, due, room.id, None, alert.level.lane(), body);
        }
        alert.progress = ids.next().map(|id| {
            let body = Body::Progress {
                alert: alert.id,
                edits: None,
            };
            doing.send_as(
                id,
                now,
                alert.desk.clone(),
                alert.desk_thread.clone(),
                Lane::Reply,
                body,
            )
        });
        for (room, row, due) in pins {
            let version = alert.version();
            doing.pin(&alert, &room, Follows { version, row }, due);
        }
        alert.published_at = Some(now);
        let version = alert.versions.latest_mut();
        version.at = now;
        version.approver = was_pending.then(|| officer.name.clone());
        if !alert.end_named {
            alert.expires_at = now + self.settings.alert_lasts;
        }
        if asked.press.is_some() || asked.room != alert.desk {
            doing.answer(asked, say::desk::sending(&alert.code, count));
        }
        if was_pending {
            let text = say::approval::approved_by(&alert.code, &officer.name);
            doing.tell_in(alert.desk.clone(), alert.desk_thread.clone(), text);
        }
        let title = self.areas.title(&alert.area);
        doing.without_buttons(asked, || {
            say::desk::confirmed(&say::alert::room_text(&alert, &title), count)
        });
        let (act, alone) = match (was_pending, alert.level) {
            (true, _) => ("alert.approve", ""),
            (false, Level::Urgent) => (
                "alert.publish",
                ", without a second officer, as the config allows",
            ),
            (false, Level::Info | Level::Warning) => ("alert.publish", ""),
        };
        doing.audit(
            &officer.name,
            act,
            alert.id,
            format!(
                "{}{} version {} to {count} rooms{alone}",
                if alert.drill { "drill " } else { "" },
                alert.level.as_str(),
                alert.version()
            ),
        );
        doing.act.writes.push(Write::Alert(Box::new(alert)));
        Ok(doing.act)
    }

    /// Throws a draft away, or what waits for approval.
    pub(super) async fn drop_draft(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        code: &CheckCode,
    ) -> Result<Act, StoreError> {
        match self.undecided(officer, asked, code).await? {
            Ok(alert) if alert.state == AlertState::Pending => {
                self.decide_pending(officer, asked, alert, false).await
            }
            Ok(alert) => self.throw_away(officer, asked, alert).await,
            Err(answer) => Ok(answer),
        }
    }

    /// The alert is never sent; whoever wrote it hears of it.
    pub(super) async fn throw_away(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        mut alert: Alert,
    ) -> Result<Act, StoreError> {
        let mut doing = self.begin();
        let revision = alert.revision;
        if alert.step(Step::Drop).is_err() {
            return Ok(self.reply(asked, say::desk::already_sent(&alert, doing.now)));
        }
        doing.act.expects.push(Expect::Alert(alert.id, revision));
        doing.answer(asked, say::desk::dropped(&alert.code));
        doing.without_buttons(asked, || say::desk::dropped(&alert.code));
        if alert.author() != officer.name {
            let text = say::approval::refused_by(&alert.code, &officer.name);
            doing.tell_in(alert.desk.clone(), alert.desk_thread.clone(), text);
        }
        doing.audit(&officer.name, "alert.drop", alert.id, "");
        doing.act.writes.push(Write::Alert(Box::new(alert)));
        Ok(doing.act)
    }

    /// The draft or waiting alert with this code if this officer may decide on it now; else the answer why
    /// not.
    async fn undecided(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        code: &CheckCode,
    ) -> Result<Result<Alert, Act>, StoreError> {
        let now = self.clock.now();
        let staff = self.staff().await?;
        // Outside the officer's area an alert is as good as none, unless it is to reach in there.
        let found = self.store.alert_by_code(code).await?.filter(|alert| {
            officer.area.contains(&alert.area)
                || (alert.state == AlertState::Pending
                    && self
                        .approvers(alert, &staff)
                        .iter()
                        .any(|person| person.name == officer.name))
        });
        let Some(alert) = found else {
            return Ok(Err(self.reply(asked, say::desk::no_such_draft())));
        };
        let answer = match alert.state {
            AlertState::Draft if alert.author() != officer.name => {
                say::desk::only_the_author(alert.author())
            }
            // Set back far, a clock says nothing of how old it is.
            AlertState::Draft if (now - alert.drafted_at).abs() >= self.settings.draft_lasts => {
                say::desk::draft_too_old(self.settings.draft_lasts.num_minutes())
            }
            AlertState::Pending
                if alert.author() != officer.name
                    && !self
                        .approvers(&alert, &staff)
                        .iter()
                        .any(|person| person.name == officer.name) =>
            {
                say::approval::not_yours(&alert.code)
            }
            AlertState::Draft | AlertState::Pending => return Ok(Ok(alert)),
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
            None if words::is_mistyped_code(rest) => {
                return Ok(self.reply(asked, say::alert::mistyped_code()));
            }
            None => None,
        };
        let text = match found {
            Some(alert) => say::alert::checked(&alert, &self.areas.title(&alert.area), now),
            None => {
                // A code that exists is read in two steps: the other answer takes as many.
                self.store.alert(AlertId(0)).await?;
                say::alert::unknown_code()
            }
        };
        Ok(self.reply(asked, text))
    }

    pub(super) async fn tidy_alerts(&self) -> Result<Option<Act>, StoreError> {
        let mut doing = self.begin();
        for mut alert in self.store.open_alerts().await? {
            let since = doing.now - alert.versions.latest().at;
            let (step, act) = match alert.state {
                AlertState::Draft
                    if (doing.now - alert.drafted_at).abs() >= self.settings.draft_lasts =>
                {
                    (Step::Drop, "alert.lapse")
                }
                AlertState::Pending => {
                    self.tidy_pending(&mut doing, alert).await?;
                    continue;
                }
                // Its end has been reported, or never will be: nothing is open any more.
                AlertState::AllClear | AlertState::Withdrawn
                    if alert.reported || since >= REPORT_GRACE =>
                {
                    doing
                        .act
                        .expects
                        .push(Expect::Alert(alert.id, alert.revision));
                    alert.revision += 1;
                    alert.progress = None;
                    doing.act.writes.push(Write::Alert(Box::new(alert)));
                    continue;
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
            if step == Step::Expire {
                let rows = self.store.alert_rows(alert.id).await?;
                doing.unpin_all(&alert, &rows, &self.store.rooms().await?);
            }
            doing.audit("keng", act, alert.id, "");
            if step == Step::Expire {
                self.mark_as_over(&mut doing, &alert).await?;
            }
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
    pub(super) fn without_buttons(&mut self, asked: &Asked<'_>, text: impl FnOnce() -> String) {
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
