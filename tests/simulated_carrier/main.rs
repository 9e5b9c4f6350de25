//! The simulated carrier and phone against a plain user agent, on virtual time.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failed setup is a failed test"
)]

mod callees;
mod limits;
mod phones;
mod quirks;
mod world;
