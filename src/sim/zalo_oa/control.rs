//! The control API: the town's abilities over HTTP, for whoever runs it in a process of its own.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde_json::{Value, json};

use super::method::int;
use super::server::Inner;
use super::world::{Expiry, Fault, Names, Quote, Rule, Standing, Switches, World};

/// Does what is asked; the status and the answer.
pub(super) fn answer(inner: &Inner, what: &str, query: Option<&str>, body: &Bytes) -> (u16, Value) {
    let asked: Value = if body.is_empty() {
        json!({})
    } else {
        match serde_json::from_slice(body) {
            Ok(asked) => asked,
            Err(error) => {
                return (
                    400,
                    json!({"error": format!("the body is no JSON: {error}")}),
                );
            }
        }
    };
    match act(inner, what, query.unwrap_or_default(), &asked) {
        Ok(answer) => (200, answer),
        Err(why) => (400, json!({ "error": why })),
    }
}

fn act(inner: &Inner, what: &str, query: &str, asked: &Value) -> Result<Value, String> {
    let text = |key: &str| asked[key].as_str().unwrap_or_default();
    let id = |key: &str| -> Arc<str> { text(key).into() };
    let after = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("after="));
    let after: usize = after.and_then(|number| number.parse().ok()).unwrap_or(0);
    match what {
        "person" => {
            let person = inner.change(|world| world.add_person(text("name")));
            Ok(json!({"id": &*person.id}))
        }
        "group" => {
            let members = asked["members"].as_array().cloned().unwrap_or_default();
            let members: Vec<Arc<str>> = members
                .iter()
                .filter_map(Value::as_str)
                .map(Arc::from)
                .collect();
            let chat = inner.change(|world| world.add_group(text("name"), "", "", &members));
            Ok(json!({"id": &*chat.id}))
        }
        "join" => {
            inner.change(|world| world.join(&id("chat"), &id("person")));
            Ok(json!({}))
        }
        "leave" => {
            inner.change(|world| world.leave(&id("chat"), &id("person")));
            Ok(json!({}))
        }
        "stand" => {
            let standing =
                standing(text("as")).ok_or("`as` is enabled, disabled, deleted or left")?;
            inner.change(|world| world.stand(&id("chat"), standing));
            Ok(json!({}))
        }
        "say" => {
            let quotes = asked["quotes"].as_str();
            let picture = asked["picture"].as_bool().unwrap_or(false);
            let message = inner.change(|world| {
                world.write(&id("person"), &id("chat"), text("text"), quotes, picture)
            });
            Ok(json!({"message_id": message}))
        }
        "webhook" => {
            let url = asked["url"].as_str().map(str::to_owned);
            inner.change(|world| world.webhook = url);
            Ok(json!({}))
        }
        "consent" => {
            inner.change(|world| {
                world
                    .codes
                    .insert(text("code").to_owned(), text("challenge").to_owned())
            });
            Ok(json!({}))
        }
        "tokens" => Ok(inner.change(|world| tokens(world, text("do")))),
        "inject" => {
            let timestamp = asked["timestamp"].as_str().unwrap_or("0").to_owned();
            inner.change(|world| world.give(asked.to_string().into_bytes(), &timestamp));
            Ok(json!({}))
        }
        "switches" => {
            inner.change(|world| set(&mut world.switches, asked))?;
            Ok(json!({}))
        }
        "faults" => {
            let rules = asked["rules"].as_array().cloned().unwrap_or_default();
            let rules = rules.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
            inner.change(|world| {
                if asked["clear"] == true {
                    world.rules.clear();
                }
                world.rules.extend(rules);
            });
            Ok(json!({}))
        }
        "clock" => {
            let by = Duration::from_millis(int(asked, "advance_ms").unwrap_or(0));
            Ok(inner.change(|world| {
                world.ahead += by;
                json!({"now_ms": world.now_ms()})
            }))
        }
        "sent" => {
            let world = inner.look();
            let all = world.sent.iter().skip(after).map(|sent| {
                json!({"chat": &*sent.chat.id, "message_id": sent.message_id, "text": sent.text,
                    "called": sent.called, "quotes": sent.quotes, "attachment": sent.attachment})
            });
            Ok(all.collect())
        }
        "calls" => {
            let world = inner.look();
            let all = world.calls.iter().skip(after).map(|call| {
                json!({"verb": call.verb, "path": call.path, "parameters": call.parameters,
                    "status": call.status, "answer": call.answer_json()})
            });
            Ok(all.collect())
        }
        "stats" => {
            let world = inner.look();
            let stats = super::stats(&world, inner);
            Ok(
                json!({"pending": stats.pending, "due": stats.due, "taken": stats.taken, "failed": stats.failed,
                "lost": stats.lost, "calls": stats.calls, "max_in_any_minute": stats.max_in_any_minute,
                "limited": stats.limited, "rotations": stats.rotations, "reused": stats.reused,
                "posted": stats.posted}),
            )
        }
        _ => Err(format!("there is no `{what}` to control")),
    }
}

