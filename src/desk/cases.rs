//! An officer moves a case: takes it, hands it on, closes it, refuses it, joins it to another.
//!
//! A case outside the officer's area is as good as none. The reporters hear of it in the room where
//! they told it, in words that repeat nothing; the facts are shown to officers in private only.

use std::collections::HashSet;

use super::Asked;
use super::Desk;
use super::Doing;
use super::words;
use crate::domain::delivery::Body;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Post;
use crate::domain::ids::IncidentId;
use crate::domain::ids::RoomId;
use crate::domain::incident::EventKind;
use crate::domain::incident::Incident;
use crate::domain::incident::MAX_ENTRIES;
use crate::domain::incident::Sensitivity;
use crate::domain::incident::Status;
use crate::domain::person::Staff;
use crate::domain::reading::CommandName;
use crate::domain::reading::Facts;
use crate::say;
use crate::store::Act;
use crate::store::Expect;
use crate::store::StoreError;
use crate::store::Write;
use crate::store::aside;

/// The longest result or reason, in characters.
const MAX_RESULT: usize = 1_000;

/// How an officer ends a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With a result.
    Done,
    /// With a reason.
    Rejected,
}

impl Desk {
    /// `/nhan CODE`: takes a case; said again by its holder, shows it again.
    pub(super) async fn accept(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        rest: &str,
    ) -> Result<Act, StoreError> {
        let Some((id, _)) = words::case_code(rest) else {
            return Ok(self.reply(asked, say::desk::case_which(CommandName::Nhan.as_str(), "")));
        };
        let Some(mut case) = self.case(officer, id).await? else {
            return Ok(self.reply(asked, say::desk::no_such_case(id)));
        };
        let is_mine = case.officer.as_deref() == Some(&officer.name);
        let taken = match (&case.status, &case.officer) {
            (Status::Accepted, _) if is_mine => true,
            (Status::Accepted, Some(other)) => {
                return Ok(self.reply(asked, say::desk::held_by(id, other)));
            }
            (Status::New | Status::Accepted, _) => false,
            _ => return Ok(self.reply(asked, say::desk::already_closed(&case))),
        };

        let mut doing = self.begin();
        if !taken {
            doing.act.expects.push(Expect::Incident(id, case.version));
            case.status = Status::Accepted;
            case.officer = Some(officer.name.clone());
            case.version += 1;
            case.note(
                doing.now,
                EventKind::Accepted {
                    by: officer.name.clone(),
                },
            );
            doing.audit(&officer.name, "incident.accept", id, "");
            doing
                .tell_reporters(&case, &say::receipt::accepted(id))
                .await?;
        }
        let private = if asked.is_private() {
            Some(asked.room.clone())
        } else {
            self.private_room(&asked.person).await?
        };
        if let Some(room) = private {
            let area = self.areas.title(&case.area);
            let facts = say::desk::case_facts(&case, &area, doing.now);
            doing.audit(&officer.name, "incident.read", id, "");
            doing.tell(
                room,
                Post {
                    text: facts,
                    ..Post::default()
                },
            );
        }
        if !asked.is_private() && (taken || !told_in(&case, &asked.room)) {
            doing.answer(asked, say::desk::case_now(&case));
        }
        if !taken {
            doing.act.writes.push(Write::Incident(Box::new(case)));
        }
        Ok(doing.act)
    }

