//! Receipts and what a reporter hears of a case.

use crate::domain::ids::IncidentId;

/// An officer took the case.
#[must_use]
pub fn accepted(case: IncidentId) -> String {
    format!("Tin mã {case} đã có cán bộ tiếp nhận.")
}

/// The case was closed.
#[must_use]
pub fn done(case: IncidentId) -> String {
    format!("Tin mã {case} đã được giải quyết xong. Cảm ơn bà con đã báo tin.")
}

/// The case was closed without further steps.
#[must_use]
pub fn rejected(case: IncidentId) -> String {
    format!("Tin mã {case} đã được xem và khép lại. Cảm ơn bà con đã báo tin.")
}
