//! The far side of a trunk: takes calls, behaves as the book says, and keeps its own count.
//!
//! Pure, so that the tests run it on virtual time; the room `carrier` gives it sockets.
//!
//! ```text
//! datagrams --> wire --> user agent --> events.rs --> steps.rs --> user agent --> wire --> datagrams
//!           (oddities)                 (limits, fate)  (deadlines)              (oddities)
//! ```

mod call;
mod events;
mod steps;
mod wire;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::SocketAddr;

use crate::logic::ids::LegId;
use crate::logic::media::IpNet;
use crate::logic::media::MediaCommand;
use crate::logic::media::MediaEvent;
use crate::logic::sip::user_agent::SipAction;
use crate::logic::sip::user_agent::SipCommand;
use crate::logic::sip::user_agent::SipInput;
use crate::logic::sip::user_agent::UserAgent;
use crate::logic::sip::user_agent::UserAgentSettings;
use crate::logic::time::Deadlines;
use crate::logic::time::Tick;
use crate::simulation::callee::BehaviourBook;
use crate::simulation::carrier::call::Call;
use crate::simulation::carrier::call::State;
use crate::simulation::carrier::steps::Step;
use crate::simulation::carrier::wire::Verdict;
use crate::simulation::carrier::wire::Wire;
use crate::simulation::carrier_record::CallRecord;
use crate::simulation::carrier_record::CarrierRecord;
use crate::simulation::carrier_record::LiveTotals;
use crate::simulation::dice::Dice;
use crate::simulation::digest_user::Auth;
use crate::simulation::digest_user::ChallengeStyle;
use crate::simulation::digest_user::DigestGate;
use crate::simulation::digest_user::DigestUser;
use crate::simulation::limits::Limits;
use crate::simulation::peer;
use crate::simulation::pulse::Pulse;
use crate::simulation::voice::Voices;

/// A simulated carrier.
#[derive(Debug)]
pub struct Carrier {
    settings: CarrierSettings,
    agent: UserAgent,
    wire: Wire,
    voices: Voices,
    limits: Limits,
    calls: BTreeMap<LegId, Call>,
    by_call_id: BTreeMap<String, LegId>,
    steps: Deadlines<(LegId, Step)>,
    /// Calls so far per number, by digits.
    turns: BTreeMap<String, u32>,
    digest: Option<DigestGate>,
    every_call: Option<ChallengeStyle>,
    dice: Dice,
    record: CarrierRecord,
    invites: Pulse,
    most_at_once: usize,
    last_activity: Tick,
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
    /// Asks every INVITE for this digest user, where the book has none of its own.
    pub digest: Option<DigestUser>,
    /// Channels: an INVITE beyond gets 503.
    pub channels: usize,
    /// INVITEs let in within any second: one beyond gets 503. Absent: any number.
    pub calls_per_second: Option<u32>,
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

impl Carrier {
    /// A carrier without calls.
    #[must_use]
    pub fn new(settings: CarrierSettings) -> Self {
        let (seed, book) = (settings.seed, &settings.book);
        let auth = book.auth.clone().or_else(|| {
            let every_call = Some(ChallengeStyle::default());
            settings.digest.clone().map(|user| Auth { user, every_call })
        });
        let mut agent = UserAgentSettings::new(settings.sip, peer::identity("carrier", seed));
        "outdial-simulated-carrier".clone_into(&mut agent.name);
        agent.peers.clone_from(&settings.peers);
        agent.accept_incoming = true;
        // The limits refuse first, and count what they refuse.
        agent.max_legs = settings.channels.saturating_add(ROOM_TO_REFUSE);
        Self {
            agent: UserAgent::new(agent, seed),
            wire: Wire::new(book.network, Dice::of(seed, "wire", 0)),
            voices: Voices::of(book),
            limits: Limits::new(
                settings.channels,
                settings.calls_per_second,
                book.storms.clone(),
                seed,
            ),
            calls: BTreeMap::new(),
            by_call_id: BTreeMap::new(),
            steps: Deadlines::default(),
            turns: BTreeMap::new(),
            every_call: auth.as_ref().and_then(|auth| auth.every_call.clone()),
            digest: auth.map(|auth| DigestGate::new(auth.user, seed)),
            dice: Dice::of(seed, "carrier", 0),
            record: CarrierRecord::default(),
            invites: Pulse::default(),
            most_at_once: 0,
            last_activity: Tick::START,
            settings,
        }
    }

