//! Keys as telephone-event packets (RFC 4733): heard once each, sent as the far end expects them.

use std::collections::VecDeque;

use crate::logic::rtp::packet::RtpPacket;

/// Turns packets into keys: one for each press, whatever was repeated or lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyReceiver {
    last: Option<Heard>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    ssrc: u32,
    timestamp: u32,
    event: u8,
    duration: u16,
    ended: bool,
}

impl KeyReceiver {
    /// A telephone-event packet came; the key if it is a new press.
    ///
    /// The key is known from the first packet that arrives, be it the start, the middle or the end of the
    /// press; a new timestamp is a new press, so lost end packets cost nothing (§2.5.1.4, §2.6.3).
    pub fn receive(&mut self, packet: &RtpPacket<'_>) -> Option<char> {
        let ([event, flags, d0, d1], _) = packet.payload.split_first_chunk::<4>()?;
        let heard = Heard {
            ssrc: packet.header.ssrc,
            timestamp: packet.header.timestamp,
            event: *event,
            duration: u16::from_be_bytes([*d0, *d1]),
            ended: flags & 0x80 != 0,
        };
        let press = match self.last {
            Some(last) if last.ssrc == heard.ssrc => {
                match last.follows(heard, packet.header.marker) {
                    Follows::Late => return None,
                    Follows::SamePress => false,
                    Follows::NewPress => true,
                }
            }
            Some(_) | None => true,
        };
        self.last = Some(heard);
        press.then(|| key_of(*event)).flatten()
    }
}

enum Follows {
    Late,
    SamePress,
    NewPress,
}

impl Heard {
    fn follows(self, next: Self, marker: bool) -> Follows {
        let step = next.timestamp.wrapping_sub(self.timestamp);
        if step == 0 {
            return if next.event == self.event { Follows::SamePress } else { Follows::NewPress };
        }
        if step.wrapping_neg() < LATE {
            return Follows::Late;
        }
        // §2.5.1.3: a press longer than the duration field goes on under a new timestamp, without marker.
        let goes_on = step == u32::from(self.duration) && self.duration == u16::MAX;
        // Some phones move the timestamp with every packet. Two real presses are further apart than this.
        let moved = step <= MOVED;
        let same = next.event == self.event && !marker && !self.ended && (goes_on || moved);
        if same { Follows::SamePress } else { Follows::NewPress }
    }
}

/// Says keys, one after the other: 100 ms each, 60 ms apart.
#[derive(Clone, Debug, Default)]
pub struct KeySender {
    waiting: VecDeque<u8>,
    current: Option<(u8, u8)>,
}

/// What leaves in one 20 ms step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStep {
    /// A telephone-event packet.
    Packet {
        /// First of its key: the marker is set and the timestamp taken now.
        first: bool,
        /// Samples since the key went down.
        duration: u16,
        /// The four bytes.
        payload: [u8; 4],
    },
    /// The pause between keys: anything may be said.
    Pause,
}

impl KeySender {
    /// Adds keys to say. Other characters are passed over, as are keys beyond the 64th that waits.
    pub fn push(&mut self, digits: &str) {
        for event in digits.chars().filter_map(event_of) {
            if self.waiting.len() < MOST_WAITING {
                self.waiting.push_back(event);
            }
        }
    }

    /// Whether a key is being said, so that no audio may be.
    #[must_use]
    pub fn is_speaking(&self) -> bool {
        self.current.is_some_and(|(_, step)| step < STEPS - 1)
            || (self.current.is_none() && !self.waiting.is_empty())
    }

    /// The next 20 ms; `None` when there is nothing to say.
    pub fn step(&mut self) -> Option<KeyStep> {
        let (event, step) = match self.current {
            Some(current) => current,
            None => (self.waiting.pop_front()?, 0),
        };
        self.current = (step + 1 < STEPS).then_some((event, step + 1));
        if step == STEPS - 1 {
            return Some(KeyStep::Pause);
        }
        // 20, 40, 60, 80, 100 ms; the last says the end, and is said three times (§2.5.1.4).
        let packets = step.saturating_add(1).min(PACKETS);
        let duration = u16::from(packets) * 160;
        let end = if packets == PACKETS { 0x80 } else { 0 };
        let [d0, d1] = duration.to_be_bytes();
        Some(KeyStep::Packet { first: step == 0, duration, payload: [event, end | VOLUME, d0, d1] })
    }
}

/// RFC 4733 §3.2, table 3.
fn key_of(event: u8) -> Option<char> {
    "0123456789*#ABCD".chars().nth(usize::from(event))
}

fn event_of(key: char) -> Option<u8> {
    let index = "0123456789*#ABCD".chars().position(|known| known == key.to_ascii_uppercase())?;
    u8::try_from(index).ok()
}

