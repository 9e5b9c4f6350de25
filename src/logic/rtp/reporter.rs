//! Our own RTCP of one leg: what was sent, and when the next report is due (RFC 3550 §6.2, §6.4).

use std::time::Duration;

use crate::logic::rtp::reception::Reception;
use crate::logic::rtp::rtcp::Report;
use crate::logic::rtp::rtcp::SenderInfo;
use crate::logic::rtp::stream::OutgoingStream;
use crate::logic::split_mix::SplitMix;
use crate::logic::time::Tick;

/// Counts what is sent and writes the reports about it.
#[derive(Clone, Debug)]
pub struct Reporter {
    packets: u64,
    octets: u64,
    /// Packets at the last report: an SR if there are more, an RR if not.
    told: u64,
    due: Option<Tick>,
    numbers: SplitMix,
}

impl Reporter {
    /// `seed` spreads the reports of many legs.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { packets: 0, octets: 0, told: 0, due: None, numbers: SplitMix::new(seed) }
    }

    /// One more packet was sent.
    pub fn sent(&mut self, payload: usize) {
        self.packets += 1;
        self.octets += u64::try_from(payload).unwrap_or(0);
    }

    /// Packets sent.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Reports are due from now on; later calls change nothing.
    pub fn start(&mut self, now: Tick) {
        if self.due.is_none() {
            self.due = Some(now + self.interval());
        }
    }

    /// Whether a report is due; if so, the next one is planned.
    pub fn is_due(&mut self, now: Tick) -> bool {
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            self.due = Some(now + self.interval());
        }
        due
    }

    /// Replaces `out` with a report, with a BYE if this is the last one (§6.6).
    pub fn write(
        &mut self,
        now: Tick,
        stream: &OutgoingStream,
        heard: &mut Reception,
        bye: bool,
        out: &mut Vec<u8>,
    ) {
        let sender = (self.packets > self.told).then(|| SenderInfo {
            ntp: ntp(now),
            timestamp: stream.clock(now),
            packets: wrap(self.packets),
            octets: wrap(self.octets),
        });
        self.told = self.packets;
        out.clear();
        Report { ssrc: stream.ssrc(), sender, block: heard.report(now), cname: CNAME, bye }
            .write(out);
    }

    /// 2.5 to 7.5 s, so that the reports of many legs do not leave together (§6.3.1).
    const fn interval(&mut self) -> Duration {
        Duration::from_millis(2_500 + self.numbers.next() % 5_000)
    }
}

/// Our monotonic clock in NTP's form; §6.4.1 allows a clock that is not the time of day.
fn ntp(now: Tick) -> u64 {
    let micros = now.micros_since_start();
    let fraction = (micros % 1_000_000) * (1 << 32) / 1_000_000;
    ((micros / 1_000_000) << 32) | fraction
}

fn wrap(count: u64) -> u32 {
    u32::try_from(count & u64::from(u32::MAX)).unwrap_or(0)
}

/// One leg is one stream, so the name has nobody to tell apart; it says nothing about the installation.
const CNAME: &str = "outdial";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::rtp::rtcp::Heard;

    fn at(ms: u64) -> Tick {
        Tick::START + Duration::from_millis(ms)
    }

    #[test]
    fn reports_leave_about_every_five_seconds() {
        let mut reporter = Reporter::new(42);
        assert!(!reporter.is_due(at(60_000)), "not started");
        reporter.start(at(0));
        let due: Vec<u64> =
            (0..600_000).step_by(20).filter(|ms| reporter.is_due(at(*ms))).collect();
        assert!((100..=140).contains(&due.len()), "{} in ten minutes", due.len());
        assert!(due.windows(2).all(|pair| (2_500..=7_520).contains(&(pair[1] - pair[0]))));
    }

    #[test]
    fn who_sent_nothing_since_the_last_report_sends_a_receiver_s() {
        let (mut reporter, stream) = (Reporter::new(1), OutgoingStream::new(at(0), 1));
        let (mut heard, mut out) = (Reception::default(), vec![]);
        reporter.sent(160);
        reporter.write(at(1_500), &stream, &mut heard, false, &mut out);
        let expected = Some((stream.ssrc(), (1 << 32) | (1 << 31)));
        assert_eq!(Heard::parse(&out, 0).unwrap().sender_report, expected, "1.5 s");
        reporter.write(at(2_000), &stream, &mut heard, true, &mut out);
        assert_eq!(
            Heard::parse(&out, 0),
            Ok(Heard { sender_report: None, about_us: None, bye: true })
        );
    }
}
