//! The desk as its people meet it: commands in, acts into a store in memory, answers out.

mod life;

use std::sync::Arc;
use std::sync::Mutex;

use chrono::TimeDelta;
use insta::assert_snapshot;

use super::*;
use crate::domain::alert::Alert;
use crate::domain::alert::AlertState;
use crate::domain::alert::Level;
use crate::domain::area::AreaId;
use crate::domain::clock::ManualClock;
use crate::domain::clock::from_unix_ms;
use crate::domain::delivery::Pinned;
use crate::domain::ids::AccountName;
use crate::domain::ids::CheckCode;
use crate::domain::ids::IncidentId;
use crate::domain::incident::EventKind;
use crate::domain::incident::Incident;
use crate::domain::incident::Report;
use crate::domain::incident::Sensitivity;
use crate::domain::incident::Status;
use crate::domain::message::ReplyTo;
use crate::domain::reading::Category;
use crate::domain::reading::Facts;
use crate::domain::room::Room;
use crate::store::Done;
use crate::store::Expect;
use crate::store::memory::MemoryStore;

/// Draws the codes `333333`, `444444` …, and the ones it is told to draw first.
#[derive(Debug, Default)]
struct Dice(Mutex<(Vec<u64>, u64)>);

impl Random for Dice {
    fn bytes(&self) -> Result<[u8; 8], std::io::Error> {
        let mut dice = self.0.lock().unwrap();
        let number = dice.0.pop().unwrap_or_else(|| {
            dice.1 += 1;
            (0..6).fold(0, |number, _| number * 30 + dice.1)
        });
        Ok(number.to_le_bytes())
    }
}

/// A make-believe ward: an officer each for two communes, a head, an administrator, four groups.
struct Ward {
    desk: Desk,
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    dice: Arc<Dice>,
    messages: u32,
}

const HA: &str = "1001";
const NAM: &str = "1002";
const HEAD: &str = "2001";
const ADMIN: &str = "9001";
const STRANGER: &str = "5555";
const OTHER_WARD: &str = "1003";

const TRUC: &str = "-1";
const KHU: &str = "-2";
const UNBOUND: &str = "-3";
const GONE: &str = "-4";

/// Telegram, everywhere.
#[derive(Debug)]
struct Roomy;

impl Carriers for Roomy {
    fn carrier(&self, _room: &RoomId) -> Option<Carrier> {
        Some(Carrier {
            platform: Platform::Telegram,
            max_text: 4096,
            can_pin: true,
            is_wall: false,
        })
    }
}

/// One for all tests: it takes a while to build.
fn lexicon() -> Arc<Lexicon> {
    static LEXICON: std::sync::LazyLock<Arc<Lexicon>> =
        std::sync::LazyLock::new(|| Arc::new(Lexicon::builtin().unwrap()));
    Arc::clone(&LEXICON)
}

fn area(raw: &str) -> AreaId {
    AreaId::parse(raw).unwrap()
}

fn tg(native: &str) -> RoomId {
    RoomId::new(AccountName::parse("tg1").unwrap(), native)
}

fn staff(name: &str, role: Role, at: &str, native: &str) -> Staff {
    Staff {
        name: name.to_owned(),
        role,
        area: area(at),
        identities: vec![(AccountName::parse("tg1").unwrap(), native.to_owned())],
    }
}

impl Ward {
    async fn new() -> Self {
        let mut areas = AreaBook::default();
        areas.name(area("06862"), "Xã Quảng Ninh");
        areas.name(area("06862/tan-truc-tung"), "thôn Tân Trúc Tùng");
        areas.name(area("06862/khu-7"), "Khu 7");
        let people = vec![
            staff("Đ/c Hà", Role::Officer, "06862", HA),
            staff("Đ/c Nam", Role::Officer, "06862", NAM),
            staff("Đ/c Xa", Role::Officer, "06863", OTHER_WARD),
            staff("Bác Lan", Role::Head, "06862/tan-truc-tung", HEAD),
            staff("Anh Quản", Role::Admin, "06862", ADMIN),
        ];
        let store = Arc::new(MemoryStore::new());
        // 24 November 2026, 15:05 in Viet Nam; a Tuesday.
        let clock = Arc::new(ManualClock::at(from_unix_ms(1_795_507_500_000)));
        let dice = Arc::new(Dice::default());
        let desk = Desk::new(
            store.clone(),
            clock.clone(),
            Arc::new(areas),
            Arc::new(StaffDirectory::new(people).unwrap()),
            Settings::default(),
            dice.clone(),
            Wording {
                templates: Arc::new(Templates::builtin().unwrap()),
                lexicon: lexicon(),
                carriers: Arc::new(Roomy),
            },
        );
        let ward = Self {
            desk,
            store,
            clock,
            dice,
            messages: 0,
        };
        ward.room(
            TRUC,
            "Thôn Tân Trúc Tùng vui",
            Some("06862/tan-truc-tung"),
            RoomState::Active,
        )
        .await;
        ward.room(
            KHU,
            "Khu 7 - an ninh",
            Some("06862/khu-7"),
            RoomState::Active,
        )
        .await;
        ward.room(UNBOUND, "Hội chợ", None, RoomState::Active).await;
        ward.room(GONE, "Nhóm cũ", Some("06862/khu-7"), RoomState::Removed)
            .await;
        ward
    }

    async fn room(&self, native: &str, title: &str, at: Option<&str>, state: RoomState) {
        self.write(Write::Room(Box::new(Room {
            id: tg(native),
            kind: if native.starts_with('-') {
                RoomKind::Group
            } else {
                RoomKind::Private
            },
            title: title.to_owned(),
            area: at.map(area),
            state,
            sees_all: Some(true),
            joined_at: self.clock.now(),
            choices: None,
        })))
        .await;
    }

    async fn knows_privately(&self, native: &str) {
        self.room(native, "", None, RoomState::Active).await;
    }

    async fn write(&self, write: Write) {
        let act = Act {
            expects: vec![],
            writes: vec![write],
        };
        assert_eq!(self.store.commit(vec![act]).await.unwrap(), [Done::Written]);
    }

    fn message(&mut self, who: &str, room: &str, text: &str) -> Message {
        self.messages += 1;
        Message {
            room: tg(room),
            room_kind: if room.starts_with('-') {
                RoomKind::Group
            } else {
                RoomKind::Private
            },
            room_title: String::new(),
            thread: None,
            id: MessageId::from(i64::from(self.messages)),
            sender: Sender::Person {
                native: who.to_owned(),
                name: "Ai đó".to_owned(),
            },
            sent_at: self.clock.now(),
            text: text.to_owned(),
            attachments: vec![],
            reply_to: None,
            mentioned: false,
            album: None,
            perhaps_reply: false,
            forwarded: false,
            aside: None,
        }
    }

    /// Commits what the desk decided and returns what was said.
    async fn commit(&self, act: Act) -> Vec<Said> {
        assert_eq!(
            self.store.commit(vec![act.clone()]).await.unwrap(),
            [Done::Written]
        );
        said(&act)
    }

