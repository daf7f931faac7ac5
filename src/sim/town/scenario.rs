//! A scenario: what happens in the town at which hour, and what must be true at the end. A TOML file.
//!
//! ```toml
//! title = "Mất xe, hai người kể"
//! about = "Một vụ, hai người báo ở hai nhóm: phải thành một vụ việc."
//! begins = "21:30"
//!
//! [[step]]
//! who = "resident 1"              # of the room: also "officer 1", "head 2", "admin 1", "resident 3 of zalo_oa 2"
//! where = "telegram 1"            # the first group there; "private": with the bot alone
//! says = "#tromcap mất xe Wave ở cổng chợ"
//! is = "report"                   # must be recorded and answered; "chatter": must leave no trace
//!
//! [[step]]
//! at = "21:31"                    # of the town's clock; without, right after the step before
//! where = "telegram 1"
//! hears = "Đã ghi nhận"           # the bot, within the patience of whoever plays
//!
//! [end]
//! incidents = 1
//!
//! [[stands]]                      # how often the bot's words stand in each of these rooms; 0: nowhere
//! where = "telegram 1"
//! has = "Đã ghi nhận"
//! times = 1
//! ```
//!
//! A step does one of: `says` (with `reply_to`, `photo`, `is`), `edits`, `removes`, `presses`, `answers`, `hears` (with
//! `learns`), `silent`, `crowd`, `fault`, `machine`, `migrates`. `as` names a message for later steps; `learns`
//! remembers the check code in what was heard, and `{name}` in a text stands for it, `{name~}` for one with its last
//! letter changed. `key` puts the outcome of a step into the summary.
//!
//! Everything is checked when the file is read: an error names the file, the line and the key.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use super::Trouble;
use super::commune::{Plan, Platform, Role, Size};

/// A scenario that was read and understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: String,
    /// What it is called on the screen.
    pub title: String,
    /// What it shows.
    pub about: String,
    /// The hour at which it begins, in seconds since midnight.
    pub begins: u32,
    /// The commune in which it plays.
    pub size: Size,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What must be true in the end.
    pub end: End,
    /// What must stand in rooms in the end.
    pub stands: Vec<Standing>,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its line in the file.
    pub line: usize,
    /// Seconds after the beginning.
    pub at: u32,
    /// What.
    pub act: Act,
    /// The name under which its outcome stands in a summary.
    pub key: Option<String>,
    /// What stands before it for people.
    pub title: Option<String>,
    /// The number that stands there when it came true, and 0 else; without, what it saw.
    pub gives: Option<u64>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Somebody writes.
    Say {
        /// Who.
        who: Who,
        /// Where.
        place: Place,
        /// What.
        text: String,
        /// The named message they answer.
        reply_to: Option<String>,
        /// With a picture.
        photo: bool,
        /// What must become of it.
        sort: Sort,
        /// Its name for later steps.
        name: Option<String>,
    },
    /// Somebody changes a named message.
    Edit {
        /// Which.
        message: String,
        /// Into what.
        text: String,
    },
    /// Somebody takes a named message back.
    Remove {
        /// Which.
        message: String,
    },
    /// Somebody presses a button under the oldest message that offers it and was not pressed yet.
    Press {
        /// Who.
        who: Who,
        /// Where.
        place: Place,
        /// Words on the button.
        label: String,
    },
    /// Somebody whom the bot has asked where it was tells it, if anybody was asked.
    Answer,
    /// The bot is heard.
    Hear {
        /// In every one of these rooms, exactly once.
        place: Place,
        /// Whose private chat is meant.
        who: Option<Who>,
        /// Words of it.
        words: String,
        /// The name for the check code in it.
        learns: Option<String>,
        /// Its name for later steps.
        name: Option<String>,
    },
    /// The bot has not said this anywhere there so far.
    Silence {
        /// Where.
        place: Place,
        /// Whose private chat is meant.
        who: Option<Who>,
        /// Words that nobody heard.
        words: String,
    },
    /// Many people write.
    Crowd(Crowd),
    /// The weather changes.
    Fault {
        /// Where; everywhere when not given.
        platform: Option<Platform>,
        /// What.
        trouble: Trouble,
        /// Begins or ends.
        on: bool,
    },
    /// The machine on which the bot runs loses its power, or gets it back.
    Machine {
        /// It has power from now on.
        on: bool,
    },
    /// A basic group becomes a supergroup.
    Migrate {
        /// Which.
        place: Place,
    },
}

