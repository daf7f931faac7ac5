//! The tests that come through the front door, one module for each part of the house.

mod store_contract;
mod store_damage;
mod store_model;
mod store_samples;
