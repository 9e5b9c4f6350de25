//! Logs and metrics: where they go and every metric's name.
//!
//! Nothing here is called from the pure floor; the runtime logs what goes into a machine and what comes out.

mod log;
mod metrics;
mod rotation;

pub use log::{LogError, LogFormat, LogGuard, LogTarget, QUEUE, start};
pub use metrics::{Counted, Counter, Metrics};
pub use rotation::Keep;
