//! What a dialer is told once, at its start: read from the database before the first input.

use crate::logic::dialer::{LeadPhone, LearnedBefore};
use crate::logic::ids::{
    AgentId, AttemptId, CampaignId, ClassId, ContactId, IdMaker, LeadId, LegId, SellerId,
};
use crate::logic::settings::{AgentSettings, CampaignSettings, TrunkSettings};
use crate::logic::sip::user_agent::RemoteDialog;
use crate::logic::time::UtcMs;

/// Everything a dialer needs besides its inputs.
#[derive(Debug)]
pub struct DialerStart {
    /// Makes attempts, legs and the like.
    pub ids: IdMaker,
    /// Public references are made of it and the id.
    pub boot: u64,
    /// Every campaign of this run.
    pub campaigns: Vec<CampaignStart>,
    /// Every agent.
    pub agents: Vec<(AgentId, AgentSettings)>,
    /// Every trunk.
    pub trunks: Vec<TrunkSettings>,
    /// Most customer legs at once, over all trunks.
    pub lines: u32,
    /// End the run when nothing is left to do, instead of waiting for the next calling window.
    pub until_idle: bool,
    /// Attempts of earlier processes without an outcome: they become `unknown`.
    pub open_attempts: Vec<OpenAttempt>,
    /// Other processes may dial from the same database: trunks are shared with them, and the work of dead ones is taken
    /// over.
    pub shared: bool,
}

/// What dead processes left open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenWork {
    /// Attempts without an outcome, oldest first, each with its legs that did not end.
    pub attempts: Vec<OpenAttempt>,
    /// Other legs that did not end: of agents' shifts, of attempts whose outcome was written before, and of campaigns that
    /// this process does not run.
    pub stray_legs: Vec<OpenLeg>,
}

/// One campaign with its rows' ids.
#[derive(Clone, Debug)]
pub struct CampaignStart {
    /// Its row.
    pub id: CampaignId,
    /// Its seller's row.
    pub seller: SellerId,
    /// As checked.
    pub settings: CampaignSettings,
    /// When it was first run: 30-day windows are counted from that local day.
    pub first_run: UtcMs,
    /// The calling classes of its leads: row and descriptor.
    pub classes: Vec<(ClassId, String)>,
    /// Whether it was paused when the last process ended.
    pub paused: bool,
    /// What was learned of it, in predictive mode.
    pub learned: LearnedBefore,
}

/// An attempt without an outcome, made by an earlier process.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenAttempt {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// Its lead.
    pub lead: LeadId,
    /// The lease it was made under.
    pub fence: i64,
    /// The person.
    pub contact: ContactId,
    /// The number that was dialed.
    pub phone: LeadPhone,
    /// Further numbers of the person do not matter here.
    pub legs: Vec<OpenLeg>,
    /// Whether an agent was reserved for it: such a loss is a fault.
    pub covered: bool,
    /// When the intent was stored.
    pub started_at: UtcMs,
    /// When it was answered, if that was stored.
    pub answered_at: Option<UtcMs>,
    /// When an agent was connected, if that was stored.
    pub connected_at: Option<UtcMs>,
}

/// A leg of an earlier process that may still be up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenLeg {
    /// The leg.
    pub leg: LegId,
    /// The boot of the process that made it.
    pub boot: u64,
    /// The trunk's or agent's name, for its credentials.
    pub peer_name: String,
    /// The call as stored with the intent (JSON).
    pub call: String,
    /// What was stored at the answer.
    pub dialog: Option<RemoteDialog>,
}
