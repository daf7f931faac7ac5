//! The words of the ward: plain data that every other room of the house speaks.
//!
//! Nothing here does I/O, knows a platform, a driver or a wire format; values are checked once, where
//! they are made, and trusted afterwards. Disk and wire formats live at the edges (`store`, `channel`,
//! `cli`), so that renaming a field here never changes what is stored.

pub mod account;
pub mod alert;
pub mod appointment;
pub mod area;
pub mod audit;
pub mod clock;
pub mod delivery;
pub mod digest;
pub mod errand;
pub mod hand;
pub mod ids;
pub mod incident;
pub mod invite;
pub mod message;
pub mod person;
pub mod quota;
pub mod reading;
pub mod room;
pub mod secret;
