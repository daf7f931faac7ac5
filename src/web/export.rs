//! The rows of the store as JSON, for exports: the field names here are a contract with other programs.
//!
//! No reporter, no name, no pseudonym is ever exported; a report's words only for incidents, whose
//! readers are the officers who work on them.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::domain::alert::Alert;
use crate::domain::area::AreaId;
use crate::domain::clock::Time;
use crate::domain::delivery::Body;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::DeliveryState;
use crate::domain::ids::AccountName;
use crate::domain::ids::DeliveryId;
use crate::domain::incident::EventKind;
use crate::domain::incident::Incident;
use crate::domain::incident::Sensitivity;
use crate::domain::incident::Status;
use crate::domain::message::Attachment;
use crate::domain::reading::Facts;
use crate::domain::reading::When;
use crate::store::AuditLine;
use crate::store::Cursor;
use crate::store::Store;
use crate::store::StoreError;

/// What can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Cases.
    Incidents,
    /// Alerts.
    Alerts,
    /// One line for each room and version of an alert.
    Deliveries,
    /// Who did what.
    Audit,
}

impl What {
    /// The name on the command line and in the URL.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "incidents" => Some(Self::Incidents),
            "alerts" => Some(Self::Alerts),
            "deliveries" => Some(Self::Deliveries),
            "audit" => Some(Self::Audit),
            _ => None,
        }
    }

    /// The name on the command line and in the URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incidents => "incidents",
            Self::Alerts => "alerts",
            Self::Deliveries => "deliveries",
            Self::Audit => "audit",
        }
    }
}

/// The rows, page by page, each once, while others go on writing.
#[derive(Debug)]
pub struct Pages {
    store: Arc<dyn Store>,
    what: What,
    limit: usize,
    from: Option<Cursor>,
    /// Deliveries told while they waited: one that ends meanwhile comes by again among the ended.
    told: HashSet<DeliveryId>,
}

impl Pages {
    /// From the beginning, at most `limit` rows at a time.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, what: What, limit: usize) -> Self {
        Self {
            store,
            what,
            limit,
            from: Some(Cursor::default()),
            told: HashSet::new(),
        }
    }

    /// The next rows, which may be none although more follow; `None` at the end.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, StoreError> {
        let Some(from) = self.from.take() else {
            return Ok(None);
        };
        let (store, limit) = (&self.store, self.limit);
        let (rows, next) = match self.what {
            What::Incidents => {
                let (rows, next) = store.scan_incidents(&from, limit).await?;
                (rows.iter().map(incident).collect(), next)
            }
            What::Alerts => {
                let (rows, next) = store.scan_alerts(&from, limit).await?;
                (rows.iter().map(alert).collect(), next)
            }
            What::Deliveries => {
                let (mut rows, next) = store.scan_deliveries(&from, limit).await?;
                rows.retain(|row| match row.state {
                    DeliveryState::Waiting { .. } | DeliveryState::Sending { .. } => {
                        self.told.insert(row.id)
                    }
                    _ => !self.told.contains(&row.id),
                });
                (rows.iter().map(delivery).collect(), next)
            }
            What::Audit => {
                let (rows, next) = store.scan_audit(&from, limit).await?;
                (rows.iter().map(audit).collect(), next)
            }
        };
        self.from = next;
        Ok(Some(rows))
    }
}

pub(super) fn time(at: Time) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, false)
}

/// A reading's facts, with the field names of `keng read`.
#[must_use]
pub fn facts(facts: &Facts) -> Value {
    json!({
        "categories": facts.categories.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
        "primary": facts.primary.as_str(),
        "urgent": facts.urgent,
        "place": facts.place,
        "time": match &facts.time {
            None => Value::Null,
            Some(When::At(at)) => json!(time(*at)),
            Some(When::Between(from, to)) => json!([time(*from), time(*to)]),
        },
        "phones": facts.phones,
        "plates": facts.plates,
        "accounts": facts.accounts.iter().map(|account| match &account.bank {
            Some(bank) => json!({"number": account.number, "bank": bank}),
            None => json!({"number": account.number}),
        }).collect::<Vec<_>>(),
        "urls": facts.urls,
        "handles": facts.handles,
    })
}

