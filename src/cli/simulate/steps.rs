//! The steps of a day over several seeds.

use std::collections::BTreeMap;

use crate::cli::simulate::Outlook;
use crate::simulation::rehearsal::record::{STEP_MINUTES, Step, float, share};
use crate::simulation::rehearsal::sure::Sure;

/// The same five minutes in every seed.
pub(crate) struct Steps<'a> {
    rows: BTreeMap<(u32, u32), Vec<&'a Step>>,
    days: usize,
}

impl<'a> Steps<'a> {
    pub(crate) fn of(outlook: &'a Outlook) -> Self {
        let mut rows: BTreeMap<(u32, u32), Vec<&Step>> = BTreeMap::new();
        for step in outlook.records.iter().flat_map(|record| &record.steps) {
            rows.entry((step.day, step.minute)).or_default().push(step);
        }
        Self { rows, days: outlook.rehearsal.days.len() }
    }

    /// `09:30`; with several days `2. 09:30`.
    pub(crate) fn labels(&self) -> Vec<String> {
        let label = |(day, minute): &(u32, u32)| {
            let time = clock(*minute);
            if self.days > 1 { format!("{}. {time}", day + 1) } else { time }
        };
        self.rows.keys().map(label).collect()
    }

    /// A value of each step: mean, least and most over the seeds in which it has one.
    pub(crate) fn over(&self, of: impl Fn(&Step) -> Option<f64>) -> Vec<Option<Sure>> {
        let each = |steps: &Vec<&Step>| {
            let values: Vec<f64> = steps.iter().filter_map(|step| of(step)).collect();
            Sure::of(&values)
        };
        self.rows.values().map(each).collect()
    }
}

/// `09:30`.
pub(crate) fn clock(minute: u32) -> String {
    format!("{:02}:{:02}", minute / 60 % 24, minute % 60)
}

/// In %.
pub(crate) fn occupancy(step: &Step) -> Option<f64> {
    step.occupancy().map(|share| 100.0 * share)
}

/// Mean wait of those who got an agent, in seconds.
pub(crate) fn wait(step: &Step) -> Option<f64> {
    share(step.waited, u64::from(step.talks)).map(|millis| millis / 1_000.0)
}

/// Mean of the idle times that ended, in seconds.
pub(crate) fn idle(step: &Step) -> Option<f64> {
    share(step.idled, u64::from(step.idle_ends)).map(|millis| millis / 1_000.0)
}

/// Calls at once, on average.
pub(crate) fn lines(step: &Step) -> f64 {
    float(step.lines) / (f64::from(STEP_MINUTES) * 60e6)
}

/// Losses that count against the cap: without faults.
pub(crate) fn lost(step: &Step) -> Option<f64> {
    has_ledger(step).then(|| whole(step.ledger.abandoned - step.ledger.fault))
}

/// What the cap and the debt of the window allow of them.
pub(crate) fn bound(step: &Step, cap_ppm: u32) -> Option<f64> {
    has_ledger(step)
        .then(|| whole(step.ledger.answered) * f64::from(cap_ppm) / 1e6 + f64::from(step.may_owe))
}

/// After the shift nothing is sampled.
fn has_ledger(step: &Step) -> bool {
    !step.held.is_empty()
}

pub(crate) fn whole(count: i64) -> f64 {
    float(u64::try_from(count).unwrap_or(0))
}