/// What must become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Nothing is said about it: a command, an answer.
    Free,
    /// It must be recorded, and answered with a code.
    Report,
    /// It must leave no trace.
    Chatter,
}

/// Messages of many people, from a seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crowd {
    /// Where: everywhere, or on one platform.
    pub place: Place,
    /// How many.
    pub messages: usize,
    /// How many of a hundred are for the bot.
    pub tagged: f64,
    /// Over how many seconds of the town's clock.
    pub seconds: u32,
    /// The same seed gives the same messages.
    pub seed: u64,
}

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The n-th resident of the room of the step, or of another one.
    Resident(usize, Option<(Platform, usize)>),
    /// The n-th of those with a duty.
    Staff(Role, usize),
}

/// Which rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Every group, and the Page.
    All,
    /// All of one platform.
    Platform(Platform),
    /// The n-th of a platform.
    Room(Platform, usize),
    /// All of the n-th village.
    Village(usize),
    /// All that are not of the n-th village.
    Outside(usize),
    /// Somebody's chat with the bot.
    Private,
}

/// What must be true at the end. What is not given is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// So many cases are in the store.
    pub incidents: Option<usize>,
    /// So many reports are in them.
    pub reports: Option<usize>,
    /// So many alerts were made, drafts that nobody sent left out.
    pub alerts: Option<usize>,
    /// Exactly what was a report is recorded.
    #[serde(default)]
    pub every_report_kept: bool,
    /// Every report was answered with the code of its case.
    #[serde(default)]
    pub every_report_answered: bool,
    /// No words of chatter are in the files of the store.
    #[serde(default)]
    pub chatter_leaves_no_trace: bool,
    /// So many deliveries ended otherwise than sent.
    pub deliveries_not_sent: Option<usize>,
    /// The store is sound, checked from beginning to end.
    #[serde(default)]
    pub store_is_sound: bool,
}

/// What stands in rooms at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its line in the file.
    pub line: usize,
    /// Where.
    pub place: Place,
    /// Whose private chat is meant.
    pub who: Option<Who>,
    /// These words of the bot.
    pub words: String,
    /// In so many messages of each room.
    pub times: usize,
}

/// A scenario that cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: {what}")]
pub struct ScenarioError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and with which key.
    pub what: String,
}

