//! The one loop of the simulated world: feeds carrier, phones and agents, and performs what they ask.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::carrier::CarrierReport;
use crate::carrier::Order;
use crate::carrier::ears::ToneBegun;
use crate::carrier::legs;
use crate::carrier::legs::Owner;
use crate::carrier::report;
use crate::carrier::report::RtpTotals;
use crate::logic::dialer::command::Command;
use crate::logic::media::MediaCommand;
use crate::logic::media::MediaEvent;
use crate::logic::time::Tick;
use crate::media::MediaClock;
use crate::media::MediaHandle;
use crate::simulation::agent_brain;
use crate::simulation::agent_brain::AgentBrain;
use crate::simulation::carrier::Carrier;
use crate::simulation::carrier::CarrierAction;
use crate::simulation::carrier::CarrierInput;
use crate::simulation::phone::Phone;
use crate::simulation::phone::PhoneAction;
use crate::simulation::phone::PhoneInput;
use crate::simulation::phone::PhoneOrder;
use crate::wire::udp::SipSocket;

/// Everything that lives on the carrier's thread.
pub(super) struct Exchange {
    carrier: Carrier,
    phones: Vec<PhoneSlot>,
    /// The carrier's first, then one for each phone.
    sockets: Vec<Arc<SipSocket>>,
    media: MediaHandle,
    wishes: mpsc::Sender<Command>,
    clock: MediaClock,
    listens: bool,
    rtp: RtpTotals,
    media_full: u64,
    /// What the media thread had no room to open: told to the owner on the next turn.
    not_opened: Vec<MediaEvent>,
}

/// One phone with its owner.
pub(super) struct PhoneSlot {
    pub(super) name: String,
    pub(super) phone: Phone,
    pub(super) brain: Option<AgentBrain>,
}

/// Where inputs come from, besides the SIP sockets.
pub(super) struct Inlets {
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) media: mpsc::Receiver<MediaEvent>,
    pub(super) tones: mpsc::Receiver<ToneBegun>,
}

impl Exchange {
    pub(super) fn new(
        carrier: Carrier,
        phones: Vec<PhoneSlot>,
        sockets: Vec<Arc<SipSocket>>,
        media: MediaHandle,
        wishes: mpsc::Sender<Command>,
        clock: MediaClock,
        listens: bool,
    ) -> Self {
        Self {
            carrier,
            phones,
            sockets,
            media,
            wishes,
            clock,
            listens,
            rtp: RtpTotals::default(),
            media_full: 0,
            not_opened: Vec::new(),
        }
    }

    /// Runs until told to stop, or until nobody can tell any more.
    pub(super) async fn run(mut self, mut inlets: Inlets) {
        let (datagrams, mut arrived) = mpsc::channel(DATAGRAMS);
        let mut readers = JoinSet::new();
        for (owner, socket) in (0..).zip(&self.sockets) {
            readers.spawn(read(owner, Arc::clone(socket), datagrams.clone()));
        }
        drop(datagrams);
        let mut tones_open = true;
        loop {
            let wait = self.next_deadline().map_or(LONGEST_WAIT, |at| at.since(self.clock.now()));
            tokio::select! {
                order = inlets.orders.recv() => match order {
                    Some(Order::Stop(reply)) => {
                        reply.send(self.report()).ok();
                        return;
                    }
                    Some(order) => self.order(order),
                    None => return,
                },
                Some((owner, from, bytes)) = arrived.recv() => self.datagram(owner, from, &bytes),
                Some(event) = inlets.media.recv() => self.media_event(event),
                tone = inlets.tones.recv(), if tones_open => match tone {
                    Some(tone) => self.tone(tone),
                    None => tones_open = false,
                },
                () = tokio::time::sleep(wait) => self.timeout(),
            }
            for event in std::mem::take(&mut self.not_opened) {
                self.media_event(event);
            }
        }
    }