    /// Takes one input; appends what must be done, in order.
    pub fn handle(&mut self, now: Tick, input: CarrierInput<'_>, out: &mut Vec<CarrierAction>) {
        match input {
            CarrierInput::Datagram { from, bytes } => {
                let verdict = self.wire.arrive(now, from, bytes, out);
                self.datagram(now, from, bytes, verdict, out);
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
                while let Some((from, bytes, verdict)) = self.wire.pop_due(now, out) {
                    self.datagram(now, from, &bytes, verdict, out);
                }
            }
        }
    }

    /// When [`CarrierInput::Timeout`] is wanted next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        let all = [self.agent.next_deadline(), self.steps.next(), self.wire.next_deadline()];
        all.into_iter().flatten().min()
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

    /// The figures of the moment.
    pub fn live(&mut self, now: Tick) -> LiveTotals {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        LiveTotals {
            at_us: now.micros_since_start(),
            invites_in_the_last_second: count(self.invites.count(now)),
            most_invites_in_a_second: count(self.invites.most()),
            open: count(self.calls.len()),
            most_at_once: count(self.most_at_once),
            last_activity_us: self.last_activity.micros_since_start(),
            ..self.record.counts()
        }
    }

    fn datagram(
        &mut self,
        now: Tick,
        from: SocketAddr,
        bytes: &[u8],
        verdict: Verdict,
        out: &mut Vec<CarrierAction>,
    ) {
        let head = peer::head(bytes);
        let leg = head.as_ref().and_then(|head| self.by_call_id.get(head.call_id).copied());
        match (verdict, leg) {
            (Verdict::Keep, _) | (Verdict::IgnoreBye | Verdict::BranchEnded, None) => return,
            (Verdict::IgnoreBye, Some(leg)) => return self.bye_ignored(now, leg),
            (Verdict::BranchEnded, Some(leg)) => {
                if let Some(row) = self.row(leg) {
                    row.branches_ended = row.branches_ended.saturating_add(1);
                }
                return;
            }
            (Verdict::PassAfterBye, Some(leg)) => self.step(now, leg, Step::HangUp, out),
            (Verdict::PassAfterBye | Verdict::Pass, None) => {}
            (Verdict::Pass, Some(leg)) => {
                if head.is_some_and(|head| head.start.starts_with("CANCEL ")) {
                    self.answer_before_cancel(now, leg, out);
                }
            }
        }
        self.sip(now, SipInput::Datagram { from, bytes }, out);
    }

    fn sip(&mut self, now: Tick, input: SipInput<'_>, out: &mut Vec<CarrierAction>) {
        let mut actions = Vec::new();
        self.agent.handle(now, input, &mut actions);
        for action in actions {
            match action {
                SipAction::Send { to, bytes } => self.wire.send(now, to, bytes, out),
                SipAction::Event(event) => self.event(now, event, out),
            }
        }
    }

    fn command(&mut self, now: Tick, command: SipCommand, out: &mut Vec<CarrierAction>) {
        self.sip(now, SipInput::Command(command), out);
    }

    fn row(&mut self, leg: LegId) -> Option<&mut CallRecord> {
        let call = self.calls.get(&leg)?;
        self.record.call_mut(&call.call_id)
    }
}

/// Calls that are being refused at one moment.
const ROOM_TO_REFUSE: usize = 100;
