//! What one leg says: keys, sounds, the partner or silence as RTP, and its reports as RTCP.

use std::net::SocketAddr;
use std::time::Duration;

use crate::logic::media::Codec;
use crate::logic::rtp::FRAME;
use crate::logic::rtp::SAMPLE_RATE;
use crate::logic::rtp::g711;
use crate::logic::rtp::session::Audio;
use crate::logic::rtp::session::Feed;
use crate::logic::rtp::session::Session;
use crate::logic::rtp::telephone_event::KeyStep;
use crate::logic::time::Tick;

impl Session {
    /// The partner's audio, to be sent at once: writes the packet into `out` and says where it goes.
    pub fn forward(
        &mut self,
        now: Tick,
        audio: &Audio<'_>,
        out: &mut Vec<u8>,
    ) -> Option<SocketAddr> {
        let (Feed::Partner { .. }, None, false) =
            (self.feed, &self.playing, self.keys_out.is_speaking())
        else {
            return None;
        };
        let (to, codec) = self.speaking()?;
        let samples = u32::try_from(audio.payload.len()).unwrap_or(0);
        let header = self.stream.relay(now, audio.header, codec.payload_type(), samples)?;
        let gap = Duration::from_micros(u64::from(samples) * 2_000_000 / u64::from(SAMPLE_RATE));
        self.feed = Feed::Partner { until: Some(now + gap.max(FILL_AFTER)) };
        out.clear();
        header.write(out);
        g711::translate(audio.payload, audio.codec, codec, out);
        self.reporter.sent(audio.payload.len());
        Some(to)
    }

    /// Every 20 ms: writes the packet that is due, if one is, and says where it goes.
    pub fn tick(&mut self, now: Tick, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.liveness.tick(now);
        let to = self.say(now, out);
        // The partner goes on from here, whether or not anybody asks for the end of the sound.
        if let Some(over) = self.playing.take_if(|playing| playing.player.is_over()) {
            self.played = Some(over.play);
            self.resume();
        }
        to
    }

    /// About every 5 s (RFC 3550 §6.2): writes the report that is due and says to which RTCP port it goes.
    pub fn report(&mut self, now: Tick, out: &mut Vec<u8>) -> Option<SocketAddr> {
        if self.reporter.is_due(now) { self.write_report(now, false, out) } else { None }
    }

    /// The last report, with BYE (RFC 3550 §6.6).
    pub fn farewell(&mut self, now: Tick, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.write_report(now, true, out)
    }

    fn say(&mut self, now: Tick, out: &mut Vec<u8>) -> Option<SocketAddr> {
        // Sounds and keys go by even while the far end holds us: their end must come.
        let key = self.keys_out.step();
        let speaking = key.is_none() || key == Some(KeyStep::Pause);
        let frame = self
            .playing
            .as_mut()
            .filter(|_| speaking)
            .and_then(|playing| playing.player.next_frame());
        let (to, codec) = self.speaking()?;
        out.clear();
        if let Some(KeyStep::Packet { first, duration, payload }) = key
            && let Some(payload_type) = self.remote.as_ref().and_then(|r| r.telephone_event)
        {
            if first {
                self.key_started = self.stream.event_start(now);
            }
            self.resume();
            self.stream.event(payload_type, first, self.key_started, duration).write(out);
            out.extend_from_slice(&payload);
            self.reporter.sent(payload.len());
            return Some(to);
        }
        if let Some(frame) = frame {
            self.stream.own(now, codec.payload_type(), FRAME_SAMPLES).write(out);
            out.extend(frame.iter().map(|sample| g711::encode(codec, *sample)));
            self.reporter.sent(FRAME);
            return Some(to);
        }
        if let Feed::Partner { until: Some(until) } = self.feed {
            if now < until {
                return None;
            }
            self.resume();
        }
        self.stream.own(now, codec.payload_type(), FRAME_SAMPLES).write(out);
        out.extend(std::iter::repeat_n(codec.silence(), FRAME));
        self.reporter.sent(FRAME);
        Some(to)
    }

    /// Where to and how, if anything may be sent.
    fn speaking(&self) -> Option<(SocketAddr, Codec)> {
        let remote = self.remote.as_ref().filter(|remote| remote.send)?;
        let to = self.latch.target(remote);
        (to.port() != 0 && !to.ip().is_unspecified()).then_some((to, remote.codec))
    }

    fn write_report(&mut self, now: Tick, bye: bool, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let remote = self.remote.as_ref()?;
        let mut to = self.latch.target(remote);
        to.set_port(to.port().checked_add(1)?);
        if to.port() == 1 || to.ip().is_unspecified() {
            return None;
        }
        self.reporter.write(now, &self.stream, &mut self.reception, bye, out);
        Some(to)
    }
}

/// A partner that sends nothing for this long, or for two of its packets, is filled in with silence.
const FILL_AFTER: Duration = Duration::from_millis(40);
/// [`FRAME`] as RTP counts.
const FRAME_SAMPLES: u32 = 160;
