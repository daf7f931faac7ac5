//! What is known of words is what the labelled messages say.
//!
//! `KENG_COUNT=write cargo test --test kinds` counts the words anew after messages were added,
//! `KENG_TRAIN=write` learns the weights of all signs anew, and `KENG_TRAIN=compare` tells how well weights
//! learned without the messages of one hand read that hand's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::DateTime;
use keng::domain::reading::Category;
use keng::text::category::told;
use keng::text::fold::fold;
use keng::text::kinds::{COLUMNS, CUES, EARNEST, ROWS, TAGS, URGENCY, learned_from};
use keng::text::lexicon::Lexicon;
use keng::text::{Addressing, shown, tag, token};
use serde_json::Value;

#[path = "kinds/learn.rs"]
mod learn;

use learn::{Example, learn, strengths, sums};

/// The files of messages that people labelled, by name.
fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vi");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the fixtures are there")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
        .collect();
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        (name.into_owned(), text)
    };
    paths.into_iter().map(read).collect()
}

/// Messages written to learn kinds from, not as a group's messages come.
const LESSONS: &str = "lesson_";

/// The labelled reports of group chats, each once.
fn labelled() -> Vec<String> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    for (_, text) in files()
        .iter()
        .filter(|(name, _)| !name.starts_with(LESSONS))
    {
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).expect("a JSON line");
            if let Some(text) = row["text"].as_str()
                && row["expect"]["primary"].is_string()
                && seen.insert(text.to_owned())
            {
                all.push(text.to_owned());
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
    let counted = |token: &&token::Token| !token.is_number() && !inside(token);
    let words: Vec<String> = tokens
        .iter()
        .filter(counted)
        .map(|token| fold(text.get(token.start..token.end).unwrap_or_default()))
        .collect();
    let pairs = words.windows(2).map(|pair| pair.join(" "));
    let mut found: BTreeSet<String> = pairs.collect();
    found.extend(words);
    // Words are written as they are read: without signs inside.
    found.retain(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == ' '));
    found
}

#[test]
fn the_counts_are_those_of_the_labelled_messages() {
    let lexicon = Lexicon::builtin().expect("the built-in lexicon loads");
    let messages = labelled();
    let mut by_word: BTreeMap<String, usize> = BTreeMap::new();
    for text in &messages {
        for word in words(text, &lexicon) {
            *by_word.entry(word).or_default() += 1;
        }
    }
    let mut counted = format!(
        "# In how many labelled messages a word or a pair of words stands; first how many messages there are.\n\
         # Counted by tests/kinds.rs; see src/text/often.rs.\n\t{}\n",
        messages.len()
    );
    // Said once it says nothing.
    for (word, count) in by_word.iter().filter(|(_, count)| **count > 1) {
        counted += &format!("{word}\t{count}\n");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/lexicon/often.tsv");
    if std::env::var("KENG_COUNT").is_ok_and(|value| value == "write") {
        std::fs::write(path, counted).expect("the file can be written");
        return;
    }
    let stored = std::fs::read_to_string(path).expect("the counts are there");
    assert!(
        stored == counted,
        "config/lexicon/often.tsv is not what the fixtures say: KENG_COUNT=write cargo test --test kinds"
    );
}

/// A labelled message, and the name of the file it stands in.
struct Lesson {
    hand: String,
    example: Example,
    categories: BTreeSet<usize>,
}

fn column(name: &Value) -> usize {
    let category = name.as_str().and_then(Category::parse);
    category.expect("a category") as usize
}

/// Everything there is to learn from.
fn lessons() -> Vec<Lesson> {
    let lexicon = Lexicon::builtin().expect("the built-in lexicon loads");
    let names = ["anttbot".to_owned(), "Bot ANTT".to_owned()];
    let group = Addressing {
        private: false,
        reply_to_bot: false,
        mentioned: false,
        bot_names: &names,
    };
    let mut lessons = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, rows) in files() {
        for line in rows.lines() {
            let row: Value = serde_json::from_str(line).expect("a JSON line");
            let text = row["text"].as_str().expect("a text");
            let lesson = name.starts_with(LESSONS);
            let labels = if lesson { &row } else { &row["expect"] };
            let nothing = labels.is_null() && told_nothing(&row) && looks_addressed(text);
            if !labels.is_object() && !nothing || !seen.insert(text.to_owned()) {
                continue;
            }
            // Nobody wrote down when the lessons were sent.
            let sent_at = row["sent_at"].as_str();
            let now = DateTime::parse_from_rfc3339(sent_at.unwrap_or("2026-11-24T20:00:00+07:00"));
            let now = now.expect("a time");
            let primary = if nothing {
                Category::Other as usize
            } else {
                column(&labels["primary"])
            };
            let shown = shown(text, &group, &lexicon, now, Category::ALL[primary]);
            let mut signs = [
                strengths(&shown.of_kind),
                strengths(&shown.of_urgency),
                strengths(&shown.of_earnest),
            ];
            if !lesson {
                // The cues were written with these messages in view: they say more here than elsewhere.
                signs[0].retain(|(row, _)| !(CUES..TAGS).contains(row));
            }
            // Some were labelled with their primary kind only.
            let categories: BTreeSet<usize> = match labels["categories"].as_array() {
                Some(categories) => categories.iter().map(column).collect(),
                None => BTreeSet::from([primary]),
            };
            let mut targets = [0.0; COLUMNS];
            for category in &categories {
                targets[*category] = learn::BESIDE;
            }
            targets[primary] = 1.0;
            targets[EARNEST] = f64::from(u8::from(!nothing));
            match labels["urgent"].as_bool() {
                Some(urgent) => targets[URGENCY] = f64::from(u8::from(urgent)),
                None => signs[1].clear(),
            }
            if nothing {
                signs[0].clear();
            }
            lessons.push(Lesson {
                hand: name
                    .split('_')
                    .take(1 + usize::from(lesson))
                    .collect::<Vec<_>>()
                    .join("_"),
                example: Example {
                    signs,
                    targets,
                    primary,
                },
                categories,
            });
        }
    }
    lessons
}

