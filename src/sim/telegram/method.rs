//! The Bot API's methods: what each does to the world, and in which words the
//! server refuses.
//!
//! The texts of errors are those of the official server (`Client.cpp` of
//! tdlib/telegram-bot-api 10.0) and, where it passes on TDLib's own, of TDLib.
//! `getUpdates` and the webhook methods need the network and are elsewhere.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::entity;
use super::post::{Author, Kind, Post, entities_json};
use super::world::{Room, Sort, Standing, World, write_member};
use super::{Keep, What};
use crate::sim::args::Upload;
use crate::sim::args::{Args, as_int};

/// A refusal, as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: u16,
    pub(super) description: Cow<'static, str>,
    /// `retry_after` or `migrate_to_chat_id`.
    pub(super) parameter: Option<(&'static str, i64)>,
}

impl Failure {
    pub(super) fn new(code: u16, description: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            description: description.into(),
            parameter: None,
        }
    }

    pub(super) fn too_many(retry_after: u64) -> Self {
        Self {
            code: 429,
            description: format!("Too Many Requests: retry after {retry_after}").into(),
            parameter: Some((
                "retry_after",
                i64::try_from(retry_after).unwrap_or(i64::MAX),
            )),
        }
    }

    /// The body of the answer.
    pub(super) fn body(&self) -> Vec<u8> {
        let mut body =
            json!({"ok": false, "error_code": self.code, "description": self.description});
        if let (Some((name, value)), Some(map)) = (self.parameter, body.as_object_mut()) {
            let mut parameters = Map::new();
            parameters.insert(name.into(), value.into());
            map.insert("parameters".into(), Value::Object(parameters));
        }
        body.to_string().into_bytes()
    }
}

fn bad(description: &'static str) -> Failure {
    Failure::new(400, description)
}

type Outcome = Result<Vec<u8>, Failure>;

/// The method puts a message into a chat (and so counts against the limits).
pub(super) fn posts(method: &str) -> bool {
    method.starts_with("send") && method != "sendchataction"
        || method.starts_with("forward")
        || method.starts_with("copy")
}

/// The chat a call is about, if it names one.
pub(super) fn chat_of(args: &Args) -> Option<i64> {
    args.int("chat_id")
}

/// Carries out `method` (in lower case).
pub(super) fn call(world: &mut World, method: &str, args: &Args, now: Instant) -> Outcome {
    match method {
        "sendmessage" => send_message(world, args, now),
        "getme" => Ok(get_me(world)),
        "sendphoto" => send_media(world, args, now, Kind::Photo, "photo"),
        "senddocument" => send_media(world, args, now, Kind::Document, "document"),
        "sendlocation" => send_location(world, args, now),
        "editmessagetext" => edit(world, args, now, Part::Text),
        "editmessagecaption" => edit(world, args, now, Part::Caption),
        "editmessagemedia" => edit_media(world, args, now),
        "editmessagereplymarkup" => edit(world, args, now, Part::Markup),
        "deletemessage" => delete(world, args, now),
        "answercallbackquery" => answer_callback(world, args, now),
        "pinchatmessage" => pin(world, args, true),
        "unpinchatmessage" => pin(world, args, false),
        "unpinallchatmessages" => unpin_all(world, args),
        "setmycommands" => set_commands(world, args),
        "deletemycommands" => {
            world.commands.clear();
            Ok(b"true".to_vec())
        }
        "getmycommands" => Ok(Value::Array(world.commands.clone())
            .to_string()
            .into_bytes()),
        "getchat" => get_chat(world, args),
        "getchatmember" => get_chat_member(world, args),
        "getchatmembercount" | "getchatmemberscount" => {
            let chat = reach(world, args, Access::Read)?;
            let count = match world.rooms.get(&chat) {
                Some(room) if room.is_group() => world.people.len() as u64 + room.silent + 1,
                _ => 2,
            };
            Ok(count.to_string().into_bytes())
        }
        "getchatadministrators" => get_administrators(world, args),
        "leavechat" => leave(world, args),
        "sendchataction" => {
            reach(world, args, Access::Write)?;
            Ok(b"true".to_vec())
        }
        "getfile" => get_file(args),
        "setmydescription"
        | "setmyshortdescription"
        | "setmyname"
        | "setchatmenubutton"
        | "setmydefaultadministratorrights" => Ok(b"true".to_vec()),
        _ => Err(Failure::new(404, "Not Found: method not found")),
    }
}

