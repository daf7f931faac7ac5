//! One village's or commune's day: one reading of the store becomes a [`Digest`], and text, chart and
//! sheet are made of that value. It cannot hold a reporter, a name or a house.

pub mod chart;
pub mod days;

use std::collections::BTreeMap;
use std::collections::HashMap;

use chrono::NaiveDate;
use chrono::TimeDelta;

use crate::domain::area::AreaBook;
use crate::domain::area::AreaId;
use crate::domain::clock::Time;
use crate::domain::clock::vietnam;
use crate::domain::digest::Days;
use crate::domain::digest::Digest;
use crate::domain::digest::DigestAlert;
use crate::domain::digest::DigestCase;
use crate::domain::digest::DigestCount;
use crate::domain::incident::EventKind;
use crate::domain::incident::Incident;
use crate::domain::incident::Status;
use crate::domain::reading::Category;
use crate::store::IncidentQuery;
use crate::store::Store;
use crate::store::StoreError;

/// Cases are listed by the day they came in; one that was closed in the days of the digest is found
/// only if it came in at most this long before.
const LOOK_BACK: TimeDelta = TimeDelta::days(90);

/// The first line of an alert is clipped here, in letters.
const HEADLINE: usize = 80;

/// Reads the store and puts the digest together.
///
/// # Errors
/// When the store cannot be read.
pub async fn of(
    store: &dyn Store,
    areas: &AreaBook,
    area: &AreaId,
    days: Days,
    now: Time,
) -> Result<Digest, StoreError> {
    let length = days.to.signed_duration_since(days.from) + TimeDelta::days(1);
    let from = midnight(days.from);
    let to = midnight(days.to) + TimeDelta::days(1);
    let before = from - length;
    let recent = store
        .incidents(&IncidentQuery {
            area: Some(area.clone()),
            from: Some(before.min(from - LOOK_BACK)),
            to: Some(to),
            ..IncidentQuery::default()
        })
        .await?;
    let open = store
        .incidents(&IncidentQuery {
            area: Some(area.clone()),
            open_only: true,
            ..IncidentQuery::default()
        })
        .await?;

    let mut counts: HashMap<Category, (u32, u32)> = HashMap::new();
    let mut by_day: BTreeMap<NaiveDate, u32> = days
        .from
        .iter_days()
        .take_while(|day| *day <= days.to)
        .map(|day| (day, 0))
        .collect();
    let (mut recorded, mut recorded_before, mut closed, mut accepted) = (0, 0, 0, 0);
    for case in &recent {
        let within = |at: Time| from <= at && at < to;
        closed += u32::from(happened(case, within, |what| {
            matches!(what, EventKind::Closed { .. } | EventKind::Rejected { .. })
        }));
        accepted += u32::from(happened(case, within, |what| {
            matches!(
                what,
                EventKind::Accepted { .. } | EventKind::Assigned { .. }
            )
        }));
        // A merged case is counted with the one it was merged into; one taken back did not happen.
        if matches!(case.status, Status::Merged(_) | Status::Withdrawn) {
            continue;
        }
        let received = case.received_at.with_timezone(&vietnam());
        let count = counts.entry(case.facts.primary).or_default();
        if within(received) {
            recorded += 1;
            count.0 += 1;
            if let Some(day) = by_day.get_mut(&received.date_naive()) {
                *day += 1;
            }
        } else if before <= received && received < from {
            recorded_before += 1;
            count.1 += 1;
        }
    }
    let mut counts: Vec<DigestCount> = counts
        .into_iter()
        .filter(|(_, (now, before))| now + before > 0)
        .map(|(category, (now, before))| DigestCount {
            category,
            now,
            before,
        })
        .collect();
    counts.sort_by_key(|count| {
        (
            std::cmp::Reverse(count.now),
            std::cmp::Reverse(count.before),
            count.category,
        )
    });
    let mut open: Vec<DigestCase> = open
        .iter()
        .filter(|case| case.status.is_open())
        .map(shown)
        .collect();
    open.sort_by_key(|case| (!case.urgent, case.received_at, case.id));

    let alerts = store
        .open_alerts()
        .await?
        .into_iter()
        .filter(|alert| alert.is_in_force(now) && !alert.drill)
        .filter(|alert| {
            alert.target.covers(area) || alert.target.areas.iter().any(|own| area.contains(own))
        })
        .map(|alert| DigestAlert {
            headline: crate::say::phrase::first_line(alert.words(), HEADLINE),
            code: alert.code,
            expires_at: alert.expires_at,
        })
        .collect();

    Ok(Digest {
        area: area.clone(),
        title: areas.title(area),
        days,
        open,
        counts,
        recorded,
        recorded_before,
        closed,
        accepted,
        alerts,
        by_day: by_day.into_iter().collect(),
    })
}

fn happened(
    case: &Incident,
    within: impl Fn(Time) -> bool,
    is_it: impl Fn(&EventKind) -> bool,
) -> bool {
    case.timeline
        .iter()
        .any(|event| within(event.at) && is_it(&event.what))
}

fn shown(case: &Incident) -> DigestCase {
    let kept = u32::try_from(case.reports.len()).unwrap_or(u32::MAX);
    DigestCase {
        id: case.id,
        category: case.facts.primary,
        urgent: case.facts.urgent,
        status: case.status.clone(),
        area: case.area.clone(),
        received_at: case.received_at,
        reports: kept.saturating_add(case.more_reports),
    }
}

/// The first moment of a day in Viet Nam, which has no daylight saving.
fn midnight(day: NaiveDate) -> Time {
    day.and_time(chrono::NaiveTime::MIN)
        .and_local_timezone(vietnam())
        .single()
        .unwrap_or_default()
}
