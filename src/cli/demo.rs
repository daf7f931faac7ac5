//! `keng demo`: a make-believe commune at work, with nothing configured.
//!
//! The town's four platforms are opened on loopback, and this very program serves them as `keng serve` in a process
//! of its own. A scenario is played; with `--once` what is claimed at its end is counted from what the simulators saw
//! and from what the store holds, never from what the scenario meant to happen.

mod bot;
mod check;
mod play;
mod transcript;

use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::Value;
use serde_json::json;

use self::bot::Bot;
use self::check::Findings;
use self::play::Pace;
use self::play::Play;
use self::transcript::Transcript;
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
    let mut scenario = match &options.scenario {
        None => Scenario::built_in(FIRST)?,
        Some(name) if Path::new(name).is_file() => {
            let text = std::fs::read_to_string(name).with_context(|| format!("reading {name}"))?;
            Scenario::parse(name, name, &text)?
        }
        Some(name) => Scenario::built_in(name)?,
    };
    scenario.size.rooms = options.rooms.unwrap_or(scenario.size.rooms);
    scenario.size.seed = options.seed.unwrap_or(scenario.size.seed);
    let program = std::env::current_exe().context("finding this program")?;
    super::serve::runtime()?.block_on(play(&program, &scenario, &options))
}

async fn play(program: &Path, scenario: &Scenario, options: &Options) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let town = Town::start(scenario.size, None)
        .await
        .context("opening the town's platforms")?;
    town.set_speed(if options.once { 0.0 } else { options.speed });
    let transcript = (!options.json && scenario.size.rooms <= MANY).then(|| Transcript::of(&town));
    if !options.json {
        outln!("── {} ──\n{}", scenario.title, scenario.about);
    }
    let mut bot = Bot::start(program, &town).await?;
    let pace = if options.once {
        Pace::Fast
    } else {
        Pace::Clock
    };
    let mut play = Play::new(&town, &mut bot, pace);
    let playing = async {
        let failed = play.run(scenario).await?;
        if options.once || failed.is_some() {
            return Ok(failed);
        }
        // Goes on until Ctrl-C.
        let mut day = EVERYDAY;
        loop {
            day.seed += 1;
            play.crowd(&day).await?;
        }
    };
    let failed = tokio::select! {
        ended = playing => ended.map_err(|error: anyhow::Error| error)?,
        _ = tokio::signal::ctrl_c() => None,
    };
    if !play.bot.is_on() {
        play.bot.switch_on().await?;
    }
    let mut found = check::check(&mut play, scenario).await?;
    if let Some(failed) = failed {
        let why = format!("line {}: {}", failed.line, failed.why);
        found.failures.insert(0, why);
    }
    if !options.once {
        // Somebody ended it in the middle: only what always holds can be asked.
        found.failures.retain(|_| false);
    }
    if let Some(path) = &options.record {
        record(&town, path)?;
    }
    if let Some(transcript) = transcript {
        transcript.end().await;
    }
    let summary = summary(scenario, &mut play, &found, started);
    if options.json {
        outln!("{summary}");
    } else {
        tell(scenario, &summary, &found);
    }
    Ok(if found.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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

/// Every call of the first Telegram bot with its answer, for judges that nobody here wrote.
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
