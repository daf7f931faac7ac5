//! A digest as one message: open cases first, counts by kind, alerts in force.

use super::category::category;
use super::phrase::day;
use super::phrase::inside;
use super::phrase::lasting;
use super::phrase::moment_seen_from;
use crate::domain::area::AreaBook;
use crate::domain::clock::Time;
use crate::domain::digest::Days;
use crate::domain::digest::Digest;
use crate::domain::digest::DigestCase;
use crate::domain::digest::DigestCount;
use crate::domain::incident::Status;
use crate::domain::reading::Category;

/// The longest digest, in characters: it fits one message of every platform but Zalo Bot.
const MOST: usize = 3_500;

/// Room for the heading of the open cases and the count of those left out.
const FRAME: usize = 60;

/// Alerts named in a digest.
const ALERTS_SHOWN: usize = 5;

/// Who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// One person with a role, in private.
    Staff,
    /// A group: kinds from which neighbours could guess a household are not named.
    Group,
}

/// The digest in words.
#[must_use]
pub fn text(digest: &Digest, areas: &AreaBook, audience: Audience, now: Time) -> String {
    let mut text = format!(
        "TỔNG HỢP {}, {}\n",
        inside(&digest.title),
        span(digest.days, now)
    );
    let nothing = digest.open.is_empty()
        && digest.recorded == 0
        && digest.closed == 0
        && digest.alerts.is_empty();
    if nothing {
        text.push_str("\nKhông có vụ việc nào, không còn việc tồn. Chúc bà con bình yên.");
        return text;
    }
    // What follows is short whatever happened; the open cases get the room that is left.
    let mut below = String::new();
    counts(&mut below, digest, audience, now);
    alerts(&mut below, digest, now);
    let room = MOST.saturating_sub(text.chars().count() + below.chars().count());
    open_cases(&mut text, digest, areas, audience, now, room);
    text.push_str(&below);
    text.trim_end().to_owned()
}

fn open_cases(
    text: &mut String,
    digest: &Digest,
    areas: &AreaBook,
    audience: Audience,
    now: Time,
    room: usize,
) {
    if digest.open.is_empty() {
        text.push_str("\nKhông còn vụ nào đang mở.\n");
        return;
    }
    text.push_str(&format!("\nĐang mở: {} vụ\n", digest.open.len()));
    let mut room = room.saturating_sub(FRAME);
    let mut shown = 0;
    for case in &digest.open {
        let line = open_case(case, digest, areas, audience, now);
        let length = line.chars().count();
        if length > room {
            break;
        }
        room -= length;
        shown += 1;
        text.push_str(&line);
    }
    if shown < digest.open.len() {
        text.push_str(&format!("và {} vụ nữa\n", digest.open.len() - shown));
    }
}

fn open_case(
    case: &DigestCase,
    digest: &Digest,
    areas: &AreaBook,
    audience: Audience,
    now: Time,
) -> String {
    let is_veiled = audience == Audience::Group && is_delicate(case.category);
    let kind = if is_veiled {
        VEILED
    } else {
        category(case.category)
    };
    // The village of a delicate case in a small place is as good as a name.
    let place = if case.area == digest.area || is_veiled {
        String::new()
    } else {
        format!(", {}", inside(&areas.title(&case.area)))
    };
    let urgent = if case.urgent { "KHẨN, " } else { "" };
    let standing = match case.status {
        Status::New => "chưa ai nhận",
        _ => "đang giải quyết",
    };
    let reports = match case.reports {
        0 | 1 => String::new(),
        several => format!(", {several} lượt báo"),
    };
    format!(
        "• {}: {urgent}{kind}{place}, báo {} trước, {standing}{reports}\n",
        case.id,
        lasting(now - case.received_at)
    )
}

fn counts(text: &mut String, digest: &Digest, audience: Audience, now: Time) {
    let before = before(digest.days, now);
    if digest.recorded == 0 && digest.recorded_before == 0 {
        text.push_str("\nKhông có vụ mới.\n");
    } else {
        text.push_str(&format!(
            "\nMới ghi nhận: {} vụ ({before}: {})\n",
            digest.recorded, digest.recorded_before
        ));
        for count in veiled(&digest.counts, audience) {
            text.push_str(&format!(
                "• {}: {} vụ ({before}: {})\n",
                count.0, count.1, count.2
            ));
        }
    }
    match (digest.accepted, digest.closed) {
        (0, 0) => {}
        (accepted, 0) => text.push_str(&format!("Cán bộ đã nhận {accepted} vụ.\n")),
        (0, closed) => text.push_str(&format!("Đã khép lại {closed} vụ.\n")),
        (accepted, closed) => text.push_str(&format!(
            "Cán bộ đã nhận {accepted} vụ, đã khép lại {closed} vụ.\n"
        )),
    }
}

fn alerts(text: &mut String, digest: &Digest, now: Time) {
    if digest.alerts.is_empty() {
        return;
    }
    text.push_str("\nCảnh báo đang có hiệu lực:\n");
    for alert in digest.alerts.iter().take(ALERTS_SHOWN) {
        text.push_str(&format!(
            "• {} (mã {}, đến {})\n",
            alert.headline,
            alert.code,
            moment_seen_from(alert.expires_at, now)
        ));
    }
    let further = digest.alerts.len().saturating_sub(ALERTS_SHOWN);
    if further > 0 {
        text.push_str(&format!("và {further} cảnh báo nữa\n"));
    }
}

/// The kind that stands for all delicate ones in a group.
const VEILED: &str = "việc cần kín đáo";

/// Kinds from which the neighbours of a small place could guess whom it is about.
fn is_delicate(kind: Category) -> bool {
    matches!(
        kind,
        Category::Drugs
            | Category::DomesticViolence
            | Category::Prostitution
            | Category::HouseholdDispute
            | Category::IllegalExplosivesWeapons
    )
}