    /// `/xong CODE result` and `/tuchoi CODE reason`.
    pub(super) async fn close(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        rest: &str,
        end: End,
    ) -> Result<Act, StoreError> {
        let Some((id, words)) = words::case_code(rest) else {
            let text = match end {
                End::Done => say::desk::result_missing(IncidentId(1204)),
                End::Rejected => say::desk::reason_missing(IncidentId(1204)),
            };
            return Ok(self.reply(asked, text));
        };
        let Some(mut case) = self.case(officer, id).await? else {
            return Ok(self.reply(asked, say::desk::no_such_case(id)));
        };
        if !case.status.is_open() {
            return Ok(self.reply(asked, say::desk::already_closed(&case)));
        }
        if !words.chars().any(char::is_alphabetic) {
            let text = match end {
                End::Done => say::desk::result_missing(id),
                End::Rejected => say::desk::reason_missing(id),
            };
            return Ok(self.reply(asked, text));
        }
        if words.chars().count() > MAX_RESULT {
            return Ok(self.reply(asked, say::desk::result_too_long(MAX_RESULT)));
        }

        let mut doing = self.begin();
        doing.act.expects.push(Expect::Incident(id, case.version));
        case.version += 1;
        case.officer.get_or_insert_with(|| officer.name.clone());
        let by = officer.name.clone();
        let (status, event, act, heard) = match end {
            End::Done => (
                Status::Done,
                EventKind::Closed {
                    by,
                    result: words.to_owned(),
                },
                "incident.close",
                say::receipt::done(id),
            ),
            End::Rejected => (
                Status::Rejected,
                EventKind::Rejected {
                    by,
                    reason: words.to_owned(),
                },
                "incident.reject",
                say::receipt::rejected(id),
            ),
        };
        case.status = status;
        case.note(doing.now, event);
        doing.audit(&officer.name, act, id, "");
        doing.tell_reporters(&case, &heard).await?;
        if asked.is_private() {
            let area = self.areas.title(&case.area);
            doing.answer(asked, say::desk::case_closed(&case, &area, words));
        } else if !told_in(&case, &asked.room) {
            doing.answer(asked, say::desk::case_now(&case));
        }
        doing.act.writes.push(Write::Incident(Box::new(case)));
        Ok(doing.act)
    }

    /// `/giao CODE name`: hands a case to a colleague of the area.
    pub(super) async fn assign(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        rest: &str,
    ) -> Result<Act, StoreError> {
        let Some((id, name)) = words::case_code(rest) else {
            let text = say::desk::case_which(CommandName::Giao.as_str(), " Hà");
            return Ok(self.reply(asked, text));
        };
        let Some(mut case) = self.case(officer, id).await? else {
            return Ok(self.reply(asked, say::desk::no_such_case(id)));
        };
        if !case.status.is_open() {
            return Ok(self.reply(asked, say::desk::already_closed(&case)));
        }
        if words::says_nothing(name) {
            return Ok(self.reply(asked, say::desk::assign_to_whom(id)));
        }
        let staff = self.staff().await?;
        let found = staff.officers_named(&case.area, name);
        let [to] = found.as_slice() else {
            // The list of colleagues is no business of a group.
            let known: Vec<&str> = if asked.is_private() {
                staff
                    .officers(&case.area)
                    .map(|staff| staff.name.as_str())
                    .collect()
            } else {
                Vec::new()
            };
            return Ok(self.reply(asked, say::desk::no_such_officer(&known)));
        };

        let mut doing = self.begin();
        doing.act.expects.push(Expect::Incident(id, case.version));
        case.version += 1;
        let was_new = case.status == Status::New;
        case.status = Status::Accepted;
        case.officer = Some(to.name.clone());
        case.note(
            doing.now,
            EventKind::Assigned {
                by: officer.name.clone(),
                to: to.name.clone(),
            },
        );
        doing.audit(&officer.name, "incident.assign", id, to.name.clone());
        if was_new {
            doing
                .tell_reporters(&case, &say::receipt::accepted(id))
                .await?;
        }
        let told = if to.name == officer.name {
            say::desk::Told::Yes
        } else if let Some(room) = self.private_room_of(to).await? {
            let text = say::desk::given_to_you(id, &officer.name);
            doing.tell(
                room,
                Post {
                    text,
                    ..Post::default()
                },
            );
            say::desk::Told::Yes
        } else {
            say::desk::Told::No
        };
        doing.answer(asked, say::desk::assigned(id, &to.name, told));
        doing.act.writes.push(Write::Incident(Box::new(case)));
        Ok(doing.act)
    }

