//! An officer's words for every group of an area, in numbered versions.
//!
//! ```text
//!            ┌────────── publish ──────────┐      ┌─ correct ─┐
//! draft ─────┤                             ├─▶ live ◀─────────┘
//!   │        └─ ask ─▶ pending ─ publish ──┘    │
//!   └─ drop ─▶ dropped ◀─ drop ─┘               ├─ all clear ─▶ all clear
//!                                               ├─ withdraw ──▶ withdrawn
//!                                               └─ expire ────▶ expired
//! ```
//! Nothing else happens to an alert: [`AlertState::after`] is the whole table.

use thiserror::Error;

use super::area::AreaId;
use super::clock::Time;
use super::delivery::Lane;
use super::ids::AccountName;
use super::ids::AlertId;
use super::ids::CheckCode;
use super::ids::DeliveryId;
use super::ids::RoomId;
use super::room::Room;
use super::room::RoomKind;
use super::room::RoomState;

/// How loud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Information.
    Info,
    /// A warning; what an alert is when no level is named.
    Warning,
    /// Danger now.
    Urgent,
}

impl Level {
    /// The id used in exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Urgent => "urgent",
        }
    }

    /// The queue in which such an alert leaves: information holds up no warning, and no answer.
    #[must_use]
    pub fn lane(self) -> Lane {
        match self {
            Self::Info => Lane::Bulk,
            Self::Warning | Self::Urgent => Lane::Urgent,
        }
    }
}

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertState {
    /// Previewed, not confirmed.
    Draft,
    /// Confirmed by its author; a second officer has to approve it.
    Pending,
    /// Sent, and in force until it expires.
    Live,
    /// Thrown away before it was sent.
    Dropped,
    /// The danger is over.
    AllClear,
    /// Taken back.
    Withdrawn,
    /// Its time has passed.
    Expired,
}

/// What can happen to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Its author confirms it, and a second officer is asked.
    Ask,
    /// It goes out.
    Publish,
    /// It is thrown away before it went out.
    Drop,
    /// It gets other words.
    Correct,
    /// The danger is over.
    AllClear,
    /// It is taken back.
    Withdraw,
    /// Its time has passed.
    Expire,
}

/// Something that cannot happen to an alert as it stands.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("{step:?} cannot follow on {state:?}")]
pub struct NoSuchStep {
    /// How it stands.
    pub state: AlertState,
    /// What was wanted.
    pub step: Step,
}

impl AlertState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Draft,
        Self::Pending,
        Self::Live,
        Self::Dropped,
        Self::AllClear,
        Self::Withdrawn,
        Self::Expired,
    ];

    /// The id used in exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Pending => "pending",
            Self::Live => "live",
            Self::Dropped => "dropped",
            Self::AllClear => "all_clear",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }

    /// Where a step leads from here.
    ///
    /// # Errors
    /// When nothing of the kind can happen here.
    pub fn after(self, step: Step) -> Result<Self, NoSuchStep> {
        match (self, step) {
            (Self::Draft, Step::Ask) => Ok(Self::Pending),
            (Self::Draft | Self::Pending, Step::Publish) => Ok(Self::Live),
            (Self::Draft | Self::Pending, Step::Drop) => Ok(Self::Dropped),
            (Self::Live, Step::Correct) => Ok(Self::Live),
            (Self::Live, Step::AllClear) => Ok(Self::AllClear),
            (Self::Live, Step::Withdraw) => Ok(Self::Withdrawn),
            (Self::Live, Step::Expire) => Ok(Self::Expired),
            (state, step) => Err(NoSuchStep { state, step }),
        }
    }

    /// Whether rooms have ever seen it.
    #[must_use]
    pub fn is_published(self) -> bool {
        match self {
            Self::Draft | Self::Pending | Self::Dropped => false,
            Self::Live | Self::AllClear | Self::Withdrawn | Self::Expired => true,
        }
    }
}

/// What a version of an alert does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionKind {
    /// It is the alert.
    First,
    /// It replaces the words.
    Correction,
    /// It says that the danger is over.
    AllClear,
    /// It takes the alert back.
    Withdrawal,
}

impl VersionKind {
    /// The id used in exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Correction => "correction",
            Self::AllClear => "all_clear",
            Self::Withdrawal => "withdrawal",
        }
    }

    /// What happens to an alert that gets such a version after its first.
    #[must_use]
    pub fn step(self) -> Step {
        match self {
            Self::First => Step::Publish,
            Self::Correction => Step::Correct,
            Self::AllClear => Step::AllClear,
            Self::Withdrawal => Step::Withdraw,
        }
    }

    /// Whether it ends the alert.
    #[must_use]
    pub fn ends(self) -> bool {
        matches!(self, Self::AllClear | Self::Withdrawal)
    }
}

/// A file that an officer sent along with the words, by reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosure {
    /// By which account it came.
    pub account: AccountName,
    /// The platform's id or address of it.
    pub reference: String,
}

