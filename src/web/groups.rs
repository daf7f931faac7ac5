//! Groups of accounts whose platform lets us make them, for the command line of this machine, as JSON.

use serde_json::Value;
use serde_json::json;

use crate::channel::groups::NewGroup;
use crate::desk::groups::GroupDesk;
use crate::desk::groups::KnownGroup;
use crate::desk::groups::NotDone;
use crate::domain::area::AreaId;

/// Who does it, in the audit, when the command line does.
pub const BY: &str = "keng";

/// Does what is asked: `list`, `link` (`{group}`), `members` (`{group}`), `invite` (`{group, people}`),
/// or `create` (`{name, description, package, people, area}`), which also binds the group to its area.
///
/// # Errors
/// When it cannot be done; the words are for whoever asked.
pub async fn answer(desk: &GroupDesk<'_>, what: &str, body: &Value) -> Result<Value, String> {
    let text = |key: &str| body[key].as_str().unwrap_or_default().trim().to_owned();
    let people: Vec<String> = body["people"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let failed = |error: NotDone| error.to_string();
    match what {
        "list" => {
            let list = desk.list().await.map_err(failed)?;
            Ok(json!({ "groups": list.iter().map(shown).collect::<Vec<_>>() }))
        }
        "link" => {
            let group = desk.group(&text("group")).await.map_err(failed)?;
            Ok(shown(&group))
        }
        "members" => {
            let members = desk.members(&text("group")).await.map_err(failed)?;
            let members = members
                .iter()
                .map(|member| json!({"id": member.id, "name": member.name, "is_us": member.is_us}));
            Ok(json!({ "members": members.collect::<Vec<_>>() }))
        }
        "invite" => {
            let invited = desk.invite(&text("group"), &people).await;
            invited.map_err(failed)?;
            Ok(json!({}))
        }
        "create" => {
            let area = AreaId::parse(&text("area")).map_err(|error| error.to_string())?;
            let wanted = NewGroup {
                name: text("name"),
                description: text("description"),
                package: text("package"),
                people,
            };
            let made = desk.create(&wanted, area).await.map_err(failed)?;
            Ok(shown(&made))
        }
        _ => Err("no such act".to_owned()),
    }
}

fn shown(known: &KnownGroup) -> Value {
    let group = &known.group;
    json!({
        "id": group.id,
        "name": group.name,
        "link": group.link,
        "members": group.members,
        "most": group.most,
        "enabled": group.enabled,
        "paid_until": group.paid_until,
        "area": known.area.as_ref().map(AreaId::to_string),
    })
}
