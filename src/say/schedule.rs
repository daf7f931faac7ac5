//! The digest that comes by itself: setting its hour, changing it, ending it, and what stands above one
//! that is late.

use chrono::Timelike as _;

use super::phrase::day;
use super::phrase::hour;
use super::phrase::inside;
use crate::domain::appointment::Hour;
use crate::domain::clock::Time;

/// Into which chat a digest comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// The private chat in which this is said.
    Here,
    /// The group in which this is said.
    Group,
    /// The private chat of the named person; said in a group.
    Private,
}

/// An hour was set, or another one than before.
#[derive(Debug, Clone, Copy)]
pub struct Set<'a> {
    /// Whose digest.
    pub area_title: &'a str,
    /// Every day at this hour.
    pub hour: Hour,
    /// The first one.
    pub first: Time,
    /// Where it comes.
    pub into: Into,
    /// The same hour of the other half of the day, which may have been meant.
    pub other: Option<Hour>,
}

/// The appointment is made.
#[must_use]
pub fn set(set: &Set<'_>, now: Time) -> String {
    let away = (set.first.date_naive() - now.date_naive()).num_days();
    let begin = match away {
        0 => "hôm nay".to_owned(),
        1 => "ngày mai".to_owned(),
        _ => format!("ngày {}", day(set.first.date_naive(), now)),
    };
    let mut text = format!(
        "Từ {begin}, {}.",
        every_day(set.hour, set.area_title, set.into)
    );
    if let Some(other) = set.other {
        let (clock, minute) = other.on_the_clock();
        let minute = match minute {
            0 => String::new(),
            _ => format!("{minute:02}"),
        };
        text.push_str(&format!(
            " Nếu muốn {}, nhắn /hen {clock}h{minute}.",
            hour(other)
        ));
    }
    text.push_str(" Không cần nữa: /hen thôi");
    text
}

/// What is set.
#[must_use]
pub fn standing(area_title: &str, at: Hour, into: Into) -> String {
    format!(
        "Đang hẹn: {}. Đổi giờ: /hen và giờ mới. Không cần nữa: /hen thôi",
        every_day(at, area_title, into)
    )
}

/// What comes when, in the middle of a sentence. A morning's digest tells of the day before.
fn every_day(at: Hour, area_title: &str, into: Into) -> String {
    let which = if at < Hour::NOON {
        "bản tổng hợp ngày hôm trước của"
    } else {
        "bản tổng hợp"
    };
    let into = match into {
        Into::Here => "vào đây",
        Into::Group => "vào nhóm này",
        Into::Private => "vào chỗ nhắn riêng",
    };
    format!(
        "cứ {} hằng ngày, bot gửi {which} {} {into}",
        hour(at),
        inside(area_title)
    )
}

/// Nothing is set.
#[must_use]
pub fn nothing_set() -> String {
    "Chưa hẹn giờ nào. Muốn bản tổng hợp tự đến mỗi ngày, xin nhắn giờ, ví dụ: /hen 18h".to_owned()
}

/// It was ended.
#[must_use]
pub fn ended() -> String {
    "Từ nay bot không gửi theo giờ nữa. Lúc nào cần xem, xin nhắn /tonghop.".to_owned()
}

/// An hour that is none, or words that name none.
#[must_use]
pub fn which_hour() -> String {
    "Chưa rõ mấy giờ. Xin nhắn như: /hen 18h, /hen 18h30 hoặc /hen 6h chiều".to_owned()
}

/// Asked in a group, for a person whom the bot cannot write to.
#[must_use]
pub fn write_privately_first() -> String {
    "Bản tổng hợp chỉ gửi riêng. Xin nhắn cho bot ở chỗ nhắn riêng, ví dụ: /hen 18h".to_owned()
}

/// A group that is bound to no area of the asker's.
#[must_use]
pub fn not_this_group() -> String {
    "Nhóm này không gắn với địa bàn phụ trách nên bot không gửi tổng hợp vào đây.".to_owned()
}

/// Asked in private for a group.
#[must_use]
pub fn ask_in_the_group() -> String {
    "Muốn gửi vào nhóm, xin nhắn ngay trong nhóm ấy, ví dụ: /hen 18h vào nhóm".to_owned()
}

/// A digest that comes after its hour because the program stood still.
#[must_use]
pub fn late(due: Time, digest: &str, now: Time) -> String {
    format!("(Gửi muộn, hẹn lúc {}.)\n{digest}", moment(due, now))
}

/// Too late to be of use; told once, when the program is back.
#[must_use]
pub fn missed(due: Time, now: Time) -> String {
    format!(
        "Bot ngừng chạy nên lỡ bản tổng hợp lúc {}. Cần xem, xin nhắn /tonghop {}.",
        moment(due, now),
        day(due.date_naive(), now)
    )
}

/// `6 giờ chiều`, with the day when it is not today.
fn moment(at: Time, now: Time) -> String {
    let minutes = u16::try_from(at.hour() * 60 + at.minute()).unwrap_or_default();
    let said = Hour::from_minutes(minutes).map(hour).unwrap_or_default();
    if at.date_naive() == now.date_naive() {
        said
    } else {
        format!("{said} ngày {}", day(at.date_naive(), now))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use insta::assert_snapshot;

    use super::*;
    use crate::domain::clock::from_unix_ms;

    fn at(hour: u16) -> Hour {
        Hour::from_minutes(hour * 60).unwrap()
    }

    #[test]
    fn what_is_set_is_said_shortly() {
        // 24 November 2026, 15:05 in Viet Nam.
        let now = from_unix_ms(1_795_507_500_000);
        let mut said = Set {
            area_title: "thôn Tân Trúc Tùng",
            hour: at(18),
            first: at(18).on(now.date_naive()),
            into: Into::Here,
            other: None,
        };
        assert_snapshot!(set(&said, now), @"Từ hôm nay, cứ 6 giờ chiều hằng ngày, bot gửi bản tổng hợp thôn Tân Trúc Tùng vào đây. Không cần nữa: /hen thôi");
        said.into = Into::Group;
        said.hour = at(6);
        said.other = Some(at(18));
        said.first = said.hour.next(now, None);
        assert_snapshot!(set(&said, now), @"Từ ngày mai, cứ 6 giờ sáng hằng ngày, bot gửi bản tổng hợp ngày hôm trước của thôn Tân Trúc Tùng vào nhóm này. Nếu muốn 6 giờ chiều, nhắn /hen 18h. Không cần nữa: /hen thôi");
        assert_snapshot!(standing("Xã Quảng Ninh", at(18), Into::Private), @"Đang hẹn: cứ 6 giờ chiều hằng ngày, bot gửi bản tổng hợp xã Quảng Ninh vào chỗ nhắn riêng. Đổi giờ: /hen và giờ mới. Không cần nữa: /hen thôi");
    }

    #[test]
    fn what_is_late_says_so() {
        let now = from_unix_ms(1_795_507_500_000);
        assert_snapshot!(late(now - TimeDelta::minutes(65), "TỔNG HỢP …", now), @r"
        (Gửi muộn, hẹn lúc 2 giờ chiều.)
        TỔNG HỢP …
        ");
        assert_snapshot!(late(now - TimeDelta::hours(20), "TỔNG HỢP …", now), @r"
        (Gửi muộn, hẹn lúc 7 giờ 05 tối ngày 23/11.)
        TỔNG HỢP …
        ");
        assert_snapshot!(missed(now - TimeDelta::hours(24), now), @"Bot ngừng chạy nên lỡ bản tổng hợp lúc 3 giờ 05 chiều ngày 23/11. Cần xem, xin nhắn /tonghop 23/11.");
    }
}
