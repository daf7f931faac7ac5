//! A Zalo Official Account through the front door: the program against the simulated platform.
//!
//! An OA hears everything that is said in its groups, so the door that drops what is not for the bot is
//! tried here hardest: what residents chat about is looked for in every file of the store and in the log.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use chrono::TimeDelta;
use keng::app::App;
use keng::domain::area::AreaId;
use keng::domain::delivery::Delivery;
use keng::domain::delivery::DeliveryState;
use keng::domain::errand::Errand;
use keng::domain::errand::Work;
use keng::domain::ids::AccountName;
use keng::domain::ids::MessageId;
use keng::domain::ids::MessageKey;
use keng::domain::ids::RoomId;
use keng::domain::incident::Incident;
use keng::domain::message::Attachment;
use keng::domain::person::PersonKey;
use keng::domain::room::Room;
use keng::domain::room::RoomKind;
use keng::domain::room::RoomState;
use keng::sim::folk::Folk;
use keng::sim::zalo_oa::Chat;
use keng::sim::zalo_oa::Expiry;
use keng::sim::zalo_oa::Fault;
use keng::sim::zalo_oa::Names;
use keng::sim::zalo_oa::Options;
use keng::sim::zalo_oa::Person;
use keng::sim::zalo_oa::Quote;
use keng::sim::zalo_oa::Rule;
use keng::sim::zalo_oa::Sent;
use keng::sim::zalo_oa::ZaloOa;
use keng::store::Act;
use keng::store::Cursor;
use keng::store::Store;
use keng::store::Write;
use serde_json::Value;
use serde_json::json;

use crate::support::MovedClock;
use crate::support::PATIENCE;
use crate::support::all_incidents;
use crate::support::capture_logs;
use crate::support::code;
use crate::support::free_port;
use crate::support::logged;
use crate::support::stored_in;

const WHOLE: &str = "#tromcap mất xe Wave ở cổng chợ lúc 3h sáng nay";
const HALF: &str = "#tromcap mất xe Wave đêm qua";

/// How a ward is set up.
#[derive(Default)]
struct Plan {
    sled: bool,
    town: Options,
    /// Further lines of the config.
    more: &'static str,
}

