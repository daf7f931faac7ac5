//! `/nhom tạo …`, `/nhom link …`: groups made and looked into by chat.
//!
//! What takes a call to the platform is written down as an [`Errand`] with the message that asked for it,
//! and done by [`Desk::run_errand`] beside the conversation. An errand is begun at most once: one that a
//! process left behind half done is answered with "nobody knows", never repeated.

use super::Asked;
use super::Desk;
use super::choices;
use super::groups::GroupDesk;
use super::groups::NotDone;
use super::words;
use super::words::Named;
use crate::channel::groups::GroupError;
use crate::channel::groups::Groups;
use crate::channel::groups::NewGroup;
use crate::domain::area::AreaId;
use crate::domain::delivery::Body;
use crate::domain::delivery::Lane;
use crate::domain::delivery::Post;
use crate::domain::errand::Errand;
use crate::domain::errand::Work;
use crate::domain::ids::AccountName;
use crate::domain::ids::MessageKey;
use crate::domain::person::Role;
use crate::domain::person::Staff;
use crate::domain::room::RoomKind;
use crate::domain::room::RoomState;
use crate::say;
use crate::say::groups::Trouble;
use crate::store::Act;
use crate::store::Expect;
use crate::store::StoreError;
use crate::store::Write;

/// What is written after `/nhom`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Links,
    Members,
    Invite,
}

/// The verb in front, and what follows it.
pub(super) fn verb(rest: &str) -> Option<(Verb, &str)> {
    let (first, tail) = words::next_word(rest)?;
    let (second, after) = words::next_word(tail).unwrap_or(("", tail));
    match (
        words::plain(first).as_str(),
        words::plain(second).trim_end_matches(':'),
    ) {
        ("thanh", "vien") => Some((Verb::Members, after)),
        ("tao" | "lap", "nhom") => Some((Verb::Create, after)),
        ("tao" | "lap", _) => Some((Verb::Create, tail)),
        ("link", _) => Some((Verb::Links, tail)),
        ("moi", _) => Some((Verb::Invite, tail)),
        _ => None,
    }
}

impl Desk {
    /// The accounts whose platform lets them make groups.
    #[must_use]
    pub fn with_group_accounts(mut self, accounts: Vec<AccountName>) -> Self {
        self.group_accounts = accounts;
        self
    }

    /// `/nhom`, alone or with a verb.
    pub(super) async fn groups_by_chat(
        &self,
        officer: &Staff,
        asked: &Asked<'_>,
        rest: &str,
    ) -> Result<Act, StoreError> {
        if rest.trim().is_empty() {
            return self.list_rooms(officer, asked).await;
        }
        if let Some(choice) = choices::choice(rest) {
            return self.choose(officer, asked, choice).await;
        }
        let Some((verb, rest)) = verb(rest) else {
            return Ok(self.reply(asked, say::groups::how()));
        };
        if verb != Verb::Links && officer.role != Role::Admin {
            return Ok(self.reply(asked, say::groups::for_administrators()));
        }
        if self.group_accounts.is_empty() {
            return Ok(self.reply(asked, say::groups::no_account()));
        }
        let (place, name) = match (verb, rest.split_once([':', '：'])) {
            (Verb::Create, Some((place, name))) => (place, name.trim()),
            _ => (rest, ""),
        };
        let area = match words::area_named(&self.areas, &officer.area, place) {
            Named::One(area) => area,
            Named::Nothing if place.trim().is_empty() && verb != Verb::Create => {
                officer.area.clone()
            }
            Named::Several(_) | Named::Nothing => {
                return Ok(self.reply(asked, say::groups::how()));
            }
        };
        if verb == Verb::Create {
            return self.ask_for_group(officer, asked, area, name).await;
        }
        let mut by_account: Vec<(AccountName, Vec<String>)> = Vec::new();
        for room in self.store.rooms().await? {
            let is_there = room.kind == RoomKind::Group
                && room.state == RoomState::Active
                && room.area.is_some_and(|bound| area.contains(&bound))
                && self.group_accounts.contains(&room.id.account);
            if !is_there {
                continue;
            }
            let native = room.id.native.to_string();
            match by_account
                .iter_mut()
                .find(|(account, _)| *account == room.id.account)
            {
                Some((_, groups)) => groups.push(native),
                None => by_account.push((room.id.account, vec![native])),
            }
        }
        // An account has few groups in one village; with several accounts, the one that was written to.
        let here = by_account
            .iter()
            .position(|(account, _)| *account == asked.room.account)
            .unwrap_or_default();
        if by_account.is_empty() {
            return Ok(self.reply(asked, say::groups::none_there(&self.areas.title(&area))));
        }
        let (account, mut groups) = by_account.swap_remove(here);
        groups.truncate(say::groups::SHOWN);
        let work = match verb {
            Verb::Members => Work::Members(groups),
            Verb::Invite => {
                let people = self.staff_of(&account, &area).await?;
                if people.is_empty() {
                    return Ok(self.reply(asked, say::groups::nobody()));
                }
                Work::Invite { groups, people }
            }
            Verb::Links | Verb::Create => Work::Links(groups),
        };
        Ok(self.errand(officer, asked, account, work))
    }

