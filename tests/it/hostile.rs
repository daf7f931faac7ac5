//! What a platform, a stranger or a tired operator can do to us.

use keng::domain::incident::EventKind;
use keng::sim::telegram::Fault;
use keng::sim::telegram::Rule;
use serde_json::Value;
use serde_json::json;

use crate::support::Plan;
use crate::support::Ward;
use crate::support::logged;

const WHOLE: &str = "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng nay";

/// An update as Telegram would write it, from Lan in the first group.
fn update(ward: &Ward, message_id: i64, text: &str) -> Value {
    json!({"message": {
        "message_id": message_id, "date": ward.town.date(),
        "chat": {"id": ward.five.id, "type": "supergroup", "title": "Tổ dân phố 5"},
        "from": {"id": ward.lan.person.id, "is_bot": false, "first_name": "Lan"},
        "text": text,
    }})
}

/// A neighbour reports as if nothing had happened, and is heard.
async fn a_good_report_is_recorded(ward: &Ward) {
    let before = ward.records().await.len();
    ward.minh
        .says(ward.five, "#danhnhau ở ngõ 99 lúc 20h tối nay");
    let receipt = ward
        .hears_where(ward.five, |sent| sent.text.contains("Đã ghi nhận"))
        .await;
    assert!(receipt.reply_to.is_some());
    assert_eq!(ward.records().await.len(), before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_no_json_are_asked_for_again() {
    let ward = Ward::new().await;
    ward.town.inject_raw_bytes(&b"<html>bad gateway</html>"[..]);
    ward.lan.says(ward.five, WHOLE);
    ward.hears_only(ward.five).await;
    ward.town
        .inject_raw_bytes(&b"{\"ok\":true,\"result\":[{\"update_id\":"[..]);
    a_good_report_is_recorded(&ward).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_types_in_an_update_cost_nobody_else_a_word() {
    let ward = Ward::new().await;
    ward.town.hold_updates(true);
    for odd in [
        json!({"message": 5}),
        json!({"message": {"message_id": "seven", "date": "today", "chat": [], "text": 9}}),
        json!({"message": {"message_id": 1, "date": 1, "chat": {"id": {}}, "text": {"a": 1}}}),
        json!({"callback_query": {"id": 12, "data": [1, 2]}}),
        json!({"my_chat_member": "joined"}),
        json!({"edited_message": null, "nothing": true}),
        json!({}),
    ] {
        ward.town.inject_raw(odd);
    }
    let mut loose = update(&ward, 70_001, WHOLE);
    loose["message"]["date"] = json!("yesterday");
    loose["message"]["entities"] = json!("bold");
    loose["message"]["reply_to_message"] = json!(17);
    ward.town.inject_raw(loose);
    ward.town.hold_updates(false);
    // The neighbour's text is in a message whose other members are odd: it is not lost.
    ward.hears(ward.five).await;
    assert_eq!(ward.record().await.first().message.to_string(), "70001");
    a_good_report_is_recorded(&ward).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_of_a_megabyte_is_clipped_and_marked() {
    let ward = Ward::new().await;
    let text = format!("{WHOLE} {}", "trời ơi ".repeat(120_000));
    assert!(text.len() > 1 << 20);
    ward.town.inject_raw(update(&ward, 70_002, &text));
    ward.hears_only(ward.five).await;
    let case = ward.record().await;
    assert_eq!(case.first().text.chars().count(), 20_000);
    assert!(
        case.timeline
            .iter()
            .any(|event| event.what == EventKind::Clipped)
    );
    // Without a tag it is dropped like any other.
    let long = "chuyện phiếm ".repeat(100_000);
    ward.town.inject_raw(update(&ward, 70_003, &long));
    ward.hears_nothing(ward.five).await;
    a_good_report_is_recorded(&ward).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entities_with_impossible_offsets_are_passed_over() {
    let ward = Ward::new().await;
    for (number, (offset, length)) in [(-5, 3), (1_000_000, 10), (3, -1), (1, i64::MAX), (7, 1)]
        .into_iter()
        .enumerate()
    {
        let number = 70_010 + i64::try_from(number).unwrap();
        let mut odd = update(&ward, number, &format!("🏍🏍 {WHOLE} ở ngõ {number}"));
        odd["message"]["entities"] = json!([
            {"type": "mention", "offset": offset, "length": length},
            {"type": "bot_command", "offset": offset, "length": length},
            {"type": "text_mention", "offset": offset, "length": length, "user": {"id": 1}},
        ]);
        ward.town.inject_raw(odd);
        ward.hears_only(ward.five).await;
        let newest = ward.records().await.pop().unwrap();
        assert_eq!(newest.first().message.to_string(), number.to_string());
    }
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_surrogate_in_a_text_does_not_lose_the_report() {
    let ward = Ward::new().await;
    ward.settles().await;
    let id = ward.town.stats().confirmed_offset;
    let body = format!(
        "{{\"ok\":true,\"result\":[{{\"update_id\":{id},\"message\":{{\"message_id\":70020,\"date\":1,\
         \"chat\":{{\"id\":{},\"type\":\"supergroup\",\"title\":\"T\\ud83d\"}},\
         \"from\":{{\"id\":{},\"is_bot\":false,\"first_name\":\"L\\udc00\"}},\"text\":\"\\ud83d {WHOLE}\"}}}}]}}",
        ward.five.id, ward.lan.person.id
    );
    ward.town.inject_raw_bytes(body.into_bytes());
    // Ends the poll that is under way; the next one meets the bytes.
    ward.minh.says(ward.five, "chuyện phiếm");
    ward.until("the report is there", async || {
        !crate::support::all_incidents(ward.store().as_ref())
            .await
            .is_empty()
    })
    .await;
    ward.hears(ward.five).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zero_width_and_bidi_characters_hide_no_tag_and_disturb_no_receipt() {
    let ward = Ward::new().await;
    ward.lan.says(
        ward.five,
        "\u{200B}\u{202E}#trom\u{200D}cap\u{2066} mất xe\u{FEFF} Wave ở cổng\u{200B} chợ lúc 3h sáng nay\u{2069}",
    );
    let receipt = ward.hears_only(ward.five).await;
    assert!(receipt.text.contains("Đã ghi nhận"), "{}", receipt.text);
    assert!(!receipt.text.contains(['\u{202E}', '\u{200B}', '\u{2066}']));
    // A room's name cannot turn a preview around either.
    let odd = ward.town.add_supergroup("Tổ \u{202E}5 \u{0007}\n lạ");
    ward.town.join_bot(odd);
    ward.hears(odd).await;
    ward.admin.says(odd, "/ganthon tan-truc-tung");
    ward.hears(odd).await;
    let preview = ward.drafts("Nước lên nhanh").await;
    assert!(!preview.text.contains(['\u{202E}', '\u{7}']));
    ward.officer.tells("huỷ");
    ward.hears(ward.officer.home).await;
    ward.lan.tells("\u{200B}\u{200B}");
    ward.settles().await;
    ward.hears_all(ward.lan.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn negative_and_huge_ids_are_kept_as_they_are() {
    let ward = Ward::new().await;
    for (message, person) in [(-7_i64, -3_i64), (i64::MAX, i64::MAX), (i64::MIN, i64::MIN)] {
        let mut odd = update(&ward, message, WHOLE);
        odd["message"]["from"]["id"] = json!(person);
        ward.town.inject_raw(odd);
        ward.hears_where(ward.five, |sent| sent.text.contains("Đã ghi nhận"))
            .await;
    }
    // A number that no 64 bits hold.
    let mut odd = update(&ward, 1, WHOLE);
    odd["message"]["message_id"] = json!(1e300);
    odd["message"]["chat"]["id"] = json!(-1e40);
    ward.town.inject_raw(odd);
    a_good_report_is_recorded(&ward).await;
    ward.settles().await;
    ward.hears_all(ward.five);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_repeated_and_out_of_order_are_recorded_once_each() {
    let ward = Ward::new().await;
    ward.town.hold_updates(true);
    for number in 0..30 {
        ward.lan.says(
            ward.five,
            &format!("#tromcap mất xe Wave ở ngõ {number} lúc 3h sáng nay"),
        );
    }
    ward.town.shuffle_updates();
    ward.town.hold_updates(false);
    ward.settles().await;
    ward.town.repeat_updates(30);
    assert_eq!(ward.records().await.len(), 30);
    assert_eq!(ward.hears_all(ward.five).len(), 30);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_comes_before_its_message_is_one_record() {
    let ward = Ward::new().await;
    let mut edited = update(&ward, 70_040, &format!("{WHOLE}, xe màu đỏ"));
    let message = edited["message"].take();
    ward.town.inject_raw(json!({"edited_message": message}));
    ward.hears_only(ward.five).await;
    ward.town.inject_raw(update(&ward, 70_040, WHOLE));
    ward.hears_nothing(ward.five).await;
    assert!(ward.record().await.first().text.ends_with("màu đỏ"));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_of_updates_that_start_anew_are_followed() {
    let ward = Ward::new().await;
    a_good_report_is_recorded(&ward).await;
    assert!(ward.town.jump_update_id(17));
    ward.lan.says(ward.ha, WHOLE);
    ward.hears(ward.ha).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_token_freezes_the_account_and_nothing_else() {
    let ward = Ward::with(Plan {
        token: Some("123456:not-the-token".to_owned()),
        joins: false,
        ..Plan::default()
    })
    .await;
    let health = reqwest::get(ward.url("/health")).await.unwrap();
    assert_eq!(health.status(), 200);
    ward.until("somebody is told", async || {
        logged("the token is not accepted")
    })
    .await;
    assert!(!logged("not-the-token"));
    assert!(!logged(ward.town.token()));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_revoked_while_running_freezes_the_account_until_it_is_back() {
    let ward = Ward::new().await;
    let unauthorized = Fault::Refuse {
        code: 401,
        description: "Unauthorized".to_owned(),
    };
    ward.town
        .fault(Rule::percent("sendMessage", 100.0, unauthorized));
    ward.lan.says(ward.five, WHOLE);
    ward.until("the account is marked", async || {
        let metrics = reqwest::get(ward.url("/metrics")).await.unwrap();
        let text = metrics.text().await.unwrap();
        text.lines()
            .any(|line| line.starts_with("keng_outbox_account_refused") && line.ends_with(" 1"))
    })
    .await;
    let health = reqwest::get(ward.url("/health")).await.unwrap();
    assert_eq!(health.status(), 200);
    assert_eq!(
        crate::support::all_incidents(ward.store().as_ref())
            .await
            .len(),
        1
    );
    ward.abandons();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_is_away_for_a_while_is_waited_for() {
    let ward = Ward::new().await;
    ward.town.fault(Rule::once("getUpdates", Fault::BadGateway));
    ward.town
        .fault(Rule::once("getUpdates", Fault::CloseBefore));
    ward.lan.says(ward.five, WHOLE);
    ward.hears(ward.five).await;
    ward.ends().await;
}

#[test]
fn a_typo_in_the_config_is_named_with_file_line_and_key() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("ward.toml");
    for (text, wanted) in [
        (
            "[web]\nlisten = \"127.0.0.1:0\"\nlisen = \"x\"\n",
            ["lisen", "line 3"],
        ),
        ("[store]\nkind = \"sledd\"\n", ["store.kind", "line 2"]),
        (
            "[[account]]\nname = \"tg1\"\nplatform = \"telegramm\"\napi_url = \"http://x\"\ntoken = { env = \"HOME\" }\n",
            ["telegramm", "line 3"],
        ),
        ("[store\nkind = \"sled\"\n", ["ward.toml", "line 1"]),
    ] {
        std::fs::write(&file, text).unwrap();
        for command in ["check-config", "serve"] {
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_keng"))
                .args([command, "--config"])
                .arg(&file)
                .output()
                .unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success());
            for part in wanted {
                assert!(error.contains(part), "{part} in {error}");
            }
            assert!(error.contains("ward.toml"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_another_program_has_open_is_named() {
    let ward = Ward::on_disk().await;
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_keng"))
        .args(["serve", "--config"])
        .arg(ward.config_file())
        .env("KENG_TEST_TOKEN", ward.town.token())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(error.contains("data"), "{error}");
    a_good_report_is_recorded(&ward).await;
    ward.ends().await;
}
