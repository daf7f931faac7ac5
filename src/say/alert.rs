//! An alert as the rooms see it, and the answer to "is this real?".

use super::phrase::first_line;
use super::phrase::inside;
use super::phrase::moment;
use crate::domain::alert::Alert;
use crate::domain::alert::AlertState;
use crate::domain::alert::Level;
use crate::domain::alert::Version;
use crate::domain::alert::VersionKind;
use crate::domain::clock::Time;
use crate::domain::ids::CheckCode;

/// Letters shown of an alert's first words where the whole has no place.
const HEADLINE: usize = 120;

/// What every room gets of the latest version: the level, the officer's words exactly, who issued it and
/// when, until when it holds, and how to check that it is real. `area_title` is the title of the alert's
/// own area.
///
/// A draft shows the hour of its drafting where the sent alert will show the hour of its sending.
#[must_use]
pub fn room_text(alert: &Alert, area_title: &str) -> String {
    version_text(alert, alert.versions.latest(), area_title)
}

/// The same, of any version.
#[must_use]
pub fn version_text(alert: &Alert, version: &Version, area_title: &str) -> String {
    let issuer = issuer(alert, area_title);
    let code = &alert.code;
    let at = moment(version.at);
    let drill = if alert.drill {
        "🔶 DIỄN TẬP. "
    } else {
        ""
    };
    let words = &version.words;
    let mut text = match version.kind {
        VersionKind::First => {
            let level = level(alert.level);
            format!("{drill}{level}\n\n{words}\n\n{issuer}, {at}.")
        }
        VersionKind::Correction => {
            let level = level(alert.level);
            format!(
                "{drill}✏️ ĐÍNH CHÍNH. {level}\n\n{words}\n\n{issuer} đính chính lúc {at}. Xin bỏ qua lời đã gửi trước."
            )
        }
        VersionKind::AllClear => {
            let about = first_line(alert.words(), HEADLINE);
            let more = said_too(words);
            format!("{drill}✅ HẾT CẢNH BÁO\n\nSự việc đã qua: “{about}”{more}\n\n{issuer}, {at}.")
        }
        // What is taken back is not said again.
        VersionKind::Withdrawal => {
            let issued = moment(alert.published_at.unwrap_or(alert.drafted_at));
            let more = said_too(words);
            format!(
                "{drill}🚫 ĐÃ THU HỒI\n\nCảnh báo mã {code} phát lúc {issued} không còn đúng, xin bà con bỏ qua và đừng chuyển tiếp.{more}\n\n{issuer}, {at}."
            )
        }
    };
    if alert.drill {
        text.push_str("\nĐây là diễn tập, không có sự việc thật.");
    }
    if !version.kind.ends() {
        text.push_str(&format!("\nHiệu lực đến {}.", moment(alert.expires_at)));
    }
    text.push_str(&format!(
        "\nMã kiểm tra: {code}. Muốn biết tin này có thật không, nhắn cho bot: /kiemtra {code}"
    ));
    text
}

/// Below a post whose words have changed, for those who read and answered the earlier ones.
#[must_use]
pub fn changed_above(kind: VersionKind) -> String {
    match kind {
        VersionKind::First | VersionKind::Correction => {
            "✏️ Bài trên vừa được đính chính. Xin bà con đọc lại và bỏ qua lời cũ."
        }
        VersionKind::AllClear => "✅ Đã hết cảnh báo. Xin bà con đọc lại bài trên.",
        VersionKind::Withdrawal => {
            "🚫 Cảnh báo này đã được thu hồi. Xin bà con bỏ qua và đừng chuyển tiếp."
        }
    }
    .to_owned()
}

/// An alert that is over, where it still stands before everybody.
#[must_use]
pub fn expired_text(alert: &Alert, area_title: &str) -> String {
    let until = moment(alert.expires_at);
    let text = room_text(alert, area_title);
    format!("⏱ ĐÃ HẾT HIỆU LỰC từ {until}\n\n{text}")
}

/// What an officer adds to an end.
fn said_too(words: &str) -> String {
    match words.trim() {
        "" => String::new(),
        words => format!("\n{words}"),
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Info => "📢 THÔNG BÁO",
        Level::Warning => "⚠️ CẢNH BÁO",
        Level::Urgent => "🔴 KHẨN",
    }
}

