//! The plan of a commune: its villages, its groups on the four platforms, and who lives there. Pure and seeded.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::sim::folk::{COMMUNE, Folk, VILLAGES};

/// Groups that one bot serves here. 30 messages a second (Telegram) reach 2,000 groups in about a minute, 50 (an
/// Official Account) in less; a commune with more groups has more bots.
const GROUPS_A_BOT: usize = 2_000;

/// A Zalo Bot of the free tier may be in so many groups.
const ZALO_BOT_GROUPS: usize = 3;

/// Residents in every group, and groups that have residents of their own; later groups share theirs.
const RESIDENTS: usize = 3;
const OWN_RESIDENTS: usize = 100;

/// The fewest and the most rooms of a town.
pub const ROOMS: std::ops::RangeInclusive<usize> = 6..=100_000;

/// A platform of the town.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// Groups on Telegram.
    Telegram,
    /// Groups that a Zalo Bot was let into.
    ZaloBot,
    /// Groups that an Official Account made.
    ZaloOa,
    /// A Page.
    Facebook,
}

impl Platform {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Telegram, Self::ZaloBot, Self::ZaloOa, Self::Facebook];

    /// Its name in files and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Telegram => "telegram",
            Self::ZaloBot => "zalo_bot",
            Self::ZaloOa => "zalo_oa",
            Self::Facebook => "facebook",
        }
    }

    /// Its name as people say it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Telegram => "Telegram",
            Self::ZaloBot => "Zalo Bot",
            Self::ZaloOa => "Zalo OA",
            Self::Facebook => "Facebook",
        }
    }

    /// The platform with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    /// How its bots are called in a config: this and a number.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Telegram => "tg",
            Self::ZaloBot => "zb",
            Self::ZaloOa => "oa",
            Self::Facebook => "fb",
        }
    }
}

/// What somebody is in the commune.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Lives there.
    Resident,
    /// Of the commune's police.
    Officer,
    /// Of a village.
    Head,
    /// Looks after the bot.
    Admin,
}

/// A village.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Village {
    /// What it is called.
    pub name: String,
    /// Its short name in letters without marks, unique in the commune.
    pub slug: String,
}

/// How many rooms, from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// The same seed gives the same commune.
    pub seed: u64,
    /// Groups and the Page; see [`ROOMS`].
    pub rooms: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { seed: 1, rooms: 30 }
    }
}

/// A bot identity of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedAccount {
    pub(super) platform: Platform,
    pub(super) name: String,
    pub(super) rooms: Vec<PlannedRoom>,
    /// Names of residents; the groups' own come group by group.
    pub(super) residents: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedRoom {
    pub(super) title: String,
    pub(super) village: Option<usize>,
    /// Indices of residents.
    pub(super) residents: std::ops::Range<usize>,
}

/// Somebody with a duty: the account by which they talk to the bot is an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedStaff {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) account: usize,
    pub(super) village: Option<usize>,
}

/// The whole plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) villages: Vec<Village>,
    pub(super) accounts: Vec<PlannedAccount>,
    pub(super) staff: Vec<PlannedStaff>,
}

/// The commune's code and name in the official list.
#[must_use]
pub fn commune() -> (&'static str, &'static str) {
    COMMUNE
}

fn slug(name: &str) -> String {
    let plain: String = name
        .to_lowercase()
        .replace('đ', "d")
        .nfd()
        .filter(|letter| letter.is_ascii())
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join("-")
}

/// The name without the kind of place in front.
fn short(village: &str) -> &str {
    ["Tổ dân phố ", "Khu phố ", "Thôn "]
        .iter()
        .find_map(|kind| village.strip_prefix(kind))
        .unwrap_or(village)
}

