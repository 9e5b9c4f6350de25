//! How many of something in the last second, and at most in any.

use std::collections::VecDeque;
use std::time::Duration;

use crate::logic::time::Tick;

/// Counts beats over a window of one second: it holds its first microsecond and not its last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse {
    recent: VecDeque<Tick>,
    most: usize,
}

impl Pulse {
    /// One more, now.
    pub(crate) fn beat(&mut self, now: Tick) {
        self.forget(now);
        if self.recent.len() >= MOST {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.most = self.most.max(self.recent.len());
    }

    /// Beats in the last second.
    pub(crate) fn count(&mut self, now: Tick) -> usize {
        self.forget(now);
        self.recent.len()
    }

    /// Most in any second so far.
    pub(crate) const fn most(&self) -> usize {
        self.most
    }

    fn forget(&mut self, now: Tick) {
        while self.recent.front().is_some_and(|beat| *beat + SECOND <= now) {
            self.recent.pop_front();
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
/// More than one machine's sockets bring; beyond, the count stays here.
const MOST: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_its_first_microsecond_and_not_its_last() {
        let at = Tick::from_micros_since_start;
        let mut pulse = Pulse::default();
        for us in [0, 999_999, 1_000_000, 1_000_001] {
            pulse.beat(at(us));
        }
        assert_eq!((pulse.count(at(1_000_001)), pulse.most()), (3, 3));
        assert_eq!((pulse.count(at(2_000_000)), pulse.most()), (1, 3));
        assert_eq!(pulse.count(at(2_000_001)), 0);
    }
}
