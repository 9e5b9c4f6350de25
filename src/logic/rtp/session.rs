//! One leg: what it accepts, what it says, what it tells.
//!
//! The media thread hands in datagrams and a tick every 20 ms, and sends what is written into its buffer.
//! What the far end hears, first that applies: keys being sent, the sound being played, the partner's packets
//! as they come, silence. So it always hears 50 packets/s, from the first [`Session::set_remote`] on.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::logic::ids::LegId;
use crate::logic::media::Codec;
use crate::logic::media::MediaEvent;
use crate::logic::media::MediaStats;
use crate::logic::media::RemoteMedia;
use crate::logic::media::Sound;
use crate::logic::rtp::FRAME;
use crate::logic::rtp::SAMPLE_RATE;
use crate::logic::rtp::g711;
use crate::logic::rtp::latch::Latch;
use crate::logic::rtp::liveness::Life;
use crate::logic::rtp::liveness::Liveness;
use crate::logic::rtp::liveness::LivenessLimits;
use crate::logic::rtp::packet::RtpHeader;
use crate::logic::rtp::packet::RtpPacket;
use crate::logic::rtp::player::Player;
use crate::logic::rtp::reception::Reception;
use crate::logic::rtp::reporter::Reporter;
use crate::logic::rtp::rtcp::Heard;
use crate::logic::rtp::stream::OutgoingStream;
use crate::logic::rtp::telephone_event::KeyReceiver;
use crate::logic::rtp::telephone_event::KeySender;
use crate::logic::rtp::telephone_event::KeyStep;
use crate::logic::time::Tick;

/// One leg's media, without its sockets.
#[derive(Debug)]
pub struct Session {
    leg: LegId,
    remote: Option<RemoteMedia>,
    latch: Latch,
    feed: Feed,
    playing: Option<Playing>,
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

/// Audio of one packet; borrows the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audio<'a> {
    /// As received.
    pub header: RtpHeader,
    /// From the payload type.
    pub codec: Codec,
    /// 1 to 960 bytes, one a sample.
    pub payload: &'a [u8],
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

