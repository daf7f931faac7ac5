//! Several Pages: on one app with one address for webhooks, and when one of them fails.

use keng::sim::facebook::Fault;
use keng::sim::facebook::Rule;
use serde_json::json;

use super::*;

/// Another Page of the same app, with an officer and an administrator who are reached by it alone.
struct Other {
    facebook: Facebook,
    nam: Person,
    mai: Person,
}

async fn ward_with_two_pages() -> (Ward, Other) {
    let mut ward = Ward::on_disk().await;
    let options = Options {
        page_id: "104400000000008".to_owned(),
        seed: 2,
        ..ward.facebook.options().clone()
    };
    let facebook = Facebook::start(([127, 0, 0, 1], 0).into(), options)
        .await
        .unwrap();
    let other = Other {
        nam: facebook.add_person("Vũ Hoài Nam"),
        mai: facebook.add_person("Đỗ Thị Mai"),
        facebook,
    };
    let page = &other.facebook.options().page_id;
    let more = format!(
        "[[account]]\nname = \"fb2\"\nplatform = \"facebook\"\napi_url = \"{}\"\npage_id = \"{page}\"\n\
         token = {{ env = \"KENG_TEST_TOKEN\" }}\napp_secret = {{ env = \"KENG_TEST_APP_SECRET\" }}\n\
         verify_token = {{ env = \"KENG_TEST_VERIFY\" }}\n\
         [[room]]\naccount = \"fb2\"\nnative = \"{page}\"\narea = \"06862\"\n\
         [[officer]]\nname = \"Đ/c Nam\"\nrole = \"officer\"\narea = \"06862\"\naccounts = {{ fb2 = \"{}\" }}\n\
         [[officer]]\nname = \"Chị Mai\"\nrole = \"admin\"\narea = \"06862\"\naccounts = {{ fb2 = \"{}\" }}\n",
        other.facebook.url(),
        other.nam.id,
        other.mai.id,
    );
    ward.stops().await;
    let text = std::fs::read_to_string(ward.config_file()).unwrap();
    std::fs::write(ward.config_file(), text + &more).unwrap();
    ward.starts().await;
    (ward, other)
}

impl Other {
    async fn hears(&self, wanted: impl Fn(&Sent) -> bool) -> Sent {
        let heard = self.facebook.wait_for(wanted, PATIENCE).await;
        heard.unwrap_or_else(|| panic!("{:#?}", self.facebook.sent()))
    }
}

#[tokio::test]
async fn what_an_app_tells_of_another_page_is_that_pages_own() {
    let (ward, other) = ward_with_two_pages().await;
    // Meta knows one address for the app, and it is that of the first account.
    other.facebook.set_webhook(&ward.url("/hooks/fb1"));
    let post = other.facebook.admin_posts("Chào bà con.");
    let comment = other.facebook.comment(&other.nam, &post, WHOLE);
    let receipt = other
        .hears(|sent| sent.place == Place::Under(comment.clone()))
        .await;
    // Our own answer comes back there, too, and an answer to it is known as one.
    assert!(other.facebook.wait_taken(PATIENCE).await);
    let record = ward.record().await;
    assert_eq!(record.first().room.account.as_str(), "fb2");
    assert_eq!(
        *record.first().room.native,
        *other.facebook.options().page_id
    );
    assert!(receipt.text.contains(&record.id.to_string()));
    other.facebook.stop();
    ward.ends().await;
}

#[tokio::test]
async fn news_of_a_page_that_nobody_has_is_no_report_and_is_told_to_the_administrator() {
    let ward = Ward::new().await;
    ward.tells(&ward.admin, "/trogiup");
    ward.hears(&ward.admin).await;
    let value = json!({"item": "comment", "verb": "add", "comment_id": "9_1", "post_id": "777_9",
        "from": {"id": "5", "name": "Lan"}, "message": "#tromcap mat xe o cong cho"});
    let entry =
        json!({"id": "777", "time": 1_790_000_000, "changes": [{"field": "feed", "value": value}]});
    let body = json!({"object": "page", "entry": [entry]}).to_string();
    ward.facebook.inject(body.as_bytes());
    ward.facebook.inject(body.as_bytes());
    let told = ward.hears(&ward.admin).await;
    assert!(
        told.text.contains("trang Facebook mã 777") && told.text.contains("fb1"),
        "{}",
        told.text
    );
    assert_eq!(ward.records().await.len(), 0);
    ward.ends().await;
}

#[tokio::test]
async fn a_token_that_dies_under_an_alert_stops_its_page_alone() {
    let (mut ward, other) = ward_with_two_pages().await;
    other.facebook.set_webhook(&ward.url("/hooks/fb2"));
    for who in [&other.nam, &other.mai] {
        other.facebook.say(who, "/trogiup");
        other.hears(|sent| sent.place == chat(who)).await;
    }
    ward.facebook
        .fault(Rule::always("*", Fault::Error(190, 460)));
    other.facebook.say(&other.nam, "/canhbao Cảnh giác kẻ gian");
    let preview = other.hears(|sent| sent.text.starts_with("CHƯA GỬI")).await;
    let data = preview.button("Gửi").expect("a button").to_owned();
    other.facebook.press(&other.nam, "Gửi", &data);
    let posted = other
        .hears(|sent| sent.place == Place::Wall && sent.text.contains("kẻ gian"))
        .await;
    let warned = other
        .hears(|sent| sent.place == chat(&other.mai) && sent.text.contains("fb1"))
        .await;
    assert!(warned.text.contains("cần người xử lý"), "{}", warned.text);
    let refused = "keng_outbox_account_refused{account=";
    assert_eq!(ward.metric(&format!("{refused}\"fb1\"")).await, 1);
    assert_eq!(ward.metric(&format!("{refused}\"fb2\"")).await, 0);
    // Once the token is right again, the wall that was left out hears it, and the other one nothing twice.
    ward.facebook.clear_faults();
    ward.stops().await;
    ward.starts().await;
    let late = ward.hears_on_the_wall().await;
    assert_eq!(late.text, posted.text);
    other
        .hears(|sent| sent.place == chat(&other.nam) && sent.text.contains("2 nhóm đã nhận"))
        .await;
    ward.settles().await;
    let posts = other.facebook.sent().into_iter();
    let posts = posts.filter(|sent| sent.place == Place::Wall);
    assert_eq!(posts.count(), 1);
    other.facebook.stop();
    ward.hears_all();
    ward.ends().await;
}
