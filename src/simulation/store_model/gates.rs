//! The last gate of the model: one intent, asked one question after another.

use std::time::Duration;

use super::StoreModel;
use super::calls::Attempt;
use super::cluster::maker;
use crate::logic::compliance::abandon_ledger::allowance;
use crate::logic::dialer::{CampaignState, Intent, LeadState, StoreReply};
use crate::logic::gate::Gate;
use crate::logic::time::UtcMs;

impl StoreModel {
    pub(super) fn intent(&mut self, epoch: u32, intent: &Intent) -> StoreReply {
        if self.calls.get(intent.attempt).is_some() {
            return StoreReply::Saved;
        }
        if let Some((gate, until)) = self.closed(epoch, intent) {
            return StoreReply::Refused { gate, until };
        }
        let attempt = Attempt {
            lead: intent.lead,
            fence: intent.fence,
            seller: intent.seller,
            contact: intent.contact,
            key: intent.phone.key.clone(),
            campaign: intent.campaign,
            uncovered: intent.uncovered.is_some(),
            maker: maker(intent.attempt.0),
            owner: epoch,
            phone: intent.phone.clone(),
            early: None,
            answered: None,
            connected: None,
            started: intent.now,
            ended: None,
            outcome: None,
            counted: true,
            undelivered: false,
            booked: None,
            person: None,
        };
        self.calls.insert(intent.attempt, attempt);
        let (trunk, of) = (intent.trunk.clone(), intent.attempt);
        self.cluster.open_leg(epoch, intent.leg, Some(of), Some(trunk));
        StoreReply::Saved
    }

    fn closed(&self, epoch: u32, intent: &Intent) -> Option<(Gate, Option<UtcMs>)> {
        let lead = self.leads.get(intent.lead);
        let ours = lead.is_some_and(|lead| {
            lead.seen.fence == intent.fence
                && lead.claimed_by.is_some_and(|(holder, _)| holder == epoch)
                && matches!(lead.seen.state, LeadState::Claimed | LeadState::Blocked)
        });
        let used = self.calls.of_lead(intent.lead).any(|attempt| attempt.fence == intent.fence);
        if !ours || used {
            return Some((Gate::LeaseLost, None));
        }
        if !self.cluster.may_start(epoch, intent.now) {
            return Some((Gate::NodeLease, None));
        }
        let campaign = self.campaigns.get(&intent.campaign);
        if campaign.is_none_or(|campaign| campaign.state != CampaignState::Running) {
            return Some((Gate::CampaignState, None));
        }
        let number = (intent.seller, intent.phone.key.clone());
        if lead.is_some_and(|lead| lead.seen.state == LeadState::Blocked)
            || self.refused_contacts.contains(&intent.contact)
            || self.refused_numbers.contains(&number)
        {
            return Some((Gate::Suppressed, None));
        }
        let to_number = self.calls.of_number(&intent.phone.key);
        let to_person = self.calls.of_contact(intent.contact);
        if to_number.chain(to_person).any(|attempt| attempt.ended.is_none()) {
            return Some((Gate::NumberBusy, None));
        }
        self.cap(intent).or_else(|| (!self.has_credit(intent)).then_some((Gate::Credit, None)))
    }

    fn has_credit(&self, intent: &Intent) -> bool {
        let Some(start) = intent.uncovered else { return true };
        let after = self.calls.uncovered(intent.campaign).saturating_add(1);
        let windows = start.windows;
        let both = [(windows.first, windows.first_debt), (windows.last, windows.last_debt)];
        both.into_iter().all(|(window, debt)| {
            let account = self.account(intent.campaign, window);
            allowance(start.cap_ppm, account.answered, account.abandoned, debt) >= after
        })
    }

    fn cap(&self, intent: &Intent) -> Option<(Gate, Option<UtcMs>)> {
        let unheard = self.calls.of_lead(intent.lead).filter(|attempt| attempt.undelivered);
        let starts = unheard.map(|attempt| attempt.started).collect();
        if let Some(until) = full(starts, intent.undelivered_per_hour, HOUR, intent.now) {
            return Some((Gate::Undelivered, until));
        }
        let total = self.calls.of_lead(intent.lead).filter(|attempt| attempt.counted).count();
        if u64::try_from(total).unwrap_or(u64::MAX) >= u64::from(intent.total) {
            return Some((Gate::Total, None));
        }
        let counts = |attempt: &&Attempt| attempt.counted && attempt.seller == intent.seller;
        let person = || self.calls.of_contact(intent.contact).filter(counts);
        let dialed = || self.calls.of_number(&intent.phone.key).filter(counts);
        for (gate, limit, window) in
            [(Gate::PerDay, intent.per_day, DAY), (Gate::Per30Days, intent.per_30_days, DAY * 30)]
        {
            let by_person = person().map(|attempt| attempt.started).collect();
            let by_number = dialed().map(|attempt| attempt.started).collect();
            let one = full(by_person, limit, window, intent.now);
            let two = full(by_number, limit, window, intent.now);
            if one.is_some() || two.is_some() {
                return Some((gate, one.flatten().max(two.flatten())));
            }
        }
        let last = person().chain(dialed()).filter_map(|attempt| attempt.ended).max()?;
        let until = last + intent.min_gap;
        (until > intent.now).then_some((Gate::MinGap, Some(until)))
    }
}

/// Whether as many calls as allowed lie within the window; with the time at which the oldest that matters leaves it.
fn full(mut starts: Vec<UtcMs>, limit: u32, window: Duration, now: UtcMs) -> Option<Option<UtcMs>> {
    starts.sort_unstable();
    starts.retain(|start| *start > now - window);
    if limit == 0 {
        return Some(None);
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let spare = starts.len().checked_sub(limit)?;
    Some(starts.get(spare).map(|start| *start + window))
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
