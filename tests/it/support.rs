//! A ward to test in: the simulated town, the program against it, and people who talk.
//!
//! ```ignore
//! let ward = Ward::new().await;
//! ward.lan.says(ward.five, "#tromcap mất xe ở cổng chợ lúc 3h sáng");
//! assert!(ward.hears(ward.five).await.text.contains("Đã ghi nhận"));
//! ward.ends().await;
//! ```
//!
//! [`Ward::ends`] refuses when a message of the bot was looked at by nobody, or when a row still waits;
//! a ward that is dropped without it fails its test.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::Once;
use std::time::Duration;

use chrono::TimeDelta;
use keng::app::App;
use keng::domain::clock::Clock;
use keng::domain::clock::Moved;
use keng::domain::clock::SystemClock;
use keng::domain::clock::Time;
use keng::domain::delivery::Delivery;
use keng::domain::ids::AccountName;
use keng::domain::ids::RoomId;
use keng::domain::incident::Incident;
use keng::domain::room::Room;
use keng::sim::telegram::Chat;
use keng::sim::telegram::Options;
use keng::sim::telegram::Person;
use keng::sim::telegram::Sent;
use keng::sim::telegram::Telegram;
use keng::store::Cursor;
use keng::store::Store;
use tokio::sync::Notify;

/// How long anything may take; it needs milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The secret of the webhook.
pub(crate) const HOOK_SECRET: &str = "bi-mat-cua-phuong";

/// Real time, moved by hours or days when a test wants the evening or yesterday.
#[derive(Debug, Default)]
pub(crate) struct MovedClock {
    ahead: Mutex<TimeDelta>,
    moved: Notify,
}

impl MovedClock {
    pub(crate) fn advance(&self, by: TimeDelta) {
        *self.ahead.lock().unwrap() += by;
        self.moved.notify_waiters();
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Time {
        SystemClock.now() + *self.ahead.lock().unwrap()
    }

    fn moved(&self) -> Moved<'_> {
        Box::pin(self.moved.notified())
    }
}

/// How a ward is set up.
pub(crate) struct Plan {
    pub(crate) sled: bool,
    pub(crate) webhook: bool,
    pub(crate) town: Options,
    /// More config, after everything else.
    pub(crate) more: String,
    /// The token in the environment; the town's own if none.
    pub(crate) token: Option<String>,
    /// The groups are bound in the config.
    pub(crate) bound: bool,
    /// The bot joins the groups after the start.
    pub(crate) joins: bool,
    pub(crate) limits: &'static str,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            sled: false,
            webhook: false,
            town: Options::default(),
            more: String::new(),
            token: None,
            bound: true,
            joins: true,
            limits: "{ per_second = 1000, room_per_minute = 6000 }",
        }
    }
}

/// Somebody with a telephone.
#[derive(Clone)]
pub(crate) struct Who {
    town: Telegram,
    pub(crate) person: Person,
    /// The chat with the bot.
    pub(crate) home: Chat,
}

impl Who {
    pub(crate) fn of(town: &Telegram, name: &str) -> Self {
        let person = town.add_person(name);
        Self {
            town: town.clone(),
            person,
            home: Chat { id: person.id },
        }
    }

    pub(crate) fn says(&self, chat: Chat, text: &str) -> i64 {
        self.town.say(self.person, chat, text)
    }

    /// In the private chat.
    pub(crate) fn tells(&self, text: &str) -> i64 {
        self.says(self.home, text)
    }

    pub(crate) fn replies(&self, to: &Sent, text: &str) -> i64 {
        self.town.reply(self.person, to.chat, to.message_id, text)
    }

    pub(crate) fn edits(&self, chat: Chat, message: i64, text: &str) {
        assert!(self.town.edit(self.person, chat, message, text));
    }

    /// Presses the button with this label.
    pub(crate) fn presses(&self, on: &Sent, label: &str) -> String {
        let data = on.button(label).expect("the button is there").to_owned();
        self.town
            .press(self.person, on.chat, on.message_id, &data)
            .expect("the button can be pressed")
    }
}

/// A ward with the program at work in it.
pub(crate) struct Ward {
    pub(crate) town: Telegram,
    app: Option<App>,
    pub(crate) clock: Arc<MovedClock>,
    pub(crate) lan: Who,
    pub(crate) minh: Who,
    /// Officer of the whole commune.
    pub(crate) officer: Who,
    /// Head of Tân Trúc Tùng.
    pub(crate) head: Who,
    pub(crate) admin: Who,
    /// A supergroup of Tân Trúc Tùng.
    pub(crate) five: Chat,
    /// A basic group of thôn Hạ.
    pub(crate) ha: Chat,
    pub(crate) home: tempfile::TempDir,
    config: String,
    token: String,
    heard: Mutex<HashSet<(i64, i64)>>,
    ended: bool,
}

