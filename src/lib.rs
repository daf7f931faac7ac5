//! Kẻng.
pub mod cli;
pub mod domain;
pub mod text;
