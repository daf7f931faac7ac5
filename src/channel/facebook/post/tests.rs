//! Every call that the outbox can ask for, and every number that Meta answers with.

use serde_json::json;

use super::*;
use crate::domain::ids::AccountName;
use crate::domain::ids::RoomId;

const PAGE: &str = "1122334455667";

fn to(native: &str, thread: Option<&str>) -> Address {
    Address {
        room: RoomId::new(AccountName::parse("fb1").expect("a name"), native),
        thread: thread.map(str::to_owned),
        row: Some(DeliveryId(7)),
    }
}

fn words(text: &str) -> Post {
    Post {
        text: text.to_owned(),
        ..Post::default()
    }
}

fn made(to: &Address, post: &Post) -> (String, Value) {
    let request = request(to, post, None, PAGE).expect("a request");
    (request.path, request.body)
}

#[test]
fn words_go_where_they_belong() {
    let reply = |id: &str| Post {
        reply_to: Some(MessageId::from(id)),
        ..words("Đã ghi nhận")
    };
    let edit = Post {
        edits: Some(MessageId::from("1122334455667_901")),
        ..words("Đính chính")
    };
    let message = json!({"message": "Đã ghi nhận"});
    let cases = [
        (to(PAGE, None), words("Đã ghi nhận"), "1122334455667/feed"),
        (
            to(PAGE, Some("1122334455667_901")),
            words("Đã ghi nhận"),
            "1122334455667_901/comments",
        ),
        (
            to(PAGE, Some("1122334455667_901")),
            reply("901_903"),
            "901_903/comments",
        ),
        (
            to(PAGE, None),
            reply("1122334455667_901"),
            "1122334455667_901/comments",
        ),
    ];
    for (to, post, path) in cases {
        assert_eq!(made(&to, &post), (path.to_owned(), message.clone()));
    }
    let changed = request(&to(PAGE, None), &edit, None, PAGE).expect("a request");
    assert_eq!(changed.path, "1122334455667_901");
    assert_eq!(changed.edits, edit.edits);
}

#[test]
fn a_private_word_names_its_person_comment_or_post() {
    for (native, recipient) in [
        ("24031", json!({"id": "24031"})),
        ("reply:c:901_903", json!({"comment_id": "901_903"})),
        (
            "reply:p:1122334455667_5",
            json!({"post_id": "1122334455667_5"}),
        ),
    ] {
        let (path, body) = made(&to(native, None), &words("Chào bà con"));
        assert_eq!(path, "1122334455667/messages");
        assert_eq!(body["recipient"], recipient);
        assert_eq!(
            body["message"],
            json!({"text": "Chào bà con", "metadata": "keng:7"})
        );
        assert_eq!(body["messaging_type"], "RESPONSE");
    }
}

#[test]
fn buttons_are_quick_replies_with_labels_that_fit() {
    let post = Post {
        buttons: vec![vec![Button {
            label: "Gửi tới tất cả 1.204 nhóm".to_owned(),
            data: "a:ok:7F3A9K".to_owned(),
        }]],
        ..words("Xem trước")
    };
    let (_, body) = made(&to("24031", None), &post);
    let replies = json!([{"content_type": "text", "title": "Gửi tới tất cả 1.204", "payload": "a:ok:7F3A9K"}]);
    assert_eq!(body["message"]["quick_replies"], replies);
}

#[test]
fn no_id_leads_out_of_its_path() {
    for id in ["../me", "1?fields=x", "", "a b", "1/comments"] {
        let post = Post {
            reply_to: Some(MessageId::from(id)),
            ..words("x")
        };
        let made = request(&to(PAGE, None), &post, None, PAGE);
        assert!(matches!(made, Err(SendOutcome::Refused { .. })), "{id}");
    }
}

#[test]
fn a_template_takes_the_words_in_one_line() {
    let made = by_template(
        &to("24031", None),
        &words("Tin mã 7\nđã xong."),
        PAGE,
        "tra_loi",
    )
    .expect("it fits");
    assert_eq!(made.body["messaging_type"], "UTILITY");
    let template = &made.body["message"]["template"];
    assert_eq!(template["name"], "tra_loi");
    assert_eq!(
        template["components"][0]["parameters"][0]["text"],
        "Tin mã 7 đã xong."
    );
    assert_eq!(
        by_template(&to(PAGE, None), &words("x"), PAGE, "tra_loi"),
        None
    );
    let long = words(&"ạ".repeat(MAX_UTILITY + 1));
    assert_eq!(
        by_template(&to("24031", None), &long, PAGE, "tra_loi"),
        None
    );
}