/// What rooms see of an alert from some moment on. A version is never changed once it is out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// From 1, without gaps.
    pub number: u32,
    /// What it does.
    pub kind: VersionKind,
    /// The officer's words, at most 20,000 characters; those of an end may be none.
    pub words: String,
    /// Who wrote it, by the name colleagues know.
    pub author: String,
    /// Who approved it, where a second officer was needed.
    pub approver: Option<String>,
    /// When it went out; that of a draft is when it was drafted.
    pub at: Time,
    /// The photo that its author attached: it goes in place of the card.
    pub photo: Option<Enclosure>,
    /// The recording that its author attached: it is for the loudspeakers, and goes to no room.
    pub recording: Option<Enclosure>,
}

/// Every version of an alert, oldest first; never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    first: Version,
    later: Vec<Version>,
}

impl Versions {
    /// An alert's first words.
    #[must_use]
    pub fn first(words: impl Into<String>, author: impl Into<String>, at: Time) -> Self {
        Self {
            first: Version {
                number: 1,
                kind: VersionKind::First,
                words: words.into(),
                author: author.into(),
                approver: None,
                at,
                photo: None,
                recording: None,
            },
            later: Vec::new(),
        }
    }

    /// All of them as they were kept; none of none.
    #[must_use]
    pub fn kept(versions: Vec<Version>) -> Option<Self> {
        let mut versions = versions.into_iter();
        Some(Self {
            first: versions.next()?,
            later: versions.collect(),
        })
    }

    /// The one that counts.
    #[must_use]
    pub fn latest(&self) -> &Version {
        self.later.last().unwrap_or(&self.first)
    }

    /// The one that counts, to be changed while it is a draft.
    pub fn latest_mut(&mut self) -> &mut Version {
        self.later.last_mut().unwrap_or(&mut self.first)
    }

    /// All, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Version> {
        std::iter::once(&self.first).chain(&self.later)
    }

    /// Gives each its photo and its recording, oldest first. False, and nothing is done, when there are not
    /// as many.
    pub fn enclose(&mut self, enclosed: Vec<(Option<Enclosure>, Option<Enclosure>)>) -> bool {
        if enclosed.len() != 1 + self.later.len() {
            return false;
        }
        let all = std::iter::once(&mut self.first).chain(&mut self.later);
        for (version, (photo, recording)) in all.zip(enclosed) {
            (version.photo, version.recording) = (photo, recording);
        }
        true
    }

    /// Adds one; its number follows on the last one's, and its hour is never before the last one's, also
    /// when the clock was set back.
    pub fn push(&mut self, mut version: Version) {
        let last = self.latest();
        version.number = last.number + 1;
        version.at = version.at.max(last.at);
        self.later.push(version);
    }
}

/// For whom an alert is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Communes and villages; a room of any of them hears it.
    pub areas: Vec<AreaId>,
    /// Only rooms of these accounts; none named: of all.
    pub accounts: Vec<AccountName>,
    /// Only these rooms; none named: all.
    pub rooms: Vec<RoomId>,
}

impl Target {
    /// Every room of an area.
    #[must_use]
    pub fn area(area: AreaId) -> Self {
        Self {
            areas: vec![area],
            ..Self::default()
        }
    }

    /// Whether a place belongs to the areas.
    #[must_use]
    pub fn covers(&self, area: &AreaId) -> bool {
        self.areas.iter().any(|own| own.contains(area))
    }

    /// Whether a room was meant, by its account and its name.
    #[must_use]
    pub fn names(&self, room: &RoomId) -> bool {
        (self.accounts.is_empty() || self.accounts.contains(&room.account))
            && (self.rooms.is_empty() || self.rooms.contains(room))
    }

    /// Whether an alert for this target belongs in the room.
    #[must_use]
    pub fn is_heard_in(&self, room: &Room) -> bool {
        room.kind == RoomKind::Group
            && room.state == RoomState::Active
            && room.area.as_ref().is_some_and(|area| self.covers(area))
            && self.names(&room.id)
    }

    /// Whether it reaches into more than one commune.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        let mut communes = self.areas.iter().map(AreaId::commune);
        let first = communes.next();
        communes.any(|commune| Some(&commune) != first.as_ref())
    }
}

/// A second officer was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approval {
    /// When the author confirmed.
    pub asked_at: Time,
    /// When colleagues were reminded.
    pub reminded_at: Option<Time>,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// Counts every change of this row; a change names the revision it started from.
    pub revision: u32,
    /// What people type to check that it is real, and the author to confirm it.
    pub code: CheckCode,
    /// Where it stands. Changed by [`Alert::step`] alone.
    pub state: AlertState,
    /// How loud.
    pub level: Level,
    /// Of which unit's officer it is: the police of this area stand behind it.
    pub area: AreaId,
    /// For whom.
    pub target: Target,
    /// An exercise: every form of it says so, and only rooms hear it that opted in.
    pub drill: bool,
    /// What rooms see, and saw.
    pub versions: Versions,
    /// The room in which it was drafted: where the preview and the report go.
    pub desk: RoomId,
    /// The topic inside that room.
    pub desk_thread: Option<String>,
    /// When it was drafted.
    pub drafted_at: Time,
    /// The request to a second officer, where one was needed.
    pub approval: Option<Approval>,
    /// When its first version went out.
    pub published_at: Option<Time>,
    /// When it stops being in force.
    pub expires_at: Time,
    /// Its author named that moment; else it is counted from when it goes out.
    pub end_named: bool,
    /// The message that shows the author how the sending goes.
    pub progress: Option<DeliveryId>,
    /// The last report of the latest version has been given.
    pub reported: bool,
}

