//! Messages that nobody sends by accident: one piece, over and over.
//!
//! Whatever a message holds, reading it must take time in proportion to its length and little of it;
//! these pieces are what each part of the reader would have to look at longest.

/// A name and the piece that is repeated.
pub(crate) const FLOODS: &[(&str, &str)] = &[
    ("one letter", "a"),
    ("one long word", "nghieng"),
    ("marks on a letter", "a\u{323}\u{302}"),
    ("marks", "\u{301}"),
    ("zero-width", "\u{200B}"),
    ("emoji", "🔥"),
    ("foreign letters", "警"),
    ("wide letters", "ｃ"),
    ("spaces", " "),
    ("lines", "\n"),
    ("brackets", "("),
    ("full stops", "."),
    ("slashes", "//"),
    ("digits", "7"),
    ("short numbers", "12 "),
    ("phones", "0912345678 "),
    ("split phones", "09 12 34 "),
    ("plates", "14B1 23456 "),
    ("accounts", "stk 123456789 vcb "),
    ("links", "http://a.vn/b "),
    ("dots in words", "a.b"),
    ("handles", "fb abc.xyz1 "),
    ("at signs", "@a "),
    ("mentions", "@anttbo "),
    ("hash signs", "#"),
    ("wide hash signs", "＃"),
    ("known tags", "#tromcap"),
    ("unknown tags", "#chieucaonguoi "),
    ("tags that may be words", "#khongnghekhongthaygi"),
    ("look-alike tags", "#trộm_vía "),
    ("links and tags", "a//#tromcap"),
    ("gates", "cổng "),
    ("places", "đầu ngõ chợ "),
    ("named places", "gần Cổng Chợ Hà Lầm "),
    ("clock times", "2h "),
    ("spans of time", "từ 2h đến 3h đêm qua "),
    ("days", "thứ 3 tuần trước "),
    ("days of the moon", "mùng 2 tháng 3 âm "),
    ("habits", "tối nào cũng "),
    ("thefts", "mất xe "),
    ("thefts by frame", "nó bê đi cái máy bơm "),
    ("denials", "không phải trộm "),
    ("wide phrases", "lấy lấy lấy xe "),
    ("sentences", "mất xe ở cổng chợ. "),
    ("lists", "1) cháy "),
    ("without marks", "mat xe o cho bao cong an "),
    ("capitals", "Mất Xe Ở Chợ "),
];

/// A tagged message of so many bytes.
pub(crate) fn flood(piece: &str, bytes: usize) -> String {
    let mut text = String::from("#tromcap mất xe ");
    text.push_str(&piece.repeat(bytes.saturating_sub(text.len()) / piece.len()));
    text
}
