//! The top machine: joins campaign, pacing, compliance, attempts and agents. `Input` in, `Action` out.

pub mod command;
mod store_command;
mod words;

pub use store_command::*;
pub use words::*;
