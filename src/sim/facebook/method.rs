//! The calls of the Graph API, carried out on the world.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use serde_json::{Value, json};

use super::super::args::Args;
use super::world::{Failure, Node, Picture, Place, Sent, Template, World, mac};

/// The longest text of a message, in UTF-16 units.
const MAX_MESSAGE: usize = 2_000;

/// The longest text of a post, in UTF-16 units.
const MAX_POST: usize = 63_206;

/// The longest text of a comment, in UTF-16 units.
const MAX_COMMENT: usize = 8_000;

/// One call as it came in.
pub(super) struct Call<'a> {
    pub(super) verb: &'a str,
    pub(super) path: &'a str,
    pub(super) args: &'a Args,
    pub(super) bearer: Option<&'a str>,
    pub(super) arrived: Instant,
}

type Outcome = Result<Value, Failure>;

const BAD: Failure = (100, 0, "Invalid parameter");
const GONE: Failure = (
    100,
    33,
    "Object does not exist, cannot be loaded or does not support this",
);

/// The whole answer.
pub(super) fn carry_out(world: &mut World, call: &Call<'_>) -> Outcome {
    let mut parts = call.path.trim_matches('/').split('/');
    let version = parts.next().unwrap_or_default();
    let is_version = version
        .strip_prefix('v')
        .and_then(|number| number.split_once('.'))
        .is_some_and(|(major, minor)| major.parse::<u8>().is_ok() && minor.parse::<u8>().is_ok());
    if !is_version {
        return Err((2_500, 0, "Unknown path components"));
    }
    admit(world, call)?;
    let (node, edge) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    if node.is_empty() {
        return batch(world, call, version);
    }
    let page = world.options.page_id.clone();
    let node = if node == "me" { page.as_str() } else { node };
    let is_page = node == page;
    match (call.verb, edge) {
        ("GET", "") => look(world, node, is_page),
        ("POST", "messages") if is_page => messages(world, call),
        ("POST", "feed") if is_page => feed(world, call),
        ("POST", "photos") if is_page => photos(world, call),
        ("POST", "subscribed_apps") if is_page => subscribe(world, call.args),
        ("GET", "subscribed_apps") if is_page => {
            let fields: Vec<_> = world.subscribed.iter().cloned().collect();
            Ok(json!({"data": [{"id": world.options.app_id, "subscribed_fields": fields}]}))
        }
        ("POST", "message_templates") if is_page => new_template(world, call.args),
        ("GET", "message_templates") if is_page => Ok(templates(world, call.args)),
        ("DELETE", "message_templates") if is_page => {
            let name = text(call.args, "name");
            world.templates.retain(|template| template.name != name);
            Ok(done(world))
        }
        ("POST", "message_attachments") if is_page => attachment(world, call.args),
        ("POST" | "DELETE", "messenger_profile") if is_page => Ok(json!({"result": "success"})),
        ("GET", "conversations") if is_page => Ok(json!({"data": []})),
        ("GET", "feed" | "published_posts" | "visitor_posts") if is_page => Ok(wall(world, edge)),
        ("GET", "comments") => comments(world, node),
        ("GET", "attachments") => {
            let picture = exists(world, node)?.1.picture;
            let all: Vec<_> = picture
                .map(|picture| json!({"type": "photo", "target": {"id": picture.id}}))
                .into_iter()
                .collect();
            Ok(json!({ "data": all }))
        }
        ("POST", "comments") => comment(world, call, node),
        ("POST", "") => change(world, call.args, node),
        ("DELETE", "") => {
            let id = exists(world, node)?.0;
            world.take_away(&id);
            Ok(done(world))
        }
        _ => Err((100, 0, "Unsupported request")),
    }
}

fn text(args: &Args, name: &str) -> String {
    args.text(name).unwrap_or_default().to_owned()
}

fn done(world: &World) -> Value {
    if world.switches.quoted_success {
        json!({"success": "true"})
    } else {
        json!({"success": true})
    }
}