    async fn decide(
        &mut self,
        who: &str,
        room: &str,
        name: CommandName,
        rest: &str,
    ) -> Option<Act> {
        let message = self.message(who, room, rest);
        let command = Command {
            name,
            rest: rest.to_owned(),
        };
        self.desk.act(&message, &command).await.unwrap()
    }

    async fn command(&mut self, who: &str, room: &str, name: CommandName, rest: &str) -> Vec<Said> {
        let act = self
            .decide(who, room, name, rest)
            .await
            .expect("it is a command of the desk");
        self.commit(act).await
    }

    /// The words of the only answer.
    async fn answer(&mut self, who: &str, room: &str, name: CommandName, rest: &str) -> String {
        let said = self.command(who, room, name, rest).await;
        assert_eq!(said.len(), 1, "{said:?}");
        said[0].text.clone()
    }

    async fn says(&mut self, who: &str, room: &str, text: &str) -> Option<Vec<Said>> {
        let message = self.message(who, room, text);
        let act = self.desk.said_privately(&message).await.unwrap()?;
        Some(self.commit(act).await)
    }

    async fn replies(&mut self, who: &str, room: &str, text: &str) -> Option<Vec<Said>> {
        let mut message = self.message(who, room, text);
        message.reply_to = Some(ReplyTo {
            id: MessageId::from(77),
            to_bot: true,
        });
        let act = self.desk.said_privately(&message).await.unwrap()?;
        Some(self.commit(act).await)
    }

    async fn presses(&self, who: &str, room: &str, data: &str) -> Option<Vec<Said>> {
        let press = Press {
            room: tg(room),
            room_kind: if room.starts_with('-') {
                RoomKind::Group
            } else {
                RoomKind::Private
            },
            thread: None,
            id: "press".to_owned(),
            sender: Sender::Person {
                native: who.to_owned(),
                name: String::new(),
            },
            message: Some(MessageId::from(78)),
            data: data.to_owned(),
        };
        let act = self.desk.pressed(&press).await.unwrap()?;
        Some(self.commit(act).await)
    }

    async fn alert(&self, code: &str) -> Alert {
        let code = CheckCode::parse(code).unwrap();
        self.store.alert_by_code(&code).await.unwrap().unwrap()
    }

    async fn case(&self, id: u64) -> Incident {
        self.store.incident(IncidentId(id)).await.unwrap().unwrap()
    }

    async fn report(&mut self, at: &str, room: &str, text: &str) -> u64 {
        let id = IncidentId(self.store.incident_ids(1).start);
        let message = self.message(STRANGER, room, text);
        let now = self.clock.now();
        let mut case = Incident {
            id,
            version: 1,
            area: area(at),
            status: Status::New,
            sensitivity: Sensitivity::Open,
            facts: Facts {
                categories: vec![Category::Theft],
                primary: Category::Theft,
                urgent: false,
                place: Some("cổng chợ".to_owned()),
                time: None,
                phones: vec!["+84912345678".to_owned()],
                plates: vec!["14B1-23456".to_owned()],
                urls: vec![],
                handles: vec![],
                accounts: vec![],
            },
            received_at: now,
            reports: vec![Report {
                room: message.room,
                thread: None,
                message: message.id,
                reporter: None,
                sent_at: now,
                text: text.to_owned(),
                attachments: vec![],
            }],
            more_reports: 0,
            asked: None,
            officer: None,
            timeline: vec![],
            imported: false,
        };
        case.note(now, EventKind::Opened);
        let act = Act {
            expects: vec![Expect::Incident(id, 0)],
            writes: vec![Write::Incident(Box::new(case))],
        };
        self.commit(act).await;
        id.0
    }

    fn wait(&self, minutes: i64) {
        self.clock.advance(TimeDelta::minutes(minutes));
    }
}

/// Something the bot says, and where.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    room: String,
    lane: Lane,
    text: String,
    buttons: Vec<String>,
    reply_to: Option<MessageId>,
}

fn said(act: &Act) -> Vec<Said> {
    act.writes
        .iter()
        .filter_map(|write| match write {
            Write::Delivery(delivery) => Some(delivery),
            _ => None,
        })
        .map(|delivery| {
            let (text, buttons, reply_to) = match &delivery.body {
                Body::Text(post) => (
                    match post.edits {
                        Some(_) => format!("[edit] {}", post.text),
                        None => post.text.clone(),
                    },
                    post.buttons
                        .iter()
                        .flatten()
                        .map(|button| button.data.clone())
                        .collect(),
                    post.reply_to.clone(),
                ),
                Body::PressAnswer { text, .. } => (format!("[press] {text}"), vec![], None),
                Body::Alert { version, .. } => (format!("[alert v{version}]"), vec![], None),
                Body::Progress { .. } => ("[progress]".to_owned(), vec![], None),
                Body::Pin { of, pinned, .. } => {
                    let what = if *pinned == Pinned::Kept {
                        "pin"
                    } else {
                        "unpin"
                    };
                    (format!("[{what} v{}]", of.version), vec![], None)
                }
                Body::Receipt { text, .. } => (text.clone(), vec![], None),
            };
            Said {
                room: delivery.room.native.to_string(),
                lane: delivery.lane,
                text,
                buttons,
                reply_to,
            }
        })
        .collect()
}

fn rooms_and_words(said: &[Said]) -> Vec<(&str, &str)> {
    said.iter()
        .map(|said| (said.room.as_str(), said.text.as_str()))
        .collect()
}

const WORDS: &str = "Có người giả danh công an gọi điện.\nBà con không chuyển tiền.";

#[tokio::test]
async fn an_officer_sees_the_exact_words_and_the_rooms_before_anything_is_sent() {
    let mut ward = Ward::new().await;
    let said = ward.command(HA, HA, CommandName::CanhBao, WORDS).await;
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].buttons, ["a:ok:333333", "a:no:333333"]);
    assert_snapshot!(said[0].text, @r"
    CHƯA GỬI. Bản xem trước, các nhóm sẽ thấy đúng như sau:

    ⚠️ CẢNH BÁO

    Có người giả danh công an gọi điện.
    Bà con không chuyển tiền.

    Công an xã Quảng Ninh, 15:05 ngày 24/11/2026.
    Hiệu lực đến 15:05 ngày 25/11/2026.
    Mã kiểm tra: 333333. Muốn biết tin này có thật không, nhắn cho bot: /kiemtra 333333

    ———
    Gửi đến 2 nhóm:
    • Khu 7: Khu 7 - an ninh
    • thôn Tân Trúc Tùng: Thôn Tân Trúc Tùng vui
    Không rõ số người.
    Không gửi, vì chưa gắn thôn (1 nhóm): Hội chợ
    Không gửi, vì bot đã bị đưa ra khỏi nhóm (1 nhóm): Nhóm cũ

    Mã 333333. Gửi: trả lời OK hoặc nhắn /duyet 333333 trong 30 phút. Không gửi: trả lời HUỶ.
    ");
    let alert = ward.alert("333333").await;
    assert_eq!(
        (alert.state, alert.level, alert.words()),
        (AlertState::Draft, Level::Warning, WORDS)
    );
    let title = "Xã Quảng Ninh";
    assert!(said[0].text.contains(&say::alert::room_text(&alert, title)));
}

