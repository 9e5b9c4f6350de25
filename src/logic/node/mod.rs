//! One process, still pure: joins the dialer, SIP and media.
//!
//! The runtime feeds it every datagram, store reply, media event and command, and performs what it asks.
//!
//! | file | what it does |
//! |---|---|
//! | `leg` | one leg: its media opens, its INVITE leaves, its SDP is answered, its end is told |
//! | `dial_plan` | numbers and URIs as each trunk and phone wants them |

mod dial_plan;
mod leg;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::logic::dialer::command::{AgentNotice, Command, Reply, View};
use crate::logic::dialer::{
    Action, Asker, Dialer, DialerStart, Input, LegCommand, LegEvent, OpenLeg, StoreCommand,
    StoreHealth, StoreReply, Ticket,
};
use crate::logic::ids::{AgentId, CampaignId, LegId};
use crate::logic::media::{IpNet, MediaCommand, MediaEvent};
use crate::logic::pacing::journal::Line;
use crate::logic::pacing::pacer::Said;
use crate::logic::settings::{AgentSettings, TrunkSettings};
use crate::logic::sip::user_agent::{
    Counters, Identity, SipAction, SipCommand, SipEvent, SipInput, UserAgent, UserAgentSettings,
};
use crate::logic::time::{Deadlines, Now, Tick};
use leg::{Check, Leg};

/// What goes in.
#[derive(Debug)]
pub enum NodeInput<'a> {
    /// A datagram at the SIP socket.
    Datagram {
        /// Source.
        from: SocketAddr,
        /// Payload.
        bytes: &'a [u8],
    },
    /// From the media threads.
    Media(MediaEvent),
    /// From the store task.
    Stored(Ticket, StoreReply),
    /// From the store task.
    StoreHealth(StoreHealth),
    /// From the store task: this process's clock before the database's, in milliseconds.
    ClockAhead(i64),
    /// From the control socket.
    Command(Asker, Command),
    /// A signal.
    Shutdown,
    /// A deadline passed.
    Timeout,
}

/// What comes out.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeAction {
    /// A datagram from the SIP socket.
    Send {
        /// Destination.
        to: SocketAddr,
        /// Payload.
        bytes: Vec<u8>,
    },
    /// To the media threads.
    Media(MediaCommand),
    /// To the store task.
    Store(Ticket, StoreCommand),
    /// To whoever asked.
    Reply(Asker, Box<Reply>),
    /// To watchers.
    Notice(Box<AgentNotice>),
    /// The process may end.
    Finished,
}

/// What a node is told once, at its start.
#[derive(Debug)]
pub struct NodeStart {
    /// For the dialer.
    pub dialer: DialerStart,
    /// Random text of the installation row: part of every Call-ID.
    pub installation: String,
    /// Secret of the installation row: keys the hashes of Call-ID, tags and branches.
    pub secret: Vec<u8>,
    /// Address of our SIP socket as the far ends see it: Via and Contact.
    pub sip_address: SocketAddr,
    /// Address of our RTP sockets as the far ends see it: the SDP's `c=` line.
    pub rtp_address: IpAddr,
    /// Announcements by path, as named in the campaigns' messages.
    pub sounds: BTreeMap<String, Arc<[i16]>>,
    /// Other legs of earlier processes that may still be up.
    pub stray_legs: Vec<OpenLeg>,
    /// Seeds whatever looks random: SDP session ids, retry jitter.
    pub seed: u64,
}

/// One process.
#[derive(Debug)]
pub struct Node {
    dialer: Dialer,
    sip: UserAgent,
    trunks: Vec<TrunkSettings>,
    agents: Vec<(AgentId, AgentSettings)>,
    sip_address: SocketAddr,
    rtp_address: IpAddr,
    legs: BTreeMap<LegId, Leg>,
    /// Answers on their way to the database: their ACK follows the commit.
    answers: BTreeMap<Ticket, LegId>,
    /// Phones from which no audio comes: asked by OPTIONS whether they live.
    checks: Deadlines<Check>,
    /// Work still to be done for the present input, in order: what a machine says never overtakes what it said before.
    work: VecDeque<Work>,
}

#[derive(Debug)]
enum Work {
    Dialer(Input),
    Sip(SipCommand),
    Heard(SipEvent),
}

