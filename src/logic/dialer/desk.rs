//! One agent joined to a phone, to the page before him and to the disposition of the last call.

use crate::logic::agent::{self, Agent, Kind};
use crate::logic::attempt;
use crate::logic::dialer::command::{AgentNotice, AgentPage, AgentState, DispositionKey, Reply};
use crate::logic::dialer::forecast::Doing;
use crate::logic::dialer::order::Watched;
use crate::logic::dialer::preview::Offer;
use crate::logic::dialer::room::Room;
use crate::logic::dialer::rows::{LastCall, Saying};
use crate::logic::dialer::{
    Action, AgentLeg, AgentStateRecord, Asker, ClaimedLead, Dialer, LeadPhone, LegAnswered,
    LegCall, LegCommand, LegEnded, LegEvent, LegFailure, LegOwner, StoreCommand, StoreReply, Timer,
    Waiting,
};
use crate::logic::ids::{AgentId, AttemptId, LegId};
use crate::logic::media::{MediaCommand, Sound};
use crate::logic::pacing::fit::Offered;
use crate::logic::settings::AgentSettings;
use crate::logic::time::Now;

/// One agent.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) id: AgentId,
    pub(super) settings: AgentSettings,
    pub(super) machine: Watched<Agent>,
    /// The phone's leg: being dialed or up.
    pub(super) leg: Option<LegId>,
    /// The customer on the page: from the reservation until the next one.
    pub(super) last: Option<LastCall>,
    /// The customer last spoken with: a late disposition is about this call, whoever is on the page by then.
    pub(super) spoken: Option<LastCall>,
    /// The person this agent is shown before a call.
    pub(super) offer: Option<Offer>,
    /// Who wants to hear how the log-in went.
    pub(super) asker: Option<Asker>,
    pub(super) doing: Doing,
}

impl Desk {
    pub(super) fn new(now: Now, id: AgentId, settings: AgentSettings) -> Self {
        Self {
            id,
            settings,
            machine: Watched::new(Agent::new(now)),
            leg: None,
            last: None,
            spoken: None,
            offer: None,
            asker: None,
            doing: Doing::new(now),
        }
    }

    /// What the agent may be asked for.
    pub(super) fn offered(&self) -> Offered<'_> {
        Offered { skills: &self.settings.skills, languages: &self.settings.languages }
    }

    pub(super) fn notice(&self) -> AgentNotice {
        let page = match &self.offer {
            Some(offer) => Some(&offer.page),
            None => self.last.as_ref().map(|last| &last.page),
        };
        let with_page = self.offer.is_some() || self.machine.attempt().is_some();
        AgentNotice {
            agent: self.settings.name.clone(),
            state: state_word(self.machine.kind()),
            since: self.machine.since_utc(),
            reason: self.machine.pause_reason().map(str::to_owned),
            page: page.filter(|_| with_page).cloned(),
        }
    }
}

impl Dialer {
    /// Hands an event to the agent's machine and does what it says.
    pub(super) fn desk_event(
        &mut self,
        now: Now,
        agent: AgentId,
        event: agent::Event,
        out: &mut Vec<Action>,
    ) {
        let mut actions = vec![];
        let Some(at) = self.desks.handle(now, agent, event, &mut actions) else { return };
        self.deadlines.set(Timer::Desk(agent), at);
        for action in actions {
            self.do_for_desk(now, agent, action, out);
        }
    }

