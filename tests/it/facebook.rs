//! A Facebook Page through the front door: the program against the simulated platform.
//!
//! A Page hears every comment on its wall, so the door that drops what is not for the bot is tried here
//! hardest, and so is the promise that nothing sensitive is ever answered in public.

mod by_hand;
mod page;
mod pages;
mod storm;
mod trouble;
mod window;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use chrono::TimeDelta;
use keng::app::App;
use keng::domain::delivery::Delivery;
use keng::domain::ids::AccountName;
use keng::domain::ids::RoomId;
use keng::domain::incident::Incident;
use keng::sim::facebook::Facebook;
use keng::sim::facebook::Options;
use keng::sim::facebook::Person;
use keng::sim::facebook::Place;
use keng::sim::facebook::Sent;
use keng::store::Cursor;
use keng::store::Store;

use crate::support::MovedClock;
use crate::support::PATIENCE;
use crate::support::all_incidents;
use crate::support::capture_logs;
use crate::support::free_port;
use crate::support::logged;

const WHOLE: &str = "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng nay";
const HALF: &str = "#tromcap mất xe Wave đêm qua";

/// How a ward is set up.
#[derive(Default)]
struct Plan {
    sled: bool,
    town: Options,
    /// More keys of the account.
    more: &'static str,
    /// Whole tables.
    tables: &'static str,
}

/// A ward whose residents are on Facebook, with the program at work in it.
struct Ward {
    facebook: Facebook,
    app: Option<App>,
    clock: Arc<MovedClock>,
    lan: Person,
    minh: Person,
    officer: Person,
    head: Person,
    admin: Person,
    /// Something on the wall to write under.
    post: String,
    home: tempfile::TempDir,
    port: u16,
    heard: Mutex<HashSet<String>>,
    ended: bool,
}

impl Ward {
    async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    async fn on_disk() -> Self {
        Self::with(Plan {
            sled: true,
            ..Plan::default()
        })
        .await
    }

    async fn with(plan: Plan) -> Self {
        capture_logs();
        let facebook = Facebook::start(([127, 0, 0, 1], 0).into(), plan.town.clone())
            .await
            .unwrap();
        let [lan, minh, officer, head, admin] = [
            "Nguyễn Thị Lan",
            "Trần Văn Minh",
            "Phạm Thu Hà",
            "Trần Văn Bình",
            "Lê Quang",
        ]
        .map(|name| facebook.add_person(name));
        let post = facebook.admin_posts("Công an xã Tiên Yên chào bà con.");
        let mut ward = Self {
            app: None,
            clock: Arc::new(MovedClock::default()),
            lan,
            minh,
            officer,
            head,
            admin,
            home: tempfile::tempdir().unwrap(),
            port: free_port(),
            heard: Mutex::new([post.clone()].into()),
            post,
            ended: false,
            facebook,
        };
        std::fs::write(ward.config_file(), ward.config_text(&plan)).unwrap();
        ward.starts().await;
        ward.facebook.set_webhook(&ward.url("/hooks/fb1"));
        ward
    }

    fn config_text(&self, plan: &Plan) -> String {
        let kind = if plan.sled { "sled" } else { "memory" };
        let mut text = format!(
            "[store]\nkind = \"{kind}\"\npath = {:?}\n[web]\nlisten = \"127.0.0.1:{}\"\n\
             [[area]]\nid = \"06862/tan-truc-tung\"\nname = \"thôn Tân Trúc Tùng\"\n\
             [[account]]\nname = \"fb1\"\nplatform = \"facebook\"\napi_url = \"{}\"\npage_id = \"{page}\"\n\
             token = {{ env = \"KENG_TEST_TOKEN\" }}\napp_secret = {{ env = \"KENG_TEST_APP_SECRET\" }}\n\
             verify_token = {{ env = \"KENG_TEST_VERIFY\" }}\n{}\n\
             [[room]]\naccount = \"fb1\"\nnative = \"{page}\"\narea = \"06862\"\n",
            self.store_dir(),
            self.port,
            self.facebook.url(),
            plan.more,
            page = self.facebook.options().page_id,
        );
        for (name, role, area, who) in [
            ("Đ/c Hà", "officer", "06862", &self.officer),
            ("Bác Bình", "head", "06862/tan-truc-tung", &self.head),
            ("Anh Quang", "admin", "06862", &self.admin),
        ] {
            text.push_str(&format!(
                "[[officer]]\nname = \"{name}\"\nrole = \"{role}\"\narea = \"{area}\"\naccounts = {{ fb1 = \"{}\" }}\n",
                who.id
            ));
        }
        text + plan.tables
    }

    fn store_dir(&self) -> std::path::PathBuf {
        self.home.path().join("data")
    }

    fn config_file(&self) -> std::path::PathBuf {
        self.home.path().join("ward.toml")
    }

    async fn starts(&mut self) {
        assert!(self.app.is_none());
        let text = std::fs::read_to_string(self.config_file()).unwrap();
        let options = self.facebook.options();
        let config = keng::config::parse(&text, "ward.toml", &|name| match name {
            "KENG_TEST_TOKEN" => Some(options.token.clone()),
            "KENG_TEST_APP_SECRET" => Some(options.app_secret.clone()),
            "KENG_TEST_VERIFY" => Some(options.verify_token.clone()),
            _ => None,
        })
        .unwrap();
        let clock = Arc::clone(&self.clock);
        self.app = Some(App::start(config, clock).await.unwrap());
    }

