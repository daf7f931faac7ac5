//! The town's scenarios as somebody who writes one meets them: what is claimed in the file is really asked.

use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;

const HEAD: &str = "title = \"Thử\"\nabout = \"Thử\"\nbegins = \"07:00\"\nrooms = 6\n";

/// Plays a scenario of one's own to its end.
fn played(scenario: &str) -> (Output, Value) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("của tôi.toml");
    std::fs::write(&file, format!("{HEAD}{scenario}")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_keng"))
        .args(["demo", "--once", "--json", "--scenario"])
        .arg(&file)
        .output()
        .unwrap();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output, summary)
}

fn failures(summary: &Value) -> Vec<&str> {
    let all = summary["failures"].as_array().unwrap();
    all.iter().map(|one| one.as_str().unwrap()).collect()
}

#[test]
fn what_is_true_at_the_end_passes() {
    let (output, summary) = played(
        r##"
[[step]]
who = "resident 1"
where = "telegram 1"
says = "#tromcap vừa mất con gà ở cổng chợ"
is = "report"

[[step]]
who = "resident 2"
where = "telegram 1"
says = "mai ai đi chợ phiên cho em đi nhờ với nhé cả nhà"
is = "chatter"

[end]
incidents = 1
reports = 1
every_report_kept = true
every_report_answered = true
chatter_leaves_no_trace = true
store_is_sound = true
"##,
    );
    assert_eq!(summary["failures"], serde_json::json!([]), "{output:?}");
    assert!(output.status.success() && summary["ok"] == true);
    assert_eq!(
        (&summary["tagged"], &summary["receipts"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn every_claim_that_is_not_true_fails_with_a_line_of_its_own() {
    let (output, summary) = played(
        r##"
# Said to be chatter, and the bot is told of it: this one leaves a trace.
[[step]]
who = "resident 1"
where = "telegram 1"
says = "#tromcap vừa mất con gà ở cổng chợ"
is = "chatter"

# Said to be a report, and nobody tells the bot.
[[step]]
who = "resident 2"
where = "telegram 1"
says = "mai ai đi chợ phiên"
is = "report"

[[step]]
where = "telegram 1"
hears = "#"

[end]
incidents = 2
reports = 2
alerts = 1
every_report_kept = true
chatter_leaves_no_trace = true

[[stands]]
where = "telegram 1"
has = "một lời không ai nói"
"##,
    );
    assert!(!output.status.success());
    assert_eq!(summary["ok"], false);
    let failures = failures(&summary).join("\n");
    for part in [
        "line 32: in ",
        "“một lời không ai nói” stands 0 times, not 1",
        "`incidents`: 1, not 2",
        "`reports`: 1, not 2",
        "`alerts`: 0, not 1",
        "`every_report_kept`: 1 of 1 reports are not in the store, 1 in it are none",
        "`chatter_leaves_no_trace`: 1 texts of chatter are in the store",
    ] {
        assert!(failures.contains(part), "{part} is missing in\n{failures}");
    }
}

#[test]
fn a_step_that_does_not_come_true_ends_the_play() {
    let (output, summary) = played(
        r##"
[[step]]
who = "resident 1 of telegram 1"
where = "private"
says = "/trogiup"

[[step]]
who = "resident 1 of telegram 1"
where = "private"
hears = "113"

[[step]]
who = "resident 1 of telegram 1"
where = "private"
silent = "113"
key = "never"

[end]
incidents = 0
"##,
    );
    assert!(!output.status.success());
    assert_eq!(summary["never"], false);
    let failures = failures(&summary);
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(
        failures[0].starts_with("line 16: ") && failures[0].contains("has heard “113” already")
    );
}

#[test]
fn a_wrong_file_is_refused_with_its_line() {
    let (output, _) =
        played("[[step]]\nwho = \"resident 7\"\nwhere = \"telegram 1\"\nsays = \"a\"\n[end]\n");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("của tôi.toml:6: `who`: nobody of this name"),
        "{said}"
    );
}

#[test]
fn the_towns_config_is_one_that_the_program_takes() {
    let mut town = Command::new(env!("CARGO_BIN_EXE_keng"))
        .args(["town", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(town.stdout.take().unwrap()).lines();
    let printed: Vec<String> = lines
        .map(Result::unwrap)
        .take_while(|line| line != "# The end of the config.")
        .collect();
    town.kill().unwrap();
    town.wait().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ward.toml");
    std::fs::write(&file, printed.join("\n")).unwrap();
    let secrets = printed.iter().filter_map(|line| {
        let (name, value) = line.strip_prefix("#   export ")?.split_once('=')?;
        Some((name, value.trim_matches('\'')))
    });
    let output = Command::new(env!("CARGO_BIN_EXE_keng"))
        .args(["check-config", "--config"])
        .arg(&file)
        .envs(secrets)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(said.matches("\nroom ").count(), 30, "{said}");
}
