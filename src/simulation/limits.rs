//! What a carrier refuses whoever is called: more calls than it lets in, and its bad hours.

use std::time::Duration;

use crate::logic::time::Tick;
use crate::simulation::dice::Dice;
use crate::simulation::pulse::Pulse;

/// A bad hour: every so often calls are refused for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    /// When the first one comes, since the start.
    pub first: Duration,
    /// From the beginning of one to that of the next.
    pub every: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// Of a million INVITEs so many are refused.
    pub share_ppm: u32,
    /// The refusal.
    pub status: u16,
    /// Seconds of its Retry-After header.
    pub retry_after_s: Option<u32>,
}

impl Storm {
    fn rages(&self, now: Tick) -> bool {
        let Some(since) = now.since(Tick::START).checked_sub(self.first) else { return false };
        let within = since.as_micros().checked_rem(self.every.as_micros()).unwrap_or(0);
        within < self.lasts.as_micros()
    }
}

/// Asked at every INVITE, before anything else.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    channels: usize,
    calls_per_second: Option<u32>,
    storms: Vec<Storm>,
    dice: Dice,
    let_in: Pulse,
}

/// Why an INVITE is refused unheard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// By which the record counts it.
    pub(crate) name: &'static str,
    pub(crate) status: u16,
    pub(crate) q850: Option<u8>,
    pub(crate) retry_after_s: Option<u32>,
}

impl Limits {
    pub(crate) fn new(
        channels: usize,
        calls_per_second: Option<u32>,
        storms: Vec<Storm>,
        seed: u64,
    ) -> Self {
        let dice = Dice::of(seed, "storm", 0);
        Self { channels, calls_per_second, storms, dice, let_in: Pulse::default() }
    }

    /// Whether an INVITE may come in beside `open` calls. Those that may not do not count for the rate: a caller who goes
    /// on too fast still gets as many calls through as are allowed.
    pub(crate) fn admit(&mut self, now: Tick, open: usize) -> Result<(), Refusal> {
        let refused = |name, status, q850, retry_after_s| {
            Err(Refusal { name, status, q850: Some(q850), retry_after_s })
        };
        if let Some(storm) = self.storms.iter().find(|storm| storm.rages(now))
            && self.dice.chance_ppm(storm.share_ppm)
        {
            return refused("storm", storm.status, TEMPORARY_FAILURE, storm.retry_after_s);
        }
        if open >= self.channels {
            return refused("over_channels", 503, NO_CIRCUIT, Some(CHANNEL_FREE_IN_S));
        }
        let most = self.calls_per_second.and_then(|most| usize::try_from(most).ok());
        if most.is_some_and(|most| self.let_in.count(now) >= most) {
            return refused("over_rate", 503, EQUIPMENT_CONGESTION, Some(RATE_FREE_IN_S));
        }
        self.let_in.beat(now);
        Ok(())
    }
}

/// Q.850 causes.
const NO_CIRCUIT: u8 = 34;
const TEMPORARY_FAILURE: u8 = 41;
const EQUIPMENT_CONGESTION: u8 = 42;
/// Some call may be over by then.
const CHANNEL_FREE_IN_S: u32 = 5;
/// The window of the rate.
const RATE_FREE_IN_S: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Tick {
        Tick::START + Duration::from_millis(ms)
    }

    #[test]
    fn no_second_lets_in_more_than_the_rate_however_many_are_refused() {
        let mut limits = Limits::new(9, Some(3), vec![], 1);
        let taken: Vec<u64> =
            (0..3_000).step_by(50).filter(|ms| limits.admit(at(*ms), 0).is_ok()).collect();
        assert_eq!(taken, [0, 50, 100, 1_000, 1_050, 1_100, 2_000, 2_050, 2_100]);
        let refusal = limits.admit(at(2_999), 0).unwrap_err();
        assert_eq!((refusal.name, refusal.status), ("over_rate", 503));
    }

    #[test]
    fn a_full_house_is_said_to_be_full() {
        let mut limits = Limits::new(2, None, vec![], 1);
        assert_eq!(limits.admit(at(0), 1), Ok(()));
        let refusal = limits.admit(at(0), 2).unwrap_err();
        assert_eq!(
            (refusal.name, refusal.q850, refusal.retry_after_s),
            ("over_channels", Some(34), Some(5))
        );
    }

    #[test]
    fn a_storm_comes_and_goes_and_refuses_its_share() {
        let seconds = Duration::from_secs;
        let storm = Storm {
            first: seconds(30),
            every: seconds(60),
            lasts: seconds(10),
            share_ppm: 500_000,
            status: 503,
            retry_after_s: Some(2),
        };
        let mut limits = Limits::new(9, None, vec![storm], 1);
        let mut refused = |from_s: u64, to_s: u64| {
            (from_s * 1_000..to_s * 1_000)
                .step_by(10)
                .filter(|ms| limits.admit(at(*ms), 0).is_err())
                .count()
        };
        assert_eq!(refused(0, 30), 0);
        let half = refused(30, 40);
        assert!((450..=550).contains(&half), "{half} of 1,000");
        assert_eq!(refused(40, 90), 0);
        assert!(refused(90, 100) > 400);
    }
}
