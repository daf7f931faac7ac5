//! What people do on the wall and in Messenger on an ordinary day.

use keng::domain::incident::EventKind;
use keng::domain::incident::Status;
use keng::domain::message::Attachment;
use keng::domain::reading::Category;
use keng::sim::facebook::Fault;
use keng::sim::facebook::Rule;
use serde_json::json;

use super::*;
use crate::support::code;
use crate::support::stored_in;

#[tokio::test]
async fn a_tagged_comment_becomes_a_record_and_is_answered_under_it() {
    let ward = Ward::new().await;
    let comment = ward.comments(&ward.lan, WHOLE);
    let receipt = ward.hears_under(&comment).await;
    let record = ward.record().await;
    assert_eq!(code(&receipt.text), record.id.to_string());
    assert!(!receipt.text.contains("Wave") && !receipt.text.contains("chợ"));
    let report = record.first();
    assert_eq!(*report.room.native, *ward.facebook.options().page_id);
    assert_eq!(report.message.as_str(), comment);
    assert_eq!(report.thread.as_deref(), Some(ward.post.as_str()));
    ward.ends().await;
}

#[tokio::test]
async fn a_visitors_post_is_a_report_like_a_comment() {
    let ward = Ward::new().await;
    let post = ward.facebook.visitor_posts(&ward.minh, WHOLE);
    ward.hears_under(&post).await;
    assert_eq!(ward.record().await.first().message.as_str(), post);
    ward.ends().await;
}

#[tokio::test]
async fn what_is_said_without_a_tag_is_never_kept() {
    let mut ward = Ward::on_disk().await;
    let chatter = "tối nay bác Năm xóm Đình mời cả nhà sang ăn giỗ nhé";
    ward.comments(&ward.lan, chatter);
    ward.facebook.visitor_posts(&ward.minh, chatter);
    let comment = ward.comments(&ward.lan, WHOLE);
    ward.hears_under(&comment).await;
    // A neighbour under somebody's report talks to that somebody.
    let gossip = "khổ thân bà Tư nhà ở đầu ngõ ba quá";
    ward.facebook.comment(&ward.minh, &comment, gossip);
    ward.record().await;
    ward.hears_nothing_more().await;
    ward.stops().await;
    for words in [chatter, gossip] {
        assert!(!stored_in(&ward.store_dir(), words));
        assert!(!logged(words));
    }
    ward.starts().await;
    ward.ends().await;
}

#[tokio::test]
async fn something_sensitive_is_answered_once_in_private_and_never_in_public() {
    let ward = Ward::new().await;
    let comment = ward.comments(&ward.lan, "#matuy nhà số 5 ngõ 12 tụ tập hút chích");
    let aside = ward.hears(&ward.lan).await;
    assert_eq!(aside.aside_of.as_deref(), Some(comment.as_str()));
    assert!(aside.text.contains("nhắn riêng"), "{}", aside.text);
    let record = ward.record().await;
    assert_eq!(record.facts.primary, Category::Drugs);
    // What becomes of it is told in private as well, as soon as she may be written to.
    ward.tells(&ward.officer, &format!("/nhan {}", record.id));
    ward.hears(&ward.officer).await;
    ward.hears_nothing_more().await;
    ward.tells(&ward.lan, "vâng, cảm ơn");
    let told = ward
        .hears_where(|sent| sent.place == chat(&ward.lan) && sent.text.contains("tiếp nhận"))
        .await;
    assert!(told.text.contains(&record.id.to_string()));
    ward.settles().await;
    let in_public = ward.facebook.sent().into_iter();
    let mut in_public = in_public.filter(|sent| !matches!(sent.place, Place::Chat(_)));
    assert_eq!(
        in_public.next().map(|sent| sent.id),
        Some(ward.post.clone())
    );
    assert_eq!(in_public.next(), None);
    ward.hears_all();
    ward.ends().await;
}

#[tokio::test]
async fn whoever_was_answered_aside_can_go_on_in_messenger() {
    let ward = Ward::new().await;
    ward.comments(&ward.lan, "#matuy có tụ tập hút chích");
    let aside = ward.hears(&ward.lan).await;
    assert!(aside.text.contains("ở đâu ạ?"), "{}", aside.text);
    ward.tells(&ward.lan, "ở ngõ 12 xóm Đình");
    ward.hears(&ward.lan).await;
    let record = ward.record().await;
    assert!(record.facts.place.is_some(), "{record:#?}");
    assert_eq!(record.reports.len(), 2);
    ward.ends().await;
}

