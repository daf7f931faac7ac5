//! `keng town`: the simulated platforms alone, and the config by which a bot finds them.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use tracing::warn;

use super::Simulated;
use crate::sim;
use crate::sim::town::Account;
use crate::sim::town::Kind;
use crate::sim::town::Role;
use crate::sim::town::Server;
use crate::sim::town::Size;
use crate::sim::town::Town;

/// Facebook groups of the ward, which no program may enter: the head of the first village posts there by hand.
const HAND_GROUPS: [&str; 2] = ["Hội người Tiên Yên", "Chợ quê Tiên Yên"];

/// Runs one platform, empty, or the whole commune.
pub(super) fn run(
    listen: SocketAddr,
    platform: Option<Simulated>,
    size: Size,
) -> anyhow::Result<ExitCode> {
    super::serve::runtime()?.block_on(async {
        match platform {
            Some(platform) => alone(listen, platform).await?,
            None => whole(listen, size).await?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn alone(listen: SocketAddr, platform: Simulated) -> anyhow::Result<()> {
    match platform {
        Simulated::Telegram => {
            sim::telegram::serve_forever(listen, sim::telegram::Options::default()).await
        }
        Simulated::ZaloBot => {
            sim::zalo_bot::serve_forever(listen, sim::zalo_bot::Options::default()).await
        }
        Simulated::ZaloOa => {
            sim::zalo_oa::serve_forever(listen, sim::zalo_oa::Options::default()).await
        }
        Simulated::Facebook => {
            sim::facebook::serve_forever(listen, sim::facebook::Options::default()).await
        }
    }
    .with_context(|| format!("listening on {listen}"))
}

async fn whole(listen: SocketAddr, size: Size) -> anyhow::Result<()> {
    let town = Town::start(size, Some(listen))
        .await
        .with_context(|| format!("opening the town's platforms from {listen} on"))?;
    let web: SocketAddr = ([127, 0, 0, 1], 8080).into();
    for account in town.accounts() {
        account.set_webhook(&format!("http://{web}/hooks/{}", account.name));
    }
    let (config, secrets) = config(&town, Path::new("data"), web);
    outln!("# The town is open. This is the config of a bot that serves it; save it as ward.toml.");
    let page = page(&town, listen).await?;
    outln!("# Watch it and write in it: {page}");
    outln!("# Its secrets, which are no secrets here:");
    for (name, secret) in secrets {
        outln!("#   export {name}='{secret}'");
    }
    outln!(
        "# Webhooks are told to http://{web}; everything the town can do is at /sim/… of each address."
    );
    outln!("{config}\n# The end of the config.");
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// Opens the town's page on the port behind the platforms'; gives its address.
async fn page(town: &Town, first: SocketAddr) -> anyhow::Result<String> {
    let port = match first.port() {
        0 => 0,
        first => {
            let ports = u16::try_from(town.accounts().len()).ok();
            let port = ports.and_then(|ports| first.checked_add(ports));
            port.context("there are too few ports above")?
        }
    };
    // Others may reach the platforms, but not the page, where anybody can act as an officer.
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let listener = sim::page::bind(address)
        .await
        .with_context(|| format!("opening the page at {address}"))?;
    let address = listener.local_addr()?;
    let serving = sim::page::serve(listener, town.clone(), None, std::future::pending());
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            warn!(%error, "the page cannot be served any more");
        }
    });
    Ok(format!("http://{address}/town"))
}

/// A ward's config as its operator would write it, and the secrets that it names; only the addresses are the town's.
pub(super) fn config(town: &Town, data: &Path, web: SocketAddr) -> (String, Vec<(String, String)>) {
    let (commune, _) = sim::town::commune();
    let mut text = format!(
        "[store]\npath = {data:?}\n\n[web]\nlisten = \"{web}\"\n\n[log]\nformat = \"json\"\n"
    );
    let mut secrets = Vec::new();
    for village in town.villages() {
        text.push_str(&format!(
            "\n[[area]]\nid = \"{commune}/{}\"\nname = {:?}\n",
            village.slug, village.name
        ));
    }
    for account in town.accounts() {
        text.push_str(&account_table(account, &mut secrets));
    }
    let mut hand_admin = None;
    for person in town.people() {
        let (role, area) = match (person.role, &person.village) {
            (Role::Resident, _) => continue,
            (Role::Officer, _) => ("officer", commune.to_owned()),
            (Role::Admin, _) => ("admin", commune.to_owned()),
            (Role::Head, village) => {
                let village = village.as_deref().unwrap_or_default();
                ("head", format!("{commune}/{village}"))
            }
        };
        if person.role == Role::Head && hand_admin.is_none() {
            hand_admin = Some((person.account.clone(), person.native.clone()));
        }
        text.push_str(&format!(
            "\n[[officer]]\nname = {:?}\nrole = \"{role}\"\narea = \"{area}\"\naccounts = {{ {} = \"{}\" }}\n",
            person.name, person.account, person.native
        ));
    }
    if let Some((account, admin)) = hand_admin {
        for name in HAND_GROUPS {
            text.push_str(&format!(
                "\n[[hand_group]]\nname = {name:?}\narea = \"{commune}\"\naccount = \"{account}\"\nadmin = \"{admin}\"\n"
            ));
        }
    }
    let drills = town.villages().first().map(|village| village.slug.clone());
    for room in town.rooms() {
        if room.kind == Kind::Private {
            continue;
        }
        let area = match &room.village {
            Some(village) => format!("{commune}/{village}"),
            None => commune.to_owned(),
        };
        // The first village takes part in exercises.
        let drill = if room.village.is_some() && room.village == drills {
            "drills = true\n"
        } else {
            ""
        };
        text.push_str(&format!(
            "\n[[room]]\naccount = \"{}\"\nnative = \"{}\"\narea = \"{area}\"\n{drill}",
            room.account, room.native
        ));
    }
    (text, secrets)
}

fn account_table(account: &Account, secrets: &mut Vec<(String, String)>) -> String {
    let (name, url) = (&account.name, account.url());
    let mut env = |what: &str, secret: &str| {
        let variable = format!("KENG_{}_{what}", name.to_uppercase());
        secrets.push((variable.clone(), secret.to_owned()));
        format!("{{ env = \"{variable}\" }}")
    };
    let platform = account.platform.as_str();
    let head = format!(
        "\n[[account]]\nname = \"{name}\"\nplatform = \"{platform}\"\napi_url = \"{url}\"\n"
    );
    let rest = match &account.server {
        Server::Telegram(server) => {
            format!(
                "token = {}\nreceive = \"poll\"\n",
                env("TOKEN", server.token())
            )
        }
        // Zalo asks for half a second between polls; nobody is hurt here.
        Server::ZaloBot(server) => format!(
            "token = {}\nreceive = \"poll\"\npoll_spacing_ms = 20\n",
            env("TOKEN", server.token())
        ),
        Server::ZaloOa(server) => {
            let options = server.options();
            format!(
                "oauth_url = \"{url}\"\napp_id = \"{}\"\noa_id = \"{}\"\napp_secret = {}\nwebhook_secret = {}\nfirst_tokens = {}\n",
                options.app_id,
                options.oa_id,
                env("APP_SECRET", &options.app_secret),
                env("SECRET", &options.oa_secret),
                env("TOKENS", &server.new_pair()),
            )
        }
        Server::Facebook(server, _) => {
            let options = server.options();
            format!(
                "page_id = \"{}\"\ntoken = {}\napp_secret = {}\nverify_token = {}\n",
                options.page_id,
                env("TOKEN", &options.token),
                env("APP_SECRET", &options.app_secret),
                env("VERIFY", &options.verify_token),
            )
        }
    };
    head + &rest
}
