//! Requests of ours inside a call that is up: the dialer's own offer by re-INVITE, and the refresh of the session by
//! UPDATE or re-INVITE (RFC 3261 §14.1, RFC 4028 §10).

use std::net::SocketAddr;
use std::time::Duration;

use super::SipEvent;
use super::again::push_min_se;
use super::again::shortest_session;
use super::engine::Engine;
use super::engine::Purpose;
use super::leg::Leg;
use super::leg::Refresh;
use super::leg::Reinvite;
use super::leg::Side;
use super::leg::Stage;
use super::leg::Turn;
use super::outgoing::ALLOW;
use super::outgoing::MAX_CHALLENGES;
use super::outgoing::SDP_TYPE;
use super::session_timer::SessionTimer;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::name;
use crate::logic::sip::transaction::SIXTY_FOUR_T1;
use crate::logic::sip::transaction::client_invite::ClientInvite;
use crate::logic::sip::transaction::client_invite::OnResponse;
use crate::logic::sip::transaction::client_invite::OnTimeout;

impl Leg {
    /// The dialer's offer: a re-INVITE, unless another INVITE is under way.
    pub(super) fn offer(&mut self, engine: &mut Engine, turn: &mut Turn<'_>, sdp: Vec<u8>) {
        if self.stage == Stage::Closed {
            return;
        }
        let busy = self.stage != Stage::Up
            || self.refresh.is_some()
            || self.asked.is_some()
            || self.repeating.is_some();
        if busy {
            turn.event(SipEvent::OfferDone { leg: self.id, status: 491, sdp: None });
            return;
        }
        self.send_reinvite(engine, turn, sdp, true);
    }

    /// Refreshes the session: by UPDATE where the far end takes it, else by a re-INVITE with the same SDP.
    pub(super) fn send_refresh(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        session: SessionTimer,
    ) {
        // If this one fails in a way that says nothing about the dialog, the next follows soon.
        self.session = Some(session.later(turn.now + session.interval / 8));
        if self.refresh.is_some() || self.asked.is_some() || self.repeating.is_some() {
            return;
        }
        let Some(dialog) = &mut self.dialog else { return };
        if !dialog.allows_update {
            if !self.local_sdp.is_empty() {
                let sdp = self.local_sdp.clone();
                self.send_reinvite(engine, turn, sdp, false);
            }
            return;
        }
        self.send_update(engine, turn, Some(session.refresh_value()), None);
    }

    /// UPDATE with or without an offer, where nothing else is under way (RFC 3311 §5.1).
    pub(super) fn update(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        sdp: Option<Vec<u8>>,
    ) {
        let early = self.stage == Stage::Setup && matches!(self.side, Side::Incoming { .. });
        let free = self.refresh.is_none() && self.asked.is_none();
        if free && (early || self.stage == Stage::Up) {
            let session = self.session.map(|session| session.renewal_value());
            self.send_update(engine, turn, session, sdp);
        }
    }

    fn send_update(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        session_expires: Option<String>,
        sdp: Option<Vec<u8>>,
    ) {
        let Some(dialog) = &mut self.dialog else { return };
        let cseq = dialog.next_cseq();
        let mut update = dialog.request(Method::UPDATE, &self.call_id, cseq);
        let tag = &dialog.remote_tag;
        let branch = engine.tokens.branch(self.boot, self.id, "UPDATE", cseq, tag);
        let to = dialog.next_hop(engine.settings.symmetric);
        engine.dress(&mut update, branch);
        update.push(name::CONTACT, engine.contact()).push(name::ALLOW, ALLOW);
        update.push(name::SUPPORTED, engine.supported());
        if let Some(session_expires) = session_expires {
            update.push(name::SESSION_EXPIRES, session_expires);
            push_min_se(&mut update, self.min_se);
        }
        if let Some(sdp) = sdp {
            update.set_body(SDP_TYPE, sdp);
        }
        if let Some(call) = self.call() {
            engine.credentials_for(&mut update, call);
        }
        engine.start_client(turn, branch, &update, to, Purpose::Update { leg: self.id });
        self.refresh = Some(Refresh::Update);
    }

