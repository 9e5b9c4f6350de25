//! The chance that a call, if answered, finds nobody: more answers than agents.
//!
//! Answers and agents that become free are independent events of unequal chances; their counts are Poisson-binomial. Up
//! to [`EXACT`] of them the distributions are computed, beyond it they are normal. Everything is kept for the moments at
//! which a new call may be answered side by side ([`Lanes`]), which processors work through several at a time; each
//! lane's arithmetic has one order, so that results are the same on every machine.

use crate::logic::pacing::predictive::life_table::standard_normal;

/// A value for each of [`HORIZONS`] moments at which a new call may be answered.
pub type Lanes = [f64; HORIZONS];

/// How many of some independent events happen by each moment.
#[derive(Clone, Debug)]
pub struct Count {
    /// Chance of exactly so many; the last cell is that many or more.
    cells: [Lanes; CELLS],
    /// Cells that hold more than nothing.
    used: usize,
    mean: Lanes,
    variance: Lanes,
}

impl Count {
    /// Of no events: none happens.
    #[must_use]
    pub fn none() -> Self {
        let mut cells = [[0.0; HORIZONS]; CELLS];
        if let Some(none) = cells.first_mut() {
            *none = [1.0; HORIZONS];
        }
        Self { cells, used: 1, mean: [0.0; HORIZONS], variance: [0.0; HORIZONS] }
    }

    /// One more event of these chances. Its exact distribution is kept up to date only if `exactly`.
    pub fn add(&mut self, chances: &Lanes, exactly: bool) {
        let mut some = false;
        let mut stays = [0.0; HORIZONS];
        let sums = self.mean.iter_mut().zip(&mut self.variance);
        for ((chance, stay), (mean, variance)) in chances.iter().zip(&mut stays).zip(sums) {
            some |= *chance > NEVER;
            *stay = 1.0 - chance;
            *mean += chance;
            *variance += chance * *stay;
        }
        if !exactly || !some {
            return;
        }
        let mut below = [0.0; HORIZONS];
        for cell in self.cells.iter_mut().take(self.used) {
            for ((value, below), (chance, stay)) in
                cell.iter_mut().zip(&mut below).zip(chances.iter().zip(&stays))
            {
                let before = *value;
                *value = before * stay + *below * chance;
                *below = before;
            }
        }
        // What leaves the top cell fills a new one, or stays: the last cell also stands for more.
        let full = self.used == CELLS;
        self.used = (self.used + 1).min(CELLS);
        if let Some(top) = self.cells.get_mut(self.used - 1) {
            for (value, (below, chance)) in top.iter_mut().zip(below.iter().zip(chances)) {
                *value = if full { *value + below * chance } else { below * chance };
            }
        }
    }
}

/// Chance by each moment that `answers` are at least `idle` and those of `free` together, so that one more would find
/// nobody.
#[must_use]
pub fn exact(idle: usize, answers: &Count, free: &Count) -> Lanes {
    let mut risk = [0.0; HORIZONS];
    let Some(reach) = answers.cells.get(idle..answers.used) else { return risk };
    // Chance of at least so many answers beyond `idle`, from the most down.
    let mut at_least = [[0.0; HORIZONS]; CELLS];
    let mut sum = [0.0; HORIZONS];
    for (at_least, answers) in at_least.iter_mut().zip(reach).rev() {
        for (sum, answers) in sum.iter_mut().zip(answers) {
            *sum += answers;
        }
        *at_least = sum;
    }
    let pairs = free.cells.iter().take(free.used).zip(at_least.iter().take(reach.len()));
    for (free, at_least) in pairs {
        for ((risk, free), at_least) in risk.iter_mut().zip(free).zip(at_least) {
            *risk += free * at_least;
        }
    }
    risk
}