fn admit(world: &World, call: &Call<'_>) -> Result<(), Failure> {
    let token = call
        .bearer
        .or_else(|| call.args.text("access_token"))
        .unwrap_or_default();
    if token.is_empty() {
        return Err((
            104,
            0,
            "An access token is required to request this resource.",
        ));
    }
    if token != world.options.token {
        return Err((190, 460, "Error validating access token"));
    }
    let proof = mac(&world.options.app_secret, token.as_bytes());
    match call.args.text("appsecret_proof") {
        Some(given) if given == proof => Ok(()),
        Some(_) => Err((
            100,
            0,
            "Invalid appsecret_proof provided in the API argument",
        )),
        None if world.switches.needs_proof => Err((
            100,
            0,
            "API calls from the server require an appsecret_proof argument",
        )),
        None => Ok(()),
    }
}

/// Several calls in one, each with its body as a form.
fn batch(world: &mut World, call: &Call<'_>, version: &str) -> Outcome {
    let all = call.args.json("batch").ok().flatten();
    let Some(all) = all.as_ref().and_then(Value::as_array) else {
        return Err((100, 0, "The parameter batch is required"));
    };
    let mut answers = Vec::new();
    for one in all {
        let address = one["relative_url"].as_str().unwrap_or_default();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let form = one["body"].as_str().unwrap_or_default().to_owned();
        let kind = "application/x-www-form-urlencoded";
        let mut args = Args::read(Some(query), kind, &Bytes::from(form)).unwrap_or_default();
        for key in ["access_token", "appsecret_proof"] {
            if let Some(value) = call.args.values.get(key) {
                args.values.entry(key).or_insert(value.clone());
            }
        }
        let inner = Call {
            verb: one["method"].as_str().unwrap_or("GET"),
            path: &format!("/{version}/{}", path.trim_start_matches('/')),
            args: &args,
            bearer: call.bearer,
            arrived: call.arrived,
        };
        let (code, body) = if path.is_empty() {
            (400, super::server::error(BAD))
        } else {
            match carry_out(world, &inner) {
                Ok(answer) => (200, answer),
                Err(failure) => (400, super::server::error(failure)),
            }
        };
        answers.push(json!({"code": code, "headers": [], "body": body.to_string()}));
    }
    Ok(Value::Array(answers))
}

fn look(world: &World, node: &str, is_page: bool) -> Outcome {
    if is_page {
        return Ok(json!({"id": node, "name": world.options.page_name}));
    }
    if let Some(name) = world.name_of(node) {
        let (last, first) = name.split_once(' ').unwrap_or(("", name));
        return Ok(json!({"id": node, "name": name, "first_name": first, "last_name": last}));
    }
    let (id, node) = exists(world, node)?;
    Ok(node_json(world, &id, &node))
}

fn node_json(world: &World, id: &str, node: &Node) -> Value {
    let from = match &node.author {
        Some(person) => json!({"id": &**person, "name": world.name_of(person)}),
        None => json!({"id": world.options.page_id, "name": world.options.page_name}),
    };
    let mut value = json!({"id": id, "message": node.text, "from": from, "is_hidden": node.hidden,
        "created_time": "2026-11-24T10:00:00+0000"});
    if let Some(parent) = &node.parent {
        value["parent"] = json!({ "id": parent });
    }
    value
}

fn exists(world: &World, id: &str) -> Result<(String, Node), Failure> {
    let found = world.node(id).filter(|(_, node)| !node.deleted);
    found
        .map(|(id, node)| (id.clone(), node.clone()))
        .ok_or(GONE)
}

fn wall(world: &World, edge: &str) -> Value {
    let posts = world.posts.iter().rev().filter_map(|id| {
        let node = world.nodes.get(id).filter(|node| !node.deleted)?;
        let fits = match edge {
            "published_posts" => node.author.is_none(),
            "visitor_posts" => node.author.is_some(),
            _ => true,
        };
        fits.then(|| node_json(world, id, node))
    });
    json!({"data": posts.take(100).collect::<Vec<_>>()})
}

