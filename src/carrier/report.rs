//! What the simulated world saw, as one value that can be written as JSON.

use crate::logic::media::MediaStats;
use crate::simulation::carrier_record::CallRecord;
use crate::simulation::carrier_record::CarrierRecord;
use crate::simulation::carrier_record::CarrierTotals;
use crate::simulation::phone::PhoneRecord;

/// The truth to compare a dialer's rows with. All times are microseconds on one clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct CarrierReport {
    /// Figures over all calls.
    pub totals: CarrierTotals,
    /// Every call.
    pub calls: Vec<CallRecord>,
    /// Every phone.
    pub phones: Vec<PhoneRecord>,
    /// Who heard whom, of each answered call whose callee played a tone.
    pub sound: Vec<SoundOfCall>,
    /// RTP over all legs that are closed.
    pub rtp: RtpTotals,
    /// Calls that were served without a row.
    pub unrecorded: u64,
    /// SIP datagrams that this machine's sockets lost.
    pub sip_lost: u64,
    /// Orders that the media thread had no room for.
    pub media_full: u64,
}

/// Who heard whom in one call.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SoundOfCall {
    /// The call.
    pub call_id: String,
    /// The tone of the callee.
    pub callee_hz: u16,
    /// Where it was heard first after the 200. Calls answered in one moment should play different tones, else they
    /// may be taken for each other.
    pub at_phone: Option<HeardAtPhone>,
    /// The first tone that the callee heard, and how many microseconds after the 200.
    pub callee_heard: Option<(u16, u64)>,
}

/// A tone at an agent's phone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HeardAtPhone {
    /// The agent.
    pub agent: String,
    /// Microseconds between the carrier's 200 and the first packet with the tone at the phone.
    pub after_us: u64,
}

/// RTP over all closed legs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RtpTotals {
    /// Legs.
    pub legs: u64,
    /// Packets received and used.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// Gaps in the received sequence numbers.
    pub lost: u64,
    /// Packets thrown away.
    pub refused: u64,
}

impl RtpTotals {
    pub(super) const fn add(&mut self, stats: MediaStats) {
        self.legs += 1;
        self.received += stats.received;
        self.sent += stats.sent;
        self.lost += stats.lost;
        self.refused += stats.refused;
    }
}

/// Pairs each answered call with the first beginning of its tone at a phone, each beginning used once.
pub(super) fn sound(record: &CarrierRecord, phones: &[PhoneRecord]) -> Vec<SoundOfCall> {
    let mut begun: Vec<(u64, u16, &str, bool)> = phones
        .iter()
        .flat_map(|phone| {
            phone.heard.iter().map(|tone| (tone.at_us, tone.hz, phone.name.as_str(), false))
        })
        .collect();
    begun.sort_unstable();
    let mut calls: Vec<&CallRecord> =
        record.calls.iter().filter(|call| call.plays_hz.is_some()).collect();
    calls.sort_by_key(|call| call.answered_us);
    let pair = |call: &CallRecord| {
        let (answered, hz) = (call.answered_us?, call.plays_hz?);
        let until = call.ended_us.unwrap_or(u64::MAX);
        let first = begun.partition_point(|(at, ..)| *at < answered);
        let found = begun
            .iter_mut()
            .skip(first)
            .take_while(|(at, ..)| *at <= until)
            .find(|(_, other, _, used)| *other == hz && !used);
        let at_phone = found.map(|(at, _, agent, used)| {
            *used = true;
            HeardAtPhone { agent: (*agent).to_owned(), after_us: at.saturating_sub(answered) }
        });
        let heard = call.heard.iter().find(|tone| tone.at_us >= answered);
        let callee_heard = heard.map(|tone| (tone.hz, tone.at_us.saturating_sub(answered)));
        Some(SoundOfCall { call_id: call.call_id.clone(), callee_hz: hz, at_phone, callee_heard })
    };
    calls.into_iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::carrier_record::HeardTone;

    #[test]
    fn each_tone_at_a_phone_belongs_to_one_call() {
        let mut record = CarrierRecord::default();
        for (id, answered, ended) in [("a", 100, 900), ("b", 200, 900), ("c", 1_000, 2_000)] {
            let call = record.at_invite(id, id, "x", 0).unwrap();
            (call.answered_us, call.ended_us, call.plays_hz) =
                (Some(answered), Some(ended), Some(1000));
            call.heard = vec![HeardTone { hz: 440, at_us: answered + 50 }];
        }
        let heard =
            |at: &[u64]| at.iter().map(|at_us| HeardTone { hz: 1000, at_us: *at_us }).collect();
        let phones = [
            PhoneRecord { name: "x".into(), heard: heard(&[50, 150]), ..PhoneRecord::default() },
            PhoneRecord { name: "y".into(), heard: heard(&[260]), ..PhoneRecord::default() },
        ];
        let sound = sound(&record, &phones);
        let at = |agent: &str, after_us| Some(HeardAtPhone { agent: agent.into(), after_us });
        assert_eq!(sound[0].at_phone, at("x", 50));
        assert_eq!(sound[1].at_phone, at("y", 60));
        assert_eq!(sound[2].at_phone, None);
        assert_eq!(sound[2].callee_heard, Some((440, 50)));
    }
}
