//! Kẻng.

pub mod sim;
