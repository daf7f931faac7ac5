//! The pair against the simulated token endpoint: one exchange at a time, on disk before it is used.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use async_trait::async_trait;

use super::*;
use crate::domain::clock::ManualClock;
use crate::sim::zalo_oa::Fault;
use crate::sim::zalo_oa::Options;
use crate::sim::zalo_oa::Rule;
use crate::sim::zalo_oa::ZaloOa;

/// A notebook whose disk can fail.
#[derive(Debug, Default)]
struct Paper {
    pages: Mutex<HashMap<String, Secret>>,
    broken: AtomicBool,
}

#[async_trait]
impl Notebook for Paper {
    async fn read(&self, page: &str) -> Result<Option<String>, String> {
        let pages = self.pages.lock().unwrap();
        Ok(pages.get(page).map(|words| words.expose().to_owned()))
    }

    async fn write(&self, page: &str, words: &str) -> Result<(), String> {
        if self.broken.load(Ordering::SeqCst) {
            return Err("the disk is full".to_owned());
        }
        self.pages
            .lock()
            .unwrap()
            .insert(page.to_owned(), Secret::new(words));
        Ok(())
    }
}

struct Scene {
    zalo: ZaloOa,
    paper: Arc<Paper>,
    clock: Arc<ManualClock>,
    file: std::path::PathBuf,
    _home: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let zalo = ZaloOa::start(([127, 0, 0, 1], 0).into(), Options::default())
            .await
            .unwrap();
        let home = tempfile::tempdir().unwrap();
        let scene = Self {
            clock: Arc::new(ManualClock::at(from_unix_ms(
                i64::try_from(zalo.now_ms()).unwrap(),
            ))),
            file: home.path().join("tokens.json"),
            _home: home,
            paper: Arc::default(),
            zalo,
        };
        scene.consents();
        scene
    }

    /// The operator puts a new pair into the file.
    fn consents(&self) {
        std::fs::write(&self.file, self.zalo.new_pair()).unwrap();
    }

    /// The program starts.
    fn tokens(&self) -> Tokens {
        let options = self.zalo.options();
        Tokens::new(Deps {
            account: AccountName::parse("oa1").unwrap(),
            http: crate::app::http_client().unwrap(),
            oauth_url: self.zalo.url().parse().unwrap(),
            app_id: options.app_id.clone(),
            app_secret: Secret::new(&options.app_secret),
            first: FirstTokens::File(self.file.clone()),
            notebook: Arc::clone(&self.paper) as Arc<dyn Notebook>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        })
    }

    fn exchanges(&self) -> u64 {
        self.zalo.stats().rotations
    }

    fn noted(&self) -> String {
        self.paper.pages.lock().unwrap()[PAGE].expose().to_owned()
    }
}

#[tokio::test]
async fn many_who_find_the_token_ended_make_one_exchange() {
    let scene = Scene::new().await;
    let tokens = scene.tokens();
    let old = tokens.access().await.unwrap();
    let all = futures_util::future::join_all((0..50).map(|_| tokens.instead_of(&old))).await;
    let first = all[0].clone().unwrap();
    assert!(all.iter().all(|one| one.as_ref() == Ok(&first)));
    assert_ne!(first, old);
    assert_eq!(scene.exchanges(), 1);
    assert!(scene.noted().contains(first.expose()));
    // The next start goes on with the noted pair, not with the file's spent one.
    let again = scene.tokens();
    assert_eq!(again.access().await.unwrap(), first);
    again.instead_of(&first).await.unwrap();
    assert_eq!((scene.exchanges(), scene.zalo.stats().reused), (2, 0));
}

#[tokio::test]
async fn a_pair_that_is_not_on_disk_is_not_used_and_not_lost() {
    let scene = Scene::new().await;
    let tokens = scene.tokens();
    let old = tokens.access().await.unwrap();
    scene.paper.broken.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let refused = tokens.instead_of(&old).await;
        assert!(
            matches!(&refused, Err(TokenError::NotNow(why)) if why.contains("the disk is full")),
            "{refused:?}"
        );
        assert_eq!(tokens.access().await.unwrap(), old);
    }
    assert_eq!(scene.exchanges(), 1);
    scene.paper.broken.store(false, Ordering::SeqCst);
    let fresh = tokens.instead_of(&old).await.unwrap();
    assert_ne!(fresh, old);
    assert_eq!((scene.exchanges(), scene.zalo.stats().reused), (1, 0));
    assert!(scene.noted().contains(fresh.expose()));
}

