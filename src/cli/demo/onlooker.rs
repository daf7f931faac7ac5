//! What the bot does, seen from outside, for the panel beside the phones of the town's page.
//!
//! The bot is asked nothing that an operator could not ask: `/metrics`, and the exports that work beside a running
//! server. Which words of a report gave its kind, place and time is found by reading the town's own message with the
//! same reader. Whether a message was kept is never guessed from the reading alone: it stands among the exported
//! records, or it does not. Nobody is asked anything while no page is open.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::DateTime;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cli::keep::Running;
use crate::config::Config;
use crate::domain::area::AreaId;
use crate::domain::clock::{Time, from_unix_ms};
use crate::domain::hand::PREFIX;
use crate::domain::reading::{Category, Outcome, Reading, Why};
use crate::say;
use crate::sim::town::{Event, From, Kind, Message, Platform, Room, Shared, Town, What};
use crate::text::lexicon::Lexicon;
use crate::text::{Addressing, read};

/// How often the bot is asked how it is.
const TICK: Duration = Duration::from_millis(500);

/// Asking must not keep the bot from its work: after an answer that took long, it is left alone this many times as
/// long.
const REST: u32 = 10;

/// Messages of one room whose fate is told: those that the page shows.
const OF_A_ROOM: usize = 50;

/// Rooms of which messages are remembered; the page shows fewer.
const ROOMS: usize = 200;

/// Records told, the latest first.
const RECORDS: usize = 12;

/// Alerts told, the latest first.
const ALERTS: usize = 4;

/// Words told as the reason for one thing.
const WORDS: usize = 4;

/// A message that the bot has taken stands among the records or never will. Whether it has taken a single one cannot be
/// asked where others follow without a pause; but after so long it has.
const SETTLED: Duration = Duration::from_secs(10);

/// How rows are counted that are no sends of the bot.
const BY_HAND: &str = "by hand";

/// How the bot is called where people pick its name from a list, as they see it.
const NAME: &str = "@Bot Kẻng";

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kept", rename_all = "snake_case")]
enum Fate {
    /// It stands in a record.
    Record {
        /// Of this case.
        code: String,
    },
    /// It was a command; what it did is seen in the chats.
    Command,
    /// It spoke to the bot, which answered; it is no report of its own in any record.
    Heard,
    /// It was not for the bot, and nothing was kept of it.
    Nothing,
    /// The platform does not show it to a bot.
    Unseen,
    /// The bot has not had the time, or is away.
    Waiting,
}

/// A message that somebody wrote.
#[derive(Debug)]
struct Said {
    account: Shared,
    native: String,
    id: String,
    text: Shared,
    sent_at: Time,
    private: bool,
    to_bot: bool,
    /// The platform shows it to the bot.
    shown: bool,
    since: Instant,
    fate: Fate,
}

impl Said {
    /// Whether the bot was picked by its name, which is told apart from the words, and the words.
    fn told(&self) -> (bool, String) {
        let (mentioned, words) = match self.text.split_once(NAME) {
            Some((before, after)) => (true, [before, after].concat()),
            None => (false, self.text.to_string()),
        };
        (mentioned, words.trim().to_owned())
    }

    fn read(&self, lexicon: &Lexicon, bot_names: &[String]) -> Reading {
        let (mentioned, words) = self.told();
        let addressing = Addressing {
            private: self.private,
            reply_to_bot: self.to_bot,
            mentioned,
            bot_names,
        };
        read(&words, &addressing, lexicon, self.sent_at)
    }
}

/// What the town said, as long as the page shows it.
#[derive(Debug, Default)]
struct Memory {
    rooms: BTreeMap<Shared, VecDeque<Said>>,
    dropped: usize,
}

impl Memory {
    fn hear(&mut self, room: &Room, message: &Message, to_bot: bool, what: What) {
        if message.is_bots() || (message.text.is_empty() && !message.picture) {
            return;
        }
        if !self.rooms.contains_key(&room.id) && self.rooms.len() >= ROOMS {
            return;
        }
        let all = self.rooms.entry(room.id.clone()).or_default();
        all.retain(|said| said.id != message.message_id);
        if what == What::Removed {
            return;
        }
        if all.len() >= OF_A_ROOM {
            all.pop_front();
        }
        let private = room.kind == Kind::Private;
        let named = message.text.contains(NAME);
        all.push_back(Said {
            account: room.account.clone(),
            native: room.native.clone(),
            id: message.message_id.clone(),
            text: message.text.clone(),
            sent_at: from_unix_ms(i64::try_from(message.at).unwrap_or(i64::MAX)),
            private,
            to_bot,
            shown: private || room.platform != Platform::ZaloBot || named || to_bot,
            since: Instant::now(),
            fate: Fate::Waiting,
        });
    }

