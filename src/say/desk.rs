//! What the desk says to officers, heads and administrators, and to those who are none.

use std::fmt;

use super::category::category;
use super::phrase::clip;
use super::phrase::inside;
use super::phrase::moment;
use super::phrase::moment_seen_from;
use super::phrase::room;
use crate::domain::alert::Alert;
use crate::domain::alert::AlertState;
use crate::domain::clock::Time;
use crate::domain::ids::CheckCode;
use crate::domain::ids::IncidentId;
use crate::domain::incident::Incident;
use crate::domain::incident::Status;
use crate::domain::message::Attachment;
use crate::domain::person::Role;
use crate::domain::quota::Month;
use crate::domain::quota::Quota;
use crate::domain::reading::When;

/// Room names shown in one list; the others are counted.
const NAMES_SHOWN: usize = 20;

/// What surely fits one message, in characters.
const ONE_MESSAGE: usize = 3_000;

/// Reports shown with a case, and the letters shown of each.
const REPORTS_SHOWN: usize = 5;
const REPORT_LETTERS: usize = 1_500;

/// The one answer to a command that does not exist, or not for this person.
#[must_use]
pub fn no_such_command() -> String {
    "Lệnh này không dùng được ở đây. Nhắn /trogiup để xem cách báo tin.".to_owned()
}

/// To somebody who presses an officer's button.
#[must_use]
pub fn not_your_button() -> String {
    "Nút này chỉ dành cho người soạn.".to_owned()
}

/// `/canhbao` without a text.
#[must_use]
pub fn alert_without_words() -> String {
    "Xin viết nội dung ngay sau lệnh, ví dụ:\n/canhbao Có người giả danh công an gọi điện đòi chuyển tiền. Bà con không làm theo, gọi 113.\nThêm “khẩn:” hoặc “tin:” ở đầu nội dung để đổi mức. Mẫu viết sẵn: /canhbao mẫu".to_owned()
}

/// A text without a single word.
#[must_use]
pub fn only_signs() -> String {
    "Cảnh báo cần có lời, không chỉ biểu tượng: xin ghi rõ chuyện gì, ở đâu, bà con nên làm gì."
        .to_owned()
}

/// A place that is none, or several.
#[must_use]
pub fn no_such_place(name: &str, perhaps: &[String]) -> String {
    let name = room(name);
    if perhaps.is_empty() {
        format!(
            "Chưa soạn: không thấy nơi nào tên “{name}”. Sau chữ “đến” xin ghi tên thôn, xã, “nhóm” kèm tên nhóm, hoặc Zalo, Facebook, Telegram; xem các nhóm bằng /nhom"
        )
    } else {
        format!(
            "Chưa soạn: “{name}” có thể là {}. Xin ghi rõ hơn.",
            names(perhaps)
        )
    }
}

/// An end that is no moment.
#[must_use]
pub fn no_such_end(words: &str) -> String {
    format!(
        "Chưa soạn: chưa hiểu hạn “{}”. Ví dụ: hạn 18h, hạn 7h sáng mai, hạn 18h 25/11, hạn 6 tiếng, hạn 2 ngày.",
        clip(words, 40)
    )
}

/// An end that lies behind.
#[must_use]
pub fn end_has_passed(end: Time, now: Time) -> String {
    format!(
        "Chưa gửi: hạn {} đã qua. Xin ghi hạn ở sau lúc này, ví dụ: hạn 18h mai.",
        moment_seen_from(end, now)
    )
}

/// An end that lies too far ahead.
#[must_use]
pub fn end_too_far(days: i64) -> String {
    format!("Chưa soạn: một cảnh báo có hiệu lực nhiều nhất {days} ngày.")
}

/// Nobody takes part in exercises.
#[must_use]
pub fn no_drill_rooms() -> String {
    "Chưa nhóm nào nhận diễn tập. Quản trị viên đặt drills = true cho nhóm đó trong tệp cấu hình."
        .to_owned()
}

/// The author's choice leaves no room.
#[must_use]
pub fn no_chosen_rooms() -> String {
    "Chưa soạn: không nhóm nào vừa thuộc địa bàn vừa đúng nơi đã chọn. Xem các nhóm bằng /nhom"
        .to_owned()
}

