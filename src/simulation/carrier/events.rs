//! What the user agent and the media threads tell, and what becomes of it.

use std::time::Duration;

use crate::logic::ids::LegId;
use crate::logic::media::MediaCommand;
use crate::logic::media::MediaEvent;
use crate::logic::sip::user_agent::FailureCause;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;
use crate::logic::time::Tick;
use crate::simulation::callee::FateEnd;
use crate::simulation::callee::LONGEST_RING;
use crate::simulation::callee::Voice;
use crate::simulation::callee::digits;
use crate::simulation::carrier::Carrier;
use crate::simulation::carrier::CarrierAction;
use crate::simulation::carrier::call::Call;
use crate::simulation::carrier::call::Media;
use crate::simulation::carrier::call::State;
use crate::simulation::carrier::steps::Step;
use crate::simulation::carrier_record::CallRecord;
use crate::simulation::carrier_record::EndedBy;
use crate::simulation::carrier_record::HeardTone;
use crate::simulation::limits::Refusal;
use crate::simulation::peer;
use crate::simulation::peer_sdp;
use crate::simulation::peer_sdp::Direction;

struct Invite {
    leg: LegId,
    called: String,
    from: String,
    call_id: String,
    headers: Vec<(String, String)>,
    sdp: Option<Vec<u8>>,
}

impl Carrier {
    pub(super) fn event(&mut self, now: Tick, event: SipEvent, out: &mut Vec<CarrierAction>) {
        let us = now.micros_since_start();
        match event {
            SipEvent::Incoming { leg, peer: _, called, from, call_id, headers, sdp } => {
                self.incoming(now, Invite { leg, called, from, call_id, headers, sdp }, out);
            }
            SipEvent::Cancelled { leg } => {
                if let Some(row) = self.row(leg) {
                    row.cancelled_us.get_or_insert(us);
                }
            }
            SipEvent::Confirmed { leg, sdp } => {
                if let Some(row) = self.row(leg) {
                    row.confirmed_us.get_or_insert(us);
                }
                // The ACK answers our offer where the INVITE had none (RFC 3264 §5).
                self.aim(leg, sdp.as_deref(), out);
            }
            SipEvent::Failed { leg, cause, .. } => {
                let cancelled = self.row(leg).is_some_and(|row| row.cancelled_us.is_some());
                let (status, by) = match cause {
                    FailureCause::Status(status) if cancelled => (Some(status), EndedBy::Cancel),
                    FailureCause::Status(status) => (Some(status), EndedBy::Refusal),
                    FailureCause::Timeout | FailureCause::CancelTimeout => (None, EndedBy::Lost),
                };
                self.close(now, leg, status, by, out);
            }
            SipEvent::Ended { leg, by_peer, .. } => {
                let ending = self.calls.get(&leg).is_some_and(|call| call.state == State::Ending);
                let by = match (by_peer, ending) {
                    (true, _) => EndedBy::Caller,
                    (false, true) => EndedBy::Callee,
                    (false, false) => EndedBy::Lost,
                };
                self.close(now, leg, None, by, out);
            }
            SipEvent::Offer { leg, sdp } => self.offered(now, leg, sdp.as_deref(), out),
            SipEvent::OfferDone { leg, status, sdp } => {
                self.offer_done(now, leg, status, sdp.as_deref(), out);
            }
            SipEvent::Digit { leg, digit } => self.digit(leg, digit),
            SipEvent::Provisional { .. }
            | SipEvent::Challenged { .. }
            | SipEvent::Answered { .. }
            | SipEvent::OptionsDone { .. }
            | SipEvent::Dropped { .. } => {}
        }
    }

