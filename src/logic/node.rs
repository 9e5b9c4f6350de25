//! One process, still pure: joins the dialer, SIP and media.
//!
//! The runtime feeds it every datagram, store reply, media event and command, and performs what it asks.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::logic::dialer::command::{AgentNotice, Command, Reply, View};
use crate::logic::dialer::{
    Asker, DialerStart, OpenLeg, StoreCommand, StoreHealth, StoreReply, Ticket,
};
use crate::logic::media::{MediaCommand, MediaEvent};
use crate::logic::time::{Now, Tick};

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
    /// Agents' legs of earlier processes that may still be up.
    pub open_agent_legs: Vec<OpenLeg>,
    /// Seeds whatever looks random: SDP session ids, retry jitter.
    pub seed: u64,
}

/// One process.
#[derive(Debug)]
pub struct Node {
    start: NodeStart,
}

impl Node {
    /// Makes the node; its first actions end what an earlier process left open.
    #[must_use]
    pub fn new(start: NodeStart, _now: Now, _out: &mut Vec<NodeAction>) -> Self {
        Self { start }
    }

    /// Takes one input and appends what is to be done about it.
    pub fn handle(&mut self, _now: Now, _input: NodeInput<'_>, _out: &mut Vec<NodeAction>) {
        let _ = &mut self.start;
    }

    /// When [`NodeInput::Timeout`] is next wanted. Ask again after every input.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        None
    }

    /// The whole picture.
    #[must_use]
    pub fn view(&self, _now: Now) -> View {
        View::default()
    }
}
