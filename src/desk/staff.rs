//! Who is an officer, a head or an administrator: known by the platform's own ids, never by names.

use std::collections::HashMap;

use thiserror::Error;

use crate::domain::area::AreaId;
use crate::domain::ids::AccountName;
use crate::domain::message::Sender;
use crate::domain::person::Staff;

/// A list of staff that cannot be told apart.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum StaffError {
    /// Alerts and the audit chain name people; two of one name would be one.
    #[error("two people are called `{0}`; the audit could not tell them apart")]
    SameName(String),
    /// One account of a platform is one person.
    #[error("user `{native}` of account `{account}` is named for both `{first}` and `{second}`")]
    SameIdentity {
        /// Our account.
        account: AccountName,
        /// The platform's user id.
        native: String,
        /// Who has it.
        first: String,
        /// Who claims it, too.
        second: String,
    },
}

/// The people with a role, found by account and native user id.
#[derive(Debug, Clone, Default)]
pub struct StaffDirectory {
    people: Vec<Staff>,
    by_identity: HashMap<(AccountName, String), usize>,
}

impl StaffDirectory {
    /// Lists the people.
    ///
    /// # Errors
    /// When two of them have one name or one identity.
    pub fn new(people: Vec<Staff>) -> Result<Self, StaffError> {
        let mut by_identity = HashMap::new();
        let mut names = HashMap::new();
        for (index, person) in people.iter().enumerate() {
            if names
                .insert(super::words::plain(&person.name), index)
                .is_some()
            {
                return Err(StaffError::SameName(person.name.clone()));
            }
            for identity in &person.identities {
                if let Some(earlier) = by_identity.insert(identity.clone(), index)
                    && earlier != index
                {
                    return Err(StaffError::SameIdentity {
                        account: identity.0.clone(),
                        native: identity.1.clone(),
                        first: people
                            .get(earlier)
                            .map_or_else(String::new, |first| first.name.clone()),
                        second: person.name.clone(),
                    });
                }
            }
        }
        Ok(Self {
            people,
            by_identity,
        })
    }

    /// These people and those whom an invitation brought. The config is newer than an invitation: whoever
    /// has the name or the account of somebody in it is left out.
    #[must_use]
    pub(crate) fn with(&self, invited: impl Iterator<Item = Staff>) -> Self {
        let mut all = self.clone();
        for person in invited {
            let is_known = all.has_name(&person.name)
                || person
                    .identities
                    .iter()
                    .any(|identity| all.by_identity.contains_key(identity));
            if !is_known {
                let index = all.people.len();
                all.by_identity
                    .extend(person.identities.iter().map(|known| (known.clone(), index)));
                all.people.push(person);
            }
        }
        all
    }

    /// Whether somebody is called so.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.named(name).is_some()
    }

    /// Whoever is called so.
    pub(crate) fn named(&self, name: &str) -> Option<&Staff> {
        let plain = super::words::plain(name);
        self.people
            .iter()
            .find(|staff| super::words::plain(&staff.name) == plain)
    }

    /// Everybody.
    pub(super) fn people(&self) -> &[Staff] {
        &self.people
    }

    /// The person who wrote, if they have a role. Whoever writes as the group or as a program is nobody.
    #[must_use]
    pub fn who(&self, account: &AccountName, sender: &Sender) -> Option<&Staff> {
        match sender {
            Sender::Person { native, .. } => self.with_id(account, native),
            Sender::Anonymous | Sender::Bot => None,
        }
    }

    /// The person with this user id there, if they have a role.
    pub(crate) fn with_id(&self, account: &AccountName, native: &str) -> Option<&Staff> {
        self.by_identity
            .get(&(account.clone(), native.to_owned()))
            .and_then(|&index| self.people.get(index))
    }

    /// Officers and administrators who work in this area: a whole name, or a part that fits only one.
    pub(crate) fn officers_named(&self, area: &AreaId, name: &str) -> Vec<&Staff> {
        let wanted = super::words::plain(name);
        let officers: Vec<&Staff> = self.officers(area).collect();
        let whole: Vec<&Staff> = officers
            .iter()
            .copied()
            .filter(|staff| super::words::plain(&staff.name) == wanted)
            .collect();
        if !whole.is_empty() || wanted.is_empty() {
            return whole;
        }
        officers
            .into_iter()
            .filter(|staff| {
                let name = super::words::plain(&staff.name);
                format!(" {name} ").contains(&format!(" {wanted} "))
            })
            .collect()
    }

    /// Officers and administrators whose area holds this one.
    pub(crate) fn officers(&self, area: &AreaId) -> impl Iterator<Item = &Staff> {
        self.people
            .iter()
            .filter(move |staff| staff.role.is_officer() && staff.area.contains(area))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::person::Role;

    fn staff(name: &str, native: &str) -> Staff {
        Staff {
            name: name.to_owned(),
            role: Role::Officer,
            area: AreaId::parse("06862").unwrap(),
            identities: vec![(AccountName::parse("tg1").unwrap(), native.to_owned())],
        }
    }

    #[test]
    fn people_are_known_by_ids_only() {
        let directory = StaffDirectory::new(vec![staff("Đ/c Hà", "1001")]).unwrap();
        let account = AccountName::parse("tg1").unwrap();
        let person = |native: &str| Sender::Person {
            native: native.to_owned(),
            name: "Đ/c Hà".to_owned(),
        };
        assert!(directory.who(&account, &person("1001")).is_some());
        assert!(directory.who(&account, &person("1002")).is_none());
        assert!(
            directory
                .who(&AccountName::parse("tg2").unwrap(), &person("1001"))
                .is_none()
        );
        assert!(directory.who(&account, &Sender::Anonymous).is_none());
        assert!(directory.who(&account, &Sender::Bot).is_none());
    }

    #[test]
    fn two_of_one_name_or_one_identity_are_refused() {
        let same_name = StaffDirectory::new(vec![staff("Đ/c Hà", "1"), staff("đ/c hà", "2")]);
        assert_eq!(
            same_name.unwrap_err(),
            StaffError::SameName("đ/c hà".to_owned())
        );
        let same_id = StaffDirectory::new(vec![staff("Đ/c Hà", "1"), staff("Đ/c Nam", "1")]);
        assert!(matches!(same_id, Err(StaffError::SameIdentity { .. })));
    }

    #[test]
    fn a_colleague_is_found_by_part_of_the_name() {
        let directory = StaffDirectory::new(vec![
            staff("Đ/c Hà", "1"),
            staff("Đ/c Nguyễn Nam", "2"),
            staff("Đ/c Trần Nam", "3"),
        ])
        .unwrap();
        let area = AreaId::parse("06862/khu-7").unwrap();
        let found = |name: &str| {
            directory
                .officers_named(&area, name)
                .iter()
                .map(|staff| staff.name.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(found("ha"), ["Đ/c Hà"]);
        assert_eq!(found("Nam"), ["Đ/c Nguyễn Nam", "Đ/c Trần Nam"]);
        assert_eq!(found("trần nam"), ["Đ/c Trần Nam"]);
        assert!(found("").is_empty() && found("h").is_empty());
    }
}
