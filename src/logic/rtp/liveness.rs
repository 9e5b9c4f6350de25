//! Whether a far end still sends: quiet after 2 s without RTP, dead after 10 s without RTP and RTCP.
//!
//! ```text
//! Alive --no RTP for quiet_after--> Quiet --no RTP, no RTCP for dead_after--> Dead
//!   ^--------------------------------RTP-------------------------------------'
//! ```
//! A change is told when it is asked for, so while nobody asks (a full queue) only the last one counts.

use std::time::Duration;

use crate::logic::time::Tick;

/// After how long a leg counts as quiet and as dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LivenessLimits {
    /// Without RTP.
    pub quiet_after: Duration,
    /// Without RTP and RTCP.
    pub dead_after: Duration,
}

impl Default for LivenessLimits {
    fn default() -> Self {
        Self { quiet_after: Duration::from_secs(2), dead_after: Duration::from_secs(10) }
    }
}

/// What was last heard of one far end.
#[derive(Clone, Copy, Debug)]
pub struct Liveness {
    limits: LivenessLimits,
    /// Since when packets are due: `None` while the far end need not send.
    last_rtp: Option<Tick>,
    last_any: Option<Tick>,
    state: Life,
    told: Life,
}

/// The three states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It sends, or need not.
    Alive,
    /// No RTP.
    Quiet,
    /// Nothing at all.
    Dead,
}

impl Liveness {
    /// Not watched yet.
    #[must_use]
    pub const fn new(limits: LivenessLimits) -> Self {
        Self { limits, last_rtp: None, last_any: None, state: Life::Alive, told: Life::Alive }
    }

    /// From now on the far end should send (or need not: it holds us).
    pub fn watch(&mut self, now: Tick, due: bool) {
        let from = due.then_some(now);
        (self.last_rtp, self.last_any) = (from, from);
    }

    /// RTP of the far end came.
    pub fn rtp(&mut self, now: Tick) {
        self.state = Life::Alive;
        if self.last_rtp.is_some() {
            self.watch(now, true);
        }
    }

    /// RTCP of the far end came.
    pub fn rtcp(&mut self, now: Tick) {
        if self.last_any.is_some() {
            self.last_any = Some(now);
        }
    }

    /// Time goes by.
    pub fn tick(&mut self, now: Tick) {
        let (Some(rtp), Some(any)) = (self.last_rtp, self.last_any) else { return };
        if now.since(any) >= self.limits.dead_after {
            self.state = Life::Dead;
        } else if self.state == Life::Alive && now.since(rtp) >= self.limits.quiet_after {
            self.state = Life::Quiet;
        }
    }

    /// The state, if it is another than the one told last.
    pub fn take_change(&mut self) -> Option<Life> {
        if self.state == self.told {
            return None;
        }
        self.told = self.state;
        Some(self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Tick {
        Tick::START + Duration::from_millis(ms)
    }

    fn watched() -> Liveness {
        let mut life = Liveness::new(LivenessLimits::default());
        life.watch(at(0), true);
        life
    }

    fn changes(life: &mut Liveness, from: u64, to: u64) -> Vec<(u64, Life)> {
        (from..=to)
            .step_by(20)
            .filter_map(|ms| {
                life.tick(at(ms));
                life.take_change().map(|state| (ms, state))
            })
            .collect()
    }

    #[test]
    fn a_far_end_that_stops_is_quiet_then_dead_then_heard_again() {
        let mut life = watched();
        life.rtp(at(1_000));
        assert_eq!(changes(&mut life, 1_000, 20_000), [(3_000, Life::Quiet), (11_000, Life::Dead)]);
        life.rtp(at(20_010));
        assert_eq!(life.take_change(), Some(Life::Alive));
        assert_eq!(life.take_change(), None);
    }

    #[test]
    fn rtcp_keeps_a_quiet_leg_from_dying() {
        let mut life = watched();
        life.rtcp(at(8_000));
        assert_eq!(changes(&mut life, 0, 17_900), [(2_000, Life::Quiet)]);
        assert_eq!(changes(&mut life, 17_920, 19_000), [(18_000, Life::Dead)]);
    }

    #[test]
    fn a_far_end_that_holds_us_may_be_silent() {
        let mut life = watched();
        life.watch(at(100), false);
        assert_eq!(changes(&mut life, 100, 60_000), []);
        life.watch(at(60_000), true);
        assert_eq!(changes(&mut life, 60_000, 63_000), [(62_000, Life::Quiet)]);
    }

    #[test]
    fn a_change_and_back_that_nobody_asked_for_is_not_told() {
        let mut life = watched();
        life.tick(at(3_000));
        life.rtp(at(3_100));
        assert_eq!(life.take_change(), None);
    }
}