fn get_me(world: &World) -> Vec<u8> {
    let mut me: Value = serde_json::from_str(&world.bot_json).unwrap_or_default();
    if let Some(map) = me.as_object_mut() {
        map.insert("can_join_groups".into(), true.into());
        map.insert(
            "can_read_all_group_messages".into(),
            (!world.privacy_mode).into(),
        );
        for name in [
            "supports_inline_queries",
            "can_connect_to_business",
            "has_main_web_app",
            "has_topics_enabled",
        ] {
            map.insert(name.into(), false.into());
        }
    }
    me.to_string().into_bytes()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// The chat that the call names, if the bot has `access` to it.
fn reach(world: &mut World, args: &Args, access: Access) -> Result<i64, Failure> {
    let id = match args.values.get("chat_id") {
        None | Some(Value::Null) => return Err(bad("Bad Request: chat_id is empty")),
        Some(Value::String(text)) if text.is_empty() => {
            return Err(bad("Bad Request: chat_id is empty"));
        }
        Some(value) => as_int(value).ok_or_else(|| bad("Bad Request: chat not found"))?,
    };
    let write = access == Access::Write;
    if !world.rooms.contains_key(&id) {
        return Err(match world.people.contains_key(&id) {
            true if write => Failure::new(
                403,
                "Forbidden: bot can't initiate conversation with a user",
            ),
            _ => bad("Bad Request: chat not found"),
        });
    }
    let Some(room) = world.rooms.get(&id) else {
        return Err(bad("Bad Request: chat not found"));
    };
    match (room.sort, room.bot) {
        (Sort::Group, _) if room.migrated_to.is_some() && write => Err(Failure {
            parameter: room.migrated_to.map(|id| ("migrate_to_chat_id", id)),
            ..bad("Bad Request: group chat was upgraded to a supergroup chat")
        }),
        (_, Standing::Member | Standing::Administrator) => Ok(id),
        (Sort::Private, Standing::Kicked) if write => {
            Err(Failure::new(403, "Forbidden: bot was blocked by the user"))
        }
        (Sort::Private, Standing::Stranger | Standing::Left) if write => Err(Failure::new(
            403,
            "Forbidden: bot can't initiate conversation with a user",
        )),
        (Sort::Private, _) => Ok(id),
        (_, Standing::Stranger) => Err(bad("Bad Request: chat not found")),
        (Sort::Group, _) if !write => Ok(id),
        (Sort::Group, Standing::Kicked) => Err(Failure::new(
            403,
            "Forbidden: bot was kicked from the group chat",
        )),
        (Sort::Group, Standing::Left) => Err(Failure::new(
            403,
            "Forbidden: bot is not a member of the group chat",
        )),
        (Sort::Supergroup, Standing::Kicked) => Err(Failure::new(
            403,
            "Forbidden: bot was kicked from the supergroup chat",
        )),
        (Sort::Supergroup, Standing::Left) => Err(Failure::new(
            403,
            "Forbidden: bot is not a member of the supergroup chat",
        )),
    }
}

/// A text as it will be seen, with its marks as a JSON array (or "").
fn styled(args: &Args, text: &str, entities: &str) -> Result<(String, String), Failure> {
    match args
        .text("parse_mode")
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        Some("html") => {
            let (visible, mut found) = entity::parse_html(text).map_err(|error| {
                Failure::new(400, format!("Bad Request: can't parse entities: {error}"))
            })?;
            found.extend(entity::find(&visible));
            found.sort_by_key(|one| one.offset);
            Ok((visible, entities_json(&found)))
        }
        Some("") | None => {
            let given = args
                .json(entities)
                .map_err(|()| bad("Bad Request: can't parse entities: expected an array"))?;
            match given {
                None => Ok((text.to_owned(), entities_json(&entity::find(text)))),
                Some(Value::Array(given)) => {
                    let units = entity::utf16_len(text);
                    let mut kept = Vec::with_capacity(given.len());
                    for one in given {
                        let number = |key| {
                            one.get(key)
                                .and_then(as_int)
                                .and_then(|n| usize::try_from(n).ok())
                        };
                        let (Some(offset), Some(length)) = (number("offset"), number("length"))
                        else {
                            return Err(bad(
                                "Bad Request: can't parse MessageEntity: Field \"offset\" must be of type Number",
                            ));
                        };
                        // The server cuts entities that leave the text.
                        if length > 0 && offset + length <= units {
                            kept.push(one);
                        }
                    }
                    let kept = if kept.is_empty() {
                        String::new()
                    } else {
                        Value::Array(kept).to_string()
                    };
                    Ok((text.to_owned(), kept))
                }
                Some(_) => Err(bad("Bad Request: can't parse entities: expected an array")),
            }
        }
        Some(_) => Err(bad("Bad Request: unsupported parse_mode")),
    }
}