impl Node {
    /// Makes the node; its first actions end what an earlier process left open.
    #[must_use]
    pub fn new(start: NodeStart, now: Now, out: &mut Vec<NodeAction>) -> Self {
        let identity = Identity {
            installation: start.installation,
            secret: start.secret,
            boot: start.dialer.boot,
        };
        let mut settings = UserAgentSettings::new(start.sip_address, identity);
        settings.peers = known_peers(&start.dialer);
        settings.hold_ack = Some(ACK_WAITS);
        let (trunks, agents) = (start.dialer.trunks.clone(), start.dialer.agents.clone());
        let mut work = VecDeque::new();
        let attempts = start.dialer.open_attempts.iter().flat_map(|open| open.legs.iter());
        for old in attempts.chain(&start.stray_legs) {
            work.push_back(end_old_leg(old, &trunks));
        }
        let strays: Vec<LegId> = start.stray_legs.iter().map(|old| old.leg).collect();
        let mut actions = vec![];
        let mut dialer = Dialer::new(now, start.dialer, start.sounds, &mut actions);
        for leg in strays {
            dialer.expect_stray_leg(leg);
        }
        let mut node = Self {
            dialer,
            sip: UserAgent::new(settings, start.seed),
            trunks,
            agents,
            sip_address: start.sip_address,
            rtp_address: start.rtp_address,
            legs: BTreeMap::new(),
            answers: BTreeMap::new(),
            checks: Deadlines::default(),
            work,
        };
        node.perform(actions, out);
        node.work_off(now, out);
        node
    }

    /// Takes one input and appends what is to be done about it.
    pub fn handle(&mut self, now: Now, input: NodeInput<'_>, out: &mut Vec<NodeAction>) {
        match input {
            NodeInput::Datagram { from, bytes } => {
                self.sip_input(now, SipInput::Datagram { from, bytes }, out)
            }
            NodeInput::Media(event) => self.media_event(now, event, out),
            NodeInput::Stored(ticket, reply) => {
                if let Some(leg) = self.answers.remove(&ticket) {
                    self.work.push_back(Work::Sip(SipCommand::Acknowledge { leg }));
                }
                self.work.push_back(Work::Dialer(Input::Stored(ticket, reply)))
            }
            NodeInput::StoreHealth(health) => {
                self.work.push_back(Work::Dialer(Input::StoreHealth(health)))
            }
            NodeInput::ClockAhead(millis) => {
                self.work.push_back(Work::Dialer(Input::ClockAhead(millis)))
            }
            NodeInput::Command(asker, command) => {
                self.work.push_back(Work::Dialer(Input::Command(asker, command)))
            }
            NodeInput::Shutdown => self.work.push_back(Work::Dialer(Input::Shutdown)),
            NodeInput::Timeout => {}
        }
        self.work_off(now, out);
        if self.sip.next_deadline().is_some_and(|at| at <= now.tick) {
            self.sip_input(now, SipInput::Timeout, out);
        }
        while let Some(check) = self.checks.pop_due(now.tick) {
            self.check(now, check);
        }
        if self.dialer.next_deadline().is_some_and(|at| at <= now.tick) {
            self.work.push_back(Work::Dialer(Input::Timeout));
        }
        self.work_off(now, out);
    }

