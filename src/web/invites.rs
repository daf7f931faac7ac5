//! Invitations for the command line of this machine, as JSON.

use chrono::TimeDelta;
use serde_json::Value;
use serde_json::json;

use super::export::time;
use crate::desk::Desk;
use crate::desk::Wanted;
use crate::domain::area::AreaId;
use crate::domain::invite::InviteState;
use crate::domain::person::Role;
use crate::store::Act;
use crate::store::Done;
use crate::store::Store;
use crate::store::StoreError;

/// Who invites, in the audit, when the command line does.
const BY: &str = "keng";

/// The longest life of a code, in hours.
const MAX_HOURS: u64 = 720;

/// Does what is asked: `new` (`{name, role, area, hours}` gives `{code, expires_at}`), `end` (`{name}`),
/// or `list` (gives `{invites: [{name, role, area, state, by, made_at, expires_at}]}`, without codes).
///
/// # Errors
/// When it cannot be done; the words are for whoever asked.
pub async fn answer(
    desk: &Desk,
    store: &dyn Store,
    what: &str,
    body: &Value,
) -> Result<Value, String> {
    let text = |key: &str| body[key].as_str().unwrap_or_default();
    let failed = |error: StoreError| error.to_string();
    match what {
        "new" => {
            let role = Role::parse(text("role"))
                .filter(|role| *role != Role::Admin)
                .ok_or("`role` must be \"officer\" or \"head\"")?;
            let hours = body["hours"]
                .as_u64()
                .filter(|hours| (1..=MAX_HOURS).contains(hours))
                .ok_or_else(|| format!("`hours` must be between 1 and {MAX_HOURS}"))?;
            let wanted = Wanted {
                name: text("name"),
                role,
                area: AreaId::parse(text("area")).map_err(|error| error.to_string())?,
                lasts: TimeDelta::hours(hours.cast_signed()),
                by: BY,
            };
            let made = desk.invite(&wanted).await.map_err(failed)?;
            let (code, act) = made.map_err(|why| why.to_string())?;
            let expires_at = invited_until(&act);
            commit(store, act).await?;
            Ok(json!({"code": code.expose(), "expires_at": expires_at}))
        }
        "end" => match desk.uninvite(text("name"), BY).await.map_err(failed)? {
            Some(act) => {
                commit(store, act).await?;
                Ok(json!({}))
            }
            None => Err(format!("nobody was invited as `{}`", text("name"))),
        },
        "list" => {
            let invites = store.invites().await.map_err(failed)?;
            let list: Vec<Value> = invites
                .iter()
                .map(|invite| {
                    json!({
                        "name": invite.name,
                        "role": invite.role.as_str(),
                        "area": invite.area.as_str(),
                        "state": match &invite.state {
                            InviteState::Open => "open",
                            InviteState::Used { .. } => "used",
                            InviteState::Ended { .. } => "ended",
                        },
                        "by": invite.by,
                        "made_at": time(invite.made_at),
                        "expires_at": time(invite.expires_at),
                    })
                })
                .collect();
            Ok(json!({ "invites": list }))
        }
        _ => Err("no such act".to_owned()),
    }
}

fn invited_until(act: &Act) -> Option<String> {
    act.writes.iter().rev().find_map(|write| match write {
        crate::store::Write::Invite(invite) => Some(time(invite.expires_at)),
        _ => None,
    })
}

async fn commit(store: &dyn Store, act: Act) -> Result<(), String> {
    match store
        .commit(vec![act])
        .await
        .map_err(|error| error.to_string())?
        .as_slice()
    {
        [Done::Written] => Ok(()),
        _ => Err("somebody else changed it at the same moment: try again".to_owned()),
    }
}
