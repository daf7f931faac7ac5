//! What the join poster says: three steps, and what the bot keeps of what is said and what it does not.

use crate::domain::account::Platform;

/// The words of a poster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poster {
    /// Above everything.
    pub title: &'static str,
    /// Under the code.
    pub scan: &'static str,
    /// The steps: a few large words, and a line of explanation.
    pub steps: [(&'static str, &'static str); 3],
    /// Above what the bot keeps.
    pub keeps_head: &'static str,
    /// What the bot keeps.
    pub keeps: [&'static str; 2],
    /// Above what it passes over.
    pub leaves_head: &'static str,
    /// What it passes over.
    pub leaves: [&'static str; 2],
    /// Numbers to call.
    pub urgent: &'static str,
    /// What a message is not.
    pub note: &'static str,
}

/// The words for a room of this platform.
#[must_use]
pub fn poster(platform: Platform) -> Poster {
    let mentions = platform == Platform::ZaloBot;
    let zalo = matches!(platform, Platform::ZaloBot | Platform::ZaloOa);
    Poster {
        title: "BÁO TIN AN NINH TRẬT TỰ",
        scan: if zalo {
            "Mở Zalo, bấm Quét QR"
        } else {
            "Mở máy ảnh, quét mã này"
        },
        steps: [
            ("Quét mã, vào nhóm", "Nhóm chung của bà con và công an xã."),
            if mentions {
                (
                    "Gõ @, chọn tên bot",
                    "Rồi kể: mất xe ở cổng chợ lúc 3 giờ sáng",
                )
            } else {
                (
                    "Nhắn kèm một thẻ",
                    "Ví dụ: #tromcap mất xe ở cổng chợ lúc 3 giờ sáng",
                )
            },
            (
                "Giữ mã bot gửi lại",
                "Bot hỏi thêm thì bấm giữ tin của bot, chọn Trả lời.",
            ),
        ],
        keeps_head: "Bot ghi lại",
        keeps: if mentions {
            [
                "Tin có nhắc tên bot, tin trả lời bot,",
                "tin nhắn riêng cho bot.",
            ]
        } else {
            [
                "Tin có thẻ #, có lệnh, nhắc tên bot hoặc",
                "trả lời bot; tin nhắn riêng cho bot.",
            ]
        },
        leaves_head: "Bot không ghi lại",
        leaves: [
            "Chuyện khác trong nhóm: bỏ qua ngay.",
            "Không theo dõi ai, không chấm điểm ai.",
        ],
        urgent: "Việc gấp gọi 113   ·   Cháy 114   ·   Cấp cứu 115   ·   Trẻ em 111",
        note: "Tin báo chưa phải biên bản tiếp nhận tố giác. Chuyện tế nhị xin nhắn riêng cho bot.",
    }
}