    /// When [`NodeInput::Timeout`] is next wanted. Ask again after every input.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        [self.dialer.next_deadline(), self.sip.next_deadline(), self.checks.next()]
            .into_iter()
            .flatten()
            .min()
    }

    /// See [`Dialer::keep_journal`].
    pub fn keep_journal(&mut self, part: u64) {
        self.dialer.keep_journal(part);
    }

    /// See [`Dialer::take_journal`].
    pub fn take_journal(&mut self) -> Vec<(CampaignId, Line<Said>)> {
        self.dialer.take_journal()
    }

    /// The whole picture.
    #[must_use]
    pub fn view(&self, now: Now) -> View {
        self.dialer.view(now)
    }

    /// What SIP has counted.
    #[must_use]
    pub fn sip_counters(&self) -> &Counters {
        self.sip.counters()
    }

    fn work_off(&mut self, now: Now, out: &mut Vec<NodeAction>) {
        while let Some(work) = self.work.pop_front() {
            match work {
                Work::Dialer(input) => {
                    let mut actions = vec![];
                    self.dialer.handle(now, input, &mut actions);
                    self.perform(actions, out);
                }
                Work::Sip(command) => self.sip_input(now, SipInput::Command(command), out),
                Work::Heard(event) => self.sip_event(now, event, out),
            }
        }
    }

    fn sip_input(&mut self, now: Now, input: SipInput<'_>, out: &mut Vec<NodeAction>) {
        let mut actions = vec![];
        self.sip.handle(now.tick, input, &mut actions);
        for action in actions {
            match action {
                SipAction::Send { to, bytes } => out.push(NodeAction::Send { to, bytes }),
                SipAction::Event(event) => self.work.push_back(Work::Heard(event)),
            }
        }
    }

    fn perform(&mut self, actions: Vec<Action>, out: &mut Vec<NodeAction>) {
        for action in actions {
            match action {
                Action::Store(ticket, mut command) => {
                    self.add_call(&mut command);
                    if let StoreCommand::LegAnswered(row) = &command {
                        self.answers.insert(ticket, row.leg);
                    }
                    out.push(NodeAction::Store(ticket, command));
                }
                Action::Leg(leg, LegCommand::Prepare(call)) => self.open(leg, &call, false, out),
                Action::Leg(leg, LegCommand::Dial(call)) => self.dial(leg, &call, out),
                Action::Leg(leg, LegCommand::Authorize) => {
                    self.work.push_back(Work::Sip(SipCommand::Authorize { leg }))
                }
                Action::Leg(leg, LegCommand::HangUp) => self.hang_up(leg, out),
                Action::Leg(_, LegCommand::Recover(old)) => {
                    self.work.push_back(end_old_leg(&old, &self.trunks));
                }
                Action::Media(command) => out.push(NodeAction::Media(command)),
                Action::Reply(asker, reply) => out.push(NodeAction::Reply(asker, reply)),
                Action::Notice(notice) => out.push(NodeAction::Notice(notice)),
                Action::Finished => {
                    // A phone that died does not answer our BYE: its ports are not waited for.
                    for leg in std::mem::take(&mut self.legs).into_keys() {
                        out.push(NodeAction::Media(MediaCommand::Close { leg }));
                    }
                    out.push(NodeAction::Finished);
                }
            }
        }
    }

    /// Adds to a row what a restart needs to end the leg: only the node knows how a call looks on the wire.
    fn add_call(&self, command: &mut StoreCommand) {
        if let StoreCommand::Intent(intent) = command {
            let trunk = self.trunks.iter().find(|trunk| trunk.name == intent.trunk);
            let call = trunk.and_then(|trunk| {
                dial_plan::customer_call(
                    trunk,
                    &intent.phone.number,
                    &intent.caller_id,
                    self.sip_address,
                )
            });
            intent.call = call
                .as_ref()
                .map(|call| dial_plan::to_store(call, self.sip_address))
                .unwrap_or_default();
        } else if let StoreCommand::AgentLeg(row) = command {
            let agent = self.agents.iter().find(|(id, _)| *id == row.agent);
            let call = agent.map(|(_, agent)| dial_plan::agent_call(agent, self.sip_address));
            row.call = call
                .as_ref()
                .map(|call| dial_plan::to_store(call, self.sip_address))
                .unwrap_or_default();
        }
    }

    fn tell(&mut self, leg: LegId, event: LegEvent) {
        self.work.push_back(Work::Dialer(Input::Leg(leg, event)));
    }
}

/// A crash before the answer is stored finds the far end still repeating its 200, and with it the tag for a BYE. Sound
/// does not wait for the ACK, and the ACK does not wait longer than this for a database that is slow or away.
const ACK_WAITS: Duration = Duration::from_millis(200);

/// Addresses whose SIP packets may start something with us.
fn known_peers(start: &DialerStart) -> Vec<IpNet> {
    let host = |address: &SocketAddr| {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        IpNet { addr: address.ip(), prefix }
    };
    let trunks = start
        .trunks
        .iter()
        .flat_map(|trunk| trunk.peers.iter().map(host).chain(trunk.sip_from.clone()));
    trunks.chain(start.agents.iter().map(|(_, agent)| host(&agent.peer))).collect()
}

fn end_old_leg(old: &OpenLeg, trunks: &[TrunkSettings]) -> Work {
    let credentials =
        trunks.iter().find(|trunk| trunk.name == old.peer_name).and_then(|t| t.credentials.clone());
    match dial_plan::stored_call(&old.call, credentials) {
        Some((call, sent_by)) => Work::Sip(SipCommand::Recover {
            leg: old.leg,
            boot: old.boot,
            call: Box::new(call),
            dialog: old.dialog.clone(),
            sent_by,
        }),
        // Nothing to go by: it ends by itself at the far end's limit. Nothing more can be learnt of it.
        None => Work::Dialer(Input::Leg(old.leg, LegEvent::Ended { by_peer: false, q850: None })),
    }
}
