//! Requests of the far end inside a dialog.

use std::net::SocketAddr;
use std::time::Duration;

use super::SipEvent;
use super::engine::Engine;
use super::leg::Asked;
use super::leg::Early;
use super::leg::Leg;
use super::leg::Refresh;
use super::leg::Repeating;
use super::leg::Side;
use super::leg::Stage;
use super::leg::Turn;
use super::outgoing::ALLOW;
use super::outgoing::SDP_TYPE;
use super::session_timer::SessionTimer;
use crate::logic::sip::dialog::Dialog;
use crate::logic::sip::message::Core;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::name;

/// A request whose transaction is open.
pub(super) struct Request<'a> {
    pub(super) from: SocketAddr,
    pub(super) server: u64,
    pub(super) message: &'a Message,
    pub(super) core: &'a Core,
}

/// Which dialog of a leg a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The leg's own.
    Own,
    /// An early dialog of our INVITE.
    Early,
    /// A branch that we are ending.
    Extra,
    /// Our INVITE is pending and no response with this tag came yet: it was lost or overtaken.
    Unseen,
}

impl Leg {
    /// Whether a request with this Call-ID and From tag can belong to the leg (its To tag is ours).
    pub(super) fn knows(&self, core: &Core) -> bool {
        core.call_id == self.call_id && self.place(core.from.tag().unwrap_or_default()).is_some()
    }

    fn place(&self, remote_tag: &str) -> Option<Place> {
        if self.dialog.as_ref().is_some_and(|dialog| dialog.remote_tag == remote_tag) {
            return Some(Place::Own);
        }
        if self.acks.iter().any(|acked| acked.extra.is_some() && acked.remote_tag == remote_tag) {
            return Some(Place::Extra);
        }
        let Side::Outgoing(outgoing) = &self.side else { return None };
        if outgoing.early.iter().any(|early| early.dialog.remote_tag == remote_tag) {
            return Some(Place::Early);
        }
        (self.stage == Stage::Setup && outgoing.is_open()).then_some(Place::Unseen)
    }

    pub(super) fn on_request(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        request: &Request<'_>,
    ) {
        let tag = request.core.from.tag().unwrap_or_default();
        let Some(place) = self.place(tag) else { return };
        let method = &request.core.cseq.method;
        if let Some(dialog) = self.dialog_at(place, tag)
            && !dialog.takes_cseq(request.core.cseq.number)
        {
            self.refuse_request(engine, turn, request, 500, &[]);
            return;
        }
        if *method == Method::BYE {
            engine.answer(turn, request.server, 200, &self.local_tag);
            let q850 = request.message.q850_cause();
            match place {
                Place::Own => self.on_own_bye(engine, turn, q850),
                // The answer was lost with the earlier process: the far end's BYE is all that is left of the call.
                Place::Early | Place::Unseen if self.is_recovering() => {
                    self.on_bye(engine, turn, q850);
                }
                Place::Early | Place::Unseen => self.on_early_bye(request, q850),
                Place::Extra => {}
            }
            return;
        }
        let demands = request.message.unsupported_extensions(&SUPPORTED);
        if !demands.is_empty() {
            let value = demands.join(", ");
            self.refuse_request(engine, turn, request, 420, &[(name::UNSUPPORTED, &value)]);
            return;
        }
        let live = match place {
            Place::Own => matches!(self.stage, Stage::Setup | Stage::Up),
            Place::Early => self.stage == Stage::Setup,
            Place::Extra | Place::Unseen => false,
        };
        match method {
            &Method::OPTIONS => engine.answer_options(turn, request.server, &self.local_tag),
            _ if !live => self.refuse_request(engine, turn, request, 481, &[]),
            &Method::INVITE => self.on_reinvite(engine, turn, request, place),
            &Method::UPDATE => self.on_update(engine, turn, request, place),
            &Method::INFO => self.on_info(engine, turn, request),
            // We send no reliable provisional response, so no PRACK can match (RFC 3262 §3).
            &Method::PRACK => self.refuse_request(engine, turn, request, 481, &[]),
            Method::Known(_) => {
                self.refuse_request(engine, turn, request, 405, &[(name::ALLOW, ALLOW)]);
            }
            Method::Other(_) => {
                self.refuse_request(engine, turn, request, 501, &[(name::ALLOW, ALLOW)]);
            }
        }
    }

