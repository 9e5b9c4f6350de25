//! The media thread on real sockets: a dialer's side, and far ends that are media threads or bare sockets.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]
#![expect(clippy::indexing_slicing, reason = "a short buffer is a failed test")]
#![expect(clippy::panic, reason = "an event that does not come is a failed test")]

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::ops::RangeInclusive;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use outdial::logic::ids::LegId;
use outdial::logic::media::Codec;
use outdial::logic::media::MediaCommand;
use outdial::logic::media::MediaEvent;
use outdial::logic::media::MediaStats;
use outdial::logic::media::RemoteMedia;
use outdial::logic::media::Sound;
use outdial::logic::rtp::goertzel::amplitude;
use outdial::logic::rtp::liveness::LivenessLimits;
use outdial::logic::rtp::packet::RtpHeader;
use outdial::logic::rtp::packet::RtpPacket;
use outdial::logic::rtp::rtcp::Heard;
use outdial::logic::time::Tick;
use outdial::media::MediaClock;
use outdial::media::MediaFull;
use outdial::media::MediaHandle;
use outdial::media::MediaSettings;
use outdial::media::MediaThreads;
use outdial::media::TapFrame;
use outdial::media::start;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn each_side_of_a_bridge_hears_the_other_and_codecs_may_differ() {
    let mut dialer = Side::start(31_000..=31_019);
    let mut phones = Side::start(31_020..=31_039);
    for (leg, codec, hz) in [(1, Codec::Pcmu, 1_000), (2, Codec::Pcma, 440)] {
        connect(&mut dialer, &mut phones, leg, codec);
        phones.send(MediaCommand::Tap { leg: LegId(leg), on: true });
        phones.send(play(leg, hz, 0));
    }
    dialer.send(MediaCommand::Bridge { a: LegId(1), b: LegId(2) });
    let heard = phones.heard(&[1, 2], 8_000);
    assert!(tone(&heard[0], 440) > 0.4 && tone(&heard[0], 1_000) < 0.05, "leg 1 hears leg 2");
    assert!(tone(&heard[1], 1_000) > 0.4 && tone(&heard[1], 440) < 0.05, "leg 2 hears leg 1");

    dialer.send(MediaCommand::Unbridge { leg: LegId(2) });
    phones.drop_heard(2_000);
    let heard = phones.heard(&[1, 2], 1_600);
    assert!(heard.iter().flatten().all(|sample| sample.abs() <= 8), "silence after the bridge");
    dialer.threads.stop();
    phones.threads.stop();
}

#[test]
fn a_leg_hears_fifty_packets_of_silence_a_second_from_its_first_sdp_on() {
    let mut dialer = Side::start(31_040..=31_049);
    let phone = bare_phone("127.0.0.1:0");
    dialer.open(1);
    dialer.send(remote(1, phone.local_addr().unwrap()));
    let clock = MediaClock::new();
    let first = received(&phone).0;
    let mut last = first;
    for n in 1..=50u16 {
        let (header, payload) = received(&phone);
        assert_eq!(header.sequence, first.sequence.wrapping_add(n));
        assert_eq!(header.ssrc, first.ssrc);
        assert_eq!(payload, [0xff; 160]);
        last = header;
    }
    let elapsed = clock.now().since(Tick::START);
    // A busy machine may be late; early it must never be.
    assert!((Duration::from_millis(900)..Duration::from_secs(4)).contains(&elapsed), "{elapsed:?}");
    let samples = last.timestamp.wrapping_sub(first.timestamp);
    assert!((7_500..32_000).contains(&samples), "{samples} samples in {elapsed:?}");
}

#[test]
fn a_swap_of_partners_is_one_stream_with_a_marker() {
    let mut dialer = Side::start(31_050..=31_069);
    let mut phones = Side::start(31_070..=31_089);
    let agent = bare_phone("127.0.0.1:0");
    dialer.open(1);
    dialer.send(remote(1, agent.local_addr().unwrap()));
    for (leg, hz) in [(2, 1_000), (3, 440)] {
        connect(&mut dialer, &mut phones, leg, Codec::Pcmu);
        phones.send(play(leg, hz, 0));
    }
    let mut last = received(&agent).0;
    let mut markers = 0;
    for (customer, own, other) in [(2, 1_000, 440), (3, 440, 1_000), (2, 1_000, 440)] {
        dialer.send(MediaCommand::Bridge { a: LegId(1), b: LegId(customer) });
        let mut samples = vec![];
        while samples.len() < 20 * 160 {
            let (header, payload) = received(&agent);
            assert_eq!(header.ssrc, last.ssrc);
            assert_eq!(header.sequence, last.sequence.wrapping_add(1));
            markers += u32::from(header.marker);
            if header.marker {
                samples.clear();
            }
            last = header;
            samples.extend(decoded(&payload));
        }
        let late = &samples[10 * 160..];
        assert!(tone(late, own) > 0.4 && tone(late, other) < 0.05, "customer {customer}");
    }
    assert!(markers >= 3, "one at each switch");
}

