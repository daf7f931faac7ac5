//! Plays a scenario: who writes what, what is waited for, and what of it must be in the records.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use serde_json::json;

use super::bot::Bot;
use crate::sim::town::Kind;
use crate::sim::town::Message;
use crate::sim::town::Person;
use crate::sim::town::Platform;
use crate::sim::town::Room;
use crate::sim::town::Shared;
use crate::sim::town::Town;
use crate::sim::town::scenario::Act;
use crate::sim::town::scenario::Crowd;
use crate::sim::town::scenario::Place;
use crate::sim::town::scenario::Scenario;
use crate::sim::town::scenario::Sort;
use crate::sim::town::scenario::Step;
use crate::sim::town::scenario::Who;

/// How long the bot may take for anything; it needs milliseconds, except where a platform's limits make it wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// And so much more for every room that is to hear something: a Telegram bot sends 30 messages a second.
const PATIENCE_A_ROOM: Duration = Duration::from_millis(5);

/// How often many rooms are looked at again while one waits for all of them.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Step after step, as fast as the bot takes them.
    Fast,
    /// When the town's clock says so.
    Clock,
}

/// A report that was told, by what its platform calls everything, and where its author can be answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Told {
    pub(super) account: String,
    pub(super) native: String,
    pub(super) message: String,
    pub(super) room: Shared,
    pub(super) author: Shared,
}

/// What was written, to be held against what was kept.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) reports: Vec<Told>,
    pub(super) chatter: BTreeSet<String>,
    pub(super) messages: usize,
}

/// A play under way.
pub(super) struct Play<'a> {
    pub(super) town: &'a Town,
    pub(super) bot: &'a Bot,
    pub(super) ledger: Ledger,
    /// What steps with a key gave.
    pub(super) outcomes: BTreeMap<String, Value>,
    pace: Pace,
    /// Named messages: who wrote them, where.
    named: HashMap<String, (Shared, Shared, String)>,
    codes: HashMap<String, String>,
    pressed: BTreeSet<(Shared, String, String)>,
    midnight_ms: u64,
}

/// A step that did not come true.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) line: usize,
    pub(super) why: String,
}

impl<'a> Play<'a> {
    pub(super) fn new(town: &'a Town, bot: &'a Bot, pace: Pace) -> Self {
        const DAY_MS: u64 = 86_400_000;
        const VIETNAM_MS: u64 = 7 * 3_600_000;
        let now = town.now_ms() + VIETNAM_MS;
        Self {
            town,
            bot,
            ledger: Ledger::default(),
            outcomes: BTreeMap::new(),
            pace,
            named: HashMap::new(),
            codes: HashMap::new(),
            pressed: BTreeSet::new(),
            midnight_ms: now - now % DAY_MS - VIETNAM_MS,
        }
    }

    /// Plays every step, until one does not come true.
    pub(super) async fn run(&mut self, scenario: &Scenario) -> anyhow::Result<Option<Failed>> {
        let begins = self.midnight_ms + u64::from(scenario.begins) * 1_000;
        self.town.set_ms(begins);
        for step in &scenario.steps {
            self.arrive(begins + u64::from(step.at) * 1_000).await;
            self.bot.check()?;
            let done = self.step(step).await;
            if let Some(key) = &step.key {
                let value = match &done {
                    Ok(value) => step.gives.map_or(value.clone(), Value::from),
                    Err(_) => step.gives.map_or(json!(false), |_| json!(0)),
                };
                self.outcomes.insert(key.clone(), value);
            }
            if let Err(error) = done {
                self.bot.check()?;
                let (line, why) = (step.line, format!("{error:#}"));
                return Ok(Some(Failed { line, why }));
            }
        }
        Ok(None)
    }

    async fn arrive(&self, at_ms: u64) {
        match self.pace {
            Pace::Fast => {
                if at_ms > self.town.now_ms() {
                    self.town.set_ms(at_ms);
                }
            }
            Pace::Clock => self.town.until(at_ms).await,
        }
    }

