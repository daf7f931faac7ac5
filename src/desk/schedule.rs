//! `/hen`: the digest that comes by itself, every day at the hour its reader chose.
//!
//! ```text
//! /hen 18h ─▶ appointment, due at six ─▶ six o'clock: digest + next day's due, one act ─▶ …
//! /hen thôi, or a role that was taken back ─▶ ended
//! ```
//! An appointment belongs to a chat. Said in private, it is that chat. Said in a group, it is the
//! asker's private chat all the same, so that a group stays quiet; only `/hen 18h vào nhóm` means the
//! group, and what is read there is the day of the group's own area: a village never gets the digest
//! of the commune. From noon on a digest tells of its day as `/tonghop` would; before noon the day has
//! hardly begun, so it tells of the one before, as `/tonghop hôm qua` would.
//!
//! Whoever asked is looked up again each time: without the role, or without the area, nothing comes
//! any more. A digest whose hour passed while the program stood still comes late and says so; when it
//! is later than a deployment wants, one line says that it was missed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::NaiveDate;
use chrono::TimeDelta;

use super::Asked;
use super::Desk;
use super::Doing;
use super::staff::StaffDirectory;
use crate::digest;
use crate::domain::appointment::Appointment;
use crate::domain::appointment::Hour;
use crate::domain::area::AreaId;
use crate::domain::clock::Time;
use crate::domain::delivery::Body;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Post;
use crate::domain::digest::Days;
use crate::domain::digest::Digest;
use crate::domain::ids::RoomId;
use crate::domain::person::Staff;
use crate::domain::room::Room;
use crate::domain::room::RoomState;
use crate::say;
use crate::say::digest::Audience;
use crate::say::schedule::Into;
use crate::store::Act;
use crate::store::Expect;
use crate::store::StoreError;
use crate::store::Write;
use crate::text::hour::Half;
use crate::text::hour::Place;
use crate::text::hour::What;
use crate::text::hour::Wish;
use crate::text::hour::parse;

/// How many appointments are kept at once; the others of the same minute follow at once.
const AT_ONCE: usize = 64;

/// Below this nobody calls it late.
const PUNCTUAL: TimeDelta = TimeDelta::minutes(5);

/// A room that moves moves once; more hops than these are a circle.
const HOPS: usize = 4;

/// What to do about the appointments whose time has come.
#[derive(Debug)]
pub struct Due {
    /// An act for each, to be committed: one that is stale was done by somebody else.
    pub acts: Vec<(Act, Kept)>,
    /// When to ask again.
    pub next: Option<Time>,
}

/// How an appointment was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// With a digest at its hour.
    InTime,
    /// With a digest that says it is late.
    Late,
    /// With a word that it was missed, where one person reads it.
    Missed,
    /// Not at all: whoever asked has no right to it any more, or the chat is gone.
    Ended,
}

/// Where a digest is to come.
struct Target {
    room: RoomId,
    thread: Option<String>,
    into: Into,
    area: AreaId,
}

/// Who reads a digest, and where.
struct Reader {
    name: String,
    room: RoomId,
    area: AreaId,
    audience: Audience,
}

impl Desk {
    /// `/hen HOUR`, `/hen`, `/hen thôi`.
    pub(super) async fn schedule(
        &self,
        staff: &Staff,
        asked: &Asked<'_>,
        rest: &str,
    ) -> Result<Act, StoreError> {
        let Some(wish) = parse(rest) else {
            return Ok(self.reply(asked, say::schedule::which_hour()));
        };
        let target = match self.target(staff, asked, &wish).await? {
            Ok(target) => target,
            Err(why_not) => return Ok(self.reply(asked, why_not)),
        };
        let found = self.store.appointment(&target.room).await?;
        let title = self.areas.title(&target.area);
        let set = found.as_ref().filter(|found| found.due.is_some());
        let mut doing = self.begin();
        match (wish.what, set) {
            (What::Ask, Some(set)) => doing.answer(
                asked,
                say::schedule::standing(&title, set.hour, target.into),
            ),
            (What::Ask | What::Stop, None) => doing.answer(asked, say::schedule::nothing_set()),
            (What::Stop, Some(set)) => {
                doing.answer(asked, say::schedule::ended());
                doing.audit(&staff.name, "digest.unschedule", &set.room, "");
                doing.put(set, |set| set.due = None);
            }
            (What::Daily { hour, half }, _) => {
                let appointment = found.unwrap_or_else(|| Appointment {
                    room: target.room,
                    thread: None,
                    native: String::new(),
                    revision: 0,
                    hour,
                    asked_at: doing.now,
                    due: None,
                    done: None,
                });
                let first = hour.next(doing.now, appointment.done);
                let said = say::schedule::Set {
                    area_title: &title,
                    hour,
                    first,
                    into: target.into,
                    other: (half == Half::Guessed).then(|| evening(hour)).flatten(),
                };
                doing.answer(asked, say::schedule::set(&said, doing.now));
                let (clock, minute) = hour.on_the_clock();
                doing.audit(
                    &staff.name,
                    "digest.schedule",
                    &appointment.room,
                    format!("{} daily at {clock:02}:{minute:02}", target.area),
                );
                let now = doing.now;
                doing.put(&appointment, |appointment| {
                    appointment.thread = target.thread;
                    appointment.native = asked.person.native.to_string();
                    appointment.hour = hour;
                    appointment.asked_at = now;
                    appointment.due = Some(first);
                });
            }
        }
        Ok(doing.act)
    }

