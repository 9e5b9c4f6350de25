//! The far side of a trunk: takes calls, behaves as the book says, and keeps its own count.
//!
//! Pure, so that the tests run it on virtual time; the room `carrier` gives it sockets.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use crate::logic::ids::LegId;
use crate::logic::media::IpNet;
use crate::logic::media::MediaCommand;
use crate::logic::media::MediaEvent;
use crate::logic::media::RemoteMedia;
use crate::logic::sip::user_agent::FailureCause;
use crate::logic::sip::user_agent::SipAction;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipEvent;
use crate::logic::sip::user_agent::SipInput;
use crate::logic::sip::user_agent::UserAgent;
use crate::logic::sip::user_agent::UserAgentSettings;
use crate::logic::time::Deadlines;
use crate::logic::time::Tick;
use crate::simulation::callee::BehaviourBook;
use crate::simulation::callee::Fate;
use crate::simulation::callee::FateEnd;
use crate::simulation::callee::Ring;
use crate::simulation::callee::Voice;
use crate::simulation::callee::digits;
use crate::simulation::carrier_record::CallRecord;
use crate::simulation::carrier_record::CarrierRecord;
use crate::simulation::carrier_record::EndedBy;
use crate::simulation::carrier_record::HeardTone;
use crate::simulation::digest_user::DigestGate;
use crate::simulation::digest_user::DigestUser;
use crate::simulation::peer;
use crate::simulation::peer_sdp;
use crate::simulation::voice;
use crate::simulation::voice::Voices;

/// A simulated carrier.
#[derive(Debug)]
pub struct Carrier {
    settings: CarrierSettings,
    agent: UserAgent,
    voices: Voices,
    calls: BTreeMap<LegId, Call>,
    steps: Deadlines<(LegId, Step)>,
    /// Calls so far per number, by digits.
    turns: BTreeMap<String, u32>,
    digest: Option<DigestGate>,
    record: CarrierRecord,
}

/// What a simulated carrier is told at its start.
#[derive(Clone, Debug)]
pub struct CarrierSettings {
    /// Its SIP address.
    pub sip: SocketAddr,
    /// Its RTP address.
    pub rtp: IpAddr,
    /// Who may call through it.
    pub peers: Vec<IpNet>,
    /// How its callees behave.
    pub book: BehaviourBook,
    /// Every choice comes from it.
    pub seed: u64,
    /// Asks every INVITE for this digest user.
    pub digest: Option<DigestUser>,
    /// Channels: an INVITE beyond gets 503.
    pub channels: usize,
}

/// What goes in.
#[derive(Debug)]
pub enum CarrierInput<'a> {
    /// A datagram at the SIP socket.
    Datagram {
        /// Source.
        from: SocketAddr,
        /// Payload.
        bytes: &'a [u8],
    },
    /// From the media threads.
    Media(MediaEvent),
    /// A tone began in the sound from the caller, at `at`.
    Heard {
        /// The leg.
        leg: LegId,
        /// Which tone.
        hz: u16,
        /// When.
        at: Tick,
    },
    /// A deadline passed.
    Timeout,
}

/// What comes out.
#[derive(Clone, Debug, PartialEq)]
pub enum CarrierAction {
    /// A datagram from the SIP socket.
    Send {
        /// Destination.
        to: SocketAddr,
        /// Payload.
        bytes: Vec<u8>,
    },
    /// To the media threads.
    Media(MediaCommand),
    /// A call is over; its row, which is also in [`Carrier::record`].
    Record(Box<CallRecord>),
}

#[derive(Debug)]
struct Call {
    call_id: String,
    fate: Fate,
    state: State,
    remote: RemoteMedia,
    media: Media,
    /// Steps whose time came before the ports were bound.
    waiting: Vec<Step>,
    voice: Voice,
    sdp_version: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Answered,
    /// A final refusal or our BYE has left; the user agent closes the leg.
    Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    NotNeeded,
    Opening,
    Open(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Ring,
    End,
    HangUp,
}

impl Carrier {
    /// A carrier without calls.
    #[must_use]
    pub fn new(settings: CarrierSettings) -> Self {
        let digest = settings.digest.clone().map(|user| DigestGate::new(user, settings.seed));
        let identity = peer::identity("carrier", settings.seed);
        let mut agent = UserAgentSettings::new(settings.sip, identity);
        "outdial-simulated-carrier".clone_into(&mut agent.name);
        agent.peers.clone_from(&settings.peers);
        agent.accept_incoming = true;
        agent.max_legs = settings.channels;
        Self {
            agent: UserAgent::new(agent, settings.seed),
            voices: Voices::default(),
            settings,
            calls: BTreeMap::new(),
            steps: Deadlines::default(),
            turns: BTreeMap::new(),
            digest,
            record: CarrierRecord::default(),
        }
    }

