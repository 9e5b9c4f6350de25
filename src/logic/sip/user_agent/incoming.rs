//! A call that the far end makes: provisional responses, answer, refusal, CANCEL.
//!
//! ```text
//! Setup --Answer--> Up (the 2xx is repeated until its ACK, 64*T1 at most) --BYE--> Closed (Ended)
//!   \--Refuse, CANCEL, BYE--> Closed (Failed with the status sent)
//! ```

use std::net::SocketAddr;

use super::FailureCause;
use super::SipEvent;
use super::engine::Engine;
use super::in_dialog::push_session;
use super::leg::Leg;
use super::leg::Repeating;
use super::leg::Side;
use super::leg::Stage;
use super::leg::Turn;
use super::outgoing::ALLOW;
use super::outgoing::SDP_TYPE;
use super::session_timer::SessionTimer;
use crate::logic::ids::LegId;
use crate::logic::sip::dialog::Dialog;
use crate::logic::sip::message::Core;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::name;

impl Leg {
    /// A leg for a new INVITE whose transaction is `server`.
    pub(super) fn incoming(
        engine: &Engine,
        id: LegId,
        server: u64,
        from: SocketAddr,
        request: &Message,
        core: &Core,
    ) -> Self {
        let boot = engine.settings.identity.boot;
        let local_tag = engine.tokens.local_tag(boot, id);
        let dialog = Dialog::from_request(request, core.cseq.number, &local_tag, from);
        let side = Side::Incoming { server, caller: caller_key(core), sent_sdp: false };
        let mut leg = Self::new(id, boot, core.call_id.clone(), local_tag, side);
        leg.dialog = Some(dialog);
        leg
    }

    /// A provisional response.
    pub(super) fn progress(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        status: u16,
        sdp: Option<Vec<u8>>,
    ) {
        let Side::Incoming { server, sent_sdp, .. } = &mut self.side else { return };
        if self.stage != Stage::Setup || !(101..200).contains(&status) {
            return;
        }
        let Some(mut response) = engine.response(*server, status, &self.local_tag) else { return };
        response.push(name::CONTACT, engine.contact()).push(name::ALLOW, ALLOW);
        if let Some(sdp) = sdp {
            *sent_sdp = true;
            response.set_body(SDP_TYPE, sdp);
        }
        engine.respond(turn, *server, &response);
    }

    /// 200 OK, repeated until its ACK (RFC 3261 §13.3.1.4).
    pub(super) fn answer(&mut self, engine: &mut Engine, turn: &mut Turn<'_>, sdp: Vec<u8>) {
        let Side::Incoming { server, .. } = &self.side else { return };
        if self.stage != Stage::Setup {
            return;
        }
        let (Some(request), Some(dialog)) = (engine.request_of(*server), &self.dialog) else {
            return;
        };
        let cseq = dialog.remote_cseq.unwrap_or_default();
        let session = SessionTimer::from_request(turn.now, request);
        let knows_timer = request.lists(name::SUPPORTED, "timer");
        let Some(mut response) = engine.response(*server, 200, &self.local_tag) else { return };
        response.push(name::CONTACT, engine.contact()).push(name::ALLOW, ALLOW);
        response.push(name::SUPPORTED, engine.supported());
        push_session(&mut response, session, knows_timer);
        self.session = session;
        if session.is_some_and(|session| session.we_refresh) {
            self.local_sdp.clone_from(&sdp);
        }
        if !sdp.is_empty() {
            response.set_body(SDP_TYPE, sdp);
        }
        if let Some(sent) = engine.respond(turn, *server, &response) {
            self.stage = Stage::Up;
            self.repeating = Some(Repeating::new(turn.now, cseq, true, sent));
        }
    }

    /// A final refusal.
    pub(super) fn refuse(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        status: u16,
        q850: Option<u8>,
        headers: &[(String, String)],
    ) {
        let Side::Incoming { server, .. } = &self.side else { return };
        if self.stage != Stage::Setup || !(300..700).contains(&status) {
            return;
        }
        let Some(mut response) = engine.response(*server, status, &self.local_tag) else { return };
        if let Some(cause) = q850 {
            response.push(name::REASON, format!("Q.850;cause={cause}"));
        }
        for (name, value) in headers {
            response.push(name, value);
        }
        engine.respond(turn, *server, &response);
        self.fail(turn, FailureCause::Status(status));
    }

    /// The caller no longer wants the call (RFC 3261 §9.2): 487 to its INVITE.
    pub(super) fn on_cancelled(&mut self, engine: &mut Engine, turn: &mut Turn<'_>) {
        let Side::Incoming { server, .. } = &self.side else { return };
        if self.stage != Stage::Setup {
            return;
        }
        engine.answer(turn, *server, 487, &self.local_tag);
        if let Some(asked) = self.asked.take() {
            engine.answer(turn, asked.server, 487, &self.local_tag);
        }
        turn.event(SipEvent::Cancelled { leg: self.id });
        self.fail(turn, FailureCause::Status(487));
    }
}

/// What two INVITEs have in common that are one request on two ways (RFC 3261 §8.2.2.2).
pub(super) fn caller_key(core: &Core) -> String {
    format!("{} {} {}", core.cseq.number, core.from.tag().unwrap_or_default(), core.call_id)
}