    async fn ask_for_group(
        &self,
        admin: &Staff,
        asked: &Asked<'_>,
        area: AreaId,
        name: &str,
    ) -> Result<Act, StoreError> {
        let account = match self.group_accounts.as_slice() {
            [only] => only,
            several => match several
                .iter()
                .find(|account| **account == asked.room.account)
            {
                Some(here) => here,
                None => return Ok(self.reply(asked, say::groups::which_account())),
            },
        };
        let people = self.staff_of(account, &area).await?;
        if people.is_empty() {
            return Ok(self.reply(asked, say::groups::nobody()));
        }
        let name = if name.is_empty() {
            say::groups::default_name(&self.areas.title(&area))
        } else {
            name.to_owned()
        };
        let work = Work::Create { name, area, people };
        Ok(self.errand(admin, asked, account.clone(), work))
    }

    /// Everybody who serves an area, by their ids on one account.
    async fn staff_of(
        &self,
        account: &AccountName,
        area: &AreaId,
    ) -> Result<Vec<String>, StoreError> {
        let staff = self.staff().await?;
        let mut people = Vec::new();
        for person in staff.people() {
            for (of, native) in &person.identities {
                if of == account && person.area.contains(area) && !people.contains(native) {
                    people.push(native.clone());
                }
            }
        }
        Ok(people)
    }

    fn errand(&self, by: &Staff, asked: &Asked<'_>, account: AccountName, work: Work) -> Act {
        let mut doing = self.begin();
        doing.act.writes.push(Write::Errand(Box::new(Errand {
            asked: MessageKey {
                room: asked.room.clone(),
                message: asked.message.clone(),
            },
            thread: asked.thread.clone(),
            kind: asked.kind,
            by: by.name.clone(),
            account,
            work,
            begun: false,
        })));
        doing.act
    }

    /// The act that begins an errand; whoever gets it written runs it.
    #[must_use]
    pub fn begin_errand(&self, errand: &Errand) -> Act {
        let begun = Errand {
            begun: true,
            ..errand.clone()
        };
        Act {
            expects: vec![Expect::Errand(errand.asked.clone(), false)],
            writes: vec![Write::Errand(Box::new(begun))],
        }
    }

