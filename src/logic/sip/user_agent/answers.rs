//! 2xx to our INVITEs: the ACK to each, its repeats, and the end of every branch that is not the leg's own.

use std::net::SocketAddr;
use std::time::Duration;

use super::RemoteDialog;
use super::SipEvent;
use super::engine::Engine;
use super::engine::Purpose;
use super::inside::Inside;
use super::leg::Acked;
use super::leg::Cancel;
use super::leg::Early;
use super::leg::Leg;
use super::leg::Side;
use super::leg::Stage;
use super::leg::Turn;
use super::outgoing::MAX_CHALLENGES;
use super::outgoing::Response;
use super::session_timer::SessionTimer;
use crate::logic::sip::dialog::Dialog;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::time::Tick;

impl Leg {
    /// A 2xx of a dialog that has none yet: ACK, always (RFC 3261 §13.2.2.4), and at once unless the answer is to be
    /// stored before.
    pub(super) fn on_answer(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        &Response { from, cseq, tag, message: response, .. }: &Response<'_>,
    ) {
        let Side::Outgoing(outgoing) = &mut self.side else { return };
        if self.acks.iter().filter(|acked| acked.extra.is_some()).count() >= MAX_ANSWERS {
            engine.counters.acks_withheld += 1;
            return;
        }
        if self.dialog.as_ref().is_some_and(|dialog| dialog.remote_tag == tag) {
            // Overtaken: the far end has taken requests of ours since, so it has our ACK. No branch to be ended.
            engine.counters.repeats_received += 1;
            return;
        }
        let known = outgoing.early.iter().position(|early| early.dialog.remote_tag == tag);
        let early = match known {
            Some(at) => {
                let mut early = outgoing.early.swap_remove(at);
                early.dialog.refresh_from_response(response, from);
                early
            }
            None => {
                let local = format!("{};tag={}", outgoing.call.from, self.local_tag);
                let uri = &outgoing.call.request_uri;
                Early::new(Dialog::from_response(response, tag, &local, cseq, uri, from))
            }
        };
        let mut dialog = early.dialog;
        dialog.local_cseq = dialog.local_cseq.max(cseq);
        let authorization = outgoing.authorization.clone();
        let (recovering, offer) = (outgoing.recovering, std::mem::take(&mut outgoing.offer));
        outgoing.cancel = match outgoing.cancel {
            // A held CANCEL has nothing left to cancel.
            Cancel::Held => Cancel::No,
            Cancel::No | Cancel::Sent { .. } => outgoing.cancel,
        };
        let own = self.dialog.is_none() && self.stage == Stage::Setup;
        // After a refusal the bytes are its ACK, which may be wanted again.
        if let Some(invite) = outgoing.invite(cseq).filter(|invite| !invite.settled) {
            invite.bytes = Vec::new();
        }
        self.linger(turn.now);
        let extra = (!own).then(|| dialog.clone());
        let hold = own && !recovering && early.bye_came.is_none();
        if hold {
            self.ack_held_until = engine.settings.hold_ack.map(|longest| turn.now + longest);
        }
        self.acknowledge(engine, turn, &dialog, cseq, &authorization, extra);
        if !own {
            engine.counters.extra_answers += 1;
            self.end_extra(engine, turn, tag);
            return;
        }
        self.stage = Stage::Up;
        self.session = SessionTimer::from_answer(turn.now, response.session_expires());
        if self.session.is_some_and(|session| session.we_refresh) && !dialog.allows_update {
            self.local_sdp = offer;
        }
        let stored = RemoteDialog {
            remote_tag: dialog.remote_tag.clone(),
            remote_target: dialog.remote_target.clone(),
            route_set: dialog.route_set.clone(),
            cseq,
        };
        self.dialog = Some(dialog);
        self.drop_early();
        if recovering {
            self.send_bye(engine, turn);
            return;
        }
        let sdp = response.sdp().map(<[u8]>::to_vec).or(early.answer);
        turn.event(SipEvent::Answered { leg: self.id, sdp, dialog: stored });
        if let Some(q850) = early.bye_came {
            self.end(turn, true, q850);
        }
    }

