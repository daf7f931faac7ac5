//! One-time codes by which somebody gets a role: made by an administrator, taken in the private chat.
//!
//! ```text
//! /moi cán bộ Đ/c Nam ─▶ code, shown once ─▶ /start CODE ─▶ the account has the role
//! ```
//! The store keeps only the hash of a code. The answer that carries the code passes through the outbox
//! like every other message and is gone from there once it is sent; a code that should never touch the
//! disk is made with `keng invite`.

use chrono::TimeDelta;
use subtle::ConstantTimeEq as _;

use super::Asked;
use super::Desk;
use super::limit::Turn;
use super::words;
use super::words::Named;
use crate::domain::area::AreaId;
use crate::domain::delivery::Post;
use crate::domain::invite::Invite;
use crate::domain::invite::InviteCode;
use crate::domain::invite::InviteHash;
use crate::domain::invite::InviteState;
use crate::domain::message::Message;
use crate::domain::message::Sender;
use crate::domain::person::Role;
use crate::domain::person::Staff;
use crate::say;
use crate::store::Act;
use crate::store::Expect;
use crate::store::StoreError;
use crate::store::Write;

/// How long a code is good when nobody says otherwise.
pub const LASTS: TimeDelta = TimeDelta::hours(48);

/// The longest name of a colleague, in characters.
const MAX_NAME: usize = 40;

/// Who is to be invited.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The name by which colleagues will know the person.
    pub name: &'a str,
    /// What they may do.
    pub role: Role,
    /// Where.
    pub area: AreaId,
    /// How long the code is good.
    pub lasts: TimeDelta,
    /// Who invites.
    pub by: &'a str,
}

/// Why nobody was invited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotInvited {
    /// The name says nothing, or is too long to be one.
    #[error("that is no name")]
    NoName,
    /// A colleague is called so; the audit could not tell the two apart.
    #[error("a colleague has this name already")]
    NameTaken,
}

impl Desk {
    /// Makes an invitation: the code, and the act that makes it good. An older code for the same name
    /// is void from then on.
    ///
    /// # Errors
    /// When the store cannot be read, or the machine has no random bytes.
    pub async fn invite(
        &self,
        wanted: &Wanted<'_>,
    ) -> Result<Result<(InviteCode, Act), NotInvited>, StoreError> {
        let name = wanted.name.split_whitespace().collect::<Vec<_>>().join(" ");
        let fits = (2..=MAX_NAME).contains(&name.chars().count())
            && name.chars().any(char::is_alphabetic)
            && !name.chars().any(char::is_control);
        if !fits {
            return Ok(Err(NotInvited::NoName));
        }
        if self.staff().await?.has_name(&name) {
            return Ok(Err(NotInvited::NameTaken));
        }
        let mut doing = self.begin();
        let plain = words::plain(&name);
        for mut old in self.store.invites().await? {
            if old.state == InviteState::Open && words::plain(&old.name) == plain {
                end(&mut old, doing.now, &mut doing.act);
            }
        }
        let code = self.fresh_invite_code()?;
        let hash = code.hash(&self.store.salt());
        doing.audit(
            wanted.by,
            "staff.invite",
            &name,
            format!("{} in {}", wanted.role.as_str(), wanted.area),
        );
        doing.act.expects.push(Expect::Invite(hash, 0));
        doing.act.writes.push(Write::Invite(Box::new(Invite {
            hash,
            revision: 1,
            name,
            role: wanted.role,
            area: wanted.area.clone(),
            by: wanted.by.to_owned(),
            made_at: doing.now,
            expires_at: doing.now + wanted.lasts,
            state: InviteState::Open,
        })));
        Ok(Ok((code, doing.act)))
    }

