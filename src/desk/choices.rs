//! What an administrator chooses for one group, in the group itself: exercises, and hours without
//! information.
//!
//! ```text
//! /nhom diễn tập có | không
//! /nhom yên tĩnh 22h-6h | không | mặc định
//! ```

use super::Asked;
use super::Desk;
use super::words;
use crate::domain::person::Role;
use crate::domain::person::Staff;
use crate::domain::room::Quiet;
use crate::domain::room::Room;
use crate::say;
use crate::store::Act;
use crate::store::StoreError;
use crate::store::Write;

/// A choice, or what was written in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// Whether the group hears exercises; none: it is only asked.
    Drills(Option<bool>),
    /// Its quiet hours.
    Quiet(Hours),
}

/// What was said of hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hours {
    /// These.
    Between(Quiet),
    /// None at all.
    Never,
    /// Those of all groups.
    Usual,
    /// Nothing, or nothing that could be understood.
    Unsaid,
}

/// Reads what follows on `/nhom`; none where it is about something else.
pub(super) fn choice(rest: &str) -> Option<Choice> {
    let (first, tail) = words::next_word(rest)?;
    let (second, value) = words::next_word(tail)?;
    let value = words::plain(value.trim().trim_start_matches(':'));
    match (
        words::plain(first).as_str(),
        words::plain(second).trim_end_matches(':'),
    ) {
        ("dien", "tap") => Some(Choice::Drills(match value.as_str() {
            "co" | "bat" | "nhan" | "tham gia" => Some(true),
            "khong" | "tat" | "thoi" | "khong nhan" | "khong tham gia" => Some(false),
            _ => None,
        })),
        ("yen", "tinh") => Some(Choice::Quiet(match value.as_str() {
            "khong" | "tat" | "thoi" | "bo" => Hours::Never,
            "mac dinh" | "nhu chung" | "chung" => Hours::Usual,
            hours => Quiet::parse(hours).map_or(Hours::Unsaid, Hours::Between),
        })),
        _ => None,
    }
}

impl Desk {
    /// Writes a choice down, and says what holds in the group now.
    pub(super) async fn choose(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        choice: Choice,
    ) -> Result<Act, StoreError> {
        if officer.role != Role::Admin {
            return Ok(self.reply(asked, say::groups::for_administrators()));
        }
        if asked.is_private() {
            return Ok(self.reply(asked, say::groups::choose_in_the_group()));
        }
        let bound = { self.store.room(&asked.room).await? }.filter(|room| {
            let own = |area| officer.area.contains(area);
            room.area.as_ref().is_some_and(own)
        });
        let Some(mut room) = bound else {
            return Ok(self.reply(asked, say::groups::bind_first()));
        };
        let mut choices = room.choices.unwrap_or_default();
        let chosen = match choice {
            Choice::Drills(None) | Choice::Quiet(Hours::Unsaid) => None,
            Choice::Drills(Some(hears)) => {
                choices.drills = Some(hears);
                Some(("room.drills", if hears { "yes" } else { "no" }.to_owned()))
            }
            Choice::Quiet(hours) => {
                choices.quiet = match hours {
                    Hours::Between(quiet) => Some(Some(quiet)),
                    Hours::Never => Some(None),
                    Hours::Usual | Hours::Unsaid => None,
                };
                let hours = match choices.quiet {
                    Some(Some(quiet)) => say::groups::hours(quiet),
                    Some(None) => "none".to_owned(),
                    None => "as configured".to_owned(),
                };
                Some(("room.quiet", hours))
            }
        };
        let mut doing = self.begin();
        if let Some((act, detail)) = chosen {
            room.choices = Some(choices);
            doing.audit(&officer.name, act, &room.id, detail);
            doing.act.writes.push(Write::Room(Box::new(room.clone())));
        }
        doing.answer(asked, self.holds_there(&room, choice));
        Ok(doing.act)
    }

    fn holds_there(&self, room: &Room, choice: Choice) -> String {
        let asks = matches!(choice, Choice::Drills(None) | Choice::Quiet(Hours::Unsaid));
        match choice {
            Choice::Drills(_) => say::groups::drills(self.room_rules.hears_drills(room), asks),
            Choice::Quiet(_) => say::groups::quiet(self.room_rules.quiet(room), asks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_people_write_them() {
        let night = Choice::Quiet(Hours::Between(Quiet::parse("22h-6h").unwrap()));
        for (text, wanted) in [
            ("diễn tập có", Some(Choice::Drills(Some(true)))),
            ("dien tap: bật", Some(Choice::Drills(Some(true)))),
            ("DIỄN TẬP KHÔNG", Some(Choice::Drills(Some(false)))),
            ("diễn tập", Some(Choice::Drills(None))),
            ("diễn tập mai", Some(Choice::Drills(None))),
            ("yên tĩnh 22h-6h", Some(night)),
            ("yên tĩnh: 22:00 - 06:00", Some(night)),
            ("yên tĩnh không", Some(Choice::Quiet(Hours::Never))),
            ("yên tĩnh mặc định", Some(Choice::Quiet(Hours::Usual))),
            ("yên tĩnh", Some(Choice::Quiet(Hours::Unsaid))),
            ("yên tĩnh 25h-6h", Some(Choice::Quiet(Hours::Unsaid))),
            ("tạo thôn Hạ", None),
            ("diễn", None),
            ("", None),
        ] {
            assert_eq!(choice(text), wanted, "{text}");
        }
    }
}