fn tokens(world: &mut World, what: &str) -> Value {
    match what {
        "end_access" => world.end_access(),
        "spend_refresh" => world.spend_refresh(),
        _ => {
            let (access, refresh) = world.pair();
            return json!({"access_token": access, "refresh_token": refresh});
        }
    }
    json!({})
}

fn standing(word: &str) -> Option<Standing> {
    Some(match word {
        "enabled" => Standing::Enabled,
        "disabled" => Standing::Disabled,
        "deleted" => Standing::Deleted,
        "left" => Standing::Left,
        _ => return None,
    })
}

fn set(switches: &mut Switches, asked: &Value) -> Result<(), String> {
    let fields = asked.as_object().ok_or("switches are an object")?;
    for (key, value) in fields {
        let yes = || value.as_bool().ok_or(format!("`{key}` is true or false"));
        let number = || {
            value
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
                .ok_or(format!("`{key}` is a number"))
        };
        match key.as_str() {
            "oa_first" => switches.oa_first = yes()?,
            "bare" => switches.bare = yes()?,
            "revokes" => switches.revokes = yes()?,
            "echoes" => switches.echoes = yes()?,
            "numbers" => switches.numbers = yes()?,
            "repeats" => switches.repeats = yes()?,
            "per_minute" => switches.per_minute = number()?,
            "page" => switches.page = number()?,
            "names" => {
                switches.names = if value == "older" {
                    Names::Older
                } else {
                    Names::Newer
                };
            }
            "quote" => {
                switches.quote = match value.as_str() {
                    Some("object") => Quote::Object,
                    Some("id") => Quote::Id,
                    _ => Quote::Both,
                };
            }
            "expiry" => {
                switches.expiry = if value == "removed" {
                    Expiry::Removed
                } else {
                    Expiry::Invalid
                };
            }
            _ => return Err(format!("there is no switch `{key}`")),
        }
    }
    Ok(())
}

fn rule(asked: &Value) -> Result<Rule, String> {
    let text = |key: &str| asked[key].as_str().unwrap_or_default().to_owned();
    let status = || {
        int(asked, "status")
            .and_then(|status| u16::try_from(status).ok())
            .unwrap_or(502)
    };
    let fault = match text("fault").as_str() {
        "error" => Fault::Error(asked["code"].as_i64().unwrap_or(-200), text("words")),
        "html" => Fault::Html(status()),
        "html_after" => Fault::HtmlAfter(status()),
        "close_before" => Fault::CloseBefore,
        "close_after" => Fault::CloseAfter,
        "hang_after" => Fault::HangAfter,
        "body" => Fault::Body(text("body").into_bytes()),
        other => return Err(format!("there is no fault `{other}`")),
    };
    Ok(Rule {
        path: asked["path"].as_str().unwrap_or("*").to_owned(),
        times: int(asked, "times"),
        after: int(asked, "after").unwrap_or(0),
        fault,
    })
}