/// The scenarios that come with the program: name and file.
pub const BUILT_IN: [(&str, &str); 11] = [
    (
        "ordinary-day",
        include_str!("../../../config/town/ordinary-day.toml"),
    ),
    ("theft", include_str!("../../../config/town/theft.toml")),
    ("scam", include_str!("../../../config/town/scam.toml")),
    (
        "withdrawn",
        include_str!("../../../config/town/withdrawn.toml"),
    ),
    ("storm", include_str!("../../../config/town/storm.toml")),
    ("outage", include_str!("../../../config/town/outage.toml")),
    (
        "migration",
        include_str!("../../../config/town/migration.toml"),
    ),
    ("forger", include_str!("../../../config/town/forger.toml")),
    ("drill", include_str!("../../../config/town/drill.toml")),
    ("killed", include_str!("../../../config/town/killed.toml")),
    (
        "bad-weather",
        include_str!("../../../config/town/bad-weather.toml"),
    ),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    title: String,
    about: String,
    begins: Spanned<String>,
    rooms: Option<usize>,
    seed: Option<u64>,
    #[serde(rename = "step")]
    steps: Vec<Spanned<RawStep>>,
    end: End,
    #[serde(default)]
    stands: Vec<RawStanding>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    at: Option<Spanned<String>>,
    who: Option<Spanned<String>>,
    r#where: Option<Spanned<String>>,
    says: Option<Spanned<String>>,
    reply_to: Option<Spanned<String>>,
    #[serde(default)]
    photo: bool,
    is: Option<Spanned<String>>,
    r#as: Option<String>,
    edits: Option<Spanned<String>>,
    removes: Option<Spanned<String>>,
    presses: Option<String>,
    #[serde(default)]
    answers: bool,
    hears: Option<Spanned<String>>,
    learns: Option<String>,
    silent: Option<Spanned<String>>,
    crowd: Option<RawCrowd>,
    fault: Option<RawFault>,
    machine: Option<Spanned<String>>,
    #[serde(default)]
    migrates: bool,
    key: Option<String>,
    title: Option<String>,
    gives: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCrowd {
    messages: usize,
    tagged: f64,
    seconds: u32,
    #[serde(default)]
    seed: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFault {
    platform: Option<Platform>,
    trouble: Trouble,
    on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStanding {
    r#where: Spanned<String>,
    who: Option<Spanned<String>>,
    has: String,
    #[serde(default = "once")]
    times: usize,
}

fn once() -> usize {
    1
}

/// What is wrong, and at which bytes.
type Wrong = (Range<usize>, String);

/// What is known while the steps are read one after another.
struct Reader {
    begins: u32,
    at: u32,
    plan: Plan,
    messages: BTreeSet<String>,
    codes: BTreeSet<String>,
}

impl Scenario {
    /// Reads a scenario; `file` is named in errors.
    ///
    /// # Errors
    /// When it is no TOML, has unknown keys, or names rooms, people, messages or codes that do not exist.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, ScenarioError> {
        let at = |bytes: &Range<usize>| line_of(text, bytes.start);
        let raw: RawScenario = toml::from_str(text).map_err(|error| ScenarioError {
            file: file.to_owned(),
            line: error.span().map_or(1, |span| at(&span)),
            what: error.message().to_owned(),
        })?;
        read(name, text, raw).map_err(|(span, what)| ScenarioError {
            file: file.to_owned(),
            line: at(&span),
            what,
        })
    }

    /// One of those that come with the program.
    ///
    /// # Errors
    /// When there is none of this name; the message lists them.
    pub fn built_in(name: &str) -> Result<Self, ScenarioError> {
        let found = BUILT_IN.iter().find(|(known, _)| *known == name);
        let (known, text) = found.ok_or_else(|| {
            let names: Vec<_> = BUILT_IN.iter().map(|(known, _)| *known).collect();
            ScenarioError {
                file: name.to_owned(),
                line: 0,
                what: format!("there is no such scenario; there are {}", names.join(", ")),
            }
        })?;
        Self::parse(known, &format!("config/town/{known}.toml"), text)
    }

    /// All that come with the program.
    ///
    /// # Errors
    /// When one of them is wrong, which a test rules out.
    pub fn all() -> Result<Vec<Self>, ScenarioError> {
        BUILT_IN
            .iter()
            .map(|(name, _)| Self::built_in(name))
            .collect()
    }
}

fn line_of(text: &str, byte: usize) -> usize {
    let before = text.as_bytes().get(..byte).unwrap_or_default();
    1 + before.iter().filter(|letter| **letter == b'\n').count()
}

fn read(name: &str, text: &str, raw: RawScenario) -> Result<Scenario, Wrong> {
    let size = Size {
        seed: raw.seed.unwrap_or(1),
        rooms: raw.rooms.unwrap_or(Size::default().rooms),
    };
    let begins = hour(&raw.begins)?;
    let mut reader = Reader {
        begins,
        at: begins,
        plan: Plan::new(size),
        messages: BTreeSet::new(),
        codes: BTreeSet::new(),
    };
    let mut steps = Vec::new();
    for step in raw.steps {
        let (span, step) = (step.span(), step.into_inner());
        let (key, title, gives) = (step.key.clone(), step.title.clone(), step.gives);
        let at = reader.time(step.at.as_ref())?;
        steps.push(Step {
            line: line_of(text, span.start),
            at,
            act: reader.act(step, span)?,
            key,
            title,
            gives,
        });
    }
    let mut stands = Vec::new();
    for standing in raw.stands {
        let who = standing.who.as_ref();
        let who = who.map(|who| reader.who(who)).transpose()?;
        let place = reader.place(&standing.r#where)?;
        if place == Place::Private && who.is_none() {
            return Err(wrong(&standing.r#where, "where", "\"private\" needs `who`"));
        }
        stands.push(Standing {
            line: line_of(text, standing.r#where.span().start),
            place,
            who,
            words: standing.has,
            times: standing.times,
        });
    }
    Ok(Scenario {
        name: name.to_owned(),
        title: raw.title,
        about: raw.about,
        begins,
        size,
        steps,
        end: raw.end,
        stands,
    })
}

fn wrong<T>(at: &Spanned<T>, key: &str, what: &str) -> Wrong {
    (at.span(), format!("`{key}`: {what}"))
}

/// `21:30` or `21:30:15`, in seconds.
fn hour(text: &Spanned<String>) -> Result<u32, Wrong> {
    let parts: Option<Vec<u32>> = text
        .as_ref()
        .split(':')
        .map(|part| part.parse().ok())
        .collect();
    match parts.as_deref() {
        Some(&[hour, minute]) if hour < 24 && minute < 60 => Ok(hour * 3_600 + minute * 60),
        Some(&[hour, minute, second]) if hour < 24 && minute < 60 && second < 60 => {
            Ok(hour * 3_600 + minute * 60 + second)
        }
        _ => Err((
            text.span(),
            format!(
                "an hour is written 21:30 or 21:30:15, not `{}`",
                text.as_ref()
            ),
        )),
    }
}

/// A word and a number from 1.
fn numbered(text: &str) -> Option<(&str, usize)> {
    let (word, number) = text.trim().split_once(' ')?;
    let number = number.trim().parse().ok().filter(|number| *number > 0)?;
    Some((word, number))
}

impl Reader {
    fn time(&mut self, at: Option<&Spanned<String>>) -> Result<u32, Wrong> {
        if let Some(at) = at {
            let next = hour(at)?;
            if next < self.at {
                return Err(wrong(at, "at", "steps go forward in time"));
            }
            self.at = next;
        }
        Ok(self.at - self.begins)
    }

    fn has_room(&self, platform: Platform, number: usize) -> bool {
        let of = self.plan.accounts.iter();
        let of = of.filter(|account| account.platform == platform);
        number <= of.map(|account| account.rooms.len()).sum()
    }

    fn room(&self, text: &str) -> Option<(Platform, usize)> {
        let (platform, number) = numbered(text)?;
        let platform = Platform::parse(platform)?;
        self.has_room(platform, number)
            .then_some((platform, number))
    }

    fn place(&self, text: &Spanned<String>) -> Result<Place, Wrong> {
        let word = text.as_ref().trim();
        let village = |place: fn(usize) -> Place, rest: &str| {
            let number = rest.parse().ok().filter(|number| *number > 0);
            let number = number.filter(|number| *number <= self.plan.villages.len());
            number.map(place)
        };
        let found = match word {
            "all" => Some(Place::All),
            "private" => Some(Place::Private),
            _ => Platform::parse(word)
                .map(Place::Platform)
                .or_else(|| self.room(word).map(|(at, number)| Place::Room(at, number)))
                .or_else(|| village(Place::Outside, word.strip_prefix("outside village ")?))
                .or_else(|| village(Place::Village, word.strip_prefix("village ")?)),
        };
        found.ok_or_else(|| {
            let how = "no such place: \"all\", \"private\", a platform (telegram, zalo_bot, zalo_oa, facebook), \
                       one of its rooms (\"telegram 2\"), \"village 1\" or \"outside village 1\"";
            wrong(text, "where", how)
        })
    }

    fn who(&self, text: &Spanned<String>) -> Result<Who, Wrong> {
        let word = text.as_ref().trim();
        let (first, of) = match word.split_once(" of ") {
            Some((first, of)) => (first, Some(of)),
            None => (word, None),
        };
        let staff = |role, number| {
            let of = self.plan.staff.iter().filter(|one| one.role == role);
            (number <= of.count()).then_some(Who::Staff(role, number))
        };
        let found = match (numbered(first), of) {
            (Some(("resident", number @ 1..=3)), None) => Some(Who::Resident(number, None)),
            (Some(("resident", number @ 1..=3)), Some(of)) => {
                self.room(of).map(|room| Who::Resident(number, Some(room)))
            }
            (Some(("officer", number)), None) => staff(Role::Officer, number),
            (Some(("head", number)), None) => staff(Role::Head, number),
            (Some(("admin", number)), None) => staff(Role::Admin, number),
            _ => None,
        };
        found.ok_or_else(|| {
            let how = "nobody of this name: \"resident 1\" to \"resident 3\", \"resident 1 of telegram 2\", \
                       \"officer 1\", \"officer 2\", \"head 1\" to \"head 12\", \"admin 1\"";
            wrong(text, "who", how)
        })
    }

    /// A text in which every `{name}` is known.
    fn text(&self, key: &str, text: &Spanned<String>) -> Result<String, Wrong> {
        let mut rest = text.as_ref().as_str();
        while let Some((_, behind)) = rest.split_once('{') {
            let Some((name, behind)) = behind.split_once('}') else {
                break;
            };
            let name = name.trim_end_matches('~');
            if name != "bot" && !self.codes.contains(name) {
                return Err(wrong(
                    text,
                    key,
                    &format!("`{{{name}}}` was learned by no step before"),
                ));
            }
            rest = behind;
        }
        Ok(text.as_ref().clone())
    }

    fn message(&self, key: &str, name: &Spanned<String>) -> Result<String, Wrong> {
        if self.messages.contains(name.as_ref()) {
            Ok(name.as_ref().clone())
        } else {
            let what = format!("no message before is called `{}`", name.as_ref());
            Err(wrong(name, key, &what))
        }
    }

    fn act(&mut self, step: RawStep, span: Range<usize>) -> Result<Act, Wrong> {
        let acts = [
            step.says.is_some() && step.edits.is_none(),
            step.edits.is_some(),
            step.removes.is_some(),
            step.presses.is_some(),
            step.answers,
            step.hears.is_some(),
            step.silent.is_some(),
            step.crowd.is_some(),
            step.fault.is_some(),
            step.machine.is_some(),
            step.migrates,
        ];
        if acts.iter().filter(|act| **act).count() != 1 {
            let what = "`step`: does exactly one of says, edits, removes, presses, answers, hears, silent, crowd, \
                        fault, machine, migrates";
            return Err((span, what.to_owned()));
        }
        let needs = |key: &str| (span.clone(), format!("`step`: needs `{key}`"));
        let who = step.who.as_ref().map(|who| self.who(who)).transpose()?;
        let place = step
            .r#where
            .as_ref()
            .map(|place| self.place(place))
            .transpose()?;
        if place == Some(Place::Private) && who.is_none() {
            return Err(needs("who"));
        }
        let whose = place.filter(|place| *place == Place::Private).and(who);
        let act = if let Some(message) = &step.edits {
            let text = step.says.as_ref().ok_or_else(|| needs("says"))?;
            Act::Edit {
                message: self.message("edits", message)?,
                text: self.text("says", text)?,
            }
        } else if let Some(text) = &step.says {
            Act::Say {
                who: who.ok_or_else(|| needs("who"))?,
                place: one(place).ok_or_else(|| needs("where"))?,
                text: self.text("says", text)?,
                reply_to: match &step.reply_to {
                    Some(name) => Some(self.message("reply_to", name)?),
                    None => None,
                },
                photo: step.photo,
                sort: match step.is.as_ref().map(|is| (is, is.as_ref().as_str())) {
                    None => Sort::Free,
                    Some((_, "report")) => Sort::Report,
                    Some((_, "chatter")) => Sort::Chatter,
                    Some((is, _)) => {
                        return Err(wrong(is, "is", "\"report\" or \"chatter\""));
                    }
                },
                name: step.r#as.clone(),
            }
        } else if let Some(message) = &step.removes {
            Act::Remove {
                message: self.message("removes", message)?,
            }
        } else if let Some(label) = step.presses {
            Act::Press {
                who: who.ok_or_else(|| needs("who"))?,
                place: one(place).ok_or_else(|| needs("where"))?,
                label,
            }
        } else if let Some(words) = &step.hears {
            Act::Hear {
                place: place.ok_or_else(|| needs("where"))?,
                who: whose,
                words: self.text("hears", words)?,
                learns: step.learns.clone(),
                name: step.r#as.clone(),
            }
        } else if let Some(words) = &step.silent {
            Act::Silence {
                place: place.ok_or_else(|| needs("where"))?,
                who: whose,
                words: self.text("silent", words)?,
            }
        } else if let Some(crowd) = step.crowd {
            Act::Crowd(Crowd {
                place: place.unwrap_or(Place::All),
                messages: crowd.messages,
                tagged: crowd.tagged,
                seconds: crowd.seconds,
                seed: crowd.seed,
            })
        } else if let Some(fault) = step.fault {
            Act::Fault {
                platform: fault.platform,
                trouble: fault.trouble,
                on: fault.on,
            }
        } else if let Some(machine) = &step.machine {
            Act::Machine {
                on: match machine.as_ref().as_str() {
                    "on" => true,
                    "off" => false,
                    _ => return Err(wrong(machine, "machine", "\"on\" or \"off\"")),
                },
            }
        } else if step.migrates {
            Act::Migrate {
                place: one(place).ok_or_else(|| needs("where"))?,
            }
        } else {
            Act::Answer
        };
        self.messages.extend(step.r#as);
        self.codes.extend(step.learns);
        Ok(act)
    }
}

/// A place that is one room.
fn one(place: Option<Place>) -> Option<Place> {
    place.filter(|place| matches!(place, Place::Room(..) | Place::Private))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "title = \"a\"\nabout = \"b\"\nbegins = \"21:30\"\n";

    fn fails(steps: &str) -> String {
        let text = format!("{HEAD}{steps}\n[end]\n");
        Scenario::parse("x", "x.toml", &text)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn those_that_come_with_the_program_can_be_played() {
        for scenario in Scenario::all().unwrap() {
            assert!(!scenario.steps.is_empty(), "{}", scenario.name);
            assert_ne!(
                scenario.end,
                End::default(),
                "{} claims nothing",
                scenario.name
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_key() {
        let table = [
            (
                "[[step]]\nwho = \"resident 9\"\nwhere = \"telegram 1\"\nsays = \"a\"",
                "x.toml:5: `who`: nobody",
            ),
            (
                "[[step]]\nwho = \"resident 1\"\nwhere = \"telegram 99\"\nsays = \"a\"",
                "x.toml:6: `where`: no such place",
            ),
            (
                "[[step]]\nwho = \"resident 1\"\nwhere = \"all\"\nsays = \"a\"",
                "x.toml:4: `step`: needs `where`",
            ),
            (
                "[[step]]\nwhere = \"all\"\n",
                "x.toml:4: `step`: does exactly one of",
            ),
            (
                "[[step]]\nwhere = \"all\"\nhears = \"mã {a}\"",
                "x.toml:6: `hears`: `{a}` was learned by no step",
            ),
            (
                "[[step]]\nremoves = \"tin 1\"",
                "x.toml:5: `removes`: no message before",
            ),
            (
                "[[step]]\nat = \"21:00\"\nanswers = true",
                "x.toml:5: `at`: steps go forward",
            ),
            (
                "[[step]]\nat = \"đêm\"\nanswers = true",
                "x.toml:5: an hour is written",
            ),
            (
                "[[step]]\nanswrs = true",
                "x.toml:5: unknown field `answrs`",
            ),
            (
                "[[step]]\nfault = { platform = \"zalo\", trouble = \"outage\", on = true }",
                "x.toml:5: unknown variant `zalo`",
            ),
        ];
        for (steps, expected) in table {
            let error = fails(steps);
            assert!(error.starts_with(expected), "{error}\nwanted {expected}");
        }
        let unknown = Scenario::parse(
            "x",
            "x.toml",
            &format!("{HEAD}step = []\n[end]\nincident = 1\n"),
        );
        assert!(unknown.unwrap_err().to_string().contains("incident"));
    }
}
