//! How fast messages are read: the samples, chatter at the door, and messages of 1 MB that nobody means.
//!
//! `cargo bench --bench read`

use std::hint::black_box;
use std::time::{Duration, Instant};

use chrono::DateTime;
use keng::text::lexicon::Lexicon;
use keng::text::{Addressing, is_addressed, read};

/// Long enough for a steady figure on a shared machine.
const WINDOW: Duration = Duration::from_secs(2);

#[path = "read/floods.rs"]
mod floods;

/// What the process holds in memory, in MB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes
        .and_then(|kb| kb.trim().parse::<f64>().ok())
        .unwrap_or(0.0)
        / 1024.0
}

fn main() -> anyhow::Result<()> {
    let before = resident();
    let started = Instant::now();
    let lexicon = Lexicon::builtin()?;
    println!(
        "load the lexicon          {:>10.1} ms",
        started.elapsed().as_secs_f64() * 1e3
    );
    // With what parsing its files took and gave back.
    println!(
        "memory with the lexicon   {:>10.1} MB more than before",
        resident() - before
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
    let pieces = floods::FLOODS
        .iter()
        .copied()
        .chain([("reports", report.as_str())]);
    let mut floods: Vec<(Duration, &str)> = Vec::new();
    for (name, piece) in pieces {
        let flood = floods::flood(piece, 1_000_000);
        let once = || {
            let started = Instant::now();
            black_box(read(&flood, &group, &lexicon, now));
            started.elapsed()
        };
        floods.push(((0..5).map(|_| once()).min().unwrap_or_default(), name));
    }
    floods.sort();
    for (took, name) in floods.iter().rev() {
        println!("1 MB of {name:<22} {:>6.1} ms", took.as_secs_f64() * 1e3);
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