impl Ward {
    /// Records in memory.
    pub(crate) async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    /// Records on disk.
    pub(crate) async fn on_disk() -> Self {
        Self::with(Plan {
            sled: true,
            ..Plan::default()
        })
        .await
    }

    pub(crate) async fn with(plan: Plan) -> Self {
        capture_logs();
        let town = Telegram::start(([127, 0, 0, 1], 0).into(), plan.town.clone())
            .await
            .unwrap();
        let five = town.add_supergroup("Tổ dân phố 5");
        let ha = town.add_group("Hội nhóm thôn Hạ");
        let who = |name| Who::of(&town, name);
        let home = tempfile::tempdir().unwrap();
        let mut ward = Self {
            lan: who("Nguyễn Thị Lan"),
            minh: who("Trần Văn Minh"),
            officer: who("Phạm Thu Hà"),
            head: who("Trần Văn Bình"),
            admin: who("Lê Quang"),
            token: plan.token.clone().unwrap_or(town.token().to_owned()),
            app: None,
            clock: Arc::new(MovedClock::default()),
            five,
            ha,
            home,
            config: String::new(),
            heard: Mutex::default(),
            ended: false,
            town,
        };
        ward.config = ward.config_text(&plan);
        std::fs::write(ward.config_file(), &ward.config).unwrap();
        ward.starts().await;
        if plan.joins {
            for chat in [five, ha] {
                ward.town.join_bot(chat);
                let notice = ward.hears(chat).await;
                assert!(
                    notice.text.starts_with("Chào bà con, tôi là Kẻng"),
                    "{}",
                    notice.text
                );
            }
        }
        ward
    }

    fn config_text(&self, plan: &Plan) -> String {
        let port = if plan.sled || plan.webhook {
            free_port()
        } else {
            0
        };
        let kind = if plan.sled { "sled" } else { "memory" };
        let mut text = format!(
            "[store]\nkind = \"{kind}\"\npath = {:?}\n[web]\nlisten = \"127.0.0.1:{port}\"\n",
            self.store_dir(),
        );
        if plan.webhook {
            text.push_str(&format!("public_url = \"http://127.0.0.1:{port}\"\n"));
        }
        let receive = if plan.webhook {
            "receive = \"webhook\"\nwebhook_secret = { env = \"KENG_HOOK_SECRET\" }"
        } else {
            "receive = \"poll\""
        };
        text.push_str(&format!(
            "[[area]]\nid = \"06862/tan-truc-tung\"\nname = \"thôn Tân Trúc Tùng\"\n\
             [[area]]\nid = \"06862/thon-ha\"\nname = \"thôn Hạ\"\naliases = [\"thôn Hạ Long Tiên\"]\n\
             [[account]]\nname = \"tg1\"\nplatform = \"telegram\"\napi_url = \"{}\"\n\
             token = {{ env = \"KENG_TEST_TOKEN\" }}\n{receive}\nlimits = {}\n",
            self.town.url(),
            plan.limits,
        ));
        for (name, role, area, who) in [
            ("Đ/c Hà", "officer", "06862", &self.officer),
            ("Bác Bình", "head", "06862/tan-truc-tung", &self.head),
            ("Anh Quang", "admin", "06862", &self.admin),
        ] {
            text.push_str(&format!(
                "[[officer]]\nname = \"{name}\"\nrole = \"{role}\"\narea = \"{area}\"\naccounts = {{ tg1 = \"{}\" }}\n",
                who.person.id
            ));
        }
        if plan.bound {
            for (chat, area) in [
                (self.five, "06862/tan-truc-tung"),
                (self.ha, "06862/thon-ha"),
            ] {
                text.push_str(&format!(
                    "[[room]]\naccount = \"tg1\"\nnative = \"{}\"\narea = \"{area}\"\n",
                    chat.id
                ));
            }
        }
        text.push_str(&plan.more);
        text
    }