/// A text that is longer than an alert may be.
#[must_use]
pub fn alert_too_long(length: usize, most: usize) -> String {
    format!(
        "Nội dung dài {} ký tự, tối đa là {}. Xin rút ngắn rồi gửi lại.",
        thousands(length),
        thousands(most)
    )
}

/// No group would hear the alert.
#[must_use]
pub fn no_rooms(area_title: &str, unbound: &[String]) -> String {
    let mut text = format!(
        "Chưa gửi được: chưa có nhóm nào gắn với {}.",
        inside(area_title)
    );
    if unbound.is_empty() {
        text.push_str(
            " Hãy mời bot vào nhóm, rồi quản trị viên nhắn trong nhóm: /ganthon tên-thôn",
        );
    } else {
        text.push_str(&format!(
            " Bot đang ở {} nhóm chưa gắn: {}. Quản trị viên nhắn trong từng nhóm: /ganthon tên-thôn",
            unbound.len(),
            names(unbound)
        ));
    }
    text
}

/// The same, as a button's answer.
#[must_use]
pub fn no_rooms_short() -> String {
    "Chưa gửi: không còn nhóm nào gắn với địa bàn này.".to_owned()
}

/// How many people hear something, as far as the platforms tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct People {
    /// So many, in the rooms whose platform tells.
    pub count: u64,
    /// How many rooms those are.
    pub rooms: usize,
    /// Rooms of which nobody knows.
    pub unknown: usize,
}

impl fmt::Display for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = thousands(self.count);
        match (self.rooms, self.unknown) {
            (0, _) => f.write_str("Không rõ số người."),
            (_, 0) => write!(f, "Khoảng {count} người."),
            (rooms, unknown) => write!(
                f,
                "Khoảng {count} người trong {rooms} nhóm; {unknown} nhóm không rõ số người."
            ),
        }
    }
}

/// What a preview is made of.
#[derive(Debug)]
pub struct Preview<'a> {
    /// The draft's code.
    pub code: &'a CheckCode,
    /// The exact text as the rooms will see it.
    pub shown: &'a str,
    /// The rooms' names, by the title of the area they are bound to.
    pub places: &'a [(String, Vec<String>)],
    /// How many people that are.
    pub people: People,
    /// Rooms that are bound to no area.
    pub unbound: &'a [String],
    /// Rooms of the area that put the bot out.
    pub removed: &'a [String],
    /// Rooms of the area that the author did not choose.
    pub not_chosen: &'a [String],
    /// Rooms that take no part in exercises.
    pub no_drills: &'a [String],
    /// Groups whose helper, who posts there by hand, may not be written to now.
    pub closed: &'a [String],
    /// How many rooms hear it only after their quiet hours.
    pub quiet: usize,
    /// Who may approve it, where a second officer is needed.
    pub approvers: Option<Vec<&'a str>>,
    /// The same words went to some of these rooms before.
    pub repeats: Option<(&'a Alert, Time)>,
    /// For how long the draft can be confirmed.
    pub minutes: i64,
    /// What else its author should know, as [`super::draft`] says it.
    pub notes: &'a [String],
}