/// Checks an inline keyboard; other kinds of keyboard pass as they are.
fn markup_of(args: &Args) -> Result<String, Failure> {
    let markup = args
        .json("reply_markup")
        .map_err(|()| bad("Bad Request: can't parse reply keyboard markup JSON object"))?;
    let Some(markup) = markup else {
        return Ok(String::new());
    };
    if !markup.is_object() {
        return Err(bad("Bad Request: object expected as reply markup"));
    }
    let Some(keyboard) = markup.get("inline_keyboard") else {
        return Ok(String::new());
    };
    let Some(rows) = keyboard.as_array() else {
        return Err(bad(
            "Bad Request: field \"inline_keyboard\" of the InlineKeyboardMarkup must be an Array",
        ));
    };
    for row in rows {
        let Some(row) = row.as_array() else {
            return Err(bad(
                "Bad Request: field \"inline_keyboard\" must be an Array of Arrays",
            ));
        };
        for button in row {
            if button
                .get("text")
                .and_then(Value::as_str)
                .is_none_or(str::is_empty)
            {
                return Err(bad(
                    "Bad Request: can't parse inline keyboard button: Can't find field \"text\"",
                ));
            }
            let data = button.get("callback_data").and_then(Value::as_str);
            if data.is_some_and(|data| data.is_empty() || data.len() > 64) {
                return Err(bad("Bad Request: BUTTON_DATA_INVALID"));
            }
            if button.as_object().is_none_or(|map| map.len() < 2) {
                return Err(bad(
                    "Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
                ));
            }
        }
    }
    if rows
        .iter()
        .all(|row| row.as_array().is_none_or(Vec::is_empty))
    {
        return Ok(String::new());
    }
    Ok(json!({"inline_keyboard": keyboard}).to_string())
}

/// The thread and the answered message that the call names.
fn target(room: &Room, args: &Args) -> Result<(i64, i64), Failure> {
    let mut thread = args.int("message_thread_id").unwrap_or(0);
    if thread != 0 {
        match room.topics.get(&thread) {
            Some(topic) if topic.closed && room.bot != Standing::Administrator => {
                return Err(bad("Bad Request: TOPIC_CLOSED"));
            }
            Some(_) => {}
            None if room.forum => return Err(bad("Bad Request: message thread not found")),
            // Outside forums a thread is the chain of answers to a message.
            None if room.sort == Sort::Supergroup && room.has(thread) => {}
            None => return Err(bad("Bad Request: message thread not found")),
        }
    }
    let reply = args
        .json("reply_parameters")
        .map_err(|()| bad("Bad Request: can't parse reply parameters JSON object"))?;
    let (to, tolerant) = match &reply {
        Some(reply) => {
            if let Some(other) = reply.get("chat_id").and_then(as_int)
                && other != room.id
            {
                return Err(bad("Bad Request: message to be replied not found"));
            }
            let to = reply.get("message_id").and_then(as_int).unwrap_or(0);
            (
                to,
                reply
                    .get("allow_sending_without_reply")
                    .and_then(Value::as_bool)
                    .unwrap_or(false),
            )
        }
        None => (
            args.int("reply_to_message_id").unwrap_or(0),
            args.flag("allow_sending_without_reply"),
        ),
    };
    if to == 0 {
        return Ok((thread, 0));
    }
    if !room.has(to) {
        return if tolerant {
            Ok((thread, 0))
        } else {
            Err(bad("Bad Request: message to be replied not found"))
        };
    }
    if thread == 0
        && let Some(old) = room.post(to)
    {
        thread = old.thread;
    }
    Ok((thread, to))
}

