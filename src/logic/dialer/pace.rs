//! Which lead is started now, and with which agent kept for it.
//!
//! Progressive: one line per free agent, who is kept for it. Ratio and predictive: beyond that, lines without an agent of
//! their own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::logic::agent;
use crate::logic::attempt::Attempt;
use crate::logic::dialer::agentless::menu_of;
use crate::logic::dialer::answers::AtHand;
use crate::logic::dialer::call::Call;
use crate::logic::dialer::cover::NO_CREDIT;
use crate::logic::dialer::desk::Desk;
use crate::logic::dialer::inbound::KeptBack;
use crate::logic::dialer::order::Watched;
use crate::logic::dialer::{
    Action, CampaignState, ClaimedLead, Dialer, Intent, LeadAfter, LeadPhone, LeadState, LegOwner,
    StoreCommand, StoreHealth, Timer, UncoveredStart, Waiting, gates_in_memory, public_ref,
};
use crate::logic::gate::{Answer, Gate};
use crate::logic::ids::{AgentId, AttemptId, CampaignId, ClassId, LegId};
use crate::logic::outcome::Outcome;
use crate::logic::pacing::fit::{Wanted, fits};
use crate::logic::settings::{DialMode, Sharing};
use crate::logic::time::{Now, UtcMs};

/// One attempt about to be made.
pub(super) struct Start {
    pub(super) campaign: CampaignId,
    pub(super) line: usize,
    pub(super) lead: ClaimedLead,
    pub(super) phone: LeadPhone,
    pub(super) cover: Cover,
}

/// Who is there for the person if the call is answered.
#[derive(Clone, Copy)]
pub(super) enum Cover {
    /// An agent, kept for this call.
    Agent(AgentId),
    /// The campaign's message: nobody is needed.
    Message,
    /// Whoever is free or kept for another call; the ledger has credit for the case that nobody is.
    Credit(UncoveredStart),
}

impl Dialer {
    /// Starts as many attempts as agents, lines and rates allow now. Asked after every input.
    pub(super) fn pace(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.ending.starts_nothing() {
            // How the last talks end is learned from, too.
            for campaign in self.rooms.keys().copied().collect::<Vec<CampaignId>>() {
                self.forecast(now, campaign);
            }
            return;
        }
        self.cover(now, out);
        let mut wanting: BTreeMap<CampaignId, Sharing> =
            self.rooms.iter().map(|(id, room)| (*id, room.settings.sharing)).collect();
        let mut looked = BTreeSet::new();
        // Each turn starts one attempt, drops one lead or ends the wish for turns: all are bounded by what is at hand.
        while let Some(campaign) = self.turns.next(wanting.iter().map(|(id, of)| (*id, *of))) {
            if looked.insert(campaign) {
                self.forecast(now, campaign);
            }
            let Err(held_by) = self.start_one(now, campaign, out) else { continue };
            wanting.remove(&campaign);
            if let Some(room) = self.rooms.get_mut(&campaign)
                && !(held_by == "list" && room.held_by == Some("hours"))
            {
                room.held_by = Some(held_by);
            }
        }
    }

