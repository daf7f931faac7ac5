//! The token pair of an OA: an access token for a day, and a refresh token that works once.
//!
//! ```text
//! call ─▶ access() ── good for a while ─▶ the token
//!             └ soon over, or refused by the platform ─▶ refresh ─▶ new pair on disk ─▶ the new token
//! ```
//!
//! - One refresher at a time: the lock is held over the whole exchange, and whoever waited for it finds
//!   the new token.
//! - A new pair is written to the [`Notebook`] before it is used. Were it lost, nobody could ever refresh
//!   again: an administrator of the OA would have to consent anew.
//! - The first pair comes from the operator's file; after that the notebook's pair counts. A file that
//!   holds another refresh token than the one we began with is an operator's new consent, and counts more
//!   than the notebook. It is looked at whenever the notebook's pair does not work, so a running program
//!   heals when the file is replaced.
//! - A refresh token that is refused stops this account only, and is told once, loudly.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use chrono::TimeDelta;
use sha2::Digest as _;
use sha2::Sha256;
use tracing::error;
use tracing::info;
use tracing::warn;
use url::Url;

use crate::channel::Notebook;
use crate::channel::fields::Object;
use crate::domain::clock::Clock;
use crate::domain::clock::Time;
use crate::domain::clock::from_unix_ms;
use crate::domain::ids::AccountName;
use crate::domain::secret::Secret;

/// The page of the notebook that holds the pair.
const PAGE: &str = "zalo_oa.tokens";

/// An access token that ends sooner than this is renewed before it is used; of a short life, the last
/// quarter.
const MARGIN: TimeDelta = TimeDelta::hours(1);

/// How long a refresh token works if nobody uses it (three months; the shortest of them counts).
const REFRESH_LASTS: TimeDelta = TimeDelta::days(89);

/// Left of that, when the operator is first warned: refreshing has then failed for weeks.
const WARN_LEFT: TimeDelta = TimeDelta::days(45);

/// What Zalo says of an access token's life when it says nothing: 25 hours.
const ACCESS_LASTS: i64 = 90_000;

/// A refused refresh token is tried again after this long, should the refusal have been a fault of theirs.
const REFUSED_REST: TimeDelta = TimeDelta::minutes(15);

/// How long the exchange may take.
const EXCHANGE: Duration = Duration::from_secs(20);

/// No token, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenError {
    /// It will pass.
    NotNow(String),
    /// An operator must act.
    NeedsPerson(String),
}

/// Where the first pair is.
#[derive(Debug, Clone)]
pub enum FirstTokens {
    /// In a file, which may be replaced while we run.
    File(PathBuf),
    /// Told at the start: the same JSON.
    Told(Secret),
}

/// A pair of tokens, and what is known of their lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) access: Secret,
    pub(super) refresh: Secret,
    /// When the access token ends, if that was told.
    pub(super) access_until: Option<Time>,
    /// Since when we have it.
    pub(super) since: Time,
    /// Which consent it goes back to: a hash of that pair's first refresh token.
    pub(super) root: String,
}

impl Pair {
    /// Reads the answer of the token endpoint, an operator's file, or our own note.
    fn read(text: &str, now: Time, root: Option<&str>) -> Option<Self> {
        let pair = Object::read(text)?;
        let refresh = pair.text("refresh_token")?;
        let until = pair
            .number("access_until_ms")
            .map(from_unix_ms)
            .or_else(|| {
                let seconds = pair.number("expires_in")?.clamp(0, 366 * 86_400);
                Some(now + TimeDelta::seconds(seconds))
            });
        Some(Self {
            access: Secret::new(&pair.text("access_token").unwrap_or_default()),
            root: pair
                .text("root")
                .or_else(|| root.map(str::to_owned))
                .unwrap_or_else(|| fingerprint(&refresh)),
            refresh: Secret::new(&refresh),
            access_until: until,
            since: pair.number("since_ms").map_or(now, from_unix_ms),
        })
    }

    fn note(&self) -> String {
        serde_json::json!({
            "access_token": self.access.expose(),
            "refresh_token": self.refresh.expose(),
            "access_until_ms": self.access_until.map(|until| until.timestamp_millis()),
            "since_ms": self.since.timestamp_millis(),
            "root": self.root,
        })
        .to_string()
    }

    /// Whether the access token is good for a while.
    fn is_fresh(&self, now: Time) -> bool {
        let margin = |until: Time| MARGIN.min((until - self.since) / 4);
        self.is_alive(now)
            && self
                .access_until
                .is_none_or(|until| now + margin(until) < until)
    }

    /// Whether the access token may still be taken.
    fn is_alive(&self, now: Time) -> bool {
        !self.access.expose().is_empty() && self.access_until.is_none_or(|until| now < until)
    }
}

