//! One attempt joined to its leg, its agent, its announcement and its rows.

use crate::logic::agent;
use crate::logic::attempt::{self, Attempt, End, Failure, MessageKind, Stage};
use crate::logic::dialer::answers::Known;
use crate::logic::dialer::order::Watched;
use crate::logic::dialer::rows::Said;
use crate::logic::dialer::{
    Action, ClaimedLead, Dialer, LeadAfter, LeadPhone, LeadState, LegAnswered, LegCall, LegCommand,
    LegEnded, LegEvent, LegFailure, StoreCommand, StoreReply, Timer, Waiting,
};
use crate::logic::gate::Gate;
use crate::logic::ids::{AgentId, AttemptId, CampaignId, ClassId, LegId};
use crate::logic::media::{MediaCommand, Sound};
use crate::logic::outcome::Outcome;
use crate::logic::sip::user_agent::RemoteDialog;
use crate::logic::time::{Now, Tick, UtcMs};

/// One attempt, from its intent until its outcome is recorded and its leg is closed.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) machine: Watched<Attempt>,
    pub(super) attempt: AttemptId,
    pub(super) public_ref: String,
    pub(super) campaign: CampaignId,
    pub(super) class: ClassId,
    pub(super) lead: ClaimedLead,
    pub(super) phone: LeadPhone,
    /// When it was decided.
    pub(super) started: UtcMs,
    pub(super) begun: Tick,
    pub(super) stage_since: Tick,
    /// What was known of the lead, where who answers is learned.
    pub(super) known: Option<Known>,
    /// The engine of predictive mode knows how it went.
    pub(super) foretold: bool,
    pub(super) leg: LegId,
    pub(super) line: usize,
    /// Kept for it, or speaking with the person.
    pub(super) agent: Watched<Option<AgentId>>,
    /// Its ports are asked for, and it is not dialed yet.
    pub(super) prepared: bool,
    /// Dialed, and not closed yet.
    pub(super) leg_open: bool,
    /// Answered, and not over yet.
    pub(super) leg_up: bool,
    /// The announcement being played.
    pub(super) play: Option<u64>,
    /// Which announcement was begun.
    pub(super) message: Option<MessageKind>,
    /// The disposition, if one was given while the call went on.
    pub(super) said: Option<Said>,
    pub(super) recorded: bool,
}

impl Dialer {
    pub(super) fn intent_stored(
        &mut self,
        now: Now,
        attempt: AttemptId,
        reply: StoreReply,
        out: &mut Vec<Action>,
    ) {
        match reply {
            StoreReply::Refused { gate, until } => {
                // Nothing was written. The attempt never was; its lead goes back, its agent is free.
                if self.calls.get(&attempt).is_none_or(|call| call.recorded) {
                    return;
                }
                let Some(call) = self.drop_call(attempt) else { return };
                self.tell_undone(now, &call);
                self.release_credit(call.campaign, attempt);
                if let Some(agent) = *call.agent {
                    self.desk_event(now, agent, agent::Event::Release(attempt), out);
                }
                self.give_back(now, call.campaign, &call.lead, gate, until, out);
                if gate == Gate::CampaignState {
                    self.stopped_elsewhere(now, call.campaign, out);
                }
            }
            // A gate that is asked nothing lets nobody through.
            StoreReply::Rejected => self.call_event(now, attempt, attempt::Event::Withdrawn, out),
            StoreReply::Done
            | StoreReply::Claimed(_)
            | StoreReply::Promoted { .. }
            | StoreReply::Saved
            | StoreReply::Counted(_)
            | StoreReply::Account(_)
            | StoreReply::Held { .. }
            | StoreReply::Share(_)
            | StoreReply::Seen(_) => self.call_event(now, attempt, attempt::Event::Saved, out),
        }
    }

