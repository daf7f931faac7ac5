//! The program through its front door, and rules the sources must keep.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod layers;

mod support;

mod desk;
mod export;
mod hooks;
mod hostile;
mod intake;
