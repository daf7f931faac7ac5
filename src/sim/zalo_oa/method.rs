//! The calls of the OA's API and of the token endpoint, carried out on the world.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::super::args::{Args, as_int};
use super::server::error;
use super::world::{ACCESS_MS, Package, Room, Standing, World};

/// The longest text of a message, in characters.
const MAX_TEXT: usize = 2_000;

/// How long after their last word somebody can be written to.
const WEEK_MS: u64 = 7 * 86_400_000;

/// One call as it came in.
pub(super) struct Call<'a> {
    pub(super) post: bool,
    pub(super) path: &'a str,
    pub(super) args: &'a Args,
    pub(super) access: &'a str,
    pub(super) secret: &'a str,
    pub(super) form: bool,
    pub(super) arrived: Instant,
}

type Failure = (i64, String);
type Outcome = Result<Option<Value>, Failure>;

fn fail<T>(code: i64, words: &str) -> Result<T, Failure> {
    Err((code, words.to_owned()))
}

/// The whole answer.
pub(super) fn carry_out(world: &mut World, call: &Call<'_>) -> Value {
    if call.path == "/v4/oa/access_token" {
        return token(world, call);
    }
    let outcome = world
        .admits(call.access)
        .map_err(|(code, words)| (code, words.to_owned()))
        .and_then(|()| oa(world, call));
    match outcome {
        Ok(Some(data)) => json!({"data": data, "error": 0, "message": "Success"}),
        Ok(None) => json!({"error": 0, "message": "Success"}),
        Err((code, words)) => error(code, &words),
    }
}

fn token(world: &mut World, call: &Call<'_>) -> Value {
    let refused = |code: i64, name: &str, words: &str| json!({"error": code, "error_name": name, "error_description": words, "error_reason": words});
    if !call.post || !call.form {
        return refused(
            -14_001,
            "Invalid request",
            "Content-Type must be application/x-www-form-urlencoded.",
        );
    }
    if call.secret != world.app_secret {
        return refused(-14_004, "Invalid secret key", "Secret key is invalid.");
    }
    let text = |name: &str| call.args.text(name).unwrap_or_default().to_owned();
    if text("app_id") != world.app_id {
        return refused(-14_002, "Invalid app id", "App id is invalid.");
    }
    let pair = match text("grant_type").as_str() {
        "refresh_token" => world.exchange(&text("refresh_token")),
        "authorization_code" => {
            // A code works once, and only with the verifier whose challenge it was asked for with.
            match world.codes.remove(&text("code")) {
                Some(challenge) if challenge == challenge_of(&text("code_verifier")) => {
                    Ok(world.pair())
                }
                Some(_) => Err((-14_005, "Code verifier is invalid.")),
                None => Err((-14_006, "Authorized code is invalid or expired.")),
            }
        }
        _ => Err((-14_003, "Grant type is invalid.")),
    };
    match pair {
        Ok((access, refresh)) => json!({
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": (ACCESS_MS / 1_000).to_string(),
        }),
        Err((code, words)) => refused(code, "Invalid token", words),
    }
}

