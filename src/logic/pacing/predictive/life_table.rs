//! How long things last, learned from what ends and from what is still there.
//!
//! Competing risks by age: in each bin of age so much time was spent under observation (exposure), so many subjects
//! ended as hoped for (events) and so many otherwise (exits). Events over exposure is a hazard, which needs no waiting
//! for calls that are still going on, as an average of finished durations would. Old observations fade; what was
//! believed before the first one (the prior) does not, it is only outweighed.

/// Hazards by age, per second.
#[derive(Clone, Debug)]
pub struct LifeTable {
    bins: Bins,
    seen: Vec<Cell>,
    prior: Vec<Cell>,
    /// What one observation weighs in `seen`; grows, so that older ones count for less.
    weight: f64,
    growth: f64,
}

/// Ways out of a state, per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hazard {
    /// As hoped for.
    pub event: f64,
    /// Any other way.
    pub exit: f64,
}

/// What happens within one second.
#[derive(Clone, Copy, Debug)]
pub struct Second {
    /// Chance of the event.
    pub event: f64,
    /// Chance to be still there after it.
    pub stays: f64,
}

/// Stretches of age in whole seconds. The last one takes whatever is older.
#[derive(Clone, Debug)]
pub struct Bins {
    ends: Vec<f64>,
    /// The bin of each second of age.
    by_second: Vec<u16>,
}

/// What was believed before anything was seen: so many subjects with these fates.
#[derive(Clone, Copy, Debug)]
pub struct Prior {
    /// How many subjects it is worth.
    pub subjects: f64,
    /// Share and law of those that end in the event.
    pub event: (f64, Law),
    /// Share and law of the others.
    pub exit: (f64, Law),
}

/// When something happens, in seconds.
#[derive(Clone, Copy, Debug)]
pub enum Law {
    /// Lognormal by mean and coefficient of variation.
    LogNormal {
        /// Mean.
        mean: f64,
        /// Standard deviation over mean.
        cv: f64,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        sd: f64,
    },
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    exposure: f64,
    events: f64,
    exits: f64,
}

impl LifeTable {
    /// Of these bins; `memory` is how many finished subjects it takes for an older one to fade to a third.
    #[must_use]
    pub fn new(bins: Bins, prior: &Prior, memory: f64) -> Self {
        let prior = prior.cells(&bins);
        let seen = vec![Cell::default(); prior.len()];
        Self { bins, seen, prior, weight: 1.0, growth: 1.0 / (1.0 - 1.0 / memory) }
    }

    /// A subject of this age was there for so many seconds.
    pub fn there(&mut self, age: f64, seconds: f64) {
        let weight = self.weight;
        if let Some(cell) = self.cell(age) {
            cell.exposure += weight * seconds;
        }
    }

    /// One ended as hoped for at this age.
    pub fn event(&mut self, age: f64) {
        let weight = self.weight;
        if let Some(cell) = self.cell(age) {
            cell.events += weight;
        }
        self.fade();
    }

    /// One ended otherwise at this age.
    pub fn exit(&mut self, age: f64) {
        let weight = self.weight;
        if let Some(cell) = self.cell(age) {
            cell.exits += weight;
        }
        self.fade();
    }

    /// At one age.
    #[must_use]
    pub fn hazard(&self, age: f64) -> Hazard {
        let bin = self.bins.of(age);
        let (seen, prior) = (self.seen.get(bin), self.prior.get(bin));
        seen.zip(prior)
            .map_or(Hazard { event: 0.0, exit: 0.0 }, |(seen, prior)| self.mix(seen, prior))
    }