    /// Settles the fates that can be told, with the records as they were at an instant when the bot was there; `taken`
    /// are the accounts of which it had taken everything.
    fn judge(&mut self, kept: &Kept, asked_at: Instant, taken: &BTreeSet<Shared>, reader: &Reader) {
        for said in self.rooms.values_mut().flatten() {
            let key = (
                said.account.to_string(),
                said.native.clone(),
                said.id.clone(),
            );
            if let Some(code) = kept.codes.get(&key) {
                said.fate = Fate::Record { code: code.clone() };
                continue;
            }
            if !matches!(said.fate, Fate::Waiting | Fate::Record { .. }) {
                continue;
            }
            if !said.shown {
                said.fate = Fate::Unseen;
                continue;
            }
            let since = asked_at.saturating_duration_since(said.since);
            if since.is_zero() || since < SETTLED && !taken.contains(&said.account) {
                continue;
            }
            said.fate = match said.read(&reader.lexicon, &reader.bot_names).outcome {
                Outcome::Ignore => {
                    self.dropped += 1;
                    Fate::Nothing
                }
                Outcome::Command(_) => Fate::Command,
                Outcome::AskDetail => Fate::Heard,
                // It will be among the records, or it was one too many of a case that many have told.
                Outcome::Report | Outcome::Update(_) if since < SETTLED => Fate::Waiting,
                Outcome::Report | Outcome::Update(_) => Fate::Heard,
            };
        }
    }

    fn is_waiting(&self) -> bool {
        let mut all = self.rooms.values().flatten();
        all.any(|said| said.fate == Fate::Waiting)
    }

    fn find(&self, account: &str, native: &str, id: &str) -> Option<&Said> {
        let mut all = self.rooms.values().flatten();
        all.find(|said| &*said.account == account && said.native == native && said.id == id)
    }

    fn fates(&self) -> Value {
        let rooms = self.rooms.iter().map(|(room, all)| {
            let fates = all.iter().map(|said| (said.id.clone(), json!(said.fate)));
            (room.to_string(), Value::Object(fates.collect()))
        });
        Value::Object(rooms.collect())
    }
}

/// The records, as exported.
#[derive(Debug, Default)]
struct Kept {
    /// Case codes by account, room and message.
    codes: HashMap<(String, String, String), String>,
    incidents: Vec<Value>,
    alerts: Vec<Value>,
    /// Deliveries by alert and version: how many in which state.
    deliveries: BTreeMap<(u64, u64), BTreeMap<String, u64>>,
}

impl Kept {
    async fn ask(running: &Running) -> anyhow::Result<Self> {
        let mut kept = Self::default();
        let mut lines = running.lines("api/export/incidents").await?;
        while let Some(line) = lines.next().await? {
            kept.take_incident(serde_json::from_str(&line)?);
        }
        let mut lines = running.lines("api/export/alerts").await?;
        while let Some(line) = lines.next().await? {
            kept.alerts.push(serde_json::from_str(&line)?);
        }
        if !kept.alerts.is_empty() {
            let mut lines = running.lines("api/export/deliveries").await?;
            while let Some(line) = lines.next().await? {
                kept.take_delivery(&serde_json::from_str(&line)?);
            }
        }
        Ok(kept)
    }

    fn take_incident(&mut self, incident: Value) {
        let code = text(&incident["code"]);
        for report in incident["reports"].as_array().into_iter().flatten() {
            let key = (
                text(&report["account"]),
                text(&report["room"]),
                text(&report["message_id"]),
            );
            self.codes.insert(key, code.clone());
        }
        self.incidents.push(incident);
    }

