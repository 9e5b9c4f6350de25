//! What the database answers to a `StoreCommand`, and how it is doing.

use crate::logic::compliance::abandon_ledger::Account;
use crate::logic::dialer::{CampaignState, ClaimedLead, LeadState, OpenWork};
pub use crate::logic::gate::Gate;
use crate::logic::ids::CampaignId;
use crate::logic::pacing::trunk_share::ShareDrawn;
use crate::logic::time::UtcMs;

/// What the database answers.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreReply {
    /// It is durable.
    Done,
    /// The leads claimed, in order of rank.
    Claimed(Vec<ClaimedLead>),
    /// So many leads became ready; `next_due` is the earliest that still waits.
    Promoted {
        /// How many.
        promoted: u32,
        /// When the next one is due.
        next_due: Option<UtcMs>,
        /// How the campaign's promised calls stand.
        promises: Promises,
    },
    /// The intent is durable: the INVITE may leave.
    Saved,
    /// The intent was refused; nothing was written.
    Refused {
        /// Why.
        gate: Gate,
        /// When that may change, where it can be known.
        until: Option<UtcMs>,
    },
    /// How the list stands.
    Counted(LeadCounts),
    /// The database refuses this command for good (text that it cannot hold): nothing was written, a repeat is useless.
    Rejected,
    /// What the window has booked.
    Account(Account),
    /// Another process has the agent.
    Held {
        /// Its name.
        by: String,
    },
    /// What this process may use of the trunk.
    Share(ShareDrawn),
    /// How others and campaigns stand.
    Seen(Box<Seen>),
}

impl StoreReply {
    /// Whether the command was refused for good: what it was to write is not durable.
    pub(super) const fn is_rejected(&self) -> bool {
        match self {
            Self::Rejected => true,
            Self::Done
            | Self::Claimed(_)
            | Self::Promoted { .. }
            | Self::Saved
            | Self::Refused { .. }
            | Self::Counted(_)
            | Self::Account(_)
            | Self::Held { .. }
            | Self::Share(_)
            | Self::Seen(_) => false,
        }
    }
}

/// See [`StoreCommand::Look`](crate::logic::dialer::StoreCommand::Look).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The campaigns asked for, each with its state and since when.
    pub campaigns: Vec<(CampaignId, CampaignState, UtcMs)>,
    /// What dead processes left open and is ours now, as far as it is not over.
    pub work: OpenWork,
    /// Leads that dead processes had claimed and never called: ready again.
    pub leads: u64,
}

/// Promised calls of a campaign that were not made yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Promises {
    /// All of them.
    pub open: u64,
    /// Their time has come.
    pub due: u64,
    /// Of these, whose window is over.
    pub overdue: u64,
}

/// Leads of a campaign by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LeadCounts {
    /// May be claimed.
    pub ready: u64,
    /// Due later.
    pub waiting: u64,
    /// Held by a process.
    pub claimed: u64,
    /// Nothing more to do.
    pub done: u64,
    /// Without a disposition.
    pub held: u64,
    /// Refused, suppressed or without a number.
    pub blocked: u64,
    /// When the next waiting one is due.
    pub next_due: Option<UtcMs>,
}

impl LeadCounts {
    /// Leads in whatever state.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.ready + self.waiting + self.claimed + self.done + self.held + self.blocked
    }

    /// Leads in a state.
    #[must_use]
    pub const fn of(&self, state: LeadState) -> u64 {
        match state {
            LeadState::Ready => self.ready,
            LeadState::Waiting => self.waiting,
            LeadState::Claimed => self.claimed,
            LeadState::Done => self.done,
            LeadState::Held => self.held,
            LeadState::Blocked => self.blocked,
        }
    }
}

/// How the database is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreHealth {
    /// Commits come back.
    Ok,
    /// No commit for 500 ms while commands wait.
    Slow,
    /// The connection is lost, or the database refuses to write (full disk).
    Gone,
}
