//! Words for those who post an alert by hand where no program may.

/// What such a group is called among the others.
#[must_use]
pub fn title(name: &str) -> String {
    format!("{name} (nhờ đăng tay)")
}

/// Before the words that are to be copied.
#[must_use]
pub fn please(name: &str) -> String {
    format!(
        "Nhờ quản trị nhóm “{name}” chép nguyên văn tin dưới đây, kèm ảnh nếu có, và đăng vào nhóm. \
         Đăng xong, bấm “Đã đăng” hoặc nhắn: đã đăng."
    )
}

/// The button under the words.
#[must_use]
pub fn button() -> String {
    "Đã đăng".to_owned()
}

/// The words were posted.
#[must_use]
pub fn thanks(posted: usize, all: usize) -> String {
    if all > 1 {
        format!("Cảm ơn, đã ghi nhận: {posted}/{all} nhóm đã đăng.")
    } else {
        "Cảm ơn, đã ghi nhận là đã đăng.".to_owned()
    }
}

/// The line of the delivery report.
#[must_use]
pub fn report(posted: usize, all: usize) -> String {
    format!("Nhờ đăng tay: {posted}/{all} đã đăng.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_posts_by_hand_is_asked_politely() {
        insta::assert_snapshot!(please("Chợ Hạ"), @"Nhờ quản trị nhóm “Chợ Hạ” chép nguyên văn tin dưới đây, kèm ảnh nếu có, và đăng vào nhóm. Đăng xong, bấm “Đã đăng” hoặc nhắn: đã đăng.");
        insta::assert_snapshot!(report(3, 5), @"Nhờ đăng tay: 3/5 đã đăng.");
    }
}
