//! A call that we make: INVITE, CANCEL, digest, early dialogs, ACK.
//!
//! ```text
//! Setup --2xx--> Up --HangUp--> Ending --BYE done--> Closed (Ended)
//!   |  \--HangUp: CANCEL, held until a 1xx--> still Setup: the final response decides
//!   \--300..699, Timer B, no final response to CANCEL--> Closed (Failed)
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use super::FailureCause;
use super::OutgoingCall;
use super::SipEvent;
use super::again::push_min_se;
use super::engine::Engine;
use super::engine::Purpose;
use super::inside::Inside;
use super::leg::Cancel;
use super::leg::Early;
use super::leg::Invite;
use super::leg::Leg;
use super::leg::Outgoing;
use super::leg::Side;
use super::leg::Stage;
use super::leg::Turn;
use crate::logic::ids::LegId;
use crate::logic::sip::dialog::Dialog;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::name;
use crate::logic::sip::transaction::SIXTY_FOUR_T1;
use crate::logic::sip::transaction::client_invite::ClientInvite;
use crate::logic::sip::transaction::client_invite::OnResponse;
use crate::logic::sip::transaction::client_invite::OnTimeout;
use crate::logic::time::Tick;

/// A response to an INVITE of a leg.
pub(super) struct Response<'a> {
    pub(super) from: SocketAddr,
    pub(super) status: u16,
    /// CSeq number of the INVITE.
    pub(super) cseq: u32,
    /// To tag; empty when there is none.
    pub(super) tag: &'a str,
    pub(super) message: &'a Message,
}

impl Leg {
    /// A leg whose INVITE has not left yet.
    pub(super) fn outgoing(
        engine: &Engine,
        now: Tick,
        id: LegId,
        boot: u64,
        call: Box<OutgoingCall>,
        offer: Vec<u8>,
    ) -> Self {
        let tokens = &engine.tokens;
        let (call_id, local_tag) = (tokens.call_id(boot, id), tokens.local_tag(boot, id));
        let side = Side::Outgoing(Box::new(Outgoing {
            call,
            offer,
            invites: Vec::new(),
            cancel: Cancel::No,
            challenged: None,
            answered: Vec::new(),
            authorization: Vec::new(),
            early: Vec::new(),
            recovering: false,
            sent_by: None,
            cancelled_tag: None,
            rings_until: now + LONGEST_RINGING,
            heard: false,
        }));
        Self::new(id, boot, call_id, local_tag, side)
    }

    /// Sends the first INVITE, or the next one with what the last refusal asked for.
    pub(super) fn send_invite(&mut self, engine: &mut Engine, turn: &mut Turn<'_>) {
        let Side::Outgoing(outgoing) = &mut self.side else { return };
        let cseq = outgoing.current().map_or(1, |last| last.cseq.saturating_add(1));
        let branch = engine.tokens.branch(self.boot, self.id, "INVITE", cseq, "");
        let call = &outgoing.call;
        outgoing.authorization = engine.authorization(
            call.peer,
            call.credentials.as_ref(),
            &Method::INVITE,
            &call.request_uri,
            &outgoing.offer,
        );
        let mut invite = outgoing.request(
            Method::INVITE,
            cseq,
            &self.call_id,
            &format!("{};tag={}", call.from, self.local_tag),
            &call.to,
        );
        engine.dress(&mut invite, branch);
        invite.push(name::CONTACT, engine.contact());
        invite.push(name::ALLOW, ALLOW).push(name::SUPPORTED, engine.supported());
        if let Some(interval) = engine.settings.session_expires.max(self.min_se) {
            invite.push(name::SESSION_EXPIRES, interval.as_secs().to_string());
        }
        push_min_se(&mut invite, self.min_se);
        for (name, value) in &outgoing.call.headers {
            if !name.eq_ignore_ascii_case(name::ROUTE) {
                invite.push(name, value);
            }
        }
        if !outgoing.offer.is_empty() {
            invite.set_body(SDP_TYPE, outgoing.offer.clone());
        }
        let (peer, bytes) = (outgoing.call.peer, invite.to_bytes());
        outgoing.invites.push(Invite {
            cseq,
            branch,
            machine: ClientInvite::new(turn.now),
            bytes: bytes.clone(),
            settled: false,
        });
        engine.invites.insert(branch, (self.id, cseq));
        engine.counters.invites += 1;
        engine.send(turn, peer, bytes);
    }

