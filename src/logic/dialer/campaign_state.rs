//! The closed list of states of a campaign.

use std::str::FromStr;

/// States of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CampaignState {
    /// Dials.
    Running,
    /// Starts no call; calls in progress go on.
    Paused,
    /// Starts no call and will not again in this run.
    Draining,
    /// Nothing is left to do.
    Finished,
}

impl CampaignState {
    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Draining => "draining",
            Self::Finished => "finished",
        }
    }
}

/// The text is no state of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no state of a campaign")]
pub struct UnknownCampaignState(pub String);

impl FromStr for CampaignState {
    type Err = UnknownCampaignState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Running, Self::Paused, Self::Draining, Self::Finished];
        let found = all.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| UnknownCampaignState(text.to_owned()))
    }
}
