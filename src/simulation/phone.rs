//! An agent's phone: picks up, is heard, sends keys, holds, hangs up, dies.
//!
//! Pure, as the carrier is. What its owner does is told by [`PhoneOrder`]s.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use crate::logic::ids::LegId;
use crate::logic::media::Codec;
use crate::logic::media::IpNet;
use crate::logic::media::MediaCommand;
use crate::logic::media::MediaEvent;
use crate::logic::media::RemoteMedia;
use crate::logic::sip::user_agent::SipAction;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;
use crate::logic::sip::user_agent::SipInput;
use crate::logic::sip::user_agent::UserAgent;
use crate::logic::sip::user_agent::UserAgentSettings;
use crate::logic::time::Tick;
use crate::simulation::callee::Voice;
use crate::simulation::carrier_record::HeardTone;
use crate::simulation::peer;
use crate::simulation::peer_sdp;
use crate::simulation::peer_sdp::Direction;
use crate::simulation::voice::Voices;

/// A simulated phone with one line.
#[derive(Debug)]
pub struct Phone {
    settings: PhoneSettings,
    agent: UserAgent,
    voices: Voices,
    line: Option<PhoneLine>,
    dead: bool,
    record: PhoneRecord,
}

/// What a phone is told at its start.
#[derive(Clone, Debug)]
pub struct PhoneSettings {
    /// The agent's name, and the user part of the phone's URI.
    pub name: String,
    /// Its SIP address.
    pub sip: SocketAddr,
    /// Its RTP address.
    pub rtp: IpAddr,
    /// Who may call it.
    pub peers: Vec<IpNet>,
    /// When it picks up without being told to by a header; absent: never.
    pub pick_up_after: Option<Duration>,
    /// Answers with this codec where it is offered.
    pub codec: Codec,
    /// What its owner says.
    pub voice: Voice,
    /// Makes its tags.
    pub seed: u64,
}

/// What goes in.
#[derive(Debug)]
pub enum PhoneInput<'a> {
    /// A datagram at the SIP socket.
    Datagram {
        /// Source.
        from: SocketAddr,
        /// Payload.
        bytes: &'a [u8],
    },
    /// From the media threads.
    Media(MediaEvent),
    /// A tone began in what the phone hears, at `at`.
    Heard {
        /// Which tone.
        hz: u16,
        /// When.
        at: Tick,
    },
    /// Its owner does something.
    Order(PhoneOrder),
    /// A deadline passed.
    Timeout,
}

/// What the owner of a phone does. Without a call in progress, only `Die` and `Revive` do anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhoneOrder {
    /// Presses keys: RFC 4733.
    Press(String),
    /// Speaks otherwise.
    Say(Voice),
    /// re-INVITE, `sendonly`.
    Hold,
    /// re-INVITE, `sendrecv`.
    Resume,
    /// BYE.
    HangUp,
    /// Falls silent at once: answers nothing, sends nothing, not even BYE.
    Die,
    /// Is switched on again, without memory of earlier calls.
    Revive,
}

/// What comes out.
#[derive(Clone, Debug, PartialEq)]
pub enum PhoneAction {
    /// A datagram from the SIP socket.
    Send {
        /// Destination.
        to: SocketAddr,
        /// Payload.
        bytes: Vec<u8>,
    },
    /// To the media threads.
    Media(MediaCommand),
}

/// What a phone saw. Times are microseconds on its clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PhoneRecord {
    /// The agent's name.
    pub name: String,
    /// Calls that it took or refused, at most [`MOST_CALLS`].
    pub calls: Vec<PhoneCall>,
    /// Each beginning of a tone, at most [`MOST_TONES`].
    pub heard: Vec<HeardTone>,
    /// When it died last.
    pub died_us: Option<u64>,
}

/// One call to a phone.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PhoneCall {
    /// The caller's.
    pub call_id: String,
    /// The INVITE came.
    pub arrived_us: u64,
    /// It asked to be answered at once.
    pub auto_answer: bool,
    /// 200 left.
    pub answered_us: Option<u64>,
    /// BYE, CANCEL, refusal, or the phone's death.
    pub ended_us: Option<u64>,
    /// Whether the caller ended it.
    pub by_caller: bool,
}

impl PhoneRecord {
    /// The last call that has not ended: while a line is up, others are refused on arrival.
    fn open_call(&mut self) -> Option<&mut PhoneCall> {
        self.calls.iter_mut().rev().find(|call| call.ended_us.is_none())
    }
}

