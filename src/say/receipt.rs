//! Receipts, questions and answers for residents.
//!
//! Public words never repeat what was said: no place, no name, no plate, no phone, not even the kind.
//! A receipt is a code, thanks, and at most one question.

use crate::domain::ids::IncidentId;
use crate::domain::incident::Missing;
use crate::domain::incident::Status;
use crate::domain::reading::Category;

/// What a receipt has to carry.
#[derive(Debug, Clone, Copy)]
pub struct Receipt {
    /// The case.
    pub case: IncidentId,
    /// The one question, if something is missing.
    pub asks: Option<Missing>,
    /// Somebody may be in danger: the number to call comes first.
    pub urgent: bool,
    /// Its kind decides which number, and is never said.
    pub category: Category,
    /// It belongs in the private lane and stands in a group.
    pub better_private: bool,
    /// It was told in private: there the next words are the answer.
    pub private: bool,
    /// How many people have told of the same event, this one included.
    pub people: usize,
}

/// What has to be done in a group, where words that answer nobody are not for the bot.
const HOW_TO_ANSWER: &str = "Bà con bấm giữ tin này, chọn Trả lời giúp tôi.";

/// The receipt of a report.
#[must_use]
pub fn recorded(receipt: &Receipt) -> String {
    let mut lines = Vec::new();
    lines.push(if receipt.people > 1 {
        format!(
            "✅ Đã ghi nhận, cùng vụ mã {}: {} người đã báo. Cảm ơn bà con.",
            receipt.case, receipt.people
        )
    } else {
        format!(
            "✅ Đã ghi nhận tin báo, mã {}. Cảm ơn bà con.",
            receipt.case
        )
    });
    if receipt.urgent {
        lines.push(format!(
            "Nếu đang nguy hiểm, bà con gọi ngay {}.",
            emergency(receipt.category)
        ));
    }
    if receipt.better_private {
        lines.push(
            "Chuyện này bà con nên nhắn riêng cho tôi, và có thể xoá tin trong nhóm.".to_owned(),
        );
    } else if let Some(missing) = receipt.asks {
        lines.push(if receipt.private {
            question(missing).to_owned()
        } else {
            format!("{} {HOW_TO_ANSWER}", question(missing))
        });
    } else if is_crime(receipt.category) && !receipt.urgent {
        lines.push("Đây chưa phải biên bản tiếp nhận tố giác.".to_owned());
    }
    lines.join("\n")
}

/// After a receipt that was sent in private, for words that everybody could read.
#[must_use]
pub fn answered_aside() -> String {
    "Chuyện này tôi chỉ nhắn riêng với bà con ở đây; bà con có thể xoá tin ở ngoài.".to_owned()
}

/// Several receipts of one room in one message.
#[must_use]
pub fn folded(cases: &[(IncidentId, Option<Missing>)]) -> String {
    let codes = cases
        .iter()
        .map(|(case, _)| case.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let mut text = format!(
        "✅ Đã ghi nhận {} tin báo, mã {codes}. Cảm ơn bà con.",
        cases.len()
    );
    for missing in [Missing::What, Missing::Place, Missing::Time] {
        let asked: Vec<_> = cases
            .iter()
            .filter(|(_, asks)| *asks == Some(missing))
            .map(|(case, _)| case.to_string())
            .collect();
        if !asked.is_empty() {
            text.push_str(&format!("\nMã {}: {}", asked.join(", "), question(missing)));
        }
    }
    if cases.iter().any(|(_, asks)| asks.is_some()) {
        text.push_str(&format!("\n{HOW_TO_ANSWER}"));
    }
    text
}

/// The number to call, by kind.
fn emergency(category: Category) -> &'static str {
    match category {
        Category::Fire => "114 (cứu hoả)",
        Category::Traffic => "113 (công an), 115 (cấp cứu)",
        Category::DomesticViolence => "113 (công an), 111 (bảo vệ trẻ em)",
        Category::MissingPerson => "113 (công an), 111 nếu là trẻ em",
        Category::Other | Category::Animal => "113 (công an), 114 (cứu nạn), 115 (cấp cứu)",
        _ => "113 (công an)",
    }
}

/// Kinds where a receipt could be taken for an official record.
fn is_crime(category: Category) -> bool {
    matches!(
        category,
        Category::Theft
            | Category::Robbery
            | Category::FraudScam
            | Category::Gambling
            | Category::Drugs
            | Category::DomesticViolence
            | Category::IllegalExplosivesWeapons
            | Category::Prostitution
            | Category::CounterfeitSmuggling
    )
}

/// The one missing thing, asked.
#[must_use]
pub fn question(missing: Missing) -> &'static str {
    match missing {
        Missing::What => "Chuyện gì xảy ra ạ?",
        Missing::Place => "Chuyện xảy ra ở đâu ạ?",
        Missing::Time => "Chuyện xảy ra lúc nào ạ?",
    }
}

/// Somebody called the bot and said nothing that can be recorded.
#[must_use]
pub fn ask_detail() -> String {
    "Bà con muốn báo việc gì ạ? Xin nhắn rõ chuyện gì, ở đâu, lúc nào. Việc gấp thì gọi 113."
        .to_owned()
}

/// An answer or addition was put to the case.
#[must_use]
pub fn detail_added(case: IncidentId) -> String {
    format!("Đã ghi thêm vào tin mã {case}. Cảm ơn bà con.")
}

/// The reporter took the report back.
#[must_use]
pub fn withdrawn(case: IncidentId) -> String {
    format!("Đã rút tin mã {case} theo ý bà con.")
}

