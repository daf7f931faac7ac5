//! Reads the store through a view; the same code for every engine.

use bytes::Bytes;

use super::AuditLine;
use super::Cursor;
use super::IncidentQuery;
use super::StoreError;
use super::acts::read;
use super::kv;
use super::kv::Kv;
use super::kv::Order;
use super::kv::Range;
use super::rows;
use super::rows::AuditRow;
use super::rows::FailureRow;
use super::rows::NumberRow;
use super::rows::Row;
use super::rows::SeenRow;
use super::rows::key;
use crate::domain::alert::Alert;
use crate::domain::alert::Level;
use crate::domain::alert::Tally;
use crate::domain::appointment::Appointment;
use crate::domain::area::AreaId;
use crate::domain::clock::Time;
use crate::domain::clock::from_unix_ms;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::delivery::Follows;
use crate::domain::delivery::Lane;
use crate::domain::errand::Errand;
use crate::domain::ids::AccountName;
use crate::domain::ids::AlertId;
use crate::domain::ids::CheckCode;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::IncidentId;
use crate::domain::ids::MessageId;
use crate::domain::ids::MessageKey;
use crate::domain::incident::Incident;
use crate::domain::invite::Invite;
use crate::domain::room::Room;

/// Alerts older than the moment asked for that are looked at before the reading stops.
const OLDER: usize = 16;

/// How many keys or rows are read in one view: writers wait for a view to end.
const STRETCH: usize = 512;

pub(crate) fn seen(
    view: &dyn Kv,
    message: &MessageKey,
) -> Result<Option<Option<IncidentId>>, StoreError> {
    let row: Option<SeenRow> = read(view, &key::seen(message))?;
    Ok(row.map(|row| row.0.map(IncidentId)))
}

/// The row and its key, put together.
fn row<R: Row>(view: &dyn Kv, entry: Result<(Bytes, Bytes), StoreError>) -> Result<R, StoreError> {
    let (key, raw) = entry?;
    rows::read(&key, &kv::whole(view, &key, raw)?.value)
}

fn list<R: Row>(view: &dyn Kv, prefix: &[u8]) -> Result<Vec<R>, StoreError> {
    view.scan(&Range::prefix(prefix), Order::Up)
        .map(|entry| row(view, entry))
        .collect()
}

/// One line of the index of incidents by area.
type Listed = (i64, IncidentId);

fn listed(key: &[u8]) -> Result<Listed, StoreError> {
    let fields = key.last_chunk::<16>().and_then(|tail| {
        let (ms, id) = tail.split_first_chunk::<8>()?;
        Some((*ms, id.first_chunk::<8>().copied()?))
    });
    let (ms, id) = fields.ok_or_else(|| kv::damaged(key, "an index key is too short"))?;
    Ok((
        (u64::from_be_bytes(ms) ^ (1 << 63)).cast_signed(),
        IncidentId(u64::from_be_bytes(id)),
    ))
}

pub(crate) fn recent_open(
    view: &dyn Kv,
    area: &AreaId,
    limit: usize,
) -> Result<Vec<Incident>, StoreError> {
    let mut prefix = key::area(area);
    prefix.push(1);
    view.scan(&Range::prefix(&prefix), Order::Down)
        .take(limit)
        .map(|entry| {
            let (_, id) = listed(&entry?.0)?;
            existing(view, id)
        })
        .collect()
}

fn existing(view: &dyn Kv, id: IncidentId) -> Result<Incident, StoreError> {
    let key = key::incident(id);
    read(view, &key)?.ok_or_else(|| kv::damaged(&key, "an index names it, but it does not exist"))
}

