//! The envelope of the Bot API's answers.

use super::loose;
use super::wire;
use crate::channel::json::Object;

/// Reads the envelope of an answer; `None` if it is not JSON of that shape at all.
pub(super) fn envelope(body: &str) -> Option<wire::Answer<'_>> {
    let answer = serde_json::from_str::<wire::Answer<'_>>(body)
        .ok()
        .or_else(|| Object::read(body).map(|object| loose::answer(&object)))?;
    (answer.ok.is_some() || answer.result.is_some() || answer.error_code.is_some())
        .then_some(answer)
}