#[test]
fn the_first_allowed_source_is_locked_and_all_others_are_refused() {
    let mut dialer = Side::start(31_090..=31_099);
    let to = SocketAddr::new(HERE, dialer.open(1));
    let (said, real) = (bare_phone("127.0.0.1:0"), bare_phone("127.0.0.1:0"));
    let stranger = bare_phone("127.0.0.2:0");
    dialer.send(remote(1, said.local_addr().unwrap()));
    received(&said);
    speak(&stranger, to, 0, 1);
    speak(&real, to, 0, 1);
    assert_eq!(
        dialer.event(),
        MediaEvent::FirstPacket { leg: LegId(1), from: real.local_addr().unwrap() }
    );
    received(&real);
    speak(&stranger, to, 0, 2);
    speak(&bare_phone("127.0.0.1:0"), to, 0, 2);
    speak(&real, to, 8, 2);
    speak(&real, to, 77, 3);
    real.send_to(b"\x80rubbish", to).unwrap();
    // A stranger on the RTCP port too, which says nothing to anybody.
    real.send_to(&[0xff; 2_500], SocketAddr::new(HERE, to.port() + 1)).unwrap();
    // All of these have been looked at once the tap has the next one.
    dialer.send(MediaCommand::Tap { leg: LegId(1), on: true });
    speak(&real, to, 0, 5);
    while dialer.tap.recv_timeout(PATIENCE).unwrap().timestamp != 5 * 160 {}
    // The next SDP opens the lock, which is seen by silence that goes where it says: now another port may speak.
    said.set_nonblocking(true).unwrap();
    while said.recv_from(&mut [0; 2_048]).is_ok() {}
    said.set_nonblocking(false).unwrap();
    let probe = bare_phone("127.0.0.1:0");
    dialer.send(remote(1, said.local_addr().unwrap()));
    received(&said);
    speak(&probe, to, 0, 6);
    received(&probe);
    let stats = dialer.close(1);
    assert_eq!((stats.received, stats.refused), (4, 6));
}

#[test]
fn keys_are_heard_once_and_stay_out_of_the_bridge() {
    let mut dialer = Side::start(31_100..=31_119);
    let mut phones = Side::start(31_120..=31_139);
    connect(&mut dialer, &mut phones, 1, Codec::Pcmu);
    connect(&mut dialer, &mut phones, 2, Codec::Pcmu);
    dialer.send(MediaCommand::Bridge { a: LegId(1), b: LegId(2) });
    phones.send(digits(1, "1##0"));
    assert_eq!(dialer.keys(1, 4), "1##0");
    dialer.send(digits(2, "5*D"));
    assert_eq!(phones.keys(2, 3), "5*D");
    phones.close(1);
    phones.close(2);
}

#[test]
fn a_sound_ends_with_play_done_and_a_stopped_one_without() {
    let mut dialer = Side::start(31_140..=31_149);
    let phone = bare_phone("127.0.0.1:0");
    dialer.open(1);
    dialer.send(remote(1, phone.local_addr().unwrap()));
    dialer.send(play(1, 400, 0));
    dialer.send(MediaCommand::StopPlay { leg: LegId(1) });
    let sound = Sound::Samples(vec![16_000; 800].into());
    dialer.send(MediaCommand::Play { leg: LegId(1), play: 9, sound });
    assert_eq!(dialer.event(), MediaEvent::PlayDone { leg: LegId(1), play: 9 });
    let loud = (0..100).map(|_| received(&phone).1).skip_while(|payload| payload[0] == 0xff);
    assert_eq!(loud.take_while(|payload| payload[0] != 0xff).count(), 5);
}

