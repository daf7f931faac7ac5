//! The forms of an alert for everybody: the feed, CAP, the card, the loudspeaker's words.
//!
//! What is fetched here is also left in a directory, for judges that nobody here wrote: see
//! `tests/peers/cap`.

use std::path::PathBuf;

use chrono::TimeDelta;
use keng::domain::alert::Alert;
use keng::domain::alert::AlertState;
use keng::domain::alert::Level;
use keng::domain::alert::Step;
use keng::domain::alert::Version;
use keng::domain::alert::VersionKind;
use keng::domain::alert::Versions;
use keng::domain::area::AreaId;
use keng::domain::clock::Clock as _;
use keng::domain::ids::CheckCode;
use keng::sim::telegram::Fault;
use keng::sim::telegram::Kind;
use keng::sim::telegram::Rule;
use keng::sim::telegram::Sent;
use keng::store::Act;
use keng::store::Write;

use crate::support::Plan;
use crate::support::Ward;
use crate::support::room;

/// What is served at a path: status, type, bytes.
async fn get(ward: &Ward, path: &str) -> (u16, String, Vec<u8>) {
    let answer = reqwest::get(ward.url(path)).await.unwrap();
    let kind = answer.headers().get("content-type");
    let kind = kind.map_or(String::new(), |kind| kind.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    (status, kind, answer.bytes().await.unwrap().to_vec())
}

async fn text(ward: &Ward, path: &str) -> String {
    let (status, _, bytes) = get(ward, path).await;
    assert_eq!(status, 200, "{path}");
    String::from_utf8(bytes).unwrap()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{before} in {text}"));
    rest.split_once(after).unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_nowhere_on_the_web_before_it_is_sent_and_everywhere_after() {
    let mut ward = Ward::with(Plan {
        webhook: true,
        sled: true,
        ..Plan::default()
    })
    .await;
    let preview = ward
        .drafts("Cảnh giác\n\nCó người giả danh công an & đòi <tiền>.\n\n👉 Gọi 113.")
        .await;
    let code = between(&preview.text, "/duyet ", " ").to_owned();
    let path = |ending: &str| format!("/api/alerts/{code}-1.{ending}");
    for ending in ["xml", "png", "txt"] {
        assert_eq!(get(&ward, &path(ending)).await.0, 404, "a draft is shown");
    }
    let refused = ward.keng(&["alert", &code]).unwrap_err();
    assert!(refused.contains("was ever sent"), "{refused}");
    assert!(!text(&ward, "/api/alerts").await.contains(&code));
    ward.officer.tells("OK");
    for chat in [ward.five, ward.ha] {
        ward.hears(chat).await;
    }
    let (status, kind, cap) = get(&ward, &path("xml")).await;
    assert_eq!(
        (status, kind.as_str()),
        (200, "application/cap+xml; charset=utf-8")
    );
    let cap = String::from_utf8(cap).unwrap();
    for part in [
        "<msgType>Alert</msgType>",
        "<status>Actual</status>",
        "<sender>127.0.0.1</sender>",
        "giả danh công an &amp; đòi &lt;tiền&gt;.",
        "<instruction>Gọi 113.\nKiểm tra tin này: nhắn cho bot /kiemtra",
        "<valueName>VN-GSO-COMMUNE-2025</valueName>\n        <value>06862</value>",
    ] {
        assert!(cap.contains(part), "{part} in {cap}");
    }
    let (status, kind, card) = get(&ward, &path("png")).await;
    assert_eq!((status, kind.as_str()), (200, "image/png"));
    assert!(card.starts_with(b"\x89PNG"));
    let spoken = text(&ward, &path("txt")).await;
    assert!(spoken.contains("Gọi một một ba."), "{spoken}");
    ward.until("the feed is made again", async || {
        let feed = text(&ward, "/api/alerts").await;
        let link = format!("{}\"", ward.url(&path("xml")));
        feed.contains(&link)
    })
    .await;
    for missing in [
        format!("/api/alerts/{code}-2.xml"),
        format!("/api/alerts/{code}-01.xml"),
        format!("/api/alerts/{}-1.xml", code.to_lowercase() + "x"),
        format!("/api/alerts/{code}-1.exe"),
        "/api/alerts/..%2f..%2fetc".to_owned(),
    ] {
        assert_eq!(get(&ward, &missing).await.0, 404, "{missing}");
    }
    assert_eq!(
        text(&ward, &format!("/api/alerts/{code}.txt")).await,
        spoken
    );
    ward.settles().await;
    for running in [true, false] {
        if !running {
            ward.stops().await;
        }
        let said = ward.keng(&["alert", &code.to_lowercase()]).unwrap();
        assert_eq!(said.trim_end(), spoken, "running: {running}");
        let file = ward.home.path().join("card.png");
        let path = file.display().to_string();
        ward.keng(&["alert", &code, "--form", "png", "--output", &path])
            .unwrap();
        assert!(std::fs::read(&file).unwrap() == card);
        assert!(
            ward.keng(&["alert", "111111"])
                .unwrap_err()
                .contains("no check code")
        );
    }
    ward.starts().await;
    ward.settles().await;
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

/// An alert as the store holds it, with the versions of a whole life.
fn alert(
    ward: &Ward,
    number: u64,
    code: &str,
    level: Level,
    area: &str,
    lives: &[(VersionKind, &str)],
) -> Alert {
    let store = ward.store();
    let mut at = ward.clock.now() - TimeDelta::hours(2);
    let (_, words) = lives[0];
    let mut alert = Alert::draft(
        store.alert_id(),
        CheckCode::parse(code).unwrap(),
        level,
        AreaId::parse(area).unwrap(),
        Versions::first(words, "Đ/c Hà", at),
        room(ward.officer.home),
        ward.clock.now() + TimeDelta::hours(24),
    );
    alert.step(Step::Publish).unwrap();
    alert.published_at = Some(at);
    for (kind, words) in &lives[1..] {
        at += TimeDelta::minutes(20);
        alert.step(kind.step()).unwrap();
        alert.versions.push(Version {
            number: 0,
            kind: *kind,
            words: (*words).to_owned(),
            author: "Đ/c Nam".to_owned(),
            approver: None,
            at,
            photo: None,
            recording: None,
        });
    }
    alert.reported = true;
    alert.drill = number == 3;
    alert.revision = 1;
    alert
}

/// Where the judges look.
fn kept() -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cap");
    // What an earlier run left is not judged.
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_version_of_every_life_refers_to_the_ones_before_it() {
    let ward = Ward::with(Plan {
        webhook: true,
        ..Plan::default()
    })
    .await;
    let odd = "Cháy \u{0}\u{b}\u{FFFE} <chợ> & \"nhà\" ]]> 🚨\r\nở đây, a,b c";
    let long = "Nước lên nhanh. ".repeat(1_200);
    let lives = [
        alert(
            &ward,
            1,
            "333333",
            Level::Urgent,
            "06862",
            &[
                (VersionKind::First, odd),
                (
                    VersionKind::Correction,
                    "Cháy ở chợ Hạ, không phải chợ Đình",
                ),
                (VersionKind::AllClear, "Đã dập tắt."),
            ],
        ),
        alert(
            &ward,
            2,
            "444444",
            Level::Warning,
            "06862/thon-ha",
            &[(VersionKind::First, &long), (VersionKind::Withdrawal, "")],
        ),
        alert(
            &ward,
            3,
            "555555",
            Level::Info,
            "06862",
            &[(VersionKind::First, "Diễn tập chữa cháy")],
        ),
    ];
    let writes = lives
        .iter()
        .map(|alert| Write::Alert(Box::new(alert.clone())));
    let act = Act {
        expects: vec![],
        writes: writes.collect(),
    };
    ward.store().commit(vec![act]).await.unwrap();
    let feed = text(&ward, "/api/alerts").await;
    let directory = kept();
    std::fs::write(directory.join("feed.atom"), &feed).unwrap();
    for alert in &lives {
        let mut earlier = String::new();
        for version in alert.versions.iter() {
            let name = format!("{}-{}", alert.code, version.number);
            let sent = version
                .at
                .to_rfc3339_opts(chrono::SecondsFormat::Secs, false);
            let reference = format!("127.0.0.1,{name},{sent}");
            // Of what was taken back nothing is told but that it was.
            let back = alert.state == AlertState::Withdrawn && !version.kind.ends();
            let entry = format!("alert/{name}</id>");
            assert_eq!(feed.contains(&entry), !back, "{name} in {feed}");
            if back {
                for ending in ["xml", "png", "txt"] {
                    let path = format!("/api/alerts/{name}.{ending}");
                    assert_eq!(get(&ward, &path).await.0, 404, "{path}");
                }
                earlier.push_str(&reference);
                continue;
            }
            let cap = text(&ward, &format!("/api/alerts/{name}.xml")).await;
            std::fs::write(directory.join(format!("{name}.xml")), &cap).unwrap();
            let refers = cap.contains("<references>");
            assert_eq!(refers, !earlier.is_empty(), "{cap}");
            if refers {
                assert_eq!(between(&cap, "<references>", "</references>"), earlier);
            }
            let wanted = match version.kind {
                VersionKind::First => "Alert",
                VersionKind::Correction | VersionKind::AllClear => "Update",
                VersionKind::Withdrawal => "Cancel",
            };
            assert_eq!(between(&cap, "<msgType>", "</msgType>"), wanted);
            let status = if alert.drill { "Exercise" } else { "Actual" };
            assert_eq!(between(&cap, "<status>", "</status>"), status);
            assert_eq!(between(&cap, "<sent>", "</sent>"), sent);
            assert!(sent.ends_with("+07:00"), "{sent}");
            assert!(
                between(&cap, "<expires>", "</expires>") > sent.as_str(),
                "{cap}"
            );
            if !earlier.is_empty() {
                earlier.push(' ');
            }
            assert!(
                !cap.contains("Nước lên nhanh"),
                "words that were taken back: {cap}"
            );
            earlier.push_str(&reference);
        }
    }
    assert!(
        text(&ward, "/api/alerts/333333-3.xml")
            .await
            .contains("<responseType>AllClear</responseType>")
    );
    let cancel = text(&ward, "/api/alerts/444444-2.xml").await;
    assert!(cancel.contains("<value>06862/thon-ha</value>"), "{cancel}");
    assert!(
        text(&ward, "/api/alerts/555555-1.xml")
            .await
            .contains("DIỄN TẬP")
    );

    // Three days after its end a version has left the feed; it keeps its own address.
    assert_eq!(lives[0].state, AlertState::AllClear);
    ward.later(TimeDelta::hours(30 + 72));
    ward.until("the feed is made again", async || {
        let feed = text(&ward, "/api/alerts").await;
        !feed.contains("<entry>")
    })
    .await;
    text(&ward, "/api/alerts/333333-1.xml").await;
    ward.abandons();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_goes_with_its_card_above_the_words() {
    let ward = Ward::with(Plan {
        webhook: true,
        more: "[alert]\ncard = \"warning\"\n".to_owned(),
        ..Plan::default()
    })
    .await;
    let preview = ward.drafts("Nước lên nhanh").await;
    assert_eq!(preview.kind, Kind::Text);
    let code = between(&preview.text, "/duyet ", " ").to_owned();
    ward.officer.tells("OK");
    let alerts = [ward.hears(ward.five).await, ward.hears(ward.ha).await];
    for alert in &alerts {
        assert_eq!(alert.kind, Kind::Photo);
        assert!(preview.text.contains(&alert.text), "{}", alert.text);
    }
    // Telegram was given the file once, and it is the card that the web shows.
    let files: Vec<_> = alerts
        .iter()
        .filter_map(|alert| alert.upload.as_ref())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let (_, _, card) = get(&ward, &format!("/api/alerts/{code}-1.png")).await;
    assert!(files[0].content == card, "another picture was sent");
    ward.settles().await;
    ward.hears_all(ward.officer.home);

    // Words that are longer than what may stand beside a picture go alone, in one message.
    ward.drafts(&"Nước lên nhanh. ".repeat(100)).await;
    ward.officer.tells("OK");
    for chat in [ward.five, ward.ha] {
        assert_eq!(ward.hears(chat).await.kind, Kind::Text);
    }
    ward.settles().await;
    ward.hears_all(ward.officer.home);

    // A group that forbids pictures hears the words all the same.
    let description = "Bad Request: not enough rights to send photos to the chat".to_owned();
    ward.town.fault(
        Rule::once(
            "sendPhoto",
            Fault::Refuse {
                code: 400,
                description,
            },
        )
        .times(2),
    );
    ward.drafts("Nước đã rút").await;
    ward.officer.tells("OK");
    for chat in [ward.five, ward.ha] {
        let alert = ward.hears(chat).await;
        assert_eq!(alert.kind, Kind::Text);
        assert!(alert.text.contains("Nước đã rút"), "{}", alert.text);
    }
    ward.settles().await;
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officers_own_photo_goes_in_place_of_the_card_until_it_is_wrong() {
    let ward = Ward::with(Plan {
        webhook: true,
        ..Plan::default()
    })
    .await;
    let (officer, words) = (
        &ward.officer,
        "Người này giả danh công an, bà con đừng mở cửa",
    );
    let caption = format!("/canhbao khẩn {words}");
    ward.admin.tells("/nhom");
    ward.hears(ward.admin.home).await;
    ward.town.photo(officer.person, officer.home, &caption);
    let preview = ward
        .hears_where(officer.home, |sent| sent.text.starts_with("CHƯA GỬI"))
        .await;
    assert!(preview.text.contains("Có ảnh kèm theo"), "{}", preview.text);
    officer.tells("OK");
    let asked = ward.hears(ward.admin.home).await;
    assert!(
        asked.text.contains("Có kèm ảnh của người soạn"),
        "{}",
        asked.text
    );
    ward.admin.presses(&asked, "Duyệt");
    let heard = ward.hears(ward.five).await;
    ward.hears(ward.ha).await;
    ward.settles().await;
    assert!(heard.text.contains(words));
    let file = |sent: &Sent| sent.upload.as_ref().map(|upload| upload.content.to_vec());
    let code = { preview.text.split_once("/duyet ") }.unwrap().1;
    let code = code.split_whitespace().next().unwrap();
    let path = |version: u32, ending: &str| format!("/api/alerts/{code}-{version}.{ending}");
    let (status, kind, photo) = get(&ward, &path(1, "jpg")).await;
    assert_eq!((status, kind.as_str()), (200, "image/png"));
    let sent = ward.town.all_sent();
    let first = { sent.iter() }
        .find_map(file)
        .expect("one group was given the file");
    assert!(first == photo, "it is the officer's own photo");
    let (_, _, card) = get(&ward, &path(1, "png")).await;
    assert!(card != photo);

    // Corrected, the photo is gone: what the words say now stands on the card.
    officer.tells(&format!(
        "/dinhchinh {code} Đã tìm ra người này, không phải kẻ gian"
    ));
    ward.sees(ward.five, |sent| sent.text.contains("không phải kẻ gian"))
        .await;
    ward.settles().await;
    let (_, _, card) = get(&ward, &path(2, "png")).await;
    let shown: Vec<_> = { ward.town.calls().into_iter() }
        .filter(|call| call.method == "editMessageMedia")
        .collect();
    assert!(!shown.is_empty(), "the picture of the message was changed");
    let sent = ward.town.all_sent();
    let second = { sent.iter() }
        .filter(|sent| sent.text.contains("không phải kẻ gian"))
        .find_map(file);
    assert!(second.is_none_or(|file| file == card), "to the card");
    let (status, _, _) = get(&ward, &path(2, "jpg")).await;
    assert_eq!(status, 404);
    for home in [officer.home, ward.admin.home] {
        ward.hears_all(home);
    }
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_photo_that_cannot_be_had_holds_no_alert_up() {
    let ward = Ward::new().await;
    let (officer, words) = (&ward.officer, "Nước lên nhanh ở cầu Hạ");
    let gone = Fault::Refuse {
        code: 400,
        description: "Bad Request: wrong file_id or the file is temporarily unavailable".to_owned(),
    };
    ward.town.fault(Rule::percent("getFile", 100.0, gone));
    ward.town
        .photo(officer.person, officer.home, &format!("/canhbao {words}"));
    ward.hears_where(officer.home, |sent| sent.text.starts_with("CHƯA GỬI"))
        .await;
    officer.tells("OK");
    for chat in [ward.five, ward.ha] {
        let heard = ward.hears(chat).await;
        assert!(heard.text.contains(words), "{}", heard.text);
    }
    ward.settles().await;
    ward.hears_all(officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officers_recording_comes_back_with_the_loudspeakers_words() {
    let ward = Ward::with(Plan {
        webhook: true,
        ..Plan::default()
    })
    .await;
    let officer = &ward.officer;
    let words = "Nước lên nhanh ở cầu Hạ, bà con tránh xa bờ sông";
    let caption = format!("/canhbao {words}");
    ward.town.audio(officer.person, officer.home, &caption);
    let preview = ward
        .hears_where(officer.home, |sent| sent.text.starts_with("CHƯA GỬI"))
        .await;
    assert!(
        preview.text.contains("Bản ghi âm kèm theo chỉ để phát loa"),
        "{}",
        preview.text
    );
    let code = { preview.text.split_once("/duyet ") }.unwrap().1;
    let code = code.split_whitespace().next().unwrap();
    let path = |version: u32| format!("/api/alerts/{code}-{version}.audio");

    // A draft is nowhere on the web, and its author is told of no address.
    let (status, ..) = get(&ward, &path(1)).await;
    assert_eq!(status, 404);
    officer.tells(&format!("/loa {code}"));
    let sheet = ward
        .hears_where(officer.home, |sent| sent.text.starts_with("Bản đọc loa"))
        .await;
    let ends = "\n\nCó bản ghi âm để phát loa, xin hỏi Đ/c Hà.";
    assert!(sheet.text.ends_with(ends), "{}", sheet.text);

    officer.tells(&format!("/duyet {code}"));
    for chat in [ward.five, ward.ha] {
        let heard = ward.hears(chat).await;
        assert!(heard.text.contains(words), "{}", heard.text);
        assert!(!heard.text.contains("ghi âm"), "{}", heard.text);
    }
    officer.tells(&format!("/loa {code}"));
    let sheet = ward
        .hears_where(officer.home, |sent| {
            sent.text
                .contains("Bản ghi âm của Đ/c Hà để phát loa: http")
        })
        .await;
    let (_, address) = sheet.text.rsplit_once(' ').unwrap();
    assert!(address.ends_with(&path(1)), "{address}");
    let (status, kind, recording) = get(&ward, &path(1)).await;
    assert_eq!((status, kind.as_str()), (200, "audio/mpeg"));
    assert_eq!(&recording[..4], b"\xff\xfb\x90\0");
    assert_eq!(recording.len(), 4 * 417);

    // The words change, and the recording says the old ones.
    officer.tells(&format!("/dinhchinh {code} Nước đã rút ở cầu Hạ"));
    ward.sees(ward.five, |sent| sent.text.contains("Nước đã rút"))
        .await;
    ward.settles().await;
    let before = ward.town.all_sent().len();
    officer.tells(&format!("/loa {code}"));
    ward.settles().await;
    let sent = ward.town.all_sent();
    let sheet = { sent[before..].iter() }
        .find(|sent| sent.text.starts_with("Bản đọc loa"))
        .expect("the words for the loudspeakers");
    assert!(!sheet.text.contains("ghi âm"), "{}", sheet.text);
    let (status, ..) = get(&ward, &path(2)).await;
    assert_eq!(status, 404);
    ward.hears_all(officer.home);
    ward.ends().await;
}