    /// Takes one input; appends what must be done, in order.
    pub fn handle(&mut self, now: Tick, input: CarrierInput<'_>, out: &mut Vec<CarrierAction>) {
        match input {
            CarrierInput::Datagram { from, bytes } => {
                self.answer_before_cancel(now, bytes, out);
                self.sip(now, SipInput::Datagram { from, bytes }, out);
            }
            CarrierInput::Media(event) => self.media(now, event, out),
            CarrierInput::Heard { leg, hz, at } => self.heard(leg, hz, at),
            CarrierInput::Timeout => {
                if self.agent.next_deadline().is_some_and(|at| at <= now) {
                    self.sip(now, SipInput::Timeout, out);
                }
                while let Some((leg, step)) = self.steps.pop_due(now) {
                    self.step(now, leg, step, out);
                }
            }
        }
    }

    /// When [`CarrierInput::Timeout`] is wanted next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        [self.agent.next_deadline(), self.steps.next()].into_iter().flatten().min()
    }

    /// The carrier's own count of calls.
    #[must_use]
    pub const fn record(&self) -> &CarrierRecord {
        &self.record
    }

    /// Calls that are up or ringing.
    #[must_use]
    pub fn open_calls(&self) -> usize {
        self.calls.len()
    }

    /// A 200 that shall cross the CANCEL must leave before the user agent sees that CANCEL.
    fn answer_before_cancel(&mut self, now: Tick, bytes: &[u8], out: &mut Vec<CarrierAction>) {
        let Some(call_id) = peer::cancelled_call_id(bytes) else { return };
        let found = self.calls.iter().find(|(_, call)| {
            call.state == State::Waiting
                && call.call_id == call_id
                && matches!(call.fate.end, FateEnd::AnswerOnCancel { .. })
        });
        let Some((&leg, call)) = found else { return };
        if let Some(row) = self.record.call_mut(&call.call_id) {
            row.cancelled_us.get_or_insert_with(|| now.micros_since_start());
        }
        self.step(now, leg, Step::End, out);
    }

    fn sip(&mut self, now: Tick, input: SipInput<'_>, out: &mut Vec<CarrierAction>) {
        let mut actions = Vec::new();
        self.agent.handle(now, input, &mut actions);
        for action in actions {
            match action {
                SipAction::Send { to, bytes } => out.push(CarrierAction::Send { to, bytes }),
                SipAction::Event(event) => self.event(now, event, out),
            }
        }
    }

    fn command(&mut self, now: Tick, command: SipCommand, out: &mut Vec<CarrierAction>) {
        self.sip(now, SipInput::Command(command), out);
    }

    fn event(&mut self, now: Tick, event: SipEvent, out: &mut Vec<CarrierAction>) {
        let us = now.micros_since_start();
        match event {
            SipEvent::Incoming { leg, peer: _, called, from, call_id, headers, sdp } => {
                let offer = sdp.as_deref().and_then(peer_sdp::read);
                let invite =
                    Invite { leg, called, from, call_id, headers, offer: offer.map(|o| o.remote) };
                self.incoming(now, invite, out);
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
                self.confirmed(leg, sdp.as_deref(), out);
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
                self.close(now, leg, Some(200), by, out);
            }
            SipEvent::Offer { leg, sdp } => self.offered(now, leg, sdp.as_deref(), out),
            SipEvent::Digit { leg, digit } => self.digit(leg, digit),
            SipEvent::Provisional { .. }
            | SipEvent::Challenged { .. }
            | SipEvent::Answered { .. }
            | SipEvent::OfferDone { .. }
            | SipEvent::OptionsDone { .. }
            | SipEvent::Dropped { .. } => {}
        }
    }