    /// The dialer's answer to [`SipEvent::Offer`]; `None` refuses.
    pub(super) fn answer_offer(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        sdp: Option<Vec<u8>>,
    ) {
        let Some(asked) = self.asked.take() else { return };
        let status = if sdp.is_some() { 200 } else { 488 };
        let Some(mut response) = engine.response(asked.server, status, &self.local_tag) else {
            return;
        };
        response.push(name::CONTACT, engine.contact()).push(name::ALLOW, ALLOW);
        if let Some(sdp) = sdp {
            response.push(name::SUPPORTED, engine.supported());
            push_session(&mut response, asked.session, asked.knows_timer);
            if self.stage == Stage::Up {
                self.session = asked.session;
                if self.session.is_some_and(|session| session.we_refresh) {
                    self.local_sdp.clone_from(&sdp);
                }
            }
            response.set_body(SDP_TYPE, sdp);
        }
        let sent = engine.respond(turn, asked.server, &response);
        if let (Some(sent), true, 200) = (sent, asked.is_invite, status) {
            self.repeating = Some(Repeating::new(turn.now, asked.cseq, false, sent));
        }
    }

    /// The ACK to one of our 2xx.
    pub(super) fn on_ack(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        cseq: u32,
        ack: &Message,
    ) {
        if self.repeating.as_ref().is_none_or(|repeating| repeating.cseq != cseq) {
            engine.counters.repeats_received += 1;
            return;
        }
        self.repeating = None;
        let sdp = ack.sdp().map(<[u8]>::to_vec);
        turn.event(SipEvent::Confirmed { leg: self.id, sdp });
        if self.bye_after_ack && self.stage == Stage::Up {
            self.send_bye(engine, turn);
        }
    }

    /// CANCEL of a re-INVITE that still waits for its answer.
    pub(super) fn on_offer_cancelled(&mut self, engine: &mut Engine, turn: &mut Turn<'_>) {
        if let Some(asked) = self.asked.take() {
            engine.answer(turn, asked.server, 487, &self.local_tag);
        }
    }

    fn dialog_at(&mut self, place: Place, tag: &str) -> Option<&mut Dialog> {
        match place {
            Place::Own => self.dialog.as_mut(),
            Place::Extra => self
                .acks
                .iter_mut()
                .find(|acked| acked.remote_tag == tag)
                .and_then(|acked| acked.extra.as_mut())
                .map(|(dialog, _)| dialog),
            Place::Early => self.early(tag).map(|early| &mut early.dialog),
            Place::Unseen => None,
        }
    }

    fn early(&mut self, tag: &str) -> Option<&mut Early> {
        let Side::Outgoing(outgoing) = &mut self.side else { return None };
        outgoing.early.iter_mut().find(|early| early.dialog.remote_tag == tag)
    }

    fn on_own_bye(&mut self, engine: &mut Engine, turn: &mut Turn<'_>, q850: Option<u8>) {
        match (self.stage, &self.side) {
            // RFC 3261 §15: the caller may end an early dialog by BYE.
            (Stage::Setup, Side::Incoming { .. }) => self.on_cancelled(engine, turn),
            (Stage::Setup | Stage::Up | Stage::Ending, _) => self.on_bye(engine, turn, q850),
            (Stage::Closed, _) => {}
        }
    }

    /// The BYE overtook its 2xx, or the 2xx was lost for 64*T1: it is remembered, so that the 2xx, if it still comes,
    /// is an answered call that ended at once.
    fn on_early_bye(&mut self, request: &Request<'_>, q850: Option<u8>) {
        let tag = request.core.from.tag().unwrap_or_default();
        if let Some(early) = self.early(tag) {
            early.bye_came = Some(q850);
            return;
        }
        let local = format!("{};tag={}", self.our_from(), self.local_tag);
        let Side::Outgoing(outgoing) = &mut self.side else { return };
        if outgoing.early.len() >= MAX_UNSEEN {
            return;
        }
        let (cseq, uri) = (outgoing.current().map_or(1, |i| i.cseq), &outgoing.call.request_uri);
        let dialog = Dialog::from_response(request.message, tag, &local, cseq, uri, request.from);
        let mut early = Early::new(dialog);
        early.bye_came = Some(q850);
        outgoing.early.push(early);
    }

