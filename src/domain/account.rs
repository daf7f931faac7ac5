//! One bot identity on one platform.

use super::ids::AccountName;

/// Which platform an account lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Platform {
    /// The Telegram Bot API.
    Telegram,
    /// The Zalo Bot Platform.
    ZaloBot,
    /// A Zalo Official Account with GMF groups.
    ZaloOa,
    /// A Facebook Page.
    Facebook,
}

impl Platform {
    /// The id used in config, exports and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Telegram => "telegram",
            Self::ZaloBot => "zalo_bot",
            Self::ZaloOa => "zalo_oa",
            Self::Facebook => "facebook",
        }
    }
}

/// An account as the rest of the program sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Our own name for it.
    pub name: AccountName,
    /// Where it lives.
    pub platform: Platform,
}
