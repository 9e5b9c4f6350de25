//! What arrived of one source: loss and jitter for the receiver's report (RFC 3550 §6.4.1, A.1, A.3, A.8).

use crate::logic::rtp::SAMPLE_RATE;
use crate::logic::rtp::packet::RtpHeader;
use crate::logic::rtp::rtcp::ReportBlock;
use crate::logic::time::Tick;

/// Counts over the life of a leg; sources (SSRC) may follow one another.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    received: u64,
    /// Lost of earlier sources.
    lost: u64,
    source: Option<Source>,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    /// Sequence numbers counted on over their wraps.
    first: u64,
    highest: u64,
    received: u64,
    /// Both at the last report.
    expected_told: u64,
    received_told: u64,
    /// Arrival minus timestamp, in samples, wrapping.
    transit: u32,
    /// Sixteenths of a sample (A.8).
    jitter: u64,
    /// The middle of the last SR's NTP time, and when it came.
    sender_report: Option<(u32, Tick)>,
}

impl Reception {
    /// A valid packet of audio came.
    pub fn record(&mut self, now: Tick, header: RtpHeader) {
        self.count(now, header, true);
    }

    /// A valid packet came whose timestamp is not the moment it was made: all packets of a key carry that of its
    /// start (RFC 4733 §2.2.1), which is no jitter.
    pub fn record_untimed(&mut self, now: Tick, header: RtpHeader) {
        self.count(now, header, false);
    }

    fn count(&mut self, now: Tick, header: RtpHeader, timed: bool) {
        self.received += 1;
        let transit = arrival(now).wrapping_sub(header.timestamp);
        if let Some(source) = &mut self.source
            && source.ssrc == header.ssrc
            && source.advance(header.sequence)
        {
            source.received += 1;
            if !timed {
                return;
            }
            let change = u64::from(distance(transit, source.transit));
            source.transit = transit;
            // A change of the source's clock is no jitter.
            if change < u64::from(SAMPLE_RATE) {
                source.jitter =
                    (source.jitter + change).saturating_sub(source.jitter.saturating_add(8) >> 4);
            }
            return;
        }
        self.lost += self.source.map_or(0, |source| source.lost());
        let sequence = u64::from(header.sequence);
        self.source = Some(Source {
            ssrc: header.ssrc,
            first: sequence,
            highest: sequence,
            received: 1,
            expected_told: 0,
            received_told: 0,
            transit,
            jitter: 0,
            sender_report: None,
        });
    }

    /// A sender report of `ssrc` came.
    pub fn sender_report(&mut self, now: Tick, ssrc: u32, ntp: u64) {
        if let Some(source) = self.source.as_mut().filter(|source| source.ssrc == ssrc) {
            source.sender_report =
                Some((u32::try_from((ntp >> 16) & 0xffff_ffff).unwrap_or(0), now));
        }
    }

    /// What to tell the source; `None` before its first packet.
    pub fn report(&mut self, now: Tick) -> Option<ReportBlock> {
        let source = self.source.as_mut()?;
        let expected = source.expected() - source.expected_told;
        let received = source.received - source.received_told;
        (source.expected_told, source.received_told) = (source.expected(), source.received);
        let fraction = (expected.saturating_sub(received) * 256).checked_div(expected).unwrap_or(0);
        let (last_sr, delay) = source.sender_report.map_or((0, 0), |(ntp, came)| {
            (
                ntp,
                u32::try_from(now.since(came).as_micros() * 65_536 / 1_000_000).unwrap_or(u32::MAX),
            )
        });
        Some(ReportBlock {
            ssrc: source.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: u32::try_from(source.lost()).unwrap_or(u32::MAX).min(0x7f_ffff),
            highest_sequence: u32::try_from(source.highest & 0xffff_ffff).unwrap_or(0),
            jitter: u32::try_from(source.jitter >> 4).unwrap_or(u32::MAX),
            last_sr,
            delay_since_sr: delay,
        })
    }

