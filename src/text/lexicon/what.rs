//! What a phrase of the lexicon can be.

use serde::{Deserialize, Serialize};

use crate::domain::reading::Category;

/// Words of a grammar, each with the name of its list in a file of `config/lexicon`.
macro_rules! words {
    ($(#[$meta:meta])* $kind:ident: $bits:ident { $($variant:ident = $name:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $kind {
            $(#[doc = concat!("The list `", $name, "`; the file explains its words.")] $variant,)+
        }

        // One bit each, see `bit`.
        const _: () = assert!([$($kind::$variant),+].len() <= $bits::BITS as usize);

        impl $kind {
            /// Its bit in a set of words.
            pub const fn bit(self) -> $bits {
                1 << self as u8
            }

            /// The word class with this name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// A word of the grammar of places; the words are in `config/lexicon/places.toml`.
    PlaceWord: u32 {
        Area = "area", Site = "site", Part = "part", House = "house", Known = "known", Prep = "prep", Link = "link",
        Stop = "stop", Detail = "detail", Numbered = "numbered", Authority = "authority", Away = "away", Title = "title", Home = "home", HardStop = "hard_stop",
        Owner = "owner", At = "place_at",
    }
}

words! {
    /// A word of the grammar of times; the words are in `config/lexicon/times.toml`.
    TimeWord: u64 {
        Today = "today", Yesterday = "yesterday", PastNight = "past_night", TwoDaysAgo = "two_days_ago",
        ThreeDaysAgo = "three_days_ago", Tomorrow = "tomorrow", AfterTomorrow = "after_tomorrow",
        Dawn = "dawn", Early = "early", Morning = "morning", Noon = "noon", Afternoon = "afternoon",
        Evening = "evening", Night = "night", Midnight = "midnight",
        Last = "last", This = "this", Next = "next", Week = "week", Month = "month", Year = "year", Day = "day",
        Hour = "hour", Clock = "clock", Minute = "minute", Half = "half", Less = "less", PastYear = "past_year",
        Weekend = "weekend", StartOfWeek = "start_of_week", JustNow = "just_now", AWhileAgo = "a_while_ago",
        Now = "now", UntilNow = "until_now", Ago = "ago", AgoBefore = "ago_before", Lasting = "lasting", Past = "past",
        Sunday = "sunday", Weekday = "weekday", Monday = "weekday_2", Tuesday = "weekday_3", Wednesday = "weekday_4",
        Thursday = "weekday_5", Friday = "weekday_6", Saturday = "weekday_7", From = "from", To = "to", Filler = "filler",
        HabitBefore = "habit_before", HabitAfter = "habit_after", Vague = "vague", Lunar = "lunar", Tet = "tet",
        NewYearEve = "new_year_eve", FullMoon = "full_moon", FirstDays = "first_days", AHalf = "a_half",
        FirstMonth = "first_month", TwelfthMonth = "twelfth_month", SolarNewYear = "solar_new_year",
        LastNight = "last_night",
    }
}

/// What a phrase tells about the state of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum State {
    /// Going on now.
    Ongoing,
    /// Begs for help.
    Help,
    /// Life or health is at stake.
    Danger,
    /// Over, safe, caught.
    Over,
    /// Happens again and again.
    Habit,
    /// Told of elsewhere: films, newspapers, jokes, general advice.
    Hearsay,
    /// School work, a contest, a film: no incident, whatever its words.
    Exercise,
    /// Laughter.
    Joke,
    /// Passed on from elsewhere.
    Forward,
    /// Says that nothing has happened.
    Nothing,
    /// After a tag, denies it.
    DenyAfter,
    /// The lost has been found.
    Found,
    /// Takes an earlier report back.
    Withdraw,
    /// May take an earlier report back, said to the bot itself.
    WithdrawHint,
    /// Corrects an earlier report.
    Correct,
    /// Adds to an earlier report.
    Detail,
    /// Denies what follows.
    Negate,
    /// Greets, thanks, jokes.
    Greeting,
    /// Starts another incident.
    Another,
    /// A shop's words, a course, an invitation.
    Trade,
    /// A relative, so that violence is domestic.
    Family,
    /// Hitting, whoever is hit.
    Violence,
    /// A road accident, not a jam.
    Accident,
    /// Somebody hurt or in tears.
    Victim,
    /// What nobody can steal, hit or lose: a heart, sleep, a deadline.
    Unreal,
    /// Asks the bot or the group something.
    Question,
    /// Announces that something will be told.
    WantsToTell,
    /// After a denied tag, says what it is: "mà là".
    Instead,
    /// Says that it was nothing more: "thôi".
    Merely,
    /// Something was done about it.
    Resolved,
    /// Speaks of something that everybody has heard of, or of how it ended.
    News,
    /// Thanks.
    Thanks,
    /// Asks for something to be done.
    Request,
    /// A sitting of gamblers.
    Session,
    /// Somebody's health suffers.
    Health,
    /// Tells everybody what to do or to beware of.
    Advice,
    /// Announces a drill, a meeting, a campaign.
    Planned,
    /// A film, a game, a match, a book, a song.
    Story,
    /// Nothing more is asked for.
    Settled,
}

impl State {
    /// The state with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "ongoing" => Self::Ongoing,
            "help" => Self::Help,
            "danger" => Self::Danger,
            "over" => Self::Over,
            "habit" => Self::Habit,
            "hearsay" => Self::Hearsay,
            "exercise" => Self::Exercise,
            "joke" => Self::Joke,
            "forward" => Self::Forward,
            "nothing" => Self::Nothing,
            "deny_after" => Self::DenyAfter,
            "found" => Self::Found,
            "withdraw" => Self::Withdraw,
            "withdraw_hint" => Self::WithdrawHint,
            "correct" => Self::Correct,
            "detail" => Self::Detail,
            "negate" => Self::Negate,
            "greeting" => Self::Greeting,
            "another" => Self::Another,
            "trade" => Self::Trade,
            "accident" => Self::Accident,
            "family" => Self::Family,
            "violence" => Self::Violence,
            "victim" => Self::Victim,
            "unreal" => Self::Unreal,
            "question" => Self::Question,
            "wants_to_tell" => Self::WantsToTell,
            "instead" => Self::Instead,
            "merely" => Self::Merely,
            "resolved" => Self::Resolved,
            "news" => Self::News,
            "thanks" => Self::Thanks,
            "request" => Self::Request,
            "session" => Self::Session,
            "health" => Self::Health,
            "advice" => Self::Advice,
            "planned" => Self::Planned,
            "story" => Self::Story,
            "settled" => Self::Settled,
            _ => return None,
        })
    }
}

