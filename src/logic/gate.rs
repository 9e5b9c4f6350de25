//! The closed list of reasons for which a lead is not dialed now.

use std::str::FromStr;

use crate::logic::time::UtcMs;

/// Why a lead may not be dialed now. Closed list; the text is the same in database, `why`, API and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gate {
    /// Somebody else claimed the lead.
    LeaseLost,
    /// This node's own lease ended, or its row is gone.
    NodeLease,
    /// The campaign is not running.
    CampaignState,
    /// Person, number or seller is on a do-not-call list.
    Suppressed,
    /// A call to the number is under way, in whatever campaign.
    NumberBusy,
    /// Attempts per person and day are used up.
    PerDay,
    /// Attempts per person and 30 days are used up.
    Per30Days,
    /// Attempts per lead are used up.
    Total,
    /// Too soon after the last attempt.
    MinGap,
    /// Too many INVITEs that nobody heard, in this hour.
    Undelivered,
    /// Outside calling hours.
    Hours,
    /// The country is not on the allow-list.
    Country,
    /// Not one of the numbers of `test_only`.
    TestOnly,
    /// A number that is never dialed (emergency, premium, ...).
    NeverDial,
    /// No number of this person is left.
    NoNumber,
    /// Retry rule: not yet due.
    Retry,
    /// A call is promised for later.
    Callback,
    /// The abandonment ledger has no credit for a call without an agent of its own.
    Credit,
    /// An agent saw the person before the call and passed it by.
    Skipped,
}

impl Gate {
    /// Every gate.
    pub const ALL: [Self; 19] = [
        Self::LeaseLost,
        Self::NodeLease,
        Self::CampaignState,
        Self::Suppressed,
        Self::NumberBusy,
        Self::PerDay,
        Self::Per30Days,
        Self::Total,
        Self::MinGap,
        Self::Undelivered,
        Self::Hours,
        Self::Country,
        Self::TestOnly,
        Self::NeverDial,
        Self::NoNumber,
        Self::Retry,
        Self::Callback,
        Self::Credit,
        Self::Skipped,
    ];

    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeaseLost => "lease_lost",
            Self::NodeLease => "node_lease",
            Self::CampaignState => "campaign_state",
            Self::Suppressed => "suppressed",
            Self::NumberBusy => "number_busy",
            Self::PerDay => "per_day",
            Self::Per30Days => "per_30_days",
            Self::Total => "total",
            Self::MinGap => "min_gap",
            Self::Undelivered => "undelivered",
            Self::Hours => "hours",
            Self::Country => "country",
            Self::TestOnly => "test_only",
            Self::NeverDial => "never_dial",
            Self::NoNumber => "no_number",
            Self::Retry => "retry",
            Self::Callback => "callback",
            Self::Credit => "credit",
            Self::Skipped => "skipped",
        }
    }
}

/// The text is none of [`Gate::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a gate")]
pub struct UnknownGate(pub String);

impl FromStr for Gate {
    type Err = UnknownGate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|gate| gate.as_str() == text);
        found.ok_or_else(|| UnknownGate(text.to_owned()))
    }
}

/// What one gate says of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which gate.
    pub gate: Gate,
    /// `Err`: closed, and until when where that can be known.
    pub open: Result<(), Option<UtcMs>>,
}

impl Answer {
    /// Open, or closed for as long as nobody changes something.
    #[must_use]
    pub const fn unless(gate: Gate, closed: bool) -> Self {
        Self { gate, open: if closed { Err(None) } else { Ok(()) } }
    }

    /// The first closed gate of several that are asked in order.
    pub fn first_closed(answers: impl IntoIterator<Item = Self>) -> Option<(Gate, Option<UtcMs>)> {
        answers.into_iter().find_map(|answer| answer.open.err().map(|until| (answer.gate, until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_gates_share_a_text() {
        let texts: std::collections::BTreeSet<_> = Gate::ALL.iter().map(|g| g.as_str()).collect();
        assert_eq!(texts.len(), Gate::ALL.len());
        assert!(Gate::ALL.into_iter().all(|gate| gate.as_str().parse() == Ok(gate)));
    }
}
