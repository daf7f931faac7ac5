//! `keng zalo`: groups of an Official Account, and its first tokens.
//!
//! A refresh token works once, so two programs must never use one pair: beside a running server everything
//! is asked of it, and only while it is down are the tokens in the store used from here.

use std::io::BufRead as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use anyhow::bail;
use serde_json::Value;
use serde_json::json;
use url::Url;

use super::keep;
use crate::app;
use crate::channel::Channel as _;
use crate::channel::groups::Group;
use crate::channel::zalo_oa;
use crate::config::AccountConfig;
use crate::config::Config;
use crate::config::Door;
use crate::config::FirstTokensConfig;
use crate::config::ZaloOaConfig;
use crate::desk::groups::GroupDesk;
use crate::domain::area::AreaId;
use crate::domain::clock::Clock;
use crate::domain::clock::SystemClock;
use crate::domain::ids::AccountName;
use crate::web;

/// What is to be done with groups.
pub(super) enum Ask<'a> {
    Create {
        name: &'a str,
        area: &'a str,
        description: &'a str,
        package: &'a str,
        members: &'a [String],
    },
    List,
    Invite {
        group: &'a str,
        members: &'a [String],
    },
    Link(&'a str),
    Members(&'a str),
}

pub(super) fn run(config: &Path, account: Option<&str>, ask: &Ask<'_>) -> anyhow::Result<ExitCode> {
    let loaded = crate::config::load_without_secrets(config)?;
    let (account, _) = official(&loaded, account)?;
    let (what, body) = match ask {
        Ask::Create {
            name,
            area,
            description,
            package,
            members,
        } => {
            let id = AreaId::parse(area)?;
            if !loaded.areas.knows(&id.commune()) {
                bail!("`{area}` is no commune of the official list");
            }
            let people = with_staff(&loaded, &account.name, &id, members);
            let body = json!({"name": name, "area": area, "description": description,
                "package": package, "people": people});
            ("create", body)
        }
        Ask::List => ("list", json!({})),
        Ask::Invite { group, members } => ("invite", json!({"group": group, "people": members})),
        Ask::Link(group) => ("link", json!({ "group": group })),
        Ask::Members(group) => ("members", json!({ "group": group })),
    };
    let name = account.name.clone();
    let answer = super::serve::runtime()?.block_on(asked(config, &loaded, &name, what, &body))?;
    print(ask, &answer)?;
    Ok(ExitCode::SUCCESS)
}

/// One group, for the poster.
pub(super) fn one(config: &Path, account: &AccountName, group: &str) -> anyhow::Result<Group> {
    let loaded = crate::config::load_without_secrets(config)?;
    let body = json!({ "group": group });
    let answer =
        super::serve::runtime()?.block_on(asked(config, &loaded, account, "link", &body))?;
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    Ok(Group {
        id: text("id"),
        name: text("name"),
        link: text("link"),
        ..Group::default()
    })
}

/// Asks the running server, or the platform from here while there is none.
async fn asked(
    path: &Path,
    loaded: &Config,
    account: &AccountName,
    what: &str,
    body: &Value,
) -> anyhow::Result<Value> {
    match keep::open_or_create(loaded).await? {
        keep::Access::Running(server) => {
            server
                .post(&format!("api/groups/{account}/{what}"), body)
                .await
        }
        keep::Access::Store(store) => {
            let answered = async {
                // Only here are the secrets needed.
                let config = crate::config::load(path)?;
                let (_, door) = official(&config, Some(account.as_str()))?;
                let clock: Arc<dyn Clock> = Arc::new(SystemClock);
                let http = app::http_client()?;
                let oa = app::official_account(account, door, &store, &clock, &http);
                let desk = GroupDesk {
                    account,
                    groups: oa.groups().context("this account has no groups to make")?,
                    store: store.as_ref(),
                    clock: clock.as_ref(),
                    by: web::groups::BY,
                };
                let answer = web::groups::answer(&desk, what, body).await;
                answer.map_err(anyhow::Error::msg)
            };
            let answer = answered.await;
            store.close().await?;
            answer
        }
    }
}

/// The Official Account that is meant.
fn official<'a>(
    config: &'a Config,
    name: Option<&str>,
) -> anyhow::Result<(&'a AccountConfig, &'a ZaloOaConfig)> {
    let mut all = config
        .accounts
        .iter()
        .filter_map(|account| match &account.door {
            Door::ZaloOa(door) => Some((account, door.as_ref())),
            Door::Telegram(_) | Door::ZaloBot(_) | Door::Facebook(_) => None,
        });
    match name {
        Some(name) => all
            .find(|(account, _)| account.name.as_str() == name)
            .with_context(|| {
                format!("no [[account]] with platform = \"zalo_oa\" is called `{name}`")
            }),
        None => match (all.next(), all.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => {
                bail!("several accounts are Official Accounts: name one with --account")
            }
            (None, _) => bail!("no [[account]] has platform = \"zalo_oa\""),
        },
    }
}

/// Whoever serves the area is in its groups from the start.
fn with_staff(
    config: &Config,
    account: &AccountName,
    area: &AreaId,
    members: &[String],
) -> Vec<String> {
    let mut people: Vec<String> = members.to_vec();
    for person in config
        .staff
        .iter()
        .filter(|person| person.area.contains(area))
    {
        for (of, native) in &person.identities {
            if of == account && !people.contains(native) {
                people.push(native.clone());
            }
        }
    }
    people
}

