//! `keng read`: messages in, readings out, one JSON line each, in the same order.

use std::io::{self, BufRead, Write};
use std::path::Path;

use chrono::{DateTime, FixedOffset};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::reading::{CommandName, Facts, Outcome, Reading, When};
use crate::text::lexicon::Lexicon;
use crate::text::link::{Link, Memory};
use crate::text::{Addressing, read};

/// A line of input.
#[derive(Deserialize)]
struct Line {
    id: String,
    text: String,
    sent_at: String,
}

/// Reads messages from `input` and writes their readings to `output`.
///
/// # Errors
/// The lexicon cannot be loaded, or input or output fails.
pub(super) fn run(
    lexicon_dir: Option<&Path>,
    bot_names: &[String],
    explain: bool,
    input: impl BufRead,
    output: impl Write,
) -> io::Result<()> {
    let lexicon = match lexicon_dir {
        Some(dir) => Lexicon::load(dir),
        None => Lexicon::builtin(),
    }
    .map_err(io::Error::other)?;
    let default_names = ["anttbot".to_owned(), "Bot ANTT".to_owned()];
    let bot_names = if bot_names.is_empty() {
        &default_names
    } else {
        bot_names
    };
    let addressing = Addressing {
        private: false,
        reply_to_bot: false,
        mentioned: false,
        bot_names,
    };
    let mut memory = Memory::default();
    let mut output = io::BufWriter::new(output);
    let mut input = input;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        if input.read_until(b'\n', &mut buffer)? == 0 {
            break;
        }
        if buffer.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answer = match parse(&buffer) {
            Ok((line, sent_at)) => {
                let reading = read(&line.text, &addressing, &lexicon, sent_at);
                let link = memory.link(&line.id, &line.text, sent_at, &reading, &lexicon);
                to_json(&line.id, &reading, link.as_ref(), explain)
            }
            Err(error) => json!({"id": null, "error": error}),
        };
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
    }
    output.flush()
}

fn parse(line: &[u8]) -> Result<(Line, DateTime<FixedOffset>), String> {
    let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let sent_at =
        DateTime::parse_from_rfc3339(&line.sent_at).map_err(|error| format!("sent_at: {error}"))?;
    Ok((line, sent_at))
}

fn to_json(id: &str, reading: &Reading, link: Option<&Link>, explain: bool) -> Value {
    let outcome = match &reading.outcome {
        Outcome::Report => "report",
        Outcome::AskDetail => "ask_detail",
        Outcome::Update(_) => "update",
        Outcome::Ignore => "ignore",
        Outcome::Command(_) => "command",
    };
    let incidents: Vec<Value> = reading.incidents.iter().map(facts).collect();
    let mut answer = json!({"id": id, "outcome": outcome, "incidents": incidents, "linked_to": link.map(|link| &link.id)});
    if let Outcome::Command(command) = &reading.outcome {
        debug_assert!(
            command.name != CommandName::Bao,
            "a report by command is a report"
        );
        answer["command"] = json!({"name": command.name.as_str(), "rest": command.rest});
    }
    if explain {
        answer["evidence"] = reading
            .evidence
            .iter()
            .map(|evidence| json!({"field": evidence.field, "text": evidence.text, "why": evidence.why}))
            .collect();
        if let Some(link) = link {
            answer["link"] = json!({"points": link.points, "why": link.why});
        }
    }
    answer
}

fn facts(facts: &Facts) -> Value {
    let categories: Vec<&str> = facts
        .categories
        .iter()
        .map(|category| category.as_str())
        .collect();
    let accounts: Vec<Value> = facts
        .accounts
        .iter()
        .map(|account| match &account.bank {
            Some(bank) => json!({"number": account.number, "bank": bank}),
            None => json!({"number": account.number}),
        })
        .collect();
    let time = match &facts.time {
        None => Value::Null,
        Some(When::At(at)) => json!(at.to_rfc3339()),
        Some(When::Between(from, to)) => json!([from.to_rfc3339(), to.to_rfc3339()]),
    };
    json!({
        "categories": categories,
        "primary": facts.primary.as_str(),
        "urgent": facts.urgent,
        "place": facts.place,
        "time": time,
        "phones": facts.phones,
        "plates": facts.plates,
        "accounts": accounts,
        "urls": facts.urls,
        "handles": facts.handles,
    })
}