    fn is_recovering(&self) -> bool {
        matches!(&self.side, Side::Outgoing(outgoing) if outgoing.recovering)
    }

    fn our_from(&self) -> String {
        match &self.side {
            Side::Outgoing(outgoing) => outgoing.call.from.clone(),
            Side::Incoming { .. } => String::new(),
        }
    }

    fn on_reinvite(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        request: &Request<'_>,
        place: Place,
    ) {
        let own = place == Place::Own && self.stage == Stage::Up;
        if !own || self.asked.is_some() {
            // RFC 3261 §14.2: one at a time; the wait is 0 to 10 s.
            self.refuse_for_a_while(engine, turn, request);
            return;
        }
        if self.refresh.is_some() {
            // Glare (RFC 3261 §14.2).
            self.refuse_request(engine, turn, request, 491, &[]);
            return;
        }
        if self.repeating.take().is_some() {
            // Who goes on with a re-INVITE has our 2xx; its ACK was lost (RFC 5407 §3.1.5).
            turn.event(SipEvent::Confirmed { leg: self.id, sdp: None });
            if self.bye_after_ack {
                self.refuse_request(engine, turn, request, 481, &[]);
                self.send_bye(engine, turn);
                return;
            }
        }
        let sdp = request.message.sdp().map(<[u8]>::to_vec);
        if sdp.is_none() && !request.message.body.is_empty() {
            self.refuse_request(engine, turn, request, 415, &[(name::ACCEPT, SDP_TYPE)]);
            return;
        }
        self.ask(engine, turn, request, place, true);
        turn.event(SipEvent::Offer { leg: self.id, sdp });
    }

    fn on_update(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        request: &Request<'_>,
        place: Place,
    ) {
        let tag = request.core.from.tag().unwrap_or_default();
        let Some(sdp) = request.message.sdp().map(<[u8]>::to_vec) else {
            if !request.message.body.is_empty() {
                self.refuse_request(engine, turn, request, 415, &[(name::ACCEPT, SDP_TYPE)]);
                return;
            }
            self.on_plain_update(engine, turn, request, place);
            return;
        };
        // RFC 3311 §5.2: an offer that crosses ours gets 491, one that comes before our answer to the last 500. SDP in
        // an unreliable provisional response counts as an answer: that is what everybody means by it.
        let ours_open = match place {
            Place::Early => self.early(tag).is_none_or(|early| early.answer.is_none()),
            Place::Own | Place::Extra | Place::Unseen => {
                matches!(self.refresh, Some(Refresh::Invite { .. }))
            }
        };
        let theirs_open = self.stage == Stage::Setup
            && matches!(self.side, Side::Incoming { sent_sdp: false, .. });
        if ours_open {
            self.refuse_request(engine, turn, request, 491, &[]);
        } else if self.asked.is_some() || theirs_open {
            self.refuse_for_a_while(engine, turn, request);
        } else {
            self.ask(engine, turn, request, place, false);
            turn.event(SipEvent::Offer { leg: self.id, sdp: Some(sdp) });
        }
    }

    /// UPDATE without an offer: a new Contact, or a refresh of the session.
    fn on_plain_update(
        &mut self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        request: &Request<'_>,
        place: Place,
    ) {
        let peer = engine.settings.symmetric.then_some(request.from);
        let tag = request.core.from.tag().unwrap_or_default();
        if let Some(dialog) = self.dialog_at(place, tag) {
            dialog.retarget(request.message, peer);
        }
        let Some(mut response) = engine.response(request.server, 200, &self.local_tag) else {
            return;
        };
        response.push(name::CONTACT, engine.contact()).push(name::ALLOW, ALLOW);
        response.push(name::SUPPORTED, engine.supported());
        let session = SessionTimer::from_request(turn.now, request.message);
        push_session(&mut response, session, request.message.lists(name::SUPPORTED, "timer"));
        if self.stage == Stage::Up {
            self.session = session;
        }
        engine.respond(turn, request.server, &response);
    }