    /// The chat that is meant, or why there is none.
    async fn target(
        &self,
        staff: &Staff,
        asked: &Asked<'_>,
        wish: &Wish,
    ) -> Result<Result<Target, String>, StoreError> {
        let private = |room: RoomId, into| Target {
            room,
            thread: None,
            into,
            area: staff.area.clone(),
        };
        let wants_group = wish.place == Place::Group;
        if asked.is_private() {
            return Ok(if wants_group {
                Err(say::schedule::ask_in_the_group())
            } else {
                Ok(private(asked.room.clone(), Into::Here))
            });
        }
        let room = self.store.room(&asked.room).await?;
        let group = room.and_then(|room| group_area(&room, staff));
        let has_one = self
            .store
            .appointment(&asked.room)
            .await?
            .is_some_and(|found| found.due.is_some());
        match group {
            Some(area) if wants_group || has_one => {
                return Ok(Ok(Target {
                    room: asked.room.clone(),
                    thread: asked.thread.clone(),
                    into: Into::Group,
                    area,
                }));
            }
            None if wants_group => return Ok(Err(say::schedule::not_this_group())),
            _ => {}
        }
        Ok(match self.private_room(&asked.person).await? {
            Some(room) => Ok(private(room, Into::Private)),
            None => Err(say::schedule::write_privately_first()),
        })
    }

