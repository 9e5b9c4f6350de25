//! Promised calls of the model.

use std::collections::{BTreeMap, BTreeSet};

use crate::logic::dialer::{CallbackRecord, Promise, PromisedClaim};
use crate::logic::ids::{AttemptId, CallbackId, LeadId};
use crate::logic::time::UtcMs;

#[derive(Clone, Debug)]
struct Row {
    attempt: AttemptId,
    lead: LeadId,
    promised: Promise,
    window_end: UtcMs,
}

/// The open promises; what is kept or taken back is forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Promised {
    open: BTreeMap<CallbackId, Row>,
}

impl Promised {
    /// What a disposition promises takes the place of what it promised before.
    pub(super) fn replace(
        &mut self,
        attempt: AttemptId,
        lead: LeadId,
        promise: Option<&CallbackRecord>,
    ) {
        self.open.retain(|_, row| row.attempt != attempt);
        if let Some(record) = promise {
            let promised = Promise { due: record.due, owner: record.owner };
            let row = Row { attempt, lead, promised, window_end: record.window_end };
            self.open.insert(record.callback, row);
        }
    }

    /// A call that counts was made to the lead.
    pub(super) fn keep(&mut self, attempt: AttemptId, lead: LeadId) {
        self.open.retain(|_, row| row.lead != lead || row.attempt == attempt);
    }

    /// The lead is not called any more.
    pub(super) fn take_back(&mut self, lead: LeadId) {
        self.open.retain(|_, row| row.lead != lead);
    }

    /// The next promise to a lead.
    pub(super) fn of(&self, lead: LeadId) -> Option<Promise> {
        let mut rows: Vec<_> = self.open.iter().filter(|(_, row)| row.lead == lead).collect();
        rows.sort_by_key(|(id, row)| (row.promised.due, **id));
        rows.first().map(|(_, row)| row.promised)
    }

    /// Whether an ordinary claim leaves the lead alone.
    pub(super) fn keeps_back(&self, lead: LeadId) -> bool {
        self.open.values().any(|row| row.lead == lead)
    }

    /// Leads that are promised a call by now and that a claim may take, the longest due first.
    pub(super) fn due(&self, claim: &PromisedClaim, now: UtcMs) -> Vec<LeadId> {
        let mut first: BTreeMap<LeadId, UtcMs> = BTreeMap::new();
        for row in self.open.values() {
            let due = first.entry(row.lead).or_insert(row.promised.due);
            *due = row.promised.due.min(*due);
        }
        let ours = |row: &&Row| {
            let late = row.promised.due <= claim.anybody_since;
            row.promised.due <= now
                && row.promised.owner.is_none_or(|owner| late || claim.owners.contains(&owner))
        };
        let ours: BTreeSet<LeadId> = self.open.values().filter(ours).map(|row| row.lead).collect();
        let mut leads: Vec<_> = first.into_iter().filter(|(lead, _)| ours.contains(lead)).collect();
        leads.sort_by_key(|(lead, due)| (*due, *lead));
        leads.into_iter().map(|(lead, _)| lead).collect()
    }

    /// Lead, time and end of the window of each.
    pub(super) fn all(&self) -> impl Iterator<Item = (LeadId, UtcMs, UtcMs)> {
        self.open.values().map(|row| (row.lead, row.promised.due, row.window_end))
    }
}
