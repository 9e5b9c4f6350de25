//! The simulated carrier's own count of calls: the truth that a dialer's rows are compared with.

use std::collections::BTreeMap;

/// Every call that reached the carrier, in the order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct CarrierRecord {
    /// One row per Call-ID and called number.
    pub calls: Vec<CallRecord>,
    /// Calls beyond [`MOST_CALLS`]: served, yet without a row.
    pub unrecorded: u64,
    #[serde(skip)]
    by_call_id: BTreeMap<String, usize>,
}

/// One Call-ID and called number. Times are microseconds on the carrier's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct CallRecord {
    /// The caller's.
    pub call_id: String,
    /// User part of the Request-URI.
    pub called: String,
    /// Value of From, tag included.
    pub caller: String,
    /// Name of the behaviour; absent while challenged only.
    pub behaviour: Option<String>,
    /// Arrival of each INVITE, at most [`MOST_INVITES`]: the second one answers a digest challenge. Repeats of one INVITE
    /// are not counted.
    pub invites_us: Vec<u64>,
    /// How many of them were answered by 401 or 407.
    pub challenged: u32,
    /// 180 or 183 left.
    pub ringing_us: Option<u64>,
    /// 200 left.
    pub answered_us: Option<u64>,
    /// The ACK came.
    pub confirmed_us: Option<u64>,
    /// A CANCEL came.
    pub cancelled_us: Option<u64>,
    /// The callee hung up; the dialog ends when the caller answers the BYE.
    pub hung_up_us: Option<u64>,
    /// A final refusal left, or the dialog ended.
    pub ended_us: Option<u64>,
    /// The final status sent.
    pub status: Option<u16>,
    /// Who ended it.
    pub ended_by: Option<EndedBy>,
    /// Keys from the caller.
    pub digits: String,
    /// Other branches of the call that answered and were ended by the caller, as they must be (RFC 3261 §13.2.2.4).
    pub branches_ended: u32,
    /// The tone the callee plays.
    pub plays_hz: Option<u16>,
    /// The tones heard from the caller, each once, in the order they began.
    pub heard: Vec<HeardTone>,
}

/// A tone that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HeardTone {
    /// Which of the tones that were listened for.
    pub hz: u16,
    /// When, on the same clock as the rest.
    pub at_us: u64,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The callee hung up.
    Callee,
    /// The caller hung up: BYE.
    Caller,
    /// The caller gave up: CANCEL.
    Cancel,
    /// The callee or the network refused.
    Refusal,
    /// A challenge that was never answered.
    Challenge,
    /// The dialog was lost: no ACK, no answer to BYE.
    Lost,
}

/// The record in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct CarrierTotals {
    /// Rows: Call-IDs and numbers.
    pub calls: u64,
    /// INVITEs, answers to challenges included.
    pub invites: u64,
    /// Answered calls.
    pub answered: u64,
    /// Calls that are still up or ringing.
    pub open: u64,
    /// By final status.
    pub by_status: BTreeMap<u16, u64>,
    /// By who ended it.
    pub by_end: BTreeMap<EndedBy, u64>,
    /// By behaviour.
    pub by_behaviour: BTreeMap<String, u64>,
    /// Most INVITEs in any window of one second.
    pub most_invites_in_a_second: u64,
    /// Most calls in any window of one second: each counts at its first INVITE.
    pub most_calls_in_a_second: u64,
    /// Most calls at once.
    pub most_at_once: u64,
    /// Pairs of calls to one number that were up or ringing at the same time.
    pub overlaps: u64,
}

/// The figures of one moment, for whoever looks on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LiveTotals {
    /// The moment, on the carrier's clock.
    pub at_us: u64,
    /// Rows: Call-IDs and numbers.
    pub calls: u64,
    /// Of these, answered.
    pub answered: u64,
    /// Of these, refused: by the callee, by a limit, by a challenge that was not met.
    pub refused: u64,
    /// Of these, given up by the caller before the answer.
    pub cancelled: u64,
    /// Calls that are up or ringing.
    pub open: u64,
    /// INVITEs in the last second.
    pub invites_in_the_last_second: u64,
    /// Most INVITEs in any second so far.
    pub most_invites_in_a_second: u64,
    /// Most calls at once so far.
    pub most_at_once: u64,
    /// When the last call came or ended.
    pub last_activity_us: u64,
}