impl Plan {
    pub(super) fn new(size: Size) -> Self {
        let mut folk = Folk::new(size.seed);
        let villages: Vec<Village> = VILLAGES
            .iter()
            .take(12)
            .map(|name| Village {
                name: (*name).to_owned(),
                slug: slug(name),
            })
            .collect();
        let rooms = size.rooms.clamp(*ROOMS.start(), *ROOMS.end());
        let on_zalo_bot = ZALO_BOT_GROUPS.min((rooms / 10).max(1));
        let groups = rooms - 1 - on_zalo_bot;
        // In a ward as in the README, the Official Account has a group for each village first.
        let on_oa = (groups * 12 / 26).max(1);
        let counts = [
            (Platform::Telegram, groups - on_oa),
            (Platform::ZaloBot, on_zalo_bot),
            (Platform::ZaloOa, on_oa),
            (Platform::Facebook, 1),
        ];
        let mut accounts = Vec::new();
        for (platform, count) in counts {
            let bots = count.div_ceil(GROUPS_A_BOT);
            for bot in 0..bots {
                let from = count * bot / bots;
                let until = count * (bot + 1) / bots;
                accounts.push(account(
                    &mut folk,
                    &villages,
                    platform,
                    bot + 1,
                    from..until,
                ));
            }
        }
        let first = |platform| {
            let at = accounts.iter().position(|one| one.platform == platform);
            at.unwrap_or(0)
        };
        let (telegram, zalo_bot, oa) = (
            first(Platform::Telegram),
            first(Platform::ZaloBot),
            first(Platform::ZaloOa),
        );
        let duty = |name: &str, role, account, village| PlannedStaff {
            name: name.to_owned(),
            role,
            account,
            village,
        };
        let mut staff = vec![
            duty("Phạm Thu Hà", Role::Officer, telegram, None),
            duty("Vũ Hoài Nam", Role::Officer, zalo_bot, None),
            duty("Lê Minh Quân", Role::Admin, telegram, None),
        ];
        for village in 0..villages.len() {
            let name = match village {
                0 => "Trần Văn Bình".to_owned(),
                _ => folk.name(),
            };
            let account = if village % 2 == 0 { telegram } else { oa };
            staff.push(duty(&name, Role::Head, account, Some(village)));
        }
        Self {
            villages,
            accounts,
            staff,
        }
    }
}

fn account(
    folk: &mut Folk,
    villages: &[Village],
    platform: Platform,
    number: usize,
    range: std::ops::Range<usize>,
) -> PlannedAccount {
    let own = range.len().min(OWN_RESIDENTS);
    let rooms = range.clone().enumerate().map(|(index, place)| {
        let first = index % own * RESIDENTS;
        let (village, title) = match platform {
            Platform::Facebook => (None, "Trang Công an xã Tiên Yên".to_owned()),
            _ => {
                let village = place % villages.len();
                let name = villages.get(village).map_or("", |one| one.name.as_str());
                (Some(village), title(platform, name, place / villages.len()))
            }
        };
        PlannedRoom {
            title,
            village,
            residents: first..first + RESIDENTS,
        }
    });
    PlannedAccount {
        platform,
        name: format!("{}{number}", platform.prefix()),
        rooms: rooms.collect(),
        residents: (0..own * RESIDENTS).map(|_| folk.name()).collect(),
    }
}

/// What a village's group is called; `round` counts the groups that the village has on this platform before.
fn title(platform: Platform, village: &str, round: usize) -> String {
    match (platform, round) {
        (Platform::ZaloOa, 0) => village.to_owned(),
        (Platform::ZaloBot, 0) => format!("Xóm {}", short(village)),
        (Platform::Telegram, 0) => format!("{} – bà con mình", short(village)),
        (Platform::Telegram, round) => format!("Tổ {round} {}", short(village)),
        (_, round) => format!("{village}, cụm {}", round + 1),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn thirty_rooms_of_twelve_villages_stand_on_four_platforms() {
        let plan = Plan::new(Size::default());
        let rooms = |platform| {
            let of = plan.accounts.iter().filter(|one| one.platform == platform);
            of.map(|one| one.rooms.len()).sum::<usize>()
        };
        assert_eq!(
            Platform::ALL.map(rooms),
            [14, 3, 12, 1],
            "Telegram, Zalo Bot, Zalo OA, Facebook"
        );
        let slugs: BTreeSet<_> = plan.villages.iter().map(|one| &one.slug).collect();
        assert_eq!(slugs.len(), 12);
        assert_eq!(plan.villages[0].slug, "thon-tan-truc-tung");
        assert_eq!(plan.villages[3].slug, "thon-dong-manh");
    }

    #[test]
    fn the_same_seed_plans_the_same_commune_of_any_size() {
        for rooms in [6, 7, 30, 31, 500, 9_999, 100_000] {
            let size = Size { seed: 5, rooms };
            let plan = Plan::new(size);
            assert_eq!(plan, Plan::new(size));
            let all: usize = plan.accounts.iter().map(|one| one.rooms.len()).sum();
            assert_eq!(all, rooms);
            for account in &plan.accounts {
                assert!((1..=GROUPS_A_BOT).contains(&account.rooms.len()));
                let names: BTreeSet<_> = account.rooms.iter().map(|room| &room.title).collect();
                assert_eq!(names.len(), account.rooms.len(), "{}", account.name);
                assert!(
                    account
                        .rooms
                        .iter()
                        .all(|room| room.residents.end <= account.residents.len())
                );
            }
        }
        assert_ne!(
            Plan::new(Size { seed: 1, rooms: 30 }),
            Plan::new(Size { seed: 2, rooms: 30 })
        );
    }
}