    fn send_reinvite(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        sdp: Vec<u8>,
        offered: bool,
    ) {
        let Some(dialog) = &mut self.dialog else { return };
        let cseq = dialog.next_cseq();
        let mut invite = dialog.request(Method::INVITE, &self.call_id, cseq);
        let tag = &dialog.remote_tag;
        let branch = engine.tokens.branch(self.boot, self.id, "REINVITE", cseq, tag);
        let to = dialog.next_hop(engine.settings.symmetric);
        engine.dress(&mut invite, branch);
        invite.push(name::CONTACT, engine.contact()).push(name::ALLOW, ALLOW);
        invite.push(name::SUPPORTED, engine.supported());
        if let Some(session) = self.session {
            invite.push(name::SESSION_EXPIRES, session.renewal_value());
            push_min_se(&mut invite, self.min_se);
        }
        invite.set_body(SDP_TYPE, sdp.clone());
        let mut authorization = Vec::new();
        if let Some(call) = self.call() {
            authorization = engine.authorization_for(&invite, call);
            for (name, value) in &authorization {
                invite.push(name, value);
            }
        }
        let bytes = invite.to_bytes();
        engine.invites.insert(branch, (self.id, cseq));
        self.reinvites.push(branch);
        if self.reinvites.len() > MAX_REINVITES {
            engine.invites.remove(&self.reinvites.remove(0));
        }
        engine.send(turn, to, bytes.clone());
        let machine = ClientInvite::new(turn.now);
        self.refresh = Some(Refresh::Invite(Box::new(Reinvite {
            cseq,
            branch,
            machine,
            bytes,
            to,
            sdp,
            offered,
            authorization,
            give_up_at: turn.now + SIXTY_FOUR_T1 * 2,
        })));
    }

    /// Whether our running re-INVITE has this CSeq.
    pub(super) fn is_refresh(&self, cseq: u32) -> bool {
        matches!(&self.refresh, Some(Refresh::Invite(reinvite)) if reinvite.cseq == cseq)
    }

    /// A response to our re-INVITE.
    pub(super) fn on_refresh_response(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        from: SocketAddr,
        status: u16,
        response: &Message,
    ) {
        let Some(Refresh::Invite(reinvite)) = &mut self.refresh else { return };
        match reinvite.machine.on_response(turn.now, status) {
            OnResponse::Provisional => reinvite.bytes = Vec::new(),
            OnResponse::Accepted => {
                let Some(dialog) = &mut self.dialog else { return };
                dialog.retarget(response, engine.settings.symmetric.then_some(from));
                let (dialog, cseq) = (dialog.clone(), reinvite.cseq);
                let authorization = std::mem::take(&mut reinvite.authorization);
                // The far end goes on, so it has the ACKs to its earlier 2xx.
                self.acks.retain(|acked| acked.extra.is_some());
                self.acknowledge(engine, turn, &dialog, cseq, &authorization, None);
                self.on_refresh_done(engine, turn, Some(response));
            }
            OnResponse::Refused => {
                let Some(dialog) = &self.dialog else { return };
                let mut ack = dialog.request(Method::ACK, &self.call_id, reinvite.cseq);
                engine.dress(&mut ack, reinvite.branch);
                for (name, value) in &reinvite.authorization {
                    ack.push(name, value);
                }
                let (cseq, to, ack) = (reinvite.cseq, reinvite.to, ack.to_bytes());
                engine.send(turn, to, ack.clone());
                // Its repeats are acknowledged as those of a 2xx are: from the list.
                self.keep_ack(turn.now, cseq, String::new(), (to, ack), None);
                self.on_refresh_done(engine, turn, Some(response));
            }
            OnResponse::RefusedAgain | OnResponse::Ignored => {
                engine.counters.repeats_received += 1;
            }
        }
    }

