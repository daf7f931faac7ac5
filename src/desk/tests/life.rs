//! The life of an alert: a second officer, corrections, ends, drills, and what people type wrong.

use super::*;
use crate::domain::account::Platform;
use crate::domain::alert::VersionKind;
use crate::domain::delivery::Settled;
use crate::domain::hand::HandGroup;
use crate::domain::room::Quiet;
use crate::store::window;

const FLOOD: &str = "Nước lên nhanh, bà con lên chỗ cao";

impl Ward {
    /// The desk after a restart with other people, settings or rules.
    fn restarts(&mut self, people: Vec<Staff>, settings: Settings, rules: RoomRules) {
        let mut areas = AreaBook::default();
        areas.name(area("06862"), "Xã Quảng Ninh");
        areas.name(area("06863"), "Xã Bên Cạnh");
        areas.name(area("06862/tan-truc-tung"), "thôn Tân Trúc Tùng");
        areas.name(area("06862/khu-7"), "Khu 7");
        self.desk = Desk::new(
            self.store.clone(),
            self.clock.clone(),
            Arc::new(areas),
            Arc::new(StaffDirectory::new(people).unwrap()),
            settings,
            self.dice.clone(),
            self.desk.wording.clone(),
        )
        .with_rooms(rules);
    }

    /// Everybody has spoken to the bot in private.
    async fn all_privately(&self) {
        for native in [HA, NAM, ADMIN, OTHER_WARD] {
            self.knows_privately(native).await;
        }
    }

    /// An alert of Hà's that is out.
    async fn out(&mut self, words: &str) -> Alert {
        self.command(HA, HA, CommandName::CanhBao, words).await;
        let said = self.says(HA, HA, "OK").await.unwrap();
        assert!(
            said.iter().any(|said| said.text == "[alert v1]"),
            "{said:?}"
        );
        self.alert("333333").await
    }

    /// The rows that wait for a room arrive, or end otherwise.
    async fn settle(&self, native: &str, how: Settled) {
        let account = AccountName::parse("tg1").unwrap();
        let rows = self
            .store
            .waiting(&account, Lane::Urgent, None, 100)
            .await
            .unwrap();
        let rows: Vec<_> = rows
            .into_iter()
            .filter(|row| row.room == tg(native) && matches!(row.body, Body::Alert { .. }))
            .collect();
        assert!(!rows.is_empty(), "nothing waits for {native}");
        let now = self.clock.now();
        let claimed = self.store.claim(rows, now).await.unwrap();
        let ended = claimed.into_iter().map(|row| (row, how.clone())).collect();
        self.store.settle(ended, now).await.unwrap();
    }

    async fn arrives(&self, native: &str) {
        self.settle(native, Settled::Sent(Some(MessageId::from(501))))
            .await;
    }
}

fn heard(said: &[Said], native: &str) -> Vec<String> {
    said.iter()
        .filter(|said| said.room == native)
        .map(|said| said.text.clone())
        .collect()
}

#[tokio::test]
async fn an_urgent_alert_waits_for_a_second_officer_and_never_for_its_author() {
    let mut ward = Ward::new().await;
    ward.all_privately().await;
    let preview = ward
        .answer(
            HA,
            HA,
            CommandName::CanhBao,
            "khẩn Cháy chợ, tránh đường 18",
        )
        .await;
    assert!(preview.contains("🔴 KHẨN"), "{preview}");
    assert!(
        preview.contains("còn cần Đ/c Nam hoặc Anh Quản duyệt"),
        "{preview}"
    );
    let said = ward.says(HA, HA, "OK").await.unwrap();
    assert!(
        said.iter().all(|said| !said.text.starts_with("[alert")),
        "{said:?}"
    );
    assert_snapshot!(heard(&said, HA)[0], @"CHƯA GỬI. Cảnh báo mã 333333 chờ Đ/c Nam hoặc Anh Quản duyệt. Bot đã nhắn nhờ duyệt; sau 30 phút không ai duyệt thì tự huỷ. Muốn dừng, trả lời HUỶ hoặc nhắn /thuhoi 333333");
    for colleague in [NAM, ADMIN] {
        let asked = heard(&said, colleague);
        assert!(asked[0].starts_with("NHỜ DUYỆT. Đ/c Hà soạn") && asked[0].contains("Cháy chợ"));
    }
    assert!(heard(&said, OTHER_WARD).is_empty());
    assert_eq!(ward.alert("333333").await.state, AlertState::Pending);

    // The author approves nothing, by no way.
    let own = ward.answer(HA, HA, CommandName::Duyet, "333333").await;
    assert_snapshot!(own, @"Cảnh báo mã 333333 chưa gửi, chờ Đ/c Nam hoặc Anh Quản duyệt: người soạn không tự duyệt được.");
    let own = ward.presses(HA, HA, "a:ok:333333").await.unwrap();
    assert!(own[0].text.contains("không tự duyệt được"), "{own:?}");
    // Nor does somebody of another commune; a plain OK approves nothing either.
    let other = ward
        .answer(OTHER_WARD, OTHER_WARD, CommandName::Duyet, "333333")
        .await;
    assert_eq!(other, say::desk::no_such_draft());
    assert_eq!(ward.says(NAM, NAM, "OK").await, None);
    let which = ward.answer(NAM, NAM, CommandName::Duyet, "").await;
    assert_snapshot!(which, @"Xin ghi mã để duyệt: /duyet 333333");

    let said = ward.command(NAM, NAM, CommandName::Duyet, "333333").await;
    assert_eq!(heard(&said, TRUC), ["[alert v1]"]);
    assert!(
        heard(&said, HA).contains(&"Đ/c Nam đã duyệt cảnh báo mã 333333, đang gửi.".to_owned())
    );
    let alert = ward.alert("333333").await;
    assert_eq!(alert.state, AlertState::Live);
    let version = alert.versions.latest();
    assert_eq!(
        (version.author.as_str(), version.approver.as_deref()),
        ("Đ/c Hà", Some("Đ/c Nam"))
    );
    // The second approval finds it done.
    let late = ward
        .answer(ADMIN, ADMIN, CommandName::Duyet, "333333")
        .await;
    assert!(late.contains("Không gửi lần nữa"), "{late}");
}

