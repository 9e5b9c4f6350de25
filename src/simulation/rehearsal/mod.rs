//! A campaign rehearsed before it is dialed: the very `Dialer`, its rules, gates, list and pacing, in virtual time.
//!
//! Made up are the people, their phones, the agents and the database ([`StoreModel`](crate::simulation::store_model)).
//! Nothing is called and nothing is stored. What a person does at a call depends on the seed, the number and how often
//! it was called before, and on nothing else: two rehearsals of one seed meet the same people, whatever the settings.
//!
//! | file | holds |
//! |---|---|
//! | `people`, `times` | who answers, who talks how long |
//! | `staff` | when agents come, rest and go |
//! | `list` | the leads: made up, or those of a database |
//! | `fit` | all of these from what a campaign has been through |
//! | `world`, `legs`, `desk` | the run: a dialer among them, and the clock |
//! | `watch` | what must hold at every instant |
//! | `record` | what is counted, in steps of five minutes |
//! | `figures` | what came of a day, as figures |
//! | `sure` | how sure a figure is, over several seeds |

mod desk;
pub mod figures;
pub mod fit;
mod legs;
pub mod list;
pub mod people;
pub mod record;
pub mod staff;
pub mod sure;
#[cfg(test)]
mod tests;
pub mod times;
mod watch;
mod world;

use std::time::Duration;

use crate::logic::dialer::LearnedBefore;
use crate::logic::ids::ClassId;
use crate::logic::settings::{AgentSettings, CampaignSettings, TrunkSettings};
use crate::logic::time::UtcMs;
use crate::simulation::rehearsal::list::List;
use crate::simulation::rehearsal::people::People;
use crate::simulation::rehearsal::record::Record;
use crate::simulation::rehearsal::staff::Roster;
use crate::simulation::store_model::ModelWindow;

/// Everything a rehearsal needs besides its seed.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The campaign as checked.
    pub campaign: CampaignSettings,
    /// When the campaign was first run: windows of 30 days are counted from there.
    pub first_run: UtcMs,
    /// What predictive pacing has learned of the campaign, if it has.
    pub learned: LearnedBefore,
    /// The calling classes of the leads: row and descriptor.
    pub classes: Vec<(ClassId, String)>,
    /// The one trunk.
    pub trunk: TrunkSettings,
    /// Most customer legs at once.
    pub lines: u32,
    /// Everybody who works.
    pub agents: Vec<AgentSettings>,
    /// When they come, rest and go.
    pub roster: Roster,
    /// Who is called.
    pub people: People,
    /// The carrier refuses everything: from, until, in milliseconds since the begin of each day's shift.
    pub outages: Vec<(u64, u64)>,
    /// The leads.
    pub list: List,
    /// What windows of the ledger hold already, by their start.
    pub booked: Vec<(UtcMs, ModelWindow)>,
    /// The days, at least one.
    pub days: Vec<WorkDay>,
}

/// One day of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkDay {
    /// Begin of the shift.
    pub starts: UtcMs,
    /// What the clock shows then, in minutes since midnight.
    pub minute: u32,
    /// How long the shift is.
    pub length: Duration,
}

impl Rehearsal {
    /// Runs it. The same seed gives the same record, to the last figure.
    #[must_use]
    pub fn run(&self, seed: u64) -> Record {
        world::run(self, seed)
    }
}
