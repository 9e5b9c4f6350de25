//! A store in memory, pure: what the database has to answer, said a second time without SQL.
//!
//! The store's tests send the same random commands to it and to both databases. It takes one command after another in
//! the order of [`effect_order`]; nothing in it is set-based.

mod calls;
mod cluster;
mod facts;
mod gates;
mod list;
mod promises;
mod shelf;

use std::collections::{BTreeMap, BTreeSet};

use self::calls::Calls;
pub use self::calls::ModelWindow;
use self::cluster::Cluster;
use self::promises::Promised;
use self::shelf::Shelf;
use crate::logic::compliance::abandon_ledger::Account;
use crate::logic::dialer::{
    Booking, CampaignState, LeadAfter, LeadCounts, LeadPhone, LeadState, OpenAttempt, StoreCommand,
    StoreReply, effect_order,
};
use crate::logic::gate::Gate;
use crate::logic::ids::{
    AgentId, AttemptId, CampaignId, ClassId, ContactId, LeadId, PhoneId, SellerId, SuppressionId,
};
use crate::logic::outcome::Outcome;
use crate::logic::pacing::trunk_share::Share;
use crate::logic::time::UtcMs;

/// The whole database of one or more processes.
#[derive(Clone, Debug, Default)]
pub struct StoreModel {
    cluster: Cluster,
    campaigns: BTreeMap<CampaignId, Campaign>,
    contacts: BTreeMap<ContactId, ModelContact>,
    phones: BTreeMap<PhoneId, Phone>,
    /// Whose a number is, by seller.
    by_number: BTreeMap<(SellerId, String), BTreeSet<ContactId>>,
    leads: Shelf,
    calls: Calls,
    promised: Promised,
    dispositions: BTreeMap<AttemptId, (UtcMs, Option<AgentId>, String, Option<String>)>,
    suppressions: BTreeSet<SuppressionId>,
    refused_contacts: BTreeSet<ContactId>,
    refused_numbers: BTreeSet<(SellerId, String)>,
}

/// One person with the numbers in order.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelContact {
    /// The person.
    pub contact: ContactId,
    /// Whose.
    pub seller: SellerId,
    /// The customer's own id.
    pub external_id: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Language.
    pub language: Option<String>,
    /// Custom fields.
    pub fields: Vec<(String, String)>,
    /// Numbers, in the order to call them.
    pub phones: Vec<LeadPhone>,
}

/// One lead of the model, to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelLead {
    /// Its state.
    pub state: LeadState,
    /// When it is due.
    pub due: UtcMs,
    /// What holds it back.
    pub gate: Option<Gate>,
    /// Attempts that count.
    pub attempts: i64,
    /// How often `last_outcome` came in a row.
    pub same_outcome: u32,
    /// End of the last attempt.
    pub last_outcome: Option<Outcome>,
    /// Raised by every claim.
    pub fence: i64,
}

#[derive(Clone, Copy, Debug)]
struct Campaign {
    state: CampaignState,
    state_at: UtcMs,
}

#[derive(Clone, Debug)]
struct Phone {
    phone: LeadPhone,
    invalid: bool,
}

#[derive(Clone, Debug)]
struct Lead {
    campaign: CampaignId,
    contact: ContactId,
    class: ClassId,
    rank: i64,
    next_phone: Option<PhoneId>,
    claimed_by: Option<(u32, u64)>,
    seen: ModelLead,
}

impl StoreModel {
    /// A process that may write intents until `lease_until`.
    pub fn add_node(&mut self, epoch: u32, name: &str, lease_until: UtcMs) {
        self.cluster.add(epoch, name, lease_until);
    }

    /// The shares of a trunk, added up over all processes that have not ended.
    #[must_use]
    pub fn drawn(&self, trunk: &str) -> Share {
        self.cluster.drawn(trunk)
    }

    /// A running campaign.
    pub fn add_campaign(&mut self, campaign: CampaignId, now: UtcMs) {
        let row = Campaign { state: CampaignState::Running, state_at: now };
        self.campaigns.insert(campaign, row);
    }