#[tokio::test]
async fn a_request_that_nobody_answers_is_repeated_once_and_lapses() {
    let mut ward = Ward::new().await;
    ward.all_privately().await;
    ward.command(HA, HA, CommandName::CanhBao, "khẩn: cháy")
        .await;
    ward.says(HA, HA, "OK").await.unwrap();
    assert!(ward.desk.tidy().await.unwrap().is_none());
    ward.wait(5);
    let act = ward.desk.tidy().await.unwrap().unwrap();
    let said = ward.commit(act).await;
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].text.starts_with("NHẮC LẠI") && said[0].buttons == ["a:ok:333333", "a:no:333333"]
    );
    assert!(ward.desk.tidy().await.unwrap().is_none(), "once is enough");
    ward.wait(25);
    let late = ward.answer(NAM, NAM, CommandName::Duyet, "333333").await;
    assert_snapshot!(late, @"Cảnh báo mã 333333 đã quá hạn duyệt nên không gửi. Nhờ người soạn gửi lại bằng /canhbao.");
    let act = ward.desk.tidy().await.unwrap().unwrap();
    let said = ward.commit(act).await;
    assert_eq!(said.len(), 1);
    assert!(
        said[0].room == HA && said[0].text.contains("KHÔNG được gửi"),
        "{said:?}"
    );
    assert_eq!(ward.alert("333333").await.state, AlertState::Dropped);
}

#[tokio::test]
async fn a_colleague_refuses_and_the_author_hears_it() {
    let mut ward = Ward::new().await;
    ward.all_privately().await;
    ward.command(HA, HA, CommandName::CanhBao, "khẩn: cháy")
        .await;
    ward.says(HA, HA, "OK").await.unwrap();
    let said = ward.presses(NAM, NAM, "a:no:333333").await.unwrap();
    assert!(
        heard(&said, HA)[0].contains("Đ/c Nam không duyệt"),
        "{said:?}"
    );
    assert_eq!(ward.alert("333333").await.state, AlertState::Dropped);
    let late = ward
        .answer(ADMIN, ADMIN, CommandName::Duyet, "333333")
        .await;
    assert!(late.contains("đã huỷ trước đó"), "{late}");
}

#[tokio::test]
async fn a_ward_with_one_officer_sends_alone_only_when_its_config_says_so() {
    let mut ward = Ward::new().await;
    let alone = || vec![staff("Đ/c Hà", Role::Officer, "06862", HA)];
    ward.restarts(alone(), Settings::default(), RoomRules::default());
    ward.command(HA, HA, CommandName::CanhBao, "khẩn: cháy")
        .await;
    let refused = ward.says(HA, HA, "OK").await.unwrap();
    assert!(
        refused[0].text.contains("second_officer = false"),
        "{refused:?}"
    );
    assert_eq!(ward.alert("333333").await.state, AlertState::Draft);
    let settings = Settings {
        second_officer: false,
        ..Settings::default()
    };
    ward.restarts(alone(), settings, RoomRules::default());
    let said = ward.says(HA, HA, "OK").await.unwrap();
    assert_eq!(heard(&said, TRUC), ["[alert v1]"]);
    let (lines, _) = ward
        .store
        .scan_audit(&Default::default(), 100)
        .await
        .unwrap();
    let last = lines.last().unwrap();
    assert_eq!(last.entry.act, "alert.publish");
    assert!(
        last.entry.detail.contains("without a second officer"),
        "{last:?}"
    );
}

#[tokio::test]
async fn an_alert_for_another_commune_is_approved_there() {
    let mut ward = Ward::new().await;
    ward.all_privately().await;
    ward.room("-5", "Chợ Bên Cạnh", Some("06863"), RoomState::Active)
        .await;
    let people = vec![
        staff("Đ/c Hà", Role::Officer, "06862", HA),
        staff("Đ/c Nam", Role::Officer, "06862", NAM),
        staff("Đ/c Xa", Role::Officer, "06863", OTHER_WARD),
    ];
    let settings = Settings {
        second_officer: false,
        ..Settings::default()
    };
    ward.restarts(people, settings, RoomRules::default());
    let preview = ward
        .answer(
            HA,
            HA,
            CommandName::CanhBao,
            "đến xã Quảng Ninh, xã Bên Cạnh: đường 18 ngập",
        )
        .await;
    assert!(
        preview.contains("Chợ Bên Cạnh") && preview.contains("còn cần Đ/c Xa duyệt"),
        "{preview}"
    );
    let said = ward.says(HA, HA, "OK").await.unwrap();
    assert!(
        heard(&said, NAM).is_empty() && !heard(&said, OTHER_WARD).is_empty(),
        "{said:?}"
    );
    let own = ward.answer(NAM, NAM, CommandName::Duyet, "333333").await;
    assert_eq!(
        own,
        say::approval::not_yours(&CheckCode::parse("333333").unwrap())
    );
    let said = ward
        .command(OTHER_WARD, OTHER_WARD, CommandName::Duyet, "333333")
        .await;
    assert_eq!(heard(&said, "-5"), ["[alert v1]"]);
    assert_eq!(heard(&said, TRUC), ["[alert v1]"]);
    // Whoever let it in can take it back, everywhere.
    ward.arrives("-5").await;
    ward.arrives(TRUC).await;
    let said = ward
        .command(OTHER_WARD, OTHER_WARD, CommandName::ThuHoi, "333333")
        .await;
    assert_eq!(heard(&said, "-5"), ["[alert v2]"]);
    assert_eq!(heard(&said, TRUC), ["[alert v2]"]);
}

