//! Webhooks, and the two addresses that watch over the program.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::support::HOOK_SECRET;
use crate::support::Plan;
use crate::support::Ward;
use crate::support::all_incidents;
use crate::support::code;
use crate::support::logged;

const WHOLE: &str = "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng nay";
const HEADER: &str = "X-Telegram-Bot-Api-Secret-Token";

async fn ward() -> Ward {
    Ward::with(Plan {
        webhook: true,
        ..Plan::default()
    })
    .await
}

fn update(ward: &Ward, id: i64, text: &str) -> Value {
    json!({"update_id": 500_000 + id, "message": {
        "message_id": id, "date": ward.town.date(),
        "chat": {"id": ward.five.id, "type": "supergroup", "title": "Tổ dân phố 5"},
        "from": {"id": ward.lan.person.id, "is_bot": false, "first_name": "Lan"},
        "text": text,
    }})
}

async fn post(ward: &Ward, path: &str, secret: Option<&str>, body: impl Into<Vec<u8>>) -> u16 {
    let mut request = keng::app::http_client()
        .unwrap()
        .post(ward.url(path))
        .body(body.into());
    if let Some(secret) = secret {
        request = request.header(HEADER, secret);
    }
    crate::support::status(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ward_works_by_webhook_as_by_polling() {
    let ward = ward().await;
    let id = ward.lan.says(ward.five, WHOLE);
    let receipt = ward.hears_only(ward.five).await;
    assert_eq!(receipt.reply_to, Some(id));
    let preview = ward.drafts("Nước lên nhanh").await;
    ward.officer.presses(&preview, "Gửi");
    ward.hears(ward.five).await;
    ward.hears(ward.ha).await;
    ward.hears_where(ward.officer.home, |sent| sent.text.contains("cả 2 nhóm"))
        .await;
    ward.settles().await;
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_with_the_right_secret_is_answered_when_the_record_is_there() {
    let ward = ward().await;
    let body = update(&ward, 70_101, WHOLE).to_string();
    assert_eq!(
        post(&ward, "/hooks/tg1", Some(HOOK_SECRET), body.clone()).await,
        200
    );
    // No waiting: it was durable before the answer.
    assert_eq!(all_incidents(ward.store().as_ref()).await.len(), 1);
    ward.hears(ward.five).await;
    assert_eq!(
        post(&ward, "/hooks/tg1", Some(HOOK_SECRET), body).await,
        200
    );
    assert_eq!(ward.records().await.len(), 1);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_with_a_wrong_or_no_secret_is_refused_and_not_read() {
    let ward = ward().await;
    let body = update(
        &ward,
        70_102,
        "#tromcap giả mạo 55512 ở cổng chợ lúc 3h sáng",
    )
    .to_string();
    let longer = format!("{HOOK_SECRET}x");
    for secret in [None, Some(""), Some("sai"), Some(longer.as_str())] {
        assert_eq!(post(&ward, "/hooks/tg1", secret, body.clone()).await, 401);
    }
    assert_eq!(
        post(&ward, "/hooks/tg2", Some(HOOK_SECRET), body.clone()).await,
        404
    );
    assert_eq!(
        post(&ward, "/hooks/..%2F", Some(HOOK_SECRET), body).await,
        404
    );
    assert!(ward.records().await.is_empty());
    assert!(!logged("giả mạo 55512"));
    assert!(!logged(HOOK_SECRET));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polling_account_takes_no_webhook() {
    let ward = Ward::new().await;
    let body = update(&ward, 70_103, WHOLE).to_string();
    assert_eq!(
        post(&ward, "/hooks/tg1", Some(HOOK_SECRET), body.clone()).await,
        404
    );
    assert_eq!(post(&ward, "/hooks/tg1", Some(""), body).await, 404);
    assert!(ward.records().await.is_empty());
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_cannot_be_read_is_put_aside_and_does_not_come_again() {
    let ward = ward().await;
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\u{0}",
        "{\"update_id\":",
        "\"text\"",
    ] {
        assert_eq!(
            post(&ward, "/hooks/tg1", Some(HOOK_SECRET), body).await,
            200,
            "{body}"
        );
    }
    let big = vec![b'['; 9 << 20];
    let status = post(&ward, "/hooks/tg1", Some(HOOK_SECRET), big).await;
    assert!(status == 413 || status == 200, "{status}");
    let mut torn = update(&ward, 70_104, WHOLE).to_string().into_bytes();
    torn.extend_from_slice(b"\xff\xfe");
    post(&ward, "/hooks/tg1", Some(HOOK_SECRET), torn).await;
    ward.lan.says(ward.five, WHOLE);
    ward.hears(ward.five).await;
    ward.settles().await;
    ward.hears_all(ward.five);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_the_same_time_are_each_recorded_once() {
    let ward = ward().await;
    let calls = (0..40).map(|number| {
        // Every second one is a repetition.
        let id = 70_200 + number / 2;
        let text = format!("#tromcap mất xe Wave ở ngõ {id} lúc 3h sáng nay");
        let body = update(&ward, id, &text).to_string();
        post(&ward, "/hooks/tg1", Some(HOOK_SECRET), body)
    });
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    assert_eq!(ward.records().await.len(), 20);
    assert_eq!(ward.hears_all(ward.five).len(), 20);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_answers_and_metrics_count_without_anybodys_words() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    let receipt = ward.hears_only(ward.five).await;
    ward.minh.says(ward.five, "trời nóng quá");
    ward.settles().await;
    let health = keng::app::http_client()
        .unwrap()
        .get(ward.url("/health"))
        .timeout(Duration::from_secs(2))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200);
    let answer = reqwest::get(ward.url("/metrics")).await.unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    let value = |name: &str| {
        text.lines()
            .find(|line| line.starts_with(name) && !line.starts_with('#'))
            .and_then(|line| line.rsplit(' ').next())
            .unwrap_or_else(|| panic!("{name} in {text}"))
            .to_owned()
    };
    assert_eq!(value("keng_recorded_total"), "1");
    assert_eq!(value("keng_dropped_untagged_total"), "1");
    assert_eq!(value("keng_outbox_sent_total"), "3");
    for word in ["Wave", "nóng", "Lan", "Tổ dân phố"] {
        assert!(!text.contains(word), "{word}");
    }
    assert!(!code(&receipt.text).is_empty());
    for path in ["/api/export/incidents", "/api/backup"] {
        let refused = reqwest::get(ward.url(path)).await.unwrap();
        assert_eq!(refused.status(), 401, "{path}");
    }
    ward.ends().await;
}