#[derive(Debug)]
struct PhoneLine {
    leg: LegId,
    remote: RemoteMedia,
    port: Option<u16>,
    pick_up_at: Option<Tick>,
    answered: bool,
    sdp_version: u64,
    direction: Direction,
}

impl Phone {
    /// A phone that is switched on and has no call.
    #[must_use]
    pub fn new(settings: PhoneSettings) -> Self {
        Self {
            agent: user_agent(&settings, 0),
            voices: Voices::default(),
            line: None,
            dead: false,
            record: PhoneRecord { name: settings.name.clone(), ..PhoneRecord::default() },
            settings,
        }
    }

    /// Takes one input; appends what must be done, in order.
    pub fn handle(&mut self, now: Tick, input: PhoneInput<'_>, out: &mut Vec<PhoneAction>) {
        if self.dead {
            return self.while_dead(now, input, out);
        }
        match input {
            PhoneInput::Datagram { from, bytes } => {
                self.sip(now, SipInput::Datagram { from, bytes }, out)
            }
            PhoneInput::Media(event) => self.media(now, event, out),
            PhoneInput::Heard { hz, at } => {
                if self.record.heard.len() < MOST_TONES {
                    self.record.heard.push(HeardTone { hz, at_us: at.micros_since_start() });
                }
            }
            PhoneInput::Order(order) => self.order(now, order, out),
            PhoneInput::Timeout => {
                if self.agent.next_deadline().is_some_and(|at| at <= now) {
                    self.sip(now, SipInput::Timeout, out);
                }
                self.pick_up_if_due(now, out);
            }
        }
    }

