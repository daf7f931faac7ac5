//! The control API: the town's abilities over HTTP, for whoever runs it in a process of its own.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde_json::{Value, json};

use super::server::Inner;
use super::world::{Fault, Rule, Switches};

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
    let person: Arc<str> = text("person").into();
    let after = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("after="));
    let after: usize = after.and_then(|number| number.parse().ok()).unwrap_or(0);
    match what {
        "person" => {
            let person = inner.change(|world| world.add_person(text("name")));
            Ok(json!({"id": &*person.id}))
        }
        "say" => {
            let answers = asked["answers"].as_str();
            let id = inner.change(|world| world.say(&person, text("text"), answers));
            Ok(json!({ "id": id }))
        }
        "press" => {
            super::press(inner, &person, text("label"), text("payload"));
            Ok(json!({}))
        }
        "write" => {
            let under = asked["under"].as_str();
            let id = inner.change(|world| world.write(&person, under, text("text")));
            Ok(json!({ "id": id }))
        }
        "rewrite" => {
            inner.change(|world| world.rewrite(text("id"), text("text")));
            Ok(json!({}))
        }
        "remove" => {
            inner.change(|world| world.take_away(text("id")));
            Ok(json!({}))
        }
        "webhook" => {
            let url = asked["url"].as_str().map(str::to_owned);
            inner.change(|world| (world.webhook, world.verified) = (url, false));
            Ok(json!({}))
        }
        "inject" => {
            let body = match asked["raw"].as_str() {
                Some(raw) => raw.to_owned(),
                None => super::world::escaped(&asked.to_string(), false),
            };
            inner.change(|world| {
                let call = world.sign(body.into_bytes());
                world.retries.push_back(call);
            });
            Ok(json!({}))
        }
        "sign" => {
            let world = inner.look();
            let body = text("body").as_bytes();
            let signature = super::world::signature(&world.options.app_secret, body);
            Ok(json!({ "signature": signature }))
        }
        "next_call" => {
            let call = inner.change(|world| world.next_call().0);
            Ok(call.map_or(Value::Null, |call| {
                json!({"body": String::from_utf8_lossy(&call.body), "signature": call.signature})
            }))
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
            let by = Duration::from_millis(asked["advance_ms"].as_u64().unwrap_or(0));
            Ok(inner.change(|world| {
                world.ahead += by;
                json!({"now_ms": world.now_ms()})
            }))
        }
        "sent" => {
            let world = inner.look();
            let all = world.sent.iter().skip(after).map(|sent| {
                let place = match &sent.place {
                    super::Place::Wall => json!("wall"),
                    super::Place::Under(id) => json!({ "under": id }),
                    super::Place::Chat(person) => json!({ "chat": &**person }),
                };
                json!({"place": place, "id": sent.id, "text": sent.text, "aside_of": sent.aside_of,
                    "template": sent.template, "picture": sent.picture.as_ref().map(|picture| &picture.id), "metadata": sent.metadata, "edited": sent.edited, "deleted": sent.deleted})
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
            let stats = super::stats(&inner.look(), inner);
            Ok(
                json!({"pending": stats.pending, "taken": stats.taken, "failed": stats.failed,
                "lost": stats.lost, "calls": stats.calls, "posted": stats.posted}),
            )
        }
        _ => Err(format!("there is no `{what}` to control")),
    }
}

fn set(switches: &mut Switches, asked: &Value) -> Result<(), String> {
    let fields = asked.as_object().ok_or("switches are an object")?;
    for (key, value) in fields {
        let yes = || value.as_bool().ok_or(format!("`{key}` is true or false"));
        let number = || value.as_u64().ok_or(format!("`{key}` is a number"));
        match key.as_str() {
            "nameless" => switches.nameless = yes()?,
            "numbers" => switches.numbers = yes()?,
            "units_swapped" => switches.units_swapped = yes()?,
            "slashes" => switches.slashes = yes()?,
            "repeats" => switches.repeats = yes()?,
            "echoes" => switches.echoes = yes()?,
            "backwards" => switches.backwards = yes()?,
            "needs_proof" => switches.needs_proof = yes()?,
            "quoted_success" => switches.quoted_success = yes()?,
            "keeps_pictures" => switches.keeps_pictures = yes()?,
            "echo_late_ms" => switches.echo_late_ms = number()?,
            "batch" => switches.batch = usize::try_from(number()?).unwrap_or(1),
            "per_second" => switches.per_second = usize::try_from(number()?).unwrap_or(1),
            "usage_page" => switches.usage.0 = number()?,
            "usage_messenger" => switches.usage.1 = number()?,
            _ => return Err(format!("there is no switch `{key}`")),
        }
    }
    Ok(())
}

fn rule(asked: &Value) -> Result<Rule, String> {
    let number = |key: &str| asked[key].as_i64().unwrap_or(0);
    let status = || u16::try_from(number("status")).unwrap_or(502);
    let fault = match asked["fault"].as_str().unwrap_or_default() {
        "error" => Fault::Error(number("code"), number("subcode")),
        "error_after" => Fault::ErrorAfter(number("code"), number("subcode")),
        "html" => Fault::Html(status()),
        "html_after" => Fault::HtmlAfter(status()),
        "close_before" => Fault::CloseBefore,
        "close_after" => Fault::CloseAfter,
        "body" => Fault::Body(asked["body"].as_str().unwrap_or_default().into()),
        other => return Err(format!("there is no fault `{other}`")),
    };
    Ok(Rule {
        path: asked["path"].as_str().unwrap_or("*").to_owned(),
        times: asked["times"].as_u64(),
        fault,
    })
}
