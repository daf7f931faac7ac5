//! What goes wrong: forged calls, lost answers, dead tokens, deleted parents, spent limits.

use keng::sim::facebook::Fault;
use keng::sim::facebook::Rule;
use serde_json::json;

use super::*;

#[tokio::test]
async fn forged_and_rewritten_calls_are_refused() {
    let ward = Ward::new().await;
    let page = &ward.facebook.options().page_id;
    let plain = json!({"object": "page", "entry": [{"id": page, "time": 1_790_000_000, "changes": [{"field": "feed", "value": {
        "item": "comment", "verb": "add", "comment_id": "1_2", "post_id": "1", "message": "#tromcap mất xe ở cổng chợ"}}]}]})
    .to_string();
    let escaped = plain
        .replace('ấ', "\\u1ea5")
        .replace('ở', "\\u1edf")
        .replace('ổ', "\\u1ed5")
        .replace('ợ', "\\u1ee3");
    let right = ward.facebook.signature(escaped.as_bytes());
    assert_eq!(ward.post(None, escaped.as_bytes()).await, 401);
    assert_eq!(ward.post(Some("sha256=00"), escaped.as_bytes()).await, 401);
    assert_eq!(
        ward.post(Some(&right), plain.as_bytes()).await,
        401,
        "read and written again"
    );
    assert_eq!(ward.records().await.len(), 0);
    assert_eq!(ward.post(Some(&right), escaped.as_bytes()).await, 200);
    ward.record().await;
    // Its comment does not exist: there is nobody to answer.
    ward.settles().await;
    ward.ends().await;
}

#[tokio::test]
async fn a_body_of_nonsense_is_put_aside_and_the_next_one_is_taken() {
    let ward = Ward::new().await;
    for body in [
        &b"no json"[..],
        b"{}",
        b"[]",
        b"\xff\xfe",
        b"{\"entry\":[{\"id\":7}]}",
    ] {
        let signature = ward.facebook.signature(body);
        assert_eq!(ward.post(Some(&signature), body).await, 200);
    }
    let comment = ward.comments(&ward.lan, WHOLE);
    ward.hears_under(&comment).await;
    ward.ends().await;
}

#[tokio::test]
async fn somebody_without_a_name_is_recorded_and_answered() {
    let ward = Ward::new().await;
    ward.facebook.switch(|switches| switches.nameless = true);
    let comment = ward.comments(&ward.lan, WHOLE);
    ward.hears_under(&comment).await;
    assert_eq!(ward.record().await.first().reporter, None);
    ward.ends().await;
}

#[tokio::test]
async fn numbers_swapped_units_slashes_and_disorder_change_nothing() {
    let ward = Ward::new().await;
    ward.facebook.switch(|switches| {
        switches.numbers = true;
        switches.units_swapped = true;
        switches.slashes = true;
        switches.repeats = true;
        switches.backwards = true;
        switches.batch = 2;
    });
    let comments = ["cổng chợ", "bến xe", "sân đình"].map(|place| {
        ward.comments(
            &ward.lan,
            &format!("#tromcap mất xe ở {place} lúc 3h sáng nay, xem https://a.vn/b"),
        )
    });
    for comment in &comments {
        ward.hears_under(comment).await;
    }
    let records = ward.records().await;
    assert_eq!(records.len(), 3);
    let year = records[0].first().sent_at.format("%Y").to_string();
    assert!(year.as_str() >= "2024" && year.as_str() < "2100", "{year}");
    ward.tells(&ward.lan, "/cuatoi");
    ward.hears(&ward.lan).await;
    ward.ends().await;
}

#[tokio::test]
async fn an_answer_that_got_lost_is_settled_by_its_echo_and_never_sent_again() {
    let ward = Ward::new().await;
    for fault in [
        Fault::CloseAfter,
        Fault::ErrorAfter(1, 1_357_046),
        Fault::HtmlAfter(502),
    ] {
        ward.facebook.fault(Rule::once("/feed", fault.clone()));
        ward.warns(&format!("Cảnh giác kẻ gian, lần {fault:?}"))
            .await;
        ward.hears_on_the_wall().await;
        ward.hears_where(|sent| sent.text.contains("đã gửi xong, nhóm đã nhận"))
            .await;
        ward.settles().await;
        ward.hears_all();
    }
    let rows = ward.deliveries().await;
    assert!(
        rows.iter().all(|row| row.state.as_str() == "sent"),
        "{rows:#?}"
    );
    let posts = ward
        .facebook
        .sent()
        .into_iter()
        .filter(|sent| sent.place == Place::Wall);
    assert_eq!(posts.count(), 1 + 3);
    ward.ends().await;
}

#[tokio::test]
async fn an_echo_that_comes_an_hour_and_a_restart_later_settles_what_nobody_knew() {
    let mut ward = Ward::on_disk().await;
    ward.facebook
        .switch(|switches| switches.echo_late_ms = 3_600_000);
    ward.facebook.fault(Rule::once("/feed", Fault::CloseAfter));
    ward.warns("Cảnh giác kẻ gian #luadao").await;
    ward.hears_on_the_wall().await;
    // It is still waited for when the program stops.
    ward.stops().await;
    ward.starts().await;
    let state = async || ward.deliveries().await[0].state.as_str();
    ward.until("it is not unknown", async || state().await == "unknown")
        .await;
    ward.hears_where(|sent| sent.text.contains("chưa rõ")).await;
    ward.later(TimeDelta::hours(1));
    ward.until("it is unknown still", async || state().await == "sent")
        .await;
    ward.hears_where(|sent| sent.text.contains("đã gửi xong, nhóm đã nhận"))
        .await;
    ward.facebook.switch(|switches| switches.echo_late_ms = 0);
    ward.facebook.advance(Duration::from_secs(3_600));
    ward.settles().await;
    assert_eq!(ward.records().await.len(), 0, "our own words are no report");
    let posts = ward.facebook.sent().into_iter();
    let posts = posts.filter(|sent| sent.place == Place::Wall);
    assert_eq!(posts.count(), 2, "the alert and what was there before");
    ward.hears_all();
    ward.ends().await;
}

