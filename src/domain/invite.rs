//! One-time codes by which somebody becomes an officer or a village head.
//!
//! A code is shown once, to whoever invites; kept is only its hash. It is good for one person and for
//! some hours. What it made of that person stays with the invitation, so that ending it ends the role.

use std::fmt;

use sha2::Digest as _;
use sha2::Sha256;

use super::area::AreaId;
use super::clock::Time;
use super::ids::AccountName;
use super::ids::letters_of;
use super::ids::typed_letters;
use super::person::Role;
use super::person::Staff;

/// The code itself, `7F3A-9KQX-…`: sixteen letters out of thirty, which nobody guesses. It prints as
/// `***`; only [`expose`](Self::expose) tells it.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteCode(String);

impl InviteCode {
    const LENGTH: usize = 16;

    /// A fresh code out of random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(letters_of(u128::from_le_bytes(bytes), Self::LENGTH))
    }

    /// Reads a code as people type it: any case, with blanks and hyphens inside.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        typed_letters(raw, &['-', '.', '_'], Self::LENGTH).map(Self)
    }

    /// The code in groups of four, as a link and a person take it.
    #[must_use]
    pub fn expose(&self) -> String {
        let mut shown = String::with_capacity(Self::LENGTH + 3);
        for (index, letter) in self.0.chars().enumerate() {
            if index > 0 && index % 4 == 0 {
                shown.push('-');
            }
            shown.push(letter);
        }
        shown
    }

    /// What is kept of it. `salt` is the store's own secret.
    #[must_use]
    pub fn hash(&self, salt: &[u8; 32]) -> InviteHash {
        let mut hash = Sha256::new();
        hash.update(salt);
        hash.update(b"invite");
        hash.update(self.0.as_bytes());
        InviteHash(hash.finalize().into())
    }
}

impl fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The hash of a code: names the invitation and tells nothing of the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InviteHash(pub [u8; 32]);

/// How far an invitation has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InviteState {
    /// Nobody has used the code.
    Open,
    /// This account of a platform has the role now.
    Used {
        /// Through which of our accounts.
        account: AccountName,
        /// The platform's user id.
        native: String,
        /// When.
        at: Time,
    },
    /// Taken back, used or not.
    Ended {
        /// When.
        at: Time,
    },
}

/// An invitation, and the role of whoever took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// The hash of its code.
    pub hash: InviteHash,
    /// Grows with each change.
    pub revision: u32,
    /// The name by which colleagues will know the person.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Where.
    pub area: AreaId,
    /// Who invited: a name of the staff, or `keng` for the command line.
    pub by: String,
    /// When.
    pub made_at: Time,
    /// The code is void from here on.
    pub expires_at: Time,
    /// What became of it.
    pub state: InviteState,
}

impl Invite {
    /// Whether the code can be used now.
    #[must_use]
    pub fn is_open(&self, now: Time) -> bool {
        self.state == InviteState::Open && now < self.expires_at
    }

    /// The person who used it.
    #[must_use]
    pub fn staff(&self) -> Option<Staff> {
        match &self.state {
            InviteState::Used {
                account, native, ..
            } => Some(Staff {
                name: self.name.clone(),
                role: self.role,
                area: self.area.clone(),
                identities: vec![(account.clone(), native.clone())],
            }),
            InviteState::Open | InviteState::Ended { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it_and_never_printed() {
        let code = InviteCode::from_random([77; 16]);
        let shown = code.expose();
        assert_eq!(shown.len(), 19);
        for typed in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', " "),
            shown.replace('-', ""),
        ] {
            assert_eq!(InviteCode::parse(&typed), Some(code.clone()), "{typed}");
        }
        assert_eq!(InviteCode::parse(&format!("{shown}2")), None);
        assert_eq!(InviteCode::parse("7F3A9K"), None);
        assert_eq!(InviteCode::parse(&"ừ".repeat(16)), None);
        assert_eq!(format!("{code:?}"), "***");
    }

    #[test]
    fn the_same_code_has_another_hash_in_another_store() {
        let code = InviteCode::from_random([1; 16]);
        assert_eq!(code.hash(&[0; 32]), code.hash(&[0; 32]));
        assert_ne!(code.hash(&[0; 32]), code.hash(&[1; 32]));
        assert_ne!(
            code.hash(&[0; 32]),
            InviteCode::from_random([2; 16]).hash(&[0; 32])
        );
    }
}
