//! What came of a day.

use crate::simulation::pacing_day::seconds;

/// What is counted while the day goes on. Microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub(super) launched: u64,
    pub(super) busy: u64,
    idle: u64,
    idle_times: u64,
    /// Each live answer: when, and whether it found an agent.
    lives: Vec<(u64, bool)>,
    abandoned: u64,
    machines: u64,
    /// From answer to agent.
    waits: Vec<u64>,
}

/// What came of a day.
#[derive(Clone, Debug)]
pub struct Report {
    /// (talk + wrap-up) / (logged in, not paused), in %.
    pub occupancy: f64,
    /// Live answers that found nobody within 2 s, in % of live answers.
    pub abandoned: f64,
    /// The same over the worst 60 minutes in which 100 live answers or more fell.
    pub worst_hour: f64,
    /// Mean time between two talks that an agent waited, in seconds.
    pub idle: f64,
    /// Seconds from the answer to the agent, of those who found one: mean.
    pub wait: f64,
    /// What 95 % of them waited at most.
    pub wait_95: f64,
    /// Calls started.
    pub launched: u64,
    /// Persons who answered and were not taken for a machine.
    pub live: u64,
    /// Those of them who found nobody.
    pub lost: u64,
}

impl Ledger {
    pub(super) fn live(&mut self, at: u64, found: bool, person: bool) {
        if !person {
            self.machines += 1;
            return;
        }
        self.lives.push((at, found));
        self.abandoned += u64::from(!found);
    }

    pub(super) fn idle(&mut self, micros: u64) {
        self.idle += micros;
        self.idle_times += 1;
    }

    pub(super) fn wait(&mut self, micros: u64) {
        self.waits.push(micros);
    }

    pub(super) fn report(mut self) -> Report {
        self.waits.sort_unstable();
        let waits = u64::try_from(self.waits.len()).unwrap_or(u64::MAX);
        let late = self.waits.get(self.waits.len() * 95 / 100).copied().unwrap_or(0);
        let live = u64::try_from(self.lives.len()).unwrap_or(u64::MAX);
        let (busy, idle) = (seconds(self.busy), seconds(self.idle));
        Report {
            occupancy: 100.0 * busy / (busy + idle).max(1e-9),
            abandoned: percent(self.abandoned, live),
            worst_hour: worst_hour(&self.lives),
            idle: idle / float(self.idle_times).max(1.0),
            wait: seconds(self.waits.iter().sum()) / float(waits).max(1.0),
            wait_95: seconds(late),
            launched: self.launched,
            live,
            lost: self.abandoned,
        }
    }
}

fn worst_hour(lives: &[(u64, bool)]) -> f64 {
    let mut worst: f64 = 0.0;
    let mut first = lives.iter();
    let (mut live, mut lost) = (0u64, 0u64);
    let mut oldest = first.next();
    for (at, found) in lives {
        live += 1;
        lost += u64::from(!found);
        while let Some((old, found)) = oldest.filter(|(old, _)| old + HOUR <= *at) {
            let _ = old;
            live -= 1;
            lost -= u64::from(!found);
            oldest = first.next();
        }
        if live >= 100 {
            worst = worst.max(percent(lost, live));
        }
    }
    worst
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * float(part) / float(whole).max(1.0)
}

fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Microseconds.
const HOUR: u64 = 3_600_000_000;