    /// Does a begun errand, and gives the act that ends and answers it.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn run_errand(
        &self,
        errand: &Errand,
        groups: &dyn Groups,
    ) -> Result<Act, StoreError> {
        let desk = GroupDesk {
            account: &errand.account,
            groups,
            store: self.store.as_ref(),
            clock: self.clock.as_ref(),
            by: &errand.by,
        };
        let text = match self.done(errand, &desk).await {
            Ok(text) => text,
            Err(NotDone::Store(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(account = %errand.account, %error, "what an administrator asked of a group was not done");
                let making = matches!(errand.work, Work::Create { .. });
                match (error, &errand.work) {
                    (NotDone::NotBound { .. }, Work::Create { name, .. }) => {
                        say::groups::made_unbound(name)
                    }
                    (NotDone::Platform(GroupError::NotNow(_)), _) => {
                        say::groups::not_done(Trouble::NotNow, making)
                    }
                    (NotDone::Platform(GroupError::NeedsPerson(_)), _) => {
                        say::groups::not_done(Trouble::NeedsPerson, making)
                    }
                    _ => say::groups::not_done(Trouble::Refused, making),
                }
            }
        };
        Ok(self.end_errand(errand, text))
    }

    /// The act that ends an errand which an earlier process, or an account that is no more, left behind.
    #[must_use]
    pub fn give_up_errand(&self, errand: &Errand) -> Act {
        self.end_errand(errand, say::groups::unknown())
    }

    fn end_errand(&self, errand: &Errand, text: String) -> Act {
        let mut doing = self.begin();
        let asked = &errand.asked;
        let post = Post {
            text,
            reply_to: (errand.kind == RoomKind::Group).then(|| asked.message.clone()),
            ..Post::default()
        };
        doing.send(
            asked.room.clone(),
            errand.thread.clone(),
            Lane::Reply,
            Body::Text(post),
        );
        doing
            .act
            .expects
            .push(Expect::Errand(asked.clone(), errand.begun));
        doing.act.writes.push(Write::ErrandEnded(asked.clone()));
        doing.act
    }

    async fn done(&self, errand: &Errand, desk: &GroupDesk<'_>) -> Result<String, NotDone> {
        match &errand.work {
            Work::Create { name, area, people } => {
                let wanted = NewGroup {
                    name: name.clone(),
                    description: String::new(),
                    package: String::new(),
                    people: people.clone(),
                };
                let made = desk.create(&wanted, area.clone()).await?;
                let title = self.areas.title(area);
                let group = made.group;
                Ok(say::groups::made(
                    name,
                    &title,
                    people.len(),
                    &group.link,
                    &group.id,
                ))
            }
            Work::Links(groups) => {
                let mut links = Vec::new();
                for id in groups {
                    let group = desk.group(id).await?.group;
                    links.push((group.name, group.link));
                }
                Ok(say::groups::links(&links))
            }
            Work::Members(groups) => {
                let mut all = Vec::new();
                for id in groups {
                    let name = desk.group(id).await?.group.name;
                    let members = desk.members(id).await?;
                    let people: Vec<String> = members
                        .into_iter()
                        .filter(|member| !member.is_us)
                        .map(|member| member.name)
                        .collect();
                    all.push((name, people));
                }
                if errand.kind == RoomKind::Private {
                    return Ok(say::groups::members(&all));
                }
                let counts: Vec<_> = all
                    .into_iter()
                    .map(|(name, people)| (name, people.len()))
                    .collect();
                Ok(say::groups::counts(&counts))
            }
            Work::Invite { groups, people } => {
                for id in groups {
                    desk.invite(id, people).await?;
                }
                Ok(say::groups::invited(people.len(), groups.len()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_stands_in_front() {
        for (text, wanted) in [
            ("tạo Tân Trúc Tùng", Some((Verb::Create, "Tân Trúc Tùng"))),
            ("lập nhóm thôn Hạ", Some((Verb::Create, "thôn Hạ"))),
            (
                "TAO thôn Hạ: Xóm mình",
                Some((Verb::Create, "thôn Hạ: Xóm mình")),
            ),
            ("link", Some((Verb::Links, ""))),
            ("mời thôn Hạ", Some((Verb::Invite, "thôn Hạ"))),
            ("thành viên thôn Hạ", Some((Verb::Members, "thôn Hạ"))),
            ("thành phố", None),
            ("xoá thôn Hạ", None),
        ] {
            let found = verb(text).map(|(verb, rest)| (verb, rest.trim()));
            assert_eq!(found, wanted, "{text}");
        }
    }
}