/// Writes the new message of the bot, keeps it, and gives it as JSON.
fn deliver(
    world: &mut World,
    args: &Args,
    chat: i64,
    now: Instant,
    fill: impl FnOnce(&mut Post),
) -> Outcome {
    let Some(room) = world.rooms.get(&chat) else {
        return Err(bad("Bad Request: chat not found"));
    };
    let (thread, reply_to) = target(room, args)?;
    let markup = markup_of(args)?;
    let mut post = Post::new(
        world.next_message_id(chat),
        Author::Bot,
        world.clock.now(),
        now,
    );
    post.thread = thread;
    post.reply_to = reply_to;
    post.markup = markup;
    fill(&mut post);
    let mut out = Vec::with_capacity(512);
    if let Some(room) = world.rooms.get(&chat) {
        world.write_in(&mut out, room, &post, true);
    }
    world.keep_sent(chat, post);
    Ok(out)
}

fn check_text(text: &str) -> Result<(), Failure> {
    if text.trim().is_empty() {
        return Err(bad("Bad Request: text must be non-empty"));
    }
    if entity::utf16_len(text) > 4096 {
        return Err(bad("Bad Request: message is too long"));
    }
    Ok(())
}

fn send_message(world: &mut World, args: &Args, now: Instant) -> Outcome {
    let chat = reach(world, args, Access::Write)?;
    let text = args.text("text").unwrap_or("");
    if text.is_empty() {
        return Err(bad("Bad Request: message text is empty"));
    }
    let (text, entities) = styled(args, text, "entities")?;
    check_text(&text)?;
    deliver(world, args, chat, now, |post| {
        post.text = text;
        post.entities = entities;
    })
}

fn caption_of(args: &Args) -> Result<(String, String), Failure> {
    let (text, entities) = styled(args, args.text("caption").unwrap_or(""), "caption_entities")?;
    if entity::utf16_len(&text) > 1024 {
        return Err(bad("Bad Request: message caption is too long"));
    }
    Ok((text, entities))
}

fn send_media(
    world: &mut World,
    args: &Args,
    now: Instant,
    kind: Kind,
    field: &'static str,
) -> Outcome {
    let chat = reach(world, args, Access::Write)?;
    let upload: Option<Upload> = args.file(field).cloned();
    if upload.is_none() && !args.has(field) {
        return Err(Failure::new(
            400,
            format!("Bad Request: there is no {field} in the request"),
        ));
    }
    if kind == Kind::Photo {
        check_photo(upload.as_ref(), args.text(field).unwrap_or(""))?;
    }
    let (text, entities) = caption_of(args)?;
    let number = world.dice.roll();
    let size = upload.as_ref().map_or(48_213, |file| file.content.len());
    let name = upload.as_ref().map_or("tep.bin", |file| file.name.as_str());
    let extra = if kind == Kind::Photo {
        photo_member(number, size)
    } else {
        let document = json!({
            "file_name": name, "mime_type": mime(name),
            "file_id": format!("BQACAgUAAxk{number:020}"), "file_unique_id": format!("AgAD{:010x}", number >> 24),
            "file_size": size,
        });
        format!("\"document\":{document}")
    };
    let keep = world.keep == Keep::Everything;
    deliver(world, args, chat, now, |post| {
        post.kind = kind;
        post.text = text;
        post.entities = entities;
        post.extra = extra;
        post.upload = upload.filter(|_| keep);
    })
}

