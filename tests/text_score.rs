//! The samples are read as well as they were when this was written.

use chrono::DateTime;
use keng::domain::reading::{Outcome, Reading};
use keng::text::lexicon::Lexicon;
use keng::text::{Addressing, is_addressed, read};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

fn readings() -> Vec<(Value, Reading)> {
    let lexicon = Lexicon::builtin().expect("the built-in lexicon loads");
    let names = ["anttbot".to_owned(), "Bot ANTT".to_owned()];
    let group = Addressing {
        private: false,
        reply_to_bot: false,
        mentioned: false,
        bot_names: &names,
    };
    include_str!("fixtures/vi/samples.jsonl")
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).expect("a JSON line");
            let text = row["text"].as_str().unwrap_or_default();
            let now = DateTime::parse_from_rfc3339(row["sent_at"].as_str().unwrap_or_default())
                .expect("a time");
            let reading = read(text, &group, &lexicon, now);
            assert_eq!(
                is_addressed(text, &group, &lexicon),
                reading.outcome != Outcome::Ignore,
                "the door and the reader differ: {text}"
            );
            (row, reading)
        })
        .collect()
}

#[test]
fn every_tagged_sample_is_a_report_and_no_chatter_is() {
    for (row, reading) in readings() {
        let want = if row["kind"] == "report" {
            Outcome::Report
        } else {
            Outcome::Ignore
        };
        assert_eq!(reading.outcome, want, "{}", row["text"]);
    }
}

#[test]
fn the_facts_of_the_samples_are_found() {
    let (mut reports, mut primary, mut urgent, mut places) = (0, 0, 0, 0);
    for (row, reading) in readings().iter().filter(|(row, _)| row["kind"] == "report") {
        let facts = reading.incidents.first().expect("a report has an incident");
        let want = &row["expect"];
        reports += 1;
        primary += i32::from(want["primary"] == facts.primary.as_str());
        urgent += i32::from(want["urgent"] == facts.urgent);
        let place: String = facts.place.as_deref().unwrap_or("").nfc().collect();
        let wanted: String = want["place"].as_str().unwrap_or("").nfc().collect();
        places += i32::from(
            place == wanted
                || !wanted.is_empty()
                    && !place.is_empty()
                    && (place.contains(&wanted) || wanted.contains(&place)),
        );
        for (kind, found) in [
            ("phones", &facts.phones),
            ("plates", &facts.plates),
            ("urls", &facts.urls),
            ("handles", &facts.handles),
        ] {
            assert_eq!(
                want[kind],
                serde_json::json!(found),
                "{kind} of {}",
                row["text"]
            );
        }
    }
    let least = reports * 95 / 100;
    assert!(
        primary >= least && urgent >= least && places >= least,
        "of {reports}: primary {primary}, urgent {urgent}, place {places}"
    );
}
