//! What is true at the end of a play: counted from what the simulators saw and what the store holds, never from what
//! the play meant to happen.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use aho_corasick::AhoCorasick;
use anyhow::Context as _;
use serde_json::Value;

use super::play::Play;
use super::play::Told;
use crate::sim::town::scenario::Scenario;

/// How long the last receipts may take: by the limits of a group they come late.
const PATIENCE: Duration = Duration::from_secs(75);

/// How often one looks again for receipts.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Reports that the store holds.
    pub(super) recorded: usize,
    /// Reports that were told.
    pub(super) told: usize,
    /// Reports that were answered with the code of their case.
    pub(super) answered: usize,
    /// Texts of chatter found in the files of the store.
    pub(super) traces: usize,
    /// What is not as the scenario says it must be.
    pub(super) failures: Vec<String>,
}

/// The codes of cases, by the report: account, room and message as the platform calls them.
type Codes = BTreeMap<(String, String, String), String>;

/// Holds the end of the play against the scenario. Stops the bot on the way.
pub(super) async fn check(play: &mut Play<'_>, scenario: &Scenario) -> anyhow::Result<Findings> {
    let mut found = Findings {
        told: play.ledger.reports.len(),
        ..Findings::default()
    };
    let end = &scenario.end;
    found.answered = receipts(play, end.every_report_answered).await?;
    for standing in &scenario.stands {
        let rooms = play.rooms(standing.place, standing.who)?;
        let heard = play.standing(&rooms, &standing.words);
        for room in &rooms {
            let times = heard.get(&room.id).copied().unwrap_or(0);
            if times != standing.times {
                found.failures.push(format!(
                    "line {}: in {} “{}” stands {times} times, not {}",
                    standing.line,
                    play.title(&room.id),
                    standing.words,
                    standing.times
                ));
                break;
            }
        }
    }
    // Both while the journal holds everything and when it was cut.
    let running = traces(&play.bot.data(), &play.ledger.chatter)?;
    play.bot.stop().await?;
    let ended = traces(&play.bot.data(), &play.ledger.chatter)?;
    let all: BTreeSet<_> = running.union(&ended).cloned().collect();
    found.traces = all.len();

    let incidents = play.bot.export("incidents").await?;
    let recorded: BTreeSet<_> = codes(&incidents).into_keys().collect();
    let told: BTreeSet<_> = play.ledger.reports.iter().map(key).collect();
    found.recorded = recorded.len();
    let mut is = |what: &str, wanted: Option<usize>, counted: usize| {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != counted) {
            found
                .failures
                .push(format!("`{what}`: {counted}, not {wanted}"));
        }
    };
    is("incidents", end.incidents, incidents.len());
    is("reports", end.reports, recorded.len());
    if end.alerts.is_some() {
        let alerts = play.bot.export("alerts").await?;
        let published = alerts.iter().filter(|row| !row["published_at"].is_null());
        is("alerts", end.alerts, published.count());
    }
    if end.deliveries_not_sent.is_some() {
        let rows = play.bot.export("deliveries").await?;
        let failed = rows.iter().filter(|row| row["state"] != "sent").count();
        is("deliveries_not_sent", end.deliveries_not_sent, failed);
    }
    if end.every_report_kept && recorded != told {
        let lost = told.difference(&recorded).count();
        let strange = recorded.difference(&told).count();
        found.failures.push(format!(
            "`every_report_kept`: {lost} of {} reports are not in the store, {strange} in it are none",
            told.len()
        ));
    }
    if end.every_report_answered && found.answered != found.told {
        found.failures.push(format!(
            "`every_report_answered`: {} of {} reports were answered with their code",
            found.answered, found.told
        ));
    }
    if end.chatter_leaves_no_trace && !all.is_empty() {
        found.failures.push(format!(
            "`chatter_leaves_no_trace`: {} texts of chatter are in the store",
            all.len()
        ));
    }
    if end.store_is_sound
        && let Some(said) = play.bot.verify().await?
    {
        found
            .failures
            .push(format!("`store_is_sound`: keng verify says: {said}"));
    }
    Ok(found)
}

fn key(told: &Told) -> (String, String, String) {
    (
        told.account.clone(),
        told.native.clone(),
        told.message.clone(),
    )
}

fn codes(incidents: &[Value]) -> Codes {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all = Codes::new();
    for incident in incidents {
        let reports = incident["reports"].as_array();
        for report in reports.into_iter().flatten() {
            let key = (
                text(&report["account"]),
                text(&report["room"]),
                text(&report["message_id"]),
            );
            all.insert(key, text(&incident["code"]));
        }
    }
    all
}

/// Reports whose case code was told in their room, or to their author alone. With `wait` their arrival is awaited.
async fn receipts(play: &Play<'_>, wait: bool) -> anyhow::Result<usize> {
    let end = tokio::time::Instant::now() + PATIENCE;
    let mut known = codes(&play.bot.export("incidents").await?);
    loop {
        if known.len() < play.ledger.reports.len() && wait {
            known = codes(&play.bot.export("incidents").await?);
        }
        let answered = play.ledger.reports.iter().filter(|told| {
            let code = known.get(&key(told));
            code.is_some_and(|code| {
                let places = [&told.room, &told.author];
                places.iter().any(|room| {
                    let said = play.town.messages(room);
                    said.iter()
                        .any(|said| said.is_bots() && has_word(&said.text, code))
                })
            })
        });
        let answered = answered.count();
        let all = answered == play.ledger.reports.len();
        if all || !wait || tokio::time::Instant::now() >= end {
            return Ok(answered);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric())
        .any(|part| part == word)
}

/// Which of these texts stand anywhere in the files below a directory.
fn traces(dir: &Path, texts: &BTreeSet<String>) -> anyhow::Result<BTreeSet<String>> {
    let texts: Vec<&String> = texts.iter().collect();
    let finder = AhoCorasick::new(&texts).context("preparing to look for chatter")?;
    let (mut found, mut dirs) = (BTreeSet::new(), vec![dir.to_owned()]);
    while let Some(dir) = dirs.pop() {
        let entries = std::fs::read_dir(&dir);
        let entries = entries.with_context(|| format!("looking into {}", dir.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            // A running bot removes files that it no longer needs.
            let Ok(bytes) = std::fs::read(&path) else {
                continue;
            };
            for hit in finder.find_overlapping_iter(&bytes) {
                if let Some(text) = texts.get(hit.pattern().as_usize()) {
                    found.insert((*text).clone());
                }
            }
        }
    }
    Ok(found)
}
