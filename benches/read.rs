//! How fast messages are read: the samples, chatter at the door, and a message of 1 MB.
//!
//! `cargo bench --bench read`

use std::hint::black_box;
use std::time::{Duration, Instant};

use chrono::DateTime;
use keng::text::lexicon::Lexicon;
use keng::text::{Addressing, is_addressed, read};

/// Long enough for a steady figure on a shared machine.
const WINDOW: Duration = Duration::from_secs(2);

fn main() -> anyhow::Result<()> {
    let started = Instant::now();
    let lexicon = Lexicon::builtin()?;
    println!(
        "load the lexicon          {:>10.1} ms",
        started.elapsed().as_secs_f64() * 1e3
    );
    let names = ["anttbot".to_owned(), "Bot ANTT".to_owned()];
    let group = Addressing {
        private: false,
        reply_to_bot: false,
        mentioned: false,
        bot_names: &names,
    };
    let now = DateTime::parse_from_rfc3339("2026-11-24T09:00:00+07:00")?;
    let mut all = Vec::new();
    for line in include_str!("../tests/fixtures/vi/samples.jsonl").lines() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        all.push((
            row["text"].as_str().unwrap_or_default().to_owned(),
            row["kind"] == "report",
        ));
    }
    let texts = |reports: bool| {
        all.iter()
            .filter(|(_, is)| *is == reports)
            .map(|(text, _)| text.clone())
            .collect::<Vec<_>>()
    };
    let every: Vec<String> = all.iter().map(|(text, _)| text.clone()).collect();
    rate("read all samples", &every, |text| {
        read(text, &group, &lexicon, now).incidents.len()
    });
    rate("read the reports", &texts(true), |text| {
        read(text, &group, &lexicon, now).incidents.len()
    });
    rate("read the chatter", &texts(false), |text| {
        read(text, &group, &lexicon, now).incidents.len()
    });
    rate("door, chatter", &texts(false), |text| {
        usize::from(is_addressed(text, &group, &lexicon))
    });
    let report = texts(true).join(" ");
    let floods = [
        ("reports", report.as_str()),
        ("hashtags", "#tromcap"),
        ("at signs", "@a "),
        ("gates", "cổng "),
        ("clock times", "2h "),
        ("phones", "0912345678 "),
        ("marks", "a\u{323}\u{302}"),
        ("emoji", "🔥"),
    ];
    for (name, piece) in floods {
        let flood = format!("#tromcap {}", piece.repeat(1_000_000 / piece.len()));
        let started = Instant::now();
        black_box(read(&flood, &group, &lexicon, now));
        println!(
            "1 MB of {name:<17} {:>10.1} ms",
            started.elapsed().as_secs_f64() * 1e3
        );
    }
    Ok(())
}

fn rate(name: &str, texts: &[String], work: impl Fn(&str) -> usize) {
    let started = Instant::now();
    let mut count = 0_u32;
    while started.elapsed() < WINDOW {
        for text in texts {
            black_box(work(text));
        }
        count += u32::try_from(texts.len()).unwrap_or(0);
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{name:<25} {:>10.0} /s  {:>8.2} us each",
        f64::from(count) / seconds,
        seconds * 1e6 / f64::from(count)
    );
}
