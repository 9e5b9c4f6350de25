//! Requests of the far end: which transaction, which dialog, or which refusal.

use std::net::SocketAddr;

use super::DropReason;
use super::SipEvent;
use super::UserAgent;
use super::in_dialog::Request;
use super::in_dialog::SUPPORTED;
use super::incoming::caller_key;
use super::leg::Leg;
use super::leg::Side;
use super::leg::Turn;
use super::outgoing::ALLOW;
use super::outgoing::SDP_TYPE;
use crate::logic::ids::LegId;
use crate::logic::sip::message::BadHeader;
use crate::logic::sip::message::Core;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::Uri;
use crate::logic::sip::message::Via;
use crate::logic::sip::message::name;

impl UserAgent {
    pub(super) fn on_request(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddr,
        mut request: Message,
        core: &Core,
    ) {
        let method = &core.cseq.method;
        if *method == Method::ACK {
            self.on_ack(turn, from, &request, core);
            return;
        }
        let key = transaction_key(method, core);
        if let Some(server) = self.engine.find_server(&key) {
            self.engine.on_server_repeat(turn, server);
            return;
        }
        if *method == Method::CANCEL {
            self.on_cancel(turn, from, request, core, key);
            return;
        }
        let leg = self.leg_of(core);
        if leg.is_none() && !self.engine.settings.is_peer(from.ip()) {
            self.engine.drop_datagram(turn, DropReason::Stranger);
            return;
        }
        let Some(server) = self.open(turn, from, &mut request, core, key, leg) else { return };
        if let Some(leg) = leg {
            self.with_leg(turn, leg, |leg, engine, turn| {
                leg.on_request(engine, turn, &Request { from, server, message: &request, core });
            });
        } else if core.to.tag().is_some() {
            self.refuse(turn, server, 481, core, &[]);
        } else {
            self.on_request_outside(turn, from, server, &request, core);
        }
    }

    /// A request that lacks what every request needs: 400, to peers only (RFC 3261 §8.2.2).
    pub(super) fn on_bad_request(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddr,
        mut request: Message,
        problem: BadHeader,
    ) {
        let known = self.engine.settings.is_peer(from.ip());
        let is_ack = request.method() == Some(&Method::ACK);
        if let (Some(via), true, false) = (request.top_via(), known, is_ack) {
            let to = note_source(&mut request, via, from);
            let mut response = request.reply(400, None);
            response.push(name::WARNING, format!("399 outdial \"{problem}\""));
            self.engine.send(turn, to, response.to_bytes());
        }
        let reason = if known { DropReason::Malformed } else { DropReason::Stranger };
        self.engine.drop_datagram(turn, reason);
    }

    /// Opens the transaction of a new request; at the bound the request is dropped, and its sender repeats it.
    fn open(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddr,
        request: &mut Message,
        core: &Core,
        key: String,
        leg: Option<LegId>,
    ) -> Option<u64> {
        let to = note_source(request, core.via.clone(), from);
        let opened = self.engine.open_server(turn.now, key, request, to, leg);
        if opened.is_none() {
            self.engine.drop_datagram(turn, DropReason::Overload);
        }
        opened
    }

    /// ACK: to a refusal it belongs to the transaction, to a 2xx to the dialog (RFC 3261 §13.2.2.4, §17.1.1.3).
    fn on_ack(&mut self, turn: &mut Turn<'_>, from: SocketAddr, ack: &Message, core: &Core) {
        let server = self.engine.find_server(&transaction_key(&Method::INVITE, core));
        if server.is_some_and(|server| self.engine.on_server_ack(turn.now, server)) {
            return;
        }
        match self.leg_of(core) {
            Some(leg) => self.with_leg(turn, leg, |leg, engine, turn| {
                leg.on_ack(engine, turn, core.cseq.number, ack);
            }),
            None => self.drop_unmatched(turn, from),
        }
    }

    /// CANCEL: 200 for itself, 487 for what it cancels, if that is still pending (RFC 3261 §9.2).
    fn on_cancel(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddr,
        mut cancel: Message,
        core: &Core,
        key: String,
    ) {
        let invite = self.engine.find_server(&transaction_key(&Method::INVITE, core));
        let Some(invite) = invite else {
            if !self.engine.settings.is_peer(from.ip()) {
                self.engine.drop_datagram(turn, DropReason::Stranger);
                return;
            }
            if let Some(server) = self.open(turn, from, &mut cancel, core, key, None) {
                self.refuse(turn, server, 481, core, &[]);
            }
            return;
        };
        let leg = self.engine.owner_of(invite);
        let Some(server) = self.open(turn, from, &mut cancel, core, key, leg) else { return };
        let tag = leg.map(|leg| self.tag_of(leg)).unwrap_or_default();
        self.engine.answer(turn, server, 200, &tag);
        if let (Some(leg), true) = (leg, self.engine.is_server_pending(invite)) {
            self.with_leg(turn, leg, |leg, engine, turn| match &leg.side {
                Side::Incoming { server, .. } if *server == invite => {
                    leg.on_cancelled(engine, turn);
                }
                Side::Incoming { .. } | Side::Outgoing(_) => leg.on_offer_cancelled(engine, turn),
            });
        }
    }