    fn do_for_desk(
        &mut self,
        now: Now,
        agent: AgentId,
        action: agent::Action,
        out: &mut Vec<Action>,
    ) {
        match action {
            agent::Action::Dial => self.dial_phone(now, agent, out),
            agent::Action::HangUpPhone => {
                if let Some(leg) = self.desks.get(&agent).and_then(|desk| desk.leg) {
                    out.push(Action::Leg(leg, LegCommand::HangUp));
                }
            }
            agent::Action::Lost(attempt) => {
                let call = self.calls.get(&attempt).filter(|call| *call.agent == Some(agent));
                if let Some(leg) = call.map(|call| call.leg) {
                    self.calls.give(attempt, None);
                    out.push(Action::Media(MediaCommand::Unbridge { leg }));
                    self.keep_agent(now, attempt, out);
                    self.call_event(now, attempt, attempt::Event::AgentLost, out);
                }
            }
            agent::Action::HangUpCustomer(attempt) => {
                self.call_event(now, attempt, attempt::Event::Stop, out)
            }
            agent::Action::Pass(attempt, digits) => {
                if let Some(call) = self.calls.get(&attempt) {
                    out.push(Action::Media(MediaCommand::SendDigits { leg: call.leg, digits }));
                }
            }
            agent::Action::Chose(attempt, place) => {
                let code = self
                    .last_of(agent, attempt)
                    .and_then(|last| last.page.dispositions.get(place))
                    .map(|key| key.code.clone());
                if let Some(code) = code {
                    self.dispose(
                        now,
                        agent,
                        attempt,
                        Saying { code: &code, memo: None, callback: None, asker: None },
                        out,
                    );
                }
            }
            agent::Action::WrapUpOver(_) => {}
            agent::Action::PutBack => self.put_back(now, agent, out),
            agent::Action::Changed => self.changed(now, agent, out),
        }
    }

    /// Keeps an agent for an attempt whose own is gone, if one is free.
    pub(super) fn keep_agent(&mut self, now: Now, attempt: AttemptId, out: &mut Vec<Action>) {
        let Some(call) = self.calls.get(&attempt) else { return };
        if matches!(
            call.machine.stage(),
            attempt::Stage::Talking | attempt::Stage::Message | attempt::Stage::Ended
        ) {
            return;
        }
        let language = self.language_of(call);
        if let Some(next) = self.free_agent(call.campaign, &language) {
            self.reserve(now, attempt, next, out);
        }
    }

    /// Keeps this agent for an attempt that has none.
    pub(super) fn reserve(
        &mut self,
        now: Now,
        attempt: AttemptId,
        agent: AgentId,
        out: &mut Vec<Action>,
    ) {
        self.calls.give(attempt, Some(agent));
        self.turn_page(attempt, agent);
        self.desk_event(now, agent, agent::Event::Reserve(attempt), out);
    }

    fn changed(&mut self, now: Now, agent: AgentId, out: &mut Vec<Action>) {
        let seq = self.next_state_seq();
        let Some(desk) = self.desks.get(&agent) else { return };
        let notice = desk.notice();
        let record = AgentStateRecord {
            agent,
            at: now.utc,
            seq,
            state: notice.state.as_str(),
            reason: notice.reason.clone(),
        };
        let free = desk.machine.may_take_call();
        out.push(Action::Notice(Box::new(notice)));
        self.store(StoreCommand::AgentState(record), Waiting::Fact, out);
        self.tell_desk(now, agent);
        if free {
            if self.shared {
                // While nobody was here, the leads were left to others.
                for (campaign, _) in self.rooms.iter().filter(|(_, room)| room.leads.is_empty()) {
                    self.deadlines.set(Timer::Room(*campaign), Some(now.tick));
                }
            }
            self.serve_waiting(now, out);
        }
    }

    fn dial_phone(&mut self, now: Now, agent: AgentId, out: &mut Vec<Action>) {
        let Some(leg) = self.ids.make().map(LegId) else {
            self.drain(now, out);
            return;
        };
        let Some(desk) = self.desks.get_mut(&agent) else { return };
        desk.leg = Some(leg);
        self.legs.insert(leg, LegOwner::Desk(agent));
        // Stored before it is dialed: a restart must be able to end it.
        let row = AgentLeg { leg, agent, call: String::new(), now: now.utc };
        self.store(StoreCommand::AgentLeg(row), Waiting::AgentLeg { agent, leg }, out);
        if self.shared {
            // By the time the phone is up, there is a share of the trunks to call with.
            self.draw_shares(now, out);
        }
    }

