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
pub struct Curve([f64; STEPS]);

/// A moment to come: whole seconds, and the part of one.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    second: usize,
    part: f64,
}

impl CallOutlook {
    /// From what is known of dialing (until it rings) and of ringing, with answers `level` times as likely as the table
    /// says.
    #[must_use]
    pub fn new(dial: &LifeTable, ring: &LifeTable, level: f64) -> Self {
        let ringing = backwards(ring.hazards().map(|hazard| hazard.scaled(level)), &[1.0; STEPS]);
        // On average half a second of the second in which it begins to ring is left.
        let rung = ringing.first().map_or([0.0; STEPS], Curve::half_a_second_less);
        Self { dialing: backwards(dial.hazards(), &rung), ringing }
    }

    /// Of a call that starts now.
    #[must_use]
    pub fn new_call(&self) -> Option<&Curve> {
        self.dialing.first()
    }

    /// Of those that do not ring yet, by bin of the dial table.
    #[must_use]
    pub fn dialing(&self) -> &[Curve] {
        &self.dialing
    }

    /// Of those that ring, by bin of the ring table.
    #[must_use]
    pub fn ringing(&self) -> &[Curve] {
        &self.ringing
    }
}

impl AgentOutlook {
    /// From what is known of talks and of wrap-up.
    #[must_use]
    pub fn new(talk: &LifeTable, wrap: &LifeTable) -> Self {
        let (talk_stays, wrap_stays) = (stays(talk), stays(wrap));
        let ends = |age| Curve::ending(wrap, &wrap_stays, age);
        let then = ends(0.0).half_a_second_less();
        let talking = talk
            .bins()
            .middles()
            .map(|age| Curve::ending(talk, &talk_stays, age).then(&then))
            .collect();
        Self { talking, wrapping: wrap.bins().middles().map(ends).collect() }
    }

    /// Of those who talk, by bin of the talk table.
    #[must_use]
    pub fn talking(&self) -> &[Curve] {
        &self.talking
    }

    /// Of those in wrap-up, by bin of the wrap table.
    #[must_use]
    pub fn wrapping(&self) -> &[Curve] {
        &self.wrapping
    }
}

impl Curve {
    /// By then, between two seconds in proportion.
    #[must_use]
    pub fn at(&self, spot: Spot) -> f64 {
        let at = |second: usize| self.0.get(second.min(STEPS - 1)).copied().unwrap_or(0.0);
        let (less, more) = (at(spot.second), at(spot.second + 1));
        less + (more - less) * spot.part
    }

    /// Within so many seconds.
    #[must_use]
    pub fn within(&self, seconds: f64) -> f64 {
        self.at(Spot::of(seconds))
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

    /// Between each second and the one before.
    fn half_a_second_less(&self) -> [f64; STEPS] {
        let mut halves = [0.0; STEPS];
        for (half, (less, more)) in
            halves.iter_mut().skip(1).zip(self.0.iter().zip(self.0.iter().skip(1)))
        {
            *half = f64::midpoint(*less, *more);
        }
        halves
    }

    /// That what is of this age now ends; `stays`: chance of each bin to last one more second.
    fn ending(table: &LifeTable, stays: &[f64], age: f64) -> Self {
        let (mut passed, mut there) = (age, 1.0);
        let mut values = [0.0; STEPS];
        for value in values.iter_mut().skip(1) {
            there *= stays.get(table.bins().of(passed)).copied().unwrap_or(1.0);
            passed += 1.0;
            *value = 1.0 - there;
        }
        Self(values)
    }

    /// That this ends and then something else does, which takes `other` with half a second less.
    fn then(&self, other: &[f64; STEPS]) -> Self {
        let mut values = [0.0; STEPS];
        let ends = self.0.iter().zip(self.0.iter().skip(1)).map(|(less, more)| more - less);
        // Ends in second e (from 1): h - e whole seconds and half of one are left for the other.
        for (before, end) in ends.enumerate() {
            let (Some(later), Some(other)) = (values.get_mut(before + 1..), other.get(1..)) else {
                break;
            };
            for (value, other) in later.iter_mut().zip(other) {
                *value += end * other;
            }
        }
        Self(values)
    }
}

/// Curves of all bins of one second each: by then the event has come, and what follows it as `gains` says. The last bin
/// goes on for ever.
fn backwards(hazards: impl DoubleEndedIterator<Item = Hazard>, gains: &[f64; STEPS]) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for second in hazards.rev().map(Hazard::second) {
        let mut values = [0.0; STEPS];
        let gained = values.iter_mut().zip(gains).skip(1);
        match curves.last() {
            Some(Curve(after)) => {
                for ((value, gain), rest) in gained.zip(after) {
                    *value = second.event * gain + second.stays * rest;
                }
            }
            None => {
                let mut rest = 0.0;
                for (value, gain) in gained {
                    rest = second.event * gain + second.stays * rest;
                    *value = rest;
                }
            }
        }
        curves.push(Curve(values));
    }
    curves.reverse();
    curves
}

/// Chance of each bin to last one more second.
fn stays(table: &LifeTable) -> Vec<f64> {
    table.hazards().map(|Hazard { event, exit }| libm::exp(-(event + exit))).collect()
}

impl Spot {
    /// So many seconds from now.
    #[must_use]
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "clamped to small numbers before"
    )]
    pub fn of(seconds: f64) -> Self {
        let seconds = seconds.clamp(0.0, f64::from(HORIZON) + 3.0);
        let second = seconds as usize;
        Self { second, part: seconds - second as f64 }
    }
}

/// How far is looked ahead, in seconds: nearly all who answer do so within it.
pub const HORIZON: u8 = 45;
/// Values of a curve: from 0 to the horizon, and the seconds of grace that an agent may come later.
const STEPS: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::pacing::predictive::life_table::{Bins, Law, Prior};

    /// Hazards of a hundredth of so much a second at every age.
    fn steady(event: f64, exit: f64, until: f64) -> LifeTable {
        let law = (0.0, Law::Normal { mean: 0.0, sd: 1.0 });
        let prior = Prior { subjects: 0.0, event: law, exit: law };
        let mut table = LifeTable::new(Bins::new(&[(1.0, until)]), &prior, 1e12);
        for age in 0..200u32 {
            let age = f64::from(age) + 0.5;
            table.there(age, 1e4);
            (0..100).for_each(|n| {
                if f64::from(n) < event * 1e2 {
                    table.event(age);
                } else if f64::from(n) < (event + exit) * 1e2 {
                    table.exit(age);
                }
            });
        }
        table
    }

    #[test]
    fn a_steady_hazard_gives_the_exponential_law() {
        // At most 100 events in 1e4 s: hazards are a hundredth of what is passed in.
        let ring = steady(1.0, 0.0, 45.0);
        let outlook = CallOutlook::new(&steady(0.5, 0.0, 25.0), &ring, 1.0);
        let curve = outlook.ringing().first().unwrap();
        for seconds in [1.0f64, 7.0, 30.0] {
            let exact = 1.0 - (-0.01 * seconds).exp();
            assert!((curve.within(seconds) - exact).abs() < 1e-3, "{seconds}");
        }
    }

    #[test]
    fn half_of_ever_is_reached_at_the_median() {
        let outlook = CallOutlook::new(&steady(0.5, 0.2, 25.0), &steady(0.9, 0.4, 45.0), 1.0);
        let curve = outlook.new_call().unwrap();
        let half = curve.quantile(0.5);
        assert!((curve.within(half) - curve.ever() / 2.0).abs() < 1e-9);
    }
}