/// The unit that stands behind an alert.
#[must_use]
pub fn issuer(alert: &Alert, area_title: &str) -> String {
    let place = inside(area_title);
    if alert.area.village().is_some() {
        format!("Cán bộ công an phụ trách {place}")
    } else {
        format!("Công an {place}")
    }
}

/// The answer to `/kiemtra`: who and when, and whether it still holds. The first words are told, too,
/// because a forged message may carry a code that was read off a real one.
#[must_use]
pub fn checked(alert: &Alert, area_title: &str, now: Time) -> String {
    let issuer = issuer(alert, area_title);
    let code = &alert.code;
    let at = moment(alert.published_at.unwrap_or(alert.drafted_at));
    let latest = alert.versions.latest();
    let since = moment(latest.at);
    let standing = match alert.state {
        AlertState::Draft | AlertState::Pending | AlertState::Dropped => return unknown_code(),
        AlertState::Live if now < alert.expires_at => {
            format!(
                "Cảnh báo đang có hiệu lực đến {}.",
                moment(alert.expires_at)
            )
        }
        AlertState::Live | AlertState::Expired => {
            format!("Cảnh báo đã hết hiệu lực từ {}.", moment(alert.expires_at))
        }
        AlertState::AllClear => {
            format!("Sự việc đã qua, cảnh báo hết hiệu lực từ {since}.")
        }
        AlertState::Withdrawn => {
            format!("Cảnh báo này đã được thu hồi lúc {since}, xin đừng chuyển tiếp.")
        }
    };
    let drill = if alert.drill {
        " Đây là DIỄN TẬP, không có sự việc thật."
    } else {
        ""
    };
    let corrected = match latest.kind {
        VersionKind::Correction => format!(
            " Đã đính chính lúc {since}, đây là bản thứ {}.",
            latest.number
        ),
        _ => String::new(),
    };
    // What was taken back is not told again: it may have named somebody.
    let content = if alert.state == AlertState::Withdrawn {
        String::new()
    } else {
        let headline = first_line(alert.words(), HEADLINE);
        format!("\nNội dung thật bắt đầu bằng: “{headline}”")
    };
    format!(
        "✅ Mã {code} là thật: {issuer} phát lúc {at}.{drill}{corrected} {standing}{content}\nTin mang mã này mà nói khác đi là giả."
    )
}

/// The answer to a code with a letter that no code has.
#[must_use]
pub fn mistyped_code() -> String {
    "Mã kiểm tra không có chữ O, I, L, U và số 0, số 1. Xin nhìn lại từng chữ rồi gửi lại."
        .to_owned()
}

/// The answer to a code that no alert carries.
#[must_use]
pub fn unknown_code() -> String {
    "❌ Không có cảnh báo nào mang mã này: có thể là giả mạo. Xin đừng làm theo, đừng chuyển tiếp; cần thì gọi 113.".to_owned()
}

/// The answer to `/kiemtra` without a code.
#[must_use]
pub fn which_code() -> String {
    "Xin ghi thêm mã ở cuối cảnh báo, ví dụ: /kiemtra 7F3A9K".to_owned()
}

/// The answer to too many questions in a minute; given once.
#[must_use]
pub fn asked_too_often() -> String {
    "Hỏi nhanh quá, xin chờ một phút rồi kiểm tra tiếp.".to_owned()
}

