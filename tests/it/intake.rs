//! What residents write, and what becomes of it.

use chrono::TimeDelta;
use keng::domain::ids::IncidentId;
use keng::domain::ids::MessageKey;
use keng::domain::incident::EventKind;
use keng::domain::incident::Missing;
use keng::domain::incident::Sensitivity;
use keng::domain::incident::Status;
use keng::domain::message::Attachment;
use keng::domain::reading::Category;
use keng::domain::room::RoomState;
use keng::sim::telegram::Options;
use serde_json::json;

use crate::support::Plan;
use crate::support::Ward;
use crate::support::Who;
use crate::support::code;
use crate::support::logged;
use crate::support::room;
use crate::support::stored_in;

/// Says what, where and when: no question is asked.
const WHOLE: &str = "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng nay";

/// Does not say where.
const PLACELESS: &str = "#tromcap mất xe Wave lúc 3h sáng nay";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_makes_a_record_and_a_receipt_with_its_code_and_nothing_of_the_matter() {
    let ward = Ward::new().await;
    let text = "#tromcap thằng Tuấn con bà Hoa lấy xe Wave 14B1-123.45 của tôi ở cổng chợ lúc 3h sáng nay, sđt nó 0900 000 123";
    let id = ward.lan.says(ward.five, text);
    let receipt = ward.hears_only(ward.five).await;
    let case = ward.record().await;
    assert_eq!(receipt.reply_to, Some(id));
    assert_eq!(code(&receipt.text), case.id.to_string());
    for word in ["Tuấn", "Hoa", "Wave", "14B1", "123", "0900", "chợ", "trộm"] {
        assert!(!receipt.text.contains(word), "{word} in {}", receipt.text);
    }
    assert_eq!(case.facts.primary, Category::Theft);
    assert_eq!(case.first().text, text);
    assert_eq!(case.first().message.to_string(), id.to_string());
    assert_eq!(case.area.to_string(), "06862/tan-truc-tung");
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_call_the_bot_makes_a_record() {
    let ward = Ward::new().await;
    let told = "mất xe Wave ở cổng chợ lúc 3h sáng nay";
    let mut receipts = Vec::new();
    for text in [
        format!("#tromcap {told}"),
        format!("/bao {told}"),
        format!("/bao@{} {told}", ward.town.bot_username()),
        format!("@{} {told}", ward.town.bot_username()),
    ] {
        let id = ward.lan.says(ward.five, &text);
        let receipt = ward.hears(ward.five).await;
        assert_eq!(receipt.reply_to, Some(id), "{text}: {}", receipt.text);
        receipts.push(receipt);
    }
    // A reply to the bot with a tag of its own kind is a new matter; in private no tag is needed.
    ward.lan.tells(told);
    receipts.push(ward.hears(ward.lan.home).await);
    let mut codes: Vec<_> = receipts.iter().map(|receipt| code(&receipt.text)).collect();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), 5, "{codes:?}");
    assert_eq!(ward.records().await.len(), 5);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_to_the_notice_of_the_bot_makes_a_record() {
    let ward = Ward::new().await;
    let notice = ward.town.sent(ward.five).remove(0);
    ward.lan
        .replies(&notice, "có trộm, mất xe Wave ở cổng chợ lúc 3h sáng nay");
    let answer = ward.hears_only(ward.five).await;
    assert!(answer.text.contains("Đã ghi nhận"), "{}", answer.text);
    assert_eq!(ward.record().await.facts.primary, Category::Theft);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_missing_place_is_asked_and_the_reply_completes_the_record() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, PLACELESS);
    let receipt = ward.hears_only(ward.five).await;
    assert!(receipt.text.contains("ở đâu"), "{}", receipt.text);
    assert!(!receipt.text.contains("lúc nào"), "{}", receipt.text);
    assert_eq!(ward.record().await.asked, Some(Missing::Place));
    ward.lan.replies(&receipt, "ngay ngã ba đầu làng ấy");
    let thanks = ward.hears_only(ward.five).await;
    assert_eq!(code(&thanks.text), code(&receipt.text));
    let case = ward.record().await;
    assert_eq!(case.asked, None);
    let place = case.facts.place.clone().unwrap();
    assert!(place.contains("ngã ba"), "{place}");
    assert_eq!(case.reports.len(), 2);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_private_the_next_words_answer_the_question() {
    let ward = Ward::new().await;
    ward.lan.tells(PLACELESS);
    let receipt = ward.hears_only(ward.lan.home).await;
    assert!(receipt.text.contains("ở đâu"), "{}", receipt.text);
    ward.lan.tells("cổng chợ Rộc");
    let thanks = ward.hears_only(ward.lan.home).await;
    assert_eq!(code(&thanks.text), code(&receipt.text));
    let case = ward.record().await;
    assert_eq!((case.asked, case.reports.len()), (None, 2));
    assert!(case.facts.place.as_deref().unwrap().contains("cổng chợ"));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_who_replies_to_the_receipt_adds_and_does_not_answer_for_the_reporter() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, PLACELESS);
    let receipt = ward.hears_only(ward.five).await;
    ward.minh
        .replies(&receipt, "tôi có thấy hai người lạ đi xe máy");
    ward.hears_only(ward.five).await;
    let case = ward.record().await;
    assert_eq!(case.reports.len(), 2);
    assert_eq!(case.asked, Some(Missing::Place));
    assert_eq!(case.facts.place, None);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thanks_in_reply_to_the_bot_are_not_answered() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    let receipt = ward.hears_only(ward.five).await;
    ward.lan.replies(&receipt, "cảm ơn nhé");
    ward.minh.replies(&receipt, "👍");
    ward.hears_nothing(ward.five).await;
    assert_eq!(ward.record().await.reports.len(), 1);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn editing_the_message_edits_the_record_without_another_word() {
    let ward = Ward::new().await;
    let id = ward.lan.says(ward.five, PLACELESS);
    let receipt = ward.hears_only(ward.five).await;
    assert!(receipt.text.contains("ở đâu"));
    ward.lan.edits(ward.five, id, WHOLE);
    ward.hears_nothing(ward.five).await;
    let case = ward.record().await;
    assert_eq!(case.first().text, WHOLE);
    assert!(case.facts.place.as_deref().unwrap().contains("cổng chợ"));
    assert_eq!(case.asked, None);
    assert!(
        case.timeline
            .iter()
            .any(|event| event.what == EventKind::Edited)
    );
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_adds_a_tag_makes_a_record_once() {
    let ward = Ward::new().await;
    let id = ward
        .lan
        .says(ward.five, "mất xe Wave ở cổng chợ lúc 3h sáng nay");
    ward.hears_nothing(ward.five).await;
    assert!(ward.records().await.is_empty());
    ward.lan.edits(ward.five, id, WHOLE);
    let receipt = ward.hears_only(ward.five).await;
    assert_eq!(receipt.reply_to, Some(id));
    ward.lan
        .edits(ward.five, id, &format!("{WHOLE}, xe màu đỏ"));
    ward.hears_nothing(ward.five).await;
    assert!(ward.record().await.first().text.ends_with("xe màu đỏ"));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_takes_the_tag_out_keeps_the_record() {
    let ward = Ward::new().await;
    let id = ward.lan.says(ward.five, WHOLE);
    ward.hears_only(ward.five).await;
    ward.lan
        .edits(ward.five, id, "mất xe Wave ở cổng chợ lúc 4h sáng nay");
    ward.hears_nothing(ward.five).await;
    let case = ward.record().await;
    assert_eq!(case.status, Status::New);
    assert_eq!(case.facts.primary, Category::Theft);
    assert!(case.first().text.starts_with("mất xe"));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rut_takes_a_report_back_for_its_owner_and_tells_a_stranger_nothing() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    let code = code(&ward.hears_only(ward.five).await.text);
    ward.minh.says(ward.five, &format!("/rut {code}"));
    let refused = ward.hears_only(ward.five).await;
    ward.minh.says(ward.five, "/rut 999999999");
    let unknown = ward.hears_only(ward.five).await;
    assert_eq!(refused.text, unknown.text);
    assert_eq!(ward.record().await.status, Status::New);
    ward.lan.says(ward.five, &format!("/rut {code}"));
    let done = ward.hears_only(ward.five).await;
    assert!(done.text.contains("Đã rút"), "{}", done.text);
    assert_eq!(ward.record().await.status, Status::Withdrawn);
    // An edit of what was taken back does not bring it back, nor do its words lead anywhere else.
    ward.lan.says(ward.five, "/rut");
    let which = ward.hears_only(ward.five).await;
    assert!(which.text.contains("/rut 1204"), "{}", which.text);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_that_take_it_back_in_reply_do_so() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    let receipt = ward.hears_only(ward.five).await;
    ward.minh
        .replies(&receipt, "tôi báo nhầm, cho tôi rút lại tin");
    let refused = ward.hears_only(ward.five).await;
    assert!(refused.text.contains("Không tìm thấy"), "{}", refused.text);
    assert_eq!(ward.record().await.status, Status::New);
    ward.lan
        .replies(&receipt, "tôi báo nhầm, cho tôi rút lại tin");
    let done = ward.hears_only(ward.five).await;
    assert!(done.text.contains("Đã rút"), "{}", done.text);
    assert_eq!(ward.record().await.status, Status::Withdrawn);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_edited_into_a_withdrawal_stays_tied_to_its_case() {
    let ward = Ward::new().await;
    let id = ward.lan.says(ward.five, WHOLE);
    ward.hears_only(ward.five).await;
    ward.lan
        .edits(ward.five, id, "tôi báo nhầm, xin rút lại tin");
    ward.hears_only(ward.five).await;
    let case = ward.record().await;
    assert_eq!(case.status, Status::Withdrawn);
    let key = MessageKey {
        room: room(ward.five),
        message: case.first().message.clone(),
    };
    assert_eq!(ward.store().seen(&key).await.unwrap(), Some(Some(case.id)));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_cases_are_listed_in_private_and_only_own_ones() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    let lan = code(&ward.hears_only(ward.five).await.text);
    ward.minh
        .says(ward.five, "#danhnhau ở ngõ 12 lúc 20h tối qua");
    let minh = code(&ward.hears_only(ward.five).await.text);
    ward.lan.says(ward.five, "/cuatoi");
    let public = ward.hears_only(ward.five).await;
    assert!(!public.text.contains(&lan), "{}", public.text);
    for words in ["/cuatoi", "/của tôi", "cuatoi"] {
        ward.lan.tells(words);
        let own = ward.hears_only(ward.lan.home).await;
        assert!(own.text.contains(&format!("Mã {lan}:")), "{}", own.text);
        assert!(!own.text.contains(&format!("Mã {minh}:")), "{}", own.text);
    }
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xoa_erases_the_words_of_its_owner_for_good() {
    let ward = Ward::new().await;
    let id = ward.lan.says(ward.five, WHOLE);
    let code = code(&ward.hears_only(ward.five).await.text);
    ward.minh.tells(&format!("/xoa {code}"));
    let refused = ward.hears_only(ward.minh.home).await;
    assert!(refused.text.contains("Không tìm thấy"), "{}", refused.text);
    ward.lan.tells(&format!("/xoa {code}"));
    let done = ward.hears_only(ward.lan.home).await;
    assert!(done.text.starts_with("Đã xoá"), "{}", done.text);
    let case = ward.record().await;
    assert_eq!(case.first().text, "");
    assert_eq!(case.first().reporter, None);
    assert_eq!(case.facts.place, None);
    // A link preview that comes late is an edit to Telegram; it must not bring the words back.
    ward.lan.edits(ward.five, id, &format!("{WHOLE}!"));
    ward.hears_nothing(ward.five).await;
    assert_eq!(ward.record().await.first().text, "");
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_event_told_by_two_people_is_one_case_that_counts_them() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, "#danhnhau ở ngõ 12 vừa xong");
    let first = ward.hears_only(ward.five).await;
    ward.minh
        .says(ward.five, "#danhnhau đang đánh nhau ở ngõ 12, đông lắm");
    let second = ward.hears_only(ward.five).await;
    assert_eq!(code(&first.text), code(&second.text));
    assert!(second.text.contains("2 người đã báo"), "{}", second.text);
    let case = ward.record().await;
    assert_eq!(case.reports.len(), 2);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_in_one_batch_are_one_case_too() {
    let ward = Ward::new().await;
    ward.town.hold_updates(true);
    ward.lan
        .says(ward.five, "#danhnhau ở ngõ 12 lúc 20h tối nay");
    ward.minh
        .says(ward.five, "#danhnhau ở ngõ 12 lúc 20h tối nay");
    ward.town.hold_updates(false);
    ward.hears(ward.five).await;
    ward.hears(ward.five).await;
    assert_eq!(ward.record().await.reports.len(), 2);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fights_in_two_alleys_are_two_cases() {
    let ward = Ward::new().await;
    ward.lan
        .says(ward.five, "#danhnhau ở ngõ 12 lúc 20h tối nay");
    ward.hears_only(ward.five).await;
    ward.minh
        .says(ward.five, "#danhnhau ở ngõ 14 lúc 20h tối nay");
    ward.hears_only(ward.five).await;
    assert_eq!(ward.records().await.len(), 2);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_person_telling_twice_makes_two_cases() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    ward.hears_only(ward.five).await;
    ward.lan.says(ward.five, WHOLE);
    ward.hears_only(ward.five).await;
    assert_eq!(ward.records().await.len(), 2);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_kind_in_a_group_is_asked_nothing_in_public() {
    let ward = Ward::new().await;
    ward.lan
        .says(ward.five, "#matuy có nhóm hay tụ tập chích hút");
    let receipt = ward.hears_only(ward.five).await;
    assert!(receipt.text.contains("nhắn riêng"), "{}", receipt.text);
    assert!(!receipt.text.contains('?'), "{}", receipt.text);
    let case = ward.record().await;
    assert_eq!(case.sensitivity, Sensitivity::Private);
    // In private the same is asked.
    ward.minh.tells("#matuy có nhóm hay tụ tập chích hút");
    let asked = ward.hears_only(ward.minh.home).await;
    assert!(asked.text.contains("ở đâu"), "{}", asked.text);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looks_for_a_child_is_not_told_to_take_the_notice_away() {
    let ward = Ward::new().await;
    ward.lan.says(
        ward.five,
        "#timtrelac cháu Bin 6 tuổi đi lạc từ 9h sáng nay, ai thấy gọi bố cháu 0900 000 188",
    );
    let receipt = ward.hears_only(ward.five).await;
    assert!(!receipt.text.contains("xoá"), "{}", receipt.text);
    assert!(receipt.text.contains("ở đâu"), "{}", receipt.text);
    assert!(!receipt.text.contains("0900"), "{}", receipt.text);
    let case = ward.record().await;
    assert_eq!(case.sensitivity, Sensitivity::Open);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_album_is_one_record_with_all_its_photos() {
    let ward = Ward::new().await;
    let ids = ward.town.album(ward.lan.person, ward.five, WHOLE, 4);
    let receipt = ward.hears_only(ward.five).await;
    assert_eq!(receipt.reply_to, ids.first().copied());
    assert_eq!(ward.record().await.first().attachments.len(), 4);
    // Told again, nothing is added twice.
    ward.town.repeat_updates(4);
    ward.hears_nothing(ward.five).await;
    assert_eq!(ward.record().await.first().attachments.len(), 4);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_album_without_a_tag_is_not_stored() {
    let ward = Ward::new().await;
    ward.town
        .album(ward.lan.person, ward.five, "ảnh đám cưới hôm qua", 3);
    ward.hears_nothing(ward.five).await;
    assert!(ward.records().await.is_empty());
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_photo_is_kept_by_reference_with_its_caption() {
    let ward = Ward::new().await;
    ward.town.photo(ward.lan.person, ward.five, WHOLE);
    ward.hears_only(ward.five).await;
    let case = ward.record().await;
    assert_eq!(case.first().text, WHOLE);
    assert!(matches!(
        case.first().attachments.as_slice(),
        [Attachment::Photo(_)]
    ));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_location_in_private_answers_where() {
    let ward = Ward::new().await;
    ward.lan.tells(PLACELESS);
    let receipt = ward.hears_only(ward.lan.home).await;
    assert!(receipt.text.contains("ở đâu"));
    ward.town
        .location(ward.lan.person, ward.lan.home, 21.05, 107.36);
    let thanks = ward.hears_only(ward.lan.home).await;
    assert_eq!(code(&thanks.text), code(&receipt.text));
    let case = ward.record().await;
    assert_eq!(case.asked, None);
    let places = case.reports.iter().flat_map(|report| &report.attachments);
    assert_eq!(
        places
            .filter(|one| matches!(one, Attachment::Location { .. }))
            .count(),
        1
    );
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_location_in_a_group_is_nobodys_business() {
    let ward = Ward::new().await;
    ward.town
        .location(ward.lan.person, ward.five, 21.05, 107.36);
    ward.hears_nothing(ward.five).await;
    assert!(ward.records().await.is_empty());
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_forum_the_receipt_stays_in_its_topic() {
    let ward = Ward::new().await;
    let forum = ward.town.add_forum("Khu phố mới");
    let topic = ward.town.add_topic(forum, ward.lan.person, "An ninh");
    ward.town.join_bot(forum);
    ward.hears(forum).await;
    ward.town
        .say_in_topic(ward.lan.person, forum, topic, PLACELESS);
    let receipt = ward.hears_only(forum).await;
    assert_eq!(receipt.thread, Some(topic));
    // In a topic every message formally replies to its first one: chatter there is still chatter.
    ward.town
        .say_in_topic(ward.minh.person, forum, topic, "trời hôm nay nóng quá");
    ward.hears_nothing(forum).await;
    let case = ward.record().await;
    assert_eq!(
        case.first().thread.as_deref(),
        Some(topic.to_string().as_str())
    );
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_anonymous_administrator_reports_without_a_name_and_commands_nothing() {
    let ward = Ward::new().await;
    ward.town.say_anonymously(ward.five, None, WHOLE);
    let receipt = ward.hears_only(ward.five).await;
    let case = ward.record().await;
    assert_eq!(case.first().reporter, None);
    ward.town
        .say_anonymously(ward.five, None, &format!("/rut {}", code(&receipt.text)));
    let refused = ward.hears_only(ward.five).await;
    assert!(refused.text.contains("Không tìm thấy"), "{}", refused.text);
    ward.town
        .say_anonymously(ward.five, None, "/canhbao nước lên");
    let unknown = ward.hears_only(ward.five).await;
    assert!(
        unknown.text.starts_with("Lệnh này không dùng được"),
        "{}",
        unknown.text
    );
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_bots_are_ignored() {
    let ward = Ward::new().await;
    ward.town.inject_raw(json!({"message": {
        "message_id": 900_001, "date": ward.town.date(),
        "chat": {"id": ward.five.id, "type": "supergroup", "title": "Tổ dân phố 5"},
        "from": {"id": 4242, "is_bot": true, "first_name": "Bot khác"},
        "text": WHOLE,
    }}));
    ward.hears_nothing(ward.five).await;
    assert!(ward.records().await.is_empty());
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_addressed_is_neither_stored_nor_logged() {
    let mut ward = Ward::on_disk().await;
    let chatter = [
        "bún riêu nhà chị Thoa 7391 ngon tuyệt",
        "ai mất xe đạp 8462 ở sân đình thì ra nhận",
        "họp phụ huynh lúc 7h tối mai 5173 nhé cả nhà",
    ];
    for text in chatter {
        ward.lan.says(ward.five, text);
    }
    let id = ward.minh.says(ward.five, "sửa lại một câu 6284 thôi");
    ward.minh.edits(ward.five, id, "sửa lần nữa 6284 cho vui");
    ward.town
        .photo(ward.minh.person, ward.ha, "ảnh cây đa 9517 đầu làng");
    ward.lan.says(ward.five, WHOLE);
    ward.hears_only(ward.five).await;
    ward.stops().await;
    assert!(stored_in(&ward.store_dir(), "cổng chợ"), "the search works");
    for word in ["7391", "8462", "5173", "6284", "9517", "Thoa", "cây đa"] {
        assert!(!stored_in(&ward.store_dir(), word), "{word} is stored");
    }
    for text in chatter.iter().chain(&[
        "sửa lại một câu 6284",
        "sửa lần nữa 6284",
        "cây đa 9517",
        WHOLE,
    ]) {
        assert!(!logged(text), "{text} is logged");
    }
    ward.starts().await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_becomes_a_supergroup_keeps_its_binding_its_alias_and_its_waiting_rows() {
    let ward = Ward::new().await;
    ward.lan.says(ward.ha, PLACELESS);
    let receipt = ward.hears_only(ward.ha).await;
    let new = ward.town.migrate(ward.ha).unwrap();
    ward.until("the room moves", async || {
        ward.room(ward.ha)
            .await
            .is_some_and(|old| old.state == RoomState::Moved(room(new)))
    })
    .await;
    let moved = ward.room(new).await.unwrap();
    assert_eq!(moved.state, RoomState::Active);
    assert_eq!(moved.area.unwrap().to_string(), "06862/thon-ha");
    assert_eq!(moved.title, "Hội nhóm thôn Hạ");
    // The move is told twice, from both sides; no second notice.
    ward.hears_nothing(new).await;
    // A report in the new room is of the old village, and an alert reaches it once.
    ward.minh.says(new, "#danhnhau ở ngõ 12 lúc 20h tối nay");
    ward.hears_only(new).await;
    assert!(
        ward.records()
            .await
            .iter()
            .all(|case| case.area.to_string() == "06862/thon-ha")
    );
    let preview = ward.drafts("Nước lên nhanh, bà con thôn Hạ chú ý").await;
    assert!(preview.text.contains("2 nhóm"), "{}", preview.text);
    ward.officer.presses(&preview, "Gửi");
    let alert = ward.hears(new).await;
    assert!(alert.text.contains("Nước lên nhanh"));
    ward.hears(ward.five).await;
    let progress = ward
        .hears_where(ward.officer.home, |sent| sent.text.contains("cả 2 nhóm"))
        .await;
    assert!(progress.text.contains("đã gửi xong"));
    // The question of the old room is still the reporter's: its receipt was carried along.
    assert!(receipt.text.contains("ở đâu"));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_wait_for_a_group_find_it_under_its_new_id() {
    let ward = Ward::new().await;
    let chat = ward.ha;
    ward.town
        .flood_wait(Some(chat), std::time::Duration::from_secs(2));
    ward.lan.says(chat, WHOLE);
    ward.until("the case is there", async || {
        !crate::support::all_incidents(ward.store().as_ref())
            .await
            .is_empty()
    })
    .await;
    let new = ward.town.migrate(chat).unwrap();
    let receipt = ward.hears(new).await;
    assert!(receipt.text.contains("Đã ghi nhận"), "{}", receipt.text);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_puts_the_bot_out_is_marked_and_greeted_when_it_takes_it_back() {
    let ward = Ward::new().await;
    ward.town.kick_bot(ward.five);
    ward.until("the room is removed", async || {
        ward.room(ward.five).await.unwrap().state == RoomState::Removed
    })
    .await;
    let preview = ward.drafts("Nước lên nhanh").await;
    assert!(preview.text.contains("bị đưa ra"), "{}", preview.text);
    assert!(preview.text.contains("Gửi đến 1 nhóm"), "{}", preview.text);
    ward.officer.tells("huỷ");
    ward.hears(ward.officer.home).await;
    ward.town.join_bot(ward.five);
    let notice = ward.hears_only(ward.five).await;
    assert!(notice.text.starts_with("Chào bà con"), "{}", notice.text);
    let room = ward.room(ward.five).await.unwrap();
    assert_eq!(room.state, RoomState::Active);
    assert!(room.area.is_some());
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bot_introduces_itself_once_and_not_again_when_it_is_promoted() {
    let ward = Ward::new().await;
    ward.town.promote_bot(ward.five);
    ward.hears_nothing(ward.five).await;
    assert_eq!(ward.room(ward.five).await.unwrap().sees_all, Some(true));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_privacy_mode_the_notice_asks_to_be_made_administrator() {
    let ward = Ward::with(Plan {
        town: Options {
            privacy_mode: true,
            ..Options::default()
        },
        joins: false,
        ..Plan::default()
    })
    .await;
    ward.town.join_bot(ward.five);
    let notice = ward.hears_only(ward.five).await;
    assert!(notice.text.contains("quản trị viên"), "{}", notice.text);
    ward.lan.says(ward.five, WHOLE);
    ward.hears_nothing(ward.five).await;
    ward.lan
        .says(ward.five, "/bao mất xe Wave ở cổng chợ lúc 3h sáng nay");
    ward.hears_only(ward.five).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_forgotten_after_its_time() {
    let ward = Ward::new().await;
    ward.lan.tells(PLACELESS);
    ward.hears_only(ward.lan.home).await;
    // Somewhat late, the words are an addition, and no answer.
    ward.later(TimeDelta::minutes(31));
    ward.lan.tells("ngay cổng chợ Rộc nhé");
    let answer = ward.hears_only(ward.lan.home).await;
    assert!(answer.text.contains("Đã ghi thêm"), "{}", answer.text);
    assert_eq!(ward.record().await.reports.len(), 2);
    // Hours later nobody can tell what they are about.
    ward.later(TimeDelta::hours(3));
    ward.lan.tells("ở cổng chợ Rộc");
    let answer = ward.hears_only(ward.lan.home).await;
    assert!(answer.text.contains("muốn báo việc gì"), "{}", answer.text);
    assert_eq!(ward.record().await.reports.len(), 2);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_answered_by_nobody_goes_to_the_village_it_names_or_the_commune() {
    let ward = Ward::new().await;
    ward.lan
        .tells("#tromcap mất xe Wave ở cổng thôn Hạ lúc 3h sáng nay");
    ward.hears_only(ward.lan.home).await;
    assert_eq!(ward.record().await.area.to_string(), "06862/thon-ha");
    // Before the villages were merged it had another name.
    ward.minh
        .tells("#danhnhau ở nhà văn hoá Hạ Long Tiên lúc 20h tối nay");
    ward.hears_only(ward.minh.home).await;
    let newest = ward.records().await.pop().unwrap();
    assert_eq!(newest.area.to_string(), "06862/thon-ha");
    ward.minh.tells("#danhnhau ở ngõ 12 lúc 21h tối nay");
    ward.hears_only(ward.minh.home).await;
    let newest = ward.records().await.pop().unwrap();
    assert_eq!(newest.area.to_string(), "06862");
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_and_a_bare_bao_say_how_to_report() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, "/trogiup");
    let help = ward.hears_only(ward.five).await;
    assert!(help.text.contains("/bao"), "{}", help.text);
    ward.lan.says(ward.five, "/bao");
    let asked = ward.hears_only(ward.five).await;
    assert!(asked.text.contains("muốn báo việc gì"), "{}", asked.text);
    ward.town.start_private(ward.lan.person);
    let greeting = ward.hears_only(ward.lan.home).await;
    assert!(
        greeting.text.contains(&ward.lan.person.id.to_string()),
        "{}",
        greeting.text
    );
    assert!(ward.records().await.is_empty());
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_a_bare_bao_is_a_report() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, "/bao");
    let asked = ward.hears_only(ward.five).await;
    ward.lan
        .replies(&asked, "mất xe Wave ở cổng chợ lúc 3h sáng nay");
    let receipt = ward.hears_only(ward.five).await;
    assert!(receipt.text.contains("Đã ghi nhận"), "{}", receipt.text);
    assert_eq!(ward.record().await.facts.primary, Category::Theft);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_told_again_by_the_platform_is_recorded_once() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    ward.hears_only(ward.five).await;
    ward.town.repeat_updates(1);
    ward.hears_nothing(ward.five).await;
    assert!(ward.record().await.id > IncidentId(0));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_written_into_the_config_later_holds_for_a_group_known_before() {
    let mut ward = Ward::with(Plan {
        sled: true,
        bound: false,
        ..Plan::default()
    })
    .await;
    assert_eq!(ward.room(ward.five).await.unwrap().area, None);
    ward.stops().await;
    let (five, ha) = (ward.five.id, ward.ha.id);
    ward.rewrites_config(|config| {
        format!(
            "{config}[[room]]\naccount = \"tg1\"\nnative = \"{five}\"\narea = \"06862/tan-truc-tung\"\n\
             [[room]]\naccount = \"tg1\"\nnative = \"{ha}\"\narea = \"06862/thon-ha\"\n"
        )
    });
    ward.starts().await;
    let preview = ward.drafts("Nước lên nhanh").await;
    assert!(preview.text.contains("Gửi đến 2 nhóm"), "{}", preview.text);
    ward.officer.tells("huỷ");
    ward.hears(ward.officer.home).await;
    ward.lan.says(ward.five, WHOLE);
    ward.hears_only(ward.five).await;
    assert_eq!(ward.record().await.area.to_string(), "06862/tan-truc-tung");
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ganthon_binds_a_group_only_for_the_administrator() {
    let ward = Ward::with(Plan {
        bound: false,
        ..Plan::default()
    })
    .await;
    for who in [&ward.lan, &ward.officer, &ward.head] {
        who.says(ward.five, "/ganthon tan-truc-tung");
        let refused = ward.hears_only(ward.five).await;
        assert!(
            refused.text.starts_with("Lệnh này không dùng được"),
            "{}",
            refused.text
        );
    }
    ward.admin.says(ward.five, "/ganthon Tân Trúc Tùng");
    let done = ward.hears_only(ward.five).await;
    assert!(done.text.contains("từ nay thuộc"), "{}", done.text);
    let area = ward.room(ward.five).await.unwrap().area.unwrap();
    assert_eq!(area.to_string(), "06862/tan-truc-tung");
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_accounts_of_people_are_kept_apart() {
    let ward = Ward::new().await;
    let hoa = Who::of(&ward.town, "Vũ Thị Hoa");
    hoa.says(ward.five, WHOLE);
    let receipt = ward.hears_only(ward.five).await;
    let case = ward.record().await;
    let key = case.first().reporter.unwrap();
    let identity = ward.store().identity(&key).await.unwrap().unwrap();
    assert_eq!(identity.native, hoa.person.id.to_string());
    assert!(!format!("{case:?}").contains(&hoa.person.id.to_string()));
    assert!(!receipt.text.contains("Hoa"));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_words_without_a_slash_are_a_command_in_private_and_nothing_in_a_group() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    let lan = code(&ward.hears_only(ward.five).await.text);
    for words in ["của tôi", "Cua toi", "CỦA TÔI."] {
        ward.lan.tells(words);
        let own = ward.hears_only(ward.lan.home).await;
        assert!(own.text.contains(&format!("Mã {lan}:")), "{}", own.text);
    }
    for words in ["trợ giúp", "tro giup", "Trợ giúp!"] {
        ward.lan.tells(words);
        let help = ward.hears_only(ward.lan.home).await;
        assert!(help.text.contains("/cuatoi"), "{}", help.text);
    }
    for words in ["tổng hợp", "tong hop hom nay", "Tổng hợp hôm nay"] {
        ward.head.tells(words);
        let digest = ward.hears_only(ward.head.home).await;
        assert!(
            digest.text.contains(&format!("• {lan}: ")),
            "{}",
            digest.text
        );
        ward.head.says(ward.five, words);
        ward.hears_nothing(ward.five).await;
    }
    for words in ["của tôi", "trợ giúp", "rút 1204", "kiểm tra 7F3A9K"] {
        ward.lan.says(ward.five, words);
        ward.hears_nothing(ward.five).await;
    }
    ward.head.says(
        ward.five,
        &format!("@{} tổng hợp", ward.town.bot_username()),
    );
    let digest = ward.hears_only(ward.five).await;
    assert!(digest.text.starts_with("TỔNG HỢP"), "{}", digest.text);
    ward.lan.tells(&format!("rút tin {lan}"));
    let done = ward.hears_only(ward.lan.home).await;
    assert!(done.text.contains("Đã rút"), "{}", done.text);
    assert_eq!(ward.record().await.status, Status::Withdrawn);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_begins_like_a_command_of_the_staff_is_a_report() {
    let ward = Ward::new().await;
    ward.lan
        .tells("cảnh báo có kẻ lạ vào trộm chó ở ngõ 12 lúc 3h sáng nay");
    let receipt = ward.hears_only(ward.lan.home).await;
    assert!(receipt.text.contains("Đã ghi nhận"), "{}", receipt.text);
    // The same words of an officer are a draft.
    ward.officer.tells("cảnh báo nước lên nhanh");
    let preview = ward.hears_only(ward.officer.home).await;
    assert!(preview.text.starts_with("CHƯA GỬI"), "{}", preview.text);
    assert_eq!(ward.record().await.facts.primary, Category::Theft);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_report_filed_under_a_named_village_is_found_by_what_is_said_next() {
    let ward = Ward::new().await;
    ward.lan
        .tells("#tromcap mất xe Wave ở cổng thôn Hạ lúc 3h sáng nay");
    let receipt = ward.hears_only(ward.lan.home).await;
    assert_eq!(ward.record().await.area.to_string(), "06862/thon-ha");
    // An addition, a correction, and the withdrawal, none of which names the village.
    for (words, reports) in [
        ("biển 14B1-123.45 ạ", 2),
        ("đính chính biển là 14B1-123.46", 3),
    ] {
        ward.lan.tells(words);
        let added = ward.hears_only(ward.lan.home).await;
        assert!(added.text.contains("Đã ghi thêm"), "{}", added.text);
        assert_eq!(code(&added.text), code(&receipt.text));
        assert_eq!(ward.record().await.reports.len(), reports);
    }
    ward.lan.tells("tôi báo nhầm, tìm thấy xe rồi, cho rút lại");
    let done = ward.hears_only(ward.lan.home).await;
    assert!(done.text.contains("Đã rút"), "{}", done.text);
    assert_eq!(ward.record().await.status, Status::Withdrawn);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_that_take_back_what_nobody_told_open_no_case() {
    let ward = Ward::new().await;
    ward.lan.says(ward.five, WHOLE);
    ward.hears_only(ward.five).await;
    // Not for the bot at all.
    for words in [
        "tìm thấy xe rồi",
        "tìm thấy xe rồi nhé mọi người",
        "rút lại",
    ] {
        ward.minh.says(ward.five, words);
        ward.hears_nothing(ward.five).await;
    }
    for words in ["#tromcap tìm thấy xe rồi nhé", "#tromcap báo nhầm, rút lại"] {
        ward.minh.says(ward.five, words);
        let answer = ward.hears_only(ward.five).await;
        assert!(answer.text.contains("/rut kèm mã"), "{}", answer.text);
    }
    ward.minh.tells("cho tôi rút lại tin");
    let answer = ward.hears_only(ward.minh.home).await;
    assert!(answer.text.contains("/rut kèm mã"), "{}", answer.text);
    assert_eq!(ward.record().await.status, Status::New);
    // Changed into a report, the same message is one.
    let id = ward.minh.says(ward.ha, "#tromcap tìm thấy xe rồi nhé");
    ward.hears_only(ward.ha).await;
    ward.minh.edits(ward.ha, id, WHOLE);
    let receipt = ward.hears_only(ward.ha).await;
    assert!(receipt.text.contains("Đã ghi nhận"), "{}", receipt.text);
    assert_eq!(ward.records().await.len(), 2);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_tells_colleagues_in_private_what_else_they_may_do() {
    let ward = Ward::new().await;
    for (who, tells, hides) in [
        (&ward.lan, "/cuatoi", "/tonghop"),
        (&ward.head, "/tonghop", "/canhbao"),
        (&ward.officer, "/canhbao", "/moi"),
        (&ward.admin, "/moi", "???"),
    ] {
        who.tells("/trogiup");
        let help = ward.hears_only(who.home).await;
        assert!(help.text.contains(tells), "{}", help.text);
        assert!(!help.text.contains(hides), "{}", help.text);
    }
    ward.admin.says(ward.five, "/trogiup");
    let help = ward.hears_only(ward.five).await;
    assert!(!help.text.contains("/moi"), "{}", help.text);
    ward.ends().await;
}
