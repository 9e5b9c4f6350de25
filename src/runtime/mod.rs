//! Floor 4: runs the node. Clocks, dice, signals, sockets, the store task and the one loop that joins them.
//!
//! No decision is taken here: an `if` about a call belongs into the pure floor.

pub mod clock;
pub mod control;
mod describe;
pub mod dice;
mod driver;
pub mod handle;
mod journal;
pub mod lock;
pub(crate) mod shutdown;
mod start;
mod store_link;
mod store_queue;
mod store_task;

pub use driver::Ended;
pub use start::{Running, StartError, StartSettings, start};
pub use store_link::clock_ahead;
