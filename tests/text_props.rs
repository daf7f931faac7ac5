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
use unicode_normalization::UnicodeNormalization;

#[path = "../benches/read/floods.rs"]
mod floods;

fn lexicon() -> &'static Lexicon {
    static LEXICON: std::sync::OnceLock<Lexicon> = std::sync::OnceLock::new();
    LEXICON.get_or_init(|| Lexicon::builtin().expect("the built-in lexicon loads"))
}

/// Whether so many words for digits stand in a text as a telephone number told in words has at least.
fn tells_digits(text: &str) -> bool {
    const WORDS: [&str; 14] = [
        "khong", "mot", "hai", "ba", "bon", "tu", "nam", "lam", "sau", "bay", "tam", "chin",
        "zero", "nhat",
    ];
    let folded = fold(text).to_string();
    let told = folded.split(|c: char| !c.is_alphanumeric());
    told.filter(|word| WORDS.contains(word)).count() >= 4
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
    let mut end = 0;
    for token in tokens(text) {
        assert!(
            end <= token.start && token.start < token.end,
            "tokens overlap in {text:?}"
        );
        end = token.end;
        let typed = text.get(token.start..token.end);
        let typed = typed.unwrap_or_else(|| panic!("a token off the letters of {text:?}"));
        // The way back: what a token was read from reads as that token again.
        let again = tokens(typed);
        assert!(
            again.len() == 1
                && (again[0].key, again[0].marks, again[0].digits)
                    == (token.key, token.marks, token.digits),
            "{typed:?} of {text:?} reads otherwise alone"
        );
    }
    let digits: String = fold(text).chars().filter(char::is_ascii_digit).collect();
    let readings = read_all(text);
    assert_eq!(
        readings,
        read_all(text),
        "the same text reads otherwise: {text:?}"
    );
    for reading in readings {
        for evidence in &reading.evidence {
            assert!(
                text.get(evidence.at.clone()).is_some(),
                "evidence that is not in {text:?}"
            );
        }
        for facts in &reading.incidents {
            let said = |words: &String| text.contains(words.trim_start_matches('@'));
            assert!(
                facts.place.iter().all(said),
                "a place that is not in {text:?}"
            );
            assert!(
                facts.urls.iter().chain(&facts.handles).all(said),
                "a link or handle that is not in {text:?}"
            );
            for phone in &facts.phones {
                let local = phone.strip_prefix("+84").expect("a number of Viet Nam");
                // "0345 000 611/612": the second number shares its head with the first.
                let shares = (1..=4).any(|tail| {
                    let (head, tail) = local.split_at(local.len() - tail);
                    digits.contains(head) && text.contains(&format!("/{tail}"))
                });
                assert!(
                    digits.contains(local) || shares || tells_digits(text),
                    "{phone} is not in {text:?}"
                );
            }
            for account in &facts.accounts {
                assert!(
                    digits.contains(&account.number),
                    "{} is not in {text:?}",
                    account.number
                );
            }
            if let Some(time) = &facts.time {
                assert!(
                    time.start() <= time.end(),
                    "a time that runs back: {text:?}"
                );
            }
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

/// A source of numbers that a seed repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap_or(0)
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// What people put in each other's place.
const SLOTS: &[&[&str]] = &[
    &[
        "#tromcap",
        "#cháy",
        "#antt",
        "＃Trộm_Cắp",
        "#trộm vía",
        "#danhnhau",
        "/bao",
        "báo:",
        "@anttbot",
        "tố giác",
    ],
    &[
        "tối qua lúc 10h rưỡi",
        "22g15",
        "8h kém 15",
        "thứ 3 tuần trước",
        "mùng 2 Tết",
        "nãy giờ",
        "từ 2h đến 3h",
        "30/2",
        "24h",
        "cách đây 99 ngày",
        "hôm kia",
        "đêm nay",
    ],
    &[
        "cổng chợ Hà Lầm",
        "đầu ngõ 5",
        "nhà số 5 ngõ Tre phố Trại Lốc",
        "thôn Tân Trúc Tùng",
        "xom cau lam",
        "cầu Bãi Cháy",
        "trước cửa nhà bà Năm",
    ],
    &[
        "0912 345 678",
        "+84.912.345.678",
        "14B1-234.56",
        "29H7 0456",
        "stk 5550001112223 VCB",
        "1.500.000",
        "113",
        "https://x.vn/a?b",
        "@nguyenvana",
        "fb abc.xyz",
        "momo 0912345678",
    ],
    &[
        "mất xe",
        "cướp",
        "đánh nhau",
        "cháy nhà",
        "lừa đảo",
        "ghi lô đề",
        "khong phai",
        "nhầm rồi ạ",
        "đính chính",
        "tìm thấy rồi",
        "cứu với",
        "còn nữa,",
        "haha",
        "Fwd:",
    ],
    &[
        "\u{200B}", "\u{323}", "\u{302}", "🔥", "İ", "ﬁ", "ß", "Ａ", "\n", ".", ",", ":", "-", "_",
        "(", "警",
    ],
];

/// Mangles a message the way people, phones and rogues do.
fn mangle(text: &mut String, others: &[String], random: &mut Random) {
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let at = random.below(words.len());
    let word = words[at].clone();
    match random.below(12) {
        // Another word of a kind, in place of one or beside it.
        0..=2 => {
            let slot = SLOTS[random.below(SLOTS.len())];
            let new = random.pick(slot).to_owned();
            if random.below(2) == 0 {
                words[at] = new;
            } else {
                words.insert(at, new);
            }
        }
        3 => words[at] = fold(&word),
        4 => words[at] = word.nfd().collect(),
        5 => words[at] = word.to_uppercase(),
        6 => words = fold(text).split(' ').map(str::to_owned).collect(),
        7 => drop(words.remove(at)),
        8 => words.insert(at, format!("{word} ").repeat(1 + random.below(40))),
        // Glued to the next, or something between its letters.
        9 => {
            let mut letters: Vec<char> = word.chars().collect();
            let between = random.pick(SLOTS[5]).chars();
            let place = random.below(letters.len() + 1);
            letters.splice(place..place, between).for_each(drop);
            words[at] = letters.into_iter().collect();
            if random.below(2) == 0 && at + 1 < words.len() {
                let next = words.remove(at + 1);
                words[at].push_str(&next);
            }
        }
        // The end of one message and the head of another.
        10 => {
            words.truncate(at);
            let other = &others[random.below(others.len())];
            words.extend(other.split(' ').skip(random.below(9)).map(str::to_owned));
        }
        // Any character anywhere.
        _ => {
            let code = u32::try_from(random.below(0x11_0000)).unwrap_or(0);
            words[at].extend(char::from_u32(code));
        }
    }
    *text = words.join(" ");
}

#[test]
fn no_time_runs_back() {
    check(
        "#luadao tháng trước mình tham gia nhóm 'việc nhẹ tại nhà'\u{c2857} do @ctv.huong_hcm lập, #trộm vía 3 lần tổng fb abc.xyz 18 thôn Tân Trúc Tùng triệu qua stk 1 0 6 8 7 0 hôm nay đông, bà con xuống mua lá dong sớm nhé",
    );
}

#[test]
fn mangled_messages_are_read_for_as_long_as_asked() {
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    let seconds = number("KENG_FUZZ_SECONDS").unwrap_or(2);
    let seed = number("KENG_FUZZ_SEED").unwrap_or(0x2545_F491_4F6C_DD1D);
    let end = Instant::now() + Duration::from_secs(seconds);
    let samples = [
        include_str!("fixtures/vi/samples.jsonl"),
        include_str!("fixtures/vi/second.jsonl"),
        include_str!("fixtures/vi/hard.jsonl"),
    ];
    let text = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
        row["text"].as_str().unwrap_or_default().to_owned()
    };
    let samples: Vec<String> = samples
        .iter()
        .flat_map(|file| file.lines())
        .map(text)
        .collect();
    let mut random = Random(seed.max(1));
    let (mut read, mut bytes, mut longest) = (0_u64, 0, 0);
    while Instant::now() < end {
        let mut text = samples[random.below(samples.len())].clone();
        for _ in 0..=random.below(12) {
            mangle(&mut text, &samples, &mut random);
        }
        check(&text);
        (read, bytes, longest) = (read + 1, bytes + text.len(), longest.max(text.len()));
    }
    println!(
        "{read} mangled messages of {bytes} bytes, the longest of {longest}, read in {seconds} s from seed {seed}"
    );
}

/// Four times the text may take ten times as long on a busy machine; what is looked at again and again
/// takes sixteen.
#[test]
fn reading_takes_time_in_proportion_to_the_text() {
    const SIZE: usize = 6_000;
    let took = |piece: &str, bytes: usize| {
        let text = floods::flood(piece, bytes);
        let once = || {
            let started = Instant::now();
            read_all(&text);
            started.elapsed()
        };
        // The least of several is the one nobody disturbed.
        (0..3).map(|_| once()).min().unwrap_or_default()
    };
    for (name, piece) in floods::FLOODS {
        let grown = |_| {
            let (short, long) = (took(piece, SIZE), took(piece, 4 * SIZE));
            (long < 10 * short + Duration::from_millis(2), short, long)
        };
        // A busy machine deceives once, not three times.
        let tries: Vec<_> = (0..3)
            .map(grown)
            .take_while(|(linear, ..)| !linear)
            .collect();
        assert!(tries.len() < 3, "a flood of {name}: {tries:?}");
    }
}