    /// Packets of all sources.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Gaps in the sequence numbers of all sources.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost + self.source.map_or(0, |source| source.lost())
    }
}

impl Source {
    /// Counts on; `false`: a jump too far to be loss, the source began anew.
    fn advance(&mut self, sequence: u16) -> bool {
        let [.., high, low] = self.highest.to_be_bytes();
        let ahead = sequence.wrapping_sub(u16::from_be_bytes([high, low]));
        if ahead < MAX_DROPOUT {
            self.highest += u64::from(ahead);
            return true;
        }
        ahead.wrapping_neg() < MAX_MISORDER
    }

    const fn expected(&self) -> u64 {
        self.highest - self.first + 1
    }

    const fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }
}

/// Our clock in samples, wrapping.
fn arrival(now: Tick) -> u32 {
    let samples = u128::from(now.micros_since_start()) * u128::from(SAMPLE_RATE) / 1_000_000;
    u32::try_from(samples & u128::from(u32::MAX)).unwrap_or(0)
}

fn distance(a: u32, b: u32) -> u32 {
    let distance = a.wrapping_sub(b);
    distance.min(distance.wrapping_neg())
}

/// RFC 3550 A.1.
const MAX_DROPOUT: u16 = 3_000;
/// RFC 3550 A.1.
const MAX_MISORDER: u16 = 100;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> RtpHeader {
        RtpHeader { marker: false, payload_type: 0, sequence, timestamp, ssrc }
    }

    fn at(ms: u64) -> Tick {
        Tick::START + Duration::from_millis(ms)
    }

    #[test]
    fn gaps_are_counted_over_the_wrap_and_late_packets_fill_them() {
        let mut heard = Reception::default();
        for sequence in [65_533, 65_534, 1, 0, 4] {
            heard.record(at(0), packet(9, sequence, 0));
        }
        assert_eq!(heard.received(), 5);
        assert_eq!(heard.lost(), 3, "65535, 2 and 3");
        let report = heard.report(at(0)).unwrap();
        assert_eq!(report.highest_sequence, 0x1_0004);
        assert_eq!(report.fraction_lost, 96, "3 of 8, in 256ths");
        heard.record(at(0), packet(9, 5, 0));
        assert_eq!(heard.report(at(0)).unwrap().fraction_lost, 0);
    }

    #[test]
    fn a_new_source_keeps_the_loss_of_the_old_one() {
        let mut heard = Reception::default();
        heard.record(at(0), packet(1, 10, 0));
        heard.record(at(0), packet(1, 12, 0));
        heard.record(at(0), packet(2, 40_000, 0));
        heard.record(at(0), packet(2, 40_003, 0));
        heard.record(at(0), packet(2, 10_000, 0));
        assert_eq!((heard.received(), heard.lost()), (5, 3));
    }

    #[test]
    fn steady_packets_have_no_jitter_and_late_ones_do() {
        let mut heard = Reception::default();
        for n in 0..50u16 {
            heard.record(at(u64::from(n) * 20), packet(1, n, u32::from(n) * 160));
        }
        assert_eq!(heard.report(at(1_000)).unwrap().jitter, 0);
        for n in 50..150u16 {
            let late = u64::from(n % 2) * 10;
            heard.record(at(u64::from(n) * 20 + late), packet(1, n, u32::from(n) * 160));
        }
        let jitter = heard.report(at(3_000)).unwrap().jitter;
        assert!(
            (70..=80).contains(&jitter),
            "10 ms every other packet is 80 samples, was {jitter}"
        );
    }

    #[test]
    fn the_answer_to_a_sender_report_says_how_old_it_is() {
        let mut heard = Reception::default();
        assert_eq!(heard.report(at(0)), None);
        heard.record(at(0), packet(7, 1, 0));
        heard.sender_report(at(0), 8, 1);
        heard.sender_report(at(0), 7, 0x1234_5678_9abc_def0);
        let report = heard.report(at(500)).unwrap();
        assert_eq!((report.last_sr, report.delay_since_sr), (0x5678_9abc, 32_768));
    }
}
