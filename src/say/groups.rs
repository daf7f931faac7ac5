//! What an administrator hears who makes groups and looks into them by chat.

use super::phrase::inside;
use crate::domain::appointment::Hour;
use crate::domain::room::Quiet;

/// Groups whose links or members are told at once.
pub const SHOWN: usize = 20;

/// How the command is written.
#[must_use]
pub fn how() -> String {
    "Cách nhắn:\n\
     /nhom : xem các nhóm\n\
     /nhom tạo Tên thôn : lập nhóm Zalo cho thôn\n\
     /nhom tạo Tên thôn: Tên nhóm : lập nhóm với tên riêng\n\
     /nhom link Tên thôn : lấy đường vào nhóm\n\
     /nhom mời Tên thôn : mời cán bộ, trưởng thôn vào nhóm\n\
     /nhom thành viên Tên thôn : xem ai trong nhóm\n\
     Nhắn ngay trong nhóm:\n\
     /nhom diễn tập có, /nhom diễn tập không : nhóm có nhận tin diễn tập không\n\
     /nhom yên tĩnh 22h-6h, /nhom yên tĩnh không : giờ không gửi tin thường"
        .to_owned()
}

/// Only an administrator may.
#[must_use]
pub fn for_administrators() -> String {
    "Việc này xin nhờ quản trị viên làm.".to_owned()
}

/// No account of the deployment can.
#[must_use]
pub fn no_account() -> String {
    "Chưa có tài khoản nào lập được nhóm. Chỉ Zalo OA lập được; nhóm sẵn có thì mời bot vào rồi nhắn /ganthon."
        .to_owned()
}

/// Several accounts can, and it is not clear which is meant.
#[must_use]
pub fn which_account() -> String {
    "Có nhiều Zalo OA: hãy nhắn lệnh này cho chính OA sẽ lập nhóm.".to_owned()
}

/// Nobody could be in the group from the start.
#[must_use]
pub fn nobody() -> String {
    "Chưa lập được: cần ít nhất một cán bộ hay trưởng thôn của địa bàn đã nhắn tin với Zalo OA này để mời vào nhóm."
        .to_owned()
}

/// No group of that account is bound there.
#[must_use]
pub fn none_there(area_title: &str) -> String {
    format!(
        "Chưa có nhóm Zalo OA nào gắn với {}. Lập nhóm: /nhom tạo Tên thôn",
        inside(area_title)
    )
}

/// What a group is called when its maker names none.
#[must_use]
pub fn default_name(area_title: &str) -> String {
    format!("Bình yên {}", inside(area_title))
}

/// The group is there.
#[must_use]
pub fn made(name: &str, area_title: &str, people: usize, link: &str, id: &str) -> String {
    let mut text = format!(
        "Đã lập nhóm “{name}” cho {}, có {people} người từ đầu.",
        inside(area_title)
    );
    if !link.is_empty() {
        text.push_str(&format!("\nĐường vào nhóm: {link}"));
    }
    text.push_str(&format!(
        "\nIn tờ mời bà con, có mã QR: chạy trên máy chủ keng poster --room {id}"
    ));
    text
}

/// It is there, and alerts do not reach it.
#[must_use]
pub fn made_unbound(name: &str) -> String {
    format!(
        "Đã lập nhóm “{name}” nhưng chưa gắn được với thôn: hãy nhắn trong nhóm đó /ganthon Tên thôn"
    )
}

/// By which links people join: names and links.
#[must_use]
pub fn links(groups: &[(String, String)]) -> String {
    let mut text = "Đường vào nhóm:".to_owned();
    for (name, link) in groups {
        let link = if link.is_empty() {
            "chưa có link (bật “link tham gia” trong nhóm)"
        } else {
            link
        };
        text.push_str(&format!("\n• {name}: {link}"));
    }
    text
}

/// How many people are in groups.
#[must_use]
pub fn counts(groups: &[(String, usize)]) -> String {
    let lines: Vec<String> = groups
        .iter()
        .map(|(name, count)| format!("• {name}: {count} người"))
        .collect();
    format!(
        "{}\nXem tên từng người: hãy nhắn riêng cho bot.",
        lines.join("\n")
    )
}

