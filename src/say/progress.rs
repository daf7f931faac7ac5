//! How the sending of an alert goes, for its author.

use std::fmt::Write;

use chrono::TimeDelta;

use crate::domain::alert::Alert;
use crate::domain::alert::Tally;
use crate::domain::alert::VersionKind;
use crate::domain::clock::Time;

/// How soon an account's rooms were reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Our name for the account.
    pub account: String,
    /// From the moment the version went out to its last room there.
    pub took: TimeDelta,
    /// When that room was reached.
    pub last: Time,
}

/// The report, while it runs and at the end. `failures` are the reasons as the outbox keeps them, in
/// English, with the number of rooms; the officer reads them in plain Vietnamese. `reached` is none while
/// it runs.
#[must_use]
pub fn report(
    alert: &Alert,
    tally: &Tally,
    failures: &[(String, u32)],
    reached: &[Reached],
) -> String {
    let Tally {
        planned,
        sent,
        unknown,
        failed,
        maybe_twice,
    } = *tally;
    let what = what(alert);
    let waiting = tally.waiting();
    let mut text = if planned == 0 {
        format!("{what}: không có nhóm nào để gửi.")
    } else if waiting > 0 {
        format!("{what}: đang gửi, {sent}/{planned} nhóm đã nhận, còn {waiting} nhóm.")
    } else if sent == planned && planned == 1 {
        format!("{what}: đã gửi xong, nhóm đã nhận.")
    } else if sent == planned {
        format!("{what}: đã gửi xong, cả {planned} nhóm đã nhận.")
    } else {
        format!("{what}: đã gửi xong, {sent}/{planned} nhóm đã nhận.")
    };
    if let Some(slowest) = reached.iter().max_by_key(|one| one.took) {
        let took = seconds(slowest.took);
        let at = slowest.last.format("%H:%M:%S");
        let _ = write!(text, "\nNhóm cuối cùng nhận lúc {at}, sau {took}");
        if reached.len() > 1 {
            let _ = write!(text, " (chậm nhất: {})", slowest.account);
        }
        text.push('.');
    }
    // Writing into a string cannot fail.
    if unknown > 0 {
        let _ = write!(
            text,
            "\n❓ {unknown} nhóm chưa rõ: đã gửi nhưng không thấy trả lời, xin hỏi lại trong nhóm."
        );
    }
    if maybe_twice > 0 {
        let _ = write!(
            text,
            "\n{maybe_twice} nhóm có thể nhận trùng: đã gửi lại vì lần đầu không thấy trả lời."
        );
    }
    if failed > 0 {
        let _ = write!(text, "\n❌ {failed} nhóm không gửi được:");
        for (reason, rooms) in in_plain_words(failures) {
            let _ = write!(text, "\n- {rooms} nhóm: {reason}");
        }
    }
    text
}

/// Which version is reported on.
fn what(alert: &Alert) -> String {
    let code = &alert.code;
    let drill = if alert.drill { "Diễn tập, " } else { "" };
    match alert.versions.latest().kind {
        VersionKind::First if alert.drill => format!("Diễn tập, cảnh báo {code}"),
        VersionKind::First => format!("Cảnh báo {code}"),
        VersionKind::Correction => format!("{drill}Đính chính {code}"),
        VersionKind::AllClear => format!("{drill}Tin hết cảnh báo {code}"),
        VersionKind::Withdrawal => format!("{drill}Tin thu hồi {code}"),
    }
}

/// `chưa đến 1 giây`, `45 giây`, `3 phút 20 giây`.
fn seconds(time: TimeDelta) -> String {
    match time.num_seconds().max(0) {
        0 => "chưa đến 1 giây".to_owned(),
        seconds @ 1..60 => format!("{seconds} giây"),
        seconds => format!("{} phút {} giây", seconds / 60, seconds % 60),
    }
}

/// Reasons as an officer understands them, most frequent first.
fn in_plain_words(failures: &[(String, u32)]) -> Vec<(&'static str, u32)> {
    let mut plain: Vec<(&'static str, u32)> = Vec::new();
    for (why, rooms) in failures {
        let reason = in_plain_word(why);
        match plain.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, sum)) => *sum += rooms,
            None => plain.push((reason, *rooms)),
        }
    }
    plain.sort_by_key(|&(_, rooms)| std::cmp::Reverse(rooms));
    plain
}

