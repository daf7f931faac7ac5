//! Webhooks, health, metrics and exports over HTTP.
//!
//! A webhook is answered 200 only when what it brought is durable; anything else makes the platform
//! tell it again. Exports, backups and invitations are for the same machine's command line: they need the token that
//! the running program leaves in its store directory, readable by its own user only.

pub mod alerts;
pub mod cap;
pub mod export;
pub mod groups;
pub mod invites;
pub mod metrics;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use bytes::Bytes;
use futures_util::stream;
use subtle::ConstantTimeEq as _;
use tokio::io::AsyncReadExt as _;
use tracing::warn;

use crate::channel::Channel;
use crate::channel::HookError;
use crate::desk::Desk;
use crate::desk::groups::GroupDesk;
use crate::domain::clock::Clock;
use crate::domain::ids::AccountName;
use crate::domain::secret::Secret;
use crate::intake::Intake;
use crate::store::Store;
use export::Pages;
use export::What;
use metrics::Metrics;

/// The largest webhook body taken, in bytes. Facebook's batches of 1,000 changes stay well below it.
const MAX_BODY: usize = 8 << 20;

/// How long `/health` waits for the store; DESIGN promises an answer within two seconds.
const HEALTH_LIMIT: Duration = Duration::from_millis(1500);

/// How many rows an export reads at a time.
const EXPORT_PAGE: usize = 500;

/// What the web is made of.
#[derive(Debug)]
pub struct Web {
    /// The records.
    pub store: Arc<dyn Store>,
    /// Where residents' messages go.
    pub intake: Intake,
    /// The accounts, for their webhooks.
    pub channels: HashMap<AccountName, Arc<dyn Channel>>,
    /// Who may be invited, and how.
    pub desk: Arc<Desk>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Who may export and back up.
    pub admin: Secret,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Alerts for everybody.
    pub forms: alerts::Forms,
}

/// The routes. Serve them with any listener.
pub fn router(web: Web) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/metrics", get(scrape))
        .route("/hooks/{account}", get(greet_hook).post(hook))
        .route("/api/alerts", get(alert_feed))
        .route("/api/alerts/{name}", get(alert_form))
        .route("/api/export/{what}", get(export_rows))
        .route("/api/backup", get(backup))
        .route("/api/invites/{what}", post(invite))
        .route("/api/groups/{account}/{what}", post(manage_groups))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Arc::new(web))
}

async fn health(State(web): State<Arc<Web>>) -> Response {
    match tokio::time::timeout(HEALTH_LIMIT, web.store.health()).await {
        Ok(Ok(())) => (StatusCode::OK, "ok\n").into_response(),
        Ok(Err(error)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store does not answer\n",
        )
            .into_response(),
    }
}

async fn scrape(State(web): State<Arc<Web>>) -> Response {
    let backlog = web.store.backlog().await.unwrap_or_default();
    let text = web.metrics.encode(&backlog);
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
        .into_response()
}

/// A platform makes sure that a webhook is ours, before it calls there.
async fn greet_hook(
    State(web): State<Arc<Web>>,
    Path(account): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let channel = AccountName::parse(&account)
        .ok()
        .and_then(|name| web.channels.get(&name));
    match channel.map(|channel| channel.greet_hook(&query)) {
        Some(Ok(answer)) => answer.into_response(),
        Some(Err(HookError::Forged)) => {
            warn!(%account, "somebody asked after the webhook with a wrong or missing token");
            StatusCode::FORBIDDEN.into_response()
        }
        Some(Err(HookError::Unreadable(_) | HookError::NotExpected)) | None => {
            StatusCode::NOT_FOUND.into_response()
        }
    }
}

/// A form may be kept by whoever asked for it for this long: a correction must be seen soon.
const KEEP: &str = "public, max-age=15";

async fn alert_feed(State(web): State<Arc<Web>>) -> Response {
    match web.forms.feed(web.clock.now()).await {
        Ok(feed) => (
            [
                (header::CONTENT_TYPE, "application/atom+xml; charset=utf-8"),
                (header::CACHE_CONTROL, KEEP),
            ],
            feed.as_ref().clone(),
        )
            .into_response(),
        Err(error) => form_failed(&error),
    }
}

async fn alert_form(State(web): State<Arc<Web>>, Path(name): Path<String>) -> Response {
    match web.forms.form(&name).await {
        Ok(Some(form)) => (
            [
                (header::CONTENT_TYPE, form.kind),
                (header::CACHE_CONTROL, KEEP),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ],
            form.bytes,
        )
            .into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, "there is no such alert\n").into_response(),
        Err(error) => form_failed(&error),
    }
}

