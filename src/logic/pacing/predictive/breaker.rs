//! The carrier breaker: when calls die before they ring, more calls do not help.

/// How many attempts die before the first ringback, of late and in the long run.
#[derive(Clone, Copy, Debug)]
pub struct Breaker {
    recent: Share,
    usual: Share,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    died: f64,
    all: f64,
}

impl Breaker {
    /// Closed.
    #[must_use]
    pub const fn new() -> Self {
        Self { recent: Share { died: 4.0, all: 25.0 }, usual: Share { died: 10.0, all: 60.0 } }
    }

    /// An attempt began to ring, or died before it did.
    pub fn attempt(&mut self, died: bool) {
        self.recent.note(died, 0.96);
        // What an outage does is not what is usual.
        if !self.is_open() {
            self.usual.note(died, 0.9995);
        }
    }

    /// What is remembered of it.
    #[must_use]
    pub const fn numbers(&self) -> [f64; 4] {
        let Self { recent, usual } = self;
        [recent.died, recent.all, usual.died, usual.all]
    }

    /// Takes back what was remembered; `false`: those are no shares.
    pub fn set(&mut self, numbers: &[f64]) -> bool {
        let &[recent_died, recent_all, usual_died, usual_all] = numbers else { return false };
        self.recent = Share { died: recent_died, all: recent_all };
        self.usual = Share { died: usual_died, all: usual_all };
        recent_died >= 0.0 && usual_died >= 0.0 && recent_all > 0.0 && usual_all > 0.0
    }

    /// Only probes go out.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.recent.share() > (2.5 * self.usual.share()).clamp(0.5, 0.9)
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new()
    }
}

impl Share {
    fn note(&mut self, died: bool, memory: f64) {
        self.died = self.died * memory + f64::from(u8::from(died));
        self.all = self.all * memory + 1.0;
    }

    fn share(self) -> f64 {
        self.died / self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_in_an_outage_and_closes_after_it() {
        let mut breaker = Breaker::new();
        (0..1_000).for_each(|n| breaker.attempt(n % 7 == 0));
        assert!(!breaker.is_open());
        let until_open = (0..100).take_while(|_| {
            breaker.attempt(true);
            !breaker.is_open()
        });
        assert!(until_open.count() < 25);
        let until_closed = (0..200).take_while(|_| {
            breaker.attempt(false);
            breaker.is_open()
        });
        assert!(until_closed.count() < 30);
    }

    #[test]
    fn a_list_of_many_dead_numbers_does_not_open_it() {
        let mut breaker = Breaker::new();
        let mut opened = 0;
        for n in 0..2_000 {
            breaker.attempt(n % 10 < 4);
            opened += u32::from(breaker.is_open());
        }
        assert_eq!(opened, 0);
    }
}