/// The incidents that a query asks for, newest first, by the index alone.
pub(crate) fn incident_index(
    view: &dyn Kv,
    query: &IncidentQuery,
) -> Result<Vec<Listed>, StoreError> {
    let within = query.area.as_ref().map_or_else(
        || vec![key::BY_AREA],
        |area| {
            // A commune's key begins its villages' keys, too: `06862` then 0, or then `/`.
            let mut prefix = vec![key::BY_AREA];
            prefix.extend_from_slice(area.as_str().as_bytes());
            if area.village().is_some() {
                prefix.push(0);
            }
            prefix
        },
    );
    let mut found = Vec::new();
    let mut rest = Range::prefix(&within);
    // From area to area: look at the next key, read that area's stretch, jump behind it.
    loop {
        let Some(entry) = view.scan(&rest, Order::Up).next() else {
            break;
        };
        let (key, _) = entry?;
        let mut area: Vec<u8> = key.iter().copied().take_while(|&byte| byte != 0).collect();
        area.push(0);
        let states: &[u8] = if query.open_only { &[1] } else { &[0, 1] };
        for &open in states {
            let mut prefix = area.clone();
            prefix.push(open);
            let mut range = Range::prefix(&prefix);
            if let Some(from) = &query.from {
                range.start = prefix.clone();
                key::moment(&mut range.start, from.timestamp_millis());
            }
            if let Some(to) = &query.to {
                // Exact below the millisecond, too: the row is asked when it is read.
                let mut end = prefix.clone();
                key::moment(&mut end, to.timestamp_millis().saturating_add(1));
                range.end = Some(end);
            }
            let of_area = view.scan(&range, Order::Down);
            for entry in of_area.take(query.limit.unwrap_or(usize::MAX)) {
                found.push(listed(&entry?.0)?);
            }
        }
        match kv::after_prefix(&area) {
            Some(next) => rest.start = next,
            None => break,
        }
    }
    found.sort_unstable_by(|left, right| right.cmp(left));
    found.dedup();
    Ok(found)
}

/// Whether the row is what the index said; it may have changed since the index was read.
pub(crate) fn fits(query: &IncidentQuery, incident: &Incident) -> bool {
    let after = |from: &Time| incident.received_at >= *from;
    let before = |to: &Time| incident.received_at < *to;
    query
        .area
        .as_ref()
        .is_none_or(|area| area.contains(&incident.area))
        && query.from.as_ref().is_none_or(after)
        && query.to.as_ref().is_none_or(before)
        && (!query.open_only || incident.status.is_open())
}

/// Reads a query's incidents, a stretch at a time.
pub(crate) fn incidents<V: Kv>(
    view: impl Fn() -> Result<V, StoreError>,
    query: &IncidentQuery,
) -> Result<Vec<Incident>, StoreError> {
    let limit = query.limit.unwrap_or(usize::MAX);
    let index = incident_index(&view()?, query)?;
    let mut found = Vec::with_capacity(index.len().min(limit));
    for stretch in index.chunks(STRETCH) {
        let view = view()?;
        for (_, id) in stretch {
            if found.len() >= limit {
                return Ok(found);
            }
            let incident: Option<Incident> = read(&view, &key::incident(*id))?;
            found.extend(incident.filter(|incident| fits(query, incident)));
        }
    }
    Ok(found)
}

pub(crate) fn rooms(view: &dyn Kv) -> Result<Vec<Room>, StoreError> {
    list(view, &[key::ROOM])
}

pub(crate) fn invites(view: &dyn Kv) -> Result<Vec<Invite>, StoreError> {
    list(view, &[key::INVITE])
}

pub(crate) fn errands(view: &dyn Kv) -> Result<Vec<Errand>, StoreError> {
    list(view, &[key::ERRAND])
}

pub(crate) fn appointments_due(
    view: &dyn Kv,
    now: &Time,
    limit: usize,
) -> Result<(Vec<Appointment>, Option<Time>), StoreError> {
    let mut due = Vec::new();
    for entry in view.scan(&Range::prefix(&[key::DUE]), Order::Up) {
        let (mark, _) = entry?;
        let (ms, key) =
            key::marked(&mark).ok_or_else(|| kv::damaged(&mark, "an index key is too short"))?;
        if ms > now.timestamp_millis() || due.len() >= limit {
            return Ok((due, Some(from_unix_ms(ms))));
        }
        let appointment = read(view, &key)?
            .ok_or_else(|| kv::damaged(&key, "an index names it, but it does not exist"))?;
        due.push(appointment);
    }
    Ok((due, None))
}

