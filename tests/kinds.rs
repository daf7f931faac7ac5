//! The counts of words by category are those of the labelled messages.
//!
//! `KENG_COUNT=write cargo test --test kinds` counts them anew after messages were added.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use keng::text::fold::fold;
use keng::text::kinds::counted;
use keng::text::lexicon::Lexicon;
use keng::text::{tag, token};
use serde_json::Value;

type Counts = BTreeMap<String, usize>;

/// The messages that people labelled, each once, with their primary category.
fn labelled() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vi");
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the fixtures are there")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
        .collect();
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(path).expect("a readable file");
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).expect("a JSON line");
            let primary = row["expect"]["primary"].as_str();
            if let (Some(text), Some(primary)) = (row["text"].as_str(), primary)
                && seen.insert(text.to_owned())
            {
                all.push((text.to_owned(), primary.to_owned()));
            }
        }
    }
    all
}

fn words(text: &str, lexicon: &Lexicon) -> BTreeSet<String> {
    let tags = tag::tags(text, lexicon);
    let tokens = token::tokens(text);
    let inside = |token: &token::Token| {
        tags.iter()
            .any(|tag| tag.start <= token.start && token.end <= tag.end)
    };
    let words: Vec<String> = counted(&tokens, inside)
        .map(|token| fold(text.get(token.start..token.end).unwrap_or_default()))
        .collect();
    let pairs = words.windows(2).map(|pair| pair.join(" "));
    let mut found: BTreeSet<String> = pairs.collect();
    found.extend(words);
    // Words are written as they are read: without signs inside.
    found.retain(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == ' '));
    found
}

fn line(words: &str, counts: &Counts) -> String {
    let counts: Vec<_> = counts
        .iter()
        .map(|(category, count)| format!("{category} {count}"))
        .collect();
    format!("{words}\t{}\n", counts.join(" "))
}

#[test]
fn the_counts_are_those_of_the_labelled_messages() {
    let lexicon = Lexicon::builtin().expect("the built-in lexicon loads");
    let mut by_word: BTreeMap<String, Counts> = BTreeMap::new();
    let mut messages = Counts::new();
    for (text, primary) in labelled() {
        *messages.entry(primary.clone()).or_default() += 1;
        for word in words(&text, &lexicon) {
            *by_word
                .entry(word)
                .or_default()
                .entry(primary.clone())
                .or_default() += 1;
        }
    }
    let mut counted = String::from(
        "# In how many labelled messages a word or a pair of words stands, by category; first the messages.\n\
         # Counted by tests/kinds.rs; see src/text/kinds.rs.\n",
    );
    counted += &line("", &messages);
    for (word, counts) in &by_word {
        // Said once it says nothing.
        if counts.values().sum::<usize>() > 1 {
            counted += &line(word, counts);
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/lexicon/kinds.tsv");
    if std::env::var("KENG_COUNT").is_ok_and(|value| value == "write") {
        std::fs::write(path, counted).expect("the file can be written");
        return;
    }
    let stored = std::fs::read_to_string(path).expect("the counts are there");
    assert!(
        stored == counted,
        "config/lexicon/kinds.tsv is not what the fixtures say: KENG_COUNT=write cargo test --test kinds"
    );
}
