//! What officers hear when an alert that is out is corrected, ended or taken back.

use super::phrase::moment_seen_from;
use crate::domain::alert::Alert;
use crate::domain::alert::AlertState;
use crate::domain::alert::VersionKind;
use crate::domain::clock::Time;
use crate::domain::ids::CheckCode;

fn command(kind: VersionKind) -> &'static str {
    match kind {
        VersionKind::First | VersionKind::Correction => "/dinhchinh",
        VersionKind::AllClear => "/hetcanhbao",
        VersionKind::Withdrawal => "/thuhoi",
    }
}

/// The command came without a code: what it could mean.
#[must_use]
pub fn which(kind: VersionKind, alerts: &[String]) -> String {
    let command = command(kind);
    if alerts.is_empty() {
        return "Không có cảnh báo nào đang có hiệu lực ở địa bàn phụ trách.".to_owned();
    }
    let example = match kind {
        VersionKind::First | VersionKind::Correction => format!("{command} MÃ lời mới"),
        VersionKind::AllClear | VersionKind::Withdrawal => format!("{command} MÃ"),
    };
    format!(
        "Xin ghi mã: {example}\nĐang có hiệu lực:\n{}",
        alerts.join("\n")
    )
}

/// No alert of this code that the officer could change.
#[must_use]
pub fn no_such_alert() -> String {
    "Không có cảnh báo nào mang mã này trong địa bàn phụ trách. Xin xem lại mã.".to_owned()
}

/// The alert is over.
#[must_use]
pub fn is_over(alert: &Alert, now: Time) -> String {
    let code = &alert.code;
    let since = moment_seen_from(alert.versions.latest().at, now);
    let how = match alert.state {
        AlertState::Withdrawn => format!("đã thu hồi lúc {since}"),
        AlertState::AllClear => format!("đã báo hết nguy hiểm lúc {since}"),
        _ => format!(
            "đã hết hiệu lực từ {}",
            moment_seen_from(alert.expires_at, now)
        ),
    };
    format!("Cảnh báo mã {code} {how}, không đổi nữa. Cần báo thêm, xin soạn mới bằng /canhbao.")
}

/// It is no alert yet.
#[must_use]
pub fn not_sent_yet(code: &CheckCode) -> String {
    format!("Cảnh báo mã {code} chưa gửi cho nhóm nào. Muốn bỏ, nhắn /thuhoi {code}, rồi soạn lại.")
}

/// A correction needs words.
#[must_use]
pub fn without_words(code: &CheckCode) -> String {
    format!(
        "Xin ghi lời mới ngay sau mã, ví dụ: /dinhchinh {code} Nước đã rút, bà con đi lại bình thường."
    )
}

/// The correction changes nothing.
#[must_use]
pub fn same_words(code: &CheckCode) -> String {
    format!("Lời mới giống hệt lời đang hiện của cảnh báo {code}, bot không gửi lại.")
}

/// A colleague's correction was not yet there to be read.
#[must_use]
pub fn corrected_meanwhile(alert: &Alert, colleague: &str) -> String {
    format!(
        "Chưa gửi: {colleague} vừa đính chính cảnh báo {}, lời đang hiện là:\n\n{}\n\nNếu vẫn cần sửa, xin gửi lại lệnh sau ít giây.",
        alert.code,
        alert.words()
    )
}

/// What is being done, where the report does not go.
#[must_use]
pub fn doing(alert: &Alert, rooms: usize) -> String {
    let what = match alert.versions.latest().kind {
        VersionKind::First | VersionKind::Correction => "Đang gửi đính chính",
        VersionKind::AllClear => "Đang báo hết",
        VersionKind::Withdrawal => "Đang thu hồi",
    };
    format!("{what} cảnh báo mã {} ở {rooms} nhóm.", alert.code)
}

/// To the others who had part in the alert.
#[must_use]
pub fn by_colleague(alert: &Alert, colleague: &str) -> String {
    let code = &alert.code;
    let latest = alert.versions.latest();
    match latest.kind {
        VersionKind::First | VersionKind::Correction => format!(
            "{colleague} vừa đính chính cảnh báo mã {code}, lời mới:\n\n{}\n\nNếu sai, nhắn /thuhoi {code}",
            latest.words
        ),
        VersionKind::AllClear => {
            format!("{colleague} vừa báo hết nguy hiểm cho cảnh báo mã {code}.")
        }
        VersionKind::Withdrawal => format!("{colleague} vừa thu hồi cảnh báo mã {code}."),
    }
}