    pub(super) fn agent_leg_stored(
        &mut self,
        now: Now,
        agent: AgentId,
        leg: LegId,
        reply: StoreReply,
        out: &mut Vec<Action>,
    ) {
        let Some(desk) = self.desks.get_mut(&agent) else { return };
        let asker = desk.asker.take();
        let wanted = desk.leg == Some(leg) && desk.machine.kind() == Kind::LoggingIn;
        let told = if let StoreReply::Held { by } = reply {
            self.legs.remove(&leg);
            let name = desk.settings.name.clone();
            if wanted {
                desk.leg = None;
                self.desk_event(now, agent, agent::Event::PhoneDown, out);
            }
            held_elsewhere(&name, &by)
        } else {
            if wanted {
                out.push(Action::Leg(leg, LegCommand::Dial(LegCall::Agent { agent })));
            } else {
                // Given up before it was dialed: nobody is rung, and the agent is free for another process.
                if let Some(desk) = self.desks.get_mut(&agent).filter(|d| d.leg == Some(leg)) {
                    desk.leg = None;
                }
                self.leg_over(now, leg, &LegEvent::Failed(NEVER_DIALED), out);
            }
            Reply::Ok
        };
        if let Some(asker) = asker {
            out.push(Action::Reply(asker, Box::new(told)));
        }
    }

    pub(super) fn desk_leg_event(
        &mut self,
        now: Now,
        agent: AgentId,
        leg: LegId,
        event: LegEvent,
        out: &mut Vec<Action>,
    ) {
        let current = self.desks.get(&agent).is_some_and(|desk| desk.leg == Some(leg));
        let event = match event {
            LegEvent::Answered(dialog) => {
                let row = LegAnswered { leg, attempt: None, dialog, at: now.utc };
                self.store(StoreCommand::LegAnswered(row), Waiting::Fact, out);
                if !current
                    || self.desks.get(&agent).is_some_and(|d| d.machine.kind() != Kind::LoggingIn)
                {
                    // Answered after the shift was given up.
                    out.push(Action::Leg(leg, LegCommand::HangUp));
                    return;
                }
                agent::Event::PhoneUp
            }
            LegEvent::Failed(_) | LegEvent::Ended { .. } => {
                self.leg_over(now, leg, &event, out);
                if let Some(desk) = self.desks.get_mut(&agent).filter(|_| current) {
                    desk.leg = None;
                }
                agent::Event::PhoneDown
            }
            LegEvent::Challenged => {
                out.push(Action::Leg(leg, LegCommand::Authorize));
                return;
            }
            LegEvent::Digit(digit) => agent::Event::Digit(digit),
            LegEvent::Held(held) => agent::Event::Held(held),
            LegEvent::Quiet => agent::Event::Quiet,
            LegEvent::Heard => agent::Event::Heard,
            LegEvent::Dead => agent::Event::PhoneDead,
            LegEvent::Sent | LegEvent::Ringing | LegEvent::Progress | LegEvent::PlayDone(_) => {
                return;
            }
        };
        if current {
            let served = matches!(event, agent::Event::Heard);
            self.desk_event(now, agent, event, out);
            if served {
                self.serve_waiting(now, out);
            }
        }
    }

    /// An earlier process left this leg up: its end is being asked for.
    pub fn expect_stray_leg(&mut self, leg: LegId) {
        self.legs.insert(leg, LegOwner::Stray);
    }

    /// Forgets a leg that is over, and has its row written.
    pub(super) fn leg_over(
        &mut self,
        now: Now,
        leg: LegId,
        event: &LegEvent,
        out: &mut Vec<Action>,
    ) {
        let Some((sip_status, q850)) = event.end() else { return };
        self.legs.remove(&leg);
        let row = LegEnded { leg, sip_status, q850, at: now.utc };
        self.store(StoreCommand::LegEnded(row), Waiting::Fact, out);
    }

