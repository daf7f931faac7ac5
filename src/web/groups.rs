//! Groups of accounts whose platform lets us make them, for the command line of this machine, as JSON.

use serde_json::Value;
use serde_json::json;

use crate::channel::groups::Group;
use crate::channel::groups::GroupError;
use crate::channel::groups::Groups;
use crate::channel::groups::NewGroup;
use crate::domain::area::AreaId;
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Clock;
use crate::domain::ids::AccountName;
use crate::domain::ids::RoomId;
use crate::domain::room::Room;
use crate::domain::room::RoomKind;
use crate::domain::room::RoomState;
use crate::store::Act;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Write;

/// Who does it, in the audit, when the command line does.
const BY: &str = "keng";

/// What the groups of an account are asked and changed with.
pub struct Desk<'a> {
    /// The account.
    pub account: &'a AccountName,
    /// Its groups.
    pub groups: &'a dyn Groups,
    /// The records.
    pub store: &'a dyn Store,
    /// What time it is.
    pub clock: &'a dyn Clock,
}

impl Desk<'_> {
    /// Does what is asked: `list`, `link` (`{group}`), `members` (`{group}`), `invite` (`{group, people}`),
    /// or `create` (`{name, description, package, people, area}`), which also binds the group to its area.
    ///
    /// # Errors
    /// When it cannot be done; the words are for whoever asked.
    pub async fn answer(&self, what: &str, body: &Value) -> Result<Value, String> {
        let text = |key: &str| body[key].as_str().unwrap_or_default().trim().to_owned();
        let people: Vec<String> = body["people"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let failed = |error: GroupError| error.to_string();
        match what {
            "list" => {
                let mut list = Vec::new();
                for group in self.groups.list().await.map_err(failed)? {
                    list.push(self.shown(&group).await?);
                }
                Ok(json!({ "groups": list }))
            }
            "link" => {
                let group = self.groups.group(&text("group")).await.map_err(failed)?;
                self.shown(&group).await
            }
            "members" => {
                let members = self.groups.members(&text("group")).await.map_err(failed)?;
                let members = members.iter().map(
                    |member| json!({"id": member.id, "name": member.name, "is_us": member.is_us}),
                );
                Ok(json!({ "members": members.collect::<Vec<_>>() }))
            }
            "invite" => {
                if people.is_empty() {
                    return Err("nobody is named: give their ids with --member".to_owned());
                }
                self.groups
                    .invite(&text("group"), &people)
                    .await
                    .map_err(failed)?;
                let detail = format!("{} people", people.len());
                self.note("group.invite", &text("group"), detail).await?;
                Ok(json!({}))
            }
            "create" => {
                let area = AreaId::parse(&text("area")).map_err(|error| error.to_string())?;
                let wanted = NewGroup {
                    name: text("name"),
                    description: text("description"),
                    package: text("package"),
                    people,
                };
                if wanted.name.is_empty() {
                    return Err("the group needs a name".to_owned());
                }
                if wanted.people.is_empty() {
                    return Err(
                        "somebody must be in the group from the start, one of them an administrator of the OA: \
                         give their ids with --member"
                            .to_owned(),
                    );
                }
                let group = self.groups.create(&wanted).await.map_err(failed)?;
                self.bind(&group, area).await.map_err(|error| {
                    format!(
                        "the group {} was made, and could not be bound to its area ({error}): write /ganthon in it",
                        group.id
                    )
                })?;
                self.shown(&group).await
            }
            _ => Err("no such act".to_owned()),
        }
    }

    fn room(&self, group: &str) -> RoomId {
        RoomId::new(self.account.clone(), group)
    }

    /// Its event may have come first: then the room is there already.
    async fn bind(&self, group: &Group, area: AreaId) -> Result<(), StoreError> {
        let id = self.room(&group.id);
        let now = self.clock.now();
        let known = self.store.room(&id).await?;
        let room = Room {
            area: Some(area.clone()),
            ..known.unwrap_or_else(|| Room {
                id: id.clone(),
                kind: RoomKind::Group,
                title: group.name.clone(),
                area: None,
                state: RoomState::Active,
                // Not told yet: the event of its making still brings the notice into it.
                sees_all: None,
                joined_at: now,
            })
        };
        let act = Act {
            expects: Vec::new(),
            writes: vec![
                Write::Room(Box::new(room)),
                Write::Audit(AuditEntry {
                    at: now,
                    who: BY.to_owned(),
                    act: "group.create".to_owned(),
                    object: id.to_string(),
                    detail: area.to_string(),
                }),
            ],
        };
        self.store.commit(vec![act]).await.map(drop)
    }

    async fn note(&self, act: &str, group: &str, detail: String) -> Result<(), String> {
        let entry = AuditEntry {
            at: self.clock.now(),
            who: BY.to_owned(),
            act: act.to_owned(),
            object: self.room(group).to_string(),
            detail,
        };
        let act = Act {
            expects: Vec::new(),
            writes: vec![Write::Audit(entry)],
        };
        let written = self.store.commit(vec![act]).await;
        written.map(drop).map_err(|error| error.to_string())
    }

    async fn shown(&self, group: &Group) -> Result<Value, String> {
        let room = self.store.room(&self.room(&group.id)).await;
        let area = room
            .map_err(|error| error.to_string())?
            .and_then(|room| room.area);
        Ok(json!({
            "id": group.id,
            "name": group.name,
            "link": group.link,
            "members": group.members,
            "most": group.most,
            "enabled": group.enabled,
            "paid_until": group.paid_until,
            "area": area.map(|area| area.to_string()),
        }))
    }
}
