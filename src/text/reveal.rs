//! What in an officer's words could tell who somebody is, before they go to everybody.
//!
//! | text | reveals |
//! | --- | --- |
//! | `gọi 0912 345 678` | a telephone number |
//! | `xe 14B1-234.56` | a plate |
//! | `tên Nguyễn Văn An` | a name |
//! | `vào nhan-qua.example` | a link |
//! | `đường Nguyễn Trãi, gọi 113` | nothing |
//!
//! It errs on the side of asking: the officer sees what was found and decides. Faces in a picture are not
//! looked for.

use chrono::DateTime;

use super::Page;
use super::entities;
use super::fold::fold;
use super::lexicon::Lexicon;
use super::token::Case;
use super::token::Token;

/// What was found, as it is written in the text, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revealed {
    /// Telephone numbers, in international form.
    pub phones: Vec<String>,
    /// Number plates.
    pub plates: Vec<String>,
    /// Names of people.
    pub names: Vec<String>,
    /// Bank accounts.
    pub accounts: Vec<String>,
    /// Social accounts.
    pub handles: Vec<String>,
    /// Web addresses.
    pub links: Vec<String>,
}

impl Revealed {
    /// Nothing that anybody must look at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Finds it.
#[must_use]
pub fn revealed(text: &str, lexicon: &Lexicon) -> Revealed {
    let page = Page::new(text, lexicon, DateTime::default());
    let found = entities::read(&page, 0, page.tokens.len(), &[]);
    let taken = page.taken(&found.busy);
    Revealed {
        phones: found.phones,
        plates: found.plates,
        names: names(&page, &taken),
        accounts: found
            .accounts
            .into_iter()
            .map(|account| account.number)
            .collect(),
        handles: found.handles,
        links: found.urls,
    }
}

/// Family names, folded: with these fourteen and the rarer ones behind them nearly everybody is named
/// (Lê Trung Hoa, *Họ và tên người Việt Nam*, 2005).
const FAMILIES: [&str; 48] = [
    "nguyen", "tran", "le", "pham", "hoang", "huynh", "phan", "vu", "vo", "dang", "bui", "do",
    "ho", "ngo", "duong", "ly", "an", "au", "bach", "cao", "chau", "chu", "cu", "dam", "dao",
    "diep", "dinh", "doan", "giang", "ha", "kieu", "khuat", "la", "lam", "luong", "luu", "mai",
    "nghiem", "ninh", "nong", "quach", "ta", "thai", "to", "tong", "trinh", "truong", "vuong",
];

/// Of these, those that are hardly anything else: two words are a name already.
const PLAIN_FAMILIES: [&str; 4] = ["nguyen", "tran", "pham", "huynh"];

/// What is called by people's names and is none: streets, schools, squares. A name behind it stays.
const CALLED_SO: [&str; 22] = [
    "duong",
    "pho",
    "ngo",
    "ngach",
    "hem",
    "kiet",
    "quoc lo",
    "truong",
    "thpt",
    "thcs",
    "tieu hoc",
    "cho",
    "cau",
    "quang truong",
    "cong vien",
    "ben xe",
    "phuong",
    "xa",
    "thon",
    "khu",
    "benh vien",
    "tuong dai",
];

/// The longest name, in words.
const LONGEST: usize = 5;

fn names(page: &Page<'_>, taken: &[bool]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut at = 0;
    while at < page.tokens.len() {
        let end = name_end(page, taken, at);
        if let Some(end) = end {
            let name = page.words(at, end).to_owned();
            if !is_called_so(page, at) && !names.contains(&name) {
                names.push(name);
            }
        }
        at = end.unwrap_or(at + 1);
    }
    names
}

/// The token after a name that starts here.
fn name_end(page: &Page<'_>, taken: &[bool], at: usize) -> Option<usize> {
    let capital = |token: &Token| !token.is_number() && token.case != Case::Lower;
    let family = page.tokens.get(at).filter(|token| capital(token))?;
    let folded = fold(page.slice(family));
    if !FAMILIES.contains(&folded.as_str()) {
        return None;
    }
    let mut end = at + 1;
    while end - at < LONGEST
        && taken.get(end) != Some(&true)
        && page
            .tokens
            .get(end)
            .is_some_and(|token| capital(token) && matches!(token.before, ' ' | '\0'))
    {
        end += 1;
    }
    let words = end - at;
    // Where everything is written in capitals they tell nothing; a middle name still does.
    if page.all_upper || family.case == Case::Upper && family.length > 1 {
        let middle = page.tokens.get(at + 1).map(|token| fold(page.slice(token)));
        let tells = words > 2 && middle.is_some_and(|word| matches!(word.as_str(), "van" | "thi"));
        return tells.then(|| at + 3);
    }
    (words >= 3 || words == 2 && PLAIN_FAMILIES.contains(&folded.as_str())).then_some(end)
}

fn is_called_so(page: &Page<'_>, at: usize) -> bool {
    let back = |count: usize| {
        let from = at.checked_sub(count)?;
        let gap = page.tokens.get(at).is_some_and(|token| !token.breaks());
        gap.then(|| fold(page.words(from, at)))
    };
    [back(1), back(2)]
        .into_iter()
        .flatten()
        .any(|words| CALLED_SO.contains(&words.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_name_somebody_is_found_and_streets_are_not() {
        let lexicon = Lexicon::builtin().unwrap();
        let found = |text: &str| {
            let found = revealed(text, &lexicon);
            [
                found.phones,
                found.plates,
                found.names,
                found.accounts,
                found.handles,
                found.links,
            ]
            .concat()
            .join("; ")
        };
        for (text, wanted) in [
            (
                "Đối tượng Nguyễn Văn An dùng số 0912 345 678.",
                "+84912345678; Nguyễn Văn An",
            ),
            (
                "Đi xe 14B1-234.56, chuyển vào STK 5550001112223 Sacombank",
                "14B1-23456; 5550001112223",
            ),
            (
                "Trang nhan-qua.example và https://vneid.example/cai-dat là giả",
                "nhan-qua.example; https://vneid.example/cai-dat",
            ),
            ("Trần Hùng bị đánh", "Trần Hùng"),
            ("ĐỐI TƯỢNG LÊ THỊ HOA ĐANG Ở ĐỊA BÀN", "LÊ THỊ HOA"),
            ("TRẦN VĂN BA bỏ trốn", "TRẦN VĂN BA"),
            ("Cháy ở đường Nguyễn Văn Cừ, trường Trần Phú", ""),
            ("Ngã ba đường Lê Lợi, chợ Nguyễn Tri Phương", ""),
            ("Công an xã Quảng Ninh nhắc bà con. Gọi 113, 114.", ""),
            ("Từ 8h ngày 24/11/2026 cắt điện 1.500.000 hộ", ""),
            ("Lê la hàng quán, Hồ cạn nước, Đỗ xe sai", ""),
            ("", ""),
        ] {
            assert_eq!(found(text), wanted, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_words_can_be_looked_at(text in "\\PC*") {
            static LEXICON: std::sync::LazyLock<Lexicon> =
                std::sync::LazyLock::new(|| Lexicon::builtin().unwrap());
            let found = revealed(&text, &LEXICON);
            proptest::prop_assert!(found.names.iter().all(|name| text.contains(name)));
        }
    }
}