/// Who is in groups: their names, and of each the names of its people.
#[must_use]
pub fn members(groups: &[(String, Vec<String>)]) -> String {
    /// Names of one group that are told.
    const NAMES: usize = 100;
    let lines: Vec<String> = groups
        .iter()
        .map(|(name, people)| {
            let shown = people.iter().take(NAMES).cloned().collect::<Vec<_>>();
            let more = people.len().saturating_sub(NAMES);
            let more = if more > 0 {
                format!(" và {more} người nữa")
            } else {
                String::new()
            };
            format!(
                "• {name} ({} người): {}{more}",
                people.len(),
                shown.join("; ")
            )
        })
        .collect();
    lines.join("\n")
}

/// The staff was asked in.
#[must_use]
pub fn invited(people: usize, groups: usize) -> String {
    format!("Đã mời {people} cán bộ, trưởng thôn vào {groups} nhóm.")
}

/// Why the platform did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It did not answer.
    NotNow,
    /// The account itself needs its administrator.
    NeedsPerson,
    /// It refuses just this.
    Refused,
}

/// The platform did not do it.
#[must_use]
pub fn not_done(trouble: Trouble, making: bool) -> String {
    match (trouble, making) {
        (Trouble::NotNow, true) => unknown(),
        (Trouble::NotNow, false) => "Zalo chưa trả lời, xin lát nữa nhắn lại.".to_owned(),
        (Trouble::NeedsPerson, _) => {
            "Zalo không cho OA làm việc này: kiểm tra xác thực OA và gói dịch vụ, hoặc chạy keng zalo auth trên máy chủ."
                .to_owned()
        }
        (Trouble::Refused, true) => {
            "Zalo không lập được nhóm: mỗi nhóm cần một gói GMF còn trống, và một người được mời phải là quản trị viên của OA."
                .to_owned()
        }
        (Trouble::Refused, false) => {
            "Zalo không làm: nhóm có thể đã giải tán, hoặc người được mời chưa quan tâm OA.".to_owned()
        }
    }
}

/// It was begun, and nobody knows how it ended.
#[must_use]
pub fn unknown() -> String {
    "Chưa rõ Zalo đã làm xong hay chưa. Xin xem /nhom trước khi nhắn lại.".to_owned()
}

/// A group's choices are made where its members see it.
#[must_use]
pub fn choose_in_the_group() -> String {
    "Xin nhắn lệnh này ngay trong nhóm cần chọn.".to_owned()
}

/// The group belongs to no place of the administrator's.
#[must_use]
pub fn bind_first() -> String {
    "Nhóm này chưa gắn với thôn nào của địa bàn. Xin gắn trước bằng /ganthon kèm tên thôn."
        .to_owned()
}

/// Whether the group hears exercises; with the way to choose, where nothing was chosen now.
#[must_use]
pub fn drills(hears: bool, asks: bool) -> String {
    let now = if hears {
        "Nhóm này có nhận tin diễn tập."
    } else {
        "Nhóm này không nhận tin diễn tập."
    };
    if asks {
        format!("{now} Đổi: /nhom diễn tập có, hoặc /nhom diễn tập không")
    } else {
        now.to_owned()
    }
}

/// The hours in which a group hears no information.
#[must_use]
pub fn quiet(quiet: Option<Quiet>, asks: bool) -> String {
    let now = match quiet {
        Some(quiet) => format!(
            "Giờ yên tĩnh của nhóm: {}. Thông báo (tin) chờ hết giờ; cảnh báo và khẩn vẫn gửi ngay.",
            hours(quiet)
        ),
        None => "Nhóm này không có giờ yên tĩnh, tin nào cũng gửi ngay.".to_owned(),
    };
    if asks {
        format!(
            "{now} Đổi: /nhom yên tĩnh 22h-6h, /nhom yên tĩnh không, hoặc /nhom yên tĩnh mặc định"
        )
    } else {
        now
    }
}

/// Quiet hours as they are written: `22:00-06:00`.
#[must_use]
pub fn hours(quiet: Quiet) -> String {
    let clock = |hour: Hour| {
        let (hour, minute) = hour.on_the_clock();
        format!("{hour:02}:{minute:02}")
    };
    format!("{}-{}", clock(quiet.from), clock(quiet.to))
}
