//! The digest that comes by itself, at the hour its reader chose.

use chrono::TimeDelta;
use keng::domain::appointment::Appointment;
use keng::store::Cursor;

use crate::support::Plan;
use crate::support::Ward;
use crate::support::Who;
use crate::support::code;
use crate::support::room;

const THEFT: &str = "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng nay";

/// What the bot answers in private.
async fn answer(ward: &Ward, who: &Who, words: &str) -> String {
    who.tells(words);
    ward.hears_only(who.home).await.text
}

/// Sets the hour in private.
async fn sets(ward: &Ward, who: &Who, words: &str) -> String {
    let said = answer(ward, who, words).await;
    assert!(said.contains("hằng ngày, bot gửi"), "{said}");
    said
}

/// The only thing that comes by itself.
async fn comes(ward: &Ward, who: &Who) -> String {
    let sent = ward.hears(who.home).await;
    ward.hears_nothing(who.home).await;
    sent.text
}

async fn appointment(ward: &Ward, who: &Who) -> Option<Appointment> {
    ward.store().appointment(&room(who.home)).await.unwrap()
}

/// What was done about digests, oldest first, as the audit tells it.
async fn audited(ward: &Ward) -> Vec<String> {
    let (lines, _) = ward
        .store()
        .scan_audit(&Cursor::default(), 500)
        .await
        .unwrap();
    lines
        .into_iter()
        .filter(|line| line.entry.act.starts_with("digest."))
        .map(|line| format!("{} {}", line.entry.who, line.entry.act))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_sets_six_in_the_evening_and_hears_the_day_at_six() {
    let ward = Ward::new().await;
    ward.until_the_clock_says(16, 30);
    ward.lan.says(ward.five, THEFT);
    let case = code(&ward.hears_only(ward.five).await.text);
    let said = sets(&ward, &ward.head, "/hen 18h").await;
    assert!(
        said.starts_with("Từ hôm nay, cứ 6 giờ chiều hằng ngày")
            && said.contains("thôn Tân Trúc Tùng vào đây"),
        "{said}"
    );
    ward.until_the_clock_says(17, 59);
    ward.hears_nothing(ward.head.home).await;
    ward.until_the_clock_says(18, 0);
    let digest = comes(&ward, &ward.head).await;
    assert!(
        digest.starts_with("TỔNG HỢP thôn Tân Trúc Tùng, hôm nay")
            && digest.contains(&format!("• {case}: trộm cắp"))
            && digest.contains("Mới ghi nhận: 1 vụ"),
        "{digest}"
    );
    assert_eq!(answer(&ward, &ward.head, "/tonghop").await, digest);
    // The next day, and a day without anything.
    ward.until_the_clock_says(18, 0);
    let digest = comes(&ward, &ward.head).await;
    assert!(digest.contains("(hôm qua: 1)"), "{digest}");
    ward.officer.tells(&format!("/xong {case} đã trả xe"));
    ward.hears_only(ward.officer.home).await;
    ward.hears(ward.five).await;
    ward.until_the_clock_says(18, 0);
    let digest = comes(&ward, &ward.head).await;
    assert!(digest.contains("Không có vụ việc nào"), "{digest}");
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_is_set_in_plain_words_and_a_wrong_one_is_answered_with_an_example() {
    let ward = Ward::new().await;
    ward.until_the_clock_says(15, 0);
    for words in [
        "hẹn 18h30",
        "hẹn 18:30",
        "Hẹn hàng ngày lúc 6h30 chiều",
        "/hen 6 giờ 30 chiều nhé",
        "/hẹn 18h30",
    ] {
        let said = sets(&ward, &ward.officer, words).await;
        assert!(said.contains("6 giờ 30 chiều"), "{words}: {said}");
    }
    let said = sets(&ward, &ward.officer, "/hen 6h").await;
    assert!(
        said.contains("6 giờ sáng") && said.contains("Nếu muốn 6 giờ chiều, nhắn /hen 18h."),
        "{said}"
    );
    let standing = answer(&ward, &ward.officer, "/hen").await;
    assert!(
        standing.starts_with("Đang hẹn: cứ 6 giờ sáng"),
        "{standing}"
    );
    for wrong in [
        "/hen 25h",
        "hẹn 25h",
        "/hen lúc nào cũng được",
        "/hen 18h70",
    ] {
        let said = answer(&ward, &ward.officer, wrong).await;
        assert!(said.contains("/hen 18h30"), "{wrong}: {said}");
    }
    // What was set stands.
    assert_eq!(answer(&ward, &ward.officer, "hẹn").await, standing);
    let none = answer(&ward, &ward.head, "/hen").await;
    assert!(none.starts_with("Chưa hẹn giờ nào"), "{none}");
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_readers_of_one_hour_hear_each_their_own_area() {
    let ward = Ward::new().await;
    ward.until_the_clock_says(16, 0);
    ward.minh
        .says(ward.ha, "#danhnhau ở ngõ 12 lúc 15h chiều nay");
    let case = code(&ward.hears_only(ward.ha).await.text);
    sets(&ward, &ward.head, "/hen 18h").await;
    sets(&ward, &ward.officer, "/hen 18h").await;
    ward.until_the_clock_says(18, 0);
    let commune = comes(&ward, &ward.officer).await;
    assert!(commune.contains(&format!("• {case}: ")), "{commune}");
    let village = comes(&ward, &ward.head).await;
    assert!(
        village.starts_with("TỔNG HỢP thôn Tân Trúc Tùng")
            && village.contains("Không có vụ việc nào"),
        "{village}"
    );
    assert_eq!(
        audited(&ward).await,
        [
            "Bác Bình digest.schedule",
            "Đ/c Hà digest.schedule",
            "keng digest.send",
            "keng digest.send"
        ]
    );
    let metrics = reqwest::get(ward.url("/metrics")).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains("keng_digests_sent_total 2\n")
            && metrics.contains("keng_digests_late_total 0\n"),
        "{metrics}"
    );
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hour_is_changed_and_one_day_has_one_digest() {
    let ward = Ward::new().await;
    ward.until_the_clock_says(16, 0);
    sets(&ward, &ward.officer, "/hen 18h").await;
    sets(&ward, &ward.head, "/hen 18h").await;
    let said = sets(&ward, &ward.head, "hẹn đổi sang 8h tối").await;
    assert!(said.starts_with("Từ hôm nay, cứ 8 giờ tối"), "{said}");
    ward.until_the_clock_says(18, 0);
    comes(&ward, &ward.officer).await;
    ward.hears_nothing(ward.head.home).await;
    ward.until_the_clock_says(20, 0);
    comes(&ward, &ward.head).await;
    ward.hears_nothing(ward.officer.home).await;
    // Today's has come: the new hour begins tomorrow, although it is still ahead today.
    let said = sets(&ward, &ward.head, "/hen 21h").await;
    assert!(said.starts_with("Từ ngày mai, cứ 9 giờ tối"), "{said}");
    sets(&ward, &ward.admin, "/hen 21h").await;
    ward.until_the_clock_says(21, 0);
    comes(&ward, &ward.admin).await;
    ward.hears_nothing(ward.head.home).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_ends_it_hears_nothing_more() {
    let ward = Ward::new().await;
    ward.until_the_clock_says(16, 0);
    sets(&ward, &ward.officer, "/hen 18h").await;
    sets(&ward, &ward.head, "/hen 18h").await;
    for words in ["hẹn thôi", "/hen huỷ"] {
        let said = answer(&ward, &ward.head, words).await;
        assert!(
            said.contains("không gửi theo giờ nữa") == (words == "hẹn thôi"),
            "{said}"
        );
    }
    ward.until_the_clock_says(18, 0);
    comes(&ward, &ward.officer).await;
    ward.hears_nothing(ward.head.home).await;
    assert_eq!(appointment(&ward, &ward.head).await.unwrap().due, None);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resident_is_refused_as_if_there_were_no_such_thing() {
    let ward = Ward::new().await;
    ward.until_the_clock_says(16, 0);
    sets(&ward, &ward.head, "/hen 18h").await;
    let refused = answer(&ward, &ward.lan, "/nhom").await;
    for words in ["/hen 18h", "/hen", "/hen thôi", "/hen 25h"] {
        assert_eq!(answer(&ward, &ward.lan, words).await, refused, "{words}");
    }
    ward.lan.says(ward.five, "/hen 18h vào nhóm");
    assert_eq!(ward.hears_only(ward.five).await.text, refused);
    // Plain words of a resident are no command at all.
    ward.lan.tells("hẹn 18h");
    ward.settles().await;
    for sent in ward.hears_all(ward.lan.home) {
        assert!(!sent.text.contains("hằng ngày"), "{}", sent.text);
    }
    ward.until_the_clock_says(18, 0);
    comes(&ward, &ward.head).await;
    ward.hears_nothing(ward.lan.home).await;
    ward.hears_nothing(ward.five).await;
    assert_eq!(appointment(&ward, &ward.lan).await, None);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_was_down_at_the_hour_sends_late_once_and_says_so() {
    let mut ward = Ward::on_disk().await;
    ward.until_the_clock_says(16, 0);
    sets(&ward, &ward.head, "/hen 18h").await;
    ward.stops().await;
    assert!(ward.keng(&["verify"]).unwrap().contains("1 appointments"));
    ward.until_the_clock_says(19, 30);
    ward.starts().await;
    let digest = comes(&ward, &ward.head).await;
    assert!(
        digest
            .starts_with("(Gửi muộn, hẹn lúc 6 giờ chiều.)\nTỔNG HỢP thôn Tân Trúc Tùng, hôm nay"),
        "{digest}"
    );
    let metrics = reqwest::get(ward.url("/metrics")).await.unwrap();
    assert!(
        metrics
            .text()
            .await
            .unwrap()
            .contains("keng_digests_late_total 1\n")
    );
    // Not again after another start, and in time on the next day.
    ward.stops().await;
    ward.starts().await;
    sets(&ward, &ward.officer, "/hen 20h").await;
    ward.until_the_clock_says(20, 0);
    comes(&ward, &ward.officer).await;
    ward.hears_nothing(ward.head.home).await;
    ward.until_the_clock_says(18, 0);
    let digest = comes(&ward, &ward.head).await;
    assert!(digest.starts_with("TỔNG HỢP"), "{digest}");
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_that_would_come_too_late_is_told_as_missed_and_the_next_one_comes() {
    let mut ward = Ward::on_disk().await;
    ward.until_the_clock_says(16, 0);
    sets(&ward, &ward.head, "/hen 18h").await;
    ward.stops().await;
    ward.later(TimeDelta::days(2));
    ward.until_the_clock_says(8, 0);
    ward.starts().await;
    let missed = comes(&ward, &ward.head).await;
    assert!(
        missed.starts_with("Bot ngừng chạy nên lỡ bản tổng hợp lúc 6 giờ chiều ngày"),
        "{missed}"
    );
    let (_, command) = missed.split_once("xin nhắn ").unwrap();
    let digest = answer(&ward, &ward.head, command.trim_end_matches('.')).await;
    assert!(digest.starts_with("TỔNG HỢP"), "{digest}");
    ward.until_the_clock_says(18, 0);
    let digest = comes(&ward, &ward.head).await;
    assert!(digest.starts_with("TỔNG HỢP"), "{digest}");
    assert_eq!(
        audited(&ward).await,
        [
            "Bác Bình digest.schedule",
            "keng digest.miss",
            "Bác Bình digest.read",
            "keng digest.send"
        ]
    );
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_of_midnight_tells_of_the_day_that_has_just_ended() {
    let mut ward = Ward::on_disk().await;
    ward.until_the_clock_says(22, 0);
    ward.lan
        .says(ward.five, "#tromcap mất xe Wave ở cổng chợ lúc 21h tối nay");
    ward.hears_only(ward.five).await;
    let said = sets(&ward, &ward.head, "/hen 0h").await;
    assert!(
        said.starts_with("Từ ngày mai, cứ 12 giờ đêm")
            && said.contains("ngày hôm trước của thôn Tân Trúc Tùng"),
        "{said}"
    );
    sets(&ward, &ward.officer, "/hen 23:59").await;
    ward.until_the_clock_says(23, 58);
    ward.hears_nothing(ward.officer.home).await;
    ward.stops().await;
    // Both hours pass while the program is down, one of them still yesterday.
    ward.until_the_clock_says(0, 2);
    ward.starts().await;
    let village = comes(&ward, &ward.head).await;
    assert!(
        village.starts_with("TỔNG HỢP thôn Tân Trúc Tùng, hôm qua")
            && village.contains("Mới ghi nhận: 1 vụ"),
        "{village}"
    );
    let commune = comes(&ward, &ward.officer).await;
    assert!(
        commune.starts_with("TỔNG HỢP") && commune.contains(", hôm qua"),
        "{commune}"
    );
    // Each comes once on the day that follows.
    ward.until_the_clock_says(23, 59);
    comes(&ward, &ward.officer).await;
    ward.hears_nothing(ward.head.home).await;
    ward.until_the_clock_says(0, 0);
    comes(&ward, &ward.head).await;
    ward.hears_nothing(ward.officer.home).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_whose_role_was_taken_back_hears_nothing_any_more() {
    let mut ward = Ward::on_disk().await;
    ward.until_the_clock_says(16, 0);
    let tu = Who::of(&ward.town, "Phạm Văn Tư");
    ward.admin.tells("/moi trưởng thôn Bác Tư, thôn Hạ");
    let invitation = ward.hears_only(ward.admin.home).await.text;
    let (_, start) = invitation.split_once("/start ").unwrap();
    tu.tells(&format!("/start {start}"));
    ward.hears(tu.home).await;
    ward.hears(ward.admin.home).await;
    for who in [&tu, &ward.head, &ward.officer] {
        sets(&ward, who, "/hen 18h").await;
    }
    ward.until_the_clock_says(18, 0);
    for who in [&tu, &ward.head, &ward.officer] {
        comes(&ward, who).await;
    }
    // One invitation is taken back while the program runs, one head leaves the config.
    ward.keng(&["invite", "Bác Tư", "--end"]).unwrap();
    ward.stops().await;
    let head = ward.head.person.id.to_string();
    ward.rewrites_config(|config| {
        let blocks: Vec<&str> = config.split("[[officer]]").collect();
        let kept: Vec<&str> = blocks
            .into_iter()
            .filter(|block| !block.contains(&format!("\"{head}\"")))
            .collect();
        kept.join("[[officer]]")
    });
    ward.starts().await;
    ward.until_the_clock_says(18, 0);
    comes(&ward, &ward.officer).await;
    for who in [&tu, &ward.head] {
        ward.hears_nothing(who.home).await;
        assert_eq!(appointment(&ward, who).await.unwrap().due, None);
    }
    let audited = audited(&ward).await;
    let ended = audited
        .iter()
        .filter(|line| *line == "keng digest.unschedule");
    assert_eq!(ended.count(), 2, "{audited:?}");
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_stays_quiet_unless_it_is_named_and_then_hears_its_own_village_only() {
    let ward = Ward::new().await;
    ward.until_the_clock_says(16, 0);
    ward.minh
        .says(ward.ha, "#danhnhau ở ngõ 12 lúc 15h chiều nay");
    let elsewhere = code(&ward.hears_only(ward.ha).await.text);
    ward.lan
        .tells("#matuy có nhóm chích hút ở nhà hoang thôn Tân Trúc Tùng lúc tối qua");
    let delicate = code(&ward.hears_only(ward.lan.home).await.text);
    // The bot does not know the head's private chat yet.
    ward.head.says(ward.five, "/hen 18h");
    let said = ward.hears_only(ward.five).await.text;
    assert!(said.contains("chỉ gửi riêng"), "{said}");
    sets(&ward, &ward.head, "/hen 17h").await;
    ward.head.says(ward.five, "/hen 18h");
    let said = ward.hears_only(ward.five).await.text;
    assert!(said.contains("vào chỗ nhắn riêng"), "{said}");
    // A head's village, not another's.
    ward.head.says(ward.ha, "/hen 18h vào nhóm");
    let said = ward.hears_only(ward.ha).await.text;
    assert!(said.contains("không gắn với địa bàn phụ trách"), "{said}");
    ward.officer.says(ward.five, "/hen 18h vào nhóm");
    let said = ward.hears_only(ward.five).await.text;
    assert!(
        said.contains("thôn Tân Trúc Tùng vào nhóm này"),
        "the officer's commune is none of the group's business: {said}"
    );
    ward.until_the_clock_says(18, 0);
    let private = comes(&ward, &ward.head).await;
    assert!(
        private.contains(&format!("• {delicate}: ma tuý")),
        "{private}"
    );
    let public = ward.hears(ward.five).await.text;
    assert!(
        public.starts_with("TỔNG HỢP thôn Tân Trúc Tùng, hôm nay")
            && public.contains(&format!("• {delicate}: việc cần kín đáo"))
            && !public.contains("ma tuý")
            && !public.contains(&format!("• {elsewhere}: ")),
        "{public}"
    );
    // Now that the group has one, an hour named there is the group's; and the head may end it.
    ward.head.says(ward.five, "/hen 19h");
    let said = ward.hears_only(ward.five).await.text;
    assert!(said.starts_with("Từ ngày mai, cứ 7 giờ tối"), "{said}");
    ward.officer.says(ward.five, "/hen 18h");
    ward.hears_only(ward.five).await;
    // The group is bound elsewhere: it is not the asker's any more, and nothing comes.
    ward.admin.says(ward.five, "/ganthon cả xã");
    ward.hears_only(ward.five).await;
    ward.head.says(ward.five, "/hen 18h vào nhóm");
    let said = ward.hears_only(ward.five).await.text;
    assert!(said.contains("không gắn với địa bàn phụ trách"), "{said}");
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_was_bound_to_another_village_hears_no_digest_any_more() {
    let ward = Ward::with(Plan::default()).await;
    ward.until_the_clock_says(16, 0);
    ward.head.says(ward.five, "/hen 18h vào nhóm");
    ward.hears_only(ward.five).await;
    ward.admin.says(ward.five, "/ganthon thon-ha");
    ward.hears_only(ward.five).await;
    sets(&ward, &ward.officer, "/hen 18h").await;
    ward.until_the_clock_says(18, 0);
    comes(&ward, &ward.officer).await;
    ward.hears_nothing(ward.five).await;
    let ended = ward.store().appointment(&room(ward.five)).await.unwrap();
    assert_eq!(ended.unwrap().due, None);
    ward.ends().await;
}