fn veiled(counts: &[DigestCount], audience: Audience) -> Vec<(&'static str, u32, u32)> {
    let mut lines = Vec::new();
    let mut hidden = (VEILED, 0, 0);
    for count in counts {
        if audience == Audience::Group && is_delicate(count.category) {
            hidden.1 += count.now;
            hidden.2 += count.before;
        } else {
            lines.push((category(count.category), count.now, count.before));
        }
    }
    if hidden.1 + hidden.2 > 0 {
        lines.push(hidden);
    }
    lines
}

/// The days, as a heading says them.
fn span(days: Days, now: Time) -> String {
    let today = now.date_naive();
    if days.from != days.to {
        return format!("từ {} đến {}", day(days.from, now), day(days.to, now));
    }
    let date = day(days.from, now);
    match (today - days.from).num_days() {
        0 => format!("hôm nay {date}"),
        1 => format!("hôm qua {date}"),
        _ => format!("ngày {date}"),
    }
}

/// What the days before are called.
fn before(days: Days, now: Time) -> String {
    let length = (days.to - days.from).num_days() + 1;
    if length > 1 {
        format!("{length} ngày trước đó")
    } else if days.to == now.date_naive() {
        "hôm qua".to_owned()
    } else {
        "hôm trước đó".to_owned()
    }
}

/// `/tonghop` with words that name no days, or a place that is not the asker's.
#[must_use]
pub fn which_days() -> String {
    "Xin ghi ngày như sau: /tonghop hôm nay, hôm qua, tuần này, tuần trước, 7 ngày (tối đa 92 ngày) hoặc 20/11. Có thể thêm tên thôn trong địa bàn phụ trách.".to_owned()
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use insta::assert_snapshot;

    use super::*;
    use crate::domain::area::AreaId;
    use crate::domain::clock::from_unix_ms;
    use crate::domain::ids::IncidentId;

    fn now() -> Time {
        // 24 November 2026, 15:05 in Viet Nam.
        from_unix_ms(1_795_507_500_000)
    }

    fn case(id: u64, category: Category) -> DigestCase {
        DigestCase {
            id: IncidentId(id),
            category,
            urgent: id == 1,
            status: Status::New,
            area: AreaId::parse("06862/khu-7").unwrap(),
            received_at: now() - chrono::TimeDelta::hours(3),
            reports: u32::try_from(id).unwrap(),
        }
    }

    fn digest(open: Vec<DigestCase>, counts: Vec<DigestCount>) -> Digest {
        let today = NaiveDate::from_ymd_opt(2026, 11, 24).unwrap();
        Digest {
            area: AreaId::parse("06862").unwrap(),
            title: "Xã Quảng Ninh".to_owned(),
            days: Days {
                from: today - chrono::Days::new(6),
                to: today,
            },
            open,
            recorded: counts.iter().map(|count| count.now).sum(),
            recorded_before: counts.iter().map(|count| count.before).sum(),
            counts,
            closed: 2,
            accepted: 0,
            alerts: vec![],
            by_day: vec![],
        }
    }

    fn count(category: Category, now: u32, before: u32) -> DigestCount {
        DigestCount {
            category,
            now,
            before,
        }
    }

    #[test]
    fn a_group_hears_no_kind_that_names_a_household() {
        let digest = digest(
            vec![case(1, Category::Fire), case(2, Category::DomesticViolence)],
            vec![
                count(Category::Theft, 3, 1),
                count(Category::DomesticViolence, 1, 0),
                count(Category::Drugs, 0, 2),
            ],
        );
        let areas = AreaBook::default();
        assert_snapshot!(text(&digest, &areas, Audience::Group, now()), @r"
        TỔNG HỢP xã Quảng Ninh, từ 18/11 đến 24/11

        Đang mở: 2 vụ
        • 1: KHẨN, cháy nổ, khu 7, báo 3 giờ trước, chưa ai nhận
        • 2: việc cần kín đáo, báo 3 giờ trước, chưa ai nhận, 2 lượt báo

        Mới ghi nhận: 4 vụ (7 ngày trước đó: 3)
        • trộm cắp: 3 vụ (7 ngày trước đó: 1)
        • việc cần kín đáo: 1 vụ (7 ngày trước đó: 2)
        Đã khép lại 2 vụ.
        ");
        assert_snapshot!(text(&digest, &areas, Audience::Staff, now()), @r"
        TỔNG HỢP xã Quảng Ninh, từ 18/11 đến 24/11

        Đang mở: 2 vụ
        • 1: KHẨN, cháy nổ, khu 7, báo 3 giờ trước, chưa ai nhận
        • 2: bạo lực gia đình, khu 7, báo 3 giờ trước, chưa ai nhận, 2 lượt báo

        Mới ghi nhận: 4 vụ (7 ngày trước đó: 3)
        • trộm cắp: 3 vụ (7 ngày trước đó: 1)
        • bạo lực gia đình: 1 vụ (7 ngày trước đó: 0)
        • ma tuý: 0 vụ (7 ngày trước đó: 2)
        Đã khép lại 2 vụ.
        ");
    }

    #[test]
    fn a_thousand_open_cases_fit_one_message() {
        let counts = Category::ALL
            .iter()
            .map(|&kind| count(kind, 999, 999))
            .collect();
        let digest = digest(
            (1..=1000)
                .map(|id| case(id, Category::EnvironmentNoise))
                .collect(),
            counts,
        );
        let text = text(&digest, &AreaBook::default(), Audience::Staff, now());
        assert!(
            (3_300..=MOST).contains(&text.chars().count()),
            "{}",
            text.chars().count()
        );
        assert!(text.contains("vụ nữa\n"));
    }
}
