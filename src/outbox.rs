//! Everything that is said leaves through here: claimed on disk, sent, settled.
pub mod limit;
pub mod plan;
pub mod settle;
pub mod split;
