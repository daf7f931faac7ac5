//! What a text says: the plain result of reading one message.
//!
//! These are values only. How they are found is `text`'s business; how they are
//! written as JSON or stored is decided where they leave the program.

use std::fmt;
use std::ops::Range;

use chrono::{DateTime, FixedOffset};

macro_rules! named {
    ($(#[$meta:meta])* $kind:ident { $($(#[$note:meta])* $variant:ident = $id:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $kind { $($(#[$note])* $variant,)+ }

        impl $kind {
            /// Every value, in the order of the definition.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The fixed id, as data files and exports write it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// The value with this id.
            pub fn parse(id: &str) -> Option<Self> {
                match id { $($id => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

named! {
    /// What kind of incident a text tells of; the ids are fixed for ever.
    Category {
        /// Taking by stealth.
        Theft = "theft",
        /// Force, threat or snatching.
        Robbery = "robbery",
        /// Deception for gain.
        FraudScam = "fraud_scam",
        /// Games and bets for money.
        Gambling = "gambling",
        /// Use, sale, growing and traces of drugs.
        Drugs = "drugs",
        /// Fights, threats, drunken disorder, violent debt collection.
        DisorderFight = "disorder_fight",
        /// Quarrels of neighbours or within a family, without beating.
        HouseholdDispute = "household_dispute",
        /// Accidents, racing, obstruction, road hazards.
        Traffic = "traffic",
        /// Fire, explosion, gas leak, short circuit.
        Fire = "fire",
        /// Anyone missing or lost, or a lost child found.
        MissingPerson = "missing_person",
        /// Strangers loitering, following, scouting.
        SuspiciousPerson = "suspicious_person",
        /// Temporary stay and absence, lodging, registration.
        Residence = "residence",
        /// Noise, smoke, smell, dumping, polluted water.
        EnvironmentNoise = "environment_noise",
        /// Bites, stray, dangerous or sick animals.
        Animal = "animal",
        /// Beating, confinement or abuse inside a household.
        DomesticViolence = "domestic_violence",
        /// Firecrackers, guns, explosives, shells, weapons.
        IllegalExplosivesWeapons = "illegal_explosives_weapons",
        /// Selling or brokering sex.
        Prostitution = "prostitution",
        /// Fake or unsafe goods, contraband, fake money.
        CounterfeitSmuggling = "counterfeit_smuggling",
        /// Pavements, illegal building, street vending, adverts.
        UrbanOrder = "urban_order",
        /// Anything else that belongs on an officer's desk.
        Other = "other",
    }
}

named! {
    /// The chat commands, named in ASCII without the slash.
    CommandName {
        /// A report by command.
        Bao = "bao",
        /// Help.
        TroGiup = "trogiup",
        /// Withdraw one's own report.
        Rut = "rut",
        /// What is kept about me.
        CuaToi = "cuatoi",
        /// Erase what is kept about me.
        Xoa = "xoa",
        /// Check an alert's code.
        KiemTra = "kiemtra",
        /// Take a case.
        Nhan = "nhan",
        /// Hand a case to somebody.
        Giao = "giao",
        /// Close a case.
        Xong = "xong",
        /// Reject a case.
        TuChoi = "tuchoi",
        /// Merge two cases.
        Gop = "gop",
        /// Send an alert.
        CanhBao = "canhbao",
        /// Rehearse an alert.
        DienTap = "dientap",
        /// An alert as the loudspeakers say it.
        Loa = "loa",
        /// Correct an alert.
        DinhChinh = "dinhchinh",
        /// Withdraw an alert.
        ThuHoi = "thuhoi",
        /// End an alert.
        HetCanhBao = "hetcanhbao",
        /// Approve an alert.
        Duyet = "duyet",
        /// The digest.
        TongHop = "tonghop",
        /// Choose the hour of the digest.
        Hen = "hen",
        /// Bind a room to a village.
        GanThon = "ganthon",
        /// Invite somebody.
        Moi = "moi",
        /// The rooms the bot serves.
        Nhom = "nhom",
        /// Telegram's `/start PAYLOAD`.
        Start = "start",
    }
}

/// A command and what was written after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Which command.
    pub name: CommandName,
    /// The original text after the command, trimmed.
    pub rest: String,
}

/// A bank account or wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Digits only.
    pub number: String,
    /// The bank's usual short name, when the text names it.
    pub bank: Option<String>,
}

/// When an incident happened, in +07:00.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// One instant.
    At(DateTime<FixedOffset>),
    /// From the first to the second.
    Between(DateTime<FixedOffset>, DateTime<FixedOffset>),
}

impl When {
    /// The first moment.
    pub fn start(&self) -> DateTime<FixedOffset> {
        match self {
            Self::At(at) | Self::Between(at, _) => *at,
        }
    }

    /// The last moment.
    pub fn end(&self) -> DateTime<FixedOffset> {
        match self {
            Self::At(at) | Self::Between(_, at) => *at,
        }
    }
}

/// One incident as a text tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Every kind clearly present, the primary one first.
    pub categories: Vec<Category>,
    /// The kind an officer would file it under.
    pub primary: Category,
    /// Somebody should act now.
    pub urgent: bool,
    /// Where, as an exact part of the text.
    pub place: Option<String>,
    /// When it happened.
    pub time: Option<When>,
    /// Telephone numbers, `+84…`.
    pub phones: Vec<String>,
    /// Number plates, `14B1-23456`.
    pub plates: Vec<String>,
    /// Web addresses as written.
    pub urls: Vec<String>,
    /// Social accounts as written, never the bot's.
    pub handles: Vec<String>,
    /// Bank accounts and wallets.
    pub accounts: Vec<Account>,
}

/// What is to be done with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It tells of an incident.
    Report,
    /// It speaks to the bot and says nothing that can be recorded.
    AskDetail,
    /// It adds to, corrects or withdraws something said earlier.
    Update(UpdateKind),
    /// It is not for the bot.
    Ignore,
    /// It is a command other than a report.
    Command(Command),
}

/// How a message changes an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateKind {
    /// More about the same.
    Detail,
    /// Something said earlier was wrong.
    Correction,
    /// It did not happen, or is over.
    Withdrawal,
}

/// Why a field has its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The bytes of the message whose words say it; none where no words do.
    pub at: Range<usize>,
    /// What they were taken for.
    pub why: Why,
}

