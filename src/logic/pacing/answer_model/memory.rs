//! What was learned, as text: one name and its numbers a line, the version first.

use std::fmt::Write as _;

use crate::logic::pacing::answer_model::calibration::Calibration;
use crate::logic::pacing::answer_model::features::WEIGHTS;
use crate::logic::pacing::answer_model::{AnswerModel, Weight};

/// Text that is no memory of an answer model. The model starts anew then; nothing is half taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// Of another kind or version.
    #[error(
        "the answer model begins with {0:?}, expected {HEAD:?}: it is of another version; let it learn anew"
    )]
    Version(String),
    /// A line is not what it should be.
    #[error("line {line} of the answer model is not {expected}: it is damaged; let it learn anew")]
    Line {
        /// From 1.
        line: usize,
        /// What should be there.
        expected: &'static str,
    },
}

impl AnswerModel {
    /// Everything, as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let weights = |weight: &Weight| [weight.mean, weight.variance];
        let mut text = format!("{HEAD}\n");
        line(&mut text, "usual", [self.usual]);
        line(&mut text, "bias", weights(&self.bias));
        line(&mut text, "weights", self.weights.iter().flat_map(weights));
        line(&mut text, "calibration", self.calibration.numbers());
        text
    }

    /// What [`Self::to_text`] gave.
    ///
    /// # Errors
    /// Another version, or a damaged line.
    pub fn from_text(text: &str) -> Result<Self, MemoryError> {
        let mut lines = text.lines();
        let head = lines.next().unwrap_or_default();
        if head != HEAD {
            return Err(MemoryError::Version(head.chars().take(40).collect()));
        }
        let mut number = 1;
        let mut next = |name: &'static str| {
            number += 1;
            let wrong = MemoryError::Line { line: number, expected: name };
            let mut words = lines.next().unwrap_or_default().split(' ');
            if words.next() != Some(name) {
                return Err(wrong);
            }
            let numbers = words.map(|word| word.parse::<f64>().ok().filter(|n| n.is_finite()));
            numbers
                .collect::<Option<Vec<f64>>>()
                .map(|numbers| (numbers, wrong.clone()))
                .ok_or(wrong)
        };
        let (usual, wrong) = next("usual")?;
        let [usual] = usual[..] else { return Err(wrong) };
        let (bias, wrong) = next("bias")?;
        let [mean, variance] = bias[..] else { return Err(wrong) };
        let (weights, wrong) = next("weights")?;
        if weights.len() != 2 * WEIGHTS {
            return Err(wrong);
        }
        let weights = weights.chunks_exact(2).filter_map(|pair| match *pair {
            [mean, variance] => Some(Weight { mean, variance }.sound()),
            _ => None,
        });
        let weights = weights.collect();
        let (calibration, wrong) = next("calibration")?;
        let calibration = Calibration::from_numbers(&calibration).ok_or(wrong)?;
        Ok(Self {
            bias: Weight { mean, variance }.sound(),
            weights,
            usual: usual.clamp(0.0, 1.0),
            calibration,
        })
    }
}

impl Weight {
    /// A variance is not negative; a weight has its bounds.
    fn sound(self) -> Self {
        Self {
            mean: self.mean.clamp(-super::MOST_WEIGHT, super::MOST_WEIGHT),
            variance: self.variance.clamp(super::LEAST_VARIANCE, super::PRIOR_BIAS),
        }
    }
}

/// Numbers in the shortest form that reads back as the same bits.
fn line(text: &mut String, name: &str, numbers: impl IntoIterator<Item = f64>) {
    text.push_str(name);
    for number in numbers {
        // Writing to a string cannot fail.
        write!(text, " {number:?}").ok();
    }
    text.push('\n');
}

const HEAD: &str = "outdial answer model 1";
