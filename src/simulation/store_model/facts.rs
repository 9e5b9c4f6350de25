//! What calls came to: outcomes, what agents said, refusals, and what follows for leads and numbers.

use std::collections::BTreeSet;

use super::StoreModel;
use crate::logic::dialer::{DispositionRecord, LeadState, OutcomeRecord, PhoneAfter, Suppress};
use crate::logic::gate::Gate;
use crate::logic::ids::ContactId;
use crate::logic::outcome::Outcome;

impl StoreModel {
    pub(super) fn outcome(&mut self, record: &OutcomeRecord) {
        let Some(attempt) = self.calls.get(record.attempt) else { return };
        let before = attempt.outcome;
        let hit = match before {
            None => true,
            Some(Outcome::Unknown) => record.outcome != Outcome::Unknown,
            Some(_) => false,
        };
        if !hit {
            return;
        }
        let counted_before = before.is_some() && attempt.counted;
        let counted = record.outcome.uses_attempt();
        self.calls.change(record.attempt, |attempt| {
            attempt.outcome = Some(record.outcome);
            attempt.ended = Some(record.ended_at);
            attempt.early = record.early_at.or(attempt.early);
            attempt.answered = record.answered_at.or(attempt.answered);
            attempt.counted = counted;
            attempt.undelivered = record.outcome.is_undelivered();
            attempt.booked = Some(record.booking);
            let window = record.booking.window;
            attempt.person = attempt.person.map(|_| (window.campaign, window.starts));
        });
        if record.legs_closed {
            self.cluster.end_legs_of(record.attempt);
        }
        let decided = self.dispositions.contains_key(&record.attempt);
        self.leads.change(record.lead, |lead| {
            let seen = &mut lead.seen;
            seen.attempts += i64::from(counted) - i64::from(counted_before);
            let unknown = seen.last_outcome == Some(Outcome::Unknown);
            if before.is_none() {
                // Who may have met silence is remembered until a call counts.
                if counted || !unknown {
                    let same = seen.last_outcome == Some(record.outcome);
                    seen.same_outcome = if same { seen.same_outcome + 1 } else { 1 };
                    seen.last_outcome = Some(record.outcome);
                }
            } else if unknown {
                seen.same_outcome = 1;
                seen.last_outcome = Some(record.outcome);
            }
            if seen.fence == record.fence && !decided {
                lead.leave(&record.after);
            }
        });
        if counted {
            self.promised.keep(record.attempt, record.lead);
        }
        self.change_phone(record.phone);
        if let Some(suppress) = &record.suppress {
            self.suppress(suppress);
        }
    }

    pub(super) fn disposition(&mut self, record: &DispositionRecord) {
        let Some(fence) = self.calls.get(record.attempt).map(|attempt| attempt.fence) else {
            return;
        };
        let said = (record.at, record.agent, record.code.clone(), record.memo.clone());
        if let Some(before) = self.dispositions.get(&record.attempt)
            && (record.at < before.0 || *before == said)
        {
            return;
        }
        self.dispositions.insert(record.attempt, said);
        self.calls.change(record.attempt, |attempt| {
            if record.live == Some(true) && attempt.person.is_none() {
                let window = attempt.booking().map_or(record.window, |booked| booked.window);
                attempt.person = Some((window.campaign, window.starts));
            }
        });
        self.leads.change(record.lead, |lead| {
            let free = !matches!(lead.seen.state, LeadState::Claimed | LeadState::Blocked);
            if lead.seen.fence == fence || (record.callback.is_some() && free) {
                lead.leave(&record.after);
            }
        });
        let blocked =
            self.leads.get(record.lead).is_none_or(|row| row.seen.state == LeadState::Blocked);
        let promise = record.callback.as_ref().filter(|_| !blocked);
        self.promised.replace(record.attempt, record.lead, promise);
        self.change_phone(record.phone);
        if let Some(suppress) = &record.suppress {
            self.suppress(suppress);
        }
    }

    fn change_phone(&mut self, change: Option<PhoneAfter>) {
        match change {
            Some(PhoneAfter::Suspect { phone, day }) => {
                if let Some(row) = self.phones.get_mut(&phone) {
                    row.phone.suspect_day = row.phone.suspect_day.or(Some(day));
                }
            }
            Some(PhoneAfter::Invalid { phone }) => {
                if let Some(row) = self.phones.get_mut(&phone) {
                    row.invalid = true;
                }
            }
            Some(PhoneAfter::Good { phone }) => {
                if let Some(row) = self.phones.get_mut(&phone) {
                    row.phone.suspect_day = None;
                }
            }
            None => {}
        }
    }

    pub(super) fn suppress(&mut self, suppress: &Suppress) {
        let says_something = suppress.contact.is_some() || suppress.phone_key.is_some();
        if !says_something || !self.suppressions.insert(suppress.suppression) {
            return;
        }
        let mut blocked: BTreeSet<ContactId> = suppress.contact.into_iter().collect();
        self.refused_contacts.extend(suppress.contact);
        if let Some(key) = &suppress.phone_key {
            let number = (suppress.seller, key.clone());
            blocked.extend(self.by_number.get(&number).into_iter().flatten());
            self.refused_numbers.insert(number);
        }
        let leads: Vec<_> =
            blocked.iter().flat_map(|contact| self.leads.of_contact(*contact)).collect();
        for lead in leads {
            let mut now_blocked = false;
            self.leads.change(lead, |row| {
                if !matches!(row.seen.state, LeadState::Done | LeadState::Blocked) {
                    row.seen.state = LeadState::Blocked;
                    row.seen.gate = Some(Gate::Suppressed);
                    now_blocked = true;
                }
            });
            if now_blocked {
                self.promised.take_back(lead);
            }
        }
    }
}