/// The draft as its author sees it: the exact words, who gets them, who does not, and how to go on.
#[must_use]
pub fn preview(preview: &Preview<'_>) -> String {
    let code = preview.code;
    let count: usize = preview.places.iter().map(|(_, rooms)| rooms.len()).sum();
    let mut text = format!(
        "CHƯA GỬI. Bản xem trước, các nhóm sẽ thấy đúng như sau:\n\n{}\n\n———\nGửi đến {count} nhóm:\n",
        preview.shown
    );
    let mut left = NAMES_SHOWN;
    for (place, rooms) in preview.places {
        let shown: Vec<String> = rooms.iter().take(left).map(|title| room(title)).collect();
        left -= shown.len();
        if shown.is_empty() {
            break;
        }
        text.push_str(&format!("• {place}: {}\n", shown.join("; ")));
    }
    if count > NAMES_SHOWN {
        text.push_str(&format!("và {} nhóm nữa\n", count - NAMES_SHOWN));
    }
    text.push_str(&format!("{}\n", preview.people));
    left_out(&mut text, "chưa gắn thôn", preview.unbound);
    left_out(&mut text, "bot đã bị đưa ra khỏi nhóm", preview.removed);
    left_out(&mut text, "không nằm trong nơi đã chọn", preview.not_chosen);
    left_out(&mut text, "nhóm không nhận diễn tập", preview.no_drills);
    left_out(
        &mut text,
        "người đăng tay đã quá 24 giờ chưa nhắn cho Trang",
        preview.closed,
    );
    if preview.quiet > 0 {
        text.push_str(&format!(
            "{} nhóm đang giờ yên tĩnh, sẽ nhận khi hết giờ.\n",
            preview.quiet
        ));
    }
    if let Some((earlier, now)) = preview.repeats {
        let at = moment_seen_from(earlier.published_at.unwrap_or(earlier.drafted_at), now);
        text.push_str(&format!(
            "\n⚠️ Đúng lời này đã gửi lúc {at}, mã {}. Gửi lại thật không?\n",
            earlier.code
        ));
    }
    if let Some(names) = &preview.approvers {
        text.push_str(&format!("\n{}\n", super::approval::will_need(names)));
    }
    let how = if preview.repeats.is_some() {
        "Gửi lại: bấm nút"
    } else {
        "Gửi: trả lời OK"
    };
    text.push_str(&format!(
        "\nMã {code}. {how} hoặc nhắn /duyet {code} trong {} phút. Không gửi: trả lời HUỶ.",
        preview.minutes
    ));
    for note in preview.notes {
        text.push_str("\n\n");
        text.push_str(note);
    }
    text
}

fn left_out(text: &mut String, why: &str, rooms: &[String]) {
    if !rooms.is_empty() {
        text.push_str(&format!(
            "Không gửi, vì {why} ({} nhóm): {}\n",
            rooms.len(),
            names(rooms)
        ));
    }
}

/// A plain OK to words that went out before.
#[must_use]
pub fn really_again(earlier: &Alert, code: &CheckCode, now: Time) -> String {
    let at = moment_seen_from(earlier.published_at.unwrap_or(earlier.drafted_at), now);
    format!(
        "Chưa gửi: đúng lời này đã gửi lúc {at}, mã {}. Gửi lại thật thì nhắn /duyet {code}, không thì trả lời HUỶ.",
        earlier.code
    )
}

/// The draft as a group sees it when its author has no private chat with the bot.
#[must_use]
pub fn preview_in_group(code: &CheckCode, rooms: usize) -> String {
    format!(
        "Cảnh báo mã {code} chưa gửi, chờ người soạn xác nhận cho {rooms} nhóm: trả lời OK hoặc nhắn /duyet {code}. Nhắn riêng cho bot một lần, lần sau bản xem trước sẽ đến chỗ riêng."
    )
}

/// In the group, when the preview went to the private chat.
#[must_use]
pub fn previewed_in_private() -> String {
    "Bản xem trước đã gửi vào chỗ nhắn riêng, xin xác nhận ở đó.".to_owned()
}

/// The button that sends.
#[must_use]
pub fn button_send(rooms: usize) -> String {
    format!("Gửi cho {rooms} nhóm")
}

/// The button that sends the same words once more.
#[must_use]
pub fn button_send_again(rooms: usize) -> String {
    format!("Vẫn gửi lại cho {rooms} nhóm")
}

/// The button that throws away.
#[must_use]
pub fn button_drop() -> String {
    "Huỷ".to_owned()
}

/// The draft was confirmed.
#[must_use]
pub fn sending(code: &CheckCode, rooms: usize) -> String {
    format!("Đang gửi cảnh báo mã {code} đến {rooms} nhóm.")
}

/// What the preview becomes once it is confirmed. Words that fill more than one message stand above
/// it already.
#[must_use]
pub fn confirmed(shown: &str, rooms: usize) -> String {
    if shown.chars().count() > ONE_MESSAGE {
        return format!("ĐÃ XÁC NHẬN, gửi đến {rooms} nhóm.");
    }
    format!("ĐÃ XÁC NHẬN, gửi đến {rooms} nhóm:\n\n{shown}")
}

/// The draft was thrown away.
#[must_use]
pub fn dropped(code: &CheckCode) -> String {
    format!("Đã huỷ bản nháp mã {code}, không nhóm nào nhận.")
}

