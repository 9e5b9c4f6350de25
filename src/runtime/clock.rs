//! The one place that reads clocks.

use std::time::{Duration, Instant, SystemTime};

use crate::logic::time::{Now, Tick, UtcMs};

/// Both clocks of the process. A step of the wall clock never moves a [`Tick`].
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose ticks start now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads clocks")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// When this clock started, for other clocks that are to show the same ticks.
    #[must_use]
    pub const fn started(&self) -> Instant {
        self.start
    }

    /// Both clocks now.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { tick: self.tick(), utc: Self::utc() }
    }

    /// The monotonic clock alone.
    #[must_use]
    pub fn tick(&self) -> Tick {
        Tick::from_micros_since_start(
            u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX),
        )
    }

    /// The wall clock alone; 0 on a machine that believes to live before 1970.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads clocks")]
    pub fn utc() -> UtcMs {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UtcMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// When `tick` is, for a timer.
    #[must_use]
    pub fn instant(&self, tick: Tick) -> Instant {
        let after = Duration::from_micros(tick.micros_since_start());
        self.start.checked_add(after).unwrap_or(self.start + FAR)
    }
}

/// Where the machine's clock cannot express a deadline: a year.
const FAR: Duration = Duration::from_secs(31_536_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_never_go_back_and_become_instants_again() {
        let clock = Clock::start();
        let (one, two) = (clock.tick(), clock.tick());
        assert!(one <= two);
        let later = one + Duration::from_millis(5);
        assert_eq!(clock.instant(later) - clock.instant(one), Duration::from_millis(5));
    }

    #[test]
    fn the_wall_clock_is_in_this_century() {
        assert!(Clock::utc() > UtcMs(1_700_000_000_000));
    }
}
