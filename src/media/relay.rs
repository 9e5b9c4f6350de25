//! The legs of the media thread: their sockets, their sessions, and who hears whom.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::net::UdpSocket;
use tokio::sync::mpsc::Sender;

use crate::logic::ids::LegId;
use crate::logic::media::MediaCommand;
use crate::logic::media::MediaEvent;
use crate::logic::rtp::bridge::Bridges;
use crate::logic::rtp::session::Session;
use crate::logic::time::Tick;
use crate::media::MediaSettings;
use crate::media::outbox::Outbox;
use crate::media::tap::Tap;
use crate::wire::rtp_ports::RtpPorts;

/// All open legs.
#[derive(Debug)]
pub(super) struct Legs {
    settings: MediaSettings,
    registry: Registry,
    ports: RtpPorts,
    slots: Vec<Option<Leg>>,
    free: Vec<usize>,
    by_id: BTreeMap<LegId, usize>,
    bridges: Bridges,
    outbox: Outbox,
    tap: Tap,
    /// What arrives.
    datagram: Box<[u8; LARGEST]>,
    /// What leaves.
    out: Vec<u8>,
}

#[derive(Debug)]
struct Leg {
    session: Session,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    port: u16,
    tapped: bool,
    /// Refused packets that were logged, and when.
    noted: (u64, Tick),
}

/// What a socket's turn left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drained {
    /// Nothing: it will be reported when the next packet comes.
    Empty,
    /// Perhaps more: it must have another turn, as it is not reported again.
    More,
}

impl Legs {
    pub(super) fn new(
        settings: MediaSettings,
        registry: Registry,
        events: Sender<MediaEvent>,
    ) -> Self {
        Self {
            registry,
            ports: RtpPorts::new(settings.bind, settings.ports.clone()),
            slots: vec![],
            free: vec![],
            by_id: BTreeMap::new(),
            bridges: Bridges::default(),
            outbox: Outbox::new(events, settings.max_legs.saturating_mul(2).max(64)),
            tap: Tap::new(settings.tap.clone()),
            datagram: Box::new([0; LARGEST]),
            out: Vec::with_capacity(LARGEST),
            settings,
        }
    }

    /// Nothing to do until a command comes.
    pub(super) fn is_idle(&self) -> bool {
        self.by_id.is_empty() && self.outbox.has_room()
    }

    /// No command may be taken, as its answer would have no place.
    pub(super) fn is_stuffed(&self) -> bool {
        self.outbox.is_full()
    }

    pub(super) fn obey(&mut self, now: Tick, command: MediaCommand) {
        match command {
            MediaCommand::Open { leg } => self.open(now, leg),
            MediaCommand::Remote { leg, remote } => {
                self.with(leg, |leg| leg.session.set_remote(now, remote));
            }
            MediaCommand::Bridge { a, b } => {
                if a != b && self.by_id.contains_key(&a) && self.by_id.contains_key(&b) {
                    for left in self.bridges.join(a, b).into_iter().flatten() {
                        self.with(left, |leg| leg.session.set_bridged(false));
                    }
                    self.with(a, |leg| leg.session.set_bridged(true));
                    self.with(b, |leg| leg.session.set_bridged(true));
                }
            }
            MediaCommand::Unbridge { leg } => self.part(leg),
            MediaCommand::Play { leg, play, sound } => {
                let mut done = None;
                self.with(leg, |leg| {
                    done = leg.session.take_play_done();
                    leg.session.play(play, &sound);
                });
                done.into_iter().for_each(|done| self.outbox.push(done));
            }
            MediaCommand::StopPlay { leg } => self.with(leg, |leg| leg.session.stop_play()),
            MediaCommand::SendDigits { leg, digits } => {
                self.with(leg, |leg| leg.session.send_keys(&digits));
            }
            MediaCommand::Tap { leg, on } => self.with(leg, |leg| leg.tapped = on),
            MediaCommand::Close { leg } => self.close(now, leg),
        }
    }

    /// One socket's turn: some packets, so that a flood of one leg leaves the others theirs.
    pub(super) fn drain(&mut self, now: Tick, token: Token) -> Drained {
        let (index, is_rtcp) = (token.0 / 2, token.0 % 2 == 1);
        for _ in 0..PACKETS_A_TURN {
            let Some(leg) = self.slots.get(index).and_then(Option::as_ref) else {
                return Drained::Empty;
            };
            let socket = if is_rtcp { &leg.rtcp } else { &leg.rtp };
            match socket.recv_from(self.datagram.as_mut_slice()) {
                Ok((length, from)) if is_rtcp => self.rtcp_came(now, index, length, from),
                Ok((length, from)) => self.rtp_came(now, index, length, from),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Drained::Empty,
                // About one packet of ours, such as an ICMP reply: the next read may succeed.
                Err(_) => {}
            }
        }
        Drained::More
    }

    /// The turn of every `phases`th leg: sends what is due, tells what happened.
    pub(super) fn tick(&mut self, now: Tick, phase: usize, phases: usize) {
        self.outbox.flush();
        for leg in self.slots.iter_mut().skip(phase).step_by(phases).flatten() {
            if let Some(to) = leg.session.tick(now, &mut self.out) {
                send(&leg.rtp, &self.out, to);
            }
            if let Some(to) = leg.session.report(now, &mut self.out) {
                send(&leg.rtcp, &self.out, to);
            }
            leg.tell(&mut self.outbox);
            leg.note_refused(now);
        }
    }

    /// The end: every far end is told.
    pub(super) fn close_all(&mut self, now: Tick) {
        let all: Vec<LegId> = self.by_id.keys().copied().collect();
        for leg in all {
            self.close(now, leg);
        }
        if self.tap.dropped() > 0 {
            tracing::warn!(frames = self.tap.dropped(), "the tap's listeners did not keep up");
        }
    }

