//! The simulated carrier and agents' phones on real sockets, on a thread of their own.
//!
//! The machines are those of [`crate::simulation`]; here they get sockets, a media thread and a clock.
//!
//! ```text
//! SIP sockets (carrier, one per phone) --> exchange: machines --> media thread --> RTP sockets
//!                 orders, reports  <----->     ^---- tones begun ---- ears <-- tap --'
//! ```

mod ears;
mod exchange;
mod legs;
mod report;
mod start;

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::logic::dialer::command::AgentState;
use crate::logic::dialer::command::Command;
use crate::logic::media::Codec;
use crate::logic::media::IpNet;
use crate::simulation::agent_brain::BrainSettings;
use crate::simulation::callee::BehaviourBook;
use crate::simulation::callee::Voice;
use crate::simulation::carrier_record::LiveTotals;
use crate::simulation::digest_user::DigestUser;
use crate::simulation::phone::PhoneOrder;

pub use report::CarrierReport;
pub use report::HeardAtPhone;
pub use report::SoundOfCall;
pub use start::CarrierStartError;
pub use start::start;

/// What the simulated world is told at its start.
#[derive(Clone, Debug)]
pub struct CarrierSettings {
    /// Where all sockets are bound.
    pub ip: IpAddr,
    /// The carrier's SIP port; 0: any.
    pub sip_port: u16,
    /// RTP and RTCP ports of callees and phones.
    pub rtp_ports: RangeInclusive<u16>,
    /// Who may call.
    pub peers: Vec<IpNet>,
    /// How the callees behave.
    pub book: BehaviourBook,
    /// Every choice comes from it.
    pub seed: u64,
    /// Asks every INVITE for this digest user.
    pub digest: Option<DigestUser>,
    /// The carrier's channels: an INVITE beyond gets 503.
    pub channels: usize,
    /// INVITEs let in within any second: one beyond gets 503. Absent: any number.
    pub calls_per_second: Option<u32>,
    /// Agents' phones.
    pub phones: Vec<PhonePlan>,
    /// Tones that callees and phones listen for; empty: nobody listens.
    pub listen_for: Vec<u16>,
}

/// One agent's phone, and perhaps the agent.
#[derive(Clone, Debug)]
pub struct PhonePlan {
    /// The agent's name, and the user part of the phone's URI.
    pub name: String,
    /// When it picks up without being told to by a header; absent: never.
    pub pick_up_after: Option<Duration>,
    /// Answers with this codec.
    pub codec: Codec,
    /// What the agent says.
    pub voice: Voice,
    /// An agent who acts on what [`CarrierHandle::tell`] says.
    pub brain: Option<BrainSettings>,
}

/// The running world. Dropped, it is told to end and not waited for.
#[derive(Debug)]
pub struct CarrierHandle {
    sip_addr: SocketAddr,
    phones: Vec<(String, SocketAddr)>,
    orders: mpsc::Sender<Order>,
    wishes: Option<mpsc::Receiver<Command>>,
    thread: Option<JoinHandle<()>>,
}

/// One phone of the running world.
#[derive(Clone, Debug)]
pub struct PhoneHandle {
    phone: usize,
    orders: mpsc::Sender<Order>,
}

/// The simulated world has ended or does not keep up with its orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulated carrier does not answer: it has ended, or this machine is overloaded")]
pub struct CarrierGone;

enum Order {
    Phone(usize, PhoneOrder),
    Tell(String, AgentState),
    Report(SyncSender<CarrierReport>),
    Live(SyncSender<LiveTotals>),
    Stop(SyncSender<CarrierReport>),
}

impl CarrierSettings {
    /// On 127.0.0.1, any ports, without phones, callers from loopback only.
    #[must_use]
    pub fn on_loopback(book: BehaviourBook, seed: u64) -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            sip_port: 0,
            rtp_ports: 40_000..=49_999,
            peers: vec![IpNet { addr: IpAddr::from([127, 0, 0, 0]), prefix: 8 }],
            book,
            seed,
            digest: None,
            channels: 2_000,
            calls_per_second: None,
            phones: Vec::new(),
            listen_for: Vec::new(),
        }
    }

    /// The world of `outdial demo`: a carrier, and one phone with an agent for each name.
    #[must_use]
    pub fn demo(book: BehaviourBook, seed: u64, agents: impl IntoIterator<Item = String>) -> Self {
        let mut settings = Self::on_loopback(book, seed);
        let phones = agents.into_iter().map(|name| PhonePlan {
            brain: Some(BrainSettings::demo()),
            voice: Voice::Speech,
            ..PhonePlan::new(&name)
        });
        settings.phones = phones.collect();
        settings
    }
}