    /// Builds, sends (unless it is held) and keeps the ACK to a 2xx.
    pub(super) fn acknowledge(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        dialog: &Dialog,
        cseq: u32,
        authorization: &[(&'static str, String)],
        extra: Option<Dialog>,
    ) {
        let mut ack = dialog.request(Method::ACK, &self.call_id, cseq);
        let tag = &dialog.remote_tag;
        let branch = engine.tokens.branch(self.boot, self.id, "ACK", cseq, tag);
        engine.dress(&mut ack, branch);
        for (name, value) in authorization {
            ack.push(name, value);
        }
        let (to, bytes) = (dialog.next_hop(engine.settings.symmetric), ack.to_bytes());
        let held = self.ack_held_until.is_some() && extra.is_none();
        if !held {
            engine.send(turn, to, bytes.clone());
        }
        self.keep_ack(turn.now, cseq, dialog.remote_tag.clone(), (to, bytes), extra);
        if held && let Some(kept) = self.acks.last_mut() {
            kept.times = 0;
        }
    }

    /// Sends the ACK that was held. Doing it again does nothing.
    pub(super) fn release_ack(&mut self, engine: &mut Engine, turn: &mut Turn<'_>) {
        if self.ack_held_until.take().is_none() {
            return;
        }
        for acked in self.acks.iter_mut().filter(|acked| acked.times == 0) {
            (acked.last_sent, acked.times) = (turn.now, 1);
            engine.send(turn, acked.to, acked.ack.clone());
        }
    }

    /// Keeps an ACK, for when what it answers comes again.
    pub(super) fn keep_ack(
        &mut self,
        now: Tick,
        cseq: u32,
        remote_tag: String,
        (to, ack): (SocketAddr, Vec<u8>),
        extra: Option<Dialog>,
    ) {
        if self.acks.len() >= MAX_ANSWERS
            && let Some(oldest) = self.acks.iter().position(|acked| acked.extra.is_none())
        {
            self.acks.remove(oldest);
        }
        let extra = extra.map(|dialog| (dialog, 0));
        self.acks.push(Acked { cseq, remote_tag, ack, to, last_sent: now, times: 1, extra });
    }

    /// A 2xx that we acknowledged came again: its ACK may be lost. Not more than once per [`ACK_PAUSE`], and
    /// [`MAX_ACKS`] times in all: a far end that takes each ACK for a reason to send its 2xx again would make a loop.
    pub(super) fn acknowledge_again(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        cseq: u32,
        tag: &str,
    ) -> bool {
        let known = self.acks.iter_mut().find(|a| a.cseq == cseq && a.remote_tag == tag);
        let Some(acked) = known else { return false };
        engine.counters.repeats_received += 1;
        let held = acked.times == 0 && self.ack_held_until.is_some();
        if held || turn.now.since(acked.last_sent) < ACK_PAUSE || acked.times >= MAX_ACKS {
            engine.counters.acks_withheld += 1;
            return true;
        }
        (acked.last_sent, acked.times) = (turn.now, acked.times + 1);
        let (to, ack) = (acked.to, acked.ack.clone());
        engine.counters.repeated += 1;
        engine.send(turn, to, ack);
        true
    }

    /// BYE for a branch that answered besides the leg's own.
    pub(super) fn end_extra(&mut self, engine: &mut Engine, turn: &mut Turn<'_>, tag: &str) {
        let known = self.acks.iter_mut().find(|acked| acked.remote_tag == tag);
        let Some((dialog, _)) = known.and_then(|acked| acked.extra.as_mut()) else { return };
        let (leg, boot, call_id) = (self.id, self.boot, &self.call_id);
        let purpose = Purpose::ExtraBye { leg, remote_tag: tag.to_owned() };
        let inside = Inside { leg, boot, call_id, call: self.side.call(), dialog };
        inside.send(engine, turn, Method::BYE, purpose, |_| {});
        self.linger(turn.now);
    }

    /// The BYE of an extra branch ended; a challenge is answered as often as for our own BYE.
    pub(super) fn on_extra_bye_done(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        tag: &str,
        response: Option<&Message>,
    ) {
        let Side::Outgoing(outgoing) = &self.side else { return };
        let Some(response) = response else { return };
        let known = self.acks.iter_mut().find(|acked| acked.remote_tag == tag);
        let Some((_, challenges)) = known.and_then(|acked| acked.extra.as_mut()) else { return };
        if *challenges < MAX_CHALLENGES
            && engine
                .learn(outgoing.call.peer, outgoing.call.credentials.as_ref(), response)
                .is_usable()
        {
            *challenges += 1;
            self.end_extra(engine, turn, tag);
        }
    }

    pub(super) fn drop_early(&mut self) {
        if let Side::Outgoing(outgoing) = &mut self.side {
            outgoing.early = Vec::new();
        }
    }
}

/// Branches of one call that are acknowledged (and ended); further 2xx stay without an ACK.
const MAX_ANSWERS: usize = 16;
/// Shortest time between two ACKs to one 2xx. RFC 3261 §13.3.1.4 repeats a 2xx after T1 = 500 ms at the earliest.
const ACK_PAUSE: Duration = Duration::from_millis(100);
/// A 2xx is sent 11 times in 64*T1; three times as many is no honest far end.
const MAX_ACKS: u32 = 32;
