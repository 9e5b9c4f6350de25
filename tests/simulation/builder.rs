//! A world that is being described, and what its run came to.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use outdial::logic::settings::{CampaignSettings, DialMode, DialRatio};
use outdial::simulation::agent_brain::BrainSettings;
use outdial::simulation::callee::BehaviourBook;
use outdial::simulation::carrier_record::CarrierRecord;

use crate::eye::AttemptRow;
use crate::faults::{CrashPoint, Faults};
use crate::plan::{self, Plan};

/// A world that is still being described.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) seed: u64,
    pub(crate) plan: Plan,
    pub(crate) faults: Faults,
    pub(crate) crash_at: VecDeque<CrashPoint>,
    pub(crate) brain: BrainSettings,
    pub(crate) replay: String,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) attempts: Vec<AttemptRow>,
    pub(crate) carrier: CarrierRecord,
    pub(crate) leads: [i64; 6],
    pub(crate) refusals: usize,
    /// Windows of the ledger that closed in debt.
    pub(crate) in_debt: usize,
    pub(crate) crashes: u32,
    pub(crate) log_hash: u64,
    pub(crate) log_lines: u64,
    pub(crate) virtual_time: Duration,
}

impl Report {
    pub(crate) fn count(&self, outcome: &str) -> usize {
        self.attempts.iter().filter(|row| row.outcome.as_deref() == Some(outcome)).count()
    }

    /// Outcomes and how often each came.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, usize> {
        let mut all = BTreeMap::new();
        for row in &self.attempts {
            *all.entry(row.outcome.clone().unwrap_or_default()).or_default() += 1;
        }
        all
    }
}

impl Builder {
    pub(crate) fn contacts(mut self, count: u32) -> Self {
        self.plan.people = vec![(0, count)];
        self
    }

    pub(crate) fn agents(mut self, count: usize) -> Self {
        self.plan.agents = plan::agents(count);
        self
    }

    pub(crate) fn callees(mut self, book: BehaviourBook) -> Self {
        self.plan.book = book;
        self
    }

    pub(crate) fn brain(mut self, brain: BrainSettings) -> Self {
        self.brain = brain;
        self
    }

    /// Another campaign of the same seller, for these people; they may be those of the first one.
    pub(crate) fn second_campaign(mut self, people: (u32, u32)) -> Self {
        let hours = self.plan.campaigns[0].hours.clone();
        self.plan.campaigns.push(CampaignSettings { hours, ..plan::campaign("winter") });
        self.plan.people.push(people);
        self
    }

    /// Minutes of the day in Tokyo; the world begins at 540.
    pub(crate) fn open_only(mut self, minutes: &[(u16, u16)]) -> Self {
        for campaign in &mut self.plan.campaigns {
            campaign.hours = plan::open_only(minutes);
        }
        self
    }

    pub(crate) fn trunk(mut self, calls_per_second: u32, channels: u32) -> Self {
        self.plan.trunk.calls_per_second = calls_per_second;
        self.plan.trunk.channels = channels;
        self
    }

    /// The window of the ledger ends an hour after the world has begun: it is midnight on Cape Verde then.
    pub(crate) fn window_ends_in_an_hour(mut self) -> Self {
        for campaign in &mut self.plan.campaigns {
            campaign.abandon.zone = "Atlantic/Cape_Verde".to_owned();
        }
        self
    }

    /// Lines beyond the free agents, in thousandths per agent, under a cap in parts per million.
    pub(crate) fn ratio(mut self, thousandths: u32, cap_ppm: u32) -> Self {
        let ratio = DialRatio::from_thousandths(thousandths).unwrap();
        for campaign in &mut self.plan.campaigns {
            campaign.mode = DialMode::Ratio(ratio);
            campaign.abandon.cap_ppm = cap_ppm;
        }
        self
    }

    /// Agents see each person first.
    pub(crate) fn preview(mut self) -> Self {
        for campaign in &mut self.plan.campaigns {
            campaign.mode = DialMode::Preview;
        }
        self
    }

    /// A message is played to whoever answers.
    pub(crate) fn agentless(mut self) -> Self {
        for campaign in &mut self.plan.campaigns {
            campaign.mode = DialMode::Agentless;
        }
        self.plan.book = plan::listeners();
        self
    }

    /// One campaign has agents, and another one of the same seller plays a message to the same people.
    pub(crate) fn second_agentless(mut self) -> Self {
        self.plan.campaigns[1].mode = DialMode::Agentless;
        self.plan.book.rows.extend(plan::listeners().rows);
        self
    }

    pub(crate) fn digest(mut self) -> Self {
        self.plan.digest = true;
        self
    }

    pub(crate) fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    pub(crate) fn crash_node_at(mut self, point: CrashPoint) -> Self {
        self.crash_at.push_back(point);
        self
    }

    /// The command that a failure shows.
    pub(crate) fn replayed_by(mut self, command: &str) -> Self {
        command.clone_into(&mut self.replay);
        self
    }
}