    /// The rate limit allows another INVITE: the refused one is sent again with what it lacked.
    pub(super) fn authorize(&mut self, engine: &mut Engine, turn: &mut Turn<'_>) {
        let Side::Outgoing(outgoing) = &mut self.side else { return };
        if self.stage == Stage::Setup && outgoing.challenged.take().is_some() {
            self.send_invite(engine, turn);
        }
    }

    /// Whatever ends the leg in its state. Doing it again does nothing.
    pub(super) fn hang_up(&mut self, engine: &mut Engine, turn: &mut Turn<'_>) {
        match self.stage {
            Stage::Ending | Stage::Closed => {}
            Stage::Up if self.repeating.as_ref().is_some_and(|repeating| repeating.initial) => {
                // RFC 3261 §15: the callee may not send BYE before the ACK, or its time-out.
                self.bye_after_ack = true;
            }
            Stage::Up => self.send_bye(engine, turn),
            Stage::Setup => match &mut self.side {
                Side::Incoming { .. } => self.refuse(engine, turn, REFUSED_BY_HANG_UP, None, &[]),
                Side::Outgoing(outgoing) => {
                    if let Some((status, _)) = outgoing.challenged {
                        self.fail(turn, FailureCause::Status(status));
                    } else if outgoing.cancel == Cancel::No {
                        if outgoing.current().is_some_and(|invite| invite.machine.is_calling()) {
                            outgoing.cancel = Cancel::Held;
                        } else {
                            self.send_cancel(engine, turn);
                        }
                    }
                }
            },
        }
    }

    /// CANCEL for every INVITE that still waits: one, or in recovery all that may have been sent.
    pub(super) fn send_cancel(&mut self, engine: &mut Engine, turn: &mut Turn<'_>) {
        let Side::Outgoing(outgoing) = &mut self.side else { return };
        outgoing.cancel = Cancel::Sent { give_up_at: turn.now + SIXTY_FOUR_T1 };
        let from = format!("{};tag={}", outgoing.call.from, self.local_tag);
        for invite in outgoing.invites.iter().filter(|invite| invite.machine.is_pending()) {
            let mut cancel = outgoing.request(
                Method::CANCEL,
                invite.cseq,
                &self.call_id,
                &from,
                &outgoing.call.to,
            );
            engine.dress_as(&mut cancel, invite.branch, outgoing.sent_by);
            let purpose = Purpose::Cancel { leg: self.id, cseq: invite.cseq };
            engine.start_client(turn, invite.branch, &cancel, outgoing.call.peer, purpose);
        }
    }

    /// A response to one of our INVITEs.
    pub(super) fn on_invite_response(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        response: &Response<'_>,
    ) {
        let Response { from, status, cseq, tag, message } = *response;
        // The ACK to the refusal of a re-INVITE is kept without a tag.
        let kept = if status < 300 { tag } else { "" };
        if status >= 200 && self.acknowledge_again(engine, turn, cseq, kept) {
            return;
        }
        if self.is_refresh(cseq) {
            self.on_refresh_response(engine, turn, from, status, message);
            return;
        }
        let Side::Outgoing(outgoing) = &mut self.side else { return };
        let Some(invite) = outgoing.invite(cseq) else { return };
        let verdict = invite.machine.on_response(turn.now, status);
        outgoing.heard = true;
        match verdict {
            OnResponse::Provisional => self.on_provisional(engine, turn, response),
            OnResponse::Accepted => self.on_answer(engine, turn, response),
            OnResponse::Refused => self.on_refusal(engine, turn, cseq, status, message),
            OnResponse::RefusedAgain => {
                engine.counters.repeats_received += 1;
                if let Some(invite) = outgoing.invite(cseq) {
                    let ack = invite.bytes.clone();
                    let peer = outgoing.call.peer;
                    engine.send(turn, peer, ack);
                }
            }
            OnResponse::Ignored => engine.counters.repeats_received += 1,
        }
    }

