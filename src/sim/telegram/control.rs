//! The control API: what the handle can do, over HTTP.
//!
//! The table of calls is in the header of [`super`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use super::fault::{Fault, Rule};
use super::meter::Limits;
use super::post::{Author, Kind, Post};
use super::server::Inner;
use super::world::{Sort, Standing, World};
use super::{
    Chat, Keep, Line, Person, audio, inject, open, photos, preload, say, shuffle, somebody,
    start_private, stats,
};
use crate::sim::args::{Args, as_int};
use crate::sim::folk::Folk;

/// What a call was asked with.
struct Ask(Map<String, Value>);

impl Ask {
    fn int(&self, key: &str) -> Option<i64> {
        self.0.get(key).and_then(as_int)
    }

    fn need(&self, key: &str) -> Result<i64, String> {
        self.int(key)
            .ok_or_else(|| format!("`{key}` must be a number"))
    }

    fn size(&self, key: &str) -> Option<usize> {
        self.int(key).and_then(|n| usize::try_from(n).ok())
    }

    fn float(&self, key: &str) -> Option<f64> {
        self.0.get(key).and_then(Value::as_f64)
    }

    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or("")
    }

    fn flag(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// Answers `/sim/{act}` with a status and a JSON value.
pub(super) async fn handle(
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
    if act == "inject_bytes" {
        let rule = Rule::once("getUpdates", Fault::Body(body.to_vec()));
        inner.look().faults.rules.push(rule);
        return Ok(json!({}));
    }
    let whole: Value = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?
    };
    if act == "inject" {
        inner.change(|world| inject(world, whole));
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
    match act {
        "stats" => Ok(stats_json(inner)),
        "counts" => {
            let world = inner.look();
            let counts = world.rooms.values().filter(|room| room.sent > 0);
            Ok(Value::Object(
                counts
                    .map(|room| (room.id.to_string(), room.sent.into()))
                    .collect(),
            ))
        }
        "sent" => sent(inner, &ask),
        "messages" => messages(inner, &ask),
        "calls" => Ok(calls(inner, &ask)),
        "chats" if ask.0.contains_key("count") => many_chats(inner, &ask),
        "chats" => Ok(chats(inner)),
        "people" => {
            let world = inner.look();
            let people = world.people.iter().map(
                |(id, human)| json!({"id": id, "name": human.name, "username": human.username}),
            );
            Ok(people.collect())
        }
        "preload" => lay_ready(inner, &ask),
        "faults" => faults(inner, &ask),
        _ => inner.change(|world| live(world, act, &ask)),
    }
}

/// Everything that happens in the world itself.
fn live(world: &mut World, act: &str, ask: &Ask) -> Result<Value, String> {
    let message = |id: i64| match id {
        0 => Err("there is no such chat".to_owned()),
        id => Ok(json!({"message_id": id})),
    };
    match act {
        "person" => {
            let username = Some(ask.text("username")).filter(|name| !name.is_empty());
            Ok(json!({"id": world.add_person(ask.text("name"), ask.int("id"), username)}))
        }
        "chat" => {
            let (sort, forum) = sort(ask.text("kind"));
            let id = world.add_room(ask.text("title"), sort, forum, ask.int("id"));
            let by = somebody(world, id);
            let topics = ask
                .0
                .get("topics")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let topics: Vec<i64> = topics
                .iter()
                .filter_map(Value::as_str)
                .map(|name| world.add_topic(id, by, name))
                .collect();
            join(world, id, ask);
            Ok(json!({"id": id, "topics": topics}))
        }
        "start" => message(start_private(
            world,
            ask.need("person")?,
            ask.text("payload"),
        )),
        "join" | "kick" | "promote" => {
            let chat = ask.need("chat")?;
            let by = ask.int("person").unwrap_or_else(|| somebody(world, chat));
            let standing = match act {
                "join" => Standing::Member,
                "promote" => Standing::Administrator,
                _ => Standing::Kicked,
            };
            world.stand(chat, by, standing);
            Ok(json!({}))
        }
        "say" => {
            let chat = ask.need("chat")?;
            if ask.flag("anonymous") {
                let author = Author::Anonymous(None);
                return message(world.write(chat, author, |post| {
                    ask.text("text").clone_into(&mut post.text)
                }));
            }
            let (reply, thread) = (
                ask.int("reply_to").unwrap_or(0),
                ask.int("thread").unwrap_or(0),
            );
            message(say(
                world,
                ask.need("person")?,
                chat,
                ask.text("text"),
                reply,
                thread,
            ))
        }
        "edit" => match world.rewrite(ask.need("chat")?, ask.need("message_id")?, ask.text("text"))
        {
            true => Ok(json!({})),
            false => Err("there is no such message".to_owned()),
        },
        "audio" => {
            let (person, chat) = (ask.need("person")?, ask.need("chat")?);
            message(audio(world, person, chat, ask.text("caption")))
        }
        "photo" => {
            let count = ask.size("count").unwrap_or(1).clamp(1, 10);
            let ids = photos(
                world,
                ask.need("person")?,
                ask.need("chat")?,
                ask.text("caption"),
                count,
            );
            Ok(json!({"message_ids": ids}))
        }
        "location" => {
            let chat = ask.need("chat")?;
            let person = ask.need("person")?;
            let place =
                json!({"latitude": ask.float("latitude"), "longitude": ask.float("longitude")});
            open(world, chat);
            message(world.write(chat, Author::Person(person), |post| {
                post.kind = Kind::Location;
                post.extra = format!("\"location\":{place}");
            }))
        }
        "press" => {
            let (person, chat, id) = (
                ask.need("person")?,
                ask.need("chat")?,
                ask.need("message_id")?,
            );
            let query = world.press(person, chat, id, ask.text("data"), ask.flag("forged"));
            query
                .map(|id| json!({"callback_query_id": id}))
                .ok_or_else(|| "no such button is offered".to_owned())
        }
        "migrate" => {
            let chat = ask.need("chat")?;
            let by = somebody(world, chat);
            let new = world.migrate(chat, by);
            new.map(|id| json!({"chat": id}))
                .ok_or_else(|| "only a basic group can be upgraded, once".to_owned())
        }
        "updates" => {
            if let Some(count) = ask.size("repeat") {
                world.queue.repeat(count);
            }
            if ask.flag("shuffle") {
                shuffle(world);
            }
            if ask.0.contains_key("hold") {
                world.queue.held = ask.flag("hold");
                // Counts as news, so that a waiting poll looks again.
                world.queue.came += 1;
            }
            match ask.int("jump") {
                Some(id) if !world.queue.jump(id) => Err("updates still wait".to_owned()),
                _ => Ok(json!({})),
            }
        }
        "clock" => {
            if let Some(date) = ask.int("date") {
                world.clock.set(date);
            }
            if let Some(speed) = ask.float("speed") {
                world.clock.set_speed(speed);
            }
            if let Some(seconds) = ask.int("advance") {
                world
                    .clock
                    .advance(Duration::from_secs(seconds.unsigned_abs()));
            }
            Ok(json!({"date": world.clock.now()}))
        }
        "keep" => {
            world.keep = if ask.flag("everything") {
                Keep::Everything
            } else {
                Keep::Counts
            };
            Ok(json!({}))
        }
        _ => Err(format!("there is no call `{act}`")),
    }
}

fn sort(kind: &str) -> (Sort, bool) {
    match kind {
        "group" => (Sort::Group, false),
        "forum" => (Sort::Supergroup, true),
        _ => (Sort::Supergroup, false),
    }
}

fn join(world: &mut World, chat: i64, ask: &Ask) {
    let standing = match ask.0.get("bot") {
        Some(Value::String(role)) if role == "admin" => Standing::Administrator,
        Some(Value::Bool(true)) => Standing::Member,
        _ => return,
    };
    let by = somebody(world, chat);
    world.stand(chat, by, standing);
}

fn many_chats(inner: &Inner, ask: &Ask) -> Result<Value, String> {
    let count = ask.size("count").ok_or("`count` must be a number")?;
    let (sort, forum) = sort(ask.text("kind"));
    let title = if ask.text("title").is_empty() {
        "Tổ dân phố"
    } else {
        ask.text("title")
    };
    Ok(inner.change(|world| {
        let mut ids = Vec::with_capacity(count);
        for i in 1..=count {
            let id = world.add_room(&format!("{title} {i}"), sort, forum, None);
            join(world, id, ask);
            ids.push(id);
        }
        json!({"ids": ids})
    }))
}

fn chats(inner: &Inner) -> Value {
    let world = inner.look();
    let one = |room: &super::world::Room| {
        json!({
            "id": room.id, "title": room.title, "forum": room.forum, "bot_is_in": room.bot.is_in(),
            "migrated_to": room.migrated_to, "last_message_id": room.last_id, "sent": room.sent,
            "topics": room.topics.iter().map(|(id, topic)| json!({"id": id, "name": topic.name})).collect::<Vec<_>>(),
        })
    };
    world.rooms.values().map(one).collect()
}

fn write_json(world: &World, chat: i64, post: &Post) -> Value {
    let mut out = Vec::new();
    world.write_message(&mut out, chat, post.id);
    let mut value: Value = serde_json::from_slice(&out).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        map.insert("deleted".into(), post.deleted.into());
        map.insert("edits".into(), post.edits.into());
        map.insert("pinned".into(), post.pinned.into());
        map.insert("shown_to_bot".into(), post.shown.into());
    }
    value
}