    async fn stops(&mut self) {
        self.app.take().unwrap().stop().await.unwrap();
    }

    fn store(&self) -> Arc<dyn Store> {
        self.app.as_ref().unwrap().store()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Time passes, for the town and for the program.
    fn later(&self, by: TimeDelta) {
        self.clock.advance(by);
        self.facebook.advance(by.to_std().unwrap());
    }

    // What people do ----------------------------------------------------------

    fn comments(&self, who: &Person, text: &str) -> String {
        self.facebook.comment(who, &self.post, text)
    }

    fn tells(&self, who: &Person, text: &str) -> String {
        self.facebook.say(who, text)
    }

    /// The officer warns everybody.
    async fn warns(&self, text: &str) {
        self.tells(&self.officer, &format!("/canhbao {text}"));
        let preview = self
            .hears_where(|sent| sent.text.starts_with("CHƯA GỬI"))
            .await;
        let data = preview.button("Gửi").expect("a button").to_owned();
        self.facebook.press(&self.officer, "Gửi", &data);
    }

    // What they hear ----------------------------------------------------------

    /// The next unheard word of the Page under this comment or post.
    async fn hears_under(&self, id: &str) -> Sent {
        self.hears_where(|sent| sent.place == Place::Under(id.to_owned()))
            .await
    }

    /// The next unheard message to this person.
    async fn hears(&self, who: &Person) -> Sent {
        self.hears_where(|sent| sent.place == chat(who)).await
    }

    async fn hears_on_the_wall(&self) -> Sent {
        self.hears_where(|sent| sent.place == Place::Wall).await
    }

    /// The next unheard word that satisfies `wanted`; others stay unheard.
    async fn hears_where(&self, wanted: impl Fn(&Sent) -> bool) -> Sent {
        let found = self
            .facebook
            .wait(PATIENCE, || {
                self.unheard().into_iter().find(|sent| wanted(sent))
            })
            .await;
        let Some(sent) = found else {
            panic!(
                "nothing of the kind was heard; unheard: {:#?}",
                self.unheard()
            );
        };
        self.heard.lock().unwrap().insert(sent.id.clone());
        sent
    }

    /// Everything has been dealt with, and nothing more was said anywhere.
    async fn hears_nothing_more(&self) {
        self.settles().await;
        let unheard = self.unheard();
        assert!(unheard.is_empty(), "{unheard:#?}");
    }

    fn hears_all(&self) -> Vec<Sent> {
        let all = self.unheard();
        let ids = all.iter().map(|sent| sent.id.clone());
        self.heard.lock().unwrap().extend(ids);
        all
    }

    fn unheard(&self) -> Vec<Sent> {
        let heard = self.heard.lock().unwrap();
        let all = self.facebook.sent().into_iter();
        all.filter(|sent| !heard.contains(&sent.id)).collect()
    }

    /// Waits until everything was told and no row waits or is on its way.
    async fn settles(&self) {
        let store = self.store();
        for _ in 0..2 {
            let taken = self.facebook.wait_taken(PATIENCE).await;
            assert!(taken, "{:?}", self.facebook.stats());
            self.until("rows are still waiting or on their way", async || {
                let backlog = store.backlog().await.unwrap();
                backlog.urgent + backlog.reply + backlog.bulk == 0
                    && store.interrupted(&fb1()).await.unwrap().is_empty()
            })
            .await;
        }
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while !holds().await {
            assert!(tokio::time::Instant::now() < end, "{what}");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    async fn records(&self) -> Vec<Incident> {
        self.settles().await;
        all_incidents(self.store().as_ref()).await
    }

    async fn record(&self) -> Incident {
        let mut all = self.records().await;
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        let mut rows = Vec::new();
        let mut from = Some(Cursor::default());
        while let Some(cursor) = from {
            let (page, next) = self.store().scan_deliveries(&cursor, 500).await.unwrap();
            rows.extend(page);
            from = next;
        }
        rows
    }

    async fn metric(&self, name: &str) -> u64 {
        let answer = client().get(self.url("/metrics")).send().await;
        let text = answer.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.map_or(0, |value| value.parse().unwrap())
    }

    async fn post(&self, signature: Option<&str>, body: &[u8]) -> u16 {
        let mut request = client().post(self.url("/hooks/fb1")).body(body.to_vec());
        if let Some(signature) = signature {
            request = request.header("X-Hub-Signature-256", signature);
        }
        crate::support::status(request).await
    }

    /// Everything was looked at, nothing is left, no secret stands in the log.
    async fn ends(mut self) {
        self.hears_nothing_more().await;
        self.stops().await;
        let options = self.facebook.options();
        for secret in [&options.token, &options.app_secret, &options.verify_token] {
            assert!(!logged(secret));
        }
        self.facebook.stop();
        self.ended = true;
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        assert!(
            self.ended || std::thread::panicking(),
            "the ward was left without ends()"
        );
    }
}

fn fb1() -> AccountName {
    AccountName::parse("fb1").unwrap()
}

fn chat(who: &Person) -> Place {
    Place::Chat(Arc::clone(&who.id))
}

fn home(who: &Person) -> RoomId {
    RoomId::new(fb1(), &*who.id)
}

fn client() -> reqwest::Client {
    keng::app::http_client().unwrap()
}
