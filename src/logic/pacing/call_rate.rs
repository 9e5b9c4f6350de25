//! The rate limiter of one trunk: INVITEs per second, digest retries included.
//!
//! `governor` does the arithmetic (GCRA) on a clock that is fed from `now`, so that virtual time reaches it.

use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::logic::time::Tick;

/// Says when the next INVITE may leave.
#[derive(Debug)]
pub struct CallRate {
    clock: FedClock,
    limiter: RateLimiter<NotKeyed, InMemoryState, FedClock, NoOpMiddleware<FedInstant>>,
}

impl CallRate {
    /// A limiter of `per_second` INVITEs (at least one), `burst` of which may leave at once after a silence.
    ///
    /// The interval is stretched by 1 % (`MARGIN`), so that the network's own jitter cannot push one more INVITE into
    /// a second as the carrier counts it.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self::stretched(per_second, burst, MARGIN)
    }

    fn stretched(per_second: u32, burst: u32, margin: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        let stretched = interval + interval / margin;
        let clock = FedClock(Arc::new(AtomicU64::new(Tick::START.micros_since_start())));
        // A burst is part of the stated rate: the first second must not grant rate + burst.
        let quota = Quota::with_period(stretched)
            .unwrap_or_else(|| Quota::per_second(std::num::NonZeroU32::MIN));
        let burst = std::num::NonZeroU32::new(burst).unwrap_or(std::num::NonZeroU32::MIN);
        Self {
            limiter: RateLimiter::direct_with_clock(quota.allow_burst(burst), clock.clone()),
            clock,
        }
    }

    /// Like [`CallRate::new`], in the place of a limiter that granted an INVITE a moment ago: the first of this one comes
    /// a whole interval later, so that changing the rate again and again grants nothing.
    #[must_use]
    pub fn after_another(now: Tick, per_second: u32, burst: u32) -> Self {
        Self::new(per_second, burst).spent(now)
    }

    /// Likewise for a part of a rate that several processes share. Each limiter may be off by one INVITE where some take
    /// longer on their way than others, and the carrier sees the sum: so the interval is stretched by 5 % (`SHARED_MARGIN`),
    /// and it takes 50 ms of difference within a second before that happens.
    #[must_use]
    pub fn part_after_another(now: Tick, per_second: u32, burst: u32) -> Self {
        Self::stretched(per_second, burst, SHARED_MARGIN).spent(now)
    }

    fn spent(self, now: Tick) -> Self {
        // As many rights as there are at once; the bound only guards against a limiter that grants for ever.
        for _ in 0..LARGEST_BURST {
            if self.take(now).is_err() {
                break;
            }
        }
        self
    }

    /// Takes the right to send one INVITE now.
    ///
    /// # Errors
    /// The moment from which it is worth asking again.
    pub fn take(&self, now: Tick) -> Result<(), Tick> {
        self.clock
            .0
            .store(now.micros_since_start().saturating_add(EPOCH_MICROS), Ordering::Relaxed);
        self.limiter.check().map_err(|wait| {
            let wait = wait.wait_time_from(self.clock.now());
            // Up to a whole microsecond, the grain of a tick; never zero, or a caller would spin.
            now + Duration::from_micros(
                u64::try_from(wait.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX).max(1),
            )
        })
    }
}

/// One part in a hundred is added to the interval between INVITEs.
const MARGIN: u32 = 100;

/// One part in twenty, where several processes share a rate.
const SHARED_MARGIN: u32 = 20;

/// No trunk takes more at once.
const LARGEST_BURST: u32 = 10_000;

/// Virtual time starts above zero: GCRA subtracts from it.
const EPOCH_MICROS: u64 = 86_400_000_000;

/// A clock that shows what it was last fed, in microseconds.
#[derive(Clone, Debug)]
struct FedClock(Arc<AtomicU64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FedInstant(u64);

impl Add<Nanos> for FedInstant {
    type Output = Self;

    fn add(self, by: Nanos) -> Self {
        Self(self.0.saturating_add(by.as_u64()))
    }
}

impl Reference for FedInstant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, by: Nanos) -> Self {
        Self(self.0.checked_sub(by.as_u64()).unwrap_or(self.0))
    }
}

impl Clock for FedClock {
    type Instant = FedInstant;

    fn now(&self) -> FedInstant {
        FedInstant(self.0.load(Ordering::Relaxed).saturating_mul(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every moment at which an eager caller gets a start, over `seconds`.
    fn eager(rate: &CallRate, seconds: u64) -> Vec<Tick> {
        let (mut now, end) = (Tick::START, Tick::START + Duration::from_secs(seconds));
        let mut starts = vec![];
        while now < end {
            match rate.take(now) {
                Ok(()) => starts.push(now),
                Err(at) => now = at,
            }
        }
        starts
    }

    #[test]
    fn the_first_second_grants_no_more_than_the_rate() {
        let starts = eager(&CallRate::new(10, 1), 1);
        assert_eq!(starts.len(), 10);
    }

    #[test]
    fn a_full_rate_is_reached_but_for_the_margin() {
        let starts = eager(&CallRate::new(50, 1), 100);
        assert!((4_940..=5_000).contains(&starts.len()), "{}", starts.len());
    }

    #[test]
    fn a_changed_rate_grants_nothing_at_once() {
        let now = Tick::START + Duration::from_secs(7);
        for (per_second, burst) in [(1, 1), (10, 3)] {
            let rate = CallRate::after_another(now, per_second, burst);
            let next = rate.take(now).unwrap_err();
            assert!(next.since(now) >= Duration::from_secs(1) / per_second, "{next:?}");
            assert_eq!(rate.take(next), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn no_window_of_one_second_holds_more_than_the_rate(
            per_second in 1u32..200,
            waits in proptest::collection::vec(0u64..400_000, 1..300),
        ) {
            let rate = CallRate::new(per_second, 1);
            let (mut now, mut starts) = (Tick::START, vec![]);
            for wait in waits {
                now = now + Duration::from_micros(wait);
                while rate.take(now).is_ok() {
                    starts.push(now);
                }
            }
            for (i, first) in starts.iter().enumerate() {
                let window = starts[i..].iter().take_while(|at| at.since(*first) < Duration::from_secs(1)).count();
                prop_assert!(window <= usize::try_from(per_second).unwrap());
            }
        }
    }
}