    /// Of each bin, the youngest first.
    pub fn hazards(&self) -> impl DoubleEndedIterator<Item = Hazard> + '_ {
        self.seen.iter().zip(&self.prior).map(|(seen, prior)| self.mix(seen, prior))
    }

    /// What is remembered of it: exposure, events and exits of each bin.
    #[must_use]
    pub fn numbers(&self) -> Vec<f64> {
        let cells = self.seen.iter();
        cells
            .flat_map(|cell| [cell.exposure, cell.events, cell.exits])
            .map(|number| number / self.weight)
            .collect()
    }

    /// Takes back what was remembered; `false`: those are not the cells of this table.
    pub fn set(&mut self, numbers: &[f64]) -> bool {
        let (cells, rest) = numbers.as_chunks();
        if cells.len() != self.seen.len() || !rest.is_empty() {
            return false;
        }
        self.weight = 1.0;
        for (cell, [exposure, events, exits]) in self.seen.iter_mut().zip(cells) {
            *cell = Cell { exposure: *exposure, events: *events, exits: *exits };
        }
        numbers.iter().all(|number| *number >= 0.0)
    }

    /// The bins.
    #[must_use]
    pub const fn bins(&self) -> &Bins {
        &self.bins
    }

    fn mix(&self, seen: &Cell, prior: &Cell) -> Hazard {
        let exposure = seen.exposure / self.weight + prior.exposure;
        Hazard {
            event: (seen.events / self.weight + prior.events) / exposure,
            exit: (seen.exits / self.weight + prior.exits) / exposure,
        }
    }

    fn cell(&mut self, age: f64) -> Option<&mut Cell> {
        let bin = self.bins.of(age);
        self.seen.get_mut(bin)
    }

    fn fade(&mut self) {
        self.weight *= self.growth;
        if self.weight > HEAVY {
            for cell in &mut self.seen {
                cell.exposure /= self.weight;
                cell.events /= self.weight;
                cell.exits /= self.weight;
            }
            self.weight = 1.0;
        }
    }
}

impl Hazard {
    /// With the event `times` as likely.
    #[must_use]
    pub fn scaled(self, times: f64) -> Self {
        Self { event: self.event * times, ..self }
    }

    /// Over one second of constant hazard.
    #[must_use]
    pub fn second(self) -> Second {
        let out = self.event + self.exit;
        if out <= 0.0 {
            return Second { event: 0.0, stays: 1.0 };
        }
        let stays = libm::exp(-out);
        Second { event: (1.0 - stays) * self.event / out, stays }
    }
}

impl Bins {
    /// Stretches of so many whole seconds each until such an age, then the next.
    #[must_use]
    pub fn new(stretches: &[(f64, f64)]) -> Self {
        let (mut ends, mut by_second) = (Vec::new(), Vec::new());
        let (mut end, mut second, mut bin) = (0.0, 0.0, 0u16);
        for (width, until) in stretches {
            while end < *until {
                end += width;
                ends.push(end);
                while second < end {
                    by_second.push(bin);
                    second += 1.0;
                }
                bin = bin.saturating_add(1);
            }
        }
        Self { ends, by_second }
    }

    /// Which one an age falls into. What is no age falls into the first.
    #[must_use]
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below nothing is nothing, and beyond the last second is the last bin"
    )]
    pub fn of(&self, age: f64) -> usize {
        let second = (age as usize).min(self.by_second.len().saturating_sub(1));
        self.by_second.get(second).map_or(0, |bin| usize::from(*bin))
    }

    /// Their middles, the youngest first.
    pub fn middles(&self) -> impl Iterator<Item = f64> + '_ {
        self.starts().zip(&self.ends).map(|(start, end)| f64::midpoint(start, *end))
    }

    fn starts(&self) -> impl Iterator<Item = f64> + '_ {
        std::iter::once(0.0).chain(self.ends.iter().copied())
    }
}

impl Prior {
    fn cells(&self, bins: &Bins) -> Vec<Cell> {
        let mut there = 1.0;
        let cell = |(start, end): (f64, &f64)| {
            let within = |(share, law): (f64, Law)| share * (law.before(*end) - law.before(start));
            let (events, exits) = (within(self.event), within(self.exit));
            let exposure = (end - start) * (there - f64::midpoint(events, exits)).max(RARE);
            there = (there - events - exits).max(0.0);
            Cell {
                exposure: self.subjects * exposure,
                events: self.subjects * events,
                exits: self.subjects * exits,
            }
        };
        bins.starts().zip(&bins.ends).map(cell).collect()
    }
}

impl Law {
    /// Nothing of the kind.
    pub const NEVER: (f64, Self) = (0.0, Self::Normal { mean: 0.0, sd: 1.0 });