    /// Our UPDATE or re-INVITE is over (`None`: nobody answered).
    pub(super) fn on_refresh_done(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        response: Option<&Message>,
    ) {
        let Some(done) = self.refresh.take() else { return };
        if self.stage != Stage::Up {
            return;
        }
        let status = response.and_then(Message::status);
        let challenged = matches!(status, Some(401 | 407))
            && self.refresh_challenges < MAX_CHALLENGES
            && self.learns(engine, response);
        if challenged {
            self.refresh_challenges += 1;
            match done {
                Refresh::Invite(reinvite) => {
                    self.send_reinvite(engine, turn, reinvite.sdp, reinvite.offered);
                }
                Refresh::Update => self.refresh_again(turn, Duration::ZERO),
            }
            return;
        }
        self.refresh_challenges = 0;
        if let Refresh::Invite(reinvite) = &done
            && reinvite.offered
        {
            let sdp = response.and_then(Message::sdp).map(<[u8]>::to_vec);
            let status = status.unwrap_or(408);
            turn.event(SipEvent::OfferDone { leg: self.id, status, sdp });
            if (200..300).contains(&status) && !self.local_sdp.is_empty() {
                self.local_sdp.clone_from(&reinvite.sdp);
            }
        }
        match status {
            Some(200..300) => {
                if let (Some(dialog), Some(response)) = (&mut self.dialog, response) {
                    dialog.retarget(response, None);
                }
                // No Session-Expires in the 2xx: the far end no longer wants a timer (RFC 4028 §7.2).
                let header = response.and_then(Message::session_expires);
                self.session = SessionTimer::from_answer(turn.now, header);
            }
            // RFC 3261 §14.1, RFC 5057 §5.1: the dialog is gone, and so it is when nobody answers (RFC 4028 §10).
            Some(408 | 481) | None => self.send_bye(engine, turn),
            // RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other up to 2 s, in steps of 10 ms.
            Some(491) => {
                let steps = match &self.side {
                    Side::Outgoing(_) => 210 + engine.roll() % 191,
                    Side::Incoming { .. } => engine.roll() % 201,
                };
                self.refresh_again(turn, Duration::from_millis(steps * 10));
            }
            Some(_) => {
                if let (Some(session), Some(min), Some(422)) =
                    (&mut self.session, response.and_then(shortest_session), status)
                {
                    // RFC 4028 §7.4: the next one asks for what the far end wants at least.
                    session.interval = session.interval.max(min);
                    self.min_se = self.min_se.max(Some(min));
                }
            }
        }
    }

    pub(super) fn on_refresh_timeout(&mut self, engine: &mut Engine, turn: &mut Turn<'_>) {
        let Some(Refresh::Invite(reinvite)) = &mut self.refresh else { return };
        if reinvite.give_up_at <= turn.now {
            self.on_refresh_done(engine, turn, None);
            return;
        }
        match reinvite.machine.on_timeout(turn.now) {
            OnTimeout::Repeat => {
                let (to, bytes) = (reinvite.to, reinvite.bytes.clone());
                engine.counters.repeated += 1;
                engine.send(turn, to, bytes);
            }
            OnTimeout::TimedOut => self.on_refresh_done(engine, turn, None),
            OnTimeout::Nothing | OnTimeout::Done => {}
        }
    }

    /// A refresh that must be tried again; an offer of the dialer's is its own affair.
    fn refresh_again(&mut self, turn: &Turn<'_>, wait: Duration) {
        if let Some(session) = self.session.filter(|session| session.we_refresh) {
            self.session = Some(session.later(turn.now + wait));
        }
    }
}

/// Re-INVITEs of one call whose responses are still known; whoever has seen five of them has the ACKs to the first.
const MAX_REINVITES: usize = 4;