/// A check code in a list, with the first words of its alert.
#[must_use]
pub fn in_a_list(code: &CheckCode, text: &str) -> String {
    format!("{code}: “{}”", first_line(text, 60))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use insta::assert_snapshot;

    use super::*;
    use crate::domain::alert::Step;
    use crate::domain::alert::Versions;
    use crate::domain::area::AreaId;
    use crate::domain::clock::from_unix_ms;
    use crate::domain::ids::AccountName;
    use crate::domain::ids::AlertId;
    use crate::domain::ids::RoomId;

    fn alert(level: Level, area: &str, text: &str) -> Alert {
        // 24 November 2026, 15:05 in Viet Nam.
        let now = from_unix_ms(1_795_507_500_000);
        let mut alert = Alert::draft(
            AlertId(1),
            CheckCode::parse("7F3A9K").expect("a code"),
            level,
            AreaId::parse(area).expect("an area"),
            Versions::first(text, "Đ/c Hà", now),
            RoomId::new(AccountName::parse("tg1").expect("a name"), "1001"),
            now + TimeDelta::hours(24),
        );
        alert.step(Step::Publish).expect("a draft can go out");
        alert.published_at = Some(now + TimeDelta::minutes(2));
        alert.versions.latest_mut().at = now + TimeDelta::minutes(2);
        alert
    }

    #[test]
    fn each_level_has_its_heading_and_the_words_stay_as_they_are() {
        let text = "  Họp thôn\n\n• 19:30, nhà văn hoá <b>\n";
        let info = alert(Level::Info, "06862/khu-7", text);
        assert!(room_text(&info, "Khu 7").contains(text));
        assert_snapshot!(room_text(&info, "Khu 7"), @r"
        📢 THÔNG BÁO

          Họp thôn

        • 19:30, nhà văn hoá <b>


        Cán bộ công an phụ trách khu 7, 15:07 ngày 24/11/2026.
        Hiệu lực đến 15:05 ngày 25/11/2026.
        Mã kiểm tra: 7F3A9K. Muốn biết tin này có thật không, nhắn cho bot: /kiemtra 7F3A9K
        ");
        assert_snapshot!(room_text(&alert(Level::Warning, "06862", "Giả danh."), "Xã Quảng Ninh"), @r"
        ⚠️ CẢNH BÁO

        Giả danh.

        Công an xã Quảng Ninh, 15:07 ngày 24/11/2026.
        Hiệu lực đến 15:05 ngày 25/11/2026.
        Mã kiểm tra: 7F3A9K. Muốn biết tin này có thật không, nhắn cho bot: /kiemtra 7F3A9K
        ");
        assert_snapshot!(room_text(&alert(Level::Urgent, "06862", "Cháy."), "Xã Quảng Ninh"), @r"
        🔴 KHẨN

        Cháy.

        Công an xã Quảng Ninh, 15:07 ngày 24/11/2026.
        Hiệu lực đến 15:05 ngày 25/11/2026.
        Mã kiểm tra: 7F3A9K. Muốn biết tin này có thật không, nhắn cho bot: /kiemtra 7F3A9K
        ");
    }

    #[test]
    fn a_check_tells_whether_the_alert_still_holds() {
        let mut alert = alert(
            Level::Warning,
            "06862",
            "Giả danh công an.\nĐừng chuyển tiền.",
        );
        let now = alert.drafted_at;
        let mut told = |state| {
            alert.state = state;
            checked(&alert, "Xã Quảng Ninh", now)
        };
        assert_snapshot!(told(AlertState::Live), @r"
        ✅ Mã 7F3A9K là thật: Công an xã Quảng Ninh phát lúc 15:07 ngày 24/11/2026. Cảnh báo đang có hiệu lực đến 15:05 ngày 25/11/2026.
        Nội dung thật bắt đầu bằng: “Giả danh công an.”
        Tin mang mã này mà nói khác đi là giả.
        ");
        assert_snapshot!(told(AlertState::AllClear), @r"
        ✅ Mã 7F3A9K là thật: Công an xã Quảng Ninh phát lúc 15:07 ngày 24/11/2026. Sự việc đã qua, cảnh báo hết hiệu lực từ 15:07 ngày 24/11/2026.
        Nội dung thật bắt đầu bằng: “Giả danh công an.”
        Tin mang mã này mà nói khác đi là giả.
        ");
        assert_snapshot!(told(AlertState::Withdrawn), @r"
        ✅ Mã 7F3A9K là thật: Công an xã Quảng Ninh phát lúc 15:07 ngày 24/11/2026. Cảnh báo này đã được thu hồi lúc 15:07 ngày 24/11/2026, xin đừng chuyển tiếp.
        Tin mang mã này mà nói khác đi là giả.
        ");
        assert_snapshot!(told(AlertState::Expired), @r"
        ✅ Mã 7F3A9K là thật: Công an xã Quảng Ninh phát lúc 15:07 ngày 24/11/2026. Cảnh báo đã hết hiệu lực từ 15:05 ngày 25/11/2026.
        Nội dung thật bắt đầu bằng: “Giả danh công an.”
        Tin mang mã này mà nói khác đi là giả.
        ");
        for state in [AlertState::Draft, AlertState::Pending, AlertState::Dropped] {
            assert_eq!(told(state), unknown_code());
        }
    }
}