impl PhonePlan {
    /// A silent phone that waits for a header to pick up, and has no agent.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            pick_up_after: None,
            codec: Codec::Pcmu,
            voice: Voice::Silence,
            brain: None,
        }
    }
}

impl CarrierHandle {
    /// Where the carrier takes INVITEs.
    #[must_use]
    pub const fn sip_addr(&self) -> SocketAddr {
        self.sip_addr
    }

    /// Where each phone takes INVITEs: call `sip:NAME@ADDRESS`.
    #[must_use]
    pub fn phone_addrs(&self) -> &[(String, SocketAddr)] {
        &self.phones
    }

    /// One phone.
    #[must_use]
    pub fn phone(&self, name: &str) -> Option<PhoneHandle> {
        let phone = self.phones.iter().position(|(other, _)| other == name)?;
        Some(PhoneHandle { phone, orders: self.orders.clone() })
    }

    /// What the dialer announces to one agent. Unknown names and agents without a brain do nothing.
    ///
    /// # Errors
    /// [`CarrierGone`].
    pub fn tell(&self, agent: &str, state: AgentState) -> Result<(), CarrierGone> {
        self.orders.try_send(Order::Tell(agent.to_owned(), state)).map_err(|_| CarrierGone)
    }

    /// The names of agents who want to be ready, as they come; the first taker gets them.
    pub fn take_wishes(&mut self) -> Option<mpsc::Receiver<Command>> {
        self.wishes.take()
    }

    /// What carrier and phones saw so far. Waits a moment for it.
    ///
    /// # Errors
    /// [`CarrierGone`] after 10 s.
    pub fn report(&self) -> Result<CarrierReport, CarrierGone> {
        let (reply, answer) = sync_channel(1);
        self.orders.try_send(Order::Report(reply)).map_err(|_| CarrierGone)?;
        answer.recv_timeout(PATIENCE).map_err(|_| CarrierGone)
    }

    /// The figures of the moment; cheap enough to be asked for again and again. Waits a moment for them.
    ///
    /// # Errors
    /// [`CarrierGone`] after 10 s.
    pub fn live(&self) -> Result<LiveTotals, CarrierGone> {
        let (reply, answer) = sync_channel(1);
        self.orders.try_send(Order::Live(reply)).map_err(|_| CarrierGone)?;
        answer.recv_timeout(PATIENCE).map_err(|_| CarrierGone)
    }

    /// Ends the world as it is, without BYE to anybody, and gives the last report. Waits some milliseconds.
    ///
    /// # Errors
    /// [`CarrierGone`] after 10 s.
    pub fn stop(mut self) -> Result<CarrierReport, CarrierGone> {
        let (reply, answer) = sync_channel(1);
        self.orders.try_send(Order::Stop(reply)).map_err(|_| CarrierGone)?;
        let report = answer.recv_timeout(PATIENCE).map_err(|_| CarrierGone)?;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the simulated carrier's thread had panicked");
        }
        Ok(report)
    }
}

/// Whoever holds a [`PhoneHandle`] does not keep the world alive.
impl Drop for CarrierHandle {
    fn drop(&mut self) {
        let (nobody, _) = sync_channel(1);
        self.orders.try_send(Order::Stop(nobody)).ok();
    }
}

impl PhoneHandle {
    /// Its owner does something.
    ///
    /// # Errors
    /// [`CarrierGone`].
    pub fn order(&self, order: PhoneOrder) -> Result<(), CarrierGone> {
        self.orders.try_send(Order::Phone(self.phone, order)).map_err(|_| CarrierGone)
    }

    /// Presses keys (RFC 4733).
    ///
    /// # Errors
    /// [`CarrierGone`].
    pub fn press(&self, keys: &str) -> Result<(), CarrierGone> {
        self.order(PhoneOrder::Press(keys.to_owned()))
    }

    /// Falls silent at once, as a phone whose cable is pulled.
    ///
    /// # Errors
    /// [`CarrierGone`].
    pub fn die(&self) -> Result<(), CarrierGone> {
        self.order(PhoneOrder::Die)
    }
}

/// A thread that does not answer for so long has other troubles.
const PATIENCE: Duration = Duration::from_secs(10);
