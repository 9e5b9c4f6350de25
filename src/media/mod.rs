//! Audio on a thread of its own: relay, silence, sounds, keys.
//!
//! ```text
//! dialer --MediaCommand, bounded--> media thread --MediaEvent, bounded--> dialer
//!              sockets of all legs <--'   '--TapFrame, bounded--> listeners
//! ```
//! The thread owns a pair of sockets for each leg and never waits for anybody: a datagram that cannot be sent
//! is lost, a full command queue is the sender's to answer (hang the leg up), events that do not fit wait
//! here without growing, frames of the tap are dropped and counted. What is said and heard is decided
//! by [`crate::logic::rtp`].
//!
//! One thread carries more calls than one process of ours places (some 1,000 a core), and both legs of a
//! bridge must be on one thread, so there is one. More cores are used by more processes.

use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use crate::logic::media::MediaCommand;
use crate::logic::media::MediaEvent;
use crate::logic::rtp::liveness::LivenessLimits;

pub use crate::media::clock::MediaClock;
pub use crate::media::tap::TapFrame;

mod clock;
mod outbox;
mod relay;
mod tap;
mod thread;

/// What the media thread is told once.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// Where ports are bound. Far ends must be of the same family.
    pub bind: IpAddr,
    /// Ports for RTP (even) and RTCP (odd), both ends included.
    pub ports: RangeInclusive<u16>,
    /// Legs at one time; one more is answered by `OpenFailed`.
    pub max_legs: usize,
    /// Commands that may wait.
    pub command_queue: usize,
    /// When a leg is quiet and when it is dead.
    pub liveness: LivenessLimits,
    /// SSRC and first numbers come from it: another for each start of a process.
    pub seed: u64,
    /// The process's clock.
    pub clock: MediaClock,
    /// Where copies of received audio go.
    pub tap: Option<SyncSender<TapFrame>>,
}

impl MediaSettings {
    /// The usual bounds.
    #[must_use]
    pub fn new(bind: IpAddr, ports: RangeInclusive<u16>, seed: u64, clock: MediaClock) -> Self {
        Self {
            bind,
            ports,
            max_legs: 4_096,
            command_queue: 16_384,
            liveness: LivenessLimits::default(),
            seed,
            clock,
            tap: None,
        }
    }
}

/// The command did not fit: hang its leg up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the media thread does not keep up (or is gone); the leg must be hung up")]
pub struct MediaFull;

/// The media thread could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the media thread: {0}; are there file descriptors and memory left?")]
pub struct MediaStartError(#[from] io::Error);

/// Gives commands to the media thread, from any thread, without waiting.
#[derive(Clone, Debug)]
pub struct MediaHandle {
    commands: SyncSender<MediaCommand>,
    waker: Arc<mio::Waker>,
}

impl MediaHandle {
    /// Commands of one sender are obeyed in their order.
    ///
    /// # Errors
    /// [`MediaFull`]: the command is lost.
    pub fn send(&self, command: MediaCommand) -> Result<(), MediaFull> {
        self.commands.try_send(command).map_err(|_| MediaFull)?;
        self.waker.wake().map_err(|_| MediaFull)
    }
}

/// The running thread. Dropped, it is told to stop and not waited for.
#[derive(Debug)]
pub struct MediaThreads {
    stop: Arc<AtomicBool>,
    waker: Arc<mio::Waker>,
    thread: Option<JoinHandle<()>>,
}

impl MediaThreads {
    /// Says goodbye on every leg (RTCP BYE), frees all ports and waits for the end, some milliseconds. No
    /// `Closed` follows.
    pub fn stop(mut self) {
        self.tell();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the media thread had panicked");
        }
    }

    fn tell(&self) {
        self.stop.store(true, Ordering::Release);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake the media thread");
        }
    }
}

impl Drop for MediaThreads {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.tell();
        }
    }
}

/// Starts the media thread; its events go to `events`.
///
/// # Errors
/// [`MediaStartError`] when the system gives no thread or no poll.
pub fn start(
    settings: MediaSettings,
    events: tokio::sync::mpsc::Sender<MediaEvent>,
) -> Result<(MediaHandle, MediaThreads), MediaStartError> {
    let (commands, inbox) = std::sync::mpsc::sync_channel(settings.command_queue);
    let stop = Arc::new(AtomicBool::new(false));
    let engine = thread::Engine::new(settings, inbox, events, Arc::clone(&stop))?;
    let waker = engine.waker();
    let thread = std::thread::Builder::new().name("media".to_owned()).spawn(|| engine.run())?;
    let handle = MediaHandle { commands, waker: Arc::clone(&waker) };
    Ok((handle, MediaThreads { stop, waker, thread: Some(thread) }))
}