    /// Puts the customer of an attempt before an agent.
    pub(super) fn turn_page(&mut self, attempt: AttemptId, agent: AgentId) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let Some(room) = self.rooms.get(&call.campaign) else { return };
        let page = page_of(room, &call.lead, &call.phone, call.public_ref.clone());
        let last = LastCall::of(call, room, page);
        if let Some(desk) = self.desks.get_mut(&agent) {
            desk.last = Some(last);
        }
    }

    /// The disposition is durable: only now is the agent told.
    pub(super) fn disposition_stored(
        &mut self,
        agent: AgentId,
        attempt: AttemptId,
        code: &str,
        out: &mut Vec<Action>,
    ) {
        let play = self.next_play();
        let Some(desk) = self.desks.get_mut(&agent) else { return };
        let Some(last) = desk.last.as_mut().filter(|last| last.attempt == attempt) else { return };
        if last.page.chosen.as_deref() != Some(code) {
            // Corrected since; the later one will be confirmed.
            return;
        }
        last.page.saved = true;
        let (notice, leg, wrapping) =
            (desk.notice(), desk.leg, desk.machine.kind() == Kind::WrapUp);
        out.push(Action::Notice(Box::new(notice)));
        if let Some(leg) = leg.filter(|_| wrapping) {
            out.push(Action::Media(MediaCommand::Play { leg, play, sound: CONFIRM_TONE }));
        }
    }

    pub(super) fn last_of(&self, agent: AgentId, attempt: AttemptId) -> Option<&LastCall> {
        let desk = self.desks.get(&agent)?;
        [&desk.last, &desk.spoken].into_iter().flatten().find(|last| last.attempt == attempt)
    }
}

/// What an agent sees of a person; `attempt` is empty before there is one.
pub(super) fn page_of(
    room: &Room,
    lead: &ClaimedLead,
    phone: &LeadPhone,
    attempt: String,
) -> AgentPage {
    let settings = &room.settings;
    AgentPage {
        campaign: settings.name.clone(),
        seller: settings.seller.clone(),
        attempt,
        name: lead.name.clone(),
        external_id: lead.external_id.clone(),
        number: phone.number.reveal().to_owned(),
        language: lead.language.clone().unwrap_or_else(|| settings.language.clone()),
        fields: lead.fields.clone(),
        promised: room.promised_text(lead),
        script: fill_in(&settings.script, lead.name.as_deref(), &lead.fields),
        dispositions: settings
            .dispositions
            .iter()
            .map(|d| DispositionKey {
                digits: d.digits.clone(),
                code: d.code.clone(),
                label_en: d.label_en.clone(),
                label_ja: d.label_ja.clone(),
            })
            .collect(),
        hang_up_keys: settings.hang_up_keys.clone(),
        chosen: None,
        saved: false,
    }
}

fn held_elsewhere(agent: &str, by: &str) -> Reply {
    let message = format!(
        "{agent} is logged in at the dialer {by}: log out there first. If it has died, it is free within half a minute"
    );
    Reply::Refused { code: "held_elsewhere", message }
}

pub(super) const fn state_word(kind: Kind) -> AgentState {
    match kind {
        Kind::Offline => AgentState::Offline,
        Kind::LoggingIn => AgentState::LoggingIn,
        Kind::Paused => AgentState::Paused,
        Kind::Ready => AgentState::Ready,
        Kind::Previewing => AgentState::Previewing,
        Kind::Reserved => AgentState::Reserved,
        Kind::OnCall => AgentState::OnCall,
        Kind::WrapUp => AgentState::WrapUp,
    }
}

/// Puts the person's name and fields into the script: `{name}`, `{plan}`. What is not known stays as written.
fn fill_in(script: &str, name: Option<&str>, fields: &[(String, String)]) -> String {
    let mut text = script.to_owned();
    if let Some(name) = name {
        text = text.replace("{name}", name);
    }
    for (field, value) in fields {
        text = text.replace(&format!("{{{field}}}"), value);
    }
    text
}

/// The phone of a shift that was given up before it was rung.
const NEVER_DIALED: LegFailure =
    LegFailure { status: None, sent: false, uncertain: false, q850: None, retry_after: None };
/// Tells the agent that the disposition is durable.
const CONFIRM_TONE: Sound = Sound::Tone { hz: 880, millis: 120, level: 0.2 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_shows_name_and_fields() {
        let fields = [("プラン".to_owned(), "光10G".to_owned())];
        let text = fill_in("{name}様、{プラン}の件で。{unknown}", Some("山田"), &fields);
        assert_eq!(text, "山田様、光10Gの件で。{unknown}");
    }
}