    fn ask(
        &mut self,
        engine: &Engine,
        turn: &Turn<'_>,
        request: &Request<'_>,
        place: Place,
        is_invite: bool,
    ) {
        let peer = engine.settings.symmetric.then_some(request.from);
        let tag = request.core.from.tag().unwrap_or_default();
        if let Some(dialog) = self.dialog_at(place, tag) {
            dialog.retarget(request.message, peer);
        }
        self.asked = Some(Asked {
            server: request.server,
            cseq: request.core.cseq.number,
            is_invite,
            answer_by: turn.now + ANSWER_OFFER_WITHIN,
            session: SessionTimer::from_request(turn.now, request.message),
            knows_timer: request.message.lists(name::SUPPORTED, "timer"),
        });
    }

    /// Keys by INFO: `application/dtmf-relay` (`Signal=5`) and `application/dtmf` (`5`).
    fn on_info(&self, engine: &mut Engine, turn: &mut Turn<'_>, request: &Request<'_>) {
        let kind = request.message.content_type();
        let body = String::from_utf8_lossy(&request.message.body);
        let digit = match kind.as_deref() {
            Some("application/dtmf-relay") => body.lines().find_map(|line| {
                let (key, value) = line.split_once('=')?;
                if key.trim().eq_ignore_ascii_case("signal") { read_digit(value) } else { None }
            }),
            Some("application/dtmf") => read_digit(&body),
            Some(_) if !body.is_empty() => {
                let accept = "application/dtmf-relay, application/dtmf";
                self.refuse_request(engine, turn, request, 415, &[(name::ACCEPT, accept)]);
                return;
            }
            // An empty INFO asks whether we are there (RFC 2976 §2.2).
            Some(_) | None => None,
        };
        engine.answer(turn, request.server, 200, &self.local_tag);
        if let (Some(digit), true) = (digit, self.stage != Stage::Closed) {
            turn.event(SipEvent::Digit { leg: self.id, digit });
        }
    }

    fn refuse_for_a_while(&self, engine: &mut Engine, turn: &mut Turn<'_>, request: &Request<'_>) {
        let seconds = (engine.roll() % 11).to_string();
        self.refuse_request(engine, turn, request, 500, &[(name::RETRY_AFTER, &seconds)]);
    }

    fn refuse_request(
        &self,
        engine: &mut Engine,
        turn: &mut Turn<'_>,
        request: &Request<'_>,
        status: u16,
        extra: &[(&str, &str)],
    ) {
        engine.answer_with(turn, request.server, status, &self.local_tag, extra);
    }
}

/// Session-Expires in a 2xx of ours, with `Require: timer` where the other side must refresh and can (RFC 4028 §9).
pub(super) fn push_session(response: &mut Message, session: Option<SessionTimer>, knows: bool) {
    let Some(session) = session else { return };
    response.push(name::SESSION_EXPIRES, session.answer_value());
    if knows && !session.we_refresh {
        response.push(name::REQUIRE, "timer");
    }
}

fn read_digit(text: &str) -> Option<char> {
    let text = text.trim();
    let digit = match text {
        // Some senders write the event number of RFC 4733.
        "10" => '*',
        "11" => '#',
        _ => text.chars().next().filter(|_| text.len() == 1)?.to_ascii_uppercase(),
    };
    matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D').then_some(digit)
}

/// Extensions that a request may demand of us.
pub(super) const SUPPORTED: [&str; 1] = ["timer"];
/// How long the dialer may think about an offer before it is refused; UPDATE lives 32 s at most.
const ANSWER_OFFER_WITHIN: Duration = Duration::from_secs(10);
/// Dialogs remembered by their BYE alone.
const MAX_UNSEEN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_in_every_spelling() {
        for (text, digit) in [("5", '5'), (" #\r\n", '#'), ("10", '*'), ("11", '#'), ("a", 'A')] {
            assert_eq!(read_digit(text), Some(digit), "{text}");
        }
        for text in ["", "12", "x", "55"] {
            assert_eq!(read_digit(text), None, "{text}");
        }
    }
}
