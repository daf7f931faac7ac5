//! Tokens and keys: values that must never be seen.

use std::fmt;

/// A token, key or password. It prints as `***`, so that no log line, error or panic can tell it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret as it was read from the environment or a file; the line end of a file is not part of it.
    #[must_use]
    pub fn new(raw: &str) -> Self {
        Self(raw.trim().to_owned())
    }

    /// The secret itself, for the one place that must hand it to the platform.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("123456:ABC\n");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
        assert_eq!(secret.expose(), "123456:ABC");
    }
}