fn incident(incident: &Incident) -> Value {
    let first = incident.first();
    json!({
        "id": incident.id.0,
        "code": incident.id.to_string(),
        "account": first.room.account.as_str(),
        "room": &*first.room.native,
        "message_id": first.message.as_str(),
        "status": incident.status.as_str(),
        "merged_into": match incident.status {
            Status::Merged(into) => json!(into.to_string()),
            _ => Value::Null,
        },
        "area": incident.area.as_str(),
        "private": incident.sensitivity == Sensitivity::Private,
        "reading": facts(&incident.facts),
        "text": first.text,
        "received_at": time(incident.received_at),
        "sent_at": time(first.sent_at),
        "reports": incident.reports.iter().map(|report| json!({
            "account": report.room.account.as_str(),
            "room": &*report.room.native,
            "message_id": report.message.as_str(),
            "sent_at": time(report.sent_at),
            "text": report.text,
            "attachments": report.attachments.len(),
            "photos": report.attachments.iter().filter_map(Attachment::address)
                .map(|address| incident.photo_stem(address)).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "more_reports": incident.more_reports,
        "officer": incident.officer,
        "imported": incident.imported,
        "timeline": incident.timeline.iter().map(|event| json!({
            "at": time(event.at),
            "event": event_name(&event.what),
        })).collect::<Vec<_>>(),
    })
}

fn event_name(what: &EventKind) -> &'static str {
    match what {
        EventKind::Opened => "opened",
        EventKind::ReportJoined => "report_joined",
        EventKind::DetailAdded => "detail_added",
        EventKind::Edited => "edited",
        EventKind::Withdrawn => "withdrawn",
        EventKind::Accepted { .. } => "accepted",
        EventKind::Assigned { .. } => "assigned",
        EventKind::Closed { .. } => "closed",
        EventKind::Rejected { .. } => "rejected",
        EventKind::Merged { .. } => "merged",
        EventKind::Clipped => "clipped",
        EventKind::Deleted => "deleted",
    }
}

fn alert(alert: &Alert) -> Value {
    json!({
        "id": alert.id.0,
        "code": alert.code.as_str(),
        "version": alert.version(),
        "state": alert.state.as_str(),
        "level": alert.level.as_str(),
        "area": alert.area.as_str(),
        "targets": {
            "areas": alert.target.areas.iter().map(AreaId::as_str).collect::<Vec<_>>(),
            "accounts": alert.target.accounts.iter().map(AccountName::as_str).collect::<Vec<_>>(),
            "rooms": alert.target.rooms.iter().map(|room| json!({
                "account": room.account.as_str(),
                "room": &*room.native,
            })).collect::<Vec<_>>(),
        },
        "drill": alert.drill,
        "author": alert.author(),
        "text": alert.words(),
        "versions": alert.versions.iter().map(|version| json!({
            "version": version.number,
            "kind": version.kind.as_str(),
            "text": version.words,
            "author": version.author,
            "approver": version.approver,
            "photo": version.photo.is_some(),
            "recording": version.recording.is_some(),
            "at": time(version.at),
        })).collect::<Vec<_>>(),
        "drafted_at": time(alert.drafted_at),
        "published_at": alert.published_at.map(time),
        "expires_at": time(alert.expires_at),
    })
}

fn delivery(row: &Delivery) -> Value {
    let (alert, version) = match row.body {
        Body::Alert { alert, version, .. } => (Some(alert.0), Some(version)),
        _ => (None, None),
    };
    let (at, reason, message) = match &row.state {
        DeliveryState::Waiting { due } => (*due, None, None),
        DeliveryState::Sending { since } => (*since, None, None),
        DeliveryState::Sent { at, message } => (*at, None, message.as_ref()),
        DeliveryState::Unknown { at, why } | DeliveryState::Failed { at, why } => {
            (*at, Some(why.as_str()), None)
        }
    };
    json!({
        "id": row.id.0,
        "alert": alert,
        "version": version,
        "account": row.room.account.as_str(),
        "room": &*row.room.native,
        "state": row.state.as_str(),
        "reason": reason,
        "message_id": message.map(|id| id.as_str()),
        "attempts": row.attempts,
        "maybe_twice": row.maybe_twice,
        "queued_at": time(row.queued_at),
        "at": time(at),
    })
}

fn audit(line: &AuditLine) -> Value {
    json!({
        "number": line.number,
        "at": time(line.entry.at),
        "who": line.entry.who,
        "act": line.entry.act,
        "object": line.entry.object,
        "detail": line.entry.detail,
        "hash": line.hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    })
}