    fn next_deadline(&self) -> Option<Tick> {
        let phones = self.phones.iter().filter_map(|slot| slot.phone.next_deadline());
        let brains = self.phones.iter().filter_map(|slot| slot.brain.as_ref()?.next_deadline());
        self.carrier.next_deadline().into_iter().chain(phones).chain(brains).min()
    }

    fn timeout(&mut self) {
        let now = self.clock.now();
        let due = |at: Option<Tick>| at.is_some_and(|at| at <= now);
        if due(self.carrier.next_deadline()) {
            self.carrier_input(CarrierInput::Timeout);
        }
        for phone in 0..self.phones.len() {
            if self.phones.get(phone).is_some_and(|slot| due(slot.phone.next_deadline())) {
                self.phone_input(phone, PhoneInput::Timeout);
            }
            self.act(phone, now);
        }
    }

    /// The agent at a phone does what is due.
    fn act(&mut self, phone: usize, now: Tick) {
        let Some(slot) = self.phones.get_mut(phone) else { return };
        match slot.brain.as_mut().and_then(|brain| brain.act(now)) {
            // Nobody may be listening: then the agent waits to be made ready by others.
            Some(agent_brain::Order::Ready) => {
                self.wishes.try_send(Command::AgentReady { agent: slot.name.clone() }).ok();
            }
            Some(agent_brain::Order::Dial) => {
                self.wishes
                    .try_send(Command::AgentDial { agent: slot.name.clone(), whom: None })
                    .ok();
            }
            Some(agent_brain::Order::Press(keys)) => {
                self.phone_input(phone, PhoneInput::Order(PhoneOrder::Press(keys)));
            }
            None => {}
        }
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Phone(phone, order) => self.phone_input(phone, PhoneInput::Order(order)),
            Order::Tell(agent, state) => {
                let now = self.clock.now();
                let slot = self.phones.iter_mut().find(|slot| slot.name == agent);
                if let Some(brain) = slot.and_then(|slot| slot.brain.as_mut()) {
                    brain.told(now, state);
                }
            }
            // The asker may have lost its patience.
            Order::Live(reply) => {
                let now = self.clock.now();
                reply.send(self.carrier.live(now)).ok();
            }
            Order::Report(reply) | Order::Stop(reply) => {
                reply.send(self.report()).ok();
            }
        }
    }

    fn datagram(&mut self, owner: Owner, from: std::net::SocketAddr, bytes: &[u8]) {
        match phone_of(owner) {
            None => self.carrier_input(CarrierInput::Datagram { from, bytes }),
            Some(phone) => self.phone_input(phone, PhoneInput::Datagram { from, bytes }),
        }
    }

    fn media_event(&mut self, event: MediaEvent) {
        match &event {
            MediaEvent::Closed { stats, .. } => self.rtp.add(*stats),
            MediaEvent::Opened { leg, .. } if self.listens => {
                let listen = MediaCommand::Tap { leg: *leg, on: true };
                self.media_full += u64::from(self.media.send(listen).is_err());
            }
            MediaEvent::Opened { .. }
            | MediaEvent::OpenFailed { .. }
            | MediaEvent::FirstPacket { .. }
            | MediaEvent::Digit { .. }
            | MediaEvent::PlayDone { .. }
            | MediaEvent::Quiet { .. }
            | MediaEvent::Dead { .. }
            | MediaEvent::Heard { .. } => {}
        }
        let (owner, event) = legs::event(event);
        match phone_of(owner) {
            None => self.carrier_input(CarrierInput::Media(event)),
            Some(phone) => self.phone_input(phone, PhoneInput::Media(event)),
        }
    }

    fn tone(&mut self, tone: ToneBegun) {
        let (owner, leg) = legs::inner(tone.leg);
        let ToneBegun { hz, at, .. } = tone;
        match phone_of(owner) {
            None => self.carrier_input(CarrierInput::Heard { leg, hz, at }),
            Some(phone) => self.phone_input(phone, PhoneInput::Heard { hz, at }),
        }
    }

    fn carrier_input(&mut self, input: CarrierInput<'_>) {
        let mut actions = Vec::new();
        self.carrier.handle(self.clock.now(), input, &mut actions);
        for action in actions {
            match action {
                CarrierAction::Send { to, bytes } => self.send(0, &bytes, to),
                CarrierAction::Media(command) => self.media_command(0, command),
                // Kept by the machine until a report is asked for.
                CarrierAction::Record(_) => {}
            }
        }
    }

    fn phone_input(&mut self, phone: usize, input: PhoneInput<'_>) {
        let mut actions = Vec::new();
        let Some(slot) = self.phones.get_mut(phone) else { return };
        slot.phone.handle(self.clock.now(), input, &mut actions);
        let owner = owner_of(phone);
        for action in actions {
            match action {
                PhoneAction::Send { to, bytes } => self.send(owner, &bytes, to),
                PhoneAction::Media(command) => self.media_command(owner, command),
            }
        }
    }

    fn send(&self, owner: Owner, bytes: &[u8], to: std::net::SocketAddr) {
        if let Some(socket) = self.sockets.get(usize::from(owner)) {
            // Full or failed: a lost datagram; the socket counts it.
            socket.try_send_to(bytes, to);
        }
    }

    fn media_command(&mut self, owner: Owner, command: MediaCommand) {
        let command = legs::command(owner, command);
        let opens = match &command {
            MediaCommand::Open { leg } => Some(*leg),
            MediaCommand::Remote { .. }
            | MediaCommand::Bridge { .. }
            | MediaCommand::Unbridge { .. }
            | MediaCommand::Play { .. }
            | MediaCommand::StopPlay { .. }
            | MediaCommand::SendDigits { .. }
            | MediaCommand::Tap { .. }
            | MediaCommand::Close { .. } => None,
        };
        if self.media.send(command).is_err() {
            self.media_full += 1;
            self.not_opened.extend(opens.map(|leg| MediaEvent::OpenFailed { leg }));
        }
    }

    fn report(&self) -> CarrierReport {
        let record = self.carrier.record();
        let phones: Vec<_> = self.phones.iter().map(|slot| slot.phone.record().clone()).collect();
        CarrierReport {
            totals: record.totals(),
            calls: record.calls.clone(),
            sound: report::sound(record, &phones),
            phones,
            rtp: self.rtp,
            unrecorded: record.unrecorded,
            sip_lost: self.sockets.iter().map(|socket| socket.full() + socket.failed()).sum(),
            media_full: self.media_full,
        }
    }
}

type Arrival = (Owner, std::net::SocketAddr, Vec<u8>);

/// Reads one socket for ever; a full queue leaves datagrams in the socket's buffer.
async fn read(owner: Owner, socket: Arc<SipSocket>, datagrams: mpsc::Sender<Arrival>) {
    let mut buffer = vec![0; LARGEST_DATAGRAM];
    loop {
        // An error is about a datagram that we sent, such as to a port that is closed by now. A socket that has nothing
        // but errors must not take the processor.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            tokio::time::sleep(AFTER_AN_ERROR).await;
            continue;
        };
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        if datagrams.send((owner, from, bytes)).await.is_err() {
            return;
        }
    }
}

fn phone_of(owner: Owner) -> Option<usize> {
    usize::from(owner).checked_sub(1)
}

fn owner_of(phone: usize) -> Owner {
    Owner::try_from(phone + 1).unwrap_or(Owner::MAX)
}

/// Datagrams that wait between sockets and loop.
const DATAGRAMS: usize = 1_024;

const AFTER_AN_ERROR: std::time::Duration = std::time::Duration::from_millis(5);

/// Larger than any UDP payload.
const LARGEST_DATAGRAM: usize = 65_536;

/// Without a deadline the loop still turns now and then.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(3_600);
