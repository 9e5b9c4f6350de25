//! Attempts by person, number and lead, and the ledger that is their sum.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ModelContact;
use crate::logic::dialer::{Booking, LeadPhone, OpenAttempt};
use crate::logic::ids::{AttemptId, CampaignId, ContactId, LeadId, SellerId};
use crate::logic::outcome::Outcome;
use crate::logic::time::UtcMs;

/// One window of the ledger: A, D and faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelWindow {
    /// A.
    pub answered: i64,
    /// D.
    pub abandoned: i64,
    /// Faults.
    pub fault: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) lead: LeadId,
    pub(super) fence: i64,
    pub(super) seller: SellerId,
    pub(super) contact: ContactId,
    pub(super) key: String,
    pub(super) campaign: CampaignId,
    pub(super) uncovered: bool,
    /// Which process made it.
    pub(super) maker: u32,
    /// Which process sees to its end.
    pub(super) owner: u32,
    pub(super) phone: LeadPhone,
    pub(super) early: Option<UtcMs>,
    pub(super) answered: Option<UtcMs>,
    pub(super) connected: Option<UtcMs>,
    pub(super) started: UtcMs,
    pub(super) ended: Option<UtcMs>,
    pub(super) outcome: Option<Outcome>,
    pub(super) counted: bool,
    pub(super) undelivered: bool,
    /// What its outcome booked.
    pub(super) booked: Option<Booking>,
    /// A disposition says that a person was there; the window in which that counts.
    pub(super) person: Option<(CampaignId, UtcMs)>,
}

impl Attempt {
    pub(super) fn left_open(&self, id: AttemptId) -> OpenAttempt {
        OpenAttempt {
            attempt: id,
            campaign: self.campaign,
            lead: self.lead,
            fence: self.fence,
            contact: self.contact,
            phone: self.phone.clone(),
            legs: vec![],
            covered: !self.uncovered,
            started_at: self.started,
            answered_at: self.answered,
            connected_at: self.connected,
        }
    }

    /// How long it rang; nothing where it did not.
    fn rang(&self) -> Duration {
        let until = self.answered.or(self.ended);
        self.early.zip(until).map_or(Duration::ZERO, |(early, until)| until.since(early))
    }

    /// What its outcome booked, if that is anything.
    pub(super) fn booking(&self) -> Option<Booking> {
        self.booked.filter(|booked| booked.answered || booked.abandoned || booked.fault)
    }
}

/// All attempts with their orders.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    attempts: BTreeMap<AttemptId, Attempt>,
    by_contact: BTreeMap<ContactId, Vec<AttemptId>>,
    by_number: BTreeMap<String, Vec<AttemptId>>,
    by_lead: BTreeMap<LeadId, Vec<AttemptId>>,
    /// Those without an outcome.
    open: BTreeSet<AttemptId>,
    /// How many may still be answered with nobody there, by campaign.
    uncovered: BTreeMap<CampaignId, i64>,
    windows: BTreeMap<(CampaignId, UtcMs), ModelWindow>,
}

impl Calls {
    pub(super) fn get(&self, id: AttemptId) -> Option<&Attempt> {
        self.attempts.get(&id)
    }

    pub(super) fn insert(&mut self, id: AttemptId, attempt: Attempt) {
        self.by_contact.entry(attempt.contact).or_default().push(id);
        self.by_number.entry(attempt.key.clone()).or_default().push(id);
        self.by_lead.entry(attempt.lead).or_default().push(id);
        self.open.insert(id);
        self.book(&attempt, 1);
        self.attempts.insert(id, attempt);
    }

    /// A call of before, which ended when it began: only the caps ask about it.
    pub(super) fn insert_past(
        &mut self,
        id: AttemptId,
        lead: LeadId,
        campaign: CampaignId,
        contact: &ModelContact,
        phone: &LeadPhone,
        started: UtcMs,
    ) {
        let attempt = Attempt {
            lead,
            // No lease of the model has such a fence.
            fence: -1,
            seller: contact.seller,
            contact: contact.contact,
            key: phone.key.clone(),
            campaign,
            uncovered: false,
            maker: 0,
            owner: 0,
            phone: phone.clone(),
            early: None,
            answered: None,
            connected: None,
            started,
            ended: Some(started),
            outcome: Some(Outcome::NoAnswer),
            counted: true,
            undelivered: false,
            booked: None,
            person: None,
        };
        self.insert(id, attempt);
        self.open.remove(&id);
    }

    /// Changes an attempt; the ledger and its calls in flight follow.
    pub(super) fn change(&mut self, id: AttemptId, change: impl FnOnce(&mut Attempt)) {
        let Some(mut attempt) = self.attempts.remove(&id) else { return };
        self.book(&attempt, -1);
        change(&mut attempt);
        self.book(&attempt, 1);
        if attempt.ended.is_some() {
            self.open.remove(&id);
        }
        self.attempts.insert(id, attempt);
    }

    pub(super) const fn windows(&self) -> &BTreeMap<(CampaignId, UtcMs), ModelWindow> {
        &self.windows
    }

    pub(super) fn add_answers(&mut self, campaign: CampaignId, window: UtcMs, answered: i64) {
        self.windows.entry((campaign, window)).or_default().answered += answered;
    }

    pub(super) fn add_booked(&mut self, campaign: CampaignId, window: UtcMs, booked: ModelWindow) {
        self.windows.insert((campaign, window), booked);
    }

    /// Without an outcome, in order.
    pub(super) fn open(&self) -> impl Iterator<Item = (AttemptId, &Attempt)> {
        self.open.iter().filter_map(|id| Some((*id, self.attempts.get(id)?)))
    }

    /// Calls of a campaign without an agent of their own that have not found one yet.
    pub(super) fn uncovered(&self, campaign: CampaignId) -> u64 {
        let count = self.uncovered.get(&campaign).copied().unwrap_or(0);
        u64::try_from(count).unwrap_or(0)
    }

    pub(super) fn of_contact(&self, contact: ContactId) -> impl Iterator<Item = &Attempt> {
        self.rows(self.by_contact.get(&contact))
    }

    pub(super) fn of_number(&self, key: &str) -> impl Iterator<Item = &Attempt> {
        self.rows(self.by_number.get(key))
    }

    pub(super) fn of_lead(&self, lead: LeadId) -> impl Iterator<Item = &Attempt> {
        self.rows(self.by_lead.get(&lead))
    }

    /// How long the last call of a lead rang.
    pub(super) fn rang(&self, lead: LeadId) -> Duration {
        let last = self.of_lead(lead).max_by_key(|attempt| attempt.fence);
        last.map_or(Duration::ZERO, Attempt::rang)
    }

    fn rows<'a>(&'a self, ids: Option<&'a Vec<AttemptId>>) -> impl Iterator<Item = &'a Attempt> {
        ids.into_iter().flatten().filter_map(|id| self.attempts.get(id))
    }

    fn book(&mut self, attempt: &Attempt, by: i64) {
        if attempt.uncovered && attempt.connected.is_none() && attempt.ended.is_none() {
            *self.uncovered.entry(attempt.campaign).or_default() += by;
        }
        if let Some(booking) = attempt.booking() {
            let key = (booking.window.campaign, booking.window.starts);
            let window = self.windows.entry(key).or_default();
            window.abandoned += if booking.abandoned { by } else { 0 };
            window.fault += if booking.fault { by } else { 0 };
            // A person confirmed by a disposition is counted below, once.
            window.answered += if booking.answered && attempt.person.is_none() { by } else { 0 };
        }
        if let Some(key) = attempt.person {
            self.windows.entry(key).or_default().answered += by;
        }
    }
}
