//! Residents, officers, heads and administrators.

use std::fmt;

use sha2::Digest as _;
use sha2::Sha256;

use super::area::AreaId;
use super::ids::AccountName;
use super::reading::CommandName;

/// A pseudonym: the same for the same account of the same person, and meaningless without the vault.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonKey(pub [u8; 16]);

impl PersonKey {
    /// Derives the pseudonym. `salt` is the store's own secret, made when the store was created.
    #[must_use]
    pub fn of(salt: &[u8; 32], account: &AccountName, native: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(salt);
        hash.update(account.as_str().as_bytes());
        hash.update([0]);
        hash.update(native.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut key = [0; 16];
        key.copy_from_slice(digest.first_chunk::<16>().expect("a SHA-256 has 32 bytes"));
        Self(key)
    }
}

impl fmt::Display for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonKey({self})")
    }
}

/// Who is behind a pseudonym. Lives in the vault, apart from incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Through which account we know them.
    pub account: AccountName,
    /// The platform's id of their account.
    pub native: String,
    /// The name it shows.
    pub name: String,
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Village head: reads the digest of the village.
    Head,
    /// Officer of the commune police: cases, alerts, digests.
    Officer,
    /// Administrator: binds rooms, invites people; everything an officer may do, too.
    Admin,
}

impl Role {
    /// The id used in config and exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Officer => "officer",
            Self::Admin => "admin",
        }
    }

    /// The role with this id.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        match id {
            "head" => Some(Self::Head),
            "officer" => Some(Self::Officer),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    /// Whether a command of the staff is theirs to give.
    #[must_use]
    pub fn may(self, command: CommandName) -> bool {
        match command {
            CommandName::TongHop | CommandName::Hen => true,
            CommandName::GanThon | CommandName::Moi => self == Self::Admin,
            _ => self.is_officer(),
        }
    }

    /// Whether cases and alerts are theirs to move.
    #[must_use]
    pub fn is_officer(self) -> bool {
        matches!(self, Self::Officer | Self::Admin)
    }
}

/// A person with a role, named by the config or by an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staff {
    /// The name other officers know (`Đ/c Hà`).
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Where they may do it.
    pub area: AreaId,
    /// Account name and native user id of each identity they use.
    pub identities: Vec<(AccountName, String)>,
}
