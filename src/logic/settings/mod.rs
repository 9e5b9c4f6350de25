//! What the machines are told at start: campaigns, trunks, agents, as checked values that cannot be wrong.
//!
//! `config` builds them from the files a person writes; tests build them by hand.

mod agent;
mod campaign;
mod trunk;

pub use agent::{AgentSettings, AutoAnswer};
pub use campaign::{
    AbandonSettings, AbandonWindow, Calendar, CallLimits, CallingHours, CampaignSettings,
    CapSettings, DialMode, Disposition, DispositionEffect, Messages, NumberFormat, RetryRule,
    TimeRange, Weekly,
};
pub use trunk::{FromFormat, TrunkSettings};

/// Limits of the whole process.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// This process's name in the `node` table.
    pub name: String,
    /// Every trunk.
    pub trunks: Vec<TrunkSettings>,
    /// Every agent.
    pub agents: Vec<AgentSettings>,
    /// Every campaign of this run.
    pub campaigns: Vec<CampaignSettings>,
    /// Most customer legs at once, over all trunks.
    pub lines: u32,
}
