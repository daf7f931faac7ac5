//! The tests that come through the front door, one module for each part of the house.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may unwrap as tests do"
)]

mod store_contract;
mod store_damage;
mod store_model;
mod store_samples;
