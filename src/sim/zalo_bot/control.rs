//! The control API: what the handle can do, over HTTP. The table of calls is in the header of [`super`].

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use super::server::Inner;
use super::world::{Chat, Fault, Person, Rule};
use crate::sim::args::Args;

struct Ask(Map<String, Value>);

impl Ask {
    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or("")
    }

    fn number(&self, key: &str) -> u64 {
        match self.0.get(key) {
            Some(Value::String(text)) => text.parse().unwrap_or(0),
            Some(value) => value.as_u64().unwrap_or(0),
            None => 0,
        }
    }

    fn flag(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    fn chat(&self) -> Chat {
        Chat {
            id: self.text("chat").into(),
        }
    }

    fn person(&self) -> Person {
        Person {
            id: self.text("person").into(),
        }
    }
}

/// Answers `/sim/{act}` with a status and a JSON value.
pub(super) fn handle(
    inner: &Arc<Inner>,
    act: &str,
    query: Option<&str>,
    body: &Bytes,
) -> (u16, Value) {
    match run(inner, act, query, body) {
        Ok(value) => (200, value),
        Err(error) => (400, json!({"error": error})),
    }
}

fn run(inner: &Inner, act: &str, query: Option<&str>, body: &Bytes) -> Result<Value, String> {
    let whole: Value = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?
    };
    if act == "inject" {
        inner.change(|world| world.give(whole));
        return Ok(json!({}));
    }
    let mut ask = Args::read(query, "", &Bytes::new())
        .map_err(str::to_owned)?
        .values;
    match whole {
        Value::Object(map) => ask.extend(map),
        _ => return Err("the body must be an object".to_owned()),
    }
    let ask = Ask(ask);
    let (person, chat, text) = (ask.person(), ask.chat(), ask.text("text"));
    let message = |id: String| Ok(json!({"message_id": id}));
    match act {
        "person" => {
            let person = inner.change(|world| world.add_person(ask.text("name")));
            Ok(json!({"id": &*person.id}))
        }
        "group" => {
            let chat = inner.change(|world| {
                let chat = world.add_group(ask.text("title"));
                (!ask.flag("bot") || world.join(&chat)).then_some(chat)
            });
            let chat = chat.ok_or("the bot may not join")?;
            Ok(json!({"id": &*chat.id}))
        }
        "join" => match inner.change(|world| world.join(&chat)) {
            true => Ok(json!({})),
            false => Err("the bot may not join".to_owned()),
        },
        "kick" => {
            inner.change(|world| world.kick(&chat));
            Ok(json!({}))
        }
        "say" => message(inner.change(|world| world.write(&person, &chat, text, false))),
        "mention" => message(inner.change(|world| world.write(&person, &chat, text, true))),
        "reply" => message(inner.change(|world| world.reply(&person, &chat, ask.text("to"), text))),
        "photo" => {
            message(inner.change(|world| {
                world.photo(&person, &chat, ask.text("caption"), ask.flag("mention"))
            }))
        }
        "voice" => message(inner.change(|world| world.voice(&person, &chat))),
        "sticker" => message(inner.change(|world| world.sticker(&person, &chat))),
        "withheld" => message(inner.change(|world| world.withheld(&person, &chat))),
        "switches" => inner.change(|world| {
            for (name, value) in &ask.0 {
                world.switches.set(name, value)?;
            }
            Ok(json!({}))
        }),
        "faults" => faults(inner, &ask),
        "clock" => inner.change(|world| {
            world.ahead += Duration::from_millis(ask.number("advance_ms"));
            Ok(json!({"now_ms": world.now_ms()}))
        }),
        "sent" => {
            let after = usize::try_from(ask.number("after")).unwrap_or(0);
            let world = inner.look();
            let sent = world
                .sent
                .iter()
                .filter(|sent| chat.id.is_empty() || sent.chat == chat);
            let list = sent.skip(after).map(|sent| {
                json!({"chat": &*sent.chat.id, "message_id": sent.message_id, "text": sent.text})
            });
            Ok(list.collect())
        }
        "calls" => {
            let after = usize::try_from(ask.number("after")).unwrap_or(0);
            let world = inner.look();
            let calls = world.calls.iter().skip(after).map(|call| {
                json!({"method": call.method, "verb": call.verb, "parameters": call.parameters,
                    "status": call.status, "answer": String::from_utf8_lossy(&call.answer)})
            });
            Ok(calls.collect())
        }
        "stats" => {
            let stats = inner.look().stats();
            Ok(
                json!({"pending": stats.pending, "given": stats.given, "lost": stats.lost,
                "calls": stats.calls, "polls": stats.polls, "used": stats.used, "over": stats.over}),
            )
        }
        _ => Err(format!("there is no call `{act}`")),
    }
}

fn faults(inner: &Inner, ask: &Ask) -> Result<Value, String> {
    let mut rules = Vec::new();
    for one in ask
        .0
        .get("rules")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or("");
        let code = one.get("code").and_then(Value::as_u64);
        let code = code.and_then(|code| u16::try_from(code).ok());
        let fault = match text("fault") {
            "refuse" => Fault::Refuse(code.unwrap_or(400), text("description").to_owned()),
            "html" => Fault::Html(code.unwrap_or(502)),
            "html_after" => Fault::HtmlAfter(code.unwrap_or(502)),
            "close_before" => Fault::CloseBefore,
            "close_after" => Fault::CloseAfter,
            "hang_after" => Fault::HangAfter,
            "body" => Fault::Body(text("body").as_bytes().to_vec()),
            other => return Err(format!("there is no fault `{other}`")),
        };
        rules.push(Rule {
            method: one
                .get("method")
                .and_then(Value::as_str)
                .unwrap_or("*")
                .to_owned(),
            times: one.get("times").and_then(Value::as_u64),
            fault,
        });
    }
    inner.change(|world| {
        if ask.flag("clear") {
            world.rules.clear();
        }
        world.rules.extend(rules);
    });
    Ok(json!({}))
}