#[test]
fn a_far_end_that_stops_is_quiet_then_dead_then_heard() {
    let limits = LivenessLimits {
        quiet_after: Duration::from_millis(100),
        dead_after: Duration::from_millis(250),
    };
    let mut dialer = Side::start_with(31_150..=31_159, |settings| settings.liveness = limits);
    let phone = bare_phone("127.0.0.1:0");
    let to = SocketAddr::new(HERE, dialer.open(1));
    dialer.send(remote(1, phone.local_addr().unwrap()));
    let leg = LegId(1);
    assert_eq!(dialer.event(), MediaEvent::Quiet { leg });
    assert_eq!(dialer.event(), MediaEvent::Dead { leg });
    speak(&phone, to, 0, 1);
    let from = phone.local_addr().unwrap();
    assert_eq!(dialer.event(), MediaEvent::FirstPacket { leg, from });
    assert_eq!(dialer.event(), MediaEvent::Heard { leg });
    assert_eq!(dialer.event(), MediaEvent::Quiet { leg });
}

#[test]
fn a_full_range_of_ports_is_open_failed_and_a_closed_leg_makes_room() {
    let mut dialer = Side::start(31_160..=31_161);
    assert_eq!(dialer.open(1), 31_160);
    assert_eq!(dialer.open(1), 31_160, "asked twice, answered twice");
    dialer.send(MediaCommand::Open { leg: LegId(2) });
    assert_eq!(dialer.event(), MediaEvent::OpenFailed { leg: LegId(2) });
    dialer.close(1);
    assert_eq!(dialer.open(3), 31_160);
}

#[test]
fn the_bound_on_legs_is_open_failed() {
    let mut dialer = Side::start_with(31_170..=31_179, |settings| settings.max_legs = 1);
    dialer.open(1);
    dialer.send(MediaCommand::Open { leg: LegId(2) });
    assert_eq!(dialer.event(), MediaEvent::OpenFailed { leg: LegId(2) });
}

#[test]
fn no_answer_is_lost_when_the_dialer_does_not_listen_for_a_while() {
    // The queue of events holds one, in every test here.
    let mut dialer = Side::start(31_180..=31_219);
    for leg in 1..=20 {
        dialer.send(MediaCommand::Open { leg: LegId(leg) });
    }
    for leg in 1..=20 {
        dialer.send(MediaCommand::Close { leg: LegId(leg) });
    }
    let events: Vec<_> = (0..40).map(|_| dialer.event()).collect();
    let opened = events.iter().filter(|event| matches!(event, MediaEvent::Opened { .. }));
    let closed = events.iter().filter(|event| matches!(event, MediaEvent::Closed { .. }));
    assert_eq!((opened.count(), closed.count()), (20, 20));
}

#[test]
fn a_command_that_does_not_fit_is_refused() {
    let dialer = Side::start_with(31_220..=31_221, |settings| settings.command_queue = 0);
    assert_eq!(dialer.handle.send(MediaCommand::Open { leg: LegId(1) }), Err(MediaFull));
}

#[test]
fn the_far_end_is_told_of_the_end_and_the_ports_are_free() {
    let mut dialer = Side::start(31_230..=31_231);
    let port = dialer.open(1);
    let mut phones = Side::start(31_232..=31_233);
    let far = SocketAddr::new(HERE, phones.open(1));
    phones.threads.stop();
    let rtcp = UdpSocket::bind((HERE, far.port() + 1)).unwrap();
    rtcp.set_read_timeout(Some(PATIENCE)).unwrap();
    dialer.send(remote(1, far));
    dialer.send(MediaCommand::Close { leg: LegId(1) });
    let mut buffer = [0; 2_048];
    let (length, _) = rtcp.recv_from(&mut buffer).unwrap();
    assert!(Heard::parse(&buffer[..length], 0).unwrap().bye);
    dialer.threads.stop();
    UdpSocket::bind((HERE, port)).unwrap();
}

/// One media thread with its queues.
struct Side {
    handle: MediaHandle,
    threads: MediaThreads,
    events: tokio::sync::mpsc::Receiver<MediaEvent>,
    tap: Receiver<TapFrame>,
    waiter: tokio::runtime::Runtime,
}

impl Side {
    fn start(ports: RangeInclusive<u16>) -> Self {
        Self::start_with(ports, |_| {})
    }

    fn start_with(ports: RangeInclusive<u16>, change: impl FnOnce(&mut MediaSettings)) -> Self {
        let (to_tap, tap) = std::sync::mpsc::sync_channel(10_000);
        let (to_events, events) = tokio::sync::mpsc::channel(1);
        let mut settings = MediaSettings::new(HERE, ports, 7, MediaClock::new());
        settings.tap = Some(to_tap);
        change(&mut settings);
        let (handle, threads) = start(settings, to_events).unwrap();
        let waiter = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Self { handle, threads, events, tap, waiter }
    }

    fn send(&self, command: MediaCommand) {
        self.handle.send(command).unwrap();
    }

