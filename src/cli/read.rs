//! `keng read`: messages in, readings out, one JSON line each, in the same order.
//!
//! Lines are read, parsed and written by as many workers as there are processors, in batches; only what
//! depends on the order, finding the earlier message that one is about, is done one after the other.
//! A batch is what has arrived: a program that writes a line and waits gets its answer.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use chrono::{DateTime, FixedOffset};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::reading::{CommandName, Facts, Outcome, Reading, When};
use crate::text::lexicon::Lexicon;
use crate::text::link::{Link, Memory, Told};
use crate::text::{Addressing, read};

/// A line of input.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
    #[serde(borrow)]
    sent_at: Cow<'a, str>,
}

/// Room for what has arrived; so much is handed over together.
const ROOM: usize = 256 * 1024;

/// Who sends less than this at once may be waiting for the answers.
const TRICKLE: usize = 32 * 1024;

/// Batches waiting for each worker, at most.
const AHEAD: usize = 4;

/// Lines on their way to a worker, and the way their answers come back.
struct Batch {
    lines: Vec<u8>,
    answers: SyncSender<Vec<Answer>>,
}

/// An answer that lacks only the link to an earlier message.
struct Answer {
    /// Up to the value of `linked_to`; for a bad line all of it.
    head: Vec<u8>,
    /// What follows that value, without the last bracket; nothing for a bad line.
    tail: Option<Vec<u8>>,
    told: Option<Told>,
}

/// Reads messages from `input` and writes their readings to `output`.
///
/// # Errors
/// The lexicon cannot be loaded, or input or output fails.
pub(super) fn run(
    lexicon_dir: Option<&Path>,
    bot_names: &[String],
    explain: bool,
    input: impl Read,
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
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let (work, waiting) = sync_channel::<Batch>(workers);
    let waiting = Arc::new(Mutex::new(waiting));
    thread::scope(|scope| {
        for _ in 0..workers {
            let waiting = Arc::clone(&waiting);
            let (addressing, lexicon) = (&addressing, &lexicon);
            scope.spawn(move || {
                while let Some(batch) = next_batch(&waiting) {
                    let lines = batch.lines.split(|byte| *byte == b'\n');
                    let lines = lines.filter(|line| !line.iter().all(u8::is_ascii_whitespace));
                    let answers = lines.map(|line| answer(line, addressing, lexicon, explain));
                    // Nobody waits for it when the output has failed.
                    let _unwanted = batch.answers.send(answers.collect());
                }
            });
        }
        pump(input, output, work, workers * AHEAD, explain)
    })
}

fn next_batch(waiting: &Mutex<Receiver<Batch>>) -> Option<Batch> {
    let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.recv().ok()
}

/// Hands lines to the workers and writes their answers in order.
fn pump(
    input: impl Read,
    output: impl Write,
    work: SyncSender<Batch>,
    ahead: usize,
    explain: bool,
) -> io::Result<()> {
    let mut memory = Memory::default();
    let mut input = BufReader::with_capacity(ROOM, input);
    let mut output = BufWriter::with_capacity(ROOM, output);
    let mut owed: VecDeque<Receiver<Vec<Answer>>> = VecDeque::new();
    let mut lines = Vec::new();
    let mut pay = |owed: &mut VecDeque<Receiver<Vec<Answer>>>, output: &mut BufWriter<_>| {
        let Some(answers) = owed.pop_front() else {
            return Ok(());
        };
        let answers = answers
            .recv()
            .map_err(|_| io::Error::other("a reader of messages has stopped"))?;
        for answer in answers {
            write_answer(output, answer, &mut memory, explain)?;
        }
        Ok::<(), io::Error>(())
    };
    loop {
        let arrived = input.fill_buf()?;
        let ended = arrived.is_empty();
        let taken = arrived.len();
        // A line that has arrived in part waits for its end.
        let whole = memchr::memrchr(b'\n', arrived).map_or(0, |end| end + 1);
        let kept = lines.len();
        lines.extend_from_slice(arrived);
        input.consume(taken);
        if whole > 0 || ended && kept > 0 {
            let rest = lines.split_off(if ended { kept } else { kept + whole });
            let (answers, promised) = sync_channel(1);
            let lines = std::mem::replace(&mut lines, rest);
            work.send(Batch { lines, answers })
                .map_err(|_| io::Error::other("the readers of messages have stopped"))?;
            owed.push_back(promised);
        }
        let idle = taken < TRICKLE;
        while owed.len() > if idle { 0 } else { ahead } {
            pay(&mut owed, &mut output)?;
        }
        if idle {
            output.flush()?;
        }
        if ended {
            return output.flush();
        }
    }
}