/// A ward whose residents are on Zalo, with the program at work in it.
struct Ward {
    zalo: ZaloOa,
    app: Option<App>,
    clock: Arc<MovedClock>,
    lan: Person,
    minh: Person,
    officer: Person,
    head: Person,
    admin: Person,
    /// A group of Tân Trúc Tùng.
    five: Chat,
    /// A group of thôn Hạ.
    ha: Chat,
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
        let zalo = ZaloOa::start(([127, 0, 0, 1], 0).into(), plan.town.clone())
            .await
            .unwrap();
        let [lan, minh, officer, head, admin] = [
            "Nguyễn Thị Lan",
            "Trần Văn Minh",
            "Phạm Thu Hà",
            "Trần Văn Bình",
            "Lê Quang",
        ]
        .map(|name| zalo.add_person(name));
        let five = zalo.add_group("Tổ dân phố 5", &[&admin, &lan, &minh]);
        let ha = zalo.add_group("Hội nhóm thôn Hạ", &[&admin, &minh]);
        let mut ward = Self {
            app: None,
            clock: Arc::new(MovedClock::default()),
            lan,
            minh,
            officer,
            head,
            admin,
            five,
            ha,
            home: tempfile::tempdir().unwrap(),
            port: free_port(),
            heard: Mutex::default(),
            ended: false,
            zalo,
        };
        std::fs::write(ward.tokens_file(), ward.zalo.new_pair()).unwrap();
        std::fs::write(ward.config_file(), ward.config_text(&plan)).unwrap();
        ward.starts().await;
        for chat in [ward.five.clone(), ward.ha.clone()] {
            let notice = ward.hears(&chat).await;
            assert!(notice.text.starts_with("Chào bà con, tôi là Kẻng"));
        }
        ward.catches_up(1).await;
        ward
    }

    fn config_text(&self, plan: &Plan) -> String {
        let kind = if plan.sled { "sled" } else { "memory" };
        let options = self.zalo.options();
        let mut text = format!(
            "[store]\nkind = \"{kind}\"\npath = {:?}\n[web]\nlisten = \"127.0.0.1:{}\"\n\
             [[area]]\nid = \"06862/tan-truc-tung\"\nname = \"thôn Tân Trúc Tùng\"\n\
             [[area]]\nid = \"06862/thon-ha\"\nname = \"thôn Hạ\"\n\
             [[account]]\nname = \"oa1\"\nplatform = \"zalo_oa\"\napi_url = \"{url}\"\noauth_url = \"{url}\"\n\
             app_id = \"{}\"\noa_id = \"{}\"\napp_secret = {{ env = \"KENG_TEST_APP_SECRET\" }}\n\
             webhook_secret = {{ env = \"KENG_TEST_OA_SECRET\" }}\nfirst_tokens = {{ file = {:?} }}\n",
            self.store_dir(),
            self.port,
            options.app_id,
            options.oa_id,
            self.tokens_file(),
            url = self.zalo.url(),
        );
        for (name, role, area, who) in [
            ("Đ/c Hà", "officer", "06862", &self.officer),
            ("Bác Bình", "head", "06862/tan-truc-tung", &self.head),
            ("Anh Quang", "admin", "06862", &self.admin),
        ] {
            text.push_str(&format!(
                "[[officer]]\nname = \"{name}\"\nrole = \"{role}\"\narea = \"{area}\"\naccounts = {{ oa1 = \"{}\" }}\n",
                who.id
            ));
        }
        for (chat, area) in [
            (&self.five, "06862/tan-truc-tung"),
            (&self.ha, "06862/thon-ha"),
        ] {
            text.push_str(&format!(
                "[[room]]\naccount = \"oa1\"\nnative = \"{}\"\narea = \"{area}\"\n",
                chat.id
            ));
        }
        text + plan.more
    }

    fn store_dir(&self) -> std::path::PathBuf {
        self.home.path().join("data")
    }

    fn config_file(&self) -> std::path::PathBuf {
        self.home.path().join("ward.toml")
    }

    fn tokens_file(&self) -> std::path::PathBuf {
        self.home.path().join("oa1-tokens.json")
    }

    fn secrets(&self) -> [(&'static str, String); 2] {
        let options = self.zalo.options();
        [
            ("KENG_TEST_APP_SECRET", options.app_secret.clone()),
            ("KENG_TEST_OA_SECRET", options.oa_secret.clone()),
        ]
    }

    async fn starts(&mut self) {
        assert!(self.app.is_none());
        let text = std::fs::read_to_string(self.config_file()).unwrap();
        let secrets = self.secrets();
        let config = keng::config::parse(&text, "ward.toml", &|name| {
            let found = secrets.iter().find(|(secret, _)| *secret == name);
            found.map(|(_, value)| value.clone())
        })
        .unwrap();
        let clock = Arc::clone(&self.clock);
        self.app = Some(App::start(config, clock).await.unwrap());
        // Not before somebody listens: a call that fails comes again only after half a minute.
        self.zalo.set_webhook(&self.url("/hooks/oa1"));
    }

    async fn stops(&mut self) {
        self.app.take().unwrap().stop().await.unwrap();
    }

    /// The program as a process of its own, which can be killed.
    fn keng(&self, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keng"));
        command
            .args(args)
            .arg("--config")
            .arg(self.config_file())
            .envs(self.secrets())
            .stdin(std::process::Stdio::null());
        command
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
        self.zalo.advance(by.to_std().unwrap());
    }

    async fn hears(&self, chat: &Chat) -> Sent {
        self.hears_where(chat, |_| true).await
    }

    /// The next unheard message that satisfies `wanted`; others stay unheard.
    async fn hears_where(&self, chat: &Chat, wanted: impl Fn(&Sent) -> bool) -> Sent {
        let found = self
            .zalo
            .wait(PATIENCE, || {
                self.unheard(chat).into_iter().find(|sent| wanted(sent))
            })
            .await;
        let Some(sent) = found else {
            panic!(
                "nothing of the kind was heard; unheard: {:#?}",
                texts(&self.unheard(chat))
            );
        };
        self.mark(&sent);
        sent
    }

    async fn hears_only(&self, chat: &Chat) -> Sent {
        self.settles().await;
        let mut all = self.unheard(chat);
        assert_eq!(all.len(), 1, "{:#?}", texts(&all));
        let sent = all.remove(0);
        self.mark(&sent);
        sent
    }

    async fn hears_nothing(&self, chat: &Chat) {
        self.settles().await;
        let unheard = self.unheard(chat);
        assert!(unheard.is_empty(), "{:#?}", texts(&unheard));
    }

    fn hears_all(&self, chat: &Chat) -> Vec<Sent> {
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

    /// In private.
    fn tells(&self, who: &Person, text: &str) -> String {
        self.zalo.say(who, &self.zalo.private(who), text)
    }

    fn home(&self, who: &Person) -> Chat {
        self.zalo.private(who)
    }

    /// Waits until every webhook was taken and no row waits or is on its way.
    async fn settles(&self) {
        assert!(
            self.zalo.wait_taken(PATIENCE).await,
            "{:?}",
            self.zalo.stats()
        );
        let store = self.store();
        self.until("rows are still waiting or on their way", async || {
            let backlog = store.backlog().await.unwrap();
            backlog.urgent + backlog.reply + backlog.bulk == 0
                && store.interrupted(&oa1()).await.unwrap().is_empty()
        })
        .await;
        // The echoes of what was just sent.
        assert!(
            self.zalo.wait_taken(PATIENCE).await,
            "{:?}",
            self.zalo.stats()
        );
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while !holds().await {
            assert!(tokio::time::Instant::now() < end, "{what}");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Waits until the history was read so often.
    async fn catches_up(&self, times: u64) {
        self.until("the history was not read", async || {
            self.metric("keng_zalo_oa_catch_ups_total").await >= times
        })
        .await;
    }

    async fn metric(&self, name: &str) -> u64 {
        let answer = client().get(self.url("/metrics")).send().await;
        let text = answer.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.map_or(0, |value| value.parse().unwrap())
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

    async fn room(&self, chat: &Chat) -> Option<Room> {
        self.store().room(&room(chat)).await.unwrap()
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

    /// The officer warns everybody.
    async fn warns(&self, text: &str) {
        self.tells(&self.officer, &format!("/canhbao {text}"));
        let desk = self.home(&self.officer);
        self.hears_where(&desk, |sent| sent.text.starts_with("CHƯA GỬI"))
            .await;
        self.tells(&self.officer, "OK");
    }

    async fn post(&self, signature: Option<&str>, body: &[u8]) -> u16 {
        let mut request = client().post(self.url("/hooks/oa1")).body(body.to_vec());
        if let Some(signature) = signature {
            request = request.header("X-ZEvent-Signature", signature);
        }
        crate::support::status(request).await
    }

    /// No token and no secret of this ward stands in the log.
    fn kept_its_secrets(&self) {
        let options = self.zalo.options();
        assert!(!logged(&options.app_secret));
        assert!(!logged(&options.oa_secret));
        for call in self.zalo.calls() {
            let answer = call.answer_json();
            for key in ["access_token", "refresh_token"] {
                if let Some(token) = answer[key].as_str() {
                    assert!(!logged(token), "{key}");
                }
            }
        }
        let first = std::fs::read_to_string(self.tokens_file()).unwrap_or_default();
        let first: Value = serde_json::from_str(&first).unwrap_or_default();
        for key in ["access_token", "refresh_token"] {
            assert!(!first[key].as_str().is_some_and(logged), "{key}");
        }
    }

    async fn ends(mut self) {
        self.settles().await;
        self.kept_its_secrets();
        let left: Vec<Sent> = {
            let heard = self.heard.lock().unwrap();
            let all = self.zalo.all_sent().into_iter();
            all.filter(|sent| !heard.contains(&sent.message_id))
                .collect()
        };
        assert!(left.is_empty(), "nobody looked at {:#?}", texts(&left));
        for sent in self.zalo.all_sent() {
            assert!(sent.called.is_empty(), "somebody was called: {}", sent.text);
        }
        assert_eq!(
            self.zalo.stats().reused,
            0,
            "a refresh token was used twice"
        );
        self.stops().await;
        self.zalo.stop();
        self.ended = true;
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        assert!(
            self.ended || std::thread::panicking(),
            "a ward must end with `ends`"
        );
    }
}

fn client() -> reqwest::Client {
    keng::app::http_client().unwrap()
}

fn oa1() -> AccountName {
    AccountName::parse("oa1").unwrap()
}

fn room(chat: &Chat) -> RoomId {
    RoomId::new(oa1(), Arc::clone(&chat.id))
}

fn texts(sent: &[Sent]) -> Vec<(&str, &str)> {
    sent.iter()
        .map(|sent| (&*sent.chat.id, sent.text.as_str()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tagged_message_gets_a_receipt_with_a_code() {
    let ward = Ward::new().await;
    ward.zalo.say(&ward.lan, &ward.five, WHOLE);
    let receipt = ward.hears_only(&ward.five).await;
    assert!(receipt.text.contains("Đã ghi nhận"), "{}", receipt.text);
    let case = ward.record().await;
    assert_eq!(code(&receipt.text), case.id.to_string());
    assert_eq!(case.area.as_str(), "06862/tan-truc-tung");
    assert_eq!(&*case.reports[0].room.native, &*ward.five.id);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_neighbours_chat_about_is_in_no_file_and_no_log() {
    let mut ward = Ward::on_disk().await;
    let mut folk = Folk::new(23);
    let mut chatter = Vec::new();
    for turn in 0..200 {
        // With a number of its own each, so that no other test can have said it.
        let line = format!("{} ks{turn}qz7", folk.chatter());
        let who = if turn % 2 == 0 { &ward.lan } else { &ward.minh };
        match turn % 5 {
            0 => drop(ward.zalo.photo(who, &ward.five, &line)),
            1 => {
                let first = ward.zalo.sent(&ward.ha)[0].message_id.clone();
                // A neighbour's words quoted, not ours.
                let own = ward
                    .zalo
                    .say(who, &ward.five, &format!("thưa ks{turn}qz8 cả nhà"));
                assert_ne!(own, first);
                ward.zalo.reply(who, &ward.five, &own, &line);
                chatter.push(format!("ks{turn}qz8"));
            }
            _ => drop(ward.zalo.say(who, &ward.five, &line)),
        }
        chatter.push(format!("ks{turn}qz7"));
    }
    ward.zalo.say(&ward.lan, &ward.five, WHOLE);
    let receipt = ward.hears_only(&ward.five).await;
    assert!(receipt.text.contains("Đã ghi nhận"));
    ward.hears_nothing(&ward.ha).await;
    assert_eq!(ward.records().await.len(), 1);
    // Told again by the history, after a stop in which more was said.
    ward.stops().await;
    for turn in 0..40 {
        let line = format!("{} kt{turn}qz9", folk.chatter());
        ward.zalo.say(&ward.minh, &ward.five, &line);
        chatter.push(format!("kt{turn}qz9"));
    }
    ward.starts().await;
    ward.catches_up(1).await;
    ward.later(TimeDelta::minutes(1));
    ward.settles().await;
    ward.stops().await;
    // Nobody's words, and nobody's name who did not write to the bot.
    for words in &chatter {
        assert!(!stored_in(ward.home.path(), words), "{words} is stored");
        assert!(!logged(words), "{words} is logged");
    }
    assert!(!stored_in(&ward.store_dir(), &ward.minh.id));
    assert!(stored_in(&ward.store_dir(), "Wave"));
    ward.starts().await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_the_question_completes_the_case_however_it_is_quoted() {
    for quote in [Quote::Both, Quote::Object, Quote::Id] {
        let ward = Ward::new().await;
        ward.zalo.switch(|switches| switches.quote = quote);
        ward.zalo.say(&ward.lan, &ward.five, HALF);
        let question = ward.hears_only(&ward.five).await;
        assert!(question.text.contains("ở đâu ạ?"), "{}", question.text);
        ward.zalo
            .reply(&ward.lan, &ward.five, &question.message_id, "ở cổng chợ");
        let added = ward.hears_only(&ward.five).await;
        assert!(!added.text.contains("ở đâu"), "{}", added.text);
        let case = ward.record().await;
        assert_eq!(case.facts.place.as_deref(), Some("cổng chợ"));
        ward.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_an_answer_with_only_an_id_still_finds_its_case() {
    let mut ward = Ward::on_disk().await;
    ward.zalo.switch(|switches| switches.quote = Quote::Id);
    ward.zalo.say(&ward.lan, &ward.five, HALF);
    let question = ward.hears_only(&ward.five).await;
    ward.stops().await;
    ward.starts().await;
    ward.zalo
        .reply(&ward.lan, &ward.five, &question.message_id, "ở cổng chợ");
    ward.hears_only(&ward.five).await;
    assert_eq!(ward.record().await.facts.place.as_deref(), Some("cổng chợ"));
    // A neighbour's answer to the report itself stays a neighbour's.
    let report = ward.record().await.reports[0].message.clone();
    ward.zalo
        .reply(&ward.minh, &ward.five, report.as_str(), "ở ngõ 12 chứ nhỉ");
    ward.hears_nothing(&ward.five).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officers_alert_reaches_every_group_after_an_ok() {
    let ward = Ward::new().await;
    ward.warns("Nước lên nhanh, bà con dọn đồ lên cao").await;
    for chat in [&ward.five, &ward.ha] {
        let alert = ward
            .hears_where(chat, |sent| sent.text.contains("Nước lên nhanh"))
            .await;
        assert!(
            alert.text.contains("06862") || alert.text.contains("Tiên Yên"),
            "{}",
            alert.text
        );
    }
    let desk = ward.home(&ward.officer);
    ward.hears_where(&desk, |sent| sent.text.contains("cả 2 nhóm"))
        .await;
    ward.settles().await;
    ward.hears_all(&desk);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_tells_how_many_people_are_in_the_groups_of_the_oa() {
    let ward = Ward::new().await;
    let desk = ward.home(&ward.officer);
    // Three residents in one group and two in the other; the OA itself is not counted.
    ward.until("the preview does not tell how many people", async || {
        ward.tells(&ward.officer, "/canhbao Nước lên nhanh");
        let is_preview = |sent: &Sent| sent.text.starts_with("CHƯA GỬI");
        let preview = ward.hears_where(&desk, is_preview).await;
        preview.text.contains("\nKhoảng 5 người.\n")
    })
    .await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_makes_the_bot_call_everybody() {
    let ward = Ward::new().await;
    let trick = format!(
        "Cẩn thận [@{}] [ @{}] ［@{}]",
        ward.five.id, ward.five.id, ward.lan.id
    );
    ward.warns(&trick).await;
    for chat in [&ward.five, &ward.ha] {
        let alert = ward
            .hears_where(chat, |sent| sent.text.contains("Cẩn thận"))
            .await;
        assert_eq!(alert.called, Vec::<String>::new(), "{}", alert.text);
    }
    let desk = ward.home(&ward.officer);
    ward.hears_where(&desk, |sent| sent.text.contains("cả 2 nhóm"))
        .await;
    ward.settles().await;
    ward.hears_all(&desk);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_head_asks_for_the_day_in_private() {
    let ward = Ward::new().await;
    ward.zalo.say(&ward.lan, &ward.five, WHOLE);
    let receipt = ward.hears_only(&ward.five).await;
    ward.tells(&ward.head, "tổng hợp");
    let digest = ward.hears_only(&ward.home(&ward.head)).await;
    assert!(
        digest.text.contains("thôn Tân Trúc Tùng"),
        "{}",
        digest.text
    );
    assert!(
        digest.text.contains(&code(&receipt.text)),
        "{}",
        digest.text
    );
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_report_is_answered_in_private_and_quotes_it() {
    let ward = Ward::new().await;
    let id = ward.tells(&ward.lan, "có người bán ma tuý ở ngõ 12 tối qua lúc 22h");
    let home = ward.home(&ward.lan);
    let receipt = ward.hears_only(&home).await;
    assert_eq!(receipt.quotes, Some(id));
    ward.hears_nothing(&ward.five).await;
    assert_eq!(ward.record().await.reports[0].room, room(&home));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_photo_is_kept_by_its_address() {
    let ward = Ward::new().await;
    ward.zalo.photo(&ward.lan, &ward.five, WHOLE);
    ward.hears_only(&ward.five).await;
    let case = ward.record().await;
    assert!(
        matches!(&case.reports[0].attachments[..], [Attachment::Photo(url)] if url.contains("/f56-zpg-r.zdn.vn/")),
        "{:?}",
        case.reports[0].attachments
    );
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_asked_for_once_somebody_is_recorded() {
    let ward = Ward::new().await;
    let name = async |who: &Person| {
        let key = PersonKey::of(&ward.store().salt(), &oa1(), &who.id);
        ward.store()
            .identity(&key)
            .await
            .unwrap()
            .map(|known| known.name)
    };
    ward.zalo
        .say(&ward.minh, &ward.five, "nắng nóng quá bà con ơi");
    ward.zalo.say(&ward.lan, &ward.five, WHOLE);
    ward.hears_only(&ward.five).await;
    ward.until("the name was not asked for", async || {
        name(&ward.lan).await.as_deref() == Some("Nguyễn Thị Lan")
    })
    .await;
    assert_eq!(name(&ward.minh).await, None);
    // Kept, though her next message comes without it.
    ward.zalo
        .say(&ward.lan, &ward.ha, "#danhnhau ở ngõ 3 lúc 20h tối nay");
    ward.hears_only(&ward.ha).await;
    assert_eq!(name(&ward.lan).await.as_deref(), Some("Nguyễn Thị Lan"));
    ward.tells(
        &ward.minh,
        "có người đánh bạc ở nhà văn hoá lúc 21h tối nay",
    );
    ward.hears_only(&ward.home(&ward.minh)).await;
    ward.until("the name was not asked for in private", async || {
        name(&ward.minh).await.as_deref() == Some("Trần Văn Minh")
    })
    .await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_come_are_renamed_and_go_under_old_and_new_names() {
    for names in [Names::Newer, Names::Older] {
        let ward = Ward::new().await;
        ward.zalo.switch(|switches| switches.names = names);
        let chat = ward.zalo.add_group("Xóm Đình", &[&ward.admin]);
        let notice = ward.hears_only(&chat).await;
        assert!(notice.text.starts_with("Chào bà con, tôi là Kẻng"));
        assert_eq!(ward.room(&chat).await.unwrap().title, "Xóm Đình");
        ward.zalo.say(&ward.admin, &chat, "/ganthon tan-truc-tung");
        let bound = ward.hears_only(&chat).await;
        assert!(bound.text.contains("từ nay thuộc"), "{}", bound.text);
        ward.zalo.rename(&chat, "Xóm Đình mới");
        // Who comes and goes is nobody's to watch.
        ward.zalo.join(&chat, &ward.lan);
        ward.zalo.leave(&chat, &ward.lan);
        ward.hears_nothing(&chat).await;
        let known = ward.room(&chat).await.unwrap();
        assert_eq!(known.title, "Xóm Đình mới");
        assert_eq!(known.area.unwrap().as_str(), "06862/tan-truc-tung");
        ward.zalo.delete(&chat);
        ward.settles().await;
        assert_eq!(ward.room(&chat).await.unwrap().state, RoomState::Removed);
        ward.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_not_zalos_is_refused_and_not_read() {
    let ward = Ward::new().await;
    let options = ward.zalo.options().clone();
    let event = |id: &str, text: &str| {
        json!({"app_id": options.app_id, "sender": {"id": &*ward.lan.id}, "recipient": {"id": &*ward.five.id},
            "event_name": "user_send_group_text", "message": {"text": text, "msg_id": id},
            "oa_id": options.oa_id, "timestamp": ward.zalo.now_ms().to_string()})
        .to_string()
        .into_bytes()
    };
    let timestamp = |body: &[u8]| {
        let event: Value = serde_json::from_slice(body).unwrap();
        event["timestamp"].as_str().unwrap().to_owned()
    };
    let body = event("gia1", "#tromcap giả mạo 77312 ở cổng chợ lúc 3h sáng");
    let right = ward.zalo.signature(&body, &timestamp(&body));
    let pretty =
        serde_json::to_vec_pretty(&serde_json::from_slice::<Value>(&body).unwrap()).unwrap();
    let (cut, _) = body.split_at(body.len() / 2);
    for (signature, body) in [
        (None, &body[..]),
        (Some(""), &body[..]),
        (Some("mac=00"), &body[..]),
        (Some(options.oa_secret.as_str()), &body[..]),
        // Re-serialised, truncated, changed, empty, of another kind: the signature is over other bytes.
        (Some(right.as_str()), &pretty[..]),
        (Some(right.as_str()), cut),
        (Some(right.as_str()), b"".as_slice()),
        (Some(right.as_str()), b"[]".as_slice()),
        (Some(right.as_str()), b"\xff\xfe\x00".as_slice()),
    ] {
        assert_eq!(ward.post(signature, body).await, 401);
    }
    let big = vec![b'{'; 9 << 20];
    let status = ward.post(Some(&right), &big).await;
    assert!(status == 413 || status == 401, "{status}");
    assert!(ward.records().await.is_empty());
    assert!(!logged("giả mạo 77312"));

    // Signed well, and still nothing that anybody can read: put aside, not asked for again.
    for odd in [
        json!({"timestamp": "1"}),
        json!({"timestamp": "1", "event_name": 7}),
        json!({"timestamp": "1", "event_name": "chưa ai biết"}),
        json!({"timestamp": "1", "event_name": "user_send_group_text", "sender": [], "recipient": 4, "message": "kín 77313"}),
        json!({"timestamp": "1", "event_name": "user_send_group_text", "oa_id": "5", "message": {"text": "kín 77313"}}),
    ] {
        let body = odd.to_string().into_bytes();
        let signature = ward.zalo.signature(&body, "1");
        assert_eq!(ward.post(Some(&signature), &body).await, 200, "{odd}");
    }
    assert!(!logged("kín 77313"));

    // Replayed: taken, and known.
    let real = event("that1", WHOLE);
    let signature = ward.zalo.signature(&real, &timestamp(&real));
    for _ in 0..3 {
        assert_eq!(ward.post(Some(&signature), &real).await, 200);
    }
    let bare = signature.trim_start_matches("mac=");
    assert_eq!(ward.post(Some(bare), &real).await, 200);
    ward.hears_only(&ward.five).await;
    assert_eq!(ward.records().await.len(), 1);
    assert!(ward.metric("keng_zalo_oa_forged_total").await >= 9);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_of_signature_and_id_is_taken_and_counted_once() {
    let ward = Ward::new().await;
    ward.zalo.switch(|switches| {
        switches.oa_first = true;
        switches.bare = true;
        switches.numbers = true;
        switches.repeats = true;
    });
    ward.zalo.say(&ward.lan, &ward.five, WHOLE);
    let receipt = ward.hears_only(&ward.five).await;
    assert!(receipt.text.contains("Đã ghi nhận"));
    let case = ward.record().await;
    let key = PersonKey::of(&ward.store().salt(), &oa1(), &ward.lan.id);
    assert_eq!(case.reports[0].reporter, Some(key));
    assert!(ward.metric("keng_zalo_oa_signed_oa_first_total").await >= 2);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_access_token_is_renewed_under_way() {
    for expiry in [Expiry::Invalid, Expiry::Removed] {
        let mut ward = Ward::on_disk().await;
        ward.zalo.switch(|switches| {
            switches.expiry = expiry;
            switches.revokes = true;
        });
        ward.zalo.end_access();
        // Many at once, and one exchange.
        for turn in 0..12 {
            let text = format!("#tromcap mất xe ở ngõ {turn} lúc 3h sáng nay");
            ward.zalo.say(
                &ward.lan,
                if turn % 2 == 0 { &ward.five } else { &ward.ha },
                &text,
            );
        }
        assert_eq!(ward.records().await.len(), 12);
        ward.hears_all(&ward.five);
        ward.hears_all(&ward.ha);
        assert_eq!(ward.zalo.stats().rotations, 1);
        // The new pair was on disk: a restart goes on with it, not with the file's.
        ward.stops().await;
        ward.starts().await;
        ward.zalo.end_access();
        ward.zalo.say(&ward.lan, &ward.five, WHOLE);
        ward.hears(&ward.five).await;
        assert_eq!(ward.zalo.stats().rotations, 2);
        assert_eq!(ward.zalo.stats().reused, 0);
        ward.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_later_the_token_is_renewed_before_it_ends() {
    let ward = Ward::new().await;
    ward.zalo.end_access();
    ward.zalo.say(&ward.lan, &ward.five, WHOLE);
    ward.hears_only(&ward.five).await;
    assert_eq!(ward.zalo.stats().rotations, 1);
    ward.later(TimeDelta::minutes(24 * 60 + 30));
    ward.zalo
        .say(&ward.lan, &ward.five, "#danhnhau ở ngõ 12 lúc 20h tối qua");
    ward.hears_only(&ward.five).await;
    assert_eq!(ward.zalo.stats().rotations, 2);
    let refused = ward
        .zalo
        .calls()
        .iter()
        .filter(|call| call.answer_json()["error"] == -216)
        .count();
    assert!(
        refused <= 2,
        "only the ends that nobody could know of: {refused}"
    );
    assert!(ward.metric("keng_zalo_oa_refresh_days_left").await >= 88);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spent_refresh_token_stops_this_account_until_a_new_consent() {
    let mut ward = Ward::on_disk().await;
    // The administrator has written to the bot before; on this account alone, so that the warning waits.
    ward.tells(&ward.admin, "/nhom");
    ward.hears(&ward.home(&ward.admin)).await;
    ward.settles().await;
    ward.zalo.spend_refresh();
    ward.zalo.end_access();
    ward.zalo.say(&ward.lan, &ward.five, WHOLE);
    ward.until("the alarm", async || {
        ward.metric("keng_zalo_oa_needs_person").await == 1
            && ward.metric("keng_outbox_account_refused").await == 1
    })
    .await;
    assert!(logged("run `keng zalo auth --account oa1`"));
    // Recorded all the same: only what is said waits.
    assert_eq!(all_incidents(ward.store().as_ref()).await.len(), 1);
    let asked = |ward: &Ward| {
        let calls = ward.zalo.calls();
        calls
            .iter()
            .filter(|call| call.path == "/v4/oa/access_token")
            .count()
    };
    assert_eq!(
        asked(&ward),
        1,
        "a refused token is not tried again and again"
    );
    assert_eq!(ward.unheard(&ward.five).len(), 0);
    ward.until("nobody is warned", async || {
        ward.store().backlog().await.unwrap().urgent == 1
    })
    .await;
    // The account is tried once a minute, which is long for a test: the operator starts the program again.
    ward.stops().await;
    std::fs::write(ward.tokens_file(), ward.zalo.new_pair()).unwrap();
    ward.starts().await;
    ward.hears_only(&ward.five).await;
    let warning = ward.hears_only(&ward.home(&ward.admin)).await;
    assert!(
        warning.text.contains("keng zalo auth --account oa1"),
        "{}",
        warning.text
    );
    assert_eq!(ward.metric("keng_zalo_oa_needs_person").await, 0);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_tokens_everything_else_works_and_the_operator_is_told() {
    let mut ward = Ward::on_disk().await;
    ward.stops().await;
    std::fs::remove_dir_all(ward.store_dir()).unwrap();
    std::fs::remove_file(ward.tokens_file()).unwrap();
    ward.starts().await;
    ward.zalo.say(&ward.lan, &ward.five, WHOLE);
    ward.until("the alarm", async || {
        ward.metric("keng_zalo_oa_needs_person").await == 1
    })
    .await;
    assert!(ward.zalo.wait_taken(PATIENCE).await);
    assert_eq!(all_incidents(ward.store().as_ref()).await.len(), 1);
    assert!(logged("there are no tokens yet"));
    ward.stops().await;
    std::fs::write(ward.tokens_file(), ward.zalo.new_pair()).unwrap();
    ward.starts().await;
    ward.hears_where(&ward.five, |sent| sent.text.contains("Đã ghi nhận"))
        .await;
    ward.settles().await;
    ward.hears_all(&ward.five);
    ward.hears_all(&ward.ha);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_without_an_answer_is_settled_by_its_echo_and_not_repeated() {
    for fault in [Fault::CloseAfter, Fault::HtmlAfter(502)] {
        let ward = Ward::new().await;
        ward.zalo.fault(Rule::once("group/message", fault.clone()));
        ward.zalo.say(&ward.lan, &ward.five, WHOLE);
        let receipt = ward.hears_only(&ward.five).await;
        // Its id is known from the echo: an answer to it finds the case.
        ward.zalo.switch(|switches| switches.quote = Quote::Id);
        ward.zalo.reply(
            &ward.lan,
            &ward.five,
            &receipt.message_id,
            "xe màu đỏ, biển 14-A1 123.45",
        );
        ward.hears_only(&ward.five).await;
        assert_eq!(ward.record().await.facts.plates.len(), 1);

        ward.zalo.fault(Rule::once("group/message", fault.clone()));
        ward.warns("Nước lên nhanh").await;
        let desk = ward.home(&ward.officer);
        ward.hears_where(&desk, |sent| sent.text.contains("cả 2 nhóm"))
            .await;
        for chat in [&ward.five, &ward.ha] {
            ward.hears_only(chat).await;
        }
        for row in ward.deliveries().await {
            assert!(
                matches!(
                    &row.state,
                    DeliveryState::Sent {
                        message: Some(_),
                        ..
                    }
                ) && !row.maybe_twice,
                "{row:?}"
            );
        }
        ward.hears_all(&desk);
        ward.ends().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateways_page_costs_nothing_and_tells_nothing() {
    let ward = Ward::new().await;
    // Not carried out, and nobody can know that: a receipt is given up, an alert is sent once more.
    ward.zalo
        .fault(Rule::once("group/message", Fault::Html(502)));
    ward.warns("Nước lên nhanh").await;
    for chat in [&ward.five, &ward.ha] {
        ward.hears_where(chat, |sent| sent.text.contains("Nước lên"))
            .await;
    }
    let desk = ward.home(&ward.officer);
    ward.hears_where(&desk, |sent| sent.text.contains("cả 2 nhóm"))
        .await;
    let rows = ward.deliveries().await;
    assert_eq!(rows.iter().filter(|row| row.maybe_twice).count(), 1);
    ward.hears_all(&desk);
    // Its page holds the access token.
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_calls_wait_and_arrive() {
    let ward = Ward::new().await;
    let limit = Fault::Error(-32, "Your application reached limit call api".to_owned());
    ward.zalo.fault(Rule::once("group/message", limit));
    ward.zalo.say(&ward.lan, &ward.five, WHOLE);
    ward.until("the account was not slowed", async || {
        ward.metric("keng_outbox_slowed_total").await == 1
    })
    .await;
    assert!(ward.unheard(&ward.five).is_empty());
    let found = ward
        .zalo
        .wait(Duration::from_secs(40), || ward.unheard(&ward.five).pop())
        .await;
    ward.mark(&found.expect("it arrives when the pause is over"));
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_learns_of_every_group_that_an_alert_did_not_reach() {
    let ward = Ward::new().await;
    let out = ward.zalo.add_group("Xóm Ngoài", &[&ward.admin]);
    let gone = ward.zalo.add_group("Xóm Cũ", &[&ward.admin]);
    for chat in [&out, &gone] {
        ward.hears(chat).await;
        ward.zalo.say(&ward.admin, chat, "/ganthon tan-truc-tung");
        ward.hears(chat).await;
    }
    ward.settles().await;
    ward.zalo.disable(&ward.ha);
    ward.zalo.put_out(&out);
    // Deleted while the alert waits: the officer has seen the preview with it.
    ward.tells(&ward.officer, "/canhbao Nước lên nhanh");
    let desk = ward.home(&ward.officer);
    ward.hears_where(&desk, |sent| sent.text.starts_with("CHƯA GỬI"))
        .await;
    ward.zalo.delete(&gone);
    ward.settles().await;
    ward.tells(&ward.officer, "OK");
    ward.hears_where(&ward.five, |sent| sent.text.contains("Nước lên"))
        .await;
    let report = ward
        .hears_where(&desk, |sent| sent.text.contains("GMF"))
        .await;
    assert!(report.text.contains("1/"), "{}", report.text);
    let rows = ward.deliveries().await;
    let why = |chat: &Chat| {
        let row = rows.iter().find(|row| row.room == room(chat));
        match row.map(|row| row.state.clone()) {
            Some(DeliveryState::Failed { why, .. }) => why,
            other => format!("{other:?}"),
        }
    };
    assert!(why(&ward.ha).contains("-237"), "{}", why(&ward.ha));
    assert!(why(&out).contains("-403"), "{}", why(&out));
    assert_eq!(ward.room(&out).await.unwrap().state, RoomState::Removed);
    assert_eq!(ward.room(&ward.ha).await.unwrap().state, RoomState::Active);
    ward.settles().await;
    ward.hears_all(&desk);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_to_five_hundred_groups_keeps_the_limit_of_the_app() {
    let ward = Ward::with(Plan {
        sled: true,
        ..Plan::default()
    })
    .await;
    let groups: Vec<Chat> = (0..500)
        .map(|number| {
            ward.zalo
                .add_group(&format!("Xóm {number}"), &[&ward.admin])
        })
        .collect();
    // The notice in each of them is the first five hundred of the minute.
    for chat in &groups {
        let notice = ward
            .zalo
            .wait(Duration::from_secs(60), || ward.unheard(chat).pop())
            .await;
        ward.mark(&notice.expect("the notice"));
        ward.zalo.say(&ward.admin, chat, "/ganthon tan-truc-tung");
    }
    for chat in &groups {
        let bound = ward
            .zalo
            .wait(Duration::from_secs(60), || ward.unheard(chat).pop())
            .await;
        ward.mark(&bound.expect("the answer"));
    }
    ward.warns("Nước lên nhanh").await;
    for chat in &groups {
        let alert = ward
            .zalo
            .wait(Duration::from_secs(60), || ward.unheard(chat).pop())
            .await;
        let alert = alert.expect("the alert");
        assert!(alert.text.contains("Nước lên"), "{}", alert.text);
        ward.mark(&alert);
    }
    let desk = ward.home(&ward.officer);
    ward.hears_where(&desk, |sent| sent.text.contains("cả 502 nhóm"))
        .await;
    ward.settles().await;
    for chat in [&ward.five, &ward.ha, &desk] {
        ward.hears_all(chat);
    }
    let stats = ward.zalo.stats();
    println!("{stats:?}");
    assert_eq!(stats.limited, 0, "{stats:?}");
    assert!(stats.max_in_any_minute <= 4_000, "{stats:?}");
    for chat in &groups {
        let alerts = ward.zalo.sent(chat);
        let alerts = alerts.iter().filter(|sent| sent.text.contains("Nước lên"));
        assert_eq!(alerts.count(), 1);
    }
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_cannot_be_read_at_once_is_read_all_the_same() {
    let mut ward = Ward::on_disk().await;
    ward.stops().await;
    let mut tagged = vec![
        ward.zalo.say(&ward.lan, &ward.five, WHOLE),
        ward.zalo
            .say(&ward.minh, &ward.ha, "#danhnhau ở ngõ 12 lúc 20h tối nay"),
    ];
    // More than a page of chatter above it.
    for turn in 0..35 {
        ward.zalo
            .say(&ward.minh, &ward.five, &format!("chuyện phiếm {turn}"));
    }
    // Longer than Zalo calls again.
    for _ in 0..8 {
        ward.zalo.advance(Duration::from_secs(3_700));
        let tried = || (ward.zalo.stats().due == 0).then_some(());
        assert!(ward.zalo.wait(PATIENCE, tried).await.is_some());
    }
    assert_eq!(ward.zalo.stats().pending, 0, "all webhooks were given up");
    for fault in [
        Fault::Html(502),
        Fault::Body(b"[]".to_vec()),
        Fault::Error(-200, "Send fail".to_owned()),
    ] {
        ward.zalo.fault(Rule::once("group/conversation", fault));
    }
    ward.zalo.switch(|switches| switches.page = 3);
    ward.starts().await;
    ward.catches_up(1).await;
    for chat in [&ward.five, &ward.ha] {
        let receipt = ward.hears_only(chat).await;
        assert!(receipt.text.contains("Đã ghi nhận"), "{}", receipt.text);
    }
    let mut recorded: Vec<String> = ward
        .records()
        .await
        .iter()
        .map(|case| case.reports[0].message.to_string())
        .collect();
    recorded.sort();
    tagged.sort();
    assert_eq!(recorded, tagged);
    ward.ends().await;
}

/// The program in a process of its own, which is killed when the test ends.
struct Process(std::process::Child);

impl Process {
    /// As a power cut does.
    fn dies(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ward {
    async fn runs(&self) -> Process {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.home.path().join("log"))
            .unwrap();
        let child = self.keng(&["serve"]).stderr(log).spawn().unwrap();
        let process = Process(child);
        self.until("the program does not serve", async || {
            let health = client().get(self.url("/health")).send().await;
            health.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        self.zalo.set_webhook(&self.url("/hooks/oa1"));
        process
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_and_two_hours_nothing_is_missed_and_nothing_doubled() {
    let mut ward = Ward::on_disk().await;
    ward.stops().await;
    let process = ward.runs().await;
    let mut folk = Folk::new(5);
    let mut tagged = Vec::new();
    let report = |ward: &Ward, number: usize| {
        let text = format!("#tromcap mất xe ở ngõ {number} lúc 3h sáng nay");
        let chat = if number.is_multiple_of(2) {
            &ward.five
        } else {
            &ward.ha
        };
        ward.zalo.say(&ward.minh, chat, &text)
    };
    for number in 0..6 {
        tagged.push(report(&ward, number));
        ward.zalo.say(&ward.lan, &ward.five, folk.chatter());
    }
    // Killed with receipts on their way: their answers come never.
    ward.zalo.fault(Rule {
        path: "group/message".to_owned(),
        times: Some(2),
        after: 2,
        fault: Fault::HangAfter,
    });
    ward.until("no receipt hangs", async || {
        let calls = ward.zalo.calls();
        calls.iter().filter(|call| call.status.is_none()).count() >= 2
    })
    .await;
    process.dies();
    ward.zalo.clear_faults();

    // Two hours. Some of what is written reaches the end of the ladder, some is younger than that.
    for number in 6..12 {
        tagged.push(report(&ward, number));
        ward.zalo.say(&ward.lan, &ward.five, folk.chatter());
    }
    let while_down = ward.zalo.add_group("Xóm Mới", &[&ward.admin]);
    for minutes in [1, 5, 15, 30, 60, 10] {
        ward.zalo.advance(Duration::from_secs(60 * minutes));
        // Each rung is really tried, and fails.
        let tried = || (ward.zalo.stats().due == 0).then_some(());
        assert!(ward.zalo.wait(PATIENCE, tried).await.is_some());
    }
    for number in 12..15 {
        tagged.push(report(&ward, number));
    }
    let lost = ward.zalo.stats().lost;
    assert!(lost >= 12, "webhooks were given up: {lost}");

    let process = ward.runs().await;
    ward.catches_up(1).await;
    ward.hears_where(&while_down, |sent| sent.text.starts_with("Chào bà con"))
        .await;
    // What the ladder still brings is brought.
    ward.zalo.advance(Duration::from_secs(7_200));
    let all_told = ward
        .zalo
        .wait(Duration::from_secs(40), || {
            let said: Vec<String> = ward
                .zalo
                .all_sent()
                .into_iter()
                .map(|sent| sent.text)
                .collect();
            let receipts = said.iter().filter(|text| text.contains("Đã ghi nhận"));
            let codes: HashSet<String> = receipts.flat_map(|text| codes_in(text)).collect();
            (codes.len() >= 15).then_some(())
        })
        .await;
    assert!(all_told.is_some(), "{:#?}", texts(&ward.zalo.all_sent()));
    process.dies();

    // The records, read by the program itself: each message once.
    ward.starts().await;
    ward.zalo.advance(Duration::from_secs(60));
    ward.settles().await;
    let cases = ward.records().await;
    let mut recorded: Vec<String> = cases
        .iter()
        .flat_map(|case| &case.reports)
        .map(|report| report.message.to_string())
        .collect();
    recorded.sort();
    tagged.sort();
    assert_eq!(recorded, tagged, "nothing missed, nothing doubled");
    for case in &cases {
        let code = case.id.to_string();
        let told = ward.zalo.all_sent();
        let told = told
            .iter()
            .filter(|sent| codes_in(&sent.text).contains(&code));
        assert_eq!(told.count(), 1, "the receipt of {code}");
    }
    for chat in [&ward.five, &ward.ha, &while_down] {
        ward.hears_all(chat);
    }
    let log = std::fs::read_to_string(ward.home.path().join("log")).unwrap();
    assert!(!log.contains(&ward.zalo.options().app_secret));
    ward.ends().await;
}

/// The case codes that a receipt tells.
fn codes_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| {
            (1..=6).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit())
        })
        .map(str::to_owned)
        .collect()
}

impl Ward {
    /// What a command printed; it must succeed.
    fn prints(&self, args: &[&str]) -> String {
        let output = self.keng(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "{args:?}: {}{}",
            text(&output.stderr),
            text(&output.stdout)
        );
        text(&output.stdout)
    }

    /// The error of a command; it must fail.
    fn refuses(&self, args: &[&str]) -> String {
        let output = self.keng(args).output().unwrap();
        assert!(!output.status.success(), "{args:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

fn creating(name: &str) -> [&str; 7] {
    [
        "zalo",
        "group",
        "create",
        "--name",
        name,
        "--area",
        "06862/tan-truc-tung",
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_makes_groups_beside_a_server_and_alone() {
    let mut ward = Ward::on_disk().await;
    let name = "Xóm Đình – bà con mình";
    let made = ward.prints(&creating(name));
    assert!(
        made.contains("06862/tan-truc-tung") && made.contains("keng poster --room"),
        "{made}"
    );
    let group = ward.zalo.group_called(name).unwrap();
    // The staff of the area is in it, and it is bound: the notice comes, and alerts will.
    assert_eq!(
        ward.zalo.members(&group),
        ["Phạm Thu Hà", "Trần Văn Bình", "Lê Quang"]
    );
    ward.hears_only(&group).await;
    let known = ward.room(&group).await.unwrap();
    assert_eq!(known.area.unwrap().as_str(), "06862/tan-truc-tung");
    assert_eq!(known.title, name);

    let list = ward.prints(&["zalo", "group", "list"]);
    assert_eq!(list.lines().count(), 3, "{list}");
    let link = ward.prints(&["zalo", "group", "link", &group.id]);
    assert!(link.starts_with("https://zalo.me/g/"), "{link}");
    ward.prints(&[
        "zalo",
        "group",
        "invite",
        &group.id,
        "--member",
        &ward.lan.id,
    ]);
    let members = ward.prints(&["zalo", "group", "members", &group.id]);
    assert!(
        members.contains("Nguyễn Thị Lan") && members.contains("(the OA)"),
        "{members}"
    );

    let poster = ward.home.path().join("xom-dinh.pdf");
    let shown = poster.display().to_string();
    ward.prints(&["poster", "--room", &group.id, "--output", &shown]);
    assert!(std::fs::read(&poster).unwrap().starts_with(b"%PDF"));

    for (args, wanted) in [
        (
            &["zalo", "group", "link", "c0ffee00112233445566"][..],
            "the group does not exist",
        ),
        (
            &["zalo", "group", "invite", &group.id, "--member", "12345"][..],
            "does not follow the OA",
        ),
        (
            &["zalo", "group", "create", "--name", "A", "--area", "99999"][..],
            "no commune",
        ),
        (&["zalo", "group", "list", "--account", "oa9"][..], "oa9"),
        (
            &["poster", "--room", &group.id, "--output", "a.txt"][..],
            ".pdf or .png",
        ),
    ] {
        let error = ward.refuses(args);
        assert!(error.contains(wanted), "{error}");
    }
    // Four packages, of which the first was taken: three more groups, and then none.
    ward.settles().await;
    ward.stops().await;
    for number in 2..5 {
        ward.prints(&creating(&format!("Xóm {number}")));
    }
    let error = ward.refuses(&creating("Xóm 5"));
    assert!(error.contains("no free package"), "{error}");
    ward.starts().await;
    ward.later(TimeDelta::minutes(1));
    for number in 2..5 {
        let group = ward.zalo.group_called(&format!("Xóm {number}")).unwrap();
        ward.hears_only(&group).await;
        assert!(ward.room(&group).await.unwrap().area.is_some());
    }
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_makes_a_group_and_looks_into_it_by_chat() {
    let ward = Ward::new().await;
    let desk = ward.home(&ward.admin);
    ward.tells(&ward.admin, "/nhom tạo Tân Trúc Tùng: Xóm Đình");
    let made = ward.hears(&desk).await;
    let group = ward.zalo.group_called("Xóm Đình").unwrap();
    assert!(
        made.text
            .starts_with("Đã lập nhóm “Xóm Đình” cho thôn Tân Trúc Tùng, có 3 người")
            && made.text.contains("https://zalo.me/g/")
            && made
                .text
                .contains(&format!("keng poster --room {}", group.id)),
        "{}",
        made.text
    );
    ward.hears(&group).await;
    let known = ward.room(&group).await.unwrap();
    assert_eq!(known.area.unwrap().as_str(), "06862/tan-truc-tung");

    // In a group everybody reads the answer: how many, and not who.
    ward.zalo
        .say(&ward.admin, &ward.ha, "/nhom thành viên thôn Hạ");
    let counted = ward.hears(&ward.ha).await;
    assert!(
        counted.text.starts_with("• Hội nhóm thôn Hạ: 2 người"),
        "{}",
        counted.text
    );
    ward.tells(&ward.admin, "/nhom thành viên thôn Hạ");
    let named = ward.hears(&desk).await;
    assert!(named.text.contains("Trần Văn Minh"), "{}", named.text);
    ward.tells(&ward.admin, "/nhom mời thôn Hạ");
    let invited = ward.hears(&desk).await;
    assert_eq!(invited.text, "Đã mời 2 cán bộ, trưởng thôn vào 1 nhóm.");
    assert!(
        ward.zalo
            .members(&ward.ha)
            .contains(&"Phạm Thu Hà".to_owned())
    );

    // An officer may ask for the link, and no more; a resident learns nothing at all.
    let officer = ward.home(&ward.officer);
    ward.tells(&ward.officer, "/nhom link thôn Hạ");
    let link = ward.hears(&officer).await;
    assert!(link.text.contains("https://zalo.me/g/"), "{}", link.text);
    ward.tells(&ward.officer, "/nhom tạo thôn Hạ");
    assert!(ward.hears(&officer).await.text.contains("quản trị viên"));
    ward.tells(&ward.minh, "/nhom tạo thôn Hạ");
    let refused = ward.hears(&ward.home(&ward.minh)).await;
    assert!(!refused.text.contains("quản trị viên"), "{}", refused.text);

    // Zalo does not answer: nobody knows, and nothing is made twice.
    let lost = Fault::Html(502);
    ward.zalo.fault(Rule::once("creategroupwithoa", lost));
    ward.tells(&ward.admin, "/nhom tạo thôn Hạ");
    let unknown = ward.hears(&desk).await;
    assert!(unknown.text.starts_with("Chưa rõ"), "{}", unknown.text);
    ward.tells(&ward.admin, "/nhom xoá thôn Hạ");
    assert!(ward.hears(&desk).await.text.starts_with("Cách nhắn:"));
    assert_eq!(ward.store().errands().await.unwrap(), []);
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn photos_of_reports_are_copied_and_go_when_they_are_erased() {
    let mut ward = Ward::on_disk().await;
    let directory = ward.store_dir().join("photos");
    let copies = || -> Vec<String> {
        let files = std::fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten();
        let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.starts_with('.')).collect()
    };
    // Of what neighbours show each other nothing is kept.
    ward.zalo
        .photo(&ward.minh, &ward.five, "nồi bánh chưng nhà em");
    // At first Zalo does not give the photo out.
    ward.zalo.fault(Rule::once(".jpg", Fault::Html(502)));
    ward.zalo.photo(
        &ward.lan,
        &ward.five,
        "#racthai xe đổ trộm rác ở cổng chợ lúc 6h sáng nay",
    );
    let receipt = ward.hears(&ward.five).await;
    ward.until("nobody asked for the photo", async || {
        ward.metric("keng_photos_failed_total").await == 1
    })
    .await;
    assert_eq!(copies(), [""; 0]);
    // The next start looks again.
    ward.settles().await;
    ward.stops().await;
    ward.starts().await;
    ward.until("the photo was not copied", async || copies().len() == 1)
        .await;
    let code = code(&receipt.text);
    let copy = copies().remove(0);
    assert!(
        copy.starts_with(&format!("{code}-")) && copy.ends_with(".png"),
        "{copy}"
    );
    assert_eq!(ward.metric("keng_photos_copied_total").await, 1);
    let row = ward.prints(&["export", "incidents"]);
    assert!(row.contains(copy.trim_end_matches(".png")), "{row}");

    ward.tells(&ward.lan, &format!("/xoa {code}"));
    ward.hears(&ward.home(&ward.lan)).await;
    ward.until("the copy stayed", async || copies().is_empty())
        .await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_program_had_begun_is_not_begun_again() {
    let mut ward = Ward::on_disk().await;
    let desk = ward.home(&ward.admin);
    ward.tells(&ward.admin, "/nhom link thôn Hạ");
    ward.hears(&desk).await;
    let errand = |message: &str, begun| {
        Write::Errand(Box::new(Errand {
            asked: MessageKey {
                room: room(&desk),
                message: MessageId(message.into()),
            },
            thread: None,
            kind: RoomKind::Private,
            by: "Anh Quang".to_owned(),
            account: oa1(),
            work: Work::Create {
                name: format!("Xóm {message}"),
                area: AreaId::parse("06862/thon-ha").unwrap(),
                people: vec![ward.admin.id.to_string()],
            },
            begun,
        }))
    };
    // One was begun when the program died, one only written down.
    let act = Act {
        expects: Vec::new(),
        writes: vec![errand("1", true), errand("2", false)],
    };
    // The echo of the answer has come, too: a call that fails comes again only after half a minute.
    ward.settles().await;
    ward.store().commit(vec![act]).await.unwrap();
    ward.stops().await;
    ward.starts().await;
    let mut heard = [ward.hears(&desk).await.text, ward.hears(&desk).await.text];
    heard.sort();
    assert!(heard[0].starts_with("Chưa rõ"), "{heard:?}");
    assert!(heard[1].starts_with("Đã lập nhóm “Xóm 2”"), "{heard:?}");
    assert!(ward.zalo.group_called("Xóm 1").is_none());
    let group = ward.zalo.group_called("Xóm 2").unwrap();
    ward.hears(&group).await;
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_on_the_command_line_becomes_the_first_tokens() {
    let mut ward = Ward::on_disk().await;
    ward.stops().await;
    std::fs::remove_file(ward.tokens_file()).unwrap();
    std::fs::remove_dir_all(ward.store_dir()).unwrap();
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    ward.zalo
        .consent("ma-dong-y-1", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let oa_id = ward.zalo.options().oa_id.clone();
    let redirected = |oa: &str| format!("https://keng.example.vn/ok?code=ma-dong-y-1&oa_id={oa}");
    let (other, right) = (redirected("123"), redirected(&oa_id));
    let auth = |address| {
        [
            "zalo",
            "auth",
            "--verifier",
            verifier,
            "--redirected",
            address,
        ]
    };
    let refused = ward.refuses(&auth(&other));
    assert!(
        refused.contains("the consent is for the OA 123"),
        "{refused}"
    );
    let said = ward.prints(&auth(&right));
    assert!(said.contains("the first tokens of oa1 are in"), "{said}");
    let again = ward.refuses(&auth(&right));
    assert!(again.contains("a code works once"), "{again}");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(ward.tokens_file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let pair = std::fs::read_to_string(ward.tokens_file()).unwrap();
    let pair: Value = serde_json::from_str(&pair).unwrap();
    for key in ["access_token", "refresh_token"] {
        assert!(!said.contains(pair[key].as_str().unwrap()));
    }
    ward.starts().await;
    ward.zalo.say(&ward.lan, &ward.five, WHOLE);
    ward.hears_where(&ward.five, |sent| sent.text.contains("Đã ghi nhận"))
        .await;
    ward.settles().await;
    ward.hears_all(&ward.five);
    ward.hears_all(&ward.ha);
    ward.ends().await;
}

/// The same keys and kinds of values; a key that ends in `?` may be missing.
fn like(shape: &Value, body: &Value, at: &str, faults: &mut Vec<String>) {
    match (shape, body) {
        (Value::Object(shape), Value::Object(body)) => {
            for key in body.keys() {
                if !shape.contains_key(key) && !shape.contains_key(&format!("{key}?")) {
                    faults.push(format!("{at}: `{key}` is not documented"));
                }
            }
            for (key, shape) in shape {
                let name = key.trim_end_matches('?');
                match body.get(name) {
                    Some(value) => like(shape, value, &format!("{at}.{name}"), faults),
                    None if key.ends_with('?') => {}
                    None => faults.push(format!("{at}: `{name}` is missing")),
                }
            }
        }
        (Value::Array(shape), Value::Array(body)) => {
            for value in body {
                like(&shape[0], value, at, faults);
            }
        }
        _ if std::mem::discriminant(shape) == std::mem::discriminant(body) => {}
        _ => faults.push(format!("{at}: {body} is of another kind than {shape}")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_of_ours_has_the_documented_shape() {
    let shapes = include_str!("../fixtures/zalo_oa/shapes.json");
    let shapes: Value = serde_json::from_str(shapes).unwrap();
    let ward = Ward::on_disk().await;
    ward.zalo.end_access();
    ward.zalo.say(&ward.lan, &ward.five, WHOLE);
    ward.hears(&ward.five).await;
    // In no group, so that no list of members tells the name.
    let tam = ward.zalo.add_person("Bùi Văn Tám");
    ward.tells(&tam, "có người đánh bạc ở nhà văn hoá lúc 21h tối nay");
    ward.hears(&ward.home(&tam)).await;
    ward.prints(&creating("Xóm Đình"));
    let group = ward.zalo.group_called("Xóm Đình").unwrap();
    ward.hears(&group).await;
    ward.prints(&["zalo", "group", "link", &group.id]);
    ward.prints(&[
        "zalo",
        "group",
        "invite",
        &group.id,
        "--member",
        &ward.lan.id,
    ]);
    let asked = |path: &str| {
        let calls = ward.zalo.calls();
        calls.iter().any(|call| call.path == path)
    };
    for path in ["/v3.0/oa/group/listmember", "/v3.0/oa/user/detail"] {
        ward.until(path, async || asked(path)).await;
    }
    let (mut faults, mut seen) = (Vec::new(), HashSet::new());
    for call in ward.zalo.calls() {
        let name = format!("{} {}", call.verb, call.path);
        let shape = &shapes["requests"][&name];
        assert!(!shape.is_null(), "{name} has no documented shape");
        like(shape, &call.parameters, &name, &mut faults);
        seen.insert(name);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for name in shapes["requests"].as_object().unwrap().keys() {
        assert!(seen.contains(name), "{name} was not called");
    }
    ward.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_goes_with_its_card_which_zalo_is_given_once() {
    let ward = Ward::with(Plan {
        more: "[alert]\ncard = \"warning\"\n",
        ..Plan::default()
    })
    .await;
    ward.warns("Nước lên nhanh").await;
    for chat in [&ward.five, &ward.ha] {
        let alert = ward.hears(chat).await;
        assert!(alert.text.contains("Nước lên nhanh"), "{}", alert.text);
        let card = alert.attachment.unwrap();
        assert_eq!(card["payload"]["elements"][0]["media_type"], "image");
    }
    let uploads = || {
        let calls = ward.zalo.calls().into_iter();
        calls
            .filter(|call| call.path.ends_with("/upload/image"))
            .count()
    };
    assert_eq!(uploads(), 1);
    // A picture that Zalo does not take holds no words up.
    ward.zalo.fault(Rule::once(
        "upload/image",
        Fault::Error(-201, "file type is invalid".to_owned()),
    ));
    ward.warns("Nước đã rút").await;
    for chat in [&ward.five, &ward.ha] {
        let alert = ward.hears(chat).await;
        assert!(alert.text.contains("Nước đã rút"), "{}", alert.text);
    }
    ward.settles().await;
    ward.hears_all(&ward.home(&ward.officer));
    ward.ends().await;
}
