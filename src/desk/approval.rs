//! A second officer for what is loudest or widest.
//!
//! ```text
//! author confirms ─▶ pending ─▶ every colleague who may approve is told, in every private chat they use
//!    └ sees at once that it waits, and for whom      ├─ /duyet CODE, or the button ─▶ live
//!                                                    ├─ refused ─▶ dropped
//!                                                    └─ nobody answers: reminded, then dropped
//! ```

use super::Asked;
use super::Desk;
use super::Doing;
use super::StaffDirectory;
use crate::domain::alert::Alert;
use crate::domain::alert::AlertState;
use crate::domain::alert::Approval;
use crate::domain::alert::Level;
use crate::domain::alert::Step;
use crate::domain::area::AreaId;
use crate::domain::delivery::Body;
use crate::domain::delivery::Button;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Post;
use crate::domain::ids::RoomId;
use crate::domain::person::Staff;
use crate::say;
use crate::store::Act;
use crate::store::Expect;
use crate::store::StoreError;
use crate::store::Write;

impl Desk {
    /// Whether a second officer has to approve an alert. A ward with one officer may do without in its
    /// own area; nobody may do so elsewhere.
    pub(super) fn needs_second(&self, author: &AreaId, alert: &Alert) -> bool {
        let reaches_out = !outside(author, alert).is_empty();
        reaches_out
            || alert.target.is_wide()
            || (alert.level == Level::Urgent && self.settings.second_officer)
    }

