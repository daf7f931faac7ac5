//! `[[area]]`, `[[officer]]` and `[[room]]`: villages, people and bindings.

use std::collections::HashMap;
use std::collections::HashSet;

use toml::Spanned;

use super::COMMUNES;
use super::ConfigError;
use super::file::Document;
use super::file::RawArea;
use super::file::RawOfficer;
use super::file::RawRoom;
use crate::domain::area::AreaBook;
use crate::domain::area::AreaId;
use crate::domain::ids::AccountName;
use crate::domain::ids::RoomId;
use crate::domain::person::Role;
use crate::domain::person::Staff;

/// The official communes and the villages of the file.
pub(super) fn areas(file: &Document<'_>, villages: &[RawArea]) -> Result<AreaBook, ConfigError> {
    let mut book = AreaBook::default();
    for line in COMMUNES.lines().skip(1) {
        let mut fields = line.split(',');
        if let (Some(code), Some(name)) = (fields.next(), fields.next())
            && let Ok(id) = AreaId::parse(code)
        {
            book.name(id, name);
        }
    }
    for village in villages {
        let id = parse_area(file, "area.id", &village.id)?;
        if !book.knows(&id.commune()) {
            return Err(unknown_commune(file, "area.id", &village.id, &id));
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
