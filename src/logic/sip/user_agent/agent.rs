//! The machine behind the face: owns every leg and transaction, and says when it wants to be woken.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::Counters;
use super::DropReason;
use super::FailureCause;
use super::SipAction;
use super::SipCommand;
use super::SipEvent;
use super::SipInput;
use super::UserAgentSettings;
use super::engine::Engine;
use super::engine::Purpose;
use super::engine::Timer;
use super::identity::branch_number;
use super::identity::tag_number;
use super::leg::Leg;
use super::leg::Side;
use super::leg::Stage;
use super::leg::Turn;
use super::outgoing::Response;
use crate::logic::ids::LegId;
use crate::logic::sip::message::Core;
use crate::logic::sip::message::MalformedMessage;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::name;
use crate::logic::time::Tick;

/// A SIP user agent without sockets: datagrams and commands in, datagrams and events out.
///
/// Deterministic: the same settings, seed and inputs give the same actions.
#[derive(Debug)]
pub struct UserAgent {
    pub(super) engine: Engine,
    legs: BTreeMap<LegId, Box<Leg>>,
    /// Our tag to leg: how a request inside a dialog finds it.
    by_tag: BTreeMap<u64, LegId>,
    /// Incoming legs by what their INVITE says of its caller: merged requests (RFC 3261 §8.2.2.2).
    pub(super) callers: BTreeMap<String, LegId>,
    /// Legs not closed yet.
    open: usize,
    incoming: i64,
}

impl UserAgent {
    /// A user agent with no legs. `seed` is for the waiting times that RFC 3261 §14.1 wants random.
    #[must_use]
    pub fn new(settings: UserAgentSettings, seed: u64) -> Self {
        Self {
            engine: Engine::new(settings, seed),
            legs: BTreeMap::new(),
            by_tag: BTreeMap::new(),
            callers: BTreeMap::new(),
            open: 0,
            incoming: 0,
        }
    }

    /// Takes one input; appends what must be done, in order.
    pub fn handle(&mut self, now: Tick, input: SipInput<'_>, out: &mut Vec<SipAction>) {
        let mut turn = Turn { now, out };
        match input {
            SipInput::Datagram { from, bytes } => self.on_datagram(&mut turn, from, bytes),
            SipInput::Command(command) => self.on_command(&mut turn, command),
            SipInput::Timeout => self.on_timeout(&mut turn),
        }
    }

