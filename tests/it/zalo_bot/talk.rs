//! What people say, and what they hear.

use chrono::TimeDelta;
use keng::domain::incident::Incident;
use keng::domain::incident::Missing;
use keng::domain::incident::Status;
use keng::domain::message::Attachment;
use keng::domain::room::RoomKind;
use keng::sim::zalo_bot::Hook;
use keng::sim::zalo_bot::Idle;
use keng::sim::zalo_bot::Photo;
use keng::sim::zalo_bot::Probe;
use keng::sim::zalo_bot::Switches;

use super::quarter::HOOK_SECRET;
use super::quarter::Plan;
use super::quarter::Quarter;
use crate::support::code;
use crate::support::stored_in;

/// Says what, where and when: no question is asked.
const WHOLE: &str = "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng nay";

/// Does not say where.
const PLACELESS: &str = "#tromcap mất xe Wave lúc 3h sáng nay";

/// The mention kept in the text, and taken out of it.
fn both() -> [Switches; 2] {
    [true, false].map(|mention_kept| Switches {
        mention_kept,
        ..Switches::default()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resident_mentions_the_bot_in_a_zalo_group_and_gets_a_receipt() {
    for switches in both() {
        let quarter = Quarter::with(Plan {
            switches,
            ..Plan::default()
        })
        .await;
        let id = quarter.lan.calls(&quarter.dinh, WHOLE);
        let notice = quarter.hears(&quarter.dinh).await;
        assert!(notice.text.contains("chuyện khác tôi không thấy"));
        let receipt = quarter.hears_only(&quarter.dinh).await;
        let case = quarter.record().await;
        assert_eq!(code(&receipt.text), case.id.to_string());
        assert_eq!(case.first().text, WHOLE);
        assert_eq!(case.first().message.to_string(), id);
        assert_eq!(case.area.to_string(), "06862/xom-dinh");
        // Nobody is greeted twice.
        quarter
            .minh
            .calls(&quarter.dinh, "#antt đánh nhau ở ngõ 4 lúc 22h tối qua");
        quarter.hears_only(&quarter.dinh).await;
        quarter.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_nobody_told_of_is_greeted_and_stays_unbound_until_it_is_bound() {
    let quarter = Quarter::with(Plan {
        unbound: true,
        ..Plan::default()
    })
    .await;
    quarter.lan.calls(&quarter.dinh, "{bot} ơi");
    let notice = quarter.hears_only(&quarter.dinh).await;
    assert!(notice.text.starts_with("Chào bà con, tôi là Kẻng"));
    let room = quarter.room(&quarter.dinh).await.unwrap();
    assert_eq!((room.kind, room.area), (RoomKind::Group, None));
    // Two words, and no slash: behind the bot's name it is a command.
    quarter.admin.calls(&quarter.dinh, "/ganthon xóm Đình");
    let bound = quarter.hears_only(&quarter.dinh).await;
    assert!(bound.text.contains("từ nay thuộc"), "{}", bound.text);
    let room = quarter.room(&quarter.dinh).await.unwrap();
    assert_eq!(room.area.unwrap().to_string(), "06862/xom-dinh");
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_question_where_is_answered_by_a_reply_or_by_another_mention() {
    for switches in both() {
        for by_reply in [true, false] {
            let quarter = Quarter::greeted(Plan {
                switches: switches.clone(),
                ..Plan::default()
            })
            .await;
            quarter.lan.calls(&quarter.dinh, PLACELESS);
            let asked = quarter.hears_only(&quarter.dinh).await;
            assert!(asked.text.contains("ở đâu ạ?"), "{}", asked.text);
            assert_eq!(quarter.record().await.asked, Some(Missing::Place));
            if by_reply {
                quarter.lan.replies(&asked, "cổng chợ");
            } else {
                quarter.lan.calls(&quarter.dinh, "ở cổng chợ");
            }
            let added = quarter.hears_only(&quarter.dinh).await;
            let case = quarter.record().await;
            assert!(added.text.contains(&case.id.to_string()));
            assert!(
                case.facts
                    .place
                    .as_deref()
                    .is_some_and(|p| p.contains("cổng chợ"))
            );
            assert_eq!(case.asked, None);
            quarter.ends().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_adds_the_plate_right_after_the_receipt_adds_to_that_case() {
    let quarter = Quarter::greeted(Plan::default()).await;
    quarter.lan.calls(&quarter.dinh, WHOLE);
    let receipt = quarter.hears_only(&quarter.dinh).await;
    quarter.lan.replies(&receipt, "biển số 14B1-123.45 nhé");
    quarter.hears_only(&quarter.dinh).await;
    let case = quarter.record().await;
    assert_eq!(case.facts.plates.len(), 1, "{:?}", case.facts);
    // Thanks are no news, and another's chatter is no answer.
    quarter.lan.replies(&receipt, "cảm ơn bot");
    quarter.minh.calls(&quarter.dinh, "trời hôm nay đẹp quá");
    quarter.hears_nothing(&quarter.dinh).await;
    assert_eq!(quarter.record().await.reports.len(), case.reports.len());
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_to_nobody_never_reaches_the_store() {
    let quarter = Quarter::greeted(Plan {
        sled: true,
        ..Plan::default()
    })
    .await;
    quarter.minh.chats(&quarter.dinh, "hàng xóm nhà tôi ồn lắm");
    quarter
        .minh
        .calls(&quarter.dinh, "bóng đá hôm nay mấy giờ thế");
    quarter.hears_nothing(&quarter.dinh).await;
    for words in ["hàng xóm nhà tôi", "bóng đá hôm nay"] {
        assert!(!stored_in(&quarter.store_dir(), words), "{words}");
    }
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_taken_back_by_its_code_with_and_without_the_slash() {
    let quarter = Quarter::greeted(Plan::default()).await;
    quarter.lan.calls(&quarter.dinh, WHOLE);
    let receipt = quarter.hears_only(&quarter.dinh).await;
    let rut = format!("rút {}", code(&receipt.text));
    quarter.minh.calls(&quarter.dinh, &rut);
    let refused = quarter.hears_only(&quarter.dinh).await;
    assert_eq!(
        quarter.record().await.status,
        Status::New,
        "{}",
        refused.text
    );
    quarter.lan.calls(&quarter.dinh, &format!("/{rut}"));
    quarter.hears_only(&quarter.dinh).await;
    assert_eq!(quarter.record().await.status, Status::Withdrawn);
    quarter.lan.tells("mất gà ở ngõ 4 tối qua");
    let receipt = quarter.hears_only(&quarter.lan.home).await;
    quarter.lan.tells(&format!("rút {}", code(&receipt.text)));
    quarter.hears_only(&quarter.lan.home).await;
    assert_eq!(quarter.records().await[1].status, Status::Withdrawn);
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officers_ok_sends_the_alert_and_the_report_follows() {
    let quarter = Quarter::greeted(Plan::default()).await;
    let preview = quarter.drafts("Nước lên nhanh ở đập, bà con sơ tán").await;
    assert!(preview.text.contains("trả lời OK"), "{}", preview.text);
    quarter.officer.replies(&preview, "OK");
    let alert = quarter.hears(&quarter.dinh).await;
    assert!(alert.text.contains("Nước lên nhanh"));
    quarter
        .hears_where(&quarter.officer.home, |sent| sent.text.contains("1 nhóm"))
        .await;
    quarter.settles().await;
    quarter.hears_all(&quarter.officer.home);
    assert_eq!(quarter.deliveries().await[0].state.as_str(), "sent");
    let said = quarter.zalo.sent(&quarter.dinh).len();
    // Said twice it is not sent twice.
    quarter.officer.tells("ok");
    quarter.hears_only(&quarter.officer.home).await;
    assert_eq!(quarter.zalo.sent(&quarter.dinh).len(), said);
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_without_a_private_chat_confirms_in_the_group() {
    for switches in both() {
        for answer in ["ok", "duyệt CODE", "/duyet CODE"] {
            let quarter = Quarter::greeted(Plan {
                switches: switches.clone(),
                ..Plan::default()
            })
            .await;
            quarter
                .officer
                .calls(&quarter.dinh, "/canhbao Nước lên nhanh");
            let asked = quarter.hears_only(&quarter.dinh).await;
            let (_, rest) = asked.text.split_once("mã ").unwrap();
            let code: String = rest
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            // A resident's OK is nobody's yes.
            quarter.lan.replies(&asked, "OK");
            quarter.hears_nothing(&quarter.dinh).await;
            let answer = answer.replace("CODE", &code);
            quarter.officer.calls(&quarter.dinh, &answer);
            quarter
                .hears_where(&quarter.dinh, |sent| sent.text.contains("Nước lên nhanh"))
                .await;
            quarter.settles().await;
            quarter.hears_all(&quarter.dinh);
            quarter.ends().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_head_reads_the_day_in_private_and_in_the_group() {
    for switches in both() {
        let quarter = Quarter::greeted(Plan {
            switches,
            ..Plan::default()
        })
        .await;
        quarter.lan.calls(&quarter.dinh, WHOLE);
        quarter.hears_only(&quarter.dinh).await;
        quarter.head.tells("tổng hợp");
        let digest = quarter.hears_only(&quarter.head.home).await;
        assert!(digest.text.contains("xóm Đình"), "{}", digest.text);
        quarter.head.calls(&quarter.dinh, "tổng hợp hôm nay");
        quarter.hears_only(&quarter.dinh).await;
        quarter.settles().await;
        quarter.hears_all(&quarter.head.home);
        quarter.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_takes_a_case_and_closes_it() {
    let quarter = Quarter::greeted(Plan::default()).await;
    quarter.lan.tells("mất xe Wave ở cổng chợ lúc 3h sáng nay");
    let receipt = quarter.hears_only(&quarter.lan.home).await;
    let code = code(&receipt.text);
    quarter.officer.tells(&format!("nhận {code}"));
    quarter.hears(&quarter.officer.home).await;
    let told = quarter.hears_only(&quarter.lan.home).await;
    assert!(told.text.contains(&code), "{}", told.text);
    quarter
        .officer
        .tells(&format!("/xong {code} đã tìm thấy xe"));
    quarter.hears(&quarter.officer.home).await;
    quarter.hears_only(&quarter.lan.home).await;
    assert!(!quarter.record().await.status.is_open());
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn photos_and_voices_are_kept_by_their_addresses_and_stickers_mean_nothing() {
    for photo in [Photo::PhotoUrl, Photo::Photo] {
        let quarter = Quarter::greeted(Plan {
            switches: Switches {
                photo,
                ..Switches::default()
            },
            ..Plan::default()
        })
        .await;
        let lan = &quarter.lan;
        quarter.zalo.photo(&lan.person, &quarter.dinh, WHOLE, true);
        quarter.hears_only(&quarter.dinh).await;
        let case = quarter.record().await;
        let [Attachment::Photo(address)] = case.first().attachments.as_slice() else {
            panic!("{case:#?}");
        };
        assert!(address.contains(".zdn.vn/"), "{address}");
        // One more without a word belongs to what was just told; a neighbour's belongs to nothing.
        quarter.zalo.photo(&lan.person, &quarter.dinh, "", true);
        quarter.hears_only(&quarter.dinh).await;
        let minh = &quarter.minh.person;
        quarter.zalo.photo(minh, &quarter.dinh, "", true);
        quarter.hears_nothing(&quarter.dinh).await;
        let photos = |case: &Incident| -> usize {
            let reports = case.reports.iter();
            reports.map(|report| report.attachments.len()).sum()
        };
        assert_eq!(photos(&quarter.record().await), 2);
        // A photo without the mention in its own caption is not handed over at all.
        quarter
            .zalo
            .photo(&lan.person, &quarter.dinh, "đây nữa", false);
        quarter.zalo.sticker(&lan.person, &quarter.dinh);
        quarter.zalo.sticker(&lan.person, &lan.home);
        quarter.hears_nothing(&quarter.dinh).await;
        quarter.hears_nothing(&lan.home).await;
        quarter.zalo.voice(&lan.person, &lan.home);
        quarter.hears_only(&lan.home).await;
        quarter.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_read_is_told_so_once_a_day() {
    let quarter = Quarter::greeted(Plan::default()).await;
    let (lan, minh) = (&quarter.lan.person, &quarter.minh.person);
    quarter.zalo.withheld(lan, &quarter.dinh);
    let told = quarter.hears_only(&quarter.dinh).await;
    for number in ["113", "114", "115", "111"] {
        assert!(told.text.contains(number), "{}", told.text);
    }
    quarter.zalo.withheld(minh, &quarter.dinh);
    quarter.zalo.withheld(lan, &quarter.dinh);
    quarter.hears_nothing(&quarter.dinh).await;
    quarter.zalo.withheld(lan, &quarter.lan.home);
    quarter.hears_only(&quarter.lan.home).await;
    quarter.later(TimeDelta::days(1));
    quarter.zalo.withheld(minh, &quarter.dinh);
    quarter.hears_only(&quarter.dinh).await;
    // Without its envelope nobody can be told, and nothing breaks.
    quarter
        .zalo
        .switch(|switches| switches.withheld_bare = true);
    quarter.zalo.withheld(minh, &quarter.dinh);
    quarter.hears_nothing(&quarter.dinh).await;
    assert!(quarter.records().await.is_empty());
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_alert_comes_in_numbered_parts() {
    let quarter = Quarter::greeted(Plan::default()).await;
    let line = "Không chuyển tiền cho người lạ, không đọc mã cho ai.\n";
    let preview = quarter
        .officer
        .tells(&format!("/canhbao {}", line.repeat(60)));
    assert!(!preview.is_empty());
    quarter
        .hears_where(&quarter.officer.home, |sent| {
            sent.text.contains("trả lời OK")
        })
        .await;
    quarter.officer.tells("OK");
    quarter
        .hears_where(&quarter.officer.home, |sent| {
            sent.text.contains("đã gửi xong")
        })
        .await;
    quarter.settles().await;
    quarter.hears_all(&quarter.officer.home);
    let parts = quarter.hears_all(&quarter.dinh);
    assert_eq!(parts.len(), 2, "{parts:#?}");
    for (number, part) in parts.iter().enumerate() {
        assert!(part.text.starts_with(&format!("({}/2) ", number + 1)));
        assert!(part.text.encode_utf16().count() <= 2000);
    }
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quarter_works_by_webhook_as_by_polling() {
    for (hook, probe) in [(Hook::Flat, Probe::Event), (Hook::Wrapped, Probe::Empty)] {
        let quarter = Quarter::with(Plan {
            webhook: true,
            switches: Switches {
                hook,
                probe,
                // Told again although it was answered.
                hook_repeats: 1,
                ..Switches::default()
            },
            ..Plan::default()
        })
        .await;
        quarter.lan.calls(&quarter.dinh, WHOLE);
        quarter.hears(&quarter.dinh).await;
        quarter.hears_only(&quarter.dinh).await;
        quarter.record().await;
        let set = quarter.zalo.calls();
        let set = set.iter().find(|call| call.method == "setWebhook").unwrap();
        assert_eq!(set.parameters["secret_token"], HOOK_SECRET);
        assert!(quarter.metrics().await.contains("keng_repeated_total 1"));
        assert_eq!(quarter.zalo.stats().polls, 0);
        quarter.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_in_which_the_platform_may_answer_a_poll_is_taken() {
    for idle in [Idle::Status, Idle::Body] {
        let quarter = Quarter::greeted(Plan {
            switches: Switches {
                idle,
                longest_hold: std::time::Duration::from_millis(30),
                zero: true,
                lists: true,
                numbers: true,
                seconds: true,
                ..Switches::default()
            },
            ..Plan::default()
        })
        .await;
        let polls = quarter.zalo.stats().polls;
        quarter
            .until("the bot does not poll on", async || {
                quarter.zalo.stats().polls > polls + 1
            })
            .await;
        let id = quarter.lan.calls(&quarter.dinh, WHOLE);
        quarter.hears_only(&quarter.dinh).await;
        let case = quarter.record().await;
        assert_eq!(case.first().message.to_string(), id);
        assert!(id.parse::<u64>().unwrap() > 1 << 53, "{id}");
        quarter.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_goes_with_its_card_which_the_platform_fetches_from_us() {
    let quarter = Quarter::greeted(Plan {
        top: "[alert]\ncard = \"warning\"",
        ..Plan::default()
    })
    .await;
    let preview = quarter.drafts("Nước lên nhanh").await;
    let (_, rest) = preview.text.split_once("/duyet ").unwrap();
    let code = rest.split_whitespace().next().unwrap();
    quarter.officer.tells("OK");
    let alert = quarter.hears(&quarter.dinh).await;
    assert!(alert.text.starts_with("[ảnh] "), "{}", alert.text);
    assert!(alert.text.contains("Nước lên nhanh"), "{}", alert.text);
    let card = reqwest::get(quarter.url(&format!("/api/alerts/{code}-1.png")))
        .await
        .unwrap();
    assert_eq!(card.headers()["content-type"], "image/png");
    assert!(card.bytes().await.unwrap().starts_with(b"\x89PNG"));
    quarter.settles().await;
    quarter.hears_all(&quarter.officer.home);
    quarter.ends().await;
}
