//! What author and colleagues hear of an alert that needs a second officer.

use crate::domain::alert::Alert;
use crate::domain::ids::CheckCode;

/// To the author, at once: it is not out, and who has to act now.
#[must_use]
pub fn waits_for(code: &CheckCode, names: &[&str], told: bool, minutes: i64) -> String {
    let who = names.join(" hoặc ");
    let how = if told {
        "Bot đã nhắn nhờ duyệt".to_owned()
    } else {
        format!("Bot chưa nhắn riêng được cho ai, xin tự báo để người duyệt nhắn: /duyet {code}")
    };
    format!(
        "CHƯA GỬI. Cảnh báo mã {code} chờ {who} duyệt. {how}; sau {minutes} phút không ai duyệt thì tự huỷ. Muốn dừng, trả lời HUỶ hoặc nhắn /thuhoi {code}"
    )
}

/// The same, as a button's answer.
#[must_use]
pub fn waits_short() -> String {
    "Chưa gửi: đang chờ cán bộ thứ hai duyệt.".to_owned()
}

/// To a colleague who may approve. `shown` is the exact text as the rooms will see it.
#[must_use]
pub fn please(alert: &Alert, shown: &str, rooms: usize, minutes: i64) -> String {
    let code = &alert.code;
    let author = alert.author();
    let photo = match alert.versions.latest().photo {
        Some(_) => "Có kèm ảnh của người soạn: xin hỏi xem ảnh trước khi duyệt.\n",
        None => "",
    };
    let recording = match alert.versions.latest().recording {
        Some(_) => "Có kèm bản ghi âm để phát loa: xin hỏi nghe trước khi duyệt.\n",
        None => "",
    };
    format!(
        "NHỜ DUYỆT. {author} soạn cảnh báo sau cho {rooms} nhóm, chưa gửi:\n\n{shown}\n\n———\n{photo}{recording}Mã {code}. Duyệt: bấm nút hoặc nhắn /duyet {code} trong {minutes} phút. Không duyệt: bấm nút hoặc nhắn /thuhoi {code}"
    )
}

/// To the same colleague, when nobody has answered.
#[must_use]
pub fn reminder(alert: &Alert) -> String {
    let code = &alert.code;
    format!(
        "NHẮC LẠI: cảnh báo mã {code} của {} vẫn chờ duyệt. Duyệt: /duyet {code}",
        alert.author()
    )
}

/// The button that approves.
#[must_use]
pub fn button_yes() -> String {
    "Duyệt, gửi ngay".to_owned()
}

/// The button that refuses.
#[must_use]
pub fn button_no() -> String {
    "Không duyệt".to_owned()
}

/// In the preview: who has to approve after the author.
#[must_use]
pub fn will_need(names: &[&str]) -> String {
    if names.is_empty() {
        nobody_can()
    } else {
        format!(
            "Sau khi đồng chí xác nhận còn cần {} duyệt rồi mới gửi.",
            names.join(" hoặc ")
        )
    }
}

/// There is nobody who could approve.
#[must_use]
pub fn nobody_can() -> String {
    "Chưa gửi được: cảnh báo này cần cán bộ thứ hai duyệt, mà chưa có ai khác phụ trách địa bàn nhận tin. Nhờ quản trị viên mời thêm cán bộ, hoặc đặt alert.second_officer = false nếu đơn vị chỉ có một người."
        .to_owned()
}

/// To the author who tries to approve.
#[must_use]
pub fn not_your_own(code: &CheckCode, names: &[&str]) -> String {
    let who = if names.is_empty() {
        "cán bộ khác".to_owned()
    } else {
        names.join(" hoặc ")
    };
    format!("Cảnh báo mã {code} chưa gửi, chờ {who} duyệt: người soạn không tự duyệt được.")
}

/// To an officer of another place.
#[must_use]
pub fn not_yours(code: &CheckCode) -> String {
    format!("Cảnh báo mã {code} chờ cán bộ của địa bàn nhận tin duyệt.")
}

/// An approval that came too late.
#[must_use]
pub fn too_late(code: &CheckCode) -> String {
    format!(
        "Cảnh báo mã {code} đã quá hạn duyệt nên không gửi. Nhờ người soạn gửi lại bằng /canhbao."
    )
}

/// The author was removed after confirming.
#[must_use]
pub fn author_is_gone(code: &CheckCode, author: &str) -> String {
    format!(
        "Không duyệt được mã {code}: {author} không còn là cán bộ ở đây. Nếu vẫn cần gửi, xin tự soạn bằng /canhbao."
    )
}

/// Nobody answered in time, told to the author.
#[must_use]
pub fn lapsed(code: &CheckCode, minutes: i64) -> String {
    format!(
        "Cảnh báo mã {code} KHÔNG được gửi: {minutes} phút không ai duyệt. Nếu vẫn cần, xin soạn lại bằng /canhbao và gọi điện cho người duyệt."
    )
}

/// A colleague approved, told to the author.
#[must_use]
pub fn approved_by(code: &CheckCode, name: &str) -> String {
    format!("{name} đã duyệt cảnh báo mã {code}, đang gửi.")
}

/// A colleague refused, told to the author.
#[must_use]
pub fn refused_by(code: &CheckCode, name: &str) -> String {
    format!("{name} không duyệt cảnh báo mã {code}. Không nhóm nào nhận.")
}
