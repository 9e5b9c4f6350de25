//! How likely one lead is to be answered by a person now, learned call by call.
//!
//! A logistic model of what is known before a call: hour, weekday, kind of number, region, attempts so far, how the last
//! one ended, how long it rang. Each weight has a mean and a variance (an extended Kalman filter that keeps the diagonal
//! only); what was never seen has the weight 0 and the variance of the prior, so that an unknown lead is an average one.
//! Its use is a factor on the odds of the campaign's mean ([`AnswerModel::odds`]), which pacing may believe: it makes
//! agents wait less and can break no bound, because the ledger does not ask it.
//!
//! Pure, and the same on every machine. [`calibration`] says how far it may be believed, `memory` keeps it as text.

pub mod calibration;
pub mod features;
mod memory;

pub use memory::MemoryError;

use crate::logic::pacing::answer_model::calibration::Calibration;
use crate::logic::pacing::answer_model::features::{Features, GROUPS, WEIGHTS};

/// What a campaign has learned about who answers.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerModel {
    bias: Weight,
    weights: Vec<Weight>,
    /// Mean of what was predicted for the calls of late.
    usual: f64,
    calibration: Calibration,
}

/// A part of the log odds, and how unsure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Weight {
    mean: f64,
    variance: f64,
}

impl AnswerModel {
    /// Knows nothing: every lead is an average one.
    #[must_use]
    pub fn new() -> Self {
        let prior = Weight { mean: 0.0, variance: PRIOR };
        Self {
            bias: Weight { mean: log_odds(USUAL), variance: PRIOR_BIAS },
            weights: vec![prior; WEIGHTS],
            // What is told of a lead of which nothing is known, so that such a lead is an average one.
            usual: moderated(log_odds(USUAL), PRIOR_BIAS + GROUPS * PRIOR),
            calibration: Calibration::new(USUAL),
        }
    }

    /// Chance that a person answers, given enough ringing.
    #[must_use]
    pub fn chance(&self, lead: &Features) -> f64 {
        let (sum, variance) = self.sum(lead);
        moderated(sum, variance)
    }

    /// Odds of this lead against the odds of the campaign's mean of late: 1 for an average one.
    #[must_use]
    pub fn odds(&self, lead: &Features) -> f64 {
        let odds = libm::exp(log_odds(self.chance(lead)) - log_odds(self.usual));
        odds.clamp(1.0 / MOST_ODDS, MOST_ODDS)
    }

    /// These leads by place, the likeliest to answer first; equals in the order in which they came.
    #[must_use]
    pub fn order(&self, leads: &[Features]) -> Vec<usize> {
        let mut places: Vec<(usize, f64)> =
            leads.iter().map(|lead| self.chance(lead)).enumerate().collect();
        places.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        places.into_iter().map(|(place, _)| place).collect()
    }

    /// A call has ended: a person answered, or nobody did. Calls that say nothing about the person (refused by the
    /// carrier, given up by us) are not told.
    pub fn learn(&mut self, lead: &Features, answered: bool) {
        let told = self.chance(lead);
        let memory = (self.calibration.calls() + USUAL_AT_FIRST).min(USUAL_MEMORY);
        self.usual += (told - self.usual) / memory;
        self.calibration.note(told, answered);
        let (sum, variance) = self.sum(lead);
        let chance = logistic(sum);
        let spread = chance * (1.0 - chance);
        let total = 1.0 + spread * variance;
        let error = (f64::from(u8::from(answered)) - chance) / total;
        let less = spread / total;
        self.bias.learn(error, less);
        for place in lead.places() {
            if let Some(weight) = self.weights.get_mut(place) {
                weight.learn(error, less);
            }
        }
    }

    /// How well it has done so far.
    #[must_use]
    pub const fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    fn sum(&self, lead: &Features) -> (f64, f64) {
        let mut sum = (self.bias.mean, self.bias.variance);
        for weight in lead.places().filter_map(|place| self.weights.get(place)) {
            sum = (sum.0 + weight.mean, sum.1 + weight.variance);
        }
        sum
    }
}

impl Default for AnswerModel {
    fn default() -> Self {
        Self::new()
    }
}

impl Weight {
    fn learn(&mut self, error: f64, less: f64) {
        self.mean = (self.mean + self.variance * error).clamp(-MOST_WEIGHT, MOST_WEIGHT);
        // It never believes itself so much that a changed world could not change it.
        self.variance = (self.variance * (1.0 - self.variance * less)).max(LEAST_VARIANCE);
    }
}

/// Doubt pulls a chance towards one half (MacKay 1992, "The evidence framework applied to classification networks").
fn moderated(log_odds: f64, variance: f64) -> f64 {
    logistic(log_odds / (1.0 + std::f64::consts::PI * variance / 8.0).sqrt())
}

fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-log_odds))
}

fn log_odds(chance: f64) -> f64 {
    let chance = chance.clamp(1e-6, 1.0 - 1e-6);
    libm::log(chance / (1.0 - chance))
}

/// Before anything is known about a campaign.
const USUAL: f64 = 0.25;
/// Variance of a weight that was never seen: three in four are within a factor of 1.6 on the odds.
const PRIOR: f64 = 0.16;
const PRIOR_BIAS: f64 = 1.0;
/// What some thousand calls say is remembered.
const LEAST_VARIANCE: f64 = 0.004;
const MOST_WEIGHT: f64 = 6.0;
/// Calls over which the campaign's mean is taken.
const USUAL_MEMORY: f64 = 500.0;
/// Calls that what is believed before the first one is worth.
const USUAL_AT_FIRST: f64 = 20.0;
/// More than this is not believed of anybody.
const MOST_ODDS: f64 = 20.0;

#[cfg(test)]
mod tests;
