//! Which rooms an alert is for, and which it will not reach.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;

use super::Desk;
use super::Doing;
use super::StaffDirectory;
use super::heading;
use super::words;
use super::words::Named;
use crate::domain::account::Platform;
use crate::domain::alert::Alert;
use crate::domain::alert::Level;
use crate::domain::alert::Target;
use crate::domain::area::AreaBook;
use crate::domain::area::AreaId;
use crate::domain::clock::Time;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Follows;
use crate::domain::ids::AccountName;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::RoomId;
use crate::domain::person::Staff;
use crate::domain::room::Quiet;
use crate::domain::room::Room;
use crate::domain::room::RoomKind;
use crate::domain::room::RoomState;
use crate::say;
use crate::store::Act;
use crate::store::Expect;
use crate::store::StoreError;
use crate::store::window;

/// What a deployment says of its accounts and rooms.
#[derive(Debug, Clone, Default)]
pub struct RoomRules {
    /// Our accounts, and where they live.
    pub accounts: Vec<(AccountName, Platform)>,
    /// When rooms are left alone by information.
    pub quiet: Option<Quiet>,
    /// The same for single rooms; none: never.
    pub quiet_rooms: HashMap<RoomId, Option<Quiet>>,
    /// Rooms that hear exercises.
    pub drills: HashSet<RoomId>,
}

impl RoomRules {
    /// When a room is left alone by information; what was chosen there by command comes first.
    pub(super) fn quiet(&self, room: &Room) -> Option<Quiet> {
        let chosen = room.choices.and_then(|choices| choices.quiet);
        let configured = || self.quiet_rooms.get(&room.id).copied();
        chosen.or_else(configured).unwrap_or(self.quiet)
    }

    /// Whether a room hears exercises.
    pub(super) fn hears_drills(&self, room: &Room) -> bool {
        let chosen = room.choices.and_then(|choices| choices.drills);
        chosen.unwrap_or_else(|| self.drills.contains(&room.id))
    }

    /// Not before this moment is an alert of this level sent into the room.
    pub(super) fn due(&self, room: &Room, level: Level, now: Time) -> Time {
        let quiet = self.quiet(room);
        match level {
            Level::Info => quiet.and_then(|quiet| quiet.over_at(now)).unwrap_or(now),
            Level::Warning | Level::Urgent => now,
        }
    }
}

/// The rooms of an alert, and those that will not hear it.
#[derive(Debug, Default)]
pub(super) struct Reach {
    pub(super) hears: Vec<Room>,
    pub(super) unbound: Vec<String>,
    pub(super) removed: Vec<String>,
    /// Of the area, but not named by the author.
    pub(super) not_chosen: Vec<String>,
    /// Did not opt in to exercises.
    pub(super) no_drills: Vec<String>,
    /// Posted in by hand, by somebody who may not be written to before their next word.
    pub(super) closed: Vec<String>,
}

impl Reach {
    pub(super) fn of(rooms: Vec<Room>, alert: &Alert, rules: &RoomRules) -> Self {
        let target = &alert.target;
        let mut reach = Self::default();
        for room in rooms {
            if room.kind == RoomKind::Private {
                continue;
            }
            let covered = room.area.as_ref().is_some_and(|own| target.covers(own));
            if target.is_heard_in(&room) {
                if alert.drill && !rules.hears_drills(&room) {
                    reach.no_drills.push(room.title);
                } else {
                    reach.hears.push(room);
                }
            } else if room.state == RoomState::Active && room.area.is_none() {
                reach.unbound.push(room.title);
            } else if room.state == RoomState::Removed && covered && target.names(&room.id) {
                reach.removed.push(room.title);
            } else if room.state == RoomState::Active && covered {
                reach.not_chosen.push(room.title);
            }
        }
        reach
    }

