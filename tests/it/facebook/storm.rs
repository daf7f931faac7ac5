//! Everybody writes at once.

use super::*;

#[tokio::test]
async fn ten_thousand_tagged_comments_under_one_post_are_each_recorded_once() {
    let ward = Ward::with(Plan {
        sled: true,
        more: "limits = { per_second = 20, room_per_minute = 240 }",
        ..Plan::default()
    })
    .await;
    // Everything is told twice.
    ward.facebook.switch(|switches| switches.repeats = true);
    let people: Vec<Person> = (0..500)
        .map(|n| ward.facebook.add_person(&format!("Bà con {n}")))
        .collect();
    let mut wanted = HashSet::new();
    for n in 0..10_000 {
        // Every one of another place, so that none is taken for another's.
        let text = format!("#tromcap mất xe ở ngõ {n} lúc 3h sáng nay");
        wanted.insert(ward.comments(&people[n % people.len()], &text));
    }
    let begun = tokio::time::Instant::now();
    let end = begun + Duration::from_secs(300);
    let store = ward.store();
    while ward.facebook.stats().pending > 0 || {
        let backlog = store.backlog().await.unwrap();
        backlog.urgent + backlog.reply + backlog.bulk > 0
    } {
        assert!(
            tokio::time::Instant::now() < end,
            "{:?}",
            ward.facebook.stats()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut records = Vec::new();
    let mut from = Some(Cursor::default());
    while let Some(cursor) = from {
        let (page, next) = store.scan_incidents(&cursor, 500).await.unwrap();
        records.extend(page);
        from = next;
    }
    assert_eq!(records.len(), 10_000);
    let recorded: HashSet<String> = records
        .iter()
        .flat_map(|case| &case.reports)
        .map(|report| report.message.to_string())
        .collect();
    assert_eq!(recorded, wanted);
    // Every code is told under the post, in few messages.
    let heard = ward.hears_all();
    assert!(heard.len() < 400, "{} messages", heard.len());
    assert!(
        heard
            .iter()
            .all(|sent| sent.post.as_deref() == Some(ward.post.as_str()))
    );
    let told: HashSet<&str> = heard
        .iter()
        .flat_map(|sent| sent.text.split(|c: char| !c.is_ascii_digit()))
        .collect();
    let is_told = |case: &&Incident| told.contains(case.id.to_string().as_str());
    let receipts = records.iter().filter(is_told).count();
    println!(
        "10,000 comments, each told twice: {} recorded, {receipts} receipts in {} comments, {:.1} s",
        recorded.len(),
        heard.len(),
        begun.elapsed().as_secs_f64()
    );
    assert_eq!(receipts, 10_000);
    ward.ends().await;
}
