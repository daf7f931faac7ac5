//! `[[area]]`, `[[officer]]` and `[[room]]`: villages, people and bindings.

use std::collections::HashMap;
use std::collections::HashSet;

use std::collections::BTreeSet;

use sha2::Digest as _;
use sha2::Sha256;
use toml::Spanned;

use super::COMMUNES;
use super::ConfigError;
use super::RoomConfig;
use super::file::Document;
use super::file::RawArea;
use super::file::RawHandGroup;
use super::file::RawOfficer;
use super::file::RawRoom;
use crate::domain::area::AreaBook;
use crate::domain::area::AreaId;
use crate::domain::hand::HandGroup;
use crate::domain::hand::HandGroups;
use crate::domain::hand::PREFIX;
use crate::domain::ids::AccountName;
use crate::domain::ids::RoomId;
use crate::domain::person::Role;
use crate::domain::person::Staff;
use crate::domain::room::Quiet;

/// A line of the official list.
struct Commune {
    id: AreaId,
    /// `Xã Tiên Yên`.
    name: &'static str,
    /// `Tiên Yên`.
    bare: &'static str,
    province: &'static str,
}

/// The official list. Every line is read: a test counts them.
fn communes() -> impl Iterator<Item = Commune> {
    COMMUNES.lines().skip(1).filter_map(|line| {
        let mut fields = line.split(',');
        let (code, name, kind, province) = (
            fields.next()?,
            fields.next()?,
            fields.next()?,
            fields.next()?,
        );
        let bare = name.get(kind.len()..)?.trim();
        let id = AreaId::parse(code).ok()?;
        (!bare.is_empty()).then_some(Commune {
            id,
            name,
            bare,
            province,
        })
    })
}

/// What the communes in the provinces of these areas are called, without the word for their kind.
pub(super) fn around<'a>(areas: impl Iterator<Item = &'a AreaId>) -> Vec<&'static str> {
    let used: BTreeSet<AreaId> = areas.map(AreaId::commune).collect();
    let provinces: BTreeSet<&str> = communes()
        .filter(|commune| used.contains(&commune.id))
        .map(|commune| commune.province)
        .collect();
    communes()
        .filter(|commune| provinces.contains(commune.province))
        .map(|commune| commune.bare)
        .collect()
}

/// The official communes and the villages of the file.
pub(super) fn areas(file: &Document<'_>, villages: &[RawArea]) -> Result<AreaBook, ConfigError> {
    let mut book = AreaBook::default();
    for commune in communes() {
        book.name(commune.id, commune.name);
    }
    for village in villages {
        let id = parse_area(file, "area.id", &village.id)?;
        if !book.knows(&id.commune()) {
            return Err(unknown_commune(file, "area.id", &village.id, &id));
        }
        if !village.aliases.is_empty() && id.village().is_none() {
            return Err(file.error(
                Some(village.id.span().start),
                format!(
                    "`area.aliases`: `{id}` is a commune; only villages are called by other names"
                ),
            ));
        }
        for alias in &village.aliases {
            book.alias(id.clone(), alias.trim());
        }
        book.name(id, village.name.trim());
    }
    Ok(book)
}

fn parse_area(
    file: &Document<'_>,
    key: &str,
    raw: &Spanned<String>,
) -> Result<AreaId, ConfigError> {
    AreaId::parse(raw.get_ref())
        .map_err(|error| file.error(Some(raw.span().start), format!("`{key}`: {error}")))
}

fn unknown_commune(
    file: &Document<'_>,
    key: &str,
    raw: &Spanned<String>,
    id: &AreaId,
) -> ConfigError {
    file.error(
        Some(raw.span().start),
        format!("`{key}` is `{id}`, which is no commune of the official list"),
    )
}

/// An area whose commune is official. A village need not be named: its slug will serve.
pub(super) fn known_area(
    file: &Document<'_>,
    key: &str,
    raw: &Spanned<String>,
    book: &AreaBook,
) -> Result<AreaId, ConfigError> {
    let id = parse_area(file, key, raw)?;
    if book.knows(&id.commune()) {
        Ok(id)
    } else {
        Err(unknown_commune(file, key, raw, &id))
    }
}

fn known_account(
    file: &Document<'_>,
    key: &str,
    raw: &Spanned<String>,
    accounts: &HashSet<AccountName>,
) -> Result<AccountName, ConfigError> {
    AccountName::parse(raw.get_ref())
        .ok()
        .filter(|name| accounts.contains(name))
        .ok_or_else(|| {
            file.error(
                Some(raw.span().start),
                format!(
                    "`{key}` is `{}`, but no [[account]] has that name",
                    raw.get_ref()
                ),
            )
        })
}