    fn event(&mut self) -> MediaEvent {
        let next = async { tokio::time::timeout(PATIENCE, self.events.recv()).await };
        self.waiter.block_on(next).unwrap_or_else(|_| panic!("no event came")).unwrap()
    }

    fn open(&mut self, leg: i64) -> u16 {
        self.send(MediaCommand::Open { leg: LegId(leg) });
        loop {
            if let MediaEvent::Opened { leg: opened, port } = self.event() {
                assert_eq!(opened, LegId(leg));
                return port;
            }
        }
    }

    fn close(&mut self, leg: i64) -> MediaStats {
        self.send(MediaCommand::Close { leg: LegId(leg) });
        loop {
            let event = self.event();
            assert!(!matches!(event, MediaEvent::Digit { .. }), "{event:?}");
            if let MediaEvent::Closed { stats, .. } = event {
                return stats;
            }
        }
    }

    fn keys(&mut self, leg: i64, count: usize) -> String {
        let mut keys = String::new();
        while keys.len() < count {
            if let MediaEvent::Digit { leg: from, digit } = self.event() {
                assert_eq!(from, LegId(leg));
                keys.push(digit);
            }
        }
        keys
    }

    /// What the tapped legs hear, `count` samples of each, from the first one that is no silence.
    fn heard(&self, legs: &[i64], count: usize) -> Vec<Vec<i16>> {
        let mut heard = vec![vec![]; legs.len()];
        while heard.iter().any(|samples| samples.len() < count) {
            let frame = self.tap.recv_timeout(PATIENCE).unwrap();
            let index = legs.iter().position(|leg| LegId(*leg) == frame.leg).unwrap();
            heard[index].extend_from_slice(frame.samples());
            if count > 1_600 && frame.samples().iter().all(|sample| sample.abs() <= 8) {
                heard[index].clear();
            }
        }
        heard.iter_mut().for_each(|samples| samples.truncate(count));
        heard
    }

    fn drop_heard(&self, samples: usize) {
        let mut dropped = 0;
        while dropped < samples {
            dropped += self.tap.recv_timeout(PATIENCE).unwrap().samples().len();
        }
    }
}

/// Opens `leg` on both sides, each the other's far end.
fn connect(dialer: &mut Side, phones: &mut Side, leg: i64, codec: Codec) {
    let ours = SocketAddr::new(HERE, dialer.open(leg));
    let theirs = SocketAddr::new(HERE, phones.open(leg));
    for (side, far) in [(dialer, theirs), (phones, ours)] {
        let MediaCommand::Remote { leg, mut remote } = remote(leg, far) else { unreachable!() };
        remote.codec = codec;
        side.send(MediaCommand::Remote { leg, remote });
    }
}

fn remote(leg: i64, rtp: SocketAddr) -> MediaCommand {
    let remote = RemoteMedia {
        rtp,
        codec: Codec::Pcmu,
        telephone_event: Some(101),
        send: true,
        sources: vec![],
        any_source: false,
    };
    MediaCommand::Remote { leg: LegId(leg), remote }
}

fn play(leg: i64, hz: u16, millis: u32) -> MediaCommand {
    MediaCommand::Play { leg: LegId(leg), play: 1, sound: Sound::Tone { hz, millis, level: 0.5 } }
}

fn digits(leg: i64, digits: &str) -> MediaCommand {
    MediaCommand::SendDigits { leg: LegId(leg), digits: digits.to_owned() }
}

fn tone(samples: &[i16], hz: u16) -> f32 {
    amplitude(samples, hz)
}

fn decoded(payload: &[u8]) -> impl Iterator<Item = i16> {
    payload.iter().map(|byte| outdial::logic::rtp::g711::decode(Codec::Pcmu, *byte))
}

fn bare_phone(addr: &str) -> UdpSocket {
    let socket = UdpSocket::bind(addr).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn received(phone: &UdpSocket) -> (RtpHeader, Vec<u8>) {
    let mut buffer = [0; 2_048];
    let (length, _) = phone.recv_from(&mut buffer).unwrap();
    let packet = RtpPacket::parse(&buffer[..length]).unwrap();
    (packet.header, packet.payload.to_vec())
}

fn speak(phone: &UdpSocket, to: SocketAddr, payload_type: u8, sequence: u16) {
    let timestamp = u32::from(sequence) * 160;
    let mut bytes = vec![];
    RtpHeader { marker: false, payload_type, sequence, timestamp, ssrc: 3 }.write(&mut bytes);
    bytes.extend([0x55; 160]);
    phone.send_to(&bytes, to).unwrap();
}
