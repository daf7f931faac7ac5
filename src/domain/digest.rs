//! One village's or commune's day.

use chrono::NaiveDate;

use super::area::AreaId;
use super::clock::Time;
use super::ids::CheckCode;
use super::ids::IncidentId;
use super::incident::Status;
use super::reading::Category;

/// Which days a digest covers, first and last included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
}

/// A case as a digest shows it: no reporter, no name, no exact house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestCase {
    /// Its code.
    pub id: IncidentId,
    /// Its kind.
    pub category: Category,
    /// Whether somebody may be in danger.
    pub urgent: bool,
    /// Where it stands.
    pub status: Status,
    /// Where it belongs.
    pub area: AreaId,
    /// When it was recorded.
    pub received_at: Time,
    /// How many people told of it.
    pub reports: u32,
}

/// An alert in force, as a digest shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestAlert {
    /// Its check code.
    pub code: CheckCode,
    /// The first line of its words.
    pub headline: String,
    /// Until when.
    pub expires_at: Time,
}

/// How many cases of one kind, and how many of them the days before had (same number of days).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestCount {
    /// The kind.
    pub category: Category,
    /// In these days.
    pub now: u32,
    /// In as many days before.
    pub before: u32,
}

/// One area and some days, read from the store once; text, chart and sheet are made of this value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Where.
    pub area: AreaId,
    /// The area's name.
    pub title: String,
    /// When.
    pub days: Days,
    /// Open cases, urgent ones first, then oldest first; also those from earlier days.
    pub open: Vec<DigestCase>,
    /// Counts by kind of what was recorded in these days, largest first.
    pub counts: Vec<DigestCount>,
    /// Cases recorded in these days.
    pub recorded: u32,
    /// Cases recorded in as many days before.
    pub recorded_before: u32,
    /// Cases that were closed in these days.
    pub closed: u32,
    /// Cases that were taken by an officer in these days.
    pub accepted: u32,
    /// Alerts in force now.
    pub alerts: Vec<DigestAlert>,
    /// Cases recorded on each day, oldest first; for the chart.
    pub by_day: Vec<(NaiveDate, u32)>,
}