    pub(super) fn call_leg_event(
        &mut self,
        now: Now,
        attempt: AttemptId,
        leg: LegId,
        event: LegEvent,
        out: &mut Vec<Action>,
    ) {
        match event {
            LegEvent::Ringing => self.call_event(now, attempt, attempt::Event::Ringing, out),
            LegEvent::Progress => self.call_event(now, attempt, attempt::Event::Progress, out),
            LegEvent::Challenged => {
                if let Some(line) = self.calls.get(&attempt).map(|call| call.line) {
                    self.queue_authorized(now, line, leg, out);
                }
            }
            LegEvent::Answered(dialog) => self.answered(now, attempt, dialog, out),
            LegEvent::Failed(failure) => {
                self.close_leg(now, attempt, failure.status, failure.q850, out);
                self.call_event(now, attempt, attempt::Event::Failed(failure_of(failure)), out);
                self.forget_if_over(attempt);
            }
            LegEvent::Ended { by_peer, q850 } => {
                self.close_leg(now, attempt, None, q850, out);
                self.call_event(now, attempt, attempt::Event::LegEnded { by_peer, q850 }, out);
                self.forget_if_over(attempt);
            }
            LegEvent::PlayDone(play) => {
                if self.calls.get(&attempt).is_some_and(|call| call.play == Some(play)) {
                    self.call_event(now, attempt, attempt::Event::MessageDone, out);
                }
            }
            LegEvent::Digit(key) => self.call_event(now, attempt, attempt::Event::Key(key), out),
            // A customer's silence decides nothing yet.
            LegEvent::Sent
            | LegEvent::Held(_)
            | LegEvent::Quiet
            | LegEvent::Dead
            | LegEvent::Heard => {}
        }
    }