    /// Who may approve it: colleagues of the same area, and where it reaches further, those of there.
    pub(super) fn approvers<'a>(&self, alert: &Alert, staff: &'a StaffDirectory) -> Vec<&'a Staff> {
        let elsewhere = outside(&alert.area, alert);
        let may = |person: &&Staff| {
            if elsewhere.is_empty() {
                person.area.contains(&alert.area)
            } else {
                elsewhere.iter().any(|area| person.area.contains(area))
            }
        };
        staff
            .people()
            .iter()
            .filter(|person| person.role.is_officer() && person.name != alert.author())
            .filter(may)
            .collect()
    }

    /// The author has confirmed: asks the others, and tells the author that it is not out yet.
    pub(super) async fn ask_second(
        &self,
        asked: &Asked<'_>,
        mut alert: Alert,
        shown: &str,
        rooms: usize,
    ) -> Result<Act, StoreError> {
        let staff = self.staff().await?;
        let approvers = self.approvers(&alert, &staff);
        if approvers.is_empty() {
            return Ok(self.reply(asked, say::approval::nobody_can()));
        }
        let mut doing = self.begin();
        let revision = alert.revision;
        if alert.step(Step::Ask).is_err() {
            return Ok(self.reply(asked, say::desk::already_sent(&alert, doing.now)));
        }
        doing.act.expects.push(Expect::Alert(alert.id, revision));
        alert.approval = Some(Approval {
            asked_at: doing.now,
            reminded_at: None,
        });
        let names: Vec<&str> = approvers
            .iter()
            .map(|person| person.name.as_str())
            .collect();
        let mut told = 0;
        for person in &approvers {
            for room in self.private_rooms_of(person).await? {
                let text = say::approval::please(&alert, shown, rooms, self.minutes_to_approve());
                doing.ask_approval(room, &alert, text);
                told += 1;
            }
        }
        let waits =
            say::approval::waits_for(&alert.code, &names, told > 0, self.minutes_to_approve());
        match asked.press {
            Some(_) => {
                doing.answer(asked, say::approval::waits_short());
                if asked.is_private() {
                    doing.without_buttons(asked, || waits);
                } else {
                    doing.tell_in(alert.desk.clone(), alert.desk_thread.clone(), waits);
                }
            }
            None => doing.answer(asked, waits),
        }
        doing.audit(
            alert.author(),
            "alert.ask",
            alert.id,
            format!("{} asked {told} chats", alert.level.as_str()),
        );
        doing.act.writes.push(Write::Alert(Box::new(alert)));
        Ok(doing.act)
    }

    /// A colleague approves what waits, or refuses it.
    pub(super) async fn decide_pending(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        alert: Alert,
        yes: bool,
    ) -> Result<Act, StoreError> {
        let now = self.clock.now();
        let staff = self.staff().await?;
        if alert.author() == officer.name {
            if !yes {
                return self.throw_away(officer, asked, alert).await;
            }
            let names: Vec<&str> = self
                .approvers(&alert, &staff)
                .iter()
                .map(|person| person.name.as_str())
                .collect();
            return Ok(self.reply(asked, say::approval::not_your_own(&alert.code, &names)));
        }
        if self.has_lapsed(&alert) {
            return Ok(self.reply(asked, say::approval::too_late(&alert.code)));
        }
        if !yes {
            return self.throw_away(officer, asked, alert).await;
        }
        let author = staff
            .named(alert.author())
            .filter(|author| author.role.is_officer() && author.area.contains(&alert.area));
        if author.is_none() {
            let text = say::approval::author_is_gone(&alert.code, alert.author());
            return Ok(self.reply(asked, text));
        }
        self.publish(officer, asked, alert, now).await
    }

    /// Whether nobody may approve it any more. A clock that was set back far makes it void, too: nobody
    /// knows how long it has waited.
    pub(super) fn has_lapsed(&self, alert: &Alert) -> bool {
        let asked_at = alert
            .approval
            .map_or(alert.drafted_at, |approval| approval.asked_at);
        (self.clock.now() - asked_at).abs() >= self.settings.approval_lasts
    }

    /// Reminds, and gives up.
    pub(super) async fn tidy_pending(
        &self,
        doing: &mut Doing<'_>,
        mut alert: Alert,
    ) -> Result<(), StoreError> {
        let Some(mut approval) = alert.approval else {
            return Ok(());
        };
        let revision = alert.revision;
        let staff = self.staff().await?;
        if self.has_lapsed(&alert) {
            if alert.step(Step::Drop).is_err() {
                return Ok(());
            }
            let text = say::approval::lapsed(&alert.code, self.minutes_to_approve());
            doing.tell_in(alert.desk.clone(), alert.desk_thread.clone(), text);
            doing.audit("keng", "alert.lapse", alert.id, "nobody approved");
        } else if approval.reminded_at.is_none()
            && doing.now - approval.asked_at >= self.settings.approval_reminder
        {
            alert.revision += 1;
            approval.reminded_at = Some(doing.now);
            alert.approval = Some(approval);
            for person in self.approvers(&alert, &staff) {
                for room in self.private_rooms_of(person).await? {
                    let text = say::approval::reminder(&alert);
                    doing.ask_approval(room, &alert, text);
                }
            }
            doing.audit("keng", "alert.remind", alert.id, "");
        } else {
            return Ok(());
        }
        doing.act.expects.push(Expect::Alert(alert.id, revision));
        doing.act.writes.push(Write::Alert(Box::new(alert)));
        Ok(())
    }

    fn minutes_to_approve(&self) -> i64 {
        self.settings.approval_lasts.num_minutes()
    }

    /// What waits for this officer's approval.
    pub(super) async fn waiting_for(&self, officer: &Staff) -> Result<Vec<Alert>, StoreError> {
        let staff = self.staff().await?;
        let mut waiting = self.store.open_alerts().await?;
        waiting.retain(|alert| {
            alert.state == AlertState::Pending
                && !self.has_lapsed(alert)
                && self
                    .approvers(alert, &staff)
                    .iter()
                    .any(|person| person.name == officer.name)
        });
        Ok(waiting)
    }

    /// Every private chat by which somebody can be told something.
    pub(super) async fn private_rooms_of(&self, staff: &Staff) -> Result<Vec<RoomId>, StoreError> {
        let mut rooms = Vec::new();
        for (account, native) in &staff.identities {
            let id = RoomId::new(account.clone(), native.as_str());
            rooms.extend(self.private_room(&id).await?);
        }
        Ok(rooms)
    }
}

/// Whether an alert stands in an officer's area, or comes from there: then they may take it back.
pub(super) fn answers_for(officer: &Staff, alert: &Alert) -> bool {
    officer.area.contains(&alert.area)
        || outside(&alert.area, alert)
            .iter()
            .any(|area| officer.area.contains(area))
}

/// The parts of an alert's target that its author's unit does not answer for.
fn outside<'a>(author: &AreaId, alert: &'a Alert) -> Vec<&'a AreaId> {
    alert
        .target
        .areas
        .iter()
        .filter(|area| !author.contains(area))
        .collect()
}

impl Doing<'_> {
    fn ask_approval(&mut self, room: RoomId, alert: &Alert, text: String) {
        let button = |label: String, answer: &str| Button {
            label,
            data: format!("a:{answer}:{}", alert.code),
        };
        let post = Post {
            text,
            buttons: vec![vec![
                button(say::approval::button_yes(), "ok"),
                button(say::approval::button_no(), "no"),
            ]],
            ..Post::default()
        };
        // Before everything but alerts: it is one that waits.
        self.send(room, None, Lane::Urgent, Body::Text(post));
    }
}