fn sent(inner: &Inner, ask: &Ask) -> Result<Value, String> {
    let only = ask.int("chat");
    let after = ask.size("after").unwrap_or(0);
    let world = inner.look();
    if world.keep == Keep::Counts && world.sent_total > 0 && world.sent_order.is_empty() {
        return Err("only counts are kept: ask /sim/counts".to_owned());
    }
    let order = world
        .sent_order
        .iter()
        .filter(|(chat, _)| only.is_none_or(|id| id == *chat));
    let found = order.skip(after).filter_map(|(chat, id)| {
        let post = world.rooms.get(chat)?.post(*id)?;
        let mut value = write_json(&world, *chat, post);
        let at = post.at.duration_since(inner.started).as_secs_f64() * 1000.0;
        value.as_object_mut()?.insert("at_ms".into(), at.into());
        Some(value)
    });
    Ok(found.collect())
}

fn messages(inner: &Inner, ask: &Ask) -> Result<Value, String> {
    let chat = ask.need("chat")?;
    let world = inner.look();
    let room = world.rooms.get(&chat).ok_or("there is no such chat")?;
    Ok(room
        .posts
        .iter()
        .skip(ask.size("after").unwrap_or(0))
        .map(|post| write_json(&world, chat, post))
        .collect())
}

fn calls(inner: &Inner, ask: &Ask) -> Value {
    let world = inner.look();
    let one = |call: &super::Call| {
        json!({
            "method": call.method, "parameters": call.parameters, "files": call.files, "status": call.status,
            "arrived_ms": call.arrived.duration_since(inner.started).as_secs_f64() * 1000.0,
            "took_ms": call.took.as_secs_f64() * 1000.0,
            "answer": call.answer_json(),
        })
    };
    world
        .calls
        .iter()
        .skip(ask.size("after").unwrap_or(0))
        .map(one)
        .collect()
}

