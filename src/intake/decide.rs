//! What a report becomes: pure decisions, without store, clock or network.

use std::collections::HashSet;

use chrono::TimeDelta;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::domain::area::AreaBook;
use crate::domain::area::AreaId;
use crate::domain::clock::Time;
use crate::domain::ids::IncidentId;
use crate::domain::incident::Event;
use crate::domain::incident::EventKind;
use crate::domain::incident::Incident;
use crate::domain::incident::MAX_ENTRIES;
use crate::domain::incident::MAX_TEXT;
use crate::domain::incident::Missing;
use crate::domain::incident::Report;
use crate::domain::incident::Sensitivity;
use crate::domain::incident::Status;
use crate::domain::message::Attachment;
use crate::domain::message::Message;
use crate::domain::person::PersonKey;
use crate::domain::reading::Category;
use crate::domain::reading::Facts;
use crate::text::fold::fold;

/// Two reports of one event say at least half of their place in the same words.
const SAME_PLACE: f64 = 0.5;

/// The report that a message makes; words beyond the limit are left out between two letters.
pub(super) fn report(message: &Message, reporter: Option<PersonKey>) -> (Report, bool) {
    let (text, clipped) = clip(&message.text);
    let report = Report {
        room: message.room.clone(),
        thread: message.thread.clone(),
        message: message.id.clone(),
        reporter,
        sent_at: message.sent_at,
        text,
        attachments: message.attachments.clone(),
    };
    (report, clipped)
}

fn clip(text: &str) -> (String, bool) {
    // Counting graphemes of a short text would be wasted: it has no more of them than bytes.
    if text.len() <= MAX_TEXT {
        return (text.to_owned(), false);
    }
    let mut left = MAX_TEXT;
    let mut clipped = String::new();
    for letter in text.graphemes(true) {
        let length = letter.chars().count();
        if length > left {
            return (clipped, true);
        }
        left -= length;
        clipped.push_str(letter);
    }
    (clipped, false)
}

/// A new case.
pub(super) fn open(
    id: IncidentId,
    area: AreaId,
    facts: Facts,
    report: Report,
    clipped: bool,
    now: Time,
    private_kinds: &[Category],
) -> Incident {
    let mut timeline = vec![Event {
        at: now,
        what: EventKind::Opened,
    }];
    if clipped {
        timeline.push(Event {
            at: now,
            what: EventKind::Clipped,
        });
    }
    Incident {
        id,
        version: 1,
        area,
        status: Status::New,
        sensitivity: sensitivity(&facts, private_kinds),
        facts,
        received_at: now,
        reports: vec![report],
        more_reports: 0,
        asked: None,
        officer: None,
        timeline,
        imported: false,
    }
}

/// Sensitive kinds, and whatever points at a person, go to the private lane. Who looks for somebody gives a
/// number so that everybody may call it: that notice must stay where all can see it.
pub(super) fn sensitivity(facts: &Facts, private_kinds: &[Category]) -> Sensitivity {
    let kind = facts
        .categories
        .iter()
        .chain([&facts.primary])
        .any(|kind| private_kinds.contains(kind));
    let own_number = facts.primary == Category::MissingPerson;
    let points_at_nobody =
        facts.phones.is_empty() && facts.accounts.is_empty() && facts.handles.is_empty();
    if kind || !(points_at_nobody || own_number) {
        Sensitivity::Private
    } else {
        Sensitivity::Open
    }
}

/// The one thing a report lacks most. Papers and residence questions need neither place nor time.
pub(super) fn missing(facts: &Facts, attachments: &[Attachment]) -> Option<Missing> {
    let located = attachments
        .iter()
        .any(|attachment| matches!(attachment, Attachment::Location { .. }));
    let placeless = matches!(
        facts.primary,
        Category::FraudScam | Category::Residence | Category::CounterfeitSmuggling
    );
    if facts.place.is_none() && !located && !placeless {
        return Some(Missing::Place);
    }
    let over = matches!(
        facts.primary,
        Category::Theft | Category::Robbery | Category::Traffic | Category::DisorderFight
    );
    (facts.time.is_none() && !facts.urgent && over).then_some(Missing::Time)
}

/// Whether a report tells of a case that is open already. Weak evidence is no evidence.
pub(super) fn same_event(
    facts: &Facts,
    report: &Report,
    case: &Incident,
    within: TimeDelta,
    now: Time,
) -> bool {
    if !case.status.is_open()
        || case.imported
        || facts.primary != case.facts.primary
        || now - case.received_at > within
    {
        return false;
    }
    // The same person tells twice of two things, or corrects by reply; never guess that it is one.
    if report.reporter.is_some()
        && case
            .reports
            .iter()
            .any(|known| known.reporter == report.reporter)
    {
        return false;
    }
    if let (Some(a), Some(b)) = (&facts.time, &case.facts.time)
        && (a.start() - b.end() > within || b.start() - a.end() > within)
    {
        return false;
    }
    if let (Some(a), Some(b)) = (facts.plates.first(), case.facts.plates.first())
        && a != b
    {
        return false;
    }
    match (&facts.place, &case.facts.place) {
        (Some(a), Some(b)) => alike(a, b) >= SAME_PLACE && same_numbers(a, b),
        _ => facts
            .plates
            .iter()
            .any(|plate| case.facts.plates.contains(plate)),
    }
}