    /// What people wrote is with the bot before the next of them writes, unless it cannot be.
    async fn settled(&self) -> anyhow::Result<()> {
        if self.bot.is_on() && self.town.troubles().is_empty() {
            // An Official Account tells the bot of its own alert, too, group by group.
            let patience = patience(self.town.rooms_in_all());
            let taken = self.town.wait_taken(patience).await;
            anyhow::ensure!(
                taken,
                "the bot did not take the messages within {patience:?}"
            );
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> anyhow::Result<Value> {
        match &step.act {
            Act::Say {
                who,
                place,
                text,
                reply_to,
                photo,
                sort,
                name,
            } => {
                let (person, room) = self.somebody(*who, *place)?;
                let text = self.filled(text);
                let reply_to = reply_to.as_ref().and_then(|name| self.named.get(name));
                let to = reply_to.map(|(_, _, id)| id.clone());
                let id = self.say(&person, &room, &text, to.as_deref(), *photo, *sort)?;
                if let Some(name) = name {
                    self.named.insert(name.clone(), (person.id, room.id, id));
                }
                self.settled().await?;
            }
            Act::Edit { message, text } => {
                let (person, room, id) = self.named(message)?;
                let text = self.filled(text);
                self.town.edit(&person, &room, &id, &text)?;
                self.settled().await?;
            }
            Act::Remove { message } => {
                let (person, room, id) = self.named(message)?;
                self.town.remove(&person, &room, &id)?;
            }
            Act::Press { who, place, label } => self.press(*who, *place, label).await?,
            Act::Answer => self.answer().await?,
            Act::Hear {
                place,
                who,
                words,
                learns,
                name,
            } => {
                let words = self.filled(words);
                return self
                    .hear(*place, *who, &words, learns.as_deref(), name.as_deref())
                    .await;
            }
            Act::Silence { place, who, words } => {
                let words = self.filled(words);
                let rooms = self.rooms(*place, *who)?;
                let heard = self.standing(&rooms, &words).into_iter();
                if let Some((room, _)) = heard.filter(|(_, times)| *times > 0).min() {
                    anyhow::bail!("{} has heard “{words}” already", self.title(&room));
                }
            }
            Act::Crowd(crowd) => self.crowd(crowd).await?,
            Act::Fault {
                platform,
                trouble,
                on,
            } => {
                for at in Platform::ALL {
                    if platform.is_none_or(|platform| platform == at) {
                        self.town.fault(at, *trouble, *on);
                    }
                }
                if !on {
                    self.town.tell_again();
                }
            }
            Act::Machine { on: true } => {
                self.bot.switch_on().await?;
                self.town.tell_again();
            }
            Act::Machine { on: false } => self.bot.kill().await?,
            Act::Migrate { place } => {
                let rooms = self.rooms(*place, None)?;
                let room = rooms.first().context("there is no such room")?;
                self.town.migrate(&room.id)?;
                self.settled().await?;
            }
        }
        Ok(json!(true))
    }

    /// Somebody writes, and the ledger knows what must become of it.
    fn say(
        &mut self,
        person: &Person,
        room: &Room,
        text: &str,
        reply_to: Option<&str>,
        photo: bool,
        sort: Sort,
    ) -> anyhow::Result<String> {
        let id = match reply_to {
            Some(to) => self.town.reply(&person.id, &room.id, to, text)?,
            None if photo => self.town.photo(&person.id, &room.id, text)?,
            None => self.town.say(&person.id, &room.id, text)?,
        };
        self.ledger.messages += 1;
        match sort {
            Sort::Free => {}
            Sort::Report => self.ledger.reports.push(Told {
                account: room.account.to_string(),
                native: room.native.clone(),
                message: id.clone(),
                room: room.id.clone(),
                author: person.id.clone(),
            }),
            Sort::Chatter => {
                self.ledger.chatter.insert(text.to_owned());
            }
        }
        Ok(id)
    }

    pub(super) async fn crowd(&mut self, crowd: &Crowd) -> anyhow::Result<()> {
        let start = self.town.now_ms();
        for line in self.town.crowd(crowd) {
            self.arrive(start + line.at_ms).await;
            let room = self.town.room(&line.room).context("the room is gone")?;
            let person = self.town.person(&line.person).context("somebody is gone")?;
            self.say(&person, &room, &line.text, None, false, line.sort)?;
        }
        self.settled().await
    }

    async fn press(&mut self, who: Who, place: Place, label: &str) -> anyhow::Result<()> {
        let (person, room) = self.somebody(who, place)?;
        let offered = || {
            let messages = self.town.messages(&room.id).into_iter();
            let mut open = messages.filter(|message| {
                let key = (
                    room.id.clone(),
                    message.message_id.clone(),
                    label.to_owned(),
                );
                message.is_bots() && !message.removed && !self.pressed.contains(&key)
            });
            open.find(|message| message.button(label).is_some())
        };
        let found = self.town.wait(PATIENCE, offered).await;
        let found = found.with_context(|| {
            format!(
                "{} was offered no button “{label}” within {PATIENCE:?}",
                person.name
            )
        })?;
        self.town
            .press(&person.id, &room.id, &found.message_id, label)?;
        self.pressed
            .insert((room.id, found.message_id, label.to_owned()));
        self.settled().await
    }

    /// Somebody who was asked where it happened answers the bot's question.
    async fn answer(&mut self) -> anyhow::Result<()> {
        const QUESTION: &str = "ở đâu ạ?";
        let asked = self.ledger.reports.iter().find_map(|told| {
            let messages = self.town.messages(&told.room).into_iter();
            let mut questions = messages.filter(|said| {
                said.is_bots() && said.reply_to.as_deref() == Some(told.message.as_str())
            });
            let question = questions.find(|said| said.text.contains(QUESTION))?;
            Some((told.clone(), question.message_id))
        });
        let Some((told, question)) = asked else {
            return Ok(());
        };
        let room = self.town.room(&told.room).context("the room is gone")?;
        let person = self.town.person(&told.author).context("somebody is gone")?;
        let bots = |messages: Vec<Message>| {
            let bots = messages.into_iter().filter(Message::is_bots);
            bots.map(|said| said.message_id).collect::<BTreeSet<_>>()
        };
        let before = bots(self.town.messages(&told.room));
        let id = self.say(
            &person,
            &room,
            "ở cổng chợ",
            Some(&question),
            false,
            Sort::Report,
        )?;
        // Under a post, whatever answers somebody in a thread stands under the comment that opened it.
        let thread = [&id, &told.message, &question];
        let answered = |said: &Message| {
            let answers = said
                .reply_to
                .as_ref()
                .is_some_and(|to| thread.contains(&to));
            answers && !before.contains(&said.message_id)
        };
        let added = self.town.hears(&room.id, answered, PATIENCE).await;
        added.context("the answer to the bot's question was not taken")?;
        Ok(())
    }

    /// Waits until the words stand in every room, and sees that they stand there once.
    async fn hear(
        &mut self,
        place: Place,
        who: Option<Who>,
        words: &str,
        learns: Option<&str>,
        name: Option<&str>,
    ) -> anyhow::Result<Value> {
        let rooms = self.rooms(place, who)?;
        let ids: BTreeSet<Shared> = rooms.iter().map(|room| room.id.clone()).collect();
        let patience = patience(rooms.len());
        let end = tokio::time::Instant::now() + patience;
        let heard = loop {
            let heard = self.standing(&rooms, words);
            if heard.len() == ids.len() {
                break heard;
            }
            if tokio::time::Instant::now() >= end {
                let missing = ids.iter().find(|id| !heard.contains_key(*id));
                let missing = missing.map_or_else(String::new, |id| self.title(id));
                anyhow::bail!(
                    "“{words}” was heard in {} of {} rooms within {patience:?}; not in {missing}",
                    heard.len(),
                    ids.len()
                );
            }
            let again = if rooms.len() > 1_000 {
                LOOK_AGAIN * 25
            } else {
                LOOK_AGAIN
            };
            tokio::time::sleep(again).await;
        };
        if rooms.len() > 1
            && let Some((room, times)) = heard.iter().find(|(_, times)| **times > 1)
        {
            anyhow::bail!("{} heard “{words}” {times} times", self.title(room));
        }
        if let Some(room) = rooms.first() {
            let said = self.town.messages(&room.id).into_iter().rev();
            let found = said.into_iter().find(|said| is_said(said, words));
            let found = found.context("it was taken back just now")?;
            if let Some(code) = learns {
                let learned = code_in(&found.text);
                let learned = learned
                    .with_context(|| format!("there is no check code in “{}”", found.text))?;
                self.codes.insert(code.to_owned(), learned);
            }
            if let Some(name) = name {
                let at = (Shared::default(), room.id.clone(), found.message_id);
                self.named.insert(name.to_owned(), at);
            }
        }
        Ok(match place {
            Place::Private | Place::Room(..) => json!(true),
            _ => by_platform(&rooms),
        })
    }

    /// How often the words stand in each of these rooms where they do.
    pub(super) fn standing(&self, rooms: &[Room], words: &str) -> HashMap<Shared, usize> {
        let mut heard = HashMap::new();
        if let [room] = rooms {
            let messages = self.town.messages(&room.id);
            let times = messages.iter().filter(|said| is_said(said, words)).count();
            if times > 0 {
                heard.insert(room.id.clone(), times);
            }
            return heard;
        }
        let wanted: BTreeSet<&str> = rooms.iter().map(|room| &*room.id).collect();
        self.town.each_room(|room, messages| {
            if wanted.contains(&*room.id) {
                let times = messages.filter(|said| is_said(said, words)).count();
                if times > 0 {
                    heard.insert(room.id.clone(), times);
                }
            }
        });
        heard
    }

    pub(super) fn rooms(&self, place: Place, who: Option<Who>) -> anyhow::Result<Vec<Room>> {
        let village = |number: usize| {
            let villages = self.town.villages();
            number
                .checked_sub(1)
                .and_then(|index| villages.get(index))
                .map(|village| village.slug.clone())
        };
        let all = || {
            let rooms = self.town.rooms().into_iter();
            rooms.filter(|room| room.kind != Kind::Private)
        };
        Ok(match place {
            Place::All => all().collect(),
            Place::Platform(at) => all().filter(|room| room.platform == at).collect(),
            Place::Room(at, number) => {
                let room = self.town.nth_room(at, number);
                vec![room.context("there is no such room")?]
            }
            Place::Village(number) => {
                let slug = village(number);
                all().filter(|room| room.village == slug).collect()
            }
            Place::Outside(number) => {
                let slug = village(number);
                all().filter(|room| room.village != slug).collect()
            }
            Place::Private => {
                let who = who.context("nobody is named whose chat is meant")?;
                let person = self.person(who, None)?;
                vec![self.town.private(&person.id)?]
            }
        })
    }

    fn person(&self, who: Who, room: Option<&Room>) -> anyhow::Result<Person> {
        let found = match who {
            Who::Staff(role, number) => self.town.nth_person(role, number),
            Who::Resident(number, Some((platform, at))) => {
                let home = self.town.nth_room(platform, at);
                home.and_then(|home| self.town.resident(&home.id, number))
            }
            Who::Resident(number, None) => {
                let home = room.map(|room| &*room.id);
                home.and_then(|home| self.town.resident(home, number))
            }
        };
        found.context("nobody of this name lives there")
    }

    fn somebody(&self, who: Who, place: Place) -> anyhow::Result<(Person, Room)> {
        let rooms = self.rooms(place, Some(who))?;
        let room = rooms.into_iter().next().context("there is no such room")?;
        let person = self.person(who, Some(&room))?;
        Ok((person, room))
    }

    fn named(&self, name: &str) -> anyhow::Result<(Shared, Shared, String)> {
        let found = self.named.get(name).cloned();
        found.with_context(|| format!("no message is called `{name}`"))
    }

    /// A text with the codes that were learned; `{name~}` is one with its last letter changed.
    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, code) in &self.codes {
            let mut forged: String = code.chars().take(code.chars().count() - 1).collect();
            forged.push(if code.ends_with('Z') { 'Y' } else { 'Z' });
            text = text.replace(&format!("{{{name}}}"), code);
            text = text.replace(&format!("{{{name}~}}"), &forged);
        }
        text
    }

