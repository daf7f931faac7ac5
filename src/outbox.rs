//! Everything that is said leaves through here: claimed on disk, sent, settled.
//!
//! A row waits on disk until its moment. It is claimed there before a byte leaves and settled there
//! when an answer has come, so that at every moment, also after a crash, each row is either still to
//! be sent, surely sent, surely not sent, or honestly unknown.
//!
//! - [`limit`]: how often an account and a room may be spoken to; sliding windows.
//! - [`evidence`]: our own posts that come back after nobody knew of them.
//! - [`late`]: a person's time to be written to is over.
//! - [`plan`]: which waiting rows leave next; lanes, order in a room, folding.
//! - [`settle`]: what becomes of a row after a try.
//! - [`split`]: a long text in as many messages as the platform needs.
//! - [`worker`]: one task for each account, which puts these together.
//! - [`quota`]: what a month still has, where a platform counts.
//! - [`report`]: the officer sees how an alert goes.
//!
//! `limit`, `plan`, `settle` and `split` are pure: time and rows are handed in.

mod cards;
mod evidence;
mod late;
pub mod limit;
mod metrics;
pub mod plan;
pub mod quota;
mod render;
pub mod report;
mod rooms;
pub mod settle;
pub mod split;
#[cfg(test)]
mod tests;
pub mod worker;

pub use cards::Cards;
pub use cards::Enclosures;
pub use limit::Rates;
pub use metrics::Metrics;
pub use quota::Ledger;
pub use report::Reporter;
pub use settle::OnUnknown;
pub use settle::Policy;
pub use worker::Settings;
pub use worker::Worker;