/// The challenge of a verifier: base64url of its SHA-256, without filling.
fn challenge_of(verifier: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let sum = Sha256::digest(verifier.as_bytes());
    let mut text = String::new();
    for three in sum.chunks(3) {
        let mut bits = 0_u32;
        (0..3).for_each(|at| bits = bits << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        for place in 0..=three.len() {
            let index = bits >> (18 - 6 * place) & 63;
            text.push(char::from(LETTERS[index as usize]));
        }
    }
    text
}

fn oa(world: &mut World, call: &Call<'_>) -> Outcome {
    let args = call.args;
    let text = |name: &str| args.text(name).unwrap_or_default().to_owned();
    match (call.post, call.path) {
        (false, "/v2.0/oa/getoa") => Ok(Some(json!({
            "oa_id": world.oa_id,
            "name": world.oa_name,
            "description": "",
            "oa_alias": "",
            "is_verified": true,
            "oa_type": 4,
            "cate_name": "Cơ quan nhà nước",
            "num_follower": 512,
            "avatar": "https://s120-ava-talk.zadn.vn/default",
            "package_name": "Nâng cao",
            "package_valid_through_date": "31/12/2027",
            "package_auto_renew_date": "31/12/2027",
        }))),
        (false, "/v3.0/oa/user/detail") => {
            let data = args.json("data").ok().flatten().unwrap_or_default();
            let id = data["user_id"].as_str().unwrap_or_default();
            match world.name_of(id) {
                Some(name) => Ok(Some(
                    json!({"user_id": id, "display_name": name, "user_is_follower": true}),
                )),
                None => fail(-201, "user_id is invalid"),
            }
        }
        (true, "/v2.0/oa/message") => fail(
            -240,
            "Api message v2 has been shutdown, please use api message v3",
        ),
        (true, "/v3.0/oa/message/cs") => private_message(world, call),
        (true, "/v3.0/oa/group/message") => group_message(world, call),
        (true, "/v2.0/oa/upload/image") => upload(
            world,
            args,
            &["jpg", "jpeg", "png"],
            1 << 20,
            "attachment_id",
        ),
        (true, "/v2.0/oa/upload/file") => upload(
            world,
            args,
            &["pdf", "doc", "docx", "csv"],
            5 << 20,
            "token",
        ),
        (true, "/v3.0/oa/quota/group") => {
            let (kind, origin) = (text("product_type"), text("quota_type"));
            if text("quota_owner") != "OA" {
                return fail(-201, "quota_owner is invalid");
            }
            let fits = |package: &&Package| package.kind == kind && package.origin == origin;
            let packages: Vec<Value> = world
                .packages
                .iter()
                .filter(fits)
                .map(|package| {
                    json!({
                        "product_type": package.kind,
                        "quota_type": package.origin,
                        "asset_id": package.id,
                        "valid_through": "31/12/2027",
                        "auto_renew": false,
                        "status": if package.used_by.is_some() { "used" } else { "available" },
                        "used_id": package.used_by.as_deref().unwrap_or_default(),
                    })
                })
                .collect();
            Ok(Some(packages.into()))
        }
        (post, path) => match path.strip_prefix("/v3.0/oa/group/") {
            Some(what) if post => change_group(world, call, what),
            Some(what) => ask_group(world, args, what),
            None => fail(404, "Empty api or this http method is not supported"),
        },
    }
}

fn ask_group(world: &mut World, args: &Args, what: &str) -> Outcome {
    let number = |name: &str, default: usize| {
        args.int(name)
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or(default)
    };
    let (offset, asked) = (number("offset", 0), number("count", 5));
    let count = asked.min(world.switches.page);
    let id = args.text("group_id").unwrap_or_default().to_owned();
    match what {
        "getgroupsofoa" => {
            let all = world.living();
            let page = all.iter().skip(offset).take(count);
            let groups: Vec<Value> = page.map(|(id, room)| world.group_json(id, room)).collect();
            Ok(Some(
                json!({"offset": offset, "count": asked, "total": all.len(), "group_count": groups.len(), "groups": groups}),
            ))
        }
        "getgroup" => {
            let room = about(world, &id)?;
            Ok(Some(world.group_details(&id, room)))
        }
        "listmember" => {
            let room = about(world, &id)?;
            let us = json!({"oa_id": world.oa_id, "name": world.oa_name, "avatar": ""});
            let people = room.members.iter().map(|member| {
                let name = world.name_of(member).unwrap_or_default();
                json!({"user_id": &**member, "name": name, "avatar": ""})
            });
            let all: Vec<Value> = std::iter::once(us).chain(people).collect();
            let page: Vec<&Value> = all.iter().skip(offset).take(count).collect();
            Ok(Some(
                json!({"offset": offset, "count": asked, "total": all.len(), "member_count": page.len(), "members": page}),
            ))
        }
        "listpendinginvite" => {
            let room = about(world, &id)?;
            let all = room.invited.iter().map(|person| json!({"user_id": &**person, "name": world.name_of(person).unwrap_or_default()}));
            let page: Vec<Value> = all.skip(offset).take(count).collect();
            Ok(Some(
                json!({"offset": offset, "count": asked, "total": room.invited.len(), "member_count": page.len(), "members": page}),
            ))
        }
        "conversation" => {
            about(world, &id)?;
            Ok(Some(world.history(&id, offset, count).into()))
        }
        "listrecentchat" => Ok(Some(world.recent(offset, count).into())),
        _ => fail(404, "Empty api or this http method is not supported"),
    }
}

/// A group that can be asked about: a disabled one too.
fn about<'w>(world: &'w World, id: &str) -> Result<&'w Room, Failure> {
    match world.groups.get(id) {
        Some(room) if room.standing == Standing::Disabled => Ok(room),
        _ => world
            .entrance(id)
            .map_err(|(code, words)| (code, words.to_owned())),
    }
}

