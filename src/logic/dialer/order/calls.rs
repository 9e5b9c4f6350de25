//! The calls under way, by what they wait for.

use std::collections::{BTreeMap, BTreeSet};

use crate::logic::attempt::{Action, Event, Stage};
use crate::logic::dialer::call::Call;
use crate::logic::ids::{AgentId, AttemptId, CampaignId};
use crate::logic::time::{Now, UtcMs};

/// All calls of this process.
#[derive(Debug, Default)]
pub(in crate::logic::dialer) struct Calls {
    all: BTreeMap<AttemptId, Call>,
    orders: Orders,
}

#[derive(Debug, Default)]
struct Orders {
    /// No INVITE has left for them yet, by trunk.
    starting: BTreeSet<(usize, AttemptId)>,
    /// Not answered yet, without the agent of their own that they need.
    alone: BTreeSet<AttemptId>,
    /// Not answered yet, with one.
    kept: BTreeSet<AttemptId>,
    /// Those two, by campaign.
    ringing: BTreeMap<CampaignId, Ringing>,
    /// Answered, and nobody has them.
    waiting: BTreeSet<(Option<UtcMs>, AttemptId)>,
}

/// Calls of a campaign that are not answered yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::logic::dialer) struct Ringing {
    /// All of them.
    pub(in crate::logic::dialer) lines: usize,
    /// With an agent of their own.
    pub(in crate::logic::dialer) kept: usize,
}

/// Where a call stands in the orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// `kept`: none of a call that needs no agent.
    Rings {
        starting: bool,
        kept: Option<bool>,
    },
    Waits(Option<UtcMs>),
    Nowhere,
}

impl Calls {
    pub(in crate::logic::dialer) fn get(&self, attempt: &AttemptId) -> Option<&Call> {
        self.all.get(attempt)
    }

    pub(in crate::logic::dialer) fn get_mut(&mut self, attempt: &AttemptId) -> Option<&mut Call> {
        self.all.get_mut(attempt)
    }

    pub(in crate::logic::dialer) fn values(&self) -> impl Iterator<Item = &Call> {
        self.all.values()
    }

    pub(in crate::logic::dialer) fn keys(&self) -> impl Iterator<Item = &AttemptId> {
        self.all.keys()
    }

    pub(in crate::logic::dialer) fn len(&self) -> usize {
        self.all.len()
    }

    pub(in crate::logic::dialer) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(in crate::logic::dialer) fn insert(&mut self, call: Call) {
        let attempt = call.attempt;
        self.remove(&attempt);
        self.orders.enter(&call);
        self.all.insert(attempt, call);
    }

    pub(in crate::logic::dialer) fn remove(&mut self, attempt: &AttemptId) -> Option<Call> {
        let call = self.all.remove(attempt)?;
        self.orders.leave(place(&call), &call);
        Some(call)
    }

    /// Hands an event to the machine of a call; how far it was before.
    pub(in crate::logic::dialer) fn handle(
        &mut self,
        now: Now,
        attempt: AttemptId,
        event: Event,
        out: &mut Vec<Action>,
    ) -> Option<Stage> {
        self.change(attempt, |call| {
            let stage = call.machine.stage();
            call.machine.0.handle(now, event, out);
            stage
        })
    }

    /// Gives a call an agent, or takes the agent from it; who it was before.
    pub(in crate::logic::dialer) fn give(
        &mut self,
        attempt: AttemptId,
        agent: Option<AgentId>,
    ) -> Option<AgentId> {
        self.change(attempt, |call| std::mem::replace(&mut call.agent.0, agent)).flatten()
    }

    /// No INVITE has left for them yet.
    pub(in crate::logic::dialer) fn starting(&self, line: usize) -> usize {
        self.orders.starting.range((line, FIRST)..=(line, LAST)).count()
    }

    /// The same, of a campaign.
    pub(in crate::logic::dialer) fn starting_of(
        &self,
        campaign: CampaignId,
    ) -> impl Iterator<Item = &Call> {
        let starting = self.orders.starting.iter().filter_map(|(_, attempt)| self.all.get(attempt));
        starting.filter(move |call| call.campaign == campaign)
    }

    /// Not answered yet and without an agent of their own, the oldest first.
    pub(in crate::logic::dialer) fn alone(&self) -> Vec<AttemptId> {
        self.orders.alone.iter().copied().collect()
    }

    /// Not answered yet, with an agent of their own, the oldest first.
    pub(in crate::logic::dialer) fn kept(&self) -> impl DoubleEndedIterator<Item = &Call> {
        self.orders.kept.iter().filter_map(|attempt| self.all.get(attempt))
    }

    pub(in crate::logic::dialer) fn ringing(&self, campaign: CampaignId) -> Ringing {
        self.orders.ringing.get(&campaign).copied().unwrap_or_default()
    }

    /// Answered, and nobody has them: whoever answered first comes first.
    pub(in crate::logic::dialer) fn waiting(&self) -> Vec<AttemptId> {
        self.orders.waiting.iter().map(|(_, attempt)| *attempt).collect()
    }

    fn change<T>(&mut self, attempt: AttemptId, change: impl FnOnce(&mut Call) -> T) -> Option<T> {
        let call = self.all.get_mut(&attempt)?;
        let before = place(call);
        let changed = change(call);
        if place(call) != before {
            self.orders.leave(before, call);
            self.orders.enter(call);
        }
        Some(changed)
    }
}

impl Orders {
    fn enter(&mut self, call: &Call) {
        let attempt = call.attempt;
        match place(call) {
            Place::Rings { starting, kept } => {
                if starting {
                    self.starting.insert((call.line, attempt));
                }
                let Some(kept) = kept else { return };
                let ringing = self.ringing.entry(call.campaign).or_default();
                ringing.lines += 1;
                ringing.kept += usize::from(kept);
                if kept { &mut self.kept } else { &mut self.alone }.insert(attempt);
            }
            Place::Waits(since) => {
                self.waiting.insert((since, attempt));
            }
            Place::Nowhere => {}
        }
    }

    fn leave(&mut self, place: Place, call: &Call) {
        let attempt = call.attempt;
        match place {
            Place::Rings { starting, kept } => {
                if starting {
                    self.starting.remove(&(call.line, attempt));
                }
                let Some(kept) = kept else { return };
                if let Some(ringing) = self.ringing.get_mut(&call.campaign) {
                    ringing.lines = ringing.lines.saturating_sub(1);
                    ringing.kept = ringing.kept.saturating_sub(usize::from(kept));
                }
                if kept { &mut self.kept } else { &mut self.alone }.remove(&attempt);
            }
            Place::Waits(since) => {
                self.waiting.remove(&(since, attempt));
            }
            Place::Nowhere => {}
        }
    }
}

/// Tests know which they have made.
#[cfg(test)]
impl std::ops::Index<&AttemptId> for Calls {
    type Output = Call;

    fn index(&self, attempt: &AttemptId) -> &Call {
        &self.all[attempt]
    }
}

fn place(call: &Call) -> Place {
    let kept = (!call.machine.is_agentless()).then(|| call.agent.is_some());
    match call.machine.stage() {
        Stage::Starting => Place::Rings { starting: true, kept },
        Stage::Dialing | Stage::Ringing => Place::Rings { starting: false, kept },
        Stage::Waiting => Place::Waits(call.machine.answered_at()),
        Stage::Cancelling | Stage::Talking | Stage::Message | Stage::Ended => Place::Nowhere,
    }
}

const FIRST: AttemptId = AttemptId(i64::MIN);
const LAST: AttemptId = AttemptId(i64::MAX);