#[tokio::test]
async fn an_alert_whose_time_has_passed_is_over_before_anybody_marks_it() {
    let mut ward = Ward::new().await;
    ward.out(FLOOD).await;
    ward.wait(24 * 60);
    for (name, rest) in [
        (CommandName::ThuHoi, "333333"),
        (CommandName::DinhChinh, "333333 lời khác"),
    ] {
        let told = ward.answer(HA, HA, name, rest).await;
        assert!(told.contains("đã hết hiệu lực từ 15:05"), "{told}");
    }
    assert_eq!(ward.alert("333333").await.state, AlertState::Live);
}

#[tokio::test]
async fn a_correction_reaches_who_saw_the_alert_and_replaces_what_still_waits() {
    let mut ward = Ward::new().await;
    ward.all_privately().await;
    let alert = ward.out(FLOOD).await;
    ward.arrives(TRUC).await;
    ward.wait(1);
    let said = ward
        .command(HA, HA, CommandName::DinhChinh, "333333 Nước đã rút ở cầu")
        .await;
    assert_eq!(
        rooms_and_words(&said),
        [
            (TRUC, "[alert v2]"),
            (KHU, "[alert v2]"),
            (HA, "[progress]")
        ]
    );
    // The waiting row of the first version is gone.
    let rows = ward.store.alert_rows(alert.id).await.unwrap();
    let waiting: Vec<_> = rows
        .iter()
        .filter(|row| matches!(row.state, DeliveryState::Waiting { .. }))
        .map(|row| match row.body {
            Body::Alert {
                version, follows, ..
            } => (
                row.room.native.to_string(),
                version,
                follows.map(|f| f.version),
            ),
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(
        waiting,
        [(TRUC.to_owned(), 2, Some(1)), (KHU.to_owned(), 2, Some(1))]
    );
    let tally = ward.store.tally(alert.id, 1).await.unwrap();
    assert_eq!((tally.planned, tally.sent, tally.failed), (2, 1, 1));
    assert_eq!(
        ward.store.failures(alert.id, 1).await.unwrap(),
        [(crate::store::REPLACED.to_owned(), 1)]
    );

    let alert = ward.alert("333333").await;
    assert_eq!(
        (alert.state, alert.version(), alert.words()),
        (AlertState::Live, 2, "Nước đã rút ở cầu")
    );
    assert_eq!(
        alert
            .versions
            .iter()
            .map(|v| v.words.as_str())
            .collect::<Vec<_>>(),
        [FLOOD, "Nước đã rút ở cầu"]
    );
    let told = ward
        .answer(STRANGER, STRANGER, CommandName::KiemTra, "333333")
        .await;
    assert!(
        told.contains("bản thứ 2") && told.contains("Nước đã rút"),
        "{told}"
    );
}

#[tokio::test]
async fn what_is_withdrawn_is_told_only_where_it_was_seen() {
    let mut ward = Ward::new().await;
    ward.all_privately().await;
    let alert = ward.out(FLOOD).await;
    ward.arrives(TRUC).await;
    // A colleague takes it back with one command; the author hears of it at once.
    let said = ward
        .command(NAM, NAM, CommandName::ThuHoi, "333333 tin sai")
        .await;
    assert_eq!(heard(&said, TRUC), ["[alert v2]"]);
    assert!(heard(&said, KHU).is_empty(), "it never saw it: {said:?}");
    assert_eq!(
        heard(&said, HA),
        ["Đ/c Nam vừa thu hồi cảnh báo mã 333333."]
    );
    assert_eq!(heard(&said, NAM), ["[progress]"]);
    let rows = ward.store.alert_rows(alert.id).await.unwrap();
    let waits = |row: &&Delivery| matches!(row.state, DeliveryState::Waiting { .. });
    assert_eq!(rows.iter().filter(waits).count(), 1);
    let alert = ward.alert("333333").await;
    assert_eq!(alert.state, AlertState::Withdrawn);
    assert_eq!(alert.versions.latest().kind, VersionKind::Withdrawal);
    let shown = say::alert::room_text(&alert, "Xã Quảng Ninh");
    assert!(!shown.contains(FLOOD), "{shown}");
    assert_snapshot!(shown, @r"
    🚫 ĐÃ THU HỒI

    Cảnh báo mã 333333 phát lúc 15:05 ngày 24/11/2026 không còn đúng, xin bà con bỏ qua và đừng chuyển tiếp.
    tin sai

    Công an xã Quảng Ninh, 15:05 ngày 24/11/2026.
    Mã kiểm tra: 333333. Muốn biết tin này có thật không, nhắn cho bot: /kiemtra 333333
    ");
    for (name, rest) in [
        (CommandName::ThuHoi, "333333"),
        (CommandName::HetCanhBao, "333333"),
        (CommandName::DinhChinh, "333333 lời khác"),
    ] {
        let over = ward.answer(HA, HA, name, rest).await;
        assert_eq!(
            over,
            "Cảnh báo mã 333333 đã thu hồi lúc 15:05, không đổi nữa. Cần báo thêm, xin soạn mới bằng /canhbao."
        );
    }
    let told = ward.answer(HA, HA, CommandName::Duyet, "333333").await;
    assert!(told.contains("sau đó đã thu hồi"), "{told}");
}

#[tokio::test]
async fn an_all_clear_follows_a_send_that_is_under_way() {
    let mut ward = Ward::new().await;
    let alert = ward.out(FLOOD).await;
    let account = AccountName::parse("tg1").unwrap();
    let rows = ward
        .store
        .waiting(&account, Lane::Urgent, None, 1)
        .await
        .unwrap();
    ward.store.claim(rows, ward.clock.now()).await.unwrap();
    let said = ward
        .command(HA, HA, CommandName::HetCanhBao, "333333")
        .await;
    let told: Vec<_> = said
        .iter()
        .filter(|said| said.text == "[alert v2]")
        .collect();
    assert_eq!(
        told.len(),
        1,
        "the room that may be hearing it right now: {said:?}"
    );
    let alert_now = ward.alert("333333").await;
    assert_eq!(alert_now.state, AlertState::AllClear);
    assert!(
        ward.store.open_alerts().await.unwrap().contains(&alert_now),
        "its end is still reported on"
    );
    // Once that is done, nothing is open.
    ward.write(Write::Alert(Box::new(Alert {
        reported: true,
        revision: alert_now.revision + 1,
        ..alert_now
    })))
    .await;
    let act = ward.desk.tidy().await.unwrap().unwrap();
    ward.commit(act).await;
    assert!(ward.store.open_alerts().await.unwrap().is_empty());
    assert_eq!(
        ward.store.alert(alert.id).await.unwrap().unwrap().state,
        AlertState::AllClear
    );
}

#[tokio::test]
async fn two_officers_who_correct_at_once_do_not_overwrite_each_other_unread() {
    let mut ward = Ward::new().await;
    ward.all_privately().await;
    ward.out(FLOOD).await;
    ward.arrives(TRUC).await;
    ward.wait(5);
    // Both decide on the same revision; one act is written, the other is stale and decided again.
    let first = ward
        .decide(HA, HA, CommandName::DinhChinh, "333333 Nước lên ở cầu Hạ")
        .await
        .unwrap();
    let second = ward
        .decide(NAM, NAM, CommandName::DinhChinh, "333333 Nước lên ở chợ")
        .await
        .unwrap();
    let done = ward.store.commit(vec![first, second]).await.unwrap();
    assert_eq!(done, [Done::Written, Done::Stale]);
    let again = ward
        .answer(NAM, NAM, CommandName::DinhChinh, "333333 Nước lên ở chợ")
        .await;
    assert!(
        again.starts_with("Chưa gửi: Đ/c Hà vừa đính chính") && again.contains("cầu Hạ"),
        "{again}"
    );
    assert_eq!(ward.alert("333333").await.version(), 2);
    // Having read it, the colleague may.
    ward.wait(1);
    ward.command(NAM, NAM, CommandName::DinhChinh, "333333 Nước lên ở chợ")
        .await;
    assert_eq!(ward.alert("333333").await.version(), 3);
}

#[tokio::test]
async fn a_change_needs_a_code_words_and_an_alert_of_the_area() {
    let mut ward = Ward::new().await;
    ward.all_privately().await;
    let none = ward.answer(HA, HA, CommandName::ThuHoi, "").await;
    assert_snapshot!(none, @"Không có cảnh báo nào đang có hiệu lực ở địa bàn phụ trách.");
    ward.out(FLOOD).await;
    assert_snapshot!(ward.answer(NAM, NAM, CommandName::DinhChinh, "").await, @r"
    Xin ghi mã: /dinhchinh MÃ lời mới
    Đang có hiệu lực:
    333333: “Nước lên nhanh, bà con lên chỗ cao”
    ");
    for (name, rest, wanted) in [
        (CommandName::DinhChinh, "333333", "Xin ghi lời mới"),
        (CommandName::DinhChinh, "333333 🌊🌊", "cần có lời"),
        (
            CommandName::DinhChinh,
            &format!("333333 {FLOOD}"),
            "giống hệt",
        ),
        (
            CommandName::DinhChinh,
            "444444 gì đó",
            "Không có cảnh báo nào mang mã này",
        ),
        (
            CommandName::HetCanhBao,
            "444444",
            "Không có cảnh báo nào mang mã này",
        ),
    ] {
        let told = ward.answer(HA, HA, name, rest).await;
        assert!(told.contains(wanted), "{rest}: {told}");
    }
    let foreign = ward
        .answer(OTHER_WARD, OTHER_WARD, CommandName::ThuHoi, "333333")
        .await;
    assert_eq!(foreign, say::change::no_such_alert());
    let refused = ward
        .answer(STRANGER, STRANGER, CommandName::ThuHoi, "333333")
        .await;
    assert_eq!(refused, say::desk::no_such_command());
    assert_eq!(ward.alert("333333").await.version(), 1);
}

#[tokio::test]
async fn what_waits_for_approval_is_taken_back_by_the_same_command() {
    let mut ward = Ward::new().await;
    ward.all_privately().await;
    ward.command(HA, HA, CommandName::CanhBao, "khẩn: cháy")
        .await;
    let foreign = ward.answer(NAM, NAM, CommandName::ThuHoi, "333333").await;
    assert_eq!(
        foreign,
        say::change::no_such_alert(),
        "a draft is its author's"
    );
    ward.says(HA, HA, "OK").await.unwrap();
    let not_yet = ward.answer(HA, HA, CommandName::HetCanhBao, "333333").await;
    assert!(not_yet.contains("chưa gửi cho nhóm nào"), "{not_yet}");
    let said = ward.command(NAM, NAM, CommandName::ThuHoi, "333333").await;
    assert!(
        said.iter().all(|said| !said.text.starts_with("[alert")),
        "{said:?}"
    );
    assert_eq!(ward.alert("333333").await.state, AlertState::Dropped);
    let late = ward
        .answer(ADMIN, ADMIN, CommandName::Duyet, "333333")
        .await;
    assert!(late.contains("đã huỷ trước đó"), "{late}");
}

#[tokio::test]
async fn an_officer_who_is_removed_after_confirming_gets_nothing_sent() {
    let mut ward = Ward::new().await;
    ward.all_privately().await;
    ward.command(HA, HA, CommandName::CanhBao, "khẩn: cháy")
        .await;
    ward.says(HA, HA, "OK").await.unwrap();
    let rest = vec![
        staff("Đ/c Nam", Role::Officer, "06862", NAM),
        staff("Anh Quản", Role::Admin, "06862", ADMIN),
    ];
    ward.restarts(rest, Settings::default(), RoomRules::default());
    let told = ward.answer(NAM, NAM, CommandName::Duyet, "333333").await;
    assert_snapshot!(told, @"Không duyệt được mã 333333: Đ/c Hà không còn là cán bộ ở đây. Nếu vẫn cần gửi, xin tự soạn bằng /canhbao.");
    assert_eq!(ward.says(HA, HA, "OK").await, None);
    let refused = ward.answer(HA, HA, CommandName::Duyet, "333333").await;
    assert_eq!(refused, say::desk::no_such_command());
    assert_eq!(ward.alert("333333").await.state, AlertState::Pending);
}

#[tokio::test]
async fn an_officer_who_is_removed_between_draft_and_confirmation_sends_nothing() {
    let mut ward = Ward::new().await;
    ward.all_privately().await;
    ward.command(HA, HA, CommandName::CanhBao, FLOOD).await;
    let rest = vec![staff("Đ/c Nam", Role::Officer, "06862", NAM)];
    ward.restarts(rest, Settings::default(), RoomRules::default());
    assert_eq!(ward.says(HA, HA, "OK").await, None);
    let refused = ward.answer(HA, HA, CommandName::Duyet, "333333").await;
    assert_eq!(refused, say::desk::no_such_command());
    let pressed = ward.presses(HA, HA, "a:ok:333333").await.unwrap();
    assert!(heard(&pressed, TRUC).is_empty(), "{pressed:?}");
    let foreign = ward.answer(NAM, NAM, CommandName::Duyet, "333333").await;
    assert_eq!(foreign, say::desk::only_the_author("Đ/c Hà"));
    assert_eq!(ward.alert("333333").await.state, AlertState::Draft);
}

#[tokio::test]
async fn a_clock_that_jumps_back_sends_nothing_old() {
    let mut ward = Ward::new().await;
    ward.all_privately().await;
    ward.command(HA, HA, CommandName::CanhBao, FLOOD).await;
    ward.wait(-120);
    let told = ward.answer(HA, HA, CommandName::Duyet, "333333").await;
    assert!(told.contains("quá 30 phút"), "{told}");
    assert_eq!(ward.says(HA, HA, "OK").await, None);
    ward.wait(120);
    ward.says(HA, HA, "OK").await.unwrap();
    ward.arrives(TRUC).await;
    ward.wait(-120);
    // Taking back works at any hour, and its hour is never before that of the alert.
    ward.command(HA, HA, CommandName::ThuHoi, "333333").await;
    let alert = ward.alert("333333").await;
    let hours: Vec<_> = alert.versions.iter().map(|version| version.at).collect();
    assert_eq!(alert.state, AlertState::Withdrawn);
    assert!(hours[0] <= hours[1], "{hours:?}");
}

#[tokio::test]
async fn an_end_is_named_and_never_lies_behind() {
    let mut ward = Ward::new().await;
    let past = ward
        .answer(HA, HA, CommandName::CanhBao, "khẩn, hạn 14h: cháy")
        .await;
    assert_snapshot!(past, @"Chưa gửi: hạn 14:00 đã qua. Xin ghi hạn ở sau lúc này, ví dụ: hạn 18h mai.");
    let odd = ward
        .answer(HA, HA, CommandName::CanhBao, "tin, hạn mùa xuân: họp")
        .await;
    assert!(odd.contains("chưa hiểu hạn “mùa xuân”"), "{odd}");
    let far = ward
        .answer(HA, HA, CommandName::CanhBao, "tin, hạn 1/1/2030: họp")
        .await;
    assert!(
        far.contains("chưa hiểu hạn") || far.contains("nhiều nhất 30 ngày"),
        "{far}"
    );
    let preview = ward
        .answer(HA, HA, CommandName::CanhBao, "tin, hạn 15h20: họp")
        .await;
    assert!(
        preview.contains("Hiệu lực đến 15:20 ngày 24/11/2026"),
        "{preview}"
    );
    ward.wait(16);
    let late = ward.answer(HA, HA, CommandName::Duyet, "333333").await;
    assert!(late.contains("đã qua"), "{late}");
    assert_eq!(ward.alert("333333").await.state, AlertState::Draft);
}

#[tokio::test]
async fn signs_alone_and_endless_words_are_no_alert() {
    let mut ward = Ward::new().await;
    for text in ["🔥", "khẩn: 🔥🔥", "!!!"] {
        let told = ward.answer(HA, HA, CommandName::CanhBao, text).await;
        assert_eq!(told, say::desk::only_signs(), "{text}");
    }
    let long = "nước ".repeat(4_001);
    let told = ward.answer(HA, HA, CommandName::CanhBao, &long).await;
    assert!(told.contains("tối đa là 20.000"), "{told}");
    let whole = "nước ".repeat(3_999) + "lên";
    let preview = ward.answer(HA, HA, CommandName::CanhBao, &whole).await;
    assert!(preview.contains(&whole));
}

#[tokio::test]
async fn a_target_is_a_village_a_platform_or_a_group() {
    let mut ward = Ward::new().await;
    let zalo = AccountName::parse("zb1").unwrap();
    ward.write(Write::Room(Box::new(Room {
        id: RoomId::new(zalo.clone(), "g1"),
        title: "Xóm Đình".to_owned(),
        ..ward.store.room(&tg(KHU)).await.unwrap().unwrap()
    })))
    .await;
    let people = vec![staff("Đ/c Hà", Role::Officer, "06862", HA)];
    let rules = RoomRules {
        accounts: vec![
            (AccountName::parse("tg1").unwrap(), Platform::Telegram),
            (zalo, Platform::ZaloBot),
        ],
        ..RoomRules::default()
    };
    ward.restarts(people, Settings::default(), rules);
    let mut names = Vec::new();
    for (number, (text, rooms)) in [
        ("đến khu 7: họp", 2),
        ("đến Zalo: họp dân", 1),
        ("đến khu 7, Telegram: họp khu", 1),
        ("đến nhóm Xóm Đình: họp xóm", 1),
        ("đến thôn Tân Trúc Tùng, nhóm Xóm Đình: họp cả hai", 2),
        ("tin đến thôn Tân Trúc Tùng và khu 7: họp chung", 3),
        ("Đến 18h nước lên: bà con lên cao", 3),
    ]
    .into_iter()
    .enumerate()
    {
        let preview = ward.answer(HA, HA, CommandName::CanhBao, text).await;
        assert!(
            preview.contains(&format!("Gửi đến {rooms} nhóm")),
            "{text}: {preview}"
        );
        if number == 1 {
            assert!(
                preview.contains("Không gửi, vì không nằm trong nơi đã chọn (2 nhóm)"),
                "{preview}"
            );
        }
        names.push(preview);
    }
    assert!(names[6].contains("Đến 18h nước lên: bà con lên cao"));
    for (text, wanted) in [
        (
            "đến thôn Hà Nội: họp",
            "không thấy nơi nào tên “thôn Hà Nội”",
        ),
        ("đến Facebook: họp", "không thấy nơi nào tên “Facebook”"),
        ("đến nhóm o: họp", "có thể là"),
    ] {
        let told = ward.answer(HA, HA, CommandName::CanhBao, text).await;
        assert!(told.contains(wanted), "{text}: {told}");
    }
}

#[tokio::test]
async fn the_same_words_within_three_days_are_asked_about() {
    let mut ward = Ward::new().await;
    ward.out(FLOOD).await;
    ward.wait(60);
    let said = ward
        .command(HA, HA, CommandName::CanhBao, &FLOOD.to_uppercase())
        .await;
    assert!(
        said[0]
            .text
            .contains("Đúng lời này đã gửi lúc 15:05, mã 333333. Gửi lại thật không?"),
        "{said:?}"
    );
    let asked = ward.says(HA, HA, "OK").await.unwrap();
    assert_snapshot!(asked[0].text, @"Chưa gửi: đúng lời này đã gửi lúc 15:05, mã 333333. Gửi lại thật thì nhắn /duyet 444444, không thì trả lời HUỶ.");
    let said = ward.command(HA, HA, CommandName::Duyet, "444444").await;
    assert_eq!(heard(&said, TRUC), ["[alert v1]"]);
    ward.wait(73 * 60);
    let fresh = ward.answer(HA, HA, CommandName::CanhBao, FLOOD).await;
    assert!(!fresh.contains("Gửi lại thật không"), "{fresh}");
}

#[tokio::test]
async fn information_waits_for_the_morning_and_a_warning_does_not() {
    let mut ward = Ward::new().await;
    let rules = RoomRules {
        quiet: Quiet::parse("22h-6h"),
        quiet_rooms: [(tg(KHU), None)].into(),
        ..RoomRules::default()
    };
    let people = || vec![staff("Đ/c Hà", Role::Officer, "06862", HA)];
    ward.restarts(people(), Settings::default(), rules);
    ward.wait(8 * 60);
    let preview = ward
        .answer(HA, HA, CommandName::CanhBao, "tin: mai họp thôn")
        .await;
    assert!(preview.contains("1 nhóm đang giờ yên tĩnh"), "{preview}");
    let message = ward.message(HA, HA, "OK");
    let act = ward.desk.said_privately(&message).await.unwrap().unwrap();
    let due = |act: &Act, native: &str| {
        act.writes.iter().find_map(|write| match write {
            Write::Delivery(row) if row.room == tg(native) => match row.state {
                DeliveryState::Waiting { due } => Some(due.format("%d %H:%M").to_string()),
                _ => None,
            },
            _ => None,
        })
    };
    assert_eq!(due(&act, TRUC).as_deref(), Some("25 06:00"));
    assert_eq!(due(&act, KHU).as_deref(), Some("24 23:05"));
    ward.command(HA, HA, CommandName::CanhBao, "mai họp thôn, có trộm")
        .await;
    let message = ward.message(HA, HA, "OK");
    let act = ward.desk.said_privately(&message).await.unwrap().unwrap();
    assert_eq!(due(&act, TRUC).as_deref(), Some("24 23:05"));
}

#[tokio::test]
async fn a_drill_says_so_and_goes_only_where_it_was_asked_for() {
    let mut ward = Ward::new().await;
    let none = ward.answer(HA, HA, CommandName::DienTap, FLOOD).await;
    assert_eq!(none, say::desk::no_drill_rooms());
    let rules = RoomRules {
        drills: [tg(KHU)].into(),
        ..RoomRules::default()
    };
    let people = vec![staff("Đ/c Hà", Role::Officer, "06862", HA)];
    ward.restarts(people, Settings::default(), rules);
    let preview = ward.answer(HA, HA, CommandName::DienTap, FLOOD).await;
    assert!(
        preview.contains("DIỄN TẬP") && preview.contains("nhóm không nhận diễn tập (1 nhóm)"),
        "{preview}"
    );
    // The refused one drew a code, too.
    let code = "444444";
    let said = ward.says(HA, HA, "OK").await.unwrap();
    assert_eq!(heard(&said, KHU), ["[alert v1]"]);
    assert!(heard(&said, TRUC).is_empty());
    ward.arrives(KHU).await;
    let mut alert = ward.alert(code).await;
    for kind in [
        VersionKind::First,
        VersionKind::Correction,
        VersionKind::AllClear,
        VersionKind::Withdrawal,
    ] {
        alert.versions.latest_mut().kind = kind;
        let shown = say::alert::room_text(&alert, "Xã Quảng Ninh");
        assert!(
            shown.starts_with("🔶 DIỄN TẬP") && shown.contains("không có sự việc thật"),
            "{shown}"
        );
    }
    let told = ward
        .answer(STRANGER, STRANGER, CommandName::KiemTra, code)
        .await;
    assert!(told.contains("DIỄN TẬP"), "{told}");
}

#[tokio::test]
async fn a_room_that_is_bound_later_gets_what_is_in_force() {
    let mut ward = Ward::new().await;
    ward.out(FLOOD).await;
    ward.arrives(TRUC).await;
    ward.arrives(KHU).await;
    ward.wait(1);
    ward.command(HA, HA, CommandName::DinhChinh, "333333 Nước đã rút ở cầu")
        .await;
    let said = ward
        .command(ADMIN, UNBOUND, CommandName::GanThon, "khu 7")
        .await;
    assert_eq!(
        heard(&said, UNBOUND).last().map(String::as_str),
        Some("[alert v2]")
    );
    // Bound again elsewhere in the same commune, it is not told again.
    let said = ward
        .command(ADMIN, UNBOUND, CommandName::GanThon, "tân trúc tùng")
        .await;
    assert_eq!(said.len(), 1, "{said:?}");
    ward.command(HA, HA, CommandName::ThuHoi, "333333").await;
    ward.room("-6", "Nhóm mới", None, RoomState::Active).await;
    let said = ward
        .command(ADMIN, "-6", CommandName::GanThon, "khu 7")
        .await;
    assert_eq!(said.len(), 1, "what was taken back is not told: {said:?}");
}

#[tokio::test]
async fn a_code_is_read_as_people_type_it_and_a_misread_one_is_not_called_forged() {
    let mut ward = Ward::new().await;
    ward.out(FLOOD).await;
    for typed in ["333333", "333 333", "mã 333-333", "#333333"] {
        let told = ward
            .answer(STRANGER, KHU, CommandName::KiemTra, typed)
            .await;
        assert!(told.starts_with("✅ Mã 333333 là thật"), "{typed}: {told}");
    }
    for typed in ["33333O", "33333o", "3333I3", "mã 3333l3", "033333"] {
        let told = ward
            .answer(STRANGER, STRANGER, CommandName::KiemTra, typed)
            .await;
        assert_eq!(told, say::alert::mistyped_code(), "{typed}");
    }
    let forged = ward.answer(NAM, NAM, CommandName::KiemTra, "ZZZZZZ").await;
    assert_eq!(forged, say::alert::unknown_code());
}

#[tokio::test]
async fn information_holds_up_no_warning_and_is_taken_back_at_once() {
    let mut ward = Ward::new().await;
    let lane = |said: &[Said], words: &str| {
        let of_room = { said.iter() }.find(|said| said.room == TRUC && said.text == words);
        of_room.map(|said| said.lane)
    };
    ward.command(HA, HA, CommandName::CanhBao, "tin: mai họp thôn")
        .await;
    let said = ward.says(HA, HA, "OK").await.unwrap();
    assert_eq!(lane(&said, "[alert v1]"), Some(Lane::Bulk));
    let said = ward
        .command(HA, HA, CommandName::DinhChinh, "333333 mốt họp thôn")
        .await;
    assert_eq!(lane(&said, "[alert v2]"), Some(Lane::Bulk));
    // What waited of the first version is found behind the bulk, too.
    let alert = ward.alert("333333").await;
    let rows = ward.store.alert_rows(alert.id).await.unwrap();
    let first: Vec<&str> = rows
        .iter()
        .filter(|row| matches!(row.body, Body::Alert { version: 1, .. }))
        .map(|row| row.state.as_str())
        .collect();
    assert_eq!(first, ["failed", "failed"]);
    let account = AccountName::parse("tg1").unwrap();
    let bulk = ward.store.waiting(&account, Lane::Bulk, None, 100).await;
    let bulk = bulk.unwrap();
    let now = ward.clock.now();
    let claimed = ward.store.claim(bulk, now).await.unwrap();
    let arrived = { claimed.into_iter() }
        .map(|row| (row, Settled::Sent(Some(MessageId::from(501)))))
        .collect();
    ward.store.settle(arrived, now).await.unwrap();
    let said = ward.command(HA, HA, CommandName::ThuHoi, "333333").await;
    assert_eq!(lane(&said, "[alert v3]"), Some(Lane::Urgent));
    // A warning never waited with the rest.
    ward.command(HA, HA, CommandName::CanhBao, FLOOD).await;
    let said = ward.says(HA, HA, "OK").await.unwrap();
    assert_eq!(lane(&said, "[alert v1]"), Some(Lane::Urgent));
}

#[tokio::test]
async fn a_group_whose_helper_may_not_be_written_to_is_named_in_the_preview() {
    let mut ward = Ward::new().await;
    let group = HandGroup {
        id: tg("hand:cho-ha"),
        name: "Chợ Hạ".to_owned(),
        area: area("06862"),
        admin: tg("1005"),
    };
    ward.write(Write::Room(Box::new(Room {
        id: group.id.clone(),
        title: say::hand::title(&group.name),
        area: Some(group.area.clone()),
        ..ward.store.room(&tg(KHU)).await.unwrap().unwrap()
    })))
    .await;
    ward.desk.hands = Arc::new(HandGroups(vec![group.clone()]));
    let now = ward.clock.now();
    let hours = TimeDelta::hours;
    ward.write(window::opened(&group.admin, now + hours(1)))
        .await;
    let preview = ward.answer(HA, HA, CommandName::CanhBao, FLOOD).await;
    assert!(
        preview.contains("Gửi đến 3 nhóm") && preview.contains("Chợ Hạ (nhờ đăng tay)"),
        "{preview}"
    );
    ward.wait(61);
    let preview = ward.answer(HA, HA, CommandName::CanhBao, FLOOD).await;
    assert!(preview.contains("Gửi đến 2 nhóm"), "{preview}");
    assert!(
        preview.contains(
            "Không gửi, vì người đăng tay đã quá 24 giờ chưa nhắn cho Trang (1 nhóm): Chợ Hạ (nhờ đăng tay)"
        ),
        "{preview}"
    );
    // They write again before it is confirmed: then it goes there.
    let now = ward.clock.now();
    ward.write(window::opened(&group.admin, now + hours(24)))
        .await;
    let said = ward.says(HA, HA, "OK").await.unwrap();
    assert_eq!(heard(&said, "hand:cho-ha"), ["[alert v1]"]);
}

#[tokio::test]
async fn what_is_in_force_is_pinned_and_what_is_over_comes_down() {
    let mut ward = Ward::new().await;
    let people = || {
        vec![
            staff("Đ/c Hà", Role::Officer, "06862", HA),
            staff("Anh Quản", Role::Admin, "06862", ADMIN),
        ]
    };
    let settings = Settings {
        pin: Some(Level::Warning),
        ..Settings::default()
    };
    ward.restarts(people(), settings, RoomRules::default());
    ward.command(HA, HA, CommandName::CanhBao, FLOOD).await;
    let said = ward.says(HA, HA, "OK").await.unwrap();
    assert_eq!(heard(&said, TRUC), ["[alert v1]", "[pin v1]"]);
    assert!(
        said.iter()
            .filter(|said| said.text.starts_with("[pin"))
            .all(|said| said.lane == Lane::Bulk)
    );
    ward.arrives(TRUC).await;
    let said = ward
        .command(HA, HA, CommandName::DinhChinh, "333333 Nước đã rút ở cầu")
        .await;
    assert_eq!(
        heard(&said, TRUC),
        ["[alert v2]", "[unpin v1]", "[pin v2]"],
        "where the message was changed, both find nothing to do but to stay"
    );
    assert_eq!(
        heard(&said, KHU),
        ["[alert v2]", "[pin v2]"],
        "nothing was there to come down"
    );
    ward.arrives(TRUC).await;
    ward.wait(25 * 60);
    let act = ward.desk.tidy().await.unwrap();
    assert_eq!(act, None, "its report is still to come");
    ward.wait(24 * 60);
    let act = ward.desk.tidy().await.unwrap().unwrap();
    let said = ward.commit(act).await;
    assert_eq!(heard(&said, TRUC), ["[unpin v2]"]);
    assert_eq!(ward.alert("333333").await.state, AlertState::Expired);

    // Information is not worth the place; another ward pins nothing.
    ward.command(HA, HA, CommandName::CanhBao, "tin: mai họp")
        .await;
    let said = ward.says(HA, HA, "OK").await.unwrap();
    assert_eq!(heard(&said, TRUC), ["[alert v1]"]);
    ward.restarts(people(), Settings::default(), RoomRules::default());
    ward.command(HA, HA, CommandName::CanhBao, "nước lại lên")
        .await;
    let said = ward.says(HA, HA, "OK").await.unwrap();
    assert_eq!(heard(&said, TRUC), ["[alert v1]"]);
}

#[tokio::test]
async fn an_administrator_chooses_exercises_and_quiet_hours_in_the_group() {
    let mut ward = Ward::new().await;
    let nhom = CommandName::Nhom;
    let told = ward.answer(ADMIN, KHU, nhom, "diễn tập").await;
    assert_snapshot!(told, @"Nhóm này không nhận tin diễn tập. Đổi: /nhom diễn tập có, hoặc /nhom diễn tập không");
    let told = ward.answer(ADMIN, KHU, nhom, "diễn tập có").await;
    assert_snapshot!(told, @"Nhóm này có nhận tin diễn tập.");
    let told = ward.answer(ADMIN, KHU, nhom, "yên tĩnh 22h-6h").await;
    assert_snapshot!(told, @"Giờ yên tĩnh của nhóm: 22:00-06:00. Thông báo (tin) chờ hết giờ; cảnh báo và khẩn vẫn gửi ngay.");
    for (who, room) in [(HA, KHU), (ADMIN, ADMIN), (ADMIN, UNBOUND)] {
        let refused = ward.answer(who, room, nhom, "diễn tập không").await;
        assert!(
            !refused.contains("không nhận tin"),
            "{who} {room}: {refused}"
        );
    }
    let preview = ward.answer(HA, HA, CommandName::DienTap, FLOOD).await;
    assert!(
        preview.contains("Gửi đến 1 nhóm") && preview.contains("nhóm không nhận diễn tập (1 nhóm)"),
        "{preview}"
    );
    // At night, information waits there; a restart and another title change nothing of it.
    ward.wait(8 * 60);
    ward.room(KHU, "Khu 7 - mới", Some("06862/khu-7"), RoomState::Active)
        .await;
    let people = vec![
        staff("Đ/c Hà", Role::Officer, "06862", HA),
        staff("Anh Quản", Role::Admin, "06862", ADMIN),
    ];
    ward.restarts(people, Settings::default(), RoomRules::default());
    let preview = ward
        .answer(HA, HA, CommandName::CanhBao, "tin: mai họp thôn")
        .await;
    assert!(preview.contains("1 nhóm đang giờ yên tĩnh"), "{preview}");
    let told = ward.answer(ADMIN, KHU, nhom, "yên tĩnh mặc định").await;
    assert!(told.contains("không có giờ yên tĩnh"), "{told}");
    let preview = ward
        .answer(HA, HA, CommandName::CanhBao, "tin: mốt họp thôn")
        .await;
    assert!(!preview.contains("yên tĩnh"), "{preview}");
}
