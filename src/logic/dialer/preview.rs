//! Preview: an agent sees the person first, and then has the call made or passes it by.
//!
//! The lead stays claimed meanwhile, and no call is under way. Every call of this mode has an agent of its own.

use crate::logic::agent;
use crate::logic::dialer::ask::{Refusal, refuse};
use crate::logic::dialer::command::AgentPage;
use crate::logic::dialer::desk::page_of;
use crate::logic::dialer::pace::{Cover, Start};
use crate::logic::dialer::{
    Action, ClaimedLead, Dialer, LeadAfter, LeadPhone, LeadState, StoreHealth, Timer,
};
use crate::logic::gate::Gate;
use crate::logic::ids::{AgentId, CampaignId, ContactId, SellerId};
use crate::logic::time::Now;

/// A person before an agent who decides.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) campaign: CampaignId,
    pub(super) lead: ClaimedLead,
    pub(super) phone: LeadPhone,
    pub(super) page: AgentPage,
}

impl Dialer {
    /// Shows the next person to the agent who has waited longest, or gives back one lead that a gate stops; else says
    /// what holds that back.
    pub(super) fn offer_one(
        &mut self,
        now: Now,
        campaign: CampaignId,
        out: &mut Vec<Action>,
    ) -> Result<(), &'static str> {
        if self.rooms.get(&campaign).is_none_or(|room| room.leads.is_empty()) {
            return Err("list");
        }
        let (place, agent) = self
            .match_lead(now, campaign)
            .ok_or_else(|| self.name_return_calls(campaign, "agents"))?;
        let Some((lead, phone)) = self.take_lead(now, campaign, place, out)? else { return Ok(()) };
        let Some(room) = self.rooms.get(&campaign) else { return Err("state") };
        let (time, sharing) = (room.settings.preview.within, room.settings.sharing);
        let page = page_of(room, &lead, &phone, String::new());
        let Some(desk) = self.desks.get_mut(&agent) else { return Err("agents") };
        desk.offer = Some(Offer { campaign, lead, phone, page });
        self.turns.take(campaign, sharing);
        self.desk_event(now, agent, agent::Event::Offer(time), out);
        Ok(())
    }

    /// The agent has the person called. Every gate is asked now, whatever it said when the person was shown.
    pub(super) fn dial_offer(
        &mut self,
        now: Now,
        agent: AgentId,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let offer = self.desks.get(&agent).and_then(|desk| desk.offer.as_ref());
        let offer = offer.ok_or_else(nobody)?;
        let campaign = offer.campaign;
        if !self.desks.get(&agent).is_some_and(|desk| desk.machine.may_dial()) {
            let message = "your phone is not heard: look at it, then dial again".to_owned();
            return Err(refuse("phone_quiet", message));
        }
        let line = self
            .may_start(now, campaign)
            .and_then(|line| {
                self.may_use(line)?;
                self.own_rate(campaign)?;
                self.prefix_rate(campaign, &offer.lead)?;
                Ok(line)
            })
            .map_err(|held_by| {
                let message =
                    format!("no call can start now ({held_by}); the person stays before you");
                refuse("not_now", message)
            })?;
        let Some(Offer { campaign, lead, phone, .. }) =
            self.desks.get_mut(&agent).and_then(|desk| desk.offer.take())
        else {
            return Err(nobody());
        };
        if let Some((gate, until)) = self.gate_in_memory(now, campaign, &phone, lead.class) {
            self.give_back(now, campaign, &lead, gate, until, out);
            self.desk_event(now, agent, agent::Event::OfferOver, out);
            let message = format!("this person may not be called now ({})", gate.as_str());
            return Err(refuse("gate", message));
        }
        let cover = Cover::Agent(agent);
        self.start_attempt(now, Start { campaign, line, lead, phone, cover }, out);
        Ok(())
    }

    /// The agent passes the person by.
    pub(super) fn skip_offer(
        &mut self,
        now: Now,
        agent: AgentId,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let offer = self.desks.get_mut(&agent).and_then(|desk| desk.offer.take());
        let offer = offer.ok_or_else(nobody)?;
        let until =
            self.rooms.get(&offer.campaign).map(|room| now.utc + room.settings.preview.skip);
        self.give_back(now, offer.campaign, &offer.lead, Gate::Skipped, until, out);
        self.desk_event(now, agent, agent::Event::OfferOver, out);
        Ok(())
    }

    /// The agent left without a decision: the person is the next one for anybody else.
    pub(super) fn put_back(&mut self, now: Now, agent: AgentId, out: &mut Vec<Action>) {
        let offer = self.desks.get_mut(&agent).and_then(|desk| desk.offer.take());
        let Some(Offer { campaign, lead, .. }) = offer else { return };
        let keeps = !self.ending.starts_nothing() && self.health != StoreHealth::Gone;
        // In manual mode nobody else is shown a lead at hand, nor can name it.
        match self.rooms.get_mut(&campaign).filter(|room| keeps && room.dials_itself()) {
            Some(room) => {
                let at_hand = room.at_hand(now, lead);
                room.leads.push_front(at_hand);
                self.deadlines.set(Timer::Room(campaign), Some(now.tick));
                self.free_promised(now, campaign, out);
            }
            None => self.free_lead(now, campaign, &lead, out),
        }
    }

    /// Nobody of this campaign may be called any more: whoever looks at a person does no longer.
    pub(super) fn withdraw_offers(
        &mut self,
        now: Now,
        campaign: CampaignId,
        out: &mut Vec<Action>,
    ) {
        for agent in self.offered(|offer| offer.campaign == campaign) {
            let offer = self.desks.get_mut(&agent).and_then(|desk| desk.offer.take());
            let Some(offer) = offer else { continue };
            self.free_lead(now, campaign, &offer.lead, out);
            self.desk_event(now, agent, agent::Event::OfferOver, out);
        }
    }

    /// A refusal: the person vanishes from the desk at which he is shown.
    pub(super) fn withdraw_refused(
        &mut self,
        now: Now,
        seller: SellerId,
        contact: Option<ContactId>,
        key: Option<&str>,
        out: &mut Vec<Action>,
    ) {
        let ours = |campaign| self.rooms.get(&campaign).is_some_and(|room| room.seller == seller);
        let meant = self.offered(|offer| {
            let named = Some(offer.lead.contact) == contact || Some(&*offer.phone.key) == key;
            named && ours(offer.campaign)
        });
        for agent in meant {
            let offer = self.desks.get_mut(&agent).and_then(|desk| desk.offer.take());
            let Some(offer) = offer else { continue };
            self.give_back(now, offer.campaign, &offer.lead, Gate::Suppressed, None, out);
            self.desk_event(now, agent, agent::Event::OfferOver, out);
        }
    }

    fn offered(&self, meant: impl Fn(&Offer) -> bool) -> Vec<AgentId> {
        let shown = |agent: &AgentId| {
            self.desks.get(agent).and_then(|desk| desk.offer.as_ref()).is_some_and(&meant)
        };
        self.desks.keys().copied().filter(shown).collect()
    }

    /// Gives a lead back as it was.
    pub(super) fn free_lead(
        &mut self,
        now: Now,
        campaign: CampaignId,
        lead: &ClaimedLead,
        out: &mut Vec<Action>,
    ) {
        let next_phone = lead.phones.first().map(|phone| phone.phone);
        let after = LeadAfter { state: LeadState::Ready, due: now.utc, gate: None, next_phone };
        self.release(campaign, lead, after, out);
    }
}

fn nobody() -> Refusal {
    refuse(
        "no_offer",
        "nobody is shown to this agent before a call (dial_mode = \"preview\")".into(),
    )
}
