//! The outbox as a state machine, on a simulated clock.
//!
//! [`histories`] are random: alerts, receipts and digests are queued, the platforms accept, refuse, slow
//! down, deny, fall silent; the program is stopped and killed. Whatever happens, the promises of the outbox
//! hold at the end. `KENG_HISTORIES=10000 cargo test --release --test outbox` runs ten thousand of them.
//! [`size`] is the outbox with very many rooms.

#![expect(clippy::unwrap_used, reason = "tests may")]

mod histories;
mod town;
