//! A person is written to for 24 hours after their last word: inside, at the edge, outside.

use super::*;

const TEMPLATE: &str =
    "Công an xã trả lời tin báo của bà con: {{1}} Bà con nhắn vào đây nếu cần thêm.";

/// Somebody reports in Messenger, and so much later an officer takes the case.
async fn taken_after(ward: &Ward, wait: TimeDelta) -> String {
    ward.tells(&ward.lan, WHOLE);
    ward.hears(&ward.lan).await;
    let record = ward.record().await;
    ward.later(wait);
    ward.tells(&ward.officer, &format!("/nhan {}", record.id));
    ward.hears(&ward.officer).await;
    record.id.to_string()
}

#[tokio::test]
async fn a_follow_up_inside_the_day_comes_at_once() {
    let ward = Ward::new().await;
    taken_after(&ward, TimeDelta::hours(24) - TimeDelta::minutes(1)).await;
    let told = ward.hears(&ward.lan).await;
    assert!(told.text.contains("tiếp nhận"));
    assert_eq!(told.template, None);
    ward.ends().await;
}

#[tokio::test]
async fn a_follow_up_after_the_day_waits_for_the_next_word() {
    let ward = Ward::new().await;
    let code = taken_after(&ward, TimeDelta::hours(24) + TimeDelta::minutes(1)).await;
    ward.hears_nothing_more().await;
    let tries = ward.facebook.calls().into_iter();
    let tries = tries.filter(|call| call.status == Some(400)).count();
    assert_eq!(tries, 0, "what surely fails is not even tried");
    ward.tells(&ward.lan, "cho tôi hỏi chuyện hôm trước");
    let told = ward
        .hears_where(|sent| sent.text.contains("tiếp nhận"))
        .await;
    assert!(told.text.contains(&code));
    ward.settles().await;
    ward.hears_all();
    // Only once: the next word brings nothing old.
    ward.tells(&ward.lan, "/cuatoi");
    ward.hears(&ward.lan).await;
    ward.ends().await;
}

#[tokio::test]
async fn at_the_edge_the_platform_has_the_last_word() {
    let ward = Ward::new().await;
    ward.tells(&ward.lan, WHOLE);
    ward.hears(&ward.lan).await;
    let record = ward.record().await;
    // The town's clock is ahead: for the program the time is not over, for the platform it is.
    ward.later(TimeDelta::hours(24) - TimeDelta::minutes(1));
    ward.facebook.advance(Duration::from_secs(120));
    ward.tells(&ward.officer, &format!("/nhan {}", record.id));
    ward.hears(&ward.officer).await;
    ward.hears_nothing_more().await;
    let refused = ward.facebook.calls().into_iter();
    let refused = refused.filter(|call| call.answer_json()["error"]["error_subcode"] == 2_018_278);
    assert_eq!(refused.count(), 1, "tried once and not again");
    ward.tells(&ward.lan, "/cuatoi");
    ward.hears_where(|sent| sent.text.contains("tiếp nhận"))
        .await;
    ward.hears(&ward.lan).await;
    ward.ends().await;
}

#[tokio::test]
async fn an_approved_template_goes_at_any_time() {
    let ward = Ward::with(Plan {
        more: "utility_template = \"tra_loi_tin_bao\"",
        ..Plan::default()
    })
    .await;
    ward.facebook.approve_template("tra_loi_tin_bao", TEMPLATE);
    let code = taken_after(&ward, TimeDelta::days(3)).await;
    let told = ward.hears(&ward.lan).await;
    assert_eq!(told.template.as_deref(), Some("tra_loi_tin_bao"));
    assert!(told.text.contains(&code) && told.text.contains("tiếp nhận"));
    ward.ends().await;
}

#[tokio::test]
async fn a_template_that_is_not_approved_leaves_it_to_the_next_word() {
    let ward = Ward::with(Plan {
        more: "utility_template = \"chua_duyet\"",
        ..Plan::default()
    })
    .await;
    taken_after(&ward, TimeDelta::days(3)).await;
    ward.hears_nothing_more().await;
    ward.tells(&ward.lan, "/cuatoi");
    ward.hears_where(|sent| sent.text.contains("tiếp nhận"))
        .await;
    ward.hears(&ward.lan).await;
    ward.ends().await;
}

#[tokio::test]
async fn what_waits_for_a_word_survives_a_restart() {
    let mut ward = Ward::on_disk().await;
    taken_after(&ward, TimeDelta::days(2)).await;
    ward.hears_nothing_more().await;
    ward.stops().await;
    ward.starts().await;
    ward.tells(&ward.lan, "/cuatoi");
    ward.hears_where(|sent| sent.text.contains("tiếp nhận"))
        .await;
    ward.hears(&ward.lan).await;
    ward.ends().await;
}

#[tokio::test]
async fn a_comment_opens_no_chat_and_a_pressed_button_does() {
    let ward = Ward::new().await;
    ward.tells(&ward.lan, WHOLE);
    ward.hears(&ward.lan).await;
    let record = ward.record().await;
    ward.later(TimeDelta::hours(25));
    // On the wall she is heard and answered, and her chat stays closed all the same.
    let comment = ward.comments(&ward.lan, "#chay đống rơm cháy ở xóm Bến");
    ward.hears_under(&comment).await;
    ward.tells(&ward.officer, &format!("/nhan {}", record.id));
    ward.hears(&ward.officer).await;
    ward.hears_nothing_more().await;
    ward.facebook.press(&ward.lan, "Xem", "không rõ");
    ward.hears_where(|sent| sent.text.contains("tiếp nhận"))
        .await;
    ward.hears(&ward.lan).await;
    ward.ends().await;
}
