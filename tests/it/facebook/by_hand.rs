//! Groups that no program may enter: an alert is handed to whoever posts there.

use keng::sim::facebook::Fault;
use keng::sim::facebook::Rule;

use super::*;

fn with_groups(ward: &Ward) -> String {
    let mut text = String::new();
    for (name, who) in [
        ("Hội người Tiên Yên", &ward.minh),
        ("Chợ quê Tiên Yên", &ward.minh),
        ("Mẹ và bé Tiên Yên", &ward.head),
    ] {
        text.push_str(&format!(
            "[[hand_group]]\nname = \"{name}\"\narea = \"06862\"\naccount = \"fb1\"\nadmin = \"{}\"\n",
            who.id
        ));
    }
    text
}

async fn ward_with_groups() -> Ward {
    with_groups_in(Plan {
        sled: true,
        ..Plan::default()
    })
    .await
}

async fn with_groups_in(plan: Plan) -> Ward {
    let mut ward = Ward::with(plan).await;
    ward.stops().await;
    let text = std::fs::read_to_string(ward.config_file()).unwrap();
    std::fs::write(ward.config_file(), text + &with_groups(&ward)).unwrap();
    ward.starts().await;
    ward
}

#[tokio::test]
async fn an_alert_is_handed_over_and_counted_apart() {
    let ward = ward_with_groups().await;
    for who in [&ward.minh, &ward.head] {
        ward.tells(who, "/trogiup");
        ward.hears(who).await;
    }
    ward.warns("Có người giả danh công an gọi điện").await;
    let alert = ward.hears_on_the_wall().await;
    let mut handed = Vec::new();
    for who in [&ward.minh, &ward.minh, &ward.head] {
        let please = ward
            .hears_where(|sent| {
                sent.place == chat(who) && sent.text.starts_with("Nhờ quản trị nhóm")
            })
            .await;
        let words = ward
            .hears_where(|sent| sent.place == chat(who) && sent.text == alert.text)
            .await;
        handed.push((please, words));
    }
    ward.hears_where(|sent| sent.text.contains("Nhờ đăng tay: 0/3 đã đăng."))
        .await;
    ward.settles().await;
    ward.hears_all();
    // One by its button, the others in words.
    let data = handed[2].1.button("Đã đăng").unwrap().to_owned();
    ward.facebook.press(&ward.head, "Đã đăng", &data);
    assert!(ward.hears(&ward.head).await.text.contains("đã ghi nhận"));
    ward.hears_nothing_more().await;
    ward.tells(&ward.minh, "Đã đăng rồi ạ");
    assert!(
        ward.hears(&ward.minh)
            .await
            .text
            .contains("2/2 nhóm đã đăng")
    );
    // Messenger cannot change a message: the officer hears once more when everything is done.
    let report = ward
        .hears_where(|sent| sent.place == chat(&ward.officer) && sent.text.contains("Nhờ đăng tay"))
        .await;
    assert!(
        report.text.contains("Nhờ đăng tay: 3/3 đã đăng."),
        "{}",
        report.text
    );
    assert!(report.text.contains("nhóm đã nhận"), "{}", report.text);
    ward.ends().await;
}

#[tokio::test]
async fn nobody_else_can_say_that_it_is_posted() {
    let ward = ward_with_groups().await;
    for who in [&ward.minh, &ward.head] {
        ward.tells(who, "/trogiup");
        ward.hears(who).await;
    }
    ward.warns("Có người giả danh công an gọi điện").await;
    let words = ward
        .hears_where(|sent| sent.place == chat(&ward.head) && sent.button("Đã đăng").is_some())
        .await;
    let data = words.button("Đã đăng").unwrap().to_owned();
    ward.hears_where(|sent| sent.text.contains("Nhờ đăng tay: 0/3"))
        .await;
    ward.settles().await;
    ward.hears_all();
    ward.facebook.press(&ward.lan, "Đã đăng", &data);
    assert!(
        ward.hears(&ward.lan)
            .await
            .text
            .contains("không còn dùng được")
    );
    ward.hears_nothing_more().await;
    ward.ends().await;
}

#[tokio::test]
async fn whoever_cannot_be_written_to_stands_in_the_report_with_the_reason() {
    let ward = ward_with_groups().await;
    ward.tells(&ward.minh, "/trogiup");
    ward.hears(&ward.minh).await;
    ward.tells(&ward.head, "/trogiup");
    ward.hears(&ward.head).await;
    ward.later(TimeDelta::hours(25));
    ward.tells(&ward.minh, "/trogiup");
    ward.hears(&ward.minh).await;
    ward.warns("Có người giả danh công an gọi điện").await;
    let report = ward
        .hears_where(|sent| sent.text.contains("Nhờ đăng tay: 0/2 đã đăng."))
        .await;
    assert!(
        report.text.contains("1 nhóm: đã quá 24 giờ"),
        "{}",
        report.text
    );
    ward.settles().await;
    ward.hears_all();
    ward.ends().await;
}

#[tokio::test]
async fn the_picture_is_handed_over_with_the_words_and_given_to_meta_once() {
    let ward = with_groups_in(Plan {
        sled: true,
        tables: "[alert]\ncard = \"warning\"\n",
        ..Plan::default()
    })
    .await;
    for who in [&ward.minh, &ward.head] {
        ward.tells(who, "/trogiup");
        ward.hears(who).await;
    }
    ward.warns("Có người giả danh công an gọi điện").await;
    let alert = ward.hears_on_the_wall().await;
    ward.settles().await;
    let to_head: Vec<Sent> = ward
        .unheard()
        .into_iter()
        .filter(|sent| sent.place == chat(&ward.head))
        .collect();
    // The picture, the request, and last the words: a button under them is gone when more follows.
    assert_eq!(to_head.len(), 3, "{to_head:#?}");
    let card = alert.picture.unwrap().content;
    let handed = to_head[0].picture.as_ref().map(|picture| &picture.content);
    assert!(handed == Some(&card), "another picture was handed over");
    assert!(to_head[1].text.starts_with("Nhờ quản trị nhóm"));
    assert_eq!(to_head[2].text, alert.text);
    assert!(to_head[2].button("Đã đăng").is_some());
    let uploads = ward.facebook.calls().into_iter();
    let uploads = uploads.filter(|call| call.path.ends_with("/message_attachments"));
    assert_eq!(uploads.count(), 1);
    ward.hears_all();
    ward.ends().await;
}

#[tokio::test]
async fn a_picture_that_cannot_be_handed_over_holds_no_words_up() {
    let ward = with_groups_in(Plan {
        sled: true,
        tables: "[alert]\ncard = \"warning\"\n",
        ..Plan::default()
    })
    .await;
    for who in [&ward.minh, &ward.head] {
        ward.tells(who, "/trogiup");
        ward.hears(who).await;
    }
    let broken = Fault::Error(100, 2_018_074);
    ward.facebook
        .fault(Rule::always("/message_attachments", broken));
    ward.warns("Có người giả danh công an gọi điện").await;
    ward.hears_where(|sent| sent.text.contains("Nhờ đăng tay: 0/3 đã đăng."))
        .await;
    ward.settles().await;
    ward.hears_all();
    ward.ends().await;
}