    fn incoming(&mut self, now: Tick, invite: Invite, out: &mut Vec<CarrierAction>) {
        let Invite { leg, called, from, call_id, headers, sdp } = invite;
        self.invites.beat(now);
        self.last_activity = now;
        let us = now.micros_since_start();
        let mut asked = 0;
        if let Some(row) = self.record.at_invite(&call_id, &called, &from, us) {
            asked = row.challenged;
            // A call that was only challenged so far is open again.
            (row.status, row.ended_us, row.ended_by) = (None, None, None);
        }
        if let Err(Refusal { name, status, q850, retry_after_s }) =
            self.limits.admit(now, self.calls.len())
        {
            let patience = retry_after_s.map(|s| ("Retry-After".to_owned(), s.to_string()));
            self.behaves(&call_id, name);
            let refused = (status, EndedBy::Refusal);
            self.turn_away(now, leg, &call_id, refused, q850, patience.into_iter().collect(), out);
            return;
        }
        let key = digits(&called);
        let turn = self.turns.get(&key).copied().unwrap_or(0);
        let fate = self.settings.book.fate(self.settings.seed, &called, turn);
        if let Some(style) = fate.challenge.as_ref().or(self.every_call.as_ref())
            && let Some(gate) = &mut self.digest
            && let Err(headers) =
                gate.admit(&headers, sdp.as_deref().unwrap_or_default(), style, asked)
        {
            let refused = (style.asker.status(), EndedBy::Challenge);
            if let Some(row) = self.record.call_mut(&call_id) {
                row.challenged = row.challenged.saturating_add(1);
            }
            return self.turn_away(now, leg, &call_id, refused, None, headers, out);
        }
        if turn > 0 || self.turns.len() < MOST_NUMBERS {
            self.turns.insert(key, turn.saturating_add(1));
        }
        let offer = match sdp.as_deref().map(peer_sdp::read) {
            Some(Some(offer)) => Some(offer.remote),
            None => None,
            // RFC 3264 §6: an offer without a stream that we understand is refused.
            Some(None) => {
                self.behaves(&call_id, "no_common_codec");
                let (refused, cause) = ((488, EndedBy::Refusal), Some(INCOMPATIBLE));
                return self.turn_away(now, leg, &call_id, refused, cause, Vec::new(), out);
            }
        };
        self.behaves(&call_id, &fate.name);
        let cseq = peer::header(&headers, "CSeq").unwrap_or_default();
        self.wire.watch(now, &call_id, cseq, &fate.quirks);
        if let Some((after, _)) = fate.ring {
            self.steps.set((leg, Step::Ring), Some(now + after));
        }
        if let Some(after) = fate.quirks.early_update {
            self.steps.set((leg, Step::EarlyUpdate), Some(now + after));
        }
        match fate.end {
            FateEnd::Answer { after, .. } | FateEnd::Refuse { after, .. } => {
                self.steps.set((leg, Step::End), Some(now + after));
            }
            FateEnd::Nothing | FateEnd::AnswerOnCancel { .. } => {
                self.steps.set((leg, Step::GiveUp), Some(now + LONGEST_RING));
            }
        }
        let needs_media = fate.has_sound();
        let call = Call {
            call_id: call_id.clone(),
            fate,
            state: State::Waiting,
            remote: offer.unwrap_or_else(peer::nowhere),
            media: if needs_media { Media::Opening } else { Media::NotNeeded },
            waiting: Vec::new(),
            voice: Voice::Silence,
            sdp_version: 0,
            direction: Direction::SendRecv,
            offering: None,
        };
        self.calls.insert(leg, call);
        self.by_call_id.insert(call_id, leg);
        self.most_at_once = self.most_at_once.max(self.calls.len());
        if needs_media {
            out.push(CarrierAction::Media(MediaCommand::Open { leg }));
        }
    }

    fn behaves(&mut self, call_id: &str, name: &str) {
        if let Some(row) = self.record.call_mut(call_id) {
            row.behaviour = Some(name.to_owned());
        }
    }

    /// A refusal before anybody is called.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the refusal")]
    fn turn_away(
        &mut self,
        now: Tick,
        leg: LegId,
        call_id: &str,
        (status, by): (u16, EndedBy),
        q850: Option<u8>,
        headers: Vec<(String, String)>,
        out: &mut Vec<CarrierAction>,
    ) {
        self.command(now, SipCommand::Refuse { leg, status, q850, headers }, out);
        if let Some(row) = self.record.call_mut(call_id) {
            end(row, now, Some(status), by);
            out.push(CarrierAction::Record(Box::new(row.clone())));
        }
    }

    fn offered(&mut self, now: Tick, leg: LegId, sdp: Option<&[u8]>, out: &mut Vec<CarrierAction>) {
        let Some(call) = self.calls.get_mut(&leg) else { return };
        // Without SDP the far end asks for our offer: we say again what we said.
        let mut direction = call.direction;
        if let Some(sdp) = sdp {
            let Some(heard) = peer_sdp::read(sdp) else {
                return self.command(now, SipCommand::AnswerOffer { leg, sdp: None }, out);
            };
            direction = heard.answer_direction();
            call.aim(leg, heard.remote, out);
        }
        let sdp = call.sdp_towards(self.settings.rtp, direction);
        self.command(now, SipCommand::AnswerOffer { leg, sdp: Some(sdp) }, out);
    }

