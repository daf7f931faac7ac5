//! kill -9 at random moments, under load, again and again.
//!
//! A simulated Telegram outlives the program, as the real one does. Residents write without pause, an
//! officer sends alerts; `keng serve` is killed in the middle and started again. What the simulator was
//! told to forget (a confirmed offset) must be in the store exactly once; every receipt must arrive; every
//! room of every alert must have it, or be reported as unknown; `keng verify` must be clean after each kill.
//!
//! Short by default; `KENG_KILLS=200` makes it long: so many kills 50 to 500 ms after the start, and as
//! many within its first 30 ms.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use keng::sim::telegram::Chat;
use keng::sim::telegram::Dice;
use keng::sim::telegram::Options;
use keng::sim::telegram::Person;
use keng::sim::telegram::Telegram;
use serde_json::Value;

const TOKEN: &str = "7000000001:AAcrashcrashcrashcrashcrashcrashcr0";

struct Scene {
    town: Telegram,
    home: tempfile::TempDir,
    groups: Vec<Chat>,
    residents: Vec<Person>,
    officer: Person,
    desk: Chat,
    /// Tagged messages, in the order of their updates; the number of updates before each.
    tagged: Vec<(u64, i64, i64)>,
    /// Updates made so far.
    updates: u64,
    /// The words of each alert that was asked for.
    alerts: Vec<String>,
    dice: Dice,
}

impl Scene {
    async fn new() -> Self {
        let options = Options {
            token: TOKEN.to_owned(),
            ..Options::default()
        };
        let town = Telegram::start(([127, 0, 0, 1], 0).into(), options)
            .await
            .unwrap();
        let home = tempfile::tempdir().unwrap();
        let groups: Vec<Chat> = (0..3)
            .map(|n| town.add_supergroup(&format!("Tổ {n}")))
            .collect();
        let residents = (0..5)
            .map(|n| town.add_person(&format!("Người {n}")))
            .collect();
        let officer = town.add_person("Hà");
        let desk = town.start_private(officer);
        let mut config = format!(
            "[store]\npath = \"data\"\n[web]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"warn\"\n\
             [[account]]\nname = \"tg1\"\nplatform = \"telegram\"\napi_url = \"{}\"\n\
             token = {{ env = \"KENG_TEST_TOKEN\" }}\nlimits = {{ per_second = 1000, room_per_minute = 100000 }}\n\
             [[officer]]\nname = \"Đ/c Hà\"\nrole = \"officer\"\narea = \"06862\"\naccounts = {{ tg1 = \"{}\" }}\n",
            town.url(),
            officer.id
        );
        for chat in &groups {
            config.push_str(&format!(
                "[[room]]\naccount = \"tg1\"\nnative = \"{}\"\narea = \"06862/thon-ha\"\n",
                chat.id
            ));
        }
        std::fs::write(home.path().join("ward.toml"), config).unwrap();
        let scene = Self {
            town,
            home,
            groups,
            residents,
            officer,
            desk,
            tagged: Vec::new(),
            updates: 0,
            alerts: Vec::new(),
            dice: Dice::new(42),
        };
        // One quiet run first: the rooms join, so that every later update is one that this test made.
        for chat in &scene.groups {
            scene.town.join_bot(*chat);
            scene.town.promote_bot(*chat);
        }
        let mut child = scene.serve();
        assert!(
            scene.town.wait_confirmed(Duration::from_secs(30)).await,
            "the first run took nothing"
        );
        stop(&mut child);
        let mut scene = scene;
        scene.updates = scene.town.confirmed_updates();
        scene
    }

    fn keng(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keng"));
        command
            .current_dir(self.home.path())
            .env("KENG_TEST_TOKEN", TOKEN)
            .stdin(Stdio::null());
        command
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("log")
    }