/// Whoever labelled it says that nothing is to be recorded.
fn told_nothing(row: &Value) -> bool {
    matches!(
        row["outcome"].as_str(),
        None | Some("ignore" | "ask_detail")
    )
}

/// It has a tag, a mention or a keyword, or what looks like one.
fn looks_addressed(text: &str) -> bool {
    let folded = fold(text);
    let keywords = ["bao", "tin bao", "trinh bao", "to giac"];
    text.contains(['#', '＃', '@']) || keywords.iter().any(|word| folded.starts_with(word))
}

/// Words, pairs of words and classes of words are counted; the rest is not.
fn is_counted(row: usize) -> bool {
    row < CUES
}

/// The sum of all that is learned from.
fn sum_of(lessons: &[Lesson]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    for lesson in lessons {
        let signs = lesson.example.signs.iter().flatten();
        for (row, much) in signs {
            sum.update(&row.to_le_bytes());
            sum.update(&much.to_le_bytes());
        }
        for target in lesson.example.targets {
            sum.update(&target.to_le_bytes());
        }
    }
    sum.finalize()
}

#[test]
fn the_weights_are_learned_from_the_labelled_messages() {
    let lessons = lessons();
    let sum = sum_of(&lessons);
    match std::env::var("KENG_TRAIN").as_deref() {
        Ok("write") => {
            let examples: Vec<Example> = lessons.into_iter().map(|one| one.example).collect();
            let weights = learn(&examples, is_counted);
            let mut bytes: Vec<u8> = weights.into_iter().map(i8::cast_unsigned).collect();
            assert_eq!(bytes.len(), ROWS * COLUMNS);
            bytes.extend(sum.to_le_bytes());
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/lexicon/kinds.bin");
            std::fs::write(path, bytes).expect("the file can be written");
        }
        Ok("compare") => compare(lessons),
        _ => assert!(
            learned_from() == Some(sum),
            "config/lexicon/kinds.bin was learned from other messages: KENG_TRAIN=write cargo test --test kinds"
        ),
    }
}

/// Learns without each hand's messages in turn, and tells how those are read then.
fn compare(lessons: Vec<Lesson>) {
    let hands: BTreeSet<String> = lessons.iter().map(|one| one.hand.clone()).collect();
    let mut lessons = lessons;
    for hand in hands {
        let (unseen, known): (Vec<_>, Vec<_>) =
            lessons.into_iter().partition(|one| one.hand == hand);
        let known: Vec<Lesson> = known;
        let examples: Vec<Example> = known.iter().map(|one| one.example.clone()).collect();
        let weights = learn(&examples, is_counted);
        let (mut read, mut right) = (0_usize, 0_usize);
        let (mut least, mut most) = (i32::MAX, i32::MIN);
        let (mut kinds, mut urgent) = ([0_usize; 3], [0_usize; 3]);
        for lesson in &unseen {
            let parts = |of: usize| sums(&weights, &lesson.example.signs[of]).map(whole);
            let earnest = parts(2)[EARNEST];
            match lesson.example.targets[EARNEST] > 0.0 {
                true => least = least.min(earnest),
                false => most = most.max(earnest),
            }
            if lesson.example.signs[0].is_empty() {
                continue;
            }
            let found = told(&parts(0));
            read += 1;
            right += usize::from(found[0] as usize == lesson.example.primary);
            let found: BTreeSet<usize> = found.into_iter().map(|one| one as usize).collect();
            kinds[0] += found.intersection(&lesson.categories).count();
            kinds[1] += found.len();
            kinds[2] += lesson.categories.len();
            if lesson.example.signs[1].is_empty() {
                continue;
            }
            let found = parts(1)[URGENCY] > 0;
            let is = lesson.example.targets[URGENCY] > 0.0;
            urgent[0] += usize::from(found && is);
            urgent[1] += usize::from(found);
            urgent[2] += usize::from(is);
        }
        #[expect(clippy::cast_precision_loss, reason = "thousands at most")]
        let share = |part: usize, all: usize| part as f64 / all.max(1) as f64;
        let f1 = |[both, found, wanted]: [usize; 3]| share(2 * both, found + wanted);
        println!(
            "{hand:10} {read:4} reports: primary {:.3}, categories {:.3}, urgent {:.3}; the least earnest {least}, \
             the most earnest of the others {most}",
            share(right, read),
            f1(kinds),
            f1(urgent),
        );
        lessons = known;
        lessons.extend(unseen);
    }
}

fn whole(parts: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "sums of small weights")]
    let whole = parts.round() as i32;
    whole
}
