//! Records leave beside the running program: exports, backups, and a new home for them.

use std::collections::BTreeSet;

use keng::web::export::Pages;
use keng::web::export::What;
use serde_json::Value;

use crate::support::Ward;
use crate::support::code;

const WHOLE: &str = "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng nay";

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A ward with a case and an alert.
async fn busy_ward() -> (Ward, i64, String) {
    let ward = Ward::on_disk().await;
    let id = ward.lan.says(ward.five, WHOLE);
    let code = code(&ward.hears_only(ward.five).await.text);
    let preview = ward.drafts("Nước lên nhanh").await;
    ward.officer.presses(&preview, "Gửi");
    ward.hears(ward.five).await;
    ward.hears(ward.ha).await;
    ward.hears_where(ward.officer.home, |sent| sent.text.contains("cả 2 nhóm"))
        .await;
    ward.settles().await;
    ward.hears_all(ward.officer.home);
    (ward, id, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_beside_the_running_program_and_without_it_are_the_same() {
    let (mut ward, id, code) = busy_ward().await;
    let all = ["incidents", "alerts", "deliveries", "audit"];
    let running: Vec<String> = all
        .iter()
        .map(|what| ward.keng(&["export", what]).unwrap())
        .collect();
    let incidents = lines(&running[0]);
    assert_eq!(incidents.len(), 1);
    let case = &incidents[0];
    assert_eq!(case["code"].as_str().unwrap(), code);
    assert_eq!(case["account"], "tg1");
    assert!(case["room"].to_string().contains(&ward.five.id.to_string()));
    assert!(case["message_id"].to_string().contains(&id.to_string()));
    assert_eq!(case["status"], "new");
    assert_eq!(case["reading"]["primary"], "theft");
    assert!(case["received_at"].is_string());
    assert!(
        !running[0].contains(&ward.lan.person.id.to_string()),
        "{}",
        running[0]
    );
    assert!(!running[0].contains("Lan"));
    assert!(
        lines(&running[1])[0]["text"]
            .to_string()
            .contains("Nước lên nhanh")
    );
    let deliveries = lines(&running[2]);
    assert_eq!(deliveries.len(), 2);
    assert!(deliveries.iter().all(|row| row["state"] == "sent"));
    assert!(!lines(&running[3]).is_empty());
    ward.stops().await;
    for (what, text) in all.iter().zip(&running) {
        assert_eq!(&ward.keng(&["export", what]).unwrap(), text, "{what}");
    }
    ward.starts().await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_ends_between_two_pages_of_an_export_is_listed_once() {
    let ward = Ward::new().await;
    let groups = ward.more_groups(4).await;
    let preview = ward.drafts("Nước lên nhanh").await;
    for chat in groups.iter().chain([&ward.five, &ward.ha]) {
        ward.town
            .flood_wait(Some(*chat), std::time::Duration::from_secs(1));
    }
    ward.officer.presses(&preview, "Gửi");
    ward.until("every room waits", async || {
        ward.deliveries().await.len() == 6
    })
    .await;
    // Two rows are read while they wait; the others when all have ended.
    let mut pages = Pages::new(ward.store(), What::Deliveries, 2);
    let mut rows = pages.next().await.unwrap().unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row["state"] != "sent"), "{rows:?}");
    ward.hears_where(ward.officer.home, |sent| sent.text.contains("cả 6 nhóm"))
        .await;
    while let Some(more) = pages.next().await.unwrap() {
        rows.extend(more);
    }
    let ids: BTreeSet<_> = rows.iter().map(|row| row["id"].as_u64().unwrap()).collect();
    assert_eq!((rows.len(), ids.len()), (6, 6), "{rows:?}");
    ward.settles().await;
    for chat in groups.into_iter().chain([ward.five, ward.ha]) {
        ward.hears_only(chat).await;
    }
    ward.hears_all(ward.officer.home);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_written_for_spreadsheets() {
    let (ward, _, code) = busy_ward().await;
    let csv = ward
        .keng(&["export", "incidents", "--format", "csv"])
        .unwrap();
    assert!(csv.lines().next().unwrap().contains("code"), "{csv}");
    assert!(csv.contains(&code));
    let sheet = ward.home.path().join("vu-viec.xlsx");
    let path = sheet.to_str().unwrap();
    ward.keng(&["export", "incidents", "--format", "xlsx", "--output", path])
        .unwrap();
    assert!(std::fs::read(&sheet).unwrap().starts_with(b"PK"));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_the_running_program_is_restored_elsewhere_and_clean() {
    let (mut ward, _, code) = busy_ward().await;
    let before = ward.keng(&["export", "incidents"]).unwrap();
    let backup = ward.home.path().join("ban-sao");
    let path = backup.to_str().unwrap().to_owned();
    let said = ward.keng(&["backup", &path]).unwrap();
    assert!(said.contains("keys"), "{said}");
    // What comes after the copy is not in it.
    ward.minh
        .says(ward.five, "#danhnhau ở ngõ 12 lúc 20h tối nay");
    ward.hears_only(ward.five).await;
    let refused = ward.keng(&["restore", &path]).unwrap_err();
    assert!(!refused.is_empty());
    ward.stops().await;
    assert!(ward.keng(&["verify"]).is_ok());
    let (old, new) = (ward.store_dir(), ward.home.path().join("nha-moi"));
    let swap = |config: &str| config.replace(old.to_str().unwrap(), new.to_str().unwrap());
    ward.rewrites_config(swap);
    ward.keng(&["restore", &path]).unwrap();
    ward.keng(&["verify"]).unwrap();
    assert_eq!(ward.keng(&["export", "incidents"]).unwrap(), before);
    // The restored records go on: new codes do not repeat old ones.
    ward.starts().await;
    ward.minh
        .says(ward.five, "#danhnhau ở ngõ 14 lúc 20h tối nay");
    let receipt = ward.hears_only(ward.five).await;
    assert_ne!(crate::support::code(&receipt.text), code);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_command_asks_the_running_program() {
    let mut ward = Ward::on_disk().await;
    assert_eq!(ward.keng(&["health"]).unwrap(), "ok\n");
    ward.stops().await;
    assert!(
        ward.keng(&["health"])
            .unwrap_err()
            .contains("does not answer")
    );
    ward.starts().await;
    ward.ends().await;
}