    fn open(&mut self, now: Tick, id: LegId) {
        if let Some(leg) = self.by_id.get(&id).and_then(|index| self.slots.get(*index)) {
            let port = leg.as_ref().map_or(0, |leg| leg.port);
            self.outbox.push(MediaEvent::Opened { leg: id, port });
            return;
        }
        let opened = self.try_open(now, id);
        self.outbox.push(match opened {
            Ok(port) => MediaEvent::Opened { leg: id, port },
            Err(reason) => {
                tracing::warn!(leg = %id, %reason, "no media for a leg");
                MediaEvent::OpenFailed { leg: id }
            }
        });
    }

    fn try_open(&mut self, now: Tick, id: LegId) -> Result<u16, String> {
        if self.by_id.len() >= self.settings.max_legs {
            return Err(format!("{} legs are open, and no more are allowed", self.by_id.len()));
        }
        let pair = self.ports.bind().map_err(|error| error.to_string())?;
        let index = self.free.pop().unwrap_or(self.slots.len());
        let mut leg = Leg {
            session: Session::new(now, id, seed(self.settings.seed, id), self.settings.liveness),
            rtp: UdpSocket::from_std(pair.rtp),
            rtcp: UdpSocket::from_std(pair.rtcp),
            port: pair.port,
            tapped: false,
            noted: (0, now),
        };
        let registered = self
            .registry
            .register(&mut leg.rtp, Token(index * 2), Interest::READABLE)
            .and_then(|()| {
                self.registry.register(&mut leg.rtcp, Token(index * 2 + 1), Interest::READABLE)
            });
        if let Err(error) = registered {
            self.free.push(index);
            self.ports.release(pair.port);
            return Err(error.to_string());
        }
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(leg);
        } else {
            self.slots.push(Some(leg));
        }
        self.by_id.insert(id, index);
        Ok(pair.port)
    }

    fn close(&mut self, now: Tick, id: LegId) {
        self.part(id);
        let Some(index) = self.by_id.remove(&id) else { return };
        let Some(mut leg) = self.slots.get_mut(index).and_then(Option::take) else { return };
        self.free.push(index);
        if let Some(to) = leg.session.farewell(now, &mut self.out) {
            send(&leg.rtcp, &self.out, to);
        }
        // What was heard before the end is told before it.
        while let Some(event) = leg.session.take_event() {
            self.outbox.push(event);
        }
        self.outbox.push(MediaEvent::Closed { leg: id, stats: leg.session.stats() });
        let port = leg.port;
        // Closing a socket takes it out of the poll.
        drop(leg);
        self.ports.release(port);
    }

    fn part(&mut self, leg: LegId) {
        if let Some(partner) = self.bridges.part(leg) {
            self.with(leg, |leg| leg.session.set_bridged(false));
            self.with(partner, |leg| leg.session.set_bridged(false));
        }
    }

    fn with(&mut self, leg: LegId, change: impl FnOnce(&mut Leg)) {
        let index = self.by_id.get(&leg).copied();
        if let Some(Some(leg)) = index.and_then(|index| self.slots.get_mut(index)) {
            change(leg);
        }
    }

    fn rtp_came(&mut self, now: Tick, index: usize, length: usize, from: SocketAddr) {
        let bytes = self.datagram.get(..length).unwrap_or_default();
        let Some(Some(leg)) = self.slots.get_mut(index) else { return };
        let audio = leg.session.receive(now, from, bytes);
        leg.tell(&mut self.outbox);
        let Some(audio) = audio else { return };
        let id = leg.session.leg();
        if leg.tapped {
            self.tap.push(now, id, &audio);
        }
        let partner = self.bridges.partner(id).and_then(|partner| self.by_id.get(&partner));
        let partner = partner.copied().and_then(|index| self.slots.get_mut(index));
        if let Some(Some(partner)) = partner
            && let Some(to) = partner.session.forward(now, &audio, &mut self.out)
        {
            send(&partner.rtp, &self.out, to);
        }
    }

    fn rtcp_came(&mut self, now: Tick, index: usize, length: usize, from: SocketAddr) {
        let bytes = self.datagram.get(..length).unwrap_or_default();
        if let Some(Some(leg)) = self.slots.get_mut(index) {
            leg.session.receive_rtcp(now, from, bytes);
        }
    }
}

impl Leg {
    fn tell(&mut self, outbox: &mut Outbox) {
        while outbox.has_room() {
            let Some(event) = self.session.take_event().or_else(|| self.session.take_play_done())
            else {
                return;
            };
            outbox.push(event);
        }
    }

    fn note_refused(&mut self, now: Tick) {
        let (count, at) = self.noted;
        let refused = self.session.refused();
        if refused >= count.saturating_add(WORTH_A_NOTE) && now.since(at) >= NOTE_EVERY {
            self.noted = (refused, now);
            tracing::warn!(leg = %self.session.leg(), packets = refused - count, "packets refused");
        }
    }
}

/// A datagram that does not go is lost, as on the network.
fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
    socket.send_to(bytes, to).ok();
}

/// One seed a leg: leg ids are unique in the installation.
fn seed(seed: u64, leg: LegId) -> u64 {
    seed ^ u64::from_be_bytes(leg.0.to_be_bytes()).rotate_left(32)
}

/// Larger than any packet we use; what is longer is cut off, and refused for its payload.
const LARGEST: usize = 2_048;
/// Packets one socket may bring before the others have their turn.
const PACKETS_A_TURN: usize = 32;
/// A few packets before the first SDP or after a change of it are in order.
const WORTH_A_NOTE: u64 = 50;
/// A log line for refused packets at most this often for each leg.
const NOTE_EVERY: Duration = Duration::from_secs(10);
