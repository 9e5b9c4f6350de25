//! One leg: what it accepts, what it says, what it tells.
//!
//! The media thread hands in datagrams and a tick every 20 ms, and sends what is written into its buffer.
//! What the far end hears, first that applies: keys being sent, the sound being played, the partner's packets
//! as they come, silence. So it always hears 50 packets/s, from the first [`Session::set_remote`] on.

mod hearing;
mod speaking;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::logic::ids::LegId;
use crate::logic::media::MediaEvent;
use crate::logic::media::MediaStats;
use crate::logic::media::RemoteMedia;
use crate::logic::media::Sound;
use crate::logic::rtp::latch::Latch;
use crate::logic::rtp::liveness::Life;
use crate::logic::rtp::liveness::Liveness;
use crate::logic::rtp::liveness::LivenessLimits;
use crate::logic::rtp::player::Player;
use crate::logic::rtp::reception::Reception;
use crate::logic::rtp::reporter::Reporter;
use crate::logic::rtp::stream::OutgoingStream;
use crate::logic::rtp::telephone_event::KeyReceiver;
use crate::logic::rtp::telephone_event::KeySender;
use crate::logic::time::Tick;

pub use hearing::Audio;

/// One leg's media, without its sockets.
#[derive(Debug)]
pub struct Session {
    leg: LegId,
    remote: Option<RemoteMedia>,
    latch: Latch,
    feed: Feed,
    playing: Option<Playing>,
    /// The sound that came to its end and was not told yet.
    played: Option<u64>,
    keys_out: KeySender,
    key_started: u32,
    stream: OutgoingStream,
    keys_in: KeyReceiver,
    reception: Reception,
    liveness: Liveness,
    told: Told,
    keys_heard: VecDeque<char>,
    reporter: Reporter,
    refused: u64,
}

/// What the far end hears when nothing is played.
#[derive(Clone, Copy, Debug)]
enum Feed {
    Silence,
    /// `until`: when the partner's next packet is overdue and silence fills in; `None` while it does.
    Partner {
        until: Option<Tick>,
    },
}

#[derive(Debug)]
struct Playing {
    play: u64,
    player: Player,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    NotHeard,
    First(SocketAddr),
    Yes,
}

impl Session {
    /// A leg whose ports are bound. `seed` must be another for each leg of the installation.
    #[must_use]
    pub fn new(now: Tick, leg: LegId, seed: u64, limits: LivenessLimits) -> Self {
        Self {
            leg,
            remote: None,
            latch: Latch::default(),
            feed: Feed::Silence,
            playing: None,
            played: None,
            keys_out: KeySender::default(),
            key_started: 0,
            stream: OutgoingStream::new(now, seed),
            keys_in: KeyReceiver::default(),
            reception: Reception::default(),
            liveness: Liveness::new(limits),
            told: Told::NotHeard,
            keys_heard: VecDeque::new(),
            reporter: Reporter::new(seed),
            refused: 0,
        }
    }

    /// The leg.
    #[must_use]
    pub const fn leg(&self) -> LegId {
        self.leg
    }

    /// Packets thrown away so far.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Counts so far.
    #[must_use]
    pub fn stats(&self) -> MediaStats {
        MediaStats {
            received: self.reception.received(),
            sent: self.reporter.packets(),
            lost: self.reception.lost(),
            refused: self.refused,
        }
    }

    /// A new SDP of the far end.
    pub fn set_remote(&mut self, now: Tick, remote: RemoteMedia) {
        self.latch.reopen(now);
        self.liveness.watch(now, remote.send);
        self.remote = Some(remote);
        self.reporter.start(now);
    }

    /// From now on [`Session::forward`] is what the far end hears; `false`: silence.
    pub const fn set_bridged(&mut self, bridged: bool) {
        self.feed = if bridged { Feed::Partner { until: None } } else { Feed::Silence };
        self.stream.cut();
    }

    /// Plays instead of what was played before, which ends without `PlayDone`.
    pub fn play(&mut self, play: u64, sound: &Sound) {
        self.playing = Some(Playing { play, player: Player::new(sound) });
        self.resume();
    }

    /// Ends what is played.
    pub fn stop_play(&mut self) {
        if self.playing.take().is_some() {
            self.resume();
        }
    }

    /// Sends keys, if the far end understands them as packets.
    pub fn send_keys(&mut self, digits: &str) {
        if self.remote.as_ref().is_some_and(|remote| remote.telephone_event.is_some()) {
            self.keys_out.push(digits);
        }
    }

    /// What is to be told, one by one. While nobody asks, keys wait (32 of them) and of the rest only the last
    /// state counts, so nothing here grows.
    pub fn take_event(&mut self) -> Option<MediaEvent> {
        let leg = self.leg;
        if let Told::First(from) = self.told {
            self.told = Told::Yes;
            return Some(MediaEvent::FirstPacket { leg, from });
        }
        if let Some(digit) = self.keys_heard.pop_front() {
            return Some(MediaEvent::Digit { leg, digit });
        }
        self.liveness.take_change().map(|life| match life {
            Life::Alive => MediaEvent::Heard { leg },
            Life::Quiet => MediaEvent::Quiet { leg },
            Life::Dead => MediaEvent::Dead { leg },
        })
    }

    /// The sound that came to its end, once. Ask before each [`Session::play`]: only the last end is kept.
    pub fn take_play_done(&mut self) -> Option<MediaEvent> {
        let play = self.played.take()?;
        Some(MediaEvent::PlayDone { leg: self.leg, play })
    }

    /// Another source speaks next: it is marked, and a partner is waited for with silence.
    const fn resume(&mut self) {
        if let Feed::Partner { until } = &mut self.feed {
            *until = None;
        }
        self.stream.cut();
    }
}
