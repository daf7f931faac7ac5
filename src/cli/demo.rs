//! `keng demo`: a make-believe commune at work, with nothing configured.
//!
//! The town's four platforms are opened on loopback, and this very program serves them as `keng serve` in a process
//! of its own. A scenario is played; what is claimed at its end is counted from what the simulators saw and from what
//! the store holds, never from what the scenario meant to happen. Without `--once` all of it is seen on a page, where
//! visitors write, break things and choose what is played next.

mod bot;
mod check;
mod onlooker;
mod play;
mod stage;
mod transcript;

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::mpsc;
use tracing::warn;

use self::bot::Bot;
use self::check::Findings;
use self::play::Failed;
use self::play::Pace;
use self::play::Play;
use self::stage::Progress;
use self::stage::Stage;
use self::transcript::Transcript;
use crate::sim::page;
use crate::sim::page::Order;
use crate::sim::town::Platform;
use crate::sim::town::Server;
use crate::sim::town::Town;
use crate::sim::town::scenario::Crowd;
use crate::sim::town::scenario::Place;
use crate::sim::town::scenario::Scenario;

/// The scenario that is played when none is named.
const FIRST: &str = "ordinary-day";

/// What goes on in the town after a scenario, until Ctrl-C.
const EVERYDAY: Crowd = Crowd {
    place: Place::All,
    messages: 60,
    tagged: 25.0,
    seconds: 3_600,
    seed: 0,
};

/// Where the page is, when nothing else is said and nobody is there.
const PAGE: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);

/// What a shell tells of a program that was asked to end: 128 and SIGTERM.
const TERMINATED: u8 = 143;

/// From so many rooms on, nobody could read along.
const MANY: usize = 300;

#[derive(Debug)]
pub(super) struct Options {
    pub(super) once: bool,
    pub(super) json: bool,
    pub(super) record: Option<PathBuf>,
    pub(super) scenario: Option<String>,
    pub(super) rooms: Option<usize>,
    pub(super) seed: Option<u64>,
    pub(super) speed: f64,
    pub(super) page: Option<SocketAddr>,
}

impl Options {
    /// A scenario in the commune that was asked for.
    fn sized(&self, mut scenario: Scenario) -> Scenario {
        scenario.size.rooms = self.rooms.unwrap_or(scenario.size.rooms);
        scenario.size.seed = self.seed.unwrap_or(scenario.size.seed);
        scenario
    }
}

/// Lists what can be played.
pub(super) fn list() -> anyhow::Result<ExitCode> {
    for scenario in Scenario::all()? {
        outln!("{:14} {}", scenario.name, scenario.title);
        outln!("{:14} {}", "", scenario.about);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let scenario = match &options.scenario {
        None => Scenario::built_in(FIRST)?,
        Some(name) if Path::new(name).is_file() => {
            let text = std::fs::read_to_string(name).with_context(|| format!("reading {name}"))?;
            Scenario::parse(name, name, &text)?
        }
        Some(name) => Scenario::built_in(name)?,
    };
    let scenario = options.sized(scenario);
    let program = std::env::current_exe().context("finding this program")?;
    super::serve::runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let playing = async {
            if options.once {
                once(&program, &scenario, &options).await
            } else {
                live(&program, scenario, &options).await
            }
        };
        tokio::select! {
            ended = playing => ended,
            // What was playing is dropped, and with it the bot: it must not outlive its town.
            _ = terminate.recv() => Ok(ExitCode::from(TERMINATED)),
        }
    })
}