fn answered(status: u16, body: &str) -> Answered {
    Answered {
        status,
        retry_after: Some(7),
        body: body.to_owned().into(),
    }
}

fn name(outcome: &SendOutcome) -> &'static str {
    match outcome {
        SendOutcome::Accepted(_) => "accepted",
        SendOutcome::SlowDown {
            whole_account: true,
            ..
        } => "slow down",
        SendOutcome::SlowDown { .. } => "later",
        SendOutcome::NotNow(_) => "not now",
        SendOutcome::Denied(_) => "denied",
        SendOutcome::Closed(_) => "closed",
        SendOutcome::Refused {
            room_gone: true, ..
        } => "gone",
        SendOutcome::Refused { .. } => "refused",
        SendOutcome::AccountRefused(_) => "account",
        SendOutcome::Moved(_) => "moved",
        SendOutcome::Unknown(_) => "unknown",
    }
}

#[test]
fn every_error_number_has_its_end() {
    let table = [
        (1, 0, "unknown"),
        (1, 99, "unknown"),
        (1, 1_357_046, "unknown"),
        (2, 0, "unknown"),
        (4, 0, "slow down"),
        (17, 0, "slow down"),
        (32, 0, "slow down"),
        (613, 0, "slow down"),
        (613, 1_893_016, "slow down"),
        (613, 2_534_040, "slow down"),
        (613, 2_018_338, "refused"),
        (80_001, 0, "later"),
        (80_006, 0, "later"),
        (10, 0, "account"),
        (10, 2_018_278, "closed"),
        (10, 2_534_022, "closed"),
        (10, 2_018_065, "closed"),
        (10, 2_018_108, "refused"),
        (10, 1_893_063, "later"),
        (10, 1_893_015, "refused"),
        (10, 1_404_170, "refused"),
        (100, 0, "refused"),
        (100, 33, "refused"),
        (100, 2_018_001, "gone"),
        (100, 2_018_008, "refused"),
        (100, 2_018_047, "refused"),
        (100, 2_018_074, "refused"),
        (100, 2_018_109, "refused"),
        (100, 2_018_294, "refused"),
        (100, 2_018_014, "refused"),
        (190, 0, "account"),
        (190, 458, "account"),
        (190, 459, "account"),
        (190, 460, "account"),
        (190, 463, "account"),
        (190, 464, "account"),
        (190, 467, "account"),
        (190, 492, "account"),
        (200, 0, "account"),
        (200, 2_018_028, "account"),
        (200, 1_545_041, "refused"),
        (230, 0, "account"),
        (299, 0, "account"),
        (551, 0, "refused"),
        (551, 1_545_041, "refused"),
        (10_900, 0, "refused"),
        (10_903, 0, "refused"),
        (10_904, 0, "refused"),
        (341, 0, "slow down"),
        (368, 0, "slow down"),
        (506, 0, "accepted"),
        (1_609_005, 0, "refused"),
        (1_705, 0, "account"),
        (2_018_300, 0, "not now"),
        (9_000_001, 0, "refused"),
        (99_999, 0, "denied"),
    ];
    for (code, subcode, end) in table {
        // The status says nothing: an error may come with 200.
        for status in [200, 400] {
            let body = format!(
                r#"{{"error":{{"message":"Some words","code":{code},"error_subcode":{subcode}}}}}"#
            );
            let outcome = outcome(&answered(status, &body), None).into_outcome();
            assert_eq!(name(&outcome), end, "{code}/{subcode}");
        }
    }
    let proof = r#"{"error":{"message":"(#100) API calls from the server require an appsecret_proof argument","code":100}}"#;
    assert_eq!(
        name(&outcome(&answered(400, proof), None).into_outcome()),
        "account"
    );
}

