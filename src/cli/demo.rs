//! `keng demo`: a make-believe ward at work, with nothing configured.
//!
//! The same program as `keng serve` runs against a simulated Telegram, Zalo Bot Platform, Zalo Official
//! Account and Facebook Page on loopback, with the real store in a directory of its own. What is claimed at the end is counted
//! from what the simulators saw and from what the store holds, never from what the script meant to happen.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::bail;
use serde_json::json;

use crate::app::App;
use crate::domain::clock::SystemClock;
use crate::domain::incident::Incident;
use crate::sim::facebook;
use crate::sim::facebook::Facebook;
use crate::sim::folk::Folk;
use crate::sim::scene::Scene;
use crate::sim::scene::Watcher;
use crate::sim::scene::What;
use crate::sim::telegram::Chat;
use crate::sim::telegram::Options as Town;
use crate::sim::telegram::Person;
use crate::sim::telegram::Telegram;
use crate::sim::zalo_bot;
use crate::sim::zalo_bot::ZaloBot;
use crate::sim::zalo_oa;
use crate::sim::zalo_oa::ZaloOa;
use crate::store::Cursor;
use crate::store::Store;

/// How long the bot may take for anything; it needs milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// The alert of the demo's officer; its first words are looked for in every group.
const ALERT: &str = "Có người gọi điện tự xưng công an xã, bảo bà con cài ứng dụng VNeID qua đường link lạ. \
                     Đó là lừa đảo. Bà con không bấm link, không đọc mã OTP cho ai, gọi ngay công an xã hoặc 113.";

/// Facebook groups of the ward, which no program may enter: the head posts there by hand.
const HAND_GROUPS: [&str; 2] = ["Hội người Tiên Yên", "Chợ quê Tiên Yên"];

/// What the officer corrects it to.
const CORRECTED: &str = "Kẻ gian tự xưng cán bộ phường, không phải công an xã, bảo bà con cài ứng dụng \
                         VNeID qua đường link lạ. Bà con không bấm link, không đọc mã OTP cho ai, gọi 113.";

/// What stands in every group when it is over.
const OVER: &str = "HẾT CẢNH BÁO";

/// Groups in which something stands, by platform.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    telegram: usize,
    zalo_bot: usize,
    zalo_oa: usize,
    facebook: usize,
}

impl Count {
    fn all(self) -> usize {
        self.telegram + self.zalo_bot + self.zalo_oa + self.facebook
    }

    fn json(self) -> serde_json::Value {
        json!({ "telegram": self.telegram, "zalo_bot": self.zalo_bot, "zalo_oa": self.zalo_oa, "facebook": self.facebook })
    }
}

/// What the simulators saw of the officer's urgent alert.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    /// The second officer was asked, on another platform, before any group heard it.
    asked_first: bool,
    /// Groups in which somebody posted it by hand, as its author was told.
    by_hand: usize,
    alerted: Count,
    corrected: Count,
    cleared: Count,
    /// A resident asked about the alert, and another about a made-up code.
    real_code: bool,
    forged_code: bool,
}

#[derive(Debug)]
pub(super) struct Options {
    pub(super) once: bool,
    pub(super) json: bool,
    pub(super) record: Option<PathBuf>,
}

