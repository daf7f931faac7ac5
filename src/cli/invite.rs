//! `keng invite`: one-time codes for officers and heads, beside a running server or while it is down.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use anyhow::bail;
use serde_json::Value;
use serde_json::json;

use super::keep;
use crate::app;
use crate::config::Config;
use crate::desk::Wording;
use crate::domain::area::AreaId;
use crate::domain::clock::SystemClock;
use crate::web::invites;

/// What is to be done.
pub(super) enum Ask<'a> {
    /// A new code.
    New {
        name: &'a str,
        role: &'a str,
        area: &'a str,
        hours: u32,
    },
    /// Takes an invitation and its role back.
    End(&'a str),
    /// Everybody who was invited.
    List,
}

pub(super) fn run(config: &std::path::Path, ask: &Ask<'_>) -> anyhow::Result<ExitCode> {
    let config = crate::config::load_without_secrets(config)?;
    let (path, body) = match ask {
        Ask::New {
            name,
            role,
            area,
            hours,
        } => {
            let id = AreaId::parse(area)?;
            if !config.areas.knows(&id.commune()) {
                bail!("`{area}` is no commune of the official list");
            }
            let body = json!({"name": name, "role": role, "area": area, "hours": hours});
            ("new", body)
        }
        Ask::End(name) => ("end", json!({ "name": name })),
        Ask::List => ("list", json!({})),
    };
    let answer = super::serve::runtime()?.block_on(async {
        match keep::open_or_create(&config).await? {
            keep::Access::Store(store) => {
                // Nothing is drafted here, so no message has to be measured by our accounts.
                let wording = Wording {
                    templates: Arc::new(app::templates(&config)?),
                    lexicon: Arc::new(app::lexicon(&config)?),
                    carriers: Arc::new(app::Ours::default()),
                };
                let desk = app::desk(&config, Arc::clone(&store), Arc::new(SystemClock), wording)?;
                let answer = invites::answer(&desk, store.as_ref(), path, &body).await;
                store.close().await?;
                answer.map_err(anyhow::Error::msg)
            }
            keep::Access::Running(server) => {
                server.post(&format!("api/invites/{path}"), &body).await
            }
        }
    })?;
    print(&config, ask, &answer)?;
    Ok(ExitCode::SUCCESS)
}

fn print(config: &Config, ask: &Ask<'_>, answer: &Value) -> anyhow::Result<()> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    match ask {
        Ask::New {
            name, role, area, ..
        } => {
            let title =
                AreaId::parse(area).map_or_else(|_| String::new(), |id| config.areas.title(&id));
            outln!("{name}: {role} in {title} ({area})");
            outln!("good once, until {}", text(answer, "expires_at"));
            outln!("to be written to the bot in a private chat, by {name} alone:");
            outln!("/start {}", text(answer, "code"));
        }
        Ask::End(name) => outln!("{name} has no invitation and no role by one any more"),
        Ask::List => {
            let list = answer["invites"]
                .as_array()
                .context("the answer is no list")?;
            for invite in list {
                outln!(
                    "{}: {} in {}, {}, by {}",
                    text(invite, "name"),
                    text(invite, "role"),
                    text(invite, "area"),
                    text(invite, "state"),
                    text(invite, "by")
                );
            }
        }
    }
    Ok(())
}
