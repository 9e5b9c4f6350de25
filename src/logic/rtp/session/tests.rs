//! One leg against datagrams and ticks written by hand.

use std::net::SocketAddr;
use std::time::Duration;

use crate::logic::ids::LegId;
use crate::logic::media::Codec;
use crate::logic::media::MediaEvent;
use crate::logic::media::MediaStats;
use crate::logic::media::RemoteMedia;
use crate::logic::media::Sound;
use crate::logic::rtp::FRAME;
use crate::logic::rtp::g711;
use crate::logic::rtp::liveness::LivenessLimits;
use crate::logic::rtp::packet::RtpHeader;
use crate::logic::rtp::packet::RtpPacket;
use crate::logic::rtp::rtcp::Heard;
use crate::logic::rtp::session::Audio;
use crate::logic::rtp::session::Session;
use crate::logic::time::Tick;

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
    assert_eq!(session.forward(Tick::START, &audio(1, Codec::Pcmu, &[1; FRAME]), &mut out), None);
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
fn the_partner_is_heard_after_a_sound_whose_end_nobody_asked_for() {
    let mut session = session(1);
    session.set_bridged(true);
    session.play(77, &Sound::Tone { hz: 1_000, millis: 20, level: 0.5 });
    ticked(&mut session, Tick::START).unwrap();
    let mut out = vec![];
    for n in 1..4 {
        let now = Tick::START + 20 * u32::from(n) * MS;
        let partner = audio(n, Codec::Pcmu, &[1; FRAME]);
        assert_eq!(session.forward(now, &partner, &mut out), Some(far()));
        assert_eq!(RtpPacket::parse(&out).unwrap().header.marker, n == 1, "one switch, one mark");
        if n == 2 {
            let done = MediaEvent::PlayDone { leg: LegId(1), play: 77 };
            assert_eq!(session.take_play_done(), Some(done));
        }
    }
}

#[test]
fn keys_leave_the_reported_jitter_alone() {
    let mut session = session(1);
    let audio_until = |session: &mut Session, from: u16, to: u16| {
        for n in from..to {
            let now = Tick::START + 20 * u32::from(n) * MS;
            assert!(session.receive(now, far(), &packet(0, n, &[1; FRAME])).is_some());
        }
    };
    audio_until(&mut session, 0, 50);
    // RFC 4733 §2.2.1: all packets of one key carry the moment at which it went down.
    for n in 50..57 {
        let now = Tick::START + 20 * u32::from(n) * MS;
        let mut bytes = vec![];
        let header = RtpHeader {
            marker: n == 50,
            payload_type: 101,
            sequence: n,
            timestamp: 8_000,
            ssrc: 5,
        };
        header.write(&mut bytes);
        bytes.extend_from_slice(&[3, 10, 0, 160]);
        assert_eq!(session.receive(now, far(), &bytes), None);
    }
    audio_until(&mut session, 57, 60);
    let mut out = vec![];
    session.farewell(Tick::START + 1_200 * MS, &mut out).unwrap();
    let block = Heard::parse(&out, 5).unwrap().about_us.unwrap();
    assert_eq!((block.jitter, block.lost, block.highest_sequence), (0, 0, 59));
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
    assert_eq!(RtpPacket::parse(&out).unwrap().header.sequence, keys[6].sequence.wrapping_add(1));
}

#[test]
fn keys_heard_are_told_once_and_not_forwarded() {
    let mut session = session(1);
    for n in 0..3 {
        assert_eq!(session.receive(Tick::START, far(), &packet(101, n, &[3, 10, 0, 160])), None);
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
