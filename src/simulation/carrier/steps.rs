//! What a callee does when its time has come.

use std::time::Duration;

use crate::logic::ids::LegId;
use crate::logic::media::MediaCommand;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::time::Tick;
use crate::simulation::callee::FateEnd;
use crate::simulation::callee::Ring;
use crate::simulation::callee::Voice;
use crate::simulation::carrier::Carrier;
use crate::simulation::carrier::CarrierAction;
use crate::simulation::carrier::State;
use crate::simulation::carrier::call::Media;
use crate::simulation::carrier_record::EndedBy;
use crate::simulation::dice::LONGEST;
use crate::simulation::peer_sdp::Direction;
use crate::simulation::quirks::Act;
use crate::simulation::voice;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Ring,
    End,
    HangUp,
    EarlyUpdate,
    /// The one of [`Quirks::acts`](crate::simulation::quirks::Quirks::acts) with this number.
    Act(usize),
    /// Rings or talks for too long, or its BYE was ignored for long enough.
    GiveUp,
}

impl Carrier {
    pub(super) fn step(&mut self, now: Tick, leg: LegId, step: Step, out: &mut Vec<CarrierAction>) {
        let Some(call) = self.calls.get_mut(&leg) else { return };
        let timely = match step {
            Step::Ring | Step::End | Step::EarlyUpdate => call.state == State::Waiting,
            Step::HangUp | Step::Act(_) => call.state == State::Answered,
            Step::GiveUp => call.state != State::Ending,
        };
        if !timely {
            return;
        }
        if call.media == Media::Opening {
            call.waiting.push(step);
            return;
        }
        match step {
            Step::Ring => self.ring(now, leg, out),
            Step::End => match call.fate.end.clone() {
                FateEnd::Answer { talk, voice, .. } | FateEnd::AnswerOnCancel { talk, voice } => {
                    self.answer(now, leg, talk, voice, out);
                }
                FateEnd::Refuse { status, q850, retry_after_s, moved_to, .. } => {
                    let sip = self.settings.sip;
                    let patience = retry_after_s.map(|s| ("Retry-After", s.to_string()));
                    let contact = moved_to.map(|to| ("Contact", format!("<sip:{to}@{sip}>")));
                    let headers = patience.into_iter().chain(contact);
                    let headers = headers.map(|(name, value)| (name.to_owned(), value)).collect();
                    self.refuse(now, leg, status, q850, headers, out);
                }
                FateEnd::Nothing => {}
            },
            Step::EarlyUpdate => {
                let sdp = Some(call.sdp(self.settings.rtp));
                self.command(now, SipCommand::Update { leg, sdp }, out);
            }
            Step::Act(number) => self.act(now, leg, number, out),
            Step::GiveUp if call.state == State::Waiting => {
                self.refuse(now, leg, 480, Some(NO_ANSWER), Vec::new(), out);
            }
            Step::HangUp | Step::GiveUp => {
                call.state = State::Ending;
                if let Some(row) = self.row(leg) {
                    row.hung_up_us = Some(now.micros_since_start());
                }
                self.command(now, SipCommand::HangUp { leg }, out);
            }
        }
    }

    /// A 200 that shall cross the CANCEL must leave before the user agent sees that CANCEL.
    pub(super) fn answer_before_cancel(
        &mut self,
        now: Tick,
        leg: LegId,
        out: &mut Vec<CarrierAction>,
    ) {
        let Some(call) = self.calls.get(&leg) else { return };
        let crosses = matches!(call.fate.end, FateEnd::AnswerOnCancel { .. });
        if !crosses || call.state != State::Waiting {
            return;
        }
        if let Some(row) = self.row(leg) {
            row.cancelled_us.get_or_insert_with(|| now.micros_since_start());
        }
        self.step(now, leg, Step::End, out);
    }