    /// Deadlines of the INVITEs; the caller looks after the rest of the leg.
    pub(super) fn on_setup_timeout(&mut self, engine: &mut Engine, turn: &mut Turn<'_>) {
        let now = turn.now;
        let Side::Outgoing(outgoing) = &mut self.side else { return };
        if self.stage != Stage::Setup {
            return;
        }
        let peer = outgoing.call.peer;
        let mut timed_out = false;
        for invite in outgoing.invites.iter_mut().filter(|invite| invite.machine.is_pending()) {
            match invite.machine.on_timeout(now) {
                OnTimeout::Repeat => {
                    engine.counters.repeated += 1;
                    engine.send(turn, peer, invite.bytes.clone());
                }
                OnTimeout::TimedOut => timed_out = true,
                OnTimeout::Nothing | OnTimeout::Done => {}
            }
        }
        let cancel_failed = match outgoing.cancel {
            Cancel::Sent { give_up_at } => give_up_at <= now && outgoing.is_open(),
            Cancel::No | Cancel::Held => false,
        };
        if timed_out {
            self.linger(now);
            self.fail(turn, FailureCause::Timeout);
        } else if cancel_failed && let Some(tag) = outgoing.cancelled_tag.take() {
            self.end_by_tag(engine, turn, tag);
        } else if cancel_failed {
            let heard = outgoing.heard;
            self.linger(now);
            let cause = if heard { FailureCause::CancelTimeout } else { FailureCause::Timeout };
            self.fail(turn, cause);
        } else if let Some((status, until)) = outgoing.challenged
            && until <= now
        {
            self.fail(turn, FailureCause::Status(status));
        } else if outgoing.rings_until <= now && outgoing.cancel == Cancel::No {
            self.hang_up(engine, turn);
        }
    }

    fn on_provisional(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        response: &Response<'_>,
    ) {
        let Side::Outgoing(outgoing) = &mut self.side else { return };
        let status = response.status;
        if let Some(invite) = outgoing.invite(response.cseq) {
            invite.bytes = Vec::new();
        }
        let recovering = outgoing.recovering;
        if outgoing.cancel == Cancel::Held {
            self.send_cancel(engine, turn);
        }
        if self.stage != Stage::Setup || recovering {
            return;
        }
        if status > 100 && !self.on_early_dialog(engine, turn, response) {
            return;
        }
        let sdp = response.message.sdp().map(<[u8]>::to_vec);
        turn.event(SipEvent::Provisional { leg: self.id, status, sdp });
    }

    /// Makes or updates the early dialog of a 1xx, and acknowledges a reliable one (RFC 3262 §4). False for a repeat or
    /// one out of order.
    fn on_early_dialog(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        &Response { from, cseq, tag, message: response, .. }: &Response<'_>,
    ) -> bool {
        let Side::Outgoing(outgoing) = &mut self.side else { return false };
        if tag.is_empty() {
            return true;
        }
        let known = outgoing.early.iter().position(|early| early.dialog.remote_tag == tag);
        let at = match known {
            Some(at) => at,
            None if outgoing.early.len() >= MAX_EARLY_DIALOGS => return true,
            None => {
                let local = format!("{};tag={}", outgoing.call.from, self.local_tag);
                let uri = &outgoing.call.request_uri;
                let dialog = Dialog::from_response(response, tag, &local, cseq, uri, from);
                outgoing.early.push(Early::new(dialog));
                outgoing.early.len() - 1
            }
        };
        let Some(early) = outgoing.early.get_mut(at) else { return true };
        let reliable = response.lists(name::REQUIRE, "100rel");
        if let (Some(sdp), false, false) = (response.sdp(), reliable, early.is_final) {
            early.answer = Some(sdp.to_vec());
        }
        let Some(rseq) = response.rseq().filter(|_| reliable) else { return true };
        if early.rseq.is_some_and(|last| rseq != last.saturating_add(1)) {
            engine.counters.repeats_received += 1;
            return false;
        }
        early.rseq = Some(rseq);
        early.dialog.retarget(response, Some(from));
        if let Some(sdp) = response.sdp() {
            (early.answer, early.is_final) = (Some(sdp.to_vec()), true);
        }
        let (leg, boot, call_id) = (self.id, self.boot, &self.call_id);
        let (call, dialog) = (Some(&*outgoing.call), &mut early.dialog);
        let inside = Inside { leg, boot, call_id, call, dialog };
        inside.send(engine, turn, Method::PRACK, Purpose::Prack { leg }, |prack| {
            prack.push(name::RACK, format!("{rseq} {cseq} INVITE"));
        });
        true
    }

