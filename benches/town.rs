//! The whole program against a make-believe Telegram, each in a process of its own: how fast news is
//! recorded, how soon it is answered, how an alert spreads, and what that takes of processor and memory.
//!
//! `cargo bench --bench town` runs everything in about six minutes; names after `--` pick sections:
//! `queued answered link latency alert faults overtake idle peers`.
//!
//! `KENG_BIN` names another build of the program to measure instead.
//!
//! Targets are those of the design. Where a target is a ratio to another bot library, the figure in
//! brackets is that library's, measured earlier on another day with the same server: context, not a
//! comparison. `benches/peers/run.sh` measures such libraries and the program in turn, in one run.
//! Absolute figures depend on the machine and on what else it does.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

const TOKEN: &str = "7000000001:AAkengkengkengkengkengkengkengkeng0";

/// The officer's user id, and so the id of their private chat.
const OFFICER: i64 = 1001;

/// Words by which the alert is known among all that is sent.
const ALERT: &str = "Cảnh báo đo tốc độ";

/// Nothing here may take longer.
const PATIENCE: Duration = Duration::from_secs(150);

/// Rooms in which residents write.
const ROOMS: usize = 30;

/// One part of the bench.
type Section = fn() -> anyhow::Result<()>;

/// Clock ticks of `/proc/PID/stat` in a second; fixed by the kernel's interface to programs.
const TICKS: f64 = 100.0;

fn main() -> anyhow::Result<()> {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let sections: [(&str, Section); 9] = [
        ("idle", idle),
        ("queued", || queued(10)),
        ("answered", || queued(100)),
        ("link", link),
        ("latency", latency),
        ("alert", alerts),
        ("faults", faults),
        ("overtake", overtake),
        ("peers", peers),
    ];
    if let Some(unknown) = wanted
        .iter()
        .find(|name| sections.iter().all(|(section, _)| section != name))
    {
        bail!("there is no section `{unknown}`");
    }
    for (name, section) in sections {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            println!("{name}");
            section().with_context(|| format!("section `{name}`"))?;
        }
    }
    Ok(())
}

// --- sections ---

/// What it takes to be there.
fn idle() -> anyhow::Result<()> {
    let town = Town::start()?;
    let bot = Bot::start(&town, &[], 30, 20)?;
    line("start until /health answers", ms(bot.started_in), "2 s");
    std::thread::sleep(Duration::from_secs(2));
    let mut times: Vec<f64> = (0..200)
        .map(|_| {
            let asked = Instant::now();
            bot.get("/health").map(|_| asked.elapsed().as_secs_f64())
        })
        .collect::<anyhow::Result<_>>()?;
    line(
        "/health, new connection, p50 / p99",
        format!(
            "{:.2} / {:.2} ms",
            quantile(&mut times, 0.5) * 1e3,
            quantile(&mut times, 0.99) * 1e3
        ),
        "",
    );
    let used = bot.cpu()?;
    std::thread::sleep(Duration::from_secs(3));
    line(
        "memory, idle (VmRSS)",
        format!("{:.1} MiB", bot.mib("VmRSS")?),
        "<= 20 MiB",
    );
    line(
        "CPU, idle",
        format!("{:.1} %", (bot.cpu()? - used) / 3.0 * 100.0),
        "",
    );
    Ok(())
}