    /// When [`PhoneInput::Timeout`] is wanted next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        if self.dead {
            return None;
        }
        let pick_up =
            self.line.as_ref().filter(|line| line.port.is_some()).and_then(|line| line.pick_up_at);
        [self.agent.next_deadline(), pick_up].into_iter().flatten().min()
    }

    /// What the phone saw so far.
    #[must_use]
    pub const fn record(&self) -> &PhoneRecord {
        &self.record
    }

    /// Whether a call is answered and up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        !self.dead && self.line.as_ref().is_some_and(|line| line.answered)
    }

    fn while_dead(&mut self, now: Tick, input: PhoneInput<'_>, out: &mut Vec<PhoneAction>) {
        match input {
            PhoneInput::Order(PhoneOrder::Revive) => {
                self.agent = user_agent(&self.settings, now.micros_since_start());
                self.dead = false;
            }
            // Ports that were being bound when it died.
            PhoneInput::Media(MediaEvent::Opened { leg, .. }) => {
                out.push(PhoneAction::Media(MediaCommand::Close { leg }));
            }
            PhoneInput::Datagram { .. }
            | PhoneInput::Media(_)
            | PhoneInput::Heard { .. }
            | PhoneInput::Order(_)
            | PhoneInput::Timeout => {}
        }
    }

    fn order(&mut self, now: Tick, order: PhoneOrder, out: &mut Vec<PhoneAction>) {
        let up = self.line.as_ref().filter(|line| line.answered).map(|line| line.leg);
        match (order, up) {
            (PhoneOrder::Die, _) => self.die(now, out),
            (PhoneOrder::Press(digits), Some(leg)) => {
                out.push(PhoneAction::Media(MediaCommand::SendDigits { leg, digits }));
            }
            (PhoneOrder::Say(voice), Some(_)) => {
                self.settings.voice = voice;
                self.speak(out);
            }
            (PhoneOrder::Say(voice), None) => self.settings.voice = voice,
            (PhoneOrder::Hold, Some(leg)) => self.reoffer(now, leg, Direction::SendOnly, out),
            (PhoneOrder::Resume, Some(leg)) => self.reoffer(now, leg, Direction::SendRecv, out),
            (PhoneOrder::HangUp, Some(leg)) => self.command(now, SipCommand::HangUp { leg }, out),
            (
                PhoneOrder::HangUp | PhoneOrder::Press(_) | PhoneOrder::Hold | PhoneOrder::Resume,
                None,
            )
            | (PhoneOrder::Revive, _) => {}
        }
    }

    fn die(&mut self, now: Tick, out: &mut Vec<PhoneAction>) {
        self.dead = true;
        self.record.died_us = Some(now.micros_since_start());
        self.close(now, false, out);
    }

    fn sip(&mut self, now: Tick, input: SipInput<'_>, out: &mut Vec<PhoneAction>) {
        let mut actions = Vec::new();
        self.agent.handle(now, input, &mut actions);
        for action in actions {
            match action {
                SipAction::Send { to, bytes } => out.push(PhoneAction::Send { to, bytes }),
                SipAction::Event(event) => self.event(now, event, out),
            }
        }
    }

    fn command(&mut self, now: Tick, command: SipCommand, out: &mut Vec<PhoneAction>) {
        self.sip(now, SipInput::Command(command), out);
    }

    fn event(&mut self, now: Tick, event: SipEvent, out: &mut Vec<PhoneAction>) {
        match event {
            SipEvent::Incoming { leg, peer: _, called, from: _, call_id, headers, sdp } => {
                let offer = sdp.as_deref().and_then(peer_sdp::read);
                let auto_answer = asks_to_be_answered(&headers);
                let us = now.micros_since_start();
                if self.record.calls.len() < MOST_CALLS {
                    let call =
                        PhoneCall { call_id, arrived_us: us, auto_answer, ..PhoneCall::default() };
                    self.record.calls.push(call);
                }
                let Some(offer) = offer else { return self.refuse(now, leg, 488, out) };
                if called != self.settings.name {
                    return self.refuse(now, leg, 404, out);
                }
                if self.line.is_some() {
                    return self.refuse(now, leg, 486, out);
                }
                let pick_up =
                    if auto_answer { Some(Duration::ZERO) } else { self.settings.pick_up_after };
                self.line = Some(PhoneLine {
                    leg,
                    remote: offer.remote,
                    port: None,
                    pick_up_at: pick_up.map(|after| now + after),
                    answered: false,
                    sdp_version: 0,
                    direction: Direction::SendRecv,
                });
                self.command(now, SipCommand::Progress { leg, status: 180, sdp: None }, out);
                out.push(PhoneAction::Media(MediaCommand::Open { leg }));
            }
            SipEvent::Offer { leg, sdp } => self.offered(now, leg, sdp.as_deref(), out),
            SipEvent::OfferDone { leg, sdp, .. } => {
                let heard = sdp.as_deref().and_then(peer_sdp::read);
                if let (Some(heard), Some(line)) =
                    (heard, self.line.as_mut().filter(|line| line.leg == leg))
                {
                    line.remote = heard.remote;
                    self.speak(out);
                }
            }
            SipEvent::Failed { leg, .. } => self.ended(now, leg, true, out),
            SipEvent::Ended { leg, by_peer, .. } => self.ended(now, leg, by_peer, out),
            SipEvent::Provisional { .. }
            | SipEvent::Challenged { .. }
            | SipEvent::Answered { .. }
            | SipEvent::Digit { .. }
            | SipEvent::Cancelled { .. }
            | SipEvent::Confirmed { .. }
            | SipEvent::OptionsDone { .. }
            | SipEvent::Dropped { .. } => {}
        }
    }

    fn media(&mut self, now: Tick, event: MediaEvent, out: &mut Vec<PhoneAction>) {
        match event {
            MediaEvent::Opened { leg, port } => {
                let Some(line) = self.line.as_mut().filter(|line| line.leg == leg) else {
                    return out.push(PhoneAction::Media(MediaCommand::Close { leg }));
                };
                line.port = Some(port);
                self.pick_up_if_due(now, out);
            }
            MediaEvent::OpenFailed { leg } => {
                if self.line.take_if(|line| line.leg == leg).is_some() {
                    self.refuse(now, leg, 500, out);
                }
            }
            MediaEvent::FirstPacket { .. }
            | MediaEvent::Digit { .. }
            | MediaEvent::PlayDone { .. }
            | MediaEvent::Quiet { .. }
            | MediaEvent::Dead { .. }
            | MediaEvent::Heard { .. }
            | MediaEvent::Closed { .. } => {}
        }
    }

    fn pick_up_if_due(&mut self, now: Tick, out: &mut Vec<PhoneAction>) {
        let Some(line) = self.line.as_mut() else { return };
        if line.port.is_none() || line.pick_up_at.is_none_or(|at| at > now) {
            return;
        }
        line.pick_up_at = None;
        line.answered = true;
        // Both G.711 kinds are in every offer of ours; a phone that prefers the other one takes it.
        line.remote.codec = self.settings.codec;
        let leg = line.leg;
        let sdp = line.sdp(self.settings.rtp);
        if let Some(call) = self.record.open_call() {
            call.answered_us = Some(now.micros_since_start());
        }
        self.command(now, SipCommand::Answer { leg, sdp }, out);
        self.speak(out);
    }

    fn offered(&mut self, now: Tick, leg: LegId, sdp: Option<&[u8]>, out: &mut Vec<PhoneAction>) {
        let Some(line) = self.line.as_mut().filter(|line| line.leg == leg) else { return };
        if let Some(sdp) = sdp {
            let Some(heard) = peer_sdp::read(sdp) else {
                return self.command(now, SipCommand::AnswerOffer { leg, sdp: None }, out);
            };
            line.direction = heard.answer_direction();
            line.remote = heard.remote;
        }
        let answer = line.sdp(self.settings.rtp);
        self.command(now, SipCommand::AnswerOffer { leg, sdp: Some(answer) }, out);
        self.speak(out);
    }

    fn reoffer(&mut self, now: Tick, leg: LegId, direction: Direction, out: &mut Vec<PhoneAction>) {
        let Some(line) = self.line.as_mut() else { return };
        line.direction = direction;
        let sdp = line.sdp(self.settings.rtp);
        self.command(now, SipCommand::Offer { leg, sdp }, out);
    }

    fn speak(&self, out: &mut Vec<PhoneAction>) {
        let Some(line) = &self.line else { return };
        let leg = line.leg;
        let mut remote = line.remote.clone();
        remote.send &= self.settings.voice != Voice::Dead;
        out.push(PhoneAction::Media(MediaCommand::Remote { leg, remote }));
        out.push(PhoneAction::Media(MediaCommand::StopPlay { leg }));
        if let Some(sound) = self.voices.sound(self.settings.voice) {
            out.push(PhoneAction::Media(MediaCommand::Play { leg, play: 0, sound }));
        }
    }

    /// The call that came last, or the one whose ports could not be bound.
    fn refuse(&mut self, now: Tick, leg: LegId, status: u16, out: &mut Vec<PhoneAction>) {
        if let Some(call) = self.record.open_call() {
            call.ended_us = Some(now.micros_since_start());
        }
        self.command(now, SipCommand::Refuse { leg, status, q850: None, headers: Vec::new() }, out);
    }

    fn ended(&mut self, now: Tick, leg: LegId, by_caller: bool, out: &mut Vec<PhoneAction>) {
        if self.line.as_ref().is_some_and(|line| line.leg == leg) {
            self.close(now, by_caller, out);
        }
    }

    fn close(&mut self, now: Tick, by_caller: bool, out: &mut Vec<PhoneAction>) {
        let Some(line) = self.line.take() else { return };
        if let Some(call) = self.record.open_call() {
            call.ended_us = Some(now.micros_since_start());
            call.by_caller = by_caller;
        }
        if line.port.is_some() {
            out.push(PhoneAction::Media(MediaCommand::Close { leg: line.leg }));
        }
    }
}