#[tokio::test]
async fn a_comment_that_is_gone_before_its_answer_costs_only_the_answer() {
    let ward = Ward::new().await;
    ward.facebook
        .fault(Rule::once("/comments", Fault::Error(100, 33)));
    ward.comments(&ward.lan, WHOLE);
    ward.record().await;
    ward.hears_nothing_more().await;
    // The wall itself is not lost.
    ward.warns("Cảnh giác kẻ gian").await;
    ward.hears_on_the_wall().await;
    ward.settles().await;
    ward.hears_all();
    ward.ends().await;
}

#[tokio::test]
async fn a_private_answer_that_is_not_allowed_any_more_is_not_said_in_public() {
    let ward = Ward::new().await;
    for (code, text) in [
        (10_900, "#matuy ở ngõ 12"),
        (10_903, "#matuy ở ngõ 14"),
        (10_904, "#matuy ở ngõ 16"),
    ] {
        ward.facebook
            .fault(Rule::once("/messages", Fault::Error(code, 0)));
        ward.comments(&ward.minh, text);
        ward.hears_nothing_more().await;
    }
    assert_eq!(ward.records().await.len(), 3);
    ward.ends().await;
}

#[tokio::test]
async fn a_report_that_is_told_after_a_week_gets_no_private_answer() {
    let ward = Ward::new().await;
    // The webhook was away for eight days.
    ward.facebook.set_webhook("http://127.0.0.1:1/hooks/fb1");
    ward.comments(&ward.lan, "#matuy nhà hoang ở ngõ 12");
    ward.later(TimeDelta::days(8));
    ward.facebook.set_webhook(&ward.url("/hooks/fb1"));
    ward.record().await;
    ward.hears_nothing_more().await;
    ward.ends().await;
}

#[tokio::test]
async fn a_token_that_dies_in_the_middle_loses_nothing_and_calls_for_somebody() {
    let ward = Ward::new().await;
    ward.facebook
        .fault(Rule::always("*", Fault::Error(190, 460)));
    let comment = ward.comments(&ward.lan, WHOLE);
    ward.until("nobody was called", async || {
        ward.metric("keng_outbox_account_refused").await == 1
    })
    .await;
    let records = all_incidents(ward.store().as_ref()).await;
    assert_eq!(records.len(), 1, "what is told is recorded all the same");
    assert!(logged("a person must look at the Page"));
    ward.facebook.clear_faults();
    // The account is tried again within a minute.
    let end = tokio::time::Instant::now() + Duration::from_secs(90);
    while ward.unheard().is_empty() {
        assert!(tokio::time::Instant::now() < end, "the answer never left");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ward.hears_under(&comment).await;
    ward.ends().await;
}

#[tokio::test]
async fn near_the_end_of_the_hours_calls_nothing_more_is_called() {
    let ward = Ward::new().await;
    ward.tells(&ward.lan, "/trogiup");
    ward.hears(&ward.lan).await;
    ward.facebook.switch(|switches| switches.usage = (97, 1));
    let comment = ward.comments(&ward.lan, WHOLE);
    ward.hears_under(&comment).await;
    let before = calls_of(&ward, "/comments");
    ward.comments(&ward.minh, "#chay đống rơm cháy ở xóm Bến");
    // Messenger has calls of its own.
    ward.tells(&ward.lan, "/cuatoi");
    ward.hears(&ward.lan).await;
    assert!(ward.facebook.wait_taken(PATIENCE).await);
    let store = ward.store();
    ward.until("it was not recorded", async || {
        all_incidents(store.as_ref()).await.len() == 2
    })
    .await;
    assert_eq!(calls_of(&ward, "/comments"), before, "it waits");
    let mut ward = ward;
    ward.stops().await;
    ward.facebook.stop();
    ward.ended = true;
}

fn calls_of(ward: &Ward, path: &str) -> usize {
    let calls = ward.facebook.calls().into_iter();
    calls.filter(|call| call.path.ends_with(path)).count()
}

#[tokio::test]
async fn a_page_that_may_send_no_messages_for_a_while_still_has_its_wall() {
    let mut ward = Ward::new().await;
    ward.facebook
        .fault(Rule::once("/messages", Fault::Error(10, 1_893_063)));
    ward.tells(&ward.lan, "/trogiup");
    ward.until("nobody was told", async || {
        logged("the Page may send no messages for a while")
    })
    .await;
    let calls = calls_of(&ward, "/messages");
    ward.tells(&ward.minh, "/trogiup");
    let comment = ward.comments(&ward.minh, WHOLE);
    ward.hears_under(&comment).await;
    assert_eq!(
        calls_of(&ward, "/messages"),
        calls,
        "that door is left alone"
    );
    let store = ward.store();
    ward.until("what could not be sent does not wait", async || {
        store.backlog().await.unwrap().reply == 2
    })
    .await;
    ward.stops().await;
    ward.facebook.stop();
    ward.ended = true;
}