#[tokio::test]
async fn a_lost_answer_is_an_alarm_and_a_new_consent_heals_a_running_program() {
    let scene = Scene::new().await;
    let tokens = scene.tokens();
    let old = tokens.access().await.unwrap();
    // The endpoint has spent the token, and its answer never comes.
    scene
        .zalo
        .fault(Rule::once("access_token", Fault::CloseAfter));
    let lost = tokens.instead_of(&old).await;
    assert!(matches!(lost, Err(TokenError::NotNow(_))), "{lost:?}");
    assert_eq!(tokens.alarm(), None);
    let spent = tokens.instead_of(&old).await;
    assert!(
        matches!(&spent, Err(TokenError::NeedsPerson(why)) if why.contains("keng zalo auth --account oa1")),
        "{spent:?}"
    );
    assert!(tokens.alarm().is_some());
    let calls = scene.zalo.calls().len();
    // Asked again and again, the endpoint hears of it once in a quarter of an hour.
    for _ in 0..20 {
        tokens.instead_of(&old).await.unwrap_err();
    }
    assert_eq!(scene.zalo.calls().len(), calls);
    scene.clock.advance(TimeDelta::minutes(16));
    tokens.instead_of(&old).await.unwrap_err();
    assert_eq!(scene.zalo.calls().len(), calls + 1);
    scene.consents();
    let healed = tokens.instead_of(&old).await.unwrap();
    assert_ne!(healed, old);
    assert_eq!(tokens.alarm(), None);
    assert!(scene.noted().contains(healed.expose()));
}

#[tokio::test]
async fn a_file_with_a_new_consent_counts_more_than_the_notebook_and_an_old_one_less() {
    let scene = Scene::new().await;
    let tokens = scene.tokens();
    let first = tokens.access().await.unwrap();
    let second = tokens.instead_of(&first).await.unwrap();
    // Started again with the same file, and with none at all.
    assert_eq!(scene.tokens().access().await.unwrap(), second);
    std::fs::remove_file(&scene.file).unwrap();
    assert_eq!(scene.tokens().access().await.unwrap(), second);
    scene.consents();
    let consented = scene.tokens().access().await.unwrap();
    assert_ne!(consented, second);
    assert!(scene.noted().contains(consented.expose()));
}

#[tokio::test]
async fn pages_of_gateways_pass_and_the_old_token_serves_to_its_end() {
    let scene = Scene::new().await;
    let tokens = scene.tokens();
    let old = tokens.access().await.unwrap();
    let fresh = tokens.instead_of(&old).await.unwrap();
    for fault in [
        Fault::Html(502),
        Fault::Body(b"<html>".to_vec()),
        Fault::Body(b"{}".to_vec()),
        Fault::Error(-32, "slow".to_owned()),
        Fault::CloseBefore,
    ] {
        scene.zalo.fault(Rule::once("access_token", fault.clone()));
        let failed = tokens.instead_of(&fresh).await;
        assert!(
            matches!(failed, Err(TokenError::NotNow(_))),
            "{fault:?}: {failed:?}"
        );
    }
    assert_eq!(tokens.alarm(), None);
    // An hour before its end it is to be renewed; that it cannot be is no reason not to use it.
    scene.clock.advance(TimeDelta::minutes(24 * 60 + 10));
    scene
        .zalo
        .fault(Rule::once("access_token", Fault::Html(502)));
    assert_eq!(tokens.access().await.unwrap(), fresh);
    assert_ne!(tokens.access().await.unwrap(), fresh);
}

#[tokio::test]
async fn the_operator_is_warned_long_before_three_months_are_over() {
    let scene = Scene::new().await;
    let tokens = scene.tokens();
    tokens.access().await.unwrap();
    assert_eq!(tokens.watch().await, None);
    assert_eq!(tokens.days_left(), Some(89));
    scene.clock.advance(TimeDelta::days(43));
    assert_eq!(tokens.watch().await, None);
    scene.clock.advance(TimeDelta::days(2));
    let warning = tokens.watch().await.unwrap();
    assert!(warning.contains("ends in 44 days"), "{warning}");
    let first = tokens.access().await.unwrap();
    tokens.instead_of(&first).await.unwrap();
    assert_eq!(tokens.watch().await, None);
}

#[tokio::test]
async fn nothing_prints_a_token() {
    let scene = Scene::new().await;
    let tokens = scene.tokens();
    let access = tokens.access().await.unwrap();
    let printed = format!("{tokens:?} {access:?} {:?}", tokens.current());
    for word in [access.expose(), &scene.zalo.options().app_secret] {
        assert!(!printed.contains(word), "{printed}");
    }
    let refresh: serde_json::Value = serde_json::from_str(&scene.noted()).unwrap();
    assert!(!printed.contains(refresh["refresh_token"].as_str().unwrap()));
}

#[test]
fn the_challenge_is_that_of_the_standard() {
    // RFC 7636, appendix B.
    assert_eq!(
        challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
    assert_eq!(new_verifier().unwrap().len(), 43);
}
