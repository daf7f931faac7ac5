//! Calls of every kind. The shapes are those that Meta's pages and the fixtures of public SDKs show.

use serde_json::Value;
use serde_json::json;

use super::*;

const PAGE: &str = "1122334455667";

fn told(body: &str) -> Told {
    let account = AccountName::parse("fb1").expect("a name");
    let ours = |_: &AccountName, id: &str| last_part(id) == "777";
    let reader = |page: Option<&str>| {
        let is_ours = page.is_none_or(|page| page == PAGE);
        is_ours.then_some(Reader {
            account: &account,
            page: PAGE,
            ours: &ours,
        })
    };
    call(body, reader).expect("a call")
}

fn read(body: &Value) -> Vec<Inbound> {
    told(&body.to_string()).inbound
}

/// One change of the wall.
fn change(value: Value) -> Vec<Inbound> {
    read(
        &json!({"object": "page", "entry": [{"id": PAGE, "time": 1_790_000_000, "changes": [{"field": "feed", "value": value}]}]}),
    )
}

/// One event of somebody's chat.
fn chat(event: Value) -> Vec<Inbound> {
    let mut event = event;
    event["sender"] = json!({"id": "24031"});
    event["recipient"] = json!({"id": PAGE});
    event["timestamp"] = json!(1_790_000_000_123_i64);
    read(
        &json!({"object": "page", "entry": [{"id": PAGE, "time": 1_790_000_000_123_i64, "messaging": [event]}]}),
    )
}

fn said(told: Vec<Inbound>) -> Message {
    let mut said = told.into_iter().filter_map(|inbound| match inbound {
        Inbound::Said(message) | Inbound::Edited(message) => Some(message),
        _ => None,
    });
    said.next().expect("somebody said something")
}

fn kind(inbound: &Inbound) -> &'static str {
    match inbound {
        Inbound::Said(_) => "said",
        Inbound::Edited(_) => "edited",
        Inbound::Pressed(_) => "pressed",
        Inbound::Echo { .. } => "echo",
        Inbound::Deleted { .. } => "deleted",
        Inbound::Opened { .. } => "opened",
        Inbound::Unread(_) => "unread",
        Inbound::NotUnderstood { .. } => "not_understood",
        Inbound::Joined { .. }
        | Inbound::Removed { .. }
        | Inbound::Moved { .. }
        | Inbound::Met { .. } => "never here",
    }
}

#[test]
fn every_known_call_becomes_what_it_is() {
    let raw = include_str!("../../../../tests/fixtures/facebook/webhooks.jsonl");
    for line in raw.lines() {
        let line: Value = serde_json::from_str(line).expect("a line");
        let kinds: Vec<_> = read(&line["body"]).iter().map(kind).collect();
        assert_eq!(json!(kinds), line["becomes"], "{}", line["about"]);
    }
}

#[test]
fn a_comment_is_in_the_wall_under_its_post_and_can_be_answered_aside() {
    let message = said(change(json!({
        "from": {"id": "24031", "name": "Nguyễn Thị Lan"}, "item": "comment", "verb": "add",
        "comment_id": "901_903", "post_id": format!("{PAGE}_901"), "parent_id": format!("{PAGE}_901"),
        "created_time": 1_790_000_000, "message": "#tromcap mất xe ở cổng chợ",
    })));
    assert_eq!(&*message.room.native, PAGE);
    assert_eq!(message.room_kind, RoomKind::Group);
    assert_eq!(message.id, MessageId::from("901_903"));
    assert_eq!(message.thread.as_deref(), Some("1122334455667_901"));
    assert_eq!(
        message.reply_to, None,
        "a comment under a post answers nobody"
    );
    let aside = message.aside.expect("its author can be answered alone");
    assert_eq!(&*aside.native, "reply:c:901_903");
    assert_eq!(message.sent_at.timestamp(), 1_790_000_000);
    let person = Sender::Person {
        native: "24031".to_owned(),
        name: "Nguyễn Thị Lan".to_owned(),
    };
    assert_eq!(message.sender, person);
}

#[test]
fn a_reply_knows_whose_comment_it_answers() {
    let reply = |parent: &str| {
        said(change(json!({
            "from": {"id": "24031"}, "item": "comment", "verb": "add", "comment_id": "901_950",
            "post_id": format!("{PAGE}_901"), "parent_id": parent, "message": "ở cổng chợ",
        })))
        .reply_to
    };
    assert!(reply("901_777").expect("an answer").to_bot);
    assert!(!reply("901_903").expect("an answer").to_bot);
    // The post's id without the Page in front is still the post.
    assert_eq!(reply("901"), None);
}