/// 50,000 updates wait at the server.
fn queued(tagged_percent: u32) -> anyhow::Result<()> {
    const UPDATES: u64 = 50_000;
    let town = Town::start()?;
    let rooms = town.rooms(ROOMS)?;
    town.post("keep", json!({"everything": false}))?;
    let bot = Bot::start(&town, &rooms, 30, 20)?;
    let before = town.settle()?;
    town.preload(UPDATES, tagged_percent, ROOMS)?;
    let used = bot.cpu()?;
    let took = town.release(before, UPDATES)?;
    let cpu = (bot.cpu()? - used) / (UPDATES as f64 / 1e4);
    let rate = UPDATES as f64 / took.as_secs_f64();
    if tagged_percent < 100 {
        line(
            "50,000 queued, 10 % tagged",
            format!("{rate:.0} updates/s"),
            ">= 92,500 (best peer then: 37,000)",
        );
        line(
            "  CPU per 10,000 until all confirmed",
            format!("{cpu:.3} s"),
            "<= 0.09 s (best peer then: 0.29)",
        );
    } else {
        line(
            "50,000 queued, all tagged, until recorded",
            format!("{rate:.0} updates/s"),
            ">= 24,600 (best peer then: 8,200)",
        );
        line(
            "  CPU per 10,000 until all confirmed",
            format!("{cpu:.3} s"),
            "",
        );
    }
    line(
        "  memory, highest (VmHWM)",
        format!("{:.1} MiB", bot.mib("VmHWM")?),
        "<= 20 MiB",
    );
    let since = Instant::now();
    let answered = loop {
        let counts = bot.counts()?;
        if counts.waiting() == 0 {
            break Some(counts);
        }
        if since.elapsed() > PATIENCE {
            break None;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let cpu = (bot.cpu()? - used) / (UPDATES as f64 / 1e4);
    match answered {
        Some(counts) => line(
            "  answered, at 30/s and 20/min to a room",
            format!(
                "{:.1} s later, {} receipts in {} messages",
                since.elapsed().as_secs_f64(),
                counts.get("outbox_sent"),
                counts.get("outbox_messages")
            ),
            "",
        ),
        None => line(
            "  answered, at 30/s and 20/min to a room",
            "not within 150 s",
            "",
        ),
    }
    line(
        "  CPU per 10,000, answers included",
        format!("{cpu:.3} s"),
        if tagged_percent < 100 {
            ""
        } else {
            "<= 0.4 s (best peer then: 1.25)"
        },
    );
    line(
        "  memory, highest (VmHWM)",
        format!("{:.1} MiB", bot.mib("VmHWM")?),
        "<= 20 MiB",
    );
    let counts = bot.counts()?;
    ensure!(
        counts.get("not_understood") == 0,
        "updates were not understood"
    );
    Ok(())
}

/// How one bot took the updates.
struct Taken {
    /// Updates a second until the last was confirmed.
    recorded: f64,
    /// Updates a second until the last answer was given.
    answered: f64,
    /// Seconds of processor for 10,000 updates, answers included.
    cpu: f64,
}

/// The program and the bots that `KENG_PEERS` names, in turn. Nobody is held by limits here.
fn peers() -> anyhow::Result<()> {
    const ROUNDS: usize = 2;
    let named = std::env::var("KENG_PEERS").unwrap_or_default();
    let peers: Vec<(&str, Vec<&str>)> = named
        .split(';')
        .filter_map(|peer| {
            let (name, command) = peer.split_once(':')?;
            Some((name, command.split_whitespace().collect()))
        })
        .collect();
    if peers.is_empty() {
        line("KENG_PEERS names none: benches/peers/run.sh does", "", "");
        return Ok(());
    }
    for (percent, target) in [(10, ">= 2.5 x"), (100, ">= 3 x")] {
        let mut best: Option<Taken> = None;
        let mut own: Vec<Taken> = Vec::new();
        let show = |name: &str, taken: &Taken| {
            line(
                &format!("{name}, {percent} % tagged: recorded, answered, CPU"),
                format!(
                    "{:.0}/s, {:.0}/s, {:.3} s per 10,000",
                    taken.recorded, taken.answered, taken.cpu
                ),
                "",
            );
        };
        for _ in 0..ROUNDS {
            let taken = take(percent, None)?;
            show("keng", &taken);
            own.push(taken);
            for (name, command) in &peers {
                let taken = take(percent, Some(command))?;
                show(name, &taken);
                if best
                    .as_ref()
                    .is_none_or(|best| taken.answered > best.answered)
                {
                    best = Some(taken);
                }
            }
        }
        let best = best.context("no peer answered")?;
        // Each at its best: whatever else the machine does only ever slows a run.
        let own = own
            .into_iter()
            .max_by(|a, b| a.answered.total_cmp(&b.answered))
            .context("no rounds")?;
        line(
            &format!("keng / best peer, {percent} % tagged: recorded"),
            format!("{:.2} x", own.recorded / best.recorded),
            target,
        );
        line(
            "  answered",
            format!("{:.2} x", own.answered / best.answered),
            "",
        );
        line("  CPU", format!("{:.2} x", own.cpu / best.cpu), "");
    }
    Ok(())
}

/// Lets a bot take queued updates: the program, or a peer by its command.
fn take(tagged_percent: u32, peer: Option<&[&str]>) -> anyhow::Result<Taken> {
    const UPDATES: u64 = 20_000;
    const NO_LIMIT: u32 = 100_000;
    const QUIET: Duration = Duration::from_secs(1);
    let town = Town::start()?;
    let rooms = town.rooms(ROOMS)?;
    town.post("keep", json!({"everything": false}))?;
    let bot = match peer {
        None => Bot::start(&town, &rooms, NO_LIMIT, NO_LIMIT)?,
        Some(command) => Bot::peer(&town, command)?,
    };
    let before = town.settle()?;
    town.preload(UPDATES, tagged_percent, ROOMS)?;
    let used = bot.cpu()?;
    let start = Instant::now();
    let recorded = town.release(before, UPDATES)?;
    // A peer knows fewer ways to tag: it has answered when it says nothing more.
    let mut last = (0, start.elapsed());
    let answered = loop {
        let posted = town.get("stats")?["posted"].as_u64().unwrap_or(0);
        let now = start.elapsed();
        if posted != last.0 {
            last = (posted, now);
        }
        match peer {
            None if bot.counts()?.waiting() == 0 => break start.elapsed(),
            Some(_) if now > last.1 + QUIET => break last.1,
            _ => {}
        }
        ensure!(now < PATIENCE, "not answered in time");
        std::thread::sleep(Duration::from_millis(5));
    };
    Ok(Taken {
        recorded: UPDATES as f64 / recorded.as_secs_f64(),
        answered: UPDATES as f64 / answered.as_secs_f64(),
        cpu: (bot.cpu()? - used) / (UPDATES as f64 / 1e4),
    })
}

/// A server 50 ms away, there and back.
fn link() -> anyhow::Result<()> {
    const UPDATES: u64 = 10_000;
    let town = Town::start()?;
    let rooms = town.rooms(ROOMS)?;
    town.post("keep", json!({"everything": false}))?;
    let bot = Bot::start(&town, &rooms, 30, 20)?;
    let before = town.settle()?;
    town.preload(UPDATES, 10, ROOMS)?;
    town.post("faults", json!({"link_ms": 25}))?;
    let took = town.release(before, UPDATES)?;
    let rate = UPDATES as f64 / took.as_secs_f64();
    line(
        "50 ms link, 10 % tagged",
        format!("{rate:.0} updates/s = {:.1} %", rate / 2_000.0 * 100.0),
        ">= 94 % of 100 a round trip",
    );
    drop(bot);
    Ok(())
}

/// Residents write at an even pace.
fn latency() -> anyhow::Result<()> {
    const MESSAGES: usize = 750;
    const PACE: Duration = Duration::from_millis(20);
    let town = Town::start()?;
    let rooms = town.rooms(ROOMS)?;
    let people: Vec<i64> = (0..50)
        .map(|n| town.person(&format!("Nguyễn Văn {n}"), 5_000 + n))
        .collect::<anyhow::Result<_>>()?;
    // Limits out of the way: what is measured is the program, not the platform's patience.
    let bot = Bot::start(&town, &rooms, 1_000, 1_000)?;
    town.settle()?;
    let first_call = town.get("stats")?["calls"].as_u64().unwrap_or(0);
    let mut connection = Connection::open(town.address)?;
    let clock = town.clock(&mut connection)?;
    let mut said = HashMap::new();
    let start = Instant::now();
    for n in 0..MESSAGES {
        let due = start + PACE * n as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let chat = rooms[n % rooms.len()];
        let body = json!({
            "person": people[n % people.len()], "chat": chat,
            "text": format!("#tromcap mất xe Wave biển 14K1-{:05} ở cổng chợ lúc 3h sáng", n),
        });
        let at = Instant::now();
        let (status, answer) = connection.call("POST", "/sim/say", &body.to_string())?;
        ensure!(status == 200, "the town did not take the message");
        let id = serde_json::from_slice::<Value>(&answer)?["message_id"].clone();
        said.insert(
            (chat, id.as_i64().unwrap_or(0)),
            (at - clock).as_secs_f64() * 1e3,
        );
    }
    std::thread::sleep(Duration::from_secs(2));
    let calls = town.get(&format!("calls?after={first_call}"))?;
    let mut given = HashMap::new();
    let (mut from_said, mut from_given) = (Vec::new(), Vec::new());
    for call in calls.as_array().into_iter().flatten() {
        let arrived = call["arrived_ms"].as_f64().unwrap_or(0.0);
        match call["method"].as_str() {
            Some("getUpdates") => {
                let answered = arrived + call["took_ms"].as_f64().unwrap_or(0.0);
                let updates = call["answer"]["result"].as_array();
                for update in updates.into_iter().flatten() {
                    let message = &update["message"];
                    given.entry(key(message)).or_insert(answered);
                }
            }
            Some("sendMessage") => {
                let asked = &call["parameters"];
                let id = &asked["reply_parameters"]["message_id"];
                let key = (number(&asked["chat_id"]), number(id));
                if let (Some(said), Some(given)) = (said.remove(&key), given.get(&key)) {
                    from_said.push(arrived - said);
                    from_given.push(arrived - given);
                }
            }
            _ => {}
        }
    }
    let count = from_said.len();
    line(
        "receipt at 50 messages/s, p50 / p99",
        format!(
            "{:.2} / {:.2} ms",
            quantile(&mut from_given, 0.5),
            quantile(&mut from_given, 0.99)
        ),
        "<= 0.6 / 4.1 ms (best peer then)",
    );
    line(
        "  from the resident's own request on",
        format!(
            "{:.2} / {:.2} ms",
            quantile(&mut from_said, 0.5),
            quantile(&mut from_said, 0.99)
        ),
        "",
    );
    line(
        "  receipts of their own",
        format!("{count} of {MESSAGES}"),
        "",
    );
    drop(bot);
    Ok(())
}

fn alerts() -> anyhow::Result<()> {
    for (rooms, rate, target) in [(2_000, 1_000, 1.10), (300, 30, 1.02)] {
        let town = Town::start()?;
        let all = town.rooms(rooms)?;
        let bot = Bot::start_calm(&town, &all, rate, 20)?;
        town.settle()?;
        // The server enforces what the account is configured for.
        let limits = json!({"per_second": rate, "group_per_minute": 20});
        town.post("faults", json!({ "limits": limits }))?;
        let told = town.alert(&bot, rooms)?;
        let floor = (rooms as f64 - f64::from(rate)) / f64::from(rate);
        let took = (told.last() - told.first()) / 1e3;
        line(
            &format!("alert to {rooms} rooms at {rate}/s"),
            format!("{took:.3} s = {:.3} x the floor", took / floor),
            &format!("<= {target} x"),
        );
        line(
            "  most sends in any sliding second",
            format!("{}", town.get("stats")?["max_in_any_second"]),
            &format!("<= {rate}"),
        );
        line(
            "  429 answers",
            format!("{}", town.get("stats")?["answered_429"]),
            "0",
        );
        line(
            "  from the officer's press to the first room",
            format!("{:.1} ms", told.first() - told.pressed),
            "",
        );
        line(
            "  rooms told once / missing / repeated",
            told.rooms_line(&all),
            "",
        );
    }
    Ok(())
}

/// One send in a hundred is refused for now, one in a hundred gets no answer.
fn faults() -> anyhow::Result<()> {
    const COUNT: usize = 2_000;
    let town = Town::start()?;
    let all = town.rooms(COUNT)?;
    let bot = Bot::start_calm(&town, &all, 1_000, 20)?;
    town.settle()?;
    town.post(
        "faults",
        json!({"refuse_percent": 1, "unanswered_percent": 1}),
    )?;
    let told = town.alert(&bot, COUNT)?;
    line(
        "alert to 2,000 rooms, 1 % refused, 1 % unanswered",
        format!("{:.3} s", (told.last() - told.first()) / 1e3),
        "",
    );
    line(
        "  rooms told once / missing / repeated",
        told.rooms_line(&all),
        &format!("missing 0, repeated <= {} unanswered", told.unanswered),
    );
    Ok(())
}

/// Nothing the program says today goes into the bulk lane, so receipts are what waits here: 20,000, each
/// for a room of its own, behind a limit of 30 a second.
fn overtake() -> anyhow::Result<()> {
    const WAITING: u64 = 20_000;
    const ALERTED: usize = 30;
    let town = Town::start()?;
    let all = town.rooms(ALERTED)?;
    let bot = Bot::start(&town, &all, 30, 20)?;
    let before = town.settle()?;
    let preview = town.preview()?;
    town.preload(WAITING, 100, WAITING as usize)?;
    town.release(before, WAITING)?;
    let waiting = bot.counts()?.waiting();
    let told = town.press(preview, &bot, ALERTED)?;
    line(
        &format!("alert past {waiting} waiting receipts, first room"),
        ms(Duration::from_secs_f64(
            (told.first() - told.pressed).max(0.0) / 1e3,
        )),
        "<= 1 s",
    );
    line(
        "  the last of 30 rooms, at 30/s",
        ms(Duration::from_secs_f64(
            (told.last() - told.pressed).max(0.0) / 1e3,
        )),
        "",
    );
    line(
        "  (the bulk lane itself has no sender yet: not measured)",
        "",
        "",
    );
    Ok(())
}

// --- the make-believe Telegram ---

struct Town {
    child: Child,
    address: SocketAddr,
}

impl Drop for Town {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// How an alert went, in the town's milliseconds.
struct Told {
    pressed: f64,
    /// Requests that carried the alert, in order of arrival.
    sends: Vec<(i64, f64)>,
    /// How often it stands in each room.
    posted: HashMap<i64, usize>,
    unanswered: usize,
}

impl Told {
    fn first(&self) -> f64 {
        self.sends.first().map_or(0.0, |(_, at)| *at)
    }

    fn last(&self) -> f64 {
        self.sends.last().map_or(0.0, |(_, at)| *at)
    }

    fn rooms_line(&self, rooms: &[i64]) -> String {
        let times = |room| self.posted.get(room).copied().unwrap_or(0);
        let once = rooms.iter().filter(|room| times(room) == 1).count();
        let missing = rooms.iter().filter(|room| times(room) == 0).count();
        let repeated: usize = rooms.iter().map(|room| times(room).saturating_sub(1)).sum();
        format!("{once} / {missing} / {repeated}")
    }
}

impl Town {
    fn start() -> anyhow::Result<Self> {
        let address = free_port()?;
        let child = Command::new(program())
            .args(["town", "--platform", "telegram"])
            .args(["--listen", &address.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting `keng town`")?;
        let town = Self { child, address };
        until(|| Ok(town.get("stats").is_ok().then_some(())))?;
        let officer = json!({"name": "Phạm Thu Hà", "id": OFFICER});
        town.post("person", officer)?;
        Ok(town)
    }

    fn get(&self, what: &str) -> anyhow::Result<Value> {
        answer(self.address, "GET", &format!("/sim/{what}"), "")
    }

    fn post(&self, act: &str, body: Value) -> anyhow::Result<Value> {
        answer(
            self.address,
            "POST",
            &format!("/sim/{act}"),
            &body.to_string(),
        )
    }

    fn person(&self, name: &str, id: i64) -> anyhow::Result<i64> {
        let person = self.post("person", json!({"name": name, "id": id}))?;
        Ok(number(&person["id"]))
    }

    /// Groups with the bot as an administrator.
    fn rooms(&self, count: usize) -> anyhow::Result<Vec<i64>> {
        let made = self.post("chats", json!({"count": count, "bot": "admin"}))?;
        let ids = made["ids"].as_array().context("no ids")?;
        Ok(ids.iter().map(number).collect())
    }

    /// Waits until nothing moves any more; gives the number of updates confirmed by then.
    fn settle(&self) -> anyhow::Result<u64> {
        let mut last = Value::Null;
        let mut still = 0;
        until(|| {
            let stats = self.get("stats")?;
            let now = json!([stats["confirmed"], stats["sends"]]);
            still = if now == last && stats["pending"] == 0 {
                still + 1
            } else {
                0
            };
            last = now;
            Ok((still >= 6).then_some(stats["confirmed"].as_u64().unwrap_or(0)))
        })
    }

    /// Lays updates ready that nobody is given yet.
    fn preload(&self, updates: u64, tagged_percent: u32, chats: usize) -> anyhow::Result<()> {
        self.post("updates", json!({"hold": true}))?;
        let body = json!({"updates": updates, "tagged_percent": tagged_percent, "chats": chats});
        self.post("preload", body)?;
        Ok(())
    }

    /// Lets them go; the time until the last one is confirmed.
    fn release(&self, before: u64, updates: u64) -> anyhow::Result<Duration> {
        let start = Instant::now();
        self.post("updates", json!({"hold": false}))?;
        loop {
            let stats = self.get("stats")?;
            if stats["confirmed"].as_u64().unwrap_or(0) >= before + updates {
                return Ok(start.elapsed());
            }
            ensure!(start.elapsed() < PATIENCE, "not confirmed in time: {stats}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The moment at which the town's own milliseconds began.
    fn clock(&self, connection: &mut Connection) -> anyhow::Result<Instant> {
        let mut best: Option<(Duration, Instant)> = None;
        for _ in 0..50 {
            let asked = Instant::now();
            let (_, body) = connection.call("GET", "/sim/stats", "")?;
            let took = asked.elapsed();
            let now = serde_json::from_slice::<Value>(&body)?["now_ms"]
                .as_f64()
                .context("no clock")?;
            if best.is_none_or(|(shortest, _)| took < shortest) {
                let began = asked + took / 2 - Duration::from_secs_f64(now / 1e3);
                best = Some((took, began));
            }
        }
        Ok(best.context("no clock")?.1)
    }

    /// An officer has written an alert and sees the preview; the message and what its button says.
    fn preview(&self) -> anyhow::Result<(i64, String)> {
        self.post("start", json!({"person": OFFICER}))?;
        let text = format!("/canhbao {ALERT}: có người giả danh điện lực thu tiền tại nhà.");
        let body = json!({"person": OFFICER, "chat": OFFICER, "text": text});
        self.post("say", body)?;
        until(|| {
            let sent = self.get(&format!("sent?chat={OFFICER}"))?;
            let buttons = sent
                .as_array()
                .into_iter()
                .flatten()
                .rev()
                .find_map(|message| {
                    let rows = message["reply_markup"]["inline_keyboard"].as_array()?;
                    let found = rows
                        .iter()
                        .flat_map(|row| row.as_array().into_iter().flatten())
                        .find(|button| {
                            button["text"]
                                .as_str()
                                .is_some_and(|text| text.contains("Gửi"))
                        })?;
                    let data = found["callback_data"].as_str()?.to_owned();
                    Some((number(&message["message_id"]), data))
                });
            Ok(buttons)
        })
        .context("the officer saw no preview")
    }

    fn alert(&self, bot: &Bot, rooms: usize) -> anyhow::Result<Told> {
        let preview = self.preview()?;
        // The preview is a send too: let its second pass.
        std::thread::sleep(Duration::from_millis(1_500));
        self.press(preview, bot, rooms)
    }

    fn press(
        &self,
        (message, data): (i64, String),
        bot: &Bot,
        rooms: usize,
    ) -> anyhow::Result<Told> {
        let stats = self.get("stats")?;
        let first_call = stats["calls"].as_u64().unwrap_or(0).saturating_sub(2);
        let posted = stats["posted"].as_u64().unwrap_or(0);
        let pressed = stats["now_ms"].as_f64().unwrap_or(0.0);
        let body = json!({"person": OFFICER, "chat": OFFICER, "message_id": message, "data": data});
        self.post("press", body)?;
        let since = Instant::now();
        let told = loop {
            std::thread::sleep(Duration::from_millis(200));
            let now = self.get("stats")?["posted"].as_u64().unwrap_or(0);
            if now >= posted + rooms as u64 {
                // Whatever is tried again has its time.
                std::thread::sleep(Duration::from_secs(1));
                let told = self.told(first_call, pressed)?;
                if told.posted.len() >= rooms {
                    break told;
                }
            }
            ensure!(
                since.elapsed() < PATIENCE,
                "the alert did not reach all rooms: {:?}",
                bot.counts()
            );
        };
        Ok(told)
    }

    fn told(&self, first_call: u64, pressed: f64) -> anyhow::Result<Told> {
        let calls = self.get(&format!("calls?after={first_call}"))?;
        let mut told = Told {
            pressed,
            sends: Vec::new(),
            posted: HashMap::new(),
            unanswered: 0,
        };
        for call in calls.as_array().into_iter().flatten() {
            let asked = &call["parameters"];
            let chat = number(&asked["chat_id"]);
            let is_alert = call["method"] == "sendMessage"
                && chat < 0
                && asked["text"]
                    .as_str()
                    .is_some_and(|text| text.contains(ALERT));
            if !is_alert {
                continue;
            }
            let at = call["arrived_ms"].as_f64().unwrap_or(0.0);
            told.sends.push((chat, at));
            let unanswered = call["status"].is_null();
            told.unanswered += usize::from(unanswered);
            if unanswered || call["status"] == 200 {
                *told.posted.entry(chat).or_default() += 1;
            }
        }
        told.sends.sort_by(|a, b| a.1.total_cmp(&b.1));
        Ok(told)
    }
}

// --- the program ---

struct Bot {
    child: Child,
    address: SocketAddr,
    started_in: Duration,
    home: PathBuf,
    _home: tempfile::TempDir,
}

impl Drop for Bot {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The counters of `/metrics`, summed over accounts, by name without prefix and suffix.
#[derive(Debug)]
struct Counts(HashMap<String, u64>);

impl Counts {
    fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Rows of the outbox that are not at their end.
    fn waiting(&self) -> u64 {
        self.get("outbox_waiting")
    }
}

impl Bot {
    fn start(town: &Town, rooms: &[i64], rate: u32, room_rate: u32) -> anyhow::Result<Self> {
        Self::start_with(town, rooms, rate, room_rate)
    }

    /// For many rooms: the greetings of joining them must not take their time from what is measured.
    fn start_calm(town: &Town, rooms: &[i64], rate: u32, room_rate: u32) -> anyhow::Result<Self> {
        let bot = Self::start_with(town, rooms, rate, room_rate)?;
        until(|| Ok((bot.counts()?.get("outbox_sent") >= rooms.len() as u64).then_some(())))?;
        std::thread::sleep(Duration::from_millis(1_200));
        Ok(bot)
    }

    fn start_with(town: &Town, rooms: &[i64], rate: u32, room_rate: u32) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("keng-bench-").tempdir()?;
        let address = free_port()?;
        let mut config = format!(
            "[store]\npath = {:?}\n[web]\nlisten = \"{address}\"\n\
             [[area]]\nid = \"06862/tan-truc-tung\"\nname = \"thôn Tân Trúc Tùng\"\n\
             [[account]]\nname = \"tg1\"\nplatform = \"telegram\"\napi_url = \"http://{}\"\n\
             token = {{ env = \"KENG_BENCH_TOKEN\" }}\nreceive = \"poll\"\n\
             limits = {{ per_second = {rate}, room_per_minute = {room_rate} }}\n\
             [[officer]]\nname = \"Đ/c Hà\"\nrole = \"officer\"\narea = \"06862\"\naccounts = {{ tg1 = \"{OFFICER}\" }}\n",
            home.path().join("data"),
            town.address,
        );
        for room in rooms {
            config.push_str(&format!(
                "[[room]]\naccount = \"tg1\"\nnative = \"{room}\"\narea = \"06862/tan-truc-tung\"\n"
            ));
        }
        let file = home.path().join("ward.toml");
        std::fs::write(&file, config)?;
        let log = std::fs::File::create(home.path().join("log"))?;
        let start = Instant::now();
        let child = Command::new(program())
            .arg("serve")
            .arg("--config")
            .arg(&file)
            .env("KENG_BENCH_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("starting `keng serve`")?;
        let mut bot = Self {
            child,
            address,
            started_in: Duration::ZERO,
            home: home.path().to_owned(),
            _home: home,
        };
        let up = loop {
            if bot.get("/health").is_ok() {
                break true;
            }
            if start.elapsed() > PATIENCE || bot.child.try_wait()?.is_some() {
                break false;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        if !up {
            let log = std::fs::read_to_string(bot.home.join("log"))?;
            bail!("the program does not serve: {log}");
        }
        bot.started_in = start.elapsed();
        Ok(bot)
    }

    /// Another library's bot, by its command; it polls as soon as it is up.
    fn peer(town: &Town, command: &[&str]) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("keng-bench-").tempdir()?;
        let (program, arguments) = command.split_first().context("a peer without a command")?;
        let start = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .env("KENG_PEER_API", format!("http://{}", town.address))
            .env("KENG_PEER_TOKEN", TOKEN)
            .env("KENG_PEER_FILE", home.path().join("journal"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {program}"))?;
        let bot = Self {
            child,
            address: town.address,
            started_in: start.elapsed(),
            home: home.path().to_owned(),
            _home: home,
        };
        until(|| Ok((town.get("stats")?["pending"] == 0).then_some(())))?;
        Ok(bot)
    }

    fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let (status, body) = Connection::open(self.address)?.call("GET", path, "")?;
        ensure!(status == 200, "{path} answered {status}");
        Ok(body)
    }

    fn counts(&self) -> anyhow::Result<Counts> {
        let text = String::from_utf8(self.get("/metrics")?)?;
        let mut counts = HashMap::new();
        for row in text.lines().filter(|row| !row.starts_with('#')) {
            let Some((series, value)) = row.rsplit_once(' ') else {
                continue;
            };
            let name = series.split('{').next().unwrap_or(series);
            let name = name.trim_start_matches("keng_").trim_end_matches("_total");
            let value: f64 = value.parse().unwrap_or(0.0);
            *counts.entry(name.to_owned()).or_default() += value as u64;
        }
        Ok(Counts(counts))
    }

    /// Seconds of processor time so far, all threads.
    fn cpu(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name of the program may hold anything; what follows it may not.
        let (_, rest) = stat.rsplit_once(')').context("no stat")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |index: usize| -> anyhow::Result<f64> {
            Ok(fields.get(index).context("no stat")?.parse()?)
        };
        // utime and stime, fields 14 and 15 of the whole line.
        Ok((ticks(11)? + ticks(12)?) / TICKS)
    }

    /// A size of `/proc/PID/status`, in MiB.
    fn mib(&self, name: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let row = status.lines().find(|row| row.starts_with(name));
        let kib = row.and_then(|row| row.split_whitespace().nth(1));
        Ok(kib.context("no such size")?.parse::<f64>()? / 1024.0)
    }
}

// --- tools ---

/// The program under measurement.
fn program() -> PathBuf {
    std::env::var_os("KENG_BIN").map_or_else(|| env!("CARGO_BIN_EXE_keng").into(), PathBuf::from)
}

/// A kept-alive HTTP connection, as small as it can be.
struct Connection(TcpStream);

impl Connection {
    fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(stream))
    }

    fn call(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.write_all(request.as_bytes())?;
        let mut all = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        let head = loop {
            if let Some(at) = all.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            let read = self.0.read(&mut buffer)?;
            ensure!(read > 0, "the connection ended early");
            all.extend_from_slice(&buffer[..read]);
        };
        let rest = all.split_off(head);
        let head = String::from_utf8(all)?.to_ascii_lowercase();
        let status = head.split(' ').nth(1).context("no status")?.parse()?;
        let length: usize = head
            .lines()
            .find_map(|row| row.strip_prefix("content-length:"))
            .context("no length")?
            .trim()
            .parse()?;
        let mut body = rest;
        while body.len() < length {
            let read = self.0.read(&mut buffer)?;
            ensure!(read > 0, "the connection ended early");
            body.extend_from_slice(&buffer[..read]);
        }
        Ok((status, body))
    }
}

fn answer(address: SocketAddr, method: &str, path: &str, body: &str) -> anyhow::Result<Value> {
    let (status, answer) = Connection::open(address)?.call(method, path, body)?;
    ensure!(
        status == 200,
        "{path} answered {status}: {}",
        String::from_utf8_lossy(&answer)
    );
    Ok(serde_json::from_slice(&answer)?)
}

/// Asks again until there is something.
fn until<T>(mut ask: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let since = Instant::now();
    loop {
        if let Some(found) = ask()? {
            return Ok(found);
        }
        ensure!(since.elapsed() < PATIENCE, "nothing came in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Ends a process that we started.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn number(value: &Value) -> i64 {
    match value {
        Value::String(text) => text.parse().unwrap_or(0),
        other => other.as_i64().unwrap_or(0),
    }
}

fn key(message: &Value) -> (i64, i64) {
    (
        number(&message["chat"]["id"]),
        number(&message["message_id"]),
    )
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let index = (last as f64 * share).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn line(what: &str, figure: impl AsRef<str>, target: &str) {
    let figure = figure.as_ref();
    let target = if target.is_empty() {
        String::new()
    } else {
        format!("   target {target}")
    };
    println!("  {what:<52} {figure:>30}{target}");
}
