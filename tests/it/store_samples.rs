//! Small values to put into stores.

use keng::domain::alert::Alert;
use keng::domain::alert::AlertState;
use keng::domain::alert::Level;
use keng::domain::alert::Versions;
use keng::domain::appointment::Appointment;
use keng::domain::appointment::Hour;
use keng::domain::area::AreaId;
use keng::domain::audit::AuditEntry;
use keng::domain::clock::Time;
use keng::domain::clock::from_unix_ms;
use keng::domain::delivery::Body;
use keng::domain::delivery::Delivery;
use keng::domain::delivery::DeliveryState;
use keng::domain::delivery::Lane;
use keng::domain::ids::AccountName;
use keng::domain::ids::AlertId;
use keng::domain::ids::CheckCode;
use keng::domain::ids::DeliveryId;
use keng::domain::ids::IncidentId;
use keng::domain::ids::MessageId;
use keng::domain::ids::MessageKey;
use keng::domain::ids::RoomId;
use keng::domain::incident::Event;
use keng::domain::incident::EventKind;
use keng::domain::incident::Incident;
use keng::domain::incident::Report;
use keng::domain::incident::Sensitivity;
use keng::domain::incident::Status;
use keng::domain::person::PersonKey;
use keng::domain::reading::Category;
use keng::domain::reading::Facts;
use keng::store::Act;
use keng::store::Expect;
use keng::store::Write;

pub(crate) fn at(seconds: i64) -> Time {
    from_unix_ms(1_790_000_000_000 + seconds * 1000)
}

pub(crate) fn account(name: &str) -> AccountName {
    AccountName::parse(name).unwrap()
}

pub(crate) fn room(native: &str) -> RoomId {
    RoomId::new(account("tg1"), native)
}

pub(crate) fn message(room_native: &str, id: i64) -> MessageKey {
    MessageKey {
        room: room(room_native),
        message: MessageId::from(id),
    }
}

pub(crate) fn area(raw: &str) -> AreaId {
    AreaId::parse(raw).unwrap()
}

pub(crate) fn incident(id: u64, area_id: &str, seconds: i64, text: &str) -> Incident {
    Incident {
        id: IncidentId(id),
        version: 1,
        area: area(area_id),
        status: Status::New,
        sensitivity: Sensitivity::Open,
        facts: Facts {
            categories: vec![Category::Theft],
            primary: Category::Theft,
            urgent: false,
            place: Some("cổng chợ".to_owned()),
            time: None,
            phones: vec![],
            plates: vec![],
            urls: vec![],
            handles: vec![],
            accounts: vec![],
        },
        received_at: at(seconds),
        reports: vec![Report {
            room: room("-100"),
            thread: None,
            message: MessageId::from(i64::try_from(id).unwrap()),
            reporter: Some(PersonKey([3; 16])),
            sent_at: at(seconds),
            text: text.to_owned(),
            attachments: vec![],
        }],
        more_reports: 0,
        asked: None,
        officer: None,
        timeline: vec![Event {
            at: at(seconds),
            what: EventKind::Opened,
        }],
        imported: false,
    }
}

pub(crate) fn receipt(id: u64, incident: u64) -> Delivery {
    delivery(
        id,
        Lane::Reply,
        Body::Receipt {
            incident: IncidentId(incident),
            reply_to: Some(MessageId::from(7)),
            text: "Đã ghi nhận.".to_owned(),
            asks: None,
        },
    )
}

pub(crate) fn delivery(id: u64, lane: Lane, body: Body) -> Delivery {
    Delivery {
        id: DeliveryId(id),
        room: room("-100"),
        thread: None,
        lane,
        body,
        state: DeliveryState::Waiting { due: at(0) },
        attempts: 0,
        maybe_twice: false,
        queued_at: at(0),
    }
}

pub(crate) fn alert_row(id: u64, alert: u64) -> Delivery {
    let body = Body::Alert {
        alert: AlertId(alert),
        version: 1,
        follows: None,
    };
    delivery(id, Lane::Urgent, body)
}

pub(crate) fn alert(id: u64, revision: u32, state: AlertState) -> Alert {
    Alert {
        revision,
        state,
        ..Alert::draft(
            AlertId(id),
            CheckCode::from_random([u8::try_from(id).unwrap(); 8]),
            Level::Warning,
            area("06862"),
            Versions::first("Cảnh giác lừa đảo", "Đ/c Hà", at(0)),
            room("1001"),
            at(86_400),
        )
    }
}

/// Due so many seconds after the beginning, or ended.
pub(crate) fn appointment(native: &str, revision: u32, due: Option<i64>) -> Appointment {
    Appointment {
        room: room(native),
        thread: None,
        native: native.to_owned(),
        revision,
        hour: Hour::from_minutes(18 * 60).unwrap(),
        asked_at: at(0),
        due: due.map(at),
        done: None,
    }
}

pub(crate) fn audit(object: &str) -> AuditEntry {
    AuditEntry {
        at: at(0),
        who: "Đ/c Hà".to_owned(),
        act: "alert.publish".to_owned(),
        object: object.to_owned(),
        detail: String::new(),
    }
}

/// What the intake does with a tagged message.
pub(crate) fn record(id: u64, text: &str) -> Act {
    let key = message("-100", i64::try_from(id).unwrap());
    Act {
        expects: vec![Expect::Unseen(key.clone())],
        writes: vec![
            Write::Seen(key, Some(IncidentId(id))),
            Write::Incident(Box::new(incident(
                id,
                "06862/tan-truc-tung",
                i64::try_from(id).unwrap(),
                text,
            ))),
            Write::Delivery(Box::new(receipt(id, id))),
        ],
    }
}

pub(crate) fn act(writes: Vec<Write>) -> Act {
    Act {
        expects: vec![],
        writes,
    }
}
