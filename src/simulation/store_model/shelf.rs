//! Leads by what they wait for, so that a claim does not walk the whole list.

use std::collections::{BTreeMap, BTreeSet};

use super::Lead;
use crate::logic::dialer::{LeadCounts, LeadState};
use crate::logic::ids::{CampaignId, ClassId, ContactId, LeadId};
use crate::logic::time::UtcMs;

/// All leads with their orders.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    leads: BTreeMap<LeadId, Lead>,
    ready: BTreeMap<(CampaignId, ClassId), BTreeSet<(i64, LeadId)>>,
    waiting: BTreeMap<CampaignId, BTreeSet<(UtcMs, LeadId)>>,
    claimed: BTreeMap<(CampaignId, u32, u64), BTreeSet<(i64, LeadId)>>,
    by_contact: BTreeMap<ContactId, Vec<LeadId>>,
    counts: BTreeMap<(CampaignId, LeadState), u64>,
}

impl Shelf {
    pub(super) fn get(&self, id: LeadId) -> Option<&Lead> {
        self.leads.get(&id)
    }

    pub(super) fn insert(&mut self, id: LeadId, lead: Lead) {
        self.by_contact.entry(lead.contact).or_default().push(id);
        self.enter(id, &lead);
        self.leads.insert(id, lead);
    }

    /// Changes a lead; every order follows.
    pub(super) fn change(&mut self, id: LeadId, change: impl FnOnce(&mut Lead)) {
        let Some(mut lead) = self.leads.remove(&id) else { return };
        self.leave(id, &lead);
        change(&mut lead);
        self.enter(id, &lead);
        self.leads.insert(id, lead);
    }

    /// The next ready leads of some classes, by rank, then id.
    pub(super) fn next_ready(
        &self,
        campaign: CampaignId,
        classes: &[ClassId],
        want: usize,
        kept_back: impl Fn(LeadId) -> bool,
    ) -> Vec<LeadId> {
        let classes: BTreeSet<_> = classes.iter().copied().collect();
        let mut next: Vec<_> = classes
            .into_iter()
            .filter_map(|class| self.ready.get(&(campaign, class)))
            .flat_map(|ready| ready.iter().filter(|(_, lead)| !kept_back(*lead)).take(want))
            .copied()
            .collect();
        next.sort_unstable();
        next.into_iter().take(want).map(|(_, id)| id).collect()
    }

    /// The next waiting leads that are due, the longest due first.
    pub(super) fn next_due(&self, campaign: CampaignId, now: UtcMs, limit: usize) -> Vec<LeadId> {
        let waiting = self.waiting.get(&campaign).into_iter().flatten();
        waiting.take_while(|(due, _)| *due <= now).take(limit).map(|(_, id)| *id).collect()
    }

    pub(super) fn first_due(&self, campaign: CampaignId) -> Option<UtcMs> {
        self.waiting.get(&campaign).and_then(BTreeSet::first).map(|(due, _)| *due)
    }

    /// What one claim holds, by rank, then id.
    pub(super) fn held(
        &self,
        campaign: CampaignId,
        epoch: u32,
        claim: u64,
    ) -> impl Iterator<Item = (LeadId, &Lead)> {
        let held = self.claimed.get(&(campaign, epoch, claim)).into_iter().flatten();
        held.filter_map(|(_, id)| Some((*id, self.leads.get(id)?)))
    }

    pub(super) fn claimed(&self) -> Vec<LeadId> {
        self.claimed.values().flatten().map(|(_, lead)| *lead).collect()
    }

    pub(super) fn of_contact(&self, contact: ContactId) -> Vec<LeadId> {
        self.by_contact.get(&contact).cloned().unwrap_or_default()
    }

    pub(super) fn counts(&self, campaign: CampaignId) -> LeadCounts {
        let count = |state| self.counts.get(&(campaign, state)).copied().unwrap_or(0);
        LeadCounts {
            ready: count(LeadState::Ready),
            waiting: count(LeadState::Waiting),
            claimed: count(LeadState::Claimed),
            done: count(LeadState::Done),
            held: count(LeadState::Held),
            blocked: count(LeadState::Blocked),
            next_due: self.first_due(campaign),
        }
    }

    fn enter(&mut self, id: LeadId, lead: &Lead) {
        *self.counts.entry((lead.campaign, lead.seen.state)).or_default() += 1;
        match lead.seen.state {
            LeadState::Ready => {
                let ready = self.ready.entry((lead.campaign, lead.class)).or_default();
                ready.insert((lead.rank, id));
            }
            LeadState::Waiting => {
                let waiting = self.waiting.entry(lead.campaign).or_default();
                waiting.insert((lead.seen.due, id));
            }
            LeadState::Claimed => {
                if let Some((epoch, claim)) = lead.claimed_by {
                    let held = self.claimed.entry((lead.campaign, epoch, claim)).or_default();
                    held.insert((lead.rank, id));
                }
            }
            LeadState::Done | LeadState::Held | LeadState::Blocked => {}
        }
    }

    fn leave(&mut self, id: LeadId, lead: &Lead) {
        if let Some(count) = self.counts.get_mut(&(lead.campaign, lead.seen.state)) {
            *count = count.saturating_sub(1);
        }
        match lead.seen.state {
            LeadState::Ready => {
                if let Some(ready) = self.ready.get_mut(&(lead.campaign, lead.class)) {
                    ready.remove(&(lead.rank, id));
                }
            }
            LeadState::Waiting => {
                if let Some(waiting) = self.waiting.get_mut(&lead.campaign) {
                    waiting.remove(&(lead.seen.due, id));
                }
            }
            LeadState::Claimed => {
                if let Some((epoch, claim)) = lead.claimed_by {
                    let key = (lead.campaign, epoch, claim);
                    if let Some(held) = self.claimed.get_mut(&key) {
                        held.remove(&(lead.rank, id));
                        if held.is_empty() {
                            self.claimed.remove(&key);
                        }
                    }
                }
            }
            LeadState::Done | LeadState::Held | LeadState::Blocked => {}
        }
    }
}