pub(crate) fn alert_by_code(view: &dyn Kv, code: &CheckCode) -> Result<Option<Alert>, StoreError> {
    match read::<NumberRow>(view, &key::code(code))? {
        Some(id) => read(view, &key::alert(AlertId(id.0))),
        None => Ok(None),
    }
}

pub(crate) fn open_alerts(view: &dyn Kv) -> Result<Vec<Alert>, StoreError> {
    view.scan(&Range::prefix(&[key::OPEN_ALERT]), Order::Up)
        .map(|entry| {
            let (mark, _) = entry?;
            let id = key::last_number(&mark)
                .ok_or_else(|| kv::damaged(&mark, "an index key is too short"))?;
            let key = key::alert(AlertId(id));
            read(view, &key)?
                .ok_or_else(|| kv::damaged(&key, "an index names it, but it does not exist"))
        })
        .collect()
}

/// The alerts that were drafted since a moment, newest first.
pub(crate) fn alerts_since(view: &dyn Kv, since: &Time) -> Result<Vec<Alert>, StoreError> {
    let mut found = Vec::new();
    // Ids grow with time; an hour may run back with the clock, so a little more is looked at.
    let mut older = 0;
    for entry in view.scan(&Range::prefix(&[key::ALERT]), Order::Down) {
        let alert: Alert = row(view, entry)?;
        if alert.drafted_at >= *since {
            found.push(alert);
        } else {
            older += 1;
            if older > OLDER {
                break;
            }
        }
    }
    Ok(found)
}

/// The rows of an alert that have not ended. They wait in the lanes of its level, and in the urgent ones,
/// where it is taken back; what waits in other lanes is stepped over.
pub(crate) fn queued_of(
    view: &dyn Kv,
    alert: AlertId,
    level: Level,
) -> Result<Vec<Delivery>, StoreError> {
    let mut lanes = vec![Lane::Urgent, level.lane()];
    lanes.dedup();
    let mut found = Vec::new();
    let mut rest = Range::prefix(&[key::OUTBOX]);
    while let Some(entry) = view.scan(&rest, Order::Up).next() {
        let (first, _) = entry?;
        let account =
            key::account_of(&first).ok_or_else(|| kv::damaged(&first, "its key is too short"))?;
        for lane in &lanes {
            let lane = Range::prefix(&key::lane_of(account, *lane));
            for entry in view.scan(&lane, Order::Up) {
                let delivery: Delivery = row(view, entry)?;
                if matches!(delivery.body, Body::Alert { alert: own, .. } if own == alert) {
                    found.push(delivery);
                }
            }
        }
        match kv::after_prefix(account) {
            Some(next) => rest.start = next,
            None => break,
        }
    }
    Ok(found)
}

/// Every row of an alert, by version and id; those that have not ended come last.
pub(crate) fn alert_rows(view: &dyn Kv, alert: AlertId) -> Result<Vec<Delivery>, StoreError> {
    let mut rows: Vec<Delivery> = list(view, &key::ended_of(alert))?;
    let kept: Option<Alert> = read(view, &key::alert(alert))?;
    if let Some(kept) = kept {
        rows.extend(queued_of(view, alert, kept.level)?);
    }
    Ok(rows)
}

/// The row that another one follows, once it has ended.
pub(crate) fn followed(
    view: &dyn Kv,
    alert: AlertId,
    follows: Follows,
) -> Result<Option<Delivery>, StoreError> {
    read(view, &key::ended(alert, follows.version, follows.row))
}

pub(crate) fn tally(view: &dyn Kv, alert: AlertId, version: u32) -> Result<Tally, StoreError> {
    Ok(read(view, &key::tally(alert, version))?.unwrap_or_default())
}

pub(crate) fn failures(
    view: &dyn Kv,
    alert: AlertId,
    version: u32,
) -> Result<Vec<(String, u32)>, StoreError> {
    let rows: Vec<FailureRow> = list(view, &key::failures(alert, version))?;
    let mut failures: Vec<_> = rows.into_iter().map(|row| (row.why, row.rooms)).collect();
    failures.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    Ok(failures)
}

