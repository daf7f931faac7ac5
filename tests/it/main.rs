//! The program through its front door, the stores against one contract, and rules the sources must keep.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may unwrap as tests do"
)]

mod layers;

mod support;

mod alerts;
mod desk;
mod export;
mod facebook;
mod forms;
mod hooks;
mod hostile;
mod intake;
mod invites;
mod schedule;
mod town;
mod zalo_bot;

mod zalo_oa;

mod store_contract;
mod store_damage;
mod store_model;
mod store_samples;