fn comments(world: &World, under: &str) -> Outcome {
    let (id, _) = exists(world, under)?;
    let all = world.nodes.iter().filter(|(_, node)| {
        !node.deleted
            && node.parent.is_some()
            && (node.post == id || node.parent.as_ref() == Some(&id))
    });
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, node)| node.created_ms);
    let all = all.into_iter().take(100);
    Ok(json!({"data": all.map(|(id, node)| node_json(world, id, node)).collect::<Vec<_>>()}))
}

fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

fn feed(world: &mut World, call: &Call<'_>) -> Outcome {
    let message = text(call.args, "message");
    if message.is_empty() && !call.args.has("link") && !call.args.has("attached_media") {
        return Err((100, 0, "The post must have a message, a link or a picture"));
    }
    if length(&message) > MAX_POST {
        return Err(BAD);
    }
    // The same words twice in a row are refused.
    let last = world.posts.iter().rev().find_map(|id| {
        let node = world.nodes.get(id)?;
        (node.author.is_none() && !node.deleted).then(|| node.text.clone())
    });
    if last.as_deref() == Some(message.as_str()) && !message.is_empty() {
        return Err((506, 0, "Duplicate status message"));
    }
    let picture = attached(world, call.args)?;
    let id = world.post(None, &message, picture, call.arrived);
    Ok(json!({ "id": id }))
}

/// The unpublished photo that a post shows, if it shows one.
fn attached(world: &World, args: &Args) -> Result<Option<Picture>, Failure> {
    let Some(media) = args.json("attached_media").map_err(|()| BAD)? else {
        return Ok(None);
    };
    // A form may hold each of them as JSON of its own.
    let first = match &media[0] {
        Value::String(one) => serde_json::from_str(one).map_err(|_| BAD)?,
        one => one.clone(),
    };
    let id = first["media_fbid"].as_str().ok_or(BAD)?;
    world.photos.get(id).cloned().map(Some).ok_or(BAD)
}

/// The file of a call, if it is a picture that Facebook takes.
fn picture_of(args: &Args, field: &str) -> Result<Option<Bytes>, Failure> {
    let Some((_, file)) = args.files.iter().find(|(name, _)| name == field) else {
        return Ok(None);
    };
    let is_picture = file.content.starts_with(b"\x89PNG") || file.content.starts_with(b"\xff\xd8");
    if is_picture {
        Ok(Some(file.content.clone()))
    } else {
        Err((324, 2_069_019, "Missing or invalid image file"))
    }
}

fn attachment(world: &mut World, args: &Args) -> Outcome {
    let message = args.json("message").map_err(|()| BAD)?.ok_or(BAD)?;
    let what = &message["attachment"];
    let content = picture_of(args, "filedata")?;
    let address = what["payload"]["url"].as_str();
    if what["type"] != "image" || (content.is_none() && address.is_none()) {
        return Err(BAD);
    }
    Ok(json!({ "attachment_id": world.keep(content.unwrap_or_default(), true) }))
}

fn photos(world: &mut World, call: &Call<'_>) -> Outcome {
    let file = picture_of(call.args, "source")?;
    if file.is_none() && !call.args.has("url") {
        return Err((324, 0, "Requires upload file"));
    }
    let id = world.keep(file.unwrap_or_default(), false);
    if call.args.text("published") == Some("false")
        || call.args.values.get("published") == Some(&Value::Bool(false))
    {
        return Ok(json!({ "id": id }));
    }
    let mut message = text(call.args, "message");
    if message.is_empty() {
        message = text(call.args, "caption");
    }
    let picture = world.photos.get(&id).cloned();
    let post = world.post(None, &message, picture, call.arrived);
    Ok(json!({"id": id, "post_id": post}))
}

fn comment(world: &mut World, call: &Call<'_>, under: &str) -> Outcome {
    let (id, _) = exists(world, under)?;
    let message = text(call.args, "message");
    if message.is_empty() || length(&message) > MAX_COMMENT {
        return Err(BAD);
    }
    let made = world.post(Some(&id), &message, None, call.arrived);
    Ok(json!({ "id": made }))
}