    pub(crate) fn store_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.home.path().join("ward.toml")
    }

    /// Starts the program, for the first time or again.
    pub(crate) async fn starts(&mut self) {
        assert!(self.app.is_none());
        let config = keng::config::parse(&self.config, "ward.toml", &|name| match name {
            "KENG_TEST_TOKEN" => Some(self.token.clone()),
            "KENG_HOOK_SECRET" => Some(HOOK_SECRET.to_owned()),
            _ => None,
        })
        .unwrap();
        let clock = Arc::clone(&self.clock);
        self.app = Some(App::start(config, clock).await.unwrap());
    }

    /// Stops the program as SIGTERM does.
    pub(crate) async fn stops(&mut self) {
        self.app.take().unwrap().stop().await.unwrap();
    }

    /// Changes the config before the next start.
    pub(crate) fn rewrites_config(&mut self, change: impl FnOnce(&str) -> String) {
        self.config = change(&self.config);
        std::fs::write(self.config_file(), &self.config).unwrap();
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.app.as_ref().unwrap().store()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.app.as_ref().unwrap().address()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Time passes, for the town and for the program.
    pub(crate) fn later(&self, by: TimeDelta) {
        self.clock.advance(by);
        self.town.advance(by.to_std().unwrap());
    }

    /// Time passes until it is next so late in Viet Nam.
    pub(crate) fn until_the_clock_says(&self, hour: i64, minute: i64) {
        let now = self.clock.now();
        let midnight = now - now.time().signed_duration_since(chrono::NaiveTime::MIN);
        let mut wait = midnight + TimeDelta::minutes(hour * 60 + minute) - now;
        if wait <= TimeDelta::zero() {
            wait += TimeDelta::days(1);
        }
        self.later(wait);
    }

    /// The next message of the bot in this chat that nobody has looked at.
    pub(crate) async fn hears(&self, chat: Chat) -> Sent {
        self.hears_where(chat, |_| true).await
    }

    /// The next unheard message that satisfies `wanted`; others stay unheard.
    pub(crate) async fn hears_where(&self, chat: Chat, wanted: impl Fn(&Sent) -> bool) -> Sent {
        let found = self
            .town
            .wait(PATIENCE, || {
                self.unheard(chat).into_iter().find(|sent| wanted(sent))
            })
            .await;
        let Some(sent) = found else {
            panic!(
                "nothing of the kind was heard; unheard there: {:#?}",
                texts(&self.unheard(chat))
            );
        };
        self.mark(&sent);
        sent
    }

    /// Waits until a message that was heard before has changed to satisfy `wanted`.
    pub(crate) async fn sees(&self, chat: Chat, wanted: impl Fn(&Sent) -> bool) -> Sent {
        let found = self.town.wait_for(chat, wanted, PATIENCE).await;
        let Some(sent) = found else {
            panic!(
                "never seen; in the chat: {:#?}",
                texts(&self.town.sent(chat))
            );
        };
        self.mark(&sent);
        sent
    }

    /// The only unheard message there, once everything has been dealt with.
    pub(crate) async fn hears_only(&self, chat: Chat) -> Sent {
        self.settles().await;
        let mut all = self.unheard(chat);
        assert_eq!(all.len(), 1, "{:#?}", texts(&all));
        let sent = all.remove(0);
        self.mark(&sent);
        sent
    }

    /// Everything has been dealt with, and nothing was said here.
    pub(crate) async fn hears_nothing(&self, chat: Chat) {
        self.settles().await;
        let unheard = self.unheard(chat);
        assert!(unheard.is_empty(), "{:#?}", texts(&unheard));
    }

    /// Everything unheard there as it stands now.
    pub(crate) fn hears_all(&self, chat: Chat) -> Vec<Sent> {
        let all = self.unheard(chat);
        all.iter().for_each(|sent| self.mark(sent));
        all
    }

    fn mark(&self, sent: &Sent) {
        self.heard
            .lock()
            .unwrap()
            .insert((sent.chat.id, sent.message_id));
    }

    fn unheard(&self, chat: Chat) -> Vec<Sent> {
        let heard = self.heard.lock().unwrap();
        let all = self.town.sent(chat).into_iter();
        all.filter(|sent| !heard.contains(&(sent.chat.id, sent.message_id)))
            .collect()
    }

    /// Waits until every update is confirmed and no row waits or is on its way.
    pub(crate) async fn settles(&self) {
        self.until("updates are not confirmed", async || {
            self.town.stats().pending == 0
        })
        .await;
        let store = self.store();
        self.until("rows are still waiting or on their way", async || {
            let backlog = store.backlog().await.unwrap();
            backlog.urgent + backlog.reply + backlog.bulk == 0
                && store.interrupted(&tg1()).await.unwrap().is_empty()
        })
        .await;
    }

    /// Waits for something that only the store knows.
    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while !holds().await {
            assert!(tokio::time::Instant::now() < end, "{what}");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Every case, oldest first, once everything has been dealt with.
    pub(crate) async fn records(&self) -> Vec<Incident> {
        self.settles().await;
        all_incidents(self.store().as_ref()).await
    }

    /// The only case.
    pub(crate) async fn record(&self) -> Incident {
        let mut all = self.records().await;
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    pub(crate) async fn room(&self, chat: Chat) -> Option<Room> {
        self.store().room(&room(chat)).await.unwrap()
    }

    /// Rows of alerts.
    pub(crate) async fn deliveries(&self) -> Vec<Delivery> {
        let mut rows = Vec::new();
        let mut from = Some(Cursor::default());
        while let Some(cursor) = from {
            let (page, next) = self.store().scan_deliveries(&cursor, 500).await.unwrap();
            rows.extend(page);
            from = next;
        }
        rows
    }

    /// More groups of Tân Trúc Tùng, bound by the administrator.
    pub(crate) async fn more_groups(&self, count: usize) -> Vec<Chat> {
        let mut groups = Vec::new();
        for number in 0..count {
            let chat = self.town.add_supergroup(&format!("Xóm {number}"));
            self.town.join_bot(chat);
            self.hears(chat).await;
            self.admin.says(chat, "/ganthon tan-truc-tung");
            let answer = self.hears(chat).await;
            assert!(answer.text.contains("từ nay thuộc"), "{}", answer.text);
            groups.push(chat);
        }
        groups
    }

    /// The officer's draft, as far as the preview.
    pub(crate) async fn drafts(&self, text: &str) -> Sent {
        self.officer.tells(&format!("/canhbao {text}"));
        self.hears_where(self.officer.home, |sent| sent.text.starts_with("CHƯA GỬI"))
            .await
    }

    /// The command line, with this ward's config: what it printed, or its error.
    pub(crate) fn keng(&self, args: &[&str]) -> Result<String, String> {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_keng"))
            .args(args)
            .arg("--config")
            .arg(self.config_file())
            .env("KENG_TEST_TOKEN", &self.token)
            .env("KENG_HOOK_SECRET", HOOK_SECRET)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr) + &text(&output.stdout))
        }
    }

    /// Checks that nothing was left over, and stops.
    pub(crate) async fn ends(mut self) {
        self.settles().await;
        let left: Vec<_> = {
            let heard = self.heard.lock().unwrap();
            let all = self.town.all_sent().into_iter();
            all.filter(|sent| !heard.contains(&(sent.chat.id, sent.message_id)))
                .collect()
        };
        assert!(left.is_empty(), "nobody looked at {:#?}", texts(&left));
        self.stops().await;
        self.ended = true;
    }

    /// For wards whose program cannot end in order.
    pub(crate) fn abandons(mut self) {
        self.ended = true;
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        assert!(
            self.ended || std::thread::panicking(),
            "a ward must end with `ends` or `abandons`"
        );
    }
}

