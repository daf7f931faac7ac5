//! What officers, heads and administrators do from their telephones.

use std::time::Duration;

use chrono::TimeDelta;
use keng::domain::delivery::DeliveryState;
use keng::domain::incident::Missing;
use keng::domain::incident::Status;
use keng::sim::telegram::Chat;
use keng::sim::telegram::Fault;
use keng::sim::telegram::Rule;
use keng::sim::telegram::Sent;
use tokio::time::Instant;

use crate::support::Plan;
use crate::support::Ward;
use crate::support::code;

const FLOOD: &str = "Nước lên nhanh, bà con ven sông chuyển đồ lên cao";

/// The check code of a preview.
fn check_code(preview: &Sent) -> String {
    let (_, rest) = preview.text.split_once("/duyet ").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

/// The alert arrived exactly once in both groups.
async fn both_groups_hear(ward: &Ward, words: &str) {
    for chat in [ward.five, ward.ha] {
        let alert = ward.hears(chat).await;
        assert!(alert.text.contains(words), "{}", alert.text);
    }
}

async fn report_ends(ward: &Ward, words: &str) -> Sent {
    ward.hears_where(ward.officer.home, |sent| sent.text.contains(words))
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_button_sends_the_alert_to_every_group_exactly_as_previewed() {
    let ward = Ward::new().await;
    let preview = ward.drafts(FLOOD).await;
    for part in [FLOOD, "Gửi đến 2 nhóm", "Tổ dân phố 5", "Hội nhóm thôn Hạ"] {
        assert!(preview.text.contains(part), "{part} in {}", preview.text);
    }
    ward.hears_nothing(ward.five).await;
    let press = ward.officer.presses(&preview, "Gửi");
    let alert = ward.hears(ward.five).await;
    assert!(preview.text.contains(&alert.text), "{}", alert.text);
    assert_eq!(ward.hears(ward.ha).await.text, alert.text);
    report_ends(&ward, "cả 2 nhóm đã nhận").await;
    ward.sees(ward.officer.home, |sent| {
        sent.text.starts_with("ĐÃ XÁC NHẬN") && sent.buttons.is_empty()
    })
    .await;
    let answer = ward
        .town
        .wait(crate::support::PATIENCE, || {
            ward.town.callback_answer(&press)
        })
        .await;
    assert!(answer.is_some());
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ok_in_private_and_by_reply_and_duyet_confirm_too() {
    let ward = Ward::new().await;
    for how in ["OK", "ok!", "/duyet", "duyet", "reply"] {
        let preview = ward.drafts(&format!("{FLOOD} {how}")).await;
        match how {
            "/duyet" | "duyet" => ward
                .officer
                .tells(&format!("{how} {}", check_code(&preview))),
            "reply" => ward.officer.replies(&preview, "đồng ý"),
            _ => ward.officer.tells(how),
        };
        both_groups_hear(&ward, how).await;
        report_ends(&ward, "cả 2 nhóm đã nhận").await;
        ward.settles().await;
        ward.hears_all(ward.officer.home);
    }
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_that_is_refused_goes_nowhere() {
    let ward = Ward::new().await;
    let preview = ward.drafts(FLOOD).await;
    ward.officer.presses(&preview, "Huỷ");
    ward.sees(ward.officer.home, |sent| sent.text.contains("Đã huỷ"))
        .await;
    ward.officer.tells("OK");
    ward.settles().await;
    ward.officer
        .tells(&format!("/duyet {}", check_code(&preview)));
    ward.hears_where(ward.officer.home, |sent| {
        sent.text.contains("đã huỷ trước đó")
    })
    .await;
    ward.hears_nothing(ward.five).await;
    ward.hears_nothing(ward.ha).await;
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn residents_are_refused_as_if_the_command_did_not_exist() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    let case = code(&ward.hears_only(ward.five).await.text);
    let commands = [
        format!("/canhbao {FLOOD}"),
        "/canhbao".to_owned(),
        "/duyet 7F3A9K".to_owned(),
        format!("/nhan {case}"),
        format!("/xong {case} xong rồi"),
        "/nhan 99999999".to_owned(),
        "/tonghop".to_owned(),
        "/hen 18h".to_owned(),
        "/ganthon tan-truc-tung".to_owned(),
        "/nhom".to_owned(),
    ];
    let mut answers = std::collections::BTreeSet::new();
    for command in &commands {
        ward.lan.tells(command);
        answers.insert(ward.hears_only(ward.lan.home).await.text);
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    // The head is no officer.
    ward.head.tells(&format!("/canhbao {FLOOD}"));
    answers.insert(ward.hears_only(ward.head.home).await.text);
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(ward.record().await.status, Status::New);
    assert!(ward.deliveries().await.is_empty());
    ward.ends().await;
}

const WHOLE: &str = "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng nay";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_press_sends_nothing() {
    let ward = Ward::new().await;
    let preview = ward.drafts(FLOOD).await;
    let data = preview.button("Gửi").unwrap();
    let notice = ward.town.sent(ward.five).remove(0);
    // A resident sends an officer's data; an officer sends data that nobody offered.
    let forged = ward
        .town
        .press_forged(ward.lan.person, ward.five, notice.message_id, data)
        .unwrap();
    let made_up = ward
        .town
        .press_forged(
            ward.officer.person,
            ward.officer.home,
            preview.message_id,
            &data.replace(&check_code(&preview), "ZZZZZZ"),
        )
        .unwrap();
    ward.town
        .press_forged(
            ward.officer.person,
            ward.officer.home,
            preview.message_id,
            "đủ thứ \u{202E} \0 chữ",
        )
        .unwrap();
    let answer = ward
        .town
        .wait(crate::support::PATIENCE, || {
            ward.town.callback_answer(&forged)
        })
        .await
        .unwrap();
    assert!(
        answer["text"].as_str().unwrap().contains("chỉ dành cho"),
        "{answer}"
    );
    // An officer's press is answered, or the button would turn for long.
    ward.town
        .wait(crate::support::PATIENCE, || {
            ward.town.callback_answer(&made_up)
        })
        .await
        .unwrap();
    ward.settles().await;
    assert!(ward.deliveries().await.is_empty());
    ward.hears_nothing(ward.five).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_with_unknown_or_outdated_data_is_answered_and_reveals_nothing() {
    let ward = Ward::new().await;
    let notice = ward.town.sent(ward.five).remove(0);
    let mut answers = std::collections::BTreeSet::new();
    for (who, chat) in [(&ward.lan, ward.five), (&ward.officer, ward.five)] {
        for data in ["rut:12", "a:maybe:7F3A9K", "a:ok:khong", "", "\u{202E}\0"] {
            let press = ward
                .town
                .press_forged(who.person, chat, notice.message_id, data)
                .unwrap();
            let answer = ward
                .town
                .wait(crate::support::PATIENCE, || {
                    ward.town.callback_answer(&press)
                })
                .await
                .unwrap();
            answers.insert(answer["text"].to_string());
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    ward.hears_nothing(ward.five).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_double_press_sends_once() {
    let ward = Ward::new().await;
    let preview = ward.drafts(FLOOD).await;
    ward.town.hold_updates(true);
    ward.officer.presses(&preview, "Gửi");
    ward.officer.presses(&preview, "Gửi");
    ward.town.hold_updates(false);
    both_groups_hear(&ward, FLOOD).await;
    report_ends(&ward, "cả 2 nhóm đã nhận").await;
    // And once more after it is sent, and in other words.
    ward.officer
        .tells(&format!("/duyet {}", check_code(&preview)));
    let told = ward.hears_only(ward.officer.home).await;
    assert!(told.text.contains("Không gửi lần nữa"), "{}", told.text);
    assert_eq!(ward.deliveries().await.len(), 2);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_draft_is_void() {
    let ward = Ward::new().await;
    let preview = ward.drafts(FLOOD).await;
    ward.later(TimeDelta::minutes(31));
    ward.officer
        .tells(&format!("/duyet {}", check_code(&preview)));
    let told = ward.hears_only(ward.officer.home).await;
    assert!(told.text.contains("soạn lại"), "{}", told.text);
    assert!(ward.deliveries().await.is_empty());
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_ends_with_what_failed_and_what_nobody_knows() {
    let ward = Ward::with(Plan {
        more: "[outbox]\nunknown = \"hold\"\n".to_owned(),
        ..Plan::default()
    })
    .await;
    let groups = ward.more_groups(4).await;
    let (kicked, silent) = (groups[0], groups[1]);
    ward.town.fault(
        Rule::percent(
            "sendMessage",
            100.0,
            Fault::Refuse {
                code: 403,
                description: "Forbidden: bot was kicked from the supergroup chat".to_owned(),
            },
        )
        .for_chat(kicked),
    );
    ward.town
        .fault(Rule::percent("sendMessage", 100.0, Fault::CloseAfter).for_chat(silent));
    let preview = ward.drafts(FLOOD).await;
    assert!(preview.text.contains("Gửi đến 6 nhóm"), "{}", preview.text);
    ward.officer.presses(&preview, "Gửi");
    let report = report_ends(&ward, "đã gửi xong").await;
    assert!(report.text.contains("4/6 nhóm đã nhận"), "{}", report.text);
    assert!(report.text.contains("❓ 1 nhóm chưa rõ"), "{}", report.text);
    assert!(
        report.text.contains("❌ 1 nhóm không gửi được"),
        "{}",
        report.text
    );
    assert!(
        report.text.contains("- 1 nhóm: bot không còn ở trong nhóm"),
        "{}",
        report.text
    );
    for chat in [ward.five, ward.ha, silent, groups[2], groups[3]] {
        ward.hears_only(chat).await;
    }
    let states: Vec<_> = ward
        .deliveries()
        .await
        .iter()
        .map(|row| row.state.as_str())
        .collect();
    let count = |state: &str| states.iter().filter(|one| **one == state).count();
    assert_eq!(
        (count("sent"), count("failed"), count("unknown")),
        (4, 1, 1)
    );
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unanswered_alert_is_sent_once_more_and_told_as_possibly_twice() {
    let ward = Ward::new().await;
    ward.town
        .fault(Rule::once("sendMessage", Fault::CloseAfter).for_chat(ward.five));
    let preview = ward.drafts(FLOOD).await;
    ward.officer.presses(&preview, "Gửi");
    let report = report_ends(&ward, "cả 2 nhóm đã nhận").await;
    assert!(
        report.text.contains("1 nhóm có thể nhận trùng"),
        "{}",
        report.text
    );
    ward.hears(ward.five).await;
    ward.hears(ward.five).await;
    ward.hears(ward.ha).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_puts_the_bot_out_before_the_alert_is_told_as_failed() {
    let ward = Ward::new().await;
    let preview = ward.drafts(FLOOD).await;
    // Telegram knows before we do: the update is held back.
    ward.town.hold_updates(true);
    ward.town.kick_bot(ward.ha);
    ward.officer.presses(&preview, "Gửi");
    ward.town.hold_updates(false);
    let report = report_ends(&ward, "đã gửi xong").await;
    let late = report.text.contains("1/2 nhóm đã nhận")
        && report.text.contains("- 1 nhóm: bot không còn ở trong nhóm");
    // The press may also see the room as gone already; then it is not planned.
    assert!(
        late || report.text.contains("đã gửi xong, nhóm đã nhận"),
        "{}",
        report.text
    );
    ward.hears(ward.five).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_bound_in_the_config_hears_alerts_although_nobody_ever_spoke_there() {
    let ward = Ward::with(Plan {
        joins: false,
        ..Plan::default()
    })
    .await;
    // Only the first group has the bot.
    let preview = ward.drafts(FLOOD).await;
    assert!(preview.text.contains("Gửi đến 2 nhóm"), "{}", preview.text);
    ward.town.join_bot(ward.five);
    ward.hears(ward.five).await;
    ward.officer.presses(&preview, "Gửi");
    ward.hears(ward.five).await;
    let report = report_ends(&ward, "1/2 nhóm đã nhận").await;
    assert!(
        report.text.contains("bot không còn ở trong nhóm"),
        "{}",
        report.text
    );
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_one_room_holds_up_no_other() {
    let ward = Ward::new().await;
    ward.town
        .fault(Rule::once("sendMessage", Fault::TooMany { retry_after: 2 }).for_chat(ward.five));
    let started = Instant::now();
    ward.lan.says(ward.five, WHOLE);
    ward.minh.says(ward.ha, WHOLE);
    ward.hears(ward.ha).await;
    assert!(started.elapsed() < Duration::from_millis(1500), "held up");
    ward.hears(ward.five).await;
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(2), "impatient: {waited:?}");
    assert_eq!(ward.town.stats().impatient, 0);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_above_the_limit_of_a_group_become_one_message_with_all_codes() {
    let ward = Ward::with(Plan {
        limits: "{ per_second = 30, room_per_minute = 20 }",
        ..Plan::default()
    })
    .await;
    ward.town.hold_updates(true);
    for number in 0..40 {
        ward.lan.says(
            ward.five,
            &format!("#tromcap mất xe Wave ở ngõ {number} lúc 3h sáng nay"),
        );
    }
    ward.town.hold_updates(false);
    let cases = ward.records().await;
    assert_eq!(cases.len(), 40);
    let all = ward.hears_all(ward.five);
    assert!(all.len() < 20, "{} messages", all.len());
    for case in &cases {
        let code = case.id.to_string();
        let told = all.iter().any(|sent| {
            sent.text
                .split(|c: char| !c.is_ascii_digit())
                .any(|word| word == code)
        });
        assert!(told, "{code} is in no receipt");
    }
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_a_message_of_many_receipts_goes_to_the_case_of_whoever_answers() {
    let ward = Ward::with(Plan {
        limits: "{ per_second = 30, room_per_minute = 20 }",
        ..Plan::default()
    })
    .await;
    ward.town.hold_updates(true);
    for number in 0..30 {
        ward.minh.says(
            ward.five,
            &format!("#danhnhau ở ngõ {number} lúc 20h tối nay"),
        );
    }
    ward.lan
        .says(ward.five, "#tromcap mất xe Wave lúc 3h sáng nay");
    ward.town.hold_updates(false);
    let own = ward.records().await.pop().unwrap();
    assert_eq!(own.asked, Some(Missing::Place));
    let question = format!("Mã {}: Chuyện xảy ra ở đâu ạ?", own.id);
    let all = ward.hears_all(ward.five);
    let folded = all
        .iter()
        .find(|sent| sent.text.contains(&question))
        .unwrap_or_else(|| panic!("nobody asked: {all:#?}"));
    ward.lan.replies(folded, "ở cổng chợ Rộc");
    let thanks = ward.hears_only(ward.five).await;
    assert_eq!(code(&thanks.text), own.id.to_string());
    let cases = ward.records().await;
    let own = cases.last().unwrap();
    assert_eq!((own.asked, own.reports.len()), (None, 2));
    assert!(cases[..30].iter().all(|case| case.reports.len() == 1));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reporter_hears_when_the_case_is_taken_and_closed() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    let case = code(&ward.hears_only(ward.five).await.text);
    ward.officer.tells(&format!("/nhan {case}"));
    let facts = ward.hears(ward.officer.home).await;
    assert!(facts.text.contains("cổng chợ"), "{}", facts.text);
    let told = ward.hears_only(ward.five).await;
    assert!(
        told.text
            .contains(&format!("mã {case} đã có cán bộ tiếp nhận")),
        "{}",
        told.text
    );
    assert_eq!(ward.record().await.status, Status::Accepted);
    ward.officer
        .tells(&format!("/xong {case} đã tìm thấy xe, trả lại chủ"));
    ward.hears(ward.officer.home).await;
    let told = ward.hears_only(ward.five).await;
    assert!(
        told.text.contains("đã được giải quyết xong"),
        "{}",
        told.text
    );
    assert!(!told.text.contains("tìm thấy"), "{}", told.text);
    assert_eq!(ward.record().await.status, Status::Done);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_told_in_private_is_answered_in_private() {
    let ward = Ward::new().await;
    ward.lan
        .tells("#matuy có nhóm chích hút ở nhà hoang cuối thôn Hạ lúc tối qua");
    let case = code(&ward.hears_only(ward.lan.home).await.text);
    ward.officer.tells(&format!("/nhan {case}"));
    ward.hears(ward.officer.home).await;
    let told = ward.hears_only(ward.lan.home).await;
    assert!(told.text.contains("tiếp nhận"), "{}", told.text);
    ward.hears_nothing(ward.five).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nhan_in_a_group_shows_no_words_of_the_report_there() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    let case = code(&ward.hears_only(ward.five).await.text);
    ward.officer.says(ward.five, &format!("/nhan {case}"));
    ward.settles().await;
    for sent in ward.hears_all(ward.five) {
        assert!(
            !sent.text.contains("chợ") && !sent.text.contains("Wave"),
            "{}",
            sent.text
        );
    }
    ward.hears_all(ward.officer.home);
    assert_eq!(ward.record().await.status, Status::Accepted);
    ward.ends().await;
}

/// Asks for a digest and gives the answer.
async fn digest(ward: &Ward, who: &crate::support::Who, words: &str) -> String {
    who.tells(words);
    ward.hears_only(who.home).await.text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_head_reads_the_village_and_the_officer_the_commune() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    let first = code(&ward.hears_only(ward.five).await.text);
    ward.minh
        .says(ward.ha, "#danhnhau ở ngõ 12 lúc 20h tối nay");
    let second = code(&ward.hears_only(ward.ha).await.text);
    let village = digest(&ward, &ward.head, "/tonghop").await;
    assert!(village.contains("thôn Tân Trúc Tùng"), "{village}");
    let lists = |text: &str, code: &str| text.contains(&format!("• {code}: "));
    assert!(
        lists(&village, &first) && !lists(&village, &second),
        "{village}"
    );
    let commune = digest(&ward, &ward.officer, "/tonghop").await;
    assert!(
        lists(&commune, &first) && lists(&commune, &second),
        "{commune}"
    );
    for word in ["Lan", "Minh", "Nguyễn"] {
        assert!(!commune.contains(word), "{word} in {commune}");
    }
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_covers_the_days_that_were_named() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    let old = code(&ward.hears_only(ward.five).await.text);
    ward.officer.tells(&format!("/xong {old} đã xong"));
    ward.hears(ward.officer.home).await;
    ward.hears_only(ward.five).await;
    ward.later(TimeDelta::days(1));
    ward.minh
        .says(ward.five, "#danhnhau ở ngõ 12 lúc 7h sáng nay");
    ward.hears_only(ward.five).await;
    use keng::domain::clock::Clock as _;
    let yesterday = (ward.clock.now() - TimeDelta::days(1))
        .format("%d/%m/%Y")
        .to_string();
    let mut answers = Vec::new();
    for days in [
        "",
        " hôm nay",
        " hôm qua",
        " tuần này",
        " 7 ngày",
        &format!(" {yesterday}"),
    ] {
        answers.push(digest(&ward, &ward.head, &format!("/tonghop{days}")).await);
    }
    let [bare, today, before, _week, seven, date] = answers.as_slice() else {
        unreachable!()
    };
    assert_eq!(bare, today);
    assert_eq!(before, date);
    assert_ne!(today, before);
    // Today one came, and over seven days two did.
    assert!(today.contains("Mới ghi nhận: 1 vụ"), "{today}");
    assert!(before.contains("Mới ghi nhận: 1 vụ"), "{before}");
    assert!(seven.contains("Mới ghi nhận: 2 vụ"), "{seven}");
    let wrong = digest(&ward, &ward.head, "/tonghop năm 3000 gì đó").await;
    assert!(wrong.starts_with("Xin ghi ngày"), "{wrong}");
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anybody_may_ask_whether_an_alert_is_real() {
    let ward = Ward::new().await;
    let preview = ward.drafts(FLOOD).await;
    let alert = check_code(&preview);
    ward.lan.tells(&format!("/kiemtra {alert}"));
    let unsent = ward.hears_only(ward.lan.home).await;
    ward.lan.tells("/kiemtra ZZZZZZ");
    let unknown = ward.hears_only(ward.lan.home).await;
    assert_eq!(unsent.text, unknown.text.replace("ZZZZZZ", &alert));
    ward.officer.presses(&preview, "Gửi");
    both_groups_hear(&ward, FLOOD).await;
    report_ends(&ward, "đã gửi xong").await;
    ward.lan
        .tells(&format!("/kiemtra {}", alert.to_lowercase()));
    let real = ward.hears_only(ward.lan.home).await;
    assert_ne!(real.text, unsent.text);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_alert_arrives_whole() {
    let ward = Ward::new().await;
    let text = format!("tin: {}", "Bà con chú ý nước lên rất nhanh. ".repeat(300));
    // Telegram takes no message above 4096 letters; with its heading this one must be split.
    let most: String = text.chars().take(4080).collect();
    ward.officer.tells(&format!("/canhbao {most}"));
    let preview = ward
        .hears_where(ward.officer.home, |sent| sent.button("Gửi").is_some())
        .await;
    ward.officer.presses(&preview, "Gửi");
    ward.settles().await;
    for chat in [ward.five, ward.ha] {
        let parts = ward.hears_all(chat);
        let whole: String = parts.iter().map(|sent| sent.text.as_str()).collect();
        let told = most.matches("nước lên rất nhanh").count();
        assert_eq!(whole.matches("nước lên rất nhanh").count(), told);
        assert!(parts.len() > 1);
        assert!(parts.iter().all(|sent| sent.text.chars().count() <= 4096));
    }
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

/// The words of parts marked `(1/3) `, which must be in order, complete and short enough.
fn joined(parts: &[Sent]) -> String {
    let count = parts.len();
    let mut whole = String::new();
    for (index, part) in parts.iter().enumerate() {
        assert!(part.text.encode_utf16().count() <= 4096);
        let mark = format!("({}/{count}) ", index + 1);
        let words = part.text.strip_prefix(&mark);
        whole.push_str(words.unwrap_or_else(|| panic!("{mark} is missing: {}", part.text)));
        whole.push('\n');
    }
    // Blanks at the cuts may be lost; nothing else.
    whole.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_of_nearly_twenty_thousand_letters_is_previewed_and_sent_whole_in_numbered_parts()
{
    let ward = Ward::new().await;
    let mut text = String::new();
    let mut number = 0;
    // Lines of many lengths, letters of two and three bytes, and letters of two UTF-16 units.
    while text.chars().count() < 19_900 {
        number += 1;
        text.push_str(&format!("{number}. Nước lên rất nhanh ở ngõ {number} 🌊, "));
        text.push_str(&"bà con chuyển đồ lên cao. ".repeat(number % 7));
        text.push('\n');
    }
    let text: String = text.chars().take(19_990).collect();
    let text = text.trim_end();
    ward.officer.tells(&format!("/canhbao {text}"));
    ward.hears_where(ward.officer.home, |sent| sent.button("Gửi").is_some())
        .await;
    ward.settles().await;
    let preview = ward.town.sent(ward.officer.home);
    assert!(preview.len() > 5, "{}", preview.len());
    let (last, others) = preview.split_last().unwrap();
    assert!(last.button("Gửi").is_some());
    assert!(others.iter().all(|part| part.buttons.is_empty()));
    let shown = joined(&preview);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.starts_with("CHƯA GỬI") && shown.contains(&words));
    assert!(shown.contains("Gửi đến 2 nhóm"), "{}", last.text);
    ward.officer.presses(last, "Gửi");
    report_ends(&ward, "cả 2 nhóm đã nhận").await;
    ward.settles().await;
    for chat in [ward.five, ward.ha] {
        let heard = joined(&ward.hears_all(chat));
        // What was previewed is what is heard, but for the minute.
        assert!(heard.contains(&words));
        assert!(heard.starts_with("⚠️ CẢNH BÁO") && heard.contains("Mã kiểm tra: "));
        assert!(
            shown.contains(
                heard
                    .split_once(" ngày ")
                    .unwrap()
                    .0
                    .trim_end_matches(|c: char| { c.is_ascii_digit() || c == ':' })
            )
        );
    }
    // The button is gone, and the words still stand above.
    let after = ward.town.sent(ward.officer.home);
    assert!(after[preview.len() - 1].text.starts_with("ĐÃ XÁC NHẬN"));
    assert!(after.iter().all(|sent| sent.buttons.is_empty()));
    assert_eq!(after[..preview.len() - 1], *others);
    // One letter too many is refused with the length.
    ward.hears_all(ward.officer.home);
    ward.officer
        .tells(&format!("/canhbao {}", "ừ".repeat(20_001)));
    let refused = ward.hears_only(ward.officer.home).await;
    assert!(refused.text.contains("20.001 ký tự"), "{}", refused.text);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_without_a_private_chat_confirms_in_the_group() {
    let ward = Ward::new().await;
    ward.officer.says(ward.five, &format!("/canhbao {FLOOD}"));
    let asked = ward.hears_only(ward.five).await;
    assert!(asked.text.contains("trả lời OK"), "{}", asked.text);
    // A resident's OK is nothing.
    ward.lan.replies(&asked, "OK");
    ward.hears_nothing(ward.ha).await;
    ward.hears_all(ward.five);
    ward.officer.replies(&asked, "OK");
    let heard = ward.hears(ward.ha).await;
    assert!(heard.text.contains(FLOOD));
    ward.settles().await;
    ward.hears_all(ward.five);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_with_sends_under_way_ends_in_time_and_the_next_start_goes_on() {
    let mut ward = Ward::on_disk().await;
    let groups: Vec<Chat> = ward.more_groups(12).await;
    let preview = ward.drafts(FLOOD).await;
    ward.town.set_latency(Duration::from_millis(400));
    ward.officer.presses(&preview, "Gửi");
    ward.until("the alert is under way", async || {
        ward.deliveries()
            .await
            .iter()
            .any(|row| matches!(row.state, DeliveryState::Sending { .. }))
    })
    .await;
    let asked = Instant::now();
    ward.stops().await;
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
    ward.town.set_latency(Duration::ZERO);
    ward.starts().await;
    report_ends(&ward, "cả 14 nhóm đã nhận").await;
    for chat in groups.into_iter().chain([ward.five, ward.ha]) {
        ward.hears_only(chat).await;
    }
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_that_is_never_answered_does_not_hold_up_the_stop_and_is_sent_once_more() {
    let mut ward = Ward::on_disk().await;
    let preview = ward.drafts(FLOOD).await;
    ward.town
        .fault(Rule::once("sendMessage", Fault::HangAfter).for_chat(ward.ha));
    ward.officer.presses(&preview, "Gửi");
    ward.hears(ward.ha).await;
    ward.hears(ward.five).await;
    let asked = Instant::now();
    ward.stops().await;
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
    ward.starts().await;
    ward.hears(ward.ha).await;
    let report = report_ends(&ward, "đã gửi xong").await;
    assert!(
        report.text.contains("1 nhóm có thể nhận trùng"),
        "{}",
        report.text
    );
    ward.settles().await;
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_finishes_its_request_does_not_hold_up_the_stop() {
    use tokio::io::AsyncWriteExt as _;
    let mut ward = Ward::on_disk().await;
    let mut slow = tokio::net::TcpStream::connect(ward.address())
        .await
        .unwrap();
    slow.write_all(b"POST /hooks/tg1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        .await
        .unwrap();
    ward.lan.says(ward.five, WHOLE);
    ward.hears_only(ward.five).await;
    let asked = Instant::now();
    ward.stops().await;
    assert!(
        asked.elapsed() < Duration::from_secs(6),
        "{:?}",
        asked.elapsed()
    );
    // What was recorded is whole, and nothing waits.
    drop(slow);
    ward.until("the store is let go", async || {
        ward.keng(&["verify"]).is_ok()
    })
    .await;
    ward.starts().await;
    assert_eq!(ward.record().await.reports.len(), 1);
    ward.ends().await;
}