impl CarrierRecord {
    /// The row of a Call-ID and number, made at its first INVITE; `None` beyond the bound.
    pub fn at_invite(
        &mut self,
        call_id: &str,
        called: &str,
        caller: &str,
        at_us: u64,
    ) -> Option<&mut CallRecord> {
        let known = self.by_call_id.get(call_id).copied();
        // Who follows a 3xx may keep the Call-ID (RFC 3261 §8.1.3.4); another number is another call.
        let same = |row: &usize| self.calls.get(*row).is_some_and(|call| call.called == called);
        let row = match known.filter(same) {
            Some(row) => row,
            None if self.calls.len() >= MOST_CALLS => {
                self.unrecorded += 1;
                return None;
            }
            None => {
                self.by_call_id.insert(call_id.to_owned(), self.calls.len());
                self.calls.push(CallRecord {
                    call_id: call_id.to_owned(),
                    called: called.to_owned(),
                    caller: caller.to_owned(),
                    ..CallRecord::default()
                });
                self.calls.len() - 1
            }
        };
        let call = self.calls.get_mut(row)?;
        if call.invites_us.len() < MOST_INVITES {
            call.invites_us.push(at_us);
        }
        Some(call)
    }

    /// The last row of a Call-ID.
    pub fn call_mut(&mut self, call_id: &str) -> Option<&mut CallRecord> {
        let row = *self.by_call_id.get(call_id)?;
        self.calls.get_mut(row)
    }

    /// The last row of a Call-ID.
    #[must_use]
    pub fn call(&self, call_id: &str) -> Option<&CallRecord> {
        self.calls.get(*self.by_call_id.get(call_id)?)
    }

    /// The counts that one look at each row gives; the rest is left at zero.
    #[must_use]
    pub fn counts(&self) -> LiveTotals {
        let mut counts = LiveTotals { calls: count(self.calls.len()), ..LiveTotals::default() };
        counts.calls += self.unrecorded;
        for call in &self.calls {
            counts.answered += u64::from(call.answered_us.is_some());
            match call.ended_by {
                Some(EndedBy::Refusal | EndedBy::Challenge) => counts.refused += 1,
                Some(EndedBy::Cancel) => counts.cancelled += 1,
                Some(EndedBy::Callee | EndedBy::Caller | EndedBy::Lost) | None => {}
            }
        }
        counts
    }

    /// The record in figures.
    #[must_use]
    pub fn totals(&self) -> CarrierTotals {
        let mut totals =
            CarrierTotals { calls: count(self.calls.len()), ..CarrierTotals::default() };
        for call in &self.calls {
            totals.invites += count(call.invites_us.len());
            totals.answered += u64::from(call.answered_us.is_some());
            totals.open += u64::from(call.ended_us.is_none());
            if let Some(status) = call.status {
                *totals.by_status.entry(status).or_default() += 1;
            }
            if let Some(end) = call.ended_by {
                *totals.by_end.entry(end).or_default() += 1;
            }
            if let Some(behaviour) = &call.behaviour {
                *totals.by_behaviour.entry(behaviour.clone()).or_default() += 1;
            }
        }
        totals.most_invites_in_a_second = self.most_invites_in(1_000_000);
        let firsts = self.calls.iter().filter_map(|call| call.invites_us.first().copied());
        totals.most_calls_in_a_second = most_in(1_000_000, firsts.collect());
        totals.most_at_once = self.most_at_once();
        totals.overlaps = self.overlaps();
        totals
    }

    /// Most INVITEs in any half-open window of this length.
    #[must_use]
    pub fn most_invites_in(&self, window_us: u64) -> u64 {
        most_in(
            window_us,
            self.calls.iter().flat_map(|call| call.invites_us.iter().copied()).collect(),
        )
    }

