//! The outgoing stream of one leg: one SSRC for life, whatever feeds it.
//!
//! Sources change (silence, a sound, a customer, the next customer); the far end hears one stream whose
//! sequence numbers follow one another and whose timestamps follow the clock, with the marker set at each
//! switch. Within one relayed source its own gaps and order are kept, so that the far end's jitter buffer
//! sees what was lost.

use crate::logic::rtp::SAMPLE_RATE;
use crate::logic::rtp::packet::RtpHeader;
use crate::logic::split_mix::SplitMix;
use crate::logic::time::Tick;

/// Numbers for the packets of one leg.
#[derive(Clone, Debug)]
pub struct OutgoingStream {
    ssrc: u32,
    started: Tick,
    first_timestamp: u32,
    /// Highest sequence number sent.
    sequence: u16,
    /// Timestamp after the last sample sent.
    end: u32,
    source: Source,
}

/// What the last packet came from; another source next is a switch.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Nothing yet, or a cut.
    None,
    /// Our own packets, one after the other.
    Own,
    /// Another leg's packets.
    Relayed(Mapping),
}

/// Where one relayed source lies in the stream.
#[derive(Clone, Copy, Debug)]
struct Mapping {
    ssrc: u32,
    /// Highest sequence number received, which went out as `OutgoingStream::sequence`.
    sequence: u16,
    /// The timestamp of that packet, and how it went out.
    timestamp: u32,
    sent_timestamp: u32,
    /// Packets of this mapping up to here, saturating: one that is older than the first has no number.
    span: u16,
}

impl OutgoingStream {
    /// `seed` decides SSRC and first numbers: they must differ from leg to leg (RFC 3550 §5.1).
    #[must_use]
    pub const fn new(now: Tick, seed: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = seed.to_be_bytes();
        let mixed = SplitMix::new(seed).next().to_be_bytes();
        let first_timestamp = u32::from_be_bytes([e, f, g, h]) ^ u32::from_be_bytes([a, b, c, d]);
        Self {
            ssrc: u32::from_be_bytes([mixed[0], mixed[1], mixed[2], mixed[3]]),
            started: now,
            first_timestamp,
            sequence: u16::from_be_bytes([mixed[4], mixed[5]]),
            end: first_timestamp,
            source: Source::None,
        }
    }

    /// The SSRC.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The next packet starts anew, even from the same source.
    pub const fn cut(&mut self) {
        self.source = Source::None;
    }

    /// The header of a packet of our own with `samples` samples.
    pub fn own(&mut self, now: Tick, payload_type: u8, samples: u32) -> RtpHeader {
        let late = after(self.clock(now), self.end).is_some_and(|behind| behind > TOO_LATE);
        let marker = late || !matches!(self.source, Source::Own);
        let timestamp = if marker { self.start(now) } else { self.end };
        self.sequence = self.sequence.wrapping_add(1);
        self.end = timestamp.wrapping_add(samples);
        self.source = Source::Own;
        self.header(marker, payload_type, self.sequence, timestamp)
    }

    /// The timestamp of an event that starts now (RFC 4733 §2.2.1: all its packets carry it).
    #[must_use]
    pub fn event_start(&self, now: Tick) -> u32 {
        self.start(now)
    }

    /// The header of one packet of an event that began at `timestamp` and has lasted `duration` samples.
    pub fn event(
        &mut self,
        payload_type: u8,
        first: bool,
        timestamp: u32,
        duration: u16,
    ) -> RtpHeader {
        self.sequence = self.sequence.wrapping_add(1);
        self.end = timestamp.wrapping_add(u32::from(duration));
        self.source = Source::None;
        self.header(first, payload_type, self.sequence, timestamp)
    }