    /// Starts one attempt, or gives back one lead that a gate stops; else says what holds dialing back.
    fn start_one(
        &mut self,
        now: Now,
        campaign: CampaignId,
        out: &mut Vec<Action>,
    ) -> Result<(), &'static str> {
        let line = self.may_start(now, campaign)?;
        let mode = self.rooms.get(&campaign).ok_or("state")?.settings.mode;
        let needs_agents = match mode {
            DialMode::Manual => return Err("manual"),
            DialMode::Preview => return self.offer_one(now, campaign, out),
            DialMode::Progressive | DialMode::Ratio(_) | DialMode::Predictive => true,
            DialMode::Agentless => false,
        };
        self.may_use(line)?;
        self.own_rate(campaign)?;
        let (place, cover) = if needs_agents {
            self.match_covered(now, campaign)?
        } else {
            (self.match_any(campaign)?, Cover::Message)
        };
        if let Some((lead, phone)) = self.take_lead(now, campaign, place, out)? {
            self.start_attempt(now, Start { campaign, line, lead, phone, cover }, out);
        }
        Ok(())
    }

    /// A lead, and the agent or the credit for its call; or what holds that back.
    fn match_covered(
        &self,
        now: Now,
        campaign: CampaignId,
    ) -> Result<(usize, Cover), &'static str> {
        let forecast = self.rooms.get(&campaign).and_then(|room| room.forecast.as_ref());
        if forecast.is_some_and(|forecast| forecast.carrier_fails()) {
            return Err("carrier");
        }
        if let Some((place, agent)) = self.match_lead(now, campaign) {
            return Ok((place, Cover::Agent(agent)));
        }
        self.match_uncovered(now, campaign)
            .map(|(place, uncovered)| (place, Cover::Credit(uncovered)))
            .map_err(|held_by| {
                self.name_return_calls(campaign, self.name_prefix(campaign, held_by))
            })
    }

    /// The campaign's trunk, if the state of things lets calls start; else what does not.
    pub(super) fn may_start(&self, now: Now, campaign: CampaignId) -> Result<usize, &'static str> {
        let line = self.line_of(campaign).ok_or("trunk")?;
        let room = self.rooms.get(&campaign).ok_or("state")?;
        if room.state != CampaignState::Running {
            return Err("state");
        }
        if self.health != StoreHealth::Ok {
            return Err("store");
        }
        if self.clock_is_off() {
            return Err("clock");
        }
        if !self.lease.trusted(now) {
            return Err("lease");
        }
        Ok(line)
    }

    /// Whether the trunk has a channel and a turn for one more call now.
    pub(super) fn may_use(&self, line: usize) -> Result<(), &'static str> {
        if self.calls.len() >= self.max_lines {
            return Err("lines");
        }
        let starting = self.calls.starting(line);
        self.lines.get(line).ok_or("trunk")?.refusal(starting).map_or(Ok(()), Err)
    }

    /// Takes a lead from those at hand, with the number that is its turn. `None`: a gate stops it, and it went back.
    pub(super) fn take_lead(
        &mut self,
        now: Now,
        campaign: CampaignId,
        place: usize,
        out: &mut Vec<Action>,
    ) -> Result<Option<(ClaimedLead, LeadPhone)>, &'static str> {
        let taken = self.rooms.get_mut(&campaign).and_then(|room| room.leads.remove(place));
        let lead = taken.ok_or("list")?.lead;
        if self.rooms.get(&campaign).is_some_and(|room| room.leads.len() < 10 && !room.dry) {
            self.deadlines.set(Timer::Room(campaign), Some(now.tick));
        }
        let Some(phone) = lead.phones.first().cloned() else {
            self.give_back(now, campaign, &lead, Gate::NoNumber, None, out);
            return Ok(None);
        };
        if let Some((gate, until)) = self.gate_in_memory(now, campaign, &phone, lead.class) {
            self.give_back(now, campaign, &lead, gate, until, out);
            return Ok(None);
        }
        Ok(Some((lead, phone)))
    }

    /// The first lead, in order of rank, for which an agent is free; and that agent.
    pub(super) fn match_lead(&self, now: Now, campaign: CampaignId) -> Option<(usize, AgentId)> {
        let room = self.rooms.get(&campaign)?;
        if !self.desks.has_free() {
            return None;
        }
        let full = self.full_prefixes(room);
        let kept = self.kept_back();
        let mut leads = room.leads.iter().take(LOOK_PAST).enumerate();
        leads.find_map(|(place, AtHand { lead, .. })| {
            let agent = (!room.is_under(lead, &full))
                .then(|| self.agent_for(now, campaign, lead, &kept))?;
            agent.map(|agent| (place, agent))
        })
    }

    /// Agents are free, and what holds dialing back is that the next leads' numbers begin alike.
    fn name_prefix(&self, campaign: CampaignId, held_by: &'static str) -> &'static str {
        let Some(room) = self.rooms.get(&campaign) else { return held_by };
        let full = self.full_prefixes(room);
        if full.is_empty() {
            return held_by;
        }
        let under = room.leads.iter().take(LOOK_PAST).any(|next| room.is_under(&next.lead, &full));
        let free = under && self.desks.has_free();
        if free { "prefix_rate" } else { held_by }
    }

    /// The longest idle agent with the campaign's skills and this language.
    pub(super) fn free_agent(&self, campaign: CampaignId, language: &str) -> Option<AgentId> {
        self.spare_agent(campaign, language, &KeptBack::default())
    }

    /// Likewise, of those who are not `kept` for return calls.
    pub(super) fn spare_agent(
        &self,
        campaign: CampaignId,
        language: &str,
        kept: &KeptBack<'_>,
    ) -> Option<AgentId> {
        let room = self.rooms.get(&campaign)?;
        let wanted = Wanted { skills: &room.settings.skills, language };
        let suits = |desk: &&Desk| kept.spares(desk) && fits(desk.offered(), wanted);
        self.desks.free().find(suits).map(|desk| desk.id)
    }

    /// The campaign's trunk.
    pub(super) fn line_of(&self, campaign: CampaignId) -> Option<usize> {
        let room = self.rooms.get(&campaign)?;
        let line = match &room.settings.trunk {
            Some(name) => self.lines.iter().position(|line| line.settings.name == *name),
            None => self
                .lines
                .iter()
                .position(|line| line.settings.simulated == room.settings.simulated_only),
        }?;
        // Short limits and open hours are lawful in simulation only: such a campaign never reaches a real trunk.
        let simulated = self.lines.get(line)?.settings.simulated;
        (simulated || !room.settings.simulated_only).then_some(line)
    }

    /// The gates that need no database: country, own numbers only, never-dial, hours.
    pub(super) fn gate_in_memory(
        &self,
        now: Now,
        campaign: CampaignId,
        phone: &LeadPhone,
        class: ClassId,
    ) -> Option<(Gate, Option<UtcMs>)> {
        let Some(room) = self.rooms.get(&campaign) else {
            return Some((Gate::CampaignState, None));
        };
        Answer::first_closed(gates_in_memory(
            &room.settings,
            &room.hours,
            &phone.number,
            class,
            now.utc,
        ))
    }

    pub(super) fn start_attempt(&mut self, now: Now, start: Start, out: &mut Vec<Action>) {
        let Start { campaign, line, lead, phone, cover } = start;
        let (agent, uncovered) = match cover {
            Cover::Agent(agent) => (Some(agent), None),
            Cover::Message => (None, None),
            Cover::Credit(uncovered) => (None, Some(uncovered)),
        };
        let (Some(attempt), Some(leg)) =
            (self.ids.make().map(AttemptId), self.ids.make().map(LegId))
        else {
            // Four thousand million ids are used up: only a restart helps.
            self.drain(now, out);
            return;
        };
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        let known = room.know(now, &lead, &phone);
        let settings = &room.settings;
        let Some(trunk) = self.lines.get_mut(line) else { return };
        trunk.in_use += 1;
        let menu = match cover {
            Cover::Message => menu_of(settings),
            Cover::Agent(_) | Cover::Credit(_) => None,
        };
        let public_ref = public_ref(self.boot, attempt);
        let intent = Intent {
            attempt,
            public_ref: public_ref.clone(),
            leg,
            lead: lead.lead,
            fence: lead.fence,
            campaign,
            seller: room.seller,
            contact: lead.contact,
            phone: phone.clone(),
            trunk: trunk.settings.name.clone(),
            caller_id: settings.caller_id.clone(),
            call: String::new(),
            agent,
            uncovered,
            now: now.utc,
            per_day: settings.caps.per_day,
            per_30_days: settings.caps.per_30_days,
            total: settings.caps.total,
            min_gap: settings.caps.min_gap,
            undelivered_per_hour: settings.caps.undelivered_per_hour,
        };
        let call = Call {
            machine: Watched::new(Attempt::new(
                now,
                settings.limits,
                settings.simulated_only,
                menu,
            )),
            attempt,
            public_ref,
            campaign,
            class: lead.class,
            lead,
            phone,
            started: now.utc,
            begun: now.tick,
            stage_since: now.tick,
            known,
            foretold: false,
            leg,
            line,
            agent: Watched::new(agent),
            prepared: false,
            leg_open: false,
            leg_up: false,
            play: None,
            said: None,
            message: None,
            recorded: false,
        };
        let sharing = settings.sharing;
        self.turns.take(campaign, sharing);
        self.calls.insert(call);
        self.legs.insert(leg, LegOwner::Call(attempt));
        if let Some(room) = self.rooms.get_mut(&campaign) {
            if let Some(uncovered) = uncovered {
                room.credit.ledger.start(attempt, uncovered.windows);
            }
            if let Some(forecast) = &mut room.forecast {
                forecast.spend();
            }
        }
        if let Some(agent) = agent {
            self.turn_page(attempt, agent);
            self.desk_event(now, agent, agent::Event::Reserve(attempt), out);
        }
        self.store(StoreCommand::Intent(Box::new(intent)), Waiting::Intent(attempt), out);
        self.arm_call(attempt);
    }

    /// Gives back a lead that a gate stops, until the gate may open.
    pub(super) fn give_back(
        &mut self,
        now: Now,
        campaign: CampaignId,
        lead: &ClaimedLead,
        gate: Gate,
        until: Option<UtcMs>,
        out: &mut Vec<Action>,
    ) {
        let Some(room) = self.rooms.get_mut(&campaign) else { return };
        *room.counts.gates.entry(gate).or_default() += 1;
        let (_, next_day) = room.day(now.utc);
        let wait = |due| (LeadState::Waiting, due);
        let (state, due) = match gate {
            Gate::Suppressed | Gate::NoNumber | Gate::NeverDial => (LeadState::Blocked, now.utc),
            Gate::Country | Gate::TestOnly => (LeadState::Blocked, now.utc),
            Gate::Total => (LeadState::Done, now.utc),
            Gate::CampaignState | Gate::NodeLease => (LeadState::Ready, now.utc),
            Gate::LeaseLost
            | Gate::PerDay
            | Gate::Per30Days
            | Gate::MinGap
            | Gate::Undelivered
            | Gate::Hours
            | Gate::Retry
            | Gate::Skipped
            | Gate::Callback => wait(until.unwrap_or(next_day)),
            Gate::NumberBusy => wait(now.utc + NUMBER_BUSY),
            Gate::Credit => {
                room.credit.refused(now);
                wait(now.utc + NO_CREDIT)
            }
        };
        let next_phone = lead.phones.first().map(|phone| phone.phone);
        self.release(campaign, lead, LeadAfter { state, due, gate: Some(gate), next_phone }, out);
    }

    /// Counts an outcome.
    pub(super) fn count(&mut self, campaign: CampaignId, outcome: Outcome) {
        if let Some(room) = self.rooms.get_mut(&campaign) {
            *room.counts.outcomes.entry(outcome).or_default() += 1;
        }
    }
}

/// How many leads in order of rank are looked past when no agent speaks the first one's language.
pub(super) const LOOK_PAST: usize = 64;
/// Before a lead is tried again whose number or person was on the phone with us: a call lasts minutes, not a day.
const NUMBER_BUSY: Duration = Duration::from_secs(300);
