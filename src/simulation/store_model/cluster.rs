//! Several processes on the model: who has which agent, how trunks are shared, and what is left of the dead.

use std::collections::BTreeMap;

use super::StoreModel;
use crate::logic::dialer::{
    AgentLeg, DrawShare, LeadState, Look, OpenLeg, OpenWork, Seen, StoreReply,
};
use crate::logic::ids::{AgentId, AttemptId, LegId};
use crate::logic::pacing::trunk_share::{Share, ShareDrawn, draw};
use crate::logic::time::UtcMs;

/// What the processes share besides leads and calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    /// End of the lease of every process that has not ended.
    living: BTreeMap<u32, UtcMs>,
    names: BTreeMap<u32, String>,
    /// Process and leg of the shift.
    agents: BTreeMap<AgentId, (u32, LegId)>,
    /// By trunk and process; whether a part is wanted.
    shares: BTreeMap<(String, u32), (Share, bool)>,
    /// Every leg that has not ended.
    legs: BTreeMap<LegId, OpenLegRow>,
}

#[derive(Clone, Debug)]
struct OpenLegRow {
    attempt: Option<AttemptId>,
    trunk: Option<String>,
    /// Who made it.
    maker: u32,
    /// Who sees to its end.
    owner: u32,
}

impl Cluster {
    pub(super) fn add(&mut self, epoch: u32, name: &str, lease_until: UtcMs) {
        self.living.insert(epoch, lease_until);
        self.names.insert(epoch, name.to_owned());
    }

    /// False: the process has ended.
    pub(super) fn beat(&mut self, epoch: u32, until: UtcMs) -> bool {
        let Some(lease) = self.living.get_mut(&epoch) else { return false };
        *lease = (*lease).max(until);
        true
    }

    /// Whether it may write an intent.
    pub(super) fn may_start(&self, epoch: u32, now: UtcMs) -> bool {
        self.living.get(&epoch).is_some_and(|lease| *lease > now)
    }

    pub(super) fn lives(&self, epoch: u32) -> bool {
        self.living.contains_key(&epoch)
    }

    pub(super) fn end(&mut self, epoch: u32) {
        self.living.remove(&epoch);
        self.shares.retain(|(_, of), _| self.living.contains_key(of));
    }

    /// Every process but this one.
    pub(super) fn end_others(&mut self, epoch: u32) {
        for other in self.living.keys().copied().collect::<Vec<_>>() {
            if other != epoch {
                self.end(other);
            }
        }
    }

    pub(super) fn open_leg(
        &mut self,
        epoch: u32,
        leg: LegId,
        attempt: Option<AttemptId>,
        trunk: Option<String>,
    ) {
        let row = OpenLegRow { attempt, trunk, maker: maker(leg.0), owner: epoch };
        self.legs.entry(leg).or_insert(row);
    }

    pub(super) fn end_leg(&mut self, leg: LegId) {
        self.legs.remove(&leg);
        self.agents.retain(|_, (_, of)| *of != leg);
    }

    pub(super) fn end_legs_of(&mut self, attempt: AttemptId) {
        self.legs.retain(|_, row| row.attempt != Some(attempt));
    }

    /// The name of the process that has the agent, if it is another one.
    pub(super) fn take_agent(&mut self, epoch: u32, leg: &AgentLeg) -> Option<String> {
        let holder = self.agents.get(&leg.agent).map(|(holder, _)| *holder);
        if let Some(holder) = holder.filter(|holder| *holder != epoch && self.lives(*holder)) {
            return self.names.get(&holder).cloned();
        }
        self.agents.insert(leg.agent, (epoch, leg.leg));
        self.open_leg(epoch, leg.leg, None, None);
        None
    }

    pub(super) fn draw(&mut self, epoch: u32, item: &DrawShare) -> ShareDrawn {
        let mut others = Share::default();
        for ((trunk, of), (share, _)) in &self.shares {
            if *trunk == item.trunk && *of != epoch {
                others.calls_per_second += share.calls_per_second;
                others.channels += share.channels;
            }
        }
        let left_up = self.legs.values().filter(|leg| {
            leg.trunk.as_ref() == Some(&item.trunk) && !self.living.contains_key(&leg.maker)
        });
        others.channels += u32::try_from(left_up.count()).unwrap_or(u32::MAX);
        let share = draw(&item.ask, others);
        self.shares.insert((item.trunk.clone(), epoch), (share, item.ask.wanted));
        let wanting = |before: u32| {
            let of = self.shares.iter().filter(|((trunk, of), (_, wanted))| {
                *trunk == item.trunk && *wanted && *of < before
            });
            u32::try_from(of.count()).unwrap_or(u32::MAX)
        };
        ShareDrawn { share, wanting: wanting(u32::MAX), place: wanting(epoch) }
    }

