//! Leads who differ in what a dialer can know about them, and in how likely they answer.

use crate::logic::pacing::answer_model::features::{Features, LastTime, NumberKind};
use crate::simulation::dice::Dice;

/// Whom a call goes to.
#[derive(Clone, Copy, Debug)]
pub struct Lead {
    /// What is known.
    pub known: Features,
    /// Odds to answer against the average: what a pacer would give much to know.
    pub odds: f64,
}

impl Lead {
    /// The lead of a call of a seed. Kind of number, region and attempts so far move the odds; luck that nobody can know
    /// does so too.
    #[must_use]
    pub fn of(seed: u64, call: u64) -> Self {
        let mut dice = Dice::of(seed, "lead", call);
        let mobile = dice.below(2) == 0;
        let region = dice.below(12);
        let attempts = dice.below(4);
        let small = |count: u64| f64::from(u32::try_from(count).unwrap_or(0));
        let log_odds = if mobile { 0.6 } else { -0.6 }
            + (small(region) - 5.5) * 0.1
            + (1.5 - small(attempts)) * 0.4
            + 0.4 * dice.normal();
        let known = Features {
            hour: 10,
            weekday: 1,
            kind: if mobile { NumberKind::Mobile } else { NumberKind::Fixed },
            region,
            attempts: u32::try_from(attempts).unwrap_or(0),
            last: if attempts == 0 { LastTime::Never } else { LastTime::NoAnswer },
            rang: if attempts == 0 { 0 } else { 22 },
        };
        Self { known, odds: log_odds.exp() }
    }

    /// The chance of this lead where the average one has this.
    #[must_use]
    pub fn chance(&self, average: f64) -> f64 {
        average * self.odds / (1.0 - average + average * self.odds)
    }
}