/// The draft had been thrown away before.
#[must_use]
pub fn was_dropped(code: &CheckCode) -> String {
    format!("Bản nháp mã {code} đã huỷ trước đó, không gửi nữa. Cần thì soạn lại bằng /canhbao.")
}

/// The alert is out already.
#[must_use]
pub fn already_sent(alert: &Alert, now: Time) -> String {
    let code = &alert.code;
    let at = moment_seen_from(alert.published_at.unwrap_or(alert.drafted_at), now);
    let standing = match alert.state {
        AlertState::Withdrawn => ", sau đó đã thu hồi",
        AlertState::AllClear => ", sau đó đã báo hết nguy hiểm",
        AlertState::Expired => " và đã hết hiệu lực",
        AlertState::Draft | AlertState::Pending | AlertState::Live | AlertState::Dropped => "",
    };
    format!("Cảnh báo mã {code} đã gửi lúc {at}{standing}. Không gửi lần nữa.")
}

/// No draft of this code that the officer could confirm.
#[must_use]
pub fn no_such_draft() -> String {
    "Không có bản nháp nào mang mã này. Xin xem lại mã.".to_owned()
}

/// `/duyet` without a code, and no draft of the officer's own waits here.
#[must_use]
pub fn approve_which(waiting: &[String]) -> String {
    match waiting {
        [] => "Không có bản nháp nào đang chờ ở đây. Xin ghi mã, ví dụ: /duyet 7F3A9K".to_owned(),
        codes => format!(
            "Xin ghi mã để duyệt: {}",
            codes
                .iter()
                .map(|code| format!("/duyet {code}"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

/// Several drafts wait in one chat.
#[must_use]
pub fn which_draft(drafts: &[String]) -> String {
    format!(
        "Có {} bản nháp đang chờ, xin nói rõ bằng /duyet và mã:\n{}",
        drafts.len(),
        drafts.join("\n")
    )
}

/// Somebody else's draft.
#[must_use]
pub fn only_the_author(author: &str) -> String {
    format!("Bản nháp này do {author} soạn, chỉ người soạn xác nhận được.")
}

/// A draft that has waited too long.
#[must_use]
pub fn draft_too_old(minutes: i64) -> String {
    format!("Bản nháp đã quá {minutes} phút nên không gửi được nữa. Xin soạn lại bằng /canhbao.")
}

// The month.

/// A month's messages are running out.
#[must_use]
pub fn month_running_out(account: &str, used: u64, quota: &Quota, month: Month) -> String {
    format!(
        "Tài khoản {account} đã dùng {} trên {} tin của tháng {}. Từ nay biên nhận được gộp lại; khi chỉ còn {} tin, \
         bot chỉ gửi cảnh báo, tin báo của bà con vẫn được ghi.",
        grouped(used),
        grouped(quota.monthly),
        month.said(),
        grouped(quota.reserve)
    )
}

/// The platform takes nothing more of an account.
#[must_use]
pub fn month_over(account: &str, month: Month) -> String {
    format!(
        "Tài khoản {account}: nền tảng báo đã hết hạn mức tin của tháng {}. Cảnh báo và biên nhận tạm thời không gửi \
         được qua tài khoản này, bot thử lại mỗi giờ; tin báo của bà con vẫn được ghi. Việc gấp xin báo cho bà con \
         bằng cách khác.",
        month.said()
    )
}

/// The tokens of an Official Account need its administrator.
#[must_use]
pub fn tokens_spent(account: &str) -> String {
    format!(
        "Tài khoản {account}: Zalo không nhận token nữa nên bot chưa gửi được gì qua tài khoản này; tin báo của bà con \
         vẫn được ghi. Nhờ quản trị viên OA đồng ý lại, trên máy chủ gõ: keng zalo auth --account {account}"
    )
}

/// The platform takes nothing of an account until somebody acts. The reason is English: an operator will
/// look for it.
#[must_use]
pub fn account_needs_somebody(account: &str, reason: &str) -> String {
    format!(
        "Tài khoản {account} cần người xử lý: nền tảng không cho bot gửi qua tài khoản này nữa; tin báo của bà con vẫn được \
         ghi, tin gửi đi đang chờ. Lý do ghi trong nhật ký: {reason}. Cách xử lý: xem README, mục của nền tảng này."
    )
}

/// Facebook tells of a Page that the config does not name: nobody records what is said there.
#[must_use]
pub fn page_without_account(account: &str, page: &str) -> String {
    format!(
        "Ứng dụng Meta của tài khoản {account} gửi cả tin của trang Facebook mã {page}, mà tệp cấu hình chưa có trang ấy: tin \
         báo ở đó KHÔNG được ghi. Xin thêm một [[account]] cho trang ấy (dùng chung app_secret), hoặc gỡ ứng dụng khỏi trang."
    )
}

/// A refresh token has not been used for weeks, and will end.
#[must_use]
pub fn tokens_ending(account: &str, days: u64) -> String {
    format!(
        "Tài khoản {account}: còn {days} ngày là token của OA hết hạn mà chưa đổi được. Xin xem nhật ký, hoặc nhờ quản trị \
         viên OA đồng ý lại, trên máy chủ gõ: keng zalo auth --account {account}"
    )
}

fn grouped(number: u64) -> String {
    thousands(usize::try_from(number).unwrap_or(usize::MAX))
}

// Cases.

/// What a command about a case should look like.
#[must_use]
pub fn case_which(command: &str, more: &str) -> String {
    format!("Xin ghi mã vụ việc, ví dụ: /{command} 1204{more}")
}

/// Closing needs a result.
#[must_use]
pub fn result_missing(case: IncidentId) -> String {
    format!("Xin ghi kết quả bằng một câu, ví dụ: /xong {case} đã hoà giải xong tại chỗ")
}

/// Refusing needs a reason.
#[must_use]
pub fn reason_missing(case: IncidentId) -> String {
    format!("Xin ghi lý do bằng một câu, ví dụ: /tuchoi {case} đã kiểm tra, không có sự việc")
}

/// A result or reason that is no single sentence any more.
#[must_use]
pub fn result_too_long(most: usize) -> String {
    format!("Xin viết gọn hơn, tối đa {} ký tự.", thousands(most))
}

/// No such case, or none of the officer's business.
#[must_use]
pub fn no_such_case(case: IncidentId) -> String {
    format!("Không có vụ mã {case} trong địa bàn phụ trách.")
}

/// The case is in another officer's hands.
#[must_use]
pub fn held_by(case: IncidentId, officer: &str) -> String {
    format!("Vụ {case} đang do {officer} giữ. Muốn chuyển: /giao {case} tên người nhận")
}

/// The case is closed.
#[must_use]
pub fn already_closed(case: &Incident) -> String {
    let id = case.id;
    match case.status {
        Status::Merged(other) => format!("Vụ {id} đã gộp vào vụ {other}. Xin dùng mã {other}."),
        _ => format!("Vụ {id} {}, không đổi nữa.", status(&case.status)),
    }
}

/// Where a case stands, inside a sentence.
#[must_use]
pub fn status(status: &Status) -> String {
    match status {
        Status::New => "chưa ai nhận".to_owned(),
        Status::Accepted => "đang giải quyết".to_owned(),
        Status::Done => "đã giải quyết xong".to_owned(),
        Status::Rejected => "đã khép lại".to_owned(),
        Status::Withdrawn => "người báo đã rút".to_owned(),
        Status::Merged(other) => format!("đã gộp vào vụ {other}"),
    }
}

/// The case moved, told without a word of it.
#[must_use]
pub fn case_now(case: &Incident) -> String {
    format!("Vụ {}: {}.", case.id, status(&case.status))
}

/// The case was closed, told to the officer in private.
#[must_use]
pub fn case_closed(case: &Incident, area_title: &str, words: &str) -> String {
    let why = match case.status {
        Status::Rejected => "Lý do",
        _ => "Kết quả",
    };
    format!(
        "Vụ {} ({}, {}): {}.\n{why}: {words}",
        case.id,
        category(case.facts.primary),
        inside(area_title),
        status(&case.status)
    )
}

/// What the reports say, for the officer who has the case; in private chats only.
#[must_use]
pub fn case_facts(case: &Incident, area_title: &str, now: Time) -> String {
    let facts = &case.facts;
    let kinds: Vec<&str> = facts
        .categories
        .iter()
        .map(|&kind| category(kind))
        .collect();
    let kinds = if kinds.is_empty() {
        category(facts.primary).to_owned()
    } else {
        kinds.join("; ")
    };
    let urgent = if facts.urgent { "KHẨN. " } else { "" };
    let reports = case.reports.len() as u64 + u64::from(case.more_reports);
    let mut lines = vec![
        format!("{urgent}Vụ {} ({kinds}), {}.", case.id, inside(area_title)),
        format!(
            "Tin đến lúc {}, {reports} lượt báo. Hiện {}{}.",
            moment_seen_from(case.received_at, now),
            status(&case.status),
            case.officer
                .as_ref()
                .map_or_else(String::new, |name| format!(", {name} giữ"))
        ),
    ];
    let mut line = |name: &str, words: String| {
        if !words.is_empty() {
            lines.push(format!("{name}: {words}"));
        }
    };
    line("Nơi xảy ra", facts.place.clone().unwrap_or_default());
    line(
        "Thời gian",
        facts
            .time
            .as_ref()
            .map_or_else(String::new, |time| match time {
                When::At(at) => moment_seen_from(*at, now),
                When::Between(from, to) => format!(
                    "từ {} đến {}",
                    moment_seen_from(*from, now),
                    moment_seen_from(*to, now)
                ),
            }),
    );
    line("Điện thoại", facts.phones.join(", "));
    line("Biển số", facts.plates.join(", "));
    line(
        "Tài khoản",
        facts
            .accounts
            .iter()
            .map(|account| match &account.bank {
                Some(bank) => format!("{} ({bank})", account.number),
                None => account.number.clone(),
            })
            .collect::<Vec<_>>()
            .join(", "),
    );
    line("Đường dẫn", facts.urls.join(" "));
    line("Tài khoản mạng", facts.handles.join(" "));
    for report in case.reports.iter().take(REPORTS_SHOWN) {
        let words = clip(report.text.trim(), REPORT_LETTERS);
        let things = attachments(&report.attachments);
        let sent = moment_seen_from(report.sent_at, now);
        lines.push(match (words.is_empty(), things.is_empty()) {
            (false, true) => format!("Lời báo lúc {sent}:\n“{words}”"),
            (false, false) => format!("Lời báo lúc {sent}, kèm {things}:\n“{words}”"),
            (true, _) => format!("Lúc {sent} gửi {things}"),
        });
    }
    let further = reports.saturating_sub(REPORTS_SHOWN as u64);
    if further > 0 {
        lines.push(format!("và {further} lượt báo nữa"));
    }
    lines.join("\n")
}

fn attachments(attachments: &[Attachment]) -> String {
    let mut photos = 0;
    let mut files = 0;
    let mut places = Vec::new();
    for attachment in attachments {
        match attachment {
            Attachment::Photo(_) => photos += 1,
            Attachment::File { .. } => files += 1,
            Attachment::Location {
                latitude,
                longitude,
                ..
            } => places.push(format!("vị trí {latitude:.5}, {longitude:.5}")),
        }
    }
    let mut parts = Vec::new();
    if photos > 0 {
        parts.push(format!("{photos} ảnh"));
    }
    if files > 0 {
        parts.push(format!("{files} tệp"));
    }
    parts.append(&mut places);
    parts.join(", ")
}

/// `/giao` without a name.
#[must_use]
pub fn assign_to_whom(case: IncidentId) -> String {
    format!("Xin ghi tên người nhận, ví dụ: /giao {case} Hà")
}

/// Nobody, or more than one, fits the name.
#[must_use]
pub fn no_such_officer(officers: &[&str]) -> String {
    if officers.is_empty() {
        "Không rõ giao cho ai. Xin ghi đủ tên người nhận.".to_owned()
    } else {
        format!(
            "Không rõ giao cho ai. Có thể giao cho: {}.",
            officers.join(", ")
        )
    }
}

/// The case was handed over.
#[must_use]
pub fn assigned(case: IncidentId, to: &str, told: Told) -> String {
    match told {
        Told::Yes => format!("Vụ {case}: đã giao cho {to}."),
        Told::No => {
            format!("Vụ {case}: đã giao cho {to}. Bot chưa nhắn riêng được cho {to}, xin báo giúp.")
        }
    }
}

/// Whether the colleague could be told in private.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A message is on its way.
    Yes,
    /// They have no private chat with the bot.
    No,
}

/// To the one who gets a case.
#[must_use]
pub fn given_to_you(case: IncidentId, by: &str) -> String {
    format!("{by} giao vụ {case}. Nhắn /nhan {case} để xem nội dung.")
}

/// Two cases became one.
#[must_use]
pub fn merged(from: IncidentId, into: IncidentId) -> String {
    format!("Đã gộp vụ {from} vào vụ {into}.")
}

/// A case cannot be merged with itself.
#[must_use]
pub fn merge_with_itself() -> String {
    "Hai mã giống nhau. Ví dụ: /gop 1204 vào 1198".to_owned()
}

// Invitations.

/// What `/moi` should look like.
#[must_use]
pub fn invite_how() -> String {
    "Xin ghi vai trò và tên, ví dụ:\n/moi cán bộ Đ/c Nam\n/moi trưởng thôn Bác Bình, Tân Trúc Tùng"
        .to_owned()
}

/// A place that is none, or several.
#[must_use]
pub fn invite_where() -> String {
    "Không rõ mời phụ trách nơi nào. Xin ghi tên thôn sau dấu phẩy, ví dụ:\n/moi trưởng thôn Bác Bình, Tân Trúc Tùng"
        .to_owned()
}

/// Codes are no business of a group.
#[must_use]
pub fn invite_in_private() -> String {
    "Xin nhắn riêng cho bot: mã mời không nên hiện trong nhóm.".to_owned()
}

/// Two colleagues of one name could not be told apart.
#[must_use]
pub fn invite_name_taken(name: &str) -> String {
    format!("Đã có người tên {name}. Xin ghi tên khác cho khỏi nhầm.")
}

/// The invitation, for whoever made it.
#[must_use]
pub fn invited(name: &str, role: Role, area_title: &str, code: &str, until: Time) -> String {
    format!(
        "Mời {name} làm {}, phụ trách {}. Mã dùng một lần, đến {}.\nChuyển riêng cho {name}, đừng gửi vào nhóm. {name} nhắn cho bot:\n/start {code}",
        role_name(role, area_title),
        inside(area_title),
        moment(until)
    )
}

/// What a role is called there.
fn role_name(role: Role, area_title: &str) -> String {
    if role != Role::Head {
        return "cán bộ".to_owned();
    }
    match inside(area_title).split_whitespace().next() {
        Some("tổ") => "tổ trưởng".to_owned(),
        Some(kind @ ("khu" | "ấp" | "bản" | "xóm" | "làng" | "buôn" | "khóm")) => {
            format!("trưởng {kind}")
        }
        _ => "trưởng thôn".to_owned(),
    }
}

/// To whoever took an invitation.
#[must_use]
pub fn joined(name: &str, role: Role, area_title: &str) -> String {
    let place = inside(area_title);
    match role {
        Role::Head => format!(
            "Chào {name}. Từ nay {name} xem được tình hình {place}: nhắn /tonghop lúc nào cũng được, hoặc hẹn giờ gửi hằng ngày, ví dụ /hen 18h."
        ),
        Role::Officer | Role::Admin => format!(
            "Chào {name}. Từ nay {name} phụ trách {place}: /nhan kèm mã để nhận vụ, /canhbao để soạn cảnh báo, /tonghop để xem tình hình."
        ),
    }
}

/// To whoever invited.
#[must_use]
pub fn invite_taken(name: &str) -> String {
    format!("{name} đã nhận lời mời.")
}

/// One answer for wrong, used and old codes.
#[must_use]
pub fn invite_of_no_use() -> String {
    "Mã mời không đúng, đã dùng hoặc đã hết hạn. Xin hỏi lại người mời.".to_owned()
}

/// The account has a role.
#[must_use]
pub fn has_a_role_already() -> String {
    "Tài khoản này đã có vai trò, không cần mã mời.".to_owned()
}

// Rooms.

/// `/ganthon` in a private chat.
#[must_use]
pub fn bind_in_the_group() -> String {
    "Lệnh này dùng trong nhóm cần gắn: vào nhóm rồi nhắn /ganthon tên-thôn".to_owned()
}

/// `/ganthon` with a name that fits no village, or several.
#[must_use]
pub fn which_village(area_title: &str, villages: &[(String, String)]) -> String {
    let place = inside(area_title);
    if villages.is_empty() {
        return format!(
            "Chưa khai báo thôn nào của {place}. Có thể gắn nhóm với cả địa bàn: /ganthon cả xã"
        );
    }
    let list: Vec<String> = villages
        .iter()
        .take(NAMES_SHOWN)
        .map(|(title, slug)| format!("• {title}: /ganthon {slug}"))
        .collect();
    let more = match villages.len().saturating_sub(NAMES_SHOWN) {
        0 => String::new(),
        more => format!("\nvà {more} nơi nữa"),
    };
    format!(
        "Gắn nhóm với nơi nào của {place}?\n{}{more}",
        list.join("\n")
    )
}

/// The group is bound.
#[must_use]
pub fn bound(area_title: &str, before: Option<&str>) -> String {
    let place = inside(area_title);
    match before {
        None => format!("Nhóm này từ nay thuộc {place}: cảnh báo của công an sẽ gửi vào đây."),
        Some(before) => format!(
            "Nhóm này từ nay thuộc {place} (trước đó: {}).",
            inside(before)
        ),
    }
}

/// The group was bound there before.
#[must_use]
pub fn already_bound(area_title: &str) -> String {
    format!("Nhóm này đã thuộc {} rồi.", inside(area_title))
}

/// The list of `/nhom`, by place; a private answer.
#[must_use]
pub fn rooms(places: &[(String, Vec<String>)], unbound: &[String], removed: &[String]) -> String {
    let count: usize = places.iter().map(|(_, rooms)| rooms.len()).sum();
    if count == 0 && unbound.is_empty() && removed.is_empty() {
        return "Bot chưa ở trong nhóm nào của địa bàn.".to_owned();
    }
    let mut text = format!("{count} nhóm nhận cảnh báo.");
    for (place, rooms) in places {
        text.push_str(&format!("\n• {place}: {}", names(rooms)));
    }
    if !unbound.is_empty() {
        text.push_str(&format!(
            "\nChưa gắn thôn, chưa nhận cảnh báo ({}): {}",
            unbound.len(),
            names(unbound)
        ));
    }
    if !removed.is_empty() {
        text.push_str(&format!(
            "\nBot đã bị đưa ra ({}): {}",
            removed.len(),
            names(removed)
        ));
    }
    text
}

/// The answer to `/nhom` in a group: numbers only.
#[must_use]
pub fn rooms_in_group(bound: usize, unbound: usize, removed: usize) -> String {
    format!(
        "{bound} nhóm nhận cảnh báo, {unbound} nhóm chưa gắn thôn, {removed} nhóm đã đưa bot ra. Danh sách: nhắn riêng /nhom cho bot."
    )
}

/// Up to twenty names, then how many more.
fn names(titles: &[String]) -> String {
    let shown: Vec<String> = titles
        .iter()
        .take(NAMES_SHOWN)
        .map(|title| room(title))
        .collect();
    match titles.len().saturating_sub(NAMES_SHOWN) {
        0 => shown.join("; "),
        more => format!("{}; và {more} nhóm nữa", shown.join("; ")),
    }
}

/// `20.000`, as numbers are written in Viet Nam.
fn thousands(number: impl fmt::Display) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('.');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(count: u64, rooms: usize, unknown: usize, wanted: &str) {
        let people = People {
            count,
            rooms,
            unknown,
        };
        assert_eq!(people.to_string(), wanted);
    }

    #[test]
    fn people_are_told_as_far_as_they_are_known() {
        check(
            1_240,
            14,
            16,
            "Khoảng 1.240 người trong 14 nhóm; 16 nhóm không rõ số người.",
        );
        check(1_234_567, 30, 0, "Khoảng 1.234.567 người.");
        check(0, 1, 0, "Khoảng 0 người.");
        check(0, 0, 3, "Không rõ số người.");
    }
}
