//! What came of a rehearsal, one figure at a time, so that several can be set against each other.

use crate::logic::time::UtcMs;
use crate::simulation::rehearsal::record::{Record, float, share};
use crate::simulation::rehearsal::sure::quantile;

/// One figure of a rehearsal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// (talk + wrap-up) / (logged in and not paused), in %.
    Occupancy,
    /// Talks per hour that an agent was at work.
    TalksPerHour,
    /// INVITEs.
    Dials,
    /// INVITEs per talk.
    DialsPerTalk,
    /// Answered calls.
    Answered,
    /// Talks.
    Talks,
    /// A: resolved live answers.
    Live,
    /// D: abandoned calls.
    Abandoned,
    /// Of these, faults.
    Faults,
    /// D of A, in %.
    AbandonRate,
    /// The same over the worst hour of the clock in which 100 live answers or more fell.
    WorstHour,
    /// From a person's answer to the agent: mean, in seconds.
    WaitMean,
    /// The same: 95 % wait no longer.
    WaitP95,
    /// Between two talks: mean, in seconds.
    IdleMean,
    /// The same: 95 % wait no longer.
    IdleP95,
    /// Most calls at once.
    LinesPeak,
    /// Most INVITEs within a second.
    RatePeak,
    /// Leads with nothing more to do.
    Done,
    /// Hours from the begin to the end of the first round.
    FirstRound,
    /// Hours from the begin to the end of the list.
    ListEnd,
}

impl Figure {
    /// Every figure, in the order shown.
    pub const ALL: [Self; 20] = [
        Self::Occupancy,
        Self::TalksPerHour,
        Self::Talks,
        Self::Dials,
        Self::DialsPerTalk,
        Self::Answered,
        Self::Live,
        Self::Abandoned,
        Self::Faults,
        Self::AbandonRate,
        Self::WorstHour,
        Self::WaitMean,
        Self::WaitP95,
        Self::IdleMean,
        Self::IdleP95,
        Self::LinesPeak,
        Self::RatePeak,
        Self::Done,
        Self::FirstRound,
        Self::ListEnd,
    ];

    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Occupancy => "occupancy_percent",
            Self::TalksPerHour => "talks_per_agent_hour",
            Self::Dials => "dials",
            Self::DialsPerTalk => "dials_per_talk",
            Self::Answered => "answered",
            Self::Talks => "talks",
            Self::Live => "live",
            Self::Abandoned => "abandoned",
            Self::Faults => "faults",
            Self::AbandonRate => "abandoned_percent",
            Self::WorstHour => "abandoned_percent_worst_hour",
            Self::WaitMean => "wait_mean_s",
            Self::WaitP95 => "wait_p95_s",
            Self::IdleMean => "idle_mean_s",
            Self::IdleP95 => "idle_p95_s",
            Self::LinesPeak => "lines_peak",
            Self::RatePeak => "calls_per_second_peak",
            Self::Done => "leads_done",
            Self::FirstRound => "first_round_h",
            Self::ListEnd => "list_end_h",
        }
    }

    /// Its value; `None` where it has none in this rehearsal.
    #[must_use]
    pub fn of(self, record: &Record) -> Option<f64> {
        let busy = || record.sum(|step| step.talk + step.wrap);
        let at_work = || busy() + record.sum(|step| step.idle);
        let talks = || record.sum(|step| u64::from(step.talks));
        let dials = || record.sum(|step| u64::from(step.dials));
        let booked = |count: i64| u64::try_from(count).unwrap_or(0);
        let seconds = |millis: u32| f64::from(millis) / 1_000.0;
        let since = |at: UtcMs| {
            let begin = record.steps.first().map_or(at, |step| step.starts);
            at.since(begin).as_secs_f64() / 3_600.0
        };
        match self {
            Self::Occupancy => Some(100.0 * share(busy(), at_work())?),
            Self::TalksPerHour => Some(HOUR * share(talks(), at_work())?),
            Self::Dials => Some(float(dials())),
            Self::DialsPerTalk => share(dials(), talks()),
            Self::Answered => Some(float(record.sum(|step| u64::from(step.answered)))),
            Self::Talks => Some(float(talks())),
            Self::Live => Some(float(booked(record.ledger.answered))),
            Self::Abandoned => Some(float(booked(record.ledger.abandoned))),
            Self::Faults => Some(float(booked(record.ledger.fault))),
            Self::AbandonRate => {
                let (live, lost) = (record.ledger.answered, record.ledger.abandoned);
                Some(100.0 * share(booked(lost), booked(live))?)
            }
            Self::WorstHour => worst_hour(record),
            Self::WaitMean => mean(&record.waits),
            Self::WaitP95 => {
                (!record.waits.is_empty()).then(|| seconds(quantile(&record.waits, 950)))
            }
            Self::IdleMean => mean(&record.idles),
            Self::IdleP95 => {
                (!record.idles.is_empty()).then(|| seconds(quantile(&record.idles, 950)))
            }
            Self::LinesPeak => Some(f64::from(record.lines_peak)),
            Self::RatePeak => Some(f64::from(record.rate_peak)),
            Self::Done => Some(float(record.left.done + record.left.blocked)),
            Self::FirstRound => record.first_round.map(since),
            Self::ListEnd => record.list_end.map(since),
        }
    }
}

fn mean(millis: &[u32]) -> Option<f64> {
    let sum: u64 = millis.iter().map(|millis| u64::from(*millis)).sum();
    let count = u64::try_from(millis.len()).ok()?;
    Some(share(sum, count)? / 1_000.0)
}

/// Twelve steps in a row.
fn worst_hour(record: &Record) -> Option<f64> {
    let hours = record.steps.windows(12).filter(|hour| {
        let day = hour.first().map(|step| step.day);
        hour.iter().all(|step| Some(step.day) == day)
    });
    let rates = hours.filter_map(|hour| {
        let sum = |of: fn(&crate::simulation::rehearsal::record::Step) -> u32| {
            hour.iter().map(|step| u64::from(of(step))).sum::<u64>()
        };
        let (lost, talks) = (sum(|step| step.lost), sum(|step| step.talks));
        (lost + talks >= 100).then(|| share(lost, lost + talks)).flatten()
    });
    rates.map(|rate| 100.0 * rate).reduce(f64::max)
}

/// Microseconds.
const HOUR: f64 = 3.6e9;