/// One scenario, as fast as it goes.
async fn once(program: &Path, scenario: &Scenario, options: &Options) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let town = Town::start(scenario.size, None)
        .await
        .context("opening the town's platforms")?;
    town.set_speed(0.0);
    let transcript = introduce(&town, scenario, options);
    let bot = Bot::start(program, &town).await?;
    let mut play = Play::new(&town, &bot, Pace::Fast);
    let failed = tokio::select! {
        ended = play.run(scenario) => ended?,
        _ = tokio::signal::ctrl_c() => None,
    };
    let found = end(&mut play, scenario, failed).await?;
    if let Some(path) = &options.record {
        record(&town, path)?;
    }
    if let Some(transcript) = transcript {
        transcript.end().await;
    }
    let summary = summary(scenario, &mut play, &found, started);
    if options.json {
        outln!("{summary}");
        // For whoever reads the log of a machine.
        for failure in &found.failures {
            eprintln!("{}: {failure}", scenario.name);
        }
    } else {
        tell(scenario, &summary, &found);
    }
    Ok(if found.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// One scenario after another, on the page, until Ctrl-C. Each has a town and a bot of its own.
async fn live(program: &Path, first: Scenario, options: &Options) -> anyhow::Result<ExitCode> {
    let mut listener = match options.page {
        Some(address) => bind(address).await?,
        None => match bind(PAGE.into()).await {
            Ok(listener) => listener,
            // Somebody else is there, perhaps another demo.
            Err(_) => bind((PAGE.0, 0).into()).await?,
        },
    };
    let address = listener.local_addr()?;
    let (mut scenario, mut speed) = (first, options.speed);
    while let Some(next) = show(program, &scenario, options, listener, &mut speed).await? {
        scenario = options.sized(Scenario::built_in(&next)?);
        listener = bind(address).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    page::bind(address)
        .await
        .with_context(|| format!("opening the page at {address} (--page takes another address)"))
}

/// Shows one town until Ctrl-C, or until a visitor wants to see another play; gives its name.
async fn show(
    program: &Path,
    scenario: &Scenario,
    options: &Options,
    listener: TcpListener,
    speed: &mut f64,
) -> anyhow::Result<Option<String>> {
    let started = Instant::now();
    let address = listener.local_addr()?;
    let town = Town::start(scenario.size, None)
        .await
        .context("opening the town's platforms")?;
    town.set_speed(*speed);
    let transcript = introduce(&town, scenario, options);
    let bot = Bot::start(program, &town).await?;
    let (stage, mut orders) = Stage::open(listener, &town, &bot)?;
    outln!(
        "\n  Xem tận mắt và tự nhắn thử · Watch it and write in it:  http://{address}/town\n  Ctrl-C để dừng · to end\n"
    );
    let mut play = Play::new(&town, &bot, Pace::Clock);
    let next = tokio::select! {
        never = perform(&mut play, scenario, &stage) => match never? {},
        next = carry_out(&mut orders, &bot) => Some(next?),
        _ = tokio::signal::ctrl_c() => None,
    };
    stage.close().await;
    // The next town goes on as this one went, unless it stood still.
    *speed = Some(town.snapshot(0).speed)
        .filter(|speed| *speed > 0.0)
        .unwrap_or(options.speed);
    let mut found = Findings::default();
    if next.is_none() {
        found = end(&mut play, scenario, None).await?;
        // Somebody ended it in the middle: only what always holds can be asked.
        found.failures.clear();
    }
    if let Some(transcript) = transcript {
        transcript.end().await;
    }
    if next.is_none() {
        let summary = summary(scenario, &mut play, &found, started);
        tell(scenario, &summary, &found);
        if let Some(path) = &options.record {
            record(&town, path)?;
        }
    }
    Ok(next)
}

fn introduce(town: &Town, scenario: &Scenario, options: &Options) -> Option<Transcript> {
    if options.json {
        return None;
    }
    let transcript = (scenario.size.rooms <= MANY).then(|| Transcript::of(town));
    outln!("── {} ──\n{}", scenario.title, scenario.about);
    transcript
}

/// Plays a scenario, tells how it ended, and lets an ordinary day go on for ever.
async fn perform(
    play: &mut Play<'_>,
    scenario: &Scenario,
    stage: &Stage,
) -> anyhow::Result<Infallible> {
    stage.tell(scenario, Progress::Running, &[]);
    let failed = play.run(scenario).await?;
    stage.tell(scenario, Progress::Checking, &[]);
    let found = end(play, scenario, failed).await?;
    play.bot.switch_on().await?;
    let progress = if found.failures.is_empty() {
        Progress::Holds
    } else {
        Progress::Differs
    };
    stage.tell(scenario, progress, &found.failures);
    let mut day = EVERYDAY;
    loop {
        day.seed += 1;
        if let Err(error) = play.crowd(&day).await {
            // Visitors may have killed it or cut it off. That it ended by itself is another matter.
            play.bot.check()?;
            warn!(error = format!("{error:#}"), "the day goes on");
        }
    }
}

/// Does what visitors order, until one orders another play.
async fn carry_out(orders: &mut mpsc::Receiver<Order>, bot: &Bot) -> anyhow::Result<String> {
    while let Some(order) = orders.recv().await {
        match order {
            Order::Kill => bot.kill().await?,
            Order::Start => bot.switch_on().await?,
            Order::Play(name) => return Ok(name),
        }
    }
    // The page keeps the other end for as long as it is served.
    std::future::pending().await
}

/// Holds the end of a play against what must be true.
async fn end(
    play: &mut Play<'_>,
    scenario: &Scenario,
    failed: Option<Failed>,
) -> anyhow::Result<Findings> {
    play.bot.switch_on().await?;
    let mut found = check::check(play, scenario).await?;
    if let Some(failed) = failed {
        let why = format!("line {}: {}", failed.line, failed.why);
        found.failures.insert(0, why);
    }
    Ok(found)
}

fn summary(scenario: &Scenario, play: &mut Play<'_>, found: &Findings, started: Instant) -> Value {
    let mut summary = json!({
        "ok": found.failures.is_empty(),
        "scenario": scenario.name,
        "messages": play.ledger.messages,
        "tagged": found.told,
        "records": found.recorded,
        "receipts": found.answered,
    });
    let rest = json!({
        "untagged_stored": found.traces,
        "failures": found.failures,
        "rooms": scenario.size.rooms,
        "seconds": (started.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        "bot_peak_mb": play.bot.peak_kib() / 1024,
        "town_peak_mb": bot::peak_kib_of("self").unwrap_or(0) / 1024,
    });
    if let (Some(all), Value::Object(rest)) = (summary.as_object_mut(), rest) {
        all.extend(std::mem::take(&mut play.outcomes));
        all.extend(rest);
    }
    summary
}

/// The summary for people.
fn tell(scenario: &Scenario, summary: &Value, found: &Findings) {
    outln!("\n— Tổng kết, đếm từ những gì máy mô phỏng nhận được và kho lưu đang giữ —");
    outln!("tin bà con đã viết       {}", summary["messages"]);
    outln!(
        "  gửi cho bot, đã ghi    {} / {}",
        found.recorded,
        found.told
    );
    outln!(
        "  có biên nhận           {} / {}",
        found.answered,
        found.told
    );
    outln!("  không gửi bot, bị lưu  {}", found.traces);
    for step in &scenario.steps {
        let Some(key) = &step.key else { continue };
        let words = match &summary[key.as_str()] {
            Value::Bool(true) => "đúng".to_owned(),
            Value::Bool(false) => "KHÔNG".to_owned(),
            Value::Object(counts) => {
                let all: u64 = counts.values().filter_map(Value::as_u64).sum();
                let each = Platform::ALL.map(|at| {
                    let count = counts.get(at.as_str()).and_then(Value::as_u64);
                    format!("{} {}", at.title(), count.unwrap_or(0))
                });
                format!("{all} nhóm ({})", each.join(", "))
            }
            Value::Null => "chưa tới".to_owned(),
            other => other.to_string(),
        };
        let title = step.title.as_deref().unwrap_or(key);
        outln!("{title:24} {words}");
    }
    for failure in &found.failures {
        outln!("SAI: {failure}");
    }
    outln!(
        "{}",
        if found.failures.is_empty() {
            "Mọi thứ khớp."
        } else {
            "KHÔNG KHỚP: xem lại các dòng trên."
        }
    );
}

/// Every call of the Telegram bots with its answer, for judges that nobody here wrote.
fn record(town: &Town, path: &Path) -> anyhow::Result<()> {
    let file =
        std::fs::File::create(path).with_context(|| format!("creating {}", path.display()))?;
    let mut out = std::io::BufWriter::new(file);
    for account in town.accounts() {
        let Server::Telegram(server) = &account.server else {
            continue;
        };
        for call in server.calls() {
            let line = json!({
                "method": call.method,
                "request": call.parameters,
                "files": call.files,
                "status": call.status,
                "response": call.answer_json(),
            });
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    Ok(())
}