pub(super) fn staff(
    file: &Document<'_>,
    officers: &[RawOfficer],
    book: &AreaBook,
    accounts: &HashSet<AccountName>,
) -> Result<Vec<Staff>, ConfigError> {
    let mut taken: HashMap<(AccountName, String), &str> = HashMap::new();
    let mut staff = Vec::new();
    for officer in officers {
        let role = officer.role.get_ref();
        let role = Role::parse(role).ok_or_else(|| {
            file.error(
                Some(officer.role.span().start),
                format!(
                    "`officer.role` is {role:?}, but should be \"officer\", \"head\" or \"admin\""
                ),
            )
        })?;
        let mut identities = Vec::new();
        for (account, native) in &officer.accounts {
            let name = known_account(file, "officer.accounts", account, accounts)?;
            if let Some(other) = taken.insert((name.clone(), native.to_string()), &officer.name) {
                return Err(file.error(
                    Some(account.span().start),
                    format!(
                        "`officer.accounts`: {} and {other} have the same user id on `{name}`",
                        officer.name
                    ),
                ));
            }
            identities.push((name, native.to_string()));
        }
        staff.push(Staff {
            name: officer.name.clone(),
            role,
            area: known_area(file, "officer.area", &officer.area, book)?,
            identities,
        });
    }
    Ok(staff)
}

pub(super) fn bindings(
    file: &Document<'_>,
    rooms: &[RawRoom],
    book: &AreaBook,
    accounts: &HashSet<AccountName>,
) -> Result<HashMap<RoomId, AreaId>, ConfigError> {
    let mut bindings = HashMap::new();
    for room in rooms {
        let account = known_account(file, "room.account", &room.account, accounts)?;
        let id = RoomId::new(account, room.native.to_string());
        let area = known_area(file, "room.area", &room.area, book)?;
        if bindings.insert(id.clone(), area).is_some() {
            return Err(file.error(
                Some(room.area.span().start),
                format!("the room {id} is bound twice"),
            ));
        }
    }
    Ok(bindings)
}

/// Groups in which a person posts by hand.
pub(super) fn hand_groups(
    file: &Document<'_>,
    groups: &[RawHandGroup],
    book: &AreaBook,
    accounts: &HashSet<AccountName>,
) -> Result<HandGroups, ConfigError> {
    let mut all: Vec<HandGroup> = Vec::new();
    for group in groups {
        let account = known_account(file, "hand_group.account", &group.account, accounts)?;
        let area = known_area(file, "hand_group.area", &group.area, book)?;
        let at = Some(group.name.span().start);
        let name = group.name.get_ref().trim();
        if name.is_empty() {
            return Err(file.error(at, "`hand_group.name` is empty"));
        }
        // There is no id that a program could know: what tells such a group apart is a word of ours.
        let own_id = group.id.as_ref().map(|id| id.get_ref().trim());
        let sum = Sha256::digest(own_id.unwrap_or(name).as_bytes());
        let short: String = sum
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let id = RoomId::new(account.clone(), format!("{PREFIX}{short}"));
        if all.iter().any(|other| other.name == name) {
            return Err(file.error(at, format!("two groups by hand are called `{name}`")));
        }
        if let Some(other) = all.iter().find(|other| other.id == id) {
            let at = group.id.as_ref().map_or(at, |own| Some(own.span().start));
            let why = format!("`hand_group.id` is that of the group `{}`", other.name);
            return Err(file.error(at, why));
        }
        all.push(HandGroup {
            id,
            name: name.to_owned(),
            area,
            admin: RoomId::new(account, group.admin.to_string()),
        });
    }
    Ok(HandGroups(all))
}

/// Hours such as `22h-6h`; empty: never.
pub(super) fn quiet(
    file: &Document<'_>,
    key: &str,
    raw: Option<&Spanned<String>>,
) -> Result<Option<Option<Quiet>>, ConfigError> {
    let Some(raw) = raw else { return Ok(None) };
    if raw.get_ref().trim().is_empty() {
        return Ok(Some(None));
    }
    match Quiet::parse(raw.get_ref()) {
        Some(quiet) => Ok(Some(Some(quiet))),
        None => Err(file.error(
            Some(raw.span().start),
            format!(
                "`{key}` is {:?}, but should be hours such as \"22h-6h\", or empty",
                raw.get_ref()
            ),
        )),
    }
}

/// What is said of rooms besides their areas.
pub(super) fn rooms(
    file: &Document<'_>,
    rooms: &[RawRoom],
) -> Result<HashMap<RoomId, RoomConfig>, ConfigError> {
    let mut told = HashMap::new();
    for room in rooms {
        // The name was looked at when the room was bound.
        let Ok(account) = AccountName::parse(room.account.get_ref()) else {
            continue;
        };
        let config = RoomConfig {
            quiet: quiet(file, "room.quiet_hours", room.quiet_hours.as_ref())?,
            drills: room.drills,
        };
        told.insert(RoomId::new(account, room.native.to_string()), config);
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_official_list_is_read() {
        let lines = COMMUNES.lines().skip(1).count();
        assert_eq!((lines, communes().count()), (3321, 3321));
    }

    #[test]
    fn the_communes_around_are_those_of_the_same_province() {
        let area = AreaId::parse("06862/tan-truc-tung").unwrap();
        let names = around(std::iter::once(&area));
        assert_eq!(names.len(), 54);
        for name in ["Tiên Yên", "Cô Tô", "Móng Cái 1"] {
            assert!(names.contains(&name), "{name}");
        }
        assert!(!names.contains(&"Hoàn Kiếm"));
    }
}
