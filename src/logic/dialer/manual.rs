//! Manual mode: nothing is dialed by itself. An agent names a person, by number or by the customer's own id, and that person
//! is called with him: the lead is claimed, and then it goes on as if the agent had been shown the person in preview.

use crate::logic::agent;
use crate::logic::dialer::ask::{Refusal, refuse};
use crate::logic::dialer::command::Reply;
use crate::logic::dialer::desk::page_of;
use crate::logic::dialer::preview::Offer;
use crate::logic::dialer::{
    Action, Asker, CampaignState, Claim, ClaimedLead, Dialer, PromisedClaim, StoreCommand,
    StoreReply, Waiting,
};
use crate::logic::ids::{AgentId, CampaignId};
use crate::logic::pacing::fit::{Wanted, fits};
use crate::logic::phone::PhoneNumber;
use crate::logic::settings::DialMode;
use crate::logic::time::Now;

/// Who asked for whom.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) campaign: CampaignId,
    agent: AgentId,
    asker: Asker,
}

impl Dialer {
    /// The agent names whom to call. The answer comes when the database has given the lead, or says that it has none.
    pub(super) fn dial_named(
        &mut self,
        now: Now,
        asker: Asker,
        agent: AgentId,
        whom: String,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let busy = self
            .waiting
            .values()
            .any(|waiting| matches!(waiting, Waiting::Named(named) if named.agent == agent));
        let ready = self.desks.get(&agent).is_some_and(|desk| desk.machine.may_take_call());
        if busy || !ready {
            let message =
                "only an agent who is ready, with a phone that is heard, can name whom to call";
            return Err(refuse("not_ready", message.to_owned()));
        }
        let campaign = self.manual_campaign_of(agent)?;
        self.may_start(now, campaign)
            .and_then(|line| self.may_use(line))
            .map_err(|held_by| refuse("not_now", format!("no call can start now ({held_by})")))?;
        let Some(room) = self.rooms.get_mut(&campaign) else { return Err(no_campaign()) };
        let open_classes = room.hours.open(now.utc, room.longest_ring());
        if open_classes.is_empty() {
            let message = "nobody of this campaign may be called at this hour".to_owned();
            return Err(refuse("outside_hours", message));
        }
        let claim = room.next_claim();
        // As stored, where it is a number.
        let number = whom.parse::<PhoneNumber>().map(|number| number.reveal().to_owned());
        let claim = Claim {
            campaign,
            claim,
            want: 0,
            open_classes,
            promised: PromisedClaim::default(),
            named: Some(number.unwrap_or(whom)),
            now: now.utc,
        };
        let named = Named { campaign, agent, asker };
        self.store(StoreCommand::Claim(claim), Waiting::Named(named), out);
        Ok(())
    }

    /// The database has given the lead, or has none of that name that may be called now.
    pub(super) fn named_claimed(
        &mut self,
        now: Now,
        named: Named,
        reply: StoreReply,
        out: &mut Vec<Action>,
    ) {
        let Named { campaign, agent, asker } = named;
        let lead =
            if let StoreReply::Claimed(leads) = reply { leads.into_iter().next() } else { None };
        let told = match lead {
            None => Err(refuse(
                "no_lead",
                "nobody of that number or id waits to be called in this campaign: not on its list, called already, not due \
                 yet, or refused. `outdial why` says which"
                    .to_owned(),
            )),
            Some(lead) => self.call_named(now, campaign, agent, lead, out),
        };
        let told = match told {
            Ok(()) => Reply::Ok,
            Err(refusal) => refusal.into_reply(),
        };
        out.push(Action::Reply(asker, Box::new(told)));
    }

    /// Every gate is asked now, as for a person who was shown before.
    fn call_named(
        &mut self,
        now: Now,
        campaign: CampaignId,
        agent: AgentId,
        lead: ClaimedLead,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let free = self.desks.get(&agent).is_some_and(|desk| desk.machine.may_take_call());
        let running = self.may_start(now, campaign).is_ok() && !self.ending.starts_nothing();
        let phone = lead.phones.first().cloned();
        let (Some(phone), Some(room), true) =
            (phone, self.rooms.get(&campaign).filter(|_| running), free)
        else {
            self.free_lead(now, campaign, &lead, out);
            let message = "meanwhile the agent is not ready any more, or no call may start";
            return Err(refuse("not_now", message.to_owned()));
        };
        let (time, sharing) = (room.settings.preview.within, room.settings.sharing);
        let page = page_of(room, &lead, &phone, String::new());
        if let Some(desk) = self.desks.get_mut(&agent) {
            desk.offer = Some(Offer { campaign, lead, phone, page });
        }
        self.turns.take(campaign, sharing);
        self.desk_event(now, agent, agent::Event::Offer(time), out);
        self.dial_offer(now, agent, out)
    }

    /// The one campaign in manual mode whose people the agent may talk to. One that stands still is meant only where none
    /// runs: it is not in the way of another, and the refusal says that it does.
    fn manual_campaign_of(&self, agent: AgentId) -> Result<CampaignId, Refusal> {
        let desk = self.desks.get(&agent).ok_or_else(no_campaign)?;
        let offered = desk.offered();
        let fitting = || {
            self.rooms.values().filter(|room| {
                let (skills, language) = (&room.settings.skills, room.settings.language.as_str());
                room.settings.mode == DialMode::Manual && fits(offered, Wanted { skills, language })
            })
        };
        let mut running = fitting().filter(|room| room.state == CampaignState::Running);
        match (running.next(), running.next()) {
            (Some(room), None) => Ok(room.id),
            (None, _) => fitting().next().map(|room| room.id).ok_or_else(no_campaign),
            (Some(_), Some(_)) => Err(refuse(
                "several_campaigns",
                "more than one campaign of this run is in manual mode for this agent: pause all but one, or give each its skills"
                    .to_owned(),
            )),
        }
    }
}

fn no_campaign() -> Refusal {
    refuse(
        "no_manual_campaign",
        "no campaign of this run that the agent may work for is in manual mode (dial_mode = \"manual\")"
            .to_owned(),
    )
}
