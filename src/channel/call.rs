//! One call to a bot API whose token stands in the path, over the shared HTTP client: no retries, no
//! sleeping, no token in any error.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header;
use url::Url;

use crate::domain::secret::Secret;

/// Where and as whom we call.
#[derive(Debug)]
pub(in crate::channel) struct Api {
    http: reqwest::Client,
    base: Url,
    token: Secret,
}

/// What the server said, whatever it was.
#[derive(Debug)]
pub(in crate::channel) struct Answered {
    pub(in crate::channel) status: u16,
    /// The `Retry-After` header, in seconds.
    pub(in crate::channel) retry_after: Option<u64>,
    pub(in crate::channel) body: Bytes,
}

/// A call without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::channel) enum Silence {
    /// No byte of it can have arrived.
    NotSent(String),
    /// It left, and nobody knows.
    NoAnswer(String),
}

impl Silence {
    pub(in crate::channel) fn into_why(self) -> String {
        match self {
            Self::NotSent(why) | Self::NoAnswer(why) => why,
        }
    }
}

impl Api {
    /// The platform's server.
    pub(in crate::channel) fn base(&self) -> &Url {
        &self.base
    }

    pub(in crate::channel) fn new(http: reqwest::Client, base: Url, token: Secret) -> Self {
        Self { http, base, token }
    }

    /// The bot's own user id: the part of the token before the colon.
    pub(in crate::channel) fn id_in_token(&self) -> Option<i64> {
        self.token.expose().split_once(':')?.0.parse().ok()
    }

    /// Where a file of the platform lies; none when its path leads elsewhere. The address holds the token.
    pub(in crate::channel) fn file(&self, path: &str) -> Option<Url> {
        let mut address = self.base.clone();
        let mut parts = address.path_segments_mut().ok()?;
        parts.pop_if_empty().push("file");
        parts.push(&format!("bot{}", self.token.expose()));
        for part in path.split('/') {
            if matches!(part, "" | "." | "..") {
                return None;
            }
            parts.push(part);
        }
        drop(parts);
        Some(address)
    }

    /// Posts a JSON body to a method.
    pub(in crate::channel) async fn call(
        &self,
        method: &str,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<Answered, Silence> {
        let request = self
            .request(method)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        self.answer(request, timeout).await
    }

    /// Posts a form with files to a method.
    pub(in crate::channel) async fn call_with_files(
        &self,
        method: &str,
        form: reqwest::multipart::Form,
        timeout: Duration,
    ) -> Result<Answered, Silence> {
        self.answer(self.request(method).multipart(form), timeout)
            .await
    }

    fn request(&self, method: &str) -> reqwest::RequestBuilder {
        let base = self.base.as_str().trim_end_matches('/');
        self.http
            .post(format!("{base}/bot{}/{method}", self.token.expose()))
    }

    async fn answer(
        &self,
        request: reqwest::RequestBuilder,
        timeout: Duration,
    ) -> Result<Answered, Silence> {
        let sent = request.timeout(timeout).send().await;
        let response = sent.map_err(|error| self.silence(error))?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = response
            .bytes()
            .await
            .map_err(|error| self.silence(error))?;
        Ok(Answered {
            status,
            retry_after,
            body,
        })
    }

    fn silence(&self, error: reqwest::Error) -> Silence {
        silence(error, &self.token)
    }

    /// Takes the token out of words that come from elsewhere, and keeps them short.
    pub(in crate::channel) fn redact(&self, words: &str) -> String {
        redact(words, &self.token)
    }
}

/// What a failed request means, in words that hold neither its address nor the token.
pub(in crate::channel) fn silence(error: reqwest::Error, token: &Secret) -> Silence {
    // A request that cannot be built or whose connection was never made has told nobody anything.
    let not_sent = error.is_builder() || error.is_connect();
    let error = error.without_url();
    let mut why = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        why = format!("{why}: {error}");
        cause = error.source();
    }
    let why = redact(&why, token);
    if not_sent {
        Silence::NotSent(why)
    } else {
        Silence::NoAnswer(why)
    }
}

fn redact(words: &str, token: &Secret) -> String {
    let token = token.expose();
    let words = if token.is_empty() {
        words.to_owned()
    } else {
        words.replace(token, "***")
    };
    words.chars().take(300).collect()
}
