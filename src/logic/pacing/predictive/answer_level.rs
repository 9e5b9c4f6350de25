//! How much likelier than usual people answer now.
//!
//! The ring table learns from thousands of calls and is slow; the level is its quick corrector: answers seen over answers
//! that the table expected (a Gamma-Poisson filter), once with a long memory and once with a short one. When the short
//! one contradicts the long one beyond chance, the world has changed and the long memory is given up.

/// Answers seen over answers expected.
#[derive(Clone, Copy, Debug)]
pub struct AnswerLevel {
    slow: Filter,
    fast: Filter,
    /// Live answers ever.
    answers: f64,
}

#[derive(Clone, Copy, Debug)]
struct Filter {
    seen: f64,
    expected: f64,
}

impl AnswerLevel {
    /// Before anything is known: as the table says.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slow: Filter { seen: 5.0, expected: 5.0 },
            fast: Filter { seen: 1.0, expected: 1.0 },
            answers: 0.0,
        }
    }

    /// What a step expected and what came; `a_second`: live answers per second of late.
    pub fn step(&mut self, expected: f64, answers: f64, a_second: f64) {
        self.answers += answers;
        self.slow.step(expected, answers, (300.0 * a_second).clamp(60.0, 600.0));
        self.fast.step(expected, answers, (20.0 * a_second).clamp(10.0, 100.0));
        let usual = self.slow.seen / self.slow.expected.max(TINY);
        let deviation = (self.fast.expected.max(0.5) * usual).sqrt().max(0.5);
        let surprise = (self.fast.seen - self.fast.expected * usual) / deviation;
        if surprise > 2.5 || (surprise < -3.5 && self.fast.expected > 8.0) {
            self.slow = self.fast;
        }
    }

    /// Times as likely as the table says.
    #[must_use]
    pub fn level(&self) -> f64 {
        (self.slow.seen + 1.0) / (self.slow.expected + 1.0)
    }

    /// How unsure that is: its coefficient of variation. A table that has seen few answers is a guess itself.
    #[must_use]
    pub fn doubt(&self) -> f64 {
        (1.0 / (self.slow.seen + 1.0) + 0.25 * 20.0 / (20.0 + self.answers)).sqrt()
    }

    /// The level to plan with: on the side of more answers.
    #[must_use]
    pub fn cautious(&self) -> f64 {
        self.level() * (1.0 + 0.5 * self.doubt())
    }

    /// What is remembered of it.
    #[must_use]
    pub const fn numbers(&self) -> [f64; 5] {
        let Self { slow, fast, answers } = self;
        [slow.seen, slow.expected, fast.seen, fast.expected, *answers]
    }

    /// Takes back what was remembered; `false`: that is no level.
    pub fn set(&mut self, numbers: &[f64]) -> bool {
        let &[slow_seen, slow_expected, fast_seen, fast_expected, answers] = numbers else {
            return false;
        };
        self.slow = Filter { seen: slow_seen, expected: slow_expected };
        self.fast = Filter { seen: fast_seen, expected: fast_expected };
        self.answers = answers;
        numbers.iter().all(|number| *number >= 0.0)
    }

    /// Live answers ever seen.
    #[must_use]
    pub const fn answers(&self) -> f64 {
        self.answers
    }
}

impl Default for AnswerLevel {
    fn default() -> Self {
        Self::new()
    }
}

impl Filter {
    fn step(&mut self, expected: f64, answers: f64, memory: f64) {
        let keep = libm::exp(-expected / memory);
        self.seen = keep * self.seen + answers;
        self.expected = keep * self.expected + expected;
    }
}

const TINY: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_settles_at_what_is_seen_over_what_was_expected() {
        let mut level = AnswerLevel::new();
        for step in 0..4_000 {
            level.step(0.1, if step % 20 == 0 { 1.0 } else { 0.0 }, 0.1);
        }
        assert!((level.level() - 0.5).abs() < 0.12, "{}", level.level());
        assert!(level.cautious() > level.level());
    }

    #[test]
    fn a_threefold_answer_rate_is_believed_within_thirty_answers() {
        let mut level = AnswerLevel::new();
        for step in 0..4_000 {
            level.step(0.1, if step % 10 == 0 { 1.0 } else { 0.0 }, 0.2);
        }
        let before = level.level();
        for step in 0..100 {
            level.step(0.1, if step % 10 < 3 { 1.0 } else { 0.0 }, 0.2);
        }
        assert!(before < 1.2 && level.level() > 2.0, "{before} {}", level.level());
    }
}