    /// A person.
    pub fn add_contact(&mut self, contact: ModelContact) {
        for phone in &contact.phones {
            let row = Phone { phone: phone.clone(), invalid: false };
            self.phones.insert(phone.phone, row);
            let number = (contact.seller, phone.key.clone());
            self.by_number.entry(number).or_default().insert(contact.contact);
        }
        self.contacts.insert(contact.contact, contact);
    }

    /// A ready lead.
    pub fn add_lead(
        &mut self,
        lead: LeadId,
        campaign: CampaignId,
        contact: ContactId,
        class: ClassId,
        rank: i64,
    ) {
        let seen = ModelLead {
            state: LeadState::Ready,
            due: UtcMs(0),
            gate: None,
            attempts: 0,
            same_outcome: 0,
            last_outcome: None,
            fence: 0,
        };
        self.add_lead_as(lead, campaign, contact, (class, rank), seen);
    }

    /// A lead as it stood somewhere else.
    pub fn add_lead_as(
        &mut self,
        lead: LeadId,
        campaign: CampaignId,
        contact: ContactId,
        (class, rank): (ClassId, i64),
        seen: ModelLead,
    ) {
        let row = Lead { campaign, contact, class, rank, next_phone: None, claimed_by: None, seen };
        self.leads.insert(lead, row);
    }

    /// A call of before that counts against the caps. Of its lead's first number; its id is below those of any process.
    pub fn add_past_call(&mut self, lead: LeadId, campaign: CampaignId, id: i64, started: UtcMs) {
        let Some(contact) = self.leads.get(lead).and_then(|row| self.contacts.get(&row.contact))
        else {
            return;
        };
        let Some(phone) = contact.phones.first() else { return };
        self.calls.insert_past(AttemptId(id), lead, campaign, contact, phone, started);
    }

    /// How the list of a campaign stands.
    #[must_use]
    pub fn counts(&self, campaign: CampaignId) -> LeadCounts {
        self.leads.counts(campaign)
    }

    /// How a lead stands.
    #[must_use]
    pub fn lead(&self, lead: LeadId) -> Option<&ModelLead> {
        self.leads.get(lead).map(|lead| &lead.seen)
    }

    /// Every window in which something was booked.
    #[must_use]
    pub const fn windows(&self) -> &BTreeMap<(CampaignId, UtcMs), ModelWindow> {
        self.calls.windows()
    }

    /// A new process takes the place of all before it: what they had claimed and never called is ready again. Returns the
    /// attempts they left open.
    pub fn restart(&mut self, epoch: u32, lease_until: UtcMs) -> Vec<OpenAttempt> {
        self.cluster.add(epoch, "restarted", lease_until);
        self.cluster.end_others(epoch);
        let open = self.calls.open().map(|(id, attempt)| attempt.left_open(id));
        let open: Vec<_> = open.map(|open| self.as_it_stands(open)).collect();
        for lead in self.leads.claimed() {
            if open.iter().all(|open| open.lead != lead) {
                self.leads.change(lead, |row| {
                    row.seen.state = LeadState::Ready;
                    row.claimed_by = None;
                });
            }
        }
        open
    }

    /// With what is known of the number by now.
    fn as_it_stands(&self, mut open: OpenAttempt) -> OpenAttempt {
        if let Some(row) = self.phones.get(&open.phone.phone) {
            open.phone.clone_from(&row.phone);
        }
        open
    }

    /// What the outcome of an attempt has booked.
    #[must_use]
    pub fn booking(&self, attempt: AttemptId) -> Option<Booking> {
        self.calls.get(attempt)?.booked
    }

    /// Answers that a window of the ledger holds from before.
    pub fn add_answers(&mut self, campaign: CampaignId, window: UtcMs, answered: i64) {
        self.calls.add_answers(campaign, window, answered);
    }

    /// What a window of the ledger holds from before.
    pub fn add_booked(&mut self, campaign: CampaignId, window: UtcMs, booked: ModelWindow) {
        self.calls.add_booked(campaign, window, booked);
    }

    /// Attempts without an outcome, in order.
    pub fn open_attempts(&self) -> impl Iterator<Item = AttemptId> {
        self.calls.open().map(|(id, _)| id)
    }