/// The people and groups of the play.
struct Ward {
    town: Telegram,
    groups: Vec<(Chat, &'static str)>,
    residents: Vec<Person>,
    officer: (Person, Chat),
    /// The second officer, on Zalo.
    second: (zalo_bot::Person, zalo_bot::Chat),
    head: (Person, Chat),
    /// The same ward on Zalo Bot: groups that talk there, and who lives in them.
    zalo: ZaloBot,
    zalo_groups: Vec<(zalo_bot::Chat, &'static str)>,
    zalo_residents: Vec<zalo_bot::Person>,
    /// And in the groups of the commune police's Official Account.
    oa: ZaloOa,
    oa_groups: Vec<(zalo_oa::Chat, &'static str)>,
    oa_residents: Vec<zalo_oa::Person>,
    /// And on the wall of its Facebook Page.
    page: Facebook,
    page_residents: Vec<facebook::Person>,
    /// Something on the wall to write under.
    page_post: String,
}

/// What was written, to be held against what was kept.
#[derive(Default)]
struct Said {
    tagged: Vec<(Chat, i64)>,
    /// Who wrote each of them.
    authors: Vec<Person>,
    /// Those on Zalo, where the bot hears only what mentions it.
    mentions: Vec<(zalo_bot::Chat, String)>,
    /// Those in the groups of the Official Account.
    to_oa: Vec<(zalo_oa::Chat, String)>,
    /// Those on the Page's wall.
    on_page: Vec<String>,
    untagged: Vec<String>,
}

impl Said {
    /// What was said to the bot, anywhere.
    fn to_bot(&self) -> usize {
        self.tagged.len() + self.mentions.len() + self.to_oa.len() + self.on_page.len()
    }
}

pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    super::serve::runtime()?.block_on(play(options))
}

async fn play(options: Options) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let home = tempfile::Builder::new()
        .prefix("keng-demo-")
        .tempdir()
        .context("making a directory for the store")?;
    let ward = Ward::build().await?;
    let config =
        crate::config::parse(
            &ward.config(home.path()),
            "the demo's config",
            &|name| match name {
                "KENG_DEMO_TOKEN" => Some(ward.town.token().to_owned()),
                "KENG_DEMO_ZALO_TOKEN" => Some(ward.zalo.token().to_owned()),
                "KENG_DEMO_OA_APP_SECRET" => Some(ward.oa.options().app_secret.clone()),
                "KENG_DEMO_OA_SECRET" => Some(ward.oa.options().oa_secret.clone()),
                "KENG_DEMO_OA_TOKENS" => Some(ward.oa.new_pair()),
                "KENG_DEMO_FB_TOKEN" => Some(ward.page.options().token.clone()),
                "KENG_DEMO_FB_APP_SECRET" => Some(ward.page.options().app_secret.clone()),
                "KENG_DEMO_FB_VERIFY" => Some(ward.page.options().verify_token.clone()),
                _ => None,
            },
        )?;
    let store_dir = home.path().join("data");
    if !options.json {
        ward.transcript();
    }

    let app = App::start(config, Arc::new(SystemClock)).await?;
    // An Official Account's webhook is set by hand.
    ward.oa
        .set_webhook(&format!("http://{}/hooks/oa1", app.address()));
    ward.page
        .set_webhook(&format!("http://{}/hooks/fb1", app.address()));
    for (chat, _) in &ward.groups {
        ward.town.join_bot(*chat);
        ward.town.promote_bot(*chat);
    }
    for (chat, _) in &ward.zalo_groups {
        ward.zalo.join_bot(chat);
    }
    let pace = if options.once {
        Duration::from_millis(40)
    } else {
        Duration::from_millis(900)
    };
    let mut said = Said::default();
    let mut folk = Folk::new(1);
    let digests = Cell::new(0);
    let heard = Cell::new(Heard::default());
    let acts = async {
        ward.act(&mut folk, &mut said, pace, 36).await?;
        ward.answer(&mut folk, &mut said).await?;
        heard.set(ward.alert().await?);
        digests.set(ward.digest().await?);
        if options.once {
            return Ok(());
        }
        // Goes on until Ctrl-C.
        loop {
            ward.act(&mut folk, &mut said, pace, 60).await?;
            digests.set(digests.get() + ward.digest().await?);
        }
    };
    tokio::select! {
        ended = acts => ended.map_err(|error: anyhow::Error| error)?,
        _ = tokio::signal::ctrl_c() => {}
    }
    let (digests, heard) = (digests.get(), heard.get());
    let receipts = ward
        .receipts(&said, app.store().as_ref(), options.once)
        .await?;
    let incidents = all_incidents(app.store().as_ref()).await?;
    app.stop().await?;
    if let Some(path) = &options.record {
        ward.record(path)?;
    }

    // The simulator and the store are asked; nothing is assumed.
    let recorded: BTreeSet<(String, String)> = incidents
        .iter()
        .flat_map(|incident| &incident.reports)
        .map(|report| (report.room.native.to_string(), report.message.to_string()))
        .collect();
    let wanted: BTreeSet<(String, String)> = said
        .tagged
        .iter()
        .map(|(chat, id)| (chat.id.to_string(), id.to_string()))
        .chain(
            said.mentions
                .iter()
                .map(|(chat, id)| (chat.id.to_string(), id.clone())),
        )
        .chain(
            said.to_oa
                .iter()
                .map(|(chat, id)| (chat.id.to_string(), id.clone())),
        )
        .chain(
            said.on_page
                .iter()
                .map(|id| (ward.page.options().page_id.clone(), id.clone())),
        )
        .collect();
    let rooms = ward.groups.len() + ward.zalo_groups.len() + ward.oa_groups.len() + 1;
    let by_hand = heard.by_hand;
    let untagged_stored = said
        .untagged
        .iter()
        .filter(|text| stored_in(&store_dir, text))
        .count();
    let holds = recorded == wanted
        && receipts == said.to_bot()
        && untagged_stored == 0
        && (!options.once
            || (heard.asked_first
                && heard.alerted.all() == rooms
                && heard.corrected.all() == rooms
                && heard.cleared.all() == rooms
                && by_hand == HAND_GROUPS.len()
                && heard.real_code
                && heard.forged_code
                && digests == 1));
    let summary = json!({
        "ok": holds,
        "messages": said.to_bot() + said.untagged.len(),
        "tagged": said.to_bot(),
        "records": recorded.len(),
        "receipts": receipts,
        "rooms_alerted": heard.alerted.json(),
        "second_officer_asked_first": heard.asked_first,
        "rooms_corrected": heard.corrected.json(),
        "rooms_cleared": heard.cleared.json(),
        "real_code_known": heard.real_code,
        "forged_code_refused": heard.forged_code,
        "by_hand": by_hand,
        "digests": digests,
        "untagged_stored": untagged_stored,
        "seconds": (started.elapsed().as_secs_f64() * 10.0).round() / 10.0,
    });
    if !options.json {
        outln!("\n— Tổng kết, đếm từ những gì máy mô phỏng nhận được và kho lưu đang giữ —");
        outln!("tin nhắn trong nhóm      {}", summary["messages"]);
        outln!(
            "  gửi cho bot, đã ghi    {} / {}",
            recorded.len(),
            said.to_bot()
        );
        outln!("  có biên nhận           {receipts} / {}", said.to_bot());
        outln!("  không gửi bot, bị lưu  {untagged_stored}");
        outln!(
            "nhóm nhận được cảnh báo  {} / {rooms} (Telegram {}, Zalo Bot {}, Zalo OA {}, trang Facebook {})",
            heard.alerted.all(),
            heard.alerted.telegram,
            heard.alerted.zalo_bot,
            heard.alerted.zalo_oa,
            heard.alerted.facebook
        );
        outln!("  nhờ đăng tay, đã đăng  {by_hand} / {}", HAND_GROUPS.len());
        outln!(
            "  duyệt trước khi gửi    {}",
            if heard.asked_first { "có" } else { "KHÔNG" }
        );
        outln!(
            "  nhận đính chính        {} / {rooms}",
            heard.corrected.all()
        );
        outln!("  nhận tin hết cảnh báo  {} / {rooms}", heard.cleared.all());
        outln!(
            "  kiểm tra mã            thật: {}, giả: {}",
            if heard.real_code {
                "nhận ra"
            } else {
                "KHÔNG"
            },
            if heard.forged_code {
                "bị bác"
            } else {
                "KHÔNG"
            }
        );
        outln!("bản tổng hợp             {digests}");
        outln!(
            "{}",
            if holds {
                "Mọi thứ khớp."
            } else {
                "KHÔNG KHỚP: xem lại các con số trên."
            }
        );
    } else {
        outln!("{summary}");
    }
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Ward {
    async fn build() -> anyhow::Result<Self> {
        let address = ([127, 0, 0, 1], 0).into();
        let town = Telegram::start(address, Town::default())
            .await
            .context("starting the simulated Telegram")?;
        let groups = vec![
            (
                town.add_supergroup("Thôn Tân Trúc Tùng – bà con mình"),
                "06862/tan-truc-tung",
            ),
            (
                town.add_supergroup("Tổ 3 Tân Trúc Tùng"),
                "06862/tan-truc-tung",
            ),
            (town.add_group("Hội nhóm thôn Hạ"), "06862/thon-ha"),
        ];
        let zalo = ZaloBot::start(address, zalo_bot::Options::default())
            .await
            .context("starting the simulated Zalo Bot Platform")?;
        let zalo_groups = vec![
            (zalo.add_group("Xóm Đình"), "06862/tan-truc-tung"),
            (zalo.add_group("Chợ Hạ"), "06862/thon-ha"),
        ];
        let oa = ZaloOa::start(address, zalo_oa::Options::default())
            .await
            .context("starting the simulated Official Account")?;
        let mut folk = Folk::new(7);
        let oa_residents: Vec<_> = (0..6).map(|_| oa.add_person(&folk.name())).collect();
        let all: Vec<_> = oa_residents.iter().collect();
        let oa_groups = vec![
            (
                oa.add_group("Khu chợ Tân Trúc Tùng", &all),
                "06862/tan-truc-tung",
            ),
            (oa.add_group("Xóm Bến thôn Hạ", &all), "06862/thon-ha"),
        ];
        let page = Facebook::start(address, facebook::Options::default())
            .await
            .context("starting the simulated Facebook")?;
        let page_residents = (0..6).map(|_| page.add_person(&folk.name())).collect();
        let page_post =
            page.admin_posts("Công an xã chào bà con. Bà con cần báo việc gì, xin viết dưới đây.");
        let zalo_residents = (0..6).map(|_| zalo.add_person(&folk.name())).collect();
        let residents = (0..12).map(|_| town.add_person(&folk.name())).collect();
        let officer = town.add_person("Phạm Thu Hà");
        let second = zalo.add_person("Vũ Hoài Nam");
        let head = town.add_person("Trần Văn Bình");
        Ok(Self {
            officer: (officer, town.start_private(officer)),
            second: (second.clone(), zalo.private(&second)),
            head: (head, town.start_private(head)),
            residents,
            groups,
            town,
            zalo,
            zalo_groups,
            zalo_residents,
            oa,
            oa_groups,
            oa_residents,
            page,
            page_residents,
            page_post,
        })
    }

    /// A ward's config as its operator would write it; only the addresses are the simulator's.
    fn config(&self, home: &Path) -> String {
        let mut text = format!(
            "[store]\npath = {:?}\n[web]\nlisten = \"127.0.0.1:0\"\n\
             [[area]]\nid = \"06862/tan-truc-tung\"\nname = \"thôn Tân Trúc Tùng\"\n\
             [[area]]\nid = \"06862/thon-ha\"\nname = \"thôn Hạ\"\n\
             [[account]]\nname = \"tg1\"\nplatform = \"telegram\"\napi_url = \"{}\"\n\
             token = {{ env = \"KENG_DEMO_TOKEN\" }}\nreceive = \"poll\"\n\
             [[account]]\nname = \"zb1\"\nplatform = \"zalo_bot\"\napi_url = \"{}\"\n\
             token = {{ env = \"KENG_DEMO_ZALO_TOKEN\" }}\nreceive = \"poll\"\npoll_spacing_ms = 20\n\
             [[account]]\nname = \"oa1\"\nplatform = \"zalo_oa\"\napi_url = \"{oa}\"\noauth_url = \"{oa}\"\n\
             app_id = \"{}\"\noa_id = \"{}\"\napp_secret = {{ env = \"KENG_DEMO_OA_APP_SECRET\" }}\n\
             webhook_secret = {{ env = \"KENG_DEMO_OA_SECRET\" }}\nfirst_tokens = {{ env = \"KENG_DEMO_OA_TOKENS\" }}\n\
             [[account]]\nname = \"fb1\"\nplatform = \"facebook\"\napi_url = \"{fb}\"\npage_id = \"{page}\"\n\
             token = {{ env = \"KENG_DEMO_FB_TOKEN\" }}\napp_secret = {{ env = \"KENG_DEMO_FB_APP_SECRET\" }}\n\
             verify_token = {{ env = \"KENG_DEMO_FB_VERIFY\" }}\n\
             [[room]]\naccount = \"fb1\"\nnative = \"{page}\"\narea = \"06862\"\n\
             [[officer]]\nname = \"Đ/c Hà\"\nrole = \"officer\"\narea = \"06862\"\naccounts = {{ tg1 = \"{}\" }}\n\
             [[officer]]\nname = \"Đ/c Nam\"\nrole = \"officer\"\narea = \"06862\"\naccounts = {{ zb1 = \"{}\" }}\n\
             [[officer]]\nname = \"Bác Bình\"\nrole = \"head\"\narea = \"06862/tan-truc-tung\"\naccounts = {{ tg1 = \"{}\" }}\n",
            home.join("data"),
            self.town.url(),
            self.zalo.url(),
            self.oa.options().app_id,
            self.oa.options().oa_id,
            self.officer.0.id,
            self.second.0.id,
            self.head.0.id,
            oa = self.oa.url(),
            fb = self.page.url(),
            page = self.page.options().page_id,
        );
        for name in HAND_GROUPS {
            text.push_str(&format!(
                "[[hand_group]]\nname = \"{name}\"\narea = \"06862\"\naccount = \"tg1\"\nadmin = \"{}\"\n",
                self.head.0.id
            ));
        }
        for (chat, area) in &self.groups {
            text.push_str(&format!(
                "[[room]]\naccount = \"tg1\"\nnative = \"{}\"\narea = \"{area}\"\n",
                chat.id
            ));
        }
        for (chat, area) in &self.zalo_groups {
            text.push_str(&format!(
                "[[room]]\naccount = \"zb1\"\nnative = \"{}\"\narea = \"{area}\"\n",
                chat.id
            ));
        }
        for (chat, area) in &self.oa_groups {
            text.push_str(&format!(
                "[[room]]\naccount = \"oa1\"\nnative = \"{}\"\narea = \"{area}\"\n",
                chat.id
            ));
        }
        text
    }

    /// Residents write, one message after another: about one in three with a tag.
    async fn act(
        &self,
        folk: &mut Folk,
        said: &mut Said,
        pace: Duration,
        count: usize,
    ) -> anyhow::Result<()> {
        for turn in 0..count {
            let (chat, _) = self.groups[folk.below(self.groups.len())];
            let person = self.residents[folk.below(self.residents.len())];
            if turn % 3 == 1 {
                let report = folk.report();
                let id = self.town.say(person, chat, report.text);
                said.tagged.push((chat, id));
                said.authors.push(person);
            } else {
                let text = folk.chatter();
                self.town.say(person, chat, text);
                said.untagged.push(text.to_owned());
            }
            self.act_on_zalo(folk, said, turn);
            self.act_on_oa(folk, said, turn);
            self.act_on_page(folk, said, turn);
            tokio::time::sleep(pace).await;
        }
        let taken = self.town.wait_confirmed(PATIENCE).await
            && self.zalo.wait_taken(PATIENCE).await
            && self.oa.wait_taken(PATIENCE).await
            && self.page.wait_taken(PATIENCE).await;
        if !taken {
            bail!("the bot did not take the messages within {PATIENCE:?}");
        }
        Ok(())
    }

    /// On Zalo they talk at their own pace: now and then somebody picks the bot's name.
    fn act_on_zalo(&self, folk: &mut Folk, said: &mut Said, turn: usize) {
        let (chat, _) = &self.zalo_groups[folk.below(self.zalo_groups.len())];
        let person = &self.zalo_residents[folk.below(self.zalo_residents.len())];
        match turn % 6 {
            2 => {
                let text = folk.chatter();
                self.zalo.say(person, chat, text);
                said.untagged.push(text.to_owned());
            }
            4 => {
                let id = self.zalo.mention(person, chat, folk.report().text);
                said.mentions.push((chat.clone(), id));
            }
            _ => {}
        }
    }

    /// The Official Account hears everything in its groups, and a tag is enough.
    fn act_on_oa(&self, folk: &mut Folk, said: &mut Said, turn: usize) {
        let (chat, _) = &self.oa_groups[folk.below(self.oa_groups.len())];
        let person = &self.oa_residents[folk.below(self.oa_residents.len())];
        match turn % 6 {
            0 | 1 => {
                let text = folk.chatter();
                self.oa.say(person, chat, text);
                said.untagged.push(text.to_owned());
            }
            3 => {
                let id = self.oa.say(person, chat, folk.report().text);
                said.to_oa.push((chat.clone(), id));
            }
            _ => {}
        }
    }

    /// Under the Page's posts people talk with each other, and now and then to the police.
    fn act_on_page(&self, folk: &mut Folk, said: &mut Said, turn: usize) {
        let person = &self.page_residents[folk.below(self.page_residents.len())];
        match turn % 6 {
            1 | 2 => {
                let text = folk.chatter();
                self.page.comment(person, &self.page_post, text);
                said.untagged.push(text.to_owned());
            }
            5 => {
                let text = folk.report().text;
                said.on_page
                    .push(self.page.comment(person, &self.page_post, text));
            }
            _ => {}
        }
    }

    /// Groups in which somebody says to have posted the alert by hand, as far as its author was told.
    fn by_hand(&self) -> usize {
        let reports = self.town.sent(self.officer.1).into_iter();
        let told = reports.filter_map(|sent| {
            let (_, rest) = sent.text.split_once("Nhờ đăng tay: ")?;
            rest.split('/').next()?.parse().ok()
        });
        told.max().unwrap_or(0)
    }

    /// Whoever runs groups on Facebook is handed the alert, posts it there, and says so by one tap each.
    async fn post_by_hand(&self) -> anyhow::Result<()> {
        let (head, chat) = self.head;
        for number in 1..=HAND_GROUPS.len() {
            let handed = || {
                let all = self.town.sent(chat).into_iter();
                let mut all = all.filter(|sent| sent.button("Đã đăng").is_some());
                all.nth(number - 1)
            };
            let words = self.town.wait(PATIENCE, handed).await;
            let words = words.context("an alert to be posted by hand was not handed over")?;
            let data = words
                .button("Đã đăng")
                .context("there is no button")?
                .to_owned();
            self.town.press(head, chat, words.message_id, &data);
        }
        let all = || (self.by_hand() == HAND_GROUPS.len()).then_some(());
        let told = self.town.wait(PATIENCE, all).await;
        told.context("the officer was not told that the alert was posted by hand")
    }

    /// Somebody who was asked where it happened answers the bot's question.
    async fn answer(&self, folk: &mut Folk, said: &mut Said) -> anyhow::Result<()> {
        let tagged = said.tagged.iter().zip(&said.authors);
        let asked = tagged.into_iter().find_map(|((chat, message), author)| {
            let question =
                self.town.sent(*chat).into_iter().find(|sent| {
                    sent.reply_to == Some(*message) && sent.text.contains("ở đâu ạ?")
                })?;
            Some((*chat, question.message_id, *author))
        });
        let Some((chat, question, person)) = asked else {
            return Ok(());
        };
        let id = self
            .town
            .reply(person, chat, question, &format!("ở {}", folk.place()));
        said.tagged.push((chat, id));
        said.authors.push(person);
        let added = self
            .town
            .wait_for(chat, |sent| sent.reply_to == Some(id), PATIENCE)
            .await;
        added.context("the answer to the bot's question was not taken")?;
        Ok(())
    }

    /// An urgent alert from the draft to the all-clear: a colleague on another platform approves it, it is
    /// corrected, it ends, and residents ask whether codes are real.
    async fn alert(&self) -> anyhow::Result<Heard> {
        let (officer, desk) = self.officer;
        let (second, their_desk) = &self.second;
        // Whoever has spoken to the bot can be told something by it.
        self.zalo.say(second, their_desk, "/nhom");
        self.zalo
            .wait_for(their_desk, |_| true, PATIENCE)
            .await
            .context("the second officer got no answer")?;

        let before = self.town.sent(desk).len();
        self.town
            .say(officer, desk, &format!("/canhbao khẩn: {ALERT}"));
        let preview = self
            .town
            .wait(PATIENCE, || {
                self.town
                    .sent(desk)
                    .into_iter()
                    .skip(before)
                    .find(|sent| sent.button("Gửi").is_some())
            })
            .await
            .context("the officer saw no preview of the alert")?;
        let data = preview
            .button("Gửi")
            .context("the preview has no button to send")?
            .to_owned();
        let (_, code) = data.rsplit_once(':').context("the button names no alert")?;
        self.town.press(officer, desk, preview.message_id, &data);
        self.zalo
            .wait_for(their_desk, |sent| sent.text.contains(ALERT), PATIENCE)
            .await
            .context("the second officer was not asked")?;
        let asked_first = self.standing(ALERT).all() == 0;
        self.zalo.say(second, their_desk, &format!("/duyet {code}"));
        let alerted = self.everywhere(ALERT).await?;
        self.reported(desk, "Cảnh báo").await?;
        self.post_by_hand().await?;
        let by_hand = self.by_hand();

        // As people type it: small letters.
        let resident = self
            .zalo_residents
            .first()
            .context("nobody lives on Zalo")?;
        let home = self.zalo.private(resident);
        self.zalo.say(
            resident,
            &home,
            &format!("/kiemtra {}", code.to_lowercase()),
        );
        let real_code = self
            .zalo
            .wait_for(&home, |sent| sent.text.contains("là thật"), PATIENCE)
            .await
            .is_some();
        let resident = *self.residents.first().context("nobody lives here")?;
        let home = self.town.start_private(resident);
        // A letter of the real code was changed.
        let mut forged: String = code.chars().take(code.chars().count() - 1).collect();
        forged.push(if code.ends_with('Z') { 'Y' } else { 'Z' });
        self.town.say(resident, home, &format!("/kiemtra {forged}"));
        let forged_code = self
            .town
            .wait_for(home, |sent| sent.text.contains("giả mạo"), PATIENCE)
            .await
            .is_some();

        self.zalo.say(
            second,
            their_desk,
            &format!("/dinhchinh {code} {CORRECTED}"),
        );
        let corrected = self.everywhere(CORRECTED).await?;
        self.town.say(officer, desk, &format!("/hetcanhbao {code}"));
        let cleared = self.everywhere(OVER).await?;
        self.reported(desk, "Tin hết cảnh báo").await?;
        Ok(Heard {
            asked_first,
            by_hand,
            alerted,
            corrected,
            cleared,
            real_code,
            forged_code,
        })
    }

    async fn reported(&self, desk: Chat, what: &str) -> anyhow::Result<()> {
        self.town
            .wait_for(
                desk,
                |sent| sent.text.starts_with(what) && sent.text.contains("đã gửi xong"),
                PATIENCE,
            )
            .await
            .context("the officer was not told how the sending went")?;
        Ok(())
    }

    /// Waits until the words stand in every group, and counts where they stand once.
    async fn everywhere(&self, words: &str) -> anyhow::Result<Count> {
        let all = self
            .town
            .wait(PATIENCE, || {
                self.groups
                    .iter()
                    .all(|(chat, _)| {
                        self.town
                            .sent(*chat)
                            .iter()
                            .any(|sent| sent.text.contains(words))
                    })
                    .then_some(())
            })
            .await;
        all.context("the alert did not reach every group on Telegram")?;
        for (chat, _) in &self.zalo_groups {
            self.zalo
                .wait_for(chat, |sent| sent.text.contains(words), PATIENCE)
                .await
                .context("the alert did not reach every group on Zalo Bot")?;
        }
        for (chat, _) in &self.oa_groups {
            self.oa
                .wait_for(chat, |sent| sent.text.contains(words), PATIENCE)
                .await
                .context("the alert did not reach every group of the Official Account")?;
        }
        self.page
            .wait_for(
                |sent| sent.place == facebook::Place::Wall && sent.text.contains(words),
                PATIENCE,
            )
            .await
            .context("the alert does not stand on the Page")?;
        Ok(self.standing(words))
    }

    /// The groups in which these words stand exactly once.
    fn standing(&self, words: &str) -> Count {
        fn once<'a>(texts: impl Iterator<Item = &'a str>, words: &str) -> bool {
            texts.filter(|text| text.contains(words)).count() == 1
        }
        Count {
            telegram: self
                .groups
                .iter()
                .filter(|(chat, _)| {
                    let sent = self.town.sent(*chat);
                    once(sent.iter().map(|sent| sent.text.as_str()), words)
                })
                .count(),
            zalo_bot: self
                .zalo_groups
                .iter()
                .filter(|(chat, _)| {
                    let sent = self.zalo.sent(chat);
                    once(sent.iter().map(|sent| sent.text.as_str()), words)
                })
                .count(),
            zalo_oa: self
                .oa_groups
                .iter()
                .filter(|(chat, _)| {
                    let sent = self.oa.sent(chat);
                    once(sent.iter().map(|sent| sent.text.as_str()), words)
                })
                .count(),
            facebook: {
                let posts = self.page.sent().into_iter();
                let posts = posts.filter(|sent| sent.place == facebook::Place::Wall);
                let posts: Vec<_> = posts.collect();
                usize::from(once(posts.iter().map(|sent| sent.text.as_str()), words))
            },
        }
    }

    async fn digest(&self) -> anyhow::Result<usize> {
        let (head, chat) = self.head;
        let before = self.town.sent(chat).len();
        self.town.say(head, chat, "/tonghop");
        let digest = self
            .town
            .wait(PATIENCE, || {
                self.town
                    .sent(chat)
                    .into_iter()
                    .skip(before)
                    .find(|sent| sent.text.contains("thôn Tân Trúc Tùng"))
            })
            .await;
        Ok(usize::from(digest.is_some()))
    }

    /// Tagged messages whose case code was told in their group. Receipts may be folded and, by the limits
    /// of a group, come late: with `wait` their arrival is awaited.
    async fn receipts(&self, said: &Said, store: &dyn Store, wait: bool) -> anyhow::Result<usize> {
        let mut codes = Vec::new();
        for incident in all_incidents(store).await? {
            for report in &incident.reports {
                codes.push((
                    report.room.native.to_string(),
                    report.message.to_string(),
                    incident.id.to_string(),
                ));
            }
        }
        let is_told = |room: &str, message: &str, sent: &[&str]| {
            codes.iter().any(|(in_room, id, code)| {
                in_room == room && id == message && sent.iter().any(|text| has_word(text, code))
            })
        };
        let on_telegram = || {
            let told = said.tagged.iter().filter(|(chat, message)| {
                let sent = self.town.sent(*chat);
                let texts: Vec<&str> = sent.iter().map(|sent| sent.text.as_str()).collect();
                is_told(&chat.id.to_string(), &message.to_string(), &texts)
            });
            told.count()
        };
        let on_zalo = || {
            let told = said.mentions.iter().filter(|(chat, message)| {
                let sent = self.zalo.sent(chat);
                let texts: Vec<&str> = sent.iter().map(|sent| sent.text.as_str()).collect();
                is_told(&chat.id, message, &texts)
            });
            told.count()
        };
        let at_oa = || {
            let told = said.to_oa.iter().filter(|(chat, message)| {
                let sent = self.oa.sent(chat);
                let texts: Vec<&str> = sent.iter().map(|sent| sent.text.as_str()).collect();
                is_told(&chat.id, message, &texts)
            });
            told.count()
        };
        let on_page = || {
            let page = &self.page.options().page_id;
            // What is not for everybody's eyes is answered in private.
            let sent = self.page.sent();
            let texts: Vec<&str> = sent.iter().map(|sent| sent.text.as_str()).collect();
            let told = said.on_page.iter();
            told.filter(|id| is_told(page, id, &texts)).count()
        };
        if wait {
            let all = || (on_telegram() == said.tagged.len()).then_some(());
            self.town.wait(PATIENCE, all).await;
            let all = || (on_zalo() == said.mentions.len()).then_some(());
            self.zalo.wait(PATIENCE, all).await;
            let all = || (at_oa() == said.to_oa.len()).then_some(());
            self.oa.wait(PATIENCE, all).await;
            let all = || (on_page() == said.on_page.len()).then_some(());
            self.page.wait(PATIENCE, all).await;
        }
        Ok(on_telegram() + on_zalo() + at_oa() + on_page())
    }

    /// Prints what everybody can see, as it happens.
    fn transcript(&self) {
        let room = Arc::new(Mutex::new(String::new()));
        let watcher = |platform: &'static str, titles: BTreeMap<String, String>| {
            let room = Arc::clone(&room);
            Watcher::new(move |scene| {
                let title = titles.get(&scene.chat).or(scene.who.as_ref());
                let title = title.map_or("nhắn riêng", String::as_str);
                print_scene(&scene, &format!("{platform}{title}"), &room);
            })
        };
        let named = |id: String, name: &str| (id, name.to_owned());
        let groups = self.groups.iter();
        let groups = groups.map(|(chat, area)| named(chat.id.to_string(), area));
        self.town.watch(watcher("", groups.collect()));
        let groups = self.zalo_groups.iter();
        let groups = groups.map(|(chat, area)| named(chat.id.to_string(), area));
        self.zalo.watch(watcher("Zalo Bot · ", groups.collect()));
        let groups = self.oa_groups.iter();
        let groups = groups.map(|(chat, area)| named(chat.id.to_string(), area));
        self.oa.watch(watcher("Zalo OA · ", groups.collect()));
        let page = named(self.page.options().page_id.clone(), "trang");
        self.page.watch(watcher("Facebook · ", [page].into()));
    }

