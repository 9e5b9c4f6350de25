//! The real dialer between a trunk and agents' phones, on real sockets: what it writes is compared with what the far
//! ends saw, and what is said is heard at the other end.
//!
//! Small by default; `OUTDIAL_PROOF=full` dials as many calls as the project promises and asks for its exact times.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]
#![expect(clippy::panic, reason = "what does not come in time is a failed test")]
#![expect(clippy::as_conversions, reason = "small counts, and figures that are printed")]
#![expect(clippy::print_stdout, reason = "the figures are what these tests are run for")]

mod bad_input;
mod blocked_database;
mod cpu;
mod odd_trunk;
#[path = "../sipp/mod.rs"]
mod sipp;
mod sound;
mod stage;
mod trunk;
mod turnstile;
mod uas;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Packets are due every 20 ms: where all tests share one process, these run one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this is the long run, on a machine that has nothing else to do.
fn full_proof() -> bool {
    std::env::var("OUTDIAL_PROOF").is_ok_and(|proof| proof == "full")
}
