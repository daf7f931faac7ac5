//! The program through its front door, and rules the sources must keep.

mod layers;

mod support;

mod desk;
mod export;
mod hooks;
mod hostile;
mod intake;
