//! Reads the `use` lines of `src/` and keeps the arrows of the house true: which room may know which.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

/// Each room, and the rooms it may know. A room that is not listed here does not exist.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("text", &["domain"]),
    // The program that lays the lexicon out while this one is built.
    ("build", &["domain", "text"]),
    ("say", &["domain"]),
    ("draw", &["domain", "say"]),
    ("channel", &["domain"]),
    ("store", &["domain"]),
    ("intake", &["domain", "text", "say", "store", "channel"]),
    (
        "desk",
        &["domain", "text", "say", "store", "channel", "digest"],
    ),
    ("digest", &["domain", "text", "say", "store", "channel"]),
    (
        "outbox",
        &["domain", "text", "say", "draw", "store", "channel"],
    ),
    (
        "web",
        &[
            "domain", "text", "say", "draw", "store", "channel", "intake", "desk", "digest",
            "outbox",
        ],
    ),
    ("config", &["domain"]),
    ("sim", &[]),
    (
        "app",
        &[
            "domain", "text", "say", "draw", "store", "channel", "intake", "desk", "digest",
            "outbox", "web", "config",
        ],
    ),
    (
        "cli",
        &[
            "domain", "text", "say", "draw", "store", "channel", "intake", "desk", "digest",
            "outbox", "web", "config", "app", "sim",
        ],
    ),
];

/// Drivers behind the two traits: only the composition root and the command line name them.
const DRIVERS: &[(&str, &[&str])] = &[
    (
        "store",
        &[
            "sled", "memory", "postgres", "journal", "kv", "rows", "acts", "backup", "verify",
        ],
    ),
    ("channel", &["telegram", "zalo_bot", "zalo_oa", "facebook"]),
];

/// Crates that belong to one room.
const CRATES: &[(&str, &[&str])] = &[
    ("sled", &["store"]),
    ("teloxide_core", &["channel"]),
    ("axum", &["web", "sim", "app"]),
    ("reqwest", &["channel", "app", "cli"]),
    ("clap", &["cli"]),
    ("qrcode", &["cli"]),
    ("resvg", &["draw"]),
    ("ttf_parser", &["draw"]),
    ("png", &["draw"]),
    ("quick_xml", &["web"]),
    ("svg2pdf", &["cli"]),
    ("toml", &["config", "text", "desk", "sim"]),
];

/// The image is built where nobody here can watch: what it copies must be there, its Rust must be ours,
/// and it must run as a user and say how it is.
#[test]
fn the_image_is_made_of_what_is_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let (image, manifest, ignored) = (
        read("Dockerfile"),
        read("Cargo.toml"),
        read(".dockerignore"),
    );
    let mut copied = BTreeSet::new();
    for line in image.lines().filter(|line| line.starts_with("COPY ")) {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let (_, from) = words.split_last().unwrap();
        if from.iter().any(|word| word.starts_with("--from")) {
            continue;
        }
        for name in from {
            assert!(root.join(name).exists(), "{name} is copied and is not here");
            assert!(
                !ignored.lines().any(|line| line == *name),
                "{name} is copied and ignored"
            );
            copied.insert((*name).to_owned());
        }
    }
    for needed in ["Cargo.toml", "Cargo.lock", "src", "config", "benches"] {
        assert!(copied.contains(needed), "{needed} is not copied");
    }
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .unwrap()
        .trim_matches('"');
    assert!(
        image.contains(&format!("FROM rust:{version}-")),
        "{version}"
    );
    let stages: Vec<&str> = image.split("\nFROM ").collect();
    let last = stages.last().unwrap();
    assert!(last.contains("\nUSER keng\n"));
    assert!(last.contains("HEALTHCHECK") && last.contains("\"keng\", \"health\""));
    assert!(last.contains("STOPSIGNAL SIGTERM"));
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every `crate::a::b` and outside crate that a file names, in code, not in comments.
fn names(text: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default();
        for part in code.split("crate::").skip(1) {
            let mut path = part.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let mut steps = path.next().unwrap_or_default().split("::");
            let room = steps.next().unwrap_or_default().to_owned();
            found.insert((room, steps.next().unwrap_or_default().to_owned()));
        }
    }
    found
}

#[test]
fn arrows_point_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "the sources were not found");
    let mut faults = Vec::new();
    for file in files {
        let inside = file
            .strip_prefix(&root)
            .unwrap()
            .to_string_lossy()
            .replace(".rs", "");
        let room = inside.split('/').next().unwrap();
        // A module of tests may open a driver.
        if matches!(room, "lib" | "main") || inside.ends_with("/tests") {
            continue;
        }
        let Some((_, allowed)) = MAY_KNOW.iter().find(|(name, _)| *name == room) else {
            faults.push(format!(
                "src/{inside}.rs: the room `{room}` is not in the plan of the house"
            ));
            continue;
        };
        let text = std::fs::read_to_string(&file).unwrap();
        for (known, inner) in names(&text) {
            if known != room && !allowed.contains(&known.as_str()) {
                faults.push(format!("src/{inside}.rs: `{room}` must not know `{known}`"));
            }
            let driver = DRIVERS
                .iter()
                .any(|(owner, drivers)| *owner == known && drivers.contains(&inner.as_str()));
            let tests_only = text.find("#[cfg(test)]").is_some_and(|at| {
                text.get(..at)
                    .is_some_and(|code| !code.contains(&format!("crate::{known}::{inner}")))
            });
            if driver && known != room && !matches!(room, "app" | "cli") && !tests_only {
                faults.push(format!(
                    "src/{inside}.rs: only `app` and `cli` may name the driver `{known}::{inner}`"
                ));
            }
        }
        for (krate, owners) in CRATES {
            let used = text.lines().any(|line| {
                let line = line.trim_start();
                line.starts_with(&format!("use {krate}::")) || line.contains(&format!(" {krate}::"))
            });
            if used && !owners.contains(&room) {
                faults.push(format!(
                    "src/{inside}.rs: the crate `{krate}` belongs to {owners:?}"
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_top_level_holds_only_what_the_plan_lists() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "Dockerfile",
        "LICENSE",
        "README.md",
        "src",
        "config",
        "tests",
        "benches",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let extra: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| {
            !name.starts_with('.') && !["target", "data", "node_modules"].contains(&name.as_str())
        })
        .filter(|name| !allowed.contains(&name.as_str()))
        .collect();
    assert!(extra.is_empty(), "at the top level: {extra:?}");
}

#[test]
fn texts_and_data_are_in_nfc() {
    use unicode_normalization::is_nfc;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let mut config = vec![root.join("config")];
    while let Some(dir) = config.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                config.push(path)
            } else {
                files.push(path)
            }
        }
    }
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        assert!(is_nfc(&text), "{} is not in NFC", file.display());
    }
}