fn form_failed(error: &alerts::FormError) -> Response {
    warn!(
        error = error as &dyn std::error::Error,
        "an alert could not be shown on the web"
    );
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "the alert cannot be shown now; see the log\n",
    )
        .into_response()
}

/// A platform calls: checked over the raw bytes, recorded, and only then answered.
async fn hook(
    State(web): State<Arc<Web>>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let channel = AccountName::parse(&account)
        .ok()
        .and_then(|name| web.channels.get(&name));
    let Some(channel) = channel else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers: Vec<(String, Vec<u8>)> = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    match channel.parse_hook(&headers, &body) {
        Ok(inbound) => match web.intake.submit(inbound).await {
            Ok(()) => StatusCode::OK.into_response(),
            Err(error) => {
                warn!(%account, %error, "a webhook could not be recorded; the platform will call again");
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
        },
        Err(HookError::Forged) => {
            warn!(%account, "a webhook call with a wrong or missing secret was refused");
            StatusCode::UNAUTHORIZED.into_response()
        }
        Err(HookError::NotExpected) => StatusCode::NOT_FOUND.into_response(),
        // Told again it would be just as unreadable, and would block what comes after it.
        Err(HookError::Unreadable(why)) => {
            web.metrics.unreadable_hook();
            warn!(%account, why, "a webhook call that cannot be read was put aside");
            StatusCode::OK.into_response()
        }
    }
}

impl Web {
    /// Whether the caller holds the administrator's token.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
            .unwrap_or_default();
        given.ct_eq(self.admin.expose().as_bytes()).into()
    }
}

/// Invitations: made, taken back, listed.
async fn invite(
    State(web): State<Arc<Web>>,
    Path(what): Path<String>,
    headers: HeaderMap,
    axum::Json(body): axum::Json<serde_json::Value>,
) -> Response {
    if !web.admits(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match invites::answer(&web.desk, web.store.as_ref(), &what, &body).await {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(why) => (StatusCode::UNPROCESSABLE_ENTITY, why).into_response(),
    }
}

/// Groups: made, listed, looked into.
async fn manage_groups(
    State(web): State<Arc<Web>>,
    Path((account, what)): Path<(String, String)>,
    headers: HeaderMap,
    axum::Json(body): axum::Json<serde_json::Value>,
) -> Response {
    if !web.admits(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let channel = AccountName::parse(&account)
        .ok()
        .and_then(|name| web.channels.get(&name));
    let Some((channel, groups)) = channel.and_then(|channel| Some((channel, channel.groups()?)))
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let desk = GroupDesk {
        account: &channel.account().name,
        groups,
        store: web.store.as_ref(),
        clock: web.clock.as_ref(),
        by: groups::BY,
    };
    match groups::answer(&desk, &what, &body).await {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(why) => (StatusCode::UNPROCESSABLE_ENTITY, why).into_response(),
    }
}

/// Rows as JSON lines, page by page, so that a million of them need no memory.
async fn export_rows(
    State(web): State<Arc<Web>>,
    Path(what): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !web.admits(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Some(what) = What::parse(&what) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let pages = Pages::new(Arc::clone(&web.store), what, EXPORT_PAGE);
    let pages = stream::try_unfold(pages, |mut pages| async move {
        let Some(rows) = pages.next().await? else {
            return Ok::<_, crate::store::StoreError>(None);
        };
        let mut lines = String::new();
        for row in rows {
            lines.push_str(&row.to_string());
            lines.push('\n');
        }
        Ok(Some((lines, pages)))
    });
    (
        [(header::CONTENT_TYPE, "application/jsonl; charset=utf-8")],
        Body::from_stream(pages),
    )
        .into_response()
}

/// A consistent copy, written beside the records first: a slow reader must not hold the store up.
async fn backup(State(web): State<Arc<Web>>, headers: HeaderMap) -> Response {
    if !web.admits(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let copied = async {
        let file = tempfile::NamedTempFile::new()?;
        web.store.backup(file.path()).await?;
        let open = tokio::fs::File::open(file.path()).await?;
        Ok::<_, anyhow::Error>((file, open))
    };
    let (file, open) = match copied.await {
        Ok(copied) => copied,
        Err(error) => {
            warn!(
                error = format!("{error:#}"),
                "a backup could not be written"
            );
            return (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the backup could not be written; see the log\n",
            )
                .into_response();
        }
    };
    let chunks = stream::try_unfold((file, open), |(file, mut open)| async move {
        let mut chunk = vec![0; 64 << 10];
        let read = open.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then_some((chunk, (file, open))))
    });
    Body::from_stream(chunks).into_response()
}
