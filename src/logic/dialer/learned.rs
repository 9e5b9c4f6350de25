//! What is learned of a campaign, as text that outlives the process: one of each part, replaced as a whole.

use crate::logic::ids::CampaignId;
use crate::logic::time::UtcMs;

/// See [`StoreCommand::Learned`](crate::logic::dialer::StoreCommand::Learned).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The campaign.
    pub campaign: CampaignId,
    /// By which part.
    pub part: LearnedPart,
    /// As that part writes it.
    pub body: String,
    /// What was wrong with the text that this one replaces, where it could not be read.
    pub unreadable: Option<String>,
    /// When.
    pub at: UtcMs,
}

/// Who has learned something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LearnedPart {
    /// [`crate::logic::pacing::predictive::Predictor`].
    Pacing,
    /// [`crate::logic::pacing::answer_model::AnswerModel`].
    Answers,
}

impl LearnedPart {
    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pacing => "pacing",
            Self::Answers => "answers",
        }
    }
}

/// What an earlier process had learned of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LearnedBefore {
    /// By its pacing engine.
    pub pacing: Option<String>,
    /// About who answers.
    pub answers: Option<String>,
}