    fn take_delivery(&mut self, delivery: &Value) {
        if let (Some(alert), Some(version)) =
            (delivery["alert"].as_u64(), delivery["version"].as_u64())
        {
            let states = self.deliveries.entry((alert, version)).or_default();
            // Somebody was asked to post it there by hand; whether they did is theirs to say.
            let state = if text(&delivery["room"]).starts_with(PREFIX) {
                BY_HAND.to_owned()
            } else {
                text(&delivery["state"])
            };
            *states.entry(state).or_default() += 1;
        }
    }

    fn records(&self, memory: &Memory, reader: &Reader) -> Value {
        let latest = self.incidents.iter().rev();
        let latest = latest.filter(|incident| incident["status"] != "merged");
        latest
            .take(RECORDS)
            .map(|incident| record(incident, memory, reader))
            .collect()
    }

    fn alerts(&self) -> Value {
        let latest = self.alerts.iter().rev();
        let latest = latest.filter(|alert| alert["state"] != "dropped");
        latest.take(ALERTS).map(|alert| self.alert(alert)).collect()
    }

    fn alert(&self, alert: &Value) -> Value {
        let key = alert["id"].as_u64().zip(alert["version"].as_u64());
        let states = key.and_then(|key| self.deliveries.get(&key));
        let count = |state: &str| states.and_then(|all| all.get(state)).copied().unwrap_or(0);
        let latest = alert["versions"].as_array().and_then(|all| all.last());
        json!({
            "code": alert["code"],
            "what": what(alert, latest),
            "state": alert["state"],
            "text": alert["text"],
            "sent": count("sent"),
            "waiting": count("waiting") + count("sending"),
            "unknown": count("unknown"),
            "failed": count("failed"),
            "by_hand": count(BY_HAND),
        })
    }

    /// The day in numbers.
    fn day(&self, dropped: usize) -> Value {
        let of = |status: &str| {
            let all = self.incidents.iter();
            all.filter(|incident| incident["status"] == status).count()
        };
        json!({ "counts": [
            ["tin báo đã ghi", self.codes.len()],
            ["tin khác, không lưu", dropped],
            ["vụ việc", self.incidents.len()],
            ["chưa ai nhận", of("new")],
            ["đang giải quyết", of("accepted")],
            ["đã xong", of("done")],
        ] })
    }
}

fn what(alert: &Value, latest: Option<&Value>) -> String {
    let level = match alert["level"].as_str() {
        Some("urgent") => "Cảnh báo khẩn",
        Some("info") => "Thông báo",
        _ => "Cảnh báo",
    };
    let kind = latest.and_then(|version| version["kind"].as_str());
    let kind = match kind {
        Some("correction") => ", bản đính chính",
        Some("all_clear") => ", tin hết cảnh báo",
        Some("withdrawal") => ", đã thu hồi",
        _ => "",
    };
    let drill = if alert["drill"] == true {
        "Diễn tập: "
    } else {
        ""
    };
    format!("{drill}{level}{kind}")
}

/// A record with the words that it was read from.
fn record(incident: &Value, memory: &Memory, reader: &Reader) -> Value {
    let told = text(&incident["text"]);
    let said = memory.find(
        &text(&incident["account"]),
        &text(&incident["room"]),
        &text(&incident["message_id"]),
    );
    let (reading, words) = match said {
        Some(said) => (said.read(&reader.lexicon, &reader.bot_names), said.told().1),
        // It is no longer on any screen; that it was addressed is known, for it was recorded.
        None => {
            let addressing = Addressing {
                private: false,
                reply_to_bot: false,
                mentioned: true,
                bot_names: &reader.bot_names,
            };
            let sent_at = DateTime::parse_from_rfc3339(&text(&incident["sent_at"]));
            let reading = sent_at.map_or_else(
                |_| Reading::ignored(),
                |at| read(&told, &addressing, &reader.lexicon, at),
            );
            (reading, told.clone())
        }
    };
    let facts = &incident["reading"];
    let kind = facts["primary"].as_str().and_then(Category::parse);
    let kind = kind.map_or("việc khác", say::category::category);
    let urgent = facts["urgent"] == true;
    let evidence = [
        ("tag", words_of(&reading, &words, "outcome"), String::new()),
        (
            "kind",
            words_of(&reading, &words, "categories"),
            kind.to_owned(),
        ),
        ("place", words_of(&reading, &words, "place"), String::new()),
        (
            "time",
            words_of(&reading, &words, "time"),
            moment(&facts["time"]),
        ),
        (
            "urgent",
            words_of(&reading, &words, "urgent"),
            String::new(),
        ),
    ];
    let evidence = evidence
        .into_iter()
        .filter(|(field, words, _)| !words.is_empty() && (*field != "urgent" || urgent));
    let evidence: Vec<Value> = evidence
        .map(|(field, words, value)| json!({ "field": field, "words": words, "value": value }))
        .collect();
    let area = AreaId::parse(&text(&incident["area"])).ok();
    json!({
        "code": incident["code"],
        "kind": kind,
        "status": status(&text(&incident["status"])),
        "urgent": facts["urgent"],
        "village": area.map(|area| reader.config.areas.title(&area)),
        "reports": incident["reports"].as_array().map_or(0, Vec::len),
        "text": told,
        "evidence": evidence,
    })
}