    /// A peer's request without a To tag, in no dialog.
    fn on_request_outside(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddr,
        server: u64,
        request: &Message,
        core: &Core,
    ) {
        let demands = request.unsupported_extensions(&SUPPORTED);
        match &core.cseq.method {
            Method::Other(_) => self.refuse(turn, server, 501, core, &[(name::ALLOW, ALLOW)]),
            _ if !demands.is_empty() => {
                let value = demands.join(", ");
                self.refuse(turn, server, 420, core, &[(name::UNSUPPORTED, &value)]);
            }
            &Method::INVITE => self.on_invite(turn, from, server, request, core),
            &Method::OPTIONS => {
                let tag = self.stray_tag(core);
                self.engine.answer_options(turn, server, &tag);
            }
            &(Method::BYE | Method::UPDATE | Method::PRACK | Method::INFO) => {
                self.refuse(turn, server, 481, core, &[]);
            }
            Method::Known(_) => self.refuse(turn, server, 405, core, &[(name::ALLOW, ALLOW)]),
        }
    }

    /// A new call from a peer.
    fn on_invite(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddr,
        server: u64,
        request: &Message,
        core: &Core,
    ) {
        let uri = request.request_uri();
        let sdp = request.sdp().map(<[u8]>::to_vec);
        if !self.engine.settings.accept_incoming {
            self.refuse(turn, server, 405, core, &[(name::ALLOW, ALLOW_OUTSIDE)]);
        } else if self.callers.contains_key(&caller_key(core)) {
            // The same request on another way (RFC 3261 §8.2.2.2).
            self.refuse(turn, server, 482, core, &[]);
        } else if !matches!(uri, Ok(Uri::Sip(_) | Uri::Tel { .. })) {
            self.refuse(turn, server, if uri.is_ok() { 416 } else { 400 }, core, &[]);
        } else if request.contact().is_none() {
            // RFC 3261 §8.1.1.8: without it no request of ours would find the way.
            self.refuse(turn, server, 400, core, &[]);
        } else if sdp.is_none() && !request.body.is_empty() {
            self.refuse(turn, server, 415, core, &[(name::ACCEPT, SDP_TYPE)]);
        } else if !self.has_room() {
            self.engine.drop_datagram(turn, DropReason::Overload);
            self.refuse(turn, server, 503, core, &[(name::RETRY_AFTER, RETRY_AFTER_SECONDS)]);
        } else {
            let id = self.next_incoming();
            let leg = Leg::incoming(&self.engine, id, server, from, request, core);
            self.engine.set_owner(server, id);
            self.add(leg);
            turn.event(SipEvent::Incoming {
                leg: id,
                peer: from,
                called: uri.ok().and_then(|uri| uri.user()).unwrap_or_default(),
                from: request.first(name::FROM).unwrap_or_default().to_owned(),
                call_id: core.call_id.clone(),
                headers: request
                    .headers()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
                sdp,
            });
        }
    }

    fn refuse(
        &mut self,
        turn: &mut Turn<'_>,
        server: u64,
        status: u16,
        core: &Core,
        extra: &[(&str, &str)],
    ) {
        let tag = self.stray_tag(core);
        self.engine.answer_with(turn, server, status, &tag, extra);
    }

    /// A To tag for a response outside any dialog: the same for a repeat (RFC 3261 §8.2.7).
    fn stray_tag(&self, core: &Core) -> String {
        let boot = self.engine.settings.identity.boot;
        self.engine.tokens.text(boot, LegId(0), "stray-tag", core.cseq.number, &core.call_id)
    }
}

/// Which transaction a request belongs to (RFC 3261 §17.2.3); for ACK and CANCEL ask with INVITE.
///
/// Branch and sent-by would do for senders that keep to RFC 3261. The rest is the same in all requests of a transaction,
/// tells apart those of RFC 2543, and keeps out strangers: many senders make their branches of a counter.
fn transaction_key(method: &Method, core: &Core) -> String {
    let via = &core.via;
    let port = via.port.unwrap_or(crate::logic::sip::message::DEFAULT_PORT);
    let branch = via.branch().unwrap_or_default();
    let from = core.from.tag().unwrap_or_default();
    let (number, call_id) = (core.cseq.number, &core.call_id);
    format!("{method} {branch} {}:{port} {number} {from} {call_id}", via.host)
}

/// Notes where a request came from in its top Via, and says where its response goes (RFC 3581 §4).
fn note_source(request: &mut Message, mut via: Via, from: SocketAddr) -> SocketAddr {
    via.note_source(from);
    request.replace_top_via(&via);
    via.reply_to().unwrap_or(from)
}

/// What we take outside a dialog when incoming calls are not accepted.
const ALLOW_OUTSIDE: &str = "OPTIONS";
/// When a full house may be tried again.
const RETRY_AFTER_SECONDS: &str = "5";