impl PhoneLine {
    fn sdp(&mut self, rtp: IpAddr) -> Vec<u8> {
        self.sdp_version += 1;
        let address = SocketAddr::new(rtp, self.port.unwrap_or(0));
        peer_sdp::write(
            address,
            self.sdp_version,
            self.remote.codec,
            self.remote.telephone_event,
            self.direction,
        )
    }
}

/// Calls kept in the record of one phone; a shift is one call.
pub const MOST_CALLS: usize = 10_000;

/// Beginnings of tones kept in the record of one phone.
pub const MOST_TONES: usize = 100_000;

fn user_agent(settings: &PhoneSettings, life: u64) -> UserAgent {
    let identity = peer::identity(&settings.name, settings.seed ^ life);
    let mut agent = UserAgentSettings::new(settings.sip, identity);
    "outdial-simulated-phone".clone_into(&mut agent.name);
    agent.peers.clone_from(&settings.peers);
    agent.accept_incoming = true;
    agent.max_legs = 4;
    UserAgent::new(agent, settings.seed)
}

/// `Call-Info: <…>;answer-after=0`, or an Alert-Info of one of the kinds that phones know.
fn asks_to_be_answered(headers: &[(String, String)]) -> bool {
    let call_info = peer::header(headers, "Call-Info").unwrap_or_default();
    let alert_info = peer::header(headers, "Alert-Info").unwrap_or_default();
    call_info.contains("answer-after=0")
        || ["alert-autoanswer", "auto-answer", "Auto Answer"]
            .iter()
            .any(|word| alert_info.contains(word))
}