/// A photo is a picture that came with the call, one that this server gave a name, or an address.
fn check_photo(upload: Option<&Upload>, name: &str) -> Result<(), Failure> {
    match upload {
        Some(file) if is_picture(&file.content) => Ok(()),
        Some(_) => Err(bad("Bad Request: IMAGE_PROCESS_FAILED")),
        None if name.starts_with("AgAC") || name.starts_with("http") => Ok(()),
        None => Err(bad("Bad Request: wrong file identifier/HTTP URL specified")),
    }
}

/// Whether a file begins as PNGs and JPEGs do.
fn is_picture(content: &[u8]) -> bool {
    content.starts_with(b"\x89PNG\r\n\x1a\n") || content.starts_with(b"\xff\xd8\xff")
}

/// The `photo` member of a message, in two sizes.
pub(super) fn photo_member(number: u64, size: usize) -> String {
    let one = |name: char, width: u32, height: u32, size: usize| {
        json!({
            "file_id": format!("AgACAgUAAxk{name}{number:020}"),
            "file_unique_id": format!("AQAD{name}{:010x}", number >> 24),
            "file_size": size, "width": width, "height": height,
        })
    };
    let sizes = json!([one('m', 320, 240, size / 12 + 1), one('x', 800, 600, size)]);
    format!("\"photo\":{sizes}")
}

/// The `audio` member of a message.
pub(super) fn audio_member(number: u64) -> String {
    let audio = json!({
        "duration": 1, "file_name": "loa.mp3", "mime_type": "audio/mpeg",
        "file_id": format!("CQACAgUAAxk{number:020}"), "file_unique_id": format!("AgAD{:010x}", number >> 24),
        "file_size": crate::sim::picture::recording().len(),
    });
    format!("\"audio\":{audio}")
}

fn mime(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        Some("png") => "image/png",
        Some("pdf") => "application/pdf",
        Some("csv") => "text/csv",
        _ => "application/octet-stream",
    }
}

