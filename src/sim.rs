//! A make-believe town: servers that speak the platforms' protocols over
//! loopback, and people who write in their chats.
//!
//! Tests, benches and the demo point the real program at these servers with
//! `api_url`. Nothing here shares a type with `channel`: if both used one, both
//! could be wrong together and no test would see it.
//!
//! - [`telegram`] speaks Telegram's Bot API;
//! - [`zalo_bot`] speaks the Zalo Bot Platform's;
//! - [`zalo_oa`] speaks that of a Zalo Official Account with groups;
//! - [`facebook`] speaks the Graph API of a Page and its Messenger;
//! - [`folk`] knows what the people of a ward are called and what they write;
//! - [`town`] opens all of them at once for one commune;
//! - [`page`] shows it in a browser, where a visitor acts as anybody.

mod args;
mod door;
pub mod facebook;
pub mod folk;
pub mod page;
mod picture;
pub mod scene;
pub mod telegram;
pub mod town;
pub mod weather;
pub mod zalo_bot;
pub mod zalo_oa;