/// Packets of one key up to its end: 100 ms.
const PACKETS: u8 = 5;
/// With two more end packets, in the pause, and one step of nothing: 160 ms.
const STEPS: u8 = 8;
/// -10 dBm0, as most phones send (§2.3.5).
const VOLUME: u8 = 10;
/// Keys that may wait; more than anybody dials at once.
const MOST_WAITING: usize = 64;
/// Up to 5 s back a packet was overtaken; further back the sender began anew.
const LATE: u32 = 40_000;
/// Up to 40 ms on, the same key without a marker is the same press.
const MOVED: u32 = 320;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logic::rtp::packet::RtpHeader;

    /// Packets as a sender makes them: timestamp of the press, payload.
    fn said(digits: &str) -> Vec<(RtpHeader, [u8; 4])> {
        let mut sender = KeySender::default();
        sender.push(digits);
        let (mut clock, mut start, mut sequence, mut packets) = (0u32, 0u32, 0, vec![]);
        while let Some(step) = sender.step() {
            if let KeyStep::Packet { first, payload, .. } = step {
                if first {
                    start = clock;
                }
                sequence += 1;
                let header = RtpHeader {
                    marker: first,
                    payload_type: 101,
                    sequence,
                    timestamp: start,
                    ssrc: 1,
                };
                packets.push((header, payload));
            }
            clock += 160;
        }
        packets
    }

    fn heard<'a>(packets: impl IntoIterator<Item = &'a (RtpHeader, [u8; 4])>) -> String {
        let mut receiver = KeyReceiver::default();
        packets
            .into_iter()
            .filter_map(|(header, payload)| {
                receiver.receive(&RtpPacket { header: *header, payload })
            })
            .collect()
    }

    #[test]
    fn a_key_is_a_hundred_milliseconds_with_three_ends() {
        let packets = said("5");
        assert_eq!(packets.len(), 7);
        assert_eq!(packets[0].1, [5, 10, 0, 160]);
        assert_eq!(packets[3].1, [5, 10, 2, 128]);
        let end = [5, 0x8a, 3, 32];
        assert_eq!([packets[4].1, packets[5].1, packets[6].1], [end; 3]);
        assert_eq!(packets.iter().filter(|(header, _)| header.marker).count(), 1);
    }

    #[test]
    fn keys_are_sixty_milliseconds_apart() {
        let packets = said("12");
        assert_eq!(packets[7].0.timestamp - packets[0].0.timestamp, 160 * 8);
    }

    #[test]
    fn every_key_is_heard_once() {
        assert_eq!(heard(&said("0123456789*#ABCD")), "0123456789*#ABCD");
        assert_eq!(heard(&said("11 1x1")), "1111");
    }

    #[test]
    fn a_press_without_its_start_or_its_end_is_heard_once() {
        let packets = said("77");
        let no_ends = packets.iter().filter(|(_, payload)| payload[1] & 0x80 == 0);
        assert_eq!(heard(no_ends), "77");
        let only_ends = packets.iter().filter(|(_, payload)| payload[1] & 0x80 != 0);
        assert_eq!(heard(only_ends), "77");
    }

    #[test]
    fn an_overtaken_packet_of_the_key_before_is_no_press() {
        let mut packets = said("12");
        packets.swap(6, 8);
        assert_eq!(heard(&packets), "12");
    }

    #[test]
    fn a_key_held_for_nine_seconds_is_one_press() {
        let header = |timestamp, marker| RtpHeader {
            marker,
            payload_type: 101,
            sequence: 0,
            timestamp,
            ssrc: 1,
        };
        let packets = [
            (header(1_000, true), [4, 10, 0, 160]),
            (header(1_000, false), [4, 10, 0xff, 0xff]),
            (header(1_000 + 0xffff, false), [4, 10, 0, 160]),
            (header(1_000 + 0xffff, false), [4, 0x8a, 1, 0]),
        ];
        assert_eq!(heard(&packets), "4");
    }

    #[test]
    fn a_phone_that_moves_the_timestamp_with_each_packet_is_understood() {
        let mut packets = said("99");
        for (index, (header, _)) in (0u32..).zip(&mut packets) {
            // Keys start 1,280 samples apart, as before.
            header.timestamp += index % 7 * 160;
        }
        let moved: Vec<_> =
            packets.iter().filter(|(_, payload)| payload[1] & 0x80 == 0).copied().collect();
        assert_eq!(heard(&moved), "99");
    }

    #[test]
    fn other_events_and_short_payloads_are_no_keys() {
        let header =
            RtpHeader { marker: true, payload_type: 101, sequence: 0, timestamp: 0, ssrc: 1 };
        assert_eq!(heard(&[(header, [16, 10, 0, 160])]), "", "flash");
        let mut receiver = KeyReceiver::default();
        assert_eq!(receiver.receive(&RtpPacket { header, payload: &[1, 2, 3] }), None);
    }

    #[test]
    fn what_waits_is_bounded() {
        assert_eq!(said(&"1".repeat(1_000)).len(), 64 * 7);
    }

    proptest! {
        #[test]
        fn any_loss_that_leaves_one_packet_a_key_loses_no_key(
            digits in "[0-9*#A-D]{1,12}",
            lost in prop::collection::vec(any::<bool>(), 84),
            kept in prop::collection::vec(0usize..7, 12),
        ) {
            let packets = said(&digits);
            let arrived = packets.iter().enumerate().filter(|(n, _)| !lost[*n] || kept[n / 7] == n % 7);
            prop_assert_eq!(heard(arrived.map(|(_, packet)| packet)), digits);
        }
    }
}