    /// The rooms' names by village, in the order in which they are shown.
    pub(super) fn by_place(&self, areas: &AreaBook) -> Vec<(String, Vec<String>)> {
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

/// What a room has been told of an alert, by the rows that were queued for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// Its latest row.
    pub(super) row: Follows,
    /// That row has not been claimed: a newer version drops it.
    pub(super) waits: bool,
    /// Some version is there, or may be.
    pub(super) seen: bool,
    /// It stands where it was when a newer version came.
    pub(super) replaced: bool,
}

/// The rooms that an alert was queued for, under the ids they have now.
pub(super) fn known_rooms(rows: &[Delivery], rooms: &[Room]) -> BTreeMap<RoomId, Known> {
    let moved: HashMap<&RoomId, &RoomId> = rooms
        .iter()
        .filter_map(|room| match &room.state {
            RoomState::Moved(to) => Some((&room.id, to)),
            _ => None,
        })
        .collect();
    let now = |room: &RoomId| {
        let mut room = room.clone();
        // A room that moves moves once; more hops than these are a circle.
        for _ in 0..4 {
            let Some(to) = moved.get(&room) else { break };
            room = (*to).clone();
        }
        room
    };
    let mut sorted: Vec<(u32, DeliveryId, &Delivery)> = rows
        .iter()
        .filter_map(|row| match row.body {
            Body::Alert { version, .. } => Some((version, row.id, row)),
            _ => None,
        })
        .collect();
    sorted.sort_by_key(|(version, id, _)| (*version, *id));
    let mut known: BTreeMap<RoomId, Known> = BTreeMap::new();
    for (version, id, row) in sorted {
        let is_there = matches!(
            row.state,
            DeliveryState::Sent { .. }
                | DeliveryState::Unknown { .. }
                | DeliveryState::Sending { .. }
        );
        let room = now(&row.room);
        let before = known.get(&room).is_some_and(|known| known.seen);
        known.insert(
            room,
            Known {
                row: Follows { version, row: id },
                waits: matches!(row.state, DeliveryState::Waiting { .. }),
                seen: before || is_there,
                replaced: matches!(&row.state, DeliveryState::Failed { why, .. } if why == crate::store::REPLACED),
            },
        );
    }
    known
}

impl Desk {
    /// The rooms of an alert as its preview tells them: without those that could not be written to now.
    pub(super) async fn reach(&self, rooms: Vec<Room>, alert: &Alert) -> Result<Reach, StoreError> {
        let mut reach = Reach::of(rooms, alert, &self.room_rules);
        let now = self.clock.now();
        for group in &self.hands.0 {
            let until = window::until(self.store.as_ref(), &group.admin).await?;
            let place = reach.hears.iter().position(|room| room.id == group.id);
            if let (Some(place), true) = (place, until.is_some_and(|until| now >= until)) {
                reach.closed.push(reach.hears.remove(place).title);
            }
        }
        Ok(reach)
    }

    /// For whom an officer wants an alert to be; else the answer that says what was not understood.
    pub(super) fn meant(
        &self,
        officer: &Staff,
        places: &[&str],
        rooms: &[Room],
        staff: &StaffDirectory,
    ) -> Result<Target, NotFound> {
        let mut target = Target::default();
        for place in places {
            self.add_place(&mut target, officer, place, rooms, staff)?;
        }
        let named = std::mem::take(&mut target.rooms);
        let only_rooms = target.areas.is_empty() && target.accounts.is_empty() && !named.is_empty();
        if target.areas.is_empty() && !only_rooms {
            target.areas.push(officer.area.clone());
        }
        if !named.is_empty() {
            // Groups by name are added to places: together they are a list of groups.
            let of_places = rooms.iter().filter(|room| target.is_heard_in(room));
            target.rooms = of_places.map(|room| room.id.clone()).collect();
            target.accounts.clear();
            for room in rooms.iter().filter(|room| named.contains(&room.id)) {
                target.rooms.push(room.id.clone());
                target.areas.extend(room.area.clone());
            }
        }
        target.areas.sort();
        target.areas.dedup();
        target.accounts.sort();
        target.accounts.dedup();
        target.rooms.sort();
        target.rooms.dedup();
        Ok(target)
    }

