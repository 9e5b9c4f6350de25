//! The one place where the media threads read a clock.

use std::time::Instant;

use crate::logic::time::Tick;

/// Turns the machine's monotonic clock into ticks.
#[derive(Clone, Copy, Debug)]
pub struct MediaClock {
    started: Instant,
}

impl MediaClock {
    /// Starts at [`Tick::START`] now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the media threads' own clock")]
    #[expect(clippy::new_without_default, reason = "a default that reads a clock would surprise")]
    pub fn new() -> Self {
        Self::since(Instant::now())
    }

    /// Shows the same ticks as another clock of this process that started at `started`.
    #[must_use]
    pub const fn since(started: Instant) -> Self {
        Self { started }
    }

    /// Now.
    #[must_use]
    pub fn now(self) -> Tick {
        Tick::from_micros_since_start(
            u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        )
    }
}
