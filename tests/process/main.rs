//! The real program as a process of its own, over real SIP and RTP on loopback: killed, stopped, with a real softphone
//! as the agent's phone, and as the carrier that others call.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a failed setup is a failed test; a process of its own is waited for by the clock; figures are printed"
)]

mod agentless;
mod carrier;
mod cluster;
mod kill;
mod moving;
mod postgres;
mod proxy;
mod records;
mod server;
mod shutdown;
#[path = "../sipp/mod.rs"]
#[expect(dead_code, reason = "other tests look at more of what SIPp wrote")]
mod sipp;
mod site;
mod softphone;
mod staff;
mod watchers;

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// Packets are due every 20 ms: where all tests share one process, these run one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
