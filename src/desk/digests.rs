//! `/tonghop`: whose day, which days.

use super::Asked;
use super::Desk;
use super::words;
use super::words::Named;
use crate::digest;
use crate::digest::days;
use crate::domain::area::AreaId;
use crate::domain::digest::Days;
use crate::domain::person::Staff;
use crate::say;
use crate::say::digest::Audience;
use crate::store::Act;
use crate::store::StoreError;

impl Desk {
    /// The digest of the asker's own area, or of a village of it that was named beside the days.
    pub(super) async fn digest(
        &self,
        staff: &Staff,
        asked: &Asked<'_>,
        rest: &str,
    ) -> Result<Act, StoreError> {
        let now = self.clock.now();
        let Some((area, days)) = self.which_day_where(staff, rest) else {
            return Ok(self.reply(asked, say::digest::which_days()));
        };
        let digest = digest::of(self.store.as_ref(), &self.areas, &area, days, now).await?;
        let audience = if asked.is_private() {
            Audience::Staff
        } else {
            Audience::Group
        };
        let mut doing = self.begin();
        doing.answer(
            asked,
            say::digest::text(&digest, &self.areas, audience, now),
        );
        doing.audit(
            &staff.name,
            "digest.read",
            &area,
            format!("{} to {}", days.from, days.to),
        );
        Ok(doing.act)
    }

    /// Reads `[village] [days]` in either order.
    fn which_day_where(&self, staff: &Staff, rest: &str) -> Option<(AreaId, Days)> {
        let today = self.clock.now().date_naive();
        let plain = words::plain(rest);
        if let Some(days) = days::parse(&plain, today) {
            return Some((staff.area.clone(), days));
        }
        let words: Vec<&str> = plain.split(' ').collect();
        // The longest name wins: `khu 7 7 ngay` is Khu 7, seven days.
        (1..=words.len()).rev().find_map(|length| {
            let (front, behind) = words.split_at_checked(length)?;
            let (before, back) = words.split_at_checked(words.len() - length)?;
            [(front, behind), (back, before)]
                .into_iter()
                .find_map(|(name, days)| {
                    let Named::One(area) =
                        words::area_named(&self.areas, &staff.area, &name.join(" "))
                    else {
                        return None;
                    };
                    Some((area, days::parse(&days.join(" "), today)?))
                })
        })
    }
}