    /// Runs a batch of one process and answers in the order of the commands.
    pub fn run(&mut self, epoch: u32, commands: &[StoreCommand]) -> Vec<StoreReply> {
        let mut replies = vec![StoreReply::Done; commands.len()];
        for at in effect_order(commands) {
            if let (Some(command), Some(reply)) = (commands.get(at), replies.get_mut(at)) {
                *reply = self.apply(epoch, command);
            }
        }
        replies
    }

    fn apply(&mut self, epoch: u32, command: &StoreCommand) -> StoreReply {
        match command {
            StoreCommand::Claim(claim) => return StoreReply::Claimed(self.claim(epoch, claim)),
            StoreCommand::Promote { campaign, now, limit } => {
                return self.promote(*campaign, *now, *limit);
            }
            StoreCommand::Intent(intent) => return self.intent(epoch, intent),
            StoreCommand::Count { campaign } => {
                return StoreReply::Counted(self.leads.counts(*campaign));
            }
            StoreCommand::Heartbeat { until, now: _ } => {
                if !self.cluster.beat(epoch, *until) {
                    return StoreReply::Refused { gate: Gate::NodeLease, until: None };
                }
            }
            StoreCommand::AgentLeg(leg) => {
                if let Some(by) = self.cluster.take_agent(epoch, leg) {
                    return StoreReply::Held { by };
                }
            }
            StoreCommand::LegEnded(leg) => self.cluster.end_leg(leg.leg),
            StoreCommand::DrawShare(draw) if self.cluster.lives(epoch) => {
                return StoreReply::Share(self.cluster.draw(epoch, draw));
            }
            StoreCommand::DrawShare(_) => {
                return StoreReply::Refused { gate: Gate::NodeLease, until: None };
            }
            StoreCommand::Look(look) => return self.look(epoch, look),
            StoreCommand::NodeEnded { at: _ } => self.cluster.end(epoch),
            StoreCommand::Release(release) => self.release(epoch, release),
            // Nothing that a reply or a later decision depends on.
            StoreCommand::CampaignMode { .. }
            | StoreCommand::AgentState(_)
            | StoreCommand::Learned(_) => {}
            StoreCommand::LegAnswered(answered) => {
                if let Some(attempt) = answered.attempt {
                    self.calls.change(attempt, |row| {
                        row.answered.get_or_insert(answered.at);
                    });
                }
            }
            StoreCommand::Covered { attempt } => self.has_agent(*attempt, true),
            StoreCommand::Connected { attempt, agent: _, at, given_up } => {
                self.calls.change(*attempt, |attempt| {
                    if attempt.ended.is_none() {
                        attempt.connected.get_or_insert(*at);
                    }
                });
                if let Some(given_up) = given_up {
                    self.has_agent(*given_up, false);
                }
            }
            StoreCommand::Account { campaign, window } => {
                return StoreReply::Account(self.account(*campaign, *window));
            }
            StoreCommand::Outcome(outcome) => self.outcome(outcome),
            StoreCommand::Disposition(disposition) => self.disposition(disposition),
            StoreCommand::Suppress(suppress) => self.suppress(suppress),
            StoreCommand::CampaignState { campaign, state, at, by: _ } => {
                if let Some(row) = self.campaigns.get_mut(campaign)
                    && row.state != *state
                    && row.state_at <= *at
                {
                    *row = Campaign { state: *state, state_at: *at };
                }
            }
        }
        StoreReply::Done
    }

    fn has_agent(&mut self, attempt: AttemptId, covered: bool) {
        self.calls.change(attempt, |attempt| {
            if attempt.ended.is_none() {
                attempt.uncovered = !covered;
            }
        });
    }

    fn account(&self, campaign: CampaignId, window: UtcMs) -> Account {
        let row = self.windows().get(&(campaign, window)).copied().unwrap_or_default();
        let count = |booked: i64| u64::try_from(booked).unwrap_or(0);
        Account {
            answered: count(row.answered),
            abandoned: count(row.abandoned),
            fault: count(row.fault),
        }
    }
}

impl Lead {
    /// A lead that was blocked meanwhile stays blocked.
    fn leave(&mut self, after: &LeadAfter) {
        if self.seen.state != LeadState::Blocked {
            self.seen.state = after.state;
            self.seen.gate = after.gate;
        }
        self.seen.due = after.due;
        self.next_phone = after.next_phone.or(self.next_phone);
        self.claimed_by = None;
    }
}
