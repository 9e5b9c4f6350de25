//! One leg: its media opens, its INVITE leaves, its SDP is answered, its end is told.

use std::net::SocketAddr;
use std::time::Duration;

use crate::logic::dialer::{LegCall, LegEvent, LegFailure};
use crate::logic::ids::LegId;
use crate::logic::media::{IpNet, MediaCommand, MediaEvent, RemoteMedia};
use crate::logic::node::{Node, NodeAction, Work, dial_plan};
use crate::logic::sip::sdp::{LocalMedia, Sdp};
use crate::logic::sip::user_agent::{FailureCause, OutgoingCall, SipCommand, SipEvent};
use crate::logic::time::Now;

/// One leg of ours.
#[derive(Debug)]
pub(super) struct Leg {
    call: OutgoingCall,
    stage: Stage,
    /// Set when the port is known.
    local: Option<LocalMedia>,
    /// The SDP of early media: the answer where the 200 OK has none.
    early: Option<Sdp>,
    /// Further addresses from which its RTP may come.
    sources: Vec<IpNet>,
    any_source: bool,
    is_phone: bool,
    held: bool,
    /// A final event has been told: whatever SIP still says of it is its own business.
    told_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Media ports are being bound; `dial`: the INVITE is due; `hang_up`: not wanted any more.
    Opening { dial: bool, hang_up: bool },
    /// The ports are bound; the INVITE is not due yet.
    Ready,
    /// The INVITE is out.
    Inviting,
    /// Answered.
    Up,
}

/// What is awaited of a phone from which nothing is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Check {
    /// Its reply to OPTIONS: without it, it is dead.
    Reply(LegId),
    /// The time to ask once more.
    Again(LegId),
}

impl Node {
    /// Sends the INVITE, as soon as the ports are bound.
    pub(super) fn dial(&mut self, leg: LegId, call: &LegCall, out: &mut Vec<NodeAction>) {
        match self.legs.get_mut(&leg).map(|leg| &mut leg.stage) {
            Some(Stage::Opening { dial, .. }) => *dial = true,
            Some(Stage::Ready) => self.invite(leg),
            Some(Stage::Inviting | Stage::Up) => {}
            None => self.open(leg, call, true, out),
        }
    }

    /// Opens media for a new leg; `dial`: the INVITE follows when the ports are bound.
    pub(super) fn open(
        &mut self,
        leg: LegId,
        call: &LegCall,
        dial: bool,
        out: &mut Vec<NodeAction>,
    ) {
        let planned = match call {
            LegCall::Customer { trunk, number, caller_id, .. } => {
                self.trunks.iter().find(|known| known.name == *trunk).and_then(|trunk| {
                    let call =
                        dial_plan::customer_call(trunk, number, caller_id, self.sip_address)?;
                    Some((call, trunk.rtp_from.clone(), false, false))
                })
            }
            LegCall::Agent { agent } => {
                self.agents.iter().find(|(id, _)| id == agent).map(|(_, agent)| {
                    (dial_plan::agent_call(agent, self.sip_address), vec![], agent.nat, true)
                })
            }
        };
        let Some((call, sources, any_source, is_phone)) = planned else {
            if dial {
                self.tell(leg, LegEvent::Failed(not_sent()));
            }
            return;
        };
        let opened = Leg {
            call,
            stage: Stage::Opening { dial, hang_up: false },
            local: None,
            early: None,
            sources,
            any_source,
            is_phone,
            held: false,
            told_end: false,
        };
        self.legs.insert(leg, opened);
        out.push(NodeAction::Media(MediaCommand::Open { leg }));
    }

    pub(super) fn hang_up(&mut self, leg: LegId, out: &mut Vec<NodeAction>) {
        match self.legs.get_mut(&leg).map(|leg| &mut leg.stage) {
            Some(Stage::Opening { hang_up, .. }) => *hang_up = true,
            Some(Stage::Ready) => self.close(leg, out),
            Some(Stage::Inviting | Stage::Up) => {
                self.work.push_back(Work::Sip(SipCommand::HangUp { leg }))
            }
            None => {}
        }
    }

