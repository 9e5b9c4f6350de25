//! The top machine: joins campaign, pacing, compliance, attempts and agents. `Input` in, `Action` out.

pub mod command;
mod start;
mod store_command;
mod store_order;
mod words;

pub use start::*;
pub use store_command::*;
pub use store_order::effect_order;
pub use words::*;