    fn add_place(
        &self,
        target: &mut Target,
        officer: &Staff,
        place: &str,
        rooms: &[Room],
        staff: &StaffDirectory,
    ) -> Result<(), NotFound> {
        let plain = words::plain(place);
        let platforms: &[Platform] = match plain.as_str() {
            "zalo" => &[Platform::ZaloBot, Platform::ZaloOa],
            "zalo bot" => &[Platform::ZaloBot],
            "zalo oa" | "oa" => &[Platform::ZaloOa],
            "telegram" => &[Platform::Telegram],
            "facebook" | "fb" | "trang facebook" => &[Platform::Facebook],
            _ => &[],
        };
        if !platforms.is_empty() {
            let ours = self.room_rules.accounts.iter();
            let found: Vec<_> = ours
                .filter(|(_, platform)| platforms.contains(platform))
                .map(|(account, _)| account.clone())
                .collect();
            if found.is_empty() {
                return Err(NotFound::new(place, true, Vec::new()));
            }
            target.accounts.extend(found);
            return Ok(());
        }
        let communes = communes(staff, rooms);
        if matches!(
            plain.as_str(),
            "moi xa" | "moi phuong" | "toan dia ban" | "tat ca"
        ) {
            target.areas.extend(communes);
            return Ok(());
        }
        let named = |name: &str| -> Vec<&Room> {
            let wanted = words::plain(name);
            let bound = |room: &&Room| room.kind == RoomKind::Group && room.area.is_some();
            let groups = || rooms.iter().filter(bound);
            let whole: Vec<&Room> = groups()
                .filter(|room| words::plain(&room.title) == wanted)
                .collect();
            if whole.is_empty() && !wanted.is_empty() {
                groups()
                    .filter(|room| words::plain(&room.title).contains(&wanted))
                    .collect()
            } else {
                whole
            }
        };
        if let Some(name) = plain.strip_prefix("nhom ") {
            return match named(name).as_slice() {
                [room] => {
                    target.rooms.push(room.id.clone());
                    Ok(())
                }
                several => {
                    let titles = several.iter().map(|room| room.title.clone()).collect();
                    Err(NotFound::new(place, true, titles))
                }
            };
        }
        let own = words::area_named(&self.areas, &officer.area, place);
        let mut found = match own {
            Named::Nothing => Vec::new(),
            Named::One(area) => vec![area],
            Named::Several(areas) => areas,
        };
        if found.is_empty() {
            for commune in communes {
                match words::area_named(&self.areas, &commune, place) {
                    Named::Nothing => {}
                    Named::One(area) => found.push(area),
                    Named::Several(areas) => found.extend(areas),
                }
            }
        }
        match found.as_slice() {
            [area] => {
                target.areas.push(area.clone());
                Ok(())
            }
            several => {
                let titles = several.iter().map(|area| self.areas.title(area)).collect();
                Err(NotFound::new(place, heading::is_a_place(place), titles))
            }
        }
    }

    /// What is in force where rooms were just bound, and what they have not heard of it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn rooms_bound(&self, rooms: &[Room]) -> Result<Act, StoreError> {
        let mut doing = self.begin();
        self.tell_what_is_in_force(&mut doing, rooms).await?;
        Ok(doing.act)
    }

    /// A bound room is heard from for the first time: its people may be counted now.
    pub fn room_met(&self, room: &Room) {
        let bound = room.area.is_some().then_some(&room.id);
        self.headcounts.want_new(bound, self.clock.now());
    }

    pub(super) async fn tell_what_is_in_force(
        &self,
        doing: &mut Doing<'_>,
        rooms: &[Room],
    ) -> Result<(), StoreError> {
        if rooms.is_empty() {
            return Ok(());
        }
        let bound = rooms.iter().filter(|room| room.area.is_some());
        self.headcounts
            .want_new(bound.map(|room| &room.id), doing.now);
        for alert in self.store.open_alerts().await? {
            if !alert.is_in_force(doing.now) {
                continue;
            }
            let hears = |room: &&Room| {
                alert.target.is_heard_in(room)
                    && (!alert.drill || self.room_rules.hears_drills(room))
            };
            let wanted: Vec<&Room> = rooms.iter().filter(hears).collect();
            if wanted.is_empty() {
                continue;
            }
            let rows = self.store.alert_rows(alert.id).await?;
            let known = known_rooms(&rows, rooms);
            let version = alert.version();
            let mut told = false;
            for room in wanted {
                let before = known.get(&room.id);
                let has_it = before.is_some_and(|known| {
                    known.row.version == version && (known.seen || known.waits)
                });
                if has_it {
                    continue;
                }
                let body = Body::Alert {
                    alert: alert.id,
                    version,
                    follows: before.map(|known| known.row),
                };
                let due = self.room_rules.due(room, alert.level, doing.now);
                let row = doing.send_at(due, room.id.clone(), alert.level.lane(), body);
                doing.pin(&alert, &room.id, Follows { version, row }, due);
                told = true;
            }
            if told {
                // A correction that comes at the same moment decides again.
                doing
                    .act
                    .expects
                    .push(Expect::Alert(alert.id, alert.revision));
            }
        }
        Ok(())
    }
}

/// A name that is no place, or more than one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotFound {
    pub(super) name: String,
    /// It was surely meant as a place; else it may be the beginning of a sentence.
    pub(super) is_a_place: bool,
    /// What it may have meant.
    pub(super) perhaps: Vec<String>,
}

impl NotFound {
    fn new(name: &str, is_a_place: bool, perhaps: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            is_a_place: is_a_place || !perhaps.is_empty(),
            perhaps,
        }
    }

    pub(super) fn answer(&self) -> String {
        say::desk::no_such_place(&self.name, &self.perhaps)
    }
}

/// The communes that this deployment serves.
fn communes(staff: &StaffDirectory, rooms: &[Room]) -> BTreeSet<AreaId> {
    let of_staff = staff.people().iter().map(|person| person.area.commune());
    let of_rooms = rooms
        .iter()
        .filter_map(|room| Some(room.area.as_ref()?.commune()));
    of_staff.chain(of_rooms).collect()
}
