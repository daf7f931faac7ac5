//! Receipts, questions and answers for residents.

use crate::domain::ids::IncidentId;
use crate::domain::incident::Missing;

/// One message for several receipts.
#[must_use]
pub fn folded(cases: &[(IncidentId, Option<Missing>)]) -> String {
    let codes: Vec<String> = cases.iter().map(|(code, _)| format!("#{code}")).collect();
    format!("Đã ghi nhận {} tin: {}.", cases.len(), codes.join(", "))
}