#[tokio::test]
async fn the_answer_to_a_question_hangs_under_ones_own_comment() {
    let ward = Ward::new().await;
    let comment = ward.comments(&ward.lan, HALF);
    let question = ward.hears_under(&comment).await;
    assert!(question.text.contains("ở đâu ạ?"), "{}", question.text);
    // Facebook hangs answers to answers under the first comment.
    let answer = ward
        .facebook
        .comment(&ward.lan, &question.id, "ở cổng chợ Tân Trúc Tùng");
    ward.hears_under(&answer).await;
    let record = ward.record().await;
    assert!(record.facts.place.is_some(), "{record:#?}");
    ward.ends().await;
}

#[tokio::test]
async fn a_comment_that_changes_or_goes_is_followed() {
    let ward = Ward::new().await;
    let comment = ward.comments(&ward.lan, WHOLE);
    ward.hears_under(&comment).await;
    ward.facebook
        .edit(&comment, "#tromcap mất xe Dream ở cổng chợ lúc 3h sáng nay");
    ward.settles().await;
    assert!(ward.record().await.first().text.contains("Dream"));
    ward.facebook.remove(&comment);
    ward.settles().await;
    let record = ward.record().await;
    assert!(
        record.first().text.contains("Dream"),
        "the record keeps its words"
    );
    let gone = record
        .timeline
        .iter()
        .filter(|event| event.what == EventKind::Deleted);
    assert_eq!(gone.count(), 1);
    assert_eq!(record.status, Status::New);
    ward.ends().await;
}

#[tokio::test]
async fn a_comment_that_gets_its_tag_later_is_a_report_then() {
    let ward = Ward::new().await;
    let comment = ward.comments(&ward.lan, "mất xe Wave ở cổng chợ lúc 3h sáng nay");
    ward.hears_nothing_more().await;
    ward.facebook.edit(&comment, WHOLE);
    ward.hears_under(&comment).await;
    ward.record().await;
    ward.ends().await;
}

#[tokio::test]
async fn messenger_takes_reports_and_tells_of_them() {
    let ward = Ward::new().await;
    ward.tells(
        &ward.lan,
        "nhà tôi vừa mất trộm xe máy ở cổng chợ lúc 3h sáng nay",
    );
    let receipt = ward.hears(&ward.lan).await;
    let record = ward.record().await;
    assert_eq!(code(&receipt.text), record.id.to_string());
    assert_eq!(record.first().room, home(&ward.lan));
    ward.tells(&ward.lan, "/cuatoi");
    let own = ward.hears(&ward.lan).await;
    assert!(own.text.contains(&record.id.to_string()));
    ward.tells(&ward.officer, &format!("/nhan {}", record.id));
    ward.hears(&ward.officer).await;
    let told = ward.hears(&ward.lan).await;
    assert!(told.text.contains("tiếp nhận"), "{}", told.text);
    ward.ends().await;
}

#[tokio::test]
async fn pictures_and_places_come_along() {
    let ward = Ward::new().await;
    ward.tells(&ward.lan, HALF);
    ward.hears(&ward.lan).await;
    let picture = json!({"mid": "m_pic", "attachments": [{"type": "image", "payload": {"url": "https://scontent.fbcdn.net/a.jpg"}}]});
    ward.facebook
        .happens(&ward.lan, json!({ "message": picture }), true);
    ward.hears(&ward.lan).await;
    let record = ward.record().await;
    let photo = Attachment::Photo("https://scontent.fbcdn.net/a.jpg".to_owned());
    assert!(
        record
            .reports
            .iter()
            .any(|report| report.attachments.contains(&photo)),
        "{record:#?}"
    );
    ward.ends().await;
}

#[tokio::test]
async fn an_alert_is_a_post_confirmed_by_a_button() {
    let ward = Ward::new().await;
    ward.warns("Có người giả danh công an gọi điện").await;
    let alert = ward.hears_on_the_wall().await;
    assert!(alert.text.contains("giả danh công an"));
    ward.hears_where(|sent| sent.text.contains("Đang gửi") || sent.text.contains("đang gửi"))
        .await;
    ward.hears_where(|sent| sent.text.contains("đã gửi xong"))
        .await;
    ward.settles().await;
    ward.hears_all();
    let rows = ward.deliveries().await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].state.as_str(), "sent");
    // Anybody can ask whether it is real.
    let code = alert
        .text
        .split_whitespace()
        .find_map(keng::domain::ids::CheckCode::parse);
    let code = code.expect("an alert carries its code");
    ward.tells(&ward.lan, &format!("/kiemtra {}", code.as_str()));
    let checked = ward.hears(&ward.lan).await;
    assert!(
        checked.text.contains("Đ/c Hà") || checked.text.contains("thật"),
        "{}",
        checked.text
    );
    ward.ends().await;
}