fn in_plain_word(why: &str) -> &'static str {
    let why = why.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if says(&["expired"]) {
        "cảnh báo hết hiệu lực trước khi gửi được"
    } else if says(&["taken back", "newer version"]) {
        "cảnh báo đã được thu hồi hoặc thay bằng bản mới"
    } else if says(&["never saw"]) {
        "nhóm chưa từng nhận cảnh báo này"
    } else if says(&["outside the 24 hours"]) {
        "đã quá 24 giờ từ tin nhắn cuối của người nhận, Facebook không cho nhắn"
    } else if says(&["given up"]) {
        "nền tảng không liên lạc được"
    } else if says(&[
        "kicked",
        "not a member",
        "not in the room",
        "not in the group",
        "does not exist any more",
        "chat not found",
        "deactivated",
        "deleted",
        "blocked",
    ]) {
        "bot không còn ở trong nhóm"
    } else if says(&["gmf pack"]) {
        "gói nhóm GMF đã hết hạn, cần gia hạn trên trang của OA"
    } else if says(&["rights", "permission", "admin", "restricted"]) {
        "bot chưa được quyền viết trong nhóm"
    } else {
        "nền tảng không nhận tin này"
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::domain::alert::Level;
    use crate::domain::alert::Step;
    use crate::domain::alert::Versions;
    use crate::domain::area::AreaId;
    use crate::domain::clock::from_unix_ms;
    use crate::domain::ids::AccountName;
    use crate::domain::ids::AlertId;
    use crate::domain::ids::CheckCode;
    use crate::domain::ids::RoomId;

    fn alert() -> Alert {
        let mut alert = Alert::draft(
            AlertId(1),
            CheckCode::parse("7F3A9K").unwrap(),
            Level::Warning,
            AreaId::parse("06862").unwrap(),
            Versions::first("Cẩn thận", "Đ/c Hà", from_unix_ms(0)),
            RoomId::new(AccountName::parse("tg1").unwrap(), "1"),
            from_unix_ms(0),
        );
        alert.step(Step::Publish).unwrap();
        alert
    }

    #[test]
    fn an_officer_reads_how_it_goes() {
        let mut tally = Tally {
            planned: 300,
            sent: 120,
            ..Tally::default()
        };
        assert_snapshot!(report(&alert(), &tally, &[], &[]), @"Cảnh báo 7F3A9K: đang gửi, 120/300 nhóm đã nhận, còn 180 nhóm.");
        tally.sent = 300;
        assert_snapshot!(report(&alert(), &tally, &[], &[]), @"Cảnh báo 7F3A9K: đã gửi xong, cả 300 nhóm đã nhận.");
        let one = Tally {
            planned: 1,
            sent: 1,
            ..Tally::default()
        };
        assert_snapshot!(report(&alert(), &one, &[], &[]), @"Cảnh báo 7F3A9K: đã gửi xong, nhóm đã nhận.");
        tally = Tally {
            planned: 300,
            sent: 295,
            unknown: 1,
            failed: 4,
            maybe_twice: 2,
        };
        let failures = [
            ("Forbidden: bot was kicked from the group chat".into(), 2),
            ("Bad Request: chat not found".into(), 1),
            (
                "Bad Request: not enough rights to send text messages".into(),
                1,
            ),
        ];
        let reached = ["oa1", "tg1"].map(|account| Reached {
            account: account.into(),
            took: TimeDelta::seconds(if account == "oa1" { 200 } else { 9 }),
            last: from_unix_ms(1_800_000_000_000),
        });
        assert_snapshot!(report(&alert(), &tally, &failures, &reached), @"
        Cảnh báo 7F3A9K: đã gửi xong, 295/300 nhóm đã nhận.
        Nhóm cuối cùng nhận lúc 15:00:00, sau 3 phút 20 giây (chậm nhất: oa1).
        ❓ 1 nhóm chưa rõ: đã gửi nhưng không thấy trả lời, xin hỏi lại trong nhóm.
        2 nhóm có thể nhận trùng: đã gửi lại vì lần đầu không thấy trả lời.
        ❌ 4 nhóm không gửi được:
        - 3 nhóm: bot không còn ở trong nhóm
        - 1 nhóm: bot chưa được quyền viết trong nhóm
        ");
    }
}