fn people(call: &Call<'_>) -> Vec<Arc<str>> {
    let list = call
        .args
        .values
        .get("member_user_ids")
        .and_then(Value::as_array);
    // Ids are strings: a number is not understood, as it is not by the platform.
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(Arc::from)
        .collect()
}

fn change_group(world: &mut World, call: &Call<'_>, what: &str) -> Outcome {
    let text = |name: &str| call.args.text(name).unwrap_or_default().to_owned();
    let people = people(call);
    if what == "creategroupwithoa" {
        let (name, package) = (text("group_name"), text("asset_id"));
        if name.trim().is_empty() {
            return fail(-201, "group_name is invalid");
        }
        if !(1..=99).contains(&people.len()) || !people.iter().all(|person| world.knows(person)) {
            return fail(-201, "member_user_ids is invalid");
        }
        match world.packages.iter().find(|one| one.id == package) {
            None => return fail(-201, "asset_id is invalid"),
            Some(used) if used.used_by.is_some() => return fail(-241, "Asset is already used"),
            Some(_) => {}
        }
        let chat = world.add_group(&name, &text("group_description"), &package, &people);
        let made = world
            .groups
            .get(&chat.id)
            .map(|room| world.group_json(&chat.id, room));
        return Ok(made);
    }
    let id = text("group_id");
    about(world, &id)?;
    let Some(room) = world.groups.get_mut(id.as_str()) else {
        return fail(-201, "group_id is invalid");
    };
    match what {
        "updateinfo" => {
            for key in [
                "lock_send_msg",
                "join_appr",
                "enable_msg_history",
                "enable_link_join",
            ] {
                if let Some(value @ Value::Bool(_)) = call.args.values.get(key) {
                    room.settings.insert(key.to_owned(), value.clone());
                }
            }
            if call.args.has("group_description") {
                room.description = text("group_description");
            }
            if call.args.has("group_name") {
                world.rename(&id, &text("group_name"));
            }
            let room = world.groups.get(id.as_str());
            Ok(room.map(|room| world.group_details(&id, room)))
        }
        "invite" => {
            if people.is_empty() || !people.iter().all(|person| world.knows(person)) {
                return fail(-213, "User has not followed OA");
            }
            for person in &people {
                world.join(&id, person);
            }
            Ok(None)
        }
        "acceptpendinginvite" => {
            room.invited.retain(|person| !people.contains(person));
            for person in &people {
                world.join(&id, person);
            }
            Ok(None)
        }
        "rejectpendinginvite" => {
            room.invited.retain(|person| !people.contains(person));
            Ok(None)
        }
        "removemembers" => {
            for person in &people {
                world.leave(&id, person);
            }
            Ok(None)
        }
        "addadmins" => {
            room.admins.extend(people);
            Ok(None)
        }
        "removeadmins" => {
            room.admins.retain(|admin| !people.contains(admin));
            Ok(None)
        }
        "delete" => {
            world.stand(&id, Standing::Deleted);
            Ok(None)
        }
        _ => fail(404, "Empty api or this http method is not supported"),
    }
}

