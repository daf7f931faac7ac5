//! Who saw and did what: lines that are only ever added.

use super::clock::Time;

/// One line of the audit chain. The store adds its number and the hash of the line before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Time,
    /// Who: the name colleagues know, or `keng` for the program itself.
    pub who: String,
    /// What was done, as a short English verb (`alert.publish`, `incident.accept`).
    pub act: String,
    /// To what: a case code, an alert id, a room.
    pub object: String,
    /// Further words, never a resident's.
    pub detail: String,
}
