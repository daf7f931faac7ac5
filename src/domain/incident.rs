//! One event, with one or more reports, a status and a timeline.

use sha2::Digest as _;
use sha2::Sha256;

use super::area::AreaId;
use super::clock::Time;
use super::ids::AccountName;
use super::ids::IncidentId;
use super::ids::MessageId;
use super::ids::RoomId;
use super::message::Attachment;
use super::person::PersonKey;
use super::reading::Facts;

/// The longest text kept with a report, in characters; what is longer is clipped and marked so.
pub const MAX_TEXT: usize = 20_000;

/// The most reports and timeline entries kept with one incident; further ones are only counted.
pub const MAX_ENTRIES: usize = 100;

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Recorded by the bot; nobody has taken it.
    New,
    /// An officer has taken it.
    Accepted,
    /// An officer has closed it, with a result.
    Done,
    /// An officer has closed it: not a matter for the police, or not real.
    Rejected,
    /// The reporter took it back.
    Withdrawn,
    /// It was the same event as another.
    Merged(IncidentId),
}

impl Status {
    /// The id used in exports.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Accepted => "accepted",
            Self::Done => "done",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Merged(_) => "merged",
        }
    }

    /// Whether somebody still has to do something.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::New | Self::Accepted)
    }
}

/// Who may hear of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sensitivity {
    /// An ordinary matter of the neighbourhood.
    Open,
    /// The private lane: nothing is echoed in public (drugs, abuse, weapons …).
    Private,
}

/// What a report still lacks, in the order in which it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Missing {
    /// What happened at all.
    What,
    /// Where.
    Place,
    /// When.
    Time,
}

/// One person's words about the event.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The room it came from.
    pub room: RoomId,
    /// The topic inside it.
    pub thread: Option<String>,
    /// The message.
    pub message: MessageId,
    /// Who wrote, as a pseudonym; none when the platform hides it.
    pub reporter: Option<PersonKey>,
    /// When it was written.
    pub sent_at: Time,
    /// The words, at most [`MAX_TEXT`] characters.
    pub text: String,
    /// What came with them.
    pub attachments: Vec<Attachment>,
}

/// An incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its id; in decimal, the case code.
    pub id: IncidentId,
    /// Counts the changes; a change names the version it started from.
    pub version: u32,
    /// Where it belongs.
    pub area: AreaId,
    /// Where it stands.
    pub status: Status,
    /// Who may hear of it.
    pub sensitivity: Sensitivity,
    /// What the reports say, taken together.
    pub facts: Facts,
    /// When the first report was recorded.
    pub received_at: Time,
    /// The reports, first one first; never empty.
    pub reports: Vec<Report>,
    /// How many further reports were counted but not kept.
    pub more_reports: u32,
    /// The question that was asked last and not answered yet.
    pub asked: Option<Missing>,
    /// The officer who has the case, by the name colleagues know.
    pub officer: Option<String>,
    /// What happened to the case, oldest first.
    pub timeline: Vec<Event>,
    /// Read from an export of the group's past, not live.
    pub imported: bool,
}

impl Incident {
    /// The first report.
    #[must_use]
    pub fn first(&self) -> &Report {
        self.reports
            .first()
            .expect("an incident has at least one report")
    }

    /// Every photo of its reports that a platform shows by an address: the account, and the address.
    pub fn photos(&self) -> impl Iterator<Item = (&AccountName, &str)> {
        self.reports.iter().flat_map(|report| {
            let photos = report.attachments.iter().filter_map(Attachment::address);
            photos.map(|address| (&report.room.account, address))
        })
    }

    /// What the file of our own copy of a photo is called, without its ending: the case's code and a
    /// hash of the platform's reference.
    #[must_use]
    pub fn photo_stem(&self, reference: &str) -> String {
        let hash: [u8; 32] = Sha256::digest(reference.as_bytes()).into();
        let hash: String = hash
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{}-{hash}", self.id)
    }

    /// Notes something in the timeline; beyond [`MAX_ENTRIES`] the oldest but the first gives way.
    pub fn note(&mut self, at: Time, what: EventKind) {
        if self.timeline.len() >= MAX_ENTRIES {
            self.timeline.remove(1);
        }
        self.timeline.push(Event { at, what });
    }
}

/// One line of a case's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Time,
    /// What.
    pub what: EventKind,
}

/// What can happen to a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// The first report was recorded.
    Opened,
    /// Another person told of the same event.
    ReportJoined,
    /// The reporter answered a question or added something.
    DetailAdded,
    /// The reporter edited the message.
    Edited,
    /// The reporter took it back.
    Withdrawn,
    /// An officer took it.
    Accepted {
        /// Whose name colleagues know.
        by: String,
    },
    /// An officer gave it to another.
    Assigned {
        /// Who gave it.
        by: String,
        /// Who has it now.
        to: String,
    },
    /// An officer closed it.
    Closed {
        /// Who.
        by: String,
        /// The result, in the officer's words.
        result: String,
    },
    /// An officer refused it.
    Rejected {
        /// Who.
        by: String,
        /// Why, in the officer's words.
        reason: String,
    },
    /// It was put together with another.
    Merged {
        /// Who did it; none when the machine did.
        by: Option<String>,
        /// The other one.
        with: IncidentId,
    },
    /// The text was longer than [`MAX_TEXT`] and was clipped.
    Clipped,
    /// The message was taken away where it was written; the record keeps its words.
    Deleted,
}

/// A question that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// About which incident.
    pub incident: IncidentId,
    /// What was asked.
    pub missing: Missing,
    /// When; an answer that comes much later is not an answer.
    pub asked_at: Time,
}
