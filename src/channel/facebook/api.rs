//! One call of the Graph API over the shared HTTP client: no retries, no sleeping, no token in any error
//! or address.
//!
//! Every answer tells how much of the hour's calls is used. Near the end nothing more is called until it
//! has passed: at the end Meta would close the door for longer.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use reqwest::multipart::Form;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::sign;
use crate::channel::call;
use crate::channel::call::Answered;
use crate::channel::call::Silence;
use crate::domain::secret::Secret;

/// How long a call may take.
const CALL: Duration = Duration::from_secs(20);

/// How long one with a file may.
const UPLOAD: Duration = Duration::from_secs(60);

/// So many percent used, and nothing more is called for a while.
const NEARLY: u64 = 95;

/// How long that while is when nobody says: the figures are of a sliding hour and fall by themselves.
const REST: Duration = Duration::from_secs(60);

/// The longest rest that a header may ask for.
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// What a call carries.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// Nothing but its address.
    Nothing,
    /// Parameters.
    Json(&'a Value),
    /// A file and parameters.
    File(Form),
}

/// Which hour's calls a call counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Budget {
    /// Posts and comments.
    Page,
    /// Messages.
    Messenger,
}

/// Until when nothing is called.
#[derive(Debug, Default)]
struct Rests {
    page: Option<Instant>,
    messenger: Option<Instant>,
}

/// Where and as whom we call.
#[derive(Debug)]
pub(super) struct Api {
    http: reqwest::Client,
    base: Url,
    token: Secret,
    app_secret: Secret,
    rests: Mutex<Rests>,
}

impl Api {
    pub(super) fn new(http: reqwest::Client, base: Url, token: Secret, app_secret: Secret) -> Self {
        Self {
            http,
            base,
            token,
            app_secret,
            rests: Mutex::default(),
        }
    }

    /// Calls at once. `fields` go into the address.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        content: Content<'_>,
    ) -> Result<Answered, Silence> {
        let base = self.base.as_str().trim_end_matches('/');
        let mut url = Url::parse(&format!("{base}/{path}"))
            .map_err(|_| Silence::NotSent("the address of the API is wrong".to_owned()))?;
        let proof = sign::proof(&self.app_secret, &self.token);
        url.query_pairs_mut()
            .extend_pairs(fields)
            .append_pair("appsecret_proof", &proof);
        let mut request = self
            .http
            .request(method, url)
            .bearer_auth(self.token.expose())
            .timeout(CALL);
        request = match content {
            Content::Nothing => request,
            Content::Json(body) => request
                .header("content-type", "application/json")
                .body(body.to_string()),
            Content::File(form) => request.timeout(UPLOAD).multipart(form),
        };
        let sent = request.send().await;
        let response = sent.map_err(|error| call::silence(error, &self.token))?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        self.heed(response.headers());
        let body = response
            .bytes()
            .await
            .map_err(|error| call::silence(error, &self.token))?;
        Ok(Answered {
            status,
            retry_after,
            body,
        })
    }

    /// The base of the API.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// How long calls of this kind still have to wait.
    pub(super) fn rest(&self, budget: Budget) -> Option<Duration> {
        let rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        let until = match budget {
            Budget::Page => rests.page,
            Budget::Messenger => rests.messenger,
        }?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Calls nothing of this kind for so long.
    pub(super) fn rest_for(&self, budget: Budget, wait: Duration) {
        let mut rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + wait;
        let rest = match budget {
            Budget::Page => &mut rests.page,
            Budget::Messenger => &mut rests.messenger,
        };
        *rest = Some(rest.map_or(until, |known| known.max(until)));
    }

    fn heed(&self, headers: &HeaderMap) {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(wait) = header("x-app-usage").and_then(app_usage) {
            self.rest_for(Budget::Page, wait);
            self.rest_for(Budget::Messenger, wait);
        }
        for (budget, wait) in header("x-business-use-case-usage")
            .map(case_usage)
            .unwrap_or_default()
        {
            self.rest_for(budget, wait);
        }
    }
}

/// The rest that one set of figures asks for.
fn rest_of(figures: &Value) -> Option<Duration> {
    let most = ["call_count", "total_time", "total_cputime"]
        .iter()
        .filter_map(|key| figures[*key].as_f64())
        .fold(0.0, f64::max);
    let minutes = figures["estimated_time_to_regain_access"].as_u64();
    match minutes {
        Some(minutes) if minutes > 0 => {
            Some(Duration::from_secs(minutes.saturating_mul(60)).min(LONGEST_REST))
        }
        _ => (most >= NEARLY as f64).then_some(REST),
    }
}

fn app_usage(header: &str) -> Option<Duration> {
    rest_of(&serde_json::from_str(header).ok()?)
}

fn case_usage(header: &str) -> Vec<(Budget, Duration)> {
    let told: Value = serde_json::from_str(header).unwrap_or_default();
    let objects = told.as_object().into_iter().flat_map(|map| map.values());
    let figures = objects.filter_map(Value::as_array).flatten();
    figures
        .filter_map(|figures| {
            let budget = match figures["type"].as_str()? {
                "messenger" => Budget::Messenger,
                "pages" => Budget::Page,
                _ => return None,
            };
            Some((budget, rest_of(figures)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_heeded_before_the_wall_and_for_its_own_kind() {
        let calm = r#"{"call_count":28,"total_time":25,"total_cputime":25}"#;
        assert_eq!(app_usage(calm), None);
        assert_eq!(app_usage(r#"{"total_cputime":95.5}"#), Some(REST));
        assert_eq!(app_usage("no json"), None);
        let told = r#"{"1122":[{"type":"messenger","call_count":97,"total_cputime":23,"total_time":23,"estimated_time_to_regain_access":0},
            {"type":"pages","call_count":100,"estimated_time_to_regain_access":7},{"type":"ads_management","call_count":100}]}"#;
        let rests = case_usage(told);
        let minutes = Duration::from_secs(7 * 60);
        assert_eq!(rests, [(Budget::Messenger, REST), (Budget::Page, minutes)]);
    }
}