    /// For the record the call ends here; the caller repeats its BYE for 32 s and gets no answer.
    pub(super) fn bye_ignored(&mut self, now: Tick, leg: LegId) {
        let Some(row) = self.row(leg) else { return };
        if row.ended_us.is_none() {
            row.ended_us = Some(now.micros_since_start());
            row.ended_by = Some(EndedBy::Caller);
            self.steps.set((leg, Step::HangUp), None);
            self.steps.set((leg, Step::GiveUp), Some(now + BYE_IGNORED_FOR));
        }
    }

    pub(super) fn refuse(
        &mut self,
        now: Tick,
        leg: LegId,
        status: u16,
        q850: Option<u8>,
        headers: Vec<(String, String)>,
        out: &mut Vec<CarrierAction>,
    ) {
        if let Some(call) = self.calls.get_mut(&leg) {
            call.state = State::Ending;
        }
        self.command(now, SipCommand::Refuse { leg, status, q850, headers }, out);
        self.close(now, leg, Some(status), EndedBy::Refusal, out);
    }

    fn ring(&mut self, now: Tick, leg: LegId, out: &mut Vec<CarrierAction>) {
        let Some(call) = self.calls.get_mut(&leg) else { return };
        let Some((_, ring)) = call.fate.ring else { return };
        let (status, sdp) = match ring {
            Ring::None => return,
            Ring::Ringing => (180, None),
            Ring::EarlyMedia { voice } => {
                let sdp = call.sdp(self.settings.rtp);
                call.speak(leg, voice, &self.voices, out);
                (183, Some(sdp))
            }
        };
        if let Some(row) = self.row(leg) {
            row.ringing_us.get_or_insert_with(|| now.micros_since_start());
        }
        self.command(now, SipCommand::Progress { leg, status, sdp }, out);
    }

    fn answer(
        &mut self,
        now: Tick,
        leg: LegId,
        talk: Option<Duration>,
        voice: Voice,
        out: &mut Vec<CarrierAction>,
    ) {
        let Some(call) = self.calls.get_mut(&leg) else { return };
        call.state = State::Answered;
        let sdp = call.sdp(self.settings.rtp);
        for (number, (after, _)) in call.fate.quirks.acts.iter().enumerate() {
            self.steps.set((leg, Step::Act(number)), Some(now + *after));
        }
        for early in [Step::Ring, Step::EarlyUpdate] {
            self.steps.set((leg, early), None);
        }
        self.steps.set((leg, Step::HangUp), talk.map(|talk| now + talk));
        self.steps.set((leg, Step::GiveUp), Some(now + LONGEST));
        let status = call.fate.quirks.answer_status.unwrap_or(200);
        if let Some(row) = self.row(leg) {
            row.answered_us = Some(now.micros_since_start());
            row.status = Some(status);
            row.plays_hz = voice::hz(voice);
        }
        self.command(now, SipCommand::Answer { leg, sdp }, out);
        // After the 200, as a callee who has picked up.
        if let Some(call) = self.calls.get_mut(&leg) {
            call.speak(leg, voice, &self.voices, out);
        }
    }

    fn act(&mut self, now: Tick, leg: LegId, number: usize, out: &mut Vec<CarrierAction>) {
        let Some(call) = self.calls.get_mut(&leg) else { return };
        let Some((_, act)) = call.fate.quirks.acts.get(number).cloned() else { return };
        match act {
            Act::Hold => call.direction = Direction::SendOnly,
            Act::Resume => call.direction = Direction::SendRecv,
            Act::Reinvite => {}
            Act::Update => {
                let sdp = Some(call.sdp(self.settings.rtp));
                return self.command(now, SipCommand::Update { leg, sdp }, out);
            }
            Act::Press(digits) => {
                return out.push(CarrierAction::Media(MediaCommand::SendDigits { leg, digits }));
            }
        }
        call.offering = Some(Step::Act(number));
        let sdp = call.sdp(self.settings.rtp);
        self.command(now, SipCommand::Offer { leg, sdp }, out);
    }
}

/// Q.850: the callee was alerted and did not answer.
const NO_ANSWER: u8 = 19;
/// Longer than a caller repeats its BYE (Timer F, 32 s).
const BYE_IGNORED_FOR: Duration = Duration::from_secs(35);
