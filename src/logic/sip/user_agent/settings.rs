//! What a user agent is told at its birth, and what it counts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use super::DropReason;
use crate::logic::media::IpNet;

/// Everything a user agent needs to know before its first datagram.
#[derive(Clone, Debug)]
pub struct UserAgentSettings {
    /// Our address as the far end must write it: in Via, Contact and Call-ID. Behind NAT: the advertised one.
    pub sent_by: SocketAddr,
    /// User-Agent and Server header.
    pub name: String,
    /// From what Call-ID, tags and branches are made.
    pub identity: Identity,
    /// Who may start something with us. Packets of others must match a live transaction or dialog.
    pub peers: Vec<IpNet>,
    /// Whether an INVITE of a peer makes a leg (the simulated carrier, agents who dial in) or gets 405.
    pub accept_incoming: bool,
    /// Requests inside a dialog go to the address its answer came from, whatever Contact and Record-Route say:
    /// the practice where NAT or an SBC stands between (RFC 3581, RFC 4320 §4).
    pub symmetric: bool,
    /// Offers reliable provisional responses (`Supported: 100rel`, RFC 3262). They are acknowledged either way.
    pub offer_100rel: bool,
    /// Asks for a session timer of this length in each INVITE (RFC 4028). A timer that the far end asks for is kept
    /// either way.
    pub session_expires: Option<Duration>,
    /// How long the ACK to an answer waits at most for [`SipCommand::Acknowledge`](super::SipCommand::Acknowledge);
    /// `None`: it leaves at once. Below T1 (500 ms), so that the far end does not repeat its 200 for nothing.
    ///
    /// A far end repeats its 200 until the ACK comes (RFC 3261 §13.3.1.4). So a process that dies before the answer is
    /// stored leaves a far end that still tells its tag to the next process, which can then end the call.
    pub hold_ack: Option<Duration>,
    /// Most legs at once, ended ones that still linger not counted. At the bound an incoming INVITE gets 503 and
    /// [`SipCommand::Invite`](super::SipCommand::Invite) fails with status 503.
    pub max_legs: usize,
    /// Most transactions of requests from the far end at once; beyond, a request is dropped and the far end repeats it.
    pub max_transactions: usize,
}

impl UserAgentSettings {
    /// Settings with the defaults of a dialer: no incoming calls, symmetric, no 100rel, no session timer.
    #[must_use]
    pub fn new(sent_by: SocketAddr, identity: Identity) -> Self {
        Self {
            sent_by,
            name: concat!("outdial/", env!("CARGO_PKG_VERSION")).to_owned(),
            identity,
            peers: Vec::new(),
            accept_incoming: false,
            symmetric: true,
            offer_100rel: false,
            session_expires: None,
            hold_ack: None,
            max_legs: 20_000,
            max_transactions: 200_000,
        }
    }

    /// Whether `address` belongs to a peer.
    #[must_use]
    pub fn is_peer(&self, address: IpAddr) -> bool {
        self.peers.iter().any(|net| net.contains(address))
    }
}

/// Who we are, for keyed hashes: a restored backup never repeats a Call-ID (another boot), and a restart can rebuild
/// those of every open leg (same installation and secret, the stored boot).
#[derive(Clone)]
pub struct Identity {
    /// `installation.id`.
    pub installation: String,
    /// `installation.secret`.
    pub secret: Vec<u8>,
    /// `node.boot` of this process.
    pub boot: u64,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("installation", &self.installation)
            .field("boot", &self.boot)
            .finish_non_exhaustive()
    }
}

/// What a user agent has counted since its birth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams thrown away.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Datagrams sent, repeats included.
    pub sent: u64,
    /// Of those, repeats by our own timers.
    pub repeated: u64,
    /// Requests and responses received that repeat an earlier one.
    pub repeats_received: u64,
    /// Initial INVITEs sent, those with an answer to a challenge included.
    pub invites: u64,
    /// 2xx responses to our INVITEs beyond the first of each leg whose tag was another: ended by ACK and BYE.
    pub extra_answers: u64,
    /// Repeated 2xx that were not acknowledged again because of the rate limit.
    pub acks_withheld: u64,
}