/// Somebody takes back what they never told, or not here.
#[must_use]
pub fn nothing_to_withdraw() -> String {
    "Tôi không thấy tin nào của bà con để rút. Muốn rút, bà con gõ /rut kèm mã; nếu là việc mới, gõ /bao rồi kể."
        .to_owned()
}

/// The case cannot be taken back any more.
#[must_use]
pub fn already_closed(case: IncidentId) -> String {
    format!("Tin mã {case} đã được khép lại rồi ạ.")
}

/// The words of the reporter were erased.
#[must_use]
pub fn erased(case: IncidentId) -> String {
    format!(
        "Đã xoá lời kể, hình ảnh và tên của bà con khỏi tin mã {case}.\n\
         Còn giữ lại: mã, loại việc, ngày giờ, vì cán bộ đang theo dõi vụ việc."
    )
}

/// Neither owner nor existence of a case is told to strangers.
#[must_use]
pub fn not_yours() -> String {
    "Không tìm thấy tin nào của bà con mang mã này.".to_owned()
}

/// A command that needs a code came without one.
#[must_use]
pub fn which_code(command: &str) -> String {
    format!("Bà con gõ kèm mã tin, ví dụ: /{command} 1204")
}

/// Own matters are for the private chat.
#[must_use]
pub fn only_in_private() -> String {
    "Việc này bà con nhắn riêng cho tôi ạ.".to_owned()
}

/// The reporter's own cases.
#[must_use]
pub fn own_cases(cases: &[(IncidentId, Status)]) -> String {
    if cases.is_empty() {
        return "Tôi không giữ tin nào của bà con trong 90 ngày qua.".to_owned();
    }
    let mut text = format!(
        "Tôi đang giữ {} tin của bà con trong 90 ngày qua:",
        cases.len()
    );
    for (case, status) in cases {
        text.push_str(&format!("\nMã {case}: {}", status_words(status)));
    }
    text.push_str("\nMuốn rút, gõ /rut kèm mã. Muốn xoá lời kể, gõ /xoa kèm mã.");
    text
}

/// Where a case stands, in a resident's words.
#[must_use]
pub fn status_words(status: &Status) -> &'static str {
    match status {
        Status::New => "đã ghi nhận, chờ cán bộ",
        Status::Accepted => "cán bộ đã tiếp nhận",
        Status::Done => "đã giải quyết xong",
        Status::Rejected => "đã xem và khép lại",
        Status::Withdrawn => "bà con đã rút",
        Status::Merged(_) => "đã gộp vào vụ khác",
    }
}

/// An officer took the case.
#[must_use]
pub fn accepted(case: IncidentId) -> String {
    format!("Tin mã {case} đã có cán bộ tiếp nhận.")
}

/// The case was closed.
#[must_use]
pub fn done(case: IncidentId) -> String {
    format!("Tin mã {case} đã được giải quyết xong. Cảm ơn bà con đã báo tin.")
}

/// The case was closed without further steps.
#[must_use]
pub fn rejected(case: IncidentId) -> String {
    format!("Tin mã {case} đã được xem và khép lại. Cảm ơn bà con đã báo tin.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> Receipt {
        Receipt {
            case: IncidentId(1204),
            asks: None,
            urgent: false,
            category: Category::Theft,
            better_private: false,
            private: false,
            people: 1,
        }
    }

    #[test]
    fn receipts_are_short_and_say_nothing_of_the_matter() {
        insta::assert_snapshot!(recorded(&receipt()), @r"
        ✅ Đã ghi nhận tin báo, mã 1204. Cảm ơn bà con.
        Đây chưa phải biên bản tiếp nhận tố giác.
        ");
        insta::assert_snapshot!(recorded(&Receipt { asks: Some(Missing::Place), urgent: true, ..receipt() }), @r"
        ✅ Đã ghi nhận tin báo, mã 1204. Cảm ơn bà con.
        Nếu đang nguy hiểm, bà con gọi ngay 113 (công an).
        Chuyện xảy ra ở đâu ạ? Bà con bấm giữ tin này, chọn Trả lời giúp tôi.
        ");
        insta::assert_snapshot!(recorded(&Receipt { asks: Some(Missing::Place), private: true, ..receipt() }), @r"
        ✅ Đã ghi nhận tin báo, mã 1204. Cảm ơn bà con.
        Chuyện xảy ra ở đâu ạ?
        ");
        insta::assert_snapshot!(recorded(&Receipt { better_private: true, category: Category::Drugs, ..receipt() }), @r"
        ✅ Đã ghi nhận tin báo, mã 1204. Cảm ơn bà con.
        Chuyện này bà con nên nhắn riêng cho tôi, và có thể xoá tin trong nhóm.
        ");
        insta::assert_snapshot!(recorded(&Receipt { people: 3, category: Category::Fire, ..receipt() }), @"✅ Đã ghi nhận, cùng vụ mã 1204: 3 người đã báo. Cảm ơn bà con.");
    }

    #[test]
    fn folded_receipts_list_every_code_and_each_question_once() {
        let cases = [
            (IncidentId(7), None),
            (IncidentId(8), Some(Missing::Place)),
            (IncidentId(9), Some(Missing::Place)),
        ];
        insta::assert_snapshot!(folded(&cases), @r"
        ✅ Đã ghi nhận 3 tin báo, mã 7, 8, 9. Cảm ơn bà con.
        Mã 8, 9: Chuyện xảy ra ở đâu ạ?
        Bà con bấm giữ tin này, chọn Trả lời giúp tôi.
        ");
    }
}