#[test]
fn answers_that_are_none_are_told_apart() {
    let done =
        |body: &str| outcome(&answered(200, body), Some(&MessageId::from("9"))).into_outcome();
    let id = |id: &str| SendOutcome::Accepted(Some(MessageId::from(id)));
    assert_eq!(
        done(r#"{"recipient_id":"1","message_id":"m_1"}"#),
        id("m_1")
    );
    assert_eq!(
        done(r#"{"id":"900767","post_id":"112_900767"}"#),
        id("112_900767")
    );
    assert_eq!(done(r#"{"id":9007199254740993}"#), id("9007199254740993"));
    assert_eq!(done(r#"{"success":"true"}"#), id("9"));
    for (status, body, end) in [
        (502, "<html>", "unknown"),
        (200, "<html>", "unknown"),
        (200, "", "unknown"),
        (429, "<html>", "slow down"),
        (404, "<html>", "not now"),
        (500, r#"{"error":{"code":77777,"message":"x"}}"#, "unknown"),
        (
            400,
            r#"{"error":{"code":77777,"message":"x","is_transient":true}}"#,
            "unknown",
        ),
    ] {
        let outcome = outcome(&answered(status, body), None).into_outcome();
        assert_eq!(name(&outcome), end, "{status} {body}");
    }
}

#[test]
fn a_person_is_called_for_what_only_a_person_can_mend() {
    for (code, subcode) in [
        (190, 460),
        (200, 0),
        (10, 0),
        (10, 1_893_063),
        (368, 0),
        (1_705, 0),
    ] {
        assert!(
            meaning(code, subcode, "x").alarm().is_some(),
            "{code}/{subcode}"
        );
    }
    assert!(meaning(100, 33, "x").alarm().is_none());
}

#[test]
fn a_picture_is_part_of_a_post_and_a_message_of_its_own() {
    let shown = |to: &Address, post: &Post| {
        let request = request(to, post, Some("9007"), PAGE).expect("a request");
        (request.path, request.body)
    };
    let media = json!([{"media_fbid": "9007"}]);
    let posted = shown(&to(PAGE, None), &words("Cẩn thận"));
    let body = json!({"message": "Cẩn thận", "attached_media": media});
    assert_eq!(posted, (format!("{PAGE}/feed"), body.clone()));
    let edit = Post {
        edits: Some(MessageId::from("1122334455667_901")),
        ..words("Cẩn thận")
    };
    let changed = shown(&to(PAGE, None), &edit);
    assert_eq!(changed, ("1122334455667_901".to_owned(), body));
    let (path, body) = shown(&to("24031", None), &words(""));
    assert_eq!(path, "1122334455667/messages");
    assert_eq!(
        body["message"]["attachment"],
        json!({"type": "image", "payload": {"attachment_id": "9007"}})
    );
    assert_eq!(body["message"]["text"], Value::Null);
}

#[test]
fn what_meta_calls_a_picture_is_read_and_a_refusal_is_no_silence() {
    let answered = |status: u16, body: &str| Answered {
        status,
        retry_after: None,
        body: body.to_owned().into(),
    };
    let wall = Upload::to(Place::Wall, PAGE);
    let chat = Upload::to(Place::Person("24031"), PAGE);
    assert_eq!(wall.name(&answered(200, r#"{"id":"7"}"#)), Ok("7".into()));
    assert_eq!(wall.name(&answered(200, r#"{"id":7}"#)), Ok("7".into()));
    let attachment = answered(200, r#"{"attachment_id":"8"}"#);
    assert_eq!(chat.name(&attachment), Ok("8".into()));
    for (status, body) in [
        (200, r#"{"success":true}"#),
        (502, "<html>"),
        (500, r#"{"error":{"code":1}}"#),
    ] {
        let outcome = wall.name(&answered(status, body));
        assert!(
            matches!(outcome, Err(SendOutcome::NotNow(_))),
            "{body}: {outcome:?}"
        );
    }
    let refused = wall.name(&answered(400, r#"{"error":{"code":100}}"#));
    assert!(matches!(refused, Err(SendOutcome::Refused { .. })));
}

#[test]
fn only_a_picture_that_is_told_to_be_another_is_another() {
    let shows = |id: &str| format!(r#"{{"data":[{{"target":{{"id":"{id}"}}}}]}}"#);
    assert!(shows_another(&shows("8"), "7"));
    assert!(!shows_another(&shows("7"), "7"));
    for nothing in ["{}", "no json", r#"{"data":[{}]}"#] {
        assert!(!shows_another(nothing, "7"));
    }
}
