//! The list of the model: leads claimed, given back and made ready.

use super::{Lead, StoreModel};
use crate::logic::dialer::{Claim, ClaimedLead, LeadState, Promises, Release, StoreReply};
use crate::logic::ids::{CampaignId, LeadId};
use crate::logic::time::UtcMs;

impl StoreModel {
    pub(super) fn claim(&mut self, epoch: u32, claim: &Claim) -> Vec<ClaimedLead> {
        let held = self.claimed(epoch, claim);
        if !held.is_empty() {
            return held;
        }
        if let Some(named) = &claim.named {
            return self.claim_named(epoch, claim, named);
        }
        let want = usize::try_from(claim.want).unwrap_or(usize::MAX);
        let mut taken = self.next_promised(claim);
        let kept_back = |lead| self.promised.keeps_back(lead) || taken.contains(&lead);
        let ready = self.leads.next_ready(claim.campaign, &claim.open_classes, want, kept_back);
        taken.extend(ready);
        for id in taken {
            self.leads.change(id, |row| {
                row.seen.state = LeadState::Claimed;
                row.seen.gate = None;
                row.seen.fence += 1;
                row.claimed_by = Some((epoch, claim.claim));
            });
        }
        self.claimed(epoch, claim)
    }

    fn claim_named(&mut self, epoch: u32, claim: &Claim, named: &str) -> Vec<ClaimedLead> {
        let number = |row: &Lead| {
            let phones = self.contacts.get(&row.contact).map(|contact| &contact.phones);
            let phones = phones.into_iter().flatten();
            let mut rows = phones.filter_map(|phone| self.phones.get(&phone.phone));
            rows.find(|row| !row.invalid && row.phone.key == named).map(|row| row.phone.phone)
        };
        let classes = &claim.open_classes;
        let ready = self.leads.next_ready(claim.campaign, classes, usize::MAX, |_| false);
        let found = ready.into_iter().find_map(|id| {
            let row = self.leads.get(id)?;
            let own = self.contacts.get(&row.contact)?.external_id.as_deref() == Some(named);
            let number = number(row);
            (own || number.is_some()).then_some((id, number))
        });
        let Some((id, next_phone)) = found else { return vec![] };
        self.leads.change(id, |row| {
            row.seen.state = LeadState::Claimed;
            row.seen.gate = None;
            row.seen.fence += 1;
            row.next_phone = next_phone.or(row.next_phone);
            row.claimed_by = Some((epoch, claim.claim));
        });
        self.claimed(epoch, claim)
    }

    fn next_promised(&self, claim: &Claim) -> Vec<LeadId> {
        let most = usize::try_from(claim.promised.most).unwrap_or(usize::MAX);
        let due = self.promised.due(&claim.promised, claim.now).into_iter().filter(|lead| {
            self.leads.get(*lead).is_some_and(|row| {
                row.campaign == claim.campaign
                    && row.seen.state == LeadState::Ready
                    && claim.open_classes.contains(&row.class)
            })
        });
        due.take(most).collect()
    }

    pub(super) fn claimed(&self, epoch: u32, claim: &Claim) -> Vec<ClaimedLead> {
        let held = self.leads.held(claim.campaign, epoch, claim.claim);
        held.filter_map(|(id, row)| self.claimed_lead(id, row)).collect()
    }

    fn claimed_lead(&self, id: LeadId, row: &Lead) -> Option<ClaimedLead> {
        let contact = self.contacts.get(&row.contact)?;
        let mut phones: Vec<_> = contact
            .phones
            .iter()
            .filter_map(|phone| self.phones.get(&phone.phone))
            .filter(|row| !row.invalid)
            .map(|row| row.phone.clone())
            .collect();
        phones.sort_by_key(|phone| Some(phone.phone) != row.next_phone);
        Some(ClaimedLead {
            lead: id,
            fence: row.seen.fence,
            campaign: row.campaign,
            seller: contact.seller,
            contact: row.contact,
            external_id: contact.external_id.clone(),
            name: contact.name.clone(),
            language: contact.language.clone(),
            fields: contact.fields.clone(),
            phones,
            class: row.class,
            rank: row.rank,
            rang: self.calls.rang(id),
            attempts: u32::try_from(row.seen.attempts).unwrap_or(0),
            same_outcome: row.seen.same_outcome,
            last_outcome: row.seen.last_outcome,
            promise: self.promised.of(id),
        })
    }

    pub(super) fn promote(&mut self, campaign: CampaignId, now: UtcMs, limit: u32) -> StoreReply {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let due = self.leads.next_due(campaign, now, limit);
        for id in &due {
            self.leads.change(*id, |row| {
                row.seen.state = LeadState::Ready;
                row.seen.gate = None;
            });
        }
        StoreReply::Promoted {
            promoted: u32::try_from(due.len()).unwrap_or(u32::MAX),
            next_due: self.leads.first_due(campaign),
            promises: self.promises(campaign, now),
        }
    }

    pub(super) fn promises(&self, campaign: CampaignId, now: UtcMs) -> Promises {
        let mut promises = Promises::default();
        let ours = |lead| self.leads.get(lead).is_some_and(|row| row.campaign == campaign);
        for (_, due, window_end) in self.promised.all().filter(|(lead, _, _)| ours(*lead)) {
            promises.open += 1;
            promises.due += u64::from(due <= now);
            promises.overdue += u64::from(window_end <= now);
        }
        promises
    }

    pub(super) fn release(&mut self, epoch: u32, release: &Release) {
        let mut over = false;
        self.leads.change(release.lead, |row| {
            let ours = row.claimed_by.is_some_and(|(holder, _)| holder == epoch);
            if ours && row.seen.fence == release.fence {
                row.leave(&release.after);
                over = matches!(row.seen.state, LeadState::Done | LeadState::Blocked);
            }
        });
        if over {
            self.promised.take_back(release.lead);
        }
    }
}