fn change(world: &mut World, args: &Args, id: &str) -> Outcome {
    let (id, node) = exists(world, id)?;
    if args.has("is_hidden") {
        let hidden = args.flag("is_hidden");
        if let Some(node) = world.nodes.get_mut(&id) {
            node.hidden = hidden;
        }
        return Ok(done(world));
    }
    // Only what this app wrote can be changed by it.
    if node.author.is_some() {
        return Err((200, 0, "Permissions error"));
    }
    let message = text(args, "message");
    if message.is_empty() {
        return Err(BAD);
    }
    let picture = attached(world, args)?;
    world.edit(&id, &message, picture);
    Ok(done(world))
}

fn subscribe(world: &mut World, args: &Args) -> Outcome {
    let fields = args.json("subscribed_fields").ok().flatten();
    let fields: Vec<String> = match fields {
        Some(Value::Array(all)) => all
            .iter()
            .filter_map(|field| field.as_str().map(str::to_owned))
            .collect(),
        _ => text(args, "subscribed_fields")
            .split(',')
            .filter(|field| !field.is_empty())
            .map(str::to_owned)
            .collect(),
    };
    if fields.is_empty() {
        return Err((100, 0, "Param subscribed_fields must not be empty"));
    }
    world.subscribed.extend(fields);
    Ok(done(world))
}

// Templates -----------------------------------------------------------------

fn new_template(world: &mut World, args: &Args) -> Outcome {
    let components = args.json("components").ok().flatten().unwrap_or_default();
    let all = components.as_array().cloned().unwrap_or_default();
    let body = all.iter().find(|one| {
        one["type"]
            .as_str()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("body"))
    });
    let Some(body) = body else { return Err(BAD) };
    let words = body["text"].as_str().unwrap_or_default();
    let has_gap = words.contains("{{");
    let has_example = body["example"]["body_text"].is_array();
    if words.starts_with("{{") || words.ends_with("}}") || (has_gap && !has_example) {
        return Err(BAD);
    }
    let template = Template {
        id: world.number(),
        name: text(args, "name"),
        language: text(args, "language"),
        body: words.to_owned(),
    };
    let id = template.id.clone();
    world.templates.push(template);
    Ok(json!({"id": id, "status": "APPROVED", "category": "UTILITY"}))
}

fn templates(world: &World, args: &Args) -> Value {
    let name = text(args, "name");
    let all = world
        .templates
        .iter()
        .filter(|one| one.name.contains(&name));
    let all = all.map(|one| json!({"name": one.name, "language": one.language, "category": "UTILITY", "status": "APPROVED", "body": one.body, "id": one.id}));
    json!({"data": all.collect::<Vec<_>>()})
}

// Messages ------------------------------------------------------------------

