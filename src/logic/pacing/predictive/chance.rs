//! The chance that a call, if answered, finds nobody: more answers than agents.
//!
//! Answers and agents that become free are independent events of unequal chances; their counts are Poisson-binomial. Up
//! to [`EXACT`] of them the distributions are computed, beyond it they are normal.

use crate::logic::pacing::predictive::life_table::standard_normal;

/// How many of some independent events happen.
#[derive(Clone, Debug)]
pub struct Count {
    /// Chance of exactly so many; the last cell is that many or more.
    cells: Vec<f64>,
    mean: f64,
    variance: f64,
}

impl Count {
    /// Of no events: none happens.
    #[must_use]
    pub fn none() -> Self {
        Self { cells: vec![1.0], mean: 0.0, variance: 0.0 }
    }

    /// One more event of this chance. Its exact distribution is kept up to date only if `exactly`.
    pub fn add(&mut self, chance: f64, exactly: bool) {
        if chance.is_nan() || chance <= NEVER {
            return;
        }
        let chance = chance.min(1.0);
        self.mean += chance;
        self.variance += chance * (1.0 - chance);
        if !exactly {
            return;
        }
        if self.cells.len() < CELLS {
            self.cells.push(0.0);
        }
        let last = self.cells.len() - 1;
        let mut below = 0.0;
        for (cell, value) in self.cells.iter_mut().enumerate() {
            let before = *value;
            // Whoever is in the last cell stays there: it also stands for more.
            let leaves = if cell == last && last == CELLS - 1 { 0.0 } else { chance };
            *value = before * (1.0 - leaves) + below * chance;
            below = before;
        }
    }

    /// Mean.
    #[must_use]
    pub const fn mean(&self) -> f64 {
        self.mean
    }
}

/// Chance that `answers` are at least `idle` and those of `free` together, so that one more would find nobody.
#[must_use]
pub fn exact(idle: usize, answers: &Count, free: &Count) -> f64 {
    let most = answers.cells.len();
    if idle >= most {
        return 0.0;
    }
    // at_least[i]: chance of idle + i answers or more.
    let mut at_least: Vec<f64> = answers.cells.iter().skip(idle).rev().copied().collect();
    let mut sum = 0.0;
    for value in &mut at_least {
        sum += *value;
        *value = sum;
    }
    free.cells.iter().zip(at_least.iter().rev()).map(|(free, answers)| free * answers).sum()
}

/// The same for many of them; `doubt`: coefficient of variation of the answer level, which moves all answers together.
#[must_use]
pub fn normal(idle: usize, answers: &Count, free: &Count, doubt: f64) -> f64 {
    let idle = f64::from(u32::try_from(idle).unwrap_or(u32::MAX));
    let together = doubt * answers.mean;
    let deviation = (answers.variance + free.variance + together * together).sqrt();
    // Half a call of continuity correction.
    let margin = idle - 0.5 - (answers.mean - free.mean);
    if deviation <= 0.0 {
        return if margin > 0.0 { 0.0 } else { 1.0 };
    }
    standard_normal(-margin / deviation)
}

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
        chances.iter().for_each(|chance| count.add(*chance, true));
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
            assert!((ours - by_hand(idle, &answers, &free)).abs() < 1e-12, "{idle}: {ours}");
        }
    }

    #[test]
    fn the_last_cell_takes_whatever_is_more() {
        let many = count(&[0.9; 100]);
        assert_eq!(many.cells.len(), CELLS);
        assert!((many.cells.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!((many.mean() - 90.0).abs() < 1e-9);
        assert!(exact(60, &many, &Count::none()) > 0.99);
    }

    #[test]
    fn the_normal_form_agrees_with_the_exact_one_where_they_meet() {
        let answers = [0.25; 60];
        let free = [0.2; 60];
        for idle in [2, 4, 6, 9] {
            let (exact, near) = (
                exact(idle, &count(&answers), &count(&free)),
                normal(idle, &count(&answers), &count(&free), 0.0),
            );
            assert!((exact - near).abs() < 0.01, "{idle}: {exact} {near}");
        }
    }
}