    /// Pairs of calls to one number that were up or ringing at the same time.
    #[must_use]
    pub fn overlaps(&self) -> u64 {
        let mut by_number = BTreeMap::<&str, Vec<(u64, u64)>>::new();
        for call in &self.calls {
            if let Some(span) = call.span() {
                by_number.entry(&call.called).or_default().push(span);
            }
        }
        let mut pairs = 0;
        for spans in by_number.values_mut() {
            spans.sort_unstable();
            let mut open: Vec<u64> = Vec::new();
            for (from, to) in spans {
                open.retain(|end| *end > *from);
                pairs += count(open.len());
                open.push(*to);
            }
        }
        pairs
    }

    fn most_at_once(&self) -> u64 {
        let mut steps: Vec<(u64, i8)> = Vec::with_capacity(self.calls.len() * 2);
        for (from, to) in self.calls.iter().filter_map(CallRecord::span) {
            steps.push((from, 1));
            steps.push((to, -1));
        }
        // An end and a start in one moment: the end counts first.
        steps.sort_unstable();
        let (mut now, mut most) = (0_i64, 0_i64);
        for (_, step) in steps {
            now += i64::from(step);
            most = most.max(now);
        }
        u64::try_from(most).unwrap_or(0)
    }
}

impl CallRecord {
    /// From the first INVITE to the end, or for ever.
    fn span(&self) -> Option<(u64, u64)> {
        Some((*self.invites_us.first()?, self.ended_us.unwrap_or(u64::MAX)))
    }
}

/// Most of these moments in any half-open window of this length.
fn most_in(window_us: u64, mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    let mut most = 0;
    let mut oldest = times.iter().copied().peekable();
    let mut inside = 0;
    for now in &times {
        inside += 1;
        while oldest.next_if(|old| old.saturating_add(window_us) <= *now).is_some() {
            inside -= 1;
        }
        most = most.max(inside);
    }
    most
}

/// INVITEs kept of one call: a caller who goes on and on with one Call-ID must not fill the memory.
pub const MOST_INVITES: usize = 16;

/// Rows kept: 200,000 calls take about 100 MB.
pub const MOST_CALLS: usize = 200_000;

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(calls: &[(&str, &[u64], Option<u64>)]) -> CarrierRecord {
        let mut record = CarrierRecord::default();
        for (i, (called, invites, ended)) in calls.iter().enumerate() {
            for at in *invites {
                let call = record.at_invite(&format!("c{i}"), called, "<sip:a@b>", *at).unwrap();
                call.ended_us = *ended;
            }
        }
        record
    }

    #[test]
    fn a_window_holds_its_first_microsecond_and_not_its_last() {
        let second = 1_000_000;
        let record = record(&[
            ("1", &[0, 999_999], None),
            ("2", &[second], None),
            ("3", &[second + 1], None),
        ]);
        assert_eq!(record.most_invites_in(second), 3);
        assert_eq!(record.most_invites_in(2), 2);
        assert_eq!(record.most_invites_in(1), 1);
        assert_eq!(record.totals().invites, 4);
        assert_eq!(record.totals().calls, 3, "an answer to a challenge is no call of its own");
    }

    #[test]
    fn a_call_that_follows_a_redirection_has_a_row_of_its_own() {
        let mut record = CarrierRecord::default();
        record.at_invite("c", "1", "x", 0).unwrap().status = Some(302);
        assert_eq!(record.at_invite("c", "2", "x", 5).unwrap().status, None);
        record.call_mut("c").unwrap().status = Some(200);
        let rows: Vec<_> = record.calls.iter().map(|c| (c.called.as_str(), c.status)).collect();
        assert_eq!(rows, [("1", Some(302)), ("2", Some(200))]);
        assert_eq!(record.totals().calls, 2);
    }

    #[test]
    fn overlaps_are_counted_per_number_and_an_end_frees_it() {
        let record = record(&[
            ("1", &[0], Some(10)),
            ("1", &[10], Some(20)),
            ("1", &[15], None),
            ("2", &[15], Some(16)),
        ]);
        assert_eq!(record.overlaps(), 1);
        assert_eq!(record.totals().most_at_once, 3);
        assert_eq!(record.totals().open, 1);
    }
}