    /// The header of another leg's packet; `None`: a repeat, or older than all this stream has room for.
    pub fn relay(
        &mut self,
        now: Tick,
        from: RtpHeader,
        payload_type: u8,
        samples: u32,
    ) -> Option<RtpHeader> {
        let Source::Relayed(mut map) = self.source else {
            return Some(self.relay_first(now, from, payload_type, samples));
        };
        let ahead = from.sequence.wrapping_sub(map.sequence);
        let behind = map.sequence.wrapping_sub(from.sequence);
        let shift = from.timestamp.wrapping_sub(map.timestamp);
        let shifted = shift <= LARGEST_STEP || shift.wrapping_neg() <= LARGEST_STEP;
        if from.ssrc != map.ssrc || !shifted || ahead.min(behind) > LARGEST_GAP {
            return Some(self.relay_first(now, from, payload_type, samples));
        }
        let timestamp = map.sent_timestamp.wrapping_add(shift);
        if behind <= LARGEST_GAP {
            // A repeat (0), or it was overtaken on the way: its place is free only if it is within this source.
            return (behind > 0 && behind <= map.span).then(|| {
                self.header(false, payload_type, self.sequence.wrapping_sub(behind), timestamp)
            });
        }
        self.sequence = self.sequence.wrapping_add(ahead);
        self.end = timestamp.wrapping_add(samples);
        map.sequence = from.sequence;
        map.timestamp = from.timestamp;
        map.sent_timestamp = timestamp;
        map.span = map.span.saturating_add(ahead);
        self.source = Source::Relayed(map);
        Some(self.header(from.marker, payload_type, self.sequence, timestamp))
    }

    /// Our clock in samples: what an SR pairs with its time of day (RFC 3550 §6.4.1).
    #[must_use]
    pub fn clock(&self, now: Tick) -> u32 {
        let samples = now.since(self.started).as_micros() * u128::from(SAMPLE_RATE) / 1_000_000;
        let wrapped = u32::try_from(samples & u128::from(u32::MAX)).unwrap_or(0);
        self.first_timestamp.wrapping_add(wrapped)
    }

    fn relay_first(
        &mut self,
        now: Tick,
        from: RtpHeader,
        payload_type: u8,
        samples: u32,
    ) -> RtpHeader {
        let timestamp = self.start(now);
        self.sequence = self.sequence.wrapping_add(1);
        self.end = timestamp.wrapping_add(samples);
        self.source = Source::Relayed(Mapping {
            ssrc: from.ssrc,
            sequence: from.sequence,
            timestamp: from.timestamp,
            sent_timestamp: timestamp,
            span: 0,
        });
        self.header(true, payload_type, self.sequence, timestamp)
    }

    /// Where a new source begins: now, but never over what was sent.
    fn start(&self, now: Tick) -> u32 {
        let clock = self.clock(now);
        if after(clock, self.end).is_some() { clock } else { self.end }
    }

    const fn header(
        &self,
        marker: bool,
        payload_type: u8,
        sequence: u16,
        timestamp: u32,
    ) -> RtpHeader {
        RtpHeader { marker, payload_type, sequence, timestamp, ssrc: self.ssrc }
    }
}

/// How far `later` lies after `earlier` on the wrapping clock; `None` when it lies before.
fn after(later: u32, earlier: u32) -> Option<u32> {
    let ahead = later.wrapping_sub(earlier);
    (ahead < 1 << 31).then_some(ahead)
}

