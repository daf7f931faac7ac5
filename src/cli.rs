//! The command line: one table of what the program can do.

/// Prints a line. When nobody reads any more (`keng demo | head`), the program ends, as others do.
macro_rules! outln {
    ($($words:tt)*) => {
        $crate::cli::print(format_args!("{}\n", format_args!($($words)*)))
    };
}

mod alert;
mod demo;
mod export;
mod groups;
mod import;
mod invite;
mod keep;
mod poster;
mod read;
mod serve;
mod town;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;

/// Kẻng: a bot for Vietnamese neighbourhood chat groups.
#[derive(Debug, Parser)]
#[command(name = "keng", version, about)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Join the groups and work.
    Serve(ConfigArg),
    /// Show a make-believe commune at work, on loopback, with nothing configured.
    Demo {
        /// Play as fast as it goes and end with a checked summary; exit code 0 only if it holds.
        #[arg(long)]
        once: bool,
        /// What to play: a name from --scenarios, or a file of your own.
        #[arg(long, value_name = "NAME|FILE")]
        scenario: Option<String>,
        /// List what can be played.
        #[arg(long)]
        scenarios: bool,
        /// How many groups; more than a few thousand have several bots on a platform.
        #[arg(long, value_parser = rooms)]
        rooms: Option<usize>,
        /// Another commune and another day; the same seed, the same ones.
        #[arg(long)]
        seed: Option<u64>,
        /// How fast the town's clock runs; 1 is real time.
        #[arg(long, default_value_t = 60.0, conflicts_with = "once")]
        speed: f64,
        /// Where the page is; only addresses of this machine alone [default: 127.0.0.1:8080, or a free port].
        #[arg(long, value_name = "ADDRESS", conflicts_with = "once")]
        page: Option<SocketAddr>,
        /// Print only the summary, as one JSON object.
        #[arg(long, requires = "once")]
        json: bool,
        /// Write every request, answer and update to this file, one JSON object a line.
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
    },
    /// Open the simulated platforms alone, for the makers of bots, and print a config that fits.
    Town {
        /// Where to listen: the first platform here, the others on the ports behind it.
        #[arg(long, default_value = "127.0.0.1:8081")]
        listen: SocketAddr,
        /// Only this platform, without people and groups.
        #[arg(long, value_enum)]
        platform: Option<Simulated>,
        /// How many groups.
        #[arg(long, default_value_t = 30, value_parser = rooms)]
        rooms: usize,
        /// Another commune; the same seed, the same one.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Read messages: JSON lines in, one JSON line out for each.
    Read {
        /// A directory with lexicon files that replace the built-in ones of the same name.
        #[arg(long, value_name = "DIR")]
        lexicon: Option<PathBuf>,
        /// A handle or display name of the bot; may be given several times.
        #[arg(long, value_name = "NAME")]
        bot_name: Vec<String>,
        /// Also print why.
        #[arg(long)]
        explain: bool,
    },
    /// Read a group's past from an export of Telegram Desktop; records only with --write.
    Import {
        #[command(flatten)]
        config: ConfigArg,
        /// The account that is in the group.
        #[arg(long)]
        account: String,
        /// Record what is shown.
        #[arg(long)]
        write: bool,
        /// The export's result.json.
        file: PathBuf,
    },
    /// Write records out, beside a running server or while it is down.
    Export {
        /// What to export.
        what: What,
        /// In which form.
        #[arg(long, value_enum, default_value = "jsonl")]
        format: Format,
        /// Where to; standard output when not given.
        #[arg(long, short)]
        output: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Make a one-time code by which somebody becomes an officer or a head, beside a running server or
    /// while it is down.
    Invite {
        /// The name by which colleagues will know them, such as "Đ/c Nam".
        #[arg(required_unless_present = "list")]
        name: Option<String>,
        /// What they may do.
        #[arg(long, value_enum, required_unless_present_any = ["end", "list"])]
        role: Option<InvitedRole>,
        /// Where: a commune code, or a village such as 06862/tan-truc-tung.
        #[arg(long, value_name = "AREA", required_unless_present_any = ["end", "list"])]
        area: Option<String>,
        /// For how many hours the code is good.
        #[arg(long, default_value_t = 48)]
        hours: u32,
        /// Take the invitation back, and the role of whoever took it.
        #[arg(long, conflicts_with_all = ["role", "area", "list"])]
        end: bool,
        /// List everybody who was invited.
        #[arg(long)]
        list: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Groups of a Zalo Official Account, and its first tokens.
    Zalo {
        #[command(subcommand)]
        what: Zalo,
    },
    /// Give the latest version of an alert as text for the loudspeakers, as CAP 1.2 or as its card, beside a
    /// running server or while it is down.
    Alert {
        /// Its check code, such as 7F3A9K.
        code: String,
        /// In which form.
        #[arg(long, value_enum, default_value = "txt")]
        form: alert::Form,
        /// Where to; standard output when not given.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Draw an A4 page with the code of a group's link: a PDF, or a PNG.
    Poster {
        /// The platform's id of the group.
        #[arg(long, value_name = "ID")]
        room: String,
        /// The account that is in the group.
        #[arg(long)]
        account: Option<String>,
        /// The link by which people join; an Official Account's groups tell it themselves.
        #[arg(long, value_name = "URL")]
        link: Option<String>,
        /// The name on the poster; the group's own if none.
        #[arg(long)]
        title: Option<String>,
        /// Where to: a file that ends in .pdf or .png.
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Check a config file and say what would run.
    CheckConfig(ConfigArg),
    /// Ask the running program whether it can record.
    Health(ConfigArg),
    /// Read the whole store and check every invariant; the server must be down.
    Verify(ConfigArg),
    /// Write a consistent copy of the store, beside a running server or while it is down.
    Backup {
        /// Where to.
        file: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Make a new store from a backup; the store's directory must not exist or be empty.
    Restore {
        /// The backup.
        file: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
}

#[derive(Debug, Subcommand)]
enum Zalo {
    /// Walk an administrator of the OA through the first pair of tokens.
    Auth {
        /// The account, when there are several.
        #[arg(long)]
        account: Option<String>,
        /// Go on with the verifier of an interrupted consent.
        #[arg(long, value_name = "TEXT")]
        verifier: Option<String>,
        /// The address that the browser was sent to; asked for when not given.
        #[arg(long, value_name = "URL", requires = "verifier")]
        redirected: Option<String>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Make groups and look into them, beside a running server or while it is down.
    Group {
        #[command(subcommand)]
        what: GroupAct,
        /// The account, when there are several.
        #[arg(long, global = true)]
        account: Option<String>,
        /// The config file.
        #[arg(long, default_value = "ward.toml", value_name = "FILE", global = true)]
        config: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum GroupAct {
    /// Make a group and bind it to its area. The staff of the area are in it from the start.
    Create {
        /// What its members see.
        #[arg(long)]
        name: String,
        /// A commune code, or a village such as 06862/tan-truc-tung.
        #[arg(long)]
        area: String,
        /// A line about it.
        #[arg(long, default_value = "")]
        description: String,
        /// The GMF pack: its id, or gmf10, gmf50, gmf100, gmf1000; else the first that is free.
        #[arg(long, default_value = "", hide_default_value = true)]
        pack: String,
        /// Zalo's id of somebody who is in it from the start; may be given several times.
        #[arg(long = "member", value_name = "ID")]
        members: Vec<String>,
    },
    /// List the groups of the OA, and the areas they are bound to.
    List,
    /// Ask people into a group.
    Invite {
        /// The group's id.
        group: String,
        /// Zalo's id of somebody; may be given several times.
        #[arg(long = "member", value_name = "ID", required = true)]
        members: Vec<String>,
    },
    /// Print the link by which people join.
    Link {
        /// The group's id.
        group: String,
    },
    /// List who is in a group.
    Members {
        /// The group's id.
        group: String,
    },
}

#[derive(Debug, Clone, clap::Args)]
struct ConfigArg {
    /// The config file.
    #[arg(long, default_value = "ward.toml", value_name = "FILE")]
    config: PathBuf,
}

/// Platforms that this program can play.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Simulated {
    Telegram,
    ZaloBot,
    ZaloOa,
    Facebook,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    Incidents,
    Alerts,
    Deliveries,
    Audit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum InvitedRole {
    Officer,
    Head,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Jsonl,
    Csv,
    Xlsx,
}

/// A number of rooms that a town can have.
fn rooms(text: &str) -> Result<usize, String> {
    let can = crate::sim::town::ROOMS;
    let number = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if can.contains(&number) {
        Ok(number)
    } else {
        Err(format!("a town has {} to {} rooms", can.start(), can.end()))
    }
}

/// What a shell tells of a program that wrote to a closed pipe: 128 and SIGPIPE.
const PIPE_CLOSED: i32 = 141;

/// See `outln!`.
fn print(words: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if out.write_fmt(words).and_then(|()| out.flush()).is_err() {
        std::process::exit(PIPE_CLOSED);
    }
}

/// Does what was asked.
///
/// # Errors
/// When it could not be done; the message says what happened and what to do.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Serve(config) => serve::serve(&config.config),
        Command::Demo {
            scenarios: true, ..
        } => demo::list(),
        Command::Demo {
            once,
            json,
            record,
            scenario,
            rooms,
            seed,
            speed,
            page,
            scenarios: false,
        } => demo::run(demo::Options {
            once,
            json,
            record,
            scenario,
            rooms,
            seed,
            speed,
            page,
        }),
        Command::Town {
            listen,
            platform,
            rooms,
            seed,
        } => town::run(listen, platform, crate::sim::town::Size { seed, rooms }),
        Command::Read {
            lexicon,
            bot_name,
            explain,
        } => {
            let names = if bot_name.is_empty() {
                crate::config::defaults().bot_names
            } else {
                bot_name
            };
            read::run(
                lexicon.as_deref(),
                &names,
                explain,
                std::io::stdin().lock(),
                std::io::stdout().lock(),
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Import {
            config,
            account,
            write,
            file,
        } => import::run(&config.config, &account, write, &file),
        Command::Export {
            what,
            format,
            output,
            config,
        } => export::run(&config.config, what.into(), format, output.as_deref()),
        Command::Invite {
            name,
            role,
            area,
            hours,
            end,
            list,
            config,
        } => {
            let name = name.unwrap_or_default();
            let ask = if list {
                invite::Ask::List
            } else if end {
                invite::Ask::End(&name)
            } else {
                invite::Ask::New {
                    name: &name,
                    role: match role {
                        Some(InvitedRole::Head) => "head",
                        _ => "officer",
                    },
                    area: area.as_deref().unwrap_or_default(),
                    hours,
                }
            };
            invite::run(&config.config, &ask)
        }
        Command::Zalo { what } => zalo(what),
        Command::Poster {
            room,
            account,
            link,
            title,
            output,
            config,
        } => {
            let options = poster::Options {
                room: &room,
                account: account.as_deref(),
                link: link.as_deref(),
                title: title.as_deref(),
                output: &output,
            };
            poster::run(&config.config, &options)
        }
        Command::Alert {
            code,
            form,
            output,
            config,
        } => alert::run(&config.config, &code, form, output.as_deref()),
        Command::CheckConfig(config) => serve::check_config(&config.config),
        Command::Health(config) => keep::health(&config.config),
        Command::Verify(config) => keep::verify(&config.config),
        Command::Backup { file, config } => keep::backup(&config.config, &file),
        Command::Restore { file, config } => keep::restore(&config.config, &file),
    }
}

fn zalo(what: Zalo) -> anyhow::Result<ExitCode> {
    match what {
        Zalo::Auth {
            account,
            verifier,
            redirected,
            config,
        } => {
            let given = groups::Auth {
                account: account.as_deref(),
                verifier: verifier.as_deref(),
                redirected: redirected.as_deref(),
            };
            groups::auth(&config.config, &given)
        }
        Zalo::Group {
            what,
            account,
            config,
        } => {
            let ask = match &what {
                GroupAct::Create {
                    name,
                    area,
                    description,
                    pack,
                    members,
                } => groups::Ask::Create {
                    name,
                    area,
                    description,
                    package: pack,
                    members,
                },
                GroupAct::List => groups::Ask::List,
                GroupAct::Invite { group, members } => groups::Ask::Invite { group, members },
                GroupAct::Link { group } => groups::Ask::Link(group),
                GroupAct::Members { group } => groups::Ask::Members(group),
            };
            groups::run(&config, account.as_deref(), &ask)
        }
    }
}

impl From<What> for crate::web::export::What {
    fn from(what: What) -> Self {
        match what {
            What::Incidents => Self::Incidents,
            What::Alerts => Self::Alerts,
            What::Deliveries => Self::Deliveries,
            What::Audit => Self::Audit,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory as _;
        super::Args::command().debug_assert();
    }
}
