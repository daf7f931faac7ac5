//! One-time codes by which somebody becomes an officer or a head.

use chrono::TimeDelta;

use crate::support::Ward;
use crate::support::Who;
use crate::support::logged;

/// The code in an invitation.
fn code(text: &str) -> String {
    let (_, code) = text
        .split_once("/start ")
        .unwrap_or_else(|| panic!("no code: {text}"));
    code.trim().to_owned()
}

/// Invites in the administrator's private chat.
async fn invites(ward: &Ward, words: &str) -> String {
    ward.admin.tells(&format!("/moi {words}"));
    let invitation = ward.hears_only(ward.admin.home).await;
    code(&invitation.text)
}

/// Takes the invitation; what the bot says then.
async fn takes(ward: &Ward, who: &Who, code: &str) -> String {
    who.tells(&format!("/start {code}"));
    ward.hears_where(who.home, |_| true).await.text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invited_head_reads_the_digest_of_the_village_and_nothing_else() {
    let mut ward = Ward::on_disk().await;
    let binh = Who::of(&ward.town, "Phạm Văn Bính");
    binh.tells("/tonghop");
    let refused = ward.hears_only(binh.home).await;
    let code = invites(&ward, "trưởng thôn Bác Tư, thôn Hạ").await;
    let welcome = takes(&ward, &binh, &code).await;
    assert!(welcome.contains("Chào Bác Tư"), "{welcome}");
    let told = ward.hears_only(ward.admin.home).await;
    assert_eq!(told.text, "Bác Tư đã nhận lời mời.");
    binh.tells("tổng hợp");
    let digest = ward.hears_only(binh.home).await;
    assert!(
        digest.text.starts_with("TỔNG HỢP thôn Hạ"),
        "{}",
        digest.text
    );
    binh.tells("/canhbao nước lên");
    assert_eq!(ward.hears_only(binh.home).await.text, refused.text);
    let kept = format!("{:?}", ward.store().invites().await.unwrap());
    assert!(kept.contains("Bác Tư") && !kept.contains(&code) && !logged(&code));
    assert!(!kept.contains(&code.replace('-', "")));
    // It holds after a start.
    ward.stops().await;
    ward.starts().await;
    binh.tells("/tonghop");
    let digest = ward.hears_only(binh.home).await;
    assert!(digest.text.starts_with("TỔNG HỢP"), "{}", digest.text);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invited_officer_takes_cases_and_sends_alerts() {
    let ward = Ward::new().await;
    let nam = Who::of(&ward.town, "Lê Hoài Nam");
    let code = invites(&ward, "cán bộ Đ/c Nam").await;
    // As a telephone types it.
    takes(&ward, &nam, &code.to_lowercase().replace('-', " ")).await;
    ward.hears(ward.admin.home).await;
    nam.tells("/canhbao Nước lên nhanh");
    let preview = ward.hears_only(nam.home).await;
    assert!(preview.text.starts_with("CHƯA GỬI"), "{}", preview.text);
    nam.tells("OK");
    ward.hears(ward.five).await;
    ward.hears(ward.ha).await;
    ward.settles().await;
    ward.hears_all(nam.home);
    // A colleague can hand a case over by the name of the invitation.
    ward.lan
        .says(ward.five, "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng nay");
    let case = crate::support::code(&ward.hears_only(ward.five).await.text);
    ward.officer.tells(&format!("/giao {case} Nam"));
    let done = ward.hears(ward.officer.home).await;
    assert!(done.text.contains("đã giao cho Đ/c Nam"), "{}", done.text);
    let given = ward.hears_where(nam.home, |_| true).await;
    assert!(given.text.contains("Đ/c Hà giao vụ"), "{}", given.text);
    ward.hears(ward.five).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_good_once_for_one_person_and_some_hours() {
    let ward = Ward::new().await;
    let code = invites(&ward, "cán bộ Đ/c Nam").await;
    // Two people with one code, in one batch.
    ward.town.hold_updates(true);
    ward.lan.tells(&format!("/start {code}"));
    ward.minh.tells(&format!("/start {code}"));
    ward.town.hold_updates(false);
    let (lan, minh) = (
        ward.hears(ward.lan.home).await.text,
        ward.hears(ward.minh.home).await.text,
    );
    let welcome = |text: &str| text.starts_with("Chào Đ/c Nam");
    assert!(welcome(&lan) != welcome(&minh), "{lan}\n{minh}");
    ward.hears(ward.admin.home).await;
    let other = Who::of(&ward.town, "Người Khác");
    let used = takes(&ward, &other, &code).await;
    // A wrong code, an old one, and one that a newer invitation has replaced are told alike.
    assert_eq!(takes(&ward, &other, "2345-6789-ABCD-EFGH").await, used);
    let replaced = invites(&ward, "trưởng thôn Bác Tư, thôn Hạ").await;
    let old = invites(&ward, "trưởng thôn Bác Tư, thôn Hạ").await;
    assert_eq!(takes(&ward, &other, &replaced).await, used);
    ward.later(TimeDelta::hours(49));
    assert_eq!(takes(&ward, &other, &old).await, used);
    // What is no code at all opens the chat as ever.
    assert!(takes(&ward, &other, "quangcao").await.contains("/bao"));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_invites_beside_the_running_program_and_without_it() {
    let mut ward = Ward::on_disk().await;
    let area = ["--role", "head", "--area", "06862/thon-ha"];
    let keng = |ward: &Ward, name: &str, more: &[&str]| {
        let mut args = vec!["invite", name];
        args.extend(more);
        ward.keng(&args)
    };
    let running = code(&keng(&ward, "Bác Tư", &area).unwrap());
    ward.stops().await;
    let stopped = code(&keng(&ward, "Bác Năm", &area).unwrap());
    ward.starts().await;
    for (who, code) in [(&ward.lan, running), (&ward.minh, stopped)] {
        let welcome = takes(&ward, who, &code).await;
        assert!(welcome.contains("thôn Hạ"), "{welcome}");
        who.tells("/tonghop");
        let digest = ward.hears_only(who.home).await;
        assert!(digest.text.starts_with("TỔNG HỢP"), "{}", digest.text);
    }
    for (name, more, why) in [
        ("Bác Tư", &area[..], "has this name already"),
        (
            "Bác Sáu",
            &["--role", "head", "--area", "99999"],
            "no commune",
        ),
        ("Bác Sáu", &["--role", "admin", "--area", "06862"], "admin"),
        ("Bác Sáu", &["--end"], "nobody was invited"),
        ("Bác Sáu", &[&area[..], &["--hours", "0"]].concat(), "hours"),
    ] {
        let error = keng(&ward, name, more).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    keng(&ward, "Bác Tư", &["--end"]).unwrap();
    ward.lan.tells("/tonghop");
    let refused = ward.hears_only(ward.lan.home).await;
    assert!(
        refused.text.starts_with("Lệnh này không dùng được"),
        "{}",
        refused.text
    );
    let list = ward.keng(&["invite", "--list"]).unwrap();
    assert!(
        list.contains("Bác Tư: head in 06862/thon-ha, ended"),
        "{list}"
    );
    assert!(
        list.contains("Bác Năm: head in 06862/thon-ha, used"),
        "{list}"
    );
    ward.stops().await;
    ward.keng(&["verify"]).unwrap();
    ward.starts().await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_cannot_be_tried_one_after_another() {
    let ward = Ward::new().await;
    let code = invites(&ward, "cán bộ Đ/c Nam").await;
    for number in 0..12 {
        ward.lan
            .tells(&format!("/start 2345-6789-ABCD-EFG{}", number % 8 + 2));
    }
    ward.lan.tells(&format!("/start {code}"));
    ward.settles().await;
    let answers = ward.hears_all(ward.lan.home);
    assert_eq!(answers.len(), 11, "{answers:#?}");
    assert!(answers.iter().all(|sent| !sent.text.contains("Nam")));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_administrator_invites_and_only_in_private() {
    let ward = Ward::new().await;
    let mut answers = std::collections::BTreeSet::new();
    for who in [&ward.lan, &ward.head, &ward.officer] {
        who.tells("/moi cán bộ Đ/c Nam");
        answers.insert(ward.hears_only(who.home).await.text);
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    ward.admin.says(ward.five, "/moi cán bộ Đ/c Nam");
    let refused = ward.hears_only(ward.five).await;
    assert!(!refused.text.contains("/start"), "{}", refused.text);
    for (words, wanted) in [
        ("", "Xin ghi vai trò"),
        ("Bác Tư", "Xin ghi vai trò"),
        ("trưởng thôn Bác Tư", "Xin ghi vai trò"),
        ("trưởng thôn Bác Tư, Móng Cái", "Không rõ mời phụ trách"),
        ("cán bộ đ/c hà", "Đã có người tên đ/c hà"),
    ] {
        ward.admin.tells(&format!("/moi {words}"));
        let told = ward.hears_only(ward.admin.home).await;
        assert!(told.text.starts_with(wanted), "{words}: {}", told.text);
    }
    // Whoever has a role keeps it, and the code stays good for somebody else.
    let code = invites(&ward, "cán bộ Đ/c Nam").await;
    let told = takes(&ward, &ward.head, &code).await;
    assert!(told.contains("đã có vai trò"), "{told}");
    assert!(
        takes(&ward, &ward.lan, &code)
            .await
            .starts_with("Chào Đ/c Nam")
    );
    ward.hears(ward.admin.home).await;
    // In a group a code means nothing.
    let code = invites(&ward, "cán bộ Đ/c Tú").await;
    ward.minh.says(ward.five, &format!("/start {code}"));
    ward.hears_nothing(ward.five).await;
    ward.ends().await;
}