    /// When [`SipInput::Timeout`] is wanted next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        self.engine.deadlines.next()
    }

    /// How many legs have not been closed by Failed or Ended.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.open
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.engine.counters
    }

    /// Replaces the list of known peers: an agent's phone logged in or moved.
    pub fn set_peers(&mut self, peers: Vec<crate::logic::media::IpNet>) {
        self.engine.settings.peers = peers;
    }

    fn on_command(&mut self, turn: &mut Turn<'_>, command: SipCommand) {
        match command {
            SipCommand::Invite { leg, call, offer } => {
                if self.legs.contains_key(&leg) {
                    return;
                }
                if self.open >= self.engine.settings.max_legs {
                    let cause = FailureCause::Status(503);
                    turn.event(SipEvent::Failed { leg, cause, q850: None, retry_after: None });
                    return;
                }
                let boot = self.engine.settings.identity.boot;
                let made = Leg::outgoing(&self.engine, turn.now, leg, boot, call, offer);
                self.add(made);
                self.with_leg(turn, leg, Leg::send_invite);
            }
            SipCommand::Authorize { leg } => self.with_leg(turn, leg, Leg::authorize),
            SipCommand::Acknowledge { leg } => self.with_leg(turn, leg, Leg::release_ack),
            SipCommand::HangUp { leg } => self.with_leg(turn, leg, Leg::hang_up),
            SipCommand::AnswerOffer { leg, sdp } => {
                self.with_leg(turn, leg, |leg, engine, turn| leg.answer_offer(engine, turn, sdp));
            }
            SipCommand::Progress { leg, status, sdp } => {
                self.with_leg(turn, leg, |leg, engine, turn| {
                    leg.progress(engine, turn, status, sdp);
                });
            }
            SipCommand::Answer { leg, sdp } => {
                self.with_leg(turn, leg, |leg, engine, turn| leg.answer(engine, turn, sdp));
            }
            SipCommand::Refuse { leg, status, q850, headers } => {
                self.with_leg(turn, leg, |leg, engine, turn| {
                    leg.refuse(engine, turn, status, q850, &headers);
                });
            }
            SipCommand::Offer { leg, sdp } => {
                self.with_leg(turn, leg, |leg, engine, turn| {
                    leg.release_ack(engine, turn);
                    leg.offer(engine, turn, sdp);
                });
            }
            SipCommand::Update { leg, sdp } => {
                self.with_leg(turn, leg, |leg, engine, turn| leg.update(engine, turn, sdp));
            }
            SipCommand::Ping { ping, uri, peer } => self.ping(turn, ping, &uri, peer),
            SipCommand::Recover { leg, boot, call, dialog, sent_by } => {
                if self.legs.contains_key(&leg) {
                    return;
                }
                let made = Leg::recover(&mut self.engine, turn, leg, boot, call, dialog, sent_by);
                self.add(made);
                self.settle(turn.now, leg);
            }
        }
    }

    /// OPTIONS outside a dialog.
    fn ping(&mut self, turn: &mut Turn<'_>, ping: u64, uri: &str, peer: SocketAddr) {
        let engine = &mut self.engine;
        let boot = engine.settings.identity.boot;
        // Pings have no leg: a number of their own, never used twice, stands in.
        let number = LegId(i64::from_ne_bytes(engine.next_serial().to_ne_bytes()));
        let tag = engine.tokens.text(boot, number, "ping-tag", 0, "");
        let call_id = engine.tokens.text(boot, number, "ping-call-id", 0, "");
        let branch = engine.tokens.branch(boot, number, "OPTIONS", 1, "");
        let mut request = Message::request(Method::OPTIONS, uri);
        request.push(name::MAX_FORWARDS, "70");
        request.push(name::FROM, format!("{};tag={tag}", engine.contact()));
        request.push(name::TO, format!("<{uri}>")).push(name::CALL_ID, call_id);
        request.push(name::CSEQ, "1 OPTIONS").push(name::CONTACT, engine.contact());
        request.push(name::ACCEPT, super::outgoing::SDP_TYPE);
        engine.dress(&mut request, branch);
        engine.start_client(turn, branch, &request, peer, Purpose::Ping { ping });
    }

    fn on_timeout(&mut self, turn: &mut Turn<'_>) {
        while let Some(timer) = self.engine.deadlines.pop_due(turn.now) {
            match timer {
                Timer::Leg(leg) => self.with_leg(turn, leg, |leg, engine, turn| {
                    leg.on_setup_timeout(engine, turn);
                    leg.on_up_timeout(engine, turn);
                }),
                Timer::Client(branch) => {
                    if let Some(purpose) = self.engine.on_client_timeout(turn, branch) {
                        self.on_client_done(turn, purpose, None);
                    }
                }
                Timer::Server(serial) => self.engine.on_server_timeout(turn, serial),
            }
            // A timer that is due again at once would keep us here for ever: a bug, but not one to hang a dialer.
            let stuck = self.engine.deadlines.peek(timer).is_some_and(|at| at <= turn.now);
            debug_assert!(!stuck, "{timer:?} is still due after its turn");
            if stuck {
                self.engine.deadlines.set(timer, Some(turn.now + LATER));
            }
        }
    }

    fn on_datagram(&mut self, turn: &mut Turn<'_>, from: SocketAddr, bytes: &[u8]) {
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            // A keep-alive (RFC 5626 §4.4.1): phones behind NAT send them all day.
            Err(MalformedMessage::Empty) => return,
            Err(MalformedMessage::TooLarge) => {
                self.engine.drop_datagram(turn, DropReason::TooLarge);
                return;
            }
            Err(_) => {
                self.engine.drop_datagram(turn, DropReason::Malformed);
                return;
            }
        };
        match (message.core(), message.status()) {
            // RFC 3261 §8.1.3.3: it was on its way to somebody else.
            (Ok(core), Some(_)) if core.lower_vias > 0 => self.drop_unmatched(turn, from),
            (Ok(core), Some(status)) => self.on_response(turn, from, status, &message, &core),
            (Ok(core), None) => self.on_request(turn, from, message, &core),
            (Err(problem), None) => self.on_bad_request(turn, from, message, problem),
            (Err(_), Some(_)) => self.engine.drop_datagram(turn, DropReason::Malformed),
        }
    }

    fn on_response(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddr,
        status: u16,
        response: &Message,
        core: &Core,
    ) {
        let branch = core.via.branch().and_then(branch_number);
        let method = &core.cseq.method;
        let Some(branch) = branch else {
            self.drop_unmatched(turn, from);
            return;
        };
        if *method == Method::INVITE {
            let known = self.engine.invites.get(&branch).copied();
            let ours = known.filter(|(leg, cseq)| {
                let same = self.legs.get(leg).is_some_and(|leg| {
                    leg.call_id == core.call_id && core.from.tag() == Some(leg.local_tag.as_str())
                });
                *cseq == core.cseq.number && same
            });
            match ours {
                Some((leg, cseq)) => self.with_leg(turn, leg, |leg, engine, turn| {
                    let tag = core.to.tag().unwrap_or_default();
                    let response = Response { from, status, cseq, tag, message: response };
                    leg.on_invite_response(engine, turn, &response);
                }),
                None => self.drop_unmatched(turn, from),
            }
            return;
        }
        match self.engine.on_client_response(turn.now, branch, method, status) {
            Ok(Some(purpose)) => self.on_client_done(turn, purpose, Some(response)),
            Ok(None) => {}
            Err(()) => self.drop_unmatched(turn, from),
        }
    }

    /// A request of ours other than INVITE is over; `None`: nobody answered.
    fn on_client_done(
        &mut self,
        turn: &mut Turn<'_>,
        purpose: Purpose,
        response: Option<&Message>,
    ) {
        let status = response.and_then(Message::status);
        match purpose {
            Purpose::Ping { ping } => turn.event(SipEvent::OptionsDone { ping, status }),
            Purpose::Cancel { leg, cseq } => self.with_leg(turn, leg, |leg, engine, turn| {
                leg.on_cancel_done(engine, turn, cseq, response);
            }),
            Purpose::Bye { leg } => self.with_leg(turn, leg, |leg, engine, turn| {
                leg.on_bye_done(engine, turn, response);
            }),
            Purpose::ExtraBye { leg, remote_tag } => {
                self.with_leg(turn, leg, |leg, engine, turn| {
                    leg.on_extra_bye_done(engine, turn, &remote_tag, response);
                });
            }
            Purpose::Update { leg } => self.with_leg(turn, leg, |leg, engine, turn| {
                leg.on_refresh_done(engine, turn, response);
            }),
            // A PRACK that fails leaves the provisional response to be repeated, or the INVITE to fail.
            Purpose::Prack { .. } => {}
        }
    }

    pub(super) fn drop_unmatched(&mut self, turn: &mut Turn<'_>, from: SocketAddr) {
        let known = self.engine.settings.is_peer(from.ip());
        let reason = if known { DropReason::NoTransaction } else { DropReason::Stranger };
        self.engine.drop_datagram(turn, reason);
    }

    /// The leg with our tag, if the request can belong to it.
    pub(super) fn leg_of(&self, core: &Core) -> Option<LegId> {
        let tag = core.to.tag().and_then(tag_number)?;
        let leg = self.legs.get(self.by_tag.get(&tag)?)?;
        leg.knows(core).then_some(leg.id)
    }

    /// A number for the next incoming leg: bit 62 is set, so that it meets no leg of the dialer.
    pub(super) fn next_incoming(&mut self) -> LegId {
        self.incoming = self.incoming.wrapping_add(1) & ((1 << 62) - 1);
        LegId((1 << 62) | self.incoming)
    }

    pub(super) fn tag_of(&self, leg: LegId) -> String {
        self.legs.get(&leg).map(|leg| leg.local_tag.clone()).unwrap_or_default()
    }

    pub(super) fn has_room(&self) -> bool {
        self.open < self.engine.settings.max_legs
    }

    pub(super) fn add(&mut self, leg: Leg) {
        if let Some(tag) = tag_number(&leg.local_tag) {
            self.by_tag.insert(tag, leg.id);
        }
        if let Side::Incoming { caller, .. } = &leg.side {
            self.callers.insert(caller.clone(), leg.id);
        }
        self.open += 1;
        self.legs.insert(leg.id, Box::new(leg));
    }

    /// Lets a leg act, and looks after its deadline and its end.
    pub(super) fn with_leg(
        &mut self,
        turn: &mut Turn<'_>,
        id: LegId,
        act: impl FnOnce(&mut Leg, &mut Engine, &mut Turn<'_>),
    ) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        act(leg, &mut self.engine, turn);
        self.settle(turn.now, id);
    }

    /// Counts the end of a leg, arms its timer, and forgets it when nothing of it can come any more.
    fn settle(&mut self, now: Tick, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.stage == Stage::Closed && !std::mem::replace(&mut leg.counted, true) {
            self.open -= 1;
        }
        let over = leg.stage == Stage::Closed && leg.linger_until.is_none_or(|until| until <= now);
        if over {
            self.remove(id);
        } else {
            self.engine.deadlines.set(Timer::Leg(id), leg.deadline());
        }
    }

    fn remove(&mut self, id: LegId) {
        self.engine.deadlines.set(Timer::Leg(id), None);
        let Some(leg) = self.legs.remove(&id) else { return };
        if let Some(tag) = tag_number(&leg.local_tag) {
            self.by_tag.remove(&tag);
        }
        for branch in &leg.reinvites {
            self.engine.invites.remove(branch);
        }
        match &leg.side {
            Side::Incoming { caller, .. } => {
                self.callers.remove(caller);
            }
            Side::Outgoing(outgoing) => {
                for invite in &outgoing.invites {
                    self.engine.invites.remove(&invite.branch);
                }
            }
        }
    }
}

/// When a timer that did not disarm itself is looked at again.
const LATER: std::time::Duration = std::time::Duration::from_millis(100);
