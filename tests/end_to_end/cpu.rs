//! Processor time of the dialer's own threads: those that were not there before it started.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Threads and what each has used so far.
pub(crate) struct Cpu {
    others: BTreeSet<String>,
    used: BTreeMap<String, Duration>,
}

impl Cpu {
    /// Asked before the dialer starts.
    pub(crate) fn before() -> Self {
        Self { others: threads().collect(), used: BTreeMap::new() }
    }

    /// Threads that end leave their last sample.
    pub(crate) fn sample(&mut self) {
        for thread in threads().filter(|thread| !self.others.contains(thread)) {
            // Nanoseconds on a processor come first (Documentation/scheduler/sched-stats).
            let path = format!("/proc/self/task/{thread}/schedstat");
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
            if let Some(nanos) = nanos {
                self.used.insert(thread, Duration::from_nanos(nanos));
            }
        }
    }

    pub(crate) fn total(&self) -> Duration {
        self.used.values().sum()
    }
}

fn threads() -> impl Iterator<Item = String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.map(|task| task.unwrap().file_name().into_string().unwrap())
}