/// The words of a message from which something was read. Single words that were weighed are told only where no phrase
/// told the same.
fn words_of(reading: &Reading, message: &str, field: &str) -> Vec<String> {
    let of = |weighed: bool| {
        let all = reading.evidence.iter().filter(move |evidence| {
            let word = matches!(evidence.why, Why::Word(..) | Why::UrgentWord(..));
            evidence.why.field() == field && word == weighed
        });
        let mut words: Vec<String> = Vec::new();
        for evidence in all {
            let text = evidence.text(message);
            if !text.is_empty() && !words.iter().any(|word| word == text) {
                words.push(text.to_owned());
            }
        }
        words.truncate(WORDS);
        words
    };
    let phrases = of(false);
    if phrases.is_empty() {
        of(true)
    } else {
        phrases
    }
}

fn status(id: &str) -> &'static str {
    match id {
        "new" => "chưa ai nhận",
        "accepted" => "đang giải quyết",
        "done" => "đã giải quyết xong",
        "rejected" => "đã khép lại",
        "withdrawn" => "người báo đã rút",
        _ => "",
    }
}

fn moment(time: &Value) -> String {
    let first = time.as_array().and_then(|all| all.first()).unwrap_or(time);
    let at = first
        .as_str()
        .and_then(|at| DateTime::parse_from_rfc3339(at).ok());
    at.map_or_else(String::new, |at| at.format("%H:%M ngày %d/%m").to_string())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// What waits in each lane of the outbox.
fn lanes(metrics: &str) -> Value {
    let of = |lane: &str| {
        let start = format!("keng_outbox_waiting{{lane=\"{lane}\"}} ");
        let mut lines = metrics.lines();
        let waiting = lines.find_map(|line| line.strip_prefix(&start)?.trim().parse::<u64>().ok());
        waiting.unwrap_or(0)
    };
    json!({ "urgent": of("urgent"), "reply": of("reply"), "bulk": of("bulk") })
}

/// How messages are read again.
#[derive(Debug)]
struct Reader {
    config: Config,
    lexicon: Lexicon,
    bot_names: Vec<String>,
}

/// Somebody who looks on.
#[derive(Debug)]
pub(super) struct Onlooker {
    town: Town,
    reader: Reader,
    memory: Memory,
    kept: Kept,
    /// The bot's counters when the records were last asked for.
    metrics: String,
    after: u64,
}

impl Onlooker {
    /// Looks on from the beginning. The config is the one that the bot runs with.
    ///
    /// # Errors
    /// When the lexicon cannot be loaded.
    pub(super) fn new(town: Town, config: Config) -> anyhow::Result<Self> {
        let bot_names = config.bot_names.iter().cloned();
        let bot_names = bot_names
            .chain([NAME.trim_start_matches('@').to_owned()])
            .collect();
        Ok(Self {
            town,
            reader: Reader {
                config,
                lexicon: Lexicon::builtin().context("loading the lexicon")?,
                bot_names,
            },
            memory: Memory::default(),
            kept: Kept::default(),
            metrics: String::new(),
            after: 0,
        })
    }

    /// Looks on for ever, and tells whoever watches.
    pub(super) async fn run(mut self, tell: &watch::Sender<Arc<str>>) {
        let mut pause = TICK;
        loop {
            tokio::time::sleep(pause).await;
            self.listen().await;
            // The page's own end of the channel is always there.
            if tell.receiver_count() <= 1 {
                continue;
            }
            let started = Instant::now();
            let alive = self.look().await.is_ok();
            pause = TICK.max(started.elapsed() * REST);
            let told = self.told(alive);
            tell.send_if_modified(|last| {
                let new = **last != *told;
                if new {
                    *last = told.into();
                }
                new
            });
        }
    }

    /// Takes in what was said meanwhile.
    async fn listen(&mut self) {
        while self.town.seq() > self.after {
            for event in self.town.events(self.after).await {
                self.after = event.seq;
                self.hear(&event);
            }
        }
    }

    fn hear(&mut self, event: &Event) {
        if matches!(event.message.from, From::Bot) {
            return;
        }
        let Some(room) = self.town.room(&event.room) else {
            return;
        };
        let to_bot = event.message.reply_to.as_ref().is_some_and(|to| {
            let all = self.town.messages(&event.room);
            let mut all = all.iter().rev();
            all.any(|one| one.message_id == *to && one.is_bots())
        });
        self.memory.hear(&room, &event.message, to_bot, event.what);
    }

    /// Asks the bot; the records only when a counter has moved or a message waits for its fate.
    async fn look(&mut self) -> anyhow::Result<()> {
        let running = Running::of(&self.reader.config).await?;
        let running = running.context("the bot is not running")?;
        let asked_at = Instant::now();
        let accounts = self.town.accounts().iter();
        let accounts = accounts.filter(|account| account.pending() == 0);
        let taken = accounts.map(|account| account.name.clone()).collect();
        let metrics = running.file("metrics").await?.unwrap_or_default();
        let metrics = String::from_utf8_lossy(&metrics).into_owned();
        if metrics != self.metrics || self.memory.is_waiting() {
            self.kept = Kept::ask(&running).await?;
            self.memory
                .judge(&self.kept, asked_at, &taken, &self.reader);
            self.metrics = metrics;
        }
        Ok(())
    }

    fn told(&self, alive: bool) -> String {
        let told = json!({
            "alive": alive,
            "lanes": if alive { lanes(&self.metrics) } else { Value::Null },
            "alerts": self.kept.alerts(),
            "day": self.kept.day(self.memory.dropped),
            "records": self.kept.records(&self.memory, &self.reader),
            "messages": self.memory.fates(),
        });
        told.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[[area]]\nid = \"06862/tan-truc-tung\"\nname = \"thôn Tân Trúc Tùng\"\n";

    fn reader() -> Reader {
        Reader {
            config: crate::config::parse(CONFIG, "a test", &|_| None).unwrap(),
            lexicon: Lexicon::builtin().unwrap(),
            bot_names: vec!["Bot Kẻng".to_owned()],
        }
    }

    fn room(platform: Platform, kind: Kind) -> Room {
        Room {
            id: "r1".into(),
            platform,
            account: "a1".into(),
            native: "-100".to_owned(),
            title: "Xóm Đình".to_owned(),
            village: None,
            kind,
            members: 3,
        }
    }

    fn message(id: &str, text: &str) -> Message {
        Message {
            message_id: id.to_owned(),
            from: From::Person {
                id: Some("p1".into()),
                name: "Lan".to_owned(),
            },
            text: text.into(),
            buttons: Vec::new(),
            reply_to: None,
            picture: false,
            edited: false,
            removed: false,
            pinned: false,
            at: 1_795_000_000_000,
        }
    }

    fn incident(id: &str, text: &str) -> Value {
        json!({
            "code": "1204", "account": "a1", "room": "-100", "message_id": id, "status": "new", "text": text,
            "area": "06862/tan-truc-tung", "sent_at": "2026-11-28T09:00:00+07:00",
            "reading": { "primary": "theft", "urgent": false, "time": "2026-11-28T03:00:00+07:00" },
            "reports": [{ "account": "a1", "room": "-100", "message_id": id }],
        })
    }

    /// What became of one message, once the bot had taken it.
    fn fate(platform: Platform, kind: Kind, text: &str, kept: &Kept) -> Fate {
        let mut memory = Memory::default();
        memory.hear(
            &room(platform, kind),
            &message("7", text),
            false,
            What::Wrote,
        );
        let taken = BTreeSet::from(["a1".into()]);
        let later = Instant::now() + Duration::from_millis(1);
        memory.judge(kept, later, &taken, &reader());
        memory.rooms["r1"][0].fate.clone()
    }

    #[test]
    fn a_message_is_kept_when_the_records_hold_it_and_only_then() {
        let (telegram, zalo) = (Platform::Telegram, Platform::ZaloBot);
        let tagged = "#tromcap mất xe ở cổng chợ";
        let mut kept = Kept::default();
        // A report that is not there is not said to be there.
        assert_eq!(fate(telegram, Kind::Group, tagged, &kept), Fate::Waiting);
        kept.take_incident(incident("7", tagged));
        let code = "1204".to_owned();
        assert_eq!(
            fate(telegram, Kind::Group, tagged, &kept),
            Fate::Record { code: code.clone() }
        );
        // Even where one would read it otherwise.
        assert_eq!(
            fate(telegram, Kind::Group, "xin chào", &kept),
            Fate::Record { code }
        );
        let nothing = Kept::default();
        assert_eq!(
            fate(telegram, Kind::Group, "xin chào", &nothing),
            Fate::Nothing
        );
        assert_eq!(
            fate(telegram, Kind::Private, "/nhom", &nothing),
            Fate::Command
        );
        assert_eq!(fate(zalo, Kind::Group, tagged, &nothing), Fate::Unseen);
        assert_eq!(
            fate(zalo, Kind::Group, "@Bot Kẻng /trogiup", &nothing),
            Fate::Command
        );
    }

    #[test]
    fn nothing_is_told_of_a_message_that_the_bot_has_not_taken() {
        let mut memory = Memory::default();
        let group = room(Platform::Telegram, Kind::Group);
        memory.hear(&group, &message("7", "xin chào"), false, What::Wrote);
        let later = Instant::now() + Duration::from_millis(1);
        memory.judge(&Kept::default(), later, &BTreeSet::new(), &reader());
        assert!(memory.is_waiting());
        // Taken back before it was ever read.
        memory.hear(&group, &message("7", "xin chào"), false, What::Removed);
        assert!(!memory.is_waiting());
    }

    #[test]
    fn a_record_tells_the_words_it_was_read_from() {
        let text = "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng";
        let told = record(&incident("7", text), &Memory::default(), &reader());
        assert_eq!(told["kind"], "trộm cắp");
        assert_eq!(told["village"], "thôn Tân Trúc Tùng");
        assert_eq!(
            told["evidence"],
            json!([
                { "field": "tag", "words": ["#tromcap"], "value": "" },
                { "field": "kind", "words": ["mất xe Wave"], "value": "trộm cắp" },
                { "field": "place", "words": ["cổng chợ"], "value": "" },
                { "field": "time", "words": ["3h sáng"], "value": "03:00 ngày 28/11" },
            ])
        );
    }

    #[test]
    fn an_alerts_progress_is_counted_from_its_latest_version() {
        let mut kept = Kept::default();
        let version = |kind| json!({ "kind": kind });
        kept.alerts.push(json!({
            "id": 3, "version": 2, "code": "7F3A9K", "state": "live", "level": "urgent", "drill": false, "text": "x",
            "versions": [version("first"), version("correction")],
        }));
        let rows = [
            (1, "sent", "-100"),
            (2, "sent", "-100"),
            (2, "sending", "-101"),
            (2, "waiting", "-102"),
            (2, "failed", "-103"),
            (2, "sent", "hand:cho-que"),
        ];
        for (version, state, room) in rows {
            let row = json!({ "alert": 3, "version": version, "state": state, "room": room });
            kept.take_delivery(&row);
        }
        kept.take_delivery(&json!({ "alert": null, "version": null, "state": "sent" }));
        let told = &kept.alerts()[0];
        assert_eq!(told["what"], "Cảnh báo khẩn, bản đính chính");
        let counts = ["sent", "waiting", "unknown", "failed", "by_hand"];
        let counts = counts.map(|state| told[state].as_u64());
        assert_eq!(counts, [1, 2, 0, 1, 1].map(Some));
    }

    #[test]
    fn the_lanes_stand_in_the_metrics() {
        let metrics =
            "keng_outbox_waiting{lane=\"urgent\"} 30\nkeng_outbox_waiting{lane=\"bulk\"} 2\n";
        assert_eq!(
            lanes(metrics),
            json!({ "urgent": 30, "reply": 0, "bulk": 2 })
        );
    }
}