#[tokio::test]
async fn a_plain_ok_sends_to_every_bound_room_once() {
    let mut ward = Ward::new().await;
    ward.command(HA, HA, CommandName::CanhBao, WORDS).await;
    ward.wait(14);
    let said = ward.says(HA, HA, "OK").await.unwrap();
    assert_eq!(
        rooms_and_words(&said),
        [
            (TRUC, "[alert v1]"),
            (KHU, "[alert v1]"),
            (HA, "[progress]")
        ]
    );
    assert_eq!(said[0].lane, Lane::Urgent);
    let alert = ward.alert("333333").await;
    assert_eq!(alert.state, AlertState::Live);
    assert_eq!(alert.published_at, Some(ward.clock.now()));
    assert_eq!(alert.expires_at, ward.clock.now() + TimeDelta::hours(24));
    assert!(alert.progress.is_some());
    assert_eq!(ward.store.tally(alert.id, 1).await.unwrap().planned, 2);

    let again = ward.says(HA, HA, "ok").await.unwrap();
    assert_snapshot!(again[0].text, @"Cảnh báo mã 333333 đã gửi lúc 15:19. Không gửi lần nữa.");
    let again = ward.command(HA, HA, CommandName::Duyet, "333333").await;
    assert_snapshot!(again[0].text, @"Cảnh báo mã 333333 đã gửi lúc 15:19. Không gửi lần nữa.");
    let again = ward.presses(HA, HA, "a:ok:333333").await.unwrap();
    assert!(
        again.len() == 1
            && again[0]
                .text
                .starts_with("[press] Cảnh báo mã 333333 đã gửi")
    );
}

#[tokio::test]
async fn the_button_sends_and_loses_its_buttons() {
    let mut ward = Ward::new().await;
    ward.command(HA, HA, CommandName::CanhBao, "cháy chợ").await;
    let said = ward.presses(HA, HA, "a:ok:333333").await.unwrap();
    assert_eq!(said.len(), 5);
    assert_eq!(
        said[3].text,
        "[press] Đang gửi cảnh báo mã 333333 đến 2 nhóm."
    );
    assert_snapshot!(said[4].text, @r"
    [edit] ĐÃ XÁC NHẬN, gửi đến 2 nhóm:

    ⚠️ CẢNH BÁO

    cháy chợ

    Công an xã Quảng Ninh, 15:05 ngày 24/11/2026.
    Hiệu lực đến 15:05 ngày 25/11/2026.
    Mã kiểm tra: 333333. Muốn biết tin này có thật không, nhắn cho bot: /kiemtra 333333
    ");
    assert_eq!(ward.alert("333333").await.level, Level::Warning);
}

#[tokio::test]
async fn two_confirmations_at_once_make_one_alert() {
    let mut ward = Ward::new().await;
    ward.command(HA, HA, CommandName::CanhBao, WORDS).await;
    let first = ward
        .decide(HA, HA, CommandName::Duyet, "333333")
        .await
        .unwrap();
    let second = ward
        .decide(HA, HA, CommandName::Duyet, "333333")
        .await
        .unwrap();
    let done = ward.store.commit(vec![first, second]).await.unwrap();
    assert_eq!(done, [Done::Written, Done::Stale]);
}

#[tokio::test]
async fn only_the_author_confirms_and_only_a_fresh_draft() {
    let mut ward = Ward::new().await;
    ward.command(HA, HA, CommandName::CanhBao, WORDS).await;
    assert_snapshot!(ward.answer(NAM, NAM, CommandName::Duyet, "333333").await, @"Bản nháp này do Đ/c Hà soạn, chỉ người soạn xác nhận được.");
    assert_snapshot!(ward.answer(OTHER_WARD, OTHER_WARD, CommandName::Duyet, "333333").await, @"Không có bản nháp nào mang mã này. Xin xem lại mã.");
    assert_eq!(
        ward.answer(HA, HA, CommandName::Duyet, "ZZZZZZ").await,
        ward.answer(OTHER_WARD, OTHER_WARD, CommandName::Duyet, "333333")
            .await
    );
    assert!(ward.says(NAM, NAM, "OK").await.is_none());
    ward.wait(15);
    assert!(
        ward.says(HA, HA, "OK").await.is_none(),
        "a late OK means something else"
    );
    ward.wait(15);
    assert_snapshot!(ward.answer(HA, HA, CommandName::Duyet, "333333").await, @"Bản nháp đã quá 30 phút nên không gửi được nữa. Xin soạn lại bằng /canhbao.");
    let tidied = ward.desk.tidy().await.unwrap().unwrap();
    ward.commit(tidied).await;
    assert_eq!(ward.alert("333333").await.state, AlertState::Dropped);
    assert!(ward.desk.tidy().await.unwrap().is_none());
}

#[tokio::test]
async fn a_dropped_draft_is_never_sent() {
    let mut ward = Ward::new().await;
    ward.command(HA, HA, CommandName::CanhBao, WORDS).await;
    let said = ward.presses(HA, HA, "a:no:333333").await.unwrap();
    assert_snapshot!(said[0].text, @"[press] Đã huỷ bản nháp mã 333333, không nhóm nào nhận.");
    assert_snapshot!(ward.answer(HA, HA, CommandName::Duyet, "333333").await, @"Bản nháp mã 333333 đã huỷ trước đó, không gửi nữa. Cần thì soạn lại bằng /canhbao.");
    ward.command(HA, HA, CommandName::CanhBao, WORDS).await;
    let said = ward.says(HA, HA, "Huỷ").await.unwrap();
    assert_eq!(
        said[0].text,
        "Đã huỷ bản nháp mã 444444, không nhóm nào nhận."
    );
}

#[tokio::test]
async fn of_two_drafts_a_quoted_ok_asks_which_one_and_a_plain_one_takes_the_last() {
    let mut ward = Ward::new().await;
    ward.command(HA, HA, CommandName::CanhBao, "Một").await;
    ward.wait(1);
    ward.command(HA, HA, CommandName::CanhBao, "Hai").await;
    let asked = ward.replies(HA, HA, "OK").await.unwrap();
    assert_snapshot!(asked[0].text, @r"
    Có 2 bản nháp đang chờ, xin nói rõ bằng /duyet và mã:
    333333: “Một”
    444444: “Hai”
    ");
    ward.says(HA, HA, "ok").await.unwrap();
    assert_eq!(ward.alert("444444").await.state, AlertState::Live);
    assert_eq!(ward.alert("333333").await.state, AlertState::Draft);
    ward.replies(HA, HA, "OK").await.unwrap();
    assert_eq!(ward.alert("333333").await.state, AlertState::Live);
}

#[tokio::test]
async fn a_draft_made_in_a_group_shows_its_words_in_private_only() {
    let mut ward = Ward::new().await;
    let said = ward.command(HA, TRUC, CommandName::CanhBao, WORDS).await;
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].room, TRUC);
    assert!(!said[0].text.contains("giả danh"));
    assert_snapshot!(said[0].text, @"Cảnh báo mã 333333 chưa gửi, chờ người soạn xác nhận cho 2 nhóm: trả lời OK hoặc nhắn /duyet 333333. Nhắn riêng cho bot một lần, lần sau bản xem trước sẽ đến chỗ riêng.");
    let sent = ward.replies(HA, TRUC, "OK").await.unwrap();
    assert_eq!(sent.last().unwrap().text, "[progress]");

    ward.knows_privately(HA).await;
    let said = ward.command(HA, TRUC, CommandName::CanhBao, WORDS).await;
    assert_eq!((said[0].room.as_str(), said[1].room.as_str()), (HA, TRUC));
    assert!(said[0].text.contains("giả danh") && !said[1].text.contains("giả danh"));
    let sent = ward.says(HA, HA, "OK").await.unwrap();
    assert_eq!(sent.last().unwrap().room, HA);
}