    fn incoming(&mut self, now: Tick, invite: Invite, out: &mut Vec<CarrierAction>) {
        let Invite { leg, called, from, call_id, headers, offer } = invite;
        let us = now.micros_since_start();
        let challenge = self.digest.as_mut().and_then(|gate| gate.admit(&headers).err());
        if let Some(row) = self.record.at_invite(&call_id, &called, &from, us) {
            row.challenged += u32::from(challenge.is_some());
            // A call that was only challenged so far is open again.
            (row.status, row.ended_us, row.ended_by) = (None, None, None);
        }
        if let Some(headers) = challenge {
            if let Some(row) = self.record.call_mut(&call_id) {
                (row.status, row.ended_us, row.ended_by) =
                    (Some(407), Some(us), Some(EndedBy::Challenge));
            }
            self.command(now, SipCommand::Refuse { leg, status: 407, q850: None, headers }, out);
            return;
        }
        let turn = self.turns.entry(digits(&called)).or_default();
        let fate = self.settings.book.fate(self.settings.seed, &called, *turn);
        *turn = turn.saturating_add(1);
        if let Some(row) = self.record.call_mut(&call_id) {
            row.behaviour = Some(fate.name.clone());
        }
        let early = fate.ring.is_some_and(|(_, ring)| matches!(ring, Ring::EarlyMedia { .. }));
        let needs_media = early
            || match fate.end {
                FateEnd::Answer { .. } | FateEnd::AnswerOnCancel { .. } => true,
                FateEnd::Refuse { .. } | FateEnd::Nothing => false,
            };
        if let Some((after, _)) = fate.ring {
            self.steps.set((leg, Step::Ring), Some(now + after));
        }
        match fate.end {
            FateEnd::Answer { after, .. } | FateEnd::Refuse { after, .. } => {
                self.steps.set((leg, Step::End), Some(now + after));
            }
            FateEnd::Nothing | FateEnd::AnswerOnCancel { .. } => {}
        }
        let call = Call {
            call_id,
            fate,
            state: State::Waiting,
            remote: offer.unwrap_or_else(peer::nowhere),
            media: if needs_media { Media::Opening } else { Media::NotNeeded },
            waiting: Vec::new(),
            voice: Voice::Silence,
            sdp_version: 0,
        };
        self.calls.insert(leg, call);
        if needs_media {
            out.push(CarrierAction::Media(MediaCommand::Open { leg }));
        }
    }

    fn step(&mut self, now: Tick, leg: LegId, step: Step, out: &mut Vec<CarrierAction>) {
        let Some(call) = self.calls.get_mut(&leg) else { return };
        let awaited = match step {
            Step::Ring | Step::End => State::Waiting,
            Step::HangUp => State::Answered,
        };
        if call.state != awaited {
            return;
        }
        if call.media == Media::Opening {
            call.waiting.push(step);
            return;
        }
        match step {
            Step::Ring => self.ring(now, leg, out),
            Step::End => match call.fate.end {
                FateEnd::Answer { talk, voice, .. } | FateEnd::AnswerOnCancel { talk, voice } => {
                    self.answer(now, leg, talk, voice, out);
                }
                FateEnd::Refuse { status, q850, retry_after_s, .. } => {
                    let headers = retry_after_s.map(|s| ("Retry-After".to_owned(), s.to_string()));
                    self.refuse(now, leg, status, q850, headers.into_iter().collect(), out);
                }
                FateEnd::Nothing => {}
            },
            Step::HangUp => {
                call.state = State::Ending;
                if let Some(row) = self.row(leg) {
                    row.hung_up_us = Some(now.micros_since_start());
                }
                self.command(now, SipCommand::HangUp { leg }, out);
            }
        }
    }

    fn ring(&mut self, now: Tick, leg: LegId, out: &mut Vec<CarrierAction>) {
        let Some(call) = self.calls.get_mut(&leg) else { return };
        let Some((_, ring)) = call.fate.ring else { return };
        let (status, sdp) = match ring {
            Ring::None => return,
            Ring::Ringing => (180, None),
            Ring::EarlyMedia { voice } => {
                let sdp = call.sdp(self.settings.rtp);
                call.speak(leg, voice, &self.voices, out);
                (183, Some(sdp))
            }
        };
        if let Some(row) = self.row(leg) {
            row.ringing_us.get_or_insert_with(|| now.micros_since_start());
        }
        self.command(now, SipCommand::Progress { leg, status, sdp }, out);
    }

    fn answer(
        &mut self,
        now: Tick,
        leg: LegId,
        talk: Option<Duration>,
        voice: Voice,
        out: &mut Vec<CarrierAction>,
    ) {
        let Some(call) = self.calls.get_mut(&leg) else { return };
        call.state = State::Answered;
        let sdp = call.sdp(self.settings.rtp);
        self.steps.set((leg, Step::Ring), None);
        self.steps.set((leg, Step::HangUp), talk.map(|talk| now + talk));
        if let Some(row) = self.row(leg) {
            row.answered_us = Some(now.micros_since_start());
            row.status = Some(200);
            row.plays_hz = voice::hz(voice);
        }
        self.command(now, SipCommand::Answer { leg, sdp }, out);
        // After the 200, as a callee who has picked up.
        if let Some(call) = self.calls.get_mut(&leg) {
            call.speak(leg, voice, &self.voices, out);
        }
    }