/// `POST /sim/preload`: reports and chatter, evenly mixed, over many chats.
fn lay_ready(inner: &Inner, ask: &Ask) -> Result<Value, String> {
    let updates = ask.size("updates").ok_or("`updates` must be a number")?;
    let tagged = ask.float("tagged_percent").unwrap_or(10.0);
    let mut folk = Folk::new(inner.options.seed);
    Ok(inner.change(|world| {
        let mut chats: Vec<i64> = world
            .rooms
            .values()
            .filter(|room| room.is_group())
            .map(|room| room.id)
            .collect();
        let wanted = ask.size("chats").unwrap_or(30).max(1);
        chats.sort_unstable_by(|a, b| b.cmp(a));
        chats.truncate(wanted);
        while chats.len() < wanted {
            let id = world.add_room(
                &format!("Tổ dân phố {}", chats.len() + 1),
                Sort::Supergroup,
                false,
                None,
            );
            if let Some(room) = world.rooms.get_mut(&id) {
                // Quietly: the updates laid ready are all there is to read.
                room.bot = Standing::Administrator;
            }
            chats.push(id);
        }
        let people: Vec<i64> = (0..ask.size("people").unwrap_or(200).max(1))
            .map(|_| world.add_person(&folk.name(), None, None))
            .collect();
        let mut share = 0.0;
        let first = preload(world, updates, |i| {
            share += tagged / 100.0;
            let text = if share >= 1.0 - 1e-9 {
                share -= 1.0;
                folk.report().text.to_owned()
            } else {
                folk.chatter().to_owned()
            };
            let pick = |ids: &[i64]| ids.get(i % ids.len().max(1)).copied().unwrap_or(0);
            Line {
                chat: Chat { id: pick(&chats) },
                person: Person { id: pick(&people) },
                text,
            }
        });
        json!({"first_update_id": first, "chats": chats})
    }))
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
        let fault = one.get("fault").and_then(Value::as_str).unwrap_or("");
        rules.push(Rule {
            method: one
                .get("method")
                .and_then(Value::as_str)
                .unwrap_or("*")
                .to_owned(),
            chat: one.get("chat").and_then(as_int),
            percent: one.get("percent").and_then(Value::as_f64).unwrap_or(100.0),
            times: one.get("times").and_then(Value::as_u64),
            fault: Fault::parse(fault, one)
                .ok_or_else(|| format!("there is no fault `{fault}`"))?,
        });
    }
    let millis = |key| ask.size(key).map(|ms| Duration::from_millis(ms as u64));
    let mut world = inner.look();
    if ask.flag("clear") {
        world.faults.clear();
        world.meter.calm();
    }
    if let Some(latency) = millis("latency_ms") {
        world.faults.latency = latency;
    }
    if let Some(link) = millis("link_ms") {
        world.faults.link = link;
    }
    if let Some(percent) = ask.float("refuse_percent") {
        rules.push(Rule::percent(
            "send*",
            percent,
            Fault::TooMany { retry_after: 1 },
        ));
    }
    if let Some(percent) = ask.float("unanswered_percent") {
        rules.push(Rule::percent("send*", percent, Fault::CloseAfter));
    }
    if let Some(percent) = ask.float("repeat_percent") {
        world.faults.repeat_percent = percent;
    }
    if ask.0.contains_key("shuffle_webhook") {
        world.faults.shuffle_webhook = ask.flag("shuffle_webhook");
    }
    if let Some(limits) = ask.0.get("limits") {
        let number = |key| {
            limits
                .get(key)
                .and_then(Value::as_u64)
                .and_then(|n| u32::try_from(n).ok())
        };
        world.meter.limits = limits.is_object().then(|| Limits {
            per_second: number("per_second").unwrap_or(Limits::default().per_second),
            group_per_minute: number("group_per_minute")
                .unwrap_or(Limits::default().group_per_minute),
        });
    }
    if let Some(flood) = ask.0.get("flood") {
        let seconds = flood
            .get("seconds")
            .and_then(Value::as_f64)
            .unwrap_or(5.0)
            .max(0.0);
        let until = Instant::now() + Duration::from_secs_f64(seconds.min(86_400.0));
        world.meter.flood(flood.get("chat").and_then(as_int), until);
    }
    world.faults.rules.extend(rules);
    Ok(json!({}))
}

fn stats_json(inner: &Inner) -> Value {
    let stats = stats(inner);
    json!({
        "confirmed": stats.confirmed, "pending": stats.pending, "given": stats.given,
        "confirmed_offset": stats.confirmed_offset, "calls": stats.calls, "sends": stats.sends,
        "posted": stats.posted, "answered_429": stats.answered_429, "impatient": stats.impatient,
        "faults": stats.faults, "max_in_any_second": stats.max_in_any_second,
        "max_in_any_chat_minute": stats.max_in_any_chat_minute,
        "first_send_at_ms": stats.first_send_at_ms, "last_send_at_ms": stats.last_send_at_ms,
        "now_ms": inner.started.elapsed().as_secs_f64() * 1000.0,
    })
}