    fn serve(&self) -> Child {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        self.keng()
            .args(["serve", "--config", "ward.toml"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn ask(&self, args: &[&str]) -> String {
        let output = self
            .keng()
            .args(args)
            .args(["--config", "ward.toml"])
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success(),
            "keng {args:?}: {error}\n{text}\nlog: {}",
            self.log_tail()
        );
        text
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        log.lines()
            .rev()
            .take(20)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn export(&self, what: &str) -> Vec<Value> {
        self.ask(&["export", what])
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// One thing happens in the ward.
    fn happen(&mut self) {
        let chat = self.groups[self.dice.below(self.groups.len())];
        let person = self.residents[self.dice.below(self.residents.len())];
        let number = self.updates;
        match self.dice.below(10) {
            0..=5 => {
                let text = format!("#tromcap mất xe đạp số {number} ở ngõ {number} lúc 3h sáng");
                let message = self.town.say(person, chat, &text);
                self.tagged.push((number, chat.id, message));
            }
            _ => {
                self.town.say(
                    person,
                    chat,
                    &format!("chuyện phiếm thứ {number}, ai đi chợ không"),
                );
            }
        }
        self.updates += 1;
    }

    /// The officer drafts an alert and confirms it by its button, if the program lives long enough to show one.
    async fn alert(&mut self) {
        let words = format!(
            "Cảnh báo số {}: có kẻ giả danh công an gọi điện.",
            self.updates
        );
        self.town
            .say(self.officer, self.desk, &format!("/canhbao {words}"));
        self.updates += 1;
        let preview = self
            .town
            .wait_for(
                self.desk,
                |sent| sent.text.contains(&words) && sent.button("Gửi").is_some(),
                Duration::from_millis(120),
            )
            .await;
        if let Some(preview) = preview {
            let data = preview.button("Gửi").unwrap().to_owned();
            if self
                .town
                .press(self.officer, self.desk, preview.message_id, &data)
                .is_some()
            {
                self.updates += 1;
                self.alerts.push(words);
            }
        }
    }

    /// What was confirmed is recorded, once; what is recorded was said.
    fn check_records(&self) -> BTreeMap<(i64, i64), String> {
        let mut recorded = BTreeMap::new();
        for incident in self.export("incidents") {
            for report in incident["reports"].as_array().unwrap() {
                let key = (
                    report["room"].as_str().unwrap().parse::<i64>().unwrap(),
                    report["message_id"]
                        .as_str()
                        .unwrap()
                        .parse::<i64>()
                        .unwrap(),
                );
                let twice = recorded.insert(key, incident["code"].as_str().unwrap().to_owned());
                assert!(twice.is_none(), "message {key:?} was recorded twice");
            }
        }
        let confirmed = self.town.confirmed_updates();
        for (number, chat, message) in &self.tagged {
            if *number < confirmed {
                assert!(
                    recorded.contains_key(&(*chat, *message)),
                    "message {message} of {chat} was acknowledged and is not recorded"
                );
            }
        }
        recorded
    }
}

fn stop(child: &mut Child) {
    let pid = child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    let started = Instant::now();
    let status = child.wait().unwrap();
    assert!(status.success(), "a clean stop ended with {status}");
    assert!(
        started.elapsed() < Duration::from_secs(11),
        "a clean stop took {:?}",
        started.elapsed()
    );
}

fn cycles() -> u64 {
    std::env::var("KENG_KILLS")
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(20)
}

async fn kill_again_and_again(from_ms: u64, to_ms: u64, kills: u64) {
    let mut scene = Scene::new().await;
    let mut in_flight_at_kills = 0;
    for cycle in 0..kills {
        let mut child = scene.serve();
        let life =
            Duration::from_millis(from_ms + scene.dice.below((to_ms - from_ms) as usize) as u64);
        let end = Instant::now() + life;
        let mut alerted = false;
        while Instant::now() < end {
            for _ in 0..3 {
                scene.happen();
            }
            if !alerted && cycle % 4 == 3 && Instant::now() + Duration::from_millis(40) < end {
                alerted = true;
                scene.alert().await;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        in_flight_at_kills += 64;
        let report = scene.ask(&["verify"]);
        assert!(report.trim_end().ends_with("clean"), "{report}");
        if cycle % 10 == 9 || cycle + 1 == kills {
            scene.check_records();
        }
    }

    // A last run, left alone until nothing waits any more.
    let mut child = scene.serve();
    assert!(
        scene.town.wait_confirmed(Duration::from_secs(60)).await,
        "the last run did not take everything: {}",
        scene.log_tail()
    );
    let quiet = Instant::now();
    let mut sends = scene.town.stats().sends;
    while quiet.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let now = scene.town.stats().sends;
        if now == sends {
            break;
        }
        sends = now;
    }
    stop(&mut child);
    scene.ask(&["verify"]);
    let recorded = scene.check_records();
    assert_eq!(
        recorded.len(),
        scene.tagged.len(),
        "every tagged message is recorded once"
    );

    let mut words: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for sent in scene.town.all_sent() {
        words.entry(sent.chat.id).or_default().push(sent.text);
    }
    let (mut missing, mut again) = (Vec::new(), 0);
    for ((chat, message), code) in &recorded {
        let told = words
            .get(chat)
            .into_iter()
            .flatten()
            .filter(|text| {
                text.split(|c: char| !c.is_alphanumeric())
                    .any(|word| word == code)
            })
            .count();
        match told {
            0 => missing.push((*chat, *message)),
            1 => {}
            more => again += more - 1,
        }
    }
    let deliveries = scene.export("deliveries");
    let mut unknown = 0;
    for delivery in &deliveries {
        match delivery["state"].as_str().unwrap() {
            "sent" => {}
            "unknown" => unknown += 1,
            other => panic!("a room is left {other}: {delivery}"),
        }
    }
    let mut twice = 0;
    for alert in &scene.alerts {
        for chat in &scene.groups {
            let seen = words
                .get(&chat.id)
                .into_iter()
                .flatten()
                .filter(|text| text.contains(alert))
                .count();
            assert!(
                seen > 0 || unknown > 0,
                "the room {} never heard: {alert}",
                chat.id
            );
            twice += seen.saturating_sub(1);
        }
    }
    println!(
        "{kills} kills at {from_ms}–{to_ms} ms: {} updates, {} tagged and recorded once, {} receipts missing, \
         {again} told again (bound: {in_flight_at_kills}), {} alerts, {} deliveries, {unknown} unknown, {twice} twice",
        scene.updates,
        recorded.len(),
        missing.len(),
        scene.alerts.len(),
        deliveries.len(),
    );
    assert!(missing.is_empty(), "no receipt for {missing:?}");
    assert!(
        again <= in_flight_at_kills as usize,
        "{again} receipts came again"
    );
    assert_no_chatter(scene.home.path());
}

/// Nothing untagged stands anywhere: not in the store's files, not in the log.
fn assert_no_chatter(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_no_chatter(&path);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let found = memchr::memmem::find(&bytes, "chuyện phiếm".as_bytes());
            assert!(
                found.is_none(),
                "untagged words stand in {}",
                path.display()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_nothing_acknowledged_is_lost_or_stored_twice() {
    kill_again_and_again(50, 500, cycles()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_starts_it_starts_again() {
    kill_again_and_again(1, 30, cycles()).await;
}