impl Evidence {
    /// The words, in the message that was read.
    pub fn text<'a>(&self, message: &'a str) -> &'a str {
        message.get(self.at.clone()).unwrap_or("")
    }
}

/// What words of a message were taken for. Weights of single words are in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A hashtag that names a kind of incident, or any.
    Tag(Option<Category>),
    /// A mention of the bot.
    Mention,
    /// A word such as "báo tin" at the head.
    Keyword,
    /// The command to report.
    Command,
    /// It changes an earlier report.
    Update(UpdateKind),
    /// Nothing has happened.
    NoIncident,
    /// A word that is usual for a kind of incident.
    Word(Category, i32),
    /// A phrase that tells of a kind of incident.
    Cue(Category, u8),
    /// When it happened.
    Time,
    /// Where it happened.
    Place,
    /// Words about the state of things, for a kind of incident, and whether somebody should act now.
    Urgent(bool, Category),
    /// A word that is usual where somebody should act now.
    UrgentWord(i32),
}

impl Why {
    /// The field that it speaks for.
    pub fn field(self) -> &'static str {
        match self {
            Self::Word(..) | Self::Cue(..) => "categories",
            Self::Time => "time",
            Self::Place => "place",
            Self::Urgent(..) | Self::UrgentWord(..) => "urgent",
            _ => "outcome",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(Some(category)) => write!(f, "tag: {}", category.as_str()),
            Self::Tag(None) => f.write_str("tag: any incident"),
            Self::Mention => f.write_str("mention of the bot"),
            Self::Keyword => f.write_str("leading keyword"),
            Self::Command => f.write_str("command"),
            Self::Update(kind) => write!(f, "update: {kind:?}"),
            Self::NoIncident => f.write_str("no incident is told"),
            Self::Word(category, weight) => {
                let (whole, part) = (weight / 100, weight % 100);
                write!(f, "words: {} +{whole}.{part:02}", category.as_str())
            }
            Self::Cue(category, weight) => write!(f, "{} +{weight}", category.as_str()),
            Self::Time => f.write_str("time expression"),
            Self::Place => f.write_str("place phrase"),
            Self::Urgent(urgent, primary) => write!(f, "{urgent} for {}", primary.as_str()),
            Self::UrgentWord(weight) => {
                write!(f, "words: +{}.{:02}", weight / 100, weight % 100)
            }
        }
    }
}

/// Everything a text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What is to be done.
    pub outcome: Outcome,
    /// The incidents told, the main one first.
    pub incidents: Vec<Facts>,
    /// Why.
    pub evidence: Vec<Evidence>,
}

impl Reading {
    /// A message that is not for the bot.
    pub fn ignored() -> Self {
        Self {
            outcome: Outcome::Ignore,
            incidents: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// Nothing in the message speaks to the bot.
    pub fn is_for_others(&self) -> bool {
        self.outcome == Outcome::Ignore && self.evidence.is_empty()
    }
}