pub(crate) fn waiting(
    view: &dyn Kv,
    account: &AccountName,
    lane: Lane,
    after: Option<DeliveryId>,
    limit: usize,
) -> Result<Vec<Delivery>, StoreError> {
    let prefix = key::queue(account, lane);
    let mut range = Range::prefix(&prefix);
    if let Some(after) = after {
        let mut last = prefix;
        last.extend_from_slice(&after.0.to_be_bytes());
        range = range.after(&last);
    }
    view.scan(&range, Order::Up)
        .map(|entry| row::<Delivery>(view, entry))
        .filter(|row| {
            row.as_ref().map_or(true, |row| {
                matches!(row.state, DeliveryState::Waiting { .. })
            })
        })
        .take(limit)
        .collect()
}

pub(crate) fn sent_message(view: &dyn Kv, id: DeliveryId) -> Result<Option<MessageId>, StoreError> {
    let row: Option<Delivery> = read(view, &key::progress(id))?;
    Ok(row.and_then(|row| match row.state {
        DeliveryState::Sent { message, .. } => message,
        _ => None,
    }))
}

/// A row that still stands as it did, being sent.
pub(crate) fn still_sending(view: &dyn Kv, row: &Delivery) -> Result<Option<Delivery>, StoreError> {
    let found: Option<Delivery> = read(view, &key::outbox(row))?;
    Ok(found.filter(|row| matches!(row.state, DeliveryState::Sending { .. })))
}

/// Rows of one kind from a cursor on.
fn page<R>(
    view: &dyn Kv,
    range: Range,
    from: &Cursor,
    limit: usize,
    mut read: impl FnMut(&[u8], &[u8]) -> Result<Option<R>, StoreError>,
) -> Result<(Vec<R>, Option<Cursor>), StoreError> {
    let range = if from.0.is_empty() {
        range
    } else {
        range.after(&from.0)
    };
    let mut found = Vec::new();
    for (count, entry) in view.scan(&range, Order::Up).enumerate() {
        let (key, raw) = entry?;
        let value = kv::whole(view, &key, raw)?.value;
        found.extend(read(&key, &value)?);
        // Rows that are passed over count as well, or a page could hold up the writers for long.
        if found.len() >= limit.clamp(1, STRETCH) || count >= 8 * STRETCH {
            return Ok((found, Some(Cursor(key.to_vec()))));
        }
    }
    Ok((found, None))
}

pub(crate) fn scan_rows<R: Row>(
    view: &dyn Kv,
    kind: u8,
    from: &Cursor,
    limit: usize,
) -> Result<(Vec<R>, Option<Cursor>), StoreError> {
    page(view, Range::prefix(&[kind]), from, limit, |key, value| {
        rows::read(key, value).map(Some)
    })
}

pub(crate) fn scan_audit(
    view: &dyn Kv,
    from: &Cursor,
    limit: usize,
) -> Result<(Vec<AuditLine>, Option<Cursor>), StoreError> {
    page(
        view,
        Range::prefix(&[key::AUDIT]),
        from,
        limit,
        |key, value| {
            let row: AuditRow = rows::read(key, value)?;
            let number = key::last_number(key).ok_or_else(|| kv::damaged(key, "no number"))?;
            Ok(Some(AuditLine {
                number,
                entry: row.entry,
                hash: row.hash,
            }))
        },
    )
}

/// First the rows that wait, then those that have ended: one that ends in between comes by twice, for the
/// caller to tell once, but none is left out.
pub(crate) fn scan_deliveries(
    view: &dyn Kv,
    from: &Cursor,
    limit: usize,
) -> Result<(Vec<Delivery>, Option<Cursor>), StoreError> {
    let ended = Cursor(vec![key::ENDED]);
    if from.0.first() != Some(&key::ENDED) {
        let queue = Range::prefix(&[key::OUTBOX]);
        let (found, next) = page(view, queue, from, limit, |key, value| {
            let row: Delivery = rows::read(key, value)?;
            Ok(matches!(row.body, Body::Alert { .. }).then_some(row))
        })?;
        return Ok((found, Some(next.unwrap_or(ended))));
    }
    let range = Range::prefix(&[key::ENDED]);
    page(view, range, from, limit, |key, value| {
        rows::read(key, value).map(Some)
    })
}