/// A jump of more packets than this, either way, is a new source (2 s of 20 ms packets).
const LARGEST_GAP: u16 = 100;
/// The same for timestamps: 10 s, as a source that stops in pauses moves on by the pause.
const LARGEST_STEP: u32 = 10 * SAMPLE_RATE;
/// Our own packets are this far behind the clock (100 ms): the thread stood still, start anew.
const TOO_LATE: u32 = SAMPLE_RATE / 10;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Tick {
        Tick::START + Duration::from_millis(ms)
    }

    fn heard(ssrc: u32, sequence: u16, timestamp: u32) -> RtpHeader {
        RtpHeader { marker: false, payload_type: 0, sequence, timestamp, ssrc }
    }

    #[test]
    fn silence_then_a_partner_then_another_is_one_stream() {
        let mut stream = OutgoingStream::new(at(0), 7);
        let a = stream.own(at(0), 0, 160);
        let b = stream.own(at(20), 0, 160);
        let c = stream.relay(at(45), heard(1, 65_535, 5), 0, 160).unwrap();
        let d = stream.relay(at(65), heard(1, 0, 165), 0, 160).unwrap();
        let e = stream.relay(at(90), heard(2, 777, 99_999), 0, 160).unwrap();
        let all = [a, b, c, d, e];
        assert_eq!(all.map(|h| h.marker), [true, false, true, false, true]);
        assert!(all.iter().all(|h| h.ssrc == stream.ssrc()));
        let start = a.timestamp;
        assert_eq!(
            all.map(|h| h.timestamp.wrapping_sub(start)),
            [0, 160, 360, 520, 720],
            "each switch follows the clock: 45 ms and 90 ms"
        );
        assert_eq!(all.map(|h| h.sequence.wrapping_sub(a.sequence)), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_partner_s_loss_and_order_are_kept_but_repeats_are_not() {
        let mut stream = OutgoingStream::new(at(0), 7);
        let first = stream.relay(at(0), heard(1, 10, 0), 0, 160).unwrap();
        let mut next = |sequence: u16| {
            let header = heard(1, sequence, (u32::from(sequence) - 8) * 160);
            stream.relay(at(0), header, 0, 160).map(|h| h.sequence.wrapping_sub(first.sequence))
        };
        assert_eq!(next(13), Some(3));
        assert_eq!(next(12), Some(2));
        assert_eq!(next(13), None);
        assert_eq!(next(9), None, "before the switch there is no room");
        assert_eq!(next(14), Some(4));
    }

    #[test]
    fn a_new_source_never_overlaps_what_was_sent() {
        let mut stream = OutgoingStream::new(at(0), 1);
        let a = stream.own(at(0), 0, 160);
        let b = stream.relay(at(5), heard(1, 1, 1), 0, 160).unwrap();
        assert_eq!(b.timestamp.wrapping_sub(a.timestamp), 160);
    }

    #[test]
    fn a_thread_that_stood_still_moves_on_with_the_clock() {
        let mut stream = OutgoingStream::new(at(0), 1);
        let a = stream.own(at(0), 0, 160);
        let b = stream.own(at(520), 0, 160);
        assert!(b.marker);
        assert_eq!(b.timestamp.wrapping_sub(a.timestamp), 520 * 8);
        assert_eq!(b.sequence, a.sequence.wrapping_add(1));
    }

    #[test]
    fn a_partner_whose_numbers_jump_is_re_based() {
        let mut stream = OutgoingStream::new(at(0), 1);
        let a = stream.relay(at(0), heard(1, 1, 1), 0, 160).unwrap();
        let b = stream.relay(at(20), heard(1, 40_000, 161), 0, 160).unwrap();
        let c = stream.relay(at(40), heard(1, 40_001, 1 << 31), 0, 160).unwrap();
        assert!(b.marker && c.marker);
        assert_eq!(c.sequence, a.sequence.wrapping_add(2));
        assert_eq!(c.timestamp.wrapping_sub(a.timestamp), 320);
    }

    #[test]
    fn neighbouring_seeds_share_nothing() {
        let (one, two) = (OutgoingStream::new(at(0), 1), OutgoingStream::new(at(0), 2));
        assert_ne!(one.ssrc(), two.ssrc());
        assert_ne!(one.sequence, two.sequence);
    }

    proptest! {
        #[test]
        fn whatever_feeds_it_sequence_numbers_are_unique_and_time_goes_on(
            seed: u64,
            steps in prop::collection::vec((0u8..4, 1u64..60, 0u16..4), 1..200)
        ) {
            let mut stream = OutgoingStream::new(at(0), seed);
            let (mut ms, mut numbers) = (0, [(100u16, 0u32); 2]);
            let mut sent: Vec<RtpHeader> = vec![];
            for (what, wait, skip) in steps {
                ms += wait;
                let header = match what {
                    0 => Some(stream.own(at(ms), 0, 160)),
                    1 => {
                        let start = stream.event_start(at(ms));
                        Some(stream.event(101, true, start, 160))
                    }
                    source => {
                        let (sequence, timestamp) = &mut numbers[usize::from(source) - 2];
                        *sequence = sequence.wrapping_add(1 + skip);
                        *timestamp = timestamp.wrapping_add(160 * (1 + u32::from(skip)));
                        stream.relay(at(ms), heard(u32::from(source), *sequence, *timestamp), 0, 160)
                    }
                };
                let header = header.unwrap();
                if let Some(last) = sent.last() {
                    let step = header.sequence.wrapping_sub(last.sequence);
                    prop_assert!((1..=4).contains(&step));
                    prop_assert!(header.timestamp.wrapping_sub(last.timestamp) < 1 << 31);
                    prop_assert_eq!(header.ssrc, last.ssrc);
                }
                sent.push(header);
            }
        }
    }
}