#[tokio::test]
async fn nobody_else_learns_anything() {
    let mut ward = Ward::new().await;
    ward.command(HA, HA, CommandName::CanhBao, WORDS).await;
    let id = ward.report("06862/khu-7", KHU, "mất xe").await.to_string();
    let refusal = say::desk::no_such_command();
    assert_snapshot!(refusal, @"Lệnh này không dùng được ở đây. Nhắn /trogiup để xem cách báo tin.");
    for (who, name, rest) in [
        (STRANGER, CommandName::CanhBao, "giả"),
        (STRANGER, CommandName::Duyet, "333333"),
        (STRANGER, CommandName::Nhan, id.as_str()),
        (STRANGER, CommandName::TongHop, ""),
        (STRANGER, CommandName::Hen, "07:00"),
        (STRANGER, CommandName::ThuHoi, "333333"),
        (STRANGER, CommandName::Nhom, ""),
        (HEAD, CommandName::CanhBao, "giả"),
        (HEAD, CommandName::Xong, id.as_str()),
        (HA, CommandName::GanThon, "khu-7"),
    ] {
        assert_eq!(ward.answer(who, KHU, name, rest).await, refusal, "{name:?}");
    }
    assert!(ward.says(STRANGER, STRANGER, "OK").await.is_none());
    let pressed = ward.presses(STRANGER, KHU, "a:ok:333333").await.unwrap();
    assert_eq!(pressed[0].text, "[press] Nút này chỉ dành cho người soạn.");
    assert_eq!(ward.alert("333333").await.state, AlertState::Draft);
    assert!(ward.presses(STRANGER, KHU, "x:y").await.is_none());
    assert!(
        ward.decide(STRANGER, KHU, CommandName::Bao, "mất xe")
            .await
            .is_none()
    );
}

