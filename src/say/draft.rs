//! What an officer hears while drafting an alert: the templates, and what to look at before it goes out.

use super::phrase::clip;

/// The entries of each kind that are shown in one caution.
const SHOWN: usize = 5;

/// The list of templates, by their numbers.
#[must_use]
pub fn templates<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut text = "Các mẫu cảnh báo:".to_owned();
    for (number, name) in names.enumerate() {
        text.push_str(&format!("\n{}. {name}", number + 1));
    }
    text.push_str(
        "\n\nDùng mẫu 1: nhắn /canhbao mẫu 1\nBot soạn sẵn để xem trước, chưa gửi đi đâu.",
    );
    text
}

/// A template of this name or number does not exist; the list follows.
#[must_use]
pub fn no_such_template(list: &str) -> String {
    format!("Không có mẫu này. {list}")
}

/// More words were given than the template has blanks.
#[must_use]
pub fn too_many_blanks(number: usize, blanks: &[&str], given: usize) -> String {
    let count = blanks.len();
    match count {
        0 => format!("Mẫu này không có chỗ điền, chỉ cần nhắn: /canhbao mẫu {number}"),
        _ => format!(
            "Mẫu này có {count} chỗ điền, đ/c ghi {given}. Xin ghi theo thứ tự, cách nhau bằng dấu chấm phẩy:\n{}",
            how_to_fill(number, blanks)
        ),
    }
}

/// Under the preview of a template that was taken as it is: how to fill its blanks.
#[must_use]
pub fn how_to_fill(number: usize, blanks: &[&str]) -> String {
    format!(
        "Muốn điền lại: /canhbao mẫu {number}: {}",
        blanks.join("; ")
    )
}

/// Under the preview of an alert that came with a recording.
#[must_use]
pub fn recording() -> String {
    "Bản ghi âm kèm theo chỉ để phát loa, không gửi vào nhóm nào. Gửi cảnh báo xong, lấy lại bằng /loa và mã."
        .to_owned()
}

/// What is to be looked at before sending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cautions<'a> {
    /// Telephone numbers in the words.
    pub phones: &'a [String],
    /// Plates.
    pub plates: &'a [String],
    /// Names of people.
    pub names: &'a [String],
    /// Bank accounts.
    pub accounts: &'a [String],
    /// Social accounts.
    pub handles: &'a [String],
    /// Web addresses.
    pub links: &'a [String],
    /// Platforms on which the words need several messages, and how many.
    pub split: &'a [(&'a str, usize)],
    /// A picture is attached; nothing here can see whether a face is on it.
    pub picture: bool,
}

/// The cautions under a preview; `None`: there is nothing to look at.
#[must_use]
pub fn cautions(found: &Cautions<'_>) -> Option<String> {
    let mut lines = Vec::new();
    let identity: Vec<String> = [
        ("số điện thoại", found.phones),
        ("biển số", found.plates),
        ("tên người", found.names),
        ("số tài khoản", found.accounts),
        ("tài khoản mạng", found.handles),
    ]
    .into_iter()
    .filter(|(_, entries)| !entries.is_empty())
    .map(|(kind, entries)| format!("{kind} {}", listed(entries)))
    .collect();
    if !identity.is_empty() {
        lines.push(format!("Có thể lộ danh tính: {}.", identity.join("; ")));
    }
    if !found.links.is_empty() {
        lines.push(format!(
            "Có đường dẫn: {}. Bà con khó phân biệt thật giả, tốt nhất là bỏ.",
            listed(found.links)
        ));
    }
    if found.picture {
        lines.push(
            "Có ảnh kèm theo: bot không nhận ra được mặt người, biển số trong ảnh. Xin xem kỹ ảnh có làm lộ ai không."
                .to_owned(),
        );
    }
    let asks = !lines.is_empty();
    if !found.split.is_empty() {
        let parts: Vec<String> = found
            .split
            .iter()
            .map(|(platform, parts)| format!("{platform} {parts} tin"))
            .collect();
        lines.push(format!("Nội dung dài, phải chia ra: {}.", parts.join(", ")));
    }
    if asks {
        lines.push("Sửa thì soạn lại bằng /canhbao, vẫn gửi thì trả lời OK.".to_owned());
    }
    (!lines.is_empty()).then(|| format!("⚠️ {}", lines.join("\n")))
}

fn listed(entries: &[String]) -> String {
    let shown: Vec<String> = entries
        .iter()
        .take(SHOWN)
        .map(|entry| clip(entry, 60))
        .collect();
    match entries.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} và {more} mục nữa", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn the_list_tells_how_to_use_it() {
        assert_snapshot!(templates(["công an giả", "cháy"].into_iter()), @r"
        Các mẫu cảnh báo:
        1. công an giả
        2. cháy

        Dùng mẫu 1: nhắn /canhbao mẫu 1
        Bot soạn sẵn để xem trước, chưa gửi đi đâu.
        ");
        assert_snapshot!(too_many_blanks(2, &["ở đâu", "thêm gì"], 3), @r"
        Mẫu này có 2 chỗ điền, đ/c ghi 3. Xin ghi theo thứ tự, cách nhau bằng dấu chấm phẩy:
        Muốn điền lại: /canhbao mẫu 2: ở đâu; thêm gì
        ");
        assert_snapshot!(too_many_blanks(2, &[], 1), @"Mẫu này không có chỗ điền, chỉ cần nhắn: /canhbao mẫu 2");
    }

    #[test]
    fn what_may_name_somebody_is_asked_about_and_nothing_else() {
        assert_eq!(cautions(&Cautions::default()), None);
        let many: Vec<String> = (0..7).map(|n| format!("Trần Văn {n}")).collect();
        let text = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let found = Cautions {
            phones: &text(&["+84912345678"]),
            names: &many,
            links: &text(&["a.example"]),
            split: &[("Zalo", 2)],
            picture: true,
            ..Cautions::default()
        };
        assert_snapshot!(cautions(&found).unwrap(), @r"
        ⚠️ Có thể lộ danh tính: số điện thoại +84912345678; tên người Trần Văn 0, Trần Văn 1, Trần Văn 2, Trần Văn 3, Trần Văn 4 và 2 mục nữa.
        Có đường dẫn: a.example. Bà con khó phân biệt thật giả, tốt nhất là bỏ.
        Có ảnh kèm theo: bot không nhận ra được mặt người, biển số trong ảnh. Xin xem kỹ ảnh có làm lộ ai không.
        Nội dung dài, phải chia ra: Zalo 2 tin.
        Sửa thì soạn lại bằng /canhbao, vẫn gửi thì trả lời OK.
        ");
        let long = Cautions {
            split: &[("Zalo", 3), ("Telegram", 2)],
            ..Cautions::default()
        };
        assert_snapshot!(cautions(&long).unwrap(), @"⚠️ Nội dung dài, phải chia ra: Zalo 3 tin, Telegram 2 tin.");
    }
}