/// Which token it is, without telling it.
fn fingerprint(token: &str) -> String {
    let hash = Sha256::digest(token.trim().as_bytes());
    hash.iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What the tokens of an account are made of.
#[derive(Debug)]
pub(super) struct Deps {
    pub(super) account: AccountName,
    pub(super) http: reqwest::Client,
    pub(super) oauth_url: Url,
    pub(super) app_id: String,
    pub(super) app_secret: Secret,
    pub(super) first: FirstTokens,
    pub(super) notebook: Arc<dyn Notebook>,
    pub(super) clock: Arc<dyn Clock>,
}

/// The tokens of one account.
#[derive(Debug)]
pub(super) struct Tokens {
    deps: Deps,
    /// Held over a whole exchange.
    turn: tokio::sync::Mutex<Turn>,
    /// What calls use; changed only after the notebook has it.
    current: RwLock<Option<Arc<Pair>>>,
    /// What an operator must know, while it is so.
    alarm: RwLock<Option<String>>,
}

#[derive(Debug, Default)]
struct Turn {
    /// The notebook was read.
    opened: bool,
    /// A pair that the platform has given and the notebook has not taken yet. Never used before.
    unsaved: Option<Pair>,
    /// The refresh token that was refused, when, and why.
    refused: Option<(Secret, Time, String)>,
    /// When the operator was last warned of the refresh token's end.
    warned: Option<Time>,
}

impl Tokens {
    pub(super) fn new(deps: Deps) -> Self {
        Self {
            deps,
            turn: tokio::sync::Mutex::default(),
            current: RwLock::default(),
            alarm: RwLock::default(),
        }
    }

    /// A token that works now, as far as we know.
    pub(super) async fn access(&self) -> Result<Secret, TokenError> {
        let now = self.deps.clock.now();
        if let Some(pair) = self.current().filter(|pair| pair.is_fresh(now)) {
            return Ok(pair.access.clone());
        }
        let mut turn = self.turn.lock().await;
        self.open(&mut turn).await?;
        let Some(pair) = self.current() else {
            return Err(TokenError::NeedsPerson("there are no tokens".to_owned()));
        };
        if pair.is_fresh(now) {
            return Ok(pair.access.clone());
        }
        match self.refresh(&mut turn).await {
            // It was to be renewed early: what is there still works.
            Err(_) if pair.is_alive(now) => Ok(pair.access.clone()),
            renewed => renewed,
        }
    }

    /// The platform did not take `used`: another one, new if nobody else has fetched it meanwhile.
    pub(super) async fn instead_of(&self, used: &Secret) -> Result<Secret, TokenError> {
        let mut turn = self.turn.lock().await;
        self.open(&mut turn).await?;
        match self.current().filter(|pair| pair.access != *used) {
            Some(pair) => Ok(pair.access.clone()),
            None => self.refresh(&mut turn).await,
        }
    }

    /// What an operator must know, if anything.
    pub(super) fn alarm(&self) -> Option<String> {
        let alarm = self.alarm.read();
        alarm.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Days until the refresh token ends if it is not used; `None` without a pair.
    pub(super) fn days_left(&self) -> Option<i64> {
        let pair = self.current()?;
        let left = pair.since + REFRESH_LASTS - self.deps.clock.now();
        Some(left.num_days())
    }

    /// Warns, once a day, of a refresh token that has not been used for long: it works once more, or not
    /// at all after three months.
    pub(super) async fn watch(&self) -> Option<String> {
        let now = self.deps.clock.now();
        let pair = self.current()?;
        let left = pair.since + REFRESH_LASTS - now;
        if left > WARN_LEFT {
            return None;
        }
        let warning = format!(
            "the refresh token ends in {} days and could not be used since {}: an administrator of the OA must consent again, run `keng zalo auth --account {}`",
            left.num_days().max(0),
            pair.since.format("%d/%m/%Y"),
            self.deps.account
        );
        let mut turn = self.turn.lock().await;
        if turn.warned.is_none_or(|at| now - at >= TimeDelta::days(1)) {
            turn.warned = Some(now);
            error!(account = %self.deps.account, "{warning}");
        }
        Some(warning)
    }

    fn current(&self) -> Option<Arc<Pair>> {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn use_pair(&self, pair: Pair) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(pair));
    }

    fn ring(&self, why: Option<String>) {
        let mut alarm = self.alarm.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &why
            && alarm.as_ref() != Some(why)
        {
            error!(account = %self.deps.account, "{why}");
        }
        if why.is_none() && alarm.is_some() {
            info!(account = %self.deps.account, "the tokens work again");
        }
        *alarm = why;
    }

    /// Reads the notebook and the operator's file, at the first use.
    async fn open(&self, turn: &mut Turn) -> Result<(), TokenError> {
        if turn.opened {
            return Ok(());
        }
        let now = self.deps.clock.now();
        let noted = self.deps.notebook.read(PAGE).await;
        let noted =
            noted.map_err(|why| TokenError::NotNow(format!("reading the tokens: {why}")))?;
        let noted = noted.and_then(|text| Pair::read(&text, now, None));
        let first = self.first(now).await;
        match (noted, first) {
            (Some(noted), Ok(first)) if noted.root != first.root => {
                info!(account = %self.deps.account, "the operator's file holds a new consent: its tokens are used");
                self.save(turn, first).await?;
            }
            (Some(noted), _) => self.use_pair(noted),
            (None, Ok(first)) => self.save(turn, first).await?,
            (None, Err(why)) => {
                let why = format!(
                    "there are no tokens yet ({why}): run `keng zalo auth --account {}`",
                    self.deps.account
                );
                self.ring(Some(why.clone()));
                return Err(TokenError::NeedsPerson(why));
            }
        }
        turn.opened = true;
        Ok(())
    }

    /// The operator's pair.
    async fn first(&self, now: Time) -> Result<Pair, String> {
        let text = match &self.deps.first {
            FirstTokens::Told(secret) => secret.expose().to_owned(),
            FirstTokens::File(path) => tokio::fs::read_to_string(path)
                .await
                .map_err(|error| format!("the file {} cannot be read: {error}", path.display()))?,
        };
        let pair = Pair::read(&text, now, None).map(|pair| Pair {
            // How old the file is nobody knows: the platform will say when the token has ended.
            access_until: None,
            ..pair
        });
        pair.ok_or_else(|| {
            "`first_tokens` must be JSON with `access_token` and `refresh_token`".to_owned()
        })
    }

    /// Writes the pair down, and only then uses it.
    async fn save(&self, turn: &mut Turn, pair: Pair) -> Result<(), TokenError> {
        let note = pair.note();
        turn.unsaved = Some(pair);
        let saved = self.deps.notebook.write(PAGE, &note).await;
        saved.map_err(|why| {
            TokenError::NotNow(format!("the new tokens could not be kept: {why}"))
        })?;
        if let Some(pair) = turn.unsaved.take() {
            self.use_pair(pair);
        }
        turn.refused = None;
        self.ring(None);
        Ok(())
    }

    /// Spends the refresh token. The caller holds the turn.
    async fn refresh(&self, turn: &mut Turn) -> Result<Secret, TokenError> {
        if let Some(pair) = turn.unsaved.take() {
            // The exchange went well before, and the disk did not.
            self.save(turn, pair).await?;
            return self.token();
        }
        let now = self.deps.clock.now();
        if let Some((token, at, why)) = turn.refused.clone()
            && self.current().is_some_and(|pair| pair.refresh == token)
        {
            if let Some(first) = self.new_consent(now).await {
                self.save(turn, first).await?;
                return self.token();
            }
            if now - at < REFUSED_REST {
                return Err(TokenError::NeedsPerson(why));
            }
        }
        let Some(pair) = self.current() else {
            return Err(TokenError::NeedsPerson("there are no tokens".to_owned()));
        };
        match self.exchange(&pair, now).await {
            Ok(fresh) => {
                self.save(turn, fresh).await?;
                info!(account = %self.deps.account, "the access token was renewed");
                self.token()
            }
            Err(TokenError::NotNow(why)) => {
                warn!(account = %self.deps.account, why, "the access token could not be renewed yet");
                Err(TokenError::NotNow(why))
            }
            Err(TokenError::NeedsPerson(why)) => {
                if let Some(first) = self.new_consent(now).await {
                    self.save(turn, first).await?;
                    return self.token();
                }
                turn.refused = Some((pair.refresh.clone(), now, why.clone()));
                self.ring(Some(why.clone()));
                Err(TokenError::NeedsPerson(why))
            }
        }
    }

    fn token(&self) -> Result<Secret, TokenError> {
        let pair = self.current();
        pair.map(|pair| pair.access.clone())
            .filter(|access| !access.expose().is_empty())
            .ok_or_else(|| TokenError::NotNow("the pair holds no access token yet".to_owned()))
    }

    /// The file's pair, when an operator has put another one there.
    async fn new_consent(&self, now: Time) -> Option<Pair> {
        let first = self.first(now).await.ok()?;
        let known = self.current()?;
        (first.root != known.root).then(|| {
            info!(account = %self.deps.account, "the operator's file holds a new consent: its tokens are used");
            first
        })
    }

    async fn exchange(&self, pair: &Pair, now: Time) -> Result<Pair, TokenError> {
        let form = [
            ("refresh_token", pair.refresh.expose()),
            ("app_id", &self.deps.app_id),
            ("grant_type", "refresh_token"),
        ];
        let asked = ask(
            &self.deps.http,
            &self.deps.oauth_url,
            &self.deps.app_secret,
            &form,
        )
        .await;
        let text = asked.map_err(TokenError::NotNow)?;
        match Pair::read(&text, now, Some(&pair.root)) {
            Some(fresh) if !fresh.access.expose().is_empty() => Ok(Pair {
                access_until: fresh
                    .access_until
                    .or(Some(now + TimeDelta::seconds(ACCESS_LASTS))),
                root: pair.root.clone(),
                since: now,
                ..fresh
            }),
            _ => Err(self.refusal(&text)),
        }
    }

    /// An answer without tokens. What the codes mean is not settled, so all but the known passing ones
    /// are taken for what they mostly are: the token is spent, expired or taken back.
    fn refusal(&self, text: &str) -> TokenError {
        let answer = Object::read(text).unwrap_or_default();
        let code = answer.number("error");
        let words = answer
            .text("error_description")
            .or_else(|| answer.text("error_name"))
            .or_else(|| answer.text("message"))
            .unwrap_or_default();
        let words: String = words.chars().take(120).collect();
        match code {
            None => TokenError::NotNow("the token endpoint's answer is not readable".to_owned()),
            Some(-32) => TokenError::NotNow("the token endpoint asks us to slow down".to_owned()),
            Some(code) => TokenError::NeedsPerson(format!(
                "the refresh token is spent, expired or taken back ({code}: {words}): an administrator of the OA must consent again, run `keng zalo auth --account {}`",
                self.deps.account
            )),
        }
    }
}

/// One exchange with the token endpoint: the text of its answer, whatever it says.
async fn ask(
    http: &reqwest::Client,
    oauth_url: &Url,
    app_secret: &Secret,
    form: &[(&str, &str)],
) -> Result<String, String> {
    let base = oauth_url.as_str().trim_end_matches('/');
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let sent = http
        .post(format!("{base}/v4/oa/access_token"))
        .header("secret_key", app_secret.expose())
        .header("content-type", "application/x-www-form-urlencoded")
        .timeout(EXCHANGE)
        .body(body)
        .send()
        .await;
    let failed = |error: reqwest::Error| {
        format!("the token endpoint did not answer: {}", error.without_url())
    };
    let answer = sent.map_err(failed)?;
    let status = answer.status().as_u16();
    let text = answer.text().await.map_err(failed)?;
    if !(200..300).contains(&status) && Object::read(&text).is_none() {
        return Err(format!("the token endpoint answered HTTP {status}"));
    }
    Ok(text)
}

/// A secret of our own for one consent, whose challenge is told to Zalo beforehand (PKCE).
///
/// # Errors
/// When the machine gives no random bytes.
pub fn new_verifier() -> std::io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(base64url(&bytes))
}