fn send_location(world: &mut World, args: &Args, now: Instant) -> Outcome {
    let chat = reach(world, args, Access::Write)?;
    let degrees = |name: &str| match args.values.get(name) {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    let latitude = degrees("latitude").ok_or_else(|| bad("Bad Request: latitude is empty"))?;
    let longitude = degrees("longitude").ok_or_else(|| bad("Bad Request: longitude is empty"))?;
    deliver(world, args, chat, now, |post| {
        post.kind = Kind::Location;
        post.extra = format!(
            "\"location\":{}",
            json!({"latitude": latitude, "longitude": longitude})
        );
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Text,
    Caption,
    Markup,
}

fn edit(world: &mut World, args: &Args, now: Instant, part: Part) -> Outcome {
    let chat = reach(world, args, Access::Write)?;
    let id = args.int("message_id").unwrap_or(0);
    if id == 0 {
        return Err(bad("Bad Request: message identifier is not specified"));
    }
    let new = match part {
        Part::Text => {
            let text = args.text("text").unwrap_or("");
            if text.is_empty() {
                return Err(bad("Bad Request: message text is empty"));
            }
            let (text, entities) = styled(args, text, "entities")?;
            check_text(&text)?;
            Some((text, entities))
        }
        Part::Caption => Some(caption_of(args)?),
        Part::Markup => None,
    };
    let markup = markup_of(args)?;
    let date = world.clock.now();
    let Some(room) = world.rooms.get_mut(&chat) else {
        return Err(bad("Bad Request: chat not found"));
    };
    let assumed = (1..=room.assumed).contains(&id);
    let Some(post) = room.post_mut(id).filter(|post| !post.deleted) else {
        if !assumed {
            return Err(bad("Bad Request: message to edit not found"));
        }
        // Counted but not kept: it is given back as it will look.
        let mut post = Post::new(id, Author::Bot, date, now);
        (post.text, post.entities) = new.unwrap_or_default();
        (post.edit_date, post.markup) = (date, markup);
        let mut out = Vec::with_capacity(512);
        if let Some(room) = world.rooms.get(&chat) {
            world.write_in(&mut out, room, &post, false);
        }
        return Ok(out);
    };
    if post.author != Author::Bot || post.kind == Kind::Service {
        return Err(bad("Bad Request: message can't be edited"));
    }
    if part == Part::Text && post.kind != Kind::Text {
        return Err(bad("Bad Request: there is no text in the message to edit"));
    }
    let same_text = new
        .as_ref()
        .is_none_or(|(text, entities)| *text == post.text && *entities == post.entities);
    if same_text && markup == post.markup {
        return Err(bad(
            "Bad Request: message is not modified: specified new message content and reply markup are exactly the same \
             as a current content and reply markup of the message",
        ));
    }
    if let Some((text, entities)) = new {
        post.text = text;
        post.entities = entities;
    }
    post.markup = markup;
    post.edit_date = date;
    post.edits += 1;
    post.edited_at = Some(now);
    let shown = post.clone();
    world.play(chat, &shown, What::Edited);
    let mut out = Vec::with_capacity(512);
    world.write_message(&mut out, chat, id);
    Ok(out)
}

/// Another photo in a message of ours, or the first one in a text.
fn edit_media(world: &mut World, args: &Args, now: Instant) -> Outcome {
    let chat = reach(world, args, Access::Write)?;
    let id = args.int("message_id").unwrap_or(0);
    let media = args.json("media").ok().flatten().unwrap_or_default();
    if media["type"] != "photo" {
        return Err(bad(
            "Bad Request: can't parse InputMedia: type must be non-empty",
        ));
    }
    let name = media["media"].as_str().unwrap_or_default();
    let upload = name
        .strip_prefix("attach://")
        .and_then(|part| args.file(part))
        .cloned();
    check_photo(upload.as_ref(), name)?;
    let text = media["caption"].as_str().unwrap_or_default().to_owned();
    if entity::utf16_len(&text) > 1024 {
        return Err(bad("Bad Request: message caption is too long"));
    }
    let markup = markup_of(args)?;
    let date = world.clock.now();
    let number = world.dice.roll();
    let keep = world.keep == Keep::Everything;
    let size = upload.as_ref().map_or(48_213, |file| file.content.len());
    let Some(room) = world.rooms.get_mut(&chat) else {
        return Err(bad("Bad Request: chat not found"));
    };
    let Some(post) = room.post_mut(id).filter(|post| !post.deleted) else {
        return Err(bad("Bad Request: message to edit not found"));
    };
    if post.author != Author::Bot || !matches!(post.kind, Kind::Text | Kind::Photo) {
        return Err(bad("Bad Request: message can't be edited"));
    }
    (post.kind, post.text, post.entities) = (Kind::Photo, text, String::new());
    post.extra = photo_member(number, size);
    post.upload = upload.filter(|_| keep);
    post.markup = markup;
    post.edit_date = date;
    post.edits += 1;
    post.edited_at = Some(now);
    let shown = post.clone();
    world.play(chat, &shown, What::Edited);
    let mut out = Vec::with_capacity(512);
    world.write_message(&mut out, chat, id);
    Ok(out)
}

fn delete(world: &mut World, args: &Args, now: Instant) -> Outcome {
    let chat = reach(world, args, Access::Write)?;
    let id = args.int("message_id").unwrap_or(0);
    let Some(room) = world.rooms.get_mut(&chat) else {
        return Err(bad("Bad Request: chat not found"));
    };
    let rules = room.bot == Standing::Administrator;
    let (sort, assumed) = (room.sort, (1..=room.assumed).contains(&id));
    let Some(post) = room.post_mut(id).filter(|post| !post.deleted) else {
        return if assumed {
            Ok(b"true".to_vec())
        } else {
            Err(bad("Bad Request: message to delete not found"))
        };
    };
    let own = post.author == Author::Bot;
    // 48 hours by the town's own clock would need every date; age is what counts.
    let too_old = now.duration_since(post.at) > Duration::from_secs(48 * 3600);
    if too_old || !(own || rules || sort == Sort::Private) {
        return Err(bad("Bad Request: message can't be deleted"));
    }
    post.deleted = true;
    let shown = post.clone();
    world.play(chat, &shown, What::Removed);
    Ok(b"true".to_vec())
}

fn answer_callback(world: &mut World, args: &Args, now: Instant) -> Outcome {
    if args
        .text("text")
        .is_some_and(|text| text.chars().count() > 200)
    {
        return Err(bad("Bad Request: MESSAGE_TOO_LONG"));
    }
    let id = args.text("callback_query_id").unwrap_or("");
    match world.pressed.get_mut(id) {
        Some(pressed)
            if pressed.answer.is_none()
                && now.duration_since(pressed.at) < Duration::from_secs(60) =>
        {
            pressed.answer = Some(Value::Object(args.values.clone()));
            Ok(b"true".to_vec())
        }
        _ => Err(bad(
            "Bad Request: query is too old and response timeout expired or query ID is invalid",
        )),
    }
}

fn pin(world: &mut World, args: &Args, pinned: bool) -> Outcome {
    let chat = reach(world, args, Access::Write)?;
    let wanted = args.int("message_id");
    let Some(room) = world.rooms.get_mut(&chat) else {
        return Err(bad("Bad Request: chat not found"));
    };
    if room.sort == Sort::Supergroup && room.bot != Standing::Administrator {
        return Err(bad(
            "Bad Request: not enough rights to manage pinned messages in the chat",
        ));
    }
    let id = match wanted {
        Some(id) => id,
        None if pinned => return Err(bad("Bad Request: message identifier is not specified")),
        None => room
            .posts
            .iter()
            .rev()
            .find(|post| post.pinned)
            .map_or(0, |post| post.id),
    };
    let Some(post) = room.post_mut(id).filter(|post| !post.deleted) else {
        return Err(bad(match pinned {
            true => "Bad Request: message to pin not found",
            false => "Bad Request: message to unpin not found",
        }));
    };
    let changed = post.pinned != pinned;
    post.pinned = pinned;
    let shown = post.clone();
    if changed {
        world.play(
            chat,
            &shown,
            if pinned { What::Pinned } else { What::Unpinned },
        );
    }
    if changed && pinned {
        // The bot's own pin is one of the few things it hears of itself.
        let mut inner = Vec::new();
        if let Some(room) = world.rooms.get(&chat)
            && let Some(post) = room.post(id)
        {
            world.write_in(&mut inner, room, post, false);
        }
        let mut extra = Map::new();
        extra.insert(
            "pinned_message".into(),
            serde_json::from_slice(&inner).unwrap_or_default(),
        );
        let bot = world.bot_id;
        world.notice(chat, bot, &extra);
    }
    Ok(b"true".to_vec())
}

fn unpin_all(world: &mut World, args: &Args) -> Outcome {
    let chat = reach(world, args, Access::Write)?;
    if let Some(room) = world.rooms.get_mut(&chat) {
        for post in &mut room.posts {
            post.pinned = false;
        }
    }
    Ok(b"true".to_vec())
}

fn set_commands(world: &mut World, args: &Args) -> Outcome {
    let commands = match args.json("commands") {
        Ok(Some(Value::Array(commands))) => commands,
        _ => return Err(bad("Bad Request: parameter \"commands\" is required")),
    };
    if commands.len() > 100 {
        return Err(bad("Bad Request: too many bot commands specified"));
    }
    for one in &commands {
        let text = |key| one.get(key).and_then(Value::as_str).unwrap_or("");
        let name = text("command").strip_prefix('/').unwrap_or(text("command"));
        let letters = name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if name.is_empty() || name.len() > 32 || !letters {
            return Err(bad("Bad Request: BOT_COMMAND_INVALID"));
        }
        if !(1..=256).contains(&text("description").chars().count()) {
            return Err(bad("Bad Request: BOT_COMMAND_DESCRIPTION_INVALID"));
        }
    }
    world.commands = commands;
    Ok(b"true".to_vec())
}

fn get_chat(world: &mut World, args: &Args) -> Outcome {
    let chat = reach(world, args, Access::Read)?;
    let Some(room) = world.rooms.get(&chat) else {
        return Err(bad("Bad Request: chat not found"));
    };
    let mut value: Value = serde_json::from_str(&room.json).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        map.insert("accent_color_id".into(), 1.into());
        map.insert("max_reaction_count".into(), 11.into());
        map.insert(
            "accepted_gift_types".into(),
            json!({
                "unlimited_gifts": false, "limited_gifts": false, "unique_gifts": false,
                "premium_subscription": false, "gifts_from_channels": false,
            }),
        );
        if room.is_group() {
            map.insert(
                "permissions".into(),
                json!({
                    "can_send_messages": true, "can_send_audios": true, "can_send_documents": true,
                    "can_send_photos": true, "can_send_videos": true, "can_send_video_notes": true,
                    "can_send_voice_notes": true, "can_send_polls": true, "can_send_other_messages": true,
                    "can_add_web_page_previews": true, "can_change_info": false, "can_invite_users": true,
                    "can_pin_messages": false, "can_manage_topics": false,
                }),
            );
        }
    }
    Ok(value.to_string().into_bytes())
}

fn get_chat_member(world: &mut World, args: &Args) -> Outcome {
    let chat = reach(world, args, Access::Read)?;
    let user = args
        .int("user_id")
        .ok_or_else(|| bad("Bad Request: invalid user_id specified"))?;
    let mut out = Vec::new();
    if user == world.bot_id {
        let standing = world
            .rooms
            .get(&chat)
            .map_or(Standing::Left, |room| room.bot);
        write_member(&mut out, standing, &world.bot_json);
    } else if world.people.contains_key(&user) {
        write_member(&mut out, Standing::Member, &world.person_json(user));
    } else {
        return Err(bad("Bad Request: user not found"));
    }
    Ok(out)
}

fn get_administrators(world: &mut World, args: &Args) -> Outcome {
    let chat = reach(world, args, Access::Read)?;
    let Some(room) = world.rooms.get(&chat) else {
        return Err(bad("Bad Request: chat not found"));
    };
    if room.sort == Sort::Private {
        return Err(bad(
            "Bad Request: there are no administrators in the private chat",
        ));
    }
    let mut out = b"[".to_vec();
    if room.bot == Standing::Administrator {
        write_member(&mut out, room.bot, &world.bot_json);
    }
    out.push(b']');
    Ok(out)
}

fn leave(world: &mut World, args: &Args) -> Outcome {
    let chat = reach(world, args, Access::Write)?;
    if world
        .rooms
        .get(&chat)
        .is_some_and(|room| room.sort == Sort::Private)
    {
        return Err(bad(
            "Bad Request: chat member status can't be changed in private chats",
        ));
    }
    let bot = world.bot_id;
    world.stand(chat, bot, Standing::Left);
    Ok(b"true".to_vec())
}

fn get_file(args: &Args) -> Outcome {
    let id = args.text("file_id").unwrap_or("");
    if id.is_empty() {
        return Err(bad("Bad Request: file_id not specified"));
    }
    let is_audio = id.starts_with("CQAC");
    if !is_audio && !id.starts_with("AgAC") && !id.starts_with("BQAC") {
        return Err(bad(
            "Bad Request: wrong file_id or the file is temporarily unavailable",
        ));
    }
    let unique: String = id.chars().rev().take(12).collect();
    let path = match is_audio {
        true => format!("music/{unique}.mp3"),
        false => format!("photos/{unique}.jpg"),
    };
    let file = json!({
        "file_id": id, "file_unique_id": unique, "file_size": 48_213, "file_path": path,
    });
    Ok(file.to_string().into_bytes())
}