#[tokio::test]
async fn a_tag_in_our_own_words_is_no_report() {
    let ward = Ward::new().await;
    ward.facebook
        .admin_posts("Cảnh giác #luadao qua điện thoại");
    ward.facebook.switch(|switches| switches.nameless = true);
    ward.facebook
        .admin_posts("Nhắc lại: #luadao qua điện thoại");
    ward.settles().await;
    assert_eq!(ward.records().await.len(), 0);
    ward.hears_all();
    ward.ends().await;
}

#[tokio::test]
async fn a_one_time_code_makes_a_colleague_by_link() {
    let ward = Ward::new().await;
    ward.tells(&ward.admin, "/moi cán bộ Đ/c Nam");
    let invited = ward.hears(&ward.admin).await;
    let code = invited
        .text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-'))
        .find(|word| keng::domain::invite::InviteCode::parse(word).is_some())
        .expect("the code is told")
        .to_owned();
    let nam = ward.facebook.add_person("Vũ Hoài Nam");
    ward.facebook.happens(
        &nam,
        json!({"referral": {"ref": code, "source": "SHORTLINK", "type": "OPEN_THREAD"}}),
        true,
    );
    ward.hears(&nam).await;
    let comment = ward.comments(&ward.lan, WHOLE);
    ward.hears_under(&comment).await;
    let record = ward.record().await;
    ward.tells(&nam, &format!("/nhan {}", record.id));
    ward.hears(&nam).await;
    ward.hears_under(&comment).await;
    assert_eq!(ward.record().await.status, Status::Accepted);
    ward.settles().await;
    ward.hears_all();
    ward.ends().await;
}

#[tokio::test]
async fn a_village_head_asks_for_the_day_in_messenger() {
    let ward = Ward::new().await;
    ward.tells(&ward.head, "/tonghop");
    let digest = ward.hears(&ward.head).await;
    assert!(
        digest.text.contains("thôn Tân Trúc Tùng"),
        "{}",
        digest.text
    );
    ward.settles().await;
    ward.hears_all();
    ward.ends().await;
}

