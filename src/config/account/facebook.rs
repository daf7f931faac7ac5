//! `platform = "facebook"`

use url::Url;

use super::Table;
use crate::config::ConfigError;
use crate::domain::secret::Secret;

/// The keys of such an account.
pub(super) const KEYS: &[&str] = &[
    "name",
    "platform",
    "api_url",
    "page_id",
    "token",
    "app_secret",
    "verify_token",
    "utility_template",
    "limits",
];

/// A Facebook Page.
#[derive(Debug, Clone)]
pub struct FacebookConfig {
    /// The base of the Graph API, with its version.
    pub api_url: Url,
    /// The Page's id.
    pub page_id: String,
    /// The Page's token.
    pub token: Secret,
    /// The app's secret.
    pub app_secret: Secret,
    /// What the webhook is asked for when it is set up.
    pub verify_token: Secret,
    /// An approved utility template for answers that come after the 24 hours.
    pub utility_template: Option<String>,
}

pub(super) fn read(table: &Table<'_>) -> Result<FacebookConfig, ConfigError> {
    let raw = table.raw;
    let template = raw.utility_template.as_ref();
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    if let Some(name) = template.filter(|name| !is_name(name.get_ref())) {
        return Err(table.file.error(
            Some(name.span().start),
            format!(
                "`account.utility_template` is {:?}, but should be the template's name in a-z, 0-9 and _",
                name.get_ref()
            ),
        ));
    }
    Ok(FacebookConfig {
        api_url: table.url("api_url", &raw.api_url, "https://graph.facebook.com/v26.0")?,
        page_id: table.number_id("page_id", &raw.page_id)?,
        token: table.secret("token", &raw.token)?,
        app_secret: table.secret("app_secret", &raw.app_secret)?,
        verify_token: table.secret("verify_token", &raw.verify_token)?,
        utility_template: template.map(|name| name.get_ref().clone()),
    })
}
