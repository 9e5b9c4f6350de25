//! The closed list of reasons for which a lead is not dialed now.

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
}

impl Gate {
    /// Every gate.
    pub const ALL: [Self; 18] = [
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_gates_share_a_text() {
        let texts: std::collections::BTreeSet<_> = Gate::ALL.iter().map(|g| g.as_str()).collect();
        assert_eq!(texts.len(), Gate::ALL.len());
    }
}
