//! Every race of a call, on the wire: our user agent on a real socket against SIPp, which plays a scenario that was
//! written for it. SIPp says whether it got what its scenario expects; our side says what it concluded.
//!
//! The same races in virtual time are in `src/logic/sip/user_agent/tests`; `docs/sip.md` lists both.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]
#![expect(clippy::panic, reason = "what does not come in time is a failed test")]

mod answers;
mod cancel;
mod digest;
mod ending;
mod forks;
mod forms;
mod loss;
mod offers;
mod relay;
#[path = "../sipp/mod.rs"]
mod sipp;
mod stage;
