//! What is counted while a rehearsal goes on, in steps of five minutes.

use std::collections::BTreeMap;

use crate::logic::dialer::LeadCounts;
use crate::logic::outcome::Outcome;
use crate::logic::time::UtcMs;
use crate::simulation::rehearsal::WorkDay;
use crate::simulation::store_model::ModelWindow;

/// One rehearsal, as it went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Its seed.
    pub seed: u64,
    /// The steps of all days in order; nights are left out.
    pub steps: Vec<Step>,
    /// From a person's answer to the agent, in milliseconds, sorted.
    pub waits: Vec<u32>,
    /// From ready to the next talk, in milliseconds, sorted.
    pub idles: Vec<u32>,
    /// Attempts by outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Leads given back by gate.
    pub gates: BTreeMap<&'static str, u64>,
    /// Talks by what the agent said.
    pub said: BTreeMap<String, u64>,
    /// A, D and faults of the rehearsal, over all windows of the ledger.
    pub ledger: ModelWindow,
    /// Most calls at once, of the carrier.
    pub lines_peak: u32,
    /// Most INVITEs within a second.
    pub rate_peak: u32,
    /// When nobody was left whom no call had reached for: the end of the first round.
    pub first_round: Option<UtcMs>,
    /// When nothing was left to do.
    pub list_end: Option<UtcMs>,
    /// The list at the end.
    pub left: LeadCounts,
    /// What must never be, and was.
    pub breaches: Vec<Breach>,
    /// Facts handed to the dialer.
    pub inputs: u64,
    /// What agents asked for and the dialer did not do.
    pub refusals: u64,
}

/// Five minutes. Times are in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Its begin.
    pub starts: UtcMs,
    /// Which day, from 0.
    pub day: u32,
    /// What the clock shows at its begin, in minutes since midnight.
    pub minute: u32,
    /// Agents waiting for a call.
    pub idle: u64,
    /// Agents in talks.
    pub talk: u64,
    /// Agents after talks.
    pub wrap: u64,
    /// Agents logged in and paused.
    pub paused: u64,
    /// INVITEs.
    pub dials: u32,
    /// Answered calls.
    pub answered: u32,
    /// Talks that began.
    pub talks: u32,
    /// Answered calls that ended without an agent.
    pub lost: u32,
    /// Waits of those who got an agent: sum in milliseconds.
    pub waited: u64,
    /// Idle times that ended: how many, and their sum in milliseconds.
    pub idle_ends: u32,
    /// See `idle_ends`.
    pub idled: u64,
    /// Calls of the carrier, times their time.
    pub lines: u64,
    /// Most calls at once.
    pub lines_peak: u32,
    /// Most INVITEs within a second.
    pub rate_peak: u32,
    /// The ledger's window at the end of the step.
    pub ledger: ModelWindow,
    /// When that window began.
    pub window: UtcMs,
    /// How many calls it may owe then.
    pub may_owe: u32,
    /// Samples of what held dialing back.
    pub held: BTreeMap<&'static str, u32>,
    /// The list at the last sample.
    pub list: LeadCounts,
}

/// Something that must never be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// When.
    pub at: UtcMs,
    /// What.
    pub what: String,
}

impl Step {
    /// Share of the time at work that agents were in talks or after them.
    #[must_use]
    pub fn occupancy(&self) -> Option<f64> {
        share(self.talk + self.wrap, self.talk + self.wrap + self.idle)
    }
}

impl Record {
    /// A sum over all steps.
    pub fn sum(&self, of: impl Fn(&Step) -> u64) -> u64 {
        self.steps.iter().map(of).sum()
    }
}

/// A part of a whole; `None` of nothing.
#[must_use]
pub fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| float(part) / float(whole))
}

/// Figures of a rehearsal lie far below 2^53.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "see above")]
#[must_use]
pub const fn float(count: u64) -> f64 {
    count as f64
}

/// What an agent does, for the account of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spent {
    Idle,
    Talk,
    Wrap,
    Paused,
}

/// Writes the record. Times are microseconds since the first day's begin.
#[derive(Debug)]
pub(super) struct Recorder {
    days: Vec<(u64, WorkDay)>,
    steps: BTreeMap<(u32, u64), Step>,
}

impl Recorder {
    pub(super) fn new(days: &[WorkDay]) -> Self {
        let first = days.first().map_or(UtcMs(0), |day| day.starts);
        let since = |day: &WorkDay| u64::try_from(day.starts.since(first).as_micros()).unwrap_or(0);
        Self { days: days.iter().map(|day| (since(day), *day)).collect(), steps: BTreeMap::new() }
    }

    /// The step in which `at` lies.
    pub(super) fn step(&mut self, at: u64) -> &mut Step {
        let begun = self.days.iter().zip(0..).take_while(|((starts, _), _)| *starts <= at);
        let (begin, work, day) = begun.last().map_or_else(
            || (0, WorkDay { starts: UtcMs(0), minute: 0, length: std::time::Duration::ZERO }, 0),
            |((begin, work), day)| (*begin, *work, day),
        );
        let place = (at - begin) / STEP;
        self.steps.entry((day, place)).or_insert_with(|| {
            let minutes = u32::try_from(place).unwrap_or(0).saturating_mul(STEP_MINUTES);
            Step {
                starts: work.starts + std::time::Duration::from_secs(u64::from(minutes) * 60),
                day,
                minute: work.minute + minutes,
                ..Step::default()
            }
        })
    }

    /// An agent's time.
    pub(super) fn spend(&mut self, from: u64, until: u64, what: Spent) {
        self.split(from, until, |step, micros| match what {
            Spent::Idle => step.idle += micros,
            Spent::Talk => step.talk += micros,
            Spent::Wrap => step.wrap += micros,
            Spent::Paused => step.paused += micros,
        });
    }

    /// So many calls were up for a time.
    pub(super) fn occupy(&mut self, from: u64, until: u64, lines: u32) {
        if lines > 0 {
            self.split(from, until, |step, micros| step.lines += micros * u64::from(lines));
        }
    }

    fn split(&mut self, from: u64, until: u64, mut add: impl FnMut(&mut Step, u64)) {
        let mut at = from;
        while at < until {
            let day = self.days.iter().rev().find(|(starts, _)| *starts <= at);
            let begin = day.map_or(0, |(starts, _)| *starts);
            let ends = begin + ((at - begin) / STEP + 1) * STEP;
            let next = self.days.iter().map(|(starts, _)| *starts).find(|starts| *starts > at);
            let to = until.min(ends).min(next.unwrap_or(u64::MAX));
            add(self.step(at), to - at);
            at = to;
        }
    }

    pub(super) fn finish(self) -> Vec<Step> {
        self.steps.into_values().collect()
    }
}

/// Length of a step.
pub const STEP_MINUTES: u32 = 5;
/// Microseconds.
const STEP: u64 = 300_000_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_split_at_the_steps_it_crosses() {
        let day = WorkDay { starts: UtcMs(1_000), minute: 570, length: Duration::from_secs(3_600) };
        let next = WorkDay { starts: UtcMs(86_401_000), ..day };
        let mut recorder = Recorder::new(&[day, next]);
        recorder.spend(STEP - 10, STEP * 2 + 5, Spent::Talk);
        recorder.occupy(86_400_000_000, 86_400_000_007, 3);
        let steps = recorder.finish();
        assert_eq!(steps.iter().map(|step| step.talk).collect::<Vec<_>>(), [10, STEP, 5, 0]);
        assert_eq!(steps[2].minute, 580);
        assert_eq!((steps[3].day, steps[3].minute, steps[3].lines), (1, 570, 21));
    }
}