    /// A datagram came to the RTP port: its audio, if it is the far end's and has any.
    pub fn receive<'a>(
        &mut self,
        now: Tick,
        from: SocketAddr,
        bytes: &'a [u8],
    ) -> Option<Audio<'a>> {
        let heard = self.recognise(now, from, bytes);
        if heard.is_none() {
            self.refused += 1;
        }
        let (packet, kind) = heard?;
        self.reception.record(now, packet.header);
        self.liveness.rtp(now);
        if self.told == Told::NotHeard {
            self.told = Told::First(from);
        }
        match kind {
            Kind::Audio(codec) => {
                Some(Audio { header: packet.header, codec, payload: packet.payload })
            }
            Kind::Key => {
                if let Some(key) = self.keys_in.receive(&packet)
                    && self.keys_heard.len() < MOST_KEYS
                {
                    self.keys_heard.push_back(key);
                }
                None
            }
            Kind::ComfortNoise => None,
        }
    }

    /// A datagram came to the RTCP port.
    pub fn receive_rtcp(&mut self, now: Tick, from: SocketAddr, bytes: &[u8]) {
        let known =
            self.remote.as_ref().is_some_and(|remote| self.latch.accepts_rtcp(remote, from));
        match Heard::parse(bytes, self.stream.ssrc()) {
            Ok(heard) if known => {
                self.liveness.rtcp(now);
                if let Some((ssrc, ntp)) = heard.sender_report {
                    self.reception.sender_report(now, ssrc, ntp);
                }
            }
            Ok(_) | Err(_) => self.refused += 1,
        }
    }

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

    /// About every 5 s (RFC 3550 §6.2): writes the report that is due and says to which RTCP port it goes.
    pub fn report(&mut self, now: Tick, out: &mut Vec<u8>) -> Option<SocketAddr> {
        if self.reporter.is_due(now) { self.write_report(now, false, out) } else { None }
    }

    /// The last report, with BYE (RFC 3550 §6.6).
    pub fn farewell(&mut self, now: Tick, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.write_report(now, true, out)
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

    /// The sound that came to its end, once.
    pub fn take_play_done(&mut self) -> Option<MediaEvent> {
        let over = self.playing.as_ref().is_some_and(|playing| playing.player.is_over());
        let playing = if over { self.playing.take()? } else { return None };
        self.resume();
        Some(MediaEvent::PlayDone { leg: self.leg, play: playing.play })
    }

    fn recognise<'a>(
        &mut self,
        now: Tick,
        from: SocketAddr,
        bytes: &'a [u8],
    ) -> Option<(RtpPacket<'a>, Kind)> {
        let packet = RtpPacket::parse(bytes).ok()?;
        let remote = self.remote.as_ref()?;
        let kind = match packet.header.payload_type {
            known if Some(known) == remote.telephone_event => Kind::Key,
            COMFORT_NOISE => Kind::ComfortNoise,
            other => Kind::Audio(Codec::from_payload_type(other)?),
        };
        let sized = match kind {
            Kind::Audio(_) => (1..=LONGEST_PAYLOAD).contains(&packet.payload.len()),
            Kind::Key => packet.payload.len() >= 4,
            Kind::ComfortNoise => true,
        };
        (sized && self.latch.accept(now, remote, from)).then_some((packet, kind))
    }

    /// Where to and how, if anything may be sent.
    fn speaking(&self) -> Option<(SocketAddr, Codec)> {
        let remote = self.remote.as_ref().filter(|remote| remote.send)?;
        let to = self.latch.target(remote);
        (to.port() != 0 && !to.ip().is_unspecified()).then_some((to, remote.codec))
    }

    /// Another source speaks next: it is marked, and a partner is waited for with silence.
    const fn resume(&mut self) {
        if let Feed::Partner { until } = &mut self.feed {
            *until = None;
        }
        self.stream.cut();
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

#[derive(Clone, Copy)]
enum Kind {
    Audio(Codec),
    Key,
    ComfortNoise,
}

/// RFC 3389.
const COMFORT_NOISE: u8 = 13;
/// 120 ms; nobody sends more in one packet.
const LONGEST_PAYLOAD: usize = 960;
/// A partner that sends nothing for this long, or for two of its packets, is filled in with silence.
const FILL_AFTER: Duration = Duration::from_millis(40);
/// Keys that wait to be told: over two seconds of dialing by machine.
const MOST_KEYS: usize = 32;
/// [`FRAME`] as RTP counts.
const FRAME_SAMPLES: u32 = 160;

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: &str = "192.0.2.1:4000";
    const MS: Duration = Duration::from_millis(1);

    fn far() -> SocketAddr {
        FAR.parse().unwrap()
    }

    fn remote() -> RemoteMedia {
        RemoteMedia {
            rtp: far(),
            codec: Codec::Pcmu,
            telephone_event: Some(101),
            send: true,
            sources: vec![],
            any_source: false,
        }
    }

    fn session(seed: u64) -> Session {
        let mut session = Session::new(Tick::START, LegId(1), seed, LivenessLimits::default());
        session.set_remote(Tick::START, remote());
        session
    }

    fn packet(payload_type: u8, sequence: u16, payload: &[u8]) -> Vec<u8> {
        let timestamp = u32::from(sequence) * 160;
        let mut bytes = vec![];
        RtpHeader { marker: false, payload_type, sequence, timestamp, ssrc: 5 }.write(&mut bytes);
        bytes.extend_from_slice(payload);
        bytes
    }

    fn audio(sequence: u16, codec: Codec, payload: &[u8]) -> Audio<'_> {
        let header = RtpHeader {
            marker: false,
            payload_type: codec.payload_type(),
            sequence,
            timestamp: u32::from(sequence) * 160,
            ssrc: 5,
        };
        Audio { header, codec, payload }
    }

    fn ticked(session: &mut Session, now: Tick) -> Option<(RtpHeader, Vec<u8>)> {
        let mut out = vec![];
        session.tick(now, &mut out)?;
        let packet = RtpPacket::parse(&out).unwrap();
        Some((packet.header, packet.payload.to_vec()))
    }

    #[test]
    fn silence_leaves_at_fifty_packets_a_second_once_the_far_end_is_known() {
        let mut fresh = Session::new(Tick::START, LegId(1), 1, LivenessLimits::default());
        assert_eq!(ticked(&mut fresh, Tick::START), None);
        let mut session = session(1);
        let sent = (0..50).filter_map(|n| ticked(&mut session, Tick::START + 20 * n * MS));
        assert_eq!(sent.filter(|(_, payload)| *payload == [0xff; FRAME]).count(), 50);
        assert_eq!(session.stats().sent, 50);
    }

    #[test]
    fn nothing_is_sent_to_a_far_end_that_holds_us() {
        let mut session = session(1);
        session.set_remote(Tick::START, RemoteMedia { send: false, ..remote() });
        assert_eq!(ticked(&mut session, Tick::START + 20 * MS), None);
        let mut out = vec![];
        let later = Tick::START + 8_000 * MS;
        assert_eq!(session.report(later, &mut out), Some("192.0.2.1:4001".parse().unwrap()));
        assert!(Heard::parse(&out, 0).is_ok());
    }

    #[test]
    fn a_talking_partner_is_all_that_is_heard_and_its_pauses_are_filled() {
        let mut session = session(1);
        session.set_bridged(true);
        let mut out = vec![];
        let mut now = Tick::START;
        assert!(ticked(&mut session, now).is_some(), "silence until the partner speaks");
        for n in 0..10 {
            now = now + 20 * MS;
            assert_eq!(
                session.forward(now, &audio(n, Codec::Pcmu, &[1; FRAME]), &mut out),
                Some(far())
            );
            assert_eq!(ticked(&mut session, now + 10 * MS), None);
        }
        assert_eq!(ticked(&mut session, now + 39 * MS), None);
        let (header, payload) = ticked(&mut session, now + 41 * MS).unwrap();
        assert!(header.marker);
        assert_eq!(payload, [0xff; FRAME]);
        assert!(!ticked(&mut session, now + 61 * MS).unwrap().0.marker);
        now = now + 70 * MS;
        assert!(session.forward(now, &audio(11, Codec::Pcmu, &[1; FRAME]), &mut out).is_some());
        assert!(RtpPacket::parse(&out).unwrap().header.marker);
    }

    #[test]
    fn a_partner_with_long_packets_is_not_interrupted() {
        let mut session = session(1);
        session.set_bridged(true);
        let mut out = vec![];
        session.forward(Tick::START, &audio(1, Codec::Pcmu, &[1; 480]), &mut out).unwrap();
        assert_eq!(ticked(&mut session, Tick::START + 80 * MS), None);
        assert!(ticked(&mut session, Tick::START + 121 * MS).is_some());
    }

    #[test]
    fn a_law_is_said_to_a_mu_law_leg_as_mu_law() {
        let mut session = session(1);
        session.set_bridged(true);
        let mut out = vec![];
        let payload = [g711::encode(Codec::Pcma, 8_000); FRAME];
        session.forward(Tick::START, &audio(1, Codec::Pcma, &payload), &mut out).unwrap();
        let packet = RtpPacket::parse(&out).unwrap();
        assert_eq!(packet.header.payload_type, 0);
        let heard = g711::decode(Codec::Pcmu, packet.payload[0]);
        assert!((7_600..8_400).contains(&heard), "{heard}");
    }

    #[test]
    fn a_sound_goes_before_the_partner_and_tells_its_end() {
        let mut session = session(1);
        session.set_bridged(true);
        session.play(77, &Sound::Tone { hz: 1_000, millis: 40, level: 0.5 });
        let mut out = vec![];
        assert_eq!(
            session.forward(Tick::START, &audio(1, Codec::Pcmu, &[1; FRAME]), &mut out),
            None
        );
        for n in 0..2 {
            assert_eq!(session.take_play_done(), None);
            let (_, payload) = ticked(&mut session, Tick::START + 20 * n * MS).unwrap();
            assert_ne!(payload, [0xff; FRAME]);
        }
        let done = MediaEvent::PlayDone { leg: LegId(1), play: 77 };
        assert_eq!(session.take_play_done(), Some(done));
        assert_eq!(session.take_play_done(), None);
        let now = Tick::START + 40 * MS;
        assert!(session.forward(now, &audio(2, Codec::Pcmu, &[1; FRAME]), &mut out).is_some());
        assert!(RtpPacket::parse(&out).unwrap().header.marker);
    }

    #[test]
    fn a_stopped_sound_tells_nothing() {
        let mut session = session(1);
        session.play(1, &Sound::Tone { hz: 1_000, millis: 0, level: 0.5 });
        assert_ne!(ticked(&mut session, Tick::START).unwrap().1, [0xff; FRAME]);
        session.stop_play();
        assert_eq!(session.take_play_done(), None);
        let (header, payload) = ticked(&mut session, Tick::START + 20 * MS).unwrap();
        assert!(header.marker);
        assert_eq!(payload, [0xff; FRAME]);
    }

    #[test]
    fn a_sound_comes_to_its_end_even_while_the_far_end_holds_us() {
        let mut session = session(1);
        session.set_remote(Tick::START, RemoteMedia { send: false, ..remote() });
        session.play(1, &Sound::Tone { hz: 1_000, millis: 20, level: 0.5 });
        assert_eq!(ticked(&mut session, Tick::START), None);
        assert_eq!(session.take_play_done(), Some(MediaEvent::PlayDone { leg: LegId(1), play: 1 }));
    }

    #[test]
    fn keys_are_said_instead_of_the_partner_with_one_timestamp_each() {
        let mut session = session(1);
        session.set_bridged(true);
        session.send_keys("5");
        let mut out = vec![];
        let sent: Vec<_> = (0..8)
            .map(|n| {
                let now = Tick::START + 20 * n * MS;
                let partner = audio(u16::try_from(n).unwrap(), Codec::Pcmu, &[1; FRAME]);
                let forwarded = session.forward(now, &partner, &mut out).is_some();
                assert_eq!(forwarded, n == 7, "the pause of the last 20 ms may be spoken in");
                ticked(&mut session, now).map(|(header, _)| header)
            })
            .collect();
        let keys: Vec<_> = sent.iter().flatten().filter(|h| h.payload_type == 101).collect();
        assert_eq!(keys.len(), 7);
        assert!(keys.iter().all(|h| h.timestamp == keys[0].timestamp));
        assert_eq!(keys.iter().filter(|h| h.marker).count(), 1);
        assert_eq!(
            RtpPacket::parse(&out).unwrap().header.sequence,
            keys[6].sequence.wrapping_add(1)
        );
    }

    #[test]
    fn keys_heard_are_told_once_and_not_forwarded() {
        let mut session = session(1);
        for n in 0..3 {
            assert_eq!(
                session.receive(Tick::START, far(), &packet(101, n, &[3, 10, 0, 160])),
                None
            );
        }
        assert!(matches!(session.take_event(), Some(MediaEvent::FirstPacket { .. })));
        // Each packet here has a timestamp of its own 20 ms on: a phone that moves it.
        assert_eq!(session.take_event(), Some(MediaEvent::Digit { leg: LegId(1), digit: '3' }));
        assert_eq!(session.take_event(), None);
    }

    #[test]
    fn strangers_and_rubbish_are_counted_and_wake_nobody() {
        let mut session = session(1);
        let stranger = "198.51.100.1:4000".parse().unwrap();
        assert_eq!(session.receive(Tick::START, stranger, &packet(0, 1, &[1; FRAME])), None);
        assert_eq!(session.receive(Tick::START, far(), b"rubbish"), None);
        assert_eq!(session.receive(Tick::START, far(), &packet(96, 1, &[1; FRAME])), None);
        assert_eq!(session.receive(Tick::START, far(), &packet(0, 1, &[])), None);
        assert_eq!(session.receive(Tick::START, far(), &packet(0, 1, &[1; 961])), None);
        session.receive_rtcp(Tick::START, far(), b"rubbish");
        assert_eq!(session.stats(), MediaStats { refused: 6, ..MediaStats::default() });
        assert_eq!(session.take_event(), None);
        assert!(session.receive(Tick::START, far(), &packet(8, 1, &[1; FRAME])).is_some());
    }

    #[test]
    fn reports_go_to_the_next_port_and_the_last_one_says_goodbye() {
        let mut session = session(42);
        session.receive(Tick::START, far(), &packet(0, 1, &[1; FRAME]));
        let (mut out, now) = (vec![], Tick::START + 8_000 * MS);
        assert_eq!(session.report(now, &mut out), Some("192.0.2.1:4001".parse().unwrap()));
        assert_eq!(Heard::parse(&out, 5).unwrap().about_us.unwrap().highest_sequence, 1);
        assert_eq!(session.report(now, &mut out), None);
        session.farewell(now, &mut out).unwrap();
        assert!(Heard::parse(&out, 0).unwrap().bye);
    }
}