fn print(ask: &Ask<'_>, answer: &Value) -> anyhow::Result<()> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let line = |group: &Value| {
        let area = group["area"].as_str().unwrap_or("bound to no area");
        let most = group["most"]
            .as_u64()
            .map(|most| format!(" of {most}"))
            .unwrap_or_default();
        let off = if group["enabled"] == false {
            ", DISABLED: its GMF pack has ended"
        } else {
            ""
        };
        format!(
            "{}  {}  {}{most} members  {area}  {}{off}",
            text(group, "id"),
            text(group, "name"),
            group["members"],
            text(group, "link")
        )
    };
    match ask {
        Ask::List => {
            let groups = answer["groups"]
                .as_array()
                .context("the answer is no list")?;
            groups.iter().for_each(|group| outln!("{}", line(group)));
            if groups.is_empty() {
                outln!("no groups yet: keng zalo group create --name \"…\" --area …");
            }
        }
        Ask::Create { .. } => {
            outln!("{}", line(answer));
            outln!(
                "poster: keng poster --room {} --output {}.pdf",
                text(answer, "id"),
                text(answer, "id")
            );
        }
        Ask::Link(_) => outln!("{}", text(answer, "link")),
        Ask::Invite { members, .. } => outln!("{} people were asked in", members.len()),
        Ask::Members(_) => {
            let members = answer["members"]
                .as_array()
                .context("the answer is no list")?;
            for member in members {
                let us = if member["is_us"] == true {
                    "  (the OA)"
                } else {
                    ""
                };
                outln!("{}  {}{us}", text(member, "id"), text(member, "name"));
            }
        }
    }
    Ok(())
}

/// What `keng zalo auth` is given beforehand.
pub(super) struct Auth<'a> {
    pub(super) account: Option<&'a str>,
    pub(super) verifier: Option<&'a str>,
    pub(super) redirected: Option<&'a str>,
}

pub(super) fn auth(config: &Path, given: &Auth<'_>) -> anyhow::Result<ExitCode> {
    let loaded = crate::config::load(config)?;
    let (account, door) = official(&loaded, given.account)?;
    let FirstTokensConfig::File(file) = &door.first_tokens else {
        bail!(
            "`first_tokens` of {} is in the environment, where this program cannot write: use {{ file = \"…\" }}",
            account.name
        );
    };
    let verifier = match given.verifier {
        Some(verifier) => verifier.trim().to_owned(),
        None => zalo_oa::new_verifier()?,
    };
    if !(43..=128).contains(&verifier.len()) {
        bail!("a verifier has 43 to 128 letters");
    }
    let redirected = match given.redirected {
        Some(address) => address.to_owned(),
        None => ask_for_consent(account, door, &verifier)?,
    };
    let code = code_in(&redirected, &door.oa_id)?;
    let pair = super::serve::runtime()?.block_on(async {
        let http = app::http_client()?;
        let pair = zalo_oa::first_pair(
            &http,
            &door.oauth_url,
            &door.app_id,
            &door.app_secret,
            &code,
            &verifier,
        );
        pair.await.map_err(anyhow::Error::msg)
    })?;
    write_privately(file, pair.expose())?;
    outln!(
        "the first tokens of {} are in {}",
        account.name,
        file.display()
    );
    outln!("a running program takes them within a minute; newer ones live in its store");
    Ok(ExitCode::SUCCESS)
}

fn ask_for_consent(
    account: &AccountConfig,
    door: &ZaloOaConfig,
    verifier: &str,
) -> anyhow::Result<String> {
    outln!(
        "Consent for {} (app {}, OA {})",
        account.name,
        door.app_id,
        door.oa_id
    );
    outln!("");
    outln!("1. https://developers.zalo.me, your app, Official Account, the settings of consent:");
    outln!("   callback:       any https address of yours; it only has to be shown in the browser");
    outln!("   code challenge: {}", zalo_oa::challenge_of(verifier));
    outln!(
        "2. Copy the consent link that the console makes, open it as an administrator of the OA, agree."
    );
    outln!(
        "3. The browser goes to your callback. Copy its whole address, with code= and oa_id=, within ten minutes."
    );
    outln!("");
    outln!("   (should this be interrupted, go on with --verifier {verifier})");
    super::print(format_args!("address: "));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// The code in the address that the browser was sent to.
fn code_in(redirected: &str, oa_id: &str) -> anyhow::Result<String> {
    let address = Url::parse(redirected)
        .context("that is no address: copy the whole line, beginning with https://")?;
    let field = |name: &str| {
        let mut pairs = address.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    if let Some(other) = field("oa_id").filter(|other| other != oa_id) {
        bail!("the consent is for the OA {other}, but `oa_id` is {oa_id}");
    }
    field("code")
        .filter(|code| !code.is_empty())
        .context("there is no code= in that address: was the consent given?")
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_privately(file: &Path, words: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let part = file.with_extension("part");
    let _ = std::fs::remove_file(&part);
    let mut out = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)
        .with_context(|| format!("creating {}", part.display()))?;
    out.write_all(words.as_bytes())
        .and_then(|()| out.sync_all())
        .with_context(|| format!("writing {}", part.display()))?;
    std::fs::rename(&part, file).with_context(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_and_another_oa_is_refused() {
        let address = "https://keng.example.vn/ok?oa_id=44&code=abc%2D1";
        assert_eq!(code_in(address, "44").expect("a code"), "abc-1");
        for (address, wrong) in [
            ("code=abc", "no address"),
            ("https://keng.example.vn/ok?oa_id=45&code=abc", "the OA 45"),
            ("https://keng.example.vn/ok?oa_id=44", "no code="),
        ] {
            let error = code_in(address, "44").expect_err(address);
            assert!(format!("{error:#}").contains(wrong), "{error:#}");
        }
    }
}
