//! A quarter of the town to test in, on Zalo Bot. Like the ward on Telegram, it refuses to end while a
//! message of the bot was looked at by nobody.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use chrono::TimeDelta;
use keng::app::App;
use keng::domain::delivery::Delivery;
use keng::domain::ids::AccountName;
use keng::domain::ids::RoomId;
use keng::domain::incident::Incident;
use keng::domain::room::Room;
use keng::sim::zalo_bot::Chat;
use keng::sim::zalo_bot::Options;
use keng::sim::zalo_bot::Person;
use keng::sim::zalo_bot::Sent;
use keng::sim::zalo_bot::Switches;
use keng::sim::zalo_bot::ZaloBot;
use keng::store::Cursor;
use keng::store::Store;

use crate::support::MovedClock;
use crate::support::PATIENCE;
use crate::support::all_incidents;
use crate::support::capture_logs;
use crate::support::free_port;

pub(crate) const HOOK_SECRET: &str = "bi-mat-cua-xom-dinh";

/// How a quarter is set up.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) switches: Switches,
    pub(crate) sled: bool,
    pub(crate) webhook: bool,
    /// More keys of the account.
    pub(crate) account: &'static str,
    /// More config, before everything else.
    pub(crate) top: &'static str,
    /// The group is bound by nobody.
    pub(crate) unbound: bool,
    /// The simulated token; its own if none.
    pub(crate) token: Option<String>,
}

/// Somebody with a telephone.
#[derive(Clone)]
pub(crate) struct Who {
    zalo: ZaloBot,
    pub(crate) person: Person,
    /// The chat with the bot.
    pub(crate) home: Chat,
}

impl Who {
    pub(crate) fn of(zalo: &ZaloBot, name: &str) -> Self {
        let person = zalo.add_person(name);
        Self {
            home: zalo.private(&person),
            zalo: zalo.clone(),
            person,
        }
    }

    /// In the private chat.
    pub(crate) fn tells(&self, text: &str) -> String {
        self.zalo.say(&self.person, &self.home, text)
    }

    /// In a group, without picking anybody's name.
    pub(crate) fn chats(&self, chat: &Chat, text: &str) -> String {
        self.zalo.say(&self.person, chat, text)
    }

    /// In a group, with the bot's name picked.
    pub(crate) fn calls(&self, chat: &Chat, text: &str) -> String {
        self.zalo.mention(&self.person, chat, text)
    }

    pub(crate) fn replies(&self, to: &Sent, text: &str) -> String {
        self.zalo
            .reply(&self.person, &to.chat, &to.message_id, text)
    }
}

pub(crate) struct Quarter {
    pub(crate) zalo: ZaloBot,
    app: Option<App>,
    pub(crate) clock: Arc<MovedClock>,
    pub(crate) lan: Who,
    pub(crate) minh: Who,
    /// Officer of the whole commune.
    pub(crate) officer: Who,
    /// Head of the village.
    pub(crate) head: Who,
    pub(crate) admin: Who,
    /// The group of the village, with the bot in it.
    pub(crate) dinh: Chat,
    pub(crate) home: tempfile::TempDir,
    config: String,
    token: String,
    heard: Mutex<HashSet<String>>,
    ended: bool,
}

impl Quarter {
    /// The bot has said in the group who it is.
    pub(crate) async fn greeted(plan: Plan) -> Self {
        let quarter = Self::with(plan).await;
        quarter.minh.calls(&quarter.dinh, "chào bot");
        let notice = quarter.hears_only(&quarter.dinh).await;
        assert!(notice.text.contains("gõ @"), "{}", notice.text);
        quarter
    }

    pub(crate) async fn with(plan: Plan) -> Self {
        capture_logs();
        let options = Options {
            switches: plan.switches.clone(),
            ..Options::default()
        };
        let zalo = ZaloBot::start(([127, 0, 0, 1], 0).into(), options)
            .await
            .unwrap();
        let who = |name| Who::of(&zalo, name);
        let dinh = zalo.add_group("Xóm Đình");
        assert!(zalo.join_bot(&dinh) || !plan.switches.can_join_groups);
        let mut quarter = Self {
            lan: who("Nguyễn Thị Lan"),
            minh: who("Trần Văn Minh"),
            officer: who("Phạm Thu Hà"),
            head: who("Trần Văn Bình"),
            admin: who("Lê Quang"),
            dinh,
            app: None,
            clock: Arc::new(MovedClock::default()),
            home: tempfile::tempdir().unwrap(),
            config: String::new(),
            token: plan.token.clone().unwrap_or(zalo.token().to_owned()),
            heard: Mutex::default(),
            ended: false,
            zalo,
        };
        quarter.config = quarter.config_text(&plan);
        std::fs::write(quarter.config_file(), &quarter.config).unwrap();
        quarter.starts().await;
        quarter
    }