impl Alert {
    /// A draft for every room of the author's own area.
    #[must_use]
    pub fn draft(
        id: AlertId,
        code: CheckCode,
        level: Level,
        area: AreaId,
        versions: Versions,
        desk: RoomId,
        expires_at: Time,
    ) -> Self {
        Self {
            id,
            revision: 1,
            code,
            state: AlertState::Draft,
            level,
            target: Target::area(area.clone()),
            area,
            drill: false,
            drafted_at: versions.latest().at,
            versions,
            desk,
            desk_thread: None,
            approval: None,
            published_at: None,
            expires_at,
            end_named: false,
            progress: None,
            reported: false,
        }
    }

    /// Takes a step, and counts the change.
    ///
    /// # Errors
    /// When it cannot follow on how the alert stands; nothing is changed.
    pub fn step(&mut self, step: Step) -> Result<(), NoSuchStep> {
        self.state = self.state.after(step)?;
        self.revision += 1;
        Ok(())
    }

    /// The number of the version that counts.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.versions.latest().number
    }

    /// The words that are, or last were, in force: those of an end are no alert.
    #[must_use]
    pub fn words(&self) -> &str {
        self.versions
            .iter()
            .filter(|version| !version.kind.ends())
            .last()
            .map_or("", |version| &version.words)
    }

    /// Who wrote it first.
    #[must_use]
    pub fn author(&self) -> &str {
        &self.versions.first.author
    }

    /// Whether it holds at this moment: also before anybody marked it as expired.
    #[must_use]
    pub fn is_in_force(&self, now: Time) -> bool {
        self.state == AlertState::Live && now < self.expires_at
    }
}

/// How the sending of one version goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Rooms it was meant for.
    pub planned: u32,
    /// Rooms that have it.
    pub sent: u32,
    /// Rooms where nobody knows: sent, but no answer came.
    pub unknown: u32,
    /// Rooms that did not get it.
    pub failed: u32,
    /// Of those sent, how many were sent again after an unanswered try, and may stand there twice.
    pub maybe_twice: u32,
}

impl Tally {
    /// Rooms that are still to come.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.planned
            .saturating_sub(self.sent + self.unknown + self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::from_unix_ms;

    const STEPS: [Step; 7] = [
        Step::Ask,
        Step::Publish,
        Step::Drop,
        Step::Correct,
        Step::AllClear,
        Step::Withdraw,
        Step::Expire,
    ];

    #[test]
    fn an_alert_takes_these_steps_and_no_others() {
        let legal = [
            (AlertState::Draft, Step::Ask, AlertState::Pending),
            (AlertState::Draft, Step::Publish, AlertState::Live),
            (AlertState::Draft, Step::Drop, AlertState::Dropped),
            (AlertState::Pending, Step::Publish, AlertState::Live),
            (AlertState::Pending, Step::Drop, AlertState::Dropped),
            (AlertState::Live, Step::Correct, AlertState::Live),
            (AlertState::Live, Step::AllClear, AlertState::AllClear),
            (AlertState::Live, Step::Withdraw, AlertState::Withdrawn),
            (AlertState::Live, Step::Expire, AlertState::Expired),
        ];
        for state in AlertState::ALL {
            for step in STEPS {
                let wanted = legal
                    .iter()
                    .find(|(from, by, _)| (*from, *by) == (state, step))
                    .map(|(_, _, to)| *to)
                    .ok_or(NoSuchStep { state, step });
                assert_eq!(state.after(step), wanted, "{state:?} {step:?}");
            }
        }
    }

    #[test]
    fn versions_are_numbered_and_their_hours_never_run_back() {
        let at = |seconds: i64| from_unix_ms(1_800_000_000_000 + seconds * 1000);
        let mut versions = Versions::first("Nước lên", "Đ/c Hà", at(10));
        let version = |seconds: i64| Version {
            at: at(seconds),
            ..versions.latest().clone()
        };
        let (back, later) = (version(5), version(20));
        versions.push(back);
        versions.push(later);
        let told: Vec<_> = versions.iter().map(|v| (v.number, v.at)).collect();
        assert_eq!(told, [(1, at(10)), (2, at(10)), (3, at(20))]);
        assert_eq!(versions.latest().number, 3);
    }

    #[test]
    fn a_target_is_wide_when_it_reaches_into_a_second_commune() {
        let target = |areas: &[&str]| Target {
            areas: areas
                .iter()
                .map(|raw| AreaId::parse(raw).unwrap())
                .collect(),
            ..Target::default()
        };
        assert!(!target(&["06862"]).is_wide());
        assert!(!target(&["06862/a", "06862/b"]).is_wide());
        assert!(target(&["06862/a", "06863"]).is_wide());
        assert!(!target(&[]).is_wide());
    }
}