    /// The end of a re-INVITE of ours. After glare it is made again: who does not own the Call-ID waits up to 2 s
    /// (RFC 3261 §14.1).
    fn offer_done(
        &mut self,
        now: Tick,
        leg: LegId,
        status: u16,
        sdp: Option<&[u8]>,
        out: &mut Vec<CarrierAction>,
    ) {
        let again = self.calls.get_mut(&leg).and_then(|call| call.offering.take());
        if let (491, Some(step)) = (status, again) {
            let wait = Duration::from_millis(10 * self.dice.below(201));
            self.steps.set((leg, step), Some(now + wait));
        }
        if (200..300).contains(&status) {
            self.aim(leg, sdp, out);
        }
    }

    fn aim(&mut self, leg: LegId, sdp: Option<&[u8]>, out: &mut Vec<CarrierAction>) {
        let heard = sdp.and_then(peer_sdp::read);
        if let (Some(heard), Some(call)) = (heard, self.calls.get_mut(&leg)) {
            call.aim(leg, heard.remote, out);
        }
    }

    pub(super) fn media(&mut self, now: Tick, event: MediaEvent, out: &mut Vec<CarrierAction>) {
        match event {
            MediaEvent::Opened { leg, port } => {
                let Some(call) = self.calls.get_mut(&leg) else {
                    // Cancelled while the ports were being bound.
                    return out.push(CarrierAction::Media(MediaCommand::Close { leg }));
                };
                call.media = Media::Open(port);
                for step in std::mem::take(&mut call.waiting) {
                    self.step(now, leg, step, out);
                }
            }
            MediaEvent::OpenFailed { leg } => {
                if let Some(call) = self.calls.get_mut(&leg) {
                    call.media = Media::NotNeeded;
                    self.refuse(now, leg, 500, Some(TEMPORARY_FAILURE), Vec::new(), out);
                }
            }
            MediaEvent::Digit { leg, digit } => self.digit(leg, digit),
            MediaEvent::FirstPacket { .. }
            | MediaEvent::PlayDone { .. }
            | MediaEvent::Quiet { .. }
            | MediaEvent::Dead { .. }
            | MediaEvent::Heard { .. }
            | MediaEvent::Closed { .. } => {}
        }
    }

    pub(super) fn heard(&mut self, leg: LegId, hz: u16, at: Tick) {
        let at_us = at.micros_since_start();
        if let Some(row) = self.row(leg)
            && row.heard.iter().all(|tone| tone.hz != hz)
        {
            row.heard.push(HeardTone { hz, at_us });
        }
    }

    fn digit(&mut self, leg: LegId, digit: char) {
        if let Some(row) = self.row(leg)
            && row.digits.len() < MOST_DIGITS
        {
            row.digits.push(digit);
        }
    }

    /// Idempotent: a refusal is closed when it leaves, and again when the user agent is done with it.
    pub(super) fn close(
        &mut self,
        now: Tick,
        leg: LegId,
        status: Option<u16>,
        by: EndedBy,
        out: &mut Vec<CarrierAction>,
    ) {
        let Some(call) = self.calls.remove(&leg) else { return };
        if self.by_call_id.get(&call.call_id) == Some(&leg) {
            self.by_call_id.remove(&call.call_id);
        }
        let acts = (0..call.fate.quirks.acts.len()).map(Step::Act);
        let others = [Step::Ring, Step::End, Step::HangUp, Step::EarlyUpdate, Step::GiveUp];
        for step in acts.chain(others) {
            self.steps.set((leg, step), None);
        }
        self.wire.leave(now, &call.call_id);
        self.last_activity = now;
        match call.media {
            Media::Open(_) => out.push(CarrierAction::Media(MediaCommand::Close { leg })),
            // `Opening`: closed when `Opened` comes and finds no call.
            Media::NotNeeded | Media::Opening => {}
        }
        if let Some(row) = self.record.call_mut(&call.call_id) {
            end(row, now, status, by);
            out.push(CarrierAction::Record(Box::new(row.clone())));
        }
    }
}

/// A call whose BYE was ignored has ended in the record already.
fn end(row: &mut CallRecord, now: Tick, status: Option<u16>, by: EndedBy) {
    row.ended_us.get_or_insert_with(|| now.micros_since_start());
    row.status = status.or(row.status);
    row.ended_by.get_or_insert(by);
}

/// Q.850 causes.
const TEMPORARY_FAILURE: u8 = 41;
const INCOMPATIBLE: u8 = 88;

/// Keys kept per call.
const MOST_DIGITS: usize = 256;

/// Numbers whose calls are counted; every call to a further one is taken for its first.
const MOST_NUMBERS: usize = 1_000_000;
