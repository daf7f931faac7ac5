//! `keng import`: a group's past, from an export of Telegram Desktop.
//!
//! Shows what would be recorded; records only with `--write`, and never answers anybody. Messages without
//! a tag are passed over here as they are when they are live.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use anyhow::bail;

use super::keep;
use crate::app;
use crate::channel::telegram::export::Export;
use crate::channel::telegram::export::read_export;
use crate::domain::clock::Clock as _;
use crate::domain::clock::SystemClock;
use crate::domain::ids::AccountName;
use crate::intake::past;
use crate::intake::past::Past;

pub(super) fn run(
    config: &Path,
    account: &str,
    write: bool,
    file: &Path,
) -> anyhow::Result<ExitCode> {
    let config = crate::config::load_without_secrets(config)?;
    let account = AccountName::parse(account)?;
    if !config.accounts.iter().any(|known| known.name == account) {
        bail!("no [[account]] of the config is called `{account}`");
    }
    let input = File::open(file).with_context(|| format!("opening {}", file.display()))?;
    let Export {
        chats, put_aside, ..
    } = read_export(input, &account)?;
    let lexicon = app::lexicon(&config)?;
    let rules = app::rules(&config);
    super::serve::runtime()?.block_on(async {
        let store = if write {
            match keep::open_or_create(&config).await? {
                keep::Access::Store(store) => Some(store),
                keep::Access::Running(_) => {
                    bail!("a server is running on this store: stop it, then import")
                }
            }
        } else {
            None
        };
        let (mut messages, mut records, mut known) = (0_usize, 0_usize, 0_usize);
        for chat in &chats {
            outln!(
                "{} ({}): {} messages",
                chat.title,
                chat.room.native,
                chat.messages.len()
            );
            messages += chat.messages.len();
            let past = past::read(&chat.messages, &lexicon, &config.bot_names);
            for report in &past {
                outln!("  {}", shown(report));
            }
            records += past.len();
            if let Some(store) = &store {
                known += past::record(store, &past, &chat.title, &rules, SystemClock.now()).await?;
            }
        }
        for what in &put_aside {
            outln!("put aside: {what}");
        }
        outln!(
            "{messages} messages, {records} reports{}",
            match &store {
                Some(_) => format!(": {} recorded, {known} were known already", records - known),
                None => "; nothing was recorded, add --write to record them".to_owned(),
            }
        );
        if let Some(store) = store {
            store.close().await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// One line for the operator's screen: when, what kind, where, and the first words.
fn shown(report: &Past) -> String {
    let facts = &report.facts;
    let words: String = report
        .message
        .text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(80)
        .collect();
    format!(
        "{} {} [{}{}] {}: {words}",
        report.message.sent_at.format("%Y-%m-%d %H:%M"),
        report.message.id,
        facts.primary.as_str(),
        if facts.urgent { ", urgent" } else { "" },
        facts.place.as_deref().unwrap_or("?"),
    )
}
