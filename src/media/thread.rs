//! The loop of the media thread: wait for packets, a command or the next tick.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use mio::Events;
use mio::Poll;
use mio::Token;
use mio::Waker;
use tokio::sync::mpsc::Sender;

use crate::logic::media::MediaCommand;
use crate::logic::media::MediaEvent;
use crate::logic::time::Tick;
use crate::media::MediaClock;
use crate::media::MediaSettings;
use crate::media::relay::Drained;
use crate::media::relay::Legs;

/// The thread's state.
#[derive(Debug)]
pub(super) struct Engine {
    poll: Poll,
    waker: Arc<Waker>,
    inbox: Receiver<MediaCommand>,
    stop: Arc<AtomicBool>,
    clock: MediaClock,
    legs: Legs,
    /// Sockets that still had packets when their turn was over.
    unfinished: Vec<Token>,
    next_tick: Tick,
    phase: usize,
}

impl Engine {
    pub(super) fn new(
        settings: MediaSettings,
        inbox: Receiver<MediaCommand>,
        events: Sender<MediaEvent>,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let clock = settings.clock;
        let legs = Legs::new(settings, poll.registry().try_clone()?, events);
        Ok(Self {
            poll,
            waker,
            inbox,
            stop,
            clock,
            legs,
            unfinished: vec![],
            next_tick: clock.now(),
            phase: 0,
        })
    }

    pub(super) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(1_024);
        let mut ready = vec![];
        let mut hurry = false;
        while !self.stop.load(Ordering::Acquire) {
            let timeout = if hurry || !self.unfinished.is_empty() {
                Some(Duration::ZERO)
            } else if self.legs.is_idle() {
                None
            } else {
                Some(self.next_tick.since(self.clock.now()))
            };
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the media thread cannot wait for packets, and stops");
                break;
            }
            let was_idle = self.legs.is_idle();
            hurry = self.obey();
            if was_idle && !self.legs.is_idle() {
                self.next_tick = self.clock.now();
            }
            ready.clear();
            ready.append(&mut self.unfinished);
            ready.extend(events.iter().map(|event| event.token()).filter(|token| *token != WAKE));
            for token in &ready {
                match self.legs.drain(self.clock.now(), *token) {
                    Drained::Empty => {}
                    Drained::More if self.unfinished.contains(token) => {}
                    Drained::More => self.unfinished.push(*token),
                }
            }
            self.tick();
        }
        self.legs.close_all(self.clock.now());
    }

    /// Obeys waiting commands; whether there may be more.
    fn obey(&mut self) -> bool {
        for _ in 0..COMMANDS_A_TURN {
            if self.legs.is_stuffed() {
                return false;
            }
            match self.inbox.try_recv() {
                Ok(command) => self.legs.obey(self.clock.now(), command),
                Err(_) => return false,
            }
        }
        true
    }

    /// Deadlines are counted on from one another, so that no delay adds up. What a stall made late is left
    /// out: a burst of old silence helps nobody.
    fn tick(&mut self) {
        if self.legs.is_idle() {
            return;
        }
        let now = self.clock.now();
        if now.since(self.next_tick) > STALL {
            self.next_tick = now;
        }
        while self.next_tick <= now {
            self.legs.tick(now, self.phase, PHASES);
            self.phase = (self.phase + 1) % PHASES;
            self.next_tick = self.next_tick + TICK;
        }
    }
}

/// Wakes the thread for commands and the end; sockets count from 0.
const WAKE: Token = Token(usize::MAX);
/// Each leg has its turn every 20 ms; legs are spread over four, so that many do not delay the relay.
const PHASES: usize = 4;
const TICK: Duration = Duration::from_millis(5);
const STALL: Duration = Duration::from_millis(60);
/// Then packets have their turn.
const COMMANDS_A_TURN: usize = 256;
