//! Groups that an account can make and look into: one set of acts for the command line and for chat.

use thiserror::Error;

use crate::channel::groups::Group;
use crate::channel::groups::GroupError;
use crate::channel::groups::Groups;
use crate::channel::groups::Member;
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

/// What the groups of an account are asked and changed with.
pub struct GroupDesk<'a> {
    /// The account.
    pub account: &'a AccountName,
    /// Its groups.
    pub groups: &'a dyn Groups,
    /// The records.
    pub store: &'a dyn Store,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// Who does it, in the audit.
    pub by: &'a str,
}

/// A group, and the area it is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownGroup {
    /// What the platform tells.
    pub group: Group,
    /// Where it belongs, if it was bound.
    pub area: Option<AreaId>,
}

/// Why it was not done.
#[derive(Debug, Error)]
pub enum NotDone {
    /// The group has no name.
    #[error("the group needs a name")]
    NoName,
    /// Nobody would be in it.
    #[error(
        "somebody must be in the group, at its making an administrator of the OA: give their ids with --member"
    )]
    Nobody,
    /// The platform did not do it.
    #[error(transparent)]
    Platform(#[from] GroupError),
    /// It was made, and alerts do not reach it yet.
    #[error(
        "the group {group} was made, and could not be bound to its area ({why}): write /ganthon in it"
    )]
    NotBound {
        /// Its id.
        group: String,
        /// Why.
        #[source]
        why: StoreError,
    },
    /// The records could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl GroupDesk<'_> {
    /// All groups of the account.
    ///
    /// # Errors
    /// When the platform or the store did not tell.
    pub async fn list(&self) -> Result<Vec<KnownGroup>, NotDone> {
        let mut list = Vec::new();
        for group in self.groups.list().await? {
            list.push(self.known(group).await?);
        }
        Ok(list)
    }

    /// One group.
    ///
    /// # Errors
    /// When the platform or the store did not tell.
    pub async fn group(&self, id: &str) -> Result<KnownGroup, NotDone> {
        let group = self.groups.group(id).await?;
        Ok(self.known(group).await?)
    }

    /// Who is in a group.
    ///
    /// # Errors
    /// When the platform did not tell.
    pub async fn members(&self, id: &str) -> Result<Vec<Member>, NotDone> {
        Ok(self.groups.members(id).await?)
    }

    /// Asks people into a group, by the platform's ids.
    ///
    /// # Errors
    /// When nobody is named, the platform did not ask all of them, or the audit could not be written.
    pub async fn invite(&self, id: &str, people: &[String]) -> Result<(), NotDone> {
        if people.is_empty() {
            return Err(NotDone::Nobody);
        }
        self.groups.invite(id, people).await?;
        let detail = format!("{} people", people.len());
        let audit = self.audit("group.invite", id, detail);
        self.commit(vec![audit]).await?;
        Ok(())
    }

    /// Makes a group and binds it to its area.
    ///
    /// # Errors
    /// When the wish is incomplete, the platform did not make it, or it was made and could not be bound.
    pub async fn create(&self, wanted: &NewGroup, area: AreaId) -> Result<KnownGroup, NotDone> {
        if wanted.name.is_empty() {
            return Err(NotDone::NoName);
        }
        if wanted.people.is_empty() {
            return Err(NotDone::Nobody);
        }
        let group = self.groups.create(wanted).await?;
        self.bind(&group, area)
            .await
            .map_err(|why| NotDone::NotBound {
                group: group.id.clone(),
                why,
            })?;
        Ok(self.known(group).await?)
    }

    /// Its event may have come first: then the room is there already.
    async fn bind(&self, group: &Group, area: AreaId) -> Result<(), StoreError> {
        let id = self.room(&group.id);
        let known = self.store.room(&id).await?;
        let audit = self.audit("group.create", &group.id, area.to_string());
        let room = Room {
            area: Some(area),
            ..known.unwrap_or_else(|| Room {
                id,
                kind: RoomKind::Group,
                title: group.name.clone(),
                area: None,
                state: RoomState::Active,
                // Not told yet: the event of its making still brings the notice into it.
                sees_all: None,
                joined_at: self.clock.now(),
                choices: None,
            })
        };
        self.commit(vec![Write::Room(Box::new(room)), audit]).await
    }

    async fn known(&self, group: Group) -> Result<KnownGroup, StoreError> {
        let room = self.store.room(&self.room(&group.id)).await?;
        let area = room.and_then(|room| room.area);
        Ok(KnownGroup { group, area })
    }

    fn room(&self, group: &str) -> RoomId {
        RoomId::new(self.account.clone(), group)
    }

    fn audit(&self, act: &str, group: &str, detail: String) -> Write {
        Write::Audit(AuditEntry {
            at: self.clock.now(),
            who: self.by.to_owned(),
            act: act.to_owned(),
            object: self.room(group).to_string(),
            detail,
        })
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let act = Act {
            expects: Vec::new(),
            writes,
        };
        self.store.commit(vec![act]).await.map(drop)
    }
}