/// How many of the words of two places are the same, 0 to 1.
fn alike(a: &str, b: &str) -> f64 {
    let words = |text: &str| {
        fold(text)
            .split_whitespace()
            .map(str::to_owned)
            .collect::<HashSet<_>>()
    };
    let (a, b) = (words(a), words(b));
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let common = a.intersection(&b).count();
    2.0 * common as f64 / (a.len() + b.len()) as f64
}

/// `ngõ 12` and `ngõ 14` share a word and are two places.
fn same_numbers(a: &str, b: &str) -> bool {
    let numbers = |text: &str| {
        text.split(|c: char| !c.is_ascii_digit())
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect::<HashSet<_>>()
    };
    let (a, b) = (numbers(a), numbers(b));
    a.is_empty() || b.is_empty() || a == b
}

/// Puts another report to a case.
pub(super) fn join(case: &mut Incident, facts: &Facts, report: Report, now: Time) {
    add(case, report);
    fill(&mut case.facts, facts);
    case.note(now, EventKind::ReportJoined);
    case.version += 1;
}

/// Puts an answer or addition to a case. `asked` is what the words answer, if they answer a question.
pub(super) fn detail(
    case: &mut Incident,
    facts: Option<&Facts>,
    report: Report,
    asked: Option<Missing>,
    now: Time,
) {
    if let Some(facts) = facts {
        fill(&mut case.facts, facts);
    }
    // "Ngay ngã ba ấy" is an answer to "where" even if no grammar of places knows it.
    let words = report.text.trim();
    if asked == Some(Missing::Place)
        && case.facts.place.is_none()
        && (1..=120).contains(&words.chars().count())
    {
        case.facts.place = Some(words.to_owned());
    }
    if asked == case.asked {
        case.asked = None;
    }
    add(case, report);
    case.note(now, EventKind::DetailAdded);
    case.version += 1;
}

/// The reporter changed the message. Returns whether anything is different.
pub(super) fn edit(
    case: &mut Incident,
    facts: Option<Facts>,
    report: Report,
    clipped: bool,
    now: Time,
    private_kinds: &[Category],
) -> bool {
    let Some(known) = case
        .reports
        .iter_mut()
        .find(|known| known.room == report.room && known.message == report.message)
    else {
        return false;
    };
    // The words of a reporter who had them erased do not come back by a late edit.
    let erased = known.reporter.is_none() && report.reporter.is_some();
    if erased || (known.text == report.text && known.attachments == report.attachments) {
        return false;
    }
    let first = case
        .reports
        .first()
        .is_some_and(|first| first.message == report.message && first.room == report.room);
    if let Some(known) = case
        .reports
        .iter_mut()
        .find(|known| known.room == report.room && known.message == report.message)
    {
        *known = report;
    }
    if let Some(facts) = facts {
        if first && case.reports.len() == 1 {
            // Only this person has told of it: what the new words do not say any more is not said.
            let place = facts.place.clone().or(case.facts.place.take());
            case.facts = Facts { place, ..facts };
        } else {
            fill(&mut case.facts, &facts);
        }
        if sensitivity(&case.facts, private_kinds) == Sensitivity::Private {
            case.sensitivity = Sensitivity::Private;
        }
    }
    case.note(now, EventKind::Edited);
    if clipped {
        case.note(now, EventKind::Clipped);
    }
    case.version += 1;
    true
}

fn add(case: &mut Incident, report: Report) {
    if case.reports.len() < MAX_ENTRIES {
        case.reports.push(report);
    } else {
        case.more_reports += 1;
    }
}

/// What one report leaves open, another may say; what was said stays.
fn fill(facts: &mut Facts, more: &Facts) {
    if facts.place.is_none() {
        facts.place.clone_from(&more.place);
    }
    if facts.time.is_none() {
        facts.time.clone_from(&more.time);
    }
    facts.urgent |= more.urgent;
    fn union<T: Clone + PartialEq>(into: &mut Vec<T>, from: &[T]) {
        for item in from {
            if into.len() < MAX_ENTRIES && !into.contains(item) {
                into.push(item.clone());
            }
        }
    }
    union(&mut facts.phones, &more.phones);
    union(&mut facts.plates, &more.plates);
    union(&mut facts.urls, &more.urls);
    union(&mut facts.handles, &more.handles);
    union(&mut facts.accounts, &more.accounts);
}

/// How many different people told of it; those whom the platform hides count one each.
pub(super) fn people(case: &Incident) -> usize {
    let mut known = HashSet::new();
    case.reports
        .iter()
        .filter(|report| report.reporter.is_none_or(|key| known.insert(key)))
        .count()
        + case.more_reports as usize
}

/// The named village that a private report speaks of.
pub(super) fn village_in(text: &str, areas: &AreaBook) -> Option<AreaId> {
    let text = format!(" {} ", fold(text));
    let mut found: Option<&AreaId> = None;
    for (id, name) in areas.spoken() {
        let name = fold(name);
        // "thôn Hạ" is found by the whole name; "Tân Trúc Tùng" also without its "thôn".
        let bare = name.split_once(' ').map_or(name.as_str(), |(_, bare)| bare);
        let named = text.contains(&format!(" {name} "))
            || (bare.contains(' ') && text.contains(&format!(" {bare} ")));
        if named {
            if found.is_some_and(|other| other != id) {
                return None;
            }
            found = Some(id);
        }
    }
    found.cloned()
}
