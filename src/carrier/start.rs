//! Binds every socket before anything is promised, then hands all to the exchange's thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use tokio::sync::mpsc;

use crate::carrier::CarrierHandle;
use crate::carrier::CarrierSettings;
use crate::carrier::ears;
use crate::carrier::exchange::Exchange;
use crate::carrier::exchange::Inlets;
use crate::carrier::exchange::PhoneSlot;
use crate::media::MediaClock;
use crate::media::MediaSettings;
use crate::media::MediaStartError;
use crate::simulation::agent_brain::AgentBrain;
use crate::simulation::carrier as machine;
use crate::simulation::phone::Phone;
use crate::simulation::phone::PhoneSettings;
use crate::wire::udp::BindError;
use crate::wire::udp::SIP_BUFFER;
use crate::wire::udp::SipSocket;

/// The simulated world could not be started.
#[derive(Debug, thiserror::Error)]
pub enum CarrierStartError {
    /// A SIP socket.
    #[error("the simulated carrier: {0}")]
    Bind(#[from] BindError),
    /// The media thread.
    #[error("the simulated carrier: {0}")]
    Media(#[from] MediaStartError),
    /// A thread or its runtime.
    #[error(
        "cannot start the simulated carrier's thread: {0}; are there memory and file descriptors left?"
    )]
    Thread(#[from] io::Error),
}

/// Starts the world; when this returns, the carrier and all phones take calls.
///
/// # Errors
/// [`CarrierStartError`]; nothing is left running then.
pub fn start(settings: CarrierSettings) -> Result<CarrierHandle, CarrierStartError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let entered = runtime.enter();
    let clock = MediaClock::new();
    let trunk = SipSocket::bind(SocketAddr::new(settings.ip, settings.sip_port), SIP_BUFFER)?;
    let sip_addr = trunk.local_addr();
    let carrier = machine::Carrier::new(machine::CarrierSettings {
        sip: sip_addr,
        rtp: settings.ip,
        peers: settings.peers.clone(),
        book: settings.book.clone(),
        seed: settings.seed,
        digest: settings.digest.clone(),
        channels: settings.channels,
        calls_per_second: settings.calls_per_second,
    });
    let mut phones = Vec::new();
    let mut sockets = vec![Arc::new(trunk)];
    let mut addresses = Vec::new();
    for plan in &settings.phones {
        let socket = SipSocket::bind(SocketAddr::new(settings.ip, 0), PHONE_BUFFER)?;
        addresses.push((plan.name.clone(), socket.local_addr()));
        let phone = Phone::new(PhoneSettings {
            name: plan.name.clone(),
            sip: socket.local_addr(),
            rtp: settings.ip,
            peers: settings.peers.clone(),
            pick_up_after: plan.pick_up_after,
            codec: plan.codec,
            voice: plan.voice,
            seed: settings.seed,
        });
        let brain =
            plan.brain.clone().map(|brain| AgentBrain::new(settings.seed, &plan.name, brain));
        phones.push(PhoneSlot { name: plan.name.clone(), phone, brain });
        sockets.push(Arc::new(socket));
    }

    let (media_events, from_media) = mpsc::channel(QUEUE);
    let (tones, from_ears) = mpsc::channel(QUEUE);
    let mut media = MediaSettings::new(settings.ip, settings.rtp_ports, settings.seed, clock);
    if !settings.listen_for.is_empty() {
        let (tap, frames) = sync_channel(ears::TAP_QUEUE);
        media.tap = Some(tap);
        // It ends by itself when the media thread, which holds the other end of the tap, is gone.
        ears::start(settings.listen_for.clone(), frames, tones)?;
    }
    let (handle, threads) = crate::media::start(media, media_events)?;

    let (orders, from_owner) = mpsc::channel(QUEUE);
    let (wishes, wished) = mpsc::channel(QUEUE);
    let listens = !settings.listen_for.is_empty();
    let exchange = Exchange::new(carrier, phones, sockets, handle, wishes, clock, listens);
    let inlets = Inlets { orders: from_owner, media: from_media, tones: from_ears };
    drop(entered);
    let thread = std::thread::Builder::new().name("carrier".to_owned()).spawn(move || {
        runtime.block_on(exchange.run(inlets));
        threads.stop();
    })?;
    Ok(CarrierHandle {
        sip_addr,
        phones: addresses,
        orders,
        wishes: Some(wished),
        thread: Some(thread),
    })
}

/// Orders, media events, tones that wait.
const QUEUE: usize = 16_384;

/// A phone has one call.
const PHONE_BUFFER: usize = 64 << 10;