#[test]
fn ids_may_be_numbers_and_times_of_either_unit() {
    let message = said(change(json!({
        "from": {"id": 18_446_744_073_709_551_000_u64}, "item": "post", "verb": "add",
        "post_id": format!("{PAGE}_5"), "created_time": 1_790_000_000_123_i64, "message": "#chay",
    })));
    assert_eq!(message.sent_at.timestamp_millis(), 1_790_000_000_123);
    let Sender::Person { native, .. } = message.sender else {
        panic!("somebody");
    };
    assert_eq!(native, "18446744073709551000");
}

#[test]
fn whoever_meta_does_not_name_is_nobody_in_particular() {
    let message = said(change(json!({
        "item": "comment", "verb": "add", "comment_id": "901_903", "post_id": format!("{PAGE}_901"),
        "message": "#tromcap",
    })));
    assert_eq!(message.sender, Sender::Anonymous);
    // What has no author and has our id, or is a status, is our own.
    for value in [
        json!({"item": "comment", "verb": "add", "comment_id": "901_777", "post_id": "901", "message": "#tromcap"}),
        json!({"item": "status", "verb": "add", "post_id": format!("{PAGE}_9"), "message": "#luadao"}),
    ] {
        assert_eq!(kind(&change(value)[0]), "echo");
    }
}

#[test]
fn our_own_words_are_never_a_report() {
    for (item, verb, becomes) in [
        ("status", "add", "echo"),
        ("photo", "add", "echo"),
        ("comment", "add", "echo"),
        ("comment", "edited", ""),
        ("status", "remove", ""),
    ] {
        let value = json!({"from": {"id": PAGE}, "item": item, "verb": verb, "comment_id": "901_1",
            "post_id": format!("{PAGE}_901"), "message": "#luadao"});
        let kinds: Vec<_> = change(value).iter().map(kind).collect();
        assert_eq!(kinds.concat(), becomes, "{item} {verb}");
    }
}

#[test]
fn a_chat_opens_for_a_day_with_every_word() {
    let told = chat(json!({"message": {"mid": "m_1", "text": "tôi muốn báo tin"}}));
    let [Inbound::Opened { room, until }, Inbound::Said(message)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(&*room.native, "24031");
    assert_eq!(message.room, *room);
    assert_eq!(*until - message.sent_at, TimeDelta::hours(24));
    assert_eq!(message.sent_at.timestamp_millis(), 1_790_000_000_123);
}

#[test]
fn a_pressed_button_can_be_answered_in_its_chat() {
    let told = chat(
        json!({"message": {"mid": "m_2", "text": "Gửi", "quick_reply": {"payload": "a:ok:7F3A9K"}}}),
    );
    let Inbound::Pressed(press) = &told[1] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (press.id.as_str(), press.data.as_str()),
        ("24031/m_2", "a:ok:7F3A9K")
    );
}

#[test]
fn a_link_with_a_code_is_a_start_with_it() {
    let told =
        chat(json!({"postback": {"title": "Bắt đầu", "payload": "GET_STARTED", "mid": "m_3"}}));
    assert_eq!(said(told).text, "/start");
    let told = chat(json!({"postback": {"payload": "GET_STARTED", "referral": {"ref": "AB-CD"}}}));
    assert_eq!(said(told).text, "/start AB-CD");
    let told = chat(json!({"referral": {"ref": "AB\n/canhbao giả"}}));
    assert!(!told.iter().any(|one| matches!(one, Inbound::Said(_))));
}

#[test]
fn a_measure_against_the_page_is_told() {
    let body = json!({"entry": [{"id": PAGE, "messaging": [{"recipient": {"id": PAGE},
        "policy_enforcement": {"action": "block", "reason": "spam"}}]}]});
    let measures = told(&body.to_string()).measures;
    assert_eq!(measures.len(), 1);
    assert_eq!(measures[0].1, "spam");
}

#[test]
fn nonsense_is_passed_over_and_harms_nothing_beside_it() {
    let good = json!({"field": "feed", "value": {"item": "comment", "verb": "add", "comment_id": "1_2", "post_id": "1", "message": "#chay"}});
    let body = json!({"entry": [
        {"id": PAGE, "changes": [{"field": "feed", "value": 7}, {"field": 1}, good, {"field": "feed", "value": {"item": "comment", "verb": "add", "message": "x"}}]},
        {"id": PAGE}, {"messaging": [{}]}, {"id": "5", "changes": [{"field": "feed"}]},
    ]});
    let kinds: Vec<_> = read(&body).iter().map(kind).collect();
    assert_eq!(
        kinds,
        [
            "said",
            "not_understood",
            "not_understood",
            "not_understood",
            "not_understood"
        ]
    );
    assert_eq!(told(&body.to_string()).strangers, ["5"]);
    for body in ["", "[]", "{}", "null", "[[]]", "{\"entry\":7}"] {
        assert!(call(body, |_| None).is_none(), "{body}");
    }
}
