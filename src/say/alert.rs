//! Alerts as rooms hear them, previews, and answers to those who check a code.

use crate::domain::alert::Alert;

/// What every room gets.
#[must_use]
pub fn room_text(alert: &Alert, area_title: &str) -> String {
    format!("{}\n\n{area_title}. {}", alert.text, alert.code)
}