fn messages(world: &mut World, call: &Call<'_>) -> Outcome {
    let args = call.args;
    let object = |name: &str| args.json(name).ok().flatten().unwrap_or_default();
    let recipient = object("recipient");
    let kind = text(args, "messaging_type");
    if !["", "RESPONSE", "UPDATE", "MESSAGE_TAG", "UTILITY"].contains(&kind.as_str()) {
        return Err(BAD);
    }
    let message = object("message");
    if args.has("sender_action") {
        if !message.is_null() {
            return Err((100, 2_018_014, "A message and a sender action in one call"));
        }
        let person = known(world, &recipient)?;
        return Ok(json!({ "recipient_id": &*person }));
    }
    if !world.may_send(call.arrived) {
        return Err((613, 0, "Calls to this api have exceeded the rate limit"));
    }
    let (words, template) = content(world, &message, &kind)?;
    let picture = shown(world, &message)?;
    let aside = ["comment_id", "post_id"]
        .iter()
        .find_map(|key| recipient[*key].as_str());
    let person = match aside {
        Some(id) => world.answer_aside(id)?,
        None => {
            let person = known(world, &recipient)?;
            may_write(world, &person, &kind, args)?;
            person
        }
    };
    let buttons = message["quick_replies"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let buttons = buttons.iter().map(|one| {
        let field = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        (field("title"), field("payload"))
    });
    let buttons: Vec<(String, String)> = buttons.collect();
    if buttons.len() > 13
        || buttons
            .iter()
            .any(|(title, payload)| length(title) > 20 || payload.len() > 1000)
    {
        return Err(BAD);
    }
    let mid = world.message(Sent {
        place: Place::Chat(Arc::clone(&person)),
        id: String::new(),
        text: words,
        post: None,
        aside_of: aside.map(str::to_owned),
        buttons,
        template,
        picture,
        metadata: message["metadata"].as_str().map(str::to_owned),
        edited: false,
        deleted: false,
        at: call.arrived,
    });
    Ok(json!({"recipient_id": &*person, "message_id": mid}))
}

fn known(world: &World, recipient: &Value) -> Result<Arc<str>, Failure> {
    let id = match &recipient["id"] {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => return Err(BAD),
    };
    match world.name_of(&id) {
        Some(_) => Ok(id.into()),
        None => Err((100, 2_018_001, "No matching user found")),
    }
}

fn may_write(world: &World, person: &str, kind: &str, args: &Args) -> Result<(), Failure> {
    if kind == "MESSAGE_TAG" {
        return match args.text("tag") {
            Some("HUMAN_AGENT") => Ok(()),
            _ => Err(BAD),
        };
    }
    if kind == "UTILITY" || world.is_open(person) == Some(true) {
        return Ok(());
    }
    Err((
        10,
        2_018_278,
        "This message is sent outside of allowed window.",
    ))
}

/// The picture of a message that is one.
fn shown(world: &World, message: &Value) -> Result<Option<Picture>, Failure> {
    let attachment = &message["attachment"];
    let Some(id) = attachment["payload"]["attachment_id"].as_str() else {
        return Ok(None);
    };
    let known = world.attachments.get(id).cloned();
    // One or the other, never both.
    if attachment["type"] != "image" || message["text"].is_string() {
        return Err(BAD);
    }
    known
        .map(Some)
        .ok_or((100, 2_018_074, "Invalid attachment id"))
}

/// The words of a message as the person reads them, and the template by which it comes.
fn content(
    world: &World,
    message: &Value,
    kind: &str,
) -> Result<(String, Option<String>), Failure> {
    let variant = &message["attachment"]["payload"];
    let is_variant = variant["template_type"] == "utility_messages";
    let template = if is_variant {
        variant
    } else {
        &message["template"]
    };
    if kind == "UTILITY" {
        return by_template(world, template);
    }
    if template.is_object() {
        return Err(BAD);
    }
    let text = message["text"].as_str().unwrap_or_default();
    let attachment = &message["attachment"];
    if let Some(words) = attachment["payload"]["text"].as_str() {
        return if length(words) > 640 {
            Err(BAD)
        } else {
            Ok((words.to_owned(), None))
        };
    }
    if text.is_empty() && attachment.is_null() && message["attachments"].is_null() {
        return Err((100, 0, "The message is empty"));
    }
    if length(text) > MAX_MESSAGE {
        return Err((
            100,
            0,
            "Length of param message[text] must be less than or equal to 2000",
        ));
    }
    if message["metadata"]
        .as_str()
        .is_some_and(|mark| length(mark) > 1000)
    {
        return Err(BAD);
    }
    Ok((text.to_owned(), None))
}

fn by_template(world: &World, template: &Value) -> Result<(String, Option<String>), Failure> {
    let name = template["name"].as_str().unwrap_or_default();
    let language = template["language"]["code"].as_str().unwrap_or_default();
    let known = world
        .templates
        .iter()
        .find(|one| one.name == name && one.language == language);
    let Some(known) = known else { return Err(BAD) };
    let components = template["components"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let body = components.iter().find(|one| one["type"] == "body");
    let parameters = body.and_then(|body| body["parameters"].as_array().cloned());
    let parameters = parameters.unwrap_or_default();
    if parameters.len() != known.gaps() {
        return Err(BAD);
    }
    let mut words = known.body.clone();
    for (at, parameter) in parameters.iter().enumerate() {
        let value = parameter["text"].as_str().unwrap_or_default();
        if value.is_empty() || value.contains('\n') {
            return Err(BAD);
        }
        words = words.replace(&format!("{{{{{}}}}}", at + 1), value);
    }
    if length(&words) > 1_024 {
        return Err(BAD);
    }
    Ok((words, Some(name.to_owned())))
}
