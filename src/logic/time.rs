//! Time as the machines see it: handed in, never read.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on the monotonic clock of one process, in microseconds since it started. For durations and deadlines.
///
/// Starts above zero so that "one interval before the start" can still be expressed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u64);

impl Tick {
    /// The first moment of a process: one day above zero.
    pub const START: Self = Self(86_400_000_000);

    /// A tick from microseconds since [`Tick::START`].
    #[must_use]
    pub const fn from_micros_since_start(micros: u64) -> Self {
        Self(Self::START.0.saturating_add(micros))
    }

    /// Microseconds since [`Tick::START`].
    #[must_use]
    pub const fn micros_since_start(self) -> u64 {
        self.0.saturating_sub(Self::START.0)
    }

    /// The next moment on a grid of `step`; this one, if it lies there.
    #[must_use]
    pub fn rounded_up(self, step: Duration) -> Self {
        let step = u64::try_from(step.as_micros()).ok();
        Self(step.and_then(|step| self.0.checked_next_multiple_of(step)).unwrap_or(self.0))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Tick {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Tick {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Debug for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{:.3}s", Duration::from_micros(self.micros_since_start()).as_secs_f64())
    }
}

/// A wall-clock moment in milliseconds since 1970-01-01 UTC. For hours and database rows.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct UtcMs(pub i64);

impl UtcMs {
    /// Milliseconds from `earlier` to `self`; zero when `earlier` lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for UtcMs {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for UtcMs {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Debug for UtcMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// Both clocks at one moment, as every machine is handed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For durations and deadlines.
    pub tick: Tick,
    /// For calling hours and database rows.
    pub utc: UtcMs,
}

/// Deadlines of many timers, earliest first; each timer is armed at most once.
///
/// Equal deadlines fire in the order of the timers, so that a run is repeatable.
#[derive(Clone, Debug)]
pub struct Deadlines<Timer> {
    by_timer: BTreeMap<Timer, Tick>,
    by_time: std::collections::BTreeSet<(Tick, Timer)>,
}

impl<Timer: Ord + Copy> Default for Deadlines<Timer> {
    fn default() -> Self {
        Self { by_timer: BTreeMap::new(), by_time: std::collections::BTreeSet::new() }
    }
}

impl<Timer: Ord + Copy> Deadlines<Timer> {
    /// Arms `timer` for `at`, or disarms it for `None`; an earlier deadline of the same timer is forgotten.
    pub fn set(&mut self, timer: Timer, at: Option<Tick>) {
        let old = match at {
            Some(at) => self.by_timer.insert(timer, at),
            None => self.by_timer.remove(&timer),
        };
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.by_time.remove(&(old, timer));
        }
        if let Some(at) = at {
            self.by_time.insert((at, timer));
        }
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Tick> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// When `timer` is due; `None` when it is not armed.
    #[must_use]
    pub fn peek(&self, timer: Timer) -> Option<Tick> {
        self.by_timer.get(&timer).copied()
    }

    /// Takes one timer whose deadline is not after `now`.
    pub fn pop_due(&mut self, now: Tick) -> Option<Timer> {
        let (at, timer) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.by_time.remove(&(at, timer));
        self.by_timer.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_set_twice_fires_once_at_the_later_setting() {
        let mut deadlines = Deadlines::default();
        deadlines.set('a', Some(Tick::START + Duration::from_secs(1)));
        deadlines.set('b', Some(Tick::START + Duration::from_secs(2)));
        deadlines.set('a', Some(Tick::START + Duration::from_secs(3)));
        let end = Tick::START + Duration::from_secs(9);
        assert_eq!(deadlines.next(), Some(Tick::START + Duration::from_secs(2)));
        assert_eq!(deadlines.pop_due(end), Some('b'));
        assert_eq!(deadlines.pop_due(end), Some('a'));
        assert_eq!(deadlines.pop_due(end), None);
    }

    #[test]
    fn moments_of_a_grid_are_never_earlier_than_asked_for() {
        let (at, step) = (Tick::from_micros_since_start, Duration::from_millis(200));
        assert_eq!(at(0).rounded_up(step), at(0));
        assert_eq!(at(1).rounded_up(step), at(200_000));
        assert_eq!(at(200_000).rounded_up(step), at(200_000));
        assert_eq!(at(7).rounded_up(Duration::ZERO), at(7));
    }

    #[test]
    fn a_disarmed_timer_never_fires() {
        let mut deadlines = Deadlines::default();
        deadlines.set(1, Some(Tick::START));
        deadlines.set(1, None);
        assert_eq!(deadlines.next(), None);
        assert_eq!(deadlines.pop_due(Tick::START), None);
    }
}
