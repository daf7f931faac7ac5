//! What holds for every text: no panic, folding is settled after once, spans lie on letters.
//!
//! `KENG_FUZZ_SECONDS=600 cargo test --release --test text_props` reads mangled messages for ten minutes.

use std::time::{Duration, Instant};

use chrono::DateTime;
use keng::domain::reading::Reading;
use keng::text::fold::fold;
use keng::text::lexicon::Lexicon;
use keng::text::token::tokens;
use keng::text::{Addressing, is_addressed, read};
use proptest::prelude::*;

fn lexicon() -> &'static Lexicon {
    static LEXICON: std::sync::OnceLock<Lexicon> = std::sync::OnceLock::new();
    LEXICON.get_or_init(|| Lexicon::builtin().expect("the built-in lexicon loads"))
}

/// Reads a text in every way it can be addressed.
fn read_all(text: &str) -> Vec<Reading> {
    let names = ["anttbot".to_owned(), "Bot ANTT".to_owned()];
    let now = DateTime::parse_from_rfc3339("2026-02-17T00:10:00+07:00").expect("a time");
    [(false, false), (true, false), (false, true)]
        .into_iter()
        .map(|(private, reply_to_bot)| {
            let addressing = Addressing {
                private,
                reply_to_bot,
                mentioned: false,
                bot_names: &names,
            };
            is_addressed(text, &addressing, lexicon());
            read(text, &addressing, lexicon(), now)
        })
        .collect()
}

fn check(text: &str) {
    for token in tokens(text) {
        assert!(token.start < token.end, "an empty token in {text:?}");
        assert!(
            text.get(token.start..token.end).is_some(),
            "a token off the letters of {text:?}"
        );
    }
    for reading in read_all(text) {
        for facts in &reading.incidents {
            assert!(
                facts
                    .place
                    .as_ref()
                    .is_none_or(|place| text.contains(place.as_str())),
                "a place that is not in {text:?}"
            );
            assert!(facts.categories.contains(&facts.primary));
        }
    }
}

/// Pieces of messages that are joined, cut and repeated.
const PIECES: &[&str] = &[
    "#tromcap",
    "#",
    "＃",
    "@anttbot",
    "@",
    "/bao ",
    "báo: ",
    "tố giác ",
    "mất xe",
    "cháy",
    "đầu ngõ 5",
    "cổng ",
    "thôn ",
    "nhà bà ",
    "2h",
    "22g15",
    "8h kém 15",
    "mùng 2 Tết",
    "30/2",
    "31/12/9999",
    "đêm qua",
    "thứ 3 tuần trước",
    "cách đây 99 ngày",
    "999999999999",
    "0912 345 678",
    "+84",
    "14B1-234.56",
    "stk 123456789 VCB",
    "http://",
    "a.vn",
    "\u{200B}",
    "\u{323}",
    "\u{302}",
    "🔥",
    "İ",
    "ﬁ",
    "\n",
    " ",
    ".",
    ",",
    ":",
    "-",
    "_",
    "không phải ",
    "nhầm ",
    "từ ",
    "đến ",
    "nay ",
    "năm ",
    "rằm tháng 13",
    "ß",
    "Ａ",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_string_is_read(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn any_mixture_of_pieces_is_read(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        check(&pieces.concat());
    }

    #[test]
    fn folding_twice_changes_nothing(text in "\\PC{0,80}") {
        let once = fold(&text);
        prop_assert_eq!(fold(&once), once);
    }
}

#[test]
fn mangled_messages_are_read_for_as_long_as_asked() {
    let seconds = std::env::var("KENG_FUZZ_SECONDS")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(2);
    let end = Instant::now() + Duration::from_secs(seconds);
    let samples = include_str!("fixtures/vi/samples.jsonl");
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).unwrap_or(0)
    };
    let lines: Vec<Vec<char>> = samples.lines().map(|line| line.chars().collect()).collect();
    let mut read = 0_u64;
    while Instant::now() < end {
        let mut text = lines[random(lines.len())].clone();
        for _ in 0..random(12) {
            let at = random(text.len());
            match random(4) {
                0 => drop(text.drain(at..(at + random(9)).min(text.len()))),
                1 => text
                    .splice(at..at, PIECES[random(PIECES.len())].chars())
                    .for_each(drop),
                2 => text
                    .splice(
                        at..at,
                        char::from_u32(u32::try_from(random(0x11_0000)).unwrap_or(0)),
                    )
                    .for_each(drop),
                _ => {
                    let other = &lines[random(lines.len())];
                    let from = random(other.len());
                    text.splice(
                        at..at,
                        other[from..(from + random(60)).min(other.len())]
                            .iter()
                            .copied(),
                    )
                    .for_each(drop);
                }
            }
        }
        check(&text.into_iter().collect::<String>());
        read += 1;
    }
    println!("{read} mangled messages read in {seconds} s");
}