    fn answered(
        &mut self,
        now: Now,
        attempt: AttemptId,
        dialog: RemoteDialog,
        out: &mut Vec<Action>,
    ) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.leg_up = true;
        let (leg, campaign, counts) = (call.leg, call.campaign, !call.recorded);
        if counts && let Some(room) = self.rooms.get_mut(&campaign) {
            room.counts.answered += 1;
        }
        let answered = LegAnswered { leg, attempt: Some(attempt), dialog, at: now.utc };
        self.store(StoreCommand::LegAnswered(answered), Waiting::Fact, out);
        self.call_event(now, attempt, attempt::Event::Answered, out);
    }

    /// Hands an event to the attempt's machine and does what it says.
    pub(super) fn call_event(
        &mut self,
        now: Now,
        attempt: AttemptId,
        event: attempt::Event,
        out: &mut Vec<Action>,
    ) {
        let mut actions = vec![];
        let Some(stage) = self.calls.handle(now, attempt, event, &mut actions) else { return };
        self.tell_stage(now, attempt, stage);
        self.arm_call(attempt);
        for action in actions {
            match action {
                attempt::Action::Queue => {
                    if let Some(line) = self.calls.get(&attempt).map(|call| call.line) {
                        self.prepare(attempt, out);
                        self.queue_first(now, line, attempt, out);
                    }
                }
                attempt::Action::Dial => self.dial(attempt, out),
                attempt::Action::HangUp => {
                    if let Some(call) = self.calls.get(&attempt).filter(|call| call.leg_open) {
                        out.push(Action::Leg(call.leg, LegCommand::HangUp));
                    }
                }
                attempt::Action::WantAgent => self.find_agent(now, attempt, out),
                attempt::Action::Play(kind) => self.announce(now, attempt, kind, out),
                attempt::Action::Say(part) => self.say(now, attempt, part, out),
                attempt::Action::Hush => self.hush(attempt, out),
                attempt::Action::Chosen(key) => self.choose(now, attempt, key, out),
                attempt::Action::Record(end) => {
                    self.unprepare(attempt, out);
                    self.tell_end(now, attempt, end.outcome);
                    self.learn_answer(attempt, end.outcome);
                    self.record(now, attempt, stage, &end, out);
                }
            }
        }
    }

    pub(super) fn arm_call(&mut self, attempt: AttemptId) {
        let at = self.calls.get(&attempt).and_then(|call| call.machine.next_timeout());
        self.deadlines.set(Timer::Call(attempt), at);
    }

    /// The ports are bound while the call waits for its turn: an INVITE that waits for them would leave later than the
    /// rate limiter thinks, and closer to the next one.
    fn prepare(&mut self, attempt: AttemptId, out: &mut Vec<Action>) {
        let Some(leg_call) = self.leg_call(attempt) else { return };
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.prepared = true;
        out.push(Action::Leg(call.leg, LegCommand::Prepare(leg_call)));
    }

    /// Gives the ports back that no INVITE will use.
    fn unprepare(&mut self, attempt: AttemptId, out: &mut Vec<Action>) {
        if let Some(call) = self.calls.get_mut(&attempt).filter(|call| call.prepared) {
            call.prepared = false;
            out.push(Action::Leg(call.leg, LegCommand::HangUp));
        }
    }

    fn dial(&mut self, attempt: AttemptId, out: &mut Vec<Action>) {
        let Some(leg_call) = self.leg_call(attempt) else { return };
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.prepared = false;
        call.leg_open = true;
        out.push(Action::Leg(call.leg, LegCommand::Dial(leg_call)));
        if let Some(room) = self.rooms.get_mut(&call.campaign) {
            room.counts.dialed += 1;
        }
    }

    fn leg_call(&self, attempt: AttemptId) -> Option<LegCall> {
        let call = self.calls.get(&attempt)?;
        Some(LegCall::Customer {
            attempt,
            trunk: self.lines.get(call.line)?.settings.name.clone(),
            number: call.phone.number.clone(),
            caller_id: self.rooms.get(&call.campaign)?.settings.caller_id.clone(),
        })
    }

    /// An answered person wants an agent: the one kept for the call first, else the longest idle who fits, else one who
    /// is kept for a call that still rings.
    fn find_agent(&mut self, now: Now, attempt: AttemptId, out: &mut Vec<Action>) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let kept = call.agent.filter(|agent| {
            self.desks.get(agent).is_some_and(|desk| desk.machine.is_kept_for(attempt))
        });
        let language = self.language_of(call);
        let agent = kept
            .or_else(|| self.free_agent(call.campaign, &language))
            .map(|agent| (agent, None))
            .or_else(|| self.take_kept_agent(now, attempt, out));
        if let Some((agent, given_up)) = agent {
            self.join(now, attempt, agent, given_up, out);
        }
    }

    /// An agent became free: whoever answered first comes first, and before any new call.
    pub(super) fn serve_waiting(&mut self, now: Now, out: &mut Vec<Action>) {
        for attempt in self.calls.waiting() {
            self.find_agent(now, attempt, out);
        }
    }

    fn join(
        &mut self,
        now: Now,
        attempt: AttemptId,
        agent: AgentId,
        given_up: Option<AttemptId>,
        out: &mut Vec<Action>,
    ) {
        let before = self.calls.give(attempt, Some(agent));
        let Some(call) = self.calls.get(&attempt) else { return };
        let (customer, campaign) = (call.leg, call.campaign);
        let Some(room) = self.rooms.get(&call.campaign) else { return };
        let join = agent::Event::Join {
            attempt,
            hang_up_keys: room.settings.hang_up_keys.clone(),
            map: agent::DigitMap(
                room.settings.dispositions.iter().map(|d| d.digits.clone()).collect(),
            ),
            wrap_up: room.settings.wrap_up,
        };
        if let Some(before) = before.filter(|before| *before != agent) {
            self.desk_event(now, before, agent::Event::Release(attempt), out);
        }
        let Some(phone) = self.desks.get(&agent).and_then(|desk| desk.leg) else { return };
        out.push(Action::Media(MediaCommand::Bridge { a: phone, b: customer }));
        let play = self.next_play();
        out.push(Action::Media(MediaCommand::Play { leg: phone, play, sound: ZIP_TONE }));
        self.turn_page(attempt, agent);
        if let Some(desk) = self.desks.get_mut(&agent) {
            desk.spoken.clone_from(&desk.last);
        }
        self.desk_event(now, agent, join, out);
        self.release_credit(campaign, attempt);
        self.call_event(now, attempt, attempt::Event::AgentJoined, out);
        let connected = StoreCommand::Connected { attempt, agent, at: now.utc, given_up };
        self.store(connected, Waiting::Fact, out);
    }

    fn announce(&mut self, now: Now, attempt: AttemptId, kind: MessageKind, out: &mut Vec<Action>) {
        let play = self.next_play();
        let Some(call) = self.calls.get(&attempt) else { return };
        let language = self.language_of(call);
        let Some(room) = self.rooms.get(&call.campaign) else { return };
        let messages = match kind {
            MessageKind::SafeHarbour => &room.settings.messages.safe_harbour,
            MessageKind::CallLost => &room.settings.messages.call_lost,
            // Said in parts.
            MessageKind::Campaign => return,
        };
        let path = messages.get(&language).or_else(|| messages.values().next());
        let leg = call.leg;
        let sound = path.and_then(|path| self.sounds.get(path)).cloned();
        let Some(samples) = sound else {
            // No announcement: silence is worse than a click.
            self.call_event(now, attempt, attempt::Event::MessageDone, out);
            return;
        };
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.play = Some(play);
            call.message = Some(kind);
            if let Some(room) = self.rooms.get_mut(&call.campaign) {
                room.counts.messages += 1;
            }
        }
        out.push(Action::Media(MediaCommand::Unbridge { leg }));
        out.push(Action::Media(MediaCommand::Play { leg, play, sound: Sound::Samples(samples) }));
    }

    fn record(
        &mut self,
        now: Now,
        attempt: AttemptId,
        stage: Stage,
        end: &End,
        out: &mut Vec<Action>,
    ) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.recorded = true;
        let (agent, leg_up, leg) = (*call.agent, call.leg_up, call.leg);
        let record = self.outcome_row(now, attempt, end);
        if let Some(record) = record {
            let (campaign, after) =
                (self.calls.get(&attempt).map(|call| call.campaign), record.after.clone());
            if let Some(room) = campaign.and_then(|campaign| self.rooms.get_mut(&campaign)) {
                room.expect(&after);
            }
            self.store(StoreCommand::Outcome(Box::new(record)), Waiting::Fact, out);
            if let Some(campaign) = campaign {
                self.read_ledger(now, campaign, out);
            }
        }
        if end.outcome == Outcome::NotPlaced && stage == Stage::Starting {
            self.release_unplaced(now, attempt, out);
        }
        if leg_up {
            out.push(Action::Media(MediaCommand::Unbridge { leg }));
        }
        if let Some(agent) = agent {
            let over = agent::Event::CallOver(attempt);
            self.desk_event(now, agent, over, out);
            self.desk_event(now, agent, agent::Event::Release(attempt), out);
        }
        self.forget_if_over(attempt);
    }

    /// The intent may or may not have landed: the lead goes back either way.
    fn release_unplaced(&mut self, now: Now, attempt: AttemptId, out: &mut Vec<Action>) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let (campaign, lead) = (call.campaign, call.lead.clone());
        let after = LeadAfter {
            state: LeadState::Waiting,
            due: now.utc + UNPLACED,
            gate: None,
            next_phone: Some(call.phone.phone),
        };
        self.release(campaign, &lead, after, out);
    }

    /// The leg is closed: its channel is free. Where the outcome was written before, the row of the leg is too, now.
    fn close_leg(
        &mut self,
        now: Now,
        attempt: AttemptId,
        sip_status: Option<u16>,
        q850: Option<u8>,
        out: &mut Vec<Action>,
    ) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let (leg, late) = (call.leg, call.recorded && call.leg_open);
        call.leg_open = false;
        call.leg_up = false;
        if late {
            let row = LegEnded { leg, sip_status, q850, at: now.utc };
            self.store(StoreCommand::LegEnded(row), Waiting::Fact, out);
        }
    }

    /// Forgets an attempt whose outcome is recorded and whose leg is closed.
    fn forget_if_over(&mut self, attempt: AttemptId) {
        if self.calls.get(&attempt).is_some_and(|call| call.recorded && !call.leg_open) {
            self.drop_call(attempt);
        }
    }

    fn drop_call(&mut self, attempt: AttemptId) -> Option<Call> {
        let call = self.calls.remove(&attempt)?;
        self.legs.remove(&call.leg);
        self.deadlines.set(Timer::Call(attempt), None);
        if let Some(line) = self.lines.get_mut(call.line) {
            line.in_use = line.in_use.saturating_sub(1);
        }
        Some(call)
    }

    pub(super) fn language_of(&self, call: &Call) -> String {
        let default = || self.rooms.get(&call.campaign).map(|room| room.settings.language.clone());
        call.lead.language.clone().or_else(default).unwrap_or_default()
    }
}

/// What the attempt's machine needs of a leg's failure.
const fn failure_of(failure: LegFailure) -> Failure {
    Failure {
        status: failure.status,
        sent: failure.sent,
        uncertain: failure.uncertain,
        q850: failure.q850,
        retry_after: failure.retry_after,
    }
}

/// Tells the agent that somebody is on the line: two packets, so that the person is heard within 100 ms of the answer.
const ZIP_TONE: Sound = Sound::Tone { hz: 620, millis: 40, level: 0.2 };

/// Before a lead whose intent was given up is tried again.
const UNPLACED: std::time::Duration = std::time::Duration::from_secs(10);