pub(crate) fn tg1() -> AccountName {
    AccountName::parse("tg1").unwrap()
}

pub(crate) fn room(chat: Chat) -> RoomId {
    RoomId::new(tg1(), chat.id.to_string())
}

pub(crate) fn texts(sent: &[Sent]) -> Vec<(i64, &str)> {
    sent.iter()
        .map(|sent| (sent.chat.id, sent.text.as_str()))
        .collect()
}

/// The case code in a receipt.
pub(crate) fn code(text: &str) -> String {
    let (_, rest) = text.split_once("mã ").expect("the words carry a code");
    rest.chars().take_while(char::is_ascii_digit).collect()
}

pub(crate) async fn all_incidents(store: &dyn Store) -> Vec<Incident> {
    let (all, next) = store
        .scan_incidents(&Cursor::default(), 10_000)
        .await
        .unwrap();
    assert!(next.is_none());
    all
}

/// Whether the words stand anywhere in the files below.
pub(crate) fn stored_in(dir: &Path, words: &str) -> bool {
    let mut found = false;
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        found |= if path.is_dir() {
            stored_in(&path, words)
        } else {
            std::fs::read(&path)
                .is_ok_and(|bytes| memchr::memmem::find(&bytes, words.as_bytes()).is_some())
        };
    }
    found
}

pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

static LOGS: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Logs;

impl std::io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGS.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that is logged in this process, at every level, is kept.
pub(crate) fn capture_logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter("info,keng=trace,reqwest=trace")
            .with_ansi(false)
            .with_writer(|| Logs)
            .init();
    });
}

/// The status that a webhook call gets. The server hangs up on a body that is too long for it, and a
/// caller that is still writing then may hear of that before it hears the answer: 413 all the same.
pub(crate) async fn status(call: reqwest::RequestBuilder) -> u16 {
    match call.send().await {
        Ok(answer) => answer.status().as_u16(),
        Err(error) if error.is_request() && !error.is_connect() => 413,
        Err(error) => panic!("{error}"),
    }
}

/// Whether the words were logged by anybody in this process.
pub(crate) fn logged(words: &str) -> bool {
    memchr::memmem::find(&LOGS.lock().unwrap(), words.as_bytes()).is_some()
}