    /// Takes an invitation back, and the role of whoever took it. `None`: nobody was invited by that name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn uninvite(&self, name: &str, by: &str) -> Result<Option<Act>, StoreError> {
        let mut doing = self.begin();
        let plain = words::plain(name);
        for mut invite in self.store.invites().await? {
            let is_over = matches!(invite.state, InviteState::Ended { .. });
            if !is_over && words::plain(&invite.name) == plain {
                end(&mut invite, doing.now, &mut doing.act);
            }
        }
        if doing.act.writes.is_empty() {
            return Ok(None);
        }
        doing.audit(by, "staff.uninvite", name, "");
        Ok(Some(doing.act))
    }

    /// `/moi ROLE NAME[, VILLAGE]`, from an administrator in private.
    pub(super) async fn invite_by_chat(
        &self,
        admin: &Staff,
        asked: &Asked<'_>,
        rest: &str,
    ) -> Result<Act, StoreError> {
        if !asked.is_private() {
            return Ok(self.reply(asked, say::desk::invite_in_private()));
        }
        let Some((role, name, place)) = wanted(rest) else {
            return Ok(self.reply(asked, say::desk::invite_how()));
        };
        let area = match place {
            None if role == Role::Head && admin.area.village().is_none() => {
                return Ok(self.reply(asked, say::desk::invite_how()));
            }
            None => admin.area.clone(),
            Some(place) => match words::area_named(&self.areas, &admin.area, place) {
                Named::One(area) => area,
                Named::Several(_) | Named::Nothing => {
                    return Ok(self.reply(asked, say::desk::invite_where()));
                }
            },
        };
        let invitation = Wanted {
            name,
            role,
            area,
            lasts: LASTS,
            by: &admin.name,
        };
        let (code, mut act) = match self.invite(&invitation).await? {
            Ok(made) => made,
            Err(NotInvited::NoName) => return Ok(self.reply(asked, say::desk::invite_how())),
            Err(NotInvited::NameTaken) => {
                return Ok(self.reply(asked, say::desk::invite_name_taken(name)));
            }
        };
        let mut doing = self.begin();
        let until = doing.now + LASTS;
        let title = self.areas.title(&invitation.area);
        doing.answer(
            asked,
            say::desk::invited(name, role, &title, &code.expose(), until),
        );
        act.writes.append(&mut doing.act.writes);
        Ok(act)
    }

    /// `/start CODE`, by anybody in private.
    pub(super) async fn join(
        &self,
        message: &Message,
        asked: &Asked<'_>,
        code: &InviteCode,
    ) -> Result<Act, StoreError> {
        let Sender::Person { native, .. } = &message.sender else {
            return Ok(Act::default());
        };
        match self.questions.turn(&asked.person, self.clock.now()) {
            Turn::Fine => {}
            Turn::FirstTooMany => return Ok(self.reply(asked, say::alert::asked_too_often())),
            Turn::TooMany => return Ok(Act::default()),
        }
        let staff = self.staff().await?;
        let account = &message.room.account;
        if staff.who(account, &message.sender).is_some() {
            return Ok(self.reply(asked, say::desk::has_a_role_already()));
        }
        let mut doing = self.begin();
        let wanted = code.hash(&self.store.salt());
        let found = self.store.invites().await?.into_iter().find(|invite| {
            // However long the comparing takes, it tells nothing of the hash.
            same(&invite.hash, &wanted) && invite.is_open(doing.now)
        });
        let Some(mut invite) = found.filter(|invite| !staff.has_name(&invite.name)) else {
            return Ok(self.reply(asked, say::desk::invite_of_no_use()));
        };
        doing
            .act
            .expects
            .push(Expect::Invite(invite.hash, invite.revision));
        invite.revision += 1;
        invite.state = InviteState::Used {
            account: account.clone(),
            native: native.clone(),
            at: doing.now,
        };
        let title = self.areas.title(&invite.area);
        doing.answer(asked, say::desk::joined(&invite.name, invite.role, &title));
        if let Some(inviter) = staff.named(&invite.by)
            && let Some(room) = self.private_room_of(inviter).await?
        {
            let post = Post {
                text: say::desk::invite_taken(&invite.name),
                ..Post::default()
            };
            doing.tell(room, post);
        }
        let detail = format!("{} in {}", invite.role.as_str(), invite.area);
        doing.audit(&invite.name, "staff.join", &invite.name, detail);
        doing.act.writes.push(Write::Invite(Box::new(invite)));
        Ok(doing.act)
    }

    fn fresh_invite_code(&self) -> Result<InviteCode, StoreError> {
        let mut bytes = [0; 16];
        for half in bytes.chunks_exact_mut(8) {
            let drawn = self.random.bytes().map_err(|source| StoreError::Engine {
                doing: "drawing a code".to_owned(),
                source: Box::new(source),
            })?;
            half.copy_from_slice(&drawn);
        }
        Ok(InviteCode::from_random(bytes))
    }
}

fn same(left: &InviteHash, right: &InviteHash) -> bool {
    left.0.ct_eq(&right.0).into()
}

fn end(invite: &mut Invite, now: crate::domain::clock::Time, act: &mut Act) {
    act.expects
        .push(Expect::Invite(invite.hash, invite.revision));
    invite.revision += 1;
    invite.state = InviteState::Ended { at: now };
    act.writes.push(Write::Invite(Box::new(invite.clone())));
}

/// Reads `cán bộ Đ/c Nam`, `trưởng thôn Bác Bình, Tân Trúc Tùng`.
fn wanted(rest: &str) -> Option<(Role, &str, Option<&str>)> {
    let (first, tail) = words::next_word(rest)?;
    let (second, tail) = words::next_word(tail)?;
    let role = match format!("{} {}", words::plain(first), words::plain(second)).as_str() {
        "can bo" | "cong an" => Role::Officer,
        "truong thon" | "truong khu" | "truong ap" | "truong ban" | "truong xom"
        | "truong lang" | "to truong" | "khu truong" => Role::Head,
        _ => return None,
    };
    let (name, place) = match tail.split_once([',', ';']) {
        Some((name, place)) => (name, Some(place.trim()).filter(|place| !place.is_empty())),
        None => (tail, None),
    };
    let name = name.trim();
    (!words::says_nothing(name)).then_some((role, name, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_read_as_people_write_it() {
        for (text, read) in [
            ("cán bộ Đ/c Nam", Some((Role::Officer, "Đ/c Nam", None))),
            ("CAN BO Nam", Some((Role::Officer, "Nam", None))),
            (
                "trưởng thôn Bác Bình, Tân Trúc Tùng",
                Some((Role::Head, "Bác Bình", Some("Tân Trúc Tùng"))),
            ),
            ("tổ trưởng  Chị Mai ;", Some((Role::Head, "Chị Mai", None))),
            ("Bác Bình", None),
            ("cán bộ", None),
            ("trưởng thôn , Tân Trúc Tùng", None),
            ("", None),
        ] {
            assert_eq!(wanted(text), read, "{text}");
        }
    }
}