    /// `/gop A vào B`: A was the same event as B.
    pub(super) async fn merge(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        rest: &str,
    ) -> Result<Act, StoreError> {
        let Some((from, into)) = words::two_case_codes(rest) else {
            let text = say::desk::case_which(CommandName::Gop.as_str(), " vào 1198");
            return Ok(self.reply(asked, text));
        };
        if from == into {
            return Ok(self.reply(asked, say::desk::merge_with_itself()));
        }
        let Some(mut absorbed) = self.case(officer, from).await? else {
            return Ok(self.reply(asked, say::desk::no_such_case(from)));
        };
        let Some(mut kept) = self.case(officer, into).await? else {
            return Ok(self.reply(asked, say::desk::no_such_case(into)));
        };
        if let Some(closed) = [&absorbed, &kept]
            .into_iter()
            .find(|case| !case.status.is_open())
        {
            return Ok(self.reply(asked, say::desk::already_closed(closed)));
        }

        let mut doing = self.begin();
        doing
            .act
            .expects
            .push(Expect::Incident(from, absorbed.version));
        doing.act.expects.push(Expect::Incident(into, kept.version));
        let by = Some(officer.name.clone());
        kept.version += 1;
        take_in(&mut kept, &absorbed);
        kept.note(
            doing.now,
            EventKind::Merged {
                by: by.clone(),
                with: from,
            },
        );
        absorbed.version += 1;
        absorbed.status = Status::Merged(into);
        absorbed.note(doing.now, EventKind::Merged { by, with: into });
        doing.audit(
            &officer.name,
            "incident.merge",
            from,
            format!("into {into}"),
        );
        doing.answer(asked, say::desk::merged(from, into));
        doing.act.writes.push(Write::Incident(Box::new(absorbed)));
        doing.act.writes.push(Write::Incident(Box::new(kept)));
        Ok(doing.act)
    }

    /// The case, if it lies in the officer's area.
    async fn case(&self, officer: &Staff, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        let case = self.store.incident(id).await?;
        Ok(case.filter(|case| officer.area.contains(&case.area)))
    }
}

impl Doing<'_> {
    /// Tells the reporters, once in each room, in answer to the first report there; aside, where the case
    /// is spoken of aside only.
    async fn tell_reporters(&mut self, case: &Incident, text: &str) -> Result<(), StoreError> {
        // People who wrote weeks before the bot came would be startled.
        if case.imported {
            return Ok(());
        }
        let mut told: HashSet<&RoomId> = HashSet::new();
        for report in &case.reports {
            if !told.insert(&report.room) {
                continue;
            }
            let account = &report.room.account;
            let aside = aside::chat(self.desk.store.as_ref(), account, case.id).await?;
            let mut post = Post {
                text: text.to_owned(),
                ..Post::default()
            };
            match aside {
                None => {
                    post.reply_to = Some(report.message.clone());
                    let (room, thread) = (report.room.clone(), report.thread.clone());
                    self.send(room, thread, Lane::Reply, Body::Text(post));
                }
                Some(Some(chat)) if !case.reports.iter().any(|other| other.room == chat) => {
                    self.send(chat, None, Lane::Reply, Body::Text(post));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// Whether the reporters' answer stands in this room, so that a second one would only be noise.
fn told_in(case: &Incident, room: &RoomId) -> bool {
    !case.imported && case.reports.iter().any(|report| report.room == *room)
}

/// What the other case knew is added; what this one says stands.
fn take_in(kept: &mut Incident, other: &Incident) {
    for report in &other.reports {
        if kept.reports.len() < MAX_ENTRIES {
            kept.reports.push(report.clone());
        } else {
            kept.more_reports = kept.more_reports.saturating_add(1);
        }
    }
    kept.more_reports = kept.more_reports.saturating_add(other.more_reports);
    kept.received_at = kept.received_at.min(other.received_at);
    kept.imported &= other.imported;
    if other.sensitivity == Sensitivity::Private {
        kept.sensitivity = Sensitivity::Private;
    }
    let Facts {
        categories,
        primary: _,
        urgent,
        place,
        time,
        phones,
        plates,
        urls,
        handles,
        accounts,
    } = other.facts.clone();
    let facts = &mut kept.facts;
    add(&mut facts.categories, categories);
    facts.urgent |= urgent;
    facts.place = facts.place.take().or(place);
    facts.time = facts.time.take().or(time);
    add(&mut facts.phones, phones);
    add(&mut facts.plates, plates);
    add(&mut facts.urls, urls);
    add(&mut facts.handles, handles);
    add(&mut facts.accounts, accounts);
}

fn add<T: PartialEq>(list: &mut Vec<T>, more: Vec<T>) {
    for item in more {
        if !list.contains(&item) {
            list.push(item);
        }
    }
}
