//! One call to the OA's API over the shared HTTP client: no sleeping between tries, no token in an error.
//!
//! An answer that says the access token has ended is no answer yet: the token is renewed and the call
//! made once more, since it surely did nothing. Everything else is the caller's to judge; Zalo writes
//! its errors with status 200.

use std::sync::Arc;
use std::time::Duration;

use reqwest::multipart::Form;
use reqwest::multipart::Part;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::tokens::TokenError;
use super::tokens::Tokens;
use crate::channel::call;
use crate::channel::call::Answered;
use crate::channel::fields::Object;
use crate::channel::groups::GroupError;
use crate::domain::delivery::Picture;
use crate::domain::secret::Secret;

/// How long a call may take.
const CALL: Duration = Duration::from_secs(20);

/// Between two calls that only ask. Zalo allows an app 4,000 calls a minute; the outbox keeps its sends
/// to 3,000 by `[limits.zalo_oa]`, which leaves these 900 room.
const SPACING: Duration = Duration::from_millis(67);

/// The access token has ended (of these, -124 by the notification service's count).
const TOKEN_ENDED: [i64; 3] = [-216, -220, -124];

/// The error of an answer: 0 is none; `None` when there is no envelope at all.
fn code_of(answered: &Answered) -> Option<i64> {
    let text = String::from_utf8_lossy(&answered.body);
    Object::read(&text)?.number("error")
}

/// A call without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Silence {
    /// No byte of it can have arrived.
    NotSent(String),
    /// It left, and nobody knows.
    NoAnswer(String),
    /// There is no token to call with until an operator acts.
    NoToken(String),
}

impl From<call::Silence> for Silence {
    fn from(silence: call::Silence) -> Self {
        match silence {
            call::Silence::NotSent(why) => Self::NotSent(why),
            call::Silence::NoAnswer(why) => Self::NoAnswer(why),
        }
    }
}

impl From<TokenError> for Silence {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NotNow(why) => Self::NotSent(why),
            TokenError::NeedsPerson(why) => Self::NoToken(why),
        }
    }
}

/// What is called.
#[derive(Debug, Clone)]
pub(super) enum Ask<'a> {
    /// A question with plain parameters.
    Get(&'a [(&'a str, &'a str)]),
    /// A JSON body.
    Post(&'a Value),
    /// A PNG.
    File(&'a Picture),
}

/// Where and as whom we call.
#[derive(Debug)]
pub(super) struct Api {
    http: reqwest::Client,
    base: Url,
    pub(super) tokens: Arc<Tokens>,
    /// When the next question may leave.
    next: Mutex<Option<Instant>>,
}

impl Api {
    /// The platform's server.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn new(http: reqwest::Client, base: Url, tokens: Arc<Tokens>) -> Self {
        Self {
            http,
            base,
            tokens,
            next: Mutex::default(),
        }
    }

    /// Calls at once; the caller keeps the limits.
    pub(super) async fn call(&self, path: &str, ask: &Ask<'_>) -> Result<Answered, Silence> {
        let token = self.tokens.access().await?;
        let answered = self.once(path, ask, &token).await?;
        let ended = code_of(&answered).is_some_and(|code| TOKEN_ENDED.contains(&code));
        if !ended {
            return Ok(answered);
        }
        let token = self.tokens.instead_of(&token).await?;
        self.once(path, ask, &token).await
    }

    /// A question that can wait its turn.
    pub(super) async fn ask(&self, path: &str, ask: &Ask<'_>) -> Result<Answered, Silence> {
        let at = {
            let mut next = self.next.lock().await;
            let now = Instant::now();
            let at = next.map_or(now, |at| at.max(now));
            *next = Some(at + SPACING);
            at
        };
        tokio::time::sleep_until(at).await;
        self.call(path, ask).await
    }

    async fn once(&self, path: &str, ask: &Ask<'_>, token: &Secret) -> Result<Answered, Silence> {
        let base = self.base.as_str().trim_end_matches('/');
        let url = format!("{base}{path}");
        let request = match ask {
            Ask::Get(parameters) => {
                let mut url = Url::parse(&url)
                    .map_err(|_| Silence::NotSent("the address of the API is wrong".to_owned()))?;
                url.query_pairs_mut().extend_pairs(*parameters);
                self.http.get(url)
            }
            Ask::Post(body) => self
                .http
                .post(url)
                .header("content-type", "application/json")
                .body(body.to_string()),
            Ask::File(picture) => {
                let file = Part::bytes(picture.bytes.clone())
                    .file_name(picture.kind.file_name())
                    .mime_str(picture.kind.mime())
                    .map_err(|_| Silence::NotSent("the file cannot be named".to_owned()))?;
                self.http
                    .post(url)
                    .multipart(Form::new().part("file", file))
            }
        };
        let sent = request
            .header("access_token", token.expose())
            .timeout(CALL)
            .send()
            .await;
        let response = sent.map_err(|error| call::silence(error, token))?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = response
            .bytes()
            .await
            .map_err(|error| call::silence(error, token))?;
        Ok(Answered {
            status,
            retry_after,
            body,
        })
    }
}

/// The `data` of a good answer; `null` where it has none.
pub(super) fn data(answered: &Answered) -> Result<Box<RawValue>, GroupError> {
    let text = String::from_utf8_lossy(&answered.body);
    let Some(envelope) = Object::read(&text) else {
        return Err(GroupError::NotNow(format!(
            "the server answered HTTP {} and no JSON",
            answered.status
        )));
    };
    let words = envelope.text("message").unwrap_or_default();
    match envelope.number("error") {
        Some(0) => Ok(envelope
            .raw("data")
            .unwrap_or_else(|| RawValue::NULL.to_owned())),
        Some(code) => Err(super::post::meaning(code, &words).into_group_error()),
        None => Err(GroupError::NotNow(
            "the server's answer has no `error`".to_owned(),
        )),
    }
}

impl From<Silence> for GroupError {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::NotSent(why) | Silence::NoAnswer(why) => Self::NotNow(why),
            Silence::NoToken(why) => Self::NeedsPerson(why),
        }
    }
}
