//! When the platform, the network or somebody hostile makes it hard.

use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use keng::domain::delivery::Body;
use keng::domain::delivery::Lane;
use keng::sim::zalo_bot::Delivery;
use keng::sim::zalo_bot::Fault;
use keng::sim::zalo_bot::Rule;
use keng::sim::zalo_bot::Switches;
use serde_json::json;

use super::quarter::HOOK_SECRET;
use super::quarter::Plan;
use super::quarter::Quarter;
use super::quarter::zb1;
use crate::support::PATIENCE;
use crate::support::logged;

const WHOLE: &str = "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng nay";
const OTHER: &str = "#antt đánh nhau ở ngõ 4 lúc 22h tối qua";

fn switches(delivery: Delivery) -> Switches {
    Switches {
        delivery,
        ..Switches::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_again_is_recorded_once_also_after_a_restart() {
    let mut quarter = Quarter::greeted(Plan {
        sled: true,
        switches: switches(Delivery::Again(3)),
        ..Plan::default()
    })
    .await;
    quarter.lan.calls(&quarter.dinh, WHOLE);
    quarter.hears_only(&quarter.dinh).await;
    quarter.minh.calls(&quarter.dinh, OTHER);
    quarter.hears_only(&quarter.dinh).await;
    assert_eq!(quarter.records().await.len(), 2);
    // What was being told when the program stopped is told again to the next one.
    quarter.stops().await;
    let id = quarter
        .lan
        .calls(&quarter.dinh, "#chay cháy kho rơm ở xóm Đình vừa xong");
    quarter.starts().await;
    quarter.hears_only(&quarter.dinh).await;
    let all = quarter.records().await;
    assert_eq!(all.len(), 3);
    assert_eq!(all[2].first().message.to_string(), id);
    quarter.stops().await;
    quarter.starts().await;
    quarter.hears_nothing(&quarter.dinh).await;
    assert_eq!(quarter.records().await.len(), 3);
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_platform_that_forgets_was_told_while_we_were_down_is_lost_and_nothing_else() {
    let mut quarter = Quarter::greeted(Plan {
        sled: true,
        ..Plan::default()
    })
    .await;
    quarter.lan.calls(&quarter.dinh, WHOLE);
    quarter.hears_only(&quarter.dinh).await;
    quarter.stops().await;
    quarter
        .zalo
        .switch(|switches| switches.delivery = Delivery::WhileAsked(Duration::ZERO));
    quarter.minh.calls(&quarter.dinh, OTHER);
    assert_eq!(
        quarter.zalo.stats().lost,
        1,
        "this is what the platform makes of it"
    );
    quarter.starts().await;
    quarter
        .zalo
        .switch(|switches| switches.delivery = Delivery::Once);
    quarter.hears_nothing(&quarter.dinh).await;
    quarter.minh.calls(&quarter.dinh, OTHER);
    quarter.hears_only(&quarter.dinh).await;
    assert_eq!(quarter.records().await.len(), 2);
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bot_outlives_pages_of_proxies_and_broken_answers_to_its_polls() {
    let quarter = Quarter::greeted(Plan::default()).await;
    for fault in [
        Fault::Html(502),
        Fault::Html(504),
        Fault::Body(b"{\"ok\":tr".to_vec()),
        Fault::Body(b"".to_vec()),
        Fault::Refuse(403, "Internal server error".to_owned()),
        Fault::CloseBefore,
    ] {
        quarter.zalo.fault(Rule::once("getUpdates", fault));
        // Ends the poll that waits; the next one meets the fault.
        quarter.lan.calls(&quarter.dinh, "chào bot");
        quarter.hears_nothing(&quarter.dinh).await;
    }
    quarter.lan.calls(&quarter.dinh, WHOLE);
    quarter.hears_only(&quarter.dinh).await;
    quarter.record().await;
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_that_comes_back_at_once_is_not_repeated_without_a_pause() {
    let quarter = Quarter::with(Plan {
        switches: Switches {
            longest_hold: Duration::ZERO,
            ..Switches::default()
        },
        ..Plan::default()
    })
    .await;
    let polls = || -> Vec<_> {
        let calls = quarter.zalo.calls().into_iter();
        calls
            .filter(|call| call.method == "getUpdates")
            .map(|call| call.arrived)
            .collect()
    };
    let four = quarter
        .zalo
        .wait(PATIENCE, || Some(polls()).filter(|polls| polls.len() >= 4));
    let polls = four.await.expect("the bot does not poll");
    // A quarter, a half and a whole second between them, less what the first one was late.
    let passed = polls[3] - polls[0];
    assert!(passed >= Duration::from_millis(1000), "{passed:?}");
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_whose_answer_is_lost_comes_once_more_and_a_receipt_does_not() {
    for fault in [
        Fault::CloseAfter,
        Fault::HtmlAfter(502),
        Fault::HtmlAfter(504),
        Fault::Refuse(408, "Request timeout".to_owned()),
    ] {
        let posted = u64::from(fault.is_carried_out());
        let quarter = Quarter::greeted(Plan::default()).await;
        quarter.drafts("Nước lên nhanh").await;
        quarter.zalo.fault(Rule::once("sendMessage", fault.clone()));
        quarter.officer.tells("OK");
        quarter
            .hears_where(&quarter.officer.home, |sent| {
                sent.text.contains("đã gửi xong")
            })
            .await;
        quarter.settles().await;
        quarter.hears_all(&quarter.officer.home);
        let alerts = quarter.hears_all(&quarter.dinh).len();
        assert!(alerts >= 1, "{fault:?}: the room has it");
        assert!(alerts as u64 <= 1 + posted, "{fault:?}");
        quarter.zalo.fault(Rule::once("sendMessage", fault));
        quarter.lan.calls(&quarter.dinh, WHOLE);
        quarter.settles().await;
        assert_eq!(quarter.hears_all(&quarter.dinh).len() as u64, posted);
        assert_eq!(quarter.records().await.len(), 1);
        quarter.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_that_is_denied_without_a_reason_is_tried_again() {
    let quarter = Quarter::greeted(Plan::default()).await;
    quarter.zalo.fault(Rule::once(
        "sendMessage",
        Fault::Refuse(403, "Internal server error".to_owned()),
    ));
    quarter.lan.calls(&quarter.dinh, WHOLE);
    quarter.hears_only(&quarter.dinh).await;
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_up_month_is_not_hammered_and_the_administrator_is_told() {
    let quarter = Quarter::greeted(Plan::default()).await;
    quarter.admin.tells("/nhom");
    quarter.hears_only(&quarter.admin.home).await;
    let before = quarter.zalo.all_sent().len();
    quarter.zalo.fault(Rule::times(
        "sendMessage",
        9,
        Fault::Refuse(429, "Quota exceeded".to_owned()),
    ));
    quarter.lan.calls(&quarter.dinh, WHOLE);
    quarter.minh.calls(&quarter.dinh, OTHER);
    quarter
        .until("the refusal is not known", async || {
            quarter
                .metrics()
                .await
                .contains("keng_outbox_slowed_total{account=\"zb1\"} 1")
        })
        .await;
    assert!(quarter.zalo.wait_taken(PATIENCE).await);
    let sends = || {
        let calls = quarter.zalo.calls();
        calls
            .iter()
            .filter(|call| call.method == "sendMessage")
            .count()
    };
    // One or two that were refused; the records are there all the same.
    quarter
        .until("the second record is not there", async || {
            crate::support::all_incidents(quarter.store().as_ref())
                .await
                .len()
                == 2
        })
        .await;
    assert!(sends() <= before + 2, "{}", sends());
    // It waits with the account; on another account it would be there already.
    let store = quarter.store();
    quarter
        .until("the administrator is not told", async || {
            let rows = store.waiting(&zb1(), Lane::Urgent, None, 10).await.unwrap();
            rows.iter().any(|row| match &row.body {
                Body::Text(post) => post.text.contains("hết hạn mức"),
                _ => false,
            })
        })
        .await;
    quarter.abandons();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_void_token_needs_a_person_and_says_so() {
    let quarter = Quarter::with(Plan {
        token: Some("1:khong-phai-ma-nay".to_owned()),
        ..Plan::default()
    })
    .await;
    quarter
        .until("the log does not say so", async || {
            logged("the token is not accepted (the server answered 401: Unauthorized)")
        })
        .await;
    assert!(!logged("khong-phai-ma-nay"));
    quarter.abandons();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_may_not_be_in_groups_is_told_of_at_the_start() {
    let quarter = Quarter::with(Plan {
        switches: Switches {
            can_join_groups: false,
            tells_name: false,
            ..Switches::default()
        },
        top: "[bot]\nnames = []",
        ..Plan::default()
    })
    .await;
    quarter
        .until("the log does not say so", async || {
            logged("this bot may not be added to groups") && logged("write it into `bot.names`")
        })
        .await;
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_the_platform_cannot_reach_is_told_of_at_the_start() {
    let quarter = Quarter::with(Plan {
        webhook: true,
        switches: Switches {
            verifies: true,
            unreachable: true,
            ..Switches::default()
        },
        ..Plan::default()
    })
    .await;
    quarter
        .until("the log does not say so", async || {
            logged("could not reach the webhook (webhook.http.403 check the path)")
        })
        .await;
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_log_line_ever_holds_the_token() {
    let quarter = Quarter::greeted(Plan::default()).await;
    for fault in [
        Fault::CloseBefore,
        Fault::CloseAfter,
        Fault::Html(502),
        Fault::Body(b"{".to_vec()),
    ] {
        quarter.zalo.fault(Rule::once("getUpdates", fault.clone()));
        quarter.zalo.fault(Rule::once("sendMessage", fault));
        quarter.lan.calls(&quarter.dinh, WHOLE);
        quarter.settles().await;
    }
    quarter.hears_all(&quarter.dinh);
    let (_, secret) = quarter.token().split_once(':').unwrap();
    assert!(!logged(secret));
    assert!(!quarter.metrics().await.contains(secret));
    for row in quarter.deliveries().await {
        assert!(!format!("{row:?}").contains(secret));
    }
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_torn_and_hostile_webhooks_record_nothing_and_break_nothing() {
    let quarter = Quarter::with(Plan {
        webhook: true,
        ..Plan::default()
    })
    .await;
    let client = keng::app::http_client().unwrap();
    let post = async |secret: &str, body: Vec<u8>| {
        let request = client
            .post(quarter.url("/hooks/zb1"))
            .header("X-Bot-Api-Secret-Token", secret)
            .body(body);
        crate::support::status(request).await
    };
    let lan = &*quarter.lan.person.id;
    let good = |id: &str| {
        json!({"event_name": "message.text.received", "message": {
            "from": {"id": lan, "display_name": "Lan"}, "chat": {"id": lan, "chat_type": "PRIVATE"},
            "text": WHOLE, "message_id": id, "date": 1_795_848_123_456_u64}})
        .to_string()
        .into_bytes()
    };
    assert_eq!(post("sai-bi-mat-roi", good("a")).await, 401);
    assert_eq!(post("", good("a")).await, 401);
    let whole = good("a");
    for cut in [1, whole.len() / 2, whole.len() - 1] {
        assert_eq!(
            post(HOOK_SECRET, whole[..cut].to_vec()).await,
            200,
            "put aside"
        );
    }
    for body in [
        &b""[..],
        b"null",
        b"[]",
        b"{}",
        b"17",
        b"\xff\xfe",
        b"{\"result\":7}",
        b"{\"event_name\":7,\"message\":[]}",
    ] {
        assert_eq!(post(HOOK_SECRET, body.to_vec()).await, 200);
    }
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(post(HOOK_SECRET, deep.into_bytes()).await, 200);
    let huge = vec![b' '; 9 << 20];
    assert_eq!(post(HOOK_SECRET, huge).await, 413);
    assert!(quarter.records().await.is_empty());
    // The good one, and the good one again.
    assert_eq!(post(HOOK_SECRET, good("a")).await, 200);
    assert_eq!(post(HOOK_SECRET, good("a")).await, 200);
    quarter.hears_only(&quarter.lan.home).await;
    assert_eq!(quarter.record().await.reports.len(), 1);
    quarter.ends().await;
}

/// `keng serve` as a process of its own.
fn serve(quarter: &Quarter) -> Child {
    Command::new(env!("CARGO_BIN_EXE_keng"))
        .args(["serve", "--config"])
        .arg(quarter.config_file())
        .env("KENG_TEST_TOKEN", quarter.token())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_it_goes_on_with_what_the_platform_tells_again() {
    let mut quarter = Quarter::greeted(Plan {
        sled: true,
        switches: switches(Delivery::Again(40)),
        ..Plan::default()
    })
    .await;
    quarter.stops().await;
    let mut said = Vec::new();
    for life in 0..4 {
        let mut child = serve(&quarter);
        let given = quarter.zalo.stats().given;
        for number in 0..6 {
            let text = format!("#tromcap mất xe ở ngõ {life}{number} lúc 3h sáng nay");
            said.push(quarter.lan.calls(&quarter.dinh, &text));
        }
        // Killed while it is being told: some are recorded, some only handed over.
        let told = quarter
            .zalo
            .wait(PATIENCE, || {
                (quarter.zalo.stats().given >= given + 3 + life).then_some(())
            })
            .await;
        assert!(told.is_some(), "the program does not poll");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    quarter.starts().await;
    quarter
        .until("something that was told is not recorded", async || {
            let all = crate::support::all_incidents(quarter.store().as_ref()).await;
            let mut recorded: Vec<String> = all
                .iter()
                .flat_map(|case| &case.reports)
                .map(|report| report.message.to_string())
                .collect();
            recorded.sort();
            let mut wanted = said.clone();
            wanted.sort();
            let mut once = recorded.clone();
            once.dedup();
            assert_eq!(once, recorded, "recorded twice");
            recorded == wanted
        })
        .await;
    quarter
        .zalo
        .switch(|switches| switches.delivery = Delivery::Once);
    quarter.settles().await;
    quarter.hears_all(&quarter.dinh);
    quarter.ends().await;
}
