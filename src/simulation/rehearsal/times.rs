//! How long something lasts: by a law, or as it was seen.

use std::time::Duration;

use crate::simulation::dice::{Dice, Law};

/// A distribution of durations.
#[derive(Clone, Debug, PartialEq)]
pub enum Times {
    /// By a law.
    Law(Law),
    /// As seen: quantiles in milliseconds, evenly spaced from the shortest to the longest; between two of them every time
    /// is as likely as the next.
    Seen(Vec<u32>),
}

impl Times {
    /// Always the same.
    #[must_use]
    pub const fn fixed(ms: u32) -> Self {
        Self::Law(Law::fixed(ms))
    }

    /// What was seen, as quantiles. `None` without a sample.
    #[must_use]
    pub fn seen(mut sample: Vec<u32>) -> Option<Self> {
        sample.sort_unstable();
        let last = sample.len().checked_sub(1)?;
        let at = |step: usize| sample.get(last * step / STEPS).copied();
        Some(Self::Seen((0..=STEPS).filter_map(at).collect()))
    }

    /// One duration.
    #[must_use]
    pub fn draw(&self, dice: &mut Dice) -> Duration {
        match self {
            Self::Law(law) => law.draw(dice),
            Self::Seen(quantiles) => between(quantiles, dice),
        }
    }

    /// The mean in seconds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let mean_ms = |ms: u32| f64::from(ms) / 1_000.0;
        match self {
            Self::Law(Law::Fixed { ms }) => mean_ms(*ms),
            Self::Law(Law::Uniform { min_ms, max_ms }) => {
                (mean_ms(*min_ms) + mean_ms(*max_ms)) / 2.0
            }
            Self::Law(
                Law::Exponential { mean_ms: ms }
                | Law::Lognormal { mean_ms: ms, .. }
                | Law::Gamma { mean_ms: ms, .. },
            ) => mean_ms(*ms),
            Self::Seen(quantiles) => {
                let pairs = quantiles.windows(2);
                let count = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
                if count == 0 {
                    return quantiles.first().map_or(0.0, |only| mean_ms(*only));
                }
                let sum: f64 =
                    pairs.map(|pair| pair.iter().map(|q| mean_ms(*q)).sum::<f64>() / 2.0).sum();
                sum / f64::from(count)
            }
        }
    }
}

fn between(quantiles: &[u32], dice: &mut Dice) -> Duration {
    let steps = u64::try_from(quantiles.len()).unwrap_or(0).saturating_sub(1);
    let place = usize::try_from(dice.below(steps.max(1))).unwrap_or(0);
    let low = quantiles.get(place).copied().unwrap_or(0);
    let high = quantiles.get(place + 1).copied().unwrap_or(low);
    let width = u64::from(high.saturating_sub(low)) * 1_000;
    Duration::from_micros(u64::from(low) * 1_000 + dice.below(width + 1))
}

/// A sample is kept as so many steps: finer ones say more of the sample than of the campaign.
const STEPS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_comes_again() {
        let law = Law::Lognormal { mean_ms: 150_000, cv: 1.0 };
        let mut dice = Dice::new(3);
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap();
        let sample: Vec<u32> = (0..20_000).map(|_| millis(law.draw(&mut dice))).collect();
        let seen = Times::seen(sample).unwrap();
        assert!((seen.mean() / 150.0 - 1.0).abs() < 0.05, "{}", seen.mean());
        let draws: Vec<f64> = (0..20_000).map(|_| seen.draw(&mut dice).as_secs_f64()).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        assert!((mean / seen.mean() - 1.0).abs() < 0.05, "{mean}");
    }

    #[test]
    fn one_observation_is_all_there_is() {
        let seen = Times::seen(vec![700]).unwrap();
        assert_eq!(seen.draw(&mut Dice::new(1)), Duration::from_millis(700));
        assert_eq!(Times::seen(vec![]), None);
    }
}