    fn refuse(
        &mut self,
        now: Tick,
        leg: LegId,
        status: u16,
        q850: Option<u8>,
        headers: Vec<(String, String)>,
        out: &mut Vec<CarrierAction>,
    ) {
        if let Some(call) = self.calls.get_mut(&leg) {
            call.state = State::Ending;
        }
        self.command(now, SipCommand::Refuse { leg, status, q850, headers }, out);
        self.close(now, leg, Some(status), EndedBy::Refusal, out);
    }

    fn offered(&mut self, now: Tick, leg: LegId, sdp: Option<&[u8]>, out: &mut Vec<CarrierAction>) {
        let Some(call) = self.calls.get_mut(&leg) else { return };
        // Without SDP the far end asks for our offer: we say again what we said.
        let heard = match sdp {
            Some(sdp) => match peer_sdp::read(sdp) {
                Some(heard) => Some(heard),
                None => return self.command(now, SipCommand::AnswerOffer { leg, sdp: None }, out),
            },
            None => None,
        };
        let mut direction = peer_sdp::Direction::SendRecv;
        if let Some(heard) = heard {
            direction = heard.answer_direction();
            call.remote = heard.remote.clone();
            let mut remote = heard.remote;
            remote.send &= call.voice != Voice::Dead;
            out.push(CarrierAction::Media(MediaCommand::Remote { leg, remote }));
        }
        let sdp = call.sdp_towards(self.settings.rtp, direction);
        self.command(now, SipCommand::AnswerOffer { leg, sdp: Some(sdp) }, out);
    }

    /// The ACK answers our offer where the INVITE had none (RFC 3264 §5).
    fn confirmed(&self, leg: LegId, sdp: Option<&[u8]>, out: &mut Vec<CarrierAction>) {
        let heard = sdp.and_then(peer_sdp::read);
        if let (Some(heard), Some(call)) = (heard, self.calls.get(&leg)) {
            let mut remote = heard.remote;
            remote.send &= call.voice != Voice::Dead;
            out.push(CarrierAction::Media(MediaCommand::Remote { leg, remote }));
        }
    }

    fn media(&mut self, now: Tick, event: MediaEvent, out: &mut Vec<CarrierAction>) {
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
                    self.refuse(now, leg, 500, Some(41), Vec::new(), out);
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

    fn heard(&mut self, leg: LegId, hz: u16, at: Tick) {
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
    fn close(
        &mut self,
        now: Tick,
        leg: LegId,
        status: Option<u16>,
        by: EndedBy,
        out: &mut Vec<CarrierAction>,
    ) {
        let Some(call) = self.calls.remove(&leg) else { return };
        for step in [Step::Ring, Step::End, Step::HangUp] {
            self.steps.set((leg, step), None);
        }
        match call.media {
            Media::Open(_) => out.push(CarrierAction::Media(MediaCommand::Close { leg })),
            // `Opening`: closed when `Opened` comes and finds no call.
            Media::NotNeeded | Media::Opening => {}
        }
        if let Some(row) = self.record.call_mut(&call.call_id) {
            row.ended_us = Some(now.micros_since_start());
            row.status = status.or(row.status);
            row.ended_by = Some(by);
            out.push(CarrierAction::Record(Box::new(row.clone())));
        }
    }

    fn row(&mut self, leg: LegId) -> Option<&mut CallRecord> {
        let call = self.calls.get(&leg)?;
        self.record.call_mut(&call.call_id)
    }
}

impl Call {
    fn sdp(&mut self, rtp: IpAddr) -> Vec<u8> {
        self.sdp_towards(rtp, peer_sdp::Direction::SendRecv)
    }

    fn sdp_towards(&mut self, rtp: IpAddr, direction: peer_sdp::Direction) -> Vec<u8> {
        let port = match self.media {
            Media::Open(port) => port,
            Media::NotNeeded | Media::Opening => 0,
        };
        self.sdp_version += 1;
        let address = SocketAddr::new(rtp, port);
        peer_sdp::write(
            address,
            self.sdp_version,
            self.remote.codec,
            self.remote.telephone_event,
            direction,
        )
    }

    fn speak(&mut self, leg: LegId, voice: Voice, voices: &Voices, out: &mut Vec<CarrierAction>) {
        self.voice = voice;
        let mut remote = self.remote.clone();
        remote.send &= voice != Voice::Dead;
        out.push(CarrierAction::Media(MediaCommand::Remote { leg, remote }));
        out.push(CarrierAction::Media(MediaCommand::StopPlay { leg }));
        if let Some(sound) = voices.sound(voice) {
            out.push(CarrierAction::Media(MediaCommand::Play { leg, play: 0, sound }));
        }
    }
}

/// Keys kept per call.
const MOST_DIGITS: usize = 256;

struct Invite {
    leg: LegId,
    called: String,
    from: String,
    call_id: String,
    headers: Vec<(String, String)>,
    offer: Option<RemoteMedia>,
}
