//! What the bot says about itself: on joining a group, and when asked for help.

/// The notice in a group that the bot was let into, once.
#[must_use]
pub fn joined(sees_all: bool) -> String {
    let mut text = "Chào bà con, tôi là Kẻng, giúp bà con báo tin an ninh trật tự.\n\
        Cách báo: nhắn tin kèm thẻ (dấu # và loại việc), ví dụ “#tromcap mất xe ở cổng chợ lúc 3h sáng”, hoặc gõ /bao rồi kể.\n\
        Tôi chỉ lưu tin có thẻ, có lệnh, nhắc tên tôi hoặc trả lời tôi; chuyện khác tôi bỏ qua, không lưu.\n\
        Chuyện tế nhị xin nhắn riêng cho tôi. Việc gấp gọi 113, cháy gọi 114, cấp cứu gọi 115."
        .to_owned();
    if !sees_all {
        text.push_str("\nTôi chưa thấy được tin có thẻ trong nhóm: nhờ quản trị nhóm đặt tôi làm quản trị viên.");
    }
    text
}

/// The notice in a group whose platform lets the bot see only what mentions it or answers it.
#[must_use]
pub fn met() -> String {
    "Chào bà con, tôi là Kẻng, phần mềm giúp bà con báo tin an ninh trật tự.\n\
     Cách báo: gõ @, chọn tên tôi, rồi kể chuyện gì, ở đâu, lúc nào; gửi ảnh thì nhắc tên tôi trong lời kèm ảnh. Trả lời tin của tôi cũng được.\n\
     Trong nhóm này tôi chỉ nhận được tin nhắc tên tôi hoặc trả lời tôi, tin báo được lưu cho công an xã; chuyện khác tôi không thấy.\n\
     Chuyện tế nhị xin nhắn riêng cho tôi. Việc gấp gọi 113, cháy gọi 114, cấp cứu gọi 115."
        .to_owned()
}

/// To a message that the platform keeps from the bot; said once a day in a room.
#[must_use]
pub fn cannot_read() -> String {
    "Tôi không đọc được tin vừa rồi: ứng dụng không cho bot xem tệp, liên kết và tin của một số tài khoản được bảo vệ.\n\
     Xin gõ lại bằng chữ; nếu vẫn không được, xin gọi công an xã. Việc gấp gọi 113, cháy gọi 114, cấp cứu gọi 115, trẻ em gọi 111."
        .to_owned()
}

/// How to report, for whoever asks.
#[must_use]
pub fn help(private: bool) -> String {
    let mut text = "Bà con báo tin bằng một trong các cách:\n\
        • nhắn kèm thẻ (dấu # và loại việc): #tromcap, #luadao, #danhnhau, #chay, #antt …\n\
        • gõ /bao rồi kể chuyện gì, ở đâu, lúc nào\n\
        /rut kèm mã: rút tin đã báo. /kiemtra kèm mã: cảnh báo có thật không."
        .to_owned();
    if private {
        text.push_str("\n/cuatoi: xem tin của mình. /xoa kèm mã: xoá lời kể của mình.");
    }
    text.push_str("\nViệc gấp gọi 113, cháy gọi 114, cấp cứu gọi 115, trẻ em gọi 111.");
    text
}

/// The commands of the staff, for whoever may use them.
#[must_use]
pub fn help_for_staff(officer: bool, admin: bool) -> String {
    let mut text = "\nTổng hợp: /tonghop, thêm được: hôm qua, tuần này, 7 ngày, 20/11. Tự gửi hằng ngày: /hen 18h.".to_owned();
    if officer {
        text.push_str(
            "\nVụ việc, kèm mã: /nhan, /xong, /tuchoi, /giao, /gop.\n\
             Cảnh báo: /canhbao kèm nội dung; kèm mã: /duyet, /dinhchinh, /hetcanhbao, /thuhoi. Diễn tập: /dientap. Các nhóm: /nhom.",
        );
    }
    if admin {
        text.push_str(
            "\nQuản trị: /ganthon kèm tên thôn, nhắn trong nhóm; /moi kèm vai trò và tên.",
        );
    }
    text
}

/// The greeting in a private chat; the number is what an operator writes into the config.
#[must_use]
pub fn greeting(native: &str) -> String {
    format!(
        "Chào bà con, tôi là Kẻng, phần mềm trả lời tự động.\n{}\nMã người dùng: {native}",
        help(true)
    )
}

/// To a pressed button that means nothing, or nothing any more.
#[must_use]
pub fn button_of_no_use() -> String {
    "Nút này không còn dùng được.".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notice_says_what_is_read_and_what_is_not() {
        insta::assert_snapshot!(joined(false), @r"
        Chào bà con, tôi là Kẻng, giúp bà con báo tin an ninh trật tự.
        Cách báo: nhắn tin kèm thẻ (dấu # và loại việc), ví dụ “#tromcap mất xe ở cổng chợ lúc 3h sáng”, hoặc gõ /bao rồi kể.
        Tôi chỉ lưu tin có thẻ, có lệnh, nhắc tên tôi hoặc trả lời tôi; chuyện khác tôi bỏ qua, không lưu.
        Chuyện tế nhị xin nhắn riêng cho tôi. Việc gấp gọi 113, cháy gọi 114, cấp cứu gọi 115.
        Tôi chưa thấy được tin có thẻ trong nhóm: nhờ quản trị nhóm đặt tôi làm quản trị viên.
        ");
    }
}