/// Writes an answer with the link that only now is known.
fn write_answer(
    output: &mut impl Write,
    answer: Answer,
    memory: &mut Memory,
    explain: bool,
) -> io::Result<()> {
    let link = answer.told.and_then(|told| memory.link(told));
    output.write_all(&answer.head)?;
    if let Some(tail) = answer.tail {
        match &link {
            Some(link) => serde_json::to_writer(&mut *output, &link.id)?,
            None => output.write_all(b"null")?,
        }
        output.write_all(&tail)?;
        if let Some(Link { points, why, .. }) = link.filter(|_| explain) {
            output.write_all(b",\"link\":")?;
            serde_json::to_writer(&mut *output, &json!({"points": points, "why": why}))?;
        }
        output.write_all(b"}")?;
    }
    output.write_all(b"\n")
}

fn answer(line: &[u8], addressing: &Addressing<'_>, lexicon: &Lexicon, explain: bool) -> Answer {
    let (line, sent_at) = match parse(line) {
        Ok(parsed) => parsed,
        Err(error) => {
            return Answer {
                head: json!({"id": null, "error": error}).to_string().into_bytes(),
                tail: None,
                told: None,
            };
        }
    };
    let reading = read(&line.text, addressing, lexicon, sent_at);
    let (head, tail) = to_json(&line.id, &line.text, &reading, explain);
    let told = if reading.is_for_others() {
        Told::overheard(&line.id, &line.text, sent_at, lexicon)
    } else {
        Told::new(&line.id, &line.text, sent_at, &reading, lexicon)
    };
    Answer {
        head: head.into_bytes(),
        tail: Some(tail.into_bytes()),
        told,
    }
}

fn parse(line: &[u8]) -> Result<(Line<'_>, DateTime<FixedOffset>), String> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let sent_at =
        DateTime::parse_from_rfc3339(&line.sent_at).map_err(|error| format!("sent_at: {error}"))?;
    Ok((line, sent_at))
}

/// What stands before and behind the link to an earlier message.
fn to_json(id: &str, text: &str, reading: &Reading, explain: bool) -> (String, String) {
    let outcome = match &reading.outcome {
        Outcome::Report => "report",
        Outcome::AskDetail => "ask_detail",
        Outcome::Update(_) => "update",
        Outcome::Ignore => "ignore",
        Outcome::Command(_) => "command",
    };
    let mut head = String::from("{\"id\":");
    head.push_str(&Value::from(id).to_string());
    head.push_str(",\"outcome\":\"");
    head.push_str(outcome);
    head.push_str("\",\"incidents\":");
    if reading.incidents.is_empty() {
        head.push_str("[]");
    } else {
        let incidents: Value = reading.incidents.iter().map(facts).collect();
        head.push_str(&incidents.to_string());
    }
    head.push_str(",\"linked_to\":");
    let mut tail = String::new();
    if let Outcome::Command(command) = &reading.outcome {
        debug_assert!(
            command.name != CommandName::Bao,
            "a report by command is a report"
        );
        let command = json!({"name": command.name.as_str(), "rest": command.rest});
        tail.push_str(",\"command\":");
        tail.push_str(&command.to_string());
    }
    if explain {
        let evidence: Value = reading
            .evidence
            .iter()
            .map(|evidence| {
                json!({
                    "field": evidence.why.field(),
                    "text": evidence.text(text),
                    "why": evidence.why.to_string(),
                })
            })
            .collect();
        tail.push_str(",\"evidence\":");
        tail.push_str(&evidence.to_string());
    }
    (head, tail)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out a few bytes at a time, as a slow pipe does.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let take = self.1.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(take);
            buffer[..take].copy_from_slice(now);
            self.0 = later;
            Ok(take)
        }
    }

    fn answers(input: &str, at_once: usize) -> Vec<Value> {
        let mut output = Vec::new();
        run(
            None,
            &[],
            false,
            Drip(input.as_bytes(), at_once),
            &mut output,
        )
        .unwrap_or_else(|error| panic!("{error}"));
        let output = String::from_utf8(output).expect("UTF-8");
        let parse = |line| serde_json::from_str(line).expect("a JSON line");
        output.lines().map(parse).collect()
    }

    #[test]
    fn answers_keep_the_order_of_the_lines_however_they_arrive() {
        let mut input = String::new();
        for number in 0..2000 {
            let text = format!("#tromcap mất {number} con gà ở xóm {number}");
            let line = json!({"id": number.to_string(), "text": text, "sent_at": "2026-11-24T09:00:00+07:00"});
            input.push_str(&format!("{line}\n\n"));
        }
        input.push_str("no JSON\n{\"id\":\"last\",\"text\":\"xin chào\",\"sent_at\":\"2026-11-24T09:00:00+07:00\"}");
        let whole = answers(&input, usize::MAX);
        assert_eq!(whole.len(), 2002);
        for (number, answer) in whole.iter().take(2000).enumerate() {
            assert_eq!(answer["id"], number.to_string());
            assert_eq!(answer["outcome"], "report");
        }
        assert!(whole[2000]["id"].is_null() && whole[2000]["error"].is_string());
        assert_eq!(whole[2001]["outcome"], "ignore");
        assert_eq!(answers(&input, 7001), whole);
    }
}
