//! This process's lease in the database: until when it is trusted, whether another process has taken over, and when this
//! one may take over from others.
//!
//! ```text
//!  beat begun at t ──────────────▶ landed ─▶ trusted until t + 7 s ... lease in the row until t + 10 s
//!                                    │
//!                                    └─▶ refused: another process has ended our row. Fenced for good: we drain.
//! ```
//! The arithmetic. A row says `t + 10 s` by our clock. Every process keeps its clock within 1 s of the database's or starts
//! and takes nothing, so two of them are at most 2 s apart: to another process our lease is over no sooner than
//! `t + 8 s`. We trust it until `t + 7 s` from the *start* of the beat, so a beat whose answer was slow is worth less, and
//! an INVITE has a second to get out of the house. Beats are 2 s apart: two may be lost before anything stands still.
//!
//! Taking over waits until this process itself has had the database without a gap for 20 s: after an outage every other
//! lease is over too, though nobody died, and the others need as long as a connection that hangs (15 s) and its repetition
//! until they are heard of again.

use std::time::Duration;

use crate::logic::time::{Now, Tick, UtcMs};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    /// The beat that landed last, as it was begun.
    landed: Now,
    /// Since when no trust window ended before the next beat landed.
    steady_since: Tick,
    fenced: bool,
}

impl Lease {
    /// The process has been registered a moment ago, with a lease of its own.
    pub(super) const fn new(now: Now) -> Self {
        Self { landed: now, steady_since: now.tick, fenced: false }
    }

    /// End of the lease that a beat begun now asks for.
    pub(super) fn until(now: Now) -> UtcMs {
        now.utc + LENGTH
    }

    /// A beat begun at `begun` is in the database. True: it was a slow one, and the next is wanted at once.
    pub(super) fn beat_landed(&mut self, now: Now, begun: Now) -> bool {
        if !self.trusted(now) {
            self.steady_since = now.tick;
        }
        self.landed = begun;
        begun.tick + TRUST <= now.tick + BEAT
    }

    /// The database says that our row is no longer ours.
    pub(super) const fn beat_refused(&mut self) {
        self.fenced = true;
    }

    /// Whether an INVITE may leave. Both clocks are asked: a machine that slept has a monotonic one that stood still.
    pub(super) fn trusted(&self, now: Now) -> bool {
        !self.fenced && now.tick < self.landed.tick + TRUST && now.utc < self.landed.utc + TRUST
    }

    /// Whether those whose lease is over are dead for all that we can know.
    pub(super) fn may_take_over(&self, now: Now) -> bool {
        self.trusted(now) && now.tick.since(self.steady_since) >= STEADY
    }

    /// Whether another process has taken over what was ours.
    pub(super) const fn is_fenced(&self) -> bool {
        self.fenced
    }
}

/// How long a node's lease lasts from the start of each heartbeat.
const LENGTH: Duration = Duration::from_secs(10);
/// How long we rely on it.
const TRUST: Duration = Duration::from_secs(7);
/// Time between heartbeats.
pub(super) const BEAT: Duration = Duration::from_secs(2);
/// How long we must have had the database before we take over from others.
const STEADY: Duration = Duration::from_secs(20);
/// Two clocks that each are this far from the database's.
const CLOCKS: Duration = Duration::from_secs(2);

const _: () = assert!(
    TRUST.as_millis() + CLOCKS.as_millis() < LENGTH.as_millis(),
    "to nobody is a lease over while its owner still trusts it"
);
const _: () = assert!(BEAT.as_millis() * 3 < TRUST.as_millis(), "two lost beats stop nothing");

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        let (tick, utc) = (Tick::START, UtcMs(1_790_000_000_000));
        let by = Duration::from_millis(millis);
        Now { tick: tick + by, utc: utc + by }
    }

    #[test]
    fn trust_counts_from_the_start_of_the_last_beat_that_landed() {
        let mut lease = Lease::new(at(0));
        assert!(!lease.beat_landed(at(2_010), at(2_000)));
        assert!(lease.trusted(at(8_999)));
        assert!(!lease.trusted(at(9_000)));
        // Begun at 4 s, answered at 8.5 s: good until 11 s, and not until 15.5 s.
        assert!(!lease.beat_landed(at(8_500), at(4_000)));
        assert!(lease.trusted(at(10_999)) && !lease.trusted(at(11_000)));
    }

    #[test]
    fn a_beat_that_landed_late_is_followed_by_the_next_at_once() {
        let mut lease = Lease::new(at(0));
        assert!(lease.beat_landed(at(30_000), at(2_000)));
        assert!(!lease.trusted(at(30_000)), "its own window is long over");
        assert!(!lease.beat_landed(at(30_020), at(30_000)));
        assert!(lease.trusted(at(30_020)));
    }

    #[test]
    fn a_lease_that_was_taken_never_comes_back() {
        let mut lease = Lease::new(at(0));
        lease.beat_refused();
        lease.beat_landed(at(10), at(5));
        assert!(lease.is_fenced() && !lease.trusted(at(11)));
    }

    #[test]
    fn a_machine_that_slept_does_not_trust_a_lease_of_the_evening_before() {
        let mut lease = Lease::new(at(0));
        lease.beat_landed(at(10), at(0));
        let woken = Now { tick: at(100).tick, utc: at(8 * 3_600_000).utc };
        assert!(!lease.trusted(woken));
    }

    #[test]
    fn nobody_is_taken_over_from_before_the_others_have_had_time_to_come_back() {
        let mut lease = Lease::new(at(0));
        for beat in 1..=15 {
            lease.beat_landed(at(beat * 2_000 + 10), at(beat * 2_000));
            assert_eq!(lease.may_take_over(at(beat * 2_000 + 20)), beat >= 10, "{beat}");
        }
        // An outage from 30 s to 60 s.
        lease.beat_landed(at(60_000), at(32_000));
        lease.beat_landed(at(60_010), at(60_000));
        assert!(lease.trusted(at(60_020)) && !lease.may_take_over(at(79_000)));
        for beat in 31..=41 {
            lease.beat_landed(at(beat * 2_000 + 10), at(beat * 2_000));
        }
        assert!(lease.may_take_over(at(82_020)));
    }
}