#[tokio::test]
async fn refusals_end_after_ten_in_a_minute() {
    let mut ward = Ward::new().await;
    for _ in 0..10 {
        ward.answer(STRANGER, KHU, CommandName::CanhBao, "x").await;
    }
    assert!(
        ward.command(STRANGER, KHU, CommandName::CanhBao, "x")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn whoever_writes_as_the_group_or_forwards_an_order_is_nobody() {
    let mut ward = Ward::new().await;
    let command = Command {
        name: CommandName::CanhBao,
        rest: WORDS.to_owned(),
    };
    let mut message = ward.message(HA, TRUC, WORDS);
    message.forwarded = true;
    assert!(ward.desk.act(&message, &command).await.unwrap().is_none());
    let mut message = ward.message(HA, TRUC, WORDS);
    message.sender = Sender::Anonymous;
    let act = ward.desk.act(&message, &command).await.unwrap().unwrap();
    assert_eq!(said(&act)[0].text, say::desk::no_such_command());
}

#[tokio::test]
async fn bad_texts_and_empty_wards_get_a_clear_answer() {
    let mut ward = Ward::new().await;
    assert_snapshot!(ward.answer(HA, HA, CommandName::CanhBao, " \u{200B}\n").await, @r"
    Xin viết nội dung ngay sau lệnh, ví dụ:
    /canhbao Có người giả danh công an gọi điện đòi chuyển tiền. Bà con không làm theo, gọi 113.
    Thêm “khẩn:” hoặc “tin:” ở đầu nội dung để đổi mức. Mẫu viết sẵn: /canhbao mẫu
    ");
    assert_eq!(
        ward.answer(HA, HA, CommandName::CanhBao, "khẩn:").await,
        say::desk::alert_without_words()
    );
    let long = "ạ".repeat(20_001);
    assert_snapshot!(ward.answer(HA, HA, CommandName::CanhBao, &long).await, @"Nội dung dài 20.001 ký tự, tối đa là 20.000. Xin rút ngắn rồi gửi lại.");
    let said = ward
        .command(HA, HA, CommandName::CanhBao, &"ạ".repeat(20_000))
        .await;
    assert!(!said[0].buttons.is_empty());
    assert_snapshot!(ward.answer(OTHER_WARD, OTHER_WARD, CommandName::CanhBao, "x").await, @"Chưa gửi được: chưa có nhóm nào gắn với 06863. Bot đang ở 1 nhóm chưa gắn: Hội chợ. Quản trị viên nhắn trong từng nhóm: /ganthon tên-thôn");
    // The rooms go away between draft and confirmation.
    ward.room(TRUC, "", None, RoomState::Removed).await;
    ward.room(KHU, "", Some("06862/khu-7"), RoomState::Removed)
        .await;
    let said = ward.presses(HA, HA, "a:ok:333333").await.unwrap();
    assert_eq!(
        said[0].text,
        "[press] Chưa gửi: không còn nhóm nào gắn với địa bàn này."
    );
}

#[tokio::test]
async fn a_code_in_use_is_drawn_again() {
    let mut ward = Ward::new().await;
    ward.command(HA, HA, CommandName::CanhBao, "Một").await;
    let first = (0..6).fold(0_u64, |number, _| number * 30 + 1);
    ward.dice.0.lock().unwrap().0.push(first);
    ward.command(HA, HA, CommandName::CanhBao, "Hai").await;
    assert_eq!(ward.alert("444444").await.words(), "Hai");
}

#[tokio::test]
async fn a_long_list_of_rooms_is_counted() {
    let mut ward = Ward::new().await;
    for number in 10..40 {
        let native = format!("-{number}");
        ward.room(
            &native,
            &format!("Nhóm {number}"),
            Some("06862/khu-7"),
            RoomState::Active,
        )
        .await;
    }
    let said = ward.command(HA, HA, CommandName::CanhBao, "x").await;
    assert!(said[0].text.contains("Gửi đến 32 nhóm"), "{}", said[0].text);
    assert!(said[0].text.contains("và 12 nhóm nữa"));
}

#[tokio::test]
async fn anyone_checks_a_code() {
    let mut ward = Ward::new().await;
    ward.command(HA, HA, CommandName::CanhBao, WORDS).await;
    let forged = ward
        .answer(STRANGER, STRANGER, CommandName::KiemTra, "ZZZZZZ")
        .await;
    assert_snapshot!(forged, @"❌ Không có cảnh báo nào mang mã này: có thể là giả mạo. Xin đừng làm theo, đừng chuyển tiếp; cần thì gọi 113.");
    // A draft is nobody's business yet, and a code that cannot be one is as good as a wrong one.
    for code in ["333333", "0O1", "xin chào"] {
        assert_eq!(
            ward.answer(STRANGER, KHU, CommandName::KiemTra, code).await,
            forged
        );
    }
    assert_snapshot!(ward.answer(STRANGER, KHU, CommandName::KiemTra, "").await, @"Xin ghi thêm mã ở cuối cảnh báo, ví dụ: /kiemtra 7F3A9K");
    ward.says(HA, HA, "OK").await.unwrap();
    let real = ward
        .answer(STRANGER, STRANGER, CommandName::KiemTra, "mã 333 333")
        .await;
    assert!(real.starts_with("✅ Mã 333333 là thật"), "{real}");
    let real = ward
        .answer(STRANGER, STRANGER, CommandName::KiemTra, "mã 333333.")
        .await;
    assert_snapshot!(real, @r"
    ✅ Mã 333333 là thật: Công an xã Quảng Ninh phát lúc 15:05 ngày 24/11/2026. Cảnh báo đang có hiệu lực đến 15:05 ngày 25/11/2026.
    Nội dung thật bắt đầu bằng: “Có người giả danh công an gọi điện.”
    Tin mang mã này mà nói khác đi là giả.
    ");
    ward.wait(24 * 60);
    let expired = ward
        .answer(STRANGER, STRANGER, CommandName::KiemTra, "333333")
        .await;
    assert!(expired.contains("đã hết hiệu lực từ"), "{expired}");
    for _ in 0..9 {
        ward.answer(STRANGER, STRANGER, CommandName::KiemTra, "333333")
            .await;
    }
    assert_snapshot!(ward.answer(STRANGER, STRANGER, CommandName::KiemTra, "333333").await, @"Hỏi nhanh quá, xin chờ một phút rồi kiểm tra tiếp.");
    assert!(
        ward.command(STRANGER, STRANGER, CommandName::KiemTra, "333333")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn an_expired_alert_ends_once_its_report_was_given() {
    let mut ward = Ward::new().await;
    ward.command(HA, HA, CommandName::CanhBao, WORDS).await;
    ward.says(HA, HA, "OK").await.unwrap();
    ward.wait(24 * 60);
    assert!(
        ward.desk.tidy().await.unwrap().is_none(),
        "the report is still to come"
    );
    let mut alert = ward.alert("333333").await;
    alert.reported = true;
    alert.revision += 1;
    ward.write(Write::Alert(Box::new(alert))).await;
    let tidied = ward.desk.tidy().await.unwrap().unwrap();
    ward.commit(tidied).await;
    assert_eq!(ward.alert("333333").await.state, AlertState::Expired);
}

#[tokio::test]
async fn an_officer_takes_a_case_and_alone_sees_the_words() {
    let mut ward = Ward::new().await;
    ward.knows_privately(HA).await;
    let id = ward
        .report("06862/khu-7", KHU, "Thằng Tí lấy xe 14B1-23456 của tôi")
        .await;
    let said = ward
        .command(HA, TRUC, CommandName::Nhan, &id.to_string())
        .await;
    assert_eq!(
        said.iter()
            .map(|said| said.room.as_str())
            .collect::<Vec<_>>(),
        [KHU, HA, TRUC]
    );
    assert_eq!(said[0].text, format!("Tin mã {id} đã có cán bộ tiếp nhận."));
    assert!(said[0].reply_to.is_some());
    assert_snapshot!(said[1].text, @r"
    Vụ 1 (trộm cắp), khu 7.
    Tin đến lúc 15:05, 1 lượt báo. Hiện đang giải quyết, Đ/c Hà giữ.
    Nơi xảy ra: cổng chợ
    Điện thoại: +84912345678
    Biển số: 14B1-23456
    Lời báo lúc 15:05:
    “Thằng Tí lấy xe 14B1-23456 của tôi”
    ");
    assert_snapshot!(said[2].text, @"Vụ 1: đang giải quyết.");
    let case = ward.case(id).await;
    assert_eq!(
        (case.status, case.officer.as_deref()),
        (Status::Accepted, Some("Đ/c Hà"))
    );

    // Again: shown again, and nobody is told twice.
    let said = ward
        .command(HA, HA, CommandName::Nhan, &id.to_string())
        .await;
    assert_eq!(said.len(), 1);
    assert!(said[0].text.contains("Thằng Tí"));
    let other = ward
        .answer(NAM, NAM, CommandName::Nhan, &id.to_string())
        .await;
    assert_snapshot!(other, @"Vụ 1 đang do Đ/c Hà giữ. Muốn chuyển: /giao 1 tên người nhận");
}

#[tokio::test]
async fn a_case_of_another_ward_is_none() {
    let mut ward = Ward::new().await;
    let id = ward.report("06862/khu-7", KHU, "mất xe").await.to_string();
    for (name, rest) in [
        (CommandName::Nhan, id.clone()),
        (CommandName::Xong, format!("{id} xong")),
        (CommandName::TuChoi, format!("{id} không có")),
        (CommandName::Giao, format!("{id} Xa")),
        (CommandName::Gop, format!("{id} 99")),
    ] {
        let answer = ward.answer(OTHER_WARD, OTHER_WARD, name, &rest).await;
        assert_eq!(
            answer,
            format!("Không có vụ mã {id} trong địa bàn phụ trách.")
        );
    }
}

#[tokio::test]
async fn a_case_is_closed_with_a_result_and_stays_closed() {
    let mut ward = Ward::new().await;
    let id = ward.report("06862/khu-7", KHU, "mất xe").await.to_string();
    assert_snapshot!(ward.answer(HA, HA, CommandName::Xong, &id).await, @"Xin ghi kết quả bằng một câu, ví dụ: /xong 1 đã hoà giải xong tại chỗ");
    assert_snapshot!(ward.answer(HA, HA, CommandName::TuChoi, &id).await, @"Xin ghi lý do bằng một câu, ví dụ: /tuchoi 1 đã kiểm tra, không có sự việc");
    assert_snapshot!(ward.answer(HA, HA, CommandName::Xong, "").await, @"Xin ghi kết quả bằng một câu, ví dụ: /xong 1204 đã hoà giải xong tại chỗ");
    let said = ward
        .command(
            HA,
            HA,
            CommandName::Xong,
            &format!("{id}: đã trả xe cho chủ"),
        )
        .await;
    assert_eq!(said[0].room, KHU);
    assert!(!said[0].text.contains("trả xe"));
    assert_snapshot!(said[1].text, @r"
    Vụ 1 (trộm cắp, khu 7): đã giải quyết xong.
    Kết quả: đã trả xe cho chủ
    ");
    let case = ward.case(id.parse().unwrap()).await;
    assert_eq!(case.status, Status::Done);
    assert_eq!(
        case.timeline.last().unwrap().what,
        EventKind::Closed {
            by: "Đ/c Hà".to_owned(),
            result: "đã trả xe cho chủ".to_owned()
        }
    );
    assert_snapshot!(ward.answer(HA, HA, CommandName::Xong, &format!("{id} lại")).await, @"Vụ 1 đã giải quyết xong, không đổi nữa.");
}

#[tokio::test]
async fn in_the_reporters_group_the_answer_to_them_is_enough() {
    let mut ward = Ward::new().await;
    let id = ward.report("06862/khu-7", KHU, "mất xe").await;
    let said = ward
        .command(
            HA,
            KHU,
            CommandName::TuChoi,
            &format!("{id} không có sự việc"),
        )
        .await;
    assert_eq!(
        rooms_and_words(&said),
        [(KHU, say::receipt::rejected(IncidentId(id)).as_str())]
    );
}

#[tokio::test]
async fn two_officers_at_once_do_not_overwrite_each_other() {
    let mut ward = Ward::new().await;
    let id = ward.report("06862/khu-7", KHU, "mất xe").await.to_string();
    let first = ward.decide(HA, HA, CommandName::Nhan, &id).await.unwrap();
    let second = ward.decide(NAM, NAM, CommandName::Nhan, &id).await.unwrap();
    let done = ward.store.commit(vec![first, second]).await.unwrap();
    assert_eq!(done, [Done::Written, Done::Stale]);
}

#[tokio::test]
async fn a_case_is_handed_to_a_colleague() {
    let mut ward = Ward::new().await;
    let id = ward.report("06862/khu-7", KHU, "mất xe").await;
    assert_snapshot!(ward.answer(HA, HA, CommandName::Giao, &id.to_string()).await, @"Xin ghi tên người nhận, ví dụ: /giao 1 Hà");
    assert_snapshot!(ward.answer(HA, HA, CommandName::Giao, &format!("{id} Tèo")).await, @"Không rõ giao cho ai. Có thể giao cho: Đ/c Hà, Đ/c Nam, Anh Quản.");
    let said = ward
        .command(HA, HA, CommandName::Giao, &format!("{id} nam"))
        .await;
    assert_snapshot!(said[1].text, @"Vụ 1: đã giao cho Đ/c Nam. Bot chưa nhắn riêng được cho Đ/c Nam, xin báo giúp.");
    assert_eq!(ward.case(id).await.officer.as_deref(), Some("Đ/c Nam"));
    ward.knows_privately(HA).await;
    let said = ward
        .command(NAM, NAM, CommandName::Giao, &format!("{id} Đ/c Hà"))
        .await;
    assert_eq!(said[0].room, HA);
    assert_snapshot!(said[0].text, @"Đ/c Nam giao vụ 1. Nhắn /nhan 1 để xem nội dung.");
}

#[tokio::test]
async fn two_cases_become_one() {
    let mut ward = Ward::new().await;
    let first = ward.report("06862/khu-7", KHU, "mất xe").await;
    let second = ward.report("06862/khu-7", TRUC, "xe bị trộm").await;
    let text = ward
        .answer(HA, HA, CommandName::Gop, &format!("{second} vào {first}"))
        .await;
    assert_eq!(text, format!("Đã gộp vụ {second} vào vụ {first}."));
    assert_eq!(
        ward.case(second).await.status,
        Status::Merged(IncidentId(first))
    );
    assert_eq!(ward.case(first).await.reports.len(), 2);
    let text = ward
        .answer(HA, HA, CommandName::Nhan, &second.to_string())
        .await;
    assert_eq!(
        text,
        format!("Vụ {second} đã gộp vào vụ {first}. Xin dùng mã {first}.")
    );
    let text = ward
        .answer(HA, HA, CommandName::Gop, &format!("{first} {first}"))
        .await;
    assert_eq!(text, say::desk::merge_with_itself());
    // Both groups hear of the end.
    let said = ward
        .command(HA, HA, CommandName::Xong, &format!("{first} đã xong"))
        .await;
    assert_eq!(
        said.iter()
            .map(|said| said.room.as_str())
            .collect::<Vec<_>>(),
        [KHU, TRUC, HA]
    );
}

#[tokio::test]
async fn an_administrator_binds_a_group_by_name() {
    let mut ward = Ward::new().await;
    assert_snapshot!(ward.answer(ADMIN, UNBOUND, CommandName::GanThon, "chợ").await, @r"
    Gắn nhóm với nơi nào của xã Quảng Ninh?
    • Khu 7: /ganthon khu-7
    • thôn Tân Trúc Tùng: /ganthon tan-truc-tung
    ");
    assert_snapshot!(ward.answer(ADMIN, UNBOUND, CommandName::GanThon, "Tân Trúc Tùng").await, @"Nhóm này từ nay thuộc thôn Tân Trúc Tùng: cảnh báo của công an sẽ gửi vào đây.");
    let room = ward.store.room(&tg(UNBOUND)).await.unwrap().unwrap();
    assert_eq!(
        (room.area, room.title.as_str()),
        (Some(area("06862/tan-truc-tung")), "Hội chợ")
    );
    assert_snapshot!(ward.answer(ADMIN, UNBOUND, CommandName::GanThon, "tan-truc-tung").await, @"Nhóm này đã thuộc thôn Tân Trúc Tùng rồi.");
    assert_snapshot!(ward.answer(ADMIN, UNBOUND, CommandName::GanThon, "KHU 7").await, @"Nhóm này từ nay thuộc khu 7 (trước đó: thôn Tân Trúc Tùng).");
    assert_snapshot!(ward.answer(ADMIN, ADMIN, CommandName::GanThon, "khu-7").await, @"Lệnh này dùng trong nhóm cần gắn: vào nhóm rồi nhắn /ganthon tên-thôn");
    // A group that we never heard of before.
    ward.answer(ADMIN, "-99", CommandName::GanThon, "cả xã")
        .await;
    let room = ward.store.room(&tg("-99")).await.unwrap().unwrap();
    assert_eq!(room.area, Some(area("06862")));
}

#[tokio::test]
async fn rooms_are_listed_by_name_in_private_only() {
    let mut ward = Ward::new().await;
    assert_snapshot!(ward.answer(HA, HA, CommandName::Nhom, "").await, @r"
    2 nhóm nhận cảnh báo.
    • Khu 7: Khu 7 - an ninh
    • thôn Tân Trúc Tùng: Thôn Tân Trúc Tùng vui
    Chưa gắn thôn, chưa nhận cảnh báo (1): Hội chợ
    Bot đã bị đưa ra (1): Nhóm cũ
    ");
    assert_snapshot!(ward.answer(HA, KHU, CommandName::Nhom, "").await, @"2 nhóm nhận cảnh báo, 1 nhóm chưa gắn thôn, 1 nhóm đã đưa bot ra. Danh sách: nhắn riêng /nhom cho bot.");
}

#[tokio::test]
async fn a_head_gets_the_village_and_an_officer_the_commune() {
    let mut ward = Ward::new().await;
    let taken = ward
        .report("06862/tan-truc-tung", TRUC, "ông Tí nhà số 12 mất xe")
        .await;
    ward.wait(24 * 60);
    ward.report("06862/tan-truc-tung", TRUC, "mất chó").await;
    ward.report("06862/khu-7", KHU, "mất xe đạp").await;
    ward.command(HA, HA, CommandName::Nhan, &taken.to_string())
        .await;
    ward.command(HA, HA, CommandName::CanhBao, WORDS).await;
    ward.says(HA, HA, "OK").await.unwrap();
    ward.wait(30);
    assert_snapshot!(ward.answer(HEAD, HEAD, CommandName::TongHop, "").await, @r"
    TỔNG HỢP thôn Tân Trúc Tùng, hôm nay 25/11

    Đang mở: 2 vụ
    • 1: trộm cắp, báo 24 giờ trước, đang giải quyết
    • 2: trộm cắp, báo 30 phút trước, chưa ai nhận

    Mới ghi nhận: 1 vụ (hôm qua: 1)
    • trộm cắp: 1 vụ (hôm qua: 1)
    Cán bộ đã nhận 1 vụ.

    Cảnh báo đang có hiệu lực:
    • Có người giả danh công an gọi điện. (mã 333333, đến 15:05 ngày 26/11)
    ");
    let commune = ward.answer(HA, HA, CommandName::TongHop, "hôm nay").await;
    assert_snapshot!(commune, @r"
    TỔNG HỢP xã Quảng Ninh, hôm nay 25/11

    Đang mở: 3 vụ
    • 1: trộm cắp, thôn Tân Trúc Tùng, báo 24 giờ trước, đang giải quyết
    • 2: trộm cắp, thôn Tân Trúc Tùng, báo 30 phút trước, chưa ai nhận
    • 3: trộm cắp, khu 7, báo 30 phút trước, chưa ai nhận

    Mới ghi nhận: 2 vụ (hôm qua: 1)
    • trộm cắp: 2 vụ (hôm qua: 1)
    Cán bộ đã nhận 1 vụ.

    Cảnh báo đang có hiệu lực:
    • Có người giả danh công an gọi điện. (mã 333333, đến 15:05 ngày 26/11)
    ");
    let village = ward
        .answer(HA, HA, CommandName::TongHop, "khu 7 7 ngày")
        .await;
    assert!(
        village.starts_with("TỔNG HỢP khu 7, từ 19/11 đến 25/11"),
        "{village}"
    );
    let same = ward
        .answer(HA, HA, CommandName::TongHop, "7 ngày Khu 7")
        .await;
    assert_eq!(same, village);
    // Another village is not the head's.
    assert_eq!(
        ward.answer(HEAD, HEAD, CommandName::TongHop, "khu 7").await,
        say::digest::which_days()
    );
    assert_snapshot!(ward.answer(HEAD, TRUC, CommandName::TongHop, "mai").await, @"Xin ghi ngày như sau: /tonghop hôm nay, hôm qua, tuần này, tuần trước, 7 ngày (tối đa 92 ngày) hoặc 20/11. Có thể thêm tên thôn trong địa bàn phụ trách.");
}

#[tokio::test]
async fn a_quiet_day_is_one_kind_line() {
    let mut ward = Ward::new().await;
    assert_snapshot!(ward.answer(HEAD, HEAD, CommandName::TongHop, "hôm qua").await, @r"
    TỔNG HỢP thôn Tân Trúc Tùng, hôm qua 23/11

    Không có vụ việc nào, không còn việc tồn. Chúc bà con bình yên.
    ");
}

#[tokio::test]
async fn a_digest_counts_what_happened_in_its_days() {
    let mut ward = Ward::new().await;
    let older = ward.report("06862/khu-7", KHU, "mất xe").await;
    let twin = ward.report("06862/khu-7", TRUC, "cũng vụ ấy").await;
    ward.wait(24 * 60);
    let newer = ward.report("06862/khu-7", KHU, "mất chó").await;
    ward.report("06862/tan-truc-tung", TRUC, "mất gà").await;
    ward.command(HA, HA, CommandName::Gop, &format!("{twin} vào {older}"))
        .await;
    ward.command(HA, HA, CommandName::Xong, &format!("{older} đã trả xe"))
        .await;
    let now = ward.clock.now();
    let days = crate::digest::days::parse("2 ngay", now.date_naive()).unwrap();
    let of = |at: &'static str, days| {
        let (store, areas) = (ward.store.clone(), ward.desk.areas.clone());
        async move {
            crate::digest::of(store.as_ref(), &areas, &area(at), days, now)
                .await
                .unwrap()
        }
    };
    let digest = of("06862/khu-7", days).await;
    assert_eq!((digest.recorded, digest.closed, digest.accepted), (2, 1, 0));
    assert_eq!(
        digest
            .by_day
            .iter()
            .map(|(_, count)| *count)
            .collect::<Vec<_>>(),
        [1, 1]
    );
    assert_eq!(
        digest.open.iter().map(|case| case.id.0).collect::<Vec<_>>(),
        [newer]
    );
    let today = crate::digest::days::parse("", now.date_naive()).unwrap();
    let digest = of("06862/khu-7", today).await;
    assert_eq!(
        (digest.recorded, digest.recorded_before, digest.closed),
        (1, 1, 1)
    );
    assert_eq!(of("06862", today).await.recorded, 2);
    let yesterday = crate::digest::days::parse("hom qua", now.date_naive()).unwrap();
    assert_eq!(of("06862", yesterday).await.closed, 0);

    let svg = crate::digest::chart::svg(&of("06862", days).await);
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(
        svg.contains(">Xã Quảng Ninh<") && svg.contains(">trộm cắp<") && svg.contains(">24/11<")
    );
}

#[tokio::test]
async fn two_programs_send_the_digest_of_a_day_once() {
    let mut ward = Ward::new().await;
    assert_snapshot!(ward.answer(HEAD, HEAD, CommandName::Hen, "18h").await, @"Từ hôm nay, cứ 6 giờ chiều hằng ngày, bot gửi bản tổng hợp thôn Tân Trúc Tùng vào đây. Không cần nữa: /hen thôi");
    assert!(ward.desk.due().await.unwrap().acts.is_empty());
    ward.wait(175);
    // Both look before either has written.
    let (one, other) = (
        ward.desk.due().await.unwrap(),
        ward.desk.due().await.unwrap(),
    );
    let [(first, Kept::InTime)] = one.acts.as_slice() else {
        panic!("{:?}", one.acts)
    };
    let [(second, Kept::InTime)] = other.acts.as_slice() else {
        panic!("{:?}", other.acts)
    };
    assert_snapshot!(said(first)[0].text, @r"
    TỔNG HỢP thôn Tân Trúc Tùng, hôm nay 24/11

    Không có vụ việc nào, không còn việc tồn. Chúc bà con bình yên.
    ");
    let done = ward.store.commit(vec![first.clone(), second.clone()]).await;
    assert_eq!(done.unwrap(), [Done::Written, Done::Stale]);
    let due = ward.desk.due().await.unwrap();
    assert!(due.acts.is_empty());
    assert_eq!(due.next, Some(ward.clock.now() + TimeDelta::days(1)));
}

#[tokio::test]
async fn a_reader_who_ends_it_at_the_last_moment_hears_nothing() {
    let mut ward = Ward::new().await;
    ward.command(HEAD, HEAD, CommandName::Hen, "18h").await;
    ward.wait(175);
    let due = ward.desk.due().await.unwrap();
    ward.command(HEAD, HEAD, CommandName::Hen, "thôi").await;
    let acts = due.acts.into_iter().map(|(act, _)| act).collect();
    assert_eq!(ward.store.commit(acts).await.unwrap(), [Done::Stale]);
}

#[tokio::test]
async fn an_appointment_follows_a_group_that_moves_and_ends_where_the_bot_is_put_out() {
    let mut ward = Ward::new().await;
    let said = ward
        .answer(HEAD, TRUC, CommandName::Hen, "6h vào nhóm")
        .await;
    assert_snapshot!(said, @"Từ ngày mai, cứ 6 giờ sáng hằng ngày, bot gửi bản tổng hợp ngày hôm trước của thôn Tân Trúc Tùng vào nhóm này. Nếu muốn 6 giờ chiều, nhắn /hen 18h. Không cần nữa: /hen thôi");
    ward.command(HA, HA, CommandName::Hen, "6h sáng").await;
    let at = Some("06862/tan-truc-tung");
    ward.room(TRUC, "Thôn", at, RoomState::Moved(tg("-1001")))
        .await;
    ward.room("-1001", "Thôn", at, RoomState::Active).await;
    ward.room(HA, "", None, RoomState::Removed).await;
    ward.wait(15 * 60 + 10);
    let due = ward.desk.due().await.unwrap();
    let mut heard = Vec::new();
    for (act, kept) in due.acts {
        let said = ward.commit(act).await;
        heard.extend(said.into_iter().map(|said| (said.room, kept)));
    }
    assert_eq!(heard, [("-1001".to_owned(), Kept::Late)]);
    let due = async |native: &str| {
        let found = ward.store.appointment(&tg(native)).await.unwrap();
        found.and_then(|found| found.due)
    };
    assert_eq!(due(TRUC).await, None);
    assert_eq!(due(HA).await, None);
    let next = due("-1001").await.unwrap();
    assert_eq!(next.to_rfc3339(), "2026-11-26T06:00:00+07:00");
}

#[tokio::test]
async fn a_template_is_a_whole_alert_in_one_message() {
    let mut ward = Ward::new().await;
    ward.knows_privately(HA).await;
    let list = ward.answer(HA, HA, CommandName::CanhBao, "mẫu").await;
    assert!(
        list.starts_with("Các mẫu cảnh báo:\n1. công an giả\n2. ngân hàng giả\n"),
        "{list}"
    );
    let preview = ward.answer(HA, HA, CommandName::CanhBao, "mẫu 1").await;
    assert!(preview.contains("⚠️ CẢNH BÁO\n\nCảnh giác người giả danh công an\n\nCó người gọi điện đến bà con, tự xưng"), "{preview}");
    assert!(preview.ends_with("\n\nMuốn điền lại: /canhbao mẫu 1: đến bà con; chuyển tiền để “xác minh” và giữ kín với gia đình"), "{preview}");
    assert_eq!(ward.alert("333333").await.level, Level::Warning);
    let preview = ward
        .answer(
            HA,
            HA,
            CommandName::CanhBao,
            "mẫu cháy: chợ Trúc; Đường 18 đang ùn",
        )
        .await;
    assert!(
        preview.contains("🔴 KHẨN\n\nĐang có cháy\n\nCháy tại chợ Trúc. Đường 18 đang ùn\n\n👉"),
        "{preview}"
    );
    assert!(!preview.contains("Muốn điền lại"), "{preview}");
    let preview = ward
        .answer(HA, HA, CommandName::CanhBao, "tin: mẫu 1")
        .await;
    assert!(preview.contains("📢 THÔNG BÁO\n\nCảnh giác"), "{preview}");
    let answer = ward.answer(HA, HA, CommandName::CanhBao, "mẫu 777").await;
    assert!(
        answer.starts_with("Không có mẫu này. Các mẫu cảnh báo:"),
        "{answer}"
    );
    let answer = ward
        .answer(HA, HA, CommandName::CanhBao, "mẫu 1: a; b; c")
        .await;
    assert!(
        answer.starts_with("Mẫu này có 2 chỗ điền, đ/c ghi 3."),
        "{answer}"
    );
}

#[tokio::test]
async fn an_officer_is_asked_before_somebody_is_named_to_everybody() {
    let mut ward = Ward::new().await;
    ward.knows_privately(HA).await;
    let words = "Nguyễn Văn An, số 0912 345 678, xe 14B1-234.56 đang trốn. Xem tai-day.example";
    let preview = ward.answer(HA, HA, CommandName::CanhBao, words).await;
    let (_, cautions) = preview.split_once("\n\n⚠️ Có thể").unwrap();
    assert_snapshot!(cautions, @r"
     lộ danh tính: số điện thoại +84912345678; biển số 14B1-23456; tên người Nguyễn Văn An.
    Có đường dẫn: tai-day.example. Bà con khó phân biệt thật giả, tốt nhất là bỏ.
    Sửa thì soạn lại bằng /canhbao, vẫn gửi thì trả lời OK.
    ");
    let preview = ward
        .answer(
            HA,
            HA,
            CommandName::CanhBao,
            "Có người giả danh công an, gọi 113",
        )
        .await;
    assert!(!preview.contains("Sửa thì"), "{preview}");
    let long = "Nước lên nhanh. ".repeat(400);
    let preview = ward.answer(HA, HA, CommandName::CanhBao, &long).await;
    assert!(
        preview.ends_with("⚠️ Nội dung dài, phải chia ra: Telegram 2 tin."),
        "{preview}"
    );
}

#[tokio::test]
async fn an_officer_gets_the_words_for_the_loudspeakers() {
    let mut ward = Ward::new().await;
    ward.knows_privately(HA).await;
    ward.answer(HA, HA, CommandName::CanhBao, "mẫu 1").await;
    let read = ward.answer(HA, HA, CommandName::Loa, "333333").await;
    assert!(read.starts_with("Bản đọc loa, khoảng "), "{read}");
    assert!(
        read.contains(
            "\nA lô, a lô. Công an xã Quảng Ninh cảnh báo.\nCảnh giác người giả danh công an."
        ),
        "{read}"
    );
    assert!(read.contains("Gọi một một ba"), "{read}");
    for (who, room, code) in [
        (HA, HA, ""),
        (HA, HA, "7F3A9K"),
        (HA, TRUC, "333333"),
        (OTHER_WARD, OTHER_WARD, "333333"),
    ] {
        let answer = ward.answer(who, room, CommandName::Loa, code).await;
        assert_eq!(
            answer,
            "Không có cảnh báo nào như vậy. Xin ghi mã, ví dụ: /loa 7F3A9K"
        );
    }
    let answer = ward
        .answer(STRANGER, STRANGER, CommandName::Loa, "333333")
        .await;
    assert!(answer.starts_with("Lệnh này không dùng được"), "{answer}");
}