    pub(super) fn title(&self, room: &str) -> String {
        let room = self.town.room(room);
        room.map_or_else(String::new, |room| {
            format!("{} ({})", room.title, room.platform.title())
        })
    }
}

/// How long the bot may take where so many rooms have to do with it.
fn patience(rooms: usize) -> Duration {
    PATIENCE + PATIENCE_A_ROOM * u32::try_from(rooms).unwrap_or(u32::MAX)
}

/// The bot says these words, and has not taken them back. `…` stands for anything between.
pub(super) fn is_said(said: &Message, words: &str) -> bool {
    if !said.is_bots() || said.removed {
        return false;
    }
    let mut rest: &str = &said.text;
    words.split('…').all(|part| match rest.split_once(part) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

/// The check code in a text of the bot: six letters and digits, behind the words that lead to it.
fn code_in(text: &str) -> Option<String> {
    ["/duyet ", "Mã kiểm tra: ", "mã ", "Mã "]
        .iter()
        .flat_map(|lead| text.match_indices(lead).map(move |(at, _)| (at, lead)))
        .find_map(|(at, lead)| {
            let (_, behind) = text.split_at_checked(at + lead.len())?;
            let code: String = behind
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            let is_code = code.len() == 6
                && code
                    .chars()
                    .all(|one| one.is_ascii_uppercase() || one.is_ascii_digit());
            is_code.then_some(code)
        })
}

/// How many rooms there are, platform by platform.
pub(super) fn by_platform(rooms: &[Room]) -> Value {
    let count = |platform| {
        rooms
            .iter()
            .filter(|room| room.platform == platform)
            .count()
    };
    let counts = Platform::ALL.map(|at| (at.as_str().to_owned(), json!(count(at))));
    Value::Object(counts.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_behind_the_words_that_lead_to_them() {
        for (text, code) in [
            ("… trả lời OK hoặc /duyet 7F3A9K.", Some("7F3A9K")),
            ("CHƯA GỬI. Cảnh báo mã 7F3A9K chờ", Some("7F3A9K")),
            ("Mã kiểm tra: 7F3A9K. Muốn biết", Some("7F3A9K")),
            ("Mã vụ việc 1204, mã trường hợp", None),
            ("KHONG1 có mã", None),
        ] {
            assert_eq!(code_in(text).as_deref(), code, "{text}");
        }
    }
}
