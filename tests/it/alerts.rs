//! The life of an alert after it is drafted: a second officer on another platform, corrections, ends.

use std::io::Write as _;

use chrono::TimeDelta;
use keng::domain::alert::Alert;
use keng::domain::alert::AlertState;
use keng::domain::delivery::Body;
use keng::domain::delivery::DeliveryState;
use keng::domain::ids::CheckCode;
use keng::sim::telegram::Chat;
use keng::sim::telegram::Fault;
use keng::sim::telegram::Rule;
use keng::sim::telegram::Sent;
use keng::sim::zalo_bot;
use keng::sim::zalo_bot::ZaloBot;

use crate::support::PATIENCE;
use crate::support::Plan;
use crate::support::Ward;

const FLOOD: &str = "Nước lên nhanh ở cầu Hạ, bà con lên chỗ cao";
const LOWER: &str = "Nước lên ở cầu Thượng, cầu Hạ an toàn";

/// The check code that stands behind a command.
fn code_of(text: &str) -> String {
    let (_, rest) = text.split_once("/duyet ").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

async fn alert(ward: &Ward, code: &str) -> Alert {
    let code = CheckCode::parse(code).unwrap();
    ward.store().alert_by_code(&code).await.unwrap().unwrap()
}

/// An alert of the officer's that both groups have heard.
async fn out(ward: &Ward, words: &str) -> String {
    let preview = ward.drafts(words).await;
    ward.officer.tells("OK");
    ward.hears(ward.five).await;
    ward.hears(ward.ha).await;
    ward.settles().await;
    ward.hears_all(ward.officer.home);
    code_of(&preview.text)
}

/// The same ward with a group and a second officer on Zalo.
struct Zalo {
    sim: ZaloBot,
    group: zalo_bot::Chat,
    nam: zalo_bot::Person,
    home: zalo_bot::Chat,
    lan: zalo_bot::Person,
    lan_home: zalo_bot::Chat,
    token: tempfile::NamedTempFile,
}

impl Zalo {
    async fn start() -> Self {
        let sim = ZaloBot::start(([127, 0, 0, 1], 0).into(), zalo_bot::Options::default())
            .await
            .unwrap();
        let group = sim.add_group("Xóm Đình");
        let nam = sim.add_person("Vũ Hoài Nam");
        let lan = sim.add_person("Nguyễn Thị Lan");
        let mut token = tempfile::NamedTempFile::new().unwrap();
        token.write_all(sim.token().as_bytes()).unwrap();
        Self {
            home: sim.private(&nam),
            lan_home: sim.private(&lan),
            group,
            nam,
            lan,
            sim,
            token,
        }
    }

    fn plan(&self) -> Plan {
        Plan {
            more: format!(
                "[[account]]\nname = \"zb1\"\nplatform = \"zalo_bot\"\napi_url = \"{}\"\n\
                 token = {{ file = {:?} }}\nreceive = \"poll\"\npoll_spacing_ms = 10\n\
                 limits = {{ per_second = 1000, room_per_minute = 6000 }}\n\
                 [[officer]]\nname = \"Đ/c Nam\"\nrole = \"officer\"\narea = \"06862\"\naccounts = {{ zb1 = \"{}\" }}\n\
                 [[room]]\naccount = \"zb1\"\nnative = \"{}\"\narea = \"06862/tan-truc-tung\"\n",
                self.sim.url(),
                self.token.path(),
                self.nam.id,
                self.group.id,
            ),
            ..Plan::default()
        }
    }

    async fn hears(&self, chat: &zalo_bot::Chat, words: &str) -> zalo_bot::Sent {
        let heard = self
            .sim
            .wait_for(chat, |sent| sent.text.contains(words), PATIENCE)
            .await;
        heard.unwrap_or_else(|| panic!("{words:?} was never heard: {:#?}", self.sim.sent(chat)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_officer_on_zalo_approves_what_an_officer_on_telegram_wrote() {
    let zalo = Zalo::start().await;
    let ward = Ward::with(zalo.plan()).await;
    zalo.sim.join_bot(&zalo.group);
    // The colleagues have met the bot.
    zalo.sim.say(&zalo.nam, &zalo.home, "/trogiup");
    zalo.hears(&zalo.home, "/bao").await;
    ward.admin.tells("/nhom");
    ward.settles().await;
    ward.hears_all(ward.admin.home);

    let preview = ward.drafts(&format!("khẩn {FLOOD}")).await;
    assert!(
        preview
            .text
            .contains("còn cần Anh Quang hoặc Đ/c Nam duyệt"),
        "{}",
        preview.text
    );
    ward.officer.presses(&preview, "Gửi");
    ward.sees(ward.officer.home, |sent| {
        sent.text.starts_with("CHƯA GỬI. Cảnh báo mã") && sent.text.contains("Đ/c Nam duyệt")
    })
    .await;
    let asked = ward.hears(ward.admin.home).await;
    assert!(
        asked.text.starts_with("NHỜ DUYỆT. Đ/c Hà"),
        "{}",
        asked.text
    );
    let asked = zalo.hears(&zalo.home, "NHỜ DUYỆT").await;
    assert!(asked.text.contains(FLOOD));
    let code = code_of(&asked.text);
    ward.hears_nothing(ward.five).await;
    // The author tries, in both ways.
    ward.officer.tells(&format!("/duyet {code}"));
    let refused = ward.hears(ward.officer.home).await;
    assert!(
        refused.text.contains("không tự duyệt được"),
        "{}",
        refused.text
    );

    zalo.sim.say(
        &zalo.nam,
        &zalo.home,
        &format!("/duyet {}", code.to_lowercase()),
    );
    for chat in [ward.five, ward.ha] {
        let heard = ward.hears(chat).await;
        assert!(heard.text.starts_with("🔴 KHẨN") && heard.text.contains(FLOOD));
    }
    zalo.hears(&zalo.group, FLOOD).await;
    ward.hears_where(ward.officer.home, |sent| {
        sent.text.contains("Đ/c Nam đã duyệt")
    })
    .await;
    ward.hears_where(ward.officer.home, |sent| {
        sent.text.contains("cả 3 nhóm đã nhận") && sent.text.contains("chậm nhất")
    })
    .await;
    let version = alert(&ward, &code).await.versions.latest().clone();
    assert_eq!(version.approver.as_deref(), Some("Đ/c Nam"));

    // Corrected by the colleague: edited where that can be done, said again where it cannot.
    zalo.sim
        .say(&zalo.nam, &zalo.home, &format!("/dinhchinh {code} {LOWER}"));
    for chat in [ward.five, ward.ha] {
        let edited = ward.sees(chat, |sent| sent.text.contains(LOWER)).await;
        assert_eq!(edited.edits, 1);
        assert!(!edited.text.contains(FLOOD), "{}", edited.text);
    }
    let again = zalo.hears(&zalo.group, LOWER).await;
    assert!(again.text.contains("ĐÍNH CHÍNH") && again.text.contains(&code));
    let told = ward.hears(ward.officer.home).await;
    assert!(
        told.text.starts_with("Đ/c Nam vừa đính chính"),
        "{}",
        told.text
    );
    zalo.hears(&zalo.home, "Đính chính").await;

    // A resident asks, anywhere.
    zalo.sim
        .say(&zalo.lan, &zalo.lan_home, &format!("/kiemtra {code}"));
    let real = zalo.hears(&zalo.lan_home, "là thật").await;
    assert!(real.text.contains("bản thứ 2") && real.text.contains("đang có hiệu lực"));
    ward.lan.tells("/kiemtra ZZZZZZ");
    let forged = ward.hears(ward.lan.home).await;
    assert!(forged.text.contains("có thể là giả mạo"), "{}", forged.text);

    ward.officer.tells(&format!("/hetcanhbao {code}"));
    for chat in [ward.five, ward.ha] {
        let edited = ward
            .sees(chat, |sent| sent.text.contains("HẾT CẢNH BÁO"))
            .await;
        assert_eq!(edited.edits, 2);
    }
    zalo.hears(&zalo.group, "HẾT CẢNH BÁO").await;
    ward.hears_where(ward.officer.home, |sent| {
        sent.text.starts_with("Tin hết cảnh báo") && sent.text.contains("cả 3 nhóm")
    })
    .await;
    assert_eq!(alert(&ward, &code).await.state, AlertState::AllClear);
    ward.settles().await;
    ward.hears_all(ward.officer.home);
    ward.hears_all(ward.admin.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_overtakes_what_still_waits() {
    let ward = Ward::new().await;
    // The second group may not be spoken to for a while.
    ward.town
        .fault(Rule::once("sendMessage", Fault::TooMany { retry_after: 3 }).for_chat(ward.ha));
    let preview = ward.drafts(FLOOD).await;
    ward.officer.tells("OK");
    ward.hears(ward.five).await;
    ward.until("the second group was not tried", async || {
        ward.town.stats().answered_429 > 0
    })
    .await;
    let code = code_of(&preview.text);
    ward.officer
        .tells(&format!("/thuhoi {code} tin không đúng"));
    let edited = ward
        .sees(ward.five, |sent| sent.text.contains("ĐÃ THU HỒI"))
        .await;
    assert!(!edited.text.contains(FLOOD), "{}", edited.text);
    ward.hears_where(ward.officer.home, |sent| {
        sent.text.starts_with("Tin thu hồi") && sent.text.contains("đã gửi xong")
    })
    .await;
    ward.hears_nothing(ward.ha).await;
    let alert = alert(&ward, &code).await;
    let rows = ward.store().alert_rows(alert.id).await.unwrap();
    let of_first: Vec<&str> = rows
        .iter()
        .filter(|row| matches!(row.body, Body::Alert { version: 1, .. }))
        .map(|row| row.state.as_str())
        .collect();
    assert_eq!(of_first.len(), 2);
    assert!(
        of_first.contains(&"sent") && of_first.contains(&"failed"),
        "{of_first:?}"
    );
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_cannot_be_edited_any_more_is_followed_by_a_reply() {
    let ward = Ward::new().await;
    let code = out(&ward, FLOOD).await;
    let first: Vec<Sent> = ward.town.sent(ward.ha);
    let first = first
        .iter()
        .find(|sent| sent.text.contains(FLOOD))
        .unwrap()
        .message_id;
    ward.town.fault(
        Rule::percent(
            "editMessageText",
            100.0,
            Fault::Refuse {
                code: 400,
                description: "Bad Request: message to edit not found".to_owned(),
            },
        )
        .for_chat(ward.ha),
    );
    ward.officer.tells(&format!("/dinhchinh {code} {LOWER}"));
    ward.sees(ward.five, |sent| sent.text.contains(LOWER)).await;
    let said = ward.hears(ward.ha).await;
    assert!(said.text.contains(LOWER));
    assert_eq!(said.reply_to, Some(first));
    ward.settles().await;
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_alert_is_corrected_by_a_new_message_that_answers_it() {
    let ward = Ward::new().await;
    let long = format!("{FLOOD}. {}", "Xin bà con nhớ mang giấy tờ. ".repeat(200));
    let preview_code = {
        ward.officer.tells(&format!("/canhbao {long}"));
        let end = ward
            .hears_where(ward.officer.home, |sent| sent.text.contains("/duyet "))
            .await;
        code_of(&end.text)
    };
    ward.officer.tells(&format!("/duyet {preview_code}"));
    ward.settles().await;
    let first = ward.hears_all(ward.five).remove(0).message_id;
    ward.hears_all(ward.ha);
    ward.hears_all(ward.officer.home);
    ward.officer.tells(&format!("/thuhoi {preview_code}"));
    let end = ward.hears(ward.five).await;
    assert!(end.text.contains("ĐÃ THU HỒI"), "{}", end.text);
    assert_eq!(end.reply_to, Some(first));
    ward.hears(ward.ha).await;
    ward.settles().await;
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_expires_by_itself_while_a_room_cannot_be_reached() {
    let ward = Ward::new().await;
    ward.town
        .fault(Rule::once("sendMessage", Fault::TooMany { retry_after: 3 }).for_chat(ward.ha));
    let preview = ward.drafts(&format!("tin, hạn 2 tiếng: {FLOOD}")).await;
    let code = code_of(&preview.text);
    ward.officer.tells("OK");
    ward.hears(ward.five).await;
    ward.until("the second group was not tried", async || {
        let alert = alert(&ward, &code).await;
        let rows = ward.store().alert_rows(alert.id).await.unwrap();
        rows.iter()
            .any(|row| row.attempts > 0 && matches!(row.state, DeliveryState::Waiting { .. }))
    })
    .await;
    ward.later(TimeDelta::hours(3));
    ward.lan.tells(&format!("/kiemtra {code}"));
    let told = ward.hears(ward.lan.home).await;
    assert!(told.text.contains("đã hết hiệu lực từ"), "{}", told.text);
    // What still waited is never said.
    ward.settles().await;
    ward.hears_nothing(ward.ha).await;
    ward.officer.tells(&format!("/dinhchinh {code} {LOWER}"));
    ward.hears_where(ward.officer.home, |sent| {
        sent.text.contains("đã hết hiệu lực từ")
    })
    .await;
    ward.settles().await;
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_lets_the_bot_in_again_hears_what_it_missed() {
    let ward = Ward::new().await;
    ward.town.kick_bot(ward.ha);
    ward.settles().await;
    ward.drafts(FLOOD).await;
    ward.officer.tells("OK");
    ward.hears(ward.five).await;
    ward.settles().await;
    ward.hears_nothing(ward.ha).await;
    ward.town.join_bot(ward.ha);
    ward.hears_where(ward.ha, |sent| sent.text.contains(FLOOD))
        .await;
    ward.settles().await;
    let greeting = ward.hears_all(ward.ha);
    assert!(greeting.len() <= 1, "{greeting:?}");
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_is_bound_later_hears_what_is_in_force_once() {
    let ward = Ward::on_disk().await;
    let code = out(&ward, FLOOD).await;
    let chat = ward.town.add_supergroup("Xóm mới");
    ward.town.join_bot(chat);
    ward.hears(chat).await;
    ward.admin.says(chat, "/ganthon tan-truc-tung");
    let heard = ward
        .hears_where(chat, |sent| sent.text.contains(FLOOD))
        .await;
    assert!(heard.text.contains(&code));
    ward.hears(chat).await;
    ward.admin.says(chat, "/ganthon ca xa");
    let answer = ward.hears_only(chat).await;
    assert!(!answer.text.contains(FLOOD));
    // It hears the end, too: it saw the beginning.
    ward.officer.tells(&format!("/hetcanhbao {code}"));
    for chat in [ward.five, ward.ha, chat] {
        ward.sees(chat, |sent| sent.text.contains("HẾT CẢNH BÁO"))
            .await;
    }
    ward.settles().await;
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_pinned_where_the_bot_may_until_it_is_over() {
    let ward = Ward::with(Plan {
        more: "[alert]\npin = \"warning\"\n".to_owned(),
        ..Plan::default()
    })
    .await;
    let code = out(&ward, FLOOD).await;
    // In the supergroup the bot is no administrator: the alert is there, and nothing else happened.
    let pinned = |words: &'static str| move |sent: &Sent| sent.pinned && sent.text.contains(words);
    ward.sees(ward.ha, pinned(FLOOD)).await;
    ward.officer.tells(&format!("/dinhchinh {code} {LOWER}"));
    ward.sees(ward.ha, pinned(LOWER)).await;
    ward.settles().await;
    let calls = |method: &str| {
        let calls = ward.town.calls().into_iter();
        calls.filter(|call| call.method == method).count()
    };
    assert_eq!(
        calls("unpinChatMessage"),
        0,
        "the message that was changed stays where it is"
    );
    ward.officer.tells(&format!("/hetcanhbao {code}"));
    ward.sees(ward.ha, |sent| {
        !sent.pinned && sent.text.contains("HẾT CẢNH BÁO")
    })
    .await;
    ward.sees(ward.five, |sent| {
        !sent.pinned && sent.text.contains("HẾT CẢNH BÁO")
    })
    .await;
    ward.settles().await;
    assert!(calls("pinChatMessage") >= 2);
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_chosen_for_a_group_moves_along_with_it() {
    let ward = Ward::new().await;
    ward.admin.says(ward.ha, "/nhom diễn tập có");
    let told = ward.hears(ward.ha).await;
    assert!(told.text.contains("có nhận tin diễn tập"), "{}", told.text);
    let moved = ward.town.migrate(ward.ha).unwrap();
    ward.settles().await;
    ward.officer.tells(&format!("/dientap {FLOOD}"));
    let preview = ward
        .hears_where(ward.officer.home, |sent| sent.text.starts_with("CHƯA GỬI"))
        .await;
    assert!(preview.text.contains("Gửi đến 1 nhóm"), "{}", preview.text);
    ward.officer.tells("OK");
    let heard = ward.hears(moved).await;
    assert!(heard.text.contains("DIỄN TẬP"), "{}", heard.text);
    ward.settles().await;
    ward.hears_nothing(ward.five).await;
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

/// A preview that tells so many people; what the platform answered is known a moment later.
async fn preview_tells(ward: &Ward, people: &str) {
    ward.until("the preview does not tell how many people", async || {
        let preview = ward.drafts(FLOOD).await;
        preview.text.contains(&format!("\n{people}\n"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_tells_how_many_people_are_in_its_groups_and_asks_once_a_day() {
    let ward = Ward::with(Plan {
        joins: false,
        ..Plan::default()
    })
    .await;
    // Five people have names here and are in every group.
    ward.town.add_silent_people(ward.five, 1_000);
    ward.town.add_silent_people(ward.ha, 230);
    preview_tells(&ward, "Không rõ số người.").await;
    ward.town.join_bot(ward.five);
    ward.hears(ward.five).await;
    let partly = "Khoảng 1.005 người trong 1 nhóm; 1 nhóm không rõ số người.";
    preview_tells(&ward, partly).await;
    ward.town.join_bot(ward.ha);
    ward.hears(ward.ha).await;
    preview_tells(&ward, "Khoảng 1.240 người.").await;
    ward.town.add_silent_people(ward.five, 10);
    ward.later(TimeDelta::hours(25));
    preview_tells(&ward, "Khoảng 1.250 người.").await;
    let counted = |chat: Chat| {
        let calls = ward.town.calls().into_iter();
        calls
            .filter(|call| {
                call.method == "getChatMemberCount"
                    && call.parameters["chat_id"] == chat.id
                    && call.status == Some(200)
            })
            .count()
    };
    assert_eq!(counted(ward.five), 2, "once on each of two days");
    assert!(counted(ward.ha) <= 2, "once on each of two days");
    ward.settles().await;
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}
