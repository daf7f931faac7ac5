//! Names of things: one newtype for each, so that a room is never mistaken for a message.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// A name or id that cannot be what it claims to be.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("`{value}` is not {wanted}")]
pub struct IdError {
    /// What was given, shortened.
    pub value: String,
    /// What it should have been, as the end of the sentence.
    pub wanted: &'static str,
}

impl IdError {
    pub(crate) fn new(value: &str, wanted: &'static str) -> Self {
        Self {
            value: value.chars().take(64).collect(),
            wanted,
        }
    }
}

/// Our own name for one bot identity on one platform, as in the config (`tg1`).
///
/// One to 32 characters of `a-z 0-9 _ -`: it stands in URLs, metrics and file names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountName(Arc<str>);

impl AccountName {
    /// Checks the name.
    ///
    /// # Errors
    /// When it is empty, longer than 32 characters, or holds anything but `a-z 0-9 _ -`.
    pub fn parse(raw: &str) -> Result<Self, IdError> {
        let fits = (1..=32).contains(&raw.len())
            && raw
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
        if fits {
            Ok(Self(raw.into()))
        } else {
            Err(IdError::new(
                raw,
                "an account name (1 to 32 of a-z, 0-9, _ and -)",
            ))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One conversation reached through one account. The platform's own id is opaque text to us.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId {
    /// Which of our accounts reaches it.
    pub account: AccountName,
    /// The platform's id: a Telegram chat id, a Zalo group id, a Page id, a user id in private chats.
    pub native: Arc<str>,
}

impl RoomId {
    /// Joins the two.
    #[must_use]
    pub fn new(account: AccountName, native: impl Into<Arc<str>>) -> Self {
        Self {
            account,
            native: native.into(),
        }
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.account, self.native)
    }
}

/// The platform's id of one message, unique within its room.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub Arc<str>);

impl MessageId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for MessageId {
    fn from(raw: &str) -> Self {
        Self(raw.into())
    }
}

impl From<i64> for MessageId {
    fn from(raw: i64) -> Self {
        Self(raw.to_string().into())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// An incident. Its decimal form is the case code that people say aloud (`1204`).
    IncidentId
);
number_id!(
    /// An alert, all its versions together.
    AlertId
);
number_id!(
    /// One row of the outbox.
    DeliveryId
);

impl IncidentId {
    /// Reads a case code as people type it: `1204`, `#1204`, `mã 1204`, ` 1204.`.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        let word = raw
            .split_whitespace()
            .find(|word| word.chars().any(|c| c.is_ascii_digit()))?;
        let digits = word.trim_matches(|c: char| !c.is_ascii_digit());
        (digits.len() <= 18)
            .then(|| digits.parse().ok())
            .flatten()
            .filter(|&n| n > 0)
            .map(Self)
    }
}

/// What makes one thing that happened in a room recognisable when the platform tells it again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageKey {
    /// Where.
    pub room: RoomId,
    /// The message, or another id that is unique in the room (`cb:…` for a pressed button, `album:…`).
    pub message: MessageId,
}

/// Digits and capitals without 0/O, 1/I/L and U: nothing that sounds or looks like another.
const LETTERS: &[u8; 30] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code of so many letters out of a random number.
pub(super) fn letters_of(mut number: u128, length: usize) -> String {
    let base = LETTERS.len() as u128;
    let mut code = String::with_capacity(length);
    for _ in 0..length {
        code.push(char::from(LETTERS[(number % base) as usize]));
        number /= base;
    }
    code
}

/// A code of so many letters as people type it: any case, with blanks and some other signs inside.
pub(super) fn typed_letters(raw: &str, passed_over: &[char], length: usize) -> Option<String> {
    let code: String = raw
        .chars()
        .filter(|c| !c.is_whitespace() && !passed_over.contains(c))
        .take(length + 1)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let fits = code.len() == length && code.bytes().all(|byte| LETTERS.contains(&byte));
    fits.then_some(code)
}

/// A short code that people type to confirm a draft or to check that an alert is real (`7F3A9K`).
///
/// Six letters out of thirty give 729 million codes; with the rate limit on asking, they cannot be guessed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CheckCode(String);

impl CheckCode {
    /// Letters of a code.
    pub const LENGTH: usize = 6;

    /// A fresh code out of random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(letters_of(u64::from_le_bytes(bytes).into(), Self::LENGTH))
    }

    /// Reads a code as people type it: any case, with blanks, dots and hyphens inside.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        typed_letters(raw, &['-', '.', '#'], Self::LENGTH).map(Self)
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CheckCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_code_is_read_as_people_type_it() {
        for raw in ["1204", "#1204", "mã 1204", " 1204. xong", "(1204)"] {
            assert_eq!(IncidentId::parse(raw), Some(IncidentId(1204)), "{raw}");
        }
        for raw in ["", "mười hai", "0", "99999999999999999999999"] {
            assert_eq!(IncidentId::parse(raw), None, "{raw}");
        }
    }

    #[test]
    fn a_check_code_survives_lower_case_and_blanks() {
        let code = CheckCode::from_random([7; 8]);
        let typed = code
            .as_str()
            .to_lowercase()
            .chars()
            .map(|c| format!("{c} "))
            .collect::<String>();
        assert_eq!(CheckCode::parse(&typed), Some(code));
        assert_eq!(CheckCode::parse("7F3A"), None);
    }
}
