//! The top machine: joins campaign, pacing, compliance, attempts and agents. `Input` in, `Action` out.

mod store_command;

pub use store_command::*;
