//! What all legs share: sending, transactions by branch, timers, counters.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::Counters;
use super::DropReason;
use super::SipAction;
use super::SipEvent;
use super::UserAgentSettings;
use super::credentials::Nonces;
use super::identity::Tokens;
use super::identity::branch_text;
use super::leg::Turn;
use super::outgoing::ALLOW;
use super::outgoing::SDP_TYPE;
use crate::logic::ids::LegId;
use crate::logic::sip::message::Message;
use crate::logic::sip::message::Method;
use crate::logic::sip::message::Via;
use crate::logic::sip::message::name;
use crate::logic::sip::transaction::client_other;
use crate::logic::sip::transaction::client_other::ClientOther;
use crate::logic::sip::transaction::server_invite;
use crate::logic::sip::transaction::server_invite::ServerInvite;
use crate::logic::sip::transaction::server_other::ServerOther;
use crate::logic::split_mix::SplitMix;
use crate::logic::time::Deadlines;
use crate::logic::time::Tick;

/// Everything but the legs.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) settings: UserAgentSettings,
    /// Our Via without its branch, and our Contact: in every message, so written once.
    hop: String,
    contact: String,
    pub(super) deadlines: Deadlines<Timer>,
    pub(super) counters: Counters,
    pub(super) nonces: Nonces,
    pub(super) tokens: Tokens,
    /// Our INVITEs: branch to leg and CSeq.
    pub(super) invites: BTreeMap<u128, (LegId, u32)>,
    clients: BTreeMap<u128, Client>,
    servers: BTreeMap<u64, Server>,
    server_of: BTreeMap<String, u64>,
    serial: u64,
    /// Waiting times and client nonces.
    numbers: SplitMix,
}

/// What a deadline belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Leg(LegId),
    Client(u128),
    Server(u64),
}

/// A request other than INVITE that we sent.
#[derive(Debug)]
struct Client {
    machine: ClientOther,
    method: Method,
    /// The request, until its final response.
    bytes: Vec<u8>,
    to: SocketAddr,
    purpose: Purpose,
}

/// Why a request was sent, so that its end finds its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Cancel {
        leg: LegId,
        cseq: u32,
    },
    Bye {
        leg: LegId,
    },
    /// BYE of a branch that is not the leg's own.
    ExtraBye {
        leg: LegId,
        remote_tag: String,
    },
    Prack {
        leg: LegId,
    },
    Update {
        leg: LegId,
    },
    Ping {
        ping: u64,
    },
}

/// A request of the far end.
#[derive(Debug)]
struct Server {
    key: String,
    machine: ServerMachine,
    /// The request without its body, until the final response.
    request: Option<Box<Message>>,
    /// The last response.
    response: Vec<u8>,
    to: SocketAddr,
    owner: Option<LegId>,
}

#[derive(Debug)]
enum ServerMachine {
    Invite(ServerInvite),
    Other(ServerOther),
}

impl Engine {
    pub(super) fn new(settings: UserAgentSettings, seed: u64) -> Self {
        Self {
            tokens: Tokens::new(&settings.identity),
            hop: Via::udp(settings.sent_by).to_string(),
            contact: format!("<sip:outdial@{}>", settings.sent_by),
            settings,
            deadlines: Deadlines::default(),
            counters: Counters::default(),
            nonces: Nonces::default(),
            invites: BTreeMap::new(),
            clients: BTreeMap::new(),
            servers: BTreeMap::new(),
            server_of: BTreeMap::new(),
            serial: 0,
            numbers: SplitMix::new(seed),
        }
    }

    pub(super) fn send(&mut self, turn: &mut Turn<'_>, to: SocketAddr, bytes: Vec<u8>) {
        self.counters.sent += 1;
        turn.out.push(SipAction::Send { to, bytes });
    }

    pub(super) fn drop_datagram(&mut self, turn: &mut Turn<'_>, reason: DropReason) {
        *self.counters.dropped.entry(reason).or_default() += 1;
        turn.event(SipEvent::Dropped { reason });
    }

    /// The next of the seeded numbers.
    pub(super) const fn roll(&mut self) -> u64 {
        self.numbers.next()
    }

    /// Adds our Via and what every request of ours says.
    pub(super) fn dress(&self, request: &mut Message, branch: u128) {
        request.push_front(name::VIA, format!("{};branch={}", self.hop, branch_text(branch)));
        request.push(name::USER_AGENT, &self.settings.name);
    }

    /// Likewise, under the address of another process.
    pub(super) fn dress_as(
        &self,
        request: &mut Message,
        branch: u128,
        sent_by: Option<SocketAddr>,
    ) {
        let Some(sent_by) = sent_by else { return self.dress(request, branch) };
        let hop = Via::udp(sent_by);
        request.push_front(name::VIA, format!("{hop};branch={}", branch_text(branch)));
        request.push(name::USER_AGENT, &self.settings.name);
    }

    /// Value of our Contact.
    pub(super) fn contact(&self) -> &str {
        &self.contact
    }

