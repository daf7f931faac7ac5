//! Kẻng: the iron gong of a Vietnamese hamlet, for its chat groups.
//!
//! Residents write as usual with a tag, and it becomes an incident record; police send a warning by
//! one command, and it reaches every group; village heads ask for the day.
//!
//! The house, room by room. The way of a message is from top to bottom, and each arrow of knowledge
//! points upwards only (a test reads the `use` lines and keeps that true):
//!
//! - [`domain`]: plain data, the words of the ward. Knows no one.
//! - [`text`]: what a message says; pure. [`say`]: every sentence we say, in Vietnamese.
//! - [`draw`]: pictures that we make ourselves.
//! - [`channel`]: the platforms; they parse and post, and decide nothing.
//! - [`store`]: what must not be lost, behind one trait of whole acts.
//! - [`intake`]: a resident's message becomes a record. [`desk`]: what officers, heads and
//!   administrators may do. [`digest`]: a village's day. [`outbox`]: everything said leaves here.
//! - [`web`]: webhooks, health, metrics. [`config`]: the config file.
//! - [`app`]: puts the parts together. [`cli`]: the command line.
//! - [`sim`]: a make-believe town that speaks the platforms' protocols; shares no types with the rest.

pub mod app;
pub mod channel;
pub mod cli;
pub mod config;
pub mod desk;
pub mod digest;
pub mod domain;
pub mod draw;
pub mod intake;
pub mod outbox;
pub mod say;
pub mod sim;
pub mod store;
pub mod text;
pub mod web;