/// What a phrase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum What {
    /// Speaks for a category, with a weight.
    Cue(#[serde(with = "by_id")] Category, u8),
    /// Belongs to a class of words that frames speak of.
    Class {
        /// Its number in `Frames`.
        class: u8,
        /// It is one syllable with marks, so without them it may be another word.
        syllable: bool,
    },
    /// Words of certain classes in order speak for a category, with a weight.
    Frame(#[serde(with = "by_id")] Category, u8),
    /// Looks like a cue and is none.
    Mask,
    /// A leading keyword such as `báo tin`.
    Keyword {
        /// It is said of nothing else: `tố giác`.
        earnest: bool,
    },
    /// Looks like a leading keyword and is none.
    LookAlike,
    /// Looks like a leading keyword without marks, and may be one.
    MaybeAlike,
    /// Tells about the state of things.
    State(State),
    /// Part of the grammar of places.
    Place(PlaceWord),
    /// Part of the grammar of times.
    Time(TimeWord),
    /// A bank, by its number in `Lexicon::bank`.
    Bank(u16),
    /// An account number follows.
    AccountWord,
    /// A telephone number follows.
    PhoneWord,
    /// A social account follows.
    HandleWord,
    /// May stand between a word for a social account and the account.
    HandleFiller,
    /// Said for the digit 0.
    Zero,
    /// A number plate follows.
    PlateWord,
    /// What is counted: the number before it is no name.
    Unit,
    /// A number after it counts, `vụ thứ hai`.
    Ordinal,
    /// A number in words.
    Number(u32),
}

/// A phrase found in a text: tokens `from..to`.
#[derive(Debug, Clone, Copy)]
pub struct Hit {
    /// First token.
    pub from: usize,
    /// The token after the last.
    pub to: usize,
    /// What it is.
    pub what: What,
}

/// A category by its id, which stays when the order of categories does not.
pub(crate) mod by_id {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::domain::reading::Category;

    pub(crate) fn serialize<S: Serializer>(category: &Category, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(category.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Category, D::Error> {
        let id = <&str>::deserialize(from)?;
        Category::parse(id).ok_or_else(|| D::Error::custom("no such category"))
    }
}
