//! Seeded dice: the same seed gives the same run.

use std::time::Duration;

use crate::logic::split_mix::SplitMix;

/// Throws by seed. Not for secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dice {
    numbers: SplitMix,
}

impl Dice {
    /// Dice that depend on the seed only.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { numbers: SplitMix::new(seed) }
    }

    /// Dice for one thing (a number, a phone) and one turn of it: what other things draw does not change them.
    #[must_use]
    pub fn of(seed: u64, thing: &str, turn: u64) -> Self {
        // FNV-1a spreads the text over 64 bits; one draw then mixes it with seed and turn.
        let text = thing.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut first = Self::new(seed ^ text.rotate_left(17));
        let mut second = Self::new(first.next() ^ turn);
        Self::new(second.next())
    }

    /// 64 even bits.
    pub const fn next(&mut self) -> u64 {
        self.numbers.next()
    }

    /// Even over `0..n`; 0 for an `n` of 0.
    pub fn below(&mut self, n: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(n);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// True in `ppm` of a million throws.
    pub fn chance_ppm(&mut self, ppm: u32) -> bool {
        self.below(1_000_000) < u64::from(ppm)
    }

    /// Even over [0, 1).
    pub fn unit(&mut self) -> f64 {
        let bits = self.next() >> 11;
        let high = u32::try_from(bits >> 32).unwrap_or(0);
        let low = u32::try_from(bits & 0xffff_ffff).unwrap_or(0);
        (f64::from(high) * 4_294_967_296.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// Mean 0, deviation 1 (Box and Muller, one of the pair).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Gamma with mean 1 and the coefficient of variation `cv` (Marsaglia and Tsang, 2000).
    pub fn gamma(&mut self, cv: f64) -> f64 {
        if cv <= 0.0 {
            return 1.0;
        }
        let shape = 1.0 / (cv * cv);
        // Below a shape of 1 the method needs one more factor.
        let (used, factor) = if shape < 1.0 {
            (shape + 1.0, (1.0 - self.unit()).powf(1.0 / shape))
        } else {
            (shape, 1.0)
        };
        let d = used - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        // One try is accepted with more than 95 %; the bound only keeps the loop finite.
        for _ in 0..64 {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v * factor / shape;
            }
        }
        1.0
    }
}

/// A law of durations. Draws are cut at [`LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    /// Always the same.
    Fixed {
        /// Milliseconds.
        ms: u32,
    },
    /// Even between two bounds, both included.
    Uniform {
        /// Milliseconds.
        min_ms: u32,
        /// Milliseconds.
        max_ms: u32,
    },
    /// Without memory.
    Exponential {
        /// Milliseconds.
        mean_ms: u32,
    },
    /// Talk times: many short, a few long.
    Lognormal {
        /// Milliseconds.
        mean_ms: u32,
        /// Deviation divided by mean.
        cv: f64,
    },
    /// Ring, wrap-up and post-dial times.
    Gamma {
        /// Milliseconds.
        mean_ms: u32,
        /// Deviation divided by mean.
        cv: f64,
    },
}

impl Law {
    /// Even between two bounds.
    #[must_use]
    pub const fn between(min_ms: u32, max_ms: u32) -> Self {
        Self::Uniform { min_ms, max_ms }
    }

    /// Always the same.
    #[must_use]
    pub const fn fixed(ms: u32) -> Self {
        Self::Fixed { ms }
    }

    /// One duration.
    #[must_use]
    pub fn draw(&self, dice: &mut Dice) -> Duration {
        let drawn = match *self {
            Self::Fixed { ms } => Duration::from_millis(u64::from(ms)),
            Self::Uniform { min_ms, max_ms } => {
                let width = u64::from(max_ms.saturating_sub(min_ms)) * 1000;
                Duration::from_micros(u64::from(min_ms) * 1000 + dice.below(width + 1))
            }
            Self::Exponential { mean_ms } => scaled(mean_ms, -(1.0 - dice.unit()).ln()),
            Self::Lognormal { mean_ms, cv } => {
                let variance = (1.0 + cv * cv).ln();
                scaled(mean_ms, (dice.normal() * variance.sqrt() - variance / 2.0).exp())
            }
            Self::Gamma { mean_ms, cv } => scaled(mean_ms, dice.gamma(cv)),
        };
        drawn.min(LONGEST)
    }
}

/// Nothing simulated lasts longer: a law with a heavy tail must not keep a test run open.
pub const LONGEST: Duration = Duration::from_secs(4 * 3600);

fn scaled(mean_ms: u32, factor: f64) -> Duration {
    Duration::try_from_secs_f64(f64::from(mean_ms) / 1000.0 * factor).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_and_cv(law: Law) -> (f64, f64) {
        let mut dice = Dice::new(7);
        let draws: Vec<f64> = (0..20_000).map(|_| law.draw(&mut dice).as_secs_f64()).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        (mean, variance.sqrt() / mean)
    }

    #[test]
    fn one_seed_gives_one_run() {
        let draw = |seed| {
            (0..50).map(|turn| Dice::of(seed, "+81312345678", turn).next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let mut all = draw(1);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 50, "each turn has dice of its own");
    }

    #[test]
    fn laws_have_their_mean_and_spread() {
        for (law, mean, cv) in [
            (Law::between(300, 1000), 0.65, 0.311),
            (Law::Exponential { mean_ms: 2000 }, 2.0, 1.0),
            (Law::Lognormal { mean_ms: 150_000, cv: 1.0 }, 150.0, 1.0),
            (Law::Gamma { mean_ms: 10_000, cv: 0.5 }, 10.0, 0.5),
            (Law::Gamma { mean_ms: 1000, cv: 1.5 }, 1.0, 1.5),
        ] {
            let (seen_mean, seen_cv) = mean_and_cv(law);
            assert!((seen_mean / mean - 1.0).abs() < 0.03, "{law:?}: mean {seen_mean}");
            assert!((seen_cv / cv - 1.0).abs() < 0.06, "{law:?}: cv {seen_cv}");
        }
        assert_eq!(Law::fixed(20).draw(&mut Dice::new(1)), Duration::from_millis(20));
    }

    #[test]
    fn uniform_stays_within_its_bounds_even_when_they_are_swapped() {
        let mut dice = Dice::new(3);
        for _ in 0..1000 {
            let drawn = Law::between(100, 300).draw(&mut dice);
            assert!((Duration::from_millis(100)..=Duration::from_millis(300)).contains(&drawn));
        }
        assert_eq!(Law::between(300, 100).draw(&mut dice), Duration::from_millis(300));
    }
}
