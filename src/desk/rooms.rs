//! Which group belongs where.

use std::collections::BTreeMap;

use super::Asked;
use super::Desk;
use super::words;
use super::words::Named;
use crate::domain::area::AreaId;
use crate::domain::delivery::Post;
use crate::domain::person::Staff;
use crate::domain::room::Room;
use crate::domain::room::RoomKind;
use crate::domain::room::RoomState;
use crate::say;
use crate::store::Act;
use crate::store::StoreError;
use crate::store::Write;

impl Desk {
    /// `/ganthon NAME`, in the group itself: binds it to a village, or to the whole commune.
    pub(super) async fn bind(
        &self,
        admin: &Staff,
        asked: &Asked<'_>,
        rest: &str,
    ) -> Result<Act, StoreError> {
        if asked.is_private() {
            return Ok(self.reply(asked, say::desk::bind_in_the_group()));
        }
        let area = match words::area_named(&self.areas, &admin.area, rest) {
            Named::One(area) => area,
            Named::Several(areas) => {
                return Ok(self.reply(asked, self.which_village(admin, areas.iter())));
            }
            Named::Nothing => {
                let commune = admin.area.commune();
                let all = self
                    .areas
                    .villages(&commune)
                    .map(|(id, _)| id)
                    .filter(|id| admin.area.contains(id));
                return Ok(self.reply(asked, self.which_village(admin, all)));
            }
        };
        let title = self.areas.title(&area);
        let mut doing = self.begin();
        let known = self.store.room(&asked.room).await?;
        let before = known.as_ref().and_then(|room| room.area.clone());
        if before.as_ref() == Some(&area)
            && known
                .as_ref()
                .is_some_and(|room| room.state == RoomState::Active)
        {
            return Ok(self.reply(asked, say::desk::already_bound(&title)));
        }
        let mut room = known.unwrap_or_else(|| Room {
            id: asked.room.clone(),
            kind: RoomKind::Group,
            title: asked.title.to_owned(),
            area: None,
            state: RoomState::Active,
            sees_all: None,
            joined_at: doing.now,
            choices: None,
        });
        // Somebody just wrote to us there, so the bot is in.
        room.state = RoomState::Active;
        room.area = Some(area.clone());
        if !asked.title.is_empty() {
            asked.title.clone_into(&mut room.title);
        }
        let before = before.map(|area| self.areas.title(&area));
        doing.answer(asked, say::desk::bound(&title, before.as_deref()));
        doing.audit(&admin.name, "room.bind", &room.id, area.as_str());
        self.tell_what_is_in_force(&mut doing, std::slice::from_ref(&room))
            .await?;
        doing.act.writes.push(Write::Room(Box::new(room)));
        Ok(doing.act)
    }

    fn which_village<'a>(&self, admin: &Staff, areas: impl Iterator<Item = &'a AreaId>) -> String {
        let villages: Vec<(String, String)> = areas
            .filter_map(|id| Some((self.areas.title(id), id.village()?.to_owned())))
            .collect();
        say::desk::which_village(&self.areas.title(&admin.area), &villages)
    }

    /// `/nhom`: the groups of the area, those bound to none, and those that put the bot out.
    pub(super) async fn list_rooms(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
    ) -> Result<Act, StoreError> {
        let mut places: BTreeMap<AreaId, Vec<String>> = BTreeMap::new();
        let mut unbound = Vec::new();
        let mut removed = Vec::new();
        for room in self.store.rooms().await? {
            if room.kind != RoomKind::Group {
                continue;
            }
            match (&room.state, room.area) {
                (RoomState::Active, None) => unbound.push(room.title),
                (RoomState::Active, Some(area)) if officer.area.contains(&area) => {
                    places.entry(area).or_default().push(room.title);
                }
                (RoomState::Removed, Some(area)) if officer.area.contains(&area) => {
                    removed.push(room.title);
                }
                _ => {}
            }
        }
        if !asked.is_private() {
            let bound = places.values().map(Vec::len).sum();
            let text = say::desk::rooms_in_group(bound, unbound.len(), removed.len());
            return Ok(self.reply(asked, text));
        }
        let places: Vec<(String, Vec<String>)> = places
            .into_iter()
            .map(|(area, mut names)| {
                names.sort();
                (self.areas.title(&area), names)
            })
            .collect();
        let mut doing = self.begin();
        doing.answer_with(
            asked,
            Post {
                text: say::desk::rooms(&places, &unbound, &removed),
                ..Post::default()
            },
        );
        Ok(doing.act)
    }
}