    pub(super) fn media_event(&mut self, now: Now, event: MediaEvent, out: &mut Vec<NodeAction>) {
        match event {
            MediaEvent::Opened { leg, port } => self.opened(leg, port, out),
            MediaEvent::OpenFailed { leg } => {
                match self.legs.get(&leg).map(|leg| leg.stage) {
                    Some(Stage::Opening { dial, .. }) => {
                        self.legs.remove(&leg);
                        // Before it is due nobody waits for it: it is tried again then.
                        if dial {
                            self.tell(leg, LegEvent::Failed(not_sent()));
                        }
                    }
                    // Nobody may hear what the media threads were not told in time.
                    Some(Stage::Ready | Stage::Inviting | Stage::Up) => self.hang_up(leg, out),
                    None => {}
                }
            }
            MediaEvent::Digit { leg, digit } => self.tell(leg, LegEvent::Digit(digit)),
            MediaEvent::PlayDone { leg, play } => self.tell(leg, LegEvent::PlayDone(play)),
            MediaEvent::Quiet { leg } => self.tell(leg, LegEvent::Quiet),
            MediaEvent::Heard { leg } => {
                self.forget_checks(leg);
                self.tell(leg, LegEvent::Heard);
            }
            MediaEvent::Dead { leg } => {
                // A phone whose audio is gone may still answer OPTIONS: it is asked before it is given up.
                if self.legs.get(&leg).is_some_and(|leg| leg.is_phone) {
                    self.ask_phone(now, leg);
                } else {
                    self.tell(leg, LegEvent::Dead);
                }
            }
            MediaEvent::FirstPacket { .. } | MediaEvent::Closed { .. } => {}
        }
    }

    fn opened(&mut self, leg: LegId, port: u16, out: &mut Vec<NodeAction>) {
        let Some(room) = self.legs.get_mut(&leg) else {
            out.push(NodeAction::Media(MediaCommand::Close { leg }));
            return;
        };
        let (dial, hang_up) = match room.stage {
            Stage::Opening { dial, hang_up } => (dial, hang_up),
            // Opened twice: not by us.
            Stage::Ready | Stage::Inviting | Stage::Up => return,
        };
        if hang_up {
            self.close(leg, out);
            if dial {
                self.tell(leg, LegEvent::Failed(not_sent()));
            }
            return;
        }
        let session = u64::try_from(leg.0).unwrap_or_default();
        let local = LocalMedia::new(SocketAddr::new(self.rtp_address, port), session);
        room.local = Some(local);
        room.stage = Stage::Ready;
        if dial {
            self.invite(leg);
        }
    }

    fn invite(&mut self, leg: LegId) {
        let Some(room) = self.legs.get_mut(&leg) else { return };
        let Some(offer) = room.local.as_ref().map(LocalMedia::offer) else { return };
        room.stage = Stage::Inviting;
        let call = Box::new(room.call.clone());
        self.work.push_back(Work::Sip(SipCommand::Invite { leg, call, offer }));
        self.tell(leg, LegEvent::Sent);
    }

    pub(super) fn sip_event(&mut self, now: Now, event: SipEvent, out: &mut Vec<NodeAction>) {
        match event {
            SipEvent::Provisional { leg, status, sdp } => {
                if let Some(sdp) = sdp.as_deref().and_then(|sdp| Sdp::parse(sdp).ok()) {
                    self.hear(leg, &sdp, out);
                    if let Some(leg) = self.legs.get_mut(&leg) {
                        leg.early = Some(sdp);
                    }
                }
                match status {
                    100 => {}
                    180 => self.tell(leg, LegEvent::Ringing),
                    _ => self.tell(leg, LegEvent::Progress),
                }
            }
            SipEvent::Challenged { leg } => self.tell(leg, LegEvent::Challenged),
            SipEvent::Answered { leg, sdp, dialog } => {
                let Some(room) = self.legs.get_mut(&leg) else {
                    self.tell(leg, LegEvent::Answered(dialog));
                    return;
                };
                room.stage = Stage::Up;
                let sdp = sdp
                    .as_deref()
                    .and_then(|sdp| Sdp::parse(sdp).ok())
                    .or_else(|| room.early.take());
                if sdp.is_some_and(|sdp| self.hear(leg, &sdp, out)) {
                    self.tell(leg, LegEvent::Answered(dialog));
                } else {
                    // Answered in a way nobody can talk over, and ended at once: a failure, yet with the status that
                    // says that somebody was there.
                    self.work.push_back(Work::Sip(SipCommand::HangUp { leg }));
                    self.tell_end(
                        leg,
                        LegEvent::Failed(LegFailure { status: Some(200), ..lost() }),
                    );
                }
            }
            SipEvent::Failed { leg, cause, q850, retry_after } => {
                let failure = match cause {
                    FailureCause::Status(status) => {
                        LegFailure { status: Some(status), q850, retry_after, ..lost() }
                    }
                    FailureCause::Timeout => LegFailure { q850, retry_after, ..lost() },
                    FailureCause::CancelTimeout => {
                        LegFailure { uncertain: true, q850, retry_after, ..lost() }
                    }
                };
                self.tell_end(leg, LegEvent::Failed(failure));
                self.close(leg, out);
            }
            SipEvent::Ended { leg, by_peer, q850 } => {
                self.tell_end(leg, LegEvent::Ended { by_peer, q850 });
                self.close(leg, out);
            }
            SipEvent::Offer { leg, sdp } => self.offered(leg, sdp.as_deref(), out),
            SipEvent::Confirmed { leg, sdp } => {
                // Our offer in the 200 to a re-INVITE without SDP is answered in the ACK.
                if let Some(sdp) = sdp.as_deref().and_then(|sdp| Sdp::parse(sdp).ok()) {
                    self.hear(leg, &sdp, out);
                }
            }
            SipEvent::Digit { leg, digit } => self.tell(leg, LegEvent::Digit(digit)),
            SipEvent::OptionsDone { ping, status } => {
                let leg = LegId(i64::try_from(ping).unwrap_or_default());
                if status.is_some() && self.legs.contains_key(&leg) {
                    // It lives, though nothing is heard: asked again while that lasts.
                    self.checks.set(Check::Reply(leg), None);
                    self.checks.set(Check::Again(leg), Some(now.tick + CHECK_AGAIN));
                }
            }
            SipEvent::OfferDone { .. }
            | SipEvent::Incoming { .. }
            | SipEvent::Cancelled { .. }
            | SipEvent::Dropped { .. } => {}
        }
    }