/// The same for many of them; `doubt`: coefficient of variation of the answer level, which moves all answers together.
#[must_use]
pub fn normal(idle: usize, answers: &Count, free: &Count, doubt: f64) -> Lanes {
    let idle = f64::from(u32::try_from(idle).unwrap_or(u32::MAX));
    let mut risk = [0.0; HORIZONS];
    let answers = answers.mean.iter().zip(&answers.variance);
    let free = free.mean.iter().zip(&free.variance);
    for (risk, (answers, free)) in risk.iter_mut().zip(answers.zip(free)) {
        let together = doubt * answers.0;
        let deviation = (answers.1 + free.1 + together * together).sqrt();
        // Half a call of continuity correction.
        let margin = idle - 0.5 - (answers.0 - free.0);
        *risk = if deviation > 0.0 {
            standard_normal(-margin / deviation)
        } else if margin > 0.0 {
            0.0
        } else {
            1.0
        };
    }
    risk
}

/// Equally likely times of a new call's answer at which the risk is taken.
pub const HORIZONS: usize = 8;
/// Up to so many events the distributions are exact.
pub const EXACT: usize = 120;
const CELLS: usize = 64;
/// Chances not worth a cell.
const NEVER: f64 = 1e-5;

#[cfg(test)]
mod tests {
    use super::*;

    fn count(chances: &[f64]) -> Count {
        let mut count = Count::none();
        chances.iter().for_each(|chance| count.add(&[*chance; HORIZONS], true));
        count
    }

    /// By trying all ways.
    fn by_hand(idle: usize, answers: &[f64], free: &[f64]) -> f64 {
        let all: Vec<f64> = answers.iter().chain(free).copied().collect();
        let mut risk = 0.0;
        for way in 0..1usize << all.len() {
            let happens = |event: usize| way >> event & 1 == 1;
            let weight: f64 = all
                .iter()
                .enumerate()
                .map(|(e, p)| if happens(e) { *p } else { 1.0 - p })
                .product();
            let answered = (0..answers.len()).filter(|e| happens(*e)).count();
            let freed = (answers.len()..all.len()).filter(|e| happens(*e)).count();
            if answered >= idle + freed {
                risk += weight;
            }
        }
        risk
    }

    #[test]
    fn the_exact_risk_is_the_sum_over_all_ways() {
        let answers = [0.3, 0.9, 0.05, 0.5, 0.22];
        let free = [0.4, 0.15, 0.8];
        for idle in 0..7 {
            let ours = exact(idle, &count(&answers), &count(&free));
            for lane in ours {
                assert!((lane - by_hand(idle, &answers, &free)).abs() < 1e-12, "{idle}: {lane}");
            }
        }
    }

    #[test]
    fn each_moment_has_chances_of_its_own() {
        let mut answers = Count::none();
        let mut chances = [0.0; HORIZONS];
        chances.iter_mut().zip(1u8..).for_each(|(chance, k)| *chance = f64::from(k) / 10.0);
        answers.add(&chances, true);
        answers.add(&[0.5; HORIZONS], true);
        for (k, risk) in exact(1, &answers, &Count::none()).into_iter().enumerate() {
            assert!((risk - by_hand(1, &[chances[k], 0.5], &[])).abs() < 1e-12, "{k}: {risk}");
        }
    }

    #[test]
    fn the_last_cell_takes_whatever_is_more() {
        let many = count(&[0.9; 100]);
        assert_eq!(many.used, CELLS);
        assert!((many.cells.iter().map(|cell| cell[0]).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!((many.mean[3] - 90.0).abs() < 1e-9);
        assert!(exact(60, &many, &Count::none())[7] > 0.99);
        assert!(exact(64, &many, &Count::none())[7] == 0.0);
    }

    #[test]
    fn the_normal_form_agrees_with_the_exact_one_where_they_meet() {
        let answers = [0.25; 60];
        let free = [0.2; 60];
        for idle in [2, 4, 6, 9] {
            let (exact, near) = (
                exact(idle, &count(&answers), &count(&free))[0],
                normal(idle, &count(&answers), &count(&free), 0.0)[0],
            );
            assert!((exact - near).abs() < 0.01, "{idle}: {exact} {near}");
        }
    }
}