/// The challenge of a verifier.
#[must_use]
pub fn challenge_of(verifier: &str) -> String {
    base64url(&Sha256::digest(verifier.as_bytes()))
}

/// Base64 for addresses, without filling (RFC 7636, appendix A).
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..=three.len() {
            let letter = bits >> (18 - 6 * place) & 63;
            text.push(char::from(LETTERS[letter as usize]));
        }
    }
    text
}

/// Turns the code of a consent into the JSON of a first pair; for `keng zalo auth`.
///
/// # Errors
/// When the endpoint does not answer or gives no tokens; the words say what to do.
pub async fn first_pair(
    http: &reqwest::Client,
    oauth_url: &Url,
    app_id: &str,
    app_secret: &Secret,
    code: &str,
    verifier: &str,
) -> Result<Secret, String> {
    let form = [
        ("code", code),
        ("app_id", app_id),
        ("grant_type", "authorization_code"),
        ("code_verifier", verifier),
    ];
    let text = ask(http, oauth_url, app_secret, &form).await?;
    let answer = Object::read(&text).unwrap_or_default();
    match (answer.text("access_token"), answer.text("refresh_token")) {
        (Some(access), Some(refresh)) => Ok(Secret::new(
            &serde_json::json!({
                "access_token": access,
                "refresh_token": refresh,
                "expires_in": answer.number("expires_in").unwrap_or(ACCESS_LASTS).to_string(),
            })
            .to_string(),
        )),
        _ => {
            let code = answer.number("error").unwrap_or_default();
            let words = answer
                .text("error_description")
                .or_else(|| answer.text("message"))
                .unwrap_or_default();
            let words: String = words.chars().take(120).collect();
            Err(format!(
                "Zalo gave no tokens ({code}: {words}): a code works once and for ten minutes, and only with the verifier whose challenge stands in the console; open the consent link again"
            ))
        }
    }
}

#[cfg(test)]
mod tests;