    /// The first 300..=699 to one of our INVITEs: ACK, then a second try or the end.
    fn on_refusal(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        cseq: u32,
        status: u16,
        response: &Message,
    ) {
        let Side::Outgoing(outgoing) = &mut self.side else { return };
        // RFC 3261 §17.1.1.3: as the INVITE, with the To of the response.
        let from = format!("{};tag={}", outgoing.call.from, self.local_tag);
        let to = response.first(name::TO).unwrap_or(&outgoing.call.to).to_owned();
        let mut ack = outgoing.request(Method::ACK, cseq, &self.call_id, &from, &to);
        let peer = outgoing.call.peer;
        if let Some(invite) = outgoing.invite(cseq) {
            engine.dress(&mut ack, invite.branch);
            invite.settled = true;
            invite.bytes = ack.to_bytes();
            engine.send(turn, peer, invite.bytes.clone());
        }
        self.linger(turn.now);
        if self.stage != Stage::Setup {
            return;
        }
        let Side::Outgoing(outgoing) = &mut self.side else { return };
        if outgoing.recovering {
            self.settle_recovery(turn, Some(status));
            return;
        }
        if self.may_ask_again(engine, turn, status, response) {
            return;
        }
        let event = SipEvent::Failed {
            leg: self.id,
            cause: FailureCause::Status(status),
            q850: response.q850_cause(),
            retry_after: response.retry_after(),
        };
        self.close(turn, event);
    }
}

impl Outgoing {
    /// A request of the INVITE's own transaction, or the INVITE itself: same target, same Route (RFC 3261 §9.1,
    /// §17.1.1.3).
    fn request(&self, method: Method, cseq: u32, call_id: &str, from: &str, to: &str) -> Message {
        let mut request = Message::request(method.clone(), self.call.request_uri.clone());
        for (name, value) in &self.call.headers {
            if name.eq_ignore_ascii_case(name::ROUTE) {
                request.push(name::ROUTE, value);
            }
        }
        request.push(name::MAX_FORWARDS, "70").push(name::FROM, from).push(name::TO, to);
        request.push(name::CALL_ID, call_id).push(name::CSEQ, format!("{cseq} {method}"));
        if matches!(method, Method::INVITE | Method::ACK) {
            for (name, value) in &self.authorization {
                request.push(name, value);
            }
        }
        request
    }
}

impl Early {
    pub(super) fn new(dialog: Dialog) -> Self {
        Self { dialog, rseq: None, answer: None, is_final: false, bye_came: None }
    }
}

/// What we take in a dialog.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK";
pub(super) const SDP_TYPE: &str = "application/sdp";
/// How often one request other than INVITE is sent again with credentials: once, and once more for a stale nonce.
pub(super) const MAX_CHALLENGES: u8 = 2;
/// Forks of one call that ring at once; further ones ring without an early dialog of their own.
const MAX_EARLY_DIALOGS: usize = 8;
/// Nothing rings for longer; the dialer's own limits are far below.
const LONGEST_RINGING: Duration = Duration::from_secs(900);
/// HangUp on an incoming call before its answer: Temporarily Unavailable.
const REFUSED_BY_HANG_UP: u16 = 480;