    /// Chance that it happens before this age.
    #[must_use]
    pub fn before(self, age: f64) -> f64 {
        match self {
            Self::LogNormal { .. } if age <= 0.0 => 0.0,
            Self::LogNormal { mean, cv } => {
                let variance = libm::log1p(cv * cv);
                standard_normal((libm::log(age / mean) + variance / 2.0) / variance.sqrt())
            }
            Self::Normal { mean, sd } => standard_normal((age - mean) / sd),
        }
    }
}

/// Chance that a standard normal variable is at most `z`.
#[must_use]
pub fn standard_normal(z: f64) -> f64 {
    libm::erfc(-z / std::f64::consts::SQRT_2) / 2.0
}

/// Where few of the prior's subjects are left, so many are taken to be there: an age that nobody believed in is
/// learned from the first that reaches it.
const RARE: f64 = 0.02;
/// Far from where digits would be lost.
const HEAVY: f64 = 1e9;

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(bins: u8) -> Bins {
        Bins::new(&[(1.0, f64::from(bins))])
    }

    fn weak() -> Prior {
        let law = Law::LogNormal { mean: 10.0, cv: 0.6 };
        Prior { subjects: 0.001, event: (0.5, law), exit: (0.5, law) }
    }

    #[test]
    fn the_hazard_is_events_over_exposure_of_that_age() {
        let mut table = LifeTable::new(seconds(20), &weak(), 1e9);
        for _ in 0..100 {
            table.there(4.5, 1.0);
        }
        for _ in 0..20 {
            table.event(4.2);
        }
        for _ in 0..5 {
            table.exit(4.9);
        }
        let hazard = table.hazard(4.0);
        assert!(
            (hazard.event - 0.2).abs() < 1e-4 && (hazard.exit - 0.05).abs() < 1e-4,
            "{hazard:?}"
        );
        let second = hazard.second();
        let still = (-0.25f64).exp();
        assert!((second.stays - still).abs() < 1e-4);
        assert!((second.event - (1.0 - still) * 0.8).abs() < 1e-4);
    }

    #[test]
    fn what_lies_a_memory_back_weighs_a_third() {
        let mut table = LifeTable::new(seconds(20), &weak(), 100.0);
        table.there(1.5, 1_000.0);
        let before = table.hazard(1.5).event;
        for _ in 0..100 {
            table.event(7.5);
            table.there(7.5, 1.0);
        }
        for _ in 0..100 {
            table.exit(1.5);
        }
        assert!(before < 1e-3);
        // 1,000 s of exposure have faded twice; the exits came after half of that.
        let exposure = 1_000.0 / libm::exp(2.0);
        let exits: f64 = (0..100).map(|n| (1.0f64 - 0.01).powi(n)).sum();
        let hazard = table.hazard(1.5).exit;
        assert!((hazard / (exits / exposure) - 1.0).abs() < 0.03, "{hazard}");
    }

    #[test]
    fn before_anything_is_seen_the_prior_speaks() {
        let law = Law::LogNormal { mean: 11.0, cv: 0.6 };
        let prior = Prior {
            subjects: 20.0,
            event: (0.35, law),
            exit: (0.65, Law::Normal { mean: 24.0, sd: 4.0 }),
        };
        let table = LifeTable::new(seconds(45), &prior, 3_000.0);
        let (mut there, mut events) = (1.0, 0.0);
        for second in table.hazards().map(Hazard::second) {
            events += there * second.event;
            there *= second.stays;
        }
        assert!((events - 0.35).abs() < 0.02, "{events}");
        assert!(there < 0.02, "{there}");
    }

    #[test]
    fn an_age_beyond_the_last_bin_belongs_to_it() {
        let bins = Bins::new(&[(3.0, 60.0), (10.0, 180.0)]);
        assert_eq!((bins.of(0.0), bins.of(2.9), bins.of(3.0), bins.of(60.0)), (0, 0, 1, 20));
        assert_eq!(bins.of(1e9), 31);
        assert_eq!(bins.middles().nth(20), Some(65.0));
        assert_eq!(bins.middles().count(), 32);
    }
}
