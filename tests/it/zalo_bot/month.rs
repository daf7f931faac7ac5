//! A month whose messages run out.

use chrono::TimeDelta;
use keng::sim::zalo_bot::Quota;
use keng::sim::zalo_bot::Switches;

use super::quarter::Plan;
use super::quarter::Quarter;
use crate::support::logged;

const WHOLE: &str = "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng nay";

/// The platform counts as strictly as we do.
fn plan(account: &'static str, monthly: u64) -> Plan {
    Plan {
        account,
        switches: Switches {
            quota: Some(Quota {
                monthly,
                both_ways: true,
            }),
            ..Switches::default()
        },
        ..Plan::default()
    }
}

/// A gauge or counter of the account.
async fn shown(quarter: &Quarter, name: &str) -> u64 {
    let text = quarter.metrics().await;
    let start = format!("keng_{name}{{account=\"zb1\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_in_and_what_goes_out_is_counted_once_and_survives_a_restart() {
    let mut quarter = Quarter::greeted(Plan {
        sled: true,
        ..plan("monthly_quota = 1000", 1000)
    })
    .await;
    quarter.lan.calls(&quarter.dinh, WHOLE);
    quarter.hears_only(&quarter.dinh).await;
    quarter.minh.calls(&quarter.dinh, "bóng đá mấy giờ thế");
    quarter
        .zalo
        .sticker(&quarter.minh.person, &quarter.minh.home);
    quarter.hears_nothing(&quarter.dinh).await;
    // Two mentions, a report and a sticker came in; the notice and a receipt went out.
    let used = quarter.zalo.stats().used;
    assert_eq!(used, 6);
    quarter
        .until("the month is not counted", async || {
            shown(&quarter, "month_used").await == used
        })
        .await;
    quarter.stops().await;
    quarter.starts().await;
    quarter
        .until("the month is forgotten", async || {
            shown(&quarter, "month_used").await == used
        })
        .await;
    assert_eq!(shown(&quarter, "month_limit").await, 1000);
    assert_eq!(shown(&quarter, "month_reserve").await, 100);
    quarter.later(TimeDelta::days(32));
    quarter.lan.tells("rút 1");
    quarter.hears_only(&quarter.lan.home).await;
    quarter
        .until("a new month begins with nothing", async || {
            shown(&quarter, "month_used").await == 2
        })
        .await;
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_is_warned_then_receipts_are_withheld_and_alerts_still_go() {
    let quarter = Quarter::greeted(plan("monthly_quota = 40\nquota_reserve = 8", 40)).await;
    // The administrator has spoken to the bot in private.
    quarter.admin.tells("/nhom");
    quarter.hears_only(&quarter.admin.home).await;
    let mut reports = 0;
    let report = |number: usize| format!("#tromcap mất xe ở ngõ {number} lúc 3h sáng nay");
    while quarter.zalo.stats().used < 28 {
        quarter.lan.calls(&quarter.dinh, &report(reports));
        reports += 1;
        quarter.hears_only(&quarter.dinh).await;
    }
    let warned = quarter.hears(&quarter.admin.home).await;
    assert!(warned.text.contains("trên 40 tin"), "{}", warned.text);
    assert!(logged("70 % of the month's messages are used"));
    // From now on receipts wait for each other, up to the reserve.
    while quarter.zalo.stats().used < 33 {
        quarter.lan.calls(&quarter.dinh, &report(reports));
        reports += 1;
        assert!(quarter.zalo.wait_taken(crate::support::PATIENCE).await);
    }
    quarter.hears_all(&quarter.admin.home);
    assert_eq!(
        quarter.zalo.sent(&quarter.dinh).len(),
        1 + 12,
        "receipts wait"
    );
    quarter.later(TimeDelta::seconds(61));
    // The alert goes all the same, with its preview and its report.
    quarter.drafts("Nước lên nhanh").await;
    quarter.officer.tells("OK");
    quarter
        .hears_where(&quarter.dinh, |sent| sent.text.contains("Nước lên nhanh"))
        .await;
    quarter
        .hears_where(&quarter.officer.home, |sent| {
            sent.text.contains("đã gửi xong")
        })
        .await;
    quarter.settles().await;
    quarter.hears_nothing(&quarter.dinh).await;
    assert!(shown(&quarter, "month_withheld_total").await >= 4);
    // What was not answered is recorded.
    assert_eq!(quarter.records().await.len(), reports);
    assert_eq!(
        quarter.zalo.stats().over,
        0,
        "the platform never had to refuse"
    );
    quarter.hears_all(&quarter.admin.home);
    quarter.hears_all(&quarter.officer.home);
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scarce_receipts_of_one_room_leave_in_one_message() {
    let quarter = Quarter::greeted(plan("monthly_quota = 20\nquota_reserve = 0", 20)).await;
    let report = |number: usize| format!("#tromcap mất xe ở ngõ {number} lúc 3h sáng nay");
    let says = async |number: usize| {
        quarter.lan.calls(&quarter.dinh, &report(number));
        assert!(quarter.zalo.wait_taken(crate::support::PATIENCE).await);
    };
    for number in 0..6 {
        says(number).await;
        quarter.hears_only(&quarter.dinh).await;
    }
    // Fourteen of twenty.
    quarter
        .until("the month is not known to be scarce", async || {
            shown(&quarter, "month_used").await == 14
        })
        .await;
    for number in 6..9 {
        says(number).await;
    }
    assert_eq!(quarter.records_now().await, 9);
    quarter.later(TimeDelta::seconds(61));
    // The next message, whatever it is, has the program look at the time.
    quarter.minh.calls(&quarter.dinh, "bóng đá mấy giờ thế");
    let folded = quarter.hears_only(&quarter.dinh).await;
    assert!(folded.text.contains("3 tin báo"), "{}", folded.text);
    quarter.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_limit_nothing_is_counted() {
    let quarter = Quarter::greeted(Plan {
        account: "monthly_quota = 0",
        ..Plan::default()
    })
    .await;
    quarter.lan.calls(&quarter.dinh, WHOLE);
    quarter.hears_only(&quarter.dinh).await;
    assert!(!quarter.metrics().await.contains("month_used"));
    quarter.ends().await;
}