    /// Value of Supported.
    pub(super) fn supported(&self) -> &'static str {
        if self.settings.offer_100rel { "timer, 100rel" } else { "timer" }
    }

    // ---- requests other than INVITE that we send ----

    pub(super) fn start_client(
        &mut self,
        turn: &mut Turn<'_>,
        branch: u128,
        request: &Message,
        to: SocketAddr,
        purpose: Purpose,
    ) {
        let Some(method) = request.method().cloned() else { return };
        let bytes = request.to_bytes();
        let machine = ClientOther::new(turn.now);
        self.deadlines.set(Timer::Client(branch), machine.deadline());
        self.send(turn, to, bytes.clone());
        self.clients.insert(branch, Client { machine, method, bytes, to, purpose });
    }

    /// Matches a response to a request of ours. `Err` when there is none; `Ok(Some)` when it ends the request.
    pub(super) fn on_client_response(
        &mut self,
        now: Tick,
        branch: u128,
        method: &Method,
        status: u16,
    ) -> Result<Option<Purpose>, ()> {
        let client = self.clients.get_mut(&branch).filter(|c| c.method == *method).ok_or(())?;
        let verdict = client.machine.on_response(now, status);
        self.deadlines.set(Timer::Client(branch), client.machine.deadline());
        match verdict {
            client_other::OnResponse::Provisional => Ok(None),
            client_other::OnResponse::Final => {
                client.bytes = Vec::new();
                Ok(Some(client.purpose.clone()))
            }
            client_other::OnResponse::Ignored => {
                self.counters.repeats_received += 1;
                Ok(None)
            }
        }
    }

    /// A deadline of a request of ours; `Some` when nobody answered it.
    pub(super) fn on_client_timeout(
        &mut self,
        turn: &mut Turn<'_>,
        branch: u128,
    ) -> Option<Purpose> {
        let client = self.clients.get_mut(&branch)?;
        let (to, mut ended, mut again) = (client.to, None, None);
        match client.machine.on_timeout(turn.now) {
            client_other::OnTimeout::Nothing => {}
            client_other::OnTimeout::Repeat => again = Some(client.bytes.clone()),
            client_other::OnTimeout::TimedOut => ended = Some(client.purpose.clone()),
            client_other::OnTimeout::Done => {}
        }
        let deadline = client.machine.deadline();
        self.deadlines.set(Timer::Client(branch), deadline);
        if deadline.is_none() {
            self.clients.remove(&branch);
        }
        if let Some(bytes) = again {
            self.counters.repeated += 1;
            self.send(turn, to, bytes);
        }
        ended
    }

    // ---- requests of the far end ----

    /// The transaction a request belongs to, if it is a repeat (or the ACK or CANCEL of an INVITE, with `method`
    /// INVITE).
    pub(super) fn find_server(&self, key: &str) -> Option<u64> {
        self.server_of.get(key).copied()
    }

    /// Opens a transaction; `None` at the bound.
    pub(super) fn open_server(
        &mut self,
        now: Tick,
        key: String,
        request: &Message,
        to: SocketAddr,
        owner: Option<LegId>,
    ) -> Option<u64> {
        if self.servers.len() >= self.settings.max_transactions {
            return None;
        }
        self.serial += 1;
        let machine = if request.method() == Some(&Method::INVITE) {
            ServerMachine::Invite(ServerInvite::new(now))
        } else {
            ServerMachine::Other(ServerOther::default())
        };
        let mut request = request.clone();
        request.body = Vec::new();
        self.server_of.insert(key.clone(), self.serial);
        let server = Server {
            key,
            machine,
            request: Some(Box::new(request)),
            response: Vec::new(),
            to,
            owner,
        };
        self.deadlines.set(Timer::Server(self.serial), server.deadline());
        self.servers.insert(self.serial, server);
        Some(self.serial)
    }

    /// The request came again: the last response goes out again, if there is one to send.
    pub(super) fn on_server_repeat(&mut self, turn: &mut Turn<'_>, serial: u64) {
        self.counters.repeats_received += 1;
        let Some(server) = self.servers.get(&serial) else { return };
        let answers = match &server.machine {
            ServerMachine::Invite(machine) => machine.answers_repeat(),
            ServerMachine::Other(machine) => !machine.is_pending(),
        };
        if answers && !server.response.is_empty() {
            let (to, bytes) = (server.to, server.response.clone());
            self.counters.repeated += 1;
            self.send(turn, to, bytes);
        }
    }

    /// An ACK with the branch of this INVITE; false when it is not for a refusal of ours.
    pub(super) fn on_server_ack(&mut self, now: Tick, serial: u64) -> bool {
        let Some(server) = self.servers.get_mut(&serial) else { return false };
        let ServerMachine::Invite(machine) = &mut server.machine else { return false };
        let taken = machine.on_ack(now);
        self.deadlines.set(Timer::Server(serial), machine.deadline());
        taken
    }

    /// The leg whose request this is.
    pub(super) fn owner_of(&self, serial: u64) -> Option<LegId> {
        self.servers.get(&serial)?.owner
    }

    pub(super) fn set_owner(&mut self, serial: u64, leg: LegId) {
        if let Some(server) = self.servers.get_mut(&serial) {
            server.owner = Some(leg);
        }
    }

    /// A number that comes once.
    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn on_server_timeout(&mut self, turn: &mut Turn<'_>, serial: u64) {
        let Some(server) = self.servers.get_mut(&serial) else { return };
        let (mut trying, mut again, mut done) = (false, None, false);
        match &mut server.machine {
            ServerMachine::Other(machine) => done = machine.is_done(turn.now),
            ServerMachine::Invite(machine) => match machine.on_timeout(turn.now) {
                server_invite::OnTimeout::Nothing => {}
                server_invite::OnTimeout::Trying => trying = true,
                server_invite::OnTimeout::Repeat => again = Some(server.response.clone()),
                server_invite::OnTimeout::Done => done = true,
            },
        }
        let (to, deadline) = (server.to, server.deadline().filter(|_| !done));
        self.deadlines.set(Timer::Server(serial), deadline);
        if done && let Some(server) = self.servers.remove(&serial) {
            self.server_of.remove(&server.key);
        }
        if let Some(bytes) = again {
            self.counters.repeated += 1;
            self.send(turn, to, bytes);
        }
        if trying && let Some(response) = self.response(serial, 100, "") {
            self.respond(turn, serial, &response);
        }
    }

    /// Whether no final response was sent.
    pub(super) fn is_server_pending(&self, serial: u64) -> bool {
        self.servers.get(&serial).is_some_and(|server| match &server.machine {
            ServerMachine::Invite(machine) => machine.is_pending(),
            ServerMachine::Other(machine) => machine.is_pending(),
        })
    }

    /// The request of a transaction without a final response, its body left out.
    pub(super) fn request_of(&self, serial: u64) -> Option<&Message> {
        self.servers.get(&serial)?.request.as_deref()
    }

    /// A response to fill and to hand to [`Self::respond`]; `None` when the final response has left already.
    pub(super) fn response(&self, serial: u64, status: u16, local_tag: &str) -> Option<Message> {
        let request = self.request_of(serial)?;
        let tag = (status > 100).then_some(local_tag).filter(|tag| !tag.is_empty());
        let mut response = request.reply(status, tag);
        let makes_dialog =
            request.method() == Some(&Method::INVITE) && (101..300).contains(&status);
        if makes_dialog {
            // RFC 3261 §12.1.1.
            for route in request.record_routes() {
                response.push(name::RECORD_ROUTE, route);
            }
        }
        response.push(name::SERVER, &self.settings.name);
        Some(response)
    }

    /// Sends a response and lets the transaction take its course. Gives back where it went and its bytes, for a 2xx
    /// that its leg must repeat.
    pub(super) fn respond(
        &mut self,
        turn: &mut Turn<'_>,
        serial: u64,
        response: &Message,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        let status = response.status()?;
        let server = self.servers.get_mut(&serial)?;
        let bytes = response.to_bytes();
        let to = server.to;
        match &mut server.machine {
            ServerMachine::Invite(machine) => {
                machine.on_sent(turn.now, status);
                // Accepted: the leg has the bytes (RFC 6026 §7.1).
                server.response =
                    if (200..300).contains(&status) { Vec::new() } else { bytes.clone() };
            }
            ServerMachine::Other(machine) => {
                machine.on_sent(turn.now);
                server.response = bytes.clone();
            }
        }
        if status >= 200 {
            server.request = None;
        }
        self.deadlines.set(Timer::Server(serial), server.deadline());
        self.send(turn, to, bytes.clone());
        Some((to, bytes))
    }

    /// A response without anything special in it.
    pub(super) fn answer(&mut self, turn: &mut Turn<'_>, serial: u64, status: u16, tag: &str) {
        self.answer_with(turn, serial, status, tag, &[]);
    }

    /// A response with a few more headers.
    pub(super) fn answer_with(
        &mut self,
        turn: &mut Turn<'_>,
        serial: u64,
        status: u16,
        tag: &str,
        extra: &[(&str, &str)],
    ) {
        if let Some(mut response) = self.response(serial, status, tag) {
            for (name, value) in extra {
                response.push(name, value);
            }
            self.respond(turn, serial, &response);
        }
    }

    /// 200 to OPTIONS, with what we can (RFC 3261 §11.2).
    pub(super) fn answer_options(&mut self, turn: &mut Turn<'_>, serial: u64, tag: &str) {
        let can =
            [(name::ALLOW, ALLOW), (name::ACCEPT, SDP_TYPE), (name::SUPPORTED, self.supported())];
        self.answer_with(turn, serial, 200, tag, &can);
    }
}

impl Server {
    fn deadline(&self) -> Option<Tick> {
        match &self.machine {
            ServerMachine::Invite(machine) => machine.deadline(),
            ServerMachine::Other(machine) => machine.deadline(),
        }
    }
}