    /// The digests whose hour has come, at most a few dozen at once. The caller commits each act and
    /// asks again when there were any, or when the next is due.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn due(&self) -> Result<Due, StoreError> {
        let now = self.clock.now();
        let (due, next) = self.store.appointments_due(now, AT_ONCE).await?;
        let mut acts = Vec::with_capacity(due.len());
        if !due.is_empty() {
            let staff = self.staff().await?;
            // Colleagues of one commune read the same day at the same hour.
            let mut read = HashMap::new();
            for appointment in &due {
                acts.push(self.keep(appointment, &staff, &mut read).await?);
            }
        }
        Ok(Due { acts, next })
    }

    async fn keep(
        &self,
        appointment: &Appointment,
        staff: &StaffDirectory,
        read: &mut HashMap<(AreaId, NaiveDate), Digest>,
    ) -> Result<(Act, Kept), StoreError> {
        let mut doing = self.begin();
        let now = doing.now;
        let reader = match self.reader(appointment, staff).await? {
            Ok(reader) => reader,
            Err(why) => return Ok(doing.end(appointment, why)),
        };
        let mut current = appointment.clone();
        if reader.room != appointment.room {
            // The group goes on under another id; so does its appointment, unless one was made there.
            let there = self.store.appointment(&reader.room).await?;
            if there.as_ref().is_some_and(|there| there.due.is_some()) {
                return Ok(doing.end(appointment, "the group has moved"));
            }
            doing.put(appointment, |old| old.due = None);
            current.revision = there.map_or(0, |there| there.revision);
            current.room = reader.room.clone();
        }
        let due = appointment.due.unwrap_or(now);
        let late = now - due;
        let kept = match late {
            late if late > self.settings.digest_late => Kept::Missed,
            late if late > PUNCTUAL => Kept::Late,
            _ => Kept::InTime,
        };
        if let Some(text) = self
            .words(appointment.hour, due, kept, &reader, read)
            .await?
        {
            let body = Body::Text(Post {
                text,
                ..Post::default()
            });
            // After alerts and answers; and after a crash in mid-send it is not said twice.
            doing.send(reader.room, current.thread.clone(), Lane::Bulk, body);
        }
        let act = match kept {
            Kept::Missed => "digest.miss",
            Kept::InTime | Kept::Late | Kept::Ended => "digest.send",
        };
        let detail = format!(
            "to {} in {}, due {}, {} min late",
            reader.name,
            current.room,
            due.to_rfc3339(),
            late.num_minutes()
        );
        doing.audit("keng", act, &reader.area, detail);
        doing.put(&current, |next| {
            next.done = Some(due.date_naive());
            next.due = Some(next.hour.next(now, next.done));
        });
        Ok((doing.act, kept))
    }

    /// Who reads a digest where, as the roles and the rooms are now; or why nobody does any more.
    async fn reader(
        &self,
        appointment: &Appointment,
        staff: &StaffDirectory,
    ) -> Result<Result<Reader, &'static str>, StoreError> {
        let account = &appointment.room.account;
        let Some(person) = staff.with_id(account, &appointment.native) else {
            return Ok(Err("no role any more"));
        };
        let Some(room) = self.place(appointment).await? else {
            return Ok(Err("the chat is gone"));
        };
        let (area, audience) = if appointment.is_private() {
            (person.area.clone(), Audience::Staff)
        } else {
            match room.as_ref().and_then(|room| group_area(room, person)) {
                Some(area) => (area, Audience::Group),
                None => return Ok(Err("the group belongs elsewhere now")),
            }
        };
        Ok(Ok(Reader {
            name: person.name.clone(),
            room: room.map_or_else(|| appointment.room.clone(), |room| room.id),
            area,
            audience,
        }))
    }

    /// What is said at this hour. Nothing about a missed digest in a group: nobody there could ask for it.
    async fn words(
        &self,
        hour: Hour,
        due: Time,
        kept: Kept,
        reader: &Reader,
        read: &mut HashMap<(AreaId, NaiveDate), Digest>,
    ) -> Result<Option<String>, StoreError> {
        let now = self.clock.now();
        if kept == Kept::Missed {
            let told = reader.audience == Audience::Staff;
            return Ok(told.then(|| say::schedule::missed(due, now)));
        }
        let day = told_day(hour, due.date_naive());
        let digest = match read.entry((reader.area.clone(), day)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(empty) => {
                let days = Days { from: day, to: day };
                let store = self.store.as_ref();
                empty.insert(digest::of(store, &self.areas, &reader.area, days, now).await?)
            }
        };
        let text = say::digest::text(digest, &self.areas, reader.audience, now);
        Ok(Some(match kept {
            Kept::Late => say::schedule::late(due, &text, now),
            Kept::InTime | Kept::Missed | Kept::Ended => text,
        }))
    }

    /// The chat as it is reached now: none when it is gone; nothing inside when it is not known.
    async fn place(&self, appointment: &Appointment) -> Result<Option<Option<Room>>, StoreError> {
        let mut id = appointment.room.clone();
        let mut found = None;
        for _ in 0..HOPS {
            found = self.store.room(&id).await?;
            match found.as_ref().map(|room| &room.state) {
                Some(RoomState::Removed) => return Ok(None),
                Some(RoomState::Moved(to)) => id = to.clone(),
                Some(RoomState::Active) | None => break,
            }
        }
        Ok(Some(found))
    }
}

/// The day that a digest of this hour tells of.
fn told_day(hour: Hour, day: NaiveDate) -> NaiveDate {
    if hour < Hour::NOON {
        day.pred_opt().unwrap_or(day)
    } else {
        day
    }
}

/// The group's own area, where it is the person's to read of.
fn group_area(room: &Room, staff: &Staff) -> Option<AreaId> {
    room.area.clone().filter(|area| staff.area.contains(area))
}

/// Twelve hours later on the same day.
fn evening(hour: Hour) -> Option<Hour> {
    Hour::from_minutes(hour.minutes() + 12 * 60)
}

impl Doing<'_> {
    /// Writes an appointment as the next revision of the one that was read.
    fn put(&mut self, read: &Appointment, change: impl FnOnce(&mut Appointment)) {
        let mut next = read.clone();
        change(&mut next);
        next.revision += 1;
        let expect = Expect::Appointment(read.room.clone(), read.revision);
        self.act.expects.push(expect);
        self.act.writes.push(Write::Appointment(Box::new(next)));
    }

    fn end(mut self, appointment: &Appointment, why: &str) -> (Act, Kept) {
        self.audit("keng", "digest.unschedule", &appointment.room, why);
        self.put(appointment, |ended| ended.due = None);
        (self.act, Kept::Ended)
    }
}
