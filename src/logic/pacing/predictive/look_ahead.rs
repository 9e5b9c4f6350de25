//! The next three quarters of a minute: who may answer by when, and which agents may be free by then.

use crate::logic::pacing::predictive::life_table::{Hazard, LifeTable};

/// Chances to be answered by a person within some time.
#[derive(Clone, Debug)]
pub struct CallOutlook {
    dialing: Vec<Curve>,
    ringing: Vec<Curve>,
}

/// Chances to be free within some time.
#[derive(Clone, Debug)]
pub struct AgentOutlook {
    talking: Vec<Curve>,
    wrapping: Vec<Curve>,
}

/// A chance that grows with the time allowed, second by second from none.
#[derive(Clone, Debug)]
pub struct Curve(Vec<f64>);

impl CallOutlook {
    /// From what is known of dialing (until it rings) and of ringing, with answers `level` times as likely as the table
    /// says.
    #[must_use]
    pub fn new(dial: &LifeTable, ring: &LifeTable, level: f64) -> Self {
        let ringing =
            backwards(ring.hazards().map(|hazard| hazard.scaled(level)), |second, after| {
                after.shifted(|rest| second.event + second.stays * rest)
            });
        let begins = ringing.first().cloned().unwrap_or_else(Curve::flat);
        let dialing = backwards(dial.hazards(), |second, after| {
            // On average half a second of the second in which it begins to ring is left.
            let rung = begins
                .0
                .iter()
                .zip(begins.0.iter().skip(1))
                .map(|(less, more)| f64::midpoint(*less, *more));
            let values =
                rung.zip(&after.0).map(|(rung, rest)| second.event * rung + second.stays * rest);
            Curve::from_second(values)
        });
        Self { dialing, ringing }
    }

    /// Of a call that starts now.
    #[must_use]
    pub fn new_call(&self) -> Option<&Curve> {
        self.dialing.first()
    }

    /// Of one that does not ring yet, in this bin of the dial table.
    #[must_use]
    pub fn dialing(&self, bin: usize) -> Option<&Curve> {
        self.dialing.get(bin)
    }

    /// Of one that rings, in this bin of the ring table.
    #[must_use]
    pub fn ringing(&self, bin: usize) -> Option<&Curve> {
        self.ringing.get(bin)
    }
}

impl AgentOutlook {
    /// From what is known of talks and of wrap-up.
    #[must_use]
    pub fn new(talk: &LifeTable, wrap: &LifeTable) -> Self {
        let wrapping = wrap.bins().middles().map(|age| Curve::ending(wrap, age)).collect();
        let fresh = Curve::ending(wrap, 0.0);
        let talking =
            talk.bins().middles().map(|age| Curve::ending(talk, age).then(&fresh)).collect();
        Self { talking, wrapping }
    }

    /// Of one who talks, in this bin of the talk table.
    #[must_use]
    pub fn talking(&self, bin: usize) -> Option<&Curve> {
        self.talking.get(bin)
    }

    /// Of one in wrap-up, in this bin of the wrap table.
    #[must_use]
    pub fn wrapping(&self, bin: usize) -> Option<&Curve> {
        self.wrapping.get(bin)
    }
}

impl Curve {
    /// Within so many seconds, between two of them in proportion.
    #[must_use]
    pub fn within(&self, seconds: f64) -> f64 {
        let (whole, part) = split(seconds);
        let at =
            |second: usize| self.0.get(second).or_else(|| self.0.last()).copied().unwrap_or(0.0);
        let (less, more) = (at(whole), at(whole + 1));
        less + (more - less) * part
    }

    /// Within all the time that is looked ahead.
    #[must_use]
    pub fn ever(&self) -> f64 {
        self.within(f64::from(HORIZON))
    }

    /// When this much of [`Self::ever`] is reached, in seconds; `share` from 0 to 1.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = share * self.ever();
        let mut second = 0.0;
        for (less, more) in self.0.iter().zip(self.0.iter().skip(1)) {
            if *more >= wanted {
                return if more > less { second + (wanted - less) / (more - less) } else { second };
            }
            second += 1.0;
        }
        f64::from(HORIZON)
    }

    fn flat() -> Self {
        Self(vec![0.0; usize::from(STEPS)])
    }

    fn from_second(values: impl Iterator<Item = f64>) -> Self {
        Self(std::iter::once(0.0).chain(values).take(usize::from(STEPS)).collect())
    }

    /// One second later: what was reached in a second less, passed through `step`.
    fn shifted(&self, step: impl Fn(f64) -> f64) -> Self {
        Self::from_second(self.0.iter().map(|rest| step(*rest)))
    }

    /// That what is of this age now ends.
    fn ending(table: &LifeTable, age: f64) -> Self {
        let (mut passed, mut hazards) = (age, 0.0);
        Self::from_second((1..STEPS).map(|_| {
            let Hazard { event, exit } = table.hazard(passed);
            passed += 1.0;
            hazards += event + exit;
            -libm::expm1(-hazards)
        }))
    }

    /// That this ends and then, from its beginning, the other.
    fn then(&self, other: &Self) -> Self {
        let ends: Vec<f64> =
            self.0.iter().zip(self.0.iter().skip(1)).map(|(less, more)| more - less).collect();
        let halves: Vec<f64> = other
            .0
            .iter()
            .zip(other.0.iter().skip(1))
            .map(|(less, more)| f64::midpoint(*less, *more))
            .collect();
        // Ends in second e (from 1): h - e whole seconds and half of one are left for the other.
        Self::from_second((1..usize::from(STEPS)).map(|h| {
            ends.iter().take(h).zip(halves.iter().take(h).rev()).map(|(end, half)| end * half).sum()
        }))
    }
}

/// Curves of all bins of one second each; the last bin goes on for ever.
fn backwards(
    hazards: impl DoubleEndedIterator<Item = Hazard>,
    curve: impl Fn(crate::logic::pacing::predictive::life_table::Second, &Curve) -> Curve,
) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for second in hazards.rev().map(Hazard::second) {
        let next = match curves.last() {
            Some(after) => curve(second, after),
            None => {
                let mut own = Curve::flat();
                // Each pass makes one more second right.
                for _ in 1..STEPS {
                    own = curve(second, &own);
                }
                own
            }
        };
        curves.push(next);
    }
    curves.reverse();
    curves
}

/// Whole seconds, at most the horizon, and the rest.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped before"
)]
fn split(seconds: f64) -> (usize, f64) {
    let seconds = seconds.clamp(0.0, f64::from(STEPS));
    let whole = seconds.floor();
    (whole as usize, seconds - whole)
}

/// How far is looked ahead, in seconds: nearly all who answer do so within it.
pub const HORIZON: u8 = 45;
/// Values of a curve: from 0 to the horizon, and the seconds of grace that an agent may come later.
const STEPS: u8 = HORIZON + 3;