    /// Tells media where the far end is, and the dialer when it holds us. False when nothing can be agreed.
    fn hear(&mut self, leg: LegId, sdp: &Sdp, out: &mut Vec<NodeAction>) -> bool {
        let Some(room) = self.legs.get_mut(&leg) else { return false };
        let Some(remote) = sdp.remote() else { return false };
        let media = RemoteMedia {
            rtp: remote.rtp,
            codec: remote.codec,
            telephone_event: remote.telephone_event,
            send: remote.may_send(),
            sources: room.sources.clone(),
            any_source: room.any_source,
        };
        let held = !remote.may_send();
        let changed = room.held != held;
        room.held = held;
        out.push(NodeAction::Media(MediaCommand::Remote { leg, remote: media }));
        if changed {
            self.tell(leg, LegEvent::Held(held));
        }
        true
    }

    /// A re-INVITE or UPDATE: hold, resume, a new address, or a mere refresh.
    fn offered(&mut self, leg: LegId, sdp: Option<&[u8]>, out: &mut Vec<NodeAction>) {
        let answer = self.answer_to(leg, sdp, out);
        self.work.push_back(Work::Sip(SipCommand::AnswerOffer { leg, sdp: answer }));
    }

    /// Our SDP for what the far end offers; our own offer where it offers nothing. `None` refuses.
    fn answer_to(
        &mut self,
        leg: LegId,
        sdp: Option<&[u8]>,
        out: &mut Vec<NodeAction>,
    ) -> Option<Vec<u8>> {
        let local = self.legs.get_mut(&leg)?.local.as_mut()?;
        local.version += 1;
        let Some(body) = sdp else { return Some(local.offer()) };
        let offer = Sdp::parse(body).ok()?;
        let answer = local.answer(&offer)?;
        self.hear(leg, &offer, out);
        Some(answer.body)
    }

    fn ask_phone(&mut self, now: Now, leg: LegId) {
        let Some(room) = self.legs.get(&leg) else { return };
        let ping = u64::try_from(leg.0).unwrap_or_default();
        let (uri, peer) = (room.call.request_uri.clone(), room.call.peer);
        self.work.push_back(Work::Sip(SipCommand::Ping { ping, uri, peer }));
        self.checks.set(Check::Reply(leg), Some(now.tick + CHECK_REPLY));
    }

    pub(super) fn check(&mut self, now: Now, check: Check) {
        match check {
            Check::Reply(leg) => self.tell(leg, LegEvent::Dead),
            Check::Again(leg) => self.ask_phone(now, leg),
        }
    }

    fn forget_checks(&mut self, leg: LegId) {
        self.checks.set(Check::Reply(leg), None);
        self.checks.set(Check::Again(leg), None);
    }

    fn tell_end(&mut self, leg: LegId, event: LegEvent) {
        match self.legs.get_mut(&leg) {
            Some(room) if room.told_end => {}
            Some(room) => {
                room.told_end = true;
                self.tell(leg, event);
            }
            // A leg of an earlier process.
            None => self.tell(leg, event),
        }
    }

    fn close(&mut self, leg: LegId, out: &mut Vec<NodeAction>) {
        self.forget_checks(leg);
        if self.legs.remove(&leg).is_some() {
            out.push(NodeAction::Media(MediaCommand::Close { leg }));
        }
    }
}

/// No INVITE left.
const fn not_sent() -> LegFailure {
    LegFailure { status: None, sent: false, uncertain: false, q850: None, retry_after: None }
}

/// An INVITE left, and nothing is known yet.
const fn lost() -> LegFailure {
    LegFailure { sent: true, ..not_sent() }
}

/// How long a silent phone that answers OPTIONS is left alone before it is asked again.
const CHECK_AGAIN: Duration = Duration::from_secs(10);
/// How long a silent phone has to answer OPTIONS.
const CHECK_REPLY: Duration = Duration::from_secs(2);
