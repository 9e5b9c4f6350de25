//! How many calls to start, and what held back more.

/// How many calls to start, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Calls to start now.
    pub launch: usize,
    /// Agents who wait.
    pub idle: usize,
    /// Calls under way before.
    pub lines: usize,
    /// Chance that a new call is answered by a person.
    pub answer: f64,
    /// Times as likely as usual.
    pub level: f64,
    /// The risk that was allowed.
    pub allowed: f64,
    /// The risk of one more call after these.
    pub risk: f64,
    /// Calls that may still be lost.
    pub credit: f64,
    /// What holds back more.
    pub held_by: HeldBy,
}

/// What holds back more calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// Nobody is there to take one.
    Agents,
    /// One more would carry too much risk.
    Risk,
    /// Debt, or the end of the window: one line per idle agent.
    Credit,
    /// The carrier fails; only probes go out.
    Carrier,
    /// Too little is known yet.
    ColdStart,
    /// Lines.
    Lines,
    /// The ledger: were all calls without an agent answered and lost, the cap would be broken.
    Ledger,
    /// A gap or a jump in time, or a chance that is no number: one line per idle agent.
    Doubt,
}

impl HeldBy {
    /// Its word in logs and journals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Risk => "risk",
            Self::Credit => "credit",
            Self::Carrier => "carrier",
            Self::ColdStart => "cold_start",
            Self::Lines => "lines",
            Self::Ledger => "ledger",
            Self::Doubt => "doubt",
        }
    }
}