    fn config_text(&self, plan: &Plan) -> String {
        let port = free_port();
        let kind = if plan.sled { "sled" } else { "memory" };
        let receive = if plan.webhook {
            "receive = \"webhook\"\nwebhook_secret = { env = \"KENG_HOOK_SECRET\" }"
        } else {
            "receive = \"poll\""
        };
        let mut text = format!(
            "{}\n[store]\nkind = \"{kind}\"\npath = {:?}\n\
             [web]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\n\
             [[area]]\nid = \"06862/xom-dinh\"\nname = \"xóm Đình\"\n\
             [[account]]\nname = \"zb1\"\nplatform = \"zalo_bot\"\napi_url = \"{}\"\n\
             token = {{ env = \"KENG_TEST_TOKEN\" }}\n{receive}\npoll_spacing_ms = 5\n\
             limits = {{ per_second = 1000, room_per_minute = 6000 }}\n{}\n",
            plan.top,
            self.store_dir(),
            self.zalo.url(),
            plan.account,
        );
        for (name, role, area, who) in [
            ("Đ/c Hà", "officer", "06862", &self.officer),
            ("Bác Bình", "head", "06862/xom-dinh", &self.head),
            ("Anh Quang", "admin", "06862", &self.admin),
        ] {
            text.push_str(&format!(
                "[[officer]]\nname = \"{name}\"\nrole = \"{role}\"\narea = \"{area}\"\naccounts = {{ zb1 = \"{}\" }}\n",
                who.person.id
            ));
        }
        if !plan.unbound {
            text.push_str(&format!(
                "[[room]]\naccount = \"zb1\"\nnative = \"{}\"\narea = \"06862/xom-dinh\"\n",
                self.dinh.id
            ));
        }
        text
    }

    pub(crate) fn store_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.home.path().join("xom.toml")
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Starts the program, for the first time or again.
    pub(crate) async fn starts(&mut self) {
        assert!(self.app.is_none());
        let config = keng::config::parse(&self.config, "xom.toml", &|name| match name {
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

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.app.as_ref().unwrap().store()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.as_ref().unwrap().address())
    }

    pub(crate) async fn metrics(&self) -> String {
        let client = keng::app::http_client().unwrap();
        let answer = client.get(self.url("/metrics")).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// Time passes, for the town and for the program.
    pub(crate) fn later(&self, by: TimeDelta) {
        self.clock.advance(by);
        self.zalo.advance(by.to_std().unwrap());
    }

    /// The next message of the bot in this chat that nobody has looked at.
    pub(crate) async fn hears(&self, chat: &Chat) -> Sent {
        self.hears_where(chat, |_| true).await
    }

    /// The next unheard message that satisfies `wanted`; others stay unheard.
    pub(crate) async fn hears_where(&self, chat: &Chat, wanted: impl Fn(&Sent) -> bool) -> Sent {
        let found = self
            .zalo
            .wait(PATIENCE, || {
                self.unheard(chat).into_iter().find(|sent| wanted(sent))
            })
            .await;
        let Some(sent) = found else {
            let left: Vec<_> = self.unheard(chat);
            panic!("nothing of the kind was heard; unheard there: {left:#?}");
        };
        self.mark(&sent);
        sent
    }

    /// The only unheard message there, once everything has been dealt with.
    pub(crate) async fn hears_only(&self, chat: &Chat) -> Sent {
        self.settles().await;
        let mut all = self.unheard(chat);
        assert_eq!(all.len(), 1, "{all:#?}");
        let sent = all.remove(0);
        self.mark(&sent);
        sent
    }

    /// Everything has been dealt with, and nothing was said here.
    pub(crate) async fn hears_nothing(&self, chat: &Chat) {
        self.settles().await;
        let unheard = self.unheard(chat);
        assert!(unheard.is_empty(), "{unheard:#?}");
    }

    /// Everything unheard there as it stands now.
    pub(crate) fn hears_all(&self, chat: &Chat) -> Vec<Sent> {
        let all = self.unheard(chat);
        all.iter().for_each(|sent| self.mark(sent));
        all
    }

    fn mark(&self, sent: &Sent) {
        self.heard.lock().unwrap().insert(sent.message_id.clone());
    }

    fn unheard(&self, chat: &Chat) -> Vec<Sent> {
        let heard = self.heard.lock().unwrap();
        let all = self.zalo.sent(chat).into_iter();
        all.filter(|sent| !heard.contains(&sent.message_id))
            .collect()
    }

    /// Waits until every update is taken and no row waits or is on its way.
    pub(crate) async fn settles(&self) {
        self.until("updates are not taken", async || {
            self.zalo.stats().pending == 0
        })
        .await;
        let store = self.store();
        self.until("rows are still waiting or on their way", async || {
            let backlog = store.backlog().await.unwrap();
            backlog.urgent + backlog.reply + backlog.bulk == 0
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

    /// How many cases there are, whatever still waits to be said.
    pub(crate) async fn records_now(&self) -> usize {
        all_incidents(self.store().as_ref()).await.len()
    }

    pub(crate) async fn room(&self, chat: &Chat) -> Option<Room> {
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

    /// The officer's alert, as far as the preview.
    pub(crate) async fn drafts(&self, text: &str) -> Sent {
        self.officer.tells(&format!("/canhbao {text}"));
        self.hears_where(&self.officer.home, |sent| sent.text.contains("CHƯA GỬI"))
            .await
    }

    /// Checks that nothing was left over, and stops.
    pub(crate) async fn ends(mut self) {
        self.settles().await;
        let left: Vec<_> = {
            let heard = self.heard.lock().unwrap();
            let all = self.zalo.all_sent().into_iter();
            all.filter(|sent| !heard.contains(&sent.message_id))
                .collect()
        };
        assert!(left.is_empty(), "nobody looked at {left:#?}");
        self.stops().await;
        self.zalo.stop();
        self.ended = true;
    }

    /// For quarters whose program cannot end in order.
    pub(crate) fn abandons(mut self) {
        self.ended = true;
    }
}

impl Drop for Quarter {
    fn drop(&mut self) {
        assert!(
            self.ended || std::thread::panicking(),
            "a quarter must end with `ends` or `abandons`"
        );
    }
}

pub(crate) fn zb1() -> AccountName {
    AccountName::parse("zb1").unwrap()
}

pub(crate) fn room(chat: &Chat) -> RoomId {
    RoomId::new(zb1(), &*chat.id)
}