/// The fields of `recipient` and `message`.
fn parts(args: &Args) -> (Map<String, Value>, Map<String, Value>) {
    let part = |name: &str| {
        args.values
            .get(name)
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    (part("recipient"), part("message"))
}

/// The text and the attachment, if both are as they must be.
fn content(
    world: &World,
    message: &Map<String, Value>,
) -> Result<(String, Option<Value>), Failure> {
    let text = message
        .get("text")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if text.chars().count() > MAX_TEXT {
        return fail(-210, "message text over limit");
    }
    let attachment = message.get("attachment").cloned();
    let shown = attachment
        .as_ref()
        .and_then(|one| one["payload"]["elements"][0]["attachment_id"].as_str());
    if shown.is_some_and(|id| !world.uploaded.contains(id)) {
        return fail(-100, "attachment is expired");
    }
    match &attachment {
        None if text.trim().is_empty() => fail(-201, "message.text is invalid"),
        None => Ok((text, None)),
        Some(one) => {
            let payload = &one["payload"];
            let right = match one["type"].as_str() {
                Some("file") => payload["token"].is_string(),
                Some("template") => {
                    let element = payload["elements"]
                        .as_array()
                        .filter(|all| all.len() == 1)
                        .and_then(|all| all.first());
                    payload["template_type"] == "media"
                        && element.is_some_and(|element| match element["media_type"].as_str() {
                            Some("image" | "gif") => {
                                element["url"].is_string() != element["attachment_id"].is_string()
                            }
                            Some("sticker") => element["attachment_id"].is_string(),
                            _ => false,
                        })
                }
                _ => false,
            };
            if right {
                Ok((text, attachment))
            } else {
                fail(-201, "message.attachment is invalid")
            }
        }
    }
}

fn group_message(world: &mut World, call: &Call<'_>) -> Outcome {
    let (recipient, message) = parts(call.args);
    let Some(id) = recipient.get("group_id").and_then(Value::as_str) else {
        return fail(-201, "recipient.group_id is invalid");
    };
    let (text, attachment) = content(world, &message)?;
    world
        .entrance(id)
        .map_err(|(code, words)| (code, words.to_owned()))?;
    let chat: Arc<str> = id.into();
    let message_id = world.post(&chat, &text, None, attachment, call.arrived);
    Ok(Some(json!({"message_id": message_id, "group_id": id})))
}

fn private_message(world: &mut World, call: &Call<'_>) -> Outcome {
    let (recipient, message) = parts(call.args);
    let Some(id) = recipient.get("user_id").and_then(Value::as_str) else {
        return fail(-201, "recipient.user_id is invalid");
    };
    let (text, attachment) = content(world, &message)?;
    if world.name_of(id).is_none() {
        return fail(-201, "user_id is invalid");
    }
    let now = world.now_ms();
    let wrote = world.last_words(id);
    if wrote.is_none_or(|wrote| now - wrote >= WEEK_MS) {
        return fail(
            -230,
            "User has not interacted with the OA in the past 7 days",
        );
    }
    let chat: Arc<str> = id.into();
    let quotes = message.get("quote_message_id").and_then(Value::as_str);
    let message_id = world.post(&chat, &text, quotes, attachment, call.arrived);
    Ok(Some(json!({
        "quota": {"quota_type": "reply", "remain": "7", "total": "8"},
        "message_id": message_id,
        "user_id": id,
    })))
}

fn upload(world: &mut World, args: &Args, kinds: &[&str], most: usize, answer: &str) -> Outcome {
    let Some((_, file)) = args.files.iter().find(|(field, _)| field == "file") else {
        return fail(-201, "file is invalid");
    };
    let name = file.name.to_ascii_lowercase();
    if !kinds.iter().any(|kind| name.ends_with(&format!(".{kind}"))) {
        return fail(-201, "file type is invalid");
    }
    if file.content.len() > most {
        return fail(-210, "file size over limit");
    }
    let is_picture =
        file.content.starts_with(b"\x89PNG\r\n\x1a\n") || file.content.starts_with(b"\xff\xd8\xff");
    if answer == "attachment_id" && !is_picture {
        return fail(-201, "file type is invalid");
    }
    let id = world.hex(40);
    world.uploaded.insert(id.clone());
    Ok(Some(json!({ answer: id })))
}

/// A number of the control API, also in quotes.
pub(super) fn int(value: &Value, key: &str) -> Option<u64> {
    value
        .get(key)
        .and_then(as_int)
        .and_then(|number| u64::try_from(number).ok())
}