    /// What everybody may use of a trunk, and the legs that dead processes left up on it.
    pub(super) fn drawn(&self, trunk: &str) -> Share {
        let mut sum = Share::default();
        for ((of, _), (share, _)) in &self.shares {
            if of == trunk {
                sum.calls_per_second += share.calls_per_second;
                sum.channels += share.channels;
            }
        }
        sum
    }
}

/// The process that made an id.
pub(super) fn maker(id: i64) -> u32 {
    u32::try_from(id >> 32).unwrap_or(0)
}

impl StoreModel {
    pub(super) fn look(&mut self, epoch: u32, look: &Look) -> StoreReply {
        let leads = if self.cluster.lives(epoch) { self.take(epoch, look) } else { 0 };
        let campaigns = look.campaigns.iter().filter_map(|id| {
            let row = self.campaigns.get(id)?;
            Some((*id, row.state, row.state_at))
        });
        let mut campaigns: Vec<_> = campaigns.collect();
        campaigns.sort_unstable_by_key(|(id, _, _)| *id);
        campaigns.dedup();
        let work = self.open_work(epoch, look);
        StoreReply::Seen(Box::new(Seen { campaigns, work, leads }))
    }

    /// Makes what the dead left its own; says how many leads are ready again.
    fn take(&mut self, epoch: u32, look: &Look) -> u64 {
        if look.take_lapsed {
            let living = self.cluster.living.iter();
            let lapsed: Vec<u32> = living
                .filter(|(other, lease)| **other != epoch && **lease <= look.now)
                .map(|(other, _)| *other)
                .collect();
            lapsed.into_iter().for_each(|dead| self.cluster.end(dead));
        }
        let leads = self.take_leads();
        let dead: Vec<AttemptId> = self
            .calls
            .open()
            .filter(|(_, attempt)| look.campaigns.contains(&attempt.campaign))
            .filter(|(_, attempt)| !self.cluster.lives(attempt.owner))
            .map(|(id, _)| id)
            .collect();
        for attempt in dead {
            self.calls.change(attempt, |row| row.owner = epoch);
        }
        let living = &self.cluster.living;
        for leg in self.cluster.legs.values_mut().filter(|leg| !living.contains_key(&leg.owner)) {
            leg.owner = epoch;
        }
        leads
    }

    fn take_leads(&mut self) -> u64 {
        let mut taken = 0;
        for lead in self.leads.claimed() {
            let holder = self.leads.get(lead).and_then(|row| row.claimed_by);
            let dead = holder.is_some_and(|(holder, _)| !self.cluster.lives(holder));
            if !dead || self.calls.of_lead(lead).any(|attempt| attempt.ended.is_none()) {
                continue;
            }
            taken += 1;
            self.leads.change(lead, |row| {
                row.seen.state = LeadState::Ready;
                row.claimed_by = None;
            });
        }
        taken
    }

    fn open_work(&self, epoch: u32, look: &Look) -> OpenWork {
        let mut legs: Vec<(Option<AttemptId>, OpenLeg)> = vec![];
        let ours = |leg: &&OpenLegRow| leg.owner == epoch && leg.maker != epoch;
        for (leg, row) in self.cluster.legs.iter().filter(|(_, row)| ours(row)) {
            let open = OpenLeg {
                leg: *leg,
                boot: u64::from(row.maker),
                peer_name: row.trunk.clone().unwrap_or_default(),
                call: String::new(),
                dialog: None,
            };
            legs.push((row.attempt, open));
        }
        let mut attempts = vec![];
        for (id, attempt) in self.calls.open() {
            let taken = attempt.owner == epoch && attempt.maker != epoch;
            if taken && look.campaigns.contains(&attempt.campaign) {
                let mut open = self.as_it_stands(attempt.left_open(id));
                let of_it = legs.extract_if(.., |(of, _)| *of == Some(id));
                open.legs = of_it.map(|(_, leg)| leg).collect();
                attempts.push(open);
            }
        }
        OpenWork { attempts, stray_legs: legs.into_iter().map(|(_, leg)| leg).collect() }
    }
}