#[tokio::test]
async fn the_program_asks_for_what_it_needs_and_answers_the_challenge() {
    let ward = Ward::new().await;
    ward.until("the Page was not subscribed", async || {
        !ward.facebook.subscribed().is_empty()
    })
    .await;
    for field in ["feed", "messages", "message_echoes", "message_edits"] {
        assert!(
            ward.facebook
                .subscribed()
                .iter()
                .any(|known| known == field),
            "{field}"
        );
    }
    let ask = async |query: &str| {
        let answer = reqwest::get(ward.url(&format!("/hooks/fb1?{query}")))
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let token = &ward.facebook.options().verify_token;
    let right = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444");
    assert_eq!(ask(&right).await, (200, "1158201444".to_owned()));
    assert_eq!(ask(&right.replace(token.as_str(), "sai")).await.0, 403);
    assert_eq!(ask(&right.replace("subscribe", "x")).await.0, 403);
    assert_eq!(ask(&right.replace("1158201444", "<script>")).await.0, 403);
    assert_eq!(ask("").await.0, 403);
    ward.ends().await;
}

#[tokio::test]
async fn a_correction_changes_the_post_and_the_end_marks_it() {
    let ward = Ward::new().await;
    ward.warns("Có người giả danh công an gọi điện").await;
    let alert = ward.hears_on_the_wall().await;
    let words = alert.text.split_whitespace();
    let code = words.filter_map(keng::domain::ids::CheckCode::parse).next();
    let code = code.expect("an alert carries its code");
    ward.settles().await;
    ward.hears_all();
    let becomes = async |said: &str| {
        let changed = ward.facebook.wait(PATIENCE, || {
            let all = ward.facebook.sent().into_iter();
            all.filter(|sent| sent.id == alert.id)
                .find(|sent| sent.edited && sent.text.contains(said))
        });
        assert!(changed.await.is_some(), "{:#?}", ward.facebook.sent());
        // Whoever spoke below it is told there: of a change in a post Facebook tells nobody.
        let below = ward.hears_under(&alert.id).await;
        ward.settles().await;
        ward.hears_all();
        below.text
    };
    let code = code.as_str();
    ward.tells(
        &ward.officer,
        &format!("/dinhchinh {code} Kẻ gọi tự xưng cán bộ phường"),
    );
    let below = becomes("cán bộ phường").await;
    assert!(below.contains("vừa được đính chính"), "{below}");
    // The post is still a place to speak.
    let comment = ward.facebook.comment(&ward.lan, &alert.id, WHOLE);
    ward.hears_under(&comment).await;
    ward.record().await;
    ward.tells(&ward.officer, &format!("/hetcanhbao {code}"));
    let below = becomes("HẾT CẢNH BÁO").await;
    assert!(below.contains("hết cảnh báo"), "{below}");
    let posts = ward.facebook.sent().into_iter();
    let posts = posts.filter(|sent| sent.place == Place::Wall);
    assert_eq!(posts.count(), 2, "the alert and what was there before");
    ward.ends().await;
}

/// A ward whose alerts go with a card.
async fn ward_with_cards() -> Ward {
    Ward::with(Plan {
        tables: "[alert]\ncard = \"warning\"\n",
        ..Plan::default()
    })
    .await
}

fn check_code(text: &str) -> String {
    let mut words = text.split_whitespace();
    let code = words.find_map(keng::domain::ids::CheckCode::parse);
    code.expect("an alert carries its code").as_str().to_owned()
}

/// The post as it stands, once it says this.
async fn becomes(ward: &Ward, id: &str, said: &str) -> Sent {
    let found = ward.facebook.wait(PATIENCE, || {
        let mut all = ward.facebook.sent().into_iter();
        all.find(|sent| sent.id == id && sent.text.contains(said))
    });
    let found = found.await;
    found.unwrap_or_else(|| panic!("{:#?}", ward.facebook.sent()))
}

#[tokio::test]
async fn an_alert_is_a_post_with_its_card_and_both_are_corrected() {
    let ward = ward_with_cards().await;
    ward.warns("Có người giả danh công an gọi điện").await;
    let alert = ward.hears_on_the_wall().await;
    let code = check_code(&alert.text);
    let first = alert.picture.clone().expect("a card");
    let shown = client().get(ward.url(&format!("/api/alerts/{code}-1.png")));
    let shown = shown.send().await.unwrap().bytes().await.unwrap();
    assert!(first.content == shown, "another picture was posted");
    ward.settles().await;
    ward.hears_all();
    ward.tells(
        &ward.officer,
        &format!("/dinhchinh {code} Kẻ gọi tự xưng cán bộ phường"),
    );
    let corrected = becomes(&ward, &alert.id, "cán bộ phường").await;
    let second = corrected.picture.expect("a card");
    assert_ne!(second.content, first.content, "the card says the old words");
    ward.hears_under(&alert.id).await;
    ward.settles().await;
    ward.hears_all();
    // Whoever comments on such a post is heard like anybody.
    let comment = ward.facebook.comment(&ward.lan, &alert.id, WHOLE);
    ward.hears_under(&comment).await;
    ward.record().await;
    ward.tells(&ward.officer, &format!("/thuhoi {code}"));
    let taken_back = becomes(&ward, &alert.id, "ĐÃ THU HỒI").await;
    assert!(!taken_back.text.contains("cán bộ phường"));
    assert_ne!(taken_back.picture.expect("a card").content, second.content);
    ward.hears_under(&alert.id).await;
    ward.settles().await;
    ward.hears_all();
    let posts = ward.facebook.sent().into_iter();
    let posts = posts.filter(|sent| sent.place == Place::Wall);
    assert_eq!(posts.count(), 2, "the alert and what was there before");
    ward.ends().await;
}

#[tokio::test]
async fn a_post_that_keeps_its_old_picture_goes_and_comes_anew() {
    let ward = ward_with_cards().await;
    ward.facebook
        .switch(|switches| switches.keeps_pictures = true);
    ward.warns("Có người giả danh công an gọi điện").await;
    let alert = ward.hears_on_the_wall().await;
    let code = check_code(&alert.text);
    ward.settles().await;
    ward.hears_all();
    ward.tells(
        &ward.officer,
        &format!("/dinhchinh {code} Kẻ gọi tự xưng cán bộ phường"),
    );
    let anew = ward.hears_on_the_wall().await;
    assert_ne!(anew.id, alert.id);
    assert!(anew.text.contains("cán bộ phường"));
    let shown = client().get(ward.url(&format!("/api/alerts/{code}-2.png")));
    let shown = shown.send().await.unwrap().bytes().await.unwrap();
    assert!(anew.picture.expect("a card").content == shown);
    ward.settles().await;
    let old = becomes(&ward, &alert.id, "").await;
    assert!(old.deleted, "the wrong card stands there still");
    ward.hears_all();
    // What comes after it is about the new post.
    ward.facebook
        .switch(|switches| switches.keeps_pictures = false);
    ward.tells(&ward.officer, &format!("/hetcanhbao {code}"));
    becomes(&ward, &anew.id, "HẾT CẢNH BÁO").await;
    ward.settles().await;
    ward.hears_all();
    ward.ends().await;
}

#[tokio::test]
async fn a_card_that_facebook_does_not_take_holds_no_alert_up() {
    let ward = ward_with_cards().await;
    ward.facebook
        .fault(Rule::always("/photos", Fault::Error(324, 2_069_019)));
    ward.warns("Có người giả danh công an gọi điện").await;
    let alert = ward.hears_on_the_wall().await;
    assert_eq!(alert.picture, None);
    ward.settles().await;
    ward.hears_all();
    assert_eq!(ward.deliveries().await[0].state.as_str(), "sent");
    ward.ends().await;
}

#[tokio::test]
async fn a_lost_answer_about_a_card_posts_nothing_twice() {
    let ward = ward_with_cards().await;
    ward.facebook
        .fault(Rule::once("/photos", Fault::CloseAfter));
    ward.facebook.fault(Rule::once("/feed", Fault::CloseAfter));
    ward.warns("Có người giả danh công an gọi điện").await;
    let alert = ward.hears_on_the_wall().await;
    assert!(alert.picture.is_some());
    ward.settles().await;
    ward.hears_all();
    assert_eq!(ward.deliveries().await[0].state.as_str(), "sent");
    let posts = ward.facebook.sent().into_iter();
    let posts = posts.filter(|sent| sent.place == Place::Wall);
    assert_eq!(posts.count(), 2, "the alert and what was there before");
    ward.ends().await;
}

#[tokio::test]
async fn a_correction_whose_answer_is_lost_is_made_until_it_is_known() {
    let ward = Ward::new().await;
    ward.warns("Có người giả danh công an gọi điện").await;
    let alert = ward.hears_on_the_wall().await;
    let code = check_code(&alert.text);
    ward.settles().await;
    ward.hears_all();
    let (_, number) = alert.id.split_once('_').unwrap();
    ward.facebook
        .fault(Rule::once(number, Fault::HtmlAfter(502)));
    ward.tells(
        &ward.officer,
        &format!("/dinhchinh {code} Kẻ gọi tự xưng cán bộ phường"),
    );
    ward.hears_under(&alert.id).await;
    ward.settles().await;
    ward.hears_all();
    let rows = ward.deliveries().await;
    assert!(
        rows.iter().all(|row| row.state.as_str() == "sent"),
        "{rows:#?}"
    );
    ward.ends().await;
}

#[tokio::test]
async fn a_correction_of_a_post_that_somebody_took_away_is_a_post_of_its_own() {
    let ward = Ward::new().await;
    ward.warns("Có người giả danh công an gọi điện").await;
    let alert = ward.hears_on_the_wall().await;
    let code = check_code(&alert.text);
    ward.facebook.remove(&alert.id);
    ward.settles().await;
    ward.hears_all();
    ward.tells(
        &ward.officer,
        &format!("/dinhchinh {code} Kẻ gọi tự xưng cán bộ phường"),
    );
    let anew = ward.hears_on_the_wall().await;
    assert!(anew.text.contains("cán bộ phường"));
    ward.settles().await;
    ward.hears_all();
    ward.ends().await;
}

#[tokio::test]
async fn a_post_whose_time_has_passed_says_so_and_can_still_be_answered() {
    let ward = ward_with_cards().await;
    ward.warns("Có người giả danh công an gọi điện").await;
    let alert = ward.hears_on_the_wall().await;
    ward.settles().await;
    ward.hears_all();
    ward.later(TimeDelta::hours(25));
    let over = becomes(&ward, &alert.id, "ĐÃ HẾT HIỆU LỰC từ").await;
    assert!(over.text.contains("giả danh công an"));
    assert_eq!(over.picture, alert.picture);
    let comment = ward.facebook.comment(&ward.lan, &alert.id, WHOLE);
    ward.hears_under(&comment).await;
    ward.record().await;
    ward.ends().await;
}
