//! The legs of a rehearsal: what a carrier and the people behind it do, and agents' phones that answer by themselves.

use std::time::Duration;

use crate::logic::dialer::{Input, LegCall, LegCommand, LegEvent, LegFailure};
use crate::logic::ids::LegId;
use crate::logic::media::{MediaCommand, Sound};
use crate::logic::sip::user_agent::RemoteDialog;
use crate::logic::time::Tick;
use crate::simulation::rehearsal::desk::Talk;
use crate::simulation::rehearsal::people::{Answer, FateEnd, Listens};
use crate::simulation::rehearsal::world::{Due, World};

/// One leg.
#[derive(Debug)]
pub(super) enum Leg {
    /// Of an agent, by place.
    Phone(usize),
    /// Of a customer.
    Call(Call),
}

#[derive(Debug)]
pub(super) struct Call {
    stage: Stage,
    answer: Option<Answer>,
    answered: Tick,
    /// An agent was there, or a message began.
    joined: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Rings,
    Up,
    /// Its end is on its way.
    Ends,
}

impl World<'_> {
    pub(super) fn leg_command(&mut self, leg: LegId, command: LegCommand) {
        match command {
            // Ports cost nothing here; an answer to a challenge is never asked for; nothing was left by anybody.
            LegCommand::Prepare(_) | LegCommand::Authorize | LegCommand::Recover(_) => {}
            LegCommand::Dial(LegCall::Agent { agent }) => {
                if let Some(place) = self.place_of(agent) {
                    self.legs.insert(leg, Leg::Phone(place));
                    self.later(PHONE_ANSWERS, Due::PhoneUp(leg));
                }
            }
            LegCommand::Dial(LegCall::Customer { number, .. }) => self.invite(leg, number.reveal()),
            LegCommand::HangUp => self.hang_up(leg),
        }
    }

    fn invite(&mut self, leg: LegId, number: &str) {
        self.note_invite();
        let earlier = self.turns.entry(number.to_owned()).or_default();
        let turn = *earlier;
        *earlier += 1;
        let fate = self.rehearsal.people.fate(self.seed, number, turn, self.hour());
        let mut call =
            Call { stage: Stage::Rings, answer: None, answered: self.now.tick, joined: false };
        if self.is_out() {
            self.later(REFUSED_AT_ONCE, Due::Refused(leg, CARRIER_IS_OUT));
        } else {
            match fate.end {
                FateEnd::Dead => self.later(fate.post_dial, Due::Refused(leg, NO_SUCH_NUMBER)),
                FateEnd::Busy => self.later(fate.post_dial, Due::Refused(leg, BUSY)),
                FateEnd::Rings => self.later(fate.post_dial, Due::Ringing(leg)),
                FateEnd::Answers(answer) => {
                    self.later(fate.post_dial, Due::Ringing(leg));
                    self.later(fate.post_dial + answer.ring, Due::Answered(leg));
                    call.answer = Some(answer);
                }
            }
        }
        self.legs.insert(leg, Leg::Call(call));
        self.line_opened();
    }

    fn hang_up(&mut self, leg: LegId) {
        let due = match self.legs.get_mut(&leg) {
            Some(Leg::Phone(_)) => Due::Ended(leg, false),
            Some(Leg::Call(call)) => match call.stage {
                Stage::Rings => {
                    call.stage = Stage::Ends;
                    Due::Refused(leg, CANCELLED)
                }
                Stage::Up => {
                    call.stage = Stage::Ends;
                    Due::Ended(leg, false)
                }
                Stage::Ends => return,
            },
            None => return,
        };
        self.later(FAR_END_CONFIRMS, due);
    }

    pub(super) fn phone_up(&mut self, leg: LegId) {
        if matches!(self.legs.get(&leg), Some(Leg::Phone(_))) {
            self.input(Input::Leg(leg, LegEvent::Answered(dialog())));
        }
    }

    pub(super) fn ringing(&mut self, leg: LegId) {
        if self.stage(leg) == Some(Stage::Rings) {
            self.input(Input::Leg(leg, LegEvent::Ringing));
        }
    }

    pub(super) fn refused(&mut self, leg: LegId, status: u16) {
        // A refusal that was due before our CANCEL came is its answer, too.
        let ends = matches!(self.stage(leg), Some(Stage::Rings | Stage::Ends));
        if ends && self.legs.remove(&leg).is_some() {
            self.line_closed();
            let failure = LegFailure {
                status: Some(status),
                sent: true,
                uncertain: false,
                q850: None,
                retry_after: None,
            };
            self.input(Input::Leg(leg, LegEvent::Failed(failure)));
        }
    }

    pub(super) fn answered(&mut self, leg: LegId) {
        let now = self.now.tick;
        let Some(Leg::Call(call)) = self.legs.get_mut(&leg) else { return };
        if call.stage != Stage::Rings {
            return;
        }
        call.stage = Stage::Up;
        call.answered = now;
        let patience = call.answer.as_ref().and_then(|answer| answer.patience);
        if let Some(patience) = patience {
            self.later(patience, Due::GivesUp(leg));
        }
        self.note_answer();
        self.input(Input::Leg(leg, LegEvent::Answered(dialog())));
    }

    /// Nobody was heard for too long.
    pub(super) fn gives_up(&mut self, leg: LegId) {
        if let Some(Leg::Call(call)) = self.legs.get(&leg)
            && !call.joined
        {
            self.ended(leg, true);
        }
    }

    pub(super) fn ended(&mut self, leg: LegId, by_peer: bool) {
        let up = match self.legs.get(&leg) {
            Some(Leg::Phone(_)) => true,
            Some(Leg::Call(call)) => call.stage != Stage::Rings,
            None => false,
        };
        if !up {
            return;
        }
        if let Some(Leg::Call(call)) = self.legs.remove(&leg) {
            self.line_closed();
            if !call.joined {
                self.note_loss();
            }
        }
        self.input(Input::Leg(leg, LegEvent::Ended { by_peer, q850: None }));
    }

    pub(super) fn media(&mut self, command: MediaCommand) {
        match command {
            MediaCommand::Bridge { a, b } => self.bridge(a, b),
            MediaCommand::Play { leg, play, sound: Sound::Samples(sound) } => {
                if sound.len() == RECORDED {
                    self.listens(leg, play);
                } else {
                    self.later(MESSAGE, Due::Played(leg, play));
                }
            }
            MediaCommand::Play { .. }
            | MediaCommand::Open { .. }
            | MediaCommand::Remote { .. }
            | MediaCommand::Unbridge { .. }
            | MediaCommand::StopPlay { .. }
            | MediaCommand::SendDigits { .. }
            | MediaCommand::Tap { .. }
            | MediaCommand::Close { .. } => {}
        }
    }

    /// The campaign's message begins: whoever hears it is no longer waiting for somebody.
    fn listens(&mut self, leg: LegId, play: u64) {
        let length = self.rehearsal.people.message;
        let Some(Leg::Call(call)) = self.legs.get_mut(&leg) else { return };
        call.joined = true;
        let part = |thousandth: u32| length.saturating_mul(thousandth) / 1_000;
        match call.answer.as_ref().map_or(Listens::ToTheEnd, |answer| answer.listens) {
            Listens::ToTheEnd => self.later(length, Due::Played(leg, play)),
            Listens::HangsUp(at) => self.later(part(at), Due::Ended(leg, true)),
            Listens::Presses(at, which) => self.later(part(at), Due::Pressed(leg, which)),
        }
    }

    pub(super) fn pressed(&mut self, leg: LegId, which: u64) {
        let recording = self.rehearsal.campaign.recording.as_ref();
        let Some(keys) = recording.map(|recording| &recording.keys) else { return };
        let count = u64::try_from(keys.len()).unwrap_or(1).max(1);
        let place = usize::try_from(which % count).unwrap_or(0);
        if let Some(key) = keys.keys().nth(place).filter(|_| self.legs.contains_key(&leg)) {
            self.input(Input::Leg(leg, LegEvent::Digit(*key)));
        }
    }

    fn bridge(&mut self, phone: LegId, customer: LegId) {
        let now = self.now.tick;
        let Some(Leg::Phone(agent)) = self.legs.get(&phone) else { return };
        let agent = *agent;
        let Some(Leg::Call(call)) = self.legs.get_mut(&customer) else { return };
        let Some(answer) = call.answer.clone().filter(|_| call.stage == Stage::Up) else { return };
        let first = !std::mem::replace(&mut call.joined, true);
        let (waited, person) = (now.since(call.answered), answer.patience.is_some());
        if first {
            self.later(answer.talk, Due::Ended(customer, true));
            self.note_talk(waited, person);
        }
        self.begin_talk(agent, Talk { wrap: answer.wrap, said: answer.said });
    }

    pub(super) fn played(&mut self, leg: LegId, play: u64) {
        if self.legs.contains_key(&leg) {
            self.input(Input::Leg(leg, LegEvent::PlayDone(play)));
        }
    }

    fn stage(&self, leg: LegId) -> Option<Stage> {
        match self.legs.get(&leg)? {
            Leg::Call(call) => Some(call.stage),
            Leg::Phone(_) => None,
        }
    }
}

fn dialog() -> RemoteDialog {
    RemoteDialog {
        remote_tag: String::new(),
        remote_target: String::new(),
        route_set: vec![],
        cseq: 1,
    }
}

/// RFC 3261 §21.4.5, §21.4.24, §21.4.25, §21.5.4.
const NO_SUCH_NUMBER: u16 = 404;
const BUSY: u16 = 486;
const CANCELLED: u16 = 487;
const CARRIER_IS_OUT: u16 = 503;
/// A desk phone that answers by itself.
const PHONE_ANSWERS: Duration = Duration::from_secs(1);
/// A way to the carrier and back.
const FAR_END_CONFIRMS: Duration = Duration::from_millis(50);
const REFUSED_AT_ONCE: Duration = Duration::from_millis(200);
/// How many samples stand for the message of agentless mode, and for any other: their sound does not matter.
pub(super) const RECORDED: usize = 2;
/// A safe-harbour message, or a confirmation.
const MESSAGE: Duration = Duration::from_secs(8);