    /// Every call with its answer, and every update, for judges that nobody here wrote.
    fn record(&self, path: &Path) -> anyhow::Result<()> {
        let file =
            std::fs::File::create(path).with_context(|| format!("creating {}", path.display()))?;
        let mut out = std::io::BufWriter::new(file);
        for call in self.town.calls() {
            let line = json!({
                "method": call.method,
                "request": call.parameters,
                "files": call.files,
                "status": call.status,
                "response": call.answer_json(),
            });
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        Ok(())
    }
}

fn print_scene(scene: &Scene, title: &str, room: &Mutex<String>) {
    // Joining and promoting have no words.
    if scene.text.is_empty() {
        return;
    }
    let verb = match scene.what {
        What::Wrote => "",
        What::Edited => " (sửa)",
        What::Removed => " (xoá)",
        What::Pinned | What::Unpinned => return,
    };
    print_words(title, scene.who.as_deref(), verb, &scene.text, room);
}

/// One message; the room is named when it is another one than before.
fn print_words(title: &str, who: Option<&str>, verb: &str, text: &str, room: &Mutex<String>) {
    let indent = if who.is_none() { "      " } else { "  " };
    let text = text.replace('\n', &format!("\n{indent}  "));
    let mut room = room.lock().unwrap_or_else(PoisonError::into_inner);
    if *room != title {
        outln!("\n── {title} ──");
        title.clone_into(&mut room);
    }
    outln!("{indent}{}{verb}: {text}", who.unwrap_or("🔔 Kẻng"));
}

async fn all_incidents(store: &dyn Store) -> anyhow::Result<Vec<Incident>> {
    let mut all = Vec::new();
    let mut from = Some(Cursor::default());
    while let Some(cursor) = from {
        let (page, next) = store.scan_incidents(&cursor, 500).await?;
        all.extend(page);
        from = next;
    }
    Ok(all)
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric())
        .any(|part| part == word)
}

/// Whether the words stand anywhere in the files of the store.
fn stored_in(dir: &Path, words: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return stored_in(&path, words);
        }
        std::fs::read(&path)
            .is_ok_and(|bytes| memchr::memmem::find(&bytes, words.as_bytes()).is_some())
    })
}
